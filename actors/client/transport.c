/* transport - see transport.h. Descriptors of the DEALER, of its monitor and of a timer stand in
 * one epoll descriptor, which is what the owner polls. */
#include "actors/client/transport.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "protocol/endpoint.h"
#include "protocol/handshakes.h"
#include "protocol/value.h"

#define MONITOR_NAME_BYTES 64
#define RECONNECT_MS_MIN 100 /* and up to 200 more, so that not all come back at once */

struct transport {
    void *context, *socket, *monitor; /* socket, monitor: NULL until connected */
    uint64_t number;                  /* random; with this ... */
    unsigned monitors;                /* ... and this each has a name of its own */
    int epoll, timer;
    int reconnect_ms;
    int64_t armed_at; /* what the timer is set to; INT64_MAX: not */
    struct client_keys keys;
    struct handshakes handshakes; /* which of the servers' keys is tried, and when the next is */
    int64_t retry_at;             /* connect: there was no descriptor for it; INT64_MAX: not */
    char *endpoint;               /* connected to; NULL: to none */
    bool open;                    /* message holds one */
    zmq_msg_t message;
};

/* source: docs/protocol.md, "libzmq, set and avoided" */
static const struct {
    int option, value;
} options[] = {
    {ZMQ_IMMEDIATE, 1}, /* else what is sent waits for an endpoint that is not there */
    {ZMQ_SNDHWM, 128},          {ZMQ_RCVHWM, 128},
    {ZMQ_LINGER, 100},          {ZMQ_HEARTBEAT_IVL, 2000},
    {ZMQ_HEARTBEAT_TTL, 6000},  {ZMQ_HEARTBEAT_TIMEOUT, 6000},
    {ZMQ_HANDSHAKE_IVL, 5000},  {ZMQ_IPV6, 1},
    {ZMQ_TCP_KEEPALIVE, 1},     {ZMQ_TCP_KEEPALIVE_IDLE, 30},
    {ZMQ_TCP_KEEPALIVE_CNT, 3}, {ZMQ_TCP_KEEPALIVE_INTVL, 5},
    {ZMQ_TCP_MAXRT, 10000},     {ZMQ_RECONNECT_IVL_MAX, 5000},
};

int64_t transport_now_at(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static bool watch(struct transport *self, int descriptor)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = descriptor};
    return epoll_ctl(self->epoll, EPOLL_CTL_ADD, descriptor, &event) == 0;
}

struct transport *transport_new(void *zmq)
{
    struct transport *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    while (getrandom(&self->number, sizeof self->number, 0) != sizeof self->number)
        ;
    self->reconnect_ms = RECONNECT_MS_MIN + (int)(self->number % 200);
    self->armed_at = INT64_MAX;
    self->retry_at = INT64_MAX;
    handshakes_init(&self->handshakes, 0);
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    self->context = zmq;
    if (self->epoll < 0 || self->timer < 0 || !watch(self, self->timer))
        transport_destroy(&self);
    return self;
}

static int descriptor_of(void *socket)
{
    int descriptor = -1;
    size_t size = sizeof descriptor;
    int rc = zmq_getsockopt(socket, ZMQ_FD, &descriptor, &size);
    assert(rc == 0);
    return descriptor;
}

/* Its descriptor must leave the epoll set before ZeroMQ closes it, in a time of its own. */
static void close_socket(struct transport *self, void **socket)
{
    if (*socket == NULL)
        return;
    (void)epoll_ctl(self->epoll, EPOLL_CTL_DEL, descriptor_of(*socket), NULL);
    zmq_close(*socket);
    *socket = NULL;
}

static void close_message(struct transport *self)
{
    if (self->open)
        zmq_msg_close(&self->message);
    self->open = false;
}

/* The monitor ends first: an event for one that nobody reads blocks ZeroMQ's thread for good. */
static void disconnect(struct transport *self)
{
    close_message(self);
    if (self->socket != NULL)
        (void)zmq_socket_monitor(self->socket, NULL, 0);
    close_socket(self, &self->monitor);
    close_socket(self, &self->socket);
}

void transport_destroy(struct transport **self_p)
{
    assert(self_p != NULL);
    struct transport *self = *self_p;
    if (self == NULL)
        return;
    int error = errno; /* transport_new() reports it */
    disconnect(self);
    if (self->timer >= 0)
        close(self->timer);
    if (self->epoll >= 0)
        close(self->epoll);
    client_keys_wipe(&self->keys);
    free(self->endpoint);
    free(self);
    *self_p = NULL;
    errno = error;
}

static void *open_monitor(struct transport *self)
{
    char name[MONITOR_NAME_BYTES];
    snprintf(name, sizeof name, "inproc://monitor-%" PRIx64 "-%u", self->number, self->monitors++);
    if (zmq_socket_monitor(self->socket, name, ZMQ_EVENT_DISCONNECTED | HANDSHAKES_EVENTS) != 0)
        return NULL;
    void *monitor = zmq_socket(self->context, ZMQ_PAIR);
    if (monitor != NULL && zmq_connect(monitor, name) != 0)
        close_socket(self, &monitor);
    return monitor;
}

void transport_set_keys(struct transport *self, const struct client_keys *keys)
{
    self->keys = *keys;
    handshakes_init(&self->handshakes, keys->servers.count);
}

static void set_keys(struct transport *self)
{
    const struct {
        int option;
        const char *key;
    } keys[] = {{ZMQ_CURVE_SERVERKEY, self->keys.servers.keys[self->handshakes.key]},
                {ZMQ_CURVE_PUBLICKEY, self->keys.own.public_key},
                {ZMQ_CURVE_SECRETKEY, self->keys.own.secret_key}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        int rc = zmq_setsockopt(self->socket, keys[i].option, keys[i].key, CURVE_KEY_BYTES + 1);
        assert(rc == 0); /* curve_key checks what it reads */
    }
}

/* To the endpoint that is named, with the key that is due; false with errno. */
static bool connect_now(struct transport *self)
{
    int64_t frame_bytes_max = FRAME_BYTES_MAX;
    disconnect(self);
    self->retry_at = INT64_MAX;
    self->socket = zmq_socket(self->context, ZMQ_DEALER);
    if (self->socket == NULL)
        return false;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        int rc = zmq_setsockopt(self->socket, options[i].option, &options[i].value, sizeof(int));
        assert(rc == 0);
    }
    zmq_setsockopt(self->socket, ZMQ_RECONNECT_IVL, &self->reconnect_ms, sizeof(int));
    zmq_setsockopt(self->socket, ZMQ_MAXMSGSIZE, &frame_bytes_max, sizeof frame_bytes_max);
    if (self->keys.used)
        set_keys(self);
    self->monitor = open_monitor(self);
    if (self->monitor != NULL && zmq_connect(self->socket, self->endpoint) == 0 &&
        watch(self, descriptor_of(self->socket)) && watch(self, descriptor_of(self->monitor)))
        return true;
    int error = errno;
    disconnect(self);
    errno = error;
    return false;
}

bool transport_connect(struct transport *self, const char *endpoint)
{
    if (!endpoint_is_good(bytes_of(endpoint))) {
        errno = EINVAL;
        return false;
    }
    char *copy = strdup(endpoint); /* it may be our own */
    assert(copy != NULL);
    free(self->endpoint);
    self->endpoint = copy;
    handshakes_begin(&self->handshakes);
    return connect_now(self);
}

static bool is_want_of_room(int error)
{
    static const int errors[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS, ENOSPC};
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i] == error)
            return true;
    return false;
}

bool transport_move(struct transport *self, const char *endpoint)
{
    if (transport_connect(self, endpoint))
        return true;
    if (!is_want_of_room(errno))
        return false;
    self->retry_at = transport_now_at() + HANDSHAKES_AGAIN_US;
    return true;
}

bool transport_send(struct transport *self, struct bytes message)
{
    int rc;
    do {
        rc = zmq_send(self->socket, message.data, message.size, ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    return rc >= 0;
}

/* The frames of a message; those that follow the first are no part of the protocol. */
static bool receive(void *socket, zmq_msg_t *ret)
{
    int rc;
    zmq_msg_init(ret);
    do {
        rc = zmq_msg_recv(ret, socket, ZMQ_DONTWAIT);
    } while (rc < 0 && errno == EINTR);
    if (rc < 0) {
        zmq_msg_close(ret);
        return false;
    }
    int more = zmq_msg_more(ret);
    while (more) {
        zmq_msg_t rest;
        zmq_msg_init(&rest);
        rc = zmq_msg_recv(&rest, socket, 0); /* all frames of a message are there at once */
        more = rc < 0 ? errno == EINTR : zmq_msg_more(&rest);
        zmq_msg_close(&rest);
    }
    return true;
}

bool transport_receive(struct transport *self, struct bytes *ret)
{
    close_message(self);
    self->open = receive(self->socket, &self->message);
    if (self->open)
        *ret = (struct bytes){zmq_msg_data(&self->message), zmq_msg_size(&self->message)};
    return self->open;
}

static void connect_again(struct transport *self)
{
    if (!connect_now(self))
        self->retry_at = transport_now_at() + HANDSHAKES_AGAIN_US; /* somebody may close one */
}

/* An event is 16 bits of this machine, and its value. */
bool transport_was_lost(struct transport *self)
{
    zmq_msg_t message;
    bool lost = false;
    int64_t now_at = transport_now_at();
    while (receive(self->monitor, &message)) {
        uint16_t event = 0;
        if (zmq_msg_size(&message) >= sizeof event)
            memcpy(&event, zmq_msg_data(&message), sizeof event);
        lost = lost || event == ZMQ_EVENT_DISCONNECTED;
        (void)handshakes_hear(&self->handshakes, event, now_at);
        zmq_msg_close(&message);
    }
    if (handshakes_are_due(&self->handshakes, now_at) || now_at >= self->retry_at)
        connect_again(self);
    return lost;
}

const char *transport_refusal(const struct transport *self)
{
    return self->retry_at != INT64_MAX ? "this process has no descriptor or memory left"
                                       : handshakes_refusal(&self->handshakes);
}

int transport_descriptor(const struct transport *self)
{
    return self->epoll;
}

static bool has_events(void *socket, int events)
{
    int found = 0;
    size_t size = sizeof found;
    int rc = zmq_getsockopt(socket, ZMQ_EVENTS, &found, &size);
    return rc == 0 && (found & events) != 0;
}

void transport_arm(struct transport *self, int64_t due_at, bool writing)
{
    int events = ZMQ_POLLIN | (writing ? ZMQ_POLLOUT : 0);
    bool ready = has_events(self->socket, events) || has_events(self->monitor, ZMQ_POLLIN);
    int64_t again_at = self->handshakes.again_at;
    due_at = again_at < due_at ? again_at : due_at;
    due_at = self->retry_at < due_at ? self->retry_at : due_at;
    if (ready)
        due_at = 1;               /* long ago */
    if (due_at == self->armed_at) /* once expired it is readable until it is set again */
        return;
    transport_set_timer(self->timer, due_at);
    self->armed_at = due_at;
}

void transport_set_timer(int descriptor, int64_t due_at)
{
    struct itimerspec time = {{0, 0}, {0, 0}};
    if (due_at != INT64_MAX) {
        due_at = due_at < 1 ? 1 : due_at; /* 0 would disarm it */
        time.it_value.tv_sec = due_at / US_PER_S;
        time.it_value.tv_nsec = due_at % US_PER_S * 1000;
    }
    int rc = timerfd_settime(descriptor, TFD_TIMER_ABSTIME, &time, NULL);
    assert(rc == 0);
}

bool transport_wait(int descriptor, int64_t until_at)
{
    struct pollfd item = {.fd = descriptor, .events = POLLIN};
    int64_t left_us = until_at == INT64_MAX ? INT64_MAX : until_at - transport_now_at();
    struct timespec time = {.tv_sec = 0};
    if (left_us > 0 && left_us != INT64_MAX)
        time = (struct timespec){left_us / US_PER_S, left_us % US_PER_S * 1000};
    return ppoll(&item, 1, left_us == INT64_MAX ? NULL : &time, NULL) > 0;
}
