/* url - what a URL that came with a request may be, before its host is looked up. Pure.
 *
 * http or https, no user part, one of some ports. Read by the parser that connects, libcurl's, so
 * that there are no two opinions about where it leads. Where its host is, address.h judges. */
#ifndef ACTORS_ARCADE_GATEWAY_URL_H
#define ACTORS_ARCADE_GATEWAY_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol/limits.h"

struct ports {
    uint16_t list[PORTS_MAX];
    size_t count;
};

/* Read a list: 80, 443 8080; commas or blanks between. False: one is none, or there are too many.
 */
bool ports_read(struct ports *self, const char *text);

#define URL_HOST_BYTES_MAX 256u

struct url {
    bool is_https;
    char host[URL_HOST_BYTES_MAX]; /* as libcurl reads it; of IPv6 without brackets */
    uint16_t port;
};

/* returns  false: no URL of http or https, or it has a user part; reason says so, in words */
bool url_read(const char *text, struct url *ret, const char **reason);

/* The same for one that came with a request: also its port is judged. */
bool url_is_allowed(const char *text, const struct ports *ports, struct url *ret,
                    const char **reason);

/* Same scheme, host and port. */
bool url_same_origin(const struct url *left, const struct url *right);

/* A hash of them; not 0. */
uint64_t url_origin_hash(const struct url *self);

/* Its host is this machine, said as an address or as localhost: where plain http may carry a key.
 */
bool url_is_loopback(const struct url *self);

#endif
