/* test_dialect_model - one turn of a model in the dialect of each provider: what is sent, byte for
 * byte as JSON; what of an answer is taken; and what every failure becomes. Our key stands in one
 * header, and nowhere else. */
#include <stdio.h>
#include <string.h>

#include "actors/arcade_gateway/dialect_model.h"
#include "actors/runtime/json_text.h"
#include "tests/support/suite.h"

#define KEY "sk-test-0123456789"

static const char *const providers[] = {"anthropic", "openai"};
static struct remote remote;
static struct dialogue dialogue;
static struct exchange exchange;
static char arguments[PAIR_BODY_BYTES_MAX], data[RESULT_BYTES_MAX];

static struct bytes packed(const char *json, char *out, size_t size)
{
    struct writer writer;
    struct json_fault fault;
    writer_init(&writer, out, size);
    ck_assert_msg(json_text_read(bytes_of(json), 64, &writer, &fault), "%s: %s", json,
                  fault.reason);
    ck_assert_ptr_nonnull(writer_bytes(&writer).data);
    return writer_bytes(&writer);
}

static const char *unpacked(struct bytes value)
{
    static char json[4 * PAIR_BODY_BYTES_MAX];
    FILE *out = fmemopen(json, sizeof json, "w");
    ck_assert(json_text_write(value, out));
    fputc('\0', out);
    fclose(out);
    return json;
}

static void end(void)
{
    if (dialogue.state != NULL)
        dialogue.dialect->end(&dialogue);
    free(dialogue.state);
    dialogue.state = NULL;
}

/* Begin a turn; what it says of its provider is put right. */
static enum dialogue_next begin(const char *provider, const char *turn)
{
    static char json[32768];
    const char *rest = strchr(turn, ',');
    snprintf(json, sizeof json, "{\"provider\":\"%s\"%s", provider, rest != NULL ? rest : "}");
    end();
    remote = (struct remote){.url = "https://api.example.com", .secret = KEY};
    snprintf(remote.name, sizeof remote.name, "%s",
             strcmp(provider, "openai") == 0 ? "OpenAI" : "Anthropic");
    dialogue = (struct dialogue){.dialect = &dialect_model,
                                 .state = calloc(1, dialect_model.state_bytes),
                                 .remote = &remote,
                                 .unix_ms = 1000};
    dialogue.arguments = packed(json, arguments, sizeof arguments);
    writer_init(&dialogue.data, data, sizeof data);
    return dialect_model.begin(&dialogue, &exchange);
}

static const char *header(const char *name)
{
    for (size_t i = 0; i < exchange.http.header_count; i++)
        if (strcmp(exchange.http.headers[i].name, name) == 0)
            return exchange.http.headers[i].value;
    return "";
}

static void assert_body(const char *json)
{
    char expected[8192];
    snprintf(expected, sizeof expected, "%s", json);
    ck_assert_msg(bytes_are(exchange.http.body, expected), "%.*s\nis not\n%s",
                  (int)exchange.http.body.size, exchange.http.body.data, expected);
}

static enum dialogue_next respond(unsigned status, const char *body)
{
    static struct http_response came; /* it is large */
    struct bytes text = bytes_of(body);
    char *exact = malloc(text.size + 1);
    came = (struct http_response){.end = HTTP_ANSWERED, .sent = true, .status = status};
    memcpy(exact, text.data, text.size);
    came.body = (struct bytes){exact, text.size};
    enum dialogue_next next = dialogue.dialect->take(&dialogue, &came, &exchange);
    free(exact);
    return next;
}

static void assert_said(const char *json)
{
    struct bytes said = writer_bytes(&dialogue.data);
    struct msg_model_turn_result result;
    ck_assert_int_eq(message_decode(MSG_MODEL_TURN_RESULT, said, &result), STATUS_OK);
    ck_assert_str_eq(unpacked(said), json);
}

static void assert_failure(enum status status, const char *code)
{
    ck_assert_str_eq(statuses[dialogue.failure.status].name, statuses[status].name);
    ck_assert_str_eq(dialogue.failure.code, code);
    ck_assert_ptr_null(strstr(dialogue.failure.message, KEY));
}

/* --- what is sent --- */

#define TURN                                                                                       \
    "{\"provider\":\"x\",\"model\":\"m-1\",\"max_tokens\":100,\"system\":\"Be brief.\","           \
    "\"messages\":["                                                                               \
    "{\"role\":\"user\",\"text\":\"How much?\"},"                                                  \
    "{\"role\":\"assistant\",\"text\":\"I look.\",\"calls\":["                                     \
    "{\"id\":\"a\",\"tool\":\"SQL_Read\",\"arguments\":{\"n\":1,\"x\":2.5}},"                      \
    "{\"id\":\"b\",\"tool\":\"SQL_Read\",\"malformed\":\"{n\"}]},"                                 \
    "{\"role\":\"user\",\"results\":["                                                             \
    "{\"id\":\"a\",\"value\":{\"rows\":[\"\\\"\"]},\"failed\":false},"                             \
    "{\"id\":\"b\",\"value\":{\"error\":{\"code\":\"BAD\"}},\"failed\":true}]}],"                  \
    "\"tools\":[{\"name\":\"SQL_Read\",\"description\":\"Reads.\",\"parameters\":"                 \
    "{\"type\":\"object\"}},{\"name\":\"Test_None\"}],\"choice\":\"%s\"}"

static const char *turn_with(const char *choice)
{
    static char json[4096];
    snprintf(json, sizeof json, TURN, choice);
    return json;
}

START_TEST(a_turn_is_written_as_anthropic_reads_it)
{
    ck_assert_int_eq(begin("anthropic", turn_with("SQL_Read")), DIALOGUE_EXCHANGE);
    ck_assert_str_eq(exchange.http.url, "https://api.example.com/v1/messages");
    ck_assert_int_eq(exchange.http.method, HTTP_POST);
    ck_assert_str_eq(header("x-api-key"), KEY);
    ck_assert_str_eq(header("anthropic-version"), "2023-06-01");
    ck_assert_str_eq(header("Content-Type"), "application/json");
    ck_assert_str_eq(header("Authorization"), "");
    assert_body(
        "{\"model\":\"m-1\",\"max_tokens\":100,"
        "\"tools\":[{\"name\":\"SQL_Read\",\"description\":\"Reads.\",\"input_schema\":"
        "{\"type\":\"object\"}},{\"name\":\"Test_None\",\"input_schema\":{\"type\":\"object\","
        "\"properties\":{}}}],\"tool_choice\":{\"type\":\"tool\",\"name\":\"SQL_Read\"},"
        "\"system\":[{\"type\":\"text\",\"text\":\"Be brief.\"}],"
        "\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"How "
        "much?\"}]},{\"role\":\"assistant\",\"content\":[{\"type\":\"text\",\"text\":\"I "
        "look.\"},{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"SQL_Read\",\"input\":{\"n\":1,"
        "\"x\":2.5}},{\"type\":\"tool_use\",\"id\":\"b\",\"name\":\"SQL_Read\",\"input\":{}}]},"
        "{\"role\":\"user\",\"content\":[{\"type\":\"tool_result\",\"tool_use_id\":\"a\","
        "\"content\":\"{\\\"rows\\\":[\\\"\\\\\\\"\\\"]}\"},{\"type\":\"tool_result\","
        "\"tool_use_id\":\"b\",\"content\":\"{\\\"error\\\":{\\\"code\\\":\\\"BAD\\\"}}\","
        "\"is_error\":true}]}]}");
}
END_TEST

START_TEST(a_turn_is_written_as_openai_reads_it)
{
    ck_assert_int_eq(begin("openai", turn_with("SQL_Read")), DIALOGUE_EXCHANGE);
    ck_assert_str_eq(exchange.http.url, "https://api.example.com/v1/chat/completions");
    ck_assert_str_eq(header("Authorization"), "Bearer " KEY);
    ck_assert_str_eq(header("x-api-key"), "");
    assert_body(
        "{\"model\":\"m-1\",\"max_completion_tokens\":100,"
        "\"messages\":[{\"role\":\"system\",\"content\":\"Be brief.\"},"
        "{\"role\":\"user\",\"content\":\"How much?\"},"
        "{\"role\":\"assistant\",\"content\":\"I look.\",\"tool_calls\":["
        "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"SQL_Read\",\"arguments\":"
        "\"{\\\"n\\\":1,\\\"x\\\":2.5}\"}},{\"id\":\"b\",\"type\":\"function\",\"function\":"
        "{\"name\":\"SQL_Read\",\"arguments\":\"{n\"}}]},"
        "{\"role\":\"tool\",\"tool_call_id\":\"a\",\"content\":"
        "\"{\\\"rows\\\":[\\\"\\\\\\\"\\\"]}\"},{\"role\":\"tool\",\"tool_call_id\":\"b\","
        "\"content\":\"{\\\"error\\\":{\\\"code\\\":\\\"BAD\\\"}}\"}],"
        "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"SQL_Read\",\"description\":"
        "\"Reads.\",\"parameters\":{\"type\":\"object\"}}},{\"type\":\"function\",\"function\":"
        "{\"name\":\"Test_None\",\"parameters\":{\"type\":\"object\",\"properties\":{}}}}],"
        "\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"SQL_Read\"}}}");
}
END_TEST

static const struct {
    const char *choice, *said;
    int dialect;
} choices[] = {{"none", "\"tool_choice\":{\"type\":\"none\"}", 0},
               {"auto", "\"tool_choice\":{\"type\":\"auto\"}", 0},
               {"none", "\"tool_choice\":\"none\"", 1},
               {"auto", "\"tool_choice\":\"auto\"", 1}};

START_TEST(a_choice_is_said_in_the_words_of_the_provider)
{
    (void)begin(providers[choices[_i].dialect], turn_with(choices[_i].choice));
    struct bytes body = exchange.http.body;
    ck_assert_ptr_nonnull(memmem(body.data, body.size, choices[_i].said, strlen(choices[_i].said)));
}
END_TEST

#define SMALL_TURN                                                                                 \
    "{\"provider\":\"x\",\"model\":\"m\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\","       \
    "\"text\":\"q\"}]}"

START_TEST(what_is_not_there_is_not_sent)
{
    (void)begin("anthropic", SMALL_TURN);
    assert_body("{\"model\":\"m\",\"max_tokens\":1,\"messages\":[{\"role\":\"user\",\"content\":"
                "[{\"type\":\"text\",\"text\":\"q\"}]}]}");
    (void)begin("openai", SMALL_TURN);
    assert_body("{\"model\":\"m\",\"max_completion_tokens\":1,\"messages\":[{\"role\":\"user\","
                "\"content\":\"q\"}]}");
    remote.secret[0] = '\0';
    dialogue.dialect->end(&dialogue);
    (void)dialogue.dialect->begin(&dialogue, &exchange);
    ck_assert_str_eq(header("Authorization"), "");
}
END_TEST

static size_t marks_in(struct bytes body)
{
    static const char mark[] = "\"cache_control\":{\"type\":\"ephemeral\"}";
    size_t count = 0;
    for (size_t i = 0; i + sizeof mark - 1 <= body.size; i++)
        count += memcmp(body.data + i, mark, sizeof mark - 1) == 0;
    return count;
}

/* The last tool and the system text, if what stands before is long enough to be kept. */
START_TEST(what_a_provider_is_to_keep_is_marked_once_it_is_long)
{
    static const struct {
        unsigned tool, system;
        size_t marks;
    } sizes[] = {{10, 10, 0}, {10, 4200, 1}, {4200, 10, 2}, {2000, 2200, 1}};
    for (size_t i = 0; i < 4; i++) {
        static char text[8192], json[16384];
        memset(text, 'x', sizeof text - 1);
        snprintf(json, sizeof json,
                 "{\"provider\":\"x\",\"model\":\"m\",\"max_tokens\":1,\"system\":\"%.*s\","
                 "\"messages\":[{\"role\":\"user\",\"text\":\"q\"}],\"tools\":[{\"name\":\"A_A\","
                 "\"description\":\"%.*s\"},{\"name\":\"B_B\"}]}",
                 (int)sizes[i].system, text, sizes[i].tool > 4000 ? 4000 : (int)sizes[i].tool,
                 text);
        if (sizes[i].tool > 4000) /* two of them */
            snprintf(strstr(json, ",{\"name\":\"B_B\""), 4200,
                     ",{\"name\":\"B_B\",\"description\":\"%.*s\"}]}", 200, text);
        ck_assert_int_eq(begin("anthropic", json), DIALOGUE_EXCHANGE);
        ck_assert_uint_eq(marks_in(exchange.http.body), sizes[i].marks);
        ck_assert_int_eq(begin("openai", json), DIALOGUE_EXCHANGE);
        ck_assert_uint_eq(marks_in(exchange.http.body), 0);
    }
}
END_TEST

START_TEST(a_result_with_bytes_is_said_not_to_be_shown)
{
    char room[1024], result_room[256], message_room[512], list_room[600];
    struct writer writer;
    struct msg_model_result result = {.id = {"a", 1}, .value = {"\xc4\x01\xff", 3}};
    struct msg_model_message message = {.role = {"user", 4}};
    struct msg_model_turn turn = {
        .provider = bytes_of(providers[_i]), .model = {"m", 1}, .max_tokens = 1};
    (void)begin(providers[_i], SMALL_TURN);
    writer_init(&writer, result_room, sizeof result_room);
    writer_array(&writer, 1);
    ck_assert_int_eq(message_write(MSG_MODEL_RESULT, &result, &writer), STATUS_OK);
    message.results = writer_bytes(&writer);
    ck_assert_int_eq(message_encode(MSG_MODEL_MESSAGE, &message, message_room, sizeof message_room,
                                    &turn.messages),
                     STATUS_OK);
    writer_init(&writer, list_room, sizeof list_room);
    writer_array(&writer, 1);
    writer_raw(&writer, turn.messages);
    turn.messages = writer_bytes(&writer);
    ck_assert_int_eq(message_encode(MSG_MODEL_TURN, &turn, room, sizeof room, &dialogue.arguments),
                     STATUS_OK);
    dialogue.dialect->end(&dialogue);
    ck_assert_int_eq(dialogue.dialect->begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
    ck_assert_ptr_nonnull(memmem(exchange.http.body.data, exchange.http.body.size, "NOT_JSON", 8));
}
END_TEST

START_TEST(what_is_no_turn_is_not_sent)
{
    ck_assert_int_eq(begin(providers[_i], "{\"provider\":\"x\"}"), DIALOGUE_FAILED);
    assert_failure(STATUS_BAD_REQUEST, "BAD_ARGUMENTS");
}
END_TEST

START_TEST(health_asks_for_the_models_and_a_list_of_tools_for_nothing)
{
    (void)begin(providers[_i], SMALL_TURN);
    dialogue.dialect->end(&dialogue);
    dialogue.purpose = DIALOGUE_HEALTH;
    ck_assert_int_eq(dialogue.dialect->begin(&dialogue, &exchange), DIALOGUE_EXCHANGE);
    ck_assert_str_eq(exchange.http.url, "https://api.example.com/v1/models");
    ck_assert_int_eq(exchange.http.method, HTTP_GET);
    ck_assert_ptr_null(exchange.http.body.data);
    ck_assert_int_eq(respond(200, "{\"data\":[]}"), DIALOGUE_DONE);
    dialogue.purpose = DIALOGUE_LIST;
    ck_assert_int_eq(dialogue.dialect->begin(&dialogue, &exchange), DIALOGUE_DONE);
}
END_TEST

/* --- what is heard --- */

#define A(text, reason, usage)                                                                     \
    "{\"id\":\"i\",\"model\":\"m-1x\",\"content\":[" text "],\"stop_reason\":" reason              \
    ",\"usage\":" usage "}"
#define O(message, reason, usage)                                                                  \
    "{\"id\":\"i\",\"model\":\"m-1x\",\"choices\":[{\"message\":" message                          \
    ",\"finish_reason\":" reason "}],\"usage\":" usage "}"
#define CALL_O(name, text)                                                                         \
    "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"" name                           \
    "\",\"arguments\":\"" text "\"}}"
#define USAGE "\"usage\":{\"model\":\"m-1x\",\"turns\":1"

static const struct {
    int dialect;
    const char *body, *said;
} answers[] = {
    {0,
     A("{\"type\":\"text\",\"text\":\"One \"},{\"type\":\"thinking\",\"thinking\":\"x\"},"
       "{\"type\":\"text\",\"text\":\"and two.\"}",
       "\"end_turn\"",
       "{\"input_tokens\":5,\"output_tokens\":300,\"cache_creation_input_tokens\":0,"
       "\"cache_read_input_tokens\":70000}"),
     "{\"end\":\"stop\",\"text\":\"One and two.\"," USAGE
     ",\"input\":5,\"output\":300,\"cache_written\":0,\"cache_read\":70000}}"},
    {0,
     A("{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"T_T\",\"input\":{\"n\":1}},"
       "{\"type\":\"tool_use\",\"id\":\"b\",\"name\":\"T_T\",\"input\":[]}",
       "\"tool_use\"", "{}"),
     "{\"end\":\"tools\",\"calls\":[{\"id\":\"a\",\"tool\":\"T_T\",\"arguments\":{\"n\":1}},"
     "{\"id\":\"b\",\"tool\":\"T_T\"}]," USAGE "}}"},
    {0, A("", "\"refusal\"", "null"), "{\"end\":\"refused\"," USAGE "}}"},
    {0, A("{\"type\":\"text\",\"text\":\"On\"}", "\"max_tokens\"", "[]"),
     "{\"end\":\"length\",\"text\":\"On\"," USAGE "}}"},
    {0, A("", "\"stop_sequence\"", "{\"input_tokens\":-1,\"output_tokens\":1.5}"),
     "{\"end\":\"stop\"," USAGE "}}"},
    {1,
     O("{\"content\":\"One.\"}", "\"stop\"",
       "{\"prompt_tokens\":9,\"completion_tokens\":2,\"prompt_tokens_details\":"
       "{\"cached_tokens\":4}}"),
     "{\"end\":\"stop\",\"text\":\"One.\"," USAGE ",\"input\":9,\"output\":2,\"cache_read\":4}}"},
    {1,
     O("{\"content\":null,\"tool_calls\":[" CALL_O("T_T", "{\\\"n\\\":1}") "," CALL_O(
           "T_T", "{n") "," CALL_O("T_T", "") "," CALL_O("T_T", "[1]") "]}",
       "\"tool_calls\"", "{}"),
     "{\"end\":\"tools\",\"calls\":[{\"id\":\"a\",\"tool\":\"T_T\",\"arguments\":{\"n\":1}},"
     "{\"id\":\"a\",\"tool\":\"T_T\",\"malformed\":\"{n\"},"
     "{\"id\":\"a\",\"tool\":\"T_T\",\"arguments\":{}},"
     "{\"id\":\"a\",\"tool\":\"T_T\",\"malformed\":\"[1]\"}]," USAGE "}}"},
    {1, O("{\"refusal\":\"No.\"}", "\"stop\"", "{}"), "{\"end\":\"refused\"," USAGE "}}"},
    {1, O("{}", "\"content_filter\"", "{}"), "{\"end\":\"refused\"," USAGE "}}"},
    {1, O("{\"content\":\"On\"}", "\"length\"", "{}"),
     "{\"end\":\"length\",\"text\":\"On\"," USAGE "}}"},
};

START_TEST(an_answer_is_taken)
{
    (void)begin(providers[answers[_i].dialect], SMALL_TURN);
    ck_assert_msg(respond(200, answers[_i].body) == DIALOGUE_DONE, "%s", dialogue.failure.message);
    assert_said(answers[_i].said);
}
END_TEST

static const struct {
    int dialect;
    const char *body;
} no_answers[] = {
    {0, ""},
    {0, "{"},
    {0, "[1]"},
    {0, "{\"content\":\"x\",\"stop_reason\":\"end_turn\"}"},
    {0, A("{\"type\":\"text\",\"text\":\"x\"}", "\"another\"", "{}")},
    {0, A("{\"type\":\"text\",\"text\":\"x\"}", "null", "{}")},
    {0, A("{\"type\":\"tool_use\",\"name\":\"T_T\",\"input\":{}}", "\"tool_use\"", "{}")},
    {0, A("{\"type\":\"tool_use\",\"id\":\"a\",\"input\":{}}", "\"tool_use\"", "{}")},
    {1, "{\"choices\":[]}"},
    {1, "{\"choices\":{}}"},
    {1, O("{\"content\":\"x\"}", "\"another\"", "{}")},
    {1, O("{\"tool_calls\":[{\"id\":\"a\"}]}", "\"tool_calls\"", "{}")},
};

START_TEST(what_is_no_answer_is_a_bad_response)
{
    (void)begin(providers[no_answers[_i].dialect], SMALL_TURN);
    ck_assert_int_eq(respond(200, no_answers[_i].body), DIALOGUE_FAILED);
    assert_failure(STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE");
}
END_TEST

/* JSON of an answer with so many calls, or a text so long. */
static char *large_answer(int dialect, unsigned calls, unsigned text)
{
    size_t size = 4096 + 256 * (size_t)calls + text;
    char *json = calloc(1, size), *xs = calloc(1, text + 1);
    memset(xs, 'x', text);
    if (dialect == 0)
        snprintf(json, size,
                 "{\"stop_reason\":\"tool_use\",\"content\":[{\"type\":\"text\","
                 "\"text\":\"%s\"}",
                 xs);
    else
        snprintf(json, size,
                 "{\"choices\":[{\"finish_reason\":\"stop\",\"message\":{\"content\":"
                 "\"%s\",\"tool_calls\":[",
                 xs);
    for (unsigned i = 0; i < calls; i++)
        strcat(json, dialect == 0
                         ? ",{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"T_T\",\"input\":{}}"
                     : i == 0 ? CALL_O("T_T", "")
                              : "," CALL_O("T_T", ""));
    strcat(json, dialect == 0 ? "]}" : "]}}]}");
    free(xs);
    return json;
}

START_TEST(calls_and_text_have_a_bound_and_fill_it)
{
    static const struct {
        unsigned calls, text;
        enum dialogue_next next;
    } sizes[] = {{MODEL_CALLS_MAX, 1, DIALOGUE_DONE},
                 {MODEL_CALLS_MAX + 1, 1, DIALOGUE_FAILED},
                 {1, MODEL_TEXT_BYTES_MAX, DIALOGUE_DONE},
                 {1, MODEL_TEXT_BYTES_MAX + 1, DIALOGUE_FAILED}};
    for (size_t i = 0; i < 4; i++) {
        char *json = large_answer(_i, sizes[i].calls, sizes[i].text);
        (void)begin(providers[_i], SMALL_TURN);
        ck_assert_msg(respond(200, json) == sizes[i].next, "%u, %u: %s", sizes[i].calls,
                      sizes[i].text, dialogue.failure.message);
        free(json);
    }
}
END_TEST

/* --- what fails --- */

static const struct {
    unsigned http;
    enum status status;
    const char *code;
} refusals[] = {
    {400, STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
    {401, STATUS_APP_ERROR, "UPSTREAM_AUTH"},
    {403, STATUS_APP_ERROR, "UPSTREAM_AUTH"},
    {404, STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
    {413, STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
    {429, STATUS_RATE_LIMITED, "RATE_LIMITED"},
    {500, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {503, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {529, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {302, STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
};

START_TEST(each_refusal_has_a_status_and_a_code)
{
    for (int k = 0; k < 2; k++) {
        (void)begin(providers[k], SMALL_TURN);
        ck_assert_int_eq(
            respond(refusals[_i].http, "{\"error\":{\"message\":\"bad key " KEY ".\"}}"),
            DIALOGUE_FAILED);
        assert_failure(refusals[_i].status, refusals[_i].code);
    }
}
END_TEST

START_TEST(what_a_provider_says_is_wrong_is_passed_on)
{
    (void)begin(providers[_i], SMALL_TURN);
    (void)respond(400, "{\"error\":{\"message\":\"max_tokens: too large\"}}");
    ck_assert_ptr_nonnull(strstr(dialogue.failure.message, "HTTP 400: max_tokens: too large"));
    (void)begin(providers[_i], SMALL_TURN);
    (void)respond(400, "<html>");
    ck_assert_ptr_nonnull(strstr(dialogue.failure.message, "HTTP 400"));
}
END_TEST

START_TEST(over_the_rate_it_says_when_to_come_again)
{
    struct http_response came = {.end = HTTP_ANSWERED, .sent = true, .status = 429};
    (void)begin(providers[_i], SMALL_TURN);
    ck_assert_int_eq(dialogue.dialect->take(&dialogue, &came, &exchange), DIALOGUE_FAILED);
    ck_assert_uint_eq(dialogue.failure.retry_after_ms, 1000);
    came.headers[0] = (struct http_header){"retry-after", "7"};
    came.header_count = 1;
    ck_assert_int_eq(dialogue.dialect->take(&dialogue, &came, &exchange), DIALOGUE_FAILED);
    ck_assert_uint_eq(dialogue.failure.retry_after_ms, 7000);
}
END_TEST

static const struct {
    enum http_end end;
    bool sent;
    enum status status;
    const char *code;
} lost[] = {
    {HTTP_NO_CONNECTION, false, STATUS_CIRCUIT_OPEN, "UNAVAILABLE"},
    {HTTP_TLS, false, STATUS_CIRCUIT_OPEN, "UNAVAILABLE"},
    {HTTP_LOST, true, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE"},
    {HTTP_LOST, false, STATUS_CIRCUIT_OPEN, "UNAVAILABLE"},
    {HTTP_LATE, true, STATUS_DEADLINE_RUNNING, "TIMEOUT"},
    {HTTP_LATE, false, STATUS_DEADLINE_QUEUED, "TIMEOUT"},
    {HTTP_TOO_LARGE, true, STATUS_APP_ERROR, "LIMIT"},
    {HTTP_MALFORMED, true, STATUS_APP_ERROR, "UPSTREAM_BAD_RESPONSE"},
};

START_TEST(each_end_without_an_answer_has_a_status_and_a_code)
{
    struct http_response came = {.end = lost[_i].end, .sent = lost[_i].sent, .reason = "why"};
    (void)begin("anthropic", SMALL_TURN);
    ck_assert_int_eq(dialogue.dialect->take(&dialogue, &came, &exchange), DIALOGUE_FAILED);
    assert_failure(lost[_i].status, lost[_i].code);
    ck_assert_ptr_nonnull(strstr(dialogue.failure.message, "why"));
}
END_TEST

START_TEST(a_provider_that_is_not_known_is_not_asked)
{
    ck_assert_int_eq(begin("another", SMALL_TURN), DIALOGUE_FAILED);
    assert_failure(STATUS_BAD_REQUEST, "BAD_ARGUMENTS");
}
END_TEST

#define COUNT(rows) ((int)(sizeof(rows) / sizeof(rows)[0]))

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, NULL, end);
    tcase_add_test(tcase, a_turn_is_written_as_anthropic_reads_it);
    tcase_add_test(tcase, a_turn_is_written_as_openai_reads_it);
    tcase_add_loop_test(tcase, a_choice_is_said_in_the_words_of_the_provider, 0, COUNT(choices));
    tcase_add_test(tcase, what_is_not_there_is_not_sent);
    tcase_add_test(tcase, what_a_provider_is_to_keep_is_marked_once_it_is_long);
    tcase_add_loop_test(tcase, a_result_with_bytes_is_said_not_to_be_shown, 0, 2);
    tcase_add_loop_test(tcase, what_is_no_turn_is_not_sent, 0, 2);
    tcase_add_loop_test(tcase, health_asks_for_the_models_and_a_list_of_tools_for_nothing, 0, 2);
    tcase_add_loop_test(tcase, an_answer_is_taken, 0, COUNT(answers));
    tcase_add_loop_test(tcase, what_is_no_answer_is_a_bad_response, 0, COUNT(no_answers));
    tcase_add_loop_test(tcase, calls_and_text_have_a_bound_and_fill_it, 0, 2);
    tcase_add_loop_test(tcase, each_refusal_has_a_status_and_a_code, 0, COUNT(refusals));
    tcase_add_loop_test(tcase, what_a_provider_says_is_wrong_is_passed_on, 0, 2);
    tcase_add_loop_test(tcase, over_the_rate_it_says_when_to_come_again, 0, 2);
    tcase_add_loop_test(tcase, each_end_without_an_answer_has_a_status_and_a_code, 0, COUNT(lost));
    tcase_add_test(tcase, a_provider_that_is_not_known_is_not_asked);
}

int main(void)
{
    return suite_run("dialect_model", add_tests);
}
