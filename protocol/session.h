/* session - one connection, seen from the side that connected. Pure: bytes and time in; pairs for
 * its owner, and messages to send, out.
 *
 * It greets and says READY, beats, keeps to the credit it was given and gives its own, numbers what
 * is asked and ends each question exactly once, notices silence, and packs what is ready together
 * into one message. Its owner moves bytes between it and a DEALER: libfact, and every link of the
 * runtime. A point in time (_at) is monotonic microseconds. */
#ifndef PROTOCOL_SESSION_H
#define PROTOCOL_SESSION_H

#include "protocol/message.h"
#include "protocol/pairs.h"

#define SESSION_ID_BYTES 16u

/* Numbers of INVALIDATE count from here, so that none is the id of another question. */
#define SESSION_INVALIDATE_FIRST (UINT64_C(1) << 48)

/* And those of its own questions what became of one, from here. */
#define SESSION_STATUS_FIRST (UINT64_C(1) << 49)

/* So long after a connection was lost it must be known that a question with KEEP goes on. */
#define SESSION_RESUME_MS 3000
#define SESSION_ACKS                                                                               \
    32u /* answers that were held for us are acknowledged after so many, or a beat */

struct session;

enum session_state {
    SESSION_GREETING, /* HELLO is on its way, or waits for a connection */
    SESSION_UP,       /* WELCOME has come */
    SESSION_REFUSED   /* the other side wants none of it: see on_refused */
};

/* What it tells its owner. All are called from session_take(), session_tick(), session_lost() and
 * nowhere else, and may call back into the session. NULL: not wanted. Views live for the call. */
struct session_owner {
    void *self;

    /* Greeted. credit and generation are taken care of; partitions and brokers are not. */
    void (*on_up)(void *self, const struct msg_welcome *welcome);

    /* The connection, or who was there, is gone: requests that came over it need no answer. The
     * questions that were on their way have ended before this call, but for those that are resumed:
     * see config.resumes. It greets again by itself. */
    void (*on_down)(void *self, const char *reason);

    /* The other side will not have it: VERSION, BAD_REQUEST, UNAUTHENTICATED, or CANCELLED: the
     * same session has greeted from elsewhere. Every question has ended. */
    void (*on_refused)(void *self, enum status status, struct bytes reason);

    /* The end of a question, exactly once: the REPLY; or one made here, with executed as far as it
     * is known: too late, or on_down. Only the fields of a reply are set, instance where known. */
    void (*on_answer)(void *self, uint64_t tag, const struct header *header, struct bytes body);

    /* A piece before the end of a question that has the flag STREAM. */
    void (*on_partial)(void *self, uint64_t tag, const struct header *header, struct bytes body);

    /* Every other pair: REQUEST, CANCEL, DRAIN, QUERY, EVENT, GOAWAY, ERROR ...; a worker's CREDIT
     */
    void (*on_pair)(void *self, const struct pair *pair);

    /* Write the body of READY behind the others, or of HEARTBEAT; left empty it is nil. */
    uint32_t (*write_ready)(void *self, struct writer *writer); /* returns the concurrency */
    void (*write_heartbeat)(void *self, struct writer *writer);
};

struct session_config {
    enum role role;
    char id[SESSION_ID_BYTES];
    struct bytes instance, version; /* copied */
    uint64_t pid;
    bool worker;              /* says READY; owner.write_ready is there */
    uint32_t asks_max;        /* questions without an answer; more: BUSY_FULL */
    size_t waiting_bytes_max; /* of questions that wait for credit or a greeting; more: BUSY_FULL */
    bool resumes;             /* what has the flag KEEP outlives a connection */
    int64_t grace_us;         /* wait so long for the other side's own word on a deadline */
};

struct session *session_new(const struct session_config *config, const struct session_owner *owner,
                            int64_t now_at);
void session_destroy(struct session **self_p);

enum session_state session_state(const struct session *self);
uint64_t session_generation(const struct session *self); /* of who was greeted last; 0: nobody */
uint32_t session_connection(const struct session *self); /* counts greetings: names a connection */
size_t session_asks(const struct session *self);         /* questions without an answer */
bool session_has_credit(const struct session *self);     /* a REQUEST would leave at once */

/* It is up, and has not been heard for half of the time after which it counts as gone. */
/* The connection is lost, and what had left may still be answered if the same peer greets soon. */
bool session_is_resuming(const struct session *self);
bool session_is_suspect(const struct session *self, int64_t now_at);

/* Ask.
 *
 * header   command REQUEST, QUERY, ADMIN or INVALIDATE, and its fields but id (INVALIDATE: with id)
 *          and deadline_ms; bytes are borrowed for the call
 * tag      the owner's own, unique among its open questions
 * returns  OK: on_answer() will come; BUSY_FULL; TOO_LARGE: body above PAIR_BODY_BYTES_MAX;
 *          DEADLINE_QUEUED: less than a millisecond is left; CANCELLED: it was refused */
MUST_USE enum status session_ask(struct session *self, const struct header *header,
                                 struct bytes body, int64_t deadline_at, uint64_t tag,
                                 int64_t now_at);

/* A question is not wanted any more: no answer will come. false: there is none of this tag. */
bool session_cancel(struct session *self, uint64_t tag);

/* The same of one that has not left; false: it has, or there is none. */
bool session_take_back(struct session *self, uint64_t tag);

/* Answer a REQUEST or QUERY of this connection; one of an earlier connection is dropped. Grants one
 * more REQUEST unless it answers a QUERY (grants false).
 *
 * connection  session_connection() when it came
 * header      a REPLY, with id; credit is filled in
 * returns     OK; TOO_LARGE: the body must be shorter; nothing was sent */
MUST_USE enum status session_reply(struct session *self, uint32_t connection,
                                   const struct header *header, struct bytes body, bool grants);

/* Grant the other side so many more REQUESTs, or (below 0) ask so many back: it answers with
 * CREDIT, which on_pair gets. Not greeted: nothing happens. */
void session_grant(struct session *self, int32_t change);

/* What is granted now, as CREDIT says it. */
uint32_t session_grants(const struct session *self);

/* So many of those that were asked back had been used: they count as granted. */
void session_regrant(struct session *self, uint32_t count);

/* Say a pair that is no question and no reply: STARTED, TOUCH, DRAIN, DISCONNECT, READY again ...
 */
void session_say(struct session *self, uint32_t connection, const struct header *header,
                 struct bytes body);

/* Say READY once more: un-drained, or other methods. Whoever is not greeted yet hears it with the
 * greeting; but one that has left says what was true then, so WELCOME is not waited for. */
void session_say_ready(struct session *self);

/* Take one message in. */
void session_take(struct session *self, struct bytes message, int64_t now_at);

/* The transport says that the connection is gone. */
void session_lost(struct session *self, const char *reason, int64_t now_at);

/* It is not wanted any more: every question ends now, WORKER_LOST or, what had not left, NO_WORKER;
 * nothing leaves after this. From on_answer() nothing may be asked of it again. */
void session_end(struct session *self);

/* Do what is due: beat, end what is too late, give up on silence. */
void session_tick(struct session *self, int64_t now_at);
int64_t session_due_at(const struct session *self); /* when session_tick() wants to be called */

/* The next message to send; data NULL: none. It stays the next until session_sent(): if it cannot
 * leave now, come back. Borrowed until then. */
struct bytes session_outgoing(struct session *self, int64_t now_at);
void session_sent(struct session *self);

/* Since its start. */
struct session_counts {
    uint64_t asked, answered, late_answers, timed_out, lost, cancelled, malformed, connections;
};
const struct session_counts *session_counts(const struct session *self);

#endif
