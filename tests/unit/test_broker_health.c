/* test_broker_health - sick and slow workers among sound ones, in virtual time: one that fails is
 * left alone and comes back with little; one that is slow gets little; and whatever the broker
 * thinks of them, as long as there is one the requests are served. */
#include "actors/runtime/metrics.h"
#include "tests/support/broker_world.h"

#define CONCURRENCY 8u
#define WORKERS 4u

static void setup(void)
{
    world_setup();
    world.config.lease_ms = 1000;
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    for (uint64_t worker = 1; worker <= WORKERS; worker++)
        world_worker(worker, ROLE_DRIVER, CONCURRENCY, "query");
    world_turn();
    world_forget_all();
}

/* Each worker answers all that it has; those of bit n of failing with INTERNAL.
 * given  how many each had; may be NULL */
static void serve(unsigned failing, unsigned *given)
{
    for (uint64_t worker = 1; worker <= WORKERS; worker++)
        for (uint64_t id; (id = world_next(worker)) != 0;) {
            world_reply(worker, id, failing >> worker & 1 ? STATUS_INTERNAL : STATUS_OK);
            if (given != NULL)
                given[worker]++;
        }
}

/* So many requests, one each 10 ms, answered at once. */
static void ask_and_serve(unsigned count, unsigned failing, unsigned *given)
{
    for (unsigned i = 0; i < count; i++) {
        world_ask(CLASS_CRITICAL, 5000, 0);
        world_run(10);
        serve(failing, given);
        if (i % 50 == 49) {
            world_beat();
            world_forget_all();
        }
    }
}

/* Worker 1 alone. */
static void leave_one(void)
{
    struct header goodbye = {.command = COMMAND_DISCONNECT};
    for (uint64_t worker = 2; worker <= WORKERS; worker++) {
        world_say(SIDE_BACKEND, worker, &goodbye, (struct bytes){0});
        world.gone[SIDE_BACKEND][worker] = true;
    }
}

/* What was told of this worker, at least once, and nothing else. */
static void expect_state(uint64_t worker, const char *state)
{
    char name[16];
    struct heard *heard, *last = NULL;
    snprintf(name, sizeof name, "peer-%u", (unsigned)worker);
    while ((heard = world_event("members")) != NULL) {
        struct msg_event_members event;
        ck_assert_int_eq(message_decode(MSG_EVENT_MEMBERS, heard->pair.body, &event), STATUS_OK);
        if (!bytes_are(event.instance, name)) {
            world_forget(heard);
            continue;
        }
        world_forget(last);
        last = heard;
        ck_assert(bytes_are(event.state, state));
    }
    ck_assert_ptr_nonnull(last);
    world_forget(last);
}

START_TEST(one_that_fails_is_left_alone_and_comes_back_with_little)
{
    unsigned given[WORKERS + 1] = {0};
    for (unsigned i = 0; i < 200 && world_counts()->ejected == 0; i++)
        ask_and_serve(1, 1u << 1, given);
    ck_assert_uint_eq(world_counts()->ejected, 1);
    ck_assert_uint_eq(given[1], 5);
    expect_state(1, "ejected");
    ask_and_serve(400, 0, given); /* 4 s */
    ck_assert_uint_eq(given[1], 5);
    ask_and_serve(250, 0, given);
    ck_assert_uint_gt(given[1], 5); /* back within 6 s, or there is no jitter's bound */
    world_forget_all();
    world_beat();
    for (unsigned i = 0; i < WORKERS * CONCURRENCY; i++) /* all at once */
        world_ask(CLASS_CRITICAL, 5000, 0);
    world_turn();
    unsigned held = world_count(SIDE_BACKEND, 1, COMMAND_REQUEST);
    ck_assert_uint_ge(held, 1);
    ck_assert_uint_le(held, 2);
    serve(0, given);
    ask_and_serve(1000, 0, given); /* 10 s later it has all that it can hold */
    for (unsigned i = 0; i < WORKERS * CONCURRENCY; i++)
        world_ask(CLASS_CRITICAL, 5000, 0);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 1, COMMAND_REQUEST), CONCURRENCY);
}
END_TEST

/* It drains, and says READY again: that is no way around its time. */
START_TEST(one_that_drains_while_it_is_out_comes_back_out)
{
    static const char *const methods[] = {"query"};
    const struct msg_ready ready = {.concurrency = CONCURRENCY, .weight = 100};
    unsigned given[WORKERS + 1] = {0};
    for (unsigned i = 0; i < 200 && world_counts()->ejected == 0; i++)
        ask_and_serve(1, 1u << 1, given);
    world_say(SIDE_BACKEND, 1, &(struct header){.command = COMMAND_DRAIN}, (struct bytes){0});
    world_turn();
    world_forget_all();
    world_ready(1, ROLE_DRIVER, &ready, methods, 1);
    expect_state(1, "ejected");
    ask_and_serve(400, 1u << 1, given);
    ck_assert_uint_eq(given[1], 5);
    ask_and_serve(250, 1u << 1, given); /* its time is over; it fails, and is out once more */
    ck_assert_uint_gt(given[1], 5);
    ck_assert_uint_eq(world_counts()->ejected, 2);
}
END_TEST

/* The last sound one, which takes nothing more, goes: then those that are out are asked all the
 * same, and at once. */
START_TEST(who_is_out_takes_over_from_the_last_that_is_sound)
{
    for (uint64_t worker = 3; worker <= WORKERS; worker++)
        world_say(SIDE_BACKEND, worker, &(struct header){.command = COMMAND_DISCONNECT},
                  (struct bytes){0});
    while (world_counts()->ejected == 0)
        ask_and_serve(1, 1u << 1, NULL);
    struct header lent = {.command = COMMAND_CREDIT, .credit = world.credit[2] - CONCURRENCY};
    world_say(SIDE_BACKEND, 2, &lent, (struct bytes){0});
    world_ask(CLASS_CRITICAL, 5000, 0);
    world_turn();
    ck_assert_uint_eq(broker_levels(world.broker).queued[ROLE_DRIVER], 1);
    world_say(SIDE_BACKEND, 2, &(struct header){.command = COMMAND_DISCONNECT}, (struct bytes){0});
    world_turn();
    ck_assert_uint_eq(broker_levels(world.broker).queued[ROLE_DRIVER], 0);
    ck_assert_uint_ne(world_next(1), 0);
}
END_TEST

static double measured(enum metric metric, const char *const *labels)
{
    struct metrics *metrics = metrics_new(2000);
    broker_measure(world.broker, metrics);
    double value = series_value(metrics_series(metrics, metric, labels));
    metrics_destroy(&metrics);
    return value;
}

/* All of them fail; so slowly that no breaker opens. */
START_TEST(at_most_half_of_a_role_is_left_alone)
{
    double most = 0;
    for (unsigned i = 0; i < 120; i++) {
        world_ask(CLASS_CRITICAL, 5000, 0);
        world_run(1);
        serve(UINT32_MAX, NULL);
        world_run(599);
        world_beat();
        double out = measured(METRIC_WORKERS, LABELS("driver", "ejected"));
        most = out > most ? out : most;
    }
    ck_assert_double_eq(most * 2, WORKERS);
    ck_assert_uint_eq(world_counts()->replied, 120);
}
END_TEST

START_TEST(the_only_worker_is_asked_though_it_fails)
{
    leave_one();
    ask_and_serve(20, 1u << 1, NULL);
    ck_assert_uint_ge(world_counts()->ejected, 1);
    ck_assert_uint_eq(world_counts()->replied, 20);
    ck_assert_uint_eq(world_counts()->refused, 0);
}
END_TEST

/* Refusals, deadlines and a tool's own failures are no sign that the worker is sick. */
START_TEST(what_is_not_its_fault_ejects_nobody)
{
    static const enum status innocent[] = {STATUS_APP_ERROR,    STATUS_BUSY_FULL,
                                           STATUS_RATE_LIMITED, STATUS_CANCELLED,
                                           STATUS_CIRCUIT_OPEN, STATUS_DEADLINE_RUNNING};
    for (unsigned i = 0; i < 60; i++) {
        world_ask(CLASS_CRITICAL, 5000, 0);
        world_turn();
        for (uint64_t worker = 1, id; worker <= WORKERS; worker++)
            if ((id = world_next(worker)) != 0)
                world_reply(worker, id, innocent[_i]);
    }
    ck_assert_uint_eq(world_counts()->ejected, 0);
    ck_assert_uint_eq(world_counts()->replied, 60);
}
END_TEST

START_TEST(leases_that_run_out_eject_too)
{
    leave_one();
    for (unsigned i = 0; i < 5; i++)
        world_ask(CLASS_CRITICAL, 30000, 0);
    world_turn();
    for (unsigned i = 0; i < 12; i++) { /* longer than a lease */
        ck_assert_uint_eq(world_counts()->ejected, 0);
        world_run(100);
        world_beat();
        if (world_counts()->ejected > 0)
            break;
    }
    ck_assert_uint_eq(world_counts()->ejected, 1);
    ck_assert_uint_eq(world_counts()->lapsed, 5);
    expect_state(1, "ejected");
}
END_TEST

/* A worker that serves one at a time. */
struct hand {
    uint64_t id; /* 0: it has nothing to do */
    int64_t until_at, takes_us;
    unsigned given;
};

static void work(struct hand *hand, uint64_t worker)
{
    if (hand->id != 0 && world.now_at >= hand->until_at) {
        world_reply(worker, hand->id, STATUS_OK);
        hand->id = 0;
    }
    if (hand->id != 0 || (hand->id = world_next(worker)) == 0)
        return;
    hand->until_at = world.now_at + hand->takes_us;
    hand->given++;
}

/* Of four of which one takes ten times as long the slow one gets less than a fifth of a fair share.
 * 75 requests a second come, of 250 that the others can do. */
START_TEST(one_that_is_ten_times_slower_gets_little)
{
    struct hand hands[WORKERS + 1] = {{0}};
    unsigned all = 0;
    for (uint64_t worker = 1; worker <= WORKERS; worker++)
        hands[worker].takes_us = (worker == 1 ? 120 : 12) * MS;
    for (unsigned ms = 0; ms < 60000; ms++) {
        if (ms % 13 == 0)
            world_ask(CLASS_CRITICAL, 5000, 0);
        world_run(1);
        for (uint64_t worker = 1; worker <= WORKERS; worker++)
            work(&hands[worker], worker);
        if (ms % 1000 == 0)
            world_beat();
        if (ms % 5000 == 0)
            world_forget_all(); /* of what was heard; requests are taken each millisecond */
    }
    for (uint64_t worker = 1; worker <= WORKERS; worker++)
        all += hands[worker].given;
    ck_assert_uint_gt(all, 4000);
    ck_assert_uint_lt(hands[1].given, all / WORKERS / 5);
    ck_assert_uint_ge(hands[1].given, 1);
    ck_assert_uint_eq(world_counts()->refused, 0);
}
END_TEST

START_TEST(states_are_measured)
{
    ask_and_serve(18, 1u << 1, NULL);
    ask_and_serve(100, 0, NULL);
    world_hello(SIDE_BACKEND, 9, ROLE_DRIVER); /* and says not yet what it serves */
    static const struct {
        const char *state;
        double count;
    } expected[] = {{"up", 3}, {"ejected", 1}, {"joining", 1}, {"suspect", 0}, {"draining", 0}};
    for (size_t i = 0; i < 5; i++)
        ck_assert_double_eq(measured(METRIC_WORKERS, LABELS("driver", expected[i].state)),
                            expected[i].count);
    ck_assert_double_eq(measured(METRIC_WORKER_EJECTIONS_TOTAL, LABELS("driver")), 1);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, one_that_fails_is_left_alone_and_comes_back_with_little);
    tcase_add_test(tcase, one_that_drains_while_it_is_out_comes_back_out);
    tcase_add_test(tcase, who_is_out_takes_over_from_the_last_that_is_sound);
    tcase_add_test(tcase, at_most_half_of_a_role_is_left_alone);
    tcase_add_test(tcase, the_only_worker_is_asked_though_it_fails);
    tcase_add_loop_test(tcase, what_is_not_its_fault_ejects_nobody, 0, 6);
    tcase_add_test(tcase, leases_that_run_out_eject_too);
    tcase_add_test(tcase, one_that_is_ten_times_slower_gets_little);
    tcase_add_test(tcase, states_are_measured);
}

int main(void)
{
    return suite_run("broker_health", add_tests);
}
