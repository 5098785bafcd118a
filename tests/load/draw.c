/* draw - see draw.h. */
#include "tests/load/draw.h"

#include <assert.h>
#include <math.h>

uint64_t draw_u64(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

double draw_share(uint64_t *state)
{
    return (double)(draw_u64(state) >> 11) * 0x1p-53;
}

double draw_exponential(uint64_t *state, double mean)
{
    return -log1p(-draw_share(state)) * mean;
}

void key_law_init(struct key_law *self, uint64_t count, double theta)
{
    assert(count > 0);
    assert(theta >= 0);
    assert(theta < 1);
    *self = (struct key_law){.count = count, .theta = theta, .alpha = 1 / (1 - theta)};
    for (uint64_t i = 1; i <= count; i++)
        self->zeta += pow((double)i, -theta);
    double zeta_of_two = 1 + pow(2, -theta);
    if (count > 2)
        self->eta = (1 - pow(2 / (double)count, 1 - theta)) / (1 - zeta_of_two / self->zeta);
}

uint64_t key_law_draw(const struct key_law *self, uint64_t *state)
{
    double share = draw_share(state);
    if (self->theta == 0)
        return (uint64_t)(share * (double)self->count);
    if (share * self->zeta < 1)
        return 0;
    if (self->count == 1 || share * self->zeta < 1 + pow(0.5, self->theta))
        return self->count == 1 ? 0 : 1;
    uint64_t key =
        (uint64_t)((double)self->count * pow(self->eta * share - self->eta + 1, self->alpha));
    return key < self->count ? key : self->count - 1;
}
