/* test_broker_leases - a worker that lives and does not get on with what it has, in virtual time:
 * its request is taken from it by the rules of redelivery, as if it had died; who touches keeps it;
 * what it answers after all is counted and reaches nobody. */
#include "tests/support/broker_world.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CONCURRENCY 4u
#define LEASE_MS 2000u
#define STEP_MS 100 /* everybody beats so often: nobody is silent */

static void setup(void)
{
    world_setup();
    world.config.lease_ms = LEASE_MS;
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, CONCURRENCY, "query");
    world_turn();
    world_forget_all();
}

static void say_of(uint64_t worker, enum command command, uint64_t id, uint32_t asked_ms)
{
    struct header header = {.command = command, .id = id, .deadline_ms = asked_ms};
    header.class = command == COMMAND_TOUCH ? CLASS_CRITICAL : 0;
    world_say(SIDE_BACKEND, worker, &header, (struct bytes){0});
}

/* Time goes by, and everybody is alive. */
static void live(int64_t ms)
{
    for (int64_t i = 0; i < ms; i += STEP_MS) {
        world_run(STEP_MS);
        world_beat();
    }
}

/* What becomes of a request of which worker after worker is silent. */
static const struct {
    uint16_t flags;
    unsigned starts; /* at which worker, by bit */
    unsigned lapses;
    enum status expected; /* OK: the next one serves it */
} fates[] = {
    {0, 0, 1, STATUS_OK},
    {0, 0, 2, STATUS_OK},
    {0, 0, DEATHS_MAX, STATUS_POISON},
    {0, 1, 1, STATUS_WORKER_LOST},
    {FLAG_IDEMPOTENT, 1, 1, STATUS_OK},
    {FLAG_IDEMPOTENT, 3, ATTEMPTS_MAX, STATUS_OK},
    {FLAG_IDEMPOTENT, 7, DEATHS_MAX, STATUS_POISON},
};

START_TEST(what_a_worker_is_silent_about_is_taken_from_it)
{
    for (uint64_t worker = WORKER + 1; worker <= DEATHS_MAX + 1; worker++)
        world_worker(worker, ROLE_DRIVER, CONCURRENCY, "query");
    uint64_t id = world_ask(CLASS_CRITICAL, 30000, fates[_i].flags), at = 0, with = 0;
    for (unsigned i = 0; i <= fates[_i].lapses; i++) {
        world_turn();
        uint64_t before = with;
        for (uint64_t worker = WORKER; worker <= DEATHS_MAX + 1; worker++) {
            uint64_t its = world_next(worker);
            with = its != 0 ? worker : with;
            at = its != 0 ? its : at;
        }
        if (i == fates[_i].lapses)
            break;
        ck_assert_uint_ne(with, before); /* not to the same once more */
        if (fates[_i].starts >> i & 1)
            say_of(with, COMMAND_STARTED, at, 0);
        live(LEASE_MS - 3 * STEP_MS);
        ck_assert_uint_eq(world_counts()->lapsed, i);
        live(4 * STEP_MS);
        ck_assert_uint_eq(world_counts()->lapsed, i + 1);
        struct heard *cancel = world_hear(SIDE_BACKEND, with, COMMAND_CANCEL);
        ck_assert_ptr_nonnull(cancel);
        ck_assert_uint_eq(cancel->pair.header.id, at);
        world_forget(cancel);
    }
    if (fates[_i].expected == STATUS_OK)
        world_reply(with, at, STATUS_OK);
    world_turn();
    world_expect(CLIENT, id, fates[_i].expected);
    ck_assert_uint_eq(world_counts()->in_flight, 0);
    ck_assert_uint_eq(broker_counts(world.broker)->silent, 0); /* nobody has died */
}
END_TEST

START_TEST(what_is_touched_stays_where_it_is)
{
    struct header piece = {.command = COMMAND_PARTIAL};
    uint64_t id = world_ask(CLASS_CRITICAL, 30000, FLAG_STREAM);
    world_turn();
    uint64_t at = world_next(WORKER);
    for (unsigned i = 0; i < 5; i++) {
        live(LEASE_MS - 2 * STEP_MS);
        if (_i == 0)
            say_of(WORKER, COMMAND_TOUCH, at, i % 2 == 0 ? 0 : UINT32_MAX); /* no longer than it */
        else if (_i == 1)
            say_of(WORKER, COMMAND_STARTED, at, 0);
        piece.id = at;
        if (_i == 2) /* it shows that it gets on */
            world_say(SIDE_BACKEND, WORKER, &piece, bytes_of("piece"));
    }
    ck_assert_uint_eq(world_counts()->lapsed, 0);
    live(LEASE_MS + STEP_MS);
    ck_assert_uint_eq(world_counts()->lapsed, 1);
    (void)id;
}
END_TEST

START_TEST(a_touch_may_ask_for_less)
{
    live(1000); /* the broker was not away of late */
    world_ask(CLASS_CRITICAL, 30000, 0);
    world_turn();
    say_of(WORKER, COMMAND_TOUCH, world_next(WORKER), 300);
    live(200);
    ck_assert_uint_eq(world_counts()->lapsed, 0);
    live(200);
    ck_assert_uint_eq(world_counts()->lapsed, 1);
}
END_TEST

START_TEST(a_touch_of_what_is_not_its_own_counts_for_nothing)
{
    world_worker(2, ROLE_DRIVER, CONCURRENCY, "query");
    world_ask(CLASS_CRITICAL, 30000, 0);
    world_turn();
    uint64_t id = world_next(WORKER);
    id = id != 0 ? id : world_next(2);
    live(LEASE_MS - STEP_MS);
    say_of(3, COMMAND_TOUCH, id, 0);
    say_of(WORKER, COMMAND_TOUCH, id + 1, 0);
    say_of(2, COMMAND_TOUCH, id + 1, 0);
    live(2 * STEP_MS);
    ck_assert_uint_eq(world_counts()->lapsed, 1);
    ck_assert_uint_eq(world_counts()->stale, 2);
}
END_TEST

/* A deadline before the lease is a deadline, and one after a lapse still counts. */
START_TEST(a_deadline_is_not_moved_by_a_lease)
{
    uint64_t soon = world_ask(CLASS_CRITICAL, 1500, 0), later = world_ask(CLASS_CRITICAL, 3000, 0);
    world_turn();
    world_forget(world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST));
    world_forget(world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST));
    live(1600);
    world_expect(CLIENT, soon, STATUS_DEADLINE_RUNNING);
    ck_assert_uint_eq(world_counts()->lapsed, 0);
    live(600);
    ck_assert_uint_eq(world_counts()->lapsed,
                      1); /* given to the same worker again: there is no other */
    live(900);
    world_expect(CLIENT, later, STATUS_DEADLINE_RUNNING);
}
END_TEST

/* Of a request that waits again nothing is left of its lease. */
START_TEST(what_waits_has_no_lease)
{
    uint64_t id = world_ask(CLASS_CRITICAL, 10000, 0);
    world_turn();
    world.gone[SIDE_BACKEND][WORKER] = true;
    struct header goodbye = {.command = COMMAND_DISCONNECT};
    world_say(SIDE_BACKEND, WORKER, &goodbye, (struct bytes){0});
    live(2 * LEASE_MS);
    ck_assert_uint_eq(world_counts()->lapsed, 0);
    live(10000 - 2 * LEASE_MS + STEP_MS);
    world_expect(CLIENT, id, STATUS_DEADLINE_QUEUED);
}
END_TEST

START_TEST(a_late_answer_reaches_nobody_and_is_counted)
{
    uint64_t id = world_ask(CLASS_CRITICAL, 30000, 0);
    world_turn();
    struct header reply = {.command = COMMAND_REPLY,
                           .id = world_next(WORKER),
                           .executed = EXECUTED_YES,
                           .service_us = 7000,
                           .credit = ++world.credit[WORKER]};
    say_of(WORKER, COMMAND_STARTED, reply.id, 0);
    live(LEASE_MS + STEP_MS);
    world_expect(CLIENT, id, STATUS_WORKER_LOST);
    world_say(SIDE_BACKEND, WORKER, &reply, bytes_of("answer"));
    world_turn();
    world_expect(CLIENT, id, STATUS_WORKER_LOST);
    ck_assert_uint_eq(world_counts()->wasted_us, 7000);
    ck_assert_uint_eq(world_counts()->stale, 1);
    ck_assert_uint_eq(world_counts()->lost, 1);
}
END_TEST

/* What a worker was silent about it may still be at: it counts as its load. */
/* The only one there is gets it once more, and answers the first time after all: that is no answer
 * to the second, which it has begun. */
START_TEST(the_same_worker_has_it_under_another_id)
{
    uint64_t id = world_ask(CLASS_CRITICAL, 30000, 0);
    world_turn();
    uint64_t first = world_next(WORKER);
    live(LEASE_MS + STEP_MS);
    uint64_t second = world_next(WORKER);
    ck_assert_uint_ne(second, 0);
    ck_assert_uint_ne(second, first);
    world_reply(WORKER, first, STATUS_OK);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), 0);
    ck_assert_uint_eq(world_counts()->stale, 1);
    world_reply(WORKER, second, STATUS_OK);
    world_turn();
    world_expect(CLIENT, id, STATUS_OK);
}
END_TEST

START_TEST(a_stuck_worker_is_no_idle_one)
{
    world_worker(2, ROLE_DRIVER, CONCURRENCY, "query");
    for (unsigned i = 0; i < CONCURRENCY; i++)
        world_ask(CLASS_CRITICAL, 30000, FLAG_IDEMPOTENT);
    world_turn();
    for (uint64_t id; (id = world_next(2)) != 0; world_turn())
        world_reply(2, id, STATUS_OK);
    while (world_next(WORKER) != 0)
        ;
    live(LEASE_MS + STEP_MS);
    ck_assert_uint_gt(world_counts()->lapsed, 0);
    unsigned at_stuck = 0, at_other = 0;
    for (unsigned i = 0; i < 10; i++) {
        world_ask(CLASS_CRITICAL, 30000, FLAG_IDEMPOTENT);
        world_turn();
        at_stuck += world_next(WORKER) != 0;
        for (uint64_t id; (id = world_next(2)) != 0; at_other++)
            world_reply(2, id, STATUS_OK);
    }
    ck_assert_uint_eq(at_stuck, 0);
    ck_assert_uint_ge(at_other, 10);
}
END_TEST

/* A broker that was not let run has heard no touch: they come first. */
START_TEST(who_was_asleep_takes_nothing_away)
{
    world_ask(CLASS_CRITICAL, 30000, 0);
    world_turn();
    uint64_t id = world_next(WORKER);
    world_pass((LEASE_MS + 500) * MS);
    ck_assert_uint_eq(world_counts()->lapsed, 0);
    say_of(WORKER, COMMAND_TOUCH, id, 0);
    live(LEASE_MS - STEP_MS);
    ck_assert_uint_eq(world_counts()->lapsed, 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, what_a_worker_is_silent_about_is_taken_from_it, 0, COUNT_OF(fates));
    tcase_add_loop_test(tcase, what_is_touched_stays_where_it_is, 0, 3);
    tcase_add_test(tcase, a_touch_may_ask_for_less);
    tcase_add_test(tcase, a_touch_of_what_is_not_its_own_counts_for_nothing);
    tcase_add_test(tcase, a_deadline_is_not_moved_by_a_lease);
    tcase_add_test(tcase, what_waits_has_no_lease);
    tcase_add_test(tcase, a_late_answer_reaches_nobody_and_is_counted);
    tcase_add_test(tcase, the_same_worker_has_it_under_another_id);
    tcase_add_test(tcase, a_stuck_worker_is_no_idle_one);
    tcase_add_test(tcase, who_was_asleep_takes_nothing_away);
}

int main(void)
{
    return suite_run("broker_leases", add_tests);
}
