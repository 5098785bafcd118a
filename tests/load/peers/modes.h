/* modes - the systems that stand beside ours in the table. Each starts its processes, and returns a
 * client of them for a generator.
 *
 *   mdp            client - broker - worker: a broker as in Majordomo, frames moved, never copied
 *   pack           the same on a packed wire: many pairs to a message of one frame, with a table of
 *                  what is pending, and credit
 *   packchain6     client - broker - driver - partition and back on the packed wire; the driver
 * asks the partition directly nats           client - nats-server - queue group, a write for each
 * message nats_buffered  the same, with libnats' own buffering */
#ifndef TESTS_LOAD_PEERS_MODES_H
#define TESTS_LOAD_PEERS_MODES_H

#include "tests/load/peers/generator.h"

struct mode {
    const char *name, *workload; /* workload: which of ours it stands beside */
    void (*start)(struct generator *generator, bool flag, struct client *ret);
    void (*stop)(void); /* checks at the end; NULL: none */
    bool flag;          /* for start */
};

/* flag: chain */
void packed_start(struct generator *generator, bool is_chain, struct client *ret);
void packed_stop(void);
void mdp_start(struct generator *generator, bool flag, struct client *ret);
/* flag: buffered */
void nats_peer_start(struct generator *generator, bool is_buffered, struct client *ret);

#endif
