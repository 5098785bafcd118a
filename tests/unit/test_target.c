/* test_target - one remote side: its bounds, its rate and its breaker, each filled; and what counts
 * against it. */
#include <stdio.h>

#include "actors/arcade_gateway/target.h"
#include "tests/support/suite.h"

#define NOW_AT (50 * US_PER_S)
#define CALLS 20u

static struct target_rule rule;
static struct target target;
static const struct http_response good = {.end = HTTP_ANSWERED, .sent = true, .status = 200};
static const struct http_response bad = {.end = HTTP_ANSWERED, .sent = true, .status = 500};

static void setup(void)
{
    rule = (struct target_rule){.calls_max = CALLS, .breaker = breaker_rule(BREAKER_STANDARD)};
    target_init(&target, &rule);
}

static struct name tenant(unsigned number)
{
    char text[16];
    (void)snprintf(text, sizeof text, "t%u", number);
    return name_of(bytes_of(text));
}

START_TEST(a_tenant_has_five_calls)
{
    struct name one = tenant(1), other = tenant(2), none = {0};
    for (unsigned i = 0; i < TARGET_TENANT_CALLS_MAX; i++)
        ck_assert_int_eq(target_enter(&target, &one), STATUS_OK);
    ck_assert_int_eq(target_enter(&target, &one), STATUS_BUSY_FULL);
    ck_assert_int_eq(target_enter(&target, &other), STATUS_OK);
    ck_assert_int_eq(target_enter(&target, &none), STATUS_OK); /* who has no name is one tenant */
    target_leave(&target, &one);
    ck_assert_int_eq(target_enter(&target, &one), STATUS_OK);
    ck_assert_uint_eq(target.full, 1);
}
END_TEST

START_TEST(a_target_has_so_many_calls_and_no_more)
{
    for (unsigned i = 0; i < CALLS; i++) {
        struct name name = tenant(i);
        ck_assert_int_eq(target_enter(&target, &name), STATUS_OK);
    }
    struct name late = tenant(CALLS);
    ck_assert_int_eq(target_enter(&target, &late), STATUS_BUSY_FULL);
    for (unsigned i = CALLS; i-- > 0;) {
        struct name name = tenant(i);
        target_leave(&target, &name);
    }
    ck_assert_uint_eq(target.calls, 0);
    ck_assert_uint_eq(target.calls_peak, CALLS);
}
END_TEST

/* Any order of coming and going: no tenant's calls are taken for another's. */
START_TEST(coming_and_going_in_any_order)
{
    unsigned inside[8] = {0}, total = 0;
    uint64_t seed = 20261128;
    for (unsigned i = 0; i < 20000; i++) {
        unsigned who = (unsigned)(random_next(&seed) % 8);
        struct name name = tenant(who);
        if (random_next(&seed) % 2 == 0) {
            bool fits = inside[who] < TARGET_TENANT_CALLS_MAX && total < CALLS;
            ck_assert_int_eq(target_enter(&target, &name), fits ? STATUS_OK : STATUS_BUSY_FULL);
            inside[who] += fits;
            total += fits;
        } else if (inside[who] > 0) {
            target_leave(&target, &name);
            inside[who]--;
            total--;
        }
        ck_assert_uint_eq(target.calls, total);
    }
}
END_TEST

static enum status begin(int64_t now_at, uint32_t *ret_token, uint32_t *ret_after_ms)
{
    return target_begin(&target, now_at, 0, ret_token, ret_after_ms);
}

START_TEST(its_rate_says_exactly_when)
{
    uint32_t token, after_ms = 0;
    rule.rate = rate_of(100, 60 * US_PER_S, 100);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_int_eq(begin(NOW_AT, &token, &after_ms), STATUS_OK);
        ck_assert(!target_end(&target, NOW_AT, 0, 0, token, &good));
    }
    ck_assert_int_eq(begin(NOW_AT, &token, &after_ms), STATUS_RATE_LIMITED);
    ck_assert_uint_eq(after_ms, 600);
    ck_assert_int_eq(begin(NOW_AT + 600 * US_PER_MS, &token, &after_ms), STATUS_OK);
    ck_assert_uint_eq(target.limited, 1);
}
END_TEST

START_TEST(a_429_moves_the_next)
{
    uint32_t token, after_ms = 0;
    struct http_response limited = {.end = HTTP_ANSWERED,
                                    .sent = true,
                                    .status = 429,
                                    .headers = {{"Retry-After", "3"}},
                                    .header_count = 1};
    rule.rate = rate_of(100, 60 * US_PER_S, 100);
    ck_assert_int_eq(begin(NOW_AT, &token, &after_ms), STATUS_OK);
    ck_assert(!target_end(&target, NOW_AT, 0, 0, token, &limited));
    ck_assert_int_eq(begin(NOW_AT, &token, &after_ms), STATUS_RATE_LIMITED);
    ck_assert_uint_eq(after_ms, 3000);
    ck_assert_int_eq(begin(NOW_AT + 3 * US_PER_S, &token, &after_ms), STATUS_OK);
}
END_TEST

START_TEST(a_429_of_one_host_binds_no_other)
{
    uint32_t token, after_ms = 0;
    struct http_response limited = {.end = HTTP_ANSWERED,
                                    .sent = true,
                                    .status = 429,
                                    .headers = {{"Retry-After", "86400"}},
                                    .header_count = 1};
    rule.rate = rate_of(100, 60 * US_PER_S, 100);
    target.is_many = true;
    ck_assert_int_eq(begin(NOW_AT, &token, &after_ms), STATUS_OK);
    ck_assert(!target_end(&target, NOW_AT, 0, 0, token, &limited));
    ck_assert_int_eq(begin(NOW_AT, &token, &after_ms), STATUS_OK);
}
END_TEST

START_TEST(five_failures_break_it)
{
    uint32_t token, after_ms = 0;
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_int_eq(begin(NOW_AT, &token, &after_ms), STATUS_OK);
        ck_assert_int_eq(target_end(&target, NOW_AT, 0, 0, token, &bad), i == 4);
    }
    ck_assert_int_eq(begin(NOW_AT, &token, &after_ms), STATUS_CIRCUIT_OPEN);
    ck_assert_uint_ge(after_ms, 40000);
    ck_assert_uint_le(after_ms, 72000);
    ck_assert_uint_eq(target.failed, 5);
    ck_assert_uint_eq(target.broken, 1);
}
END_TEST

START_TEST(what_we_withdraw_says_nothing_of_it)
{
    uint32_t token, after_ms;
    for (unsigned i = 0; i < 50; i++) {
        ck_assert_int_eq(begin(NOW_AT, &token, &after_ms), STATUS_OK);
        ck_assert(!target_end(&target, NOW_AT, 0, 0, token, NULL));
    }
    ck_assert_uint_eq(target.ok + target.failed, 0);
}
END_TEST

static const struct {
    enum http_end end;
    bool sent;
    unsigned status;
    enum breaker_outcome outcome;
    int64_t typical_us, taken_us;
} outcomes[] = {
    {HTTP_ANSWERED, true, 200, BREAKER_SUCCESS, 0, 0},
    {HTTP_ANSWERED, true, 404, BREAKER_SUCCESS, 0, 0},
    {HTTP_ANSWERED, true, 429, BREAKER_SUCCESS, 0, 0},
    {HTTP_ANSWERED, true, 500, BREAKER_FAILURE, 0, 0},
    {HTTP_ANSWERED, true, 529, BREAKER_FAILURE, 0, 0},
    {HTTP_NO_CONNECTION, false, 0, BREAKER_FAILURE, 0, 0},
    {HTTP_TLS, false, 0, BREAKER_FAILURE, 0, 0},
    {HTTP_LOST, true, 0, BREAKER_FAILURE, 0, 0},
    {HTTP_MALFORMED, true, 0, BREAKER_FAILURE, 0, 0},
    {HTTP_LATE, true, 0, BREAKER_NEITHER, 0, 4 * US_PER_S},
    {HTTP_LATE, true, 0, BREAKER_FAILURE, 0, 5 * US_PER_S},
    {HTTP_LATE, true, 0, BREAKER_NEITHER, US_PER_MS, 900 * US_PER_MS},
    {HTTP_LATE, true, 0, BREAKER_FAILURE, US_PER_MS, US_PER_S},
    {HTTP_LATE, true, 0, BREAKER_NEITHER, 3 * US_PER_S, 10 * US_PER_S},
    {HTTP_LATE, true, 0, BREAKER_FAILURE, 3 * US_PER_S, 12 * US_PER_S},
    {HTTP_LATE, false, 0, BREAKER_NEITHER, 0, 9 * US_PER_S},
    {HTTP_TOO_LARGE, true, 200, BREAKER_NEITHER, 0, 0},
    {HTTP_DENIED, false, 0, BREAKER_NEITHER, 0, 0},
};

START_TEST(what_counts_against_it)
{
    struct http_response came = {.end = outcomes[_i].end,
                                 .sent = outcomes[_i].sent,
                                 .status = outcomes[_i].status,
                                 .taken_us = outcomes[_i].taken_us};
    target.typical_us = outcomes[_i].typical_us;
    ck_assert_int_eq(target_outcome(&target, &came), outcomes[_i].outcome);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, a_tenant_has_five_calls);
    tcase_add_test(tcase, a_target_has_so_many_calls_and_no_more);
    tcase_add_test(tcase, coming_and_going_in_any_order);
    tcase_add_test(tcase, its_rate_says_exactly_when);
    tcase_add_test(tcase, a_429_moves_the_next);
    tcase_add_test(tcase, a_429_of_one_host_binds_no_other);
    tcase_add_test(tcase, five_failures_break_it);
    tcase_add_test(tcase, what_we_withdraw_says_nothing_of_it);
    tcase_add_loop_test(tcase, what_counts_against_it, 0,
                        (int)(sizeof outcomes / sizeof outcomes[0]));
}

int main(void)
{
    return suite_run("target", add_tests);
}
