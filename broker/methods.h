/* methods - what is served, and by which workers: the lanes of queues. Pure.
 *
 * A lane is a method of a role; for each role there is one more, of `*`, for whatever has no lane
 * of its own. A worker is a number below WORKERS_MAX. Owns  LANES_MAX lanes, taken at start: one
 * that nobody serves any more is kept as long as there is room, so that its clients are told to
 * come again. */
#ifndef BROKER_METHODS_H
#define BROKER_METHODS_H

#include "actors/runtime/actor.h" /* struct name */
#include "actors/runtime/breaker.h"
#include "broker/estimates.h"

#define LANES_MAX (METHODS_KNOWN_MAX + ROLE_COUNT)
#define WORKER_WORDS (WORKERS_MAX / 64)

/* A set of workers. */
struct crew {
    uint64_t words[WORKER_WORDS];
};

struct lane {
    enum role role; /* ROLE_NONE: free */
    struct name name;
    struct crew crew;         /* who lists it */
    struct quantiles time;    /* from dispatch to reply */
    struct quantiles service; /* as the workers say */
    uint32_t chunk_worker;    /* stay with this one ... */
    uint32_t chunk_left;      /* ... for so many more ... */
    uint32_t chunk_turn;      /* ... in this turn */
    struct breaker breaker;   /* without a rule: not used yet */
    uint32_t waiting;         /* requests in a slot: it may not be taken away */
    uint32_t next;            /* in its chain */
};

struct methods;

struct methods *methods_new(void);
void methods_destroy(struct methods **self_p);

/* The lane that a request of this method goes in: its own, or `*`'s where a worker serves every
 * method; NONE of list.h: nobody ever listed it. */
uint32_t methods_find(const struct methods *self, enum role role, struct bytes name);

/* This worker serves the method from now on; returns its lane, NONE: there is no room. */
uint32_t methods_serve(struct methods *self, enum role role, struct bytes name, uint32_t worker);
void methods_leave(struct methods *self, uint32_t lane, uint32_t worker);

struct lane *methods_lane(struct methods *self, uint32_t lane); /* lent for good */

uint32_t methods_count(const struct methods *self); /* lanes taken, but those of `*` */

/* Everybody who serves it: who lists it, and who lists `*`. */
struct crew methods_crew(const struct methods *self, uint32_t lane);

void crew_put(struct crew *self, uint32_t worker, bool in);
bool crew_has(const struct crew *self, uint32_t worker);
struct crew crew_both(const struct crew *left, const struct crew *right);
uint32_t crew_count(const struct crew *self);
bool crew_is_empty(const struct crew *self);

/* Take the lowest number out; NONE: it is empty. while ((worker = crew_next(&copy)) != NONE) */
uint32_t crew_next(struct crew *self);

#endif
