/* test_slow_pipe - what goes into a bad link comes out whole, in order, and not before its time.
 * Time is stated. */
#include <stdlib.h>
#include <string.h>

#include "protocol/limits.h"
#include "tests/support/slow_pipe.h"
#include "tests/support/suite.h"

#define MS US_PER_MS
#define START_AT (1000 * US_PER_S)

static struct slow_pipe *slow;
static int64_t now_at;

static void setup(void)
{
    slow = calloc(1, sizeof *slow);
    ck_assert_ptr_nonnull(slow);
    now_at = START_AT;
}

static void teardown(void)
{
    free(slow);
}

static void put(const char *text, const struct slow_terms *terms)
{
    char *at;
    ck_assert_uint_ge(slow_pipe_room(slow, &at), strlen(text));
    for (size_t i = 0; text[i] != '\0'; i++)
        at[i] = text[i];
    slow_pipe_put(slow, strlen(text), terms, now_at);
}

/* What may come out now, taken; a text until the next call. */
static const char *take(const struct slow_terms *terms)
{
    static char text[SLOW_PIPE_BYTES_MAX + 1];
    const char *at;
    size_t size = slow_pipe_ready(slow, terms, now_at, &at);
    memcpy(text, at, size);
    text[size] = '\0';
    if (size > 0)
        slow_pipe_take(slow, size, terms, now_at);
    return text;
}

START_TEST(a_good_link_holds_nothing_back)
{
    const struct slow_terms terms = {0};
    ck_assert_int_eq(slow_pipe_due_at(slow, &terms), INT64_MAX);
    put("one", &terms);
    put("two", &terms);
    ck_assert_int_le(slow_pipe_due_at(slow, &terms), now_at);
    ck_assert_str_eq(take(&terms), "onetwo");
    ck_assert_uint_eq(slow_pipe_held(slow), 0);
}
END_TEST

START_TEST(each_part_takes_its_time)
{
    const struct slow_terms terms = {.latency_us = 50 * MS};
    put("one", &terms);
    now_at += 20 * MS;
    put("two", &terms);
    ck_assert_int_eq(slow_pipe_due_at(slow, &terms), START_AT + 50 * MS);
    now_at = START_AT + 50 * MS - 1;
    ck_assert_str_eq(take(&terms), "");
    now_at++;
    ck_assert_str_eq(take(&terms), "one");
    ck_assert_int_eq(slow_pipe_due_at(slow, &terms), START_AT + 70 * MS);
    now_at = START_AT + 70 * MS;
    ck_assert_str_eq(take(&terms), "two");
}
END_TEST

/* Parts that are each up to 30 ms late: some are, none overtakes. */
START_TEST(jitter_delays_and_keeps_the_order)
{
    const struct slow_terms terms = {.latency_us = 10 * MS, .jitter_us = 30 * MS};
    int64_t earliest_us = INT64_MAX, latest_us = 0;
    for (char part = 0; part < 100; part++) {
        const char text[] = {(char)(part + 1), '\0'};
        int64_t put_at = now_at;
        put(text, &terms);
        now_at = slow_pipe_due_at(slow, &terms);
        int64_t took_us = now_at - put_at;
        ck_assert_str_eq(take(&terms), text);
        earliest_us = took_us < earliest_us ? took_us : earliest_us;
        latest_us = took_us > latest_us ? took_us : latest_us;
    }
    ck_assert_int_ge(earliest_us, 10 * MS);
    ck_assert_int_lt(earliest_us, 15 * MS);
    ck_assert_int_gt(latest_us, 35 * MS);
    ck_assert_int_le(latest_us, 40 * MS);
    for (int i = 0; i < 100; i++)
        put(i % 2 == 0 ? "a" : "b", &terms);
    now_at += 40 * MS;
    const char *all = take(&terms);
    ck_assert_uint_eq(strlen(all), 100);
    for (int i = 0; i < 100; i++)
        ck_assert_int_eq(all[i], i % 2 == 0 ? 'a' : 'b');
}
END_TEST

/* 20,000 bytes at 10,000 a second, looked at in time: two seconds, to a portion. */
START_TEST(no_more_comes_out_than_the_bandwidth_lets)
{
    static char text[20001];
    const struct slow_terms terms = {.bytes_per_s = 10000};
    size_t all = 0;
    memset(text, 'x', sizeof text - 1);
    put(text, &terms);
    while (slow_pipe_held(slow) > 0) {
        int64_t due_at = slow_pipe_due_at(slow, &terms);
        now_at = due_at > now_at ? due_at : now_at;
        all += strlen(take(&terms));
        /* what it may be ahead: a tenth of a second, and the portion that is on its way */
        ck_assert_uint_le(all, (size_t)(now_at - START_AT) / 100 + 1000 + 101);
    }
    ck_assert_uint_eq(all, 20000);
    ck_assert_int_ge(now_at - START_AT, 1880 * MS);
    ck_assert_int_le(now_at - START_AT, 2000 * MS);
}
END_TEST

START_TEST(slices_come_one_by_one)
{
    const struct slow_terms terms = {.slice_bytes = 2};
    put("abcde", &terms);
    ck_assert_str_eq(take(&terms), "ab");
    ck_assert_str_eq(take(&terms), "");
    now_at = slow_pipe_due_at(slow, &terms);
    ck_assert_int_eq(now_at, START_AT + SLOW_PIPE_SLICE_GAP_US);
    ck_assert_str_eq(take(&terms), "cd");
    now_at = slow_pipe_due_at(slow, &terms);
    ck_assert_str_eq(take(&terms), "e");
}
END_TEST

/* Another link from now on: what is under way comes at once. */
START_TEST(when_the_link_is_good_again_all_of_it_comes)
{
    const struct slow_terms bad = {.latency_us = 3600 * US_PER_S, .bytes_per_s = 1};
    const struct slow_terms good = {0};
    put("late", &bad);
    ck_assert_str_eq(take(&bad), "");
    ck_assert_int_le(slow_pipe_due_at(slow, &good), now_at);
    ck_assert_str_eq(take(&good), "late");
}
END_TEST

START_TEST(it_holds_so_much_and_no_more)
{
    const struct slow_terms terms = {.latency_us = MS};
    char *at;
    size_t size, all = 0;
    while ((size = slow_pipe_room(slow, &at)) > 0) {
        size = size < 1000 ? size : 1000;
        memset(at, 'x', size);
        slow_pipe_put(slow, size, &terms, now_at);
        all += size;
    }
    ck_assert_uint_eq(all, SLOW_PIPE_BYTES_MAX);
    now_at += MS;
    ck_assert_uint_eq(strlen(take(&terms)), SLOW_PIPE_BYTES_MAX);
    ck_assert_uint_gt(slow_pipe_room(slow, &at), 0);
}
END_TEST

/* More parts than have a time of their own: the last ones come with the newest. */
START_TEST(parts_without_a_mark_wait_for_the_last)
{
    const struct slow_terms terms = {.latency_us = 10 * MS};
    for (unsigned i = 0; i < SLOW_PIPE_MARKS_MAX + 10; i++, now_at++)
        put("x", &terms);
    int64_t last_at = now_at - 1 + 10 * MS;
    now_at = last_at - 1;
    ck_assert_uint_eq(strlen(take(&terms)), SLOW_PIPE_MARKS_MAX - 1);
    now_at = last_at;
    ck_assert_uint_eq(strlen(take(&terms)), 11);
}
END_TEST

/* Seed 5: a million bytes in random parts under terms that change; each comes, and in its place. */
START_TEST(nothing_is_lost_or_doubled)
{
    uint64_t seed = 5, sent = 0, received = 0;
    struct slow_terms terms = {0};
    while (received < 1000000) {
        char *room;
        const char *ready;
        uint64_t dice = random_next(&seed);
        if (dice % 64 == 0)
            terms = (struct slow_terms){.latency_us = (int64_t)(dice >> 8) % (5 * MS),
                                        .jitter_us = (int64_t)(dice >> 24) % (5 * MS),
                                        .bytes_per_s = dice % 3 == 0 ? 0 : 1000000 + (dice >> 40),
                                        .slice_bytes = dice % 5 == 0 ? 700 : 0};
        size_t size = slow_pipe_room(slow, &room);
        size = size < dice % 3000 ? size : dice % 3000;
        for (size_t i = 0; i < size; i++)
            room[i] = (char)((sent + i) * 31);
        sent += size;
        if (size > 0)
            slow_pipe_put(slow, size, &terms, now_at);
        now_at += (int64_t)(dice % 1000);
        size = slow_pipe_ready(slow, &terms, now_at, &ready);
        for (size_t i = 0; i < size; i++)
            ck_assert_int_eq(ready[i], (char)((received + i) * 31));
        received += size;
        if (size > 0)
            slow_pipe_take(slow, size, &terms, now_at);
    }
    ck_assert_uint_eq(sent - received, slow_pipe_held(slow));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_good_link_holds_nothing_back);
    tcase_add_test(tcase, each_part_takes_its_time);
    tcase_add_test(tcase, jitter_delays_and_keeps_the_order);
    tcase_add_test(tcase, no_more_comes_out_than_the_bandwidth_lets);
    tcase_add_test(tcase, slices_come_one_by_one);
    tcase_add_test(tcase, when_the_link_is_good_again_all_of_it_comes);
    tcase_add_test(tcase, it_holds_so_much_and_no_more);
    tcase_add_test(tcase, parts_without_a_mark_wait_for_the_last);
    tcase_add_test(tcase, nothing_is_lost_or_doubled);
}

int main(void)
{
    return suite_run("slow_pipe", add_tests);
}
