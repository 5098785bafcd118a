/* sqlite - see sqlite.h.
 *
 * A foreign statement meets the guard in this order: the table functions were run once, trusted
 * (their constructors would be denied); authorizer; one statement without tail;
 * sqlite3_stmt_readonly (VACUUM INTO compiles without complaint); progress handler against the
 * deadline; limits; a heap limit. Limits are narrowed only after the schema was loaded: a user's
 * own table may be wider than what a foreign statement may ask for. */
#include "actors/tool_executor/database/sqlite.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <xxhash.h>

#include "actors/tool_executor/database/heap.h"
#include "actors/tool_executor/database/setup.h"

struct entry {
    uint64_t hash, used_at; /* used_at: by the connection's own count */
    char *text;
    size_t size;
    bool trusted;
    sqlite3_stmt *statement; /* NULL: empty */
    struct deps deps;
};

struct sqlite {
    const struct database *database;
    pthread_mutex_t lock; /* of db, against an interrupt while it is closed */
    sqlite3 *db;          /* NULL: closed */
    dev_t device;
    ino_t inode;
    int64_t schema_version; /* that the statements were compiled against; -1: none */
    bool broken;            /* close it at the end */
    struct budget budget;
    int64_t as_of;
    struct guard guard;
    uint64_t uses;
    sqlite3_stmt *current; /* to be reset at the end */
    struct entry entries[STATEMENTS_MAX];
};

static int64_t clock_us(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

int64_t sqlite_clock_us(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

struct sqlite *sqlite_new(const struct database *database)
{
    struct sqlite *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->database = database;
    self->schema_version = -1;
    int failed = pthread_mutex_init(&self->lock, NULL);
    assert(failed == 0);
    heap_install();
    sqlite3_hard_heap_limit64(SQL_HEAP_BYTES_MAX);
    return self;
}

static void drop_statements(struct sqlite *self)
{
    for (size_t i = 0; i < STATEMENTS_MAX; i++) {
        sqlite3_finalize(self->entries[i].statement);
        free(self->entries[i].text);
        self->entries[i] = (struct entry){0};
    }
    self->schema_version = -1;
}

static void close_file(struct sqlite *self)
{
    drop_statements(self);
    pthread_mutex_lock(&self->lock);
    int code = sqlite3_close(self->db); /* NULL is fine */
    assert(code == SQLITE_OK);          /* no statement is left */
    self->db = NULL;
    pthread_mutex_unlock(&self->lock);
    self->broken = false;
}

void sqlite_destroy(struct sqlite **self)
{
    if (*self == NULL)
        return;
    close_file(*self);
    pthread_mutex_destroy(&(*self)->lock);
    free(*self);
    *self = NULL;
}

const struct database *sqlite_database(const struct sqlite *self)
{
    return self->database;
}

int64_t sqlite_as_of(const struct sqlite *self)
{
    return self->as_of;
}

void sqlite_interrupt(struct sqlite *self)
{
    pthread_mutex_lock(&self->lock);
    if (self->db != NULL)
        sqlite3_interrupt(self->db);
    pthread_mutex_unlock(&self->lock);
}

static bool is_cancelled(const struct sqlite *self)
{
    return self->budget.cancelled != NULL && *self->budget.cancelled;
}

static bool is_over(const struct sqlite *self)
{
    return is_cancelled(self) || sqlite_clock_us() >= self->budget.deadline_at;
}

static int on_progress(void *context)
{
    return is_over(context);
}

/* Another program has the file locked: wait a little, within the budget. */
static int on_busy(void *context, int tries)
{
    struct sqlite *self = context;
    if (tries >= SQL_BUSY_MS_MAX || is_over(self))
        return 0;
    sqlite3_sleep(1);
    return 1;
}

/* Say why SQLite returned this code; returns false. */
static bool fail(struct sqlite *self, int code, bool runs, struct failure *failure)
{
    struct trouble trouble = {
        .code = code,
        .text = sqlite3_errmsg(self->db),
        .offset = sqlite3_error_offset(self->db),
        .runs = runs,
        .late = sqlite_clock_us() >= self->budget.deadline_at,
        .cancelled = is_cancelled(self),
        .denied = self->guard.denied ? self->guard.reason : NULL,
    };
    self->broken = self->broken || trouble_is_of_file(code);
    return trouble_explain(&trouble, self->database, failure);
}

static bool open_file(struct sqlite *self, const struct stat *file, struct failure *failure)
{
    sqlite3 *db = NULL;
    int code = setup_open(self->database->path, on_progress, self, &db);
    assert(db != NULL); /* else there is no memory for a handle */
    pthread_mutex_lock(&self->lock);
    self->db = db;
    pthread_mutex_unlock(&self->lock);
    self->device = file->st_dev;
    self->inode = file->st_ino;
    self->broken = code != SQLITE_OK;
    if (self->broken)
        return fail(self, code, true, failure);
    sqlite3_busy_handler(db, on_busy, self);
    code = sqlite3_set_authorizer(db, guard_authorize, &self->guard);
    assert(code == SQLITE_OK);
    return true;
}

/* The file as it is now; opened anew if it is another one. */
static bool have_file(struct sqlite *self, struct failure *failure)
{
    struct stat file;
    if (stat(self->database->path, &file) != 0) {
        close_file(self);
        return trouble_unavailable(
            self->database, errno == ENOENT ? "there is no such file" : strerror(errno), failure);
    }
    if (self->db != NULL && file.st_dev == self->device && file.st_ino == self->inode)
        return true;
    close_file(self);
    if (!S_ISREG(file.st_mode))
        return trouble_unavailable(self->database, "it is not a file", failure);
    return open_file(self, &file, failure);
}

/* One number that a statement of ours yields. */
static int read_number(struct sqlite *self, const char *text, int64_t *ret)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(self->db, text, -1, &statement, NULL);
    if (code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW)
        *ret = sqlite3_column_int64(statement, 0);
    int ended = sqlite3_finalize(statement);
    return code == SQLITE_OK ? ended : code;
}

/* Load the schema, if it is not the one that statements were compiled against. */
static int have_schema(struct sqlite *self)
{
    int64_t version = -1;
    int code = read_number(self, "pragma schema_version", &version);
    if (code != SQLITE_OK || version == self->schema_version)
        return code;
    drop_statements(self);
    setup_limits(self->db, false);
    code = setup_warm(self->db);
    setup_limits(self->db, true);
    if (code == SQLITE_OK)
        self->schema_version = version;
    return code;
}

bool sqlite_begin(struct sqlite *self, const struct budget *budget, struct failure *failure)
{
    self->budget = *budget;
    self->current = NULL;
    guard_begin(&self->guard);
    self->guard.trusted = true;
    if (is_over(self))
        return fail(self, SQLITE_INTERRUPT, false, failure);
    heap_limit(SQL_STATEMENT_BYTES_MAX, on_progress, self);
    if (!have_file(self, failure)) {
        sqlite_end(self);
        return false;
    }
    int code = sqlite3_exec(self->db, "begin", NULL, NULL, NULL);
    self->as_of = clock_us(CLOCK_REALTIME) / US_PER_MS; /* before the state is fixed: not too new */
    if (code == SQLITE_OK)
        code = have_schema(self);
    if (code != SQLITE_OK) {
        fail(self, code, true, failure);
        sqlite_end(self);
        return false;
    }
    return true;
}

static void release_current(struct sqlite *self)
{
    if (self->current != NULL) {
        sqlite3_reset(self->current);
        sqlite3_clear_bindings(self->current); /* they point into the caller's memory */
    }
    self->current = NULL;
}

void sqlite_end(struct sqlite *self)
{
    heap_unlimit();
    release_current(self);
    if (self->db != NULL && !sqlite3_get_autocommit(self->db)) {
        self->budget = (struct budget){INT64_MAX, NULL};
        self->guard.trusted = true;
        self->broken =
            sqlite3_exec(self->db, "rollback", NULL, NULL, NULL) != SQLITE_OK || self->broken;
    }
    if (self->broken)
        close_file(self);
}

/* Statements. */

static struct entry *find_entry(struct sqlite *self, struct bytes text, bool trusted)
{
    uint64_t hash = XXH3_64bits(text.data, text.size);
    for (size_t i = 0; i < STATEMENTS_MAX; i++) {
        struct entry *entry = &self->entries[i];
        if (entry->statement != NULL && entry->hash == hash && entry->trusted == trusted &&
            bytes_equal(text, (struct bytes){entry->text, entry->size}))
            return entry;
    }
    return NULL;
}

/* The place of the one that was not used for longest. */
static struct entry *free_entry(struct sqlite *self)
{
    struct entry *oldest = &self->entries[0];
    for (size_t i = 1; i < STATEMENTS_MAX; i++)
        if (self->entries[i].used_at < oldest->used_at)
            oldest = &self->entries[i];
    sqlite3_finalize(oldest->statement);
    free(oldest->text);
    *oldest = (struct entry){0};
    return oldest;
}

/* What the schema has under this name, in any case.
 *
 * ret_name  as the schema spells it: GUARD_NAME_BYTES_MAX + 1 bytes
 * returns   't' table, 'v' view, 0 neither */
static char schema_type(struct sqlite *self, const char *name, char *ret_name)
{
    static const char text[] = "select type, name from main.sqlite_schema "
                               "where name = ?1 collate nocase and type in ('table', 'view')";
    sqlite3_stmt *statement = NULL;
    char type = 0;
    if (sqlite3_prepare_v2(self->db, text, -1, &statement, NULL) != SQLITE_OK)
        return 0;
    sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
    if (sqlite3_step(statement) == SQLITE_ROW) {
        type = (char)sqlite3_column_text(statement, 0)[0];
        snprintf(ret_name, GUARD_NAME_BYTES_MAX + 1, "%s", sqlite3_column_text(statement, 1));
    }
    sqlite3_finalize(statement);
    return type;
}

static void add_dep(struct deps *deps, const char *table)
{
    unsigned i = 0;
    while (i < deps->count && strcmp(deps->tables[i], table) != 0)
        i++;
    if (i < deps->count)
        return;
    if (deps->count == DEPS_MAX - 1)
        deps->folded = true;
    else
        snprintf(deps->tables[deps->count++], GUARD_NAME_BYTES_MAX + 1, "%s", table);
}

/* Which tables the noted reads are; a view's own tables have been noted too.
 *
 * returns  false: something that is neither the schema's nor allowed */
static bool resolve(struct sqlite *self, struct deps *deps)
{
    bool allowed = true;
    *deps = (struct deps){.folded = self->guard.overflow};
    self->guard.trusted = true;
    for (size_t i = 0; i < self->guard.read_count; i++) {
        const struct guard_read *read = &self->guard.reads[i];
        char name[GUARD_NAME_BYTES_MAX + 1];
        char type = schema_type(self, read->name, name);
        if (type == 't')
            add_dep(deps, name);
        else if (type == 0 && read->certain && !guard_is_table_function(read->name) &&
                 strcmp(read->name, "sqlite_master") != 0)
            allowed = false;
    }
    self->guard.trusted = false;
    return allowed;
}

static bool is_blank(struct sqlite *self, const char *tail, const char *end)
{
    sqlite3_stmt *second = NULL;
    int code = sqlite3_prepare_v3(self->db, tail, (int)(end - tail), 0, &second, NULL);
    bool blank = code == SQLITE_OK && second == NULL;
    sqlite3_finalize(second);
    return blank;
}

static bool fail_text(struct failure *failure, const char *message)
{
    failure_set(failure, STATUS_BAD_REQUEST, "BAD_QUERY", "%s", message);
    failure_field(failure, "statement");
    return false;
}

/* Is what compiled one statement that only reads? */
static bool take(struct sqlite *self, struct bytes text, const char *tail, struct entry *entry,
                 struct failure *failure)
{
    const char *end = text.data + text.size;
    if (entry->statement == NULL)
        return fail_text(failure, "there is no statement");
    if (entry->trusted)
        return true;
    if (tail < end && !is_blank(self, tail, end))
        return fail_text(failure, "more than one statement");
    if (!sqlite3_stmt_readonly(entry->statement) || !resolve(self, &entry->deps)) {
        guard_deny(&self->guard, "more than reading");
        return fail(self, SQLITE_AUTH, false, failure);
    }
    return true;
}

static struct entry *compile(struct sqlite *self, struct bytes text, bool trusted,
                             struct failure *failure)
{
    struct entry *entry = free_entry(self);
    const char *tail = NULL;
    unsigned flags = SQLITE_PREPARE_PERSISTENT;
    if (text.size == 0 || memchr(text.data, '\0', text.size) != NULL) {
        fail_text(failure, "there is no statement, or a zero byte in it");
        return NULL;
    }
    if (text.size > SQL_TEXT_BYTES_MAX) {
        failure_set(failure, STATUS_TOO_LARGE, "LIMIT", "the statement is longer than %d bytes",
                    SQL_TEXT_BYTES_MAX);
        return NULL;
    }
    guard_begin(&self->guard);
    self->guard.trusted = trusted;
    entry->trusted = trusted;
    int code =
        sqlite3_prepare_v3(self->db, text.data, (int)text.size, flags, &entry->statement, &tail);
    bool taken = code == SQLITE_OK ? take(self, text, tail, entry, failure)
                                   : fail(self, code, false, failure);
    if (!taken) {
        sqlite3_finalize(entry->statement);
        *entry = (struct entry){0};
        return NULL;
    }
    entry->hash = XXH3_64bits(text.data, text.size);
    entry->text = malloc(text.size);
    assert(entry->text != NULL);
    memcpy(entry->text, text.data, text.size);
    entry->size = text.size;
    return entry;
}

sqlite3_stmt *sqlite_compile(struct sqlite *self, struct bytes text, bool trusted,
                             const struct deps **ret_deps, struct failure *failure)
{
    assert(self->db != NULL);
    release_current(self);
    struct entry *entry = find_entry(self, text, trusted);
    if (entry == NULL)
        entry = compile(self, text, trusted, failure);
    if (entry == NULL)
        return NULL;
    entry->used_at = ++self->uses;
    self->guard.trusted = trusted;
    self->guard.denied = false;
    self->current = entry->statement;
    if (ret_deps != NULL)
        *ret_deps = &entry->deps;
    return entry->statement;
}

enum step sqlite_step(struct sqlite *self, sqlite3_stmt *statement, struct failure *failure)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return STEP_ROW;
    if (code == SQLITE_DONE)
        return STEP_DONE;
    fail(self, code, true, failure);
    return STEP_FAILED;
}
