/* spread - see spread.h. */
#include "tests/load/spread.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static int by_size(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

struct spread spread_of(const double *values, unsigned count)
{
    double sorted[SPREAD_ROUNDS_MAX];
    assert(count <= SPREAD_ROUNDS_MAX);
    if (count == 0)
        return (struct spread){0};
    memcpy(sorted, values, count * sizeof *values);
    qsort(sorted, count, sizeof *sorted, by_size);
    return (struct spread){.count = count,
                           .median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2,
                           .min = sorted[0],
                           .max = sorted[count - 1]};
}

struct spread spread_of_ratios(const double *ours, const double *theirs, unsigned count)
{
    double ratios[SPREAD_ROUNDS_MAX];
    unsigned known = 0;
    assert(count <= SPREAD_ROUNDS_MAX);
    for (unsigned i = 0; i < count; i++)
        if (ours[i] > 0 && theirs[i] > 0)
            ratios[known++] = ours[i] / theirs[i];
    return spread_of(ratios, known);
}
