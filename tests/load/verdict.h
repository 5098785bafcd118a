/* verdict - whether a run proves anything. Pure.
 *
 * A generator that was late, full or out of breath, or a machine that others were busy on, measures
 * itself; such a run is INVALID, is never compared and never published. */
#ifndef TESTS_LOAD_VERDICT_H
#define TESTS_LOAD_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

struct conditions {
    bool open_loop;
    uint64_t offered, sent, late, dropped, refused;
    uint64_t sent_in_time; /* of sent: before the time was over */
    double generator;      /* CPU of its thread that sends and takes, share of a core */
    double foreign;        /* CPU of all others on the cores of the run, share of a core */
};

enum invalid {
    INVALID_LATE,
    INVALID_GENERATOR,
    INVALID_DROPPED,
    INVALID_ACHIEVED,
    INVALID_FOREIGN,
    INVALID_COUNT
};

extern const char *const invalid_texts[INVALID_COUNT]; /* for people */

/* Returns a set of bits 1 << enum invalid; 0: the run counts. */
unsigned verdict_of(const struct conditions *conditions);

#endif
