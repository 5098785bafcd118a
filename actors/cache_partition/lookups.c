/* lookups - get and mget, and those who wait (cache.md, rules 2, 10 to 12). See state.h.
 *
 * A get that finds nothing to serve becomes a waiter, and is served again as if it came anew
 * whenever something has changed for its key: so there is one place that decides what is served. */
#include <assert.h>

#include "actors/cache_partition/state.h"

#define BUSY_RETRY_MS 100u    /* and up to as much again: they are not to come back together */
#define ENTRY_HEAD_BYTES 256u /* of an entry, but its value and position */
#define POSITION_BYTES 24u    /* two arrays, two numbers */

enum outcome { OUTCOME_HIT, OUTCOME_STALE, OUTCOME_NEGATIVE, OUTCOME_MISS };

/* What can be served of a key. */
struct finding {
    enum outcome outcome;
    bool degraded;      /* it is not what it should be */
    bool wants_lease;   /* someone should fill it all the same */
    struct entry entry; /* unless MISS */
};

static struct finding as(enum outcome outcome, const struct entry *entry, bool degraded,
                         bool wants_lease)
{
    return (struct finding){outcome, degraded, wants_lease, *entry};
}

/* Whose freshness has passed, or who was overtaken. */
static struct finding look_past(const struct waiter *waiter, const struct entry *entry, bool valid,
                                int64_t now_at)
{
    if (entry->status != STATUS_OK)
        return (struct finding){.outcome = OUTCOME_MISS, .wants_lease = true};
    if (valid && now_at < entry->failed_until_at && now_at < entry->error_until_at)
        return as(OUTCOME_STALE, entry, true, false);
    if (valid && now_at < entry->stale_until_at)
        return as(OUTCOME_STALE, entry, false, true);
    if (!valid && waiter->stale_ok &&
        (now_at < entry->stale_until_at || now_at < entry->error_until_at))
        return as(OUTCOME_STALE, entry, true, true);
    return (struct finding){.outcome = OUTCOME_MISS, .wants_lease = true};
}

static struct finding look(const struct partition *self, const struct waiter *waiter,
                           const struct lease_key *key, int64_t now_at)
{
    struct finding miss = {.outcome = OUTCOME_MISS, .wants_lease = true};
    struct entry entry;
    if ((waiter->request.flags & FLAG_REFRESH) != 0)
        return miss;
    if (!store_find(self->store, partition_key_bytes(key), &entry))
        return miss;
    uint64_t age_ms = (uint64_t)((now_at - entry.made_at) / US_PER_MS);
    if (waiter->max_age_ms != 0 && age_ms > waiter->max_age_ms)
        return miss;
    bool valid = partition_valid(self, &entry, now_at);
    if (!valid || now_at >= entry.fresh_until_at)
        return look_past(waiter, &entry, valid, now_at);
    return as(entry.status == STATUS_OK ? OUTCOME_HIT : OUTCOME_NEGATIVE, &entry, false, false);
}

static const char *const outcome_names[] = {"HIT", "STALE", "NEGATIVE", "MISS"};

static void count(struct partition *self, const struct lease_key *key, enum outcome outcome,
                  bool waited)
{
    uint8_t row = partition_namespace(self, partition_key_ns(key));
    struct happened *happened = &self->namespaces[row].happened;
    uint64_t *counters[] = {&happened->hits, &happened->stale, &happened->negatives,
                            &happened->misses};
    ++*counters[outcome];
    happened->waits += waited;
}

/* Its value borrows from the store until the next call of that. */
static struct msg_cache_entry describe(struct partition *self, const struct finding *finding,
                                       int64_t now_at)
{
    struct msg_cache_entry message = {.outcome = bytes_of(outcome_names[finding->outcome])};
    const struct entry *entry = &finding->entry;
    if (finding->outcome == OUTCOME_MISS)
        return message;
    message.value = store_value(self->store, entry);
    message.status = (uint64_t)entry->status;
    message.encoding = entry->encoding;
    message.age_ms = (uint64_t)((now_at - entry->made_at) / US_PER_MS);
    if (entry->fresh_until_at > now_at)
        message.fresh_ms = (uint64_t)((entry->fresh_until_at - now_at) / US_PER_MS);
    store_touch(self->store, entry);
    return message;
}

static void reply(struct partition *self, struct context *context, const struct request *request,
                  const struct msg_cache_entry *message, uint16_t flags)
{
    struct answer answer = {.status = STATUS_OK, .executed = EXECUTED_YES, .flags = flags};
    struct writer writer;
    writer_init(&writer, self->reply, PAIR_BODY_BYTES_MAX);
    enum status status = message_write_terse(MSG_CACHE_ENTRY, message, &writer);
    assert(status == STATUS_OK); /* limits.h leaves room beside the largest value */
    answer.body = writer_bytes(&writer);
    context->reply(context, request, &answer);
}

static void reply_miss(struct partition *self, struct context *context, const struct waiter *waiter,
                       const struct lease_key *key)
{
    struct msg_cache_entry message = {.outcome = bytes_of("MISS")};
    count(self, key, OUTCOME_MISS, false);
    reply(self, context, &waiter->request, &message, 0);
}

/* Give the lease to one who asked, if none is out and it will be of use. */
static void offer_lease(struct partition *self, struct context *context,
                        const struct lease_key *key, struct msg_cache_entry *message)
{
    struct bytes bytes = partition_key_bytes(key);
    if (stamps_deaf(self->stamps, context->now_at) || leases_held(self->leases, bytes))
        return;
    uint64_t version = stamps_tick(self->stamps, context->now_at);
    uint64_t token = context->random(context) | 1;
    int64_t until_at = leases_grant(self->leases, bytes, version, token, context->now_at);
    if (until_at == 0)
        return;
    message->lease = token;
    message->lease_ms = (uint64_t)((until_at - context->now_at) / US_PER_MS);
}

/* Park one for whom there is nothing yet. A REFRESH is not parked: the fill that is under way may
 * have begun before it was asked for. */
static bool parks(const struct partition *self, const struct context *context,
                  const struct waiter *waiter, const struct lease_key *key)
{
    return waiter->until_at > context->now_at && (waiter->request.flags & FLAG_REFRESH) == 0 &&
           !stamps_deaf(self->stamps, context->now_at) &&
           leases_held(self->leases, partition_key_bytes(key));
}

static void refuse_full(struct context *context, const struct request *request)
{
    uint32_t jitter_ms = (uint32_t)(context->random(context) % (BUSY_RETRY_MS + 1));
    actor_refuse(context, request, STATUS_BUSY_FULL, BUSY_RETRY_MS + jitter_ms,
                 &(struct failure_text){.message = "too many wait for this key to be filled"});
}

/* How far the broker's events have been applied: an array of one pair, of the broker's generation
 * and the number; absent while either is not known.
 *
 * out  POSITION_BYTES */
static struct bytes write_position(const struct partition *self, char *out)
{
    struct writer writer;
    if (self->event_generation == 0)
        return (struct bytes){0};
    writer_init(&writer, out, POSITION_BYTES);
    writer_array(&writer, 1);
    writer_array(&writer, 2);
    writer_u64(&writer, self->event_generation);
    writer_u64(&writer, self->event_number);
    return writer_bytes(&writer);
}

static void serve(struct partition *self, struct context *context, const struct waiter *waiter,
                  const struct lease_key *key, bool waited)
{
    const struct request *request = &waiter->request;
    char position[POSITION_BYTES];
    bool only_cached = (request->flags & FLAG_ONLY_IF_CACHED) != 0;
    struct finding finding = look(self, waiter, key, context->now_at);
    if (finding.outcome == OUTCOME_MISS && !only_cached && parks(self, context, waiter, key)) {
        if (leases_park(self->leases, partition_key_bytes(key), waiter) != STATUS_OK)
            refuse_full(context, request);
        return;
    }
    struct msg_cache_entry message = describe(self, &finding, context->now_at);
    if (finding.wants_lease && !only_cached)
        offer_lease(self, context, key, &message);
    if (finding.outcome != OUTCOME_MISS || message.lease != 0)
        message.position = write_position(self, position);
    message.waited = waited && finding.outcome != OUTCOME_MISS;
    count(self, key, finding.outcome, message.waited);
    reply(self, context, request, &message, finding.degraded ? FLAG_DEGRADED : 0);
}

/* Each once: who is parked again stands behind them. */
void lookups_serve_all(struct partition *self, struct context *context, const struct lease_key *key)
{
    struct waiter waiter;
    struct bytes bytes = partition_key_bytes(key);
    for (uint32_t left = leases_parked(self->leases, bytes); left > 0; left--) {
        bool there = leases_unpark(self->leases, bytes, &waiter);
        assert(there);
        serve(self, context, &waiter, key, true);
    }
}

/* It ends: while no lease is out nobody is parked anew. */
void lookups_hand_on(struct partition *self, struct context *context, const struct lease_key *key)
{
    struct waiter waiter;
    struct bytes bytes = partition_key_bytes(key);
    while (!leases_held(self->leases, bytes) && leases_unpark(self->leases, bytes, &waiter)) {
        serve(self, context, &waiter, key, true);
    }
}

void lookups_share(struct partition *self, struct context *context, const struct lease_key *key,
                   const struct msg_cache_entry *entry, int64_t made_at)
{
    struct waiter waiter;
    struct msg_cache_entry message = *entry;
    enum outcome outcome = bytes_are(entry->outcome, "HIT") ? OUTCOME_HIT : OUTCOME_NEGATIVE;
    message.waited = true;
    message.age_ms = (uint64_t)((context->now_at - made_at) / US_PER_MS);
    while (leases_unpark(self->leases, partition_key_bytes(key), &waiter)) {
        if (waiter.max_age_ms != 0 && message.age_ms > waiter.max_age_ms) {
            reply_miss(self, context, &waiter, key);
            continue;
        }
        count(self, key, outcome, true);
        reply(self, context, &waiter.request, &message, 0);
    }
}

static enum status reply_wrong_epoch(struct partition *self, struct context *context,
                                     const struct request *request)
{
    struct msg_cache_entry message = {.outcome = bytes_of("WRONG_EPOCH"),
                                      .view = partition_view(self)};
    self->wrong_epochs++;
    reply(self, context, request, &message, 0);
    return STATUS_OK;
}

static int64_t earlier(int64_t left_at, int64_t right_at)
{
    return left_at < right_at ? left_at : right_at;
}

/* Put it off until the asker's writes have come here; without room it misses at once. */
static void put_off(struct partition *self, struct context *context, struct put_off *lookup)
{
    int64_t now_at = context->now_at;
    const struct request *request = &lookup->waiter.request;
    lookup->until_at = earlier(now_at + UNCOVERED_MS * US_PER_MS, request->deadline_at);
    if ((request->flags & FLAG_ONLY_IF_CACHED) != 0 ||
        uncovered_push(self->uncovered, lookup) != STATUS_OK)
        reply_miss(self, context, &lookup->waiter, &lookup->key);
}

enum status lookups_get(void *state, struct context *context, const struct request *request,
                        const void *body)
{
    struct partition *self = state;
    const struct msg_cache_get *get = body;
    uint64_t park_ms = get->park_ms < TTL_MS_MAX ? get->park_ms : TTL_MS_MAX;
    int64_t park_until_at = context->now_at + (int64_t)park_ms * US_PER_MS;
    struct put_off lookup = {.waiter = {.request = *request,
                                        .until_at = earlier(park_until_at, request->deadline_at),
                                        .max_age_ms = get->max_age_ms,
                                        .stale_ok = get->stale_ok}};
    if (!partition_key(get->ns, get->key, &lookup.key) ||
        !session_token_read(get->after, &lookup.token))
        return STATUS_BAD_REQUEST;
    if (!partition_owns(self, get->key))
        return reply_wrong_epoch(self, context, request);
    if (session_token_covered(&lookup.token, self->stamps))
        serve(self, context, &lookup.waiter, &lookup.key, false);
    else
        put_off(self, context, &lookup);
    return STATUS_OK;
}

/* One of several: served or missed, never parked or leased. What does not fit misses.
 *
 * left  keys that come after it, for each of which there must be room to miss */
static void write_one(struct partition *self, const struct context *context,
                      const struct waiter *waiter, const struct lease_key *key, size_t left,
                      struct writer *writer)
{
    struct finding finding = look(self, waiter, key, context->now_at);
    struct msg_cache_entry message = describe(self, &finding, context->now_at);
    struct writer tried = *writer;
    writer_init(&tried, writer->data, writer->size - left * ENTRY_HEAD_BYTES);
    tried.used = writer->used;
    if (message_write(MSG_CACHE_ENTRY, &message, &tried) != STATUS_OK) {
        message = (struct msg_cache_entry){.outcome = bytes_of("MISS")};
        finding.outcome = OUTCOME_MISS;
        enum status status = message_write(MSG_CACHE_ENTRY, &message, writer);
        assert(status == STATUS_OK); /* those before it left room */
    } else {
        writer->used = tried.used;
    }
    count(self, key, finding.outcome, false);
}

static void write_wrong_epoch(struct partition *self, struct writer *writer)
{
    struct msg_cache_entry message = {.outcome = bytes_of("WRONG_EPOCH")};
    self->wrong_epochs++;
    enum status status = message_write(MSG_CACHE_ENTRY, &message, writer);
    assert(status == STATUS_OK);
}

enum status lookups_mget(void *state, struct context *context, const struct request *request,
                         const void *body)
{
    struct partition *self = state;
    const struct msg_cache_mget *mget = body;
    struct waiter waiter = {.request = *request, .stale_ok = mget->stale_ok};
    struct lease_key key;
    struct bytes value, text;
    struct writer writer;
    size_t left = (size_t)values_count(mget->keys);
    if (value_kind(mget->keys) != KIND_ARRAY || left > MGET_KEYS_MAX)
        return STATUS_BAD_REQUEST;
    writer_init(&writer, self->list, PAIR_BODY_BYTES_MAX - ENTRY_HEAD_BYTES);
    writer_array(&writer, left);
    for (struct values values = values_over(mget->keys); values_next(&values, &value);) {
        left--;
        if (!value_text(value, &text) || text.size > KEY_BYTES_MAX ||
            !partition_key(mget->ns, text, &key))
            return STATUS_BAD_REQUEST;
        if (partition_owns(self, text))
            write_one(self, context, &waiter, &key, left, &writer);
        else
            write_wrong_epoch(self, &writer);
    }
    struct answer answer = {.status = STATUS_OK, .executed = EXECUTED_YES};
    struct msg_cache_entries entries = {writer_bytes(&writer)};
    enum status status =
        message_encode(MSG_CACHE_ENTRIES, &entries, self->reply, PAIR_BODY_BYTES_MAX, &answer.body);
    assert(status == STATUS_OK);
    context->reply(context, request, &answer);
    return STATUS_OK;
}

/* Its own deadline is the end; else it may still compute the answer itself. */
static void give_up(struct partition *self, struct context *context, const struct waiter *waiter,
                    const struct lease_key *key)
{
    if (waiter->request.deadline_at <= context->now_at)
        actor_refuse(context, &waiter->request, STATUS_DEADLINE_QUEUED, 0, NULL);
    else
        reply_miss(self, context, waiter, key);
}

void lookups_covered(struct partition *self, struct context *context)
{
    struct put_off lookup;
    bool covered;
    uint32_t at = 0;
    while (uncovered_next(self->uncovered, self->stamps, context->now_at, &at, &lookup, &covered)) {
        if (covered)
            serve(self, context, &lookup.waiter, &lookup.key, false);
        else
            give_up(self, context, &lookup.waiter, &lookup.key);
    }
}

void lookups_tick(struct partition *self, struct context *context)
{
    struct lease_key key;
    struct waiter waiter;
    enum leases_due due;
    lookups_covered(self, context);
    while ((due = leases_next_due(self->leases, context->now_at, &key, &waiter)) !=
           LEASES_NOTHING) {
        if (due == LEASES_LAPSED)
            lookups_hand_on(self, context, &key);
        else
            give_up(self, context, &waiter, &key);
    }
}

int64_t lookups_due_at(const struct partition *self)
{
    return earlier(leases_due_at(self->leases), uncovered_due_at(self->uncovered));
}
