/* endpoint - see endpoint.h. */
#include "protocol/endpoint.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#define PORT_MAX 65535

/* Printable, without blanks: what else is there can only be a mistake. */
static bool is_text(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f)
            return false;
    return text.size > 0;
}

/* source: zmq_tcp(7); with an address to connect from before a semicolon */
static bool is_host(struct bytes text)
{
    static const char others[] = ".-:%;[]_";
    for (size_t i = 0; i < text.size; i++)
        if (!isalnum((unsigned char)text.data[i]) &&
            memchr(others, text.data[i], sizeof others - 1) == NULL)
            return false;
    return text.size > 0;
}

static bool is_port(struct bytes text)
{
    uint32_t port = 0;
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] < '0' || text.data[i] > '9' || port > PORT_MAX)
            return false;
        port = port * 10 + (uint32_t)(text.data[i] - '0');
    }
    return port > 0 && port <= PORT_MAX;
}

static bool is_address(struct bytes text)
{
    size_t colon = text.size;
    while (colon > 0 && text.data[colon - 1] != ':')
        colon--;
    if (colon < 2) /* none, or no host before it */
        return false;
    return is_host((struct bytes){text.data, colon - 1}) &&
           is_port((struct bytes){text.data + colon, text.size - colon});
}

static bool is_path(struct bytes text)
{
    return is_text(text) && text.size <= IPC_PATH_BYTES_MAX;
}

struct carrier {
    const char *scheme;
    bool (*rest)(struct bytes);
};

static const struct carrier carriers[] = {
    {"tcp://", is_address}, {"ipc://", is_path}, {"inproc://", is_text}};

/* NULL: it is none of these, or nothing follows. */
static const struct carrier *find(struct bytes endpoint)
{
    for (size_t i = 0; i < sizeof carriers / sizeof carriers[0]; i++) {
        size_t size = strlen(carriers[i].scheme);
        if (endpoint.size > size && memcmp(endpoint.data, carriers[i].scheme, size) == 0)
            return &carriers[i];
    }
    return NULL;
}

bool endpoint_is_known(struct bytes endpoint)
{
    assert(endpoint.data != NULL || endpoint.size == 0);
    return find(endpoint) != NULL;
}

bool endpoint_is_good(struct bytes endpoint)
{
    assert(endpoint.data != NULL || endpoint.size == 0);
    const struct carrier *carrier = find(endpoint);
    if (carrier == NULL)
        return false;
    size_t size = strlen(carrier->scheme);
    return carrier->rest((struct bytes){endpoint.data + size, endpoint.size - size});
}
