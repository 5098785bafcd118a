/* free_ports - see free_ports.h. ZeroMQ binds, since it knows every form of an endpoint; all stay
 * bound until the last has its port, so that no two get the same. */
#include "actors/cli/free_ports.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <zmq.h>

static bool bind_free(void *socket, char *endpoint)
{
    int ipv6 =
        strchr(endpoint, '[') != NULL; /* else an address of IPv4 comes back as one of IPv6 */
    size_t size = ENDPOINT_BYTES_MAX;
    zmq_setsockopt(socket, ZMQ_IPV6, &ipv6, sizeof ipv6);
    return zmq_bind(socket, endpoint) == 0 &&
           zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &size) == 0;
}

bool free_ports_find(struct demo_endpoints *brokers, unsigned count)
{
    void *context = zmq_ctx_new(), *sockets[3 * BROKERS_MAX];
    unsigned opened = 0;
    bool good = context != NULL;
    assert(count <= BROKERS_MAX);
    for (unsigned i = 0; good && i < 3 * count; i++) {
        char *const endpoints[] = {brokers[i / 3].frontend, brokers[i / 3].backend,
                                   brokers[i / 3].events};
        sockets[opened] = zmq_socket(context, ZMQ_ROUTER);
        good = sockets[opened] != NULL && bind_free(sockets[opened], endpoints[i % 3]);
        opened += sockets[opened] != NULL;
    }
    int error = errno;
    while (opened > 0)
        zmq_close(sockets[--opened]);
    if (context != NULL)
        zmq_ctx_term(context);
    errno = error;
    return good;
}
