/* stamps - what is known to be stale: one clock, one floor, and a stamp for each tag (cache.md,
 * "Consistency, rule by rule").
 *
 * An entry is valid if its version is above the floor and the stamps of all its tags; there is no
 * index from tags to entries. Invalidations are numbered by their origin; where a number is missing
 * or nothing was heard for DEAF_MS, the floor rises to the clock: too much is invalid then, never
 * too little. Pure; for whoever holds entries: cache partition, first-level cache.
 * Clock, stamps and floor are of one number space, that never leaves its process. */
#ifndef ACTORS_RUNTIME_STAMPS_H
#define ACTORS_RUNTIME_STAMPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ORIGIN_BYTES 16u
#define DEAF_MS 3000

struct stamps;

struct stamps_counts {
    uint64_t stamped;    /* tags */
    uint64_t duplicates; /* invalidations that had been applied */
    uint64_t gaps;       /* times that the floor rose for what may have been missed */
    uint64_t folded;     /* stamps given up for room; their floor covers them */
};

/* Deaf, until something is heard.
 *
 * tags_max  stamps kept; 36 bytes each
 * seed      secret: of the table's hash
 * unix_ms   what the wall says at now_at: where the clock begins, so that it is above that of an
 *           earlier process. It goes on by monotonic time alone
 * returns   NULL: no memory */
struct stamps *stamps_new(uint32_t tags_max, uint64_t seed, int64_t now_at, int64_t unix_ms);
void stamps_destroy(struct stamps **self);

/* The next value of the clock, above all before: 48 bits of milliseconds, 16 of a counter. */
uint64_t stamps_tick(struct stamps *self, int64_t now_at);
uint64_t stamps_clock(const struct stamps *self); /* the last one */

uint64_t stamps_floor(const struct stamps *self);
uint64_t stamps_of(const struct stamps *self, uint64_t tag); /* 0: none above the floor */

/* Rule 1. Says nothing while deaf: ask stamps_deaf() too. */
bool stamps_valid(const struct stamps *self, uint64_t version, const uint64_t *tags, size_t count);

/* Rule 11: nothing was heard for DEAF_MS, or events were missed and none has come since. */
bool stamps_deaf(const struct stamps *self, int64_t now_at);

/* An event of the broker came, of whatever topic; first of all that it brings. */
void stamps_heard(struct stamps *self, int64_t now_at);

/* Events were missed, or may have been: deaf until the next one. */
void stamps_gap(struct stamps *self);

/* Rule 6: one invalidation. It counts once, however often it comes.
 *
 * origin  ORIGIN_BYTES of who numbered it
 * number  its own; the first is 1 or SESSION_INVALIDATE_FIRST */
void stamps_apply(struct stamps *self, const char *origin, uint64_t number, const uint64_t *tags,
                  size_t count, int64_t now_at);

/* Rule 10: this one was applied, or the floor covers it. */
bool stamps_cover(const struct stamps *self, const char *origin, uint64_t number);

/* Positions, from index 0.
 *
 * returns  false: there are no more */
bool stamps_position(const struct stamps *self, size_t index, const char **ret_origin,
                     uint64_t *ret_number);

uint32_t stamps_count(const struct stamps *self); /* tags remembered */
const struct stamps_counts *stamps_counts(const struct stamps *self);

#endif
