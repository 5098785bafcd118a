/* http_transfer - one exchange with libcurl: how it is asked, what it gathers, how it ended.
 *
 * For http_curl.c alone, which drives it. Follows redirects itself, each judged anew: a foreign one
 * like a foreign address, no credentials to another origin, never from https to http. */
#ifndef ACTORS_ARCADE_GATEWAY_HTTP_TRANSFER_H
#define ACTORS_ARCADE_GATEWAY_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "actors/arcade_gateway/address.h"
#include "actors/arcade_gateway/connections.h"
#include "actors/arcade_gateway/http_curl.h"
#include "actors/arcade_gateway/url.h"

/* What all transfers of a connector share. */
struct http_rules {
    const char *ca_file, *proxy, *user_agent;
    struct networks allowed;
    struct ports ports;
};

/* Bytes that come, within a bound. */
struct gathered {
    char *data;
    size_t used, size;
};

struct transfer {
    uint64_t number;
    const struct http_rules *rules;
    enum http_kind kind;
    CURL *easy;
    struct transfer *next_heard; /* http_curl.c's */
    bool is_heard, has_piece, has_ended;

    /* http_pool.c's */
    struct connections *connections; /* of its kind; outlives it */
    uint32_t host;                   /* in them, while it is active or waits */
    struct transfer *next_waiting;
    bool is_active; /* its easy handle is in the multi handle */
    bool is_waiting;

    /* What is asked. */
    enum http_method method;
    char url[HTTP_URL_BYTES_MAX];
    struct curl_slist *headers;
    char *body; /* owned; NULL: none */
    size_t body_size, body_max;
    size_t body_read; /* by libcurl, in this hop */
    int64_t begun_at, deadline_at;
    bool cuts, streams;
    unsigned redirects_left;

    /* What came. */
    struct gathered header_lines, came;
    char *split;    /* the header lines, as names and values */
    bool is_broken; /* ended by us; end says how */
    bool is_denied; /* an address of this hop was */
    bool was_redirected, was_idle;
    enum http_end end;
    bool was_cut;
    char error[CURL_ERROR_SIZE];
    char reason[HTTP_REASON_BYTES];
};

/* Copy a request; NULL: it cannot be sent, and reason (HTTP_REASON_BYTES) says why. */
struct transfer *transfer_new(const struct http_rules *rules, const struct http_request *request,
                              int64_t now_at, char *reason);
void transfer_destroy(struct transfer **self_p); /* its easy handle is in no multi handle */

/* Make its easy handle ready for the next hop.
 *
 * returns  false: it must not go there, and has ended as HTTP_DENIED */
bool transfer_prepare(struct transfer *self, int64_t now_at);

/* A hop is over.
 *
 * returns  true: another follows, after transfer_prepare(); false: it has ended */
bool transfer_hop_done(struct transfer *self, CURLcode result, int64_t now_at);

/* End it, whatever it does: its deadline. */
void transfer_end(struct transfer *self, enum http_end end, const char *reason);

/* That its last hop was answered in; NONE: it was not. */
enum http_version transfer_version(const struct transfer *self);

/* What is known so far, or at the end. Borrows. */
void transfer_write_response(struct transfer *self, int64_t now_at, struct http_response *ret);

#endif
