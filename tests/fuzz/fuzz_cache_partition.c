/* fuzz_cache_partition - whatever bodies drivers and brokers send, in whatever order: nothing
 * crashes; each request that is not withdrawn is answered exactly once; each answer is what its
 * message says; and the memory bound holds.
 *
 * The input is a list of steps, a kind and its bytes. Half of the kinds are raw bodies; the others
 * are built from a few keys and leases, or random bytes would hardly ever get to a fill. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/cache_partition/cache_partition.h"
#include "actors/runtime/metrics.h"
#include "actors/runtime/settings.h"

#define REQUESTS_MAX 1024u
#define START_AT (1000 * US_PER_S)

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct input {
    const unsigned char *data;
    size_t left;
};

struct world {
    struct context context;
    struct actor actor;
    uint64_t random, last_id, lease, number;
    enum { WAITS, ANSWERED, WITHDRAWN } requests[REQUESTS_MAX];
    enum message_id asked[REQUESTS_MAX];
};

static struct world world;

static unsigned take(struct input *input)
{
    if (input->left == 0)
        return 0;
    input->left--;
    return *input->data++;
}

/* At most size bytes, as a buffer of exactly that size. */
static struct bytes take_bytes(struct input *input, size_t size)
{
    size = size < input->left ? size : input->left;
    char *bytes = malloc(size > 0 ? size : 1);
    assert(bytes != NULL);
    if (size > 0)
        memcpy(bytes, input->data, size);
    input->data += size;
    input->left -= size;
    return (struct bytes){bytes, size};
}

static uint64_t next_random(struct context *context)
{
    (void)context;
    world.random = world.random * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return world.random;
}

static void on_reply(struct context *context, const struct request *request,
                     const struct answer *answer)
{
    union any_body body;
    (void)context;
    assert(request->id <= world.last_id);
    assert(world.requests[request->id] != ANSWERED);
    world.requests[request->id] = ANSWERED;
    assert(answer->body.size <= PAIR_BODY_BYTES_MAX);
    enum message_id asked = world.asked[request->id];
    enum message_id id = answer->status == STATUS_OK ? messages[asked].answer : MSG_FAILURE;
    enum status status = message_decode(id, answer->body, &body);
    assert(status == STATUS_OK);
    if (id == MSG_CACHE_ENTRY && body.cache_entry.lease != 0)
        world.lease = body.cache_entry.lease;
    if (id == MSG_CACHE_STATISTICS)
        assert(body.cache_statistics.bytes <= body.cache_statistics.bytes_max);
}

static void submit(enum message_id id, struct bytes body, uint16_t flags, uint32_t deadline_ms)
{
    struct pair pair = {.status = STATUS_OK,
                        .header = {.command = COMMAND_REQUEST,
                                   .id = ++world.last_id,
                                   .flags = flags,
                                   .class = CLASS_CRITICAL,
                                   .role = ROLE_CACHE_PARTITION,
                                   .deadline_ms = deadline_ms,
                                   .method = bytes_of(messages[id].method)},
                        .body = body};
    world.asked[world.last_id] = id;
    actor_deliver(&world.actor, &world.context, 1, 1, &pair);
}

static const enum message_id served[] = {MSG_CACHE_GET,  MSG_CACHE_MGET,    MSG_CACHE_SET,
                                         MSG_CACHE_FAIL, MSG_CACHE_EXPLAIN, MSG_CACHE_STATS};

static void send_raw(struct input *input, unsigned kind)
{
    struct bytes body = take_bytes(input, take(input));
    submit(served[kind], body, (uint16_t)(take(input) << 8), 1 + take(input));
    free((void *)(uintptr_t)body.data);
}

static void send_message(enum message_id id, const void *value, struct input *input)
{
    static char room[CONTROL_BYTES_MAX];
    struct bytes body;
    if (message_encode(id, value, room, sizeof room, &body) == STATUS_OK)
        submit(id, body, take(input) % 4 == 0 ? FLAG_REFRESH : 0, 1 + 16 * take(input));
}

static const char *const keys[] = {"tool:1", "tool:2", "a:b:c:d:e:f:g:h", "k"};

static void send_built(struct input *input, unsigned kind)
{
    static char value[CONTROL_BYTES_MAX / 2];
    struct bytes key = bytes_of(keys[take(input) % 4]), ns = bytes_of("n");
    uint64_t ms = take(input) * UINT64_C(20);
    struct msg_cache_get get = {
        .ns = ns, .key = key, .park_ms = ms, .max_age_ms = take(input), .stale_ok = ms % 40 == 0};
    struct msg_cache_set set = {.ns = ns,
                                .key = key,
                                .lease = world.lease,
                                .value = {value, ms},
                                .fresh_ms = ms + 1,
                                .stale_ms = take(input) * UINT64_C(10),
                                .error_ms = take(input) * UINT64_C(20)};
    struct msg_cache_fail fail = {.ns = ns,
                                  .key = key,
                                  .lease = world.lease,
                                  .status = take(input) % STATUS_COUNT,
                                  .negative_ms = ms};
    if (kind == 0)
        send_message(MSG_CACHE_GET, &get, input);
    else if (kind == 1)
        send_message(MSG_CACHE_SET, &set, input);
    else
        send_message(MSG_CACHE_FAIL, &fail, input);
}

static void tell(const char *topic, struct bytes body)
{
    struct event event = {topic, ++world.number, body};
    world.actor.spec->on_event(world.actor.state, &world.context, &event);
}

static void pass(int64_t us)
{
    const struct actor_spec *spec = world.actor.spec;
    world.context.now_at += us;
    while (spec->due_at(world.actor.state) <= world.context.now_at)
        spec->tick(world.actor.state, &world.context);
}

static void show_view(struct input *input)
{
    struct bytes body = take_bytes(input, take(input));
    struct msg_view view;
    if (message_decode(MSG_VIEW, body, &view) == STATUS_OK)
        world.actor.spec->on_view(world.actor.state, &world.context, &view);
    free((void *)(uintptr_t)body.data);
}

static void withdraw(uint64_t id)
{
    struct request request = {.link = 1, .peer = 1, .id = id};
    if (id == 0 || id > world.last_id || world.requests[id] == ANSWERED)
        return;
    world.requests[id] = WITHDRAWN;
    world.actor.spec->on_cancel(world.actor.state, &world.context, &request);
}

static void step(struct input *input)
{
    unsigned kind = take(input) % 16;
    struct bytes body = {0};
    if (kind < 6) {
        send_raw(input, kind);
    } else if (kind < 11) {
        send_built(input, kind % 3);
    } else if (kind == 11) {
        body = take_bytes(input, take(input));
        tell("invalidate", body);
        free((void *)(uintptr_t)body.data);
    } else if (kind == 12) {
        show_view(input);
    } else if (kind == 13) {
        withdraw(world.last_id - take(input) % 8);
    } else if (kind == 14) {
        pass(take(input) * INT64_C(50000));
    } else {
        tell("members", body);
    }
}

static void begin(void)
{
    char reason[SETTINGS_REASON_BYTES];
    struct settings *settings = settings_new();
    world = (struct world){.context = {.now_at = START_AT,
                                       .unix_ms = 1764000000000,
                                       .metrics = metrics_new(METRIC_SERIES_MAX),
                                       .random = next_random,
                                       .reply = on_reply},
                           .actor = {.spec = &cache_partition_spec},
                           .random = 1};
    bool read = settings_read_flag(settings, "cache_partition.memory_bytes=1MiB", reason);
    assert(read);
    world.actor.state = calloc(1, cache_partition_spec.state_bytes);
    assert(world.actor.state != NULL);
    bool started = cache_partition_spec.start(world.actor.state, &world.context, settings, reason,
                                              sizeof reason);
    assert(started);
    settings_destroy(&settings);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct input input = {data, size};
    begin();
    while (input.left > 0 && world.last_id + 2 < REQUESTS_MAX)
        step(&input);
    submit(MSG_CACHE_STATS, (struct bytes){"\x80", 1}, 0, 1);
    pass(120 * US_PER_S); /* every deadline is over */
    for (uint64_t id = 1; id <= world.last_id; id++)
        assert(world.requests[id] != WAITS);
    cache_partition_spec.stop(world.actor.state);
    free(world.actor.state);
    metrics_destroy(&world.context.metrics);
    return 0;
}
