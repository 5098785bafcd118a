/* test_tool_executor - the role as its peers see it: each call is answered once, in time, whatever
 * its tool does; threads and places are given back; a foreign commit is told to the caches. Time is
 * stated, and jobs run when the test says so. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actors/runtime/json_text.h"
#include "actors/tool_executor/execution.h"
#include "actors/tool_executor/tool_executor.h"
#include "protocol/key.h"
#include "tests/support/record.h"
#include "tests/support/sql.h"
#include "tests/support/suite.h"

#define MS US_PER_MS
#define WATCH_MS 100

static struct record *record;
static struct sql *sql;

static void serve(const char *ddl, const char *more)
{
    char database[DATABASE_PATH_BYTES_MAX + 64];
    sql = sql_new(ddl);
    snprintf(database, sizeof database, "tool_executor.database=%s", sql->database.path);
    const char *const flags[] = {database, "tool_executor.test_tools=true", more, NULL};
    record = record_new(&tool_executor_spec, flags);
    record_step(record, 0); /* the first look */
    record_run_jobs(record);
}

static void serve_nothing(const char *first, const char *second)
{
    const char *const flags[] = {"tool_executor.test_tools=true", first, second, NULL};
    record = record_new(&tool_executor_spec, flags);
}

static void teardown(void)
{
    record_destroy(&record);
    sql_destroy(&sql);
}

/* Ask with arguments written as JSON. deadline_ms 0: the record's. */
static uint64_t ask_within(const char *tool, const char *arguments, uint32_t deadline_ms)
{
    char bytes[4096];
    struct writer writer;
    struct json_fault fault;
    writer_init(&writer, bytes, sizeof bytes);
    ck_assert(json_text_read(bytes_of(arguments), 10, &writer, &fault));
    return record_send(record,
                       (struct header){.class = CLASS_CRITICAL,
                                       .method = bytes_of(tool),
                                       .deadline_ms = deadline_ms},
                       writer_bytes(&writer));
}

static uint64_t ask(const char *tool, const char *arguments)
{
    return ask_within(tool, arguments, 0);
}

/* Ask and run it. */
static uint64_t run(const char *tool, const char *arguments)
{
    uint64_t id = ask(tool, arguments);
    record_run_jobs(record);
    return id;
}

static int64_t result_of(uint64_t id)
{
    struct msg_tool_result result;
    int64_t number = -1;
    record_decode_reply(record, id, MSG_TOOL_RESULT, &result);
    ck_assert(value_i64(value_find(result.data, "result"), &number));
    return number;
}

/* A job that has begun is run to its end, cancelled or not. */
static void finish(size_t index)
{
    struct job *job = record->jobs[index];
    ck_assert_uint_lt(index, record->job_count);
    record->job_count--;
    for (size_t i = index; i < record->job_count; i++)
        record->jobs[i] = record->jobs[i + 1];
    job->started = true;
    job->run(job, record->thread_state);
    tool_executor_spec.on_job_done(record->actor.state, &record->context, job);
}

static struct msg_executor_statistics statistics(void)
{
    static char bytes[PAIR_BODY_BYTES_MAX];
    struct msg_executor_statistics decoded;
    struct bytes body;
    ck_assert_int_eq(
        record_query(record, "statistics", (struct bytes){NULL, 0}, bytes, sizeof bytes, &body),
        STATUS_OK);
    ck_assert_int_eq(message_decode(MSG_EXECUTOR_STATISTICS, body, &decoded), STATUS_OK);
    return decoded;
}

static struct msg_tool_statistics statistics_of(const char *tool)
{
    struct msg_executor_statistics all = statistics();
    struct values values = values_over(all.tools);
    struct bytes value;
    struct msg_tool_statistics one;
    while (values_next(&values, &value)) {
        ck_assert_int_eq(message_decode(MSG_TOOL_STATISTICS, value, &one), STATUS_OK);
        if (bytes_are(one.tool, tool))
            return one;
    }
    ck_abort_msg("no such tool");
}

/* Answers. */

START_TEST(a_call_is_begun_run_and_answered)
{
    struct msg_tool_result result;
    serve_nothing(NULL, NULL);
    uint64_t id = ask("Math_Calculator", "{\"expression\": \"6 * 7\"}");
    ck_assert_uint_eq(record->started_count, 1);
    ck_assert_uint_eq(record->started[0].id, id);
    ck_assert_ptr_null(record_reply_to(record, id));
    record_run_jobs(record);
    ck_assert_int_eq(result_of(id), 42);
    record_decode_reply(record, id, MSG_TOOL_RESULT, &result);
    ck_assert(result.success);
    ck_assert(bytes_are(result.tool, "Math_Calculator"));
    ck_assert(bytes_are(result.version, "1.0.0"));
    ck_assert(bytes_are(result.execution_method, "local"));
    ck_assert_uint_eq(result.as_of, RECORD_UNIX_MS);
    ck_assert_ptr_null(result.deps.data);
    ck_assert_uint_eq(statistics_of("Math_Calculator").ok, 1);
}
END_TEST

START_TEST(a_name_may_be_its_alias_and_arguments_may_be_absent)
{
    struct msg_tool_result result;
    serve("create table t(a)", NULL);
    uint64_t id = record_request(record, "SQL.GetSchema", (struct bytes){NULL, 0});
    record_run_jobs(record);
    record_decode_reply(record, id, MSG_TOOL_RESULT, &result);
    ck_assert(bytes_are(result.tool, "SQL_GetSchema"));
}
END_TEST

static const struct {
    const char *tool;
    struct bytes body;
    enum status status;
    const char *code;
} refused[] = {
    {"No_Such", {"\x80", 1}, STATUS_BAD_REQUEST, "TOOL_NOT_FOUND"},
    {"*", {"\x80", 1}, STATUS_BAD_REQUEST, "TOOL_NOT_FOUND"},
    {"Math_Calculator", {"\x80", 1}, STATUS_BAD_REQUEST, "BAD_ARGUMENTS"},
    {"Math_Calculator", {NULL, 0}, STATUS_BAD_REQUEST, "BAD_ARGUMENTS"},
    {"Math_Calculator", {"\x90", 1}, STATUS_BAD_REQUEST, "BAD_ARGUMENTS"},
    {"Math_Calculator", {"\xc1", 1}, STATUS_BAD_REQUEST, "BAD_ARGUMENTS"},
    {"Math_Calculator", {"\xdf\xff\xff\xff\xff\xa1", 6}, STATUS_BAD_REQUEST, "BAD_ARGUMENTS"},
    {"Math_Calculator",
     {"\x81\xaa"
      "expression\xa1",
      13},
     STATUS_BAD_REQUEST,
     "BAD_ARGUMENTS"},
    {"Math_Calculator",
     {"\x81\xaa"
      "expression\xa1\xff",
      14},
     STATUS_BAD_REQUEST,
     "BAD_ARGUMENTS"},
    {"Math_Calculator",
     {"\x81\xaa"
      "expression\xc4\x01"
      "1",
      15},
     STATUS_BAD_REQUEST,
     "BAD_ARGUMENTS"},
};

START_TEST(a_bad_call_is_refused_before_a_thread_has_it)
{
    serve_nothing(NULL, NULL);
    uint64_t id = record_request(record, refused[_i].tool, refused[_i].body);
    record_expect_refusal(record, id, refused[_i].status, refused[_i].code);
    ck_assert_uint_eq(record->job_count, 0);
    ck_assert_uint_eq(record->started_count, 0);
}
END_TEST

static const struct {
    const char *tool, *arguments;
    enum status status;
    const char *code;
} failing[] = {
    {"Math_Calculator", "{\"expression\": \"1 / 0\"}", STATUS_APP_ERROR, "TOOL_FAILED"},
    {"Test_Unreliable", "{\"mode\": \"fail\"}", STATUS_APP_ERROR, "TOOL_FAILED"},
    {"Test_Unreliable", "{\"mode\": \"oversize\"}", STATUS_APP_ERROR, "LIMIT"},
    {"Test_Unreliable", "{\"mode\": \"bad_result\"}", STATUS_APP_ERROR, "TOOL_FAILED"},
    {"SQL_QueryReadonly", "{\"statement\": \"drop table t\"}", STATUS_FORBIDDEN,
     "READONLY_VIOLATION"},
    {"SQL_QueryReadonly", "{\"statement\": \"select 1; select 2\"}", STATUS_BAD_REQUEST,
     "BAD_QUERY"},
    {"SQL_QueryReadonly", "{\"statement\": \"select zeroblob(200000)\"}", STATUS_APP_ERROR,
     "LIMIT"},
};

START_TEST(a_tool_that_fails_is_an_error_never_an_answer)
{
    struct msg_executor_statistics all;
    struct msg_tool_error error;
    serve("create table t(a)", NULL);
    uint64_t id = run(failing[_i].tool, failing[_i].arguments);
    record_expect_refusal(record, id, failing[_i].status, failing[_i].code);
    ck_assert_uint_eq(statistics_of(failing[_i].tool).ok, 0);
    all = statistics();
    ck_assert_uint_eq(values_count(all.errors), 1);
    struct values errors = values_over(all.errors);
    struct bytes value;
    ck_assert(values_next(&errors, &value));
    ck_assert_int_eq(message_decode(MSG_TOOL_ERROR, value, &error), STATUS_OK);
    ck_assert(bytes_are(error.tool, failing[_i].tool));
    ck_assert(bytes_are(error.code, failing[_i].code));
    ck_assert_uint_eq(error.status, failing[_i].status);
    ck_assert_uint_eq(error.at_ms, RECORD_UNIX_MS);
}
END_TEST

/* Threads and places. */

START_TEST(no_more_run_than_there_are_threads_and_the_nearest_deadline_is_next)
{
    static const uint32_t deadlines_ms[] = {900, 500, 800, 300, 700, 600};
    static const unsigned expected[] = {0, 1, 3, 5, 4, 2}; /* the first two found a thread free */
    uint64_t ids[6];
    serve_nothing("tool_executor.threads=3", NULL); /* one is left to other tools */
    for (int i = 0; i < 6; i++)
        ids[i] = ask_within("Math_Calculator", "{\"expression\": \"1\"}", deadlines_ms[i]);
    ck_assert_uint_eq(record->job_count, 2);
    ck_assert_uint_eq(statistics_of("Math_Calculator").running, 2);
    ck_assert_uint_eq(statistics_of("Math_Calculator").waiting, 4);
    record_run_jobs(record);
    ck_assert_uint_eq(record->reply_count, 6);
    for (int i = 0; i < 6; i++)
        ck_assert_uint_eq(record->replies[i].request.id, ids[expected[i]]);
    ck_assert_uint_eq(statistics().running, 0);
    ck_assert_uint_eq(statistics().held, 0);
}
END_TEST

START_TEST(one_thread_is_left_to_other_tools)
{
    serve_nothing("tool_executor.threads=3", NULL);
    for (int i = 0; i < 5; i++)
        (void)ask("Test_Unreliable", "{\"mode\": \"fail\"}");
    ck_assert_uint_eq(record->job_count, 2);
    uint64_t id = ask("Math_Calculator", "{\"expression\": \"3\"}");
    ck_assert_uint_eq(record->job_count, 3);
    finish(2);
    ck_assert_int_eq(result_of(id), 3);
    ck_assert_uint_eq(record->job_count, 2); /* none of the five took its thread */
}
END_TEST

START_TEST(more_calls_than_it_holds_are_refused_at_once)
{
    serve_nothing("tool_executor.concurrency=4", "tool_executor.threads=2");
    for (int i = 0; i < 4; i++)
        (void)ask("Math_Calculator", "{\"expression\": \"1\"}");
    ck_assert_uint_eq(statistics().held, 4);
    ck_assert_uint_eq(statistics().held_max, 4);
    uint64_t id = ask("Math_Calculator", "{\"expression\": \"1\"}");
    record_expect_refusal(record, id, STATUS_BUSY_FULL, "OVERLOADED");
    ck_assert_uint_gt(record_reply_to(record, id)->answer.retry_after_ms, 0);
    record_run_jobs(record);
    ck_assert_uint_eq(record->reply_count, 5);
    id = run("Math_Calculator", "{\"expression\": \"2\"}");
    ck_assert_int_eq(result_of(id), 2);
}
END_TEST

START_TEST(a_call_that_finds_no_job_is_refused_and_its_place_is_free)
{
    serve_nothing("tool_executor.concurrency=1", NULL);
    record->job_status = STATUS_BUSY_FULL;
    uint64_t id = ask("Math_Calculator", "{\"expression\": \"1\"}");
    record_expect_refusal(record, id, STATUS_BUSY_FULL, "OVERLOADED");
    record->job_status = STATUS_OK;
    ck_assert_int_eq(result_of(run("Math_Calculator", "{\"expression\": \"5\"}")), 5);
}
END_TEST

/* Deadlines. */

START_TEST(a_call_whose_time_is_over_before_a_thread_is_free_is_not_run)
{
    serve_nothing("tool_executor.threads=1", NULL);
    (void)ask("Test_Unreliable", "{\"mode\": \"hang\"}");
    uint64_t id = ask_within("Math_Calculator", "{\"expression\": \"1\"}", 200);
    record_step(record, 199 * MS);
    ck_assert_ptr_null(record_reply_to(record, id));
    record_step(record, 1 * MS);
    record_expect_refusal(record, id, STATUS_DEADLINE_QUEUED, "DEADLINE");
    ck_assert_uint_eq(statistics_of("Math_Calculator").expired, 1);
    ck_assert_uint_eq(statistics().held, 1);
}
END_TEST

/* At its deadline it is told to end, and says so. */
START_TEST(a_call_whose_time_is_over_is_ended)
{
    serve_nothing(NULL, NULL);
    uint64_t id = ask_within("Test_Unreliable", "{\"mode\": \"hang\"}", 200);
    record_step(record, 199 * MS);
    ck_assert(!record->jobs[0]->cancelled);
    record_step(record, 1 * MS);
    ck_assert(record->jobs[0]->cancelled);
    ck_assert_ptr_null(record_reply_to(record, id));
    finish(0);
    record_expect_refusal(record, id, STATUS_DEADLINE_RUNNING, "DEADLINE");
    ck_assert_uint_eq(record_reply_to(record, id)->answer.executed, EXECUTED_MAYBE);
}
END_TEST

/* A statement that is told to end at its deadline was not withdrawn. */
START_TEST(sql_that_is_ended_was_too_late)
{
    serve("create table t(a)", NULL);
    uint64_t id = ask_within("SQL_QueryReadonly", "{\"statement\": \"select 1\"}", 200);
    record_step(record, 200 * MS);
    for (size_t i = 0; i < record->job_count; i++)
        if (record->jobs[i]->cancelled)
            finish(i);
    record_expect_refusal(record, id, STATUS_DEADLINE_RUNNING, "DEADLINE");
}
END_TEST

/* One that does not end keeps its thread, not its asker. */
START_TEST(a_call_that_does_not_end_is_answered_all_the_same)
{
    serve_nothing(NULL, NULL);
    uint64_t id = ask_within("Test_Unreliable", "{\"mode\": \"hang\"}", 200);
    record_step(record, 210 * MS);
    record_expect_refusal(record, id, STATUS_DEADLINE_RUNNING, "DEADLINE");
    ck_assert_uint_eq(statistics().running, 1);
    record_step(record, 60000 * MS); /* nothing more comes of it */
    ck_assert_uint_eq(record->reply_count, 1);
    finish(0);
    ck_assert_uint_eq(record->reply_count, 1);
    ck_assert_uint_eq(statistics().running, 0);
    ck_assert_uint_eq(statistics_of("Test_Unreliable").expired, 1);
}
END_TEST

/* With every thread lost it serves nobody any more. */
START_TEST(when_no_call_ends_any_more_it_gives_up)
{
    serve_nothing("tool_executor.threads=2", "tool_executor.stuck_ms=3s");
    (void)ask_within("Test_Unreliable", "{\"mode\": \"hang\"}", 200);
    uint64_t withdrawn = ask_within("Math_Calculator", "{\"expression\": \"1\"}", 300);
    record_cancel(record, withdrawn);
    record_step(record, 210 * MS);
    ck_assert_uint_eq(statistics().stuck, 1);
    record_step(record, 90 * MS + 4 * MS); /* the other may still end by itself */
    ck_assert_uint_eq(statistics().stuck, 1);
    record_step(record, 1 * MS);
    ck_assert_uint_eq(statistics().stuck, 2);
    record_step(record, 2999 * MS);
    ck_assert_ptr_null(record->gave_up);
    record_step(record, 1 * MS);
    ck_assert_ptr_nonnull(record->gave_up);
    record->gave_up = NULL;
    finish(1);
    ck_assert_uint_eq(statistics().stuck, 1);
    record_step(record, 60000 * MS);
    ck_assert_ptr_null(record->gave_up);
    finish(0);
    ck_assert_uint_eq(statistics().stuck, 0);
}
END_TEST

START_TEST(threads_that_come_back_in_time_are_no_reason_to_give_up)
{
    serve_nothing("tool_executor.threads=1", "tool_executor.stuck_ms=3s");
    for (int i = 0; i < 3; i++) {
        (void)ask_within("Test_Unreliable", "{\"mode\": \"hang\"}", 200);
        record_step(record, 3000 * MS);
        ck_assert_uint_eq(statistics().stuck, 1);
        finish(0);
    }
    ck_assert_ptr_null(record->gave_up);
}
END_TEST

START_TEST(the_tool_s_own_time_is_a_deadline_too)
{
    serve_nothing("tool_executor.threads=1", NULL);
    (void)ask("Test_Unreliable", "{\"mode\": \"hang\"}");
    uint64_t id = ask_within("Math_Calculator", "{\"expression\": \"1\"}", 5000); /* it has 1 s */
    record_step(record, 999 * MS);
    ck_assert_ptr_null(record_reply_to(record, id));
    record_step(record, 1 * MS);
    record_expect_refusal(record, id, STATUS_DEADLINE_QUEUED, "DEADLINE");
}
END_TEST

/* Endless SQL on the job's thread: its budget is what was left. */
START_TEST(endless_sql_ends_by_what_was_left_of_its_time)
{
    serve("create table t(a)", NULL);
    uint64_t id = ask_within("SQL_QueryReadonly",
                             "{\"statement\": \"with recursive c(x) as (select 1 union all select "
                             "x + 1 from c) select count(*) from c\"}",
                             150);
    int64_t begun_at = sqlite_clock_us();
    record_run_jobs(record);
    ck_assert_int_lt(sqlite_clock_us() - begun_at, 5000 * MS); /* the tool has 30 s */
    record_expect_refusal(record, id, STATUS_DEADLINE_RUNNING, "DEADLINE");
    ck_assert_uint_ge(statistics_of("SQL_QueryReadonly").time_max_us, 140 * MS);
    ck_assert_uint_ge(statistics_of("SQL_QueryReadonly").time_us, 140 * MS);
}
END_TEST

/* Withdrawing. */

START_TEST(what_is_withdrawn_gives_its_place_back)
{
    serve_nothing("tool_executor.threads=1", NULL);
    uint64_t running = ask("Test_Unreliable", "{\"mode\": \"hang\"}");
    uint64_t waiting = ask("Math_Calculator", "{\"expression\": \"1\"}");
    uint64_t asking = ask("System_GetMetrics", "{}");
    record_cancel(record, waiting);
    record_cancel(record, asking);
    ck_assert(record->asks[0].cancelled);
    ck_assert_uint_eq(statistics().held, 1);
    record_cancel(record, running);
    record_cancel(record, running); /* twice is once */
    ck_assert(record->jobs[0]->cancelled);
    finish(0);
    ck_assert_uint_eq(statistics().held, 0);
    ck_assert_uint_eq(record->reply_count, 0);
    ck_assert_uint_eq(statistics_of("Test_Unreliable").cancelled, 1);
    ck_assert_uint_eq(statistics_of("Math_Calculator").cancelled, 1);
    ck_assert_uint_eq(statistics_of("System_GetMetrics").cancelled, 1);
    ck_assert_int_eq(result_of(run("Math_Calculator", "{\"expression\": \"9\"}")), 9);
}
END_TEST

/* System_GetMetrics. */

static void answer_statistics(void)
{
    char roles[2048];
    struct writer writer;
    struct msg_role_statistics driver = {.role = ROLE_DRIVER, .accepted = 11, .queued = 2};
    struct msg_role_statistics tools = {.role = ROLE_TOOL_EXECUTOR, .accepted = 7};
    struct msg_role_statistics unknown = {.role = 77, .accepted = 9};
    writer_init(&writer, roles, sizeof roles);
    writer_array(&writer, 4);
    ck_assert_int_eq(message_write(MSG_ROLE_STATISTICS, &driver, &writer), STATUS_OK);
    ck_assert_int_eq(message_write(MSG_ROLE_STATISTICS, &tools, &writer), STATUS_OK);
    ck_assert_int_eq(message_write(MSG_ROLE_STATISTICS, &unknown, &writer), STATUS_OK);
    ck_assert_int_eq(message_write(MSG_ROLE_STATISTICS, &driver, &writer), STATUS_OK);
    struct msg_statistics all = {.instance = bytes_of("b1"),
                                 .generation = 5,
                                 .uptime_us = 9000 * MS,
                                 .sessions = 3,
                                 .roles = writer_bytes(&writer),
                                 .workers = {"\x90", 1}};
    record_answer_message(record, record_open_ask_of(record, ROLE_BROKER, "statistics"),
                          MSG_STATISTICS, &all);
}

static const struct {
    const char *arguments, *role, *name;
    int64_t expected; /* -1: not told */
} metrics[] = {
    {"{}", "driver", "accepted", 11},
    {"{}", "tool_executor", "accepted", 7},
    {"{}", "broker", "sessions", 3},
    {"{}", "driver", "role", -1},
    {"{\"role\": \"driver\"}", "driver", "queued", 2},
    {"{\"role\": \"driver\"}", "tool_executor", "accepted", -1},
    {"{\"role\": \"driver\"}", "broker", "sessions", -1},
    {"{\"role\": \"arcade_gateway\"}", "arcade_gateway", "accepted", -1},
    {"{\"names\": [\"accepted\"]}", "driver", "accepted", 11},
    {"{\"names\": [\"accepted\"]}", "driver", "queued", -1},
    {"{\"names\": [\"accepted\", \"sessions\"]}", "broker", "sessions", 3},
};

START_TEST(metrics_are_the_broker_s_by_role_and_name)
{
    struct msg_tool_result result;
    int64_t number = -1;
    serve_nothing(NULL, NULL);
    uint64_t id = ask("System_GetMetrics", metrics[_i].arguments);
    ck_assert_uint_eq(record->job_count, 0);
    answer_statistics();
    record_decode_reply(record, id, MSG_TOOL_RESULT, &result);
    struct bytes roles = value_find(result.data, "metrics");
    bool told =
        value_i64(value_find(value_find(roles, metrics[_i].role), metrics[_i].name), &number);
    ck_assert_int_eq(told, metrics[_i].expected >= 0);
    ck_assert(!told || number == metrics[_i].expected);
}
END_TEST

START_TEST(metrics_that_do_not_exist_or_do_not_come_are_errors)
{
    serve_nothing(NULL, NULL);
    uint64_t id = ask("System_GetMetrics", "{\"names\": [\"accepted\", \"nonsense\"]}");
    answer_statistics();
    record_expect_refusal(record, id, STATUS_BAD_REQUEST, "BAD_ARGUMENTS");
    id = ask("System_GetMetrics", "{}");
    record_answer_failure(record, record_open_ask(record), STATUS_NO_WORKER);
    record_expect_refusal(record, id, STATUS_NO_WORKER, NULL);
    id = ask("System_GetMetrics", "{}");
    record_answer(record, record_open_ask(record),
                  &(struct answer){.status = STATUS_OK, .body = {"\x80", 1}});
    record_expect_refusal(record, id, STATUS_APP_ERROR, "TOOL_FAILED");
    record->ask_status = STATUS_BUSY_FULL;
    id = ask("System_GetMetrics", "{}");
    record_expect_refusal(record, id, STATUS_BUSY_FULL, "UNAVAILABLE");
    ck_assert_uint_eq(statistics().held, 0);
}
END_TEST

/* The database. */

START_TEST(a_foreign_commit_is_told_within_300_ms)
{
    serve("create table t(a)", NULL);
    uint64_t tag = key_tag('d', bytes_of("db:demo"));
    ck_assert_uint_eq(record->invalidation_count, 1); /* what was missed before the start */
    for (size_t commits = 1; commits <= 3; commits++) {
        for (int i = 0; i < 5; i++) { /* nothing happens: nothing is told */
            record_step(record, WATCH_MS * MS);
            record_run_jobs(record);
        }
        ck_assert_uint_eq(record->invalidation_count, commits);
        sql_write(sql, "insert into t values (1)");
        record_step(record, WATCH_MS * MS);
        record_run_jobs(record);
        ck_assert_uint_eq(record->invalidation_count, commits + 1);
        ck_assert_uint_eq(record->invalidations[commits].count, 1);
        ck_assert_uint_eq(record->invalidations[commits].tags[0], tag);
    }
    ck_assert_uint_eq(statistics().changes, 4);
}
END_TEST

/* All threads are taken, and the look has its own. */
START_TEST(a_commit_is_noticed_while_every_thread_is_busy)
{
    serve("create table t(a)", "tool_executor.threads=2");
    (void)ask("Test_Unreliable", "{\"mode\": \"hang\"}");
    (void)ask("SQL_QueryReadonly", "{\"statement\": \"select 1\"}");
    (void)ask("SQL_QueryReadonly", "{\"statement\": \"select 1\"}");
    ck_assert_uint_eq(record->job_count, 2);
    ck_assert_uint_eq(tool_executor_spec.thread_count(record->actor.state), 3);
    sql_write(sql, "insert into t values (1)");
    record_step(record, WATCH_MS * MS);
    ck_assert_uint_eq(record->job_count, 3);
    finish(2);
    ck_assert_uint_eq(record->invalidation_count, 2);
}
END_TEST

START_TEST(a_look_that_is_out_is_not_doubled)
{
    serve("create table t(a)", NULL);
    record_step(record, 10 * WATCH_MS * MS);
    ck_assert_uint_eq(record->job_count, 1);
    record_run_jobs(record);
    record->job_status = STATUS_BUSY_FULL; /* one that cannot be started is tried again */
    record_step(record, 2 * WATCH_MS * MS);
    record->job_status = STATUS_OK;
    sql_write(sql, "insert into t values (1)");
    record_step(record, WATCH_MS * MS);
    record_run_jobs(record);
    ck_assert_uint_eq(record->invalidation_count, 2);
}
END_TEST

START_TEST(without_a_database_nothing_is_looked_at)
{
    serve_nothing(NULL, NULL);
    record_step(record, 10000 * MS);
    ck_assert_uint_eq(record->job_count, 0);
    ck_assert_uint_eq(record->invalidation_count, 0);
    record_expect_refusal(record, run("SQL_GetSchema", "{}"), STATUS_CIRCUIT_OPEN, "UNAVAILABLE");
    ck_assert_ptr_null(statistics().database.data);
}
END_TEST

START_TEST(a_database_that_comes_later_is_served_then)
{
    struct msg_failure failure;
    struct msg_tool_result result;
    serve(NULL, NULL);
    static const char call[] = "{\"statement\": \"select count(*) as n from t\"}";
    uint64_t id = run("SQL_QueryReadonly", call);
    record_expect_refusal(record, id, STATUS_CIRCUIT_OPEN, "UNAVAILABLE");
    ck_assert_int_eq(
        message_decode(MSG_FAILURE, record_reply_to(record, id)->answer.body, &failure), STATUS_OK);
    ck_assert_ptr_nonnull(memmem(failure.message.data, failure.message.size, sql->database.path,
                                 strlen(sql->database.path)));
    sql_write(sql, "create table t(a)");
    id = run("SQL_QueryReadonly", call);
    record_decode_reply(record, id, MSG_TOOL_RESULT, &result);
    ck_assert_uint_eq(values_count(result.deps), 2);
    record_step(record, WATCH_MS * MS);
    record_run_jobs(record);
    ck_assert_uint_eq(record->invalidation_count, 2);
}
END_TEST

/* Questions and life. */

START_TEST(it_announces_each_tool_with_its_hash)
{
    static char bytes[8192];
    struct writer writer;
    struct bytes value;
    struct msg_method method;
    serve_nothing("tool_executor.concurrency=33", NULL);
    struct tools *tools = tools_new(true);
    writer_init(&writer, bytes, sizeof bytes);
    ck_assert_uint_eq(tool_executor_spec.methods(record->actor.state, &writer), 33);
    struct values values = values_over(writer_bytes(&writer));
    ck_assert_uint_eq(values.left, tools->count);
    for (size_t i = 0; i < tools->count; i++) {
        ck_assert(values_next(&values, &value));
        ck_assert_int_eq(message_decode(MSG_METHOD, value, &method), STATUS_OK);
        ck_assert(bytes_are(method.name, tools->list[i].name));
        ck_assert(bytes_are(method.version, tools->list[i].version));
        ck_assert_uint_eq(method.schema, tools->list[i].schema);
    }
    tools_destroy(&tools);
}
END_TEST

START_TEST(questions_are_answered_or_said_to_be_none)
{
    static char bytes[PAIR_BODY_BYTES_MAX];
    struct bytes body;
    struct msg_tool_definitions definitions;
    serve_nothing(NULL, NULL);
    struct bytes one = {"\x81\xa4name\xafMath_Calculator", 22}, wrong = {"\x81\xa4name\x07", 7};
    ck_assert_int_eq(record_query(record, "tools", one, bytes, sizeof bytes, &body), STATUS_OK);
    ck_assert_int_eq(message_decode(MSG_TOOL_DEFINITIONS, body, &definitions), STATUS_OK);
    ck_assert_uint_eq(values_count(definitions.tools), 1);
    ck_assert_int_eq(record_query(record, "tools", wrong, bytes, sizeof bytes, &body),
                     STATUS_BAD_REQUEST);
    ck_assert_int_eq(record_query(record, "weather", one, bytes, sizeof bytes, &body),
                     STATUS_NO_ROLE);
}
END_TEST

/* More errors than are remembered: the last ones, the newest first. */
START_TEST(the_last_errors_are_remembered)
{
    serve_nothing(NULL, NULL);
    for (unsigned i = 0; i < TOOL_ERRORS_MAX + 8; i++) {
        char call[64];
        snprintf(call, sizeof call, "{\"expression\": \"%u + x\"}", 1000 + i);
        (void)run("Math_Calculator", call);
    }
    (void)run("Math_Calculator", "{\"expression\": \"1 / 0\"}");
    struct msg_executor_statistics all = statistics();
    struct values errors = values_over(all.errors);
    struct bytes value;
    struct msg_tool_error error;
    ck_assert_uint_eq(errors.left, TOOL_ERRORS_MAX);
    ck_assert(values_next(&errors, &value));
    ck_assert_int_eq(message_decode(MSG_TOOL_ERROR, value, &error), STATUS_OK);
    ck_assert(bytes_are(error.message, "division by zero"));
    ck_assert_uint_eq(statistics_of("Math_Calculator").refused, TOOL_ERRORS_MAX + 8);
}
END_TEST

START_TEST(a_start_that_cannot_be_says_what_to_mend)
{
    char reason[SETTINGS_REASON_BYTES] = "";
    const char *const flags[] = {"tool_executor.database_name=a.b", NULL};
    ck_assert_ptr_null(record_try(&tool_executor_spec, flags, reason, sizeof reason));
    ck_assert_ptr_nonnull(strstr(reason, "tool_executor.database_name"));
}
END_TEST

/* Seed 3: 10,000 random calls, withdrawals, ends and steps of time. Every call has one end. */
START_TEST(every_call_has_one_end)
{
    static const char *const calls[][2] = {
        {"Math_Calculator", "{\"expression\": \"1 + 1\"}"},
        {"Math_Calculator", "{\"expression\": \"1 +\"}"},
        {"Web_ParseJSON", "{\"json_text\": \"[1]\"}"},
        {"Test_Unreliable", "{\"mode\": \"fail\", \"rate\": 0.5}"},
        {"System_GetMetrics", "{}"},
    };
    uint64_t seed = 3, sent = 0, withdrawn = 0, ends = 0;
    serve_nothing("tool_executor.threads=3", "tool_executor.concurrency=8");
    for (int round = 0; round < 10000; round++) {
        unsigned kind = (unsigned)(random_next(&seed) % 8);
        uint64_t id = sent - random_next(&seed) % 8; /* 0 and below: none */
        if (kind < 4) {
            size_t call = random_next(&seed) % 5;
            (void)ask_within(calls[call][0], calls[call][1],
                             1 + (uint32_t)(random_next(&seed) % 50));
            sent++;
        } else if (kind == 4 && record->job_count > 0) {
            finish(random_next(&seed) % record->job_count);
        } else if (kind == 5 && record_open_ask(record) != NULL) {
            answer_statistics();
        } else if (kind == 6 && id - 1 < sent && record_reply_to(record, id) == NULL) {
            record_cancel(record, id);
        } else {
            record_step(record, (int64_t)(random_next(&seed) % 10) * MS);
        }
    }
    while (record_open_ask(record) != NULL)
        answer_statistics();
    while (record->job_count > 0)
        finish(0);
    ck_assert_uint_eq(statistics().held, 0);
    ck_assert_uint_eq(statistics().running, 0);
    struct msg_executor_statistics all = statistics();
    struct values values = values_over(all.tools);
    struct bytes value;
    struct msg_tool_statistics one;
    while (values_next(&values, &value)) {
        ck_assert_int_eq(message_decode(MSG_TOOL_STATISTICS, value, &one), STATUS_OK);
        ck_assert_uint_eq(one.running + one.waiting, 0);
        withdrawn += one.cancelled;
        ends += one.ok + one.app_error + one.refused + one.expired + one.cancelled + one.failed;
    }
    ck_assert_uint_eq(ends, sent);
    ck_assert_uint_eq(record->reply_count + withdrawn, sent);
    ck_assert_uint_gt(withdrawn, 10); /* the load reached what it is to reach */
    ck_assert_uint_gt(statistics_of("Math_Calculator").expired, 10);
    ck_assert_uint_gt(statistics_of("Math_Calculator").ok, 100);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, a_call_is_begun_run_and_answered);
    tcase_add_test(tcase, a_name_may_be_its_alias_and_arguments_may_be_absent);
    tcase_add_loop_test(tcase, a_bad_call_is_refused_before_a_thread_has_it, 0,
                        sizeof refused / sizeof refused[0]);
    tcase_add_loop_test(tcase, a_tool_that_fails_is_an_error_never_an_answer, 0,
                        sizeof failing / sizeof failing[0]);
    tcase_add_test(tcase, no_more_run_than_there_are_threads_and_the_nearest_deadline_is_next);
    tcase_add_test(tcase, one_thread_is_left_to_other_tools);
    tcase_add_test(tcase, more_calls_than_it_holds_are_refused_at_once);
    tcase_add_test(tcase, a_call_that_finds_no_job_is_refused_and_its_place_is_free);
    tcase_add_test(tcase, a_call_whose_time_is_over_before_a_thread_is_free_is_not_run);
    tcase_add_test(tcase, a_call_whose_time_is_over_is_ended);
    tcase_add_test(tcase, sql_that_is_ended_was_too_late);
    tcase_add_test(tcase, a_call_that_does_not_end_is_answered_all_the_same);
    tcase_add_test(tcase, when_no_call_ends_any_more_it_gives_up);
    tcase_add_test(tcase, threads_that_come_back_in_time_are_no_reason_to_give_up);
    tcase_add_test(tcase, the_tool_s_own_time_is_a_deadline_too);
    tcase_add_test(tcase, endless_sql_ends_by_what_was_left_of_its_time);
    tcase_add_test(tcase, what_is_withdrawn_gives_its_place_back);
    tcase_add_loop_test(tcase, metrics_are_the_broker_s_by_role_and_name, 0,
                        sizeof metrics / sizeof metrics[0]);
    tcase_add_test(tcase, metrics_that_do_not_exist_or_do_not_come_are_errors);
    tcase_add_test(tcase, a_foreign_commit_is_told_within_300_ms);
    tcase_add_test(tcase, a_commit_is_noticed_while_every_thread_is_busy);
    tcase_add_test(tcase, a_look_that_is_out_is_not_doubled);
    tcase_add_test(tcase, without_a_database_nothing_is_looked_at);
    tcase_add_test(tcase, a_database_that_comes_later_is_served_then);
    tcase_add_test(tcase, it_announces_each_tool_with_its_hash);
    tcase_add_test(tcase, questions_are_answered_or_said_to_be_none);
    tcase_add_test(tcase, the_last_errors_are_remembered);
    tcase_add_test(tcase, a_start_that_cannot_be_says_what_to_mend);
    tcase_add_test(tcase, every_call_has_one_end);
}

int main(void)
{
    return suite_run("tool_executor", add_tests);
}
