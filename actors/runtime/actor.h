/* actor - what every role is: handlers in a table, and a context to act through.
 *
 * The seam. A handler decides; it never blocks, reads a clock or draws a random number of its own.
 * All that it may do to the world stands in struct context, which the runtime implements on ZeroMQ,
 * the simulator on virtual time, and a test on a record. A role's state is one struct of its own,
 * so that a process of the simulator can hold a thousand actors.
 * A point in time (_at) is monotonic microseconds. */
#ifndef ACTORS_RUNTIME_ACTOR_H
#define ACTORS_RUNTIME_ACTOR_H

#include "protocol/message.h"
#include "protocol/pairs.h"
#include "protocol/session.h"

struct metrics;      /* actors/runtime/metrics.h */
struct program_flag; /* actors/runtime/command_line.h */
struct settings;     /* actors/runtime/settings.h */

/* A name of the wire that outlives its message. */
struct name {
    uint8_t size; /* 0: absent */
    char data[NAME_BYTES_MAX];
};
_Static_assert(METHOD_BYTES_MAX <= NAME_BYTES_MAX, "a method is a name");

struct name name_of(struct bytes text);           /* asserts its size */
struct bytes name_bytes(const struct name *self); /* data NULL: absent */

/* Who asked, and on what terms. A plain value: copy it to answer after the handler has returned. */
struct request {
    uint64_t link, peer, id; /* for reply() alone; of a request of the role's own making: 0 */
    int64_t arrived_at, deadline_at;
    uint64_t key;
    enum request_class class;
    uint16_t flags;
    uint8_t attempt;
    bool has_key, has_trace, has_idempotency_key;
    struct name method, tenant, user;
    char trace[TRACE_BYTES];
    char idempotency_key[IDEMPOTENCY_KEY_BYTES];
};

/* What is answered, and what comes as an answer. A status of OK or APP_ERROR may carry flags. */
struct answer {
    enum status status;
    enum executed executed;
    uint16_t flags;          /* DEGRADED */
    uint32_t retry_after_ms; /* where the status row says AFTER; 0: never */
    uint32_t queue_us, service_us;
    struct bytes instance; /* who answered; of an answer that came */
    struct bytes body;     /* borrowed for the call */
};

/* A question to another role. */
struct ask {
    enum role role; /* TOOL_EXECUTOR, ARCADE_GATEWAY: through a broker; CACHE_PARTITION: directly */
    uint32_t member; /* CACHE_PARTITION: index in the newest view */
    struct bytes method;
    struct bytes user; /* absent: the origin's */
    uint16_t flags;
    enum request_class class; /* never above the origin's: 0 is the origin's own */
    bool has_key;
    uint64_t key;
    int64_t deadline_at;          /* 0: when 95 % of what the origin has left is over */
    struct bytes idempotency_key; /* absent: none */
    struct bytes body;
};

/* Blocking work, run by one of the process's job threads. The role allocates it, with whatever it
 * needs behind it, and gets it back in on_job_done(): exactly once, whether it ran or not. */
struct job {
    /* On the thread. thread_state: what the role's thread_start() returned on this thread. It must
     * return soon after cancelled is set: look at it, or be interrupted. One that does not keeps
     * its thread, and in the end the process goes without it. */
    void (*run)(struct job *self, void *thread_state);
    /* On the loop's thread, once, if the job is cancelled while it runs; may be NULL. */
    void (*interrupt)(struct job *self, void *thread_state);
    int64_t deadline_at; /* what has not begun by then is given back, started false */
    bool started;        /* it was run */
    _Atomic bool cancelled;
};

struct context {
    int64_t now_at; /* monotonic; one reading a turn */
    int64_t
        unix_ms; /* what a clock on the wall says; for people and for as_of, never for deadlines */
    struct metrics *metrics;
    char session[SESSION_ID_BYTES]; /* of this process: its uuid in views, its origin of numbers */

    uint64_t (*random)(struct context *self);

    /* Answer a request, exactly once. answer is borrowed for the call. One that has been cancelled
     * may be answered or not: it is dropped. */
    void (*reply)(struct context *self, const struct request *request, const struct answer *answer);

    /* Answer a part of it before the answer: to one that asked with STREAM, in order; to any other
     * it is dropped. One that goes to the doorway gets none.
     *
     * body  at most PAIR_BODY_BYTES_MAX; borrowed for the call */
    void (*partial)(struct context *self, const struct request *request, struct bytes body);

    /* Say that work on it begins: redelivery is not free any more. */
    void (*started)(struct context *self, const struct request *request);

    /* Ask on behalf of origin, whose class, tenant, user and trace go along. The answer comes to
     * on_answer() with this tag, exactly once, also if the other side is late or lost; never before
     * this call has returned.
     *
     * tag      the role's own, not 0, unique among its asks without an answer
     * returns  OK; else why it was not asked, and no answer will come */
    enum status (*ask)(struct context *self, const struct request *origin, const struct ask *ask,
                       uint64_t tag);

    /* The answer to this tag is not wanted any more, and will not come. */
    void (*cancel_ask)(struct context *self, uint64_t tag);

    /* Give a job to the threads.
     *
     * returns  OK; BUSY_FULL: JOBS_MAX are there, and on_job_done() will not be called */
    enum status (*start_job)(struct context *self, struct job *job);

    /* Cancel one that was started and not given back. */
    void (*cancel_job)(struct context *self, struct job *job);

    /* What methods() says has changed: it is asked again, and every broker told. */
    void (*say_ready)(struct context *self);

    /* As an origin: what depends on these tags is stale. Numbered and sent to every broker. */
    void (*invalidate)(struct context *self, const uint64_t *tags, size_t count);

    /* It can do its work no more: the process takes its leave and ends with EX_SOFTWARE, so that
     * whoever watches it starts it again.
     *
     * reason  one line, for the log */
    void (*give_up)(struct context *self, const char *reason);
};

/* Serve one request.
 *
 * body     of a method that messages.def has for this role: struct msg_<name>, decoded; of any
 *          other: struct bytes, not looked at. Borrowed for this call
 * returns  OK: replied, or will be; else the status to refuse it with */
typedef enum status actor_handler(void *state, struct context *context,
                                  const struct request *request, const void *body);

/* What the whole process is told of its surroundings. */
struct event {
    const char *topic; /* members, view, invalidate ... */
    uint64_t number;   /* of the broker's; rises by one over all topics */
    struct bytes body; /* as its message says */
};

struct actor_spec {
    enum role role;
    const char *name;   /* fact-<name> is the program; as in options.def: the section */
    size_t state_bytes; /* zeroed before start() */

    /* Read settings, take memory, open files. On failure one line on what to mend, in reason.
     * returns  false: the process ends with a sysexits code of configuration */
    bool (*start)(void *state, struct context *context, const struct settings *settings,
                  char *reason, size_t reason_size);
    void (*stop)(void *state); /* give all back; no context any more */

    /* What READY says: methods and concurrency; asked at each greeting.
     * writer  gets the array of messages method; returns the concurrency */
    uint32_t (*methods)(void *state, struct writer *writer);

    actor_handler *handlers[MESSAGE_ID_MAX]; /* each request of messages.def that is the role's */
    actor_handler *any_method;               /* every other method; NULL: NO_ROLE */

    void (*on_answer)(void *state, struct context *context, uint64_t tag,
                      const struct answer *answer);
    /* A part of the answer to a question that was asked with STREAM; the answer still comes. */
    void (*on_partial)(void *state, struct context *context, uint64_t tag, struct bytes body);
    /* Of this request nobody wants the answer any more, and it needs none. Only link, peer and id
     * are set: they are the same as when it came. */
    void (*on_cancel)(void *state, struct context *context, const struct request *request);
    void (*on_view)(void *state, struct context *context, const struct msg_view *view);
    void (*on_event)(void *state, struct context *context, const struct event *event);
    /* Events were missed, or may have been; and once a second while none come from any broker. */
    void (*on_gap)(void *state, struct context *context);
    void (*on_job_done)(void *state, struct context *context, struct job *job);

    /* QUERY instance: what the runtime does not answer itself (metrics, loglevel).
     * writer   room for the body of the reply
     * returns  OK: written; NO_ROLE: no such question */
    enum status (*on_query)(void *state, struct context *context, struct bytes method,
                            struct bytes body, struct writer *writer);

    /* When tick() wants to be called next; INT64_MAX: not before something happens. */
    int64_t (*due_at)(const void *state);
    void (*tick)(void *state, struct context *context);

    /* A descriptor of the role's own that the loop polls; -1: none now. When it is readable, and
     * once after each tick(), on_ready() is called: it does what can be done now, and is called
     * again while it returns true. Both or neither. */
    int (*descriptor)(const void *state);
    bool (*on_ready)(void *state, struct context *context);

    /* On each job thread, at its start and end; NULL: a role without blocking work.
     * index  of the thread, from 0; returns its state, for run() */
    void *(*thread_start)(void *state, unsigned index);
    void (*thread_stop)(void *state, void *thread_state);
    unsigned (*thread_count)(const void *state);

    bool lets_in; /* it binds a ROUTER of its own, at its section's endpoint: cache_partition */
    const char *summary;              /* one line for --help */
    const struct program_flag *flags; /* of its own (command_line.h); the last has no name */
};

struct actor {
    const struct actor_spec *spec;
    void *state; /* owned by whoever made the actor */
};

/* Assert that the table serves every request of its role, and nothing else. Once, at start. */
void actor_check(const struct actor_spec *spec);

/* Hand in one REQUEST pair: it is served, or refused.
 *
 * link, peer  for reply(); peer 0: the broker's link */
void actor_deliver(const struct actor *self, struct context *context, uint64_t link, uint64_t peer,
                   const struct pair *pair);

/* For handlers: encode a struct msg_<name> and reply with it, status OK. */
void actor_reply(struct context *context, const struct request *request, enum message_id id,
                 const void *value);

/* For handlers: reply with a failure of this status.
 *
 * code     stable name; NULL: the status row's
 * message  for people; NULL: the status row's. field, hint: NULL: absent
 * details  a map, for programs; DETAILS_BYTES_MAX; data NULL: absent */
struct failure_text {
    const char *code, *message, *field, *hint;
    struct bytes details;
};
void actor_refuse(struct context *context, const struct request *request, enum status status,
                  uint32_t retry_after_ms, const struct failure_text *text);

#endif
