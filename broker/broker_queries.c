/* broker_queries - what is asked of the broker itself, or through it of one instance; and what
 * origins say is stale. See docs/protocol.md, "Cases, decided". */
#include "broker/broker_private.h"

#define RELAY_MS 5000u /* of a QUERY that names no deadline */
#define RELAY_MS_MAX 30000u

static void query_directory(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct writer writer;
    writer_init(&writer, self->answer, sizeof self->answer);
    broker_write_directory(self, &writer);
    broker_reply_question(self, from, pair, writer_bytes(&writer));
}

static void query_statistics(struct broker *self, const struct source *from,
                             const struct pair *pair)
{
    struct writer writer;
    writer_init(&writer, self->answer, sizeof self->answer);
    broker_write_statistics(self, &writer);
    broker_reply_question(self, from, pair, writer_bytes(&writer));
}

static void query_status(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct msg_query_status query;
    struct msg_request_status answer = {.state = bytes_of("unknown")};
    if (message_decode(MSG_QUERY_STATUS, pair->body, &query) != STATUS_OK) {
        broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST, "status wants {id}");
        return;
    }
    struct slot *asked =
        slots_find_request(self->slots, sessions_index(self->sessions, from->peer), query.id);
    const struct slot *slot = asked == NULL ? NULL : slots_execution(self->slots, asked);
    if (slot != NULL) {
        answer.state = bytes_of(slot->state != SLOT_RUNNING ? "queued"
                                : slot->started             ? "started"
                                                            : "running");
        answer.attempt = slot->deaths;
        if (asked->deadline_at > self->now_at) /* it ends with the next tick */
            answer.remains_ms = (uint64_t)((asked->deadline_at - self->now_at) / US_PER_MS);
    }
    if (slot == NULL && broker_holds(self, from->peer, query.id))
        answer.state = bytes_of("answered");
    if (slot != NULL && slot->worker != NONE) {
        const struct worker *worker = workers_at(self->workers, slot->worker);
        const struct peer *peer = sessions_at(self->sessions, worker->peer);
        answer.instance = name_bytes(&peer->instance);
    }
    broker_reply_message(self, from, pair, MSG_REQUEST_STATUS, &answer);
}

static void query_events(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct msg_query_events query;
    struct writer writer;
    if (message_decode(MSG_QUERY_EVENTS, pair->body, &query) != STATUS_OK) {
        broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST, "events wants {from}");
        return;
    }
    writer_init(&writer, self->answer, sizeof self->answer);
    events_write(self->events, query.from, self->config.generation, &writer);
    broker_reply_question(self, from, pair, writer_bytes(&writer));
}

bool broker_affords(struct broker *self, const struct source *from, const struct pair *pair)
{
    if (self->queries_left == 0) {
        broker_refuse_question(self, from, pair, STATUS_BUSY_FULL, NULL);
        return false;
    }
    self->queries_left--;
    return true;
}

struct worker *broker_find_instance(struct broker *self, struct bytes instance)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        struct worker *worker = workers_at(self->workers, i);
        if (worker == NULL)
            continue;
        const struct peer *peer = sessions_at(self->sessions, worker->peer);
        if (bytes_equal(name_bytes(&peer->instance), instance))
            return worker;
    }
    return NULL;
}

static uint32_t relay_ms(const struct header *header)
{
    if (header->deadline_ms == 0)
        return RELAY_MS;
    return header->deadline_ms < RELAY_MS_MAX ? header->deadline_ms : RELAY_MS_MAX;
}

/* Of this process itself. */
static void query_own(struct broker *self, const struct source *from, const struct pair *pair,
                      const struct msg_query_instance *query)
{
    struct writer writer;
    enum status status = STATUS_NO_ROLE;
    writer_init(&writer, self->answer, sizeof self->answer);
    if (self->outside.answer != NULL)
        status = self->outside.answer(self->outside.self, query->method, query->body, &writer);
    if (status == STATUS_OK && writer.full)
        status = STATUS_TOO_LARGE;
    if (status == STATUS_OK)
        broker_reply_question(self, from, pair, writer_bytes(&writer));
    else
        broker_refuse_question(self, from, pair, status, NULL);
}

void broker_relay(struct broker *self, const struct source *from, const struct pair *pair,
                  const struct worker *worker, const struct msg_query_instance *query)
{
    struct relay *relay = relays_add(&self->relays, sessions_index(self->sessions, from->peer),
                                     pair->header.id, worker->peer);
    if (relay == NULL) {
        broker_refuse_question(self, from, pair, STATUS_BUSY_FULL, NULL);
        return;
    }
    struct header header = broker_header(COMMAND_QUERY, relays_id(&self->relays, relay));
    header.method = query->method;
    header.deadline_ms = relay_ms(&pair->header);
    timers_set(self->timers, TIMER_RELAY + relays_index(&self->relays, relay),
               self->now_at + header.deadline_ms * US_PER_MS);
    outbox_put(self->outbox, worker->peer, &header, query->body);
}

static void query_instance(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct msg_query_instance query;
    if (message_decode(MSG_QUERY_INSTANCE, pair->body, &query) != STATUS_OK) {
        broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST,
                               "instance wants {instance, method, body}");
        return;
    }
    if (bytes_are(query.method, "loglevel") &&
        !broker_is_granted(self, from, pair, grants_refuse_order(from->peer->allowed)))
        return;
    if (bytes_are(query.instance, self->instance)) {
        if (broker_affords(self, from, pair))
            query_own(self, from, pair, &query);
        return;
    }
    const struct worker *worker = broker_find_instance(self, query.instance);
    if (worker == NULL) {
        broker_refuse_question(self, from, pair, STATUS_NO_WORKER,
                               "no worker of this name is here");
        return;
    }
    if (bytes_are(query.method, UNDRAIN)) {
        broker_refuse_question(self, from, pair, STATUS_FORBIDDEN,
                               "operators say so: ADMIN undrain");
        return;
    }
    broker_relay(self, from, pair, worker, &query);
}

static const struct {
    const char *method;
    broker_handler *handler;
    bool dear; /* see broker_affords() */
} queries[] = {
    {"directory", query_directory, true}, {"statistics", query_statistics, true},
    {"status", query_status, false},      {"events", query_events, true},
    {"instance", query_instance, false},
};

void broker_on_query(struct broker *self, const struct source *from, const struct pair *pair)
{
    size_t i = 0, count = sizeof queries / sizeof queries[0];
    while (i < count && !bytes_are(pair->header.method, queries[i].method))
        i++;
    if (i == count)
        broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST,
                               "there are directory, statistics, status, events and instance");
    else if (!queries[i].dear || broker_affords(self, from, pair))
        queries[i].handler(self, from, pair);
}

static void forget_relay(struct broker *self, struct relay *relay)
{
    timers_clear(self->timers, TIMER_RELAY + relays_index(&self->relays, relay));
    relay->taken = false;
}

void broker_end_relay(struct broker *self, struct relay *relay, enum status status)
{
    struct verdict verdict = {.status = status};
    const struct peer *asker = sessions_at(self->sessions, relay->asker);
    if (statuses[status].retry == RETRY_AFTER)
        verdict.retry_after_ms = RETRY_MS;
    forget_relay(self, relay); /* first: what is said may send what it asked early, and fail to */
    if (asker != NULL)
        broker_say_status(self, asker, COMMAND_REPLY, relay->asker_id, &verdict);
}

/* A session ends: what it has asked, and what it was asked. */
void broker_end_relays(struct broker *self, uint32_t session)
{
    for (uint32_t i = 0; i < RELAYS_MAX; i++) {
        struct relay *relay = &self->relays.entries[i];
        if (!relay->taken)
            continue;
        if (relay->asker == session)
            forget_relay(self, relay);
        else if (relay->worker == session)
            broker_end_relay(self, relay, STATUS_WORKER_LOST);
    }
}

/* The answer to one that was passed on; only from whom it was asked. */
void broker_on_relayed(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct relay *relay = relays_find(&self->relays, pair->header.id);
    if (relay == NULL || relay->worker != sessions_index(self->sessions, from->peer)) {
        self->counts.roles[ROLE_NONE].stale++;
        return;
    }
    struct header header = pair->header;
    const struct peer *asker = sessions_at(self->sessions, relay->asker);
    header.id = relay->asker_id;
    header.credit = 0;
    if (header.instance.data == NULL)
        header.instance = name_bytes(&from->peer->instance);
    if (asker != NULL)
        broker_say(self, asker, &header, pair->body);
    forget_relay(self, relay);
}

static bool are_tags(struct bytes tags)
{
    struct values values = values_over(tags);
    struct bytes value;
    uint64_t tag, count = 0;
    if (value_kind(tags) != KIND_ARRAY)
        return false;
    while (values_next(&values, &value)) {
        count++;
        if (!value_u64(value, &tag) || count > TAGS_BATCH_MAX)
            return false;
    }
    return true;
}

/* Told to everybody in the order in which it comes, so in the order of its origin's numbers; when
 * its REPLY leaves, it is on its way and can be asked for again. */
void broker_on_invalidate(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct msg_invalidate invalidate;
    if (!broker_is_granted(self, from, pair, grants_refuse_invalidate(from->peer->allowed)))
        return;
    if (message_decode(MSG_INVALIDATE, pair->body, &invalidate) != STATUS_OK ||
        invalidate.origin.size != SESSION_ID_BYTES || !are_tags(invalidate.tags)) {
        broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST,
                               "invalidate wants {origin, tags}");
        return;
    }
    struct msg_event_invalidate event = {
        .origin = invalidate.origin, .number = pair->header.id, .tags = invalidate.tags};
    broker_publish(self, "invalidate", MSG_EVENT_INVALIDATE, &event);
    broker_reply_question(self, from, pair, (struct bytes){0});
}
