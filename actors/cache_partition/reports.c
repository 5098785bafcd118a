/* reports - explain, stats and metrics: what the partition says of itself. See state.h. */
#include <inttypes.h>
#include <stdio.h>

#include "actors/cache_partition/state.h"
#include "actors/runtime/metrics.h"

#define WHY_BYTES 200u
#define POSITIONS_BYTES 4096u /* as the row says */
#define POSITIONS_MAX 128u    /* of at most 28 bytes each */

struct why {
    const char *state;
    char text[WHY_BYTES];
};

static int64_t ms_from(int64_t then_at, int64_t now_at)
{
    return (now_at - then_at) / US_PER_MS;
}

/* Which of its tags has overtaken it. */
static void explain_invalid(const struct partition *self, const struct entry *entry, int64_t now_at,
                            struct why *ret)
{
    ret->state = "invalidated";
    if (stamps_deaf(self->stamps, now_at)) {
        (void)snprintf(ret->text, WHY_BYTES, "no broker is heard: nothing is valid until one is");
        return;
    }
    for (uint8_t i = 0; i < entry->tag_count; i++)
        if (stamps_of(self->stamps, entry->tags[i]) >= entry->version) {
            (void)snprintf(ret->text, WHY_BYTES,
                           "tag %016" PRIx64 " was invalidated after its fill", entry->tags[i]);
            return;
        }
    (void)snprintf(ret->text, WHY_BYTES, "it is not above the floor: invalidations were missed");
}

static void explain_entry(const struct partition *self, const struct entry *entry, int64_t now_at,
                          struct why *ret)
{
    int64_t fresh_ms = ms_from(now_at, entry->fresh_until_at);
    if (!partition_valid(self, entry, now_at)) {
        explain_invalid(self, entry, now_at, ret);
    } else if (now_at < entry->fresh_until_at) {
        ret->state = "valid";
        (void)snprintf(ret->text, WHY_BYTES, "%s, fresh for %" PRId64 " ms",
                       entry->status == STATUS_OK ? "a value" : statuses[entry->status].name,
                       fresh_ms);
    } else if (now_at < entry->stale_until_at) {
        ret->state = "stale";
        (void)snprintf(ret->text, WHY_BYTES,
                       "not fresh for %" PRId64 " ms; served while it is filled", -fresh_ms);
    } else {
        ret->state = "expired";
        (void)snprintf(ret->text, WHY_BYTES, "not fresh for %" PRId64 " ms%s", -fresh_ms,
                       now_at < entry->error_until_at ? "; stands in for a fill that fails" : "");
    }
}

static void explain_nothing(const struct partition *self, const struct lease_key *key,
                            struct why *ret)
{
    struct bytes bytes = partition_key_bytes(key);
    bool held = leases_held(self->leases, bytes);
    ret->state = held ? "leased" : "absent";
    (void)snprintf(ret->text, WHY_BYTES, held ? "being filled; %u wait" : "nothing is held",
                   leases_parked(self->leases, bytes));
}

enum status reports_explain(void *state, struct context *context, const struct request *request,
                            const void *body)
{
    struct partition *self = state;
    const struct msg_cache_explain *explain = body;
    struct lease_key key;
    struct entry entry = {0};
    struct why why;
    struct writer tags;
    char tags_bytes[512];
    if (!partition_key(explain->ns, explain->key, &key))
        return STATUS_BAD_REQUEST;
    if (store_find(self->store, partition_key_bytes(&key), &entry))
        explain_entry(self, &entry, context->now_at, &why);
    else
        explain_nothing(self, &key, &why);
    writer_init(&tags, tags_bytes, sizeof tags_bytes);
    writer_array(&tags, entry.tag_count);
    for (uint8_t i = 0; i < entry.tag_count; i++) {
        writer_array(&tags, 2);
        writer_u64(&tags, entry.tags[i]);
        writer_u64(&tags, stamps_of(self->stamps, entry.tags[i]));
    }
    uint64_t seed = self->placement == NULL ? 0 : placement_view(self->placement)->seed;
    struct msg_cache_explained explained = {
        .state = bytes_of(why.state),
        .why = bytes_of(why.text),
        .version = entry.version,
        .floor = stamps_floor(self->stamps),
        .clock = stamps_clock(self->stamps),
        .slot = key_slot(key_hash(seed, explain->key)),
        .bytes = entry.bytes,
        .tags = writer_bytes(&tags),
    };
    actor_reply(context, request, MSG_CACHE_EXPLAINED, &explained);
    return STATUS_OK;
}

static void add(struct msg_cache_statistics *sum, const struct partition *self, uint8_t row)
{
    const struct happened *happened = &self->namespaces[row].happened;
    const struct store_counts *held = store_counts(self->store, row);
    sum->entries += held->entries;
    sum->bytes += held->bytes;
    sum->evicted += held->evicted;
    sum->expired += held->expired;
    sum->hits += happened->hits;
    sum->stale += happened->stale;
    sum->misses += happened->misses;
    sum->negatives += happened->negatives;
    sum->waits += happened->waits;
    sum->stores += happened->stores;
    sum->stale_sets += happened->stale_sets;
    sum->rejected += happened->rejected;
}

static struct msg_cache_statistics total(const struct partition *self)
{
    const struct stamps_counts *stamps = stamps_counts(self->stamps);
    struct msg_cache_statistics sum = {
        .bytes_max = store_bytes_max(self->store),
        .invalidations = stamps->stamped,
        .gaps = stamps->gaps,
        .leases = leases_counts(self->leases)->leases,
        .parked = leases_counts(self->leases)->parked + uncovered_count(self->uncovered),
        .stamps = stamps_count(self->stamps),
        .slots = self->owned,
        .epoch = self->placement == NULL ? 0 : placement_view(self->placement)->epoch,
    };
    for (uint8_t row = 0; row < self->namespace_count; row++)
        add(&sum, self, row);
    return sum;
}

static void write_positions(const struct partition *self, struct writer *writer)
{
    const char *origin;
    uint64_t number;
    size_t count = 0;
    while (count < POSITIONS_MAX && stamps_position(self->stamps, count, &origin, &number))
        count++;
    writer_array(writer, count);
    for (size_t i = 0; i < count && stamps_position(self->stamps, i, &origin, &number); i++) {
        writer_array(writer, 2);
        writer_blob(writer, (struct bytes){origin, ORIGIN_BYTES});
        writer_u64(writer, number);
    }
}

/* positions  POSITIONS_BYTES, borrowed by what is returned */
static struct msg_cache_statistics statistics_of(const struct partition *self, struct bytes ns,
                                                 char *positions)
{
    struct msg_cache_statistics sum = total(self);
    struct writer writer;
    if (ns.data != NULL) {
        sum = (struct msg_cache_statistics){.bytes_max = sum.bytes_max};
        for (uint8_t row = 1; row < self->namespace_count; row++)
            if (bytes_equal(ns, (struct bytes){self->namespaces[row].name,
                                               self->namespaces[row].name_size}))
                add(&sum, self, row);
    }
    writer_init(&writer, positions, POSITIONS_BYTES);
    write_positions(self, &writer);
    sum.position = writer_bytes(&writer);
    return sum;
}

enum status reports_stats(void *state, struct context *context, const struct request *request,
                          const void *body)
{
    const struct msg_cache_stats *stats = body;
    char positions[POSITIONS_BYTES];
    struct msg_cache_statistics sum = statistics_of(state, stats->ns, positions);
    actor_reply(context, request, MSG_CACHE_STATISTICS, &sum);
    return STATUS_OK;
}

enum status reports_query(const struct partition *self, struct bytes method, struct bytes body,
                          struct writer *writer)
{
    struct msg_cache_stats stats = {0};
    char positions[POSITIONS_BYTES];
    if (!bytes_are(method, messages[MSG_CACHE_STATS].method))
        return STATUS_NO_ROLE;
    if (body.data != NULL && message_decode(MSG_CACHE_STATS, body, &stats) != STATUS_OK)
        return STATUS_BAD_REQUEST;
    struct msg_cache_statistics sum = statistics_of(self, stats.ns, positions);
    return message_write(MSG_CACHE_STATISTICS, &sum, writer);
}

static void sample_bound(struct metrics *metrics, const char *bound, double used, double most)
{
    metrics_set(metrics, METRIC_BOUND_USED_RATIO, LABELS(bound), used / most);
}

static void sample_bounds(const struct partition *self, struct metrics *metrics,
                          const struct msg_cache_statistics *sum)
{
    const struct leases_counts *leases = leases_counts(self->leases);
    const char *origin;
    uint64_t number;
    size_t origins = 0;
    while (stamps_position(self->stamps, origins, &origin, &number))
        origins++;
    sample_bound(metrics, "memory_bytes", (double)sum->bytes, (double)sum->bytes_max);
    sample_bound(metrics, "leases", leases->leases, LEASES_MAX);
    sample_bound(metrics, "parked", leases->parked, PARKED_MAX);
    sample_bound(metrics, "after_parked", uncovered_count(self->uncovered), AFTER_PARKED_MAX);
    sample_bound(metrics, "stamps", (double)sum->stamps, STAMPS_MAX);
    sample_bound(metrics, "origins", (double)origins, ORIGINS_MAX);
    sample_bound(metrics, "namespaces", self->namespace_count, NAMESPACES_MAX);
}

void reports_sample(struct partition *self, struct context *context)
{
    struct metrics *metrics = context->metrics;
    const struct msg_cache_statistics sum = total(self);
    const struct {
        const char *result;
        uint64_t count;
    } results[] = {{"hit", sum.hits},
                   {"stale", sum.stale},
                   {"negative", sum.negatives},
                   {"miss", sum.misses},
                   {"wrong_epoch", self->wrong_epochs}},
      fills[] = {{"stored", sum.stores}, {"stale", sum.stale_sets}, {"rejected", sum.rejected}};
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        metrics_set(metrics, METRIC_CACHE_REQUESTS_TOTAL, LABELS(results[i].result),
                    (double)results[i].count);
    for (size_t i = 0; i < sizeof fills / sizeof *fills; i++)
        metrics_set(metrics, METRIC_CACHE_FILLS_TOTAL, LABELS(fills[i].result),
                    (double)fills[i].count);
    metrics_set(metrics, METRIC_CACHE_WAITS_TOTAL, NO_LABELS, (double)sum.waits);
    metrics_set(metrics, METRIC_CACHE_LEASES_LAPSED_TOTAL, NO_LABELS,
                (double)leases_counts(self->leases)->lapsed);
    metrics_set(metrics, METRIC_CACHE_KEYS, NO_LABELS, (double)sum.entries);
    metrics_set(metrics, METRIC_CACHE_BYTES, NO_LABELS, (double)sum.bytes);
    metrics_set(metrics, METRIC_CACHE_BYTES_LIMIT, NO_LABELS, (double)sum.bytes_max);
    metrics_set(metrics, METRIC_CACHE_EVICTIONS_TOTAL, LABELS("size"), (double)sum.evicted);
    metrics_set(metrics, METRIC_CACHE_EVICTIONS_TOTAL, LABELS("ttl"), (double)sum.expired);
    metrics_set(metrics, METRIC_CACHE_INVALIDATIONS_TOTAL, NO_LABELS, (double)sum.invalidations);
    metrics_set(metrics, METRIC_INVAL_GAP_TOTAL, NO_LABELS, (double)sum.gaps);
    metrics_set(metrics, METRIC_CACHE_SLOTS_OWNED, NO_LABELS, (double)sum.slots);
    sample_bounds(self, metrics, &sum);
}
