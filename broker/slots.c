/* slots - see slots.h. */
#include "broker/slots.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "broker/list.h"

struct slots {
    uint32_t slots_max, sessions_max, workers_max, used, first_free, chains;
    uint64_t bytes, seed;
    struct link *by_client;  /* by slot; then the sentinels, by session */
    struct link *by_worker;  /* by slot; then the sentinels, by worker */
    struct link *by_second;  /* the same */
    struct link *by_request; /* by slot; then the sentinels: chains by client and its id */
    struct link *by_leader;  /* by slot; then the sentinels, by leader */
    struct slot slots[];     /* free ones are chained by worker */
};

static struct link *take_links(uint32_t elements, uint32_t sentinels)
{
    struct link *links = calloc((size_t)elements + sentinels, sizeof links[0]);
    assert(links != NULL);
    list_out_all(links, 0, elements);
    list_clear_all(links, elements, elements + sentinels);
    return links;
}

struct slots *slots_new(uint32_t slots_max, uint32_t sessions_max, uint32_t workers_max,
                        uint32_t generation_first, uint64_t seed)
{
    assert(slots_max > 0);
    struct slots *self = calloc(1, sizeof *self + slots_max * sizeof self->slots[0]);
    assert(self != NULL);
    self->slots_max = slots_max;
    self->sessions_max = sessions_max;
    self->workers_max = workers_max;
    self->seed = seed;
    for (self->chains = 1; self->chains < slots_max; self->chains *= 2)
        ;
    self->by_client = take_links(slots_max, sessions_max);
    self->by_worker = take_links(slots_max, workers_max);
    self->by_second = take_links(slots_max, workers_max);
    self->by_request = take_links(slots_max, self->chains);
    self->by_leader = take_links(slots_max, slots_max);
    for (uint32_t at = 0; at < slots_max; at++) {
        self->slots[at].generation = generation_first;
        self->slots[at].worker = at + 1 < slots_max ? at + 1 : NONE;
    }
    return self;
}

void slots_destroy(struct slots **self_p)
{
    assert(self_p != NULL);
    struct slots *self = *self_p;
    if (self == NULL)
        return;
    for (uint32_t at = 0; at < self->slots_max; at++)
        if (self->slots[at].state != SLOT_FREE && self->slots[at].small_size == 0)
            zmq_msg_close(&self->slots[at].pair.message);
    free(self->by_client);
    free(self->by_worker);
    free(self->by_second);
    free(self->by_request);
    free(self->by_leader);
    free(self);
    *self_p = NULL;
}

/* A client numbers its requests from 1, so 64 of one lie side by side; where, it cannot choose. */
static uint32_t request_chain(const struct slots *self, uint32_t client, uint64_t client_id)
{
    const uint64_t parts[] = {client, client_id / 64};
    uint64_t hash = XXH3_64bits_withSeed(parts, sizeof parts, self->seed) + client_id % 64;
    return self->slots_max + (uint32_t)(hash & (self->chains - 1));
}

/* It is this client's from now on; the youngest of its. */
static void adopt(struct slots *self, struct slot *slot, uint32_t client, uint64_t client_id)
{
    uint32_t index = slots_index(self, slot);
    assert(slot->client == NONE);
    slot->client = client;
    slot->client_id = client_id;
    if (client == NONE)
        return;
    list_put_before(self->by_client, index, self->slots_max + client);
    list_put_first(self->by_request, index, request_chain(self, client, client_id));
}

struct slot *slots_take(struct slots *self, uint32_t client, uint64_t client_id)
{
    assert(client < self->sessions_max);
    uint32_t index = self->first_free;
    if (index == NONE)
        return NULL;
    struct slot *slot = &self->slots[index];
    assert(slot->state == SLOT_FREE);
    self->first_free = slot->worker;
    uint32_t generation = slot->generation;
    memset(slot, 0, offsetof(struct slot, pair));
    slot->generation = generation;
    slot->state = SLOT_QUEUED;
    slot->client = NONE;
    slot->worker = NONE;
    slot->second = NONE;
    slot->leader = NONE;
    slot->identity = NONE;
    slot->wish = (struct wish){.seen_by = NONE, .avoid = NONE};
    zmq_msg_init(&slot->pair.message);
    adopt(self, slot, client, client_id);
    self->used++;
    return slot;
}

static uint32_t kept_bytes(struct slot *slot)
{
    return slot->small_size > 0 ? slot->small_size : (uint32_t)zmq_msg_size(&slot->pair.message);
}

void slots_free(struct slots *self, struct slot *slot)
{
    uint32_t index = slots_index(self, slot);
    assert(slot->state != SLOT_FREE);
    assert(slot->worker == NONE);
    assert(slot->second == NONE);
    assert(slot->leader == NONE);
    assert(list_is_empty(self->by_leader, self->slots_max + index));
    self->bytes -= kept_bytes(slot);
    if (slot->small_size == 0)
        zmq_msg_close(&slot->pair.message);
    if (slot->client != NONE)
        slots_orphan(self, slot);
    slot->state = SLOT_FREE;
    slot->generation++;
    slot->worker = self->first_free;
    self->first_free = index;
    self->used--;
}

void slots_keep(struct slots *self, struct slot *slot, const struct pair *pair, zmq_msg_t *message)
{
    char head[PAIR_HEAD_BYTES_MAX];
    struct bytes whole = {head, 0}, rest = pair->body;
    assert(kept_bytes(slot) == 0);
    if (frame_is_moved(message, pair)) {
        zmq_msg_move(&slot->pair.message, message);
        self->bytes += kept_bytes(slot);
        return;
    }
    if (pair->header.canonical) {
        whole = pair->whole;
        rest = (struct bytes){0};
    } else {
        whole.size = pairs_encode_head(&pair->header, pair->body, head);
    }
    size_t size = whole.size + rest.size;
    if (size > SLOT_SMALL_BYTES) {
        frame_copy(&slot->pair.message, whole, rest);
    } else {
        memcpy(slot->pair.small, whole.data, whole.size);
        if (rest.size > 0) /* absent bytes have no pointer */
            memcpy(slot->pair.small + whole.size, rest.data, rest.size);
        slot->small_size = (uint32_t)size;
    }
    self->bytes += size;
}

void slots_send(struct slot *slot, const struct header *patch, struct outbox *outbox,
                uint32_t place)
{
    if (slot->small_size > 0) {
        envelope_patch(slot->pair.small, patch);
        outbox_put_encoded(outbox, place, (struct bytes){slot->pair.small, slot->small_size});
    } else {
        envelope_patch(frame_own(&slot->pair.message), patch);
        outbox_pass(outbox, place, &slot->pair.message);
    }
}

struct bytes slots_pair(const struct slot *slot)
{
    zmq_msg_t *message = (zmq_msg_t *)&slot->pair.message; /* libzmq's getters take no const */
    if (slot->small_size > 0)
        return (struct bytes){slot->pair.small, slot->small_size};
    return (struct bytes){zmq_msg_data(message), zmq_msg_size(message)};
}

void slots_renew(struct slot *slot)
{
    assert(slot->state != SLOT_FREE);
    slot->generation++;
}

static void put_with(struct slots *self, struct link *list, uint32_t index, uint32_t worker)
{
    if (list_is_in(list, index))
        list_take_out(list, index);
    if (worker != NONE)
        list_put_before(list, index, self->slots_max + worker);
}

void slots_give(struct slots *self, struct slot *slot, uint32_t worker)
{
    put_with(self, self->by_worker, slots_index(self, slot), worker);
    slot->worker = worker;
}

void slots_give_second(struct slots *self, struct slot *slot, uint32_t worker)
{
    assert(worker == NONE || worker != slot->worker);
    put_with(self, self->by_second, slots_index(self, slot), worker);
    slot->second = worker;
}

void slots_promote(struct slots *self, struct slot *slot)
{
    uint32_t second = slot->second;
    assert(second != NONE);
    slots_give_second(self, slot, NONE);
    slots_give(self, slot, second);
}

void slots_rename(struct slots *self, struct slot *slot, uint32_t client)
{
    slots_orphan(self, slot);
    adopt(self, slot, client, slot->client_id);
}

void slots_orphan(struct slots *self, struct slot *slot)
{
    uint32_t index = slots_index(self, slot);
    list_take_out(self->by_client, index);
    list_take_out(self->by_request, index);
    slot->client = NONE;
}

void slots_attach(struct slots *self, struct slot *slot, struct slot *leader)
{
    assert(slot->state == SLOT_QUEUED);
    assert(leader->state != SLOT_FREE);
    assert(leader->state != SLOT_ATTACHED);
    assert(leader->followers < FOLLOWERS_MAX);
    assert(kept_bytes(slot) == 0);
    slot->state = SLOT_ATTACHED;
    slot->leader = slots_index(self, leader);
    leader->followers++;
    list_put_before(self->by_leader, slots_index(self, slot), self->slots_max + slot->leader);
}

void slots_detach(struct slots *self, struct slot *slot)
{
    assert(slot->state == SLOT_ATTACHED);
    list_take_out(self->by_leader, slots_index(self, slot));
    slots_at(self, slot->leader)->followers--;
    slot->leader = NONE;
    slot->state = SLOT_QUEUED;
}

void slots_pass_on(struct slots *self, struct slot *leader, struct slot *follower)
{
    struct slot was = {.client = leader->client,
                       .client_id = leader->client_id,
                       .arrived_at = leader->arrived_at,
                       .deadline_at = leader->deadline_at,
                       .flags = leader->flags};
    uint32_t client = follower->client;
    assert(follower->leader == slots_index(self, leader));
    slots_detach(self, follower);
    if (leader->client != NONE)
        slots_orphan(self, leader);
    if (follower->client != NONE)
        slots_orphan(self, follower);
    adopt(self, leader, client, follower->client_id);
    adopt(self, follower, was.client, was.client_id);
    leader->arrived_at = follower->arrived_at;
    leader->deadline_at = follower->deadline_at;
    leader->passed_on |= leader->state == SLOT_RUNNING;
    leader->flags =
        (uint16_t)((was.flags & ~SLOT_CLIENT_FLAGS) | (follower->flags & SLOT_CLIENT_FLAGS));
    follower->arrived_at = was.arrived_at;
    follower->deadline_at = was.deadline_at;
    follower->flags = was.flags;
}

static struct slot *follower_at(struct slots *self, uint32_t index, uint32_t leader)
{
    return index == self->slots_max + leader ? NULL : &self->slots[index];
}

struct slot *slots_first_follower(struct slots *self, const struct slot *leader)
{
    uint32_t index = slots_index(self, leader);
    return follower_at(self, self->by_leader[self->slots_max + index].next, index);
}

struct slot *slots_next_follower(struct slots *self, const struct slot *follower)
{
    assert(follower->state == SLOT_ATTACHED);
    return follower_at(self, self->by_leader[slots_index(self, follower)].next, follower->leader);
}

struct slot *slots_execution(struct slots *self, struct slot *slot)
{
    return slot->state == SLOT_ATTACHED ? slots_at(self, slot->leader) : slot;
}

uint64_t slots_id(const struct slots *self, const struct slot *slot)
{
    return (uint64_t)(slots_index(self, slot) + 1) << 32 | slot->generation;
}

struct slot *slots_find_id(struct slots *self, uint64_t id)
{
    uint64_t number = id >> 32;
    if (number == 0 || number > self->slots_max)
        return NULL;
    struct slot *slot = &self->slots[number - 1];
    bool same = slot->state != SLOT_FREE && slot->generation == (uint32_t)id;
    return same ? slot : NULL;
}

struct slot *slots_find_request(struct slots *self, uint32_t client, uint64_t client_id)
{
    uint32_t chain = request_chain(self, client, client_id), at = self->by_request[chain].next;
    while (at != chain &&
           (self->slots[at].client != client || self->slots[at].client_id != client_id))
        at = self->by_request[at].next;
    return at == chain ? NULL : &self->slots[at];
}

struct slot *slots_first_of_client(struct slots *self, uint32_t client)
{
    assert(client < self->sessions_max);
    uint32_t sentinel = self->slots_max + client, first = self->by_client[sentinel].next;
    return first == sentinel ? NULL : &self->slots[first];
}

static struct slot *last_with(struct slots *self, const struct link *list, uint32_t worker)
{
    assert(worker < self->workers_max);
    uint32_t sentinel = self->slots_max + worker, last = list[sentinel].previous;
    return last == sentinel ? NULL : &self->slots[last];
}

struct slot *slots_last_of_worker(struct slots *self, uint32_t worker)
{
    return last_with(self, self->by_worker, worker);
}

struct slot *slots_last_of_second(struct slots *self, uint32_t worker)
{
    return last_with(self, self->by_second, worker);
}

uint32_t slots_index(const struct slots *self, const struct slot *slot)
{
    assert(slot >= self->slots);
    assert(slot < self->slots + self->slots_max);
    return (uint32_t)(slot - self->slots);
}

struct slot *slots_at(struct slots *self, uint32_t index)
{
    assert(index < self->slots_max);
    return &self->slots[index];
}

uint32_t slots_used(const struct slots *self)
{
    return self->used;
}

uint64_t slots_bytes(const struct slots *self)
{
    return self->bytes;
}
