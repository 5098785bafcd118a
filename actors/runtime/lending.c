/* lending - see process_private.h: what each broker may have here at once. shares.h decides, this
 * keeps count and says CREDIT.
 *
 * Asking back is a CREDIT that is lower than what is granted. The broker answers with what it
 * keeps, which may be more: it has used it meanwhile. Until then replies grant on top of what was
 * asked for, and what the broker kept above it is added when the answer comes. */
#include <assert.h>

#include "actors/runtime/process_private.h"

uint32_t lending_begin(struct uplink *self, uint32_t concurrency)
{
    struct process *process = self->process;
    uint32_t connection = session_connection(link_session(self->back));
    if (self->share.share > 0 && self->connection == connection)
        return self->share.share; /* READY, said again */
    if (!process->lends)
        process->spare = concurrency;
    process->lends = true;
    lending_end(self);
    self->connection = connection;
    self->share = (struct share){.share = shares_first(concurrency, process->uplink_count)};
    process->spare -= self->share.share;
    return self->share.share;
}

void lending_end(struct uplink *self)
{
    self->process->spare += self->share.share;
    self->share = (struct share){.share = 0};
    self->withholds = 0;
}

void lending_take(struct uplink *self)
{
    struct share *share = &self->share;
    share->up = true;
    share->held++;
    if (share->held > share->peak)
        share->peak = share->held;
}

bool lending_reply(struct process *self, uint64_t link)
{
    struct uplink *uplink = uplinks_find(self, link);
    if ((uint32_t)(link >> 32) != uplink->connection)
        return true; /* it goes nowhere */
    assert(uplink->share.held > 0);
    uplink->share.held--;
    if (uplink->withholds == 0 || !shares_may_shrink(&uplink->share))
        return true;
    uplink->withholds--;
    uplink->share.share--;
    self->spare++;
    return false;
}

void lending_on_credit(struct uplink *self, uint32_t credit)
{
    uint32_t kept = credit - self->asked_to;
    if (self->share.asked == 0 || kept > self->share.asked)
        return; /* no answer to what was asked */
    uint32_t back = self->share.asked - kept;
    session_regrant(link_session(self->back), kept);
    assert(back < self->share.share);
    self->share.share -= back;
    self->process->spare += back;
    self->share.asked = 0;
    self->process->split_at = 0; /* somebody waits for it */
}

static void carry_out(struct uplink *self, const struct share *wanted)
{
    struct session *session = link_session(self->back);
    if (wanted->grant > 0) {
        self->share.share += wanted->grant;
        session_grant(session, (int32_t)wanted->grant);
    }
    if (wanted->ask_back > 0) {
        self->share.asked = wanted->ask_back;
        session_grant(session, -(int32_t)wanted->ask_back);
        self->asked_to = session_grants(session);
    }
    self->withholds = wanted->withhold;
    self->share.peak = self->share.held;
}

void lending_tick(struct process *self)
{
    struct share wanted[BROKERS_MAX];
    if (self->uplink_count < 2 || self->context.now_at < self->split_at)
        return;
    self->split_at = self->context.now_at + SHARES_MS * US_PER_MS;
    for (unsigned i = 0; i < self->uplink_count; i++) {
        wanted[i] = self->uplinks[i].share;
        wanted[i].up = session_state(link_session(self->uplinks[i].back)) == SESSION_UP &&
                       self->uplinks[i].share.share > 0;
    }
    self->spare = shares_split(wanted, self->uplink_count, self->spare);
    for (unsigned i = 0; i < self->uplink_count; i++)
        if (wanted[i].up)
            carry_out(&self->uplinks[i], &wanted[i]);
}

/* Nothing changes while nobody asks for anything. */
int64_t lending_due_at(const struct process *self)
{
    if (self->uplink_count < 2)
        return INT64_MAX;
    for (unsigned i = 0; i < self->uplink_count; i++)
        if (self->uplinks[i].share.peak > 0 || self->uplinks[i].share.asked > 0)
            return self->split_at;
    return INT64_MAX;
}
