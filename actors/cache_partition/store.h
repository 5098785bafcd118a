/* store - entries of one partition in a fixed amount of memory.
 *
 * Owns one arena, taken at start: blocks, an index over them, and what falls due. An entry is a
 * chain of blocks, so the bound is exact and nothing fragments. For room what has expired goes
 * first, then, of a sample, what is no longer valid, then what is least worth keeping.
 * Never does: judge an entry (it asks), know a clock, or allocate after store_new().
 * The full layout of the design will replace it behind these functions: docs/decisions/0020. */
#ifndef ACTORS_CACHE_PARTITION_STORE_H
#define ACTORS_CACHE_PARTITION_STORE_H

#include "protocol/envelope.h"

#define STORE_BYTES_MIN (1u << 20)
#define STORE_SHARE 8u /* an entry takes at most one part in so many */

/* What is known of a key. A plain value; its value's bytes stay in the store. */
struct entry {
    uint64_t version; /* the clock when its lease was issued; decides validity */
    int64_t made_at;  /* the same moment in time that ages are counted from */
    int64_t fresh_until_at, stale_until_at, error_until_at;
    int64_t failed_until_at; /* until then a failed fill is not tried again */
    uint64_t encoding;       /* the writer's; opaque */
    uint64_t cost_us;        /* what computing it took */
    enum status status;      /* OK: a value; else the failure whose body it is */
    uint8_t group;           /* whose statistics count it, below STORE_GROUPS */
    uint8_t tag_count;
    uint64_t tags[ENTRY_TAGS_MAX];
    uint32_t value_bytes, bytes; /* of the value; and in all: written by store_find() */
    uint32_t id;                 /* the store's own */
};

#define STORE_KEY_BYTES_MAX (1u + NAMESPACE_BYTES_MAX + KEY_BYTES_MAX)
#define STORE_GROUPS NAMESPACES_MAX

struct store_counts {
    uint64_t entries, bytes; /* now */
    uint64_t evicted,
        expired; /* dropped for room, since the start; expired or invalid ones apart */
};

/* Whether an entry could still be served as valid; borrowed, called while making room. */
typedef bool store_judge(const void *state, const struct entry *entry);

struct store;

/* memory_bytes  all that it will ever take; at least STORE_BYTES_MIN
 * seed          secret: of the index's hash and of the samples
 * judge         NULL: all entries are valid
 * returns       NULL: no memory */
struct store *store_new(size_t memory_bytes, uint64_t seed, store_judge *judge, const void *state);
void store_destroy(struct store **self);

/* Find what is held for a key, dead or alive; *ret is written only if it is there. */
bool store_find(const struct store *self, struct bytes key, struct entry *ret);

/* The value of an entry just found; valid until the next call of anything here. */
struct bytes store_value(struct store *self, const struct entry *entry);

/* Count a hit on an entry just found: it is worth more from now on. */
void store_touch(struct store *self, const struct entry *entry);

/* Remember that a fill of an entry just found has failed, and is not to be tried again till then.
 */
void store_mark_failed(struct store *self, const struct entry *entry, int64_t until_at);

/* Keep a value in place of what the key had, and make room for it.
 *
 * key      1 to STORE_KEY_BYTES_MAX bytes
 * entry    all but its last three members; borrowed
 * returns  false: it is larger than one part in STORE_SHARE, and all is as it was */
MUST_USE bool store_put(struct store *self, struct bytes key, const struct entry *entry,
                        struct bytes value, int64_t now_at);

void store_remove(struct store *self, struct bytes key);

/* Drop what has expired, at most count_max entries. */
void store_expire(struct store *self, int64_t now_at, unsigned count_max);

const struct store_counts *store_counts(const struct store *self, uint8_t group);
uint64_t store_bytes_max(const struct store *self);   /* of entries, in whole blocks */
uint64_t store_bytes_taken(const struct store *self); /* from the machine: at most memory_bytes */

#endif
