/* tools - the definitions of the built-in tools, ready for use: rows, schemas, hashes. */
#ifndef ACTORS_TOOL_EXECUTOR_TOOLS_H
#define ACTORS_TOOL_EXECUTOR_TOOLS_H

#include "actors/tool_executor/tool.h"

#define TOOLS_MAX 16u

struct tool {
    const char *name, *version, *description, *scope, *scopes;
    uint32_t timeout_ms, ttl_ms;
    unsigned concurrency;
    bool is_cached, is_for_tests;
    tool_run *run; /* NULL: asked of the broker */
    const char *parameters_text, *result_text;

    /* From the texts, at the start. */
    struct bytes parameters, result; /* MessagePack, canonical */
    uint64_t schema;                 /* hash */
};

struct tools {
    struct tool list[TOOLS_MAX];
    size_t count;
    char *memory; /* of the schemas */
};

/* Parse and check all rows; asserts that they are right. with_test_tools: also those for tests. */
struct tools *tools_new(bool with_test_tools);
void tools_destroy(struct tools **self_p);

/* By name, or by its alias with a dot; NULL: none. */
const struct tool *tools_find(const struct tools *self, struct bytes name);

/* Arguments of a call, held to the tool's schema.
 *
 * out      gets them, canonical, with defaults
 * returns  false: failure says what is wrong, and where */
MUST_USE bool tool_arguments(const struct tool *tool, struct bytes arguments, struct writer *out,
                             struct failure *failure);

/* Message tool_definitions: of all, or of one; of an unknown name none.
 *
 * name     data NULL: all
 * returns  OK; TOO_LARGE: it does not fit */
MUST_USE enum status tools_write(const struct tools *self, struct bytes name,
                                 struct writer *writer);

#endif
