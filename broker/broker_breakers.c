/* broker_breakers - a breaker for each method of a role: what keeps failing is left alone for a
 * while. Only what a worker did wrong counts; see docs/decisions/0106. */
#include "broker/broker_private.h"

/* What an end says of the method. */
static const enum breaker_outcome outcomes[STATUS_COUNT] = {
    [STATUS_OK] = BREAKER_SUCCESS,
    [STATUS_CANCELLED] = BREAKER_NEITHER,
    [STATUS_BAD_REQUEST] = BREAKER_NEITHER,
    [STATUS_VERSION] = BREAKER_NEITHER,
    [STATUS_UNAUTHENTICATED] = BREAKER_NEITHER,
    [STATUS_FORBIDDEN] = BREAKER_NEITHER,
    [STATUS_NO_ROLE] = BREAKER_NEITHER,
    [STATUS_NO_WORKER] = BREAKER_NEITHER,
    [STATUS_BUSY_FULL] = BREAKER_NEITHER,
    [STATUS_BUSY_SHED] = BREAKER_NEITHER,
    [STATUS_INFEASIBLE] = BREAKER_NEITHER,
    [STATUS_RATE_LIMITED] = BREAKER_NEITHER,
    [STATUS_CIRCUIT_OPEN] = BREAKER_NEITHER,
    [STATUS_DRAINING] = BREAKER_NEITHER,
    [STATUS_RETRY_BUDGET] = BREAKER_NEITHER,
    [STATUS_DEADLINE_QUEUED] = BREAKER_NEITHER,
    [STATUS_DEADLINE_RUNNING] = BREAKER_NEITHER,
    [STATUS_WORKER_LOST] = BREAKER_NEITHER, /* whatever it died of; three deaths are POISON */
    [STATUS_POISON] = BREAKER_FAILURE,
    [STATUS_DUPLICATE_RUNNING] = BREAKER_NEITHER,
    [STATUS_TOO_LARGE] = BREAKER_NEITHER,
    [STATUS_APP_ERROR] = BREAKER_NEITHER,
    [STATUS_INTERNAL] = BREAKER_FAILURE,
};

/* source: Marsaglia, Xorshift RNGs, 2003 */
static uint64_t draw(struct broker *self)
{
    self->chance ^= self->chance << 13;
    self->chance ^= self->chance >> 7;
    self->chance ^= self->chance << 17;
    return self->chance;
}

static uint32_t open_ms(const struct breaker *breaker, int64_t now_at)
{
    int64_t left_us = breaker->until_at - now_at;
    bool waits = breaker->force == BREAKER_FORCE_NONE && breaker->state == BREAKER_OPEN;
    return waits && left_us > 0 ? (uint32_t)((left_us + US_PER_MS - 1) / US_PER_MS) : 0;
}

struct msg_breaker broker_describe_breaker(const struct broker *self, const struct lane *lane)
{
    const struct breaker *breaker = &lane->breaker;
    return (struct msg_breaker){.role = lane->role,
                                .method = name_bytes(&lane->name),
                                .state = bytes_of(breaker_state_name(breaker_seen(breaker))),
                                .forced = breaker->force != BREAKER_FORCE_NONE,
                                .open_ms = open_ms(breaker, self->now_at),
                                .opened = breaker->changes[BREAKER_OPEN],
                                .generation = self->config.generation};
}

static void tell_breaker(struct broker *self, const struct lane *lane)
{
    const struct msg_breaker event = broker_describe_breaker(self, lane);
    const struct log_field fields[] = {
        log_text("role", role_names[lane->role]), log_bytes("method", event.method),
        log_bytes("to", event.state), log_u64("forced", event.forced),
        log_u64("open_ms", event.open_ms)};
    broker_publish(self, "breaker", MSG_BREAKER, &event);
    broker_note(self, EVENT_CIRCUIT, fields, sizeof fields / sizeof fields[0]);
}

static const struct breaker_rule *rule_of(const struct broker *self)
{
    const struct breaker_rule *rule = self->config.policy.breaker;
    return rule != NULL ? rule : breaker_rule(BREAKER_DEFAULT); /* of one that is forced */
}

/* The breaker of a lane, from its first use on. */
static struct breaker *breaker_of(const struct broker *self, struct lane *lane)
{
    if (lane->breaker.rule == NULL)
        breaker_init(&lane->breaker, rule_of(self));
    return &lane->breaker;
}

struct verdict broker_ask_breaker(struct broker *self, struct admission *admission)
{
    struct lane *lane = methods_lane(workers_methods(self->workers), admission->place->lane);
    int64_t after_us;
    if (self->config.policy.breaker == NULL && lane->breaker.force == BREAKER_FORCE_NONE)
        return (struct verdict){.status = STATUS_OK};
    struct breaker *breaker = breaker_of(self, lane);
    enum breaker_state before = breaker_seen(breaker);
    admission->watched =
        breaker_admit(breaker, self->now_at, draw(self), &admission->token, &after_us);
    if (breaker_seen(breaker) != before)
        tell_breaker(self, lane);
    if (admission->watched)
        return (struct verdict){.status = STATUS_OK};
    self->circuits_refused[admission->header->class]++;
    return (struct verdict){.status = STATUS_CIRCUIT_OPEN,
                            .retry_after_ms = (uint32_t)((after_us + US_PER_MS - 1) / US_PER_MS)};
}

static void report(struct broker *self, struct lane *lane, uint32_t token,
                   enum breaker_outcome outcome)
{
    struct breaker *breaker = &lane->breaker;
    enum breaker_state before = breaker_seen(breaker);
    assert(breaker->rule != NULL);
    if (breaker_report(breaker, self->now_at, draw(self), token, outcome) &&
        breaker_seen(breaker) != before)
        tell_breaker(self, lane);
}

void broker_drop_watch(struct broker *self, struct admission *admission)
{
    if (!admission->watched)
        return;
    admission->watched = false;
    report(self, methods_lane(workers_methods(self->workers), admission->place->lane),
           admission->token, BREAKER_NEITHER);
}

/* A probe that a tool has answered, if only to say that it failed, has found it alive. */
void broker_judge(struct broker *self, struct slot *slot, enum status status)
{
    if (!slot->watched)
        return;
    struct lane *lane = lane_of(self, slot);
    enum breaker_outcome outcome = outcomes[status];
    if (status == STATUS_APP_ERROR && lane->breaker.state == BREAKER_HALF_OPEN)
        outcome = BREAKER_SUCCESS;
    slot->watched = false;
    report(self, lane, slot->token, outcome);
}

void broker_blame(struct broker *self, struct slot *slot)
{
    broker_judge(self, slot, STATUS_INTERNAL);
}

void broker_force_breaker(struct broker *self, struct lane *lane, enum breaker_force force)
{
    struct breaker *breaker = breaker_of(self, lane);
    enum breaker_state before = breaker_seen(breaker);
    enum breaker_force forced = breaker->force;
    if (force == BREAKER_FORCE_NONE)
        breaker_reset(breaker);
    else
        (void)breaker_set_force(breaker, force);
    if (breaker_seen(breaker) != before || forced != force)
        tell_breaker(self, lane);
}

/* Another rule, and nothing counted; what an operator has forced stays. */
void broker_renew_breakers(struct broker *self)
{
    for (uint32_t i = 0; i < LANES_MAX; i++) {
        struct lane *lane = methods_lane(workers_methods(self->workers), i);
        struct breaker *breaker = &lane->breaker;
        if (breaker->rule == NULL || breaker->rule == rule_of(self))
            continue;
        enum breaker_state before = breaker_seen(breaker);
        enum breaker_force force = breaker->force;
        breaker_reset(breaker);
        breaker->rule = rule_of(self);
        (void)breaker_set_force(breaker, force);
        if (breaker_seen(breaker) != before)
            tell_breaker(self, lane);
    }
}
