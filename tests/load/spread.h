/* spread - figures of several rounds as one: median, least and most. Pure.
 *
 * The unit is a round's figure, never a request's. What is compared was measured side by side in
 * each round, so that the ratio is taken round by round and a slow minute slows both. */
#ifndef TESTS_LOAD_SPREAD_H
#define TESTS_LOAD_SPREAD_H

#define SPREAD_ROUNDS_MAX 1000u

struct spread {
    unsigned count; /* of rounds; 0: nothing is known, and the others are 0 */
    double median, min, max;
};

/* values  count of them, at most SPREAD_ROUNDS_MAX */
struct spread spread_of(const double *values, unsigned count);

/* Of ours[i] / theirs[i]; a round in which one of them is 0 or less was not measured: left out. */
struct spread spread_of_ratios(const double *ours, const double *theirs, unsigned count);

#endif
