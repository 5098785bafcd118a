/* heap - what SQLite may take for one statement, so that one which explodes harms only itself.
 *
 * SQLite's own limit is one for the process: a statement that reaches it makes those of other
 * threads fail. This one is the thread's, and it ends where the statement's time ends, too: SQLite
 * looks at no clock while it compiles, but it allocates. A connection stays on its thread, so what
 * a thread takes and gives back is its own. */
#ifndef ACTORS_TOOL_EXECUTOR_DATABASE_HEAP_H
#define ACTORS_TOOL_EXECUTOR_DATABASE_HEAP_H

#include <stddef.h>

/* Put the limit between SQLite and its allocator; before SQLite is first used, else it stays away.
 * Again is nothing. */
void heap_install(void);

/* From now on this thread may take so many bytes more than it has.
 *
 * is_over  asked now and then, with context: not 0: nothing more is given; NULL: nobody is asked */
void heap_limit(size_t bytes_max, int (*is_over)(void *context), void *context);
void heap_unlimit(void);

#endif
