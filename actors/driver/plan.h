/* plan - the steps of one request, and what leads from each to the next (docs/tools.md, section 1).
 *
 * A task goes from step to step: a client's request, or one of the tool calls of a question, which
 * are tasks of their own and so have look-ups and leases of their own. The table says all that may
 * happen; what a step does stands elsewhere. Every way through it replies exactly once, and passes
 * STORE if it holds a lease. Pure.
 *
 * One thing has its place and no row yet: the graph of a client, which enters at PLAN. */
#ifndef ACTORS_DRIVER_PLAN_H
#define ACTORS_DRIVER_PLAN_H

enum step {
    STEP_NONE,
    STEP_DECODE, /* resolve the name; waits for the directory if it is unknown */
    STEP_KEY,    /* validate arguments, fill defaults, compute the key */
    STEP_LOOKUP, /* ask the owner partition */
    STEP_WAIT,   /* parked there, behind another who fills it */
    STEP_PLAN,   /* one call, or the planner's next round */
    STEP_MODEL,  /* one turn of a language model: it says which calls, or the answer */
    STEP_TOOLS,  /* calls are out */
    STEP_ANSWER, /* put it together */
    STEP_REPLY,  /* to who asked; of a question's call: to the question */
    STEP_STORE,  /* give the lease back: with the answer, or without */
    STEP_END,
    STEP_COUNT
};

enum outcome {
    OUTCOME_DONE,
    OUTCOME_FAILED,      /* there is an error to reply with */
    OUTCOME_UNKNOWN,     /* DECODE: no such tool, as far as is known */
    OUTCOME_UNCACHED,    /* KEY: not to be looked up */
    OUTCOME_HIT,         /* LOOKUP, WAIT: the answer, fresh or stale */
    OUTCOME_LEASED,      /* LOOKUP, WAIT: ours to fill; REPLY: the lease is to be given back */
    OUTCOME_TAKEN,       /* LOOKUP: another fills it */
    OUTCOME_MOVED,       /* LOOKUP, WAIT: another member owns it */
    OUTCOME_WITHOUT,     /* LOOKUP, WAIT: no cache; MODEL: no model; go on without */
    OUTCOME_TURN,        /* PLAN: a model is to say what comes next */
    OUTCOME_AGAIN,       /* TOOLS: the planner has more to ask */
    OUTCOME_FAILED_LATE, /* an error, and the reply was given before */
    OUTCOME_REFRESH,     /* REPLY: a stale answer was given; now fill it anew */
    OUTCOME_DONE_LATE,   /* ANSWER: the reply was given before */
    OUTCOME_COUNT
};

/* The step that follows; STEP_NONE: that cannot happen there. */
enum step plan_next(enum step step, enum outcome outcome);

const char *plan_step_name(enum step step);

#endif
