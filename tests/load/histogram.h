/* histogram - durations in microseconds, log-linear: 128 steps to each power of two, so that what
 * is read back is at most 0.4 % off. Fixed memory, merged without loss. Pure.
 *
 * Below 128 us each value has a slot of its own. */
#ifndef TESTS_LOAD_HISTOGRAM_H
#define TESTS_LOAD_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_BITS 7u
#define HISTOGRAM_STEPS (1u << HISTOGRAM_BITS)
#define HISTOGRAM_VALUE_BITS 37u /* 2^37 us are 38 h; what is longer counts as that */
#define HISTOGRAM_SLOTS ((HISTOGRAM_VALUE_BITS - HISTOGRAM_BITS + 1) * HISTOGRAM_STEPS)

struct histogram {
    uint64_t slots[HISTOGRAM_SLOTS];
    uint64_t count;
    int64_t max_us; /* exact */
};

void histogram_clear(struct histogram *self);
void histogram_add(struct histogram *self, int64_t us); /* below 0: 0 */
void histogram_merge(struct histogram *self, const struct histogram *other);

/* Whether the samples allow a figure. */
enum measured {
    MEASURED,
    TOO_FEW,     /* fewer than 10 are beyond the quantile: n/a */
    NOT_MEASURED /* there is no sample at all */
};

/* The smallest duration that a share of q of the samples does not exceed.
 *
 * q        above 0, below 1
 * ret      microseconds; written only if MEASURED */
enum measured histogram_quantile(const struct histogram *self, double q, int64_t *ret);

#endif
