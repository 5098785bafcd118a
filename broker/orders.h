/* orders - requests that are executed one after the other, as they came, for each key. Pure.
 *
 * Owns  a place for each slot, taken at start. A line is what one tenant asks of one lane under one
 *       key: the first of it has its turn, the others wait. */
#ifndef BROKER_ORDERS_H
#define BROKER_ORDERS_H

#include "protocol/envelope.h"

struct orders;

/* seed: random, and told to nobody: keys are their clients' choice. */
struct orders *orders_new(uint32_t slots_max, uint64_t seed);
void orders_destroy(struct orders **self_p);

enum turn {
    TURN_NOW, /* it is the first of its line */
    TURN_LATER,
    TURN_NEVER /* ORDER_LINE_MAX are in its line: it is not put there */
};

/* What orders_join() would say. */
enum turn orders_ask(struct orders *self, uint32_t lane, struct bytes tenant, uint64_t key);

/* Put one at the end of its line. */
enum turn orders_join(struct orders *self, uint32_t slot, uint32_t lane, struct bytes tenant,
                      uint64_t key);

/* Take one out, wherever it stands. Returns whose turn it is now; NONE of list.h: nobody's. */
uint32_t orders_leave(struct orders *self, uint32_t slot);

bool orders_is_in(const struct orders *self, uint32_t slot);
uint32_t orders_waiting(const struct orders *self); /* those whose turn it is not */

/* The most lines that are looked through to find one. */
uint32_t orders_longest_chain(const struct orders *self);

#endif
