/* http_pool - the transfers of one kind: a multi handle of libcurl's, and who waits for a turn
 * there.
 *
 * For http_curl.c alone. Owns the multi handle with its connections; its sockets are watched by the
 * epoll descriptor of its owner. Transfers are borrowed from add to remove. */
#ifndef ACTORS_ARCADE_GATEWAY_HTTP_POOL_H
#define ACTORS_ARCADE_GATEWAY_HTTP_POOL_H

#include "actors/arcade_gateway/http_transfer.h"

struct http_pool {
    enum http_kind kind;
    CURLM *multi;
    int epoll;
    int64_t timer_at; /* when it wants to act; INT64_MAX: not before a socket has something */
    struct connections connections;
    struct transfer *first_waiting, **last_waiting;
    uint32_t waiting;
};

/* epoll: gets events with http_pool_event() in them */
void http_pool_open(struct http_pool *self, enum http_kind kind, int epoll);
void http_pool_close(struct http_pool *self); /* no transfer is in it */

/* Begin the next hop, now or when it is its turn.
 *
 * returns  false: it must not go there, or is too late, and has ended */
bool http_pool_add(struct http_pool *self, struct transfer *transfer, int64_t now_at);
void http_pool_remove(struct http_pool *self, struct transfer *transfer); /* or it was not in */

/* Begin those whose turn it is now.
 *
 * returns  one that ended instead, then call again; NULL: none */
struct transfer *http_pool_serve(struct http_pool *self, int64_t now_at);

/* What an event of epoll is about. */
struct http_pool_event {
    enum http_kind kind;
    curl_socket_t socket;
};
struct http_pool_event http_pool_event(uint64_t data);

void http_pool_act(struct http_pool *self, curl_socket_t socket, unsigned ready);
void http_pool_act_on_time(struct http_pool *self, int64_t now_at);

/* One whose hop is done; NULL: none. It is still in. */
struct transfer *http_pool_done(struct http_pool *self, CURLcode *ret);

#endif
