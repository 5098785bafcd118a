/* fact_lines - see fact_private.h: the brokers that a handle holds.
 *
 * The first is taken up when the handle is opened, the second with its first work. Whoever is not
 * greeted in a second, while others are known that are not held, makes room for one of them.
 * Nothing is closed under the feet of a session that is talking: that waits for the tick. */
#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/client/fact_private.h"

#define TURN_MESSAGES_MAX 64u          /* less than ZeroMQ holds for us, so that tests reach it */
#define GRACE_US (50 * US_PER_MS)      /* the broker's own word on a deadline says more than ours */
#define TRY_NEXT_US (1000 * US_PER_MS) /* not greeted for so long: another broker */
#define LEAVES_US_MIN US_PER_S         /* who says that it goes is not used for so long at least */

static void copy_text(struct bytes from, char *to, size_t size)
{
    size_t length = from.size < size ? from.size : size - 1;
    if (length > 0)
        memcpy(to, from.data, length);
    to[length] = '\0';
}

static bool is_up(const struct line *line)
{
    return line->session != NULL && session_state(line->session) == SESSION_UP;
}

static struct route *route_of(struct line *line)
{
    return &line->fact->routes.entries[line->route];
}

/* The other line, if it is in use; there are two. */
static struct line *other_of(struct line *line)
{
    struct line *other = &line->fact->lines[line == line->fact->lines];
    return other->session != NULL ? other : NULL;
}

/* The first address is the broker's own: so an endpoint that leads to it by another name is known
 * again when others name it. */
static void learn_brokers(struct line *line, struct bytes list, bool has_own)
{
    struct fact *self = line->fact;
    struct values values = values_over(list);
    struct msg_broker_address address;
    struct bytes value;
    for (bool own = has_own; values_next(&values, &value); own = false) {
        if (message_decode(MSG_BROKER_ADDRESS, value, &address) != STATUS_OK)
            continue;
        if (own)
            copy_text(address.frontend, route_of(line)->name, sizeof route_of(line)->name);
        else if (!self->given_only)
            routes_add(&self->routes, address.frontend);
    }
}

static void on_up(void *context, const struct msg_welcome *welcome)
{
    struct line *line = context;
    struct fact *self = line->fact;
    struct line *other = other_of(line);
    copy_text(welcome->instance, route_of(line)->instance, sizeof route_of(line)->instance);
    if (route_of(line)->generation != welcome->generation)
        route_of(line)->leaves_until_at = INT64_MIN; /* it has gone, and another has come */
    route_of(line)->generation = welcome->generation;
    learn_brokers(line, welcome->brokers, true);
    self->reason[0] = '\0';
    self->connections++;
    if (other != NULL && is_up(other) &&
        session_generation(other->session) == welcome->generation) {
        route_of(line)->same = true;
        line->closing = true;
    } else if (other != NULL && !is_up(other)) {
        ends_move_waiting(self, (unsigned)(other - self->lines));
    }
}

static void on_down(void *context, const char *reason)
{
    struct line *line = context;
    struct line *other = other_of(line);
    copy_text(bytes_of(reason), line->fact->reason, sizeof line->fact->reason);
    line->alive_at = INT64_MIN; /* look for another at once */
    routes_forget_same(&line->fact->routes, line->route);
    if (other != NULL && is_up(other))
        ends_move_waiting(line->fact, (unsigned)(line - line->fact->lines));
}

static void on_refused(void *context, enum status status, struct bytes reason)
{
    struct line *line = context;
    struct fact *self = line->fact;
    copy_text(reason, self->reason, sizeof self->reason);
    self->refused = status == STATUS_OK ? STATUS_BAD_REQUEST : status;
    route_of(line)->refused = true;
}

static void on_goaway(struct line *line, const struct pair *pair)
{
    struct msg_goaway goaway;
    int64_t leaves_us = pair->header.retry_after_ms * US_PER_MS;
    if (message_decode(MSG_GOAWAY, pair->body, &goaway) == STATUS_OK)
        learn_brokers(line, goaway.brokers, false);
    route_of(line)->leaves_until_at =
        line->fact->now_at + (leaves_us > LEAVES_US_MIN ? leaves_us : LEAVES_US_MIN);
}

/* It belongs to no call, but may say why one is not answered. */
static void on_pair(void *context, const struct pair *pair)
{
    struct line *line = context;
    struct msg_failure failure;
    if (pair->header.command == COMMAND_GOAWAY)
        on_goaway(line, pair);
    if (pair->header.command == COMMAND_ERROR &&
        message_decode(MSG_FAILURE, pair->body, &failure) == STATUS_OK)
        copy_text(failure.message, line->fact->reason, sizeof line->fact->reason);
}

static void on_partial(void *context, uint64_t tag, const struct header *header, struct bytes body)
{
    struct fact *self = ((struct line *)context)->fact;
    const struct call *call = calls_find(&self->calls, tag);
    uint64_t number = 0;
    assert(call != NULL); /* the session knows what is open */
    (void)value_u64(value_find(header->extension, "seq"), &number);
    if (call->partial != NULL)
        call->partial(call->context, tag, (uint32_t)number, body);
}

static struct session *open_session(struct line *line)
{
    struct fact *self = line->fact;
    struct session_config config = {.role = ROLE_CLIENT,
                                    .version = bytes_of(FACT_VERSION),
                                    .instance = bytes_of(self->name),
                                    .pid = (uint64_t)getpid(),
                                    .asks_max = self->calls.max,
                                    .waiting_bytes_max = CALLS_WAITING_BYTES_MAX,
                                    .resumes = true,
                                    .grace_us = GRACE_US};
    struct session_owner owner = {.self = line,
                                  .on_up = on_up,
                                  .on_down = on_down,
                                  .on_refused = on_refused,
                                  .on_answer = ends_on_answer,
                                  .on_partial = on_partial,
                                  .on_pair = on_pair};
    while (getrandom(config.id, sizeof config.id, 0) != (ssize_t)sizeof config.id)
        ;
    line->answered = 0;
    return session_new(&config, &owner, fact_time(self));
}

static void take_route(struct line *line, uint32_t route)
{
    line->route = route;
    line->alive_at = fact_time(line->fact);
    route_of(line)->held = true;
}

static void leave_route(struct line *line)
{
    route_of(line)->held = false;
    route_of(line)->tried_at = fact_time(line->fact);
}

static bool watch(struct fact *self, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    return epoll_ctl(self->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

/* False with errno: there is no socket to be had; nothing has changed. */
static bool open_line(struct fact *self, unsigned index, uint32_t route)
{
    struct line *line = &self->lines[index];
    struct transport *transport = transport_new(self->zmq);
    if (transport == NULL)
        return false;
    transport_set_keys(transport, &self->keys);
    if (!transport_connect(transport, self->routes.entries[route].endpoint) ||
        !watch(self, transport_descriptor(transport))) {
        transport_destroy(&transport);
        return false;
    }
    *line = (struct line){.fact = self, .transport = transport};
    take_route(line, route);
    line->session = open_session(line);
    return true;
}

static void close_line(struct line *line)
{
    struct fact *self = line->fact;
    leave_route(line);
    (void)epoll_ctl(self->epoll, EPOLL_CTL_DEL, transport_descriptor(line->transport), NULL);
    transport_destroy(&line->transport);
    session_destroy(&line->session);
    *line = (struct line){.fact = self};
}

bool lines_open(struct fact *self)
{
    self->zmq = zmq_ctx_new();
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (self->zmq == NULL || self->epoll < 0 || self->timer < 0 || !watch(self, self->timer))
        return false;
    return open_line(self, 0, routes_next(&self->routes));
}

static void send_line(struct line *line)
{
    int64_t now_at = line->fact->now_at;
    struct bytes message = session_outgoing(line->session, now_at);
    while (message.data != NULL && transport_send(line->transport, message)) {
        session_sent(line->session);
        message = session_outgoing(line->session, now_at);
    }
    line->writing = message.data != NULL;
}

/* So that the broker need not wait for our silence. */
static void say_goodbye(struct line *line)
{
    if (!is_up(line))
        return;
    session_say(line->session, session_connection(line->session),
                &(struct header){.command = COMMAND_DISCONNECT, .status = STATUS_CANCELLED},
                (struct bytes){0});
    send_line(line);
}

void lines_close(struct fact *self)
{
    self->now_at = transport_now_at();
    for (unsigned i = 0; i < LINES_MAX; i++)
        say_goodbye(&self->lines[i]);
    for (unsigned i = 0; i < LINES_MAX; i++)
        if (self->lines[i].session != NULL)
            close_line(&self->lines[i]);
    if (self->zmq != NULL)
        zmq_ctx_term(self->zmq);
    if (self->timer >= 0)
        close(self->timer);
    if (self->epoll >= 0)
        close(self->epoll);
}

enum session_state lines_state(const struct fact *self)
{
    enum session_state best = SESSION_REFUSED;
    for (unsigned i = 0; i < LINES_MAX; i++) {
        if (self->lines[i].session == NULL)
            continue;
        enum session_state state = session_state(self->lines[i].session);
        if (state == SESSION_UP)
            return state;
        if (state == SESSION_GREETING)
            best = state;
    }
    return best;
}

bool lines_stays(const struct fact *self, unsigned index)
{
    if (index == LINES_MAX)
        return false;
    const struct route *route = &self->routes.entries[self->lines[index].route];
    return route->leaves_until_at <= fact_time(self);
}

/* One that is there and stays is best; one that is to come is better than one that goes. */
static int standing(const struct line *line, int64_t now_at)
{
    bool stays = line->fact->routes.entries[line->route].leaves_until_at <= now_at;
    return 2 * stays + is_up(line);
}

/* Whether a call goes rather to this line than to that. */
static bool is_better(const struct line *line, const struct line *than, enum request_class class)
{
    int64_t now_at = fact_time(line->fact);
    if (standing(line, now_at) != standing(than, now_at))
        return standing(line, now_at) > standing(than, now_at);
    bool silent = session_is_suspect(line->session, now_at);
    if (silent != session_is_suspect(than->session, now_at))
        return !silent;
    bool free = session_has_credit(line->session);
    if (free != session_has_credit(than->session))
        return free;
    return routes_prefers(&line->fact->routes, line->route, than->route, class, now_at);
}

unsigned lines_for(const struct fact *self, enum request_class class)
{
    unsigned best = LINES_MAX;
    for (unsigned i = 0; i < LINES_MAX; i++) {
        const struct line *line = &self->lines[i];
        if (line->session != NULL && session_state(line->session) != SESSION_REFUSED &&
            !line->closing && (best == LINES_MAX || is_better(line, &self->lines[best], class)))
            best = i;
    }
    return best;
}

/* Once a turn; who greets anew says so by that. */
void lines_say_resume(struct fact *self, unsigned index)
{
    char bytes[CONTROL_BYTES_MAX];
    struct line *line = &self->lines[index];
    struct msg_heartbeat heartbeat = {.resume = true};
    struct bytes body = {0};
    if (!is_up(line) || line->resume_at == self->now_at)
        return;
    line->resume_at = self->now_at;
    enum status status = message_encode(MSG_HEARTBEAT, &heartbeat, bytes, sizeof bytes, &body);
    assert(status == STATUS_OK);
    session_say(line->session, session_connection(line->session),
                &(struct header){
                    .command = COMMAND_HEARTBEAT, .class = CLASS_CRITICAL, .role = ROLE_CLIENT},
                body);
}

void lines_take(struct fact *self)
{
    for (unsigned i = 0; i < LINES_MAX; i++) {
        struct line *line = &self->lines[i];
        struct bytes message;
        for (unsigned taken = 0; line->session != NULL && taken < TURN_MESSAGES_MAX &&
                                 transport_receive(line->transport, &message);
             taken++)
            session_take(line->session, message, self->now_at);
        if (line->session != NULL && transport_was_lost(line->transport))
            session_lost(line->session, "the connection was closed", self->now_at);
        const char *refusal = line->session == NULL ? NULL : transport_refusal(line->transport);
        if (refusal != NULL)
            (void)snprintf(self->reason, sizeof self->reason, "%s", refusal);
    }
}

/* To another broker. What waits goes along. */
static void move_line(struct line *line, uint32_t route)
{
    struct fact *self = line->fact;
    uint32_t before = line->route;
    leave_route(line);
    if (!transport_move(line->transport, self->routes.entries[route].endpoint)) {
        self->routes.entries[route].refused = true; /* what was named is no endpoint */
        route = before;
        bool good = transport_move(line->transport, self->routes.entries[route].endpoint);
        assert(good); /* it was one before */
    }
    take_route(line, route);
    if (session_state(line->session) == SESSION_REFUSED) {
        session_destroy(&line->session);
        line->session = open_session(line);
    } else {
        session_lost(line->session, "another broker is tried", self->now_at);
    }
}

static bool leaves(struct line *line)
{
    return route_of(line)->leaves_until_at > line->fact->now_at && session_asks(line->session) == 0;
}

/* Whether it does no good where it is. What it has left there may still be answered: that is waited
 * for, SESSION_RESUME_MS at most. */
static bool is_to_move(struct line *line)
{
    if (session_is_resuming(line->session))
        return false;
    enum session_state state = session_state(line->session);
    bool late = state == SESSION_GREETING &&
                (line->alive_at == INT64_MIN || line->fact->now_at - line->alive_at >= TRY_NEXT_US);
    return state == SESSION_REFUSED || late || (other_of(line) != NULL && leaves(line));
}

/* One that leads to the broker of the other, or to nobody who wants us; what it has ends first. */
static bool is_needless(struct line *line)
{
    bool refused = session_state(line->session) == SESSION_REFUSED;
    return other_of(line) != NULL && (line->closing || refused) && session_asks(line->session) == 0;
}

static void tick_line(struct line *line)
{
    struct fact *self = line->fact;
    session_tick(line->session, self->now_at);
    if (is_up(line))
        line->alive_at = self->now_at;
    uint32_t next = routes_next(&self->routes);
    if (is_needless(line)) {
        say_goodbye(line);
        close_line(line);
    } else if (next != ROUTE_NONE && is_to_move(line)) {
        move_line(line, next);
    }
}

void lines_tick(struct fact *self)
{
    for (unsigned i = 0; i < LINES_MAX; i++)
        if (self->lines[i].session != NULL)
            tick_line(&self->lines[i]);
    uint32_t next = routes_next(&self->routes);
    for (unsigned i = 0; i < LINES_MAX && next != ROUTE_NONE && !self->plain; i++) {
        if (self->lines[i].session == NULL && !open_line(self, i, next))
            routes_give_up(&self->routes, next, errno == EINVAL, self->now_at);
        next = routes_next(&self->routes);
    }
}

void lines_send(struct fact *self)
{
    for (unsigned i = 0; i < LINES_MAX; i++)
        if (self->lines[i].session != NULL)
            send_line(&self->lines[i]);
}

int64_t lines_due_at(const struct fact *self)
{
    int64_t due_at = INT64_MAX;
    for (unsigned i = 0; i < LINES_MAX && routes_next(&self->routes) != ROUTE_NONE; i++) {
        const struct line *line = &self->lines[i];
        if (line->session != NULL && session_state(line->session) == SESSION_GREETING &&
            line->alive_at != INT64_MIN && line->alive_at + TRY_NEXT_US < due_at)
            due_at = line->alive_at + TRY_NEXT_US;
    }
    return due_at;
}

void lines_arm(struct fact *self)
{
    for (unsigned i = 0; i < LINES_MAX; i++) {
        const struct line *line = &self->lines[i];
        if (line->session != NULL)
            transport_arm(line->transport, session_due_at(line->session), line->writing);
    }
}
