/* estimates - see estimates.h. */
#include "broker/estimates.h"

#include "broker/queues.h"

/* Multiplied by these, a quantile stands still where so many replies are slower: the steps up and
 * down are as 1 to 1, and as 19 to 1. source: docs/load.md, 3; e^0.05, e^-0.05, e^0.095, e^-0.005
 */
#define P50_UP 1.0512710963760241
#define P50_DOWN 0.951229424500714
#define P95_UP 1.0996588551261028
#define P95_DOWN 0.9950124791926823

#define QUANTILE_US_MIN 1.0 /* so that a factor can raise it again */
#define QUANTILE_US_MAX 3.6e9
#define METHOD_SAMPLES_MIN 20u
#define MEAN_WEIGHT (1.0 / 32)
#define RATE_WEIGHT 0.2
#define TICKS_A_SECOND (1000.0 / ESTIMATES_TICK_MS)
#define PROBE_US US_PER_S
#define WAIT_US_MAX 3.6e9

static const struct {
    double p95_ms;
    int64_t default_deadline_ms; /* what libfact fills in */
    int64_t delay_target_ms;
} starts[ROLE_COUNT] = {
    [ROLE_DRIVER] = {140, 2000, 50},       [ROLE_CACHE_PARTITION] = {10, 100, 5},
    [ROLE_TOOL_EXECUTOR] = {10, 30000, 5}, [ROLE_ARCADE_GATEWAY] = {500, 10000, 50},
    [ROLE_AUTOSCALER] = {10, 2000, 50},    [ROLE_CONSOLE] = {10, 2000, 50},
};

void quantiles_init(struct quantiles *self, double p95_us)
{
    *self = (struct quantiles){.p50_us = p95_us / 4, .p95_us = p95_us};
}

static double clamp(double value, double min, double max)
{
    if (value < min)
        return min;
    return value > max ? max : value;
}

void quantiles_add(struct quantiles *self, int64_t took_us)
{
    double took = (double)took_us;
    double p50 = self->p50_us * (took > self->p50_us ? P50_UP : P50_DOWN);
    double p95 = self->p95_us * (took > self->p95_us ? P95_UP : P95_DOWN);
    self->p50_us = clamp(p50, QUANTILE_US_MIN, QUANTILE_US_MAX);
    self->p95_us = clamp(p95, self->p50_us, QUANTILE_US_MAX);
    self->samples += self->samples < UINT32_MAX;
}

void estimates_init(struct estimates *self, enum role role)
{
    *self = (struct estimates){.sent_at = INT64_MIN / 2};
    quantiles_init(&self->time, starts[role].p95_ms * (double)US_PER_MS);
    self->mean_us = self->time.p50_us;
    self->default_deadline_us = starts[role].default_deadline_ms * US_PER_MS;
    self->delay_target_us = starts[role].delay_target_ms * US_PER_MS;
}

void estimates_sent(struct estimates *self, enum request_class class, int64_t now_at)
{
    self->sent[class]++;
    self->sent_at = now_at;
}

void estimates_reply(struct estimates *self, int64_t took_us)
{
    quantiles_add(&self->time, took_us);
    self->mean_us += ((double)took_us - self->mean_us) * MEAN_WEIGHT;
    self->completed++;
}

static void follow(double *rate, uint32_t counted)
{
    *rate += (counted * TICKS_A_SECOND - *rate) * RATE_WEIGHT;
}

void estimates_tick(struct estimates *self, bool backlog)
{
    if (backlog)
        follow(&self->drain, self->completed);
    self->completed = 0;
    for (int class = 0; class < CLASS_COUNT; class ++) {
        follow(&self->sent_rate[class], self->sent[class]);
        self->sent[class] = 0;
    }
}

/* A method's own once it is known: where one is a thousand times as slow as the others, theirs have
 * the median of the role, and would be held to its 95th percentile. */
static const struct quantiles *believed(const struct estimates *self,
                                        const struct quantiles *method)
{
    bool known = method != NULL && method->samples >= METHOD_SAMPLES_MIN;
    return known ? method : &self->time;
}

int64_t estimates_need_us(const struct estimates *self, const struct quantiles *method,
                          enum request_class class)
{
    const struct quantiles *time = believed(self, method);
    bool median = class < CLASS_SHEDDABLE_PLUS && time->p95_us > (double)self->default_deadline_us;
    return (int64_t)(median ? time->p50_us : time->p95_us);
}

int64_t estimates_median_us(const struct estimates *self, const struct quantiles *method)
{
    return (int64_t)believed(self, method)->p50_us;
}

/* Completions a second: as they were with a backlog, or as many as its workers could do. 0: nothing
 * is known. */
static double drain_of(const struct estimates *self, uint32_t capacity)
{
    double mean_us = clamp(self->mean_us, QUANTILE_US_MIN, QUANTILE_US_MAX);
    double possible = capacity * (double)US_PER_S / mean_us;
    return possible < self->drain ? self->drain : possible;
}

/* Seconds in which a class gets so many dispatches of those that it is owed; it has a share. */
static double owed_s(enum request_class class, double dispatches, double drain)
{
    assert(queues_shares[class] > 0);
    return dispatches * QUEUES_WHOLE / (queues_shares[class] * drain);
}

int64_t estimates_delay_target_us(const struct estimates *self, enum request_class class,
                                  uint32_t capacity)
{
    double drain = drain_of(self, capacity), target_us = (double)self->delay_target_us;
    double owed_us = drain > 0 ? owed_s(class, 1, drain) * (double)US_PER_S : 0;
    return (int64_t)clamp(owed_us, target_us, WAIT_US_MAX);
}

int64_t estimates_wait_us(const struct estimates *self, const struct crowd *crowd,
                          enum request_class class, uint32_t capacity)
{
    const uint32_t *backlog = crowd->backlog;
    double up = 0, above = 0, below = 0, own = crowd->ahead, wait = -1;
    double drain = drain_of(self, capacity);
    assert(crowd->ahead <= backlog[class]);
    if (drain <= 0)
        return 0; /* nothing is known */
    for (uint32_t other = 0; other < CLASS_COUNT; other++) {
        if (other < (uint32_t) class) {
            up += backlog[other];
            above += self->sent_rate[other];
        } else if (other > (uint32_t) class && backlog[other] > 0) {
            below += drain * queues_shares[other] / QUEUES_WHOLE;
        }
    }
    if (own + up == 0)
        return 0;
    if (drain - above - below > 0)
        wait = (own + up) / (drain - above - below);
    double by_share = queues_shares[class] == 0 ? -1 : owed_s(class, own + 1, drain);
    if (wait < 0 || (by_share >= 0 && by_share < wait))
        wait = by_share;
    return wait < 0 ? ESTIMATES_NEVER : (int64_t)clamp(wait * (double)US_PER_S, 0, WAIT_US_MAX);
}

bool estimates_may_probe(const struct estimates *self, uint32_t in_flight, int64_t now_at)
{
    return in_flight == 0 || now_at - self->sent_at >= PROBE_US;
}
