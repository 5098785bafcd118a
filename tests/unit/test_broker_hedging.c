/* test_broker_hedging - a read that takes long is given to a second worker, in virtual time: who
 * answers first has answered, the other is called off; the loss of one of them costs nothing; and
 * no more are asked twice than the budget allows. Each turn the broker's counts must add up. */
#include "protocol/limits.h"
#include "tests/support/broker_world.h"

#define CONCURRENCY 4u
#define DEADLINE_MS 20000u
#define LEASE_MS 6000u
#define USUAL_MS 2
#define LONG_MS 400 /* longer than the 95th percentile that is learned of USUAL_MS */
#define HEDGED (FLAG_HEDGE | FLAG_IDEMPOTENT)

/* The request that takes long: what its client calls it, and who has it. */
static struct {
    uint64_t client_id, id, first, second;
} slow;

static uint64_t one_of_two(uint64_t *ret_id)
{
    for (uint64_t worker = WORKER; worker <= WORKER + 1; worker++)
        if ((*ret_id = world_next(worker)) != 0)
            return worker;
    return 0;
}

/* Reads that take as long as they usually do: their number earns so many hedges. */
static void serve(unsigned count, uint16_t flags)
{
    for (unsigned i = 0; i < count; i++) {
        uint64_t id = 0, client_id = world_ask(CLASS_CRITICAL, DEADLINE_MS, flags);
        world_turn();
        uint64_t worker = one_of_two(&id);
        ck_assert_uint_ne(worker, 0);
        world_run(USUAL_MS);
        world_reply(worker, id, STATUS_OK);
        world_turn();
        world_expect(CLIENT, client_id, STATUS_OK);
        world_forget_all();
    }
}

static void setup(void)
{
    world_setup();
    world.config.lease_ms = LEASE_MS;
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, CONCURRENCY, "query");
    world_worker(WORKER + 1, ROLE_DRIVER, CONCURRENCY, "query");
    world_turn();
    world_forget_all();
}

static void live(int64_t ms)
{
    for (int64_t i = 0; i < ms; i += 100) {
        world_run(100);
        world_beat();
    }
}

/* One is asked, and after a while the second one is, too. */
static void ask_slow(uint16_t flags)
{
    slow.client_id = world_ask(CLASS_CRITICAL, DEADLINE_MS, flags);
    world_turn();
    slow.first = one_of_two(&slow.id);
    slow.second = 2 * WORKER + 1 - slow.first;
    live(LONG_MS);
}

/* The first answers; the second, if there is one, gives up when it is called off. */
static void end_slow(void)
{
    world_reply(slow.first, slow.id, STATUS_OK);
    world_turn();
    struct heard *cancel = world_hear(SIDE_BACKEND, slow.second, COMMAND_CANCEL);
    if (cancel != NULL) {
        world_forget(cancel);
        world_reply(slow.second, slow.id, STATUS_CANCELLED);
    }
    world_forget_all();
}

static void ask_twice(void)
{
    serve(1000 / HEDGES_PER_THOUSAND, HEDGED);
    ask_slow(HEDGED);
    ck_assert_uint_eq(world_counts()->hedges[HEDGE_SENT], 1);
    ck_assert_uint_eq(world_next(slow.second), slow.id); /* the same number */
}

static void expect_called_off(uint64_t worker)
{
    struct heard *cancel = world_hear(SIDE_BACKEND, worker, COMMAND_CANCEL);
    ck_assert_ptr_nonnull(cancel);
    ck_assert_uint_eq(cancel->pair.header.id, slow.id);
    world_forget(cancel);
}

static void expect_end(enum status status)
{
    world_turn();
    world_expect(CLIENT, slow.client_id, status);
    ck_assert_uint_eq(world_counts()->in_flight, 0);
}

START_TEST(who_answers_first_has_answered)
{
    ask_twice();
    uint64_t winner = _i == 0 ? slow.first : slow.second, loser = 2 * WORKER + 1 - winner;
    world_reply(winner, slow.id, STATUS_OK);
    expect_end(STATUS_OK);
    expect_called_off(loser);
    ck_assert_uint_eq(world_counts()->hedges[HEDGE_WON], _i);
    world_reply(loser, slow.id, STATUS_OK); /* too late */
    expect_end(STATUS_OK);
    ck_assert_uint_eq(world_counts()->stale, 1);
}
END_TEST

/* What a tool says is an answer, even if it is that it could not. */
START_TEST(a_failure_of_the_tool_is_an_answer)
{
    ask_twice();
    world_reply(slow.second, slow.id, STATUS_APP_ERROR);
    expect_end(STATUS_APP_ERROR);
    expect_called_off(slow.first);
}
END_TEST

static const enum status failures[] = {STATUS_INTERNAL, STATUS_BUSY_FULL, STATUS_DEADLINE_RUNNING};

START_TEST(one_failure_is_no_answer_and_two_are)
{
    ask_twice();
    uint64_t failing = _i % 2 == 0 ? slow.first : slow.second;
    world_reply(failing, slow.id, failures[_i / 2]);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), 0);
    world_reply(2 * WORKER + 1 - failing, slow.id, _i < 4 ? STATUS_OK : STATUS_INTERNAL);
    expect_end(_i < 4 ? STATUS_OK : STATUS_INTERNAL);
}
END_TEST

static void vanish(uint64_t worker)
{
    struct header goodbye = {.command = COMMAND_DISCONNECT};
    world.gone[SIDE_BACKEND][worker] = true;
    world_say(SIDE_BACKEND, worker, &goodbye, (struct bytes){0});
    world_turn();
}

START_TEST(the_loss_of_one_of_two_workers_costs_nothing)
{
    ask_twice();
    uint64_t lost = _i == 0 ? slow.first : slow.second;
    struct header started = {.command = COMMAND_STARTED, .id = slow.id};
    world_say(SIDE_BACKEND, lost, &started, (struct bytes){0});
    vanish(lost);
    ck_assert_uint_eq(world_counts()->redelivered, 0);
    ck_assert_uint_eq(world_counts()->in_flight, 1);
    world_reply(2 * WORKER + 1 - lost, slow.id, STATUS_OK);
    expect_end(STATUS_OK);
}
END_TEST

/* It is as if it had been given to one, and that one were lost. */
START_TEST(the_loss_of_both_is_a_redelivery)
{
    ask_twice();
    vanish(_i == 0 ? slow.first : slow.second);
    vanish(_i == 0 ? slow.second : slow.first);
    ck_assert_uint_eq(world_counts()->redelivered, 1);
    world_worker(WORKER + 2, ROLE_DRIVER, CONCURRENCY, "query");
    world_turn();
    uint64_t id = world_next(WORKER + 2);
    ck_assert_uint_ne(id, 0);
    world_reply(WORKER + 2, id, STATUS_OK);
    expect_end(STATUS_OK);
}
END_TEST

START_TEST(an_end_before_the_answer_calls_both_off)
{
    struct header cancel = {.command = COMMAND_CANCEL};
    ask_twice();
    cancel.id = slow.client_id;
    if (_i == 0)
        world_say(SIDE_FRONTEND, CLIENT, &cancel, (struct bytes){0});
    else
        for (uint32_t ms = 0; ms < DEADLINE_MS; ms += 1000) { /* both touch it, and go on */
            struct header touch = {
                .command = COMMAND_TOUCH, .id = slow.id, .class = CLASS_CRITICAL};
            world_say(SIDE_BACKEND, slow.first, &touch, (struct bytes){0});
            world_say(SIDE_BACKEND, slow.second, &touch, (struct bytes){0});
            live(1000);
        }
    expect_end(_i == 0 ? STATUS_CANCELLED : STATUS_DEADLINE_RUNNING);
    expect_called_off(slow.first);
    expect_called_off(slow.second);
}
END_TEST

/* Silent for longer than its lease: the second one is the first from then on. */
START_TEST(a_stuck_worker_is_outlived_by_the_second)
{
    ask_twice();
    live(LEASE_MS);
    ck_assert_uint_ge(world_counts()->lapsed, 1);
    expect_called_off(slow.first);
    ck_assert_uint_eq(world_counts()->redelivered, 0);
    world_reply(slow.second, slow.id, STATUS_OK);
    expect_end(STATUS_OK);
}
END_TEST

/* A pipe that is full when the second is sent: it is as if it had not been. */
START_TEST(what_does_not_reach_the_second_stays_with_the_first)
{
    serve(1000 / HEDGES_PER_THOUSAND, HEDGED);
    world.full[SIDE_BACKEND][WORKER] = world.full[SIDE_BACKEND][WORKER + 1] = true;
    world_ask(CLASS_CRITICAL, DEADLINE_MS, 0); /* marks both as full, and waits */
    world.full[SIDE_BACKEND][WORKER] = world.full[SIDE_BACKEND][WORKER + 1] = false;
    world_beat();
    world_turn();
    uint64_t id = 0, worker = one_of_two(&id);
    world_reply(worker, id, STATUS_OK);
    world_turn();
    slow.client_id = world_ask(CLASS_CRITICAL, DEADLINE_MS, HEDGED);
    world_turn();
    slow.first = one_of_two(&slow.id);
    slow.second = 2 * WORKER + 1 - slow.first;
    world.full[SIDE_BACKEND][slow.second] = true;
    live(LONG_MS);
    ck_assert_uint_eq(world_counts()->hedges[HEDGE_SENT], 1);
    ck_assert_uint_eq(world_next(slow.second), 0);
    world_reply(slow.first, slow.id, STATUS_OK);
    expect_end(STATUS_OK);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, slow.second, COMMAND_CANCEL), 0);
}
END_TEST

static const uint16_t others[] = {0, FLAG_HEDGE, FLAG_IDEMPOTENT, HEDGED | FLAG_STREAM};

START_TEST(who_does_not_ask_for_it_or_may_not_is_asked_once)
{
    serve(1000 / HEDGES_PER_THOUSAND, HEDGED);
    ask_slow(others[_i]);
    ck_assert_uint_eq(world_counts()->hedges[HEDGE_SENT], 0);
    ck_assert_uint_eq(world_next(slow.second), 0);
}
END_TEST

/* Pieces of two workers are none of one answer. */
START_TEST(one_who_shares_it_and_wants_pieces_has_them_from_one_worker)
{
    struct header header = world_request();
    header.flags = HEDGED | FLAG_COALESCE;
    header.deadline_ms = DEADLINE_MS;
    header.idempotency_key = bytes_of("0123456789abcdef");
    serve(1000 / HEDGES_PER_THOUSAND, HEDGED);
    world_ask_from(CLIENT, header, bytes_of("body"));
    world_turn();
    slow.first = one_of_two(&slow.id);
    slow.second = 2 * WORKER + 1 - slow.first;
    live(_i == 0 ? 0 : LONG_MS);
    header.id = world_request().id;
    header.flags |= FLAG_STREAM;
    world_ask_from(CLIENT, header, bytes_of("body"));
    live(LONG_MS);
    ck_assert_uint_eq(world_counts()->attached, 1);
    ck_assert_uint_eq(world_counts()->hedges[HEDGE_SENT], _i);
    if (_i == 1)
        expect_called_off(slow.second);
    world_reply(slow.first, slow.id, STATUS_OK);
    world_turn();
    world_expect(CLIENT, header.id, STATUS_OK);
    ck_assert_uint_eq(world_counts()->in_flight, 0);
}
END_TEST

START_TEST(nobody_is_asked_twice_before_it_is_known_what_is_long)
{
    serve(10, HEDGED);
    ask_slow(HEDGED);
    for (int outcome = 0; outcome < HEDGE_COUNT; outcome++)
        ck_assert_uint_eq(world_counts()->hedges[outcome], 0);
}
END_TEST

START_TEST(at_most_two_in_a_hundred_are_asked_twice)
{
    uint64_t sent = 0;
    serve(30, HEDGED);
    for (unsigned i = 0; i < 300; i++) { /* all of them are slow now and then */
        serve(4, HEDGED);
        ask_slow(HEDGED);
        end_slow();
        sent = world_counts()->hedges[HEDGE_SENT];
    }
    ck_assert_uint_gt(sent, 0);
    ck_assert_uint_le(sent * 1000, (30 + 300 * 5) * HEDGES_PER_THOUSAND);
    ck_assert_uint_gt(world_counts()->hedges[HEDGE_NO_BUDGET], 0);
}
END_TEST

/* Saved up: no more than the bound at once, however long nothing was slow. */
START_TEST(what_is_saved_is_bounded)
{
    serve(1000 / HEDGES_PER_THOUSAND * (HEDGES_SAVED_MAX + 5), HEDGED);
    for (unsigned i = 0; i < HEDGES_SAVED_MAX + 5; i++) {
        serve(5, HEDGED); /* or what is long is usual */
        ask_slow(HEDGED);
        end_slow();
    }
    ck_assert_uint_le(world_counts()->hedges[HEDGE_SENT], HEDGES_SAVED_MAX + 2);
    ck_assert_uint_ge(world_counts()->hedges[HEDGE_SENT], HEDGES_SAVED_MAX);
}
END_TEST

START_TEST(nobody_is_kept_waiting_by_a_second)
{
    serve(1000 / HEDGES_PER_THOUSAND, HEDGED);
    for (unsigned i = 0; i < 2 * CONCURRENCY + 1; i++) /* one waits */
        world_ask(CLASS_CRITICAL, DEADLINE_MS, HEDGED);
    world_turn();
    live(LONG_MS);
    ck_assert_uint_eq(world_counts()->hedges[HEDGE_SENT], 0);
    ck_assert_uint_gt(world_counts()->hedges[HEDGE_NO_WORKER], 0);
}
END_TEST

/* It waits again, and was with nobody. */
START_TEST(what_could_not_leave_is_given_to_no_second)
{
    uint64_t id = 0;
    serve(50, HEDGED);
    world.full[SIDE_BACKEND][WORKER] = true;
    world.full[SIDE_BACKEND][WORKER + 1] = true;
    uint64_t client_id = world_ask(CLASS_CRITICAL, DEADLINE_MS, HEDGED);
    world_turn();
    ck_assert_uint_eq(broker_levels(world.broker).queued[ROLE_DRIVER], 1);
    world_run(LONG_MS);
    world.full[SIDE_BACKEND][WORKER] = false;
    world.full[SIDE_BACKEND][WORKER + 1] = false;
    world_beat();
    world_turn();
    uint64_t worker = one_of_two(&id);
    world_reply(worker, id, STATUS_OK);
    world_turn();
    world_expect(CLIENT, client_id, STATUS_OK);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_loop_test(tcase, who_answers_first_has_answered, 0, 2);
    tcase_add_test(tcase, a_failure_of_the_tool_is_an_answer);
    tcase_add_loop_test(tcase, one_failure_is_no_answer_and_two_are, 0, 6);
    tcase_add_loop_test(tcase, the_loss_of_one_of_two_workers_costs_nothing, 0, 2);
    tcase_add_loop_test(tcase, the_loss_of_both_is_a_redelivery, 0, 2);
    tcase_add_loop_test(tcase, an_end_before_the_answer_calls_both_off, 0, 2);
    tcase_add_test(tcase, a_stuck_worker_is_outlived_by_the_second);
    tcase_add_test(tcase, what_does_not_reach_the_second_stays_with_the_first);
    tcase_add_loop_test(tcase, who_does_not_ask_for_it_or_may_not_is_asked_once, 0, 4);
    tcase_add_loop_test(tcase, one_who_shares_it_and_wants_pieces_has_them_from_one_worker, 0, 2);
    tcase_add_test(tcase, nobody_is_asked_twice_before_it_is_known_what_is_long);
    tcase_add_test(tcase, at_most_two_in_a_hundred_are_asked_twice);
    tcase_add_test(tcase, what_is_saved_is_bounded);
    tcase_add_test(tcase, what_could_not_leave_is_given_to_no_second);
    tcase_add_test(tcase, nobody_is_kept_waiting_by_a_second);
}

int main(void)
{
    return suite_run("broker_hedging", add_tests);
}
