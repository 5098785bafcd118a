/* watch - notices that another program has changed a database file.
 *
 * It looks at the file's identity and at SQLite's data_version, on a connection of its own, which
 * one thread at a time may use. The first look counts as a change: what happened before is not
 * known. A file that is missing, locked or damaged is looked at again next time. */
#ifndef ACTORS_TOOL_EXECUTOR_DATABASE_WATCH_H
#define ACTORS_TOOL_EXECUTOR_DATABASE_WATCH_H

#include "actors/tool_executor/database/trouble.h"

struct watch;

struct watch *watch_new(const struct database *database); /* borrowed */
void watch_destroy(struct watch **self);

/* Look once; blocks for a read of the file's head at most. True: changed since the last look. */
bool watch_look(struct watch *self);

#endif
