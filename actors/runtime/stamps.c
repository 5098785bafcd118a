/* stamps - see stamps.h.
 *
 * Stamps stand in a list in the order they were given, which is that of their values, and chains
 * of an index lead to them. So the oldest is at hand when room is short or it is past its age, and
 * no stamp has to be searched for. */
#include "actors/runtime/stamps.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/session.h"

#define NONE UINT32_MAX
#define COUNTER_BITS 16u
#define NEVER INT64_MIN
#define AGED_PER_APPLY 2u /* more than come in by one new tag: the list cannot lag behind */

struct stamp {
    uint64_t tag, value;
    uint32_t older, newer, chain;
};

struct position {
    char id[ORIGIN_BYTES];
    uint64_t number;  /* all up to it are applied, or below the floor */
    uint64_t used_at; /* clock */
};

struct stamps {
    struct stamp *stamps;
    uint32_t *buckets;
    uint32_t tags_max, bucket_count, count, oldest, newest;
    uint64_t seed, clock, floor;
    int64_t started_at, started_unix_ms;
    int64_t heard_at; /* NEVER: deaf, however lately it was */
    bool has_heard;
    struct position origins[ORIGINS_MAX];
    size_t origin_count;
    struct stamps_counts counts;
};

static void forget_all(struct stamps *self)
{
    memset(self->buckets, 0xff, self->bucket_count * sizeof *self->buckets);
    self->count = 0;
    self->oldest = self->newest = NONE;
}

struct stamps *stamps_new(uint32_t tags_max, uint64_t seed, int64_t now_at, int64_t unix_ms)
{
    assert(tags_max >= TAGS_BATCH_MAX); /* one invalidation is remembered whole */
    assert(unix_ms > 0);
    struct stamps *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    *self = (struct stamps){.tags_max = tags_max,
                            .bucket_count = 1,
                            .seed = seed,
                            .started_at = now_at,
                            .started_unix_ms = unix_ms,
                            .heard_at = NEVER};
    while (self->bucket_count < tags_max)
        self->bucket_count *= 2;
    self->stamps = malloc(tags_max * sizeof *self->stamps);
    self->buckets = malloc(self->bucket_count * sizeof *self->buckets);
    if (self->stamps == NULL || self->buckets == NULL) {
        stamps_destroy(&self);
        return NULL;
    }
    forget_all(self);
    self->floor = stamps_tick(self, now_at);
    return self;
}

void stamps_destroy(struct stamps **self)
{
    if (*self == NULL)
        return;
    free((*self)->stamps);
    free((*self)->buckets);
    free(*self);
    *self = NULL;
}

uint64_t stamps_tick(struct stamps *self, int64_t now_at)
{
    assert(now_at >= self->started_at);
    int64_t ms = self->started_unix_ms + (now_at - self->started_at) / US_PER_MS;
    uint64_t clock = (uint64_t)ms << COUNTER_BITS;
    self->clock = clock > self->clock ? clock : self->clock + 1;
    return self->clock;
}

uint64_t stamps_clock(const struct stamps *self)
{
    return self->clock;
}

uint64_t stamps_floor(const struct stamps *self)
{
    return self->floor;
}

/* Tags are hashes, but of a peer's making: the seed keeps them from meeting in one chain. */
static uint32_t *bucket_of(const struct stamps *self, uint64_t tag)
{
    uint64_t mixed = (tag ^ self->seed) * UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ mixed >> 32 ^ self->seed) * UINT64_C(0xd6e8feb86659fd93);
    return &self->buckets[(mixed >> 32) & (self->bucket_count - 1)];
}

static uint32_t find(const struct stamps *self, uint64_t tag)
{
    uint32_t at = *bucket_of(self, tag);
    while (at != NONE && self->stamps[at].tag != tag)
        at = self->stamps[at].chain;
    return at;
}

uint64_t stamps_of(const struct stamps *self, uint64_t tag)
{
    uint32_t at = find(self, tag);
    return at == NONE ? 0 : self->stamps[at].value;
}

bool stamps_valid(const struct stamps *self, uint64_t version, const uint64_t *tags, size_t count)
{
    if (version <= self->floor)
        return false;
    for (size_t i = 0; i < count; i++)
        if (version <= stamps_of(self, tags[i]))
            return false;
    return true;
}

bool stamps_deaf(const struct stamps *self, int64_t now_at)
{
    return self->heard_at == NEVER || now_at - self->heard_at > DEAF_MS * US_PER_MS;
}

/* Everything up to now is invalid, so no stamp says more. */
static void raise_floor(struct stamps *self, int64_t now_at)
{
    self->floor = stamps_tick(self, now_at);
    forget_all(self);
}

/* What came in before may still be on its way, or lost: it is older than this floor. */
void stamps_heard(struct stamps *self, int64_t now_at)
{
    if (stamps_deaf(self, now_at)) {
        raise_floor(self, now_at);
        self->counts.gaps += self->has_heard; /* before the first there was nothing to miss */
    }
    self->has_heard = true;
    self->heard_at = now_at;
}

void stamps_gap(struct stamps *self)
{
    self->heard_at = NEVER;
}

static void unlink_stamp(struct stamps *self, uint32_t at)
{
    const struct stamp *stamp = &self->stamps[at];
    if (stamp->older == NONE)
        self->oldest = stamp->newer;
    else
        self->stamps[stamp->older].newer = stamp->newer;
    if (stamp->newer == NONE)
        self->newest = stamp->older;
    else
        self->stamps[stamp->newer].older = stamp->older;
}

static void link_newest(struct stamps *self, uint32_t at)
{
    self->stamps[at].older = self->newest;
    self->stamps[at].newer = NONE;
    if (self->newest == NONE)
        self->oldest = at;
    else
        self->stamps[self->newest].newer = at;
    self->newest = at;
}

/* Forget the oldest stamp; the last place of the table moves into its own. */
static void forget_oldest(struct stamps *self)
{
    uint32_t at = self->oldest, last = --self->count;
    uint32_t *link = bucket_of(self, self->stamps[at].tag);
    while (*link != at)
        link = &self->stamps[*link].chain;
    *link = self->stamps[at].chain;
    unlink_stamp(self, at);
    if (at == last)
        return;
    link = bucket_of(self, self->stamps[last].tag);
    while (*link != last)
        link = &self->stamps[*link].chain;
    *link = at;
    self->stamps[at] = self->stamps[last];
    if (self->stamps[at].older == NONE)
        self->oldest = at;
    else
        self->stamps[self->stamps[at].older].newer = at;
    if (self->stamps[at].newer == NONE)
        self->newest = at;
    else
        self->stamps[self->stamps[at].newer].older = at;
}

/* Fold the oldest into the floor, with all that the floor now covers. */
static void make_room(struct stamps *self)
{
    self->floor = self->stamps[self->oldest].value;
    while (self->count > 0 && self->stamps[self->oldest].value <= self->floor) {
        self->counts.folded++;
        forget_oldest(self);
    }
}

/* No entry lives longer than TTL_MS_MAX, so no stamp has to. */
static void forget_aged(struct stamps *self)
{
    for (unsigned i = 0; i < AGED_PER_APPLY && self->count > 0; i++) {
        uint64_t given_ms = self->stamps[self->oldest].value >> COUNTER_BITS;
        if (given_ms + TTL_MS_MAX >= self->clock >> COUNTER_BITS)
            break;
        forget_oldest(self);
    }
}

static void give_stamp(struct stamps *self, uint64_t tag, uint64_t value)
{
    forget_aged(self);
    uint32_t at = find(self, tag);
    if (at != NONE) {
        unlink_stamp(self, at);
    } else {
        if (self->count == self->tags_max)
            make_room(self);
        uint32_t *bucket = bucket_of(self, tag);
        at = self->count++;
        self->stamps[at] = (struct stamp){.tag = tag, .chain = *bucket};
        *bucket = at;
    }
    self->stamps[at].value = value;
    link_newest(self, at);
    self->counts.stamped++;
}

/* The index of its row; origin_count: it has none. */
static size_t find_origin(const struct stamps *self, const char *id)
{
    size_t i = 0;
    while (i < self->origin_count && memcmp(self->origins[i].id, id, ORIGIN_BYTES) != 0)
        i++;
    return i;
}

/* A row for one not known, of whom nothing was applied; for room, the one heard least lately. If it
 * comes back, it will have missed something: the floor rises. */
static struct position *add_origin(struct stamps *self, const char *id)
{
    struct position *origin = self->origins;
    if (self->origin_count < ORIGINS_MAX) {
        origin = &self->origins[self->origin_count++];
    } else {
        for (size_t i = 1; i < ORIGINS_MAX; i++)
            if (self->origins[i].used_at < origin->used_at)
                origin = &self->origins[i];
    }
    *origin = (struct position){0};
    memcpy(origin->id, id, ORIGIN_BYTES);
    return origin;
}

/* Ours count from one number, foreign ones from another. */
static bool is_first(uint64_t number)
{
    return number == 1 || number == SESSION_INVALIDATE_FIRST;
}

/* A number that is passed over stands for a commit before this one, so a floor of now covers it,
 * should it still come. */
void stamps_apply(struct stamps *self, const char *id, uint64_t number, const uint64_t *tags,
                  size_t count, int64_t now_at)
{
    assert(count <= TAGS_BATCH_MAX);
    size_t found = find_origin(self, id);
    struct position *origin =
        found < self->origin_count ? &self->origins[found] : add_origin(self, id);
    bool misses = number != origin->number + 1 && (origin->number != 0 || !is_first(number));
    uint64_t value = stamps_tick(self, now_at);
    origin->used_at = value;
    if (number <= origin->number) {
        self->counts.duplicates++;
        return;
    }
    origin->number = number;
    if (misses) {
        raise_floor(self, now_at);
        self->counts.gaps++;
        value = stamps_tick(self, now_at);
    }
    for (size_t i = 0; i < count; i++)
        give_stamp(self, tags[i], value);
}

bool stamps_cover(const struct stamps *self, const char *id, uint64_t number)
{
    size_t found = find_origin(self, id);
    return number == 0 || (found < self->origin_count && self->origins[found].number >= number);
}

bool stamps_position(const struct stamps *self, size_t index, const char **ret_origin,
                     uint64_t *ret_number)
{
    if (index >= self->origin_count)
        return false;
    *ret_origin = self->origins[index].id;
    *ret_number = self->origins[index].number;
    return true;
}

uint32_t stamps_count(const struct stamps *self)
{
    return self->count;
}

const struct stamps_counts *stamps_counts(const struct stamps *self)
{
    return &self->counts;
}
