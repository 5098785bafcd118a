/* others - see others.h. */
#include "broker/others.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "protocol/pairs.h"

#define SILENT_US (3 * US_PER_S) /* three beats */

/* The next text between commas; false: there is none, or it is empty or too long. */
static bool take_endpoint(const char **text, char *ret)
{
    size_t size = strcspn(*text, ",");
    if (size == 0 || size >= ENDPOINT_BYTES_MAX)
        return false;
    memcpy(ret, *text, size);
    ret[size] = '\0';
    *text += size + ((*text)[size] == ',');
    return true;
}

static bool is_known(const struct others *self, const char *frontend)
{
    for (unsigned i = 0; i < self->count; i++)
        if (strcmp(self->places[i].frontend, frontend) == 0)
            return true;
    return false;
}

static bool refuse(const char *list, const char *why, char *reason)
{
    (void)snprintf(reason, OTHERS_REASON_BYTES,
                   "broker.peers: '%.200s': %s; wanted are frontend, backend and events of each "
                   "broker, all with commas between",
                   list, why);
    return false;
}

bool others_init(struct others *self, const char *list, const char *own, char *reason)
{
    const char *text = list;
    memset(self, 0, sizeof *self);
    while (*text != '\0') {
        struct other place = {.heard_at = INT64_MIN};
        if (!take_endpoint(&text, place.frontend) || !take_endpoint(&text, place.backend) ||
            !take_endpoint(&text, place.events))
            return refuse(list, "its endpoints do not come in threes", reason);
        if (strcmp(place.frontend, own) == 0)
            continue;
        if (is_known(self, place.frontend))
            return refuse(list, "a broker is named twice", reason);
        if (self->count == OTHERS_MAX)
            return refuse(list, "too many brokers", reason);
        self->rank += strcmp(place.frontend, own) < 0;
        self->places[self->count++] = place;
    }
    return true;
}

static bool take_beat(struct other *self, struct bytes body)
{
    struct msg_event_members members;
    if (message_decode(MSG_EVENT_MEMBERS, body, &members) != STATUS_OK || members.instance.size > 0)
        return false;
    self->generation = members.generation;
    self->partitions = members.partitions;
    self->epoch = members.epoch;
    return true;
}

bool others_hear(struct others *self, unsigned index, struct bytes message, int64_t now_at,
                 struct bytes *ret_view)
{
    struct pairs pairs = pairs_over(message);
    struct pair pair;
    struct other *other = &self->places[index];
    assert(index < self->count);
    *ret_view = (struct bytes){0};
    if (!pairs_next(&pairs, &pair) || pair.status != STATUS_OK ||
        pair.header.command != COMMAND_EVENT)
        return false;
    other->heard_at = now_at;
    if (bytes_are(pair.header.method, "view"))
        *ret_view = pair.body;
    return bytes_are(pair.header.method, "members") && take_beat(other, pair.body);
}

bool others_is_heard(const struct others *self, unsigned index, int64_t now_at)
{
    assert(index < self->count);
    int64_t heard_at = self->places[index].heard_at;
    return heard_at != INT64_MIN && now_at - heard_at < SILENT_US;
}

unsigned others_heard(const struct others *self, int64_t now_at)
{
    unsigned count = 0;
    for (unsigned i = 0; i < self->count; i++)
        count += others_is_heard(self, i, now_at);
    return count;
}

/* Those before it in the order, by name; own: the frontend of this broker is not kept, so its rank
 * tells: as many stand before it. */
static bool stands_before(const struct others *self, unsigned index)
{
    uint32_t before = 0;
    for (unsigned i = 0; i < self->count; i++)
        before += strcmp(self->places[i].frontend, self->places[index].frontend) < 0;
    return before < self->rank;
}

bool others_let_tell(const struct others *self, uint64_t partitions, int64_t now_at)
{
    uint64_t most = partitions;
    for (unsigned i = 0; i < self->count; i++)
        if (others_is_heard(self, i, now_at) && self->places[i].partitions > most)
            most = self->places[i].partitions;
    if (2 * partitions <= most && most > 0)
        return false;
    for (unsigned i = 0; i < self->count; i++)
        if (others_is_heard(self, i, now_at) && stands_before(self, i) &&
            2 * self->places[i].partitions > most)
            return false;
    return true;
}

void others_write(const struct others *self, struct writer *writer)
{
    for (unsigned i = 0; i < self->count; i++) {
        const struct other *other = &self->places[i];
        struct msg_broker_address address = {.frontend = bytes_of(other->frontend),
                                             .backend = bytes_of(other->backend),
                                             .events = bytes_of(other->events)};
        enum status status = message_write(MSG_BROKER_ADDRESS, &address, writer);
        assert(status == STATUS_OK);
    }
}
