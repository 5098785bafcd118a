/* link - one DEALER to one endpoint, and the session that speaks over it.
 *
 * Moves bytes between the two, never blocks, and tells the session when the connection has ended.
 * What cannot leave now stays with the session until the socket takes it. */
#ifndef ACTORS_RUNTIME_LINK_H
#define ACTORS_RUNTIME_LINK_H

#include "actors/runtime/inlet.h"
#include "actors/runtime/metrics.h"
#include "protocol/curve_key.h"
#include "protocol/session.h"

struct link;

struct link_config {
    void *zmq; /* context */
    const char *endpoint;
    int reconnect_ms;
    struct metrics *metrics;
    const char *socket_name;             /* label of its metrics: backend, frontend, peer */
    const struct curve_pair *own;        /* its key, kept by the owner; NULL: not encrypted */
    const struct curve_servers *servers; /* with own: whom it may find there; copied */
    struct session_config session;
    struct session_owner owner;
};

/* NULL: it is no endpoint; reason: SOCKET_REASON_BYTES. */
struct link *link_open(const struct link_config *config, int64_t now_at, char *reason);

/* linger_ms: how long what is unsent may hold up the end of the process. */
void link_close(struct link **self_p, int linger_ms);

/* Connect elsewhere: the connection is lost, and what waits goes there.
 *
 * returns  false: it is no endpoint */
bool link_move(struct link *self, const char *endpoint, int64_t now_at, char *reason);

struct session *link_session(struct link *self);
const char *link_endpoint(const struct link *self);
const char *link_server_key(const struct link *self); /* that it uses now; NULL: not encrypted */
uint32_t link_server(const struct link *self);        /* which of its servers that is; 0: none */

/* Take in what has come, at most messages_max messages; returns how many. */
unsigned link_take(struct link *self, unsigned messages_max, int64_t now_at);

/* Send what is ready, as far as the socket takes it. */
void link_flush(struct link *self, int64_t now_at);
bool link_is_blocked(const struct link *self); /* something is unsent */

/* Add what a loop has to sleep on, for it. */
void link_watch(struct link *self, struct inlets *inlets);

#endif
