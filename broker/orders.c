/* orders - see orders.h. The first of each line stands in a chain of a hash table; it knows the
 * last. */
#include "broker/orders.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "broker/list.h"

struct place_in_line {
    bool taken, first;
    uint32_t lane;
    uint64_t tenant, key; /* tenant: a hash of it; two that are alike wait for each other */
    uint32_t chained;     /* of a first: the next first in its chain */
    uint32_t last, count; /* of a first: its line */
    uint32_t next, previous;
};

struct orders {
    uint32_t slots_max, mask, waiting;
    uint64_t seed;
    uint32_t *chains;
    struct place_in_line places[];
};

struct orders *orders_new(uint32_t slots_max, uint64_t seed)
{
    assert(slots_max > 0);
    struct orders *self = calloc(1, sizeof *self + slots_max * sizeof self->places[0]);
    assert(self != NULL);
    self->slots_max = slots_max;
    self->seed = seed;
    for (self->mask = 1; self->mask < slots_max; self->mask = 2 * self->mask + 1)
        ;
    self->chains = malloc(((size_t)self->mask + 1) * sizeof self->chains[0]);
    assert(self->chains != NULL);
    memset(self->chains, UINT8_MAX, ((size_t)self->mask + 1) * sizeof self->chains[0]);
    return self;
}

void orders_destroy(struct orders **self_p)
{
    assert(self_p != NULL);
    if (*self_p == NULL)
        return;
    free((*self_p)->chains);
    free(*self_p);
    *self_p = NULL;
}

static uint32_t *chain_of(struct orders *self, const struct place_in_line *place)
{
    const uint64_t parts[] = {place->lane, place->tenant, place->key};
    return &self->chains[XXH3_64bits_withSeed(parts, sizeof parts, self->seed) & self->mask];
}

static bool is_same(const struct place_in_line *left, const struct place_in_line *right)
{
    return left->lane == right->lane && left->tenant == right->tenant && left->key == right->key;
}

static struct place_in_line place_of(const struct orders *self, uint32_t lane, struct bytes tenant,
                                     uint64_t key)
{
    return (struct place_in_line){.taken = true,
                                  .lane = lane,
                                  .tenant =
                                      XXH3_64bits_withSeed(tenant.data, tenant.size, self->seed),
                                  .key = key,
                                  .count = 1,
                                  .next = NONE,
                                  .previous = NONE};
}

/* The first of the same line; NONE: there is none. */
static uint32_t find_first(struct orders *self, const struct place_in_line *place)
{
    uint32_t at = *chain_of(self, place);
    while (at != NONE && !is_same(&self->places[at], place))
        at = self->places[at].chained;
    return at;
}

enum turn orders_ask(struct orders *self, uint32_t lane, struct bytes tenant, uint64_t key)
{
    struct place_in_line place = place_of(self, lane, tenant, key);
    uint32_t first = find_first(self, &place);
    if (first == NONE)
        return TURN_NOW;
    return self->places[first].count == ORDER_LINE_MAX ? TURN_NEVER : TURN_LATER;
}

enum turn orders_join(struct orders *self, uint32_t slot, uint32_t lane, struct bytes tenant,
                      uint64_t key)
{
    assert(slot < self->slots_max);
    assert(!self->places[slot].taken);
    struct place_in_line place = place_of(self, lane, tenant, key);
    uint32_t at = find_first(self, &place);
    place.last = slot;
    if (at == NONE) {
        uint32_t *chain = chain_of(self, &place);
        place.first = true;
        place.chained = *chain;
        *chain = slot;
        self->places[slot] = place;
        return TURN_NOW;
    }
    struct place_in_line *first = &self->places[at];
    if (first->count == ORDER_LINE_MAX)
        return TURN_NEVER;
    place.previous = first->last;
    self->places[first->last].next = slot;
    first->last = slot;
    first->count++;
    self->waiting++;
    self->places[slot] = place;
    return TURN_LATER;
}

/* The one behind takes over what the first knows of the line. */
static uint32_t leave_first(struct orders *self, uint32_t slot)
{
    struct place_in_line *first = &self->places[slot];
    uint32_t *link = chain_of(self, first), next = first->next;
    while (*link != slot)
        link = &self->places[*link].chained;
    *link = first->chained;
    if (next == NONE)
        return NONE;
    struct place_in_line *heir = &self->places[next];
    heir->first = true;
    heir->previous = NONE;
    heir->last = first->last;
    heir->count = first->count - 1;
    heir->chained = *link;
    *link = next;
    self->waiting--;
    return next;
}

static void leave_middle(struct orders *self, uint32_t slot)
{
    struct place_in_line *place = &self->places[slot];
    uint32_t at = slot;
    while (!self->places[at].first) /* ORDER_LINE_MAX at most */
        at = self->places[at].previous;
    struct place_in_line *first = &self->places[at];
    self->places[place->previous].next = place->next;
    if (place->next != NONE)
        self->places[place->next].previous = place->previous;
    else
        first->last = place->previous;
    first->count--;
    self->waiting--;
}

uint32_t orders_leave(struct orders *self, uint32_t slot)
{
    assert(orders_is_in(self, slot));
    uint32_t next = NONE;
    if (self->places[slot].first)
        next = leave_first(self, slot);
    else
        leave_middle(self, slot);
    self->places[slot].taken = false;
    return next;
}

bool orders_is_in(const struct orders *self, uint32_t slot)
{
    assert(slot < self->slots_max);
    return self->places[slot].taken;
}

uint32_t orders_waiting(const struct orders *self)
{
    return self->waiting;
}

uint32_t orders_longest_chain(const struct orders *self)
{
    uint32_t longest = 0;
    for (uint32_t chain = 0; chain <= self->mask; chain++) {
        uint32_t length = 0;
        for (uint32_t at = self->chains[chain]; at != NONE; at = self->places[at].chained)
            length++;
        longest = length > longest ? length : longest;
    }
    return longest;
}
