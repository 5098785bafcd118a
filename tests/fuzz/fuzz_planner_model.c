/* fuzz_planner_model - nothing that a model says may crash its planner, or break the next turn:
 * what it is asked is always a body that the gateway can read, each call gets one result, and
 * rounds, messages and bytes stay within their bounds.
 *
 * The input is a list of turns, each with its length before it, and what a call returns. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/driver/planner_model.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const struct model_terms terms = {.provider = {"openai", 6},
                                         .model = {"m", 1},
                                         .system = {"s", 1},
                                         .max_tokens = 1,
                                         .rounds_max = MODEL_ROUNDS_MAX};

/* The offer: one tool. */
static struct model_tools *new_tools(void)
{
    char room[512];
    struct writer writer;
    struct msg_tool_definition echo = {
        .name = {"Test_Echo", 9}, .version = {"1", 1}, .schema = 1, .read_only = true};
    struct registry *registry = registry_new();
    struct model_tools *tools = model_tools_new("");
    writer_init(&writer, room, sizeof room);
    writer_array(&writer, 1);
    enum status status = message_write(MSG_TOOL_DEFINITION, &echo, &writer);
    assert(status == STATUS_OK);
    size_t taken =
        registry_take_definitions(registry, &(struct msg_tool_definitions){writer_bytes(&writer)});
    assert(taken == 1);
    model_tools_choose(tools, registry);
    assert(model_tools_count(tools) == 1);
    registry_destroy(&registry);
    return tools;
}

static void check_turn(struct talk *talk, const struct model_tools *tools)
{
    static char body[PAIR_BODY_BYTES_MAX];
    struct msg_model_turn turn;
    struct msg_model_message message;
    struct bytes element;
    unsigned count = 0;
    struct bytes asked = planner_model_turn(talk, &terms, model_tools_list(tools), body);
    enum status status = message_decode(MSG_MODEL_TURN, asked, &turn);
    assert(status == STATUS_OK);
    struct values values = values_over(turn.messages);
    while (values_next(&values, &element)) {
        status = message_decode(MSG_MODEL_MESSAGE, element, &message);
        assert(status == STATUS_OK);
        count++;
    }
    assert(count == talk->messages);
    assert(talk->used <= MODEL_CONVERSATION_BYTES_MAX);
}

/* Tell what its calls came to: each the same bytes, if they are a value. */
static void tell(struct talk *talk, const struct planner_step *step, struct bytes result)
{
    struct msg_model_result results[PLANNER_CALLS_MAX];
    for (size_t i = 0; i < step->call_count; i++) {
        const struct planner_call *call = &step->calls[i];
        assert((call->code == NULL) == (call->reason == NULL));
        assert(call->code != NULL || strcmp(call->tool, "Test_Echo") == 0);
        assert(call->code != NULL || value_kind(call->arguments) == KIND_MAP);
        results[i] = (struct msg_model_result){.id = call->id, .value = result};
    }
    planner_model_tell(talk, results, step->call_count);
}

static enum turn_end take(struct talk *talk, const struct model_tools *tools, struct bytes body)
{
    struct msg_model_turn_result came;
    struct planner_step step;
    char *exact = malloc(body.size + 1);
    assert(exact != NULL);
    memcpy(exact, body.data, body.size);
    enum turn_end end = TURN_NOTHING;
    if (message_decode(MSG_MODEL_TURN_RESULT, (struct bytes){exact, body.size}, &came) == STATUS_OK)
        end = planner_model_take(talk, &terms, &came, tools, &step);
    bool is_value = body.size <= MODEL_RESULT_BYTES_MAX && value_check(body, MODEL_NESTING_MAX);
    if (end == TURN_CALLS)
        tell(talk, &step, is_value ? body : (struct bytes){"\xc0", 1});
    free(exact);
    return end;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char usage[512];
    struct bytes rest = {(const char *)data, size};
    struct model_tools *tools = new_tools();
    char *memory = malloc(MODEL_CONVERSATION_BYTES_MAX);
    struct talk talk = {0};
    assert(memory != NULL);
    planner_model_begin(&talk, memory, (struct bytes){0}, (struct bytes){"q", 1});
    check_turn(&talk, tools);
    while (rest.size > 2) {
        size_t length = ((unsigned char)rest.data[0] << 8u) | (unsigned char)rest.data[1];
        rest = (struct bytes){rest.data + 2, rest.size - 2};
        length = length < rest.size ? length : rest.size;
        if (take(&talk, tools, (struct bytes){rest.data, length}) != TURN_CALLS)
            break;
        assert(talk.rounds <= MODEL_ROUNDS_MAX);
        check_turn(&talk, tools);
        rest = (struct bytes){rest.data + length, rest.size - length};
    }
    struct bytes said = planner_model_usage(&talk, usage, sizeof usage);
    assert(said.data == NULL || value_check(said, BODY_NESTING_MAX));
    free(memory);
    model_tools_destroy(&tools);
    return 0;
}
