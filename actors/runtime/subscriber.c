/* subscriber - see subscriber.h. */
#include "actors/runtime/subscriber.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/runtime/log.h"
#include "actors/runtime/monitor.h"
#include "actors/runtime/socket.h"
#include "protocol/handshakes.h"

struct subscriber {
    void *socket;
    struct inlet in; /* of it */
    struct monitor monitor;
    const struct curve_pair *own;
    struct curve_servers servers;
    struct handshakes handshakes;
    char endpoint[ENDPOINT_BYTES_MAX];
};

static bool connect_to(struct subscriber *self, char *reason)
{
    if (self->own != NULL)
        socket_set_curve(self->socket, self->own, self->servers.keys[self->handshakes.key]);
    return socket_connect(self->socket, self->endpoint, reason);
}

struct subscriber *subscriber_open(const struct subscriber_config *config, char *reason)
{
    struct subscriber *self = calloc(1, sizeof *self);
    assert(self != NULL);
    assert(strlen(config->endpoint) < ENDPOINT_BYTES_MAX);
    (void)snprintf(self->endpoint, sizeof self->endpoint, "%s", config->endpoint);
    self->socket = socket_open(config->zmq, ZMQ_SUB, 0, 0);
    socket_set_reconnect(self->socket, config->reconnect_ms);
    if (config->own != NULL) {
        assert(config->servers->count > 0);
        self->own = config->own;
        self->servers = *config->servers;
    }
    handshakes_init(&self->handshakes, self->servers.count);
    self->handshakes.key = config->own != NULL ? config->first : 0;
    assert(config->own == NULL || config->first < self->servers.count);
    monitor_open(&self->monitor, config->zmq, self->socket, HANDSHAKES_EVENTS);
    for (size_t i = 0; config->topics[i] != NULL; i++) {
        int rc = zmq_setsockopt(self->socket, ZMQ_SUBSCRIBE, config->topics[i],
                                strlen(config->topics[i]));
        assert(rc == 0);
    }
    inlet_init(&self->in, self->socket);
    if (!connect_to(self, reason))
        subscriber_close(&self);
    return self;
}

void subscriber_close(struct subscriber **self_p)
{
    struct subscriber *self = *self_p;
    if (self == NULL)
        return;
    monitor_close(&self->monitor);
    socket_close(&self->socket);
    free(self);
    *self_p = NULL;
}

/* Topic and pair; what follows is not ours. */
bool subscriber_take(struct subscriber *self, zmq_msg_t *ret)
{
    zmq_msg_t rest;
    bool found = false;
    zmq_msg_init(&rest);
    while (!found && inlet_take(&self->in, ret))
        for (zmq_msg_t *frame = ret; zmq_msg_more(frame); found = true) {
            frame = found ? &rest : ret;
            while (zmq_msg_recv(frame, self->socket, 0) < 0)
                assert(errno == EINTR); /* all frames of a message are there at once */
        }
    zmq_msg_close(&rest);
    return found;
}

void subscriber_tick(struct subscriber *self, int64_t now_at)
{
    char reason[SOCKET_REASON_BYTES];
    zmq_msg_t endpoint;
    zmq_msg_init(&endpoint);
    for (uint16_t event; monitor_take(&self->monitor, &event, &endpoint);)
        if (handshakes_hear(&self->handshakes, event, now_at))
            log_event(EVENT_HANDSHAKE_FAILED, log_text("endpoint", self->endpoint),
                      log_text("why", handshakes_refusal(&self->handshakes)));
    zmq_msg_close(&endpoint);
    if (!handshakes_are_due(&self->handshakes, now_at))
        return;
    (void)zmq_disconnect(self->socket, self->endpoint);
    if (!connect_to(self, reason))
        log_event(EVENT_DISCONNECTED, log_text("reason", reason));
    inlet_touched(&self->in);
}

void subscriber_watch(struct subscriber *self, struct inlets *inlets)
{
    inlets_add(inlets, &self->in);
    monitor_watch(&self->monitor, inlets);
}
