/* outbox - see outbox.h. */
#include "broker/outbox.h"

#include <stdlib.h>
#include <string.h>

#include "broker/list.h"

struct buffer {
    uint32_t place;
    struct pairs_buffer pairs;
};

struct outbox {
    outbox_carry *carry;
    void *owner;
    uint32_t places_max, buffers_max, used;
    uint32_t *buffer_of; /* by place; NONE: nothing has gathered */
    struct buffer *buffers;
    struct link *links; /* by buffer; then two sentinels: free ones, and taken ones in order */
    char *bytes;        /* MESSAGE_BYTES_MAX a buffer; touched only as they are used */
};

static void *take_memory(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    assert(memory != NULL);
    return memory;
}

struct outbox *outbox_new(uint32_t places_max, uint32_t buffers_max, outbox_carry *carry,
                          void *owner)
{
    assert(carry != NULL);
    assert(buffers_max > 0);
    struct outbox *self = take_memory(1, sizeof *self);
    *self = (struct outbox){carry, owner, places_max, buffers_max, 0, NULL, NULL, NULL, NULL};
    self->buffer_of = take_memory(places_max, sizeof self->buffer_of[0]);
    self->buffers = take_memory(buffers_max, sizeof self->buffers[0]);
    self->links = take_memory(buffers_max + 2, sizeof self->links[0]);
    self->bytes = take_memory(buffers_max, MESSAGE_BYTES_MAX);
    memset(self->buffer_of, UINT8_MAX, places_max * sizeof self->buffer_of[0]);
    list_out_all(self->links, 0, buffers_max);
    list_clear_all(self->links, buffers_max, buffers_max + 2);
    for (uint32_t at = 0; at < buffers_max; at++) {
        self->buffers[at].pairs.data = self->bytes + (size_t)at * MESSAGE_BYTES_MAX;
        list_put_before(self->links, at, buffers_max);
    }
    return self;
}

void outbox_destroy(struct outbox **self_p)
{
    assert(self_p != NULL);
    struct outbox *self = *self_p;
    if (self == NULL)
        return;
    free(self->buffer_of);
    free(self->buffers);
    free(self->links);
    free(self->bytes);
    free(self);
    *self_p = NULL;
}

void frame_copy(zmq_msg_t *message, struct bytes head, struct bytes body)
{
    int rc = zmq_msg_init_size(message, head.size + body.size);
    assert(rc == 0);
    char *at = zmq_msg_data(message);
    memcpy(at, head.data, head.size);
    if (body.size > 0) /* absent bytes have no pointer, and memcpy wants one */
        memcpy(at + head.size, body.data, body.size);
}

char *frame_own(zmq_msg_t *message)
{
    if (zmq_msg_get(message, ZMQ_SHARED)) {
        zmq_msg_t own;
        frame_copy(&own, frame_bytes(message), (struct bytes){0});
        zmq_msg_move(message, &own);
        zmq_msg_close(&own);
    }
    return zmq_msg_data(message);
}

void frame_encode(zmq_msg_t *message, const struct header *header, struct bytes body)
{
    char head[PAIR_HEAD_BYTES_MAX];
    size_t head_bytes = pairs_encode_head(header, body, head);
    frame_copy(message, (struct bytes){head, head_bytes}, body);
}

bool frame_is_moved(zmq_msg_t *message, const struct pair *pair)
{
    size_t size = pair->whole.size;
    return pair->header.canonical && pairs_is_alone(size) && zmq_msg_size(message) == size;
}

/* The buffer is free before its message is carried: what that sets off may gather anew. */
static void send_buffer(struct outbox *self, uint32_t index)
{
    zmq_msg_t message;
    struct buffer *buffer = &self->buffers[index];
    uint32_t place = buffer->place;
    frame_copy(&message, pairs_flush(&buffer->pairs), (struct bytes){0});
    self->buffer_of[place] = NONE;
    list_take_out(self->links, index);
    list_put_first(self->links, index, self->buffers_max); /* its memory is warm */
    self->used--;
    self->carry(self->owner, place, &message);
    zmq_msg_close(&message);
}

/* What carrying sets off may take the buffer that has come free, or one for this very place. */
static struct buffer *buffer_for(struct outbox *self, uint32_t place)
{
    assert(place < self->places_max);
    uint32_t free_list = self->buffers_max, taken = self->buffers_max + 1;
    while (self->buffer_of[place] == NONE && list_is_empty(self->links, free_list))
        send_buffer(self, self->links[taken].next);
    if (self->buffer_of[place] != NONE)
        return &self->buffers[self->buffer_of[place]];
    uint32_t index = self->links[free_list].next;
    list_take_out(self->links, index);
    list_put_before(self->links, index, taken);
    self->used++;
    self->buffer_of[place] = index;
    self->buffers[index].place = place;
    return &self->buffers[index];
}

/* What carrying sets off may fill the next buffer of this place, too. Each time it has sent one;
 * its owner sees to it that this ends. */
static void gather(struct outbox *self, uint32_t place, struct bytes head, struct bytes body)
{
    while (!pairs_append(&buffer_for(self, place)->pairs, head, body))
        outbox_flush_place(self, place);
}

/* What was ready for the peer before must not be overtaken. Closes message. */
static void carry_alone(struct outbox *self, uint32_t place, zmq_msg_t *message)
{
    outbox_flush_place(self, place);
    self->carry(self->owner, place, message);
    zmq_msg_close(message);
}

void outbox_put(struct outbox *self, uint32_t place, const struct header *header, struct bytes body)
{
    zmq_msg_t alone;
    char head[PAIR_HEAD_BYTES_MAX];
    size_t head_bytes = pairs_encode_head(header, body, head);
    if (!pairs_is_alone(head_bytes + body.size)) {
        gather(self, place, (struct bytes){head, head_bytes}, body);
        return;
    }
    frame_copy(&alone, (struct bytes){head, head_bytes}, body);
    carry_alone(self, place, &alone);
}

void outbox_put_encoded(struct outbox *self, uint32_t place, struct bytes pair)
{
    gather(self, place, pair, (struct bytes){0});
}

void outbox_pass(struct outbox *self, uint32_t place, zmq_msg_t *message)
{
    zmq_msg_t shared;
    struct bytes pair = frame_bytes(message);
    if (!pairs_is_alone(pair.size)) {
        gather(self, place, pair, (struct bytes){0});
        return;
    }
    zmq_msg_init(&shared);
    zmq_msg_copy(&shared, message);
    carry_alone(self, place, &shared);
}

void outbox_flush_place(struct outbox *self, uint32_t place)
{
    assert(place < self->places_max);
    if (self->buffer_of[place] != NONE)
        send_buffer(self, self->buffer_of[place]);
}

/* What carrying sets off may gather again, behind the others; so at most as many as there are now.
 */
void outbox_flush(struct outbox *self)
{
    for (uint32_t left = self->used; left > 0 && self->used > 0; left--)
        send_buffer(self, self->links[self->buffers_max + 1].next);
}

uint32_t outbox_used(const struct outbox *self)
{
    return self->used;
}
