/* tool_executor - runs tools, each call on a job thread under its deadline.
 *
 * Serves  every tool of tools.def and of its plug-ins as a method, by its name or its alias with a
 *         dot
 * Asks    the broker: statistics, for System_GetMetrics
 * Owns    the calls it holds (tool_executor.concurrency), what became of them, a connection to the
 *         database a thread
 * Tells   whoever caches: a change of the database by another program makes db:<name> stale
 * See     docs/one_request.md, step 6
 *
 * Calls wait here, nearest deadline first, until a thread is free: then nothing waits in front of
 * the look for foreign changes, which has a thread in reserve. No tool takes all threads from the
 * others. Idempotency keys have no place here: who may run a tool twice is
 * decided before. A call that does not end keeps its thread; when all are lost so, the process
 * gives up. */
#include "actors/tool_executor/tool_executor.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/runtime/command_line.h"
#include "actors/runtime/log.h"
#include "actors/runtime/metrics.h"
#include "actors/runtime/settings.h"
#include "actors/tool_executor/calls.h"
#include "actors/tool_executor/look.h"
#include "actors/tool_executor/plugins.h"

#define RETRY_FULL_MS 20

struct tool_executor {
    struct tools *tools;
    struct plugins plugins;
    struct tally tally;
    struct database database; /* path empty: none is served */
    struct look look;
    int64_t stuck_us;   /* how long all threads may be stuck */
    int64_t give_up_at; /* INT64_MAX: some thread is not */
    struct calls calls;
    char *arguments; /* CANONICAL_BYTES_MAX: room to make them canonical in */
};

static bool has_database(const struct tool_executor *self)
{
    return self->database.path[0] != '\0';
}

/* The end of a call. */

static void count_ended(struct tool_executor *self, struct context *context,
                        const struct tool *tool, const struct failure *failure, int64_t taken_us)
{
    const char *outcome = outcome_names[outcome_of(failure->status)];
    tally_ended(&self->tally, tool, failure, taken_us, context->unix_ms);
    metrics_add(context->metrics, METRIC_TOOL_EXECUTIONS_TOTAL, LABELS(tool->name, outcome), 1);
    if (taken_us > 0)
        metrics_observe(context->metrics, METRIC_TOOL_DURATION_SECONDS, LABELS(tool->name),
                        (double)taken_us / US_PER_S);
}

static void refuse(struct context *context, const struct request *request,
                   const struct failure *failure)
{
    struct failure_text text = {
        .code = failure->code,
        .message = failure->message,
        .field = failure->field[0] == '\0' ? NULL : failure->field,
        .hint = failure->hint[0] == '\0' ? NULL : failure->hint,
    };
    actor_refuse(context, request, failure->status, failure->retry_after_ms, &text);
}

/* Reply once, if it is wanted, and count. */
static void answer(struct tool_executor *self, struct context *context, struct execution *execution)
{
    if (execution->is_answered)
        return;
    execution->is_answered = true;
    count_ended(self, context, execution->tool, &execution->failure, execution->taken_us);
    if (execution->failure.status != STATUS_OK) {
        refuse(context, &execution->request, &execution->failure);
        return;
    }
    int64_t queue_us = execution->begun_at - execution->request.arrived_at;
    struct answer reply = {.status = STATUS_OK,
                           .executed = EXECUTED_YES,
                           .queue_us = (uint32_t)queue_us,
                           .service_us = (uint32_t)execution->taken_us,
                           .body = {execution->reply, execution->reply_size}};
    context->reply(context, &execution->request, &reply);
}

static void show_fill(const struct tool_executor *self, struct context *context)
{
    metrics_set(context->metrics, METRIC_BOUND_USED_RATIO, LABELS("tool_executor.concurrency"),
                (double)self->calls.count / self->calls.max);
}

static void show_tools(const struct tool_executor *self, struct context *context)
{
    metrics_set(context->metrics, METRIC_BOUND_USED_RATIO, LABELS("executor_tools"),
                (double)self->tools->count / TOOLS_MAX);
    metrics_set(context->metrics, METRIC_BOUND_USED_RATIO, LABELS("executor_definitions"),
                (double)self->tools->definitions_bytes / TOOL_DEFINITIONS_BYTES_MAX);
}

static void forget(struct tool_executor *self, struct context *context, struct execution *execution)
{
    calls_remove(&self->calls, execution);
    show_fill(self, context);
}

static void fail_and_forget(struct tool_executor *self, struct context *context,
                            struct execution *execution)
{
    assert(execution->failure.status != STATUS_OK);
    answer(self, context, execution);
    forget(self, context, execution);
}

/* Starting. */

static void start(struct tool_executor *self, struct context *context, struct execution *execution)
{
    execution->budget_us = execution->deadline_at - context->now_at;
    execution->begun_at = context->now_at;
    enum status status = context->start_job(context, &execution->job);
    if (status != STATUS_OK) {
        failure_set(&execution->failure, status, "OVERLOADED", "no job can be started");
        execution->failure.retry_after_ms = RETRY_FULL_MS;
        fail_and_forget(self, context, execution);
        return;
    }
    calls_run(&self->calls, execution);
    context->started(context, &execution->request);
}

static void start_waiting(struct tool_executor *self, struct context *context)
{
    struct execution *next;
    while ((next = calls_next(&self->calls)) != NULL)
        start(self, context, next);
}

/* System_GetMetrics: asked, not run. */
static void ask_broker(struct tool_executor *self, struct context *context,
                       struct execution *execution)
{
    struct ask ask = {.role = ROLE_BROKER,
                      .method = bytes_of("statistics"),
                      .class = execution->request.class,
                      .deadline_at = execution->deadline_at};
    calls_ask(&self->calls, execution);
    execution->begun_at = context->now_at;
    enum status status = context->ask(context, &execution->request, &ask, execution->number);
    if (status == STATUS_OK)
        return;
    failure_set(&execution->failure, status, "UNAVAILABLE", "the broker cannot be asked");
    execution->failure.retry_after_ms = RETRY_FULL_MS;
    fail_and_forget(self, context, execution);
}

static enum status refuse_unknown(struct context *context, const struct request *request)
{
    struct failure_text text = {.code = "TOOL_NOT_FOUND",
                                .message = "there is no such tool",
                                .hint = "QUERY directory tells which there are."};
    actor_refuse(context, request, STATUS_BAD_REQUEST, 0, &text);
    return STATUS_OK;
}

/* A call that ends before it begins. */
static enum status refuse_call(struct tool_executor *self, struct context *context,
                               const struct request *request, const struct tool *tool,
                               const struct failure *failure)
{
    count_ended(self, context, tool, failure, 0);
    refuse(context, request, failure);
    return STATUS_OK;
}

static enum status on_call(void *state, struct context *context, const struct request *request,
                           const void *body)
{
    struct tool_executor *self = state;
    struct writer arguments;
    struct failure failure = {.status = STATUS_OK};
    const struct tool *tool = tools_find(self->tools, name_bytes(&request->method));
    if (tool == NULL)
        return refuse_unknown(context, request);
    if (self->calls.count == self->calls.max) {
        failure_set(&failure, STATUS_BUSY_FULL, "OVERLOADED", "%u calls are held already",
                    self->calls.max);
        failure.retry_after_ms = RETRY_FULL_MS;
        return refuse_call(self, context, request, tool, &failure);
    }
    writer_init(&arguments, self->arguments, CANONICAL_BYTES_MAX);
    if (!tool_arguments(tool, *(const struct bytes *)body, &arguments, &failure))
        return refuse_call(self, context, request, tool, &failure);
    struct execution *execution = execution_new(tool, request, writer_bytes(&arguments));
    execution->unix_ms = context->unix_ms;
    calls_add(&self->calls, execution);
    show_fill(self, context);
    if (tool->run == NULL)
        ask_broker(self, context, execution);
    else
        start_waiting(self, context);
    return STATUS_OK;
}

/* What comes back. */

/* All threads are lost to calls that do not end: since when, so that somebody notices. */
static void watch_stuck(struct tool_executor *self, struct context *context)
{
    metrics_set(context->metrics, METRIC_TOOL_THREADS_STUCK, NO_LABELS, self->calls.stuck);
    if (self->calls.stuck < self->calls.threads)
        self->give_up_at = INT64_MAX;
    else if (self->give_up_at == INT64_MAX)
        self->give_up_at = context->now_at + self->stuck_us;
}

static void on_job_done(void *state, struct context *context, struct job *job)
{
    struct tool_executor *self = state;
    if (job == &self->look.job) {
        look_done(&self->look, context);
        return;
    }
    struct execution *execution = (struct execution *)(void *)job;
    if (!job->started) /* no thread had it: its time was over before */
        failure_set(&execution->failure, STATUS_DEADLINE_QUEUED, "DEADLINE",
                    "its time was over before it could begin");
    else if (execution->is_overdue && execution->failure.status == STATUS_CANCELLED)
        failure_set(&execution->failure, STATUS_DEADLINE_RUNNING, "DEADLINE",
                    "the tool did not end within its time");
    answer(self, context, execution);
    forget(self, context, execution);
    watch_stuck(self, context);
    start_waiting(self, context);
}

static void on_answer(void *state, struct context *context, uint64_t tag,
                      const struct answer *broker)
{
    struct tool_executor *self = state;
    struct execution *execution = calls_of_ask(&self->calls, tag);
    assert(execution != NULL); /* what was withdrawn is not answered */
    execution->taken_us = context->now_at - execution->begun_at;
    if (broker->status == STATUS_OK)
        execution_take_statistics(execution, broker->body);
    else
        failure_set(&execution->failure, broker->status, statuses[broker->status].name,
                    "the broker did not answer: %s", statuses[broker->status].text);
    execution->failure.retry_after_ms = broker->retry_after_ms;
    answer(self, context, execution);
    forget(self, context, execution);
}

/* One that runs comes back by itself, soon. */
static void on_cancel(void *state, struct context *context, const struct request *request)
{
    struct tool_executor *self = state;
    struct execution *execution = calls_of_request(&self->calls, request);
    struct failure withdrawn = {.status = STATUS_CANCELLED}; /* its own may be the thread's now */
    if (execution == NULL || execution->is_answered)
        return;
    count_ended(self, context, execution->tool, &withdrawn, 0);
    execution->is_answered = true;
    if (execution->state == EXECUTION_RUNNING) {
        context->cancel_job(context, &execution->job);
        return;
    }
    if (execution->state == EXECUTION_ASKING)
        context->cancel_ask(context, execution->number);
    forget(self, context, execution);
}

/* Time. */

static int64_t due_at(const void *state)
{
    const struct tool_executor *self = state;
    int64_t look = look_due_at(&self->look), calls = calls_due_at(&self->calls);
    int64_t due = look < calls ? look : calls;
    return self->give_up_at < due ? self->give_up_at : due;
}

/* A call whose time is over. What runs is told to end; if it does not, its asker does not wait. */
static void expire(struct tool_executor *self, struct context *context, struct execution *execution)
{
    struct failure late; /* its own may be the thread's now */
    if (execution->state == EXECUTION_WAITING) {
        failure_set(&execution->failure, STATUS_DEADLINE_QUEUED, "DEADLINE",
                    "its time was over before it could begin");
        fail_and_forget(self, context, execution);
        return;
    }
    if (!execution->is_overdue && !execution->is_answered) {
        execution->is_overdue = true;
        context->cancel_job(context, &execution->job);
        return;
    }
    calls_stick(&self->calls, execution);
    log_event(EVENT_TOOL_STUCK, log_text("tool", execution->tool->name),
              log_u64("stuck", self->calls.stuck), log_u64("threads", self->calls.threads));
    if (!execution->is_answered) {
        failure_set(&late, STATUS_DEADLINE_RUNNING, "DEADLINE",
                    "the tool did not end within its time");
        execution->is_answered = true;
        count_ended(self, context, execution->tool, &late, context->now_at - execution->begun_at);
        refuse(context, &execution->request, &late);
    }
}

static void tick(void *state, struct context *context)
{
    struct tool_executor *self = state;
    for (size_t i = self->calls.count; i > 0;
         i--) /* from the end: what is forgotten leaves a gap */
        if (execution_due_at(self->calls.list[i - 1]) <= context->now_at)
            expire(self, context, self->calls.list[i - 1]);
    look_tick(&self->look, context);
    if (self->give_up_at <= context->now_at) {
        context->give_up(context, "every thread has a call that does not end");
        self->give_up_at = INT64_MAX;
    }
    watch_stuck(self, context);
    start_waiting(self, context);
}

/* Questions. */

static enum status write_definitions(const struct tool_executor *self, struct bytes body,
                                     struct writer *writer)
{
    struct msg_query_tools query = {.name = {NULL, 0}};
    if (body.data != NULL && message_decode(MSG_QUERY_TOOLS, body, &query) != STATUS_OK)
        return STATUS_BAD_REQUEST;
    return tools_write(self->tools, query.name, writer);
}

static enum status write_statistics(const struct tool_executor *self, struct writer *writer)
{
    struct msg_executor_statistics statistics = {
        .held = self->calls.count,
        .held_max = self->calls.max,
        .running = self->calls.running,
        .threads = self->calls.threads,
        .database = bytes_of(has_database(self) ? self->database.name : NULL),
        .changes = self->look.changes,
        .stuck = self->calls.stuck,
    };
    return tally_write(&self->tally, &statistics, writer);
}

static enum status on_query(void *state, struct context *context, struct bytes method,
                            struct bytes body, struct writer *writer)
{
    (void)context;
    if (bytes_are(method, "tools"))
        return write_definitions(state, body, writer);
    if (bytes_are(method, "statistics"))
        return write_statistics(state, writer);
    return STATUS_NO_ROLE;
}

/* Life. */

static bool is_plain(const char *name)
{
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
           strlen(name);
}

static bool read_settings(struct tool_executor *self, const struct settings *settings, char *reason,
                          size_t reason_size)
{
    const char *section = "tool_executor";
    const char *name = settings_text(settings, section, "database_name");
    if (!is_plain(name)) {
        snprintf(reason, reason_size, "tool_executor.database_name: letters, digits, _ and - only");
        return false;
    }
    snprintf(self->database.name, sizeof self->database.name, "%s", name);
    snprintf(self->database.path, sizeof self->database.path, "%s",
             settings_text(settings, section, "database"));
    self->calls.threads = (unsigned)settings_u64(settings, section, "threads");
    if (self->calls.threads == JOB_THREADS_MAX)
        self->calls.threads--; /* one looks for changes */
    self->calls.max = (unsigned)settings_u64(settings, section, "concurrency");
    self->stuck_us = (int64_t)settings_u64(settings, section, "stuck_ms") * US_PER_MS;
    self->give_up_at = INT64_MAX;
    return true;
}

static bool start_role(void *state, struct context *context, const struct settings *settings,
                       char *reason, size_t reason_size)
{
    struct tool_executor *self = state;
    if (!read_settings(self, settings, reason, reason_size))
        return false;
    self->tools = tools_new(settings_bool(settings, "tool_executor", "test_tools"));
    if (!plugins_load(&self->plugins, settings_text(settings, "tool_executor", "plugins"),
                      self->tools, reason, reason_size)) {
        tools_destroy(&self->tools);
        return false;
    }
    show_tools(self, context);
    self->tally.tools = self->tools;
    self->calls.tally = &self->tally;
    self->arguments = malloc(CANONICAL_BYTES_MAX);
    assert(self->arguments != NULL);
    if (has_database(self))
        look_open(&self->look, &self->database,
                  (int64_t)settings_u64(settings, "tool_executor", "watch_ms") * US_PER_MS,
                  context->now_at);
    return true;
}

static void stop_role(void *state)
{
    struct tool_executor *self = state;
    while (self->calls.count > 0)
        calls_remove(&self->calls, self->calls.list[0]);
    look_close(&self->look);
    tools_destroy(&self->tools);
    free(self->arguments);
}

static uint32_t methods(void *state, struct writer *writer)
{
    struct tool_executor *self = state;
    writer_array(writer, self->tools->count);
    for (size_t i = 0; i < self->tools->count; i++) {
        const struct tool *tool = &self->tools->list[i];
        struct msg_method method = {bytes_of(tool->name), bytes_of(tool->version), tool->schema};
        enum status status = message_write(MSG_METHOD, &method, writer);
        assert(status == STATUS_OK || writer->full);
    }
    return self->calls.max;
}

static void *thread_start(void *state, unsigned index)
{
    struct tool_executor *self = state;
    struct tool_thread *thread = tool_thread_new(has_database(self) ? &self->database : NULL);
    thread->plugins = plugins_start_thread(&self->plugins, index);
    return thread;
}

static void thread_stop(void *state, void *thread_state)
{
    struct tool_executor *self = state;
    struct tool_thread *thread = thread_state;
    plugins_stop_thread(&self->plugins, thread->plugins);
    tool_thread_destroy(&thread);
}

static unsigned thread_count(const void *state)
{
    const struct tool_executor *self = state;
    return self->calls.threads + has_database(self);
}

static const struct program_flag flags[] = {
    {"--database", "tool_executor.database", NULL, "FILE the SQLite file to serve, read-only",
     false},
    {"--plugin", "tool_executor.plugins", NULL, "FILE.so tools of your own; repeat it for each",
     true},
    {"--test-tools", "tool_executor.test_tools", "true", "offer the tools that only tests need",
     false},
    {NULL, NULL, NULL, NULL, false},
};

const struct actor_spec tool_executor_spec = {
    .role = ROLE_TOOL_EXECUTOR,
    .name = "tool_executor",
    .state_bytes = sizeof(struct tool_executor),
    .start = start_role,
    .stop = stop_role,
    .methods = methods,
    .any_method = on_call,
    .on_answer = on_answer,
    .on_cancel = on_cancel,
    .on_job_done = on_job_done,
    .on_query = on_query,
    .due_at = due_at,
    .tick = tick,
    .thread_start = thread_start,
    .thread_stop = thread_stop,
    .thread_count = thread_count,
    .summary = "runs tools: SQL on a database, calculation, parsing",
    .flags = flags,
};
