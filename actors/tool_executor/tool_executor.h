/* tool_executor - the role that runs tools; see tool_executor.c. */
#ifndef ACTORS_TOOL_EXECUTOR_TOOL_EXECUTOR_H
#define ACTORS_TOOL_EXECUTOR_TOOL_EXECUTOR_H

#include "actors/runtime/actor.h"

extern const struct actor_spec tool_executor_spec;

#endif
