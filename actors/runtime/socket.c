/* socket - see socket.h. */
#include "actors/runtime/socket.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <zmq.h>

#include "protocol/endpoint.h"
#include "protocol/value.h"

#define RECONNECT_MS_MAX 5000
#define SOCKETS_MAX 4096

/* source: docs/protocol.md, "libzmq, set and avoided". An I/O thread answers ZMTP heartbeats even
 * if its process hangs: they find dead links, not dead processes. */
static const struct {
    int option, value;
} options_of_all[] = {
    {ZMQ_SNDHWM, 128}, /* messages, of up to MESSAGE_BYTES_MAX each */
    {ZMQ_RCVHWM, 128},
    {ZMQ_HEARTBEAT_IVL, 2000},
    {ZMQ_HEARTBEAT_TIMEOUT, 6000},
    {ZMQ_HEARTBEAT_TTL, 6000},
    {ZMQ_HANDSHAKE_IVL, 5000},
    {ZMQ_BACKLOG, 1024},
    {ZMQ_IPV6, 1},
    {ZMQ_TCP_KEEPALIVE, 1},
    {ZMQ_TCP_KEEPALIVE_IDLE, 30},
    {ZMQ_TCP_KEEPALIVE_INTVL, 5},
    {ZMQ_TCP_KEEPALIVE_CNT, 3},
    {ZMQ_TCP_MAXRT, 10000},
    {ZMQ_RECONNECT_IVL_MAX, RECONNECT_MS_MAX},
};

static void set(void *socket, int option, int value)
{
    int rc = zmq_setsockopt(socket, option, &value, sizeof value);
    assert(rc == 0);
}

/* 127.x.y.z, digits and dots only: a host name could lead anywhere. */
static bool is_loopback(const char *host, size_t size)
{
    static const char *const names[] = {"localhost", "[::1]"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (size == strlen(names[i]) && memcmp(host, names[i], size) == 0)
            return true;
    return size > 4 && memcmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == size;
}

bool endpoint_is_local(const char *endpoint)
{
    static const char tcp[] = "tcp://";
    if (strncmp(endpoint, "ipc://", 6) == 0 || strncmp(endpoint, "inproc://", 9) == 0)
        return true;
    const char *port = strrchr(endpoint, ':');
    if (strncmp(endpoint, tcp, sizeof tcp - 1) != 0 || port < endpoint + sizeof tcp - 1)
        return false;
    const char *host = endpoint + sizeof tcp - 1;
    return is_loopback(host, (size_t)(port - host));
}

void *socket_open(void *context, int type, int linger_ms, unsigned long io_threads)
{
    int64_t frame_bytes_max = FRAME_BYTES_MAX;
    uint64_t affinity = io_threads;
    void *socket = zmq_socket(context, type);
    assert(socket != NULL);
    for (size_t i = 0; i < sizeof options_of_all / sizeof options_of_all[0]; i++)
        set(socket, options_of_all[i].option, options_of_all[i].value);
    set(socket, ZMQ_LINGER, linger_ms);
    if (type == ZMQ_ROUTER)
        set(socket, ZMQ_ROUTER_MANDATORY, 1); /* else what cannot be routed is dropped in silence */
    if (type == ZMQ_DEALER)
        set(socket, ZMQ_IMMEDIATE, 1); /* else it queues for an endpoint that is dead */
    int rc = zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_bytes_max, sizeof frame_bytes_max);
    assert(rc == 0);
    rc = zmq_setsockopt(socket, ZMQ_AFFINITY, &affinity, sizeof affinity);
    assert(rc == 0);
    return socket;
}

void socket_set_reconnect(void *socket, int reconnect_ms)
{
    assert(reconnect_ms > 0);
    assert(reconnect_ms < RECONNECT_MS_MAX);
    set(socket, ZMQ_RECONNECT_IVL, reconnect_ms);
}

void socket_set_curve(void *socket, const struct curve_pair *own, const char *server_key)
{
    const struct {
        int option;
        const char *key;
    } keys[] = {{ZMQ_CURVE_SERVERKEY, server_key},
                {ZMQ_CURVE_PUBLICKEY, own->public_key},
                {ZMQ_CURVE_SECRETKEY, own->secret_key}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        int rc = zmq_setsockopt(socket, keys[i].option, keys[i].key, CURVE_KEY_BYTES + 1);
        assert(rc == 0); /* curve_key checks what it reads */
    }
}

static bool asks_for_keys(void *socket)
{
    int is_server = 0;
    size_t size = sizeof is_server;
    int rc = zmq_getsockopt(socket, ZMQ_CURVE_SERVER, &is_server, &size);
    assert(rc == 0);
    return is_server != 0;
}

/* tcp:// and a host that stands for every address of this one. */
static bool is_everywhere(const char *endpoint)
{
    static const char *const hosts[] = {"tcp://0.0.0.0:", "tcp://*:", "tcp://[::]:"};
    for (size_t i = 0; i < sizeof hosts / sizeof hosts[0]; i++)
        if (strncmp(endpoint, hosts[i], strlen(hosts[i])) == 0)
            return true;
    return false;
}

/* What CURVE guards on its way, or does not leave the host; libzmq knows more. */
static bool is_known(const char *endpoint, char *reason)
{
    if (endpoint_is_known(bytes_of(endpoint)))
        return true;
    (void)snprintf(reason, SOCKET_REASON_BYTES,
                   "%.200s: an endpoint is tcp://HOST:PORT, ipc://PATH or inproc://NAME; what else "
                   "libzmq has knows no CURVE",
                   endpoint);
    return false;
}

/* Whether it may be bound at all. */
static bool check_endpoint(void *socket, const char *endpoint, const char *advertise, char *reason)
{
    bool guarded = asks_for_keys(socket);
    if (!is_known(endpoint, reason))
        return false;
    if (!guarded && !endpoint_is_local(endpoint))
        (void)snprintf(
            reason, SOCKET_REASON_BYTES,
            "%s is not loopback: that needs CURVE; set curve_key_file and "
            "common.curve_allow_file (fact keys generate makes keys; docs/operations.md, "
            "\"Off this machine: keys\"), or bind tcp://127.0.0.1:PORT or ipc://PATH",
            endpoint);
    else if (is_everywhere(endpoint) && advertise[0] == '\0')
        (void)snprintf(reason, SOCKET_REASON_BYTES,
                       "%s is every address of this host: say in common.advertise by which one "
                       "others reach it",
                       endpoint);
    else
        return true;
    return false;
}

bool socket_bind(void *socket, const char *endpoint, const char *advertise, char *ret_endpoint,
                 char *reason)
{
    char bound[ENDPOINT_BYTES_MAX];
    size_t size = sizeof bound;
    if (!check_endpoint(socket, endpoint, advertise, reason))
        return false;
    if (strlen(endpoint) >= ENDPOINT_BYTES_MAX - 8 ||
        strlen(advertise) >= ENDPOINT_BYTES_MAX - sizeof "tcp://:65535" ||
        zmq_bind(socket, endpoint) != 0) {
        (void)snprintf(reason, SOCKET_REASON_BYTES, "cannot bind %s: %s", endpoint,
                       zmq_strerror(errno));
        return false;
    }
    int rc = zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, bound, &size);
    assert(rc == 0);
    /* libzmq names 127.0.0.1 as [::ffff:127.0.0.1]: the host stays as it was written. */
    bool is_tcp = strncmp(endpoint, "tcp://", 6) == 0;
    const char *tail = is_tcp ? strrchr(bound, ':') : bound;
    bool replaced = is_everywhere(endpoint);
    int host_size = is_tcp ? (int)(strrchr(endpoint, ':') - endpoint) : 0;
    int written = snprintf(ret_endpoint, ENDPOINT_BYTES_MAX, "%s%.*s%s", replaced ? "tcp://" : "",
                           replaced ? (int)strlen(advertise) : host_size,
                           replaced ? advertise : endpoint, tail);
    assert(written < (int)ENDPOINT_BYTES_MAX);
    return true;
}

bool socket_connect(void *socket, const char *endpoint, char *reason)
{
    if (!is_known(endpoint, reason))
        return false;
    if (zmq_connect(socket, endpoint) == 0)
        return true;
    (void)snprintf(reason, SOCKET_REASON_BYTES, "cannot connect to %s: %s", endpoint,
                   zmq_strerror(errno));
    return false;
}

void socket_close(void **socket)
{
    if (*socket == NULL)
        return;
    int rc = zmq_close(*socket);
    assert(rc == 0);
    *socket = NULL;
}

void socket_raise_limits(void *context)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit); /* then it stays as it was */
    }
    int rc = zmq_ctx_set(context, ZMQ_MAX_SOCKETS, SOCKETS_MAX);
    assert(rc == 0);
}
