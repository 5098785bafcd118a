/* guard - see guard.h. */
#include "actors/tool_executor/database/guard.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *const guard_table_functions[] = {"json_each",
                                             "json_tree",
                                             "pragma_table_info",
                                             "pragma_table_xinfo",
                                             "pragma_table_list",
                                             "pragma_index_list",
                                             "pragma_foreign_key_list",
                                             "pragma_index_info",
                                             NULL};

/* data_version changes nothing either, and FTS5 asks for it in every search. */
static const char *const pragmas[] = {"table_info",   "table_xinfo", "table_list",
                                      "index_list",   "index_info",  "foreign_key_list",
                                      "data_version", NULL};

/* They reach files, code or memory. Most are not in Debian's library; a list costs nothing. */
static const char *const forbidden_functions[] = {"load_extension", "fts3_tokenizer", "readfile",
                                                  "writefile",      "edit",           NULL};

static const struct {
    int action;
    const char *what;
} action_names[] = {
    {SQLITE_CREATE_INDEX, "CREATE INDEX"},
    {SQLITE_CREATE_TABLE, "CREATE TABLE"},
    {SQLITE_CREATE_TEMP_INDEX, "CREATE INDEX"},
    {SQLITE_CREATE_TEMP_TABLE, "CREATE TEMP TABLE"},
    {SQLITE_CREATE_TEMP_TRIGGER, "CREATE TEMP TRIGGER"},
    {SQLITE_CREATE_TEMP_VIEW, "CREATE TEMP VIEW"},
    {SQLITE_CREATE_TRIGGER, "CREATE TRIGGER"},
    {SQLITE_CREATE_VIEW, "CREATE VIEW"},
    {SQLITE_CREATE_VTABLE, "CREATE VIRTUAL TABLE"},
    {SQLITE_DELETE, "DELETE"},
    {SQLITE_DROP_INDEX, "DROP INDEX"},
    {SQLITE_DROP_TABLE, "DROP TABLE"},
    {SQLITE_DROP_TRIGGER, "DROP TRIGGER"},
    {SQLITE_DROP_VIEW, "DROP VIEW"},
    {SQLITE_DROP_VTABLE, "DROP TABLE"},
    {SQLITE_INSERT, "INSERT"},
    {SQLITE_PRAGMA, "PRAGMA"},
    {SQLITE_READ, "reading table"},
    {SQLITE_TRANSACTION, "a transaction"},
    {SQLITE_UPDATE, "UPDATE"},
    {SQLITE_ATTACH, "ATTACH"},
    {SQLITE_DETACH, "DETACH"},
    {SQLITE_ALTER_TABLE, "ALTER TABLE"},
    {SQLITE_REINDEX, "REINDEX"},
    {SQLITE_ANALYZE, "ANALYZE"},
    {SQLITE_FUNCTION, "function"},
    {SQLITE_SAVEPOINT, "a savepoint"},
};

static bool is_among(const char *const *list, const char *name)
{
    while (*list != NULL && (name == NULL || strcasecmp(*list, name) != 0))
        list++;
    return *list != NULL;
}

bool guard_is_table_function(const char *name)
{
    return is_among(guard_table_functions, name);
}

void guard_begin(struct guard *self)
{
    self->denied = false;
    self->reason[0] = '\0';
    self->read_count = 0;
    self->overflow = false;
}

void guard_deny(struct guard *self, const char *reason)
{
    if (!self->denied)
        snprintf(self->reason, sizeof self->reason, "%s", reason);
    self->denied = true;
}

static int deny(struct guard *self, int action, const char *name)
{
    const char *what = "this statement";
    char reason[sizeof self->reason];
    for (size_t i = 0; i < sizeof action_names / sizeof action_names[0]; i++)
        if (action_names[i].action == action)
            what = action_names[i].what;
    snprintf(reason, sizeof reason, "%s %.64s", what, name == NULL ? "" : name);
    guard_deny(self, reason);
    return SQLITE_DENY;
}

/* Note a table once; certain wins. */
static void note_read(struct guard *self, const char *name, bool certain)
{
    size_t i = 0;
    while (i < self->read_count && strcasecmp(self->reads[i].name, name) != 0)
        i++;
    if (i == GUARD_READS_MAX || strlen(name) > GUARD_NAME_BYTES_MAX) {
        self->overflow = true;
        return;
    }
    struct guard_read *read = &self->reads[i];
    if (i == self->read_count) {
        *read = (struct guard_read){.certain = certain};
        snprintf(read->name, sizeof read->name, "%s", name);
        self->read_count++;
    }
    read->certain = read->certain || certain;
}

int guard_authorize(void *guard, int action, const char *first, const char *second,
                    const char *database, const char *trigger)
{
    struct guard *self = guard;
    (void)trigger;
    if (self->trusted || action == SQLITE_SELECT || action == SQLITE_RECURSIVE)
        return SQLITE_OK;
    if (action == SQLITE_READ && first != NULL) {
        note_read(self, first, database != NULL); /* NULL: no column of it, only its rows */
        return SQLITE_OK;
    }
    if (action == SQLITE_FUNCTION && !is_among(forbidden_functions, second))
        return SQLITE_OK;
    if (action == SQLITE_PRAGMA && is_among(pragmas, first))
        return SQLITE_OK;
    return deny(self, action, action == SQLITE_FUNCTION ? second : first);
}
