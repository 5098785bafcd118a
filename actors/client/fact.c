/* fact - see fact.h. Sessions decide, transports move bytes; fact_private.h tells which file does
 * what. */
#include "actors/client/fact.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "actors/client/fact_private.h"

#define ENDPOINT_DEFAULT "tcp://127.0.0.1:5550"

int64_t fact_time(const struct fact *self)
{
    return self->working ? self->now_at : transport_now_at();
}

/* source: Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014 */
uint64_t fact_random(struct fact *self)
{
    uint64_t bits = self->random += UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return bits ^ (bits >> 31);
}

/* A name of the wire; false: it is too long. */
static bool copy_name(const char *from, char *to, size_t *ret_size)
{
    *ret_size = from == NULL ? 0 : strlen(from);
    if (*ret_size > NAME_BYTES_MAX)
        return false;
    memcpy(to, from == NULL ? "" : from, *ret_size);
    return true;
}

static bool name_handle(struct fact *self, const char *given)
{
    char made_up[32];
    snprintf(made_up, sizeof made_up, "client-%d", (int)getpid());
    const char *name = given == NULL ? made_up : given;
    size_t size = strlen(name);
    if (size == 0 || size > NAME_BYTES_MAX)
        return false;
    memcpy(self->name, name, size + 1);
    return true;
}

static bool open_parts(struct fact *self, const struct fact_options *options)
{
    const char *endpoints = options->endpoints == NULL ? ENDPOINT_DEFAULT : options->endpoints;
    uint32_t calls_max = options->calls_max == 0 ? CALLS_MAX : options->calls_max;
    bool good = calls_max <= CALLS_MAX && name_handle(self, options->instance) &&
                routes_init(&self->routes, endpoints, fact_random(self)) &&
                copy_name(options->tenant, self->tenant, &self->tenant_size) &&
                copy_name(options->user, self->user, &self->user_size);
    if (!good) {
        errno = EINVAL;
        return false;
    }
    calls_init(&self->calls, calls_max);
    return client_keys_read(options->key_file, options->server_key_file, &self->keys) &&
           lines_open(self);
}

struct fact *fact_open(const struct fact_options *options)
{
    static const struct fact_options defaults = {.endpoints = NULL};
    struct fact *self = calloc(1, sizeof *self);
    assert(self != NULL);
    if (options == NULL)
        options = &defaults;
    self->plain = options->plain;
    self->given_only = options->given_only;
    self->epoll = self->timer = -1;
    (void)!getrandom(&self->random, sizeof self->random, 0); /* only to spread; 0 will do */
    endings_init(&self->cancelled);
    endings_init(&self->fetched);
    for (unsigned i = 0; i < ROLE_COUNT; i++)
        retry_budget_init(&self->budgets[i], transport_now_at());
    for (unsigned i = 0; i < LINES_MAX; i++)
        self->lines[i].fact = self;
    if (!open_parts(self, options)) {
        fact_destroy(&self);
        return NULL;
    }
    self->timer_at = 1;
    transport_set_timer(self->timer, self->timer_at);
    return self;
}

void fact_destroy(struct fact **self_p)
{
    assert(self_p != NULL);
    struct fact *self = *self_p;
    if (self == NULL)
        return;
    assert(!self->working);
    int error = errno; /* fact_open() reports it */
    lines_close(self);
    endings_drop(&self->cancelled);
    endings_drop(&self->fetched);
    free(self->current);
    calls_fini(&self->calls);
    client_keys_wipe(&self->keys);
    free(self);
    *self_p = NULL;
    errno = error;
}

enum fact_state fact_state(const struct fact *self)
{
    static const enum fact_state states[] = {[SESSION_GREETING] = FACT_CONNECTING,
                                             [SESSION_UP] = FACT_UP,
                                             [SESSION_REFUSED] = FACT_REFUSED};
    return states[lines_state(self)];
}

struct fact_peer fact_peer(const struct fact *self)
{
    unsigned best = lines_for(self, CLASS_CRITICAL);
    if (best == LINES_MAX) /* all have refused */
        best = self->lines[0].session == NULL;
    const struct line *line = &self->lines[best];
    const struct route *route = &self->routes.entries[line->route];
    return (struct fact_peer){.endpoint = route->endpoint,
                              .instance = route->instance,
                              .generation = session_generation(line->session),
                              .connections = self->connections,
                              .refused =
                                  lines_state(self) == SESSION_REFUSED ? self->refused : STATUS_OK,
                              .reason = self->reason,
                              .calls = self->calls.count,
                              .calls_peak = self->calls.peak,
                              .retried = self->retried,
                              .resent = self->resent,
                              .held_back = self->held_back};
}

bool fact_broker(const struct fact *self, unsigned index, struct fact_broker *ret)
{
    if (index >= self->routes.count)
        return false;
    const struct route *route = &self->routes.entries[index];
    *ret = (struct fact_broker){.endpoint = route->endpoint,
                                .instance = route->instance,
                                .held = route->held,
                                .refused = route->refused};
    for (unsigned i = 0; i < LINES_MAX; i++)
        if (self->lines[i].session != NULL && self->lines[i].route == index)
            ret->up = session_state(self->lines[i].session) == SESSION_UP;
    return true;
}

/* What a caller may get wrong; the session checks the rest. */
static enum status request_check(const struct fact *self, const struct fact_request *request)
{
    bool sizes = (request->idempotency_key.data == NULL ||
                  request->idempotency_key.size == IDEMPOTENCY_KEY_BYTES) &&
                 (request->trace.data == NULL || request->trace.size == TRACE_BYTES);
    if (lines_state(self) == SESSION_REFUSED)
        return self->refused;
    if (self->calls.count == self->calls.max)
        return STATUS_BUSY_FULL;
    if (request->method.size > METHOD_BYTES_MAX || request->tenant.size > NAME_BYTES_MAX ||
        request->user.size > NAME_BYTES_MAX || request->body.size > PAIR_BODY_BYTES_MAX)
        return STATUS_TOO_LARGE;
    return request->method.size == 0 || !sizes ? STATUS_BAD_REQUEST : STATUS_OK;
}

/* The extension that names the user; out: NAME_BYTES_MAX + 16 bytes. */
static struct bytes write_user(struct bytes user, char *out)
{
    struct writer writer;
    if (user.size == 0)
        return (struct bytes){0};
    writer_init(&writer, out, NAME_BYTES_MAX + 16);
    writer_map(&writer, 1);
    writer_cstr(&writer, "user");
    writer_text(&writer, user);
    return writer_bytes(&writer);
}

/* Once expired it is readable until it is set again. */
static void set_timer(struct fact *self, int64_t due_at)
{
    if (due_at != self->timer_at)
        transport_set_timer(self->timer, due_at);
    self->timer_at = due_at;
}

/* The answer of what must not be done twice is held for us, in case that the connection breaks;
 * what may be done again costs nothing. */
static uint16_t flags_of(const struct fact_request *request)
{
    bool keeps = request->command == COMMAND_REQUEST && !(request->flags & FLAG_IDEMPOTENT);
    return (uint16_t)(request->flags | (keeps ? FLAG_KEEP : 0));
}

/* There is work: let the descriptor say so, once. */
static void wake(struct fact *self)
{
    if (self->working || self->woken) /* a turn ends with all that was submitted in it */
        return;
    self->woken = true;
    set_timer(self, 1); /* long ago */
}

/* Ask a call for the first time. What may have to go elsewhere is kept. */
static enum status begin(struct fact *self, struct call *call, const struct header *header,
                         struct bytes body)
{
    if (!self->plain && !calls_keep(&self->calls, call, header, body))
        return STATUS_BUSY_FULL;
    if (!self->plain)
        return ends_ask(self, call);
    call->header = *header;
    call->body = body;
    enum status status = ends_ask(self, call);
    call->header = (struct header){.role = header->role, .attempt = header->attempt};
    call->body = (struct bytes){0};
    return status;
}

static bool is_held_back(struct fact *self, const struct fact_request *request)
{
    if (self->plain || request->command != COMMAND_REQUEST || request->role >= ROLE_COUNT ||
        request->class == CLASS_CRITICAL_PLUS)
        return false;
    retry_budget_earn(&self->budgets[request->role]);
    if (!throttle_holds(&self->throttles[request->role], fact_time(self), fact_random(self)))
        return false;
    self->held_back++;
    return true;
}

enum status fact_submit(struct fact *self, const struct fact_request *request, fact_done *done,
                        void *context, uint64_t *ret_call)
{
    char extension[NAME_BYTES_MAX + 16];
    assert(request->command == COMMAND_REQUEST || request->command == COMMAND_QUERY ||
           request->command == COMMAND_ADMIN);
    enum status status = request_check(self, request);
    if (status == STATUS_OK && is_held_back(self, request))
        status = STATUS_BUSY_SHED;
    if (status != STATUS_OK)
        return status;
    struct bytes tenant = {self->tenant_size > 0 ? self->tenant : NULL, self->tenant_size};
    struct bytes user = {self->user_size > 0 ? self->user : NULL, self->user_size};
    struct header header = {
        .command = request->command,
        .flags = flags_of(request),
        .class = request->class,
        .attempt = request->attempt <= INT8_MAX ? request->attempt : INT8_MAX,
        .role = (uint8_t)request->role,
        .method = request->method,
        .has_key = request->has_key,
        .key = request->key,
        .tenant = request->tenant.data != NULL ? request->tenant : tenant,
        .idempotency_key = request->idempotency_key,
        .trace = request->trace,
        .extension = write_user(request->user.data != NULL ? request->user : user, extension)};
    int64_t now_at = fact_time(self);
    uint64_t number = calls_take(&self->calls, done, context, now_at);
    struct call *call = calls_find(&self->calls, number);
    call->partial = request->partial;
    call->deadline_at = now_at + request->timeout_ms * US_PER_MS;
    call->once = request->once;
    status = begin(self, call, &header, request->body);
    if (status != STATUS_OK) {
        calls_free(&self->calls, call);
        return status;
    }
    if (ret_call != NULL)
        *ret_call = number;
    wake(self);
    return STATUS_OK;
}

bool fact_cancel(struct fact *self, uint64_t number)
{
    struct call *call = calls_find(&self->calls, number);
    if (call == NULL)
        return false;
    if (call->again_at != 0) { /* it is at no line */
        self->pausing--;
    } else {
        bool asked = session_cancel(self->lines[call->line].session, number);
        assert(asked);
    }
    struct fact_reply reply = {.call = number,
                               .status = STATUS_CANCELLED,
                               .executed = EXECUTED_MAYBE,
                               .total_us = fact_time(self) - call->submitted_at,
                               .attempts = call->header.attempt + 1u,
                               .local = true};
    endings_push(&self->cancelled, ending_new(call, &reply));
    calls_free(&self->calls, call);
    wake(self);
    return true;
}

bool fact_next(struct fact *self, struct fact_reply *ret)
{
    struct ending *ending = endings_pop(&self->fetched);
    if (ending == NULL)
        return false;
    free(self->current);
    self->current = ending;
    *ret = ending->reply;
    return true;
}

static void tell_cancelled(struct fact *self)
{
    struct endings told;
    struct ending *ending;
    endings_init(&told);
    while ((ending = endings_pop(&self->cancelled)) != NULL) {
        ending->next = NULL;
        endings_push(ending->done == NULL ? &self->fetched : &told, ending);
    }
    while ((ending = endings_pop(&told)) != NULL) {
        ending->done(ending->context, &ending->reply);
        free(ending);
    }
}

static int64_t earlier(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

void fact_process(struct fact *self)
{
    assert(!self->working);
    self->working = true;
    self->woken = false;
    self->now_at = transport_now_at();
    lines_take(self);
    lines_tick(self);
    ends_resume(self);
    tell_cancelled(self);
    lines_send(self);
    self->working = false;
    int64_t due_at = earlier(ends_due_at(self), lines_due_at(self));
    if (self->cancelled.first != NULL) /* by whoever was told of another */
        due_at = self->now_at;
    set_timer(self, due_at);
    lines_arm(self);
}

int fact_descriptor(const struct fact *self)
{
    return self->epoll;
}

/* Negative, or beyond what a clock shows: never. */
static int64_t until_of(int64_t timeout_ms)
{
    int64_t now_at = transport_now_at();
    bool never = timeout_ms < 0 || timeout_ms > (INT64_MAX - now_at) / US_PER_MS;
    return never ? INT64_MAX : now_at + timeout_ms * US_PER_MS;
}

/* A signal is no reason to give up. */
static bool wait_until(const struct fact *self, int64_t until_at)
{
    bool ready;
    do
        ready = transport_wait(self->epoll, until_at);
    while (!ready && transport_now_at() < until_at);
    return ready;
}

bool fact_poll(struct fact *self, int64_t timeout_ms)
{
    bool ready = wait_until(self, until_of(timeout_ms));
    if (ready)
        fact_process(self);
    return ready;
}

enum status fact_wait_up(struct fact *self, int64_t timeout_ms)
{
    int64_t until_at = until_of(timeout_ms);
    fact_process(self);
    while (fact_state(self) == FACT_CONNECTING && transport_now_at() < until_at)
        if (wait_until(self, until_at))
            fact_process(self);
    if (fact_state(self) == FACT_REFUSED)
        return self->refused;
    return fact_state(self) == FACT_UP ? STATUS_OK : STATUS_DEADLINE_QUEUED;
}

/* The end of a call that somebody waits for. */
struct awaited {
    struct ending *ending;
};

static void on_awaited(void *context, const struct fact_reply *reply)
{
    struct awaited *awaited = context;
    awaited->ending = ending_new(&(struct call){.done = NULL}, reply);
}

enum status fact_call(struct fact *self, const struct fact_request *request, struct fact_reply *ret)
{
    struct awaited awaited = {.ending = NULL};
    enum status status = fact_submit(self, request, on_awaited, &awaited, NULL);
    if (status != STATUS_OK) {
        *ret = (struct fact_reply){.status = status, .local = true};
        return status;
    }
    fact_process(self);
    while (awaited.ending == NULL) /* its deadline ends it at the latest */
        if (wait_until(self, INT64_MAX))
            fact_process(self);
    free(self->current);
    self->current = awaited.ending;
    *ret = awaited.ending->reply;
    return ret->status;
}

enum status fact_query(struct fact *self, const char *method, struct bytes body,
                       uint32_t timeout_ms, struct fact_reply *ret)
{
    struct fact_request request = FACT_REQUEST;
    request.command = COMMAND_QUERY;
    request.role = ROLE_BROKER;
    request.method = bytes_of(method);
    request.body = body.data != NULL ? body : (struct bytes){"\x80", 1};
    request.timeout_ms = timeout_ms;
    return fact_call(self, &request, ret);
}
