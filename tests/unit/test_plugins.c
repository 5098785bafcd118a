/* test_plugins - a plug-in is served as it says, or the executor does not start and says why in one
 * line; its tools keep their promises or fail; each function of the host does what fact_tool.h
 * says.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/runtime/json_text.h"
#include "actors/tool_executor/plugins.h"
#include "actors/tool_executor/tool_executor.h"
#include "tests/support/record.h"
#include "tests/support/suite.h"
#include "tests/support/tool_run.h"

#define FAULTY PLUGIN_DIR "/faulty.so"
#define PROBE PLUGIN_DIR "/probe.so"
#define MS US_PER_MS

static struct record *record;

/* Start an executor with these plug-ins.
 *
 * returns  false: reason says why it does not start */
static bool start(const char *paths, const char *more, char *reason)
{
    char setting[8192];
    const char *const flags[] = {setting, more, NULL};
    snprintf(setting, sizeof setting, "tool_executor.plugins=%s", paths);
    reason[0] = '\0';
    record = record_try(&tool_executor_spec, flags, reason, SETTINGS_REASON_BYTES);
    return record != NULL;
}

static void serve(const char *paths)
{
    char reason[SETTINGS_REASON_BYTES];
    ck_assert_msg(start(paths, NULL, reason), "%s", reason);
}

static void teardown(void)
{
    record_destroy(&record);
    (void)unsetenv("FACT_TEST_PLUGIN");
}

static uint64_t ask(const char *tool, const char *arguments)
{
    char bytes[16384];
    struct writer writer;
    struct json_fault fault;
    writer_init(&writer, bytes, sizeof bytes);
    ck_assert_msg(json_text_read(bytes_of(arguments), 30, &writer, &fault), "%s", fault.reason);
    return record_request(record, tool, writer_bytes(&writer));
}

static uint64_t run(const char *tool, const char *arguments)
{
    uint64_t id = ask(tool, arguments);
    record_run_jobs(record);
    return id;
}

static struct msg_tool_result result_of(uint64_t id)
{
    struct msg_tool_result result;
    record_decode_reply(record, id, MSG_TOOL_RESULT, &result);
    return result;
}

static struct msg_failure failure_of(uint64_t id)
{
    struct msg_failure failure;
    const struct recorded_reply *reply = record_reply_to(record, id);
    ck_assert_ptr_nonnull(reply);
    ck_assert_int_eq(message_decode(MSG_FAILURE, reply->answer.body, &failure), STATUS_OK);
    return failure;
}

static double bound(const char *name)
{
    return series_value(
        metrics_series(record->context.metrics, METRIC_BOUND_USED_RATIO, LABELS(name)));
}

/* The elements of "tools" in the answer to a question. */
static uint64_t count_told(const char *question)
{
    static char bytes[PAIR_BODY_BYTES_MAX];
    struct bytes body;
    ck_assert_int_eq(
        record_query(record, question, (struct bytes){NULL, 0}, bytes, sizeof bytes, &body),
        STATUS_OK);
    return values_count(value_find(body, "tools"));
}

/* Loading. */

START_TEST(a_plug_in_is_served_beside_what_is_built_in)
{
    static char bytes[65536];
    struct writer writer;
    struct bytes body, value = {NULL, 0};
    struct msg_tool_definitions all;
    struct msg_tool_definition definition;
    struct msg_method method;
    serve(EXAMPLE_DIR "/word_count.so," PROBE);
    writer_init(&writer, bytes, sizeof bytes);
    (void)tool_executor_spec.methods(record->actor.state, &writer);
    struct values methods = values_over(writer_bytes(&writer));
    ck_assert_uint_eq(methods.left, 10);
    while (values_next(&methods, &value))
        ck_assert_int_eq(message_decode(MSG_METHOD, value, &method), STATUS_OK);
    ck_assert(bytes_are(method.name, "Probe_Do"));
    ck_assert(bytes_are(method.version, "1.2.3-test.1"));
    uint64_t schema = method.schema;
    struct bytes none = {NULL, 0};
    ck_assert_int_eq(record_query(record, "tools", none, bytes, sizeof bytes, &body), STATUS_OK);
    ck_assert_int_eq(message_decode(MSG_TOOL_DEFINITIONS, body, &all), STATUS_OK);
    ck_assert_int_eq(message_decode(MSG_TOOL_DEFINITION, tool_run_item(all.tools, 8), &definition),
                     STATUS_OK);
    ck_assert(bytes_are(definition.name, "Probe_Patient"));
    ck_assert(bytes_are(definition.scope, "tenant")); /* it names none */
    ck_assert_int_eq(message_decode(MSG_TOOL_DEFINITION, tool_run_item(all.tools, 9), &definition),
                     STATUS_OK);
    ck_assert_uint_eq(definition.schema, schema);
    ck_assert_uint_eq(definition.timeout_ms, 700);
    ck_assert(bytes_are(definition.scope, "user"));
    ck_assert(bytes_are(definition.scopes, "read,probe"));
    ck_assert(!definition.read_only && definition.idempotent && !definition.cacheable);
    ck_assert_uint_eq(definition.ttl_ms, 0);
    ck_assert_double_eq_tol(bound("executor_tools"), 10.0 / TOOLS_MAX, 1e-9);
    struct msg_tool_result result =
        result_of(run("Text.CountWords", "{\"text\": \" two  words\\n\"}"));
    tool_run_expect_integer(result.data, "words", 2);
    tool_run_expect_integer(result.data, "longest", 5);
    ck_assert(bytes_are(result.version, "1.0.0"));
}
END_TEST

static const struct {
    const char *fault, *reason; /* what follows the file's name */
} faults[] = {
    {"nothing", "fact_plugin() returns NULL: it says that it cannot work here"},
    {"abi", "is made for version 2 of fact_tool.h, this is 1: compile it anew"},
    {"no tools", "has no tools"},
    {"rows absent", "has no tools"},
    {"twice", "Fault_None: there is a tool of this name already"},
    {"name absent", "a tool without a name: the name is not Category_Action, of at most 64 bytes"},
    {"name empty", ": the name is not Category_Action, of at most 64 bytes"},
    {"name with dot", "Fault.None: the name is not Category_Action, of at most 64 bytes"},
    {"name without category", "fault: the name is not Category_Action, of at most 64 bytes"},
    {"name long", "Fault_0123456789012345678901234567890123456789012345678901234567: the name is "
                  "not Category_Action, of at most 64 bytes"},
    {"name of two lines", "Fault_?None: the name is not Category_Action, of at most 64 bytes"},
    {"name built in", "Math_Calculator: there is a tool of this name already"},
    {"version absent", "Fault_None: version: not like 1.0.0, of at most 32 bytes"},
    {"version short", "Fault_None: version: not like 1.0.0, of at most 32 bytes"},
    {"version of letters", "Fault_None: version: not like 1.0.0, of at most 32 bytes"},
    {"version with blank", "Fault_None: version: not like 1.0.0, of at most 32 bytes"},
    {"version padded", "Fault_None: version: not like 1.0.0, of at most 32 bytes"},
    {"version long", "Fault_None: version: not like 1.0.0, of at most 32 bytes"},
    {"description absent", "Fault_None: description: not 1 to 4096 bytes of UTF-8"},
    {"description broken", "Fault_None: description: not 1 to 4096 bytes of UTF-8"},
    {"scope unknown", "Fault_None: scope: not public, tenant or user"},
    {"rights broken", "Fault_None: rights: not 1 to 128 bytes of UTF-8"},
    {"parameters absent", "Fault_None: parameters: there is no schema"},
    {"parameters no json", "Fault_None: parameters: line 2, column 14: "},
    {"parameters no object", "Fault_None: parameters: its type is not object"},
    {"parameters no schema", "Fault_None: parameters: properties/a/type "},
    {"parameters unknown keyword", "Fault_None: parameters: oneOf "},
    {"result absent", "Fault_None: result: there is no schema"},
    {"result no schema", "Fault_None: result: required "},
    {"timeout none", "Fault_None: timeout_ms: not 1 to 300000"},
    {"timeout long", "Fault_None: timeout_ms: not 1 to 300000"},
    {"concurrency none", "Fault_None: concurrency: not 1 to 64"},
    {"concurrency high", "Fault_None: concurrency: not 1 to 64"},
    {"ttl none", "Fault_None: ttl_ms: not 1 to 86400000"},
    {"cacheable writer", "Fault_None: cacheable: only what is read_only and idempotent can be"},
    {"run absent", "Fault_None: run: there is no function"},
    {"65", "Fault_None57: there are 64 tools already, and no more can be"},
    {"large 20", ": all definitions together are larger than 196608 bytes"},
};

START_TEST(a_fault_is_told_with_its_file_and_nothing_starts)
{
    char reason[SETTINGS_REASON_BYTES];
    (void)setenv("FACT_TEST_PLUGIN", faults[_i].fault, 1);
    ck_assert(!start(FAULTY, NULL, reason));
    const char *file = strstr(reason, "/faulty.so: ");
    ck_assert_msg(file != NULL, "%s", reason);
    ck_assert_msg(strstr(file, faults[_i].reason) != NULL, "%s", reason);
    ck_assert_ptr_null(strchr(reason, '\n'));
}
END_TEST

START_TEST(as_many_tools_as_there_is_room_for_are_served)
{
    (void)setenv("FACT_TEST_PLUGIN", "57", 1); /* beside the seven that are built in */
    serve(FAULTY);
    ck_assert_double_eq(bound("executor_tools"), 1);
    ck_assert_double_gt(bound("executor_definitions"), 0.01);
    ck_assert_ptr_nonnull(result_of(run("Fault_None56", "{}")).data.data);
    ck_assert_uint_eq(count_told("tools"), TOOLS_MAX);
    ck_assert_uint_eq(count_told("statistics"), TOOLS_MAX);
}
END_TEST

static const struct {
    const char *paths, *reason;
} files[] = {
    {"/nonexistent.so", "/nonexistent.so: No such file or directory"},
    {PROBE ",", NULL},
    {PROBE ",,", "tool_executor.plugins: a path between commas is empty"},
    {SOURCE_DIR "/README.md", "/README.md: is no shared library that can be loaded: "},
    {SOURCE_DIR, ": is no shared library that can be loaded: "},
    {PLUGIN_DIR "/no_function.so", "/no_function.so: has no function fact_plugin()"},
    {PROBE "," PROBE, "/probe.so: Probe_Patient: there is a tool of this name already"},
    {"probe.so", "probe.so: No such file or directory"}, /* not looked for elsewhere */
};

START_TEST(what_is_no_plug_in_is_told)
{
    char reason[SETTINGS_REASON_BYTES];
    bool starts = start(files[_i].paths, NULL, reason);
    ck_assert_int_eq(starts, files[_i].reason == NULL);
    if (!starts)
        ck_assert_msg(strstr(reason, files[_i].reason) != NULL, "%s", reason);
}
END_TEST

START_TEST(there_is_room_for_so_many_plug_ins)
{
    struct plugins plugins = {.count = PLUGINS_MAX - 1};
    struct tools *tools = tools_new(false);
    char reason[SETTINGS_REASON_BYTES] = "";
    ck_assert_msg(plugins_load(&plugins, FAULTY, tools, reason, sizeof reason), "%s", reason);
    ck_assert(!plugins_load(&plugins, PROBE, tools, reason, sizeof reason));
    ck_assert_ptr_nonnull(strstr(reason, "there are 16 plug-ins already, and no more can be"));
    tools_destroy(&tools);
}
END_TEST

/* A path longer than a line: its end and the fault are seen. */
START_TEST(a_long_path_does_not_hide_the_fault)
{
    char path[4000], reason[SETTINGS_REASON_BYTES];
    memset(path, '/', sizeof path);
    strcpy(path + sizeof path - 12, "missing.so");
    ck_assert(!start(path, NULL, reason));
    ck_assert_ptr_nonnull(strstr(reason, "missing.so: No such file or directory"));
    ck_assert(strncmp(reason, "...", 3) == 0);
}
END_TEST

/* Calls. */

START_TEST(arguments_are_read_and_results_are_written)
{
    serve(PROBE);
    for (int64_t calls = 1; calls <= 2; calls++) {
        struct msg_tool_result result =
            result_of(run("Probe_Do", "{\"mode\": \"echo\", \"list\": [\"größe\", 2.0, null, {}],"
                                      " \"map\": {\"n\": 7, \"b\": true}}"));
        struct bytes data = result.data;
        double number = 0;
        bool boolean = false;
        ck_assert(value_bool(value_find(data, "read"), &boolean) && boolean);
        tool_run_expect_text(data, "text", "größe");
        tool_run_expect_integer(data, "integer", 42); /* with the default */
        ck_assert(value_f64(value_find(data, "number"), &number));
        ck_assert_double_eq(number, 7.5);
        ck_assert(value_bool(value_find(data, "boolean"), &boolean) && boolean);
        ck_assert_int_eq(value_kind(value_find(data, "nothing")), KIND_NIL);
        ck_assert(bytes_are(value_find(data, "counts"), "\x92\x04\x02"));
        tool_run_expect_integer(value_find(data, "map"), "n", 7);
        tool_run_expect_integer(data, "calls", calls); /* the thread's own */
        ck_assert(value_bool(value_find(data, "left"), &boolean) && boolean);
        ck_assert_uint_eq(result.as_of, RECORD_UNIX_MS);
        ck_assert(!result.truncated);
        ck_assert_ptr_null(result.deps.data);
    }
}
END_TEST

START_TEST(a_result_says_what_it_depends_on)
{
    struct bytes text;
    serve(PROBE);
    struct msg_tool_result result = result_of(run("Probe_Do", "{\"mode\": \"depend\"}"));
    ck_assert_uint_eq(values_count(result.deps), 2);
    ck_assert(value_text(tool_run_item(result.deps, 0), &text));
    ck_assert(bytes_are(text, "db:probe"));
    ck_assert(value_text(tool_run_item(result.deps, 1), &text));
    ck_assert(bytes_are(text, "t:probe.rows"));
    ck_assert_uint_eq(result.as_of, 1700000000000u);
    ck_assert(result.truncated);
}
END_TEST

static const struct {
    const char *mode;
    enum status status;
    const char *code, *message; /* in it */
} failing[] = {
    {"no such mode", STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "there is no such mode"},
    {"fail bad", STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "item 3 is odd"},
    {"fail away", STATUS_CIRCUIT_OPEN, "UNAVAILABLE", "the other side is away"},
    {"fail own", STATUS_APP_ERROR, "OWN_CODE", "the last reason"},
    {"fail code", STATUS_APP_ERROR, "TOOL_FAILED", "why?"},
    {"fail mute", STATUS_APP_ERROR, "TOOL_FAILED", "it gave no reason"},
    {"nothing", STATUS_APP_ERROR, "TOOL_FAILED", "not one whole value"},
    {"cut short", STATUS_APP_ERROR, "TOOL_FAILED", "not one whole value"},
    {"two values", STATUS_APP_ERROR, "TOOL_FAILED", "not one whole value"},
    {"too deep", STATUS_APP_ERROR, "TOOL_FAILED", "at most 30 deep"},
    {"bad text", STATUS_APP_ERROR, "TOOL_FAILED", "is no JSON: mode "},
    {"not a number", STATUS_APP_ERROR, "TOOL_FAILED", "is no JSON: extra "},
    {"other result", STATUS_APP_ERROR, "TOOL_FAILED", "not what it promises: mode "},
    {"too large", STATUS_APP_ERROR, "LIMIT", "result size (196608 bytes)"},
    {"depend much", STATUS_APP_ERROR, "LIMIT", "the dependencies pass a limit"},
};

START_TEST(a_tool_that_fails_or_breaks_a_promise_is_an_error)
{
    char call[80];
    serve(PROBE);
    snprintf(call, sizeof call, "{\"mode\": \"%s\"}", failing[_i].mode);
    uint64_t id = run("Probe_Do", call);
    record_expect_refusal(record, id, failing[_i].status, failing[_i].code);
    struct bytes message = failure_of(id).message;
    ck_assert_msg(memmem(message.data, message.size, failing[_i].message,
                         strlen(failing[_i].message)) != NULL,
                  "%.*s", (int)message.size, message.data);
}
END_TEST

START_TEST(a_failure_names_the_field_and_what_helps)
{
    serve(PROBE);
    struct msg_failure failure = failure_of(run("Probe_Do", "{\"mode\": \"fail bad\"}"));
    ck_assert(bytes_are(failure.field, "list/3"));
    ck_assert(bytes_are(failure.hint, "Take an even one."));
    uint64_t id = run("Probe_Do", "{\"mode\": \"fail away\"}");
    ck_assert_uint_eq(record_reply_to(record, id)->answer.retry_after_ms, 1000);
    id = run("Probe_Do", "{\"mode\": \"echo\", \"integer\": \"x\"}"); /* before it runs */
    record_expect_refusal(record, id, STATUS_BAD_REQUEST, "BAD_ARGUMENTS");
    ck_assert(bytes_are(failure_of(id).field, "integer"));
}
END_TEST

/* Half a result of a call that was told to end is no answer. */
START_TEST(a_call_whose_time_is_over_is_ended_and_no_answer)
{
    serve(PROBE);
    uint64_t id = run("Probe_Do", "{\"mode\": \"obey\"}"); /* 700 ms of the thread's own time */
    record_expect_refusal(record, id, STATUS_DEADLINE_RUNNING, "DEADLINE");
}
END_TEST

START_TEST(no_call_of_it_runs_above_its_concurrency)
{
    serve(PROBE);
    for (int i = 0; i < 5; i++)
        (void)ask("Probe_Do", "{\"mode\": \"depend\"}");
    ck_assert_uint_eq(record->job_count, 3);
    record_run_jobs(record);
    ck_assert_uint_eq(record->reply_count, 5);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, a_plug_in_is_served_beside_what_is_built_in);
    tcase_add_loop_test(tcase, a_fault_is_told_with_its_file_and_nothing_starts, 0,
                        sizeof faults / sizeof faults[0]);
    tcase_add_test(tcase, as_many_tools_as_there_is_room_for_are_served);
    tcase_add_loop_test(tcase, what_is_no_plug_in_is_told, 0, sizeof files / sizeof files[0]);
    tcase_add_test(tcase, there_is_room_for_so_many_plug_ins);
    tcase_add_test(tcase, a_long_path_does_not_hide_the_fault);
    tcase_add_test(tcase, arguments_are_read_and_results_are_written);
    tcase_add_test(tcase, a_result_says_what_it_depends_on);
    tcase_add_loop_test(tcase, a_tool_that_fails_or_breaks_a_promise_is_an_error, 0,
                        sizeof failing / sizeof failing[0]);
    tcase_add_test(tcase, a_failure_names_the_field_and_what_helps);
    tcase_add_test(tcase, a_call_whose_time_is_over_is_ended_and_no_answer);
    tcase_add_test(tcase, no_call_of_it_runs_above_its_concurrency);
}

int main(void)
{
    return suite_run("plugins", add_tests);
}
