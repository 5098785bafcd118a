/* test_timers - each timer fires once, never early, at most a tick late, whatever was set, moved
 * and cleared; and the wheel says in time when it wants to be called. Random operations from a
 * stated seed, against a table of what is due. */
#include <signal.h>

#include "broker/timers.h"
#include "protocol/limits.h"
#include "tests/support/suite.h"

#define TIMERS 500u
#define START (INT64_C(123456789) * 1000 + 321)

static struct timers *timers;

static void setup(void)
{
    timers = timers_new(TIMERS, START);
}

static void teardown(void)
{
    timers_destroy(&timers);
    ck_assert_ptr_null(timers);
}

/* Of each wheel, its edges, and beyond them all. */
static const int64_t delays_us[] = {0,           1,           999,        1000,     255000,
                                    256000,      257000,      65535000,   65536000, 65537001,
                                    16777215000, 16777216000, 40000000000};

START_TEST(one_fires_when_it_is_due)
{
    uint32_t timer;
    int64_t due_at = START + delays_us[_i];
    timers_set(timers, 3, due_at);
    ck_assert(!timers_take(timers, due_at - 1, &timer));
    int64_t late_at = (due_at > START ? due_at : START) + TICK_MS * US_PER_MS;
    ck_assert(timers_take(timers, late_at, &timer));
    ck_assert_uint_eq(timer, 3);
    ck_assert(!timers_take(timers, late_at, &timer));
    ck_assert_int_eq(timers_next_at(timers), INT64_MAX);
}
END_TEST

/* Sleeping for as long as it says loses nothing, and it does not wake for nothing for ever. */
START_TEST(it_says_when_to_come_back)
{
    uint32_t timer;
    unsigned calls = 0;
    int64_t now_at = START, due_at = START + delays_us[_i];
    timers_set(timers, 0, due_at);
    while (!timers_take(timers, now_at, &timer)) {
        int64_t next_at = timers_next_at(timers);
        ck_assert_int_gt(next_at, now_at);
        ck_assert_int_le(next_at, due_at + TICK_MS * US_PER_MS);
        now_at = next_at;
        ck_assert_uint_lt(++calls, 200000);
    }
    ck_assert_int_ge(now_at, due_at);
}
END_TEST

START_TEST(one_that_is_cleared_or_moved_does_not_fire)
{
    uint32_t timer;
    timers_set(timers, 1, START + 5000);
    timers_set(timers, 2, START + 5000);
    timers_clear(timers, 1);
    timers_clear(timers, 1);
    timers_set(timers, 2, START + 9000);
    ck_assert(!timers_take(timers, START + 8000, &timer));
    ck_assert(timers_take(timers, START + 10000, &timer));
    ck_assert_uint_eq(timer, 2);
}
END_TEST

/* A handler may set its own timer again for now: it fires in the next tick, not for ever in this.
 */
START_TEST(one_set_for_now_while_others_fire_waits_a_tick)
{
    uint32_t timer;
    timers_set(timers, 0, START + 1000);
    ck_assert(timers_take(timers, START + 5000, &timer));
    timers_set(timers, 0, START + 1000);
    unsigned fired = 0;
    while (timers_take(timers, START + 5000, &timer)) {
        timers_set(timers, 0, START + 1000);
        ck_assert_uint_lt(++fired, 10);
    }
}
END_TEST

START_TEST(whatever_is_set_fires_once_and_in_time)
{
    uint64_t seed = 20261124;
    int64_t due[TIMERS], now_at = START;
    for (unsigned i = 0; i < TIMERS; i++)
        due[i] = INT64_MAX;
    for (int step = 0; step < 100000; step++) {
        uint32_t timer = (uint32_t)(random_next(&seed) % TIMERS);
        int64_t reach = INT64_C(1) << (10 + random_next(&seed) % 26);
        if (random_next(&seed) % 4 == 0) {
            timers_clear(timers, timer);
            due[timer] = INT64_MAX;
        } else {
            due[timer] = now_at + (int64_t)(random_next(&seed) % (uint64_t)reach);
            timers_set(timers, timer, due[timer]);
            if (due[timer] <= now_at)
                due[timer] = now_at;
        }
        if (random_next(&seed) % 8 > 0)
            continue;
        now_at += (int64_t)(random_next(&seed) % (random_next(&seed) % 4 > 0 ? 3000 : 3000000));
        while (timers_take(timers, now_at, &timer)) {
            ck_assert_int_le(due[timer], now_at);
            due[timer] = INT64_MAX;
        }
        for (unsigned i = 0; i < TIMERS; i++)
            ck_assert_int_gt(due[i], now_at - TICK_MS * US_PER_MS);
    }
}
END_TEST

START_TEST(a_timer_beyond_the_bound_is_our_bug)
{
    timers_set(timers, TIMERS, START);
}
END_TEST

static void add_tests(TCase *tcase)
{
    int delays = sizeof delays_us / sizeof delays_us[0];
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, one_fires_when_it_is_due, 0, delays);
    tcase_add_loop_test(tcase, it_says_when_to_come_back, 0, delays);
    tcase_add_test(tcase, one_that_is_cleared_or_moved_does_not_fire);
    tcase_add_test(tcase, one_set_for_now_while_others_fire_waits_a_tick);
    tcase_add_test(tcase, whatever_is_set_fires_once_and_in_time);
    tcase_add_test_raise_signal(tcase, a_timer_beyond_the_bound_is_our_bug, SIGABRT);
}

int main(void)
{
    return suite_run("timers", add_tests);
}
