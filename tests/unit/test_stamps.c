/* test_stamps - an entry is valid only if nothing that is known here, or may have been missed,
 * overtook it: rules 1, 6, 9, 10 and 11 of docs/cache.md, each by itself. All of them together, in
 * any order, are in test_cache_model.c. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "actors/runtime/stamps.h"
#include "protocol/session.h"
#include "tests/support/suite.h"

#define TAGS UINT64_C(1000)
#define START_AT (500 * US_PER_S)
#define UNIX_MS INT64_C(1764000000000)
#define HOUR_US (3600 * US_PER_S)

static struct stamps *stamps;
static int64_t now_at;
static uint64_t number; /* of writer's last invalidation */
static const char writer[ORIGIN_BYTES + 1] = "writer..........";

static void setup(void)
{
    now_at = START_AT;
    number = 0;
    stamps = stamps_new((uint32_t)TAGS, 7, START_AT, UNIX_MS);
    stamps_heard(stamps, now_at);
}

static void teardown(void)
{
    stamps_destroy(&stamps);
    ck_assert_ptr_null(stamps);
}

static bool valid(uint64_t version, uint64_t tag)
{
    return stamps_valid(stamps, version, &tag, 1);
}

static void invalidate(uint64_t tag)
{
    stamps_apply(stamps, writer, ++number, &tag, 1, now_at);
}

START_TEST(the_clock_rises_with_every_tick_and_begins_at_the_wall)
{
    uint64_t before = stamps_clock(stamps);
    ck_assert_uint_eq(before >> 16, UNIX_MS);
    for (int i = 0; i < 200000; i++) { /* more than the counter holds in one millisecond */
        uint64_t tick = stamps_tick(stamps, now_at);
        if (tick <= before)
            ck_abort_msg("%lu after %lu", tick, before);
        before = tick;
    }
    now_at += 5 * US_PER_S;
    ck_assert_uint_eq(stamps_tick(stamps, now_at), (uint64_t)(UNIX_MS + 5000) << 16);
}
END_TEST

START_TEST(a_stamp_overtakes_what_was_before_and_only_that)
{
    uint64_t old = stamps_tick(stamps, now_at);
    ck_assert(valid(old, 5));
    invalidate(5);
    ck_assert(!valid(old, 5));
    ck_assert(valid(old, 6));
    uint64_t new = stamps_tick(stamps, now_at);
    ck_assert(valid(new, 5));
    invalidate(5);
    ck_assert(!valid(new, 5));
    ck_assert_uint_eq(stamps_count(stamps), 1);
}
END_TEST

START_TEST(any_tag_will_do)
{
    uint64_t tags[3] = {1, 2, 3};
    uint64_t version = stamps_tick(stamps, now_at);
    ck_assert(stamps_valid(stamps, version, tags, 3));
    ck_assert(stamps_valid(stamps, version, NULL, 0));
    invalidate(3);
    ck_assert(stamps_valid(stamps, version, tags, 2));
    ck_assert(!stamps_valid(stamps, version, tags, 3));
}
END_TEST

START_TEST(what_was_applied_counts_once)
{
    uint64_t tag = 5;
    invalidate(5);
    uint64_t version = stamps_tick(stamps, now_at);
    stamps_apply(stamps, writer, number, &tag, 1, now_at);
    ck_assert(valid(version, 5));
    ck_assert_uint_eq(stamps_counts(stamps)->duplicates, 1);
}
END_TEST

START_TEST(a_number_that_is_missing_makes_all_before_it_invalid)
{
    invalidate(1);
    uint64_t old = stamps_tick(stamps, now_at);
    uint64_t gaps = stamps_counts(stamps)->gaps;
    number++;
    invalidate(2);
    ck_assert(!valid(old, 99));
    ck_assert_uint_eq(stamps_counts(stamps)->gaps, gaps + 1);
    uint64_t new = stamps_tick(stamps, now_at);
    ck_assert(valid(new, 99));
    ck_assert(stamps_cover(stamps, writer, number - 1));
    uint64_t late = 99; /* it still comes: what is from after the gap has seen its commit */
    stamps_apply(stamps, writer, number - 1, &late, 1, now_at);
    ck_assert(valid(new, 99));
}
END_TEST

static const struct {
    uint64_t first;
    bool is_gap;
} firsts[] = {
    {1, false},         {SESSION_INVALIDATE_FIRST, false},
    {2, true},          {SESSION_INVALIDATE_FIRST + 1, true},
    {UINT64_MAX, true},
};

START_TEST(one_who_is_first_heard_in_the_middle_has_been_missed)
{
    uint64_t old = stamps_tick(stamps, now_at), tag = 5;
    stamps_apply(stamps, writer, firsts[_i].first, &tag, 1, now_at);
    ck_assert_int_eq(valid(old, 6), !firsts[_i].is_gap);
    ck_assert(!valid(old, 5));
}
END_TEST

/* Silence is deafness; what is heard after it may be late news, so all before it is invalid. */
START_TEST(silence_is_deafness_and_ends_with_a_new_floor)
{
    uint64_t old = stamps_tick(stamps, now_at);
    now_at += DEAF_MS * US_PER_MS;
    ck_assert(!stamps_deaf(stamps, now_at));
    ck_assert(stamps_deaf(stamps, now_at + 1));
    stamps_heard(stamps, now_at);
    ck_assert(valid(old, 1));
    now_at += DEAF_MS * US_PER_MS + 1;
    stamps_heard(stamps, now_at);
    ck_assert(!stamps_deaf(stamps, now_at));
    ck_assert(!valid(old, 1));
}
END_TEST

START_TEST(a_gap_is_deafness_until_something_is_heard)
{
    uint64_t old = stamps_tick(stamps, now_at);
    stamps_gap(stamps);
    ck_assert(stamps_deaf(stamps, now_at));
    uint64_t during = stamps_tick(stamps, now_at);
    stamps_heard(stamps, now_at);
    ck_assert(!stamps_deaf(stamps, now_at));
    ck_assert(!valid(old, 1));
    ck_assert(!valid(during, 1));
    ck_assert(valid(stamps_tick(stamps, now_at), 1));
}
END_TEST

START_TEST(it_is_deaf_before_it_has_heard_anything)
{
    stamps_destroy(&stamps);
    stamps = stamps_new((uint32_t)TAGS, 7, START_AT, UNIX_MS);
    ck_assert(stamps_deaf(stamps, START_AT));
}
END_TEST

/* The bound filled: the oldest go into the floor, one by one, and the newest stay. */
START_TEST(above_its_bound_the_oldest_stamps_fold_into_the_floor)
{
    uint64_t versions[3 * TAGS];
    for (uint64_t tag = 0; tag < 3 * TAGS; tag++) {
        versions[tag] = stamps_tick(stamps, now_at);
        invalidate(tag);
    }
    ck_assert_uint_eq(stamps_count(stamps), TAGS);
    ck_assert_uint_eq(stamps_counts(stamps)->folded, 2 * TAGS);
    uint64_t before_kept = versions[2 * TAGS], kept = versions[2 * TAGS + 1];
    ck_assert(valid(before_kept, 123456)); /* above the floor, and no stamp of its own */
    ck_assert(!valid(before_kept - 1, 123456));
    ck_assert(!valid(before_kept, 2 * TAGS));
    ck_assert(valid(kept, 2 * TAGS));
    for (uint64_t tag = 0; tag < 3 * TAGS; tag++)
        if (valid(versions[tag], tag))
            ck_abort_msg("tag %lu was forgotten", tag);
}
END_TEST

START_TEST(a_stamp_given_again_is_young_again)
{
    uint64_t version = stamps_tick(stamps, now_at);
    invalidate(0);
    for (uint64_t tag = 1; tag < 2 * TAGS; tag++) {
        invalidate(tag);
        if (tag % 100 == 0)
            invalidate(0);
    }
    ck_assert_uint_ne(stamps_of(stamps, 0), 0);
    ck_assert(!valid(version, 0));
}
END_TEST

/* No entry lives for a day, so what was stamped more than a day ago overtakes nothing. */
START_TEST(stamps_are_forgotten_after_a_day_and_not_before)
{
    invalidate(1);
    now_at += 24 * HOUR_US;
    stamps_heard(stamps, START_AT + DEAF_MS * US_PER_MS); /* so that no floor is raised */
    invalidate(2);
    ck_assert_uint_ne(stamps_of(stamps, 1), 0);
    now_at += US_PER_S;
    invalidate(3);
    ck_assert_uint_eq(stamps_of(stamps, 1), 0);
    ck_assert_uint_ne(stamps_of(stamps, 2), 0);
    ck_assert_uint_eq(stamps_count(stamps), 2);
}
END_TEST

/* The bound filled: the origin heard least lately is forgotten, and missed when it comes back. */
START_TEST(above_their_bound_origins_are_forgotten_and_then_missed)
{
    char origin[ORIGIN_BYTES + 1];
    uint64_t tag = 1, seen;
    const char *id;
    for (unsigned i = 0; i <= ORIGINS_MAX; i++) {
        (void)snprintf(origin, sizeof origin, "origin %08u ", i);
        stamps_apply(stamps, origin, 1, &tag, 1, now_at);
    }
    ck_assert(!stamps_position(stamps, ORIGINS_MAX, &id, &seen));
    ck_assert(stamps_position(stamps, ORIGINS_MAX - 1, &id, &seen));
    ck_assert_uint_eq(seen, 1);
    ck_assert(!stamps_cover(stamps, "origin 00000000 ", 1));
    ck_assert(stamps_cover(stamps, "origin 00000001 ", 1));
    uint64_t old = stamps_tick(stamps, now_at);
    stamps_apply(stamps, "origin 00000000 ", 2, &tag, 1, now_at);
    ck_assert(!valid(old, 99));
}
END_TEST

START_TEST(a_position_covers_what_was_applied)
{
    invalidate(1);
    invalidate(2);
    ck_assert(stamps_cover(stamps, writer, 2));
    ck_assert(!stamps_cover(stamps, writer, 3));
    ck_assert(!stamps_cover(stamps, "somebody else...", 1));
    ck_assert(stamps_cover(stamps, "somebody else...", 0));
}
END_TEST

/* Against a naive table without bound or chains, over random tags. Seed 3. */
START_TEST(within_its_bound_it_is_the_naive_table)
{
    static uint64_t naive[TAGS];
    uint64_t seed = 3;
    memset(naive, 0, sizeof naive);
    for (int step = 0; step < 200000; step++) {
        uint64_t tag = random_next(&seed) % TAGS, looked = random_next(&seed) % TAGS;
        now_at += (int64_t)(random_next(&seed) % 100);
        stamps_heard(stamps, now_at);
        invalidate(tag);
        naive[tag] = stamps_clock(stamps);
        if (stamps_of(stamps, looked) != naive[looked])
            ck_abort_msg("step %d: tag %lu", step, looked);
    }
}
END_TEST

START_TEST(a_batch_over_its_bound_aborts)
{
    static const uint64_t tags[TAGS_BATCH_MAX + 1];
    stamps_apply(stamps, writer, 1, tags, TAGS_BATCH_MAX + 1, now_at);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_clock_rises_with_every_tick_and_begins_at_the_wall);
    tcase_add_test(tcase, a_stamp_overtakes_what_was_before_and_only_that);
    tcase_add_test(tcase, any_tag_will_do);
    tcase_add_test(tcase, what_was_applied_counts_once);
    tcase_add_test(tcase, a_number_that_is_missing_makes_all_before_it_invalid);
    tcase_add_loop_test(tcase, one_who_is_first_heard_in_the_middle_has_been_missed, 0,
                        sizeof firsts / sizeof *firsts);
    tcase_add_test(tcase, silence_is_deafness_and_ends_with_a_new_floor);
    tcase_add_test(tcase, a_gap_is_deafness_until_something_is_heard);
    tcase_add_test(tcase, it_is_deaf_before_it_has_heard_anything);
    tcase_add_test(tcase, above_its_bound_the_oldest_stamps_fold_into_the_floor);
    tcase_add_test(tcase, a_stamp_given_again_is_young_again);
    tcase_add_test(tcase, stamps_are_forgotten_after_a_day_and_not_before);
    tcase_add_test(tcase, above_their_bound_origins_are_forgotten_and_then_missed);
    tcase_add_test(tcase, a_position_covers_what_was_applied);
    tcase_add_test(tcase, within_its_bound_it_is_the_naive_table);
    tcase_add_test_raise_signal(tcase, a_batch_over_its_bound_aborts, SIGABRT);
}

int main(void)
{
    return suite_run("stamps", add_tests);
}
