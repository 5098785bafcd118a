/* fact_private - one handle, in parts.
 *
 *   fact.c        what callers see: open, submit, fetch, wait
 *   fact_lines.c  the brokers that it holds: connect, greet, move, what a call goes to
 *   fact_ends.c   how a call ends, or is asked again
 *
 * A line is one broker that is held: a transport, and the session that speaks over it. */
#ifndef ACTORS_CLIENT_FACT_PRIVATE_H
#define ACTORS_CLIENT_FACT_PRIVATE_H

#include "actors/client/calls.h"
#include "actors/client/retry.h"
#include "actors/client/routes.h"
#include "actors/client/throttle.h"
#include "actors/client/transport.h"
#include "protocol/session.h"

#define LINES_MAX 2u
#define REASON_BYTES 201u

struct line {
    struct fact *fact;
    struct transport *transport;
    struct session *session; /* NULL: this place is free */
    uint32_t route;
    int64_t alive_at;  /* when it was last up, or taken up */
    uint64_t answered; /* replies that have come */
    bool writing;      /* something waits for the connection */
    bool closing;      /* to be closed when nobody stands in it */
    int64_t resume_at; /* when it was told last that another line was lost */
};

struct fact {
    void *zmq;
    int epoll, timer; /* the descriptor, and what wakes it beside the lines ... */
    int64_t timer_at; /* ... at this time */
    int64_t now_at;   /* one reading a turn */
    bool working;     /* in fact_process(): no work inside of work */
    bool woken;       /* the descriptor is readable, for what was submitted */
    bool plain, given_only;
    uint64_t random;

    struct calls calls;
    uint32_t pausing;                  /* calls that wait for another attempt */
    struct endings cancelled, fetched; /* to be told with the next work; to be fetched */
    struct ending *current;            /* the one whose views the caller has */
    struct retry_budget budgets[ROLE_COUNT];
    struct throttle throttles[ROLE_COUNT];
    uint64_t retried, resent, held_back;

    struct client_keys keys;
    struct routes routes;
    struct line lines[LINES_MAX];
    char name[NAME_BYTES_MAX + 1];

    char tenant[NAME_BYTES_MAX], user[NAME_BYTES_MAX];
    size_t tenant_size, user_size;

    char reason[REASON_BYTES];
    uint32_t connections;
    enum status refused;
};

/* A turn reads the clock once. */
int64_t fact_time(const struct fact *self);

uint64_t fact_random(struct fact *self);

/* fact_lines.c */

/* Take up the first broker; false with errno: EINVAL, one is no endpoint; or no socket. */
bool lines_open(struct fact *self);
void lines_close(struct fact *self);

/* The line that a call of this class goes to; LINES_MAX: none of use is left. */
unsigned lines_for(const struct fact *self, enum request_class class);
bool lines_stays(const struct fact *self, unsigned line); /* its broker does not go away */
enum session_state lines_state(const struct fact *self);

/* What this line is asked next was at a broker that is lost: no sign of overload. */
void lines_say_resume(struct fact *self, unsigned line);

void lines_take(struct fact *self);
void lines_tick(struct fact *self);
void lines_send(struct fact *self);
int64_t lines_due_at(const struct fact *self); /* of their routes; sessions see to themselves */
void lines_arm(struct fact *self);

/* fact_ends.c */

/* Ask, for the first time or again; OK, or why it cannot be. */
MUST_USE enum status ends_ask(struct fact *self, struct call *call);

/* What a session says of a call; context: its line. */
void ends_on_answer(void *context, uint64_t tag, const struct header *header, struct bytes body);

/* End it here. */
void ends_here(struct fact *self, struct call *call, enum status status, enum executed executed);

/* What waits at this line goes to another that is up. */
void ends_move_waiting(struct fact *self, unsigned line);
void ends_resume(struct fact *self); /* those whose pause is over */
int64_t ends_due_at(const struct fact *self);

#endif
