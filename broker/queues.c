/* queues - see queues.h.
 *
 * Each request stands in two lists: of its class, in order of arrival, for shedding and age; and of
 * its lane. The lanes of a class that have something stand in a ring, served or parked. */
#include "broker/queues.h"

#include <stdlib.h>

#include "broker/list.h"

const uint32_t queues_shares[CLASS_COUNT] = {0, 250, 50, 10};

#define RANKS (ROLE_COUNT * CLASS_COUNT) /* a rank: one class of one role */

struct queue {
    uint32_t count_max, depth;
    uint64_t bytes_max, bytes;
    uint32_t due[CLASS_COUNT]; /* owed so far; one dispatch at most */
    uint32_t backlog[CLASS_COUNT];
    uint64_t class_bytes[CLASS_COUNT];
};

struct queues {
    uint32_t slots_max, lanes_max;
    struct queue queues[ROLE_COUNT];
    struct place *places;  /* by slot */
    struct link *by_class; /* by slot; then the sentinels, by rank */
    struct link *by_lane;  /* by slot; then the sentinels, by lane and class */
    struct link *rings;    /* by lane and class; then the sentinels: served, and parked, by rank */
};

static void *take_memory(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    assert(memory != NULL);
    return memory;
}

struct queues *queues_new(uint32_t slots_max, uint32_t lanes_max)
{
    uint32_t strands = lanes_max * CLASS_COUNT;
    struct queues *self = take_memory(1, sizeof *self);
    self->slots_max = slots_max;
    self->lanes_max = lanes_max;
    self->places = take_memory(slots_max, sizeof self->places[0]);
    self->by_class = take_memory(slots_max + RANKS, sizeof self->by_class[0]);
    self->by_lane = take_memory(slots_max + strands, sizeof self->by_lane[0]);
    self->rings = take_memory(strands + 2 * RANKS, sizeof self->rings[0]);
    list_out_all(self->by_class, 0, slots_max);
    list_out_all(self->by_lane, 0, slots_max);
    list_out_all(self->rings, 0, strands);
    list_clear_all(self->by_class, slots_max, slots_max + RANKS);
    list_clear_all(self->by_lane, slots_max, slots_max + strands);
    list_clear_all(self->rings, strands, strands + 2 * RANKS);
    return self;
}

void queues_destroy(struct queues **self_p)
{
    assert(self_p != NULL);
    struct queues *self = *self_p;
    if (self == NULL)
        return;
    free(self->places);
    free(self->by_class);
    free(self->by_lane);
    free(self->rings);
    free(self);
    *self_p = NULL;
}

void queues_bound(struct queues *self, enum role role, uint32_t count_max, uint64_t bytes_max)
{
    assert(count_max <= self->slots_max);
    self->queues[role].count_max = count_max;
    self->queues[role].bytes_max = bytes_max;
}

static uint32_t rank(uint32_t role, uint32_t class)
{
    assert(role < ROLE_COUNT);
    assert(class < CLASS_COUNT);
    return role * CLASS_COUNT + class;
}

static uint32_t class_list(const struct queues *self, uint32_t role, uint32_t class)
{
    return self->slots_max + rank(role, class);
}

static uint32_t served_ring(const struct queues *self, uint32_t role, uint32_t class)
{
    return self->lanes_max * CLASS_COUNT + rank(role, class);
}

static uint32_t parked_ring(const struct queues *self, uint32_t role, uint32_t class)
{
    return served_ring(self, role, class) + RANKS;
}

/* A lane in one class. */
static uint32_t strand_of(const struct queues *self, const struct place *place)
{
    assert(place->lane < self->lanes_max);
    return place->lane * CLASS_COUNT + place->class;
}

static void put_in(struct queues *self, uint32_t slot, const struct place *place, bool first)
{
    assert(slot < self->slots_max);
    struct queue *queue = &self->queues[place->role];
    uint32_t strand = strand_of(self, place), list = class_list(self, place->role, place->class);
    uint32_t lane = self->slots_max + strand, ring = served_ring(self, place->role, place->class);
    if (list_is_empty(self->by_lane, lane)) /* what goes out again goes first, too */
        list_put_before(self->rings, strand, first ? self->rings[ring].next : ring);
    list_put_before(self->by_lane, slot, first ? self->by_lane[lane].next : lane);
    list_put_before(self->by_class, slot, first ? self->by_class[list].next : list);
    self->places[slot] = *place;
    queue->depth++;
    queue->bytes += place->bytes;
    queue->backlog[place->class]++;
    queue->class_bytes[place->class] += place->bytes;
}

static bool has_room(const struct queue *queue, uint32_t bytes)
{
    return queue->depth < queue->count_max && queue->bytes + bytes <= queue->bytes_max;
}

enum status queues_push(struct queues *self, uint32_t slot, const struct place *place)
{
    if (!has_room(&self->queues[place->role], place->bytes))
        return STATUS_BUSY_FULL;
    put_in(self, slot, place, false);
    return STATUS_OK;
}

void queues_push_front(struct queues *self, uint32_t slot, const struct place *place)
{
    put_in(self, slot, place, true);
}

void queues_remove(struct queues *self, uint32_t slot)
{
    assert(slot < self->slots_max);
    const struct place *place = &self->places[slot];
    struct queue *queue = &self->queues[place->role];
    uint32_t strand = strand_of(self, place);
    assert(queue->depth > 0);
    list_take_out(self->by_class, slot);
    list_take_out(self->by_lane, slot);
    if (list_is_empty(self->by_lane, self->slots_max + strand))
        list_take_out(self->rings, strand);
    queue->depth--;
    queue->bytes -= place->bytes;
    queue->backlog[place->class]--;
    queue->class_bytes[place->class] -= place->bytes;
}

static bool waits(const struct queues *self, uint32_t role, uint32_t class)
{
    return !list_is_empty(self->rings, served_ring(self, role, class));
}

/* Strict priority with a reserve: the highest class that waits, but first one that is owed.
 * CLASS_COUNT: none waits. */
static uint32_t class_in_turn(const struct queues *self, uint32_t role)
{
    const struct queue *queue = &self->queues[role];
    uint32_t highest = 0;
    if (queue->depth == 0)
        return CLASS_COUNT;
    for (uint32_t lower = CLASS_COUNT - 1; lower > 0; lower--)
        if (queue->due[lower] >= QUEUES_WHOLE && waits(self, role, lower))
            return lower;
    while (highest < CLASS_COUNT && !waits(self, role, highest))
        highest++;
    return highest;
}

bool queues_peek(const struct queues *self, enum role role, uint32_t *ret_slot)
{
    uint32_t class = class_in_turn(self, role);
    if (class == CLASS_COUNT)
        return false;
    uint32_t strand = self->rings[served_ring(self, role, class)].next;
    *ret_slot = self->by_lane[self->slots_max + strand].next;
    return true;
}

/* What a class saves up while it is idle is one dispatch. */
void queues_charge(struct queues *self, enum role role, enum request_class class)
{
    uint32_t *due = self->queues[role].due;
    due[class] -= due[class] < QUEUES_WHOLE ? due[class] : QUEUES_WHOLE;
    for (uint32_t owed = 1; owed < CLASS_COUNT; owed++) {
        due[owed] += queues_shares[owed];
        if (due[owed] > QUEUES_WHOLE)
            due[owed] = QUEUES_WHOLE;
    }
}

void queues_pop(struct queues *self, uint32_t slot)
{
    const struct place *place = &self->places[slot];
    uint32_t strand = strand_of(self, place);
    queues_remove(self, slot);
    queues_charge(self, place->role, place->class);
    if (!list_is_in(self->rings, strand))
        return;
    list_take_out(self->rings, strand); /* the next lane's turn */
    list_put_before(self->rings, strand, served_ring(self, place->role, place->class));
}

void queues_park(struct queues *self, uint32_t slot)
{
    const struct place *place = &self->places[slot];
    uint32_t strand = strand_of(self, place);
    list_take_out(self->rings, strand);
    list_put_before(self->rings, strand, parked_ring(self, place->role, place->class));
}

void queues_unpark(struct queues *self, enum role role)
{
    for (uint32_t class = 0; class < CLASS_COUNT; class ++)
        list_append_all(self->rings, parked_ring(self, role, class),
                        served_ring(self, role, class));
}

bool queues_shed(struct queues *self, enum role role, enum request_class class, uint32_t bytes,
                 uint32_t *ret_slot)
{
    const struct queue *queue = &self->queues[role];
    uint64_t freed = 0;
    uint32_t victim = NONE;
    for (uint32_t lowest = CLASS_COUNT - 1; lowest > (uint32_t) class; lowest--) {
        uint32_t list = class_list(self, role, lowest);
        freed += queue->class_bytes[lowest];
        if (victim == NONE && !list_is_empty(self->by_class, list))
            victim = self->by_class[list].previous;
    }
    if (victim == NONE || queue->bytes - freed + bytes > queue->bytes_max)
        return false;
    queues_remove(self, victim);
    *ret_slot = victim;
    return true;
}

bool queues_is_in(const struct queues *self, uint32_t slot)
{
    return list_is_in(self->by_class, slot);
}

uint32_t queues_depth(const struct queues *self, enum role role)
{
    return self->queues[role].depth;
}

uint64_t queues_bytes(const struct queues *self, enum role role)
{
    return self->queues[role].bytes;
}

uint32_t queues_count_max(const struct queues *self, enum role role)
{
    return self->queues[role].count_max;
}

uint32_t queues_backlog(const struct queues *self, enum role role, enum request_class class)
{
    return self->queues[role].backlog[class];
}

uint32_t queues_oldest(const struct queues *self, enum role role, enum request_class class)
{
    uint32_t list = class_list(self, role, class);
    return list_is_empty(self->by_class, list) ? NONE : self->by_class[list].next;
}

enum request_class queues_admit_level(const struct queues *self, enum role role)
{
    const struct queue *queue = &self->queues[role];
    uint32_t level = CLASS_SHEDDABLE;
    bool roomy = queue->depth + 1 < queue->count_max && queue->bytes < queue->bytes_max;
    if (roomy || queue->depth == 0)
        return CLASS_SHEDDABLE;
    while (level > 0 && queue->backlog[level] == 0)
        level--; /* the least important that waits goes first when another wants in */
    return (enum request_class)(level > 0 ? level - 1 : 0);
}
