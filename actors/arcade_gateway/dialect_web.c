/* dialect_web - see dialect_web.h. */
#include "actors/arcade_gateway/dialect_web.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actors/runtime/json_text.h"

#define URL_TEXT_BYTES_MAX 2001u
#define HEADER_BYTES_MAX_HERE 4096u
#define JSON_NESTING_MAX 24u /* of an answer: the result holds it */
#define SCHEMA_BYTES 2048u

struct web {
    bool is_health;
    const char *method;
    char url[URL_TEXT_BYTES_MAX];
    char headers[WEB_HEADERS_MAX][2][HEADER_BYTES_MAX_HERE / 2];
    char *data; /* what is sent; owned, NULL: nothing */
    size_t data_size;
};

/* The tools. */

/* clang-format off */
#define JSON(...) #__VA_ARGS__
static const struct {
    const char *name, *description, *parameters, *result;
    uint32_t timeout_ms;
    bool is_read_only;
} rows[] = {
    {"HTTPRequest",
     "Send one HTTP request to a public address and return what it answers, whatever its status.",
     JSON({"type": "object", "additionalProperties": false, "required": ["url"], "properties": {
         "url": {"type": "string", "minLength": 1, "maxLength": 2000},
         "method": {"type": "string", "enum": ["GET", "POST", "PUT", "DELETE"], "default": "GET"},
         "headers": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 2000}},
         "data": {"description": "A text is sent as it is, anything else as JSON."},
         "timeout": {"type": "integer", "minimum": 1, "maximum": 60, "default": 30, "description": "Seconds."},
         "follow_redirects": {"type": "boolean", "default": true}}}),
     JSON({"type": "object", "additionalProperties": true, "required": ["url", "method", "status_code", "truncated"], "properties": {
         "request_id": {"type": "string"}, "url": {"type": "string"}, "method": {"type": "string"},
         "status_code": {"type": "integer"}, "headers": {"type": "object", "additionalProperties": {"type": "string"}},
         "response_time_ms": {"type": "number"}, "content_length": {"type": "integer"},
         "content_type": {"type": "string"}, "truncated": {"type": "boolean"}}}),
     60000, false},
    {"URLHealth",
     "Ask whether a public address answers, and how.",
     JSON({"type": "object", "additionalProperties": false, "required": ["url"], "properties": {
         "url": {"type": "string", "minLength": 1, "maxLength": 2000},
         "timeout": {"type": "integer", "minimum": 1, "maximum": 30, "default": 10, "description": "Seconds."}}}),
     JSON({"type": "object", "additionalProperties": true, "required": ["url", "available"], "properties": {
         "url": {"type": "string"}, "available": {"type": "boolean"}, "status_code": {"type": "integer"},
         "response_time_ms": {"type": "number"}, "content_type": {"type": "string"}, "server": {"type": "string"},
         "last_modified": {"type": "string"}, "content_length": {"type": "integer"}}}),
     30000, true},
};
/* clang-format on */

static struct bytes read_schema(const char *text, char *room)
{
    struct writer writer;
    struct json_fault fault;
    writer_init(&writer, room, SCHEMA_BYTES);
    bool good = json_text_read(bytes_of(text), DEFINITION_NESTING_MAX, &writer, &fault);
    assert(good);
    return writer_bytes(&writer);
}

static void add_tool(struct imports *imports, const char *source, size_t row)
{
    char parameters[SCHEMA_BYTES], result[SCHEMA_BYTES], reason[HTTP_REASON_BYTES];
    struct remote_tool tool = {.version = "1.0.0",
                               .parameters = read_schema(rows[row].parameters, parameters),
                               .result = read_schema(rows[row].result, result),
                               .timeout_ms = rows[row].timeout_ms,
                               .scope = "tenant",
                               .read_only = rows[row].is_read_only,
                               .idempotent = rows[row].is_read_only};
    (void)snprintf(tool.remote_name, sizeof tool.remote_name, "%s", rows[row].name);
    (void)snprintf(tool.description, sizeof tool.description, "%s", rows[row].description);
    bool added = imports_add(imports, source, &tool, reason);
    assert(added); /* the first that are added, and sound */
}

static enum dialogue_next list(struct dialogue *self)
{
    imports_begin(self->remote->imports, self->remote->name);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        add_tool(self->remote->imports, self->remote->name, i);
    (void)imports_end(self->remote->imports, self->remote->name);
    return DIALOGUE_DONE;
}

/* Asking. */

bool web_header_is_allowed(struct bytes name)
{
    static const char *const denied[] = {
        "host",          "content-length", "connection", "transfer-encoding",
        "authorization", "cookie",         "upgrade",    "te",
        "trailer",       "keep-alive",     "expect"};
    for (size_t i = 0; i < sizeof denied / sizeof denied[0]; i++)
        if (name.size == strlen(denied[i]) && strncasecmp(name.data, denied[i], name.size) == 0)
            return false;
    return name.size > 0 && !(name.size >= 6 && strncasecmp(name.data, "proxy-", 6) == 0);
}

static enum dialogue_next refuse(struct dialogue *self, const char *field, const char *why)
{
    failure_set(&self->failure, STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "%s", why);
    failure_field(&self->failure, "%s", field);
    return DIALOGUE_FAILED;
}

static bool has_control(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if ((unsigned char)text.data[i] < 0x20 || (unsigned char)text.data[i] == 0x7f)
            return true;
    return false;
}

static bool copy(struct bytes text, char *out, size_t size)
{
    if (text.size >= size || has_control(text))
        return false;
    memcpy(out, text.data, text.size);
    out[text.size] = '\0';
    return true;
}

/* NULL: they are set; else what is wrong. */
static const char *take_headers(struct web *web, struct bytes headers, struct http_request *http)
{
    struct values values = values_over(headers);
    struct bytes element, name, value;
    while (values_next(&values, &element)) {
        bool texts = value_text(element, &name) && values_next(&values, &element) &&
                     value_text(element, &value);
        if (!texts || http->header_count == WEB_HEADERS_MAX)
            return "there are too many headers";
        if (!web_header_is_allowed(name))
            return "this header is not for callers to set";
        char(*place)[HEADER_BYTES_MAX_HERE / 2] = web->headers[http->header_count];
        if (!copy(name, place[0], sizeof place[0]) || !copy(value, place[1], sizeof place[1]))
            return "a header is too long, or has control characters";
        http->headers[http->header_count++] = (struct http_header){place[0], place[1]};
    }
    return NULL;
}

static bool has_header(const struct http_request *http, const char *name)
{
    for (size_t i = 0; i < http->header_count; i++)
        if (strcasecmp(http->headers[i].name, name) == 0)
            return true;
    return false;
}

/* A text as it is, anything else as JSON; false: JSON cannot say it. */
static bool take_data(struct web *web, struct bytes data, struct http_request *http)
{
    struct bytes text;
    if (data.data == NULL || value_kind(data) == KIND_NIL)
        return true;
    FILE *file = open_memstream(&web->data, &web->data_size);
    assert(file != NULL);
    bool is_text = value_text(data, &text);
    bool good =
        is_text ? fwrite(text.data, 1, text.size, file) == text.size : json_text_write(data, file);
    (void)fclose(file);
    http->body = (struct bytes){web->data, web->data_size};
    if (!is_text && !has_header(http, "Content-Type") && http->header_count < HTTP_HEADERS_MAX)
        http->headers[http->header_count++] =
            (struct http_header){"Content-Type", "application/json"};
    return good;
}

static enum http_method method_of(struct bytes text, const char **ret_name)
{
    static const char *const names[] = {
        [HTTP_GET] = "GET", [HTTP_POST] = "POST", [HTTP_PUT] = "PUT", [HTTP_DELETE] = "DELETE"};
    enum http_method method = HTTP_GET;
    for (enum http_method i = HTTP_GET; i <= HTTP_DELETE; i++)
        if (bytes_are(text, names[i]))
            method = i;
    *ret_name = names[method];
    return method;
}

static enum dialogue_next ask(struct dialogue *self, struct exchange *ret)
{
    struct web *web = self->state;
    struct bytes url = {0}, method = {0};
    uint64_t timeout_s = 30;
    bool follows = true;
    struct http_request *http = &ret->http;
    web->is_health = strcmp(self->tool->remote_name, "URLHealth") == 0;
    (void)value_text(value_find(self->arguments, "url"), &url);
    (void)value_text(value_find(self->arguments, "method"), &method);
    (void)value_u64(value_find(self->arguments, "timeout"), &timeout_s);
    (void)value_bool(value_find(self->arguments, "follow_redirects"), &follows);
    if (!copy(url, web->url, sizeof web->url))
        return refuse(self, "url", "it is too long, or has control characters");
    http->method = method_of(method, &web->method);
    const char *fault = take_headers(web, value_find(self->arguments, "headers"), http);
    if (fault != NULL)
        return refuse(self, "headers", fault);
    if (!take_data(web, value_find(self->arguments, "data"), http))
        return refuse(self, "data", "JSON cannot say it");
    http->url = web->url;
    http->deadline_at = self->now_at + (int64_t)timeout_s * US_PER_S;
    http->body_max = WEB_DATA_BYTES_MAX;
    http->cuts = true;
    http->is_foreign = true;
    http->redirects_max = follows ? HTTP_REDIRECTS_MAX : 0;
    ret->operation = web->is_health ? "health" : "request";
    ret->idempotent = false; /* the caller is told of each failure, and decides himself */
    return DIALOGUE_EXCHANGE;
}

static enum dialogue_next begin(struct dialogue *self, struct exchange *ret)
{
    return self->purpose == DIALOGUE_CALL ? ask(self, ret) : list(self);
}

/* Answers. */

/* A text of the other side's; what is no UTF-8 of it becomes ?. */
static void put_text(struct writer *out, const char *key, const char *text)
{
    char cleaned[HTTP_HEADER_BYTES_MAX];
    writer_cstr(out, key);
    if (cursor_is_utf8(bytes_of(text))) {
        writer_cstr(out, text);
        return;
    }
    (void)snprintf(cleaned, sizeof cleaned, "%s", text);
    for (char *at = cleaned; *at != '\0'; at++)
        if ((unsigned char)*at >= 0x80)
            *at = '?';
    writer_cstr(out, cleaned);
}

static void put_found(struct writer *out, const char *key, const struct http_response *came,
                      const char *name)
{
    const char *value = http_header_find(came, name);
    put_text(out, key, value == NULL ? "" : value);
}

static bool same_name(const struct http_header *left, const struct http_header *right)
{
    return strcasecmp(left->name, right->name) == 0;
}

static bool is_first(const struct http_response *came, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (same_name(&came->headers[k], &came->headers[i]))
            return false;
    return cursor_is_utf8(bytes_of(came->headers[i].name));
}

/* All values of one name. source: RFC 9110, 5.3 */
static void put_header(struct writer *out, const struct http_response *came, size_t i)
{
    char values[HTTP_HEADER_BYTES_MAX] = "";
    size_t used = 0;
    for (size_t k = i; k < came->header_count; k++)
        if (same_name(&came->headers[k], &came->headers[i]) && used < sizeof values)
            used += (size_t)snprintf(values + used, sizeof values - used, "%s%s", k > i ? ", " : "",
                                     came->headers[k].value);
    put_text(out, came->headers[i].name, values);
}

static void put_headers(struct writer *out, const struct http_response *came)
{
    size_t count = 0;
    for (size_t i = 0; i < came->header_count; i++)
        count += is_first(came, i);
    writer_cstr(out, "headers");
    writer_map(out, count);
    for (size_t i = 0; i < came->header_count; i++)
        if (is_first(came, i))
            put_header(out, came, i);
}

/* JSON as a value if it says that it is and it is; else text; else bytes. */
static void put_data(struct writer *out, const struct http_response *came)
{
    const char *type = http_header_find(came, "Content-Type");
    struct json_fault fault;
    writer_cstr(out, "data");
    struct writer before = *out;
    if (type != NULL && strstr(type, "json") != NULL && !came->was_cut) {
        if (json_text_read(came->body, JSON_NESTING_MAX, out, &fault) && !out->full)
            return;
        out->used = before.used;
        out->full = before.full;
    }
    if (came->body.data == NULL)
        writer_cstr(out, "");
    else if (cursor_is_utf8(came->body))
        writer_text(out, came->body);
    else
        writer_blob(out, came->body);
}

static void write_answer(struct dialogue *self, const struct http_response *came)
{
    const struct web *web = self->state;
    struct writer *out = &self->data;
    char id[20];
    (void)snprintf(id, sizeof id, "%016llx", (unsigned long long)self->random);
    writer_map(out, 10);
    put_text(out, "request_id", id);
    put_text(out, "url", came->url);
    put_text(out, "method", web->method);
    writer_cstr(out, "status_code");
    writer_u64(out, came->status);
    put_headers(out, came);
    writer_cstr(out, "response_time_ms");
    writer_f64(out, (double)came->taken_us / 1000.0);
    writer_cstr(out, "content_length");
    writer_u64(out, came->body.size);
    put_found(out, "content_type", came, "Content-Type");
    put_data(out, came);
    writer_cstr(out, "truncated");
    writer_bool(out, came->was_cut);
    self->truncated = came->was_cut;
}

static void write_health(struct dialogue *self, const struct http_response *came)
{
    const struct web *web = self->state;
    struct writer *out = &self->data;
    bool answered = came->end == HTTP_ANSWERED;
    writer_map(out, answered ? 8 : 2);
    put_text(out, "url", answered ? came->url : web->url);
    writer_cstr(out, "available");
    writer_bool(out, answered && came->status < 400);
    if (!answered)
        return;
    writer_cstr(out, "status_code");
    writer_u64(out, came->status);
    writer_cstr(out, "response_time_ms");
    writer_f64(out, (double)came->taken_us / 1000.0);
    put_found(out, "content_type", came, "Content-Type");
    put_found(out, "server", came, "Server");
    put_found(out, "last_modified", came, "Last-Modified");
    writer_cstr(out, "content_length");
    writer_u64(out, came->body.size);
}

/* What an exchange that was not answered means to who asked for it. */
static const struct {
    enum status status;
    const char *code, *text;
} failures[] = {
    [HTTP_ANSWERED] = {STATUS_INTERNAL, "INTERNAL", ""},
    [HTTP_NO_CONNECTION] = {STATUS_CIRCUIT_OPEN, "UNAVAILABLE", "it cannot be reached"},
    [HTTP_TLS] = {STATUS_CIRCUIT_OPEN, "UNAVAILABLE", "it cannot show who it is"},
    [HTTP_LOST] = {STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE", "the connection broke"},
    [HTTP_LATE] = {STATUS_DEADLINE_RUNNING, "TIMEOUT", "it did not answer in time"},
    [HTTP_TOO_LARGE] = {STATUS_APP_ERROR, "LIMIT", "its answer is too large"},
    [HTTP_MALFORMED] = {STATUS_APP_ERROR, "UPSTREAM_BAD_ANSWER", "what it answers is no HTTP"},
    [HTTP_DENIED] = {STATUS_FORBIDDEN, "FORBIDDEN", "it must not be reached"},
};

static enum dialogue_next take(struct dialogue *self, const struct http_response *came,
                               struct exchange *ret)
{
    const struct web *web = self->state;
    bool is_answer = came->end == HTTP_ANSWERED || (web->is_health && came->end != HTTP_DENIED);
    (void)ret;
    if (is_answer) {
        if (web->is_health)
            write_health(self, came);
        else
            write_answer(self, came);
        return DIALOGUE_DONE;
    }
    bool nothing_was_done = statuses[failures[came->end].status].executed == EXECUTED_NO;
    failure_set(&self->failure, failures[came->end].status, failures[came->end].code, "%s: %s",
                failures[came->end].text, came->reason);
    if (came->sent && nothing_was_done) /* the first host may have done what it was asked */
        failure_set(&self->failure, STATUS_APP_ERROR, "UPSTREAM_REDIRECT",
                    "where it was redirected, %s: %s", failures[came->end].text, came->reason);
    if (came->end == HTTP_DENIED)
        failure_field(&self->failure, "url");
    return DIALOGUE_FAILED;
}

static void end(struct dialogue *self)
{
    struct web *web = self->state;
    free(web->data);
}

const struct dialect dialect_web = {
    .name = "local",
    .has_tools = true,
    .state_bytes = sizeof(struct web),
    .begin = begin,
    .take = take,
    .end = end,
};
