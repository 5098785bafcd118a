/* breaker - whether to ask somebody who has been failing. Pure: time and chance are arguments.
 *
 * Closed, it lets everything through and counts. When too much fails it opens: nothing is let
 * through until a while has passed, which doubles from time to time it opens. Then, half open, a
 * few probes go through; if they succeed it closes, and lets a growing share through before all.
 * Only failures of the other side count: who reports says what was one.
 * Used by the gateway for each target; source: docs/gateway.md, "Breakers". */
#ifndef ACTORS_RUNTIME_BREAKER_H
#define ACTORS_RUNTIME_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

#define BREAKER_BUCKETS 10u /* of the window, in which outcomes are counted */

/* When it opens and closes. A part that is 0 is not used. */
struct breaker_rule {
    uint32_t failures_in_row;  /* so many open it; or: */
    uint32_t failures_percent; /* of at least calls_min within window_us */
    uint32_t calls_min;
    int64_t window_us; /* also: a failure older than that is not in a row with the next */
    int64_t open_us;   /* the first time; then twice as long, up to: */
    int64_t open_max_us;
    uint32_t probes;        /* successes that close it; so many are tried at once */
    uint32_t share_percent; /* of calls let through when it has just closed; it grows to all within
                             * open_us; 100: all at once */
};

enum breaker_profile {
    BREAKER_DEFAULT,
    BREAKER_DEVELOPMENT,
    BREAKER_STANDARD,
    BREAKER_PRODUCTION,
    BREAKER_HIGH_TRAFFIC,
    BREAKER_PROFILES
};

const struct breaker_rule *breaker_rule(enum breaker_profile profile);

/* By name: default, development, standard, production, high_traffic; false: there is none. */
bool breaker_profile_find(const char *name, enum breaker_profile *ret);

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_HALF_OPEN };
const char *breaker_state_name(enum breaker_state state);

enum breaker_outcome {
    BREAKER_SUCCESS,
    BREAKER_FAILURE,
    BREAKER_NEITHER /* cancelled, or too late by our own deadline: nothing is known */
};

/* By an operator. */
enum breaker_force { BREAKER_FORCE_NONE, BREAKER_FORCE_OPEN, BREAKER_FORCE_CLOSED };

struct breaker {
    const struct breaker_rule *rule;
    enum breaker_state state;
    enum breaker_force force;
    uint32_t epoch;    /* one up at each change: what was let through before does not count after */
    uint32_t openings; /* since it last stayed closed, for how long the next lasts */
    int64_t until_at;  /* OPEN: when the first probe may go */
    int64_t closed_at; /* CLOSED: since when; INT64_MIN: from the start */
    uint32_t probes_out, probes_good;
    uint32_t in_row;
    int64_t failed_at;
    struct {
        int64_t number; /* of the bucket since time 0 */
        uint32_t calls, failures;
    } buckets[BREAKER_BUCKETS];
    uint64_t changes[3]; /* into each state, since the start */
};

void breaker_init(struct breaker *self, const struct breaker_rule *rule);

/* Ask before each call.
 *
 * random         64 bits of chance
 * ret_token      for breaker_report(); written on true
 * ret_after_us   how long to wait before the next try; written on false, at least 1
 * returns        true: go; exactly one report must follow */
bool breaker_admit(struct breaker *self, int64_t now_at, uint64_t random, uint32_t *ret_token,
                   int64_t *ret_after_us);

/* What became of a call that was let through.
 *
 * random   64 bits of chance: of how long it opens, so that not all come back together
 * returns  true: its state has changed */
bool breaker_report(struct breaker *self, int64_t now_at, uint64_t random, uint32_t token,
                    enum breaker_outcome outcome);

/* The state as an operator sees it: forced, or its own. */
enum breaker_state breaker_seen(const struct breaker *self);

/* returns  true: the state that is seen has changed */
bool breaker_set_force(struct breaker *self, enum breaker_force force);

/* Closed, with nothing counted and nothing forced. */
void breaker_reset(struct breaker *self);

#endif
