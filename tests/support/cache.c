/* cache - see cache.h. */
#include "tests/support/cache.h"

#include <stdlib.h>

#include "actors/cache_partition/cache_partition.h"
#include "tests/support/suite.h"

struct cache_test cache_test_new(const char *memory_bytes)
{
    char flag[64];
    (void)snprintf(flag, sizeof flag, "cache_partition.memory_bytes=%s", memory_bytes);
    struct cache_test self = {
        .record = record_new(&cache_partition_spec, (const char *const[]){flag, NULL})};
    cache_hear(&self);
    return self;
}

void cache_hear(struct cache_test *self)
{
    char body[CONTROL_BYTES_MAX];
    struct bytes bytes;
    struct msg_event_members beat = {.generation = 1};
    ck_assert_int_eq(message_encode(MSG_EVENT_MEMBERS, &beat, body, sizeof body, &bytes),
                     STATUS_OK);
    record_event(self->record, "members", ++self->event, bytes);
}

void cache_pass(struct cache_test *self, int64_t ms)
{
    for (; ms > 1000; ms -= 1000) {
        record_step(self->record, US_PER_S);
        cache_hear(self);
    }
    record_step(self->record, ms * US_PER_MS);
    cache_hear(self);
}

void cache_invalidate(struct cache_test *self, const char *origin, uint64_t number,
                      const uint64_t *tags, size_t count)
{
    char body[CONTROL_BYTES_MAX], list[1024];
    struct bytes bytes;
    struct writer writer;
    writer_init(&writer, list, sizeof list);
    writer_array(&writer, count);
    for (size_t i = 0; i < count; i++)
        writer_u64(&writer, tags[i]);
    struct msg_event_invalidate event = {{origin, 16}, number, writer_bytes(&writer)};
    ck_assert_int_eq(message_encode(MSG_EVENT_INVALIDATE, &event, body, sizeof body, &bytes),
                     STATUS_OK);
    record_event(self->record, "invalidate", ++self->event, bytes);
}

uint64_t cache_get(struct cache_test *self, const char *key, struct msg_cache_get get,
                   uint16_t flags)
{
    char room[CONTROL_BYTES_MAX];
    struct bytes body;
    get.key = bytes_of(key);
    get.ns = get.ns.data == NULL ? bytes_of(CACHE_NS) : get.ns;
    ck_assert_int_eq(message_encode(MSG_CACHE_GET, &get, room, sizeof room, &body), STATUS_OK);
    struct header header = {.class = CLASS_CRITICAL,
                            .method = bytes_of("get"),
                            .flags = flags,
                            .deadline_ms = self->deadline_ms};
    return record_send(self->record, header, body);
}

struct msg_cache_entry cache_entry_of(struct cache_test *self, uint64_t id)
{
    struct msg_cache_entry entry;
    record_decode_reply(self->record, id, MSG_CACHE_ENTRY, &entry);
    return entry;
}

struct msg_cache_entry cache_look(struct cache_test *self, const char *key,
                                  struct msg_cache_get get, uint16_t flags)
{
    return cache_entry_of(self, cache_get(self, key, get, flags));
}

/* The outcome of what was stored, as one of these texts. */
static const char *stored(struct cache_test *self, uint64_t id)
{
    static const char *const outcomes[] = {"STORED", "STALE_SET", "REJECTED", "WRONG_EPOCH"};
    struct msg_cache_stored answer;
    record_decode_reply(self->record, id, MSG_CACHE_STORED, &answer);
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++)
        if (bytes_are(answer.outcome, outcomes[i]))
            return outcomes[i];
    ck_abort_msg("an outcome of no name");
    return NULL;
}

const char *cache_set(struct cache_test *self, const char *key, uint64_t lease, const char *value,
                      struct msg_cache_set set)
{
    set.ns = set.ns.data == NULL ? bytes_of(CACHE_NS) : set.ns;
    set.key = bytes_of(key);
    set.lease = lease;
    set.value = set.value.data == NULL ? bytes_of(value) : set.value;
    set.fresh_ms = set.fresh_ms == 0 ? 60000 : set.fresh_ms;
    return stored(self, record_message(self->record, MSG_CACHE_SET, &set));
}

const char *cache_fail(struct cache_test *self, const char *key, uint64_t lease,
                       struct msg_cache_fail fail)
{
    fail.ns = bytes_of(CACHE_NS);
    fail.key = bytes_of(key);
    fail.lease = lease;
    return stored(self, record_message(self->record, MSG_CACHE_FAIL, &fail));
}

void cache_clear(struct cache_test *self)
{
    struct record *record = self->record;
    for (size_t i = 0; i < record->owned_count; i++)
        free(record->owned[i]);
    record->owned_count = 0;
    record->reply_count = 0;
}
