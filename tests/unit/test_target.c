/* test_target - one remote side: its bounds, its rate and its breaker, each filled; and what counts
 * against it. */
#include <stdio.h>

#include "actors/arcade_gateway/target.h"
#include "tests/support/suite.h"

#define NOW_AT (50 * US_PER_S)
#define CALLS 20u

static struct target_rule rule;
static struct target target;
static struct target_part asked;
static const struct http_response good = {.end = HTTP_ANSWERED, .sent = true, .status = 200};
static const struct http_response bad = {.end = HTTP_ANSWERED, .sent = true, .status = 500};

static void setup(void)
{
    rule = (struct target_rule){.calls_max = CALLS, .breaker = breaker_rule(BREAKER_STANDARD)};
    target_init(&target, &rule);
    asked = (struct target_part){0};
}

static void teardown(void)
{
    target_fini(&target);
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

static enum status begin(int64_t now_at, struct target_pass *ret, uint32_t *ret_after_ms)
{
    return target_begin(&target, &asked, now_at, 0, ret, ret_after_ms);
}

/* returns  true: the breaker of the side has changed */
static bool end(const struct target_pass *pass, const struct http_response *came)
{
    return target_end(&target, &(struct target_time){.now_at = NOW_AT}, pass, came).side;
}

START_TEST(its_rate_says_exactly_when)
{
    struct target_pass pass;
    uint32_t after_ms = 0;
    rule.rate = rate_of(100, 60 * US_PER_S, 100);
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
        ck_assert(!end(&pass, &good));
    }
    ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_RATE_LIMITED);
    ck_assert_uint_eq(after_ms, 600);
    ck_assert_int_eq(begin(NOW_AT + 600 * US_PER_MS, &pass, &after_ms), STATUS_OK);
    ck_assert_uint_eq(target.limited, 1);
}
END_TEST

START_TEST(a_429_moves_the_next)
{
    struct target_pass pass;
    uint32_t after_ms = 0;
    struct http_response limited = {.end = HTTP_ANSWERED,
                                    .sent = true,
                                    .status = 429,
                                    .headers = {{"Retry-After", "3"}},
                                    .header_count = 1};
    rule.rate = rate_of(100, 60 * US_PER_S, 100);
    ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
    ck_assert(!end(&pass, &limited));
    ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_RATE_LIMITED);
    ck_assert_uint_eq(after_ms, 3000);
    ck_assert_int_eq(begin(NOW_AT + 3 * US_PER_S, &pass, &after_ms), STATUS_OK);
}
END_TEST

START_TEST(a_429_of_one_host_binds_no_other)
{
    struct target_pass pass;
    uint32_t after_ms = 0;
    struct http_response limited = {.end = HTTP_ANSWERED,
                                    .sent = true,
                                    .status = 429,
                                    .headers = {{"Retry-After", "86400"}},
                                    .header_count = 1};
    rule.rate = rate_of(100, 60 * US_PER_S, 100);
    target.is_many = true;
    ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
    ck_assert(!end(&pass, &limited));
    ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
}
END_TEST

START_TEST(five_failures_break_it)
{
    struct target_pass pass;
    uint32_t after_ms = 0;
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
        ck_assert_int_eq(end(&pass, &bad), i == 4);
    }
    ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_CIRCUIT_OPEN);
    ck_assert_uint_ge(after_ms, 40000);
    ck_assert_uint_le(after_ms, 72000);
    ck_assert_uint_eq(target.failed, 5);
    ck_assert_uint_eq(target.broken, 1);
}
END_TEST

/* Tools. */

static void ask_part(uint64_t key)
{
    static const char *const names[] = {"none", "one", "two", "three"};
    asked = (struct target_part){key, names[key % 4]};
}

START_TEST(a_tool_that_fails_alone_is_left_alone)
{
    struct target_pass pass;
    uint32_t after_ms = 0;
    char names[64];
    ask_part(1);
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
        ck_assert(!end(&pass, &bad));
    }
    ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_CIRCUIT_OPEN);
    ck_assert_uint_ge(after_ms, 40000);
    ck_assert_uint_eq(parts_left_alone(target.parts, names, sizeof names), 1);
    ck_assert_str_eq(names, "one");
    ask_part(2);
    ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
    (void)end(&pass, &good);
    ask_part(0);
    ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
    (void)end(&pass, &good);
    ck_assert_uint_eq(target.breaker.changes[BREAKER_OPEN], 0);
}
END_TEST

START_TEST(tools_that_fail_one_as_the_other_break_the_side)
{
    struct target_pass pass;
    uint32_t after_ms = 0;
    bool changed = false;
    for (unsigned i = 0; i < 5; i++) {
        ask_part(1 + i % 2);
        ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
        changed = end(&pass, &bad);
    }
    ck_assert(changed);
    ask_part(3);
    ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_CIRCUIT_OPEN);
}
END_TEST

START_TEST(a_side_that_is_not_reached_is_no_fault_of_a_tool)
{
    static const struct http_response gone = {.end = HTTP_NO_CONNECTION};
    struct target_pass pass;
    uint32_t after_ms = 0;
    char names[64];
    ask_part(1);
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
        ck_assert_int_eq(end(&pass, &gone), i == 4);
    }
    ck_assert_uint_eq(parts_left_alone(target.parts, names, sizeof names), 0);
}
END_TEST

/* Hosts of the web. */

START_TEST(each_host_has_its_own_breaker)
{
    static const struct http_response gone = {.end = HTTP_NO_CONNECTION};
    struct target_pass pass;
    uint32_t after_ms = 0;
    target.is_many = true;
    (void)breaker_set_force(&target.breaker, BREAKER_FORCE_CLOSED);
    for (unsigned i = 0; i < 10; i++) {
        ask_part(1 + i % 2);
        ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
        (void)end(&pass, i % 2 == 0 ? &gone : &good);
    }
    ask_part(1);
    ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_CIRCUIT_OPEN);
    ask_part(2);
    ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
}
END_TEST

START_TEST(each_host_has_the_rate_to_itself)
{
    struct target_pass pass;
    uint32_t after_ms = 0;
    target.is_many = true;
    rule.rate = rate_of(10, 60 * US_PER_S, 10);
    for (unsigned i = 0; i < 20; i++) {
        ask_part(1 + i % 2);
        ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
    }
    ask_part(1);
    ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_RATE_LIMITED);
    ck_assert_uint_eq(after_ms, 6000);
    ask_part(3);
    ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
}
END_TEST

/* All places taken by what is under way, one more goes without; then the one that was used longest
 * ago goes, of those that are closed. */
START_TEST(so_many_parts_are_known_and_no_more)
{
    static struct target_pass passes[PARTS_MAX];
    struct target_pass pass;
    uint32_t after_ms = 0;
    char names[64];
    for (unsigned i = 0; i < PARTS_MAX; i++) {
        ask_part(i + 1);
        ck_assert_int_eq(begin(NOW_AT + i, &passes[i], &after_ms), STATUS_OK);
    }
    ask_part(1000);
    ck_assert_int_eq(begin(NOW_AT + PARTS_MAX, &pass, &after_ms), STATUS_OK);
    ck_assert_ptr_null(pass.part);
    (void)end(&pass, &good);
    for (unsigned i = 0; i < PARTS_MAX; i++)
        (void)end(&passes[i], &good);
    ask_part(1);
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_int_eq(begin(NOW_AT + PARTS_MAX, &pass, &after_ms), STATUS_OK);
        (void)end(&pass, &bad);
    }
    for (unsigned i = 1; i <= PARTS_MAX; i++) { /* one more than there are closed ones */
        ask_part(2000 + i);
        ck_assert_int_eq(begin(NOW_AT + PARTS_MAX + i, &pass, &after_ms), STATUS_OK);
        ck_assert_ptr_nonnull(pass.part);
        (void)end(&pass, &good);
    }
    ck_assert_uint_eq(target.parts->count, PARTS_MAX);
    ck_assert_uint_eq(parts_left_alone(target.parts, names, sizeof names), 1);
}
END_TEST

START_TEST(what_we_withdraw_says_nothing_of_it)
{
    struct target_pass pass;
    uint32_t after_ms;
    for (unsigned i = 0; i < 50; i++) {
        ck_assert_int_eq(begin(NOW_AT, &pass, &after_ms), STATUS_OK);
        ck_assert(!end(&pass, NULL));
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

START_TEST(the_end_of_a_connection_that_was_kept_is_no_fault)
{
    struct http_response came = {.end = HTTP_LOST, .sent = true, .was_idle = true};
    ck_assert_int_eq(target_outcome(&target, &came), BREAKER_NEITHER);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_tenant_has_five_calls);
    tcase_add_test(tcase, a_target_has_so_many_calls_and_no_more);
    tcase_add_test(tcase, coming_and_going_in_any_order);
    tcase_add_test(tcase, its_rate_says_exactly_when);
    tcase_add_test(tcase, a_429_moves_the_next);
    tcase_add_test(tcase, a_429_of_one_host_binds_no_other);
    tcase_add_test(tcase, five_failures_break_it);
    tcase_add_test(tcase, a_tool_that_fails_alone_is_left_alone);
    tcase_add_test(tcase, tools_that_fail_one_as_the_other_break_the_side);
    tcase_add_test(tcase, a_side_that_is_not_reached_is_no_fault_of_a_tool);
    tcase_add_test(tcase, each_host_has_its_own_breaker);
    tcase_add_test(tcase, each_host_has_the_rate_to_itself);
    tcase_add_test(tcase, so_many_parts_are_known_and_no_more);
    tcase_add_test(tcase, what_we_withdraw_says_nothing_of_it);
    tcase_add_test(tcase, the_end_of_a_connection_that_was_kept_is_no_fault);
    tcase_add_loop_test(tcase, what_counts_against_it, 0,
                        (int)(sizeof outcomes / sizeof outcomes[0]));
}

int main(void)
{
    return suite_run("target", add_tests);
}
