/* subscriber - the events of one broker: a SUB to its events endpoint, which finds it again when it
 * comes back, has another key, or has refused ours for a while.
 *
 * Owns  the socket. Never does: look into an event. */
#ifndef ACTORS_RUNTIME_SUBSCRIBER_H
#define ACTORS_RUNTIME_SUBSCRIBER_H

#include "actors/runtime/inlet.h"
#include "protocol/curve_key.h"

struct subscriber;

struct subscriber_config {
    void *zmq; /* context */
    const char *endpoint;
    int reconnect_ms;
    const struct curve_pair *own;        /* its key, kept by the owner; NULL: not encrypted */
    const struct curve_servers *servers; /* with own: whom it may find there; copied ... */
    uint32_t first;                      /* ... and whom of them most likely */
    const char *const *topics;           /* prefixes, up to a NULL */
};

/* NULL: it is no endpoint; reason: SOCKET_REASON_BYTES. */
struct subscriber *subscriber_open(const struct subscriber_config *config, char *reason);
void subscriber_close(struct subscriber **self_p);

/* The pair of the next event; false: none now.
 *
 * ret  initialised; its content is replaced */
bool subscriber_take(struct subscriber *self, zmq_msg_t *ret);

/* Once a turn: is it to be connected anew? */
void subscriber_tick(struct subscriber *self, int64_t now_at);

void subscriber_watch(struct subscriber *self, struct inlets *inlets);

#endif
