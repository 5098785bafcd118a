/* rate_limit - so many in so long, with bursts: the generic cell rate algorithm. Pure.
 *
 * A rate is a period for each and a tolerance for how many may come at once; who is limited is one
 * number, the theoretical arrival time (TAT) of the next, which stands for bucket, clock and count
 * alike. Nothing ticks. A table holds one for each of many keys, bounded: whoever has not come for
 * a while makes room.
 * source: ITU-T I.371; docs/gateway.md, "Rates" */
#ifndef ACTORS_RUNTIME_RATE_LIMIT_H
#define ACTORS_RUNTIME_RATE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RATE_KEYS_MAX 65536u /* of a table */

struct rate {
    int64_t period_ns;    /* of each; 0: there is no limit */
    int64_t tolerance_ns; /* how early the next may come: (burst - 1) periods */
};

/* A point in time for rates: nanoseconds; 0: nothing has come yet. */
typedef int64_t rate_tat;

/* So many each per_us, at most burst of them at once.
 *
 * count   0: no limit
 * burst   1 to count */
struct rate rate_of(uint32_t count, int64_t per_us, uint32_t burst);

/* How long one more must wait, in microseconds, rounded up; 0: it may come. Nothing is charged. */
int64_t rate_wait_us(const struct rate *rate, rate_tat tat, int64_t now_at);

/* It comes: charge it. Give it back: it was refused for another reason. */
rate_tat rate_charge(const struct rate *rate, rate_tat tat, int64_t now_at);
rate_tat rate_refund(const struct rate *rate, rate_tat tat);

/* Nothing may come before a time that the other side has named, be there a limit or not; then as
 * the rate says. */
rate_tat rate_postpone(const struct rate *rate, rate_tat tat, int64_t until_at);

/* How many more may come now; of no limit: UINT32_MAX. */
uint32_t rate_remaining(const struct rate *rate, rate_tat tat, int64_t now_at);

struct rate_table;

/* keys_max: a power of two, at most RATE_KEYS_MAX. */
struct rate_table *rate_table_new(size_t keys_max);
void rate_table_destroy(struct rate_table **self_p);

/* The time of a key; NULL: there is no room near it, and who limits by key lets it through and
 * counts. Valid until the next call.
 *
 * key  a hash, not 0; of two keys with one hash each is the other's burden */
rate_tat *rate_table_find(struct rate_table *self, uint64_t key, int64_t now_at);

/* Places taken, free to be taken over or not; and those that owe something. The second looks at all
 * of them. */
size_t rate_table_used(const struct rate_table *self);
size_t rate_table_owing(const struct rate_table *self, int64_t now_at);

#endif
