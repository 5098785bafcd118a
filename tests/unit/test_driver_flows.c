/* test_driver_flows - questions and their calls; cancelled or too late at any step; at the bounds;
 * and all of it in any order: one answer each, no lease lost, nothing outlives what it was for. */
#include <stdio.h>
#include <string.h>

#include "actors/driver/state.h"
#include "tests/support/driver_scene.h"
#include "tests/support/suite.h"

#define QUESTION "What was the Q1 2025 revenue of Orvanta Systems?"

static void setup(void)
{
    scene_setup(NULL);
}

static void assert_quiet(void)
{
    ck_assert_ptr_null(record_open_ask(scene.record));
    ck_assert_uint_eq(scene_leases_out(), 0);
}

/* --- parts of an answer --- */

/* What a tool says before its answer reaches who asked for parts, and only him. */
START_TEST(parts_go_to_who_asked_with_stream)
{
    uint64_t id = scene_call(SCENE_WRITE, 3, FLAG_STREAM), plain = scene_call(SCENE_WRITE, 4, 0);
    struct recorded_ask *ask = scene_open(ROLE_TOOL_EXECUTOR, SCENE_WRITE);
    ck_assert_uint_eq(ask->ask.flags & FLAG_STREAM, FLAG_STREAM);
    record_partial(scene.record, ask, bytes_of("\x01"));
    ck_assert_uint_eq(scene.record->partial_count, 1);
    ck_assert_uint_eq(scene.record->partials[0].request.id, id);
    ck_assert(bytes_are(scene.record->partials[0].body, "\x01"));
    ck_assert(scene_answer(ask));
    ck_assert_uint_eq(scene_open(ROLE_TOOL_EXECUTOR, SCENE_WRITE)->ask.flags & FLAG_STREAM, 0);
    scene_run();
    ck_assert_uint_eq(scene_reply_to(plain).n, 4);
    assert_quiet();
}
END_TEST

/* --- cancel and deadline, at every step --- */

/* Answer so many questions of the driver, in their order; then it ends in one of two ways. */
static uint64_t ask_and_answer(int answers)
{
    uint64_t id = scene_ask(QUESTION, 0);
    while (answers-- > 0 && record_open_ask(scene.record) != NULL)
        (void)scene_answer(record_open_ask(scene.record));
    return id;
}

static bool only_lookups_are_open(void)
{
    for (size_t i = 0; i < scene.record->ask_count; i++) {
        const struct recorded_ask *ask = &scene.record->asks[i];
        if (ask->open && ask->ask.role == ROLE_TOOL_EXECUTOR)
            return false;
    }
    return true;
}

#define STEPS_OF_A_QUESTION 20

START_TEST(cancelled_at_any_step_it_leaves_nothing)
{
    uint64_t id = ask_and_answer(_i);
    if (record_reply_to(scene.record, id) == NULL) {
        record_cancel(scene.record, id);
        ck_assert(only_lookups_are_open());
    }
    scene_run();
    ck_assert(record_reply_to(scene.record, id) == NULL || _i >= 11);
    assert_quiet();
    ck_assert_uint_eq(scene.granted, scene.stored + scene.handed_back);
}
END_TEST

START_TEST(too_late_at_any_step_it_is_answered_once)
{
    uint64_t id = ask_and_answer(_i);
    bool replied = record_reply_to(scene.record, id) != NULL;
    /* Nobody answers any more: look-ups, then tools, then the request itself are too late. */
    scene_pass((int64_t)(RECORD_DEADLINE_MS + 1) * US_PER_MS);
    ck_assert_ptr_nonnull(record_reply_to(scene.record, id));
    if (!replied) {
        enum status status = record_reply_to(scene.record, id)->answer.status;
        ck_assert(status == STATUS_DEADLINE_QUEUED || status == STATUS_DEADLINE_RUNNING);
    }
    scene_pass(2000 * US_PER_MS); /* what was on its way back to the partition */
    ck_assert_ptr_null(record_open_ask(scene.record));
}
END_TEST

START_TEST(without_time_no_step_begins)
{
    struct header header = {
        .class = CLASS_CRITICAL, .method = bytes_of(SCENE_ECHO), .deadline_ms = 5};
    uint64_t id = record_send(scene.record, header, (struct bytes){0});
    record_step(scene.record, 4500);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_expect_refusal(scene.record, id, STATUS_DEADLINE_QUEUED, NULL);
    ck_assert_int_eq(record_reply_to(scene.record, id)->answer.executed, EXECUTED_NO);
    scene_run();
    ck_assert_uint_eq(scene.executed, 0);
    assert_quiet();
}
END_TEST

START_TEST(a_deadline_while_a_tool_runs_says_that_it_may_have)
{
    struct header header = {
        .class = CLASS_CRITICAL, .method = bytes_of(SCENE_ECHO), .deadline_ms = 50};
    uint64_t id = record_send(scene.record, header, (struct bytes){0});
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_step(scene.record, 50 * US_PER_MS);
    record_expect_refusal(scene.record, id, STATUS_DEADLINE_RUNNING, NULL);
    ck_assert_int_eq(record_reply_to(scene.record, id)->answer.executed, EXECUTED_MAYBE);
    ck_assert_ptr_null(record_open_ask_of(scene.record, ROLE_TOOL_EXECUTOR, NULL));
    scene_run();
    ck_assert_uint_eq(scene.handed_back, 1);
    assert_quiet();
}
END_TEST

/* --- bounds --- */

START_TEST(what_is_above_its_concurrency_is_refused_and_the_rest_served)
{
    static const char *const few[] = {"driver.concurrency=8", NULL};
    uint64_t ids[12];
    scene_teardown();
    scene_setup(few);
    for (uint64_t i = 0; i < 12; i++)
        ids[i] = scene_call(SCENE_ECHO, i, 0);
    struct metrics *metrics = scene.record->context.metrics;
    ck_assert(series_value(metrics_series(metrics, METRIC_BOUND_USED_RATIO, LABELS("flows"))) == 1);
    for (int i = 8; i < 12; i++)
        record_expect_refusal(scene.record, ids[i], STATUS_BUSY_FULL, NULL);
    scene_run();
    for (uint64_t i = 0; i < 8; i++)
        ck_assert_uint_eq(scene_reply_to(ids[i]).n, i);
    assert_quiet();
}
END_TEST

START_TEST(all_flows_may_be_questions)
{
    uint64_t ids[64];
    char question[128];
    for (unsigned i = 0; i < 64; i++) {
        snprintf(question, sizeof question, "What was the revenue of Halvera Health in %u?",
                 1900 + i);
        ids[i] = scene_ask(question, FLAG_NO_CACHE); /* nothing is shared: all calls are out */
    }
    scene_run();
    for (unsigned i = 0; i < 64; i++)
        ck_assert(bytes_are(scene_reply_to(ids[i]).answer.reason, "OUT_OF_RANGE"));
    ck_assert_uint_eq(scene.executed, 64 * 4);
}
END_TEST

START_TEST(more_bytes_than_may_be_held_are_refused)
{
    static char text[200000];
    char *body = malloc(PAIR_BODY_BYTES_MAX);
    static const char *const many[] = {"driver.concurrency=1000", NULL};
    struct writer writer;
    unsigned refusals = 0, held = 0;
    scene_teardown();
    scene_setup(many);
    memset(text, 'x', sizeof text);
    writer_init(&writer, body, PAIR_BODY_BYTES_MAX);
    writer_map(&writer, 1);
    writer_cstr(&writer, "unknown"); /* ignored, but held */
    writer_text(&writer, (struct bytes){text, sizeof text});
    for (unsigned i = 0; i < 400; i++) {
        uint64_t id = record_request(scene.record, SCENE_ECHO, writer_bytes(&writer));
        bool refused_now = record_reply_to(scene.record, id) != NULL;
        refusals += refused_now;
        held += !refused_now;
        if (refused_now)
            record_expect_refusal(scene.record, id, STATUS_BUSY_FULL, NULL);
    }
    ck_assert_uint_le(held, FLOWS_BYTES_MAX / 200000);
    ck_assert_uint_ge(held, FLOWS_BYTES_MAX / 200000 - 2);
    ck_assert_uint_eq(held + refusals, 400);
    scene_run();
    assert_quiet();
    free(body);
}
END_TEST

START_TEST(with_too_much_under_way_a_stale_answer_is_not_refreshed)
{
    static const char *const few[] = {"driver.concurrency=8", NULL};
    scene_teardown();
    scene_setup(few);
    const struct driver *driver = scene.record->actor.state;
    for (uint64_t i = 0; i < 60; i++)
        (void)scene_call(SCENE_ECHO, i, 0), scene_run();
    for (size_t i = 0; i < scene.entry_count; i++)
        scene.entries[i].stale = true;
    for (uint64_t i = 0; i < 60; i++) { /* no tool answers: each refresh stays under way */
        uint64_t id = scene_call(SCENE_ECHO, i, 0);
        ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
        ck_assert_uint_eq(scene_reply_to(id).n, i);
    }
    ck_assert_uint_le(driver->tasks_used, driver->task_count / 4 * 3);
    ck_assert_uint_ge(driver->tasks_used, driver->task_count / 4 * 3 - 1);
    scene_run();
    ck_assert_uint_ge(scene.handed_back, 60 - driver->task_count / 4 * 3);
    assert_quiet();
}
END_TEST

/* --- in any order --- */

#define SEEDS 24
#define OPERATIONS 600
#define REQUESTS_MAX OPERATIONS
#define NUMBERS 6

static uint64_t seed;
static struct {
    uint64_t id, n;
    bool is_call, cancelled;
} asked[REQUESTS_MAX];
static size_t asked_count;
static unsigned members;

static uint64_t chance(uint64_t below)
{
    return random_next(&seed) % below;
}

static void some_request(void)
{
    static const char *const questions[] = {
        QUESTION, "What was the profit of Halvera Health in 2024?", "Anything else?",
        "What was the revenue of Nobody in 2024?"};
    static const uint16_t flags[] = {
        0, 0, 0, 0, 0, FLAG_REFRESH, FLAG_NO_CACHE, FLAG_ONLY_IF_CACHED};
    uint16_t flag = flags[chance(8)];
    uint64_t n = chance(NUMBERS);
    bool is_call = chance(4) > 0;
    uint64_t id = is_call ? scene_call(chance(8) > 0 ? SCENE_ECHO : SCENE_WRITE, n, flag)
                          : scene_ask(questions[chance(4)], flag);
    asked[asked_count].id = id;
    asked[asked_count].n = n;
    asked[asked_count].is_call = is_call;
    asked[asked_count++].cancelled = false;
}

static struct recorded_ask *some_open_ask(void)
{
    size_t open = 0;
    for (size_t i = 0; i < scene.record->ask_count; i++)
        open += scene.record->asks[i].open;
    if (open == 0)
        return NULL;
    size_t chosen = chance(open);
    for (size_t i = 0;; i++)
        if (scene.record->asks[i].open && chosen-- == 0)
            return &scene.record->asks[i];
}

static bool goes_back(const struct recorded_ask *ask)
{
    return bytes_are(ask->ask.method, "set") || bytes_are(ask->ask.method, "fail");
}

static void some_garbage(struct recorded_ask *ask)
{
    char bytes[16];
    struct answer answer = {.status = STATUS_OK, .body = {bytes, chance(sizeof bytes)}};
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)chance(256);
    record_answer(scene.record, ask, &answer);
}

static void some_answer(void)
{
    static const enum status statuses_of_failure[] = {STATUS_APP_ERROR, STATUS_BUSY_FULL,
                                                      STATUS_WORKER_LOST, STATUS_DEADLINE_RUNNING,
                                                      STATUS_BAD_REQUEST};
    struct recorded_ask *ask = some_open_ask();
    uint64_t way = chance(20);
    if (ask == NULL)
        return;
    if (way == 0 && goes_back(ask))
        scene_lose(ask);
    else if (way == 0)
        record_answer_failure(scene.record, ask, statuses_of_failure[chance(5)]);
    else if (way == 1 && !goes_back(ask))
        some_garbage(ask);
    else
        (void)scene_answer(ask);
}

/* Whatever was asked for it is taken back, but for a look-up whose lease must not be lost. */
static void assert_nothing_outlives(uint64_t id)
{
    for (size_t i = 0; i < scene.record->ask_count; i++) {
        const struct recorded_ask *ask = &scene.record->asks[i];
        bool may = ask->ask.role == ROLE_CACHE_PARTITION;
        ck_assert(!ask->open || ask->origin.id != id || may);
    }
}

static void some_cancel(void)
{
    if (asked_count == 0)
        return;
    size_t i = chance(asked_count);
    if (asked[i].cancelled || record_reply_to(scene.record, asked[i].id) != NULL)
        return;
    record_cancel(scene.record, asked[i].id);
    asked[i].cancelled = true;
    assert_nothing_outlives(asked[i].id);
}

static void some_aging(void)
{
    if (scene.entry_count > 0)
        scene.entries[chance(scene.entry_count)].stale = true;
}

/* Members come: none goes, with whom a lease would go, too. */
static void some_view(void)
{
    members += members < VIEW_MEMBERS_MAX / 8;
    scene_view(members);
}

static void something(void)
{
    uint64_t what = chance(100);
    if (what < 35)
        some_request();
    else if (what < 80)
        some_answer();
    else if (what < 86)
        some_cancel();
    else if (what < 94)
        scene_pass((int64_t)chance(30) * US_PER_MS);
    else if (what < 99)
        some_aging();
    else
        some_view();
}

static void assert_answered(size_t i)
{
    const struct recorded_reply *reply = record_reply_to(scene.record, asked[i].id);
    ck_assert_msg(reply != NULL || asked[i].cancelled, "request %zu has no reply", i);
    if (reply == NULL || reply->answer.status != STATUS_OK || !asked[i].is_call)
        return;
    ck_assert_uint_eq(scene_reply_to(asked[i].id).n, asked[i].n);
}

START_TEST(in_any_order_each_has_one_answer_and_no_lease_is_lost)
{
    const struct driver *driver = scene.record->actor.state;
    seed = UINT64_C(77003) + (uint64_t)_i;
    asked_count = 0;
    members = SCENE_PARTITIONS;
    for (unsigned i = 0; i < OPERATIONS; i++)
        something();
    for (unsigned i = 0; i < 3; i++) {
        scene_run();
        scene_pass((int64_t)RECORD_DEADLINE_MS * US_PER_MS);
    }
    for (size_t i = 0; i < asked_count; i++)
        assert_answered(i);
    assert_quiet();
    ck_assert_uint_eq(driver->flows, 0);
    ck_assert_uint_eq(driver->tasks_used, 0);
    ck_assert_uint_eq(driver->bytes, 0);
    ck_assert_uint_gt(scene.stored, 0);
    ck_assert_uint_gt(scene.handed_back, 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, scene_teardown);
    tcase_add_loop_test(tcase, cancelled_at_any_step_it_leaves_nothing, 0, STEPS_OF_A_QUESTION);
    tcase_add_loop_test(tcase, too_late_at_any_step_it_is_answered_once, 0, STEPS_OF_A_QUESTION);
    tcase_add_test(tcase, parts_go_to_who_asked_with_stream);
    tcase_add_test(tcase, without_time_no_step_begins);
    tcase_add_test(tcase, a_deadline_while_a_tool_runs_says_that_it_may_have);
    tcase_add_test(tcase, what_is_above_its_concurrency_is_refused_and_the_rest_served);
    tcase_add_test(tcase, all_flows_may_be_questions);
    tcase_add_test(tcase, more_bytes_than_may_be_held_are_refused);
    tcase_add_test(tcase, with_too_much_under_way_a_stale_answer_is_not_refreshed);
    tcase_add_loop_test(tcase, in_any_order_each_has_one_answer_and_no_lease_is_lost, 0, SEEDS);
}

int main(void)
{
    return suite_run("driver_flows", add_tests);
}
