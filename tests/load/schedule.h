/* schedule - when each request is meant to leave. Pure.
 *
 * Times are absolute: they come from the law and the seed alone, never from when the last one did
 * leave, so a stall delays nothing that is due after it. */
#ifndef TESTS_LOAD_SCHEDULE_H
#define TESTS_LOAD_SCHEDULE_H

#include <stdint.h>

enum law { LAW_CONSTANT, LAW_POISSON };

struct schedule {
    enum law law;
    double gap_us; /* mean */
    int64_t begin_at;
    uint64_t state;   /* of its random numbers */
    uint64_t number;  /* of the next request, from 0 */
    double offset_us; /* of the next request */
};

/* rate  requests a second, above 0 */
void schedule_init(struct schedule *self, enum law law, double rate, uint64_t seed,
                   int64_t begin_at);

/* When the next request is meant to leave. */
int64_t schedule_due_at(const struct schedule *self);

/* On to the one after it. */
void schedule_advance(struct schedule *self);

#endif
