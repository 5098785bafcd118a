/* broker_operate - ADMIN of limits, breakers and settings: looking, and changing while it runs. A
 * dry run answers what would be, and changes nothing. See docs/operations.md, "Limits". */
#include <stdio.h>
#include <string.h>

#include "actors/runtime/rate_limit.h"
#include "broker/broker_private.h"

#define HINT_BYTES 240u
#define LIMIT_BYTES 16u /* of a number in a list */

/* A reason as a hint: plain characters, and not too long. */
static void refuse_with(struct broker *self, const struct source *from, const struct pair *pair,
                        const char *reason)
{
    char hint[HINT_BYTES];
    size_t size = 0;
    for (; reason[size] != '\0' && size < sizeof hint - 1; size++) {
        bool is_plain = reason[size] >= ' ' && reason[size] <= '~';
        hint[size] = '?';
        if (is_plain)
            hint[size] = reason[size];
    }
    hint[size] = '\0';
    broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST, hint);
}

static void write_limit(struct broker *self, const struct limit_state *state, struct writer *writer)
{
    char target[LIMIT_TARGET_BYTES_MAX], number[LIMIT_BYTES];
    struct writer small;
    uint32_t remaining;
    struct msg_limit limit = {.target = bytes_of(limit_target_write(&state->rule, target)),
                              .limit = state->rule.count,
                              .per_ms = state->rule.per_ms,
                              .burst = state->rule.burst,
                              .mode = bytes_of(limit_mode_names[state->rule.mode]),
                              .admitted = state->admitted,
                              .refused = state->refused,
                              .would_reject = state->would_reject,
                              .generation = self->config.generation};
    writer_init(&small, number, sizeof number);
    if (limits_remaining(self->limits, state, self->now_at, &remaining)) {
        writer_u64(&small, remaining);
        limit.remaining = writer_bytes(&small);
    }
    enum status status = message_write(MSG_LIMIT, &limit, writer);
    assert(status == STATUS_OK);
}

void broker_admin_limits(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct writer writer;
    uint32_t count = limits_count(self->limits);
    writer_init(&writer, self->answer, sizeof self->answer);
    writer_map(&writer, 4);
    writer_cstr(&writer, "limits");
    writer_array(&writer, count);
    for (uint32_t i = 0; i < count; i++)
        write_limit(self, limits_at(self->limits, i), &writer);
    writer_cstr(&writer, "keys");
    writer_u64(&writer, limits_keys(self->limits, self->now_at));
    writer_cstr(&writer, "keys_max");
    writer_u64(&writer, RATE_KEYS_MAX);
    writer_cstr(&writer, "unmarked");
    writer_u64(&writer, limits_unmarked(self->limits));
    broker_reply_question(self, from, pair, writer_bytes(&writer));
}

static bool read_mode(struct bytes text, enum limit_mode *ret)
{
    for (uint32_t mode = 0; mode < LIMIT_MODES; mode++)
        if (bytes_are(text, limit_mode_names[mode])) {
            *ret = (enum limit_mode)mode;
            return true;
        }
    return false;
}

/* The rule that is wanted: what is not said stays as it is; a new one monitors. */
static bool read_limit(struct broker *self, const struct msg_admin_limit *wanted,
                       struct limit_rule *ret, char *reason)
{
    *ret = (struct limit_rule){.mode = LIMIT_MONITOR};
    if (!limit_target_read(wanted->target, ret))
        return option_fail(reason, "target is KIND or KIND:NAME; KIND is global, tenant, user, "
                                   "tenant_role (of a role by its NAME), method or tool");
    const struct limit_state *old = limits_find(self->limits, ret->kind, name_bytes(&ret->name));
    if (old != NULL)
        *ret = old->rule;
    if (wanted->mode.size > 0 && !read_mode(wanted->mode, &ret->mode))
        return option_fail(reason, "mode is monitor or enforce");
    if (wanted->remove && old == NULL)
        return option_fail(reason, "there is no such limit");
    if (wanted->per_ms == 0 && old == NULL)
        return option_fail(reason, "there is no such limit yet: say limit and per_ms");
    if (wanted->limit > LIMIT_COUNT_MAX || wanted->per_ms > LIMIT_PER_MS_MAX ||
        wanted->burst > LIMIT_COUNT_MAX)
        return option_fail(reason, "at most %u in at most %u ms", LIMIT_COUNT_MAX,
                           LIMIT_PER_MS_MAX);
    if (wanted->per_ms > 0) {
        ret->count = (uint32_t)wanted->limit;
        ret->per_ms = (uint32_t)wanted->per_ms;
        ret->burst = 0;
    }
    if (wanted->burst > 0)
        ret->burst = (uint32_t)wanted->burst;
    return limit_rule_check(ret, reason);
}

/* returns  BUSY_FULL: there is no room for one more */
static enum status set_limit(struct broker *self, const struct limit_rule *rule)
{
    bool is_new = false;
    enum status status = limits_put(self->limits, rule, &is_new);
    if (status == STATUS_OK && is_new)
        broker_tell_limit(self, rule, false);
    return status;
}

static void remove_limit(struct broker *self, const struct limit_rule *rule)
{
    bool removed = limits_remove(self->limits, rule->kind, name_bytes(&rule->name));
    assert(removed);
    broker_tell_limit(self, rule, true);
}

void broker_admin_limit_set(struct broker *self, const struct source *from, const struct pair *pair)
{
    char reason[OPTION_REASON_BYTES], target[LIMIT_TARGET_BYTES_MAX];
    struct msg_admin_limit wanted;
    struct limit_rule rule;
    if (message_decode(MSG_ADMIN_LIMIT, pair->body, &wanted) != STATUS_OK) {
        refuse_with(self, from, pair, "limit_set wants {target, limit, per_ms, burst, mode}");
        return;
    }
    if (!read_limit(self, &wanted, &rule, reason)) {
        refuse_with(self, from, pair, reason);
        return;
    }
    if (wanted.remove && !wanted.dry_run) {
        remove_limit(self, &rule);
    } else if (!wanted.dry_run && set_limit(self, &rule) != STATUS_OK) {
        broker_refuse_question(self, from, pair, STATUS_BUSY_FULL, "there are 64: remove one");
        return;
    }
    const struct msg_limit answer = {
        .target = bytes_of(limit_target_write(&rule, target)),
        .limit = rule.count,
        .per_ms = rule.per_ms,
        .burst = rule.burst,
        .mode = bytes_of(wanted.remove ? "removed" : limit_mode_names[rule.mode]),
        .generation = self->config.generation};
    broker_reply_message(self, from, pair, MSG_LIMIT, &answer);
}

/* One that is served, or whose breaker has been in use. */
static bool is_shown(const struct lane *lane)
{
    return !crew_is_empty(&lane->crew) || lane->breaker.rule != NULL;
}

void broker_admin_breakers(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct methods *methods = workers_methods(self->workers);
    struct writer writer;
    uint32_t count = 0;
    for (uint32_t i = 0; i < LANES_MAX; i++)
        count += is_shown(methods_lane(methods, i));
    writer_init(&writer, self->answer, sizeof self->answer);
    writer_map(&writer, 1);
    writer_cstr(&writer, "breakers");
    writer_array(&writer, count);
    for (uint32_t i = 0; i < LANES_MAX; i++) {
        const struct lane *lane = methods_lane(methods, i);
        if (!is_shown(lane))
            continue;
        const struct msg_breaker row = broker_describe_breaker(self, lane);
        enum status status = message_write(MSG_BREAKER, &row, &writer);
        assert(status == STATUS_OK);
    }
    broker_reply_question(self, from, pair, writer_bytes(&writer));
}

static const struct {
    const char *action, *state;
    enum breaker_force force;
} actions[] = {{"trip", "open", BREAKER_FORCE_OPEN}, {"reset", "closed", BREAKER_FORCE_NONE}};

void broker_admin_breaker_set(struct broker *self, const struct source *from,
                              const struct pair *pair)
{
    struct msg_admin_breaker wanted;
    struct methods *methods = workers_methods(self->workers);
    size_t i = 0, count = sizeof actions / sizeof actions[0];
    bool good = message_decode(MSG_ADMIN_BREAKER, pair->body, &wanted) == STATUS_OK;
    while (good && i < count && !bytes_are(wanted.action, actions[i].action))
        i++;
    if (!good || i == count) {
        refuse_with(self, from, pair, "breaker_set wants {role, method, action: trip or reset}");
        return;
    }
    uint32_t at = !broker_serves((uint32_t)wanted.role) || wanted.role >= ROLE_COUNT
                      ? NONE
                      : methods_find(methods, (enum role)wanted.role, wanted.method);
    if (at == NONE) {
        broker_refuse_question(self, from, pair, STATUS_NO_ROLE, "no worker has listed it");
        return;
    }
    struct lane *lane = methods_lane(methods, at);
    if (!wanted.dry_run)
        broker_force_breaker(self, lane, actions[i].force);
    struct msg_breaker answer = broker_describe_breaker(self, lane);
    answer.state = bytes_of(actions[i].state);
    answer.forced = actions[i].force != BREAKER_FORCE_NONE;
    broker_reply_message(self, from, pair, MSG_BREAKER, &answer);
}

void broker_admin_reload(struct broker *self, const struct source *from, const struct pair *pair)
{
    char reason[OPTION_REASON_BYTES] = "";
    struct msg_admin_reload wanted;
    struct policy policy;
    struct writer writer;
    if (message_decode(MSG_ADMIN_RELOAD, pair->body, &wanted) != STATUS_OK) {
        refuse_with(self, from, pair, "reload wants {dry_run}");
        return;
    }
    writer_init(&writer, self->answer, sizeof self->answer);
    enum status status = STATUS_NO_ROLE;
    if (self->outside.reload != NULL)
        status = self->outside.reload(self->outside.self, wanted.dry_run, &policy, &writer, reason);
    if (status == STATUS_OK) {
        broker_reply_question(self, from, pair, writer_bytes(&writer));
        if (!wanted.dry_run)
            broker_set_policy(self, &policy, self->now_at);
    } else if (status == STATUS_BAD_REQUEST) {
        refuse_with(self, from, pair, reason);
    } else {
        broker_refuse_question(self, from, pair, status, NULL);
    }
}
