/* target - see target.h. */
#include "actors/arcade_gateway/target.h"

#include <assert.h>
#include <string.h>

void target_init(struct target *self, const struct target_rule *rule)
{
    assert(rule->calls_max > 0);
    assert(rule->calls_max <= TARGET_TENANTS_MAX);
    memset(self, 0, sizeof *self);
    self->rule = rule;
    self->repeats.saved = REPEAT_BUDGET_SAVED_FIRST;
    breaker_init(&self->breaker, rule->breaker);
}

/* The place of a tenant, or a free one: there is one, as there are as many as calls. */
static size_t find_tenant(const struct target *self, const struct name *tenant)
{
    size_t room = TARGET_TENANTS_MAX;
    for (size_t i = 0; i < self->rule->calls_max; i++) {
        if (self->tenants[i].calls == 0)
            room = room == TARGET_TENANTS_MAX ? i : room;
        else if (bytes_equal(name_bytes(&self->tenants[i].tenant), name_bytes(tenant)))
            return i;
    }
    return room;
}

enum status target_enter(struct target *self, const struct name *tenant)
{
    size_t place = find_tenant(self, tenant);
    if (self->calls == self->rule->calls_max ||
        self->tenants[place].calls == TARGET_TENANT_CALLS_MAX) {
        self->full++;
        return STATUS_BUSY_FULL;
    }
    assert(place < self->rule->calls_max);
    self->tenants[place].tenant = *tenant;
    self->tenants[place].calls++;
    self->calls++;
    if (self->calls > self->calls_peak)
        self->calls_peak = self->calls;
    return STATUS_OK;
}

void target_leave(struct target *self, const struct name *tenant)
{
    size_t place = find_tenant(self, tenant);
    assert(place < self->rule->calls_max);
    assert(self->tenants[place].calls > 0);
    assert(self->calls > 0);
    self->tenants[place].calls--;
    self->calls--;
}

static uint32_t ms_of(int64_t us)
{
    int64_t ms = (us + US_PER_MS - 1) / US_PER_MS;
    return ms < 1 ? 1 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

enum status target_begin(struct target *self, int64_t now_at, uint64_t random, uint32_t *ret_token,
                         uint32_t *ret_after_ms)
{
    const struct rate *rate = &self->rule->rate;
    int64_t wait_us = rate_wait_us(rate, self->tat, now_at);
    if (wait_us > 0) {
        self->limited++;
        *ret_after_ms = ms_of(wait_us);
        return STATUS_RATE_LIMITED;
    }
    if (!breaker_admit(&self->breaker, now_at, random, ret_token, &wait_us)) {
        self->broken++;
        *ret_after_ms = ms_of(wait_us);
        return STATUS_CIRCUIT_OPEN;
    }
    self->tat = rate_charge(rate, self->tat, now_at);
    self->sent++;
    repeat_earn(&self->repeats);
    return STATUS_OK;
}

static bool hangs(const struct target *self, const struct http_response *came)
{
    int64_t long_us = self->typical_us * TARGET_LATE_TIMES;
    if (long_us < TARGET_LATE_US_MIN)
        long_us = TARGET_LATE_US_MIN;
    if (self->typical_us == 0)
        long_us = TARGET_LATE_US;
    return came->sent && came->taken_us >= long_us;
}

enum breaker_outcome target_outcome(const struct target *self, const struct http_response *came)
{
    switch (came->end) {
    case HTTP_NO_CONNECTION:
    case HTTP_TLS:
    case HTTP_LOST:
    case HTTP_MALFORMED:
        return BREAKER_FAILURE;
    case HTTP_LATE:
        return hangs(self, came) ? BREAKER_FAILURE : BREAKER_NEITHER;
    case HTTP_TOO_LARGE:
    case HTTP_DENIED:
        return BREAKER_NEITHER;
    case HTTP_ANSWERED:
        break;
    }
    return came->status >= 500 ? BREAKER_FAILURE : BREAKER_SUCCESS;
}

static void learn(struct target *self, const struct http_response *came,
                  enum breaker_outcome outcome)
{
    self->ok += outcome == BREAKER_SUCCESS;
    self->failed += outcome == BREAKER_FAILURE;
    if (came->end != HTTP_ANSWERED)
        return;
    int64_t gain_us = came->taken_us - self->typical_us;
    self->typical_us = self->typical_us == 0 ? came->taken_us : self->typical_us + gain_us / 8;
}

bool target_end(struct target *self, int64_t now_at, int64_t unix_ms, uint64_t random,
                uint32_t token, const struct http_response *came)
{
    uint32_t after_ms;
    if (came == NULL)
        return breaker_report(&self->breaker, now_at, random, token, BREAKER_NEITHER);
    enum breaker_outcome outcome = target_outcome(self, came);
    if (came->status == 429 && !self->is_many && repeat_after_ms(came, unix_ms, &after_ms))
        self->tat = rate_postpone(&self->rule->rate, self->tat, now_at + after_ms * US_PER_MS);
    learn(self, came, outcome);
    return breaker_report(&self->breaker, now_at, random, token, outcome);
}
