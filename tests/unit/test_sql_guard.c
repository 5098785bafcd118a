/* test_sql_guard - what a foreign statement may do: hostile ones end with the right code, in time,
 * and change nothing; harmless ones that look alike are served; deps name the tables that are read,
 * no more and no fewer. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/sql.h"
#include "tests/support/suite.h"

#define DEADLINE_MS 200
#define GRACE_MS 10 /* beyond a deadline */
#define MIB (INT64_C(1) << 20)

static struct sql *sql;

static const char ddl[] =
    "create table companies(id integer primary key, name text, sector text);"
    "create table records(id integer primary key, company_id integer references companies(id),"
    " year integer, revenue integer, profit integer);"
    "insert into companies values (1, 'Ada', 'Energy'), (2, 'Bell', 'Health');"
    "insert into records values (1, 1, 2024, 100, 10), (2, 1, 2025, 200, 30), (3, 2, 2025, 50, 5);"
    "create view margins as select c.name, r.year, r.profit * 1.0 / r.revenue as margin"
    " from records r join companies c on c.id = r.company_id;"
    "create view totals as select count(*) as n from records;"
    "create table deleted(word text); insert into deleted values ('drop table');"
    "create table pairs(a, b, primary key(a, b)) without rowid;"
    "create virtual table notes using fts5(title, body);"
    "insert into notes values ('first', 'solar wind'), ('second', 'tidal power');";

static void setup(void)
{
    sql = sql_new(ddl);
}

static void teardown(void)
{
    sql_destroy(&sql);
}

static const struct {
    const char *statement;
    enum status status;
    const char *code;
} hostile[] = {
    {"insert into companies values (3, 'x', 'y')", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"insert into companies values (3, 'x', 'y') returning id", STATUS_FORBIDDEN,
     "READONLY_VIOLATION"},
    {"replace into companies values (1, 'x', 'y')", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"update companies set name = 'x'", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"delete from companies", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"with a as (select 1) delete from companies", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"DeLeTe /* select */ from companies", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"explain delete from companies", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"drop table companies", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"drop view margins", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"drop table notes", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"create table t(a)", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"create table t as select * from companies", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"create temp table t(a)", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"create view v as select 1", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"create temp view v as select 1", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"create index i on companies(name)", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"create trigger t after insert on companies begin select 1; end", STATUS_FORBIDDEN,
     "READONLY_VIOLATION"},
    {"create virtual table v using fts5(a)", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"alter table companies add column x", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"alter table companies rename to firms", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"vacuum", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"vacuum into '/tmp/fact-test-stolen'", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"attach '/tmp/fact-test-stolen' as other", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"detach main", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"begin", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"begin immediate", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"commit", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"rollback", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"savepoint s", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"reindex", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"analyze", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"pragma query_only = 0", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"pragma writable_schema = 1", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"pragma journal_mode = delete", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"pragma user_version = 7", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"pragma database_list", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"pragma mmap_size = 1000000000", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"pragma temp_store_directory = '/'", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"select file from pragma_database_list", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"select * from dbstat", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"select count(*) from dbstat", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"select * from sqlite_temp_master", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"select load_extension('/tmp/x.so')", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"select fts3_tokenizer('simple')", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"select fts3_tokenizer('simple', x'4141414141414141')", STATUS_FORBIDDEN,
     "READONLY_VIOLATION"},
    {"insert into notes(notes) values ('rebuild')", STATUS_FORBIDDEN, "READONLY_VIOLATION"},
    {"select readfile('/etc/passwd')", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {"select writefile('/tmp/x', 'y')", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {"select edit('x')", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {"select 1; drop table companies", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {"select 1; select 2", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {"select 1;;; select", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {"select 1; ' ", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {"", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {" ; -- nothing", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {"not sql at all", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {"select", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {"select * from no_such_table", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {"select no_such_column from companies", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {"select * from other.companies", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {"select no_such_function(1)", STATUS_BAD_REQUEST, "BAD_QUERY"},
    {"select abs(-9223372036854775808)", STATUS_APP_ERROR, "BAD_QUERY"},
    {"select 'a' like 'a' escape 'xy'", STATUS_APP_ERROR, "BAD_QUERY"},
    {"select 'a' like 'a' escape ''", STATUS_APP_ERROR, "BAD_QUERY"},
    {"select json_extract('{', '$')", STATUS_APP_ERROR, "BAD_QUERY"},
    {"select zeroblob(100000000)", STATUS_APP_ERROR, "LIMIT"},
    {"select hex(zeroblob(16000000))", STATUS_APP_ERROR, "LIMIT"},
    {"select replace(hex(zeroblob(5000)), '0', hex(zeroblob(5000)))", STATUS_APP_ERROR, "LIMIT"},
    {"select zeroblob(200000)", STATUS_APP_ERROR, "LIMIT"}, /* one row over the result's cap */
    {"select 'x' like '%' || hex(zeroblob(1000))", STATUS_APP_ERROR, "LIMIT"},
    {"select ?257", STATUS_TOO_LARGE, "LIMIT"},
    {"select max(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30,"
     "31,32,33)",
     STATUS_TOO_LARGE, "LIMIT"},
};

/* One that ends by itself, so on a busy machine too. */
static bool passes(const char *statement)
{
    return sql_ask_within(sql, statement, 100 * DEADLINE_MS, DEADLINE_MS + GRACE_MS);
}

START_TEST(a_hostile_statement_is_refused_by_its_code)
{
    ck_assert_msg(!passes(hostile[_i].statement), "%s", hostile[_i].statement);
    ck_assert_str_eq(sql->failure.code, hostile[_i].code);
    ck_assert_int_eq(sql->failure.status, hostile[_i].status);
    ck_assert_str_ne(sql->failure.message, "");
    ck_assert_str_eq(sql->failure.field, "statement");
    ck_assert_int_ne(access("/tmp/fact-test-stolen", F_OK), 0);
    ck_assert(passes("select count(*) as n from companies")); /* and the connection is as before */
    ck_assert_int_eq(sql_integer(sql, 0, "n"), 2);
}
END_TEST

static const char *const endless[] = {
    "with recursive c(x) as (select 1 union all select x + 1 from c) select count(*) from c",
    "with recursive c(x) as (select 1 union all select x + 1 from c) select max(x) from c",
    "with recursive c(x) as (select 1 union all select 1 from c) select * from c limit 1 "
    "offset 100000000000",
    "with recursive t(x) as (select 0 union all select x + 1 from t where x < 99999)"
    " select count(*) from t a, t b, t c", /* 10^15 rows */
    "with recursive t(x) as (select 0 union all select x + 1 from t where x < 99999)"
    " select a.x from t a, t b, t c order by random() limit 1",
    "select count(*) from records a, records b, records c, records d, records e, records f,"
    " records g, records h, records i, records j, records k, records l, records m, records n,"
    " records o, records p, records q, records r, records s, records t, records u, records v",
    "with recursive c(x) as (select 1 union all select x + 1 from c)"
    " select group_concat(x) from (select x % 10 as x from c)",
};

/* It ends by its deadline; one whose memory ends before that, by the limit. */
START_TEST(an_endless_statement_ends_by_its_deadline)
{
    ck_assert(!sql_ask_within(sql, endless[_i], DEADLINE_MS, DEADLINE_MS + GRACE_MS));
    if (strcmp(sql->failure.code, "DEADLINE") == 0)
        ck_assert_int_eq(sql->failure.status, STATUS_DEADLINE_RUNNING);
    else
        ck_assert_str_eq(sql->failure.code, "LIMIT");
    ck_assert(passes("select 1"));
}
END_TEST

/* A chain of CTEs that doubles with each link: compiling a long one alone would take all memory, a
 * shorter one seconds, and compiling cannot be interrupted. How far it came is told by the memory
 * that it took: that is the same on a busy machine. */
START_TEST(a_statement_that_explodes_while_it_is_compiled_is_ended)
{
    char statement[4096];
    int links = 16 + 7 * _i;
    int size = snprintf(statement, sizeof statement, "with a0(x) as (select 1)");
    for (int i = 1; i <= links; i++)
        size += snprintf(statement + size, sizeof statement - (size_t)size,
                         ", a%d(x) as (select p.x from a%d p, a%d q)", i, i - 1, i - 1);
    snprintf(statement + size, sizeof statement - (size_t)size, " select count(*) from a%d", links);
    struct query query = {bytes_of(statement), {NULL, 0}, 1};
    struct budget budget = {sqlite_clock_us() + DEADLINE_MS * US_PER_MS, NULL};
    sqlite3_memory_highwater(1);
    ck_assert(!sql_ask_with(sql, &query, &budget));
    ck_assert(strcmp(sql->failure.code, "LIMIT") == 0 ||
              strcmp(sql->failure.code, "DEADLINE") == 0);
    ck_assert_int_le(sqlite3_memory_highwater(0), SQL_STATEMENT_BYTES_MAX + MIB);
    budget = (struct budget){sqlite_clock_us() + 10 * US_PER_MS, NULL};
    sqlite3_memory_highwater(1);
    ck_assert(!sql_ask_with(sql, &query, &budget));
    ck_assert_str_eq(sql->failure.code, "DEADLINE");
    ck_assert_int_lt(sqlite3_memory_highwater(0), SQL_STATEMENT_BYTES_MAX / 2); /* in good time */
    ck_assert(passes("select 1"));
}
END_TEST

/* A sort of 200 MB: what it may take is its own limit, far below that of the process. */
START_TEST(a_statement_has_a_limit_of_memory)
{
    ck_assert(!sql_ask(sql, "with recursive c(x) as (select 1 union all select x + 1 from c where x"
                            " < 200000) select hex(zeroblob(500)) || x as h from c order by h"));
    ck_assert_str_eq(sql->failure.code, "LIMIT");
    ck_assert_int_eq(sql->failure.status, STATUS_APP_ERROR);
    ck_assert_ptr_nonnull(strstr(sql->failure.message, "memory"));
    ck_assert_int_lt(sqlite3_memory_highwater(0), 2 * SQL_STATEMENT_BYTES_MAX);
    ck_assert(sql_ask(sql, "with recursive c(x) as (select 1 union all select x + 1 from c where x"
                           " < 20000) select hex(zeroblob(500)) || x as h from c order by h"));
}
END_TEST

static void *explode(void *context)
{
    struct sqlite *sqlite = sqlite_new(&sql->database);
    char room[1024];
    struct writer writer;
    struct query_result result;
    struct failure failure;
    struct query query = {bytes_of("with recursive c(x) as (select 1 union all select x + 1 from c)"
                                   " select hex(zeroblob(500)) || x as h from c order by h"),
                          {NULL, 0},
                          1};
    for (int round = 0; round < 2; round++) {
        struct budget budget = {sqlite_clock_us() + SQL_BUDGET_MS * US_PER_MS, NULL};
        writer_init(&writer, room, sizeof room);
        ck_assert(sqlite_begin(sqlite, &budget, &failure));
        ck_assert(!query_run(sqlite, &query, &writer, &result, &failure));
        sqlite_end(sqlite);
    }
    sqlite_destroy(&sqlite);
    *(atomic_bool *)context = true;
    return NULL;
}

/* Four threads reach their limits again and again: this one is not refused for it. */
START_TEST(what_one_statement_takes_is_not_missing_to_another)
{
    pthread_t threads[4];
    atomic_bool done[4] = {false, false, false, false};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, explode, &done[i]), 0);
    while (!done[0] || !done[1] || !done[2] || !done[3])
        ck_assert_msg(sql_ask(sql, "select c.name, sum(r.revenue) from companies c join records r"
                                   " on r.company_id = c.id group by c.id order by 2"),
                      "%s", sql->failure.message);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}
END_TEST

/* text, and count times piece behind it */
static char *repeated(const char *text, const char *piece, size_t count, const char *end)
{
    size_t size = strlen(text) + count * strlen(piece) + strlen(end) + 1;
    char *whole = malloc(size);
    ck_assert_ptr_nonnull(whole);
    char *at = stpcpy(whole, text);
    for (size_t i = 0; i < count; i++)
        at = stpcpy(at, piece);
    stpcpy(at, end);
    return whole;
}

static const struct {
    const char *text, *piece, *end;
    size_t fits, too_many;
    const char *names;
} limits[] = {
    {"select 1", " + 1", "", SQL_EXPRESSION_DEPTH_MAX - 1, SQL_EXPRESSION_DEPTH_MAX, "depth"},
    {"select 1", " union all select 1", "", SQL_COMPOUND_SELECT_MAX - 1, SQL_COMPOUND_SELECT_MAX,
     "terms"},
    {"select 1", ", 1", "", SQL_COLUMNS_MAX - 1, SQL_COLUMNS_MAX, "columns"},
    {"select 'x", "x", "'", SQL_TEXT_BYTES_MAX - 10, SQL_TEXT_BYTES_MAX - 9, "bytes"},
    {"select max(1", ", 1", ")", SQL_FUNCTION_ARGUMENTS_MAX - 1, SQL_FUNCTION_ARGUMENTS_MAX,
     "arguments"},
    {"select 1 from companies", ", companies", "", 62, 64, "tables"},
    {"select ", "(", "1", 90, 60000, "nesting"}, /* fits only in depth: no syntax, no crash */
};

START_TEST(each_limit_is_reached_and_named)
{
    char *at = repeated(limits[_i].text, limits[_i].piece, limits[_i].fits, limits[_i].end);
    char *over = repeated(limits[_i].text, limits[_i].piece, limits[_i].too_many, limits[_i].end);
    bool is_nesting = strcmp(limits[_i].names, "nesting") == 0;
    struct query query = {bytes_of(at), {NULL, 0}, 1};
    struct budget budget = {sqlite_clock_us() + SQL_BUDGET_MS * US_PER_MS, NULL};
    bool answered = sql_ask_with(sql, &query, &budget);
    ck_assert_msg(answered || is_nesting || strcmp(sql->failure.code, "LIMIT") != 0, "%s",
                  sql->failure.message);
    ck_assert(!sql_ask(sql, over));
    ck_assert_str_eq(sql->failure.code, "LIMIT");
    ck_assert_int_eq(sql->failure.status, STATUS_TOO_LARGE);
    ck_assert_msg(strstr(sql->failure.message, limits[_i].names) != NULL, "%s",
                  sql->failure.message);
    free(at);
    free(over);
}
END_TEST

/* Nothing is judged by its spelling; deps are the tables, not the words. */
static const struct {
    const char *statement, *deps;
} harmless[] = {
    {"select 1", ""},
    {"select 1;", ""},
    {"select 1; ; -- the end\n /* really */ ;", ""},
    {"  /* delete */ select 'drop table companies; delete from records' as x", ""},
    {"select replace(name, 'insert', 'update') from companies", "companies,"},
    {"select * from deleted where word = 'drop table'", "deleted,"},
    {"select count(*) from companies", "companies,"},
    {"select COUNT(*) from COMPANIES", "companies,"},
    {"select exists(select 1 from records)", "records,"},
    {"select 1 from companies", "companies,"},
    {"select c.name, sum(r.revenue) from companies c join records r on r.company_id = c.id"
     " group by c.id",
     "companies,records,"},
    {"select * from margins", "companies,records,"},
    {"select * from totals", "records,"},
    {"select count(*) from totals", "records,"},
    {"with c as (select id from companies) select * from c", "companies,"},
    {"with c as (select id from companies) select count(*) from c", "companies,"},
    {"with c(x) as (select 1) select count(*) from c", ""},
    {"with recursive c(x) as (select 1 union all select x + 1 from c where x < 5) select sum(x)"
     " from c",
     ""},
    {"select name from companies where id in (select company_id from records)",
     "companies,records,"},
    {"select name from (select name from companies) where name > 'A'", "companies,"},
    {"select (select max(revenue) from records) as top", "records,"},
    {"select a from pairs union select id from companies", "companies,pairs,"},
    {"select value from json_each('[1,2]')", ""},
    {"select count(*) from json_tree('{\"a\":[1]}')", ""},
    {"select name from pragma_table_info('companies')", ""},
    {"select name from pragma_table_list", ""},
    {"pragma table_info(companies)", ""},
    {"pragma foreign_key_list(records)", ""},
    {"select name from sqlite_schema where type = 'table'", ""},
    {"select title from notes where notes match 'solar'", "notes,"},
    {"select highlight(notes, 1, '[', ']') from notes('power')", "notes,"},
    {"explain query plan select * from companies", "companies,"},
    {"values (1, 2), (3, 4)", ""},
    {"select name, row_number() over (order by id) from companies", "companies,"},
    {"select date('2025-01-01', '+1 month')", ""},
    {"select name from companies where name glob 'A*' or name like 'b%'", "companies,"},
};

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The deps in the order of the alphabet. */
static const char *sorted_deps(void)
{
    static char sorted[4096];
    char copy[4096], *names[GUARD_READS_MAX], *rest = copy;
    size_t count = 0;
    snprintf(copy, sizeof copy, "%s", sql_deps(sql));
    for (char *name = strsep(&rest, ","); name != NULL; name = strsep(&rest, ","))
        if (name[0] != '\0')
            names[count++] = name;
    qsort(names, count, sizeof names[0], by_text);
    sorted[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        strncat(sorted, names[i], sizeof sorted - strlen(sorted) - 1);
        strncat(sorted, ",", sizeof sorted - strlen(sorted) - 1);
    }
    return sorted;
}

START_TEST(a_harmless_statement_is_served_and_its_deps_are_exact)
{
    for (int round = 0; round < 2; round++) { /* compiled, then from the statement cache */
        ck_assert_msg(passes(harmless[_i].statement), "%s: %s", harmless[_i].statement,
                      sql->failure.message);
        ck_assert_str_eq(sorted_deps(), harmless[_i].deps);
    }
}
END_TEST

START_TEST(more_tables_than_deps_fold_into_the_database)
{
    char ddl_text[64], statement[1024] = "select 1 from t0";
    for (unsigned i = 0; i < DEPS_MAX; i++) {
        snprintf(ddl_text, sizeof ddl_text, "create table t%u(a)", i);
        sql_write(sql, ddl_text);
        if (i > 0)
            snprintf(statement + strlen(statement), sizeof statement - strlen(statement), ", t%u",
                     i);
        ck_assert(passes(statement));
        ck_assert_int_eq(strchr(sql_deps(sql), '*') != NULL, i + 1 > DEPS_MAX - 1);
    }
}
END_TEST

/* A table wider than a statement may be does not make its database unreadable. */
START_TEST(a_wide_table_of_the_user_s_costs_only_itself)
{
    char *wide = repeated("create table wide(a", ", a0", 0, "");
    char *text = malloc(65536);
    int size = snprintf(text, 65536, "%s", wide);
    for (int i = 0; i < 300; i++)
        size += snprintf(text + size, 65536 - (size_t)size, ", c%d", i);
    snprintf(text + size, 65536 - (size_t)size, "); insert into wide(c7) values (7)");
    sql_write(sql, text);
    ck_assert_msg(passes("select c7 from wide"), "%s", sql->failure.message);
    ck_assert_int_eq(sql_integer(sql, 0, "c7"), 7);
    ck_assert(!passes("select * from wide"));
    ck_assert_str_eq(sql->failure.code, "LIMIT");
    sql_write(sql, "create table one_more(a)"); /* the schema is loaded again */
    ck_assert_msg(passes("select c7 from wide"), "%s", sql->failure.message);
    free(wide);
    free(text);
}
END_TEST

/* All that was tried leaves the file as it was, byte for byte. */
START_TEST(the_file_does_not_change)
{
    struct stat before, after;
    char line[256] = "", again[256] = "";
    const char sum[] = "select sum(length(quote(name))) || count(*) || max(id) as s from companies";
    struct bytes text;
    ck_assert_int_eq(stat(sql->database.path, &before), 0);
    ck_assert(passes(sum));
    ck_assert(value_text(sql_value(sql, 0, "s"), &text));
    memcpy(line, text.data, text.size);
    for (size_t i = 0; i < sizeof hostile / sizeof hostile[0]; i++)
        ck_assert(!passes(hostile[i].statement));
    ck_assert(passes(sum));
    ck_assert(value_text(sql_value(sql, 0, "s"), &text));
    memcpy(again, text.data, text.size);
    ck_assert_str_eq(line, again);
    ck_assert_int_eq(stat(sql->database.path, &after), 0);
    ck_assert_int_eq(before.st_size, after.st_size);
    ck_assert_int_eq(before.st_mtim.tv_sec, after.st_mtim.tv_sec);
    ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_hostile_statement_is_refused_by_its_code, 0,
                        sizeof hostile / sizeof hostile[0]);
    tcase_add_loop_test(tcase, an_endless_statement_ends_by_its_deadline, 0,
                        sizeof endless / sizeof endless[0]);
    tcase_add_loop_test(tcase, a_statement_that_explodes_while_it_is_compiled_is_ended, 0, 3);
    tcase_add_test(tcase, a_statement_has_a_limit_of_memory);
    tcase_add_test(tcase, what_one_statement_takes_is_not_missing_to_another);
    tcase_add_loop_test(tcase, each_limit_is_reached_and_named, 0,
                        sizeof limits / sizeof limits[0]);
    tcase_add_loop_test(tcase, a_harmless_statement_is_served_and_its_deps_are_exact, 0,
                        sizeof harmless / sizeof harmless[0]);
    tcase_add_test(tcase, more_tables_than_deps_fold_into_the_database);
    tcase_add_test(tcase, a_wide_table_of_the_user_s_costs_only_itself);
    tcase_add_test(tcase, the_file_does_not_change);
}

int main(void)
{
    return suite_run("sql_guard", add_tests);
}
