/* tool_run - see tool_run.h. */
#include "tests/support/tool_run.h"

#include <stdlib.h>
#include <string.h>

#include "actors/runtime/json_text.h"
#include "protocol/schema.h"
#include "tests/support/suite.h"

struct tool_run *tool_run_new(const struct database *database)
{
    struct tool_run *self = calloc(1, sizeof *self);
    ck_assert_ptr_nonnull(self);
    self->tools = tools_new(true);
    self->thread = tool_thread_new(database);
    self->arguments = malloc(CANONICAL_BYTES_MAX);
    ck_assert_ptr_nonnull(self->arguments);
    return self;
}

void tool_run_destroy(struct tool_run **self_p)
{
    if (*self_p == NULL)
        return;
    tools_destroy(&(*self_p)->tools);
    tool_thread_destroy(&(*self_p)->thread);
    free((*self_p)->arguments);
    free(*self_p);
    *self_p = NULL;
}

struct bytes tool_run_call_with(struct tool_run *self, const char *name, struct bytes arguments)
{
    struct writer canonical;
    struct fault fault;
    const struct tool *tool = tools_find(self->tools, bytes_of(name));
    ck_assert_ptr_nonnull(tool);
    self->failure = (struct failure){.status = STATUS_OK};
    writer_init(&canonical, self->arguments, CANONICAL_BYTES_MAX);
    if (!tool_arguments(tool, arguments, &canonical, &self->failure))
        return (struct bytes){NULL, 0};
    struct tool_call call = {
        .thread = self->thread,
        .tool = tool,
        .arguments = writer_bytes(&canonical),
        .budget = {sqlite_clock_us() + TOOL_RUN_MS * US_PER_MS, &self->cancelled},
        .number = ++self->calls,
    };
    self->output = (struct tool_output){.as_of = 0};
    writer_init(&self->output.data, self->thread->data, RESULT_BYTES_MAX);
    writer_init(&self->output.deps, self->deps, sizeof self->deps);
    bool done = tool->run(&call, &self->output, &self->failure);
    ck_assert_int_eq(done, self->failure.status == STATUS_OK);
    if (!done)
        return (struct bytes){NULL, 0};
    struct bytes data = writer_bytes(&self->output.data);
    ck_assert_ptr_nonnull(data.data);
    ck_assert_msg(schema_validate(data, tool->result, &fault) == STATUS_OK, "%s %s", fault.path,
                  fault.reason);
    return data;
}

struct bytes tool_run_call(struct tool_run *self, const char *tool, const char *arguments)
{
    char *packed = malloc(CANONICAL_BYTES_MAX);
    struct writer writer;
    struct json_fault fault;
    ck_assert_ptr_nonnull(packed);
    writer_init(&writer, packed, CANONICAL_BYTES_MAX);
    ck_assert_msg(json_text_read(bytes_of(arguments), 10, &writer, &fault), "%s", fault.reason);
    struct bytes data = tool_run_call_with(self, tool, writer_bytes(&writer));
    free(packed);
    return data;
}

void tool_run_expect_text(struct bytes map, const char *key, const char *expected)
{
    struct bytes text;
    ck_assert_msg(value_text(value_find(map, key), &text), "%s is no text", key);
    ck_assert_msg(bytes_are(text, expected), "%s: %.*s, not %s", key, (int)text.size, text.data,
                  expected);
}

void tool_run_expect_integer(struct bytes map, const char *key, int64_t expected)
{
    int64_t number;
    ck_assert_msg(value_i64(value_find(map, key), &number), "%s is no integer", key);
    ck_assert_int_eq(number, expected);
}

struct bytes tool_run_item(struct bytes array, unsigned index)
{
    struct values values = values_over(array);
    struct bytes value = {NULL, 0};
    for (unsigned i = 0; i <= index; i++)
        ck_assert(values_next(&values, &value));
    return value;
}
