/* dialect_model - see dialect_model.h. */
#include "actors/arcade_gateway/dialect_model.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actors/arcade_gateway/model_api.h"
#include "actors/arcade_gateway/repeat.h"
#include "actors/arcade_gateway/secret.h"
#include "actors/runtime/json_text.h"

#define BODY_BYTES_MAX 2097152u /* of a request, as MessagePack */
#define ANSWER_NESTING_MAX 24u  /* of a response, with the arguments of calls in it */
#define PATH_BYTES_MAX 64u

struct model_talk {
    const struct model_api *api;
    char *body; /* JSON */
    size_t body_size;
    char url[REMOTE_URL_BYTES_MAX + PATH_BYTES_MAX];
    char key[REMOTE_SECRET_BYTES_MAX + 16]; /* with what goes before it */
};

/* The interface of this name; NULL: there is none. */
static const struct model_api *find_api(const char *name, size_t size)
{
    static const struct model_api *const all[] = {&model_anthropic, &model_openai};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        if (strlen(all[i]->name) == size && strncasecmp(all[i]->name, name, size) == 0)
            return all[i];
    return NULL;
}

static enum dialogue_next fail(struct dialogue *self, enum status status, const char *code,
                               const char *what)
{
    failure_set(&self->failure, status, code, "model provider %s: %s", self->remote->name, what);
    return DIALOGUE_FAILED;
}

/* --- for model_api.h --- */

struct bytes model_text_in(struct bytes map, const char *key)
{
    struct bytes text = {0}, value = value_find(map, key);
    if (value.data == NULL || !value_text(value, &text) || !cursor_is_utf8(text))
        return (struct bytes){0};
    return text;
}

struct bytes model_tokens_in(struct bytes map, const char *key)
{
    uint64_t number;
    struct bytes value = value_find(map, key);
    return value.data != NULL && value_u64(value, &number) ? value : (struct bytes){0};
}

void model_write_as_text(struct writer *out, struct bytes value)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    assert(memory != NULL);
    bool is_said = json_text_write(value, memory);
    int closed = fclose(memory);
    assert(closed == 0);
    if (is_said)
        writer_text(out, (struct bytes){text, size});
    else
        writer_cstr(out, "{\"error\":{\"code\":\"NOT_JSON\",\"message\":\"the result has bytes in "
                         "it, or else what JSON cannot say\"}}");
    free(text);
}

void model_write_schema(struct writer *out, const struct msg_model_tool *tool)
{
    if (tool->parameters.data != NULL && value_kind(tool->parameters) == KIND_MAP) {
        writer_raw(out, tool->parameters);
        return;
    }
    writer_map(out, 2);
    writer_cstr(out, "type");
    writer_cstr(out, "object");
    writer_cstr(out, "properties");
    writer_map(out, 0);
}

bool model_next(enum message_id id, struct values *values, void *ret)
{
    struct bytes element;
    while (values_next(values, &element))
        if (message_decode(id, element, ret) == STATUS_OK)
            return true;
    return false;
}

size_t model_count(enum message_id id, struct bytes list)
{
    union any_body body;
    size_t count = 0;
    struct values values = values_over(list);
    while (model_next(id, &values, &body))
        count++;
    return count;
}

void model_say(struct model_said *self, struct bytes text)
{
    if (text.size > sizeof self->text - self->text_size) {
        self->fault = "its text is too long";
    } else if (text.size > 0) {
        memcpy(self->text + self->text_size, text.data, text.size);
        self->text_size += text.size;
    }
}

void model_say_call(struct model_said *self, struct bytes id, struct bytes tool,
                    struct bytes arguments, struct bytes malformed)
{
    struct msg_model_call call = {.id = id, .tool = tool, .arguments = arguments};
    if (arguments.data == NULL || !value_check(arguments, MODEL_NESTING_MAX)) {
        call.arguments.data = NULL;
        call.malformed = malformed;
    }
    if (id.size == 0 || tool.size == 0)
        self->fault = "a call without a name or an id";
    else if (self->call_count == MODEL_CALLS_MAX)
        self->fault = "too many calls in one turn";
    else if (message_write(MSG_MODEL_CALL, &call, &self->calls) != STATUS_OK)
        self->fault = "a call that is too large";
    else
        self->call_count++;
}

/* --- asking --- */

static void add_header(struct http_request *http, const char *name, const char *value)
{
    assert(http->header_count < HTTP_HEADERS_MAX);
    http->headers[http->header_count++] = (struct http_header){name, value};
}

static enum dialogue_next ask(struct dialogue *self, const char *path, struct exchange *ret)
{
    struct model_talk *talk = self->state;
    const struct model_api *api = talk->api;
    bool has_body = talk->body != NULL;
    snprintf(talk->url, sizeof talk->url, "%s%s", self->remote->url, path);
    *ret = (struct exchange){.operation = has_body ? "turn" : "health", .idempotent = true};
    struct http_request *http = &ret->http;
    http->method = has_body ? HTTP_POST : HTTP_GET;
    http->url = talk->url;
    http->body = (struct bytes){talk->body, talk->body_size};
    add_header(http, "Accept", "application/json");
    if (has_body)
        add_header(http, "Content-Type", "application/json");
    if (api->extra_header != NULL)
        add_header(http, api->extra_header, api->extra);
    if (self->remote->secret[0] != '\0') {
        snprintf(talk->key, sizeof talk->key, "%s%s", api->key_prefix, self->remote->secret);
        add_header(http, api->key_header, talk->key);
    }
    return DIALOGUE_EXCHANGE;
}

/* returns  false: it is too large, or JSON cannot say it */
static bool write_body(struct dialogue *self, const struct msg_model_turn *turn)
{
    struct model_talk *talk = self->state;
    struct writer writer;
    char *memory = malloc(BODY_BYTES_MAX);
    assert(memory != NULL);
    writer_init(&writer, memory, BODY_BYTES_MAX);
    talk->api->write(turn, &writer);
    FILE *text = open_memstream(&talk->body, &talk->body_size);
    assert(text != NULL);
    bool is_said = !writer.full && json_text_write(writer_bytes(&writer), text);
    int closed = fclose(text);
    assert(closed == 0);
    free(memory);
    return is_said;
}

static enum dialogue_next begin(struct dialogue *self, struct exchange *ret)
{
    struct msg_model_turn turn;
    struct model_talk *talk = self->state;
    const char *name = self->remote->name;
    if (self->purpose == DIALOGUE_LIST)
        return DIALOGUE_DONE; /* it has no tools */
    if (self->purpose == DIALOGUE_HEALTH) {
        talk->api = find_api(name, strlen(name));
        assert(talk->api != NULL); /* the settings have no other */
        return ask(self, "/v1/models", ret);
    }
    if (message_decode(MSG_MODEL_TURN, self->arguments, &turn) != STATUS_OK)
        return fail(self, STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "what is to be asked is no turn");
    talk->api = find_api(turn.provider.data, turn.provider.size);
    if (talk->api == NULL)
        return fail(self, STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "no provider that is known");
    if (!write_body(self, &turn))
        return fail(self, STATUS_BAD_REQUEST, "BAD_ARGUMENTS",
                    "a turn that is too large, or that JSON cannot say");
    return ask(self, talk->api->path, ret);
}

/* --- hearing --- */

static enum dialogue_next give(struct dialogue *self, struct model_said *said)
{
    char usage_room[512], head[3];
    struct bytes list = {0};
    struct msg_model_turn_result result = {.end = bytes_of(said->end)};
    if (said->usage.model.size > MODEL_NAME_BYTES_MAX)
        said->usage.model = (struct bytes){0};
    said->usage.turns = 1;
    enum status status =
        message_encode(MSG_MODEL_USAGE, &said->usage, usage_room, sizeof usage_room, &result.usage);
    assert(status == STATUS_OK); /* a name within its bound, and numbers */
    if (said->text_size > 0)
        result.text = (struct bytes){said->text, said->text_size};
    if (said->call_count > 0) { /* room was left for the head of the list */
        list = (struct bytes){said->calls.data - sizeof head, said->calls.used + sizeof head};
        (void)cursor_put(said->calls.data - sizeof head, TAG_ARRAY16, 2, said->call_count);
        result.calls = list;
    }
    if (message_write(MSG_MODEL_TURN_RESULT, &result, &self->data) != STATUS_OK)
        return fail(self, STATUS_APP_ERROR, "LIMIT", "its answer is too large");
    return DIALOGUE_DONE;
}

static enum dialogue_next take_answer(struct dialogue *self, struct bytes body)
{
    enum dialogue_next next;
    const struct model_talk *talk = self->state;
    struct model_said *said = calloc(1, sizeof *said);
    char *calls = malloc(MODEL_CALLS_BYTES_MAX + 3u);
    assert(said != NULL);
    assert(calls != NULL);
    writer_init(&said->calls, calls + 3, MODEL_CALLS_BYTES_MAX);
    talk->api->read(body, said);
    if (said->fault == NULL && said->end == NULL)
        said->fault = "it ended in a way that is not known";
    if (said->fault != NULL)
        next = fail(self, STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE", said->fault);
    else
        next = give(self, said);
    free(calls);
    free(said);
    return next;
}

/* A body as MessagePack, to be freed; data NULL: it is no JSON. A number takes at most 9 bytes for
 * one and the comma behind it. */
static struct bytes unpack(struct bytes text)
{
    struct writer writer;
    struct json_fault fault;
    size_t size = 5 * text.size + 16;
    char *memory = malloc(size);
    assert(memory != NULL);
    writer_init(&writer, memory, size);
    if (json_text_read(text, ANSWER_NESTING_MAX, &writer, &fault) && !writer.full)
        return writer_bytes(&writer);
    free(memory);
    return (struct bytes){0};
}

/* What the provider says is wrong, if it can be passed on; else its status. */
static enum dialogue_next fail_request(struct dialogue *self, unsigned status, struct bytes body)
{
    char what[256];
    const char *secret = self->remote->secret;
    struct bytes value = unpack(body);
    struct bytes message = model_text_in(value_find(value, "error"), "message");
    bool is_ours = message.size > 0 && secret[0] != '\0' &&
                   memmem(message.data, message.size, secret, strlen(secret)) != NULL;
    snprintf(what, sizeof what, "HTTP %u", status);
    if (message.size > 0 && !is_ours)
        snprintf(what + strlen(what), sizeof what - strlen(what), ": %.*s", (int)message.size,
                 message.data);
    free((void *)(uintptr_t)value.data);
    return fail(self, STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST", what);
}

static enum dialogue_next fail_status(struct dialogue *self, const struct http_response *came)
{
    char what[32];
    snprintf(what, sizeof what, "HTTP %u", came->status);
    if (came->status == 401 || came->status == 403)
        return fail(self, STATUS_APP_ERROR, "UPSTREAM_AUTH", "it does not take our key");
    if (came->status >= 500)
        return fail(self, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE", what);
    if (came->status != 429)
        return fail_request(self, came->status, came->body);
    (void)fail(self, STATUS_RATE_LIMITED, "RATE_LIMITED", what);
    if (!repeat_after_ms(came, self->unix_ms, &self->failure.retry_after_ms) ||
        self->failure.retry_after_ms == 0)
        self->failure.retry_after_ms = DIALOGUE_RETRY_AFTER_MS;
    return DIALOGUE_FAILED;
}

static enum dialogue_next take(struct dialogue *self, const struct http_response *came,
                               struct exchange *ret)
{
    (void)ret; /* there is no second one */
    if (came->end != HTTP_ANSWERED) {
        char who[REMOTE_SOURCE_BYTES_MAX + sizeof "model provider "];
        (void)snprintf(who, sizeof who, "model provider %s", self->remote->name);
        return dialogue_fail_unanswered(self, who, came);
    }
    if (came->status < 200 || came->status > 299)
        return fail_status(self, came);
    if (self->purpose == DIALOGUE_HEALTH)
        return DIALOGUE_DONE;
    struct bytes value = unpack(came->body);
    if (value.data == NULL)
        return fail(self, STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE", "its answer is no JSON");
    enum dialogue_next next = take_answer(self, value);
    free((void *)(uintptr_t)value.data);
    return next;
}

static void end(struct dialogue *self)
{
    struct model_talk *talk = self->state;
    free(talk->body);
    talk->body = NULL;
    secret_wipe(talk->key, sizeof talk->key);
}

const struct dialect dialect_model = {.name = "model",
                                      .state_bytes = sizeof(struct model_talk),
                                      .begin = begin,
                                      .take = take,
                                      .end = end};
