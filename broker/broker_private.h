/* broker_private - what the files of the broker share, and nobody else.
 *
 *   broker.c             start, turn, dispatch of pairs and of timers
 *   broker_say.c         failures, refusals, events, the log
 *   broker_admission.c   a request comes: may it come in?
 *   broker_sharing.c     it is the same as one that is here
 *   broker_requests.c    it is queued, and handed to a worker
 *   broker_replies.c     how it ends: answered, too late, cancelled, its worker lost
 *   broker_leases.c      what a worker holds, and says nothing about
 *   broker_hedging.c     what takes long is given to a second worker
 *   broker_keeping.c     replies that are held for who lost its connection
 *   broker_dead.c        requests that no worker survived
 *   broker_health.c      workers that fail what they are given
 *   broker_peers.c       who is there: greetings, heartbeats, workers, departures
 *   broker_view.c        the view of the partitions is told
 *   broker_breakers.c    a method that keeps failing is left alone
 *   broker_policy.c      what may change while it runs
 *   broker_keys.c        whose key each has, and what it may do
 *   broker_queries.c     QUERY, INVALIDATE, and questions passed on
 *   broker_admin.c       ADMIN: what operators tell it
 *   broker_operate.c     of it: limits, breakers, settings
 *   broker_statistics.c  the answers to directory and statistics
 *   broker_metrics.c     the same counts as metrics */
#ifndef BROKER_BROKER_PRIVATE_H
#define BROKER_BROKER_PRIVATE_H

#include "broker/broker.h"
#include "broker/dead_letters.h"
#include "broker/estimates.h"
#include "broker/events.h"
#include "broker/grants.h"
#include "broker/identities.h"
#include "broker/keeps.h"
#include "broker/limits.h"
#include "broker/list.h"
#include "broker/orders.h"
#include "broker/others.h"
#include "broker/outbox.h"
#include "broker/queues.h"
#include "broker/relays.h"
#include "broker/slots.h"
#include "broker/tenants.h"
#include "broker/timers.h"
#include "broker/view.h"
#include "broker/workers.h"

#define DEAD_BEATS 3u    /* missed ones */
#define SUSPECT_BEATS 2u /* missed ones */
#define RETRY_MS 500u    /* when there is nothing to go by */
#define BEAT_MS 1000     /* of topic members */
#define GOAWAY_MS 500    /* what was on its way comes within it, and is answered */
#define FAILURE_BYTES 256u
#define UNDRAIN "undrain" /* what a worker is asked for an operator, and for nobody else */
#define DETAILS_BYTES 256u
#define RESEND_MS                                                                                  \
    10000 /* so long after a greeting that resumes, what comes again counts as first */

/* What one timer is about: a slot, a session, a relay, or one of these. */
#define TIMER_SESSION SLOTS_MAX
#define TIMER_KEPT (TIMER_SESSION + SESSIONS_MAX)
#define TIMER_RELAY (TIMER_KEPT + KEPT_REPLIES_MAX)
#define TIMER_ESTIMATES (TIMER_RELAY + RELAYS_MAX)
#define TIMER_BEAT (TIMER_ESTIMATES + 1)
#define TIMER_VIEW (TIMER_BEAT + 1)
#define TIMER_DRAIN (TIMER_VIEW + 1)
#define TIMERS (TIMER_DRAIN + 1)

enum retry_decision { RETRY_ADMITTED, RETRY_REFUSED, RETRY_DECISIONS };

/* What is served through the broker for one role. */
struct service {
    struct estimates estimates;
    struct concurrency concurrency;
    uint32_t running;
    uint32_t set_aside;    /* of them with workers that take no more, when it was looked at last */
    bool credit_came;      /* since its parked lanes were looked at */
    uint64_t refused;      /* for want of room or time, until the last tick of estimates */
    uint32_t hedges_saved; /* that may be sent, in thousandths */
    bool idled;            /* its queue was empty at some moment since the last tick of estimates */
};

struct broker {
    struct broker_config config;
    struct broker_outside outside;
    char instance[NAME_BYTES_MAX + 1];
    char endpoints[3][ENDPOINT_BYTES_MAX];
    int64_t now_at, started_at, ticked_at;
    int64_t grace_at;       /* silence before it does not count: this process itself was away */
    int64_t stays_until_at; /* while it drains: not gone before this time */
    int64_t view_told_at;   /* when the view was last told */
    uint64_t cpu_us, rss_bytes;
    bool draining, more; /* more: a turn ended before all that could go went */
    unsigned queries_left;
    uint32_t buried; /* counts peers that were: pointers to one may be stale after */

    struct broker_counts counts;
    struct sessions *sessions;
    struct slots *slots;
    struct identities *identities;
    struct keeps *keeps;
    struct orders *orders;
    struct queues *queues;
    struct workers *workers;
    struct outbox *outbox;
    struct dead_letters *dead_letters;
    struct timers *timers;
    struct events *events;
    struct view *view;
    struct others others;
    struct relays relays;
    struct tenants tenants;
    struct limits *limits;
    uint64_t chance; /* of a generator; not 0 */
    uint64_t circuits_refused[CLASS_COUNT];
    uint64_t retries[RETRY_DECISIONS][CLASS_COUNT];
    struct service services[ROLE_COUNT];

    uint32_t gone_count;
    uint32_t gone[SESSIONS_MAX]; /* sessions to be buried when the turn ends */
    struct bytes failures[STATUS_COUNT];
    char failure_bytes[STATUS_COUNT][FAILURE_BYTES];
    char details[DETAILS_BYTES];      /* of the last refusal that has some */
    char answer[PAIR_BODY_BYTES_MAX]; /* of a query, or WELCOME, while it is made */
    char event[HEADER_BYTES_MAX + BODY_HEAD_BYTES_MAX + MESSAGE_BYTES_MAX];
};

/* Where a pair came from. */
struct source {
    enum side side;
    struct peer *peer;
    zmq_msg_t *message;
};

typedef void broker_handler(struct broker *self, const struct source *from,
                            const struct pair *pair);

/* broker_say.c. A status above CANCELLED has a failure body. */
struct verdict {
    enum status status;
    uint32_t retry_after_ms;
    const char *hint;     /* for people: what to change; NULL: the status says it all */
    struct bytes details; /* for programs, a map; absent: there are none */
};

void broker_encode_failures(struct broker *self); /* once, at start */

/* The body that goes with a verdict; borrows out, CONTROL_BYTES_MAX bytes, or the broker. */
struct bytes broker_failure(const struct broker *self, const struct verdict *verdict, char *out);

/* A header of ours; of a request the class that is not read. */
struct header broker_header(enum command command, uint64_t id);
void broker_say(struct broker *self, const struct peer *peer, const struct header *header,
                struct bytes body);
/* DISCONNECT, ERROR, or a REPLY to what is no REQUEST. */
void broker_say_status(struct broker *self, const struct peer *peer, enum command command,
                       uint64_t id, const struct verdict *verdict);
/* One that cannot be used: counted, answered if it may be; 16 in 10 s are the end. */
void broker_reject(struct broker *self, const struct source *from, const struct pair *pair);
/* The answer to a QUERY, ADMIN or INVALIDATE. hint: for people; NULL: the status says it all. */
void broker_refuse_question(struct broker *self, const struct source *from, const struct pair *pair,
                            enum status status, const char *hint);
void broker_reply_question(struct broker *self, const struct source *from, const struct pair *pair,
                           struct bytes body);
/* value: a struct msg_<name> that fits one body */
void broker_reply_message(struct broker *self, const struct source *from, const struct pair *pair,
                          enum message_id id, const void *value);
void broker_publish(struct broker *self, const char *topic, enum message_id id, const void *body);
void broker_publish_bytes(struct broker *self, const char *topic, struct bytes body);
void broker_note(const struct broker *self, enum log_event event, const struct log_field *fields,
                 size_t count);

/* broker_admission.c. A REQUEST on its way in. */
struct admission {
    const struct peer *peer;
    const struct header *header;
    struct place *place;   /* lane and weight are set by then, and the class that it goes as */
    struct tenant *tenant; /* on whose account; set by then */
    struct limit_bill bill;
    bool watched;   /* the breaker of its lane waits for its end ... */
    uint32_t token; /* ... under this */
};
struct verdict broker_admit(struct broker *self, struct admission *admission);

/* What became of one that was admitted: it has a place, or why not. Returns the same verdict. */
struct verdict broker_settle(struct broker *self, struct admission *admission,
                             struct verdict verdict);

bool broker_serves(uint32_t role); /* requests of this role go through the broker */
int64_t broker_deadline_us(const struct header *header, enum role role);
uint32_t broker_wait_ms(const struct broker *self, const struct place *place);
/* The least important class that is admitted now: by the queue of the role, and by memory. */
enum request_class broker_admit_level(const struct broker *self, enum role role);
/* A refusal with the time after which there may be room. */
struct verdict broker_busy(const struct broker *self, enum status status,
                           const struct place *place);
/* Can one that must wait be in time as things stand? */
struct verdict broker_foresee(struct broker *self, const struct place *place, int64_t left_us);

/* broker_requests.c */
broker_handler broker_on_request;
void broker_dispatch_role(struct broker *self, enum role role);
/* In the bounds of a role, at the cost of those who are less important; false: there is none. */
bool broker_find_room(struct broker *self, const struct place *place);
/* There is none. */
struct verdict broker_turn_away(struct broker *self, const struct place *place);
void broker_take_back(struct broker *self, struct slot *slot); /* it had not left: it waits again */
void broker_send_second(struct broker *self, struct slot *slot, struct worker *worker);
/* It has its slot, and will end: by its deadline. */
void broker_accept(struct broker *self, struct peer *client, const struct slot *slot);

/* broker_sharing.c */
/* Is it one that is here already? Only one with an idempotency key may be.
 *
 * verdict  of whether it can be served; what else is to be said of it is put there
 * returns  true: it is seen to */
bool broker_repeats(struct broker *self, const struct source *from, const struct pair *pair,
                    struct verdict *verdict);
/* Remember whose slot this is, if it has a key. */
void broker_identify(struct broker *self, struct slot *slot, const struct pair *pair);

/* broker_replies.c */
broker_handler broker_on_reply, broker_on_partial, broker_on_started, broker_on_credit,
    broker_on_cancel;
/* The request of a worker's that this is about; NULL: none of its own, or none any more: counted.
 */
struct slot *broker_find_running(struct broker *self, const struct worker *worker, uint64_t id);
/* Its worker is gone, or as good as: it goes out again, or ends. */
void broker_outlive_worker(struct broker *self, struct slot *slot);
/* A worker that has it is told that nobody waits any more; what it answers is late. */
void broker_call_off(struct broker *self, const struct slot *slot, uint32_t worker);
/* A request of this role, RUNNING, is this worker's no more. */
void broker_part(struct broker *self, enum role role, uint32_t worker);
/* A REQUEST that has no slot, or none any more. */
void broker_refuse(struct broker *self, struct peer *client, uint64_t id, enum role role,
                   const struct verdict *verdict);
/* Answer the request in a slot without its worker, wherever it waits. */
void broker_end(struct broker *self, struct slot *slot, const struct verdict *verdict);
/* The same, but where others share the execution it goes on for them, where it is; only its client
 * is answered. returns false: nobody does, and nothing was done */
bool broker_pass_on(struct broker *self, struct slot *slot, const struct verdict *verdict);
void broker_lose_worker(struct broker *self, struct worker *worker);
/* Answer it so, in whatever state it is; what others wait for, too, goes on for them. */
void broker_withdraw(struct broker *self, struct slot *slot, enum status status);
void broker_slot_due(struct broker *self, struct slot *slot);

/* broker_leases.c */
broker_handler broker_on_touch;
/* A slot has one timer: for its lease or its deadline, whichever ends first. */
void broker_arm(struct broker *self, const struct slot *slot);
void broker_begin_lease(struct broker *self, struct slot *slot); /* it has just been handed over */
/* Its worker has shown that it works on it. asked_ms: for how long, at most the lease; 0: that. */
void broker_extend_lease(struct broker *self, struct slot *slot, uint32_t asked_ms);
/* The timer of a slot has fired; returns whether that was for its lease and not its deadline. */
bool broker_lease_due(struct broker *self, struct slot *slot);

/* broker_hedging.c */
/* It has just been handed over, and may take too long. */
void broker_plan_hedge(struct broker *self, struct slot *slot);
/* The timer of a slot has fired; returns whether it was for this. */
bool broker_hedge_due(struct broker *self, struct slot *slot);
/* One of those who have it has replied; returns whether that is the reply: the other is called off
 * then, and the worker of the slot is the one who replied. */
bool broker_take_first(struct broker *self, struct slot *slot, struct worker *worker,
                       enum status status);
/* The first one has it no more; and the second. */
void broker_promote_second(struct broker *self, struct slot *slot);
void broker_drop_second(struct broker *self, struct slot *slot);
void broker_end_hedge(struct broker *self, struct slot *slot);     /* for good */
void broker_unsend_second(struct broker *self, struct slot *slot); /* it had not left */

/* broker_keeping.c */
broker_handler broker_on_ackfloor;
void broker_keep(struct broker *self, struct peer *client, const struct slot *slot);
/* Hold the REPLY that ends this slot, if its client wants that. returns false: it is not held */
bool broker_hold(struct broker *self, struct slot *slot, const struct header *header,
                 struct bytes body);
bool broker_holds(struct broker *self, const struct peer *client, uint64_t id); /* its reply */
void broker_drop_kept(struct broker *self, uint32_t reply);
/* Answer a request with a reply that is held. */
void broker_replay(struct broker *self, struct peer *client, uint64_t id, enum role role,
                   uint32_t reply);
void broker_lose_client(struct broker *self, const struct peer *client);
void broker_close_keeper(struct broker *self, uint32_t keeper); /* unless something is left */
void broker_resume(struct broker *self, struct peer *client);   /* before it is welcomed ... */
void broker_say_all_kept(struct broker *self, const struct peer *client); /* ... and after */
void broker_forget_session(struct broker *self, const char *session);
/* broker_dead.c */
broker_handler broker_admin_dead, broker_admin_kick;
void broker_mourn(struct broker *self, struct slot *slot); /* its worker is lost with it */
void broker_keep_dead(struct broker *self, const struct slot *slot); /* that was one too many */

/* broker_health.c */
void broker_judge_worker(struct broker *self, struct worker *worker,
                         bool failed);         /* one has ended so */
void broker_tick_workers(struct broker *self); /* who was ejected comes back, and gets more */

/* broker_keys.c */
/* Whose key it is that greets, and as what; on OK.
 *
 * ret_role  what a worker says it is; one whose key is no worker's is a client */
struct verdict broker_know(const struct broker *self, const struct source *from,
                           const struct header *header, const struct allowed **ret,
                           enum role *ret_role);
/* The session of a key: the same bytes of another one are another session.
 *
 * ret  SESSION_ID_BYTES */
struct bytes broker_session_of(const struct allowed *allowed, struct bytes session, char *ret);
struct verdict broker_check_grants(struct broker *self, struct admission *admission);
/* refusal: of grants.h; if there is one the question is answered with it, and false returned. */
bool broker_is_granted(struct broker *self, const struct source *from, const struct pair *pair,
                       const char *refusal);
void broker_revoke(struct broker *self, struct peer *peer, enum status status, const char *reason);

/* broker_peers.c */
broker_handler broker_on_hello, broker_on_ready, broker_on_heartbeat, broker_on_drain,
    broker_on_disconnect, broker_on_nothing;
void broker_stranger(struct broker *self, enum side side, uint64_t number,
                     const struct verdict *verdict);
/* A worker is in another state from now on: everybody is told. */
void broker_tell_state(struct broker *self, const struct worker *worker);
/* Hear one that has greeted: it lives. */
void broker_heard(struct broker *self, struct peer *peer);
void broker_gone(struct broker *self, struct peer *peer); /* bury it when the turn ends */
void broker_bury(struct broker *self, struct peer *peer);
/* Say why, and bury. */
void broker_send_away(struct broker *self, struct peer *peer, enum status status,
                      const char *reason);
void broker_peer_due(struct broker *self, struct peer *peer);
void broker_drain_worker(struct broker *self, struct worker *worker, uint32_t deadline_ms);
void broker_goaway(struct broker *self);

/* broker_breakers.c */
struct verdict broker_ask_breaker(struct broker *self, struct admission *admission);
/* It was let through, and nobody executes it for its own sake. */
void broker_drop_watch(struct broker *self, struct admission *admission);
/* How it ended; a second time for the same slot nothing happens. */
void broker_judge(struct broker *self, struct slot *slot, enum status status);
void broker_blame(struct broker *self,
                  struct slot *slot); /* its worker did not stir for too long */
/* FORCE_NONE: closed, and all forgotten */
void broker_force_breaker(struct broker *self, struct lane *lane, enum breaker_force force);
void broker_renew_breakers(struct broker *self); /* the policy has another rule */
struct msg_breaker broker_describe_breaker(const struct broker *self, const struct lane *lane);

/* broker_policy.c */
/* May one more go to the workers of a role? */
bool broker_has_room(struct broker *self, enum role role);
/* How many may be with them at once. */
uint32_t broker_capacity(const struct broker *self, enum role role);
void broker_tick_concurrency(struct broker *self); /* once in ESTIMATES_TICK_MS */
void broker_tell_limit(struct broker *self, const struct limit_rule *rule, bool removed);

/* broker_view.c */
void broker_plan_view(struct broker *self); /* a new one is due: at once, or after its hold-down */
void broker_issue_view(struct broker *self);
void broker_tell_view_again(struct broker *self); /* to all: somebody has missed it */

/* broker_queries.c */
broker_handler broker_on_query, broker_on_invalidate, broker_on_relayed;
/* A question that takes as long as some hundred requests: only so many are answered in a turn; one
 * more is refused here. */
bool broker_affords(struct broker *self, const struct source *from, const struct pair *pair);
/* A worker of this name; NULL: there is none. */
struct worker *broker_find_instance(struct broker *self, struct bytes instance);
/* Ask a worker for the asker, who gets its answer. */
void broker_relay(struct broker *self, const struct source *from, const struct pair *pair,
                  const struct worker *worker, const struct msg_query_instance *query);
void broker_end_relay(struct broker *self, struct relay *relay, enum status status);
void broker_end_relays(struct broker *self, uint32_t session);

/* broker_operate.c: rows of broker_admin.c */
broker_handler broker_admin_limits, broker_admin_limit_set, broker_admin_breakers,
    broker_admin_breaker_set, broker_admin_reload;

/* broker_admin.c */
broker_handler broker_on_admin;

/* broker_statistics.c: each writes one body. */
uint64_t broker_head_age_us(const struct broker *self, enum role role);
void broker_write_directory(struct broker *self, struct writer *writer);
void broker_write_statistics(struct broker *self, struct writer *writer);

static inline struct slot *slot_at_timer(struct broker *self, uint32_t timer)
{
    return slots_at(self->slots, timer);
}

static inline struct worker *worker_of(struct broker *self, const struct peer *peer)
{
    return peer->worker == NONE ? NULL : workers_at(self->workers, peer->worker);
}

static inline struct peer *client_of(struct broker *self, const struct slot *slot)
{
    return slot->client >= self->config.sessions_max ? NULL
                                                     : sessions_at(self->sessions, slot->client);
}

static inline struct lane *lane_of(struct broker *self, const struct slot *slot)
{
    return methods_lane(workers_methods(self->workers), slot->place.lane);
}

static inline void broker_count_shed(struct broker *self, const struct place *place,
                                     enum shed reason)
{
    self->counts.roles[place->role].sheds[place->class][reason]++;
}

#endif
