/* test_dialect_mcp - a server of either era is found out and asked in its own form, whatever it was
 * before, and what it cannot be asked fails with whose fault it is. */
#include <stdio.h>
#include <string.h>

#include "tests/support/mcp_scene.h"
#include "tests/support/suite.h"

START_TEST(a_stateless_server_is_asked_in_its_form)
{
    const struct turn turns[] = {
        TURN("tools/call", 200, FOUND,
             .headers =
                 "MCP-Protocol-Version: 2026-07-28\nMcp-Method: tools/call\nMcp-Name: search\n"
                 "Content-Type: application/json"),
        {0}};
    mcp_scene_meet_stateless(LISTED);
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{\"q\": \"x\"}");
    ck_assert_ptr_nonnull(dialogue.tool);
    struct exchange exchange;
    ck_assert_int_eq(dialect_mcp.begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
    ck_assert_str_eq(exchange.operation, "execute");
    ck_assert(exchange.idempotent);
    ck_assert_ptr_null(mcp_scene_header(&exchange.http, "Mcp-Session-Id"));
    char body[2048];
    struct bytes request = mcp_scene_json(exchange.http.body.data, body, sizeof body), text;
    struct bytes params = value_find(request, "params"), meta = value_find(params, "_meta");
    ck_assert(value_text(value_find(meta, "io.modelcontextprotocol/protocolVersion"), &text));
    ck_assert(bytes_are(text, "2026-07-28"));
    ck_assert_int_eq(value_kind(value_find(meta, "io.modelcontextprotocol/clientCapabilities")),
                     KIND_MAP);
    ck_assert(value_text(value_find(value_find(params, "arguments"), "q"), &text));
    ck_assert(bytes_are(text, "x"));
    ck_assert_int_eq(mcp_scene_play(turns, &exchange), DIALOGUE_DONE);
    mcp_scene_check_data("{\"n\":1}");
    dialect_mcp.end(&dialogue);
}
END_TEST

START_TEST(a_server_of_sessions_is_opened_and_asked_in_its_form)
{
    const struct turn turns[] = {
        TURN("tools/call", 200, EVENT(FOUND),
             .headers = "MCP-Protocol-Version: 2025-06-18\nMcp-Session-Id: s-1", .is_stream = true),
        {0}};
    mcp_scene_meet_session("s-1");
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{\"q\": \"x\"}");
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_DONE);
    mcp_scene_check_data("{\"n\":1}");
    ck_assert_str_eq(dialogue.tool->version, "1.2.3");
}
END_TEST

START_TEST(a_server_without_a_session_gets_none)
{
    const struct turn turns[] = {TURN("tools/call", 200, FOUND), {0}};
    mcp_scene_meet_session(NULL);
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    struct exchange exchange;
    ck_assert_int_eq(dialect_mcp.begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
    ck_assert_ptr_null(mcp_scene_header(&exchange.http, "Mcp-Session-Id"));
    ck_assert_int_eq(mcp_scene_play(turns, &exchange), DIALOGUE_DONE);
    dialect_mcp.end(&dialogue);
}
END_TEST

/* What a server answers to the first question, and which era that means. */
static const struct {
    struct turn discover;
    enum mcp_era era;
} eras[] = {
    {TURN("x", 200, OK("{}")), MCP_ERA_STATELESS},
    {TURN("x", 200, OK("{\"supportedVersions\":[\"2025-11-25\",\"2026-07-28\"]}")),
     MCP_ERA_STATELESS},
    {TURN("x", 200, OK("{\"supportedVersions\":[\"2025-11-25\"]}")), MCP_ERA_SESSION},
    {TURN("x", 404, ERROR("-32601", "Method not found")), MCP_ERA_STATELESS},
    {TURN("x", 400, ERROR("-32020", "Header mismatch")), MCP_ERA_STATELESS},
    {TURN("x", 400, ERROR("-32021", "Capability")), MCP_ERA_STATELESS},
    {TURN("x", 400, "{\"jsonrpc\":\"2.0\",\"error\":{\"code\":-32020,\"message\":\"\"}}"),
     MCP_ERA_STATELESS},
    {TURN("x", 400,
          "{\"jsonrpc\":\"2.0\",\"id\":$,\"error\":{\"code\":-32022,\"message\":\"\",\"data\":"
          "{\"supported\":[\"2025-06-18\"]}}}"),
     MCP_ERA_SESSION},
    {TURN("x", 400, ERROR("-32600", "Missing session ID")), MCP_ERA_SESSION},
    {TURN("x", 400, ERROR("-32000", "Server not initialized")), MCP_ERA_SESSION},
    {TURN("x", 400, NULL), MCP_ERA_SESSION},
    {TURN("x", 404, "<html>"), MCP_ERA_SESSION},
    {TURN("x", 405, NULL), MCP_ERA_SESSION},
    {TURN("x", 200, ERROR("-32601", "Method not found")), MCP_ERA_SESSION},
    {TURN("x", 200, "not JSON"), MCP_ERA_SESSION},
};

START_TEST(the_first_answer_says_the_era)
{
    struct turn turns[] = {TURN("server/discover", 0, NULL),
                           TURN("initialize", 200, INITIALIZED),
                           TURN("notifications/initialized", 202, NULL),
                           TURN("tools/list", 200, LISTED),
                           {0}};
    turns[0] = eras[_i].discover;
    turns[0].method = "server/discover";
    bool is_stateless = eras[_i].era == MCP_ERA_STATELESS;
    if (is_stateless)
        memmove(&turns[1], &turns[3], 2 * sizeof turns[0]);
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_DONE);
    ck_assert_int_eq(server.era, eras[_i].era);
    ck_assert_uint_eq(imports_count(imports), 1);
}
END_TEST

/* What says nothing about the era: the next dialogue asks again. */
static const struct {
    struct turn discover;
    enum status status;
    const char *code;
} passing[] = {
    {TURN("x", 401, NULL), STATUS_APP_ERROR, "UPSTREAM_AUTH"},
    {TURN("x", 401, ERROR("-32600", "no")), STATUS_APP_ERROR, "UPSTREAM_AUTH"},
    {TURN("x", 403, NULL), STATUS_FORBIDDEN, "FORBIDDEN"},
    {TURN("x", 429, NULL), STATUS_RATE_LIMITED, "RATE_LIMITED"},
    {TURN("x", 503, "<html>"), STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {TURN("x", 500, NULL), STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {TURN("x", 0, NULL, .end = HTTP_NO_CONNECTION, .is_unsent = true), STATUS_CIRCUIT_OPEN,
     "UNAVAILABLE"},
    {TURN("x", 0, NULL, .end = HTTP_TLS, .is_unsent = true), STATUS_CIRCUIT_OPEN, "UNAVAILABLE"},
    {TURN("x", 0, NULL, .end = HTTP_LOST), STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {TURN("x", 0, NULL, .end = HTTP_LATE), STATUS_DEADLINE_RUNNING, "TIMEOUT"},
    {TURN("x", 0, NULL, .end = HTTP_LATE, .is_unsent = true), STATUS_DEADLINE_QUEUED, "TIMEOUT"},
    {TURN("x", 200, NULL, .end = HTTP_TOO_LARGE), STATUS_APP_ERROR, "LIMIT"},
    {TURN("x", 0, NULL, .end = HTTP_MALFORMED), STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE"},
};

START_TEST(what_passes_says_nothing_about_the_era)
{
    struct turn turns[] = {TURN("server/discover", 0, NULL), {0}};
    turns[0] = passing[_i].discover;
    turns[0].method = "server/discover";
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_FAILED);
    mcp_scene_check_failure(passing[_i].status, passing[_i].code, "Docs");
    ck_assert_int_eq(server.era, MCP_ERA_UNKNOWN);
}
END_TEST

START_TEST(a_server_that_speaks_nothing_of_ours_says_so)
{
    const struct turn stateless[] = {
        TURN("server/discover", 200, OK("{\"supportedVersions\":[\"2027-01-01\"]}")), {0}};
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(stateless), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE", "speaks no version");
    const struct turn sessions[] = {
        TURN("server/discover", 400, NULL),
        TURN("initialize", 200, OK("{\"protocolVersion\":\"2020-01-01\"}")),
        {0}};
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(sessions), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE", "speaks no version");
    ck_assert_int_eq(server.era, MCP_ERA_UNKNOWN);
}
END_TEST

START_TEST(a_session_that_is_no_plain_text_is_refused)
{
    char longest[MCP_SESSION_BYTES_MAX + 1];
    memset(longest, 's', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    const char *const sessions[] = {"a b", "\xc3\xa9", longest};
    for (size_t i = 0; i < sizeof sessions / sizeof sessions[0]; i++) {
        const struct turn turns[] = {TURN("server/discover", 400, NULL),
                                     TURN("initialize", 200, INITIALIZED, .session = sessions[i]),
                                     {0}};
        mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
        ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_FAILED);
        mcp_scene_check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE", "session");
    }
    longest[sizeof longest - 2] = '\0';
    mcp_scene_meet_session(longest);
    ck_assert_str_eq(server.session, longest);
}
END_TEST

START_TEST(a_session_that_is_lost_is_opened_anew_once)
{
    const struct turn turns[] = {
        TURN("tools/call", 404, ERROR("-32600", "Session not found"),
             .headers = "Mcp-Session-Id: session-1"),
        TURN("initialize", 200, INITIALIZED, .session = "s-2"),
        TURN("notifications/initialized", 202, NULL, .headers = "Mcp-Session-Id: s-2"),
        TURN("tools/call", 200, FOUND, .headers = "Mcp-Session-Id: s-2"),
        {0}};
    mcp_scene_meet_session("session-1");
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_DONE);
    const struct turn again[] = {TURN("tools/call", 404, NULL),
                                 TURN("initialize", 200, INITIALIZED, .session = "s-3"),
                                 TURN("notifications/initialized", 202, NULL),
                                 TURN("tools/call", 404, NULL),
                                 {0}};
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(mcp_scene_run(again), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST", "404");
}
END_TEST

START_TEST(what_is_not_acknowledged_is_no_session)
{
    const struct turn refused[] = {TURN("server/discover", 400, NULL),
                                   TURN("initialize", 200, INITIALIZED, .session = "s-1"),
                                   TURN("notifications/initialized", 400, NULL),
                                   {0}};
    const struct turn lost[] = {refused[0],
                                refused[1],
                                TURN("notifications/initialized", 202, NULL, .end = HTTP_LOST),
                                {0}};
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(refused), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST", "400");
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(lost), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE", "Docs");
    ck_assert(!server.is_open);
    ck_assert_str_eq(server.session, "");
}
END_TEST

START_TEST(a_session_that_another_dialogue_opened_is_used)
{
    struct exchange exchange;
    const struct turn lost[] = {TURN("tools/call", 404, NULL, .headers = "Mcp-Session-Id: s-1"),
                                {0}};
    const struct turn next[] = {TURN("tools/call", 200, FOUND, .headers = "Mcp-Session-Id: s-2"),
                                {0}};
    mcp_scene_meet_session("s-1");
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(dialect_mcp.begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
    server.opened++; /* by another, while this one waits */
    strcpy(server.session, "s-2");
    ck_assert_int_eq(mcp_scene_play(lost, &exchange), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(mcp_scene_play(next, &exchange), DIALOGUE_DONE);
    dialect_mcp.end(&dialogue);
}
END_TEST

/* What a stateless server may say to a request of before. */
static const struct turn strange[] = {
    TURN("tools/call", 400, ERROR("-32020", "Mcp-Method is missing")),
    TURN("tools/call", 400, ERROR("-32602", "_meta is missing")),
    TURN("tools/call", 400, ERROR("-32022", "Unsupported")),
    TURN("tools/call", 405, NULL),
};

START_TEST(a_server_of_sessions_that_became_stateless_is_found_out)
{
    const struct turn turns[] = {
        strange[_i],
        TURN("server/discover", 200, DISCOVERED),
        TURN("tools/call", 200, FOUND, .headers = "Mcp-Method: tools/call"),
        {0}};
    mcp_scene_meet_session("s-1");
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_DONE);
    ck_assert_int_eq(server.era, MCP_ERA_STATELESS);
}
END_TEST

START_TEST(arguments_that_a_stateless_server_refuses_are_sent_once)
{
    const struct turn turns[] = {TURN("tools/call", 400, ERROR("-32602", "Unknown tool")), {0}};
    mcp_scene_meet_stateless(LISTED);
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "Unknown tool");
}
END_TEST

START_TEST(a_stateless_server_that_became_one_of_sessions_is_found_out)
{
    const struct turn turns[] = {
        TURN("tools/call", 400, ERROR("-32600", "Missing session ID")),
        TURN("server/discover", 400, ERROR("-32600", "Missing session ID")),
        TURN("initialize", 200, INITIALIZED, .session = "s-1"),
        TURN("notifications/initialized", 202, NULL),
        TURN("tools/call", 200, FOUND, .headers = "Mcp-Session-Id: s-1"),
        {0}};
    mcp_scene_meet_stateless(LISTED);
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_DONE);
    ck_assert_int_eq(server.era, MCP_ERA_SESSION);
}
END_TEST

START_TEST(a_version_that_is_not_taken_any_more_is_chosen_anew_once)
{
    const struct turn turns[] = {TURN("tools/call", 400, ERROR("-32022", "Unsupported")),
                                 TURN("server/discover", 200, DISCOVERED),
                                 TURN("tools/call", 400, ERROR("-32022", "Unsupported")),
                                 {0}};
    mcp_scene_meet_stateless(LISTED);
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST", "Unsupported");
}
END_TEST

START_TEST(marks_that_are_not_the_servers_any_more_are_read_again_once)
{
    const char *old = OK("{\"tools\":[" MARKED("Old") "]}");
    const char *new = OK("{\"tools\":[" MARKED("New") "]}");
    const struct turn turns[] = {
        TURN("tools/call", 400, ERROR("-32020", "Header mismatch"), .headers = "Mcp-Param-Old: x"),
        TURN("tools/list", 200, new),
        TURN("tools/call", 200, FOUND, .headers = "Mcp-Param-New: x"),
        {0}};
    mcp_scene_meet_stateless(old);
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{\"q\": \"x\"}");
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_DONE);
    const struct turn again[] = {TURN("tools/call", 400, ERROR("-32020", "Header mismatch")),
                                 TURN("tools/list", 200, new),
                                 TURN("tools/call", 400, ERROR("-32020", "Header mismatch")),
                                 {0}};
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{\"q\": \"x\"}");
    ck_assert_int_eq(mcp_scene_run(again), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST", "Header mismatch");
}
END_TEST

START_TEST(a_tool_that_is_gone_from_the_list_is_not_found)
{
    const struct turn turns[] = {TURN("tools/call", 400, ERROR("-32020", "Header mismatch")),
                                 TURN("tools/list", 200, OK("{\"tools\":[]}")),
                                 {0}};
    mcp_scene_meet_stateless(LISTED);
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_BAD_REQUEST, "TOOL_NOT_FOUND", "Docs");
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(mcp_scene_run(&turns[2]), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_BAD_REQUEST, "TOOL_NOT_FOUND", "Docs");
}
END_TEST

#define TWO_MARKS                                                                                  \
    OK("{\"tools\":[{\"name\":\"search\",\"inputSchema\":{\"type\":\"object\",\"properties\":{"    \
       "\"q\":{\"type\":\"string\",\"x-mcp-header\":\"Q\"},\"n\":{\"type\":\"integer\","           \
       "\"x-mcp-header\":\"N\"},\"r\":{\"type\":\"string\",\"x-mcp-header\":\"R\"}}}}]}")

START_TEST(each_marked_argument_goes_with_the_call)
{
    const struct turn turns[] = {
        TURN("tools/call", 200, FOUND, .headers = "Mcp-Param-Q: x\nMcp-Param-N: 7\nMcp-Param-R: y"),
        {0}};
    mcp_scene_meet_stateless(TWO_MARKS);
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{\"q\": \"x\", \"n\": 7, \"r\": \"y\"}");
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_DONE);
}
END_TEST

START_TEST(marked_arguments_that_are_too_long_together_are_the_callers_fault)
{
    static char text[3 * MCP_HEADER_VALUE_BYTES_MAX];
    const struct turn none[] = {{0}};
    const struct turn turns[] = {TURN("tools/call", 200, FOUND), {0}};
    mcp_scene_meet_stateless(TWO_MARKS);
    for (int more = 0; more <= 1; more++) {
        int size = (int)MCP_MARKS_BYTES_MAX / 2 - 13; /* a name, and both their ends */
        snprintf(text, sizeof text, "{\"q\": \"%0*d\", \"r\": \"%0*d\"}", size, 0, size + more, 0);
        mcp_scene_begin(DIALOGUE_CALL, "Docs_search", text);
        ck_assert_int_eq(mcp_scene_run(more == 0 ? turns : none),
                         more == 0 ? DIALOGUE_DONE : DIALOGUE_FAILED);
    }
    mcp_scene_check_failure(STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "Mcp-Param-R");
}
END_TEST

START_TEST(what_may_be_repeated_is_said_of_each_exchange)
{
    struct exchange exchange;
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(dialect_mcp.begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
    ck_assert(exchange.idempotent);
    dialect_mcp.end(&dialogue);
    for (int trusted = 0; trusted <= 1; trusted++) {
        remote.is_trusted = trusted == 1;
        server = (struct mcp_server){.era = MCP_ERA_UNKNOWN};
        mcp_scene_meet_stateless(LISTED);
        mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
        ck_assert_int_eq(dialect_mcp.begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
        ck_assert_int_eq(exchange.idempotent, trusted);
        dialect_mcp.end(&dialogue);
    }
}
END_TEST

START_TEST(an_argument_that_fits_no_header_is_the_callers_fault)
{
    static char text[MCP_HEADER_VALUE_BYTES_MAX + 16];
    const struct turn none[] = {{0}};
    mcp_scene_meet_stateless(OK("{\"tools\":[" MARKED("Q") "]}"));
    snprintf(text, sizeof text, "{\"q\": \"%0*d\"}", (int)MCP_HEADER_VALUE_BYTES_MAX, 0);
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", text);
    ck_assert_int_eq(mcp_scene_run(none), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "Mcp-Param-Q");
}
END_TEST

START_TEST(the_key_goes_with_each_request_and_is_gone_afterwards)
{
    const struct turn turns[] = {
        TURN("server/discover", 200, DISCOVERED, .headers = "Authorization: Bearer sesame"),
        TURN("tools/list", 200, LISTED, .headers = "Authorization: Bearer sesame"),
        {0}};
    strcpy(remote.secret, "sesame");
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_DONE);
    for (size_t i = 0; i < sizeof talk.authorization; i++)
        ck_assert_int_eq(talk.authorization[i], 0);
}
END_TEST

START_TEST(health_is_one_exchange_of_the_era)
{
    const struct turn first[] = {TURN("server/discover", 200, DISCOVERED), {0}};
    mcp_scene_begin(DIALOGUE_HEALTH, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(first), DIALOGUE_DONE);
    mcp_scene_begin(DIALOGUE_HEALTH, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(first), DIALOGUE_DONE);
    server = (struct mcp_server){.era = MCP_ERA_UNKNOWN};
    mcp_scene_meet_session("s-1");
    const struct turn ping[] = {TURN("ping", 200, OK("{}"), .headers = "Mcp-Session-Id: s-1"), {0}};
    mcp_scene_begin(DIALOGUE_HEALTH, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(ping), DIALOGUE_DONE);
    const struct turn unknown[] = {TURN("ping", 200, ERROR("-32601", "no ping")), {0}};
    mcp_scene_begin(DIALOGUE_HEALTH, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(unknown), DIALOGUE_DONE);
    const struct turn down[] = {TURN("ping", 503, NULL), {0}};
    mcp_scene_begin(DIALOGUE_HEALTH, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(down), DIALOGUE_FAILED);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, mcp_scene_set_up, mcp_scene_tear_down);
    tcase_add_test(tcase, a_stateless_server_is_asked_in_its_form);
    tcase_add_test(tcase, a_server_of_sessions_is_opened_and_asked_in_its_form);
    tcase_add_test(tcase, a_server_without_a_session_gets_none);
    tcase_add_loop_test(tcase, the_first_answer_says_the_era, 0, sizeof eras / sizeof eras[0]);
    tcase_add_loop_test(tcase, what_passes_says_nothing_about_the_era, 0,
                        sizeof passing / sizeof passing[0]);
    tcase_add_test(tcase, a_server_that_speaks_nothing_of_ours_says_so);
    tcase_add_test(tcase, a_session_that_is_no_plain_text_is_refused);
    tcase_add_test(tcase, a_session_that_is_lost_is_opened_anew_once);
    tcase_add_test(tcase, a_session_that_another_dialogue_opened_is_used);
    tcase_add_loop_test(tcase, a_server_of_sessions_that_became_stateless_is_found_out, 0,
                        sizeof strange / sizeof strange[0]);
    tcase_add_test(tcase, arguments_that_a_stateless_server_refuses_are_sent_once);
    tcase_add_test(tcase, a_stateless_server_that_became_one_of_sessions_is_found_out);
    tcase_add_test(tcase, a_version_that_is_not_taken_any_more_is_chosen_anew_once);
    tcase_add_test(tcase, marks_that_are_not_the_servers_any_more_are_read_again_once);
    tcase_add_test(tcase, a_tool_that_is_gone_from_the_list_is_not_found);
    tcase_add_test(tcase, what_is_not_acknowledged_is_no_session);
    tcase_add_test(tcase, each_marked_argument_goes_with_the_call);
    tcase_add_test(tcase, marked_arguments_that_are_too_long_together_are_the_callers_fault);
    tcase_add_test(tcase, what_may_be_repeated_is_said_of_each_exchange);
    tcase_add_test(tcase, an_argument_that_fits_no_header_is_the_callers_fault);
    tcase_add_test(tcase, the_key_goes_with_each_request_and_is_gone_afterwards);
    tcase_add_test(tcase, health_is_one_exchange_of_the_era);
}

int main(void)
{
    return suite_run("dialect_mcp", add_tests);
}
