/* test_message - properties that hold for every row of messages.def: a new message is tested by
 * being declared. */
#include <string.h>

#include "protocol/message.h"
#include "tests/support/suite.h"

#define ROUNDS 50
#define CUTS_MAX 64
#define ROOM ((size_t)4 * FRAME_BYTES_MAX)

static uint64_t seed = 1;
static char noise[ROOM]; /* zeros are valid UTF-8 */
static char wire[ROOM], again[ROOM];

/* A value of some kind, which takes at most bytes_max. */
static struct bytes random_value(size_t bytes_max)
{
    static const char *const values[] = {"\x07", "\xc3", "\xa1x", "\x81\xa1k\x92\x01\xc0"};
    struct bytes value = bytes_of(values[random_next(&seed) % 4]);
    return value.size <= bytes_max ? value : bytes_of(values[0]);
}

static struct bytes random_bytes(const struct field *field)
{
    if (field->element != NULL)
        return bytes_of(random_next(&seed) % 2 ? "\x90" : "\x91\x80");
    if (field->type == TYPE_VALUE)
        return random_value(field->bytes_max);
    size_t size = random_next(&seed) % (field->bytes_max + 1);
    return (struct bytes){noise, size < 4096 ? size : 4096};
}

/* Fill each field at random, within its bound. */
static void fill(const struct message *message, void *value)
{
    for (size_t i = 0; i < message->field_count; i++) {
        const struct field *field = &message->fields[i];
        void *member = (char *)value + field->offset;
        bool absent = field->missing != REQUIRED && random_next(&seed) % 4 == 0;
        if (field->type == TYPE_BOOL)
            *(bool *)member = random_next(&seed) % 2;
        else if (field->type == TYPE_F64)
            *(double *)member = (double)random_next(&seed) / 3;
        else if (field->type == TYPE_U64 || field->type == TYPE_I64)
            *(uint64_t *)member = random_next(&seed) >> random_next(&seed) % 64;
        else
            *(struct bytes *)member = absent ? (struct bytes){0} : random_bytes(field);
    }
}

START_TEST(every_message_survives_a_round_trip)
{
    enum message_id id = (enum message_id)_i;
    for (int round = 0; round < ROUNDS && messages[id].name != NULL; round++) {
        union any_body in = {0}, out;
        struct bytes body, body_again;
        fill(&messages[id], &in);
        if (messages[id].role != ROLE_NONE)
            ck_assert_int_eq(message_find(messages[id].role, bytes_of(messages[id].method)), id);
        ck_assert_int_eq(message_encode(id, &in, wire, ROOM, &body), STATUS_OK);
        ck_assert_int_eq(message_decode(id, body, &out), STATUS_OK);
        ck_assert_int_eq(message_encode(id, &out, again, ROOM, &body_again), STATUS_OK);
        ck_assert(bytes_equal(body, body_again));
        for (size_t cut = 0; cut < body.size && cut < CUTS_MAX; cut++)
            ck_assert_int_ne(message_decode(id, (struct bytes){wire, cut}, &out), STATUS_OK);
        ((unsigned char *)wire)[random_next(&seed) % body.size] ^= 1u << random_next(&seed) % 8;
        if (message_decode(id, body, &out) == STATUS_OK)
            ck_assert_int_eq(message_encode(id, &out, again, ROOM, &body_again), STATUS_OK);
    }
}
END_TEST

#define GET                                                                                        \
    "\xa2ns\xa1n\xa5"                                                                              \
    "epoch\x01"
/* clang-format off */
#define W(literal) {literal, sizeof(literal) - 1} /* NOLINT: a pointer in () is no constant */
/* clang-format on */

static const struct {
    struct bytes wire;
    enum status expected;
} cases[] = {
    {W("\x83" GET "\xa3key\xa1k"), STATUS_OK},
    {W("\x84" GET "\xa1?\x91\x91\x01\xa3key\xa1k"), STATUS_OK}, /* a key of a newer peer */
    {W("\x84" GET "\xa3key\xa1k\x07\xd4\x01\x01"), STATUS_OK},  /* and one that is none */
    {W("\x84" GET "\xa3key\xa1k\xa3key\x07"), STATUS_OK},       /* twice: the first counts */
    {W("\x84" GET "\xa3key\xa1k\xa7park_ms\xc0"), STATUS_OK},   /* nil is as good as absent */
    {{"\x82" GET, 13}, STATUS_BAD_REQUEST},                     /* what is required is missing */
    {W("\xdf\xff\xff\xff\xff\x01"), STATUS_BAD_REQUEST}, /* what msgpack-c would allocate for */
    {W("\x83" GET "\xa3key\xdd\xff\xff\xff\xff"), STATUS_BAD_REQUEST},
    {W("\x83" GET "\xa3key\xdb\xff\xff\xff\xff\x01"), STATUS_BAD_REQUEST},
    {W("\x91\xa1k"), STATUS_BAD_REQUEST},                   /* not a map */
    {W("\x83" GET "\xa3key\xc4\x01k"), STATUS_BAD_REQUEST}, /* a blob where text belongs */
    {W("\x83" GET "\xa3key\xa1\xff"), STATUS_BAD_REQUEST},  /* no UTF-8 */
    {W("\x83" GET "\xa3key\xa1k\xc0"), STATUS_BAD_REQUEST}, /* something behind it */
    {{NULL, 0}, STATUS_BAD_REQUEST},
};

START_TEST(a_body_is_taken_or_refused)
{
    struct msg_cache_get get;
    ck_assert_int_eq(message_decode(MSG_CACHE_GET, cases[_i].wire, &get), cases[_i].expected);
}
END_TEST

START_TEST(what_is_missing_has_its_value)
{
    struct msg_ready ready;
    struct bytes body = {"\x82\xab"
                         "concurrency\x05\xa7methods\x90",
                         23};
    ck_assert_int_eq(message_decode(MSG_READY, body, &ready), STATUS_OK);
    ck_assert_uint_eq(ready.concurrency, 5);
    ck_assert_uint_eq(ready.weight, 100);
    ck_assert_ptr_null(ready.zone.data);
}
END_TEST

/* What a reader puts there anyway is left out: 100 of this field, and so not its 0. */
START_TEST(terse_is_the_same_in_fewer_bytes)
{
    static const uint64_t weights[] = {100, 0, 7};
    for (size_t i = 0; i < sizeof weights / sizeof weights[0]; i++) {
        struct msg_ready read,
            ready = {.methods = {"\x90", 1}, .concurrency = 0, .weight = weights[i]};
        struct writer writer;
        writer_init(&writer, wire, ROOM);
        ck_assert_int_eq(message_write_terse(MSG_READY, &ready, &writer), STATUS_OK);
        struct bytes body = writer_bytes(&writer);
        ck_assert_int_eq(value_find(body, "weight").data != NULL, weights[i] != 100);
        ck_assert_ptr_nonnull(value_find(body, "concurrency").data); /* it is required */
        ck_assert_int_eq(message_decode(MSG_READY, body, &read), STATUS_OK);
        ck_assert_uint_eq(read.weight, weights[i]);
        ck_assert_uint_eq(read.concurrency, 0);
    }
}
END_TEST

START_TEST(what_is_over_its_bound_is_refused)
{
    struct msg_cache_get get = {.ns = bytes_of("n"), .key = {noise, KEY_BYTES_MAX + 1}};
    struct bytes body;
    struct writer writer;
    ck_assert_int_eq(message_encode(MSG_CACHE_GET, &get, wire, ROOM, &body), STATUS_TOO_LARGE);
    writer_init(&writer, wire, ROOM);
    writer_map(&writer, 1);
    writer_cstr(&writer, "key");
    writer_text(&writer, get.key);
    ck_assert_int_eq(message_decode(MSG_CACHE_GET, writer_bytes(&writer), &get), STATUS_TOO_LARGE);
    get = (struct msg_cache_get){.ns = bytes_of("n"), .key = bytes_of("k")};
    ck_assert_int_eq(message_encode(MSG_CACHE_GET, &get, wire, 4, &body), STATUS_TOO_LARGE);
}
END_TEST

/* A body nested as deep as allowed is read; one deeper is not, however small. */
START_TEST(nesting_has_a_bound)
{
    char nested[BODY_NESTING_MAX + 2];
    memset(nested, '\x91', sizeof nested);
    for (size_t depth = 1; depth <= BODY_NESTING_MAX + 1; depth++) {
        nested[depth] = '\xc0';
        ck_assert_int_eq(value_check((struct bytes){nested, depth + 1}, BODY_NESTING_MAX),
                         depth <= BODY_NESTING_MAX);
        nested[depth] = '\x91';
    }
}
END_TEST

START_TEST(values_are_read_as_they_were_written)
{
    struct writer writer;
    int64_t i64 = 0;
    double f64 = 0;
    uint64_t u64 = 0;
    writer_init(&writer, wire, ROOM);
    writer_map(&writer, 4);
    writer_cstr(&writer, "negative");
    writer_i64(&writer, -70000);
    writer_cstr(&writer, "small");
    writer_i64(&writer, -3);
    writer_cstr(&writer, "half");
    writer_f64(&writer, 0.5);
    writer_cstr(&writer, "large");
    writer_u64(&writer, UINT64_MAX);
    struct bytes map = writer_bytes(&writer);
    ck_assert(value_i64(value_find(map, "negative"), &i64));
    ck_assert_int_eq(i64, -70000);
    ck_assert(value_i64(value_find(map, "small"), &i64));
    ck_assert_int_eq(i64, -3);
    ck_assert(!value_u64(value_find(map, "small"), &u64));
    ck_assert(value_f64(value_find(map, "half"), &f64));
    ck_assert(f64 == 0.5);
    ck_assert(value_u64(value_find(map, "large"), &u64));
    ck_assert(!value_i64(value_find(map, "large"), &i64));
    ck_assert_ptr_null(value_find(map, "none").data);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, every_message_survives_a_round_trip, 1, MESSAGE_ID_MAX);
    tcase_add_loop_test(tcase, a_body_is_taken_or_refused, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tcase, what_is_missing_has_its_value);
    tcase_add_test(tcase, terse_is_the_same_in_fewer_bytes);
    tcase_add_test(tcase, what_is_over_its_bound_is_refused);
    tcase_add_test(tcase, nesting_has_a_bound);
    tcase_add_test(tcase, values_are_read_as_they_were_written);
}

int main(void)
{
    return suite_run("message", add_tests);
}
