/* value - MessagePack values of any kind: read in place, and written into a buffer with a bound.
 *
 * Reading: a struct bytes holds one value that has been checked (message_decode() and
 * value_check() do it); what is asked for and is not there, or of another kind, is false or absent.
 * Writing: a writer goes straight down its fields, and is asked once at the end whether all fitted.
 * Neither allocates. */
#ifndef PROTOCOL_VALUE_H
#define PROTOCOL_VALUE_H

#include <msgpack.h>
#include <string.h>

#include "protocol/cursor.h"

/* A view of a C text; NULL: absent. Here, so that a compiler counts what it sees. */
static inline struct bytes bytes_of(const char *text)
{
    return (struct bytes){text, text == NULL ? 0 : strlen(text)};
}

static inline bool bytes_equal(struct bytes left, struct bytes right)
{
    return left.size == right.size &&
           (left.size == 0 || memcmp(left.data, right.data, left.size) == 0);
}

static inline bool bytes_are(struct bytes bytes, const char *text)
{
    return bytes_equal(bytes, bytes_of(text));
}

/* True if bytes hold exactly one value, of at most nesting_max containers inside each other. */
bool value_check(struct bytes bytes, unsigned nesting_max);

enum kind value_kind(struct bytes value);

/* The value of this key of a map; data NULL: none, or no map. Of two, the first. */
struct bytes value_find(struct bytes map, const char *key);

/* Each writes *ret only if it returns true. */
bool value_u64(struct bytes value, uint64_t *ret);
bool value_i64(struct bytes value, int64_t *ret);
bool value_f64(struct bytes value, double *ret);         /* of an integer too */
bool value_number(struct bytes value, long double *ret); /* any number, exactly */
bool value_bool(struct bytes value, bool *ret);
bool value_text(struct bytes value, struct bytes *ret); /* UTF-8 is not checked again */
bool value_blob(struct bytes value, struct bytes *ret);

/* The elements of an array; or keys and values of a map, in turn. Of anything else: none. */
struct values {
    struct cursor cursor;
    uint64_t left;
};
struct values values_over(struct bytes container);
bool values_next(struct values *self, struct bytes *ret);
uint64_t values_count(struct bytes container); /* of a map: keys and values */

struct writer {
    char *data;
    size_t size, used;
    bool full; /* something did not fit; what stands there is no use */
    msgpack_packer packer;
};

/* data: size bytes, borrowed until the last use of the writer. */
void writer_init(struct writer *self, char *data, size_t size);
void writer_map(struct writer *self, size_t pairs);
void writer_array(struct writer *self, size_t elements);
void writer_nil(struct writer *self);
void writer_bool(struct writer *self, bool value);
void writer_u64(struct writer *self, uint64_t value);
void writer_i64(struct writer *self, int64_t value);
void writer_f64(struct writer *self, double value);
void writer_text(struct writer *self, struct bytes text);
void writer_cstr(struct writer *self, const char *text);
void writer_blob(struct writer *self, struct bytes blob);
void writer_raw(struct writer *self, struct bytes value); /* encoded already */

/* What was written; data NULL: it did not fit. */
struct bytes writer_bytes(const struct writer *self);

#endif
