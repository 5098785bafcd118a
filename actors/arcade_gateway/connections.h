/* connections - whose turn it is to use one: hosts share those of a pool. Pure.
 *
 * libcurl has one queue for all that wait for a connection, and looks at its head only: who waits
 * for a host that hangs would stand in everybody's way. So nothing waits in there: an exchange
 * begins when its host may have one more connection, and waits out here until then.
 *
 * A host has HTTP_HOST_CONNECTIONS_MAX at most, and never more than it leaves for others: some that
 * hang do not take all. Once it has spoken HTTP/2 its exchanges share one connection. Over TLS
 * nobody knows that before the first connection is made: until then the others wait for it.
 * source: Choudhury and Hahne, Dynamic Queue Length Thresholds, 1998; alpha = 1 */
#ifndef ACTORS_ARCADE_GATEWAY_CONNECTIONS_H
#define ACTORS_ARCADE_GATEWAY_CONNECTIONS_H

#include "actors/arcade_gateway/http.h"
#include "protocol/limits.h"

struct url;

struct connections {
    uint32_t max;  /* of the pool */
    uint32_t used; /* by what runs, at most */
    uint32_t open; /* sockets, used or kept; counted by who opens them */
    struct {
        uint64_t origin;  /* a hash of scheme, host and port: two that are one share */
        uint32_t held;    /* by exchanges that run or wait; 0: a free place */
        uint32_t running; /* of them */
        bool is_secure, is_made, is_shared;
    } hosts[HTTP_TRANSFERS_MAX]; /* no more than exchanges */
};

void connections_init(struct connections *self, uint32_t max);

/* An exchange with a host is there, running or waiting.
 *
 * returns  the place of its host, until connections_leave() */
uint32_t connections_enter(struct connections *self, const struct url *url);
void connections_leave(struct connections *self, uint32_t host); /* it does not run any more */

/* Whether one more of its exchanges may begin. */
bool connections_may_begin(const struct connections *self, uint32_t host);
void connections_begin(struct connections *self, uint32_t host);

/* One of its exchanges has a connection, and all that was to be said before the request is said. */
void connections_made(struct connections *self, uint32_t host);

/* Its exchanges share a connection, and one that begins waits for one that is being made. */
bool connections_are_shared(const struct connections *self, uint32_t host);

/* version: of the answer; NONE: none came */
void connections_end(struct connections *self, uint32_t host, enum http_version version);

#endif
