/* link - see link.h. The monitor of the socket tells of the end of a connection at once; the
 * silence that a session notices, of a process that hangs. */
#include "actors/runtime/link.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/runtime/log.h"
#include "actors/runtime/monitor.h"
#include "actors/runtime/socket.h"
#include "protocol/handshakes.h"

struct link {
    void *socket;
    struct inlet in; /* of it */
    struct monitor monitor;
    struct session *session;
    bool blocked;
    const struct curve_pair *own;
    struct curve_servers servers;
    struct handshakes handshakes; /* which of the servers' keys is used, and when the next one is */
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
    handshakes_init(&self->handshakes, self->servers.count);
    monitor_open(&self->monitor, config->zmq, self->socket,
                 ZMQ_EVENT_DISCONNECTED | HANDSHAKES_EVENTS);
    if (!socket_connect(self->socket, config->endpoint, reason)) {
        link_close(&self, 0);
        return NULL;
    }
    inlet_init(&self->in, self->socket);
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
    monitor_close(&self->monitor);
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
    handshakes_begin(&self->handshakes);
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
    return self->own == NULL ? NULL : self->servers.keys[self->handshakes.key];
}

uint32_t link_server(const struct link *self)
{
    return self->handshakes.key;
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

/* True if a connection has ended. */
static bool was_lost(struct link *self, int64_t now_at)
{
    bool lost = false;
    zmq_msg_t endpoint;
    zmq_msg_init(&endpoint);
    for (uint16_t event; monitor_take(&self->monitor, &event, &endpoint);) {
        lost = lost || event == ZMQ_EVENT_DISCONNECTED;
        if (handshakes_hear(&self->handshakes, event, now_at))
            log_event(EVENT_HANDSHAKE_FAILED, log_text("endpoint", self->endpoint),
                      log_text("why", handshakes_refusal(&self->handshakes)));
    }
    zmq_msg_close(&endpoint);
    return lost;
}

static void connect_again(struct link *self)
{
    char reason[SOCKET_REASON_BYTES];
    (void)zmq_disconnect(self->socket, self->endpoint);
    if (self->own != NULL)
        socket_set_curve(self->socket, self->own, link_server_key(self));
    inlet_touched(&self->in);
    if (!socket_connect(self->socket, self->endpoint, reason))
        log_event(EVENT_DISCONNECTED, log_text("reason", reason));
}

unsigned link_take(struct link *self, unsigned messages_max, int64_t now_at)
{
    unsigned count = 0;
    zmq_msg_t message;
    bool lost = was_lost(self, now_at); /* before what comes over the next connection is read */
    if (handshakes_are_due(&self->handshakes, now_at))
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
    monitor_watch(&self->monitor, inlets);
}
