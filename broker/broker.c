/* broker - see broker.h; broker_private.h tells which file does what.
 *
 * A request lives in a slot until it is answered, once. Its id on the way to the worker is slot
 * number and generation: a reply finds its slot without a search, and one that comes too late finds
 * another generation. Nothing is searched or allocated for a request, and nothing but the fixed
 * part of its header is looked at twice. What fails to leave is found out when the turn ends, or
 * when a buffer is full; a peer that is gone is buried at the end of the turn, and not under the
 * feet of whoever was talking to it. */
#include "broker/broker_private.h"

#include <stdlib.h>
#include <string.h>

static outbox_carry carry;

const char *const shed_names[SHED_COUNT] = {
    [SHED_FULL] = "full",   [SHED_FOR_CLASS] = "class", [SHED_FOR_TENANT] = "tenant",
    [SHED_DELAY] = "delay", [SHED_MEMORY] = "memory",   [SHED_INFEASIBLE] = "infeasible",
};

struct broker_config broker_config_default(void)
{
    return (struct broker_config){.heartbeat_ms = 1000,
                                  .lease_ms = 30000,
                                  .view_hold_ms = 1000,
                                  .drain_ms = 30000,
                                  .client_credit = 4096,
                                  .queue_max = QUEUE_DEPTH_MAX,
                                  .queue_bytes_max = QUEUE_BYTES_MAX,
                                  .kept_bytes_max = KEPT_BYTES_MAX,
                                  .slots_max = SLOTS_MAX,
                                  .sessions_max = SESSIONS_MAX,
                                  .events_max = EVENTS_RING,
                                  .events_bytes_max = EVENTS_BYTES_MAX,
                                  .policy = policy_default()};
}

static void copy_names(struct broker *self)
{
    const char *endpoints[] = {self->config.frontend, self->config.backend, self->config.events};
    for (size_t i = 0; i < 3; i++) {
        assert(strlen(endpoints[i]) < ENDPOINT_BYTES_MAX);
        memcpy(self->endpoints[i], endpoints[i], strlen(endpoints[i]));
    }
    assert(strlen(self->config.instance) <= NAME_BYTES_MAX);
    memcpy(self->instance, self->config.instance, strlen(self->config.instance));
    self->config.instance = self->instance;
    self->config.frontend = self->endpoints[0];
    self->config.backend = self->endpoints[1];
    self->config.events = self->endpoints[2];
}

/* main.c has read it, too, and said what is wrong. */
static void know_others(struct broker *self)
{
    char reason[OTHERS_REASON_BYTES];
    const char *list = self->config.peers != NULL ? self->config.peers : "";
    bool good = others_init(&self->others, list, self->config.frontend, reason);
    assert(good);
}

static void start_services(struct broker *self)
{
    for (uint32_t role = 0; role < ROLE_COUNT; role++) {
        estimates_init(&self->services[role].estimates, (enum role)role);
        if (broker_serves(role))
            queues_bound(self->queues, (enum role)role, self->config.queue_max,
                         self->config.queue_bytes_max);
    }
}

struct broker *broker_new(const struct broker_config *config, const struct broker_outside *outside,
                          int64_t now_at)
{
    assert(outside->send != NULL);
    assert(outside->publish != NULL);
    assert(config->generation != 0);
    assert(config->heartbeat_ms > 0);
    assert(config->kept_bytes_max > 0);
    assert(config->kept_bytes_max <= KEPT_BYTES_MAX);
    assert(config->slots_max <= SLOTS_MAX);
    assert(config->sessions_max <= SESSIONS_MAX);
    assert(config->client_credit <= CLIENT_CREDIT_MAX);
    struct broker *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->config = *config;
    self->outside = *outside;
    self->now_at = now_at;
    self->started_at = now_at;
    self->ticked_at = now_at;
    self->grace_at = now_at;
    self->queries_left = QUERIES_PER_TURN_MAX;
    self->chance = config->generation;
    tenants_init(&self->tenants, config->seed);
    self->relays.generation = (uint32_t)config->generation;
    self->sessions = sessions_new(config->sessions_max, config->seed);
    self->slots = slots_new(config->slots_max, 2 * config->sessions_max, WORKERS_MAX,
                            (uint32_t)config->generation, config->seed);
    self->identities = identities_new(config->slots_max + KEPT_REPLIES_MAX, config->seed);
    self->orders = orders_new(config->slots_max, config->seed);
    self->keeps =
        keeps_new(config->sessions_max, KEPT_REPLIES_MAX, KEPT_REPLY_BYTES_MAX, config->seed);
    self->queues = queues_new(config->slots_max, LANES_MAX);
    self->workers = workers_new(config->generation);
    uint32_t buffers =
        config->sessions_max < OUTBOX_BUFFERS ? config->sessions_max : OUTBOX_BUFFERS;
    self->outbox = outbox_new(config->sessions_max, buffers, carry, self);
    self->dead_letters = dead_letters_new(DEAD_LETTERS_MAX, DEAD_LETTERS_BYTES_MAX);
    self->timers = timers_new(TIMERS, now_at);
    self->events = events_new(config->events_max, config->events_bytes_max);
    self->limits = limits_new();
    copy_names(self);
    know_others(self);
    self->view =
        view_new(config->view_counter, self->others.rank, config->view_hold_ms * US_PER_MS);
    if (self->others.count > 0) /* one of theirs may be in force */
        view_hold(self->view, now_at);
    broker_encode_failures(self);
    start_services(self);
    broker_set_policy(self, &config->policy, now_at);
    timers_set(self->timers, TIMER_ESTIMATES, now_at + ESTIMATES_TICK_MS * US_PER_MS);
    timers_set(self->timers, TIMER_BEAT, now_at + BEAT_MS * US_PER_MS);
    return self;
}

void broker_destroy(struct broker **self_p)
{
    assert(self_p != NULL);
    struct broker *self = *self_p;
    if (self == NULL)
        return;
    sessions_destroy(&self->sessions);
    slots_destroy(&self->slots);
    identities_destroy(&self->identities);
    keeps_destroy(&self->keeps);
    orders_destroy(&self->orders);
    queues_destroy(&self->queues);
    workers_destroy(&self->workers);
    outbox_destroy(&self->outbox);
    dead_letters_destroy(&self->dead_letters);
    timers_destroy(&self->timers);
    events_destroy(&self->events);
    view_destroy(&self->view);
    limits_destroy(&self->limits);
    free(self);
    *self_p = NULL;
}

static broker_handler *const handlers[SIDE_COUNT][COMMAND_COUNT] = {
    [SIDE_FRONTEND] =
        {
            [COMMAND_HELLO] = broker_on_hello,
            [COMMAND_REQUEST] = broker_on_request,
            [COMMAND_CANCEL] = broker_on_cancel,
            [COMMAND_HEARTBEAT] = broker_on_heartbeat,
            [COMMAND_ACKFLOOR] = broker_on_ackfloor,
            [COMMAND_CHUNK] = broker_on_nothing, /* of a request that was refused for its MORE */
            [COMMAND_DISCONNECT] = broker_on_disconnect,
            [COMMAND_QUERY] = broker_on_query,
            [COMMAND_ADMIN] = broker_on_admin,
            [COMMAND_INVALIDATE] = broker_on_invalidate,
        },
    [SIDE_BACKEND] =
        {
            [COMMAND_HELLO] = broker_on_hello,
            [COMMAND_READY] = broker_on_ready,
            [COMMAND_REPLY] = broker_on_reply,
            [COMMAND_STARTED] = broker_on_started,
            [COMMAND_PARTIAL] = broker_on_partial,
            [COMMAND_CREDIT] = broker_on_credit,
            [COMMAND_TOUCH] = broker_on_touch,
            [COMMAND_HEARTBEAT] = broker_on_heartbeat,
            [COMMAND_DRAIN] = broker_on_drain,
            [COMMAND_DISCONNECT] = broker_on_disconnect,
            [COMMAND_QUERY] = broker_on_query,
            [COMMAND_ADMIN] = broker_on_admin,
            [COMMAND_INVALIDATE] = broker_on_invalidate,
        },
};

/* The first pair of a peer that is not known decides: a greeting, or not. */
static bool take_stranger(struct broker *self, struct source *from, uint64_t number,
                          const struct pair *pair)
{
    struct verdict verdict = {.status = STATUS_NO_ROLE, .hint = "greet with HELLO"};
    struct peer stranger = {.side = from->side, .number = number};
    if (pair->header.command != COMMAND_HELLO || pair->status != STATUS_OK) {
        self->counts.strangers++;
        if (pair->header.command == COMMAND_HELLO)
            verdict = (struct verdict){.status = pair->status};
        broker_stranger(self, from->side, number, &verdict);
        return false;
    }
    from->peer = &stranger;
    broker_on_hello(self, from, pair);
    from->peer = sessions_find(self->sessions, from->side, number);
    return from->peer != NULL;
}

static void take_pair(struct broker *self, struct source *from, const struct pair *pair)
{
    uint32_t buried = self->buried;
    uint64_t number = from->peer->number;
    broker_handler *handler = handlers[from->side][pair->header.command];
    if (pair->status == STATUS_OK && handler != NULL)
        handler(self, from, pair);
    else
        broker_reject(self, from, pair);
    if (buried != self->buried)
        from->peer = sessions_find(self->sessions, from->side, number);
}

/* What breaks, or ends, the conversation costs the rest of the message. */
unsigned broker_take(struct broker *self, enum side side, uint64_t number, zmq_msg_t *message,
                     int64_t now_at)
{
    assert(side < SIDE_COUNT);
    assert(number != 0);
    self->now_at = now_at;
    struct source from = {side, sessions_find(self->sessions, side, number), message};
    struct pairs pairs = pairs_over(frame_bytes(message));
    struct pair pair;
    if (from.peer != NULL)
        broker_heard(self, from.peer);
    while (pairs_next(&pairs, &pair)) {
        if (from.peer != NULL)
            take_pair(self, &from, &pair);
        else if (!take_stranger(self, &from, number, &pair))
            return pairs.count;
        if (from.peer == NULL)
            return pairs.count;
    }
    if (!pairs.broken)
        return pairs.count;
    pair = (struct pair){.status = STATUS_BAD_REQUEST, .header = {.command = COMMAND_HEARTBEAT}};
    if (from.peer != NULL)
        broker_reject(self, &from, &pair);
    else
        (void)take_stranger(self, &from, number, &pair);
    return pairs.count;
}

/* What was in a message that cannot leave says the message itself. */
static void take_back_all(struct broker *self, const struct worker *worker, zmq_msg_t *message)
{
    struct pairs pairs = pairs_over(frame_bytes(message));
    struct pair pair;
    while (pairs_next(&pairs, &pair)) {
        struct slot *slot = slots_find_id(self->slots, pair.header.id);
        struct relay *relay = relays_find(&self->relays, pair.header.id);
        self->counts.unsent++;
        if (pair.header.command == COMMAND_REQUEST && slot != NULL && worker != NULL &&
            slot->worker == worker_index(self->workers, worker))
            broker_take_back(self, slot);
        else if (pair.header.command == COMMAND_REQUEST && slot != NULL && worker != NULL &&
                 slot->second == worker_index(self->workers, worker))
            broker_unsend_second(self, slot);
        else if (pair.header.command == COMMAND_QUERY && relay != NULL)
            broker_end_relay(self, relay, STATUS_BUSY_FULL);
    }
}

static void carry(void *owner, uint32_t place, zmq_msg_t *message)
{
    struct broker *self = owner;
    struct peer *peer = sessions_at(self->sessions, place);
    assert(peer != NULL);
    enum status status = self->outside.send(self->outside.self, peer->side, peer->number, message);
    if (status == STATUS_OK) {
        peer->sent_at = self->now_at;
        return;
    }
    struct worker *worker = worker_of(self, peer);
    take_back_all(self, worker, message);
    if (worker != NULL)
        workers_choke(self->workers, worker);
    if (status == STATUS_WORKER_LOST)
        broker_gone(self, peer);
    else
        broker_note(self, EVENT_UNSENT,
                    (struct log_field[]){log_bytes("instance", name_bytes(&peer->instance))}, 1);
}

/* A line while there is one, and not one a request. */
static void tell_overload(struct broker *self, enum role role)
{
    const uint64_t *by_status = self->counts.roles[role].by_status;
    struct service *service = &self->services[role];
    uint64_t refused =
        by_status[STATUS_BUSY_FULL] + by_status[STATUS_BUSY_SHED] + by_status[STATUS_INFEASIBLE];
    const struct log_field fields[] = {log_u64("role", role),
                                       log_u64("refused", refused - service->refused),
                                       log_u64("queued", queues_depth(self->queues, role))};
    if (refused != service->refused)
        broker_note(self, EVENT_OVERLOAD, fields, sizeof fields / sizeof fields[0]);
    service->refused = refused;
}

static void learn_rates(struct broker *self)
{
    for (uint32_t role = 0; role < ROLE_COUNT; role++) {
        struct service *service = &self->services[role];
        bool waits = queues_ready(self->queues, (enum role)role) > 0;
        estimates_tick(&service->estimates, waits && !service->idled);
        service->idled = !waits;
        tell_overload(self, (enum role)role);
    }
    broker_tick_concurrency(self);
    broker_tick_workers(self);
    timers_set(self->timers, TIMER_ESTIMATES, self->now_at + ESTIMATES_TICK_MS * US_PER_MS);
}

/* Shows that there is no gap, to those who wait for the next event. */
static void beat(struct broker *self)
{
    struct msg_event_members members = {.generation = self->config.generation,
                                        .partitions = view_count(self->view),
                                        .epoch = view_epoch(self->view)};
    broker_publish(self, "members", MSG_EVENT_MEMBERS, &members);
    timers_set(self->timers, TIMER_BEAT, self->now_at + BEAT_MS * US_PER_MS);
}

/* So long was promised; what still runs may end well, but nobody waits for it here. */
static void give_up(struct broker *self)
{
    const struct verdict running = {.status = STATUS_WORKER_LOST, .hint = "this broker ends"};
    const struct verdict waiting = {.status = STATUS_DRAINING};
    for (uint32_t i = 0; i < self->config.slots_max; i++) {
        struct slot *slot = slots_at(self->slots, i);
        bool runs = slots_execution(self->slots, slot)->state == SLOT_RUNNING;
        if (slot->state != SLOT_FREE)
            broker_end(self, slot, runs ? &running : &waiting);
    }
}

static void on_timer(struct broker *self, uint32_t timer)
{
    if (timer < TIMER_SESSION)
        broker_slot_due(self, slots_at(self->slots, timer));
    else if (timer < TIMER_KEPT)
        broker_peer_due(self, sessions_at(self->sessions, timer - TIMER_SESSION));
    else if (timer < TIMER_RELAY)
        broker_drop_kept(self, timer - TIMER_KEPT);
    else if (timer < TIMER_ESTIMATES)
        broker_end_relay(self, &self->relays.entries[timer - TIMER_RELAY], STATUS_DEADLINE_RUNNING);
    else if (timer == TIMER_ESTIMATES)
        learn_rates(self);
    else if (timer == TIMER_BEAT)
        beat(self);
    else if (timer == TIMER_VIEW)
        broker_issue_view(self);
    else
        give_up(self);
}

/* Who was not let run for a while has heard nobody: that is no silence of theirs. */
void broker_tick(struct broker *self, int64_t now_at)
{
    uint32_t timer;
    self->now_at = now_at;
    if (now_at - self->ticked_at > self->config.heartbeat_ms * US_PER_MS)
        self->grace_at = now_at;
    self->ticked_at = now_at;
    while (timers_take(self->timers, now_at, &timer))
        on_timer(self, timer);
}

void broker_dispatch(struct broker *self, int64_t now_at)
{
    self->now_at = now_at;
    self->more = false;
    for (uint32_t role = 0; role < ROLE_COUNT; role++)
        broker_dispatch_role(self, (enum role)role);
}

static void bury_gone(struct broker *self)
{
    while (self->gone_count > 0) {
        struct peer *peer = sessions_at(self->sessions, self->gone[--self->gone_count]);
        if (peer != NULL && peer->gone)
            broker_bury(self, peer);
    }
}

/* Each request that was read is somewhere, once. */
static void check_conservation(const struct broker *self)
{
    uint64_t in_flight = 0;
    for (uint32_t role = 0; role < ROLE_COUNT; role++) {
        const struct role_counts *counts = &self->counts.roles[role];
        assert(counts->accepted == counts->replied + counts->refused + counts->expired +
                                       counts->cancelled + counts->lost + counts->in_flight);
        in_flight += counts->in_flight;
    }
    assert(in_flight == slots_used(self->slots));
}

/* What could not leave is dispatched again, unless this turn has refused as many as it may. Each
 * failed send costs a peer, or a worker its credit; so it ends. */
void broker_flush(struct broker *self, int64_t now_at)
{
    self->now_at = now_at;
    while (outbox_used(self->outbox) > 0 || self->gone_count > 0) {
        outbox_flush(self->outbox);
        bury_gone(self);
        if (!self->more)
            broker_dispatch(self, now_at);
    }
    workers_end_turn(self->workers);
    check_conservation(self);
    self->queries_left = QUERIES_PER_TURN_MAX;
}

int64_t broker_due_at(const struct broker *self)
{
    int64_t due_at = timers_next_at(self->timers);
    if (self->draining && self->stays_until_at > self->now_at && self->stays_until_at < due_at)
        due_at = self->stays_until_at;
    return self->more ? self->now_at : due_at;
}

static int64_t at_most(int64_t value, int64_t max)
{
    return value < max ? value : max;
}

/* It stays a little, even if nothing runs: what was on its way when GOAWAY left is to be answered
 * DRAINING, not lost with the connection. */
void broker_drain(struct broker *self, int64_t now_at)
{
    struct verdict verdict = {.status = STATUS_DRAINING};
    self->now_at = now_at;
    if (self->draining)
        return;
    self->draining = true;
    self->stays_until_at = now_at;
    if (sessions_count(self->sessions) > 0)
        self->stays_until_at += at_most(self->config.drain_ms, GOAWAY_MS) * US_PER_MS;
    broker_goaway(self);
    for (uint32_t i = 0; i < self->config.slots_max; i++) /* before the turn of any comes */
        if (slots_at(self->slots, i)->state == SLOT_IN_LINE)
            broker_end(self, slots_at(self->slots, i), &verdict);
    for (uint32_t rank = 0; rank < ROLE_COUNT * CLASS_COUNT; rank++) {
        uint32_t slot;
        while ((slot = queues_oldest(self->queues, (enum role)(rank / CLASS_COUNT),
                                     (enum request_class)(rank % CLASS_COUNT))) != NONE)
            broker_end(self, slots_at(self->slots, slot), &verdict);
    }
    timers_set(self->timers, TIMER_DRAIN, now_at + self->config.drain_ms * US_PER_MS);
}

bool broker_is_drained(const struct broker *self)
{
    return self->draining && self->now_at >= self->stays_until_at && slots_used(self->slots) == 0 &&
           outbox_used(self->outbox) == 0;
}

void broker_set_usage(struct broker *self, uint64_t cpu_us, uint64_t rss_bytes)
{
    self->cpu_us = cpu_us;
    self->rss_bytes = rss_bytes;
}

const struct broker_counts *broker_counts(const struct broker *self)
{
    return &self->counts;
}

struct broker_levels broker_levels(const struct broker *self)
{
    struct broker_levels levels = {.sessions = sessions_count(self->sessions),
                                   .slots = slots_used(self->slots),
                                   .kept_replies = keeps_replies(self->keeps),
                                   .keepers = keeps_keepers(self->keeps),
                                   .identities = identities_count(self->identities),
                                   .bytes = slots_bytes(self->slots)};
    for (uint32_t role = 0; role < ROLE_COUNT; role++) {
        levels.queued[role] = queues_depth(self->queues, (enum role)role);
        levels.queued_bytes[role] = queues_bytes(self->queues, (enum role)role);
        for (uint32_t class = 0; class < CLASS_COUNT; class ++)
            levels.waiting[role][class] =
                queues_backlog(self->queues, (enum role)role, (enum request_class) class);
        levels.workers += workers_up(self->workers, (enum role)role);
    }
    return levels;
}
