/* functions - SQLite's own text functions again, in linear time.
 *
 * The built-in instr, replace and trim compare at every position and cannot be interrupted: on two
 * values of some megabytes one call takes minutes (measured: 1 MB in 0.5 MB 5 s), whatever the
 * deadline. Same results for valid UTF-8; trim refuses a set of more than TRIM_SET_MAX characters
 * beyond ASCII. */
#ifndef ACTORS_TOOL_EXECUTOR_DATABASE_FUNCTIONS_H
#define ACTORS_TOOL_EXECUTOR_DATABASE_FUNCTIONS_H

#include <sqlite3.h>

#define TRIM_SET_MAX 64u

/* Put them in place of the built-in ones; returns an SQLite code. */
int functions_register(sqlite3 *db);

#endif
