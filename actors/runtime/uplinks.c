/* uplinks - see process_private.h: a broker's backend, frontend and events.
 *
 * The backend's WELCOME names the other two. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/runtime/command_line.h"
#include "actors/runtime/process_private.h"
#include "actors/runtime/usage.h"

#define REOPEN_MS 5000 /* a broker that has refused us is tried again */
#define METHODS_BYTES_MAX 30720u
#define WAITING_BYTES_MAX (16u << 20) /* of questions that wait for a broker */
#define ANSWER_GRACE_MS 20            /* a broker's own word on a deadline may come so late */

uint64_t uplink_link(const struct uplink *self)
{
    uint64_t connection = session_connection(link_session(self->back));
    return connection << 32 | (LINK_UPLINK_FIRST + self->index);
}

/* What the broker asks of a worker. */

static void take_query(struct uplink *self, const struct pair *pair)
{
    struct header header;
    struct bytes body;
    struct session *session = link_session(self->back);
    acting_take_query(self->process, pair, true, &header, &body);
    enum status status = session_reply(session, session_connection(session), &header, body, false);
    assert(status == STATUS_OK); /* its room has PAIR_BODY_BYTES_MAX */
}

static void take_drain(struct uplink *self, const struct pair *pair)
{
    struct process *process = self->process;
    process_drain(process, process->context.now_at + pair->header.deadline_ms * US_PER_MS);
}

static void on_back_pair(void *context, const struct pair *pair)
{
    struct uplink *self = context;
    enum command command = pair->header.command;
    if (command == COMMAND_REQUEST) {
        lending_take(self);
        answering_take_request(self->process, uplink_link(self), 0, pair);
    } else if (command == COMMAND_CREDIT)
        lending_on_credit(self, pair->header.credit);
    else if (command == COMMAND_CANCEL)
        answering_take_cancel(self->process, uplink_link(self), 0, pair->header.id);
    else if (command == COMMAND_QUERY)
        take_query(self, pair);
    else if (command == COMMAND_DRAIN)
        take_drain(self, pair);
    else if (command == COMMAND_ERROR)
        log_event(EVENT_MALFORMED, log_text("by", "ourselves"),
                  log_text("status", statuses[pair->header.status].name));
}

static uint32_t write_ready(void *context, struct writer *writer)
{
    struct uplink *self = context;
    struct process *process = self->process;
    const struct actor_spec *spec = process->spec;
    const char *zone = settings_text(process->settings, "common", "zone");
    char room[METHODS_BYTES_MAX];
    struct writer methods;
    writer_init(&methods, room, sizeof room);
    uint32_t concurrency = spec->methods(process->actor.state, &methods);
    struct msg_ready ready = {
        .methods = writer_bytes(&methods),
        .weight = 100,
        .zone = zone[0] != '\0' ? bytes_of(zone) : (struct bytes){0},
    };
    assert(concurrency > 0);
    assert(ready.methods.data != NULL);
    ready.concurrency = lending_begin(self, concurrency);
    if (option_find(spec->name, "weight") != OPTION_COUNT)
        ready.weight = settings_u64(process->settings, spec->name, "weight");
    if (process->guard != NULL)
        ready.curve_key = bytes_of(process->keys.own.public_key);
    if (process->server != NULL) {
        ready.endpoint = bytes_of(process->endpoint);
        ready.uuid = (struct bytes){process->context.session, SESSION_ID_BYTES};
    }
    enum status status = message_write(MSG_READY, &ready, writer);
    assert(status == STATUS_OK);
    return (uint32_t)ready.concurrency;
}

static void write_heartbeat(void *context, struct writer *writer)
{
    struct uplink *self = context;
    struct process *process = self->process;
    struct usage usage = usage_read();
    struct msg_heartbeat heartbeat = {
        .in_flight = held_count(process->held),
        .queued = process->jobs != NULL ? jobs_waiting(process->jobs) : 0,
        .cpu = usage.cpu_us,
        .rss = usage.resident_bytes,
        .fds = usage.fds,
        .loop_lag_us = (uint64_t)process->loop_lag_us,
        .epoch = process->view_epoch,
    };
    process->loop_lag_us = 0;
    enum status status = message_write(MSG_HEARTBEAT, &heartbeat, writer);
    assert(status == STATUS_OK);
}

/* Coming and going. */

static void on_front_answer(void *context, uint64_t tag, const struct header *header,
                            struct bytes body)
{
    acting_answer(((struct uplink *)context)->process, tag, header, body);
}

static void on_front_partial(void *context, uint64_t tag, const struct header *header,
                             struct bytes body)
{
    (void)header;
    acting_partial(((struct uplink *)context)->process, tag, body);
}

static void on_refused(void *context, enum status status, struct bytes reason)
{
    struct uplink *self = context;
    log_event(EVENT_DISCONNECTED, log_bytes("broker", name_bytes(&self->instance)),
              log_text("status", statuses[status].name), log_bytes("reason", reason));
    self->reopen_at = self->process->context.now_at + REOPEN_MS * US_PER_MS;
}

static void on_back_down(void *context, const char *reason)
{
    struct uplink *self = context;
    log_event(EVENT_BROKER_LOST, log_text("endpoint", link_endpoint(self->back)),
              log_text("reason", reason));
    self->telling = false;
    answering_drop_link(self->process, uplink_link(self), 0);
    lending_end(self);
}

static void on_back_refused(void *context, enum status status, struct bytes reason)
{
    struct uplink *self = context;
    on_refused(self, status, reason);
    self->telling = false;
    answering_drop_link(self->process, uplink_link(self), 0);
    lending_end(self);
}

static void copy_endpoint(struct bytes from, char *to)
{
    assert(from.size < ENDPOINT_BYTES_MAX + 1); /* as its row says */
    size_t size = from.size < ENDPOINT_BYTES_MAX ? from.size : ENDPOINT_BYTES_MAX - 1;
    memcpy(to, from.data, size);
    to[size] = '\0';
}

static void on_back_up(void *context, const struct msg_welcome *welcome);

static const struct session_owner back_owner = {.on_up = on_back_up,
                                                .on_down = on_back_down,
                                                .on_refused = on_back_refused,
                                                .on_answer = uplink_on_told,
                                                .on_pair = on_back_pair,
                                                .write_ready = write_ready,
                                                .write_heartbeat = write_heartbeat};
static const struct session_owner front_owner = {
    .on_refused = on_refused, .on_answer = on_front_answer, .on_partial = on_front_partial};

static struct link *open_link(struct uplink *self, const char *endpoint, bool is_back, char *reason)
{
    struct process *process = self->process;
    struct link_config config = {
        .zmq = process->zmq,
        .endpoint = endpoint,
        .reconnect_ms = process->reconnect_ms,
        .metrics = process->context.metrics,
        .socket_name = is_back ? "backend" : "frontend",
        .own = process->keys.used ? &process->keys.own : NULL,
        .servers = &process->keys.servers,
        .session = {.role = process->spec->role,
                    .instance = bytes_of(process->instance),
                    .version = bytes_of(FACT_VERSION),
                    .pid = (uint64_t)getpid(),
                    .worker = is_back,
                    .asks_max = is_back ? 1 : ASKS_MAX,
                    .waiting_bytes_max = WAITING_BYTES_MAX,
                    .grace_us = ANSWER_GRACE_MS * US_PER_MS},
        .owner = *(is_back ? &back_owner : &front_owner),
    };
    config.owner.self = self;
    memcpy(config.session.id, is_back ? process->context.session : process->front_session,
           SESSION_ID_BYTES);
    return link_open(&config, process->context.now_at, reason);
}

/* Where this broker is asked, as it says: connect to it, or move there. */
static void connect_front(struct uplink *self, struct bytes endpoint)
{
    char reason[SOCKET_REASON_BYTES];
    if (self->process->spec->on_answer == NULL || bytes_are(endpoint, self->frontend))
        return;
    copy_endpoint(endpoint, self->frontend);
    bool good = true;
    if (self->front != NULL)
        good = link_move(self->front, self->frontend, self->process->context.now_at, reason);
    else
        self->front = open_link(self, self->frontend, false, reason);
    if (good && self->front != NULL)
        return;
    self->frontend[0] = '\0'; /* the next WELCOME tries again */
    log_event(EVENT_DISCONNECTED, log_text("reason", reason));
}

static void on_back_up(void *context, const struct msg_welcome *welcome)
{
    struct uplink *self = context;
    struct process *process = self->process;
    struct msg_broker_address address;
    struct bytes first;
    struct values brokers = values_over(welcome->brokers);
    self->instance = name_of(welcome->instance);
    log_event(self->was_up ? EVENT_RECONNECTED : EVENT_READY,
              log_bytes("broker", welcome->instance),
              log_text("endpoint", link_endpoint(self->back)));
    self->was_up = true;
    self->tell_again_at = 0;
    touches_begin(self, welcome->lease_ms);
    if (values_next(&brokers, &first) &&
        message_decode(MSG_BROKER_ADDRESS, first, &address) == STATUS_OK) {
        connect_front(self, address.frontend);
        news_connect(self, address.events, welcome->generation);
    }
    if (welcome->partitions.data != NULL)
        peerlinks_offer_view(process, welcome->partitions);
    if (process->draining)
        process_drain(process, process->drain_until_at);
    uplink_tell(self);
}

bool uplinks_open(struct process *self, char *reason)
{
    char endpoint[ENDPOINT_BYTES_MAX];
    size_t at = 0;
    unsigned count = 0;
    while (settings_next_broker(self->settings, &at, endpoint))
        count++;
    self->uplink_count = count;
    at = 0;
    for (unsigned i = 0; settings_next_broker(self->settings, &at, endpoint); i++) {
        struct uplink *uplink = &self->uplinks[i];
        uplink->process = self;
        uplink->index = i;
        uplink->back = open_link(uplink, endpoint, true, reason);
        if (uplink->back == NULL)
            return false;
    }
    return true;
}

/* A broker that wanted none of us may be another one by now. */
static void reopen_refused(struct uplink *self)
{
    char reason[SOCKET_REASON_BYTES];
    struct process *process = self->process;
    if (process->draining || process->context.now_at < self->reopen_at)
        return;
    if (session_state(link_session(self->back)) == SESSION_REFUSED) {
        char endpoint[ENDPOINT_BYTES_MAX];
        (void)snprintf(endpoint, sizeof endpoint, "%s", link_endpoint(self->back));
        link_close(&self->back, 0);
        self->back = open_link(self, endpoint, true, reason);
        assert(self->back != NULL); /* it was an endpoint before */
    }
    if (self->front != NULL && session_state(link_session(self->front)) == SESSION_REFUSED) {
        link_close(&self->front, 0);
        self->front = open_link(self, self->frontend, false, reason);
        assert(self->front != NULL);
    }
}

unsigned uplinks_take(struct process *self)
{
    unsigned count = 0;
    for (unsigned i = 0; i < self->uplink_count; i++) {
        struct uplink *uplink = &self->uplinks[i];
        count += link_take(uplink->back, LINK_BURST_MAX, self->context.now_at);
        if (uplink->front != NULL)
            count += link_take(uplink->front, LINK_BURST_MAX, self->context.now_at);
    }
    return count;
}

void uplinks_tick(struct process *self)
{
    for (unsigned i = 0; i < self->uplink_count; i++) {
        struct uplink *uplink = &self->uplinks[i];
        session_tick(link_session(uplink->back), self->context.now_at);
        if (uplink->front != NULL)
            session_tick(link_session(uplink->front), self->context.now_at);
        reopen_refused(uplink);
        uplink_tell(uplink);
    }
    lending_tick(self);
}

void uplinks_flush(struct process *self)
{
    for (unsigned i = 0; i < self->uplink_count; i++) {
        link_flush(self->uplinks[i].back, self->context.now_at);
        if (self->uplinks[i].front != NULL)
            link_flush(self->uplinks[i].front, self->context.now_at);
    }
}

static int64_t earlier(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

int64_t uplinks_due_at(const struct process *self)
{
    int64_t due_at = lending_due_at(self);
    for (unsigned i = 0; i < self->uplink_count; i++) {
        const struct uplink *uplink = &self->uplinks[i];
        due_at = earlier(due_at, session_due_at(link_session(uplink->back)));
        if (uplink->front != NULL)
            due_at = earlier(due_at, session_due_at(link_session(uplink->front)));
        bool wants_to_tell = !uplink->telling && uplink->told_next != self->invalidation_next;
        if (wants_to_tell && session_state(link_session(uplink->back)) == SESSION_UP)
            due_at = earlier(due_at, uplink->tell_again_at);
    }
    return due_at;
}

void uplinks_watch(struct process *self, struct inlets *inlets)
{
    for (unsigned i = 0; i < self->uplink_count; i++) {
        link_watch(self->uplinks[i].back, inlets);
        if (self->uplinks[i].front != NULL)
            link_watch(self->uplinks[i].front, inlets);
    }
}

void uplinks_say(struct process *self, const struct header *header, struct bytes body)
{
    for (unsigned i = 0; i < self->uplink_count; i++) {
        struct session *session = link_session(self->uplinks[i].back);
        session_say(session, session_connection(session), header, body);
    }
}

/* One that drains must not say it. */
void uplinks_say_ready(struct process *self)
{
    for (unsigned i = 0; i < self->uplink_count && !self->draining; i++)
        session_say_ready(link_session(self->uplinks[i].back));
}

void uplinks_close(struct process *self, int linger_ms)
{
    for (unsigned i = 0; i < self->uplink_count; i++) {
        link_close(&self->uplinks[i].back, linger_ms);
        link_close(&self->uplinks[i].front, linger_ms);
    }
}

static struct link *front_of(struct uplink *self, bool wants_up)
{
    if (self->front == NULL)
        return NULL;
    enum session_state state = session_state(link_session(self->front));
    bool good = wants_up ? state == SESSION_UP : state != SESSION_REFUSED;
    return good ? self->front : NULL;
}

/* Home is the broker that the origin came from; then any that is up; then any at all, where the
 * question waits for it to come back. */
struct session *uplinks_asker(struct process *self, uint64_t link)
{
    uint32_t place = (uint32_t)link;
    unsigned home = place >= LINK_UPLINK_FIRST ? place - LINK_UPLINK_FIRST : 0;
    for (int wants_up = 1; wants_up >= 0; wants_up--)
        for (unsigned i = 0; i < self->uplink_count; i++) {
            struct uplink *uplink = &self->uplinks[(home + i) % self->uplink_count];
            struct link *front = front_of(uplink, wants_up != 0);
            if (front != NULL)
                return link_session(front);
        }
    return NULL;
}

struct uplink *uplinks_find(struct process *self, uint64_t link)
{
    uint32_t place = (uint32_t)link;
    assert(place >= LINK_UPLINK_FIRST);
    assert(place - LINK_UPLINK_FIRST < self->uplink_count);
    return &self->uplinks[place - LINK_UPLINK_FIRST];
}

struct session *uplinks_back(struct process *self, uint64_t link)
{
    return link_session(uplinks_find(self, link)->back);
}

bool uplinks_cancel(struct process *self, uint64_t tag)
{
    for (unsigned i = 0; i < self->uplink_count; i++)
        if (self->uplinks[i].front != NULL &&
            session_cancel(link_session(self->uplinks[i].front), tag))
            return true;
    return false;
}
