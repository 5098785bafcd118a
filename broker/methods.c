/* methods - see methods.h. The lanes of `*` come first, by role; the others in chains by hash. */
#include "broker/methods.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "broker/list.h"

#define CHAINS 2048u
#define ANY "*"

_Static_assert(CHAINS >= METHODS_KNOWN_MAX, "chains are short");
_Static_assert(WORKERS_MAX % 64 == 0, "a crew is whole words");

struct methods {
    uint32_t chains[CHAINS];
    struct lane lanes[LANES_MAX];
    uint32_t used; /* lanes from here on were never taken */
};

struct methods *methods_new(void)
{
    struct methods *self = calloc(1, sizeof *self);
    assert(self != NULL);
    memset(self->chains, UINT8_MAX, sizeof self->chains);
    self->used = ROLE_COUNT;
    for (uint32_t role = 0; role < ROLE_COUNT; role++) {
        self->lanes[role].role = (enum role)role;
        self->lanes[role].name = name_of(bytes_of(ANY));
        self->lanes[role].next = NONE;
    }
    return self;
}

void methods_destroy(struct methods **self_p)
{
    assert(self_p != NULL);
    free(*self_p);
    *self_p = NULL;
}

static uint32_t chain_of(enum role role, struct bytes name)
{
    return XXH3_64bits_withSeed(name.data, name.size, role) % CHAINS;
}

static uint32_t find_own(const struct methods *self, enum role role, struct bytes name)
{
    uint32_t at = self->chains[chain_of(role, name)];
    while (at != NONE &&
           (self->lanes[at].role != role || !bytes_equal(name_bytes(&self->lanes[at].name), name)))
        at = self->lanes[at].next;
    return at;
}

uint32_t methods_find(const struct methods *self, enum role role, struct bytes name)
{
    uint32_t own = find_own(self, role, name);
    if (own != NONE || crew_is_empty(&self->lanes[role].crew))
        return own;
    return role;
}

/* One that nobody serves and nobody waits for. Looked for only when all are taken. */
static uint32_t evict(struct methods *self)
{
    uint32_t at = ROLE_COUNT;
    while (at < LANES_MAX && (!crew_is_empty(&self->lanes[at].crew) || self->lanes[at].waiting > 0))
        at++;
    if (at == LANES_MAX)
        return NONE;
    struct lane *lane = &self->lanes[at];
    uint32_t *link = &self->chains[chain_of(lane->role, name_bytes(&lane->name))];
    while (*link != at)
        link = &self->lanes[*link].next;
    *link = lane->next;
    return at;
}

static uint32_t add(struct methods *self, enum role role, struct bytes name)
{
    uint32_t at = self->used < LANES_MAX ? self->used++ : evict(self);
    if (at == NONE)
        return NONE;
    uint32_t *chain = &self->chains[chain_of(role, name)];
    struct estimates start;
    estimates_init(&start, role);
    self->lanes[at] = (struct lane){.role = role,
                                    .name = name_of(name),
                                    .time = start.time,
                                    .service = start.time,
                                    .chunk_worker = NONE,
                                    .next = *chain};
    *chain = at;
    return at;
}

uint32_t methods_serve(struct methods *self, enum role role, struct bytes name, uint32_t worker)
{
    uint32_t at = bytes_are(name, ANY) ? (uint32_t)role : find_own(self, role, name);
    if (at == NONE)
        at = add(self, role, name);
    if (at != NONE)
        crew_put(&self->lanes[at].crew, worker, true);
    return at;
}

void methods_leave(struct methods *self, uint32_t lane, uint32_t worker)
{
    crew_put(&methods_lane(self, lane)->crew, worker, false);
}

struct lane *methods_lane(struct methods *self, uint32_t lane)
{
    assert(lane < LANES_MAX);
    return &self->lanes[lane];
}

uint32_t methods_count(const struct methods *self)
{
    return self->used - ROLE_COUNT;
}

struct crew methods_crew(const struct methods *self, uint32_t lane)
{
    assert(lane < LANES_MAX);
    struct crew crew = self->lanes[lane].crew;
    const struct crew *any = &self->lanes[self->lanes[lane].role].crew;
    for (unsigned i = 0; i < WORKER_WORDS; i++)
        crew.words[i] |= any->words[i];
    return crew;
}

void crew_put(struct crew *self, uint32_t worker, bool in)
{
    assert(worker < WORKERS_MAX);
    uint64_t bit = UINT64_C(1) << worker % 64;
    uint64_t *word = &self->words[worker / 64];
    *word = in ? *word | bit : *word & ~bit;
}

bool crew_has(const struct crew *self, uint32_t worker)
{
    assert(worker < WORKERS_MAX);
    return self->words[worker / 64] >> worker % 64 & 1;
}

struct crew crew_both(const struct crew *left, const struct crew *right)
{
    struct crew both;
    for (unsigned i = 0; i < WORKER_WORDS; i++)
        both.words[i] = left->words[i] & right->words[i];
    return both;
}

uint32_t crew_count(const struct crew *self)
{
    uint32_t count = 0;
    for (unsigned i = 0; i < WORKER_WORDS; i++)
        if (self->words[i] != 0) /* most are: a call each, where the processor is not asked */
            count += (uint32_t)__builtin_popcountll(self->words[i]);
    return count;
}

bool crew_is_empty(const struct crew *self)
{
    uint64_t any = 0;
    for (unsigned i = 0; i < WORKER_WORDS; i++)
        any |= self->words[i];
    return any == 0;
}

uint32_t crew_next(struct crew *self)
{
    for (uint32_t i = 0; i < WORKER_WORDS; i++) {
        if (self->words[i] == 0)
            continue;
        uint32_t bit = (uint32_t)__builtin_ctzll(self->words[i]);
        self->words[i] &= self->words[i] - 1;
        return i * 64 + bit;
    }
    return NONE;
}
