/* chains - a hash table over numbers that stand for entries of the caller's: one array of heads,
 * one of links. The caller hashes and compares. No allocation after chains_init(). */
#ifndef BROKER_CHAINS_H
#define BROKER_CHAINS_H

#include <stdlib.h>

#include "broker/list.h"

struct chains {
    uint32_t *heads; /* mask + 1 of them */
    uint32_t *next;  /* by entry */
    uint32_t mask;
};

/* entries_max: numbers are below it. */
static inline void chains_init(struct chains *self, uint32_t entries_max)
{
    uint32_t heads = 1;
    while (heads < entries_max)
        heads *= 2;
    self->mask = heads - 1;
    self->heads = malloc(heads * sizeof self->heads[0]);
    self->next = malloc(entries_max * sizeof self->next[0]);
    assert(self->heads != NULL);
    assert(self->next != NULL);
    for (uint32_t i = 0; i < heads; i++)
        self->heads[i] = NONE;
}

static inline void chains_fini(struct chains *self)
{
    free(self->heads);
    free(self->next);
}

/* The first entry of a chain; those behind it stand in next[], the last has NONE. */
static inline uint32_t chains_first(const struct chains *self, uint64_t hash)
{
    return self->heads[hash & self->mask];
}

static inline void chains_add(struct chains *self, uint64_t hash, uint32_t entry)
{
    uint32_t *head = &self->heads[hash & self->mask];
    self->next[entry] = *head;
    *head = entry;
}

/* It is in the chain of this hash. */
static inline void chains_remove(struct chains *self, uint64_t hash, uint32_t entry)
{
    uint32_t *link = &self->heads[hash & self->mask];
    while (*link != entry) {
        assert(*link != NONE);
        link = &self->next[*link];
    }
    *link = self->next[entry];
}

#endif
