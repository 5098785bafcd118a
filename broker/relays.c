/* relays - see relays.h. */
#include "broker/relays.h"

#include <assert.h>
#include <stddef.h>

#define FIRST (UINT64_C(1) << 31) /* of the high half; slots are fewer */

_Static_assert(SLOTS_MAX < FIRST, "no relay looks like a request");

struct relay *relays_add(struct relays *self, uint32_t asker, uint64_t asker_id, uint32_t worker)
{
    struct relay *relay = self->entries;
    while (relay < self->entries + RELAYS_MAX && relay->taken)
        relay++;
    if (relay == self->entries + RELAYS_MAX)
        return NULL;
    *relay = (struct relay){.taken = true,
                            .generation = self->generation++,
                            .asker = asker,
                            .worker = worker,
                            .asker_id = asker_id};
    return relay;
}

uint32_t relays_index(const struct relays *self, const struct relay *relay)
{
    assert(relay >= self->entries);
    assert(relay < self->entries + RELAYS_MAX);
    return (uint32_t)(relay - self->entries);
}

uint64_t relays_id(const struct relays *self, const struct relay *relay)
{
    return (FIRST + relays_index(self, relay)) << 32 | relay->generation;
}

bool relays_is_id(uint64_t id)
{
    return id >> 32 >= FIRST;
}

struct relay *relays_find(struct relays *self, uint64_t id)
{
    if (!relays_is_id(id) || (id >> 32) - FIRST >= RELAYS_MAX)
        return NULL;
    struct relay *relay = &self->entries[(id >> 32) - FIRST];
    return relay->taken && relay->generation == (uint32_t)id ? relay : NULL;
}
