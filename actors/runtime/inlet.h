/* inlet - a ZeroMQ socket, and whether it must be looked at; and a sleep on many of them.
 *
 * To look into an empty socket costs two system calls, and zmq_poll() looks into each of them twice
 * before and after it sleeps: at one request at a time that was a quarter of all that a driver did.
 * ZeroMQ's descriptor becomes readable when something has happened that the socket was not told of
 * yet, and a receive that finds nothing has told it of all. So: take until nothing is left, then
 * sleep on the descriptors, and look only where one was readable.
 *
 * Whatever else is done with the socket may tell it, too, and the sign is gone: say
 * inlet_touched(), and it is looked at again. Never does: look into a message. */
#ifndef ACTORS_RUNTIME_INLET_H
#define ACTORS_RUNTIME_INLET_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <zmq.h>

#include "protocol/limits.h"

/* Links to brokers, their events and to partitions, twice while views change, each with a monitor;
 * signals, jobs, the door, and a descriptor of the role's own. */
#define INLETS_MAX (8u + BROKERS_MAX * 6u + 2u * VIEW_MEMBERS_MAX * 2u)

struct inlet {
    void *socket; /* borrowed; NULL: there is none */
    int descriptor;
    bool may_hold; /* something may be in it that was not taken */
};

void inlet_init(struct inlet *self, void *socket);

/* Take the next frame that begins a message.
 *
 * ret      initialised; its content is closed
 * returns  false: there is nothing now, and no look was needed or one has shown it */
bool inlet_take(struct inlet *self, zmq_msg_t *ret);

/* Something was done with the socket that may have told it of what has come. */
void inlet_touched(struct inlet *self);

/* Whether the socket takes a message now; asked after one was refused. */
bool inlet_is_writable(struct inlet *self);

/* What a loop sleeps on. */
struct inlets {
    struct pollfd items[INLETS_MAX];
    struct inlet *owners[INLETS_MAX]; /* NULL: a plain descriptor */
    size_t count;
    bool may_hold; /* one of them may: there is nothing to sleep for */
};

void inlets_clear(struct inlets *self);
void inlets_add(struct inlets *self, struct inlet *inlet); /* without a socket: not added */
void inlets_add_descriptor(struct inlets *self, int descriptor);

/* Sleep until one may hold something, or for so long; not at all if one may already. */
void inlets_wait(struct inlets *self, int timeout_ms);

/* Whether the last wait has found this descriptor readable. */
bool inlets_is_ready(const struct inlets *self, int descriptor);

#endif
