/* inlet - see inlet.h. source: ZeroMQ's zmq_getsockopt(3), ZMQ_FD: it is edge-triggered */
#include "actors/runtime/inlet.h"

#include <assert.h>
#include <errno.h>

void inlet_init(struct inlet *self, void *socket)
{
    size_t size = sizeof self->descriptor;
    *self = (struct inlet){.socket = socket, .may_hold = true};
    int rc = zmq_getsockopt(socket, ZMQ_FD, &self->descriptor, &size);
    assert(rc == 0);
}

bool inlet_take(struct inlet *self, zmq_msg_t *ret)
{
    int rc = -1;
    while (self->may_hold && (rc = zmq_msg_recv(ret, self->socket, ZMQ_DONTWAIT)) < 0 &&
           errno == EINTR)
        ;
    self->may_hold = rc >= 0;
    return rc >= 0;
}

void inlet_touched(struct inlet *self)
{
    self->may_hold = true;
}

bool inlet_is_writable(struct inlet *self)
{
    int events = 0;
    size_t size = sizeof events;
    int rc = zmq_getsockopt(self->socket, ZMQ_EVENTS, &events, &size);
    if (rc != 0)
        return true; /* interrupted: who tries to send will see */
    self->may_hold = self->may_hold || (events & ZMQ_POLLIN) != 0;
    return (events & ZMQ_POLLOUT) != 0;
}

void inlets_clear(struct inlets *self)
{
    self->count = 0;
    self->may_hold = false;
}

static void add(struct inlets *self, struct inlet *owner, int descriptor)
{
    assert(self->count < INLETS_MAX);
    self->owners[self->count] = owner;
    self->items[self->count++] = (struct pollfd){.fd = descriptor, .events = POLLIN};
}

void inlets_add(struct inlets *self, struct inlet *inlet)
{
    if (inlet->socket == NULL)
        return;
    self->may_hold = self->may_hold || inlet->may_hold;
    add(self, inlet, inlet->descriptor);
}

void inlets_add_descriptor(struct inlets *self, int descriptor)
{
    add(self, NULL, descriptor);
}

/* A poll that fails, for a signal mostly, has written nothing: then nothing is ready. */
void inlets_wait(struct inlets *self, int timeout_ms)
{
    int ready = poll(self->items, self->count, self->may_hold ? 0 : timeout_ms);
    for (size_t i = 0; i < self->count && ready > 0; i++) {
        ready -= self->items[i].revents != 0;
        if (self->items[i].revents != 0 && self->owners[i] != NULL)
            self->owners[i]->may_hold = true;
    }
}

bool inlets_is_ready(const struct inlets *self, int descriptor)
{
    for (size_t i = 0; i < self->count; i++)
        if (self->items[i].fd == descriptor)
            return self->items[i].revents != 0;
    return false;
}
