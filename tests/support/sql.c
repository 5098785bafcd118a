/* sql - see sql.h. */
#include "tests/support/sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/support/suite.h"

#define TRIES 5

static char deps[4096];

struct sql *sql_new(const char *ddl)
{
    struct sql *self = calloc(1, sizeof *self);
    ck_assert_ptr_nonnull(self);
    snprintf(self->folder, sizeof self->folder, "/tmp/fact-test-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(self->folder));
    snprintf(self->database.name, sizeof self->database.name, "test");
    snprintf(self->database.path, sizeof self->database.path, "%s/test.sqlite", self->folder);
    self->bytes = malloc(RESULT_BYTES_MAX);
    ck_assert_ptr_nonnull(self->bytes);
    self->sqlite = sqlite_new(&self->database); /* before SQLite is used: it brings its allocator */
    if (ddl != NULL)
        sql_write(self, ddl);
    return self;
}

void sql_destroy(struct sql **self)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    char path[DATABASE_PATH_BYTES_MAX + 16];
    if (*self == NULL)
        return;
    sqlite_destroy(&(*self)->sqlite);
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        snprintf(path, sizeof path, "%s%s", (*self)->database.path, endings[i]);
        (void)unlink(path);
    }
    (void)rmdir((*self)->folder);
    free((*self)->bytes);
    free(*self);
    *self = NULL;
}

void sql_write(const struct sql *self, const char *text)
{
    sqlite3 *db = NULL;
    char *why = NULL;
    ck_assert_int_eq(sqlite3_open(self->database.path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 2000);
    sqlite3_exec(db, "pragma synchronous = off", NULL, NULL,
                 NULL); /* it need not survive a crash */
    sqlite3_exec(db, text, NULL, NULL, &why);
    ck_assert_msg(why == NULL, "%s", why);
    sqlite3_close(db);
}

bool sql_ask_with(struct sql *self, const struct query *query, const struct budget *budget)
{
    self->failure = (struct failure){.status = STATUS_OK};
    writer_init(&self->room, self->bytes, RESULT_BYTES_MAX);
    deps[0] = '\0';
    if (!sqlite_begin(self->sqlite, budget, &self->failure)) {
        ck_assert_int_ne(self->failure.status, STATUS_OK);
        return false;
    }
    bool answered = query_run(self->sqlite, query, &self->room, &self->result, &self->failure);
    for (unsigned i = 0; answered && i < self->result.deps->count; i++) {
        strncat(deps, self->result.deps->tables[i], sizeof deps - strlen(deps) - 2);
        strncat(deps, ",", sizeof deps - strlen(deps) - 1);
    }
    if (answered && self->result.deps->folded)
        strncat(deps, "*", sizeof deps - strlen(deps) - 1);
    self->result.deps = NULL;
    sqlite_end(self->sqlite);
    ck_assert_int_eq(answered, self->failure.status == STATUS_OK);
    return answered;
}

bool sql_ask(struct sql *self, const char *statement)
{
    struct query query = {bytes_of(statement), {NULL, 0}, 1000};
    struct budget budget = {sqlite_clock_us() + SQL_BUDGET_MS * US_PER_MS, NULL};
    return sql_ask_with(self, &query, &budget);
}

static int64_t cpu_us(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return used.tv_sec * US_PER_S + used.tv_nsec / 1000;
}

bool sql_ask_within(struct sql *self, const char *statement, int64_t budget_ms, int64_t cpu_ms)
{
    struct query query = {bytes_of(statement), {NULL, 0}, 1000};
    bool answered = false;
    int64_t took_us = INT64_MAX;
    for (int i = 0; i < TRIES && took_us > cpu_ms * US_PER_MS; i++) {
        if (i > 0) {
            sqlite_destroy(&self->sqlite);
            self->sqlite = sqlite_new(&self->database);
        }
        struct budget budget = {sqlite_clock_us() + budget_ms * US_PER_MS, NULL};
        int64_t used_us = cpu_us();
        answered = sql_ask_with(self, &query, &budget);
        took_us = cpu_us() - used_us;
    }
    ck_assert_msg(took_us <= cpu_ms * US_PER_MS, "%lld us of the processor, not %lld ms: %s",
                  (long long)took_us, (long long)cpu_ms, statement);
    return answered;
}

struct bytes sql_value(const struct sql *self, unsigned row, const char *column)
{
    struct bytes rest = self->result.rows;
    for (unsigned i = 0; i < row; i++) {
        size_t size = cursor_measure(rest);
        ck_assert_uint_gt(size, 0);
        rest = (struct bytes){rest.data + size, rest.size - size};
    }
    size_t size = cursor_measure(rest);
    ck_assert_uint_gt(size, 0);
    return value_find((struct bytes){rest.data, size}, column);
}

int64_t sql_integer(const struct sql *self, unsigned row, const char *column)
{
    int64_t number = -1;
    ck_assert_msg(value_i64(sql_value(self, row, column), &number), "%s is no integer", column);
    return number;
}

const char *sql_deps(const struct sql *self)
{
    (void)self;
    return deps;
}
