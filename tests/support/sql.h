/* sql - a database file of a test's own, and one query on it from outside. */
#ifndef TESTS_SUPPORT_SQL_H
#define TESTS_SUPPORT_SQL_H

#include "actors/tool_executor/database/query.h"

#define SQL_BUDGET_MS 20000 /* of sql_ask() */

struct sql {
    struct database database; /* named test, in a folder of its own */
    char folder[64];
    struct sqlite *sqlite;
    char *bytes; /* RESULT_BYTES_MAX */
    struct writer room;
    struct query_result result; /* of the last ask that was answered */
    struct failure failure;     /* of the last one that was not; status OK before */
};

/* ddl: run on the new file; NULL: there is no file */
struct sql *sql_new(const char *ddl);
void sql_destroy(struct sql **self);

/* Another program writes. */
void sql_write(const struct sql *self, const char *text);

/* Ask through the guard; the connection is let go at the end, result and room stay.
 *
 * parameters  JSON-like bytes; data NULL: none
 * returns     true: result and room hold the answer; false: failure says why */
bool sql_ask(struct sql *self, const char *statement);
bool sql_ask_with(struct sql *self, const struct query *query, const struct budget *budget);

/* Ask with so much time, and see that it takes no more of the processor than cpu_ms. A busy machine
 * can make a try slow, a fault of ours makes all of them slow: one of a few tries has to hold, each
 * on a connection that has compiled nothing yet. */
bool sql_ask_within(struct sql *self, const char *statement, int64_t budget_ms, int64_t cpu_ms);

/* The value of a column of a row; from 0. */
struct bytes sql_value(const struct sql *self, unsigned row, const char *column);
int64_t sql_integer(const struct sql *self, unsigned row, const char *column);

/* The deps of the last answer: "a,b,", as they stand. */
const char *sql_deps(const struct sql *self);

#endif
