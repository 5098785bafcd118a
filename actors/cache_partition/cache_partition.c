/* cache_partition - one shard of the shared cache.
 *
 * Serves  get, mget, set, fail, explain, stats (protocol/messages.def, 40 to 59)
 * Asks    nobody; hears the brokers' events
 * Owns    the entries of its slots, the leases on keys that are being filled, those who wait for
 *         them, and a stamp for each tag that was invalidated; all in memory that is taken at start
 * See     lookups.c, fills.c, reports.c; docs/cache.md has the rules that they cite
 *
 * It may lose any value. It serves none that an invalidation it has heard of, or may have missed,
 * has overtaken. */
#include "actors/cache_partition/cache_partition.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/cache_partition/state.h"
#include "actors/runtime/log.h"
#include "actors/runtime/settings.h"

#define SECTION "cache_partition"
#define SAMPLE_US US_PER_S
#define EXPIRED_PER_TICK 256u

bool partition_key(struct bytes ns, struct bytes key, struct lease_key *ret)
{
    if (!key_is_namespace(ns) || key.size == 0)
        return false;
    assert(key.size <= KEY_BYTES_MAX); /* the codec, or who took it from a list, has seen to it */
    ret->size = 1 + ns.size + key.size;
    ret->data[0] = (char)ns.size;
    memcpy(ret->data + 1, ns.data, ns.size);
    memcpy(ret->data + 1 + ns.size, key.data, key.size);
    return true;
}

struct bytes partition_key_bytes(const struct lease_key *self)
{
    return (struct bytes){self->data, self->size};
}

struct bytes partition_key_ns(const struct lease_key *self)
{
    return (struct bytes){self->data + 1, (size_t)self->data[0]};
}

struct bytes partition_key_text(const struct lease_key *self)
{
    size_t skipped = 1 + (size_t)self->data[0];
    return (struct bytes){self->data + skipped, self->size - skipped};
}

bool partition_owns(const struct partition *self, struct bytes key)
{
    if (self->placement == NULL)
        return true;
    unsigned slot = key_slot(key_hash(placement_view(self->placement)->seed, key));
    return self->member != PLACEMENT_NONE && placement_owner(self->placement, slot) == self->member;
}

struct bytes partition_view(const struct partition *self)
{
    bool fits = self->placement != NULL && self->view_size <= 65536;
    return (struct bytes){fits ? self->view_data : NULL, self->view_size};
}

uint8_t partition_namespace(struct partition *self, struct bytes ns)
{
    uint8_t row = 1;
    for (; row < self->namespace_count; row++)
        if (bytes_equal(
                ns, (struct bytes){self->namespaces[row].name, self->namespaces[row].name_size}))
            return row;
    if (row == NAMESPACES_MAX)
        return 0;
    self->namespace_count++;
    self->namespaces[row].name_size = ns.size;
    memcpy(self->namespaces[row].name, ns.data, ns.size);
    return row;
}

bool partition_valid(const struct partition *self, const struct entry *entry, int64_t now_at)
{
    return !stamps_deaf(self->stamps, now_at) &&
           stamps_valid(self->stamps, entry->version, entry->tags, entry->tag_count);
}

/* For the store: what makes room first. */
static bool is_kept(const void *state, const struct entry *entry)
{
    const struct stamps *stamps = state;
    return stamps_valid(stamps, entry->version, entry->tags, entry->tag_count);
}

static void stop(void *state)
{
    struct partition *self = state;
    store_destroy(&self->store);
    stamps_destroy(&self->stamps);
    leases_destroy(&self->leases);
    uncovered_destroy(&self->uncovered);
    placement_destroy(&self->placement);
    placement_destroy(&self->next_placement);
    free(self->view_data);
    free(self->next_view_data);
    free(self->reply);
    free(self->list);
}

static bool take_memory(struct partition *self, struct context *context, uint64_t memory_bytes)
{
    const struct leases_limits limits = {LEASES_MAX, PARKED_MAX, PARKED_PER_KEY_MAX};
    self->stamps =
        stamps_new(STAMPS_MAX, context->random(context), context->now_at, context->unix_ms);
    self->store = store_new(memory_bytes, context->random(context), is_kept, self->stamps);
    self->leases = leases_new(&limits, context->random(context));
    self->uncovered = uncovered_new();
    self->view_data = malloc(VIEW_BYTES_MAX);
    self->next_view_data = malloc(VIEW_BYTES_MAX);
    self->reply = malloc(PAIR_BODY_BYTES_MAX);
    self->list = malloc(PAIR_BODY_BYTES_MAX);
    return self->stamps != NULL && self->store != NULL && self->leases != NULL &&
           self->uncovered != NULL && self->view_data != NULL && self->next_view_data != NULL &&
           self->reply != NULL && self->list != NULL;
}

_Static_assert(VIEW_BYTES_MAX <= PAIR_BODY_BYTES_MAX, "a view is encoded where lists are");

static bool start(void *state, struct context *context, const struct settings *settings,
                  char *reason, size_t reason_size)
{
    struct partition *self = state;
    uint64_t memory_bytes = settings_u64(settings, SECTION, "memory_bytes");
    self->cost_us_min = settings_u64(settings, SECTION, "cost_min_us");
    self->concurrency = (uint32_t)settings_u64(settings, SECTION, "concurrency");
    self->member = PLACEMENT_NONE;
    self->namespace_count = 1;
    memcpy(self->session, context->session, sizeof self->session);
    if (!take_memory(self, context, memory_bytes)) {
        (void)snprintf(reason, reason_size, "no memory: lower " SECTION ".memory_bytes (now %llu)",
                       (unsigned long long)memory_bytes);
        stop(self);
        return false;
    }
    reports_sample(self, context);
    self->sampled_at = context->now_at;
    return true;
}

static uint32_t write_methods(void *state, struct writer *writer)
{
    const struct partition *self = state;
    size_t count = 0;
    for (int id = 0; id < MESSAGE_ID_MAX; id++)
        count += messages[id].name != NULL && messages[id].role == ROLE_CACHE_PARTITION;
    writer_array(writer, count);
    for (int id = 0; id < MESSAGE_ID_MAX; id++) {
        if (messages[id].name == NULL || messages[id].role != ROLE_CACHE_PARTITION)
            continue;
        struct msg_method method = {.name = bytes_of(messages[id].method)};
        enum status status = message_write(MSG_METHOD, &method, writer);
        assert(status == STATUS_OK || writer->full);
    }
    return self->concurrency;
}

static void on_cancel(void *state, struct context *context, const struct request *request)
{
    struct partition *self = state;
    (void)context;
    if (!leases_withdraw(self->leases, request))
        (void)uncovered_withdraw(self->uncovered, request);
}

/* Build the table of a view beside the one in use. A view that makes no sense leaves all as it is:
 * a wrong one costs hits, never a stale answer. */
static void on_view(void *state, struct context *context, const struct msg_view *view)
{
    struct partition *self = state;
    struct bytes body;
    (void)context;
    struct placement_view *decoded = malloc(sizeof *decoded);
    if (decoded == NULL)
        return;
    if (message_encode(MSG_VIEW, view, self->list, VIEW_BYTES_MAX, &body) == STATUS_OK &&
        placement_decode(body, decoded) == STATUS_OK) {
        memcpy(self->next_view_data, body.data, body.size);
        placement_destroy(&self->next_placement);
        self->next_placement = placement_new(decoded);
        self->next_view_size = body.size;
    }
    free(decoded);
}

/* Some slots of the next table a turn; once it is complete it is the one in use. */
static void build_some(struct partition *self)
{
    if (self->next_placement == NULL ||
        !placement_build_some(self->next_placement, PLACEMENT_TURN_SLOTS))
        return;
    placement_destroy(&self->placement);
    self->placement = self->next_placement;
    self->next_placement = NULL;
    char *old = self->view_data;
    self->view_data = self->next_view_data;
    self->next_view_data = old;
    self->view_size = self->next_view_size;
    self->member =
        placement_find(self->placement, (struct bytes){self->session, sizeof self->session});
    self->owned =
        self->member == PLACEMENT_NONE ? 0 : placement_owned(self->placement, self->member);
}

/* returns  false: it makes no sense, so it is as if it had been missed */
static bool apply(struct partition *self, struct bytes body, int64_t now_at)
{
    struct msg_event_invalidate event;
    uint64_t tags[TAGS_BATCH_MAX];
    struct bytes tag;
    size_t count = 0;
    if (message_decode(MSG_EVENT_INVALIDATE, body, &event) != STATUS_OK ||
        event.origin.size != ORIGIN_BYTES || value_kind(event.tags) != KIND_ARRAY ||
        values_count(event.tags) > TAGS_BATCH_MAX)
        return false;
    for (struct values values = values_over(event.tags); values_next(&values, &tag); count++)
        if (!value_u64(tag, &tags[count]))
            return false;
    stamps_apply(self->stamps, event.origin.data, event.number, tags, count, now_at);
    return true;
}

/* The beat tells the broker's generation, by which its numbers are to be read. */
static void take_position(struct partition *self, const struct event *event)
{
    struct msg_event_members members;
    self->event_number = event->number;
    if (strcmp(event->topic, "members") == 0 &&
        message_decode(MSG_EVENT_MEMBERS, event->body, &members) == STATUS_OK)
        self->event_generation = members.generation;
}

static void on_event(void *state, struct context *context, const struct event *event)
{
    struct partition *self = state;
    uint64_t gaps = stamps_counts(self->stamps)->gaps;
    take_position(self, event);
    stamps_heard(self->stamps, context->now_at);
    if (strcmp(event->topic, "invalidate") == 0) {
        if (!apply(self, event->body, context->now_at))
            stamps_gap(self->stamps);
        lookups_covered(self, context);
    }
    if (stamps_counts(self->stamps)->gaps > gaps)
        log_event(EVENT_CACHE_DROPPED, log_text("why", "invalidations may have been missed"));
}

static void on_gap(void *state, struct context *context)
{
    struct partition *self = state;
    (void)context;
    self->event_generation = 0; /* it may be another's numbers from here on */
    stamps_gap(self->stamps);
}

static enum status on_query(void *state, struct context *context, struct bytes method,
                            struct bytes body, struct writer *writer)
{
    (void)context;
    return reports_query(state, method, body, writer);
}

static int64_t due_at(const void *state)
{
    const struct partition *self = state;
    int64_t at = self->sampled_at + SAMPLE_US, lookups_at = lookups_due_at(self);
    if (self->next_placement != NULL)
        return 0;
    return lookups_at < at ? lookups_at : at;
}

static void tick(void *state, struct context *context)
{
    struct partition *self = state;
    build_some(self);
    lookups_tick(self, context);
    if (context->now_at < self->sampled_at + SAMPLE_US)
        return;
    store_expire(self->store, context->now_at, EXPIRED_PER_TICK);
    reports_sample(self, context);
    self->sampled_at = context->now_at;
}

const struct actor_spec cache_partition_spec = {
    .role = ROLE_CACHE_PARTITION,
    .name = SECTION,
    .state_bytes = sizeof(struct partition),
    .start = start,
    .stop = stop,
    .methods = write_methods,
    .handlers = {[MSG_CACHE_GET] = lookups_get,
                 [MSG_CACHE_MGET] = lookups_mget,
                 [MSG_CACHE_SET] = fills_set,
                 [MSG_CACHE_FAIL] = fills_fail,
                 [MSG_CACHE_EXPLAIN] = reports_explain,
                 [MSG_CACHE_STATS] = reports_stats},
    .on_cancel = on_cancel,
    .on_view = on_view,
    .on_event = on_event,
    .on_gap = on_gap,
    .on_query = on_query,
    .due_at = due_at,
    .tick = tick,
    .lets_in = true,
};
