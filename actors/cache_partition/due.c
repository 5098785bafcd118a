/* due - see due.h. Each id knows its place in the heap, each place its id. */
#include "actors/cache_partition/due.h"

#include <assert.h>
#include <stdlib.h>

#define NOWHERE 0u /* so that memory which was never written says so */

struct item {
    int64_t at;
    uint32_t id;
};

struct due {
    uint32_t ids, count;
    uint32_t *places; /* by id, from 1; NOWHERE: it is not in */
    struct item items[];
};

/* In one piece: the items, then the places. */
size_t due_bytes(uint32_t ids)
{
    return sizeof(struct due) + (size_t)ids * (sizeof(struct item) + sizeof(uint32_t));
}

struct due *due_new(uint32_t ids)
{
    assert(ids > 0);
    assert(ids < UINT32_MAX);
    struct due *self = calloc(1, due_bytes(ids)); /* pages that are not needed stay untouched */
    if (self == NULL)
        return NULL;
    self->ids = ids;
    self->places = (uint32_t *)(void *)(self->items + ids);
    return self;
}

void due_destroy(struct due **self)
{
    free(*self);
    *self = NULL;
}

static void put(struct due *self, uint32_t place, struct item item)
{
    self->items[place] = item;
    self->places[item.id] = place + 1;
}

/* Let an item, whose place is free, rise or sink to where it belongs. */
static void settle(struct due *self, uint32_t place, struct item item)
{
    while (place > 0 && self->items[(place - 1) / 2].at > item.at) {
        put(self, place, self->items[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (uint32_t child = 2 * place + 1; child < self->count; child = 2 * place + 1) {
        if (child + 1 < self->count && self->items[child + 1].at < self->items[child].at)
            child++;
        if (self->items[child].at >= item.at)
            break;
        put(self, place, self->items[child]);
        place = child;
    }
    put(self, place, item);
}

void due_set(struct due *self, uint32_t id, int64_t at)
{
    assert(id < self->ids);
    if (self->places[id] == NOWHERE)
        self->places[id] = ++self->count;
    settle(self, self->places[id] - 1, (struct item){at, id});
}

void due_remove(struct due *self, uint32_t id)
{
    assert(id < self->ids);
    if (self->places[id] == NOWHERE)
        return;
    uint32_t place = self->places[id] - 1;
    self->places[id] = NOWHERE;
    struct item last = self->items[--self->count];
    if (place < self->count)
        settle(self, place, last);
}

uint32_t due_count(const struct due *self)
{
    return self->count;
}

uint32_t due_id(const struct due *self, uint32_t place)
{
    assert(place < self->count);
    return self->items[place].id;
}

int64_t due_first_at(const struct due *self)
{
    return self->count == 0 ? INT64_MAX : self->items[0].at;
}
