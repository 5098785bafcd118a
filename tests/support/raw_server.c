/* raw_server - see raw_server.h. */
#include "tests/support/raw_server.h"

#include <assert.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define LOOK_MS 5 /* how often one that waits looks whether it may go on */

struct connection {
    struct raw_server *server;
    pthread_t thread;
    int socket;
};

struct raw_server {
    raw_answer *answer;
    int socket;
    uint16_t port;
    pthread_t thread;
    atomic_bool is_over, is_gate_open;
    atomic_uint open, peak, connections;

    pthread_mutex_t lock; /* of requests */
    char *requests[RAW_REQUESTS_MAX];
    unsigned request_count;
    struct connection list[RAW_SOCKETS_MAX]; /* the accepting thread's, then destroy()'s */
};

void raw_say_bytes(int socket, const void *data, size_t size)
{
    const char *at = data;
    while (size > 0) {
        ssize_t sent = send(socket, at, size, MSG_NOSIGNAL);
        if (sent <= 0)
            return; /* the other side has gone */
        at += sent;
        size -= (size_t)sent;
    }
}

void raw_say(int socket, const char *text)
{
    raw_say_bytes(socket, text, strlen(text));
}

void raw_say_ok(int socket, const char *extra, const char *body)
{
    char head[4096];
    snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\n%sContent-Length: %zu\r\n\r\n", extra,
             strlen(body));
    raw_say(socket, head);
    raw_say(socket, body);
}

/* True: there is something to read, or its end; false: the server ends. */
static bool wait_readable(const struct raw_server *self, int socket)
{
    struct pollfd item = {.fd = socket, .events = POLLIN};
    while (!self->is_over)
        if (poll(&item, 1, LOOK_MS) > 0)
            return true;
    return false;
}

bool raw_wait(struct raw_server *self, int socket)
{
    struct pollfd item = {.fd = socket, .events = POLLIN};
    while (!self->is_over && !self->is_gate_open)
        if (poll(&item, 1, LOOK_MS) > 0)
            return false;
    return !self->is_over;
}

/* Bytes of the whole request that text begins with; 0: more must come. */
static size_t request_size(const char *text)
{
    const char *end = strstr(text, "\r\n\r\n");
    const char *length = strcasestr(text, "\r\nContent-Length:");
    if (end == NULL)
        return 0;
    size_t size = (size_t)(end + 4 - text);
    if (length != NULL && length < end)
        size += strtoul(length + strlen("\r\nContent-Length:"), NULL, 10);
    return strlen(text) < size ? 0 : size;
}

/* One request, or false: the connection is over. */
static bool read_request(struct raw_server *self, int socket, char *text)
{
    size_t used = 0;
    text[0] = '\0';
    while (request_size(text) == 0) {
        if (!wait_readable(self, socket))
            return false;
        ssize_t size = recv(socket, text + used, RAW_BYTES_MAX - used - 1, 0);
        if (size <= 0)
            return false;
        used += (size_t)size;
        text[used] = '\0';
    }
    return true;
}

static void keep(struct raw_server *self, const char *text)
{
    char *copy = strdup(text);
    assert(copy != NULL);
    pthread_mutex_lock(&self->lock);
    assert(self->request_count < RAW_REQUESTS_MAX);
    self->requests[self->request_count++] = copy;
    pthread_mutex_unlock(&self->lock);
}

static void *serve(void *context)
{
    struct connection *connection = context;
    struct raw_server *self = connection->server;
    char *text = malloc(RAW_BYTES_MAX);
    assert(text != NULL);
    for (unsigned number = 0; read_request(self, connection->socket, text); number++) {
        keep(self, text);
        if (!self->answer(self, connection->socket, text, number))
            break;
    }
    free(text);
    self->open--;
    close(connection->socket);
    return NULL;
}

static void *listen_on(void *context)
{
    struct raw_server *self = context;
    while (wait_readable(self, self->socket)) {
        int socket = accept(self->socket, NULL, NULL);
        if (socket < 0)
            continue;
        unsigned number = self->connections, open = ++self->open;
        assert(number < RAW_SOCKETS_MAX);
        self->peak = open > self->peak ? open : self->peak;
        self->list[number] = (struct connection){.server = self, .socket = socket};
        int error = pthread_create(&self->list[number].thread, NULL, serve, &self->list[number]);
        assert(error == 0);
        self->connections = number + 1;
    }
    return NULL;
}

struct raw_server *raw_server_new(raw_answer *answer)
{
    return raw_server_new_at(answer, INADDR_LOOPBACK);
}

struct raw_server *raw_server_new_at(raw_answer *answer, uint32_t ip)
{
    struct raw_server *self = calloc(1, sizeof *self);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(ip)};
    socklen_t size = sizeof address;
    assert(self != NULL);
    self->answer = answer;
    pthread_mutex_init(&self->lock, NULL);
    self->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert(self->socket >= 0);
    int error = bind(self->socket, (struct sockaddr *)&address, sizeof address);
    error |= listen(self->socket, RAW_SOCKETS_MAX);
    error |= getsockname(self->socket, (struct sockaddr *)&address, &size);
    error |= pthread_create(&self->thread, NULL, listen_on, self);
    assert(error == 0);
    self->port = ntohs(address.sin_port);
    return self;
}

void raw_server_destroy(struct raw_server **self_p)
{
    struct raw_server *self = *self_p;
    self->is_over = true;
    pthread_join(self->thread, NULL);
    for (unsigned i = 0; i < self->connections; i++)
        pthread_join(self->list[i].thread, NULL);
    for (unsigned i = 0; i < self->request_count; i++)
        free(self->requests[i]);
    close(self->socket);
    pthread_mutex_destroy(&self->lock);
    free(self);
    *self_p = NULL;
}

uint16_t raw_server_port(const struct raw_server *self)
{
    return self->port;
}

unsigned raw_server_connections(struct raw_server *self)
{
    return self->connections;
}

unsigned raw_server_open(struct raw_server *self)
{
    return self->open;
}

unsigned raw_server_peak(struct raw_server *self)
{
    return self->peak;
}

unsigned raw_server_requests(struct raw_server *self)
{
    pthread_mutex_lock(&self->lock);
    unsigned count = self->request_count;
    pthread_mutex_unlock(&self->lock);
    return count;
}

const char *raw_server_request(struct raw_server *self, unsigned n)
{
    pthread_mutex_lock(&self->lock);
    assert(n < self->request_count);
    const char *text = self->requests[n];
    pthread_mutex_unlock(&self->lock);
    return text;
}

void raw_server_open_gate(struct raw_server *self)
{
    self->is_gate_open = true;
}
