/* look - whether another program has changed the database: looked for on a job thread, now and
 * then, and told to whoever caches. */
#ifndef ACTORS_TOOL_EXECUTOR_LOOK_H
#define ACTORS_TOOL_EXECUTOR_LOOK_H

#include "actors/runtime/actor.h"
#include "actors/tool_executor/database/watch.h"

/* Zeroed it never looks: there is no database. */
struct look {
    struct job job; /* first */
    struct watch *watch;
    bool is_out, changed;
    int64_t every_us, due_at;
    uint64_t tag;     /* db:<name> */
    uint64_t changes; /* seen, ever */
};

/* database: borrowed. The first look is at once: commits may have been missed. */
void look_open(struct look *self, const struct database *database, int64_t every_us,
               int64_t now_at);
void look_close(struct look *self);

int64_t look_due_at(const struct look *self); /* INT64_MAX: one is out, or it never looks */
void look_tick(struct look *self, struct context *context);

/* Its job is back. */
void look_done(struct look *self, struct context *context);

#endif
