/* requests - the bodies of requests, copied into tasks. See state.h. */
#include <assert.h>
#include <string.h>

#include "actors/driver/state.h"
#include "protocol/canonical.h"

static bool bad(struct failure_text *ret, const char *field, const char *message)
{
    *ret = (struct failure_text){.code = "BAD_ARGUMENTS", .field = field, .message = message};
    return false;
}

/* value  the options as they came; absent: none. Views in it must live as long as the task */
static bool read_options(const struct driver *self, struct task *task, struct bytes value,
                         struct failure_text *ret_fault)
{
    struct wishes *wishes = &task->wishes;
    struct msg_options said = {0};
    uint16_t flags = task->request.flags;
    if (value.data != NULL && message_decode(MSG_OPTIONS, value, &said) != STATUS_OK)
        return bad(ret_fault, "options", "an option has a wrong type or is too long");
    if (said.prefix.data != NULL && !key_is_namespace(said.prefix))
        return bad(ret_fault, "options/prefix", "a prefix is 1 to 50 of A-Z, a-z, 0-9 and _");
    wishes->has_scope = said.scope.data != NULL;
    if (wishes->has_scope && !key_scope_kind_of(said.scope, &wishes->scope))
        return bad(ret_fault, "options/scope", "a scope is public, tenant or user");
    wishes->no_cache = (flags & FLAG_NO_CACHE) != 0;
    wishes->refresh = (flags & FLAG_REFRESH) != 0;
    wishes->only_if_cached = (flags & FLAG_ONLY_IF_CACHED) != 0;
    wishes->stale_ok = said.stale_ok;
    wishes->max_age_ms = said.max_age_ms;
    wishes->ttl_ms = said.ttl_ms;
    wishes->ns = said.prefix.data != NULL ? name_of(said.prefix) : self->ns;
    wishes->version = name_of(said.version);
    wishes->after = said.after;
    return true;
}

bool requests_read_call(struct driver *self, struct task *task, struct bytes body,
                        struct failure_text *ret_fault)
{
    struct msg_call call = {{0}, {0}};
    *ret_fault = (struct failure_text){.code = "BUSY_FULL"};
    task->input = driver_take(self, body.size);
    if (task->input == NULL)
        return false;
    task->input_size = body.size;
    if (body.size > 0)
        memcpy(task->input, body.data, body.size);
    struct bytes input = {task->input, task->input_size};
    enum status status = body.data == NULL ? STATUS_OK : message_decode(MSG_CALL, input, &call);
    if (status == STATUS_TOO_LARGE)
        return bad(ret_fault, "arguments", "arguments or options are too large");
    if (status != STATUS_OK)
        return bad(ret_fault, "", "a call is a map of arguments and options");
    task->arguments = call.arguments;
    return read_options(self, task, call.options, ret_fault);
}

/* Behind what is there; absent bytes stay absent. */
static struct bytes append(struct task *task, struct bytes from)
{
    struct bytes to = {task->input + task->input_size, from.size};
    if (from.data == NULL)
        return (struct bytes){0};
    memcpy(task->input + task->input_size, from.data, from.size);
    task->input_size += from.size;
    return to;
}

bool requests_read_question(struct driver *self, struct task *task, const struct msg_query *query,
                            struct failure_text *ret_fault)
{
    struct fault fault;
    struct writer writer;
    struct bytes conversation = {0};
    *ret_fault = (struct failure_text){.code = "BUSY_FULL"};
    bool has_turns = query->conversation.data != NULL;
    if (has_turns && value_kind(query->conversation) != KIND_ARRAY)
        return bad(ret_fault, "conversation", "a conversation is an array");
    if (has_turns && self->planner == PLANNER_MODEL && !planner_model_takes(query->conversation))
        return bad(ret_fault, "conversation",
                   "a turn is a map of role, user or assistant, and text; or there are too many");
    if (has_turns && values_count(query->conversation) > 0) {
        writer_init(&writer, self->room, PAIR_BODY_BYTES_MAX);
        if (canonical_value(query->conversation, &writer, &fault) != STATUS_OK)
            return bad(ret_fault, "conversation", "a turn has what has no canonical form");
        conversation = writer_bytes(&writer);
    }
    size_t size = query->question.size + conversation.size + query->options.size;
    task->input = driver_take(self, size);
    if (task->input == NULL)
        return false;
    task->question = append(task, query->question);
    task->conversation = append(task, conversation);
    bool read = read_options(self, task, append(task, query->options), ret_fault);
    assert(task->input_size == size);
    return read;
}
