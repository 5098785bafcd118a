/* load_scene - see load_scene.h. */
#include "tests/support/load_scene.h"

#include <math.h>
#include <string.h>

#include "broker/broker_private.h"

#define CALLS_ALL_MAX 400000u
#define EVENTS_AHEAD_MAX 400000u
#define ATTEMPTS_EACH 3u
#define BUDGET_PART 0.1
#define BUDGET_MAX 100.0
#define BACKOFF_US 50000.0
#define WAITS 2000u /* of 0.5 ms */
#define WAIT_US 500
#define FIRST_WORKER 1u
#define SIGMA 1.5
#define P95_OF_EXPONENTIAL 3.0 /* times its mean */

enum scene_event { ARRIVAL, RETRY, DONE, BEAT, CHANGE };

struct occurrence {
    int64_t at;
    enum scene_event kind;
    uint32_t call, worker;
    uint64_t id; /* of the slot */
};

struct call {
    int64_t deadline_at, sent_at;
    uint8_t class, sent_as, tenant, attempts;
    bool ended;
};

static struct scene {
    const struct load_setup *setup;
    struct load_result *result;
    int64_t begun_at, ends_at;
    uint64_t seed;
    struct occurrence *events; /* a heap, the earliest first */
    uint32_t events_count;
    struct call *calls;
    uint32_t calls_count;
    uint32_t *call_of; /* by request id */
    uint32_t waits[WAITS];
    double budget;
    bool changed;
    uint32_t gone_as[CLASS_COUNT]; /* dispatched in this step */
    uint32_t waiting[CLASS_COUNT], passed[CLASS_COUNT];
} scene;

static double draw(void)
{
    return ((double)(random_next(&scene.seed) >> 11) + 1) / 9007199254740993.0;
}

static void push(struct occurrence event)
{
    uint32_t at = scene.events_count++;
    ck_assert_uint_lt(at, EVENTS_AHEAD_MAX);
    for (; at > 0 && scene.events[(at - 1) / 2].at > event.at; at = (at - 1) / 2)
        scene.events[at] = scene.events[(at - 1) / 2];
    scene.events[at] = event;
}

static struct occurrence pop(void)
{
    struct occurrence first = scene.events[0], last = scene.events[--scene.events_count];
    uint32_t at = 0, child;
    while ((child = 2 * at + 1) < scene.events_count) {
        child +=
            child + 1 < scene.events_count && scene.events[child + 1].at < scene.events[child].at;
        if (scene.events[child].at >= last.at)
            break;
        scene.events[at] = scene.events[child];
        at = child;
    }
    scene.events[at] = last;
    return first;
}

static uint32_t bucket(int64_t at)
{
    int64_t number = (at - scene.begun_at) / SCENE_BUCKET_US;
    return number < (int64_t)SCENE_BUCKETS ? (uint32_t)number : SCENE_BUCKETS - 1;
}

/* A whole message of one pair; unlike world_bring() it does not count up after each. */
static void bring(enum side side, uint64_t number, const struct header *header, struct bytes body)
{
    zmq_msg_t message;
    char head[PAIR_HEAD_BYTES_MAX];
    size_t size = pairs_encode_head(header, body, head);
    ck_assert_int_eq(zmq_msg_init_size(&message, size + body.size), 0);
    memcpy(zmq_msg_data(&message), head, size);
    if (body.size > 0)
        memcpy((char *)zmq_msg_data(&message) + size, body.data, body.size);
    broker_take(world.broker, side, number, &message, world.now_at);
    zmq_msg_close(&message);
}

static void ask(uint32_t index)
{
    static const char *const tenants[SCENE_TENANTS_MAX] = {"t0",  "t1",  "t2",  "t3", "t4",  "t5",
                                                           "t6",  "t7",  "t8",  "t9", "t10", "t11",
                                                           "t12", "t13", "t14", "t15"};
    struct call *call = &scene.calls[index];
    struct header header = world_request();
    int64_t left_ms = (call->deadline_at - world.now_at) / MS;
    if (left_ms < 1) {
        call->ended = true;
        return;
    }
    header.class = (enum request_class)call->class;
    header.deadline_ms = (uint32_t)left_ms;
    header.attempt = call->attempts++;
    header.role = (uint8_t)scene.setup->role;
    if (scene.setup->tenants > 0)
        header.tenant = bytes_of(tenants[call->tenant]);
    ck_assert_uint_lt(header.id, (uint64_t)ATTEMPTS_EACH * CALLS_ALL_MAX);
    scene.call_of[header.id] = index;
    call->sent_at = world.now_at;
    scene.result->attempts++;
    bring(SIDE_FRONTEND, CLIENT, &header, (struct bytes){(const char *)&index, sizeof index});
}

static double factor(double its)
{
    return scene.changed && its > 0 ? its : 1;
}

static void next_arrival(void)
{
    const struct load_setup *setup = scene.setup;
    double rate = setup->load * scene.result->capacity * factor(setup->arrivals_factor);
    int64_t at = world.now_at + (int64_t)(-log(draw()) / rate * (double)US_PER_S);
    if (at < scene.ends_at)
        push((struct occurrence){.at = at, .kind = ARRIVAL});
}

static uint8_t draw_class(void)
{
    double left = draw() * 100;
    uint8_t class = 0;
    while (class < CLASS_COUNT - 1 && left >= scene.setup->percent[class])
        left -= scene.setup->percent[class ++];
    return class;
}

static void arrive(void)
{
    const struct load_setup *setup = scene.setup;
    uint32_t index = scene.calls_count++;
    ck_assert_uint_lt(index, CALLS_ALL_MAX);
    struct call *call = &scene.calls[index];
    *call =
        (struct call){.deadline_at = world.now_at + setup->deadline_ms * MS, .class = draw_class()};
    bool floods = setup->flood > 0 && draw() < setup->flood;
    if (setup->tenants > 0 && !floods)
        call->tenant =
            (uint8_t)(setup->flood > 0 ? 1 + random_next(&scene.seed) % (setup->tenants - 1)
                                       : random_next(&scene.seed) % setup->tenants);
    if (floods && setup->flood_is_class)
        call->class = CLASS_CRITICAL;
    scene.result->calls[call->class]++;
    scene.result->others_calls[call->class] += call->tenant > 0;
    scene.result->top_calls_at[bucket(world.now_at)] += call->class == 0;
    scene.budget += scene.budget < BUDGET_MAX ? BUDGET_PART : 0;
    ask(index);
    next_arrival();
}

static int64_t draw_service(void)
{
    double mean = (double)scene.setup->service_us * factor(scene.setup->service_factor);
    double took = -log(draw()) * mean;
    if (scene.setup->lognormal) {
        double normal = sqrt(-2 * log(draw())) * cos(2 * 3.14159265358979 * draw());
        took = mean * exp(SIGMA * normal - SIGMA * SIGMA / 2);
    }
    return (int64_t)took + 1;
}

static void on_work(uint64_t worker, const struct pair *pair)
{
    uint32_t index;
    if (pair->header.command != COMMAND_REQUEST)
        return;
    ck_assert_uint_eq(pair->body.size, sizeof index);
    memcpy(&index, pair->body.data, sizeof index);
    struct call *call = &scene.calls[index];
    int64_t waited = (world.now_at - call->sent_at) / WAIT_US;
    call->sent_as = pair->header.class;
    scene.gone_as[call->sent_as]++;
    if (call->sent_as == CLASS_CRITICAL_PLUS) {
        scene.result->top_sent++;
        scene.waits[waited < (int64_t)WAITS ? waited : WAITS - 1]++;
    }
    push((struct occurrence){.at = world.now_at + draw_service(),
                             .kind = DONE,
                             .call = index,
                             .worker = (uint32_t)worker,
                             .id = pair->header.id});
}

static void try_again(uint32_t index, const struct header *reply)
{
    struct call *call = &scene.calls[index];
    double backoff_us = draw() * BACKOFF_US * (1 << call->attempts);
    int64_t after_us = (int64_t)reply->retry_after_ms * MS + (int64_t)backoff_us;
    if (statuses[reply->status].retry != RETRY_AFTER || reply->retry_after_ms == 0 ||
        call->attempts == ATTEMPTS_EACH || (scene.budget < 1 && !scene.setup->no_budget) ||
        world.now_at + after_us >= call->deadline_at) {
        call->ended = true;
        return;
    }
    scene.budget--;
    push((struct occurrence){.at = world.now_at + after_us, .kind = RETRY, .call = index});
}

static void on_answer(const struct pair *pair)
{
    struct load_result *result = scene.result;
    if (pair->header.command != COMMAND_REPLY)
        return;
    uint32_t index = scene.call_of[pair->header.id];
    struct call *call = &scene.calls[index];
    enum status status = pair->header.status;
    ck_assert(!call->ended);
    result->expired += status == STATUS_DEADLINE_QUEUED || status == STATUS_DEADLINE_RUNNING;
    if (status != STATUS_OK) {
        try_again(index, &pair->header);
        return;
    }
    call->ended = true;
    ck_assert_int_le(world.now_at, call->deadline_at + TICK_MS * MS); /* the grain of timers */
    if (world.now_at > call->deadline_at)
        return;
    result->in_time[call->class]++;
    result->others_in_time[call->class] += call->tenant > 0;
    result->top_in_time += call->sent_as == CLASS_CRITICAL_PLUS;
    result->in_time_at[bucket(world.now_at)]++;
    int64_t arrived_at = call->deadline_at - scene.setup->deadline_ms * MS;
    result->top_in_time_at[bucket(arrived_at)] += call->class == 0;
}

static void hear(enum side side, uint64_t number, const struct pair *pair)
{
    if (side == SIDE_BACKEND)
        on_work(number, pair);
    else if (side == SIDE_FRONTEND)
        on_answer(pair);
}

static void done(const struct occurrence *event)
{
    struct header header = {.command = COMMAND_REPLY,
                            .id = event->id,
                            .status = STATUS_OK,
                            .executed = EXECUTED_YES,
                            .admit_level = CLASS_SHEDDABLE,
                            .credit = ++world.credit[event->worker]};
    scene.result->answered++;
    scene.result->late += scene.calls[event->call].ended;
    bring(SIDE_BACKEND, event->worker, &header, bytes_of("answer"));
}

static void beat(void)
{
    struct header header = {.command = COMMAND_HEARTBEAT, .id = 1, .class = CLASS_CRITICAL};
    bring(SIDE_FRONTEND, CLIENT, &header, (struct bytes){0});
    for (unsigned i = 0; i < scene.setup->workers; i++)
        bring(SIDE_BACKEND, FIRST_WORKER + i, &header, (struct bytes){0});
    world_check();
    if (world.now_at < scene.ends_at + 5 * US_PER_S)
        push((struct occurrence){.at = world.now_at + US_PER_S / 2, .kind = BEAT});
}

static void ready(uint64_t number)
{
    static const char *const method = "query";
    struct msg_ready message = {.concurrency = 1, .weight = 100};
    world_ready(number, scene.setup->role, &message, &method, 1);
}

static void change(void)
{
    struct header header = {.command = COMMAND_DRAIN, .class = CLASS_CRITICAL};
    scene.changed = !scene.changed;
    for (unsigned i = 0; i < scene.setup->workers_away; i++) {
        if (scene.changed)
            bring(SIDE_BACKEND, FIRST_WORKER + i, &header, (struct bytes){0});
        else
            ready(FIRST_WORKER + i);
    }
}

/* What waits while it is not served is passed over so often at most, plus what goes at once. */
static void check_turns(void)
{
    static const uint32_t others_max[CLASS_COUNT] = {3, 5, 20, 99};
    uint32_t gone = 0;
    for (uint32_t class = 0; class < CLASS_COUNT; class ++)
        gone += scene.gone_as[class];
    for (uint32_t class = 0; class < CLASS_COUNT; class ++) {
        uint32_t waits =
            queues_backlog(world.broker->queues, scene.setup->role, (enum request_class) class);
        bool waited = scene.waiting[class] > 0 && waits > 0;
        bool served = scene.gone_as[class] > 0;
        scene.passed[class] = waited && !served ? scene.passed[class] + gone : 0;
        ck_assert_uint_le(scene.passed[class], others_max[class] + (gone > 1 ? gone - 1 : 0));
        scene.waiting[class] = waits;
        scene.gone_as[class] = 0;
    }
}

static void turn(void)
{
    broker_tick(world.broker, world.now_at);
    broker_dispatch(world.broker, world.now_at);
    broker_flush(world.broker, world.now_at);
    check_turns();
}

static void step(const struct occurrence *event)
{
    while (broker_due_at(world.broker) < event->at) {
        world.now_at = broker_due_at(world.broker);
        turn();
    }
    world.now_at = event->at;
    if (event->kind == ARRIVAL)
        arrive();
    else if (event->kind == RETRY)
        ask(event->call);
    else if (event->kind == DONE)
        done(event);
    else if (event->kind == BEAT)
        beat();
    else
        change();
    turn();
}

static void *take_memory(size_t count, size_t size)
{
    void *memory = malloc(count * size);
    ck_assert_ptr_nonnull(memory);
    return memory;
}

/* The default deadline is that of the calls, as it is where libfact fills it in. */
static void believe(void)
{
    const struct load_setup *setup = scene.setup;
    struct estimates *estimates = &world.broker->services[setup->role].estimates;
    double times[] = {setup->believed, setup->believed, 0};
    estimates->default_deadline_us = setup->deadline_ms * MS;
    if (!setup->random_beliefs && setup->believed <= 0)
        return;
    for (int i = 0; i < 3 && setup->random_beliefs; i++)
        times[i] = exp((draw() - 0.5) * 20); /* 1 in 22,000 to 22,000 */
    quantiles_init(&estimates->time, (double)setup->service_us * P95_OF_EXPONENTIAL * times[0]);
    estimates->mean_us = (double)setup->service_us * times[1];
    estimates->drain = scene.result->capacity * times[2];
}

static void begin(const struct load_setup *setup, struct load_result *result)
{
    memset(result, 0, sizeof *result);
    scene = (struct scene){.setup = setup, .result = result, .seed = setup->seed};
    scene.events = take_memory(EVENTS_AHEAD_MAX, sizeof scene.events[0]);
    scene.calls = take_memory(CALLS_ALL_MAX, sizeof scene.calls[0]);
    scene.call_of = take_memory((size_t)ATTEMPTS_EACH * CALLS_ALL_MAX, sizeof scene.call_of[0]);
    result->capacity = setup->workers * (double)US_PER_S / (double)setup->service_us;
    world_setup();
    world.listener = hear;
    world.config.queue_max = setup->queue_max;
    world.config.client_credit = CLIENT_CREDIT_MAX;
    world_start();
    for (unsigned i = 0; i < setup->workers; i++)
        world_worker(FIRST_WORKER + i, setup->role, 1, "query");
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    believe();
    scene.begun_at = world.now_at;
    scene.ends_at = world.now_at + setup->seconds * US_PER_S;
    push((struct occurrence){.at = world.now_at, .kind = BEAT});
    for (unsigned i = 0; i < 2 && setup->change_ms > 0; i++)
        push((struct occurrence){.at = world.now_at +
                                       (setup->change_from_ms + (int64_t)i * setup->change_ms) * MS,
                                 .kind = CHANGE});
    next_arrival();
}

static void end(struct load_result *result)
{
    const struct role_counts *counts;
    uint64_t below = 0, percentile = result->top_sent * 99 / 100;
    uint32_t wait = 0;
    world_check();
    result->counts = *broker_counts(world.broker);
    counts = &result->counts.roles[scene.setup->role];
    for (int reason = 0; reason < SHED_COUNT; reason++)
        result->top_lost += counts->sheds[CLASS_CRITICAL_PLUS][reason];
    while (wait < WAITS - 1 && (below += scene.waits[wait]) < percentile)
        wait++;
    result->top_wait_p99_ms = (double)(wait + 1) * WAIT_US / (double)MS;
    world_teardown();
    free(scene.events);
    free(scene.calls);
    free(scene.call_of);
}

void load_scene_run(const struct load_setup *setup, struct load_result *ret)
{
    begin(setup, ret);
    while (scene.events_count > 0) {
        struct occurrence event = pop();
        step(&event);
    }
    ck_assert_uint_eq(broker_levels(world.broker).slots, 0); /* each has had its answer */
    end(ret);
}

double load_percent(const uint64_t *in_time, const uint64_t *calls, enum request_class class)
{
    return calls[class] == 0 ? 100 : 100 * (double)in_time[class] / (double)calls[class];
}

double load_goodput(const struct load_setup *setup, const struct load_result *result)
{
    double in_time = 0, calls = 0, possible = result->capacity * setup->seconds;
    for (int class = 0; class < CLASS_COUNT; class ++) {
        in_time += (double)result->in_time[class];
        calls += (double)result->calls[class];
    }
    return in_time / (calls < possible ? calls : possible);
}
