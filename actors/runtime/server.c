/* server - see server.h.
 *
 * What is for a peer gathers in its own outgoing until the turn ends. Strangers have none: what
 * they are told goes into a short line of its own, and is not told at all when that is full. */
#include "actors/runtime/server.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/outgoing.h"

#define STRANGERS_MAX 64u /* that are answered in one turn */
#define TICK_US (SERVER_HEARTBEAT_MS * US_PER_MS / 4)

struct peer {
    uint64_t number;
    char session[SESSION_ID_BYTES];
    int64_t heard_at, strikes_at;
    unsigned strikes;
    uint32_t asked, granted; /* REQUESTs, in all; modulo 2^32 */
    uint64_t beats;
    int64_t beat_at;
    struct outgoing *outgoing; /* NULL: this place is free */
    bool ready;                /* it stands in the line of those for whom something is there */
};

struct stranger {
    uint64_t number;
    size_t size;
    char data[PAIR_HEAD_BYTES_MAX + 256];
};

struct server {
    struct server_owner owner;
    char instance[NAME_BYTES_MAX];
    size_t instance_size;
    uint32_t generation, credit, peers_max, count;
    bool draining;
    int64_t tick_at;
    struct peer *peers;
    uint32_t *ready; /* places of those for whom something is there; may hold one that is gone */
    uint32_t ready_count;
    struct stranger strangers[STRANGERS_MAX];
    unsigned stranger_count;
    struct server_counts counts;
};

struct server *server_new(const struct server_config *config, const struct server_owner *owner)
{
    struct server *self = calloc(1, sizeof *self);
    assert(self != NULL);
    assert(config->instance.size <= NAME_BYTES_MAX);
    assert(config->credit > 0);
    self->owner = *owner;
    self->instance_size = config->instance.size;
    memcpy(self->instance, config->instance.data, config->instance.size);
    self->generation = config->generation;
    self->credit = config->credit;
    self->peers_max = config->peers_max;
    self->peers = calloc(config->peers_max, sizeof *self->peers);
    self->ready = calloc(config->peers_max, sizeof *self->ready);
    assert(self->peers != NULL);
    assert(self->ready != NULL);
    return self;
}

void server_destroy(struct server **self_p)
{
    struct server *self = *self_p;
    if (self == NULL)
        return;
    for (uint32_t i = 0; i < self->peers_max; i++)
        outgoing_destroy(&self->peers[i].outgoing);
    free(self->peers);
    free(self->ready);
    free(self);
    *self_p = NULL;
}

/* Routing ids are counted up, so that a place is found at its number's remainder or near it. */
static struct peer *find(struct server *self, uint64_t number)
{
    for (uint32_t i = 0; i < self->peers_max; i++) {
        struct peer *peer = &self->peers[(number + i) % self->peers_max];
        if (peer->outgoing != NULL && peer->number == number)
            return peer;
    }
    return NULL;
}

static void put(struct server *self, struct peer *peer, const struct header *header,
                struct bytes body)
{
    char head[PAIR_HEAD_BYTES_MAX];
    size_t size = pairs_encode_head(header, body, head);
    outgoing_put(peer->outgoing, (struct bytes){head, size}, body);
    if (peer->ready)
        return;
    assert(self->ready_count < self->peers_max); /* each place stands in it once */
    peer->ready = true;
    self->ready[self->ready_count++] = (uint32_t)(peer - self->peers);
}

static void put_reply(struct server *self, struct peer *peer, enum command command, uint64_t id,
                      enum status status)
{
    char room[CONTROL_BYTES_MAX];
    struct header header = {.command = command,
                            .id = id,
                            .status = status,
                            .executed = statuses[status].executed,
                            .admit_level = CLASS_SHEDDABLE,
                            .retry_after_ms = statuses[status].retry == RETRY_AFTER,
                            .credit = peer->granted};
    put(self, peer, &header, message_encode_failure(status, room));
}

/* Who has no place is told why in a line of its own. */
static void tell_stranger(struct server *self, uint64_t number, enum status status,
                          const char *reason)
{
    char room[256];
    struct bytes body;
    if (self->stranger_count == STRANGERS_MAX) {
        self->counts.dropped++;
        return;
    }
    struct msg_disconnect disconnect = {bytes_of(reason)};
    enum status encoded = message_encode(MSG_DISCONNECT, &disconnect, room, sizeof room, &body);
    assert(encoded == STATUS_OK);
    struct stranger *stranger = &self->strangers[self->stranger_count++];
    struct header header = {.command = COMMAND_DISCONNECT,
                            .status = status,
                            .executed = statuses[status].executed,
                            .admit_level = CLASS_SHEDDABLE};
    stranger->number = number;
    stranger->size = pairs_encode_head(&header, body, stranger->data);
    memcpy(stranger->data + stranger->size, body.data, body.size);
    stranger->size += body.size;
}

static void forget(struct server *self, struct peer *peer)
{
    uint64_t number = peer->number;
    bool ready = peer->ready;
    outgoing_destroy(&peer->outgoing);
    *peer = (struct peer){.ready = ready}; /* it stands in that line until the turn ends */
    self->count--;
    if (self->owner.on_gone != NULL)
        self->owner.on_gone(self->owner.self, number);
}

/* One fault more. Returns true if that was enough, and the peer is gone. */
static bool strike(struct server *self, struct peer *peer, int64_t now_at)
{
    self->counts.malformed++;
    if (now_at - peer->strikes_at > STRIKES_MS * US_PER_MS) {
        peer->strikes = 0;
        peer->strikes_at = now_at;
    }
    if (++peer->strikes < STRIKES_MAX)
        return false;
    tell_stranger(self, peer->number, STATUS_BAD_REQUEST, "too many faults");
    forget(self, peer);
    return true;
}

/* Greeting. */

static void put_welcome(struct server *self, struct peer *peer)
{
    char room[CONTROL_BYTES_MAX];
    struct bytes body;
    struct msg_welcome welcome = {
        .instance = {self->instance, self->instance_size},
        .generation = self->generation,
        .heartbeat_ms = SERVER_HEARTBEAT_MS,
        .dead_ms = SERVER_DEAD_MS,
        .lease_ms = SERVER_DEAD_MS,
        .body_max = PAIR_BODY_BYTES_MAX,
        .message_max = MESSAGE_BYTES_MAX,
        .protocol = PROTOCOL_VERSION,
    };
    enum status status = message_encode(MSG_WELCOME, &welcome, room, sizeof room, &body);
    assert(status == STATUS_OK);
    put(self, peer,
        &(struct header){.command = COMMAND_WELCOME,
                         .executed = EXECUTED_YES,
                         .admit_level = CLASS_SHEDDABLE,
                         .credit = peer->granted},
        body);
}

/* A place for it, of this session alone: the newer connection wins. NULL: none is free. */
static struct peer *admit(struct server *self, uint64_t number, struct bytes session)
{
    struct peer *free_place = NULL;
    for (uint32_t i = 0; i < self->peers_max; i++) {
        struct peer *peer = &self->peers[(number + i) % self->peers_max];
        bool is_same =
            peer->outgoing != NULL &&
            (peer->number == number || memcmp(peer->session, session.data, SESSION_ID_BYTES) == 0);
        if (is_same && peer->number != number)
            tell_stranger(self, peer->number, STATUS_CANCELLED, "greeted from elsewhere");
        if (is_same)
            forget(self, peer);
        if (peer->outgoing == NULL && free_place == NULL)
            free_place = peer;
    }
    return free_place;
}

static void on_hello(struct server *self, uint64_t number, const struct pair *pair, int64_t now_at)
{
    struct msg_hello hello;
    if (pair->status != STATUS_OK || message_decode(MSG_HELLO, pair->body, &hello) != STATUS_OK ||
        hello.session.size != SESSION_ID_BYTES) {
        self->counts.malformed++;
        tell_stranger(self, number,
                      pair->status == STATUS_VERSION ? STATUS_VERSION : STATUS_BAD_REQUEST,
                      "no HELLO");
        return;
    }
    if (hello.protocol_min > PROTOCOL_VERSION || hello.protocol_max < PROTOCOL_VERSION) {
        tell_stranger(self, number, STATUS_VERSION, "protocol version 1 is spoken here");
        return;
    }
    struct peer *peer = admit(self, number, hello.session);
    if (peer == NULL) {
        self->counts.refused++; /* it greets again when it has waited */
        return;
    }
    *peer = (struct peer){.number = number,
                          .ready = peer->ready,
                          .heard_at = now_at,
                          .beat_at = now_at + SERVER_HEARTBEAT_MS * US_PER_MS,
                          .granted = self->credit,
                          .outgoing = outgoing_new()};
    memcpy(peer->session, hello.session.data, SESSION_ID_BYTES);
    self->count++;
    put_welcome(self, peer);
}

/* What a peer says. */

static void on_request(struct server *self, struct peer *peer, const struct pair *pair)
{
    enum status status = STATUS_OK;
    if (peer->granted - peer->asked == 0)
        status = STATUS_BUSY_FULL;
    else if (self->draining)
        status = STATUS_DRAINING;
    peer->asked += status != STATUS_BUSY_FULL;
    peer->granted += status == STATUS_DRAINING; /* its answer grants the next */
    if (status != STATUS_OK) {
        self->counts.refused++;
        put_reply(self, peer, COMMAND_REPLY, pair->header.id, status);
    } else {
        self->owner.on_request(self->owner.self, peer->number, pair);
    }
}

/* A pair that is bad, or not for us. */
static void on_fault(struct server *self, struct peer *peer, const struct pair *pair)
{
    const struct command_row *row = &commands[pair->header.command];
    enum status status = pair->status != STATUS_OK ? pair->status : STATUS_BAD_REQUEST;
    bool is_known = pair->header.command != COMMAND_NONE;
    if (is_known && row->layout == LAYOUT_REPLY)
        return; /* an answer to it might never end */
    bool was_request = pair->header.command == COMMAND_REQUEST;
    peer->asked += was_request; /* it has cost the peer a grant: give one back */
    peer->granted += was_request;
    bool answers = pair->header.id != 0 && (!is_known || row->answer == COMMAND_REPLY);
    put_reply(self, peer, answers ? COMMAND_REPLY : COMMAND_ERROR, answers ? pair->header.id : 0,
              status);
}

/* Returns false: the peer is gone. */
static bool take_pair(struct server *self, struct peer *peer, const struct pair *pair,
                      int64_t now_at)
{
    enum command command = pair->header.command;
    bool is_good = pair->status == STATUS_OK;
    if (command == COMMAND_REQUEST && is_good && pair->header.id != 0) {
        on_request(self, peer, pair);
    } else if (command == COMMAND_QUERY && is_good && pair->header.id != 0) {
        self->owner.on_query(self->owner.self, peer->number, pair);
    } else if (command == COMMAND_CANCEL && is_good) {
        self->owner.on_cancel(self->owner.self, peer->number, pair->header.id);
    } else if (command == COMMAND_DISCONNECT && is_good) {
        forget(self, peer);
        return false;
    } else if (command != COMMAND_HEARTBEAT || !is_good) {
        on_fault(self, peer, pair);
        return !strike(self, peer, now_at);
    }
    return true;
}

unsigned server_take(struct server *self, uint64_t number, struct bytes message, int64_t now_at)
{
    struct pairs pairs = pairs_over(message);
    struct pair pair;
    struct peer *peer = find(self, number);
    bool told = false;
    if (peer != NULL)
        peer->heard_at = now_at;
    while (!told && pairs_next(&pairs, &pair)) {
        if (pair.header.command == COMMAND_HELLO) {
            on_hello(self, number, &pair, now_at);
            peer = find(self, number);
            told = peer == NULL;
        } else if (peer == NULL) {
            self->counts.strangers++;
            tell_stranger(self, number, STATUS_NO_ROLE, "greet first");
            told = true;
        } else if (!take_pair(self, peer, &pair, now_at)) {
            told = true;
        }
    }
    if (!told && pairs.broken && peer != NULL) {
        put_reply(self, peer, COMMAND_ERROR, 0, STATUS_BAD_REQUEST);
        (void)strike(self, peer, now_at);
    } else if (pairs.broken) {
        self->counts.malformed++;
    }
    return pairs.count > 0 ? pairs.count : 1;
}

enum status server_reply(struct server *self, uint64_t number, const struct header *header,
                         struct bytes body, bool grants)
{
    assert(header->command == COMMAND_REPLY);
    struct peer *peer = find(self, number);
    if (body.size > PAIR_BODY_BYTES_MAX)
        return STATUS_TOO_LARGE;
    if (peer == NULL)
        return STATUS_OK;
    struct header ours = *header;
    peer->granted += grants;
    ours.credit = peer->granted;
    put(self, peer, &ours, body);
    return STATUS_OK;
}

void server_turn_away(struct server *self, uint64_t number, const char *reason)
{
    struct peer *peer = find(self, number);
    self->counts.refused++;
    tell_stranger(self, number, STATUS_NO_ROLE, reason);
    if (peer != NULL)
        forget(self, peer);
}

void server_drain(struct server *self)
{
    self->draining = true;
}

void server_undrain(struct server *self)
{
    self->draining = false;
}

void server_tick(struct server *self, int64_t now_at)
{
    if (now_at < self->tick_at)
        return;
    self->tick_at = now_at + TICK_US;
    for (uint32_t i = 0; i < self->peers_max; i++) {
        struct peer *peer = &self->peers[i];
        if (peer->outgoing == NULL)
            continue;
        if (now_at - peer->heard_at >= SERVER_DEAD_MS * US_PER_MS) {
            self->counts.silent++;
            forget(self, peer);
        } else if (now_at >= peer->beat_at) {
            put(self, peer,
                &(struct header){
                    .command = COMMAND_HEARTBEAT, .id = ++peer->beats, .class = CLASS_CRITICAL},
                (struct bytes){0});
            peer->beat_at = now_at + SERVER_HEARTBEAT_MS * US_PER_MS;
        }
    }
}

int64_t server_due_at(const struct server *self)
{
    return self->count > 0 ? self->tick_at : INT64_MAX;
}

/* Returns false: the peer is gone. */
static bool flush_peer(struct server *self, struct peer *peer)
{
    struct bytes message = outgoing_next(peer->outgoing);
    for (; message.data != NULL; message = outgoing_next(peer->outgoing)) {
        enum status status = self->owner.send(self->owner.self, peer->number, message);
        if (status == STATUS_WORKER_LOST)
            return false;
        self->counts.dropped += status != STATUS_OK;
        outgoing_sent(peer->outgoing);
    }
    return true;
}

void server_flush(struct server *self)
{
    for (uint32_t i = 0; i < self->ready_count; i++) {
        struct peer *peer = &self->peers[self->ready[i]];
        peer->ready = false;
        if (peer->outgoing != NULL && !flush_peer(self, peer))
            forget(self, peer);
    }
    self->ready_count = 0;
    for (unsigned i = 0; i < self->stranger_count; i++) {
        struct bytes message = {self->strangers[i].data, self->strangers[i].size};
        self->counts.dropped +=
            self->owner.send(self->owner.self, self->strangers[i].number, message) != STATUS_OK;
    }
    self->stranger_count = 0;
}

uint32_t server_count(const struct server *self)
{
    return self->count;
}

const struct server_counts *server_counts(const struct server *self)
{
    return &self->counts;
}
