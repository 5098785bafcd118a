/* test_rate_limit - so many in so long and no more, whenever they come; a burst at once; the wait
 * that is told is exact; a table of many keys is bounded and loses nobody who owes something. */
#include "actors/runtime/rate_limit.h"
#include "protocol/limits.h"
#include "tests/support/suite.h"

#define START_AT (500 * US_PER_S)

static uint64_t seed;

static void setup(void)
{
    seed = 20261128;
}

/* Come, if one may; false: not now. */
static bool come(const struct rate *rate, rate_tat *tat, int64_t now_at)
{
    if (rate_wait_us(rate, *tat, now_at) > 0)
        return false;
    *tat = rate_charge(rate, *tat, now_at);
    return true;
}

static unsigned come_all(const struct rate *rate, rate_tat *tat, int64_t now_at)
{
    unsigned count = 0;
    while (count < 1000 && come(rate, tat, now_at))
        count++;
    return count;
}

START_TEST(a_burst_comes_at_once_and_then_one_each_period)
{
    struct rate rate = rate_of(60, 60 * US_PER_S, 20);
    rate_tat tat = 0;
    ck_assert_uint_eq(rate_remaining(&rate, tat, START_AT), 20);
    ck_assert_uint_eq(come_all(&rate, &tat, START_AT), 20);
    ck_assert_uint_eq(rate_remaining(&rate, tat, START_AT), 0);
    ck_assert_int_eq(rate_wait_us(&rate, tat, START_AT), US_PER_S);
    ck_assert(!come(&rate, &tat, START_AT + US_PER_S - 1));
    ck_assert(come(&rate, &tat, START_AT + US_PER_S));
    ck_assert(!come(&rate, &tat, START_AT + US_PER_S));
    ck_assert_uint_eq(come_all(&rate, &tat, START_AT + 100 * US_PER_S), 20);
}
END_TEST

START_TEST(the_wait_that_is_told_is_exact)
{
    struct rate rate = rate_of(7, US_PER_S, 3); /* a period that is no whole microsecond */
    rate_tat tat = 0;
    int64_t now_at = START_AT;
    for (unsigned i = 0; i < 200; i++) {
        int64_t wait_us = rate_wait_us(&rate, tat, now_at);
        if (wait_us > 0) {
            ck_assert(!come(&rate, &tat, now_at + wait_us - 1));
            now_at += wait_us;
        }
        ck_assert(come(&rate, &tat, now_at));
    }
}
END_TEST

/* In any stretch of time, whoever tries whenever: at most a burst and what the rate gives. */
START_TEST(no_stretch_of_time_lets_more_through)
{
    seed += (uint64_t)_i;
    uint32_t count = 1 + (uint32_t)(random_next(&seed) % 500);
    uint32_t burst = 1 + (uint32_t)(random_next(&seed) % count);
    struct rate rate = rate_of(count, US_PER_S, burst);
    rate_tat tat = 0;
    static int64_t came[20000];
    unsigned total = 0;
    int64_t now_at = START_AT;
    for (unsigned i = 0; i < 20000; i++) {
        now_at += (int64_t)(random_next(&seed) % 3000);
        if (come(&rate, &tat, now_at))
            came[total++] = now_at;
    }
    ck_assert_uint_gt(total, burst);
    for (unsigned first = 0; first < total; first += 1 + total / 200)
        for (unsigned last = first; last < total; last += 1 + total / 100) {
            double seconds = (double)(came[last] - came[first]) / 1e6;
            ck_assert_double_le(last - first + 1, burst + seconds * count * 1.0001 + 1e-6);
        }
}
END_TEST

START_TEST(what_is_given_back_may_come_again)
{
    struct rate rate = rate_of(10, US_PER_S, 1);
    rate_tat tat = 0;
    ck_assert(come(&rate, &tat, START_AT));
    ck_assert(!come(&rate, &tat, START_AT));
    tat = rate_refund(&rate, tat);
    ck_assert(come(&rate, &tat, START_AT));
}
END_TEST

START_TEST(without_a_limit_everything_comes)
{
    struct rate rate = rate_of(0, US_PER_S, 0);
    rate_tat tat = 0;
    ck_assert_uint_eq(come_all(&rate, &tat, START_AT), 1000);
    ck_assert_uint_eq(rate_remaining(&rate, tat, START_AT), UINT32_MAX);
}
END_TEST

START_TEST(the_other_side_may_name_the_next_time)
{
    struct rate rate = rate_of(100, 60 * US_PER_S, 100);
    rate_tat tat = rate_charge(&rate, 0, START_AT);
    tat = rate_postpone(&rate, tat, START_AT + 7 * US_PER_S);
    ck_assert_int_eq(rate_wait_us(&rate, tat, START_AT), 7 * US_PER_S);
    ck_assert(!come(&rate, &tat, START_AT + 7 * US_PER_S - 1));
    ck_assert(come(&rate, &tat, START_AT + 7 * US_PER_S));
    ck_assert_int_eq(rate_postpone(&rate, tat, START_AT), tat); /* never sooner */
}
END_TEST

START_TEST(the_other_side_may_name_it_though_there_is_no_limit)
{
    struct rate rate = rate_of(0, US_PER_S, 0);
    rate_tat tat = rate_charge(&rate, 0, START_AT);
    tat = rate_postpone(&rate, tat, START_AT + 7 * US_PER_S);
    ck_assert_int_eq(rate_wait_us(&rate, tat, START_AT), 7 * US_PER_S);
    ck_assert_uint_eq(come_all(&rate, &tat, START_AT + 7 * US_PER_S), 1000);
}
END_TEST

START_TEST(each_key_has_a_rate_of_its_own)
{
    struct rate rate = rate_of(5, US_PER_S, 5);
    struct rate_table *table = rate_table_new(1024);
    for (uint64_t key = 1; key <= 300; key++) {
        rate_tat *tat = rate_table_find(table, key * 0x9e3779b97f4a7c15u, START_AT);
        ck_assert_ptr_nonnull(tat);
        ck_assert_uint_eq(come_all(&rate, tat, START_AT), 5);
    }
    for (uint64_t key = 1; key <= 300; key++)
        ck_assert(
            !come(&rate, rate_table_find(table, key * 0x9e3779b97f4a7c15u, START_AT), START_AT));
    ck_assert_uint_eq(rate_table_used(table), 300);
    rate_table_destroy(&table);
    ck_assert_ptr_null(table);
}
END_TEST

/* Filled with keys that owe something it takes no more; once they owe nothing it takes others. */
START_TEST(a_full_table_takes_over_only_what_owes_nothing)
{
    struct rate rate = rate_of(1, US_PER_S, 1);
    struct rate_table *table = rate_table_new(64);
    unsigned full = 0;
    for (uint64_t key = 1; key <= 64; key++) {
        rate_tat *tat = rate_table_find(table, key, START_AT);
        ck_assert_ptr_nonnull(tat);
        *tat = rate_charge(&rate, *tat, START_AT);
    }
    for (uint64_t key = 65; key <= 164; key++)
        full += rate_table_find(table, key, START_AT) == NULL;
    ck_assert_uint_eq(full, 100);
    ck_assert(!come(&rate, rate_table_find(table, 7, START_AT), START_AT));
    int64_t later_at = START_AT + 2 * US_PER_S;
    for (uint64_t key = 65; key <= 128; key++) {
        rate_tat *tat = rate_table_find(table, key, later_at);
        ck_assert_ptr_nonnull(tat);
        *tat = rate_charge(&rate, *tat, later_at);
    }
    ck_assert_uint_eq(rate_table_used(table), 64);
    rate_table_destroy(&table);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, a_burst_comes_at_once_and_then_one_each_period);
    tcase_add_test(tcase, the_wait_that_is_told_is_exact);
    tcase_add_loop_test(tcase, no_stretch_of_time_lets_more_through, 0, SUITE_SEEDS(40));
    tcase_add_test(tcase, what_is_given_back_may_come_again);
    tcase_add_test(tcase, without_a_limit_everything_comes);
    tcase_add_test(tcase, the_other_side_may_name_the_next_time);
    tcase_add_test(tcase, the_other_side_may_name_it_though_there_is_no_limit);
    tcase_add_test(tcase, each_key_has_a_rate_of_its_own);
    tcase_add_test(tcase, a_full_table_takes_over_only_what_owes_nothing);
}

int main(void)
{
    return suite_run("rate_limit", add_tests);
}
