/* cache - a cache partition under test: what a driver asks it, and what brokers tell it, in a line
 * each. Everything stands in one record, at stated times (tests/support/record.h). */
#ifndef TESTS_SUPPORT_CACHE_H
#define TESTS_SUPPORT_CACHE_H

#include "protocol/key.h"
#include "tests/support/record.h"

#define CACHE_NS "fact_v1"

struct cache_test {
    struct record *record;
    uint64_t event;       /* number of the broker's last */
    uint32_t deadline_ms; /* of what is looked up; 0: RECORD_DEADLINE_MS */
};

/* Started, with a beat heard. memory_bytes: of its setting, as text. */
struct cache_test cache_test_new(const char *memory_bytes);

/* A beat of the broker's. */
void cache_hear(struct cache_test *self);

/* Time goes on, with a beat each second. */
void cache_pass(struct cache_test *self, int64_t ms);

/* An invalidation of this origin (16 characters), with this number. */
void cache_invalidate(struct cache_test *self, const char *origin, uint64_t number,
                      const uint64_t *tags, size_t count);

/* Look a key up; flags: of the header. What is empty in get is filled in: ns. Returns the id. */
uint64_t cache_get(struct cache_test *self, const char *key, struct msg_cache_get get,
                   uint16_t flags);

/* The same, with its answer; its views live until the record is cleared. */
struct msg_cache_entry cache_look(struct cache_test *self, const char *key,
                                  struct msg_cache_get get, uint16_t flags);
struct msg_cache_entry cache_entry_of(struct cache_test *self, uint64_t id);

/* Fill a key under this lease, fresh for 60 s unless set says otherwise, with value as a text.
 * Returns the outcome. */
const char *cache_set(struct cache_test *self, const char *key, uint64_t lease, const char *value,
                      struct msg_cache_set set);
const char *cache_fail(struct cache_test *self, const char *key, uint64_t lease,
                       struct msg_cache_fail fail);

/* Forget the replies so far. */
void cache_clear(struct cache_test *self);

#endif
