/* dialect_mcp - tools of MCP servers, as their client, in both eras of the protocol.
 *
 * Which era a server is of is found out once, by server/discover, before anything is called: an
 * error that only a stateless server knows, or an answer, means stateless; anything else leads to
 * `initialize`. It is found out anew, once in a dialogue, when the server does not know it any
 * more. A session that is lost (404) is opened anew, likewise. Marked arguments that the server
 * takes for wrong (-32020) have the list read again, and the call repeated, once.
 *
 * We have no capabilities: a tool that asks for input fails. What tools say of themselves counts
 * only from servers that the settings trust.
 * source: modelcontextprotocol.io, specification 2026-07-28 and 2025-11-25 */
#ifndef ACTORS_ARCADE_GATEWAY_DIALECT_MCP_H
#define ACTORS_ARCADE_GATEWAY_DIALECT_MCP_H

#include "actors/arcade_gateway/dialogue.h"

extern const struct dialect dialect_mcp;

#endif
