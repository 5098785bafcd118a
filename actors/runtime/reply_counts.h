/* reply_counts - the series that a reply counts in, found once for each method and status, and not
 * by their labels for each reply.
 *
 * A place for each of the last few; another that falls on the same place takes it, so what is asked
 * with methods that are made up costs a look for the series each time, and nothing else. */
#ifndef ACTORS_RUNTIME_REPLY_COUNTS_H
#define ACTORS_RUNTIME_REPLY_COUNTS_H

#include "actors/runtime/actor.h"
#include "actors/runtime/metrics.h"

#define REPLY_COUNTS_PLACES 64u /* a power of two */

struct reply_count {
    struct name method;
    enum status status;
    char label[NAME_BYTES_MAX + 1];               /* what it is called there */
    struct series *replies, *requests, *duration; /* replies NULL: nothing is here */
};

struct reply_counts {
    struct reply_count places[REPLY_COUNTS_PLACES];
};

/* The place of this method and status.
 *
 * ret_found  whether it holds their series; if not, they are to be put there */
struct reply_count *reply_counts_place(struct reply_counts *self, const struct name *method,
                                       enum status status, bool *ret_found);

#endif
