/* trouble - see trouble.h. */
#include "actors/tool_executor/database/trouble.h"

#include <sqlite3.h>
#include <string.h>

#define RETRY_UNAVAILABLE_MS 1000
#define RETRY_BUSY_MS 100

/* What SQLite says where a limit is passed: it has no codes for them. */
static const struct {
    const char *says, *limit;
} limit_texts[] = {
    {"Expression tree is too large", "expression depth"},
    {"parser stack overflow", "nesting"},
    {"too many columns", "columns"},
    {"too many terms in", "terms"},
    {"too many FROM clause terms", "tables"},
    {"tables in a join", "tables"},
    {"too many arguments on function", "function arguments"},
    {"variable number must be", "parameters"},
    {"too many SQL variables", "parameters"},
    {"pattern too complex", "pattern length"},
    {"too many references to", "references"},
    {"too many characters in the set of trim", "trim set"},
    {"string or blob too big", "value length"},
};

static const char *limit_passed(const struct trouble *self)
{
    if ((self->code & 0xff) == SQLITE_NOMEM)
        return "memory";
    if ((self->code & 0xff) == SQLITE_TOOBIG)
        return "value length";
    for (size_t i = 0; i < sizeof limit_texts / sizeof limit_texts[0]; i++)
        if (strstr(self->text, limit_texts[i].says) != NULL)
            return limit_texts[i].limit;
    return NULL;
}

bool trouble_is_of_file(int code)
{
    switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_PERM:
    case SQLITE_READONLY: /* the journal of a writer that crashed is to be rolled back */
    case SQLITE_PROTOCOL:
        return true;
    default:
        return false;
    }
}

bool trouble_unavailable(const struct database *database, const char *why, struct failure *failure)
{
    failure_set(failure, STATUS_CIRCUIT_OPEN, "UNAVAILABLE", "database %s (%s): %s", database->name,
                database->path, why);
    failure_hint(failure, "Mend the file; the next request opens it again.");
    failure->retry_after_ms = RETRY_UNAVAILABLE_MS;
    return false;
}

static bool explain_end(const struct trouble *self, struct failure *failure)
{
    if (self->cancelled && !self->late)
        return failure_set(failure, STATUS_CANCELLED, "CANCELLED", "the query was cancelled");
    failure_set(failure, STATUS_DEADLINE_RUNNING, "DEADLINE",
                "the query did not end within its time");
    failure_hint(failure, "Ask for less, or give it a longer deadline.");
    return false;
}

static bool explain_busy(const struct database *database, struct failure *failure)
{
    failure_set(failure, STATUS_BUSY_FULL, "BUSY", "database %s (%s) is locked by another program",
                database->name, database->path);
    failure->retry_after_ms = RETRY_BUSY_MS;
    return false;
}

static bool explain_statement(const struct trouble *self, struct failure *failure)
{
    const char *limit = limit_passed(self);
    enum status before = limit == NULL ? STATUS_BAD_REQUEST : STATUS_TOO_LARGE;
    if (self->denied != NULL) {
        failure_set(failure, STATUS_FORBIDDEN, "READONLY_VIOLATION", "not allowed here: %s",
                    self->denied);
        failure_hint(failure, "Only SELECT over the database's own tables is served.");
    } else if (limit != NULL) {
        failure_set(failure, self->runs ? STATUS_APP_ERROR : before, "LIMIT",
                    "the statement passes a limit: %s (%s)", limit, self->text);
    } else {
        failure_set(failure, self->runs ? STATUS_APP_ERROR : before, "BAD_QUERY", "%s", self->text);
        if (strncmp(self->text, "no such", 7) == 0)
            failure_hint(failure, "SQL_GetSchema lists the tables and columns there are.");
        else if (self->offset >= 0)
            failure_hint(failure, "At byte %d of the statement.", self->offset);
    }
    failure_field(failure, "statement");
    return false;
}

bool trouble_explain(const struct trouble *self, const struct database *database,
                     struct failure *failure)
{
    int code = self->code & 0xff;
    bool is_busy = code == SQLITE_BUSY || code == SQLITE_LOCKED;
    bool is_over = self->late || self->cancelled;
    bool gave_up = is_busy || code == SQLITE_NOMEM; /* where it ends because its time has ended */
    if (code == SQLITE_INTERRUPT || (gave_up && is_over))
        return explain_end(self, failure);
    if (is_busy)
        return explain_busy(database, failure);
    if (trouble_is_of_file(code))
        return trouble_unavailable(database, self->text, failure);
    return explain_statement(self, failure);
}
