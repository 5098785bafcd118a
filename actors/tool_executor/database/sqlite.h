/* sqlite - one read-only connection to one database file, for one thread at a time.
 *
 * It opens the file when it is first needed, and again after it was replaced, mended or lost. What
 * runs between begin() and end() sees one state of the data and ends by its deadline. Foreign
 * statements pass the guard; our own do not. Only interrupt() may be called from another thread.
 * Never does: write, checkpoint, map the file into memory (a foreign program may truncate it). */
#ifndef ACTORS_TOOL_EXECUTOR_DATABASE_SQLITE_H
#define ACTORS_TOOL_EXECUTOR_DATABASE_SQLITE_H

#include <sqlite3.h>

#include "actors/tool_executor/database/guard.h"
#include "actors/tool_executor/database/setup.h"
#include "actors/tool_executor/database/trouble.h"

#define STATEMENTS_MAX 128u /* kept compiled, by one connection */
#define DEPS_MAX 12u /* of an answer: its database, and tables; more fold into the database */

#define SQL_BUSY_MS_MAX 1000 /* to wait for another program's lock */

/* How long work may go on. */
struct budget {
    int64_t deadline_at;           /* sqlite_clock_us() */
    const _Atomic bool *cancelled; /* NULL: it cannot be */
};

/* The tables that a statement reads, as the schema spells them. */
struct deps {
    char tables[DEPS_MAX - 1][GUARD_NAME_BYTES_MAX + 1];
    unsigned count;
    bool folded; /* there are more: the whole database */
};

struct sqlite;

/* database: borrowed as long as the connection lives */
struct sqlite *sqlite_new(const struct database *database);
void sqlite_destroy(struct sqlite **self);

/* The monotonic clock that deadlines are on, microseconds. */
int64_t sqlite_clock_us(void);

/* Begin to read one state of the data; open the file if need be. Each false fills failure. After a
 * true comes end(), whatever happens between. */
MUST_USE bool sqlite_begin(struct sqlite *self, const struct budget *budget,
                           struct failure *failure);
void sqlite_end(struct sqlite *self);

/* When the state was read: Unix time, milliseconds. */
int64_t sqlite_as_of(const struct sqlite *self);

/* Compile one statement, or find it compiled; it is the connection's, and valid until end().
 *
 * trusted   ours: the guard lets it pass
 * ret_deps  NULL: not wanted; of a foreign statement; valid until end()
 * returns   NULL: refused, see failure */
sqlite3_stmt *sqlite_compile(struct sqlite *self, struct bytes text, bool trusted,
                             const struct deps **ret_deps, struct failure *failure);

enum step { STEP_ROW, STEP_DONE, STEP_FAILED };
enum step sqlite_step(struct sqlite *self, sqlite3_stmt *statement, struct failure *failure);

const struct database *sqlite_database(const struct sqlite *self);

/* End what runs now; from any thread, at any time. */
void sqlite_interrupt(struct sqlite *self);

#endif
