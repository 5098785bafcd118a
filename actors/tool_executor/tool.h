/* tool - what every tool is: a row of tools.def, and a function that runs on a job thread.
 *
 * A tool gets arguments that its schema allows, in canonical form with defaults filled in, and ends
 * by its deadline, or soon after it is cancelled. It writes a map as its result schema says, or
 * fails; only who runs it says that it succeeded. */
#ifndef ACTORS_TOOL_EXECUTOR_TOOL_H
#define ACTORS_TOOL_EXECUTOR_TOOL_H

#include "actors/tool_executor/database/sqlite.h"

#define TOOL_DEPS_BYTES_MAX 4096u

/* What a job thread has of its own. */
struct tool_thread {
    struct sqlite *sqlite; /* NULL: no database is served */
    char *data, *reply;    /* RESULT_BYTES_MAX and PAIR_BODY_BYTES_MAX bytes; reply: for whoever
                            * runs the tool, which may use it meanwhile */
    void **plugins;        /* what each plug-in has on this thread, by its number; NULL: none is */
};

struct tool;

/* One call, on the thread that runs it. */
struct tool_call {
    struct tool_thread *thread;
    const struct tool *tool;
    struct bytes arguments; /* a map */
    struct budget budget;
    uint64_t number; /* of the calls of this process, from 1 */
};

struct tool_output {
    struct writer data; /* RESULT_BYTES_MAX: the result; what does not fit is an error */
    struct writer deps; /* an array of texts; nothing written: it depends on nothing */
    int64_t as_of;      /* Unix time, milliseconds; as it comes: when the call came */
    bool truncated;
};

/* returns  false: failure says why */
typedef bool tool_run(struct tool_call *call, struct tool_output *out, struct failure *failure);

/* A duty of long work: has it been cancelled, or is its time over? */
bool tool_cancelled(const struct tool_call *call);

/* An argument of a call; absent ones, which have no default, are data NULL, 0 or false. */
struct bytes tool_text(const struct tool_call *call, const char *name);
uint64_t tool_u64(const struct tool_call *call, const char *name);
double tool_f64(const struct tool_call *call, const char *name);

#endif
