/* broker - what happens to each pair. No socket, no clock.
 *
 * main.c feeds it messages and time and carries away what it sends; the simulator does the same
 * with a lossy network and a clock of its own. A turn is
 *     broker_take() of the backend's messages, broker_tick(), broker_dispatch(),
 *     broker_take() of the frontend's, broker_dispatch(), broker_flush()
 * in any number. A point in time (_at) is monotonic microseconds and never goes back from call to
 * call. */
#ifndef BROKER_BROKER_H
#define BROKER_BROKER_H

#include <zmq.h>

#include "actors/runtime/log.h"
#include "broker/policy.h"
#include "broker/sessions.h"

struct broker;

/* What it does to the world. No call may change the broker. */
struct broker_outside {
    void *self;

    /* Carry one message away; never blocks.
     *
     * number   of the other side's routing id; never 0
     * message  moved out on OK, untouched otherwise; the caller closes it
     * returns  OK; WORKER_LOST: the peer is gone; BUSY_FULL: its pipe is full */
    enum status (*send)(void *self, enum side side, uint64_t number, zmq_msg_t *message);

    /* Tell everybody. pair: one EVENT; both borrowed for the call. */
    void (*publish)(void *self, struct bytes topic, struct bytes pair);

    /* What is asked of this process and the broker does not know: metrics, loglevel; NULL: nothing.
     *
     * writer   room for the body of the reply
     * returns  OK: written; NO_ROLE: no such question */
    enum status (*answer)(void *self, struct bytes method, struct bytes body,
                          struct writer *writer);

    /* Read the settings anew, for ADMIN reload; NULL: they cannot be.
     *
     * dry_run  only say what would change
     * ret      written on OK; the broker puts it in force
     * writer   gets a message reloaded
     * reason   SETTINGS_REASON_BYTES
     * returns  OK; BAD_REQUEST: they are wrong, reason says why */
    enum status (*reload)(void *self, bool dry_run, struct policy *ret, struct writer *writer,
                          char *reason);

    /* A line of the log; NULL: none wanted. */
    void (*note)(void *self, enum log_event event, const struct log_field *fields, size_t count);

    /* Whose key the connection has that this message came over; NULL: nobody is asked for a key.
     *
     * returns  valid until broker_grant_anew(); NULL: not allowed */
    const struct allowed *(*identify)(void *self, zmq_msg_t *message);
};

struct broker_config {
    const char *instance, *frontend, *backend, *events; /* where it is reached; copied */
    const char *peers;     /* the other brokers, as others.h reads it; NULL: none; borrowed */
    uint64_t generation;   /* random: another process, another number; not 0 */
    uint64_t seed;         /* of hashes of what peers choose: random, and told to nobody */
    uint64_t pid;          /* for statistics; 0: not said */
    uint64_t view_counter; /* see view.h */
    uint32_t heartbeat_ms, lease_ms, view_hold_ms, drain_ms;
    uint32_t client_credit;   /* requests that one client may have without an answer */
    uint32_t queue_max;       /* that may wait, for each role ... */
    uint64_t queue_bytes_max; /* ... and their bytes */
    uint64_t kept_bytes_max;  /* of all requests in flight; from 80 % on classes are refused */
    uint32_t slots_max, sessions_max;
    uint32_t events_max, events_bytes_max; /* that can be asked for again */
    struct policy policy;                  /* to begin with */
};

/* As options.def has it, and limits.h; the rest empty. */
struct broker_config broker_config_default(void);

/* Why a request was not served though it could have been: for want of room or time. */
enum shed {
    SHED_FULL,       /* the queue is full of what is as important */
    SHED_FOR_CLASS,  /* it made room for one of a higher class */
    SHED_FOR_TENANT, /* ... for one of a tenant that had less waiting */
    SHED_DELAY,      /* it had waited too long, as had all of its tenant's */
    SHED_MEMORY,     /* memory is kept for more important ones */
    SHED_INFEASIBLE, /* it could not have been in time */
    SHED_COUNT
};
extern const char *const shed_names[SHED_COUNT];

/* What became of a request that took longer than nearly all others, and may be done twice. */
enum hedge {
    HEDGE_SENT,      /* a second worker was asked ... */
    HEDGE_WON,       /* ... and answered first */
    HEDGE_NO_BUDGET, /* it was not: too many are asked twice already */
    HEDGE_NO_WORKER, /* none could take it without keeping somebody else waiting */
    HEDGE_COUNT
};
extern const char *const hedge_names[HEDGE_COUNT];

/* accepted = replied + refused + expired + cancelled + lost + in_flight, at every moment. */
struct role_counts {
    uint64_t accepted;                          /* requests read, whatever became of them */
    uint64_t replied;                           /* by a worker */
    uint64_t refused, expired, cancelled, lost; /* by the broker */
    uint64_t in_flight;
    uint64_t by_status[STATUS_COUNT]; /* all answers; those cancelled with their client too */
    uint64_t by_class[CLASS_COUNT];   /* dispatched */
    uint64_t sheds[CLASS_COUNT][SHED_COUNT];
    uint64_t hedges[HEDGE_COUNT];
    uint64_t probes;   /* sent although they could not be in time, for what is believed to fade */
    uint64_t attached; /* shared the execution of the same request */
    uint64_t replayed; /* answered by a reply that was held */
    uint64_t redelivered; /* had been given to a worker, and waited again */
    uint64_t stale;       /* replies, and words on requests, that came too late for them */
    uint64_t lapsed;      /* leases: taken from a worker that lived and was silent about them */
    uint64_t ejected;     /* workers, for a while, since they failed */
    uint64_t queue_us, service_us; /* sums */
    uint64_t wasted_us;            /* work of workers that nobody waited for */
};

struct broker_counts {
    struct role_counts roles[ROLE_COUNT]; /* ROLE_NONE: what named no role */
    uint64_t malformed; /* pairs, and ends of messages, that made no sense and were no request */
    uint64_t strangers; /* messages of peers that have not greeted */
    uint64_t kept;      /* replies held for their clients ... */
    uint64_t resumed;   /* ... of them sent again to one that came back ... */
    uint64_t unkept;    /* ... and not held, or not as long as promised, for want of room */
    uint64_t unsent;    /* pairs whose receiver was gone or full */
    uint64_t struck;    /* peers sent away for their faults */
    uint64_t silent;    /* peers that were not heard for too long */
};

/* All memory is taken here. */
struct broker *broker_new(const struct broker_config *config, const struct broker_outside *outside,
                          int64_t now_at);
void broker_destroy(struct broker **self_p);

/* Take one message in; may move its content out. Returns the pairs that were in it. */
unsigned broker_take(struct broker *self, enum side side, uint64_t number, zmq_msg_t *message,
                     int64_t now_at);

/* Do what is due: deadlines, heartbeats, events. */
void broker_tick(struct broker *self, int64_t now_at);

/* Hand waiting requests to workers, as far as credit goes. */
void broker_dispatch(struct broker *self, int64_t now_at);

/* End the turn: all that has gathered leaves, a message for each peer. */
void broker_flush(struct broker *self, int64_t now_at);

/* When the next turn must be, if no message comes before. */
int64_t broker_due_at(const struct broker *self);

/* Put other rules in force; what has changed is told. */
void broker_set_policy(struct broker *self, const struct policy *policy, int64_t now_at);

/* Take no more: everybody is told, what waits is refused. */
void broker_drain(struct broker *self, int64_t now_at);
bool broker_is_drained(const struct broker *self); /* nothing is in flight any more */

/* A message of the events of another broker, by its index in others.h. */
void broker_hear(struct broker *self, unsigned other, struct bytes message, int64_t now_at);

/* There is another list of those who are allowed: who is not in it is sent away. What identify()
 * has returned until now must still be valid. */
void broker_grant_anew(struct broker *self, const struct allow_list *list, int64_t now_at);

/* What the process takes of its host, for statistics. */
void broker_set_usage(struct broker *self, uint64_t cpu_us, uint64_t rss_bytes);

const struct broker_counts *broker_counts(const struct broker *self);

/* All that it counts and holds, as metrics. */
void broker_measure(const struct broker *self, struct metrics *metrics);

/* How full its bounds are, for tests. */
struct broker_levels {
    uint32_t sessions, slots, workers, kept_replies, keepers, identities;
    uint64_t bytes, queued[ROLE_COUNT], queued_bytes[ROLE_COUNT];
    uint32_t waiting[ROLE_COUNT][CLASS_COUNT];
};
struct broker_levels broker_levels(const struct broker *self);

#endif
