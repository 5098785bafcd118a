/* test_mcp_tools - a call's answer becomes data, or a failure that says whose fault it is; a list
 * becomes tools of ours when it is whole, and what its tools say of themselves is not believed of
 * everybody. */
#include <stdio.h>
#include <string.h>

#include "tests/support/mcp_scene.h"
#include "tests/support/suite.h"

/* Results and failures of a call. */
#define PAGES_MAX (MCP_PAGES_MAX + 1)

#define GIVES(body, value)                                                                         \
    {                                                                                              \
        .answer = (body), .data = (value)                                                          \
    }
#define FAILS(body, what, name, part)                                                              \
    {                                                                                              \
        .answer = (body), .status = (what), .code = (name), .text = (part)                         \
    }

static const struct {
    const char *answer, *data; /* data NULL: a failure */
    enum status status;
    const char *code, *text;
} results[] = {
    GIVES(OK("{\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}"),
          "[{\"type\":\"text\",\"text\":\"a\"}]"),
    GIVES(OK("{\"structuredContent\":[1,2.5,null],\"content\":[]}"), "[1,2.5,null]"),
    GIVES(OK("{\"structuredContent\":7}"), "7"),
    GIVES(OK("{\"structuredContent\":null,\"content\":[]}"), "[]"),
    GIVES(OK("{}"), "null"),
    GIVES(OK("{\"isError\":false,\"content\":[]}"), "[]"),
    FAILS(
        OK("{\"isError\":true,\"content\":[{\"type\":\"text\",\"text\":\"a\"},{\"type\":\"image\"},"
           "{\"type\":\"text\",\"text\":\"b\"}]}"),
        STATUS_APP_ERROR, "TOOL_FAILED", "a\nb"),
    FAILS(OK("{\"isError\":true,\"content\":7}"), STATUS_APP_ERROR, "TOOL_FAILED", "not say why"),
    FAILS(OK("{\"resultType\":\"input_required\",\"inputRequests\":{}}"), STATUS_APP_ERROR,
          "INPUT_REQUIRED", "asks for input"),
    FAILS(OK("{\"resultType\":\"task\"}"), STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE", "type"),
    FAILS(ERROR("-32602", "Unknown tool"), STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "Unknown tool"),
    FAILS(ERROR("-32601", "no"), STATUS_BAD_REQUEST, "TOOL_NOT_FOUND", "no"),
    FAILS(ERROR("-32021", "needs sampling"), STATUS_APP_ERROR, "INPUT_REQUIRED", "sampling"),
    FAILS(ERROR("-32603", "broken"), STATUS_APP_ERROR, "TOOL_FAILED", "broken (-32603)"),
    FAILS("", STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE", "no answer"),
    FAILS("<html>", STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE", "no answer"),
    FAILS("{\"jsonrpc\":\"2.0\",\"id\":0,\"result\":{}}", STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE",
          "no answer"),
    FAILS("{\"jsonrpc\":\"2.0\",\"id\":$,\"method\":\"roots/list\"}", STATUS_APP_ERROR,
          "UPSTREAM_BAD_RESPONSE", "no answer"),
};

static void check_result(size_t row, const char *body, bool is_stream)
{
    const struct turn turns[] = {TURN("tools/call", 200, body, .is_stream = is_stream), {0}};
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    enum dialogue_next next = mcp_scene_run(turns);
    ck_assert_int_eq(next, results[row].data != NULL ? DIALOGUE_DONE : DIALOGUE_FAILED);
    if (results[row].data != NULL)
        mcp_scene_check_data(results[row].data);
    else
        mcp_scene_check_failure(results[row].status, results[row].code, results[row].text);
}

START_TEST(a_result_is_data_or_says_whose_fault_it_is)
{
    char body[1024];
    mcp_scene_meet_stateless(LISTED);
    check_result((size_t)_i, results[_i].answer, false);
    snprintf(body, sizeof body, ": hello\n\nevent: message\ndata: %s\n\n", results[_i].answer);
    check_result((size_t)_i, body, true);
    snprintf(body, sizeof body,
             "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n"
             "data: {\"jsonrpc\":\"2.0\",\"id\":999999,\"result\":{}}\n\n"
             "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n\ndata: x\n\ndata: %s\n\n",
             results[_i].answer);
    check_result((size_t)_i, body, true);
}
END_TEST

static const struct {
    unsigned http;
    enum status status;
    const char *code;
} http_statuses[] = {
    {300, STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
    {401, STATUS_APP_ERROR, "UPSTREAM_AUTH"},
    {403, STATUS_FORBIDDEN, "FORBIDDEN"},
    {418, STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
    {429, STATUS_RATE_LIMITED, "RATE_LIMITED"},
    {500, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {503, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
};

START_TEST(an_http_status_says_whose_fault_it_is_whatever_stands_below)
{
    const char *const bodies[] = {"", "<html>"};
    mcp_scene_meet_stateless(LISTED);
    for (size_t i = 0; i < 2; i++) {
        const struct turn turns[] = {TURN("tools/call", http_statuses[_i].http, bodies[i]), {0}};
        mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
        ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_FAILED);
        mcp_scene_check_failure(http_statuses[_i].status, http_statuses[_i].code, "Docs");
    }
    ck_assert_uint_eq(dialogue.failure.retry_after_ms, http_statuses[_i].http == 429 ? 1000 : 0);
}
END_TEST

START_TEST(a_stream_is_done_with_its_answer_whatever_follows)
{
    struct exchange exchange;
    struct http_response came;
    enum dialogue_next next = DIALOGUE_FAILED;
    const struct turn turn = TURN("tools/call", 200, "", .is_stream = true);
    mcp_scene_meet_stateless(LISTED);
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(dialect_mcp.begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
    mcp_scene_respond(&turn, &came);
    char *body = mcp_scene_body(EVENT(FOUND) "data: more and more");
    came.body = bytes_of(body);
    ck_assert(dialect_mcp.piece(&dialogue, &came, &next));
    ck_assert_int_eq(next, DIALOGUE_DONE);
    mcp_scene_check_data("{\"n\":1}");
    dialect_mcp.end(&dialogue);
    free(body);
}
END_TEST

#define PROGRESS(token, rest)                                                                      \
    EVENT("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{"                \
          "\"progressToken\":" token rest "}}")

/* Only that of our request, of several the last; the answer may come in the same piece. */
START_TEST(progress_is_told_as_a_part)
{
    static const struct {
        const char *body, *part;
    } rows[] = {
        {PROGRESS("$", ",\"progress\":0.5"), "{\"progress\":0.5}"},
        {PROGRESS("$", ",\"progress\":1,\"total\":4,\"message\":\"so far\""),
         "{\"progress\":1.0,\"total\":4.0,\"message\":\"so far\"}"},
        {PROGRESS("$", ",\"progress\":1") PROGRESS("$", ",\"progress\":2"), "{\"progress\":2.0}"},
        {PROGRESS("$", ",\"progress\":3") EVENT(FOUND), "{\"progress\":3.0}"},
        {PROGRESS("999", ",\"progress\":1"), NULL},
        {PROGRESS("\"$\"", ",\"progress\":1"), NULL},
        {PROGRESS("$", ",\"progress\":\"much\""), NULL},
        {PROGRESS("$", ""), NULL},
        {EVENT("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}"), NULL},
        {EVENT("{\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":[]}"), NULL},
    };
    const struct turn turn = TURN("tools/call", 200, "", .is_stream = true);
    mcp_scene_meet_stateless(LISTED);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct exchange exchange;
        struct http_response came;
        enum dialogue_next next;
        char json[256];
        mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
        ck_assert_int_eq(dialect_mcp.begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
        mcp_scene_respond(&turn, &came);
        char *body = mcp_scene_body(rows[i].body);
        came.body = bytes_of(body);
        (void)dialect_mcp.piece(&dialogue, &came, &next);
        ck_assert_msg((dialogue.partial.data != NULL) == (rows[i].part != NULL), "row %zu", i);
        if (rows[i].part != NULL)
            ck_assert(
                bytes_equal(dialogue.partial, mcp_scene_json(rows[i].part, json, sizeof json)));
        dialogue.partial = (struct bytes){0};
        dialect_mcp.end(&dialogue);
        free(body);
    }
}
END_TEST

START_TEST(a_call_says_whether_it_wants_progress_and_what_trace_it_is_of)
{
    struct exchange exchange;
    char token[64];
    mcp_scene_meet_stateless(LISTED);
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(dialect_mcp.begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
    ck_assert_ptr_null(strstr(exchange.http.body.data, "progressToken"));
    ck_assert_ptr_null(strstr(exchange.http.body.data, "traceparent"));
    dialect_mcp.end(&dialogue);
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    dialogue.wants_partial = dialogue.has_trace = true;
    for (size_t i = 0; i < TRACE_BYTES; i++)
        dialogue.trace[i] = (char)(0xe0 + i);
    ck_assert_int_eq(dialect_mcp.begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
    snprintf(token, sizeof token, "\"progressToken\":%lld", (long long)talk.id);
    ck_assert_ptr_nonnull(strstr(exchange.http.body.data, token));
    ck_assert_ptr_nonnull(
        strstr(exchange.http.body.data,
               "\"traceparent\":\"00-e0e1e2e3e4e5e6e7e8e9eaebecedeeef-f0f1f2f3f4f5f6f7-f8\""));
    dialect_mcp.end(&dialogue);
}
END_TEST

START_TEST(each_cut_of_a_stream_is_an_answer_that_is_lost)
{
    const char *body = EVENT(FOUND);
    mcp_scene_meet_stateless(LISTED);
    for (size_t size = 0; size < strlen(body) - 2; size++) {
        char cut[512];
        snprintf(cut, sizeof cut, "%.*s", (int)size, body);
        const struct turn turns[] = {
            TURN("tools/call", 200, cut, .end = HTTP_LOST, .is_stream = true), {0}};
        mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
        ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_FAILED);
        mcp_scene_check_failure(STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE", "Docs");
    }
    const struct turn whole[] = {TURN("tools/call", 200, body, .end = HTTP_LOST, .is_stream = true),
                                 {0}};
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(mcp_scene_run(whole), DIALOGUE_DONE);
}
END_TEST

START_TEST(a_repeated_exchange_begins_from_the_start)
{
    struct exchange exchange;
    struct http_response came;
    enum dialogue_next next;
    const struct turn turn = TURN("tools/call", 200, FOUND);
    mcp_scene_meet_stateless(LISTED);
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(dialect_mcp.begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
    mcp_scene_respond(&turn, &came);
    came.body = bytes_of("{\"jsonrpc\":\"2.0\",\"id");
    ck_assert(!dialect_mcp.piece(&dialogue, &came, &next));
    ck_assert_int_eq(mcp_scene_play(&turn, &exchange), DIALOGUE_DONE);
    dialect_mcp.end(&dialogue);
}
END_TEST

START_TEST(a_result_that_does_not_fit_a_reply_is_no_result)
{
    static char body[400000];
    mcp_scene_meet_stateless(LISTED);
    int used = snprintf(body, sizeof body,
                        "{\"jsonrpc\":\"2.0\",\"id\":$,\"result\":{\"structuredContent\":\"");
    memset(body + used, 'x', RESULT_BYTES_MAX);
    strcpy(body + used + RESULT_BYTES_MAX, "\"}}");
    const struct turn large[] = {TURN("tools/call", 200, body), {0}};
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(mcp_scene_run(large), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_APP_ERROR, "LIMIT", "192 KiB");
    strcpy(body + used + RESULT_BYTES_MAX - 5, "\"}}");
    const struct turn fits[] = {TURN("tools/call", 200, body), {0}};
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(mcp_scene_run(fits), DIALOGUE_DONE);
    for (unsigned more = 0; more <= 1; more++) {
        used = snprintf(body, sizeof body,
                        "{\"jsonrpc\":\"2.0\",\"id\":$,\"result\":{\"structuredContent\":");
        for (unsigned i = 0; i < MCP_DATA_NESTING_MAX + more; i++)
            body[used++] = '[';
        for (unsigned i = 0; i < MCP_DATA_NESTING_MAX + more; i++)
            body[used++] = ']';
        strcpy(body + used, "}}");
        const struct turn deep[] = {TURN("tools/call", 200, body), {0}};
        mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
        ck_assert_int_eq(mcp_scene_run(deep), more == 0 ? DIALOGUE_DONE : DIALOGUE_FAILED);
    }
    mcp_scene_check_failure(STATUS_APP_ERROR, "LIMIT", "too deep");
}
END_TEST

START_TEST(an_answer_larger_than_a_mebibyte_is_refused)
{
    static char body[HTTP_BODY_BYTES_MAX + 16];
    mcp_scene_meet_stateless(LISTED);
    memset(body, ' ', sizeof body - 1);
    for (int more = 0; more <= 1; more++) {
        size_t size = HTTP_BODY_BYTES_MAX + (size_t)more;
        const char answer[] = "{\"jsonrpc\":\"2.0\",\"id\":$,\"result\":{}}";
        memmove(body, answer, sizeof answer - 1);
        body[size] = '\0';
        const struct turn turns[] = {TURN("tools/call", 200, body), {0}};
        mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
        ck_assert_int_eq(mcp_scene_run(turns), more == 0 ? DIALOGUE_DONE : DIALOGUE_FAILED);
        body[size] = ' ';
    }
    mcp_scene_check_failure(STATUS_APP_ERROR, "LIMIT", "1 MiB");
    for (size_t i = 0; i < 5; i++)
        body[i] = "data:"[i];
    const struct turn event[] = {TURN("tools/call", 200, body, .is_stream = true), {0}};
    mcp_scene_begin(DIALOGUE_CALL, "Docs_search", "{}");
    ck_assert_int_eq(mcp_scene_run(event), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_APP_ERROR, "LIMIT", "1 MiB");
}
END_TEST

/* A list of so many pages, each with a tool of its own; the last names the cursor that is given. */
static enum dialogue_next list_pages(unsigned pages, const char *last_cursor)
{
    static char bodies[PAGES_MAX][512];
    struct turn turns[PAGES_MAX] = {{0}};
    for (unsigned i = 0; i < pages; i++) {
        char cursor[100] = "";
        if (i + 1 < pages)
            snprintf(cursor, sizeof cursor, ",\"nextCursor\":\"c%u\"", i + 1);
        else if (last_cursor != NULL)
            snprintf(cursor, sizeof cursor, ",\"nextCursor\":\"%s\"", last_cursor);
        snprintf(bodies[i], sizeof bodies[i],
                 OK("{\"tools\":[{\"name\":\"t%u\",\"inputSchema\":{\"type\":\"object\"}}]%s}"), i,
                 cursor);
        turns[i] = (struct turn)TURN("tools/list", 200, bodies[i]);
    }
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    return mcp_scene_run(turns);
}

START_TEST(a_list_is_read_to_its_last_page)
{
    mcp_scene_meet_stateless(LISTED);
    ck_assert_int_eq(list_pages(1, NULL), DIALOGUE_DONE);
    ck_assert_int_eq(list_pages(3, ""), DIALOGUE_DONE);
    ck_assert_uint_eq(imports_count(imports), 3);
    ck_assert_ptr_null(imports_find(imports, bytes_of("Docs_search")));
    ck_assert_ptr_nonnull(imports_find(imports, bytes_of("Docs_t2")));
    ck_assert_int_eq(list_pages(MCP_PAGES_MAX, NULL), DIALOGUE_DONE);
    ck_assert_uint_eq(imports_count(imports), MCP_PAGES_MAX);
}
END_TEST

START_TEST(a_list_that_does_not_end_leaves_what_was_known)
{
    mcp_scene_meet_stateless(LISTED);
    ck_assert_int_eq(list_pages(MCP_PAGES_MAX, "c100"), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_APP_ERROR, "LIMIT", "100 pages");
    ck_assert_int_eq(list_pages(5, "c2"), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE", "go round");
    ck_assert_int_eq(list_pages(2, "c1"), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE", "go round");
    const struct turn broken[] = {
        TURN("tools/list", 200, OK("{\"tools\":[],\"nextCursor\":\"x\"}")),
        TURN("tools/list", 0, NULL, .end = HTTP_LOST),
        {0}};
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(broken), DIALOGUE_FAILED);
    const struct turn none[] = {TURN("tools/list", 200, OK("{\"tools\":7}")), {0}};
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(none), DIALOGUE_FAILED);
    ck_assert_uint_eq(imports_count(imports), 1);
    ck_assert_ptr_nonnull(imports_find(imports, bytes_of("Docs_search")));
}
END_TEST

START_TEST(a_list_larger_than_its_bound_is_refused)
{
    static char pages[10][HTTP_BODY_BYTES_MAX];
    struct turn turns[11] = {{0}};
    mcp_scene_meet_stateless(LISTED);
    for (size_t i = 0; i < 9; i++) {
        int used = snprintf(pages[i], sizeof pages[i],
                            "{\"jsonrpc\":\"2.0\",\"id\":$,\"result\":{\"tools\":[],"
                            "\"nextCursor\":\"%zu\",\"x\":\"",
                            i);
        memset(pages[i] + used, 'x', 1000000);
        snprintf(pages[i] + used + 1000000, 10, "\"}}");
        turns[i] = (struct turn)TURN("tools/list", 200, pages[i]);
    }
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_FAILED);
    mcp_scene_check_failure(STATUS_APP_ERROR, "LIMIT", "8 MiB");
    ck_assert_uint_eq(imports_count(imports), 1);
}
END_TEST

START_TEST(a_cursor_that_is_too_long_ends_the_list)
{
    static char cursor[MCP_CURSOR_BYTES_MAX + 1], body[2 * MCP_CURSOR_BYTES_MAX];
    mcp_scene_meet_stateless(LISTED);
    for (unsigned more = 0; more <= 1; more++) {
        memset(cursor, 'c', MCP_CURSOR_BYTES_MAX - 1 + more);
        snprintf(body, sizeof body, OK("{\"tools\":[],\"nextCursor\":\"%s\"}"), cursor);
        const struct turn turns[] = {TURN("tools/list", 200, body), {0}};
        const struct turn two[] = {turns[0], TURN("tools/list", 200, OK("{\"tools\":[]}")), {0}};
        mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
        ck_assert_int_eq(mcp_scene_run(more == 0 ? two : turns),
                         more == 0 ? DIALOGUE_DONE : DIALOGUE_FAILED);
    }
    mcp_scene_check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE", "too long");
}
END_TEST

START_TEST(a_list_is_fresh_for_as_long_as_its_server_says)
{
    const struct turn none[] = {{0}};
    const struct turn pages[] = {
        TURN("tools/list", 200, OK("{\"tools\":[],\"ttlMs\":5000,\"nextCursor\":\"c\"}")),
        TURN("tools/list", 200, OK("{\"tools\":[],\"ttlMs\":2000}")),
        {0}};
    const struct turn longest[] = {
        TURN("tools/list", 200, OK("{\"tools\":[],\"ttlMs\":99999999999999}")), {0}};
    mcp_scene_meet_stateless(LISTED);
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(pages), DIALOGUE_DONE);
    int64_t listed_at = dialogue.now_at;
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    dialogue.now_at = listed_at + 2 * US_PER_S - 1;
    ck_assert_int_eq(mcp_scene_run(none), DIALOGUE_DONE);
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    dialogue.now_at = listed_at + 2 * US_PER_S;
    ck_assert_int_eq(mcp_scene_run(longest), DIALOGUE_DONE);
    ck_assert_int_eq(server.fresh_until_at,
                     dialogue.now_at + (int64_t)MCP_LIST_TTL_MS_MAX * US_PER_MS);
}
END_TEST

START_TEST(what_a_tool_says_of_itself_counts_only_from_a_trusted_server)
{
    for (int trusted = 0; trusted <= 1; trusted++) {
        remote.is_trusted = trusted == 1;
        server = (struct mcp_server){.era = MCP_ERA_UNKNOWN};
        mcp_scene_meet_stateless(LISTED);
        const struct remote_tool *tool = imports_find(imports, bytes_of("Docs_search"));
        ck_assert_ptr_nonnull(tool);
        ck_assert_int_eq(tool->read_only, trusted);
        ck_assert_int_eq(tool->idempotent, trusted);
        ck_assert_int_eq(tool->cacheable, trusted);
        ck_assert_uint_eq(tool->ttl_ms, trusted ? MCP_ANSWER_TTL_MS : 0);
        ck_assert_str_eq(tool->description, "Finds.");
        ck_assert_str_eq(tool->remote_name, "search");
    }
}
END_TEST

START_TEST(a_tool_that_cannot_be_offered_leaves_the_others)
{
    mcp_scene_meet_stateless(
        OK("{\"tools\":[" SEARCH ",{\"name\":\"bad\",\"inputSchema\":{\"type\":"
           "\"object\",\"properties\":{\"a\":{\"type\":\"number\",\"x-mcp-header\":"
           "\"A\"}}}},{\"name\":\"none\"},7,{\"inputSchema\":{}},{\"name\":\"far\",\"inputSchema\":"
           "{\"properties\":{\"a\":{\"\\u0024ref\":\"http://x/\"}}}},{\"inputSchema\":{}}]}"));
    ck_assert_uint_eq(imports_count(imports), 1);
    ck_assert_uint_eq(remote.refused, 6);
    ck_assert_ptr_nonnull(strstr(remote.refusal, "no name"));
}
END_TEST

START_TEST(why_a_tool_is_not_offered_is_text_however_long_its_name)
{
    char name[256] = "", body[1024];
    for (int i = 0; i < 127; i++)
        memcpy(name + 2 * i, "\xc3\xa9", 3);
    for (int more = 0; more <= 1; more++) {
        snprintf(body, sizeof body, OK("{\"tools\":[{\"name\":\"%s%s\"}]}"), more ? "x" : "", name);
        server = (struct mcp_server){.era = MCP_ERA_UNKNOWN};
        mcp_scene_meet_stateless(body);
        ck_assert_uint_eq(remote.refused, 1);
        ck_assert(cursor_is_utf8(bytes_of(remote.refusal)));
        ck_assert_uint_ge(strlen(remote.refusal), sizeof remote.refusal - 2);
    }
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    const struct turn turns[] = {TURN("tools/list", 200, LISTED), {0}};
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_DONE);
    ck_assert_uint_eq(remote.refused, 0);
}
END_TEST

START_TEST(a_mark_means_nothing_to_a_server_of_sessions)
{
    const struct turn turns[] = {TURN("server/discover", 400, NULL),
                                 TURN("initialize", 200, INITIALIZED),
                                 TURN("notifications/initialized", 202, NULL),
                                 TURN("tools/list", 200, OK("{\"tools\":[" MARKED("a b") "]}")),
                                 {0}};
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_DONE);
    ck_assert_uint_eq(imports_count(imports), 1);
}
END_TEST

static void add_result_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_result_is_data_or_says_whose_fault_it_is, 0,
                        sizeof results / sizeof results[0]);
    tcase_add_loop_test(tcase, an_http_status_says_whose_fault_it_is_whatever_stands_below, 0,
                        sizeof http_statuses / sizeof http_statuses[0]);
    tcase_add_test(tcase, a_stream_is_done_with_its_answer_whatever_follows);
    tcase_add_test(tcase, progress_is_told_as_a_part);
    tcase_add_test(tcase, a_call_says_whether_it_wants_progress_and_what_trace_it_is_of);
    tcase_add_test(tcase, each_cut_of_a_stream_is_an_answer_that_is_lost);
    tcase_add_test(tcase, a_repeated_exchange_begins_from_the_start);
    tcase_add_test(tcase, a_result_that_does_not_fit_a_reply_is_no_result);
    tcase_add_test(tcase, an_answer_larger_than_a_mebibyte_is_refused);
}

static void add_list_tests(TCase *tcase)
{
    tcase_add_test(tcase, a_list_is_read_to_its_last_page);
    tcase_add_test(tcase, a_list_that_does_not_end_leaves_what_was_known);
    tcase_add_test(tcase, a_list_larger_than_its_bound_is_refused);
    tcase_add_test(tcase, a_cursor_that_is_too_long_ends_the_list);
    tcase_add_test(tcase, a_list_is_fresh_for_as_long_as_its_server_says);
    tcase_add_test(tcase, what_a_tool_says_of_itself_counts_only_from_a_trusted_server);
    tcase_add_test(tcase, a_tool_that_cannot_be_offered_leaves_the_others);
    tcase_add_test(tcase, why_a_tool_is_not_offered_is_text_however_long_its_name);
    tcase_add_test(tcase, a_mark_means_nothing_to_a_server_of_sessions);
}

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, mcp_scene_set_up, mcp_scene_tear_down);
    add_result_tests(tcase);
    add_list_tests(tcase);
}

int main(void)
{
    return suite_run("mcp_tools", add_tests);
}
