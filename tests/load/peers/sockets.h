/* sockets - what every program of a peer does with libzmq, and how it ends if that fails.
 *
 * These programs only stand beside what is measured: whatever goes wrong, they say so and exit. */
#ifndef TESTS_LOAD_PEERS_SOCKETS_H
#define TESTS_LOAD_PEERS_SOCKETS_H

#include <stdbool.h>
#include <stddef.h>
#include <zmq.h>

#include "tests/load/cost.h"

#define BURST_MAX 256       /* messages taken from a socket before the other has its turn */
#define TURN_PAIRS_MAX 1024 /* pairs taken in one turn */
#define PEER_ENDPOINT_BYTES 48

/* Print a line and exit with 1; child processes end with their parent. */
void give_up(const char *what) __attribute__((noreturn));

/* Start a child that runs a function for ever, and watch what it costs. */
typedef void child_main(const void *argument);
void child_start_main(struct cost *cost, enum part part, child_main *run, const void *argument);
void children_end(void);

/* tcp://127.0.0.1 and a port that is free now. ret: PEER_ENDPOINT_BYTES */
void free_endpoint(char *ret);
unsigned free_port(void);

void *socket_open(void *context, int type, const char *endpoint, bool binds);
bool socket_take(void *socket, zmq_msg_t *ret, bool waits); /* false: nothing there */
void socket_send(void *socket, zmq_msg_t *message, bool more);
void socket_send_copy(void *socket, const void *data, size_t size, bool more);

#endif
