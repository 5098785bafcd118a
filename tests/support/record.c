/* record - see record.h. */
#include "tests/support/record.h"

#include <stdlib.h>
#include <string.h>

#include "tests/support/suite.h"

#define TICKS_MAX 100000 /* of one step: more is a role that never comes to rest */

static struct record *of(struct context *context)
{
    return (struct record *)(void *)((char *)context - offsetof(struct record, context));
}

/* Room for one more element behind count of them. */
static void *grow(void *array, size_t count, size_t element_bytes)
{
    void *grown = realloc(array, (count + 1) * element_bytes);
    ck_assert_ptr_nonnull(grown);
    return grown;
}

/* A copy that lives as long as the record, exact in size. */
static struct bytes keep(struct record *self, struct bytes bytes)
{
    if (bytes.data == NULL)
        return bytes;
    char *copy = malloc(bytes.size > 0 ? bytes.size : 1);
    ck_assert_ptr_nonnull(copy);
    if (bytes.size > 0)
        memcpy(copy, bytes.data, bytes.size);
    self->owned = grow(self->owned, self->owned_count, sizeof *self->owned);
    self->owned[self->owned_count++] = copy;
    return (struct bytes){copy, bytes.size};
}

/* The context. */

static uint64_t on_random(struct context *context)
{
    return random_next(&of(context)->seed);
}

static void on_reply(struct context *context, const struct request *request,
                     const struct answer *answer)
{
    struct record *self = of(context);
    ck_assert_uint_ne(request->id, 0);
    ck_assert_int_lt(answer->status, STATUS_COUNT);
    ck_assert_msg(record_reply_to(self, request->id) == NULL, "a second reply");
    ck_assert_uint_le(answer->body.size, PAIR_BODY_BYTES_MAX);
    self->replies = grow(self->replies, self->reply_count, sizeof *self->replies);
    struct recorded_reply *reply = &self->replies[self->reply_count++];
    *reply = (struct recorded_reply){*request, *answer};
    reply->answer.body = keep(self, answer->body);
    reply->answer.instance = keep(self, answer->instance);
}

static void on_started(struct context *context, const struct request *request)
{
    struct record *self = of(context);
    self->started = grow(self->started, self->started_count, sizeof *self->started);
    self->started[self->started_count++] = *request;
}

static void on_partial(struct context *context, const struct request *request, struct bytes body)
{
    struct record *self = of(context);
    ck_assert_msg(record_reply_to(self, request->id) == NULL, "a part after the reply");
    self->partials = grow(self->partials, self->partial_count, sizeof *self->partials);
    self->partials[self->partial_count++] = (struct recorded_partial){*request, keep(self, body)};
}

static void on_say_ready(struct context *context)
{
    of(context)->ready_count++;
}

static struct recorded_ask *find_open(struct record *self, uint64_t tag)
{
    for (size_t i = 0; i < self->ask_count; i++)
        if (self->asks[i].open && self->asks[i].tag == tag)
            return &self->asks[i];
    return NULL;
}

static enum status on_ask(struct context *context, const struct request *origin,
                          const struct ask *ask, uint64_t tag)
{
    struct record *self = of(context);
    ck_assert_uint_ne(tag, 0);
    ck_assert_msg(find_open(self, tag) == NULL, "a tag that is open already");
    ck_assert_uint_gt(ask->method.size, 0);
    ck_assert_uint_le(ask->method.size, METHOD_BYTES_MAX);
    if (self->ask_status != STATUS_OK)
        return self->ask_status;
    self->asks = grow(self->asks, self->ask_count, sizeof *self->asks);
    struct recorded_ask *recorded = &self->asks[self->ask_count++];
    *recorded = (struct recorded_ask){.origin = *origin, .ask = *ask, .tag = tag, .open = true};
    recorded->ask.method = keep(self, ask->method);
    recorded->ask.user = keep(self, ask->user);
    recorded->ask.idempotency_key = keep(self, ask->idempotency_key);
    recorded->ask.body = keep(self, ask->body);
    return STATUS_OK;
}

static void on_cancel_ask(struct context *context, uint64_t tag)
{
    struct recorded_ask *ask = find_open(of(context), tag);
    if (ask == NULL)
        return;
    ask->open = false;
    ask->cancelled = true;
}

static enum status on_start_job(struct context *context, struct job *job)
{
    struct record *self = of(context);
    for (size_t i = 0; i < self->job_count; i++)
        ck_assert_ptr_ne(self->jobs[i], job);
    if (self->job_status != STATUS_OK)
        return self->job_status;
    job->started = false;
    job->cancelled = false;
    self->jobs = grow(self->jobs, self->job_count, sizeof(struct job *));
    self->jobs[self->job_count++] = job;
    return STATUS_OK;
}

static void on_cancel_job(struct context *context, struct job *job)
{
    struct record *self = of(context);
    bool waits = false;
    for (size_t i = 0; i < self->job_count; i++)
        waits = waits || self->jobs[i] == job;
    ck_assert_msg(waits, "a job that is not out");
    job->cancelled = true;
}

static void on_invalidate(struct context *context, const uint64_t *tags, size_t count)
{
    struct record *self = of(context);
    ck_assert_uint_le(count, TAGS_BATCH_MAX);
    self->invalidations =
        grow(self->invalidations, self->invalidation_count, sizeof *self->invalidations);
    struct recorded_invalidation *one = &self->invalidations[self->invalidation_count++];
    one->count = count;
    memcpy(one->tags, tags, count * sizeof *tags);
}

static void on_give_up(struct context *context, const char *reason)
{
    of(context)->gave_up = reason;
}

/* Life. */

struct record *record_try(const struct actor_spec *spec, const char *const *flags, char *reason,
                          size_t reason_size)
{
    char why[SETTINGS_REASON_BYTES];
    struct record *self = calloc(1, sizeof *self);
    ck_assert_ptr_nonnull(self);
    self->context = (struct context){.now_at = RECORD_START_AT,
                                     .unix_ms = RECORD_UNIX_MS,
                                     .metrics = metrics_new(METRIC_SERIES_MAX),
                                     .random = on_random,
                                     .reply = on_reply,
                                     .partial = on_partial,
                                     .started = on_started,
                                     .ask = on_ask,
                                     .cancel_ask = on_cancel_ask,
                                     .start_job = on_start_job,
                                     .cancel_job = on_cancel_job,
                                     .say_ready = on_say_ready,
                                     .invalidate = on_invalidate,
                                     .give_up = on_give_up};
    self->seed = 1;
    self->settings = settings_new();
    for (size_t i = 0; flags != NULL && flags[i] != NULL; i++)
        ck_assert_msg(settings_read_flag(self->settings, flags[i], why), "%s", why);
    actor_check(spec);
    self->actor.spec = spec;
    void *state = calloc(1, spec->state_bytes);
    ck_assert_ptr_nonnull(state);
    if (spec->start(state, &self->context, self->settings, reason, reason_size)) {
        self->actor.state = state;
        if (spec->thread_start != NULL)
            self->thread_state = spec->thread_start(state, 0);
        return self;
    }
    free(state);
    record_destroy(&self);
    return NULL;
}

struct record *record_new(const struct actor_spec *spec, const char *const *flags)
{
    char reason[SETTINGS_REASON_BYTES] = "";
    struct record *self = record_try(spec, flags, reason, sizeof reason);
    ck_assert_msg(self != NULL, "%s", reason);
    return self;
}

void record_destroy(struct record **self_p)
{
    struct record *self = *self_p;
    if (self == NULL)
        return;
    if (self->actor.state != NULL) {
        for (size_t i = 0; i < self->job_count; i++)
            self->jobs[i]->cancelled = true;
        record_run_jobs(self);
        if (self->actor.spec->thread_stop != NULL)
            self->actor.spec->thread_stop(self->actor.state, self->thread_state);
        self->actor.spec->stop(self->actor.state);
    }
    free(self->actor.state);
    metrics_destroy(&self->context.metrics);
    settings_destroy(&self->settings);
    for (size_t i = 0; i < self->owned_count; i++)
        free(self->owned[i]);
    free(self->owned);
    free(self->replies);
    free(self->asks);
    free(self->invalidations);
    free(self->jobs);
    free(self->started);
    free(self->partials);
    free(self);
    *self_p = NULL;
}

/* Requests. */

uint64_t record_send(struct record *self, struct header header, struct bytes body)
{
    char head[PAIR_HEAD_BYTES_MAX];
    struct pair pair;
    header.command = COMMAND_REQUEST;
    header.id = ++self->last_id;
    header.role = (uint8_t)self->actor.spec->role;
    header.deadline_ms = header.deadline_ms > 0 ? header.deadline_ms : RECORD_DEADLINE_MS;
    size_t head_size = pairs_encode_head(&header, body, head);
    char *message = malloc(head_size + body.size);
    ck_assert_ptr_nonnull(message);
    memcpy(message, head, head_size);
    if (body.size > 0)
        memcpy(message + head_size, body.data, body.size);
    struct pairs pairs = pairs_over((struct bytes){message, head_size + body.size});
    ck_assert(pairs_next(&pairs, &pair));
    actor_deliver(&self->actor, &self->context, 1, 1, &pair);
    free(message); /* what was borrowed and kept is now seen by a sanitizer */
    return header.id;
}

uint64_t record_request(struct record *self, const char *method, struct bytes body)
{
    return record_send(self, (struct header){.class = CLASS_CRITICAL, .method = bytes_of(method)},
                       body);
}

uint64_t record_message(struct record *self, enum message_id id, const void *value)
{
    char *room = malloc(PAIR_BODY_BYTES_MAX);
    struct bytes body;
    ck_assert_ptr_nonnull(room);
    ck_assert_int_eq(message_encode(id, value, room, PAIR_BODY_BYTES_MAX, &body), STATUS_OK);
    uint64_t request_id = record_request(self, messages[id].method, body);
    free(room);
    return request_id;
}

void record_cancel(struct record *self, uint64_t request_id)
{
    struct request request = {.link = 1, .peer = 1, .id = request_id};
    ck_assert_ptr_null(record_reply_to(self, request_id));
    if (self->actor.spec->on_cancel != NULL)
        self->actor.spec->on_cancel(self->actor.state, &self->context, &request);
}

const struct recorded_reply *record_reply_to(const struct record *self, uint64_t request_id)
{
    for (size_t i = 0; i < self->reply_count; i++)
        if (self->replies[i].request.id == request_id)
            return &self->replies[i];
    return NULL;
}

void record_decode_reply(const struct record *self, uint64_t request_id, enum message_id id,
                         void *ret)
{
    const struct recorded_reply *reply = record_reply_to(self, request_id);
    ck_assert_msg(reply != NULL, "no reply");
    ck_assert_msg(reply->answer.status == STATUS_OK, "status %s",
                  statuses[reply->answer.status].name);
    ck_assert_int_eq(message_decode(id, reply->answer.body, ret), STATUS_OK);
}

void record_expect_refusal(const struct record *self, uint64_t request_id, enum status status,
                           const char *code)
{
    struct msg_failure failure;
    const struct recorded_reply *reply = record_reply_to(self, request_id);
    ck_assert_msg(reply != NULL, "no reply");
    ck_assert_str_eq(statuses[reply->answer.status].name, statuses[status].name);
    if (status == STATUS_CANCELLED)
        return;
    ck_assert_int_eq(message_decode(MSG_FAILURE, reply->answer.body, &failure), STATUS_OK);
    ck_assert_msg(code == NULL || bytes_are(failure.code, code), "code %.*s",
                  (int)failure.code.size, failure.code.data);
}

/* Asks. */

struct recorded_ask *record_open_ask(struct record *self)
{
    return record_open_ask_of(self, ROLE_NONE, NULL);
}

struct recorded_ask *record_open_ask_of(struct record *self, enum role role, const char *method)
{
    for (size_t i = 0; i < self->ask_count; i++) {
        struct recorded_ask *ask = &self->asks[i];
        if (ask->open && (role == ROLE_NONE || ask->ask.role == role) &&
            (method == NULL || bytes_are(ask->ask.method, method)))
            return ask;
    }
    return NULL;
}

void record_answer(struct record *self, struct recorded_ask *ask, const struct answer *answer)
{
    struct answer copy = *answer;
    ck_assert_ptr_nonnull(ask);
    ck_assert(ask->open);
    ask->open = false;
    char *body = NULL;
    if (answer->body.data != NULL) {
        body = malloc(answer->body.size + 1);
        memcpy(body, answer->body.data, answer->body.size);
        copy.body.data = body;
    }
    self->actor.spec->on_answer(self->actor.state, &self->context, ask->tag, &copy);
    free(body);
}

void record_answer_message(struct record *self, struct recorded_ask *ask, enum message_id id,
                           const void *value)
{
    char *room = malloc(PAIR_BODY_BYTES_MAX);
    struct answer answer = {.status = STATUS_OK, .executed = EXECUTED_YES};
    ck_assert_ptr_nonnull(room);
    ck_assert_int_eq(message_encode(id, value, room, PAIR_BODY_BYTES_MAX, &answer.body), STATUS_OK);
    record_answer(self, ask, &answer);
    free(room);
}

void record_partial(struct record *self, struct recorded_ask *ask, struct bytes body)
{
    ck_assert(ask->open);
    self->actor.spec->on_partial(self->actor.state, &self->context, ask->tag, body);
}

void record_answer_failure(struct record *self, struct recorded_ask *ask, enum status status)
{
    char room[CONTROL_BYTES_MAX];
    struct answer answer = {.status = status,
                            .executed = statuses[status].executed,
                            .retry_after_ms = statuses[status].retry == RETRY_AFTER,
                            .body = message_encode_failure(status, room)};
    record_answer(self, ask, &answer);
}

/* Jobs, news and time. */

bool record_run_job(struct record *self)
{
    if (self->job_count == 0)
        return false;
    struct job *job = self->jobs[0];
    self->job_count--;
    memmove(self->jobs, self->jobs + 1, self->job_count * sizeof(struct job *));
    job->started = !job->cancelled && self->context.now_at < job->deadline_at;
    if (job->started)
        job->run(job, self->thread_state);
    self->actor.spec->on_job_done(self->actor.state, &self->context, job);
    return true;
}

void record_run_jobs(struct record *self)
{
    while (record_run_job(self))
        ;
}

void record_view(struct record *self, const struct msg_view *view)
{
    if (self->actor.spec->on_view != NULL)
        self->actor.spec->on_view(self->actor.state, &self->context, view);
}

void record_event(struct record *self, const char *topic, uint64_t number, struct bytes body)
{
    struct event event = {topic, number, body};
    if (self->actor.spec->on_event != NULL)
        self->actor.spec->on_event(self->actor.state, &self->context, &event);
}

void record_gap(struct record *self)
{
    if (self->actor.spec->on_gap != NULL)
        self->actor.spec->on_gap(self->actor.state, &self->context);
}

enum status record_query(struct record *self, const char *method, struct bytes body, char *out,
                         size_t size, struct bytes *ret_body)
{
    struct writer writer;
    writer_init(&writer, out, size);
    ck_assert_ptr_nonnull(self->actor.spec->on_query);
    enum status status = self->actor.spec->on_query(self->actor.state, &self->context,
                                                    bytes_of(method), body, &writer);
    if (status == STATUS_OK)
        *ret_body = writer_bytes(&writer);
    return status;
}

void record_step(struct record *self, int64_t us)
{
    const struct actor_spec *spec = self->actor.spec;
    int64_t end_at = self->context.now_at + us;
    int64_t start_at = self->context.now_at, start_ms = self->context.unix_ms;
    for (int ticks = 0; spec->due_at != NULL && spec->due_at(self->actor.state) <= end_at;
         ticks++) {
        int64_t due_at = spec->due_at(self->actor.state);
        ck_assert_msg(ticks < TICKS_MAX, "the role never comes to rest");
        if (due_at > self->context.now_at)
            self->context.now_at = due_at;
        self->context.unix_ms = start_ms + (self->context.now_at - start_at) / US_PER_MS;
        spec->tick(self->actor.state, &self->context);
    }
    self->context.now_at = end_at;
    self->context.unix_ms = start_ms + us / US_PER_MS;
}
