/* arcade_ask - see arcade_talk.h. A request is built as MessagePack, like everything here, and
 * becomes JSON at the end. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/arcade_talk.h"
#include "actors/runtime/json_text.h"
#include "protocol/limits.h"

#define ENVELOPE_BYTES_MAX 2048u /* of all but the arguments */

static const struct {
    enum http_method method;
    const char *path, *operation;
} steps[] = {
    [ARCADE_AUTHORIZE] = {HTTP_POST, "/v1/tools/authorize", "authorize"},
    [ARCADE_POLL] = {HTTP_GET, "/v1/auth/status", "poll"},
    [ARCADE_EXECUTE] = {HTTP_POST, "/v1/tools/execute", "execute"},
    [ARCADE_LIST] = {HTTP_GET, "/v1/tools", "list"},
    [ARCADE_HEALTH] = {HTTP_GET, "/v1/health", "health"},
    [ARCADE_DESCRIBE] = {HTTP_GET, "/v1/tools/", "describe"}, /* and its name */
};

static bool is_plain(unsigned char byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || (byte != '\0' && strchr("-._~", byte) != NULL);
}

/* Append to a text, with the bytes that do not mean themselves in an address escaped.
 *
 * size     of out, which ends in 0
 * returns  false: it does not fit, and out is as it was, or cut */
static bool append_escaped(char *out, size_t size, struct bytes text)
{
    size_t used = strlen(out);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char byte = (unsigned char)text.data[i];
        if (used + 4 > size)
            return false;
        used += (size_t)snprintf(out + used, size - used, is_plain(byte) ? "%c" : "%%%02X", byte);
    }
    return true;
}

/* Arcade's name for our user: tenant:user. Whatever stands in them, the first colon is ours, so
 * that no two pairs have one name. */
static void name_user(struct arcade_talk *talk, const struct dialogue *self)
{
    const struct name *parts[] = {&self->tenant, &self->user};
    char *at = talk->user;
    for (size_t part = 0; part < 2; part++) {
        bool is_free = part == 1 && self->tenant.size > 0;
        for (size_t i = 0; i < parts[part]->size; i++) {
            char byte = parts[part]->data[i];
            bool is_escaped = !is_free && (byte == ':' || byte == '%');
            at += snprintf(at, 4, is_escaped ? "%%%02X" : "%c", (unsigned char)byte);
        }
        if (part == 0 && (self->tenant.size > 0 || self->user.size == 0))
            *at++ = ':';
    }
    *at = '\0';
    assert((size_t)(at - talk->user) < sizeof talk->user);
}

static void write_call(const struct dialogue *self, enum arcade_step step, struct writer *out)
{
    const struct arcade_talk *talk = self->state;
    bool has_version = strcmp(self->tool->version, ARCADE_VERSION_UNKNOWN) != 0;
    writer_map(out, 2u + has_version + (step == ARCADE_EXECUTE));
    writer_cstr(out, "tool_name");
    writer_cstr(out, self->tool->remote_name);
    writer_cstr(out, "user_id");
    writer_cstr(out, talk->user);
    if (has_version) {
        writer_cstr(out, "tool_version");
        writer_cstr(out, self->tool->version);
    }
    if (step == ARCADE_EXECUTE) {
        writer_cstr(out, "input");
        writer_raw(out, self->arguments);
    }
}

/* False: it cannot be said in JSON. */
static bool write_body(struct dialogue *self, enum arcade_step step)
{
    struct arcade_talk *talk = self->state;
    struct writer writer;
    size_t size = ENVELOPE_BYTES_MAX + self->arguments.size;
    char *bytes = malloc(size);
    assert(bytes != NULL);
    writer_init(&writer, bytes, size);
    write_call(self, step, &writer);
    struct bytes message = writer_bytes(&writer);
    assert(message.data != NULL);
    FILE *memory = open_memstream(&talk->body, &talk->body_size);
    assert(memory != NULL);
    bool is_said = json_text_write(message, memory);
    fclose(memory);
    free(bytes);
    return is_said;
}

/* So long that it ends before our own deadline does; 0: there is no time for it. */
static unsigned wait_s(const struct dialogue *self)
{
    int64_t left_s = (self->deadline_at - self->now_at) / US_PER_S - 1;
    return left_s < 1 ? 0 : left_s > ARCADE_WAIT_S_MAX ? ARCADE_WAIT_S_MAX : (unsigned)left_s;
}

static bool append(char *out, size_t size, const char *text)
{
    size_t used = strlen(out);
    return (size_t)snprintf(out + used, size - used, "%s", text) < size - used;
}

/* False: it is too long. */
static bool write_url(struct dialogue *self, enum arcade_step step)
{
    struct arcade_talk *talk = self->state;
    const struct arcade_server *server = self->remote->memory;
    char number[64];
    talk->url[0] = '\0';
    bool fits = append(talk->url, sizeof talk->url, self->remote->url) &&
                append(talk->url, sizeof talk->url, steps[step].path);
    if (step == ARCADE_POLL) {
        snprintf(number, sizeof number, "?wait=%u&id=", wait_s(self));
        return fits && append(talk->url, sizeof talk->url, number) &&
               append_escaped(talk->url, sizeof talk->url, bytes_of(talk->leave_id));
    }
    if (step == ARCADE_DESCRIBE)
        return fits && append_escaped(talk->url, sizeof talk->url, bytes_of(talk->wanted));
    if (step != ARCADE_LIST)
        return fits;
    struct bytes toolkit = arcade_toolkit(server->toolkits, talk->toolkit_at);
    snprintf(number, sizeof number, "?limit=%u&offset=%llu", ARCADE_PAGE_TOOLS,
             (unsigned long long)talk->offset);
    fits = fits && append(talk->url, sizeof talk->url, number);
    if (toolkit.size > 0)
        fits = fits && append(talk->url, sizeof talk->url, "&toolkit=") &&
               append_escaped(talk->url, sizeof talk->url, toolkit);
    return fits;
}

static void add_header(struct http_request *http, const char *name, const char *value)
{
    assert(http->header_count < HTTP_HEADERS_MAX);
    http->headers[http->header_count++] = (struct http_header){name, value};
}

static void write_head(struct dialogue *self, struct http_request *http)
{
    struct arcade_talk *talk = self->state;
    snprintf(talk->authorization, sizeof talk->authorization, "Bearer %s", self->remote->secret);
    add_header(http, "Authorization", talk->authorization);
    add_header(http, "Accept", "application/json");
    if (http->method == HTTP_POST)
        add_header(http, "Content-Type", "application/json");
}

enum dialogue_next arcade_ask(struct dialogue *self, enum arcade_step step, struct exchange *ret)
{
    struct arcade_talk *talk = self->state;
    bool has_body = steps[step].method == HTTP_POST;
    talk->step = step;
    free(talk->body);
    talk->body = NULL;
    if (self->purpose == DIALOGUE_CALL)
        name_user(talk, self);
    if (!write_url(self, step))
        return arcade_fail(self, "LIMIT", "an address that is too long");
    if (has_body && !write_body(self, step)) {
        failure_set(&self->failure, STATUS_BAD_REQUEST, "BAD_ARGUMENTS",
                    "The arguments have a value that JSON cannot say.");
        return DIALOGUE_FAILED;
    }
    *ret = (struct exchange){.operation = steps[step].operation,
                             .idempotent = step != ARCADE_EXECUTE || talk->may_repeat,
                             .is_poll = step == ARCADE_POLL};
    ret->http.method = steps[step].method;
    ret->http.is_poll = ret->is_poll;
    ret->http.url = talk->url;
    if (has_body)
        ret->http.body = (struct bytes){talk->body, talk->body_size};
    write_head(self, &ret->http);
    return DIALOGUE_EXCHANGE;
}
