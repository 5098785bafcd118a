/* timers - see timers.h.
 *
 * Three wheels of 256 buckets: of one tick, of 256, of 65,536. A timer lies in the finest wheel
 * that reaches it and moves to a finer one as its time comes: twice at most, and most requests are
 * answered long before. source: Varghese and Lauck, Hashed and Hierarchical Timing Wheels, 1987 */
#include "broker/timers.h"

#include <stdlib.h>

#include "broker/list.h"
#include "protocol/limits.h"

#define WHEELS 3u
#define BUCKETS 256u
#define BUCKET_BITS 8u
#define TICK_US (TICK_MS * US_PER_MS)

struct timers {
    uint32_t timers_max, count;
    int64_t tick;        /* all before it have fired; its own may not yet have been taken */
    int64_t *due_ticks;  /* by timer */
    struct link links[]; /* by timer; then the sentinels, by wheel and bucket */
};

struct timers *timers_new(uint32_t timers_max, int64_t now_at)
{
    uint32_t links = timers_max + WHEELS * BUCKETS;
    struct timers *self = calloc(1, sizeof *self + links * sizeof self->links[0]);
    assert(self != NULL);
    self->due_ticks = calloc(timers_max, sizeof self->due_ticks[0]);
    assert(self->due_ticks != NULL);
    self->timers_max = timers_max;
    self->tick = now_at / TICK_US;
    list_out_all(self->links, 0, timers_max);
    list_clear_all(self->links, timers_max, links);
    return self;
}

void timers_destroy(struct timers **self_p)
{
    assert(self_p != NULL);
    if (*self_p != NULL)
        free((*self_p)->due_ticks);
    free(*self_p);
    *self_p = NULL;
}

static uint32_t sentinel(const struct timers *self, unsigned wheel, int64_t tick)
{
    uint32_t bucket = (uint32_t)(tick >> (wheel * BUCKET_BITS)) % BUCKETS;
    return self->timers_max + wheel * BUCKETS + bucket;
}

/* Into the finest wheel that reaches it; beyond all, as far as they reach, and then again. */
static void place(struct timers *self, uint32_t timer)
{
    int64_t due = self->due_ticks[timer], reach = BUCKETS;
    unsigned wheel = 0;
    while (wheel < WHEELS - 1 && due - self->tick >= reach) {
        reach *= BUCKETS;
        wheel++;
    }
    if (due - self->tick >= reach)
        due = self->tick + reach - 1;
    list_put_before(self->links, timer, sentinel(self, wheel, due));
}

void timers_set(struct timers *self, uint32_t timer, int64_t due_at)
{
    assert(timer < self->timers_max);
    timers_clear(self, timer);
    int64_t due = (due_at + TICK_US - 1) / TICK_US;
    self->due_ticks[timer] = due > self->tick ? due : self->tick + 1;
    self->count++;
    place(self, timer);
}

void timers_clear(struct timers *self, uint32_t timer)
{
    assert(timer < self->timers_max);
    if (!list_is_in(self->links, timer))
        return;
    list_take_out(self->links, timer);
    self->count--;
}

/* A bucket of a coarse wheel whose time has come: what is in it lies in a finer one from now on. */
static void spread(struct timers *self, unsigned wheel)
{
    uint32_t bucket = sentinel(self, wheel, self->tick);
    uint32_t first = self->links[bucket].next;
    if (first == bucket)
        return;
    self->links[self->links[bucket].previous].next = NONE; /* an open chain, out of the wheel */
    list_clear_all(self->links, bucket, bucket + 1);
    while (first != NONE) {
        uint32_t timer = first;
        first = self->links[timer].next;
        self->links[timer].next = NONE;
        place(self, timer);
    }
}

static void advance(struct timers *self)
{
    self->tick++;
    for (unsigned wheel = WHEELS - 1; wheel > 0; wheel--)
        if (self->tick % (INT64_C(1) << (wheel * BUCKET_BITS)) == 0)
            spread(self, wheel);
}

bool timers_take(struct timers *self, int64_t now_at, uint32_t *ret_timer)
{
    int64_t now = now_at / TICK_US;
    if (self->count == 0 && now > self->tick)
        self->tick = now; /* nothing to fire on the way */
    while (list_is_empty(self->links, sentinel(self, 0, self->tick))) {
        if (self->tick >= now)
            return false;
        advance(self);
    }
    *ret_timer = self->links[sentinel(self, 0, self->tick)].next;
    timers_clear(self, *ret_timer);
    return true;
}

int64_t timers_next_at(const struct timers *self)
{
    int64_t tick = self->tick;
    if (self->count == 0)
        return INT64_MAX;
    /* Up to where the next bucket of a coarser wheel spreads. */
    while (list_is_empty(self->links, sentinel(self, 0, tick)) && (tick + 1) % BUCKETS != 0)
        tick++;
    if (list_is_empty(self->links, sentinel(self, 0, tick)))
        tick++;
    return tick * TICK_US;
}
