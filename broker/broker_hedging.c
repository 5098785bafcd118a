/* broker_hedging - a read that takes longer than nearly all others did is given to a second worker.
 * Who answers first has answered it, and the other is called off; who fails is out, and it goes on
 * with the one that is left. It is one request all the time: one slot, one number, one reply. See
 * docs/decisions/0170. */
#include "broker/broker_private.h"

#define SAMPLES_MIN 20u /* before that nobody knows what is long */
#define WAIT_US_MIN US_PER_MS
#define WHOLE 1000u

const char *const hedge_names[HEDGE_COUNT] = {[HEDGE_SENT] = "sent",
                                              [HEDGE_WON] = "won",
                                              [HEDGE_NO_BUDGET] = "no_budget",
                                              [HEDGE_NO_WORKER] = "no_worker"};

static bool may_be_hedged(const struct slot *slot)
{
    const unsigned wanted = FLAG_HEDGE | FLAG_IDEMPOTENT, unwanted = FLAG_STREAM | FLAG_KEY_ORDER;
    return (slot->flags & (wanted | unwanted)) == wanted && slot->attempt == 0;
}

static void earn(struct service *service)
{
    service->hedges_saved += HEDGES_PER_THOUSAND;
    if (service->hedges_saved > HEDGES_SAVED_MAX * WHOLE)
        service->hedges_saved = HEDGES_SAVED_MAX * WHOLE;
}

void broker_plan_hedge(struct broker *self, struct slot *slot)
{
    if (!may_be_hedged(slot))
        return;
    const struct quantiles *time = &lane_of(self, slot)->time;
    int64_t wait_us = (int64_t)time->p95_us;
    earn(&self->services[slot->place.role]);
    if (wait_us < WAIT_US_MIN)
        wait_us = WAIT_US_MIN;
    if (time->samples < SAMPLES_MIN || slot->deadline_at - self->now_at <= wait_us + US_PER_MS)
        return;
    slot->hedge_at = self->now_at + wait_us;
    broker_arm(self, slot);
}

/* Nobody is kept waiting for it. */
static struct worker *find_second(struct broker *self, const struct slot *slot)
{
    uint32_t waiting;
    struct wish wish = {.seen_by = NONE, .avoid = slot->worker};
    if (queues_peek(self->queues, slot->place.role, &waiting) ||
        !broker_has_room(self, slot->place.role))
        return NULL;
    struct worker *worker = workers_pick(self->workers, slot->place.lane, &wish, self->now_at);
    bool other = worker != NULL && worker_index(self->workers, worker) != slot->worker;
    return other ? worker : NULL;
}

static enum hedge try_second(struct broker *self, struct slot *slot)
{
    struct service *service = &self->services[slot->place.role];
    struct worker *worker = find_second(self, slot);
    if (worker == NULL)
        return HEDGE_NO_WORKER;
    if (service->hedges_saved < WHOLE)
        return HEDGE_NO_BUDGET;
    service->hedges_saved -= WHOLE;
    broker_send_second(self, slot, worker);
    return HEDGE_SENT;
}

bool broker_hedge_due(struct broker *self, struct slot *slot)
{
    if (slot->hedge_at == 0 || self->now_at < slot->hedge_at)
        return false;
    assert(slot->state == SLOT_RUNNING);
    assert(slot->second == NONE);
    slot->hedge_at = 0;
    if (slot->deadline_at - self->now_at < US_PER_MS)
        return false;
    self->counts.roles[slot->place.role].hedges[try_second(self, slot)]++;
    broker_arm(self, slot);
    return true;
}

void broker_drop_second(struct broker *self, struct slot *slot)
{
    uint32_t second = slot->second;
    slots_give_second(self->slots, slot, NONE);
    broker_part(self, slot->place.role, second);
}

void broker_end_hedge(struct broker *self, struct slot *slot)
{
    slot->flags &= (uint16_t)~FLAG_HEDGE;
    slot->hedge_at = 0;
    if (slot->second == NONE)
        return;
    broker_call_off(self, slot, slot->second);
    broker_drop_second(self, slot);
}

void broker_unsend_second(struct broker *self, struct slot *slot)
{
    struct worker *worker = workers_at(self->workers, slot->second);
    slots_give_second(self->slots, slot, NONE);
    workers_unspend(self->workers, worker);
    self->services[slot->place.role].running--;
    self->services[slot->place.role].credit_came = true;
}

/* It may have been begun by the one that is out. */
void broker_promote_second(struct broker *self, struct slot *slot)
{
    broker_part(self, slot->place.role, slot->worker);
    slots_promote(self->slots, slot);
    slot->dispatched_at = slot->second_at;
    slot->begun |= slot->started;
    broker_extend_lease(self, slot, 0);
}

/* What the other one has not answered yet took it so long at least. */
static void beat(struct broker *self, struct slot *slot, bool by_second)
{
    uint32_t other = by_second ? slot->worker : slot->second;
    int64_t sent_at = by_second ? slot->dispatched_at : slot->second_at;
    worker_learn(workers_at(self->workers, other), self->now_at - sent_at, self->now_at);
    broker_call_off(self, slot, other);
    self->counts.roles[slot->place.role].hedges[HEDGE_WON] += by_second;
}

bool broker_take_first(struct broker *self, struct slot *slot, struct worker *worker,
                       enum status status)
{
    if (slot->second == NONE)
        return true;
    bool by_second = slot->second == worker_index(self->workers, worker);
    bool answered = statuses[status].executed == EXECUTED_YES;
    if (answered)
        beat(self, slot, by_second);
    if (by_second == answered)
        broker_promote_second(self, slot);
    else
        broker_drop_second(self, slot);
    if (status == STATUS_INTERNAL)
        broker_judge_worker(self, worker, true);
    return answered;
}
