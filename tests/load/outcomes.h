/* outcomes - what became of each request of a run, and how long it took. Pure.
 *
 * sent = ok + failed + refused + timeouts, once all have ended. A failure never improves a figure:
 * only what was answered, and rightly, has a place in response and service; a refusal and a
 * request that came too late have a place of their own. */
#ifndef TESTS_LOAD_OUTCOMES_H
#define TESTS_LOAD_OUTCOMES_H

#include "protocol/envelope.h"
#include "tests/load/histogram.h"

struct outcomes {
    uint64_t offered; /* meant to be sent */
    uint64_t sent;
    uint64_t dropped; /* offered and not sent: the generator's own bound */
    uint64_t late;    /* sent later than the generator should have */
    uint64_t ok, failed, refused, timeouts;
    uint64_t wrong; /* of failed: answered, and not with what it had to be */
    uint64_t by_status[STATUS_COUNT];
    struct histogram response; /* from when it was meant to be sent, of ok */
    struct histogram service;  /* from when it was sent, of ok */
    struct histogram refusal;  /* response, of refused */
    struct histogram timeout;  /* response, of timeouts: at least what they were given */
};

void outcomes_clear(struct outcomes *self);

/* One has ended.
 *
 * right  its answer is what it had to be; of a status other than OK without meaning */
void outcomes_ended(struct outcomes *self, enum status status, bool right, int64_t response_us,
                    int64_t service_us);

/* Whether a status is a refusal: nothing was done, and another time it may be. */
bool outcomes_is_refusal(enum status status);

#endif
