/* search - the highest rate that holds: doubled while it does, then halved between. Pure.
 *
 * A rate that fails is tried once more before it counts as failed: a single stall of the machine is
 * no bound of the system. */
#ifndef TESTS_LOAD_SEARCH_H
#define TESTS_LOAD_SEARCH_H

#include <stdbool.h>

struct search {
    double rate;      /* to be tried now */
    double held;      /* highest that held; 0: none yet */
    double failed;    /* lowest that failed; 0: none yet */
    double rate_max;  /* never tried above */
    double tolerance; /* ends when failed is so near above held; 0.05 is 5 % */
    bool failed_once; /* rate has, and is tried again */
};

/* from above 0, at most to */
void search_init(struct search *self, double from, double to, double tolerance);

/* The rate was tried. Returns whether there is another to try; else held is the answer. */
bool search_next(struct search *self, bool holds);

#endif
