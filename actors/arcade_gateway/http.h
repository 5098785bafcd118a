/* http - the gateway's way out: exchanges over HTTP, many at once, none of which ever blocks.
 *
 * An interface, so that a test answers in virtual time what libcurl answers in production
 * (http_curl.h). Who starts an exchange gets exactly one response to it from next(), unless it is
 * cancelled. A point in time (_at) is monotonic microseconds. */
#ifndef ACTORS_ARCADE_GATEWAY_HTTP_H
#define ACTORS_ARCADE_GATEWAY_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/value.h"

#define HTTP_HEADERS_MAX 64u         /* of one request, and of one response */
#define HTTP_HEADER_BYTES_MAX 32768u /* of all headers of a response */
#define HTTP_BODY_BYTES_MAX 1048576u /* of a response, unpacked */
#define HTTP_URL_BYTES_MAX 2048u     /* with its end */
#define HTTP_REASON_BYTES 256u       /* with its end */

enum http_method { HTTP_GET, HTTP_POST, HTTP_PUT, HTTP_DELETE };

struct http_header {
    const char *name, *value;
};

struct http_request {
    enum http_method method;
    const char *url;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    struct bytes body;   /* data NULL: none */
    int64_t deadline_at; /* the response is there by then, be it HTTP_LATE */
    size_t body_max;     /* of the response; 0: HTTP_BODY_BYTES_MAX */
    bool is_foreign;     /* the address came with a request: which hosts it may reach is judged */
    unsigned redirects_max; /* followed; each is judged anew. 0: a redirect is the response */
    bool cuts;              /* a longer body is cut, and not HTTP_TOO_LARGE */
    bool streams;           /* pieces of the body are handed out as they come */
    bool is_poll;           /* it waits long for its answer: on connections that no other needs */
};

/* How an exchange ended. */
enum http_end {
    HTTP_ANSWERED,      /* a status came, and a body whole */
    HTTP_NO_CONNECTION, /* no name, no route, refused: nothing was sent */
    HTTP_TLS,           /* the other side is not who it should be: nothing was sent */
    HTTP_LOST,          /* broken off before the response was whole */
    HTTP_LATE,          /* its deadline passed */
    HTTP_TOO_LARGE,     /* headers or body over their bound */
    HTTP_MALFORMED,     /* no HTTP, or packed in a way that cannot be unpacked */
    HTTP_DENIED         /* a foreign address that must not be reached */
};

enum http_version {
    HTTP_VERSION_NONE,
    HTTP_VERSION_1_0,
    HTTP_VERSION_1_1,
    HTTP_VERSION_2,
    HTTP_VERSION_3
};

struct http_response {
    uint64_t exchange; /* as start() returned it */
    enum http_end end;
    bool sent;       /* the other side may have seen the request */
    bool was_idle;   /* HTTP_LOST: it had kept the connection, and ended it before a byte of an
                      * answer:   most likely it had kept it long enough, and is well */
    unsigned status; /* 0: none came */
    enum http_version version;
    struct http_header headers[HTTP_HEADERS_MAX];
    size_t header_count;
    struct bytes body;              /* unpacked; of a stream what came since the last piece */
    bool was_cut;                   /* the body is longer */
    char url[HTTP_URL_BYTES_MAX];   /* the last one, after redirects */
    char reason[HTTP_REASON_BYTES]; /* for people, if it was not answered; holds no secret */
    int64_t taken_us;
};

/* What is heard of an exchange. */
enum http_news {
    HTTP_NOTHING,
    HTTP_PIECE, /* of a stream: status, headers and body so far; more comes, or its end */
    HTTP_ENDED  /* its response */
};

/* Kinds of exchanges: none takes a connection that is another's. */
enum http_kind {
    HTTP_KIND_OWN,     /* with addresses of the settings */
    HTTP_KIND_FOREIGN, /* with those that came with a request */
    HTTP_KIND_POLL,    /* long polls of the first */
    HTTP_KINDS
};

/* What is used now. */
struct http_usage {
    uint32_t exchanges;
    uint32_t waiting;          /* of them, for a connection */
    uint32_t open[HTTP_KINDS]; /* connections, those too that are only kept */
};

struct http {
    /* Begin an exchange; request is borrowed for the call.
     *
     * returns  its number, not 0; 0: it cannot be begun (reason says why, HTTP_REASON_BYTES) */
    uint64_t (*start)(struct http *self, const struct http_request *request, char *reason);

    /* It is not wanted any more: broken off, and nothing more is heard of it. */
    void (*cancel)(struct http *self, uint64_t exchange);

    /* Readable when process() has something to do; -1: never. */
    int (*descriptor)(const struct http *self);
    int64_t (*due_at)(const struct http *self); /* when process() wants to be called; INT64_MAX */
    void (*process)(struct http *self, int64_t now_at);

    /* The next that is heard. ret borrows until the next call of any of these. */
    enum http_news (*next)(struct http *self, struct http_response *ret);

    void (*usage)(const struct http *self, struct http_usage *ret);

    void (*destroy)(struct http **self);
};

/* own, web, poll. */
const char *http_kind_name(enum http_kind kind);

/* The value of a header, whatever case its name is in; NULL: there is none. Of several the first.
 */
const char *http_header_find(const struct http_response *response, const char *name);

/* 1.0, 1.1, 2, 3; of NONE: none. */
const char *http_version_name(enum http_version version);

/* Split lines of "Name: value" in place; a status line and what has no name are passed over, and
 * whatever is beyond HTTP_HEADERS_MAX.
 *
 * text     ends in 0; borrowed as long as out is used
 * out      HTTP_HEADERS_MAX
 * returns  how many */
size_t http_headers_split(char *text, struct http_header *out);

#endif
