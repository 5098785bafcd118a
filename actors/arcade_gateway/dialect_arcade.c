/* dialect_arcade - see dialect_arcade.h. */
#include "actors/arcade_gateway/dialect_arcade.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/arcade_talk.h"
#include "actors/arcade_gateway/repeat.h"
#include "protocol/limits.h"

#define BACKOFF_MS 500u
#define EARLIER_PERCENT_MAX 25u
#define NO_KEY_RETRY_MS 10000u

/* An address that may be shown to a person to open. */
static bool is_address(const char *text)
{
    if (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0)
        return false;
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7f)
            return false;
    return true;
}

/* Texts only, and few enough to be kept. */
static void take_scopes(struct arcade_talk *talk, struct bytes list)
{
    struct values values = values_over(list);
    struct bytes value, text;
    talk->scopes_value = (struct bytes){0};
    if (value_kind(list) != KIND_ARRAY || list.size > sizeof talk->scopes)
        return;
    while (values_next(&values, &value))
        if (!value_text(value, &text))
            return;
    memcpy(talk->scopes, list.data, list.size);
    talk->scopes_value = (struct bytes){talk->scopes, list.size};
}

static void take_leave(struct arcade_talk *talk, struct bytes leave)
{
    struct bytes id = {0}, url = {0};
    (void)value_text(value_find(leave, "id"), &id);
    (void)value_text(value_find(leave, "url"), &url);
    if (!dialogue_text(leave, "id", talk->leave_id, sizeof talk->leave_id) ||
        strlen(talk->leave_id) != id.size)
        talk->leave_id[0] = '\0';
    if (!dialogue_text(leave, "url", talk->leave_url, sizeof talk->leave_url) ||
        strlen(talk->leave_url) != url.size || !is_address(talk->leave_url))
        talk->leave_url[0] = '\0';
    take_scopes(talk, value_find(leave, "scopes"));
}

/* Ask again whether the user has decided, as long as there is time.
 *
 * after_ms  not before */
static enum dialogue_next poll(struct dialogue *self, uint32_t after_ms, struct exchange *ret)
{
    struct arcade_talk *talk = self->state;
    bool was_quick = talk->polled_at > 0 && self->now_at - talk->polled_at < US_PER_S;
    if (was_quick && after_ms < ARCADE_PAUSE_MS)
        after_ms = ARCADE_PAUSE_MS;
    if (self->deadline_at - self->now_at < 2 * US_PER_S + after_ms * US_PER_MS)
        return arcade_fail_leave(self);
    talk->polled_at = self->now_at + after_ms * US_PER_MS;
    enum dialogue_next next = arcade_ask(self, ARCADE_POLL, ret);
    ret->after_ms = after_ms;
    return next;
}

/* What is known of the user's leave, from whichever response. */
static enum dialogue_next on_leave(struct dialogue *self, struct bytes leave, struct exchange *ret)
{
    struct arcade_talk *talk = self->state;
    struct bytes status = {0};
    bool is_first = talk->step != ARCADE_POLL;
    (void)value_text(value_find(leave, "status"), &status);
    if (bytes_are(status, "completed") && talk->step != ARCADE_EXECUTE)
        return arcade_ask(self, ARCADE_EXECUTE, ret);
    if (bytes_are(status, "failed")) {
        failure_set(&self->failure, STATUS_FORBIDDEN, "FORBIDDEN",
                    "The user's leave for this tool was refused, or could not be had.");
        return DIALOGUE_FAILED;
    }
    if (!bytes_are(status, "pending") && !bytes_are(status, "not_started") && is_first &&
        talk->step != ARCADE_EXECUTE)
        return arcade_fail(self, "UPSTREAM_BAD_RESPONSE", "an authorization of no known status");
    if (is_first)
        take_leave(talk, leave);
    bool can_wait = talk->leave_url[0] != '\0' && talk->leave_id[0] != '\0';
    if (!self->wants_partial || !can_wait || (is_first && talk->has_waited))
        return arcade_fail_leave(self);
    enum dialogue_next next = poll(self, 0, ret);
    if (is_first && next == DIALOGUE_EXCHANGE)
        self->partial = arcade_write_leave(talk, ARCADE_SCOPES_BYTES_MAX);
    talk->has_waited = true;
    return next;
}

/* A poll that failed may be asked again: nobody but the dialect repeats those. */
static bool may_pass(const struct http_response *came)
{
    if (came->end != HTTP_ANSWERED)
        return came->end == HTTP_NO_CONNECTION || came->end == HTTP_LOST;
    return came->status == 408 || came->status == 429 || came->status >= 500;
}

static enum dialogue_next poll_again(struct dialogue *self, const struct http_response *came,
                                     struct exchange *ret)
{
    struct arcade_talk *talk = self->state;
    uint32_t after_ms = ARCADE_PAUSE_MS;
    if (came->end == HTTP_LATE)
        return arcade_fail_leave(self);
    if (!may_pass(came) || ++talk->poll_failures == ARCADE_POLL_FAILURES_MAX)
        return arcade_fail_http(self, came);
    (void)repeat_after_ms(came, self->unix_ms, &after_ms);
    return poll(self, after_ms > ARCADE_PAUSE_MS ? after_ms : ARCADE_PAUSE_MS, ret);
}

/* That it has no such tool, of this version, or not with such arguments, is news to us: we know
 * another definition. */
static enum dialogue_next fail_call(struct dialogue *self, const struct http_response *came,
                                    struct exchange *ret)
{
    (void)arcade_fail_http(self, came);
    bool is_news = came->end == HTTP_ANSWERED && (came->status == 404 || came->status == 400);
    return is_news ? arcade_doubt(self, came->status == 404, ret) : DIALOGUE_FAILED;
}

static enum dialogue_next on_authorize(struct dialogue *self, const struct http_response *came,
                                       struct exchange *ret)
{
    const struct arcade_talk *talk = self->state;
    if (!arcade_is_good(came))
        return fail_call(self, came, ret);
    return on_leave(self, talk->came.value, ret);
}

static enum dialogue_next on_poll(struct dialogue *self, const struct http_response *came,
                                  struct exchange *ret)
{
    struct arcade_talk *talk = self->state;
    if (!arcade_is_good(came))
        return poll_again(self, came, ret);
    talk->poll_failures = 0;
    return on_leave(self, talk->came.value, ret);
}

static enum dialogue_next write_data(struct dialogue *self, struct bytes value)
{
    if (value.data == NULL)
        writer_nil(&self->data);
    else if (!value_check(value, ARCADE_DATA_NESTING_MAX))
        return arcade_fail(self, "LIMIT", "a result that is nested too deep");
    else
        writer_raw(&self->data, value);
    return self->data.full ? arcade_fail(self, "LIMIT", "a result larger than 192 KiB")
                           : DIALOGUE_DONE;
}

/* The tool itself wants to be asked again: as often as any exchange, if it may run twice. */
static enum dialogue_next ask_again(struct dialogue *self, struct exchange *ret)
{
    struct arcade_talk *talk = self->state;
    uint32_t after_ms = self->failure.retry_after_ms;
    if (!talk->may_repeat || talk->repeats == REPEATS_MAX || after_ms >= REPEAT_AFTER_MS_MAX)
        return DIALOGUE_FAILED;
    if (after_ms == 0)
        after_ms = BACKOFF_MS << talk->repeats;
    if (self->failure.retry_after_ms == 0)
        after_ms -= after_ms * (uint32_t)(self->random % (EARLIER_PERCENT_MAX + 1)) / 100;
    if (self->now_at + after_ms * US_PER_MS >= self->deadline_at)
        return DIALOGUE_FAILED;
    talk->at_first = self->failure;
    self->failure = (struct failure){0};
    talk->repeats++;
    enum dialogue_next next = arcade_ask(self, ARCADE_EXECUTE, ret);
    ret->is_repeat = true;
    ret->after_ms = after_ms;
    return next;
}

static bool is_kind(struct bytes error, const char *name)
{
    struct bytes kind;
    return value_text(value_find(error, "kind"), &kind) && bytes_are(kind, name);
}

static bool is_for_again(struct bytes error)
{
    bool can_retry = false;
    return is_kind(error, "TOOL_RUNTIME_RETRY") &&
           value_bool(value_find(error, "can_retry"), &can_retry) && can_retry;
}

/* No tool ran: the user's leave is missing, and it says how it could be had. */
static bool wants_leave(struct bytes output)
{
    struct bytes error = value_find(output, "error");
    bool is_error = value_kind(error) == KIND_MAP;
    return value_kind(value_find(output, "authorization")) == KIND_MAP &&
           (!is_error || is_kind(error, "TOOL_REQUIREMENTS_NOT_MET"));
}

static enum dialogue_next on_execute(struct dialogue *self, const struct http_response *came,
                                     struct exchange *ret)
{
    struct arcade_talk *talk = self->state;
    struct bytes output = value_find(talk->came.value, "output"),
                 error = value_find(output, "error");
    bool success = false, was_begun = came->exchange != 0;
    if (talk->repeats > 0 && came->end == HTTP_LATE && !was_begun) {
        self->failure = talk->at_first;
        return DIALOGUE_FAILED;
    }
    if (!arcade_is_good(came))
        return fail_call(self, came, ret);
    if (!value_bool(value_find(talk->came.value, "success"), &success))
        return arcade_fail(self, "UPSTREAM_BAD_RESPONSE",
                           "an execution without success or failure");
    if (!success && wants_leave(output))
        return on_leave(self, value_find(output, "authorization"), ret);
    if (value_kind(error) == KIND_MAP) {
        (void)arcade_fail_tool(self, error);
        if (is_kind(error, "TOOL_RUNTIME_BAD_INPUT_VALUE"))
            return arcade_doubt(self, false, ret);
        return is_for_again(error) ? ask_again(self, ret) : DIALOGUE_FAILED;
    }
    if (!success)
        return arcade_fail_tool(self, (struct bytes){0});
    return write_data(self, value_find(output, "value"));
}

static enum dialogue_next on_list(struct dialogue *self, const struct http_response *came,
                                  struct exchange *ret)
{
    if (!arcade_is_good(came))
        return arcade_fail_http(self, came);
    enum dialogue_next next = arcade_take_page(self);
    if (next == DIALOGUE_EXCHANGE)
        return arcade_ask(self, ARCADE_LIST, ret);
    if (next == DIALOGUE_DONE)
        arcade_import(self);
    return next;
}

static enum dialogue_next on_health(struct dialogue *self, const struct http_response *came,
                                    struct exchange *ret)
{
    const struct arcade_talk *talk = self->state;
    bool is_healthy = false;
    (void)ret;
    if (!arcade_is_good(came))
        return arcade_fail_http(self, came);
    if (value_bool(value_find(talk->came.value, "healthy"), &is_healthy) && is_healthy)
        return DIALOGUE_DONE;
    return arcade_fail(self, "UPSTREAM_UNAVAILABLE", "it says that it is not healthy");
}

static enum dialogue_next (*const steps[])(struct dialogue *self, const struct http_response *came,
                                           struct exchange *ret) = {
    [ARCADE_AUTHORIZE] = on_authorize, [ARCADE_POLL] = on_poll,
    [ARCADE_EXECUTE] = on_execute,     [ARCADE_LIST] = on_list,
    [ARCADE_HEALTH] = on_health,       [ARCADE_DESCRIBE] = arcade_on_describe,
};

static enum dialogue_next begin(struct dialogue *self, struct exchange *ret)
{
    struct arcade_talk *talk = self->state;
    if (self->remote->secret[0] == '\0') {
        failure_set(&self->failure, STATUS_CIRCUIT_OPEN, "UNAVAILABLE",
                    "There is no key for Arcade.");
        self->failure.retry_after_ms = NO_KEY_RETRY_MS;
        return DIALOGUE_FAILED;
    }
    if (self->purpose == DIALOGUE_DESCRIBE)
        return arcade_describe(self, ret);
    if (self->purpose != DIALOGUE_CALL)
        return arcade_ask(self, self->purpose == DIALOGUE_LIST ? ARCADE_LIST : ARCADE_HEALTH, ret);
    if (self->tool == NULL) {
        failure_set(&self->failure, STATUS_BAD_REQUEST, "TOOL_NOT_FOUND",
                    "Arcade has no such tool, or not any more.");
        return DIALOGUE_FAILED;
    }
    talk->may_repeat = self->tool->idempotent || self->tool->read_only;
    if (self->tool->needs_authorization && self->user.size == 0) {
        failure_set(&self->failure, STATUS_FORBIDDEN, "AUTH_REQUIRED",
                    "This tool works with a user's leave, and the request names no user.");
        return DIALOGUE_FAILED;
    }
    return arcade_ask(self, self->tool->needs_authorization ? ARCADE_AUTHORIZE : ARCADE_EXECUTE,
                      ret);
}

static enum dialogue_next take(struct dialogue *self, const struct http_response *came,
                               struct exchange *ret)
{
    struct arcade_talk *talk = self->state;
    enum dialogue_next next;
    self->partial = (struct bytes){0};
    json_body_fini(&talk->came);
    const char *reason = came->end == HTTP_ANSWERED
                             ? json_body_read(came->body, ARCADE_NESTING_MAX, &talk->came)
                             : NULL;
    if (reason != NULL && arcade_is_good(came))
        next = arcade_fail(self, "UPSTREAM_BAD_RESPONSE", reason);
    else
        next = steps[talk->step](self, came, ret);
    if (next == DIALOGUE_FAILED)
        arcade_hide_secret(self);
    return next;
}

static void end(struct dialogue *self)
{
    struct arcade_talk *talk = self->state;
    json_body_fini(&talk->came);
    arcade_drop_pages(talk);
    free(talk->body);
    free(talk->leave);
    sodium_memzero(talk->authorization, sizeof talk->authorization);
}

const struct dialect dialect_arcade = {
    .name = "arcade",
    .state_bytes = sizeof(struct arcade_talk),
    .memory_bytes = sizeof(struct arcade_server),
    .has_tools = true,
    .has_health = true,
    .describes = true,
    .begin = begin,
    .take = take,
    .end = end,
};
