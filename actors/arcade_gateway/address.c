/* address - see address.h. An IPv4 address is judged as the IPv6 address that it is mapped to, so
 * there is one way to compare. */
#include "actors/arcade_gateway/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAPPED_BITS 96u
#define NETWORK_SEPARATORS ", \t"

/* IPv4 that is not the public internet. */
static const struct {
    uint32_t first;
    unsigned bits;
} denied[] = {
    {0x00000000, 8},  /* 0.0.0.0/8, this host */
    {0x0a000000, 8},  /* 10.0.0.0/8, private */
    {0x64400000, 10}, /* 100.64.0.0/10, shared; a metadata service too */
    {0x7f000000, 8},  /* 127.0.0.0/8, loopback */
    {0xa83f8110, 32}, /* 168.63.129.16, a metadata service */
    {0xa9fe0000, 16}, /* 169.254.0.0/16, link-local and metadata services */
    {0xac100000, 12}, /* 172.16.0.0/12, private */
    {0xc0000000, 24}, /* 192.0.0.0/24, protocol assignments; a metadata service too */
    {0xc0000200, 24}, /* 192.0.2.0/24, documentation */
    {0xc0586300, 24}, /* 192.88.99.0/24, relays of 6to4, given up */
    {0xc0a80000, 16}, /* 192.168.0.0/16, private */
    {0xc6120000, 15}, /* 198.18.0.0/15, benchmarking */
    {0xc6336400, 24}, /* 198.51.100.0/24, documentation */
    {0xcb007100, 24}, /* 203.0.113.0/24, documentation */
    {0xe0000000, 4},  /* 224.0.0.0/4, multicast */
    {0xf0000000, 4},  /* 240.0.0.0/4, reserved; broadcast */
};

/* IPv6 that is not: of 2000::/3, which is all there is of public addresses, these. */
static const struct network denied6[] = {
    {{0x20, 0x01, 0x00}, 23},       /* 2001::/23, protocol assignments: Teredo, benchmarking ... */
    {{0x20, 0x01, 0x0d, 0xb8}, 32}, /* 2001:db8::/32, documentation */
    {{0x3f, 0xff, 0x00}, 20},       /* 3fff::/20, documentation */
};

static const struct network mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, MAPPED_BITS};
static const struct network nat64 = {{0x00, 0x64, 0xff, 0x9b}, MAPPED_BITS}; /* 64:ff9b::/96 */
static const struct network sixtofour = {{0x20, 0x02}, 16};                  /* 2002::/16 */
static const struct network public6 = {{0x20}, 3};                           /* 2000::/3 */

static bool is_within(const struct network *self, const unsigned char *bytes)
{
    unsigned whole = self->bits / 8, rest = self->bits % 8;
    unsigned char mask = (unsigned char)(0xff00u >> rest);
    return memcmp(self->bytes, bytes, whole) == 0 &&
           (rest == 0 || ((self->bytes[whole] ^ bytes[whole]) & mask) == 0);
}

static void map_ipv4(const void *address, unsigned char *out)
{
    memcpy(out, mapped.bytes, 12);
    memcpy(out + 12, address, 4);
}

/* One address or network; false: it is none, or has bits behind its end. */
static bool read_network(const char *text, struct network *ret)
{
    char host[NETWORK_BYTES_MAX], *end = NULL;
    unsigned char raw[16];
    unsigned long bits = 0;
    *ret = (struct network){{0}, 128};
    (void)snprintf(host, sizeof host, "%s", text);
    char *slash = strchr(host, '/');
    if (slash != NULL) {
        *slash = '\0';
        bits = strtoul(slash + 1, &end, 10);
        if (strspn(slash + 1, "0123456789") == 0 || *end != '\0' || bits > 128)
            return false;
    }
    bool is_ipv4 = inet_pton(AF_INET, host, raw) == 1;
    if (is_ipv4)
        map_ipv4(raw, ret->bytes);
    else if (inet_pton(AF_INET6, host, ret->bytes) != 1)
        return false;
    if (slash != NULL)
        ret->bits = (unsigned)bits + (is_ipv4 ? MAPPED_BITS : 0);
    return ret->bits <= 128;
}

bool networks_read(struct networks *self, const char *text, char *ret_bad)
{
    self->count = 0;
    for (;;) {
        text += strspn(text, NETWORK_SEPARATORS);
        size_t size = strcspn(text, NETWORK_SEPARATORS);
        if (size == 0)
            return true;
        (void)snprintf(ret_bad, NETWORK_BYTES_MAX, "%.*s", (int)size, text);
        if (size >= NETWORK_BYTES_MAX)
            return false;
        if (self->count == NETWORKS_MAX) {
            (void)snprintf(ret_bad, NETWORK_BYTES_MAX, "too many");
            return false;
        }
        if (!read_network(ret_bad, &self->list[self->count]))
            return false;
        self->count++;
        text += size;
    }
}

static bool is_public_ipv4(const unsigned char *bytes)
{
    uint32_t address = (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 |
                       (uint32_t)bytes[2] << 8 | (uint32_t)bytes[3];
    for (size_t i = 0; i < sizeof denied / sizeof denied[0]; i++)
        if (((address ^ denied[i].first) >> (32 - denied[i].bits)) == 0)
            return false;
    return true;
}

static bool is_public(const unsigned char *bytes)
{
    if (is_within(&mapped, bytes) || is_within(&nat64, bytes))
        return is_public_ipv4(bytes + 12);
    if (is_within(&sixtofour, bytes))
        return is_public_ipv4(bytes + 2);
    for (size_t i = 0; i < sizeof denied6 / sizeof denied6[0]; i++)
        if (is_within(&denied6[i], bytes))
            return false;
    return is_within(&public6, bytes);
}

bool address_is_allowed(const struct networks *allowed, const struct sockaddr *address)
{
    unsigned char bytes[16];
    if (address->sa_family == AF_INET)
        map_ipv4(&((const struct sockaddr_in *)(const void *)address)->sin_addr, bytes);
    else if (address->sa_family == AF_INET6)
        memcpy(bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
    else
        return false;
    for (size_t i = 0; i < allowed->count; i++)
        if (is_within(&allowed->list[i], bytes))
            return true;
    return is_public(bytes);
}
