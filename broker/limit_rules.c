/* limit_rules - see limit_rules.h. */
#include "broker/limit_rules.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#define RULE_BYTES_MAX 160u
#define WORDS_MAX 5u /* of one: RATE burst N MODE, and one too many */
#define BURST_PART 3u

const char *const limit_kind_names[LIMIT_KINDS] = {
    [LIMIT_GLOBAL] = "global",           [LIMIT_TENANT] = "tenant", [LIMIT_USER] = "user",
    [LIMIT_TENANT_ROLE] = "tenant_role", [LIMIT_METHOD] = "method", [LIMIT_TOOL] = "tool"};

const char *const limit_mode_names[LIMIT_MODES] = {
    [LIMIT_MONITOR] = "monitor", [LIMIT_ENFORCE] = "enforce"};

/* source: docs/load.md, 5. Who asks for a profile by name wants it enforced. */
static const struct {
    const char *name, *rules;
} profiles[] = {
    {"off", ""},
    {"fact", "global=1000/m enforce, user=60/m burst 20 enforce, tool=30/m enforce"},
};

static const struct {
    const char *name;
    uint32_t per_ms;
} units[] = {{"/s", 1000}, {"/m", 60000}, {"/h", 3600000}, {"/d", 86400000}};

static bool is_role(struct bytes name)
{
    for (uint32_t role = ROLE_DRIVER; role < ROLE_COUNT; role++)
        if (role != ROLE_CLIENT && bytes_are(name, role_names[role]))
            return true;
    return false;
}

bool limit_target_read(struct bytes text, struct limit_rule *ret_rule)
{
    const char *colon = text.size == 0 ? NULL : memchr(text.data, ':', text.size);
    struct bytes kind = {text.data, colon == NULL ? text.size : (size_t)(colon - text.data)};
    struct bytes name = {0};
    uint32_t i = 0;
    if (colon != NULL)
        name = (struct bytes){colon + 1, text.size - kind.size - 1};
    while (i < LIMIT_KINDS && !bytes_are(kind, limit_kind_names[i]))
        i++;
    if (i == LIMIT_KINDS || (colon != NULL && name.size == 0) || name.size > NAME_BYTES_MAX)
        return false;
    if (name.size > 0 && (i == LIMIT_GLOBAL || (i == LIMIT_TENANT_ROLE && !is_role(name))))
        return false;
    ret_rule->kind = (enum limit_kind)i;
    ret_rule->name = name_of(name);
    return true;
}

const char *limit_target_write(const struct limit_rule *rule, char *out)
{
    (void)snprintf(out, LIMIT_TARGET_BYTES_MAX, "%s%s%.*s", limit_kind_names[rule->kind],
                   rule->name.size > 0 ? ":" : "", (int)rule->name.size, rule->name.data);
    return out;
}

bool limit_rule_check(struct limit_rule *rule, char *reason)
{
    char target[LIMIT_TARGET_BYTES_MAX];
    (void)limit_target_write(rule, target);
    if (rule->count == 0 && rule->name.size == 0)
        return option_fail(reason, "limit %s: unlimited is only for one that is named", target);
    if (rule->count > LIMIT_COUNT_MAX || rule->per_ms == 0 || rule->per_ms > LIMIT_PER_MS_MAX)
        return option_fail(reason, "limit %s: it is at most %u in at most %u ms", target,
                           LIMIT_COUNT_MAX, LIMIT_PER_MS_MAX);
    if (rule->burst == 0)
        rule->burst = (rule->count + BURST_PART - 1) / BURST_PART;
    if (rule->burst > rule->count)
        return option_fail(reason, "limit %s: its burst is 1 to %u", target, rule->count);
    return true;
}

static bool read_number(const char *text, uint32_t *ret, const char **ret_end)
{
    char *end;
    unsigned long long number = strtoull(text, &end, 10);
    if (!isdigit((unsigned char)text[0]) || number == 0 || number > LIMIT_COUNT_MAX)
        return false;
    *ret = (uint32_t)number;
    *ret_end = end;
    return true;
}

static bool read_rate(const char *text, struct limit_rule *rule)
{
    const char *end;
    if (strcmp(text, "unlimited") == 0) {
        rule->per_ms = 1000;
        return true;
    }
    if (!read_number(text, &rule->count, &end))
        return false;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(end, units[i].name) == 0)
            rule->per_ms = units[i].per_ms;
    return rule->per_ms > 0;
}

static bool read_mode(const char *text, enum limit_mode *ret)
{
    for (uint32_t mode = 0; mode < LIMIT_MODES; mode++)
        if (strcmp(text, limit_mode_names[mode]) == 0) {
            *ret = (enum limit_mode)mode;
            return true;
        }
    return false;
}

/* RATE [burst N] [MODE] */
static bool read_terms(char *text, struct limit_rule *rule)
{
    char *words[WORDS_MAX], *rest = text, *word;
    const char *end;
    size_t count = 0, at = 1;
    while (count < WORDS_MAX && (word = strtok_r(count == 0 ? text : NULL, " ", &rest)) != NULL)
        words[count++] = word;
    if (count == 0 || count == WORDS_MAX || !read_rate(words[0], rule))
        return false;
    if (at + 1 < count && strcmp(words[at], "burst") == 0) {
        if (!read_number(words[at + 1], &rule->burst, &end) || *end != '\0')
            return false;
        at += 2;
    }
    if (at < count && read_mode(words[at], &rule->mode))
        at++;
    return at == count;
}

static bool read_rule(const char *text, size_t size, struct limit_rule *ret, char *reason)
{
    char copy[RULE_BYTES_MAX];
    *ret = (struct limit_rule){.mode = LIMIT_MONITOR};
    if (size >= sizeof copy)
        return option_fail(reason, "broker.limits: '%.40s ...' is too long for one rule", text);
    memcpy(copy, text, size);
    copy[size] = '\0';
    char *terms = strchr(copy, '=');
    if (terms != NULL)
        *terms++ = '\0';
    if (terms == NULL || !limit_target_read(bytes_of(copy), ret))
        return option_fail(reason,
                           "broker.limits: '%.*s' is not KIND[:NAME]=RATE; KIND is global, tenant, "
                           "user, tenant_role (of a role by its NAME), method or tool",
                           (int)size, text);
    if (!read_terms(terms, ret))
        return option_fail(
            reason,
            "broker.limits: '%.*s': its rate is COUNT/s, /m, /h or /d, or unlimited, "
            "then perhaps burst N, then perhaps monitor or enforce",
            (int)size, text);
    return limit_rule_check(ret, reason);
}

/* The row for a rule: the one that it replaces, or a new one; NULL: there is no room. */
static struct limit_rule *place_of(struct limit_rules *self, const struct limit_rule *rule)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->rows[i].kind == rule->kind &&
            bytes_equal(name_bytes(&self->rows[i].name), name_bytes(&rule->name)))
            return &self->rows[i];
    return self->count < LIMIT_RULES_MAX ? &self->rows[self->count++] : NULL;
}

static bool read_rules(struct limit_rules *self, const char *text, char *reason)
{
    while (*text != '\0') {
        struct limit_rule rule;
        text += strspn(text, " ,");
        size_t size = strcspn(text, ",");
        if (size == 0)
            break;
        if (!read_rule(text, size, &rule, reason))
            return false;
        struct limit_rule *place = place_of(self, &rule);
        if (place == NULL)
            return option_fail(reason, "broker.limits: more than %u rules", LIMIT_RULES_MAX);
        *place = rule;
        text += size;
    }
    return true;
}

bool limit_rules_read(struct limit_rules *ret, const char *profile, const char *text, char *reason)
{
    size_t i = 0, count = sizeof profiles / sizeof profiles[0];
    *ret = (struct limit_rules){0};
    while (i < count && strcmp(profiles[i].name, profile) != 0)
        i++;
    if (i == count)
        return option_fail(reason, "broker.limits_profile: '%.32s' is not off or fact", profile);
    return read_rules(ret, profiles[i].rules, reason) && read_rules(ret, text, reason);
}

const struct limit_rule *limit_rules_find(const struct limit_rules *self, enum limit_kind kind,
                                          struct bytes name)
{
    for (uint32_t i = 0; i < self->count; i++)
        if (self->rows[i].kind == kind && bytes_equal(name_bytes(&self->rows[i].name), name))
            return &self->rows[i];
    return NULL;
}

bool limit_rule_equal(const struct limit_rule *left, const struct limit_rule *right)
{
    return left->kind == right->kind && left->mode == right->mode &&
           bytes_equal(name_bytes(&left->name), name_bytes(&right->name)) &&
           left->count == right->count && left->per_ms == right->per_ms &&
           left->burst == right->burst;
}
