/* broker_health - workers that fail what they are given are left alone for a while, and come back.
 * What decides is in ejection.c. See docs/load.md, 6. */
#include "broker/broker_private.h"

static void note(const struct broker *self, enum log_event event, const struct worker *worker)
{
    const struct peer *peer = sessions_at(self->sessions, worker->peer);
    int64_t left_us = worker->health.until_at - self->now_at;
    const struct log_field fields[] = {
        log_bytes("peer", name_bytes(&peer->instance)), log_u64("role", worker->role),
        log_u64("failed", worker->failed), log_u64("times", worker->health.times),
        log_u64("ms", left_us > 0 ? (uint64_t)left_us / US_PER_MS : 0)};
    broker_note(self, event, fields, sizeof fields / sizeof fields[0]);
}

void broker_judge_worker(struct broker *self, struct worker *worker, bool failed)
{
    worker->failed += failed;
    bool sick = health_note(&worker->health, failed, self->now_at);
    if (!sick || worker->state != WORKER_UP || !workers_eject(self->workers, worker, self->now_at))
        return;
    self->counts.roles[worker->role].ejected++;
    note(self, EVENT_WORKER_EJECTED, worker);
    broker_tell_state(self, worker);
}

void broker_tick_workers(struct broker *self)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        struct worker *worker = workers_at(self->workers, i);
        if (worker == NULL)
            continue;
        if (workers_is_over(worker, self->now_at)) {
            workers_return(self->workers, worker, self->now_at);
            note(self, EVENT_WORKER_BACK, worker);
            broker_tell_state(self, worker);
        }
        if (workers_ramp(self->workers, worker, self->now_at))
            self->services[worker->role].credit_came = true;
    }
}
