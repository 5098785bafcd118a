/* placement - see placement.h.
 *
 * A slot orders the members by weighted rendezvous. Only four of that order are wanted, each the
 * least score of those that qualify, so nothing is sorted: a pass over the members for each. */
#include "protocol/placement.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL /* 20 bytes at a time, four million times for a large view */
#include <xxhash.h>

#include "protocol/message.h"

#define LOG_ONE 32u                  /* bits of a logarithm behind the point */
#define LOG_MAX (UINT64_C(64) << 32) /* log2 of 2^64 */
#define CAP_PERCENT 105u

typedef uint16_t slots_table[CACHE_SLOTS];

struct placement {
    struct placement_view view;
    struct placement_logs logs;
    unsigned built;                   /* slots so far */
    unsigned owned[VIEW_MEMBERS_MAX]; /* of them by each member */
    unsigned cap[VIEW_MEMBERS_MAX];
    uint64_t score[VIEW_MEMBERS_MAX]; /* for the slot that is being built */
    slots_table owner, backup, spread[PLACEMENT_SPREAD];
};

/* What a member has to be to take a place of a slot. */
struct wanted {
    uint16_t taken[3]; /* not these */
    unsigned taken_count;
    const struct placement_member *elsewhere; /* not in its zone; NULL: any zone */
    bool below_cap;
};

void placement_logs_init(struct placement_logs *self)
{
    for (unsigned i = 0; i <= 256; i++) {
        uint64_t log = 0, y = (uint64_t)(256 + i) << 54;
        for (unsigned bit = 0; bit < LOG_ONE && i < 256; bit++) {
            y = (uint64_t)(((unsigned __int128)y * y) >> 62);
            log = log << 1 | y >> 63;
            y >>= y >> 63;
        }
        self->at[i] = i < 256 ? log : UINT64_C(1) << LOG_ONE;
    }
}

uint64_t placement_member_hash(uint64_t seed, unsigned slot, const unsigned char *uuid)
{
    unsigned char input[4 + PLACEMENT_UUID_BYTES];
    for (unsigned i = 0; i < 4; i++)
        input[i] = (unsigned char)(slot >> 8 * i);
    memcpy(input + 4, uuid, PLACEMENT_UUID_BYTES);
    return XXH3_64bits_withSeed(input, sizeof input, seed);
}

uint64_t placement_log(const struct placement_logs *logs, uint64_t hash)
{
    uint64_t x = hash | 1;
    unsigned n = 63 - (unsigned)__builtin_clzll(x);
    uint64_t m = x << (63 - n), i = m >> 55 & 255, r = m >> 23 & UINT32_MAX;
    uint64_t between = (logs->at[i + 1] - logs->at[i]) * r >> 32;
    return LOG_MAX - (((uint64_t)n << LOG_ONE) + logs->at[i] + between);
}

uint64_t placement_score(uint64_t log, unsigned weight)
{
    return (log << 20) / weight;
}

unsigned placement_cap(unsigned weight, uint64_t weights)
{
    uint64_t share = (uint64_t)CAP_PERCENT * CACHE_SLOTS * weight, parts = 100 * weights;
    return (unsigned)((share + parts - 1) / parts);
}

/* A text of a view ends in 0 with us. */
static void keep_text(struct bytes text, char *out, size_t size)
{
    assert(text.size < size);
    memset(out, 0, size);
    if (text.size > 0)
        memcpy(out, text.data, text.size);
}

static enum status decode_member(struct bytes body, struct placement_view *view)
{
    struct msg_member from;
    struct placement_member *to = &view->members[view->count];
    enum status status = message_decode(MSG_MEMBER, body, &from);
    if (status != STATUS_OK)
        return status;
    if (from.uuid.size != sizeof to->uuid || from.weight < 1 || from.weight > PLACEMENT_WEIGHT_MAX)
        return STATUS_BAD_REQUEST;
    memcpy(to->uuid, from.uuid.data, sizeof to->uuid);
    to->weight = (unsigned)from.weight;
    to->zone_size = from.zone.size;
    keep_text(from.zone, to->zone, sizeof to->zone);
    keep_text(from.endpoint, to->endpoint, sizeof to->endpoint);
    keep_text(from.instance, to->instance, sizeof to->instance);
    for (size_t i = 0; i < view->count; i++)
        if (memcmp(view->members[i].uuid, to->uuid, sizeof to->uuid) == 0)
            return STATUS_BAD_REQUEST;
    view->count++;
    return STATUS_OK;
}

enum status placement_decode(struct bytes body, struct placement_view *ret)
{
    struct msg_view view;
    struct bytes member;
    enum status status = message_decode(MSG_VIEW, body, &view);
    if (status != STATUS_OK)
        return status;
    struct values values = values_over(view.members);
    ret->epoch = view.epoch;
    ret->seed = view.seed;
    ret->count = 0;
    while (status == STATUS_OK && values_next(&values, &member))
        status = decode_member(member, ret);
    return status;
}

struct placement *placement_new(const struct placement_view *view)
{
    struct placement *self = calloc(1, sizeof *self);
    uint64_t weights = 0;
    assert(self != NULL);
    assert(view->count <= VIEW_MEMBERS_MAX);
    self->view = *view;
    placement_logs_init(&self->logs);
    for (size_t i = 0; i < view->count; i++) {
        assert(view->members[i].weight >= 1);
        assert(view->members[i].weight <= PLACEMENT_WEIGHT_MAX);
        weights += view->members[i].weight;
    }
    for (size_t i = 0; i < view->count; i++)
        self->cap[i] = placement_cap(view->members[i].weight, weights);
    memset(self->owner, 0xff, sizeof self->owner);
    memset(self->backup, 0xff, sizeof self->backup);
    memset(self->spread, 0xff, sizeof self->spread);
    return self;
}

void placement_destroy(struct placement **self)
{
    free(*self);
    *self = NULL;
}

static bool is_same_zone(const struct placement_member *left, const struct placement_member *right)
{
    return left->zone_size == right->zone_size &&
           memcmp(left->zone, right->zone, left->zone_size) == 0;
}

static bool qualifies(const struct placement *self, const struct wanted *wanted, uint16_t i)
{
    for (unsigned t = 0; t < wanted->taken_count; t++)
        if (wanted->taken[t] == i)
            return false;
    if (wanted->below_cap && self->owned[i] >= self->cap[i])
        return false;
    return wanted->elsewhere == NULL || !is_same_zone(wanted->elsewhere, &self->view.members[i]);
}

/* Least score first, ties by uuid. */
static bool is_before(const struct placement *self, uint16_t left, uint16_t right)
{
    if (self->score[left] != self->score[right])
        return self->score[left] < self->score[right];
    return memcmp(self->view.members[left].uuid, self->view.members[right].uuid,
                  PLACEMENT_UUID_BYTES) < 0;
}

static uint16_t first_of(const struct placement *self, const struct wanted *wanted)
{
    uint16_t first = PLACEMENT_NONE;
    for (uint16_t i = 0; i < self->view.count; i++)
        if ((first == PLACEMENT_NONE || is_before(self, i, first)) && qualifies(self, wanted, i))
            first = i;
    return first;
}

/* The caps add up to more than all slots: of several members one is always below. */
static void build_slot(struct placement *self, unsigned slot)
{
    const struct placement_view *view = &self->view;
    struct wanted wanted = {.below_cap = true};
    for (size_t i = 0; i < view->count; i++) {
        uint64_t hash = placement_member_hash(view->seed, slot, view->members[i].uuid);
        self->score[i] = placement_score(placement_log(&self->logs, hash), view->members[i].weight);
    }
    uint16_t owner = first_of(self, &wanted);
    assert(owner != PLACEMENT_NONE);
    self->owned[owner]++;
    self->owner[slot] = owner;
    wanted =
        (struct wanted){.taken = {owner}, .taken_count = 1, .elsewhere = &view->members[owner]};
    uint16_t backup = first_of(self, &wanted);
    wanted.elsewhere = NULL;
    if (backup == PLACEMENT_NONE)
        backup = first_of(self, &wanted);
    self->backup[slot] = backup;
    wanted.taken[wanted.taken_count++] = backup;
    self->spread[0][slot] = first_of(self, &wanted);
    wanted.taken[wanted.taken_count++] = self->spread[0][slot];
    self->spread[1][slot] = first_of(self, &wanted);
}

bool placement_build_some(struct placement *self, unsigned slots)
{
    if (self->view.count == 0)
        self->built = CACHE_SLOTS; /* nobody's */
    for (; slots > 0 && self->built < CACHE_SLOTS; slots--)
        build_slot(self, self->built++);
    return self->built == CACHE_SLOTS;
}

void placement_build(struct placement *self)
{
    bool complete = placement_build_some(self, CACHE_SLOTS);
    assert(complete);
}

const struct placement_view *placement_view(const struct placement *self)
{
    return &self->view;
}

uint16_t placement_find(const struct placement *self, struct bytes uuid)
{
    for (uint16_t i = 0; i < self->view.count && uuid.size == PLACEMENT_UUID_BYTES; i++)
        if (memcmp(self->view.members[i].uuid, uuid.data, PLACEMENT_UUID_BYTES) == 0)
            return i;
    return PLACEMENT_NONE;
}

uint16_t placement_owner(const struct placement *self, unsigned slot)
{
    assert(slot < CACHE_SLOTS);
    return self->owner[slot];
}

uint16_t placement_backup(const struct placement *self, unsigned slot)
{
    assert(slot < CACHE_SLOTS);
    return self->backup[slot];
}

uint16_t placement_spread(const struct placement *self, unsigned slot, unsigned i)
{
    assert(slot < CACHE_SLOTS);
    assert(i < PLACEMENT_SPREAD);
    return self->spread[i][slot];
}

unsigned placement_owned(const struct placement *self, uint16_t member)
{
    assert(member < self->view.count);
    return self->owned[member];
}

/* Of two tables, each index as u16 little-endian. */
static uint64_t hash_tables(const slots_table first, const slots_table second)
{
    unsigned char bytes[4u * CACHE_SLOTS];
    unsigned char *at = bytes;
    for (unsigned i = 0; i < 2 * CACHE_SLOTS; i++) {
        uint16_t index = i < CACHE_SLOTS ? first[i] : second[i - CACHE_SLOTS];
        *at++ = (unsigned char)index;
        *at++ = (unsigned char)(index >> 8);
    }
    return XXH3_64bits(bytes, sizeof bytes);
}

uint64_t placement_hash(const struct placement *self)
{
    assert(self->built == CACHE_SLOTS);
    return hash_tables(self->owner, self->backup);
}

uint64_t placement_spread_hash(const struct placement *self)
{
    assert(self->built == CACHE_SLOTS);
    return hash_tables(self->spread[0], self->spread[1]);
}
