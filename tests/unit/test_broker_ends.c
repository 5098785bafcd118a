/* test_broker_ends - how requests end, in virtual time: too late, cancelled, with their client or
 * their worker gone, or with the broker. Each is answered once, and of what may have been executed
 * nobody is told that it was not. */
#include "tests/support/broker_world.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CONCURRENCY 4u

static void setup(void)
{
    world_setup();
    world.config.queue_max = 200;
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, CONCURRENCY, "query");
    world_turn();
    world_forget_all();
}

static uint64_t ask(void)
{
    return world_ask(CLASS_CRITICAL, 1000, 0);
}

/* As many as the worker can hold at once; they stay there. */
static void fill_worker(void)
{
    for (unsigned i = 0; i < CONCURRENCY; i++)
        ask();
    world_turn();
}

START_TEST(too_late_in_the_queue)
{
    fill_worker();
    uint64_t id = world_ask(CLASS_CRITICAL, 500, 0);
    world_run(499);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), 0);
    world_run(2);
    world_expect(CLIENT, id, STATUS_DEADLINE_QUEUED);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_int_eq(heard->pair.header.executed, EXECUTED_NO);
    ck_assert_uint_ge(heard->pair.header.queue_us, 500 * MS);
    world_forget(heard);
}
END_TEST

/* The worker is told; what it says later reaches nobody, but its credit counts. */
START_TEST(too_late_with_a_worker)
{
    uint64_t id = world_ask(CLASS_CRITICAL, 500, 0);
    world_run(501);
    world_expect(CLIENT, id, STATUS_DEADLINE_RUNNING);
    uint64_t at_worker = world_next(WORKER);
    struct heard *cancel = world_hear(SIDE_BACKEND, WORKER, COMMAND_CANCEL);
    ck_assert_ptr_nonnull(cancel);
    ck_assert_uint_eq(cancel->pair.header.id, at_worker);
    world_forget(cancel);
    world_reply(WORKER, at_worker, STATUS_OK);
    world_turn();
    world_expect(CLIENT, id, STATUS_DEADLINE_RUNNING);
    ck_assert_uint_eq(world_counts()->stale, 1);
    fill_worker();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST), CONCURRENCY);
}
END_TEST

START_TEST(queued_work_is_cancelled)
{
    fill_worker();
    uint64_t id = ask();
    struct header cancel = {.command = COMMAND_CANCEL, .id = id, .class = CLASS_CRITICAL};
    world_say(SIDE_FRONTEND, CLIENT, &cancel, (struct bytes){0});
    world_say(SIDE_FRONTEND, CLIENT, &cancel, (struct bytes){0}); /* nothing is there any more */
    world_turn();
    world_expect(CLIENT, id, STATUS_CANCELLED);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_int_eq(heard->pair.header.executed, EXECUTED_NO);
    world_forget(heard);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_CANCEL), 0);
    ck_assert_uint_eq(broker_counts(world.broker)->roles[ROLE_NONE].stale, 1);
}
END_TEST

START_TEST(running_work_is_cancelled)
{
    uint64_t id = ask();
    world_turn();
    struct header cancel = {.command = COMMAND_CANCEL, .id = id, .class = CLASS_CRITICAL};
    world_say(SIDE_FRONTEND, CLIENT, &cancel, (struct bytes){0});
    world_turn();
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_int_eq(heard->pair.header.status, STATUS_CANCELLED);
    ck_assert_int_eq(heard->pair.header.executed, EXECUTED_MAYBE);
    world_forget(heard);
    heard = world_hear(SIDE_BACKEND, WORKER, COMMAND_CANCEL);
    ck_assert_uint_eq(heard->pair.header.id, world_next(WORKER));
    world_reply(WORKER, heard->pair.header.id, STATUS_CANCELLED);
    world_forget(heard);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), 0);
    ck_assert_uint_eq(world_counts()->cancelled, 1);
}
END_TEST

/* Another client cannot name it: numbers are each client's own. */
START_TEST(nobody_cancels_what_is_another_s)
{
    world_hello(SIDE_FRONTEND, 8, ROLE_CLIENT);
    struct header cancel = {.command = COMMAND_CANCEL, .id = ask(), .class = CLASS_CRITICAL};
    world_say(SIDE_FRONTEND, 8, &cancel, (struct bytes){0});
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_CANCEL), 0);
    ck_assert_uint_eq(world_counts()->in_flight, 1);
}
END_TEST

/* Silent, or unroutable: what it had is cancelled, what is DETACHED is done all the same. */
START_TEST(a_client_that_is_gone_cancels_what_it_had)
{
    for (unsigned i = 0; i <= CONCURRENCY; i++)
        world_ask(CLASS_CRITICAL, 20000, 0);
    world_ask(CLASS_CRITICAL, 20000, FLAG_DETACHED);
    world_turn();
    world.gone[SIDE_FRONTEND][CLIENT] = true;
    if (_i == 0) {
        world_reply(WORKER, world_next(WORKER), STATUS_OK); /* it is found out by the answer */
        world_turn();
    }
    for (unsigned i = 0; i < 40; i++) {
        world_run(100);
        world_beat();
    }
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_CANCEL), CONCURRENCY);
    ck_assert_uint_eq(world_counts()->cancelled, CONCURRENCY + (_i == 1));
    for (uint64_t id; (id = world_next(WORKER)) != 0; world_turn())
        world_reply(WORKER, id, STATUS_OK);
    ck_assert_uint_eq(world_counts()->in_flight, 0);
    ck_assert_uint_eq(world_counts()->replied, 1 + (_i == 0));
    ck_assert_uint_eq(broker_levels(world.broker).bytes, 0);
}
END_TEST

/* What becomes of a request when its workers die. */
static const struct {
    uint16_t flags;
    uint8_t attempt; /* from the client */
    unsigned starts; /* at which death, by bit */
    unsigned deaths;
    enum status expected; /* OK: it waits, and is served in the end */
} fates[] = {
    {0, 0, 0, DEATHS_MAX - 1, STATUS_OK},
    {0, 0, 0, DEATHS_MAX, STATUS_POISON},
    {0, 0, 1, 1, STATUS_WORKER_LOST},
    {0, 0, 2, 2, STATUS_WORKER_LOST},
    {FLAG_IDEMPOTENT, 0, 1, 1, STATUS_OK},
    {FLAG_IDEMPOTENT, 0, 3, ATTEMPTS_MAX, STATUS_OK},
    {FLAG_IDEMPOTENT, 1, 3, ATTEMPTS_MAX, STATUS_WORKER_LOST},
    {FLAG_IDEMPOTENT, 1, 1, ATTEMPTS_MAX, STATUS_OK},
    {FLAG_IDEMPOTENT, 0, 7, DEATHS_MAX, STATUS_POISON},
};

START_TEST(a_lost_worker_loses_no_answer)
{
    struct header header = world_request(), started = {.command = COMMAND_STARTED};
    header.flags = fates[_i].flags;
    header.attempt = fates[_i].attempt;
    header.deadline_ms = 20000;
    world_ask_from(CLIENT, header, (struct bytes){0});
    for (uint64_t worker = WORKER; worker <= fates[_i].deaths; worker++) {
        world_turn();
        started.id = world_next(worker);
        ck_assert_uint_ne(started.id, 0);
        if (fates[_i].starts >> (worker - 1) & 1)
            world_say(SIDE_BACKEND, worker, &started, (struct bytes){0});
        world.gone[SIDE_BACKEND][worker] = true;
        world_worker(worker + 1, ROLE_DRIVER, CONCURRENCY, "query");
        struct header heartbeat = {.command = COMMAND_HEARTBEAT, .class = CLASS_CRITICAL};
        for (unsigned i = 0; i < 31; i++) { /* only its silence tells */
            world_run(100);
            world_say(SIDE_FRONTEND, CLIENT, &heartbeat, (struct bytes){0});
            world_say(SIDE_BACKEND, worker + 1, &heartbeat, (struct bytes){0});
        }
    }
    uint64_t last = fates[_i].deaths + 1, id = world_next(last);
    ck_assert_int_eq(id != 0, fates[_i].expected == STATUS_OK);
    if (id != 0)
        world_reply(last, id, STATUS_OK);
    world_turn();
    world_expect(CLIENT, header.id, fates[_i].expected);
}
END_TEST

/* It may have been executed by the worker that was lost: no status may say that it was not. */
START_TEST(what_was_begun_is_never_said_not_to_be)
{
    uint64_t id = world_ask(CLASS_CRITICAL, 5000, FLAG_IDEMPOTENT);
    world_turn();
    struct header started = {.command = COMMAND_STARTED, .id = world_next(WORKER)};
    world_say(SIDE_BACKEND, WORKER, &started, (struct bytes){0});
    struct header goodbye = {.command = COMMAND_DISCONNECT};
    world_say(SIDE_BACKEND, WORKER, &goodbye, (struct bytes){0});
    if (_i == 0) { /* it is too late in the queue */
        for (unsigned i = 0; i < 51; i++) {
            world_run(100);
            world_beat();
        }
    } else if (_i == 1) { /* the next worker has no room */
        world_worker(2, ROLE_DRIVER, 1, "query");
        world_turn();
        world_reply(2, world_next(2), STATUS_BUSY_FULL);
    } else { /* it is cancelled while it waits */
        struct header cancel = {.command = COMMAND_CANCEL, .id = id, .class = CLASS_CRITICAL};
        world_say(SIDE_FRONTEND, CLIENT, &cancel, (struct bytes){0});
    }
    world_turn();
    world_expect(CLIENT, id, _i == 2 ? STATUS_CANCELLED : STATUS_WORKER_LOST);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_int_eq(heard->pair.header.executed, EXECUTED_MAYBE);
    world_forget(heard);
}
END_TEST

/* What had not left is not lost with the worker, and was no attempt; another has it at once. */
START_TEST(what_cannot_leave_goes_to_another)
{
    world_worker(2, ROLE_DRIVER, CONCURRENCY, "query");
    world_turn();
    world.full[SIDE_BACKEND][WORKER] = _i == 0;
    world.gone[SIDE_BACKEND][WORKER] = _i == 1;
    ask();
    ask();
    world_turn();
    ck_assert_uint_eq(world_counts()->redelivered, 1);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 2, COMMAND_REQUEST), 2);
    struct heard *heard = world_hear(SIDE_BACKEND, 2, COMMAND_REQUEST);
    ck_assert_uint_eq(heard->pair.header.attempt, 0);
    world_forget(heard);
    ck_assert_uint_eq(broker_levels(world.broker).workers, _i == 0 ? 2 : 1);
    world.full[SIDE_BACKEND][WORKER] = false;
    if (_i == 1)
        return;
    world_beat(); /* it is heard, so it is given something again */
    for (unsigned i = 0; i < 2 * CONCURRENCY - 2; i++)
        ask();
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST), CONCURRENCY);
}
END_TEST

/* Redelivered requests go out again in the order in which they came. */
START_TEST(what_is_redelivered_keeps_its_order)
{
    fill_worker();
    struct header goodbye = {.command = COMMAND_DISCONNECT};
    world_say(SIDE_BACKEND, WORKER, &goodbye, (struct bytes){0});
    world_forget_all();
    world_worker(2, ROLE_DRIVER, CONCURRENCY, "query");
    world_turn();
    for (unsigned i = 1; i <= CONCURRENCY; i++) {
        world_reply(2, world_next(2), STATUS_OK);
        world_turn();
        struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
        ck_assert_uint_eq(heard->pair.header.id, i);
        world_forget(heard);
    }
}
END_TEST

/* Of another worker's request, and of one that is over, a reply reaches nobody. */
/* In order, before the answer, and only to one who asked for them. */
START_TEST(pieces_go_to_who_asked_for_them)
{
    uint64_t streams = world_ask(CLASS_CRITICAL, 1000, FLAG_STREAM), plain = ask();
    world_turn();
    struct header piece = {.command = COMMAND_PARTIAL, .id = world_next(WORKER)};
    world_say(SIDE_BACKEND, WORKER, &piece, bytes_of("1"));
    world_say(SIDE_BACKEND, WORKER, &piece, bytes_of("2"));
    uint64_t first = piece.id;
    piece.id = world_next(WORKER);
    world_say(SIDE_BACKEND, WORKER, &piece, bytes_of("3"));
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_PARTIAL), 2);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_PARTIAL);
    ck_assert_uint_eq(heard->pair.header.id, streams);
    ck_assert(bytes_are(heard->pair.body, "1"));
    world_forget(heard);
    world_reply(WORKER, first, STATUS_OK);
    world_reply(WORKER, piece.id, STATUS_OK);
    world_say(SIDE_BACKEND, WORKER, &piece, bytes_of("late"));
    world_turn();
    world_expect(CLIENT, streams, STATUS_OK);
    world_expect(CLIENT, plain, STATUS_OK);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_PARTIAL), 1);
}
END_TEST

/* A worker that has said a piece has begun. */
START_TEST(what_has_said_a_piece_is_not_done_twice)
{
    uint64_t id = world_ask(CLASS_CRITICAL, 1000, FLAG_STREAM);
    world_turn();
    struct header piece = {.command = COMMAND_PARTIAL, .id = world_next(WORKER)};
    world_say(SIDE_BACKEND, WORKER, &piece, bytes_of("1"));
    world_say(SIDE_BACKEND, WORKER, &(struct header){.command = COMMAND_DISCONNECT},
              (struct bytes){0});
    world_turn();
    world_expect(CLIENT, id, STATUS_WORKER_LOST);
}
END_TEST

START_TEST(a_stale_reply_reaches_nobody)
{
    world_worker(2, ROLE_DRIVER, CONCURRENCY, "query");
    uint64_t id = ask(), other;
    world_turn();
    uint64_t worker = world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST) > 0 ? WORKER : 2;
    other = world_next(worker);
    world_reply(3 - worker, other, STATUS_OK);
    ck_assert_uint_eq(world_counts()->stale, 1);
    world_reply(worker, other, STATUS_OK);
    world_reply(worker, other, STATUS_OK);
    ck_assert_uint_eq(world_counts()->stale, 2);
    world_turn();
    world_expect(CLIENT, id, STATUS_OK);
}
END_TEST

/* SIGTERM: what waits and what comes is refused, what runs is awaited, with what it asks itself. */
START_TEST(a_broker_that_ends_answers_everybody)
{
    world_hello(SIDE_FRONTEND, 9, ROLE_DRIVER);
    world_worker(3, ROLE_TOOL_EXECUTOR, 1, "tool");
    fill_worker();
    uint64_t waits = ask();
    broker_drain(world.broker, world.now_at);
    uint64_t comes = ask();
    struct header child = world_request();
    child.role = ROLE_TOOL_EXECUTOR;
    child.method = bytes_of("tool");
    world_ask_from(9, child, (struct bytes){0});
    world_turn();
    world_expect(CLIENT, waits, STATUS_DRAINING);
    world_expect(CLIENT, comes, STATUS_DRAINING);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_GOAWAY), 1);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_GOAWAY), 1);
    ck_assert(!broker_is_drained(world.broker));
    world_reply(3, world_next(3), STATUS_OK);
    for (unsigned i = 0; i < CONCURRENCY; i++)
        world_reply(WORKER, world_next(WORKER), STATUS_OK);
    world_turn();
    ck_assert(!broker_is_drained(world.broker)); /* what is on its way is to be answered, too */
    ck_assert_int_le(broker_due_at(world.broker), world.now_at + 500 * MS);
    world_run(490);
    comes = ask();
    world_turn();
    world_expect(CLIENT, comes, STATUS_DRAINING);
    world_run(10);
    ck_assert(broker_is_drained(world.broker));
    ck_assert_uint_eq(world_counts()->replied, CONCURRENCY);
    world_hello(SIDE_FRONTEND, 10, ROLE_CLIENT);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, 10, COMMAND_DISCONNECT), 1);
}
END_TEST

START_TEST(a_broker_that_ends_does_not_wait_for_ever)
{
    world_ask(CLASS_CRITICAL, 30000, 0);
    uint64_t id = world.next_id;
    world_turn();
    world_run(10);
    world.config.drain_ms = 30000;
    broker_drain(world.broker, world.now_at);
    for (unsigned i = 0; i < 300 && !broker_is_drained(world.broker); i++) {
        world_run(100);
        world_beat();
    }
    ck_assert(broker_is_drained(world.broker));
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), 1);
    ck_assert_uint_eq(id, 1);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, too_late_in_the_queue);
    tcase_add_test(tcase, too_late_with_a_worker);
    tcase_add_test(tcase, queued_work_is_cancelled);
    tcase_add_test(tcase, running_work_is_cancelled);
    tcase_add_test(tcase, nobody_cancels_what_is_another_s);
    tcase_add_loop_test(tcase, a_client_that_is_gone_cancels_what_it_had, 0, 2);
    tcase_add_loop_test(tcase, a_lost_worker_loses_no_answer, 0, COUNT_OF(fates));
    tcase_add_loop_test(tcase, what_was_begun_is_never_said_not_to_be, 0, 3);
    tcase_add_loop_test(tcase, what_cannot_leave_goes_to_another, 0, 2);
    tcase_add_test(tcase, what_is_redelivered_keeps_its_order);
    tcase_add_test(tcase, pieces_go_to_who_asked_for_them);
    tcase_add_test(tcase, what_has_said_a_piece_is_not_done_twice);
    tcase_add_test(tcase, a_stale_reply_reaches_nobody);
    tcase_add_test(tcase, a_broker_that_ends_answers_everybody);
    tcase_add_test(tcase, a_broker_that_ends_does_not_wait_for_ever);
}

int main(void)
{
    return suite_run("broker_ends", add_tests);
}
