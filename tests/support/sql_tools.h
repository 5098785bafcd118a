/* sql_tools - the two SQL tools that a planner calls, run on a database in this process: their data
 * as the executor would send them, without the executor. */
#ifndef TESTS_SUPPORT_SQL_TOOLS_H
#define TESTS_SUPPORT_SQL_TOOLS_H

#include <sqlite3.h>

#include "protocol/value.h"

/* The data of SQL_GetSchema or SQL_QueryReadonly, called with these arguments; the statement must
 * run, and use all of its parameters.
 *
 * out  size bytes; what is returned borrows them */
struct bytes sql_tools_call(sqlite3 *database, const char *tool, struct bytes arguments, char *out,
                            size_t size);

#endif
