/* report - what a run has shown, as one document: JSON, or the same as a table.
 *
 * A figure that the samples do not allow is "n/a", one of no samples "not measured": never 0. */
#ifndef TESTS_LOAD_REPORT_H
#define TESTS_LOAD_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "tests/load/cost.h"
#include "tests/load/outcomes.h"

struct report {
    const char *system, *workload; /* fact, pack ...; echo, hit ... */
    const char *label;             /* of the one who called; may be empty */
    json_t *load;                  /* how it was asked; borrowed */
    const struct outcomes *outcomes;
    uint64_t completed; /* in the measured time: what CPU and rate are divided by */
    const struct cost *cost;
    unsigned invalid; /* bits of enum invalid */
};

/* Returns a new reference. */
json_t *report_new(const struct report *report);

/* n, p50, p90, p99, p999, max of a histogram. Returns a new reference. */
json_t *report_durations(const struct histogram *histogram);

void report_print_json(const json_t *document, FILE *out); /* one line */
void report_print_table(const json_t *document, FILE *out);

#endif
