/* http_pool - see http_pool.h. */
#include "actors/arcade_gateway/http_pool.h"

#include <assert.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "protocol/limits.h"

static const uint32_t connections_max[] = {
    [HTTP_KIND_OWN] =
        HTTP_CONNECTIONS_MAX - HTTP_FOREIGN_CONNECTIONS_MAX - HTTP_POLL_CONNECTIONS_MAX,
    [HTTP_KIND_FOREIGN] = HTTP_FOREIGN_CONNECTIONS_MAX,
    [HTTP_KIND_POLL] = HTTP_POLL_CONNECTIONS_MAX,
};

static int64_t clock_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

/* Sockets and timers, as libcurl wants them watched. */

struct http_pool_event http_pool_event(uint64_t data)
{
    return (struct http_pool_event){(enum http_kind)(data >> 32), (curl_socket_t)(uint32_t)data};
}

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *known)
{
    const struct http_pool *self = context;
    struct epoll_event event = {.data.u64 = (uint64_t)self->kind << 32 | (uint32_t)socket};
    (void)easy, (void)known;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(self->epoll, EPOLL_CTL_DEL, socket, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (epoll_ctl(self->epoll, EPOLL_CTL_MOD, socket, &event) != 0)
        (void)epoll_ctl(self->epoll, EPOLL_CTL_ADD, socket, &event);
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *context)
{
    struct http_pool *self = context;
    (void)multi;
    self->timer_at = ms < 0 ? INT64_MAX : clock_us() + ms * US_PER_MS;
    return 0;
}

void http_pool_open(struct http_pool *self, enum http_kind kind, int epoll)
{
    memset(self, 0, sizeof *self);
    self->kind = kind;
    self->epoll = epoll;
    self->timer_at = INT64_MAX;
    self->last_waiting = &self->first_waiting;
    connections_init(&self->connections, connections_max[kind]);
    self->multi = curl_multi_init();
    assert(self->multi != NULL);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(self->multi, CURLMOPT_SOCKETDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(self->multi, CURLMOPT_TIMERDATA, self);
    curl_multi_setopt(self->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(self->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HTTP_HOST_CONNECTIONS_MAX);
    curl_multi_setopt(self->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, (long)connections_max[kind]);
    curl_multi_setopt(self->multi, CURLMOPT_MAXCONNECTS, (long)connections_max[kind]);
}

void http_pool_close(struct http_pool *self)
{
    assert(self->first_waiting == NULL);
    assert(self->connections.used == 0);
    (void)curl_multi_cleanup(self->multi);
    assert(self->connections.open == 0);
}

/* Transfers. */

static void begin(struct http_pool *self, struct transfer *transfer)
{
    connections_begin(&self->connections, transfer->host);
    transfer->is_active = true;
    bool is_shared = connections_are_shared(&self->connections, transfer->host);
    curl_easy_setopt(transfer->easy, CURLOPT_PIPEWAIT, is_shared ? 1L : 0L);
    CURLMcode code = curl_multi_add_handle(self->multi, transfer->easy);
    assert(code == CURLM_OK);
}

static void wait(struct http_pool *self, struct transfer *transfer)
{
    transfer->is_waiting = true;
    transfer->next_waiting = NULL;
    *self->last_waiting = transfer;
    self->last_waiting = &transfer->next_waiting;
    self->waiting++;
}

/* at: what points to it in the list */
static void wait_no_more(struct http_pool *self, struct transfer **at)
{
    struct transfer *transfer = *at;
    *at = transfer->next_waiting;
    if (self->last_waiting == &transfer->next_waiting)
        self->last_waiting = at;
    transfer->is_waiting = false;
    self->waiting--;
}

bool http_pool_add(struct http_pool *self, struct transfer *transfer, int64_t now_at)
{
    struct url url;
    const char *reason;
    assert(!transfer->is_active);
    assert(!transfer->is_waiting);
    transfer->connections = &self->connections;
    if (!transfer_prepare(transfer, now_at))
        return false;
    if (!url_read(transfer->url, &url, &reason))
        memset(&url, 0, sizeof url); /* libcurl will say what it is */
    transfer->host = connections_enter(&self->connections, &url);
    if (connections_may_begin(&self->connections, transfer->host))
        begin(self, transfer);
    else
        wait(self, transfer);
    return true;
}

void http_pool_remove(struct http_pool *self, struct transfer *transfer)
{
    struct transfer **at = &self->first_waiting;
    if (!transfer->is_active && !transfer->is_waiting)
        return;
    while (transfer->is_waiting && *at != transfer)
        at = &(*at)->next_waiting;
    if (transfer->is_waiting)
        wait_no_more(self, at);
    if (transfer->is_active) {
        connections_end(&self->connections, transfer->host, transfer_version(transfer));
        (void)curl_multi_remove_handle(self->multi, transfer->easy);
    }
    transfer->is_active = false;
    connections_leave(&self->connections, transfer->host);
}

struct transfer *http_pool_serve(struct http_pool *self, int64_t now_at)
{
    for (struct transfer **at = &self->first_waiting; *at != NULL;) {
        struct transfer *transfer = *at;
        if (!connections_may_begin(&self->connections, transfer->host)) {
            at = &transfer->next_waiting;
            continue;
        }
        wait_no_more(self, at);
        if (!transfer_prepare(transfer, now_at)) {
            connections_leave(&self->connections, transfer->host);
            return transfer;
        }
        begin(self, transfer);
    }
    return NULL;
}

void http_pool_act(struct http_pool *self, curl_socket_t socket, unsigned ready)
{
    int running = 0;
    int mask = (ready & EPOLLIN ? CURL_CSELECT_IN : 0) | (ready & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
               (ready & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
    (void)curl_multi_socket_action(self->multi, socket, mask, &running);
}

void http_pool_act_on_time(struct http_pool *self, int64_t now_at)
{
    int running = 0;
    if (self->timer_at > now_at)
        return;
    self->timer_at = INT64_MAX;
    (void)curl_multi_socket_action(self->multi, CURL_SOCKET_TIMEOUT, 0, &running);
}

struct transfer *http_pool_done(struct http_pool *self, CURLcode *ret)
{
    int left = 0;
    struct transfer *transfer = NULL;
    const CURLMsg *message = curl_multi_info_read(self->multi, &left);
    if (message == NULL)
        return NULL;
    *ret = message->data.result; /* the message goes with its handle */
    (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
    assert(transfer != NULL);
    return transfer;
}
