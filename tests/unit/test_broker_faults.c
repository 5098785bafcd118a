/* test_broker_faults - hostile bytes, and everything at once: whatever is brought, in whatever
 * order, and whoever dies, the broker stands, its counts add up after every message, each request
 * has exactly one answer, and nothing is kept of what is over. */
#include <stdio.h>
#include <string.h>

#include "tests/support/broker_world.h"
#include "tests/support/vectors.h"

#define CLIENTS 4u
#define WORKERS 6u
#define CLIENT_FIRST 10u
#define WORKER_FIRST 20u
#define REQUESTS_MAX 20000u

static void setup(void)
{
    world_setup();
    world.config.queue_max = 40;
    world.config.drain_ms = 100;
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, 8, "query");
    world_turn();
    world_forget_all();
}

/* The command that a bad vector is answered with. */
static enum command answer_to(const char *outcome, enum side side)
{
    if (strncmp(outcome, "broken", 6) == 0 || side == SIDE_BACKEND)
        return COMMAND_ERROR;
    return strstr(outcome, "id 0") != NULL ? COMMAND_ERROR : COMMAND_REPLY;
}

static void check_vector(const json_t *vector, enum side side)
{
    const char *outcome = json_string_value(json_object_get(vector, "outcome"));
    uint64_t number = side == SIDE_FRONTEND ? CLIENT : WORKER;
    struct bytes bytes = vectors_bytes(vector, "hex");
    world_bring(side, number, bytes);
    free((char *)bytes.data);
    world_turn();
    if (strncmp(outcome, "1 served", 8) == 0) {
        ck_assert_uint_ge(
            world_count(side, number, COMMAND_ERROR) + world_count(side, number, COMMAND_REPLY), 1);
    } else {
        struct heard *heard = world_hear(side, number, answer_to(outcome, side));
        ck_assert_msg(heard != NULL, "%s: no answer", vectors_name(vector));
        uint64_t id = heard->pair.header.command == COMMAND_ERROR ? 0 : 6;
        ck_assert_uint_eq(heard->pair.header.id, id);
        bool version = strncmp(outcome, "version", 7) == 0;
        ck_assert_int_eq(heard->pair.header.status, version ? STATUS_VERSION : STATUS_BAD_REQUEST);
        world_forget(heard);
        ck_assert_uint_eq(world_count(side, number, COMMAND_REPLY), 0);
    }
    world_forget_all();
}

/* The golden vectors, on both sides, from one that has greeted and from one that has not. */
START_TEST(every_bad_vector_is_answered_as_it_says)
{
    json_t *file = vectors_load("wire.json"), *vector;
    size_t i;
    json_array_foreach(json_object_get(file, "bad"), i, vector)
    {
        world_pass(1 * US_PER_S); /* apart, so that they are not too many */
        world_beat();
        check_vector(vector, (enum side)_i);
        struct bytes bytes = vectors_bytes(vector, "hex");
        world_bring((enum side)_i, 30, bytes);
        free((char *)bytes.data);
        world_turn();
        ck_assert_uint_eq(world_count((enum side)_i, 30, COMMAND_DISCONNECT), 1);
        world_forget_all();
    }
    ck_assert_uint_gt(i, 30);
    json_decref(file);
}
END_TEST

START_TEST(sixteen_faults_are_enough)
{
    for (unsigned i = 0; i < STRIKES_MAX; i++) {
        ck_assert_uint_eq(
            world_count((enum side)_i, _i == SIDE_FRONTEND ? CLIENT : WORKER, COMMAND_DISCONNECT),
            0);
        world_bring((enum side)_i, _i == SIDE_FRONTEND ? CLIENT : WORKER, bytes_of("\xc1"));
    }
    world_turn();
    struct heard *heard =
        world_hear((enum side)_i, _i == SIDE_FRONTEND ? CLIENT : WORKER, COMMAND_DISCONNECT);
    ck_assert_ptr_nonnull(heard);
    ck_assert_int_eq(heard->pair.header.status, STATUS_BAD_REQUEST);
    world_forget(heard);
    ck_assert_uint_eq(broker_levels(world.broker).sessions, 1);
    ck_assert_uint_eq(broker_counts(world.broker)->struck, 1);
    world_hello((enum side)_i, 30, ROLE_CLIENT); /* and everybody else is served */
    world_turn();
    ck_assert_uint_eq(world_count((enum side)_i, 30, COMMAND_WELCOME), 1);
}
END_TEST

/* Of one message all that follows the last straw is not looked at. */
START_TEST(what_comes_after_the_end_is_dropped)
{
    char bytes[4096];
    struct pairs_buffer out = {.data = bytes};
    char head[PAIR_HEAD_BYTES_MAX];
    struct header goodbye = {.command = COMMAND_DISCONNECT}, request = world_request();
    struct bytes pair = {head, pairs_encode_head(&goodbye, (struct bytes){0}, head)};
    ck_assert(pairs_append(&out, pair, (struct bytes){0}));
    pair.size = pairs_encode_head(&request, (struct bytes){0}, head);
    ck_assert(pairs_append(&out, pair, (struct bytes){0}));
    world_bring(SIDE_FRONTEND, CLIENT, pairs_flush(&out));
    ck_assert_uint_eq(broker_counts(world.broker)->roles[ROLE_DRIVER].accepted, 0);
}
END_TEST

/* What is a legal command, but from the wrong side. */
START_TEST(a_command_from_the_wrong_side_is_an_error)
{
    static const struct {
        enum side side;
        enum command command;
        enum command answer; /* NONE: counted only */
    } wrong[] = {
        {SIDE_FRONTEND, COMMAND_READY, COMMAND_ERROR},
        {SIDE_FRONTEND, COMMAND_REPLY, COMMAND_NONE},
        {SIDE_FRONTEND, COMMAND_CREDIT, COMMAND_NONE},
        {SIDE_FRONTEND, COMMAND_TOUCH, COMMAND_ERROR},
        {SIDE_FRONTEND, COMMAND_EVENT, COMMAND_ERROR},
        {SIDE_FRONTEND, COMMAND_WELCOME, COMMAND_NONE},
        {SIDE_BACKEND, COMMAND_REQUEST, COMMAND_ERROR},
        {SIDE_BACKEND, COMMAND_CANCEL, COMMAND_ERROR},
        {SIDE_BACKEND, COMMAND_ACCEPTED, COMMAND_NONE},
        {SIDE_BACKEND, COMMAND_ERROR, COMMAND_NONE},
    };
    enum side side = wrong[_i].side;
    uint64_t number = side == SIDE_FRONTEND ? CLIENT : WORKER;
    struct header header = {.command = wrong[_i].command, .id = 5, .deadline_ms = 100};
    world_say(side, number, &header, (struct bytes){0});
    world_turn();
    ck_assert_uint_eq(world_count(side, number, COMMAND_ERROR), wrong[_i].answer == COMMAND_ERROR);
    ck_assert_uint_eq(world_count(side, number, COMMAND_REPLY), 0);
    ck_assert_uint_eq(broker_counts(world.broker)->malformed, 1);
}
END_TEST

/* From a seed: good messages with some bytes changed or cut, and plain noise. */
START_TEST(random_bytes_stop_nobody)
{
    uint64_t seed = 77 + (uint64_t)_i;
    char bytes[600];
    for (int step = 0; step < 20000; step++) {
        enum side side = (enum side)(random_next(&seed) % SIDE_COUNT);
        uint64_t number = side == SIDE_FRONTEND ? CLIENT : WORKER;
        bool asks = side == SIDE_FRONTEND && random_next(&seed) % 2;
        uint64_t command = asks ? COMMAND_REQUEST : 1 + random_next(&seed) % 22;
        struct header header = {.command = (enum command)command,
                                .id = random_next(&seed) % 50,
                                .deadline_ms = 1 + (uint32_t)random_next(&seed) % 1000,
                                .role = (uint8_t)(random_next(&seed) % 4 ? ROLE_DRIVER : 4),
                                .method = bytes_of("query")};
        size_t size = pairs_encode_head(&header, bytes_of("\x81\xa1x\x01"), bytes);
        memcpy(bytes + size, (const char[]){(char)0x81, (char)0xa1, 'x', 1}, 4);
        size += 4;
        for (uint64_t changes = random_next(&seed) % 4; changes > 0; changes--)
            bytes[random_next(&seed) % size] = (char)random_next(&seed);
        if (random_next(&seed) % 8 == 0)
            size = random_next(&seed) % size;
        world_bring(side, number, (struct bytes){bytes, size});
        if (step % 16 > 0)
            continue;
        world_pass((int64_t)(random_next(&seed) % 100000));
        world_forget_all();
        world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
        world_worker(WORKER, ROLE_DRIVER, 8, "query");
    }
    ck_assert_uint_gt(broker_counts(world.broker)->malformed, 1000);
    ck_assert_uint_gt(broker_counts(world.broker)->roles[ROLE_DRIVER].accepted, 100);
}
END_TEST

/* One that sends and never reads: what it gets is dropped and counted; others are served, and
 * nothing is kept for it. */
START_TEST(one_that_does_not_read_costs_nobody_else)
{
    world_hello(SIDE_FRONTEND, 8, ROLE_CLIENT);
    world_turn();
    world_forget_all();
    world.full[SIDE_FRONTEND][8] = true;
    for (unsigned i = 0; i < 300; i++) {
        world_ask_from(8, world_request(), bytes_of("x"));
        uint64_t id = world_ask(CLASS_CRITICAL, 1000, 0);
        world_turn();
        for (struct heard *heard;
             (heard = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST)) != NULL;
             world_forget(heard))
            world_reply(WORKER, heard->pair.header.id, STATUS_OK);
        world_turn();
        world_expect(CLIENT, id, STATUS_OK);
        world_forget_all();
    }
    ck_assert_uint_eq(broker_counts(world.broker)->unsent, 300);
    ck_assert_uint_eq(broker_levels(world.broker).slots, 0);
    ck_assert_uint_eq(broker_levels(world.broker).bytes, 0);
}
END_TEST

/* Everything at once, from a seed. Workers take, start, answer, die, fall silent, fill up, come
 * back; clients ask, cancel, leave; time goes by. */
static struct {
    uint64_t seed;
    uint8_t answers[CLIENTS][REQUESTS_MAX]; /* by number of the client's request */
    uint64_t asked[CLIENTS];
    uint64_t left[CLIENTS]; /* requests up to this one are of a connection that is over */
    bool up[WORKERS];
    struct {
        uint64_t id;
        bool started;
    } held[WORKERS][64];
    unsigned held_count[WORKERS];
    uint64_t executed, doubled;
} chaos;

static uint64_t draw(uint64_t below)
{
    return random_next(&chaos.seed) % below;
}

static void client_acts(unsigned client)
{
    uint64_t number = CLIENT_FIRST + client;
    struct header header = {.command = COMMAND_REQUEST,
                            .deadline_ms = 1 + (uint32_t)draw(3000),
                            .class = (enum request_class)draw(CLASS_COUNT),
                            .flags = draw(2) ? FLAG_IDEMPOTENT : 0,
                            .role = ROLE_DRIVER,
                            .method = bytes_of(draw(10) ? "query" : "other")};
    if (chaos.asked[client] + 2 >= REQUESTS_MAX)
        return;
    if (draw(400) == 0) { /* it comes anew: what it had is nobody's any more */
        chaos.left[client] = chaos.asked[client];
        world_hello(SIDE_FRONTEND, number, ROLE_CLIENT);
        return;
    }
    header.id = ++chaos.asked[client];
    world_say(SIDE_FRONTEND, number, &header, bytes_of("body"));
    if (draw(8) > 0)
        return;
    struct header cancel = {.command = COMMAND_CANCEL, .class = CLASS_CRITICAL};
    cancel.id = 1 + draw(chaos.asked[client]);
    world_say(SIDE_FRONTEND, number, &cancel, (struct bytes){0});
}

static void worker_comes(unsigned worker)
{
    struct msg_ready ready = {.concurrency = 1 + draw(16), .weight = 1 + draw(200)};
    uint64_t number = WORKER_FIRST + worker;
    world.gone[SIDE_BACKEND][number] = false;
    world.full[SIDE_BACKEND][number] = false;
    world.credit[number] = 0;
    chaos.held_count[worker] = 0;
    chaos.up[worker] = true;
    world_hello(SIDE_BACKEND, number, ROLE_DRIVER);
    world_ready(number, ROLE_DRIVER, &ready, (const char *[]){"query", "other"}, 1 + draw(2));
}

static void worker_answers(unsigned worker)
{
    static const enum status ends[] = {STATUS_OK,        STATUS_OK,        STATUS_OK,
                                       STATUS_APP_ERROR, STATUS_BUSY_FULL, STATUS_INTERNAL};
    unsigned at = (unsigned)draw(chaos.held_count[worker]);
    uint64_t id = chaos.held[worker][at].id;
    chaos.held[worker][at] = chaos.held[worker][--chaos.held_count[worker]];
    world_reply(WORKER_FIRST + worker, id, ends[draw(6)]);
}

static void worker_acts(unsigned worker)
{
    uint64_t number = WORKER_FIRST + worker;
    struct header header = {.command = COMMAND_STARTED};
    uint64_t chance = draw(100);
    if (!chaos.up[worker]) {
        if (chance < 5)
            worker_comes(worker);
        return;
    }
    if (chance == 0) { /* killed: unroutable, or only silent */
        world.gone[SIDE_BACKEND][number] = draw(2);
        chaos.up[worker] = false;
    } else if (chance == 1) {
        world.full[SIDE_BACKEND][number] = !world.full[SIDE_BACKEND][number];
    } else if (chance == 2) {
        header.command = COMMAND_DRAIN;
        world_say(SIDE_BACKEND, number, &header, (struct bytes){0});
    } else if (chance < 20 && chaos.held_count[worker] > 0) {
        header.id = chaos.held[worker][draw(chaos.held_count[worker])].id;
        world_say(SIDE_BACKEND, number, &header, (struct bytes){0});
    } else if (chance < 70 && chaos.held_count[worker] > 0) {
        worker_answers(worker);
    } else if (chance < 75) {
        header.command = COMMAND_HEARTBEAT;
        world_say(SIDE_BACKEND, number, &header, (struct bytes){0});
    }
}

static void client_hears(unsigned client, uint64_t id)
{
    ck_assert_uint_lt(client, CLIENTS);
    ck_assert_uint_le(id, chaos.asked[client]);
    chaos.answers[client][id]++;
    ck_assert_uint_le(chaos.answers[client][id], 1);
}

static void worker_hears(unsigned worker, const struct header *header)
{
    if (header->command == COMMAND_DISCONNECT)
        chaos.up[worker] = false;
    if (header->command != COMMAND_REQUEST)
        return;
    ck_assert_uint_lt(chaos.held_count[worker], 64);
    chaos.held[worker][chaos.held_count[worker]++].id = header->id;
}

/* Everybody hears what came. */
static void all_hear(void)
{
    for (struct heard *heard = world.first; heard != NULL; heard = heard->next) {
        const struct header *header = &heard->pair.header;
        if (heard->side == SIDE_FRONTEND && header->command == COMMAND_REPLY)
            client_hears((unsigned)heard->number - CLIENT_FIRST, header->id);
        if (heard->side == SIDE_BACKEND && heard->number >= WORKER_FIRST)
            worker_hears((unsigned)heard->number - WORKER_FIRST, header);
    }
    world_forget_all();
}

START_TEST(whatever_happens_each_request_is_answered_once)
{
    chaos.seed = 1000 + (uint64_t)_i;
    for (unsigned client = 0; client < CLIENTS; client++)
        world_hello(SIDE_FRONTEND, CLIENT_FIRST + client, ROLE_CLIENT);
    for (int step = 0; step < 15000; step++) {
        client_acts((unsigned)draw(CLIENTS));
        for (unsigned worker = 0; worker < WORKERS; worker++)
            worker_acts(worker);
        if (draw(3) == 0)
            world_pass((int64_t)draw(draw(50) == 0 ? 300000 : 3000));
        all_hear();
    }
    struct header beat = {.command = COMMAND_HEARTBEAT, .class = CLASS_CRITICAL};
    for (unsigned i = 0; i < 70; i++) { /* all of it ends, by its deadline at the latest */
        world_run(50);
        all_hear();
        for (unsigned client = 0; client < CLIENTS; client++)
            world_say(SIDE_FRONTEND, CLIENT_FIRST + client, &beat, (struct bytes){0});
    }
    struct broker_levels levels = broker_levels(world.broker);
    ck_assert_uint_eq(levels.slots, 0);
    ck_assert_uint_eq(levels.bytes, 0);
    ck_assert_uint_eq(levels.queued[ROLE_DRIVER], 0);
    const struct role_counts *counts = &broker_counts(world.broker)->roles[ROLE_DRIVER];
    static const enum status reached[] = {
        STATUS_OK,         STATUS_CANCELLED,   STATUS_BUSY_FULL,       STATUS_BUSY_SHED,
        STATUS_INFEASIBLE, STATUS_WORKER_LOST, STATUS_DEADLINE_RUNNING};
    for (size_t i = 0; i < sizeof reached / sizeof reached[0]; i++) /* the load is one that tells */
        ck_assert_msg(counts->by_status[reached[i]] > 0, "%s", statuses[reached[i]].name);
    ck_assert_uint_gt(counts->redelivered, 10);
    for (unsigned client = 0; client < CLIENTS; client++)
        for (uint64_t id = chaos.left[client] + 1; id <= chaos.asked[client]; id++)
            ck_assert_uint_eq(chaos.answers[client][id], 1);
}
END_TEST

/* So many have something ready that the first leaves early to make room: the request that is about
 * to end, whose worker does not read. It is taken back while its client is answered.
 * _i: so many others share its execution */
START_TEST(what_is_taken_back_while_it_ends_has_ended)
{
    struct header header = world_request();
    struct header question = {.command = COMMAND_QUERY, .id = 5, .method = bytes_of("nothing")};
    header.flags = FLAG_COALESCE;
    header.idempotency_key = (struct bytes){"0123456789abcdef", IDEMPOTENCY_KEY_BYTES};
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_DRIVER); /* its requests come in until the end */
    for (uint64_t number = CLIENT_FIRST; number < CLIENT_FIRST + OUTBOX_BUFFERS; number++)
        world_hello(SIDE_FRONTEND, number, ROLE_CLIENT);
    broker_drain(world.broker, world.now_at);
    world_pass((world.config.drain_ms - 1) * MS);
    world.full[SIDE_BACKEND][WORKER] = true;
    for (int i = 0; i <= _i; i++, header.id = ++world.next_id)
        world_ask_from(CLIENT, header, bytes_of("body"));
    for (uint64_t number = CLIENT_FIRST + 1; number < CLIENT_FIRST + OUTBOX_BUFFERS; number++)
        world_say(SIDE_FRONTEND, number, &question, (struct bytes){0});
    ck_assert_uint_eq(broker_counts(world.broker)->unsent, 0);
    world_pass(2 * MS);
    ck_assert_uint_ge(broker_counts(world.broker)->unsent, 1);
    for (uint64_t id = 1; id <= (uint64_t)_i + 1; id++)
        world_expect(CLIENT, id, STATUS_WORKER_LOST);
    ck_assert_uint_eq(broker_levels(world.broker).slots, 0);
    ck_assert_uint_eq(broker_levels(world.broker).queued[ROLE_DRIVER], 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_set_timeout(tcase, 100);
    tcase_add_loop_test(tcase, every_bad_vector_is_answered_as_it_says, 0, SIDE_COUNT);
    tcase_add_loop_test(tcase, sixteen_faults_are_enough, 0, SIDE_COUNT);
    tcase_add_test(tcase, what_comes_after_the_end_is_dropped);
    tcase_add_loop_test(tcase, a_command_from_the_wrong_side_is_an_error, 0, 10);
    tcase_add_loop_test(tcase, random_bytes_stop_nobody, 0, SUITE_SEEDS(4));
    tcase_add_test(tcase, one_that_does_not_read_costs_nobody_else);
    tcase_add_loop_test(tcase, what_is_taken_back_while_it_ends_has_ended, 0, 2);
    tcase_add_loop_test(tcase, whatever_happens_each_request_is_answered_once, 0, SUITE_SEEDS(8));
}

int main(void)
{
    return suite_run("broker_faults", add_tests);
}
