/* monitor - see monitor.h. A message is two frames: event and value, 16 and 32 bits of this
 * machine; then the endpoint. */
#include "actors/runtime/monitor.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "actors/runtime/socket.h"
#include "protocol/handshakes.h"

_Static_assert((int)HANDSHAKES_CLOSED == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL, "as libzmq has it");
_Static_assert((int)HANDSHAKES_GOOD == ZMQ_EVENT_HANDSHAKE_SUCCEEDED, "as libzmq has it");
_Static_assert((int)HANDSHAKES_FOREIGN == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, "as libzmq has it");
_Static_assert((int)HANDSHAKES_REFUSED == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, "as libzmq has it");

void monitor_open(struct monitor *self, void *zmq, void *socket, int events)
{
    char name[64];
    (void)snprintf(name, sizeof name, "inproc://monitor-%p", socket);
    int rc = zmq_socket_monitor(socket, name, events);
    assert(rc == 0);
    void *other = zmq_socket(zmq, ZMQ_PAIR);
    assert(other != NULL);
    rc = zmq_connect(other, name);
    assert(rc == 0);
    self->watched = socket;
    inlet_init(&self->events, other);
}

void monitor_close(struct monitor *self)
{
    if (self->watched == NULL)
        return;
    (void)zmq_socket_monitor(self->watched, NULL, 0);
    socket_close(&self->events.socket);
    self->watched = NULL;
}

bool monitor_take(struct monitor *self, uint16_t *ret_event, zmq_msg_t *ret_endpoint)
{
    *ret_event = 0;
    if (!inlet_take(&self->events, ret_endpoint))
        return false;
    if (zmq_msg_size(ret_endpoint) >= sizeof *ret_event)
        memcpy(ret_event, zmq_msg_data(ret_endpoint), sizeof *ret_event);
    while (zmq_msg_more(ret_endpoint))
        while (zmq_msg_recv(ret_endpoint, self->events.socket, 0) < 0)
            assert(errno == EINTR); /* all frames of a message are there at once */
    return true;
}

void monitor_watch(struct monitor *self, struct inlets *inlets)
{
    inlets_add(inlets, &self->events);
}
