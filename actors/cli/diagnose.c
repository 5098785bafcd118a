/* diagnose - see diagnose.h. */
#include "actors/cli/diagnose.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "protocol/limits.h"

#define GREETING_BYTES 10 /* the signature of ZMTP: 0xff, eight bytes, 0x7f */

struct address {
    struct sockaddr_storage storage;
    socklen_t size;
};

/* host and port of tcp://host:port, or tcp://[host]:port; false: it is none. */
static bool split_endpoint(const char *endpoint, char *host, char *port, struct diagnosis *ret)
{
    const char *rest = endpoint + 6;
    const char *colon = strncmp(endpoint, "tcp://", 6) == 0 ? strrchr(rest, ':') : NULL;
    size_t size = colon == NULL ? 0 : (size_t)(colon - rest);
    char *text = ret->texts[STEP_FORM];
    if (size == 0 || size >= ENDPOINT_BYTES_MAX || strlen(colon + 1) > 5 || colon[1] == '\0' ||
        strspn(colon + 1, "0123456789") != strlen(colon + 1)) {
        snprintf(text, DIAGNOSIS_TEXT_BYTES, "\"%.200s\" is not tcp://HOST:PORT", endpoint);
        return false;
    }
    bool brackets = rest[0] == '[' && rest[size - 1] == ']';
    snprintf(host, ENDPOINT_BYTES_MAX, "%.*s", (int)(brackets ? size - 2 : size),
             brackets ? rest + 1 : rest);
    snprintf(port, 6, "%s", colon + 1);
    snprintf(text, DIAGNOSIS_TEXT_BYTES, "TCP, host %.200s, port %s", host, port);
    return true;
}

static bool find_name(const char *host, const char *port, struct address *address,
                      struct diagnosis *ret)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL;
    char numbers[NI_MAXHOST] = "?";
    int rc = getaddrinfo(host, port, &hints, &found);
    if (rc != 0) {
        snprintf(ret->texts[STEP_NAME], DIAGNOSIS_TEXT_BYTES, "%.200s: %s", host, gai_strerror(rc));
        return false;
    }
    memcpy(&address->storage, found->ai_addr, found->ai_addrlen);
    address->size = found->ai_addrlen;
    getnameinfo(found->ai_addr, found->ai_addrlen, numbers, sizeof numbers, NULL, 0,
                NI_NUMERICHOST);
    snprintf(ret->texts[STEP_NAME], DIAGNOSIS_TEXT_BYTES, "%.200s", numbers);
    freeaddrinfo(found);
    return true;
}

/* The error of a connection that was begun; ETIMEDOUT: it has none yet. */
static int await_connection(int descriptor, int timeout_ms)
{
    struct pollfd item = {.fd = descriptor, .events = POLLOUT};
    int error = 0;
    socklen_t size = sizeof error;
    if (poll(&item, 1, timeout_ms) <= 0)
        return ETIMEDOUT;
    if (getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        return errno;
    return error;
}

/* A connected socket; -1: none. */
static int open_connection(const struct address *address, int timeout_ms, struct diagnosis *ret)
{
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
    int descriptor = socket(address->storage.ss_family, type, 0);
    int error = 0;
    if (descriptor < 0)
        error = errno;
    else if (connect(descriptor, (const struct sockaddr *)&address->storage, address->size) != 0)
        error = errno == EINPROGRESS ? await_connection(descriptor, timeout_ms) : errno;
    snprintf(ret->texts[STEP_CONNECT], DIAGNOSIS_TEXT_BYTES, "%s",
             error == 0 ? "connected" : strerror(error));
    ret->refused = error == ECONNREFUSED || error == ENOENT;
    if (error == 0 || descriptor < 0)
        return descriptor;
    close(descriptor);
    return -1;
}

/* Whoever speaks ZeroMQ says so first. */
static bool read_greeting(int descriptor, int timeout_ms, struct diagnosis *ret)
{
    unsigned char bytes[GREETING_BYTES] = {0};
    struct pollfd item = {.fd = descriptor, .events = POLLIN};
    ssize_t size = -1;
    static const unsigned char hello[GREETING_BYTES] = {0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f};
    (void)!write(descriptor, hello, sizeof hello);
    if (poll(&item, 1, timeout_ms) > 0)
        size = recv(descriptor, bytes, sizeof bytes, 0);
    bool good = size == GREETING_BYTES && bytes[0] == 0xff && bytes[GREETING_BYTES - 1] == 0x7f;
    const char *text = "somebody answers, who does not speak ZeroMQ";
    if (good)
        text = "it speaks ZeroMQ";
    else if (size <= 0)
        text = size == 0 ? "it closed the connection" : "it is silent";
    snprintf(ret->texts[STEP_GREETING], DIAGNOSIS_TEXT_BYTES, "%s", text);
    return good;
}

/* ipc:// names a file, or with @ an abstract name. */
static bool find_path(const char *endpoint, struct address *address, struct diagnosis *ret)
{
    struct sockaddr_un *local = (struct sockaddr_un *)&address->storage;
    const char *path = endpoint + 6;
    size_t size = strlen(path);
    local->sun_family = AF_UNIX;
    if (size == 0 || size >= sizeof local->sun_path) {
        snprintf(ret->texts[STEP_FORM], DIAGNOSIS_TEXT_BYTES, "the path is empty or too long");
        return false;
    }
    memcpy(local->sun_path, path, size);
    if (path[0] == '@')
        local->sun_path[0] = '\0';
    address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
    snprintf(ret->texts[STEP_FORM], DIAGNOSIS_TEXT_BYTES, "a local socket");
    snprintf(ret->texts[STEP_NAME], DIAGNOSIS_TEXT_BYTES, "%.200s", path);
    return true;
}

void diagnose(const char *endpoint, int timeout_ms, struct diagnosis *ret)
{
    char host[ENDPOINT_BYTES_MAX], port[6];
    struct address address;
    memset(ret, 0, sizeof *ret);
    memset(&address, 0, sizeof address);
    ret->failed = STEP_FORM;
    if (strncmp(endpoint, "ipc://", 6) == 0) {
        if (!find_path(endpoint, &address, ret))
            return;
    } else {
        if (!split_endpoint(endpoint, host, port, ret))
            return;
        ret->failed = STEP_NAME;
        if (!find_name(host, port, &address, ret))
            return;
    }
    ret->failed = STEP_CONNECT;
    int descriptor = open_connection(&address, timeout_ms, ret);
    if (descriptor < 0)
        return;
    ret->failed = read_greeting(descriptor, timeout_ms, ret) ? STEP_COUNT : STEP_GREETING;
    close(descriptor);
}

void diagnosis_print(const struct diagnosis *diagnosis, const char *endpoint, const char *handshake,
                     FILE *out)
{
    static const char *const names[STEP_COUNT] = {"endpoint", "name", "connection", "greeting"};
    static const char *const mends[STEP_COUNT + 1] = {
        [STEP_FORM] = "name it as in --endpoint tcp://127.0.0.1:5550, or in FACT_ENDPOINT",
        [STEP_NAME] = "mend the host in --endpoint or FACT_ENDPOINT",
        [STEP_CONNECT] = "start a system there (fact demo), or name another one: --endpoint, "
                         "FACT_ENDPOINT",
        [STEP_GREETING] = "this is no broker; look for the right port: --endpoint, FACT_ENDPOINT",
        [STEP_COUNT] = "it is no frontend of a broker (5550, not the backend's 5551), or it hangs: "
                       "look at its log"};
    fprintf(out, "fact: no broker greets at %s\n", endpoint);
    for (unsigned step = 0; step < STEP_COUNT && diagnosis->texts[step][0] != '\0'; step++)
        fprintf(out, "  %-10s  %-6s  %s\n", names[step],
                step == (unsigned)diagnosis->failed ? "failed" : "ok", diagnosis->texts[step]);
    bool keyless = diagnosis->failed == STEP_COUNT && handshake[0] != '\0';
    if (keyless)
        fprintf(out, "  %-10s  failed  %s\n", "key", handshake);
    else if (diagnosis->failed == STEP_COUNT)
        fprintf(out, "  %-10s  failed  no WELCOME came\n", "welcome");
    fprintf(out, "To mend it: %s.\n",
            keyless ? "name your key and the broker's: --key, --server-key; yours must be in its "
                      "allow list (docs/operations.md)"
                    : mends[diagnosis->failed]);
}
