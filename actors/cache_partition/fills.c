/* fills - set and fail: how a lease comes back (cache.md, rules 3 and 4, "Misses"). See state.h.
 *
 * Whoever holds the current lease may fill, also after the slot has moved: the entry is as good as
 * any, and those who wait are here. */
#include <assert.h>
#include <string.h>

#include "actors/cache_partition/state.h"

#define NEGATIVE_MS_MAX 300000u
#define RETRY_MS_MIN 2000 /* so long a value stands in for a failed fill */
#define JITTER 10u        /* freshness differs by up to one part in so many, either way */

static void reply_stored(struct partition *self, struct context *context,
                         const struct request *request, const char *outcome, uint64_t waiters)
{
    struct msg_cache_stored stored = {.outcome = bytes_of(outcome), .waiters = waiters};
    if (bytes_are(stored.outcome, "WRONG_EPOCH"))
        stored.view = partition_view(self);
    actor_reply(context, request, MSG_CACHE_STORED, &stored);
}

/* The lease is not current: it lapsed, was overtaken, or never was. */
static enum status reply_not_current(struct partition *self, struct context *context,
                                     const struct request *request, const struct lease_key *key)
{
    bool owned = partition_owns(self, partition_key_text(key));
    uint8_t row = partition_namespace(self, partition_key_ns(key));
    self->namespaces[row].happened.stale_sets += owned;
    self->wrong_epochs += !owned;
    reply_stored(self, context, request, owned ? "STALE_SET" : "WRONG_EPOCH", 0);
    return STATUS_OK;
}

static bool read_tags(struct bytes value, struct entry *ret)
{
    struct bytes tag;
    if (value.data == NULL || value_kind(value) == KIND_NIL)
        return true;
    if (value_kind(value) != KIND_ARRAY || values_count(value) > TAGS_MAX)
        return false;
    for (struct values values = values_over(value); values_next(&values, &tag);)
        if (!value_u64(tag, &ret->tags[ret->tag_count++]))
            return false;
    return true;
}

static void add_own_tags(const struct lease_key *key, struct entry *entry)
{
    entry->tag_count += (uint8_t)key_own_tags(partition_key_ns(key), partition_key_text(key),
                                              &entry->tags[entry->tag_count]);
    assert(entry->tag_count <= ENTRY_TAGS_MAX);
}

/* What was filled together must not go stale together; the same key always by the same. */
static uint64_t with_jitter(uint64_t fresh_ms, const struct lease_key *key)
{
    uint64_t width = 2 * (fresh_ms / JITTER) + 1;
    return fresh_ms - fresh_ms / JITTER + key_hash(0, partition_key_bytes(key)) % width;
}

/* No entry lives longer than TTL_MS_MAX: stamps do not, either. */
static int64_t end_at(int64_t now_at, uint64_t fresh_ms, uint64_t more_ms)
{
    uint64_t ms = fresh_ms + more_ms;
    return now_at + (int64_t)(ms < TTL_MS_MAX ? ms : TTL_MS_MAX) * US_PER_MS;
}

static void set_lives(struct entry *entry, const struct lease_key *key,
                      const struct msg_cache_set *set, int64_t now_at)
{
    uint64_t fresh_ms = with_jitter(set->fresh_ms, key);
    entry->fresh_until_at = end_at(now_at, fresh_ms, 0);
    entry->stale_until_at = end_at(now_at, fresh_ms, set->stale_ms);
    entry->error_until_at = end_at(now_at, fresh_ms, set->error_ms);
}

static bool is_sound(const struct msg_cache_set *set)
{
    return set->fresh_ms > 0 && set->fresh_ms <= TTL_MS_MAX && set->stale_ms <= TTL_MS_MAX &&
           set->error_ms <= TTL_MS_MAX;
}

/* Too large or too cheap to keep; those who wait get it all the same. */
static void reject(struct partition *self, struct context *context, const struct lease_key *key,
                   const struct msg_cache_set *set, const struct entry *entry)
{
    struct msg_cache_entry message = {
        .outcome = bytes_of("HIT"), .value = set->value, .encoding = set->encoding};
    self->namespaces[entry->group].happened.rejected++;
    lookups_share(self, context, key, &message, entry->made_at);
}

static const char *fill(struct partition *self, struct context *context,
                        const struct lease_key *key, const struct msg_cache_set *set,
                        const struct entry *entry)
{
    struct happened *happened = &self->namespaces[entry->group].happened;
    if (!partition_valid(self, entry, context->now_at)) {
        happened->stale_sets++;
        lookups_hand_on(self, context, key);
        return "STALE_SET";
    }
    if (set->cost_us < self->cost_us_min ||
        !store_put(self->store, partition_key_bytes(key), entry, set->value, context->now_at)) {
        reject(self, context, key, set, entry);
        return "REJECTED";
    }
    happened->stores++;
    lookups_serve_all(self, context, key);
    return "STORED";
}

enum status fills_set(void *state, struct context *context, const struct request *request,
                      const void *body)
{
    struct partition *self = state;
    const struct msg_cache_set *set = body;
    struct lease_key key;
    struct entry entry = {.encoding = set->encoding, .cost_us = set->cost_us};
    if (!partition_key(set->ns, set->key, &key) || !read_tags(set->tags, &entry) || !is_sound(set))
        return STATUS_BAD_REQUEST;
    struct bytes bytes = partition_key_bytes(&key);
    if (!leases_current(self->leases, bytes, set->lease, &entry.version, &entry.made_at))
        return reply_not_current(self, context, request, &key);
    add_own_tags(&key, &entry);
    set_lives(&entry, &key, set, context->now_at);
    entry.group = partition_namespace(self, set->ns);
    uint32_t waiters = leases_parked(self->leases, bytes);
    leases_end(self->leases, bytes, context->now_at);
    reply_stored(self, context, request, fill(self, context, &key, set, &entry), waiters);
    return STATUS_OK;
}

/* Failures that are of the holder's own terms, and say nothing about another's. */
static bool is_own(enum status status)
{
    return status == STATUS_CANCELLED || status == STATUS_INFEASIBLE ||
           status == STATUS_DEADLINE_QUEUED || status == STATUS_DEADLINE_RUNNING;
}

/* Failures that the same question would meet again; refusals and deadlines are not among them. */
static bool is_lasting(enum status status)
{
    return status == STATUS_APP_ERROR || status == STATUS_BAD_REQUEST;
}

static uint64_t negative_ms(const struct msg_cache_fail *fail)
{
    if (!is_lasting((enum status)fail->status))
        return 0;
    return fail->negative_ms < NEGATIVE_MS_MAX ? fail->negative_ms : NEGATIVE_MS_MAX;
}

/* A value that is still good enough to stand in for a failed fill goes first.
 *
 * returns  false: there is none */
static bool stand_in(struct partition *self, struct context *context, const struct lease_key *key,
                     const struct msg_cache_fail *fail)
{
    struct entry entry;
    int64_t ms = (int64_t)negative_ms(fail);
    if (!store_find(self->store, partition_key_bytes(key), &entry) || entry.status != STATUS_OK ||
        entry.error_until_at <= context->now_at || !partition_valid(self, &entry, context->now_at))
        return false;
    ms = ms > RETRY_MS_MIN ? ms : RETRY_MS_MIN;
    store_mark_failed(self->store, &entry, context->now_at + ms * US_PER_MS);
    lookups_serve_all(self, context, key);
    return true;
}

/* All who wait get the failure; it is remembered if that is asked for and it will last. */
static void share_failure(struct partition *self, struct context *context,
                          const struct lease_key *key, const struct msg_cache_fail *fail,
                          struct entry *entry)
{
    struct msg_cache_entry message = {.outcome = bytes_of("NEGATIVE"),
                                      .value = fail->body,
                                      .status = fail->status,
                                      .retry_after_ms = fail->retry_after_ms};
    add_own_tags(key, entry);
    entry->status = (enum status)fail->status;
    entry->group = partition_namespace(self, partition_key_ns(key));
    entry->fresh_until_at = end_at(context->now_at, negative_ms(fail), 0);
    entry->stale_until_at = entry->error_until_at = entry->fresh_until_at;
    if (entry->fresh_until_at > context->now_at && partition_valid(self, entry, context->now_at))
        self->namespaces[entry->group].happened.stores +=
            store_put(self->store, partition_key_bytes(key), entry, fail->body, context->now_at);
    lookups_share(self, context, key, &message, entry->made_at);
}

enum status fills_fail(void *state, struct context *context, const struct request *request,
                       const void *body)
{
    struct partition *self = state;
    const struct msg_cache_fail *fail = body;
    struct lease_key key;
    struct entry entry = {0};
    if (!partition_key(fail->ns, fail->key, &key) || fail->status == STATUS_OK ||
        fail->status >= STATUS_COUNT)
        return STATUS_BAD_REQUEST;
    struct bytes bytes = partition_key_bytes(&key);
    if (!leases_current(self->leases, bytes, fail->lease, &entry.version, &entry.made_at))
        return reply_not_current(self, context, request, &key);
    uint32_t waiters = leases_parked(self->leases, bytes);
    leases_end(self->leases, bytes, context->now_at);
    if (is_own((enum status)fail->status))
        lookups_hand_on(self, context, &key);
    else if (!stand_in(self, context, &key, fail))
        share_failure(self, context, &key, fail, &entry);
    reply_stored(self, context, request, "STORED", waiters);
    return STATUS_OK;
}
