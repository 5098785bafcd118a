/* view - see view.h. */
#include "broker/view.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define VIEW_BYTES_MAX MESSAGE_BYTES_MAX
#define MEMBER_OVERHEAD 80u /* its keys, markers, uuid and weight */
#define VIEW_OVERHEAD 64u   /* what is not members */

struct place_in_view {
    char uuid[SESSION_ID_BYTES];
    uint64_t weight;
    struct name zone, instance;
    size_t endpoint_size;
    char endpoint[ENDPOINT_BYTES_MAX];
};

struct view {
    uint64_t counter;
    uint32_t rank, count;
    int64_t hold_us, issued_at, due_at;
    uint64_t epoch;                  /* of body; 0: none */
    size_t body_size, members_bytes; /* the latter at most, and of members */
    struct place_in_view members[VIEW_MEMBERS_MAX];
    char body[VIEW_BYTES_MAX];
};

struct view *view_new(uint64_t counter_first, uint32_t rank, int64_t hold_us)
{
    assert(rank < VIEW_EPOCH_STEP);
    assert(hold_us >= 0);
    struct view *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->counter = counter_first;
    self->rank = rank;
    self->hold_us = hold_us;
    self->due_at = INT64_MAX;
    return self;
}

void view_destroy(struct view **self_p)
{
    assert(self_p != NULL);
    free(*self_p);
    *self_p = NULL;
}

static uint32_t find(const struct view *self, const char *uuid)
{
    uint32_t at = 0;
    while (at < self->count && memcmp(self->members[at].uuid, uuid, SESSION_ID_BYTES) != 0)
        at++;
    return at;
}

/* Due a hold-down after the last view; the first at once. */
static void changed(struct view *self, int64_t now_at)
{
    if (self->due_at != INT64_MAX)
        return;
    self->due_at = self->epoch == 0 ? now_at : now_at + self->hold_us;
}

static bool is_same(const struct place_in_view *left, const struct place_in_view *right)
{
    return left->weight == right->weight &&
           bytes_equal(name_bytes(&left->zone), name_bytes(&right->zone)) &&
           bytes_equal(name_bytes(&left->instance), name_bytes(&right->instance)) &&
           left->endpoint_size == right->endpoint_size &&
           memcmp(left->endpoint, right->endpoint, left->endpoint_size) == 0;
}

/* At most; so that what is taken in can be said. */
static size_t bytes_of_member(const struct place_in_view *place)
{
    return MEMBER_OVERHEAD + place->zone.size + place->instance.size + place->endpoint_size;
}

enum status view_put(struct view *self, const struct msg_member *member, int64_t now_at)
{
    assert(member->uuid.size == SESSION_ID_BYTES);
    assert(member->endpoint.size <= ENDPOINT_BYTES_MAX);
    struct place_in_view place = {.weight = member->weight,
                                  .zone = name_of(member->zone),
                                  .instance = name_of(member->instance),
                                  .endpoint_size = member->endpoint.size};
    memcpy(place.uuid, member->uuid.data, SESSION_ID_BYTES);
    memcpy(place.endpoint, member->endpoint.data, member->endpoint.size);
    uint32_t at = find(self, place.uuid);
    if (at < self->count && is_same(&self->members[at], &place))
        return STATUS_OK;
    size_t bytes = self->members_bytes + bytes_of_member(&place);
    if (at < self->count)
        bytes -= bytes_of_member(&self->members[at]);
    if (at == VIEW_MEMBERS_MAX || bytes > VIEW_BYTES_MAX - VIEW_OVERHEAD)
        return STATUS_TOO_LARGE;
    self->members[at] = place;
    self->members_bytes = bytes;
    self->count += at == self->count;
    changed(self, now_at);
    return STATUS_OK;
}

void view_drop(struct view *self, const char *uuid, int64_t now_at)
{
    uint32_t at = find(self, uuid);
    if (at == self->count)
        return;
    self->members_bytes -= bytes_of_member(&self->members[at]);
    self->count--;
    memmove(&self->members[at], &self->members[at + 1],
            (self->count - at) * sizeof self->members[0]);
    changed(self, now_at);
}

void view_seen(struct view *self, uint64_t epoch, int64_t now_at)
{
    if (epoch <= self->epoch || epoch / VIEW_EPOCH_STEP >= UINT64_MAX / VIEW_EPOCH_STEP - 1)
        return; /* the latter leaves no room above: nobody means that */
    self->counter = epoch / VIEW_EPOCH_STEP + 1;
    self->due_at = now_at;
}

int64_t view_due_at(const struct view *self)
{
    return self->due_at;
}

static void write_members(const struct view *self, struct writer *writer)
{
    writer_array(writer, self->count);
    for (uint32_t i = 0; i < self->count; i++) {
        const struct place_in_view *place = &self->members[i];
        struct msg_member member = {.uuid = {place->uuid, SESSION_ID_BYTES},
                                    .weight = place->weight,
                                    .zone = name_bytes(&place->zone),
                                    .endpoint = {place->endpoint, place->endpoint_size},
                                    .instance = name_bytes(&place->instance)};
        enum status status = message_write(MSG_MEMBER, &member, writer);
        assert(status == STATUS_OK);
    }
}

bool view_issue(struct view *self, int64_t now_at)
{
    struct writer writer;
    if (now_at < self->due_at)
        return false;
    self->due_at = INT64_MAX;
    uint64_t epoch = self->counter * VIEW_EPOCH_STEP + self->rank;
    writer_init(&writer, self->body, sizeof self->body);
    writer_map(&writer, 3);
    writer_cstr(&writer, "epoch");
    writer_u64(&writer, epoch);
    writer_cstr(&writer, "seed");
    writer_u64(&writer, 0);
    writer_cstr(&writer, "members");
    write_members(self, &writer);
    assert(!writer.full);
    self->body_size = writer.used;
    self->epoch = epoch;
    self->counter++;
    return true;
}

struct bytes view_body(const struct view *self)
{
    return self->epoch == 0 ? (struct bytes){0} : (struct bytes){self->body, self->body_size};
}

uint64_t view_epoch(const struct view *self)
{
    return self->epoch;
}

uint32_t view_count(const struct view *self)
{
    return self->count;
}
