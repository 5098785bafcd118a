/* touches - see process_private.h.
 *
 * A request that this process holds is one that it will answer, and by its deadline: a role that
 * waits for others ends in time by itself, and one with job threads says of a job that does not end
 * in time that it did not. So it is the loop that gets on with all of them, and it is the loop that
 * says so: three times in a lease, and not of what is younger than a third of one. A loop that
 * hangs says nothing. See docs/decisions/0110. */
#include <assert.h>

#include "actors/runtime/process_private.h"

#define TOUCHES_PER_LEASE 3

void touches_begin(struct uplink *uplink, uint64_t lease_ms)
{
    uint64_t lease_ms_max = UINT32_MAX; /* whatever a broker says */
    int64_t lease_us = (int64_t)(lease_ms < lease_ms_max ? lease_ms : lease_ms_max) * US_PER_MS;
    uplink->touch_us = lease_us / TOUCHES_PER_LEASE;
    uplink->touch_at = uplink->process->context.now_at + uplink->touch_us;
}

static bool has_lease(const struct uplink *uplink)
{
    return uplink->touch_us > 0 && session_state(link_session(uplink->back)) == SESSION_UP;
}

static void touch_all(struct uplink *uplink)
{
    struct process *process = uplink->process;
    struct session *session = link_session(uplink->back);
    int64_t until_at = process->context.now_at - uplink->touch_us;
    const struct held_request *held;
    uint32_t at = 0;
    while ((held = held_next(process->held, uplink_link(uplink), 0, until_at, &at)) != NULL) {
        struct header header = {.command = COMMAND_TOUCH, .id = held->id, .class = CLASS_CRITICAL};
        session_say(session, session_connection(session), &header, (struct bytes){0});
    }
    uplink->touch_at = process->context.now_at + uplink->touch_us;
}

void touches_tick(struct process *self)
{
    for (unsigned i = 0; i < self->uplink_count && held_count(self->held) > 0; i++) {
        struct uplink *uplink = &self->uplinks[i];
        if (has_lease(uplink) && uplink->touch_at <= self->context.now_at)
            touch_all(uplink);
    }
}

int64_t touches_due_at(const struct process *self)
{
    int64_t due_at = INT64_MAX;
    for (unsigned i = 0; i < self->uplink_count && held_count(self->held) > 0; i++)
        if (has_lease(&self->uplinks[i]) && self->uplinks[i].touch_at < due_at)
            due_at = self->uplinks[i].touch_at;
    return due_at;
}
