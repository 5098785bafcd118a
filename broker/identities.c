/* identities - see identities.h. A row of chains over one array of entries. */
#include "broker/identities.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "actors/runtime/actor.h" /* struct name */
#include "broker/list.h"

struct entry {
    enum role role; /* ROLE_NONE: free */
    uint32_t holder, next;
    struct name method, tenant;
    char key[IDEMPOTENCY_KEY_BYTES];
    uint64_t content;
};

struct identities {
    uint64_t seed;
    uint32_t max, count, first_free, mask;
    uint32_t *chains;
    struct entry entries[];
};

struct identities *identities_new(uint32_t identities_max, uint64_t seed)
{
    assert(identities_max > 0);
    struct identities *self =
        calloc(1, sizeof *self + (size_t)identities_max * sizeof self->entries[0]);
    assert(self != NULL);
    self->seed = seed;
    self->max = identities_max;
    for (self->mask = 1; self->mask < identities_max; self->mask = 2 * self->mask + 1)
        ;
    self->chains = malloc(((size_t)self->mask + 1) * sizeof self->chains[0]);
    assert(self->chains != NULL);
    memset(self->chains, UINT8_MAX, ((size_t)self->mask + 1) * sizeof self->chains[0]);
    for (uint32_t at = 0; at < identities_max; at++)
        self->entries[at].next = at + 1 < identities_max ? at + 1 : NONE;
    return self;
}

void identities_destroy(struct identities **self_p)
{
    assert(self_p != NULL);
    if (*self_p == NULL)
        return;
    free((*self_p)->chains);
    free(*self_p);
    *self_p = NULL;
}

/* Whom it is asked for belongs to what is asked; how, and how long it may take, does not. */
struct identity identities_of(const struct identities *self, const struct header *header,
                              struct bytes body)
{
    struct bytes user = {0};
    assert(header->idempotency_key.size == IDEMPOTENCY_KEY_BYTES);
    if (!value_text(value_find(header->extension, "user"), &user))
        user = (struct bytes){0};
    uint64_t content = XXH3_64bits_withSeed(user.data, user.size, self->seed);
    return (struct identity){.role = (enum role)header->role,
                             .method = header->method,
                             .tenant = header->tenant,
                             .key = header->idempotency_key,
                             .content = XXH3_64bits_withSeed(body.data, body.size, content)};
}

/* Keys are random, but only where their clients mean well. */
static uint32_t *chain_of(const struct identities *self, struct bytes key)
{
    return &self->chains[XXH3_64bits_withSeed(key.data, key.size, self->seed) & self->mask];
}

static bool is_it(const struct entry *entry, const struct identity *identity)
{
    return entry->role == identity->role &&
           memcmp(entry->key, identity->key.data, IDEMPOTENCY_KEY_BYTES) == 0 &&
           bytes_equal(name_bytes(&entry->method), identity->method) &&
           bytes_equal(name_bytes(&entry->tenant), identity->tenant);
}

uint32_t identities_find(const struct identities *self, const struct identity *identity)
{
    uint32_t at = *chain_of(self, identity->key);
    while (at != NONE && !is_it(&self->entries[at], identity))
        at = self->entries[at].next;
    return at;
}

uint32_t identities_add(struct identities *self, const struct identity *identity, uint32_t holder)
{
    assert(identity->role != ROLE_NONE);
    assert(identities_find(self, identity) == NONE);
    uint32_t at = self->first_free, *chain = chain_of(self, identity->key);
    if (at == NONE)
        return NONE;
    struct entry *entry = &self->entries[at];
    self->first_free = entry->next;
    *entry = (struct entry){.role = identity->role,
                            .holder = holder,
                            .next = *chain,
                            .method = name_of(identity->method),
                            .tenant = name_of(identity->tenant),
                            .content = identity->content};
    memcpy(entry->key, identity->key.data, IDEMPOTENCY_KEY_BYTES);
    *chain = at;
    self->count++;
    return at;
}

void identities_remove(struct identities *self, uint32_t entry)
{
    assert(entry < self->max);
    assert(self->entries[entry].role != ROLE_NONE);
    struct bytes key = {self->entries[entry].key, IDEMPOTENCY_KEY_BYTES};
    uint32_t *link = chain_of(self, key);
    while (*link != entry)
        link = &self->entries[*link].next;
    *link = self->entries[entry].next;
    self->entries[entry] = (struct entry){.next = self->first_free};
    self->first_free = entry;
    self->count--;
}

uint32_t identities_holder(const struct identities *self, uint32_t entry)
{
    assert(entry < self->max);
    assert(self->entries[entry].role != ROLE_NONE);
    return self->entries[entry].holder;
}

void identities_move(struct identities *self, uint32_t entry, uint32_t holder)
{
    assert(entry < self->max);
    assert(self->entries[entry].role != ROLE_NONE);
    self->entries[entry].holder = holder;
}

bool identities_agrees(const struct identities *self, uint32_t entry,
                       const struct identity *identity)
{
    assert(entry < self->max);
    assert(is_it(&self->entries[entry], identity));
    return self->entries[entry].content == identity->content;
}

uint32_t identities_count(const struct identities *self)
{
    return self->count;
}
