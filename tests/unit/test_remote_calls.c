/* test_remote_calls - a gateway in virtual time, behind a connector that the test plays: every call
 * is answered once; what may be repeated is; rates, breakers and bounds refuse with a time; a call
 * that is cancelled breaks its transfer off; lists come into READY. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/arcade_gateway.h"
#include "actors/arcade_gateway/remote_calls.h"
#include "tests/support/record.h"
#include "tests/support/suite.h"

#define EXCHANGES_MAX 512u
#define LIST                                                                                       \
    "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"tools\":["                                     \
    "{\"name\":\"add\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":"      \
    "\"integer\"}}},\"annotations\":{\"readOnlyHint\":true,\"idempotentHint\":true}},"             \
    "{\"name\":\"promise\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":"  \
    "\"integer\"}}},\"outputSchema\":{\"type\":\"object\",\"required\":[\"n\"],\"properties\":"    \
    "{\"n\":{\"type\":\"string\"}}}},"                                                             \
    "{\"name\":\"send\",\"inputSchema\":{\"type\":\"object\",\"properties\":{\"n\":{\"type\":"     \
    "\"integer\"}}}}]}}"

/* A connector that answers when the test says so. */
struct played {
    struct http http;
    struct {
        uint64_t number; /* 0: free, or over */
        char method[64];
        long long id;
        int64_t deadline_at;
    } open[EXCHANGES_MAX];
    size_t count, cancelled;
    struct http_response news[EXCHANGES_MAX];
    size_t heard, told;
    char bodies[EXCHANGES_MAX][1024];
};

static struct played *played;
static struct record *record;

static uint64_t play_start(struct http *http, const struct http_request *request, char *reason)
{
    (void)http, (void)reason;
    ck_assert_uint_lt(played->count, EXCHANGES_MAX);
    size_t at = played->count++;
    const char *method = strstr(request->body.data, "\"method\":\"");
    const char *id = strstr(request->body.data, "\"id\":");
    ck_assert_ptr_nonnull(method);
    played->open[at].number = at + 1;
    played->open[at].deadline_at = request->deadline_at;
    (void)snprintf(played->open[at].method, sizeof played->open[at].method, "%.*s",
                   (int)strcspn(method + 10, "\""), method + 10);
    played->open[at].id = id == NULL ? 0 : atoll(id + 5);
    return at + 1;
}

static void play_cancel(struct http *http, uint64_t number)
{
    (void)http;
    ck_assert_uint_eq(played->open[number - 1].number, number);
    played->open[number - 1].number = 0;
    played->cancelled++;
}

static int play_descriptor(const struct http *http)
{
    (void)http;
    return -1;
}

static int64_t play_due_at(const struct http *http)
{
    (void)http;
    return INT64_MAX;
}

static void play_process(struct http *http, int64_t now_at)
{
    (void)http, (void)now_at;
}

static enum http_news play_next(struct http *http, struct http_response *ret)
{
    (void)http;
    if (played->told == played->heard)
        return HTTP_NOTHING;
    *ret = played->news[played->told++];
    return HTTP_ENDED;
}

static void play_usage(const struct http *http, struct http_usage *ret)
{
    (void)http;
    *ret = (struct http_usage){.open = {3, 2, 1}, .waiting = 4};
}

static void play_destroy(struct http **http)
{
    free(played);
    *http = NULL;
}

/* The open exchange of this method that came first; it must be there. */
static size_t find(const char *method)
{
    for (size_t i = 0; i < played->count; i++)
        if (played->open[i].number != 0 && strcmp(played->open[i].method, method) == 0)
            return i;
    ck_abort_msg("no exchange of %s", method);
    return 0;
}

static size_t count_open(void)
{
    size_t count = 0;
    for (size_t i = 0; i < played->count; i++)
        count += played->open[i].number != 0;
    return count;
}

static void turn(void)
{
    (void)record->actor.spec->on_ready(record->actor.state, &record->context);
}

static void respond(size_t at, struct http_response response, const char *form)
{
    char *body = played->bodies[played->heard];
    (void)snprintf(body, sizeof played->bodies[0], form, played->open[at].id);
    response.exchange = played->open[at].number;
    response.body = bytes_of(body);
    played->open[at].number = 0;
    played->news[played->heard++] = response;
    turn();
}

static const struct http_response good = {.end = HTTP_ANSWERED, .sent = true, .status = 200};
static const struct http_response busy = {.end = HTTP_ANSWERED, .sent = true, .status = 503};

/* A gateway that knows the two tools of an old server. */
static void setup(void)
{
    static const char *const flags[] = {"arcade_gateway.mcp_servers=calc=http://127.0.0.1:1/mcp",
                                        "arcade_gateway.mcp_trusted=calc",
                                        "arcade_gateway.concurrency=20",
                                        "arcade_gateway.breaker=standard",
                                        "arcade_gateway.arcade_url=",
                                        "arcade_gateway.anthropic_url=",
                                        "arcade_gateway.openai_url=",
                                        NULL};
    record = record_new(&arcade_gateway_spec, flags);
    played = calloc(1, sizeof *played);
    played->http = (struct http){play_start,   play_cancel, play_descriptor, play_due_at,
                                 play_process, play_next,   play_usage,      play_destroy};
    arcade_gateway_use_http(record->actor.state, &played->http);
    record_step(record, 0);
    respond(find("server/discover"), (struct http_response){.end = HTTP_ANSWERED, .status = 400},
            "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"error\":{\"code\":-32601,\"message\":\"what\"}}");
    respond(find("initialize"), good,
            "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"protocolVersion\":\"2025-11-25\","
            "\"capabilities\":{\"tools\":{}},\"serverInfo\":{\"name\":\"x\",\"version\":\"1\"}}}");
    respond(find("notifications/initialized"),
            (struct http_response){.end = HTTP_ANSWERED, .sent = true, .status = 202}, "%lld");
    respond(find("tools/list"), good, LIST);
    ck_assert_uint_eq(record->ready_count, 1);
    ck_assert_uint_eq(count_open(), 0);
}

static void teardown(void)
{
    record_destroy(&record);
}

static uint64_t call(const char *tool, uint32_t deadline_ms)
{
    struct header header = {.method = bytes_of(tool),
                            .deadline_ms = deadline_ms,
                            .class = CLASS_CRITICAL,
                            .flags = FLAG_IDEMPOTENT};
    return record_send(record, header, bytes_of("\x81\xa1n\x07"));
}

static void answer_call(size_t at)
{
    respond(at, good,
            "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"content\":[],"
            "\"structuredContent\":{\"n\":8}}}");
}

START_TEST(a_call_is_answered_with_what_came)
{
    struct msg_tool_result result;
    uint64_t id = call("Calc_add", 5000);
    ck_assert_int_eq(played->open[find("tools/call")].deadline_at,
                     record->context.now_at + 4980 * US_PER_MS);
    answer_call(find("tools/call"));
    record_decode_reply(record, id, MSG_TOOL_RESULT, &result);
    ck_assert(bytes_are(result.execution_method, "mcp"));
    ck_assert(bytes_are(result.data, "\x81\xa1n\x08"));
    ck_assert(bytes_are(result.deps, "\x91\xabremote:Calc"));
    ck_assert_uint_eq(result.attempts, 1);
}
END_TEST

START_TEST(what_may_be_done_twice_is_tried_again)
{
    struct msg_tool_result result;
    uint64_t id = call("Calc_add", 5000);
    respond(find("tools/call"), busy, "%lld");
    ck_assert_ptr_null(record_reply_to(record, id));
    ck_assert_uint_eq(count_open(), 0);
    record_step(record, 500 * US_PER_MS);
    answer_call(find("tools/call"));
    record_decode_reply(record, id, MSG_TOOL_RESULT, &result);
    ck_assert_uint_eq(result.attempts, 2);
}
END_TEST

START_TEST(what_may_do_harm_is_sent_once)
{
    uint64_t id = call("Calc_send", 5000);
    respond(find("tools/call"), busy, "%lld");
    ck_assert_ptr_nonnull(record_reply_to(record, id));
    ck_assert_int_eq(record_reply_to(record, id)->answer.status, STATUS_APP_ERROR);
    record_step(record, 10 * US_PER_S);
    ck_assert_uint_eq(count_open(), 0);
}
END_TEST

/* Its outputSchema says that n is a text. */
START_TEST(a_result_that_is_not_as_promised_is_an_error_of_what_has_run)
{
    uint64_t id = call("Calc_promise", 5000);
    answer_call(find("tools/call"));
    record_expect_refusal(record, id, STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE");
    id = call("Calc_promise", 5000);
    respond(find("tools/call"), good,
            "{\"jsonrpc\":\"2.0\",\"id\":%lld,\"result\":{\"content\":[],"
            "\"structuredContent\":{\"n\":\"eight\"}}}");
    ck_assert_int_eq(record_reply_to(record, id)->answer.status, STATUS_OK);
}
END_TEST

/* An exchange that was not answered, as its caller hears of it. */
static const struct {
    struct http_response came;
    enum status status;
    const char *code;
} unanswered[] = {
    {{.end = HTTP_NO_CONNECTION}, STATUS_CIRCUIT_OPEN, "UNAVAILABLE"},
    {{.end = HTTP_TLS}, STATUS_CIRCUIT_OPEN, "UNAVAILABLE"},
    {{.end = HTTP_LOST, .sent = true}, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {{.end = HTTP_LOST, .sent = true, .was_idle = true}, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {{.end = HTTP_LATE, .sent = true}, STATUS_DEADLINE_RUNNING, "TIMEOUT"},
    {{.end = HTTP_LATE}, STATUS_DEADLINE_QUEUED, "TIMEOUT"},
    {{.end = HTTP_TOO_LARGE, .sent = true}, STATUS_APP_ERROR, "LIMIT"},
    {{.end = HTTP_ANSWERED, .sent = true, .status = 401}, STATUS_APP_ERROR, "UPSTREAM_AUTH"},
    {{.end = HTTP_ANSWERED, .sent = true, .status = 403}, STATUS_FORBIDDEN, "FORBIDDEN"},
    {{.end = HTTP_ANSWERED, .sent = true, .status = 429}, STATUS_RATE_LIMITED, "RATE_LIMITED"},
    {{.end = HTTP_ANSWERED, .sent = true, .status = 529}, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
};

/* Of a tool that must not run twice; but where nothing had been sent, it is sent again. */
START_TEST(what_was_not_answered_is_told_as_what_it_was)
{
    uint64_t id = call("Calc_send", 5000);
    for (unsigned i = 0; i < 3 && record_reply_to(record, id) == NULL; i++) {
        respond(find("tools/call"), unanswered[_i].came, "%lld");
        record_step(record, 2 * US_PER_S);
        ck_assert(i == 0 || !unanswered[_i].came.sent);
    }
    record_expect_refusal(record, id, unanswered[_i].status, unanswered[_i].code);
    ck_assert_uint_eq(count_open(), 0);
}
END_TEST

START_TEST(bad_arguments_never_leave)
{
    struct header header = {.method = bytes_of("Calc_add"), .deadline_ms = 1000};
    uint64_t id = record_send(record, header, bytes_of("\x81\xa1n\xa1x"));
    record_expect_refusal(record, id, STATUS_BAD_REQUEST, "BAD_ARGUMENTS");
    id = record_send(record, header, bytes_of("\xc1"));
    record_expect_refusal(record, id, STATUS_BAD_REQUEST, "BAD_ARGUMENTS");
    header.method = bytes_of("Calc_nothing");
    id = record_send(record, header, bytes_of("\x80"));
    record_expect_refusal(record, id, STATUS_NO_ROLE, "TOOL_NOT_FOUND");
    ck_assert_uint_eq(count_open(), 0);
}
END_TEST

START_TEST(a_cancelled_call_breaks_its_transfer_off)
{
    uint64_t id = call("Calc_add", 5000);
    record_cancel(record, id);
    ck_assert_uint_eq(played->cancelled, 1);
    ck_assert_uint_eq(count_open(), 0);
    id = call("Calc_add", 5000); /* and one that waits to be repeated */
    respond(find("tools/call"), busy, "%lld");
    record_cancel(record, id);
    record_step(record, 5 * US_PER_S);
    ck_assert_uint_eq(count_open(), 0);
}
END_TEST

START_TEST(a_side_that_keeps_failing_is_left_alone_and_comes_back)
{
    for (unsigned i = 0; i < 5; i++) {
        uint64_t id = call("Calc_send", 5000);
        respond(find("tools/call"), busy, "%lld");
        ck_assert_int_eq(record_reply_to(record, id)->answer.status, STATUS_APP_ERROR);
    }
    uint64_t id = call("Calc_send", 5000);
    record_expect_refusal(record, id, STATUS_CIRCUIT_OPEN, "UNAVAILABLE");
    uint32_t after_ms = record_reply_to(record, id)->answer.retry_after_ms;
    ck_assert_uint_ge(after_ms, 40000);
    record_step(record, after_ms * US_PER_MS);
    for (unsigned i = 0; i < 3; i++) {
        id = call("Calc_add", 5000);
        answer_call(find("tools/call"));
        ck_assert_int_eq(record_reply_to(record, id)->answer.status, STATUS_OK);
    }
}
END_TEST

/* Half of the credit, and of one tenant five. */
START_TEST(a_side_holds_so_many_calls)
{
    char tenant[16];
    struct header header = {.method = bytes_of("Calc_add"), .deadline_ms = 5000};
    unsigned full = 0;
    for (unsigned i = 0; i < 12; i++) {
        (void)snprintf(tenant, sizeof tenant, "t%u", i / 6);
        header.tenant = bytes_of(tenant);
        uint64_t id = record_send(record, header, bytes_of("\x80"));
        if (record_reply_to(record, id) == NULL)
            continue;
        record_expect_refusal(record, id, STATUS_BUSY_FULL, "OVERLOADED");
        ck_assert_uint_gt(record_reply_to(record, id)->answer.retry_after_ms, 0);
        full++;
    }
    ck_assert_uint_eq(count_open(), 10);
    ck_assert_uint_eq(full, 2);
    while (count_open() > 0)
        answer_call(find("tools/call"));
    ck_assert_uint_eq(record->reply_count, 12);
}
END_TEST

/* 100 a minute: the setup has had five of them. */
START_TEST(its_rate_refuses_with_the_exact_time)
{
    uint64_t id = 0;
    for (unsigned i = 0; i < 96; i++) {
        id = call("Calc_add", 5000);
        if (i < 96 && record_reply_to(record, id) == NULL)
            answer_call(find("tools/call"));
    }
    id = call("Calc_add", 5000);
    record_expect_refusal(record, id, STATUS_RATE_LIMITED, "RATE_LIMITED");
    uint32_t after_ms = record_reply_to(record, id)->answer.retry_after_ms;
    ck_assert_uint_le(after_ms, 600);
    record_step(record, after_ms * US_PER_MS);
    id = call("Calc_add", 5000);
    answer_call(find("tools/call"));
    ck_assert_int_eq(record_reply_to(record, id)->answer.status, STATUS_OK);
}
END_TEST

/* Any order of calls, answers, failures, cancels and time: each call is answered once or cancelled,
 * and in the end nothing is left. */
START_TEST(whatever_happens_each_call_ends_once)
{
    uint64_t seed = 4000 + (uint64_t)_i;
    for (unsigned step = 0; step < 300 && played->count + 20 < EXCHANGES_MAX; step++) {
        uint64_t chance = random_next(&seed) % 10;
        if (chance < 4)
            (void)call(random_next(&seed) % 2 ? "Calc_add" : "Calc_send", 2000);
        else if (chance < 6 && count_open() > 0)
            answer_call(find(played->open[played->count - 1].number != 0
                                 ? played->open[played->count - 1].method
                                 : "tools/call"));
        else if (chance < 8 && count_open() > 0)
            respond(find("tools/call"),
                    random_next(&seed) % 2 ? busy
                                           : (struct http_response){.end = HTTP_NO_CONNECTION},
                    "%lld");
        else if (chance == 8 && record->last_id > 0 &&
                 record_reply_to(record, record->last_id) == NULL)
            record_cancel(record, record->last_id);
        else
            record_step(record, (int64_t)(random_next(&seed) % (300 * US_PER_MS)));
    }
    while (count_open() > 0)
        respond(find("tools/call"), (struct http_response){.end = HTTP_LATE, .sent = true}, "%lld");
    record_step(record, 10 * US_PER_S);
    while (count_open() > 0)
        respond(find("tools/call"), (struct http_response){.end = HTTP_LATE, .sent = true}, "%lld");
    char room[4096];
    struct bytes body;
    struct msg_gateway_targets targets;
    ck_assert_int_eq(record_query(record, "targets", (struct bytes){0}, room, sizeof room, &body),
                     STATUS_OK);
    ck_assert_int_eq(message_decode(MSG_GATEWAY_TARGETS, body, &targets), STATUS_OK);
    ck_assert_uint_eq(targets.calls, 0);
    ck_assert_uint_eq(targets.connections, 6);
    ck_assert_uint_eq(targets.connections_max, HTTP_CONNECTIONS_MAX);
    ck_assert_uint_eq(targets.waiting, 4);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_call_is_answered_with_what_came);
    tcase_add_test(tcase, what_may_be_done_twice_is_tried_again);
    tcase_add_test(tcase, what_may_do_harm_is_sent_once);
    tcase_add_test(tcase, a_result_that_is_not_as_promised_is_an_error_of_what_has_run);
    tcase_add_loop_test(tcase, what_was_not_answered_is_told_as_what_it_was, 0,
                        (int)(sizeof unanswered / sizeof unanswered[0]));
    tcase_add_test(tcase, bad_arguments_never_leave);
    tcase_add_test(tcase, a_cancelled_call_breaks_its_transfer_off);
    tcase_add_test(tcase, a_side_that_keeps_failing_is_left_alone_and_comes_back);
    tcase_add_test(tcase, a_side_holds_so_many_calls);
    tcase_add_test(tcase, its_rate_refuses_with_the_exact_time);
    tcase_add_loop_test(tcase, whatever_happens_each_call_ends_once, 0, SUITE_SEEDS(40));
}

int main(void)
{
    return suite_run("remote_calls", add_tests);
}
