/* setup - a connection that can only read, within limits. */
#ifndef ACTORS_TOOL_EXECUTOR_DATABASE_SETUP_H
#define ACTORS_TOOL_EXECUTOR_DATABASE_SETUP_H

#include <sqlite3.h>
#include <stdbool.h>

/* What one statement may be. source: docs of sqlite3_limit */
#define SQL_VALUE_BYTES_MAX 16777216
#define SQL_TEXT_BYTES_MAX 65536
#define SQL_COLUMNS_MAX 256
#define SQL_EXPRESSION_DEPTH_MAX 100
#define SQL_COMPOUND_SELECT_MAX 20
#define SQL_OPERATIONS_MAX 250000
#define SQL_FUNCTION_ARGUMENTS_MAX 32
#define SQL_LIKE_PATTERN_BYTES_MAX 1024
#define SQL_VARIABLES_MAX 256
#define SQL_TRIGGER_DEPTH_MAX 8
#define SQL_STATEMENT_BYTES_MAX 67108864 /* that SQLite may take for one request */
#define SQL_HEAP_BYTES_MAX 1073741824    /* and for all connections of the process */
#define SQL_STEPS_A_LOOK 1000            /* of SQLite's machine, between two looks at the clock */
#define SQL_CACHE_KIB 8192               /* pages of the file, a connection */

/* Open read-only, without other threads, extensions or trust in what the schema calls.
 *
 * is_over  asked while a statement runs, with context: not 0: end it
 * ret      to be closed, on failure too
 * returns  an SQLite code */
int setup_open(const char *path, int (*is_over)(void *context), void *context, sqlite3 **ret);

/* Construct what the guard would not let be constructed: table functions, the user's own virtual
 * tables. Loads the schema. One table that cannot be is an error only for who reads it. */
int setup_warm(sqlite3 *db);

/* narrow: for foreign statements; else as wide as SQLite goes, to load a schema */
void setup_limits(sqlite3 *db, bool narrow);

#endif
