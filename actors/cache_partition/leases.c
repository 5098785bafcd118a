/* leases - see leases.h.
 *
 * A seat is a key with its lease, its queue, or both: when a lease ends those behind it remain, for
 * their owner to serve or to hand the lease to. Seats and waiters stand in pools with free lists;
 * both are ids of one heap of what falls due, the waiters behind the seats. */
#include "actors/cache_partition/leases.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "actors/cache_partition/due.h"

#define NONE UINT32_MAX
#define STEPS 4u         /* buckets of the histogram to a power of two */
#define FILL_BUCKETS 80u /* to 2^20 ms */
#define FILLS_MIN 8u     /* fewer say too little */
#define FADE_US (300 * US_PER_S)

struct seat {
    uint64_t token, version; /* token 0: no lease is out */
    int64_t given_at;
    uint32_t first, last, waiting; /* its queue */
    uint32_t chain;                /* next of its bucket, or of the free ones */
    struct lease_key key;
};

struct parked {
    struct waiter waiter;
    uint32_t seat, next, before; /* in its queue */
    uint32_t chain;              /* next of its bucket, or of the free ones */
};

/* How long fills took, by log2 of milliseconds; halved each FADE_US. */
struct fills {
    uint32_t counts[FILL_BUCKETS], count;
    int64_t faded_at;
};

struct leases {
    struct leases_limits limits;
    struct seat *seats;
    struct parked *parked;
    uint32_t *seat_buckets, *parked_buckets;   /* as many as there are of each, at least */
    uint32_t free_seat, free_parked;           /* chains of those that came back */
    uint32_t untouched_seat, untouched_parked; /* from here on none was ever used */
    uint32_t seat_mask, parked_mask;
    struct due *due;
    uint64_t seed;
    struct fills fills;
    struct leases_counts counts;
};

static uint32_t mask_for(uint32_t count)
{
    uint32_t size = 1;
    while (size < count)
        size *= 2;
    return size - 1;
}

static void clear(struct leases *self)
{
    self->free_seat = self->free_parked = NONE;
    memset(self->seat_buckets, 0xff, (self->seat_mask + 1) * sizeof(uint32_t));
    memset(self->parked_buckets, 0xff, (self->parked_mask + 1) * sizeof(uint32_t));
}

struct leases *leases_new(const struct leases_limits *limits, uint64_t seed)
{
    assert(limits->leases > 0);
    assert(limits->parked > 0);
    struct leases *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->limits = *limits;
    self->seed = seed;
    self->seat_mask = mask_for(limits->leases);
    self->parked_mask = mask_for(limits->parked);
    self->seats = malloc(limits->leases * sizeof *self->seats);
    self->parked = malloc(limits->parked * sizeof *self->parked);
    self->seat_buckets = malloc((self->seat_mask + 1) * sizeof(uint32_t));
    self->parked_buckets = malloc((self->parked_mask + 1) * sizeof(uint32_t));
    self->due = due_new(limits->leases + limits->parked);
    if (self->seats == NULL || self->parked == NULL || self->seat_buckets == NULL ||
        self->parked_buckets == NULL || self->due == NULL)
        leases_destroy(&self);
    else
        clear(self);
    return self;
}

void leases_destroy(struct leases **self)
{
    if (*self == NULL)
        return;
    free((*self)->seats);
    free((*self)->parked);
    free((*self)->seat_buckets);
    free((*self)->parked_buckets);
    due_destroy(&(*self)->due);
    free(*self);
    *self = NULL;
}

/* The bucket of a histogram: STEPS to a power of two, linear between powers. */
static uint32_t fill_bucket(uint64_t ms)
{
    uint64_t scaled = ms + 1, power = 0;
    while (scaled >> (power + 1) > 0)
        power++;
    uint64_t bucket = power * STEPS + ((scaled - (1u << power)) * STEPS >> power);
    return bucket < FILL_BUCKETS ? (uint32_t)bucket : FILL_BUCKETS - 1;
}

/* Where the next bucket begins. */
static uint64_t fill_bucket_end_ms(uint32_t bucket)
{
    uint64_t power = (bucket + 1) / STEPS, step = (bucket + 1) % STEPS;
    return (((STEPS + step) << power) + STEPS - 1) / STEPS - 1;
}

static void note_fill(struct fills *fills, int64_t took_us, int64_t now_at)
{
    if (now_at - fills->faded_at >= FADE_US) {
        fills->count = 0;
        for (uint32_t i = 0; i < FILL_BUCKETS; i++)
            fills->count += fills->counts[i] /= 2;
        fills->faded_at = now_at;
    }
    fills->counts[fill_bucket((uint64_t)(took_us / US_PER_MS))]++;
    fills->count++;
}

static int64_t lease_ms(const struct fills *fills)
{
    uint32_t bucket = 0;
    if (fills->count < FILLS_MIN)
        return LEASE_MS_FIRST;
    for (uint64_t seen = fills->counts[0]; seen * 100 < fills->count * UINT64_C(99);)
        seen += fills->counts[++bucket];
    uint64_t ms = 2 * fill_bucket_end_ms(bucket);
    ms = ms < LEASE_MS_MIN ? LEASE_MS_MIN : ms;
    return ms < LEASE_MS_MAX ? (int64_t)ms : LEASE_MS_MAX;
}

static uint32_t *seat_bucket(const struct leases *self, struct bytes key)
{
    return &self->seat_buckets[XXH3_64bits_withSeed(key.data, key.size, self->seed) &
                               self->seat_mask];
}

static struct bytes key_of(const struct seat *seat)
{
    return (struct bytes){seat->key.data, seat->key.size};
}

static uint32_t find(const struct leases *self, struct bytes key)
{
    uint32_t at = *seat_bucket(self, key);
    while (at != NONE && !bytes_equal(key_of(&self->seats[at]), key))
        at = self->seats[at].chain;
    return at;
}

static uint32_t find_held(const struct leases *self, struct bytes key)
{
    uint32_t at = find(self, key);
    return at != NONE && self->seats[at].token != 0 ? at : NONE;
}

/* A seat for a key that has none; NONE: all are taken. */
static uint32_t take_seat(struct leases *self, struct bytes key)
{
    uint32_t at = self->free_seat, *bucket = seat_bucket(self, key);
    assert(key.size > 0);
    assert(key.size <= STORE_KEY_BYTES_MAX);
    if (at != NONE)
        self->free_seat = self->seats[at].chain;
    else if (self->untouched_seat < self->limits.leases)
        at = self->untouched_seat++;
    else
        return NONE;
    struct seat *seat = &self->seats[at];
    *seat = (struct seat){.first = NONE, .last = NONE, .chain = *bucket};
    seat->key.size = key.size;
    memcpy(seat->key.data, key.data, key.size);
    *bucket = at;
    return at;
}

/* A seat that has neither lease nor queue is free. */
static void leave_seat(struct leases *self, uint32_t at)
{
    struct seat *seat = &self->seats[at];
    if (seat->token != 0 || seat->waiting > 0)
        return;
    uint32_t *link = seat_bucket(self, key_of(seat));
    while (*link != at)
        link = &self->seats[*link].chain;
    *link = seat->chain;
    seat->chain = self->free_seat;
    self->free_seat = at;
}

bool leases_held(const struct leases *self, struct bytes key)
{
    return find_held(self, key) != NONE;
}

int64_t leases_grant(struct leases *self, struct bytes key, uint64_t version, uint64_t token,
                     int64_t now_at)
{
    assert(token != 0);
    uint32_t at = find(self, key);
    assert(at == NONE || self->seats[at].token == 0);
    if (at == NONE)
        at = take_seat(self, key);
    if (at == NONE)
        return 0;
    struct seat *seat = &self->seats[at];
    int64_t until_at = now_at + lease_ms(&self->fills) * US_PER_MS;
    seat->token = token;
    seat->version = version;
    seat->given_at = now_at;
    due_set(self->due, at, until_at);
    self->counts.leases++;
    return until_at;
}

bool leases_current(const struct leases *self, struct bytes key, uint64_t token,
                    uint64_t *ret_version, int64_t *ret_given_at)
{
    uint32_t at = find_held(self, key);
    if (at == NONE || self->seats[at].token != token)
        return false;
    *ret_version = self->seats[at].version;
    *ret_given_at = self->seats[at].given_at;
    return true;
}

/* What lapsed took at least so long; not to count it would let leases shrink below the fills. */
static void end_lease(struct leases *self, uint32_t at, int64_t now_at)
{
    struct seat *seat = &self->seats[at];
    note_fill(&self->fills, now_at - seat->given_at, now_at);
    seat->token = 0;
    due_remove(self->due, at);
    self->counts.leases--;
    leave_seat(self, at);
}

void leases_end(struct leases *self, struct bytes key, int64_t now_at)
{
    uint32_t at = find_held(self, key);
    assert(at != NONE);
    end_lease(self, at, now_at);
}

static uint32_t *parked_bucket(const struct leases *self, const struct request *request)
{
    uint64_t names[3] = {request->link, request->peer, request->id};
    return &self->parked_buckets[XXH3_64bits_withSeed(names, sizeof names, self->seed) &
                                 self->parked_mask];
}

static uint32_t take_parked(struct leases *self)
{
    uint32_t at = self->free_parked;
    if (at == NONE)
        return self->untouched_parked++;
    self->free_parked = self->parked[at].chain;
    return at;
}

enum status leases_park(struct leases *self, struct bytes key, const struct waiter *waiter)
{
    uint32_t seat_at = find_held(self, key);
    assert(seat_at != NONE);
    struct seat *seat = &self->seats[seat_at];
    if (self->counts.parked == self->limits.parked || seat->waiting == self->limits.parked_per_key)
        return STATUS_BUSY_FULL;
    uint32_t at = take_parked(self);
    struct parked *parked = &self->parked[at];
    uint32_t *bucket = parked_bucket(self, &waiter->request);
    *parked = (struct parked){*waiter, seat_at, NONE, seat->last, *bucket};
    *bucket = at;
    if (seat->last == NONE)
        seat->first = at;
    else
        self->parked[seat->last].next = at;
    seat->last = at;
    seat->waiting++;
    self->counts.parked++;
    due_set(self->due, self->limits.leases + at, waiter->until_at);
    return STATUS_OK;
}

static void take_out(struct leases *self, uint32_t at)
{
    struct parked *parked = &self->parked[at];
    struct seat *seat = &self->seats[parked->seat];
    if (parked->before == NONE)
        seat->first = parked->next;
    else
        self->parked[parked->before].next = parked->next;
    if (parked->next == NONE)
        seat->last = parked->before;
    else
        self->parked[parked->next].before = parked->before;
    uint32_t *link = parked_bucket(self, &parked->waiter.request);
    while (*link != at)
        link = &self->parked[*link].chain;
    *link = parked->chain;
    parked->chain = self->free_parked;
    self->free_parked = at;
    seat->waiting--;
    self->counts.parked--;
    due_remove(self->due, self->limits.leases + at);
    leave_seat(self, parked->seat);
}

uint32_t leases_parked(const struct leases *self, struct bytes key)
{
    uint32_t at = find(self, key);
    return at == NONE ? 0 : self->seats[at].waiting;
}

bool leases_unpark(struct leases *self, struct bytes key, struct waiter *ret)
{
    uint32_t at = find(self, key);
    if (at == NONE || self->seats[at].waiting == 0)
        return false;
    uint32_t first = self->seats[at].first;
    *ret = self->parked[first].waiter;
    take_out(self, first);
    return true;
}

static bool same_request(const struct request *left, const struct request *right)
{
    return left->link == right->link && left->peer == right->peer && left->id == right->id;
}

bool leases_withdraw(struct leases *self, const struct request *request)
{
    uint32_t at = *parked_bucket(self, request);
    while (at != NONE && !same_request(&self->parked[at].waiter.request, request))
        at = self->parked[at].chain;
    if (at != NONE)
        take_out(self, at);
    return at != NONE;
}

int64_t leases_due_at(const struct leases *self)
{
    return due_first_at(self->due);
}

enum leases_due leases_next_due(struct leases *self, int64_t now_at, struct lease_key *ret_key,
                                struct waiter *ret_waiter)
{
    if (due_first_at(self->due) > now_at)
        return LEASES_NOTHING;
    uint32_t id = due_id(self->due, 0);
    if (id < self->limits.leases) {
        *ret_key = self->seats[id].key;
        self->counts.lapsed++;
        end_lease(self, id, now_at);
        return LEASES_LAPSED;
    }
    const struct parked *parked = &self->parked[id - self->limits.leases];
    *ret_key = self->seats[parked->seat].key;
    *ret_waiter = parked->waiter;
    take_out(self, id - self->limits.leases);
    return LEASES_WAITED_OUT;
}

const struct leases_counts *leases_counts(const struct leases *self)
{
    return &self->counts;
}
