/* tally - what became of the calls, by tool, and the last ones that gave no answer. Pure. */
#ifndef ACTORS_TOOL_EXECUTOR_TALLY_H
#define ACTORS_TOOL_EXECUTOR_TALLY_H

#include "actors/tool_executor/tools.h"

enum outcome {
    OUTCOME_OK,
    OUTCOME_APP_ERROR,
    OUTCOME_REFUSED,
    OUTCOME_EXPIRED,
    OUTCOME_CANCELLED,
    OUTCOME_FAILED,
    OUTCOME_COUNT
};

extern const char *const outcome_names[OUTCOME_COUNT];
enum outcome outcome_of(enum status status);

struct tally_error {
    const struct tool *tool;
    struct failure failure;
    int64_t unix_ms;
};

struct tally_row {
    uint64_t outcomes[OUTCOME_COUNT];
    uint64_t time_us, time_max_us;
    unsigned running, waiting; /* now */
};

struct tally {
    const struct tools *tools;        /* borrowed */
    struct tally_row rows[TOOLS_MAX]; /* as in tools */
    struct tally_error errors[TOOL_ERRORS_MAX];
    uint64_t error_count; /* ever; the newest stands at (error_count - 1) % TOOL_ERRORS_MAX */
};

struct tally_row *tally_row(struct tally *self, const struct tool *tool);

/* A call has ended.
 *
 * failure   status OK: it was answered
 * taken_us  on a thread; 0: it never was */
void tally_ended(struct tally *self, const struct tool *tool, const struct failure *failure,
                 int64_t taken_us, int64_t unix_ms);

/* Message executor_statistics: the rest of it, with tools, and errors with the newest first.
 *
 * returns  OK; TOO_LARGE: it does not fit */
MUST_USE enum status tally_write(const struct tally *self,
                                 const struct msg_executor_statistics *rest, struct writer *writer);

#endif
