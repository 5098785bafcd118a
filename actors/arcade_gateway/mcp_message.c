/* mcp_message - see mcp_message.h. */
#include "actors/arcade_gateway/mcp_message.h"

#include <stdlib.h>

#include "actors/arcade_gateway/json_body.h"
#include "protocol/limits.h"

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
        ret->params = value_find(whole, "params");
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
    struct json_body body;
    *ret = (struct mcp_message){.kind = MCP_NOTHING};
    const char *reason = json_body_read(text, MCP_NESTING_MAX, &body);
    if (reason != NULL)
        return reason;
    ret->memory = body.memory;
    reason = take_fields(body.value, ret);
    if (reason != NULL)
        mcp_message_fini(ret);
    return reason;
}

void mcp_message_fini(struct mcp_message *self)
{
    free(self->memory);
    *self = (struct mcp_message){.kind = MCP_NOTHING};
}
