/* test_dialect_arcade - what is asked of Arcade, byte for byte, and what its answers mean to the
 * one who called: each row of the table, and bytes that are no answer at all. */
#include <stdio.h>
#include <string.h>

#include "actors/arcade_gateway/repeat.h"
#include "tests/support/arcade_dialogue.h"
#include "tests/support/suite.h"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

START_TEST(an_execution_says_tool_version_user_and_input)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    arcade_check_asked(HTTP_POST, "https://arcade.test/v1/tools/execute",
                       "{\"tool_name\":\"Mail.Send\",\"user_id\":\"acme:ann@example.com\","
                       "\"tool_version\":\"1.2.3\",\"input\":{\"to\":\"ann\"}}");
    ck_assert_str_eq(arcade_header("Content-Type"), "application/json");
    ck_assert_str_eq(arcade_exchange.operation, "execute");
    ck_assert(!arcade_exchange.idempotent);
    ck_assert(!arcade_exchange.is_poll);
    ck_assert_int_eq(arcade_answer(200, RAN), DIALOGUE_DONE);
    arcade_check_data("{\"n\":1}");
}
END_TEST

START_TEST(a_version_that_is_not_known_is_not_asked_for)
{
    (void)snprintf(arcade_tool.version, sizeof arcade_tool.version, "%s", ARCADE_VERSION_UNKNOWN);
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_ptr_null(
        memmem(arcade_exchange.http.body.data, arcade_exchange.http.body.size, "tool_version", 12));
}
END_TEST

START_TEST(what_may_run_twice_says_so)
{
    arcade_tool.idempotent = true;
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert(arcade_exchange.idempotent);
    arcade_tool.idempotent = false;
    arcade_tool.read_only = true;
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert(arcade_exchange.idempotent);
}
END_TEST

static const struct {
    const char *tenant, *user, *id;
} users[] = {
    {"acme", "ann", "acme:ann"}, {"", "ann", "ann"},
    {"acme", "", "acme:"},       {"", "", ":"},
    {"a:b", "c", "a%3Ab:c"},     {"a", "b:c", "a:b:c"},
    {"", "a:b", "a%3Ab"},        {"a%3Ab", "c", "a%253Ab:c"},
    {"", "a%3Ab", "a%253Ab"},
};

START_TEST(no_two_users_have_one_name)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    arcade_dialogue.tenant = name_of(bytes_of(users[_i].tenant));
    arcade_dialogue.user = name_of(bytes_of(users[_i].user));
    ck_assert_int_eq(dialect_arcade.begin(&arcade_dialogue, &arcade_exchange), DIALOGUE_EXCHANGE);
    ck_assert_str_eq(arcade_talk.user, users[_i].id);
    for (int other = 0; other < COUNT_OF(users); other++)
        ck_assert(other == _i || strcmp(users[other].id, users[_i].id) != 0);
}
END_TEST

START_TEST(the_longest_names_fit)
{
    char longest[NAME_BYTES_MAX];
    memset(longest, ':', sizeof longest);
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    arcade_dialogue.tenant = name_of((struct bytes){longest, sizeof longest});
    arcade_dialogue.user = arcade_dialogue.tenant;
    ck_assert_int_eq(dialect_arcade.begin(&arcade_dialogue, &arcade_exchange), DIALOGUE_EXCHANGE);
    ck_assert_uint_eq(strlen(arcade_talk.user), 4u * NAME_BYTES_MAX + 1);
    arcade_dialogue.tenant = (struct name){0};
    ck_assert_int_eq(dialect_arcade.begin(&arcade_dialogue, &arcade_exchange), DIALOGUE_EXCHANGE);
    ck_assert_uint_eq(strlen(arcade_talk.user), (size_t)3 * NAME_BYTES_MAX);
}
END_TEST

START_TEST(without_a_key_nothing_is_sent)
{
    static const enum dialogue_purpose purposes[] = {DIALOGUE_CALL, DIALOGUE_LIST, DIALOGUE_HEALTH};
    arcade_remote.secret[0] = '\0';
    for (int i = 0; i < COUNT_OF(purposes); i++) {
        ck_assert_int_eq(arcade_begin(purposes[i]), DIALOGUE_FAILED);
        arcade_check_failure(STATUS_CIRCUIT_OPEN, "UNAVAILABLE");
        ck_assert_uint_gt(arcade_dialogue.failure.retry_after_ms, 0);
    }
}
END_TEST

START_TEST(a_tool_that_is_gone_is_not_found)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    arcade_dialogue.tool = NULL;
    ck_assert_int_eq(dialect_arcade.begin(&arcade_dialogue, &arcade_exchange), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_BAD_REQUEST, "TOOL_NOT_FOUND");
}
END_TEST

static const struct {
    const char *kind;
    enum status status;
    const char *code;
} kinds[] = {
    {"TOOLKIT_LOAD_FAILED", STATUS_APP_ERROR, "TOOL_FAILED"},
    {"TOOL_DEFINITION_BAD_DEFINITION", STATUS_APP_ERROR, "TOOL_FAILED"},
    {"TOOL_DEFINITION_BAD_INPUT_SCHEMA", STATUS_APP_ERROR, "TOOL_FAILED"},
    {"TOOL_DEFINITION_BAD_OUTPUT_SCHEMA", STATUS_APP_ERROR, "TOOL_FAILED"},
    {"TOOL_REQUIREMENTS_NOT_MET", STATUS_FORBIDDEN, "AUTH_REQUIRED"},
    {"TOOL_RUNTIME_BAD_INPUT_VALUE", STATUS_BAD_REQUEST, "BAD_ARGUMENTS"},
    {"TOOL_RUNTIME_BAD_OUTPUT_VALUE", STATUS_APP_ERROR, "TOOL_FAILED"},
    {"TOOL_RUNTIME_RETRY", STATUS_APP_ERROR, "UPSTREAM_RETRY"},
    {"TOOL_RUNTIME_CONTEXT_REQUIRED", STATUS_APP_ERROR, "TOOL_FAILED"},
    {"TOOL_RUNTIME_FATAL", STATUS_APP_ERROR, "TOOL_FAILED"},
    {"CONTEXT_CHECK_FAILED", STATUS_APP_ERROR, "TOOL_FAILED"},
    {"CONTEXT_DENIED", STATUS_FORBIDDEN, "FORBIDDEN"},
    {"UPSTREAM_RUNTIME_BAD_REQUEST", STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
    {"UPSTREAM_RUNTIME_AUTH_ERROR", STATUS_APP_ERROR, "UPSTREAM_AUTH"},
    {"UPSTREAM_RUNTIME_NOT_FOUND", STATUS_APP_ERROR, "UPSTREAM_NOT_FOUND"},
    {"UPSTREAM_RUNTIME_VALIDATION_ERROR", STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
    {"UPSTREAM_RUNTIME_RATE_LIMIT", STATUS_APP_ERROR, "UPSTREAM_RATE_LIMITED"},
    {"UPSTREAM_RUNTIME_SERVER_ERROR", STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {"UPSTREAM_RUNTIME_UNMAPPED", STATUS_APP_ERROR, "TOOL_FAILED"},
    {"NETWORK_TRANSPORT_RUNTIME_TIMEOUT", STATUS_APP_ERROR, "UPSTREAM_TIMEOUT"},
    {"NETWORK_TRANSPORT_RUNTIME_UNREACHABLE", STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {"NETWORK_TRANSPORT_RUNTIME_UNMAPPED", STATUS_APP_ERROR, "TOOL_FAILED"},
    {"UNKNOWN", STATUS_APP_ERROR, "TOOL_FAILED"},
    {"SOMETHING_NEW", STATUS_APP_ERROR, "TOOL_FAILED"},
};

START_TEST(each_kind_of_error_is_what_the_table_says)
{
    char body[512];
    (void)snprintf(body, sizeof body,
                   "{\"success\":false,\"output\":{\"error\":{\"kind\":\"%s\",\"message\":\"so it "
                   "is\",\"can_retry\":true,\"retry_after_ms\":1500}}}",
                   kinds[_i].kind);
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_refuse(200, body), DIALOGUE_FAILED);
    arcade_check_failure(kinds[_i].status, kinds[_i].code);
    ck_assert_str_eq(arcade_dialogue.failure.message, "so it is");
    ck_assert_uint_eq(arcade_dialogue.failure.retry_after_ms, 1500);
    ck_assert_str_eq(arcade_dialogue.failure.hint, "Again in 1500 ms.");
}
END_TEST

static const struct {
    unsigned code;
    enum status status;
    const char *name;
} codes[] = {
    {301, STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE"},
    {400, STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
    {401, STATUS_APP_ERROR, "UPSTREAM_AUTH"},
    {403, STATUS_FORBIDDEN, "FORBIDDEN"},
    {404, STATUS_BAD_REQUEST, "TOOL_NOT_FOUND"},
    {408, STATUS_APP_ERROR, "UPSTREAM_TIMEOUT"},
    {422, STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
    {429, STATUS_RATE_LIMITED, "RATE_LIMITED"},
    {500, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {503, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {999, STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE"},
};

START_TEST(each_status_of_http_is_what_the_table_says)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_refuse(codes[_i].code, "{\"name\":\"x\",\"message\":\"so it is\"}"),
                     DIALOGUE_FAILED);
    arcade_check_failure(codes[_i].status, codes[_i].name);
    ck_assert_ptr_nonnull(strstr(arcade_dialogue.failure.message, "so it is"));
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_refuse(codes[_i].code, "<html>"), DIALOGUE_FAILED);
    arcade_check_failure(codes[_i].status, codes[_i].name);
}
END_TEST

START_TEST(too_many_says_when_to_come_back)
{
    arcade_came.headers[0] = (struct http_header){"retry-after", "7"};
    arcade_came.header_count = 1;
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(429, "{}"), DIALOGUE_FAILED);
    ck_assert_uint_eq(arcade_dialogue.failure.retry_after_ms, 7000);
    arcade_came.header_count = 0;
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(429, "{}"), DIALOGUE_FAILED);
    ck_assert_uint_gt(arcade_dialogue.failure.retry_after_ms, 0);
}
END_TEST

static const struct {
    enum http_end end;
    bool sent;
    enum status status;
    const char *code;
} ends[] = {
    {HTTP_NO_CONNECTION, false, STATUS_CIRCUIT_OPEN, "UNAVAILABLE"},
    {HTTP_TLS, false, STATUS_CIRCUIT_OPEN, "UNAVAILABLE"},
    {HTTP_LOST, true, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {HTTP_LOST, false, STATUS_CIRCUIT_OPEN, "UNAVAILABLE"},
    {HTTP_LATE, true, STATUS_DEADLINE_RUNNING, "TIMEOUT"},
    {HTTP_LATE, false, STATUS_DEADLINE_QUEUED, "TIMEOUT"},
    {HTTP_TOO_LARGE, true, STATUS_APP_ERROR, "LIMIT"},
    {HTTP_MALFORMED, true, STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE"},
    {HTTP_DENIED, false, STATUS_FORBIDDEN, "FORBIDDEN"},
};

START_TEST(each_end_without_an_answer_is_what_the_table_says)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    arcade_came.end = ends[_i].end;
    arcade_came.sent = ends[_i].sent;
    ck_assert_int_eq(arcade_answer(0, ""), DIALOGUE_FAILED);
    arcade_check_failure(ends[_i].status, ends[_i].code);
    ck_assert_int_eq(arcade_dialogue.failure.retry_after_ms > 0,
                     ends[_i].status == STATUS_CIRCUIT_OPEN);
}
END_TEST

static const struct {
    const char *body, *code;
} odd[] = {
    {"", "UPSTREAM_BAD_RESPONSE"},
    {"<html>", "UPSTREAM_BAD_RESPONSE"},
    {"null", "UPSTREAM_BAD_RESPONSE"},
    {"[]", "UPSTREAM_BAD_RESPONSE"},
    {"{}", "UPSTREAM_BAD_RESPONSE"},
    {"{\"success\":\"true\",\"output\":{\"value\":1}}", "UPSTREAM_BAD_RESPONSE"},
    {"{\"success\":true,\"output\":{\"value\":\"\xff\"}}", "UPSTREAM_BAD_RESPONSE"},
    {"{\"success\":true,\"output\":{\"value\":1e999}}", "UPSTREAM_BAD_RESPONSE"},
    {"{\"success\":false}", "TOOL_FAILED"},
    {"{\"success\":false,\"output\":null}", "TOOL_FAILED"},
    {"{\"success\":false,\"output\":{\"value\":1}}", "TOOL_FAILED"},
    {"{\"success\":false,\"output\":{\"error\":\"no\"}}", "TOOL_FAILED"},
    {"{\"success\":true,\"output\":{\"value\":1,\"error\":{}}}", "TOOL_FAILED"},
};

START_TEST(what_is_no_success_is_never_an_answer)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, odd[_i].body), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, odd[_i].code);
    ck_assert_uint_eq(arcade_dialogue.data.used, 0);
}
END_TEST

START_TEST(each_cut_of_an_answer_is_none)
{
    for (size_t size = 0; size < sizeof RAN - 1; size++) {
        ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
        ck_assert_int_eq(arcade_answer_bytes((struct bytes){RAN, size}), DIALOGUE_FAILED);
        arcade_check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE");
    }
}
END_TEST

START_TEST(a_success_without_a_value_is_nil)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, "{\"success\":true,\"output\":{\"logs\":[]}}"),
                     DIALOGUE_DONE);
    arcade_check_data("null");
}
END_TEST

/* A value of so many arrays inside each other, in an answer. */
static enum dialogue_next answer_deep(unsigned depth)
{
    char body[256] = "{\"success\":true,\"output\":{\"value\":";
    for (unsigned i = 0; i < depth; i++)
        strcat(body, "[");
    for (unsigned i = 0; i < depth; i++)
        strcat(body, "]");
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    return arcade_answer(200, strcat(body, "}}"));
}

START_TEST(a_result_may_be_so_deep_and_no_deeper)
{
    ck_assert_int_eq(answer_deep(ARCADE_DATA_NESTING_MAX), DIALOGUE_DONE);
    ck_assert_int_eq(answer_deep(ARCADE_DATA_NESTING_MAX + 1), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, "LIMIT");
    ck_assert_int_eq(answer_deep(ARCADE_NESTING_MAX + 1), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE");
}
END_TEST

START_TEST(a_result_may_be_so_large_and_no_larger)
{
    static char body[RESULT_BYTES_MAX + 200];
    static const char head[] = "{\"success\":true,\"output\":{\"value\":\"";
    for (size_t more = 0; more < 2; more++) {
        size_t size = RESULT_BYTES_MAX - 5 + more; /* of a long text, 5 bytes before it */
        memcpy(body, head, sizeof head - 1);
        memset(body + sizeof head - 1, 'x', size);
        memcpy(body + sizeof head - 1 + size, "\"}}", 4);
        ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
        ck_assert_int_eq(arcade_answer(200, body), more == 0 ? DIALOGUE_DONE : DIALOGUE_FAILED);
    }
    arcade_check_failure(STATUS_APP_ERROR, "LIMIT");
}
END_TEST

START_TEST(our_key_is_in_no_failure)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_refuse(400, "{\"message\":\"bad: Bearer " KEY ", " KEY "\"}"),
                     DIALOGUE_FAILED);
    ck_assert_ptr_null(strstr(arcade_dialogue.failure.message, KEY));
    ck_assert_ptr_nonnull(strstr(arcade_dialogue.failure.message, "bad: Bearer *"));
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(
        arcade_answer(200, "{\"success\":false,\"output\":{\"error\":{\"kind\":\"UNKNOWN\","
                           "\"message\":\"" KEY "\",\"additional_prompt_content\":\"" KEY "\"}}}"),
        DIALOGUE_FAILED);
    ck_assert_ptr_null(strstr(arcade_dialogue.failure.message, KEY));
    ck_assert_ptr_null(strstr(arcade_dialogue.failure.hint, KEY));
}
END_TEST

START_TEST(a_hint_of_the_tool_goes_before_ours)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(
        arcade_answer(200, "{\"success\":false,\"output\":{\"error\":{\"kind\":\"UNKNOWN\","
                           "\"retry_after_ms\":5,\"additional_prompt_content\":\"do x\"}}}"),
        DIALOGUE_FAILED);
    ck_assert_str_eq(arcade_dialogue.failure.hint, "do x");
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(
        arcade_answer(200, "{\"success\":false,\"output\":{\"error\":{\"kind\":\"UNKNOWN\"}}}"),
        DIALOGUE_FAILED);
    ck_assert_str_eq(arcade_dialogue.failure.hint, "");
    ck_assert_uint_eq(arcade_dialogue.failure.retry_after_ms, 0);
}
END_TEST

START_TEST(a_message_is_cut_between_two_characters)
{
    char body[2000] = "{\"message\":\"x";
    for (unsigned i = 0; i < 400; i++)
        strcat(body, "\xc3\xa9");
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_refuse(400, strcat(body, "\"}")), DIALOGUE_FAILED);
    ck_assert(cursor_is_utf8(bytes_of(arcade_dialogue.failure.message)));
    ck_assert_ptr_null(strchr(arcade_dialogue.failure.message, '?'));
    ck_assert_uint_gt(strlen(arcade_dialogue.failure.message), 390);
}
END_TEST

#define AGAIN(after)                                                                               \
    "{\"success\":false,\"output\":{\"error\":{\"kind\":\"TOOL_RUNTIME_RETRY\",\"can_retry\":"     \
    "true,"                                                                                        \
    "\"message\":\"once more\",\"additional_prompt_content\":\"say please\"" after "}}}"

START_TEST(a_tool_that_wants_to_be_asked_again_is_twice)
{
    arcade_tool.idempotent = true;
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    for (unsigned i = 0; i < REPEATS_MAX; i++) {
        ck_assert_int_eq(arcade_answer(200, AGAIN("")), DIALOGUE_EXCHANGE);
        ck_assert(arcade_exchange.is_repeat);
        ck_assert_str_eq(arcade_exchange.operation, "execute");
        ck_assert_uint_ge(arcade_exchange.after_ms, 375u << i);
        ck_assert_uint_le(arcade_exchange.after_ms, 500u << i);
    }
    ck_assert_int_eq(arcade_answer(200, AGAIN("")), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, "UPSTREAM_RETRY");
    ck_assert_str_eq(arcade_dialogue.failure.hint, "say please");
}
END_TEST

START_TEST(it_says_after_how_long_itself)
{
    arcade_tool.idempotent = true;
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, AGAIN(",\"retry_after_ms\":2500")), DIALOGUE_EXCHANGE);
    ck_assert_uint_eq(arcade_exchange.after_ms, 2500);
    ck_assert_int_eq(arcade_answer(200, RAN), DIALOGUE_DONE);
    ck_assert_int_eq(arcade_dialogue.failure.status, STATUS_OK);
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, AGAIN(",\"retry_after_ms\":60000")), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, "UPSTREAM_RETRY");
    ck_assert_uint_eq(arcade_dialogue.failure.retry_after_ms, 60000);
}
END_TEST

/* Too late, over the rate, or over the budget: whoever sends says it in one way. */
START_TEST(a_repeat_that_is_not_sent_leaves_the_first_answer)
{
    arcade_tool.idempotent = true;
    arcade_came.sent = _i == 1;
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, AGAIN("")), DIALOGUE_EXCHANGE);
    arcade_came.end = HTTP_LATE;
    arcade_came.exchange = 0;
    ck_assert_int_eq(arcade_answer(0, ""), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, "UPSTREAM_RETRY");
    ck_assert_str_eq(arcade_dialogue.failure.hint, "say please");
}
END_TEST

START_TEST(a_repeat_that_was_sent_may_have_run)
{
    arcade_tool.idempotent = true;
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, AGAIN("")), DIALOGUE_EXCHANGE);
    arcade_came.end = HTTP_LATE;
    ck_assert_int_eq(arcade_answer(0, ""), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_DEADLINE_RUNNING, "TIMEOUT");
}
END_TEST

START_TEST(a_repeat_that_does_not_fit_is_not_tried)
{
    arcade_tool.idempotent = true;
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    arcade_dialogue.deadline_at = arcade_dialogue.now_at + 2500 * US_PER_MS;
    ck_assert_int_eq(arcade_answer(200, AGAIN(",\"retry_after_ms\":2500")), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, "UPSTREAM_RETRY");
}
END_TEST

START_TEST(what_may_do_harm_is_not_done_twice)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, AGAIN("")), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, "UPSTREAM_RETRY");
}
END_TEST

static const struct {
    unsigned status;
    const char *body, *code; /* NULL: it is well */
} healths[] = {
    {200, "{\"healthy\":true}", NULL},
    {200, "{\"healthy\":false,\"reason\":\"tired\"}", "UPSTREAM_UNAVAILABLE"},
    {200, "{}", "UPSTREAM_UNAVAILABLE"},
    {200, "<html>", "UPSTREAM_BAD_RESPONSE"},
    {503, "{\"healthy\":false,\"reason\":\"tired\"}", "UPSTREAM_UNAVAILABLE"},
    {404, "{}", "UPSTREAM_NOT_FOUND"},
    {401, "{}", "UPSTREAM_AUTH"},
};

START_TEST(health_is_what_it_says_of_itself)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_HEALTH), DIALOGUE_EXCHANGE);
    arcade_check_asked(HTTP_GET, "https://arcade.test/v1/health", NULL);
    enum dialogue_next next = arcade_answer(healths[_i].status, healths[_i].body);
    ck_assert_int_eq(next, healths[_i].code == NULL ? DIALOGUE_DONE : DIALOGUE_FAILED);
    if (healths[_i].code != NULL)
        arcade_check_failure(STATUS_APP_ERROR, healths[_i].code);
    ck_assert_int_eq(strstr(arcade_dialogue.failure.message, "tired") != NULL,
                     healths[_i].status == 503);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, arcade_set_up, arcade_tear_down);
    tcase_add_test(tcase, an_execution_says_tool_version_user_and_input);
    tcase_add_test(tcase, a_version_that_is_not_known_is_not_asked_for);
    tcase_add_test(tcase, what_may_run_twice_says_so);
    tcase_add_loop_test(tcase, no_two_users_have_one_name, 0, COUNT_OF(users));
    tcase_add_test(tcase, the_longest_names_fit);
    tcase_add_test(tcase, without_a_key_nothing_is_sent);
    tcase_add_test(tcase, a_tool_that_is_gone_is_not_found);
    tcase_add_loop_test(tcase, each_kind_of_error_is_what_the_table_says, 0, COUNT_OF(kinds));
    tcase_add_loop_test(tcase, each_status_of_http_is_what_the_table_says, 0, COUNT_OF(codes));
    tcase_add_test(tcase, too_many_says_when_to_come_back);
    tcase_add_loop_test(tcase, each_end_without_an_answer_is_what_the_table_says, 0,
                        COUNT_OF(ends));
    tcase_add_loop_test(tcase, what_is_no_success_is_never_an_answer, 0, COUNT_OF(odd));
    tcase_add_test(tcase, each_cut_of_an_answer_is_none);
    tcase_add_test(tcase, a_success_without_a_value_is_nil);
    tcase_add_test(tcase, a_result_may_be_so_deep_and_no_deeper);
    tcase_add_test(tcase, a_result_may_be_so_large_and_no_larger);
    tcase_add_test(tcase, our_key_is_in_no_failure);
    tcase_add_test(tcase, a_hint_of_the_tool_goes_before_ours);
    tcase_add_test(tcase, a_message_is_cut_between_two_characters);
    tcase_add_test(tcase, a_tool_that_wants_to_be_asked_again_is_twice);
    tcase_add_test(tcase, it_says_after_how_long_itself);
    tcase_add_loop_test(tcase, a_repeat_that_is_not_sent_leaves_the_first_answer, 0, 2);
    tcase_add_test(tcase, a_repeat_that_was_sent_may_have_run);
    tcase_add_test(tcase, a_repeat_that_does_not_fit_is_not_tried);
    tcase_add_test(tcase, what_may_do_harm_is_not_done_twice);
    tcase_add_loop_test(tcase, health_is_what_it_says_of_itself, 0, COUNT_OF(healths));
}

int main(void)
{
    return suite_run("dialect_arcade", add_tests);
}
