/* outgoing - see outgoing.h. */
#include "protocol/outgoing.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/pairs.h"

struct parcel {
    struct parcel *next;
    size_t size;
    char data[];
};

struct outgoing {
    struct parcel *first, **last;
    struct pairs_buffer packed;
    size_t offered; /* bytes of packed that are being sent */
    char bytes[MESSAGE_BYTES_MAX];
};

struct outgoing *outgoing_new(void)
{
    struct outgoing *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->last = &self->first;
    self->packed.data = self->bytes;
    return self;
}

void outgoing_destroy(struct outgoing **self_p)
{
    assert(self_p != NULL);
    if (*self_p != NULL)
        outgoing_clear(*self_p);
    free(*self_p);
    *self_p = NULL;
}

static void drop_first(struct outgoing *self)
{
    struct parcel *parcel = self->first;
    self->first = parcel->next;
    if (self->first == NULL)
        self->last = &self->first;
    free(parcel);
}

void outgoing_clear(struct outgoing *self)
{
    while (self->first != NULL)
        drop_first(self);
    (void)pairs_flush(&self->packed);
}

/* A message of its own, behind the other parcels. */
static void put_parcel(struct outgoing *self, struct bytes head, struct bytes body)
{
    struct parcel *parcel = malloc(sizeof *parcel + head.size + body.size);
    assert(parcel != NULL);
    parcel->next = NULL;
    parcel->size = head.size + body.size;
    memcpy(parcel->data, head.data, head.size);
    if (body.size > 0) /* absent bytes have no pointer */
        memcpy(parcel->data + head.size, body.data, body.size);
    *self->last = parcel;
    self->last = &parcel->next;
}

static void close_packed(struct outgoing *self)
{
    struct bytes gathered = pairs_flush(&self->packed);
    if (gathered.size > 0)
        put_parcel(self, gathered, (struct bytes){0});
}

void outgoing_put(struct outgoing *self, struct bytes head, struct bytes body)
{
    self->offered = 0; /* what was offered and is not sent is offered again, with this */
    if (pairs_is_alone(head.size + body.size)) {
        close_packed(self);
        put_parcel(self, head, body);
        return;
    }
    if (pairs_append(&self->packed, head, body))
        return;
    close_packed(self);
    bool fits = pairs_append(&self->packed, head, body);
    assert(fits);
}

struct bytes outgoing_next(struct outgoing *self)
{
    if (self->first != NULL)
        return (struct bytes){self->first->data, self->first->size};
    if (self->packed.count == 0)
        return (struct bytes){0};
    self->offered = self->packed.size;
    return (struct bytes){self->packed.data, self->packed.size};
}

void outgoing_sent(struct outgoing *self)
{
    if (self->first != NULL) {
        drop_first(self);
        return;
    }
    assert(self->offered == self->packed.size); /* asked for and sent without a pause */
    (void)pairs_flush(&self->packed);
}
