/* test_driver - one call as its client sees it, at a stated time: its key, its answer, and how it
 * uses the cache. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/driver/state.h"
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

static void assert_quiet(void)
{
    ck_assert_ptr_null(record_open_ask(scene.record));
    ck_assert_uint_eq(scene_leases_out(), 0);
}

/* --- a call --- */

START_TEST(a_miss_is_computed_stored_and_then_a_hit)
{
    uint64_t first = scene_call(SCENE_ECHO, 3, 0);
    scene_run();
    assert_cache(first, "miss");
    ck_assert_uint_eq(scene_reply_to(first).n, 3);
    ck_assert_uint_eq(scene.stored, 1);
    uint64_t second = scene_call(SCENE_ECHO, 3, 0);
    scene_run();
    assert_cache(second, "hit");
    ck_assert_uint_eq(scene.executed, 1);
    struct scene_reply one = scene_reply_to(first), other = scene_reply_to(second);
    ck_assert_uint_eq(other.n, 3);
    ck_assert_uint_eq(other.cache.age_ms, 5);
    ck_assert(bytes_equal(one.answer.value, other.answer.value));
    ck_assert(bytes_equal(one.cache.key, other.cache.key));
    ck_assert_uint_eq(one.answer.as_of, other.answer.as_of);
    assert_quiet();
}
END_TEST

/* Copied from what is kept, or put together from what an older driver has kept: no byte differs but
 * those of the request. */
START_TEST(a_hit_has_the_bytes_of_an_answer)
{
    char room[2][4096], kept_room[4096];
    struct bytes bodies[2];
    (void)scene_call(SCENE_ECHO, 3, 0);
    scene_run();
    for (int old = 0; old < 2; old++) {
        uint64_t id = scene_call(SCENE_ECHO, 3, 0);
        struct scene_entry *entry = scene_entry_of(scene_open(ROLE_CACHE_PARTITION, "get"));
        if (old) {
            struct msg_kept kept;
            struct bytes body;
            ck_assert_int_eq(
                message_decode(MSG_KEPT, (struct bytes){entry->value, entry->size}, &kept),
                STATUS_OK);
            ck_assert_uint_eq(kept.seal.size, 24);
            kept.seal.data = NULL;
            ck_assert_int_eq(message_encode(MSG_KEPT, &kept, kept_room, sizeof kept_room, &body),
                             STATUS_OK);
            memcpy(entry->value, body.data, body.size);
            entry->size = body.size;
        }
        scene_run();
        assert_cache(id, "hit");
        struct msg_answer answer = scene_reply_to(id).answer;
        ck_assert_int_eq(
            message_encode(MSG_ANSWER, &answer, room[old], sizeof room[old], &bodies[old]),
            STATUS_OK);
        ck_assert(bytes_equal(bodies[old], record_reply_to(scene.record, id)->answer.body));
    }
    ck_assert(bytes_equal(bodies[0], bodies[1]));
    ck_assert_uint_eq(scene.executed, 1);
}
END_TEST

/* Whoever stored it: longer than a driver makes one. */
START_TEST(a_source_beyond_its_bound_is_no_answer)
{
    static char text[RESULT_SOURCE_BYTES];
    char list[2048], *room = malloc(4096); /* the entry's, from now on */
    struct writer writer;
    struct bytes body;
    struct msg_kept kept;
    memset(text, 'x', sizeof text);
    (void)scene_call(SCENE_ECHO, 3, 0);
    scene_run();
    (void)scene_call(SCENE_ECHO, 3, 0);
    struct scene_entry *entry = scene_entry_of(scene_open(ROLE_CACHE_PARTITION, "get"));
    ck_assert_int_eq(message_decode(MSG_KEPT, (struct bytes){entry->value, entry->size}, &kept),
                     STATUS_OK);
    writer_init(&writer, list, sizeof list);
    writer_array(&writer, 1);
    writer_map(&writer, 2);
    writer_cstr(&writer, "tool");
    writer_cstr(&writer, "x");
    writer_cstr(&writer, "more");
    writer_text(&writer, (struct bytes){text, sizeof text});
    kept.sources = writer_bytes(&writer);
    kept.seal.data = NULL;
    ck_assert_int_eq(message_encode(MSG_KEPT, &kept, room, 4096, &body), STATUS_OK);
    free(entry->value);
    entry->value = room;
    entry->size = body.size;
    scene_run();
    ck_assert_uint_eq(scene.executed, 2); /* as if it had not been there */
}
END_TEST

START_TEST(the_reply_does_not_wait_for_the_store)
{
    struct header header = {
        .class = CLASS_CRITICAL, .method = bytes_of(SCENE_ECHO), .deadline_ms = 200};
    uint64_t id = record_send(scene.record, header, (struct bytes){0});
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_step(scene.record, 190 * US_PER_MS);
    ck_assert(scene_answer(scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO)));
    assert_cache(id, "miss");
    ck_assert_ptr_nonnull(record_open_ask_of(scene.record, ROLE_CACHE_PARTITION, "set"));
    scene_run(); /* in its own time, and not in what is left of the request's */
    ck_assert_uint_eq(scene.stored, 1);
}
END_TEST

START_TEST(defaults_make_the_same_key_and_other_arguments_another)
{
    uint64_t ids[3];
    ids[0] = scene_call(SCENE_ECHO, 7, 0);
    scene_run();
    ids[1] = record_send(scene.record,
                         (struct header){.class = CLASS_CRITICAL,
                                         .method = bytes_of("Test.Echo"), /* its alias */
                                         .tenant = bytes_of("acme")},
                         (struct bytes){0});
    scene_run();
    ids[2] = scene_call(SCENE_ECHO, 8, 0);
    scene_run();
    assert_cache(ids[1], "hit");
    assert_cache(ids[2], "miss");
    ck_assert_uint_eq(scene_reply_to(ids[1]).n, 7);
    ck_assert(!bytes_equal(scene_reply_to(ids[0]).cache.key, scene_reply_to(ids[2]).cache.key));
}
END_TEST

START_TEST(tenants_do_not_share_what_is_not_public)
{
    uint64_t one = scene_call(SCENE_ECHO, 3, 0);
    scene_run();
    uint64_t other = record_request(scene.record, SCENE_ECHO, (struct bytes){0});
    scene_run();
    ck_assert(!bytes_equal(scene_reply_to(one).cache.key, scene_reply_to(other).cache.key));
}
END_TEST

START_TEST(an_answer_names_its_source)
{
    struct msg_source source;
    struct bytes element;
    uint64_t id = scene_call(SCENE_ECHO, 3, 0);
    scene_run();
    struct values values = values_over(scene_reply_to(id).answer.sources);
    ck_assert_uint_eq(values.left, 1);
    ck_assert(values_next(&values, &element));
    ck_assert_int_eq(message_decode(MSG_SOURCE, element, &source), STATUS_OK);
    ck_assert(bytes_are(source.tool, SCENE_ECHO));
    ck_assert(bytes_are(source.version, "1.0.0"));
    ck_assert(bytes_are(source.instance, "executor-1"));
    ck_assert(bytes_are(source.cache, "miss"));
    ck_assert(bytes_are(source.execution_method, "local"));
    ck_assert_uint_ne(source.as_of, 0);
}
END_TEST

START_TEST(what_is_stored_has_the_tags_of_what_it_depends_on)
{
    (void)scene_call(SCENE_ECHO, 3, 0);
    struct scene_entry *entry = scene_entry_of(scene_open(ROLE_CACHE_PARTITION, "get"));
    scene_run();
    ck_assert_uint_eq(entry->tag_count, 3);
    ck_assert_uint_eq(entry->tags[0], key_tag('d', bytes_of("tenant:acme")));
    ck_assert_uint_eq(entry->tags[1], key_tag('d', bytes_of("db:demo")));
    ck_assert_uint_eq(entry->tags[2], key_tag('d', bytes_of("t:demo.x")));
    ck_assert_uint_eq(entry->fresh_ms, 300000);
}
END_TEST

START_TEST(a_call_takes_class_tenant_trace_and_a_fresh_key_along)
{
    struct header header = {.class = CLASS_SHEDDABLE_PLUS,
                            .method = bytes_of(SCENE_ECHO),
                            .tenant = bytes_of("acme"),
                            .trace = {"0123456789012345678901234", TRACE_BYTES},
                            .deadline_ms = 1000};
    (void)record_send(scene.record, header, (struct bytes){0});
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    struct recorded_ask first = *scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO);
    ck_assert_int_eq(first.ask.class, CLASS_SHEDDABLE_PLUS);
    ck_assert(bytes_are(name_bytes(&first.origin.tenant), "acme"));
    ck_assert(first.origin.has_trace);
    ck_assert_int_le(first.ask.deadline_at, scene.record->context.now_at + 950 * US_PER_MS);
    ck_assert_int_ne(first.ask.flags & FLAG_IDEMPOTENT, 0);
    ck_assert_int_eq(first.ask.flags & FLAG_COALESCE, 0);
    ck_assert_uint_eq(first.ask.idempotency_key.size, IDEMPOTENCY_KEY_BYTES);
    scene_run();
    (void)scene_call(SCENE_ECHO, 99, FLAG_NO_CACHE); /* 10 s; the tool's timeout is 5 s */
    ck_assert_int_eq(scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO)->ask.deadline_at,
                     scene.record->context.now_at + 5000 * US_PER_MS);
    ck_assert(!bytes_equal(first.ask.idempotency_key,
                           scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO)->ask.idempotency_key));
}
END_TEST

START_TEST(a_tool_that_writes_is_never_cached_and_keeps_the_clients_key)
{
    static const char key[] = "0123456789abcdef";
    struct header header = {.class = CLASS_CRITICAL,
                            .method = bytes_of(SCENE_WRITE),
                            .idempotency_key = {key, IDEMPOTENCY_KEY_BYTES}};
    uint64_t id = record_send(scene.record, header, (struct bytes){0});
    struct recorded_ask *ask = scene_open(ROLE_TOOL_EXECUTOR, SCENE_WRITE);
    ck_assert_mem_eq(ask->ask.idempotency_key.data, key, IDEMPOTENCY_KEY_BYTES);
    ck_assert_int_eq(ask->ask.flags & FLAG_IDEMPOTENT, 0);
    ck_assert_uint_eq(scene.record->started_count, 1);
    scene_run();
    assert_cache(id, "bypass");
    ck_assert_uint_eq(scene.granted, 0);
}
END_TEST

/* --- how a request uses the cache --- */

START_TEST(no_cache_neither_reads_nor_writes)
{
    uint64_t id = scene_call(SCENE_ECHO, 3, FLAG_NO_CACHE);
    ck_assert_ptr_null(record_open_ask_of(scene.record, ROLE_CACHE_PARTITION, NULL));
    scene_run();
    assert_cache(id, "bypass");
    ck_assert_uint_eq(scene.stored, 0);
}
END_TEST

START_TEST(refresh_computes_anew_and_fills)
{
    (void)scene_call(SCENE_ECHO, 3, 0);
    scene_run();
    uint64_t id = scene_call(SCENE_ECHO, 3, FLAG_REFRESH);
    scene_run();
    assert_cache(id, "refresh");
    ck_assert_uint_eq(scene.executed, 2);
    ck_assert_uint_eq(scene.stored, 2);
}
END_TEST

START_TEST(only_if_cached_computes_nothing)
{
    uint64_t id = scene_call(SCENE_ECHO, 3, FLAG_ONLY_IF_CACHED);
    scene_run();
    record_expect_refusal(scene.record, id, STATUS_APP_ERROR, "NOT_CACHED");
    (void)scene_call(SCENE_ECHO, 3, 0);
    scene_run();
    id = scene_call(SCENE_ECHO, 3, FLAG_ONLY_IF_CACHED);
    scene_run();
    assert_cache(id, "hit");
    ck_assert_uint_eq(scene.executed, 1);
    id = scene_call(SCENE_WRITE, 3, FLAG_ONLY_IF_CACHED);
    record_expect_refusal(scene.record, id, STATUS_APP_ERROR, "NOT_CACHED");
    id = scene_ask(QUESTION, FLAG_ONLY_IF_CACHED);
    scene_run();
    record_expect_refusal(scene.record, id, STATUS_APP_ERROR, "NOT_CACHED");
    ck_assert_uint_eq(scene.executed, 1);
}
END_TEST

START_TEST(options_go_to_the_partition_and_shorten_a_life)
{
    struct msg_options said = {.prefix = bytes_of("mine"),
                               .max_age_ms = 4321,
                               .stale_ok = true,
                               .ttl_ms = 1000,
                               .scope = bytes_of("user"),
                               .after = {"\x92\xc4\x01o\x05", 5}};
    struct msg_cache_get get;
    uint64_t id = scene_call_with(SCENE_ECHO, 3, 0, &said);
    struct recorded_ask *ask = scene_open(ROLE_CACHE_PARTITION, "get");
    struct scene_entry *entry = scene_entry_of(ask);
    ck_assert_int_eq(message_decode(MSG_CACHE_GET, ask->ask.body, &get), STATUS_OK);
    ck_assert(bytes_are(get.ns, "mine"));
    ck_assert_uint_eq(get.max_age_ms, 4321);
    ck_assert(get.stale_ok);
    ck_assert(bytes_equal(get.after, said.after));
    scene_run();
    ck_assert_uint_eq(scene_reply_to(id).n, 3);
    ck_assert_uint_eq(entry->fresh_ms, 1000);
    ck_assert_uint_eq(entry->tags[1], key_tag('d', bytes_of("user:acme:")));
}
END_TEST

static const struct {
    const char *method;
    struct bytes body;
    const char *code, *field;
} refused[] = {
    {SCENE_ECHO, {"\x90", 1}, "BAD_ARGUMENTS", ""},
    {SCENE_ECHO, {"\xc1", 1}, "BAD_ARGUMENTS", ""},
    {SCENE_ECHO,
     {"\x81\xa9"
      "arguments\x90",
      12},
     "BAD_ARGUMENTS",
     ""},
    {SCENE_ECHO,
     {"\x81\xa9"
      "arguments\x81\xa1n\xa1x",
      16},
     "BAD_ARGUMENTS",
     "n"},
    {SCENE_ECHO,
     {"\x81\xa9"
      "arguments\x81\xa1z\x01",
      15},
     "BAD_ARGUMENTS",
     "z"},
    {SCENE_ECHO,
     {"\x81\xa7"
      "options\x81\xa5scope\xa1x",
      18},
     "BAD_ARGUMENTS",
     "options/scope"},
    {SCENE_ECHO,
     {"\x81\xa7"
      "options\x81\xa5scope\xa6public",
      23},
     "BAD_ARGUMENTS",
     "options/scope"},
    {SCENE_ECHO,
     {"\x81\xa7"
      "options\x81\xa6prefix\xa1-",
      19},
     "BAD_ARGUMENTS",
     "options/prefix"},
    {SCENE_ECHO,
     {"\x81\xa7"
      "options\x81\xa6ttl_ms\xa1-",
      19},
     "BAD_ARGUMENTS",
     "options"},
    {SCENE_ECHO,
     {"\x81\xa7"
      "options\x81\xa7version\xa1"
      "9",
      20},
     "TOOL_NOT_FOUND",
     "options/version"},
    {"plan", {"\x80", 1}, "NOT_OFFERED", ""},
    {"no such thing", {"\x80", 1}, "TOOL_NOT_FOUND", "method"},
    {"query", {"\x81\xa8question\xa1 ", 12}, "BAD_ARGUMENTS", "question"},
    {"query", {"\x80", 1}, "BAD_REQUEST", ""},
    {"query",
     {"\x82\xa8question\xa1x\xac"
      "conversation\x80",
      26},
     "BAD_ARGUMENTS",
     "conversation"},
};

START_TEST(a_bad_request_is_refused_with_its_field)
{
    struct msg_failure failure;
    uint64_t id = record_request(scene.record, refused[_i].method, refused[_i].body);
    scene_run();
    scene_pass(300 * US_PER_MS);
    scene_run();
    record_expect_refusal(scene.record, id, STATUS_BAD_REQUEST, refused[_i].code);
    ck_assert_int_eq(
        message_decode(MSG_FAILURE, record_reply_to(scene.record, id)->answer.body, &failure),
        STATUS_OK);
    ck_assert_msg(bytes_are(failure.field, refused[_i].field), "%.*s", (int)failure.field.size,
                  failure.field.data);
    ck_assert_uint_eq(scene.granted, 0);
    assert_quiet();
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, scene_teardown);
    tcase_add_test(tcase, a_miss_is_computed_stored_and_then_a_hit);
    tcase_add_test(tcase, a_hit_has_the_bytes_of_an_answer);
    tcase_add_test(tcase, a_source_beyond_its_bound_is_no_answer);
    tcase_add_test(tcase, the_reply_does_not_wait_for_the_store);
    tcase_add_test(tcase, defaults_make_the_same_key_and_other_arguments_another);
    tcase_add_test(tcase, tenants_do_not_share_what_is_not_public);
    tcase_add_test(tcase, an_answer_names_its_source);
    tcase_add_test(tcase, what_is_stored_has_the_tags_of_what_it_depends_on);
    tcase_add_test(tcase, a_call_takes_class_tenant_trace_and_a_fresh_key_along);
    tcase_add_test(tcase, a_tool_that_writes_is_never_cached_and_keeps_the_clients_key);
    tcase_add_test(tcase, no_cache_neither_reads_nor_writes);
    tcase_add_test(tcase, refresh_computes_anew_and_fills);
    tcase_add_test(tcase, only_if_cached_computes_nothing);
    tcase_add_test(tcase, options_go_to_the_partition_and_shorten_a_life);
    tcase_add_loop_test(tcase, a_bad_request_is_refused_with_its_field, 0,
                        sizeof refused / sizeof refused[0]);
}

int main(void)
{
    return suite_run("driver", add_tests);
}
