/* dialogue - see dialogue.h: what dialects share. */
#include "actors/arcade_gateway/dialogue.h"

#include <assert.h>
#include <string.h>

#include "protocol/value.h"

/* Of an exchange that came to no answer, by whether the other side may have seen it. */
static const struct {
    enum status sent, not_sent;
    const char *code, *code_not_sent;
} ends[] = {
    [HTTP_NO_CONNECTION] = {STATUS_CIRCUIT_OPEN, STATUS_CIRCUIT_OPEN, "UNAVAILABLE", "UNAVAILABLE"},
    [HTTP_TLS] = {STATUS_CIRCUIT_OPEN, STATUS_CIRCUIT_OPEN, "UNAVAILABLE", "UNAVAILABLE"},
    [HTTP_LOST] = {STATUS_APP_ERROR, STATUS_CIRCUIT_OPEN, "UPSTREAM_UNAVAILABLE", "UNAVAILABLE"},
    [HTTP_LATE] = {STATUS_DEADLINE_RUNNING, STATUS_DEADLINE_QUEUED, "TIMEOUT", "TIMEOUT"},
    [HTTP_TOO_LARGE] = {STATUS_APP_ERROR, STATUS_APP_ERROR, "LIMIT", "LIMIT"},
    [HTTP_MALFORMED] = {STATUS_APP_ERROR, STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE",
                        "UPSTREAM_BAD_RESPONSE"},
    [HTTP_DENIED] = {STATUS_FORBIDDEN, STATUS_FORBIDDEN, "FORBIDDEN", "FORBIDDEN"},
};

enum dialogue_next dialogue_fail_unanswered(struct dialogue *self, const char *who,
                                            const struct http_response *came)
{
    assert(came->end != HTTP_ANSWERED);
    failure_set(&self->failure, came->sent ? ends[came->end].sent : ends[came->end].not_sent,
                came->sent ? ends[came->end].code : ends[came->end].code_not_sent, "%s: %s", who,
                came->reason);
    if (self->failure.status == STATUS_CIRCUIT_OPEN)
        self->failure.retry_after_ms = DIALOGUE_RETRY_AFTER_MS;
    return DIALOGUE_FAILED;
}

bool dialogue_text(struct bytes map, const char *key, char *out, size_t size)
{
    struct bytes text;
    out[0] = '\0';
    if (!value_text(value_find(map, key), &text) || text.size == 0 ||
        memchr(text.data, '\0', text.size) != NULL)
        return false;
    size_t length = text.size < size ? text.size : size - 1;
    for (int i = 0; i < 3 && !cursor_is_utf8((struct bytes){text.data, length}); i++)
        length--; /* to the end of a character */
    memcpy(out, text.data, length);
    out[length] = '\0';
    return true;
}
