/* outgoing_pairs - see outgoing_pairs.h. */
#include "tests/load/peers/outgoing_pairs.h"

#include <string.h>

#include "tests/load/peers/sockets.h"

static struct outgoing_pairs *first_dirty; /* of this process, which has one thread */

static void flush_one(struct outgoing_pairs *self)
{
    if (self->used == 0)
        return;
    if (self->has_route)
        socket_send_copy(self->socket, self->route, sizeof self->route, true);
    socket_send_copy(self->socket, self->data, self->used, false);
    self->used = 0;
}

void outgoing_flush_all(void)
{
    while (first_dirty != NULL) {
        struct outgoing_pairs *one = first_dirty;
        first_dirty = one->next_dirty;
        one->is_dirty = false;
        flush_one(one);
    }
}

static char *room_for(struct outgoing_pairs *self, size_t size)
{
    if (self->used + size > sizeof self->data)
        flush_one(self);
    if (!self->is_dirty) {
        self->is_dirty = true;
        self->next_dirty = first_dirty;
        first_dirty = self;
    }
    return self->data + self->used;
}

void outgoing_copy(struct outgoing_pairs *self, const struct hand_pair *pair)
{
    memcpy(room_for(self, pair->whole.size), pair->whole.data, pair->whole.size);
    self->used += pair->whole.size;
}

void outgoing_write(struct outgoing_pairs *self, enum hand_kind kind, uint64_t id,
                    struct bytes service, struct bytes body)
{
    char *at = room_for(self, HAND_HEAD_BYTES_MAX + body.size);
    size_t head = hand_write(at, kind, id, service, true, body.size);
    if (body.size > 0)
        memcpy(at + head, body.data, body.size);
    self->used += head + body.size;
}
