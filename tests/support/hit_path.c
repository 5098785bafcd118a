/* hit_path - see hit_path.h. */
#include "tests/support/hit_path.h"

#include <stdio.h>
#include <string.h>

#include "actors/cache_partition/cache_partition.h"
#include "actors/runtime/actor.h"
#include "actors/runtime/metrics.h"
#include "actors/runtime/server.h"
#include "actors/runtime/settings.h"
#include "protocol/session.h"
#include "tests/support/suite.h"

#define TOOL "Math_Calculator"
#define TOOL_VERSION "1.0.0"
#define TOOL_SCHEMA 77u
#define ENDPOINT "tcp://127.0.0.1:7000"
#define DEADLINE_MS 5000u
#define TOOL_US 5000 /* dear enough to be kept */
#define PENDING_MAX 8u

extern const struct actor_spec driver_spec;

/* A process but for its sockets. */
struct side {
    struct context context; /* first: a side is found by it */
    struct settings *settings;
    struct actor actor;
    uint64_t seed;
};

/* What the driver has asked somebody else than the partition. */
struct pending {
    enum role role;
    char method[METHOD_BYTES_MAX];
    size_t method_size;
    uint64_t tag;
};

static struct {
    struct side driver, partition;
    struct session *session; /* the driver's, to the partition */
    struct server *server;   /* the partition's */
    struct pending pending[PENDING_MAX];
    unsigned pending_count, computed;
    uint64_t request_id, answered_id;
    char uuid[SESSION_ID_BYTES];
    char reply[PAIR_BODY_BYTES_MAX], wire[FRAME_BYTES_MAX];
    struct bytes answer;
} path;

static uint64_t on_random(struct context *context)
{
    return random_next(&((struct side *)(void *)context)->seed);
}

static void pass(int64_t us)
{
    path.driver.context.now_at += us;
    path.partition.context.now_at = path.driver.context.now_at;
}

/* --- the partition: behind a server --- */

static void on_partition_reply(struct context *context, const struct request *request,
                               const struct answer *answer)
{
    struct header header = {.command = COMMAND_REPLY,
                            .id = request->id,
                            .flags = answer->flags,
                            .status = answer->status,
                            .executed = answer->executed,
                            .admit_level = CLASS_SHEDDABLE,
                            .retry_after_ms = answer->retry_after_ms,
                            .instance = bytes_of("partition-1")};
    (void)context;
    ck_assert_int_eq(server_reply(path.server, request->peer, &header, answer->body, true),
                     STATUS_OK);
}

static void on_partition_request(void *self, uint64_t peer, const struct pair *pair)
{
    (void)self;
    actor_deliver(&path.partition.actor, &path.partition.context, 1, peer, pair);
}

static enum status send_to_driver(void *self, uint64_t peer, struct bytes message)
{
    (void)self;
    (void)peer;
    session_take(path.session, message, path.driver.context.now_at);
    return STATUS_OK;
}

/* --- the driver: it asks through a session, or stands in the line of pending --- */

static void on_driver_reply(struct context *context, const struct request *request,
                            const struct answer *answer)
{
    (void)context;
    ck_assert_int_eq(answer->status, STATUS_OK);
    path.answered_id = request->id;
    memcpy(path.reply, answer->body.data, answer->body.size);
    path.answer = (struct bytes){path.reply, answer->body.size};
}

static enum status on_driver_ask(struct context *context, const struct request *origin,
                                 const struct ask *ask, uint64_t tag)
{
    if (ask->role != ROLE_CACHE_PARTITION) {
        ck_assert_uint_lt(path.pending_count, PENDING_MAX);
        struct pending *pending = &path.pending[path.pending_count++];
        *pending = (struct pending){.role = ask->role, .method_size = ask->method.size, .tag = tag};
        memcpy(pending->method, ask->method.data, ask->method.size);
        return STATUS_OK;
    }
    struct header header = {.command = COMMAND_REQUEST,
                            .flags = ask->flags,
                            .class = ask->class,
                            .role = (uint8_t)ask->role,
                            .method = ask->method,
                            .has_key = ask->has_key,
                            .key = ask->key,
                            .tenant = name_bytes(&origin->tenant)};
    return session_ask(path.session, &header, ask->body, ask->deadline_at, tag, context->now_at);
}

static void on_session_answer(void *self, uint64_t tag, const struct header *header,
                              struct bytes body)
{
    (void)self;
    struct answer answer = {.status = header->status,
                            .executed = header->executed,
                            .flags = header->flags,
                            .instance = header->instance,
                            .body = body};
    driver_spec.on_answer(path.driver.actor.state, &path.driver.context, tag, &answer);
}

/* --- who else is asked --- */

static void answer_with(const struct pending *pending, enum message_id id, const void *value)
{
    static char room[CONTROL_BYTES_MAX];
    struct answer answer = {
        .status = STATUS_OK, .executed = EXECUTED_YES, .instance = bytes_of("tools-1")};
    ck_assert_int_eq(message_encode(id, value, room, sizeof room, &answer.body), STATUS_OK);
    driver_spec.on_answer(path.driver.actor.state, &path.driver.context, pending->tag, &answer);
}

static struct bytes list_of_one(enum message_id id, const void *value, char *out, size_t size)
{
    struct writer writer;
    writer_init(&writer, out, size);
    writer_array(&writer, 1);
    ck_assert_int_eq(message_write(id, value, &writer), STATUS_OK);
    return writer_bytes(&writer);
}

static void answer_directory(const struct pending *pending)
{
    char room[512];
    struct msg_directory_method method = {.role = ROLE_TOOL_EXECUTOR,
                                          .name = bytes_of(TOOL),
                                          .version = bytes_of(TOOL_VERSION),
                                          .schema = TOOL_SCHEMA,
                                          .workers = 1,
                                          .instance = bytes_of("tools-1")};
    struct msg_directory directory = {
        .instance = bytes_of("broker-1"),
        .methods = list_of_one(MSG_DIRECTORY_METHOD, &method, room, sizeof room),
        .workers = {"\x90", 1}};
    answer_with(pending, MSG_DIRECTORY, &directory);
}

/* {type: object, properties: {expression: {type: string}}} */
static struct bytes parameters(char *out, size_t size)
{
    struct writer writer;
    writer_init(&writer, out, size);
    writer_map(&writer, 2);
    writer_cstr(&writer, "type");
    writer_cstr(&writer, "object");
    writer_cstr(&writer, "properties");
    writer_map(&writer, 1);
    writer_cstr(&writer, "expression");
    writer_map(&writer, 1);
    writer_cstr(&writer, "type");
    writer_cstr(&writer, "string");
    return writer_bytes(&writer);
}

static void answer_definitions(const struct pending *pending)
{
    char schema[128], room[512];
    struct msg_tool_definition definition = {.name = bytes_of(TOOL),
                                             .version = bytes_of(TOOL_VERSION),
                                             .schema = TOOL_SCHEMA,
                                             .parameters = parameters(schema, sizeof schema),
                                             .timeout_ms = DEADLINE_MS,
                                             .ttl_ms = 3600000,
                                             .scope = bytes_of("public"),
                                             .cacheable = true,
                                             .read_only = true,
                                             .idempotent = true};
    struct msg_tool_definitions list = {
        list_of_one(MSG_TOOL_DEFINITION, &definition, room, sizeof room)};
    answer_with(pending, MSG_TOOL_DEFINITIONS, &list);
}

static void answer_tool(const struct pending *pending)
{
    char room[128];
    struct writer writer;
    writer_init(&writer, room, sizeof room);
    writer_map(&writer, 2);
    writer_cstr(&writer, "expression");
    writer_cstr(&writer, "12345 * 67");
    writer_cstr(&writer, "result");
    writer_u64(&writer, 827115);
    struct msg_tool_result result = {.tool = bytes_of(TOOL),
                                     .version = bytes_of(TOOL_VERSION),
                                     .success = true,
                                     .data = writer_bytes(&writer),
                                     .execution_time_ms = 0.25,
                                     .as_of = 1700000000000,
                                     .execution_method = bytes_of("local")};
    path.computed++;
    pass(TOOL_US);
    answer_with(pending, MSG_TOOL_RESULT, &result);
}

static void answer_pending(void)
{
    struct pending pending = path.pending[--path.pending_count];
    struct bytes method = {pending.method, pending.method_size};
    if (pending.role == ROLE_TOOL_EXECUTOR)
        answer_tool(&pending);
    else if (bytes_are(method, "directory"))
        answer_directory(&pending);
    else
        answer_definitions(&pending);
}

/* --- the whole --- */

/* Until nothing is on its way any more. */
static void run(void)
{
    struct bytes message;
    do {
        while (path.pending_count > 0)
            answer_pending();
        message = session_outgoing(path.session, path.driver.context.now_at);
        if (message.data == NULL)
            break;
        memcpy(path.wire, message.data, message.size);
        message.data = path.wire;
        session_sent(path.session);
        (void)server_take(path.server, 1, message, path.partition.context.now_at);
        server_flush(path.server);
    } while (true);
}

static void start(struct side *side, const struct actor_spec *spec)
{
    char reason[SETTINGS_REASON_BYTES] = "";
    side->settings = settings_new();
    ck_assert(settings_read_flag(side->settings, "cache_partition.memory_bytes=4MiB", reason));
    side->seed = 7;
    side->context.now_at = US_PER_S;
    side->context.unix_ms = 1700000000000;
    side->context.metrics = metrics_new(512);
    side->context.random = on_random;
    side->actor = (struct actor){spec, calloc(1, spec->state_bytes)};
    ck_assert_ptr_nonnull(side->actor.state);
    memcpy(side->context.session, path.uuid, SESSION_ID_BYTES);
    ck_assert_msg(
        spec->start(side->actor.state, &side->context, side->settings, reason, sizeof reason), "%s",
        reason);
}

static void stop(struct side *side)
{
    side->actor.spec->stop(side->actor.state);
    free(side->actor.state);
    metrics_destroy(&side->context.metrics);
    settings_destroy(&side->settings);
}

static void tick(struct side *side)
{
    while (side->actor.spec->due_at(side->actor.state) <= side->context.now_at)
        side->actor.spec->tick(side->actor.state, &side->context);
}

/* One member; and a beat of the broker's, or nothing would be valid. */
static void tell_surroundings(void)
{
    char room[512], beat_room[CONTROL_BYTES_MAX];
    struct msg_member member = {
        .uuid = {path.uuid, sizeof path.uuid}, .weight = 100, .endpoint = bytes_of(ENDPOINT)};
    struct msg_view view = {.epoch = 1,
                            .members = list_of_one(MSG_MEMBER, &member, room, sizeof room)};
    struct msg_event_members beat = {.generation = 1};
    struct event event = {.topic = "members", .number = 1};
    ck_assert_int_eq(
        message_encode(MSG_EVENT_MEMBERS, &beat, beat_room, sizeof beat_room, &event.body),
        STATUS_OK);
    cache_partition_spec.on_event(path.partition.actor.state, &path.partition.context, &event);
    cache_partition_spec.on_view(path.partition.actor.state, &path.partition.context, &view);
    driver_spec.on_view(path.driver.actor.state, &path.driver.context, &view);
}

void hit_path_warm(void)
{
    struct session_config session = {.role = ROLE_DRIVER,
                                     .instance = bytes_of("driver-1"),
                                     .version = bytes_of("1"),
                                     .asks_max = 64,
                                     .waiting_bytes_max = 65536};
    struct session_owner asker = {.on_answer = on_session_answer};
    struct server_config config = {
        .instance = bytes_of("partition-1"), .generation = 1, .peers_max = 16, .credit = 64};
    struct server_owner owner = {.on_request = on_partition_request, .send = send_to_driver};
    memset(&path, 0, sizeof path);
    path.uuid[0] = 1;
    session.id[0] = 2;
    start(&path.driver, &driver_spec);
    start(&path.partition, &cache_partition_spec);
    path.driver.context.ask = on_driver_ask;
    path.driver.context.reply = on_driver_reply;
    path.partition.context.reply = on_partition_reply;
    path.session = session_new(&session, &asker, path.driver.context.now_at);
    path.server = server_new(&config, &owner);
    tell_surroundings();
    tick(&path.partition);
    tick(&path.driver);
    run();
    for (unsigned key = 0; key < HIT_PATH_KEYS; key++)
        (void)hit_path_ask(key);
    ck_assert_uint_eq(path.computed, HIT_PATH_KEYS);
}

struct bytes hit_path_ask(unsigned key)
{
    char head[PAIR_HEAD_BYTES_MAX], body_room[256], expression[32];
    struct writer writer;
    struct pair pair;
    int size = snprintf(expression, sizeof expression, "%u + 12345 * 67", key);
    writer_init(&writer, body_room, sizeof body_room);
    writer_map(&writer, 1);
    writer_cstr(&writer, "arguments");
    writer_map(&writer, 1);
    writer_cstr(&writer, "expression");
    writer_text(&writer, (struct bytes){expression, (size_t)size});
    struct bytes body = writer_bytes(&writer);
    struct header header = {.command = COMMAND_REQUEST,
                            .id = ++path.request_id,
                            .deadline_ms = DEADLINE_MS,
                            .class = CLASS_CRITICAL,
                            .role = ROLE_DRIVER,
                            .method = bytes_of(TOOL)};
    size_t head_size = pairs_encode_head(&header, body, head);
    memcpy(path.wire, head, head_size);
    memcpy(path.wire + head_size, body.data, body.size);
    struct pairs pairs = pairs_over((struct bytes){path.wire, head_size + body.size});
    ck_assert(pairs_next(&pairs, &pair));
    actor_deliver(&path.driver.actor, &path.driver.context, 1, 1, &pair);
    run();
    ck_assert_uint_eq(path.answered_id, path.request_id);
    return path.answer;
}

unsigned hit_path_computed(void)
{
    return path.computed;
}

void hit_path_end(void)
{
    session_destroy(&path.session);
    server_destroy(&path.server);
    stop(&path.driver);
    stop(&path.partition);
}
