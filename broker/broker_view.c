/* broker_view - when the view of the partitions is told, and by which of several brokers. What it
 * is decides view.c, whose turn it is others.c. See docs/cache.md; docs/decisions/0120. */
#include "broker/broker_private.h"

/* A new view is due: at once, or when its hold-down is over. */
void broker_plan_view(struct broker *self)
{
    int64_t due_at = view_due_at(self->view);
    if (due_at <= self->now_at)
        broker_issue_view(self);
    else if (due_at != INT64_MAX)
        timers_set(self->timers, TIMER_VIEW, due_at);
}

static void note_view(const struct broker *self)
{
    const struct log_field fields[] = {log_u64("epoch", view_epoch(self->view)),
                                       log_u64("members", view_count(self->view))};
    broker_note(self, EVENT_VIEW_CHANGED, fields, 2);
}

static void tell(struct broker *self)
{
    self->view_told_at = self->now_at;
    broker_publish_bytes(self, "view", view_body(self->view));
}

/* Its own is on its way to whoever has just subscribed: so not twice within half a beat. */
void broker_tell_view_again(struct broker *self)
{
    if (self->now_at - self->view_told_at >= BEAT_MS / 2 * US_PER_MS)
        tell(self);
}

/* What another broker is to tell stays due here: it may be gone before it does. */
void broker_issue_view(struct broker *self)
{
    if (view_due_at(self->view) <= self->now_at &&
        !others_let_tell(&self->others, view_count(self->view), self->now_at)) {
        timers_set(self->timers, TIMER_VIEW, self->now_at + BEAT_MS * US_PER_MS);
        return;
    }
    if (!view_issue(self->view, self->now_at))
        return;
    note_view(self);
    tell(self);
}

/* Who has missed the view that counts gets it again with its next beat. */
void broker_hear(struct broker *self, unsigned other, struct bytes message, int64_t now_at)
{
    struct bytes view;
    self->now_at = now_at;
    bool beats = others_hear(&self->others, other, message, now_at, &view);
    if (beats && self->others.places[other].epoch < view_epoch(self->view))
        tell(self);
    if (view.data == NULL || !view_adopt(self->view, view, now_at))
        return;
    note_view(self);
    broker_plan_view(self);
}
