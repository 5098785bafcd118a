/* model_anthropic - the Messages API. See model_api.h.
 *
 * What a provider is to keep for the next turn ends where cache_control stands; below about 1,024
 * tokens nothing is kept, so nothing is asked for. Tools come first in what is kept, then the
 * system text.
 * source: docs.anthropic.com, Messages, Tool use, Prompt caching */
#include "actors/arcade_gateway/model_api.h"

#include <string.h>

#define KEPT_BYTES_MIN 4096u /* of tools and system text: about 1,024 tokens */

static void write_pair(struct writer *out, const char *key, const char *value)
{
    writer_cstr(out, key);
    writer_cstr(out, value);
}

static void write_kept(struct writer *out)
{
    writer_cstr(out, "cache_control");
    writer_map(out, 1);
    write_pair(out, "type", "ephemeral");
}

static void write_text_block(struct writer *out, struct bytes text, bool is_kept)
{
    writer_map(out, is_kept ? 3 : 2);
    write_pair(out, "type", "text");
    writer_cstr(out, "text");
    writer_text(out, text);
    if (is_kept)
        write_kept(out);
}

static void write_calls(struct writer *out, struct bytes calls)
{
    struct values values = values_over(calls);
    struct msg_model_call call;
    while (model_next(MSG_MODEL_CALL, &values, &call)) {
        writer_map(out, 4);
        write_pair(out, "type", "tool_use");
        writer_cstr(out, "id");
        writer_text(out, call.id);
        writer_cstr(out, "name");
        writer_text(out, call.tool);
        writer_cstr(out, "input");
        if (call.arguments.data != NULL)
            writer_raw(out, call.arguments);
        else
            writer_map(out, 0); /* it was none, and must be one */
    }
}

static void write_results(struct writer *out, struct bytes results)
{
    struct values values = values_over(results);
    struct msg_model_result result;
    while (model_next(MSG_MODEL_RESULT, &values, &result)) {
        writer_map(out, result.failed ? 4 : 3);
        write_pair(out, "type", "tool_result");
        writer_cstr(out, "tool_use_id");
        writer_text(out, result.id);
        writer_cstr(out, "content");
        model_write_as_text(out, result.value);
        if (result.failed) {
            writer_cstr(out, "is_error");
            writer_bool(out, true);
        }
    }
}

static void write_messages(const struct msg_model_turn *turn, struct writer *out)
{
    struct values values = values_over(turn->messages);
    struct msg_model_message message;
    writer_cstr(out, "messages");
    writer_array(out, model_count(MSG_MODEL_MESSAGE, turn->messages));
    while (model_next(MSG_MODEL_MESSAGE, &values, &message)) {
        bool has_text = message.text.size > 0;
        writer_map(out, 2);
        writer_cstr(out, "role");
        writer_text(out, message.role);
        writer_cstr(out, "content");
        writer_array(out, has_text + model_count(MSG_MODEL_CALL, message.calls) +
                              model_count(MSG_MODEL_RESULT, message.results));
        write_results(out, message.results); /* before a text, or they are refused */
        if (has_text)
            write_text_block(out, message.text, false);
        write_calls(out, message.calls);
    }
}

static void write_tools(const struct msg_model_turn *turn, struct writer *out)
{
    struct values values = values_over(turn->tools);
    struct msg_model_tool tool;
    size_t left = model_count(MSG_MODEL_TOOL, turn->tools);
    bool are_kept = turn->tools.size >= KEPT_BYTES_MIN;
    writer_cstr(out, "tools");
    writer_array(out, left);
    while (model_next(MSG_MODEL_TOOL, &values, &tool)) {
        bool is_kept = are_kept && --left == 0;
        bool has_description = tool.description.data != NULL;
        writer_map(out, 2u + has_description + is_kept);
        writer_cstr(out, "name");
        writer_text(out, tool.name);
        if (has_description) {
            writer_cstr(out, "description");
            writer_text(out, tool.description);
        }
        writer_cstr(out, "input_schema");
        model_write_schema(out, &tool);
        if (is_kept)
            write_kept(out);
    }
}

static void write_choice(struct bytes choice, struct writer *out)
{
    bool is_plain = bytes_are(choice, "auto") || bytes_are(choice, "none");
    writer_cstr(out, "tool_choice");
    writer_map(out, is_plain ? 1 : 2);
    writer_cstr(out, "type");
    if (is_plain) {
        writer_text(out, choice);
        return;
    }
    writer_cstr(out, "tool");
    writer_cstr(out, "name");
    writer_text(out, choice);
}

static void write(const struct msg_model_turn *turn, struct writer *out)
{
    bool has_system = turn->system.size > 0;
    bool has_tools = model_count(MSG_MODEL_TOOL, turn->tools) > 0;
    bool has_choice = has_tools && turn->choice.size > 0;
    writer_map(out, 3u + has_system + has_tools + has_choice);
    writer_cstr(out, "model");
    writer_text(out, turn->model);
    writer_cstr(out, "max_tokens");
    writer_u64(out, turn->max_tokens);
    if (has_tools)
        write_tools(turn, out);
    if (has_choice)
        write_choice(turn->choice, out);
    if (has_system) {
        writer_cstr(out, "system");
        writer_array(out, 1);
        write_text_block(out, turn->system, turn->system.size + turn->tools.size >= KEPT_BYTES_MIN);
    }
    write_messages(turn, out);
}

static const char *end_of(struct bytes reason)
{
    static const char *const ends[][2] = {{"end_turn", "stop"},
                                          {"stop_sequence", "stop"},
                                          {"tool_use", "tools"},
                                          {"max_tokens", "length"},
                                          {"model_context_window_exceeded", "length"},
                                          {"refusal", "refused"}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        if (bytes_are(reason, ends[i][0]))
            return ends[i][1];
    return NULL;
}

/* Blocks of other types, thinking for one, say nothing to us. */
static void read_block(struct bytes block, struct model_said *ret)
{
    struct bytes type = model_text_in(block, "type");
    struct bytes input = value_find(block, "input");
    if (bytes_are(type, "text"))
        model_say(ret, model_text_in(block, "text"));
    if (bytes_are(type, "tool_use"))
        model_say_call(ret, model_text_in(block, "id"), model_text_in(block, "name"),
                       input.data != NULL && value_kind(input) == KIND_MAP ? input
                                                                           : (struct bytes){0},
                       (struct bytes){0});
}

static void read(struct bytes body, struct model_said *ret)
{
    struct bytes content = value_find(body, "content"), usage = value_find(body, "usage");
    struct values blocks = values_over(content);
    struct bytes block;
    if (content.data == NULL || value_kind(content) != KIND_ARRAY) {
        ret->fault = "there is no content in its answer";
        return;
    }
    while (values_next(&blocks, &block))
        read_block(block, ret);
    ret->end = end_of(model_text_in(body, "stop_reason"));
    ret->usage = (struct msg_model_usage){
        .model = model_text_in(body, "model"),
        .input = model_tokens_in(usage, "input_tokens"),
        .output = model_tokens_in(usage, "output_tokens"),
        .cache_written = model_tokens_in(usage, "cache_creation_input_tokens"),
        .cache_read = model_tokens_in(usage, "cache_read_input_tokens")};
}

const struct model_api model_anthropic = {.name = "anthropic",
                                          .path = "/v1/messages",
                                          .key_header = "x-api-key",
                                          .key_prefix = "",
                                          .extra_header = "anthropic-version",
                                          .extra = "2023-06-01",
                                          .write = write,
                                          .read = read};
