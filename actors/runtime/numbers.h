/* numbers - are a broker's events complete? Pure.
 *
 * Its events are numbered, one after the other over all topics, and begin anew when the broker
 * does; its generation tells of that. */
#ifndef ACTORS_RUNTIME_NUMBERS_H
#define ACTORS_RUNTIME_NUMBERS_H

#include "protocol/cursor.h" /* bool, uint64_t */

struct numbers {
    bool begun;
    uint64_t next;
    uint64_t generation; /* 0: not known */
};

/* Take the number of an event that came.
 *
 * generation  of the broker, where the event tells it; else 0
 * returns     true: events were missed before this one, or may have been; so of the first */
bool numbers_take(struct numbers *self, uint64_t number, uint64_t generation);

#endif
