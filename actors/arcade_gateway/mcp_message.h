/* mcp_message - JSON-RPC 2.0 as MCP uses it: what a server says, read as MessagePack.
 *
 * Owns the memory of one message; never looks into a result. What comes is bounded: its depth is
 * counted before any parser sees it. A batch is no message: no revision that we speak has them. */
#ifndef ACTORS_ARCADE_GATEWAY_MCP_MESSAGE_H
#define ACTORS_ARCADE_GATEWAY_MCP_MESSAGE_H

#include "protocol/value.h"

/* Of JSON-RPC, and those that only a server of the stateless era sends. */
enum mcp_code {
    MCP_METHOD_NOT_FOUND = -32601,
    MCP_INVALID_PARAMS = -32602,
    MCP_HEADER_MISMATCH = -32020,
    MCP_CAPABILITY_MISSING = -32021,
    MCP_VERSION_UNSUPPORTED = -32022
};

enum mcp_kind { MCP_NOTHING, MCP_RESULT, MCP_ERROR, MCP_REQUEST, MCP_NOTIFICATION };

struct mcp_message {
    char *memory; /* of all that the rest borrows */
    enum mcp_kind kind;
    bool has_id; /* an integer, as all of ours are; without: an error may be for anybody */
    int64_t id;
    struct bytes method; /* REQUEST, NOTIFICATION */
    struct bytes params; /* of them; data NULL if there are none */
    struct bytes result; /* RESULT: a map */
    int64_t code;        /* ERROR */
    struct bytes text;   /* ERROR: may be empty */
    struct bytes data;   /* ERROR: data NULL if there is none */
};

/* Read one message, whole.
 *
 * returns  NULL, and ret is to be ended by mcp_message_fini(); else why the text is none: then ret
 *          is MCP_NOTHING */
const char *mcp_message_read(struct bytes text, struct mcp_message *ret);

void mcp_message_fini(struct mcp_message *self);

#endif
