/* samples - statements to begin with, on a database of which nothing need be known.
 *
 * On the demo data twelve of different kinds; on any other, up to twelve made from its schema. All
 * that are told compile on the database as it is. */
#ifndef ACTORS_TOOL_EXECUTOR_SAMPLES_H
#define ACTORS_TOOL_EXECUTOR_SAMPLES_H

#include "actors/tool_executor/database/sqlite.h"

#define SAMPLES_MAX 12u
#define SAMPLE_BYTES_MAX 768u

struct sample {
    char description[SAMPLE_BYTES_MAX], query[SAMPLE_BYTES_MAX];
};

struct samples {
    struct sample list[SAMPLES_MAX];
    size_t count;
};

/* Between sqlite_begin() and sqlite_end().
 *
 * returns  false: failure says why */
MUST_USE bool samples_find(struct sqlite *sqlite, struct samples *ret, struct failure *failure);

#endif
