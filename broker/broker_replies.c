/* broker_replies - how a request ends: answered by its worker, too late, cancelled, or with its
 * worker lost. Each ends here and exactly once. See docs/protocol.md, "Liveness". */
#include "broker/broker_private.h"

/* What became of those that no worker has answered. */
static uint64_t *count_of(struct role_counts *counts, enum status status)
{
    switch (status) {
    case STATUS_CANCELLED:
        return &counts->cancelled;
    case STATUS_DEADLINE_QUEUED:
    case STATUS_DEADLINE_RUNNING:
        return &counts->expired;
    case STATUS_WORKER_LOST:
    case STATUS_POISON:
        return &counts->lost;
    default:
        return &counts->refused;
    }
}

/* What every REPLY to a client carries. One more is granted, as one has ended. */
static void grant(struct broker *self, struct peer *client, enum role role, struct header *header)
{
    client->ended++;
    header->credit = client->ended + self->config.client_credit;
    header->admit_level = broker_admit_level(self, role);
}

/* slot: whose end it is; NULL: it never had one. */
static void answer(struct broker *self, struct peer *client, struct slot *slot,
                   struct header *header, const struct verdict *verdict, enum role role)
{
    char bytes[CONTROL_BYTES_MAX];
    struct bytes body = broker_failure(self, verdict, bytes);
    header->status = verdict->status;
    header->retry_after_ms = verdict->retry_after_ms;
    header->instance = bytes_of(self->instance);
    bool held = slot != NULL && broker_hold(self, slot, header, body);
    if (client == NULL) {
        self->counts.unsent += !held;
        return;
    }
    grant(self, client, role, header);
    broker_say(self, client, header, body);
}

void broker_refuse(struct broker *self, struct peer *client, uint64_t id, enum role role,
                   const struct verdict *verdict)
{
    struct header header = broker_header(COMMAND_REPLY, id);
    struct role_counts *counts = &self->counts.roles[role];
    header.executed = statuses[verdict->status].executed;
    counts->by_status[verdict->status]++;
    (*count_of(counts, verdict->status))++;
    answer(self, client, NULL, &header, verdict, role);
}

void broker_part(struct broker *self, enum role role, uint32_t worker)
{
    if (workers_release(self->workers, workers_at(self->workers, worker)))
        self->services[role].credit_came = true;
    self->services[role].running--;
}

/* Its worker has done with it, or is done with. */
static void release(struct broker *self, struct slot *slot)
{
    assert(slot->state == SLOT_RUNNING);
    assert(slot->second == NONE);
    broker_part(self, slot->place.role, slot->worker);
    slots_give(self->slots, slot, NONE);
    slot->state = SLOT_QUEUED;
    slot->hedge_at = 0;
}

/* Those before it in its line have ended: it waits for a worker from now on, like all others. */
static void take_turn(struct broker *self, struct slot *slot)
{
    assert(slot->state == SLOT_IN_LINE);
    slot->state = SLOT_QUEUED;
    slot->queued_at = self->now_at;
    queues_let_go(self->queues, slots_index(self->slots, slot));
}

static void leave_queue(struct broker *self, const struct slot *slot)
{
    uint32_t index = slots_index(self->slots, slot);
    if (queues_is_in(self->queues, index))
        queues_remove(self->queues, index);
}

/* Even one that was with a worker may be in a queue again, once its client is answered: what has to
 * leave early for the room of the answer may be its request, and fail to. */
static void leave(struct broker *self, struct slot *slot)
{
    bool is_away = slot->client != NONE && slot->client >= self->config.sessions_max;
    uint32_t keeper = is_away ? slot->client - self->config.sessions_max : NONE;
    broker_end_hedge(self, slot);
    if (slot->state == SLOT_RUNNING)
        release(self, slot);
    if (slot->state == SLOT_ATTACHED)
        slots_detach(self->slots, slot);
    if (slot->identity != NONE)
        identities_remove(self->identities, slot->identity);
    uint32_t index = slots_index(self->slots, slot), next = NONE;
    leave_queue(self, slot);
    if (orders_is_in(self->orders, index))
        next = orders_leave(self->orders, index);
    timers_clear(self->timers, index);
    lane_of(self, slot)->waiting--;
    self->counts.roles[slot->place.role].in_flight--;
    slots_free(self->slots, slot);
    broker_close_keeper(self, keeper);
    if (next != NONE)
        take_turn(self, slots_at(self->slots, next));
}

/* When it went to a worker, or into what was with one already. */
static int64_t sent_at_of(const struct slot *slot, const struct slot *execution)
{
    return execution->dispatched_at > slot->arrived_at ? execution->dispatched_at
                                                       : slot->arrived_at;
}

/* How long it waited in all, and how long it has run. */
static void tell_times(struct broker *self, const struct slot *slot, const struct slot *execution,
                       struct header *header)
{
    bool runs = execution->state == SLOT_RUNNING;
    int64_t sent_at = runs ? sent_at_of(slot, execution) : self->now_at;
    header->queue_us = (uint32_t)(sent_at - slot->arrived_at);
    if (header->service_us == 0)
        header->service_us = runs ? (uint32_t)(self->now_at - sent_at) : 0;
}

/* Of what was begun once nobody is told that it was not executed; of what waits and was not begun,
 * that it may have been. */
static void end_one(struct broker *self, struct slot *slot, const struct slot *execution,
                    const struct verdict *verdict)
{
    struct verdict said = *verdict;
    struct role_counts *counts = &self->counts.roles[slot->place.role];
    struct peer *client = client_of(self, slot);
    struct header header = broker_header(COMMAND_REPLY, slot->client_id);
    leave_queue(self, slot); /* before it is said how much there is in it */
    if (execution->begun && statuses[said.status].executed == EXECUTED_NO)
        said = (struct verdict){.status = STATUS_WORKER_LOST};
    header.executed = statuses[said.status].executed;
    if (said.status == STATUS_CANCELLED && execution->state != SLOT_RUNNING && !execution->begun)
        header.executed = EXECUTED_NO;
    tell_times(self, slot, execution, &header);
    broker_judge(self, slot, said.status);
    counts->by_status[said.status]++;
    (*count_of(counts, said.status))++;
    answer(self, client, slot, &header, &said, slot->place.role);
    leave(self, slot);
}

void broker_end(struct broker *self, struct slot *slot, const struct verdict *verdict)
{
    struct slot *follower;
    while ((follower = slots_first_follower(self->slots, slot)) != NULL)
        end_one(self, follower, slot, verdict);
    end_one(self, slot, slots_execution(self->slots, slot), verdict);
}

bool broker_pass_on(struct broker *self, struct slot *slot, const struct verdict *verdict)
{
    struct slot *heir = slots_first_follower(self->slots, slot), *follower = heir;
    if (heir == NULL)
        return false;
    while ((follower = slots_next_follower(self->slots, follower)) != NULL)
        if (follower->deadline_at > heir->deadline_at)
            heir = follower;
    slots_pass_on(self->slots, slot, heir);
    broker_arm(self, slot);
    end_one(self, heir, slot, verdict);
    return true;
}

static void learn(struct broker *self, const struct slot *slot, int64_t service_us)
{
    struct lane *lane = lane_of(self, slot);
    struct worker *worker = workers_at(self->workers, slot->worker);
    int64_t took_us = self->now_at - slot->dispatched_at;
    if (service_us == 0)
        service_us = took_us;
    struct service *service = &self->services[slot->place.role];
    estimates_reply(&service->estimates, took_us);
    concurrency_reply(&service->concurrency, took_us, service_us, service->running);
    quantiles_add(&lane->time, took_us);
    quantiles_add(&lane->service, service_us);
    worker_learn(worker, service_us, self->now_at);
}

/* To the client it belongs to, and to no other. may_move: nobody needs the bytes after this. */
static void forward(struct broker *self, const struct source *from, const struct pair *pair,
                    struct slot *slot, bool may_move)
{
    struct peer *client = client_of(self, slot);
    const struct slot *execution = slots_execution(self->slots, slot);
    struct header header = pair->header;
    header.id = slot->client_id;
    if (header.instance.data == NULL)
        header.instance = name_bytes(&from->peer->instance);
    if (statuses[header.status].executed == EXECUTED_NO)
        header.executed = EXECUTED_NO;
    else if (execution->begun && header.executed == EXECUTED_NO)
        header.executed = EXECUTED_MAYBE;
    tell_times(self, slot, execution, &header);
    bool held = broker_hold(self, slot, &header, pair->body);
    if (client == NULL) {
        self->counts.unsent += !held;
        return;
    }
    grant(self, client, slot->place.role, &header);
    if (may_move && frame_is_moved(from->message, pair) && pair->header.instance.data != NULL) {
        envelope_patch(zmq_msg_data(from->message), &header);
        outbox_pass(self->outbox, slot->client, from->message);
        return;
    }
    broker_say(self, client, &header, pair->body);
}

static void count_reply(struct broker *self, const struct slot *slot, const struct slot *execution,
                        enum status status)
{
    struct role_counts *counts = &self->counts.roles[slot->place.role];
    int64_t sent_at = sent_at_of(slot, execution);
    counts->replied++;
    counts->by_status[status]++;
    counts->queue_us += (uint64_t)(sent_at - slot->arrived_at);
    counts->service_us += (uint64_t)(self->now_at - sent_at);
}

/* Each client gets its own, the one it is executed for last: that may have the message itself. */
static void forward_to_all(struct broker *self, const struct source *from, const struct pair *pair,
                           struct slot *slot)
{
    struct slot *follower;
    while ((follower = slots_first_follower(self->slots, slot)) != NULL) {
        forward(self, from, pair, follower, false);
        count_reply(self, follower, slot, pair->header.status);
        leave(self, follower);
    }
    forward(self, from, pair, slot, true);
    count_reply(self, slot, slot, pair->header.status);
    broker_judge(self, slot, pair->header.status);
    leave(self, slot);
}

/* Its worker has given it up for the deadline of one that it is not executed for any more. It waits
 * again for whom there is time, unless that would be a second execution that may do harm.
 * returns  false: that is its end */
static bool goes_on(struct broker *self, struct slot *slot, enum status status)
{
    bool in_vain = status == STATUS_DEADLINE_QUEUED || status == STATUS_DEADLINE_RUNNING;
    bool harmless = status == STATUS_DEADLINE_QUEUED || slot->flags & FLAG_IDEMPOTENT;
    if (!slot->passed_on || !in_vain || !harmless || slot->deadline_at - self->now_at < US_PER_MS)
        return false;
    release(self, slot);
    slot->begun |= slot->started && status == STATUS_DEADLINE_RUNNING;
    slot->started = false;
    slot->passed_on = false;
    queues_push_front(self->queues, slots_index(self->slots, slot), &slot->place);
    self->counts.roles[slot->place.role].redelivered++;
    return true;
}

struct slot *broker_find_running(struct broker *self, const struct worker *worker, uint64_t id)
{
    struct slot *slot = slots_find_id(self->slots, id);
    uint32_t index = worker_index(self->workers, worker);
    if (slot != NULL && (slot->worker == index || slot->second == index))
        return slot;
    self->counts.roles[worker->role].stale++;
    return NULL;
}

void broker_on_reply(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct worker *worker = worker_of(self, from->peer);
    enum status status = pair->header.status;
    if (worker == NULL) {
        self->counts.malformed++; /* it has never said READY */
        return;
    }
    if (workers_grant(self->workers, worker, pair->header.credit))
        self->services[worker->role].credit_came = true;
    if (relays_is_id(pair->header.id)) {
        broker_on_relayed(self, from, pair);
        return;
    }
    struct slot *slot = broker_find_running(self, worker, pair->header.id);
    if (slot == NULL) {
        self->counts.roles[worker->role].wasted_us += pair->header.service_us;
        return;
    }
    if (!broker_take_first(self, slot, worker, status))
        return;
    if (statuses[status].executed != EXECUTED_NO)
        learn(self, slot, pair->header.service_us);
    if (goes_on(self, slot, status))
        return;
    if (slot->begun && statuses[status].executed == EXECUTED_NO) {
        broker_end(self, slot, &(struct verdict){.status = status});
        return;
    }
    worker->served++;
    if (status == STATUS_OK || status == STATUS_INTERNAL)
        broker_judge_worker(self, worker, status == STATUS_INTERNAL);
    forward_to_all(self, from, pair, slot);
}

static void pass_piece(struct broker *self, const struct source *from, const struct pair *pair,
                       const struct slot *slot)
{
    struct header header = pair->header;
    const struct peer *client = client_of(self, slot);
    if (client == NULL || !(slot->flags & FLAG_STREAM)) {
        self->counts.unsent++;
        return;
    }
    header.id = slot->client_id;
    header.credit = client->ended + self->config.client_credit;
    if (header.instance.data == NULL)
        header.instance = name_bytes(&from->peer->instance);
    broker_say(self, client, &header, pair->body);
}

/* A piece before the answer, for one who asked for pieces. It shows that the work has begun. */
void broker_on_partial(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct worker *worker = worker_of(self, from->peer);
    struct slot *slot = worker == NULL ? NULL : broker_find_running(self, worker, pair->header.id);
    if (slot == NULL)
        return;
    slot->started = true;
    broker_extend_lease(self, slot, 0);
    pass_piece(self, from, pair, slot);
    struct slot *follower = slots_first_follower(self->slots, slot);
    for (; follower != NULL; follower = slots_next_follower(self->slots, follower))
        pass_piece(self, from, pair, follower);
}

void broker_on_started(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct worker *worker = worker_of(self, from->peer);
    struct slot *slot = worker == NULL ? NULL : broker_find_running(self, worker, pair->header.id);
    if (slot == NULL)
        return;
    slot->started = true;
    broker_extend_lease(self, slot, 0);
}

void broker_on_credit(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct worker *worker = worker_of(self, from->peer);
    struct header header = broker_header(COMMAND_CREDIT, 0);
    if (worker == NULL)
        return;
    if ((int32_t)(worker->granted - pair->header.credit) > 0) {
        header.credit = workers_give_back(self->workers, worker, pair->header.credit);
        broker_say(self, from->peer, &header, (struct bytes){0});
    } else if (workers_grant(self->workers, worker, pair->header.credit)) {
        self->services[worker->role].credit_came = true;
    }
    workers_resize(self->workers, worker);
}

void broker_call_off(struct broker *self, const struct slot *slot, uint32_t worker)
{
    struct header header = broker_header(COMMAND_CANCEL, slots_id(self->slots, slot));
    outbox_put(self->outbox, workers_at(self->workers, worker)->peer, &header, (struct bytes){0});
}

void broker_withdraw(struct broker *self, struct slot *slot, enum status status)
{
    struct verdict verdict = {.status = status};
    if (broker_pass_on(self, slot, &verdict))
        return;
    if (slot->state == SLOT_RUNNING)
        broker_call_off(self, slot, slot->worker);
    broker_end(self, slot, &verdict);
}

void broker_on_cancel(struct broker *self, const struct source *from, const struct pair *pair)
{
    uint32_t client = sessions_index(self->sessions, from->peer);
    struct slot *slot = slots_find_request(self->slots, client, pair->header.id);
    if (slot != NULL)
        broker_withdraw(self, slot, STATUS_CANCELLED);
    else
        self->counts.roles[ROLE_NONE].stale++;
}

/* What may have been executed goes out again only if that does no harm. */
void broker_outlive_worker(struct broker *self, struct slot *slot)
{
    bool harmless = slot->flags & FLAG_IDEMPOTENT && slot->attempt < ATTEMPTS_MAX;
    broker_mourn(self, slot);
    if (slot->second != NONE) {
        broker_promote_second(self, slot);
        return;
    }
    release(self, slot);
    if (slot->deaths >= DEATHS_MAX) {
        broker_keep_dead(self, slot);
        broker_end(self, slot, &(struct verdict){.status = STATUS_POISON});
    } else if (slot->started && !harmless) {
        broker_end(self, slot, &(struct verdict){.status = STATUS_WORKER_LOST});
    } else {
        slot->begun |= slot->started;
        slot->started = false;
        slot->attempt += slot->attempt < INT8_MAX;
        slots_renew(slot); /* it may go to the same worker, which still answers the first time */
        queues_push_front(self->queues, slots_index(self->slots, slot), &slot->place);
        self->counts.roles[slot->place.role].redelivered++;
    }
}

/* Youngest first, each to the head: so they go out again in the order in which they came. */
void broker_lose_worker(struct broker *self, struct worker *worker)
{
    struct slot *slot;
    uint32_t index = worker_index(self->workers, worker);
    while ((slot = slots_last_of_worker(self->slots, index)) != NULL)
        broker_outlive_worker(self, slot);
    while ((slot = slots_last_of_second(self->slots, index)) != NULL)
        broker_drop_second(self, slot);
}

/* Its deadline has passed. */
void broker_slot_due(struct broker *self, struct slot *slot)
{
    bool runs = slots_execution(self->slots, slot)->state == SLOT_RUNNING;
    if (broker_hedge_due(self, slot) || broker_lease_due(self, slot))
        return;
    if (slot->state == SLOT_RUNNING) {
        learn(self, slot, 0); /* it took so long at least */
        concurrency_timeout(&self->services[slot->place.role].concurrency);
    }
    broker_withdraw(self, slot, runs ? STATUS_DEADLINE_RUNNING : STATUS_DEADLINE_QUEUED);
}
