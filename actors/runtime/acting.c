/* acting - see process_private.h: what the actor may do, and questions to the process. */
#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "actors/runtime/process_private.h"

#define ASK_SHARE_PERCENT                                                                          \
    95 /* of what the origin has left. source: docs/protocol.md, "Classes"                         \
        */
#define EXTENSION_USER_BYTES (1u + 5u + 2u + NAME_BYTES_MAX) /* map, "user", head and text */

static struct process *of(struct context *context)
{
    return (struct process *)(void *)((char *)context - offsetof(struct process, context));
}

/* source: Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014 */
static uint64_t on_random(struct context *context)
{
    uint64_t bits = of(context)->random_state += UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return bits ^ (bits >> 31);
}

/* Answers. */

static void on_reply(struct context *context, const struct request *request,
                     const struct answer *answer)
{
    struct process *self = of(context);
    struct held_request held;
    assert(answer->status < STATUS_COUNT);
    if (held_remove(self->held, request->link, request->peer, request->id, &held))
        answering_finish(self, &held, answer);
}

/* The extension that numbers a part; out: 16 bytes. */
static struct bytes write_number(uint32_t number, char *out)
{
    struct writer writer;
    writer_init(&writer, out, 16);
    writer_map(&writer, 1);
    writer_cstr(&writer, "seq");
    writer_u64(&writer, number);
    return writer_bytes(&writer);
}

static void on_partial(struct context *context, const struct request *request, struct bytes body)
{
    struct process *self = of(context);
    char extension[16];
    struct held_request *held = held_find(self->held, request->link, request->peer, request->id);
    assert(body.size <= PAIR_BODY_BYTES_MAX);
    if (held == NULL || !held->streams || (uint32_t)request->link == LINK_DOORWAY)
        return;
    session_say(uplinks_back(self, request->link), (uint32_t)(request->link >> 32),
                &(struct header){.command = COMMAND_PARTIAL,
                                 .id = request->id,
                                 .executed = EXECUTED_MAYBE,
                                 .admit_level = CLASS_SHEDDABLE,
                                 .instance = bytes_of(self->instance),
                                 .extension = write_number(held->partials++, extension)},
                body);
}

/* Of a request that may not run twice, STARTED leaves before the work begins. */
static void on_started(struct context *context, const struct request *request)
{
    struct process *self = of(context);
    const struct held_request *held =
        held_find(self->held, request->link, request->peer, request->id);
    if (held == NULL || (uint32_t)request->link == LINK_DOORWAY)
        return;
    session_say(uplinks_back(self, request->link), (uint32_t)(request->link >> 32),
                &(struct header){.command = COMMAND_STARTED, .id = request->id}, (struct bytes){0});
    if (!held->idempotent)
        uplinks_flush(self);
}

/* Questions. */

static struct bytes write_user(struct bytes user, char *out)
{
    struct writer writer;
    if (user.size == 0)
        return (struct bytes){0};
    writer_init(&writer, out, EXTENSION_USER_BYTES);
    writer_map(&writer, 1);
    writer_cstr(&writer, "user");
    writer_text(&writer, user);
    return writer_bytes(&writer);
}

/* When a question must be answered: as it says, and in time for its origin to answer. */
static int64_t ask_deadline(const struct context *context, const struct request *origin,
                            const struct ask *ask)
{
    int64_t left_us = origin->deadline_at - context->now_at;
    int64_t share_at = context->now_at + left_us * ASK_SHARE_PERCENT / 100;
    if (origin->deadline_at == 0)
        return ask->deadline_at; /* of the role's own making */
    return ask->deadline_at == 0 || ask->deadline_at > share_at ? share_at : ask->deadline_at;
}

static enum status on_ask(struct context *context, const struct request *origin,
                          const struct ask *ask, uint64_t tag)
{
    struct process *self = of(context);
    char user[EXTENSION_USER_BYTES];
    assert(tag != 0);
    assert(origin->deadline_at != 0 || ask->deadline_at != 0);
    bool is_direct = ask->role == ROLE_CACHE_PARTITION;
    struct session *session =
        is_direct ? peerlinks_asker(self, ask->member) : uplinks_asker(self, origin->link);
    if (session == NULL)
        return STATUS_NO_WORKER;
    struct header header = {
        .command = ask->role == ROLE_BROKER ? COMMAND_QUERY : COMMAND_REQUEST,
        .flags = ask->flags,
        .class = ask->class > origin->class ? ask->class : origin->class,
        .role = (uint8_t)ask->role,
        .method = ask->method,
        .has_key = ask->has_key,
        .key = ask->key,
        .tenant = name_bytes(&origin->tenant),
        .idempotency_key = ask->idempotency_key,
        .extension =
            write_user(ask->user.data != NULL ? ask->user : name_bytes(&origin->user), user),
    };
    if (origin->has_trace)
        header.trace = (struct bytes){origin->trace, TRACE_BYTES};
    return session_ask(session, &header, ask->body, ask_deadline(context, origin, ask), tag,
                       context->now_at);
}

static void on_cancel_ask(struct context *context, uint64_t tag)
{
    struct process *self = of(context);
    if (!uplinks_cancel(self, tag))
        (void)peerlinks_cancel(self, tag);
}

static void on_say_ready(struct context *context)
{
    uplinks_say_ready(of(context));
}

static void on_invalidate(struct context *context, const uint64_t *tags, size_t count)
{
    assert(count <= TAGS_BATCH_MAX);
    if (count > 0)
        uplinks_invalidate(of(context), tags, count);
}

/* Jobs. */

static enum status on_start_job(struct context *context, struct job *job)
{
    assert(of(context)->jobs != NULL);
    return jobs_start(of(context)->jobs, job);
}

static void on_cancel_job(struct context *context, struct job *job)
{
    jobs_cancel(of(context)->jobs, job);
}

unsigned acting_finish_jobs(struct process *self)
{
    unsigned count = 0;
    if (self->jobs == NULL)
        return 0;
    jobs_expire(self->jobs, self->context.now_at);
    for (struct job *job = jobs_take(self->jobs); job != NULL; job = jobs_take(self->jobs)) {
        self->spec->on_job_done(self->actor.state, &self->context, job);
        count++;
    }
    return count;
}

static void on_give_up(struct context *context, const char *reason)
{
    struct process *self = of(context);
    if (self->code == EX_OK)
        log_event(EVENT_GAVE_UP, log_text("reason", reason));
    self->code = EX_SOFTWARE;
    self->must_end = true;
    process_drain(self, context->now_at);
}

void acting_init(struct process *self)
{
    self->context.random = on_random;
    self->context.reply = on_reply;
    self->context.partial = on_partial;
    self->context.started = on_started;
    self->context.ask = on_ask;
    self->context.cancel_ask = on_cancel_ask;
    self->context.start_job = on_start_job;
    self->context.cancel_job = on_cancel_job;
    self->context.say_ready = on_say_ready;
    self->context.invalidate = on_invalidate;
    self->context.give_up = on_give_up;
}

void acting_partial(struct process *self, uint64_t tag, struct bytes body)
{
    if (self->spec->on_partial != NULL)
        self->spec->on_partial(self->actor.state, &self->context, tag, body);
}

/* Questions to the process. */

static void sample_bounds(struct process *self)
{
    struct metrics *metrics = self->context.metrics;
    size_t asks = 0;
    for (unsigned i = 0; i < self->uplink_count; i++)
        if (self->uplinks[i].front != NULL)
            asks += session_asks(link_session(self->uplinks[i].front));
    metrics_set(metrics, METRIC_INFLIGHT_REQUESTS, LABELS(self->spec->name),
                held_count(self->held));
    metrics_set(metrics, METRIC_BOUND_USED_RATIO, LABELS("requests_held"),
                held_count(self->held) / (double)REQUESTS_HELD_MAX);
    metrics_set(metrics, METRIC_BOUND_USED_RATIO, LABELS("asks"), (double)asks / ASKS_MAX);
    metrics_set(metrics, METRIC_BOUND_USED_RATIO, LABELS("answered"),
                answered_count(self->answered) / (double)ANSWERED_MAX);
    metrics_set(metrics, METRIC_BOUND_USED_RATIO, LABELS("answered_bytes"),
                (double)answered_bytes(self->answered) / ANSWERED_BYTES_MAX);
    metrics_set(metrics, METRIC_ANSWERED_AGAIN_TOTAL, LABELS(self->spec->name),
                (double)self->answered_again);
    if (self->jobs != NULL)
        metrics_set(metrics, METRIC_BOUND_USED_RATIO, LABELS("jobs"),
                    (double)jobs_out(self->jobs) / JOBS_MAX);
    if (self->server != NULL)
        metrics_set(metrics, METRIC_BOUND_USED_RATIO, LABELS("peers"),
                    (double)server_count(self->server) / PEERS_MAX);
}

static enum status query_metrics(struct process *self, struct bytes body, struct writer *writer)
{
    (void)body;
    sample_bounds(self);
    metrics_sample_process(self->context.metrics);
    metrics_write(self->context.metrics, writer);
    return STATUS_OK;
}

static enum status query_loglevel(struct process *self, struct bytes body, struct writer *writer)
{
    struct msg_query_loglevel wanted = {{0}, 0};
    enum log_level level = log_get_level();
    if (body.data != NULL && message_decode(MSG_QUERY_LOGLEVEL, body, &wanted) != STATUS_OK)
        return STATUS_BAD_REQUEST;
    if (wanted.level.data != NULL && !log_level_find(wanted.level, &level))
        return STATUS_BAD_REQUEST;
    if (wanted.level.data != NULL && wanted.for_ms > 0 && wanted.for_ms < UINT32_MAX) {
        if (self->level_until_at == INT64_MAX)
            self->level_before = log_get_level();
        self->level_until_at = self->context.now_at + (int64_t)wanted.for_ms * US_PER_MS;
    } else if (wanted.level.data != NULL) {
        self->level_until_at = INT64_MAX;
    }
    log_set_level(level);
    if (wanted.level.data != NULL)
        log_event(EVENT_LOG_LEVEL, log_text("to", log_level_name(level)));
    struct msg_query_loglevel answer = {bytes_of(log_level_name(level)), wanted.for_ms};
    return message_write(MSG_QUERY_LOGLEVEL, &answer, writer);
}

/* Asked by a broker for an operator. */
static enum status query_undrain(struct process *self, struct bytes body, struct writer *writer)
{
    (void)body;
    (void)writer;
    return process_undrain(self) ? STATUS_OK : STATUS_DRAINING;
}

static const struct {
    const char *method;
    enum status (*answer)(struct process *self, struct bytes body, struct writer *writer);
    bool is_order; /* a broker passes it on for an operator, and nobody else may say it */
} queries[] = {{"metrics", query_metrics, false},
               {"loglevel", query_loglevel, true},
               {"undrain", query_undrain, true}};

static enum status answer_query(struct process *self, const struct pair *pair, bool by_broker,
                                struct writer *writer)
{
    for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
        if (bytes_are(pair->header.method, queries[i].method))
            return queries[i].is_order && !by_broker ? STATUS_FORBIDDEN
                                                     : queries[i].answer(self, pair->body, writer);
    if (self->spec->on_query == NULL)
        return STATUS_NO_ROLE;
    return self->spec->on_query(self->actor.state, &self->context, pair->header.method, pair->body,
                                writer);
}

void acting_take_query(struct process *self, const struct pair *pair, bool by_broker,
                       struct header *ret_header, struct bytes *ret_body)
{
    struct writer writer;
    writer_init(&writer, self->room, PAIR_BODY_BYTES_MAX);
    enum status status =
        pair->status != STATUS_OK ? pair->status : answer_query(self, pair, by_broker, &writer);
    *ret_body = writer_bytes(&writer);
    if (status == STATUS_OK && ret_body->data == NULL)
        status = STATUS_TOO_LARGE;
    if (status == STATUS_OK && ret_body->size == 0)
        ret_body->data = NULL;
    if (status != STATUS_OK)
        *ret_body = message_encode_failure(status, self->room);
    *ret_header = (struct header){.command = COMMAND_REPLY,
                                  .id = pair->header.id,
                                  .status = status,
                                  .executed = statuses[status].executed,
                                  .admit_level = CLASS_SHEDDABLE,
                                  .instance = bytes_of(self->instance)};
}

/* Answers to the role's own questions. */

void acting_answer(struct process *self, uint64_t tag, const struct header *header,
                   struct bytes body)
{
    struct answer answer = {.status = header->status,
                            .executed = header->executed,
                            .flags = header->flags,
                            .retry_after_ms = header->retry_after_ms,
                            .queue_us = header->queue_us,
                            .service_us = header->service_us,
                            .instance = header->instance,
                            .body = body};
    assert(self->spec->on_answer != NULL); /* who asks takes the answer */
    self->spec->on_answer(self->actor.state, &self->context, tag, &answer);
}
