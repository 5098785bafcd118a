/* test_repeat - an exchange is tried again only where that may help and can do no harm, as the
 * other side wishes, within the deadline and the budget. */
#include <string.h>

#include "actors/arcade_gateway/repeat.h"
#include "protocol/limits.h"
#include "tests/support/suite.h"

#define NOW_AT (50 * US_PER_S)
#define UNIX_MS INT64_C(1445412470000) /* 21 October 2015, 07:27:50 */

static struct http_response came;
static struct repeat_case given;
static struct repeat_budget budget;

static void setup(void)
{
    came = (struct http_response){.end = HTTP_ANSWERED, .sent = true, .status = 503};
    given = (struct repeat_case){.came = &came,
                                 .idempotent = true,
                                 .now_at = NOW_AT,
                                 .deadline_at = NOW_AT + 100 * US_PER_S,
                                 .unix_ms = UNIX_MS};
    budget = (struct repeat_budget){REPEAT_BUDGET_SAVED_MAX};
}

static void say(const char *name, const char *value)
{
    came.headers[came.header_count++] = (struct http_header){name, value};
}

/* In milliseconds; -1: not again. */
static int64_t wait_ms(void)
{
    int64_t wait_us = -1000;
    return repeat_decide(&budget, &given, &wait_us) ? wait_us / US_PER_MS : -1;
}

static const struct {
    enum http_end end;
    unsigned status;
    bool again;
} ends[] = {
    {HTTP_NO_CONNECTION, 0, true}, {HTTP_LOST, 0, true},        {HTTP_LATE, 0, false},
    {HTTP_TLS, 0, false},          {HTTP_TOO_LARGE, 0, false},  {HTTP_MALFORMED, 0, false},
    {HTTP_DENIED, 0, false},       {HTTP_ANSWERED, 200, false}, {HTTP_ANSWERED, 400, false},
    {HTTP_ANSWERED, 401, false},   {HTTP_ANSWERED, 404, false}, {HTTP_ANSWERED, 408, true},
    {HTTP_ANSWERED, 409, true},    {HTTP_ANSWERED, 429, true},  {HTTP_ANSWERED, 500, true},
    {HTTP_ANSWERED, 529, true},
};

START_TEST(only_what_may_go_better_is_tried_again)
{
    came.end = ends[_i].end;
    came.status = ends[_i].status;
    ck_assert_int_eq(wait_ms() >= 0, ends[_i].again);
}
END_TEST

START_TEST(the_other_side_knows_better)
{
    say("X-Should-Retry", "false");
    ck_assert_int_eq(wait_ms(), -1);
    setup();
    came.status = 400;
    say("x-should-retry", "true");
    ck_assert_int_ge(wait_ms(), 0);
    setup();
    came.status = 400;
    say("x-should-retry", "perhaps");
    ck_assert_int_eq(wait_ms(), -1);
}
END_TEST

START_TEST(what_may_do_harm_is_not_done_twice)
{
    given.idempotent = false;
    ck_assert_int_eq(wait_ms(), -1);
    came = (struct http_response){.end = HTTP_NO_CONNECTION, .sent = false};
    ck_assert_int_ge(wait_ms(), 0);
    came = (struct http_response){.end = HTTP_LOST, .sent = true};
    ck_assert_int_eq(wait_ms(), -1);
}
END_TEST

START_TEST(twice_and_no_more)
{
    given.repeats = 1;
    ck_assert_int_ge(wait_ms(), 0);
    given.repeats = 2;
    ck_assert_int_eq(wait_ms(), -1);
}
END_TEST

START_TEST(the_wait_doubles_and_is_shortened_by_chance)
{
    for (uint64_t random = 0; random < 200; random++) {
        setup();
        given.random = random;
        int64_t first = wait_ms();
        given.repeats = 1;
        int64_t second = wait_ms();
        ck_assert_int_ge(first, 375);
        ck_assert_int_le(first, 500);
        ck_assert_int_ge(second, 750);
        ck_assert_int_le(second, 1000);
    }
}
END_TEST

/* -1: what is said makes no sense, and our own wait holds. */
static const struct {
    const char *name, *value;
    int64_t ms;
} afters[] = {
    {"Retry-After", "7", 7000},
    {"retry-after", "0", 0},
    {"Retry-After-Ms", "250", 250},
    {"Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT", 10000},
    {"Retry-After", "Wednesday, 21-Oct-15 07:28:00 GMT", 10000},
    {"Retry-After", "Wed Oct 21 07:28:00 2015", 10000},
    {"Retry-After", "Wed, 21 Oct 2015 07:00:00 GMT", 0}, /* it has passed */
    {"Retry-After", "", -1},
    {"Retry-After", "-5", -1},
    {"Retry-After", " 5", -1},
    {"Retry-After", "5s", -1},
    {"Retry-After", "99999999999999999999", -1},
    {"Retry-After", "tomorrow", -1},
    {"Retry-After", "Wed, 21 Oct 2015 07:28:00 GMT and more", -1},
    {"Retry-After-Ms", "1.5", -1},
};

START_TEST(what_it_says_of_when_is_obeyed)
{
    say(afters[_i].name, afters[_i].value);
    uint32_t ms = 77;
    bool said = repeat_after_ms(&came, UNIX_MS, &ms);
    ck_assert_int_eq(said, afters[_i].ms >= 0);
    if (said) {
        ck_assert_uint_eq(ms, (uint64_t)afters[_i].ms);
        ck_assert_int_eq(wait_ms(), afters[_i].ms);
    } else {
        ck_assert_uint_eq(ms, 77);
        ck_assert_int_ge(wait_ms(), 375);
    }
}
END_TEST

START_TEST(milliseconds_go_before_seconds)
{
    say("Retry-After", "30");
    say("Retry-After-Ms", "20");
    ck_assert_int_eq(wait_ms(), 20);
}
END_TEST

START_TEST(nobody_waits_for_a_minute)
{
    say("Retry-After", "59");
    ck_assert_int_eq(wait_ms(), 59000);
    setup();
    say("Retry-After", "60");
    ck_assert_int_eq(wait_ms(), -1);
}
END_TEST

START_TEST(the_wait_must_fit_the_deadline)
{
    say("Retry-After", "5");
    given.deadline_at = NOW_AT + 5 * US_PER_S;
    ck_assert_int_eq(wait_ms(), -1);
    given.deadline_at++;
    ck_assert_int_eq(wait_ms(), 5000);
}
END_TEST

START_TEST(one_in_ten_is_tried_again)
{
    unsigned again = 0;
    budget = (struct repeat_budget){0};
    for (unsigned i = 0; i < 1000; i++) {
        repeat_earn(&budget);
        again += wait_ms() >= 0;
    }
    ck_assert_uint_eq(again, 100);
    for (unsigned i = 0; i < 1000; i++) /* quiet times save up a little */
        repeat_earn(&budget);
    for (again = 0; wait_ms() >= 0; again++)
        ck_assert_uint_lt(again, 11);
    ck_assert_uint_eq(again, 10);
}
END_TEST

START_TEST(what_is_not_tried_again_costs_nothing)
{
    budget = (struct repeat_budget){1000};
    came.status = 400;
    ck_assert_int_eq(wait_ms(), -1);
    came.status = 503;
    given.deadline_at = NOW_AT;
    ck_assert_int_eq(wait_ms(), -1);
    ck_assert_uint_eq(budget.saved, 1000);
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, only_what_may_go_better_is_tried_again, 0, COUNT_OF(ends));
    tcase_add_test(tcase, the_other_side_knows_better);
    tcase_add_test(tcase, what_may_do_harm_is_not_done_twice);
    tcase_add_test(tcase, twice_and_no_more);
    tcase_add_test(tcase, the_wait_doubles_and_is_shortened_by_chance);
    tcase_add_loop_test(tcase, what_it_says_of_when_is_obeyed, 0, COUNT_OF(afters));
    tcase_add_test(tcase, milliseconds_go_before_seconds);
    tcase_add_test(tcase, nobody_waits_for_a_minute);
    tcase_add_test(tcase, the_wait_must_fit_the_deadline);
    tcase_add_test(tcase, one_in_ten_is_tried_again);
    tcase_add_test(tcase, what_is_not_tried_again_costs_nothing);
}

int main(void)
{
    return suite_run("repeat", add_tests);
}
