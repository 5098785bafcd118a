/* keeps - replies that are held until their clients say that they have them, and the clients that
 * they are held for: by session, since its connection may be gone. Pure.
 *
 * Owns  keepers_max clients, and replies_max replies with their bytes, at most bytes_max in all and
 *       KEEPER_REPLIES_MAX and KEEPER_BYTES_MAX of one client. */
#ifndef BROKER_KEEPS_H
#define BROKER_KEEPS_H

#include "broker/outbox.h"
#include "protocol/session.h" /* SESSION_ID_BYTES */

struct keeps;

struct kept {
    uint32_t keeper;   /* NONE of list.h: free */
    uint32_t identity; /* of identities.h; NONE: it cannot be asked for by a key */
    uint64_t client_id;
    zmq_msg_t pair; /* as it was sent, or would have been */
};

/* seed: random, and told to nobody: a session is its peer's choice. */
struct keeps *keeps_new(uint32_t keepers_max, uint32_t replies_max, uint64_t bytes_max,
                        uint64_t seed);
void keeps_destroy(struct keeps **self_p);

/* The client of this session; NONE: nothing is held for it. */
uint32_t keeps_find(const struct keeps *self, const char *session);

/* The same; a new one if there is none; NONE: there is no room. */
uint32_t keeps_open(struct keeps *self, const char *session);
/* A new one that no session is found by: for replies that are asked for by their keys alone. */
uint32_t keeps_open_for_nobody(struct keeps *self);
bool keeps_is_nobodys(const struct keeps *self, uint32_t keeper);

const char *keeps_session(const struct keeps *self, uint32_t keeper); /* SESSION_ID_BYTES */
void keeps_close(struct keeps *self, uint32_t keeper);                /* nothing is held for it */

/* Whether a reply of so many bytes may be held for it.
 *
 * ret_victim  the oldest of its own, which is in the way: drop it and ask again; NONE: none is
 * returns     true: yes; false with NONE: no */
bool keeps_has_room(const struct keeps *self, uint32_t keeper, size_t bytes, uint32_t *ret_victim);

/* Hold one; there must be room. Returns its number, below replies_max. */
uint32_t keeps_put(struct keeps *self, uint32_t keeper, uint64_t client_id,
                   const struct header *header, struct bytes body);
void keeps_drop(struct keeps *self, uint32_t reply);
/* It is held for another client from now on, as its newest, however much that has. */
void keeps_move(struct keeps *self, uint32_t reply, uint32_t keeper);
struct kept *keeps_at(struct keeps *self, uint32_t reply);

/* Those of one client, the oldest first; NONE: no more. */
uint32_t keeps_first(const struct keeps *self, uint32_t keeper);
uint32_t keeps_next(const struct keeps *self, uint32_t reply);

uint32_t keeps_keepers(const struct keeps *self);
uint32_t keeps_replies(const struct keeps *self);
uint64_t keeps_bytes(const struct keeps *self);

#endif
