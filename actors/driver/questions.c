/* questions - a question's rounds: what the planner asks for are calls, tasks of their own with
 * look-ups and leases of their own, so that questions and calls share what is cached. See state.h.
 */
#include <assert.h>
#include <string.h>

#include "actors/driver/state.h"

/* A call's body, as a client would have sent it. */
static bool give_input(struct driver *self, struct task *call, struct bytes arguments)
{
    struct bytes body;
    struct msg_call message = {.arguments = arguments};
    enum status status = message_encode(MSG_CALL, &message, self->room, PAIR_BODY_BYTES_MAX, &body);
    assert(status == STATUS_OK); /* a planner's statement is short */
    call->input = driver_take(self, body.size);
    if (call->input == NULL)
        return false;
    memcpy(call->input, body.data, body.size);
    call->input_size = body.size;
    return true;
}

static struct task *new_call(struct driver *self, const struct context *context,
                             struct task *question, const struct planner_call *planned)
{
    struct task *call = task_new(self, context, TASK_CALL, &question->request);
    if (call == NULL)
        return NULL;
    call->parent = question;
    call->part = question->part_count + question->parts_open;
    call->request.method = name_of(bytes_of(planned->tool));
    call->wishes = question->wishes;
    call->wishes.version = (struct name){0};
    if (give_input(self, call, planned->arguments))
        return call;
    call->parent = NULL;
    task_free(self, call);
    return NULL;
}

/* Make the tasks of a round; false: there is no room for them. */
static bool make_calls(struct driver *self, struct context *context, struct task *task,
                       const struct planner_step *step)
{
    assert(task->part_count + step->call_count <= PLANNER_RESULTS_MAX);
    for (size_t i = 0; i < step->call_count; i++) {
        task->children[i] = new_call(self, context, task, &step->calls[i]);
        if (task->children[i] == NULL)
            return false;
        task->parts_open++;
    }
    return true;
}

static void drop_calls(struct driver *self, struct context *context, struct task *task)
{
    for (unsigned i = 0; i < PLANNER_CALLS_MAX; i++)
        if (task->children[i] != NULL)
            task_abandon(self, context, task->children[i]);
    memset(task->children, 0, sizeof task->children);
    task->parts_open = 0;
}

static void conclude(struct driver *self, struct context *context, struct task *task,
                     const struct planner_step *step)
{
    task->result = (struct result){.status = STATUS_OK,
                                   .value = step->value,
                                   .text = step->text,
                                   .reason = step->reason,
                                   .detail = step->detail};
    results_join(self, task, &task->result);
    self->question_us = registry_smooth(self->question_us, context->now_at - task->began_at);
    task_advance(self, context, task, OUTCOME_HIT);
}

void questions_plan(struct driver *self, struct context *context, struct task *task)
{
    struct bytes results[PLANNER_RESULTS_MAX];
    struct planner_step step;
    for (unsigned i = 0; i < task->part_count; i++)
        results[i] = task->parts[i].value;
    planner_template_next(task->question, results, task->part_count, self->plan, &step);
    if (step.next != PLANNER_CALL) {
        conclude(self, context, task, &step);
    } else if (make_calls(self, context, task, &step)) {
        task_advance(self, context, task, OUTCOME_DONE);
    } else {
        drop_calls(self, context, task);
        task_fail(self, context, task, STATUS_BUSY_FULL, NULL);
    }
}

/* All have come, or one has failed. */
static void join(struct driver *self, struct context *context, struct task *task)
{
    if (task->part_failed) {
        drop_calls(self, context, task);
        task_advance(self, context, task, task->replied ? OUTCOME_FAILED_LATE : OUTCOME_FAILED);
    } else if (task->parts_open == 0) {
        while (task->part_count < PLANNER_RESULTS_MAX && task->parts[task->part_count].done)
            task->part_count++;
        task_advance(self, context, task, OUTCOME_AGAIN);
    }
}

void questions_start_calls(struct driver *self, struct context *context, struct task *task)
{
    task->spawning = true;
    for (unsigned i = 0; i < PLANNER_CALLS_MAX; i++)
        if (task->children[i] != NULL)
            task_begin(self, context, task->children[i]);
    task->spawning = false;
    join(self, context, task);
}

static void keep_failure(struct driver *self, struct task *question, const struct task *call)
{
    const struct result *result = &call->result;
    question->part_failed = true;
    question->result = (struct result){.status = result->status,
                                       .executed = result->executed,
                                       .retry_after_ms = result->retry_after_ms};
    if (question->failure == NULL)
        question->failure = driver_take(self, FAILURE_BYTES_MAX);
    if (question->failure == NULL || result->failure.data == NULL)
        return;
    assert(result->failure.size <= FAILURE_BYTES_MAX);
    memcpy(question->failure, result->failure.data, result->failure.size);
    question->result.failure = (struct bytes){question->failure, result->failure.size};
}

/* The next view of a copy; absent bytes stay absent. */
static struct bytes copy(char **at, struct bytes from)
{
    struct bytes to = {*at, from.size};
    if (from.data == NULL)
        return (struct bytes){0};
    memcpy(*at, from.data, from.size);
    *at += from.size;
    return to;
}

static bool keep_part(struct driver *self, struct part *part, const struct task *call)
{
    char labelled[LABELS_BYTES];
    const struct result *result = &call->result;
    struct bytes sources =
        results_label(result->sources, results_cached_name(call->cached), labelled);
    part->size = result->value.size + sources.size + result->deps.size;
    part->memory = driver_take(self, part->size);
    if (part->memory == NULL)
        return false;
    char *at = part->memory;
    part->value = copy(&at, result->value);
    part->sources = copy(&at, sources);
    part->deps = copy(&at, result->deps);
    part->as_of = result->as_of;
    part->fresh_ms = result->fresh_ms;
    part->scope = result->scope;
    part->keepable = result->keepable;
    part->degraded = call->degraded;
    part->done = true;
    return true;
}

void questions_take_part(struct driver *self, struct task *task)
{
    char failure[FAILURE_BYTES_MAX];
    struct task *question = task->parent;
    assert(task->part < PLANNER_RESULTS_MAX);
    if (task->result.status == STATUS_OK && keep_part(self, &question->parts[task->part], task))
        return;
    if (task->result.status == STATUS_OK)
        task->result = (struct result){.status = STATUS_BUSY_FULL,
                                       .failure = results_failure(STATUS_BUSY_FULL, NULL, failure)};
    keep_failure(self, question, task);
    task->result.failure = (struct bytes){0};
}

void questions_end_part(struct driver *self, struct context *context, struct task *question,
                        unsigned part)
{
    assert(part >= question->part_count);
    question->children[part - question->part_count] = NULL;
    assert(question->parts_open > 0);
    question->parts_open--;
    if (!question->spawning)
        join(self, context, question);
}
