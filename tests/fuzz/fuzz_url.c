/* fuzz_url - any text as a URL, a list of ports and a list of networks: read or refused, and what
 * is read holds what it promises. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/address.h"
#include "actors/arcade_gateway/url.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct url url = {.port = 0}, again = {.port = 0};
    struct ports ports;
    struct networks networks;
    const char *reason = NULL;
    char bad[NETWORK_BYTES_MAX];
    char *text = malloc(size + 1); /* exactly as long, so that a byte too far is seen */
    assert(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (url_read(text, &url, &reason)) {
        assert(url.host[0] != '\0');
        assert(url_read(text, &again, &reason) && url_same_origin(&url, &again));
    } else {
        assert(reason != NULL);
    }
    if (ports_read(&ports, text))
        assert(ports.count <= PORTS_MAX);
    if (networks_read(&networks, text, bad))
        assert(networks.count <= NETWORKS_MAX);
    else
        assert(memchr(bad, 0, sizeof bad) != NULL);
    free(text);
    return 0;
}
