/* test_sqlite - one connection to a file that others write, lock, lose, damage and replace: every
 * answer is right or names the file; values of all kinds come back as the header says; caps cut and
 * say so; a foreign commit is seen. */
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actors/tool_executor/database/catalog.h"
#include "actors/tool_executor/database/watch.h"
#include "tests/support/sql.h"
#include "tests/support/suite.h"

#define LONG_MS 30000

#define B(literal)                                                                                 \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static struct sql *sql;

static const char ddl[] = "create table t(id integer primary key, name text not null, size real);"
                          "insert into t values (1, 'a', 0.5), (2, 'b', 2.0), (3, 'c', null);";

static void setup(void)
{
    sql = sql_new(ddl);
}

static void teardown(void)
{
    sql_destroy(&sql);
}

static bool value_is(const char *column, const char *expected)
{
    struct bytes text;
    return value_text(sql_value(sql, 0, column), &text) && bytes_are(text, expected);
}

static bool ask_bound(const char *statement, struct bytes parameters)
{
    struct query query = {bytes_of(statement), parameters, 1000};
    struct budget budget = {sqlite_clock_us() + SQL_BUDGET_MS * US_PER_MS, NULL};
    return sql_ask_with(sql, &query, &budget);
}

START_TEST(values_of_every_kind_come_back)
{
    double number = 0;
    ck_assert(sql_ask(sql, "select 1 as i, -9223372036854775808 as min, 9223372036854775807 as max,"
                           " 0.5 as f, 3.0 as whole, null as none, 'naïve' as text, x'00ff10' as "
                           "blob, x'' as empty, cast(x'ff41' as text) as bad, 9e999 as inf,"
                           " -9e999 as neg, 'a' || char(0) || 'b' as zero"));
    ck_assert_int_eq(sql_integer(sql, 0, "i"), 1);
    ck_assert_int_eq(sql_integer(sql, 0, "min"), INT64_MIN);
    ck_assert_int_eq(sql_integer(sql, 0, "max"), INT64_MAX);
    ck_assert(value_f64(sql_value(sql, 0, "f"), &number));
    ck_assert(number == 0.5);
    ck_assert_int_eq(value_kind(sql_value(sql, 0, "whole")), KIND_F64);
    ck_assert_int_eq(value_kind(sql_value(sql, 0, "none")), KIND_NIL);
    ck_assert(value_is("text", "naïve"));
    ck_assert(value_f64(sql_value(sql, 0, "inf"), &number));
    ck_assert(isinf(number) && number > 0);
    ck_assert(value_f64(sql_value(sql, 0, "neg"), &number));
    ck_assert(isinf(number) && number < 0);
    struct bytes zero;
    ck_assert(value_text(sql_value(sql, 0, "zero"), &zero));
    ck_assert_uint_eq(zero.size, 3);
    static const struct {
        const char *column;
        struct bytes bytes;
    } binary[] = {{"blob", B("\x00\xff\x10")}, {"empty", B("")}, {"bad", B("\xff\x41")}};
    for (size_t i = 0; i < sizeof binary / sizeof binary[0]; i++) {
        struct bytes bytes;
        ck_assert(value_blob(sql_value(sql, 0, binary[i].column), &bytes));
        ck_assert(bytes_equal(bytes, binary[i].bytes));
    }
}
END_TEST

START_TEST(columns_are_there_without_rows_and_unique)
{
    struct values columns;
    struct bytes column;
    static const char *const expected[] = {"id", "id_2", "id_3", "id_2_2", "name"};
    ck_assert(sql_ask(sql, "select id, id, id, 1 as id_2, name from t where 0"));
    ck_assert_uint_eq(sql->result.row_count, 0);
    ck_assert_uint_eq(sql->result.rows.size, 0);
    ck_assert(!sql->result.truncated);
    columns = values_over(sql->result.columns);
    for (size_t i = 0; i < 5; i++) {
        ck_assert(values_next(&columns, &column));
        ck_assert(value_text(column, &column));
        ck_assert_msg(bytes_are(column, expected[i]), "%.*s", (int)column.size, column.data);
    }
    ck_assert(!values_next(&columns, &column));
}
END_TEST

static const struct {
    const char *statement;
    struct bytes parameters;
    int64_t expected; /* of column n; -1: refused */
    const char *field;
} bindings[] = {
    {"select count(*) as n from t where id <= ?", B("\x91\x02"), 2, ""},
    {"select ? / 2 as n", B("\x91\xcb\x40\x08\x00\x00\x00\x00\x00\x00"), 1, ""}, /* 3.0 is 3 */
    {"select 2 * ? as n", B("\x91\xcb\x3f\xe0\x00\x00\x00\x00\x00\x00"), 1, ""}, /* 0.5 */
    {"select typeof(?) = 'null' as n", B("\x91\xc0"), 1, ""},
    {"select ? as n", B("\x91\xc3"), 1, ""},
    {"select ? as n", B("\x91\xc2"), 0, ""},
    {"select length(?) as n", B("\x91\xa2\xc3\xa9"), 1, ""},
    {"select length(?) as n", B("\x91\xc4\x02\xff\x00"), 2, ""},
    {"select ?1 + ?1 as n", B("\x91\x04"), 8, ""},
    {"select :a - @b + $c as n", B("\x83\xa1\x61\x09\xa2@b\x04\xa1\x63\x01"), 6, ""},
    {"select 7 as n", B("\x90"), 7, ""},
    {"select 7 as n", B("\x80"), 7, ""},
    {"select 7 as n", {NULL, 0}, 7, ""},
    {"select ? as n", {NULL, 0}, -1, "parameters"},
    {"select ? as n", B("\x92\x01\x02"), -1, "parameters"},
    {"select 1 as n", B("\x91\x01"), -1, "parameters"},
    {"select ?, ? as n", B("\x92\x01\x91\x01"), -1, "parameters/1"},
    {"select ? as n", B("\x91\x80"), -1, "parameters/0"},
    {"select ? as n", B("\x91\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), -1, "parameters/0"},
    {"select :a as n", B("\x81\xa1\x62\x01"), -1, "parameters/b"},
    {"select :a + :b as n", B("\x81\xa1\x61\x01"), -1, "parameters"},
    {"select :a as n", B("\x81\xa1\x61\x90"), -1, "parameters/a"},
    {"select ? as n", B("\x07"), -1, "parameters"},
};

START_TEST(parameters_are_bound_or_refused_with_their_place)
{
    bool answered = ask_bound(bindings[_i].statement, bindings[_i].parameters);
    ck_assert_int_eq(answered, bindings[_i].expected >= 0);
    if (answered) {
        double number = -1;
        ck_assert(value_f64(sql_value(sql, 0, "n"), &number));
        ck_assert(number == (double)bindings[_i].expected);
    } else {
        ck_assert_str_eq(sql->failure.code, "BAD_ARGUMENTS");
        ck_assert_int_eq(sql->failure.status, STATUS_BAD_REQUEST);
        ck_assert_str_eq(sql->failure.field, bindings[_i].field);
    }
}
END_TEST

START_TEST(rows_over_the_cap_are_cut_and_said_to_be)
{
    static const char numbers[] = "with recursive c(x) as (select 1 union all select x + 1 from c"
                                  " where x < 20000) select x from c";
    struct budget budget = {sqlite_clock_us() + SQL_BUDGET_MS * US_PER_MS, NULL};
    struct query query = {bytes_of(numbers), {NULL, 0}, QUERY_ROWS_MAX};
    ck_assert(sql_ask_with(sql, &query, &budget));
    ck_assert_uint_eq(sql->result.row_count, QUERY_ROWS_MAX);
    ck_assert(sql->result.truncated);
    query = (struct query){bytes_of("select id from t"), {NULL, 0}, 3};
    ck_assert(sql_ask_with(sql, &query, &budget));
    ck_assert_uint_eq(sql->result.row_count, 3);
    ck_assert(!sql->result.truncated); /* three rows, and there are no more */
    query.rows_max = 2;
    ck_assert(sql_ask_with(sql, &query, &budget));
    ck_assert_uint_eq(sql->result.row_count, 2);
    ck_assert(sql->result.truncated);
}
END_TEST

START_TEST(bytes_over_the_cap_are_cut_between_rows)
{
    ck_assert(sql_ask(sql, "with recursive c(x) as (select 1 union all select x + 1 from c"
                           " where x < 500) select x, hex(zeroblob(500)) as h from c"));
    ck_assert(sql->result.truncated);
    ck_assert_uint_gt(sql->result.row_count, 180);
    ck_assert_uint_lt(sql->result.row_count, 200);
    unsigned last = (unsigned)sql->result.row_count - 1;
    ck_assert_int_eq(sql_integer(sql, last, "x"), last + 1);
    size_t measured = 0;
    for (uint64_t i = 0; i < sql->result.row_count; i++)
        measured += cursor_measure(
            (struct bytes){sql->result.rows.data + measured, sql->result.rows.size - measured});
    ck_assert_uint_eq(measured, sql->result.rows.size);
}
END_TEST

/* The cache holds STATEMENTS_MAX; what is pushed out is compiled again, and right. */
START_TEST(more_statements_than_are_kept_compiled)
{
    char statement[64];
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < (int)STATEMENTS_MAX + 20; i++) {
            snprintf(statement, sizeof statement, "select %d as n", i);
            ck_assert(sql_ask(sql, statement));
            ck_assert_int_eq(sql_integer(sql, 0, "n"), i);
        }
}
END_TEST

/* What was bound for one asker is not there for the next. */
START_TEST(bindings_do_not_outlive_their_request)
{
    ck_assert(ask_bound("select ?1 as n", (struct bytes)B("\x91\x05")));
    ck_assert_int_eq(sql_integer(sql, 0, "n"), 5);
    ck_assert(!ask_bound("select ?1 as n", (struct bytes){NULL, 0}));
    ck_assert(ask_bound("select ?1 as n", (struct bytes)B("\x91\x06")));
    ck_assert_int_eq(sql_integer(sql, 0, "n"), 6);
}
END_TEST

START_TEST(a_commit_or_a_new_schema_is_seen_at_once)
{
    ck_assert(sql_ask(sql, "select count(*) as n from t"));
    ck_assert_int_eq(sql_integer(sql, 0, "n"), 3);
    sql_write(sql, "insert into t values (4, 'd', 1)");
    ck_assert(sql_ask(sql, "select count(*) as n from t"));
    ck_assert_int_eq(sql_integer(sql, 0, "n"), 4);
    ck_assert(!sql_ask(sql, "select * from later"));
    sql_write(sql, "alter table t add column extra default 'x'; create table later(a);"
                   "create virtual table words using fts5(w); insert into words values ('one')");
    ck_assert(sql_ask(sql, "select * from later"));
    ck_assert(sql_ask(sql, "select extra from t"));
    ck_assert_str_eq(sql_deps(sql), "t,");
    ck_assert_msg(sql_ask(sql, "select w from words where words match 'one'"), "%s",
                  sql->failure.message);
    sql_write(sql, "drop table t; create view t as select 7 as n");
    ck_assert(sql_ask(sql, "select count(*) as n from t"));
    ck_assert_str_eq(sql_deps(sql), "");
}
END_TEST

START_TEST(the_wal_of_another_program_is_read)
{
    sql_write(sql, "pragma journal_mode = wal; insert into t values (4, 'd', 1)");
    sqlite3 *other = NULL;
    ck_assert_int_eq(sqlite3_open(sql->database.path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "insert into t values (5, 'e', 1)", 0, 0, 0), SQLITE_OK);
    ck_assert_msg(sql_ask(sql, "select count(*) as n from t"), "%s", sql->failure.message);
    ck_assert_int_eq(sql_integer(sql, 0, "n"), 5);
    ck_assert_int_eq(
        sqlite3_exec(other, "begin immediate; insert into t values (6, 'f', 1)", 0, 0, 0),
        SQLITE_OK);
    ck_assert(sql_ask(sql, "select count(*) as n from t")); /* a writer does not lock readers out */
    ck_assert_int_eq(sql_integer(sql, 0, "n"), 5);
    sqlite3_close(other);
}
END_TEST

static void expect_unavailable(void)
{
    ck_assert(!sql_ask(sql, "select count(*) as n from t"));
    ck_assert_str_eq(sql->failure.code, "UNAVAILABLE");
    ck_assert_int_eq(sql->failure.status, STATUS_CIRCUIT_OPEN);
    ck_assert_uint_gt(sql->failure.retry_after_ms, 0);
    ck_assert_ptr_nonnull(strstr(sql->failure.message, sql->database.path));
    ck_assert_ptr_nonnull(strstr(sql->failure.message, sql->database.name));
}

static void expect_count(int64_t count)
{
    ck_assert_msg(sql_ask(sql, "select count(*) as n from t"), "%s", sql->failure.message);
    ck_assert_int_eq(sql_integer(sql, 0, "n"), count);
}

static void overwrite(off_t at, const char *bytes, size_t size)
{
    int file = open(sql->database.path, O_WRONLY);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(pwrite(file, bytes, size, at), (ssize_t)size);
    close(file);
}

START_TEST(a_missing_file_is_named_and_found_when_it_is_there)
{
    char away[DATABASE_PATH_BYTES_MAX + 8];
    snprintf(away, sizeof away, "%s.away", sql->database.path);
    expect_count(3);
    ck_assert_int_eq(rename(sql->database.path, away), 0);
    expect_unavailable();
    ck_assert_ptr_nonnull(strstr(sql->failure.message, "no such file"));
    expect_unavailable();
    ck_assert_int_eq(rename(away, sql->database.path), 0);
    expect_count(3);
}
END_TEST

START_TEST(a_damaged_file_is_named_and_read_when_it_is_mended)
{
    char head[100] = {0}, page[4096];
    int file = open(sql->database.path, O_RDONLY);
    ck_assert_int_eq(pread(file, head, sizeof head, 0), (ssize_t)sizeof head);
    ck_assert_int_eq(pread(file, page, sizeof page, 4096), (ssize_t)sizeof page);
    close(file);
    expect_count(3);
    overwrite(0, "this is not a database, it is only text in a file", 49);
    sqlite_destroy(&sql->sqlite); /* one that has read it may go on from memory */
    sql->sqlite = sqlite_new(&sql->database);
    expect_unavailable();
    overwrite(0, head, sizeof head);
    expect_count(3);
    static const char garbage[4096] = {1, 2, 3};
    overwrite(4096, garbage, sizeof garbage);
    sqlite_destroy(&sql->sqlite);
    sql->sqlite = sqlite_new(&sql->database);
    expect_unavailable();
    overwrite(4096, page, sizeof page);
    expect_count(3);
}
END_TEST

START_TEST(a_file_that_is_cut_does_not_end_the_process)
{
    sql_write(sql, "with recursive c(x) as (select 10 union all select x + 1 from c where x < 5000)"
                   " insert into t select x, hex(zeroblob(100)), 0 from c");
    expect_count(4994);
    ck_assert_int_eq(truncate(sql->database.path, 8192), 0);
    ck_assert(!sql_ask(sql, "select sum(length(name)) as n from t"));
    ck_assert_str_eq(sql->failure.code, "UNAVAILABLE");
    ck_assert_int_eq(truncate(sql->database.path, 0), 0);
    ck_assert(!sql_ask(sql, "select count(*) as n from t"));
}
END_TEST

START_TEST(a_folder_in_its_place_is_no_database)
{
    ck_assert_int_eq(unlink(sql->database.path), 0);
    snprintf(sql->database.path, sizeof sql->database.path, "%s", sql->folder);
    expect_unavailable();
}
END_TEST

START_TEST(a_replaced_file_is_read_anew)
{
    struct sql *other = sql_new("create table t(a); insert into t values (1);");
    expect_count(3);
    ck_assert_int_eq(rename(other->database.path, sql->database.path), 0);
    expect_count(1);
    sql_destroy(&other);
}
END_TEST

START_TEST(a_locked_file_is_named_and_read_when_it_is_free)
{
    sqlite3 *other = NULL;
    expect_count(3);
    ck_assert_int_eq(sqlite3_open(sql->database.path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(other, "begin exclusive", NULL, NULL, NULL), SQLITE_OK);
    ck_assert(!sql_ask(sql, "select count(*) as n from t"));
    ck_assert_str_eq(sql->failure.code, "BUSY");
    ck_assert_int_eq(sql->failure.status, STATUS_BUSY_FULL);
    ck_assert_uint_gt(sql->failure.retry_after_ms, 0);
    ck_assert_ptr_nonnull(strstr(sql->failure.message, sql->database.path));
    struct query query = {bytes_of("select 1 from t"), {NULL, 0}, 1};
    int64_t deadline_at = sqlite_clock_us() + 50 * US_PER_MS; /* shorter than we wait for locks */
    ck_assert(!sql_ask_with(sql, &query, &(struct budget){deadline_at, NULL}));
    ck_assert_str_eq(sql->failure.code, "DEADLINE");
    ck_assert_int_lt(sqlite_clock_us(), deadline_at + SQL_BUSY_MS_MAX / 2 * US_PER_MS);
    ck_assert_int_eq(sqlite3_exec(other, "rollback", NULL, NULL, NULL), SQLITE_OK);
    expect_count(3);
    sqlite3_close(other);
}
END_TEST

static const char endless[] = "with recursive c(x) as (select 1 union all select x + 1 from c)"
                              " select count(*) from c";

static void *interrupt_it(void *context)
{
    atomic_bool *cancelled = context;
    *cancelled = true;
    sqlite_interrupt(sql->sqlite);
    return NULL;
}

START_TEST(a_cancelled_query_ends)
{
    atomic_bool cancelled = false;
    pthread_t thread;
    struct query query = {bytes_of(endless), {NULL, 0}, 1};
    struct budget budget = {sqlite_clock_us() + LONG_MS * US_PER_MS, &cancelled};
    expect_count(3);
    ck_assert_int_eq(pthread_create(&thread, NULL, interrupt_it, &cancelled), 0);
    ck_assert(!sql_ask_with(sql, &query, &budget));
    ck_assert_str_eq(sql->failure.code, "CANCELLED");
    ck_assert_int_eq(sql->failure.status, STATUS_CANCELLED);
    pthread_join(thread, NULL);
    expect_count(3);
}
END_TEST

START_TEST(nothing_runs_when_its_time_is_over_already)
{
    struct query query = {bytes_of("select 1"), {NULL, 0}, 1};
    ck_assert(!sql_ask_with(sql, &query, &(struct budget){sqlite_clock_us(), NULL}));
    ck_assert_str_eq(sql->failure.code, "DEADLINE");
}
END_TEST

/* The catalogue: tables and views with their columns, none of SQLite's own. */
START_TEST(the_catalogue_tells_what_is_there)
{
    char bytes[4096];
    struct writer room;
    struct failure failure;
    uint64_t total = 0, count = 0;
    struct budget budget = {sqlite_clock_us() + SQL_BUDGET_MS * US_PER_MS, NULL};
    sql_write(sql, "create table other(a text primary key, b integer not null) without rowid;"
                   "create view v as select name from t; create virtual table f using fts5(x);"
                   "create table auto(id integer primary key autoincrement)");
    static const struct {
        const char *table, *column, *type;
        bool nullable, primary_key;
    } expected[] = {
        {"auto", "id", "INTEGER", false, true}, {"f", "x", "", true, false},
        {"other", "a", "TEXT", false, true},    {"other", "b", "INTEGER", false, false},
        {"t", "id", "INTEGER", false, true},    {"t", "name", "TEXT", false, false},
        {"t", "size", "REAL", true, false},     {"v", "name", "TEXT", true, false},
    };
    writer_init(&room, bytes, sizeof bytes);
    ck_assert(sqlite_begin(sql->sqlite, &budget, &failure));
    ck_assert_msg(catalog_write(sql->sqlite, &room, &total, &count, &failure), "%s",
                  failure.message);
    sqlite_end(sql->sqlite);
    ck_assert_uint_eq(total, 5);
    ck_assert_uint_eq(count, 5);
    struct bytes rest = writer_bytes(&room), text;
    size_t row = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct bytes table = {rest.data, cursor_measure(rest)}, column;
        struct values columns = values_over(value_find(table, "columns"));
        rest = (struct bytes){rest.data + table.size, rest.size - table.size};
        while (values_next(&columns, &column)) {
            bool truth;
            ck_assert(value_text(value_find(table, "name"), &text));
            ck_assert(bytes_are(text, expected[row].table));
            ck_assert(value_text(value_find(column, "name"), &text));
            ck_assert(bytes_are(text, expected[row].column));
            ck_assert(value_text(value_find(column, "type"), &text));
            ck_assert_msg(bytes_are(text, expected[row].type), "%.*s", (int)text.size, text.data);
            ck_assert(value_bool(value_find(column, "nullable"), &truth));
            ck_assert_int_eq(truth, expected[row].nullable);
            ck_assert(value_bool(value_find(column, "primary_key"), &truth));
            ck_assert_int_eq(truth, expected[row].primary_key);
            row++;
        }
    }
    ck_assert_uint_eq(row, sizeof expected / sizeof expected[0]);
}
END_TEST

/* Room for some tables only: whole ones, and the number of all. */
START_TEST(a_catalogue_too_large_is_cut_between_tables)
{
    struct failure failure;
    struct budget budget = {sqlite_clock_us() + SQL_BUDGET_MS * US_PER_MS, NULL};
    sql_write(sql, "create table u(a, b); create table w(a, b)");
    for (size_t size = 0; size < 400; size++) {
        uint64_t total = 0, count = 0;
        struct writer room;
        char *bytes = malloc(size + 1);
        writer_init(&room, bytes, size);
        ck_assert(sqlite_begin(sql->sqlite, &budget, &failure));
        ck_assert(catalog_write(sql->sqlite, &room, &total, &count, &failure));
        sqlite_end(sql->sqlite);
        ck_assert_uint_eq(total, 3);
        ck_assert_uint_le(count, 3);
        size_t used = 0;
        for (uint64_t i = 0; i < count; i++)
            used += cursor_measure((struct bytes){bytes + used, room.used - used});
        ck_assert_uint_eq(used, room.used);
        free(bytes);
    }
}
END_TEST

/* The watch: the first look, commits in both journal modes, a file that comes, goes, is another. */
START_TEST(a_foreign_change_is_noticed_once)
{
    struct watch *watch = watch_new(&sql->database);
    static const char *const modes[] = {"pragma journal_mode = delete",
                                        "pragma journal_mode = wal"};
    ck_assert(watch_look(watch));
    ck_assert(!watch_look(watch));
    for (size_t i = 0; i < 2; i++) {
        sql_write(sql, modes[i]);
        (void)watch_look(watch);
        ck_assert(!watch_look(watch));
        sql_write(sql, "update t set size = coalesce(size, 0) + 1");
        ck_assert(watch_look(watch));
        ck_assert(!watch_look(watch));
        expect_count(3); /* a reader of our own is no change */
        ck_assert(!watch_look(watch));
    }
    watch_destroy(&watch);
}
END_TEST

START_TEST(a_file_that_comes_goes_or_is_replaced_is_noticed)
{
    struct sql *other = sql_new("create table t(a)"), *none = sql_new(NULL);
    struct watch *watch = watch_new(&none->database);
    ck_assert(watch_look(watch));
    ck_assert(!watch_look(watch));
    sql_write(none, "create table t(a)");
    ck_assert(watch_look(watch));
    ck_assert(!watch_look(watch));
    ck_assert_int_eq(rename(other->database.path, none->database.path), 0);
    ck_assert(watch_look(watch));
    ck_assert(!watch_look(watch));
    ck_assert_int_eq(unlink(none->database.path), 0);
    ck_assert(watch_look(watch));
    ck_assert(!watch_look(watch));
    watch_destroy(&watch);
    sql_destroy(&other);
    sql_destroy(&none);
}
END_TEST

START_TEST(damage_is_noticed_once_and_so_is_its_end)
{
    struct watch *watch = watch_new(&sql->database);
    char head[100] = {0};
    int file = open(sql->database.path, O_RDONLY);
    ck_assert_int_eq(pread(file, head, sizeof head, 0), (ssize_t)sizeof head);
    close(file);
    ck_assert(watch_look(watch));
    ck_assert(!watch_look(watch));
    overwrite(0, "this is no database at all, whatever its name says", 50);
    ck_assert(watch_look(watch));
    ck_assert(!watch_look(watch));
    overwrite(0, head, sizeof head);
    ck_assert(watch_look(watch));
    ck_assert(!watch_look(watch));
    watch_destroy(&watch);
}
END_TEST

START_TEST(what_is_committed_while_the_file_is_locked_is_noticed_after)
{
    struct watch *watch = watch_new(&sql->database);
    sqlite3 *other = NULL;
    ck_assert(watch_look(watch));
    ck_assert_int_eq(sqlite3_open(sql->database.path, &other), SQLITE_OK);
    ck_assert_int_eq(
        sqlite3_exec(other, "begin exclusive; update t set size = 1", NULL, NULL, NULL), SQLITE_OK);
    ck_assert(!watch_look(watch));
    ck_assert_int_eq(sqlite3_exec(other, "commit", NULL, NULL, NULL), SQLITE_OK);
    ck_assert(watch_look(watch));
    sqlite3_close(other);
    watch_destroy(&watch);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, values_of_every_kind_come_back);
    tcase_add_test(tcase, columns_are_there_without_rows_and_unique);
    tcase_add_loop_test(tcase, parameters_are_bound_or_refused_with_their_place, 0,
                        sizeof bindings / sizeof bindings[0]);
    tcase_add_test(tcase, rows_over_the_cap_are_cut_and_said_to_be);
    tcase_add_test(tcase, bytes_over_the_cap_are_cut_between_rows);
    tcase_add_test(tcase, more_statements_than_are_kept_compiled);
    tcase_add_test(tcase, bindings_do_not_outlive_their_request);
    tcase_add_test(tcase, a_commit_or_a_new_schema_is_seen_at_once);
    tcase_add_test(tcase, the_wal_of_another_program_is_read);
    tcase_add_test(tcase, a_missing_file_is_named_and_found_when_it_is_there);
    tcase_add_test(tcase, a_damaged_file_is_named_and_read_when_it_is_mended);
    tcase_add_test(tcase, a_file_that_is_cut_does_not_end_the_process);
    tcase_add_test(tcase, a_folder_in_its_place_is_no_database);
    tcase_add_test(tcase, a_replaced_file_is_read_anew);
    tcase_add_test(tcase, a_locked_file_is_named_and_read_when_it_is_free);
    tcase_add_test(tcase, a_cancelled_query_ends);
    tcase_add_test(tcase, nothing_runs_when_its_time_is_over_already);
    tcase_add_test(tcase, the_catalogue_tells_what_is_there);
    tcase_add_test(tcase, a_catalogue_too_large_is_cut_between_tables);
    tcase_add_test(tcase, a_foreign_change_is_noticed_once);
    tcase_add_test(tcase, a_file_that_comes_goes_or_is_replaced_is_noticed);
    tcase_add_test(tcase, damage_is_noticed_once_and_so_is_its_end);
    tcase_add_test(tcase, what_is_committed_while_the_file_is_locked_is_noticed_after);
}

int main(void)
{
    return suite_run("sqlite", add_tests);
}
