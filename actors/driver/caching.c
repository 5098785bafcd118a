/* caching - LOOKUP, WAIT and STORE: a task and the partition that owns its key. See state.h.
 *
 * The first look-up never waits there, so a partition that says nothing within LOOKUP_MS is silent
 * and not slow. Whoever finds the key taken asks again, and is parked. A lease that came is given
 * back on every way out: with the answer, with the failure, or with nothing. */
#include <assert.h>
#include <string.h>

#include "actors/driver/state.h"

static void count(struct context *context, enum metric metric, const char *outcome)
{
    metrics_add(context->metrics, metric, LABELS(outcome), 1);
}

/* --- LOOKUP and WAIT --- */

/* How the look-up ended without the cache, or why it has to. */
static void go_without(struct driver *self, struct context *context, struct task *task)
{
    count(context, METRIC_DRIVER_LOOKUPS_TOTAL, "without");
    task->degraded |= WITHOUT_CACHE;
    if (task->wishes.only_if_cached)
        task_fail(
            self, context, task, STATUS_APP_ERROR,
            &(struct failure_text){.code = "NOT_CACHED", .message = "the cache cannot be asked"});
    else
        task_advance(self, context, task, OUTCOME_WITHOUT);
}

static uint16_t lookup_flags(const struct task *task)
{
    return (uint16_t)((task->wishes.refresh ? FLAG_REFRESH : 0) |
                      (task->wishes.only_if_cached ? FLAG_ONLY_IF_CACHED : 0));
}

static enum status ask_for(struct driver *self, struct context *context, struct task *task,
                           uint64_t park_ms)
{
    struct msg_cache_get get = {.ns = name_bytes(&task->wishes.ns),
                                .key = key_bytes(&task->key),
                                .epoch = task->owner.epoch,
                                .after = task->wishes.after,
                                .stale_ok = task->wishes.stale_ok,
                                .park_ms = park_ms,
                                .max_age_ms = task->wishes.max_age_ms};
    struct ask ask = {.role = ROLE_CACHE_PARTITION,
                      .member = task->owner.member,
                      .method = bytes_of("get"),
                      .flags = lookup_flags(task),
                      .class = task->request.class,
                      .has_key = true,
                      .key = task->owner.hash,
                      .deadline_at = context->now_at + (LOOKUP_MS + (int64_t)park_ms) * US_PER_MS};
    struct writer writer;
    writer_init(&writer, self->body, PAIR_BODY_BYTES_MAX);
    enum status status = message_write_terse(MSG_CACHE_GET, &get, &writer);
    if (status != STATUS_OK)
        return status;
    ask.body = writer_bytes(&writer);
    task->tag = driver_tag(self, task);
    task->asked = ASKED_LOOKUP;
    status = context->ask(context, &task->request, &ask, task->tag);
    if (status != STATUS_OK)
        task->tag = 0;
    return status;
}

void caching_lookup(struct driver *self, struct context *context, struct task *task)
{
    task->owner = owners_of(self->owners, key_bytes(&task->key), context->now_at);
    if (!task_has_time(context, task))
        task_fail_late(self, context, task);
    else if (task->owner.member == OWNER_NONE || ask_for(self, context, task, 0) != STATUS_OK)
        go_without(self, context, task);
}

/* As long as a fill may well take, so that one whose holder is gone does not hold up everybody; and
 * nine tenths of the time there is: who then gets nothing may still have time to compute it. */
static uint64_t wait_ms(const struct driver *self, const struct context *context,
                        const struct task *task)
{
    int64_t left_ms = (task->request.deadline_at - context->now_at) * 9 / 10 / US_PER_MS;
    int64_t typical_us = task->kind == TASK_CALL ? task->tool.typical_us : self->question_us;
    int64_t enough_ms = WAIT_TIMES * typical_us / US_PER_MS;
    enough_ms = enough_ms > WAIT_MS_MIN ? enough_ms : WAIT_MS_MIN;
    return (uint64_t)(typical_us > 0 && enough_ms < left_ms ? enough_ms : left_ms);
}

void caching_wait(struct driver *self, struct context *context, struct task *task)
{
    if (!task_has_time(context, task))
        task_fail_late(self, context, task);
    else if (ask_for(self, context, task, wait_ms(self, context, task)) != STATUS_OK)
        go_without(self, context, task);
}

/* True if whoever was at this position had applied all that the other had: arrays of [generation,
 * number]. What is not said covers nothing. */
static bool covers(struct bytes position, struct bytes other)
{
    struct values wanted = values_over(other);
    struct bytes pair, generation, number;
    if (value_kind(position) != KIND_ARRAY || value_kind(other) != KIND_ARRAY)
        return false;
    while (values_next(&wanted, &pair)) {
        uint64_t least = 0, has = 0;
        bool found = false;
        struct values inner = values_over(pair);
        if (!values_next(&inner, &generation) || !values_next(&inner, &number) ||
            !value_u64(number, &least))
            return false;
        struct values had = values_over(position);
        while (!found && values_next(&had, &pair)) {
            struct bytes name;
            inner = values_over(pair);
            found = values_next(&inner, &name) && bytes_equal(name, generation) &&
                    values_next(&inner, &number) && value_u64(number, &has);
        }
        if (!found || has < least)
            return false;
    }
    return true;
}

/* An answer that stands on a cached part is as new as the part: it may be kept only if the part's
 * partition had heard at least all that ours had when it gave the lease (docs/cache.md, rule 7). */
static bool may_be_built_on(const struct task *task, const struct msg_cache_entry *entry)
{
    const struct task *question = task->parent;
    struct bytes position = {0};
    if (question == NULL || question->lease == 0)
        return true;
    if (question->position_size > 0)
        position = (struct bytes){question->position, question->position_size};
    return covers(entry->position, position);
}

static void take_lease(struct context *context, struct task *task,
                       const struct msg_cache_entry *entry)
{
    uint64_t lease_ms = entry->lease_ms < TTL_MS_MAX ? entry->lease_ms : TTL_MS_MAX;
    assert(task->lease == 0);
    task->lease = entry->lease;
    task->lease_until_at = context->now_at + (int64_t)lease_ms * US_PER_MS;
    task->position_size = 0;
    if (entry->position.data != NULL && entry->position.size <= sizeof task->position) {
        memcpy(task->position, entry->position.data, entry->position.size);
        task->position_size = entry->position.size;
    }
}

/* A value that was there; what is none of ours counts as a miss. */
static void on_value(struct driver *self, struct context *context, struct task *task,
                     const struct msg_cache_entry *entry, const struct answer *answer)
{
    bool stale = bytes_are(entry->outcome, "STALE");
    if (!results_read(entry->value, task->parent == NULL, &task->result)) {
        count(context, METRIC_DRIVER_LOOKUPS_TOTAL, "without");
        task_advance(self, context, task, task->lease != 0 ? OUTCOME_LEASED : OUTCOME_WITHOUT);
        return;
    }
    count(context, METRIC_DRIVER_LOOKUPS_TOTAL, stale ? "stale" : "hit");
    task->cached = stale                                      ? CACHED_STALE
                   : task->step == STEP_WAIT || entry->waited ? CACHED_WAITED
                                                              : CACHED_HIT;
    if ((answer->flags & FLAG_DEGRADED) != 0)
        task->degraded |= WITHOUT_FRESHNESS;
    task->age_ms = entry->age_ms;
    task->result.fresh_ms = entry->fresh_ms;
    task->result.scope = task->scope;
    task->result.keepable =
        may_be_built_on(task, entry); /* a stale one has no freshness to pass on */
    task_advance(self, context, task, OUTCOME_HIT);
}

/* The failure of whoever filled it, or a remembered one. */
static void on_negative(struct driver *self, struct context *context, struct task *task,
                        const struct msg_cache_entry *entry)
{
    struct msg_failure failure;
    bool known = entry->status > STATUS_CANCELLED && entry->status < STATUS_COUNT;
    enum status status = known ? (enum status)entry->status : STATUS_INTERNAL;
    count(context, METRIC_DRIVER_LOOKUPS_TOTAL, "negative");
    task->result = (struct result){.status = status, .executed = statuses[status].executed};
    if (known && entry->value.size <= FAILURE_BYTES_MAX &&
        message_decode(MSG_FAILURE, entry->value, &failure) == STATUS_OK)
        task->result.failure = entry->value;
    task_advance(self, context, task, OUTCOME_FAILED);
}

static void on_miss(struct driver *self, struct context *context, struct task *task)
{
    if (task->lease != 0) {
        count(context, METRIC_DRIVER_LOOKUPS_TOTAL, "leased");
        task_advance(self, context, task, OUTCOME_LEASED);
    } else if (task->wishes.only_if_cached) {
        task_fail(self, context, task, STATUS_APP_ERROR,
                  &(struct failure_text){.code = "NOT_CACHED",
                                         .message = "there is no answer in the cache"});
    } else if (task->step == STEP_LOOKUP && !task->wishes.refresh) {
        count(context, METRIC_DRIVER_LOOKUPS_TOTAL, "taken");
        task_advance(self, context, task, OUTCOME_TAKEN);
    } else {
        count(context, METRIC_DRIVER_LOOKUPS_TOTAL, "without");
        task_advance(self, context, task, OUTCOME_WITHOUT);
    }
}

static void on_moved(struct driver *self, struct context *context, struct task *task,
                     const struct msg_cache_entry *entry)
{
    (void)owners_take_newer(self->owners, entry->view);
    count(context, METRIC_DRIVER_LOOKUPS_TOTAL, "moved");
    if (task->moves++ < MOVES_MAX)
        task_advance(self, context, task, OUTCOME_MOVED);
    else
        go_without(self, context, task);
}

/* The member is gone, or had time enough; a request that had little says nothing of it. */
static bool is_silence(const struct context *context, const struct task *task,
                       const struct answer *answer)
{
    if (answer->status == STATUS_NO_WORKER || answer->status == STATUS_WORKER_LOST)
        return true;
    bool late =
        answer->status == STATUS_DEADLINE_QUEUED || answer->status == STATUS_DEADLINE_RUNNING;
    return late && task->step == STEP_LOOKUP &&
           context->now_at - task->step_at >= LOOKUP_MS / 2 * US_PER_MS;
}

void caching_on_answer(struct driver *self, struct context *context, struct task *task,
                       const struct answer *answer)
{
    struct msg_cache_entry entry;
    uint32_t member = owners_member(self->owners, task->owner.uuid);
    bool heard = answer->status == STATUS_OK &&
                 message_decode(MSG_CACHE_ENTRY, answer->body, &entry) == STATUS_OK;
    if (is_silence(context, task, answer) && member != OWNER_NONE)
        owners_silent(self->owners, member, context->now_at);
    if (heard && entry.lease != 0)
        take_lease(context, task, &entry);
    if (task->abandoned) {
        caching_hand_back(self, context, task);
        task_free(self, task);
    } else if (!heard && answer->status == STATUS_BUSY_FULL && task->step == STEP_WAIT) {
        task->result =
            (struct result){.status = STATUS_BUSY_FULL, .retry_after_ms = answer->retry_after_ms};
        task_advance(self, context, task, OUTCOME_FAILED); /* who computes it too is one too many */
    } else if (!heard) {
        go_without(self, context, task);
    } else if (bytes_are(entry.outcome, "HIT") || bytes_are(entry.outcome, "STALE")) {
        on_value(self, context, task, &entry, answer);
    } else if (bytes_are(entry.outcome, "NEGATIVE")) {
        on_negative(self, context, task, &entry);
    } else if (bytes_are(entry.outcome, "WRONG_EPOCH")) {
        caching_hand_back(self, context, task);
        on_moved(self, context, task, &entry);
    } else {
        on_miss(self, context, task);
    }
}

/* --- STORE --- */

/* To who gave the lease; the request may be answered by now, so it has a time of its own. */
static void send_back(struct driver *self, struct context *context, struct task *task,
                      const char *method, struct bytes body)
{
    struct request origin = task->request;
    struct ask ask = {.role = ROLE_CACHE_PARTITION,
                      .member = owners_member(self->owners, task->owner.uuid),
                      .method = bytes_of(method),
                      .class = origin.class,
                      .has_key = true,
                      .key = task->owner.hash,
                      .deadline_at = context->now_at + STORE_MS * US_PER_MS,
                      .body = body};
    origin.deadline_at = ask.deadline_at;
    task->lease = 0;
    if (ask.member == OWNER_NONE ||
        context->ask(context, &origin, &ask, driver_lone_tag(self, LONE_STORE)) != STATUS_OK)
        count(context, METRIC_DRIVER_STORES_TOTAL, "lost");
}

static void send_failure(struct driver *self, struct context *context, struct task *task,
                         enum status status, uint64_t negative_ms)
{
    struct bytes body = {0};
    struct msg_cache_fail fail = {.ns = name_bytes(&task->wishes.ns),
                                  .key = key_bytes(&task->key),
                                  .epoch = task->owner.epoch,
                                  .lease = task->lease,
                                  .status = status,
                                  .negative_ms = negative_ms};
    if (status != STATUS_CANCELLED) {
        fail.retry_after_ms = task->result.retry_after_ms;
        fail.body = task->result.failure;
    }
    enum status encoded =
        message_encode(MSG_CACHE_FAIL, &fail, self->body, PAIR_BODY_BYTES_MAX, &body);
    assert(encoded == STATUS_OK); /* each part was held to its bound */
    send_back(self, context, task, "fail", body);
}

void caching_hand_back(struct driver *self, struct context *context, struct task *task)
{
    if (task->lease == 0)
        return;
    count(context, METRIC_DRIVER_STORES_TOTAL, "returned");
    send_failure(self, context, task, STATUS_CANCELLED, 0);
}

/* A failure that would meet whoever waits, too. What came of this request's own class, rate or
 * deadline would not: the next of them tries. */
static bool is_shared(enum status status)
{
    switch (status) {
    case STATUS_CANCELLED:
    case STATUS_BUSY_FULL:
    case STATUS_BUSY_SHED:
    case STATUS_INFEASIBLE:
    case STATUS_RATE_LIMITED:
    case STATUS_DRAINING:
    case STATUS_RETRY_BUDGET:
    case STATUS_DEADLINE_QUEUED:
    case STATUS_DEADLINE_RUNNING:
    case STATUS_DUPLICATE_RUNNING:
        return false;
    default:
        return true;
    }
}

/* Where a user can give leave is for the one who asked: it goes into no cache, not even on its way
 * to others who wait. */
static bool is_for_one(const struct result *result)
{
    struct msg_failure failure;
    return result->failure.data != NULL &&
           message_decode(MSG_FAILURE, result->failure, &failure) == STATUS_OK &&
           bytes_are(failure.code, "AUTH_REQUIRED");
}

/* What the arguments alone decide stays wrong; what a remote side said is worth a pause. All else
 * may be otherwise the next moment: a table that is created, a file that comes back. */
static uint64_t negative_ms_of(const struct result *result)
{
    struct msg_failure failure;
    if (result->failure.data == NULL ||
        message_decode(MSG_FAILURE, result->failure, &failure) != STATUS_OK)
        return 0;
    if (result->status == STATUS_BAD_REQUEST && bytes_are(failure.code, "BAD_ARGUMENTS"))
        return NEGATIVE_ARGUMENTS_MS;
    bool upstream = failure.code.size > 9 && memcmp(failure.code.data, "UPSTREAM_", 9) == 0;
    return upstream ? NEGATIVE_UPSTREAM_MS : 0;
}

/* The tags of an answer: whose it is, and what it depends on.
 *
 * out      room for TAGS_MAX
 * returns  data NULL: there are more than may be declared, so it is not to be kept */
static struct bytes tags_of(const struct task *task, char *out, size_t size)
{
    uint64_t tags[TAGS_MAX];
    size_t tag_count;
    struct writer writer;
    struct key_scope scope = {.ns = name_bytes(&task->wishes.ns),
                              .kind = task->scope,
                              .tenant = name_bytes(&task->request.tenant),
                              .user = name_bytes(&task->request.user)};
    if (!key_declared_tags(&scope, task->result.deps, tags, &tag_count))
        return (struct bytes){0};
    writer_init(&writer, out, size);
    writer_array(&writer, tag_count);
    for (size_t i = 0; i < tag_count; i++)
        writer_u64(&writer, tags[i]);
    return writer_bytes(&writer);
}

/* returns  false: it is not to be kept */
static bool send_answer(struct driver *self, struct context *context, struct task *task)
{
    const struct result *result = &task->result;
    char tags[TAGS_MAX * 9 + 1];
    uint64_t fresh_ms = result->fresh_ms;
    if (task->wishes.ttl_ms != 0 && task->wishes.ttl_ms < fresh_ms)
        fresh_ms = task->wishes.ttl_ms;
    struct msg_cache_set set = {.ns = name_bytes(&task->wishes.ns),
                                .key = key_bytes(&task->key),
                                .epoch = task->owner.epoch,
                                .lease = task->lease,
                                .value = results_keep(self, result),
                                .tags = tags_of(task, tags, sizeof tags),
                                .fresh_ms = fresh_ms,
                                .stale_ms = STALE_MS,
                                .error_ms = STALE_ERROR_MS,
                                .cost_us = (uint64_t)(task->tools_us + task->model_us)};
    struct bytes body;
    if (!result->keepable || result->scope > task->scope || fresh_ms == 0 ||
        set.value.data == NULL || set.tags.data == NULL ||
        message_encode(MSG_CACHE_SET, &set, self->body, PAIR_BODY_BYTES_MAX, &body) != STATUS_OK)
        return false;
    send_back(self, context, task, "set", body);
    return true;
}

void caching_store(struct driver *self, struct context *context, struct task *task)
{
    const struct result *result = &task->result;
    if (task->lease == 0) {
        task_advance(self, context, task, OUTCOME_DONE);
        return;
    }
    if (result->status != STATUS_OK && is_shared(result->status) && !is_for_one(result)) {
        count(context, METRIC_DRIVER_STORES_TOTAL, "failed");
        send_failure(self, context, task, result->status, negative_ms_of(result));
    } else if (result->status != STATUS_OK || result->reason != NULL ||
               !send_answer(self, context, task)) {
        caching_hand_back(self, context, task);
    }
    task_advance(self, context, task, OUTCOME_DONE);
}

void caching_on_stored(struct driver *self, struct context *context, const struct answer *answer)
{
    static const char *const names[][2] = {{"STORED", "stored"},
                                           {"STALE_SET", "stale_set"},
                                           {"REJECTED", "rejected"},
                                           {"WRONG_EPOCH", "wrong_epoch"}};
    struct msg_cache_stored stored;
    const char *outcome = "lost";
    if (answer->status == STATUS_OK &&
        message_decode(MSG_CACHE_STORED, answer->body, &stored) == STATUS_OK) {
        for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
            if (bytes_are(stored.outcome, names[i][0]))
                outcome = names[i][1];
        (void)owners_take_newer(self->owners, stored.view);
    }
    count(context, METRIC_DRIVER_STORES_TOTAL, outcome);
}
