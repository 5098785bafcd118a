/* calls - the calls that a tool executor holds, and which may run next. Pure.
 *
 * At most one a thread runs; the others wait, nearest deadline first. No tool takes all threads
 * from the others. The counts of running and waiting calls stand in the tally. */
#ifndef ACTORS_TOOL_EXECUTOR_CALLS_H
#define ACTORS_TOOL_EXECUTOR_CALLS_H

#include "actors/tool_executor/execution.h"
#include "actors/tool_executor/tally.h"

struct calls {
    struct tally *tally;                       /* borrowed */
    unsigned threads, max;                     /* that may run, and be held */
    struct execution *list[WORKER_CREDIT_MAX]; /* in no order */
    size_t count;
    unsigned running, stuck; /* stuck ones run */
    uint64_t numbers;        /* given, ever */
};

/* Hold one more, waiting, with a number of its own; asserts that there is room. */
void calls_add(struct calls *self, struct execution *execution);

/* Let it go, and free it. */
void calls_remove(struct calls *self, struct execution *execution);

/* It waits no more. */
void calls_run(struct calls *self, struct execution *execution);
void calls_ask(struct calls *self, struct execution *execution);

/* It was to end, and does not: its thread is lost until it does. */
void calls_stick(struct calls *self, struct execution *execution);

/* When the next call wants attention: its time is over, or it was told to end and has not. Points
 * in time (_at) as everywhere; INT64_MAX: none does. */
int64_t calls_due_at(const struct calls *self);
int64_t execution_due_at(const struct execution *execution);

/* The one to run next; NULL: none waits that may. */
struct execution *calls_next(const struct calls *self);

/* NULL: it is not here. */
struct execution *calls_of_request(const struct calls *self, const struct request *request);
struct execution *calls_of_ask(const struct calls *self, uint64_t number);

#endif
