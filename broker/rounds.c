/* rounds - see rounds.h.
 *
 * Each request stands in two lists: of its line, in order of arrival, for push-out; and of its
 * strand, but for what is held. The strands of a line stand in one of two rings: open ones, and
 * those met with their lane closed. A role's era is the time between two rounds_open(): lanes,
 * lines and strands set aside in an earlier era are so no more, without being visited. */
#include "broker/rounds.h"

#include "broker/chains.h"

/* Rings of a rank, and of a line. */
enum { RING_NEW, RING_OLD, RING_ASIDE, RINGS };
enum { STRANDS_OPEN, STRANDS_CLOSED, STRAND_RINGS };

struct strand {
    uint32_t line, lane;
};

struct rounds {
    uint32_t slots_max, lanes_max, lines_max;
    struct lines *lines;
    struct place *places;      /* by slot */
    uint32_t *line_of;         /* by slot */
    uint32_t *strand_of;       /* by slot; NONE: it is held */
    struct link *by_line;      /* by slot; then the sentinels, by line */
    struct link *by_strand;    /* by slot; then the sentinels, by strand */
    struct link *rings;        /* by line; then the sentinels, by rank and ring */
    struct strand *strands;    /* as many as slots: none is empty */
    struct link *strand_rings; /* by strand; then the sentinels, by line and ring; then: free */
    struct chains chains;      /* of strands */
    uint64_t *lane_closed;     /* the era in which a lane was closed */
    uint32_t *lane_waiting;    /* by lane and class */
    uint64_t eras;             /* no era has the number of another, of any role */
    uint64_t era[ROLE_COUNT];
    uint32_t waiting[RANKS], closed[RANKS]; /* not held; closed: of them in closed lanes */
};

static void *take_memory(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    assert(memory != NULL);
    return memory;
}

static uint32_t free_strands(const struct rounds *self)
{
    return self->slots_max + self->lines_max * STRAND_RINGS;
}

struct rounds *rounds_new(uint32_t slots_max, uint32_t lanes_max)
{
    struct rounds *self = take_memory(1, sizeof *self);
    self->slots_max = slots_max;
    self->lanes_max = lanes_max;
    self->lines = lines_new(slots_max);
    self->lines_max = lines_count(self->lines);
    self->places = take_memory(slots_max, sizeof self->places[0]);
    self->line_of = take_memory(slots_max, sizeof self->line_of[0]);
    self->strand_of = take_memory(slots_max, sizeof self->strand_of[0]);
    self->by_line = list_take_links(slots_max, self->lines_max);
    self->by_strand = list_take_links(slots_max, slots_max);
    self->rings = list_take_links(self->lines_max, RANKS * RINGS);
    self->strands = take_memory(slots_max, sizeof self->strands[0]);
    self->strand_rings = list_take_links(slots_max, self->lines_max * STRAND_RINGS + 1);
    self->lane_closed = take_memory(lanes_max, sizeof self->lane_closed[0]);
    self->lane_waiting = take_memory((size_t)lanes_max * CLASS_COUNT, sizeof(uint32_t));
    chains_init(&self->chains, slots_max);
    for (uint32_t i = 0; i < slots_max; i++)
        list_put_before(self->strand_rings, i, free_strands(self));
    for (uint32_t role = 0; role < ROLE_COUNT; role++)
        self->era[role] = ++self->eras;
    return self;
}

void rounds_destroy(struct rounds **self_p)
{
    assert(self_p != NULL);
    struct rounds *self = *self_p;
    if (self == NULL)
        return;
    lines_destroy(&self->lines);
    free(self->places);
    free(self->line_of);
    free(self->strand_of);
    free(self->by_line);
    free(self->by_strand);
    free(self->rings);
    free(self->strands);
    free(self->strand_rings);
    free(self->lane_closed);
    free(self->lane_waiting);
    chains_fini(&self->chains);
    free(self);
    *self_p = NULL;
}

static uint32_t ring(const struct rounds *self, uint32_t rank, uint32_t which)
{
    assert(rank < RANKS);
    return self->lines_max + rank * RINGS + which;
}

static uint32_t strand_ring(const struct rounds *self, uint32_t line, uint32_t which)
{
    return self->slots_max + line * STRAND_RINGS + which;
}

static uint64_t era_of(const struct rounds *self, uint32_t rank)
{
    return self->era[rank / CLASS_COUNT];
}

static bool is_closed(const struct rounds *self, uint32_t rank, uint32_t lane)
{
    return self->lane_closed[lane] == era_of(self, rank);
}

static uint64_t strand_hash(uint32_t line, uint32_t lane)
{
    return (((uint64_t)line << 32 | lane) + 1) * UINT64_C(0x9E3779B97F4A7C15) >> 32;
}

static uint32_t weight_of(const struct place *place)
{
    return place->weight > 0 ? place->weight : 1;
}

static uint32_t find_strand(const struct rounds *self, uint32_t line, uint32_t lane)
{
    uint32_t strand = chains_first(&self->chains, strand_hash(line, lane));
    while (strand != NONE &&
           (self->strands[strand].line != line || self->strands[strand].lane != lane))
        strand = self->chains.next[strand];
    return strand;
}

static uint32_t new_strand(struct rounds *self, uint32_t line, uint32_t lane)
{
    uint32_t strand = self->strand_rings[free_strands(self)].next;
    assert(strand < self->slots_max); /* each of them holds a slot */
    list_take_out(self->strand_rings, strand);
    self->strands[strand] = (struct strand){line, lane};
    chains_add(&self->chains, strand_hash(line, lane), strand);
    list_put_before(self->strand_rings, strand, strand_ring(self, line, STRANDS_OPEN));
    return strand;
}

static void drop_strand(struct rounds *self, uint32_t strand)
{
    const struct strand *its = &self->strands[strand];
    chains_remove(&self->chains, strand_hash(its->line, its->lane), strand);
    list_take_out(self->strand_rings, strand);
    list_put_first(self->strand_rings, strand, free_strands(self));
}

static void move_line(struct rounds *self, uint32_t line, uint32_t before)
{
    if (list_is_in(self->rings, line))
        list_take_out(self->rings, line);
    list_put_before(self->rings, line, before);
}

/* Where a line stands with one more in it. One that stands aside for closed lanes is back if this
 * one's is not. */
static void stand(struct rounds *self, uint32_t line, uint32_t lane, bool first)
{
    struct line *its = lines_at(self->lines, line);
    uint32_t newer = ring(self, its->rank, RING_NEW), older = ring(self, its->rank, RING_OLD);
    bool aside = its->aside == era_of(self, its->rank);
    if (first) {
        if (list_is_in(self->rings, line))
            list_take_out(self->rings, line);
        list_put_first(self->rings, line, newer);
    } else if (!list_is_in(self->rings, line)) {
        its->left = its->weight;
        move_line(self, line, newer);
    } else if (aside && !is_closed(self, its->rank, lane)) {
        move_line(self, line, older);
    } else {
        return;
    }
    its->aside = 0;
}

/* It is in its line now, and in no strand. */
static void enter_line(struct rounds *self, uint32_t slot, const struct place *place, bool first)
{
    assert(slot < self->slots_max);
    assert(place->lane < self->lanes_max);
    uint32_t rank = rank_of(place->role, place->class);
    uint32_t line = lines_join(self->lines, rank, place->tenant), in_line = self->slots_max + line;
    lines_weigh(self->lines, line, weight_of(place));
    list_put_before(self->by_line, slot, first ? self->by_line[in_line].next : in_line);
    lines_grow(self->lines, line);
    lines_at(self->lines, line)->held++;
    self->places[slot] = *place;
    self->line_of[slot] = line;
    self->strand_of[slot] = NONE;
}

static void enter_strand(struct rounds *self, uint32_t slot, bool first)
{
    const struct place *place = &self->places[slot];
    uint32_t line = self->line_of[slot], rank = rank_of(place->role, place->class);
    uint32_t strand = find_strand(self, line, place->lane);
    stand(self, line, place->lane, first);
    if (strand == NONE)
        strand = new_strand(self, line, place->lane);
    if (first) {
        list_take_out(self->strand_rings, strand);
        list_put_first(self->strand_rings, strand, strand_ring(self, line, STRANDS_OPEN));
    }
    uint32_t in_strand = self->slots_max + strand;
    list_put_before(self->by_strand, slot, first ? self->by_strand[in_strand].next : in_strand);
    self->strand_of[slot] = strand;
    lines_at(self->lines, line)->held--;
    self->waiting[rank]++;
    self->lane_waiting[place->lane * CLASS_COUNT + place->class]++;
    self->closed[rank] += is_closed(self, rank, place->lane);
}

void rounds_put(struct rounds *self, uint32_t slot, const struct place *place, bool first)
{
    enter_line(self, slot, place, first);
    enter_strand(self, slot, first);
}

void rounds_hold(struct rounds *self, uint32_t slot, const struct place *place)
{
    enter_line(self, slot, place, false);
}

void rounds_let_go(struct rounds *self, uint32_t slot)
{
    assert(rounds_is_held(self, slot));
    enter_strand(self, slot, false);
}

bool rounds_is_held(const struct rounds *self, uint32_t slot)
{
    assert(rounds_is_in(self, slot));
    return self->strand_of[slot] == NONE;
}

/* What it has that can be next. */
static uint32_t ready(const struct line *line)
{
    assert(line->held <= line->length);
    return line->length - line->held;
}

/* The first line of a ring, if it has nothing but what is held. */
static uint32_t empty_head(struct rounds *self, uint32_t sentinel)
{
    uint32_t line = self->rings[sentinel].next;
    return line != sentinel && ready(lines_at(self->lines, line)) == 0 ? line : NONE;
}

static void leave_if_empty(struct rounds *self, uint32_t line)
{
    if (lines_at(self->lines, line)->length == 0 && !list_is_in(self->rings, line))
        lines_leave(self->lines, line);
}

/* The heads have something: empty lines go from new to old, and from old away. */
static void settle(struct rounds *self, uint32_t rank)
{
    uint32_t newer = ring(self, rank, RING_NEW), older = ring(self, rank, RING_OLD), line;
    while ((line = empty_head(self, newer)) != NONE)
        move_line(self, line, older);
    while ((line = empty_head(self, older)) != NONE) {
        list_take_out(self->rings, line);
        leave_if_empty(self, line);
    }
}

/* Its turn is used, or it is empty: to the tail of old. */
static void end_turn(struct rounds *self, uint32_t line)
{
    struct line *its = lines_at(self->lines, line);
    its->left -= its->left > 0;
    if (its->left > 0 && ready(its) > 0)
        return;
    its->left = its->weight;
    move_line(self, line, ring(self, its->rank, RING_OLD));
}

static void leave_strand(struct rounds *self, uint32_t slot, bool served)
{
    const struct place *place = &self->places[slot];
    uint32_t strand = self->strand_of[slot], rank = rank_of(place->role, place->class);
    list_take_out(self->by_strand, slot);
    self->waiting[rank]--;
    self->lane_waiting[place->lane * CLASS_COUNT + place->class]--;
    self->closed[rank] -= is_closed(self, rank, place->lane);
    if (list_is_empty(self->by_strand, self->slots_max + strand)) {
        drop_strand(self, strand);
    } else if (served) { /* the next strand's turn */
        list_take_out(self->strand_rings, strand);
        list_put_before(self->strand_rings, strand,
                        strand_ring(self, self->line_of[slot], STRANDS_OPEN));
    }
}

void rounds_take(struct rounds *self, uint32_t slot, bool served)
{
    bool is_held = rounds_is_held(self, slot);
    uint32_t line = self->line_of[slot];
    assert(!is_held || !served);
    if (is_held)
        lines_at(self->lines, line)->held--;
    else
        leave_strand(self, slot, served);
    list_take_out(self->by_line, slot);
    lines_shrink(self->lines, line);
    if (served)
        end_turn(self, line);
    if (is_held)
        leave_if_empty(self, line);
    else
        settle(self, rank_of(self->places[slot].role, self->places[slot].class));
}

const struct place *rounds_place(const struct rounds *self, uint32_t slot)
{
    assert(slot < self->slots_max);
    return &self->places[slot];
}

bool rounds_is_in(const struct rounds *self, uint32_t slot)
{
    assert(slot < self->slots_max);
    return list_is_in(self->by_line, slot);
}

bool rounds_waits(const struct rounds *self, uint32_t rank)
{
    assert(self->closed[rank] <= self->waiting[rank]);
    return self->waiting[rank] > self->closed[rank];
}

/* The first strand of a line whose lane is open; NONE: there is none. */
static uint32_t open_strand(struct rounds *self, uint32_t line)
{
    struct line *its = lines_at(self->lines, line);
    uint32_t open = strand_ring(self, line, STRANDS_OPEN);
    uint32_t closed = strand_ring(self, line, STRANDS_CLOSED);
    if (its->era != era_of(self, its->rank))
        list_prepend_all(self->strand_rings, closed, open);
    its->era = era_of(self, its->rank);
    while (!list_is_empty(self->strand_rings, open)) {
        uint32_t strand = self->strand_rings[open].next;
        if (!is_closed(self, its->rank, self->strands[strand].lane))
            return strand;
        list_take_out(self->strand_rings, strand);
        list_put_before(self->strand_rings, strand, closed);
    }
    return NONE;
}

/* Each line is set aside once in an era, and each strand: so it ends. */
uint32_t rounds_next(struct rounds *self, uint32_t rank)
{
    assert(rounds_waits(self, rank));
    uint32_t newer = ring(self, rank, RING_NEW), older = ring(self, rank, RING_OLD), strand, line;
    for (;;) {
        settle(self, rank);
        line = self->rings[list_is_empty(self->rings, newer) ? older : newer].next;
        assert(line < self->lines_max); /* rounds_waits() has said that one is there */
        strand = open_strand(self, line);
        if (strand != NONE)
            return self->by_strand[self->slots_max + strand].next;
        lines_at(self->lines, line)->aside = era_of(self, rank);
        move_line(self, line, ring(self, rank, RING_ASIDE));
    }
}

void rounds_close(struct rounds *self, uint32_t slot)
{
    const struct place *place = &self->places[slot];
    uint32_t lane = place->lane;
    assert(!is_closed(self, rank_of(place->role, place->class), lane));
    self->lane_closed[lane] = self->era[place->role];
    for (uint32_t class = 0; class < CLASS_COUNT; class ++)
        self->closed[rank_of(place->role, class)] += self->lane_waiting[lane * CLASS_COUNT + class];
}

void rounds_open(struct rounds *self, enum role role)
{
    self->era[role] = ++self->eras;
    for (uint32_t class = 0; class < CLASS_COUNT; class ++) {
        uint32_t rank = rank_of(role, class);
        self->closed[rank] = 0;
        list_prepend_all(self->rings, ring(self, rank, RING_ASIDE), ring(self, rank, RING_OLD));
        settle(self, rank);
    }
}

uint32_t rounds_ahead(const struct rounds *self, const struct place *place)
{
    uint32_t rank = rank_of(place->role, place->class), all = self->waiting[rank];
    if (all == 0)
        return 0;
    uint32_t line = lines_find(self->lines, rank, place->tenant);
    uint64_t own = 0, weight = weight_of(place), weights = lines_weights(self->lines, rank);
    bool counted = false;
    if (line != NONE) {
        const struct line *its = lines_at(self->lines, line);
        own = ready(its);
        weight = its->weight;
        counted = its->length > 0;
    }
    weights += counted ? 0 : weight;
    uint64_t ahead = ((own + 1) * weights + weight - 1) / weight - 1;
    return ahead < all ? (uint32_t)ahead : all;
}

uint32_t rounds_length(const struct rounds *self, const struct place *place)
{
    uint32_t line = lines_find(self->lines, rank_of(place->role, place->class), place->tenant);
    return line == NONE ? 0 : lines_at(self->lines, line)->length;
}

uint32_t rounds_longest(const struct rounds *self, uint32_t rank)
{
    uint32_t line = lines_longest(self->lines, rank);
    return line == NONE ? 0 : lines_at(self->lines, line)->length;
}

uint32_t rounds_newest(const struct rounds *self, uint32_t rank)
{
    uint32_t line = lines_longest(self->lines, rank);
    return line == NONE ? NONE : self->by_line[self->slots_max + line].previous;
}

uint32_t rounds_waiting(const struct rounds *self, uint32_t rank)
{
    return self->waiting[rank];
}

const struct lines *rounds_lines(const struct rounds *self)
{
    return self->lines;
}

bool rounds_is_late(struct rounds *self, uint32_t slot, int64_t waited_us, int64_t target_us,
                    int64_t now_at)
{
    assert(!rounds_is_held(self, slot));
    struct delay *delay = &lines_at(self->lines, self->line_of[slot])->delay;
    if (now_at > delay->until_at) { /* the first of an interval is judged by nothing */
        delay->overloaded = delay->until_at > 0 && delay->least_us > target_us;
        delay->until_at = now_at + DELAY_INTERVAL_US;
        delay->least_us = waited_us;
        return false;
    }
    if (waited_us < delay->least_us)
        delay->least_us = waited_us;
    return delay->overloaded && waited_us > 2 * target_us;
}
