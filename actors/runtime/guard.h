/* guard - who may connect to the sockets of this process: CURVE, the allow list, and libzmq's
 * questions about each key.
 *
 * It answers in the loop of its process, so a handshake waits for a turn, and nothing for a
 * handshake. The list is read again when its file changes; one that is wrong changes nothing, is
 * told, and is looked at again until it is right. Who is let in carries his key with each message.
 * See docs/decisions/0125. */
#ifndef ACTORS_RUNTIME_GUARD_H
#define ACTORS_RUNTIME_GUARD_H

#include "actors/runtime/inlet.h"
#include "actors/runtime/keys.h"
#include "actors/runtime/metrics.h"
#include "actors/runtime/zap.h"

#define GUARD_SOCKETS_MAX 4u

struct guard;

/* Before any socket of the context is bound.
 *
 * ret     NULL: there are no keys, and nobody is asked for one
 * zmq     context; the guard ends before it does
 * keys    of this process; its allow_file is borrowed
 * reason  KEY_FILE_REASON_BYTES; on false what to mend */
bool guard_open(struct guard **ret, void *zmq, const struct keys *keys, struct metrics *metrics,
                char *reason);

/* Before the sockets it protects are closed. */
void guard_destroy(struct guard **self_p);

/* From its next bind on, only those of this domain are let into the socket. */
void guard_protect(struct guard *self, void *socket, const char *domain);

/* Judge those who are at the door, at most HANDSHAKES_PER_TURN_MAX; returns how many. */
unsigned guard_take(struct guard *self);
void guard_watch(struct guard *self, struct inlets *inlets);

/* Look at the file, once a second; true: there is another list, and the last one's entries are
 * valid until the next call. */
bool guard_refresh(struct guard *self, int64_t now_at);

const struct allow_list *guard_list(const struct guard *self);

/* Whose message this is; NULL: nobody's who is in the list now. */
const struct allowed *guard_identify(const struct guard *self, zmq_msg_t *message);

#endif
