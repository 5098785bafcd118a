/* remote_calls - see remote_calls.h. Calls are few hundred at the most: what is looked for is
 * looked for in all of them. */
#include "actors/arcade_gateway/remote_calls.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/url.h"
#include "protocol/key.h"

struct remote_calls {
    struct remote_call *list;
    struct remote_call *free;
    uint32_t max, count, polls;
    struct http *http;
    struct remote_calls_owner owner;
    char *data; /* RESULT_BYTES_MAX: results, while a dialect writes them */
    char deps[CALL_DEPS_BYTES_MAX];
};

struct remote_calls *remote_calls_new(uint32_t calls_max, struct http *http,
                                      const struct remote_calls_owner *owner)
{
    struct remote_calls *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->list = calloc(calls_max, sizeof *self->list);
    self->data = malloc(RESULT_BYTES_MAX);
    assert(self->list != NULL);
    assert(self->data != NULL);
    self->max = calls_max;
    self->http = http;
    self->owner = *owner;
    for (uint32_t i = calls_max; i-- > 0;) {
        self->list[i].next_free = self->free;
        self->free = &self->list[i];
    }
    return self;
}

/* Give all back; the transfer is over. */
static void forget(struct remote_calls *self, struct remote_call *call)
{
    struct dialogue *dialogue = &call->dialogue;
    if (dialogue->dialect->end != NULL && call->begun)
        dialogue->dialect->end(dialogue);
    free(dialogue->state);
    free(call->arguments);
    imports_release(&dialogue->tool);
    if (call->holds_target)
        target_leave(&call->site->target, &dialogue->tenant);
    *call = (struct remote_call){.next_free = self->free};
    self->free = call;
    self->count--;
}

void remote_calls_destroy(struct remote_calls **self_p)
{
    struct remote_calls *self = *self_p;
    if (self == NULL)
        return;
    for (uint32_t i = 0; i < self->max; i++)
        if (self->list[i].used)
            forget(self, &self->list[i]);
    free(self->list);
    free(self->data);
    free(self);
    *self_p = NULL;
}

static void end(struct remote_calls *self, struct context *context, struct remote_call *call,
                enum dialogue_next next)
{
    assert(next != DIALOGUE_EXCHANGE);
    assert(!call->is_out);
    self->owner.ended(self->owner.self, context, call, next);
    forget(self, call);
}

static void prepare(struct remote_calls *self, const struct context *context,
                    struct remote_call *call)
{
    struct dialogue *dialogue = &call->dialogue;
    dialogue->now_at = context->now_at;
    dialogue->unix_ms = context->unix_ms;
    dialogue->partial = (struct bytes){0};
    writer_init(&dialogue->data, self->data, RESULT_BYTES_MAX);
    writer_init(&dialogue->deps, self->deps, sizeof self->deps);
}

static void go_on(struct remote_calls *self, struct context *context, struct remote_call *call,
                  enum dialogue_next next);

static void tell_dialect(struct remote_calls *self, struct context *context,
                         struct remote_call *call, const struct http_response *came)
{
    prepare(self, context, call);
    call->dialogue.random = context->random(context);
    call->exchange = (struct exchange){.operation = call->exchange.operation};
    go_on(self, context, call,
          call->dialogue.dialect->take(&call->dialogue, came, &call->exchange));
}

/* The part that an exchange asks: of the web a host, else a tool. */
static struct target_part part_of(const struct remote_call *call, char *room, size_t size)
{
    const struct remote_tool *tool = call->dialogue.tool;
    struct target_part part = {.name = room};
    struct url url;
    const char *reason;
    room[0] = '\0';
    if (call->site->is_foreign && url_read(call->exchange.http.url, &url, &reason)) {
        part.key = url_origin_hash(&url);
        (void)snprintf(room, size, "%.100s:%u", url.host, url.port);
    } else if (!call->site->is_foreign && tool != NULL) {
        part.key = key_hash(0, bytes_of(tool->name)) | 1;
        (void)snprintf(room, size, "%s", tool->name);
    }
    return part;
}

/* Who must not be asked now: the side, or the part of it that this is about. */
static void name_refused(const struct remote_call *call, enum status status, char *out, size_t size)
{
    const struct target *target = &call->site->target;
    bool is_side = status == STATUS_CIRCUIT_OPEN ? breaker_seen(&target->breaker) != BREAKER_CLOSED
                                                 : !target->is_many;
    if (is_side || part_of(call, out, size).key == 0)
        (void)snprintf(out, size, "%s", call->site->remote.name);
}

/* It may not leave. If it repeats another, what that one came to is the answer: the dialect has it.
 */
static void refuse(struct remote_calls *self, struct context *context, struct remote_call *call,
                   enum status status, uint32_t after_ms)
{
    static const struct http_response late = {.end = HTTP_LATE};
    struct failure *failure = &call->dialogue.failure;
    char name[PART_NAME_BYTES];
    name_refused(call, status, name, sizeof name);
    if (call->exchange.is_repeat) {
        tell_dialect(self, context, call, &late);
        return;
    }
    if (status == STATUS_RATE_LIMITED)
        failure_set(failure, status, "RATE_LIMITED", "%s is asked as often as it may be", name);
    else if (status == STATUS_CIRCUIT_OPEN)
        failure_set(failure, status, "UNAVAILABLE", "%s has been failing, and is left alone", name);
    else
        failure_set(failure, status, "OVERLOADED", "so many wait for %s already", name);
    failure->retry_after_ms = after_ms;
    end(self, context, call, DIALOGUE_FAILED);
}

/* The first that goes to a side which was left alone changes its breaker's state. */
static enum status begin_target(struct remote_calls *self, struct context *context,
                                struct remote_call *call, uint32_t *ret_after_ms)
{
    char name[PART_NAME_BYTES];
    struct target *target = &call->site->target;
    struct target_part asked = part_of(call, name, sizeof name);
    enum breaker_state before = breaker_seen(&target->breaker);
    enum status status = target_begin(target, &asked, context->now_at, context->random(context),
                                      &call->pass, ret_after_ms);
    if (breaker_seen(&target->breaker) != before)
        self->owner.changed(self->owner.self, context, call->site, NULL);
    return status;
}

static void end_target(struct remote_calls *self, struct context *context, struct remote_call *call,
                       const struct http_response *came)
{
    struct target_time when = {context->now_at, context->unix_ms, context->random(context)};
    struct target_change change = target_end(&call->site->target, &when, &call->pass, came);
    if (change.side)
        self->owner.changed(self->owner.self, context, call->site, NULL);
    if (change.part != NULL)
        self->owner.changed(self->owner.self, context, call->site, change.part);
}

static void send_it(struct remote_calls *self, struct context *context, struct remote_call *call)
{
    char reason[HTTP_REASON_BYTES] = "";
    struct exchange *exchange = &call->exchange;
    uint32_t after_ms = 0;
    enum status status = STATUS_OK;
    if (exchange->is_poll && self->polls == POLLS_MAX)
        status = STATUS_BUSY_FULL;
    else if (!exchange->is_poll)
        status = begin_target(self, context, call, &after_ms);
    if (status != STATUS_OK) {
        refuse(self, context, call, status, after_ms > 0 ? after_ms : TARGET_FULL_RETRY_MS);
        return;
    }
    call->number = self->http->start(self->http, &exchange->http, reason);
    if (call->number == 0) {
        struct http_response none = {.end = HTTP_NO_CONNECTION};
        (void)snprintf(none.reason, sizeof none.reason, "%s", reason);
        if (!exchange->is_poll)
            end_target(self, context, call, NULL);
        tell_dialect(self, context, call, &none);
        return;
    }
    call->dialogue.attempts++;
    call->is_out = true;
    self->polls += exchange->is_poll;
}

/* In time, or not at all. */
static bool fits(const struct remote_call *call, int64_t send_at)
{
    return send_at < call->exchange.http.deadline_at;
}

static void begin_exchange(struct remote_calls *self, struct context *context,
                           struct remote_call *call)
{
    static const struct http_response late = {.end = HTTP_LATE};
    struct exchange *exchange = &call->exchange;
    int64_t margin_us = CALL_MARGIN_MS * US_PER_MS;
    int64_t last_at = call->dialogue.deadline_at - margin_us;
    if (exchange->http.deadline_at == 0 || exchange->http.deadline_at > last_at)
        exchange->http.deadline_at = last_at;
    call->repeats = 0;
    call->send_at = context->now_at + exchange->after_ms * US_PER_MS;
    bool is_paid = !exchange->is_repeat || repeat_pay(&call->site->target.repeats);
    if (!fits(call, call->send_at) || !is_paid)
        tell_dialect(self, context, call, &late);
    else if (exchange->after_ms == 0)
        send_it(self, context, call);
}

static void tell_part(struct context *context, struct remote_call *call)
{
    struct dialogue *dialogue = &call->dialogue;
    if (dialogue->partial.data != NULL && dialogue->wants_partial && call->request.id != 0)
        context->partial(context, &call->request, dialogue->partial);
    dialogue->partial = (struct bytes){0};
}

static void go_on(struct remote_calls *self, struct context *context, struct remote_call *call,
                  enum dialogue_next next)
{
    tell_part(context, call);
    if (next == DIALOGUE_EXCHANGE)
        begin_exchange(self, context, call);
    else
        end(self, context, call, next);
}

/* Everything that a dialogue is told of its call. */
static bool fill(struct remote_calls *self, struct context *context, struct remote_call *call,
                 const struct remote_call_wish *wish)
{
    const struct dialect *dialect = wish->site->dialect;
    struct dialogue *dialogue = &call->dialogue;
    *call = (struct remote_call){.site = wish->site, .used = true, .begun_at = context->now_at};
    *dialogue = (struct dialogue){.dialect = dialect,
                                  .purpose = wish->purpose,
                                  .remote = &wish->site->remote,
                                  .tool = wish->tool,
                                  .deadline_at = wish->deadline_at,
                                  .random = context->random(context)};
    if (wish->tool != NULL)
        imports_hold(wish->tool);
    dialogue->state = calloc(1, dialect->state_bytes > 0 ? dialect->state_bytes : 1);
    call->arguments = malloc(wish->arguments.size > 0 ? wish->arguments.size : 1);
    assert(dialogue->state != NULL);
    assert(call->arguments != NULL);
    self->count++;
    if (wish->request == NULL)
        return true;
    if (wish->arguments.size > 0)
        memcpy(call->arguments, wish->arguments.data, wish->arguments.size);
    call->request = *wish->request;
    dialogue->arguments = (struct bytes){call->arguments, wish->arguments.size};
    dialogue->method = name_bytes(&call->request.method);
    dialogue->tenant = wish->request->tenant;
    dialogue->user = wish->request->user;
    dialogue->has_trace = wish->request->has_trace;
    memcpy(dialogue->trace, wish->request->trace, TRACE_BYTES);
    dialogue->wants_partial = (wish->request->flags & FLAG_STREAM) != 0;
    dialogue->attempt = wish->request->attempt;
    call->holds_target = target_enter(&call->site->target, &dialogue->tenant) == STATUS_OK;
    return call->holds_target;
}

enum status remote_calls_begin(struct remote_calls *self, struct context *context,
                               const struct remote_call_wish *wish, struct failure *ret_failure)
{
    struct remote_call *call = self->free;
    *ret_failure = (struct failure){.retry_after_ms = TARGET_FULL_RETRY_MS};
    if (!site_has_key(wish->site, context->now_at)) {
        failure_set(ret_failure, STATUS_CIRCUIT_OPEN, "UNAVAILABLE", "there is no key for %s",
                    wish->site->remote.name);
        ret_failure->retry_after_ms = 5000;
        return STATUS_CIRCUIT_OPEN;
    }
    bool has_room = call != NULL;
    if (has_room) {
        self->free = call->next_free;
        has_room = fill(self, context, call, wish);
        if (!has_room)
            forget(self, call);
    }
    if (!has_room) {
        failure_set(ret_failure, STATUS_BUSY_FULL, "OVERLOADED", "%s has as many calls as it may",
                    wish->site->remote.name);
        ret_failure->retry_after_ms = TARGET_FULL_RETRY_MS;
        return STATUS_BUSY_FULL;
    }
    prepare(self, context, call);
    call->begun = true;
    go_on(self, context, call, call->dialogue.dialect->begin(&call->dialogue, &call->exchange));
    return STATUS_OK;
}

struct remote_call *remote_calls_find(struct remote_calls *self, const struct request *request)
{
    for (uint32_t i = 0; i < self->max; i++) {
        struct remote_call *call = &self->list[i];
        if (call->used && call->request.id == request->id && call->request.link == request->link &&
            call->request.peer == request->peer && request->id != 0)
            return call;
    }
    return NULL;
}

/* The transfer is over, however it went: NULL, it was broken off by us. */
static void come_back(struct remote_calls *self, struct context *context, struct remote_call *call,
                      const struct http_response *came)
{
    assert(call->is_out);
    call->is_out = false;
    if (call->exchange.is_poll)
        self->polls--;
    else
        end_target(self, context, call, came);
}

void remote_calls_cancel(struct remote_calls *self, struct context *context,
                         struct remote_call *call)
{
    if (call->is_out) {
        self->http->cancel(self->http, call->number);
        come_back(self, context, call, NULL);
    }
    forget(self, call);
}

int64_t remote_calls_due_at(const struct remote_calls *self)
{
    int64_t due_at = INT64_MAX;
    for (uint32_t i = 0; i < self->max; i++)
        if (self->list[i].used && !self->list[i].is_out && self->list[i].send_at < due_at)
            due_at = self->list[i].send_at;
    return due_at;
}

void remote_calls_tick(struct remote_calls *self, struct context *context)
{
    for (uint32_t i = 0; i < self->max; i++) {
        struct remote_call *call = &self->list[i];
        if (call->used && !call->is_out && call->send_at <= context->now_at)
            send_it(self, context, call);
    }
}

static struct remote_call *find_exchange(struct remote_calls *self, uint64_t number)
{
    for (uint32_t i = 0; i < self->max; i++)
        if (self->list[i].used && self->list[i].is_out && self->list[i].number == number)
            return &self->list[i];
    return NULL;
}

static void take_piece(struct remote_calls *self, struct context *context, struct remote_call *call,
                       const struct http_response *so_far)
{
    const struct dialect *dialect = call->dialogue.dialect;
    enum dialogue_next next = DIALOGUE_FAILED;
    prepare(self, context, call);
    bool is_over = dialect->piece != NULL && dialect->piece(&call->dialogue, so_far, &next);
    tell_part(context, call);
    if (!is_over)
        return;
    self->http->cancel(self->http, call->number);
    struct http_response enough = *so_far; /* the other side has answered */
    come_back(self, context, call, &enough);
    self->owner.exchanged(self->owner.self, context, call, &enough);
    go_on(self, context, call, next);
}

static void take_response(struct remote_calls *self, struct context *context,
                          struct remote_call *call, const struct http_response *came)
{
    int64_t wait_us = 0;
    struct repeat_case given = {.came = came,
                                .idempotent = call->exchange.idempotent,
                                .repeats = call->repeats,
                                .now_at = context->now_at,
                                .deadline_at = call->exchange.http.deadline_at,
                                .unix_ms = context->unix_ms,
                                .random = context->random(context)};
    come_back(self, context, call, came);
    self->owner.exchanged(self->owner.self, context, call, came);
    if (came->status == 401)
        secret_doubt(&call->site->secret);
    if (!call->exchange.is_poll && repeat_decide(&call->site->target.repeats, &given, &wait_us)) {
        call->repeats++;
        call->site->target.repeated++;
        call->send_at = context->now_at + wait_us;
        return;
    }
    tell_dialect(self, context, call, came);
}

bool remote_calls_take(struct remote_calls *self, struct context *context)
{
    struct http_response came;
    bool heard = false;
    self->http->process(self->http, context->now_at);
    for (enum http_news news = self->http->next(self->http, &came); news != HTTP_NOTHING;
         news = self->http->next(self->http, &came)) {
        struct remote_call *call = find_exchange(self, came.exchange);
        heard = true;
        if (call == NULL)
            continue; /* it was cancelled while this was on its way */
        if (news == HTTP_PIECE)
            take_piece(self, context, call, &came);
        else
            take_response(self, context, call, &came);
    }
    return heard;
}

uint32_t remote_calls_count(const struct remote_calls *self)
{
    return self->count;
}

uint32_t remote_calls_polls(const struct remote_calls *self)
{
    return self->polls;
}
