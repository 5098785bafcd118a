/* answered - what a process has answered under idempotency keys, so that it executes nothing twice
 * that is asked again: by another broker, or by the same one after a lost answer. Pure.
 *
 * Known by tenant, method, key, user and body together, as a keyed hash of them: nobody gets at
 * the answer of another. Owns  entries_max entries, taken at start, and bytes_max of bodies. Over
 * either the oldest answer is forgotten; and each when ANSWERED_MS are over, since nobody asks
 * again later than its deadline. */
#ifndef ACTORS_RUNTIME_ANSWERED_H
#define ACTORS_RUNTIME_ANSWERED_H

#include "actors/runtime/actor.h"

#define ANSWERED_NAME_BYTES 16u

struct answered;

/* seed: random. */
struct answered *answered_new(uint32_t entries_max, size_t bytes_max, uint64_t seed);
void answered_destroy(struct answered **self_p);

/* What a request with an idempotency key is known by; out: ANSWERED_NAME_BYTES. */
void answered_name(const struct answered *self, const struct header *header, struct bytes body,
                   char *out);

enum answered_state {
    ANSWERED_NEW, /* it may begin, and is running from now on */
    ANSWERED_RUNNING,
    ANSWERED_DONE
};

/* One comes.
 *
 * ret  its answer, with status, executed, flags and body; written on DONE, valid until the next
 *      change */
enum answered_state answered_begin(struct answered *self, const char *name, int64_t now_at,
                                   struct answer *ret);

/* One that was new has ended, and is remembered if it has an answer that must be the last.
 *
 * answer  borrowed; NULL: it may be executed again */
void answered_end(struct answered *self, const char *name, const struct answer *answer,
                  int64_t now_at);

uint32_t answered_count(const struct answered *self); /* running ones, too */
size_t answered_bytes(const struct answered *self);

#endif
