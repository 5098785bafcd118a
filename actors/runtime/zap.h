/* zap - who wants to connect, as libzmq asks, and our answer. Pure.
 *
 * libzmq asks over inproc in the middle of each handshake: version, id, domain, address, routing
 * id, mechanism, credentials; a frame each. source: ZeroMQ RFC 27 */
#ifndef ACTORS_RUNTIME_ZAP_H
#define ACTORS_RUNTIME_ZAP_H

#include "actors/runtime/allow_list.h"

#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define ZAP_ASK_FRAMES 7u
#define ZAP_SAY_FRAMES 6u

#define DOMAIN_CLIENT "fact.client" /* those who ask: every kind of key */
#define DOMAIN_WORKER "fact.worker" /* those who serve: workers alone */

struct zap_ask {
    struct bytes id, domain, address;
    char key[CURVE_KEY_BYTES + 1];
};

/* What became of handshakes, and the label of each in metrics. */
enum handshake {
    HANDSHAKE_GOOD,
    HANDSHAKE_KEY,      /* not in the allow list */
    HANDSHAKE_DOMAIN,   /* in it, and wrong on this side */
    HANDSHAKE_PROTOCOL, /* without CURVE, or for another server's key */
    HANDSHAKE_OTHER,    /* closed, or too slow */
    HANDSHAKE_COUNT
};
extern const char *const handshake_names[HANDSHAKE_COUNT];

/* Understand a question.
 *
 * frames   ret borrows them
 * returns  false: it is none of version 1.0 about a key of CURVE */
bool zap_read(const struct bytes *frames, size_t count, struct zap_ask *ret);

/* May it connect there? */
enum handshake zap_judge(const struct zap_ask *ask, const struct allow_list *list);

/* The frames of the answer: they name the key as the user, whom each of its messages then carries.
 *
 * ret  ZAP_SAY_FRAMES; borrow ask */
void zap_answer(const struct zap_ask *ask, enum handshake verdict, struct bytes *ret);

#endif
