/* broker_admission - may a request come in? Each question is asked in the order of docs/load.md, 2,
 * the cheapest first; the first refusal is the answer. What was charged for one that gets no place
 * after all is given back. */
#include "broker/broker_private.h"

/* What later versions honour, and leaving out would change what the client gets. */
static const struct {
    enum flag flag;
    const char *hint;
} unserved[] = {
    {FLAG_MORE, "bodies in several parts are not taken yet: send it in one, of at most 256 KiB"},
};

/* What a longer deadline is cut to; 0: DEADLINE_MS_MAX. source: docs/load.md, 4 */
static const uint32_t deadline_caps_ms[ROLE_COUNT] = {[ROLE_DRIVER] = 30000};

int64_t broker_deadline_us(const struct header *header, enum role role)
{
    uint32_t cap_ms = deadline_caps_ms[role] > 0 ? deadline_caps_ms[role] : DEADLINE_MS_MAX;
    return (header->deadline_ms < cap_ms ? header->deadline_ms : cap_ms) * US_PER_MS;
}

bool broker_serves(uint32_t role)
{
    return role < ROLE_COUNT && role != ROLE_NONE && role != ROLE_BROKER && role != ROLE_CLIENT;
}

/* What one more at this place would wait. */
static int64_t wait_us(const struct broker *self, const struct place *place)
{
    struct crowd crowd = {.ahead = queues_ahead(self->queues, place)};
    for (uint32_t class = 0; class < CLASS_COUNT; class ++)
        crowd.backlog[class] =
            queues_backlog(self->queues, place->role, (enum request_class) class);
    return estimates_wait_us(&self->services[place->role].estimates, &crowd, place->class,
                             broker_capacity(self, place->role));
}

uint32_t broker_wait_ms(const struct broker *self, const struct place *place)
{
    int64_t wait = wait_us(self, place);
    if (wait > DEADLINE_MS_MAX * US_PER_MS)
        return DEADLINE_MS_MAX;
    return (uint32_t)(wait / US_PER_MS) + 1;
}

struct verdict broker_busy(const struct broker *self, enum status status, const struct place *place)
{
    return (struct verdict){.status = status, .retry_after_ms = broker_wait_ms(self, place)};
}

/* The least important class for which there is memory: with so many percent of it taken, some is
 * left for what matters more. source: docs/load.md, 3; after Envoy's overload manager */
static enum request_class memory_level(const struct broker *self)
{
    static const struct {
        uint32_t percent;
        enum request_class level;
    } levels[] = {{80, CLASS_SHEDDABLE_PLUS}, {90, CLASS_CRITICAL}, {95, CLASS_CRITICAL_PLUS}};
    enum request_class level = CLASS_SHEDDABLE;
    uint64_t bytes = slots_bytes(self->slots);
    for (size_t i = 0; i < sizeof levels / sizeof levels[0]; i++) {
        if (bytes * 100 < self->config.kept_bytes_max * levels[i].percent)
            break;
        level = levels[i].level;
    }
    return level;
}

enum request_class broker_admit_level(const struct broker *self, enum role role)
{
    enum request_class memory = memory_level(self), queue = CLASS_SHEDDABLE;
    if (broker_serves(role))
        queue = queues_admit_level(self->queues, role);
    return memory < queue ? memory : queue;
}

/* Can it be served at all, and in which lane? */
static struct verdict look(struct broker *self, struct admission *admission)
{
    const struct header *header = admission->header;
    const struct peer *peer = admission->peer;
    uint32_t lane;
    for (size_t i = 0; i < sizeof unserved / sizeof unserved[0]; i++)
        if (header->flags & unserved[i].flag)
            return (struct verdict){.status = STATUS_BAD_REQUEST, .hint = unserved[i].hint};
    if (header->flags & FLAG_KEY_ORDER && !header->has_key)
        return (struct verdict){.status = STATUS_BAD_REQUEST,
                                .hint = "KEY_ORDER wants a key: element 9 of the header"};
    if (header->method.size == 0)
        return (struct verdict){.status = STATUS_BAD_REQUEST, .hint = "a REQUEST names its method"};
    if (!broker_serves(header->role))
        return (struct verdict){.status = STATUS_NO_ROLE};
    enum role role = (enum role)header->role;
    if (self->draining && peer->role != ROLE_DRIVER) /* a driver's are part of what runs */
        return (struct verdict){.status = STATUS_DRAINING};
    if (workers_up(self->workers, role) == 0)
        return (struct verdict){.status = STATUS_NO_WORKER, .retry_after_ms = RETRY_MS};
    lane = methods_find(workers_methods(self->workers), role, header->method);
    if (lane == NONE)
        return (struct verdict){.status = STATUS_NO_ROLE};
    struct crew crew = methods_crew(workers_methods(self->workers), lane);
    if (crew_is_empty(&crew)) /* it was served, and may be again */
        return (struct verdict){.status = STATUS_NO_WORKER, .retry_after_ms = RETRY_MS};
    if (peer->asked - peer->ended > self->config.client_credit)
        return broker_busy(self, STATUS_BUSY_FULL, admission->place);
    admission->place->lane = lane;
    return (struct verdict){.status = STATUS_OK};
}

struct verdict broker_foresee(struct broker *self, const struct place *place, int64_t left_us)
{
    const struct estimates *estimates = &self->services[place->role].estimates;
    const struct lane *lane = methods_lane(workers_methods(self->workers), place->lane);
    int64_t need_us = estimates_need_us(estimates, &lane->time, place->class);
    uint32_t wait_ms = broker_wait_ms(self, place);
    if (need_us > left_us)
        return (struct verdict){.status = STATUS_INFEASIBLE};
    if ((int64_t)(wait_ms - 1) * US_PER_MS + need_us > left_us)
        return (struct verdict){.status = STATUS_INFEASIBLE, .retry_after_ms = wait_ms};
    return (struct verdict){.status = STATUS_OK};
}

static struct bytes write_details(struct broker *self, const struct limit_rule *rule)
{
    char target[LIMIT_TARGET_BYTES_MAX];
    struct bytes bytes = {0};
    const struct msg_limit_details details = {.limiter = bytes_of(limit_target_write(rule, target)),
                                              .limit = rule->count,
                                              .per_ms = rule->per_ms,
                                              .burst = rule->burst};
    enum status status =
        message_encode(MSG_LIMIT_DETAILS, &details, self->details, sizeof self->details, &bytes);
    assert(status == STATUS_OK);
    return bytes;
}

/* Is it within the rates? A driver's own requests are parts of others, which have paid. */
static struct verdict meter(struct broker *self, struct admission *admission)
{
    const struct header *header = admission->header;
    struct limit_refusal refusal;
    if (limits_count(self->limits) == 0)
        return (struct verdict){.status = STATUS_OK};
    struct limit_ask ask = {.role = admission->place->role,
                            .class = header->class,
                            .tenant = header->tenant,
                            .method = header->method,
                            .inner = admission->peer->role == ROLE_DRIVER};
    (void)value_text(value_find(header->extension, "user"), &ask.user);
    if (limits_admit(self->limits, &ask, self->now_at, &admission->bill, &refusal))
        return (struct verdict){.status = STATUS_OK};
    int64_t wait_ms = (refusal.wait_us + US_PER_MS - 1) / US_PER_MS;
    return (struct verdict){.status = STATUS_RATE_LIMITED,
                            .retry_after_ms = wait_ms < UINT32_MAX ? (uint32_t)wait_ms : UINT32_MAX,
                            .details = write_details(self, refusal.rule)};
}

/* A retry comes out of its tenant's share. What a client resends since its broker died is none, nor
 * is what a driver asks: it never asks twice. */
static struct verdict ration(struct broker *self, struct admission *admission)
{
    const struct policy *policy = &self->config.policy;
    const struct header *header = admission->header;
    const struct peer *peer = admission->peer;
    bool resent = peer->resumed_at != 0 && self->now_at - peer->resumed_at < RESEND_MS * US_PER_MS;
    bool retries = header->attempt > 0 && !resent && peer->role != ROLE_DRIVER;
    admission->tenant = tenants_find(&self->tenants, admission->place->tenant);
    if (!retries) {
        tenant_came(admission->tenant, self->now_at);
        return (struct verdict){.status = STATUS_OK};
    }
    bool goes =
        tenant_retries(admission->tenant, policy->retry_percent, policy->retry_floor, self->now_at);
    self->retries[goes ? RETRY_ADMITTED : RETRY_REFUSED][header->class]++;
    return (struct verdict){.status = goes ? STATUS_OK : STATUS_RETRY_BUDGET};
}

/* The class that it goes as: of the highest a tenant has a share. */
static struct verdict rank(struct broker *self, struct admission *admission)
{
    struct place *place = admission->place;
    place->weight = tenants_weight(&self->tenants, place->tenant);
    place->class = tenant_class(admission->tenant, admission->header->class, self->now_at);
    return (struct verdict){.status = STATUS_OK};
}

static struct verdict ask_memory(struct broker *self, struct admission *admission)
{
    if (admission->place->class <= memory_level(self))
        return (struct verdict){.status = STATUS_OK};
    broker_count_shed(self, admission->place, SHED_MEMORY);
    return broker_busy(self, STATUS_BUSY_SHED, admission->place);
}

static struct verdict (*const questions[])(struct broker *self, struct admission *admission) = {
    broker_check_grants, look, meter, broker_ask_breaker, ration, rank, ask_memory};

/* It gets no place after all: as if it had not come. */
static void give_back(struct broker *self, struct admission *admission)
{
    limits_refund(self->limits, &admission->bill, admission->header->class, self->now_at);
    broker_drop_watch(self, admission);
}

struct verdict broker_admit(struct broker *self, struct admission *admission)
{
    struct verdict verdict = {.status = STATUS_OK};
    size_t i = 0, count = sizeof questions / sizeof questions[0];
    while (i < count && verdict.status == STATUS_OK)
        verdict = questions[i++](self, admission);
    if (verdict.status != STATUS_OK)
        give_back(self, admission);
    return verdict;
}

struct verdict broker_settle(struct broker *self, struct admission *admission,
                             struct verdict verdict)
{
    if (verdict.status == STATUS_OK)
        tenant_admitted(admission->tenant, admission->place->class);
    else
        give_back(self, admission);
    broker_drop_watch(self, admission); /* it shares what is watched for another */
    return verdict;
}
