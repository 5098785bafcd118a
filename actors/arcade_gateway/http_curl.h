/* http_curl - the connector of production: libcurl's multi interface, driven by the actor's loop.
 *
 * Never blocks: what it waits for stands in one epoll descriptor, and in one timer. Connections are
 * kept and shared, HTTP/2 where it is offered. TLS 1.2 at least, always verified. Proxies, cookies,
 * credentials come from nowhere but what it is told. */
#ifndef ACTORS_ARCADE_GATEWAY_HTTP_CURL_H
#define ACTORS_ARCADE_GATEWAY_HTTP_CURL_H

#include "actors/arcade_gateway/http.h"

struct http_curl_options {
    const char *ca_file;   /* authorities that are trusted too; empty: the system's alone */
    const char *proxy;     /* empty: none, whatever the environment says */
    const char *web_allow; /* networks that foreign addresses may reach although not public */
    const char *web_ports; /* ports that foreign addresses may reach */
    const char *user_agent;
};

/* returns  NULL, with one line on what to mend in reason, HTTP_REASON_BYTES */
struct http *http_curl_new(const struct http_curl_options *options, char *reason);

#endif
