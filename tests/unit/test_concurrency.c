/* test_concurrency - how many may be with the workers: all that they say, until requests wait
 * inside them; a mix of short and long ones is no such wait; and whatever has been, when all is
 * well it is all again. Workers are played: what is in flight decides how long each takes. */
#include "broker/concurrency.h"
#include "tests/support/suite.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CAPACITY 64u

static struct concurrency concurrency;
static uint64_t seed;

static void begin(enum concurrency_kind kind, uint32_t start, uint32_t cap)
{
    const struct concurrency_rule rule = {kind, start, cap};
    concurrency_init(&concurrency, &rule, 5000);
    seed = 20261128;
}

static uint32_t limit_of(uint32_t workers)
{
    (void)concurrency_has_room(&concurrency, workers, workers * CAPACITY, 0);
    uint32_t limit = concurrency_limit(&concurrency, workers * CAPACITY);
    bool holds_back = limit < workers * CAPACITY;
    ck_assert_int_eq(concurrency_has_room(&concurrency, workers, workers * CAPACITY, limit),
                     !holds_back);
    if (limit > 0)
        ck_assert(concurrency_has_room(&concurrency, workers, workers * CAPACITY, limit - 1));
    return limit;
}

/* So many ticks in which there are always more requests than may go.
 *
 * answer  one request is answered, with so many in flight; returns how many can be in a tick */
static uint32_t run(uint32_t ticks, uint32_t (*answer)(uint32_t in_flight))
{
    for (uint32_t i = 0; i < ticks; i++) {
        uint32_t in_flight = limit_of(1);
        uint32_t count = answer(in_flight);
        for (uint32_t j = 1; j < count; j++)
            (void)answer(in_flight);
        concurrency_tick(&concurrency, in_flight);
    }
    return limit_of(1);
}

/* It takes all it says it can hold, and works on one at a time: 2 ms each. */
static uint32_t one_at_a_time(uint32_t in_flight)
{
    concurrency_reply(&concurrency, in_flight * INT64_C(2000) + 100, 2000, in_flight);
    return 50;
}

/* Half are there at once, half take 140 ms, and nobody waits. */
static uint32_t short_and_long(uint32_t in_flight)
{
    int64_t service_us = random_next(&seed) % 2 == 0 ? 500 : 140000;
    concurrency_reply(&concurrency, service_us + 80, service_us, in_flight);
    return in_flight * 2;
}

/* A microsecond of work; the way there and back, in packs, takes hundreds. */
static uint32_t tiny(uint32_t in_flight)
{
    concurrency_reply(&concurrency, 300 + in_flight * INT64_C(4), 1, in_flight);
    return 1000;
}

/* Work of 2 ms, 60 ms away. */
static uint32_t far_away(uint32_t in_flight)
{
    concurrency_reply(&concurrency, 62000, 2000, in_flight);
    return in_flight * 2 > 20 ? in_flight * 2 : 20;
}

static uint32_t every_fifth_late(uint32_t in_flight)
{
    concurrency_reply(&concurrency, 3000, 2900, in_flight);
    if (random_next(&seed) % 4 == 0)
        concurrency_timeout(&concurrency);
    return in_flight;
}

static uint32_t well(uint32_t in_flight)
{
    concurrency_reply(&concurrency, 2100, 2000, in_flight);
    return in_flight * 10;
}

START_TEST(one_that_queues_inside_is_found_out)
{
    begin(CONCURRENCY_GRADIENT, 0, 0);
    ck_assert_uint_eq(limit_of(1), CAPACITY);
    uint32_t limit = run(100, one_at_a_time);
    ck_assert_uint_ge(limit, 3); /* its work and what is tolerated, half as much again */
    ck_assert_uint_le(limit, 9);
}
END_TEST

START_TEST(a_mix_is_no_load)
{
    begin(CONCURRENCY_GRADIENT, 0, 0);
    for (unsigned i = 0; i < 50; i++)
        ck_assert_uint_eq(run(10, short_and_long), CAPACITY);
}
END_TEST

START_TEST(short_work_may_come_in_packs)
{
    begin(CONCURRENCY_GRADIENT, 0, 0);
    ck_assert_uint_eq(run(300, tiny), CAPACITY);
}
END_TEST

/* It is held back until it is seen that it is the way that takes so long. */
START_TEST(far_away_is_no_load)
{
    begin(CONCURRENCY_GRADIENT, 0, 0);
    ck_assert_uint_eq(run(600, far_away), CAPACITY);
    for (unsigned i = 0; i < 50; i++)
        ck_assert_uint_eq(run(100, far_away), CAPACITY);
}
END_TEST

/* Whatever has been: a second later there is room for half, three seconds later for all. */
START_TEST(it_fades)
{
    static uint32_t (*const before[])(uint32_t) = {one_at_a_time, every_fifth_late};
    begin(CONCURRENCY_GRADIENT, 0, 0);
    ck_assert_uint_lt(run(1000, before[_i]), CAPACITY / 2);
    ck_assert_uint_eq(run(200, well), CAPACITY);
}
END_TEST

/* What it took to come down to the floor does not hold anybody there: one is always let through. */
START_TEST(there_is_always_room_for_one_a_worker)
{
    begin(CONCURRENCY_AIMD, 0, 0);
    for (uint32_t i = 0; i < 2000; i++) {
        for (uint32_t j = 0; j < 20; j++)
            concurrency_timeout(&concurrency);
        concurrency_tick(&concurrency, limit_of(3));
        ck_assert_uint_ge(limit_of(3), 3);
    }
    ck_assert_uint_eq(limit_of(3), 3);
}
END_TEST

START_TEST(aimd_goes_by_timeouts)
{
    begin(CONCURRENCY_AIMD, 0, 0);
    ck_assert_uint_eq(run(50, one_at_a_time), CAPACITY);
    uint32_t low = run(50, every_fifth_late);
    ck_assert_uint_lt(low, 20);
    ck_assert_uint_ge(low, 1);
    uint32_t later = run(10, well); /* the first window has timeouts of before */
    ck_assert_uint_gt(later, low + 5);
    ck_assert_uint_le(later, low + 10);
    ck_assert_uint_eq(run(100, well), CAPACITY);
}
END_TEST

/* A role that is hardly used says nothing about how much it could do. */
START_TEST(an_idle_role_keeps_its_limit)
{
    begin(CONCURRENCY_GRADIENT, 0, 0);
    uint32_t limit = run(100, one_at_a_time);
    for (uint32_t i = 0; i < 100; i++) {
        for (uint32_t j = 0; j < 20; j++)
            concurrency_reply(&concurrency, 2100, 2000, 0);
        concurrency_tick(&concurrency, 0);
    }
    ck_assert_uint_eq(limit_of(1), limit);
}
END_TEST

START_TEST(a_start_and_a_cap_are_for_each_worker)
{
    begin(CONCURRENCY_GRADIENT, 20, 30);
    ck_assert_uint_eq(limit_of(1), 20);
    ck_assert_uint_eq(limit_of(3), 60);
    ck_assert_uint_eq(run(100, well), 30);
    ck_assert_uint_eq(limit_of(2), 50);
    ck_assert_uint_eq(limit_of(0), 0);
    ck_assert_uint_eq(limit_of(2), 40);
    begin(CONCURRENCY_STATIC, 20, 0);
    ck_assert_uint_eq(limit_of(3), 60);
    ck_assert_uint_eq(run(100, one_at_a_time), 20);
    begin(CONCURRENCY_STATIC, 100, 0);
    ck_assert_uint_eq(limit_of(2), CAPACITY + CAPACITY);
    begin(CONCURRENCY_OFF, 0, 0);
    ck_assert_uint_eq(run(100, one_at_a_time), CAPACITY);
}
END_TEST

static const struct {
    const char *text;
    bool good;
} texts[] = {
    {"", true},
    {"driver=off", true},
    {" driver=off, tool_executor=gradient 10 20 ,", true},
    {"tool_executor=static 5", true},
    {"tool_executor=static", false},
    {"tool_executor=gradient 20 10", false},
    {"tool_executor=gradient 0", false},
    {"tool_executor=gradient 1x", false},
    {"tool_executor=gradient 1 2 3", false},
    {"tool_executor=vegas", false},
    {"tool_executor", false},
    {"client=off", false},
    {"driver=off driver=off", false},
    {"driver=gradient "
     "000000000000000000000000000000000000000000000000000000000000000000000000000000000001",
     false},
};

START_TEST(a_rule_is_what_its_text_says)
{
    char reason[OPTION_REASON_BYTES] = "";
    struct concurrency_rule rules[ROLE_COUNT];
    ck_assert_int_eq(concurrency_read(rules, texts[_i].text, reason), texts[_i].good);
    ck_assert_int_eq(reason[0] == '\0', texts[_i].good);
    if (_i != 2)
        return;
    ck_assert_int_eq(rules[ROLE_DRIVER].kind, CONCURRENCY_OFF);
    ck_assert_uint_eq(rules[ROLE_TOOL_EXECUTOR].start, 10);
    ck_assert_uint_eq(rules[ROLE_TOOL_EXECUTOR].cap, 20);
    ck_assert_int_eq(rules[ROLE_ARCADE_GATEWAY].kind, CONCURRENCY_AIMD);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, one_that_queues_inside_is_found_out);
    tcase_add_test(tcase, a_mix_is_no_load);
    tcase_add_test(tcase, short_work_may_come_in_packs);
    tcase_add_test(tcase, far_away_is_no_load);
    tcase_add_loop_test(tcase, it_fades, 0, 2);
    tcase_add_test(tcase, there_is_always_room_for_one_a_worker);
    tcase_add_test(tcase, aimd_goes_by_timeouts);
    tcase_add_test(tcase, an_idle_role_keeps_its_limit);
    tcase_add_test(tcase, a_start_and_a_cap_are_for_each_worker);
    tcase_add_loop_test(tcase, a_rule_is_what_its_text_says, 0, COUNT_OF(texts));
}

int main(void)
{
    return suite_run("concurrency", add_tests);
}
