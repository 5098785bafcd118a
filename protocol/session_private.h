/* session_private - what these files share, and nobody else.
 *
 *   session.c         greeting, beats, what a worker says
 *   session_asks.c    questions and their ends; the credit for them
 *   session_resume.c  questions with KEEP, which outlive a connection */
#ifndef PROTOCOL_SESSION_PRIVATE_H
#define PROTOCOL_SESSION_PRIVATE_H

#include "protocol/asks.h"
#include "protocol/outgoing.h"
#include "protocol/session.h"

struct session {
    struct session_owner owner;
    enum role role;
    bool worker, resumes;
    char id[SESSION_ID_BYTES], instance[NAME_BYTES_MAX], version[NAME_BYTES_MAX];
    size_t instance_size, version_size;
    uint64_t pid;
    int64_t grace_us;
    size_t waiting_bytes, waiting_bytes_max;

    enum session_state state;
    bool greet; /* HELLO is to be written before anything else leaves */
    uint32_t connection;
    uint64_t generation, next_id, beats;
    int64_t heartbeat_us, dead_us, heard_at, beat_at, greet_at;
    uint32_t granted, sent;  /* to us: REQUESTs we may have sent in all; mod 2^32 */
    uint32_t grants;         /* by us, the same */
    unsigned unacknowledged; /* answers that are held until we say that we have them */
    struct asks *asks;
    struct outgoing *outgoing;
    struct session_counts counts;
};

/* session.c */
void session_put(struct session *self, const struct header *header, struct bytes body);
void session_put_command(struct session *self, enum command command, uint64_t id,
                         struct bytes body);

/* session_asks.c */
void session_end_ask(struct session *self, struct ask_entry *entry, enum status status,
                     enum executed executed);
/* What had left may have been executed, and nobody will say. What had not, leaves later.
 * kept_too: also what would be asked about after a reconnect */
void session_end_what_left(struct session *self, bool kept_too);
void session_end_what_is_late(struct session *self, int64_t now_at);
void session_send_what_waits(struct session *self, int64_t now_at);
void session_take_credit(struct session *self, uint32_t credit);
void session_on_reply(struct session *self, const struct pair *pair);
void session_on_partial(struct session *self, const struct pair *pair);

/* session_resume.c */
/* The connection is lost: what was sent, and is kept, is given SESSION_RESUME_MS. */
void session_await_resuming(struct session *self, int64_t now_at);
void session_ask_what_became(struct session *self);
void session_on_what_became(struct session *self, const struct pair *pair);
void session_acknowledge(struct session *self);

#endif
