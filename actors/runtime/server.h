/* server - those who have connected to this process, and what is said with each. Pure: messages and
 * time in; requests for its owner, and messages to send, out. The other end of a session.
 *
 * A peer is a routing id's number. It greets, keeps to the credit it was given, beats, and is
 * forgotten when it is silent or gone; who has not greeted is told to. source: docs/protocol.md */
#ifndef ACTORS_RUNTIME_SERVER_H
#define ACTORS_RUNTIME_SERVER_H

#include "protocol/message.h"
#include "protocol/pairs.h"
#include "protocol/session.h"

#define SERVER_HEARTBEAT_MS 1000u
#define SERVER_DEAD_MS 3000u

struct server;

/* NULL: not wanted. All are called from server_take() and server_tick(), and may call back. */
struct server_owner {
    void *self;
    void (*on_request)(void *self, uint64_t peer,
                       const struct pair *pair); /* good or bad, with id */
    void (*on_cancel)(void *self, uint64_t peer, uint64_t id);
    void (*on_query)(void *self, uint64_t peer, const struct pair *pair);
    void (*on_gone)(void *self, uint64_t peer); /* what it has asked needs no answer */

    /* Send one message.
     *
     * returns  OK; WORKER_LOST: nobody is there; BUSY_FULL: it takes no more now */
    enum status (*send)(void *self, uint64_t peer, struct bytes message);
};

struct server_config {
    struct bytes instance; /* copied */
    uint32_t generation;
    uint32_t peers_max;
    uint32_t credit; /* REQUESTs that one peer may have open */
};

struct server *server_new(const struct server_config *config, const struct server_owner *owner);
void server_destroy(struct server **self_p);

/* Take one message in. Returns its cost in pairs, at least 1. */
unsigned server_take(struct server *self, uint64_t peer, struct bytes message, int64_t now_at);

/* Answer a REQUEST, which grants the peer one more, or a QUERY (grants false); dropped if the peer
 * is gone.
 *
 * returns  OK; TOO_LARGE: the body must be shorter; nothing was sent */
MUST_USE enum status server_reply(struct server *self, uint64_t peer, const struct header *header,
                                  struct bytes body, bool grants);

/* A message has come from one who may not be here: it is sent away, and may greet again.
 *
 * reason  what to change */
void server_turn_away(struct server *self, uint64_t peer, const char *reason);

/* From now on every REQUEST is refused with DRAINING. */
void server_drain(struct server *self);

/* It takes REQUESTs again. */
void server_undrain(struct server *self);

/* Beat, and forget the silent. */
void server_tick(struct server *self, int64_t now_at);
int64_t server_due_at(const struct server *self);

/* Send all that is ready. What a peer does not take is dropped, and counted. */
void server_flush(struct server *self);

uint32_t server_count(const struct server *self); /* of peers that have greeted */

struct server_counts {
    uint64_t malformed, strangers, refused, dropped, silent;
};
const struct server_counts *server_counts(const struct server *self);

#endif
