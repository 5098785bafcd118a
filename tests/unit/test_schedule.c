/* test_schedule - intended times are those of the law, whatever happened before; keys are drawn as
 * often as theirs says. */
#include "tests/load/schedule.h"

#include <math.h>

#include "protocol/limits.h"
#include "tests/load/draw.h"
#include "tests/support/suite.h"

#define BEGIN_AT (INT64_C(77) * US_PER_S)
#define DRAWS 200000

static struct schedule schedule;

START_TEST(a_constant_rate_does_not_drift)
{
    static const double rates[] = {1, 3, 333, 1000, 70001, 999999};
    schedule_init(&schedule, LAW_CONSTANT, rates[_i], 1, BEGIN_AT);
    for (int64_t k = 0; k < 100000; k++) {
        int64_t due_at = BEGIN_AT + llround((double)k * 1e6 / rates[_i]);
        ck_assert_int_eq(schedule_due_at(&schedule), due_at);
        ck_assert_int_eq(schedule_due_at(&schedule), due_at); /* to look changes nothing */
        schedule_advance(&schedule);
    }
}
END_TEST

/* Gaps of a Poisson process: mean and standard deviation are 1 / rate, and a share of 1 / e is
 * longer than that; each within 1 % at 200,000 gaps of these seeds. */
START_TEST(poisson_gaps_have_their_law)
{
    double sum = 0, squares = 0, longer = 0;
    schedule_init(&schedule, LAW_POISSON, 100, (uint64_t)_i, BEGIN_AT);
    int64_t last_at = BEGIN_AT;
    for (int i = 0; i < DRAWS; i++) {
        double gap = (double)(schedule_due_at(&schedule) - last_at);
        ck_assert_double_ge(gap, 0);
        last_at = schedule_due_at(&schedule);
        schedule_advance(&schedule);
        sum += gap;
        squares += gap * gap;
        longer += gap > 10000;
    }
    double mean = sum / DRAWS;
    ck_assert_double_lt(fabs(mean - 10000), 100);
    ck_assert_double_lt(fabs(sqrt(squares / DRAWS - mean * mean) - 10000), 100);
    ck_assert_double_lt(fabs(longer / DRAWS - exp(-1)), 0.01 * exp(-1));
}
END_TEST

START_TEST(a_seed_decides_all_times)
{
    struct schedule same, different;
    unsigned equal = 0;
    schedule_init(&schedule, LAW_POISSON, 5000, 42, BEGIN_AT);
    schedule_init(&same, LAW_POISSON, 5000, 42, BEGIN_AT);
    schedule_init(&different, LAW_POISSON, 5000, 43, BEGIN_AT);
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(schedule_due_at(&schedule), schedule_due_at(&same));
        equal += schedule_due_at(&schedule) == schedule_due_at(&different);
        schedule_advance(&schedule);
        schedule_advance(&same);
        schedule_advance(&different);
    }
    ck_assert_uint_lt(equal, 10);
}
END_TEST

START_TEST(uniform_keys_are_drawn_as_often)
{
    static unsigned counts[100];
    struct key_law law;
    uint64_t state = 3;
    key_law_init(&law, 100, 0);
    for (int i = 0; i < DRAWS; i++)
        counts[key_law_draw(&law, &state)]++;
    for (int key = 0; key < 100; key++) {
        ck_assert_uint_gt(counts[key], DRAWS / 100 * 9 / 10);
        ck_assert_uint_lt(counts[key], DRAWS / 100 * 11 / 10);
    }
}
END_TEST

/* The first two keys are exact by their algorithm, the others nearly: key k of n has the share
 * (k + 1)^-theta / sum of all. */
START_TEST(zipf_keys_have_their_shares)
{
    static unsigned counts[1000];
    struct key_law law;
    uint64_t state = 9;
    double sum = 0, below_100 = 0, expected_below_100 = 0;
    key_law_init(&law, 1000, 0.99);
    for (int k = 1; k <= 1000; k++)
        sum += pow(k, -0.99);
    for (int i = 0; i < DRAWS; i++)
        counts[key_law_draw(&law, &state)]++;
    for (int k = 0; k < 100; k++) {
        below_100 += counts[k];
        expected_below_100 += pow(k + 1, -0.99) / sum;
    }
    ck_assert_double_lt(fabs(counts[0] / (double)DRAWS - 1 / sum), 0.03 / sum);
    ck_assert_double_lt(fabs(counts[1] / (double)DRAWS - pow(2, -0.99) / sum), 0.03 / sum);
    ck_assert_double_lt(fabs(below_100 / DRAWS - expected_below_100), 0.05);
}
END_TEST

START_TEST(few_keys_are_drawn_too)
{
    struct key_law law;
    uint64_t state = 1;
    for (uint64_t count = 1; count < 5; count++) {
        key_law_init(&law, count, _i == 0 ? 0 : 0.9);
        uint64_t seen = 0;
        for (int i = 0; i < 1000; i++) {
            uint64_t key = key_law_draw(&law, &state);
            ck_assert_uint_lt(key, count);
            seen |= UINT64_C(1) << key;
        }
        ck_assert_uint_eq(seen, (UINT64_C(1) << count) - 1);
    }
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_constant_rate_does_not_drift, 0, 6);
    tcase_add_loop_test(tcase, poisson_gaps_have_their_law, 1, 4);
    tcase_add_test(tcase, a_seed_decides_all_times);
    tcase_add_test(tcase, uniform_keys_are_drawn_as_often);
    tcase_add_test(tcase, zipf_keys_have_their_shares);
    tcase_add_loop_test(tcase, few_keys_are_drawn_too, 0, 2);
}

int main(void)
{
    return suite_run("schedule", add_tests);
}
