/* process_private - one process of the runtime, in parts.
 *
 *   process.c     start, loop, signals, drain, stop
 *   acting.c      what the actor is given (struct context), and questions to the process
 *   answering.c   what the process is asked, and how each request ends
 *   uplinks.c     the brokers: backend and frontend of each
 *   telling.c     what is stale is told to each of them
 *   touches.c     words to them on what is held for long
 *   news.c        the brokers' events
 *   lending.c     what each broker may have here at once
 *   peerlinks.c   the cache partitions: the view, and a link to each
 *   doorway.c     those who are let in: a ROUTER, with struct server behind it
 *
 * Everything runs on the loop's thread. */
#ifndef ACTORS_RUNTIME_PROCESS_PRIVATE_H
#define ACTORS_RUNTIME_PROCESS_PRIVATE_H

#include "actors/runtime/actor.h"
#include "actors/runtime/guard.h"
#include "actors/runtime/held.h"
#include "actors/runtime/jobs.h"
#include "actors/runtime/keys.h"
#include "actors/runtime/link.h"
#include "actors/runtime/log.h"
#include "actors/runtime/metrics.h"
#include "actors/runtime/numbers.h"
#include "actors/runtime/reply_counts.h"
#include "actors/runtime/server.h"
#include "actors/runtime/settings.h"
#include "actors/runtime/shares.h"
#include "actors/runtime/socket.h"
#include "actors/runtime/subscriber.h"

/* Of a request: where it came from. The connection stands in the high 32 bits. */
#define LINK_DOORWAY 1u
#define LINK_UPLINK_FIRST 2u

#define DEAF_US (3 * US_PER_S) /* so long without an event of any broker */

struct process;

/* One broker. */
struct uplink {
    struct process *process;
    unsigned index;
    struct link *back;             /* this process's duty as a worker */
    struct link *front;            /* its questions; NULL until the broker has named its frontend */
    struct subscriber *subscriber; /* its events; NULL until named, or where the role wants none */
    char frontend[ENDPOINT_BYTES_MAX], events[ENDPOINT_BYTES_MAX];
    struct name instance;
    uint64_t generation;
    struct numbers numbers; /* of its events */
    bool was_up;
    uint64_t told_next; /* the next invalidation it is to be told */
    bool telling;       /* ... and is being told */
    int64_t tell_again_at;
    int64_t reopen_at; /* a link that was refused is opened anew; not before */
    int64_t touch_us;  /* how often what is held is touched; 0: there is no lease */
    int64_t touch_at;
    struct share share;  /* of the requests that this process holds at once */
    uint32_t withholds;  /* so many of the next replies grant nothing */
    uint32_t asked_to;   /* what the CREDIT said that asked back, and is not answered yet */
    uint32_t connection; /* that the share is of */
};

/* One cache partition. */
struct peerlink {
    struct link *link; /* NULL: this place is free */
    char uuid[SESSION_ID_BYTES];
    bool wanted; /* by the newest view */
};

struct invalidation {
    uint64_t tags[TAGS_BATCH_MAX];
    size_t count;
};

struct process {
    const struct actor_spec *spec;
    struct actor actor;
    struct context context;
    struct settings *settings;
    struct jobs *jobs; /* NULL: a role without */
    struct held *held;
    struct answered *answered;
    uint64_t answered_again; /* from memory */
    struct reply_counts reply_counts;
    void *zmq;
    int signal_fd;
    struct inlets inlets; /* what the loop sleeps on */
    int reconnect_ms;
    uint64_t random_state;
    char instance[NAME_BYTES_MAX + 1];
    char front_session[SESSION_ID_BYTES]; /* the frontend's connections are others than the
                                           * backend's */
    char *room;                           /* PAIR_BODY_BYTES_MAX, for the body of one reply */

    struct uplink uplinks[BROKERS_MAX];
    unsigned uplink_count;
    bool lends;       /* spare is known */
    int64_t spare;    /* requests that no broker may have here; see shares.h */
    int64_t split_at; /* when they are split again */
    int64_t event_at; /* the last event of any broker */
    int64_t deaf_at;  /* when on_gap() is called again */

    struct invalidation invalidations[INVALIDATIONS_MAX]; /* a ring, by number */
    uint64_t invalidation_first, invalidation_next;       /* numbers, from 0 */

    struct peerlink
        peerlinks[2 * VIEW_MEMBERS_MAX]; /* of a view, while the last one's are closed */
    uint32_t peerlink_end;               /* places from here on have never been used */
    uint32_t members[VIEW_MEMBERS_MAX];  /* index in peerlinks, by index in the view */
    uint32_t member_count;
    uint64_t view_epoch;
    char *view_bytes; /* the newest view that came, not applied yet; NULL: none */
    size_t view_size;

    struct keys keys;
    struct guard *guard;               /* of the door; NULL: it is open to whoever can reach it */
    struct server *server;             /* NULL: lets nobody in */
    struct inlet door;                 /* its ROUTER */
    char endpoint[ENDPOINT_BYTES_MAX]; /* of the door */
    struct series *unsent, *messages_in, *messages_out, *bytes_in, *bytes_out; /* of the door */

    int code; /* what it ends with */
    bool draining;
    bool must_end; /* it was told to by its host, or can do its work no more */
    int64_t drain_until_at;
    int64_t loop_lag_us; /* longest turn since the last heartbeat */
    enum log_level level_before;
    int64_t level_until_at; /* INT64_MAX: it stays */
};

int64_t process_clock_us(void);
void process_drain(struct process *self, int64_t until_at);
/* It stays, and every broker is told. false: it must go, whoever wants it. */
bool process_undrain(struct process *self);

/* answering.c */
void answering_take_request(struct process *self, uint64_t link, uint64_t peer,
                            const struct pair *pair);
void answering_take_cancel(struct process *self, uint64_t link, uint64_t peer, uint64_t id);

/* The end of a request that is out of the table. */
void answering_finish(struct process *self, const struct held_request *request,
                      const struct answer *answer);

/* What came over this connection is not wanted any more. */
void answering_drop_link(struct process *self, uint64_t link, uint64_t peer);

/* acting.c */
void acting_init(struct process *self);
/* Answer a QUERY to this process.
 *
 * ret_header  a REPLY, complete but for credit; ret_body borrows self->room */
void acting_take_query(struct process *self, const struct pair *pair, bool by_broker,
                       struct header *ret_header, struct bytes *ret_body);

/* Hand a part of the answer, or the end, of a question to the role. */
void acting_partial(struct process *self, uint64_t tag, struct bytes body);
void acting_answer(struct process *self, uint64_t tag, const struct header *header,
                   struct bytes body);
unsigned acting_finish_jobs(struct process *self);

/* uplinks.c */
bool uplinks_open(struct process *self, char *reason);
unsigned uplinks_take(struct process *self);
void uplinks_tick(struct process *self);
void uplinks_flush(struct process *self);
int64_t uplinks_due_at(const struct process *self);
void uplinks_watch(struct process *self, struct inlets *inlets);
void uplinks_say(struct process *self, const struct header *header, struct bytes body);
void uplinks_say_ready(struct process *self);
void uplinks_close(struct process *self, int linger_ms);

/* The session that asks on behalf of a request that came over this link; NULL: no broker known. */
struct session *uplinks_asker(struct process *self, uint64_t link);
struct session *uplinks_back(struct process *self, uint64_t link);
struct uplink *uplinks_find(struct process *self, uint64_t link);
bool uplinks_cancel(struct process *self, uint64_t tag);

/* telling.c */
void uplinks_invalidate(struct process *self, const uint64_t *tags, size_t count);
bool uplinks_are_told(const struct process *self); /* every invalidation, of brokers that are up */
void uplink_tell(struct uplink *self);             /* the next one, if it may be told now */
void uplink_on_told(void *context, uint64_t tag, const struct header *header, struct bytes body);

/* The name that what comes over the backend's present connection bears. */
uint64_t uplink_link(const struct uplink *uplink);

/* touches.c: what is held for longer than a part of the lease is touched, so that the broker knows
 * that this process gets on with it. */
void touches_begin(struct uplink *uplink, uint64_t lease_ms);
void touches_tick(struct process *self);
int64_t touches_due_at(const struct process *self);

/* lending.c */

/* What READY says: of a connection that is new, what it begins with. */
uint32_t lending_begin(struct uplink *uplink, uint32_t concurrency);
void lending_end(struct uplink *uplink);  /* the connection is gone */
void lending_take(struct uplink *uplink); /* a REQUEST has come */
void lending_on_credit(struct uplink *uplink, uint32_t credit);

/* A REQUEST of this link is answered; returns whether that grants another one. */
bool lending_reply(struct process *self, uint64_t link);
void lending_tick(struct process *self);
int64_t lending_due_at(const struct process *self);

/* news.c: the events of each broker */
void news_connect(struct uplink *uplink, struct bytes endpoint, uint64_t generation);
unsigned news_take(struct process *self);
void news_tick(struct process *self);
int64_t news_due_at(const struct process *self);
void news_watch(struct process *self, struct inlets *inlets);
void news_close(struct process *self);

/* peerlinks.c */
void peerlinks_offer_view(struct process *self, struct bytes view);
void peerlinks_apply_view(struct process *self);
struct session *peerlinks_asker(struct process *self, uint32_t member); /* NULL: not up */
unsigned peerlinks_take(struct process *self);
void peerlinks_tick(struct process *self);
void peerlinks_flush(struct process *self);
int64_t peerlinks_due_at(const struct process *self);
void peerlinks_watch(struct process *self, struct inlets *inlets);
bool peerlinks_cancel(struct process *self, uint64_t tag);
void peerlinks_close(struct process *self, int linger_ms);

/* doorway.c */
bool doorway_open(struct process *self, char *reason);
unsigned doorway_take(struct process *self);
void doorway_watch(struct process *self, struct inlets *inlets);
void doorway_flush(struct process *self);
void doorway_close(struct process *self);

#endif
