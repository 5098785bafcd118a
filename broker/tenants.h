/* tenants - how much of what a tenant had admitted was of the highest class: at most a tenth; and
 * how much of what it asks it has asked before: at most a share. Pure.
 *
 * Owns  TENANTS entries; tenants that share one share its tenth. Requests without a tenant count as
 * one tenant. source: docs/protocol.md, "Classes"; docs/load.md, 2 */
#ifndef BROKER_TENANTS_H
#define BROKER_TENANTS_H

#include "protocol/envelope.h"

#define TENANTS 1024u

struct tenant {
    double all, highest; /* admitted lately: both decay by a tenth in 100 ms */
    double firsts,
        retries; /* that came lately, and those let in; the same: about those of a second */
    int64_t ticked_at;
};

struct tenants {
    struct tenant entries[TENANTS]; /* zeroed at start */
};

/* tenant: absent, it is one too */
struct tenant *tenants_find(struct tenants *self, struct bytes tenant);

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
