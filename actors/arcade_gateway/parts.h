/* parts - what a remote side consists of, as far as calls meet it: its tools; of the web, its
 * hosts. Each has a breaker of its own, and of the web a rate: one that fails, or is asked too
 * often, takes nothing from the others. Pure.
 *
 * Bounded: PARTS_MAX that have been met of late; who comes new takes the place of one that has
 * nothing under way, of those that are closed the one that was used longest ago. */
#ifndef ACTORS_ARCADE_GATEWAY_PARTS_H
#define ACTORS_ARCADE_GATEWAY_PARTS_H

#include <stddef.h>

#include "actors/runtime/breaker.h"
#include "actors/runtime/rate_limit.h"

#define PARTS_MAX 256u
#define PART_NAME_BYTES 128u /* with its end */

struct part {
    uint64_t key; /* 0: a free place */
    char name[PART_NAME_BYTES];
    struct breaker breaker;
    rate_tat tat;
    uint32_t out; /* exchanges under way */
    int64_t used_at;
};

struct parts {
    const struct breaker_rule *rule;
    size_t count;
    struct part list[PARTS_MAX];
};

struct parts *parts_new(const struct breaker_rule *rule);
void parts_destroy(struct parts **self_p);

/* The part of a key, which is made if it is not there. What it had counted is lost with its place.
 *
 * key      a hash, not 0
 * name     for people; cut at PART_NAME_BYTES
 * returns  valid until the next call, and as long as out is not 0; NULL: all have something out */
struct part *parts_take(struct parts *self, uint64_t key, const char *name, int64_t now_at);

/* How many are not closed, and the names of some of them with blanks between. */
size_t parts_left_alone(const struct parts *self, char *names, size_t size);

#endif
