/* broker_peers - who is there: greetings, heartbeats, workers, departures.
 * See docs/protocol.md, "Commands" and "Liveness". */
#include "broker/broker_private.h"

#include <string.h>
#include <xxhash.h>

#define REASON_BYTES 200u
#define ADDRESSES_BYTES_MAX (BROKERS_MAX * (4u * ENDPOINT_BYTES_MAX))

static uint32_t place_of(const struct broker *self, const struct peer *peer)
{
    return sessions_index(self->sessions, peer);
}

static struct bytes encode_disconnect(const char *reason, char *out)
{
    struct msg_disconnect disconnect = {.reason = bytes_of(reason)};
    struct bytes body = {0};
    enum status status = message_encode(MSG_DISCONNECT, &disconnect, out, REASON_BYTES, &body);
    assert(status == STATUS_OK);
    return body;
}

/* It has no outbox, and nothing is kept of it. */
void broker_stranger(struct broker *self, enum side side, uint64_t number,
                     const struct verdict *verdict)
{
    zmq_msg_t message;
    char bytes[REASON_BYTES];
    struct header header = broker_header(COMMAND_DISCONNECT, 0);
    header.status = verdict->status;
    header.executed = statuses[verdict->status].executed;
    header.instance = bytes_of(self->instance);
    const char *reason = verdict->hint != NULL ? verdict->hint : statuses[verdict->status].text;
    frame_encode(&message, &header, encode_disconnect(reason, bytes));
    if (self->outside.send(self->outside.self, side, number, &message) != STATUS_OK)
        self->counts.unsent++;
    zmq_msg_close(&message);
}

static void publish_member(struct broker *self, const struct peer *peer, enum role role,
                           const char *state)
{
    struct msg_event_members members = {.instance = name_bytes(&peer->instance),
                                        .role = role,
                                        .state = bytes_of(state),
                                        .generation = self->config.generation};
    broker_publish(self, "members", MSG_EVENT_MEMBERS, &members);
}

static void note_worker(const struct broker *self, enum log_event event, const struct peer *peer,
                        const struct worker *worker)
{
    const struct log_field fields[] = {log_bytes("peer", name_bytes(&peer->instance)),
                                       log_u64("role", worker->role), log_u64("pid", peer->pid),
                                       log_u64("running", worker->running)};
    broker_note(self, event, fields, sizeof fields / sizeof fields[0]);
}

static void set_state(struct broker *self, const struct peer *peer, struct worker *worker,
                      enum worker_state state)
{
    if (worker->state == state)
        return;
    workers_set_state(self->workers, worker, state);
    self->services[worker->role].credit_came = true;
    publish_member(self, peer, worker->role, worker_state_names[state]);
}

void broker_tell_state(struct broker *self, const struct worker *worker)
{
    self->services[worker->role].credit_came = true;
    publish_member(self, sessions_at(self->sessions, worker->peer), worker->role,
                   worker_state_names[worker->state]);
}

/* The topic drain tells of those who are to leave. */
static void publish_drain(struct broker *self, const struct peer *peer, const struct worker *worker,
                          const char *state, uint32_t deadline_ms)
{
    struct msg_event_drain event = {.instance = name_bytes(&peer->instance),
                                    .role = worker->role,
                                    .state = bytes_of(state),
                                    .in_flight = worker->running,
                                    .deadline_ms = deadline_ms};
    broker_publish(self, "drain", MSG_EVENT_DRAIN, &event);
}

static void forget_worker(struct broker *self, struct peer *peer)
{
    struct worker *worker = worker_of(self, peer);
    if (worker == NULL)
        return;
    bool leaves = worker->state == WORKER_DRAINING && worker->running == 0;
    if (worker->state == WORKER_DRAINING)
        publish_drain(self, peer, worker, leaves ? "drained" : "cut_off", 0);
    note_worker(self, leaves ? EVENT_WORKER_GONE : EVENT_WORKER_LOST, peer, worker);
    broker_lose_worker(self, worker);
    if (worker->role == ROLE_CACHE_PARTITION) {
        view_drop(self->view, worker->uuid, self->now_at);
        broker_plan_view(self);
    }
    publish_member(self, peer, worker->role, worker_state_names[WORKER_FREE]);
    enum role role = worker->role;
    workers_remove(self->workers, worker);
    self->services[role].credit_came = true; /* with it gone, those that are out may get work */
    peer->worker = NONE;
}

void broker_bury(struct broker *self, struct peer *peer)
{
    uint32_t place = place_of(self, peer);
    outbox_flush_place(self->outbox, place); /* what has not left is no death of a request */
    forget_worker(self, peer);
    broker_end_relays(self, place);
    broker_lose_client(self, peer);
    assert(slots_first_of_client(self->slots, place) == NULL);
    timers_clear(self->timers, TIMER_SESSION + place);
    outbox_flush_place(self->outbox, place);
    uint32_t keeper = peer->keeper;
    sessions_remove(self->sessions, peer);
    broker_close_keeper(self, keeper);
    self->buried++;
}

void broker_gone(struct broker *self, struct peer *peer)
{
    if (peer->gone || self->gone_count == SESSIONS_MAX)
        return; /* a full list is one of peers that all fell silent: heartbeats tell, too */
    peer->gone = true;
    self->gone[self->gone_count++] = place_of(self, peer);
}

void broker_send_away(struct broker *self, struct peer *peer, enum status status,
                      const char *reason)
{
    char bytes[REASON_BYTES];
    struct header header = broker_header(COMMAND_DISCONNECT, 0);
    header.status = status;
    header.executed = statuses[status].executed;
    header.instance = bytes_of(self->instance);
    broker_say(self, peer, &header, encode_disconnect(reason, bytes));
    broker_bury(self, peer);
}

void broker_heard(struct broker *self, struct peer *peer)
{
    struct worker *worker = worker_of(self, peer);
    peer->heard_at = self->now_at;
    if (worker == NULL)
        return;
    if (worker->state == WORKER_SUSPECT)
        set_state(self, peer, worker, WORKER_UP);
    if (worker->choked && workers_heard(self->workers, worker))
        self->services[worker->role].credit_came = true;
}

/* Its next beat, or its death if that comes before. */
static void plan_peer(struct broker *self, const struct peer *peer)
{
    int64_t beat_us = self->config.heartbeat_ms * US_PER_MS;
    int64_t heard_at = peer->heard_at > self->grace_at ? peer->heard_at : self->grace_at;
    int64_t due_at = self->now_at + beat_us, dead_at = heard_at + DEAD_BEATS * beat_us;
    timers_set(self->timers, TIMER_SESSION + place_of(self, peer),
               due_at < dead_at ? due_at : dead_at);
}

/* A last word to one that is silent: if it lives, it learns that it has to greet again. */
void broker_peer_due(struct broker *self, struct peer *peer)
{
    assert(peer != NULL);
    int64_t beat_us = self->config.heartbeat_ms * US_PER_MS;
    int64_t heard_at = peer->heard_at > self->grace_at ? peer->heard_at : self->grace_at;
    int64_t silent_us = self->now_at - heard_at;
    struct worker *worker = worker_of(self, peer);
    if (silent_us >= DEAD_BEATS * beat_us) {
        self->counts.silent++;
        broker_send_away(self, peer, STATUS_NO_ROLE, "silent for too long: greet again");
        return;
    }
    if (silent_us >= SUSPECT_BEATS * beat_us && worker != NULL && worker->state == WORKER_UP)
        set_state(self, peer, worker, WORKER_SUSPECT);
    if (self->now_at - peer->sent_at >= beat_us - beat_us / 8) {
        struct header header = broker_header(COMMAND_HEARTBEAT, ++peer->beats);
        broker_say(self, peer, &header, (struct bytes){0});
    }
    plan_peer(self, peer);
}

static void write_address(const struct broker *self, struct writer *writer)
{
    const struct broker_config *config = &self->config;
    struct msg_broker_address address = {.instance = bytes_of(config->instance),
                                         .frontend = bytes_of(config->frontend),
                                         .backend = bytes_of(config->backend),
                                         .events = bytes_of(config->events)};
    enum status status = message_write(MSG_BROKER_ADDRESS, &address, writer);
    assert(status == STATUS_OK);
}

static void say_welcome(struct broker *self, const struct peer *peer)
{
    char list[ADDRESSES_BYTES_MAX];
    struct writer brokers;
    writer_init(&brokers, list, sizeof list);
    writer_array(&brokers, 1 + self->others.count);
    write_address(self, &brokers);
    others_write(&self->others, &brokers);
    assert(!brokers.full);
    struct msg_welcome welcome = {.instance = bytes_of(self->instance),
                                  .generation = self->config.generation,
                                  .heartbeat_ms = self->config.heartbeat_ms,
                                  .dead_ms = (uint64_t)DEAD_BEATS * self->config.heartbeat_ms,
                                  .lease_ms = self->config.lease_ms,
                                  .body_max = BODY_TOTAL_BYTES_MAX,
                                  .message_max = MESSAGE_BYTES_MAX,
                                  .protocol = PROTOCOL_VERSION,
                                  .brokers = writer_bytes(&brokers),
                                  .partitions = view_body(self->view)};
    struct header header = broker_header(COMMAND_WELCOME, 0);
    struct bytes body = {0};
    header.credit = peer->side == SIDE_FRONTEND ? peer->ended + self->config.client_credit : 0;
    header.instance = bytes_of(self->instance);
    enum status status =
        message_encode(MSG_WELCOME, &welcome, self->answer, sizeof self->answer, &body);
    assert(status == STATUS_OK);
    broker_say(self, peer, &header, body);
}

static struct verdict check_hello(const struct broker *self, struct bytes body,
                                  struct msg_hello *ret)
{
    if (message_decode(MSG_HELLO, body, ret) != STATUS_OK || ret->session.size != SESSION_ID_BYTES)
        return (struct verdict){.status = STATUS_BAD_REQUEST,
                                .hint = "HELLO wants a session of 16 bytes"};
    if (ret->instance.size == 0) /* all that is told of a peer names it */
        return (struct verdict){.status = STATUS_BAD_REQUEST,
                                .hint = "HELLO wants the name of its process: set instance"};
    if (ret->protocol_min > PROTOCOL_VERSION || ret->protocol_max < PROTOCOL_VERSION)
        return (struct verdict){.status = STATUS_VERSION,
                                .hint = "this broker speaks protocol version 1"};
    if (self->draining)
        return (struct verdict){.status = STATUS_NO_ROLE,
                                .hint = "this broker ends: greet another"};
    return (struct verdict){.status = STATUS_OK};
}

/* A greeting begins a connection anew: what was before it on the same one is over. */
void broker_on_hello(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct msg_hello hello;
    enum side side = from->side;
    uint64_t number = from->peer->number;
    char session[SESSION_ID_BYTES];
    const struct allowed *allowed = NULL;
    enum role role = ROLE_NONE;
    struct verdict verdict = check_hello(self, pair->body, &hello);
    struct peer *peer = sessions_find(self->sessions, side, number);
    if (verdict.status == STATUS_OK)
        verdict = broker_know(self, from, &pair->header, &allowed, &role);
    if (verdict.status == STATUS_OK)
        hello.session = broker_session_of(allowed, hello.session, session);
    if (peer != NULL) {
        peer->resumes = verdict.status == STATUS_OK && hello.resume &&
                        memcmp(hello.session.data, peer->session, SESSION_ID_BYTES) == 0;
        broker_bury(self, peer);
    }
    if (verdict.status != STATUS_OK) {
        self->counts.strangers++;
        broker_stranger(self, side, number, &verdict);
        return;
    }
    peer = sessions_find_session(self->sessions, side, hello.session.data);
    if (peer != NULL) {
        peer->resumes = hello.resume;
        broker_send_away(self, peer, STATUS_CANCELLED, "the same session greeted anew");
    }
    if (!hello.resume && side == SIDE_FRONTEND)
        broker_forget_session(self, hello.session.data);
    peer = sessions_add(self->sessions, side, number, hello.session.data);
    if (peer == NULL) {
        verdict =
            (struct verdict){.status = STATUS_NO_ROLE, .hint = "too many peers: greet again later"};
        self->counts.strangers++;
        broker_stranger(self, side, number, &verdict);
        return;
    }
    peer->role = role;
    peer->allowed = allowed;
    peer->resumed_at = hello.resume ? self->now_at : 0;
    peer->pid = hello.pid;
    peer->instance = name_of(hello.instance);
    peer->version = name_of(hello.version);
    peer->heard_at = self->now_at;
    plan_peer(self, peer);
    if (side == SIDE_FRONTEND)
        broker_resume(self, peer);
    say_welcome(self, peer);
    broker_say_all_kept(self, peer);
}

static bool is_sound(const struct msg_ready *ready, enum role role)
{
    bool placed = ready->endpoint.size > 0 || role != ROLE_CACHE_PARTITION;
    return broker_serves(role) && placed && ready->concurrency <= WORKER_CREDIT_MAX &&
           ready->weight > 0 && ready->weight <= UINT16_MAX &&
           (ready->uuid.data == NULL || ready->uuid.size == SESSION_ID_BYTES);
}

/* Where a partition is asked directly, and its place in the view. */
static enum status place_partition(struct broker *self, const struct peer *peer,
                                   struct worker *worker, const struct msg_ready *ready)
{
    struct msg_member member = {.uuid = {worker->uuid, SESSION_ID_BYTES},
                                .weight = ready->weight,
                                .zone = ready->zone,
                                .endpoint = ready->endpoint,
                                .instance = name_bytes(&peer->instance),
                                .curve_key = ready->curve_key};
    const char *uuid = ready->uuid.data != NULL ? ready->uuid.data : peer->session;
    if (worker->endpoint_size > 0 && memcmp(worker->uuid, uuid, SESSION_ID_BYTES) != 0)
        view_drop(self->view, worker->uuid, self->now_at); /* it stands in one place */
    memcpy(worker->uuid, uuid, SESSION_ID_BYTES);
    memcpy(worker->endpoint, ready->endpoint.data, ready->endpoint.size);
    worker->endpoint_size = (uint16_t)ready->endpoint.size;
    enum status status = view_put(self->view, &member, self->now_at);
    broker_plan_view(self);
    return status;
}

/* READY, for the first time or again: it takes requests, and serves this. */
static enum status ready_worker(struct broker *self, const struct peer *peer, struct worker *worker,
                                const struct msg_ready *ready)
{
    worker->weight = (uint32_t)ready->weight;
    worker->zone = name_of(ready->zone);
    enum status status = workers_serve(self->workers, worker, ready->methods);
    if (status == STATUS_OK && worker->role == ROLE_CACHE_PARTITION)
        status = place_partition(self, peer, worker, ready);
    if (worker->state == WORKER_DRAINING)
        publish_drain(self, peer, worker, "undrained", 0);
    workers_ready(self->workers, worker);
    self->services[worker->role].credit_came = true;
    publish_member(self, peer, worker->role, worker_state_names[worker->state]);
    return status;
}

void broker_on_ready(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct msg_ready ready;
    struct pair bad = *pair;
    enum role role = broker_serves(pair->header.role) ? (enum role)pair->header.role : ROLE_NONE;
    struct worker *worker = worker_of(self, from->peer);
    bool sound = message_decode(MSG_READY, pair->body, &ready) == STATUS_OK &&
                 is_sound(&ready, role) && (worker == NULL || worker->role == role);
    if (!sound) {
        broker_reject(self, from, pair);
        return;
    }
    const char *hint = grants_refuse_ready(from->peer->allowed, role, ready.curve_key);
    if (hint != NULL) {
        broker_revoke(self, from->peer, STATUS_FORBIDDEN, hint);
        return;
    }
    bool first = worker == NULL;
    if (first)
        worker = workers_add(self->workers, place_of(self, from->peer), role,
                             (uint32_t)ready.concurrency);
    if (worker == NULL) {
        bad.status = STATUS_BUSY_FULL;
        broker_reject(self, from, &bad);
        return;
    }
    from->peer->worker = worker_index(self->workers, worker);
    worker->identity = XXH3_64bits(from->peer->instance.data, from->peer->instance.size);
    bad.status = ready_worker(self, from->peer, worker, &ready);
    if (first)
        note_worker(self, EVENT_WORKER_UP, from->peer, worker);
    if (bad.status != STATUS_OK)
        broker_reject(self, from, &bad);
}

/* Who looks keys up, or owns them, says with each beat which view it has. One that subscribes while
 * the view is told misses it, and would do without for good. */
static void compare_view(struct broker *self, const struct worker *worker)
{
    uint64_t epoch = worker->beat.epoch, ours = view_epoch(self->view);
    bool owns = worker->role == ROLE_CACHE_PARTITION;
    if (epoch < ours && (owns || worker->role == ROLE_DRIVER))
        broker_tell_view_again(self);
    if (epoch <= ours || !owns)
        return;
    view_seen(self->view, epoch, self->now_at);
    broker_plan_view(self);
}

void broker_on_heartbeat(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct worker *worker = worker_of(self, from->peer);
    struct msg_heartbeat heartbeat;
    if (pair->body.data == NULL)
        return;
    if (message_decode(MSG_HEARTBEAT, pair->body, &heartbeat) != STATUS_OK) {
        broker_reject(self, from, pair);
        return;
    }
    if (heartbeat.resume)
        from->peer->resumed_at = self->now_at;
    if (worker == NULL)
        return;
    worker->beat = heartbeat;
    compare_view(self, worker);
}

/* A partition that leaves is looked up no more; its keys move before it goes. */
static void drain(struct broker *self, const struct peer *peer, struct worker *worker,
                  uint32_t deadline_ms)
{
    if (worker->state != WORKER_DRAINING)
        publish_drain(self, peer, worker, "draining", deadline_ms);
    set_state(self, peer, worker, WORKER_DRAINING);
    if (worker->role != ROLE_CACHE_PARTITION)
        return;
    view_drop(self->view, worker->uuid, self->now_at);
    broker_plan_view(self);
}

void broker_on_drain(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct worker *worker = worker_of(self, from->peer);
    if (worker != NULL)
        drain(self, from->peer, worker, pair->header.deadline_ms);
    else
        broker_reject(self, from, pair);
}

void broker_drain_worker(struct broker *self, struct worker *worker, uint32_t deadline_ms)
{
    struct peer *peer = sessions_at(self->sessions, worker->peer);
    struct header header = broker_header(COMMAND_DRAIN, 0);
    header.deadline_ms = deadline_ms;
    drain(self, peer, worker, deadline_ms);
    broker_say(self, peer, &header, (struct bytes){0});
}

/* It leaves by its own will. */
void broker_on_disconnect(struct broker *self, const struct source *from, const struct pair *pair)
{
    (void)pair;
    from->peer->leaves = true;
    broker_bury(self, from->peer);
}

void broker_on_nothing(struct broker *self, const struct source *from, const struct pair *pair)
{
    (void)self;
    (void)from;
    (void)pair;
}

void broker_goaway(struct broker *self)
{
    char list[ADDRESSES_BYTES_MAX], bytes[ADDRESSES_BYTES_MAX + 64];
    struct writer brokers;
    writer_init(&brokers, list, sizeof list);
    writer_array(&brokers, self->others.count);
    others_write(&self->others, &brokers);
    struct msg_goaway goaway = {writer_bytes(&brokers)};
    struct bytes body = {0};
    struct header header = broker_header(COMMAND_GOAWAY, 0);
    header.retry_after_ms = self->config.drain_ms;
    enum status status = message_encode(MSG_GOAWAY, &goaway, bytes, sizeof bytes, &body);
    assert(status == STATUS_OK);
    for (uint32_t i = 0; i < self->config.sessions_max; i++) {
        struct peer *peer = sessions_at(self->sessions, i);
        if (peer != NULL)
            broker_say(self, peer, &header, body);
    }
}
