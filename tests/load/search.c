/* search - see search.h. */
#include "tests/load/search.h"

#include <assert.h>

#define RATE_MIN 1.0 /* below it there is nothing to find */

void search_init(struct search *self, double from, double to, double tolerance)
{
    assert(from > 0);
    assert(from <= to);
    assert(tolerance > 0);
    *self = (struct search){.rate = from, .rate_max = to, .tolerance = tolerance};
}

bool search_next(struct search *self, bool holds)
{
    if (!holds && !self->failed_once) {
        self->failed_once = true;
        return true;
    }
    self->failed_once = false;
    if (holds)
        self->held = self->rate;
    else
        self->failed = self->rate;
    if (self->failed == 0) {
        self->rate = self->held * 2 < self->rate_max ? self->held * 2 : self->rate_max;
        return self->held < self->rate_max;
    }
    self->rate = (self->held + self->failed) / 2;
    return self->failed > self->held * (1 + self->tolerance) && self->rate >= RATE_MIN;
}
