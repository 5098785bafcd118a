/* monitor - what libzmq tells of the connections of one socket: that they ended, and what became of
 * their handshakes.
 *
 * An event for a monitor that nobody reads blocks the thread of ZeroMQ for good: the monitor is
 * stopped before its end is closed. Never does: decide what follows. source: zmq_socket_monitor(3)
 */
#ifndef ACTORS_RUNTIME_MONITOR_H
#define ACTORS_RUNTIME_MONITOR_H

#include <stdint.h>

#include "actors/runtime/inlet.h"

struct monitor {
    void *watched;       /* borrowed; NULL: not open */
    struct inlet events; /* its socket is ours */
};

/* events: bits of ZMQ_EVENT_... */
void monitor_open(struct monitor *self, void *zmq, void *socket, int events);

/* Before its socket is closed; again does nothing. */
void monitor_close(struct monitor *self);

/* The next event; false: none now.
 *
 * ret_endpoint  initialised; gets where it happened, for people; closed by the caller */
bool monitor_take(struct monitor *self, uint16_t *ret_event, zmq_msg_t *ret_endpoint);

void monitor_watch(struct monitor *self, struct inlets *inlets);

#endif
