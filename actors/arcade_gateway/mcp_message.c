/* mcp_message - see mcp_message.h. The parser behind json_text works by recursion, to a depth that
 * is far beyond ours: so depth is counted first, by a loop that knows only texts and brackets. */
#include "actors/arcade_gateway/mcp_message.h"

#include <assert.h>
#include <stdlib.h>

#include "actors/runtime/json_text.h"
#include "protocol/limits.h"

#define GROWTH_MAX 3u /* a byte of JSON is at most so many of MessagePack: 9 of "1.5," */
#define GROWTH_BYTES 16u

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
static bool take_id(struct bytes whole, struct mcp_message *ret)
{
    struct bytes text, id = value_find(whole, "id");
    ret->has_id = value_i64(id, &ret->id);
    return ret->has_id || id.data == NULL || value_kind(id) == KIND_NIL || value_text(id, &text);
}

static const char *take_error(struct bytes error, struct mcp_message *ret)
{
    if (!value_i64(value_find(error, "code"), &ret->code))
        return "an error without a code";
    if (!value_text(value_find(error, "message"), &ret->text))
        ret->text = bytes_of("");
    ret->kind = MCP_ERROR;
    ret->data = value_find(error, "data");
    return NULL;
}

static const char *take_fields(struct bytes whole, struct mcp_message *ret)
{
    struct bytes version;
    if (!value_text(value_find(whole, "jsonrpc"), &version) || !bytes_are(version, "2.0"))
        return "no message of JSON-RPC 2.0";
    if (!take_id(whole, ret))
        return "an id that is neither a number nor a text";
    if (value_text(value_find(whole, "method"), &ret->method)) {
        ret->kind = value_find(whole, "id").data != NULL ? MCP_REQUEST : MCP_NOTIFICATION;
        return NULL;
    }
    struct bytes error = value_find(whole, "error"), result = value_find(whole, "result");
    if ((result.data != NULL) == (error.data != NULL))
        return "neither a request nor an answer";
    if (error.data != NULL)
        return take_error(error, ret);
    if (value_kind(result) != KIND_MAP)
        return "a result that is no object";
    ret->kind = MCP_RESULT;
    ret->result = result;
    return NULL;
}

const char *mcp_message_read(struct bytes text, struct mcp_message *ret)
{
    struct writer writer;
    struct json_fault fault;
    *ret = (struct mcp_message){.kind = MCP_NOTHING};
    if (is_too_deep(text))
        return "nested too deep";
    size_t size = text.size * GROWTH_MAX + GROWTH_BYTES;
    ret->memory = malloc(size);
    assert(ret->memory != NULL);
    writer_init(&writer, ret->memory, size);
    const char *reason = "no JSON";
    if (json_text_read(text, MCP_NESTING_MAX, &writer, &fault)) {
        assert(!writer.full);
        reason = take_fields(writer_bytes(&writer), ret);
    }
    if (reason != NULL)
        mcp_message_fini(ret);
    return reason;
}

void mcp_message_fini(struct mcp_message *self)
{
    free(self->memory);
    *self = (struct mcp_message){.kind = MCP_NOTHING};
}
