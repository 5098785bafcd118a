/* mcp_scene - see mcp_scene.h. */
#include "tests/support/mcp_scene.h"

#include <stdio.h>
#include <string.h>

#include "actors/runtime/json_text.h"
#include "tests/support/suite.h"

struct mcp_server server;
struct remote remote;
struct imports *imports;
struct mcp_talk talk;
struct dialogue dialogue;
static char data[RESULT_BYTES_MAX], deps[1024], arguments[65536];
static uint64_t exchanges;

void mcp_scene_set_up(void)
{
    memset(&server, 0, sizeof server);
    imports = imports_new();
    remote = (struct remote){.name = "Docs",
                             .url = "http://127.0.0.1:1/mcp",
                             .is_trusted = true,
                             .imports = imports,
                             .memory = &server};
}

void mcp_scene_tear_down(void)
{
    imports_destroy(&imports);
}

struct bytes mcp_scene_json(const char *text, char *out, size_t size)
{
    struct writer writer;
    struct json_fault fault;
    writer_init(&writer, out, size);
    bool is_json = json_text_read(bytes_of(text), DEFINITION_NESTING_MAX, &writer, &fault);
    ck_assert_msg(is_json, "%s: %s", text, fault.reason);
    return writer_bytes(&writer);
}

const char *mcp_scene_header(const struct http_request *http, const char *name)
{
    for (size_t i = 0; i < http->header_count; i++)
        if (strcmp(http->headers[i].name, name) == 0)
            return http->headers[i].value;
    return NULL;
}

static void check_headers(const struct http_request *http, const char *lines)
{
    char copy[1024];
    snprintf(copy, sizeof copy, "%s", lines);
    for (char *rest = copy, *line; (line = strsep(&rest, "\n")) != NULL;) {
        char *value = strstr(line, ": ");
        ck_assert_ptr_nonnull(value);
        *value = '\0';
        const char *found = mcp_scene_header(http, line);
        ck_assert_msg(found != NULL && strcmp(found, value + 2) == 0, "header %s is %s, not %s",
                      line, found, value + 2);
    }
}

char *mcp_scene_body(const char *body)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    for (; *body != '\0'; body++) {
        if (*body == '$')
            fprintf(out, "%ld", (long)talk.id);
        else
            fputc(*body, out);
    }
    fclose(out);
    return text;
}

void mcp_scene_respond(const struct turn *turn, struct http_response *ret)
{
    *ret = (struct http_response){.exchange = ++exchanges,
                                  .end = turn->end,
                                  .sent = !turn->is_unsent,
                                  .status = turn->status,
                                  .reason = "it is so"};
    ret->headers[ret->header_count++] = (struct http_header){
        "content-type", turn->is_stream ? "text/event-stream; charset=utf-8" : "application/json"};
    if (turn->session != NULL)
        ret->headers[ret->header_count++] = (struct http_header){"mcp-session-id", turn->session};
}

/* A body in pieces, each exactly so long, but for the last, which comes with the end.
 *
 * returns  true: it was enough, and ret_next is what comes of it */
static bool feed(struct http_response *came, const char *body, enum dialogue_next *ret_next)
{
    size_t size = strlen(body), at = 0, length = size < 65536 ? 7 : 4093;
    bool is_enough = false;
    for (; size - at > length && !is_enough; at += length) {
        char *exact = malloc(length);
        memcpy(exact, body + at, length);
        came->body = (struct bytes){exact, length};
        is_enough = dialect_mcp.piece(&dialogue, came, ret_next);
        free(exact);
    }
    came->body = (struct bytes){body + at, size - at};
    return is_enough;
}

enum dialogue_next mcp_scene_play(const struct turn *turn, struct exchange *exchange)
{
    struct http_response came;
    enum dialogue_next next;
    char wanted[100];
    const struct http_request *http = &exchange->http;
    snprintf(wanted, sizeof wanted, "\"method\":\"%s\"", turn->method);
    ck_assert_msg(memmem(http->body.data, http->body.size, wanted, strlen(wanted)) != NULL,
                  "%s is asked, not %s", http->body.data, turn->method);
    ck_assert_int_eq(http->method, HTTP_POST);
    ck_assert_str_eq(http->url, remote.url);
    ck_assert(http->streams);
    ck_assert_uint_eq(http->body_max, MCP_STREAM_BYTES_MAX);
    check_headers(http, "Accept: application/json, text/event-stream");
    if (turn->headers != NULL)
        check_headers(http, turn->headers);
    mcp_scene_respond(turn, &came);
    char *body = mcp_scene_body(turn->body != NULL ? turn->body : "");
    if (!feed(&came, body, &next))
        next = dialect_mcp.take(&dialogue, &came, exchange);
    free(body);
    return next;
}

void mcp_scene_begin(enum dialogue_purpose purpose, const char *method, const char *json)
{
    memset(&talk, 0, sizeof talk);
    dialogue = (struct dialogue){.dialect = &dialect_mcp,
                                 .state = &talk,
                                 .purpose = purpose,
                                 .remote = &remote,
                                 .method = bytes_of(method),
                                 .now_at = US_PER_S,
                                 .deadline_at = 60 * US_PER_S};
    if (method != NULL)
        dialogue.tool = imports_find(imports, dialogue.method);
    if (json != NULL)
        dialogue.arguments = mcp_scene_json(json, arguments, sizeof arguments);
    writer_init(&dialogue.data, data, sizeof data);
    writer_init(&dialogue.deps, deps, sizeof deps);
}

enum dialogue_next mcp_scene_run(const struct turn *turns)
{
    struct exchange exchange;
    enum dialogue_next next = dialect_mcp.begin(&dialogue, &exchange);
    for (; next == DIALOGUE_EXCHANGE; turns++) {
        ck_assert_msg(turns->method != NULL, "asked once more: %s", exchange.http.body.data);
        next = mcp_scene_play(turns, &exchange);
    }
    ck_assert_msg(turns->method == NULL, "not asked: %s", turns->method);
    dialect_mcp.end(&dialogue);
    return next;
}

void mcp_scene_check_failure(enum status status, const char *code, const char *part)
{
    ck_assert_msg(dialogue.failure.status == status, "status %d: %s", dialogue.failure.status,
                  dialogue.failure.message);
    ck_assert_str_eq(dialogue.failure.code, code);
    ck_assert_msg(strstr(dialogue.failure.message, part) != NULL, "%s", dialogue.failure.message);
}

void mcp_scene_check_data(const char *json)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert(json_text_write(writer_bytes(&dialogue.data), out));
    fclose(out);
    ck_assert_str_eq(text, json);
    free(text);
}

void mcp_scene_meet_stateless(const char *list)
{
    const struct turn turns[] = {
        TURN("server/discover", 200, DISCOVERED), TURN("tools/list", 200, list), {0}};
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_DONE);
    ck_assert_int_eq(server.era, MCP_ERA_STATELESS);
}

void mcp_scene_meet_session(const char *session)
{
    const struct turn turns[] = {
        TURN("server/discover", 400, ERROR("-32600", "Missing session ID")),
        TURN("initialize", 200, INITIALIZED, .session = session),
        TURN("notifications/initialized", 202, NULL),
        TURN("tools/list", 200, LISTED),
        {0}};
    mcp_scene_begin(DIALOGUE_LIST, NULL, NULL);
    ck_assert_int_eq(mcp_scene_run(turns), DIALOGUE_DONE);
    ck_assert_int_eq(server.era, MCP_ERA_SESSION);
}
