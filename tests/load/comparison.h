/* comparison - what tests/load/compare has gathered, as tables in markdown.
 *
 * In: a line of JSON for each run, as fact-bench and fact-peer print it, and for each fact of
 * another kind: {"kind": "machine", "name", "value"}, {"kind": "start", "ms"}, {"kind": "memory",
 * "process", "bytes"}. A run's label says what it is for: "round N", or "target NAME|SEED". Runs
 * that are INVALID are counted, and have no part in any figure. */
#ifndef TESTS_LOAD_COMPARISON_H
#define TESTS_LOAD_COMPARISON_H

#include <stdbool.h>
#include <stdio.h>

struct comparison;

struct comparison *comparison_new(void);
void comparison_destroy(struct comparison **self_p);

/* Take one line; false: it is none of those above. */
bool comparison_take(struct comparison *self, const char *line);

void comparison_print(const struct comparison *self, FILE *out);

#endif
