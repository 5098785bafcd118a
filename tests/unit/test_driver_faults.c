/* test_driver_faults - others compute the same, tools fail, partitions are silent, tools are not
 * known: each request has its answer or its error, and each lease goes back once. */
#include <stdio.h>
#include <string.h>

#include "tests/support/driver_scene.h"
#include "tests/support/suite.h"

#define QUESTION "What was the Q1 2025 revenue of Orvanta Systems?"

static void setup(void)
{
    scene_setup(NULL);
}

static void assert_cache(uint64_t id, const char *status)
{
    struct scene_reply reply = scene_reply_to(id);
    ck_assert_msg(bytes_are(reply.cache.status, status), "%.*s", (int)reply.cache.status.size,
                  reply.cache.status.data);
}

static bool is_degraded(uint64_t id, const char *by)
{
    struct scene_reply reply = scene_reply_to(id);
    struct values values = values_over(reply.answer.degraded);
    struct bytes element, text;
    bool found = false;
    while (values_next(&values, &element))
        found = found || (value_text(element, &text) && bytes_are(text, by));
    ck_assert_int_eq(found || reply.answer.degraded.data != NULL,
                     (record_reply_to(scene.record, id)->answer.flags & FLAG_DEGRADED) != 0);
    return found;
}

static void assert_quiet(void)
{
    ck_assert_ptr_null(record_open_ask(scene.record));
    ck_assert_uint_eq(scene_leases_out(), 0);
}

/* --- waiting, stale, failing --- */

START_TEST(who_finds_it_taken_waits_for_the_fill)
{
    uint64_t first = scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    uint64_t second = scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    ck_assert(!scene_answer(scene_open(ROLE_CACHE_PARTITION, "get"))); /* parked */
    scene_run();
    assert_cache(first, "miss");
    assert_cache(second, "waited");
    ck_assert_uint_eq(scene_reply_to(second).n, 3);
    ck_assert_uint_eq(scene.executed, 1);
    assert_quiet();
}
END_TEST

/* Nobody waits much longer than a fill takes: the holder may be gone, and its lease not yet. */
START_TEST(who_waits_in_vain_computes_it_and_keeps_nothing)
{
    (void)scene_call(SCENE_ECHO, 1, 0);
    scene_run(); /* so it is known that it takes no time */
    uint64_t first = scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    struct recorded_ask *held = scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO);
    uint64_t held_tag = held->tag, second = scene_call(SCENE_ECHO, 3, 0);
    struct msg_cache_get get;
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    struct recorded_ask *parked = scene_open(ROLE_CACHE_PARTITION, "get");
    ck_assert_int_eq(message_decode(MSG_CACHE_GET, parked->ask.body, &get), STATUS_OK);
    ck_assert_uint_eq(get.park_ms, 1000);
    struct msg_cache_entry nothing = {.outcome = bytes_of("MISS"), .waited = true};
    record_answer_message(scene.record, parked, MSG_CACHE_ENTRY, &nothing);
    for (size_t i = 0; i < scene.record->ask_count; i++)
        if (scene.record->asks[i].open && scene.record->asks[i].tag != held_tag)
            ck_assert(scene_answer(&scene.record->asks[i]));
    assert_cache(second, "miss");
    ck_assert_ptr_null(record_reply_to(scene.record, first));
    ck_assert_uint_eq(scene.stored, 1);
    scene_run();
    ck_assert_uint_eq(scene.stored, 2);
    assert_quiet();
}
END_TEST

START_TEST(a_lease_that_is_handed_on_is_filled_by_the_next)
{
    uint64_t first = scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    uint64_t second = scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    ck_assert(!scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_cancel(scene.record, first);
    scene_run();
    assert_cache(second, "miss");
    ck_assert_uint_eq(scene.handed_back, 1);
    ck_assert_uint_eq(scene.stored, 1);
    assert_quiet();
}
END_TEST

START_TEST(a_stale_answer_goes_first_and_is_then_refreshed)
{
    (void)scene_call(SCENE_ECHO, 3, 0);
    struct scene_entry *entry = scene_entry_of(scene_open(ROLE_CACHE_PARTITION, "get"));
    scene_run();
    entry->stale = true;
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    assert_cache(id, "stale");
    ck_assert(!is_degraded(id, "stale")); /* as the partition has it: within its rules */
    ck_assert_int_eq(scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO)->ask.class, CLASS_SHEDDABLE);
    ck_assert_uint_eq(scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO)->origin.id, 0);
    scene_run();
    ck_assert_uint_eq(scene.stored, 2);
    id = scene_call(SCENE_ECHO, 3, 0);
    scene_run();
    assert_cache(id, "hit");
    assert_quiet();
}
END_TEST

START_TEST(a_refresh_that_fails_costs_nothing_but_the_refresh)
{
    (void)scene_call(SCENE_ECHO, 3, 0);
    struct scene_entry *entry = scene_entry_of(scene_open(ROLE_CACHE_PARTITION, "get"));
    scene_run();
    entry->stale = true;
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_answer_failure(scene.record, scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO),
                          STATUS_BUSY_SHED);
    scene_run();
    assert_cache(id, "stale");
    ck_assert_uint_eq(scene.handed_back, 1);
    assert_quiet();
}
END_TEST

START_TEST(who_may_not_wait_is_told_to_come_back)
{
    (void)scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_answer_failure(scene.record, scene_open(ROLE_CACHE_PARTITION, "get"), STATUS_BUSY_FULL);
    record_expect_refusal(scene.record, id, STATUS_BUSY_FULL, NULL);
    ck_assert_uint_gt(record_reply_to(scene.record, id)->answer.retry_after_ms, 0);
}
END_TEST

START_TEST(a_refresh_does_not_wait_for_a_fill_that_began_before)
{
    (void)scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    struct recorded_ask *first = scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO);
    uint64_t tag = first->tag, id = scene_call(SCENE_ECHO, 3, FLAG_REFRESH);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    ck_assert_ptr_null(record_open_ask_of(scene.record, ROLE_CACHE_PARTITION, "get"));
    for (size_t i = 0; i < scene.record->ask_count; i++)
        if (scene.record->asks[i].open && scene.record->asks[i].tag != tag)
            ck_assert(scene_answer(&scene.record->asks[i]));
    assert_cache(id, "refresh");
    ck_assert_uint_eq(scene.stored, 0);
}
END_TEST

/* Whatever a tool says of itself. */
START_TEST(a_result_without_success_is_a_failure)
{
    struct msg_tool_result result = {
        .tool = bytes_of(SCENE_ECHO), .version = bytes_of("1.0.0"), .data = {"\x80", 1}};
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_answer_message(scene.record, scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO), MSG_TOOL_RESULT,
                          &result);
    record_expect_refusal(scene.record, id, STATUS_APP_ERROR, "TOOL_FAILED");
}
END_TEST

START_TEST(a_look_up_that_is_cancelled_gives_back_what_it_brings)
{
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    record_cancel(scene.record, id);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    scene_run();
    ck_assert_uint_eq(scene.granted, 1);
    ck_assert_uint_eq(scene.handed_back, 1);
    assert_quiet();
}
END_TEST

/* A failure is an answer to who waits, or to be tried again by them; and never a value. */
static const struct {
    enum status status;
    bool shared;
} failures[] = {
    {STATUS_APP_ERROR, true},         {STATUS_BAD_REQUEST, true},  {STATUS_FORBIDDEN, true},
    {STATUS_WORKER_LOST, true},       {STATUS_NO_WORKER, true},    {STATUS_INTERNAL, true},
    {STATUS_DEADLINE_RUNNING, false}, {STATUS_BUSY_FULL, false},   {STATUS_BUSY_SHED, false},
    {STATUS_DEADLINE_QUEUED, false},  {STATUS_RATE_LIMITED, false}};

START_TEST(a_tool_that_fails_is_an_error_and_no_value)
{
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_answer_failure(scene.record, scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO),
                          failures[_i].status);
    record_expect_refusal(scene.record, id, failures[_i].status,
                          statuses[failures[_i].status].name);
    scene_run();
    ck_assert_uint_eq(scene.stored, 0);
    ck_assert_uint_eq(scene.failed, failures[_i].shared);
    ck_assert_uint_eq(scene.handed_back, !failures[_i].shared);
    assert_quiet();
}
END_TEST

static const struct {
    enum status status;
    const char *code;
    uint64_t negative_ms;
} remembered[] = {{STATUS_BAD_REQUEST, "BAD_ARGUMENTS", 300000},
                  {STATUS_APP_ERROR, "UPSTREAM_TIMEOUT", 2000},
                  {STATUS_BAD_REQUEST, "BAD_QUERY", 0},
                  {STATUS_APP_ERROR, "TOOL_FAILED", 0},
                  {STATUS_CIRCUIT_OPEN, "UNAVAILABLE", 0}};

START_TEST(what_the_arguments_decide_is_remembered)
{
    char room[512];
    struct msg_cache_fail fail;
    struct msg_failure failure = {.code = bytes_of(remembered[_i].code), .message = bytes_of("x")};
    struct answer answer = {.status = remembered[_i].status};
    ck_assert_int_eq(message_encode(MSG_FAILURE, &failure, room, sizeof room, &answer.body),
                     STATUS_OK);
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_answer(scene.record, scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO), &answer);
    record_expect_refusal(scene.record, id, remembered[_i].status, remembered[_i].code);
    struct bytes body = scene_open(ROLE_CACHE_PARTITION, "fail")->ask.body;
    ck_assert_int_eq(message_decode(MSG_CACHE_FAIL, body, &fail), STATUS_OK);
    ck_assert_uint_eq(fail.negative_ms, remembered[_i].negative_ms);
    ck_assert(bytes_equal(fail.body, answer.body));
}
END_TEST

START_TEST(a_remembered_failure_is_said_again_with_its_code)
{
    char room[512];
    struct bytes body;
    struct msg_failure failure = {.code = bytes_of("BAD_QUERY"), .message = bytes_of("no table")};
    ck_assert_int_eq(message_encode(MSG_FAILURE, &failure, room, sizeof room, &body), STATUS_OK);
    struct msg_cache_entry entry = {
        .outcome = bytes_of("NEGATIVE"), .status = STATUS_BAD_REQUEST, .value = body};
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    record_answer_message(scene.record, scene_open(ROLE_CACHE_PARTITION, "get"), MSG_CACHE_ENTRY,
                          &entry);
    record_expect_refusal(scene.record, id, STATUS_BAD_REQUEST, "BAD_QUERY");
    assert_quiet();
}
END_TEST

static const struct bytes no_results[] = {
    {"\x80", 1}, {"\xc1", 1}, {"", 0}, {"\x81\xa7success\xc2", 10}};

START_TEST(what_is_no_result_of_a_tool_is_a_failure)
{
    struct answer answer = {.status = STATUS_OK, .body = no_results[_i]};
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_answer(scene.record, scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO), &answer);
    record_expect_refusal(scene.record, id, STATUS_APP_ERROR, "TOOL_FAILED");
    scene_run();
    assert_quiet();
}
END_TEST

START_TEST(what_another_version_answers_is_not_kept_under_this_ones_key)
{
    struct msg_tool_result result = {.tool = bytes_of(SCENE_ECHO),
                                     .version = bytes_of("2.0.0"),
                                     .success = true,
                                     .data = {"\x81\xa1n\x03", 4}};
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_answer_message(scene.record, scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO), MSG_TOOL_RESULT,
                          &result);
    ck_assert_uint_eq(scene_reply_to(id).n, 3);
    scene_run();
    ck_assert_uint_eq(scene.stored, 0);
    ck_assert_uint_eq(scene.handed_back, 1);
    scene_pass(300 * US_PER_MS);
    (void)scene_open(ROLE_BROKER, "directory");
}
END_TEST

/* Kept by an older driver, or by none of ours. */
static const struct bytes no_values[] = {{NULL, 0},
                                         {"\xc1", 1},
                                         {"\x81\xa5value\x01", 8},
                                         {"\x82\xa5value\x01\xa7sources\x80", 17},
                                         {"\x82\xa5value\x01\xa7sources\x91\x01", 18},
                                         {"\x82\xa5value\x01\xa7sources\x91\x80", 18}};

START_TEST(what_is_no_value_of_ours_is_a_miss)
{
    struct msg_cache_entry entry = {.outcome = bytes_of("HIT"), .value = no_values[_i]};
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    record_answer_message(scene.record, scene_open(ROLE_CACHE_PARTITION, "get"), MSG_CACHE_ENTRY,
                          &entry);
    scene_run();
    assert_cache(id, "miss");
    ck_assert_uint_eq(scene_reply_to(id).n, 3);
}
END_TEST

START_TEST(a_stale_answer_beyond_its_rules_is_said_to_be_degraded)
{
    char room[CONTROL_BYTES_MAX];
    (void)scene_call(SCENE_ECHO, 3, 0);
    struct scene_entry *kept = scene_entry_of(scene_open(ROLE_CACHE_PARTITION, "get"));
    scene_run();
    struct msg_cache_entry entry = {.outcome = bytes_of("STALE"),
                                    .value = {kept->value, kept->size}};
    struct answer answer = {.status = STATUS_OK, .flags = FLAG_DEGRADED};
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    ck_assert_int_eq(message_encode(MSG_CACHE_ENTRY, &entry, room, sizeof room, &answer.body),
                     STATUS_OK);
    record_answer(scene.record, scene_open(ROLE_CACHE_PARTITION, "get"), &answer);
    assert_cache(id, "stale");
    ck_assert(is_degraded(id, "stale"));
}
END_TEST

/* --- partitions that are not there --- */

START_TEST(a_silent_partition_costs_its_time_once_and_the_answer_is_degraded)
{
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    scene_pass(101 * US_PER_MS);
    ck_assert(scene_answer(scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO)));
    ck_assert(is_degraded(id, "cache"));
    ck_assert_uint_eq(scene.granted, 0);
    id = scene_call(SCENE_ECHO, 3, 0); /* not asked again for a while */
    ck_assert(scene_answer(scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO)));
    ck_assert(is_degraded(id, "cache"));
    scene_pass(1000 * US_PER_MS);
    id = scene_call(SCENE_ECHO, 3, 0);
    scene_run();
    ck_assert(!is_degraded(id, "cache"));
    assert_quiet();
}
END_TEST

START_TEST(who_had_little_time_says_nothing_of_a_partition)
{
    struct header header = {
        .class = CLASS_CRITICAL, .method = bytes_of(SCENE_ECHO), .deadline_ms = 20};
    (void)record_send(scene.record, header, (struct bytes){0});
    scene_pass(21 * US_PER_MS);
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    scene_run();
    ck_assert(!is_degraded(id, "cache"));
}
END_TEST

START_TEST(without_partitions_it_goes_on_without)
{
    scene_view(0);
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    scene_run();
    ck_assert(is_degraded(id, "cache"));
    ck_assert_uint_eq(scene_reply_to(id).n, 3);
    id = scene_call(SCENE_ECHO, 3, FLAG_ONLY_IF_CACHED);
    record_expect_refusal(scene.record, id, STATUS_APP_ERROR, "NOT_CACHED");
}
END_TEST

START_TEST(a_dead_partition_is_gone_without_at_once)
{
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    record_answer_failure(scene.record, scene_open(ROLE_CACHE_PARTITION, "get"),
                          STATUS_WORKER_LOST);
    scene_run();
    ck_assert(is_degraded(id, "cache"));
}
END_TEST

START_TEST(another_epoch_is_followed_twice)
{
    char room[8192];
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    for (int i = 0; i < 3; i++) {
        struct msg_cache_entry entry = {.outcome = bytes_of("WRONG_EPOCH"),
                                        .view = scene_newer_view(3, room, sizeof room)};
        struct msg_cache_get get;
        struct recorded_ask *ask = scene_open(ROLE_CACHE_PARTITION, "get");
        ck_assert_int_eq(message_decode(MSG_CACHE_GET, ask->ask.body, &get), STATUS_OK);
        ck_assert_uint_eq(get.epoch, scene.epoch - 1);
        record_answer_message(scene.record, ask, MSG_CACHE_ENTRY, &entry);
    }
    ck_assert(scene_answer(scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO)));
    ck_assert(is_degraded(id, "cache"));
}
END_TEST

START_TEST(the_member_asked_is_the_owner_by_the_newest_view_and_the_runtimes_number)
{
    char room[8192];
    (void)scene_call(SCENE_ECHO, 3, 0);
    struct recorded_ask *ask = scene_open(ROLE_CACHE_PARTITION, "get");
    uint32_t member = ask->ask.member;
    struct msg_cache_entry entry = {.outcome = bytes_of("WRONG_EPOCH"),
                                    .view = scene_newer_view(1, room, sizeof room)};
    ck_assert_uint_lt(member, 3);
    record_answer_message(scene.record, ask, MSG_CACHE_ENTRY, &entry);
    ck_assert_uint_eq(scene_open(ROLE_CACHE_PARTITION, "get")->ask.member, 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, scene_teardown);
    tcase_add_test(tcase, who_finds_it_taken_waits_for_the_fill);
    tcase_add_test(tcase, who_waits_in_vain_computes_it_and_keeps_nothing);
    tcase_add_test(tcase, a_lease_that_is_handed_on_is_filled_by_the_next);
    tcase_add_test(tcase, a_stale_answer_goes_first_and_is_then_refreshed);
    tcase_add_test(tcase, a_refresh_that_fails_costs_nothing_but_the_refresh);
    tcase_add_test(tcase, who_may_not_wait_is_told_to_come_back);
    tcase_add_test(tcase, a_refresh_does_not_wait_for_a_fill_that_began_before);
    tcase_add_test(tcase, a_result_without_success_is_a_failure);
    tcase_add_test(tcase, a_look_up_that_is_cancelled_gives_back_what_it_brings);
    tcase_add_loop_test(tcase, a_tool_that_fails_is_an_error_and_no_value, 0,
                        sizeof failures / sizeof failures[0]);
    tcase_add_loop_test(tcase, what_the_arguments_decide_is_remembered, 0,
                        sizeof remembered / sizeof remembered[0]);
    tcase_add_test(tcase, a_remembered_failure_is_said_again_with_its_code);
    tcase_add_loop_test(tcase, what_is_no_result_of_a_tool_is_a_failure, 0,
                        sizeof no_results / sizeof no_results[0]);
    tcase_add_test(tcase, what_another_version_answers_is_not_kept_under_this_ones_key);
    tcase_add_test(tcase, a_silent_partition_costs_its_time_once_and_the_answer_is_degraded);
    tcase_add_loop_test(tcase, what_is_no_value_of_ours_is_a_miss, 0,
                        sizeof no_values / sizeof no_values[0]);
    tcase_add_test(tcase, a_stale_answer_beyond_its_rules_is_said_to_be_degraded);
    tcase_add_test(tcase, who_had_little_time_says_nothing_of_a_partition);
    tcase_add_test(tcase, without_partitions_it_goes_on_without);
    tcase_add_test(tcase, a_dead_partition_is_gone_without_at_once);
    tcase_add_test(tcase, another_epoch_is_followed_twice);
    tcase_add_test(tcase, the_member_asked_is_the_owner_by_the_newest_view_and_the_runtimes_number);
}

int main(void)
{
    return suite_run("driver_faults", add_tests);
}
