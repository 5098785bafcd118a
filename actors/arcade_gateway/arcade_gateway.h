/* arcade_gateway - the role. */
#ifndef ACTORS_ARCADE_GATEWAY_ARCADE_GATEWAY_H
#define ACTORS_ARCADE_GATEWAY_ARCADE_GATEWAY_H

#include "actors/arcade_gateway/http.h"
#include "actors/runtime/actor.h"

extern const struct actor_spec arcade_gateway_spec;

/* Answer its exchanges by another connector from now on, as tests do; the old one is destroyed. No
 * call may be under way. state: of a gateway that was started */
void arcade_gateway_use_http(void *state, struct http *http);

#endif
