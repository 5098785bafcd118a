/* identities - which requests are the same: one tenant, role, method and idempotency key. Pure.
 *
 * Owns  identities_max entries, taken at start. An entry names its holder, a number of the
 *       caller's: where the request, or its answer, is. It is compared byte for byte, and the
 *       hash has a seed of this process: nobody gets at another tenant's answer by a collision. */
#ifndef BROKER_IDENTITIES_H
#define BROKER_IDENTITIES_H

#include "protocol/envelope.h"

struct identities;

/* What names a request; all borrowed. key: IDEMPOTENCY_KEY_BYTES. */
struct identity {
    enum role role;
    struct bytes method, tenant, key;
    uint64_t content; /* a hash of body and user */
};

struct identities *identities_new(uint32_t identities_max, uint64_t seed);
void identities_destroy(struct identities **self_p);

/* The identity of a request that has a key. */
struct identity identities_of(const struct identities *self, const struct header *header,
                              struct bytes body);

/* The entry of the same request; NONE of list.h: there is none. */
uint32_t identities_find(const struct identities *self, const struct identity *identity);

/* Enter one that is not there yet; returns its entry, NONE: there is no room. */
uint32_t identities_add(struct identities *self, const struct identity *identity, uint32_t holder);
void identities_remove(struct identities *self, uint32_t entry);

uint32_t identities_holder(const struct identities *self, uint32_t entry);
void identities_move(struct identities *self, uint32_t entry, uint32_t holder);

/* False: the same key asks for something else now, which is a fault of its client's. */
bool identities_agrees(const struct identities *self, uint32_t entry,
                       const struct identity *identity);

uint32_t identities_count(const struct identities *self);

#endif
