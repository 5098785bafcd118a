/* fuzz_arcade - what Arcade answers: any bytes. Whatever comes, a dialogue ends; a failure has a
 * status and a code, and never our key; an answer is a sound value; no exchange leaves the base
 * address, and of a tool that is asked for by name what comes is its definition.
 *
 * input  a byte of flags; then responses: a byte of status, two of length, the body */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/arcade_talk.h"
#include "protocol/limits.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define KEY "arc_secret"
#define TOOL "Arcade_Mail_Send"
#define BASE "https://a.test/v1/"
#define FLAG_PARTIAL 1u
#define FLAG_IDEMPOTENT 2u
#define FLAG_LEAVE 4u
#define FLAG_PURPOSE 8u /* and 16: CALL, LIST, HEALTH, DESCRIBE */

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const enum dialogue_purpose purposes[] = {DIALOGUE_CALL, DIALOGUE_LIST, DIALOGUE_HEALTH,
                                                 DIALOGUE_DESCRIBE};
static const unsigned statuses_of_http[] = {200, 200, 200, 200, 400, 403, 404, 429, 503};
static char result[RESULT_BYTES_MAX], deps[64];

/* Take the next response off the input; its body is exactly as long as it says. */
static struct http_response next_response(const unsigned char **at, const unsigned char *end)
{
    struct http_response came = {.exchange = 7, .end = HTTP_ANSWERED, .sent = true};
    if (end - *at < 3) {
        came.end = HTTP_LATE;
        return came;
    }
    size_t size = (size_t)(*at)[1] << 8 | (*at)[2];
    came.status = statuses_of_http[(*at)[0] % COUNT_OF(statuses_of_http)];
    *at += 3;
    size = size < (size_t)(end - *at) ? size : (size_t)(end - *at);
    char *body = malloc(size > 0 ? size : 1);
    assert(body != NULL);
    if (size > 0)
        memcpy(body, *at, size);
    *at += size;
    came.body = (struct bytes){body, size};
    return came;
}

static void check_exchange(const struct dialogue *dialogue, const struct exchange *exchange)
{
    assert(strncmp(exchange->http.url, BASE, sizeof BASE - 1) == 0);
    assert(exchange->http.redirects_max == 0);
    assert(!exchange->is_repeat || exchange->idempotent);
    if (dialogue->partial.data != NULL) {
        assert(dialogue->wants_partial);
        assert(value_check(dialogue->partial, BODY_NESTING_MAX));
    }
}

static void check_end(const struct dialogue *dialogue, enum dialogue_next next)
{
    const struct failure *failure = &dialogue->failure;
    assert((next == DIALOGUE_FAILED) == (failure->status != STATUS_OK));
    if (next == DIALOGUE_FAILED) {
        assert(failure->code[0] != '\0');
        assert(strstr(failure->message, KEY) == NULL);
        assert(strstr(failure->hint, KEY) == NULL);
    } else if (dialogue->purpose == DIALOGUE_DESCRIBE) {
        struct msg_tool_definition tool;
        enum status status =
            message_decode(MSG_TOOL_DEFINITION, writer_bytes(&dialogue->data), &tool);
        assert(status == STATUS_OK);
        assert(bytes_are(tool.name, TOOL));
    } else if (dialogue->purpose == DIALOGUE_CALL) {
        assert(value_check(writer_bytes(&dialogue->data), ARCADE_DATA_NESTING_MAX));
    }
}

static void talk_through(struct dialogue *dialogue, const unsigned char *at,
                         const unsigned char *end)
{
    struct exchange exchange;
    unsigned exchanges = 0;
    enum dialogue_next next = dialogue->dialect->begin(dialogue, &exchange);
    while (next == DIALOGUE_EXCHANGE) {
        check_exchange(dialogue, &exchange);
        assert(++exchanges <= 400);
        dialogue->now_at += exchange.after_ms * US_PER_MS;
        struct http_response came = next_response(&at, end);
        next = dialogue->dialect->take(dialogue, &came, &exchange);
        free((char *)came.body.data);
    }
    check_end(dialogue, next);
}

/* The tool that is called, among what is offered: it may be replaced, and go. */
static const struct remote_tool *offer(struct imports *imports, unsigned flags)
{
    char reason[HTTP_REASON_BYTES];
    struct remote_tool tool = {.remote_name = "Mail.Send", .version = "1.0.0", .scope = "user"};
    tool.idempotent = (flags & FLAG_IDEMPOTENT) != 0;
    tool.needs_authorization = (flags & FLAG_LEAVE) != 0;
    imports_begin(imports, "Arcade");
    bool is_taken = imports_add(imports, "Arcade", &tool, reason);
    assert(is_taken);
    (void)imports_end(imports, "Arcade");
    const struct remote_tool *found = imports_find(imports, bytes_of(TOOL));
    assert(found != NULL);
    imports_hold(found);
    return found;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct arcade_talk talk;
    char room[64];
    struct arcade_server server = {.toolkits = ""};
    struct remote remote = {.name = "Arcade", .url = "https://a.test", .secret = KEY};
    struct msg_tool_describe wanted = {.name = bytes_of(TOOL)};
    unsigned flags = size > 0 ? data[0] : 0;
    memset(&talk, 0, sizeof talk);
    remote.imports = imports_new();
    remote.memory = &server;
    struct dialogue dialogue = {.dialect = &dialect_arcade,
                                .state = &talk,
                                .purpose = purposes[flags / FLAG_PURPOSE % COUNT_OF(purposes)],
                                .remote = &remote,
                                .tool = offer(remote.imports, flags),
                                .user = name_of(bytes_of("ann")),
                                .wants_partial = (flags & FLAG_PARTIAL) != 0,
                                .now_at = US_PER_S,
                                .deadline_at = 300 * US_PER_S};
    enum status status =
        message_encode(MSG_TOOL_DESCRIBE, &wanted, room, sizeof room, &dialogue.arguments);
    assert(status == STATUS_OK);
    writer_init(&dialogue.data, result, sizeof result);
    writer_init(&dialogue.deps, deps, sizeof deps);
    talk_through(&dialogue, size > 0 ? data + 1 : data, data + size);
    dialect_arcade.end(&dialogue);
    imports_release(&dialogue.tool);
    imports_destroy(&remote.imports);
    return 0;
}
