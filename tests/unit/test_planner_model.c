/* test_planner_model - a conversation at its bound: whatever turns and results fill it, in whatever
 * sizes, each call has one result, and the next turn is a body that can be sent. Seeds are stated.
 */
#include <string.h>

#include "actors/driver/planner_model.h"
#include "tests/support/suite.h"

#define SEEDS 40

static const struct model_terms terms = {
    .provider = {"openai", 6}, .model = {"m", 1}, .max_tokens = 1, .rounds_max = MODEL_ROUNDS_MAX};
static struct model_tools *tools;
static struct talk talk;
static char text[MODEL_TEXT_BYTES_MAX], value[MODEL_RESULT_BYTES_MAX];
static char body[PAIR_BODY_BYTES_MAX], calls[65536];
static size_t refused;

static void setup(void)
{
    tools = model_tools_new("");
    memset(text, 'x', sizeof text);
    planner_model_begin(&talk, malloc(MODEL_CONVERSATION_BYTES_MAX), (struct bytes){0},
                        (struct bytes){"q", 1});
}

static void teardown(void)
{
    free(talk.memory);
    model_tools_destroy(&tools);
}

/* So many calls with the longest ids there may be, each of its own. */
static struct bytes write_calls(unsigned count)
{
    char id[MODEL_CALL_ID_BYTES_MAX];
    struct writer writer;
    writer_init(&writer, calls, sizeof calls);
    writer_array(&writer, count);
    for (unsigned i = 0; i < count; i++) {
        memset(id, 'a' + (int)i, sizeof id);
        struct msg_model_call call = {
            .id = {id, sizeof id}, .tool = {"T_T", 3}, .arguments = {"\x80", 1}};
        ck_assert_int_eq(message_write(MSG_MODEL_CALL, &call, &writer), STATUS_OK);
    }
    return writer_bytes(&writer);
}

/* A result of about so many bytes. */
static struct bytes write_value(size_t size)
{
    struct writer writer;
    writer_init(&writer, value, sizeof value);
    writer_text(&writer, (struct bytes){text, size});
    ck_assert(!writer.full);
    return writer_bytes(&writer);
}

/* The last message has one result for each call, in order. */
static void check_results(const struct planner_step *step)
{
    struct msg_model_turn turn;
    struct msg_model_message message = {.role = {NULL, 0}};
    struct msg_model_result result;
    struct bytes element;
    size_t count = 0;
    struct bytes sent = planner_model_turn(&talk, &terms, model_tools_list(tools), body);
    ck_assert_int_eq(message_decode(MSG_MODEL_TURN, sent, &turn), STATUS_OK);
    struct values messages_in = values_over(turn.messages);
    while (values_next(&messages_in, &element))
        ck_assert_int_eq(message_decode(MSG_MODEL_MESSAGE, element, &message), STATUS_OK);
    struct values values = values_over(message.results);
    for (; values_next(&values, &element); count++) {
        ck_assert_int_eq(message_decode(MSG_MODEL_RESULT, element, &result), STATUS_OK);
        ck_assert(bytes_equal(result.id, step->calls[count].id));
        refused += result.failed;
    }
    ck_assert_uint_eq(count, step->call_count);
    ck_assert_uint_le(talk.used, MODEL_CONVERSATION_BYTES_MAX);
}

/* One turn and its results, of sizes by chance; false: there was no room for the turn. */
static bool play(uint64_t *seed, size_t text_max, size_t result_min)
{
    struct planner_step step;
    struct msg_model_result results[PLANNER_CALLS_MAX];
    unsigned count = 2 + (unsigned)(random_next(seed) % (MODEL_CALLS_MAX - 1));
    struct msg_model_turn_result came = {.end = {"tools", 5},
                                         .text = {text, random_next(seed) % text_max},
                                         .calls = write_calls(count)};
    enum turn_end end = planner_model_take(&talk, &terms, &came, tools, &step);
    if (end != TURN_CALLS) {
        ck_assert_int_eq(end, TURN_NOTHING);
        return false;
    }
    ck_assert_uint_eq(step.call_count, count);
    size_t size = result_min + random_next(seed) % (MODEL_RESULT_BYTES_MAX - 8 - result_min);
    for (unsigned i = 0; i < count; i++)
        results[i] = (struct msg_model_result){.id = step.calls[i].id, .value = write_value(size)};
    planner_model_tell(&talk, results, count);
    check_results(&step);
    return true;
}

START_TEST(it_may_be_filled_in_any_way)
{
    uint64_t seed = 20261128 + (uint64_t)_i;
    bool by_results = _i % 2 != 0;
    size_t text_max = by_results ? 1000 : MODEL_TEXT_BYTES_MAX;
    unsigned rounds = 0;
    while (rounds < MODEL_ROUNDS_MAX && play(&seed, text_max, by_results ? 24000 : 0))
        rounds++;
    ck_assert_uint_eq(talk.rounds, rounds);
    if (by_results) { /* of results alone: it is full, and goes on */
        ck_assert_uint_gt(talk.used, MODEL_CONVERSATION_BYTES_MAX / 2);
        ck_assert_uint_gt(refused, 0);
    }
}
END_TEST

/* The room that a turn leaves is enough for what its calls come to, to the last byte. */
START_TEST(a_turn_is_taken_only_with_room_for_its_results)
{
    struct msg_model_result results[PLANNER_CALLS_MAX];
    struct planner_step step;
    unsigned taken = 0, left_out = 0;
    for (size_t size = 0; size < 16384; size += 29) {
        struct msg_model_turn_result came = {.end = {"tools", 5}, .text = {text, 65000}};
        char *memory = talk.memory;
        planner_model_begin(&talk, memory, (struct bytes){0}, (struct bytes){"q", 1});
        for (int i = 0; i < 2; i++) { /* most of it */
            came.calls = write_calls(1);
            ck_assert_int_eq(planner_model_take(&talk, &terms, &came, tools, &step), TURN_CALLS);
            results[0] = (struct msg_model_result){step.calls[0].id, write_value(1), false};
            planner_model_tell(&talk, results, 1);
        }
        came.text.size = 16384 + size;
        came.calls = write_calls(MODEL_CALLS_MAX);
        if (planner_model_take(&talk, &terms, &came, tools, &step) != TURN_CALLS) {
            left_out++;
            continue;
        }
        taken++;
        for (size_t i = 0; i < step.call_count; i++)
            results[i] = (struct msg_model_result){step.calls[i].id, write_value(20000), false};
        planner_model_tell(&talk, results, step.call_count);
        check_results(&step);
    }
    ck_assert_uint_gt(taken, 0);
    ck_assert_uint_gt(left_out, 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, it_may_be_filled_in_any_way, 0, SEEDS);
    tcase_add_test(tcase, a_turn_is_taken_only_with_room_for_its_results);
}

int main(void)
{
    return suite_run("planner_model", add_tests);
}
