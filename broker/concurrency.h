/* concurrency - how many requests of a role may be with its workers at once. Pure: a tick is an
 * argument's.
 *
 * Workers say how many they can hold; what they can hold is not what they can serve. GRADIENT holds
 * back when answers come later than the work on them takes: when requests wait inside workers, and
 * not here, where the important go first. AIMD goes by timeouts alone. Both grow again by
 * themselves as long as all goes well. source: docs/load.md, 4; docs/decisions/0107 */
#ifndef BROKER_CONCURRENCY_H
#define BROKER_CONCURRENCY_H

#include "actors/runtime/options.h"
#include "broker/estimates.h"

enum concurrency_kind {
    CONCURRENCY_OFF,    /* what the workers say */
    CONCURRENCY_STATIC, /* start for each worker */
    CONCURRENCY_GRADIENT,
    CONCURRENCY_AIMD,
    CONCURRENCY_KINDS
};

struct concurrency_rule {
    enum concurrency_kind kind;
    uint32_t start, cap; /* for each worker; 0: all that it says */
};

/* Rules of all roles from a text: ROLE=KIND [START [CAP]], with commas; KIND is off, static,
 * gradient or aimd. Roles that are not in it are as in docs/load.md, 4.
 *
 * ret      struct concurrency_rule[ROLE_COUNT]
 * reason   OPTION_REASON_BYTES, written only on false */
bool concurrency_read(struct concurrency_rule *ret, const char *text, char *reason);

/* Of one role. */
struct concurrency {
    struct concurrency_rule rule;
    double limit;
    double tolerated_us;            /* a wait inside workers that is none */
    uint32_t workers, capacity;     /* that limit is for */
    struct quantiles took, service; /* from dispatch to reply; of it, as the workers say */
    uint32_t samples, timeouts;     /* since the limit was set last */
    double link_us;                 /* what the way takes, as far as it is known */
};

/* tolerated_us: at least 0 */
void concurrency_init(struct concurrency *self, const struct concurrency_rule *rule,
                      int64_t tolerated_us);

/* One has been answered, so long after it was sent.
 *
 * service_us  of it, as the worker says
 * in_flight   with the workers until then: from few it is learnt what the way takes */
void concurrency_reply(struct concurrency *self, int64_t took_us, int64_t service_us,
                       uint32_t in_flight);
void concurrency_timeout(struct concurrency *self); /* ... or was not, and had to be */

/* Once in ESTIMATES_TICK_MS. in_flight: with the workers now */
void concurrency_tick(struct concurrency *self, uint32_t in_flight);

/* May one more be with so many workers, that hold capacity in all, beside those in flight? One a
 * worker always may. When others come, they bring what they may have. */
bool concurrency_has_room(struct concurrency *self, uint32_t workers, uint32_t capacity,
                          uint32_t in_flight);

/* The limit as it was asked for last; capacity, if that is less, or there is none. */
uint32_t concurrency_limit(const struct concurrency *self, uint32_t capacity);

#endif
