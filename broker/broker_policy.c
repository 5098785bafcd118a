/* broker_policy - what may change while the broker runs: limits, breakers, shares. Each change is
 * an event and a line of the log. */
#include "broker/broker_private.h"

void broker_tell_limit(struct broker *self, const struct limit_rule *rule, bool removed)
{
    char target[LIMIT_TARGET_BYTES_MAX];
    const char *mode = removed ? "removed" : limit_mode_names[rule->mode];
    const struct msg_limit event = {.target = bytes_of(limit_target_write(rule, target)),
                                    .limit = rule->count,
                                    .per_ms = rule->per_ms,
                                    .burst = rule->burst,
                                    .mode = bytes_of(mode),
                                    .generation = self->config.generation};
    const struct log_field fields[] = {log_text("target", target), log_u64("limit", rule->count),
                                       log_u64("per_ms", rule->per_ms),
                                       log_u64("burst", rule->burst), log_text("mode", mode)};
    broker_publish(self, "limits", MSG_LIMIT, &event);
    broker_note(self, EVENT_LIMIT_CHANGED, fields, sizeof fields / sizeof fields[0]);
}

/* First what is there no more, then what is new or another: so there is room. */
static void set_limits(struct broker *self, const struct limit_rules *rules)
{
    for (uint32_t i = limits_count(self->limits); i > 0; i--) {
        struct limit_rule rule = limits_at(self->limits, i - 1)->rule;
        struct bytes name = name_bytes(&rule.name);
        if (limit_rules_find(rules, rule.kind, name) != NULL)
            continue;
        bool removed = limits_remove(self->limits, rule.kind, name);
        assert(removed);
        broker_tell_limit(self, &rule, true);
    }
    for (uint32_t i = 0; i < rules->count; i++) {
        bool is_new;
        enum status status = limits_put(self->limits, &rules->rows[i], &is_new);
        assert(status == STATUS_OK);
        if (is_new)
            broker_tell_limit(self, &rules->rows[i], false);
    }
}

/* What is with a worker that does not stir, or leaves, is not what holds the others back. */
static uint32_t in_flight(const struct service *service)
{
    return service->running > service->set_aside ? service->running - service->set_aside : 0;
}

bool broker_has_room(struct broker *self, enum role role)
{
    struct service *service = &self->services[role];
    return concurrency_has_room(&service->concurrency, workers_up(self->workers, role),
                                workers_capacity(self->workers, role), in_flight(service));
}

uint32_t broker_capacity(const struct broker *self, enum role role)
{
    return concurrency_limit(&self->services[role].concurrency,
                             workers_capacity(self->workers, role));
}

void broker_tick_concurrency(struct broker *self)
{
    for (uint32_t role = 0; role < ROLE_COUNT; role++)
        self->services[role].set_aside = 0;
    for (uint32_t i = 0; i < WORKERS_MAX; i++) {
        const struct worker *worker = workers_at(self->workers, i);
        if (worker != NULL && worker->state != WORKER_UP)
            self->services[worker->role].set_aside += worker->running;
    }
    for (uint32_t role = 0; role < ROLE_COUNT; role++)
        concurrency_tick(&self->services[role].concurrency, in_flight(&self->services[role]));
}

static bool has_changed(const struct concurrency_rule *left, const struct concurrency_rule *right)
{
    return left->kind != right->kind || left->start != right->start || left->cap != right->cap;
}

static void set_concurrency(struct broker *self, const struct concurrency_rule *rules)
{
    for (uint32_t role = 0; role < ROLE_COUNT; role++) {
        struct service *service = &self->services[role];
        if (has_changed(&service->concurrency.rule, &rules[role]))
            concurrency_init(&service->concurrency, &rules[role],
                             service->estimates.delay_target_us);
    }
}

void broker_set_policy(struct broker *self, const struct policy *policy, int64_t now_at)
{
    self->now_at = now_at;
    self->config.policy = *policy;
    set_limits(self, &policy->limits);
    broker_renew_breakers(self);
    set_concurrency(self, policy->concurrency);
    tenants_weigh(&self->tenants, &policy->weights);
}
