/* arcade_dialogue - see arcade_dialogue.h. */
#include "tests/support/arcade_dialogue.h"

#include <string.h>

#include "actors/runtime/json_text.h"
#include "tests/support/suite.h"

struct arcade_server arcade_server;
struct arcade_talk arcade_talk;
struct remote arcade_remote;
struct remote_tool arcade_tool;
struct dialogue arcade_dialogue;
struct exchange arcade_exchange;
struct http_response arcade_came;
static char data[RESULT_BYTES_MAX], deps[1024], arguments[4096];

struct bytes arcade_json(const char *text, char *out, size_t size)
{
    struct writer writer;
    struct json_fault fault;
    writer_init(&writer, out, size);
    ck_assert_msg(json_text_read(bytes_of(text), BODY_NESTING_MAX, &writer, &fault), "%s: %s", text,
                  fault.reason);
    return writer_bytes(&writer);
}

void arcade_set_up(void)
{
    memset(&arcade_server, 0, sizeof arcade_server);
    arcade_remote = (struct remote){.name = "Arcade",
                                    .url = "https://arcade.test",
                                    .secret = KEY,
                                    .is_trusted = true,
                                    .imports = imports_new(),
                                    .memory = &arcade_server};
    arcade_tool = (struct remote_tool){
        .name = "Arcade_Mail_Send", .remote_name = "Mail.Send", .version = "1.2.3"};
    arcade_came =
        (struct http_response){.exchange = 7, .end = HTTP_ANSWERED, .sent = true, .status = 200};
    arcade_dialogue.state = &arcade_talk;
}

void arcade_tear_down(void)
{
    dialect_arcade.end(&arcade_dialogue);
    imports_destroy(&arcade_remote.imports);
}

enum dialogue_next arcade_begin(enum dialogue_purpose purpose)
{
    dialect_arcade.end(&arcade_dialogue);
    memset(&arcade_talk, 0, sizeof arcade_talk);
    arcade_dialogue =
        (struct dialogue){.dialect = &dialect_arcade,
                          .state = &arcade_talk,
                          .purpose = purpose,
                          .remote = &arcade_remote,
                          .tool = &arcade_tool,
                          .arguments = arcade_json("{\"to\":\"ann\"}", arguments, sizeof arguments),
                          .tenant = name_of(bytes_of("acme")),
                          .user = name_of(bytes_of("ann@example.com")),
                          .now_at = NOW_AT,
                          .deadline_at = NOW_AT + 100 * US_PER_S};
    writer_init(&arcade_dialogue.data, data, sizeof data);
    writer_init(&arcade_dialogue.deps, deps, sizeof deps);
    return dialect_arcade.begin(&arcade_dialogue, &arcade_exchange);
}

enum dialogue_next arcade_answer_bytes(struct bytes body)
{
    char *exact = malloc(body.size > 0 ? body.size : 1);
    memcpy(exact, body.data, body.size);
    arcade_came.body = (struct bytes){exact, body.size};
    enum dialogue_next next = dialect_arcade.take(&arcade_dialogue, &arcade_came, &arcade_exchange);
    free(exact);
    return next;
}

enum dialogue_next arcade_answer(unsigned status, const char *body)
{
    arcade_came.status = status;
    return arcade_answer_bytes(bytes_of(body));
}

enum dialogue_next arcade_refuse(unsigned status, const char *body)
{
    enum dialogue_next next = arcade_answer(status, body);
    if (next != DIALOGUE_EXCHANGE || arcade_talk.step != ARCADE_DESCRIBE)
        return next;
    return arcade_answer(404, "{}");
}

void arcade_check_failure(enum status status, const char *code)
{
    ck_assert_msg(arcade_dialogue.failure.status == status &&
                      strcmp(arcade_dialogue.failure.code, code) == 0,
                  "%d %s (%s), not %d %s", arcade_dialogue.failure.status,
                  arcade_dialogue.failure.code, arcade_dialogue.failure.message, status, code);
}

const char *arcade_header(const char *name)
{
    for (size_t i = 0; i < arcade_exchange.http.header_count; i++)
        if (strcmp(arcade_exchange.http.headers[i].name, name) == 0)
            return arcade_exchange.http.headers[i].value;
    return NULL;
}

void arcade_check_asked(enum http_method method, const char *url, const char *body)
{
    struct bytes sent = arcade_exchange.http.body;
    ck_assert_int_eq(arcade_exchange.http.method, method);
    ck_assert_str_eq(arcade_exchange.http.url, url);
    ck_assert_str_eq(arcade_header("Authorization"), "Bearer " KEY);
    ck_assert_uint_eq(arcade_exchange.http.redirects_max, 0); /* the key goes nowhere else */
    ck_assert_int_eq(sent.data != NULL, body != NULL);
    if (body != NULL)
        ck_assert_msg(bytes_are(sent, body), "%.*s", (int)sent.size, sent.data);
}

void arcade_check_data(const char *text)
{
    char bytes[4096];
    struct bytes wanted = arcade_json(text, bytes, sizeof bytes);
    ck_assert_msg(bytes_equal(writer_bytes(&arcade_dialogue.data), wanted), "not %s", text);
}
