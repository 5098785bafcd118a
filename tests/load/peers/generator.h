/* generator - a closed loop on some other system's client: so many requests under way, the next one
 * leaves when one is answered. Each payload begins with when it was sent, and must come back whole.
 *
 * It measures as fact-bench does, and prints the same document. */
#ifndef TESTS_LOAD_PEERS_GENERATOR_H
#define TESTS_LOAD_PEERS_GENERATOR_H

#include "tests/load/cost.h"
#include "tests/load/outcomes.h"

#define PAYLOAD_BYTES_MAX 2048u

/* A client of the system that is measured. */
struct client {
    void *self;
    void (*send)(void *self, const char *payload, size_t size);
    void (*flush)(void *self); /* what was sent leaves; NULL: it has */
    /* Wait so long for replies, and hand what has come to generator_take(). */
    void (*receive)(void *self, int64_t timeout_us);
};

struct generator {
    const struct client *client;
    uint32_t window;
    size_t size; /* of a payload */
    int64_t warmup_us, measure_us;
    struct cost *cost;
    struct outcomes outcomes;
    uint64_t completed;
    unsigned invalid;
    /* while it runs */
    int64_t from_at, to_at;
    uint32_t under_way;
    bool stopping;
    char payload[PAYLOAD_BYTES_MAX];
};

/* One reply has come; may send the next. */
void generator_take(struct generator *self, const char *payload, size_t size);

/* Until the measured time is over and all is answered.
 *
 * returns  false: no reply within PATIENCE_US, or one that nobody asked for */
bool generator_run(struct generator *self);

int64_t generator_now_at(void); /* monotonic microseconds */

#endif
