/* held - the requests that a process has taken and not answered. Pure; memory taken once.
 *
 * Found by link, peer and id, which are unique among them: so each is answered once, and what came
 * over a connection that is gone is found again. */
#ifndef ACTORS_RUNTIME_HELD_H
#define ACTORS_RUNTIME_HELD_H

#include "actors/runtime/answered.h"

struct held;

struct held_request {
    uint64_t link, peer, id;
    int64_t arrived_at;
    struct name method;
    bool idempotent, streams;
    bool keyed; /* it has an idempotency key */
    bool waits; /* for the answer of the same request, which runs here */
    char name[ANSWERED_NAME_BYTES];
    uint32_t partials; /* sent so far */
};

struct held *held_new(uint32_t held_max);
void held_destroy(struct held **self_p);

/* returns  OK; BUSY_FULL; DUPLICATE_RUNNING: it is there already */
MUST_USE enum status held_add(struct held *self, const struct held_request *request);

/* Take one out; false: it is not there.
 *
 * ret  written on true */
bool held_remove(struct held *self, uint64_t link, uint64_t peer, uint64_t id,
                 struct held_request *ret);

/* NULL: it is not there. Valid until the next change; what finds it must not be changed. */
struct held_request *held_find(const struct held *self, uint64_t link, uint64_t peer, uint64_t id);

/* The next that came over this link from this peer, so long ago at least; NULL: none any more.
 * Walks the table.
 *
 * at  where the walk stands: 0 at first; nothing may be added or removed meanwhile */
const struct held_request *held_next(const struct held *self, uint64_t link, uint64_t peer,
                                     int64_t arrived_until_at, uint32_t *at);

/* Take out any that came over this link from this peer; false: there is none. Walks the table: for
 * the end of a connection. */
bool held_remove_any(struct held *self, uint64_t link, uint64_t peer, struct held_request *ret);

/* Take out any that waits for the answer of this name; false: none does. Walks the table. */
bool held_remove_waiting(struct held *self, const char *name, struct held_request *ret);

uint32_t held_count(const struct held *self);

#endif
