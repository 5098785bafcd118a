/* broker_leases - what a worker holds, and says nothing about: it may live and not get on. A worker
 * touches what it works on; what it is silent about for longer than the lease is taken from it, as
 * if it had died. See docs/protocol.md, "Liveness"; decisions/0110. */
#include "broker/broker_private.h"

void broker_arm(struct broker *self, const struct slot *slot)
{
    int64_t due_at = slot->deadline_at;
    if (slot->state == SLOT_RUNNING && slot->lease_at < due_at)
        due_at = slot->lease_at;
    if (slot->hedge_at != 0 && slot->hedge_at < due_at)
        due_at = slot->hedge_at;
    timers_set(self->timers, slots_index(self->slots, slot), due_at);
}

void broker_extend_lease(struct broker *self, struct slot *slot, uint32_t asked_ms)
{
    assert(slot->state == SLOT_RUNNING);
    uint32_t lease_ms = self->config.lease_ms;
    if (asked_ms > 0 && asked_ms < lease_ms)
        lease_ms = asked_ms;
    slot->lease_at = self->now_at + lease_ms * US_PER_MS;
    broker_arm(self, slot);
}

/* Most requests end before any lease: their timer stays where it is. */
void broker_begin_lease(struct broker *self, struct slot *slot)
{
    assert(slot->state == SLOT_RUNNING);
    slot->lease_at = self->now_at + self->config.lease_ms * US_PER_MS;
    if (slot->lease_at < slot->deadline_at)
        broker_arm(self, slot);
}

void broker_on_touch(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct worker *worker = worker_of(self, from->peer);
    struct slot *slot = worker == NULL ? NULL : broker_find_running(self, worker, pair->header.id);
    if (slot != NULL)
        broker_extend_lease(self, slot, pair->header.deadline_ms);
}

/* The worker is told, and may still answer: too late. It is no stranger to the next choice: what it
 * did not answer counts as its load, and as a failure. */
static void lapse(struct broker *self, struct slot *slot)
{
    struct worker *worker = workers_at(self->workers, slot->worker);
    const struct peer *peer = sessions_at(self->sessions, worker->peer);
    const struct log_field fields[] = {log_bytes("peer", name_bytes(&peer->instance)),
                                       log_u64("role", worker->role),
                                       log_bytes("method", name_bytes(&lane_of(self, slot)->name))};
    broker_note(self, EVENT_LEASE_LAPSED, fields, sizeof fields / sizeof fields[0]);
    self->counts.roles[slot->place.role].lapsed++;
    worker_learn(worker, self->now_at - slot->dispatched_at, self->now_at);
    slot->wish.avoid = slot->worker;
    timers_set(self->timers, slots_index(self->slots, slot), slot->deadline_at);
    broker_call_off(self, slot, slot->worker);
    broker_blame(self, slot);
    broker_outlive_worker(self, slot);
    broker_judge_worker(self, worker, true);
}

/* Who was not let run for a while has heard no touch. */
bool broker_lease_due(struct broker *self, struct slot *slot)
{
    int64_t heard_at = self->grace_at + self->config.heartbeat_ms * US_PER_MS;
    if (self->now_at >= slot->deadline_at)
        return false;
    if (slot->state == SLOT_RUNNING && slot->lease_at < heard_at)
        slot->lease_at = heard_at;
    if (slot->state == SLOT_RUNNING && slot->lease_at <= self->now_at)
        lapse(self, slot);
    else
        broker_arm(self, slot);
    return true;
}
