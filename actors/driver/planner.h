/* planner - what turns a question into calls, and their results into an answer.
 *
 * Round by round it says which tools to call next, and at last what the answer is. There are two:
 * planner_template.h, which knows sentences and needs nobody; and planner_model.h, which has a
 * language model say so, whose turns are requests of their own. */
#ifndef ACTORS_DRIVER_PLANNER_H
#define ACTORS_DRIVER_PLANNER_H

#include "protocol/limits.h"
#include "protocol/value.h"

#define PLANNER_CALLS_MAX MODEL_CALLS_MAX                        /* of one round */
#define PLANNER_RESULTS_MAX (MODEL_ROUNDS_MAX * MODEL_CALLS_MAX) /* of all rounds */

enum planner_kind { PLANNER_TEMPLATE, PLANNER_MODEL };
enum planner_next { PLANNER_CALL, PLANNER_ANSWER, PLANNER_NO_DATA };

struct planner_call {
    const char *tool;
    struct bytes arguments;    /* a map */
    struct bytes id;           /* a model's name for it; else absent */
    const char *code, *reason; /* it is not made, and this is what the model hears; NULL: it is */
};

struct planner_step {
    enum planner_next next;
    struct planner_call calls[PLANNER_CALLS_MAX];
    size_t call_count;
    struct bytes value;   /* ANSWER: the last result */
    struct bytes text;    /* ANSWER: a sentence */
    const char *reason;   /* NO_DATA: as in message answer */
    struct bytes detail;  /* NO_DATA: map of looked_for and exists */
    const char *template; /* its name, once one fits; NULL before, and if none does */
};

#endif
