/* outgoing_pairs - what has gathered for one peer in a turn, to leave as one message. */
#ifndef TESTS_LOAD_PEERS_OUTGOING_PAIRS_H
#define TESTS_LOAD_PEERS_OUTGOING_PAIRS_H

#include "tests/load/peers/envelope_by_hand.h"

#define OUTGOING_BYTES_MAX 32768u
#define ROUTE_BYTES 5u /* a routing id that libzmq has made */

struct outgoing_pairs {
    void *socket;
    bool has_route; /* a ROUTER's peer */
    char route[ROUTE_BYTES];
    bool is_dirty;
    struct outgoing_pairs *next_dirty;
    size_t used;
    char data[OUTGOING_BYTES_MAX];
};

/* A pair as it came, patched. */
void outgoing_copy(struct outgoing_pairs *self, const struct hand_pair *pair);

/* A new pair. */
void outgoing_write(struct outgoing_pairs *self, enum hand_kind kind, uint64_t id,
                    struct bytes service, struct bytes body);

/* End of a turn: one message to each peer that something has gathered for. */
void outgoing_flush_all(void);

#endif
