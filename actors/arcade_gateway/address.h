/* address - which addresses a URL that came with a request may reach. Pure.
 *
 * Such a URL must not be a way into our own network. So what counts is not how a host is spelled
 * but the address that a connection is opened to, each time one is opened. Denied is whatever is
 * not an address of the public internet: unspecified, loopback, private, shared, link-local and
 * metadata services, multicast, reserved, documentation, benchmarking; and the same inside IPv6
 * (mapped, NAT64, 6to4), local IPv6 and tunnels. source: IANA IPv4 and IPv6 Special-Purpose Address
 * Registries, 2025 */
#ifndef ACTORS_ARCADE_GATEWAY_ADDRESS_H
#define ACTORS_ARCADE_GATEWAY_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "protocol/limits.h"

/* One network, as bits of an IPv6 address; of IPv4 it is ::ffff:0:0/96 and more. */
struct network {
    unsigned char bytes[16];
    unsigned bits;
};

/* Networks that are allowed all the same. */
struct networks {
    struct network list[NETWORKS_MAX];
    size_t count;
};

/* Read a list of addresses and networks: 127.0.0.1, 10.1.0.0/16 fd00::/8; commas or blanks between.
 *
 * ret_bad  the one that is none, NETWORK_BYTES_MAX bytes, ends in 0; or "too many"
 * returns  false: ret_bad is written */
bool networks_read(struct networks *self, const char *text, char *ret_bad);

/* May it be connected to? Of another family than IPv4 and IPv6: no. */
bool address_is_allowed(const struct networks *allowed, const struct sockaddr *address);

#endif
