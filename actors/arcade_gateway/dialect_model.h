/* dialect_model - language models: one turn, which is one exchange with their provider.
 *
 * A call's arguments are a body of message model_turn, its data one of model_turn_result. The turn
 * says whose interface it is for; what asks for health, the remote's name. What the interfaces
 * differ in is model_api.h; all else, errors among it, is the same for each.
 * A provider's text is passed on where it says what is wrong with the request, unless our key
 * stands in it; never where it speaks of the key.
 * source: docs.anthropic.com, Messages; platform.openai.com, Chat Completions */
#ifndef ACTORS_ARCADE_GATEWAY_DIALECT_MODEL_H
#define ACTORS_ARCADE_GATEWAY_DIALECT_MODEL_H

#include "actors/arcade_gateway/dialogue.h"

extern const struct dialect dialect_model;

#endif
