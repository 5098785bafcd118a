/* broker_metrics - what the broker counts and holds, as rows of metrics.def. Asked for now and
 * then; nothing of it is kept up to date in between. */
#include <stdio.h>

#include "actors/runtime/metrics.h"
#include "actors/runtime/rate_limit.h"
#include "broker/broker_private.h"

static const char *const class_names[CLASS_COUNT] = {
    [CLASS_CRITICAL_PLUS] = "critical_plus",
    [CLASS_CRITICAL] = "critical",
    [CLASS_SHEDDABLE_PLUS] = "sheddable_plus",
    [CLASS_SHEDDABLE] = "sheddable",
};

static double seconds(uint64_t us)
{
    return (double)us / (double)US_PER_S;
}

static void measure_classes(const struct broker *self, enum role role, struct metrics *metrics)
{
    const struct role_counts *counts = &self->counts.roles[role];
    for (uint32_t class = 0; class < CLASS_COUNT; class ++) {
        const char *const *labels = LABELS(role_names[role], class_names[class]);
        metrics_set(metrics, METRIC_DISPATCHED_TOTAL, labels, (double)counts->by_class[class]);
        metrics_set(metrics, METRIC_QUEUE_LENGTH, labels,
                    queues_backlog(self->queues, role, (enum request_class) class));
        metrics_set(metrics, METRIC_QUEUE_TENANTS, labels,
                    queues_tenants(self->queues, role, (enum request_class) class));
        for (int reason = 0; reason < SHED_COUNT; reason++)
            if (counts->sheds[class][reason] > 0)
                metrics_set(metrics, METRIC_SHEDS_TOTAL,
                            LABELS(role_names[role], class_names[class], shed_names[reason]),
                            (double)counts->sheds[class][reason]);
    }
}

static void measure_hedges(const struct role_counts *counts, const char *role,
                           struct metrics *metrics)
{
    for (int outcome = 0; outcome < HEDGE_COUNT; outcome++)
        if (counts->hedges[outcome] > 0)
            metrics_set(metrics, METRIC_HEDGES_TOTAL, LABELS(role, hedge_names[outcome]),
                        (double)counts->hedges[outcome]);
}

/* What arrived is the sum of these, and of what is in flight. */
static void measure_ends(const struct role_counts *counts, const char *role,
                         struct metrics *metrics)
{
    const struct {
        const char *end;
        uint64_t count;
    } ends[] = {{"replied", counts->replied},
                {"refused", counts->refused},
                {"expired", counts->expired},
                {"cancelled", counts->cancelled},
                {"lost", counts->lost}};
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++)
        metrics_set(metrics, METRIC_ENDS_TOTAL, LABELS(role, ends[i].end), (double)ends[i].count);
}

/* One that has greeted and has not said what it serves is joining. There may be many sessions: they
 * are looked through once, for all roles. */
static void measure_joining(const struct broker *self, struct metrics *metrics)
{
    uint32_t joining[ROLE_COUNT] = {0};
    for (uint32_t i = 0; i < self->config.sessions_max; i++) {
        const struct peer *peer = sessions_at(self->sessions, i);
        if (peer != NULL && peer->side == SIDE_BACKEND && peer->worker == NONE)
            joining[peer->role]++;
    }
    for (uint32_t role = 0; role < ROLE_COUNT; role++)
        if (broker_serves(role))
            metrics_set(metrics, METRIC_WORKERS, LABELS(role_names[role], "joining"),
                        joining[role]);
}

static void measure_workers(const struct broker *self, enum role role, struct metrics *metrics)
{
    for (int state = WORKER_FREE + 1; state < WORKER_STATE_COUNT; state++)
        metrics_set(metrics, METRIC_WORKERS, LABELS(role_names[role], worker_state_names[state]),
                    workers_in(self->workers, role, (enum worker_state)state));
}

static void measure_role(const struct broker *self, enum role role, struct metrics *metrics)
{
    const struct role_counts *counts = &self->counts.roles[role];
    const struct {
        enum metric metric;
        double value;
    } values[] = {
        {METRIC_ARRIVALS_TOTAL, (double)counts->accepted},
        {METRIC_INFLIGHT_REQUESTS, (double)counts->in_flight},
        {METRIC_QUEUE_BYTES, (double)queues_bytes(self->queues, role)},
        {METRIC_QUEUE_HEAD_AGE_SECONDS, seconds(broker_head_age_us(self, role))},
        {METRIC_REQUEST_WAIT_SECONDS_TOTAL, seconds(counts->queue_us)},
        {METRIC_REQUEST_SERVICE_SECONDS_TOTAL, seconds(counts->service_us)},
        {METRIC_ATTACHED_TOTAL, (double)counts->attached},
        {METRIC_REPLAYED_TOTAL, (double)counts->replayed},
        {METRIC_REDELIVERIES_TOTAL, (double)counts->redelivered},
        {METRIC_ADMIT_LEVEL, broker_admit_level(self, role)},
        {METRIC_PROBES_TOTAL, (double)counts->probes},
        {METRIC_STALE_REPLIES_TOTAL, (double)counts->stale},
        {METRIC_LEASES_LAPSED_TOTAL, (double)counts->lapsed},
        {METRIC_WASTED_WORK_SECONDS_TOTAL, seconds(counts->wasted_us)},
        {METRIC_CONCURRENCY_LIMIT, broker_capacity(self, role)},
        {METRIC_DEAD_LETTERS, dead_letters_of(self->dead_letters, role)},
        {METRIC_WORKER_EJECTIONS_TOTAL, (double)counts->ejected},
        {METRIC_WORKER_SLOTS, workers_capacity(self->workers, role)},
        {METRIC_WORKER_SLOTS_BUSY, self->services[role].running},
    };
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        metrics_set(metrics, values[i].metric, LABELS(role_names[role]), values[i].value);
    measure_classes(self, role, metrics);
    measure_workers(self, role, metrics);
    measure_ends(counts, role_names[role], metrics);
    measure_hedges(counts, role_names[role], metrics);
    for (int status = 0; status < STATUS_COUNT; status++)
        if (counts->by_status[status] > 0)
            metrics_set(metrics, METRIC_REPLIES_TOTAL,
                        LABELS(role_names[role], statuses[status].name),
                        (double)counts->by_status[status]);
}

static void measure_limits(const struct broker *self, struct metrics *metrics)
{
    static const char *const decisions[LIMIT_DECISIONS] = {
        [LIMIT_ADMIT] = "admit", [LIMIT_SHED] = "shed", [LIMIT_WOULD_REJECT] = "would_reject"};
    const struct limit_state *all = limits_find(self->limits, LIMIT_GLOBAL, (struct bytes){0});
    uint32_t remaining;
    for (uint32_t i = 0; i < LIMIT_KINDS * LIMIT_DECISIONS * CLASS_COUNT; i++) {
        uint32_t kind = i / (LIMIT_DECISIONS * CLASS_COUNT);
        uint32_t decision = i / CLASS_COUNT % LIMIT_DECISIONS, class = i % CLASS_COUNT;
        uint64_t count = limits_decided(self->limits, (enum limit_kind)kind,
                                        (enum limit_decision)decision, (enum request_class) class);
        if (count > 0)
            metrics_set(metrics, METRIC_ADMISSION_DECISIONS_TOTAL,
                        LABELS(limit_kind_names[kind], decisions[decision], class_names[class]),
                        (double)count);
    }
    if (all != NULL && limits_remaining(self->limits, all, self->now_at, &remaining))
        metrics_set(metrics, METRIC_ADMISSION_TOKENS, LABELS(limit_kind_names[LIMIT_GLOBAL]),
                    remaining);
    metrics_set(metrics, METRIC_RATE_KEYS_UNMARKED_TOTAL, NO_LABELS,
                (double)limits_unmarked(self->limits));
}

static void measure_breaker(const struct lane *lane, struct metrics *metrics)
{
    char target[METHOD_BYTES_MAX + 32];
    const struct breaker *breaker = &lane->breaker;
    (void)snprintf(target, sizeof target, "%s/%.*s", role_names[lane->role], (int)lane->name.size,
                   lane->name.data);
    for (uint32_t state = BREAKER_CLOSED; state <= BREAKER_HALF_OPEN; state++) {
        const char *const *labels = LABELS(target, breaker_state_name((enum breaker_state)state));
        metrics_set(metrics, METRIC_CIRCUIT_STATE, labels, breaker_seen(breaker) == state);
        metrics_set(metrics, METRIC_CIRCUIT_TRANSITIONS_TOTAL, labels,
                    (double)breaker->changes[state]);
    }
}

/* Of those that have ever changed: of the others there is nothing to say. */
static void measure_breakers(const struct broker *self, struct metrics *metrics)
{
    static const char *const decisions[RETRY_DECISIONS] = {
        [RETRY_ADMITTED] = "admit", [RETRY_REFUSED] = "shed"};
    for (uint32_t i = 0; i < LANES_MAX; i++) {
        const struct lane *lane = methods_lane(workers_methods(self->workers), i);
        if (lane->breaker.epoch > 0 || lane->breaker.force != BREAKER_FORCE_NONE)
            measure_breaker(lane, metrics);
    }
    for (uint32_t class = 0; class < CLASS_COUNT; class ++) {
        for (uint32_t decision = 0; decision < RETRY_DECISIONS; decision++)
            if (self->retries[decision][class] > 0)
                metrics_set(metrics, METRIC_ADMISSION_DECISIONS_TOTAL,
                            LABELS("retry_share", decisions[decision], class_names[class]),
                            (double)self->retries[decision][class]);
        if (self->circuits_refused[class] > 0)
            metrics_set(metrics, METRIC_ADMISSION_DECISIONS_TOTAL,
                        LABELS("breaker", "shed", class_names[class]),
                        (double)self->circuits_refused[class]);
    }
}

static void measure_bounds(const struct broker *self, struct metrics *metrics)
{
    uint32_t relays = 0, waiting = 0, followers = 0;
    for (uint32_t i = 0; i < RELAYS_MAX; i++)
        relays += self->relays.entries[i].taken;
    for (uint32_t role = 0; role < ROLE_COUNT; role++)
        if (queues_depth(self->queues, (enum role)role) > waiting)
            waiting = queues_depth(self->queues, (enum role)role);
    for (uint32_t i = 0; i < self->config.slots_max; i++)
        if (slots_at(self->slots, i)->followers > followers)
            followers = slots_at(self->slots, i)->followers;
    const struct {
        const char *bound;
        double used, max;
    } bounds[] = {
        {"sessions", sessions_count(self->sessions), self->config.sessions_max},
        {"slots", slots_used(self->slots), self->config.slots_max},
        {"kept_bytes", (double)slots_bytes(self->slots), (double)self->config.kept_bytes_max},
        {"followers", followers, FOLLOWERS_MAX},
        {"in_line", orders_waiting(self->orders), self->config.slots_max},
        {"keepers", keeps_keepers(self->keeps), self->config.sessions_max},
        {"kept_replies", keeps_replies(self->keeps), KEPT_REPLIES_MAX},
        {"kept_reply_bytes", (double)keeps_bytes(self->keeps), KEPT_REPLY_BYTES_MAX},
        {"queue", waiting, self->config.queue_max},
        {"tenant_queues", lines_owned(queues_lines(self->queues)), self->config.slots_max},
        {"workers", workers_count(self->workers), WORKERS_MAX},
        {"methods", methods_count(workers_methods(self->workers)), METHODS_KNOWN_MAX},
        {"partitions", view_count(self->view), VIEW_MEMBERS_MAX},
        {"relays", relays, RELAYS_MAX},
        {"dead_letters", dead_letters_count(self->dead_letters), DEAD_LETTERS_MAX},
        {"dead_letters_bytes", (double)dead_letters_bytes(self->dead_letters),
         DEAD_LETTERS_BYTES_MAX},
        {"limits", limits_count(self->limits), LIMIT_RULES_MAX},
        {"rate_keys", limits_keys(self->limits, self->now_at), RATE_KEYS_MAX},
        {"events", (double)(events_newest(self->events) + 1 - events_oldest(self->events)),
         self->config.events_max},
    };
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++)
        metrics_set(metrics, METRIC_BOUND_USED_RATIO, LABELS(bounds[i].bound),
                    bounds[i].used / bounds[i].max);
}

void broker_measure(const struct broker *self, struct metrics *metrics)
{
    const struct broker_counts *counts = &self->counts;
    const struct {
        const char *kind;
        uint64_t count;
    } faults[] = {{"malformed", counts->malformed},
                  {"strangers", counts->strangers},
                  {"unsent", counts->unsent},
                  {"struck", counts->struck},
                  {"silent", counts->silent}};
    metrics_set(metrics, METRIC_KEPT_REPLIES_TOTAL, LABELS("held"), (double)counts->kept);
    metrics_set(metrics, METRIC_KEPT_REPLIES_TOTAL, LABELS("resumed"), (double)counts->resumed);
    metrics_set(metrics, METRIC_KEPT_REPLIES_TOTAL, LABELS("unkept"), (double)counts->unkept);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        metrics_set(metrics, METRIC_PEER_FAULTS_TOTAL, LABELS(faults[i].kind),
                    (double)faults[i].count);
    for (uint32_t role = 0; role < ROLE_COUNT; role++)
        if (broker_serves(role) || counts->roles[role].accepted > 0)
            measure_role(self, (enum role)role, metrics);
    measure_joining(self, metrics);
    measure_limits(self, metrics);
    measure_breakers(self, metrics);
    metrics_set(metrics, METRIC_TENANT_QUEUES_SHARED_TOTAL, NO_LABELS,
                (double)lines_shared(queues_lines(self->queues)));
    measure_bounds(self, metrics);
}
