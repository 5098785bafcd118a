/* test_broker_policy - what the whole broker limits, in virtual time: rates, breakers, retries;
 * that a refusal tells how long exactly, and that what operators change counts at once and is told.
 */
#include <string.h>

#include "actors/runtime/metrics.h"
#include "tests/support/broker_world.h"

static void start_with(const char *limits)
{
    char reason[OPTION_REASON_BYTES];
    world_setup();
    ck_assert_msg(limit_rules_read(&world.config.policy.limits, "off", limits, reason), "%s",
                  reason);
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, 4, "query");
    world_turn();
    world_forget_all();
}

static uint64_t ask_for(const char *tenant, const char *user)
{
    struct header header = world_request();
    char bytes[128];
    struct writer writer;
    header.tenant = bytes_of(tenant);
    writer_init(&writer, bytes, sizeof bytes);
    writer_map(&writer, 1);
    writer_cstr(&writer, "user");
    writer_cstr(&writer, user != NULL ? user : "");
    if (user != NULL)
        header.extension = writer_bytes(&writer);
    return world_ask_from(CLIENT, header, bytes_of("body"));
}

/* The next request that the worker gets is answered. */
static void serve(enum status status)
{
    struct heard *heard = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST);
    ck_assert_ptr_nonnull(heard);
    world_reply(WORKER, heard->pair.header.id, status);
    world_forget(heard);
    world_turn();
}

static double measured(enum metric metric, const char *const *labels)
{
    struct metrics *metrics = metrics_new(METRIC_SERIES_MAX);
    broker_measure(world.broker, metrics);
    double value = series_value(metrics_series(metrics, metric, labels));
    metrics_destroy(&metrics);
    return value;
}

START_TEST(who_is_over_its_rate_is_told_how_long)
{
    struct msg_failure failure;
    struct msg_limit_details details;
    start_with("user=2/s burst 1 enforce");
    uint64_t first = ask_for("acme", "ada"), other = ask_for("acme", "bob");
    world_turn();
    serve(STATUS_OK);
    serve(STATUS_OK);
    world_expect(CLIENT, first, STATUS_OK);
    world_expect(CLIENT, other, STATUS_OK);
    world_forget_all();
    world_pass(100 * MS + 300);
    uint64_t second = ask_for("acme", "ada");
    world_turn();
    world_expect(CLIENT, second, STATUS_RATE_LIMITED);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_uint_eq(heard->pair.header.retry_after_ms, 400); /* 399.7, rounded up */
    ck_assert_int_eq(heard->pair.header.executed, EXECUTED_NO);
    ck_assert_int_eq(message_decode(MSG_FAILURE, heard->pair.body, &failure), STATUS_OK);
    ck_assert_int_eq(message_decode(MSG_LIMIT_DETAILS, failure.details, &details), STATUS_OK);
    ck_assert(bytes_are(details.limiter, "user"));
    ck_assert_uint_eq(details.limit, 2);
    ck_assert_uint_eq(details.per_ms, 1000);
    ck_assert_uint_eq(details.burst, 1);
    ck_assert_uint_eq(details.remaining, 0);
    world_forget(heard);
    world_pass(400 * MS);
    uint64_t third = ask_for("acme", "ada");
    world_turn();
    serve(STATUS_OK);
    world_expect(CLIENT, third, STATUS_OK);
}
END_TEST

START_TEST(a_refusal_for_another_reason_costs_nothing)
{
    start_with("tenant=4/s burst 4 enforce");
    for (unsigned i = 0; i < 50; i++) {
        struct header header = world_request();
        header.deadline_ms = 1; /* it takes longer: INFEASIBLE */
        world_ask_from(CLIENT, header, (struct bytes){0});
        header = world_request();
        header.method = bytes_of("unknown");
        world_ask_from(CLIENT, header, (struct bytes){0});
    }
    world_turn();
    const struct role_counts *counts = &broker_counts(world.broker)->roles[ROLE_DRIVER];
    ck_assert_uint_eq(counts->by_status[STATUS_RATE_LIMITED], 0);
    ck_assert_uint_gt(counts->by_status[STATUS_INFEASIBLE], 40);
    world_forget_all();
    for (unsigned i = 0; i < 3; i++) /* one was sent as a probe */
        ask_for(NULL, NULL);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), 0);
    uint64_t over = ask_for(NULL, NULL);
    world_turn();
    world_expect(CLIENT, over, STATUS_RATE_LIMITED);
}
END_TEST

/* What a driver asks is part of a request that has paid; the limit of a tool is for it, too. */
START_TEST(a_drivers_own_requests_pay_for_tools_alone)
{
    start_with("tenant=1/h enforce, tool=2/h burst 2 enforce");
    world_worker(2, ROLE_TOOL_EXECUTOR, 8, "sum");
    world_hello(SIDE_FRONTEND, 8, ROLE_DRIVER);
    for (unsigned i = 0; i < 3; i++) {
        struct header header = world_request();
        header.role = ROLE_TOOL_EXECUTOR;
        header.method = bytes_of("sum");
        header.tenant = bytes_of("acme");
        world_ask_from(8, header, (struct bytes){0});
    }
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 2, COMMAND_REQUEST), 2);
    world_expect(8, world.next_id, STATUS_RATE_LIMITED);
    ask_for("acme", NULL);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST), 1);
}
END_TEST

START_TEST(a_monitor_only_counts)
{
    start_with("user=1/h, global=1000/s");
    for (unsigned i = 0; i < 3; i++)
        ask_for("acme", "ada");
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST), 3);
    ck_assert(measured(METRIC_ADMISSION_DECISIONS_TOTAL,
                       LABELS("user", "would_reject", "critical")) == 2);
    ck_assert(measured(METRIC_ADMISSION_DECISIONS_TOTAL, LABELS("user", "admit", "critical")) == 1);
    ck_assert(measured(METRIC_ADMISSION_DECISIONS_TOTAL, LABELS("global", "admit", "critical")) ==
              3);
    ck_assert(measured(METRIC_ADMISSION_TOKENS, LABELS("global")) == 331);
    ck_assert(measured(METRIC_BOUND_USED_RATIO, LABELS("rate_keys")) > 0);
}
END_TEST

START_TEST(what_changes_is_told)
{
    char reason[OPTION_REASON_BYTES];
    struct policy policy = policy_default();
    struct msg_limit event;
    start_with("user=1/h enforce, tenant=5/s");
    ck_assert(limit_rules_read(&policy.limits, "off", "tenant=5/s, global=9/s enforce", reason));
    broker_set_policy(world.broker, &policy, world.now_at);
    static const struct {
        const char *target, *mode;
    } expected[] = {{"user", "removed"}, {"global", "enforce"}};
    for (size_t i = 0; i < 2; i++) {
        struct heard *heard = world_event("limits");
        ck_assert_ptr_nonnull(heard);
        ck_assert_int_eq(message_decode(MSG_LIMIT, heard->pair.body, &event), STATUS_OK);
        ck_assert(bytes_are(event.target, expected[i].target));
        ck_assert(bytes_are(event.mode, expected[i].mode));
        world_forget(heard);
    }
    ck_assert_ptr_null(world_event("limits"));
    for (unsigned i = 0; i < 2; i++)
        ask_for("acme", "ada");
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST), 2);
}
END_TEST

static enum status last_status(void)
{
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_ptr_nonnull(heard);
    enum status status = heard->pair.header.status;
    world_forget_all();
    world_forget(heard);
    return status;
}

/* One request that is answered so, if the broker lets it through; what its client gets. */
static enum status ask_and_serve(enum status status)
{
    ask_for("acme", NULL);
    world_turn();
    if (world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST) > 0)
        serve(status);
    return last_status();
}

/* Until the breaker has opened; how many it took, at most a hundred. */
static unsigned fail_until_open(void)
{
    unsigned count = 0;
    while (count < 100 && ask_and_serve(STATUS_INTERNAL) != STATUS_CIRCUIT_OPEN)
        count++;
    return count;
}

static struct msg_breaker next_breaker_event(void)
{
    static struct heard *heard;
    struct msg_breaker event;
    world_forget(heard);
    heard = world_event("breaker");
    ck_assert_ptr_nonnull(heard);
    ck_assert_int_eq(message_decode(MSG_BREAKER, heard->pair.body, &event), STATUS_OK);
    return event;
}

START_TEST(a_method_that_keeps_failing_is_left_alone_for_a_while)
{
    start_with("");
    for (unsigned i = 0; i < 20; i++)
        ck_assert_int_eq(ask_and_serve(STATUS_INTERNAL), STATUS_INTERNAL);
    uint64_t refused = ask_for("acme", NULL);
    world_turn();
    world_expect(CLIENT, refused, STATUS_CIRCUIT_OPEN);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    uint32_t after_ms = heard->pair.header.retry_after_ms;
    world_forget(heard);
    ck_assert_uint_ge(after_ms, 4000);
    ck_assert_uint_le(after_ms, 6000);
    world_pass((after_ms - 2) * MS);
    world_beat();
    ck_assert_int_eq(ask_and_serve(STATUS_OK), STATUS_CIRCUIT_OPEN);
    world_pass(2 * MS);
    for (unsigned i = 0; i < 3; i++)
        ck_assert_int_eq(ask_and_serve(STATUS_OK), STATUS_OK);
    ck_assert(measured(METRIC_CIRCUIT_STATE, LABELS("driver/query", "closed")) == 1);
    ck_assert(measured(METRIC_CIRCUIT_TRANSITIONS_TOTAL, LABELS("driver/query", "open")) == 1);
    ck_assert(measured(METRIC_ADMISSION_DECISIONS_TOTAL, LABELS("breaker", "shed", "critical")) ==
              2);
}
END_TEST

START_TEST(the_changes_of_a_breaker_are_told)
{
    static const char *const states[] = {"open", "half_open", "closed"};
    start_with("");
    for (unsigned i = 0; i < 20; i++)
        world_ask(CLASS_CRITICAL, 1000, 0);
    for (unsigned i = 0; i < 20; i++) {
        world_turn();
        serve(STATUS_INTERNAL);
    }
    world_pass(6 * US_PER_S);
    world_beat();
    for (unsigned i = 0; i < 3; i++) {
        ask_for(NULL, NULL);
        world_turn();
        serve(STATUS_OK);
    }
    for (unsigned i = 0; i < 3; i++) {
        struct msg_breaker event = next_breaker_event();
        ck_assert(bytes_are(event.state, states[i]));
        ck_assert(bytes_are(event.method, "query"));
        ck_assert_uint_eq(event.role, ROLE_DRIVER);
        ck_assert_int_eq(event.open_ms > 0, i == 0);
        ck_assert(!event.forced);
    }
}
END_TEST

static const enum status innocent[] = {
    STATUS_APP_ERROR, STATUS_BUSY_FULL,       STATUS_BUSY_SHED,        STATUS_RATE_LIMITED,
    STATUS_CANCELLED, STATUS_DEADLINE_QUEUED, STATUS_DEADLINE_RUNNING, STATUS_BAD_REQUEST,
    STATUS_NO_WORKER, STATUS_CIRCUIT_OPEN};

START_TEST(what_is_no_fault_of_a_worker_opens_no_breaker)
{
    start_with("");
    for (unsigned i = 0; i < 200; i++)
        ck_assert_int_ne(ask_and_serve(innocent[_i]), STATUS_INFEASIBLE);
    ck_assert_int_eq(ask_and_serve(STATUS_OK), STATUS_OK);
    ck_assert(measured(METRIC_CIRCUIT_STATE, LABELS("driver/query", "open")) == 0);
}
END_TEST

/* A deadline that passes, and a worker that dies, say nothing of the method either. */
START_TEST(a_late_or_lost_worker_opens_no_breaker)
{
    start_with("");
    for (unsigned i = 0; i < 40; i++) {
        world_ask(CLASS_CRITICAL, 200, 0);
        world_run(201);
        world_beat();
    }
    ck_assert(measured(METRIC_CIRCUIT_STATE, LABELS("driver/query", "open")) == 0);
    ck_assert_uint_gt(
        broker_counts(world.broker)->roles[ROLE_DRIVER].by_status[STATUS_DEADLINE_RUNNING], 3);
}
END_TEST

/* A worker that lives and does not stir is at fault: what it has is taken from it, and counts. */
START_TEST(leases_that_lapse_open_a_breaker)
{
    world_setup();
    world.config.lease_ms = 1000;
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, 30, "query");
    for (unsigned i = 0; i < 20; i++)
        world_ask(CLASS_CRITICAL, 30000, 0);
    for (unsigned i = 0; i < 12; i++) {
        world_run(100);
        world_beat();
    }
    ck_assert_uint_eq(broker_counts(world.broker)->roles[ROLE_DRIVER].lapsed, 20);
    ck_assert(measured(METRIC_CIRCUIT_STATE, LABELS("driver/query", "open")) == 1);
}
END_TEST

/* Whatever a method has done, when it does well again it is soon served as if nothing had been. */
START_TEST(a_breaker_fades)
{
    uint64_t seed = 20261128 + (uint64_t)_i;
    start_with("");
    for (unsigned i = 0; i < 400; i++) {
        (void)ask_and_serve(random_next(&seed) % 4 > 0 ? STATUS_INTERNAL : STATUS_OK);
        world_pass((int64_t)(random_next(&seed) % 400) * MS);
        world_beat();
    }
    unsigned refused = 0, last = 0;
    for (unsigned i = 0; i < 1500; i++) { /* 150 s: the longest opening is 72 */
        bool goes = ask_and_serve(STATUS_OK) == STATUS_OK;
        refused += !goes;
        last = goes ? last : i;
        world_pass(100 * MS);
        world_beat();
    }
    ck_assert_uint_lt(last, 1000);
    ck_assert_uint_lt(refused, 1000);
}
END_TEST

START_TEST(without_breakers_everything_is_tried)
{
    start_with("");
    struct policy policy = policy_default();
    ck_assert_uint_eq(fail_until_open(), 20);
    policy.breaker = NULL;
    broker_set_policy(world.broker, &policy, world.now_at);
    ck_assert_uint_eq(fail_until_open(), 100);
    policy.breaker = breaker_rule(BREAKER_STANDARD);
    broker_set_policy(world.broker, &policy, world.now_at);
    ck_assert_uint_eq(fail_until_open(), 5);
}
END_TEST

/* Of the worker: what it holds, oldest first. */
static uint64_t held[128];
static unsigned held_first, held_last;

static void take_all(void)
{
    for (struct heard *heard;
         (heard = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST)) != NULL;) {
        held[held_last++ % 128] = heard->pair.header.id;
        world_forget(heard);
    }
}

static void answer_oldest(void)
{
    struct header header = {.command = COMMAND_REPLY,
                            .id = held[held_first++ % 128],
                            .executed = EXECUTED_YES,
                            .admit_level = CLASS_SHEDDABLE,
                            .service_us = 20000,
                            .credit = ++world.credit[WORKER]};
    world_say(SIDE_BACKEND, WORKER, &header, bytes_of("answer"));
    world_turn();
    while (world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY) > 0)
        world_forget(world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY));
}

/* The worker works on one request at a time, 20 ms each, and takes all that it gets; there are
 * always some for it. */
static void work_serially(unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        while (broker_levels(world.broker).queued[ROLE_DRIVER] < 5)
            world_ask(CLASS_CRITICAL, 30000, 0);
        world_turn();
        take_all();
        ck_assert_uint_gt(held_last, held_first);
        ck_assert_uint_le(held_last - held_first, 64);
        world_pass(20 * MS);
        if (i % 50 == 0)
            world_beat();
        answer_oldest();
    }
}

/* What it cannot work on waits here, where the important go first. */
START_TEST(a_worker_that_queues_inside_is_given_less)
{
    char reason[OPTION_REASON_BYTES];
    start_with("");
    world_worker(WORKER, ROLE_DRIVER, 64, "query");
    work_serially(1500);
    double limit = measured(METRIC_CONCURRENCY_LIMIT, LABELS("driver"));
    ck_assert(limit >= 2);
    ck_assert(limit <= 10); /* 20 ms, and 50 that are tolerated, half as much again: 5 */
    struct policy policy = policy_default();
    ck_assert(concurrency_read(policy.concurrency, "driver=static 3", reason));
    broker_set_policy(world.broker, &policy, world.now_at);
    ck_assert(measured(METRIC_CONCURRENCY_LIMIT, LABELS("driver")) >= 3);
    work_serially(20);
    ck_assert(measured(METRIC_CONCURRENCY_LIMIT, LABELS("driver")) == 3);
    ck_assert(concurrency_read(policy.concurrency, "driver=off", reason));
    broker_set_policy(world.broker, &policy, world.now_at);
    ck_assert(measured(METRIC_CONCURRENCY_LIMIT, LABELS("driver")) == 64);
}
END_TEST

/* One of two stops and holds all that may be in flight: the other gets what comes. */
START_TEST(what_a_silent_worker_holds_does_not_count)
{
    char reason[OPTION_REASON_BYTES];
    world_setup();
    ck_assert(concurrency_read(world.config.policy.concurrency, "driver=static 2", reason));
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, 64, "query");
    world_worker(2, ROLE_DRIVER, 64, "query");
    for (unsigned i = 0; i < 8; i++)
        world_ask(CLASS_CRITICAL, 30000, 0);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST) +
                          world_count(SIDE_BACKEND, 2, COMMAND_REQUEST),
                      4);
    unsigned before = world_count(SIDE_BACKEND, 2, COMMAND_REQUEST);
    struct header header = {.command = COMMAND_HEARTBEAT, .id = 1, .class = CLASS_CRITICAL};
    for (unsigned i = 0; i < 25; i++) {
        world_run(100);
        world_say(SIDE_BACKEND, 2, &header, (struct bytes){0});
        world_say(SIDE_FRONTEND, CLIENT, &header, (struct bytes){0});
    }
    ck_assert_uint_gt(world_count(SIDE_BACKEND, 2, COMMAND_REQUEST), before);
}
END_TEST

static enum status retry(const char *tenant, uint64_t client)
{
    struct header header = world_request();
    header.tenant = bytes_of(tenant);
    header.attempt = 1;
    world_ask_from(client, header, (struct bytes){0});
    world_turn();
    if (world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST) > 0)
        serve(STATUS_OK);
    struct heard *heard = world_hear(SIDE_FRONTEND, client, COMMAND_REPLY);
    enum status status = heard->pair.header.status;
    world_forget(heard);
    world_forget_all();
    return status;
}

static unsigned retry_all(const char *tenant, uint64_t client)
{
    unsigned count = 0;
    while (count < 500 && retry(tenant, client) == STATUS_OK)
        count++;
    return count;
}

START_TEST(retries_are_a_fifth_of_what_is_asked_first)
{
    start_with("");
    for (unsigned i = 0; i < 200; i++)
        ck_assert_int_eq(ask_and_serve(STATUS_OK), STATUS_OK);
    ck_assert_uint_eq(retry_all("acme", CLIENT), 40);
    ck_assert_int_eq(retry("acme", CLIENT), STATUS_RETRY_BUDGET);
    ck_assert_uint_eq(retry_all("other", CLIENT), 10);
    ck_assert(measured(METRIC_ADMISSION_DECISIONS_TOTAL,
                       LABELS("retry_share", "admit", "critical")) == 50);
    world_pass(11 * US_PER_S);
    world_beat();
    ck_assert_uint_eq(retry_all("acme", CLIENT), 10);
    struct policy policy = policy_default();
    policy.retry_floor = 30;
    broker_set_policy(world.broker, &policy, world.now_at);
    ck_assert_uint_eq(retry_all("acme", CLIENT), 20);
}
END_TEST

/* Who greets with resume has lost another broker: what it sends again is not its fault. */
START_TEST(what_is_resent_since_a_broker_died_is_no_retry)
{
    char session[16] = {9};
    struct msg_hello hello = {.session = {session, sizeof session},
                              .instance = bytes_of("resumes"),
                              .protocol_min = 1,
                              .protocol_max = 1,
                              .resume = true};
    struct header header = {.command = COMMAND_HELLO, .role = ROLE_CLIENT};
    start_with("");
    world_say_message(SIDE_FRONTEND, 9, &header, MSG_HELLO, &hello);
    ck_assert_uint_eq(retry_all("acme", 9), 500);
    world_pass(10 * US_PER_S);
    world_beat();
    header = (struct header){.command = COMMAND_HEARTBEAT, .id = 1, .class = CLASS_CRITICAL};
    world_say(SIDE_FRONTEND, 9, &header, (struct bytes){0});
    ck_assert_uint_eq(retry_all("acme", 9), 10);
    struct msg_heartbeat heartbeat = {.resume = true}; /* the same, of a line that was up before */
    world_say_message(SIDE_FRONTEND, 9, &header, MSG_HEARTBEAT, &heartbeat);
    ck_assert_uint_eq(retry_all("acme", 9), 500);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, NULL, world_teardown);
    tcase_add_test(tcase, who_is_over_its_rate_is_told_how_long);
    tcase_add_test(tcase, a_refusal_for_another_reason_costs_nothing);
    tcase_add_test(tcase, a_drivers_own_requests_pay_for_tools_alone);
    tcase_add_test(tcase, a_monitor_only_counts);
    tcase_add_test(tcase, what_changes_is_told);
    tcase_add_test(tcase, a_method_that_keeps_failing_is_left_alone_for_a_while);
    tcase_add_test(tcase, the_changes_of_a_breaker_are_told);
    tcase_add_loop_test(tcase, what_is_no_fault_of_a_worker_opens_no_breaker, 0,
                        sizeof innocent / sizeof innocent[0]);
    tcase_add_test(tcase, a_late_or_lost_worker_opens_no_breaker);
    tcase_add_test(tcase, leases_that_lapse_open_a_breaker);
    tcase_add_loop_test(tcase, a_breaker_fades, 0, SUITE_SEEDS(8));
    tcase_add_test(tcase, without_breakers_everything_is_tried);
    tcase_add_test(tcase, a_worker_that_queues_inside_is_given_less);
    tcase_add_test(tcase, what_a_silent_worker_holds_does_not_count);
    tcase_add_test(tcase, retries_are_a_fifth_of_what_is_asked_first);
    tcase_add_test(tcase, what_is_resent_since_a_broker_died_is_no_retry);
}

int main(void)
{
    return suite_run("broker_policy", add_tests);
}
