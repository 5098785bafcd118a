/* mcp_message - see mcp_message.h. jansson parses by recursion, to a depth of its own that is far
 * beyond ours: so depth is counted first, by a loop that knows only texts and brackets. */
#include "actors/arcade_gateway/mcp_message.h"

#include <assert.h>
#include <stdlib.h>

#include "protocol/limits.h"

/* Containers inside each other; of what is no JSON some number that does no harm. */
static bool is_too_deep(struct bytes text)
{
    size_t depth = 0;
    bool is_text = false;
    for (size_t i = 0; i < text.size; i++) {
        char character = text.data[i];
        if (is_text && character == '\\')
            i++;
        else if (character == '"')
            is_text = !is_text;
        else if (!is_text && (character == '{' || character == '['))
            depth++;
        else if (!is_text && (character == '}' || character == ']') && depth > 0)
            depth--;
        if (depth > MCP_NESTING_MAX)
            return true;
    }
    return false;
}

/* An error may have no id, or null: its sender could not read ours. */
static bool take_id(const json_t *whole, struct mcp_message *ret)
{
    const json_t *id = json_object_get(whole, "id");
    ret->has_id = json_is_integer(id);
    ret->id = json_integer_value(id);
    return id == NULL || json_is_null(id) || json_is_integer(id) || json_is_string(id);
}

static const char *take_error(const json_t *error, struct mcp_message *ret)
{
    const json_t *code = json_object_get(error, "code");
    if (!json_is_integer(code))
        return "an error without a code";
    const char *text = json_string_value(json_object_get(error, "message"));
    ret->kind = MCP_ERROR;
    ret->code = json_integer_value(code);
    ret->text = text != NULL ? text : "";
    ret->data = json_object_get(error, "data");
    return NULL;
}

static const char *take_fields(const json_t *whole, struct mcp_message *ret)
{
    const char *version = json_string_value(json_object_get(whole, "jsonrpc"));
    if (version == NULL || !bytes_are(bytes_of(version), "2.0"))
        return "no message of JSON-RPC 2.0";
    if (!take_id(whole, ret))
        return "an id that is neither a number nor a text";
    ret->method = json_string_value(json_object_get(whole, "method"));
    ret->result = json_object_get(whole, "result");
    const json_t *error = json_object_get(whole, "error");
    if (ret->method != NULL) {
        ret->kind = json_object_get(whole, "id") != NULL ? MCP_REQUEST : MCP_NOTIFICATION;
        return NULL;
    }
    if ((ret->result != NULL) == (error != NULL))
        return "neither a request nor an answer";
    if (error != NULL)
        return take_error(error, ret);
    ret->kind = MCP_RESULT;
    return json_is_object(ret->result) ? NULL : "a result that is no object";
}

const char *mcp_message_read(struct bytes text, struct mcp_message *ret)
{
    json_error_t error;
    *ret = (struct mcp_message){.text = ""};
    if (is_too_deep(text))
        return "nested too deep";
    ret->whole = json_loadb(text.data != NULL ? text.data : "", text.size, JSON_ALLOW_NUL, &error);
    const char *reason = ret->whole == NULL ? "no JSON" : take_fields(ret->whole, ret);
    if (reason != NULL)
        mcp_message_fini(ret);
    return reason;
}

void mcp_message_fini(struct mcp_message *self)
{
    json_decref(self->whole);
    *self = (struct mcp_message){.text = ""};
}

static char *text_of(json_t *message)
{
    char *text = json_dumps(message, JSON_COMPACT);
    assert(text != NULL); /* what we write is text and numbers that JSON has */
    json_decref(message);
    return text;
}

char *mcp_message_request(int64_t id, const char *method, json_t *params)
{
    return text_of(json_pack("{s:s, s:I, s:s, s:o*}", "jsonrpc", "2.0", "id", (json_int_t)id,
                             "method", method, "params", params));
}

char *mcp_message_notification(const char *method)
{
    return text_of(json_pack("{s:s, s:s}", "jsonrpc", "2.0", "method", method));
}
