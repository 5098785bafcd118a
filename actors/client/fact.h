/* fact - libfact, the client library: ask a broker from C.
 *
 * Connect once, then call and wait, or submit many and take their ends as they come. Every call
 * that was submitted ends exactly once: with the reply, or with a status made here, as soon as its
 * deadline passes (DEADLINE_QUEUED: it never left; DEADLINE_RUNNING) or the broker that had it is
 * gone (WORKER_LOST). What is not IDEMPOTENT outlives a connection that breaks and is back within
 * 3 s: the broker goes on with it, and holds its answer. The handle connects and greets by itself,
 * again and again; a call made meanwhile waits for that within its deadline. Bodies are
 * MessagePack: see protocol/message.h.
 *
 * Of several brokers, given or named by one of them, a handle holds two; a call goes to the one
 * that admits more and lets wait less. If one is lost or silent, what it had and may be done twice
 * goes to the other at once; what was refused and is worth it is tried again, three attempts in
 * all, within the deadline and a budget: docs/decisions/0121.
 *
 * A handle belongs to one thread. Work is done in fact_process(), fact_poll(), fact_call() and
 * fact_wait_up(), and nowhere else; ends are told from there.
 *
 * Link with -lfact; a complete program: docs/examples/ask.c */
#ifndef ACTORS_CLIENT_FACT_H
#define ACTORS_CLIENT_FACT_H

#include "protocol/envelope.h"

#define FACT_TIMEOUT_MS_DEFAULT 5000u

struct fact;

struct fact_options {
    const char *endpoints;       /* with commas; NULL: tcp://127.0.0.1:5550 */
    const char *instance;        /* name for people; NULL: made up */
    const char *tenant;          /* of all calls; NULL: none */
    const char *user;            /* of all calls: whom a trusted service acts for; NULL: none */
    uint32_t calls_max;          /* calls without an end, 1 to CALLS_MAX; 0: CALLS_MAX */
    bool plain;                  /* one broker at a time; nothing is tried again or held back */
    bool given_only;             /* brokers that others name are not used */
    const char *key_file;        /* key pair to connect with (fact keys generate); NULL: none ... */
    const char *server_key_file; /* ... and the brokers' public key; both, or neither */
};

/* Make a handle. Connecting begins now and goes on in the background: nobody need be there.
 *
 * options  borrowed for the call; NULL: all defaults
 * returns  NULL with errno: EINVAL, an endpoint or name that is none or too long, a file without a
 *          key, or one of the two without the other; EACCES, others may read the key pair, or
 *          change the server's; else as of open(), zmq_socket(), epoll_create1() or
 *          timerfd_create() */
struct fact *fact_open(const struct fact_options *options);

/* Calls that have no end yet get none. Accepts NULL. */
void fact_destroy(struct fact **self_p);

enum fact_state {
    FACT_CONNECTING,
    FACT_UP,     /* greeted, by one broker at least */
    FACT_REFUSED /* no broker will have us; see fact_peer(). It stays so */
};
enum fact_state fact_state(const struct fact *self);

/* Who is at the other end. Texts are valid until the next work of the handle. */
struct fact_peer {
    const char *endpoint; /* where the next call goes */
    const char *instance; /* of the broker greeted last; empty: none yet */
    uint64_t generation;  /* of its process: another one is a restart */
    uint32_t connections; /* greetings so far, by all brokers */
    enum status refused;  /* FACT_REFUSED: VERSION, UNAUTHENTICATED ...; else OK */
    const char *reason;   /* for people: why refused or lost, or its last complaint; may be empty */
    uint32_t calls;       /* without an end */
    uint32_t calls_peak;  /* the most of them so far */
    uint64_t retried;     /* attempts after a refusal */
    uint64_t resent;      /* attempts after the loss of a broker */
    uint64_t
        held_back; /* calls that were not begun: most of their kind were refused for overload */
};
struct fact_peer fact_peer(const struct fact *self);

/* One broker that is known. Texts as above. */
struct fact_broker {
    const char *endpoint, *instance; /* instance: empty: not greeted yet */
    bool held;                       /* there is, or is to be, a connection */
    bool up;                         /* it has greeted us, and is there */
    bool refused;                    /* it will not have us */
};

/* All brokers that are known: those given, then those that were named.
 *
 * index    from 0
 * returns  false: there are not so many */
bool fact_broker(const struct fact *self, unsigned index, struct fact_broker *ret);

/* A part of the answer that comes before it, of a call with FLAG_STREAM. As fact_done otherwise.
 *
 * number  from 0; a gap says that one was lost
 * body    borrowed for the call */
typedef void fact_partial(void *context, uint64_t call, uint32_t number, struct bytes body);

/* One call. Begin with FACT_REQUEST and set what you need. */
struct fact_request {
    enum command command;     /* REQUEST; QUERY and ADMIN are the broker's own */
    enum role role;           /* who is to serve it */
    struct bytes method;      /* at most METHOD_BYTES_MAX */
    struct bytes body;        /* at most PAIR_BODY_BYTES_MAX; data NULL: none */
    enum request_class class; /* under load the least important are refused first */
    uint16_t flags;           /* of enum flag: IDEMPOTENT, NO_CACHE ... */
    uint32_t timeout_ms;      /* its deadline, from now; at least 1 */
    uint8_t attempt;          /* how often you have tried it before; 0: never */
    bool once;                /* it is not tried again */
    bool has_key;             /* key: hash for affinity */
    uint64_t key;
    struct bytes tenant, user;    /* absent: the handle's */
    struct bytes idempotency_key; /* IDEMPOTENCY_KEY_BYTES, or absent */
    struct bytes trace;           /* W3C trace context, TRACE_BYTES, or absent */
    fact_partial *partial;        /* told, with fact_submit()'s context; needs FLAG_STREAM */
};
#define FACT_REQUEST                                                                               \
    {                                                                                              \
        .command = COMMAND_REQUEST, .role = ROLE_DRIVER, .class = CLASS_CRITICAL,                  \
        .timeout_ms = FACT_TIMEOUT_MS_DEFAULT                                                      \
    }

/* How a call ended. */
struct fact_reply {
    uint64_t call;           /* its number, from fact_submit() */
    enum status status;      /* OK, or why not: protocol/errors.def */
    enum executed executed;  /* whether the work was done */
    uint16_t flags;          /* DEGRADED */
    uint32_t retry_after_ms; /* 0: not said */
    uint32_t queue_us;       /* waiting in the broker */
    uint32_t service_us;     /* with the worker */
    int64_t total_us;        /* from fact_submit() to the end */
    unsigned attempts;       /* how often it was sent, or would have been */
    bool local;              /* no reply came: the status was made here */
    struct bytes instance;   /* who answered; absent: not said */
    struct bytes body;       /* OK: the answer; above CANCELLED: message failure; else absent */
};

/* The end of a call. It may submit and cancel, and must not do anything else with the handle.
 *
 * reply  borrowed for the call */
typedef void fact_done(void *context, const struct fact_reply *reply);

/* Begin a call; it leaves with the next work of the handle, together with what else is ready.
 *
 * request   borrowed for the call
 * done      called at its end, with context; NULL: fact_next() brings it
 * ret_call  its number, not 0, unique for the handle; written only on OK; may be NULL
 * returns   OK: it will end; and if it will not: BUSY_FULL, calls_max are without an end, or
 *           CALLS_BYTES_MAX are kept; BUSY_SHED: most of what was asked of this role lately was
 *           refused for overload, so this is not even sent; TOO_LARGE: the body, or a name;
 * BAD_REQUEST: no method, or a key or trace of the wrong size; DEADLINE_QUEUED: timeout_ms is 0;
 * else, in FACT_REFUSED, why */
MUST_USE enum status fact_submit(struct fact *self, const struct fact_request *request,
                                 fact_done *done, void *context, uint64_t *ret_call);

/* Withdraw a call: it ends with CANCELLED, here and with the next work, whatever becomes of it.
 *
 * returns  false: it has ended, or never was */
bool fact_cancel(struct fact *self, uint64_t call);

/* The next end of those without a callback, in the order they came. Never blocks, does no work.
 *
 * ret      valid until the next fact_next() or fact_call()
 * returns  false: there is none now */
bool fact_next(struct fact *self, struct fact_reply *ret);

/* Call, and wait for its end. Others may end meanwhile.
 *
 * ret      valid until the next fact_next() or fact_call(); always written
 * returns  ret->status */
MUST_USE enum status fact_call(struct fact *self, const struct fact_request *request,
                               struct fact_reply *ret);

/* Ask the broker itself: directory, statistics, status, instance.
 *
 * body     as messages.def has it; absent: {}
 * returns  as fact_call() */
MUST_USE enum status fact_query(struct fact *self, const char *method, struct bytes body,
                                uint32_t timeout_ms, struct fact_reply *ret);

/* A descriptor for poll() or epoll: when it is readable, call fact_process(). It becomes readable
 * for messages, for deadlines, and after fact_submit(). Level-triggered; the handle's own. */
int fact_descriptor(const struct fact *self);

/* Do what can be done now: take in, tell ends, send. Never blocks. */
void fact_process(struct fact *self);

/* Wait for something to do, and do it.
 *
 * timeout_ms  0: as fact_process(); below 0: as long as it takes
 * returns     false: nothing came up in time */
bool fact_poll(struct fact *self, int64_t timeout_ms);

/* Wait until it is greeted.
 *
 * returns  OK; DEADLINE_QUEUED: not in time; else, in FACT_REFUSED, why */
MUST_USE enum status fact_wait_up(struct fact *self, int64_t timeout_ms);

#endif
