/* breaker - see breaker.h. */
#include "actors/runtime/breaker.h"

#include <assert.h>
#include <string.h>

#include "protocol/limits.h"

#define JITTER_PERCENT 20u         /* an opening is as much shorter or longer, by chance */
#define AGAIN_US (100 * US_PER_MS) /* when to try again while the probes are out */

/* source: docs/gateway.md, "Breakers" */
static const struct {
    const char *name;
    struct breaker_rule rule;
} profiles[BREAKER_PROFILES] = {
    [BREAKER_DEFAULT] = {"default",
                         {.failures_percent = 50,
                          .calls_min = 20,
                          .window_us = 10 * US_PER_S,
                          .open_us = 5 * US_PER_S,
                          .open_max_us = 60 * US_PER_S,
                          .probes = 3,
                          .share_percent = 25}},
    [BREAKER_DEVELOPMENT] = {"development",
                             {.failures_in_row = 3,
                              .window_us = 60 * US_PER_S,
                              .open_us = 30 * US_PER_S,
                              .open_max_us = 30 * US_PER_S,
                              .probes = 2,
                              .share_percent = 100}},
    [BREAKER_STANDARD] = {"standard",
                          {.failures_in_row = 5,
                           .window_us = 300 * US_PER_S,
                           .open_us = 60 * US_PER_S,
                           .open_max_us = 60 * US_PER_S,
                           .probes = 3,
                           .share_percent = 50}},
    [BREAKER_PRODUCTION] = {"production",
                            {.failures_in_row = 10,
                             .window_us = 300 * US_PER_S,
                             .open_us = 60 * US_PER_S,
                             .open_max_us = 300 * US_PER_S,
                             .probes = 5,
                             .share_percent = 30}},
    [BREAKER_HIGH_TRAFFIC] = {"high_traffic",
                              {.failures_in_row = 15,
                               .window_us = 600 * US_PER_S,
                               .open_us = 120 * US_PER_S,
                               .open_max_us = 120 * US_PER_S,
                               .probes = 3,
                               .share_percent = 60}},
};

static const char *const state_names[] = {
    [BREAKER_CLOSED] = "closed", [BREAKER_OPEN] = "open", [BREAKER_HALF_OPEN] = "half_open"};

const struct breaker_rule *breaker_rule(enum breaker_profile profile)
{
    assert(profile < BREAKER_PROFILES);
    return &profiles[profile].rule;
}

bool breaker_profile_find(const char *name, enum breaker_profile *ret)
{
    for (unsigned i = 0; i < BREAKER_PROFILES; i++)
        if (strcmp(profiles[i].name, name) == 0) {
            *ret = (enum breaker_profile)i;
            return true;
        }
    return false;
}

const char *breaker_state_name(enum breaker_state state)
{
    assert(state <= BREAKER_HALF_OPEN);
    return state_names[state];
}

void breaker_init(struct breaker *self, const struct breaker_rule *rule)
{
    assert(rule->open_us > 0);
    assert(rule->open_max_us >= rule->open_us);
    assert(rule->window_us >= BREAKER_BUCKETS);
    assert(rule->probes > 0);
    assert(rule->share_percent > 0);
    *self = (struct breaker){.rule = rule, .closed_at = INT64_MIN};
}

static void change(struct breaker *self, enum breaker_state state)
{
    self->state = state;
    self->epoch++;
    self->changes[state]++;
    self->probes_out = 0;
    self->probes_good = 0;
    self->in_row = 0;
    memset(self->buckets, 0, sizeof self->buckets);
}

/* Twice as long as the last time, and by chance a little shorter or longer. */
static void open(struct breaker *self, int64_t now_at, uint64_t random)
{
    const struct breaker_rule *rule = self->rule;
    int64_t for_us = rule->open_us;
    for (uint32_t i = 0; i < self->openings && for_us < rule->open_max_us; i++)
        for_us *= 2;
    if (for_us > rule->open_max_us)
        for_us = rule->open_max_us;
    int64_t percent = 100 - JITTER_PERCENT + (int64_t)(random % (2 * JITTER_PERCENT + 1));
    self->openings++;
    self->until_at = now_at + for_us * percent / 100;
    change(self, BREAKER_OPEN);
}

static void close_again(struct breaker *self, int64_t now_at)
{
    self->closed_at = now_at;
    change(self, BREAKER_CLOSED);
}

/* Of what is let through after it has closed: percent, growing to all. */
static int64_t share_percent(const struct breaker *self, int64_t now_at)
{
    const struct breaker_rule *rule = self->rule;
    if (self->closed_at == INT64_MIN || now_at - self->closed_at >= rule->open_us)
        return 100;
    int64_t grown = (100 - (int64_t)rule->share_percent) * (now_at - self->closed_at);
    return rule->share_percent + grown / rule->open_us;
}

static bool admit_closed(struct breaker *self, int64_t now_at, uint64_t random, int64_t *ret_after)
{
    int64_t share = share_percent(self, now_at);
    *ret_after = AGAIN_US;
    return (int64_t)(random % 100) < share;
}

static bool admit_probe(struct breaker *self, int64_t now_at, int64_t *ret_after)
{
    if (self->state == BREAKER_OPEN && now_at < self->until_at) {
        *ret_after = self->until_at - now_at;
        return false;
    }
    if (self->state == BREAKER_OPEN)
        change(self, BREAKER_HALF_OPEN);
    *ret_after = AGAIN_US;
    if (self->probes_out + self->probes_good >= self->rule->probes)
        return false;
    self->probes_out++;
    return true;
}

bool breaker_admit(struct breaker *self, int64_t now_at, uint64_t random, uint32_t *ret_token,
                   int64_t *ret_after_us)
{
    int64_t after_us = self->rule->open_us;
    bool goes = self->force == BREAKER_FORCE_CLOSED;
    if (self->force == BREAKER_FORCE_NONE)
        goes = self->state == BREAKER_CLOSED ? admit_closed(self, now_at, random, &after_us)
                                             : admit_probe(self, now_at, &after_us);
    if (goes)
        *ret_token = self->epoch;
    else
        *ret_after_us = after_us;
    return goes;
}

static void count(struct breaker *self, int64_t now_at, bool failed)
{
    int64_t number = now_at / (self->rule->window_us / BREAKER_BUCKETS);
    unsigned place = (unsigned)(number % BREAKER_BUCKETS);
    if (self->buckets[place].number != number) {
        self->buckets[place].number = number;
        self->buckets[place].calls = self->buckets[place].failures = 0;
    }
    self->buckets[place].calls++;
    self->buckets[place].failures += failed;
    bool is_row = failed && (self->in_row == 0 || now_at - self->failed_at < self->rule->window_us);
    self->in_row = is_row ? self->in_row + 1 : failed;
    if (failed)
        self->failed_at = now_at;
}

static bool is_failing(const struct breaker *self, int64_t now_at)
{
    const struct breaker_rule *rule = self->rule;
    int64_t number = now_at / (rule->window_us / BREAKER_BUCKETS);
    uint64_t calls = 0, failures = 0;
    if (rule->failures_in_row > 0 && self->in_row >= rule->failures_in_row)
        return true;
    for (unsigned i = 0; i < BREAKER_BUCKETS; i++)
        if (self->buckets[i].number > number - (int64_t)BREAKER_BUCKETS) {
            calls += self->buckets[i].calls;
            failures += self->buckets[i].failures;
        }
    return rule->failures_percent > 0 && calls >= rule->calls_min &&
           failures * 100 >= calls * rule->failures_percent;
}

static bool report_closed(struct breaker *self, int64_t now_at, uint64_t random, bool failed)
{
    count(self, now_at, failed);
    if (failed && is_failing(self, now_at)) {
        open(self, now_at, random);
        return true;
    }
    if (share_percent(self, now_at) == 100)
        self->openings = 0; /* it has stayed closed: the next opening is a first one */
    return false;
}

static bool report_probe(struct breaker *self, int64_t now_at, uint64_t random, bool failed)
{
    if (failed) {
        open(self, now_at, random);
        return true;
    }
    self->probes_good++;
    if (self->probes_good < self->rule->probes)
        return false;
    close_again(self, now_at);
    return true;
}

bool breaker_report(struct breaker *self, int64_t now_at, uint64_t random, uint32_t token,
                    enum breaker_outcome outcome)
{
    if (token != self->epoch || self->state == BREAKER_OPEN)
        return false; /* of another time */
    if (self->state == BREAKER_HALF_OPEN) {
        if (self->probes_out == 0)
            return false; /* let through by force */
        self->probes_out--;
    }
    if (outcome == BREAKER_NEITHER)
        return false;
    bool failed = outcome == BREAKER_FAILURE;
    return self->state == BREAKER_CLOSED ? report_closed(self, now_at, random, failed)
                                         : report_probe(self, now_at, random, failed);
}

enum breaker_state breaker_seen(const struct breaker *self)
{
    if (self->force == BREAKER_FORCE_NONE)
        return self->state;
    return self->force == BREAKER_FORCE_OPEN ? BREAKER_OPEN : BREAKER_CLOSED;
}

bool breaker_set_force(struct breaker *self, enum breaker_force force)
{
    enum breaker_state before = breaker_seen(self);
    self->force = force;
    return breaker_seen(self) != before;
}

void breaker_reset(struct breaker *self)
{
    self->force = BREAKER_FORCE_NONE;
    self->openings = 0;
    self->closed_at = INT64_MIN;
    if (self->state != BREAKER_CLOSED)
        change(self, BREAKER_CLOSED);
    self->in_row = 0;
    memset(self->buckets, 0, sizeof self->buckets);
}
