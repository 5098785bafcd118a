/* broker_requests - a request that was admitted gets a place: with a worker at once, or in a queue
 * until it is dispatched. See docs/load.md, 2 and 3. */
#include "broker/broker_private.h"

#define STAND_PART 25     /* of the time a request has, that it may stand in a queue in any case */
#define REMOVALS_MAX 256u /* requests one dispatch refuses; the rest is the next turn's */
#define LOOKS_PER_REMOVAL 16u

/* Sends the bytes of the slot, which keeps them. */
static void send_to(struct broker *self, struct slot *slot, struct worker *worker)
{
    assert(slot->deadline_at - self->now_at >= US_PER_MS);
    struct header patch = {.command = COMMAND_REQUEST,
                           .flags = slot->flags,
                           .id = slots_id(self->slots, slot),
                           .deadline_ms =
                               (uint32_t)((slot->deadline_at - self->now_at) / US_PER_MS),
                           .class = slot->place.class,
                           .attempt = slot->attempt};
    workers_spend(self->workers, worker);
    self->services[slot->place.role].running++;
    self->counts.roles[slot->place.role].by_class[slot->place.class]++;
    slots_send(slot, &patch, self->outbox, worker->peer);
}

static void hand_over(struct broker *self, struct slot *slot, struct worker *worker)
{
    assert(slot->state == SLOT_QUEUED);
    slot->state = SLOT_RUNNING;
    slot->passed_on = false;
    slot->dispatched_at = self->now_at;
    slots_give(self->slots, slot, worker_index(self->workers, worker));
    broker_begin_lease(self, slot);
    broker_plan_hedge(self, slot);
    estimates_sent(&self->services[slot->place.role].estimates, slot->place.class, self->now_at);
    send_to(self, slot, worker);
}

void broker_send_second(struct broker *self, struct slot *slot, struct worker *worker)
{
    assert(slot->state == SLOT_RUNNING);
    slots_give_second(self->slots, slot, worker_index(self->workers, worker));
    slot->second_at = self->now_at;
    send_to(self, slot, worker);
}

void broker_take_back(struct broker *self, struct slot *slot)
{
    assert(slot->state == SLOT_RUNNING);
    struct worker *worker = workers_at(self->workers, slot->worker);
    slots_give(self->slots, slot, NONE);
    workers_unspend(self->workers, worker);
    self->services[slot->place.role].running--;
    self->services[slot->place.role].credit_came = true;
    slot->state = SLOT_QUEUED;
    slot->hedge_at = 0; /* nobody has it: there is no second one to ask */
    queues_push_front(self->queues, slots_index(self->slots, slot), &slot->place);
    self->counts.roles[slot->place.role].redelivered++;
}

/* Make a place in the bounds, at the cost of those who are less important. What is executed for
 * another, too, is not said not to be.
 * returns false: there is none to be made */
static bool make_room(struct broker *self, const struct place *place)
{
    uint32_t victim;
    if (!queues_shed(self->queues, place, &victim))
        return false;
    struct slot *slot = slots_at(self->slots, victim);
    struct verdict verdict = broker_busy(self, STATUS_BUSY_SHED, &slot->place);
    if (slots_execution(self->slots, slot)->state == SLOT_RUNNING)
        verdict = (struct verdict){.status = STATUS_DUPLICATE_RUNNING, .hint = "ask again for it"};
    bool beside = slot->place.role == place->role && slot->place.class == place->class;
    broker_count_shed(self, &slot->place, beside ? SHED_FOR_TENANT : SHED_FOR_CLASS);
    broker_end(self, slot, &verdict);
    return true;
}

static struct slot *take_slot(struct broker *self, const struct source *from,
                              const struct pair *pair, struct admission *admission)
{
    const struct place *place = admission->place;
    uint32_t client = sessions_index(self->sessions, from->peer);
    struct slot *slot;
    while (slots_bytes(self->slots) + place->bytes > self->config.kept_bytes_max)
        if (!make_room(self, place))
            return NULL;
    while ((slot = slots_take(self->slots, client, pair->header.id)) == NULL)
        if (!make_room(self, place))
            return NULL;
    slot->place = *place;
    slot->flags = pair->header.flags;
    slot->attempt = pair->header.attempt;
    slot->arrived_at = self->now_at;
    slot->watched = admission->watched;
    slot->token = admission->token;
    admission->watched = false;
    lane_of(self, slot)->waiting++;
    self->counts.roles[place->role].in_flight++;
    broker_identify(self, slot, pair);
    return slot;
}

/* Nobody waits who could be served, so who can serve this one may have it now. */
static struct worker *find_idle(struct broker *self, const struct place *place,
                                const struct wish *wish)
{
    uint32_t ignored;
    bool waits = queues_ready(self->queues, place->role) > 0 &&
                 (self->services[place->role].credit_came ||
                  queues_peek(self->queues, place->role, &ignored));
    return waits || !broker_has_room(self, place->role)
               ? NULL
               : workers_pick(self->workers, place->lane, wish, self->now_at);
}

bool broker_find_room(struct broker *self, const struct place *place)
{
    while (!queues_has_room(self->queues, place))
        if (!make_room(self, place))
            return false;
    return true;
}

/* It has room: whether it waits for a worker, or for its turn before. */
static void enqueue(struct broker *self, struct slot *slot)
{
    uint32_t index = slots_index(self->slots, slot);
    enum status status = slot->state == SLOT_IN_LINE
                             ? queues_hold(self->queues, index, &slot->place)
                             : queues_push(self->queues, index, &slot->place);
    assert(status == STATUS_OK);
    slot->queued_at = self->now_at;
}

/* A request that could not be placed: as if it had never had a slot. */
static void undo(struct broker *self, struct slot *slot)
{
    broker_judge(self, slot, STATUS_BUSY_FULL);
    if (slot->identity != NONE)
        identities_remove(self->identities, slot->identity);
    assert(!orders_is_in(self->orders, slots_index(self->slots, slot)));
    lane_of(self, slot)->waiting--;
    self->counts.roles[slot->place.role].in_flight--;
    slots_free(self->slots, slot);
}

void broker_accept(struct broker *self, struct peer *client, const struct slot *slot)
{
    struct header header = broker_header(COMMAND_ACCEPTED, slot->client_id);
    timers_set(self->timers, slots_index(self->slots, slot), slot->deadline_at);
    broker_keep(self, client, slot);
    if (slot->flags & FLAG_ACK_ACCEPT)
        broker_say(self, client, &header, (struct bytes){0});
}

static void take_in(struct broker *self, const struct source *from, const struct pair *pair,
                    struct slot *slot, struct worker *worker)
{
    slots_keep(self->slots, slot, pair, from->message);
    broker_accept(self, from->peer, slot);
    if (worker == NULL)
        return;
    queues_charge(self->queues, slot->place.role, slot->place.class);
    hand_over(self, slot, worker);
}

static struct wish wish_of(const struct header *header)
{
    return (struct wish){
        .has_key = header->has_key, .key = header->key, .seen_by = NONE, .avoid = NONE};
}

struct verdict broker_turn_away(struct broker *self, const struct place *place)
{
    broker_count_shed(self, place, SHED_FULL);
    return broker_busy(self, STATUS_BUSY_FULL, place);
}

/* In time, as things stand: with a worker at once, or after its wait. */
static struct verdict check_feasible(struct broker *self, const struct place *place,
                                     const struct worker *worker, int64_t left_us)
{
    struct service *service = &self->services[place->role];
    const struct lane *lane = methods_lane(workers_methods(self->workers), place->lane);
    struct verdict verdict = {.status = STATUS_OK};
    if (worker == NULL)
        verdict = broker_foresee(self, place, left_us);
    else if (left_us >= estimates_median_us(&service->estimates, &lane->time))
        return verdict;
    else if (estimates_may_probe(&service->estimates, service->running, self->now_at))
        self->counts.roles[place->role].probes++;
    else
        verdict.status = STATUS_INFEASIBLE;
    if (verdict.status != STATUS_OK)
        broker_count_shed(self, place, SHED_INFEASIBLE);
    return verdict;
}

/* Whether it would be executed after others, if it is one of those that are in order. */
static enum turn foresee_turn(struct broker *self, const struct place *place,
                              const struct header *header)
{
    if (!(header->flags & FLAG_KEY_ORDER))
        return TURN_NOW;
    assert(header->has_key); /* admission saw to it */
    return orders_ask(self->orders, place->lane, header->tenant, header->key);
}

/* Where it stands then. Those before it may have made room for it. */
static enum turn find_turn(struct broker *self, struct slot *slot, const struct header *header)
{
    if (!(header->flags & FLAG_KEY_ORDER))
        return TURN_NOW;
    enum turn turn = orders_join(self->orders, slots_index(self->slots, slot), slot->place.lane,
                                 header->tenant, header->key);
    assert(turn != TURN_NEVER);
    if (turn == TURN_LATER)
        slot->state = SLOT_IN_LINE;
    return turn;
}

/* To a worker at once, or into the queue; or why not. */
static struct verdict place_request(struct broker *self, const struct source *from,
                                    const struct pair *pair, struct admission *admission)
{
    const struct place *place = admission->place;
    int64_t left_us = broker_deadline_us(&pair->header, place->role);
    struct wish wish = wish_of(&pair->header);
    struct worker *worker = find_idle(self, place, &wish);
    struct verdict verdict = check_feasible(self, place, worker, left_us);
    if (verdict.status != STATUS_OK)
        return verdict;
    enum turn turn = foresee_turn(self, place, &pair->header);
    struct slot *slot = turn == TURN_NEVER ? NULL : take_slot(self, from, pair, admission);
    if (slot == NULL)
        return broker_turn_away(self, place);
    slot->deadline_at = self->now_at + left_us;
    slot->wish = wish;
    if ((worker == NULL || turn == TURN_LATER) && !broker_find_room(self, place)) {
        undo(self, slot);
        return broker_turn_away(self, place);
    }
    if (find_turn(self, slot, &pair->header) == TURN_LATER)
        worker = NULL;
    if (worker == NULL)
        enqueue(self, slot);
    take_in(self, from, pair, slot, worker);
    return verdict;
}

void broker_on_request(struct broker *self, const struct source *from, const struct pair *pair)
{
    const struct header *header = &pair->header;
    struct place place = {.class = header->class,
                          .bytes = (uint32_t)pair->whole.size,
                          .tenant = tenants_key(&self->tenants, header->tenant)};
    struct admission admission = {.peer = from->peer, .header = header, .place = &place};
    place.role = broker_serves(header->role) ? (enum role)header->role : ROLE_NONE;
    self->counts.roles[place.role].accepted++;
    from->peer->asked++;
    struct verdict verdict = broker_admit(self, &admission);
    bool admitted = verdict.status == STATUS_OK;
    bool repeats = broker_repeats(self, from, pair, &verdict);
    if (verdict.status == STATUS_OK && !repeats)
        verdict = place_request(self, from, pair, &admission);
    if (admitted)
        verdict = broker_settle(self, &admission, verdict);
    if (verdict.status != STATUS_OK)
        broker_refuse(self, from->peer, header->id, place.role, &verdict);
}

/* It has stood too long in a queue where all do: it makes room for what is fresh. Who has a lot of
 * time may stand longer: a part of it. */
static bool is_late(struct broker *self, const struct slot *slot)
{
    const struct place *place = &slot->place;
    bool shares = slot->arrived_at > slot->queued_at; /* with one that has come and gone before */
    int64_t waited_us = self->now_at - (shares ? slot->arrived_at : slot->queued_at);
    int64_t given_us = slot->deadline_at - slot->arrived_at;
    if (place->class == CLASS_CRITICAL_PLUS)
        return false;
    int64_t target_us = estimates_delay_target_us(&self->services[place->role].estimates,
                                                  place->class, broker_capacity(self, place->role));
    return queues_is_late(self->queues, slots_index(self->slots, slot), waited_us, target_us,
                          self->now_at) &&
           waited_us > given_us / STAND_PART;
}

/* Whether one that waits at this place can still be in time. */
static enum status check_time(const struct broker *self, const struct slot *slot,
                              int64_t deadline_at)
{
    const struct lane *lane = methods_lane(workers_methods(self->workers), slot->place.lane);
    int64_t left_us = deadline_at - self->now_at;
    if (left_us < US_PER_MS)
        return STATUS_DEADLINE_QUEUED;
    const struct estimates *estimates = &self->services[slot->place.role].estimates;
    bool feasible = left_us >= estimates_need_us(estimates, &lane->time, slot->place.class);
    return feasible ? STATUS_OK : STATUS_INFEASIBLE;
}

/* What waits and cannot be in time any more is not sent; unless nothing is, and what forbids it may
 * be wrong. */
static enum status check_in_turn(struct broker *self, const struct slot *slot)
{
    struct service *service = &self->services[slot->place.role];
    enum status status = check_time(self, slot, slot->deadline_at);
    if (status == STATUS_DEADLINE_QUEUED)
        return status;
    if (status == STATUS_INFEASIBLE) {
        if (!estimates_may_probe(&service->estimates, service->running, self->now_at))
            return status;
        self->counts.roles[slot->place.role].probes++;
    }
    return is_late(self, slot) ? STATUS_BUSY_SHED : STATUS_OK;
}

/* It is not sent, and has to be told so. */
static struct verdict refuse_in_turn(struct broker *self, const struct slot *slot,
                                     enum status status)
{
    struct verdict verdict = {.status = status};
    if (status == STATUS_DEADLINE_QUEUED)
        return verdict;
    verdict.retry_after_ms = broker_wait_ms(self, &slot->place);
    broker_count_shed(self, &slot->place,
                      status == STATUS_BUSY_SHED ? SHED_DELAY : SHED_INFEASIBLE);
    return verdict;
}

/* Those that share it and cannot be in time either go with it: else it would pass to each of them,
 * and look through all the others each time. Returns how many. */
static uint32_t end_hopeless(struct broker *self, const struct slot *slot)
{
    struct slot *follower = slots_first_follower(self->slots, slot), *next;
    uint32_t ended = 0;
    for (; follower != NULL; follower = next) {
        next = slots_next_follower(self->slots, follower);
        enum status status = check_time(self, slot, follower->deadline_at);
        if (status == STATUS_OK)
            continue;
        struct verdict verdict = refuse_in_turn(self, slot, status);
        broker_end(self, follower, &verdict);
        ended++;
    }
    return ended;
}

/* Its turn has come, and it is not sent. Returns how many have ended, or were looked at for long
 * enough. */
static uint32_t pass_over(struct broker *self, struct slot *slot, enum status status)
{
    uint32_t ended = 1 + slot->followers / LOOKS_PER_REMOVAL;
    if (status != STATUS_BUSY_SHED)
        ended += end_hopeless(self, slot);
    struct verdict verdict = refuse_in_turn(self, slot, status);
    if (!broker_pass_on(self, slot, &verdict))
        broker_end(self, slot, &verdict);
    return ended;
}

/* Each pass ends one request's wait, or one worker's credit, or a lane's turn; so it ends. */
void broker_dispatch_role(struct broker *self, enum role role)
{
    uint32_t index, removals = 0;
    if (queues_ready(self->queues, role) == 0)
        return;
    if (self->services[role].credit_came)
        queues_unpark(self->queues, role);
    self->services[role].credit_came = false;
    while (broker_has_room(self, role) && queues_peek(self->queues, role, &index)) {
        struct slot *slot = slots_at(self->slots, index);
        struct worker *worker =
            workers_pick(self->workers, slot->place.lane, &slot->wish, self->now_at);
        if (worker == NULL) {
            queues_park(self->queues, index);
            continue;
        }
        enum status status = check_in_turn(self, slot);
        if (status == STATUS_OK) {
            queues_pop(self->queues, index);
            hand_over(self, slot, worker);
            continue;
        }
        removals += pass_over(self, slot, status);
        if (removals >= REMOVALS_MAX) {
            self->more = true;
            break;
        }
    }
    if (queues_ready(self->queues, role) == 0)
        self->services[role].idled = true;
}
