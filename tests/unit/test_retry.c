/* test_retry - what is tried again and when; the budget is a tenth of the requests and ten a
 * second; what is refused for overload is held back, and not for ever. */
#include "actors/client/retry.h"
#include "actors/client/throttle.h"
#include "tests/support/suite.h"

#define NOW (INT64_C(1000) * US_PER_S)
#define MS US_PER_MS

static const struct {
    enum status status;
    enum executed executed;
    uint32_t after_ms;
    bool harmless;
    unsigned attempts;
    int64_t least_us, most_us; /* -1: not at all */
} rows[] = {
    {STATUS_BUSY_FULL, EXECUTED_NO, 250, false, 1, 250 * MS, 300 * MS - 1},
    {STATUS_BUSY_FULL, EXECUTED_NO, 250, false, 2, 250 * MS, 350 * MS - 1},
    {STATUS_BUSY_FULL, EXECUTED_NO, 250, true, 3, -1, -1}, /* three attempts are all */
    {STATUS_INFEASIBLE, EXECUTED_NO, 0, true, 1, -1, -1},  /* never */
    {STATUS_RATE_LIMITED, EXECUTED_NO, 7, false, 1, 7 * MS, 57 * MS - 1},
    {STATUS_DRAINING, EXECUTED_NO, 0, false, 1, 0, 0},
    {STATUS_RETRY_BUDGET, EXECUTED_NO, 0, true, 1, -1, -1},
    {STATUS_BAD_REQUEST, EXECUTED_NO, 9, true, 1, -1, -1},
    {STATUS_WORKER_LOST, EXECUTED_MAYBE, 0, true, 1, 0, 50 * MS - 1},
    {STATUS_WORKER_LOST, EXECUTED_MAYBE, 0, false, 1, -1, -1},
    {STATUS_INTERNAL, EXECUTED_NO, 0, false, 1, 0, 50 * MS - 1}, /* known as not executed */
    {STATUS_INTERNAL, EXECUTED_YES, 0, false, 1, -1, -1},
    {STATUS_CANCELLED, EXECUTED_NO, 0, true, 1, -1, -1},
    {STATUS_APP_ERROR, EXECUTED_YES, 0, true, 1, -1, -1},
    {STATUS_POISON, EXECUTED_MAYBE, 0, true, 1, -1, -1},
};

START_TEST(only_what_the_table_allows_is_tried_again_and_not_all_at_once)
{
    struct header reply = {.status = rows[_i].status,
                           .executed = rows[_i].executed,
                           .retry_after_ms = rows[_i].after_ms};
    uint64_t seed = 1;
    for (int i = 0; i < 1000; i++) {
        int64_t wait_us =
            retry_wait_us(&reply, rows[_i].harmless, rows[_i].attempts, random_next(&seed));
        ck_assert_int_ge(wait_us, rows[_i].least_us);
        ck_assert_int_le(wait_us, rows[_i].most_us);
    }
}
END_TEST

static unsigned spend_all(struct retry_budget *budget, int64_t now_at)
{
    unsigned spent = 0;
    while (retry_budget_spend(budget, now_at))
        spent++;
    return spent;
}

START_TEST(the_budget_is_a_tenth_and_ten_a_second_and_saves_a_hundred)
{
    struct retry_budget budget;
    retry_budget_init(&budget, NOW);
    ck_assert_uint_eq(spend_all(&budget, NOW), 10);
    for (int i = 0; i < 200; i++)
        retry_budget_earn(&budget);
    ck_assert_uint_eq(spend_all(&budget, NOW), 20);
    ck_assert_uint_eq(spend_all(&budget, NOW + 2 * US_PER_S), 20);
    ck_assert_uint_eq(spend_all(&budget, NOW + 1000 * US_PER_S), 100);
    for (int i = 0; i < 100000; i++)
        retry_budget_earn(&budget);
    ck_assert_uint_eq(spend_all(&budget, NOW + 1000 * US_PER_S), 100);
}
END_TEST

/* So many at this time, each with this status; returns how many were held back. */
static unsigned ask(struct throttle *throttle, unsigned count, enum status status, int64_t now_at,
                    uint64_t *seed)
{
    struct header reply = {.status = status, .retry_after_ms = 5};
    unsigned held = 0;
    for (unsigned i = 0; i < count; i++)
        if (throttle_holds(throttle, now_at, random_next(seed)))
            held++;
        else
            throttle_learn(throttle, &reply, now_at);
    return held;
}

START_TEST(what_would_be_refused_is_held_back_until_it_is_not_refused)
{
    struct throttle throttle = {0};
    uint64_t seed = 1;
    ck_assert_uint_eq(ask(&throttle, 1000, STATUS_OK, NOW, &seed), 0);
    ck_assert_uint_eq(ask(&throttle, 1000, STATUS_BUSY_FULL, NOW, &seed), 0); /* half is fine */
    unsigned held = ask(&throttle, 10000, STATUS_BUSY_FULL, NOW + US_PER_S, &seed);
    ck_assert_uint_gt(held, 6000); /* twice what is accepted goes on, and there is nothing */
    ck_assert_uint_lt(held, 10000);
    ask(&throttle, 100000, STATUS_OK, NOW + 30 * US_PER_S, &seed);
    ck_assert_uint_eq(ask(&throttle, 100, STATUS_OK, NOW + 30 * US_PER_S, &seed), 0);
}
END_TEST

START_TEST(two_minutes_forget_and_a_few_refusals_hold_nothing_back)
{
    struct throttle throttle = {0};
    uint64_t seed = 1;
    ck_assert_uint_eq(ask(&throttle, 100, STATUS_BUSY_SHED, NOW, &seed), 0);
    ck_assert_uint_gt(ask(&throttle, 1000, STATUS_BUSY_SHED, NOW, &seed), 500);
    ck_assert_uint_gt(ask(&throttle, 100, STATUS_OK, NOW + 100 * US_PER_S, &seed), 0);
    ck_assert_uint_eq(ask(&throttle, 100, STATUS_OK, NOW + 230 * US_PER_S, &seed), 0);
    struct throttle other = {0};
    ck_assert_uint_eq(ask(&other, 1000, STATUS_NO_WORKER, NOW, &seed), 0); /* no overload */
    ck_assert_uint_eq(ask(&other, 1000, STATUS_APP_ERROR, NOW, &seed), 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, only_what_the_table_allows_is_tried_again_and_not_all_at_once, 0,
                        sizeof rows / sizeof rows[0]);
    tcase_add_test(tcase, the_budget_is_a_tenth_and_ten_a_second_and_saves_a_hundred);
    tcase_add_test(tcase, what_would_be_refused_is_held_back_until_it_is_not_refused);
    tcase_add_test(tcase, two_minutes_forget_and_a_few_refusals_hold_nothing_back);
}

int main(void)
{
    return suite_run("retry", add_tests);
}
