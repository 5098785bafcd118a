/* plugin_run - one call of a plug-in's tool: the functions of struct fact_host, and what is held to
 * be true of a call before it counts.
 *
 * The pointer that a tool hands in is the first member of our own struct, which lives on the stack
 * of the thread that runs it. */
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "actors/tool_executor/plugins.h"
#include "protocol/canonical.h"

#define RESULT_NESTING_MAX (BODY_NESTING_MAX - 2u) /* it goes into the body of a reply, and on */
#define UNAVAILABLE_RETRY_MS 1000u
#define ARRAY_HEAD_BYTES 3u /* of so many dependencies as fit */

struct plugin_call {
    struct fact_call call; /* first */
    const struct tool_call *own;
    struct tool_output *out;
    struct failure *failure;
    struct writer deps;
    size_t deps_count;
    char deps_room[TOOL_DEPS_BYTES_MAX - ARRAY_HEAD_BYTES];
};

static struct plugin_call *of(const struct fact_call *call)
{
    return (struct plugin_call *)(uintptr_t)call;
}

static struct bytes bytes_in(struct fact_view view)
{
    return (struct bytes){view.data, view.size};
}

static struct fact_view view_of(struct bytes bytes)
{
    return (struct fact_view){bytes.data, bytes.size};
}

/* Values. */

static size_t host_count(struct fact_view container)
{
    uint64_t values = values_count(bytes_in(container));
    return (size_t)(value_kind(bytes_in(container)) == KIND_MAP ? values / 2 : values);
}

static struct fact_view host_element(struct fact_view container, size_t index)
{
    struct values values = values_over(bytes_in(container));
    struct bytes value = {NULL, 0};
    for (size_t i = 0; i <= index; i++)
        if (!values_next(&values, &value))
            return (struct fact_view){NULL, 0};
    return view_of(value);
}

static struct fact_view host_find(struct fact_view map, const char *key)
{
    return view_of(value_find(bytes_in(map), key));
}

static bool host_read_text(struct fact_view value, struct fact_view *ret)
{
    struct bytes text;
    if (!value_text(bytes_in(value), &text))
        return false;
    *ret = view_of(text);
    return true;
}

static bool host_read_integer(struct fact_view value, int64_t *ret)
{
    return value_i64(bytes_in(value), ret);
}

static bool host_read_number(struct fact_view value, double *ret)
{
    return value_f64(bytes_in(value), ret);
}

static bool host_read_boolean(struct fact_view value, bool *ret)
{
    return value_bool(bytes_in(value), ret);
}

/* Arguments. */

static struct fact_view host_argument(const struct fact_call *call, const char *name)
{
    return host_find(call->arguments, name);
}

static struct fact_view host_text(const struct fact_call *call, const char *name)
{
    struct fact_view text = {NULL, 0};
    (void)host_read_text(host_argument(call, name), &text);
    return text;
}

static int64_t host_integer(const struct fact_call *call, const char *name)
{
    int64_t value = 0;
    (void)host_read_integer(host_argument(call, name), &value);
    return value;
}

static double host_number(const struct fact_call *call, const char *name)
{
    double value = 0;
    (void)host_read_number(host_argument(call, name), &value);
    return value;
}

static bool host_boolean(const struct fact_call *call, const char *name)
{
    bool value = false;
    (void)host_read_boolean(host_argument(call, name), &value);
    return value;
}

/* Time. */

static bool host_cancelled(const struct fact_call *call)
{
    return tool_cancelled(of(call)->own);
}

static int64_t host_left_us(const struct fact_call *call)
{
    return of(call)->own->budget.deadline_at - sqlite_clock_us();
}

/* The result. */

static struct writer *data_of(const struct fact_call *call)
{
    return &of(call)->out->data;
}

static void host_put_map(const struct fact_call *call, size_t pairs)
{
    writer_map(data_of(call), pairs);
}

static void host_put_array(const struct fact_call *call, size_t elements)
{
    writer_array(data_of(call), elements);
}

static void host_put_text(const struct fact_call *call, struct fact_view text)
{
    writer_text(data_of(call), bytes_in(text));
}

static void host_put_string(const struct fact_call *call, const char *text)
{
    writer_cstr(data_of(call), text);
}

static void host_put_integer(const struct fact_call *call, int64_t value)
{
    writer_i64(data_of(call), value);
}

static void host_put_number(const struct fact_call *call, double value)
{
    writer_f64(data_of(call), value);
}

static void host_put_boolean(const struct fact_call *call, bool value)
{
    writer_bool(data_of(call), value);
}

static void host_put_null(const struct fact_call *call)
{
    writer_nil(data_of(call));
}

static void host_put_value(const struct fact_call *call, struct fact_view value)
{
    writer_raw(data_of(call), bytes_in(value));
}

static size_t host_room(const struct fact_call *call)
{
    const struct writer *data = data_of(call);
    return data->full ? 0 : data->size - data->used;
}

static void host_depends(const struct fact_call *call, const char *on)
{
    struct plugin_call *self = of(call);
    writer_cstr(&self->deps, on);
    self->deps_count++;
}

static void host_as_of(const struct fact_call *call, uint64_t unix_ms)
{
    of(call)->out->as_of = (int64_t)unix_ms;
}

static void host_truncated(const struct fact_call *call)
{
    of(call)->out->truncated = true;
}

/* Failing. */

static enum status status_of(const char *code)
{
    if (strcmp(code, "BAD_ARGUMENTS") == 0)
        return STATUS_BAD_REQUEST;
    if (strcmp(code, "UNAVAILABLE") == 0)
        return STATUS_CIRCUIT_OPEN;
    return strcmp(code, "DEADLINE") == 0 ? STATUS_DEADLINE_RUNNING : STATUS_APP_ERROR;
}

static bool is_code(const char *code)
{
    size_t size = strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
    return size > 0 && size <= 64 && code[size] == '\0';
}

static bool host_fail(const struct fact_call *call, const char *code, const char *format, ...)
{
    struct failure *failure = of(call)->failure;
    char message[sizeof failure->message + 4]; /* what is cut is cut again between characters */
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    code = is_code(code) ? code : "TOOL_FAILED";
    failure_set(failure, status_of(code), code, "%s", message);
    if (failure->status == STATUS_CIRCUIT_OPEN)
        failure->retry_after_ms = UNAVAILABLE_RETRY_MS;
    return false;
}

static void host_fail_field(const struct fact_call *call, const char *path)
{
    failure_field(of(call)->failure, "%s", path);
}

static void host_fail_hint(const struct fact_call *call, const char *hint)
{
    failure_hint(of(call)->failure, "%s", hint);
}

static const struct fact_host host = {
    .text = host_text,
    .integer = host_integer,
    .number = host_number,
    .boolean = host_boolean,
    .argument = host_argument,
    .count = host_count,
    .element = host_element,
    .find = host_find,
    .read_text = host_read_text,
    .read_integer = host_read_integer,
    .read_number = host_read_number,
    .read_boolean = host_read_boolean,
    .cancelled = host_cancelled,
    .left_us = host_left_us,
    .put_map = host_put_map,
    .put_array = host_put_array,
    .put_text = host_put_text,
    .put_string = host_put_string,
    .put_integer = host_put_integer,
    .put_number = host_put_number,
    .put_boolean = host_put_boolean,
    .put_null = host_put_null,
    .put_value = host_put_value,
    .room = host_room,
    .depends = host_depends,
    .as_of = host_as_of,
    .truncated = host_truncated,
    .fail = host_fail,
    .fail_field = host_fail_field,
    .fail_hint = host_fail_hint,
};

/* The dependencies behind their number. */
static bool finish_deps(const struct plugin_call *self)
{
    if (self->deps.full)
        return failure_set(self->failure, STATUS_APP_ERROR, "LIMIT",
                           "the dependencies pass a limit: %zu bytes", sizeof self->deps_room);
    if (self->deps_count == 0)
        return true;
    writer_array(&self->out->deps, self->deps_count);
    writer_raw(&self->out->deps, writer_bytes(&self->deps));
    assert(!self->out->deps.full);
    return true;
}

/* What schemas take for granted: one value, of the kinds that JSON has, not too deep. What is too
 * large, or is not what the schema says, is told by who runs the tool. */
static bool check_result(const struct plugin_call *self)
{
    struct bytes data = writer_bytes(&self->out->data);
    struct writer room;
    struct fault fault;
    if (self->out->data.full)
        return true;
    if (!value_check(data, RESULT_NESTING_MAX))
        return failure_set(self->failure, STATUS_APP_ERROR, "TOOL_FAILED",
                           "the tool's result is not one whole value, at most %u deep",
                           RESULT_NESTING_MAX);
    writer_init(&room, self->own->thread->reply, PAIR_BODY_BYTES_MAX);
    if (canonical_value(data, &room, &fault) == STATUS_OK)
        return true;
    return failure_set(self->failure, STATUS_APP_ERROR, "TOOL_FAILED",
                       "the tool's result is no JSON: %s %s", fault.path, fault.reason);
}

bool plugin_run(struct tool_call *own, struct tool_output *out, struct failure *failure)
{
    const struct tool_origin *origin = &own->tool->origin;
    struct plugin_call self = {
        .call = {.host = &host,
                 .tool = origin->row,
                 .arguments = view_of(own->arguments),
                 .number = own->number,
                 .thread_state = own->thread->plugins[origin->plugin]},
        .own = own,
        .out = out,
        .failure = failure,
    };
    writer_init(&self.deps, self.deps_room, sizeof self.deps_room);
    bool done = origin->row->run(&self.call);
    if (failure->status != STATUS_OK)
        return false;
    if (!done)
        return failure_set(failure, STATUS_APP_ERROR, "TOOL_FAILED", "it gave no reason");
    if (tool_cancelled(own))
        return failure_set(failure, STATUS_DEADLINE_RUNNING, "DEADLINE",
                           "the tool did not end within its time");
    return check_result(&self) && finish_deps(&self);
}
