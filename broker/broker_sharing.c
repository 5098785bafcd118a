/* broker_sharing - the same request asked again: under the idempotency key of one that is here.
 *
 * If that one's reply is held, that is its reply, too. Else it is attached to its execution if it
 * may share it, and has an end of its own all the same, or it is refused. The key of another
 * question is refused in any case. See docs/protocol.md, "The same request twice". */
#include "broker/broker_private.h"

void broker_identify(struct broker *self, struct slot *slot, const struct pair *pair)
{
    assert(slot->identity == NONE);
    if (pair->header.idempotency_key.data == NULL)
        return;
    struct identity identity = identities_of(self->identities, &pair->header, pair->body);
    slot->identity = identities_add(self->identities, &identity, slots_index(self->slots, slot));
    assert(slot->identity != NONE); /* there are as many as slots */
}

/* A slot of its own, for its client and its deadline, and a place in the bounds of the role; the
 * work is the other's. There is room. */
static struct verdict attach(struct broker *self, const struct source *from,
                             const struct header *header, struct slot *leader)
{
    uint32_t client = sessions_index(self->sessions, from->peer);
    struct slot *slot = slots_take(self->slots, client, header->id);
    if (slot == NULL)
        return broker_turn_away(self, &leader->place);
    slot->place = leader->place;
    slot->place.bytes = 0;
    slot->flags = header->flags;
    slot->arrived_at = self->now_at;
    slot->deadline_at = self->now_at + broker_deadline_us(header, slot->place.role);
    slots_attach(self->slots, slot, leader);
    enum status status = queues_hold(self->queues, slots_index(self->slots, slot), &slot->place);
    assert(status == STATUS_OK);
    if (slot->flags & FLAG_STREAM)
        broker_end_hedge(self, leader); /* pieces come from one worker */
    lane_of(self, slot)->waiting++;
    self->counts.roles[slot->place.role].in_flight++;
    self->counts.roles[slot->place.role].attached++;
    broker_accept(self, from->peer, slot);
    return (struct verdict){.status = STATUS_OK};
}

/* Share the execution of the one in this slot. That one may itself be what makes room: then there
 * is nothing to share, and this one is as if it were the first.
 *
 * returns  true: it is seen to */
static bool share(struct broker *self, const struct source *from, const struct header *header,
                  uint32_t holder, struct verdict *verdict)
{
    struct slot *leader = slots_at(self->slots, holder);
    struct place place = leader->place;
    uint32_t generation = leader->generation;
    place.bytes = 0;
    if (leader->followers == FOLLOWERS_MAX || !broker_find_room(self, &place))
        *verdict = broker_turn_away(self, &place);
    else if (leader->generation != generation)
        return false;
    else
        *verdict = attach(self, from, header, leader);
    return verdict->status == STATUS_OK;
}

/* What nobody could serve now may have been asked before, and be on its way all the same. */
bool broker_repeats(struct broker *self, const struct source *from, const struct pair *pair,
                    struct verdict *verdict)
{
    bool has_credit = from->peer->asked - from->peer->ended <= self->config.client_credit;
    bool may_be_served = verdict->status == STATUS_OK || verdict->status == STATUS_NO_WORKER;
    if (pair->header.idempotency_key.data == NULL || !has_credit || !may_be_served)
        return false;
    struct identity identity = identities_of(self->identities, &pair->header, pair->body);
    uint32_t entry = identities_find(self->identities, &identity);
    if (entry == NONE)
        return false;
    if (!identities_agrees(self->identities, entry, &identity)) {
        *verdict =
            (struct verdict){.status = STATUS_BAD_REQUEST,
                             .hint = "another request has this idempotency key: make a new one"};
        return false;
    }
    uint32_t holder = identities_holder(self->identities, entry);
    if (holder >= self->config.slots_max) {
        broker_replay(self, from->peer, pair->header.id, identity.role,
                      holder - self->config.slots_max);
        *verdict = (struct verdict){.status = STATUS_OK};
        return true;
    }
    if (pair->header.flags & FLAG_COALESCE)
        return share(self, from, &pair->header, holder, verdict);
    *verdict = (struct verdict){.status = STATUS_DUPLICATE_RUNNING,
                                .hint = "wait for the first, or send it with COALESCE to share it"};
    return false;
}
