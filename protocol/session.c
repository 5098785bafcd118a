/* session - see session.h; session_private.h tells which file does what. The usual turn allocates
 * nothing. */
#include "protocol/session.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/session_private.h"

#define GREETING_MS 3000 /* greet again after so much silence; WELCOME says what holds then */
#define REGREET_MS 100   /* but not more often than this, whoever sends us away */

static size_t copy_name(struct bytes from, char *to)
{
    assert(from.size <= NAME_BYTES_MAX);
    if (from.size > 0)
        memcpy(to, from.data, from.size);
    return from.size;
}

struct session *session_new(const struct session_config *config, const struct session_owner *owner,
                            int64_t now_at)
{
    assert(config->asks_max > 0);
    assert(!config->worker || owner->write_ready != NULL);
    struct session *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->owner = *owner;
    self->role = config->role;
    self->worker = config->worker;
    self->resumes = config->resumes;
    self->pid = config->pid;
    self->grace_us = config->grace_us;
    self->waiting_bytes_max = config->waiting_bytes_max;
    memcpy(self->id, config->id, SESSION_ID_BYTES);
    self->instance_size = copy_name(config->instance, self->instance);
    self->version_size = copy_name(config->version, self->version);
    self->asks = asks_new(config->asks_max);
    self->next_id = 1;
    self->outgoing = outgoing_new();
    self->greet = true;
    self->heard_at = now_at;
    self->greet_at = INT64_MIN;
    self->heartbeat_us = GREETING_MS * US_PER_MS;
    self->dead_us = GREETING_MS * US_PER_MS;
    return self;
}

void session_destroy(struct session **self_p)
{
    assert(self_p != NULL);
    struct session *self = *self_p;
    if (self == NULL)
        return;
    outgoing_destroy(&self->outgoing);
    asks_destroy(&self->asks);
    free(self);
    *self_p = NULL;
}

enum session_state session_state(const struct session *self)
{
    return self->state;
}

uint64_t session_generation(const struct session *self)
{
    return self->generation;
}

uint32_t session_connection(const struct session *self)
{
    return self->connection;
}

size_t session_asks(const struct session *self)
{
    return asks_count(self->asks);
}

const struct session_counts *session_counts(const struct session *self)
{
    return &self->counts;
}

void session_put(struct session *self, const struct header *header, struct bytes body)
{
    char head[PAIR_HEAD_BYTES_MAX];
    size_t size = pairs_encode_head(header, body, head);
    outgoing_put(self->outgoing, (struct bytes){head, size}, body);
}

/* A command of our own, in the request layout. */
void session_put_command(struct session *self, enum command command, uint64_t id, struct bytes body)
{
    struct header header = {
        .command = command, .id = id, .class = CLASS_CRITICAL, .role = self->role};
    session_put(self, &header, body);
}

void session_say_ready(struct session *self)
{
    char bytes[MESSAGE_BYTES_MAX / 2 - HEADER_BYTES_MAX - BODY_HEAD_BYTES_MAX];
    struct writer writer;
    assert(self->worker);
    if (self->greet || self->state == SESSION_REFUSED)
        return; /* the greeting that is still to be written says it */
    writer_init(&writer, bytes, sizeof bytes);
    uint32_t concurrency = self->owner.write_ready(self->owner.self, &writer);
    struct bytes body = writer_bytes(&writer);
    assert(body.data != NULL); /* METHODS_MAX and their names are bounded by the owner */
    if (self->grants == 0)
        self->grants = concurrency;
    session_put_command(self, COMMAND_READY, 0, body);
}

static void put_hello(struct session *self)
{
    char bytes[CONTROL_BYTES_MAX];
    struct bytes body;
    struct msg_hello hello = {.session = {self->id, SESSION_ID_BYTES},
                              .instance = {self->instance, self->instance_size},
                              .pid = self->pid,
                              .version = {self->version, self->version_size},
                              .protocol_min = PROTOCOL_VERSION,
                              .protocol_max = PROTOCOL_VERSION,
                              .resume = self->connection > 1};
    enum status status = message_encode(MSG_HELLO, &hello, bytes, sizeof bytes, &body);
    assert(status == STATUS_OK);
    session_put_command(self, COMMAND_HELLO, 0, body);
}

/* Begin anew: HELLO goes before everything, and nothing of the old connection counts. */
static void regreet(struct session *self, int64_t now_at)
{
    self->state = SESSION_GREETING;
    self->greet = true;
    self->greet_at = now_at + REGREET_MS * US_PER_MS;
    self->heard_at = now_at;
    self->dead_us = GREETING_MS * US_PER_MS;
    outgoing_clear(self->outgoing);
}

void session_lost(struct session *self, const char *reason, int64_t now_at)
{
    if (self->state == SESSION_REFUSED)
        return;
    bool was_up = self->state == SESSION_UP;
    regreet(self, now_at);
    session_end_what_left(self, false);
    session_await_resuming(self, now_at);
    if (was_up && self->owner.on_down != NULL)
        self->owner.on_down(self->owner.self, reason);
}

/* For good. waiting: the status of what has not left. */
static void end_all(struct session *self, enum status waiting)
{
    struct ask_entry *entry;
    self->state = SESSION_REFUSED;
    outgoing_clear(self->outgoing);
    session_end_what_left(self, true);
    while ((entry = asks_first_waiting(self->asks)) != NULL)
        session_end_ask(self, entry, waiting, EXECUTED_NO);
}

void session_end(struct session *self)
{
    end_all(self, STATUS_NO_WORKER);
}

static void on_refusal(struct session *self, const struct pair *pair)
{
    struct msg_disconnect disconnect = {{0}};
    if (message_decode(MSG_DISCONNECT, pair->body, &disconnect) != STATUS_OK)
        disconnect.reason = (struct bytes){0};
    end_all(self, pair->header.status);
    if (self->owner.on_refused != NULL)
        self->owner.on_refused(self->owner.self, pair->header.status, disconnect.reason);
}

bool session_is_suspect(const struct session *self, int64_t now_at)
{
    return self->state == SESSION_UP && now_at - self->heard_at >= self->dead_us / 2;
}

static void on_welcome(struct session *self, const struct pair *pair)
{
    struct msg_welcome welcome;
    if (self->state != SESSION_GREETING || pair->header.status != STATUS_OK ||
        message_decode(MSG_WELCOME, pair->body, &welcome) != STATUS_OK ||
        welcome.heartbeat_ms == 0 || welcome.heartbeat_ms > UINT32_MAX ||
        welcome.dead_ms < welcome.heartbeat_ms || welcome.dead_ms > UINT32_MAX) {
        self->counts.malformed++;
        return;
    }
    if (welcome.generation != self->generation)
        session_end_what_left(self, true); /* it knows nothing of them, nor is asked before this */
    self->state = SESSION_UP;
    self->generation = welcome.generation;
    self->heartbeat_us = (int64_t)welcome.heartbeat_ms * US_PER_MS;
    self->dead_us = (int64_t)welcome.dead_ms * US_PER_MS;
    self->beat_at = self->heard_at + self->heartbeat_us;
    self->granted = pair->header.credit;
    self->sent = 0;
    self->counts.connections++;
    session_ask_what_became(self);
    if (self->owner.on_up != NULL)
        self->owner.on_up(self->owner.self, &welcome);
}

/* Sent away, but welcome again: greet. Anything else is for good. */
static void on_disconnect(struct session *self, const struct pair *pair, int64_t now_at)
{
    if (pair->header.status == STATUS_NO_ROLE)
        session_lost(self, "not known there any more", now_at);
    else
        on_refusal(self, pair);
}

static void take_pair(struct session *self, const struct pair *pair, int64_t now_at)
{
    if (pair->status != STATUS_OK) {
        self->counts.malformed++;
        return;
    }
    switch (pair->header.command) {
    case COMMAND_WELCOME:
        on_welcome(self, pair);
        break;
    case COMMAND_DISCONNECT:
        on_disconnect(self, pair, now_at);
        break;
    case COMMAND_REPLY:
        session_on_reply(self, pair);
        break;
    case COMMAND_PARTIAL:
        session_on_partial(self, pair);
        break;
    case COMMAND_CREDIT:
        if (self->worker && self->state == SESSION_UP && self->owner.on_pair != NULL)
            self->owner.on_pair(self->owner.self, pair);
        else if (!self->worker)
            session_take_credit(self, pair->header.credit);
        break;
    case COMMAND_HEARTBEAT:
        break;
    default:
        if (self->state == SESSION_UP && self->owner.on_pair != NULL)
            self->owner.on_pair(self->owner.self, pair);
    }
}

void session_take(struct session *self, struct bytes message, int64_t now_at)
{
    struct pairs pairs = pairs_over(message);
    struct pair pair;
    self->heard_at = now_at;
    while (pairs_next(&pairs, &pair) && self->state != SESSION_REFUSED)
        take_pair(self, &pair, now_at);
    self->counts.malformed += pairs.broken;
    if (self->unacknowledged >= SESSION_ACKS)
        session_acknowledge(self);
    session_send_what_waits(self, now_at);
}

static void beat(struct session *self, int64_t now_at)
{
    char bytes[CONTROL_BYTES_MAX];
    struct writer writer;
    writer_init(&writer, bytes, sizeof bytes);
    if (self->owner.write_heartbeat != NULL)
        self->owner.write_heartbeat(self->owner.self, &writer);
    struct bytes body = writer_bytes(&writer);
    if (body.size == 0)
        body.data = NULL;
    session_put_command(self, COMMAND_HEARTBEAT, ++self->beats, body);
    if (self->unacknowledged > 0)
        session_acknowledge(self);
    self->beat_at = now_at + self->heartbeat_us;
}

void session_tick(struct session *self, int64_t now_at)
{
    session_end_what_is_late(self, now_at);
    if (self->state == SESSION_REFUSED)
        return;
    if (now_at - self->heard_at >= self->dead_us && !self->greet)
        session_lost(self, "silent", now_at);
    if (self->state == SESSION_UP && now_at >= self->beat_at)
        beat(self, now_at);
}

int64_t session_due_at(const struct session *self)
{
    const struct ask_entry *entry = asks_first_due(self->asks);
    int64_t due_at = entry != NULL ? entry->due_at : INT64_MAX;
    if (self->state == SESSION_REFUSED)
        return due_at;
    if (self->state == SESSION_UP && self->beat_at < due_at)
        due_at = self->beat_at;
    if (self->greet && self->greet_at < due_at)
        due_at = self->greet_at;
    if (!self->greet && self->heard_at + self->dead_us < due_at)
        due_at = self->heard_at + self->dead_us;
    return due_at;
}

enum status session_reply(struct session *self, uint32_t connection, const struct header *header,
                          struct bytes body, bool grants)
{
    assert(header->command == COMMAND_REPLY);
    if (body.size > PAIR_BODY_BYTES_MAX)
        return STATUS_TOO_LARGE;
    if (connection != self->connection || self->state != SESSION_UP)
        return STATUS_OK; /* nobody is there who waits for it */
    struct header ours = *header;
    self->grants += grants;
    ours.credit = self->grants;
    session_put(self, &ours, body);
    return STATUS_OK;
}

void session_grant(struct session *self, int32_t change)
{
    if (self->state != SESSION_UP)
        return;
    self->grants += (uint32_t)change;
    session_put(self, &(struct header){.command = COMMAND_CREDIT, .credit = self->grants},
                (struct bytes){0});
}

uint32_t session_grants(const struct session *self)
{
    return self->grants;
}

void session_regrant(struct session *self, uint32_t count)
{
    self->grants += count;
}

void session_say(struct session *self, uint32_t connection, const struct header *header,
                 struct bytes body)
{
    if (connection == self->connection && self->state == SESSION_UP)
        session_put(self, header, body);
}

/* HELLO, and a worker's READY in the same message. Nothing else is there: regreet() saw to it. */
static void write_greeting(struct session *self, int64_t now_at)
{
    assert(outgoing_next(self->outgoing).data == NULL);
    self->greet = false;
    self->connection++;
    self->grants = 0;
    self->heard_at = now_at; /* from now on silence counts */
    put_hello(self);
    if (self->worker)
        session_say_ready(self);
}

struct bytes session_outgoing(struct session *self, int64_t now_at)
{
    if (self->greet && now_at >= self->greet_at && self->state == SESSION_GREETING)
        write_greeting(self, now_at);
    return outgoing_next(self->outgoing);
}

void session_sent(struct session *self)
{
    outgoing_sent(self->outgoing);
}
