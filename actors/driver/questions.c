/* questions - a question's rounds: what the planner asks for are calls, tasks of their own with
 * look-ups and leases of their own, so that questions and calls share what is cached. See state.h.
 */
#include <assert.h>
#include <string.h>

#include "actors/driver/state.h"

/* Of a call's body there is no more than what a planner says. */
static bool give_input(struct driver *self, struct task *call, struct bytes arguments)
{
    if (arguments.data == NULL)
        return true;
    call->input = driver_take(self, arguments.size);
    if (call->input == NULL)
        return false;
    memcpy(call->input, arguments.data, arguments.size);
    call->input_size = arguments.size;
    call->arguments = (struct bytes){call->input, call->input_size};
    return true;
}

static struct task *new_call(struct driver *self, const struct context *context,
                             struct task *question, const struct planner_call *planned)
{
    struct task *call = task_new(self, context, TASK_CALL, &question->request);
    if (call == NULL)
        return NULL;
    call->parent = question;
    call->request.method = name_of(bytes_of(planned->tool));
    call->wishes = question->wishes;
    call->wishes.version = (struct name){0};
    if (give_input(self, call, planned->arguments))
        return call;
    call->parent = NULL;
    task_free(self, call);
    return NULL;
}

/* A part that has failed, of which the model is told. returns  false: there is no room */
static bool fail_part(struct driver *self, struct part *part, struct bytes failure)
{
    char room[FAILURE_BYTES_MAX + 16];
    struct bytes value = turns_failure(failure, room);
    part->memory = driver_take(self, value.size);
    if (part->memory == NULL)
        return false;
    part->size = value.size;
    memcpy(part->memory, value.data, value.size);
    part->value = (struct bytes){part->memory, value.size};
    part->failed = true;
    part->done = true;
    return true;
}

/* returns  false: there is no room */
static bool make_call(struct driver *self, struct context *context, struct task *task,
                      const struct planner_call *planned, unsigned place)
{
    char failure[FAILURE_BYTES_MAX];
    struct rounds *rounds = task->rounds;
    unsigned number = rounds->part_count + place;
    assert(number < PLANNER_RESULTS_MAX);
    struct part *part = &rounds->parts[number];
    *part = (struct part){.id = planned->id};
    if (planned->code != NULL) {
        struct failure_text text = {.code = planned->code, .message = planned->reason};
        metrics_add(context->metrics, METRIC_DRIVER_MODEL_CALLS_TOTAL, LABELS("not_made"), 1);
        return fail_part(self, part, results_failure(STATUS_BAD_REQUEST, &text, failure));
    }
    struct task *call = new_call(self, context, task, planned);
    if (call == NULL)
        return false;
    call->part = number;
    part->made = true;
    rounds->children[place] = call;
    rounds->parts_open++;
    return true;
}

/* Make the tasks of a round; false: there is no room for them. */
static bool make_calls(struct driver *self, struct context *context, struct task *task,
                       const struct planner_step *step)
{
    for (size_t i = 0; i < step->call_count; i++)
        if (!make_call(self, context, task, &step->calls[i], (unsigned)i))
            return false;
    return true;
}

static void drop_calls(struct driver *self, struct context *context, struct rounds *rounds)
{
    for (unsigned i = 0; i < PLANNER_CALLS_MAX; i++)
        if (rounds->children[i] != NULL)
            task_abandon(self, context, rounds->children[i]);
    memset(rounds->children, 0, sizeof rounds->children);
    rounds->parts_open = 0;
}

void questions_drop(struct driver *self, struct context *context, struct task *task)
{
    struct rounds *rounds = task->rounds;
    drop_calls(self, context, rounds);
    for (unsigned i = 0; i < PLANNER_RESULTS_MAX; i++)
        driver_give(self, &rounds->parts[i].memory, rounds->parts[i].size);
    memset(rounds->parts, 0, sizeof rounds->parts);
    rounds->part_count = rounds->told = 0;
}

/* An answer of a model may be kept if whoever asks again would get it, too: it stands on calls,
 * those of the last round went well, and none failed that might not fail the next time; and it
 * chose from the tools that are in its key. */
static bool may_keep_models(const struct driver *self, const struct rounds *rounds,
                            const struct result *result)
{
    return values_count(result->sources) > 0 && !rounds->unsure && !rounds->failed_last &&
           rounds->offered_as == self->offered_as;
}

static void conclude(struct driver *self, struct context *context, struct task *task,
                     const struct planner_step *step)
{
    const struct rounds *rounds = task->rounds;
    bool without = (task->degraded & WITHOUT_MODEL) != 0;
    if (without && step->next == PLANNER_NO_DATA) {
        questions_fail(self, context, task); /* that the model gave no answer says more */
        return;
    }
    task->result = (struct result){.status = STATUS_OK,
                                   .value = step->value,
                                   .text = step->text,
                                   .reason = step->reason,
                                   .detail = step->detail};
    results_join(self, task, &task->result);
    if (rounds->planner == PLANNER_MODEL)
        task->result.keepable &= may_keep_models(self, rounds, &task->result);
    task->result.keepable &= !without; /* its key is the model's */
    self->question_us = registry_smooth(self->question_us, context->now_at - task->began_at);
    task_advance(self, context, task, OUTCOME_HIT);
}

void questions_go_on(struct driver *self, struct context *context, struct task *task,
                     const struct planner_step *step)
{
    if (step->next != PLANNER_CALL) {
        conclude(self, context, task, step);
    } else if (make_calls(self, context, task, step)) {
        task_advance(self, context, task, OUTCOME_DONE);
    } else {
        drop_calls(self, context, task->rounds);
        task_fail(self, context, task, STATUS_BUSY_FULL, NULL);
    }
}

/* Where its parts are kept; NULL: there is no room. */
static struct rounds *rounds_of(struct driver *self, struct task *task)
{
    if (task->rounds != NULL)
        return task->rounds;
    void *memory = driver_take(self, sizeof *task->rounds);
    if (memory == NULL)
        return NULL;
    task->rounds = memset(memory, 0, sizeof *task->rounds);
    task->rounds->planner = self->planner;
    task->rounds->offered_as = self->offered_as;
    return task->rounds;
}

void questions_plan(struct driver *self, struct context *context, struct task *task)
{
    struct bytes results[TEMPLATE_RESULTS_MAX];
    struct planner_step step;
    struct rounds *rounds = rounds_of(self, task);
    if (rounds == NULL) {
        task_fail(self, context, task, STATUS_BUSY_FULL, NULL);
        return;
    }
    if (rounds->planner == PLANNER_MODEL) {
        task_advance(self, context, task, OUTCOME_TURN);
        return;
    }
    assert(rounds->part_count <= TEMPLATE_RESULTS_MAX);
    for (unsigned i = 0; i < rounds->part_count; i++)
        results[i] = rounds->parts[i].value;
    planner_template_next(task->question, results, rounds->part_count, self->plan, &step);
    questions_go_on(self, context, task, &step);
}

/* All have come, or one has failed. */
static void join(struct driver *self, struct context *context, struct task *task)
{
    struct rounds *rounds = task->rounds;
    if (rounds->part_failed) {
        drop_calls(self, context, rounds);
        questions_fail(self, context, task);
    } else if (rounds->parts_open == 0) {
        while (rounds->part_count < PLANNER_RESULTS_MAX && rounds->parts[rounds->part_count].done)
            rounds->part_count++;
        if (rounds->planner == PLANNER_MODEL)
            turns_tell(context, task);
        task_advance(self, context, task, OUTCOME_AGAIN);
    }
}

void questions_start_calls(struct driver *self, struct context *context, struct task *task)
{
    struct rounds *rounds = task->rounds;
    rounds->spawning = true;
    for (unsigned i = 0; i < PLANNER_CALLS_MAX; i++)
        if (rounds->children[i] != NULL)
            task_begin(self, context, rounds->children[i]);
    rounds->spawning = false;
    join(self, context, task);
}

void questions_keep_failure(struct driver *self, struct task *question, const struct result *result)
{
    struct rounds *rounds = question->rounds;
    rounds->failed = (struct result){.status = result->status,
                                     .executed = result->executed,
                                     .retry_after_ms = result->retry_after_ms};
    if (rounds->failure == NULL)
        rounds->failure = driver_take(self, FAILURE_BYTES_MAX);
    if (rounds->failure == NULL || result->failure.data == NULL)
        return;
    assert(result->failure.size <= FAILURE_BYTES_MAX);
    memcpy(rounds->failure, result->failure.data, result->failure.size);
    rounds->failed.failure = (struct bytes){rounds->failure, result->failure.size};
}

void questions_fail(struct driver *self, struct context *context, struct task *task)
{
    task->result = task->rounds->failed;
    task_advance(self, context, task, task->replied ? OUTCOME_FAILED_LATE : OUTCOME_FAILED);
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

/* True if it is data that a model can be shown. */
static bool is_for_models(struct bytes value)
{
    return value.size <= MODEL_RESULT_BYTES_MAX && value_check(value, MODEL_NESTING_MAX);
}

/* What the request itself decides fails the next time, too. */
static bool fails_always(enum status status)
{
    return status == STATUS_BAD_REQUEST || status == STATUS_TOO_LARGE;
}

static void set_failure(struct task *task, enum status status, const char *message, char *room)
{
    struct failure_text text = {.message = message};
    task->result = (struct result){.status = status,
                                   .executed = statuses[status].executed,
                                   .failure = results_failure(status, &text, room)};
}

void questions_take_part(struct driver *self, struct task *task)
{
    char room[FAILURE_BYTES_MAX];
    struct task *question = task->parent;
    struct rounds *rounds = question->rounds;
    bool is_model = rounds->planner == PLANNER_MODEL;
    assert(task->part < PLANNER_RESULTS_MAX);
    struct part *part = &rounds->parts[task->part];
    if (task->result.status == STATUS_OK && is_model && !is_for_models(task->result.value))
        set_failure(task, STATUS_TOO_LARGE, "the result is too large to be read: ask for less",
                    room);
    if (task->result.status == STATUS_OK && keep_part(self, part, task))
        return;
    if (task->result.status == STATUS_OK)
        set_failure(task, STATUS_BUSY_FULL, NULL, room);
    if (task->result.failure.data == NULL) /* who refused it said no more than its status */
        task->result.failure = results_failure(task->result.status, NULL, room);
    if (!is_model || !fail_part(self, part, task->result.failure)) {
        questions_keep_failure(self, question, &task->result);
        rounds->part_failed = true;
    } else if (!fails_always(task->result.status)) {
        rounds->unsure = true;
    }
    task->result.failure = (struct bytes){0};
}

void questions_end_part(struct driver *self, struct context *context, struct task *question,
                        unsigned part)
{
    struct rounds *rounds = question->rounds;
    assert(part >= rounds->part_count);
    rounds->children[part - rounds->part_count] = NULL;
    assert(rounds->parts_open > 0);
    rounds->parts_open--;
    if (!rounds->spawning)
        join(self, context, question);
}
