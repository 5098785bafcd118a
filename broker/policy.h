/* policy - what of the broker's settings may change while it runs. Pure.
 *
 * Read as a whole or not at all, so that a reload is too. */
#ifndef BROKER_POLICY_H
#define BROKER_POLICY_H

#include "actors/runtime/breaker.h"
#include "actors/runtime/settings.h"
#include "broker/concurrency.h"
#include "broker/limit_rules.h"
#include "broker/tenants.h"

struct policy {
    struct limit_rules limits;
    struct tenant_weights weights;
    const struct breaker_rule *breaker; /* NULL: there are none */
    uint32_t retry_percent;             /* of a tenant's first attempts, as retries ... */
    uint32_t retry_floor;               /* ... or so many a second */
    struct concurrency_rule concurrency[ROLE_COUNT];
};

/* reason  SETTINGS_REASON_BYTES, written only on false; then ret is unspecified */
bool policy_read(const struct settings *settings, struct policy *ret, char *reason);

/* As options.def has it. */
struct policy policy_default(void);

#endif
