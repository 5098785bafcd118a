/* limit_rules - which rates are limited: rows that an operator writes, and how they are written.
 * Pure.
 *
 * A rule is for a kind of thing: for each one of the kind on its own, or for the one that it names,
 * which then is ruled by no other of its kind. As text:
 *
 *   user=60/m           each user 60 a minute, a third of them at once
 *   user=60/m burst 20  20 of them at once
 *   tenant:acme=100/s enforce
 *   tenant:ours=unlimited
 *
 * A new rule only counts what it would refuse, until it is told to enforce: docs/operations.md.
 * source: docs/load.md, 5 */
#ifndef BROKER_LIMIT_RULES_H
#define BROKER_LIMIT_RULES_H

#include "actors/runtime/actor.h" /* struct name */
#include "actors/runtime/options.h"

#define LIMIT_RULES_MAX 64u
#define LIMIT_COUNT_MAX 1000000u
#define LIMIT_PER_MS_MAX 86400000u
#define LIMIT_TARGET_BYTES_MAX (NAME_BYTES_MAX + 16u)

enum limit_kind {
    LIMIT_GLOBAL,      /* all requests */
    LIMIT_TENANT,      /* of a tenant; those without one are one tenant's */
    LIMIT_USER,        /* of an end user of a tenant */
    LIMIT_TENANT_ROLE, /* of a tenant, to one role */
    LIMIT_METHOD,      /* of one method of a role */
    LIMIT_TOOL,        /* the same, of the roles that run tools */
    LIMIT_KINDS
};
extern const char *const limit_kind_names[LIMIT_KINDS];

enum limit_mode { LIMIT_MONITOR, LIMIT_ENFORCE, LIMIT_MODES };
extern const char *const limit_mode_names[LIMIT_MODES];

struct limit_rule {
    enum limit_kind kind;
    enum limit_mode mode;
    struct name name; /* of the one that it is for; absent: for each one. TENANT_ROLE: a role */
    uint32_t count;   /* so many ... ; 0: without a limit, though there is one for the others */
    uint32_t per_ms;  /* ... in so long ... */
    uint32_t burst;   /* ... of them at once, 1 to count */
};

struct limit_rules {
    uint32_t count;
    struct limit_rule rows[LIMIT_RULES_MAX];
};

/* Whom a rule is for: "user", "tenant:acme". ret_rule: kind and name are written on true. */
bool limit_target_read(struct bytes text, struct limit_rule *ret_rule);

/* The same as text: LIMIT_TARGET_BYTES_MAX. */
const char *limit_target_write(const struct limit_rule *rule, char *out);

/* Does a rule make sense? Its burst of 0 becomes a third of its count.
 *
 * reason  OPTION_REASON_BYTES, written only on false */
bool limit_rule_check(struct limit_rule *rule, char *reason);

/* Read what the settings say: a profile's rules, and others, with commas, which go before them.
 *
 * profile  off, fact
 * ret      written whole; unspecified on false
 * reason   as above */
bool limit_rules_read(struct limit_rules *ret, const char *profile, const char *text, char *reason);

/* The rule of this kind and name; NULL: none. */
const struct limit_rule *limit_rules_find(const struct limit_rules *self, enum limit_kind kind,
                                          struct bytes name);

bool limit_rule_equal(const struct limit_rule *left, const struct limit_rule *right);

#endif
