/* numbers - see numbers.h. */
#include "actors/runtime/numbers.h"

bool numbers_take(struct numbers *self, uint64_t number, uint64_t generation)
{
    bool anew = generation != 0 && self->generation != 0 && generation != self->generation;
    bool gap = !self->begun || number != self->next || anew;
    self->begun = true;
    self->next = number + 1;
    if (generation != 0)
        self->generation = generation;
    return gap;
}
