/* relays - questions that the broker has passed on to an instance, and whose answers they are.
 * Pure.
 *
 * Owns  RELAYS_MAX entries. The number that a worker sees can be that of no request: its high half
 * is above that of every slot. */
#ifndef BROKER_RELAYS_H
#define BROKER_RELAYS_H

#include "protocol/envelope.h"

struct relay {
    bool taken;
    uint32_t generation;
    uint32_t asker, worker; /* sessions of both */
    uint64_t asker_id;
};

struct relays {
    uint32_t generation; /* of the next; set at start */
    struct relay entries[RELAYS_MAX];
};

/* Keep one; NULL: there is no room. */
struct relay *relays_add(struct relays *self, uint32_t asker, uint64_t asker_id, uint32_t worker);

uint64_t relays_id(const struct relays *self, const struct relay *relay);
struct relay *relays_find(struct relays *self, uint64_t id); /* NULL: none, or ended */
uint32_t relays_index(const struct relays *self, const struct relay *relay);

/* True of an id that was made here, whether it has ended or not. */
bool relays_is_id(uint64_t id);

#endif
