/* test_sql_functions - the text functions that are ours instead of SQLite's: the same results, in
 * linear time or stopped by the deadline. */
#include <stdio.h>
#include <string.h>

#include "actors/tool_executor/database/pattern_match.h"
#include "tests/support/sql.h"
#include "tests/support/suite.h"

#define DEADLINE_MS 200
#define GRACE_MS 10

static struct sql *sql;

static void setup(void)
{
    sql = sql_new("create table t(a)");
}

static void teardown(void)
{
    sql_destroy(&sql);
}

/* One that ends by itself, so on a busy machine too. */
static bool answers(const char *statement)
{
    return sql_ask_within(sql, statement, 100 * DEADLINE_MS, DEADLINE_MS + GRACE_MS);
}

/* Built-in functions that cannot be interrupted are linear here: these took seconds to hours. */
static const struct {
    const char *statement;
    int64_t expected;
} heavy[] = {
    {"select instr(zeroblob(1000000), zeroblob(500000) || x'01') as n", 0},
    {"select instr(zeroblob(15000000), zeroblob(7000000) || x'01') as n", 0},
    {"select length(replace(hex(zeroblob(500000)), hex(zeroblob(100000)) || '1', 'z')) as n",
     1000000},
    {"select length(trim(hex(zeroblob(500000)), hex(zeroblob(5000)))) as n", 0},
};

START_TEST(text_functions_are_linear)
{
    ck_assert_msg(sql_ask(sql, heavy[_i].statement), "%s", sql->failure.message);
    ck_assert_int_eq(sql_integer(sql, 0, "n"), heavy[_i].expected);
}
END_TEST

/* Each is true in SQLite's own functions too: the last column compares with what they give. */
static const char *const functions[] = {
    "instr('hello', 'l') = 3",
    "instr('hello', 'z') = 0",
    "instr('hello', '') = 1",
    "instr('', '') = 1",
    "instr('naïve café', 'caf') = 7",
    "instr(x'00ff00', x'ff') = 2",
    "instr(12345, 34) = 3",
    "instr(null, 'a') is null",
    "replace('aXbXc', 'X', '--') = 'a--b--c'",
    "replace('aaa', 'aa', 'b') = 'ba'",
    "replace('abc', '', 'x') = 'abc'",
    "replace('abc', 'b', '') = 'ac'",
    "replace('', 'a', 'b') = ''",
    "replace('abc', null, 'x') is null",
    "replace(101, 0, 'x') = '1x1'",
    "trim('  a b ') = 'a b'",
    "ltrim('  a ') = 'a '",
    "rtrim('  a ') = '  a'",
    "trim('xxayx', 'xy') = 'a'",
    "trim('éaé', 'é') = 'a'",
    "trim('èaé', 'é') = 'èa'",
    "trim('aaa', 'a') = ''",
    "trim('abc', '') = 'abc'",
    "trim(null) is null",
    "trim('a', null) is null",
    "trim(7.50, 7) = '.5'",
    "'ABC' like 'a%'",
    "'abc' not like 'b%'",
    "'a%c' like 'a\\%c' escape '\\'",
    "'abc' not like 'a\\%c' escape '\\'",
    "'Äb' not like 'äB'",
    "12 like '1_'",
    "(null like 'a') is null",
    "('a' like 'a' escape null) is null",
    "'abc' glob 'a[b-d]?'",
    "'abc' not glob 'A*'",
    "x'6162' not like 'AB'",
    "'ab' not like x'6162'",
    "x'6162' not glob 'ab'",
    "'' like ''",
    "'' like '%%'",
    "'a' not like ''",
};

START_TEST(text_functions_are_sqlite_s_own)
{
    char statement[256];
    sqlite3 *db = NULL;
    sqlite3_stmt *own = NULL;
    snprintf(statement, sizeof statement, "select %s as n", functions[_i]);
    ck_assert(answers(statement));
    ck_assert_msg(sql_integer(sql, 0, "n") == 1, "%s", functions[_i]);
    ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db, statement, -1, &own, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(own), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_column_int(own, 0), 1);
    sqlite3_finalize(own);
    sqlite3_close(db);
}
END_TEST

/* Half a minute with SQLite's own; here they end by the deadline, in the midst of a call. */
static const char *const patterns[] = {
    "select hex(zeroblob(8000000)) like '%' || substr(hex(zeroblob(500)), 1, 1000) || '1%'",
    "select hex(zeroblob(8000000)) glob '*' || substr(hex(zeroblob(500)), 1, 1000) || '1*'",
};

START_TEST(a_pattern_that_takes_long_is_stopped)
{
    ck_assert(!sql_ask_within(sql, patterns[_i], DEADLINE_MS, DEADLINE_MS + GRACE_MS));
    ck_assert_str_eq(sql->failure.code, "DEADLINE");
    ck_assert(answers("select 'abc' like 'a%' as n"));
}
END_TEST

static int never(void *context)
{
    (void)context;
    return 0;
}

/* A text of some letters, wildcards and such: seed decides. */
static struct piece random_text(uint64_t *seed, const char *const *pieces, size_t count, char *out)
{
    size_t size = 0;
    for (uint64_t left = random_next(seed) % 8; left > 0; left--) {
        const char *piece = pieces[random_next(seed) % count];
        for (; *piece != '\0'; piece++)
            out[size++] = *piece;
    }
    return (struct piece){out, size};
}

/* Seed 9: 60,000 random patterns on random texts, against SQLite's own functions. */
START_TEST(patterns_match_as_in_sqlite)
{
    static const char *const of_pattern[] = {"a", "B", "b",  "%", "_", "*",     "?",    "[",   "]",
                                             "^", "-", "\\", "é", "É", "[a-c]", "[^b]", "[]a]"};
    static const char *const of_text[] = {"a", "b", "c", "A", "B",  "%", "_",
                                          "é", "É", "]", "-", "\\", "[", "^"};
    static const char *const calls[] = {"select like(?1, ?2)", "select like(?1, ?2, '\\')",
                                        "select glob(?1, ?2)", "select like(?1, ?2, '%')"};
    static const uint32_t escapes[] = {0, '\\', 0, '%'};
    uint64_t seed = 9;
    unsigned matched = 0;
    sqlite3 *db = NULL;
    ck_assert_int_eq(sqlite3_open(":memory:", &db), SQLITE_OK);
    for (int call = 0; call < 4; call++) {
        sqlite3_stmt *own = NULL;
        ck_assert_int_eq(sqlite3_prepare_v2(db, calls[call], -1, &own, NULL), SQLITE_OK);
        for (int round = 0; round < 15000; round++) {
            char first[64], second[64];
            struct pattern pattern = {random_text(&seed, of_pattern, 17, first), call == 2,
                                      escapes[call], never, NULL};
            struct piece text = random_text(&seed, of_text, 14, second);
            sqlite3_bind_text(own, 1, first, (int)pattern.text.size, SQLITE_STATIC);
            sqlite3_bind_text(own, 2, second, (int)text.size, SQLITE_STATIC);
            ck_assert_int_eq(sqlite3_step(own), SQLITE_ROW);
            int expected = sqlite3_column_int(own, 0);
            ck_assert_msg((pattern_match(&pattern, text) == MATCH_YES) == (expected != 0),
                          "%s: '%.*s' on '%.*s' is %d", calls[call], (int)pattern.text.size, first,
                          (int)text.size, second, expected);
            matched += expected != 0;
            sqlite3_reset(own);
        }
        sqlite3_finalize(own);
    }
    sqlite3_close(db);
    ck_assert_uint_gt(matched, 1000);
}
END_TEST

START_TEST(a_trim_set_has_a_bound)
{
    ck_assert(answers("select trim('a', replace(hex(zeroblob(32)), '0', 'é')) as n"));
    ck_assert(!answers("select trim('a', replace(hex(zeroblob(33)), '0', 'é')) as n"));
    ck_assert_str_eq(sql->failure.code, "LIMIT");
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, text_functions_are_linear, 0, sizeof heavy / sizeof heavy[0]);
    tcase_add_loop_test(tcase, text_functions_are_sqlite_s_own, 0,
                        sizeof functions / sizeof functions[0]);
    tcase_add_loop_test(tcase, a_pattern_that_takes_long_is_stopped, 0, 2);
    tcase_add_test(tcase, patterns_match_as_in_sqlite);
    tcase_add_test(tcase, a_trim_set_has_a_bound);
}

int main(void)
{
    return suite_run("sql_functions", add_tests);
}
