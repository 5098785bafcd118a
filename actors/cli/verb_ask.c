/* verb_ask - fact query and fact call. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "actors/cli/answer.h"
#include "actors/cli/connect.h"
#include "actors/cli/json.h"
#include "actors/cli/verbs.h"

#define INPUT_BYTES_MAX ((size_t)4 * ARGUMENTS_BYTES_MAX) /* JSON is longer than what it says */

/* A part of the answer, before it. err: talk, so that stdout stays the answer's. */
static void print_part(void *err, uint64_t call, uint32_t number, struct bytes body)
{
    (void)call, (void)number;
    if (body.data != NULL && !value_check(body, BODY_NESTING_MAX))
        return; /* the answer is whole without */
    json_print(body, err);
    fputc('\n', err);
    fflush(err); /* somebody may have to act on it now */
}

/* A request on the terms of the options. trace: TRACE_BYTES, filled. */
static struct fact_request request_of(const struct invocation *invocation, char *trace)
{
    static const struct {
        enum cli_option option;
        uint16_t flag;
    } flags[] = {{CLI_NO_CACHE, FLAG_NO_CACHE},     {CLI_REFRESH, FLAG_REFRESH},
                 {CLI_CACHED, FLAG_ONLY_IF_CACHED}, {CLI_IDEMPOTENT, FLAG_IDEMPOTENT},
                 {CLI_HEDGE, FLAG_HEDGE},           {CLI_STREAM, FLAG_STREAM}};
    struct fact_request request = FACT_REQUEST;
    request.partial = invocation->options[CLI_STREAM].given ? print_part : NULL;
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (invocation->options[flags[i].option].given)
            request.flags |= flags[i].flag;
    request.class = (enum request_class)invocation->options[CLI_CLASS].number;
    request.timeout_ms = (uint32_t)invocation->options[CLI_TIMEOUT].number;
    if (getrandom(trace, TRACE_BYTES - 1, 0) == TRACE_BYTES - 1) {
        trace[TRACE_BYTES - 1] = 0; /* not sampled */
        request.trace = (struct bytes){trace, TRACE_BYTES};
    }
    return request;
}

static bool is_json(const struct invocation *invocation)
{
    return invocation->options[CLI_OUTPUT].number == OUTPUT_JSON;
}

/* Of an end without a reply, what else is known of the broker. */
static void explain(const struct invocation *invocation, const struct fact *handle,
                    const struct fact_reply *reply)
{
    struct fact_peer peer = fact_peer(handle);
    if (!reply->local)
        return;
    if (peer.reason[0] != '\0')
        fprintf(invocation->err, "fact: the broker at %s: %s\n", peer.endpoint, peer.reason);
    else if (reply->status == STATUS_DEADLINE_QUEUED && fact_state(handle) == FACT_UP)
        fprintf(invocation->err,
                "fact: the broker at %s greeted, and took no request: is this its backend?\n",
                peer.endpoint);
}

/* A document as one line of JSON; quiet: what it has as its value, null where it brings none. */
static void print_json(const struct invocation *invocation, struct bytes document)
{
    struct bytes value = value_find(document, "value");
    if (!invocation->options[CLI_QUIET].given)
        value = document;
    json_print(value.data != NULL ? value : bytes_of("\xc0"), invocation->out);
    fputc('\n', invocation->out);
}

/* As fact_call(), and parts are printed meanwhile. */
static void wait_for(const struct invocation *invocation, struct fact *handle,
                     const struct fact_request *request, struct fact_reply *ret)
{
    enum status status = fact_submit(handle, request, NULL, invocation->err, NULL);
    if (status != STATUS_OK) {
        *ret = (struct fact_reply){.status = status, .local = true};
        return;
    }
    while (!fact_next(handle, ret)) /* its deadline ends it at the latest */
        (void)fact_poll(handle, -1);
}

/* Ask, and print the end. line: on one line. */
static enum exit_code ask(const struct invocation *invocation, struct fact *handle,
                          const struct fact_request *request, const char *what, struct bytes text,
                          bool line)
{
    struct fact_reply reply;
    struct document document;
    wait_for(invocation, handle, request, &reply);
    document_init(&document);
    enum exit_code code =
        answer_document(&document.writer, what, text, request->trace.data, &reply);
    struct bytes value = document_value(&document);
    if (is_json(invocation)) {
        print_json(invocation, value);
    } else if (line) {
        answer_print_line(value, invocation->out);
    } else {
        answer_print(value, invocation->options[CLI_QUIET].given, invocation->out);
    }
    if (!line)
        answer_print_failure(value, invocation->options[CLI_QUIET].given, invocation->err);
    explain(invocation, handle, &reply);
    document_fini(&document);
    return code;
}

static enum exit_code ask_question(const struct invocation *invocation, struct fact *handle,
                                   struct bytes question, bool line)
{
    static char body[QUESTION_BYTES_MAX + 64];
    char trace[TRACE_BYTES];
    struct fact_request request = request_of(invocation, trace);
    struct msg_query query = {.question = question};
    request.method = bytes_of("query");
    request.flags |= FLAG_IDEMPOTENT; /* a question changes nothing */
    if (!cursor_is_utf8(question)) {
        fputs("fact: the question is not UTF-8\n", invocation->err);
        return CODE_INVALID;
    }
    if (message_encode(MSG_QUERY, &query, body, sizeof body, &request.body) != STATUS_OK) {
        fprintf(invocation->err, "fact: the question has more than %u bytes\n", QUESTION_BYTES_MAX);
        return CODE_INVALID;
    }
    return ask(invocation, handle, &request, "question", question, line);
}

/* The worst of what the lines came to. */
static enum exit_code ask_lines(const struct invocation *invocation, struct fact *handle)
{
    enum exit_code worst = CODE_OK;
    char *line = NULL;
    size_t size = 0;
    ssize_t length;
    while ((length = getline(&line, &size, invocation->in)) >= 0) {
        while (length > 0 && strchr("\r\n \t", line[length - 1]) != NULL)
            length--;
        if (length == 0)
            continue;
        enum exit_code code =
            ask_question(invocation, handle, (struct bytes){line, (size_t)length}, true);
        worst = code > worst ? code : worst;
        fflush(invocation->out);
    }
    free(line);
    return worst;
}

/* The words of a question with a space between them. To be freed. */
static char *join_words(const struct invocation *invocation)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    assert(memory != NULL);
    for (unsigned i = 0; i < invocation->argument_count; i++)
        fprintf(memory, "%s%s", i == 0 ? "" : " ", invocation->arguments[i]);
    fclose(memory);
    return text;
}

enum exit_code verb_query(const struct invocation *invocation)
{
    struct fact *handle;
    bool lines = invocation->argument_count == 1 && strcmp(invocation->arguments[0], "-") == 0;
    enum exit_code code = connect_open(invocation, &handle);
    if (code != CODE_OK)
        return code;
    if (lines) {
        code = ask_lines(invocation, handle);
    } else {
        char *text = join_words(invocation);
        code = ask_question(invocation, handle, bytes_of(text), false);
        free(text);
    }
    fact_destroy(&handle);
    return code;
}

/* All of a stream, up to a bound. To be freed; data NULL: it cannot be read, or is longer. */
static struct bytes read_all(FILE *in)
{
    char *data = malloc(INPUT_BYTES_MAX + 1);
    assert(data != NULL);
    size_t size = fread(data, 1, INPUT_BYTES_MAX + 1, in);
    if (!ferror(in) && size <= INPUT_BYTES_MAX)
        return (struct bytes){data, size};
    free(data);
    return (struct bytes){0};
}

/* The text of the arguments: given, in a file, or on stdin. To be freed; data NULL: see stderr. */
static struct bytes arguments_text(const struct invocation *invocation)
{
    const char *given = invocation->argument_count > 1 ? invocation->arguments[1] : "{}";
    bool from_stdin = strcmp(given, "-") == 0;
    if (given[0] != '@' && !from_stdin) {
        size_t size = strlen(given);
        char *copy = strndup(given, size);
        assert(copy != NULL);
        return (struct bytes){copy, size};
    }
    FILE *in = from_stdin ? invocation->in : fopen(given + 1, "re");
    if (in == NULL) {
        fprintf(invocation->err, "fact: %s: %s\n", given + 1, strerror(errno));
        return (struct bytes){0};
    }
    struct bytes text = read_all(in);
    if (text.data == NULL)
        fprintf(invocation->err, "fact: %s: cannot be read, or has more than %zu bytes\n",
                from_stdin ? "stdin" : given + 1, INPUT_BYTES_MAX);
    if (!from_stdin)
        fclose(in);
    return text;
}

/* The arguments as MessagePack. out: ARGUMENTS_BYTES_MAX; data NULL: see stderr. */
static struct bytes arguments_read(const struct invocation *invocation, char *out)
{
    char reason[200];
    struct writer writer;
    struct bytes text = arguments_text(invocation);
    if (text.data == NULL)
        return text;
    writer_init(&writer, out, ARGUMENTS_BYTES_MAX);
    enum status status = json_read(text, &writer, reason, sizeof reason);
    free((void *)text.data);
    struct bytes arguments = writer_bytes(&writer);
    if (status == STATUS_OK && value_kind(arguments) == KIND_MAP)
        return arguments;
    fprintf(invocation->err, "fact: the arguments are no JSON object: %s\n",
            status == STATUS_OK ? "they are another kind of JSON" : reason);
    return (struct bytes){0};
}

enum exit_code verb_call(const struct invocation *invocation)
{
    static char arguments[ARGUMENTS_BYTES_MAX], body[ARGUMENTS_BYTES_MAX + 64];
    char trace[TRACE_BYTES];
    struct fact *handle;
    struct fact_request request = request_of(invocation, trace);
    struct msg_call call = {.arguments = arguments_read(invocation, arguments)};
    request.method = bytes_of(invocation->arguments[0]);
    if (call.arguments.data == NULL)
        return CODE_INVALID;
    if (request.method.size == 0 || request.method.size > METHOD_BYTES_MAX ||
        !cursor_is_utf8(request.method)) {
        fprintf(invocation->err, "fact: \"%s\" is no method: 1 to %u bytes of UTF-8\n",
                invocation->arguments[0], METHOD_BYTES_MAX);
        return CODE_INVALID;
    }
    enum status status = message_encode(MSG_CALL, &call, body, sizeof body, &request.body);
    assert(status == STATUS_OK);
    enum exit_code code = connect_open(invocation, &handle);
    if (code != CODE_OK)
        return code;
    code = ask(invocation, handle, &request, "method", request.method, false);
    fact_destroy(&handle);
    return code;
}
