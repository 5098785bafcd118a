/* trouble - what a code of SQLite's means to the one who asked. Pure.
 *
 * code                                              status
 * BAD_QUERY           does not compile, a tail      BAD_REQUEST; while it runs APP_ERROR
 * READONLY_VIOLATION  the guard                     FORBIDDEN
 * LIMIT               names it                      TOO_LARGE; while it runs APP_ERROR
 * BUSY                locked by another program     BUSY_FULL
 * DEADLINE                                          DEADLINE_RUNNING
 * UNAVAILABLE         no file, not to be read,      CIRCUIT_OPEN (a reader has changed nothing)
 *                     damaged; names it */
#ifndef ACTORS_TOOL_EXECUTOR_DATABASE_TROUBLE_H
#define ACTORS_TOOL_EXECUTOR_DATABASE_TROUBLE_H

#include "actors/runtime/failure.h"

#define DATABASE_NAME_BYTES_MAX 50u
#define DATABASE_PATH_BYTES_MAX 4095u

struct database {
    char name[DATABASE_NAME_BYTES_MAX + 1]; /* in answers and tags */
    char path[DATABASE_PATH_BYTES_MAX + 1];
};

struct trouble {
    int code;         /* of SQLite, extended or not */
    const char *text; /* sqlite3_errmsg() */
    int offset;       /* sqlite3_error_offset(): byte of the statement; negative: not known */
    bool runs;        /* it had compiled */
    bool late;        /* the deadline has passed */
    bool cancelled;
    const char *denied; /* what the guard denied; NULL: nothing */
};

/* Fill failure; returns false. */
bool trouble_explain(const struct trouble *self, const struct database *database,
                     struct failure *failure);

/* True: the file is at failure; open it again before it is asked again. */
bool trouble_is_of_file(int code);

/* The file cannot be used at all; returns false. */
bool trouble_unavailable(const struct database *database, const char *why, struct failure *failure);

#endif
