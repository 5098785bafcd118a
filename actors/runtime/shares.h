/* shares - how the requests that a process holds at once are split between its brokers. Pure.
 *
 * Credit that a broker does not use is no good to another, and cannot be withdrawn, only asked
 * back. So a broker keeps what it has until another one has used up all of its own. Then half of
 * what the others have not used goes to whoever has the least; where nobody has anything unused, it
 * goes from the most to the least, as requests end. Nobody has less than one. source:
 * docs/decisions/0122 */
#ifndef ACTORS_RUNTIME_SHARES_H
#define ACTORS_RUNTIME_SHARES_H

#include <stdbool.h>
#include <stdint.h>

/* One broker. */
struct share {
    bool up;
    uint32_t share; /* requests that it may have here at once */
    uint32_t held;  /* of them those that it has ... */
    uint32_t peak;  /* ... and the most of them since the last split */
    uint32_t asked; /* so many it is being asked to give back; it is asked one thing at a time */

    /* What shares_split() wants of it. */
    uint32_t grant;    /* more */
    uint32_t ask_back; /* less, of what it has not used */
    uint32_t withhold; /* less, as requests end */
};

/* What a broker that has just been greeted gets: its part of all; at least 1. */
uint32_t shares_first(uint32_t concurrency, unsigned brokers);

/* Whether a request that ends may take its place in the share along: at least one is left, whatever
 * comes of what it is being asked. */
bool shares_may_shrink(const struct share *self);

/* Decide; to be called every SHARES_MS.
 *
 * shares  in: all but the last three, which are written
 * spare   what nobody has; below 0: more is out than there is, and is to come back
 * returns what is left of it */
#define SHARES_MS 100
int64_t shares_split(struct share *shares, unsigned count, int64_t spare);

#endif
