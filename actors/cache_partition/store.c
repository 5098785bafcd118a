/* store - see store.h.
 *
 * A block is 256 bytes; the first of an entry begins with its head, and key, tags and value follow
 * as one stream over all its blocks. The index is an array of chains through the heads.
 *
 * Worth is GreedyDual-Size-Frequency: L + hits * cost / bytes, where L is the worth of the last one
 * dropped, so what is not asked for sinks without being touched. Of SAMPLE entries at random the
 * least is dropped; no order is kept.
 * source: Cherkasova, Improving WWW Proxies Performance with Greedy-Dual-Size-Frequency, 1998 */
#include "actors/cache_partition/store.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "actors/cache_partition/due.h"

#define BLOCK_BYTES 256u
#define NO_BLOCK UINT32_MAX
#define SAMPLE 8u
#define HITS_MAX 4u
#define WORTH_UNIT 1024u        /* so that cheap, large ones still differ */
#define COST_US_MAX (60u << 20) /* a minute: peers say what they like, and L must not wrap */

struct head {
    uint64_t version, encoding, worth;
    int64_t made_at, fresh_until_at, stale_until_at, error_until_at, failed_until_at;
    uint32_t chain; /* next head of the same bucket */
    uint32_t hash, cost_us, value_bytes, blocks;
    uint16_t key_bytes;
    uint8_t tag_count, hits, status, group;
};

struct block {
    uint32_t next; /* of its entry, or of the free ones */
    uint32_t unused;
    char bytes[BLOCK_BYTES - 8];
};
_Static_assert(sizeof(struct block) == BLOCK_BYTES, "no padding");
_Static_assert(sizeof(struct head) % 8 == 0, "what follows a head is aligned, too");
_Static_assert(sizeof(struct head) + STORE_KEY_BYTES_MAX < 2 * sizeof(((struct block *)0)->bytes),
               "a key is compared in two pieces at most");

struct store {
    struct block *blocks;
    uint32_t *buckets; /* first head of each chain */
    struct due *due;   /* heads, by the end of their lives; also the list to draw samples from */
    char *value;       /* VALUE_BYTES_MAX: the one in use */
    uint64_t seed, random, level, bytes_taken;
    uint32_t block_count, bucket_count;
    uint32_t free_first, free_count; /* the chain of those that came back; and all that are free */
    uint32_t untouched;              /* from here on no block was ever used */
    store_judge *judge;
    const void *judge_state;
    struct store_counts counts[STORE_GROUPS];
};

/* Somewhere in the stream of an entry. */
struct place {
    uint32_t block;
    size_t offset;
};

static uint32_t buckets_for(uint32_t blocks)
{
    uint32_t count = 1;
    while (count < blocks / 2)
        count *= 2;
    return count;
}

static size_t bytes_for(uint32_t blocks)
{
    return sizeof(struct store) + VALUE_BYTES_MAX + (size_t)blocks * BLOCK_BYTES +
           (size_t)buckets_for(blocks) * sizeof(uint32_t) + due_bytes(blocks);
}

/* The most that fit, by halving. */
static uint32_t blocks_for(size_t memory_bytes)
{
    size_t low = 1, high = memory_bytes / BLOCK_BYTES;
    high = high < NO_BLOCK ? high : NO_BLOCK - 1;
    while (low < high) {
        size_t middle = low + (high - low + 1) / 2;
        if (bytes_for((uint32_t)middle) <= memory_bytes)
            low = middle;
        else
            high = middle - 1;
    }
    return (uint32_t)low;
}

struct store *store_new(size_t memory_bytes, uint64_t seed, store_judge *judge, const void *state)
{
    assert(memory_bytes >= STORE_BYTES_MIN);
    struct store *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->seed = seed;
    self->random = seed | 1;
    self->judge = judge;
    self->judge_state = state;
    self->block_count = blocks_for(memory_bytes);
    self->bucket_count = buckets_for(self->block_count);
    self->bytes_taken = bytes_for(self->block_count);
    assert(self->bytes_taken <= memory_bytes);
    self->blocks = malloc((size_t)self->block_count * sizeof *self->blocks);
    self->buckets = malloc((size_t)self->bucket_count * sizeof *self->buckets);
    self->due = due_new(self->block_count);
    self->value = malloc(VALUE_BYTES_MAX);
    if (self->blocks == NULL || self->buckets == NULL || self->due == NULL || self->value == NULL) {
        store_destroy(&self);
        return NULL;
    }
    memset(self->buckets, 0xff, (size_t)self->bucket_count * sizeof *self->buckets);
    self->free_first = NO_BLOCK;
    self->free_count = self->block_count;
    return self;
}

void store_destroy(struct store **self)
{
    if (*self == NULL)
        return;
    free((*self)->blocks);
    free((*self)->buckets);
    due_destroy(&(*self)->due);
    free((*self)->value);
    free(*self);
    *self = NULL;
}

static struct head *head_of(const struct store *self, uint32_t id)
{
    assert(id < self->block_count);
    return (struct head *)(void *)self->blocks[id].bytes;
}

static struct place key_place(uint32_t id)
{
    return (struct place){id, sizeof(struct head)};
}

/* The next piece of the stream that is in one block, of at most wanted bytes; passes over it. */
static char *next_piece(const struct store *self, struct place *place, size_t wanted, size_t *ret)
{
    if (place->offset == sizeof self->blocks->bytes) {
        place->block = self->blocks[place->block].next;
        place->offset = 0;
    }
    assert(place->block != NO_BLOCK);
    size_t left = sizeof self->blocks->bytes - place->offset;
    char *piece = self->blocks[place->block].bytes + place->offset;
    *ret = wanted < left ? wanted : left;
    place->offset += *ret;
    return piece;
}

static void write_stream(struct store *self, struct place *place, const void *data, size_t size)
{
    const char *from = data;
    for (size_t piece_size; size > 0; size -= piece_size, from += piece_size) {
        char *piece = next_piece(self, place, size, &piece_size);
        memcpy(piece, from, piece_size);
    }
}

static void read_stream(const struct store *self, struct place *place, void *out, size_t size)
{
    char *to = out;
    for (size_t piece_size; size > 0; size -= piece_size, to += piece_size) {
        const char *piece = next_piece(self, place, size, &piece_size);
        memcpy(to, piece, piece_size);
    }
}

static void skip_stream(const struct store *self, struct place *place, size_t size)
{
    for (size_t piece_size; size > 0; size -= piece_size)
        (void)next_piece(self, place, size, &piece_size);
}

static bool has_key(const struct store *self, uint32_t id, struct bytes key)
{
    struct place place = key_place(id);
    if (head_of(self, id)->key_bytes != key.size)
        return false;
    for (size_t piece_size; key.size > 0; key.size -= piece_size, key.data += piece_size) {
        const char *piece = next_piece(self, &place, key.size, &piece_size);
        if (memcmp(piece, key.data, piece_size) != 0)
            return false;
    }
    return true;
}

static uint32_t hash_of(const struct store *self, struct bytes key)
{
    return (uint32_t)XXH3_64bits_withSeed(key.data, key.size, self->seed);
}

/* The link that leads to a key's head, or to nothing. */
static uint32_t *link_to(const struct store *self, struct bytes key, uint32_t hash)
{
    uint32_t *link = &self->buckets[hash % self->bucket_count];
    while (*link != NO_BLOCK && (head_of(self, *link)->hash != hash || !has_key(self, *link, key)))
        link = &head_of(self, *link)->chain;
    return link;
}

/* The place of the value: behind the tags. */
static struct place load(const struct store *self, uint32_t id, struct entry *ret)
{
    const struct head *head = head_of(self, id);
    struct place place = key_place(id);
    *ret = (struct entry){.version = head->version,
                          .made_at = head->made_at,
                          .fresh_until_at = head->fresh_until_at,
                          .stale_until_at = head->stale_until_at,
                          .error_until_at = head->error_until_at,
                          .failed_until_at = head->failed_until_at,
                          .encoding = head->encoding,
                          .cost_us = head->cost_us,
                          .status = (enum status)head->status,
                          .group = head->group,
                          .tag_count = head->tag_count,
                          .value_bytes = head->value_bytes,
                          .bytes = head->blocks * BLOCK_BYTES,
                          .id = id};
    skip_stream(self, &place, head->key_bytes);
    read_stream(self, &place, ret->tags, head->tag_count * sizeof *ret->tags);
    return place;
}

bool store_find(const struct store *self, struct bytes key, struct entry *ret)
{
    uint32_t id = *link_to(self, key, hash_of(self, key));
    if (id != NO_BLOCK)
        (void)load(self, id, ret);
    return id != NO_BLOCK;
}

struct bytes store_value(struct store *self, const struct entry *entry)
{
    struct entry now;
    struct place place = load(self, entry->id, &now);
    assert(now.version == entry->version);
    read_stream(self, &place, self->value, now.value_bytes);
    return (struct bytes){self->value, now.value_bytes};
}

static uint64_t worth_of(const struct store *self, const struct head *head)
{
    uint64_t cost = (uint64_t)head->cost_us * head->hits * WORTH_UNIT;
    return self->level + cost / ((uint64_t)head->blocks * BLOCK_BYTES);
}

void store_touch(struct store *self, const struct entry *entry)
{
    struct head *head = head_of(self, entry->id);
    assert(head->version == entry->version);
    if (head->hits < HITS_MAX)
        head->hits++;
    head->worth = worth_of(self, head);
}

static int64_t dead_at(const struct head *head)
{
    return head->stale_until_at > head->error_until_at ? head->stale_until_at
                                                       : head->error_until_at;
}

void store_mark_failed(struct store *self, const struct entry *entry, int64_t until_at)
{
    struct head *head = head_of(self, entry->id);
    assert(head->version == entry->version);
    head->failed_until_at = until_at;
}

/* Unlink an entry and free its blocks. */
static void drop(struct store *self, uint32_t *link)
{
    uint32_t id = *link;
    struct head *head = head_of(self, id);
    struct store_counts *counts = &self->counts[head->group];
    uint32_t last = id;
    while (self->blocks[last].next != NO_BLOCK)
        last = self->blocks[last].next;
    counts->entries--;
    counts->bytes -= (uint64_t)head->blocks * BLOCK_BYTES;
    *link = head->chain;
    due_remove(self->due, id);
    self->free_count += head->blocks;
    self->blocks[last].next = self->free_first;
    self->free_first = id;
}

static void drop_id(struct store *self, uint32_t id)
{
    uint32_t *link = &self->buckets[head_of(self, id)->hash % self->bucket_count];
    while (*link != id)
        link = &head_of(self, *link)->chain;
    drop(self, link);
}

void store_remove(struct store *self, struct bytes key)
{
    uint32_t *link = link_to(self, key, hash_of(self, key));
    if (*link != NO_BLOCK)
        drop(self, link);
}

void store_expire(struct store *self, int64_t now_at, unsigned count_max)
{
    for (; count_max > 0 && due_first_at(self->due) <= now_at; count_max--) {
        uint32_t id = due_id(self->due, 0);
        self->counts[head_of(self, id)->group].expired++;
        drop_id(self, id);
    }
}

static bool is_valid(const struct store *self, uint32_t id)
{
    struct entry entry;
    if (self->judge == NULL)
        return true;
    (void)load(self, id, &entry);
    return self->judge(self->judge_state, &entry);
}

/* source: Marsaglia, Xorshift RNGs, 2003 */
static uint64_t next_random(struct store *self)
{
    self->random ^= self->random << 13;
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return self->random;
}

/* Nothing has expired: of a sample drop the first that is invalid, else the least worth. */
static void evict(struct store *self)
{
    uint32_t count = due_count(self->due), victim = NO_BLOCK;
    uint64_t least = UINT64_MAX;
    assert(count > 0);
    for (unsigned i = 0; i < SAMPLE && least > 0; i++) {
        uint32_t id = due_id(self->due, (uint32_t)(next_random(self) % count));
        uint64_t worth = is_valid(self, id) ? head_of(self, id)->worth : 0;
        if (victim == NO_BLOCK || worth < least) {
            victim = id;
            least = worth;
        }
    }
    self->level = least > self->level ? least : self->level;
    self->counts[head_of(self, victim)->group].evicted++;
    drop_id(self, victim);
}

static void make_room(struct store *self, uint32_t blocks, int64_t now_at)
{
    while (self->free_count < blocks) {
        if (due_first_at(self->due) <= now_at)
            store_expire(self, now_at, 1);
        else
            evict(self);
    }
}

/* A free block: one that came back, before another page is touched. */
static uint32_t take_block(struct store *self)
{
    uint32_t taken = self->free_first;
    assert(self->free_count > 0);
    self->free_count--;
    if (taken == NO_BLOCK)
        return self->untouched++;
    self->free_first = self->blocks[taken].next;
    return taken;
}

/* The first of so many blocks, which are one chain now. */
static uint32_t take_blocks(struct store *self, uint32_t count)
{
    uint32_t first = take_block(self), last = first;
    for (uint32_t i = 1; i < count; i++) {
        uint32_t next = take_block(self);
        self->blocks[last].next = next;
        last = next;
    }
    self->blocks[last].next = NO_BLOCK;
    return first;
}

static void fill_head(const struct store *self, struct head *head, const struct entry *entry)
{
    head->version = entry->version;
    head->encoding = entry->encoding;
    head->made_at = entry->made_at;
    head->fresh_until_at = entry->fresh_until_at;
    head->stale_until_at = entry->stale_until_at;
    head->error_until_at = entry->error_until_at;
    head->failed_until_at = entry->failed_until_at;
    head->cost_us = entry->cost_us < COST_US_MAX ? (uint32_t)entry->cost_us : COST_US_MAX;
    head->tag_count = entry->tag_count;
    head->status = (uint8_t)entry->status;
    head->group = entry->group;
    head->worth = worth_of(self, head);
}

bool store_put(struct store *self, struct bytes key, const struct entry *entry, struct bytes value,
               int64_t now_at)
{
    assert(key.size > 0);
    assert(key.size <= STORE_KEY_BYTES_MAX);
    assert(value.size <= VALUE_BYTES_MAX);
    assert(entry->tag_count <= ENTRY_TAGS_MAX);
    assert(entry->group < STORE_GROUPS);
    assert(entry->stale_until_at >= entry->fresh_until_at);
    size_t tags_bytes = entry->tag_count * sizeof *entry->tags;
    size_t bytes = sizeof(struct head) + key.size + tags_bytes + value.size;
    uint32_t piece = sizeof self->blocks->bytes, hash = hash_of(self, key);
    uint32_t blocks = (uint32_t)((bytes + piece - 1) / piece);
    if (blocks > self->block_count / STORE_SHARE)
        return false;
    uint32_t *old = link_to(self, key, hash);
    uint8_t hits = *old == NO_BLOCK ? 1 : head_of(self, *old)->hits; /* as popular as it was */
    if (*old != NO_BLOCK)
        drop(self, old);
    make_room(self, blocks, now_at);
    uint32_t id = take_blocks(self, blocks), *bucket = &self->buckets[hash % self->bucket_count];
    struct head *head = head_of(self, id);
    *head = (struct head){.hash = hash,
                          .blocks = blocks,
                          .hits = hits,
                          .chain = *bucket,
                          .key_bytes = (uint16_t)key.size,
                          .value_bytes = (uint32_t)value.size};
    fill_head(self, head, entry);
    struct place place = key_place(id);
    write_stream(self, &place, key.data, key.size);
    write_stream(self, &place, entry->tags, tags_bytes);
    write_stream(self, &place, value.data, value.size);
    *bucket = id;
    due_set(self->due, id, dead_at(head));
    self->counts[entry->group].entries++;
    self->counts[entry->group].bytes += (uint64_t)blocks * BLOCK_BYTES;
    return true;
}

const struct store_counts *store_counts(const struct store *self, uint8_t group)
{
    assert(group < STORE_GROUPS);
    return &self->counts[group];
}

uint64_t store_bytes_max(const struct store *self)
{
    return (uint64_t)self->block_count * BLOCK_BYTES;
}

uint64_t store_bytes_taken(const struct store *self)
{
    return self->bytes_taken;
}
