/* outbox - what is ready for each peer gathers here, and leaves when the turn ends as one message
 * for each. Order is kept per peer. Pure: carrying away is the owner's.
 *
 * Owns  buffers_max buffers, taken at start. A peer takes one when something is ready for it and
 *       gives it back when it is sent; if all are taken, the one taken first is sent early, which
 *       costs a message and no answer. A peer is a place: a number of the caller's. */
#ifndef BROKER_OUTBOX_H
#define BROKER_OUTBOX_H

#include <zmq.h>

#include "protocol/pairs.h"

struct outbox;

/* Carry one message away, or see to it that it cannot. It may put more in, for any place, as long
 * as that comes to an end. message is closed by the caller. */
typedef void outbox_carry(void *owner, uint32_t place, zmq_msg_t *message);

/* places_max: their numbers are below it. */
struct outbox *outbox_new(uint32_t places_max, uint32_t buffers_max, outbox_carry *carry,
                          void *owner);
void outbox_destroy(struct outbox **self_p);

/* Send one pair of ours: gathered, or a large one at once, behind what is gathered. */
void outbox_put(struct outbox *self, uint32_t place, const struct header *header,
                struct bytes body);

/* The same with a pair that is encoded already, and not alone. */
void outbox_put_encoded(struct outbox *self, uint32_t place, struct bytes pair);

/* The same with a pair that is a message of its own. The caller keeps it; a large one is shared
 * with libzmq from now on, and so may not be patched again. */
void outbox_pass(struct outbox *self, uint32_t place, zmq_msg_t *message);

/* Send what has gathered: for all, or for one. */
void outbox_flush(struct outbox *self);
void outbox_flush_place(struct outbox *self, uint32_t place);

/* Peers for whom something has gathered. */
uint32_t outbox_used(const struct outbox *self);

static inline struct bytes frame_bytes(zmq_msg_t *message)
{
    return (struct bytes){.data = zmq_msg_data(message), .size = zmq_msg_size(message)};
}

/* Let nobody else hold the bytes of a message, so that they can be patched: what libzmq shares may
 * still be on its way. Returns them. */
char *frame_own(zmq_msg_t *message);

/* Make a new message of these bytes, one behind the other. */
void frame_copy(zmq_msg_t *message, struct bytes head, struct bytes body);

/* Make a new message of one pair. */
void frame_encode(zmq_msg_t *message, const struct header *header, struct bytes body);

/* True if a pair can go on in the message that it came in: it is large, has that to itself, and can
 * be patched there. (A received message pins the whole 8 KiB buffer that libzmq read it into; a
 * small pair is not worth that.) */
bool frame_is_moved(zmq_msg_t *message, const struct pair *pair);

#endif
