/* handshakes - see handshakes.h. */
#include "protocol/handshakes.h"

#include <assert.h>
#include <stddef.h>

void handshakes_init(struct handshakes *self, uint32_t keys)
{
    *self = (struct handshakes){.keys = keys, .again_at = INT64_MAX};
}

void handshakes_begin(struct handshakes *self)
{
    self->failed = HANDSHAKES_NONE;
    self->again_at = INT64_MAX;
}

bool handshakes_hear(struct handshakes *self, uint16_t event, int64_t now_at)
{
    if (event == HANDSHAKES_GOOD)
        handshakes_begin(self);
    if ((event & HANDSHAKES_EVENTS) == 0 || event == HANDSHAKES_GOOD)
        return false;
    self->failed = (enum handshakes_event)event;
    if (event == HANDSHAKES_CLOSED && self->keys == 0)
        return false; /* libzmq connects again, and could do nothing better */
    if (self->again_at != INT64_MAX)
        return false; /* later ones must not put it off */
    self->again_at = now_at + HANDSHAKES_AGAIN_US;
    return true;
}

bool handshakes_are_due(struct handshakes *self, int64_t now_at)
{
    if (now_at < self->again_at)
        return false;
    self->again_at = INT64_MAX;
    /* Who says that our key is not allowed has the key that we thought. */
    if (self->keys > 0 && self->failed != HANDSHAKES_REFUSED)
        self->key = (self->key + 1) % self->keys;
    assert(self->keys == 0 || self->key < self->keys);
    return true;
}

const char *handshakes_refusal(const struct handshakes *self)
{
    if (self->failed == HANDSHAKES_NONE)
        return NULL;
    if (self->failed == HANDSHAKES_REFUSED)
        return "it does not allow our key: see its allow list";
    return self->keys == 0 ? "it may want a key of us"
                           : "it has another key, or none: see the server key";
}
