/* model_openai - Chat Completions, of OpenAI and of the many who speak like it. See model_api.h.
 *
 * Arguments come and go as a text of JSON that the model itself has written, and so may be none.
 * source: platform.openai.com, Chat Completions, Function calling */
#include "actors/arcade_gateway/model_api.h"

#include <string.h>

#include "actors/runtime/json_text.h"

static void write_pair(struct writer *out, const char *key, const char *value)
{
    writer_cstr(out, key);
    writer_cstr(out, value);
}

static void write_text_pair(struct writer *out, const char *key, struct bytes value)
{
    writer_cstr(out, key);
    writer_text(out, value);
}

static void write_calls(struct writer *out, struct bytes calls)
{
    struct values values = values_over(calls);
    struct msg_model_call call;
    writer_cstr(out, "tool_calls");
    writer_array(out, model_count(MSG_MODEL_CALL, calls));
    while (model_next(MSG_MODEL_CALL, &values, &call)) {
        writer_map(out, 3);
        write_text_pair(out, "id", call.id);
        write_pair(out, "type", "function");
        writer_cstr(out, "function");
        writer_map(out, 2);
        write_text_pair(out, "name", call.tool);
        writer_cstr(out, "arguments");
        if (call.arguments.data != NULL)
            model_write_as_text(out, call.arguments);
        else
            writer_text(out, call.malformed.data != NULL ? call.malformed : bytes_of("{}"));
    }
}

/* A message of each; that one has failed its content says. */
static void write_results(struct writer *out, struct bytes results)
{
    struct values values = values_over(results);
    struct msg_model_result result;
    while (model_next(MSG_MODEL_RESULT, &values, &result)) {
        writer_map(out, 3);
        write_pair(out, "role", "tool");
        write_text_pair(out, "tool_call_id", result.id);
        writer_cstr(out, "content");
        model_write_as_text(out, result.value);
    }
}

/* One that has neither text nor calls is its results alone. */
static bool is_message(const struct msg_model_message *message)
{
    return message->text.size > 0 || model_count(MSG_MODEL_CALL, message->calls) > 0;
}

static void write_message(const struct msg_model_message *message, struct writer *out)
{
    bool has_calls = model_count(MSG_MODEL_CALL, message->calls) > 0;
    write_results(out, message->results);
    if (!is_message(message))
        return;
    writer_map(out, has_calls ? 3 : 2);
    write_text_pair(out, "role", message->role);
    writer_cstr(out, "content");
    if (message->text.size > 0)
        writer_text(out, message->text);
    else
        writer_nil(out);
    if (has_calls)
        write_calls(out, message->calls);
}

static void write_messages(const struct msg_model_turn *turn, struct writer *out)
{
    struct values values = values_over(turn->messages);
    struct msg_model_message message;
    bool has_system = turn->system.size > 0;
    size_t count = has_system;
    while (model_next(MSG_MODEL_MESSAGE, &values, &message))
        count += is_message(&message) + model_count(MSG_MODEL_RESULT, message.results);
    writer_cstr(out, "messages");
    writer_array(out, count);
    if (has_system) {
        writer_map(out, 2);
        write_pair(out, "role", "system");
        write_text_pair(out, "content", turn->system);
    }
    values = values_over(turn->messages);
    while (model_next(MSG_MODEL_MESSAGE, &values, &message))
        write_message(&message, out);
}

static void write_tools(const struct msg_model_turn *turn, struct writer *out)
{
    struct values values = values_over(turn->tools);
    struct msg_model_tool tool;
    writer_cstr(out, "tools");
    writer_array(out, model_count(MSG_MODEL_TOOL, turn->tools));
    while (model_next(MSG_MODEL_TOOL, &values, &tool)) {
        bool has_description = tool.description.data != NULL;
        writer_map(out, 2);
        write_pair(out, "type", "function");
        writer_cstr(out, "function");
        writer_map(out, 2u + has_description);
        write_text_pair(out, "name", tool.name);
        if (has_description)
            write_text_pair(out, "description", tool.description);
        writer_cstr(out, "parameters");
        model_write_schema(out, &tool);
    }
}

static void write_choice(struct bytes choice, struct writer *out)
{
    writer_cstr(out, "tool_choice");
    if (bytes_are(choice, "auto") || bytes_are(choice, "none")) {
        writer_text(out, choice);
        return;
    }
    writer_map(out, 2);
    write_pair(out, "type", "function");
    writer_cstr(out, "function");
    writer_map(out, 1);
    write_text_pair(out, "name", choice);
}

static void write(const struct msg_model_turn *turn, struct writer *out)
{
    bool has_tools = model_count(MSG_MODEL_TOOL, turn->tools) > 0;
    bool has_choice = has_tools && turn->choice.size > 0;
    writer_map(out, 3u + has_tools + has_choice);
    write_text_pair(out, "model", turn->model);
    writer_cstr(out, "max_completion_tokens");
    writer_u64(out, turn->max_tokens);
    write_messages(turn, out);
    if (has_tools)
        write_tools(turn, out);
    if (has_choice)
        write_choice(turn->choice, out);
}

static const char *end_of(struct bytes reason)
{
    static const char *const ends[][2] = {{"stop", "stop"},
                                          {"tool_calls", "tools"},
                                          {"length", "length"},
                                          {"content_filter", "refused"}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (bytes_are(reason, ends[i][0]))
            return ends[i][1];
    return NULL;
}

/* As much of a text as may be kept, in whole characters. */
static struct bytes cut(struct bytes text, size_t most)
{
    if (text.size > most)
        text.size = most;
    while (text.size > 0 && !cursor_is_utf8(text))
        text.size--;
    return text;
}

/* An empty text is what some write where there are no arguments. */
static void read_call(struct bytes call, struct model_said *ret)
{
    char room[MODEL_ARGUMENTS_BYTES_MAX];
    struct writer writer;
    struct json_fault fault;
    struct bytes function = value_find(call, "function");
    struct bytes text = model_text_in(function, "arguments"), arguments = {"\x80", 1};
    if (text.size > 0) {
        writer_init(&writer, room, sizeof room);
        bool is_json = json_text_read(text, MODEL_NESTING_MAX, &writer, &fault);
        arguments = is_json ? writer_bytes(&writer) : (struct bytes){0};
    }
    if (arguments.data != NULL && value_kind(arguments) != KIND_MAP)
        arguments = (struct bytes){0};
    model_say_call(ret, model_text_in(call, "id"), model_text_in(function, "name"), arguments,
                   cut(text, MODEL_ARGUMENTS_BYTES_MAX / 2));
}

static void read(struct bytes body, struct model_said *ret)
{
    struct values choices = values_over(value_find(body, "choices"));
    struct bytes choice, call, usage = value_find(body, "usage");
    if (value_kind(value_find(body, "choices")) != KIND_ARRAY || !values_next(&choices, &choice)) {
        ret->fault = "there is no choice in its answer";
        return;
    }
    struct bytes message = value_find(choice, "message");
    struct values calls = values_over(value_find(message, "tool_calls"));
    model_say(ret, model_text_in(message, "content"));
    while (values_next(&calls, &call))
        read_call(call, ret);
    bool refuses = model_text_in(message, "refusal").size > 0;
    ret->end = refuses ? "refused" : end_of(model_text_in(choice, "finish_reason"));
    ret->usage = (struct msg_model_usage){
        .model = model_text_in(body, "model"),
        .input = model_tokens_in(usage, "prompt_tokens"),
        .output = model_tokens_in(usage, "completion_tokens"),
        .cache_read = model_tokens_in(value_find(usage, "prompt_tokens_details"), "cached_tokens")};
}

const struct model_api model_openai = {.name = "openai",
                                       .path = "/v1/chat/completions",
                                       .key_header = "Authorization",
                                       .key_prefix = "Bearer ",
                                       .write = write,
                                       .read = read};
