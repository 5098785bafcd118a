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
    self->parts = parts_new(rule->breaker);
}

void target_fini(struct target *self)
{
    parts_destroy(&self->parts);
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

/* The time of the next exchange: the side's, or of the web that of the host. */
static rate_tat *tat_of(struct target *self, struct part *part)
{
    if (!self->is_many)
        return &self->tat;
    return part != NULL ? &part->tat : NULL;
}

static bool admit(struct target *self, int64_t now_at, uint64_t random, struct target_pass *pass,
                  int64_t *ret_wait_us)
{
    if (!breaker_admit(&self->breaker, now_at, random, &pass->token, ret_wait_us))
        return false;
    if (pass->part == NULL ||
        breaker_admit(&pass->part->breaker, now_at, random, &pass->part_token, ret_wait_us))
        return true;
    (void)breaker_report(&self->breaker, now_at, random, pass->token, BREAKER_NEITHER);
    return false;
}

enum status target_begin(struct target *self, const struct target_part *asked, int64_t now_at,
                         uint64_t random, struct target_pass *ret, uint32_t *ret_after_ms)
{
    const struct rate *rate = &self->rule->rate;
    struct target_pass pass = {.part = NULL};
    if (asked->key != 0)
        pass.part = parts_take(self->parts, asked->key, asked->name, now_at);
    rate_tat *tat = tat_of(self, pass.part);
    int64_t wait_us = tat == NULL ? 0 : rate_wait_us(rate, *tat, now_at);
    if (wait_us > 0) {
        self->limited++;
        *ret_after_ms = ms_of(wait_us);
        return STATUS_RATE_LIMITED;
    }
    if (!admit(self, now_at, random, &pass, &wait_us)) {
        self->broken++;
        *ret_after_ms = ms_of(wait_us);
        return STATUS_CIRCUIT_OPEN;
    }
    if (tat != NULL)
        *tat = rate_charge(rate, *tat, now_at);
    if (pass.part != NULL)
        pass.part->out++;
    self->sent++;
    repeat_earn(&self->repeats);
    *ret = pass;
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
    case HTTP_LOST:
        return came->was_idle ? BREAKER_NEITHER : BREAKER_FAILURE;
    case HTTP_NO_CONNECTION:
    case HTTP_TLS:
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

/* A 429: nothing before the other side wants it. */
static void postpone(struct target *self, const struct target_time *when, struct part *part,
                     const struct http_response *came)
{
    uint32_t after_ms;
    rate_tat *tat = tat_of(self, part);
    if (tat == NULL || came->status != 429 || !repeat_after_ms(came, when->unix_ms, &after_ms))
        return;
    if (self->is_many && after_ms > TARGET_HOST_AFTER_MS_MAX)
        after_ms = TARGET_HOST_AFTER_MS_MAX; /* one caller met it, and it may be one path's */
    *tat = rate_postpone(&self->rule->rate, *tat, when->now_at + after_ms * US_PER_MS);
}

/* What it says of a part: of one that was not reached nothing, unless it is a host. */
static enum breaker_outcome outcome_of_part(const struct target *self,
                                            const struct http_response *came,
                                            enum breaker_outcome outcome)
{
    bool was_reached = came->end != HTTP_NO_CONNECTION && came->end != HTTP_TLS;
    return was_reached || self->is_many ? outcome : BREAKER_NEITHER;
}

/* ... and of the side. */
static enum breaker_outcome outcome_of_side(struct target *self, const struct part *part,
                                            enum breaker_outcome of_part,
                                            enum breaker_outcome outcome)
{
    if (outcome != BREAKER_FAILURE)
        return outcome;
    bool counts = part == NULL || of_part != BREAKER_FAILURE || part->key != self->failed_part;
    self->failed_part = part != NULL ? part->key : 0;
    return counts ? BREAKER_FAILURE : BREAKER_NEITHER;
}

struct target_change target_end(struct target *self, const struct target_time *when,
                                const struct target_pass *pass, const struct http_response *came)
{
    struct target_change change = {.side = false};
    enum breaker_outcome side = BREAKER_NEITHER, own = BREAKER_NEITHER;
    struct part *part = pass->part;
    if (came != NULL) {
        enum breaker_outcome outcome = target_outcome(self, came);
        own = outcome_of_part(self, came, outcome);
        side = outcome_of_side(self, part, own, outcome);
        postpone(self, when, part, came);
        learn(self, came, outcome);
    }
    if (part != NULL) {
        assert(part->out > 0);
        part->out--;
        if (breaker_report(&part->breaker, when->now_at, when->random, pass->part_token, own))
            change.part = part;
    }
    change.side = breaker_report(&self->breaker, when->now_at, when->random, pass->token, side);
    return change;
}
