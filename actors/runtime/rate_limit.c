/* rate_limit - see rate_limit.h. Times are nanoseconds, so that a period is hardly rounded. */
#include "actors/runtime/rate_limit.h"

#include <assert.h>
#include <stdlib.h>

#define NS_PER_US INT64_C(1000)
#define PROBES_MAX 16u /* places that are looked at for a key */

struct rate rate_of(uint32_t count, int64_t per_us, uint32_t burst)
{
    if (count == 0)
        return (struct rate){0};
    assert(per_us > 0);
    assert(burst >= 1);
    assert(burst <= count);
    int64_t period_ns = per_us * NS_PER_US / count;
    assert(period_ns > 0);
    return (struct rate){period_ns, (int64_t)(burst - 1) * period_ns};
}

int64_t rate_wait_us(const struct rate *rate, rate_tat tat, int64_t now_at)
{
    int64_t early_ns = tat - rate->tolerance_ns - now_at * NS_PER_US;
    if (early_ns <= 0)
        return 0; /* without a limit always, unless it was postponed */
    return (early_ns + NS_PER_US - 1) / NS_PER_US;
}

rate_tat rate_charge(const struct rate *rate, rate_tat tat, int64_t now_at)
{
    int64_t now_ns = now_at * NS_PER_US;
    return (tat > now_ns ? tat : now_ns) + rate->period_ns;
}

rate_tat rate_refund(const struct rate *rate, rate_tat tat)
{
    return tat - rate->period_ns;
}

rate_tat rate_postpone(const struct rate *rate, rate_tat tat, int64_t until_at)
{
    rate_tat later = until_at * NS_PER_US + rate->tolerance_ns;
    return later > tat ? later : tat;
}

uint32_t rate_remaining(const struct rate *rate, rate_tat tat, int64_t now_at)
{
    if (rate->period_ns == 0)
        return UINT32_MAX;
    int64_t ahead_ns = tat - now_at * NS_PER_US;
    int64_t free_ns = rate->tolerance_ns - (ahead_ns > 0 ? ahead_ns : 0);
    return free_ns < 0 ? 0 : (uint32_t)(free_ns / rate->period_ns) + 1;
}

struct place {
    uint64_t key; /* 0: free */
    rate_tat tat;
};

struct rate_table {
    size_t mask, used;
    struct place places[];
};

struct rate_table *rate_table_new(size_t keys_max)
{
    assert(keys_max >= PROBES_MAX);
    assert(keys_max <= RATE_KEYS_MAX);
    assert((keys_max & (keys_max - 1)) == 0);
    struct rate_table *self = calloc(1, sizeof *self + keys_max * sizeof self->places[0]);
    assert(self != NULL);
    self->mask = keys_max - 1;
    return self;
}

void rate_table_destroy(struct rate_table **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

/* One whose time has passed owes nothing: its place is as good as a free one. A key stays where it
 * was found, so nothing is ever moved. */
rate_tat *rate_table_find(struct rate_table *self, uint64_t key, int64_t now_at)
{
    struct place *room = NULL;
    assert(key != 0);
    for (size_t i = 0; i < PROBES_MAX; i++) {
        struct place *place = &self->places[(key + i) & self->mask];
        if (place->key == key)
            return &place->tat;
        if (room == NULL && (place->key == 0 || place->tat < now_at * NS_PER_US))
            room = place;
    }
    if (room == NULL)
        return NULL;
    self->used += room->key == 0;
    *room = (struct place){.key = key};
    return &room->tat;
}

size_t rate_table_used(const struct rate_table *self)
{
    return self->used;
}

size_t rate_table_owing(const struct rate_table *self, int64_t now_at)
{
    size_t count = 0;
    for (size_t i = 0; i <= self->mask; i++)
        count += self->places[i].tat > now_at * NS_PER_US;
    return count;
}
