/* lines - what each tenant has waiting in each rank, a class of a role: how much, and who has the
 * most. Pure.
 *
 * Of a rank TENANTS_APART_MAX tenants have lines of their own. One more shares: it joins the
 * shortest of TENANTS_DEALT lines that are dealt to it out of TENANTS_SHARED, so that a flood meets
 * few others in all of theirs. source: Kubernetes, API priority and fairness, shuffle sharding
 *
 * A line is a number. Owns  lines_max with an owner, and the shared ones; all taken at start, and
 * nothing is searched. */
#ifndef BROKER_LINES_H
#define BROKER_LINES_H

#include "broker/list.h"
#include "protocol/envelope.h"
#include "protocol/limits.h"

#define RANKS (ROLE_COUNT * CLASS_COUNT)
#define LINES_SHARED (RANKS * TENANTS_SHARED)
#define LINE_LENGTHS 4096u /* longer ones count as equally long */

static inline uint32_t rank_of(uint32_t role, uint32_t class)
{
    assert(role < ROLE_COUNT);
    assert(class < CLASS_COUNT);
    return role * CLASS_COUNT + class;
}

/* What the queue-delay rule knows of a line. */
struct delay {
    int64_t until_at, least_us;
    bool overloaded;
};

struct line {
    uint64_t tenant; /* of one with an owner */
    uint32_t rank, length, weight;
    uint32_t held;  /* for rounds: of its length, those that cannot be next */
    uint32_t left;  /* dispatches before its turn ends */
    uint64_t aside; /* for rounds: the era in which it was set aside ... */
    uint64_t era;   /* ... and in which its strands were last looked at */
    struct delay delay;
};

struct lines;

struct lines *lines_new(uint32_t lines_max);
void lines_destroy(struct lines **self_p);

uint32_t lines_count(const struct lines *self); /* with the shared ones: numbers are below it */
struct line *lines_at(struct lines *self, uint32_t line);

/* The line that a tenant's next request joins; NONE: one of its own that lines_join() will make. */
uint32_t lines_find(const struct lines *self, uint32_t rank, uint64_t tenant);
uint32_t lines_join(struct lines *self, uint32_t rank, uint64_t tenant);

/* It is empty and stands nowhere: one with an owner has none any more. */
void lines_leave(struct lines *self, uint32_t line);

/* Turns of an owner's line are as long as its weight; a shared one has 1. */
void lines_weigh(struct lines *self, uint32_t line, uint32_t weight);

void lines_grow(struct lines *self, uint32_t line); /* by one request */
void lines_shrink(struct lines *self, uint32_t line);

uint32_t lines_longest(const struct lines *self, uint32_t rank); /* NONE: all are empty */
uint32_t lines_active(const struct lines *self, uint32_t rank);  /* not empty */
uint64_t lines_weights(const struct lines *self, uint32_t rank); /* of those */

uint32_t lines_owned(const struct lines *self);  /* of lines_max */
uint64_t lines_shared(const struct lines *self); /* requests that joined a shared one */

#endif
