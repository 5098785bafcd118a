/* lines - see lines.h. */
#include "broker/lines.h"

#include "broker/chains.h"

struct lines {
    uint32_t lines_max; /* with owners; the shared ones follow, by rank */
    struct line *entries;
    struct chains chains; /* of those with owners */
    struct link *owners;  /* by line; then the sentinel: without an owner */
    struct link *lengths; /* by line; then the sentinels, by rank and length */
    uint32_t owned_all, owned[RANKS];
    uint32_t active[RANKS], longest[RANKS];
    uint64_t weights[RANKS];
    uint64_t shared;
};

struct lines *lines_new(uint32_t lines_max)
{
    struct lines *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->lines_max = lines_max;
    self->entries = calloc(lines_count(self), sizeof self->entries[0]);
    assert(self->entries != NULL);
    chains_init(&self->chains, lines_max);
    self->owners = list_take_links(lines_max, 1);
    self->lengths = list_take_links(lines_count(self), RANKS * (LINE_LENGTHS + 1));
    for (uint32_t i = 0; i < lines_max; i++)
        list_put_before(self->owners, i, lines_max);
    for (uint32_t i = 0; i < LINES_SHARED; i++)
        self->entries[lines_max + i] = (struct line){.rank = i / TENANTS_SHARED, .weight = 1};
    return self;
}

void lines_destroy(struct lines **self_p)
{
    assert(self_p != NULL);
    struct lines *self = *self_p;
    if (self == NULL)
        return;
    free(self->entries);
    chains_fini(&self->chains);
    free(self->owners);
    free(self->lengths);
    free(self);
    *self_p = NULL;
}

uint32_t lines_count(const struct lines *self)
{
    return self->lines_max + LINES_SHARED;
}

struct line *lines_at(struct lines *self, uint32_t line)
{
    assert(line < lines_count(self));
    return &self->entries[line];
}

static uint64_t hash_of(uint32_t rank, uint64_t tenant)
{
    return (tenant + rank + 1) * UINT64_C(0x9E3779B97F4A7C15) >> 32;
}

/* The shortest of those that are dealt to it, like cards: none of them twice. */
static uint32_t shortest_shared(const struct lines *self, uint32_t rank, uint64_t tenant)
{
    uint32_t hand[TENANTS_DEALT], first = self->lines_max + rank * TENANTS_SHARED, best = NONE;
    uint64_t rest = tenant;
    for (uint32_t dealt = 0; dealt < TENANTS_DEALT; dealt++) {
        uint32_t card = (uint32_t)(rest % (TENANTS_SHARED - dealt)), at = 0;
        rest /= TENANTS_SHARED - dealt;
        for (; at < dealt && hand[at] <= card; at++)
            card++; /* the hand is sorted; card counts among those that are left */
        for (uint32_t i = dealt; i > at; i--)
            hand[i] = hand[i - 1];
        hand[at] = card;
        if (best == NONE || self->entries[first + card].length < self->entries[best].length)
            best = first + card;
    }
    assert(best >= first);
    assert(best < first + TENANTS_SHARED);
    return best;
}

static bool has_room(const struct lines *self, uint32_t rank)
{
    return self->owned[rank] < TENANTS_APART_MAX && self->owned_all < self->lines_max;
}

uint32_t lines_find(const struct lines *self, uint32_t rank, uint64_t tenant)
{
    assert(rank < RANKS);
    uint32_t line = chains_first(&self->chains, hash_of(rank, tenant));
    while (line != NONE &&
           (self->entries[line].tenant != tenant || self->entries[line].rank != rank))
        line = self->chains.next[line];
    return line == NONE && !has_room(self, rank) ? shortest_shared(self, rank, tenant) : line;
}

uint32_t lines_join(struct lines *self, uint32_t rank, uint64_t tenant)
{
    uint32_t line = lines_find(self, rank, tenant);
    if (line != NONE) {
        self->shared += line >= self->lines_max;
        return line;
    }
    line = self->owners[self->lines_max].next;
    assert(line < self->lines_max);
    list_take_out(self->owners, line);
    self->entries[line] = (struct line){.tenant = tenant, .rank = rank, .weight = 1};
    chains_add(&self->chains, hash_of(rank, tenant), line);
    self->owned[rank]++;
    self->owned_all++;
    return line;
}

void lines_leave(struct lines *self, uint32_t line)
{
    const struct line *its = lines_at(self, line);
    assert(its->length == 0);
    if (line >= self->lines_max)
        return;
    chains_remove(&self->chains, hash_of(its->rank, its->tenant), line);
    list_put_first(self->owners, line, self->lines_max);
    self->owned[its->rank]--;
    self->owned_all--;
}

void lines_weigh(struct lines *self, uint32_t line, uint32_t weight)
{
    struct line *its = lines_at(self, line);
    assert(weight > 0);
    if (line >= self->lines_max)
        return;
    if (its->length > 0)
        self->weights[its->rank] += (uint64_t)weight - its->weight;
    its->weight = weight;
}

static uint32_t length_list(const struct lines *self, uint32_t rank, uint32_t length)
{
    return lines_count(self) + rank * (LINE_LENGTHS + 1) + length;
}

static uint32_t counted(uint32_t length)
{
    return length < LINE_LENGTHS ? length : LINE_LENGTHS;
}

void lines_grow(struct lines *self, uint32_t line)
{
    struct line *its = lines_at(self, line);
    uint32_t *longest = &self->longest[its->rank];
    if (its->length++ == 0) {
        self->active[its->rank]++;
        self->weights[its->rank] += its->weight;
    } else {
        list_take_out(self->lengths, line);
    }
    list_put_before(self->lengths, line, length_list(self, its->rank, counted(its->length)));
    if (counted(its->length) > *longest)
        *longest = counted(its->length);
}

/* If it was the longest, alone, it is so still, or among those that are. */
void lines_shrink(struct lines *self, uint32_t line)
{
    struct line *its = lines_at(self, line);
    uint32_t *longest = &self->longest[its->rank];
    assert(its->length > 0);
    list_take_out(self->lengths, line);
    if (--its->length == 0) {
        self->active[its->rank]--;
        self->weights[its->rank] -= its->weight;
    } else {
        list_put_before(self->lengths, line, length_list(self, its->rank, counted(its->length)));
    }
    if (list_is_empty(self->lengths, length_list(self, its->rank, *longest)))
        (*longest)--;
    assert(*longest > 0 || self->active[its->rank] == 0);
}

uint32_t lines_longest(const struct lines *self, uint32_t rank)
{
    assert(rank < RANKS);
    if (self->longest[rank] == 0)
        return NONE;
    return self->lengths[length_list(self, rank, self->longest[rank])].next;
}

uint32_t lines_active(const struct lines *self, uint32_t rank)
{
    return self->active[rank];
}

uint64_t lines_weights(const struct lines *self, uint32_t rank)
{
    return self->weights[rank];
}

uint32_t lines_owned(const struct lines *self)
{
    return self->owned_all;
}

uint64_t lines_shared(const struct lines *self)
{
    return self->shared;
}
