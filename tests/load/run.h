/* run - one measured run: requests leave by a schedule or as answers come, and what becomes of each
 * is counted.
 *
 * Open loop (rate above 0): a request counts from when it was meant to leave, whenever it did. With
 * a window, a connection has at most so many under way; what is due meanwhile waits, and counts
 * from when it was due. Above inflight_max, waiting or under way, it is dropped, and the run is
 * invalid. Closed loop (rate 0): window requests under way on each connection; the next leaves when
 * one ends.
 *
 * What was due before warmup is over is sent and not counted; so is what comes after. */
#ifndef TESTS_LOAD_RUN_H
#define TESTS_LOAD_RUN_H

#include "tests/load/cost.h"
#include "tests/load/outcomes.h"
#include "tests/load/schedule.h"
#include "tests/load/workload.h"

#define CONNECTIONS_MAX 64u
#define INFLIGHT_MAX 200000u

struct run_config {
    double rate; /* a second; 0: closed loop */
    enum law law;
    uint64_t seed;
    uint32_t window; /* closed loop: at least 1; open loop: 0 is no bound */
    uint32_t inflight_max;
    int64_t warmup_us, measure_us, late_us;
};

struct run_result {
    struct outcomes outcomes;
    uint64_t completed; /* answered, whatever was asked when, while it was measured */
    uint64_t sent_in_time;
    unsigned invalid; /* bits of enum invalid */
};

/* Handles that are up. */
struct connections {
    struct fact *handles[CONNECTIONS_MAX];
    unsigned count;
};

/* Ask each key of the workload once, and learn the answers.
 *
 * returns  false: one failed; reason (256 bytes) says which and why */
bool run_warm(const struct connections *connections, struct workload *workload, char *reason);

/* cost  gets what it took while it was measured */
void run(const struct connections *connections, struct workload *workload,
         const struct run_config *config, struct cost *cost, struct run_result *ret);

#endif
