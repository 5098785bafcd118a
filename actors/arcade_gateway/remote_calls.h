/* remote_calls - dialogues under way: each is one request, or a purpose of our own, at one remote
 * side.
 *
 * A call goes from exchange to exchange as its dialect says. Before each leaves, rate and breaker
 * of its site are asked; what comes back is repeated here where it may be (repeat.h), else the
 * dialect is told. Every call that was begun ends exactly once, by its deadline at the latest,
 * unless it is cancelled. Owns the calls; never replies by itself. */
#ifndef ACTORS_ARCADE_GATEWAY_REMOTE_CALLS_H
#define ACTORS_ARCADE_GATEWAY_REMOTE_CALLS_H

#include "actors/arcade_gateway/sites.h"

#define POLLS_MAX 32u     /* long polls at once: slots of their own */
#define CALL_MARGIN_MS 20 /* before its deadline an exchange is over: there is time to answer */
#define CALL_DEPS_BYTES_MAX 4096u /* of the dependencies that a dialect names */

struct remote_calls;

struct remote_call {
    struct site *site;
    struct dialogue dialogue; /* with what came of it, when it has ended */
    struct request request;   /* CALL: whose; id 0: our own */
    int64_t begun_at;
    /* remote_calls.c's own */
    struct remote_call *next_free;
    bool used, begun, is_out, holds_target;
    char *arguments;
    struct exchange exchange;
    unsigned repeats;
    uint64_t number; /* of the exchange that is out */
    struct target_pass pass;
    int64_t send_at; /* while it is not out: when it leaves */
};

struct remote_calls_owner {
    void *self;
    /* A call has ended, and is gone when this returns. next: DONE or FAILED. */
    void (*ended)(void *self, struct context *context, struct remote_call *call,
                  enum dialogue_next next);
    /* An exchange has ended; status 0: none came. */
    void (*exchanged)(void *self, struct context *context, const struct remote_call *call,
                      const struct http_response *came);
    /* The breaker of a site has changed, or of a part of it (NULL: its own). */
    void (*changed)(void *self, struct context *context, struct site *site,
                    const struct part *part);
};

struct remote_calls *remote_calls_new(uint32_t calls_max, struct http *http,
                                      const struct remote_calls_owner *owner);
void remote_calls_destroy(struct remote_calls **self); /* no context any more: nothing is told */

struct remote_call_wish {
    struct site *site;
    enum dialogue_purpose purpose;
    const struct request *request;  /* CALL; NULL: our own */
    const struct remote_tool *tool; /* CALL of one; held by the call */
    struct bytes arguments;         /* CALL: a map, checked; copied */
    int64_t deadline_at;
};

/* Begin. It may end at once: ended() is then called from here.
 *
 * ret_failure  written unless OK
 * returns      OK: it will end, or be cancelled; BUSY_FULL: the site or the table is full;
 *              CIRCUIT_OPEN: there is no key */
MUST_USE enum status remote_calls_begin(struct remote_calls *self, struct context *context,
                                        const struct remote_call_wish *wish,
                                        struct failure *ret_failure);

/* The call of a request; NULL: there is none. */
struct remote_call *remote_calls_find(struct remote_calls *self, const struct request *request);

/* Nobody wants it any more: its transfer is broken off, nothing is told. */
void remote_calls_cancel(struct remote_calls *self, struct context *context,
                         struct remote_call *call);

int64_t remote_calls_due_at(const struct remote_calls *self);
void remote_calls_tick(struct remote_calls *self, struct context *context);

/* Take in what the connector has heard; false: nothing. */
bool remote_calls_take(struct remote_calls *self, struct context *context);

uint32_t remote_calls_count(const struct remote_calls *self);
uint32_t remote_calls_polls(const struct remote_calls *self);

#endif
