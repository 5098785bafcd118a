/* vectors - the golden files of tests/vectors, as unit tests read them. */
#ifndef TESTS_SUPPORT_VECTORS_H
#define TESTS_SUPPORT_VECTORS_H

#include <jansson.h>

#include "protocol/cursor.h"

/* The file of this name; the caller gives it to json_decref(). */
json_t *vectors_load(const char *name);

/* The bytes that a hexadecimal text stands for, in a heap buffer of exactly their size, so that a
 * sanitizer sees each byte read beyond; data NULL: no text. The caller frees data. */
struct bytes vectors_unhex(const json_t *text);
struct bytes vectors_bytes(const json_t *object, const char *member);

/* A view of a member that is text; data NULL: it is absent or null. */
struct bytes vectors_text(const json_t *object, const char *member);

/* A member that is an integer, or one above 2^53 in decimal text. */
uint64_t vectors_number(const json_t *object, const char *member);

/* A member of 16 hexadecimal digits. */
uint64_t vectors_hash(const json_t *object, const char *member);

/* The name of a case, for messages. */
const char *vectors_name(const json_t *object);

/* The MessagePack of a JSON text.
 *
 * out  size bytes; what is returned borrows them */
struct bytes vectors_pack(const char *json, char *out, size_t size);

/* Both are the same bytes, or both absent. */
void vectors_check_same(const char *name, struct bytes ours, struct bytes theirs);

#endif
