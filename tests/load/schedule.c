/* schedule - see schedule.h. A constant rate is multiplied, not added up, so that rounding does not
 * gather. */
#include "tests/load/schedule.h"

#include <assert.h>
#include <math.h>

#include "protocol/limits.h"
#include "tests/load/draw.h"

void schedule_init(struct schedule *self, enum law law, double rate, uint64_t seed,
                   int64_t begin_at)
{
    assert(rate > 0);
    *self = (struct schedule){
        .law = law, .gap_us = (double)US_PER_S / rate, .begin_at = begin_at, .state = seed};
    if (law == LAW_POISSON)
        self->offset_us = draw_exponential(&self->state, self->gap_us);
}

int64_t schedule_due_at(const struct schedule *self)
{
    return self->begin_at + llround(self->offset_us);
}

void schedule_advance(struct schedule *self)
{
    self->number++;
    if (self->law == LAW_POISSON)
        self->offset_us += draw_exponential(&self->state, self->gap_us);
    else
        self->offset_us = (double)self->number * self->gap_us;
}
