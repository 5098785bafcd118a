/* draw - numbers from a seed: uniform, exponential, and keys of which some are asked for more
 * often. Pure: the same seed draws the same. */
#ifndef TESTS_LOAD_DRAW_H
#define TESTS_LOAD_DRAW_H

#include <stdint.h>

/* The next number. source: Steele, Lea, Flood, Fast splittable pseudorandom number generators, 2014
 */
uint64_t draw_u64(uint64_t *state);
double draw_share(uint64_t *state);                    /* at least 0, below 1 */
double draw_exponential(uint64_t *state, double mean); /* gaps of a Poisson process */

/* Keys 0 to count - 1. With theta 0 all are as likely; the nearer to 1, the more of the draws go to
 * the first: with 0.99 and 1,000 keys a seventh go to key 0. */
struct key_law {
    uint64_t count;
    double theta, zeta, alpha, eta;
};

/* count at least 1; theta at least 0, below 1.
 * source: Gray and others, Quickly generating billion-record synthetic databases, 1994 */
void key_law_init(struct key_law *self, uint64_t count, double theta);
uint64_t key_law_draw(const struct key_law *self, uint64_t *state);

#endif
