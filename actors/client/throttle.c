/* throttle - see throttle.h. */
#include "actors/client/throttle.h"

#include <assert.h>

#define PART_US (10 * US_PER_S)
#define REQUESTS_MIN 100u /* less says nothing: a handle that has just begun holds nothing back */

/* Forget what is older than two minutes. */
static void turn_to(struct throttle *self, int64_t now_at)
{
    int64_t part = now_at / PART_US;
    assert(now_at >= 0);
    int64_t first = part - self->part < THROTTLE_PARTS ? self->part + 1 : part - THROTTLE_PARTS + 1;
    for (int64_t i = first; i <= part; i++)
        self->requests[i % THROTTLE_PARTS] = self->accepted[i % THROTTLE_PARTS] = 0;
    if (part > self->part)
        self->part = part;
}

static uint64_t sum(const uint32_t *parts)
{
    uint64_t all = 0;
    for (unsigned i = 0; i < THROTTLE_PARTS; i++)
        all += parts[i];
    return all;
}

/* What can never be in time says nothing of the load. */
static bool means_overload(const struct header *reply)
{
    return reply->status == STATUS_BUSY_FULL || reply->status == STATUS_BUSY_SHED ||
           (reply->status == STATUS_INFEASIBLE && reply->retry_after_ms > 0);
}

bool throttle_holds(struct throttle *self, int64_t now_at, uint64_t random)
{
    turn_to(self, now_at);
    uint64_t requests = sum(self->requests), accepted = sum(self->accepted);
    if (requests < REQUESTS_MIN || requests <= 2 * accepted ||
        random % (requests + 1) >= requests - 2 * accepted)
        return false;
    self->requests[self->part % THROTTLE_PARTS]++;
    return true;
}

void throttle_learn(struct throttle *self, const struct header *reply, int64_t now_at)
{
    turn_to(self, now_at);
    self->requests[self->part % THROTTLE_PARTS]++;
    self->accepted[self->part % THROTTLE_PARTS] += !means_overload(reply);
}
