/* load_scene - a broker under load, in virtual time: clients that ask at random and try again,
 * workers that take their time, and what became of each call.
 *
 * Arrivals are Poisson's. A call has a deadline and up to three attempts; clients have a budget of
 * retries, a tenth of their calls, wait as they are told and rand(0, 50 ms x 2^n), and stop when
 * they are told never. What is asserted all the time: no class that waits is passed over more often
 * than it may be, and the broker's counts add up. source: docs/load.md, 3 and 11 */
#ifndef TESTS_SUPPORT_LOAD_SCENE_H
#define TESTS_SUPPORT_LOAD_SCENE_H

#include "tests/support/broker_world.h"

#define SCENE_TENANTS_MAX 16u
#define SCENE_BUCKETS 300u /* of 100 ms, for goodput over time */
#define SCENE_BUCKET_US 100000

struct load_setup {
    double percent[CLASS_COUNT]; /* of the calls, by class */
    double load;                 /* of what the workers can do */
    enum role role;
    unsigned workers;   /* one request at a time each */
    int64_t service_us; /* mean; exponential, or: */
    bool lognormal;     /* sigma 1.5 */
    uint32_t deadline_ms;
    uint32_t queue_max;
    unsigned seconds;
    unsigned tenants;    /* 0: nobody says who it is */
    double flood;        /* the part of the first one; 0: all ask alike */
    bool flood_is_class; /* all of the flood is of class 1 */
    double believed;     /* estimates at the start are so many times what they are; 0: the role's */
    bool random_beliefs; /* they are anything at all */
    bool no_budget;      /* clients try again whenever they may */
    uint64_t seed;
    /* For change_ms from change_from_ms on, arrivals and services are so many times what they were,
     * and so many workers take nothing. 0 of each: no change. */
    unsigned change_from_ms, change_ms;
    double arrivals_factor, service_factor;
    unsigned workers_away;
};

struct load_result {
    uint64_t calls[CLASS_COUNT], in_time[CLASS_COUNT]; /* as the client has marked them */
    uint64_t others_calls[CLASS_COUNT], others_in_time[CLASS_COUNT]; /* but the first tenant's */
    uint64_t attempts;
    uint64_t answered, late;                  /* by workers; late: nobody waited for it any more */
    uint64_t expired;                         /* admitted, and not in time */
    uint64_t top_sent, top_in_time, top_lost; /* what went, or was shed, as class 0 */
    double top_wait_p99_ms;
    uint32_t in_time_at[SCENE_BUCKETS], top_calls_at[SCENE_BUCKETS], top_in_time_at[SCENE_BUCKETS];
    double capacity; /* answers a second */
    struct broker_counts counts;
};

/* Run one; the broker is gone afterwards. */
void load_scene_run(const struct load_setup *setup, struct load_result *ret);

/* Percent of the calls of a class that were in time. */
double load_percent(const uint64_t *in_time, const uint64_t *calls, enum request_class class);

/* What was answered in time, of what could be: the capacity, or the calls if they are fewer. */
double load_goodput(const struct load_setup *setup, const struct load_result *result);

#endif
