/* fuzz_driver - no body of a client, a partition, an executor or a broker may crash a driver: each
 * request gets one reply, and when their time is over nothing is held any more.
 *
 * The input is a list of operations: a request with a body, an answer to the oldest open question,
 * a cancel, or time. A byte 255 before it: a language model plans. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/driver/state.h"

extern const struct actor_spec driver_spec;
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define OPEN_MAX 512u
#define REQUESTS 32u
#define DEADLINE_MS 1000u
#define START_AT (1000 * US_PER_S)

static struct {
    uint64_t tag;
    int64_t deadline_at;
} open_asks[OPEN_MAX];
static size_t open_count;
static unsigned replies[REQUESTS + 1];
static bool cancelled[REQUESTS + 1];
static uint64_t last_id, chance;

static uint64_t on_random(struct context *context)
{
    (void)context;
    return chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407u;
}

static void on_reply(struct context *context, const struct request *request,
                     const struct answer *answer)
{
    (void)context;
    assert(request->id >= 1);
    assert(request->id <= last_id);
    assert(answer->body.size <= PAIR_BODY_BYTES_MAX);
    assert(answer->body.data == NULL || value_check(answer->body, BODY_NESTING_MAX));
    replies[request->id]++;
}

static void on_partial(struct context *context, const struct request *request, struct bytes body)
{
    (void)context;
    (void)body;
    assert(replies[request->id] == 0);
}

static void on_started(struct context *context, const struct request *request)
{
    (void)context;
    (void)request;
}

static enum status on_ask(struct context *context, const struct request *origin,
                          const struct ask *ask, uint64_t tag)
{
    (void)context;
    (void)origin;
    assert(ask->body.data == NULL || value_check(ask->body, BODY_NESTING_MAX));
    if (open_count == OPEN_MAX)
        return STATUS_BUSY_FULL;
    open_asks[open_count].tag = tag;
    open_asks[open_count++].deadline_at =
        ask->deadline_at != 0 ? ask->deadline_at : origin->deadline_at;
    return STATUS_OK;
}

static void remove_ask(size_t i)
{
    memmove(&open_asks[i], &open_asks[i + 1], (--open_count - i) * sizeof open_asks[0]);
}

static void on_cancel_ask(struct context *context, uint64_t tag)
{
    (void)context;
    for (size_t i = 0; i < open_count; i++)
        if (open_asks[i].tag == tag) {
            remove_ask(i);
            return;
        }
}

static void answer_ask(void *state, struct context *context, size_t i, const struct answer *answer)
{
    uint64_t tag = open_asks[i].tag;
    driver_spec.on_partial(state, context, tag, answer->body);
    remove_ask(i);
    driver_spec.on_answer(state, context, tag, answer);
}

static void pass(void *state, struct context *context, int64_t us)
{
    context->now_at += us;
    while (driver_spec.due_at(state) <= context->now_at)
        driver_spec.tick(state, context);
    for (size_t i = 0; i < open_count;)
        if (open_asks[i].deadline_at <= context->now_at) {
            answer_ask(state, context, i, &(struct answer){.status = STATUS_DEADLINE_RUNNING});
            i = 0;
        } else {
            i++;
        }
}

static void take_request(void *state, struct context *context, unsigned char kind,
                         struct bytes body)
{
    static const char *const methods[] = {"query", "Test_Echo", "SQL_GetSchema", "plan", "x"};
    char room[PAIR_HEAD_BYTES_MAX + 65536];
    struct header header = {.command = COMMAND_REQUEST,
                            .id = last_id + 1,
                            .deadline_ms = DEADLINE_MS,
                            .role = ROLE_DRIVER,
                            .flags = kind & 1 ? FLAG_REFRESH : 0,
                            .method = bytes_of(methods[kind / 2 % 5])};
    struct pair pair;
    if (last_id == REQUESTS || body.size > 60000)
        return;
    last_id++;
    size_t head = pairs_encode_head(&header, body, room);
    memcpy(room + head, body.data, body.size);
    struct pairs pairs = pairs_over((struct bytes){room, head + body.size});
    bool read = pairs_next(&pairs, &pair);
    assert(read);
    struct actor actor = {&driver_spec, state};
    actor_deliver(&actor, context, 1, 1, &pair);
}

static void take_cancel(void *state, struct context *context, unsigned char which)
{
    uint64_t id = which % (REQUESTS + 1);
    if (id == 0 || id > last_id || replies[id] > 0 || cancelled[id])
        return;
    cancelled[id] = true;
    driver_spec.on_cancel(state, context, &(struct request){.link = 1, .peer = 1, .id = id});
}

static void operate(void *state, struct context *context, unsigned char kind, unsigned char detail,
                    struct bytes body)
{
    struct msg_view view;
    switch (kind % 8) {
    case 0:
        take_request(state, context, detail, body);
        break;
    case 1:
        take_cancel(state, context, detail);
        break;
    case 2:
        pass(state, context, detail * US_PER_MS);
        break;
    case 3:
        if (message_decode(MSG_VIEW, body, &view) == STATUS_OK)
            driver_spec.on_view(state, context, &view);
        break;
    case 4:
        driver_spec.on_event(state, context, &(struct event){"members", detail, body});
        break;
    default:
        if (open_count > 0)
            answer_ask(state, context, detail % open_count,
                       &(struct answer){.status = kind % 8 == 5
                                                      ? (enum status)(detail % STATUS_COUNT)
                                                      : STATUS_OK,
                                        .instance = bytes_of("x"),
                                        .body = body});
    }
}

static void run(void *state, struct context *context, struct bytes input)
{
    while (input.size >= 4) {
        const unsigned char *head = (const unsigned char *)input.data;
        size_t size = (size_t)head[2] << 8 | head[3];
        size = size < input.size - 4 ? size : input.size - 4;
        operate(state, context, head[0], head[1], (struct bytes){input.data + 4, size});
        input = (struct bytes){input.data + 4 + size, input.size - 4 - size};
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char reason[SETTINGS_REASON_BYTES];
    struct context context = {.now_at = START_AT,
                              .metrics = metrics_new(METRIC_SERIES_MAX),
                              .random = on_random,
                              .reply = on_reply,
                              .partial = on_partial,
                              .started = on_started,
                              .ask = on_ask,
                              .cancel_ask = on_cancel_ask};
    struct settings *settings = settings_new();
    struct driver *driver = calloc(1, sizeof *driver);
    open_count = last_id = chance = 0;
    memset(replies, 0, sizeof replies);
    memset(cancelled, 0, sizeof cancelled);
    if (size > 0 && data[0] == 255) {
        bool read = settings_read_flag(settings, "driver.planner=model", reason) &&
                    settings_read_flag(settings, "driver.model=m", reason);
        assert(read);
        data++;
        size--;
    }
    bool started = driver_spec.start(driver, &context, settings, reason, sizeof reason);
    assert(started);
    run(driver, &context, (struct bytes){(const char *)data, size});
    for (unsigned i = 0; i < 32; i++) /* refreshes may go on for as long as a lease */
        pass(driver, &context, 1000 * US_PER_MS);
    for (uint64_t id = 1; id <= last_id; id++)
        assert(replies[id] == 1 || cancelled[id]);
    assert(driver->flows == 0);
    driver_spec.stop(driver);
    settings_destroy(&settings);
    metrics_destroy(&context.metrics);
    free(driver);
    return 0;
}
