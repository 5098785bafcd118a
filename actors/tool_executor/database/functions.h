/* functions - some of SQLite's own text functions again, so that they end in time.
 *
 * The built-in instr, replace, trim, like and glob compare at every position and cannot be
 * interrupted: on values of some megabytes one call takes minutes (measured: instr of 0.5 MB in
 * 1 MB 5 s, like of 1 KB in 16 MB 30 s), whatever the deadline. Here the first three are linear,
 * the others stop. Same results for valid UTF-8; trim refuses a set of more than TRIM_SET_MAX
 * characters beyond ASCII. What it costs: SQLite finds no index for a like or glob that is not its
 * own. */
#ifndef ACTORS_TOOL_EXECUTOR_DATABASE_FUNCTIONS_H
#define ACTORS_TOOL_EXECUTOR_DATABASE_FUNCTIONS_H

#include <sqlite3.h>

#define TRIM_SET_MAX 64u

/* Put them in place of the built-in ones.
 *
 * is_over  asked while a pattern is looked for, with context: not 0: stop
 * returns  an SQLite code */
int functions_register(sqlite3 *db, int (*is_over)(void *context), void *context);

#endif
