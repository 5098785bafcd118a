/* retry - see retry.h. */
#include "actors/client/retry.h"

#include <assert.h>

#define BACKOFF_US (50 * US_PER_MS) /* chance between 0 and this; twice as much each time */
#define ONE INT64_C(1000000)        /* an attempt, so that a microsecond earns a whole number */
#define EARNED (ONE / 10)           /* by a request */
#define PER_S 10                    /* earned by a second */
#define SAVED_MAX (100 * ONE)

static int64_t at_most(int64_t value, int64_t max)
{
    return value < max ? value : max;
}

void retry_budget_init(struct retry_budget *self, int64_t now_at)
{
    *self = (struct retry_budget){PER_S * ONE, now_at};
}

void retry_budget_earn(struct retry_budget *self)
{
    self->saved = at_most(self->saved + EARNED, SAVED_MAX);
}

bool retry_budget_spend(struct retry_budget *self, int64_t now_at)
{
    assert(now_at >= self->at);
    int64_t passed_us = at_most(now_at - self->at, SAVED_MAX / PER_S);
    self->saved = at_most(self->saved + passed_us * PER_S, SAVED_MAX);
    self->at = now_at;
    if (self->saved < ONE)
        return false;
    self->saved -= ONE;
    return true;
}

int64_t retry_wait_us(const struct header *reply, bool harmless, unsigned attempts, uint64_t random)
{
    enum retry retry = statuses[reply->status].retry;
    assert(attempts > 0);
    bool allowed = (retry == RETRY_AFTER && reply->retry_after_ms > 0) ||
                   retry == RETRY_ELSEWHERE ||
                   (retry == RETRY_CALLER && (harmless || reply->executed == EXECUTED_NO));
    if (attempts >= RETRY_ATTEMPTS_MAX || !allowed || reply->status == STATUS_CANCELLED ||
        reply->status == STATUS_APP_ERROR)
        return -1;
    if (retry == RETRY_ELSEWHERE)
        return 0;
    uint64_t backoff_us = random % (uint64_t)(BACKOFF_US << (attempts - 1));
    return (int64_t)backoff_us + (retry == RETRY_AFTER ? reply->retry_after_ms * US_PER_MS : 0);
}
