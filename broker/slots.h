/* slots - the requests in flight: their bytes until they are answered, and how a reply or their
 * client finds them. Pure.
 *
 * Owns  slots_max slots, taken at start, with room for a small request in each; a larger one is a
 *       message of its own. A slot is lent until slots_free().
 *
 * One that is ATTACHED shares the execution of another, its leader's: it has a client and a
 * deadline of its own, and nothing else. One that is IN_LINE waits for its turn: see orders.h. */
#ifndef BROKER_SLOTS_H
#define BROKER_SLOTS_H

#include "broker/outbox.h"
#include "broker/queues.h"
#include "broker/workers.h"

#define SLOT_SMALL_BYTES 256u /* most requests are smaller: no allocation */

enum slot_state { SLOT_FREE, SLOT_QUEUED, SLOT_RUNNING, SLOT_ATTACHED, SLOT_IN_LINE };

/* Flags that say what its client wants, and not how it is to be executed. */
#define SLOT_CLIENT_FLAGS                                                                          \
    (FLAG_STREAM | FLAG_ACK_ACCEPT | FLAG_NO_REPLY | FLAG_COALESCE | FLAG_DETACHED | FLAG_KEEP)

struct slot {
    enum slot_state state;
    uint32_t generation; /* one up when the slot is freed, or goes out again */
    uint32_t client;     /* its session; NONE of list.h: it has gone, and left this to be done */
    uint32_t worker;     /* while RUNNING */
    uint32_t second;     /* while RUNNING: another worker that has it, too; NONE: none has */
    uint32_t leader;     /* while ATTACHED */
    uint32_t followers;  /* that are attached to it */
    uint32_t identity;   /* of identities.h; NONE: it has no idempotency key */
    uint64_t client_id;
    int64_t arrived_at, queued_at, dispatched_at, deadline_at; /* queued: after its turn had come */
    int64_t lease_at;   /* while RUNNING: its worker has to say something about it until then */
    int64_t hedge_at;   /* while RUNNING: when a second worker is to be asked; 0: not (any more) */
    int64_t second_at;  /* when one was */
    struct place place; /* in the queues */
    struct wish wish;
    uint16_t flags;
    bool started, begun;            /* begun: STARTED by a worker that was lost */
    bool passed_on;                 /* since it runs: its worker was told another deadline */
    bool watched;                   /* its end is to be told to the breaker of its lane ... */
    uint32_t token;                 /* ... with this */
    uint8_t attempt, deaths;        /* deaths: workers lost with it */
    uint32_t lost_with[DEATHS_MAX]; /* numbers of their names, of dead_letters.h */
    uint32_t small_size;            /* 0: in message */
    union {
        char small[SLOT_SMALL_BYTES];
        zmq_msg_t message;
    } pair; /* its bytes in our widths; while not FREE */
};

struct slots;

/* sessions_max, workers_max: numbers of clients and workers are below them.
 * generation_first: random, so that a reply to the broker that stood here before finds nothing.
 * seed: random, and told to nobody: ids of requests are their clients' choice. */
struct slots *slots_new(uint32_t slots_max, uint32_t sessions_max, uint32_t workers_max,
                        uint32_t generation_first, uint64_t seed);
void slots_destroy(struct slots **self_p);

/* A free slot, with all zero but its generation; NULL: there is none. */
struct slot *slots_take(struct slots *self, uint32_t client, uint64_t client_id);
void slots_free(struct slots *self, struct slot *slot); /* of no worker, in no queue */

/* Keep the bytes of a request: moved out of its message if it may be, else copied. */
void slots_keep(struct slots *self, struct slot *slot, const struct pair *pair, zmq_msg_t *message);

/* Patch what is kept, and send it. */
void slots_send(struct slot *slot, const struct header *patch, struct outbox *outbox,
                uint32_t place);

/* The pair that is kept; valid while the slot is. */
struct bytes slots_pair(const struct slot *slot);

/* It goes out again under another id: what comes under the last one comes too late. */
void slots_renew(struct slot *slot);

/* Which worker has it; NONE: none any more. */
void slots_give(struct slots *self, struct slot *slot, uint32_t worker);

/* Which worker has it, too; NONE: none any more. And: the second one is the first from now on. */
void slots_give_second(struct slots *self, struct slot *slot, uint32_t worker);
void slots_promote(struct slots *self, struct slot *slot);

/* It is this client's from now on; NONE: nobody's. */
void slots_rename(struct slots *self, struct slot *slot, uint32_t client);

/* Its client is gone, and wants it done all the same. */
void slots_orphan(struct slots *self, struct slot *slot);

/* Let one that is new share the execution of another, which is not ATTACHED, and has fewer than
 * FOLLOWERS_MAX.
 * slots_detach() ends that; it is done with then. */
void slots_attach(struct slots *self, struct slot *slot, struct slot *leader);
void slots_detach(struct slots *self, struct slot *slot);

/* The execution goes on for the client of one that is attached to it, and that slot, which is
 * detached, has the leader's client now. */
void slots_pass_on(struct slots *self, struct slot *leader, struct slot *follower);

/* The one that came first, and the one after it; NULL: none (any more). */
struct slot *slots_first_follower(struct slots *self, const struct slot *leader);
struct slot *slots_next_follower(struct slots *self, const struct slot *follower);

/* The slot that is executed for this one: itself, or its leader. */
struct slot *slots_execution(struct slots *self, struct slot *slot);

uint64_t slots_id(const struct slots *self, const struct slot *slot); /* towards its worker */
struct slot *slots_find_id(struct slots *self, uint64_t id);          /* NULL: answered long ago */
struct slot *slots_find_request(struct slots *self, uint32_t client, uint64_t client_id);

/* The one that came first; the one that was given last, as the first or the second. NULL: none. */
struct slot *slots_first_of_client(struct slots *self, uint32_t client);
struct slot *slots_last_of_worker(struct slots *self, uint32_t worker);
struct slot *slots_last_of_second(struct slots *self, uint32_t worker);

uint32_t slots_index(const struct slots *self, const struct slot *slot);
struct slot *slots_at(struct slots *self, uint32_t index);
uint32_t slots_used(const struct slots *self);
uint64_t slots_bytes(const struct slots *self); /* kept */

#endif
