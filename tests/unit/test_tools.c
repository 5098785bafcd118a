/* test_tools - each row of tools.def is sound and documented; each tool keeps its promises on a
 * database that is known, on one that is not, and on none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/cli/demo_data.h"
#include "actors/tool_executor/samples.h"
#include "actors/tool_executor/tool_functions.h"
#include "protocol/key.h"
#include "tests/support/sql.h"
#include "tests/support/suite.h"
#include "tests/support/tool_run.h"

static struct sql *sql;
static struct tool_run *tool;

static void serve(const char *ddl)
{
    sql = sql_new(ddl);
    tool = tool_run_new(&sql->database);
}

static void serve_demo(void)
{
    char reason[256];
    serve(NULL);
    ck_assert_int_eq(
        demo_data_write(sql->database.path, DEMO_COMPANIES_DEFAULT, reason, sizeof reason),
        STATUS_OK);
}

static void teardown(void)
{
    tool_run_destroy(&tool);
    sql_destroy(&sql);
}

/* Rows. */

START_TEST(every_row_is_sound)
{
    struct tools *tools = tools_new(true); /* asserts what schemas must be */
    static const char *const scopes[] = {"public", "tenant", "user"};
    for (size_t i = 0; i < tools->count; i++) {
        const struct tool *row = &tools->list[i];
        char own[METHOD_BYTES_MAX];
        struct bytes name;
        enum key_scope_kind kind;
        ck_assert(key_tool_name(bytes_of(row->name), own, &name));
        ck_assert(bytes_are(name, row->name)); /* not by its alias */
        ck_assert_uint_gt(strlen(row->description), 20);
        ck_assert_uint_gt(row->timeout_ms, 0);
        ck_assert_uint_gt(row->concurrency, 0);
        ck_assert(key_scope_kind_of(bytes_of(row->scope), &kind));
        ck_assert_str_eq(row->scope, scopes[kind]);
        ck_assert_int_eq(row->is_cached, row->ttl_ms > 0);
        ck_assert_uint_le(row->ttl_ms, TTL_MS_MAX);
        tool_run_expect_text(row->parameters, "type", "object");
        tool_run_expect_text(row->result, "type", "object");
        for (size_t j = 0; j < i; j++) {
            ck_assert_str_ne(row->name, tools->list[j].name);
            ck_assert_uint_ne(row->schema, tools->list[j].schema);
        }
    }
    tools_destroy(&tools);
}
END_TEST

/* Who changes a schema raises the version: caches and other workers go by the hash. */
static const struct {
    const char *name, *version;
    uint64_t schema;
} hashes[] = {
    {"SQL_QueryReadonly", "1.0.0", 0x775f78ecc931397f},
    {"SQL_GetSchema", "1.0.0", 0xa276e1da66a3e6c7},
    {"SQL_GetSampleQueries", "1.0.0", 0x8de27185fa91dfde},
    {"Math_Calculator", "1.0.0", 0x37d33f4947465cfe},
    {"System_GetMetrics", "1.0.0", 0x85be2d420732f80b},
    {"Web_ParseJSON", "1.0.0", 0xc3696c2d1778c736},
    {"Web_ExtractURLs", "1.0.0", 0xdefefe138e13b2aa},
    {"Test_Unreliable", "1.0.0", 0x2591814e80876f4d},
};

START_TEST(a_schema_has_its_hash)
{
    struct tools *tools = tools_new(true);
    const struct tool *row = tools_find(tools, bytes_of(hashes[_i].name));
    ck_assert_str_eq(row->version, hashes[_i].version);
    ck_assert_msg(row->schema == hashes[_i].schema,
                  "%s has hash 0x%016llx: raise its version, then this", row->name,
                  (unsigned long long)row->schema);
    ck_assert_uint_eq(tools->count, sizeof hashes / sizeof hashes[0]);
    tools_destroy(&tools);
}
END_TEST

START_TEST(a_tool_is_found_by_its_name_and_its_alias)
{
    struct tools *tools = tools_new(false);
    const struct tool *row = tools_find(tools, bytes_of("SQL_QueryReadonly"));
    ck_assert_ptr_nonnull(row);
    ck_assert_ptr_eq(tools_find(tools, bytes_of("SQL.QueryReadonly")), row);
    ck_assert_ptr_null(tools_find(tools, bytes_of("SQL-QueryReadonly")));
    ck_assert_ptr_null(tools_find(tools, bytes_of("sql_queryreadonly")));
    ck_assert_ptr_null(tools_find(tools, bytes_of("SQL_Query")));
    ck_assert_ptr_null(tools_find(tools, (struct bytes){NULL, 0}));
    ck_assert_ptr_null(
        tools_find(tools, bytes_of("Test_Unreliable"))); /* not without the setting */
    tools_destroy(&tools);
    tools = tools_new(true);
    ck_assert_ptr_nonnull(tools_find(tools, bytes_of("Test_Unreliable")));
    tools_destroy(&tools);
}
END_TEST

START_TEST(definitions_are_told_whole_or_one_by_one)
{
    static char bytes[PAIR_BODY_BYTES_MAX];
    struct tools *tools = tools_new(true);
    struct writer writer;
    struct msg_tool_definitions all;
    struct msg_tool_definition one;
    writer_init(&writer, bytes, sizeof bytes);
    ck_assert_int_eq(tools_write(tools, (struct bytes){NULL, 0}, &writer), STATUS_OK);
    ck_assert_int_eq(message_decode(MSG_TOOL_DEFINITIONS, writer_bytes(&writer), &all), STATUS_OK);
    ck_assert_uint_eq(values_count(all.tools), tools->count);
    for (unsigned i = 0; i < tools->count; i++) {
        ck_assert_int_eq(message_decode(MSG_TOOL_DEFINITION, tool_run_item(all.tools, i), &one),
                         STATUS_OK);
        ck_assert(bytes_are(one.name, tools->list[i].name));
        ck_assert(bytes_equal(one.parameters, tools->list[i].parameters));
        ck_assert_uint_eq(one.schema, tools->list[i].schema);
        ck_assert_int_eq(one.cacheable, tools->list[i].is_cached);
    }
    writer_init(&writer, bytes, sizeof bytes);
    ck_assert_int_eq(tools_write(tools, bytes_of("Math_Calculator"), &writer), STATUS_OK);
    ck_assert_int_eq(message_decode(MSG_TOOL_DEFINITIONS, writer_bytes(&writer), &all), STATUS_OK);
    ck_assert_uint_eq(values_count(all.tools), 1);
    writer_init(&writer, bytes, sizeof bytes);
    ck_assert_int_eq(tools_write(tools, bytes_of("No_Such"), &writer), STATUS_OK);
    ck_assert_int_eq(message_decode(MSG_TOOL_DEFINITIONS, writer_bytes(&writer), &all), STATUS_OK);
    ck_assert_uint_eq(values_count(all.tools), 0);
    writer_init(&writer, bytes, 100);
    ck_assert_int_eq(tools_write(tools, (struct bytes){NULL, 0}, &writer), STATUS_TOO_LARGE);
    tools_destroy(&tools);
}
END_TEST

/* Rows that are added. */

#define OBJECT "{\"type\": \"object\"}"
static const struct tool sound = {.name = "Text_Count",
                                  .version = "1.0.0",
                                  .description = "Counts.",
                                  .scope = "public",
                                  .timeout_ms = 1000,
                                  .concurrency = 1,
                                  .parameters_text = OBJECT,
                                  .result_text = OBJECT};

START_TEST(there_is_room_for_so_many_tools)
{
    static char names[TOOLS_MAX + 1][METHOD_BYTES_MAX];
    char reason[TOOL_REASON_BYTES];
    struct tools *tools = tools_new(true);
    struct tool row = sound;
    for (size_t i = tools->count; i <= TOOLS_MAX; i++) {
        snprintf(names[i], sizeof names[i], "Text_Count%zu", i);
        row.name = names[i];
        ck_assert_int_eq(tools_add(tools, &row, reason), i < TOOLS_MAX);
    }
    ck_assert_uint_eq(tools->count, TOOLS_MAX);
    ck_assert_str_eq(reason, "Text_Count64: there are 64 tools already, and no more can be");
    tools_destroy(&tools);
}
END_TEST

/* Definitions with schemas as large as may be, or with descriptions, until no more fit; those that
 * are in can still be told. */
START_TEST(there_is_room_for_so_many_bytes_of_definitions)
{
    static char bytes[PAIR_BODY_BYTES_MAX], description[TOOL_DESCRIPTION_BYTES_MAX + 1];
    static const char head[] = "{\"type\": \"object\", \"title\": \"";
    static char schema[TOOL_SCHEMA_BYTES_MAX - 64], names[TOOLS_MAX][METHOD_BYTES_MAX];
    char reason[TOOL_REASON_BYTES];
    struct tools *tools = tools_new(true);
    struct tool row = sound;
    struct writer writer;
    memset(description, 'd', TOOL_DESCRIPTION_BYTES_MAX);
    memset(schema, 'x', sizeof schema - 1);
    memcpy(schema, head, sizeof head - 1);
    memcpy(schema + sizeof schema - 3, "\"}", 3);
    row.description = description;
    if (_i == 0)
        row.parameters_text = row.result_text = schema;
    do {
        row.name = names[tools->count];
        snprintf(names[tools->count], METHOD_BYTES_MAX, "Text_Count%zu", tools->count);
    } while (tools_add(tools, &row, reason));
    ck_assert_ptr_nonnull(strstr(reason, "all definitions together are larger than 196608 bytes"));
    ck_assert_uint_gt(tools->definitions_bytes, TOOL_DEFINITIONS_BYTES_MAX - 40000);
    size_t memory_used = tools->memory_used;
    ck_assert(!tools_add(tools, &row, reason));
    ck_assert_uint_eq(tools->memory_used, memory_used);
    row.description = "Small.";
    row.parameters_text = row.result_text = OBJECT;
    ck_assert_msg(tools_add(tools, &row, reason), "%s",
                  reason); /* what was refused left no trace */
    writer_init(&writer, bytes, sizeof bytes);
    ck_assert_int_eq(tools_write(tools, (struct bytes){NULL, 0}, &writer), STATUS_OK);
    tools_destroy(&tools);
}
END_TEST

/* Arguments that are wrong, and the path of what is wrong in them. */
static const struct {
    const char *name, *arguments, *field;
} refused[] = {
    {"SQL_QueryReadonly", "{}", "statement"},
    {"SQL_QueryReadonly", "{\"statement\": 7}", "statement"},
    {"SQL_QueryReadonly", "{\"statement\": \"\"}", "statement"},
    {"SQL_QueryReadonly", "{\"statement\": \"select 1\", \"max_rows\": 0}", "max_rows"},
    {"SQL_QueryReadonly", "{\"statement\": \"select 1\", \"max_rows\": 10001}", "max_rows"},
    {"SQL_QueryReadonly", "{\"statement\": \"select 1\", \"max_rows\": 1.5}", "max_rows"},
    {"SQL_QueryReadonly", "{\"statement\": \"select 1\", \"extra\": 1}", "extra"},
    {"SQL_QueryReadonly", "{\"statement\": \"select ?\", \"parameters\": 1}", "parameters"},
    {"SQL_QueryReadonly", "{\"statement\": \"select ?\", \"parameters\": [[1]]}", "parameters/0"},
    {"SQL_QueryReadonly", "{\"statement\": \"select :a\", \"parameters\": {\"a\": {}}}",
     "parameters/a"},
    {"SQL_QueryReadonly", "{\"statement\": \"select ?\", \"parameters\": []}", "parameters"},
    {"SQL_QueryReadonly", "{\"statement\": \"select 1\", \"database\": \"other\"}", "database"},
    {"SQL_GetSchema", "{\"database\": \"other\"}", "database"},
    {"SQL_GetSchema", "{\"x\": 1}", "x"},
    {"SQL_GetSampleQueries", "{\"x\": 1}", "x"},
    {"Math_Calculator", "{\"expression\": \"\"}", "expression"},
    {"Math_Calculator", "{\"expression\": \"1 +\"}", "expression"},
    {"Web_ParseJSON", "{\"json_text\": \"{\"}", "json_text"},
    {"Web_ExtractURLs", "{\"text\": \"x\", \"schemes\": []}", "schemes"},
    {"Web_ExtractURLs", "{\"text\": \"x\", \"schemes\": [\"http\", \"\"]}", "schemes/1"},
    {"Test_Unreliable", "{\"mode\": \"explode\"}", "mode"},
    {"Test_Unreliable", "{\"mode\": \"fail\", \"rate\": 1.5}", "rate"},
};

START_TEST(bad_arguments_name_their_field)
{
    serve("create table t(a)");
    ck_assert_ptr_null(tool_run_call(tool, refused[_i].name, refused[_i].arguments).data);
    ck_assert_int_eq(tool->failure.status, STATUS_BAD_REQUEST);
    ck_assert_str_eq(tool->failure.code, "BAD_ARGUMENTS");
    ck_assert_str_eq(tool->failure.field, refused[_i].field);
}
END_TEST

/* SQL. */

START_TEST(a_query_answers_as_promised)
{
    serve("create table t(a integer, b text); insert into t values (1, 'x'), (2, null)");
    struct bytes data =
        tool_run_call(tool, "SQL_QueryReadonly",
                      "{\"statement\": \"select a, b from t where a <= ? order by a\","
                      " \"parameters\": [2.0], \"database\": \"test\"}");
    ck_assert_msg(data.data != NULL, "%s", tool->failure.message);
    tool_run_expect_integer(data, "row_count", 2);
    tool_run_expect_text(data, "statement", "select a, b from t where a <= ? order by a");
    struct bytes rows = value_find(data, "rows"), deps = writer_bytes(&tool->output.deps), text;
    ck_assert_uint_eq(values_count(rows), 2);
    tool_run_expect_integer(tool_run_item(rows, 0), "a", 1);
    tool_run_expect_text(tool_run_item(rows, 0), "b", "x");
    ck_assert_int_eq(value_kind(value_find(tool_run_item(rows, 1), "b")), KIND_NIL);
    ck_assert_uint_eq(values_count(deps), 2);
    ck_assert(value_text(tool_run_item(deps, 0), &text));
    ck_assert(bytes_are(text, "db:test"));
    ck_assert(value_text(tool_run_item(deps, 1), &text));
    ck_assert(bytes_are(text, "t:test.t"));
    ck_assert_int_gt(tool->output.as_of, INT64_C(1600000000000));
}
END_TEST

START_TEST(the_id_of_a_query_is_that_of_its_statement_and_parameters)
{
    static const char *const calls[] = {
        "{\"statement\": \"select ? as n\", \"parameters\": [1]}",
        "{\"parameters\": [1.0], \"max_rows\": 1000, \"statement\": \"select ? as n\"}",
        "{\"statement\": \"select ? as n\", \"parameters\": [2]}",
    };
    char ids[3][32];
    serve("create table t(a)");
    for (int i = 0; i < 3; i++) {
        struct bytes text;
        ck_assert(value_text(
            value_find(tool_run_call(tool, "SQL_QueryReadonly", calls[i]), "query_id"), &text));
        ck_assert_uint_eq(text.size, 16);
        snprintf(ids[i], sizeof ids[i], "%.*s", (int)text.size, text.data);
    }
    ck_assert_str_eq(ids[0], ids[1]);
    ck_assert_str_ne(ids[0], ids[2]);
}
END_TEST

START_TEST(more_tables_than_deps_are_the_whole_database)
{
    char ddl[2048], call[2048], *end = ddl,
                                *at = stpcpy(call, "{\"statement\": \"select 1 from t0");
    struct bytes text;
    end = stpcpy(end, "create table t0(a);");
    for (unsigned i = 1; i < DEPS_MAX; i++) {
        end += sprintf(end, "create table t%u(a);", i);
        at += sprintf(at, ", t%u", i);
    }
    (void)stpcpy(at, "\"}");
    serve(ddl);
    ck_assert_ptr_nonnull(tool_run_call(tool, "SQL_QueryReadonly", call).data);
    struct bytes deps = writer_bytes(&tool->output.deps);
    ck_assert_uint_eq(values_count(deps), 1);
    ck_assert(value_text(tool_run_item(deps, 0), &text));
    ck_assert(bytes_are(text, "db:test"));
}
END_TEST

START_TEST(a_name_that_is_no_utf8_is_shown_as_text)
{
    serve("create table \"a\xff\"(x\xfe int)");
    struct bytes data = tool_run_call(tool, "SQL_GetSchema", "{}");
    ck_assert_msg(data.data != NULL, "%s", tool->failure.message);
    struct bytes table = tool_run_item(value_find(data, "tables"), 0);
    tool_run_expect_text(table, "name", "a?");
    tool_run_expect_text(tool_run_item(value_find(table, "columns"), 0), "name", "x?");
}
END_TEST

/* The longest statement that is taken, shown by its first 100 characters. */
START_TEST(a_long_statement_is_shown_in_part)
{
    static char call[20100], *at = call;
    serve("create table t(a)");
    at = stpcpy(at, "{\"statement\": \"select '");
    for (int i = 0; i < 9992 - 7; i++)
        at = stpcpy(at, "é");
    (void)stpcpy(at, "' as x\"}");
    struct bytes data = tool_run_call(tool, "SQL_QueryReadonly", call), text;
    ck_assert_msg(data.data != NULL, "%s", tool->failure.message);
    ck_assert(value_text(value_find(data, "statement"), &text));
    ck_assert_uint_eq(text.size, 8 + 2 * 92);
    ck_assert(cursor_is_utf8(text));
}
END_TEST

START_TEST(without_a_database_sql_says_so)
{
    static const char *const calls[][2] = {{"SQL_QueryReadonly", "{\"statement\": \"select 1\"}"},
                                           {"SQL_GetSchema", "{}"},
                                           {"SQL_GetSampleQueries", "{}"}};
    tool = tool_run_new(NULL);
    for (size_t i = 0; i < 3; i++) {
        ck_assert_ptr_null(tool_run_call(tool, calls[i][0], calls[i][1]).data);
        ck_assert_int_eq(tool->failure.status, STATUS_CIRCUIT_OPEN);
        ck_assert_str_eq(tool->failure.code, "UNAVAILABLE");
    }
}
END_TEST

START_TEST(the_schema_of_the_demo_is_told)
{
    serve_demo();
    struct bytes data = tool_run_call(tool, "SQL_GetSchema", "{}");
    ck_assert_msg(data.data != NULL, "%s", tool->failure.message);
    tool_run_expect_integer(data, "total_tables", 2);
    tool_run_expect_text(data, "database_type", "sqlite");
    struct bytes tables = value_find(data, "tables");
    tool_run_expect_text(tool_run_item(tables, 0), "name", "companies");
    ck_assert_uint_eq(values_count(value_find(tool_run_item(tables, 0), "columns")), 7);
    tool_run_expect_text(tool_run_item(tables, 1), "name", "financial_records");
    ck_assert_uint_eq(values_count(value_find(tool_run_item(tables, 1), "columns")), 7);
    ck_assert(!tool->output.truncated);
}
END_TEST

/* More tables than a result holds: some, whole, and the number of all. */
START_TEST(a_schema_too_large_is_cut)
{
    char *ddl = malloc(1500000);
    size_t size = 0;
    for (int table = 0; table < 400; table++) {
        size += (size_t)sprintf(ddl + size, "create table t%d(id integer", table);
        for (int column = 0; column < 40; column++)
            size += (size_t)sprintf(ddl + size, ", a_column_of_some_length_%d text", column);
        size += (size_t)sprintf(ddl + size, ");");
    }
    serve(ddl);
    free(ddl);
    struct bytes data = tool_run_call(tool, "SQL_GetSchema", "{}");
    ck_assert_msg(data.data != NULL, "%s", tool->failure.message);
    tool_run_expect_integer(data, "total_tables", 400);
    ck_assert(tool->output.truncated);
    ck_assert_uint_gt(values_count(value_find(data, "tables")), 10);
    ck_assert_uint_lt(values_count(value_find(data, "tables")), 400);
}
END_TEST

/* Run every sample that is told; returns how many there are, and how many gave no row. */
static uint64_t run_samples(uint64_t *ret_empty)
{
    static char copy[65536];
    struct bytes data = tool_run_call(tool, "SQL_GetSampleQueries", "{}"), text;
    ck_assert_msg(data.data != NULL, "%s", tool->failure.message);
    ck_assert_uint_lt(data.size, sizeof copy);
    memcpy(copy, data.data, data.size);
    data.data = copy; /* the next call takes its room */
    struct bytes samples = value_find(data, "sample_queries");
    uint64_t count = values_count(samples);
    tool_run_expect_integer(data, "total_queries", (int64_t)count);
    *ret_empty = 0;
    for (unsigned i = 0; i < count; i++) {
        char bytes[SAMPLE_BYTES_MAX + 64];
        struct writer writer;
        ck_assert(value_text(value_find(tool_run_item(samples, i), "query"), &text));
        writer_init(&writer, bytes, sizeof bytes);
        writer_map(&writer, 1);
        writer_cstr(&writer, "statement");
        writer_text(&writer, text);
        struct bytes answer = tool_run_call_with(tool, "SQL_QueryReadonly", writer_bytes(&writer));
        ck_assert_msg(answer.data != NULL, "%.*s: %s", (int)text.size, text.data,
                      tool->failure.message);
        *ret_empty += values_count(value_find(answer, "rows")) == 0;
    }
    return count;
}

START_TEST(twelve_samples_run_on_the_demo_and_one_is_empty)
{
    uint64_t empty;
    serve_demo();
    ck_assert_uint_eq(run_samples(&empty), SAMPLES_MAX);
    ck_assert_uint_eq(empty, 1);
}
END_TEST

static const struct {
    const char *ddl;
    uint64_t samples;
} foreign[] = {
    {"pragma user_version = 1", 0},
    {"create table t(a)", 2},
    {"create table t(id integer primary key, name varchar(20), price decimal)", 4},
    {"create table \"odd \"\"name\"(\"a b\" text, \"select\" int); create table t2(x real)", 7},
    {"create table t(a text); create view v as select a from t; create view broken as select * "
     "from gone",
     6},
    {"create table companies(id, name); create table financial_records(id)",
     4}, /* not the demo's */
    {"create virtual table f using fts5(a, b)", 2},
    {"create table \"a\xff\"(x int)", 0}, /* a name that no call can carry */
    {"create table a(x int, y text);create table b(x int, y text);create table c(x int, y text);"
     "create table d(x int, y text)",
     12},
};

START_TEST(samples_are_made_from_any_schema_and_run)
{
    uint64_t empty;
    serve(foreign[_i].ddl);
    ck_assert_uint_eq(run_samples(&empty), foreign[_i].samples);
}
END_TEST

/* The others. */

START_TEST(a_calculation_tells_its_type)
{
    tool = tool_run_new(NULL);
    struct bytes data = tool_run_call(tool, "Math_Calculator", "{\"expression\": \"2 ^ 10 / 4\"}");
    tool_run_expect_text(data, "expression", "2 ^ 10 / 4");
    tool_run_expect_integer(data, "result", 256);
    tool_run_expect_text(data, "type", "integer");
    data = tool_run_call(tool, "Math_Calculator", "{\"expression\": \"1 / 4\"}");
    tool_run_expect_text(data, "type", "float");
    ck_assert_ptr_null(tool_run_call(tool, "Math_Calculator", "{\"expression\": \"1 / 0\"}").data);
    ck_assert_int_eq(tool->failure.status, STATUS_APP_ERROR);
    ck_assert_str_eq(tool->failure.code, "TOOL_FAILED");
}
END_TEST

/* Of 1,000 calls with one seed about the stated share misbehaves, and the same again. */
START_TEST(unreliable_is_as_unreliable_as_told)
{
    static const double rates[] = {0, 0.25, 1};
    for (size_t i = 0; i < 3; i++) {
        unsigned failed[2] = {0, 0};
        for (int round = 0; round < 2; round++) {
            char call[80];
            tool = tool_run_new(NULL);
            snprintf(call, sizeof call, "{\"mode\": \"fail\", \"rate\": %g, \"seed\": 5}",
                     rates[i]);
            for (int n = 0; n < 1000; n++)
                failed[round] += tool_run_call(tool, "Test_Unreliable", call).data == NULL;
            tool_run_destroy(&tool);
        }
        ck_assert_uint_eq(failed[0], failed[1]);
        ck_assert_double_eq_tol(failed[0], rates[i] * 1000, 60);
    }
}
END_TEST

START_TEST(unreliable_delays_and_ends_when_it_is_cancelled)
{
    tool = tool_run_new(NULL);
    int64_t begun_at = sqlite_clock_us();
    struct bytes data =
        tool_run_call(tool, "Test_Unreliable", "{\"mode\": \"delay\", \"delay_ms\": 20}");
    ck_assert_ptr_nonnull(data.data);
    ck_assert_int_ge(sqlite_clock_us() - begun_at, 20 * US_PER_MS);
    tool->cancelled = true;
    ck_assert_ptr_null(
        tool_run_call(tool, "Test_Unreliable", "{\"mode\": \"delay\", \"delay_ms\": 60000}").data);
    ck_assert_ptr_null(tool_run_call(tool, "Test_Unreliable", "{\"mode\": \"hang\"}").data);
    ck_assert_int_eq(tool->failure.status, STATUS_DEADLINE_RUNNING);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, every_row_is_sound);
    tcase_add_loop_test(tcase, a_schema_has_its_hash, 0, sizeof hashes / sizeof hashes[0]);
    tcase_add_test(tcase, a_tool_is_found_by_its_name_and_its_alias);
    tcase_add_test(tcase, definitions_are_told_whole_or_one_by_one);
    tcase_add_test(tcase, there_is_room_for_so_many_tools);
    tcase_add_loop_test(tcase, there_is_room_for_so_many_bytes_of_definitions, 0, 2);
    tcase_add_loop_test(tcase, bad_arguments_name_their_field, 0,
                        sizeof refused / sizeof refused[0]);
    tcase_add_test(tcase, a_query_answers_as_promised);
    tcase_add_test(tcase, the_id_of_a_query_is_that_of_its_statement_and_parameters);
    tcase_add_test(tcase, more_tables_than_deps_are_the_whole_database);
    tcase_add_test(tcase, a_name_that_is_no_utf8_is_shown_as_text);
    tcase_add_test(tcase, a_long_statement_is_shown_in_part);
    tcase_add_test(tcase, without_a_database_sql_says_so);
    tcase_add_test(tcase, the_schema_of_the_demo_is_told);
    tcase_add_test(tcase, a_schema_too_large_is_cut);
    tcase_add_test(tcase, twelve_samples_run_on_the_demo_and_one_is_empty);
    tcase_add_loop_test(tcase, samples_are_made_from_any_schema_and_run, 0,
                        sizeof foreign / sizeof foreign[0]);
    tcase_add_test(tcase, a_calculation_tells_its_type);
    tcase_add_test(tcase, unreliable_is_as_unreliable_as_told);
    tcase_add_test(tcase, unreliable_delays_and_ends_when_it_is_cancelled);
}

int main(void)
{
    return suite_run("tools", add_tests);
}
