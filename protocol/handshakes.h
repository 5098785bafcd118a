/* handshakes - when who connects does so anew because its handshakes fail, and with which key.
 * Pure.
 *
 * libzmq connects again by itself where nobody is, or where the connection has ended; but with the
 * one key for the server that it was given, and after a refusal never. So: a while after the first
 * failure connect anew, unless a handshake has succeeded meanwhile. source: zmq_socket_monitor(3)
 */
#ifndef PROTOCOL_HANDSHAKES_H
#define PROTOCOL_HANDSHAKES_H

#include <stdbool.h>
#include <stdint.h>

#define HANDSHAKES_AGAIN_US INT64_C(1000000)

/* What the monitor of a socket tells; the numbers are libzmq's (ZMQ_EVENT_HANDSHAKE_...). */
enum handshakes_event {
    HANDSHAKES_NONE = 0,
    HANDSHAKES_CLOSED =
        0x0800, /* the connection has ended; so does a server that has another key */
    HANDSHAKES_GOOD = 0x1000,
    HANDSHAKES_FOREIGN = 0x2000, /* the other side speaks without keys, or we do */
    HANDSHAKES_REFUSED = 0x4000  /* our key is not allowed */
};
#define HANDSHAKES_EVENTS                                                                          \
    (HANDSHAKES_CLOSED | HANDSHAKES_GOOD | HANDSHAKES_FOREIGN | HANDSHAKES_REFUSED)

struct handshakes {
    uint32_t keys;                /* that the server may have; 0: no keys are used */
    uint32_t key;                 /* of them, the one to connect with */
    enum handshakes_event failed; /* the last one, since one was good; NONE: none has */
    int64_t again_at;             /* INT64_MAX: never */
};

void handshakes_init(struct handshakes *self, uint32_t keys);

/* Elsewhere is connected to, with the same keys. */
void handshakes_begin(struct handshakes *self);

/* Hear what the monitor tells; another event does nothing.
 *
 * returns  true: it is the first failure since the connection was made, and worth a word */
bool handshakes_hear(struct handshakes *self, uint16_t event, int64_t now_at);

/* True once: it is time to connect anew, with the key that is named now. */
bool handshakes_are_due(struct handshakes *self, int64_t now_at);

/* Why the last handshake has failed, for people; NULL: it has not. */
const char *handshakes_refusal(const struct handshakes *self);

#endif
