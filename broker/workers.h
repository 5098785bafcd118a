/* workers - who serves what, how much more each may be given, and which is to have the next. Pure.
 *
 * Credit is what a worker has offered in all since it came, modulo 2^32: said twice or lost, it
 * does no harm. Owns  WORKERS_MAX entries and the lanes of methods.h; a struct worker is lent until
 * workers_remove(). */
#ifndef BROKER_WORKERS_H
#define BROKER_WORKERS_H

#include "broker/ejection.h"
#include "broker/methods.h"

enum worker_state {
    WORKER_FREE, /* no entry */
    WORKER_UP,
    WORKER_SUSPECT, /* has missed a beat: gets nothing new */
    WORKER_EJECTED, /* fails what it is given: gets nothing for a while */
    WORKER_DRAINING,
    WORKER_STATE_COUNT
};
extern const char *const worker_state_names[WORKER_STATE_COUNT];

/* A method as one worker serves it. */
struct served {
    uint32_t lane;
    struct name version;
    uint64_t schema;
};

struct worker {
    enum worker_state state;
    enum role role;
    uint32_t peer;     /* its session */
    uint64_t identity; /* a hash of its name: the same when it comes back */
    uint32_t concurrency, weight;
    struct name zone;
    uint16_t endpoint_size; /* cache_partition */
    char endpoint[ENDPOINT_BYTES_MAX];
    char uuid[SESSION_ID_BYTES]; /* the same; its place in placement */

    uint32_t granted;    /* requests it has offered to take, in all */
    uint32_t dispatched; /* requests it was given, in all */
    uint32_t running;    /* of them not answered */
    bool choked;         /* its pipe was full: nothing more until it is heard again */
    double cost_us;      /* peak EWMA of its service; 0: not known yet */
    int64_t cost_at;
    uint64_t served, failed;
    struct health health;
    uint32_t room; /* requests that it may hold at once while it begins with little */
    struct msg_heartbeat beat;

    uint32_t methods_count;
    struct served methods[METHODS_MAX];
};

/* Which worker a request would like to have. */
struct wish {
    bool has_key;     /* then the one that has had others of this key ... */
    uint64_t key;     /* ... unless it has more to do than the others */
    uint32_t seen_by; /* the worker that has seen its idempotency key; NONE of list.h */
    uint32_t avoid;   /* not this worker, if another can; NONE */
};

struct workers;

/* seed: of the choice between two at random; not 0. */
struct workers *workers_new(uint64_t seed);
void workers_destroy(struct workers **self_p);

struct methods *workers_methods(struct workers *self);

/* credit: to begin with. Returns NULL: there is no room. */
struct worker *workers_add(struct workers *self, uint32_t peer, enum role role, uint32_t credit);
void workers_remove(struct workers *self, struct worker *worker);

/* This is all that it serves.
 *
 * methods  LIST of messages method; borrowed
 * returns  OK; BAD_REQUEST: one makes no sense; then, as when there is no room for some, it serves
 *          the rest */
MUST_USE enum status workers_serve(struct workers *self, struct worker *worker,
                                   struct bytes methods);

void workers_set_state(struct workers *self, struct worker *worker, enum worker_state state);

/* Believe a grant, unless it takes back or is beyond WORKER_CREDIT_MAX. returns whether it can take
 * something now, and could not before. */
bool workers_grant(struct workers *self, struct worker *worker, uint32_t granted);

/* It wants back what it has granted above this, as far as it was not used. Returns what it has
 * granted from now on. */
uint32_t workers_give_back(struct workers *self, struct worker *worker, uint32_t granted);

/* It holds so many at once now, as far as this broker is concerned. */
void workers_resize(struct workers *self, struct worker *worker);

/* One more that it is given; or was given, and did not get. */
void workers_spend(struct workers *self, struct worker *worker);
void workers_unspend(struct workers *self, struct worker *worker);

/* Give it nothing until it is heard again; heard: returns as workers_grant() does. */
void workers_choke(struct workers *self, struct worker *worker);
bool workers_heard(struct workers *self, struct worker *worker);

/* One that it was given has ended, answered or not; returns as workers_grant() does. */
bool workers_release(struct workers *self, struct worker *worker);

/* It is sick: nothing more for it for a while. false: too many of its role are out already. And:
 * its time is over. */
bool workers_eject(struct workers *self, struct worker *worker, int64_t now_at);
bool workers_is_over(const struct worker *worker, int64_t now_at);
void workers_return(struct workers *self, struct worker *worker, int64_t now_at);

/* It says that it takes requests: so it does, unless it is out; one that went out and drained
 * comes back from where it was. */
void workers_ready(struct workers *self, struct worker *worker);

/* One that is back may hold more with time; returns as workers_grant() does. */
bool workers_ramp(struct workers *self, struct worker *worker, int64_t now_at);

/* So long it took it to serve one, at least; 0: less than a microsecond. */
void worker_learn(struct worker *worker, int64_t service_us, int64_t now_at);

/* Who gets the next request of this lane; NULL: none of those who serve it has credit. Within a
 * turn short calls stay with one worker, so that they stay packed: workers_end_turn() ends that.
 *
 * wish    what the request would like; borrowed
 * source  docs/load.md, 8 */
struct worker *workers_pick(struct workers *self, uint32_t lane, const struct wish *wish,
                            int64_t now_at);
void workers_end_turn(struct workers *self);

uint32_t worker_index(const struct workers *self, const struct worker *worker);
uint32_t worker_credit(const struct worker *worker); /* requests that it would take now */
struct worker *workers_at(struct workers *self, uint32_t index); /* NULL: free */

uint32_t workers_count(const struct workers *self); /* in whatever state */

/* Of a role: those in this state. */
uint32_t workers_in(const struct workers *self, enum role role, enum worker_state state);

/* Of a role: those that take requests, and how many they hold at once all together. */
uint32_t workers_up(const struct workers *self, enum role role);
uint32_t workers_capacity(const struct workers *self, enum role role);

#endif
