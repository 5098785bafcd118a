/* execution - see execution.h. */
#include "actors/tool_executor/execution.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/tool_executor/tool_functions.h"
#include "protocol/schema.h"

struct execution *execution_new(const struct tool *tool, const struct request *request,
                                struct bytes arguments)
{
    struct execution *self = calloc(1, sizeof *self);
    assert(self != NULL);
    int64_t tool_deadline_at = request->arrived_at + tool->timeout_ms * US_PER_MS;
    self->tool = tool;
    self->request = *request;
    self->deadline_at =
        tool_deadline_at < request->deadline_at ? tool_deadline_at : request->deadline_at;
    self->job = (struct job){
        .run = execution_run, .interrupt = execution_interrupt, .deadline_at = self->deadline_at};
    self->arguments = malloc(arguments.size);
    assert(self->arguments != NULL);
    memcpy(self->arguments, arguments.data, arguments.size);
    self->arguments_size = arguments.size;
    return self;
}

void execution_destroy(struct execution **self_p)
{
    if (*self_p == NULL)
        return;
    free((*self_p)->arguments);
    free((*self_p)->reply);
    free(*self_p);
    *self_p = NULL;
}

/* A result that keeps its tool's promises? */
static bool check_result(const struct execution *self, const struct tool_output *output,
                         struct failure *failure)
{
    struct fault fault;
    if (output->data.full) {
        failure_set(failure, STATUS_APP_ERROR, "LIMIT",
                    "the result passes a limit: result size (%u bytes)", RESULT_BYTES_MAX);
        return false;
    }
    struct bytes data = writer_bytes(&output->data);
    if (schema_validate(data, self->tool->result, &fault) == STATUS_OK)
        return true;
    return failure_set(failure, STATUS_APP_ERROR, "TOOL_FAILED",
                       "the tool's result is not what it promises: %s %s", fault.path,
                       fault.reason);
}

static struct bytes encode(const struct execution *self, const struct tool_output *output,
                           char *room)
{
    struct bytes body = {NULL, 0};
    struct msg_tool_result result = {
        .tool = bytes_of(self->tool->name),
        .version = bytes_of(self->tool->version),
        .success = true,
        .data = writer_bytes(&output->data),
        .execution_time_ms = (double)self->taken_us / US_PER_MS,
        .as_of = (uint64_t)(output->as_of != 0 ? output->as_of : self->unix_ms),
        .truncated = output->truncated,
        .execution_method = bytes_of("local"),
        .attempts = 1,
    };
    if (output->deps.used > 0)
        result.deps = writer_bytes(&output->deps);
    enum status status = message_encode(MSG_TOOL_RESULT, &result, room, PAIR_BODY_BYTES_MAX, &body);
    assert(status == STATUS_OK); /* data and deps have bounds that leave room for the rest */
    return body;
}

_Static_assert(RESULT_BYTES_MAX + TOOL_DEPS_BYTES_MAX + 4096 <= PAIR_BODY_BYTES_MAX,
               "a result fits a reply");

/* From what a tool wrote to its reply; one that breaks a promise becomes a failure.
 *
 * room  PAIR_BODY_BYTES_MAX bytes */
static void finish(struct execution *self, const struct tool_output *output, char *room)
{
    assert(self->reply == NULL);
    if (!check_result(self, output, &self->failure))
        return;
    struct bytes body = encode(self, output, room);
    self->reply = malloc(body.size);
    assert(self->reply != NULL);
    memcpy(self->reply, body.data, body.size);
    self->reply_size = body.size;
}

void execution_run(struct job *job, void *thread_state)
{
    struct execution *self = (struct execution *)(void *)job;
    struct tool_thread *thread = thread_state;
    char deps[TOOL_DEPS_BYTES_MAX];
    int64_t begun_at = sqlite_clock_us();
    struct tool_call call = {.thread = thread,
                             .tool = self->tool,
                             .arguments = {self->arguments, self->arguments_size},
                             .budget = {begun_at + self->budget_us, &job->cancelled},
                             .number = self->number};
    struct tool_output output = {.as_of = 0};
    writer_init(&output.data, thread->data, RESULT_BYTES_MAX);
    writer_init(&output.deps, deps, sizeof deps);
    bool done = self->tool->run(&call, &output, &self->failure);
    assert(done == (self->failure.status == STATUS_OK));
    self->taken_us = sqlite_clock_us() - begun_at;
    if (done)
        finish(self, &output, thread->reply);
}

void execution_take_statistics(struct execution *self, struct bytes statistics)
{
    struct msg_statistics decoded;
    struct tool_output output = {.as_of = 0};
    struct bytes arguments = {self->arguments, self->arguments_size};
    if (message_decode(MSG_STATISTICS, statistics, &decoded) != STATUS_OK) {
        failure_set(&self->failure, STATUS_APP_ERROR, "TOOL_FAILED",
                    "the broker's answer makes no sense");
        return;
    }
    struct tool_thread *room = tool_thread_new(NULL);
    writer_init(&output.data, room->data, RESULT_BYTES_MAX);
    if (metrics_result(arguments, &decoded, &output.data, &self->failure))
        finish(self, &output, room->reply);
    tool_thread_destroy(&room);
}

void execution_interrupt(struct job *job, void *thread_state)
{
    struct tool_thread *thread = thread_state;
    (void)job; /* its cancelled is set already */
    if (thread->sqlite != NULL)
        sqlite_interrupt(thread->sqlite);
}

struct tool_thread *tool_thread_new(const struct database *database)
{
    struct tool_thread *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->sqlite = database == NULL ? NULL : sqlite_new(database);
    self->data = malloc(RESULT_BYTES_MAX);
    self->reply = malloc(PAIR_BODY_BYTES_MAX);
    assert(self->data != NULL);
    assert(self->reply != NULL);
    return self;
}

void tool_thread_destroy(struct tool_thread **self_p)
{
    if (*self_p == NULL)
        return;
    sqlite_destroy(&(*self_p)->sqlite);
    free((*self_p)->data);
    free((*self_p)->reply);
    free(*self_p);
    *self_p = NULL;
}
