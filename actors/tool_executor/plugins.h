/* plugins - shared libraries with tools of their own (fact_tool.h): loaded at the start, or the
 * executor does not start.
 *
 * Their tools become rows like all others. A library stays loaded until the process ends: whatever
 * it has begun, nothing of it is pulled away from under it. */
#ifndef ACTORS_TOOL_EXECUTOR_PLUGINS_H
#define ACTORS_TOOL_EXECUTOR_PLUGINS_H

#include "actors/tool_executor/fact_tool.h"
#include "actors/tool_executor/tools.h"

struct plugins {
    const struct fact_plugin *list[PLUGINS_MAX];
    unsigned count;
};

/* Load them all, and add their tools.
 *
 * paths        with commas; empty: none
 * reason       one line that names file and fault; written on false
 * returns      false: one of them is not right */
MUST_USE bool plugins_load(struct plugins *self, const char *paths, struct tools *tools,
                           char *reason, size_t reason_size);

/* On a job thread: begin and end what they have on it.
 *
 * returns  to be handed to the calls of this thread; owned */
void **plugins_start_thread(const struct plugins *self, unsigned index);
void plugins_stop_thread(const struct plugins *self, void **states);

/* The run function of every row that a plug-in brings. */
tool_run plugin_run;

#endif
