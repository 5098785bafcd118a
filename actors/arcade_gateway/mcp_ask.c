/* mcp_ask - see mcp_talk.h. A request is built as MessagePack, like everything here, and becomes
 * JSON at the end. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/mcp_talk.h"
#include "actors/runtime/json_text.h"
#include "protocol/limits.h"

#define ENVELOPE_BYTES_MAX 16384u /* of all but the arguments, a cursor among it */

static const struct {
    const char *method, *operation;
} steps[] = {
    [MCP_DISCOVER] = {"server/discover", "discover"},
    [MCP_INITIALIZE] = {"initialize", "initialize"},
    [MCP_INITIALIZED] = {"notifications/initialized", "initialize"},
    [MCP_LIST] = {"tools/list", "list"},
    [MCP_CALL] = {"tools/call", "execute"},
    [MCP_PING] = {"ping", "health"},
};

static bool is_stateless(const struct mcp_server *server, enum mcp_step step)
{
    bool opens = step == MCP_INITIALIZE || step == MCP_INITIALIZED;
    return step == MCP_DISCOVER || (server->era == MCP_ERA_STATELESS && !opens);
}

static void write_client(struct writer *out)
{
    writer_map(out, 2);
    writer_cstr(out, "name");
    writer_cstr(out, "fact");
    writer_cstr(out, "version");
    writer_cstr(out, FACT_VERSION);
}

static void write_stateless(struct writer *out)
{
    writer_cstr(out, "io.modelcontextprotocol/protocolVersion");
    writer_cstr(out, MCP_STATELESS_VERSION);
    writer_cstr(out, "io.modelcontextprotocol/clientCapabilities");
    writer_map(out, 0);
    writer_cstr(out, "io.modelcontextprotocol/clientInfo");
    write_client(out);
}

/* source: W3C Trace Context, 3.2 */
static void write_trace(const struct dialogue *self, struct writer *out)
{
    static const size_t ends[] = {16, 24, TRACE_BYTES}; /* of trace, span, flags */
    char text[3 + 2 * TRACE_BYTES + 2 + 1];
    size_t used = 0, part = 0;
    used += (size_t)snprintf(text, sizeof text, "00-");
    for (size_t i = 0; i < TRACE_BYTES; i++) {
        if (i == ends[part]) {
            text[used++] = '-';
            part++;
        }
        used += (size_t)snprintf(text + used, sizeof text - used, "%02x",
                                 (unsigned)(unsigned char)self->trace[i]);
    }
    writer_cstr(out, "traceparent");
    writer_cstr(out, text);
}

/* Of a call what its caller wants and is: to hear of progress, part of a trace. */
static void write_meta(const struct dialogue *self, enum mcp_step step, bool is_stateless,
                       struct writer *out)
{
    const struct mcp_talk *talk = self->state;
    bool has_progress = step == MCP_CALL && self->wants_partial;
    bool has_trace = step == MCP_CALL && self->has_trace;
    writer_cstr(out, "_meta");
    writer_map(out, 3u * is_stateless + has_progress + has_trace);
    if (has_progress) {
        writer_cstr(out, "progressToken");
        writer_i64(out, talk->id);
    }
    if (has_trace)
        write_trace(self, out);
    if (is_stateless)
        write_stateless(out);
}

static void write_opening(struct writer *out)
{
    writer_cstr(out, "protocolVersion");
    writer_cstr(out, MCP_SESSION_VERSION);
    writer_cstr(out, "capabilities");
    writer_map(out, 0);
    writer_cstr(out, "clientInfo");
    write_client(out);
}

static void write_params(const struct dialogue *self, enum mcp_step step, bool is_stateless,
                         struct writer *out)
{
    const struct mcp_talk *talk = self->state;
    bool has_cursor = step == MCP_LIST && talk->cursor[0] != '\0';
    bool has_meta = is_stateless || (step == MCP_CALL && (self->wants_partial || self->has_trace));
    size_t count = step == MCP_INITIALIZE ? 3 : step == MCP_CALL ? 2 : has_cursor;
    writer_cstr(out, "params");
    writer_map(out, count + has_meta);
    if (step == MCP_INITIALIZE)
        write_opening(out);
    if (has_cursor) {
        writer_cstr(out, "cursor");
        writer_cstr(out, talk->cursor);
    }
    if (step == MCP_CALL) {
        writer_cstr(out, "name");
        writer_cstr(out, talk->remote_name);
        writer_cstr(out, "arguments");
        writer_raw(out, self->arguments);
    }
    if (has_meta)
        write_meta(self, step, is_stateless, out);
}

/* False: it cannot be said in JSON. */
static bool take_text(struct mcp_talk *talk, struct bytes message)
{
    free(talk->body);
    talk->body = NULL;
    FILE *memory = open_memstream(&talk->body, &talk->body_size);
    assert(memory != NULL);
    bool is_said = json_text_write(message, memory);
    fclose(memory);
    return is_said;
}

/* False: it cannot be said in JSON. */
static bool write_body(struct dialogue *self, enum mcp_step step)
{
    struct mcp_talk *talk = self->state;
    struct mcp_server *server = self->remote->memory;
    struct writer writer;
    size_t size = ENVELOPE_BYTES_MAX + (step == MCP_CALL ? self->arguments.size : 0);
    char *bytes = malloc(size);
    assert(bytes != NULL);
    talk->id = step == MCP_INITIALIZED ? 0 : ++server->request_id;
    writer_init(&writer, bytes, size);
    writer_map(&writer, talk->id > 0 ? 4 : 2);
    writer_cstr(&writer, "jsonrpc");
    writer_cstr(&writer, "2.0");
    writer_cstr(&writer, "method");
    writer_cstr(&writer, steps[step].method);
    if (talk->id > 0) {
        writer_cstr(&writer, "id");
        writer_i64(&writer, talk->id);
        write_params(self, step, is_stateless(server, step), &writer);
    }
    struct bytes message = writer_bytes(&writer);
    assert(message.data != NULL);
    bool is_said = take_text(talk, message);
    free(bytes);
    return is_said;
}

static void add_header(struct http_request *http, const char *name, const char *value)
{
    assert(http->header_count < HTTP_HEADERS_MAX);
    http->headers[http->header_count++] = (struct http_header){name, value};
}

/* A header of each marked argument, name and value behind each other in the talk's memory. */
static bool add_marks(struct dialogue *self, struct http_request *http)
{
    static const char prefix[] = "Mcp-Param-";
    struct mcp_talk *talk = self->state;
    struct values marks = values_over((struct bytes){talk->extra, talk->extra_size});
    struct mcp_mark mark;
    enum mcp_marks_next next;
    char *at = talk->marks;
    while ((next = mcp_marks_next(&marks, self->arguments, &mark)) == MCP_MARKS_HEADER) {
        size_t name_size = sizeof prefix + mark.name.size, value_size = strlen(mark.value) + 1;
        if (name_size + value_size > (size_t)(talk->marks + sizeof talk->marks - at))
            break;
        snprintf(at, name_size, "%s%.*s", prefix, (int)mark.name.size, mark.name.data);
        memcpy(at + name_size, mark.value, value_size);
        add_header(http, at, at + name_size);
        at += name_size + value_size;
    }
    if (next == MCP_MARKS_END)
        return true;
    failure_set(&self->failure, STATUS_BAD_REQUEST, "BAD_ARGUMENTS",
                "The value for header %s%.*s is too long, or no whole number within 2^53.", prefix,
                (int)mark.name.size, mark.name.data);
    return false;
}

static bool add_stateless(struct dialogue *self, enum mcp_step step, struct http_request *http)
{
    struct mcp_talk *talk = self->state;
    add_header(http, "MCP-Protocol-Version", MCP_STATELESS_VERSION);
    add_header(http, "Mcp-Method", steps[step].method);
    if (step != MCP_CALL)
        return true;
    bool fits =
        mcp_header_value(bytes_of(talk->remote_name), talk->name_value, sizeof talk->name_value);
    assert(fits); /* base64 adds a third */
    add_header(http, "Mcp-Name", talk->name_value);
    return add_marks(self, http);
}

static void add_session(const struct dialogue *self, enum mcp_step step, struct http_request *http)
{
    struct mcp_talk *talk = self->state;
    const struct mcp_server *server = self->remote->memory;
    if (step == MCP_INITIALIZE)
        return;
    if (step != MCP_INITIALIZED) {
        memcpy(talk->version, server->version, sizeof talk->version);
        memcpy(talk->session, server->session, sizeof talk->session);
    }
    add_header(http, "MCP-Protocol-Version", talk->version);
    if (talk->session[0] != '\0')
        add_header(http, "Mcp-Session-Id", talk->session);
}

enum dialogue_next mcp_ask(struct dialogue *self, enum mcp_step step, struct exchange *ret)
{
    struct mcp_talk *talk = self->state;
    const struct mcp_server *server = self->remote->memory;
    *ret = (struct exchange){.operation = steps[step].operation,
                             .idempotent = step != MCP_CALL || talk->may_repeat};
    struct http_request *http = &ret->http;
    http->method = HTTP_POST;
    http->url = self->remote->url;
    http->streams = true;
    http->body_max = MCP_STREAM_BYTES_MAX;
    talk->step = step;
    talk->opened = server->opened;
    if (!write_body(self, step)) {
        failure_set(&self->failure, STATUS_BAD_REQUEST, "BAD_ARGUMENTS",
                    "The arguments have a value that JSON cannot say.");
        return DIALOGUE_FAILED;
    }
    http->body = (struct bytes){talk->body, talk->body_size};
    add_header(http, "Content-Type", "application/json");
    add_header(http, "Accept", "application/json, text/event-stream");
    if (self->remote->secret[0] != '\0') {
        snprintf(talk->authorization, sizeof talk->authorization, "Bearer %s",
                 self->remote->secret);
        add_header(http, "Authorization", talk->authorization);
    }
    if (is_stateless(server, step) && !add_stateless(self, step, http))
        return DIALOGUE_FAILED;
    if (!is_stateless(server, step))
        add_session(self, step, http);
    mcp_hear_begin(talk);
    return DIALOGUE_EXCHANGE;
}
