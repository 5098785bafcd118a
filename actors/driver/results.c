/* results - the bodies of answers: for the client, and for the cache. See state.h. */
#include <assert.h>
#include <string.h>

#include "actors/driver/state.h"

#define SMALL_BYTES 512u
#define DEPS_BYTES_MAX 65536u

const char *results_cached_name(enum cached cached)
{
    static const char *const names[] = {"hit", "stale", "miss", "waited", "bypass", "refresh"};
    assert(cached < sizeof names / sizeof names[0]);
    return names[cached];
}

struct bytes results_failure(enum status status, const struct failure_text *text, char *out)
{
    static const struct failure_text nothing = {.code = NULL};
    const struct status_row *row = &statuses[status];
    text = text != NULL ? text : &nothing;
    struct msg_failure failure = {
        .code = bytes_of(text->code != NULL ? text->code : row->name),
        .message = bytes_of(text->message != NULL ? text->message : row->text),
        .field = bytes_of(text->field),
        .hint = bytes_of(text->hint),
    };
    struct bytes body;
    enum status encoded = message_encode(MSG_FAILURE, &failure, out, FAILURE_BYTES_MAX, &body);
    assert(encoded == STATUS_OK); /* our own texts, and faults, are short */
    return body;
}

struct result results_failed(const struct answer *answer, char *room)
{
    struct msg_failure failure;
    struct bytes body = answer->body;
    if (body.data == NULL || body.size > FAILURE_BYTES_MAX ||
        message_decode(MSG_FAILURE, body, &failure) != STATUS_OK)
        body = results_failure(answer->status, NULL, room);
    return (struct result){.status = answer->status,
                           .executed = answer->executed,
                           .retry_after_ms = answer->retry_after_ms,
                           .failure = body};
}

/* --- sources --- */

struct bytes results_source(const struct task *task, const struct msg_tool_result *tool,
                            struct bytes instance, char *out)
{
    struct writer writer;
    struct msg_source source = {.tool = bytes_of(task->tool.name),
                                .version = tool->version,
                                .as_of = tool->as_of,
                                .instance = instance,
                                .execution_time_ms = tool->execution_time_ms,
                                .truncated = tool->truncated,
                                .execution_method = tool->execution_method};
    writer_init(&writer, out, RESULT_SOURCE_BYTES);
    writer_array(&writer, 1);
    enum status status = message_write(MSG_SOURCE, &source, &writer);
    assert(status == STATUS_OK); /* names within their bounds */
    return writer_bytes(&writer);
}

/* One that says nothing of the cache yet, which is all that are kept: its pairs, and one more. */
static bool label_bare(struct bytes source, const char *cache, struct writer *writer)
{
    uint64_t members = values_count(source);
    struct cursor cursor = cursor_over(source);
    if (cache == NULL || value_find(source, "cache").data != NULL)
        return false;
    (void)cursor_next(&cursor); /* its head */
    writer_map(writer, (size_t)members / 2 + 1);
    if (cursor_left(&cursor) > 0)
        writer_raw(writer, (struct bytes){cursor.at, cursor_left(&cursor)});
    writer_cstr(writer, "cache");
    writer_cstr(writer, cache);
    return true;
}

struct bytes results_label(struct bytes sources, const char *cache, char *out)
{
    struct writer writer;
    struct values values = values_over(sources);
    struct bytes element;
    writer_init(&writer, out, LABELS_BYTES);
    writer_array(&writer, values.left);
    while (values_next(&values, &element)) {
        struct msg_source source;
        if (label_bare(element, cache, &writer))
            continue;
        enum status status = message_decode(MSG_SOURCE, element, &source);
        assert(status == STATUS_OK); /* ours, or looked at by results_read() */
        source.cache = bytes_of(cache);
        status = message_write(MSG_SOURCE, &source, &writer);
        assert(status == STATUS_OK); /* LABELS_BYTES hold SOURCES_MAX */
    }
    return writer_bytes(&writer);
}
_Static_assert(LABELS_BYTES >= SOURCES_MAX * RESULT_SOURCE_BYTES, "all sources of an answer");

/* --- questions --- */

static struct bytes since(const struct writer *writer, size_t from)
{
    return (struct bytes){writer->data + from, writer->used - from};
}

/* Those of all parts, one behind the other: as tags they are taken once. */
static void join_deps(const struct rounds *rounds, struct writer *writer)
{
    size_t count = 0;
    struct bytes element;
    for (unsigned i = 0; i < rounds->part_count; i++)
        count += values_count(rounds->parts[i].deps);
    writer_array(writer, count);
    for (unsigned i = 0; i < rounds->part_count; i++) {
        struct values values = values_over(rounds->parts[i].deps);
        while (values_next(&values, &element))
            writer_raw(writer, element);
    }
}

static void join_sources(const struct rounds *rounds, struct writer *writer)
{
    struct bytes element;
    size_t count = 0;
    for (unsigned i = 0; i < rounds->part_count; i++)
        count += values_count(rounds->parts[i].sources);
    assert(count <= SOURCES_MAX);
    writer_array(writer, count);
    for (unsigned i = 0; i < rounds->part_count; i++) {
        struct values values = values_over(rounds->parts[i].sources);
        while (values_next(&values, &element))
            writer_raw(writer, element);
    }
}

void results_join(struct driver *self, const struct task *task, struct result *ret)
{
    struct writer writer;
    const struct rounds *rounds = task->rounds;
    writer_init(&writer, self->room, PAIR_BODY_BYTES_MAX);
    join_sources(rounds, &writer);
    ret->sources = since(&writer, 0);
    size_t from = writer.used;
    join_deps(rounds, &writer);
    ret->deps = since(&writer, from);
    ret->keepable = ret->reason == NULL && !writer.full && ret->deps.size <= DEPS_BYTES_MAX;
    ret->fresh_ms = FRESH_MS_MAX;
    ret->scope = KEY_PUBLIC;
    for (unsigned i = 0; i < rounds->part_count; i++) {
        const struct part *part = &rounds->parts[i];
        if (part->failed)
            continue;
        ret->keepable &= part->keepable && part->degraded == 0;
        ret->fresh_ms = part->fresh_ms < ret->fresh_ms ? part->fresh_ms : ret->fresh_ms;
        ret->scope = part->scope > ret->scope ? part->scope : ret->scope;
        if (part->as_of != 0 && (ret->as_of == 0 || part->as_of < ret->as_of))
            ret->as_of = part->as_of;
    }
}

/* --- the cache --- */

struct bytes results_keep(struct driver *self, const struct result *result)
{
    static const char seal[SEAL_BYTES];
    struct bytes body = {0};
    struct msg_kept kept = {.value = result->value,
                            .text = result->text,
                            .sources = results_label(result->sources, NULL, self->labels),
                            .as_of = result->as_of,
                            .deps = result->deps,
                            .seal = {seal, sizeof seal}};
    if (message_encode(MSG_KEPT, &kept, self->kept, VALUE_BYTES_MAX, &body) != STATUS_OK)
        return (struct bytes){0};
    seal_close(self->kept, body.size);
    return body;
}

bool results_read(struct bytes kept, bool as_sent, struct result *ret)
{
    struct sealed sealed;
    struct msg_kept message;
    struct msg_source source;
    struct bytes element;
    if (kept.data == NULL)
        return false;
    if (as_sent && seal_open(kept, &sealed)) {
        *ret = (struct result){.status = STATUS_OK, .sealed = sealed};
        return true;
    }
    if (message_decode(MSG_KEPT, kept, &message) != STATUS_OK)
        return false;
    struct values values = values_over(message.sources);
    if (value_kind(message.sources) != KIND_ARRAY ||
        values_count(message.sources) > (as_sent ? SOURCES_MAX : 1)) /* a part is one call */
        return false;
    while (values_next(&values, &element))
        if (element.size > RESULT_SOURCE_BYTES ||
            message_decode(MSG_SOURCE, element, &source) != STATUS_OK)
            return false;
    *ret = (struct result){.status = STATUS_OK,
                           .value = message.value,
                           .text = message.text,
                           .sources = message.sources,
                           .deps = message.deps,
                           .as_of = message.as_of};
    return true;
}

/* --- the client --- */

static struct bytes small(struct writer *writer, enum message_id id, const void *value)
{
    enum status status = message_write(id, value, writer);
    assert(status == STATUS_OK); /* SMALL_BYTES hold it */
    return writer_bytes(writer);
}

static unsigned degraded_of(const struct task *task)
{
    unsigned degraded = task->degraded;
    for (unsigned i = 0; task->rounds != NULL && i < task->rounds->part_count; i++)
        degraded |= task->rounds->parts[i].degraded;
    return degraded;
}

static void put_degraded(unsigned degraded, struct writer *writer)
{
    writer_array(writer, (size_t)__builtin_popcount(degraded));
    if ((degraded & WITHOUT_CACHE) != 0)
        writer_cstr(writer, "cache");
    if ((degraded & WITHOUT_FRESHNESS) != 0)
        writer_cstr(writer, "stale");
    if ((degraded & WITHOUT_MODEL) != 0)
        writer_cstr(writer, "model");
}

static struct bytes write_degraded(unsigned degraded, struct writer *writer)
{
    if (degraded == 0)
        return (struct bytes){0};
    put_degraded(degraded, writer);
    return writer_bytes(writer);
}

/* From the cache as a whole: then so is each source. */
static struct bytes sources_of(struct driver *self, const struct task *task)
{
    bool whole =
        task->cached == CACHED_HIT || task->cached == CACHED_STALE || task->cached == CACHED_WAITED;
    if (task->kind == TASK_QUESTION && !whole)
        return task->result.sources; /* each says its own */
    return results_label(task->result.sources, results_cached_name(task->cached), self->labels);
}

static void refuse(struct context *context, const struct task *task)
{
    char failure[FAILURE_BYTES_MAX];
    const struct result *result = &task->result;
    struct answer answer = {.status = result->status,
                            .executed = result->executed,
                            .retry_after_ms = result->retry_after_ms,
                            .body = result->failure};
    if (answer.body.data == NULL)
        answer.body = results_failure(result->status, NULL, failure);
    if (statuses[result->status].retry == RETRY_AFTER && result->status != STATUS_INFEASIBLE &&
        answer.retry_after_ms == 0)
        answer.retry_after_ms = 1;
    context->reply(context, &task->request, &answer);
}

static struct msg_answer_cache cache_of(const struct task *task)
{
    return (struct msg_answer_cache){.status = bytes_of(results_cached_name(task->cached)),
                                     .age_ms = task->age_ms,
                                     .key =
                                         task->has_key ? key_bytes(&task->key) : (struct bytes){0}};
}

static struct msg_timings timings_of(const struct context *context, const struct task *task)
{
    return (struct msg_timings){.lookup_us = (uint64_t)task->lookup_us,
                                .wait_us = (uint64_t)task->wait_us,
                                .plan_us = (uint64_t)task->plan_us,
                                .tools_us = (uint64_t)task->tools_us,
                                .total_us = (uint64_t)(context->now_at - task->began_at),
                                .model_us = (uint64_t)task->model_us};
}

/* --- as it is sent --- */

/* Each with one pair more. Nothing in them is read, so nothing in them can be trusted: what makes
 * no sense goes out as it came, within the bounds of the writer. */
static void label_sealed(struct bytes sources, const char *cache, struct writer *writer)
{
    struct values values = values_over(sources);
    struct bytes element;
    writer_array(writer, values.left);
    while (values_next(&values, &element)) {
        struct cursor cursor = cursor_over(element);
        struct token head = cursor_next(&cursor);
        writer_map(writer, (size_t)head.number / 2 + 1);
        if (cursor_left(&cursor) > 0)
            writer_raw(writer, (struct bytes){cursor.at, cursor_left(&cursor)});
        writer_cstr(writer, "cache");
        writer_cstr(writer, cache);
    }
}

static void put(struct writer *writer, enum message_id id, const void *value)
{
    enum status status = message_write(id, value, writer);
    assert(status == STATUS_OK || writer->full); /* names are within their bounds */
}

#define SEALED_PAIRS 5u /* of an answer, beside what was said: outcome, sources, as_of ... */

/* The same bytes as message_encode() makes of an answer, with what was kept copied. */
static struct bytes write_sealed(struct driver *self, const struct context *context,
                                 const struct task *task, unsigned degraded)
{
    struct writer writer;
    const struct sealed *sealed = &task->result.sealed;
    struct msg_answer_cache cache = cache_of(task);
    struct msg_timings timings = timings_of(context, task);
    writer_init(&writer, self->body, PAIR_BODY_BYTES_MAX);
    writer_map(&writer, sealed->said_pairs + SEALED_PAIRS + (degraded != 0));
    writer_cstr(&writer, "outcome");
    writer_cstr(&writer, "ok");
    writer_raw(&writer, sealed->said);
    writer_cstr(&writer, "sources");
    label_sealed(sealed->sources, results_cached_name(task->cached), &writer);
    writer_raw(&writer, sealed->as_of);
    writer_cstr(&writer, "cache");
    put(&writer, MSG_ANSWER_CACHE, &cache);
    if (degraded != 0) {
        writer_cstr(&writer, "degraded");
        put_degraded(degraded, &writer);
    }
    writer_cstr(&writer, "timings");
    put(&writer, MSG_TIMINGS, &timings);
    return writer_bytes(&writer);
}

/* data NULL: it is too large */
static struct bytes write_answer(struct driver *self, const struct context *context,
                                 const struct task *task, unsigned degraded)
{
    char cache_room[SMALL_BYTES], times_room[SMALL_BYTES], degraded_room[SMALL_BYTES];
    char usage_room[SMALL_BYTES];
    struct writer cache_writer, times_writer, degraded_writer;
    struct bytes body = {0};
    const struct result *result = &task->result;
    struct msg_answer_cache cache = cache_of(task);
    struct msg_timings timings = timings_of(context, task);
    writer_init(&cache_writer, cache_room, sizeof cache_room);
    writer_init(&times_writer, times_room, sizeof times_room);
    writer_init(&degraded_writer, degraded_room, sizeof degraded_room);
    struct msg_answer message = {.outcome = bytes_of(result->reason != NULL ? "no_data" : "ok"),
                                 .value = result->value,
                                 .text = result->text,
                                 .reason = bytes_of(result->reason),
                                 .detail = result->detail,
                                 .sources = sources_of(self, task),
                                 .as_of = result->as_of,
                                 .cache = small(&cache_writer, MSG_ANSWER_CACHE, &cache),
                                 .degraded = write_degraded(degraded, &degraded_writer),
                                 .timings = small(&times_writer, MSG_TIMINGS, &timings)};
    if (task->rounds != NULL)
        message.usage = planner_model_usage(&task->rounds->talk, usage_room, sizeof usage_room);
    enum status status =
        message_encode(MSG_ANSWER, &message, self->body, PAIR_BODY_BYTES_MAX, &body);
    return status == STATUS_OK ? body : (struct bytes){0};
}

void results_reply(struct driver *self, struct context *context, struct task *task)
{
    const struct result *result = &task->result;
    if (result->status != STATUS_OK) {
        refuse(context, task);
        return;
    }
    unsigned degraded = degraded_of(task);
    struct answer answer = {.status = STATUS_OK,
                            .executed = EXECUTED_YES,
                            .flags = degraded != 0 ? FLAG_DEGRADED : 0,
                            .body = result->sealed.said.data != NULL
                                        ? write_sealed(self, context, task, degraded)
                                        : write_answer(self, context, task, degraded)};
    if (answer.body.data != NULL) {
        series_add(self->answers[task->kind][task->cached], 1);
        context->reply(context, &task->request, &answer);
        return;
    }
    actor_refuse(context, &task->request, STATUS_APP_ERROR, 0,
                 &(struct failure_text){.code = "TOOL_FAILED",
                                        .message = "the answer is too large to be sent"});
}
