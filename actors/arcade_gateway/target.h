/* target - one remote side as calls see it: whether one more may go there now. Pure.
 *
 * Bounds first: calls that run or wait, in all and of one tenant. Then, for each exchange, the rate
 * and the breaker, of the side and of its part that is asked (parts.h). A part that fails alone
 * says little of the side: only its first failure in a row of failures counts against that. Owns
 * the counts of all three; who passes must say when it has ended. A point in time (_at) is
 * monotonic microseconds. */
#ifndef ACTORS_ARCADE_GATEWAY_TARGET_H
#define ACTORS_ARCADE_GATEWAY_TARGET_H

#include "actors/arcade_gateway/parts.h"
#include "actors/arcade_gateway/repeat.h"
#include "actors/runtime/actor.h"
#include "actors/runtime/breaker.h"
#include "actors/runtime/rate_limit.h"

#define TARGET_TENANT_CALLS_MAX 5u /* of one tenant at one target */
#define TARGET_TENANTS_MAX 512u    /* that have calls at one target: at least its calls */
#define TARGET_LATE_TIMES 4        /* as long as usual, and silent: it hangs; but not before: */
#define TARGET_LATE_US_MIN US_PER_S
#define TARGET_LATE_US (5 * US_PER_S)   /* while nothing is known of what is usual */
#define TARGET_FULL_RETRY_MS 100u       /* when to come back to one that is full */
#define TARGET_HOST_AFTER_MS_MAX 60000u /* how long a host's 429 keeps all others from it */

struct target_rule {
    uint32_t calls_max; /* running or waiting; at most TARGET_TENANTS_MAX */
    struct rate rate;
    const struct breaker_rule *breaker;
};

struct target {
    const struct target_rule *rule;
    bool is_many; /* it stands for any number of hosts: what one says binds no other, and each has
                   * the rate to itself */
    struct breaker breaker;
    struct parts *parts;
    uint64_t failed_part; /* whose failure counted last against the side; 0: none's */
    rate_tat tat;
    struct repeat_budget repeats;
    uint32_t calls, calls_peak;
    struct {
        struct name tenant;
        uint32_t calls; /* 0: a free place */
    } tenants[TARGET_TENANTS_MAX];

    /* Since the start; exchanges. */
    uint64_t sent, ok, failed, repeated, limited, broken, full;
    int64_t typical_us; /* smoothed time of exchanges that were answered; 0: none yet */
};

/* rule: borrowed as long as the target is there. */
void target_init(struct target *self, const struct target_rule *rule);
void target_fini(struct target *self);

/* Which part an exchange asks. key 0: none, as for a list. name: for people */
struct target_part {
    uint64_t key;
    const char *name;
};

/* What lets an exchange out: for target_end(). */
struct target_pass {
    uint32_t token, part_token;
    struct part *part; /* NULL: none, or there was no room for it */
};

/* What has changed with an exchange. */
struct target_change {
    bool side;         /* the breaker of the side */
    struct part *part; /* whose breaker, until the next exchange; NULL: no part's */
};

/* A call wants in: it counts from now on, running or waiting.
 *
 * returns  OK: target_leave() must follow; BUSY_FULL: the target, or its tenant's part, is full */
MUST_USE enum status target_enter(struct target *self, const struct name *tenant);
void target_leave(struct target *self, const struct name *tenant);

/* An exchange wants out. A long poll is neither limited nor does it feed the breaker: it does not
 * ask.
 *
 * random        64 bits of chance
 * ret           for target_end(); written on OK
 * ret_after_ms  when to come back, exact of a rate; written on anything else
 * returns       OK: target_end() must follow; RATE_LIMITED; CIRCUIT_OPEN */
MUST_USE enum status target_begin(struct target *self, const struct target_part *asked,
                                  int64_t now_at, uint64_t random, struct target_pass *ret,
                                  uint32_t *ret_after_ms);

/* It has ended: with a response, or cancelled by us (came NULL). A 429 moves the next exchange to
 * when the other side wants it.
 *
 * when  now_at; unix_ms for dates; random 64 bits of chance */
struct target_time {
    int64_t now_at, unix_ms;
    uint64_t random;
};
struct target_change target_end(struct target *self, const struct target_time *when,
                                const struct target_pass *pass, const struct http_response *came);

/* What a response says of the other side: of its health, not of our request. That our deadline has
 * passed says something only if it was long: several times what the other side usually takes. */
enum breaker_outcome target_outcome(const struct target *self, const struct http_response *came);

#endif
