/* throttle - hold back what would be refused anyway. Pure.
 *
 * Where more than half of what was asked within two minutes was refused for overload, a part of
 * what comes next is not even sent: p = (requests - 2 accepted) / (requests + 1). What is still
 * sent shows when things are better, and two minutes forget the rest. source: Beyer et al., Site
 * Reliability Engineering, chapter 21, "Client-side throttling" */
#ifndef ACTORS_CLIENT_THROTTLE_H
#define ACTORS_CLIENT_THROTTLE_H

#include "protocol/envelope.h"

#define THROTTLE_PARTS 12u /* of the two minutes */

struct throttle {
    int64_t part;                                                /* the newest, by the clock */
    uint32_t requests[THROTTLE_PARTS], accepted[THROTTLE_PARTS]; /* rings, by part */
};

/* Whether the next request is held back; then it counts as asked and refused.
 *
 * random  any number */
MUST_USE bool throttle_holds(struct throttle *self, int64_t now_at, uint64_t random);

/* A request was answered, by a REPLY. */
void throttle_learn(struct throttle *self, const struct header *reply, int64_t now_at);

#endif
