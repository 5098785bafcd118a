/* execution - one call of a tool: from its request to the bytes of its reply.
 *
 * Made and ended on the loop's thread; in between execution_run() has it, on a job thread. */
#ifndef ACTORS_TOOL_EXECUTOR_EXECUTION_H
#define ACTORS_TOOL_EXECUTOR_EXECUTION_H

#include "actors/runtime/actor.h"
#include "actors/tool_executor/tools.h"

enum execution_state { EXECUTION_WAITING, EXECUTION_RUNNING, EXECUTION_ASKING };

struct execution {
    struct job job; /* first: a job is its execution */
    struct request request;
    const struct tool *tool;
    enum execution_state state;
    bool is_answered;    /* or needs no answer: what still comes is dropped */
    bool is_overdue;     /* cancelled because its time was over */
    bool is_stuck;       /* it runs on, long after it was to end */
    uint64_t number;     /* of the calls of this process; the tag of its ask */
    int64_t deadline_at; /* of request or tool, the nearer; on the loop's clock */
    int64_t budget_us;   /* what was left of it when it was given to a thread */
    int64_t begun_at;    /* when it was given to a thread */
    int64_t unix_ms;     /* when it came */
    char *arguments;     /* owned */
    size_t arguments_size;

    /* What the thread leaves behind. */
    struct failure failure; /* status OK: reply holds */
    char *reply;            /* owned: message tool_result */
    size_t reply_size;
    int64_t taken_us;
};

/* arguments: copied; the deadline is the nearer of request and tool. */
struct execution *execution_new(const struct tool *tool, const struct request *request,
                                struct bytes arguments);
void execution_destroy(struct execution **self_p);

/* The job's functions. */
void execution_run(struct job *job, void *thread_state);
void execution_interrupt(struct job *job, void *thread_state);

/* The same for System_GetMetrics, on the loop's thread: from the broker's statistics. */
void execution_take_statistics(struct execution *self, struct bytes statistics);

/* What a job thread has of its own.
 *
 * database  NULL: none is served; borrowed */
struct tool_thread *tool_thread_new(const struct database *database);
void tool_thread_destroy(struct tool_thread **self_p);

#endif
