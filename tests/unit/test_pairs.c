/* test_pairs - what is packed is read again, pair by pair; a cut, a flipped bit or a bound costs
 * what it hits and nothing before it; a patch changes what it names and nothing else. */
#include <string.h>

#include "protocol/pairs.h"
#include "tests/support/suite.h"

#define ROUNDS 300
#define PAIRS 4

static uint64_t seed = 1;
static char letters[PAIR_BODY_BYTES_MAX + 1]; /* zeros are valid UTF-8 */
static char data[MESSAGE_BYTES_MAX];
static struct pairs_buffer buffer;

static void setup(void)
{
    buffer = (struct pairs_buffer){.data = data};
}

/* A text or blob of this size, absent half of the time. */
static struct bytes some(size_t size)
{
    return random_next(&seed) % 2 ? (struct bytes){letters, size} : (struct bytes){0};
}

/* Random in the fields of both layouts; envelope_encode() takes those of the command. */
static struct header random_header(void)
{
    return (struct header){.command = random_next(&seed) % 2 ? COMMAND_REQUEST : COMMAND_REPLY,
                           .flags = (uint16_t)random_next(&seed),
                           .id = 1 + (random_next(&seed) >> (1 + random_next(&seed) % 63)),
                           .deadline_ms = 1 + (uint32_t)random_next(&seed) / 2,
                           .class = (enum request_class)(random_next(&seed) % CLASS_COUNT),
                           .attempt = (uint8_t)(random_next(&seed) % 3),
                           .role = ROLE_DRIVER,
                           .method = some(random_next(&seed) % (METHOD_BYTES_MAX + 1)),
                           .has_key = random_next(&seed) % 2,
                           .key = random_next(&seed),
                           .idempotency_key = some(IDEMPOTENCY_KEY_BYTES),
                           .trace = some(TRACE_BYTES),
                           .status = (enum status)(random_next(&seed) % STATUS_COUNT),
                           .queue_us = (uint32_t)random_next(&seed),
                           .instance = some(random_next(&seed) % (NAME_BYTES_MAX + 1)),
                           .credit = (uint32_t)random_next(&seed)};
}

static bool append(const struct header *header, struct bytes body)
{
    char head[PAIR_HEAD_BYTES_MAX];
    size_t head_bytes = pairs_encode_head(header, body, head);
    return pairs_append(&buffer, (struct bytes){head, head_bytes}, body);
}

/* Read a message with no byte behind it that a reader could run into unseen; returns the pairs. */
static struct pairs read_all(struct bytes message)
{
    struct pair pair;
    char *copy = malloc(message.size + 1);
    memcpy(copy + 1, message.data, message.size);
    struct pairs pairs = pairs_over((struct bytes){copy + 1, message.size});
    while (pairs_next(&pairs, &pair))
        continue;
    free(copy);
    return pairs;
}

static void check_header(const struct header *in, struct pair *pair)
{
    char wire[HEADER_BYTES_MAX], again[HEADER_BYTES_MAX];
    size_t size = envelope_encode(in, wire);
    ck_assert_int_eq(pair->status, STATUS_OK);
    ck_assert(pair->header.canonical);
    ck_assert_uint_eq(envelope_encode(&pair->header, again), size);
    ck_assert_mem_eq(wire, again, size);

    pair->header.id = UINT64_MAX;
    pair->header.deadline_ms = pair->header.queue_us = pair->header.credit = 7;
    pair->header.attempt = 2;
    pair->header.flags = 0x1234;
    pair->header.class = CLASS_SHEDDABLE;
    pair->header.status = STATUS_INTERNAL;
    pair->header.executed = EXECUTED_MAYBE;
    pair->header.retry_after_ms = pair->header.service_us = 77777;
    pair->header.admit_level = CLASS_CRITICAL;
    envelope_patch(wire, &pair->header);
    ck_assert_uint_eq(envelope_encode(&pair->header, again), size);
    ck_assert_mem_eq(wire, again, size);
}

START_TEST(what_is_packed_is_read_again)
{
    for (int round = 0; round < ROUNDS; round++) {
        struct header headers[PAIRS];
        struct bytes bodies[PAIRS];
        struct pair pair;
        unsigned i = 0;
        for (unsigned n = 0; n < PAIRS; n++) {
            headers[n] = random_header();
            bodies[n] = some(random_next(&seed) >> (48 + random_next(&seed) % 16) & 0x3fff);
            ck_assert(append(&headers[n], bodies[n]));
        }
        struct pairs pairs = pairs_over(pairs_flush(&buffer));
        for (; pairs_next(&pairs, &pair); i++) {
            ck_assert_uint_eq(pair.body.size, bodies[i].size);
            ck_assert_int_eq(pair.body.data == NULL, bodies[i].data == NULL);
            check_header(&headers[i], &pair);
        }
        ck_assert(!pairs.broken);
        ck_assert_uint_eq(i, PAIRS);
    }
}
END_TEST

/* At every cut and with any bit flipped, what stands before is read as ever. */
START_TEST(damage_costs_nothing_before_it)
{
    size_t ends[PAIRS + 1] = {0};
    for (unsigned n = 0; n < PAIRS; n++) {
        struct header header = random_header();
        ck_assert(append(&header, some(n)));
        ends[n + 1] = buffer.size;
    }
    struct bytes message = pairs_flush(&buffer);
    for (size_t at = 0; at < message.size; at++) {
        struct pairs cut = read_all((struct bytes){data, at});
        unsigned whole = 0;
        while (ends[whole + 1] <= at)
            whole++;
        ck_assert_uint_eq(cut.count, whole);
        ck_assert_int_eq(cut.broken, at == 0 || ends[whole] != at);
        for (unsigned bit = 0; bit < 8; bit++) {
            data[at] = (char)(data[at] ^ 1 << bit);
            ck_assert_uint_ge(read_all(message).count, whole);
            data[at] = (char)(data[at] ^ 1 << bit);
        }
    }
}
END_TEST

/* A buffer refuses what is over a bound, and a reader stops there. */
START_TEST(a_message_has_bounds)
{
    struct header header = {.command = COMMAND_HEARTBEAT};
    while (append(&header, (struct bytes){0}))
        ck_assert_uint_le(buffer.count, MESSAGE_PAIRS_MAX);
    ck_assert_uint_eq(buffer.count, MESSAGE_PAIRS_MAX);
    size_t pair_bytes = buffer.size / buffer.count;
    memcpy(data + buffer.size, data, pair_bytes);
    struct pairs pairs = read_all((struct bytes){data, buffer.size});
    ck_assert(!pairs.broken);
    pairs = read_all((struct bytes){data, buffer.size + pair_bytes});
    ck_assert(pairs.broken);
    ck_assert_uint_eq(pairs.count, MESSAGE_PAIRS_MAX);

    (void)pairs_flush(&buffer);
    size_t body = MESSAGE_BYTES_MAX / 4 - pair_bytes - 2; /* four fill it to the last byte */
    for (unsigned n = 0; n < 4; n++)
        ck_assert(append(&header, (struct bytes){letters, body}));
    ck_assert_uint_eq(buffer.size, MESSAGE_BYTES_MAX);
    ck_assert(!append(&header, (struct bytes){0}));
    char *over = malloc(MESSAGE_BYTES_MAX + pair_bytes);
    memcpy(over, data, MESSAGE_BYTES_MAX);
    memcpy(over + MESSAGE_BYTES_MAX, over, pair_bytes);
    over[MESSAGE_BYTES_MAX + pair_bytes - 1] = (char)TAG_NIL;
    pairs = read_all((struct bytes){over, MESSAGE_BYTES_MAX + pair_bytes});
    free(over);
    ck_assert(pairs.broken);
    ck_assert_uint_eq(pairs.count, 4);
}
END_TEST

static const struct {
    size_t body_bytes;
    bool alone;
    enum status status;
} sizes[] = {
    {ALONE_BYTES_MIN - PAIR_HEAD_BYTES_MAX, false, STATUS_OK},
    {ALONE_BYTES_MIN, true, STATUS_OK},
    {MESSAGE_BYTES_MAX, true, STATUS_OK},
    {PAIR_BODY_BYTES_MAX, true, STATUS_OK},
    {PAIR_BODY_BYTES_MAX + 1, true, STATUS_TOO_LARGE},
};

START_TEST(a_large_pair_travels_alone_and_has_a_bound)
{
    char *wire = malloc(PAIR_HEAD_BYTES_MAX + sizes[_i].body_bytes);
    struct header header = {.command = COMMAND_REPLY, .id = 9};
    struct bytes body = {letters, PAIR_BODY_BYTES_MAX};
    size_t head_bytes = pairs_encode_head(&header, body, wire);
    (void)cursor_put(wire + head_bytes - 4, 0xc6, 4, 0); /* bin 32, as for any large one */
    (void)cursor_put(wire + head_bytes - 5, 0xc6, 4, sizes[_i].body_bytes);
    memcpy(wire + head_bytes, letters, sizes[_i].body_bytes);
    struct pairs pairs = pairs_over((struct bytes){wire, head_bytes + sizes[_i].body_bytes});
    struct pair pair;
    ck_assert(pairs_next(&pairs, &pair));
    ck_assert_int_eq(pair.status, sizes[_i].status);
    ck_assert_uint_eq(pair.header.id, 9);
    ck_assert_int_eq(pairs_is_alone(pair.whole.size), sizes[_i].alone);
    ck_assert(!pairs_next(&pairs, &pair));
    ck_assert(!pairs.broken);
    free(wire);
}
END_TEST

#define START "\x9e\x01\x04\x00" /* 14 elements, so with an extension */
#define REST "\x64\x01\x00\x02\xc0\xc0\xc0\xc0\xc0"

/* What the vectors leave out. */
static const struct {
    const char *wire;
    size_t bytes, zeros; /* zeros: that follow */
    enum status expected;
} headers[] = {
    {START "\xd0\x05" REST "\x80", 16, 0, STATUS_OK},               /* signed, not negative */
    {START "\xd0\xfa" REST "\x80", 16, 0, STATUS_BAD_REQUEST},      /* negative */
    {START "\x05" REST "\xde\x00\x01\x02", 18, 1, STATUS_OK},       /* a longer map */
    {START "\x05" REST "\x81\x01\xd8\x00", 18, 16, STATUS_OK},      /* an extension type */
    {START "\x05" REST "\x81\x01\xc5\x02\xfb", 19, 763, STATUS_OK}, /* the bound of extension ... */
    {START "\x05" REST "\x81\x01\xc5\x02\xfc", 19, 764, STATUS_BAD_REQUEST},
    {"\x9f\x01\x04\x00\x05" REST "\x80\xc5\x03\xee", 18, 1006, STATUS_OK}, /* ... and header */
    {"\x9f\x01\x04\x00\x05" REST "\x80\xc5\x03\xef", 18, 1007, STATUS_BAD_REQUEST},
    {"\xdc\x00\x10\x01\x04\x00\x05" REST "\x80", 17, 2, STATUS_BAD_REQUEST}, /* 16 elements */
};

START_TEST(a_header_is_taken_or_refused)
{
    char wire[2 * HEADER_BYTES_MAX] = {0};
    struct bytes bytes = {wire, headers[_i].bytes + headers[_i].zeros};
    struct header header;
    size_t size;
    memcpy(wire, headers[_i].wire, headers[_i].bytes);
    ck_assert_uint_eq(cursor_measure(bytes), bytes.size);
    ck_assert_int_eq(envelope_decode(bytes, &header, &size), headers[_i].expected);
    ck_assert(!header.canonical);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, what_is_packed_is_read_again);
    tcase_add_test(tcase, damage_costs_nothing_before_it);
    tcase_add_loop_test(tcase, a_header_is_taken_or_refused, 0, sizeof headers / sizeof headers[0]);
    tcase_add_test(tcase, a_message_has_bounds);
    tcase_add_loop_test(tcase, a_large_pair_travels_alone_and_has_a_bound, 0,
                        sizeof sizes / sizeof sizes[0]);
}

int main(void)
{
    return suite_run("pairs", add_tests);
}
