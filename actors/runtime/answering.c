/* answering - see process_private.h: what the process is asked, and how each request ends.
 *
 * Every request is held from the moment it is taken until it is answered: so it is answered once,
 * and one that is not held any more is dropped in silence. One that has an idempotency key is known
 * again: see answered.h. */
#include <assert.h>
#include <stdio.h>

#include "actors/runtime/process_private.h"

static const char *outcome_of(enum status status)
{
    if (status == STATUS_OK)
        return "ok";
    if (status == STATUS_APP_ERROR)
        return "app_error";
    if (status == STATUS_CANCELLED)
        return "cancelled";
    if (status == STATUS_DEADLINE_QUEUED || status == STATUS_DEADLINE_RUNNING)
        return "expired";
    return statuses[status].executed == EXECUTED_NO ? "refused" : "failed";
}

/* A label from a closed set: a method of the rows, or one that was served. */
static void method_label(const struct process *self, const struct held_request *request,
                         enum status status, char *out, size_t size)
{
    struct bytes method = name_bytes(&request->method);
    bool is_known = message_find(self->spec->role, method) != MSG_NONE ||
                    (self->spec->any_method != NULL && status == STATUS_OK);
    (void)snprintf(out, size, "%.*s", is_known ? (int)method.size : 5,
                   is_known ? method.data : "other");
}

static void learn_series(struct process *self, const struct held_request *request,
                         enum status status, struct reply_count *ret)
{
    struct metrics *metrics = self->context.metrics;
    const char *role = self->spec->name;
    ret->method = request->method;
    ret->status = status;
    method_label(self, request, status, ret->label, sizeof ret->label);
    ret->replies =
        metrics_series(metrics, METRIC_REPLIES_TOTAL, LABELS(role, statuses[status].name));
    ret->requests = metrics_series(metrics, METRIC_REQUESTS_TOTAL,
                                   LABELS(role, ret->label, outcome_of(status)));
    ret->duration =
        metrics_series(metrics, METRIC_REQUEST_DURATION_SECONDS, LABELS(role, ret->label));
}

static void count_reply(struct process *self, const struct held_request *request,
                        enum status status)
{
    bool found;
    int64_t taken_us = self->context.now_at - request->arrived_at;
    struct reply_count *count =
        reply_counts_place(&self->reply_counts, &request->method, status, &found);
    if (!found)
        learn_series(self, request, status, count);
    series_add(count->replies, 1);
    series_add(count->requests, 1);
    series_observe(count->duration, (double)taken_us / (double)US_PER_S);
    log_event(EVENT_REPLY, log_text("method", count->label),
              log_text("status", statuses[status].name), log_i64("us", taken_us));
}

/* Send it where it came from; TOO_LARGE: it was not. */
static enum status send_reply(struct process *self, const struct held_request *request,
                              const struct header *header, struct bytes body)
{
    if ((uint32_t)request->link == LINK_DOORWAY)
        return server_reply(self->server, request->peer, header, body, true);
    return session_reply(uplinks_back(self, request->link), (uint32_t)(request->link >> 32), header,
                         body, lending_reply(self, request->link));
}

static enum executed executed_of(const struct answer *answer)
{
    enum executed fixed = statuses[answer->status].executed;
    return fixed == EXECUTED_MAYBE ? answer->executed : fixed;
}

static uint32_t clamp_us(int64_t us)
{
    return us < 0 ? 0 : us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

static void answer_one(struct process *self, const struct held_request *request,
                       const struct answer *answer)
{
    struct header header = {.command = COMMAND_REPLY,
                            .id = request->id,
                            .flags = answer->flags,
                            .status = answer->status,
                            .executed = executed_of(answer),
                            .admit_level = CLASS_SHEDDABLE,
                            .retry_after_ms = answer->retry_after_ms,
                            .queue_us = answer->queue_us,
                            .service_us = clamp_us(self->context.now_at - request->arrived_at),
                            .instance = bytes_of(self->instance)};
    enum status sent = send_reply(self, request, &header, answer->body);
    assert(sent == STATUS_OK);
    count_reply(self, request, header.status);
}

/* What has been executed is not executed again; what may have been, only if that does no harm. */
static bool is_last(const struct held_request *request, const struct answer *answer)
{
    enum executed executed = executed_of(answer);
    return executed == EXECUTED_YES || (executed == EXECUTED_MAYBE && !request->idempotent);
}

/* One that others may wait for has ended. They get its answer; where it is none that they could
 * have, they are told that it was running, so that they may ask again. */
static void end_keyed(struct process *self, const struct held_request *request,
                      const struct answer *answer)
{
    char room[CONTROL_BYTES_MAX];
    struct held_request other;
    if (!request->keyed || request->waits)
        return;
    bool last = is_last(request, answer);
    answered_end(self->answered, request->name, last ? answer : NULL, self->context.now_at);
    while (held_remove_waiting(self->held, request->name, &other)) {
        struct answer theirs = {.status = STATUS_DUPLICATE_RUNNING,
                                .executed = EXECUTED_MAYBE,
                                .body = message_encode_failure(STATUS_DUPLICATE_RUNNING, room)};
        self->answered_again++;
        answer_one(self, &other, last ? answer : &theirs);
    }
}

void answering_finish(struct process *self, const struct held_request *request,
                      const struct answer *answer)
{
    char room[CONTROL_BYTES_MAX];
    struct answer ours = *answer;
    if (answer->body.size > PAIR_BODY_BYTES_MAX) {
        log_event(EVENT_INTERNAL, log_bytes("method", name_bytes(&request->method)),
                  log_text("message", "an answer above the bound of a body"),
                  log_u64("bytes", answer->body.size));
        ours = (struct answer){.status = STATUS_INTERNAL,
                               .executed = EXECUTED_YES,
                               .body = message_encode_failure(STATUS_INTERNAL, room)};
    }
    end_keyed(self, request, &ours);
    answer_one(self, request, &ours);
}

/* One whose answer is known gets it; one that runs here for somebody else waits for that.
 * returns  true: it is seen to */
static bool repeats(struct process *self, const struct header *header, struct bytes body,
                    struct held_request *held)
{
    struct answer answer;
    if (header->idempotency_key.data == NULL || (uint32_t)held->link == LINK_DOORWAY)
        return false;
    if (held_find(self->held, held->link, held->peer, held->id) != NULL)
        return true; /* an answer to the first is on its way: this one has no place in any table */
    held->keyed = true;
    answered_name(self->answered, header, body, held->name);
    enum answered_state state =
        answered_begin(self->answered, held->name, self->context.now_at, &answer);
    held->waits = state != ANSWERED_NEW;
    if (state == ANSWERED_NEW)
        return false;
    enum status status =
        state == ANSWERED_RUNNING ? held_add(self->held, held) : STATUS_DUPLICATE_RUNNING;
    if (status == STATUS_BUSY_FULL)
        answer = (struct answer){.status = status, .retry_after_ms = 1};
    self->answered_again += state == ANSWERED_DONE;
    if (state == ANSWERED_DONE || status == STATUS_BUSY_FULL)
        answer_one(self, held, &answer);
    return true;
}

void answering_take_request(struct process *self, uint64_t link, uint64_t peer,
                            const struct pair *pair)
{
    const struct header *header = &pair->header;
    struct held_request held = {.link = link,
                                .peer = peer,
                                .id = header->id,
                                .arrived_at = self->context.now_at,
                                .method = name_of(header->method),
                                .idempotent = (header->flags & FLAG_IDEMPOTENT) != 0,
                                .streams = (header->flags & FLAG_STREAM) != 0};
    if (header->id != 0 && repeats(self, header, pair->body, &held))
        return;
    enum status status = held_add(self->held, &held);
    if (header->id == 0 || status == STATUS_DUPLICATE_RUNNING) {
        struct held_request nobody;
        if (header->id == 0 && status == STATUS_OK)
            (void)held_remove(self->held, link, peer, 0, &nobody);
        return; /* there is nobody to answer, or an answer to the first is on its way */
    }
    log_event(EVENT_REQUEST, log_bytes("method", header->method), log_u64("id", header->id));
    if (status == STATUS_OK)
        actor_deliver(&self->actor, &self->context, link, peer, pair);
    else
        answering_finish(self, &held, &(struct answer){.status = status, .retry_after_ms = 1});
}

/* One that is out of the table, and not wanted any more. */
static void tell_cancelled(struct process *self, const struct held_request *held)
{
    struct request request = {.link = held->link, .peer = held->peer, .id = held->id};
    if (self->spec->on_cancel != NULL && !held->waits)
        self->spec->on_cancel(self->actor.state, &self->context, &request);
}

/* It is answered at once, since that answer grants the next request. */
void answering_take_cancel(struct process *self, uint64_t link, uint64_t peer, uint64_t id)
{
    struct held_request held;
    if (!held_remove(self->held, link, peer, id, &held))
        return;
    answering_finish(self, &held,
                     &(struct answer){.status = STATUS_CANCELLED, .executed = EXECUTED_MAYBE});
    tell_cancelled(self, &held);
}

void answering_drop_link(struct process *self, uint64_t link, uint64_t peer)
{
    struct held_request held;
    struct answer cancelled = {.status = STATUS_CANCELLED, .executed = EXECUTED_MAYBE};
    while (held_remove_any(self->held, link, peer, &held)) {
        end_keyed(self, &held, &cancelled);
        count_reply(self, &held, STATUS_CANCELLED);
        tell_cancelled(self, &held);
    }
}
