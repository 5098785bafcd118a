/* fuzz_broker - arbitrary messages from several peers of both sides, and time in between: the
 * broker stands, and after each message its counts add up, it keeps to its bounds, and what it
 * sends is well-formed.
 *
 * The input is steps: a byte that says what (its low bits: which peer), then for a message two
 * bytes of length and so many bytes; for time one byte. A peer of ours greets and gets ready by a
 * step of its own, so that what follows is looked at. Seeds: such steps around the hex of the wire
 * vectors.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "broker/broker.h"
#include "protocol/message.h"
#include "protocol/pairs.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum step { STEP_MESSAGE, STEP_GREET, STEP_TIME, STEP_TURN, STEP_WAY, STEP_ANSWER, STEP_COUNT };

#define PEERS 4u
#define SLOTS 64u
#define HELD 32u

static struct {
    struct broker *broker;
    int64_t now_at;
    unsigned way[SIDE_COUNT][PEERS]; /* 0: open, 1: full, 2: gone */
    uint64_t held[HELD];             /* ids that workers were given */
    unsigned held_count;
} world;

static enum status take_away(void *self, enum side side, uint64_t number, zmq_msg_t *message)
{
    (void)self;
    struct pairs pairs =
        pairs_over((struct bytes){.data = zmq_msg_data(message), .size = zmq_msg_size(message)});
    struct pair pair;
    assert(number > 0);
    assert(number <= PEERS);
    while (pairs_next(&pairs, &pair)) {
        assert(pair.status == STATUS_OK);
        if (side == SIDE_BACKEND && pair.header.command == COMMAND_REQUEST)
            world.held[world.held_count++ % HELD] = pair.header.id;
    }
    assert(!pairs.broken);
    unsigned way = world.way[side][number - 1];
    return way == 0 ? STATUS_OK : way == 1 ? STATUS_BUSY_FULL : STATUS_WORKER_LOST;
}

static void publish(void *self, struct bytes topic, struct bytes bytes)
{
    (void)self;
    struct pairs pairs = pairs_over(bytes);
    struct pair pair;
    assert(topic.size > 0);
    bool there = pairs_next(&pairs, &pair);
    assert(there);
    assert(pair.status == STATUS_OK);
    assert(pair.header.command == COMMAND_EVENT);
}

static void check(void)
{
    const struct broker_counts *counts = broker_counts(world.broker);
    struct broker_levels levels = broker_levels(world.broker);
    uint64_t in_flight = 0;
    for (int role = 0; role < ROLE_COUNT; role++) {
        const struct role_counts *its = &counts->roles[role];
        assert(its->accepted == its->replied + its->refused + its->expired + its->cancelled +
                                    its->lost + its->in_flight);
        in_flight += its->in_flight;
    }
    assert(levels.slots == in_flight);
    assert(levels.slots <= SLOTS);
    assert(levels.sessions <= SIDE_COUNT * PEERS);
    assert((levels.slots == 0) == (levels.bytes == 0));
}

static void bring(enum side side, uint64_t number, struct bytes bytes)
{
    zmq_msg_t message;
    int rc = zmq_msg_init_size(&message, bytes.size);
    assert(rc == 0);
    if (bytes.size > 0)
        memcpy(zmq_msg_data(&message), bytes.data, bytes.size);
    broker_take(world.broker, side, number, &message, world.now_at);
    zmq_msg_close(&message);
    check();
}

static void say(enum side side, uint64_t number, const struct header *header, struct bytes body)
{
    char bytes[PAIR_HEAD_BYTES_MAX + 256];
    size_t size = pairs_encode_head(header, body, bytes);
    memcpy(bytes + size, body.data, body.size);
    bring(side, number, (struct bytes){bytes, size + body.size});
}

static void say_message(enum side side, uint64_t number, const struct header *header,
                        enum message_id id, const void *value)
{
    char bytes[256];
    struct bytes body = {0};
    enum status status = message_encode(id, value, bytes, sizeof bytes, &body);
    assert(status == STATUS_OK);
    say(side, number, header, body);
}

static void greet(enum side side, uint64_t number)
{
    static const enum role roles[PEERS] = {ROLE_DRIVER, ROLE_TOOL_EXECUTOR, ROLE_DRIVER,
                                           ROLE_CACHE_PARTITION};
    char session[SESSION_ID_BYTES] = {(char)number};
    struct msg_hello hello = {.session = {session, sizeof session},
                              .instance = bytes_of("peer"),
                              .protocol_min = 1,
                              .protocol_max = 1};
    struct msg_ready ready = {.methods = {"\x91\x81\xa4name\xa5query", 13},
                              .concurrency = number,
                              .weight = 100,
                              .endpoint = bytes_of("tcp://127.0.0.1:1")};
    struct header header = {.command = COMMAND_HELLO, .role = (uint8_t)roles[number - 1]};
    say_message(side, number, &header, MSG_HELLO, &hello);
    header.command = COMMAND_READY;
    if (side == SIDE_BACKEND)
        say_message(side, number, &header, MSG_READY, &ready);
}

static void turn(void)
{
    broker_tick(world.broker, world.now_at);
    broker_dispatch(world.broker, world.now_at);
    broker_flush(world.broker, world.now_at);
    check();
}

/* A message of the input's, in a buffer of exactly its size; returns what it took. */
static size_t bring_next(enum side side, uint64_t number, const unsigned char *data, size_t size)
{
    if (size < 2)
        return size;
    size_t wanted = (size_t)data[0] << 8 | data[1], length = wanted < size - 2 ? wanted : size - 2;
    bring(side, number, (struct bytes){(const char *)data + 2, length});
    return 2 + length;
}

static size_t step(const unsigned char *data, size_t size)
{
    enum side side = (enum side)(data[0] & 1);
    unsigned peer = data[0] >> 1 & 3;
    struct header reply = {.command = COMMAND_REPLY, .credit = data[0]};
    switch ((enum step)((data[0] >> 3) % STEP_COUNT)) {
    case STEP_MESSAGE:
        return 1 + bring_next(side, peer + 1, data + 1, size - 1);
    case STEP_GREET:
        greet(side, peer + 1);
        return 1;
    case STEP_TIME:
        world.now_at += size > 1 ? data[1] * data[1] * 100 : 0;
        turn();
        return size > 1 ? 2 : 1;
    case STEP_WAY:
        world.way[side][peer] = size > 1 ? data[1] % 3 : 0;
        return size > 1 ? 2 : 1;
    case STEP_ANSWER:
        reply.id = size > 1 ? world.held[data[1] % HELD] : 0;
        reply.status = (enum status)(size > 1 ? data[1] % STATUS_COUNT : 0);
        say(SIDE_BACKEND, peer + 1, &reply, bytes_of("x"));
        return size > 1 ? 2 : 1;
    default:
        turn();
        return 1;
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    const struct broker_outside outside = {.send = take_away, .publish = publish};
    struct broker_config config = broker_config_default();
    config.instance = "b";
    config.frontend = config.backend = config.events = "ipc://x";
    config.generation = 1;
    config.slots_max = SLOTS;
    config.queue_max = 16;
    config.queue_bytes_max = 65536;
    config.sessions_max = SIDE_COUNT * PEERS;
    config.events_max = 32;
    config.events_bytes_max = 2 * MESSAGE_BYTES_MAX;
    memset(&world, 0, sizeof world);
    world.now_at = US_PER_S;
    world.broker = broker_new(&config, &outside, world.now_at);
    for (size_t used = 0; used < size;)
        used += step(data + used, size - used);
    turn();
    broker_destroy(&world.broker);
    return 0;
}
