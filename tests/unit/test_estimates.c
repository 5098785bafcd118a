/* test_estimates - quantiles end where so many replies are slower, whatever they start from; a wait
 * is no longer than rank and share say; and what is believed fades. */
#include "broker/estimates.h"
#include "broker/queues.h"
#include "tests/support/suite.h"

#define NOW (INT64_C(1000) * US_PER_S)

static struct estimates estimates;

static void setup(void)
{
    estimates_init(&estimates, ROLE_DRIVER);
}

static void ticks(unsigned count, unsigned completed, bool backlog)
{
    for (unsigned i = 0; i < count; i++) {
        for (unsigned j = 0; j < completed; j++)
            estimates_reply(&estimates, 10000);
        estimates_tick(&estimates, backlog);
    }
}

/* From a seed: uniform between 0 and 100 ms, started far below and far above. */
START_TEST(quantiles_follow_the_last_hundreds)
{
    static const double starts_us[] = {10, 1e8};
    struct quantiles quantiles;
    uint64_t seed = 11;
    double p50_us = 0, p95_us = 0;
    quantiles_init(&quantiles, starts_us[_i]);
    for (int i = 0; i < 4000; i++) {
        quantiles_add(&quantiles, (int64_t)(random_next(&seed) % 100000));
        p50_us += i < 2000 ? 0 : quantiles.p50_us / 2000;
        p95_us += i < 2000 ? 0 : quantiles.p95_us / 2000;
    }
    ck_assert_double_gt(p50_us, 40000);
    ck_assert_double_lt(p50_us, 60000);
    ck_assert_double_gt(p95_us, 85000);
    ck_assert_double_lt(p95_us, 105000);
}
END_TEST

START_TEST(the_median_stands_below_the_95th)
{
    struct quantiles quantiles;
    uint64_t seed = 5;
    quantiles_init(&quantiles, 1000);
    for (int i = 0; i < 10000; i++) {
        quantiles_add(&quantiles, (int64_t)(random_next(&seed) % (1u << random_next(&seed) % 20)));
        ck_assert_double_le(quantiles.p50_us, quantiles.p95_us);
        ck_assert_double_ge(quantiles.p50_us, 1);
    }
}
END_TEST

START_TEST(a_role_starts_from_its_own_numbers)
{
    ck_assert_int_eq(estimates_need_us(&estimates, NULL, CLASS_CRITICAL), 140000);
    ck_assert_int_eq(estimates_median_us(&estimates, NULL), 35000);
    estimates_init(&estimates, ROLE_TOOL_EXECUTOR);
    ck_assert_int_eq(estimates_need_us(&estimates, NULL, CLASS_CRITICAL), 10000);
}
END_TEST

/* p95 above the role's default deadline would refuse all: the important ones go by the median. */
START_TEST(a_very_slow_role_asks_the_median_of_the_important)
{
    estimates.time.p95_us = 3e6;
    ck_assert_int_eq(estimates_need_us(&estimates, NULL, CLASS_CRITICAL), 35000);
    ck_assert_int_eq(estimates_need_us(&estimates, NULL, CLASS_SHEDDABLE_PLUS), 3000000);
}
END_TEST

/* One slow method does not make the others slow. */
START_TEST(a_method_counts_once_it_is_known)
{
    struct quantiles method = {.p50_us = 4000, .p95_us = 8000, .samples = 100};
    ck_assert_int_eq(estimates_need_us(&estimates, &method, CLASS_CRITICAL), 8000);
    method.samples = 3;
    ck_assert_int_eq(estimates_need_us(&estimates, &method, CLASS_CRITICAL), 140000);
}
END_TEST

/* 100 a second: each that stands before one of class 0 is 10 ms. */
START_TEST(a_wait_is_the_rank_over_the_drain)
{
    struct crowd crowd = {{0}, 0};
    ticks(1000, 10, true);
    ck_assert_int_eq(estimates_wait_us(&estimates, &crowd, CLASS_CRITICAL_PLUS, 0), 0);
    crowd.backlog[CLASS_CRITICAL_PLUS] = crowd.ahead = 10;
    int64_t wait_us = estimates_wait_us(&estimates, &crowd, CLASS_CRITICAL_PLUS, 0);
    ck_assert_int_ge(wait_us, 99000);
    ck_assert_int_le(wait_us, 101000);
    crowd.backlog[CLASS_CRITICAL] = 1; /* it is owed a quarter */
    wait_us = estimates_wait_us(&estimates, &crowd, CLASS_CRITICAL_PLUS, 0);
    ck_assert_int_ge(wait_us, 132000);
    ck_assert_int_le(wait_us, 134000);
}
END_TEST

/* With the higher class taking all there is, the share of one's own is what counts. */
START_TEST(a_wait_is_no_longer_than_the_share_says)
{
    struct crowd crowd = {{1000, 0, 0, 0}, 0};
    for (unsigned i = 0; i < 1000; i++) {
        for (unsigned j = 0; j < 10; j++)
            estimates_sent(&estimates, CLASS_CRITICAL_PLUS, NOW);
        ticks(1, 10, true);
    }
    int64_t wait_us = estimates_wait_us(&estimates, &crowd, CLASS_CRITICAL, 0);
    ck_assert_int_ge(wait_us, 39000); /* 1 in 4 of 100 a second */
    ck_assert_int_le(wait_us, 41000);
    wait_us = estimates_wait_us(&estimates, &crowd, CLASS_SHEDDABLE, 0);
    ck_assert_int_ge(wait_us, 990000);
}
END_TEST

/* What drains without a backlog says nothing about how fast it could. */
START_TEST(an_idle_role_is_not_slow)
{
    struct crowd crowd = {{0, 100, 0, 0}, 100};
    ticks(1000, 100, true);
    ticks(1000, 0, false);
    int64_t wait_us = estimates_wait_us(&estimates, &crowd, CLASS_CRITICAL, 0);
    ck_assert_int_le(wait_us, 110000);
    estimates_init(&estimates, ROLE_DRIVER); /* nothing drained yet: 10 at once of 35 ms each */
    wait_us = estimates_wait_us(&estimates, &crowd, CLASS_CRITICAL, 10);
    ck_assert_int_ge(wait_us, 300000);
    ck_assert_int_le(wait_us, 400000);
    ck_assert_int_eq(estimates_wait_us(&estimates, &crowd, CLASS_CRITICAL, 0), 0);
}
END_TEST

START_TEST(a_probe_goes_when_nothing_runs_or_was_sent_for_long)
{
    estimates_sent(&estimates, CLASS_CRITICAL, NOW);
    ck_assert(estimates_may_probe(&estimates, 0, NOW));
    ck_assert(!estimates_may_probe(&estimates, 1, NOW + 999999));
    ck_assert(estimates_may_probe(&estimates, 1, NOW + 1000000));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, quantiles_follow_the_last_hundreds, 0, 2);
    tcase_add_test(tcase, the_median_stands_below_the_95th);
    tcase_add_test(tcase, a_role_starts_from_its_own_numbers);
    tcase_add_test(tcase, a_very_slow_role_asks_the_median_of_the_important);
    tcase_add_test(tcase, a_method_counts_once_it_is_known);
    tcase_add_test(tcase, a_wait_is_the_rank_over_the_drain);
    tcase_add_test(tcase, a_wait_is_no_longer_than_the_share_says);
    tcase_add_test(tcase, an_idle_role_is_not_slow);
    tcase_add_test(tcase, a_probe_goes_when_nothing_runs_or_was_sent_for_long);
}

int main(void)
{
    return suite_run("estimates", add_tests);
}
