/* tenants - see tenants.h. */
#include "broker/tenants.h"

#include <math.h>
#include <xxhash.h>

#define HIGHEST_SHARE 0.1
#define KEPT 0.9         /* of a count ... */
#define KEPT_US 100000.0 /* ... after so long */
#define FORGOTTEN_US 10000000

struct tenant *tenants_find(struct tenants *self, struct bytes tenant)
{
    if (tenant.data == NULL)
        return &self->entries[0];
    return &self->entries[XXH3_64bits(tenant.data, tenant.size) % TENANTS];
}

/* Counts decay in whole steps, so most calls find nothing to do. */
static void decay(struct tenant *self, int64_t now_at)
{
    int64_t idle_us = now_at - self->ticked_at;
    if (idle_us < (int64_t)KEPT_US)
        return;
    double kept = idle_us > FORGOTTEN_US ? 0 : pow(KEPT, (double)idle_us / KEPT_US);
    self->all *= kept;
    self->highest *= kept;
    self->firsts *= kept;
    self->retries *= kept;
    self->ticked_at = now_at;
}

enum request_class tenant_class(struct tenant *self, enum request_class class, int64_t now_at)
{
    decay(self, now_at);
    bool above = self->highest > self->all * HIGHEST_SHARE;
    return class == CLASS_CRITICAL_PLUS && above ? CLASS_CRITICAL : class;
}

void tenant_admitted(struct tenant *self, enum request_class class)
{
    self->all++;
    self->highest += class == CLASS_CRITICAL_PLUS;
}

void tenant_came(struct tenant *self, int64_t now_at)
{
    decay(self, now_at);
    self->firsts++;
}

bool tenant_retries(struct tenant *self, uint32_t percent, uint32_t floor, int64_t now_at)
{
    decay(self, now_at);
    double most = self->firsts * percent / 100;
    if (most < floor)
        most = floor;
    if (self->retries + 1 > most)
        return false;
    self->retries++;
    return true;
}
