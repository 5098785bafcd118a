/* dialogue - the seam between a call and a dialect: one conversation with a remote side.
 *
 * A dialogue has a purpose: run a tool, list the tools, ask for health. It takes one or more HTTP
 * exchanges, one after the other; a dialect says which comes next and what came of it all, and does
 * nothing else: no socket, no clock. Who has the dialogue (remote_calls.h) sends, repeats what may
 * be repeated (repeat.h) before the dialect sees it, and keeps to deadline and bounds. */
#ifndef ACTORS_ARCADE_GATEWAY_DIALOGUE_H
#define ACTORS_ARCADE_GATEWAY_DIALOGUE_H

#include "actors/arcade_gateway/http.h"
#include "actors/arcade_gateway/imports.h"
#include "actors/runtime/actor.h"
#include "actors/runtime/failure.h"

#define REMOTE_URL_BYTES_MAX 512u     /* of a base address, with its end */
#define REMOTE_SECRET_BYTES_MAX 4096u /* with its end */
#define DIALOGUE_RETRY_AFTER_MS 1000u /* where the other side does not say */

struct dialogue;

/* The next exchange. What it points to is the dialogue's, until take() or end(). */
struct exchange {
    struct http_request http; /* deadline_at 0: the dialogue's */
    const char *operation;    /* execute, list, authorize ...: one of few, for metrics */
    bool idempotent;          /* may be repeated though it was sent */
    bool is_poll;             /* a long poll: slots of its own; feeds neither breaker nor latency */
    bool is_repeat;    /* the dialect asks the same again: it counts against the budget of repeats,
                        * and if it does not fit the deadline take() gets a response of HTTP_LATE */
    uint32_t after_ms; /* not before */
};

enum dialogue_next { DIALOGUE_EXCHANGE, DIALOGUE_DONE, DIALOGUE_FAILED };
/* DESCRIBE: arguments is message tool_describe, data becomes message tool_definition; only where a
 * dialect says that it describes. */
enum dialogue_purpose { DIALOGUE_CALL, DIALOGUE_LIST, DIALOGUE_HEALTH, DIALOGUE_DESCRIBE };

struct dialect {
    const char *name;    /* execution_method of results: arcade, mcp, local ... */
    size_t state_bytes;  /* of one dialogue; zeroed before begin() */
    size_t memory_bytes; /* of what is kept of a remote side, zeroed at first; 0: nothing */
    bool has_tools;      /* LIST may find some */
    bool has_health;     /* HEALTH is less than LIST, and says as much of a side that failed */
    bool describes;      /* one tool can be asked for by name */

    enum dialogue_next (*begin)(struct dialogue *self, struct exchange *ret);

    /* The response to the last exchange, or to the last of its repeats. */
    enum dialogue_next (*take)(struct dialogue *self, const struct http_response *came,
                               struct exchange *ret);

    /* Of a stream, what came since the last time; NULL: it streams nothing.
     *
     * ret_next  DONE or FAILED, when true is returned
     * returns   true: that was enough, and the rest is broken off */
    bool (*piece)(struct dialogue *self, const struct http_response *so_far,
                  enum dialogue_next *ret_next);

    void (*end)(struct dialogue *self); /* give the state's memory back; NULL: it has none */
};

/* A remote side, as a dialect needs it: what lasts from one dialogue to the next. */
struct remote {
    char name[REMOTE_SOURCE_BYTES_MAX];   /* Arcade, or of an MCP server, or the model's provider */
    char url[REMOTE_URL_BYTES_MAX];       /* base address, without a / at its end */
    char secret[REMOTE_SECRET_BYTES_MAX]; /* empty: none. Never printed; zeroed at the end */
    bool is_trusted;                      /* what its tools say of themselves is believed */
    struct imports *imports;              /* of the process; LIST fills it */
    uint32_t refused;                     /* tools of its last list that are not offered here ... */
    char refusal[200];                    /* ... and which was the last of them, and why */
    void *memory;                 /* the dialect's own: era, session ...; its memory_bytes */
    void (*forget)(void *memory); /* frees what memory points to; NULL: nothing */
};

struct dialogue {
    const struct dialect *dialect;
    void *state; /* the dialect's */
    enum dialogue_purpose purpose;
    struct remote *remote;

    /* CALL: what is asked. */
    const struct remote_tool *tool; /* of the method's name; NULL: the dialect's own method */
    struct bytes method;            /* as the request has it */
    struct bytes arguments;         /* a map, checked */
    struct name tenant, user;
    char trace[TRACE_BYTES];
    bool has_trace, wants_partial; /* STREAM */
    uint8_t attempt;

    /* Before each call of the dialect. */
    int64_t now_at, deadline_at, unix_ms;
    uint64_t random;

    /* What came of it. */
    struct writer data;     /* DONE: the result, RESULT_BYTES_MAX */
    struct writer deps;     /* DONE: an array of texts; nothing written: only the source's own */
    bool truncated;         /* DONE */
    struct failure failure; /* FAILED */
    struct bytes details;   /* FAILED: for the caller alone, as failure_text has it; the dialect's
                             * memory until end() */
    struct bytes partial; /* a body for PARTIAL, when an exchange is returned, or a piece was heard;
                           * the dialect's memory until the next call of it; data NULL: none */
    uint32_t attempts;    /* exchanges that were begun, repeats too */
};

/* Fail with what it means to the caller that an exchange came to no answer: by how it ended, and by
 * whether the other side may have seen it.
 *
 * who   is at the other end, for people
 * came  not HTTP_ANSWERED */
enum dialogue_next dialogue_fail_unanswered(struct dialogue *self, const char *who,
                                            const struct http_response *came);

/* A text of a map, cut at a bound between two characters; false: it is not there, or is empty, or
 * has a 0 in it. Then out is empty. */
bool dialogue_text(struct bytes map, const char *key, char *out, size_t size);

#endif
