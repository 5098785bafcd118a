/* test_driver_questions - a question and its calls: what they share with others, what is kept of
 * them and what is not, and how they fail. */
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

static void assert_quiet_but_for_leases(void)
{
    ck_assert_ptr_null(record_open_ask(scene.record));
}

/* --- questions --- */

START_TEST(a_question_is_planned_answered_and_then_a_hit)
{
    uint64_t first = scene_ask(QUESTION, 0);
    scene_run();
    struct scene_reply reply = scene_reply_to(first);
    assert_cache(first, "miss");
    ck_assert(bytes_are(reply.answer.outcome, "ok"));
    ck_assert_ptr_nonnull(
        memmem(reply.answer.text.data, reply.answer.text.size, "487,177,000", 11));
    ck_assert_uint_eq(values_count(reply.answer.sources), 5);
    ck_assert_uint_eq(scene.executed, 5);
    ck_assert_uint_eq(scene.stored, 6);
    uint64_t second = scene_ask("what was the q1 2025  revenue of orvanta systems?", 0);
    scene_run();
    assert_cache(second, "hit");
    ck_assert_uint_eq(scene.executed, 5);
    ck_assert(bytes_equal(scene_reply_to(second).answer.text, reply.answer.text));
    ck_assert(bytes_equal(scene_reply_to(second).answer.value, reply.answer.value));
    ck_assert_uint_eq(values_count(scene_reply_to(second).answer.sources), 5);
    assert_quiet();
}
END_TEST

START_TEST(questions_and_calls_share_what_is_cached)
{
    (void)scene_ask(QUESTION, 0);
    scene_run();
    uint64_t other = scene_ask("What was the profit of Halvera Health in 2024?", 0);
    scene_run();
    assert_cache(other, "miss");
    ck_assert_uint_eq(scene.executed, 6); /* its one statement; the catalogue was there */
    uint64_t call = record_send(scene.record,
                                (struct header){.class = CLASS_CRITICAL,
                                                .method = bytes_of("SQL_GetSchema"),
                                                .tenant = bytes_of("acme")},
                                (struct bytes){0});
    scene_run();
    assert_cache(call, "hit");
}
END_TEST

START_TEST(a_stale_part_is_refreshed_behind_the_question_whose_answer_is_not_kept)
{
    (void)scene_ask(QUESTION, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    struct scene_entry *schema = scene_entry_of(scene_open(ROLE_CACHE_PARTITION, "get"));
    scene_run();
    schema->stale = true;
    uint64_t id = scene_ask("What was the profit of Halvera Health in 2024?", 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get"))); /* the schema's */
    struct recorded_ask *refresh = scene_open(ROLE_TOOL_EXECUTOR, "SQL_GetSchema");
    ck_assert_int_eq(refresh->ask.class, CLASS_SHEDDABLE);
    for (uint64_t tag = refresh->tag, i = 0; i < scene.record->ask_count; i++)
        if (scene.record->asks[i].open && scene.record->asks[i].tag != tag)
            ck_assert(scene_answer(&scene.record->asks[i]));
    ck_assert(bytes_are(scene_reply_to(id).answer.outcome, "ok"));
    ck_assert_uint_eq(scene.handed_back, 1);
    scene_run();
    ck_assert(!schema->stale);
    assert_quiet();
}
END_TEST

START_TEST(no_data_says_why_and_is_not_kept)
{
    uint64_t id = scene_ask("What was the customer satisfaction of Orvanta Systems in 2024?", 0);
    scene_run();
    struct scene_reply reply = scene_reply_to(id);
    ck_assert(bytes_are(reply.answer.outcome, "no_data"));
    ck_assert(bytes_are(reply.answer.reason, "NOT_IN_SCHEMA"));
    ck_assert_ptr_nonnull(value_find(reply.answer.detail, "looked_for").data);
    ck_assert_uint_eq(scene.handed_back, 1);
    assert_quiet();
}
END_TEST

START_TEST(a_part_that_fails_ends_the_question_and_its_other_parts)
{
    uint64_t id = scene_ask(QUESTION, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    ck_assert(scene_answer(scene_open(ROLE_TOOL_EXECUTOR, "SQL_GetSchema")));
    for (int i = 0; i < 3; i++) /* the catalogue's three */
        ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_answer_failure(scene.record, scene_open(ROLE_TOOL_EXECUTOR, "SQL_QueryReadonly"),
                          STATUS_APP_ERROR);
    record_expect_refusal(scene.record, id, STATUS_APP_ERROR, NULL);
    ck_assert_ptr_null(record_open_ask_of(scene.record, ROLE_TOOL_EXECUTOR, NULL));
    scene_run();
    ck_assert_uint_eq(scene.failed, 2);      /* of the part, and of the question */
    ck_assert_uint_eq(scene.handed_back, 2); /* of the other parts */
    assert_quiet();
}
END_TEST

START_TEST(a_conversation_is_part_of_the_key)
{
    struct msg_query query = {.question = bytes_of(QUESTION),
                              .conversation = {"\x91\xa1"
                                               "a",
                                               3}};
    uint64_t one = scene_ask(QUESTION, 0);
    scene_run();
    uint64_t other = scene_ask_with(&query, 0);
    scene_run();
    assert_cache(other, "miss");
    query.conversation = (struct bytes){"\x90", 1}; /* an empty one is none */
    uint64_t same = scene_ask_with(&query, 0);
    scene_run();
    assert_cache(same, "hit");
    ck_assert(bytes_equal(scene_reply_to(one).cache.key, scene_reply_to(same).cache.key));
}
END_TEST

START_TEST(a_version_is_a_tools_and_not_a_questions)
{
    struct msg_query query = {.question = bytes_of(QUESTION),
                              .options = {"\x81\xa7version\xa1"
                                          "9",
                                          11}};
    uint64_t id = scene_ask_with(&query, 0);
    scene_run();
    ck_assert(bytes_are(scene_reply_to(id).answer.outcome, "ok"));
}
END_TEST

START_TEST(an_answer_is_kept_no_longer_than_its_parts_and_by_no_wider_a_scope)
{
    scene.sql_scope = "user";
    scene_start_anew();
    record_step(scene.record, 0);
    uint64_t id = scene_ask(QUESTION, 0);
    scene_run();
    ck_assert(bytes_are(scene_reply_to(id).answer.outcome, "ok"));
    ck_assert_uint_eq(scene.stored, 5);
    ck_assert_uint_eq(scene.handed_back, 1); /* it is for the tenant, its parts are one user's */
    scene.sql_scope = NULL;
    scene_start_anew();
    record_step(scene.record, 0);
    (void)scene_ask(QUESTION, 0);
    struct scene_entry *entry = scene_entry_of(scene_open(ROLE_CACHE_PARTITION, "get"));
    scene_run();
    ck_assert_uint_eq(entry->fresh_ms, 300000);
    for (size_t i = 0; i < scene.entry_count; i++)
        scene.entries[i].fresh_ms = 1000 + i;
    (void)scene_ask("What was the profit of Halvera Health in 2024?", 0);
    entry = scene_entry_of(scene_open(ROLE_CACHE_PARTITION, "get"));
    scene_run();
    ck_assert_uint_ge(entry->fresh_ms, 1000);
    ck_assert_uint_lt(entry->fresh_ms, 1100);
}
END_TEST

START_TEST(a_part_without_the_cache_makes_the_answer_degraded_and_it_is_not_kept)
{
    uint64_t id = scene_ask(QUESTION, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_answer_failure(scene.record, scene_open(ROLE_CACHE_PARTITION, "get"), STATUS_NO_ROLE);
    scene_run();
    ck_assert(is_degraded(id, "cache"));
    ck_assert_uint_eq(scene.handed_back, 1);
    ck_assert_uint_eq(scene.stored, 4);
}
END_TEST

START_TEST(what_fails_while_the_calls_are_begun_ends_the_question_once)
{
    scene.record->ask_status = STATUS_BUSY_FULL;
    uint64_t call = scene_call(SCENE_ECHO, 3, 0), question = scene_ask(QUESTION, 0);
    record_expect_refusal(scene.record, call, STATUS_BUSY_FULL, NULL);
    record_expect_refusal(scene.record, question, STATUS_BUSY_FULL, NULL);
    scene.record->ask_status = STATUS_OK;
    question = scene_ask(QUESTION, 0);
    for (int i = 0; i < 2; i++)
        ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    scene.record->ask_status = STATUS_BUSY_FULL; /* three calls begin, and all fail at once */
    ck_assert(scene_answer(scene_open(ROLE_TOOL_EXECUTOR, "SQL_GetSchema")));
    record_expect_refusal(scene.record, question, STATUS_BUSY_FULL, NULL);
    assert_quiet_but_for_leases();
}
END_TEST

START_TEST(a_deadline_while_a_part_runs_says_that_it_may_have)
{
    uint64_t id = scene_ask(QUESTION, 0);
    for (int i = 0; i < 2; i++)
        ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    (void)scene_open(ROLE_TOOL_EXECUTOR, "SQL_GetSchema");
    record_step(scene.record, (int64_t)RECORD_DEADLINE_MS * US_PER_MS);
    record_expect_refusal(scene.record, id, STATUS_DEADLINE_RUNNING, NULL);
    ck_assert_ptr_null(record_open_ask_of(scene.record, ROLE_TOOL_EXECUTOR, NULL));
}
END_TEST

/* A position that is behind in one number is behind. */
static const struct {
    struct bytes lease, part;
    bool kept;
} positions[] = {
    {{"\x90", 1}, {"\x90", 1}, true},
    {{"\x91\x92\xa1o\x05", 5}, {"\x91\x92\xa1o\x05", 5}, true},
    {{"\x91\x92\xa1o\x05", 5}, {"\x92\x92\xa1p\x01\x92\xa1o\x06", 9}, true},
    {{"\x91\x92\xa1o\x05", 5}, {"\x91\x92\xa1o\x04", 5}, false},
    {{"\x91\x92\xa1o\x05", 5}, {"\x91\x92\xa1p\x05", 5}, false},
    {{"\x91\x92\xa1o\x05", 5}, {NULL, 0}, false},
    {{NULL, 0}, {"\x90", 1}, false},
};

START_TEST(an_answer_on_a_part_that_may_be_older_than_its_lease_is_not_kept)
{
    (void)scene_ask(QUESTION, 0);
    scene_run();
    size_t stored = scene.stored;
    scene.position = positions[_i].lease;
    uint64_t id = scene_ask("What was the profit of Halvera Health in 2024?", 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    scene.position = positions[_i].part;
    scene_run();
    assert_cache(id, "miss");
    /* The statement's own, which was computed, is kept in any case. */
    ck_assert_uint_eq(scene.stored, stored + 1 + positions[_i].kept);
    ck_assert_uint_eq(scene.handed_back, !positions[_i].kept);
    assert_quiet();
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, scene_teardown);
    tcase_add_test(tcase, a_question_is_planned_answered_and_then_a_hit);
    tcase_add_test(tcase, questions_and_calls_share_what_is_cached);
    tcase_add_test(tcase, a_stale_part_is_refreshed_behind_the_question_whose_answer_is_not_kept);
    tcase_add_test(tcase, no_data_says_why_and_is_not_kept);
    tcase_add_test(tcase, a_part_that_fails_ends_the_question_and_its_other_parts);
    tcase_add_test(tcase, a_conversation_is_part_of_the_key);
    tcase_add_test(tcase, a_version_is_a_tools_and_not_a_questions);
    tcase_add_test(tcase, an_answer_is_kept_no_longer_than_its_parts_and_by_no_wider_a_scope);
    tcase_add_test(tcase, a_part_without_the_cache_makes_the_answer_degraded_and_it_is_not_kept);
    tcase_add_test(tcase, what_fails_while_the_calls_are_begun_ends_the_question_once);
    tcase_add_test(tcase, a_deadline_while_a_part_runs_says_that_it_may_have);
    tcase_add_loop_test(tcase, an_answer_on_a_part_that_may_be_older_than_its_lease_is_not_kept, 0,
                        sizeof positions / sizeof positions[0]);
}

int main(void)
{
    return suite_run("driver_questions", add_tests);
}
