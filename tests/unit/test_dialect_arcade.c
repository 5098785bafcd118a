/* test_dialect_arcade - what is asked of Arcade, byte for byte, and what its answers mean to the
 * one who called: each row of the table, the user's leave, lists of pages, and bytes that are no
 * answer at all. */
#include <stdio.h>
#include <string.h>

#include "actors/arcade_gateway/arcade_talk.h"
#include "actors/arcade_gateway/repeat.h"
#include "actors/runtime/json_text.h"
#include "protocol/limits.h"
#include "tests/support/suite.h"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define NOW_AT (50 * US_PER_S)
#define KEY "arc_key_of_the_test"
#define URL "https://example.com/leave?x=1"
#define PENDING "{\"id\":\"a/1\",\"status\":\"pending\",\"url\":\"" URL "\",\"scopes\":[\"mail\"]}"
#define COMPLETED "{\"id\":\"a/1\",\"status\":\"completed\"}"
#define RAN "{\"success\":true,\"output\":{\"value\":{\"n\":1}}}"

static struct arcade_server server;
static struct arcade_talk talk;
static struct remote remote;
static struct remote_tool tool;
static struct dialogue dialogue;
static struct exchange exchange;
static struct http_response came;
static char data[RESULT_BYTES_MAX], deps[1024], arguments[4096];

static struct bytes json(const char *text, char *out, size_t size)
{
    struct writer writer;
    struct json_fault fault;
    writer_init(&writer, out, size);
    ck_assert_msg(json_text_read(bytes_of(text), BODY_NESTING_MAX, &writer, &fault), "%s: %s", text,
                  fault.reason);
    return writer_bytes(&writer);
}

static void setup(void)
{
    memset(&server, 0, sizeof server);
    remote = (struct remote){.name = "Arcade",
                             .url = "https://arcade.test",
                             .secret = KEY,
                             .is_trusted = true,
                             .imports = imports_new(),
                             .memory = &server};
    tool = (struct remote_tool){
        .name = "Arcade_Mail_Send", .remote_name = "Mail.Send", .version = "1.2.3"};
    came = (struct http_response){.end = HTTP_ANSWERED, .sent = true, .status = 200};
    dialogue.state = &talk;
}

static void teardown(void)
{
    dialect_arcade.end(&dialogue);
    imports_destroy(&remote.imports);
}

static enum dialogue_next begin(enum dialogue_purpose purpose)
{
    dialect_arcade.end(&dialogue);
    memset(&talk, 0, sizeof talk);
    dialogue = (struct dialogue){.dialect = &dialect_arcade,
                                 .state = &talk,
                                 .purpose = purpose,
                                 .remote = &remote,
                                 .tool = &tool,
                                 .arguments = json("{\"to\":\"ann\"}", arguments, sizeof arguments),
                                 .tenant = name_of(bytes_of("acme")),
                                 .user = name_of(bytes_of("ann@example.com")),
                                 .now_at = NOW_AT,
                                 .deadline_at = NOW_AT + 100 * US_PER_S};
    writer_init(&dialogue.data, data, sizeof data);
    writer_init(&dialogue.deps, deps, sizeof deps);
    return dialect_arcade.begin(&dialogue, &exchange);
}

/* Answer with a body, exactly so long: a byte too far is seen. */
static enum dialogue_next answer_bytes(struct bytes body)
{
    char *exact = malloc(body.size > 0 ? body.size : 1);
    memcpy(exact, body.data, body.size);
    came.body = (struct bytes){exact, body.size};
    enum dialogue_next next = dialect_arcade.take(&dialogue, &came, &exchange);
    free(exact);
    return next;
}

static enum dialogue_next answer(unsigned status, const char *body)
{
    came.status = status;
    return answer_bytes(bytes_of(body));
}

static void check_failure(enum status status, const char *code)
{
    ck_assert_msg(dialogue.failure.status == status && strcmp(dialogue.failure.code, code) == 0,
                  "%d %s (%s), not %d %s", dialogue.failure.status, dialogue.failure.code,
                  dialogue.failure.message, status, code);
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < exchange.http.header_count; i++)
        if (strcmp(exchange.http.headers[i].name, name) == 0)
            return exchange.http.headers[i].value;
    return NULL;
}

static void check_asked(enum http_method method, const char *url, const char *body)
{
    struct bytes sent = exchange.http.body;
    ck_assert_int_eq(exchange.http.method, method);
    ck_assert_str_eq(exchange.http.url, url);
    ck_assert_str_eq(header("Authorization"), "Bearer " KEY);
    ck_assert_uint_eq(exchange.http.redirects_max, 0); /* the key goes nowhere else */
    ck_assert_int_eq(sent.data != NULL, body != NULL);
    if (body != NULL)
        ck_assert_msg(bytes_are(sent, body), "%.*s", (int)sent.size, sent.data);
}

static void check_data(const char *text)
{
    char bytes[4096];
    struct bytes wanted = json(text, bytes, sizeof bytes);
    ck_assert_msg(bytes_equal(writer_bytes(&dialogue.data), wanted), "not %s", text);
}

START_TEST(an_execution_says_tool_version_user_and_input)
{
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    check_asked(HTTP_POST, "https://arcade.test/v1/tools/execute",
                "{\"tool_name\":\"Mail.Send\",\"user_id\":\"acme:ann@example.com\","
                "\"tool_version\":\"1.2.3\",\"input\":{\"to\":\"ann\"}}");
    ck_assert_str_eq(header("Content-Type"), "application/json");
    ck_assert_str_eq(exchange.operation, "execute");
    ck_assert(!exchange.idempotent);
    ck_assert(!exchange.is_poll);
    ck_assert_int_eq(answer(200, RAN), DIALOGUE_DONE);
    check_data("{\"n\":1}");
}
END_TEST

START_TEST(a_version_that_is_not_known_is_not_asked_for)
{
    (void)snprintf(tool.version, sizeof tool.version, "%s", ARCADE_VERSION_UNKNOWN);
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_ptr_null(
        memmem(exchange.http.body.data, exchange.http.body.size, "tool_version", 12));
}
END_TEST

START_TEST(what_may_run_twice_says_so)
{
    tool.idempotent = true;
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert(exchange.idempotent);
    tool.idempotent = false;
    tool.read_only = true;
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert(exchange.idempotent);
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
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    dialogue.tenant = name_of(bytes_of(users[_i].tenant));
    dialogue.user = name_of(bytes_of(users[_i].user));
    ck_assert_int_eq(dialect_arcade.begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
    ck_assert_str_eq(talk.user, users[_i].id);
    for (int other = 0; other < COUNT_OF(users); other++)
        ck_assert(other == _i || strcmp(users[other].id, users[_i].id) != 0);
}
END_TEST

START_TEST(the_longest_names_fit)
{
    char longest[NAME_BYTES_MAX];
    memset(longest, ':', sizeof longest);
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    dialogue.tenant = name_of((struct bytes){longest, sizeof longest});
    dialogue.user = dialogue.tenant;
    ck_assert_int_eq(dialect_arcade.begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
    ck_assert_uint_eq(strlen(talk.user), 4u * NAME_BYTES_MAX + 1);
    dialogue.tenant = (struct name){0};
    ck_assert_int_eq(dialect_arcade.begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
    ck_assert_uint_eq(strlen(talk.user), 3u * NAME_BYTES_MAX);
}
END_TEST

START_TEST(without_a_key_nothing_is_sent)
{
    static const enum dialogue_purpose purposes[] = {DIALOGUE_CALL, DIALOGUE_LIST, DIALOGUE_HEALTH};
    remote.secret[0] = '\0';
    for (int i = 0; i < COUNT_OF(purposes); i++) {
        ck_assert_int_eq(begin(purposes[i]), DIALOGUE_FAILED);
        check_failure(STATUS_CIRCUIT_OPEN, "UNAVAILABLE");
        ck_assert_uint_gt(dialogue.failure.retry_after_ms, 0);
    }
}
END_TEST

START_TEST(a_tool_that_is_gone_is_not_found)
{
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    dialogue.tool = NULL;
    ck_assert_int_eq(dialect_arcade.begin(&dialogue, &exchange), DIALOGUE_FAILED);
    check_failure(STATUS_BAD_REQUEST, "TOOL_NOT_FOUND");
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
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, body), DIALOGUE_FAILED);
    check_failure(kinds[_i].status, kinds[_i].code);
    ck_assert_str_eq(dialogue.failure.message, "so it is");
    ck_assert_uint_eq(dialogue.failure.retry_after_ms, 1500);
    ck_assert_str_eq(dialogue.failure.hint, "Again in 1500 ms.");
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
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(codes[_i].code, "{\"name\":\"x\",\"message\":\"so it is\"}"),
                     DIALOGUE_FAILED);
    check_failure(codes[_i].status, codes[_i].name);
    ck_assert_ptr_nonnull(strstr(dialogue.failure.message, "so it is"));
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(codes[_i].code, "<html>"), DIALOGUE_FAILED);
    check_failure(codes[_i].status, codes[_i].name);
}
END_TEST

START_TEST(too_many_says_when_to_come_back)
{
    came.headers[0] = (struct http_header){"retry-after", "7"};
    came.header_count = 1;
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(429, "{}"), DIALOGUE_FAILED);
    ck_assert_uint_eq(dialogue.failure.retry_after_ms, 7000);
    came.header_count = 0;
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(429, "{}"), DIALOGUE_FAILED);
    ck_assert_uint_gt(dialogue.failure.retry_after_ms, 0);
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
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    came.end = ends[_i].end;
    came.sent = ends[_i].sent;
    ck_assert_int_eq(answer(0, ""), DIALOGUE_FAILED);
    check_failure(ends[_i].status, ends[_i].code);
    ck_assert_int_eq(dialogue.failure.retry_after_ms > 0, ends[_i].status == STATUS_CIRCUIT_OPEN);
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
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, odd[_i].body), DIALOGUE_FAILED);
    check_failure(STATUS_APP_ERROR, odd[_i].code);
    ck_assert_uint_eq(dialogue.data.used, 0);
}
END_TEST

START_TEST(each_cut_of_an_answer_is_none)
{
    for (size_t size = 0; size < sizeof RAN - 1; size++) {
        ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
        ck_assert_int_eq(answer_bytes((struct bytes){RAN, size}), DIALOGUE_FAILED);
        check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE");
    }
}
END_TEST

START_TEST(a_success_without_a_value_is_nil)
{
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, "{\"success\":true,\"output\":{\"logs\":[]}}"), DIALOGUE_DONE);
    check_data("null");
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
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    return answer(200, strcat(body, "}}"));
}

START_TEST(a_result_may_be_so_deep_and_no_deeper)
{
    ck_assert_int_eq(answer_deep(ARCADE_DATA_NESTING_MAX), DIALOGUE_DONE);
    ck_assert_int_eq(answer_deep(ARCADE_DATA_NESTING_MAX + 1), DIALOGUE_FAILED);
    check_failure(STATUS_APP_ERROR, "LIMIT");
    ck_assert_int_eq(answer_deep(ARCADE_NESTING_MAX + 1), DIALOGUE_FAILED);
    check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE");
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
        ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
        ck_assert_int_eq(answer(200, body), more == 0 ? DIALOGUE_DONE : DIALOGUE_FAILED);
    }
    check_failure(STATUS_APP_ERROR, "LIMIT");
}
END_TEST

START_TEST(our_key_is_in_no_failure)
{
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(400, "{\"message\":\"bad: Bearer " KEY ", " KEY "\"}"),
                     DIALOGUE_FAILED);
    ck_assert_ptr_null(strstr(dialogue.failure.message, KEY));
    ck_assert_ptr_nonnull(strstr(dialogue.failure.message, "bad: Bearer *"));
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200,
                            "{\"success\":false,\"output\":{\"error\":{\"kind\":\"UNKNOWN\","
                            "\"message\":\"" KEY "\",\"additional_prompt_content\":\"" KEY "\"}}}"),
                     DIALOGUE_FAILED);
    ck_assert_ptr_null(strstr(dialogue.failure.message, KEY));
    ck_assert_ptr_null(strstr(dialogue.failure.hint, KEY));
}
END_TEST

#define AGAIN(after)                                                                               \
    "{\"success\":false,\"output\":{\"error\":{\"kind\":\"TOOL_RUNTIME_RETRY\",\"can_retry\":"     \
    "true,"                                                                                        \
    "\"message\":\"once more\",\"additional_prompt_content\":\"say please\"" after "}}}"

START_TEST(a_tool_that_wants_to_be_asked_again_is_twice)
{
    tool.idempotent = true;
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    for (unsigned i = 0; i < REPEATS_MAX; i++) {
        ck_assert_int_eq(answer(200, AGAIN("")), DIALOGUE_EXCHANGE);
        ck_assert(exchange.is_repeat);
        ck_assert_str_eq(exchange.operation, "execute");
        ck_assert_uint_ge(exchange.after_ms, 375u << i);
        ck_assert_uint_le(exchange.after_ms, 500u << i);
    }
    ck_assert_int_eq(answer(200, AGAIN("")), DIALOGUE_FAILED);
    check_failure(STATUS_APP_ERROR, "UPSTREAM_RETRY");
    ck_assert_str_eq(dialogue.failure.hint, "say please");
}
END_TEST

START_TEST(it_says_after_how_long_itself)
{
    tool.idempotent = true;
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, AGAIN(",\"retry_after_ms\":2500")), DIALOGUE_EXCHANGE);
    ck_assert_uint_eq(exchange.after_ms, 2500);
    ck_assert_int_eq(answer(200, RAN), DIALOGUE_DONE);
    ck_assert_int_eq(dialogue.failure.status, STATUS_OK);
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, AGAIN(",\"retry_after_ms\":60000")), DIALOGUE_FAILED);
    check_failure(STATUS_APP_ERROR, "UPSTREAM_RETRY");
    ck_assert_uint_eq(dialogue.failure.retry_after_ms, 60000);
}
END_TEST

START_TEST(where_there_is_no_time_to_repeat_the_first_answer_counts)
{
    tool.idempotent = true;
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, AGAIN("")), DIALOGUE_EXCHANGE);
    came.end = HTTP_LATE;
    came.sent = false;
    ck_assert_int_eq(answer(0, ""), DIALOGUE_FAILED);
    check_failure(STATUS_APP_ERROR, "UPSTREAM_RETRY");
    came.end = HTTP_ANSWERED;
    came.sent = true;
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    dialogue.deadline_at = dialogue.now_at + 2500 * US_PER_MS;
    ck_assert_int_eq(answer(200, AGAIN(",\"retry_after_ms\":2500")), DIALOGUE_FAILED);
}
END_TEST

START_TEST(what_may_do_harm_is_not_done_twice)
{
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, AGAIN("")), DIALOGUE_FAILED);
    check_failure(STATUS_APP_ERROR, "UPSTREAM_RETRY");
}
END_TEST

/* --- the user's leave --- */

static void begin_leave(bool wants_partial)
{
    tool.needs_authorization = true;
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    dialogue.wants_partial = wants_partial;
    check_asked(HTTP_POST, "https://arcade.test/v1/tools/authorize",
                "{\"tool_name\":\"Mail.Send\",\"user_id\":\"acme:ann@example.com\","
                "\"tool_version\":\"1.2.3\"}");
    ck_assert(exchange.idempotent);
    ck_assert_str_eq(exchange.operation, "authorize");
}

START_TEST(who_has_given_leave_goes_on)
{
    begin_leave(false);
    ck_assert_int_eq(answer(200, COMPLETED), DIALOGUE_EXCHANGE);
    ck_assert_str_eq(exchange.operation, "execute");
    ck_assert(!exchange.idempotent);
    ck_assert_int_eq(answer(200, RAN), DIALOGUE_DONE);
}
END_TEST

START_TEST(who_has_not_learns_where)
{
    begin_leave(false);
    ck_assert_int_eq(answer(200, PENDING), DIALOGUE_FAILED);
    check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
    ck_assert_str_eq(dialogue.failure.hint, URL);
    ck_assert_ptr_nonnull(strstr(dialogue.failure.message, "a/1"));
    ck_assert_ptr_null(dialogue.partial.data);
}
END_TEST

START_TEST(who_waits_is_told_and_then_served)
{
    char bytes[1024];
    begin_leave(true);
    ck_assert_int_eq(answer(200, PENDING), DIALOGUE_EXCHANGE);
    ck_assert(
        bytes_equal(dialogue.partial, json("{\"code\":\"AUTH_REQUIRED\",\"url\":\"" URL
                                           "\",\"authorization_id\":\"a/1\",\"scopes\":[\"mail\"]}",
                                           bytes, sizeof bytes)));
    check_asked(HTTP_GET, "https://arcade.test/v1/auth/status?wait=59&id=a%2F1", NULL);
    ck_assert(exchange.is_poll);
    ck_assert_uint_eq(exchange.after_ms, 0);
    dialogue.now_at += 59 * US_PER_S;
    ck_assert_int_eq(answer(200, PENDING), DIALOGUE_EXCHANGE);
    ck_assert_ptr_null(dialogue.partial.data); /* told once */
    check_asked(HTTP_GET, "https://arcade.test/v1/auth/status?wait=40&id=a%2F1", NULL);
    dialogue.now_at += 5 * US_PER_S;
    ck_assert_int_eq(answer(200, COMPLETED), DIALOGUE_EXCHANGE);
    ck_assert_str_eq(exchange.operation, "execute");
    ck_assert(!exchange.is_poll);
    ck_assert_int_eq(answer(200, RAN), DIALOGUE_DONE);
    check_data("{\"n\":1}");
}
END_TEST

START_TEST(a_poll_that_is_answered_at_once_is_not_repeated_at_once)
{
    begin_leave(true);
    ck_assert_int_eq(answer(200, PENDING), DIALOGUE_EXCHANGE);
    unsigned polls = 0;
    for (; answer(200, PENDING) == DIALOGUE_EXCHANGE; polls++) {
        ck_assert_uint_eq(exchange.after_ms, ARCADE_PAUSE_MS);
        dialogue.now_at += exchange.after_ms * US_PER_MS;
        ck_assert_int_lt(dialogue.now_at, dialogue.deadline_at);
    }
    ck_assert_uint_le(polls, 100);
    check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
}
END_TEST

START_TEST(a_user_who_decides_too_late_learns_where)
{
    begin_leave(true);
    ck_assert_int_eq(answer(200, PENDING), DIALOGUE_EXCHANGE);
    came.end = HTTP_LATE;
    ck_assert_int_eq(answer(0, ""), DIALOGUE_FAILED);
    check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
    ck_assert_str_eq(dialogue.failure.hint, URL);
}
END_TEST

START_TEST(a_user_who_refuses_ends_it)
{
    begin_leave(true);
    ck_assert_int_eq(answer(200, PENDING), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, "{\"id\":\"a/1\",\"status\":\"failed\"}"), DIALOGUE_FAILED);
    check_failure(STATUS_FORBIDDEN, "FORBIDDEN");
}
END_TEST

START_TEST(leave_that_is_missing_only_at_the_execution_is_asked_for_once)
{
    static const char wanted[] = "{\"success\":false,\"output\":{\"authorization\":" PENDING "}}";
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, wanted), DIALOGUE_FAILED);
    check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    dialogue.wants_partial = true;
    ck_assert_int_eq(answer(200, wanted), DIALOGUE_EXCHANGE);
    ck_assert(exchange.is_poll);
    ck_assert_ptr_nonnull(dialogue.partial.data);
    ck_assert_int_eq(answer(200, COMPLETED), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, wanted), DIALOGUE_FAILED);
    check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
}
END_TEST

START_TEST(a_tool_that_needs_leave_needs_a_user)
{
    tool.needs_authorization = true;
    ck_assert_int_eq(begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    dialogue.user = (struct name){0};
    ck_assert_int_eq(dialect_arcade.begin(&dialogue, &exchange), DIALOGUE_FAILED);
    check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
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
    ck_assert_int_eq(answer(200, leaves[_i]), DIALOGUE_FAILED);
    check_failure(STATUS_FORBIDDEN, "AUTH_REQUIRED");
    ck_assert_str_eq(dialogue.failure.hint, "");
    ck_assert_ptr_null(dialogue.partial.data);
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
        ck_assert_int_eq(answer(200, body), DIALOGUE_FAILED);
        ck_assert_int_eq(strcmp(dialogue.failure.hint, url) == 0, sizes[i] == 256);
        ck_assert_int_eq(strstr(dialogue.failure.hint, "https://") != NULL, sizes[i] == 256);
        begin_leave(true);
        bool fits = sizes[i] < HTTP_URL_BYTES_MAX;
        ck_assert_int_eq(answer(200, body), fits ? DIALOGUE_EXCHANGE : DIALOGUE_FAILED);
        ck_assert_int_eq(dialogue.partial.data != NULL, fits);
    }
}
END_TEST

START_TEST(an_authorization_of_no_status_is_no_answer)
{
    begin_leave(true);
    ck_assert_int_eq(answer(200, "{\"id\":\"a\",\"url\":\"" URL "\"}"), DIALOGUE_FAILED);
    check_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE");
}
END_TEST

START_TEST(a_tool_that_cannot_be_authorized_is_not_found)
{
    begin_leave(true);
    ck_assert_int_eq(answer(404, "{}"), DIALOGUE_FAILED);
    check_failure(STATUS_BAD_REQUEST, "TOOL_NOT_FOUND");
    begin_leave(true);
    ck_assert_int_eq(answer(200, PENDING), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(404, "{}"), DIALOGUE_FAILED);
    check_failure(STATUS_APP_ERROR, "UPSTREAM_NOT_FOUND");
}
END_TEST

/* --- lists --- */

#define DEFINITION(name, parameters, more)                                                         \
    "{\"qualified_name\":\"" name "\",\"description\":\"Does it.\",\"toolkit\":{\"version\":"      \
    "\"1.0.2\"},\"input\":{\"parameters\":[" parameters "]}" more "}"
#define PAGE(items, total) "{\"items\":[" items "],\"total_count\":" total "}"

static const struct remote_tool *find(const char *name)
{
    return imports_find(remote.imports, bytes_of(name));
}

#define SENDS                                                                                      \
    ",\"requirements\":{\"authorization\":{\"provider_id\":\"x\"}},"                               \
    "\"metadata\":{\"behavior\":{\"idempotent\":true,\"read_only\":false}}"
#define READS                                                                                      \
    ",\"requirements\":{\"authorization\":null},\"metadata\":{\"behavior\":{\"read_only\":true}}"
#define BOTH DEFINITION("Mail.Send", "", SENDS) "," DEFINITION("Math.Add", "", READS)

START_TEST(a_definition_becomes_a_tool)
{
    ck_assert_int_eq(begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    check_asked(HTTP_GET, "https://arcade.test/v1/tools?limit=100&offset=0", NULL);
    ck_assert_int_eq(answer(200, PAGE(BOTH, "2")), DIALOGUE_DONE);
    const struct remote_tool *send = find("Arcade_Mail_Send"), *add = find("Arcade_Math_Add");
    ck_assert_ptr_nonnull(send);
    ck_assert_ptr_nonnull(add);
    ck_assert_str_eq(send->remote_name, "Mail.Send");
    ck_assert_str_eq(send->version, "1.0.2");
    ck_assert_str_eq(send->description, "Does it.");
    ck_assert_str_eq(send->scope, "user");
    ck_assert(send->needs_authorization);
    ck_assert(send->idempotent);
    ck_assert(!send->read_only);
    ck_assert(!send->cacheable);
    ck_assert(!add->needs_authorization);
    ck_assert(add->read_only);
    ck_assert(add->idempotent);
    ck_assert(add->cacheable);
    ck_assert_uint_gt(add->ttl_ms, 0);
}
END_TEST

#define PARAMETER(required, schema)                                                                \
    "{\"name\":\"p\",\"required\":" required ",\"value_schema\":{" schema "}}"

/* Of one parameter p; as canonical JSON: keys in order. */
static const struct {
    const char *parameter, *schema;
} parameters[] = {
    {PARAMETER("true", "\"val_type\":\"string\""), "{\"type\":\"string\"}"},
    {PARAMETER("false", "\"val_type\":\"string\""), "{\"type\":[\"string\",\"null\"]}"},
    {PARAMETER("true", "\"val_type\":\"integer\""), "{\"type\":\"integer\"}"},
    {PARAMETER("true", "\"val_type\":\"number\""), "{\"type\":\"number\"}"},
    {PARAMETER("true", "\"val_type\":\"boolean\""), "{\"type\":\"boolean\"}"},
    {PARAMETER("true", "\"val_type\":\"json\""), "{}"},
    {PARAMETER("true", "\"val_type\":\"hologram\""), "{}"},
    {PARAMETER("true", ""), "{}"},
    {PARAMETER("true", "\"val_type\":\"string\",\"enum\":[\"a\",\"b\"]"),
     "{\"enum\":[\"a\",\"b\"],\"type\":\"string\"}"},
    {PARAMETER("false", "\"val_type\":\"string\",\"enum\":[\"a\"]"),
     "{\"enum\":[\"a\",null],\"type\":[\"string\",\"null\"]}"},
    {PARAMETER("true", "\"val_type\":\"string\",\"enum\":[]"), "{\"type\":\"string\"}"},
    {PARAMETER("true", "\"val_type\":\"string\",\"enum\":[1]"), "{\"type\":\"string\"}"},
    {PARAMETER("true", "\"val_type\":\"integer\",\"enum\":[\"1\"]"), "{\"type\":\"integer\"}"},
    {PARAMETER("true", "\"val_type\":\"array\",\"inner_val_type\":\"integer\""),
     "{\"items\":{\"type\":\"integer\"},\"type\":\"array\"}"},
    {PARAMETER("true", "\"val_type\":\"array\",\"inner_val_type\":\"string\",\"enum\":[\"a\"]"),
     "{\"items\":{\"enum\":[\"a\"],\"type\":\"string\"},\"type\":\"array\"}"},
    {PARAMETER("true", "\"val_type\":\"array\",\"inner_val_type\":\"json\""),
     "{\"items\":{},\"type\":\"array\"}"},
    {PARAMETER("true", "\"val_type\":\"array\",\"inner_val_type\":\"array\""),
     "{\"items\":{},\"type\":\"array\"}"},
    {PARAMETER("true", "\"val_type\":\"array\""), "{\"items\":{},\"type\":\"array\"}"},
};

START_TEST(a_parameter_becomes_a_schema)
{
    char page[1024], bytes[1024];
    (void)snprintf(page, sizeof page, PAGE(DEFINITION("Math.Add", "%s", ""), "1"),
                   parameters[_i].parameter);
    ck_assert_int_eq(begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, page), DIALOGUE_DONE);
    const struct remote_tool *found = find("Arcade_Math_Add");
    ck_assert_msg(found != NULL, "%s", server.refusal);
    struct bytes properties = value_find(found->parameters, "properties");
    ck_assert_msg(
        bytes_equal(value_find(properties, "p"), json(parameters[_i].schema, bytes, sizeof bytes)),
        "%s", parameters[_i].schema);
    bool is_open = true;
    ck_assert(value_bool(value_find(found->parameters, "additionalProperties"), &is_open));
    ck_assert(!is_open);
    bool is_required = strstr(parameters[_i].parameter, "\"required\":true") != NULL;
    ck_assert_uint_eq(values_count(value_find(found->parameters, "required")), is_required);
}
END_TEST

static const char *const bad_definitions[] = {
    "7",
    "{}",
    "{\"qualified_name\":\"\"}",
    "{\"qualified_name\":7}",
    "{\"qualified_name\":\"a\\u0000b\"}",
    "{\"qualified_name\":\"A.B\",\"input\":{\"parameters\":{}}}",
    "{\"qualified_name\":\"A.B\",\"input\":{\"parameters\":[7]}}",
    "{\"qualified_name\":\"A.B\",\"input\":{\"parameters\":[{\"name\":\"p\"},{\"name\":\"p\"}]}}",
};

START_TEST(a_definition_that_is_none_is_counted_and_the_rest_is_taken)
{
    char page[1024];
    (void)snprintf(page, sizeof page, PAGE("%s," DEFINITION("Math.Add", "", ""), "2"),
                   bad_definitions[_i]);
    ck_assert_int_eq(begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, page), DIALOGUE_DONE);
    ck_assert_uint_eq(server.refused, 1);
    ck_assert_str_ne(server.refusal, "");
    ck_assert_uint_eq(imports_count(remote.imports), 1);
    ck_assert_ptr_nonnull(find("Arcade_Math_Add"));
}
END_TEST

START_TEST(a_list_is_read_to_its_end)
{
    ck_assert_int_eq(begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(
        answer(200, PAGE(DEFINITION("A.A", "", "") "," DEFINITION("A.B", "", ""), "3")),
        DIALOGUE_EXCHANGE);
    check_asked(HTTP_GET, "https://arcade.test/v1/tools?limit=100&offset=2", NULL);
    ck_assert_uint_eq(imports_count(remote.imports), 0); /* not before it is whole */
    ck_assert_int_eq(answer(200, PAGE(DEFINITION("A.C", "", ""), "3")), DIALOGUE_DONE);
    ck_assert_uint_eq(imports_count(remote.imports), 3);
}
END_TEST

START_TEST(only_some_toolkits_are_asked_for)
{
    (void)snprintf(server.toolkits, sizeof server.toolkits, " Math,  Mail & Co,\tX");
    ck_assert_int_eq(begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    check_asked(HTTP_GET, "https://arcade.test/v1/tools?limit=100&offset=0&toolkit=Math", NULL);
    ck_assert_int_eq(answer(200, PAGE(DEFINITION("Math.A", "", ""), "2")), DIALOGUE_EXCHANGE);
    check_asked(HTTP_GET, "https://arcade.test/v1/tools?limit=100&offset=1&toolkit=Math", NULL);
    ck_assert_int_eq(answer(200, PAGE(DEFINITION("Math.B", "", ""), "2")), DIALOGUE_EXCHANGE);
    check_asked(HTTP_GET, "https://arcade.test/v1/tools?limit=100&offset=0&toolkit=Mail", NULL);
    ck_assert_int_eq(answer(200, PAGE("", "0")), DIALOGUE_EXCHANGE);
    check_asked(HTTP_GET, "https://arcade.test/v1/tools?limit=100&offset=0&toolkit=%26", NULL);
    ck_assert_int_eq(answer(200, PAGE("", "0")), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, PAGE("", "0")), DIALOGUE_EXCHANGE);
    check_asked(HTTP_GET, "https://arcade.test/v1/tools?limit=100&offset=0&toolkit=X", NULL);
    ck_assert_int_eq(answer(200, "{\"items\":null}"), DIALOGUE_DONE);
    ck_assert_uint_eq(imports_count(remote.imports), 2);
}
END_TEST

START_TEST(a_list_that_breaks_off_leaves_what_was_known)
{
    ck_assert_int_eq(begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, PAGE(DEFINITION("A.A", "", ""), "1")), DIALOGUE_DONE);
    ck_assert_int_eq(begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, PAGE(DEFINITION("A.B", "", ""), "2")), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(500, ""), DIALOGUE_FAILED);
    ck_assert_uint_eq(imports_count(remote.imports), 1);
    ck_assert_ptr_nonnull(find("Arcade_A_A"));
    ck_assert_int_eq(begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, PAGE("", "0")), DIALOGUE_DONE);
    ck_assert_uint_eq(imports_count(remote.imports), 0);
}
END_TEST

START_TEST(a_list_without_end_is_given_up)
{
    ck_assert_int_eq(begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    for (unsigned i = 1; i < ARCADE_PAGES_MAX; i++)
        ck_assert_int_eq(answer(200, PAGE(DEFINITION("A.A", "", ""), "100000")), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, PAGE(DEFINITION("A.A", "", ""), "100000")), DIALOGUE_FAILED);
    check_failure(STATUS_APP_ERROR, "LIMIT");
    ck_assert_uint_eq(imports_count(remote.imports), 0);
}
END_TEST

START_TEST(an_empty_page_ends_a_list_whatever_it_claims)
{
    ck_assert_int_eq(begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(answer(200, PAGE("", "100000")), DIALOGUE_DONE);
}
END_TEST

START_TEST(pages_hold_so_much_together)
{
    static char page[HTTP_BODY_BYTES_MAX];
    int size = snprintf(page, sizeof page, "{\"total_count\":100000,\"items\":[\"");
    memset(page + size, 'x', sizeof page - (size_t)size - 4);
    memcpy(page + sizeof page - 4, "\"]}", 4);
    ck_assert_int_eq(begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    unsigned pages = 0;
    while (answer(200, page) == DIALOGUE_EXCHANGE)
        ck_assert_uint_le(++pages, ARCADE_LIST_BYTES_MAX / HTTP_BODY_BYTES_MAX);
    ck_assert_uint_eq(pages, ARCADE_LIST_BYTES_MAX / HTTP_BODY_BYTES_MAX);
    check_failure(STATUS_APP_ERROR, "LIMIT");
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
    ck_assert_int_eq(begin(DIALOGUE_HEALTH), DIALOGUE_EXCHANGE);
    check_asked(HTTP_GET, "https://arcade.test/v1/health", NULL);
    enum dialogue_next next = answer(healths[_i].status, healths[_i].body);
    ck_assert_int_eq(next, healths[_i].code == NULL ? DIALOGUE_DONE : DIALOGUE_FAILED);
    if (healths[_i].code != NULL)
        check_failure(STATUS_APP_ERROR, healths[_i].code);
    ck_assert_int_eq(strstr(dialogue.failure.message, "tired") != NULL, healths[_i].status == 503);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
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
    tcase_add_test(tcase, a_tool_that_wants_to_be_asked_again_is_twice);
    tcase_add_test(tcase, it_says_after_how_long_itself);
    tcase_add_test(tcase, where_there_is_no_time_to_repeat_the_first_answer_counts);
    tcase_add_test(tcase, what_may_do_harm_is_not_done_twice);
    tcase_add_test(tcase, who_has_given_leave_goes_on);
    tcase_add_test(tcase, who_has_not_learns_where);
    tcase_add_test(tcase, who_waits_is_told_and_then_served);
    tcase_add_test(tcase, a_poll_that_is_answered_at_once_is_not_repeated_at_once);
    tcase_add_test(tcase, a_user_who_decides_too_late_learns_where);
    tcase_add_test(tcase, a_user_who_refuses_ends_it);
    tcase_add_test(tcase, leave_that_is_missing_only_at_the_execution_is_asked_for_once);
    tcase_add_test(tcase, a_tool_that_needs_leave_needs_a_user);
    tcase_add_loop_test(tcase, an_address_that_is_none_is_not_shown, 0, COUNT_OF(leaves));
    tcase_add_test(tcase, an_address_comes_whole_or_not_at_all);
    tcase_add_test(tcase, an_authorization_of_no_status_is_no_answer);
    tcase_add_test(tcase, a_tool_that_cannot_be_authorized_is_not_found);
    tcase_add_test(tcase, a_definition_becomes_a_tool);
    tcase_add_loop_test(tcase, a_parameter_becomes_a_schema, 0, COUNT_OF(parameters));
    tcase_add_loop_test(tcase, a_definition_that_is_none_is_counted_and_the_rest_is_taken, 0,
                        COUNT_OF(bad_definitions));
    tcase_add_test(tcase, a_list_is_read_to_its_end);
    tcase_add_test(tcase, only_some_toolkits_are_asked_for);
    tcase_add_test(tcase, a_list_that_breaks_off_leaves_what_was_known);
    tcase_add_test(tcase, a_list_without_end_is_given_up);
    tcase_add_test(tcase, an_empty_page_ends_a_list_whatever_it_claims);
    tcase_add_test(tcase, pages_hold_so_much_together);
    tcase_add_loop_test(tcase, health_is_what_it_says_of_itself, 0, COUNT_OF(healths));
}

int main(void)
{
    return suite_run("dialect_arcade", add_tests);
}
