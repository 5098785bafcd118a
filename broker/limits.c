/* limits - see limits.h. */
#include "broker/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#include "actors/runtime/rate_limit.h"

_Static_assert(LIMIT_RULES_MAX <= UINT8_MAX, "a bill names its rules in a byte");

struct limits {
    struct rate_table *tables[LIMIT_MODES];
    uint32_t count, kinds; /* kinds: a bit for each that has a rule */
    uint64_t serial, unmarked;
    struct limit_state states[LIMIT_RULES_MAX];
    struct rate rates[LIMIT_RULES_MAX];
    uint64_t decided[LIMIT_KINDS][LIMIT_DECISIONS][CLASS_COUNT];
};

struct limits *limits_new(void)
{
    struct limits *self = calloc(1, sizeof *self);
    assert(self != NULL);
    for (uint32_t mode = 0; mode < LIMIT_MODES; mode++)
        self->tables[mode] = rate_table_new(RATE_KEYS_MAX);
    return self;
}

void limits_destroy(struct limits **self_p)
{
    assert(self_p != NULL);
    if (*self_p != NULL)
        for (uint32_t mode = 0; mode < LIMIT_MODES; mode++)
            rate_table_destroy(&(*self_p)->tables[mode]);
    free(*self_p);
    *self_p = NULL;
}

static uint32_t index_of(const struct limits *self, enum limit_kind kind, struct bytes name)
{
    uint32_t i = 0;
    while (i < self->count && (self->states[i].rule.kind != kind ||
                               !bytes_equal(name_bytes(&self->states[i].rule.name), name)))
        i++;
    return i;
}

static void note_kinds(struct limits *self)
{
    self->kinds = 0;
    for (uint32_t i = 0; i < self->count; i++)
        self->kinds |= 1u << self->states[i].rule.kind;
}

/* Which mode it is in does not change what has been charged: each has a table of its own. */
static bool has_other_rate(const struct limit_rule *left, const struct limit_rule *right)
{
    return left->count != right->count || left->per_ms != right->per_ms ||
           left->burst != right->burst;
}

enum status limits_put(struct limits *self, const struct limit_rule *rule, bool *ret_new)
{
    assert(rule->burst <= rule->count || rule->count == 0);
    assert(rule->count > 0 || rule->name.size > 0);
    uint32_t at = index_of(self, rule->kind, name_bytes(&rule->name));
    if (at == LIMIT_RULES_MAX)
        return STATUS_BUSY_FULL;
    struct limit_state *state = &self->states[at];
    bool added = at == self->count;
    self->count += added;
    *ret_new = added || !limit_rule_equal(&state->rule, rule);
    if (added || has_other_rate(&state->rule, rule))
        *state = (struct limit_state){.serial = ++self->serial};
    state->rule = *rule;
    self->rates[at] = rate_of(rule->count, rule->per_ms * US_PER_MS, rule->burst);
    note_kinds(self);
    return STATUS_OK;
}

bool limits_remove(struct limits *self, enum limit_kind kind, struct bytes name)
{
    uint32_t at = index_of(self, kind, name);
    if (at == self->count)
        return false;
    self->count--;
    for (uint32_t i = at; i < self->count; i++) { /* in the order in which they came */
        self->states[i] = self->states[i + 1];
        self->rates[i] = self->rates[i + 1];
    }
    note_kinds(self);
    return true;
}

static bool runs_tools(enum role role)
{
    return role == ROLE_TOOL_EXECUTOR || role == ROLE_ARCADE_GATEWAY;
}

/* What a rule of this kind names of a request; false: none of this kind is for it. */
static bool name_in(const struct limit_ask *ask, enum limit_kind kind, struct bytes *ret)
{
    const struct bytes names[LIMIT_KINDS] = {[LIMIT_TENANT] = ask->tenant,
                                             [LIMIT_USER] = ask->user,
                                             [LIMIT_TENANT_ROLE] = bytes_of(role_names[ask->role]),
                                             [LIMIT_METHOD] = ask->method,
                                             [LIMIT_TOOL] = ask->method};
    const bool is_for[LIMIT_KINDS] = {[LIMIT_GLOBAL] = !ask->inner,
                                      [LIMIT_TENANT] = !ask->inner,
                                      [LIMIT_USER] = !ask->inner && ask->user.size > 0,
                                      [LIMIT_TENANT_ROLE] = true,
                                      [LIMIT_METHOD] = true,
                                      [LIMIT_TOOL] = runs_tools(ask->role)};
    *ret = names[kind];
    return is_for[kind];
}

/* The rule for this name, or for each one; count: there is none. */
static uint32_t rule_for(const struct limits *self, enum limit_kind kind, struct bytes name)
{
    uint32_t any = self->count;
    for (uint32_t i = 0; i < self->count; i++) {
        const struct limit_rule *rule = &self->states[i].rule;
        if (rule->kind != kind)
            continue;
        if (rule->name.size == 0)
            any = i;
        else if (bytes_equal(name_bytes(&rule->name), name))
            return i;
    }
    return any;
}

static uint64_t hash(struct bytes bytes, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes.size > 0 ? bytes.data : "", bytes.size, seed);
}

/* Whose number it is. Of a rule that has changed it is another, and the old ones run out. */
static uint64_t key_of(const struct limit_state *state, const struct limit_ask *ask)
{
    uint64_t key = hash((struct bytes){0}, state->serial);
    enum limit_kind kind = state->rule.kind;
    if (kind == LIMIT_TENANT || kind == LIMIT_USER || kind == LIMIT_TENANT_ROLE)
        key = hash(ask->tenant, key);
    if (kind == LIMIT_USER)
        key = hash(ask->user, key);
    if (kind == LIMIT_METHOD || kind == LIMIT_TOOL)
        key = hash(ask->method, key);
    if (kind == LIMIT_METHOD || kind == LIMIT_TOOL || kind == LIMIT_TENANT_ROLE)
        key += (uint64_t)ask->role << 56;
    return key == 0 ? 1 : key;
}

static void add_item(struct limit_bill *bill, uint64_t key, uint32_t rule)
{
    assert(bill->count < LIMIT_KINDS);
    bill->items[bill->count].key = key;
    bill->items[bill->count].rule = (uint8_t)rule;
    bill->count++;
}

static struct rate_table *table_of(struct limits *self, uint32_t rule)
{
    return self->tables[self->states[rule].rule.mode];
}

/* How long it would have to wait for one rule; 0: it may come. */
static int64_t wait_for(struct limits *self, uint32_t rule, uint64_t key, int64_t now_at)
{
    const rate_tat *tat = rate_table_find(table_of(self, rule), key, now_at);
    if (tat == NULL)
        self->unmarked++;
    return tat == NULL ? 0 : rate_wait_us(&self->rates[rule], *tat, now_at);
}

static void count_one(struct limits *self, uint32_t rule, enum limit_decision decision,
                      enum request_class class)
{
    struct limit_state *state = &self->states[rule];
    uint64_t *const counts[LIMIT_DECISIONS] = {[LIMIT_ADMIT] = &state->admitted,
                                               [LIMIT_SHED] = &state->refused,
                                               [LIMIT_WOULD_REJECT] = &state->would_reject};
    (*counts[decision])++;
    self->decided[state->rule.kind][decision][class]++;
}

/* A key that another has taken the place of, since it owed nothing, is put in again. */
static void charge(struct limits *self, struct limit_bill *bill, enum request_class class,
                   int64_t now_at)
{
    for (uint32_t i = 0; i < bill->count; i++) {
        uint32_t rule = bill->items[i].rule;
        rate_tat *tat = rate_table_find(table_of(self, rule), bill->items[i].key, now_at);
        count_one(self, rule, LIMIT_ADMIT, class);
        if (tat != NULL)
            *tat = rate_charge(&self->rates[rule], *tat, now_at);
        else
            bill->items[i].key = 0; /* nothing was charged */
    }
}

bool limits_admit(struct limits *self, const struct limit_ask *ask, int64_t now_at,
                  struct limit_bill *ret_bill, struct limit_refusal *ret_refusal)
{
    uint32_t refusing = self->count;
    ret_bill->count = 0;
    ret_refusal->wait_us = 0;
    for (uint32_t kind = 0; kind < LIMIT_KINDS; kind++) {
        struct bytes name;
        if (!(self->kinds & 1u << kind) || !name_in(ask, (enum limit_kind)kind, &name))
            continue;
        uint32_t rule = rule_for(self, (enum limit_kind)kind, name);
        if (rule == self->count || self->states[rule].rule.count == 0)
            continue;
        uint64_t key = key_of(&self->states[rule], ask);
        int64_t wait_us = wait_for(self, rule, key, now_at);
        if (wait_us == 0) {
            add_item(ret_bill, key, rule);
        } else if (self->states[rule].rule.mode == LIMIT_MONITOR) {
            count_one(self, rule, LIMIT_WOULD_REJECT, ask->class);
        } else if (wait_us > ret_refusal->wait_us) {
            ret_refusal->wait_us = wait_us;
            refusing = rule;
        }
    }
    if (refusing == self->count) {
        charge(self, ret_bill, ask->class, now_at);
        return true;
    }
    count_one(self, refusing, LIMIT_SHED, ask->class);
    ret_bill->count = 0;
    ret_refusal->rule = &self->states[refusing].rule;
    return false;
}

void limits_refund(struct limits *self, const struct limit_bill *bill, enum request_class class,
                   int64_t now_at)
{
    for (uint32_t i = 0; i < bill->count; i++) {
        uint32_t rule = bill->items[i].rule;
        assert(rule < self->count);
        self->states[rule].admitted--;
        self->decided[self->states[rule].rule.kind][LIMIT_ADMIT][class]--;
        if (bill->items[i].key == 0)
            continue;
        rate_tat *tat = rate_table_find(table_of(self, rule), bill->items[i].key, now_at);
        if (tat != NULL && *tat != 0)
            *tat = rate_refund(&self->rates[rule], *tat);
    }
}

uint32_t limits_count(const struct limits *self)
{
    return self->count;
}

const struct limit_state *limits_at(const struct limits *self, uint32_t index)
{
    assert(index < self->count);
    return &self->states[index];
}

const struct limit_state *limits_find(const struct limits *self, enum limit_kind kind,
                                      struct bytes name)
{
    uint32_t at = index_of(self, kind, name);
    return at == self->count ? NULL : &self->states[at];
}

bool limits_remaining(struct limits *self, const struct limit_state *state, int64_t now_at,
                      uint32_t *ret)
{
    const struct limit_rule *rule = &state->rule;
    const struct limit_ask ask = {.tenant = name_bytes(&rule->name)};
    bool single = rule->kind == LIMIT_GLOBAL || (rule->kind == LIMIT_TENANT && rule->name.size > 0);
    if (!single || rule->count == 0)
        return false;
    const rate_tat *tat = rate_table_find(self->tables[rule->mode], key_of(state, &ask), now_at);
    const struct rate *rate = &self->rates[state - self->states];
    *ret = rate_remaining(rate, tat == NULL ? 0 : *tat, now_at);
    return true;
}

uint64_t limits_decided(const struct limits *self, enum limit_kind kind,
                        enum limit_decision decision, enum request_class class)
{
    return self->decided[kind][decision][class];
}

uint64_t limits_unmarked(const struct limits *self)
{
    return self->unmarked;
}

uint32_t limits_keys(const struct limits *self, int64_t now_at)
{
    size_t most = 0;
    for (uint32_t mode = 0; mode < LIMIT_MODES; mode++) {
        size_t count = rate_table_owing(self->tables[mode], now_at);
        most = count > most ? count : most;
    }
    return (uint32_t)most;
}
