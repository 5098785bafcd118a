/* ejection - whether a worker is sick, and what follows from it. Pure.
 *
 * A worker whose answers fail is left alone for a while, longer each time, and then begins with
 * little. What was not the worker's fault counts neither way: refusals, deadlines, failures of a
 * tool. source: docs/load.md, 6; after Envoy's outlier detection and slow start */
#ifndef BROKER_EJECTION_H
#define BROKER_EJECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "protocol/limits.h"

#define HEALTH_SECONDS 10u /* outcomes are remembered so long */

/* What is known of one worker; zeroed: nothing. */
struct health {
    uint32_t failed_in_a_row;
    uint32_t times;     /* it was ejected, of late */
    int64_t second;     /* of monotonic time: whose outcomes were counted last */
    int64_t ejected_at; /* 0: never */
    int64_t until_at;   /* it stays out until then */
    int64_t back_at;    /* it came back then, and begins with little; 0: it does not */
    uint32_t good[HEALTH_SECONDS], bad[HEALTH_SECONDS]; /* outcomes by second */
};

/* One request has ended well, or was failed by the worker. returns whether it is sick */
bool health_note(struct health *self, bool failed, int64_t now_at);

/* It was ejected, and is not back: what it does meanwhile changes nothing of that. */
bool health_is_out(const struct health *self);

/* Out it goes.
 *
 * chance  random: so that not all come back at once */
void health_eject(struct health *self, uint64_t chance, int64_t now_at);

/* It is back: what it did before is forgotten, but for how often it was ejected. */
void health_return(struct health *self, int64_t now_at);

/* How many of these requests it may hold at once now; at least 1. */
uint32_t health_ramp(const struct health *self, uint32_t concurrency, int64_t now_at);

/* Of a role: whether one more may be ejected, and whether so few are sound that those that are
 * ejected get work all the same.
 *
 * members  that take requests, sound or not */
bool ejection_may(uint32_t members, uint32_t ejected);
bool ejection_is_ignored(uint32_t members, uint32_t sound);

#endif
