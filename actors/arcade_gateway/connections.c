/* connections - see connections.h. */
#include "actors/arcade_gateway/connections.h"

#include <assert.h>
#include <string.h>

#include "actors/arcade_gateway/url.h"

void connections_init(struct connections *self, uint32_t max)
{
    assert(max > 0);
    memset(self, 0, sizeof *self);
    self->max = max;
}

uint32_t connections_enter(struct connections *self, const struct url *url)
{
    uint64_t origin = url_origin_hash(url);
    uint32_t room = HTTP_TRANSFERS_MAX, host = 0;
    while (host < HTTP_TRANSFERS_MAX &&
           (self->hosts[host].held == 0 || self->hosts[host].origin != origin)) {
        if (self->hosts[host].held == 0 && room == HTTP_TRANSFERS_MAX)
            room = host;
        host++;
    }
    if (host == HTTP_TRANSFERS_MAX) {
        assert(room < HTTP_TRANSFERS_MAX); /* there are as many as exchanges */
        host = room;
        memset(&self->hosts[host], 0, sizeof self->hosts[host]);
        self->hosts[host].origin = origin;
        self->hosts[host].is_secure = url->is_https;
    }
    self->hosts[host].held++;
    return host;
}

void connections_leave(struct connections *self, uint32_t host)
{
    assert(self->hosts[host].held > self->hosts[host].running);
    self->hosts[host].held--;
}

/* Connections of one host that are in use, at most. */
static uint32_t used_by(const struct connections *self, uint32_t host)
{
    uint32_t running = self->hosts[host].running;
    return self->hosts[host].is_shared && running > 1 ? 1 : running;
}

bool connections_may_begin(const struct connections *self, uint32_t host)
{
    uint32_t running = self->hosts[host].running;
    uint32_t left = self->max - self->used;
    if (self->hosts[host].is_shared && running > 0)
        return running < HTTP_HOST_STREAMS_MAX;
    if (self->hosts[host].is_secure && !self->hosts[host].is_made && running > 0)
        return false;
    return running < HTTP_HOST_CONNECTIONS_MAX && running < left;
}

/* Change how many run, or whether they share, and what is used with it. */
static void set(struct connections *self, uint32_t host, uint32_t running, bool is_shared)
{
    self->used -= used_by(self, host);
    self->hosts[host].running = running;
    self->hosts[host].is_shared = is_shared;
    self->used += used_by(self, host);
}

void connections_begin(struct connections *self, uint32_t host)
{
    assert(connections_may_begin(self, host));
    assert(self->hosts[host].running < self->hosts[host].held);
    set(self, host, self->hosts[host].running + 1, self->hosts[host].is_shared);
    assert(self->used <= self->max);
}

void connections_made(struct connections *self, uint32_t host)
{
    self->hosts[host].is_made = true;
}

bool connections_are_shared(const struct connections *self, uint32_t host)
{
    return self->hosts[host].is_shared;
}

void connections_end(struct connections *self, uint32_t host, enum http_version version)
{
    uint32_t running = self->hosts[host].running;
    assert(running > 0);
    bool is_shared = self->hosts[host].is_shared || version == HTTP_VERSION_2;
    set(self, host, running - 1, is_shared);
}
