/* socket - ZeroMQ sockets as docs/protocol.md sets them ("libzmq, set and avoided"), and the rule
 * that nothing is bound off this host where those who connect are not asked for a key. */
#ifndef ACTORS_RUNTIME_SOCKET_H
#define ACTORS_RUNTIME_SOCKET_H

#include <stdbool.h>
#include <stddef.h>

#include "protocol/curve_key.h"
#include "protocol/limits.h"

#define SOCKET_REASON_BYTES 512u

/* True if only this host can reach what is bound there: ipc, inproc, or TCP on a loopback address.
 */
bool endpoint_is_local(const char *endpoint);

/* A socket with our options. On no memory or descriptors it asserts.
 *
 * type       ZMQ_ROUTER, ZMQ_DEALER, ZMQ_XPUB or ZMQ_SUB
 * linger_ms  how long what is unsent may hold up the end of the process
 * io_threads bits of the I/O threads that may serve it; 0: all */
void *socket_open(void *context, int type, int linger_ms, unsigned long io_threads);

/* How soon a lost connection is tried again, at first: random per process, 100 to 300. */
void socket_set_reconnect(void *socket, int reconnect_ms);

/* From its next connect on, speak CURVE: to the server of this key, as ourselves. */
void socket_set_curve(void *socket, const struct curve_pair *own, const char *server_key);

/* Bind, if the endpoint is local or the socket is a server of CURVE (see guard.h).
 *
 * advertise     the host that others connect to, where the endpoint's is all addresses; empty: none
 * ret_endpoint  ENDPOINT_BYTES_MAX bytes: where others connect; port 0 has become a free one
 * reason        SOCKET_REASON_BYTES; on false the line that says what to mend */
bool socket_bind(void *socket, const char *endpoint, const char *advertise, char *ret_endpoint,
                 char *reason);

/* Connect; the connection itself comes and goes by itself. reason as above. */
bool socket_connect(void *socket, const char *endpoint, char *reason);

/* Close; NULL is fine. */
void socket_close(void **socket);

/* Raise the limit on descriptors as far as it goes. */
void socket_raise_limits(void *context);

#endif
