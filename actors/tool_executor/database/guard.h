/* guard - what a statement from outside may do, decided from what SQLite says it would do.
 *
 * SQLite's authorizer asks for each step of a statement while it is compiled; nothing is judged by
 * its spelling. The same calls tell which tables it reads: the answer's deps. Pure: it knows no
 * connection. source: docs of sqlite3_set_authorizer; design: guard for foreign SQL */
#ifndef ACTORS_TOOL_EXECUTOR_DATABASE_GUARD_H
#define ACTORS_TOOL_EXECUTOR_DATABASE_GUARD_H

#include <stdbool.h>
#include <stddef.h>

#define GUARD_NAME_BYTES_MAX 128u /* of a table; a longer one folds into its database */
#define GUARD_READS_MAX 64u       /* tables of one statement, views and CTEs among them */

/* A table that is read, or what looks like one. */
struct guard_read {
    char name[GUARD_NAME_BYTES_MAX + 1];
    bool certain; /* false: count(*) and the like; may be a CTE, and is spelt as in the statement */
};

struct guard {
    bool trusted; /* our own statement: allowed, and not noted */
    bool denied;
    char reason[128]; /* of the first denial, for people */
    struct guard_read reads[GUARD_READS_MAX];
    size_t read_count;
    bool overflow; /* there were more, or a name was too long */
};

/* Forget what the statement before did. */
void guard_begin(struct guard *self);

/* Deny what was not asked of the authorizer; the first reason stays. */
void guard_deny(struct guard *self, const char *reason);

/* The authorizer, as sqlite3_set_authorizer() wants it; guard: struct guard. */
int guard_authorize(void *guard, int action, const char *first, const char *second,
                    const char *database, const char *trigger);

/* The table-valued functions that foreign SQL may use, NULL last: they read nothing but their
 * arguments and the schema, and are run once before the guard is set. */
extern const char *const guard_table_functions[];
bool guard_is_table_function(const char *name);

#endif
