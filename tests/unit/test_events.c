/* test_events - numbers rise by one, and what is kept is given as it was: the newest that fit both
 * bounds of the ring. */
#include <stdio.h>
#include <string.h>

#include "broker/events.h"
#include "tests/support/suite.h"

#define GENERATION 77u

static struct events *events;
static char answer[PAIR_BODY_BYTES_MAX];
static char large[MESSAGE_BYTES_MAX];

static void setup(void)
{
    events = events_new(EVENTS_RING, EVENTS_BYTES_MAX);
}

static void teardown(void)
{
    events_destroy(&events);
    ck_assert_ptr_null(events);
}

/* An event whose body tells its number, in so many bytes. */
static void add(size_t size)
{
    struct header header;
    uint64_t number = events_newest(events) + 1;
    memset(large, (int)(number % 251), size);
    ck_assert_uint_eq(events_add(events, bytes_of("members"), (struct bytes){large, size}, &header),
                      number);
    ck_assert_uint_eq(header.id, number);
    ck_assert_int_eq(header.command, COMMAND_EVENT);
    ck_assert(bytes_are(header.method, "members"));
}

static bool is_filled(struct bytes bytes, char with)
{
    size_t i = 0;
    while (i < bytes.size && bytes.data[i] == with)
        i++;
    return i == bytes.size;
}

/* Ask from a number on; returns how many came, all of them right. */
static struct msg_events ask(uint64_t from, size_t room, unsigned *ret_count)
{
    struct writer writer;
    struct msg_events its;
    struct msg_past_event past;
    struct bytes value;
    writer_init(&writer, answer, room);
    events_write(events, from, GENERATION, &writer);
    ck_assert_int_eq(message_decode(MSG_EVENTS, writer_bytes(&writer), &its), STATUS_OK);
    struct values values = values_over(its.events);
    uint64_t number = from > its.first ? from : its.first;
    for (*ret_count = 0; values_next(&values, &value); (*ret_count)++, number++) {
        ck_assert_int_eq(message_decode(MSG_PAST_EVENT, value, &past), STATUS_OK);
        ck_assert_uint_eq(past.number, number);
        ck_assert(bytes_are(past.topic, "members"));
        ck_assert(is_filled(past.body, (char)(number % 251)));
    }
    ck_assert_uint_eq(its.next, number);
    ck_assert_uint_eq(its.newest, events_newest(events));
    ck_assert_uint_eq(its.generation, GENERATION);
    return its;
}

START_TEST(nothing_yet_is_an_answer)
{
    unsigned count;
    struct msg_events its = ask(1, sizeof answer, &count);
    ck_assert_uint_eq(count, 0);
    ck_assert_uint_eq(its.first, 1);
    ck_assert_uint_eq(its.next, 1);
    ck_assert_uint_eq(its.newest, 0);
}
END_TEST

START_TEST(what_was_missed_is_given_in_order)
{
    unsigned count;
    for (unsigned i = 0; i < 100; i++)
        add(i);
    ask(1, sizeof answer, &count);
    ck_assert_uint_eq(count, 100);
    ask(97, sizeof answer, &count);
    ck_assert_uint_eq(count, 4);
    struct msg_events its = ask(101, sizeof answer, &count);
    ck_assert_uint_eq(count, 0);
    ck_assert_uint_eq(its.next, 101);
}
END_TEST

/* One that asks beyond the end is from another time, and told where it stands. */
START_TEST(a_number_that_never_was_gets_the_end)
{
    unsigned count;
    struct writer writer;
    struct msg_events its;
    add(3);
    writer_init(&writer, answer, sizeof answer);
    events_write(events, 1000, GENERATION, &writer);
    ck_assert_int_eq(message_decode(MSG_EVENTS, writer_bytes(&writer), &its), STATUS_OK);
    ck_assert_uint_eq(its.next, 2);
    ask(0, sizeof answer, &count);
    ck_assert_uint_eq(count, 1);
}
END_TEST

START_TEST(an_answer_ends_where_its_room_does)
{
    unsigned count, all = 0;
    for (unsigned i = 0; i < 50; i++)
        add(1000);
    for (uint64_t from = 1; from <= 50; all += count) {
        struct msg_events its = ask(from, 5000, &count);
        ck_assert_uint_gt(count, 0);
        ck_assert_uint_lt(count, 5);
        from = its.next;
    }
    ck_assert_uint_eq(all, 50);
}
END_TEST

START_TEST(the_ring_is_bounded_by_count)
{
    unsigned count;
    for (unsigned i = 0; i < EVENTS_RING + 10; i++)
        add(4);
    ck_assert_uint_eq(events_oldest(events), 11);
    ask(EVENTS_RING, sizeof answer, &count);
    ck_assert_uint_eq(count, 11);
}
END_TEST

/* From a seed: bodies of all sizes, some absent, many times round. */
START_TEST(the_ring_is_bounded_by_bytes)
{
    uint64_t seed = 3;
    unsigned count;
    for (unsigned i = 0; i < 3000; i++) {
        add(random_next(&seed) % (MESSAGE_BYTES_MAX + 1));
        if (i % 50 > 0)
            continue;
        uint64_t kept = events_newest(events) - events_oldest(events) + 1;
        ask(events_oldest(events) + random_next(&seed) % kept, sizeof answer, &count);
        ask(events_oldest(events), sizeof answer, &count);
        ck_assert_uint_gt(count, 0);
        if (i > 1000)
            ck_assert_uint_gt(kept, EVENTS_BYTES_MAX / MESSAGE_BYTES_MAX);
    }
    ck_assert_uint_gt(events_oldest(events), 1);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nothing_yet_is_an_answer);
    tcase_add_test(tcase, what_was_missed_is_given_in_order);
    tcase_add_test(tcase, a_number_that_never_was_gets_the_end);
    tcase_add_test(tcase, an_answer_ends_where_its_room_does);
    tcase_add_test(tcase, the_ring_is_bounded_by_count);
    tcase_add_test(tcase, the_ring_is_bounded_by_bytes);
}

int main(void)
{
    return suite_run("events", add_tests);
}
