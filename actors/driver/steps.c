/* steps - a task's way through the plan: one function for each step. See state.h and plan.h.
 *
 * A step ends with task_advance(), or it waits: for a partition, for tools, for the directory. What
 * waits is named by the tag that its answer will bring. */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "actors/driver/state.h"
#include "protocol/canonical.h"
#include "protocol/schema.h"

#define NO_WORKER_RETRY_MS 1000u

bool task_has_time(const struct context *context, const struct task *task)
{
    return task->request.deadline_at - context->now_at >= STEP_US_MIN;
}

void task_fail(struct driver *self, struct context *context, struct task *task, enum status status,
               const struct failure_text *text)
{
    char failure[FAILURE_BYTES_MAX];
    task->result = (struct result){.status = status,
                                   .executed = statuses[status].executed,
                                   .failure = results_failure(status, text, failure)};
    if (status == STATUS_NO_WORKER)
        task->result.retry_after_ms = NO_WORKER_RETRY_MS;
    task_advance(self, context, task, task->replied ? OUTCOME_FAILED_LATE : OUTCOME_FAILED);
}

static enum status late_status(const struct task *task)
{
    return task->called ? STATUS_DEADLINE_RUNNING : STATUS_DEADLINE_QUEUED;
}

void task_fail_late(struct driver *self, struct context *context, struct task *task)
{
    task_fail(self, context, task, late_status(task),
              &(struct failure_text){.message = "what is left of its time is too short to go on"});
}

/* --- DECODE --- */

static void fail_unknown(struct driver *self, struct context *context, struct task *task,
                         struct bytes name)
{
    char hint[REGISTRY_SUGGESTIONS_BYTES_MAX + 16], names[REGISTRY_SUGGESTIONS_BYTES_MAX];
    registry_suggest(self->registry, name, names);
    (void)snprintf(hint, sizeof hint, "did you mean %s?", names);
    task_fail(self, context, task, STATUS_BAD_REQUEST,
              &(struct failure_text){.code = "TOOL_NOT_FOUND",
                                     .message = "no tool has this name and version",
                                     .field = task->wishes.version.size > 0 ? "options/version"
                                                                            : "method",
                                     .hint = names[0] != '\0' ? hint : NULL});
}

static void decode_call(struct driver *self, struct context *context, struct task *task)
{
    char room[METHOD_BYTES_MAX];
    struct bytes name = name_bytes(&task->request.method);
    bool is_name = true;
    const struct tool *tool =
        registry_find(self->registry, name, name_bytes(&task->wishes.version));
    if (tool == NULL) /* it may be an alias, or no name at all */
        is_name = key_tool_name(name, room, &name);
    if (tool == NULL && is_name)
        tool = registry_find(self->registry, name, name_bytes(&task->wishes.version));
    if (tool != NULL) {
        task->tool = *tool;
        task_advance(self, context, task, OUTCOME_DONE);
    } else if (is_name && !task->asked_directory) {
        task_advance(self, context, task, OUTCOME_UNKNOWN);
    } else if (is_name && !registry_has_executors(self->registry)) {
        task_fail(self, context, task, STATUS_NO_WORKER,
                  &(struct failure_text){.message = "no tool executor is up"});
    } else {
        fail_unknown(self, context, task, name_bytes(&task->request.method));
    }
}

/* A model is offered what there is: so that has to be known, once. */
static void decode(struct driver *self, struct context *context, struct task *task)
{
    bool is_model = task->kind == TASK_QUESTION && self->planner == PLANNER_MODEL;
    if (task->kind == TASK_CALL)
        decode_call(self, context, task);
    else if (is_model && registry_count(self->registry) == 0 && !task->asked_directory)
        task_advance(self, context, task, OUTCOME_UNKNOWN);
    else
        task_advance(self, context, task, OUTCOME_DONE);
}

void task_begin(struct driver *self, struct context *context, struct task *task)
{
    decode(self, context, task);
}

/* Unknown: once the directory is asked anew, or one that is being asked is waited for. */
static void enter_decode(struct driver *self, struct context *context, struct task *task)
{
    bool is_new = context->now_at < self->directory_last_at + DIRECTORY_EVERY_MS * US_PER_MS;
    task->asked_directory = true;
    if (calling_directory_pending(self))
        return;
    if (is_new)
        decode(self, context, task); /* it would be no newer */
    else
        calling_want_directory(self, context->now_at);
}

void steps_directory_is_new(struct driver *self, struct context *context)
{
    for (uint32_t i = 0; i < self->task_count; i++) {
        struct task *task = &self->tasks[i];
        if (task->used && task->step == STEP_DECODE && task->asked_directory)
            decode(self, context, task);
    }
}

/* --- KEY --- */

static void fail_arguments(struct driver *self, struct context *context, struct task *task,
                           const char *field, const char *reason)
{
    task_fail(self, context, task, STATUS_BAD_REQUEST,
              &(struct failure_text){.code = "BAD_ARGUMENTS", .message = reason, .field = field});
}

static struct key_scope scope_of(const struct task *task)
{
    return (struct key_scope){.ns = name_bytes(&task->wishes.ns),
                              .kind = task->scope,
                              .tenant = name_bytes(&task->request.tenant),
                              .user = name_bytes(&task->request.user)};
}

/* Keep a copy of what was put together in room; false: there is no memory. */
static bool keep_canonical(struct driver *self, struct task *task, struct bytes value)
{
    task->canonical = driver_take(self, value.size);
    if (task->canonical == NULL)
        return false;
    task->canonical_size = value.size;
    memcpy(task->canonical, value.data, value.size);
    return true;
}

/* Arguments as they were sent in canonical form, held to the schema; both are lately known of most.
 *
 * ret      valid until the next call; of use on OK only
 * returns  OK; else what is wrong with them, and fault says where */
static enum status settle_arguments(struct driver *self, const struct tool *tool, struct bytes sent,
                                    struct fault *fault, struct bytes *ret)
{
    struct writer writer;
    *ret = settled_find(self->settled, tool->number, sent);
    if (ret->data != NULL)
        return STATUS_OK;
    writer_init(&writer, self->room, PAIR_BODY_BYTES_MAX);
    enum status status = canonical_arguments(sent, tool->parameters, &writer, fault);
    *ret = writer_bytes(&writer);
    if (status == STATUS_OK && tool->parameters.data != NULL)
        status = schema_validate(*ret, tool->parameters, fault);
    if (status == STATUS_OK)
        settled_put(self->settled, tool->number, sent, *ret);
    return status;
}

/* returns  false: the task has failed */
static bool key_of_arguments(struct driver *self, struct context *context, struct task *task)
{
    struct fault fault;
    struct bytes sent = task->arguments, canonical;
    enum status status = settle_arguments(self, &task->tool, sent, &fault, &canonical);
    if (status != STATUS_OK) {
        fail_arguments(self, context, task, fault.path, fault.reason);
        return false;
    }
    if (!keep_canonical(self, task, canonical)) {
        task_fail(self, context, task, STATUS_BUSY_FULL, NULL);
        return false;
    }
    struct key_scope scope = scope_of(task);
    if (settled_find_key(self->settled, task->tool.number, sent, &scope, &task->key))
        return true;
    struct key_tool tool = {bytes_of(task->tool.name), bytes_of(task->tool.version),
                            task->tool.schema};
    status = key_of_call(&scope, &tool, canonical, &task->key);
    assert(status == STATUS_OK); /* namespace and name were looked at */
    settled_put_key(self->settled, task->tool.number, sent, &scope, &task->key);
    return true;
}

/* To a template case says nothing; to a model it may.
 *
 * returns  false: the task has failed */
static bool key_of_question_asked(struct driver *self, struct context *context, struct task *task)
{
    struct fault fault;
    struct bytes plain = {0}, text = {0};
    bool is_model = self->planner == PLANNER_MODEL;
    struct key_planner planner = {.name = bytes_of(is_model ? "model" : "template")};
    struct key_scope scope = scope_of(task);
    memcpy(planner.fingerprint, self->fingerprint, sizeof planner.fingerprint);
    char *room = self->room + (size_t)QUESTION_BYTES_MAX;
    if (key_question(KEY_Q1, task->question, self->room, &plain, &fault) != STATUS_OK ||
        key_question(is_model ? KEY_Q1 : KEY_Q1F, task->question, room, &text, &fault) !=
            STATUS_OK) {
        fail_arguments(self, context, task, "question", fault.reason);
        return false;
    }
    enum status status = key_of_question(&scope, &planner, text, task->conversation, &task->key);
    assert(status == STATUS_OK); /* the namespace was looked at */
    if (!keep_canonical(self, task, plain)) {
        task_fail(self, context, task, STATUS_BUSY_FULL, NULL);
        return false;
    }
    task->question = (struct bytes){task->canonical, task->canonical_size};
    return true;
}

/* The widest that the tool allows, or narrower as asked; false: the task has failed. */
static bool choose_scope(struct driver *self, struct context *context, struct task *task)
{
    bool is_call = task->kind == TASK_CALL;
    task->scope = is_call ? task->tool.scope : KEY_TENANT;
    if (!task->wishes.has_scope)
        return true;
    if (task->wishes.scope < task->scope && task->parent == NULL) {
        fail_arguments(self, context, task, "options/scope",
                       "wider than the tool allows its answers to be shared");
        return false;
    }
    if (task->wishes.scope > task->scope)
        task->scope = task->wishes.scope;
    return true;
}

static void enter_key(struct driver *self, struct context *context, struct task *task)
{
    bool is_call = task->kind == TASK_CALL;
    if (!choose_scope(self, context, task))
        return;
    if (!(is_call ? key_of_arguments(self, context, task)
                  : key_of_question_asked(self, context, task)))
        return;
    bool bypass = task->wishes.no_cache || (is_call && !task->tool.cacheable);
    task->cached = bypass ? CACHED_BYPASS : task->wishes.refresh ? CACHED_REFRESH : CACHED_MISS;
    task->has_key = !bypass;
    if (bypass && task->wishes.only_if_cached)
        task_fail(self, context, task, STATUS_APP_ERROR,
                  &(struct failure_text){.code = "NOT_CACHED", .message = "it is never cached"});
    else
        task_advance(self, context, task, bypass ? OUTCOME_UNCACHED : OUTCOME_DONE);
}

/* --- PLAN, TOOLS, ANSWER --- */

static void enter_plan(struct driver *self, struct context *context, struct task *task)
{
    if (!task_has_time(context, task))
        task_fail_late(self, context, task);
    else if (task->kind == TASK_CALL)
        task_advance(self, context, task, OUTCOME_DONE);
    else
        questions_plan(self, context, task);
}

static void enter_tools(struct driver *self, struct context *context, struct task *task)
{
    if (task->kind == TASK_CALL)
        calling_call(self, context, task);
    else
        questions_start_calls(self, context, task);
}

static void enter_answer(struct driver *self, struct context *context, struct task *task)
{
    task_advance(self, context, task, task->replied ? OUTCOME_DONE_LATE : OUTCOME_DONE);
}

/* --- REPLY, END --- */

/* Where it is not needed any more: it is for the cache alone from here on. */
static void leave_question(struct driver *self, struct context *context, struct task *task)
{
    struct task *question = task->parent;
    task->parent = NULL;
    if (question != NULL)
        questions_end_part(self, context, question, task->part);
}

/* A stale answer was given, and the lease is ours: fill it anew, when nobody is in a hurry. */
static void begin_refresh(struct driver *self, struct context *context, struct task *task)
{
    int64_t timeout_us = (int64_t)(task->tool.timeout_ms + 1) * US_PER_MS;
    int64_t until_at = task->lease_until_at;
    if (task->kind == TASK_CALL && context->now_at + timeout_us < until_at)
        until_at = context->now_at + timeout_us;
    task->began_at = context->now_at;
    task->request.class = CLASS_SHEDDABLE;
    task->request.deadline_at = until_at;
    task->request.id = 0; /* answered: of our own making from here on */
    task->degraded = 0;
    task->wishes.only_if_cached = false;
    leave_question(self, context, task);
    task_advance(self, context, task, OUTCOME_REFRESH);
}

static void enter_reply(struct driver *self, struct context *context, struct task *task)
{
    bool was_cached = task->result.status == STATUS_OK &&
                      (task->cached == CACHED_HIT || task->cached == CACHED_STALE ||
                       task->cached == CACHED_WAITED);
    bool has_room = self->tasks_used < self->task_count / 4 * 3;
    if (task->parent != NULL)
        questions_take_part(self, task);
    else
        results_reply(self, context, task);
    task->replied = true;
    if (task->parent == NULL)
        self->flows--;
    if (task->lease != 0 && was_cached && has_room) {
        begin_refresh(self, context, task);
        return;
    }
    if (was_cached)
        caching_hand_back(self, context, task);
    task_advance(self, context, task, task->lease != 0 ? OUTCOME_LEASED : OUTCOME_DONE);
}

static void enter_end(struct driver *self, struct context *context, struct task *task)
{
    struct task *question = task->parent;
    unsigned part = task->part;
    task_free(self, task);
    if (question != NULL)
        questions_end_part(self, context, question, part);
}

typedef void step_entry(struct driver *self, struct context *context, struct task *task);
static step_entry *const entries[STEP_COUNT] = {
    [STEP_DECODE] = enter_decode, [STEP_KEY] = enter_key,       [STEP_LOOKUP] = caching_lookup,
    [STEP_WAIT] = caching_wait,   [STEP_PLAN] = enter_plan,     [STEP_MODEL] = turns_ask,
    [STEP_TOOLS] = enter_tools,   [STEP_ANSWER] = enter_answer, [STEP_REPLY] = enter_reply,
    [STEP_STORE] = caching_store, [STEP_END] = enter_end};

static void measure(struct task *task, int64_t now_at)
{
    int64_t *const times[STEP_COUNT] = {[STEP_LOOKUP] = &task->lookup_us,
                                        [STEP_WAIT] = &task->wait_us,
                                        [STEP_PLAN] = &task->plan_us,
                                        [STEP_MODEL] = &task->model_us,
                                        [STEP_TOOLS] = &task->tools_us};
    if (times[task->step] != NULL)
        *times[task->step] += now_at - task->step_at;
    task->step_at = now_at;
}

void task_advance(struct driver *self, struct context *context, struct task *task,
                  enum outcome outcome)
{
    enum step next = plan_next(task->step, outcome);
    assert(next != STEP_NONE);
    measure(task, context->now_at);
    task->step = next;
    entries[next](self, context, task);
}

/* --- ways out --- */

void task_abandon(struct driver *self, struct context *context, struct task *task)
{
    if (!task->replied && task->parent == NULL)
        self->flows--;
    task->replied = true;
    task->parent = NULL;
    if (task->rounds != NULL)
        questions_drop(self, context, task);
    caching_hand_back(self, context, task);
    if (task->tag != 0 && task->step == STEP_LOOKUP) {
        task->abandoned = true; /* the answer may bring a lease */
        return;
    }
    if (task->tag != 0)
        context->cancel_ask(context, task->tag);
    task->tag = 0;
    task_free(self, task);
}

void task_expire(struct driver *self, struct context *context, struct task *task)
{
    char failure[FAILURE_BYTES_MAX];
    enum status status = late_status(task);
    assert(task->parent == NULL);
    if (!task->replied) {
        struct failure_text text = {.hint = "ask with a longer deadline"};
        task->result = (struct result){.status = status,
                                       .executed = statuses[status].executed,
                                       .failure = results_failure(status, &text, failure)};
        results_reply(self, context, task);
    }
    task_abandon(self, context, task);
}
