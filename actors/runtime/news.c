/* news - see process_private.h: the brokers' numbered events.
 *
 * An origin tells every broker, so the events of one broker are enough; but a gap in those of any
 * is a gap. Without an event of any for DEAF_US the role is told of a gap, again and again until
 * one comes: what it keeps meanwhile cannot be trusted. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "actors/runtime/process_private.h"

#define DEAF_AGAIN_US US_PER_S

static bool is_wanted(const struct process *self)
{
    return self->spec->on_event != NULL || self->spec->on_view != NULL;
}

void news_connect(struct uplink *self, struct bytes endpoint, uint64_t generation)
{
    static const char *const all[] = {"", NULL};
    char reason[SOCKET_REASON_BYTES];
    struct process *process = self->process;
    if (generation != self->generation)
        self->numbers.begun = false; /* another process: its numbers are others */
    self->generation = generation;
    if (!is_wanted(process) || endpoint.size >= ENDPOINT_BYTES_MAX ||
        bytes_are(endpoint, self->events))
        return;
    subscriber_close(&self->subscriber);
    memcpy(self->events, endpoint.data, endpoint.size);
    self->events[endpoint.size] = '\0';
    self->subscriber = subscriber_open(
        &(struct subscriber_config){.zmq = process->zmq,
                                    .endpoint = self->events,
                                    .reconnect_ms = process->reconnect_ms,
                                    .own = process->keys.used ? &process->keys.own : NULL,
                                    .servers = &process->keys.servers,
                                    .first = link_server(self->back),
                                    .topics = all},
        reason);
    if (self->subscriber == NULL)
        log_event(EVENT_DISCONNECTED, log_text("reason", reason));
}

static void tell_gap(struct process *self)
{
    if (self->spec->on_gap != NULL)
        self->spec->on_gap(self->actor.state, &self->context);
}

/* Of the beat that comes once a second, the broker's generation; of others 0: not told. */
static uint64_t generation_of(const struct pair *pair)
{
    struct msg_event_members members;
    if (!bytes_are(pair->header.method, "members") ||
        message_decode(MSG_EVENT_MEMBERS, pair->body, &members) != STATUS_OK)
        return 0;
    return members.generation;
}

static void take_event(struct uplink *self, const struct pair *pair)
{
    struct process *process = self->process;
    char topic[METHOD_BYTES_MAX + 1];
    struct bytes method = pair->header.method;
    if (pair->status != STATUS_OK || pair->header.command != COMMAND_EVENT || method.size == 0)
        return;
    (void)snprintf(topic, sizeof topic, "%.*s", (int)method.size, method.data);
    process->event_at = process->context.now_at;
    bool is_first = !self->numbers.begun;
    if (numbers_take(&self->numbers, pair->header.id, generation_of(pair))) {
        if (!is_first)
            log_event(EVENT_EVENTS_MISSED, log_bytes("broker", name_bytes(&self->instance)),
                      log_u64("number", pair->header.id));
        tell_gap(process);
    }
    if (bytes_are(method, "view"))
        peerlinks_offer_view(process, pair->body);
    if (process->spec->on_event != NULL)
        process->spec->on_event(process->actor.state, &process->context,
                                &(struct event){topic, pair->header.id, pair->body});
}

static bool take_message(struct uplink *self)
{
    zmq_msg_t frame;
    struct pair pair;
    zmq_msg_init(&frame);
    bool found = subscriber_take(self->subscriber, &frame);
    if (found) {
        struct pairs pairs = pairs_over((struct bytes){zmq_msg_data(&frame), zmq_msg_size(&frame)});
        if (pairs_next(&pairs, &pair))
            take_event(self, &pair);
    }
    zmq_msg_close(&frame);
    return found;
}

unsigned news_take(struct process *self)
{
    unsigned count = 0;
    for (unsigned i = 0; i < self->uplink_count; i++)
        if (self->uplinks[i].subscriber != NULL)
            for (unsigned j = 0; j < LINK_BURST_MAX && take_message(&self->uplinks[i]); j++)
                count++;
    return count;
}

/* When the role is next told that it is deaf. */
int64_t news_due_at(const struct process *self)
{
    int64_t deaf_at = self->event_at + DEAF_US;
    if (!is_wanted(self))
        return INT64_MAX;
    return deaf_at > self->deaf_at ? deaf_at : self->deaf_at;
}

void news_tick(struct process *self)
{
    for (unsigned i = 0; i < self->uplink_count; i++)
        if (self->uplinks[i].subscriber != NULL)
            subscriber_tick(self->uplinks[i].subscriber, self->context.now_at);
    if (self->context.now_at < news_due_at(self))
        return;
    if (self->deaf_at <= self->event_at + DEAF_US) /* the first time in this silence */
        log_event(EVENT_EVENTS_MISSED, log_text("why", "no broker is heard"));
    self->deaf_at = self->context.now_at + DEAF_AGAIN_US;
    tell_gap(self);
}

void news_watch(struct process *self, struct inlets *inlets)
{
    for (unsigned i = 0; i < self->uplink_count; i++)
        if (self->uplinks[i].subscriber != NULL)
            subscriber_watch(self->uplinks[i].subscriber, inlets);
}

void news_close(struct process *self)
{
    for (unsigned i = 0; i < self->uplink_count; i++)
        subscriber_close(&self->uplinks[i].subscriber);
}
