/* owners - see owners.h. */
#include "actors/driver/owners.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/key.h"
#include "protocol/placement.h"

#define VIEW_BODY_BYTES_MAX 131072u /* of any view that its rows allow */
#define AT_ONCE_MAX 8u              /* members whose table takes less than 3 ms */

_Static_assert(OWNER_UUID_BYTES == PLACEMENT_UUID_BYTES, "the same");

struct owners {
    struct placement *table;        /* complete, or the first; NULL: none */
    struct placement *next;         /* being built; NULL: none */
    struct placement_view numbered; /* by which the runtime counts members */
    struct placement_view taken;    /* room for one that comes */
    int64_t silent_until_at[VIEW_MEMBERS_MAX];
    char body[VIEW_BODY_BYTES_MAX];
};

struct owners *owners_new(void)
{
    return calloc(1, sizeof(struct owners));
}

void owners_destroy(struct owners **self)
{
    if (*self == NULL)
        return;
    placement_destroy(&(*self)->table);
    placement_destroy(&(*self)->next);
    free(*self);
    *self = NULL;
}

static uint64_t newest(const struct owners *self)
{
    const struct placement *table = self->next != NULL ? self->next : self->table;
    return table == NULL ? 0 : placement_view(table)->epoch;
}

bool owners_building(const struct owners *self)
{
    return self->next != NULL;
}

bool owners_build(struct owners *self)
{
    if (self->next == NULL)
        return false;
    if (!placement_build_some(self->next, PLACEMENT_TURN_SLOTS))
        return true;
    placement_destroy(&self->table);
    self->table = self->next;
    self->next = NULL;
    return false;
}

/* What is being built gives way to a newer one; the complete table serves meanwhile. */
static void build_anew(struct owners *self, const struct placement_view *view)
{
    placement_destroy(&self->next);
    self->next = placement_new(view);
    assert(self->next != NULL);
    while (view->count <= AT_ONCE_MAX && owners_build(self))
        continue;
}

void owners_take_view(struct owners *self, const struct msg_view *view)
{
    struct bytes body;
    if (message_encode(MSG_VIEW, view, self->body, sizeof self->body, &body) != STATUS_OK ||
        placement_decode(body, &self->taken) != STATUS_OK)
        return; /* the runtime has taken it; without a table there is no cache */
    self->numbered = self->taken;
    memset(self->silent_until_at, 0, sizeof self->silent_until_at);
    if (self->numbered.epoch > newest(self))
        build_anew(self, &self->numbered);
}

bool owners_take_newer(struct owners *self, struct bytes view)
{
    if (view.data == NULL || placement_decode(view, &self->taken) != STATUS_OK ||
        self->taken.epoch <= newest(self))
        return false;
    build_anew(self, &self->taken);
    return true;
}

uint32_t owners_member(const struct owners *self, const char *uuid)
{
    for (uint32_t i = 0; i < self->numbered.count; i++)
        if (memcmp(self->numbered.members[i].uuid, uuid, PLACEMENT_UUID_BYTES) == 0)
            return i;
    return OWNER_NONE;
}

struct owner owners_of(const struct owners *self, struct bytes key, int64_t now_at)
{
    struct owner owner = {.member = OWNER_NONE};
    uint64_t seed = self->table == NULL ? 0 : placement_view(self->table)->seed;
    owner.hash = key_hash(seed, key);
    if (self->table == NULL)
        return owner;
    const struct placement_view *view = placement_view(self->table);
    uint16_t index = placement_owner(self->table, key_slot(owner.hash));
    owner.epoch = view->epoch;
    if (index == PLACEMENT_NONE)
        return owner;
    memcpy(owner.uuid, view->members[index].uuid, sizeof owner.uuid);
    owner.member = owners_member(self, owner.uuid);
    if (owner.member != OWNER_NONE && self->silent_until_at[owner.member] > now_at)
        owner.member = OWNER_NONE;
    return owner;
}

void owners_silent(struct owners *self, uint32_t member, int64_t now_at)
{
    assert(member < VIEW_MEMBERS_MAX);
    self->silent_until_at[member] = now_at + OWNER_SILENT_MS * US_PER_MS;
}
