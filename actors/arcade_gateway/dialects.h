/* dialects - all there are, for the one table that names them (sites.c). */
#ifndef ACTORS_ARCADE_GATEWAY_DIALECTS_H
#define ACTORS_ARCADE_GATEWAY_DIALECTS_H

#include "actors/arcade_gateway/dialogue.h"

extern const struct dialect dialect_arcade, dialect_mcp, dialect_model, dialect_web;

#endif
