/* arcade_failures - see arcade_talk.h. The table of docs/gateway.md, "Arcade", as rows. What others
 * wrote is for people only, and cut. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/arcade_talk.h"
#include "actors/arcade_gateway/repeat.h"
#include "protocol/limits.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define REASON_BYTES_MAX 400u
#define MASK '*'
#define LEAVE_BYTES_MAX (HTTP_URL_BYTES_MAX + ARCADE_ID_BYTES_MAX + ARCADE_SCOPES_BYTES_MAX + 128u)
#define LEAVE_SCOPES_BYTES_MAX 1024u /* in details */

_Static_assert(HTTP_URL_BYTES_MAX + ARCADE_ID_BYTES_MAX + LEAVE_SCOPES_BYTES_MAX + 128u <=
                   DETAILS_BYTES_MAX,
               "an address comes whole");

/* Of a tool that ran, or was to run: HTTP 200 and no success. Any other kind is TOOL_FAILED. */
static const struct {
    const char *kind;
    enum status status;
    const char *code;
} kinds[] = {
    {"TOOL_REQUIREMENTS_NOT_MET", STATUS_FORBIDDEN, "AUTH_REQUIRED"},
    {"CONTEXT_DENIED", STATUS_FORBIDDEN, "FORBIDDEN"},
    {"TOOL_RUNTIME_BAD_INPUT_VALUE", STATUS_BAD_REQUEST, "BAD_ARGUMENTS"},
    {"TOOL_RUNTIME_RETRY", STATUS_APP_ERROR, "UPSTREAM_RETRY"},
    {"UPSTREAM_RUNTIME_RATE_LIMIT", STATUS_APP_ERROR, "UPSTREAM_RATE_LIMITED"},
    {"UPSTREAM_RUNTIME_AUTH_ERROR", STATUS_APP_ERROR, "UPSTREAM_AUTH"},
    {"UPSTREAM_RUNTIME_NOT_FOUND", STATUS_APP_ERROR, "UPSTREAM_NOT_FOUND"},
    {"UPSTREAM_RUNTIME_BAD_REQUEST", STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
    {"UPSTREAM_RUNTIME_VALIDATION_ERROR", STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
    {"NETWORK_TRANSPORT_RUNTIME_TIMEOUT", STATUS_APP_ERROR, "UPSTREAM_TIMEOUT"},
    {"NETWORK_TRANSPORT_RUNTIME_UNREACHABLE", STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {"UPSTREAM_RUNTIME_SERVER_ERROR", STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
};

/* Of HTTP, of Arcade itself, when it is not repeated any more. The first row that fits. */
static const struct {
    unsigned from, to;
    enum status status;
    const char *code;
} codes[] = {
    {401, 401, STATUS_APP_ERROR, "UPSTREAM_AUTH"},
    {403, 403, STATUS_FORBIDDEN, "FORBIDDEN"},
    {404, 404, STATUS_BAD_REQUEST, "TOOL_NOT_FOUND"}, /* of a call; see below */
    {408, 408, STATUS_APP_ERROR, "UPSTREAM_TIMEOUT"},
    {429, 429, STATUS_RATE_LIMITED, "RATE_LIMITED"},
    {400, 499, STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
    {500, 599, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {0, 999, STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE"},
};

bool arcade_is_good(const struct http_response *came)
{
    return came->end == HTTP_ANSWERED && came->status >= 200 && came->status < 300;
}

static void hide(char *text, const char *secret)
{
    size_t size = strlen(secret);
    for (char *at = text; size > 0 && (at = strstr(at, secret)) != NULL; at += size)
        memset(at, MASK, size);
}

void arcade_hide_secret(struct dialogue *self)
{
    hide(self->failure.message, self->remote->secret);
    hide(self->failure.hint, self->remote->secret);
}

enum dialogue_next arcade_fail(struct dialogue *self, const char *code, const char *message)
{
    failure_set(&self->failure, STATUS_APP_ERROR, code, "Arcade: %s.", message);
    return DIALOGUE_FAILED;
}

static void fail_status(struct dialogue *self, const struct http_response *came)
{
    const struct arcade_talk *talk = self->state;
    bool is_call = talk->step == ARCADE_EXECUTE || talk->step == ARCADE_AUTHORIZE;
    char message[REASON_BYTES_MAX];
    size_t row = 0;
    while (came->status < codes[row].from || came->status > codes[row].to)
        row++;
    bool is_elsewhere = came->status == 404 && !is_call;
    if (!dialogue_text(talk->came.value, "message", message, sizeof message))
        (void)dialogue_text(talk->came.value, "reason", message, sizeof message);
    failure_set(&self->failure, is_elsewhere ? STATUS_APP_ERROR : codes[row].status,
                is_elsewhere ? "UPSTREAM_NOT_FOUND" : codes[row].code, "Arcade: HTTP %u%s%s",
                came->status, message[0] != '\0' ? ": " : "", message);
    if (came->status == 429 && !repeat_after_ms(came, self->unix_ms, &self->failure.retry_after_ms))
        self->failure.retry_after_ms = DIALOGUE_RETRY_AFTER_MS;
}

enum dialogue_next arcade_fail_http(struct dialogue *self, const struct http_response *came)
{
    if (came->end == HTTP_ANSWERED) {
        fail_status(self, came);
        return DIALOGUE_FAILED;
    }
    return dialogue_fail_unanswered(self, "Arcade", came);
}

enum dialogue_next arcade_fail_tool(struct dialogue *self, struct bytes error)
{
    struct bytes kind = {0};
    char message[REASON_BYTES_MAX], hint[sizeof self->failure.hint];
    uint64_t after_ms = 0;
    enum status status = STATUS_APP_ERROR;
    const char *code = "TOOL_FAILED";
    (void)value_text(value_find(error, "kind"), &kind);
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (!bytes_are(kind, kinds[i].kind))
            continue;
        status = kinds[i].status;
        code = kinds[i].code;
    }
    if (!dialogue_text(error, "message", message, sizeof message))
        snprintf(message, sizeof message, "The tool failed, and did not say why.");
    failure_set(&self->failure, status, code, "%s", message);
    if (dialogue_text(error, "additional_prompt_content", hint, sizeof hint))
        failure_hint(&self->failure, "%s", hint);
    if (value_u64(value_find(error, "retry_after_ms"), &after_ms) && after_ms > 0)
        self->failure.retry_after_ms = after_ms < UINT32_MAX ? (uint32_t)after_ms : UINT32_MAX;
    if (self->failure.hint[0] == '\0' && self->failure.retry_after_ms > 0)
        failure_hint(&self->failure, "Again in %u ms.", self->failure.retry_after_ms);
    return DIALOGUE_FAILED;
}

struct bytes arcade_write_leave(struct arcade_talk *self, size_t scopes_max)
{
    struct writer writer;
    bool has_scopes = self->scopes_value.data != NULL && self->scopes_value.size <= scopes_max;
    free(self->leave);
    self->leave = malloc(LEAVE_BYTES_MAX);
    assert(self->leave != NULL);
    writer_init(&writer, self->leave, LEAVE_BYTES_MAX);
    writer_map(&writer, 4);
    writer_cstr(&writer, "code");
    writer_cstr(&writer, "AUTH_REQUIRED");
    writer_cstr(&writer, "url");
    writer_cstr(&writer, self->leave_url);
    writer_cstr(&writer, "authorization_id");
    writer_cstr(&writer, self->leave_id);
    writer_cstr(&writer, "scopes");
    if (has_scopes)
        writer_raw(&writer, self->scopes_value);
    else
        writer_array(&writer, 0);
    struct bytes leave = writer_bytes(&writer);
    assert(leave.data != NULL);
    return leave;
}

/* The address has to come whole: in details it does, in hint, for people, if it is short. */
enum dialogue_next arcade_fail_leave(struct dialogue *self)
{
    struct arcade_talk *talk = self->state;
    size_t size = strlen(talk->leave_url);
    if (size == 0) {
        failure_set(&self->failure, STATUS_FORBIDDEN, "AUTH_REQUIRED",
                    "The user has to give this tool leave, and Arcade says not where.");
        return DIALOGUE_FAILED;
    }
    failure_set(&self->failure, STATUS_FORBIDDEN, "AUTH_REQUIRED",
                "The user has to give this tool leave, at the address in details.url "
                "(authorization %s).",
                talk->leave_id);
    if (size < sizeof self->failure.hint)
        failure_hint(&self->failure, "%s", talk->leave_url);
    else
        failure_hint(&self->failure, "The address is too long to stand here: see details.url.");
    self->details = arcade_write_leave(talk, LEAVE_SCOPES_BYTES_MAX);
    return DIALOGUE_FAILED;
}
