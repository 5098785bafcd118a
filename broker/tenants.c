/* tenants - see tenants.h. */
#include "broker/tenants.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define HIGHEST_SHARE 0.1
#define KEPT 0.9         /* of a count ... */
#define KEPT_US 100000.0 /* ... after so long */
#define FORGOTTEN_US 10000000
#define BLANKS " \t"

static bool read_weight(struct tenant_weight *self, struct bytes word, char *reason)
{
    const char *equals = word.data + word.size;
    while (equals > word.data && *--equals != '=')
        ;
    char *end = NULL;
    size_t name_size = (size_t)(equals - word.data);
    unsigned long weight = *equals == '=' ? strtoul(equals + 1, &end, 10) : 0;
    if (name_size == 0 || name_size > NAME_BYTES_MAX || end != word.data + word.size ||
        weight == 0 || weight > TENANT_WEIGHT_MAX) {
        return option_fail(reason, "broker.tenant_weights: '%.*s': write tenant=weight, 1 to %u",
                           (int)(word.size < 40 ? word.size : 40), word.data, TENANT_WEIGHT_MAX);
    }
    self->name = name_of((struct bytes){word.data, name_size});
    self->weight = (uint32_t)weight;
    return true;
}

bool tenant_weights_read(struct tenant_weights *self, const char *text, char *reason)
{
    self->count = 0;
    for (size_t size; *(text += strspn(text, BLANKS)) != '\0'; text += size) {
        size = strcspn(text, BLANKS);
        if (self->count == TENANT_WEIGHTS_MAX)
            return option_fail(reason, "broker.tenant_weights: more than %u tenants",
                               TENANT_WEIGHTS_MAX);
        if (!read_weight(&self->entries[self->count], (struct bytes){text, size}, reason))
            return false;
        self->count++;
    }
    return true;
}

/* Sorted by key, for tenants_weight(). */
static int compare_keys(const void *left, const void *right)
{
    uint64_t keys[] = {((const struct tenant_weight *)left)->key,
                       ((const struct tenant_weight *)right)->key};
    return (keys[0] > keys[1]) - (keys[0] < keys[1]);
}

void tenants_init(struct tenants *self, uint64_t seed)
{
    memset(self, 0, sizeof *self);
    self->seed = seed;
}

void tenants_weigh(struct tenants *self, const struct tenant_weights *weights)
{
    self->weights = *weights;
    for (uint32_t i = 0; i < weights->count; i++)
        self->weights.entries[i].key =
            tenants_key(self, name_bytes(&self->weights.entries[i].name));
    qsort(self->weights.entries, weights->count, sizeof weights->entries[0], compare_keys);
}

uint64_t tenants_key(const struct tenants *self, struct bytes tenant)
{
    uint64_t key =
        tenant.data == NULL ? 0 : XXH3_64bits_withSeed(tenant.data, tenant.size, self->seed);
    return tenant.data != NULL && key == 0 ? 1 : key;
}

uint32_t tenants_weight(const struct tenants *self, uint64_t key)
{
    const struct tenant_weight wanted = {.key = key};
    if (self->weights.count == 0)
        return 1;
    const struct tenant_weight *found =
        bsearch(&wanted, self->weights.entries, self->weights.count, sizeof wanted, compare_keys);
    return found == NULL ? 1 : found->weight;
}

struct tenant *tenants_find(struct tenants *self, uint64_t key)
{
    return &self->entries[key % TENANTS];
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
    assert(class < CLASS_COUNT);
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
