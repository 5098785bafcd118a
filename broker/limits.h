/* limits - whether a request is within the rates, and what is left of them. Pure.
 *
 * Every rule that is for a request is asked before any is charged; what is refused is charged
 * nowhere, and what is refused later for another reason is given back. Who is limited is one number
 * in a table of RATE_KEYS_MAX (actors/runtime/rate_limit.h). If there is no room for one, it is
 * counted and goes by the global limit alone. Rules that only monitor have a table of their own, so
 * that they change nothing. Owns  rules, tables and counts. source: docs/load.md, 5 */
#ifndef BROKER_LIMITS_H
#define BROKER_LIMITS_H

#include "broker/limit_rules.h"

/* What a request is, for limits. Views are borrowed for the call. */
struct limit_ask {
    enum role role;
    enum request_class class;
    struct bytes tenant, user, method; /* user: absent, it has none */
    bool inner; /* part of another request, which has paid for tenant, user and all */
};

/* What one has been charged, to give it back. */
struct limit_bill {
    uint32_t count;
    struct {
        uint64_t key;
        uint8_t rule;
    } items[LIMIT_KINDS];
};

struct limit_refusal {
    const struct limit_rule *rule; /* of those that refuse, the one that does longest */
    int64_t wait_us;               /* until it would be let through, if nobody else came */
};

/* A rule, and what came of it. */
struct limit_state {
    struct limit_rule rule;
    uint64_t serial; /* keys of a rule that has changed are others */
    uint64_t admitted, refused, would_reject;
};

enum limit_decision { LIMIT_ADMIT, LIMIT_SHED, LIMIT_WOULD_REJECT, LIMIT_DECISIONS };

struct limits;

struct limits *limits_new(void);
void limits_destroy(struct limits **self_p);

/* Put a rule in force from now on, in place of the one of its kind and name.
 *
 * rule     checked
 * ret_new  whether anything has changed; a rule that has starts with nothing charged, unless only
 *          its mode is another; written on OK
 * returns  OK; BUSY_FULL: there are LIMIT_RULES_MAX */
MUST_USE enum status limits_put(struct limits *self, const struct limit_rule *rule, bool *ret_new);

/* returns  false: there was none */
bool limits_remove(struct limits *self, enum limit_kind kind, struct bytes name);

/* May it come? Then it has been charged.
 *
 * ret_bill     of what is refused: nothing
 * ret_refusal  written on false */
bool limits_admit(struct limits *self, const struct limit_ask *ask, int64_t now_at,
                  struct limit_bill *ret_bill, struct limit_refusal *ret_refusal);

/* Give it back. In the turn of its charge, and with the same rules. */
void limits_refund(struct limits *self, const struct limit_bill *bill, enum request_class class,
                   int64_t now_at);

uint32_t limits_count(const struct limits *self);
const struct limit_state *limits_at(const struct limits *self, uint32_t index);
const struct limit_state *limits_find(const struct limits *self, enum limit_kind kind,
                                      struct bytes name); /* NULL: none */

/* How many more may come now under a rule that is for one thing alone: GLOBAL, or a TENANT that is
 * named; false: it is for many. */
bool limits_remaining(struct limits *self, const struct limit_state *state, int64_t now_at,
                      uint32_t *ret);

/* Requests by kind, decision and class, since the start. */
uint64_t limits_decided(const struct limits *self, enum limit_kind kind,
                        enum limit_decision decision, enum request_class class);

uint64_t limits_unmarked(const struct limits *self); /* times that there was no room for a key */

/* Keys that owe something, of RATE_KEYS_MAX, in the fuller table. It looks at all of them. */
uint32_t limits_keys(const struct limits *self, int64_t now_at);

#endif
