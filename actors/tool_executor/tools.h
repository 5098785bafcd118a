/* tools - the definitions of the tools that are served, ready for use: rows, schemas, hashes. First
 * the built-in ones, then what is added to them. */
#ifndef ACTORS_TOOL_EXECUTOR_TOOLS_H
#define ACTORS_TOOL_EXECUTOR_TOOLS_H

#include "actors/tool_executor/tool.h"

#define TOOL_REASON_BYTES 512u

/* What a plug-in calls its row; see plugins.h. */
struct tool_origin {
    const struct fact_tool *row; /* NULL: it is built in */
    unsigned plugin;             /* its number, from 0 */
};

struct tool {
    const char *name, *version, *description, *scope, *scopes;
    uint32_t timeout_ms, ttl_ms;
    unsigned concurrency;
    bool is_cached, is_for_tests, is_read_only, is_idempotent;
    tool_run *run; /* NULL: asked of the broker */
    const char *parameters_text, *result_text;
    struct tool_origin origin;

    /* From the texts, at the start. */
    struct bytes parameters, result; /* MessagePack, canonical */
    uint64_t schema;                 /* hash */
};

struct tools {
    struct tool list[TOOLS_MAX];
    size_t count;
    size_t definitions_bytes; /* of them, as messages; at most TOOL_DEFINITIONS_BYTES_MAX */
    char *memory;             /* of the schemas */
    size_t memory_used;
    char *room; /* TOOL_DEFINITIONS_BYTES_MAX, for what is written */
};

/* Parse and check all rows; asserts that they are right. with_test_tools: also those for tests. */
struct tools *tools_new(bool with_test_tools);
void tools_destroy(struct tools **self_p);

/* Add one more.
 *
 * row      copied; its texts are borrowed for as long as the tools live. What stands in it is
 *          trusted in nothing but that texts end in 0
 * reason   TOOL_REASON_BYTES; written on false
 * returns  false: it cannot be served, and the tools are as they were */
MUST_USE bool tools_add(struct tools *self, const struct tool *row, char *reason);

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
