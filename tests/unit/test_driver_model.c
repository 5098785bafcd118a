/* test_driver_model - a question that a model plans: turns, the calls between them, what of them is
 * kept, and every way in which a model gives no answer. What it says is written here as JSON. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "actors/runtime/json_text.h"
#include "tests/support/driver_scene.h"
#include "tests/support/suite.h"

#define QUESTION "How do one and two compare?"
#define DEMO_QUESTION "What was the Q1 2025 revenue of Orvanta Systems?"
#define TEXT_TURN(text) "{\"end\":\"stop\",\"text\":\"" text "\"}"
#define ECHO_CALL(id, n) "{\"id\":\"" id "\",\"tool\":\"Test_Echo\",\"arguments\":{\"n\":" n "}}"
#define CALLS_TURN(calls) "{\"end\":\"tools\",\"calls\":[" calls "]}"

static const char *const model_flags[] = {"driver.planner=model", "driver.model=test-1", NULL};
static char asked[2 * PAIR_BODY_BYTES_MAX]; /* the last turn's request, as JSON */

static void setup(void)
{
    scene_setup(model_flags);
}

static void restart(const char *const *flags)
{
    scene.flags = flags;
    scene_start_anew();
    record_step(scene.record, 0);
    scene_run();
}

static struct bytes packed(const char *json)
{
    static char room[PAIR_BODY_BYTES_MAX];
    struct writer writer;
    struct json_fault fault;
    writer_init(&writer, room, sizeof room);
    ck_assert_msg(json_text_read(bytes_of(json), 64, &writer, &fault), "%s: %s", json,
                  fault.reason);
    return writer_bytes(&writer);
}

/* What the driver asks a model now. */
static struct recorded_ask *turn(void)
{
    struct recorded_ask *ask = scene_open(ROLE_ARCADE_GATEWAY, "model");
    FILE *out = fmemopen(asked, sizeof asked, "w");
    struct msg_model_turn decoded;
    ck_assert_int_eq(message_decode(MSG_MODEL_TURN, ask->ask.body, &decoded), STATUS_OK);
    ck_assert(json_text_write(ask->ask.body, out));
    fputc('\0', out);
    fclose(out);
    return ask;
}

static void answer(const char *json)
{
    struct answer said = {.status = STATUS_OK, .executed = EXECUTED_YES, .body = packed(json)};
    record_answer(scene.record, turn(), &said);
}

/* The same, and all that follows up to the next turn. */
static void go_on(const char *json)
{
    answer(json);
    scene_run();
}

static void assert_asked(const char *text)
{
    (void)turn();
    ck_assert_msg(strstr(asked, text) != NULL, "%s is not in %s", text, asked);
}

static uint64_t ask(const char *question)
{
    uint64_t id = scene_ask(question, 0);
    scene_run();
    return id;
}

static void assert_text(uint64_t id, const char *text)
{
    struct scene_reply reply = scene_reply_to(id);
    ck_assert_msg(bytes_are(reply.answer.text, text), "%.*s", (int)reply.answer.text.size,
                  reply.answer.text.data);
    ck_assert(bytes_are(reply.answer.outcome, "ok"));
    ck_assert_int_eq(value_kind(reply.answer.value), KIND_NIL);
}

static void assert_cache(uint64_t id, const char *status)
{
    struct scene_reply reply = scene_reply_to(id);
    ck_assert_msg(bytes_are(reply.cache.status, status), "%.*s", (int)reply.cache.status.size,
                  reply.cache.status.data);
}

static bool is_degraded(uint64_t id)
{
    struct scene_reply reply = scene_reply_to(id);
    return bytes_equal(reply.answer.degraded, (struct bytes){"\x91\xa5model", 7});
}

static void assert_quiet(void)
{
    ck_assert_ptr_null(record_open_ask(scene.record));
    ck_assert_uint_eq(scene_leases_out(), 0);
}

static double counted(enum metric metric, const char *label)
{
    return series_value(metrics_series(scene.record->context.metrics, metric, LABELS(label)));
}

/* --- rounds --- */

START_TEST(two_rounds_of_calls_and_a_text_are_an_answer_and_then_a_hit)
{
    uint64_t id = ask(QUESTION);
    assert_asked("\"messages\":[{\"role\":\"user\",\"text\":\"" QUESTION "\"}]");
    assert_asked("\"provider\":\"anthropic\",\"model\":\"test-1\",\"max_tokens\":2048");
    answer("{\"end\":\"tools\",\"text\":\"I look.\",\"calls\":[" ECHO_CALL("a", "1") "," ECHO_CALL(
        "b",
        "2") "],\"usage\":{\"model\":\"test-1-x\",\"input\":100,\"output\":7,\"cache_read\":3}}");
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get"))); /* both at once */
    scene_run();
    assert_asked("{\"role\":\"assistant\",\"text\":\"I look.\",\"calls\":[" ECHO_CALL("a", "1"));
    assert_asked("{\"role\":\"user\",\"results\":[{\"id\":\"a\",\"value\":{\"n\":1},\"failed\":"
                 "false},{\"id\":\"b\",\"value\":{\"n\":2},\"failed\":false}]}");
    go_on(CALLS_TURN(ECHO_CALL("c", "3")));
    answer("{\"end\":\"stop\",\"text\":\"Two is more.\",\"usage\":{\"input\":150,\"output\":5}}");
    scene_run();
    assert_text(id, "Two is more.");
    assert_cache(id, "miss");
    struct scene_reply reply = scene_reply_to(id);
    ck_assert_uint_eq(values_count(reply.answer.sources), 3);
    ck_assert_uint_eq(scene.executed, 3);
    ck_assert_uint_eq(scene.stored, 4);
    id = ask("How do one  and two compare?");
    assert_text(id, "Two is more.");
    assert_cache(id, "hit");
    ck_assert_ptr_null(scene_reply_to(id).answer.usage.data); /* it took none */
    ck_assert_uint_eq(values_count(scene_reply_to(id).answer.sources), 3);
    ck_assert(counted(METRIC_DRIVER_MODEL_TURNS_TOTAL, "calls") == 2);
    ck_assert(counted(METRIC_DRIVER_MODEL_TURNS_TOTAL, "text") == 1);
    ck_assert(counted(METRIC_DRIVER_MODEL_CALLS_TOTAL, "ok") == 3);
    assert_quiet();
}
END_TEST

START_TEST(usage_is_the_sum_of_what_every_turn_said)
{
    struct msg_model_usage usage;
    uint64_t input = 0;
    uint64_t id = ask(QUESTION);
    go_on("{\"end\":\"tools\",\"calls\":[" ECHO_CALL(
        "a", "1") "],\"usage\":{\"model\":\"test-1-x\","
                  "\"input\":100,\"output\":7,\"cache_read\":3}}");
    go_on("{\"end\":\"stop\",\"text\":\"One.\",\"usage\":{\"input\":150,\"output\":5}}");
    ck_assert_int_eq(message_decode(MSG_MODEL_USAGE, scene_reply_to(id).answer.usage, &usage),
                     STATUS_OK);
    ck_assert_uint_eq(usage.turns, 2);
    ck_assert(bytes_are(usage.model, "test-1-x"));
    ck_assert(value_u64(usage.input, &input));
    ck_assert_uint_eq(input, 250);
    ck_assert_ptr_null(usage.cache_read.data); /* said once: it is no sum */
    ck_assert_ptr_null(usage.cache_written.data);
    ck_assert(counted(METRIC_DRIVER_MODEL_TOKENS_TOTAL, "input") == 250);
    ck_assert(counted(METRIC_DRIVER_MODEL_TOKENS_TOTAL, "cache_read") == 3);
}
END_TEST

START_TEST(results_come_back_in_the_order_of_the_calls)
{
    (void)ask(QUESTION);
    answer(CALLS_TURN(ECHO_CALL("a", "1") "," ECHO_CALL("b", "2")));
    for (int i = 0; i < 2; i++)
        ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    struct recorded_ask *first = scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO);
    ck_assert(scene_answer(first + 1)); /* the second's is asked right behind it */
    scene_run();
    assert_asked("{\"id\":\"a\",\"value\":{\"n\":1},\"failed\":false},{\"id\":\"b\",");
}
END_TEST

START_TEST(what_is_cached_of_its_calls_is_shared_with_others)
{
    uint64_t call = scene_call(SCENE_ECHO, 1, 0);
    scene_run();
    ck_assert_uint_eq(scene_reply_to(call).n, 1);
    uint64_t id = ask(QUESTION);
    go_on(CALLS_TURN(ECHO_CALL("a", "1")));
    go_on(TEXT_TURN("One."));
    ck_assert_uint_eq(scene.executed, 1);
    ck_assert_ptr_nonnull(memmem(scene_reply_to(id).answer.sources.data,
                                 scene_reply_to(id).answer.sources.size, "\xa3hit", 4));
}
END_TEST

START_TEST(a_call_that_makes_no_sense_comes_back_to_it_as_an_error)
{
    uint64_t id = ask(QUESTION);
    answer(CALLS_TURN("{\"id\":\"a\",\"tool\":\"Test_Ecco\",\"arguments\":{}},"
                      "{\"id\":\"b\",\"tool\":\"Test_Write\",\"arguments\":{}},"
                      "{\"id\":\"c\",\"tool\":\"Test_Echo\",\"malformed\":\"{n\"},"
                      "{\"id\":\"d\",\"tool\":\"Test_Echo\",\"arguments\":[1]},"
                      "{\"id\":\"e\",\"tool\":\"Test_Echo\",\"arguments\":{\"n\":\"x\"}},"
                      "{\"id\":\"f\",\"tool\":\"Test_Echo\",\"arguments\":{\"m\":1}}"));
    scene_run();
    ck_assert_uint_eq(scene.executed, 0); /* of Test_Write either: it was not offered */
    assert_asked("{\"id\":\"a\",\"value\":{\"error\":{\"code\":\"TOOL_NOT_FOUND\"");
    assert_asked("{\"id\":\"b\",\"value\":{\"error\":{\"code\":\"TOOL_NOT_FOUND\"");
    assert_asked("{\"id\":\"c\",\"value\":{\"error\":{\"code\":\"BAD_ARGUMENTS\"");
    assert_asked("{\"id\":\"c\",\"tool\":\"Test_Echo\",\"malformed\":\"{n\"}");
    assert_asked("{\"id\":\"d\",\"value\":{\"error\":{\"code\":\"BAD_ARGUMENTS\"");
    assert_asked("{\"id\":\"e\",\"value\":{\"error\":{\"code\":\"BAD_ARGUMENTS\"");
    assert_asked("\"field\":\"n\"");
    assert_asked("\"failed\":true");
    go_on(CALLS_TURN(ECHO_CALL("g", "1")));
    go_on(TEXT_TURN("One."));
    assert_text(id, "One.");
    ck_assert_uint_eq(values_count(scene_reply_to(id).answer.sources), 1);
    assert_cache(ask(QUESTION), "hit"); /* it was mended, and would be again */
    ck_assert(counted(METRIC_DRIVER_MODEL_CALLS_TOTAL, "not_made") == 4);
    ck_assert(counted(METRIC_DRIVER_MODEL_CALLS_TOTAL, "failed") == 2);
    assert_quiet();
}
END_TEST

START_TEST(a_call_that_fails_is_told_and_its_answer_is_not_kept)
{
    uint64_t id = ask(QUESTION);
    answer(CALLS_TURN(ECHO_CALL("a", "1") "," ECHO_CALL("b", "2")));
    for (int i = 0; i < 2; i++)
        ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_answer_failure(scene.record, scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO),
                          STATUS_DEADLINE_RUNNING);
    scene_run();
    assert_asked("{\"id\":\"a\",\"value\":{\"error\":{\"code\":\"DEADLINE_RUNNING\"");
    assert_asked("{\"id\":\"b\",\"value\":{\"n\":2},\"failed\":false}");
    go_on(CALLS_TURN(ECHO_CALL("c", "1")));
    go_on(TEXT_TURN("Two."));
    assert_text(id, "Two.");
    assert_quiet();
    (void)ask(QUESTION);
    (void)turn(); /* asked anew */
}
END_TEST

START_TEST(a_call_that_may_not_wait_for_another_is_told_as_failed)
{
    (void)ask(QUESTION);
    (void)scene_call(SCENE_ECHO, 1, 0);
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    answer(CALLS_TURN(ECHO_CALL("a", "1")));
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    record_answer_failure(scene.record, scene_open(ROLE_CACHE_PARTITION, "get"), STATUS_BUSY_FULL);
    scene_run();
    assert_asked("{\"id\":\"a\",\"value\":{\"error\":{\"code\":\"BUSY_FULL\"");
}
END_TEST

START_TEST(an_answer_behind_a_failed_round_or_without_a_call_is_not_kept)
{
    uint64_t id = ask(QUESTION);
    go_on(TEXT_TURN("I know it."));
    assert_text(id, "I know it.");
    id = ask(QUESTION);
    go_on(CALLS_TURN(ECHO_CALL("a", "1")));
    go_on(CALLS_TURN("{\"id\":\"b\",\"tool\":\"No_Tool\",\"arguments\":{}}"));
    go_on(TEXT_TURN("It failed."));
    assert_text(id, "It failed.");
    ck_assert_uint_eq(scene.stored, 1); /* the call's */
    ck_assert_uint_eq(scene.handed_back, 2);
    assert_quiet();
}
END_TEST

/* --- bounds --- */

START_TEST(after_the_last_round_it_is_asked_once_more_without_tools)
{
    uint64_t id = ask(QUESTION);
    for (int i = 0; i < (int)MODEL_ROUNDS_MAX; i++) {
        (void)turn();
        ck_assert_ptr_null(strstr(asked, "\"choice\""));
        go_on(CALLS_TURN(ECHO_CALL("a", "1")));
    }
    assert_asked("\"choice\":\"none\"");
    if (_i == 0) {
        go_on(TEXT_TURN("One, then."));
        assert_text(id, "One, then.");
        ck_assert_uint_eq(values_count(scene_reply_to(id).answer.sources), MODEL_ROUNDS_MAX);
    } else {
        go_on(_i == 1 ? CALLS_TURN(ECHO_CALL("a", "1")) : "{\"end\":\"stop\"}");
        record_expect_refusal(scene.record, id, STATUS_APP_ERROR, "ROUNDS_EXHAUSTED");
    }
    assert_quiet();
}
END_TEST

START_TEST(of_many_calls_in_one_turn_some_run)
{
    char json[4096] = "{\"end\":\"tools\",\"calls\":[";
    for (unsigned i = 0; i < MODEL_CALLS_MAX; i++)
        snprintf(json + strlen(json), sizeof json - strlen(json),
                 "%s{\"id\":\"id-%u\",\"tool\":\"Test_Echo\",\"arguments\":{\"n\":%u}}",
                 i > 0 ? "," : "", i, i);
    strcat(json, "]}");
    uint64_t id = ask(QUESTION);
    for (unsigned i = 0; i < MODEL_ROUNDS_MAX; i++)
        go_on(json);
    ck_assert_uint_eq(scene.executed, MODEL_CALLS_RUN_MAX);
    assert_asked("{\"id\":\"id-5\",\"value\":{\"n\":5},\"failed\":false}");
    assert_asked("{\"id\":\"id-6\",\"value\":{\"error\":{\"code\":\"TOO_MANY_CALLS\"");
    assert_asked("{\"id\":\"id-15\",\"value\":{\"error\":{\"code\":\"TOO_MANY_CALLS\"");
    go_on(TEXT_TURN("Enough."));
    ck_assert_uint_eq(values_count(scene_reply_to(id).answer.sources),
                      MODEL_ROUNDS_MAX * MODEL_CALLS_RUN_MAX);
}
END_TEST

/* A turn with one call more than a turn may have is none. */
START_TEST(too_many_calls_are_no_turn)
{
    char json[4096] = "{\"end\":\"tools\",\"calls\":[";
    for (unsigned i = 0; i <= MODEL_CALLS_MAX; i++)
        snprintf(json + strlen(json), sizeof json - strlen(json), "%s" ECHO_CALL("a", "1"),
                 i > 0 ? "," : "");
    strcat(json, "]}");
    uint64_t id = ask(QUESTION);
    go_on(json);
    record_expect_refusal(scene.record, id, STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE");
}
END_TEST

/* Answer an open call of Test_Echo with a text of so many bytes. */
static void answer_large(size_t size)
{
    static char text[RESULT_BYTES_MAX], data[RESULT_BYTES_MAX];
    struct writer writer;
    struct msg_tool_result result = {.tool = bytes_of(SCENE_ECHO),
                                     .version = bytes_of("1.0.0"),
                                     .success = true,
                                     .deps = {"\x90", 1}};
    memset(text, 'x', size);
    writer_init(&writer, data, sizeof data);
    writer_text(&writer, (struct bytes){text, size});
    result.data = writer_bytes(&writer);
    record_answer_message(scene.record, scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO), MSG_TOOL_RESULT,
                          &result);
}

START_TEST(a_result_that_is_too_large_to_be_read_is_an_error)
{
    (void)ask(QUESTION);
    answer(CALLS_TURN(ECHO_CALL("a", "1")));
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    answer_large(MODEL_RESULT_BYTES_MAX);
    scene_run();
    assert_asked("{\"id\":\"a\",\"value\":{\"error\":{\"code\":\"TOO_LARGE\"");
}
END_TEST

/* A map of maps, so deep. */
static const char *deep(unsigned levels)
{
    static char json[1024];
    json[0] = '\0';
    for (unsigned i = 0; i < levels; i++)
        strcat(json, "{\"n\":");
    strcat(json, "1");
    for (unsigned i = 0; i < levels; i++)
        strcat(json, "}");
    return json;
}

START_TEST(what_is_too_deep_to_be_read_is_an_error)
{
    char json[2048];
    struct msg_tool_result result = {
        .tool = bytes_of(SCENE_ECHO), .version = bytes_of("1.0.0"), .success = true};
    (void)ask(QUESTION);
    answer(CALLS_TURN(ECHO_CALL("a", "1")));
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    result.data = packed(deep(MODEL_NESTING_MAX + 1));
    record_answer_message(scene.record, scene_open(ROLE_TOOL_EXECUTOR, SCENE_ECHO), MSG_TOOL_RESULT,
                          &result);
    scene_run();
    assert_asked("{\"id\":\"a\",\"value\":{\"error\":{\"code\":\"TOO_LARGE\"");
    snprintf(json, sizeof json,
             "{\"end\":\"tools\",\"calls\":[{\"id\":\"b\",\"tool\":\"Test_Echo\","
             "\"arguments\":%s}]}",
             deep(MODEL_NESTING_MAX + 1));
    go_on(json);
    assert_asked("{\"id\":\"b\",\"value\":{\"error\":{\"code\":\"BAD_ARGUMENTS\"");
    assert_asked("{\"id\":\"b\",\"tool\":\"Test_Echo\"}"); /* nor does it go back to it */
}
END_TEST

START_TEST(what_is_always_too_large_does_not_keep_an_answer_from_being_kept)
{
    uint64_t id = ask(QUESTION);
    answer(CALLS_TURN(ECHO_CALL("a", "1")));
    ck_assert(scene_answer(scene_open(ROLE_CACHE_PARTITION, "get")));
    answer_large(MODEL_RESULT_BYTES_MAX);
    scene_run();
    go_on(CALLS_TURN(ECHO_CALL("b", "2")));
    go_on(TEXT_TURN("Two."));
    assert_text(id, "Two.");
    assert_cache(ask(QUESTION), "hit");
}
END_TEST

START_TEST(as_many_questions_as_it_takes_have_room_for_all_their_calls)
{
    static const char *const flags[] = {"driver.planner=model", "driver.model=test-1",
                                        "driver.concurrency=20", NULL};
    char json[1024], call[128], question[32];
    restart(flags);
    for (int i = 0; i < 20; i++) {
        snprintf(question, sizeof question, "Question %d?", i);
        (void)scene_ask(question, FLAG_NO_CACHE);
        strcpy(json, "{\"end\":\"tools\",\"calls\":[");
        for (unsigned k = 0; k < MODEL_CALLS_RUN_MAX; k++) {
            snprintf(call, sizeof call,
                     "%s{\"id\":\"a\",\"tool\":\"Test_Echo\",\"arguments\":{\"n\":%u}}",
                     k > 0 ? "," : "", k);
            strcat(json, call);
        }
        strcat(json, "]}");
        answer(json);
    }
    ck_assert_uint_eq(scene.record->reply_count, 0);
    ck_assert_uint_eq(scene.executed, 0);
    scene_run();
    ck_assert_uint_eq(scene.executed, 20 * MODEL_CALLS_RUN_MAX);
}
END_TEST

START_TEST(a_full_conversation_takes_errors_in_place_of_results)
{
    uint64_t id = scene_ask(QUESTION, FLAG_NO_CACHE);
    for (unsigned round = 0; round < 2; round++) {
        answer(CALLS_TURN(ECHO_CALL("a", "1") "," ECHO_CALL("b", "2") "," ECHO_CALL("c", "3")));
        for (int i = 0; i < 3; i++)
            answer_large(MODEL_RESULT_BYTES_MAX - 8);
    }
    assert_asked(
        "{\"id\":\"b\",\"value\":{\"error\":{\"code\":\"TOO_LARGE\",\"message\":\"no room");
    double used = counted(METRIC_BOUND_USED_RATIO, "model_conversation");
    ck_assert(used > 0.75 && used <= 1);
    go_on(TEXT_TURN("That is much."));
    assert_text(id, "That is much.");
    assert_quiet();
}
END_TEST

START_TEST(a_turn_for_which_there_is_no_room_is_no_answer)
{
    static char text[MODEL_TEXT_BYTES_MAX + 1], json[MODEL_TEXT_BYTES_MAX + 256];
    memset(text, 'x', MODEL_TEXT_BYTES_MAX);
    snprintf(json, sizeof json,
             "{\"end\":\"tools\",\"text\":\"%s\",\"calls\":[" ECHO_CALL("a", "1") "]}", text);
    uint64_t id = ask(QUESTION);
    go_on(json);
    go_on(json);
    go_on(json);
    record_expect_refusal(scene.record, id, STATUS_APP_ERROR, "NO_ANSWER");
    assert_quiet();
}
END_TEST

/* An array of so many turns, JSON. */
static const char *turns_of(unsigned count)
{
    static char json[8192];
    strcpy(json, "[");
    for (unsigned i = 0; i < count; i++)
        snprintf(json + strlen(json), sizeof json - strlen(json),
                 "%s{\"role\":\"%s\",\"text\":\"t%u\"}", i > 0 ? "," : "",
                 i % 2 == 0 ? "user" : "assistant", i);
    strcat(json, "]");
    return json;
}

START_TEST(earlier_turns_are_told_up_to_a_bound)
{
    struct msg_query query = {.question = bytes_of(QUESTION)};
    unsigned most = MODEL_MESSAGES_MAX - 1 - 2 * MODEL_ROUNDS_MAX;
    query.conversation = packed(turns_of(most + 1));
    uint64_t id = scene_ask_with(&query, 0);
    record_expect_refusal(scene.record, id, STATUS_BAD_REQUEST, "BAD_ARGUMENTS");
    query.conversation = packed(turns_of(most));
    id = scene_ask_with(&query, 0);
    scene_run();
    assert_asked("[{\"role\":\"user\",\"text\":\"t0\"},{\"role\":\"assistant\",\"text\":\"t1\"}");
    for (unsigned i = 0; i < MODEL_ROUNDS_MAX; i++)
        go_on(CALLS_TURN(ECHO_CALL("a", "1")));
    ck_assert(counted(METRIC_BOUND_USED_RATIO, "model_messages") == 1);
    go_on(TEXT_TURN("Full."));
    assert_text(id, "Full.");
}
END_TEST

static const char *const no_conversations[] = {
    "[\"a\"]",
    "[{\"role\":\"system\",\"text\":\"a\"}]",
    "[{\"role\":\"user\"}]",
    "[{\"role\":\"user\",\"text\":\"\"}]",
    "[[{\"role\":\"user\",\"text\":\"a\"}]]",
};

START_TEST(what_is_no_conversation_is_refused)
{
    struct msg_query query = {.question = bytes_of(QUESTION),
                              .conversation = packed(no_conversations[_i])};
    uint64_t id = scene_ask_with(&query, 0);
    record_expect_refusal(scene.record, id, STATUS_BAD_REQUEST, "BAD_ARGUMENTS");
    assert_quiet();
}
END_TEST

/* --- without a model --- */

static const enum status no_turns[] = {STATUS_NO_WORKER,    STATUS_CIRCUIT_OPEN,
                                       STATUS_RATE_LIMITED, STATUS_APP_ERROR,
                                       STATUS_WORKER_LOST,  STATUS_DEADLINE_RUNNING};

START_TEST(without_a_model_templates_answer_degraded_and_nothing_is_kept)
{
    uint64_t id = ask(DEMO_QUESTION);
    record_answer_failure(scene.record, turn(), no_turns[_i]);
    scene_run();
    struct scene_reply reply = scene_reply_to(id);
    ck_assert_ptr_nonnull(
        memmem(reply.answer.text.data, reply.answer.text.size, "487,177,000", 11));
    ck_assert(is_degraded(id));
    ck_assert_uint_eq(values_count(reply.answer.sources), 5);
    ck_assert_uint_eq(scene.handed_back, 1);
    assert_quiet();
    (void)ask(DEMO_QUESTION);
    (void)turn(); /* the model is asked again */
}
END_TEST

START_TEST(in_the_middle_of_its_rounds_templates_begin_anew)
{
    uint64_t id = ask(DEMO_QUESTION);
    go_on("{\"end\":\"tools\",\"calls\":[" ECHO_CALL("a", "1") "," ECHO_CALL(
        "b", "2") "],"
                  "\"usage\":{\"input\":10}}");
    record_answer_failure(scene.record, turn(), STATUS_CIRCUIT_OPEN);
    scene_run();
    ck_assert(is_degraded(id));
    ck_assert_uint_eq(values_count(scene_reply_to(id).answer.sources), 5);
    ck_assert_ptr_nonnull(scene_reply_to(id).answer.usage.data); /* it was spent */
    assert_quiet();
}
END_TEST

/* That no template fits, or that one looks for what there is not, says less. */
START_TEST(where_templates_have_no_answer_either_it_is_said_that_the_model_gave_none)
{
    uint64_t id =
        ask(_i == 0 ? QUESTION : "What was the customer satisfaction of Orvanta Systems in 2024?");
    record_answer_failure(scene.record, turn(), STATUS_RATE_LIMITED);
    scene_run();
    record_expect_refusal(scene.record, id, STATUS_RATE_LIMITED, NULL);
    scene.record->ask_status = STATUS_BUSY_FULL; /* nor could anybody be asked */
    id = scene_ask(QUESTION, FLAG_NO_CACHE);
    record_expect_refusal(scene.record, id, STATUS_BUSY_FULL, NULL);
    scene.record->ask_status = STATUS_OK;
    scene_run();
    assert_quiet();
}
END_TEST

START_TEST(without_leave_for_templates_the_models_failure_is_the_answer)
{
    static const char *const flags[] = {"driver.planner=model", "driver.model=test-1",
                                        "driver.model_fallback=false", NULL};
    restart(flags);
    uint64_t id = ask(DEMO_QUESTION);
    record_answer_failure(scene.record, turn(), STATUS_CIRCUIT_OPEN);
    scene_run();
    record_expect_refusal(scene.record, id, STATUS_CIRCUIT_OPEN, NULL);
    assert_quiet();
}
END_TEST

static const struct {
    const char *turn, *code;
} no_answers[] = {
    {"{\"end\":\"refused\",\"text\":\"no\"}", "MODEL_REFUSED"},
    {"{\"end\":\"length\",\"text\":\"One and\"}", "ANSWER_CUT"},
    {"{\"end\":\"length\",\"calls\":[" ECHO_CALL("a", "1") "]}", "ANSWER_CUT"},
    {"{\"end\":\"stop\"}", "NO_ANSWER"},
    {"{\"end\":\"stop\",\"text\":\"\"}", "NO_ANSWER"},
    {"{\"end\":\"tools\",\"calls\":[7]}", "NO_ANSWER"},
};

START_TEST(a_turn_that_is_no_answer_is_a_failure)
{
    uint64_t id = ask(DEMO_QUESTION);
    go_on(no_answers[_i].turn);
    record_expect_refusal(scene.record, id, STATUS_APP_ERROR, no_answers[_i].code);
    assert_quiet();
}
END_TEST

START_TEST(cancelled_or_too_late_the_turn_is_taken_back)
{
    uint64_t id = ask(QUESTION);
    (void)turn();
    if (_i == 0) {
        record_cancel(scene.record, id);
    } else {
        record_step(scene.record, (int64_t)RECORD_DEADLINE_MS * US_PER_MS);
        record_expect_refusal(scene.record, id, STATUS_DEADLINE_RUNNING, NULL);
    }
    ck_assert_ptr_null(record_open_ask_of(scene.record, ROLE_ARCADE_GATEWAY, NULL));
    scene_run();
    assert_quiet();
}
END_TEST

START_TEST(a_stale_answer_is_computed_anew_behind_the_reply)
{
    uint64_t id = ask(QUESTION);
    go_on(CALLS_TURN(ECHO_CALL("a", "1")));
    go_on(TEXT_TURN("One."));
    for (size_t i = 0; i < scene.entry_count; i++)
        scene.entries[i].stale = true;
    id = ask(QUESTION);
    assert_text(id, "One.");
    assert_cache(id, "stale");
    ck_assert_int_eq(turn()->ask.class, CLASS_SHEDDABLE);
    size_t stored = scene.stored;
    go_on(CALLS_TURN(ECHO_CALL("a", "3")));
    go_on(TEXT_TURN("Three."));
    ck_assert_uint_eq(scene.stored, stored + 2);
    assert_text(ask(QUESTION), "Three.");
    assert_quiet();
}
END_TEST

/* --- what it is offered, and keys --- */

START_TEST(it_is_offered_what_only_reads_with_words_and_schemas)
{
    (void)ask(QUESTION);
    assert_asked("\"tools\":[{\"name\":\"SQL_GetSchema\"");
    assert_asked("{\"name\":\"Test_Echo\",\"description\":\"Says what it is told.\","
                 "\"parameters\":{\"type\":\"object\"");
    ck_assert_ptr_null(strstr(asked, SCENE_WRITE));
    ck_assert(counted(METRIC_DRIVER_MODEL_TOOLS, "offered") == 3);
}
END_TEST

START_TEST(a_key_stands_on_case_model_and_tools)
{
    static const char *const other_model[] = {"driver.planner=model", "driver.model=test-2", NULL};
    static const char *const other_tools[] = {"driver.planner=model", "driver.model=test-1",
                                              "driver.model_tools=Test_*", NULL};
    uint64_t ids[4] = {ask(QUESTION), ask("how do one and two compare?")};
    char keys[4][KEY_BYTES_MAX] = {{0}};
    for (int i = 0; i < 4; i++) {
        if (i >= 2) {
            restart(i == 2 ? other_model : other_tools);
            ids[i] = ask(QUESTION);
        }
        go_on(TEXT_TURN("One."));
        struct bytes key = scene_reply_to(ids[i]).cache.key;
        memcpy(keys[i], key.data, key.size);
        for (int k = 0; k < i; k++)
            ck_assert_str_ne(keys[i], keys[k]);
    }
}
END_TEST

/* From now on the executor has Test_Echo alone. */
static void serve_less(void)
{
    char room[512];
    struct writer writer;
    struct msg_directory_method echo = {.role = ROLE_TOOL_EXECUTOR,
                                        .name = bytes_of(SCENE_ECHO),
                                        .version = bytes_of("1.0.0"),
                                        .schema = SCENE_ECHO_SCHEMA,
                                        .workers = 1,
                                        .instance = bytes_of("executor-1")};
    writer_init(&writer, room, sizeof room);
    writer_array(&writer, 1);
    ck_assert_int_eq(message_write(MSG_DIRECTORY_METHOD, &echo, &writer), STATUS_OK);
    struct msg_directory directory = {
        .instance = bytes_of("b1"), .methods = writer_bytes(&writer), .workers = {"\x90", 1}};
    record_gap(scene.record);
    scene_pass(300 * US_PER_MS);
    record_answer_message(scene.record, scene_open(ROLE_BROKER, "directory"), MSG_DIRECTORY,
                          &directory);
}

START_TEST(an_answer_by_other_tools_than_those_of_its_key_is_not_kept)
{
    uint64_t id = ask(QUESTION);
    go_on(CALLS_TURN(ECHO_CALL("a", "1")));
    serve_less();
    go_on(TEXT_TURN("One."));
    assert_text(id, "One.");
    ck_assert_uint_eq(scene.stored, 1); /* the call's */
    ck_assert_uint_eq(scene.handed_back, 1);
    (void)ask(QUESTION);
    (void)turn();
    ck_assert_ptr_null(strstr(asked, "SQL_GetSchema"));
}
END_TEST

START_TEST(a_model_that_is_told_which_may_write_and_writes_once_for_each_call)
{
    static const char *const flags[] = {"driver.planner=model", "driver.model=test-1",
                                        "driver.model_tools=Test_Write, SQL_*",
                                        "driver.model_first_tool=Test_Write", NULL};
    static const char *const turns[] = {
        CALLS_TURN("{\"id\":\"a\",\"tool\":\"Test_Write\",\"arguments\":{}},"
                   "{\"id\":\"b\",\"tool\":\"Test_Write\",\"arguments\":{}}"),
        CALLS_TURN("{\"id\":\"a\",\"tool\":\"Test_Write\",\"arguments\":{}},"
                   "{\"id\":\"b\",\"tool\":\"Test_Write\",\"arguments\":{}}"),
        CALLS_TURN("{\"id\":\"a\",\"tool\":\"Test_Write\",\"arguments\":{\"n\":8}},"
                   "{\"id\":\"b\",\"tool\":\"Test_Write\",\"arguments\":{}}")};
    char body[256], first[3][IDEMPOTENCY_KEY_BYTES];
    struct bytes encoded;
    struct msg_query query = {.question = bytes_of(QUESTION)};
    restart(flags);
    ck_assert_int_eq(message_encode(MSG_QUERY, &query, body, sizeof body, &encoded), STATUS_OK);
    for (int i = 0; i < 3; i++) {
        struct header header = {.class = CLASS_CRITICAL,
                                .method = bytes_of("query"),
                                .tenant = bytes_of("acme"),
                                .idempotency_key = {"0123456789abcdef", 16}};
        (void)record_send(scene.record, header, encoded);
        scene_run();
        assert_asked("\"choice\":\"Test_Write\"");
        ck_assert_ptr_null(strstr(asked, SCENE_ECHO));
        answer(turns[i]);
        struct recorded_ask *write = scene_open(ROLE_TOOL_EXECUTOR, SCENE_WRITE);
        ck_assert(!bytes_equal(write[0].ask.idempotency_key, write[1].ask.idempotency_key));
        memcpy(first[i], write->ask.idempotency_key.data, IDEMPOTENCY_KEY_BYTES);
        scene_run();
        (void)turn();
        ck_assert_ptr_null(strstr(asked, "\"choice\""));
        go_on(TEXT_TURN("Written."));
    }
    ck_assert_mem_eq(first[0], first[1], IDEMPOTENCY_KEY_BYTES);
    ck_assert_mem_ne(first[0], first[2], IDEMPOTENCY_KEY_BYTES); /* it writes something else */
    ck_assert_uint_eq(scene.stored, 0);
    assert_quiet();
}
END_TEST

START_TEST(without_any_tools_it_is_asked_all_the_same)
{
    struct msg_directory none = {
        .instance = bytes_of("b1"), .methods = {"\x90", 1}, .workers = {"\x90", 1}};
    scene_start_anew();
    uint64_t id = scene_ask(QUESTION, 0);
    record_step(scene.record, 0);
    record_answer_message(scene.record, scene_open(ROLE_BROKER, "directory"), MSG_DIRECTORY, &none);
    scene_run();
    assert_asked("\"tools\":[]");
    go_on(TEXT_TURN("Nothing is here."));
    assert_text(id, "Nothing is here.");
}
END_TEST

START_TEST(what_its_turns_took_is_part_of_what_an_answer_costs)
{
    struct msg_cache_set set = {.cost_us = 0};
    (void)ask(QUESTION);
    scene_pass(50 * US_PER_MS);
    go_on(CALLS_TURN(ECHO_CALL("a", "1")));
    answer(TEXT_TURN("One."));
    struct recorded_ask *store = scene_open(ROLE_CACHE_PARTITION, "set");
    ck_assert_int_eq(message_decode(MSG_CACHE_SET, store->ask.body, &set), STATUS_OK);
    ck_assert_uint_ge(set.cost_us, 50 * US_PER_MS);
    scene_run();
}
END_TEST

START_TEST(before_the_directory_is_known_a_question_waits_for_it)
{
    scene_start_anew();
    (void)scene_ask(QUESTION, 0);
    ck_assert_ptr_null(record_open_ask_of(scene.record, ROLE_CACHE_PARTITION, NULL));
    record_step(scene.record, 0);
    scene_run();
    assert_asked("\"name\":\"Test_Echo\"");
}
END_TEST

/* --- settings --- */

static const struct {
    const char *flags[4];
    const char *reason;
} bad_settings[] = {
    {{"driver.planner=oracle"}, "driver.planner: must be template or model"},
    {{"driver.planner=model"}, "driver.model: name the model"},
    {{"driver.planner=model", "driver.model=a", "driver.model_provider=x"},
     "driver.model_provider: must be anthropic or openai"},
    {{"driver.planner=model", "driver.model=a", "driver.model_system=/does/not/exist"},
     "driver.model_system: /does/not/exist cannot be read"},
    {{"driver.planner=model", "driver.model=a", "driver.model_system=/dev/null"},
     "driver.model_system: /dev/null must be 1 to 16384 bytes of UTF-8"},
    {{"driver.planner=model", "driver.model=a", "driver.model_system=/dev/zero"},
     "driver.model_system: /dev/zero must be 1 to 16384 bytes of UTF-8"},
};

START_TEST(a_setting_that_makes_no_sense_is_said)
{
    char reason[SETTINGS_REASON_BYTES] = "";
    ck_assert_ptr_null(record_try(&driver_spec, bad_settings[_i].flags, reason, sizeof reason));
    ck_assert_msg(strncmp(reason, bad_settings[_i].reason, strlen(bad_settings[_i].reason)) == 0,
                  "%s", reason);
}
END_TEST

START_TEST(what_it_is_told_first_comes_from_a_file)
{
    char path[] = "/tmp/fact-test-XXXXXX", flag[64];
    const char *flags[] = {"driver.planner=model", "driver.model=test-1", flag,
                           "driver.model_max_tokens=77", NULL};
    int file = mkstemp(path);
    ck_assert_int_eq(write(file, "Be brief.", 9), 9);
    close(file);
    snprintf(flag, sizeof flag, "driver.model_system=%s", path);
    uint64_t ids[2] = {ask(QUESTION), 0};
    go_on(TEXT_TURN("One."));
    struct bytes key = scene_reply_to(ids[0]).cache.key;
    char before[KEY_BYTES_MAX];
    memcpy(before, key.data, key.size);
    restart(flags);
    unlink(path);
    ids[1] = ask(QUESTION);
    assert_asked("\"max_tokens\":77,\"system\":\"Be brief.\"");
    go_on(TEXT_TURN("One."));
    ck_assert_mem_ne(scene_reply_to(ids[1]).cache.key.data, before, key.size);
}
END_TEST

#define COUNT(rows) ((int)(sizeof(rows) / sizeof(rows)[0]))

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, scene_teardown);
    tcase_add_test(tcase, two_rounds_of_calls_and_a_text_are_an_answer_and_then_a_hit);
    tcase_add_test(tcase, usage_is_the_sum_of_what_every_turn_said);
    tcase_add_test(tcase, results_come_back_in_the_order_of_the_calls);
    tcase_add_test(tcase, what_is_cached_of_its_calls_is_shared_with_others);
    tcase_add_test(tcase, a_call_that_makes_no_sense_comes_back_to_it_as_an_error);
    tcase_add_test(tcase, a_call_that_fails_is_told_and_its_answer_is_not_kept);
    tcase_add_test(tcase, a_call_that_may_not_wait_for_another_is_told_as_failed);
    tcase_add_test(tcase, an_answer_behind_a_failed_round_or_without_a_call_is_not_kept);
    tcase_add_loop_test(tcase, after_the_last_round_it_is_asked_once_more_without_tools, 0, 3);
    tcase_add_test(tcase, of_many_calls_in_one_turn_some_run);
    tcase_add_test(tcase, too_many_calls_are_no_turn);
    tcase_add_test(tcase, a_result_that_is_too_large_to_be_read_is_an_error);
    tcase_add_test(tcase, what_is_too_deep_to_be_read_is_an_error);
    tcase_add_test(tcase, what_is_always_too_large_does_not_keep_an_answer_from_being_kept);
    tcase_add_test(tcase, as_many_questions_as_it_takes_have_room_for_all_their_calls);
    tcase_add_test(tcase, a_full_conversation_takes_errors_in_place_of_results);
    tcase_add_test(tcase, a_turn_for_which_there_is_no_room_is_no_answer);
    tcase_add_test(tcase, earlier_turns_are_told_up_to_a_bound);
    tcase_add_loop_test(tcase, what_is_no_conversation_is_refused, 0, COUNT(no_conversations));
    tcase_add_loop_test(tcase, without_a_model_templates_answer_degraded_and_nothing_is_kept, 0,
                        COUNT(no_turns));
    tcase_add_test(tcase, in_the_middle_of_its_rounds_templates_begin_anew);
    tcase_add_loop_test(
        tcase, where_templates_have_no_answer_either_it_is_said_that_the_model_gave_none, 0, 2);
    tcase_add_test(tcase, without_leave_for_templates_the_models_failure_is_the_answer);
    tcase_add_loop_test(tcase, a_turn_that_is_no_answer_is_a_failure, 0, COUNT(no_answers));
    tcase_add_loop_test(tcase, cancelled_or_too_late_the_turn_is_taken_back, 0, 2);
    tcase_add_test(tcase, a_stale_answer_is_computed_anew_behind_the_reply);
    tcase_add_test(tcase, it_is_offered_what_only_reads_with_words_and_schemas);
    tcase_add_test(tcase, a_key_stands_on_case_model_and_tools);
    tcase_add_test(tcase, an_answer_by_other_tools_than_those_of_its_key_is_not_kept);
    tcase_add_test(tcase, a_model_that_is_told_which_may_write_and_writes_once_for_each_call);
    tcase_add_test(tcase, without_any_tools_it_is_asked_all_the_same);
    tcase_add_test(tcase, what_its_turns_took_is_part_of_what_an_answer_costs);
    tcase_add_test(tcase, before_the_directory_is_known_a_question_waits_for_it);
    tcase_add_loop_test(tcase, a_setting_that_makes_no_sense_is_said, 0, COUNT(bad_settings));
    tcase_add_test(tcase, what_it_is_told_first_comes_from_a_file);
}

int main(void)
{
    return suite_run("driver_model", add_tests);
}
