/* routes - see routes.h. */
#include "actors/client/routes.h"

#include <assert.h>
#include <string.h>

#include "protocol/endpoint.h"
#include "protocol/value.h"

#define FADES_US US_PER_S /* what a reply has told is forgotten after so long */
#define MARGIN_US 1000    /* waits that differ by less are the same */
#define WEIGHT 8          /* a new wait counts an eighth */

/* source: Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014 (its finalizer)
 */
static uint64_t mix(uint64_t bits)
{
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return bits ^ (bits >> 31);
}

static uint64_t order_of(uint64_t seed, const char *endpoint)
{
    uint64_t hash = mix(seed + UINT64_C(0x9e3779b97f4a7c15));
    for (const char *at = endpoint; *at != '\0'; at++)
        hash = mix(hash ^ (uint64_t)(unsigned char)*at);
    return hash;
}

static bool is_known(const struct routes *self, struct bytes endpoint)
{
    const struct route *end = self->entries + self->count;
    for (const struct route *route = self->entries; route < end; route++)
        if (bytes_are(endpoint, route->endpoint) || bytes_are(endpoint, route->name))
            return true;
    return false;
}

static void append(struct routes *self, struct bytes endpoint)
{
    assert(self->count < BROKERS_MAX);
    struct route *route = &self->entries[self->count++];
    *route = (struct route){.tried_at = INT64_MIN,
                            .leaves_until_at = INT64_MIN,
                            .learned_at = INT64_MIN,
                            .admit_level = CLASS_SHEDDABLE};
    memcpy(route->endpoint, endpoint.data, endpoint.size);
    route->order = order_of(self->seed, route->endpoint);
}

bool routes_init(struct routes *self, const char *endpoints, uint64_t seed)
{
    *self = (struct routes){.seed = seed};
    while (*endpoints != '\0') {
        size_t size = strcspn(endpoints, ",");
        struct bytes endpoint = {endpoints, size};
        if (!endpoint_is_good(endpoint) || size > ENDPOINT_BYTES_MAX || self->count == BROKERS_MAX)
            return false;
        append(self, endpoint);
        endpoints += size + (endpoints[size] == ',');
    }
    return self->count > 0;
}

void routes_add(struct routes *self, struct bytes endpoint)
{
    if (endpoint_is_good(endpoint) && endpoint.size <= ENDPOINT_BYTES_MAX &&
        self->count < BROKERS_MAX && !is_known(self, endpoint))
        append(self, endpoint);
}

void routes_give_up(struct routes *self, uint32_t route, bool for_good, int64_t now_at)
{
    assert(route < self->count);
    self->entries[route].tried_at = now_at;
    self->entries[route].refused |= for_good;
}

void routes_forget_same(struct routes *self, uint32_t route)
{
    assert(route < self->count);
    for (uint32_t i = 0; i < self->count; i++)
        self->entries[i].same &= self->entries[i].generation != self->entries[route].generation;
}

static bool is_usable(const struct route *route)
{
    return !route->refused && !route->same;
}

uint32_t routes_next(const struct routes *self)
{
    uint32_t best = ROUTE_NONE;
    for (uint32_t i = 0; i < self->count; i++) {
        const struct route *route = &self->entries[i];
        const struct route *other = best == ROUTE_NONE ? NULL : &self->entries[best];
        if (is_usable(route) && !route->held &&
            (other == NULL || route->tried_at < other->tried_at ||
             (route->tried_at == other->tried_at && route->order > other->order)))
            best = i;
    }
    return best;
}

uint32_t routes_usable(const struct routes *self)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->count; i++)
        count += is_usable(&self->entries[i]);
    return count;
}

/* What is left of what was learned: all at first, nothing after FADES_US. */
static int64_t wait_us(const struct route *route, int64_t now_at)
{
    if (route->learned_at == INT64_MIN || now_at - route->learned_at >= FADES_US)
        return 0;
    return route->queue_us * (FADES_US - (now_at - route->learned_at)) / FADES_US;
}

static bool admits(const struct route *route, enum request_class class, int64_t now_at)
{
    return class <= route->admit_level || now_at - route->learned_at >= FADES_US;
}

void routes_learn(struct routes *self, uint32_t index, const struct header *reply, int64_t now_at)
{
    struct route *route = &self->entries[index];
    assert(index < self->count);
    int64_t before_us = wait_us(route, now_at);
    route->queue_us =
        (uint32_t)(before_us + ((int64_t)reply->queue_us - before_us + WEIGHT - 1) / WEIGHT);
    route->admit_level = reply->admit_level;
    route->learned_at = now_at;
    if (reply->status == STATUS_DRAINING && route->leaves_until_at < now_at)
        route->leaves_until_at = now_at + FADES_US;
}

bool routes_prefers(const struct routes *self, uint32_t second, uint32_t first,
                    enum request_class class, int64_t now_at)
{
    const struct route *one = &self->entries[first], *other = &self->entries[second];
    bool one_leaves = now_at < one->leaves_until_at, other_leaves = now_at < other->leaves_until_at;
    if (one_leaves != other_leaves)
        return one_leaves;
    bool one_admits = admits(one, class, now_at), other_admits = admits(other, class, now_at);
    if (one_admits != other_admits)
        return other_admits;
    int64_t ours_us = wait_us(one, now_at), theirs_us = wait_us(other, now_at);
    if (ours_us > 2 * theirs_us + MARGIN_US || theirs_us > 2 * ours_us + MARGIN_US)
        return theirs_us < ours_us;
    return other->order > one->order;
}
