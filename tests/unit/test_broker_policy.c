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

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, NULL, world_teardown);
    tcase_add_test(tcase, who_is_over_its_rate_is_told_how_long);
    tcase_add_test(tcase, a_refusal_for_another_reason_costs_nothing);
    tcase_add_test(tcase, a_drivers_own_requests_pay_for_tools_alone);
    tcase_add_test(tcase, a_monitor_only_counts);
    tcase_add_test(tcase, what_changes_is_told);
}

int main(void)
{
    return suite_run("broker_policy", add_tests);
}
