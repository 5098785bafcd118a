/* mcp_schema - what of a server's schema its arguments can be held to here. Pure; nothing
 * allocates.
 *
 * A server describes parameters in the whole of JSON Schema, we check a part (protocol/schema.h).
 * What has no place in that part is left out, so that an argument which the server would take is
 * never refused here; the server judges the rest. A $ref inside the schema is followed, a null as
 * the other of two becomes one type more. Not offered is a tool whose schema is none of an object,
 * refers elsewhere, or is too large when it is reduced. */
#ifndef ACTORS_ARCADE_GATEWAY_MCP_SCHEMA_H
#define ACTORS_ARCADE_GATEWAY_MCP_SCHEMA_H

#include "protocol/value.h"

#define MCP_REFERENCES_MAX 8u       /* followed inside each other; then anything is allowed */
#define MCP_REFERENCES_ALL_MAX 256u /* followed in one schema; likewise */
#define MCP_SCHEMA_NESTING_MAX 24u  /* containers of what comes out; then anything is allowed */

/* Reduce the schema of a tool's parameters.
 *
 * schema   as the server sent it; checked, its map keys unique
 * out      gets a schema that schema_check() takes; full: it did not fit
 * returns  NULL; else why the tool must not be offered */
const char *mcp_schema_reduce(struct bytes schema, struct writer *out);

#endif
