/* uncovered - lookups that wait until the asker's own writes have been applied here (cache.md,
 * rule 10).
 *
 * A session token names invalidations; a lookup that carries one this partition has not heard of
 * waits up to UNCOVERED_MS for it. Holds AFTER_PARKED_MAX, in the order they came. Pure. */
#ifndef ACTORS_CACHE_PARTITION_UNCOVERED_H
#define ACTORS_CACHE_PARTITION_UNCOVERED_H

#include "actors/cache_partition/leases.h"
#include "actors/runtime/stamps.h"

#define UNCOVERED_MS 50

/* Invalidations that the asker knows of. */
struct session_token {
    size_t count;
    struct {
        char origin[ORIGIN_BYTES];
        uint64_t number;
    } pairs[AFTER_MAX];
};

/* From the wire: an array of [origin, number]; absent: none.
 *
 * returns  false: anything else, or more than AFTER_MAX */
bool session_token_read(struct bytes value, struct session_token *ret);

bool session_token_covered(const struct session_token *self, const struct stamps *stamps);

/* A lookup put off. */
struct put_off {
    struct waiter waiter; /* its until_at: how long it would wait for a fill, from now on */
    struct lease_key key;
    struct session_token token;
    int64_t until_at;
};

struct uncovered;

struct uncovered *uncovered_new(void); /* NULL: no memory */
void uncovered_destroy(struct uncovered **self);

/* returns  OK, copied; BUSY_FULL */
MUST_USE enum status uncovered_push(struct uncovered *self, const struct put_off *lookup);

/* Take out the next one that is covered, or has waited long enough.
 *
 * at           where to look on from: 0, then as it was left
 * ret_covered  false: it has waited in vain */
bool uncovered_next(struct uncovered *self, const struct stamps *stamps, int64_t now_at,
                    uint32_t *at, struct put_off *ret, bool *ret_covered);

/* Take out one who does not want an answer any more; false: it is not here. */
bool uncovered_withdraw(struct uncovered *self, const struct request *request);

int64_t uncovered_due_at(const struct uncovered *self); /* INT64_MAX: nobody is here */
uint32_t uncovered_count(const struct uncovered *self);

#endif
