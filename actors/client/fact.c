/* fact - see fact.h. The session decides, the transport moves bytes; here stand the calls: a slot
 * each, so that a number that was used up finds nothing. */
#include "actors/client/fact.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "actors/client/calls.h"
#include "actors/client/transport.h"
#include "protocol/session.h"

#define ENDPOINT_DEFAULT "tcp://127.0.0.1:5550"
#define ENDPOINTS_MAX BROKERS_MAX
#define REASON_BYTES 201u
#define TURN_MESSAGES_MAX 64u          /* less than ZeroMQ holds for us, so that tests reach it */
#define GRACE_US (50 * US_PER_MS)      /* the broker's own word on a deadline says more than ours */
#define TRY_NEXT_US (1000 * US_PER_MS) /* not greeted for so long: another endpoint */

struct fact {
    struct transport *transport;
    struct session *session;
    int64_t now_at; /* one reading a turn */
    bool working;   /* in fact_process(): no work inside of work */
    bool writing;   /* something waits for the connection */
    bool woken;     /* the descriptor is readable, for what was submitted */

    struct calls calls;
    uint64_t answered;                 /* replies that have come */
    struct endings cancelled, fetched; /* to be told with the next work; to be fetched */
    struct ending *current;            /* the one whose views the caller has */

    char *endpoints[ENDPOINTS_MAX];
    unsigned endpoint_count, endpoint;
    int64_t tried_at; /* when this endpoint was last seen alive, or taken up */

    char tenant[NAME_BYTES_MAX], user[NAME_BYTES_MAX];
    size_t tenant_size, user_size;

    char peer_instance[NAME_BYTES_MAX + 1], reason[REASON_BYTES];
    uint32_t connections;
    enum status refused;
};

/* A turn reads the clock once. */
static int64_t time_of(const struct fact *self)
{
    return self->working ? self->now_at : transport_now_at();
}

static void copy_text(struct bytes from, char *to, size_t size)
{
    size_t length = from.size < size ? from.size : size - 1;
    if (length > 0)
        memcpy(to, from.data, length);
    to[length] = '\0';
}

static void on_up(void *context, const struct msg_welcome *welcome)
{
    struct fact *self = context;
    copy_text(welcome->instance, self->peer_instance, sizeof self->peer_instance);
    self->reason[0] = '\0';
    self->connections++;
}

static void on_down(void *context, const char *reason)
{
    struct fact *self = context;
    copy_text(bytes_of(reason), self->reason, sizeof self->reason);
    self->tried_at = INT64_MIN; /* look for another at once */
}

static void on_refused(void *context, enum status status, struct bytes reason)
{
    struct fact *self = context;
    copy_text(reason, self->reason, sizeof self->reason);
    self->refused = status == STATUS_OK ? STATUS_BAD_REQUEST : status;
}

/* It belongs to no call, but may say why one is not answered. */
static void on_pair(void *context, const struct pair *pair)
{
    struct fact *self = context;
    struct msg_failure failure;
    if (pair->header.command == COMMAND_ERROR &&
        message_decode(MSG_FAILURE, pair->body, &failure) == STATUS_OK)
        copy_text(failure.message, self->reason, sizeof self->reason);
}

/* A reply that came is counted by the session, one that it made is not. */
static void on_answer(void *context, uint64_t tag, const struct header *header, struct bytes body)
{
    struct fact *self = context;
    struct call *call = calls_find(&self->calls, tag);
    assert(call != NULL); /* the session answers what is open, once */
    bool came = session_counts(self->session)->answered > self->answered;
    self->answered += came;
    struct fact_reply reply = {.call = tag,
                               .status = header->status,
                               .executed = header->executed,
                               .flags = header->flags,
                               .retry_after_ms = header->retry_after_ms,
                               .queue_us = header->queue_us,
                               .service_us = header->service_us,
                               .total_us = self->now_at - call->submitted_at,
                               .local = !came,
                               .instance = header->instance,
                               .body = body};
    struct call ended = *call;
    calls_free(&self->calls, call);
    if (ended.done != NULL)
        ended.done(ended.context, &reply);
    else
        endings_push(&self->fetched, ending_new(&ended, &reply));
}

static void on_partial(void *context, uint64_t tag, const struct header *header, struct bytes body)
{
    struct fact *self = context;
    const struct call *call = calls_find(&self->calls, tag);
    uint64_t number = 0;
    assert(call != NULL); /* the session knows what is open */
    (void)value_u64(value_find(header->extension, "seq"), &number);
    if (call->partial != NULL)
        call->partial(call->context, tag, (uint32_t)number, body);
}

/* Texts between commas; false: none, one too long, or too many. */
static bool split_endpoints(struct fact *self, const char *text)
{
    while (*text != '\0') {
        size_t size = strcspn(text, ",");
        if (size == 0 || size > ENDPOINT_BYTES_MAX || self->endpoint_count == ENDPOINTS_MAX)
            return false;
        self->endpoints[self->endpoint_count] = strndup(text, size);
        assert(self->endpoints[self->endpoint_count] != NULL);
        self->endpoint_count++;
        text += size + (text[size] == ',');
    }
    return self->endpoint_count > 0;
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

static bool open_session(struct fact *self, const char *instance, uint32_t calls_max)
{
    char name[NAME_BYTES_MAX + 1];
    struct session_config config = {.role = ROLE_CLIENT,
                                    .version = bytes_of(FACT_VERSION),
                                    .pid = (uint64_t)getpid(),
                                    .asks_max = calls_max,
                                    .waiting_bytes_max = CALLS_WAITING_BYTES_MAX,
                                    .resumes = true,
                                    .grace_us = GRACE_US};
    struct session_owner owner = {.self = self,
                                  .on_up = on_up,
                                  .on_down = on_down,
                                  .on_refused = on_refused,
                                  .on_answer = on_answer,
                                  .on_partial = on_partial,
                                  .on_pair = on_pair};
    snprintf(name, sizeof name, "client-%d", (int)getpid());
    config.instance = bytes_of(instance == NULL ? name : instance);
    if (config.instance.size > NAME_BYTES_MAX || config.instance.size == 0 ||
        getrandom(config.id, sizeof config.id, 0) != (ssize_t)sizeof config.id)
        return false;
    self->session = session_new(&config, &owner, transport_now_at());
    calls_init(&self->calls, calls_max);
    return true;
}

static bool open_parts(struct fact *self, const struct fact_options *options)
{
    const char *endpoints = options->endpoints == NULL ? ENDPOINT_DEFAULT : options->endpoints;
    uint32_t calls_max = options->calls_max == 0 ? CALLS_MAX : options->calls_max;
    bool good = calls_max <= CALLS_MAX && split_endpoints(self, endpoints) &&
                copy_name(options->tenant, self->tenant, &self->tenant_size) &&
                copy_name(options->user, self->user, &self->user_size) &&
                open_session(self, options->instance, calls_max);
    if (!good) {
        errno = EINVAL;
        return false;
    }
    self->transport = transport_new();
    if (self->transport == NULL)
        return false;
    for (unsigned i = self->endpoint_count; good && i-- > 0;) /* each is tried; the first stays */
        good = transport_connect(self->transport, self->endpoints[i]);
    if (!good && errno == EPROTONOSUPPORT)
        errno = EINVAL;
    return good;
}

struct fact *fact_open(const struct fact_options *options)
{
    static const struct fact_options defaults = {.endpoints = NULL};
    struct fact *self = calloc(1, sizeof *self);
    assert(self != NULL);
    if (options == NULL)
        options = &defaults;
    endings_init(&self->cancelled);
    endings_init(&self->fetched);
    if (!open_parts(self, options)) {
        fact_destroy(&self);
        return NULL;
    }
    self->tried_at = transport_now_at();
    transport_arm(self->transport, self->tried_at, true);
    return self;
}

static void send_what_is_ready(struct fact *self)
{
    struct bytes message = session_outgoing(self->session, self->now_at);
    while (message.data != NULL && transport_send(self->transport, message)) {
        session_sent(self->session);
        message = session_outgoing(self->session, self->now_at);
    }
    self->writing = message.data != NULL;
}

/* So that the broker need not wait for our silence. */
static void say_goodbye(struct fact *self)
{
    if (self->session == NULL || session_state(self->session) != SESSION_UP)
        return;
    session_say(self->session, session_connection(self->session),
                &(struct header){.command = COMMAND_DISCONNECT, .status = STATUS_CANCELLED},
                (struct bytes){0});
    self->now_at = transport_now_at();
    send_what_is_ready(self);
}

void fact_destroy(struct fact **self_p)
{
    assert(self_p != NULL);
    struct fact *self = *self_p;
    if (self == NULL)
        return;
    assert(!self->working);
    int error = errno; /* fact_open() reports it */
    say_goodbye(self);
    transport_destroy(&self->transport);
    session_destroy(&self->session);
    endings_drop(&self->cancelled);
    endings_drop(&self->fetched);
    for (unsigned i = 0; i < self->endpoint_count; i++)
        free(self->endpoints[i]);
    free(self->current);
    calls_fini(&self->calls);
    free(self);
    *self_p = NULL;
    errno = error;
}

enum fact_state fact_state(const struct fact *self)
{
    static const enum fact_state states[] = {[SESSION_GREETING] = FACT_CONNECTING,
                                             [SESSION_UP] = FACT_UP,
                                             [SESSION_REFUSED] = FACT_REFUSED};
    return states[session_state(self->session)];
}

struct fact_peer fact_peer(const struct fact *self)
{
    return (struct fact_peer){.endpoint = self->endpoints[self->endpoint],
                              .instance = self->peer_instance,
                              .generation = session_generation(self->session),
                              .connections = self->connections,
                              .refused = self->refused,
                              .reason = self->reason,
                              .calls = self->calls.count,
                              .calls_peak = self->calls.peak};
}

/* What a caller may get wrong; the session checks the rest. */
static enum status request_check(const struct fact *self, const struct fact_request *request)
{
    bool sizes = (request->idempotency_key.data == NULL ||
                  request->idempotency_key.size == IDEMPOTENCY_KEY_BYTES) &&
                 (request->trace.data == NULL || request->trace.size == TRACE_BYTES);
    if (session_state(self->session) == SESSION_REFUSED)
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
    if (!self->working && !self->woken)
        transport_arm(self->transport, 0, true);
    self->woken = true;
}

enum status fact_submit(struct fact *self, const struct fact_request *request, fact_done *done,
                        void *context, uint64_t *ret_call)
{
    char extension[NAME_BYTES_MAX + 16];
    assert(request->command == COMMAND_REQUEST || request->command == COMMAND_QUERY ||
           request->command == COMMAND_ADMIN);
    enum status status = request_check(self, request);
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
    int64_t now_at = time_of(self);
    uint64_t number = calls_take(&self->calls, done, context, now_at);
    calls_find(&self->calls, number)->partial = request->partial;
    status = session_ask(self->session, &header, request->body,
                         now_at + request->timeout_ms * US_PER_MS, number, now_at);
    if (status != STATUS_OK) {
        calls_free(&self->calls, calls_find(&self->calls, number));
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
    if (call == NULL || !session_cancel(self->session, number))
        return false;
    struct fact_reply reply = {.call = number,
                               .status = STATUS_CANCELLED,
                               .executed = EXECUTED_MAYBE,
                               .total_us = time_of(self) - call->submitted_at,
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

/* Nobody there who greets: the next endpoint, if there are others. */
static void change_endpoint(struct fact *self)
{
    if (session_state(self->session) == SESSION_UP)
        self->tried_at = self->now_at;
    if (self->endpoint_count < 2 || session_state(self->session) != SESSION_GREETING ||
        self->now_at < self->tried_at + TRY_NEXT_US)
        return;
    self->tried_at = self->now_at;
    self->endpoint = (self->endpoint + 1) % self->endpoint_count;
    bool good = transport_connect(self->transport, self->endpoints[self->endpoint]);
    assert(good); /* fact_open() tried it */
    session_lost(self->session, "another broker is tried", self->now_at);
}

static void take_what_came(struct fact *self)
{
    struct bytes message;
    unsigned taken = 0;
    while (taken < TURN_MESSAGES_MAX && transport_receive(self->transport, &message)) {
        session_take(self->session, message, self->now_at);
        taken++;
    }
    if (transport_was_lost(self->transport))
        session_lost(self->session, "the connection was closed", self->now_at);
}

void fact_process(struct fact *self)
{
    assert(!self->working);
    self->working = true;
    self->woken = false;
    self->now_at = transport_now_at();
    take_what_came(self);
    session_tick(self->session, self->now_at);
    tell_cancelled(self);
    change_endpoint(self);
    send_what_is_ready(self);
    self->working = false;
    int64_t due_at = session_due_at(self->session);
    if (self->endpoint_count > 1 && self->tried_at + TRY_NEXT_US < due_at &&
        session_state(self->session) == SESSION_GREETING)
        due_at = self->tried_at + TRY_NEXT_US;
    if (self->cancelled.first != NULL) /* by whoever was told of another */
        due_at = self->now_at;
    transport_arm(self->transport, due_at, self->writing);
}

int fact_descriptor(const struct fact *self)
{
    return transport_descriptor(self->transport);
}

bool fact_poll(struct fact *self, int64_t timeout_ms)
{
    int64_t until_at = timeout_ms < 0 ? INT64_MAX : transport_now_at() + timeout_ms * US_PER_MS;
    bool ready = transport_wait(self->transport, until_at);
    if (ready)
        fact_process(self);
    return ready;
}

enum status fact_wait_up(struct fact *self, int64_t timeout_ms)
{
    int64_t until_at = transport_now_at() + timeout_ms * US_PER_MS;
    fact_process(self);
    while (fact_state(self) == FACT_CONNECTING && transport_now_at() < until_at)
        if (transport_wait(self->transport, until_at))
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
        if (transport_wait(self->transport, INT64_MAX))
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
