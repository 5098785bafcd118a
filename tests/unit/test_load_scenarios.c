/* test_load_scenarios - the whole broker at its ceiling and beyond, in virtual time: what each
 * class gets, what a flood of one tenant costs the others, and that what was believed in bad times
 * fades.
 *
 * The figures are those of docs/load.md, 11, which were simulated; each here is the mean of all
 * seeds. load_scene asserts all along that no class is passed over for too long, and that each call
 * has one answer. */
#include <string.h>

#include "tests/support/load_scene.h"

#define SEEDS 5
#define POINTS 4.0       /* that a figure may be off */
#define POINTS_SMALL 1.5 /* ... of one below 6 */
#define SMALL 6.0
#define ANY (-1.0)

/* Twenty workers of 10 ms, and calls that want an answer in 250 ms. */
static struct load_setup base(const double *percent, double load)
{
    struct load_setup setup = {.load = load,
                               .role = ROLE_TOOL_EXECUTOR,
                               .workers = 20,
                               .service_us = 10000,
                               .deadline_ms = 250,
                               .queue_max = 1000,
                               .seconds = 10};
    memcpy(setup.percent, percent, sizeof setup.percent);
    return setup;
}

static void add_to(struct load_result *sum, const struct load_result *one)
{
    const uint64_t *from = (const uint64_t *)one;
    uint64_t *to = (uint64_t *)sum;
    size_t words = offsetof(struct load_result, top_wait_p99_ms) / sizeof *to;
    for (size_t i = 0; i < words; i++)
        to[i] += from[i];
    for (unsigned i = 0; i < SCENE_BUCKETS; i++) {
        sum->in_time_at[i] += one->in_time_at[i];
        sum->top_calls_at[i] += one->top_calls_at[i];
        sum->top_in_time_at[i] += one->top_in_time_at[i];
    }
    for (int status = 0; status < STATUS_COUNT; status++)
        for (int role = 0; role < ROLE_COUNT; role++)
            sum->counts.roles[role].by_status[status] += one->counts.roles[role].by_status[status];
    sum->capacity = one->capacity;
    if (one->top_wait_p99_ms > sum->top_wait_p99_ms)
        sum->top_wait_p99_ms = one->top_wait_p99_ms;
}

/* Sums over the seeds; of the wait the longest. Returns how many there were. */
static unsigned run(struct load_setup setup, int seeds, struct load_result *sum)
{
    static struct load_result one;
    memset(sum, 0, sizeof *sum);
    for (int seed = 1; seed <= SUITE_SEEDS(seeds); seed++) {
        setup.seed = (uint64_t)seed;
        load_scene_run(&setup, &one);
        add_to(sum, &one);
    }
    return (unsigned)SUITE_SEEDS(seeds);
}

static double sum_of(const uint64_t *by_class)
{
    double sum = 0;
    for (int class = 0; class < CLASS_COUNT; class ++)
        sum += (double)by_class[class];
    return sum;
}

static void check_percents(const uint64_t *in_time, const uint64_t *calls, const double *wanted)
{
    for (int class = 0; class < CLASS_COUNT; class ++) {
        double percent = load_percent(in_time, calls, (enum request_class) class);
        double points = wanted[class] < SMALL ? POINTS_SMALL : POINTS;
        if (wanted[class] < 0)
            continue;
        ck_assert_double_ge(percent, wanted[class] - points);
        ck_assert_double_le(percent, wanted[class] + points);
    }
}

static const struct {
    double percent[CLASS_COUNT], load, wanted[CLASS_COUNT];
} rows[] = {
    {{10, 20, 40, 30}, 2, {100, 100, 49, 1.7}}, {{10, 20, 40, 30}, 4, {90, 73, 3.2, 0.8}},
    {{3, 77, 10, 10}, 1.2, {100, 97, 49, 11}},  {{3, 77, 10, 10}, 2, {100, 57, 25, 5}},
    {{3, 77, 10, 10}, 4, {100, 27, 12, 2.5}},   {{10, 80, 5, 5}, 1.2, {100, 86, 81, 18}},
    {{10, 80, 5, 5}, 2, {100, 46, 49, 10}},     {{10, 80, 5, 5}, 4, {99, 17, 25, 5}},
};

/* Nothing that was executed is wasted, the workers are always busy, and what goes as the highest
 * class is in time. */
START_TEST(each_class_gets_what_was_simulated)
{
    static struct load_result result;
    struct load_setup setup = base(rows[_i].percent, rows[_i].load);
    unsigned seeds = run(setup, SEEDS, &result);
    check_percents(result.in_time, result.calls, rows[_i].wanted);
    double admitted = (double)(result.answered + result.expired);
    ck_assert_double_ge(load_goodput(&setup, &result) / seeds, 0.98);
    ck_assert_double_le((double)result.late, 0.002 * (double)result.answered);
    ck_assert_double_le((double)result.attempts, 1.11 * sum_of(result.calls));
    ck_assert_double_le((double)result.expired, 0.015 * admitted);
    ck_assert_double_ge((double)result.top_in_time, 0.999 * (double)result.top_sent);
    ck_assert_double_le((double)result.top_lost, 0.006 * (double)result.top_sent); /* retries */
    ck_assert_double_le(result.top_wait_p99_ms, 8);
}
END_TEST

/* Other workers, other services: what matters is the load. */
START_TEST(a_driver_and_a_tool_fare_alike)
{
    static struct load_result result;
    struct load_setup setup = base(rows[0].percent, 2);
    double wanted[CLASS_COUNT] = {100, 100, ANY, ANY};
    setup.lognormal = true;
    setup.workers = 50;
    if (_i == 0) {
        setup.role = ROLE_DRIVER;
        setup.workers = 28;
        setup.service_us = 140000;
        setup.deadline_ms = 2000;
        setup.seconds = 40;
    }
    run(setup, 3, &result);
    check_percents(result.in_time, result.calls, wanted);
}
END_TEST

START_TEST(estimates_ten_times_off_at_the_start_are_mended)
{
    static const double believed[] = {10, 0.1};
    static struct load_result result;
    struct load_setup setup = base(rows[3].percent, 2);
    setup.believed = believed[_i];
    run(setup, 2, &result);
    check_percents(result.in_time, result.calls, rows[3].wanted);
}
END_TEST

/* A class within its share goes before a higher one in need. */
START_TEST(the_price_is_six_percent_at_most)
{
    static const double percent[CLASS_COUNT] = {1, 97, 1, 1};
    static const double wanted[CLASS_COUNT] = {100, 49, 100, 49};
    static struct load_result result;
    struct load_setup setup = base(percent, 2);
    run(setup, 2, &result);
    check_percents(result.in_time, result.calls, wanted);
}
END_TEST

/* One of ten sends four fifths of all; then all of it in one class. The others' part. */
START_TEST(a_flood_of_one_tenant_costs_the_others_little)
{
    static const double wanted[][CLASS_COUNT] = {{100, 100, 100, 7}, {100, 100, 31, 8}};
    static struct load_result result;
    struct load_setup setup = base(rows[0].percent, 2);
    setup.tenants = 10;
    setup.flood = 0.8;
    setup.flood_is_class = _i == 1;
    run(setup, 3, &result);
    check_percents(result.others_in_time, result.others_calls, wanted[_i]);
}
END_TEST

static double sum_at(const uint32_t *at, unsigned from_ms, unsigned ms)
{
    double sum = 0;
    for (unsigned i = from_ms / 100; i < (from_ms + ms) / 100; i++)
        sum += at[i];
    return sum;
}

static const struct change {
    double percent[CLASS_COUNT];
    double arrivals_factor, service_factor;
    unsigned workers_away, ms;
    double top_min;     /* of the calls of class 0 in that time, percent */
    unsigned normal_ms; /* after it 90 % of all are in time */
} changes[] = {
    {{10, 20, 40, 30}, 3, 0, 0, 2000, 99, 0},     {{10, 20, 40, 30}, 0, 0, 15, 2000, 97, 0},
    {{10, 20, 40, 30}, 0, 10, 0, 6000, 35, 1000}, {{3, 77, 10, 10}, 0, 10, 0, 6000, 55, 1000},
    {{10, 20, 40, 30}, 0, 60, 0, 10000, 0, 2700},
};

/* Three times the arrivals; a quarter of the workers; all services ten times as long, and sixty
 * times, for a while: what matters most suffers least, and when it is over, so is the trouble. */
START_TEST(what_is_over_has_no_consequences)
{
    static struct load_result result;
    const struct change *change = &changes[_i];
    struct load_setup setup = base(change->percent, 0.8);
    setup.arrivals_factor = change->arrivals_factor;
    setup.service_factor = change->service_factor;
    setup.workers_away = change->workers_away;
    setup.change_from_ms = 2000;
    setup.change_ms = change->ms;
    unsigned over_ms = 2000 + change->ms, normal_ms = over_ms + change->normal_ms;
    setup.seconds = normal_ms / 1000 + 2;
    unsigned seeds = run(setup, 3, &result);
    double top = 100 * sum_at(result.top_in_time_at, 2000, change->ms) /
                 sum_at(result.top_calls_at, 2000, change->ms);
    double after = sum_at(result.in_time_at, normal_ms, 1000) / seeds;
    ck_assert_double_ge(top, change->top_min);
    ck_assert_double_ge(after, 0.9 * 0.8 * result.capacity);
}
END_TEST

/* Whatever is believed, a load that can be served is served soon. */
START_TEST(what_is_believed_fades)
{
    static struct load_result result;
    struct load_setup setup = base(rows[0].percent, 0.5);
    setup.random_beliefs = true;
    setup.seconds = 10;
    unsigned seeds = run(setup, 20, &result);
    double after = sum_at(result.in_time_at, 8000, 2000) / seeds;
    ck_assert_double_ge(after, 0.98 * 2 * 0.5 * result.capacity);
}
END_TEST

/* Clients that always try again: what comes beyond a share of the first attempts is turned away. */
START_TEST(a_storm_of_retries_is_kept_out)
{
    static struct load_result result;
    struct load_setup setup = base(rows[0].percent, 2);
    setup.no_budget = true;
    run(setup, 2, &result);
    uint64_t kept_out = result.counts.roles[ROLE_TOOL_EXECUTOR].by_status[STATUS_RETRY_BUDGET];
    ck_assert_uint_gt(kept_out, 1000);
    ck_assert_double_le((double)(result.attempts - kept_out), 1.21 * sum_of(result.calls));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, each_class_gets_what_was_simulated, 0, 8);
    tcase_add_loop_test(tcase, a_driver_and_a_tool_fare_alike, 0, 2);
    tcase_add_loop_test(tcase, estimates_ten_times_off_at_the_start_are_mended, 0, 2);
    tcase_add_test(tcase, the_price_is_six_percent_at_most);
    tcase_add_loop_test(tcase, a_flood_of_one_tenant_costs_the_others_little, 0, 2);
    tcase_add_loop_test(tcase, what_is_over_has_no_consequences, 0, 5);
    tcase_add_test(tcase, what_is_believed_fades);
    tcase_add_test(tcase, a_storm_of_retries_is_kept_out);
}

int main(void)
{
    return suite_run("load_scenarios", add_tests);
}
