/* router - messages of one frame over a ROUTER, and who sent them as a number.
 *
 * libzmq names each peer by a zero byte and a count of 32 bits; here it is that count with a bit
 * above it, so that no peer is 0. Never blocks. */
#ifndef ACTORS_RUNTIME_ROUTER_H
#define ACTORS_RUNTIME_ROUTER_H

#include "actors/runtime/inlet.h"
#include "protocol/envelope.h"

#define ROUTER_NOBODY 0u

/* Take in one message; false: there is none, or a signal came between.
 *
 * message   initialized; its content is replaced
 * ret_peer  ROUTER_NOBODY: it is not a routing id of libzmq's own and one frame */
bool router_take(struct inlet *inlet, zmq_msg_t *message, uint64_t *ret_peer);

/* Send one message, which is moved out on OK and untouched otherwise.
 *
 * returns  OK; WORKER_LOST: the peer is gone; BUSY_FULL: its pipe is full */
MUST_USE enum status router_send(void *socket, uint64_t peer, zmq_msg_t *message);

#endif
