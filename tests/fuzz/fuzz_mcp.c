/* fuzz_mcp - whatever an MCP server answers, a dialogue with it ends after a bounded number of
 * exchanges, with one sound value or with a failure; each request is JSON, and no header of it
 * holds what would end a line; what is imported can be registered.
 *
 * Input: dialogues of a byte for their purpose and answers of four: how it ends and streams, its
 * status, a length of two; then so many bytes, in which $ is the request's id. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/dialect_mcp.h"
#include "actors/arcade_gateway/mcp_talk.h"
#include "actors/runtime/json_text.h"
#include "protocol/limits.h"
#include "protocol/schema.h"

#define EXCHANGES_MAX (2 * MCP_PAGES_MAX + 16)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mcp_server server;
static struct mcp_talk talk;
static char room[RESULT_BYTES_MAX];

struct input {
    const uint8_t *at, *end;
    uint64_t exchanges;
};

static unsigned next_byte(struct input *input)
{
    return input->at < input->end ? *input->at++ : 0;
}

/* A body with the ids in it; to be freed. */
static struct bytes next_body(struct input *input)
{
    size_t size = next_byte(input) << 8, left, used = 0;
    size += next_byte(input);
    left = (size_t)(input->end - input->at);
    size = size < left ? size : left;
    char *body = malloc(2 * size + 1);
    for (size_t i = 0; i < size; i++) {
        char byte = (char)*input->at++;
        body[used++] = byte == '$' ? (char)('0' + talk.id % 10) : byte;
    }
    return (struct bytes){body, used};
}

static void check_request(const struct http_request *http)
{
    static char bytes[1u << 20];
    struct writer writer;
    struct json_fault fault;
    writer_init(&writer, bytes, sizeof bytes);
    bool is_json = json_text_read(http->body, BODY_NESTING_MAX, &writer, &fault);
    assert(is_json);
    for (size_t i = 0; i < http->header_count; i++)
        for (const char *at = http->headers[i].value; *at != '\0'; at++)
            assert(*at >= ' ' && *at <= '~');
}

static enum dialogue_next answer(struct dialogue *dialogue, struct exchange *exchange,
                                 struct input *input)
{
    static const unsigned statuses[] = {200, 202, 400, 401, 404, 405, 429, 503};
    static const enum http_end ends[] = {HTTP_ANSWERED, HTTP_ANSWERED, HTTP_LOST, HTTP_LATE};
    struct http_response came = {.exchange = ++input->exchanges, .sent = true, .header_count = 2};
    check_request(&exchange->http);
    bool is_over = input->at == input->end;
    unsigned kind = next_byte(input);
    came.end = is_over ? HTTP_LOST : ends[kind % 4];
    came.status = statuses[next_byte(input) % 8];
    came.headers[0] =
        (struct http_header){"Content-Type", kind & 4 ? "text/event-stream" : "application/json"};
    came.headers[1] = (struct http_header){"Mcp-Session-Id", kind & 8 ? "s" : "s s"};
    struct bytes body = next_body(input);
    enum dialogue_next next = DIALOGUE_EXCHANGE;
    came.body = (struct bytes){body.data, body.size / 2};
    if (kind & 16 || !dialect_mcp.piece(dialogue, &came, &next)) {
        size_t taken = kind & 16 ? 0 : body.size / 2;
        came.body = (struct bytes){body.data + taken, body.size - taken};
        next = dialect_mcp.take(dialogue, &came, exchange);
    }
    free((void *)(uintptr_t)body.data);
    return next;
}

static void check_end(const struct dialogue *dialogue, enum dialogue_next next)
{
    if (next == DIALOGUE_FAILED) {
        assert(dialogue->failure.status != STATUS_OK);
        assert(dialogue->failure.code[0] != '\0');
    } else if (dialogue->purpose == DIALOGUE_CALL) {
        assert(value_check(writer_bytes(&dialogue->data), MCP_DATA_NESTING_MAX));
    }
}

static void check_tools(const struct imports *imports)
{
    struct fault fault;
    for (size_t i = 0; i < imports_count(imports); i++) {
        enum status status = schema_check(imports_at(imports, i)->parameters, &fault);
        assert(status == STATUS_OK);
    }
}

static void converse(struct remote *remote, struct input *input)
{
    struct exchange exchange;
    struct dialogue dialogue = {.dialect = &dialect_mcp, .state = &talk, .remote = remote};
    dialogue.purpose = (enum dialogue_purpose)(next_byte(input) % 3);
    dialogue.arguments = (struct bytes){"\x82\xa1q\xa3x\ny\xa1n\x07", 10};
    writer_init(&dialogue.data, room, sizeof room);
    memset(&talk, 0, sizeof talk);
    if (dialogue.purpose == DIALOGUE_CALL && imports_count(remote->imports) > 0) {
        dialogue.tool = imports_at(remote->imports, 0);
        dialogue.method = bytes_of(dialogue.tool->name);
        imports_hold(dialogue.tool);
    }
    enum dialogue_next next = dialect_mcp.begin(&dialogue, &exchange);
    for (unsigned i = 0; next == DIALOGUE_EXCHANGE; i++) {
        assert(i < EXCHANGES_MAX);
        next = answer(&dialogue, &exchange, input);
    }
    check_end(&dialogue, next);
    dialect_mcp.end(&dialogue);
    imports_release(&dialogue.tool);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {data, data + size, 0};
    struct remote remote = {.name = "Docs", .url = "http://127.0.0.1/", .memory = &server};
    memset(&server, 0, sizeof server);
    remote.is_trusted = true;
    remote.imports = imports_new();
    while (input.at < input.end)
        converse(&remote, &input);
    check_tools(remote.imports);
    imports_destroy(&remote.imports);
    return 0;
}
