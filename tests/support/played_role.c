/* played_role - see played_role.h. */
#include "tests/support/played_role.h"

#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "actors/runtime/settings.h"
#include "tests/support/suite.h"

struct state {
    struct request asking; /* waits for its own question; id 0: none */
    struct request hanging;
    struct request working;
    struct request ringing; /* waits for the bell */
    int bell;               /* a timer's descriptor; 0: none yet */
    struct job job;
    uint64_t gaps, views, events, cancels, next_tag;
};

static bool role_start(void *state, struct context *context, const struct settings *settings,
                       char *reason, size_t reason_size)
{
    (void)context;
    ((struct state *)state)->next_tag = 1;
    if (strcmp(settings_text(settings, "driver", "namespace"), "refuse") != 0)
        return true;
    (void)snprintf(reason, reason_size, "driver.namespace: refuse is refused");
    return false;
}

static void role_stop(void *state)
{
    (void)state;
}

static uint32_t role_methods(void *state, struct writer *writer)
{
    (void)state;
    writer_array(writer, 1);
    writer_map(writer, 1);
    writer_cstr(writer, "name");
    writer_cstr(writer, "*");
    return 8;
}

static void reply_body(struct context *context, const struct request *request, struct bytes body)
{
    context->reply(context, request, &(struct answer){.status = STATUS_OK, .body = body});
}

/* Deaf to cancelling, for ever. */
static void run_stuck(struct job *job, void *thread_state)
{
    (void)job, (void)thread_state;
    for (;;)
        (void)pause();
}

static void run_job(struct job *job, void *thread_state)
{
    (void)job, (void)thread_state;
}

static enum status ask(struct state *self, struct context *context, const struct request *request,
                       enum role role)
{
    struct ask ask = {.role = role,
                      .method = bytes_of("tool"),
                      .flags = request->flags & FLAG_STREAM,
                      .body = bytes_of("\x01")};
    self->asking = *request;
    return context->ask(context, request, &ask, self->next_tag++);
}

static enum status tell_seen(struct state *self, struct context *context,
                             const struct request *request)
{
    char room[64];
    struct writer writer;
    writer_init(&writer, room, sizeof room);
    writer_array(&writer, 4);
    writer_u64(&writer, self->gaps);
    writer_u64(&writer, self->views);
    writer_u64(&writer, self->events);
    writer_u64(&writer, self->cancels);
    reply_body(context, request, writer_bytes(&writer));
    return STATUS_OK;
}

static void ring_soon(struct state *self, const struct request *request)
{
    struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    if (self->bell == 0)
        self->bell = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    ck_assert_int_eq(timerfd_settime(self->bell, 0, &soon, NULL), 0);
    self->ringing = *request;
}

static int role_descriptor(const void *state)
{
    const struct state *self = state;
    return self->bell == 0 ? -1 : self->bell;
}

static bool role_ready(void *state, struct context *context)
{
    struct state *self = state;
    uint64_t rings;
    if (self->bell == 0 || read(self->bell, &rings, sizeof rings) != (ssize_t)sizeof rings)
        return false;
    reply_body(context, &self->ringing, bytes_of("\x09"));
    return true;
}

static enum status role_any(void *state, struct context *context, const struct request *request,
                            const void *body)
{
    struct state *self = state;
    struct bytes method = name_bytes(&request->method);
    const uint64_t tags[] = {11, 12};
    if (bytes_are(method, "echo")) {
        context->started(context, request);
        reply_body(context, request, *(const struct bytes *)body);
    } else if (bytes_are(method, "large")) {
        static char bytes[PAIR_BODY_BYTES_MAX + 1];
        reply_body(context, request, (struct bytes){bytes, sizeof bytes});
    } else if (bytes_are(method, "ask")) {
        return ask(self, context, request, ROLE_TOOL_EXECUTOR);
    } else if (bytes_are(method, "look up")) {
        return ask(self, context, request, ROLE_CACHE_PARTITION);
    } else if (bytes_are(method, "hang")) {
        self->hanging = *request;
    } else if (bytes_are(method, "release")) {
        reply_body(context, &self->hanging, bytes_of("\x02"));
        reply_body(context, request, bytes_of("\x03"));
    } else if (bytes_are(method, "work")) {
        self->working = *request;
        self->job = (struct job){.run = run_job, .deadline_at = request->deadline_at};
        return context->start_job(context, &self->job);
    } else if (bytes_are(method, "stick")) {
        self->job = (struct job){.run = run_stuck, .deadline_at = request->deadline_at};
        reply_body(context, request, bytes_of("\x06"));
        return context->start_job(context, &self->job);
    } else if (bytes_are(method, "ring")) {
        ring_soon(self, request);
    } else if (bytes_are(method, "say ready")) {
        context->say_ready(context);
        reply_body(context, request, bytes_of("\x08"));
    } else if (bytes_are(method, "give up")) {
        context->give_up(context, "as it was told");
    } else if (bytes_are(method, "invalidate")) {
        context->invalidate(context, tags, 2);
        reply_body(context, request, bytes_of("\x04"));
    } else if (bytes_are(method, "seen")) {
        return tell_seen(self, context, request);
    } else {
        return STATUS_NO_ROLE;
    }
    return STATUS_OK;
}

static enum status role_query(void *state, struct context *context, const struct request *request,
                              const void *body)
{
    (void)state, (void)context, (void)request, (void)body;
    return STATUS_APP_ERROR;
}

static void role_answer(void *state, struct context *context, uint64_t tag,
                        const struct answer *answer)
{
    struct state *self = state;
    ck_assert_uint_eq(tag, self->next_tag - 1);
    if (answer->status == STATUS_OK)
        reply_body(context, &self->asking, answer->body);
    else
        actor_refuse(context, &self->asking, answer->status, answer->retry_after_ms, NULL);
}

static void role_partial(void *state, struct context *context, uint64_t tag, struct bytes body)
{
    struct state *self = state;
    ck_assert_uint_eq(tag, self->next_tag - 1);
    context->partial(context, &self->asking, body);
}

static void role_cancel(void *state, struct context *context, const struct request *request)
{
    struct state *self = state;
    (void)context;
    self->cancels += request->id == self->hanging.id && request->link == self->hanging.link;
}

static void role_view(void *state, struct context *context, const struct msg_view *view)
{
    (void)context;
    ((struct state *)state)->views += view->epoch;
}

static void role_event(void *state, struct context *context, const struct event *event)
{
    (void)context;
    ((struct state *)state)->events += strcmp(event->topic, "invalidate") == 0;
}

static void role_gap(void *state, struct context *context)
{
    (void)context;
    ((struct state *)state)->gaps++;
}

static void role_job_done(void *state, struct context *context, struct job *job)
{
    struct state *self = state;
    if (job->started) /* else it was given back, as the process ends: nobody is answered */
        reply_body(context, &self->working, bytes_of("\x05"));
}

static void *role_thread_start(void *state, unsigned index)
{
    (void)index;
    return state;
}

static void role_thread_stop(void *state, void *thread_state)
{
    ck_assert_ptr_eq(state, thread_state);
}

static unsigned role_thread_count(const void *state)
{
    (void)state;
    return 2;
}

const struct actor_spec played_role = {
    .role = ROLE_DRIVER,
    .name = "driver",
    .state_bytes = sizeof(struct state),
    .start = role_start,
    .stop = role_stop,
    .methods = role_methods,
    .handlers = {[MSG_QUERY] = role_query},
    .any_method = role_any,
    .on_answer = role_answer,
    .on_partial = role_partial,
    .on_cancel = role_cancel,
    .descriptor = role_descriptor,
    .on_ready = role_ready,
    .on_view = role_view,
    .on_event = role_event,
    .on_gap = role_gap,
    .on_job_done = role_job_done,
    .thread_start = role_thread_start,
    .thread_stop = role_thread_stop,
    .thread_count = role_thread_count,
};

/* A role that lets others in: each of its requests is answered with the same bytes. */

static enum status on_any_row(void *state, struct context *context, const struct request *request,
                              const void *body)
{
    (void)state, (void)body;
    reply_body(context, request, bytes_of("\x07"));
    return STATUS_OK;
}

static bool door_start(void *state, struct context *context, const struct settings *settings,
                       char *reason, size_t reason_size)
{
    (void)state, (void)context, (void)settings, (void)reason, (void)reason_size;
    return true;
}

const struct actor_spec played_door_role = {
    .role = ROLE_CACHE_PARTITION,
    .name = "cache_partition",
    .start = door_start,
    .stop = role_stop,
    .methods = role_methods,
    .handlers = {[MSG_CACHE_GET] = on_any_row,
                 [MSG_CACHE_MGET] = on_any_row,
                 [MSG_CACHE_SET] = on_any_row,
                 [MSG_CACHE_FAIL] = on_any_row,
                 [MSG_CACHE_EXPLAIN] = on_any_row,
                 [MSG_CACHE_STATS] = on_any_row},
    .lets_in = true,
};
