/* asks - see asks.h. Two hash tables of chains and a binary heap over one array of entries. */
#include "protocol/asks.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX

struct asks {
    uint32_t count, asks_max, mask; /* mask: of the two tables */
    uint32_t free;                  /* chained by next_id */
    uint32_t *by_id, *by_tag;       /* heads of chains */
    uint32_t *heap;                 /* entries, by deadline */
    struct ask_entry waiting, sent; /* heads of circular lists */
    struct ask_entry entries[];
};

struct asks *asks_new(uint32_t asks_max)
{
    assert(asks_max > 0 && asks_max < NONE / 2);
    uint32_t chains = 1;
    while (chains < asks_max)
        chains *= 2;
    struct asks *self = calloc(1, sizeof *self + asks_max * sizeof self->entries[0]);
    assert(self != NULL);
    self->by_id = malloc(chains * sizeof *self->by_id);
    self->by_tag = malloc(chains * sizeof *self->by_tag);
    self->heap = malloc(asks_max * sizeof *self->heap);
    assert(self->by_id != NULL && self->by_tag != NULL && self->heap != NULL);
    memset(self->by_id, 0xff, chains * sizeof *self->by_id);
    memset(self->by_tag, 0xff, chains * sizeof *self->by_tag);
    self->mask = chains - 1;
    self->asks_max = asks_max;
    for (uint32_t i = 0; i < asks_max; i++)
        self->entries[i].next_id = i + 1 < asks_max ? i + 1 : NONE;
    self->waiting.next = self->waiting.previous = &self->waiting;
    self->sent.next = self->sent.previous = &self->sent;
    return self;
}

void asks_destroy(struct asks **self_p)
{
    assert(self_p != NULL);
    struct asks *self = *self_p;
    if (self == NULL)
        return;
    for (uint32_t i = 0; i < self->asks_max; i++)
        free(self->entries[i].pair);
    free(self->by_id);
    free(self->by_tag);
    free(self->heap);
    free(self);
    *self_p = NULL;
}

/* Numbers rise, and tags are a place with a count beside it: so what is open at once lies side by
 * side, in few lines of memory. */
static uint32_t chain_of(const struct asks *self, uint64_t number)
{
    return (uint32_t)(number ^ number >> 32) & self->mask;
}

static uint32_t index_of(const struct asks *self, const struct ask_entry *entry)
{
    return (uint32_t)(entry - self->entries);
}

static void list_remove(struct ask_entry *entry)
{
    entry->previous->next = entry->next;
    entry->next->previous = entry->previous;
}

static void list_append(struct ask_entry *list, struct ask_entry *entry)
{
    entry->next = list;
    entry->previous = list->previous;
    entry->previous->next = entry;
    list->previous = entry;
}

static void heap_set(struct asks *self, uint32_t at, uint32_t index)
{
    self->heap[at] = index;
    self->entries[index].heap_at = at;
}

static int64_t heap_due(const struct asks *self, uint32_t at)
{
    return self->entries[self->heap[at]].due_at;
}

static void heap_up(struct asks *self, uint32_t at)
{
    uint32_t index = self->heap[at];
    int64_t due = self->entries[index].due_at;
    for (; at > 0 && heap_due(self, (at - 1) / 2) > due; at = (at - 1) / 2)
        heap_set(self, at, self->heap[(at - 1) / 2]);
    heap_set(self, at, index);
}

static void heap_down(struct asks *self, uint32_t at)
{
    uint32_t index = self->heap[at];
    int64_t due = self->entries[index].due_at;
    for (uint32_t child; (child = 2 * at + 1) < self->count; at = child) {
        if (child + 1 < self->count && heap_due(self, child + 1) < heap_due(self, child))
            child++;
        if (heap_due(self, child) >= due)
            break;
        heap_set(self, at, self->heap[child]);
    }
    heap_set(self, at, index);
}

struct ask_entry *asks_add(struct asks *self, uint64_t id, uint64_t tag, int64_t deadline_at,
                           int64_t due_at)
{
    assert(due_at >= deadline_at);
    if (self->count == self->asks_max)
        return NULL;
    assert(asks_find_id(self, id) == NULL);
    assert(asks_find_tag(self, tag) == NULL);
    uint32_t index = self->free;
    struct ask_entry *entry = &self->entries[index];
    self->free = entry->next_id;
    *entry = (struct ask_entry){.id = id, .tag = tag, .deadline_at = deadline_at, .due_at = due_at};
    entry->next_id = self->by_id[chain_of(self, id)];
    self->by_id[chain_of(self, id)] = index;
    entry->next_tag = self->by_tag[chain_of(self, tag)];
    self->by_tag[chain_of(self, tag)] = index;
    list_append(&self->waiting, entry);
    self->heap[self->count] = index;
    heap_up(self, self->count++);
    return entry;
}

static void unchain_id(struct asks *self, struct ask_entry *entry)
{
    uint32_t *link = &self->by_id[chain_of(self, entry->id)];
    while (*link != index_of(self, entry))
        link = &self->entries[*link].next_id;
    *link = entry->next_id;
}

static void unchain_tag(struct asks *self, struct ask_entry *entry)
{
    uint32_t *link = &self->by_tag[chain_of(self, entry->tag)];
    while (*link != index_of(self, entry))
        link = &self->entries[*link].next_tag;
    *link = entry->next_tag;
}

void asks_remove(struct asks *self, struct ask_entry *entry)
{
    assert(self->count > 0);
    uint32_t at = entry->heap_at;
    unchain_id(self, entry);
    unchain_tag(self, entry);
    list_remove(entry);
    asks_free_bytes(entry);
    self->count--;
    if (at < self->count) { /* the last takes its place in the heap */
        heap_set(self, at, self->heap[self->count]);
        heap_up(self, at);
        heap_down(self, self->entries[self->heap[at]].heap_at);
    }
    entry->next_id = self->free;
    self->free = index_of(self, entry);
}

void asks_mark_sent(struct asks *self, struct ask_entry *entry, int64_t due_at)
{
    assert(!entry->sent);
    assert(due_at >= entry->deadline_at);
    entry->due_at = due_at;
    heap_down(self, entry->heap_at);
    entry->sent = true;
    list_remove(entry);
    list_append(&self->sent, entry);
}

void asks_keep_bytes(struct ask_entry *entry, struct bytes head, struct bytes body)
{
    assert(entry->pair == NULL);
    entry->size = head.size + body.size;
    entry->pair = malloc(entry->size);
    assert(entry->pair != NULL);
    memcpy(entry->pair, head.data, head.size);
    if (body.size > 0) /* absent bytes have no pointer */
        memcpy(entry->pair + head.size, body.data, body.size);
}

void asks_free_bytes(struct ask_entry *entry)
{
    free(entry->pair);
    entry->pair = NULL;
    entry->size = 0;
}

struct ask_entry *asks_find_id(struct asks *self, uint64_t id)
{
    uint32_t index = self->by_id[chain_of(self, id)];
    while (index != NONE && self->entries[index].id != id)
        index = self->entries[index].next_id;
    return index == NONE ? NULL : &self->entries[index];
}

struct ask_entry *asks_find_tag(struct asks *self, uint64_t tag)
{
    uint32_t index = self->by_tag[chain_of(self, tag)];
    while (index != NONE && self->entries[index].tag != tag)
        index = self->entries[index].next_tag;
    return index == NONE ? NULL : &self->entries[index];
}

struct ask_entry *asks_first_due(const struct asks *self)
{
    return self->count == 0 ? NULL : (struct ask_entry *)&self->entries[self->heap[0]];
}

struct ask_entry *asks_first_waiting(const struct asks *self)
{
    return self->waiting.next == &self->waiting ? NULL : self->waiting.next;
}

struct ask_entry *asks_first_sent(const struct asks *self)
{
    return self->sent.next == &self->sent ? NULL : self->sent.next;
}

struct ask_entry *asks_next_sent(const struct asks *self, const struct ask_entry *entry)
{
    assert(entry->sent);
    return entry->next == &self->sent ? NULL : entry->next;
}

void asks_set_due(struct asks *self, struct ask_entry *entry, int64_t due_at)
{
    assert(entry->sent);
    entry->due_at = due_at;
    heap_up(self, entry->heap_at);
    heap_down(self, entry->heap_at);
}

uint32_t asks_count(const struct asks *self)
{
    return self->count;
}
