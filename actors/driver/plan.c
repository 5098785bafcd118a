/* plan - see plan.h. */
#include "actors/driver/plan.h"

#include <assert.h>
#include <stddef.h>

/* STEP_NONE, which is 0: a step never ends so. */
static const unsigned char next_of[STEP_COUNT][OUTCOME_COUNT] = {
    [STEP_DECODE][OUTCOME_DONE] = STEP_KEY,
    [STEP_DECODE][OUTCOME_UNKNOWN] = STEP_DECODE,
    [STEP_DECODE][OUTCOME_FAILED] = STEP_REPLY,

    [STEP_KEY][OUTCOME_DONE] = STEP_LOOKUP,
    [STEP_KEY][OUTCOME_UNCACHED] = STEP_PLAN,
    [STEP_KEY][OUTCOME_FAILED] = STEP_REPLY,

    [STEP_LOOKUP][OUTCOME_HIT] = STEP_REPLY,
    [STEP_LOOKUP][OUTCOME_LEASED] = STEP_PLAN,
    [STEP_LOOKUP][OUTCOME_TAKEN] = STEP_WAIT,
    [STEP_LOOKUP][OUTCOME_MOVED] = STEP_LOOKUP,
    [STEP_LOOKUP][OUTCOME_WITHOUT] = STEP_PLAN,
    [STEP_LOOKUP][OUTCOME_FAILED] = STEP_REPLY,

    [STEP_WAIT][OUTCOME_HIT] = STEP_REPLY,
    [STEP_WAIT][OUTCOME_LEASED] = STEP_PLAN,
    [STEP_WAIT][OUTCOME_MOVED] = STEP_LOOKUP,
    [STEP_WAIT][OUTCOME_WITHOUT] = STEP_PLAN,
    [STEP_WAIT][OUTCOME_FAILED] = STEP_REPLY,

    [STEP_PLAN][OUTCOME_DONE] = STEP_TOOLS,
    [STEP_PLAN][OUTCOME_HIT] = STEP_ANSWER, /* nothing is left to ask */
    [STEP_PLAN][OUTCOME_TURN] = STEP_MODEL,
    [STEP_PLAN][OUTCOME_FAILED] = STEP_REPLY,
    [STEP_PLAN][OUTCOME_FAILED_LATE] = STEP_STORE,

    [STEP_MODEL][OUTCOME_DONE] = STEP_TOOLS,
    [STEP_MODEL][OUTCOME_HIT] = STEP_ANSWER,
    [STEP_MODEL][OUTCOME_WITHOUT] = STEP_PLAN, /* by templates, from the beginning */
    [STEP_MODEL][OUTCOME_FAILED] = STEP_REPLY,
    [STEP_MODEL][OUTCOME_FAILED_LATE] = STEP_STORE,

    [STEP_TOOLS][OUTCOME_DONE] = STEP_ANSWER,
    [STEP_TOOLS][OUTCOME_AGAIN] = STEP_PLAN,
    [STEP_TOOLS][OUTCOME_FAILED] = STEP_REPLY,
    [STEP_TOOLS][OUTCOME_FAILED_LATE] = STEP_STORE,

    [STEP_ANSWER][OUTCOME_DONE] = STEP_REPLY,
    [STEP_ANSWER][OUTCOME_DONE_LATE] = STEP_STORE,

    [STEP_REPLY][OUTCOME_DONE] = STEP_END,
    [STEP_REPLY][OUTCOME_LEASED] = STEP_STORE,
    [STEP_REPLY][OUTCOME_REFRESH] = STEP_PLAN,

    [STEP_STORE][OUTCOME_DONE] = STEP_END,
};

static const char *const names[STEP_COUNT] = {"NONE",   "DECODE", "KEY",   "LOOKUP",
                                              "WAIT",   "PLAN",   "MODEL", "TOOLS",
                                              "ANSWER", "REPLY",  "STORE", "END"};

enum step plan_next(enum step step, enum outcome outcome)
{
    assert(step < STEP_COUNT);
    assert(outcome < OUTCOME_COUNT);
    return next_of[step][outcome];
}

const char *plan_step_name(enum step step)
{
    assert(step < STEP_COUNT);
    return names[step];
}
