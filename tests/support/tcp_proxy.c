/* tcp_proxy TARGET - a TCP link that can be made bad: between any two processes of a test.
 *
 * Listens on a free port of loopback and says "listening tcp://127.0.0.1:PORT"; each connection
 * gets one to TARGET (tcp://127.0.0.1:PORT). Commands are words on stdin, a line each, and each is
 * answered with a line that begins with "ok" or "error":
 *
 *   latency MS [JITTER_MS]  each part takes so long, each way, and up to JITTER_MS more
 *   bandwidth BYTES_PER_S   of each connection, each way
 *   slice BYTES             so many at a time, a millisecond apart
 *   stall                   connections are taken, and nothing goes through them
 *   refuse                  new connections are refused
 *   reset                   those that are there are reset, now
 *   pass                    a good link again, and what waits goes on
 *   stats                   ok connections N up BYTES down BYTES
 *
 * What is set stays set beside the others until pass. Ends when stdin does. One loop; what it holds
 * of a connection has a bound each way (slow_pipe.h), beyond which the sender waits as on any link.
 * One that is stalled hides even its end from the other side. */
#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "protocol/limits.h"
#include "tests/support/slow_pipe.h"

#define LINKS_MAX 64u /* connections; more wait until one ends */
#define LINE_BYTES_MAX 256u
#define TAG_STDIN (2u * LINKS_MAX)
#define TAG_LISTENER (TAG_STDIN + 1)

/* One end of a link, and the bytes that came in there. */
struct side {
    int fd;
    uint32_t watched;       /* of epoll's events; 0: not there */
    bool readable, blocked; /* there may be something to read; it takes no more now */
    bool ended, told;       /* no more comes in; the other end has been told */
    struct slow_pipe *pipe; /* to the other end */
};

struct link {
    bool used;
    struct side sides[2]; /* who connected, and the target */
};

struct proxy {
    struct sockaddr_in target, own;
    int epoll, holder,
        listener; /* holder keeps the port while nobody listens; listener -1: refused */
    bool stalled, listened;
    struct slow_terms terms;
    struct link links[LINKS_MAX];
    uint64_t bytes[2];
    int64_t now_at;
    char line[LINE_BYTES_MAX];
    size_t line_size;
};

static int64_t clock_at(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

static void fail(const char *what)
{
    (void)fprintf(stderr, "tcp_proxy: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* Watch for these events, or for none: then not even an error wakes us. */
static void watch(struct proxy *self, int fd, uint32_t *watched, uint32_t events, uint32_t tag)
{
    struct epoll_event event = {.events = events, .data.u32 = tag};
    int how = *watched == 0 ? EPOLL_CTL_ADD : events == 0 ? EPOLL_CTL_DEL : EPOLL_CTL_MOD;
    if (*watched == events)
        return;
    if (epoll_ctl(self->epoll, how, fd, &event) != 0)
        fail("epoll_ctl");
    *watched = events;
}

/* Links. */

static void close_link(struct link *link, bool abruptly)
{
    const struct linger at_once = {.l_onoff = 1};
    for (unsigned i = 0; i < 2; i++) {
        struct side *side = &link->sides[i];
        if (abruptly)
            (void)setsockopt(side->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        (void)close(side->fd);
        free(side->pipe);
    }
    *link = (struct link){.used = false};
}

static void open_side(struct side *side, int fd)
{
    int one = 1;
    *side = (struct side){.fd = fd, .pipe = calloc(1, sizeof *side->pipe)};
    assert(side->pipe != NULL);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static struct link *free_link(struct proxy *self)
{
    for (unsigned i = 0; i < LINKS_MAX; i++)
        if (!self->links[i].used)
            return &self->links[i];
    return NULL;
}

static void take_connection(struct proxy *self)
{
    struct link *link = free_link(self);
    int fd = accept4(self->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0)
        return;
    int target = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (target < 0)
        fail("socket");
    (void)connect(target, (struct sockaddr *)&self->target, sizeof self->target);
    link->used = true; /* how the connection fares is seen when it is read */
    open_side(&link->sides[0], fd);
    open_side(&link->sides[1], target);
}

/* Take bytes in at this end. False: the connection is broken. */
static bool fill(struct proxy *self, struct side *side)
{
    char *at;
    size_t room = slow_pipe_room(side->pipe, &at);
    if (!side->readable || side->ended || room == 0)
        return true;
    ssize_t size = recv(side->fd, at, room, 0);
    side->readable = false;
    if (size > 0)
        slow_pipe_put(side->pipe, (size_t)size, &self->terms, self->now_at);
    side->ended = size == 0;
    return size >= 0 || errno == EAGAIN || errno == EINTR;
}

/* Hand on what is due to the other end, and that no more comes. */
static bool drain(struct proxy *self, struct side *from, struct side *to, uint64_t *bytes)
{
    const char *at;
    size_t ready;
    while (!to->blocked &&
           (ready = slow_pipe_ready(from->pipe, &self->terms, self->now_at, &at)) > 0) {
        ssize_t size = send(to->fd, at, ready, MSG_NOSIGNAL);
        to->blocked = size < (ssize_t)ready;
        if (size < 0)
            return errno == EAGAIN || errno == EINTR;
        slow_pipe_take(from->pipe, (size_t)size, &self->terms, self->now_at);
        *bytes += (uint64_t)size;
    }
    if (from->ended && !from->told && slow_pipe_held(from->pipe) == 0) {
        from->told = true;
        (void)shutdown(to->fd, SHUT_WR);
    }
    return true;
}

/* What each end is to be woken for. */
static void watch_link(struct proxy *self, struct link *link, uint32_t tag)
{
    char *at;
    for (unsigned i = 0; i < 2; i++) {
        struct side *side = &link->sides[i];
        bool reads = !side->ended && slow_pipe_room(side->pipe, &at) > 0;
        uint32_t events = (reads ? EPOLLIN : 0u) | (side->blocked ? EPOLLOUT : 0u);
        watch(self, side->fd, &side->watched, self->stalled ? 0 : events, tag + i);
    }
}

static void pump(struct proxy *self, uint32_t index)
{
    struct link *link = &self->links[index];
    struct side *sides = link->sides;
    bool good = true;
    for (unsigned i = 0; i < 2 && good && !self->stalled; i++)
        good = fill(self, &sides[i]) && drain(self, &sides[i], &sides[1 - i], &self->bytes[i]);
    if (!good || (sides[0].told && sides[1].told))
        close_link(link, !good);
    else
        watch_link(self, link, 2 * index);
}

/* The port. */

static int bind_own(const struct sockaddr_in *address)
{
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(fd, (const struct sockaddr *)address, sizeof *address) != 0)
        fail("bind");
    return fd;
}

static void start_listening(struct proxy *self)
{
    if (self->listener >= 0)
        return;
    self->listener = bind_own(&self->own);
    if (listen(self->listener, LINKS_MAX) != 0)
        fail("listen");
}

static void stop_listening(struct proxy *self)
{
    if (self->listener >= 0)
        (void)close(self->listener);
    self->listener = -1;
    self->listened = false;
}

/* Only while there is room for one more. */
static void watch_listener(struct proxy *self)
{
    uint32_t watched = self->listened ? EPOLLIN : 0;
    bool wanted = free_link(self) != NULL;
    if (self->listener < 0)
        return;
    watch(self, self->listener, &watched, wanted ? EPOLLIN : 0, TAG_LISTENER);
    self->listened = wanted;
}

/* Commands. */

static unsigned count_links(const struct proxy *self)
{
    unsigned count = 0;
    for (unsigned i = 0; i < LINKS_MAX; i++)
        count += self->links[i].used;
    return count;
}

static void pass(struct proxy *self)
{
    self->terms = (struct slow_terms){0};
    self->stalled = false;
    start_listening(self);
}

static void reset(struct proxy *self)
{
    for (unsigned i = 0; i < LINKS_MAX; i++)
        if (self->links[i].used)
            close_link(&self->links[i], true);
}

/* Those with numbers; false: it is none, or they make no sense. */
static bool set_terms(struct proxy *self, const char *line)
{
    struct slow_terms *terms = &self->terms;
    unsigned first, second = 0;
    int end = 0;
    if (strchr(line, '-') != NULL) /* %u would take it */
        return false;
    if (sscanf(line, "latency %6u %n%6u %n", &first, &end, &second, &end) >= 1 &&
        line[end] == '\0') {
        terms->latency_us = first * US_PER_MS;
        terms->jitter_us = second * US_PER_MS;
    } else if (sscanf(line, "bandwidth %9u %n", &first, &end) == 1 && first > 0 &&
               line[end] == '\0') {
        terms->bytes_per_s = first;
    } else if (sscanf(line, "slice %9u %n", &first, &end) == 1 && first > 0 && line[end] == '\0') {
        terms->slice_bytes = first;
    } else {
        return false;
    }
    return true;
}

static void obey(struct proxy *self, const char *line)
{
    bool known = true;
    if (strcmp(line, "pass") == 0)
        pass(self);
    else if (strcmp(line, "stall") == 0)
        self->stalled = true;
    else if (strcmp(line, "refuse") == 0)
        stop_listening(self);
    else if (strcmp(line, "reset") == 0)
        reset(self);
    else
        known = strcmp(line, "stats") == 0 || set_terms(self, line);
    if (known)
        printf("ok connections %u up %llu down %llu\n", count_links(self),
               (unsigned long long)self->bytes[0], (unsigned long long)self->bytes[1]);
    else
        printf("error: not a command, or a number out of range: %s\n", line);
    (void)fflush(stdout);
}

/* Whole lines are obeyed, in order. False: stdin has ended. */
static bool take_commands(struct proxy *self)
{
    char *end;
    size_t room = sizeof self->line - self->line_size;
    ssize_t size = read(STDIN_FILENO, self->line + self->line_size, room);
    if (size <= 0)
        return false;
    self->line_size += (size_t)size;
    while ((end = memchr(self->line, '\n', self->line_size)) != NULL) {
        *end = '\0';
        obey(self, self->line);
        self->line_size -= (size_t)(end + 1 - self->line);
        memmove(self->line, end + 1, self->line_size);
    }
    if (self->line_size == sizeof self->line)
        self->line_size = 0; /* no command is so long: what follows is told to be none */
    return true;
}

/* The loop. */

static int64_t link_due_at(const struct proxy *self, const struct link *link)
{
    int64_t due_at = INT64_MAX;
    for (unsigned i = 0; i < 2; i++) {
        int64_t own = slow_pipe_due_at(link->sides[i].pipe, &self->terms);
        if (!link->sides[1 - i].blocked && own < due_at)
            due_at = own;
    }
    return due_at;
}

static int timeout_ms(const struct proxy *self)
{
    int64_t due_at = INT64_MAX;
    for (unsigned i = 0; i < LINKS_MAX && !self->stalled; i++) {
        int64_t own = self->links[i].used ? link_due_at(self, &self->links[i]) : INT64_MAX;
        due_at = own < due_at ? own : due_at;
    }
    int64_t left_us = due_at == INT64_MAX ? 3600 * US_PER_S : due_at - clock_at();
    return left_us <= 0 ? 0 : (int)((left_us + US_PER_MS - 1) / US_PER_MS);
}

/* False: stdin has ended. */
static bool take_events(struct proxy *self, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        uint32_t tag = events[i].data.u32;
        if (tag == TAG_STDIN && !take_commands(self))
            return false;
        if (tag == TAG_LISTENER && self->listener >= 0)
            take_connection(self);
        if (tag >= TAG_STDIN)
            continue;
        struct side *side = &self->links[tag / 2].sides[tag % 2];
        side->readable = side->readable || (events[i].events & ~(uint32_t)EPOLLOUT) != 0;
        side->blocked = side->blocked && (events[i].events & ~(uint32_t)EPOLLIN) == 0;
    }
    return true;
}

static void run(struct proxy *self)
{
    struct epoll_event events[2 * LINKS_MAX + 2];
    uint32_t watched = 0;
    int count = 0;
    watch(self, STDIN_FILENO, &watched, EPOLLIN, TAG_STDIN);
    while (take_events(self, events, count)) {
        self->now_at = clock_at();
        for (uint32_t i = 0; i < LINKS_MAX; i++)
            if (self->links[i].used)
                pump(self, i);
        watch_listener(self);
        count = epoll_wait(self->epoll, events, 2 * LINKS_MAX + 2, timeout_ms(self));
    }
}

int main(int argc, char **argv)
{
    static struct proxy proxy = {.listener = -1};
    unsigned port = 0;
    int end = 0;
    socklen_t size = sizeof proxy.own;
    if (argc != 2 || sscanf(argv[1], "tcp://127.0.0.1:%5u%n", &port, &end) != 1 ||
        argv[1][end] != '\0' || port == 0 || port > UINT16_MAX) {
        (void)fputs("usage: tcp_proxy tcp://127.0.0.1:PORT\n", stderr);
        return 64;
    }
    proxy.own.sin_family = AF_INET;
    proxy.own.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    proxy.target = proxy.own;
    proxy.target.sin_port = htons((uint16_t)port);
    proxy.epoll = epoll_create1(EPOLL_CLOEXEC);
    proxy.holder = bind_own(&proxy.own);
    if (proxy.epoll < 0 || getsockname(proxy.holder, (struct sockaddr *)&proxy.own, &size) != 0)
        fail("start");
    start_listening(&proxy);
    printf("listening tcp://127.0.0.1:%u\n", ntohs(proxy.own.sin_port));
    (void)fflush(stdout);
    run(&proxy);
    reset(&proxy);
    stop_listening(&proxy);
    (void)close(proxy.holder);
    (void)close(proxy.epoll);
    return 0;
}
