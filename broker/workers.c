/* workers - see workers.h. */
#include "broker/workers.h"

#include <stdlib.h>
#include <string.h>

#include "broker/list.h"

#define LOOKED_AT_MAX 16u          /* more candidates: two at random */
#define COST_DECAY_US (10.0 * 1e6) /* tau of the peak. source: Finagle, PeakEwma */
#define COST_UNKNOWN_US 1e6        /* of one that has something to do and has not answered yet */
#define LOAD_MAX 1.25              /* of the mean: more has no worker for the sake of a key */
#define CHUNK_CREDIT_PART 4u       /* a chunk is at most so small a part of a worker's credit */

const char *const worker_state_names[WORKER_STATE_COUNT] = {
    [WORKER_FREE] = "dead",         [WORKER_UP] = "up",
    [WORKER_SUSPECT] = "suspect",   [WORKER_EJECTED] = "ejected",
    [WORKER_DRAINING] = "draining",
};

struct workers {
    struct methods *methods;
    struct crew sound; /* up */
    struct crew able;  /* of them those with credit */
    uint64_t seed;
    uint32_t in[ROLE_COUNT][WORKER_STATE_COUNT];
    bool ignored[ROLE_COUNT]; /* too few are sound: who is ejected gets work all the same */
    uint32_t capacity[ROLE_COUNT];
    uint32_t turn; /* a chunk is one turn's */
    struct worker entries[WORKERS_MAX];
};

struct workers *workers_new(uint64_t seed)
{
    assert(seed != 0);
    struct workers *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->methods = methods_new();
    self->seed = seed;
    return self;
}

void workers_destroy(struct workers **self_p)
{
    assert(self_p != NULL);
    if (*self_p != NULL)
        methods_destroy(&(*self_p)->methods);
    free(*self_p);
    *self_p = NULL;
}

struct methods *workers_methods(struct workers *self)
{
    return self->methods;
}

uint32_t worker_index(const struct workers *self, const struct worker *worker)
{
    assert(worker >= self->entries);
    assert(worker < self->entries + WORKERS_MAX);
    return (uint32_t)(worker - self->entries);
}

uint32_t worker_credit(const struct worker *worker)
{
    return worker->granted - worker->dispatched;
}

struct worker *workers_at(struct workers *self, uint32_t index)
{
    assert(index < WORKERS_MAX);
    return self->entries[index].state == WORKER_FREE ? NULL : &self->entries[index];
}

uint32_t workers_count(const struct workers *self)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        count += self->entries[i].state != WORKER_FREE;
    return count;
}

uint32_t workers_up(const struct workers *self, enum role role)
{
    return self->in[role][WORKER_UP] + self->in[role][WORKER_SUSPECT] +
           self->in[role][WORKER_EJECTED];
}

uint32_t workers_in(const struct workers *self, enum role role, enum worker_state state)
{
    return self->in[role][state];
}

uint32_t workers_capacity(const struct workers *self, enum role role)
{
    return self->capacity[role];
}

/* Returns whether it can take something now, and could not before. */
static bool update(struct workers *self, struct worker *worker)
{
    uint32_t index = worker_index(self, worker);
    bool could = crew_has(&self->able, index);
    bool sound = worker->state == WORKER_UP ||
                 (worker->state == WORKER_EJECTED && self->ignored[worker->role]);
    bool can =
        sound && !worker->choked && worker_credit(worker) > 0 && worker->running < worker->room;
    crew_put(&self->sound, index, sound);
    if (can != could)
        crew_put(&self->able, index, can);
    return can && !could;
}

static bool takes_requests(enum worker_state state)
{
    return state == WORKER_UP || state == WORKER_SUSPECT || state == WORKER_EJECTED;
}

/* When enough are sound again, or too few, those that are ejected are looked at anew. */
static void look_at_ejection(struct workers *self, enum role role)
{
    bool ignored = ejection_is_ignored(workers_up(self, role), self->in[role][WORKER_UP]);
    if (ignored == self->ignored[role])
        return;
    self->ignored[role] = ignored;
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        if (self->entries[i].state == WORKER_EJECTED && self->entries[i].role == role)
            (void)update(self, &self->entries[i]);
}

void workers_set_state(struct workers *self, struct worker *worker, enum worker_state state)
{
    enum role role = worker->role;
    if (takes_requests(worker->state) && !takes_requests(state))
        self->capacity[role] -= worker->concurrency;
    else if (!takes_requests(worker->state) && takes_requests(state))
        self->capacity[role] += worker->concurrency;
    if (worker->state != WORKER_FREE)
        self->in[role][worker->state]--;
    if (state != WORKER_FREE)
        self->in[role][state]++;
    worker->state = state;
    (void)update(self, worker);
    look_at_ejection(self, role);
}

struct worker *workers_add(struct workers *self, uint32_t peer, enum role role, uint32_t credit)
{
    struct worker *entry = self->entries;
    while (entry < self->entries + WORKERS_MAX && entry->state != WORKER_FREE)
        entry++;
    if (entry == self->entries + WORKERS_MAX)
        return NULL;
    entry->role = role;
    entry->peer = peer;
    entry->concurrency = credit;
    entry->granted = credit;
    entry->room = UINT32_MAX;
    workers_set_state(self, entry, WORKER_UP);
    return entry;
}

static void serve_nothing(struct workers *self, struct worker *worker)
{
    for (uint32_t i = 0; i < worker->methods_count; i++)
        methods_leave(self->methods, worker->methods[i].lane, worker_index(self, worker));
    worker->methods_count = 0;
}

void workers_remove(struct workers *self, struct worker *worker)
{
    assert(worker->running == 0);
    serve_nothing(self, worker);
    workers_set_state(self, worker, WORKER_FREE);
    memset(worker, 0, offsetof(struct worker, methods)); /* they are large, and count 0 */
}

enum status workers_serve(struct workers *self, struct worker *worker, struct bytes methods)
{
    struct values values = values_over(methods);
    struct bytes value;
    struct msg_method method;
    serve_nothing(self, worker);
    while (values_next(&values, &value)) {
        if (message_decode(MSG_METHOD, value, &method) != STATUS_OK || method.name.size == 0)
            return STATUS_BAD_REQUEST;
        uint32_t lane =
            methods_serve(self->methods, worker->role, method.name, worker_index(self, worker));
        if (lane == NONE || worker->methods_count == METHODS_MAX)
            continue;
        struct served *served = &worker->methods[worker->methods_count++];
        *served = (struct served){lane, name_of(method.version), method.schema};
    }
    return STATUS_OK;
}

bool workers_grant(struct workers *self, struct worker *worker, uint32_t granted)
{
    bool rises = (int32_t)(granted - worker->granted) > 0;
    if (!rises || granted - worker->dispatched > WORKER_CREDIT_MAX)
        return false;
    worker->granted = granted;
    return update(self, worker);
}

uint32_t workers_give_back(struct workers *self, struct worker *worker, uint32_t granted)
{
    bool used = (int32_t)(granted - worker->dispatched) < 0;
    assert((int32_t)(worker->granted - granted) > 0);
    worker->granted = used ? worker->dispatched : granted;
    (void)update(self, worker);
    return worker->granted;
}

void workers_resize(struct workers *self, struct worker *worker)
{
    uint32_t concurrency = worker->granted - worker->dispatched + worker->running;
    if (concurrency == 0)
        concurrency = 1; /* it will have one again */
    if (takes_requests(worker->state))
        self->capacity[worker->role] += concurrency - worker->concurrency;
    worker->concurrency = concurrency;
}

void workers_spend(struct workers *self, struct worker *worker)
{
    assert(worker_credit(worker) > 0);
    worker->dispatched++;
    worker->running++;
    if (worker_credit(worker) == 0 || worker->running >= worker->room)
        (void)update(self, worker);
}

void workers_unspend(struct workers *self, struct worker *worker)
{
    assert(worker->running > 0);
    worker->dispatched--;
    worker->running--;
    (void)update(self, worker);
}

void workers_choke(struct workers *self, struct worker *worker)
{
    worker->choked = true;
    (void)update(self, worker);
}

bool workers_heard(struct workers *self, struct worker *worker)
{
    worker->choked = false;
    return update(self, worker);
}

/* What a peak has become since: it fades by the clock too, or a worker that was slow once would
 * never be tried again. */
static double cost_now(const struct worker *worker, int64_t now_at)
{
    return worker->cost_us * COST_DECAY_US / (COST_DECAY_US + (double)(now_at - worker->cost_at));
}

bool workers_release(struct workers *self, struct worker *worker)
{
    assert(worker->running > 0);
    worker->running--;
    return worker->room != UINT32_MAX && update(self, worker);
}

/* source: Marsaglia, Xorshift RNGs, 2003 */
static uint64_t draw(struct workers *self)
{
    self->seed ^= self->seed << 13;
    self->seed ^= self->seed >> 7;
    self->seed ^= self->seed << 17;
    return self->seed;
}

bool workers_eject(struct workers *self, struct worker *worker, int64_t now_at)
{
    enum role role = worker->role;
    assert(worker->state == WORKER_UP);
    if (!ejection_may(workers_up(self, role), self->in[role][WORKER_EJECTED]))
        return false;
    health_eject(&worker->health, draw(self), now_at);
    workers_set_state(self, worker, WORKER_EJECTED);
    return true;
}

bool workers_is_over(const struct worker *worker, int64_t now_at)
{
    return worker->state == WORKER_EJECTED && worker->health.until_at <= now_at;
}

void workers_return(struct workers *self, struct worker *worker, int64_t now_at)
{
    assert(worker->state == WORKER_EJECTED);
    health_return(&worker->health, now_at);
    worker->room = health_ramp(&worker->health, worker->concurrency, now_at);
    workers_set_state(self, worker, WORKER_UP);
}

void workers_ready(struct workers *self, struct worker *worker)
{
    bool out = health_is_out(&worker->health);
    workers_set_state(self, worker, out ? WORKER_EJECTED : WORKER_UP);
}

bool workers_ramp(struct workers *self, struct worker *worker, int64_t now_at)
{
    if (worker->room == UINT32_MAX)
        return false;
    uint32_t room = health_ramp(&worker->health, worker->concurrency, now_at);
    worker->room = room < worker->concurrency ? room : UINT32_MAX;
    return update(self, worker);
}

void worker_learn(struct worker *worker, int64_t service_us, int64_t now_at)
{
    double took = service_us > 0 ? (double)service_us : 1, faded = cost_now(worker, now_at);
    double kept = COST_DECAY_US / (COST_DECAY_US + (double)(now_at - worker->cost_at));
    worker->cost_us = took > faded ? took : worker->cost_us * kept + took * (1 - kept);
    worker->cost_at = now_at;
}

/* What it has to do. It may have more than what the broker waits for: what was taken from it, or
 * withdrawn, and it has not answered. */
static uint32_t load_of(const struct worker *worker)
{
    uint32_t credit = worker_credit(worker);
    uint32_t held = credit < worker->concurrency ? worker->concurrency - credit : 0;
    return held > worker->running ? held : worker->running;
}

/* What the next request would cost here; an unknown worker gets one to be known by. */
static double score(const struct worker *worker, int64_t now_at)
{
    bool known = worker->cost_us > 0;
    uint32_t load = load_of(worker);
    if (!known && load == 0)
        return 0;
    double cost = known ? cost_now(worker, now_at) : COST_UNKNOWN_US;
    return (load + 1) * cost / worker->weight;
}

/* Leave two of them, at random. source: Mitzenmacher, The power of two choices, 2001 */
static struct crew two_of(struct workers *self, struct crew crew, uint32_t count)
{
    struct crew two = {{0}};
    uint32_t first = (uint32_t)(draw(self) % count), second = (uint32_t)(draw(self) % (count - 1));
    second += second >= first;
    for (uint32_t i = 0, worker; (worker = crew_next(&crew)) != NONE; i++)
        if (i == first || i == second)
            crew_put(&two, worker, true);
    return two;
}

static struct worker *best_of(struct workers *self, struct crew crew, int64_t now_at)
{
    struct worker *best = NULL;
    double least = 0;
    for (uint32_t index; (index = crew_next(&crew)) != NONE;) {
        struct worker *worker = &self->entries[index];
        double its = score(worker, now_at);
        if (best == NULL || its < least || (its <= least && load_of(worker) < load_of(best))) {
            best = worker;
            least = its;
        }
    }
    return best;
}

/* How many more requests after this one stay with the worker; none with one not known yet. */
static uint32_t chunk_of(const struct lane *lane, const struct worker *worker)
{
    double fit = CHUNK_US / lane->service.p50_us;
    uint32_t chunk = fit > CHUNK_MAX ? CHUNK_MAX : (uint32_t)fit;
    uint32_t part = worker_credit(worker) / CHUNK_CREDIT_PART;
    if (chunk > part)
        chunk = part;
    return chunk > 1 && worker->cost_us > 0 ? chunk - 1 : 0;
}

/* source: Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014 (its finalizer)
 */
static uint64_t mix(uint64_t bits)
{
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return bits ^ (bits >> 31);
}

/* Its load with one more is within the bound of the mean of the crew's. */
static bool is_within(const struct workers *self, struct crew crew, const struct worker *worker)
{
    double load = 1, weight = 0;
    for (uint32_t index; (index = crew_next(&crew)) != NONE;) {
        load += load_of(&self->entries[index]);
        weight += self->entries[index].weight;
    }
    double bound = LOAD_MAX * load * worker->weight / weight;
    return load_of(worker) < (bound > 1 ? bound : 1);
}

/* The one of its own, or the next, of all who serve it and are up; NULL: neither can take it.
 * source: Thaler, Ravishankar: Using name-based mappings to increase hit rates, 1998; the bound:
 * Mirrokni, Thorup, Zadimoghaddam: Consistent hashing with bounded loads, 2018 */
static struct worker *of_key(struct workers *self, struct crew crew, uint64_t key)
{
    struct worker *first = NULL, *second = NULL;
    struct crew all = crew;
    uint64_t highest = 0, next = 0;
    for (uint32_t index; (index = crew_next(&crew)) != NONE;) {
        struct worker *worker = &self->entries[index];
        uint64_t rank = mix(key ^ mix(worker->identity + 1));
        if (first == NULL || rank > highest) {
            second = first;
            next = highest;
            first = worker;
            highest = rank;
        } else if (second == NULL || rank > next) {
            second = worker;
            next = rank;
        }
    }
    if (first != NULL && crew_has(&self->able, worker_index(self, first)) &&
        is_within(self, all, first))
        return first;
    bool other = second != NULL && crew_has(&self->able, worker_index(self, second));
    return other ? second : NULL;
}

/* The one that the request is tied to; NULL: any. */
static struct worker *tied(struct workers *self, const struct crew *serving,
                           const struct wish *wish)
{
    if (wish->seen_by != NONE && crew_has(serving, wish->seen_by) &&
        crew_has(&self->able, wish->seen_by))
        return &self->entries[wish->seen_by];
    if (!wish->has_key)
        return NULL;
    return of_key(self, crew_both(serving, &self->sound), wish->key);
}

struct worker *workers_pick(struct workers *self, uint32_t lane_index, const struct wish *wish,
                            int64_t now_at)
{
    struct lane *lane = methods_lane(self->methods, lane_index);
    struct crew crew = methods_crew(self->methods, lane_index);
    struct worker *own = tied(self, &crew, wish);
    if (own != NULL && worker_index(self, own) != wish->avoid)
        return own;
    crew = crew_both(&crew, &self->able);
    if (wish->avoid != NONE && crew_has(&crew, wish->avoid) && crew_count(&crew) > 1) {
        crew_put(&crew, wish->avoid, false);
        return best_of(self, crew, now_at);
    }
    if (lane->chunk_left > 0 && lane->chunk_turn == self->turn &&
        crew_has(&crew, lane->chunk_worker)) {
        lane->chunk_left--;
        return &self->entries[lane->chunk_worker];
    }
    uint32_t count = crew_count(&crew);
    if (count > LOOKED_AT_MAX)
        crew = two_of(self, crew, count);
    struct worker *best = best_of(self, crew, now_at);
    if (best == NULL)
        return NULL;
    lane->chunk_worker = worker_index(self, best);
    lane->chunk_turn = self->turn;
    lane->chunk_left = chunk_of(lane, best);
    return best;
}

void workers_end_turn(struct workers *self)
{
    self->turn++;
}
