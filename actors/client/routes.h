/* routes - the brokers that a handle knows, and which of them it is to use. Pure.
 *
 * Some were given, the others were named by a broker's WELCOME or GOAWAY. Each handle puts them in
 * an order of its own, by hash, so that handles spread over all brokers and those of one that dies
 * over the rest. source: Thaler and Ravishankar, Using name-based mappings to increase hit rates,
 * 1998 (rendezvous). Owns  at most BROKERS_MAX endpoints. */
#ifndef ACTORS_CLIENT_ROUTES_H
#define ACTORS_CLIENT_ROUTES_H

#include "protocol/envelope.h"

#define ROUTE_NONE UINT32_MAX

struct route {
    char endpoint[ENDPOINT_BYTES_MAX + 1];
    char name[ENDPOINT_BYTES_MAX + 1]; /* what the broker itself calls it; empty: not known yet */
    char instance[NAME_BYTES_MAX + 1]; /* of the broker greeted last; empty: none yet */
    uint64_t generation;               /* of its process; 0: not greeted yet */
    uint64_t order;                    /* the highest is the first choice */
    bool held;                         /* by a line of the handle */
    bool refused;                      /* it wants none of us */
    bool same;                         /* it is the broker of another route */
    int64_t leaves_until_at;           /* it has said that it goes: not used before this time */
    int64_t tried_at;                  /* when it was given up last; INT64_MIN: never */
    int64_t learned_at;                /* of the two below */
    enum request_class admit_level;
    uint32_t queue_us; /* smoothed */
};

struct routes {
    uint32_t count;
    uint64_t seed;
    struct route entries[BROKERS_MAX];
};

/* Endpoints with commas. seed: of the handle, at random.
 *
 * returns  false: none, one that is no endpoint or too long, or too many */
bool routes_init(struct routes *self, const char *endpoints, uint64_t seed);

/* One that a broker has named; known ones and what does not fit are passed over. */
void routes_add(struct routes *self, struct bytes endpoint);

/* The one that is to be taken up next: the first in order of those tried longest ago; ROUTE_NONE:
 * all are held or of no use. */
uint32_t routes_next(const struct routes *self);

uint32_t routes_usable(const struct routes *self); /* how many are not refused, and not the same */

/* It could not be connected to: others come first. for_good: it never can be. */
void routes_give_up(struct routes *self, uint32_t route, bool for_good, int64_t now_at);

/* The broker of this route is lost: another address of its may lead to it still. */
void routes_forget_same(struct routes *self, uint32_t route);

/* A reply came from there. */
void routes_learn(struct routes *self, uint32_t route, const struct header *reply, int64_t now_at);

/* Whether a request of this class goes rather to the second, as far as replies tell: where the
 * first leaves, or refuses the class, or lets wait twice as long. What was learned fades in a
 * second. */
bool routes_prefers(const struct routes *self, uint32_t second, uint32_t first,
                    enum request_class class, int64_t now_at);

#endif
