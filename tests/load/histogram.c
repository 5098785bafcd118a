/* histogram - see histogram.h. */
#include "tests/load/histogram.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define BEYOND_MIN 10.0 /* samples beyond a quantile that is worth a figure */

void histogram_clear(struct histogram *self)
{
    memset(self, 0, sizeof *self);
}

/* A value of n bits above HISTOGRAM_BITS loses its lowest n. */
static unsigned slot_of(uint64_t us)
{
    if (us < HISTOGRAM_STEPS)
        return (unsigned)us;
    unsigned bits = 63u - (unsigned)__builtin_clzll(us);
    if (bits >= HISTOGRAM_VALUE_BITS)
        return HISTOGRAM_SLOTS - 1;
    unsigned lost = bits - HISTOGRAM_BITS;
    return lost * HISTOGRAM_STEPS + (unsigned)(us >> lost);
}

/* The middle of a slot. */
static int64_t value_of(unsigned slot)
{
    if (slot < 2 * HISTOGRAM_STEPS)
        return (int64_t)slot;
    unsigned lost = slot / HISTOGRAM_STEPS - 1;
    uint64_t low = (uint64_t)(slot - lost * HISTOGRAM_STEPS) << lost;
    return (int64_t)(low + (UINT64_C(1) << lost) / 2);
}

void histogram_add(struct histogram *self, int64_t us)
{
    us = us < 0 ? 0 : us;
    self->slots[slot_of((uint64_t)us)]++;
    self->count++;
    if (us > self->max_us)
        self->max_us = us;
}

void histogram_merge(struct histogram *self, const struct histogram *other)
{
    for (unsigned i = 0; i < HISTOGRAM_SLOTS; i++)
        self->slots[i] += other->slots[i];
    self->count += other->count;
    if (other->max_us > self->max_us)
        self->max_us = other->max_us;
}

enum measured histogram_quantile(const struct histogram *self, double q, int64_t *ret)
{
    assert(q > 0);
    assert(q < 1);
    double beyond = (double)self->count * (1 - q);
    if (self->count == 0)
        return NOT_MEASURED;
    if (beyond < BEYOND_MIN - 1e-6) /* 1 - 0.99 is a little less than 0.01 */
        return TOO_FEW;
    uint64_t rank = (uint64_t)ceil(q * (double)self->count - 1e-6), seen = 0;
    unsigned slot = 0;
    while (slot < HISTOGRAM_SLOTS && (seen += self->slots[slot]) < rank)
        slot++;
    assert(slot < HISTOGRAM_SLOTS); /* all slots together hold count */
    int64_t us = value_of(slot);
    *ret = us < self->max_us ? us : self->max_us;
    return MEASURED;
}
