/* test_driver_tools - which tools there are: asked of the broker and of who has them, once, and
 * again when that may have changed. */
#include <stdio.h>
#include <string.h>

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

/* --- which tools there are --- */

START_TEST(an_unknown_tool_is_looked_for_once_and_names_like_it_are_said)
{
    struct msg_failure failure;
    scene_pass(300 * US_PER_MS);
    uint64_t id = scene_call("Test_Ecco", 3, 0);
    ck_assert_ptr_null(record_reply_to(scene.record, id));
    record_step(scene.record, 0);
    ck_assert(scene_answer(scene_open(ROLE_BROKER, "directory")));
    record_expect_refusal(scene.record, id, STATUS_BAD_REQUEST, "TOOL_NOT_FOUND");
    ck_assert_int_eq(
        message_decode(MSG_FAILURE, record_reply_to(scene.record, id)->answer.body, &failure),
        STATUS_OK);
    ck_assert(bytes_are(failure.hint, "did you mean Test_Echo?"));
    id = scene_call("Test_Ecco", 3, 0); /* it cannot be newer */
    record_expect_refusal(scene.record, id, STATUS_BAD_REQUEST, "TOOL_NOT_FOUND");
    assert_quiet();
}
END_TEST

START_TEST(before_the_directory_is_known_requests_wait_for_it)
{
    scene_start_anew();
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    ck_assert_ptr_null(record_reply_to(scene.record, id));
    record_step(scene.record, 0);
    scene_run();
    ck_assert_uint_eq(scene_reply_to(id).n, 3);
    struct metrics *metrics = scene.record->context.metrics;
    ck_assert(series_value(metrics_series(metrics, METRIC_DRIVER_TOOLS, NO_LABELS)) == 4);
}
END_TEST

START_TEST(without_executors_there_is_no_worker)
{
    scene_start_anew();
    struct msg_directory none = {
        .instance = bytes_of("b1"), .methods = {"\x90", 1}, .workers = {"\x90", 1}};
    uint64_t id = scene_call(SCENE_ECHO, 3, 0), question = scene_ask(QUESTION, 0);
    record_step(scene.record, 0);
    record_answer_message(scene.record, scene_open(ROLE_BROKER, "directory"), MSG_DIRECTORY, &none);
    record_expect_refusal(scene.record, id, STATUS_NO_WORKER, NULL);
    scene_run();
    record_expect_refusal(scene.record, question, STATUS_NO_WORKER, NULL);
    ck_assert_uint_gt(record_reply_to(scene.record, id)->answer.retry_after_ms, 0);
}
END_TEST

/* So a driver that has just come up refuses nothing for want of a directory. */
START_TEST(a_broker_that_does_not_answer_is_asked_again)
{
    scene_start_anew();
    scene.record->ask_status = STATUS_NO_WORKER;
    record_step(scene.record, 0);
    uint64_t id = scene_call(SCENE_ECHO, 3, 0); /* waits for it, as long as it has */
    scene.record->ask_status = STATUS_OK;
    record_step(scene.record, 100 * US_PER_MS);
    scene_run();
    ck_assert_uint_eq(scene_reply_to(id).n, 3);
}
END_TEST

START_TEST(a_new_executor_is_asked_what_it_has)
{
    char room[512];
    struct bytes body;
    struct msg_event_members event = {
        .instance = bytes_of("executor-2"), .role = ROLE_TOOL_EXECUTOR, .generation = 1};
    scene_pass(300 * US_PER_MS);
    ck_assert_int_eq(message_encode(MSG_EVENT_MEMBERS, &event, room, sizeof room, &body),
                     STATUS_OK);
    record_event(scene.record, "members", 1, body);
    record_step(scene.record, 0);
    ck_assert(scene_answer(scene_open(ROLE_BROKER, "directory")));
    assert_quiet(); /* its tools are known by their hashes */
    event.instance.data = NULL;
    ck_assert_int_eq(message_encode(MSG_EVENT_MEMBERS, &event, room, sizeof room, &body),
                     STATUS_OK);
    scene_pass(300 * US_PER_MS);
    record_event(scene.record, "members", 2, body); /* only the beat */
    record_step(scene.record, 0);
    assert_quiet();
}
END_TEST

START_TEST(a_tool_that_nobody_serves_any_more_is_looked_for)
{
    scene_pass(300 * US_PER_MS);
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_answer_failure(scene.record, scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO), STATUS_NO_ROLE);
    record_expect_refusal(scene.record, id, STATUS_NO_ROLE, NULL);
    record_step(scene.record, 0);
    (void)scene_open(ROLE_BROKER, "directory");
}
END_TEST

START_TEST(definitions_that_do_not_come_are_asked_for_again)
{
    scene_start_anew();
    record_step(scene.record, 0);
    ck_assert(scene_answer(scene_open(ROLE_BROKER, "directory")));
    record_answer_failure(scene.record, scene_open(ROLE_BROKER, "instance"),
                          STATUS_DEADLINE_RUNNING);
    ck_assert_ptr_null(record_open_ask(scene.record));
    record_step(scene.record, 1100 * US_PER_MS);
    scene_run();
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    scene_run();
    ck_assert_uint_eq(scene_reply_to(id).n, 3);
}
END_TEST

START_TEST(who_waited_for_the_directory_too_long_is_not_begun)
{
    struct header header = {
        .class = CLASS_CRITICAL, .method = bytes_of(SCENE_ECHO), .deadline_ms = 10};
    scene_start_anew();
    record_step(scene.record, 0);
    uint64_t id = record_send(scene.record, header, (struct bytes){0});
    record_step(scene.record, 9500);
    ck_assert(scene_answer(scene_open(ROLE_BROKER, "directory")));
    ck_assert(scene_answer(scene_open(ROLE_BROKER, "instance")));
    record_expect_refusal(scene.record, id, STATUS_DEADLINE_QUEUED, NULL);
    assert_quiet();
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, scene_teardown);
    tcase_add_test(tcase, an_unknown_tool_is_looked_for_once_and_names_like_it_are_said);
    tcase_add_test(tcase, before_the_directory_is_known_requests_wait_for_it);
    tcase_add_test(tcase, without_executors_there_is_no_worker);
    tcase_add_test(tcase, a_broker_that_does_not_answer_is_asked_again);
    tcase_add_test(tcase, a_new_executor_is_asked_what_it_has);
    tcase_add_test(tcase, a_tool_that_nobody_serves_any_more_is_looked_for);
    tcase_add_test(tcase, definitions_that_do_not_come_are_asked_for_again);
    tcase_add_test(tcase, who_waited_for_the_directory_too_long_is_not_begun);
}

int main(void)
{
    return suite_run("driver_tools", add_tests);
}
