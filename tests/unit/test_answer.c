/* test_answer - an answer's document holds all that its print shows; its print shows rows as a
 * table, a scalar as a text, and why there is no data; a failure has its code, and its exit code.
 */
#include <locale.h>
#include <string.h>

#include "actors/cli/answer.h"
#include "actors/cli/connect.h"
#include "actors/cli/json.h"
#include "actors/cli/table.h"
#include "tests/support/suite.h"

static struct document document;

static void setup(void)
{
    document_init(&document);
}

static void teardown(void)
{
    document_fini(&document);
}

static char *printed(struct bytes value, void (*print)(struct bytes, FILE *))
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    print(value, memory);
    fclose(memory);
    return text;
}

static void print_all(struct bytes value, FILE *out)
{
    answer_print(value, false, out);
}

static void print_failure(struct bytes value, FILE *out)
{
    answer_print_failure(value, true, out);
}

static void print_quiet(struct bytes value, FILE *out)
{
    answer_print(value, true, out);
}

/* MessagePack of a JSON text, in a buffer of its own of four. */
static struct bytes value_of(const char *json)
{
    static char buffers[4][4096];
    static unsigned next;
    char reason[200];
    struct writer writer;
    char *buffer = buffers[next++ % 4];
    writer_init(&writer, buffer, sizeof buffers[0]);
    ck_assert_msg(json_read(bytes_of(json), &writer, reason, sizeof reason) == STATUS_OK, "%s",
                  reason);
    return writer_bytes(&writer);
}

static enum exit_code make(const struct msg_answer *answer)
{
    static char body[8192];
    struct fact_reply reply = {.status = STATUS_OK,
                               .executed = EXECUTED_YES,
                               .queue_us = 100,
                               .service_us = 3000,
                               .total_us = 5000,
                               .instance = bytes_of("driver-1")};
    ck_assert_int_eq(message_encode(MSG_ANSWER, answer, body, sizeof body, &reply.body), STATUS_OK);
    return answer_document(&document.writer, "question", bytes_of("why?"), NULL, &reply);
}

static const char rows[] = "{\"rows\":[{\"b\":1,\"a\":\"x\\n\"},{\"b\":22,\"a\":null}],"
                           "\"columns\":[\"a\",\"b\"],\"row_count\":2}";

START_TEST(rows_are_a_table_in_the_order_of_their_columns)
{
    struct msg_answer answer = {.outcome = bytes_of("ok"),
                                .value = value_of(rows),
                                .as_of = 1764037800123,
                                .cache = value_of("{\"status\":\"hit\",\"age_ms\":1500}"),
                                .timings = value_of("{\"total_us\":2900,\"tools_us\":2000}")};
    ck_assert_int_eq(make(&answer), CODE_OK);
    char *text = printed(document_value(&document), print_all);
    ck_assert_ptr_nonnull(strstr(text, "a     b\nx\\n   1\n-    22\n"));
    ck_assert_ptr_nonnull(strstr(text, "cache    hit, age 1.5 s\n"));
    ck_assert_ptr_nonnull(strstr(text, "as of    2025-11-25T02:30:00.123Z\n"));
    ck_assert_ptr_nonnull(strstr(text,
                                 "time     5.0 ms: transport 2.0 ms, queue 100 us, driver "
                                 "2.9 ms (look-up 0 us, wait 0 us, plan 0 us, tools 2.0 ms)"));
    free(text);
    text = printed(document_value(&document), print_quiet);
    ck_assert_str_eq(text, "a     b\nx\\n   1\n-    22\n");
    free(text);
}
END_TEST

START_TEST(json_holds_all_that_the_table_shows)
{
    struct msg_answer answer = {
        .outcome = bytes_of("ok"),
        .value = value_of(rows),
        .text = bytes_of("Two rows."),
        .as_of = 1764037800123,
        .sources = value_of("[{\"tool\":\"SQL_QueryReadonly\",\"version\":\"1.0.0\",\"as_of\":"
                            "1764037800123,\"instance\":\"tool_executor-1\","
                            "\"execution_time_ms\":1.5,\"cache\":\"miss\","
                            "\"execution_method\":\"arcade\"}]"),
        .cache = value_of("{\"status\":\"miss\",\"key\":\"k\"}"),
        .degraded = value_of("[\"cache\"]")};
    ck_assert_int_eq(make(&answer), CODE_OK);
    char *text = printed(document_value(&document), json_print);
    static const char *const shown[] = {"\"question\":\"why?\"",
                                        "\"outcome\":\"ok\"",
                                        "\"text\":\"Two rows.\"",
                                        "\"rows\":[{\"b\":1,",
                                        "\"tool\":\"SQL_QueryReadonly\"",
                                        "\"version\":\"1.0.0\"",
                                        "\"instance\":\"tool_executor-1\"",
                                        "\"execution_time_ms\":1.5",
                                        "\"execution_method\":\"arcade\"",
                                        "\"status\":\"miss\"",
                                        "\"as_of\":\"2025-11-25T02:30:00.123Z\"",
                                        "\"degraded\":[\"cache\"]",
                                        "\"total_us\":5000",
                                        "\"transport_us\":1900",
                                        "\"queue_us\":100",
                                        "\"driver_us\":3000"};
    for (size_t i = 0; i < sizeof shown / sizeof shown[0]; i++)
        ck_assert_msg(strstr(text, shown[i]) != NULL, "%s not in %s", shown[i], text);
    free(text);
}
END_TEST

static const struct {
    const char *value, *print, *line;
} values[] = {
    {"1024", "1024\n", "1024\n"},
    {"\"text\"", "text\n", "text\n"},
    {"null", "", "null\n"},
    {"[1,\"b\"]", "1\nb\n", "[1,\"b\"]\n"},
    {"{\"rows\":[]}", "(no rows)\n", "{\"rows\":[]}\n"},
    {"{\"a\":1,\"long\":\"x\"}", "a     1\nlong  x\n", "{\"a\":1,\"long\":\"x\"}\n"},
    {"[{\"a\":\"\\u00e9\"},{\"a\":\"bb\"}]", "a\n\xc3\xa9\nbb\n", NULL},
    {"{\"tables\":[{\"n\":1}],\"total\":1}", "n\n1\n", NULL},
    {"[[1],[2]]", "[1]\n[2]\n", NULL},
};

START_TEST(each_shape_of_value_has_its_print)
{
    struct msg_answer answer = {.outcome = bytes_of("ok"), .value = value_of(values[_i].value)};
    ck_assert_int_eq(make(&answer), CODE_OK);
    char *text = printed(document_value(&document), print_quiet);
    ck_assert_str_eq(text, values[_i].print);
    free(text);
    text = printed(document_value(&document), answer_print_line);
    if (values[_i].line != NULL)
        ck_assert_str_eq(text, values[_i].line);
    free(text);
}
END_TEST

START_TEST(no_data_says_why_and_what_there_is)
{
    struct msg_answer answer = {
        .outcome = bytes_of("no_data"),
        .reason = bytes_of("OUT_OF_RANGE"),
        .detail = value_of("{\"looked_for\":\"Q1 2031\",\"exists\":{\"years\":[2023,2024],"
                           "\"tables\":[{\"name\":\"c\",\"columns\":[\"a\",\"b\"]}]}}")};
    ck_assert_int_eq(make(&answer), CODE_OK);
    char *text = printed(document_value(&document), print_quiet);
    ck_assert_str_eq(text, "no data: OUT_OF_RANGE\nlooked_for: Q1 2031\nexists:\n  years:"
                           "\n    2023\n    2024\n  tables:\n    name: c, columns: a, b\n");
    free(text);
    text = printed(document_value(&document), answer_print_line);
    ck_assert_str_eq(text, "no data: OUT_OF_RANGE\n");
    free(text);
}
END_TEST

START_TEST(a_partial_answer_is_not_ok)
{
    struct msg_answer answer = {.outcome = bytes_of("partial"), .value = value_of("1")};
    ck_assert_int_eq(make(&answer), CODE_INVALID);
}
END_TEST

START_TEST(a_failure_has_its_code_its_hint_and_its_time_to_retry)
{
    char body[1024];
    struct msg_failure failure = {.code = bytes_of("READONLY_VIOLATION"),
                                  .message = bytes_of("it writes"),
                                  .field = bytes_of("statement"),
                                  .hint = bytes_of("select only")};
    struct fact_reply reply = {
        .status = STATUS_APP_ERROR, .executed = EXECUTED_YES, .retry_after_ms = 40};
    ck_assert_int_eq(message_encode(MSG_FAILURE, &failure, body, sizeof body, &reply.body),
                     STATUS_OK);
    ck_assert_int_eq(
        answer_document(&document.writer, "method", bytes_of("SQL_QueryReadonly"), NULL, &reply),
        CODE_REFUSED);
    char *text = printed(document_value(&document), print_failure);
    ck_assert_str_eq(text, "fact: READONLY_VIOLATION: it writes, at statement (status APP_ERROR, "
                           "executed: yes)\nTo mend it: select only\nTry again in 40 ms.\n");
    free(text);
    text = printed(document_value(&document), print_all);
    ck_assert_str_eq(text, "");
    free(text);
    text = printed(document_value(&document), answer_print_line);
    ck_assert_str_eq(text, "error: READONLY_VIOLATION: it writes\n");
    free(text);
}
END_TEST

START_TEST(an_answer_that_makes_no_sense_is_a_failure)
{
    struct fact_reply reply = {.status = STATUS_OK, .body = bytes_of("\x91\xc0")};
    ck_assert_int_eq(answer_document(&document.writer, "method", bytes_of("x"), NULL, &reply),
                     CODE_FAILED);
    char *text = printed(document_value(&document), json_print);
    ck_assert_ptr_nonnull(strstr(text, "\"failure\":{\"code\":\"INTERNAL\""));
    free(text);
}
END_TEST

START_TEST(every_status_has_an_exit_code_and_only_ok_is_0)
{
    for (unsigned status = 0; status < STATUS_COUNT; status++) {
        enum exit_code code = exit_code_of((enum status)status, (struct bytes){0});
        ck_assert((code == CODE_OK) == (status == STATUS_OK));
        ck_assert_int_ne(code, CODE_USAGE);
    }
    ck_assert_int_eq(exit_code_of(STATUS_DEADLINE_RUNNING, (struct bytes){0}), CODE_UNREACHABLE);
    ck_assert_int_eq(exit_code_of(STATUS_BUSY_FULL, (struct bytes){0}), CODE_REFUSED);
    ck_assert_int_eq(exit_code_of(STATUS_BAD_REQUEST, (struct bytes){0}), CODE_INVALID);
}
END_TEST

START_TEST(a_cell_that_is_too_wide_is_cut_between_characters)
{
    char json[1024], *text;
    int used = snprintf(json, sizeof json, "[{\"a\":\"");
    for (int i = 0; i < 100; i++)
        used += snprintf(json + used, sizeof json - (size_t)used, "\xc3\xa9");
    snprintf(json + used, sizeof json - (size_t)used, "\"}]");
    struct msg_answer answer = {.outcome = bytes_of("ok"), .value = value_of(json)};
    ck_assert_int_eq(make(&answer), CODE_OK);
    text = printed(document_value(&document), print_quiet);
    ck_assert_uint_eq(strlen(text), 2 + 2 * (TABLE_CELL_WIDTH_MAX - 3) + 3 + 1);
    ck_assert(cursor_is_utf8(bytes_of(text)));
    free(text);
}
END_TEST

START_TEST(times_before_1970_and_beyond_9999_do_no_harm)
{
    char text[RFC3339_BYTES];
    ck_assert_str_eq(rfc3339(0, text), "1970-01-01T00:00:00.000Z");
    ck_assert_str_eq(rfc3339(UINT64_MAX, text), "9999-12-31T23:59:59.999Z");
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, rows_are_a_table_in_the_order_of_their_columns);
    tcase_add_test(tcase, json_holds_all_that_the_table_shows);
    tcase_add_loop_test(tcase, each_shape_of_value_has_its_print, 0,
                        sizeof values / sizeof values[0]);
    tcase_add_test(tcase, no_data_says_why_and_what_there_is);
    tcase_add_test(tcase, a_partial_answer_is_not_ok);
    tcase_add_test(tcase, a_failure_has_its_code_its_hint_and_its_time_to_retry);
    tcase_add_test(tcase, an_answer_that_makes_no_sense_is_a_failure);
    tcase_add_test(tcase, every_status_has_an_exit_code_and_only_ok_is_0);
    tcase_add_test(tcase, a_cell_that_is_too_wide_is_cut_between_characters);
    tcase_add_test(tcase, times_before_1970_and_beyond_9999_do_no_harm);
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    return suite_run("answer", add_tests);
}
