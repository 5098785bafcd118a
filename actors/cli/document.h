/* document - what a command has found out, as one MessagePack value: -o json prints all of it, a
 * table a part. And the names of what stands in headers as numbers. */
#ifndef ACTORS_CLI_DOCUMENT_H
#define ACTORS_CLI_DOCUMENT_H

#include <stdio.h>

#include "actors/client/fact.h"
#include "protocol/message.h"

#define DOCUMENT_BYTES_MAX 8388608u
#define RFC3339_BYTES 32u

_Static_assert(METHODS_KNOWN_MAX *(4096u + 1024u) <= DOCUMENT_BYTES_MAX,
               "all tools with their descriptions fit");

struct document {
    char *data;
    struct writer writer;
};

void document_init(struct document *self);
void document_fini(struct document *self);
struct bytes document_value(const struct document *self); /* asserts that it fitted */

/* For maps: a key and its value. Absent text and numbers of 0 ms Unix time become nil. */
void put_text(struct writer *writer, const char *key, struct bytes text);
void put_u64(struct writer *writer, const char *key, uint64_t number);
void put_f64(struct writer *writer, const char *key, double number);
void put_bool(struct writer *writer, const char *key, bool value);
void put_time(struct writer *writer, const char *key, uint64_t unix_ms);
void put_value(struct writer *writer, const char *key, struct bytes value);

/* 2026-11-24T02:30:00.123Z; out: RFC3339_BYTES. */
const char *rfc3339(uint64_t unix_ms, char *out);

const char *role_name(uint64_t role); /* "driver"; of a number that is none: "unknown" */
const char *executed_name(enum executed executed);

#endif
