/* fuzz_sql - any statement through the guard, on a small database: it ends within its deadline and
 * a grace for a slow machine, what it returns is well-formed, and the file is as it was. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/tool_executor/database/query.h"

#define DEADLINE_MS 50
#define GRACE_MS 3000 /* sanitizers, and compiling is not interrupted */

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const char ddl[] =
    "create table t(id integer primary key, name text, size real, data blob);"
    "insert into t values (1, 'a', 0.5, x'00ff'), (2, 'b', null, null), (3, 'c', 7, 'x');"
    "create table u(t_id integer, word text); insert into u values (1, 'one'), (2, 'two');"
    "create view v as select t.name, u.word from t join u on u.t_id = t.id;"
    "create virtual table f using fts5(x); insert into f values ('some words');";

static struct database database = {.name = "fuzz"};
static char folder[] = "/tmp/fact-fuzz-XXXXXX";
static struct stat before;
static sqlite3 *observer;

static void clean(void)
{
    sqlite3_close(observer);
    (void)unlink(database.path);
    (void)rmdir(folder);
}

static struct sqlite *open_database(void)
{
    char *made = mkdtemp(folder);
    assert(made != NULL);
    snprintf(database.path, sizeof database.path, "%s/f.sqlite", folder);
    int code = sqlite3_open(database.path, &observer);
    assert(code == SQLITE_OK);
    code = sqlite3_exec(observer, ddl, NULL, NULL, NULL);
    assert(code == SQLITE_OK);
    (void)atexit(clean);
    (void)stat(database.path, &before);
    return sqlite_new(&database);
}

static void check_unchanged(void)
{
    struct stat now;
    int failed = stat(database.path, &now);
    assert(failed == 0);
    assert(now.st_size == before.st_size);
    assert(now.st_mtim.tv_sec == before.st_mtim.tv_sec);
    assert(now.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
}

static void check_result(const struct query_result *result)
{
    size_t used = 0;
    for (uint64_t i = 0; i < result->row_count; i++) {
        struct bytes rest = {result->rows.data + used, result->rows.size - used};
        struct bytes row = {rest.data, cursor_measure(rest)};
        bool whole = value_check(row, 4);
        assert(whole);
        assert(value_kind(row) == KIND_MAP);
        assert(values_count(row) / 2 == values_count(result->columns));
        used += row.size;
    }
    assert(used == result->rows.size);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct sqlite *sqlite;
    static char room[RESULT_BYTES_MAX];
    struct failure failure = {.status = STATUS_OK};
    struct writer writer;
    struct query_result result;
    if (sqlite == NULL)
        sqlite = open_database();
    int64_t deadline_at = sqlite_clock_us() + DEADLINE_MS * US_PER_MS;
    struct budget budget = {deadline_at, NULL};
    struct query query = {{(const char *)data, size}, {NULL, 0}, 100};
    bool begun = sqlite_begin(sqlite, &budget, &failure);
    assert(begun);
    writer_init(&writer, room, sizeof room);
    if (query_run(sqlite, &query, &writer, &result, &failure))
        check_result(&result);
    else
        assert(failure.status != STATUS_OK && failure.status != STATUS_INTERNAL);
    sqlite_end(sqlite);
    assert(sqlite_clock_us() < deadline_at + GRACE_MS * US_PER_MS);
    check_unchanged();
    return 0;
}
