/* tool_run - one tool, run in the test as its job thread would, without the role around it. */
#ifndef TESTS_SUPPORT_TOOL_RUN_H
#define TESTS_SUPPORT_TOOL_RUN_H

#include "actors/tool_executor/execution.h"

#define TOOL_RUN_MS 20000

struct tool_run {
    struct tools *tools; /* with those for tests */
    struct tool_thread *thread;
    _Atomic bool cancelled;
    uint64_t calls;
    char *arguments; /* CANONICAL_BYTES_MAX */
    char deps[TOOL_DEPS_BYTES_MAX];
    struct tool_output output;
    struct failure failure; /* of the last call; status OK: it was answered */
};

/* database: NULL: none is served; borrowed */
struct tool_run *tool_run_new(const struct database *database);
void tool_run_destroy(struct tool_run **self_p);

/* Call a tool with arguments written as JSON; its result is held to its schema.
 *
 * returns  the result; data NULL: failure says why there is none */
struct bytes tool_run_call(struct tool_run *self, const char *tool, const char *arguments);

/* The same with arguments in MessagePack. */
struct bytes tool_run_call_with(struct tool_run *self, const char *tool, struct bytes arguments);

/* A text of a map, asserted to be there and equal. */
void tool_run_expect_text(struct bytes map, const char *key, const char *expected);
void tool_run_expect_integer(struct bytes map, const char *key, int64_t expected);

/* The element of an array. */
struct bytes tool_run_item(struct bytes array, unsigned index);

#endif
