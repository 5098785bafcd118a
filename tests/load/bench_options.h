/* bench_options - the command line of fact-bench. */
#ifndef TESTS_LOAD_BENCH_OPTIONS_H
#define TESTS_LOAD_BENCH_OPTIONS_H

#include <stdbool.h>

#include "tests/load/run.h"

#define OPTIONS_REASON_BYTES 256u

struct bench_options {
    const char *endpoint, *label;
    unsigned connections;
    int remote; /* pid of what a gateway calls; 0: none */
    bool is_json;
    struct run_config run;
    struct workload_config workload;
    bool searches;               /* find the highest rate that holds, from run.rate ... */
    double search_to, tolerance; /* ... up to this */
    int64_t p99_us;              /* what its p99 must not exceed */
    char *body;                  /* owned: what workload.body points to */
};

enum options_end { OPTIONS_RUN, OPTIONS_HELP, OPTIONS_WRONG };

/* reason  OPTIONS_REASON_BYTES; written if WRONG */
enum options_end bench_options_read(int argc, char *const *argv, struct bench_options *ret,
                                    char *reason);
void bench_options_fini(struct bench_options *self);
void bench_options_help(void);

#endif
