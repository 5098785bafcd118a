/* endpoint - what may stand where an endpoint is asked for. Pure.
 *
 * tcp://HOST:PORT, ipc://PATH or inproc://NAME; nothing else that libzmq knows, as the others have
 * no keys. source: RFC 23/ZMTP and zmq_tcp(7), zmq_ipc(7), zmq_inproc(7) */
#ifndef PROTOCOL_ENDPOINT_H
#define PROTOCOL_ENDPOINT_H

#include "protocol/cursor.h"

#define IPC_PATH_BYTES_MAX 107 /* of a socket in the file system. source: unix(7) */

/* Whether it begins as one of the three. */
bool endpoint_is_known(struct bytes endpoint);

/* Whether somebody can be connected to by this text. A name is not looked up: it may be known
 * later. */
bool endpoint_is_good(struct bytes endpoint);

#endif
