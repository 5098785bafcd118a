/* test_histogram - what is read back agrees with sorting, merging loses nothing, and no figure is
 * given that the samples do not allow. */
#include "tests/load/histogram.h"
#include "tests/support/suite.h"

#define SAMPLES_MAX 20000

static struct histogram histogram, other;
static int64_t samples[SAMPLES_MAX];

static void setup(void)
{
    histogram_clear(&histogram);
    histogram_clear(&other);
}

static int by_size(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

/* Durations of all sizes: as many of 1 us as of an hour. */
static void fill(uint64_t seed, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        samples[i] = (int64_t)(random_next(&seed) >> (28 + random_next(&seed) % 36));
        histogram_add(&histogram, samples[i]);
    }
    qsort(samples, count, sizeof samples[0], by_size);
}

START_TEST(quantiles_agree_with_sorting)
{
    static const struct {
        double q;
        unsigned thousandths;
    } rows[] = {{0.1, 100}, {0.5, 500}, {0.9, 900}, {0.99, 990}, {0.999, 999}};
    fill((uint64_t)_i + 1, SAMPLES_MAX);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        int64_t us = 0;
        int64_t sorted = samples[SAMPLES_MAX / 1000 * rows[i].thousandths - 1];
        ck_assert_int_eq(histogram_quantile(&histogram, rows[i].q, &us), MEASURED);
        ck_assert_int_le(labs(us - sorted), sorted / 250);
    }
    ck_assert_int_eq(histogram.max_us, samples[SAMPLES_MAX - 1]);
}
END_TEST

START_TEST(what_is_short_is_exact)
{
    for (int64_t us = 0; us < 256; us++) {
        int64_t read = -1;
        histogram_clear(&histogram);
        for (int i = 0; i < 20; i++)
            histogram_add(&histogram, us);
        ck_assert_int_eq(histogram_quantile(&histogram, 0.5, &read), MEASURED);
        ck_assert_int_eq(read, us);
    }
}
END_TEST

START_TEST(merging_loses_nothing)
{
    static struct histogram whole;
    uint64_t seed = 7;
    histogram_clear(&whole);
    for (int i = 0; i < SAMPLES_MAX; i++) {
        int64_t us = (int64_t)(random_next(&seed) >> (30 + random_next(&seed) % 30));
        histogram_add(i % 3 == 0 ? &histogram : &other, us);
        histogram_add(&whole, us);
    }
    histogram_merge(&histogram, &other);
    for (unsigned i = 0; i < HISTOGRAM_SLOTS; i++)
        ck_assert_uint_eq(histogram.slots[i], whole.slots[i]);
    ck_assert_uint_eq(histogram.count, whole.count);
    ck_assert_int_eq(histogram.max_us, whole.max_us);
}
END_TEST

/* n of 10 / (1 - q): the quantile has ten samples beyond it. */
START_TEST(a_quantile_wants_ten_samples_beyond_it)
{
    static const struct {
        double q;
        unsigned least;
    } rows[] = {{0.5, 20}, {0.9, 100}, {0.99, 1000}, {0.999, 10000}};
    int64_t us = -1;
    double q = rows[_i].q;
    ck_assert_int_eq(histogram_quantile(&histogram, q, &us), NOT_MEASURED);
    for (unsigned n = 1; n < rows[_i].least; n++) {
        histogram_add(&histogram, 5);
        ck_assert_int_eq(histogram_quantile(&histogram, q, &us), TOO_FEW);
    }
    ck_assert_int_eq(us, -1);
    histogram_add(&histogram, 5);
    ck_assert_int_eq(histogram_quantile(&histogram, q, &us), MEASURED);
    ck_assert_int_eq(us, 5);
}
END_TEST

START_TEST(what_is_too_long_or_negative_has_a_place)
{
    int64_t us = 0;
    for (int i = 0; i < 20; i++)
        histogram_add(&histogram, -5);
    ck_assert_int_eq(histogram_quantile(&histogram, 0.5, &us), MEASURED);
    ck_assert_int_eq(us, 0);
    for (int i = 0; i < 40; i++)
        histogram_add(&histogram, INT64_MAX);
    ck_assert_int_eq(histogram_quantile(&histogram, 0.5, &us), MEASURED);
    ck_assert_int_ge(us, INT64_C(1) << 36);
    ck_assert_int_eq(histogram.max_us, INT64_MAX);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, quantiles_agree_with_sorting, 0, 8);
    tcase_add_test(tcase, what_is_short_is_exact);
    tcase_add_test(tcase, merging_loses_nothing);
    tcase_add_loop_test(tcase, a_quantile_wants_ten_samples_beyond_it, 0, 4);
    tcase_add_test(tcase, what_is_too_long_or_negative_has_a_place);
}

int main(void)
{
    return suite_run("histogram", add_tests);
}
