/* estimates - how long things take, how fast a role drains, and so whether a request can be in
 * time. Pure.
 *
 * Nothing here is believed for good: quantiles follow the last hundreds of replies, rates fade by
 * the clock, and where an estimate would forbid everything the caller sends a probe, whose reply
 * corrects it. source: docs/load.md, 3 */
#ifndef BROKER_ESTIMATES_H
#define BROKER_ESTIMATES_H

#include "protocol/envelope.h"

#define ESTIMATES_TICK_MS 100
#define ESTIMATES_NEVER INT64_MAX

/* Median and 95th percentile of a duration. */
struct quantiles {
    double p50_us, p95_us;
    uint32_t samples; /* stops at its maximum */
};

/* p95_us: to start from; the median is a quarter of it. */
void quantiles_init(struct quantiles *self, double p95_us);
void quantiles_add(struct quantiles *self, int64_t took_us);

struct estimates {
    struct quantiles time;                 /* from dispatch to reply */
    double mean_us;                        /* of the same */
    double drain;                          /* completions a second, with a backlog */
    double sent_rate[CLASS_COUNT];         /* dispatches a second */
    uint32_t completed, sent[CLASS_COUNT]; /* since the last tick */
    int64_t sent_at;                       /* the last dispatch */
    int64_t default_deadline_us, delay_target_us;
};

void estimates_init(struct estimates *self, enum role role);

void estimates_sent(struct estimates *self, enum request_class class, int64_t now_at);
void estimates_reply(struct estimates *self, int64_t took_us);

/* Once in ESTIMATES_TICK_MS. backlog: there was one all the time. */
void estimates_tick(struct estimates *self, bool backlog);

/* What a request must have left when it is sent.
 *
 * method  its own quantiles; they count once they are known; NULL: it has none */
int64_t estimates_need_us(const struct estimates *self, const struct quantiles *method,
                          enum request_class class);

/* As it is with p50 alone: enough for a request that need not wait. */
int64_t estimates_median_us(const struct estimates *self, const struct quantiles *method);

/* Who waits when one more comes. */
struct crowd {
    uint32_t backlog[CLASS_COUNT];
    uint32_t ahead; /* of its own class, that will go before it */
};

/* How long one more of this class would wait.
 *
 * capacity  requests that the workers of the role hold at once
 * returns   ESTIMATES_NEVER: the higher classes take everything */
int64_t estimates_wait_us(const struct estimates *self, const struct crowd *crowd,
                          enum request_class class, uint32_t capacity);

/* The longest wait at which a class is not overloaded, for the rule of queue delay: the target of
 * the role, or the time between two dispatches that the class, not the highest, is owed, if that is
 * longer. */
int64_t estimates_delay_target_us(const struct estimates *self, enum request_class class,
                                  uint32_t capacity);

/* Nothing was sent for so long that what is believed may be wrong: send one, whatever it says. */
bool estimates_may_probe(const struct estimates *self, uint32_t in_flight, int64_t now_at);

#endif
