/* link - see link.h. The monitor of the socket tells of the end of a connection at once; the
 * silence that a session notices, of a process that hangs.
 *
 * After a handshake that was refused libzmq does not try again, and has one key for the server: the
 * link does, each time with the next of those it was given. */
#include "actors/runtime/link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/runtime/log.h"
#include "actors/runtime/socket.h"

#define HANDSHAKE_AGAIN_US US_PER_S
#define HANDSHAKE_FAILURES                                                                         \
    (ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |                  \
     ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)

struct link {
    void *socket, *monitor;
    struct inlet in, events; /* of the two */
    struct session *session;
    bool blocked;
    const struct curve_pair *own;
    struct curve_servers servers;
    uint32_t server;  /* of them, the one that is used */
    int64_t again_at; /* connect anew, since a handshake has failed; 0: none has */
    char endpoint[ENDPOINT_BYTES_MAX];
    struct series *messages_in, *bytes_in, *messages_out, *bytes_out, *blocks;
};

static void count_with(struct link *self, struct metrics *metrics, const char *name)
{
    self->messages_in = metrics_series(metrics, METRIC_MESSAGES_TOTAL, LABELS(name, "in"));
    self->bytes_in = metrics_series(metrics, METRIC_BYTES_TOTAL, LABELS(name, "in"));
    self->messages_out = metrics_series(metrics, METRIC_MESSAGES_TOTAL, LABELS(name, "out"));
    self->bytes_out = metrics_series(metrics, METRIC_BYTES_TOTAL, LABELS(name, "out"));
    self->blocks = metrics_series(metrics, METRIC_HWM_BLOCKED_TOTAL, LABELS(name));
}

static void *open_monitor(struct link *self, void *zmq)
{
    char name[64];
    (void)snprintf(name, sizeof name, "inproc://monitor-%p", (void *)self);
    int rc = zmq_socket_monitor(self->socket, name, ZMQ_EVENT_DISCONNECTED | HANDSHAKE_FAILURES);
    assert(rc == 0);
    void *monitor = zmq_socket(zmq, ZMQ_PAIR);
    assert(monitor != NULL);
    rc = zmq_connect(monitor, name);
    assert(rc == 0);
    return monitor;
}

struct link *link_open(const struct link_config *config, int64_t now_at, char *reason)
{
    struct link *self = calloc(1, sizeof *self);
    assert(self != NULL);
    assert(strlen(config->endpoint) < ENDPOINT_BYTES_MAX);
    (void)snprintf(self->endpoint, sizeof self->endpoint, "%s", config->endpoint);
    self->socket = socket_open(config->zmq, ZMQ_DEALER, 0, 0);
    socket_set_reconnect(self->socket, config->reconnect_ms);
    if (config->own != NULL) {
        assert(config->servers->count > 0);
        self->own = config->own;
        self->servers = *config->servers;
        socket_set_curve(self->socket, self->own, self->servers.keys[0]);
    }
    self->monitor = open_monitor(self, config->zmq);
    if (!socket_connect(self->socket, config->endpoint, reason)) {
        link_close(&self, 0);
        return NULL;
    }
    inlet_init(&self->in, self->socket);
    inlet_init(&self->events, self->monitor);
    count_with(self, config->metrics, config->socket_name);
    self->session = session_new(&config->session, &config->owner, now_at);
    return self;
}

void link_close(struct link **self_p, int linger_ms)
{
    struct link *self = *self_p;
    if (self == NULL)
        return;
    (void)zmq_setsockopt(self->socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
    (void)zmq_socket_monitor(self->socket, NULL, 0);
    socket_close(&self->monitor);
    socket_close(&self->socket);
    session_destroy(&self->session);
    free(self);
    *self_p = NULL;
}

bool link_move(struct link *self, const char *endpoint, int64_t now_at, char *reason)
{
    assert(strlen(endpoint) < ENDPOINT_BYTES_MAX);
    (void)zmq_disconnect(self->socket, self->endpoint);
    (void)snprintf(self->endpoint, sizeof self->endpoint, "%s", endpoint);
    session_lost(self->session, "moved", now_at);
    inlet_touched(&self->in);
    return socket_connect(self->socket, endpoint, reason);
}

struct session *link_session(struct link *self)
{
    return self->session;
}

const char *link_endpoint(const struct link *self)
{
    return self->endpoint;
}

const char *link_server_key(const struct link *self)
{
    return self->own == NULL ? NULL : self->servers.keys[self->server];
}

/* The first frame of the next message; a message of more frames is none of ours, and they are
 * dropped. false: none now. */
static bool receive(struct inlet *inlet, zmq_msg_t *ret)
{
    bool found = inlet_take(inlet, ret);
    for (int more = found ? zmq_msg_more(ret) : 0; more != 0;) {
        zmq_msg_t rest;
        zmq_msg_init(&rest);
        while (zmq_msg_recv(&rest, inlet->socket, 0) < 0)
            assert(errno == EINTR); /* all frames of a message are there at once */
        more = zmq_msg_more(&rest);
        zmq_msg_close(&rest);
    }
    return found;
}

static void on_handshake_failed(struct link *self, uint16_t event, int64_t now_at)
{
    if (event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL && self->own == NULL)
        return; /* the connection has just ended; libzmq makes another */
    if (self->again_at == 0)
        log_event(EVENT_HANDSHAKE_FAILED, log_text("endpoint", self->endpoint),
                  log_text("why", event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
                                      ? "our key is not allowed there"
                                  : self->own == NULL ? "it may want a key of us"
                                                      : "it has another key, or none"));
    self->again_at = now_at + HANDSHAKE_AGAIN_US;
}

/* True if a connection has ended. An event is 16 bits of this machine, and its value. */
static bool was_lost(struct link *self, int64_t now_at)
{
    bool lost = false;
    zmq_msg_t message;
    zmq_msg_init(&message);
    while (receive(&self->events, &message)) {
        uint16_t event = 0;
        if (zmq_msg_size(&message) >= sizeof event)
            memcpy(&event, zmq_msg_data(&message), sizeof event);
        lost = lost || event == ZMQ_EVENT_DISCONNECTED;
        if ((event & HANDSHAKE_FAILURES) != 0)
            on_handshake_failed(self, event, now_at);
    }
    zmq_msg_close(&message);
    return lost;
}

static void connect_again(struct link *self)
{
    char reason[SOCKET_REASON_BYTES];
    self->again_at = 0;
    (void)zmq_disconnect(self->socket, self->endpoint);
    if (self->own != NULL) {
        self->server = (self->server + 1) % self->servers.count;
        socket_set_curve(self->socket, self->own, self->servers.keys[self->server]);
    }
    inlet_touched(&self->in);
    if (!socket_connect(self->socket, self->endpoint, reason))
        log_event(EVENT_DISCONNECTED, log_text("reason", reason));
}

unsigned link_take(struct link *self, unsigned messages_max, int64_t now_at)
{
    unsigned count = 0;
    zmq_msg_t message;
    bool lost = was_lost(self, now_at); /* before what comes over the next connection is read */
    if (self->again_at != 0 && now_at >= self->again_at)
        connect_again(self);
    zmq_msg_init(&message);
    while (count < messages_max && receive(&self->in, &message)) {
        struct bytes bytes = {zmq_msg_data(&message), zmq_msg_size(&message)};
        series_add(self->messages_in, 1);
        series_add(self->bytes_in, (double)bytes.size);
        session_take(self->session, bytes, now_at);
        count++;
    }
    zmq_msg_close(&message);
    if (lost)
        session_lost(self->session, "disconnected", now_at);
    return count + lost;
}

void link_flush(struct link *self, int64_t now_at)
{
    struct bytes message = session_outgoing(self->session, now_at);
    if (self->blocked && message.data != NULL && !inlet_is_writable(&self->in))
        return;
    self->blocked = false;
    while (message.data != NULL) {
        int rc = zmq_send(self->socket, message.data, message.size, ZMQ_DONTWAIT);
        inlet_touched(&self->in);
        if (rc < 0 && errno == EINTR)
            continue;
        if (rc < 0) {
            series_add(self->blocks, session_state(self->session) == SESSION_UP);
            self->blocked = true;
            return;
        }
        series_add(self->messages_out, 1);
        series_add(self->bytes_out, (double)message.size);
        session_sent(self->session);
        message = session_outgoing(self->session, now_at);
    }
}

bool link_is_blocked(const struct link *self)
{
    return self->blocked;
}

void link_watch(struct link *self, struct inlets *inlets)
{
    inlets_add(inlets, &self->in);
    inlets_add(inlets, &self->events);
}
