/* mcp_headers - which arguments of a tool travel as HTTP headers too, and how a text looks in one.
 * Pure; nothing allocates.
 *
 * A server marks a parameter with x-mcp-header in its schema; a marked value goes out as
 * Mcp-Param-<name> beside the body. A mark may stand only on a text, an integer or a boolean that a
 * chain of `properties` leads to, on 16 of them at most; a tool that breaks a rule is not offered.
 */
#ifndef ACTORS_ARCADE_GATEWAY_MCP_HEADERS_H
#define ACTORS_ARCADE_GATEWAY_MCP_HEADERS_H

#include "protocol/value.h"

#define MCP_PARAMS_MAX 16u            /* marks of one tool */
#define MCP_HEADER_NAME_BYTES_MAX 64u /* of one mark */
#define MCP_HEADER_VALUE_BYTES_MAX                                                                 \
    4096u /* with its 0; what servers take together is 8 KiB or so                                 \
           */

/* Find the marks of a schema.
 *
 * schema   of the parameters, as the server sent it; checked, at most DEFINITION_NESTING_MAX deep
 * out      gets an array of [name, [property, ...]], outermost first; full: it did not fit
 * returns  NULL; else why the tool must not be offered */
const char *mcp_marks_find(struct bytes schema, struct writer *out);

struct mcp_mark {
    struct bytes name;                      /* behind Mcp-Param- */
    char value[MCP_HEADER_VALUE_BYTES_MAX]; /* as it stands in the header */
};

enum mcp_marks_next { MCP_MARKS_END, MCP_MARKS_HEADER, MCP_MARKS_REFUSED };

/* The header of the next marked argument that is there.
 *
 * marks    values_over() what mcp_marks_find() wrote
 * ret      END: nothing; REFUSED: its name, of an argument that fits no header */
enum mcp_marks_next mcp_marks_next(struct values *marks, struct bytes arguments,
                                   struct mcp_mark *ret);

/* A text as the value of a header: as it is if it can be, else in base64.
 *
 * out      ends in 0
 * returns  false: it does not fit */
bool mcp_header_value(struct bytes text, char *out, size_t size);

#endif
