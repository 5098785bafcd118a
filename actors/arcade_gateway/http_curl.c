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

#include "actors/arcade_gateway/http_pool.h"
#include "protocol/limits.h"

#define EVENTS_MAX 64 /* of one look */

struct http_curl {
    struct http http; /* first: what is lent is this */
    struct http_rules rules;
    struct http_pool pools[HTTP_KINDS];
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

static struct http_pool *pool_of(struct http_curl *self, const struct transfer *transfer)
{
    return &self->pools[transfer->kind];
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

static void drop(struct http_curl *self, struct transfer *transfer)
{
    uint32_t place = (uint32_t)(transfer->number >> 32) - 1;
    assert(self->transfers[place] == transfer);
    http_pool_remove(pool_of(self, transfer), transfer);
    unhear(self, transfer);
    if (self->lent == transfer)
        self->lent = NULL;
    self->transfers[place] = NULL;
    self->count--;
    transfer_destroy(&transfer);
}

static void ended(struct http_curl *self, struct transfer *transfer)
{
    http_pool_remove(pool_of(self, transfer), transfer);
    transfer->has_ended = true;
    hear(self, transfer);
}

static void begin_hop(struct http_curl *self, struct transfer *transfer, int64_t now_at)
{
    if (!http_pool_add(pool_of(self, transfer), transfer, now_at))
        ended(self, transfer);
}

static void serve_waiting(struct http_curl *self, struct http_pool *pool, int64_t now_at)
{
    for (struct transfer *transfer = http_pool_serve(pool, now_at); transfer != NULL;
         transfer = http_pool_serve(pool, now_at))
        ended(self, transfer);
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
    if (place >= HTTP_TRANSFERS_MAX || self->transfers[place] == NULL ||
        self->transfers[place]->number != exchange)
        return;
    struct http_pool *pool = pool_of(self, self->transfers[place]);
    drop(self, self->transfers[place]);
    serve_waiting(self, pool, clock_us());
}

static int on_descriptor(const struct http *http)
{
    return of(http)->epoll;
}

static int64_t on_due_at(const struct http *http)
{
    const struct http_curl *self = of(http);
    int64_t at = self->next_deadline_at;
    for (unsigned i = 0; i < HTTP_KINDS; i++)
        if (self->pools[i].timer_at < at)
            at = self->pools[i].timer_at;
    return self->first_heard != NULL ? 0 : at;
}

static void take_done(struct http_curl *self, struct http_pool *pool, int64_t now_at)
{
    CURLcode result = CURLE_OK;
    for (struct transfer *transfer = http_pool_done(pool, &result); transfer != NULL;
         transfer = http_pool_done(pool, &result)) {
        bool goes_on = transfer_hop_done(transfer, result, now_at);
        http_pool_remove(pool, transfer);
        if (goes_on)
            begin_hop(self, transfer, now_at);
        else
            ended(self, transfer);
    }
    serve_waiting(self, pool, now_at);
}

static void act_on_sockets(struct http_curl *self)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(self->epoll, events, EVENTS_MAX, 0);
    for (int i = 0; i < count; i++) {
        struct http_pool_event event = http_pool_event(events[i].data.u64);
        http_pool_act(&self->pools[event.kind], event.socket, events[i].events);
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
    act_on_sockets(self);
    if (self->next_deadline_at <= now_at)
        end_late(self, now_at);
    for (unsigned i = 0; i < HTTP_KINDS; i++) {
        http_pool_act_on_time(&self->pools[i], now_at);
        take_done(self, &self->pools[i], now_at);
    }
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

static void on_usage(const struct http *http, struct http_usage *ret)
{
    const struct http_curl *self = of(http);
    *ret = (struct http_usage){.exchanges = self->count};
    for (unsigned i = 0; i < HTTP_KINDS; i++) {
        ret->waiting += self->pools[i].waiting;
        ret->open[i] = self->pools[i].connections.open;
    }
}

static void on_destroy(struct http **http)
{
    struct http_curl *self = of(*http);
    for (uint32_t i = 0; i < HTTP_TRANSFERS_MAX; i++)
        if (self->transfers[i] != NULL)
            drop(self, self->transfers[i]);
    for (unsigned i = 0; i < HTTP_KINDS; i++)
        http_pool_close(&self->pools[i]);
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
                               .usage = on_usage,
                               .destroy = on_destroy};
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    assert(self->epoll >= 0);
    self->next_deadline_at = INT64_MAX;
    self->last_heard = &self->first_heard;
    for (unsigned i = 0; i < HTTP_KINDS; i++)
        http_pool_open(&self->pools[i], (enum http_kind)i, self->epoll);
    return &self->http;
}
