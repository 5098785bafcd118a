/* sessions - the peers that have greeted. Pure.
 *
 * A connection is a side and the number of its routing id; a session, 16 bytes of the peer's own,
 * outlives it. Owns  sessions_max entries, taken at start; one is lent until sessions_remove(), and
 * its number is below sessions_max. */
#ifndef BROKER_SESSIONS_H
#define BROKER_SESSIONS_H

#include "actors/runtime/actor.h" /* struct name */
#include "actors/runtime/allow_list.h"
#include "protocol/session.h" /* SESSION_ID_BYTES */

enum side { SIDE_FRONTEND, SIDE_BACKEND, SIDE_COUNT };

/* named peer, as struct session is the other end of this */
struct peer {
    enum side side;
    uint64_t number; /* of its routing id */
    char session[SESSION_ID_BYTES];
    enum role role;                /* by its HELLO */
    const struct allowed *allowed; /* its key and grants; NULL: nobody is asked for one */
    uint64_t pid;
    struct name instance, version;
    int64_t heard_at, sent_at;
    int64_t strikes_at; /* when the first of the strikes was */
    unsigned strikes;
    int64_t resumed_at;    /* it greeted, and was here before; 0: it was not */
    bool gone;             /* to be buried when the turn ends */
    uint32_t asked, ended; /* REQUESTs read, and answered, in all; modulo 2^32 */
    uint64_t beats;
    uint32_t worker; /* NONE of list.h: it is none */
    uint32_t keeper; /* of keeps.h; NONE: nothing is held for it */
    bool leaves;     /* by its own will, and for good */
    bool resumes;    /* it is about to be another connection of its session */

    uint32_t next_number, next_session; /* in the chains of sessions.c */
};

struct sessions;

/* seed: random, and told to nobody: a session is its peer's choice. */
struct sessions *sessions_new(uint32_t sessions_max, uint64_t seed);
void sessions_destroy(struct sessions **self_p);

/* NULL: nobody of that number has greeted on that side. */
struct peer *sessions_find(struct sessions *self, enum side side, uint64_t number);

/* NULL: this session has no connection on that side. session: SESSION_ID_BYTES. */
struct peer *sessions_find_session(struct sessions *self, enum side side, const char *session);

/* Neither number nor session may be there. Returns it with all else zero, worker and keeper NONE;
 * NULL: full.
 */
struct peer *sessions_add(struct sessions *self, enum side side, uint64_t number,
                          const char *session);
void sessions_remove(struct sessions *self, struct peer *peer);

uint32_t sessions_index(const struct sessions *self, const struct peer *peer);
struct peer *sessions_at(struct sessions *self, uint32_t index); /* NULL: free */
uint32_t sessions_count(const struct sessions *self);

/* One fault more; true: that is enough. source: docs/protocol.md, "Messages" */
MUST_USE bool peer_strike(struct peer *self, int64_t now_at);

#endif
