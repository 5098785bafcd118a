/* fault - what is wrong with a value from outside: where, and why, in words for people.
 *
 * A place is built on the stack while a value is walked, and costs nothing unless something is
 * wrong there. What a fault says fits the fields of a failure body, and is UTF-8. */
#ifndef PROTOCOL_FAULT_H
#define PROTOCOL_FAULT_H

#include "protocol/cursor.h"
#include "protocol/limits.h"

struct fault {
    char path[FAULT_PATH_BYTES_MAX];     /* parameters/0/name; empty: the whole value */
    char reason[FAULT_REASON_BYTES_MAX]; /* ends in 0, as path does */
};

/* A value inside another. */
struct place {
    const struct place *outer; /* NULL: this is the whole */
    struct bytes name;         /* its key in a map; data NULL: it stands in an array ... */
    size_t index;              /* ... here */
};

/* Say what is wrong at a place; both are cut to fit. Returns false, for a walk to return. */
__attribute__((format(printf, 3, 4))) bool fault_set(struct fault *ret, const struct place *place,
                                                     const char *format, ...);

#endif
