/* mcp_message - JSON-RPC 2.0 as MCP uses it: our requests as text, and what a server says, read.
 *
 * Owns the JSON of one message; never looks into a result. What comes is bounded: its depth is
 * counted before any parser sees it. A batch is no message: no revision that we speak has them. */
#ifndef ACTORS_ARCADE_GATEWAY_MCP_MESSAGE_H
#define ACTORS_ARCADE_GATEWAY_MCP_MESSAGE_H

#include <jansson.h>

#include "protocol/value.h"

/* Of JSON-RPC, and those that only a server of the stateless era sends. */
enum mcp_code {
    MCP_INVALID_REQUEST = -32600,
    MCP_METHOD_NOT_FOUND = -32601,
    MCP_INVALID_PARAMS = -32602,
    MCP_INTERNAL_ERROR = -32603,
    MCP_HEADER_MISMATCH = -32020,
    MCP_CAPABILITY_MISSING = -32021,
    MCP_VERSION_UNSUPPORTED = -32022
};

enum mcp_kind { MCP_RESULT, MCP_ERROR, MCP_REQUEST, MCP_NOTIFICATION };

struct mcp_message {
    enum mcp_kind kind;
    json_t *whole; /* owns all that the rest borrows */
    bool has_id;   /* an integer, as all of ours are; without: an error may be for anybody */
    int64_t id;
    const char *method;   /* REQUEST, NOTIFICATION */
    const json_t *result; /* RESULT: an object */
    int64_t code;         /* ERROR */
    const char *text;     /* ERROR: may be empty, is never NULL */
    const json_t *data;   /* ERROR: NULL if there is none */
};

/* Read one message, whole.
 *
 * returns  NULL, and ret is to be ended by mcp_message_fini(); else why the text is none */
const char *mcp_message_read(struct bytes text, struct mcp_message *ret);

void mcp_message_fini(struct mcp_message *self);

/* The text of a request, or of a notification; to be freed.
 *
 * params  taken over; NULL: none */
char *mcp_message_request(int64_t id, const char *method, json_t *params);
char *mcp_message_notification(const char *method);

#endif
