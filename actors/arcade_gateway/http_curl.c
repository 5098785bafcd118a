/* http_curl - see http_curl.h.
 *
 * Three multi handles: one for the addresses of the settings, one for foreign ones, one for long
 * polls of the former. So no connection that was opened without being judged is ever used for an
 * address that has to be, and none that a call needs is taken by who waits for a person. All have
 * their sockets in one epoll descriptor. */
#include "actors/arcade_gateway/http_curl.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "actors/arcade_gateway/http_transfer.h"
#include "protocol/limits.h"

#define EVENTS_MAX 64 /* of one look */

enum pool { POOL_OWN, POOL_FOREIGN, POOL_POLLS, POOLS };

static const long connections_max[] = {
    [POOL_OWN] = HTTP_CONNECTIONS_MAX - HTTP_FOREIGN_CONNECTIONS_MAX - HTTP_POLL_CONNECTIONS_MAX,
    [POOL_FOREIGN] = HTTP_FOREIGN_CONNECTIONS_MAX,
    [POOL_POLLS] = HTTP_POLL_CONNECTIONS_MAX,
};

struct curl_pool {
    struct http_curl *owner;
    CURLM *multi;
    int64_t timer_at; /* INT64_MAX: none */
};

struct http_curl {
    struct http http; /* first: what is lent is this */
    struct http_rules rules;
    struct curl_pool pools[POOLS];
    int epoll;
    struct transfer *transfers[HTTP_TRANSFERS_MAX]; /* by place */
    uint32_t generations[HTTP_TRANSFERS_MAX];
    uint32_t count;
    int64_t next_deadline_at; /* no transfer's is before */
    struct transfer *first_heard, **last_heard;
    struct transfer *lent; /* the one that next() told of last */
    char texts[3][4096];
};

static struct http_curl *of(const struct http *http)
{
    return (struct http_curl *)(uintptr_t)http;
}

static int64_t clock_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * US_PER_S + now.tv_nsec / 1000;
}

/* Sockets and timers, as libcurl wants them watched. */

static int on_socket(CURL *easy, curl_socket_t socket, int what, void *context, void *known)
{
    struct curl_pool *pool = context;
    struct http_curl *self = pool->owner;
    uint64_t which = (uint64_t)(pool - self->pools);
    struct epoll_event event = {.data.u64 = which << 32 | (uint32_t)socket};
    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        (void)epoll_ctl(self->epoll, EPOLL_CTL_DEL, socket, NULL);
        return 0;
    }
    event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
    if (epoll_ctl(self->epoll, EPOLL_CTL_MOD, socket, &event) != 0)
        (void)epoll_ctl(self->epoll, EPOLL_CTL_ADD, socket, &event);
    (void)known;
    return 0;
}

static int on_timer(CURLM *multi, long ms, void *context)
{
    struct curl_pool *pool = context;
    (void)multi;
    pool->timer_at = ms < 0 ? INT64_MAX : clock_us() + ms * US_PER_MS;
    return 0;
}

static void open_pool(struct http_curl *self, enum pool which)
{
    struct curl_pool *pool = &self->pools[which];
    pool->owner = self;
    pool->timer_at = INT64_MAX;
    pool->multi = curl_multi_init();
    assert(pool->multi != NULL);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
    curl_multi_setopt(pool->multi, CURLMOPT_SOCKETDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERFUNCTION, on_timer);
    curl_multi_setopt(pool->multi, CURLMOPT_TIMERDATA, pool);
    curl_multi_setopt(pool->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    curl_multi_setopt(pool->multi, CURLMOPT_MAX_HOST_CONNECTIONS, (long)HTTP_HOST_CONNECTIONS_MAX);
    curl_multi_setopt(pool->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections_max[which]);
    curl_multi_setopt(pool->multi, CURLMOPT_MAXCONNECTS, connections_max[which]);
}

static struct curl_pool *pool_of(struct http_curl *self, const struct transfer *transfer)
{
    enum pool which = transfer->is_poll ? POOL_POLLS : POOL_OWN;
    return &self->pools[transfer->is_foreign ? POOL_FOREIGN : which];
}

/* What is heard, in the order in which it came. */

static void hear(struct http_curl *self, struct transfer *transfer)
{
    if (transfer->is_heard)
        return;
    transfer->is_heard = true;
    transfer->next_heard = NULL;
    *self->last_heard = transfer;
    self->last_heard = &transfer->next_heard;
}

static void unhear(struct http_curl *self, struct transfer *transfer)
{
    struct transfer **at = &self->first_heard;
    while (*at != NULL && *at != transfer)
        at = &(*at)->next_heard;
    if (*at == NULL)
        return;
    *at = transfer->next_heard;
    if (self->last_heard == &transfer->next_heard)
        self->last_heard = at;
    transfer->is_heard = false;
}

/* Transfers. */

static void deactivate(struct http_curl *self, struct transfer *transfer)
{
    if (transfer->is_active)
        (void)curl_multi_remove_handle(pool_of(self, transfer)->multi, transfer->easy);
    transfer->is_active = false;
}

static void drop(struct http_curl *self, struct transfer *transfer)
{
    uint32_t place = (uint32_t)(transfer->number >> 32) - 1;
    assert(self->transfers[place] == transfer);
    deactivate(self, transfer);
    unhear(self, transfer);
    if (self->lent == transfer)
        self->lent = NULL;
    self->transfers[place] = NULL;
    self->count--;
    transfer_destroy(&transfer);
}

static void ended(struct http_curl *self, struct transfer *transfer)
{
    deactivate(self, transfer);
    transfer->has_ended = true;
    hear(self, transfer);
}

static void begin_hop(struct http_curl *self, struct transfer *transfer, int64_t now_at)
{
    if (!transfer_prepare(transfer, now_at)) {
        ended(self, transfer);
        return;
    }
    transfer->is_active = true;
    CURLMcode code = curl_multi_add_handle(pool_of(self, transfer)->multi, transfer->easy);
    assert(code == CURLM_OK);
}

static uint64_t on_start(struct http *http, const struct http_request *request, char *reason)
{
    struct http_curl *self = of(http);
    int64_t now_at = clock_us();
    uint32_t place = 0;
    while (place < HTTP_TRANSFERS_MAX && self->transfers[place] != NULL)
        place++;
    if (place == HTTP_TRANSFERS_MAX) {
        (void)snprintf(reason, HTTP_REASON_BYTES, "%u exchanges are under way", HTTP_TRANSFERS_MAX);
        return 0;
    }
    struct transfer *transfer = transfer_new(&self->rules, request, now_at, reason);
    if (transfer == NULL)
        return 0;
    transfer->number = (uint64_t)(place + 1) << 32 | ++self->generations[place];
    self->transfers[place] = transfer;
    self->count++;
    if (transfer->deadline_at < self->next_deadline_at)
        self->next_deadline_at = transfer->deadline_at;
    begin_hop(self, transfer, now_at);
    return transfer->number;
}

static void on_cancel(struct http *http, uint64_t exchange)
{
    struct http_curl *self = of(http);
    uint32_t place = (uint32_t)(exchange >> 32) - 1;
    if (place < HTTP_TRANSFERS_MAX && self->transfers[place] != NULL &&
        self->transfers[place]->number == exchange)
        drop(self, self->transfers[place]);
}

static int on_descriptor(const struct http *http)
{
    return of(http)->epoll;
}

static int64_t on_due_at(const struct http *http)
{
    const struct http_curl *self = of(http);
    int64_t at = self->next_deadline_at;
    for (unsigned i = 0; i < POOLS; i++)
        if (self->pools[i].timer_at < at)
            at = self->pools[i].timer_at;
    return self->first_heard != NULL ? 0 : at;
}

/* Those that are done, or have said something. */
static void take_done(struct http_curl *self, struct curl_pool *pool, int64_t now_at)
{
    int left = 0;
    for (CURLMsg *message = curl_multi_info_read(pool->multi, &left); message != NULL;
         message = curl_multi_info_read(pool->multi, &left)) {
        struct transfer *transfer = NULL;
        CURLcode result = message->data.result; /* the message goes with its handle */
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        assert(transfer != NULL);
        deactivate(self, transfer);
        if (transfer_hop_done(transfer, result, now_at))
            begin_hop(self, transfer, now_at);
        else
            ended(self, transfer);
    }
}

static void act_on_sockets(struct http_curl *self)
{
    struct epoll_event events[EVENTS_MAX];
    int running = 0;
    int count = epoll_wait(self->epoll, events, EVENTS_MAX, 0);
    for (int i = 0; i < count; i++) {
        struct curl_pool *pool = &self->pools[events[i].data.u64 >> 32];
        unsigned ready = events[i].events;
        int mask = (ready & EPOLLIN ? CURL_CSELECT_IN : 0) |
                   (ready & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
                   (ready & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);
        (void)curl_multi_socket_action(pool->multi, (curl_socket_t)(uint32_t)events[i].data.u64,
                                       mask, &running);
    }
}

/* Also those that wait for a connection have a deadline. */
static void end_late(struct http_curl *self, int64_t now_at)
{
    self->next_deadline_at = INT64_MAX;
    for (uint32_t i = 0; i < HTTP_TRANSFERS_MAX; i++) {
        struct transfer *transfer = self->transfers[i];
        if (transfer == NULL || transfer->has_ended)
            continue;
        if (transfer->deadline_at <= now_at) {
            transfer_end(transfer, HTTP_LATE, "its time was over");
            ended(self, transfer);
        } else if (transfer->deadline_at < self->next_deadline_at) {
            self->next_deadline_at = transfer->deadline_at;
        }
    }
}

static void hear_pieces(struct http_curl *self)
{
    for (uint32_t i = 0; i < HTTP_TRANSFERS_MAX && self->count > 0; i++)
        if (self->transfers[i] != NULL && self->transfers[i]->has_piece)
            hear(self, self->transfers[i]);
}

static void on_process(struct http *http, int64_t now_at)
{
    struct http_curl *self = of(http);
    int running = 0;
    act_on_sockets(self);
    for (unsigned i = 0; i < POOLS; i++) {
        struct curl_pool *pool = &self->pools[i];
        if (pool->timer_at <= now_at) {
            pool->timer_at = INT64_MAX;
            (void)curl_multi_socket_action(pool->multi, CURL_SOCKET_TIMEOUT, 0, &running);
        }
        take_done(self, pool, now_at);
    }
    if (self->next_deadline_at <= now_at)
        end_late(self, now_at);
    hear_pieces(self);
}

/* What next() told of last has been looked at. */
static void give_back(struct http_curl *self)
{
    struct transfer *transfer = self->lent;
    self->lent = NULL;
    if (transfer == NULL)
        return;
    if (transfer->has_ended && !transfer->is_heard)
        drop(self, transfer);
    else
        transfer->came.used = 0;
}

static enum http_news on_next(struct http *http, struct http_response *ret)
{
    struct http_curl *self = of(http);
    give_back(self);
    struct transfer *transfer = self->first_heard;
    if (transfer == NULL)
        return HTTP_NOTHING;
    unhear(self, transfer);
    transfer->has_piece = false;
    transfer_write_response(transfer, clock_us(), ret);
    self->lent = transfer;
    return transfer->has_ended ? HTTP_ENDED : HTTP_PIECE;
}

static void on_destroy(struct http **http)
{
    struct http_curl *self = of(*http);
    for (uint32_t i = 0; i < HTTP_TRANSFERS_MAX; i++)
        if (self->transfers[i] != NULL)
            drop(self, self->transfers[i]);
    for (unsigned i = 0; i < POOLS; i++)
        (void)curl_multi_cleanup(self->pools[i].multi);
    (void)close(self->epoll);
    free(self);
    *http = NULL;
}

static bool read_rules(struct http_curl *self, const struct http_curl_options *options,
                       char *reason)
{
    char bad[NETWORK_BYTES_MAX];
    (void)snprintf(self->texts[0], sizeof self->texts[0], "%s", options->ca_file);
    (void)snprintf(self->texts[1], sizeof self->texts[1], "%s", options->proxy);
    (void)snprintf(self->texts[2], sizeof self->texts[2], "%s", options->user_agent);
    self->rules.ca_file = self->texts[0];
    self->rules.proxy = self->texts[1];
    self->rules.user_agent = self->texts[2];
    if (options->ca_file[0] != '\0' && access(options->ca_file, R_OK) != 0)
        (void)snprintf(reason, HTTP_REASON_BYTES, "ca_file: %.150s: %s", options->ca_file,
                       strerror(errno));
    else if (!networks_read(&self->rules.allowed, options->web_allow, bad))
        (void)snprintf(reason, HTTP_REASON_BYTES, "web_allow: '%s' is no network", bad);
    else if (!ports_read(&self->rules.ports, options->web_ports))
        (void)snprintf(reason, HTTP_REASON_BYTES, "web_ports: a list of ports is wanted");
    else
        return true;
    return false;
}

struct http *http_curl_new(const struct http_curl_options *options, char *reason)
{
    struct http_curl *self = calloc(1, sizeof *self);
    assert(self != NULL);
    if (!read_rules(self, options, reason)) {
        free(self);
        return NULL;
    }
    CURLcode code = curl_global_init(CURL_GLOBAL_DEFAULT);
    assert(code == CURLE_OK);
    self->http = (struct http){.start = on_start,
                               .cancel = on_cancel,
                               .descriptor = on_descriptor,
                               .due_at = on_due_at,
                               .process = on_process,
                               .next = on_next,
                               .destroy = on_destroy};
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    assert(self->epoll >= 0);
    self->next_deadline_at = INT64_MAX;
    self->last_heard = &self->first_heard;
    for (unsigned i = 0; i < POOLS; i++)
        open_pool(self, (enum pool)i);
    return &self->http;
}
