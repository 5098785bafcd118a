/* leases - who computes a missing value, and who waits for it (cache.md, rule 3, "Misses").
 *
 * A key has one lease at a time. Those who ask for it meanwhile are parked behind it, in the order
 * they came, PARKED_PER_KEY_MAX a key and PARKED_MAX in all; what each is told, its owner decides.
 * A lease lasts twice the 99th percentile of recent fills, LEASE_MS_MIN to LEASE_MS_MAX.
 * Pure: owns its memory, taken at start; never replies, knows no clock. */
#ifndef ACTORS_CACHE_PARTITION_LEASES_H
#define ACTORS_CACHE_PARTITION_LEASES_H

#include "actors/cache_partition/store.h"
#include "actors/runtime/actor.h"

#define LEASE_MS_FIRST 10000 /* until FILLS_MIN have been seen */
#define LEASE_MS_MIN 1000
#define LEASE_MS_MAX 30000

/* One who waits. */
struct waiter {
    struct request request;
    int64_t until_at; /* waits no longer; at most its deadline */
    uint64_t max_age_ms;
    bool stale_ok;
};

/* A key that outlives the lease it came from. */
struct lease_key {
    size_t size;
    char data[STORE_KEY_BYTES_MAX];
};

struct leases_limits {
    uint32_t leases, parked, parked_per_key;
};

struct leases_counts {
    uint32_t leases, parked; /* now */
    uint64_t lapsed;         /* leases that nobody gave back in time */
};

struct leases;

/* seed     secret: of the tables' hashes
 * returns  NULL: no memory */
struct leases *leases_new(const struct leases_limits *limits, uint64_t seed);
void leases_destroy(struct leases **self);

/* True if a lease on this key is out. */
bool leases_held(const struct leases *self, struct bytes key);

/* Give out the lease on a key that is not held.
 *
 * version  the clock now
 * token    not 0; hard to guess
 * returns  when it lapses; 0: LEASES_MAX are out */
int64_t leases_grant(struct leases *self, struct bytes key, uint64_t version, uint64_t token,
                     int64_t now_at);

/* True if this is the token of the lease that is out.
 *
 * ret_version, ret_given_at  of the grant; written only if true */
bool leases_current(const struct leases *self, struct bytes key, uint64_t token,
                    uint64_t *ret_version, int64_t *ret_given_at);

/* End the lease on a key that is held; those parked stay. */
void leases_end(struct leases *self, struct bytes key, int64_t now_at);

/* Park one who asked, behind a lease that is out.
 *
 * returns  OK; BUSY_FULL: too many wait, for this key or in all */
MUST_USE enum status leases_park(struct leases *self, struct bytes key,
                                 const struct waiter *waiter);

uint32_t leases_parked(const struct leases *self, struct bytes key);

/* Take out the one who has waited longest for a key; false: none waits. */
bool leases_unpark(struct leases *self, struct bytes key, struct waiter *ret);

/* Take out one who does not want an answer any more; false: it is not here. */
bool leases_withdraw(struct leases *self, const struct request *request);

/* When the next one lapses or has waited long enough; INT64_MAX: nothing is here. */
int64_t leases_due_at(const struct leases *self);

enum leases_due {
    LEASES_NOTHING,
    LEASES_LAPSED,    /* a lease; it is ended */
    LEASES_WAITED_OUT /* one who was parked; it is taken out */
};

/* Take out one thing that is due: call until nothing is.
 *
 * ret_key     of what was due
 * ret_waiter  written only with WAITED_OUT */
enum leases_due leases_next_due(struct leases *self, int64_t now_at, struct lease_key *ret_key,
                                struct waiter *ret_waiter);

const struct leases_counts *leases_counts(const struct leases *self);

#endif
