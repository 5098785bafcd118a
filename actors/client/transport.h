/* transport - one DEALER to one endpoint, and a descriptor that says when to look at it.
 *
 * ZeroMQ's own descriptor tells only of changes, and only until it is asked: whoever sleeps on it
 * with a message unread sleeps for ever. Here it is hidden: transport_arm() at the end of a turn
 * looks once more, and makes the descriptor readable if there is anything. A monitor notices the
 * end of a connection. Never does: look into a message. */
#ifndef ACTORS_CLIENT_TRANSPORT_H
#define ACTORS_CLIENT_TRANSPORT_H

#include "actors/client/client_keys.h"
#include "protocol/envelope.h"

struct transport;

/* NULL with errno: no descriptor, no memory. Nothing is connected yet.
 *
 * zmq  context; borrowed, and must outlive it */
struct transport *transport_new(void *zmq);
void transport_destroy(struct transport **self_p);

/* Speak CURVE with these keys on all connections from now on; copied. */
void transport_set_keys(struct transport *self, const struct client_keys *keys);

/* Connect to this endpoint, and to no other any more.
 *
 * returns  false with errno: it is no endpoint, or there is no room for a socket; then there is no
 *          connection any more */
bool transport_connect(struct transport *self, const char *endpoint);

/* The same; where there is no room for a socket it is tried again by itself. */
bool transport_move(struct transport *self, const char *endpoint);

/* False: there is no connection, or it takes no more now; the descriptor will say when. */
bool transport_send(struct transport *self, struct bytes message);

/* The next message; false: none now.
 *
 * ret  valid until the next call */
bool transport_receive(struct transport *self, struct bytes *ret);

/* True once after each connection that has ended. */
bool transport_was_lost(struct transport *self);

/* Why there is no connection, for people; NULL: that is not known, or there is one. It is tried
 * again by itself, after a handshake that failed with the next key that the server may have. */
const char *transport_refusal(const struct transport *self);

int transport_descriptor(const struct transport *self);

/* End of a turn: be readable when something comes, and at this time; at once if something is there.
 *
 * writing  something waits to be sent */
void transport_arm(struct transport *self, int64_t due_at, bool writing);

/* Monotonic microseconds. */
int64_t transport_now_at(void);

/* Sleep until a descriptor is readable; false: the time has come first. */
bool transport_wait(int descriptor, int64_t until_at);

/* Be readable at this time; INT64_MAX: never. descriptor: of timerfd_create(). */
void transport_set_timer(int descriptor, int64_t due_at);

#endif
