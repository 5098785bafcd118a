/* queues - see queues.h. */
#include "broker/queues.h"

const uint32_t queues_shares[CLASS_COUNT] = {0, 250, 50, 10};

struct queue {
    uint32_t count_max, depth, held; /* held: of depth */
    uint64_t bytes_max, bytes;
    uint32_t due[CLASS_COUNT]; /* owed so far; one dispatch at most */
    uint64_t class_bytes[CLASS_COUNT];
};

struct queues {
    uint32_t slots_max;
    struct queue queues[ROLE_COUNT];
    struct rounds *rounds;
    struct link
        *by_class; /* by slot, in order of arrival, but those held; then the sentinels, by rank */
};

struct queues *queues_new(uint32_t slots_max, uint32_t lanes_max)
{
    struct queues *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->slots_max = slots_max;
    self->rounds = rounds_new(slots_max, lanes_max);
    self->by_class = list_take_links(slots_max, RANKS);
    return self;
}

void queues_destroy(struct queues **self_p)
{
    assert(self_p != NULL);
    struct queues *self = *self_p;
    if (self == NULL)
        return;
    rounds_destroy(&self->rounds);
    free(self->by_class);
    free(self);
    *self_p = NULL;
}

void queues_bound(struct queues *self, enum role role, uint32_t count_max, uint64_t bytes_max)
{
    assert(count_max <= self->slots_max);
    self->queues[role].count_max = count_max;
    self->queues[role].bytes_max = bytes_max;
}

static uint32_t class_list(const struct queues *self, uint32_t role, uint32_t class)
{
    return self->slots_max + rank_of(role, class);
}

static void count_in(struct queues *self, const struct place *place)
{
    struct queue *queue = &self->queues[place->role];
    queue->depth++;
    queue->bytes += place->bytes;
    queue->class_bytes[place->class] += place->bytes;
}

static void put_in(struct queues *self, uint32_t slot, const struct place *place, bool first)
{
    uint32_t list = class_list(self, place->role, place->class);
    rounds_put(self->rounds, slot, place, first);
    list_put_before(self->by_class, slot, first ? self->by_class[list].next : list);
    count_in(self, place);
}

bool queues_has_room(const struct queues *self, const struct place *place)
{
    const struct queue *queue = &self->queues[place->role];
    return queue->depth < queue->count_max && queue->bytes + place->bytes <= queue->bytes_max;
}

enum status queues_push(struct queues *self, uint32_t slot, const struct place *place)
{
    if (!queues_has_room(self, place))
        return STATUS_BUSY_FULL;
    put_in(self, slot, place, false);
    return STATUS_OK;
}

enum status queues_hold(struct queues *self, uint32_t slot, const struct place *place)
{
    if (!queues_has_room(self, place))
        return STATUS_BUSY_FULL;
    rounds_hold(self->rounds, slot, place);
    count_in(self, place);
    self->queues[place->role].held++;
    return STATUS_OK;
}

void queues_let_go(struct queues *self, uint32_t slot)
{
    const struct place *place = rounds_place(self->rounds, slot);
    rounds_let_go(self->rounds, slot);
    list_put_before(self->by_class, slot, class_list(self, place->role, place->class));
    assert(self->queues[place->role].held > 0);
    self->queues[place->role].held--;
}

void queues_push_front(struct queues *self, uint32_t slot, const struct place *place)
{
    put_in(self, slot, place, true);
}

static void take_out(struct queues *self, uint32_t slot, bool served)
{
    const struct place *place = rounds_place(self->rounds, slot);
    struct queue *queue = &self->queues[place->role];
    assert(queue->depth > 0);
    assert(queue->bytes >= place->bytes);
    if (rounds_is_held(self->rounds, slot))
        queue->held--;
    else
        list_take_out(self->by_class, slot);
    rounds_take(self->rounds, slot, served);
    queue->depth--;
    queue->bytes -= place->bytes;
    queue->class_bytes[place->class] -= place->bytes;
}

void queues_remove(struct queues *self, uint32_t slot)
{
    take_out(self, slot, false);
}

static bool waits(const struct queues *self, uint32_t role, uint32_t class)
{
    return rounds_waits(self->rounds, rank_of(role, class));
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

bool queues_peek(struct queues *self, enum role role, uint32_t *ret_slot)
{
    uint32_t class = class_in_turn(self, role);
    if (class == CLASS_COUNT)
        return false;
    *ret_slot = rounds_next(self->rounds, rank_of(role, class));
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
    const struct place *place = rounds_place(self->rounds, slot);
    take_out(self, slot, true);
    queues_charge(self, place->role, place->class);
}

void queues_park(struct queues *self, uint32_t slot)
{
    rounds_close(self->rounds, slot);
}

void queues_unpark(struct queues *self, enum role role)
{
    rounds_open(self->rounds, role);
}

/* One below, if all there would make room enough. */
static uint32_t victim_below(const struct queues *self, const struct place *place)
{
    const struct queue *queue = &self->queues[place->role];
    uint64_t freed = 0;
    uint32_t victim = NONE;
    for (uint32_t class = CLASS_COUNT - 1; class > (uint32_t)place->class; class --) {
        freed += queue->class_bytes[class];
        if (victim == NONE)
            victim = rounds_newest(self->rounds, rank_of(place->role, class));
    }
    return queue->bytes - freed + place->bytes > queue->bytes_max ? NONE : victim;
}

/* One of a tenant that has more even with this one put to its own tenant's, if it alone makes room
 * enough: where both have as much, nothing would be fairer for it. */
static uint32_t victim_beside(const struct queues *self, const struct place *place)
{
    const struct queue *queue = &self->queues[place->role];
    uint32_t rank = rank_of(place->role, place->class);
    if (rounds_longest(self->rounds, rank) <= rounds_length(self->rounds, place) + 1)
        return NONE;
    uint32_t victim = rounds_newest(self->rounds, rank);
    uint64_t freed = rounds_place(self->rounds, victim)->bytes;
    return queue->bytes - freed + place->bytes > queue->bytes_max ? NONE : victim;
}

bool queues_shed(struct queues *self, const struct place *place, uint32_t *ret_slot)
{
    uint32_t victim = victim_below(self, place);
    if (victim == NONE)
        victim = victim_beside(self, place);
    if (victim == NONE)
        return false;
    queues_remove(self, victim);
    *ret_slot = victim;
    return true;
}

uint32_t queues_ahead(const struct queues *self, const struct place *place)
{
    return rounds_ahead(self->rounds, place);
}

bool queues_is_late(struct queues *self, uint32_t slot, int64_t waited_us, int64_t target_us,
                    int64_t now_at)
{
    return rounds_is_late(self->rounds, slot, waited_us, target_us, now_at);
}

bool queues_is_in(const struct queues *self, uint32_t slot)
{
    return rounds_is_in(self->rounds, slot);
}

uint32_t queues_depth(const struct queues *self, enum role role)
{
    return self->queues[role].depth;
}

uint32_t queues_held(const struct queues *self, enum role role)
{
    return self->queues[role].held;
}

uint32_t queues_ready(const struct queues *self, enum role role)
{
    assert(self->queues[role].held <= self->queues[role].depth);
    return self->queues[role].depth - self->queues[role].held;
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
    return rounds_waiting(self->rounds, rank_of(role, class));
}

uint32_t queues_tenants(const struct queues *self, enum role role, enum request_class class)
{
    return lines_active(rounds_lines(self->rounds), rank_of(role, class));
}

const struct lines *queues_lines(const struct queues *self)
{
    return rounds_lines(self->rounds);
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
    while (level > 0 && rounds_longest(self->rounds, rank_of(role, level)) == 0)
        level--; /* the least important that waits goes first when another wants in */
    return (enum request_class)(level > 0 ? level - 1 : 0);
}
