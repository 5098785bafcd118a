/* test_broker_identity - whatever is asked under a few keys, kept, detached, shared, withdrawn and
 * resumed, by clients and workers that come and go, in virtual time: the counts add up after each
 * message, and in the end nothing is left of it. */
#include "tests/support/broker_world.h"

#define CLIENTS 4u
#define WORKERS 3u
#define STEPS 3000u

static uint64_t numbers[CLIENTS]; /* of their connections */
static uint64_t random_state;

static unsigned roll(unsigned sides)
{
    return (unsigned)(random_next(&random_state) >> 33) % sides;
}

static void greet(unsigned client, bool resume)
{
    char session[SESSION_ID_BYTES] = {(char)(client + 1)};
    struct msg_hello hello = {.session = {session, sizeof session},
                              .instance = bytes_of("client"),
                              .protocol_min = 1,
                              .protocol_max = 1,
                              .resume = resume};
    struct header header = {.command = COMMAND_HELLO, .class = CLASS_CRITICAL, .role = ROLE_CLIENT};
    world_say_message(SIDE_FRONTEND, numbers[client], &header, MSG_HELLO, &hello);
}

static void setup(void)
{
    world_setup();
    world.config.slots_max = 48;
    world.config.queue_max = 24;
    world.config.client_credit = 16;
    world.config.sessions_max = 12;
    world_start();
    for (unsigned i = 0; i < CLIENTS; i++) {
        numbers[i] = 10 + i;
        greet(i, false);
    }
    for (uint64_t worker = 1; worker <= WORKERS; worker++)
        world_worker(worker, ROLE_DRIVER, 2, "query");
}

static void say(unsigned client, enum command command, uint64_t id)
{
    world_say(SIDE_FRONTEND, numbers[client], &(struct header){.command = command, .id = id},
              (struct bytes){0});
}

static void ask(unsigned client)
{
    static const uint16_t flags[] = {
        FLAG_KEEP, FLAG_DETACHED, FLAG_COALESCE, FLAG_IDEMPOTENT, FLAG_ACK_ACCEPT, FLAG_STREAM, 0,
        0};
    char key[IDEMPOTENCY_KEY_BYTES] = {(char)roll(6)};
    struct header header = world_request();
    header.flags = (uint16_t)(flags[roll(8)] | flags[roll(8)] | flags[roll(8)]);
    header.deadline_ms = 10 + roll(300);
    header.attempt = (uint8_t)roll(2);
    if (roll(4) > 0)
        header.idempotency_key = (struct bytes){key, sizeof key};
    world_ask_from(numbers[client], header, bytes_of(roll(12) == 0 ? "other" : "body"));
}

static void work(uint64_t worker)
{
    static const enum status statuses_of[] = {STATUS_OK,       STATUS_OK,
                                              STATUS_OK,       STATUS_BUSY_FULL,
                                              STATUS_INTERNAL, STATUS_DEADLINE_RUNNING};
    struct heard *heard = world_hear(SIDE_BACKEND, worker, COMMAND_REQUEST);
    if (heard == NULL)
        return;
    uint64_t id = heard->pair.header.id;
    world_forget(heard);
    if (roll(2) == 0)
        world_say(SIDE_BACKEND, worker, &(struct header){.command = COMMAND_STARTED, .id = id},
                  (struct bytes){0});
    if (roll(8) > 0)
        world_reply(worker, id, statuses_of[roll(6)]);
}

/* Over a new connection, or the same; the old one may be thought to live. */
static void come_back(unsigned client)
{
    if (roll(4) == 0)
        say(client, COMMAND_DISCONNECT, 0);
    if (roll(3) > 0)
        numbers[client] = 10 + (numbers[client] - 10 + CLIENTS) % 40;
    greet(client, roll(4) > 0);
}

static void step(void)
{
    unsigned client = roll(CLIENTS), what = roll(20);
    uint64_t worker = 1 + roll(WORKERS);
    if (what < 8)
        ask(client);
    else if (what < 14)
        work(worker);
    else if (what == 14)
        say(client, COMMAND_CANCEL, world.next_id - roll(20));
    else if (what == 15)
        say(client, COMMAND_ACKFLOOR, world.next_id - roll(40));
    else if (what == 16 && roll(3) == 0)
        come_back(client);
    else if (what == 17 && roll(6) == 0)
        world_worker(worker, ROLE_DRIVER, 2, "query");
    else if (what == 18)
        world_pass((int64_t)roll(30) * MS);
    if (roll(200) == 0)
        world_pass(3500 * MS); /* silence, and all are gone */
    world_turn();
    if (roll(50) == 0)
        world_forget_all();
}

START_TEST(whatever_is_asked_nothing_is_left_of_it)
{
    random_state = 100 + (uint64_t)_i;
    for (unsigned i = 0; i < STEPS; i++)
        step();
    const struct broker_counts *counts = broker_counts(world.broker);
    ck_assert_uint_gt(counts->roles[ROLE_DRIVER].attached, 10);
    ck_assert_uint_gt(counts->roles[ROLE_DRIVER].replayed, 3);
    ck_assert_uint_gt(counts->roles[ROLE_DRIVER].redelivered, 3);
    ck_assert_uint_gt(counts->kept, 20);
    for (unsigned i = 0; i < 40; i++)
        world_pass(1000 * MS);
    struct broker_levels levels = broker_levels(world.broker);
    ck_assert_uint_eq(levels.slots, 0);
    ck_assert_uint_eq(levels.bytes, 0);
    ck_assert_uint_eq(levels.kept_replies, 0);
    ck_assert_uint_eq(levels.keepers, 0);
    ck_assert_uint_eq(levels.identities, 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_add_loop_test(tcase, whatever_is_asked_nothing_is_left_of_it, 0, SUITE_SEEDS(12));
}

int main(void)
{
    return suite_run("broker_identity", add_tests);
}
