/* broker_world - see broker_world.h. */
#include "tests/support/broker_world.h"

#include <string.h>

struct world world;
enum status (*world_reload)(void *self, bool dry_run, struct policy *ret, struct writer *writer,
                            char *reason);

static bool greeted[SIDE_COUNT][WORLD_PEERS];

static void keep(enum side side, uint64_t number, const struct pair *pair)
{
    struct bytes whole = pair->whole;
    struct heard *heard = calloc(1, sizeof *heard + whole.size);
    ck_assert_ptr_nonnull(heard);
    memcpy(heard->bytes, whole.data, whole.size);
    struct pairs pairs = pairs_over((struct bytes){heard->bytes, whole.size});
    ck_assert(pairs_next(&pairs, &heard->pair));
    heard->side = side;
    heard->number = number;
    heard->at = world.now_at;
    *world.last = heard;
    world.last = &heard->next;
}

static void check_pair(enum side side, const struct pair *pair)
{
    struct msg_failure failure;
    const struct header *header = &pair->header;
    ck_assert_int_eq(pair->status, STATUS_OK);
    if (header->command == COMMAND_REPLY && header->status > STATUS_CANCELLED &&
        side == SIDE_FRONTEND && pair->body.size > 0)
        ck_assert_int_eq(message_decode(MSG_FAILURE, pair->body, &failure), STATUS_OK);
}

static void keep_all(enum side side, uint64_t number, struct bytes message)
{
    struct pairs pairs = pairs_over(message);
    struct pair pair;
    while (pairs_next(&pairs, &pair)) {
        if (world.listener != NULL) {
            world.listener(side, number, &pair);
            continue;
        }
        check_pair(side, &pair);
        keep(side, number, &pair);
    }
    ck_assert(!pairs.broken);
}

static enum status carry(void *self, enum side side, uint64_t number, zmq_msg_t *message)
{
    (void)self;
    ck_assert_uint_lt(number, WORLD_PEERS);
    if (world.gone[side][number])
        return STATUS_WORKER_LOST;
    if (world.full[side][number])
        return STATUS_BUSY_FULL;
    world.messages[side]++;
    world.last_at = zmq_msg_data(message);
    keep_all(side, number, (struct bytes){world.last_at, zmq_msg_size(message)});
    return STATUS_OK;
}

static void publish(void *self, struct bytes topic, struct bytes pair)
{
    (void)self;
    (void)topic;
    keep_all(SIDE_COUNT, 0, pair);
}

/* What this process would be asked itself: one question, answered by a number. */
static enum status answer(void *self, struct bytes method, struct bytes body, struct writer *writer)
{
    (void)self;
    (void)body;
    if (!bytes_are(method, "one"))
        return STATUS_NO_ROLE;
    writer_u64(writer, 1);
    return STATUS_OK;
}

static const struct allowed *identify(void *self, zmq_msg_t *message)
{
    (void)self;
    ck_assert_uint_gt(zmq_msg_size(message), 0);
    return world.allowed[world.bringing];
}

void world_setup(void)
{
    memset(&world, 0, sizeof world);
    memset(greeted, 0, sizeof greeted);
    world.last = &world.first;
    world.now_at = 1000 * US_PER_S;
    world.config = broker_config_default();
    world.config.instance = "b1";
    world.config.frontend = "tcp://127.0.0.1:1";
    world.config.backend = "tcp://127.0.0.1:2";
    world.config.events = "tcp://127.0.0.1:3";
    world.config.generation = UINT32_MAX; /* generations of slots wrap */
    world.config.seed = 5;
    world.config.view_counter = 7;
}

void world_start(void)
{
    const struct broker_outside outside = {.send = carry,
                                           .publish = publish,
                                           .answer = answer,
                                           .reload = world_reload,
                                           .identify = world.asks_for_keys ? identify : NULL};
    world.broker = broker_new(&world.config, &outside, world.now_at);
}

void world_teardown(void)
{
    world_forget_all();
    broker_destroy(&world.broker);
    ck_assert_ptr_null(world.broker);
}

void world_check(void)
{
    const struct broker_counts *counts = broker_counts(world.broker);
    for (int role = 0; role < ROLE_COUNT; role++) {
        const struct role_counts *its = &counts->roles[role];
        uint64_t answered = 0;
        for (int status = 0; status < STATUS_COUNT; status++)
            answered += its->by_status[status];
        ck_assert_uint_eq(its->accepted, its->replied + its->refused + its->expired +
                                             its->cancelled + its->lost + its->in_flight);
        ck_assert_uint_eq(its->accepted, answered + its->in_flight);
    }
}

/* In a buffer of exactly its size, so that a sanitizer sees each byte too many that is read. */
void world_bring(enum side side, uint64_t number, struct bytes bytes)
{
    zmq_msg_t message;
    ck_assert_int_eq(zmq_msg_init_size(&message, bytes.size), 0);
    if (bytes.size > 0)
        memcpy(zmq_msg_data(&message), bytes.data, bytes.size);
    world.bringing = number;
    broker_take(world.broker, side, number, &message, world.now_at);
    zmq_msg_close(&message);
    world_check();
}

void world_say(enum side side, uint64_t number, const struct header *header, struct bytes body)
{
    char head[PAIR_HEAD_BYTES_MAX];
    size_t size = pairs_encode_head(header, body, head);
    char *bytes = malloc(size + body.size);
    memcpy(bytes, head, size);
    if (body.size > 0)
        memcpy(bytes + size, body.data, body.size);
    world_bring(side, number, (struct bytes){bytes, size + body.size});
    free(bytes);
}

void world_say_message(enum side side, uint64_t number, const struct header *header,
                       enum message_id id, const void *value)
{
    static char bytes[PAIR_BODY_BYTES_MAX];
    struct bytes body;
    ck_assert_int_eq(message_encode(id, value, bytes, sizeof bytes, &body), STATUS_OK);
    world_say(side, number, header, body);
}

void world_hello(enum side side, uint64_t number, enum role role)
{
    char session[16] = {(char)number, (char)(number >> 8)}, name[16];
    snprintf(name, sizeof name, "peer-%u", (unsigned)number);
    struct msg_hello hello = {.session = {session, sizeof session},
                              .instance = bytes_of(name),
                              .protocol_min = 1,
                              .protocol_max = 1};
    struct header header = {
        .command = COMMAND_HELLO, .class = CLASS_CRITICAL, .role = (uint8_t)role};
    world_say_message(side, number, &header, MSG_HELLO, &hello);
    greeted[side][number] = true;
}

void world_ready(uint64_t number, enum role role, const struct msg_ready *ready,
                 const char *const *methods, size_t count)
{
    char bytes[8192];
    struct writer writer;
    struct msg_ready its = *ready;
    struct header header = {
        .command = COMMAND_READY, .class = CLASS_CRITICAL, .role = (uint8_t)role};
    writer_init(&writer, bytes, sizeof bytes);
    writer_array(&writer, count);
    for (size_t i = 0; i < count; i++) {
        struct msg_method method = {.name = bytes_of(methods[i])};
        ck_assert_int_eq(message_write(MSG_METHOD, &method, &writer), STATUS_OK);
    }
    its.methods = writer_bytes(&writer);
    if (world.credit[number] == 0)
        world.credit[number] = (uint32_t)its.concurrency;
    world_say_message(SIDE_BACKEND, number, &header, MSG_READY, &its);
}

void world_worker(uint64_t number, enum role role, uint32_t concurrency, const char *method)
{
    struct msg_ready ready = {.concurrency = concurrency, .weight = 100};
    world.credit[number] = 0;
    world_hello(SIDE_BACKEND, number, role);
    world_ready(number, role, &ready, &method, 1);
}

struct header world_request(void)
{
    return (struct header){.command = COMMAND_REQUEST,
                           .id = ++world.next_id,
                           .deadline_ms = 1000,
                           .class = CLASS_CRITICAL,
                           .role = ROLE_DRIVER,
                           .method = bytes_of("query")};
}

uint64_t world_ask_from(uint64_t number, struct header header, struct bytes body)
{
    world_say(SIDE_FRONTEND, number, &header, body);
    return header.id;
}

uint64_t world_ask(enum request_class class, uint32_t deadline_ms, uint16_t flags)
{
    struct header header = world_request();
    header.class = class;
    header.deadline_ms = deadline_ms;
    header.flags = flags;
    return world_ask_from(CLIENT, header, bytes_of("body"));
}

void world_reply(uint64_t worker, uint64_t id, enum status status)
{
    char bytes[CONTROL_BYTES_MAX];
    struct header header = {.command = COMMAND_REPLY,
                            .id = id,
                            .status = status,
                            .executed = statuses[status].executed,
                            .admit_level = CLASS_SHEDDABLE,
                            .credit = ++world.credit[worker]};
    struct bytes body = message_encode_failure(status, bytes);
    world_say(SIDE_BACKEND, worker, &header, status == STATUS_OK ? bytes_of("answer") : body);
}

void world_turn(void)
{
    broker_tick(world.broker, world.now_at);
    broker_dispatch(world.broker, world.now_at);
    broker_flush(world.broker, world.now_at);
    world_check();
}

void world_pass(int64_t us)
{
    world.now_at += us;
    world_turn();
}

void world_run(int64_t ms)
{
    for (int64_t i = 0; i < ms; i++)
        world_pass(MS);
}

void world_beat(void)
{
    struct header header = {.command = COMMAND_HEARTBEAT, .id = 1, .class = CLASS_CRITICAL};
    for (int side = 0; side < SIDE_COUNT; side++)
        for (uint64_t number = 0; number < WORLD_PEERS; number++)
            if (greeted[side][number] && !world.gone[side][number])
                world_say((enum side)side, number, &header, (struct bytes){0});
}

static struct heard *take_out(enum side side, uint64_t number, enum command command,
                              const char *topic)
{
    for (struct heard **link = &world.first; *link != NULL; link = &(*link)->next) {
        struct heard *heard = *link;
        if (heard->side != side || heard->number != number ||
            heard->pair.header.command != command ||
            (topic != NULL && !bytes_are(heard->pair.header.method, topic)))
            continue;
        *link = heard->next;
        if (world.last == &heard->next)
            world.last = link;
        return heard;
    }
    return NULL;
}

struct heard *world_hear(enum side side, uint64_t number, enum command command)
{
    return take_out(side, number, command, NULL);
}

struct heard *world_event(const char *topic)
{
    return take_out(SIDE_COUNT, 0, COMMAND_EVENT, topic);
}

void world_forget(struct heard *heard)
{
    free(heard);
}

uint64_t world_next(uint64_t worker)
{
    struct heard *heard = world_hear(SIDE_BACKEND, worker, COMMAND_REQUEST);
    uint64_t id = heard == NULL ? 0 : heard->pair.header.id;
    world_forget(heard);
    return id;
}

const struct role_counts *world_counts(void)
{
    return &broker_counts(world.broker)->roles[ROLE_DRIVER];
}

void world_forget_all(void)
{
    while (world.first != NULL) {
        struct heard *heard = world.first;
        world.first = heard->next;
        free(heard);
    }
    world.last = &world.first;
}

unsigned world_count(enum side side, uint64_t number, enum command command)
{
    unsigned count = 0;
    for (struct heard *heard = world.first; heard != NULL; heard = heard->next)
        count +=
            heard->side == side && heard->number == number && heard->pair.header.command == command;
    return count;
}

static bool answers(const struct heard *heard, uint64_t client, uint64_t id)
{
    const struct header *header = &heard->pair.header;
    return heard->side == SIDE_FRONTEND && heard->number == client &&
           header->command == COMMAND_REPLY && header->id == id;
}

void world_expect(uint64_t client, uint64_t id, enum status status)
{
    unsigned found = 0;
    enum status got = STATUS_OK;
    for (struct heard *heard = world.first; heard != NULL; heard = heard->next) {
        if (!answers(heard, client, id))
            continue;
        got = heard->pair.header.status;
        found++;
    }
    ck_assert_uint_eq(found, 1);
    ck_assert_str_eq(statuses[got].name, statuses[status].name);
}
