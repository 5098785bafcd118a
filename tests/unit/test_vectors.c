/* test_vectors - the golden bytes of the wire, which every peer in every language is held to: what
 * we write is theirs, what they write is read, and hostile bytes end as stated. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "protocol/pairs.h"
#include "protocol/value.h"
#include "tests/support/suite.h"

#define OUTCOME_BYTES_MAX 128

static json_t *vectors;

static void setup(void)
{
    json_error_t error;
    vectors = json_load_file(VECTORS_DIR "/wire.json", 0, &error);
    ck_assert_msg(vectors != NULL, "%s", error.text);
}

static void teardown(void)
{
    json_decref(vectors);
}

/* The bytes of a member in hexadecimal; nil if it has none. The caller frees them. */
static struct bytes unhex(const json_t *object, const char *name)
{
    const char *hex = json_string_value(json_object_get(object, name));
    if (hex == NULL)
        return (struct bytes){0};
    size_t size = strlen(hex) / 2;
    char *bytes = malloc(size + 1);
    for (size_t i = 0; i < size; i++) {
        unsigned byte;
        ck_assert_int_eq(sscanf(hex + 2 * i, "%2x", &byte), 1);
        bytes[i] = (char)byte;
    }
    return (struct bytes){bytes, size};
}

static void check_same(const char *what, struct bytes ours, struct bytes theirs)
{
    ck_assert_msg(ours.size == theirs.size, "%s: %zu bytes, not %zu", what, ours.size, theirs.size);
    ck_assert_msg((ours.data == NULL) == (theirs.data == NULL), "%s: nil or not", what);
    if (ours.size > 0)
        ck_assert_msg(memcmp(ours.data, theirs.data, ours.size) == 0, "%s: other bytes", what);
}

/* A number, which stands as text where it is large. */
static uint64_t number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    if (json_is_string(value))
        return strtoull(json_string_value(value), NULL, 10);
    return (uint64_t)json_integer_value(value);
}

static struct bytes text(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value == NULL ? (struct bytes){0} : (struct bytes){value, strlen(value)};
}

static struct header header_of(const json_t *fields)
{
    return (struct header){
        .command = (enum command)number(fields, "command"),
        .flags = (uint16_t)number(fields, "flags"),
        .id = number(fields, "id"),
        .deadline_ms = (uint32_t)number(fields, "deadline_ms"),
        .class = (enum request_class)number(fields, "class"),
        .attempt = (uint8_t)number(fields, "attempt"),
        .role = (uint8_t)number(fields, "role"),
        .method = text(fields, "method"),
        .has_key = !json_is_null(json_object_get(fields, "key")),
        .key = number(fields, "key"),
        .tenant = text(fields, "tenant"),
        .idempotency_key = unhex(fields, "idempotency_key"),
        .trace = unhex(fields, "trace"),
        .status = (enum status)number(fields, "status"),
        .executed = (enum executed)number(fields, "executed"),
        .admit_level = (enum request_class)number(fields, "admit_level"),
        .retry_after_ms = (uint32_t)number(fields, "retry_after_ms"),
        .queue_us = (uint32_t)number(fields, "queue_us"),
        .service_us = (uint32_t)number(fields, "service_us"),
        .credit = (uint32_t)number(fields, "credit"),
        .instance = text(fields, "instance"),
    };
}

/* A header of the wire is read; what it says, encoded by us, is the golden one. */
static void check_header(const json_t *vector, const char *golden_name, bool canonical)
{
    const char *name = json_string_value(json_object_get(vector, "name"));
    struct bytes wire = unhex(vector, "hex"), golden = unhex(vector, golden_name);
    struct header stated = header_of(json_object_get(vector, "fields")), read;
    char out[HEADER_BYTES_MAX];
    size_t size;
    ck_assert_msg(envelope_decode(wire, &read, &size) == STATUS_OK, "%s", name);
    ck_assert_uint_eq(size, wire.size);
    ck_assert_msg(read.canonical == canonical, "%s", name);
    if (golden.data != NULL) {
        check_same(name, (struct bytes){out, envelope_encode(&read, out)}, golden);
        stated.extension = read.extension; /* bytes here, JSON there */
        check_same(name, (struct bytes){out, envelope_encode(&stated, out)}, golden);
    }
    free((void *)stated.trace.data);
    free((void *)stated.idempotency_key.data);
    free((void *)golden.data);
    free((void *)wire.data);
}

START_TEST(headers_are_written_and_read_byte_by_byte)
{
    size_t i;
    json_t *vector;
    json_array_foreach(json_object_get(vectors, "canonical"), i, vector)
        check_header(vector, "hex", true);
    ck_assert_uint_gt(i, 0);
}
END_TEST

/* In other widths; the last differs only behind its fixed part. */
START_TEST(foreign_headers_are_read_and_encoded_in_ours)
{
    size_t i;
    json_t *vector;
    json_array_foreach(json_object_get(vectors, "foreign"), i, vector)
        check_header(vector, "canonical", bytes_are(text(vector, "name"), "unknown extension key"));
    ck_assert_uint_gt(i, 0);
}
END_TEST

static void check_stream(const json_t *vector)
{
    static char data[MESSAGE_BYTES_MAX];
    struct pairs_buffer buffer = {.data = data};
    struct bytes wire = unhex(vector, "hex");
    const json_t *expected = json_object_get(vector, "pairs");
    struct pairs pairs = pairs_over(wire);
    struct pair pair;
    while (pairs_next(&pairs, &pair)) {
        const json_t *stated = json_array_get(expected, pairs.count - 1);
        struct bytes body = unhex(stated, "body");
        char head[PAIR_HEAD_BYTES_MAX];
        size_t head_bytes = pairs_encode_head(&pair.header, pair.body, head);
        ck_assert_int_eq(pair.status, STATUS_OK);
        ck_assert_uint_eq(pair.header.id, number(stated, "id"));
        ck_assert_uint_eq(pair.header.command, number(stated, "command"));
        check_same("body", pair.body, body);
        ck_assert(pairs_append(&buffer, (struct bytes){head, head_bytes}, pair.body));
        free((void *)body.data);
    }
    ck_assert(!pairs.broken);
    ck_assert_uint_eq(pairs.count, json_array_size(expected));
    check_same("stream", pairs_flush(&buffer), wire);
    free((void *)wire.data);
}

START_TEST(streams_are_read_and_packed)
{
    size_t i;
    json_t *vector;
    json_array_foreach(json_object_get(vectors, "streams"), i, vector) check_stream(vector);
    ck_assert_uint_gt(i, 0);
}
END_TEST

/* What becomes of a message, in the words of the vectors. */
static void describe(struct bytes wire, char *out)
{
    static const char *const words[STATUS_COUNT] = {
        [STATUS_OK] = "served", [STATUS_BAD_REQUEST] = "bad_request", [STATUS_VERSION] = "version"};
    struct pairs pairs = pairs_over(wire);
    struct pair pair;
    char *at = out;
    while (pairs_next(&pairs, &pair)) {
        const char *comma = pairs.count > 1 ? ", " : "", *word = words[pair.status];
        unsigned long long id = pair.header.id;
        if (pair.status != STATUS_OK && pair.whole.size == wire.size)
            at += sprintf(at, "%s, id %llu", word, id);
        else
            at += sprintf(at, "%s%llu %s", comma, id, word);
        ck_assert_uint_lt((size_t)(at - out), OUTCOME_BYTES_MAX / 2);
    }
    if (pairs.broken)
        (void)sprintf(at, "%sbroken", pairs.count > 0 ? ", rest " : "");
}

START_TEST(hostile_bytes_end_as_stated)
{
    size_t i;
    json_t *vector;
    json_array_foreach(json_object_get(vectors, "bad"), i, vector)
    {
        char outcome[OUTCOME_BYTES_MAX];
        struct bytes wire = unhex(vector, "hex");
        describe(wire, outcome);
        ck_assert_msg(bytes_are(text(vector, "outcome"), outcome), "%s: %s, not %s",
                      text(vector, "name").data, outcome, text(vector, "outcome").data);
        free((void *)wire.data);
    }
    ck_assert_uint_gt(i, 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, headers_are_written_and_read_byte_by_byte);
    tcase_add_test(tcase, foreign_headers_are_read_and_encoded_in_ours);
    tcase_add_test(tcase, streams_are_read_and_packed);
    tcase_add_test(tcase, hostile_bytes_end_as_stated);
}

int main(void)
{
    return suite_run("vectors", add_tests);
}
