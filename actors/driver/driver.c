/* driver - turns one request into look-ups and tool calls, and their results into one answer.
 *
 * Serves  query; any name of a tool, or its alias (protocol/messages.def, 60 to 79)
 * Asks    cache_partition: get, set, fail; tool_executor: the tool; arcade_gateway: a turn of a
 *         model; the broker: directory, and instances for definitions
 * Owns    what is in flight: tasks, as many as its concurrency allows; nothing that outlives them
 * See     docs/tools.md, sections 1 and 2; plan.h for the steps, state.h for the parts */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/driver/state.h"

extern const struct actor_spec driver_spec; /* named by main.c */

#define TASKS_PER_FLOW                                                                             \
    2u /* a question beside its calls, and one that goes on in the background                      \
        */
#define TASKS_BESIDE 16u
#define RULES "q1f"

/* --- start and stop --- */

static void add_text(void *digest, struct bytes text)
{
    key_digest_add(digest, text);
}

static void take_fingerprint(struct driver *self)
{
    struct key_digest digest;
    key_digest_init(&digest);
    key_digest_add(&digest, bytes_of(RULES));
    planner_template_texts(add_text, &digest);
    key_digest_end(&digest, self->fingerprint);
}

static void take_tasks(struct driver *self)
{
    uint32_t calls = self->planner == PLANNER_MODEL ? MODEL_CALLS_RUN_MAX : TEMPLATE_CALLS_MAX;
    self->task_count = self->flows_max * (TASKS_PER_FLOW + calls) + TASKS_BESIDE;
    self->tasks = calloc(self->task_count, sizeof *self->tasks);
    assert(self->tasks != NULL);
    for (uint32_t i = self->task_count; i-- > 0;) {
        self->tasks[i].index = i;
        self->tasks[i].next_free = self->free;
        self->free = &self->tasks[i];
    }
}

/* What each request touches is looked up by its labels once. */
static void take_series(struct driver *self, struct metrics *metrics)
{
    static const char *const kinds[TASK_KINDS] = {"call", "question"};
    self->flows_used = metrics_series(metrics, METRIC_BOUND_USED_RATIO, LABELS("flows"));
    self->tasks_used_ratio = metrics_series(metrics, METRIC_BOUND_USED_RATIO, LABELS("tasks"));
    self->bytes_used = metrics_series(metrics, METRIC_BOUND_USED_RATIO, LABELS("flows_bytes"));
    for (int kind = 0; kind < TASK_KINDS; kind++)
        for (int cached = 0; cached < CACHED_COUNT; cached++)
            self->answers[kind][cached] =
                metrics_series(metrics, METRIC_DRIVER_ANSWERS_TOTAL,
                               LABELS(kinds[kind], results_cached_name((enum cached)cached)));
}

static bool start(void *state, struct context *context, const struct settings *settings,
                  char *reason, size_t reason_size)
{
    struct driver *self = state;
    const char *ns = settings_text(settings, "driver", "namespace");
    if (!key_is_namespace(bytes_of(ns))) {
        (void)snprintf(reason, reason_size,
                       "driver.namespace: must be 1 to 50 of A-Z, a-z, 0-9 and _");
        return false;
    }
    if (!turns_start(self, settings, reason, reason_size))
        return false;
    self->ns = name_of(bytes_of(ns));
    self->flows_max = (uint32_t)settings_u64(settings, "driver", "concurrency");
    self->next_due_at = INT64_MAX;
    self->directory_at = context->now_at;
    self->directory_last_at = INT64_MIN / 2;
    self->owners = owners_new();
    self->registry = registry_new();
    self->settled = settled_new();
    self->body = malloc(PAIR_BODY_BYTES_MAX);
    self->kept = malloc(PAIR_BODY_BYTES_MAX);
    self->room = malloc(PAIR_BODY_BYTES_MAX);
    self->plan = malloc(PLANNER_SCRATCH_BYTES);
    self->labels = malloc(LABELS_BYTES);
    assert(self->owners != NULL);
    assert(self->registry != NULL);
    assert(self->body != NULL);
    assert(self->kept != NULL);
    assert(self->room != NULL);
    assert(self->plan != NULL);
    assert(self->labels != NULL);
    take_tasks(self);
    take_series(self, context->metrics);
    if (self->planner == PLANNER_TEMPLATE)
        take_fingerprint(self);
    return true;
}

/* What is in flight goes down with it: whoever asked hears of it from the broker. */
static void stop(void *state)
{
    struct driver *self = state;
    for (uint32_t i = 0; i < self->task_count; i++) {
        struct task *task = &self->tasks[i];
        task->tag = task->lease = 0;
        if (task->rounds != NULL)
            task->rounds->parts_open = 0;
        if (task->used)
            task_free(self, task);
    }
    assert(self->bytes == 0);
    while (self->small_count > 0)
        free(self->small[--self->small_count]);
    owners_destroy(&self->owners);
    registry_destroy(&self->registry);
    settled_destroy(&self->settled);
    free(self->tasks);
    free(self->body);
    free(self->kept);
    free(self->room);
    free(self->plan);
    free(self->labels);
    turns_stop(self);
}

static uint32_t methods(void *state, struct writer *writer)
{
    const struct driver *self = state;
    struct msg_method every = {.name = bytes_of("*")};
    writer_array(writer, 1);
    enum status status = message_write(MSG_METHOD, &every, writer);
    assert(status == STATUS_OK);
    return self->flows_max;
}

/* --- requests --- */

static void note_bounds(const struct driver *self)
{
    series_set(self->flows_used, (double)self->flows / self->flows_max);
    series_set(self->tasks_used_ratio, (double)self->tasks_used / self->task_count);
    series_set(self->bytes_used, (double)self->bytes / FLOWS_BYTES_MAX);
}

/* A task for a request; NULL: it was refused. */
static struct task *new_flow(struct driver *self, struct context *context, enum task_kind kind,
                             const struct request *request)
{
    struct task *task =
        self->flows < self->flows_max ? task_new(self, context, kind, request) : NULL;
    if (task == NULL) {
        actor_refuse(context, request, STATUS_BUSY_FULL, 1, NULL);
        return NULL;
    }
    self->flows++;
    note_bounds(self);
    return task;
}

static void begin_or_refuse(struct driver *self, struct context *context, struct task *task,
                            bool read, const struct failure_text *fault)
{
    if (read) {
        task_begin(self, context, task);
        return;
    }
    bool full = strcmp(fault->code, "BUSY_FULL") == 0;
    actor_refuse(context, &task->request, full ? STATUS_BUSY_FULL : STATUS_BAD_REQUEST, 1, fault);
    self->flows--;
    task_free(self, task);
}

static enum status on_query(void *state, struct context *context, const struct request *request,
                            const void *body)
{
    struct driver *self = state;
    struct failure_text fault;
    struct task *task = new_flow(self, context, TASK_QUESTION, request);
    if (task != NULL)
        begin_or_refuse(self, context, task, requests_read_question(self, task, body, &fault),
                        &fault);
    return STATUS_OK;
}

static enum status on_call(void *state, struct context *context, const struct request *request,
                           const void *body)
{
    struct driver *self = state;
    struct failure_text fault = {.code = "NOT_OFFERED", .message = "not offered yet"};
    if (bytes_are(name_bytes(&request->method), "plan")) {
        actor_refuse(context, request, STATUS_BAD_REQUEST, 0, &fault);
        return STATUS_OK;
    }
    struct task *task = new_flow(self, context, TASK_CALL, request);
    if (task != NULL)
        begin_or_refuse(self, context, task,
                        requests_read_call(self, task, *(const struct bytes *)body, &fault),
                        &fault);
    return STATUS_OK;
}

static void on_cancel(void *state, struct context *context, const struct request *request)
{
    struct driver *self = state;
    for (uint32_t i = 0; i < self->task_count; i++) {
        struct task *task = &self->tasks[i];
        if (task->used && task->parent == NULL && !task->replied &&
            task->request.id == request->id && task->request.link == request->link &&
            task->request.peer == request->peer) {
            task_abandon(self, context, task);
            return;
        }
    }
}

/* --- answers, events, time --- */

static void on_answer(void *state, struct context *context, uint64_t tag,
                      const struct answer *answer)
{
    static void (*const lone_answers[])(struct driver * self, struct context * context,
                                        const struct answer *answer) = {
        [LONE_STORE] = caching_on_stored,
        [LONE_DIRECTORY] = calling_on_directory,
        [LONE_DEFINITION] = calling_on_definitions};
    static void (*const on_asked[])(struct driver * self, struct context * context,
                                    struct task * task, const struct answer *answer) = {
        [ASKED_LOOKUP] = caching_on_answer,
        [ASKED_TOOL] = calling_on_answer,
        [ASKED_MODEL] = turns_on_answer};
    struct driver *self = state;
    enum lone lone;
    if (driver_is_lone(tag, &lone)) {
        lone_answers[lone](self, context, answer);
        return;
    }
    struct task *task = task_find(self, tag);
    assert(task != NULL); /* what is not wanted any more was taken back */
    task->tag = 0;
    on_asked[task->asked](self, context, task, answer);
}

/* What a tool says before its answer goes to who asked, unless he has his answer already: only he
 * is told, and nothing of it is kept. */
static void on_partial(void *state, struct context *context, uint64_t tag, struct bytes body)
{
    const struct task *task = task_find(state, tag);
    if (task != NULL && task->asked == ASKED_TOOL && !task->replied)
        context->partial(context, &task->request, body);
}

static void on_view(void *state, struct context *context, const struct msg_view *view)
{
    struct driver *self = state;
    (void)context;
    owners_take_view(self->owners, view);
}

static void want_directory_soon(struct driver *self, const struct context *context)
{
    int64_t next_at = self->directory_last_at + DIRECTORY_EVERY_MS * US_PER_MS;
    calling_want_directory(self, next_at > context->now_at ? next_at : context->now_at);
}

static void on_event(void *state, struct context *context, const struct event *event)
{
    struct driver *self = state;
    struct msg_event_members members;
    if (strcmp(event->topic, "members") == 0 &&
        message_decode(MSG_EVENT_MEMBERS, event->body, &members) == STATUS_OK &&
        members.instance.data != NULL &&
        (members.role == ROLE_TOOL_EXECUTOR || members.role == ROLE_ARCADE_GATEWAY))
        want_directory_soon(self, context);
}

static void on_gap(void *state, struct context *context)
{
    want_directory_soon(state, context);
}

static int64_t due_at(const void *state)
{
    const struct driver *self = state;
    if (owners_building(self->owners))
        return 0;
    bool asks = !calling_directory_pending(self) && self->directory_at < self->next_due_at;
    return asks ? self->directory_at : self->next_due_at;
}

/* A task that ends takes its calls along, and may have another begin: so each is looked at again.
 */
static void expire_tasks(struct driver *self, struct context *context)
{
    self->next_due_at = INT64_MAX;
    for (uint32_t i = 0; i < self->task_count; i++) {
        struct task *task = &self->tasks[i];
        if (!task->used || task->parent != NULL)
            continue;
        int64_t deadline_at = task->request.deadline_at;
        if (deadline_at <= context->now_at)
            task_expire(self, context, task);
        else if (deadline_at < self->next_due_at)
            self->next_due_at = deadline_at;
    }
}

static void tick(void *state, struct context *context)
{
    struct driver *self = state;
    (void)owners_build(self->owners);
    if (!calling_directory_pending(self) && self->directory_at <= context->now_at)
        calling_ask_directory(self, context);
    if (self->next_due_at <= context->now_at)
        expire_tasks(self, context);
    note_bounds(self);
}

const struct actor_spec driver_spec = {
    .role = ROLE_DRIVER,
    .name = "driver",
    .state_bytes = sizeof(struct driver),
    .start = start,
    .stop = stop,
    .methods = methods,
    .handlers = {[MSG_QUERY] = on_query},
    .any_method = on_call,
    .on_answer = on_answer,
    .on_partial = on_partial,
    .on_cancel = on_cancel,
    .on_view = on_view,
    .on_event = on_event,
    .on_gap = on_gap,
    .due_at = due_at,
    .tick = tick,
};
