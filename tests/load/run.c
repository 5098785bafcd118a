/* run - see run.h. One thread: it sleeps until something comes or is due, and neither spins nor
 * adds a timer of its own to those of the handles. */
#include "tests/load/run.h"

#include <assert.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/client/transport.h"
#include "tests/load/verdict.h"

#define WARM_WINDOW 32u

struct run;

struct lane { /* a connection, in a run */
    struct run *run;
    struct fact *handle;
    uint32_t under_way;
    bool is_dirty; /* something was submitted that has not left */
};

struct flight { /* a request under way */
    struct lane *lane;
    struct flight *next_free;
    uint64_t key;
    int64_t due_at, sent_at;
};

struct run {
    const struct run_config *config;
    struct workload *workload;
    struct run_result *result;
    struct lane lanes[CONNECTIONS_MAX];
    unsigned lane_count, next_lane;
    struct flight *flights, *first_free;
    int64_t *waiting; /* open loop with a window: when each was due; a ring of inflight_max */
    uint32_t waiting_first, waiting_count, under_way;
    int64_t from_at, to_at; /* measured */
    bool stopping;
};

static bool counts(const struct run *self, int64_t due_at)
{
    return due_at >= self->from_at && due_at < self->to_at;
}

static struct flight *take_flight(struct run *self)
{
    struct flight *flight = self->first_free;
    assert(flight != NULL); /* there are inflight_max */
    self->first_free = flight->next_free;
    self->under_way++;
    return flight;
}

static void free_flight(struct run *self, struct flight *flight)
{
    flight->next_free = self->first_free;
    self->first_free = flight;
    self->under_way--;
}

static void on_ended(void *context, const struct fact_reply *reply);

/* Send one now. What the handle will not take is dropped, if it is full, and has failed if not. */
static void send_one(struct lane *lane, int64_t due_at, int64_t now_at)
{
    struct run *self = lane->run;
    struct outcomes *outcomes = &self->result->outcomes;
    struct fact_request request;
    struct flight *flight = take_flight(self);
    *flight = (struct flight){
        .lane = lane, .key = workload_draw(self->workload), .due_at = due_at, .sent_at = now_at};
    workload_request(self->workload, flight->key, &request);
    enum status status = fact_submit(lane->handle, &request, on_ended, flight, NULL);
    bool is_counted = counts(self, due_at);
    if (status == STATUS_OK) {
        lane->under_way++;
        lane->is_dirty = true;
        outcomes->sent += is_counted;
        self->result->sent_in_time += is_counted && now_at < self->to_at;
        return;
    }
    free_flight(self, flight);
    if (is_counted && status == STATUS_BUSY_FULL) {
        outcomes->dropped++;
    } else if (is_counted) {
        outcomes->sent++;
        outcomes_ended(outcomes, status, false, now_at - due_at, 0);
    }
}

/* A place is free: for who waits; or, in a closed loop, for the next. */
static void send_next(struct lane *lane, int64_t now_at)
{
    struct run *self = lane->run;
    if (self->config->rate == 0 && !self->stopping) {
        self->result->outcomes.offered += counts(self, now_at);
        send_one(lane, now_at, now_at);
    } else if (self->waiting_count > 0) {
        int64_t due_at = self->waiting[self->waiting_first];
        self->waiting_first = (self->waiting_first + 1) % self->config->inflight_max;
        self->waiting_count--;
        send_one(lane, due_at, now_at);
    }
}

static void on_ended(void *context, const struct fact_reply *reply)
{
    struct flight flight = *(struct flight *)context;
    struct lane *lane = flight.lane;
    struct run *self = lane->run;
    int64_t now_at = transport_now_at();
    free_flight(self, context);
    lane->under_way--;
    bool right = reply->status == STATUS_OK && workload_is_right(self->workload, flight.key, reply);
    if (counts(self, flight.due_at))
        outcomes_ended(&self->result->outcomes, reply->status, right, now_at - flight.due_at,
                       now_at - flight.sent_at);
    self->result->completed += right && counts(self, now_at);
    send_next(lane, now_at);
}

static struct lane *lane_with_place(struct run *self)
{
    for (unsigned i = 0; i < self->lane_count; i++) {
        struct lane *lane = &self->lanes[self->next_lane];
        self->next_lane = (self->next_lane + 1) % self->lane_count;
        if (self->config->window == 0 || lane->under_way < self->config->window)
            return lane;
    }
    return NULL;
}

/* One is due. It is late only by our fault: one that finds a place and leaves long after. */
static void take_due(struct run *self, int64_t due_at, int64_t now_at)
{
    struct outcomes *outcomes = &self->result->outcomes;
    bool is_counted = counts(self, due_at);
    outcomes->offered += is_counted;
    if (self->under_way + self->waiting_count == self->config->inflight_max) {
        outcomes->dropped += is_counted;
        return;
    }
    struct lane *lane = self->waiting_count > 0 ? NULL : lane_with_place(self);
    if (lane != NULL) {
        outcomes->late += is_counted && now_at - due_at > self->config->late_us;
        send_one(lane, due_at, now_at);
        return;
    }
    uint32_t last = (self->waiting_first + self->waiting_count++) % self->config->inflight_max;
    self->waiting[last] = due_at;
}

static void send_what_is_due(struct run *self, struct schedule *schedule)
{
    int64_t now_at = transport_now_at();
    while (schedule_due_at(schedule) <= now_at && schedule_due_at(schedule) < self->to_at) {
        take_due(self, schedule_due_at(schedule), now_at);
        schedule_advance(schedule);
        now_at = transport_now_at();
    }
}

/* Let the handles work; sleep until there is something, or until then. */
static void turn(struct run *self, int64_t until_at)
{
    struct pollfd items[CONNECTIONS_MAX];
    for (unsigned i = 0; i < self->lane_count; i++) {
        struct lane *lane = &self->lanes[i];
        items[i] = (struct pollfd){.fd = fact_descriptor(lane->handle), .events = POLLIN};
        if (lane->is_dirty) {
            lane->is_dirty = false;
            fact_process(lane->handle);
        }
    }
    int64_t left_us = until_at - transport_now_at();
    left_us = left_us < 0 ? 0 : left_us;
    struct timespec time = {left_us / US_PER_S, left_us % US_PER_S * 1000};
    if (ppoll(items, self->lane_count, &time, NULL) <= 0)
        return;
    for (unsigned i = 0; i < self->lane_count; i++)
        if (items[i].revents != 0) {
            self->lanes[i].is_dirty = false;
            fact_process(self->lanes[i].handle);
            self->lanes[i].is_dirty = false; /* what was submitted by ends has left, too */
        }
}

static int64_t earlier(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

/* Until the measured time is over. */
static void offer(struct run *self, struct schedule *schedule, struct cost *cost)
{
    bool is_measuring = false;
    int64_t now_at = transport_now_at();
    while (now_at < self->to_at) {
        if (!is_measuring && now_at >= self->from_at) {
            cost_begin(cost);
            is_measuring = true;
        }
        int64_t until_at = is_measuring ? self->to_at : self->from_at;
        if (self->config->rate > 0) {
            send_what_is_due(self, schedule);
            until_at = earlier(until_at, schedule_due_at(schedule));
        }
        turn(self, until_at);
        now_at = transport_now_at();
    }
    if (!is_measuring)
        cost_begin(cost); /* the machine stood still all the while */
    cost_end(cost);
}

static void judge(const struct run *self, const struct cost *cost)
{
    const struct outcomes *outcomes = &self->result->outcomes;
    struct conditions conditions = {.open_loop = self->config->rate > 0,
                                    .offered = outcomes->offered,
                                    .sent = outcomes->sent,
                                    .late = outcomes->late,
                                    .dropped = outcomes->dropped,
                                    .refused = outcomes->refused,
                                    .sent_in_time = self->result->sent_in_time,
                                    .generator = cost_thread(cost),
                                    .foreign = cost_foreign(cost)};
    self->result->invalid = verdict_of(&conditions);
}

static void start(struct run *self, const struct connections *connections, int64_t now_at)
{
    uint32_t max = self->config->inflight_max;
    self->flights = calloc(max, sizeof *self->flights);
    self->waiting = calloc(max, sizeof *self->waiting);
    assert(self->flights != NULL);
    assert(self->waiting != NULL);
    for (uint32_t i = 0; i < max; i++)
        self->flights[i].next_free = i + 1 < max ? &self->flights[i + 1] : NULL;
    self->first_free = self->flights;
    self->from_at = now_at + self->config->warmup_us;
    self->to_at = self->from_at + self->config->measure_us;
    self->lane_count = connections->count;
    for (unsigned i = 0; i < self->lane_count; i++)
        self->lanes[i] = (struct lane){.run = self, .handle = connections->handles[i]};
}

void run(const struct connections *connections, struct workload *workload,
         const struct run_config *config, struct cost *cost, struct run_result *ret)
{
    struct run *self = calloc(1, sizeof *self);
    struct schedule schedule;
    int64_t now_at = transport_now_at();
    assert(self != NULL);
    assert(config->rate > 0 || config->window > 0);
    assert(config->rate > 0 ||
           (uint64_t)config->window * connections->count <= config->inflight_max);
    memset(ret, 0, sizeof *ret);
    self->config = config;
    self->workload = workload;
    self->result = ret;
    start(self, connections, now_at);
    schedule_init(&schedule, config->law, config->rate > 0 ? config->rate : 1, config->seed,
                  now_at);
    for (unsigned i = 0; config->rate == 0 && i < self->lane_count; i++)
        for (uint32_t j = 0; j < config->window; j++)
            send_next(&self->lanes[i], now_at);
    offer(self, &schedule, cost);
    self->stopping = true;
    while (self->under_way + self->waiting_count > 0) /* each ends, by its deadline at the latest */
        turn(self, transport_now_at() + US_PER_S);
    judge(self, cost);
    free(self->flights);
    free(self->waiting);
    free(self);
}

/* Warming. */

struct warming {
    struct workload *workload;
    struct fact *handle;
    uint64_t next, ended;
    bool failed;
    char *reason;
};

static void ask_warm(struct warming *self);

struct warm_key {
    struct warming *warming;
    uint64_t key;
};

static void on_warmed(void *context, const struct fact_reply *reply)
{
    struct warm_key *key = context;
    struct warming *self = key->warming;
    self->ended++;
    if (!workload_learn(self->workload, key->key, reply) && !self->failed) {
        self->failed = true;
        snprintf(self->reason, 256, "key %llu: %s", (unsigned long long)key->key,
                 reply->status == STATUS_OK ? "no answer" : statuses[reply->status].name);
    }
    free(key);
    if (!self->failed)
        ask_warm(self);
}

static void ask_warm(struct warming *self)
{
    struct fact_request request;
    if (self->next == workload_warm_keys(self->workload))
        return;
    struct warm_key *key = malloc(sizeof *key);
    assert(key != NULL);
    *key = (struct warm_key){self, self->next++};
    workload_request(self->workload, key->key, &request);
    if (fact_submit(self->handle, &request, on_warmed, key, NULL) == STATUS_OK)
        return;
    free(key);
    self->next--;
    self->failed = true;
    snprintf(self->reason, 256, "a handle took no request");
}

bool run_warm(const struct connections *connections, struct workload *workload, char *reason)
{
    struct warming warming = {
        .workload = workload, .handle = connections->handles[0], .reason = reason};
    for (unsigned i = 0; i < WARM_WINDOW && !warming.failed; i++)
        ask_warm(&warming);
    while (warming.ended < warming.next)
        (void)fact_poll(warming.handle, -1);
    return !warming.failed;
}
