/* offers - what a gateway says of its tools and its sites: bodies of READY and of questions. Pure.
 */
#ifndef ACTORS_ARCADE_GATEWAY_OFFERS_H
#define ACTORS_ARCADE_GATEWAY_OFFERS_H

#include "actors/arcade_gateway/remote_calls.h"

#define OFFERS_MODEL_METHOD "model"       /* a turn of a language model; no tool */
#define OFFERS_DESCRIBE_METHOD "describe" /* a definition from where it is made; no tool */

_Static_assert(REMOTE_TOOLS_MAX + 2 <= METHODS_MAX, "READY names all tools and both methods");

/* The array of messages method. */
void offers_write_methods(const struct imports *imports, bool with_models, struct writer *writer);

/* Message tool_definitions: of all, or of one; name.data NULL: all.
 *
 * room  IMPORTS_BYTES_MAX + 65536 bytes */
MUST_USE enum status offers_write_tools(const struct imports *imports, struct bytes name,
                                        char *room, struct writer *writer);

/* Message gateway_targets. */
MUST_USE enum status offers_write_targets(const struct sites *sites,
                                          const struct remote_calls *calls, const struct http *http,
                                          uint32_t calls_max, struct writer *writer);

/* Message tool_result of a call that is done. room: PAIR_BODY_BYTES_MAX; data NULL: too large */
struct bytes offers_result(const struct remote_call *call, int64_t now_at, int64_t unix_ms,
                           char *room);

#define OFFERS_ROOM_BYTES (IMPORTS_BYTES_MAX + 65536u)

#endif
