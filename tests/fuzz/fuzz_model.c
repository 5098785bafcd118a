/* fuzz_model - whatever a provider of language models answers, a turn ends in one of two ways: with
 * a body of model_turn_result that a driver can read, or with a failure that is UTF-8.
 *
 * Input: a byte that chooses the dialect and the status, and the body of the response. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/dialect_model.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static char arguments[1024], room[RESULT_BYTES_MAX];

static struct bytes write_turn(const char *provider)
{
    char message[64];
    struct writer writer;
    struct bytes body;
    struct msg_model_message said = {.role = {"user", 4}, .text = {"q", 1}};
    struct msg_model_turn turn = {
        .provider = bytes_of(provider), .model = {"m", 1}, .max_tokens = 1};
    writer_init(&writer, message, sizeof message);
    writer_array(&writer, 1);
    enum status status = message_write(MSG_MODEL_MESSAGE, &said, &writer);
    assert(status == STATUS_OK);
    turn.messages = writer_bytes(&writer);
    status = message_encode(MSG_MODEL_TURN, &turn, arguments, sizeof arguments, &body);
    assert(status == STATUS_OK);
    return body;
}

static void check_result(struct bytes body)
{
    struct msg_model_turn_result result;
    struct msg_model_usage usage;
    struct msg_model_call call;
    struct bytes element;
    enum status status = message_decode(MSG_MODEL_TURN_RESULT, body, &result);
    assert(status == STATUS_OK);
    status = message_decode(MSG_MODEL_USAGE, result.usage, &usage);
    assert(status == STATUS_OK);
    struct values values = values_over(result.calls);
    while (values_next(&values, &element)) {
        status = message_decode(MSG_MODEL_CALL, element, &call);
        assert(status == STATUS_OK);
        assert(call.arguments.data == NULL || value_kind(call.arguments) == KIND_MAP);
        assert(call.arguments.data == NULL || value_check(call.arguments, MODEL_NESTING_MAX));
    }
}

static void check(const struct dialogue *dialogue, enum dialogue_next next)
{
    const struct failure *failure = &dialogue->failure;
    if (next == DIALOGUE_DONE) {
        check_result(writer_bytes(&dialogue->data));
        return;
    }
    assert(next == DIALOGUE_FAILED);
    assert(failure->status != STATUS_OK);
    assert(failure->code[0] != '\0');
    assert(cursor_is_utf8(bytes_of(failure->message)));
    assert(strstr(failure->message, dialogue->remote->secret) == NULL);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const unsigned statuses_of[] = {200, 200, 200, 400, 401, 429, 500};
    static struct remote remote = {.name = "x", .url = "https://x", .secret = "sk-secret-of-ours"};
    static struct http_response came;
    struct exchange exchange;
    if (size == 0)
        return 0;
    const struct dialect *dialect = &dialect_model;
    struct dialogue dialogue = {.dialect = dialect,
                                .state = calloc(1, dialect->state_bytes),
                                .remote = &remote,
                                .arguments = write_turn(data[0] % 2 == 0 ? "anthropic" : "openai")};
    assert(dialogue.state != NULL);
    writer_init(&dialogue.data, room, sizeof room);
    enum dialogue_next next = dialect->begin(&dialogue, &exchange);
    assert(next == DIALOGUE_EXCHANGE);
    char *exact = malloc(size);
    assert(exact != NULL);
    memcpy(exact, data + 1, size - 1);
    came = (struct http_response){.end = HTTP_ANSWERED,
                                  .sent = true,
                                  .status = statuses_of[data[0] / 2 % 7],
                                  .body = {exact, size - 1}};
    check(&dialogue, dialect->take(&dialogue, &came, &exchange));
    free(exact);
    dialect->end(&dialogue);
    free(dialogue.state);
    return 0;
}
