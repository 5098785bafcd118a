/* fact_ends - see fact_private.h: how a call ends, or is asked again.
 *
 * Three things end an attempt without ending the call. A refusal that is worth it is tried again
 * after a pause, within the budget. A broker that goes away has executed nothing: another one is
 * asked at once. With a broker that is lost, what it had may have been executed: what may be done
 * twice is sent to another at once, the rest ends with WORKER_LOST. The latter two cost no budget:
 * they are no sign of overload. source: docs/decisions/0121 */
#include <assert.h>
#include <string.h>

#include "actors/client/fact_private.h"
#include "protocol/message.h"

#define STAYS_US (100 * US_PER_MS) /* where all brokers go away: look again for one that stays */

enum status ends_ask(struct fact *self, struct call *call)
{
    int64_t now_at = fact_time(self);
    unsigned line = lines_for(self, call->header.class);
    if (line == LINES_MAX)
        return self->refused != STATUS_OK ? self->refused : STATUS_NO_WORKER;
    assert(call->again_at == 0);
    call->line = line;
    return session_ask(self->lines[line].session, &call->header, call->body, call->deadline_at,
                       calls_number(&self->calls, call), now_at);
}

/* Of what may have been executed once nobody is told that it was not. */
static void tell(struct fact *self, struct call *call, struct fact_reply *reply)
{
    struct call ended = *call;
    if (call->begun && reply->executed == EXECUTED_NO)
        reply->executed = EXECUTED_MAYBE;
    self->pausing -= call->again_at != 0;
    calls_free(&self->calls, call);
    if (ended.done != NULL)
        ended.done(ended.context, reply);
    else
        endings_push(&self->fetched, ending_new(&ended, reply));
}

void ends_here(struct fact *self, struct call *call, enum status status, enum executed executed)
{
    char bytes[CONTROL_BYTES_MAX];
    struct fact_reply reply = {.call = calls_number(&self->calls, call),
                               .status = status,
                               .executed = executed,
                               .total_us = fact_time(self) - call->submitted_at,
                               .attempts = call->header.attempt + 1u,
                               .local = true,
                               .body = message_encode_failure(status, bytes)};
    tell(self, call, &reply);
}

static bool is_harmless(const struct call *call)
{
    return call->header.command == COMMAND_QUERY || (call->header.flags & FLAG_IDEMPOTENT) != 0;
}

/* Elsewhere, or here once it is back, with the next attempt, up to the last; false: it cannot be.
 */
static bool ask_again(struct fact *self, struct call *call)
{
    uint8_t before = call->header.attempt;
    call->header.attempt += before + 1u < RETRY_ATTEMPTS_MAX;
    if (ends_ask(self, call) == STATUS_OK)
        return true;
    call->header.attempt = before;
    return false;
}

/* No reply came: its line was lost, or it wants none of us. */
static bool outlive_line(struct fact *self, struct call *call, const struct header *header,
                         const struct line *line)
{
    if (session_state(line->session) == SESSION_REFUSED && header->executed == EXECUTED_NO)
        return routes_usable(&self->routes) > 1 && ends_ask(self, call) == STATUS_OK;
    if (header->status != STATUS_WORKER_LOST || !is_harmless(call) ||
        call->header.attempt + 1u >= RETRY_ATTEMPTS_MAX)
        return false;
    unsigned next = lines_for(self, call->header.class);
    if (next != LINES_MAX)
        lines_say_resume(self, next);
    if (!ask_again(self, call))
        return false;
    self->resent++;
    return true;
}

static void pause_until(struct fact *self, struct call *call, int64_t at)
{
    assert(call->again_at == 0);
    call->again_at = at;
    self->pausing++;
}

/* A broker that goes away has executed nothing. Another one is asked at once; while there is none
 * that stays, this one is not tried again and again: it is waited for, which is no attempt. */
static bool go_elsewhere(struct fact *self, struct call *call)
{
    if (routes_usable(&self->routes) < 2)
        return false;
    if (lines_stays(self, lines_for(self, call->header.class)))
        return ask_again(self, call);
    if (self->now_at + STAYS_US + US_PER_MS > call->deadline_at)
        return false;
    call->waits_for_broker = true;
    pause_until(self, call, self->now_at + STAYS_US);
    return true;
}

static bool try_again(struct fact *self, struct call *call, const struct header *header)
{
    unsigned attempts = call->header.attempt + 1u;
    uint32_t role = call->header.role < ROLE_COUNT ? call->header.role : ROLE_NONE;
    if (statuses[header->status].retry == RETRY_ELSEWHERE)
        return go_elsewhere(self, call);
    int64_t wait_us = retry_wait_us(header, is_harmless(call), attempts, fact_random(self));
    if (wait_us < 0 || self->now_at + wait_us + US_PER_MS > call->deadline_at ||
        !retry_budget_spend(&self->budgets[role], self->now_at))
        return false;
    pause_until(self, call, self->now_at + wait_us);
    return true;
}

/* A reply that came is counted by the session, one that it made is not. */
void ends_on_answer(void *context, uint64_t tag, const struct header *header, struct bytes body)
{
    struct line *line = context;
    struct fact *self = line->fact;
    struct call *call = calls_find(&self->calls, tag);
    assert(call != NULL); /* the session answers what is open, once */
    bool came = session_counts(line->session)->answered > line->answered;
    bool keeps_on = call->bytes != NULL && !call->once && header->status != STATUS_OK;
    line->answered += came;
    if (came) {
        uint32_t role = call->header.role < ROLE_COUNT ? call->header.role : ROLE_NONE;
        routes_learn(&self->routes, line->route, header, self->now_at);
        throttle_learn(&self->throttles[role], header, self->now_at);
    }
    if (keeps_on &&
        (came ? try_again(self, call, header) : outlive_line(self, call, header, line))) {
        call->begun |= header->executed != EXECUTED_NO;
        self->retried += came;
        return;
    }
    struct fact_reply reply = {.call = tag,
                               .status = header->status,
                               .executed = header->executed,
                               .flags = header->flags,
                               .retry_after_ms = header->retry_after_ms,
                               .queue_us = header->queue_us,
                               .service_us = header->service_us,
                               .total_us = self->now_at - call->submitted_at,
                               .attempts = call->header.attempt + 1u,
                               .local = !came,
                               .instance = header->instance,
                               .body = body};
    tell(self, call, &reply);
}

/* What has left stays: it is resumed, or ends. */
void ends_move_waiting(struct fact *self, unsigned index)
{
    const struct line *line = &self->lines[index];
    assert(session_state(line->session) != SESSION_UP);
    for (uint32_t i = 0; i < self->calls.max && session_asks(line->session) > 0; i++) {
        struct call *call = &self->calls.slots[i];
        if (!call->used || call->bytes == NULL || call->line != index || call->again_at != 0 ||
            !session_take_back(line->session, calls_number(&self->calls, call)))
            continue;
        enum status status = ends_ask(self, call);
        if (status != STATUS_OK)
            ends_here(self, call, status, EXECUTED_NO);
    }
}

void ends_resume(struct fact *self)
{
    for (uint32_t i = 0; i < self->calls.max && self->pausing > 0; i++) {
        struct call *call = &self->calls.slots[i];
        if (!call->used || call->again_at == 0 || call->again_at > self->now_at)
            continue;
        self->pausing--;
        call->again_at = 0;
        call->header.attempt += !call->waits_for_broker;
        call->waits_for_broker = false;
        enum status status = ends_ask(self, call);
        if (status != STATUS_OK)
            ends_here(self, call, status, EXECUTED_NO);
    }
}

int64_t ends_due_at(const struct fact *self)
{
    int64_t due_at = INT64_MAX;
    for (uint32_t i = 0; i < self->calls.max && self->pausing > 0; i++) {
        const struct call *call = &self->calls.slots[i];
        if (call->used && call->again_at != 0 && call->again_at < due_at)
            due_at = call->again_at;
    }
    return due_at;
}
