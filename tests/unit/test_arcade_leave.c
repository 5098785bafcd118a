/* test_arcade_leave - a tool that needs the user's leave runs with it, and only the one who called
 * learns where to give it. */
#include <stdio.h>
#include <string.h>

#include "tests/support/arcade_dialogue.h"
#include "tests/support/suite.h"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void begin_leave(bool wants_partial)
{
    arcade_tool.needs_authorization = true;
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    arcade_dialogue.wants_partial = wants_partial;
    arcade_check_asked(HTTP_POST, "https://arcade.test/v1/tools/authorize",
                       "{\"tool_name\":\"Mail.Send\",\"user_id\":\"acme:ann@example.com\","
                       "\"tool_version\":\"1.2.3\"}");
    ck_assert(arcade_exchange.idempotent);
    ck_assert_str_eq(arcade_exchange.operation, "authorize");
}

START_TEST(who_has_given_leave_goes_on)
{
    begin_leave(false);
    ck_assert_int_eq(arcade_answer(200, COMPLETED), DIALOGUE_EXCHANGE);
    ck_assert_str_eq(arcade_exchange.operation, "execute");
    ck_assert(!arcade_exchange.idempotent);
    ck_assert_int_eq(arcade_answer(200, RAN), DIALOGUE_DONE);
}
END_TEST

START_TEST(who_has_not_learns_where)
{
    begin_leave(false);
    ck_assert_int_eq(arcade_answer(200, PENDING), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
    ck_assert_str_eq(arcade_dialogue.failure.hint, URL);
    ck_assert_ptr_nonnull(strstr(arcade_dialogue.failure.message, "a/1"));
    ck_assert_ptr_null(arcade_dialogue.partial.data);
}
END_TEST

START_TEST(who_waits_is_told_and_then_served)
{
    char bytes[1024];
    begin_leave(true);
    ck_assert_int_eq(arcade_answer(200, PENDING), DIALOGUE_EXCHANGE);
    ck_assert(bytes_equal(arcade_dialogue.partial,
                          arcade_json("{\"code\":\"AUTH_REQUIRED\",\"url\":\"" URL
                                      "\",\"authorization_id\":\"a/1\",\"scopes\":[\"mail\"]}",
                                      bytes, sizeof bytes)));
    arcade_check_asked(HTTP_GET, "https://arcade.test/v1/auth/status?wait=59&id=a%2F1", NULL);
    ck_assert(arcade_exchange.is_poll);
    ck_assert_uint_eq(arcade_exchange.after_ms, 0);
    arcade_dialogue.now_at += 59 * US_PER_S;
    ck_assert_int_eq(arcade_answer(200, PENDING), DIALOGUE_EXCHANGE);
    ck_assert_ptr_null(arcade_dialogue.partial.data); /* told once */
    arcade_check_asked(HTTP_GET, "https://arcade.test/v1/auth/status?wait=40&id=a%2F1", NULL);
    arcade_dialogue.now_at += 5 * US_PER_S;
    ck_assert_int_eq(arcade_answer(200, COMPLETED), DIALOGUE_EXCHANGE);
    ck_assert_str_eq(arcade_exchange.operation, "execute");
    ck_assert(!arcade_exchange.is_poll);
    ck_assert_int_eq(arcade_answer(200, RAN), DIALOGUE_DONE);
    arcade_check_data("{\"n\":1}");
}
END_TEST

START_TEST(a_poll_that_is_answered_at_once_is_not_repeated_at_once)
{
    begin_leave(true);
    ck_assert_int_eq(arcade_answer(200, PENDING), DIALOGUE_EXCHANGE);
    unsigned polls = 0;
    for (; arcade_answer(200, PENDING) == DIALOGUE_EXCHANGE; polls++) {
        ck_assert_uint_eq(arcade_exchange.after_ms, ARCADE_PAUSE_MS);
        arcade_dialogue.now_at += arcade_exchange.after_ms * US_PER_MS;
        ck_assert_int_lt(arcade_dialogue.now_at, arcade_dialogue.deadline_at);
    }
    ck_assert_uint_le(polls, 100);
    arcade_check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
}
END_TEST

START_TEST(a_user_who_decides_too_late_learns_where)
{
    begin_leave(true);
    ck_assert_int_eq(arcade_answer(200, PENDING), DIALOGUE_EXCHANGE);
    arcade_came.end = HTTP_LATE;
    ck_assert_int_eq(arcade_answer(0, ""), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
    ck_assert_str_eq(arcade_dialogue.failure.hint, URL);
}
END_TEST

START_TEST(a_user_who_refuses_ends_it)
{
    begin_leave(true);
    ck_assert_int_eq(arcade_answer(200, PENDING), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, "{\"id\":\"a/1\",\"status\":\"failed\"}"), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_FORBIDDEN, "FORBIDDEN");
}
END_TEST

START_TEST(leave_that_is_missing_only_at_the_execution_is_asked_for_once)
{
    static const char wanted[] = "{\"success\":false,\"output\":{\"authorization\":" PENDING "}}";
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, wanted), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    arcade_dialogue.wants_partial = true;
    ck_assert_int_eq(arcade_answer(200, wanted), DIALOGUE_EXCHANGE);
    ck_assert(arcade_exchange.is_poll);
    ck_assert_ptr_nonnull(arcade_dialogue.partial.data);
    ck_assert_int_eq(arcade_answer(200, COMPLETED), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, wanted), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
}
END_TEST

START_TEST(an_error_beside_the_missing_leave_does_not_hide_it)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, "{\"success\":false,\"output\":{\"error\":{\"kind\":"
                                        "\"TOOL_REQUIREMENTS_NOT_MET\"},\"authorization\":" PENDING
                                        "}}"),
                     DIALOGUE_FAILED);
    arcade_check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
    ck_assert_str_eq(arcade_dialogue.failure.hint, URL);
}
END_TEST

START_TEST(polls_that_fail_are_asked_again_until_there_are_five_in_a_row)
{
    begin_leave(true);
    ck_assert_int_eq(arcade_answer(200, PENDING), DIALOGUE_EXCHANGE);
    for (unsigned i = 1; i < ARCADE_POLL_FAILURES_MAX; i++) {
        ck_assert_int_eq(arcade_answer(503, ""), DIALOGUE_EXCHANGE);
        ck_assert(arcade_exchange.is_poll);
        ck_assert_uint_eq(arcade_exchange.after_ms, ARCADE_PAUSE_MS);
    }
    ck_assert_int_eq(arcade_answer(200, PENDING), DIALOGUE_EXCHANGE);
    for (unsigned i = 1; i < ARCADE_POLL_FAILURES_MAX; i++)
        ck_assert_int_eq(arcade_answer(503, ""), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(503, ""), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE");
    begin_leave(true);
    ck_assert_int_eq(arcade_answer(200, PENDING), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(401, ""), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, "UPSTREAM_AUTH");
}
END_TEST

START_TEST(a_tool_that_ran_and_failed_is_not_run_again_for_leave)
{
    static const char failed[] = "{\"success\":false,\"output\":{\"error\":{\"kind\":\"UNKNOWN\","
                                 "\"message\":\"no\"},\"authorization\":" PENDING "}}";
    static const char ran[] = "{\"success\":true,\"output\":{\"value\":{\"n\":1},"
                              "\"authorization\":" PENDING "}}";
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    arcade_dialogue.wants_partial = true;
    ck_assert_int_eq(arcade_answer(200, failed), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, "TOOL_FAILED");
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, ran), DIALOGUE_DONE);
    arcade_check_data("{\"n\":1}");
}
END_TEST

/* How a poll may come to nothing, and the wait go on. */
static const struct {
    enum http_end end;
    unsigned status;
    bool goes_on;
    enum status then;
    const char *code;
} losses[] = {
    {HTTP_LOST, 0, true, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {HTTP_NO_CONNECTION, 0, true, STATUS_CIRCUIT_OPEN, "UNAVAILABLE"},
    {HTTP_ANSWERED, 408, true, STATUS_APP_ERROR, "UPSTREAM_TIMEOUT"},
    {HTTP_ANSWERED, 429, true, STATUS_RATE_LIMITED, "RATE_LIMITED"},
    {HTTP_ANSWERED, 503, true, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {HTTP_ANSWERED, 401, false, STATUS_APP_ERROR, "UPSTREAM_AUTH"},
    {HTTP_MALFORMED, 0, false, STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE"},
};

START_TEST(a_lost_poll_does_not_end_the_wait)
{
    begin_leave(true);
    ck_assert_int_eq(arcade_answer(200, PENDING), DIALOGUE_EXCHANGE);
    arcade_dialogue.now_at += 20 * US_PER_S;
    arcade_came.end = losses[_i].end;
    for (unsigned i = 1; i < ARCADE_POLL_FAILURES_MAX && losses[_i].goes_on; i++) {
        ck_assert_int_eq(arcade_answer(losses[_i].status, "{}"), DIALOGUE_EXCHANGE);
        ck_assert(arcade_exchange.is_poll);
        ck_assert_uint_eq(arcade_exchange.after_ms, ARCADE_PAUSE_MS);
    }
    ck_assert_int_eq(arcade_answer(losses[_i].status, "{}"), DIALOGUE_FAILED);
    arcade_check_failure(losses[_i].then, losses[_i].code);
}
END_TEST

START_TEST(a_poll_comes_back_when_it_is_told_to)
{
    arcade_came.headers[0] = (struct http_header){"Retry-After", "7"};
    arcade_came.header_count = 1;
    begin_leave(true);
    ck_assert_int_eq(arcade_answer(200, PENDING), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(429, "{}"), DIALOGUE_EXCHANGE);
    ck_assert_uint_eq(arcade_exchange.after_ms, 7000);
    arcade_came.headers[0].value = "90000";
    ck_assert_int_eq(arcade_answer(429, "{}"), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
}
END_TEST

START_TEST(a_tool_that_needs_leave_needs_a_user)
{
    arcade_tool.needs_authorization = true;
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    arcade_dialogue.user = (struct name){0};
    ck_assert_int_eq(dialect_arcade.begin(&arcade_dialogue, &arcade_exchange), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
}
END_TEST

START_TEST(an_id_stands_escaped_in_an_address)
{
    begin_leave(true);
    ck_assert_int_eq(
        arcade_answer(200,
                      "{\"id\":\"azAZ09-._~ &=%#+/\xc3\xa9\",\"status\":\"pending\",\"url\":\"" URL
                      "\"}"),
        DIALOGUE_EXCHANGE);
    arcade_check_asked(
        HTTP_GET,
        "https://arcade.test/v1/auth/status?wait=59&id=azAZ09-._~%20%26%3D%25%23%2B%2F%C3%A9",
        NULL);
}
END_TEST

START_TEST(an_id_that_is_cut_is_none)
{
    char body[2 * ARCADE_ID_BYTES_MAX + 100], id[ARCADE_ID_BYTES_MAX + 1];
    for (size_t size = ARCADE_ID_BYTES_MAX - 1; size <= ARCADE_ID_BYTES_MAX; size++) {
        memset(id, 'x', size);
        id[size] = '\0';
        (void)snprintf(body, sizeof body,
                       "{\"id\":\"%s\",\"status\":\"pending\",\"url\":\"" URL "\"}", id);
        begin_leave(true);
        bool fits = size < ARCADE_ID_BYTES_MAX;
        ck_assert_int_eq(arcade_answer(200, body), fits ? DIALOGUE_EXCHANGE : DIALOGUE_FAILED);
    }
    arcade_check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
}
END_TEST

/* Not a list of texts: none are named. */
static const char *const scopes[] = {"null", "7", "\"mail\"", "{\"a\":1}", "[7]", "[\"a\",null]"};

START_TEST(scopes_are_texts_or_none)
{
    char body[512], bytes[512];
    (void)snprintf(body, sizeof body,
                   "{\"id\":\"a\",\"status\":\"pending\",\"url\":\"" URL "\",\"scopes\":%s}",
                   scopes[_i]);
    begin_leave(true);
    ck_assert_int_eq(arcade_answer(200, body), DIALOGUE_EXCHANGE);
    ck_assert(bytes_equal(value_find(arcade_dialogue.partial, "scopes"),
                          arcade_json("[]", bytes, sizeof bytes)));
}
END_TEST

START_TEST(scopes_that_do_not_fit_are_not_named)
{
    static char body[ARCADE_SCOPES_BYTES_MAX + 512];
    for (size_t more = 0; more < 2; more++) {
        size_t size = ARCADE_SCOPES_BYTES_MAX - 4 + more; /* of one text, and 4 bytes before it */
        int used =
            snprintf(body, sizeof body,
                     "{\"id\":\"a\",\"status\":\"pending\",\"url\":\"" URL "\",\"scopes\":[\"");
        memset(body + used, 'x', size);
        memcpy(body + used + size, "\"]}", 4);
        begin_leave(true);
        ck_assert_int_eq(arcade_answer(200, body), DIALOGUE_EXCHANGE);
        struct bytes named = value_find(arcade_dialogue.partial, "scopes");
        ck_assert_uint_eq(values_count(named), 1 - more);
    }
}
END_TEST

/* Not an address for people, or none at all: nobody is told to open it. */
static const char *const leaves[] = {
    "{\"id\":\"a\",\"status\":\"pending\"}",
    "{\"id\":\"a\",\"status\":\"pending\",\"url\":\"javascript:alert(1)\"}",
    "{\"id\":\"a\",\"status\":\"pending\",\"url\":\"https://a b\"}",
    "{\"id\":\"a\",\"status\":\"not_started\",\"url\":\"https://a\\n\"}",
    "{\"id\":\"a\",\"status\":\"pending\",\"url\":\"https://a\\u0000b\"}",
    "{\"id\":\"a\",\"status\":\"pending\",\"url\":7}",
};

START_TEST(an_address_that_is_none_is_not_shown)
{
    begin_leave(true);
    ck_assert_int_eq(arcade_answer(200, leaves[_i]), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
    ck_assert_str_eq(arcade_dialogue.failure.hint, "");
    ck_assert_ptr_null(arcade_dialogue.partial.data);
}
END_TEST

START_TEST(an_address_comes_whole_or_not_at_all)
{
    char body[HTTP_URL_BYTES_MAX + 100], url[HTTP_URL_BYTES_MAX + 1];
    static const size_t sizes[] = {256, 257, HTTP_URL_BYTES_MAX - 1, HTTP_URL_BYTES_MAX};
    for (int i = 0; i < COUNT_OF(sizes); i++) {
        memset(url, 'x', sizes[i]);
        memcpy(url, "https://", 8);
        url[sizes[i]] = '\0';
        (void)snprintf(body, sizeof body, "{\"id\":\"a\",\"status\":\"pending\",\"url\":\"%s\"}",
                       url);
        begin_leave(false);
        ck_assert_int_eq(arcade_answer(200, body), DIALOGUE_FAILED);
        ck_assert_int_eq(strcmp(arcade_dialogue.failure.hint, url) == 0, sizes[i] == 256);
        ck_assert_int_eq(strstr(arcade_dialogue.failure.hint, "https://") != NULL, sizes[i] == 256);
        struct bytes told = {0};
        (void)value_text(value_find(arcade_dialogue.details, "url"), &told);
        ck_assert_int_eq(bytes_are(told, url), sizes[i] < HTTP_URL_BYTES_MAX);
        ck_assert_uint_le(arcade_dialogue.details.size, DETAILS_BYTES_MAX);
        begin_leave(true);
        bool fits = sizes[i] < HTTP_URL_BYTES_MAX;
        ck_assert_int_eq(arcade_answer(200, body), fits ? DIALOGUE_EXCHANGE : DIALOGUE_FAILED);
        ck_assert_int_eq(arcade_dialogue.partial.data != NULL, fits);
    }
}
END_TEST

START_TEST(an_authorization_of_no_status_is_no_answer)
{
    begin_leave(true);
    ck_assert_int_eq(arcade_answer(200, "{\"id\":\"a\",\"url\":\"" URL "\"}"), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE");
}
END_TEST

START_TEST(a_tool_that_cannot_be_authorized_is_not_found)
{
    begin_leave(true);
    ck_assert_int_eq(arcade_refuse(404, "{}"), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_BAD_REQUEST, "TOOL_NOT_FOUND");
    begin_leave(true);
    ck_assert_int_eq(arcade_answer(200, PENDING), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_refuse(404, "{}"), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, "UPSTREAM_NOT_FOUND");
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, arcade_set_up, arcade_tear_down);
    tcase_add_test(tcase, who_has_given_leave_goes_on);
    tcase_add_test(tcase, who_has_not_learns_where);
    tcase_add_test(tcase, who_waits_is_told_and_then_served);
    tcase_add_test(tcase, a_poll_that_is_answered_at_once_is_not_repeated_at_once);
    tcase_add_test(tcase, a_user_who_decides_too_late_learns_where);
    tcase_add_test(tcase, a_user_who_refuses_ends_it);
    tcase_add_test(tcase, leave_that_is_missing_only_at_the_execution_is_asked_for_once);
    tcase_add_test(tcase, an_error_beside_the_missing_leave_does_not_hide_it);
    tcase_add_test(tcase, polls_that_fail_are_asked_again_until_there_are_five_in_a_row);
    tcase_add_test(tcase, a_tool_that_ran_and_failed_is_not_run_again_for_leave);
    tcase_add_loop_test(tcase, a_lost_poll_does_not_end_the_wait, 0, COUNT_OF(losses));
    tcase_add_test(tcase, a_poll_comes_back_when_it_is_told_to);
    tcase_add_test(tcase, a_tool_that_needs_leave_needs_a_user);
    tcase_add_test(tcase, an_id_stands_escaped_in_an_address);
    tcase_add_test(tcase, an_id_that_is_cut_is_none);
    tcase_add_loop_test(tcase, scopes_are_texts_or_none, 0, COUNT_OF(scopes));
    tcase_add_test(tcase, scopes_that_do_not_fit_are_not_named);
    tcase_add_loop_test(tcase, an_address_that_is_none_is_not_shown, 0, COUNT_OF(leaves));
    tcase_add_test(tcase, an_address_comes_whole_or_not_at_all);
    tcase_add_test(tcase, an_authorization_of_no_status_is_no_answer);
    tcase_add_test(tcase, a_tool_that_cannot_be_authorized_is_not_found);
}

int main(void)
{
    return suite_run("arcade_leave", add_tests);
}
