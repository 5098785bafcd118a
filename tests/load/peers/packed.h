/* packed - the processes of the packed wire, apart from its client. See modes.h. */
#ifndef TESTS_LOAD_PEERS_PACKED_H
#define TESTS_LOAD_PEERS_PACKED_H

#include "tests/load/peers/outgoing_pairs.h"

/* Who serves "svc": all of them connect to backend. */
extern const struct bytes packed_service, packed_part, packed_client_name;

struct packed_endpoints {
    char frontend[64], backend[64], partition[64];
};

void packed_broker(const void *endpoints);
void packed_worker(const void *endpoints);    /* echoes */
void packed_driver(const void *endpoints);    /* asks the partition for each request */
void packed_partition(const void *endpoints); /* echoes */

#endif
