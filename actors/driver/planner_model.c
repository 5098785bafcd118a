/* planner_model - see planner_model.h.
 *
 * The conversation lies in one piece of memory, as the list of messages that the next turn sends:
 * its head has a fixed width and is written last. What a call is known by stays there, too, so
 * that results find it. */
#include "actors/driver/planner_model.h"

#include <assert.h>
#include <string.h>

#define HEAD_BYTES 3u /* an array of up to 65,535 */
#define USER "user"
#define ASSISTANT "assistant"
#define ERROR_BYTES 256u /* of a result that there is no room for, and around its id */
#define RESULT_BYTES_MIN (MODEL_CALL_ID_BYTES_MAX + ERROR_BYTES)

/* --- the conversation --- */

static void begin_writing(const struct talk *self, struct writer *writer)
{
    writer_init(writer, self->memory + self->used, MODEL_CONVERSATION_BYTES_MAX - self->used);
}

static void keep(struct talk *self, const struct writer *writer)
{
    assert(!writer->full);
    self->used += writer->used;
    self->messages++;
    assert(self->messages <= MODEL_MESSAGES_MAX);
}

static void say(struct talk *self, const char *role, struct bytes text)
{
    struct writer writer;
    struct msg_model_message message = {.role = bytes_of(role), .text = text};
    begin_writing(self, &writer);
    enum status status = message_write(MSG_MODEL_MESSAGE, &message, &writer);
    assert(status == STATUS_OK); /* earlier turns and a question fit: see the assert below */
    keep(self, &writer);
}
_Static_assert(65536u + QUESTION_BYTES_MAX + MODEL_MESSAGES_MAX * 32u <=
                   MODEL_CONVERSATION_BYTES_MAX,
               "a conversation as message query bounds it, and a question");

static bool is_turn(struct bytes element, struct msg_conversation_turn *ret)
{
    return message_decode(MSG_CONVERSATION_TURN, element, ret) == STATUS_OK &&
           (bytes_are(ret->role, USER) || bytes_are(ret->role, ASSISTANT)) && ret->text.size > 0;
}

bool planner_model_takes(struct bytes conversation)
{
    struct msg_conversation_turn turn;
    struct values values = values_over(conversation);
    struct bytes element;
    if (conversation.data == NULL)
        return true;
    if (values.left > MODEL_MESSAGES_MAX - 1 - 2 * MODEL_ROUNDS_MAX)
        return false;
    while (values_next(&values, &element))
        if (!is_turn(element, &turn))
            return false;
    return true;
}

void planner_model_begin(struct talk *self, char *memory, struct bytes conversation,
                         struct bytes question)
{
    struct msg_conversation_turn turn;
    struct values values = values_over(conversation);
    struct bytes element;
    *self = (struct talk){.memory = memory, .used = HEAD_BYTES};
    while (values_next(&values, &element)) {
        bool is = is_turn(element, &turn);
        assert(is); /* planner_model_takes() */
        say(self, bytes_are(turn.role, USER) ? USER : ASSISTANT, turn.text);
    }
    say(self, USER, question);
}

/* Which tools it may call now: on the last turn none, on the first perhaps one. */
static struct bytes choice_of(const struct talk *self, const struct model_terms *terms)
{
    if (self->rounds == terms->rounds_max)
        return bytes_of("none");
    return self->rounds == 0 ? terms->first_tool : (struct bytes){0};
}

struct bytes planner_model_turn(struct talk *self, const struct model_terms *terms,
                                struct bytes tools, char *out)
{
    struct bytes body;
    struct msg_model_turn turn = {.provider = terms->provider,
                                  .model = terms->model,
                                  .max_tokens = terms->max_tokens,
                                  .system = terms->system,
                                  .messages = {self->memory, self->used},
                                  .tools = tools,
                                  .choice = choice_of(self, terms)};
    (void)cursor_put(self->memory, TAG_ARRAY16, 2, self->messages);
    enum status status = message_encode(MSG_MODEL_TURN, &turn, out, PAIR_BODY_BYTES_MAX, &body);
    assert(status == STATUS_OK); /* limits.h has that they fit together */
    return body;
}

/* --- what it says --- */

static void add_tokens(struct model_usage *usage, enum tokens kind, struct bytes value)
{
    uint64_t number;
    if (value.data == NULL || !value_u64(value, &number))
        return;
    usage->tokens[kind] += number;
    usage->said[kind]++;
}

static void take_usage(struct model_usage *self, struct bytes value)
{
    struct msg_model_usage usage = {0};
    self->turns++;
    if (value.data == NULL || message_decode(MSG_MODEL_USAGE, value, &usage) != STATUS_OK)
        return;
    add_tokens(self, TOKENS_INPUT, usage.input);
    add_tokens(self, TOKENS_OUTPUT, usage.output);
    add_tokens(self, TOKENS_CACHE_WRITTEN, usage.cache_written);
    add_tokens(self, TOKENS_CACHE_READ, usage.cache_read);
    if (usage.model.size > 0) {
        memcpy(self->model, usage.model.data, usage.model.size);
        self->model_size = usage.model.size;
    }
}

/* Write what it asks for behind what was said; what is no map of arguments is none.
 *
 * returns  false: a call is none at all, or there is no room for it */
static bool write_call(struct writer *writer, struct bytes element)
{
    struct msg_model_call call;
    if (message_decode(MSG_MODEL_CALL, element, &call) != STATUS_OK)
        return false;
    if (call.arguments.data != NULL &&
        (value_kind(call.arguments) != KIND_MAP || !value_check(call.arguments, MODEL_NESTING_MAX)))
        call.arguments.data = NULL;
    return message_write(MSG_MODEL_CALL, &call, writer) == STATUS_OK;
}

/* Its turn goes into the conversation; with room left for what the calls come to.
 *
 * ret_calls  a list, in the talk's memory
 * returns    false: it cannot be kept, and nothing was */
static bool keep_turn(struct talk *self, const struct msg_model_turn_result *came,
                      struct bytes *ret_calls)
{
    struct writer writer;
    struct values values = values_over(came->calls);
    size_t count = (size_t)values.left, left = MODEL_CONVERSATION_BYTES_MAX - self->used;
    struct bytes element;
    bool has_text = came->text.size > 0;
    begin_writing(self, &writer);
    writer_map(&writer, has_text ? 3 : 2);
    writer_cstr(&writer, "role");
    writer_cstr(&writer, ASSISTANT);
    if (has_text) {
        writer_cstr(&writer, "text");
        writer_text(&writer, came->text);
    }
    writer_cstr(&writer, "calls");
    size_t from = writer.used;
    writer_array(&writer, count);
    while (values_next(&values, &element))
        if (!write_call(&writer, element))
            return false;
    if (writer.full || left - writer.used < count * RESULT_BYTES_MIN + ERROR_BYTES)
        return false;
    *ret_calls = (struct bytes){writer.data + from, writer.used - from};
    keep(self, &writer);
    return true;
}

static void refuse(struct planner_call *call, const char *code, const char *reason)
{
    call->code = code;
    call->reason = reason;
}

static struct planner_call plan_call(struct bytes element, size_t place,
                                     const struct model_tools *tools)
{
    struct msg_model_call came;
    enum status status = message_decode(MSG_MODEL_CALL, element, &came);
    assert(status == STATUS_OK); /* it was written here */
    struct planner_call call = {
        .tool = model_tools_find(tools, came.tool), .arguments = came.arguments, .id = came.id};
    if (call.tool == NULL)
        refuse(&call, "TOOL_NOT_FOUND", "no tool of this name is offered");
    else if (call.arguments.data == NULL)
        refuse(&call, "BAD_ARGUMENTS", "the arguments are no JSON object");
    else if (place >= MODEL_CALLS_RUN_MAX)
        refuse(&call, "TOO_MANY_CALLS", "so many calls are not made in one turn: ask again");
    return call;
}

static enum turn_end take_calls(struct talk *self, const struct msg_model_turn_result *came,
                                const struct model_tools *tools, struct planner_step *ret)
{
    struct bytes calls, element;
    if (!keep_turn(self, came, &calls))
        return TURN_NOTHING;
    struct values values = values_over(calls);
    self->rounds++;
    ret->next = PLANNER_CALL;
    while (values_next(&values, &element)) {
        assert(ret->call_count < PLANNER_CALLS_MAX);
        ret->calls[ret->call_count] = plan_call(element, ret->call_count, tools);
        ret->call_count++;
    }
    return TURN_CALLS;
}

enum turn_end planner_model_take(struct talk *self, const struct model_terms *terms,
                                 const struct msg_model_turn_result *came,
                                 const struct model_tools *tools, struct planner_step *ret)
{
    bool has_calls = values_count(came->calls) > 0;
    bool is_last = self->rounds == terms->rounds_max;
    *ret = (struct planner_step){.next = PLANNER_ANSWER, .text = came->text};
    take_usage(&self->usage, came->usage);
    if (bytes_are(came->end, "refused"))
        return TURN_REFUSED;
    if (bytes_are(came->end, "length"))
        return TURN_LENGTH;
    if (has_calls)
        return is_last ? TURN_EXHAUSTED : take_calls(self, came, tools, ret);
    if (came->text.size > 0)
        return TURN_TEXT;
    return is_last ? TURN_EXHAUSTED : TURN_NOTHING;
}

/* --- what it is told --- */

static void write_no_room(struct writer *writer, struct bytes id)
{
    struct msg_model_result result = {.id = id, .failed = true};
    char room[ERROR_BYTES / 2];
    struct writer error;
    struct msg_failure failure = {.code = bytes_of("TOO_LARGE"),
                                  .message = bytes_of("no room is left for this result")};
    writer_init(&error, room, sizeof room);
    writer_map(&error, 1);
    writer_cstr(&error, "error");
    enum status status = message_write(MSG_FAILURE, &failure, &error);
    assert(status == STATUS_OK);
    result.value = writer_bytes(&error);
    status = message_write(MSG_MODEL_RESULT, &result, writer);
    assert(status == STATUS_OK); /* keep_turn() left room */
}

/* Bytes that a result takes at most around its value. */
static bool has_room(const struct writer *writer, const struct msg_model_result *result,
                     size_t others)
{
    size_t left = writer->size - writer->used;
    return result->value.size + RESULT_BYTES_MIN + others * RESULT_BYTES_MIN <= left;
}

void planner_model_tell(struct talk *self, const struct msg_model_result *results, size_t count)
{
    struct writer writer;
    begin_writing(self, &writer);
    writer_map(&writer, 2);
    writer_cstr(&writer, "role");
    writer_cstr(&writer, USER);
    writer_cstr(&writer, "results");
    writer_array(&writer, count);
    for (size_t i = 0; i < count; i++) {
        bool fits = has_room(&writer, &results[i], count - 1 - i) &&
                    message_write(MSG_MODEL_RESULT, &results[i], &writer) == STATUS_OK;
        if (!fits)
            write_no_room(&writer, results[i].id);
    }
    keep(self, &writer);
}

struct bytes planner_model_usage(const struct talk *self, char *out, size_t size)
{
    char numbers[TOKENS_COUNT][9];
    struct bytes values[TOKENS_COUNT] = {{0}}, body = {0};
    const struct model_usage *usage = &self->usage;
    if (usage->turns == 0)
        return body;
    for (int i = 0; i < TOKENS_COUNT; i++) {
        struct writer writer;
        writer_init(&writer, numbers[i], sizeof numbers[i]);
        writer_u64(&writer, usage->tokens[i]);
        if (usage->said[i] == usage->turns) /* else it is not the sum */
            values[i] = writer_bytes(&writer);
    }
    struct msg_model_usage message = {.turns = usage->turns,
                                      .input = values[TOKENS_INPUT],
                                      .output = values[TOKENS_OUTPUT],
                                      .cache_written = values[TOKENS_CACHE_WRITTEN],
                                      .cache_read = values[TOKENS_CACHE_READ]};
    if (usage->model_size > 0)
        message.model = (struct bytes){usage->model, usage->model_size};
    enum status status = message_encode(MSG_MODEL_USAGE, &message, out, size, &body);
    assert(status == STATUS_OK); /* a name within its bound, and numbers */
    return body;
}
