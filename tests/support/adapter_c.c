/* adapter_c - libfact behind the lines of JSON that stand at the top of tests/system/52_behaviours.
 */
#include <assert.h>
#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "actors/client/fact.h"
#include "protocol/message.h"
#include "protocol/value.h"

#define BASE64 sodium_base64_VARIANT_ORIGINAL
#define READ_BYTES 65536u

/* A call of the line protocol. */
struct ask {
    struct ask *next;
    uint64_t id, call;
    struct fact_request request;
    json_t *line; /* its texts are the request's */
    char *body;
};

static struct fact *fact;
static struct ask *asks;
static bool closing;

static void say(json_t *line)
{
    assert(line != NULL);
    json_dumpf(line, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(line);
}

static const char *text_of(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

/* A number of the line, or what it is if it is not there. */
static uint64_t number_of(const json_t *line, const char *name, uint64_t missing)
{
    const json_t *value = json_object_get(line, name);
    return json_is_integer(value) ? (uint64_t)json_integer_value(value) : missing;
}

static bool is_set(const json_t *line, const char *name)
{
    return json_is_true(json_object_get(line, name));
}

static void forget(struct ask *ask)
{
    struct ask **at = &asks;
    while (*at != ask)
        at = &(*at)->next;
    *at = ask->next;
    json_decref(ask->line);
    free(ask->body);
    free(ask);
}

static bool may_retry(const struct ask *ask, const struct fact_reply *reply)
{
    const struct status_row *row = &statuses[reply->status];
    bool harmless = reply->executed == EXECUTED_NO || ask->request.flags & FLAG_IDEMPOTENT;
    return (row->retry == RETRY_AFTER && reply->retry_after_ms > 0) ||
           row->retry == RETRY_ELSEWHERE || (row->retry == RETRY_CALLER && harmless);
}

static void put_text(json_t *line, const char *name, struct bytes text)
{
    json_object_set_new(line, name, json_stringn(text.data == NULL ? "" : text.data, text.size));
}

static void put_base64(json_t *line, const char *name, struct bytes bytes)
{
    size_t size = sodium_base64_encoded_len(bytes.size, BASE64);
    char *text = malloc(size);
    assert(text != NULL);
    sodium_bin2base64(text, size, (const unsigned char *)bytes.data, bytes.size, BASE64);
    json_object_set_new(line, name, json_string(text));
    free(text);
}

static void put_body(json_t *line, const struct fact_reply *reply)
{
    struct msg_failure failure;
    if (reply->status == STATUS_OK && reply->body.data != NULL) {
        put_base64(line, "value", reply->body);
    } else if (reply->status > STATUS_CANCELLED &&
               message_decode(MSG_FAILURE, reply->body, &failure) == STATUS_OK) {
        put_text(line, "code", failure.code);
        put_text(line, "message", failure.message);
        put_text(line, "field", failure.field);
    }
}

static void tell(const struct ask *ask, const struct fact_reply *reply)
{
    static const char *const words[] = {"no", "maybe", "yes"};
    json_t *line =
        json_pack("{s:I, s:s, s:s, s:b, s:I, s:b, s:i}", "id", (json_int_t)ask->id, "status",
                  statuses[reply->status].name, "executed", words[reply->executed], "local",
                  reply->local, "retry_after_ms", (json_int_t)reply->retry_after_ms, "may_retry",
                  may_retry(ask, reply), "attempts", (int)reply->attempts);
    put_body(line, reply);
    say(line);
}

static void on_partial(void *context, uint64_t call, uint32_t number, struct bytes body)
{
    const struct ask *ask = context;
    json_t *line = json_pack("{s:I, s:I}", "id", (json_int_t)ask->id, "number", (json_int_t)number);
    (void)call;
    put_base64(line, "part", body);
    say(line);
}

static void on_done(void *context, const struct fact_reply *reply)
{
    struct ask *ask = context;
    tell(ask, reply);
    forget(ask);
}

static void begin(struct ask *ask)
{
    enum status status = fact_submit(fact, &ask->request, on_done, ask, &ask->call);
    if (status == STATUS_OK)
        return;
    struct fact_reply reply = {
        .status = status, .executed = EXECUTED_NO, .attempts = 1, .local = true};
    tell(ask, &reply);
    forget(ask);
}

/* The body of what is asked, made around what the line has in base64. */
static struct bytes write_body(const char *kind, const char *base64, char **ret_room)
{
    size_t size = strlen(base64), used = 0;
    char *given = malloc(size + 1), *room = malloc(size + 64);
    assert(given != NULL);
    assert(room != NULL);
    int rc = sodium_base642bin((unsigned char *)given, size + 1, base64, size, NULL, &used, NULL,
                               BASE64);
    assert(rc == 0);
    struct writer writer;
    writer_init(&writer, room, size + 64);
    if (strcmp(kind, "ping") == 0) {
        writer_map(&writer, 1);
        writer_cstr(&writer, "id");
        writer_u64(&writer, 0);
    } else if (strcmp(kind, "broker") == 0) {
        writer_raw(&writer, (struct bytes){given, used});
    } else {
        writer_map(&writer, 1);
        writer_cstr(&writer, strcmp(kind, "query") == 0 ? "question" : "arguments");
        writer_raw(&writer, (struct bytes){given, used});
    }
    free(given);
    *ret_room = room;
    return writer_bytes(&writer);
}

static struct ask *ask_new(json_t *line)
{
    const char *kind = text_of(line, "kind");
    bool to_broker = strcmp(kind, "broker") == 0 || strcmp(kind, "ping") == 0;
    bool is_query = strcmp(kind, "query") == 0;
    struct ask *ask = calloc(1, sizeof *ask);
    assert(ask != NULL);
    ask->id = number_of(line, "id", 0);
    ask->line = json_incref(line);
    ask->request = (struct fact_request)FACT_REQUEST;
    ask->request.timeout_ms = (uint32_t)number_of(line, "timeout_ms", 0);
    ask->request.once = json_is_false(json_object_get(line, "retries"));
    ask->request.command = to_broker ? COMMAND_QUERY : COMMAND_REQUEST;
    ask->request.role = to_broker ? ROLE_BROKER : ROLE_DRIVER;
    ask->request.method = bytes_of(is_query                    ? "query"
                                   : strcmp(kind, "ping") == 0 ? "status"
                                                               : text_of(line, "method"));
    ask->request.body = write_body(kind, text_of(line, "body"), &ask->body);
    ask->request.class = (enum request_class)number_of(line, "importance", CLASS_CRITICAL);
    ask->request.flags = (uint16_t)((is_set(line, "idempotent") || is_query ? FLAG_IDEMPOTENT : 0) |
                                    (is_set(line, "no_cache") ? FLAG_NO_CACHE : 0) |
                                    (is_set(line, "only_if_cached") ? FLAG_ONLY_IF_CACHED : 0) |
                                    (is_set(line, "stream") ? FLAG_STREAM : 0));
    ask->request.partial = is_set(line, "stream") ? on_partial : NULL;
    ask->request.tenant = bytes_of(text_of(line, "tenant"));
    ask->request.user = bytes_of(text_of(line, "user"));
    return ask;
}

static void do_open(json_t *line)
{
    struct fact_options options = {.endpoints = text_of(line, "endpoints"),
                                   .plain = json_is_false(json_object_get(line, "retries")),
                                   .key_file = text_of(line, "key_file"),
                                   .server_key_file = text_of(line, "server_key_file")};
    fact_destroy(&fact);
    fact = fact_open(&options);
    say(json_pack("{s:b, s:s}", "opened", fact != NULL, "reason",
                  fact == NULL ? strerror(errno) : ""));
}

static void do_submit(json_t *line)
{
    size_t i;
    json_t *call;
    json_array_foreach(json_object_get(line, "calls"), i, call)
    {
        struct ask *ask = ask_new(call);
        ask->next = asks;
        asks = ask;
        begin(ask);
    }
}

static void do_cancel(json_t *line)
{
    bool cancelled = false;
    for (struct ask *ask = asks; ask != NULL && !cancelled; ask = ask->next)
        if (ask->id == number_of(line, "id", 0))
            cancelled = fact_cancel(fact, ask->call);
    say(json_pack("{s:b}", "cancelled", cancelled));
}

static void do_state(json_t *line)
{
    static const char *const words[] = {"connecting", "up", "refused"};
    (void)line;
    struct fact_peer peer = fact_peer(fact);
    say(json_pack("{s:s, s:I, s:s}", "state", words[fact_state(fact)], "connections",
                  (json_int_t)peer.connections, "reason", peer.reason));
}

/* libfact's alone. */
static void do_where(json_t *line)
{
    (void)line;
    say(json_pack("{s:s}", "endpoint", fact_peer(fact).endpoint));
}

static void do_close(json_t *line)
{
    (void)line;
    closing = true;
}

static void act(const char *text)
{
    static const struct {
        const char *name;
        void (*run)(json_t *line);
    } rows[] = {{"open", do_open},   {"submit", do_submit}, {"cancel", do_cancel},
                {"state", do_state}, {"where", do_where},   {"close", do_close}};
    json_t *line = json_loads(text, JSON_ALLOW_NUL, NULL);
    const char *what = text_of(line, "do");
    bool known = false;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && what != NULL; i++)
        if (strcmp(rows[i].name, what) == 0) {
            known = true;
            rows[i].run(line);
        }
    if (!known)
        say(json_pack("{s:s}", "unknown", what == NULL ? "" : what));
    json_decref(line);
}

/* Whole lines of stdin; false: it has ended. */
static bool read_lines(void)
{
    static char *lines;
    static size_t used, size;
    if (size - used < READ_BYTES + 1) {
        size = 2 * size + READ_BYTES + 1;
        lines = realloc(lines, size);
        assert(lines != NULL);
    }
    ssize_t got = read(STDIN_FILENO, lines + used, READ_BYTES);
    if (got <= 0) {
        free(lines);
        return got < 0 && errno == EINTR;
    }
    used += (size_t)got;
    char *at = lines, *end;
    while ((end = memchr(at, '\n', used - (size_t)(at - lines))) != NULL) {
        *end = '\0';
        act(at);
        at = end + 1;
    }
    used -= (size_t)(at - lines);
    memmove(lines, at, used);
    if (closing)
        free(lines);
    return !closing;
}

int main(void)
{
    bool reading = true;
    while (reading) {
        struct pollfd items[] = {
            {.fd = STDIN_FILENO, .events = POLLIN},
            {.fd = fact == NULL ? -1 : fact_descriptor(fact), .events = POLLIN}};
        if (poll(items, 2, -1) <= 0)
            continue;
        if (items[0].revents != 0)
            reading = read_lines();
        if (items[1].revents != 0)
            fact_process(fact);
    }
    fact_destroy(&fact);
    while (asks != NULL)
        forget(asks);
    return 0;
}
