/* test_plan - whatever happens, a task comes to its end, replies exactly once on the way, and gives
 * back each lease. */
#include <stdbool.h>

#include "actors/driver/plan.h"
#include "tests/support/suite.h"

#define WALKS 20000
#define STEPS_MAX 10000 /* of one walk: the loops are left by chance */

/* What a task may report at its step, given what it holds. */
static bool may(enum step step, enum outcome outcome, bool replied, bool leased, bool stale)
{
    if (step == STEP_REPLY)
        return outcome == OUTCOME_REFRESH  ? leased && stale
               : outcome == OUTCOME_LEASED ? leased && !stale
                                           : !leased;
    bool late = outcome == OUTCOME_FAILED_LATE || outcome == OUTCOME_DONE_LATE;
    if (step == STEP_ANSWER || step == STEP_PLAN || step == STEP_MODEL || step == STEP_TOOLS)
        return outcome == OUTCOME_FAILED || (step == STEP_ANSWER && outcome == OUTCOME_DONE)
                   ? !replied
                   : !late || replied;
    return true;
}

struct walk {
    enum step step;
    bool leased, stale;
    unsigned replies, stores, leases;
};

static void take(struct walk *walk, enum outcome outcome, uint64_t *seed)
{
    if (walk->step == STEP_LOOKUP && outcome == OUTCOME_HIT)
        walk->leased = walk->stale = random_next(seed) % 2;
    else if (outcome == OUTCOME_LEASED && walk->step != STEP_REPLY)
        walk->leased = true;
    if (outcome == OUTCOME_REFRESH)
        walk->stale = false;
    if (walk->step == STEP_STORE)
        walk->leased = false;
    walk->step = plan_next(walk->step, outcome);
    walk->replies += walk->step == STEP_REPLY;
}

START_TEST(every_way_ends_with_one_reply_and_no_lease)
{
    uint64_t seed = 20261124;
    for (unsigned i = 0; i < WALKS; i++) {
        struct walk walk = {.step = STEP_DECODE};
        for (unsigned steps = 0; walk.step != STEP_END; steps++) {
            enum outcome outcome = (enum outcome)(random_next(&seed) % OUTCOME_COUNT);
            ck_assert_uint_lt(steps, STEPS_MAX);
            if (plan_next(walk.step, outcome) != STEP_NONE &&
                may(walk.step, outcome, walk.replies > 0, walk.leased, walk.stale))
                take(&walk, outcome, &seed);
        }
        ck_assert_uint_eq(walk.replies, 1);
        ck_assert(!walk.leased);
    }
}
END_TEST

START_TEST(every_step_is_reached_and_left)
{
    for (int step = STEP_DECODE; step < STEP_COUNT; step++) {
        bool reached = step == STEP_DECODE, left = step == STEP_END;
        for (int other = 0; other < STEP_COUNT; other++)
            for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
                enum step next = plan_next((enum step)other, (enum outcome)outcome);
                reached |= other != step && next == (enum step)step;
                left |= other == step && next != STEP_NONE && next != (enum step)step;
            }
        ck_assert_msg(reached, "%s", plan_step_name((enum step)step));
        ck_assert_msg(left, "%s", plan_step_name((enum step)step));
    }
}
END_TEST

START_TEST(the_end_is_the_end)
{
    for (int outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
        ck_assert_int_eq(plan_next(STEP_END, (enum outcome)outcome), STEP_NONE);
        ck_assert_int_eq(plan_next(STEP_NONE, (enum outcome)outcome), STEP_NONE);
    }
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, every_way_ends_with_one_reply_and_no_lease);
    tcase_add_test(tcase, every_step_is_reached_and_left);
    tcase_add_test(tcase, the_end_is_the_end);
}

int main(void)
{
    return suite_run("plan", add_tests);
}
