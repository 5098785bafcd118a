/* test_spread - medians and ratios as worked by hand; and the search for the highest rate ends near
 * it, whatever it is. */
#include "tests/load/spread.h"

#include "tests/load/search.h"
#include "tests/support/suite.h"

static void check(struct spread spread, double median, double min, double max, unsigned count)
{
    ck_assert_uint_eq(spread.count, count);
    ck_assert_double_eq_tol(spread.median, median, 1e-9);
    ck_assert_double_eq_tol(spread.min, min, 1e-9);
    ck_assert_double_eq_tol(spread.max, max, 1e-9);
}

START_TEST(a_median_is_the_middle)
{
    check(spread_of((double[]){3, 1, 2}, 3), 2, 1, 3, 3);
    check(spread_of((double[]){4, 1, 3, 2}, 4), 2.5, 1, 4, 4);
    check(spread_of((double[]){7}, 1), 7, 7, 7, 1);
    check(spread_of((double[]){5, 5, 100, 5}, 4), 5, 5, 100, 4);
    check(spread_of(NULL, 0), 0, 0, 0, 0);
}
END_TEST

/* Rounds in which the machine was twice as slow: the ratio does not see them. */
START_TEST(a_ratio_is_taken_round_by_round)
{
    double ours[] = {10, 20, 12, 26}, theirs[] = {5, 10, 8, 13};
    check(spread_of_ratios(ours, theirs, 4), 2, 1.5, 2, 4);
    check(spread_of_ratios(theirs, ours, 4), 0.5, 0.5, 2.0 / 3, 4);
}
END_TEST

START_TEST(a_round_without_a_figure_is_left_out)
{
    double ours[] = {10, 0, 12}, theirs[] = {5, 7, 0};
    check(spread_of_ratios(ours, theirs, 3), 2, 2, 2, 1);
    check(spread_of_ratios(ours, theirs + 1, 0), 0, 0, 0, 0);
}
END_TEST

/* A system that holds each rate up to its own. */
START_TEST(a_search_ends_within_its_tolerance)
{
    static const double capacities[] = {10, 11, 99, 1000, 12345, 700000};
    double capacity = capacities[_i];
    struct search search;
    unsigned tried = 0;
    search_init(&search, 10, 1e6, 0.05);
    do
        tried++;
    while (search_next(&search, search.rate <= capacity));
    ck_assert_double_le(search.held, capacity);
    ck_assert_double_gt(search.failed, capacity);
    ck_assert_double_le(search.failed, search.held * 1.05);
    ck_assert_uint_lt(tried, 40);
}
END_TEST

START_TEST(a_search_stops_at_its_end)
{
    struct search search;
    search_init(&search, 10, 35, 0.05);
    ck_assert(search_next(&search, true));
    ck_assert_double_eq(search.rate, 20);
    ck_assert(search_next(&search, true));
    ck_assert_double_eq(search.rate, 35);
    ck_assert(!search_next(&search, true));
    ck_assert_double_eq(search.held, 35);
}
END_TEST

/* One stall does not bound a system; two at the same rate do. */
START_TEST(a_rate_fails_only_twice)
{
    struct search search;
    search_init(&search, 100, 1e6, 0.05);
    ck_assert(search_next(&search, true));
    ck_assert(search_next(&search, false));
    ck_assert_double_eq(search.rate, 200);
    ck_assert(search_next(&search, true));
    ck_assert_double_eq(search.rate, 400);
    ck_assert(search_next(&search, false));
    ck_assert(search_next(&search, false));
    ck_assert_double_eq(search.rate, 300);
}
END_TEST

START_TEST(a_system_that_holds_nothing_ends_the_search)
{
    struct search search;
    unsigned tried = 1;
    search_init(&search, 1000, 1e6, 0.05);
    while (search_next(&search, false))
        tried++;
    ck_assert_double_eq(search.held, 0);
    ck_assert_uint_lt(tried, 40);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, a_median_is_the_middle);
    tcase_add_test(tcase, a_ratio_is_taken_round_by_round);
    tcase_add_test(tcase, a_round_without_a_figure_is_left_out);
    tcase_add_loop_test(tcase, a_search_ends_within_its_tolerance, 0, 6);
    tcase_add_test(tcase, a_search_stops_at_its_end);
    tcase_add_test(tcase, a_rate_fails_only_twice);
    tcase_add_test(tcase, a_system_that_holds_nothing_ends_the_search);
}

int main(void)
{
    return suite_run("spread", add_tests);
}
