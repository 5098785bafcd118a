/* look - see look.h. One that cannot be started is tried again at its next time. */
#include "actors/tool_executor/look.h"

#include <stdio.h>

#include "protocol/key.h"

void look_open(struct look *self, const struct database *database, int64_t every_us, int64_t now_at)
{
    char tag[DATABASE_NAME_BYTES_MAX + 4];
    snprintf(tag, sizeof tag, "db:%s", database->name);
    *self = (struct look){.watch = watch_new(database),
                          .every_us = every_us,
                          .due_at = now_at,
                          .tag = key_tag('d', bytes_of(tag))};
}

void look_close(struct look *self)
{
    watch_destroy(&self->watch);
}

int64_t look_due_at(const struct look *self)
{
    return self->watch == NULL || self->is_out ? INT64_MAX : self->due_at;
}

static void look_run(struct job *job, void *thread_state)
{
    struct look *self = (struct look *)(void *)job;
    (void)thread_state;
    self->changed = watch_look(self->watch);
}

void look_tick(struct look *self, struct context *context)
{
    if (look_due_at(self) > context->now_at)
        return;
    self->job = (struct job){.run = look_run, .deadline_at = INT64_MAX};
    self->changed = false;
    self->due_at = context->now_at + self->every_us;
    self->is_out = context->start_job(context, &self->job) == STATUS_OK;
}

void look_done(struct look *self, struct context *context)
{
    self->is_out = false;
    if (!self->changed)
        return;
    self->changes++;
    context->invalidate(context, &self->tag, 1);
}
