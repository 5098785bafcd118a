/* view - see view.h. */
#include "broker/view.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define VIEW_BYTES_MAX MESSAGE_BYTES_MAX
#define MEMBER_OVERHEAD 96u                            /* its keys, markers, uuid and weight */
#define VIEW_OVERHEAD 64u                              /* what is not members */
#define COUNTER_MAX (UINT64_MAX / VIEW_EPOCH_STEP - 1) /* leaves no room above: nobody means it */

struct place_in_view {
    char uuid[SESSION_ID_BYTES];
    uint64_t weight;
    struct name zone, instance, curve_key;
    size_t endpoint_size;
    char endpoint[ENDPOINT_BYTES_MAX];
};

struct view {
    uint64_t counter;
    uint32_t rank, count;
    int64_t hold_us, due_at;
    int64_t first_at;                /* not before this time; INT64_MIN: at once */
    uint64_t epoch;                  /* of body; 0: none */
    bool adopted;                    /* body is another broker's */
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
    self->first_at = INT64_MIN;
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

void view_hold(struct view *self, int64_t now_at)
{
    self->first_at = now_at + self->hold_us;
}

/* Due a hold-down after the change; the first view at once, or when it may be. */
static void changed(struct view *self, int64_t now_at)
{
    if (self->due_at != INT64_MAX)
        return;
    if (self->epoch > 0)
        self->due_at = now_at + self->hold_us;
    else
        self->due_at = now_at > self->first_at ? now_at : self->first_at;
}

static bool is_same(const struct place_in_view *left, const struct place_in_view *right)
{
    return left->weight == right->weight &&
           bytes_equal(name_bytes(&left->zone), name_bytes(&right->zone)) &&
           bytes_equal(name_bytes(&left->instance), name_bytes(&right->instance)) &&
           bytes_equal(name_bytes(&left->curve_key), name_bytes(&right->curve_key)) &&
           left->endpoint_size == right->endpoint_size &&
           memcmp(left->endpoint, right->endpoint, left->endpoint_size) == 0;
}

/* At most; so that what is taken in can be said. */
static size_t bytes_of_member(const struct place_in_view *place)
{
    return MEMBER_OVERHEAD + place->zone.size + place->instance.size + place->curve_key.size +
           place->endpoint_size;
}

enum status view_put(struct view *self, const struct msg_member *member, int64_t now_at)
{
    assert(member->uuid.size == SESSION_ID_BYTES);
    assert(member->endpoint.size <= ENDPOINT_BYTES_MAX);
    struct place_in_view place = {.weight = member->weight,
                                  .zone = name_of(member->zone),
                                  .instance = name_of(member->instance),
                                  .curve_key = name_of(member->curve_key),
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
    if (epoch <= self->epoch || epoch / VIEW_EPOCH_STEP >= COUNTER_MAX)
        return;
    self->counter = epoch / VIEW_EPOCH_STEP + 1;
    self->adopted = false;
    self->due_at = now_at;
}

static bool is_as(const struct place_in_view *place, const struct msg_member *member)
{
    struct bytes endpoint = {place->endpoint, place->endpoint_size};
    return place->weight == member->weight && bytes_equal(name_bytes(&place->zone), member->zone) &&
           bytes_equal(name_bytes(&place->curve_key), member->curve_key) &&
           bytes_equal(endpoint, member->endpoint);
}

/* Whether a view has the same members as are known here, in whatever order. */
static bool is_ours(const struct view *self, struct bytes members)
{
    struct values values = values_over(members);
    struct msg_member member;
    struct bytes value;
    uint32_t count = 0;
    while (values_next(&values, &value)) {
        if (message_decode(MSG_MEMBER, value, &member) != STATUS_OK ||
            member.uuid.size != SESSION_ID_BYTES)
            return false;
        uint32_t at = find(self, member.uuid.data);
        if (at == self->count || !is_as(&self->members[at], &member))
            return false;
        count++;
    }
    return count == self->count;
}

bool view_adopt(struct view *self, struct bytes body, int64_t now_at)
{
    struct msg_view view;
    if (body.size > sizeof self->body || message_decode(MSG_VIEW, body, &view) != STATUS_OK ||
        view.epoch <= self->epoch || view.epoch / VIEW_EPOCH_STEP >= COUNTER_MAX)
        return false;
    memcpy(self->body, body.data, body.size);
    self->body_size = body.size;
    self->epoch = view.epoch;
    self->adopted = true;
    if (self->counter <= view.epoch / VIEW_EPOCH_STEP)
        self->counter = view.epoch / VIEW_EPOCH_STEP + 1;
    if (is_ours(self, view.members))
        self->due_at = INT64_MAX;
    else if (self->due_at == INT64_MAX)
        self->due_at = now_at + self->hold_us;
    return true;
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
                                    .instance = name_bytes(&place->instance),
                                    .curve_key = name_bytes(&place->curve_key)};
        enum status status = message_write(MSG_MEMBER, &member, writer);
        assert(status == STATUS_OK);
    }
}

static bool is_adopted(const struct view *self)
{
    struct msg_view view;
    enum status status = message_decode(MSG_VIEW, view_body(self), &view);
    assert(status == STATUS_OK); /* it was when it came */
    return is_ours(self, view.members);
}

bool view_issue(struct view *self, int64_t now_at)
{
    struct writer writer;
    if (now_at < self->due_at)
        return false;
    self->due_at = INT64_MAX;
    if (self->adopted && is_adopted(self))
        return false; /* it has come to be so meanwhile */
    self->adopted = false;
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
