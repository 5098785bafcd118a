/* fact-echo - a worker that answers each request with its own body: what is measured with it is the
 * way, not the work.
 *
 * Serves  Bench_Echo, as a tool executor, on the runtime that all roles have
 * Owns    nothing
 * Takes   the settings of section tool_executor: instance, concurrency */
#include <assert.h>

#include "actors/runtime/process.h"
#include "actors/runtime/settings.h"

struct echo {
    uint32_t concurrency;
};

static bool start(void *state, struct context *context, const struct settings *settings,
                  char *reason, size_t reason_size)
{
    struct echo *self = state;
    (void)context;
    (void)reason;
    (void)reason_size;
    self->concurrency = (uint32_t)settings_u64(settings, "tool_executor", "concurrency");
    return true;
}

static void stop(void *state)
{
    (void)state;
}

static uint32_t methods(void *state, struct writer *writer)
{
    struct echo *self = state;
    struct msg_method method = {.name = bytes_of("Bench_Echo")};
    writer_array(writer, 1);
    enum status status = message_write(MSG_METHOD, &method, writer);
    assert(status == STATUS_OK || writer->full);
    return self->concurrency;
}

static enum status on_any(void *state, struct context *context, const struct request *request,
                          const void *body)
{
    (void)state;
    struct answer answer = {
        .status = STATUS_OK, .executed = EXECUTED_YES, .body = *(const struct bytes *)body};
    context->reply(context, request, &answer);
    return STATUS_OK;
}

static const struct actor_spec echo_spec = {.role = ROLE_TOOL_EXECUTOR,
                                            .name = "tool_executor",
                                            .state_bytes = sizeof(struct echo),
                                            .start = start,
                                            .stop = stop,
                                            .methods = methods,
                                            .any_method = on_any,
                                            .summary = "answers each request with its own body; "
                                                       "for measuring"};

int main(int argc, char **argv)
{
    return process_run(&echo_spec, argc, argv);
}
