/* test_session_resume - a session and a whole broker in virtual time, and a connection between them
 * that breaks: what asks to be kept ends once, with its answer wherever there is one; what does not
 * ends with the connection; and what the broker holds is acknowledged. */
#include "protocol/session.h"

#include <string.h>

#include "tests/support/broker_world.h"

#define CALLS 600u
#define DEADLINE_US (20 * US_PER_S)

static struct {
    struct session *session;
    uint64_t number; /* of the connection */
    unsigned ends[CALLS];
    enum status status[CALLS];
    enum executed executed[CALLS];
    uint64_t asks_again; /* who is told of an end asks once more, as this; 0: not */
} client;

static void ask(uint64_t tag, uint16_t flags);

static void on_answer(void *self, uint64_t tag, const struct header *header, struct bytes body)
{
    (void)self, (void)body;
    ck_assert_uint_lt(tag, CALLS);
    client.ends[tag]++;
    client.status[tag] = header->status;
    client.executed[tag] = header->executed;
    uint64_t next = client.asks_again;
    client.asks_again = 0;
    if (next != 0)
        ask(next, FLAG_KEEP);
}

static void setup(void)
{
    struct session_owner owner = {.on_answer = on_answer};
    struct session_config config = {.role = ROLE_CLIENT,
                                    .id = "0123456789abcde",
                                    .instance = bytes_of("c1"),
                                    .asks_max = 64,
                                    .waiting_bytes_max = 100000,
                                    .resumes = true,
                                    .grace_us = 5000};
    world_setup();
    world_start();
    world_worker(WORKER, ROLE_DRIVER, 4, "query");
    memset(&client, 0, sizeof client);
    client.number = 10;
    client.session = session_new(&config, &owner, world.now_at);
}

static void teardown(void)
{
    session_destroy(&client.session);
    world_teardown();
}

/* The oldest that the broker has sent over this connection, whatever it is. */
static struct heard *first_heard(void)
{
    for (struct heard *heard = world.first; heard != NULL; heard = heard->next)
        if (heard->side == SIDE_FRONTEND && heard->number == client.number)
            return world_hear(SIDE_FRONTEND, client.number, heard->pair.header.command);
    return NULL;
}

/* Both ways, until nothing moves. */
static void carry(void)
{
    for (bool moved = true; moved;) {
        struct heard *heard;
        struct bytes message = session_outgoing(client.session, world.now_at);
        moved = message.data != NULL;
        if (moved) {
            world_bring(SIDE_FRONTEND, client.number, message);
            session_sent(client.session);
        }
        world_turn();
        while ((heard = first_heard()) != NULL) {
            session_take(client.session, heard->pair.whole, world.now_at);
            world_forget(heard);
            moved = true;
        }
    }
}

/* The connection is gone, and what was on its way to the client; the broker need not know. */
static void cut(void)
{
    world_turn();
    client.number = client.number == 59 ? 10 : client.number + 1;
    for (struct heard *old; (old = first_heard()) != NULL;) /* of who had this number before */
        world_forget(old);
    session_lost(client.session, "cut", world.now_at);
}

static void wait(int64_t ms)
{
    struct header beat = {.command = COMMAND_HEARTBEAT, .id = 1, .class = CLASS_CRITICAL};
    for (int64_t i = 0; i < ms; i += 10) {
        world_pass(10 * MS);
        session_tick(client.session, world.now_at);
        world_say(SIDE_BACKEND, WORKER, &beat, (struct bytes){0});
    }
}

static void ask(uint64_t tag, uint16_t flags)
{
    struct header header = {.command = COMMAND_REQUEST,
                            .flags = flags,
                            .class = CLASS_CRITICAL,
                            .role = ROLE_DRIVER,
                            .method = bytes_of("query")};
    enum status status = session_ask(client.session, &header, bytes_of("body"),
                                     world.now_at + DEADLINE_US, tag, world.now_at);
    ck_assert_int_eq(status, STATUS_OK);
}

static bool work(void)
{
    struct heard *heard = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST);
    if (heard == NULL)
        return false;
    world_reply(WORKER, heard->pair.header.id, STATUS_OK);
    world_forget(heard);
    return true;
}

/* Row 0: it runs while the connection breaks; 1: its answer is lost with the connection. */
START_TEST(what_is_kept_outlives_a_connection)
{
    carry();
    ask(0, FLAG_KEEP);
    ask(1, 0);
    carry();
    if (_i == 1)
        ck_assert(work());
    cut();
    ck_assert_int_eq(client.status[1], STATUS_WORKER_LOST);
    ck_assert_uint_eq(client.ends[0], 0);
    wait(200);
    carry();
    ck_assert_uint_eq(client.ends[0], _i);
    if (_i == 0)
        ck_assert(work());
    carry();
    ck_assert_uint_eq(client.ends[0], 1);
    ck_assert_int_eq(client.status[0], STATUS_OK);
    ck_assert_uint_eq(client.ends[1], 1);
}
END_TEST

START_TEST(what_never_arrived_is_lost_when_the_broker_says_so)
{
    carry();
    ask(0, FLAG_KEEP);
    (void)session_outgoing(client.session, world.now_at);
    session_sent(client.session); /* it got lost on its way */
    cut();
    wait(200);
    carry();
    ck_assert_int_eq(client.status[0], STATUS_WORKER_LOST);
    ck_assert_int_eq(client.executed[0], EXECUTED_MAYBE);
}
END_TEST

/* Nobody can be greeted for so long: the caller is told. */
START_TEST(what_nobody_resumes_is_lost_soon)
{
    carry();
    ask(0, FLAG_KEEP);
    carry();
    cut();
    wait(SESSION_RESUME_MS - 20);
    ck_assert_uint_eq(client.ends[0], 0);
    wait(40);
    ck_assert_int_eq(client.status[0], STATUS_WORKER_LOST);
    ck_assert_int_lt(world.now_at, 1000 * US_PER_S + DEADLINE_US);
}
END_TEST

/* Another process stands where it stood. */
static void replace_broker(void)
{
    world_teardown();
    world.config.generation = 5;
    world.first = NULL;
    world.last = &world.first;
    world_start();
}

START_TEST(another_broker_knows_nothing_of_it)
{
    const struct broker_counts *counts;
    carry();
    ask(0, FLAG_KEEP);
    carry();
    replace_broker();
    cut();
    wait(200);
    carry();
    ck_assert_int_eq(client.status[0], STATUS_WORKER_LOST);
    counts = broker_counts(world.broker);
    ck_assert_uint_eq(counts->roles[ROLE_DRIVER].accepted, 0);
}
END_TEST

/* Asked while the old ones end with their broker, it is a question to the new one. */
START_TEST(what_is_asked_when_the_old_one_is_lost_is_asked_of_the_new_one)
{
    carry();
    ask(0, FLAG_KEEP);
    carry();
    replace_broker();
    world_worker(WORKER, ROLE_DRIVER, 4, "query");
    cut();
    wait(200);
    client.asks_again = 1;
    carry();
    ck_assert_int_eq(client.status[0], STATUS_WORKER_LOST);
    ck_assert_uint_eq(client.ends[1], 0);
    ck_assert(work());
    carry();
    ck_assert_uint_eq(client.ends[1], 1);
    ck_assert_int_eq(client.status[1], STATUS_OK);
}
END_TEST

START_TEST(answers_are_acknowledged_in_time)
{
    carry();
    for (uint64_t tag = 0; tag < SESSION_ACKS; tag++) {
        ask(tag, FLAG_KEEP);
        carry();
        ck_assert(work());
        carry();
    }
    carry(); /* the last of them made it say so */
    ck_assert_uint_eq(broker_levels(world.broker).kept_replies, 0);
    ask(SESSION_ACKS, FLAG_KEEP);
    carry();
    ck_assert(work());
    carry();
    ck_assert_uint_eq(broker_levels(world.broker).kept_replies, 1);
    wait(1010); /* its next beat */
    carry();
    ck_assert_uint_eq(broker_levels(world.broker).kept_replies, 0);
}
END_TEST

/* Seed 11. A client that does not hear of a break for a while, a worker at its leisure. */
START_TEST(a_connection_that_breaks_and_breaks_loses_nothing)
{
    uint64_t random = 11, tag = 0;
    unsigned cuts = 0, good = 0;
    carry();
    while (tag < CALLS) {
        unsigned dice = (unsigned)(random_next(&random) >> 33);
        if ((dice & 3) == 0 && session_asks(client.session) < 60)
            ask(tag++, FLAG_KEEP);
        if (dice >> 2 & 1)
            work();
        if (dice >> 3 & 1)
            carry();
        if ((dice >> 4 & 63) == 0) {
            cut();
            cuts++;
        }
        wait(10);
    }
    for (unsigned i = 0; i < 400; i++) {
        carry();
        while (work())
            carry();
        wait(10);
    }
    ck_assert_uint_gt(cuts, 20);
    for (tag = 0; tag < CALLS; tag++) {
        ck_assert_uint_eq(client.ends[tag], 1);
        good += client.status[tag] == STATUS_OK;
    }
    ck_assert_uint_gt(good, CALLS * 9 / 10); /* the others had not arrived */
    ck_assert_uint_eq(broker_counts(world.broker)->roles[ROLE_DRIVER].replied, good);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, what_is_kept_outlives_a_connection, 0, 2);
    tcase_add_test(tcase, what_never_arrived_is_lost_when_the_broker_says_so);
    tcase_add_test(tcase, what_nobody_resumes_is_lost_soon);
    tcase_add_test(tcase, another_broker_knows_nothing_of_it);
    tcase_add_test(tcase, what_is_asked_when_the_old_one_is_lost_is_asked_of_the_new_one);
    tcase_add_test(tcase, answers_are_acknowledged_in_time);
    tcase_add_test(tcase, a_connection_that_breaks_and_breaks_loses_nothing);
}

int main(void)
{
    return suite_run("session_resume", add_tests);
}
