/* test_outcomes - each end is counted once and in its place, a failure is in no success, and a run
 * that proves nothing is said to. */
#include "tests/load/outcomes.h"

#include "tests/load/verdict.h"
#include "tests/support/suite.h"

static struct outcomes outcomes;

static void setup(void)
{
    outcomes_clear(&outcomes);
}

START_TEST(each_status_is_counted_in_one_place)
{
    enum status status = (enum status)_i;
    outcomes_ended(&outcomes, status, true, 700, 300);
    ck_assert_uint_eq(outcomes.ok + outcomes.failed + outcomes.refused + outcomes.timeouts, 1);
    ck_assert_uint_eq(outcomes.by_status[status], 1);
    ck_assert_uint_eq(outcomes.response.count, status == STATUS_OK);
    ck_assert_uint_eq(outcomes.service.count, status == STATUS_OK);
    ck_assert_uint_eq(outcomes.refusal.count, outcomes.refused);
    ck_assert_uint_eq(outcomes.timeout.count, outcomes.timeouts);
    ck_assert_uint_eq(outcomes.wrong, 0);
}
END_TEST

START_TEST(refusals_and_timeouts_are_told_from_errors)
{
    static const struct {
        enum status status;
        unsigned refused, timeouts, failed;
    } rows[] = {{STATUS_BUSY_FULL, 1, 0, 0},        {STATUS_RATE_LIMITED, 1, 0, 0},
                {STATUS_DRAINING, 1, 0, 0},         {STATUS_RETRY_BUDGET, 1, 0, 0},
                {STATUS_NO_WORKER, 1, 0, 0},        {STATUS_DEADLINE_QUEUED, 0, 1, 0},
                {STATUS_DEADLINE_RUNNING, 0, 1, 0}, {STATUS_APP_ERROR, 0, 0, 1},
                {STATUS_WORKER_LOST, 0, 0, 1},      {STATUS_BAD_REQUEST, 0, 0, 1},
                {STATUS_TOO_LARGE, 0, 0, 1}};
    outcomes_ended(&outcomes, rows[_i].status, false, 1, 1);
    ck_assert_uint_eq(outcomes.refused, rows[_i].refused);
    ck_assert_uint_eq(outcomes.timeouts, rows[_i].timeouts);
    ck_assert_uint_eq(outcomes.failed, rows[_i].failed);
}
END_TEST

START_TEST(a_wrong_answer_is_a_failure)
{
    outcomes_ended(&outcomes, STATUS_OK, false, 5, 5);
    ck_assert_uint_eq(outcomes.failed, 1);
    ck_assert_uint_eq(outcomes.wrong, 1);
    ck_assert_uint_eq(outcomes.ok, 0);
    ck_assert_uint_eq(outcomes.response.count, 0);
}
END_TEST

START_TEST(a_run_is_invalid_just_beyond_each_bound)
{
    static const struct {
        struct conditions good, bad;
        enum invalid invalid;
    } rows[] = {
        {{.sent = 1000, .late = 10}, {.sent = 1000, .late = 11}, INVALID_LATE},
        {{.generator = 0.9}, {.generator = 0.91}, INVALID_GENERATOR},
        {{.dropped = 0}, {.dropped = 1}, INVALID_DROPPED},
        {{.open_loop = true, .offered = 1000, .sent = 1000, .sent_in_time = 980},
         {.open_loop = true, .offered = 1000, .sent = 1000, .sent_in_time = 979},
         INVALID_ACHIEVED},
        {{.open_loop = true, .offered = 1000, .sent_in_time = 500, .refused = 1},
         {.open_loop = true, .offered = 1000, .sent_in_time = 500},
         INVALID_ACHIEVED},
        {{.foreign = 0.1}, {.foreign = 0.101}, INVALID_FOREIGN},
    };
    ck_assert_uint_eq(verdict_of(&rows[_i].good), 0);
    ck_assert_uint_eq(verdict_of(&rows[_i].bad), 1u << rows[_i].invalid);
    ck_assert_ptr_nonnull(invalid_texts[rows[_i].invalid]);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, each_status_is_counted_in_one_place, 0, STATUS_COUNT);
    tcase_add_loop_test(tcase, refusals_and_timeouts_are_told_from_errors, 0, 11);
    tcase_add_test(tcase, a_wrong_answer_is_a_failure);
    tcase_add_loop_test(tcase, a_run_is_invalid_just_beyond_each_bound, 0, 6);
}

int main(void)
{
    return suite_run("outcomes", add_tests);
}
