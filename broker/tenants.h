/* tenants - who asks, for the broker: a key for each, how long its turns are, that at most a tenth
 * of what it had admitted is of the highest class, and at most a share of what it asks was asked
 * before. Pure.
 *
 * Owns  TENANTS entries; tenants that share one share its tenth. Requests without a tenant count as
 * one tenant. source: docs/protocol.md, "Classes"; docs/load.md, 2 */
#ifndef BROKER_TENANTS_H
#define BROKER_TENANTS_H

#include "actors/runtime/actor.h" /* struct name */
#include "actors/runtime/settings.h"
#include "protocol/limits.h"

#define TENANTS 1024u

/* Those whose turns are not of one request. */
struct tenant_weights {
    uint32_t count;
    struct tenant_weight {
        struct name name;
        uint64_t key; /* set by tenants_weigh() */
        uint32_t weight;
    } entries[TENANT_WEIGHTS_MAX];
};

/* Read a setting: name=weight, with blanks between.
 *
 * reason   SETTINGS_REASON_BYTES: what to mend; written if it returns false */
MUST_USE bool tenant_weights_read(struct tenant_weights *self, const char *text, char *reason);

struct tenant {
    double all, highest; /* admitted lately: both decay by a tenth in 100 ms */
    double firsts,
        retries; /* that came lately, and those let in; the same: about those of a second */
    int64_t ticked_at;
};

struct tenants {
    uint64_t seed; /* so that nobody can choose whose entries and queues he shares */
    struct tenant_weights weights;
    struct tenant entries[TENANTS];
};

void tenants_init(struct tenants *self, uint64_t seed);
void tenants_weigh(struct tenants *self, const struct tenant_weights *weights); /* copied */

uint64_t tenants_key(const struct tenants *self, struct bytes tenant); /* absent: 0 */
uint32_t tenants_weight(const struct tenants *self, uint64_t key);
struct tenant *tenants_find(struct tenants *self, uint64_t key);

/* The class that a request of this one goes as. */
enum request_class tenant_class(struct tenant *self, enum request_class class, int64_t now_at);

/* A first attempt came. */
void tenant_came(struct tenant *self, int64_t now_at);

/* May a retry come? Then it counts.
 *
 * percent  of the first attempts
 * floor    a second, that always may */
bool tenant_retries(struct tenant *self, uint32_t percent, uint32_t floor, int64_t now_at);

/* It was admitted as this. */
void tenant_admitted(struct tenant *self, enum request_class class);

#endif
