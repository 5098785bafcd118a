/* keyed_end - what a test of CURVE connects to: an end with a key, over TCP, at a port where before
 * it somebody stood who hung up on whoever came. */
#ifndef TESTS_SUPPORT_KEYED_END_H
#define TESTS_SUPPORT_KEYED_END_H

#include "protocol/curve_key.h"

struct keyed_end {
    void *zmq;
    int listener;                  /* of who hangs up; -1: he is gone */
    void *socket;                  /* NULL: not open yet */
    char endpoint[64];             /* of both */
    struct curve_pair pair, other; /* its key, and one that nobody has */
    struct curve_servers servers;  /* where it is found: its key, then the other one */
};

/* Begin with who hangs up. */
void keyed_end_start(struct keyed_end *self);

/* Let in one connection and end it in the middle of its handshake. */
void keyed_end_hang_up(struct keyed_end *self);

/* Be there, with a key, from now on.
 *
 * type  ZMQ_ROUTER, ZMQ_PUB ... */
void keyed_end_open(struct keyed_end *self, int type, const struct curve_pair *pair);
void keyed_end_close(struct keyed_end *self); /* its socket alone */
void keyed_end_stop(struct keyed_end *self);

#endif
