/* held - see held.h. Chains of indices in a hash table; index 0 is none. */
#include "actors/runtime/held.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct entry {
    struct held_request request;
    uint32_t next; /* in its chain, or among the free */
    bool used;
};

struct held {
    uint32_t max, count, waiting, first_free;
    uint32_t mask;
    uint32_t *chains;
    struct entry *entries; /* from 1 */
};

struct held *held_new(uint32_t held_max)
{
    struct held *self = calloc(1, sizeof *self);
    assert(self != NULL);
    assert(held_max > 0);
    self->max = held_max;
    self->mask = 1;
    while (self->mask < held_max)
        self->mask = 2 * self->mask + 1;
    self->chains = calloc((size_t)self->mask + 1, sizeof *self->chains);
    self->entries = calloc((size_t)held_max + 1, sizeof *self->entries);
    assert(self->chains != NULL);
    assert(self->entries != NULL);
    for (uint32_t i = held_max; i > 0; i--) {
        self->entries[i].next = self->first_free;
        self->first_free = i;
    }
    return self;
}

void held_destroy(struct held **self_p)
{
    if (*self_p == NULL)
        return;
    free((*self_p)->chains);
    free((*self_p)->entries);
    free(*self_p);
    *self_p = NULL;
}

/* Each asker numbers from 1, or says a place with a count beside it (a broker): so the numbers of
 * one lie side by side, in few lines of memory. */
static uint32_t *chain_of(const struct held *self, uint64_t link, uint64_t peer, uint64_t id)
{
    uint64_t asker = (link + peer) * UINT64_C(0x9e3779b97f4a7c15);
    return &self->chains[(asker + (id ^ id >> 32)) & self->mask];
}

static bool is_it(const struct held_request *request, uint64_t link, uint64_t peer, uint64_t id)
{
    return request->id == id && request->peer == peer && request->link == link;
}

/* Where the index of the entry stands; *result 0: it is not there. */
static uint32_t *find(const struct held *self, uint64_t link, uint64_t peer, uint64_t id)
{
    uint32_t *at = chain_of(self, link, peer, id);
    while (*at != 0 && !is_it(&self->entries[*at].request, link, peer, id))
        at = &self->entries[*at].next;
    return at;
}

enum status held_add(struct held *self, const struct held_request *request)
{
    uint32_t *at = find(self, request->link, request->peer, request->id);
    if (*at != 0)
        return STATUS_DUPLICATE_RUNNING;
    if (self->count == self->max)
        return STATUS_BUSY_FULL;
    uint32_t index = self->first_free;
    struct entry *entry = &self->entries[index];
    self->first_free = entry->next;
    *entry = (struct entry){.request = *request, .used = true};
    *at = index;
    self->count++;
    self->waiting += request->waits;
    return STATUS_OK;
}

bool held_remove(struct held *self, uint64_t link, uint64_t peer, uint64_t id,
                 struct held_request *ret)
{
    uint32_t *at = find(self, link, peer, id);
    uint32_t index = *at;
    if (index == 0)
        return false;
    struct entry *entry = &self->entries[index];
    *ret = entry->request;
    self->waiting -= ret->waits;
    *at = entry->next;
    entry->used = false;
    entry->next = self->first_free;
    self->first_free = index;
    self->count--;
    return true;
}

struct held_request *held_find(const struct held *self, uint64_t link, uint64_t peer, uint64_t id)
{
    uint32_t index = *find(self, link, peer, id);
    return index == 0 ? NULL : &self->entries[index].request;
}

const struct held_request *held_next(const struct held *self, uint64_t link, uint64_t peer,
                                     int64_t arrived_until_at, uint32_t *at)
{
    while (*at < self->max) {
        const struct entry *entry = &self->entries[++*at];
        if (entry->used && entry->request.link == link && entry->request.peer == peer &&
            entry->request.arrived_at <= arrived_until_at)
            return &entry->request;
    }
    return NULL;
}

bool held_remove_any(struct held *self, uint64_t link, uint64_t peer, struct held_request *ret)
{
    if (self->count == 0)
        return false;
    for (uint32_t i = 1; i <= self->max; i++) {
        const struct held_request *request = &self->entries[i].request;
        if (self->entries[i].used && request->link == link && request->peer == peer)
            return held_remove(self, link, peer, request->id, ret);
    }
    return false;
}

bool held_remove_waiting(struct held *self, const char *name, struct held_request *ret)
{
    if (self->waiting == 0)
        return false;
    for (uint32_t i = 1; i <= self->max; i++) {
        const struct held_request *request = &self->entries[i].request;
        if (self->entries[i].used && request->waits &&
            memcmp(request->name, name, ANSWERED_NAME_BYTES) == 0)
            return held_remove(self, request->link, request->peer, request->id, ret);
    }
    return false;
}

uint32_t held_count(const struct held *self)
{
    return self->count;
}
