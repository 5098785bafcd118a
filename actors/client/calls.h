/* calls - the calls of a handle that have no end yet, and ends that wait to be told or fetched.
 *
 * A call has a slot; its number is slot and generation, so that a number that was used up finds
 * nothing. What was asked is kept until the end, so that it can be asked again, elsewhere. Pure: no
 * session, no clock. */
#ifndef ACTORS_CLIENT_CALLS_H
#define ACTORS_CLIENT_CALLS_H

#include "actors/client/fact.h"

/* One call without an end; or free, and the next free one. */
struct call {
    uint32_t generation;
    uint32_t next_free; /* a slot; calls.max: none */
    bool used;
    fact_done *done;
    fact_partial *partial;
    void *context;
    int64_t submitted_at, deadline_at;
    struct header header; /* its views, and body, point into bytes */
    struct bytes body;
    char *bytes;           /* owned; NULL: nothing is kept, it is asked once */
    size_t size;           /* of bytes */
    bool once;             /* it is not tried again */
    bool begun;            /* an attempt of it that has ended may have been executed */
    unsigned line;         /* of the handle, at which it is asked */
    bool waits_for_broker; /* what it pauses for is one that stays */
    int64_t again_at;      /* it waits for another attempt until then; 0: it does not */
};

/* An end that waits to be told or fetched. */
struct ending {
    struct ending *next;
    fact_done *done;
    void *context;
    struct fact_reply reply; /* its views point into data */
    char data[];
};

struct endings {
    struct ending *first, **last;
};

struct calls {
    struct call *slots;
    uint32_t max, count, peak, first_free;
    size_t bytes; /* kept, of all */
};

/* max: 1 to CALLS_MAX. */
void calls_init(struct calls *self, uint32_t max);
void calls_fini(struct calls *self); /* zeroed is good enough */

/* Take a slot; one must be free. Returns the call's number, not 0. */
uint64_t calls_take(struct calls *self, fact_done *done, void *context, int64_t now_at);

/* Keep what is asked until the end of the call.
 *
 * returns  false: CALLS_BYTES_MAX are kept; nothing was */
MUST_USE bool calls_keep(struct calls *self, struct call *call, const struct header *header,
                         struct bytes body);

uint64_t calls_number(const struct calls *self, const struct call *call);

/* The call of this number; NULL: it has ended, or never was. */
struct call *calls_find(struct calls *self, uint64_t number);
void calls_free(struct calls *self, struct call *call); /* and what is kept of it */

/* The end of a call, with its own copy of instance and body; to be freed. */
struct ending *ending_new(const struct call *call, const struct fact_reply *reply);

void endings_init(struct endings *self);
void endings_push(struct endings *self, struct ending *ending);
struct ending *endings_pop(struct endings *self); /* NULL: empty */
void endings_drop(struct endings *self);

#endif
