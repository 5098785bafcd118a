/* verb_tools - fact tools list and fact tools show: what the directory and the workers say. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/cli/connect.h"
#include "actors/cli/document.h"
#include "actors/cli/json.h"
#include "actors/cli/table.h"
#include "actors/cli/verbs.h"

struct tools {
    struct fact *handle;
    uint32_t timeout_ms;
    unsigned count;
    struct msg_directory_method rows[METHODS_KNOWN_MAX]; /* their texts are in body */
    char *body;                                          /* of the directory's answer */
};

/* The tools that are served, in the directory's order. */
static enum status tools_fetch(struct tools *self)
{
    struct fact_reply reply;
    struct msg_directory directory;
    struct msg_directory_method row;
    struct bytes element;
    enum status status =
        fact_query(self->handle, "directory", (struct bytes){0}, self->timeout_ms, &reply);
    if (status != STATUS_OK)
        return status;
    self->body = malloc(reply.body.size);
    assert(self->body != NULL);
    memcpy(self->body, reply.body.data, reply.body.size);
    struct bytes body = {self->body, reply.body.size};
    if (message_decode(MSG_DIRECTORY, body, &directory) != STATUS_OK)
        return STATUS_INTERNAL;
    struct values values = values_over(directory.methods);
    while (self->count < METHODS_KNOWN_MAX && values_next(&values, &element))
        if (message_decode(MSG_DIRECTORY_METHOD, element, &row) == STATUS_OK &&
            (row.role == ROLE_TOOL_EXECUTOR || row.role == ROLE_ARCADE_GATEWAY) &&
            row.version.size > 0) /* without one it is a method, but no tool */
            self->rows[self->count++] = row;
    return STATUS_OK;
}

/* Ask one of a tool's workers for its definition.
 *
 * ret  valid until the next question of the handle */
static enum status definition_fetch(struct tools *self, const struct msg_directory_method *row,
                                    struct msg_tool_definition *ret)
{
    char question_bytes[256], bytes[512];
    struct msg_query_tools question = {.name = row->name};
    struct msg_query_instance instance = {.instance = row->instance, .method = bytes_of("tools")};
    struct msg_tool_definitions definitions;
    struct fact_reply reply;
    struct bytes body, element;
    enum status status = message_encode(MSG_QUERY_TOOLS, &question, question_bytes,
                                        sizeof question_bytes, &instance.body);
    if (status == STATUS_OK)
        status = message_encode(MSG_QUERY_INSTANCE, &instance, bytes, sizeof bytes, &body);
    if (status == STATUS_OK)
        status = fact_query(self->handle, "instance", body, self->timeout_ms, &reply);
    if (status == STATUS_OK)
        status = message_decode(MSG_TOOL_DEFINITIONS, reply.body, &definitions);
    if (status != STATUS_OK)
        return status;
    struct values values = values_over(definitions.tools);
    while (values_next(&values, &element))
        if (message_decode(MSG_TOOL_DEFINITION, element, ret) == STATUS_OK &&
            bytes_equal(ret->name, row->name))
            return STATUS_OK;
    return STATUS_NO_ROLE;
}

/* Ask a gateway for a definition: where a remote tool is made more is known of it than a list said.
 *
 * row  of the directory, or NULL: no list held it
 * ret_row, ret  written on OK; valid until the next question of the handle */
static enum status describe(struct tools *self, const char *name,
                            const struct msg_directory_method *row,
                            struct msg_directory_method *ret_row, struct msg_tool_definition *ret)
{
    char bytes[128];
    struct msg_tool_describe wanted = {.name = bytes_of(name)};
    struct fact_request request = FACT_REQUEST;
    struct fact_reply reply;
    request.role = ROLE_ARCADE_GATEWAY;
    request.method = bytes_of("describe");
    request.timeout_ms = self->timeout_ms;
    enum status status =
        message_encode(MSG_TOOL_DESCRIBE, &wanted, bytes, sizeof bytes, &request.body);
    if (status == STATUS_OK)
        status = fact_call(self->handle, &request, &reply);
    if (status == STATUS_OK)
        status = message_decode(MSG_TOOL_DEFINITION, reply.body, ret);
    if (status != STATUS_OK)
        return status;
    *ret_row = (struct msg_directory_method){.name = ret->name,
                                             .version = ret->version,
                                             .role = ROLE_ARCADE_GATEWAY,
                                             .schema = ret->schema,
                                             .workers = row == NULL ? 1 : row->workers};
    return STATUS_OK;
}

/* A number of 64 bits that is a hash; in JSON most readers would round it. */
static void put_hash(struct writer *writer, const char *key, uint64_t hash)
{
    char text[17];
    snprintf(text, sizeof text, "%016llx", (unsigned long long)hash);
    put_text(writer, key, bytes_of(text));
}

/* Schemas only if they are wanted. */
static void put_tool(struct writer *writer, const struct msg_directory_method *row,
                     const struct msg_tool_definition *tool, bool schemas)
{
    writer_map(writer, schemas ? 15 : 13);
    put_text(writer, "name", row->name);
    put_text(writer, "version", row->version);
    put_text(writer, "role", bytes_of(role_name(row->role)));
    put_u64(writer, "workers", row->workers);
    put_hash(writer, "schema", row->schema);
    put_text(writer, "description", tool->description);
    put_u64(writer, "timeout_ms", tool->timeout_ms);
    put_bool(writer, "cacheable", tool->cacheable);
    put_u64(writer, "ttl_ms", tool->ttl_ms);
    put_text(writer, "scope", tool->scope);
    put_bool(writer, "read_only", tool->read_only);
    put_bool(writer, "idempotent", tool->idempotent);
    put_text(writer, "scopes", tool->scopes);
    if (schemas) {
        put_value(writer, "parameters", tool->parameters);
        put_value(writer, "result", tool->result);
    }
}

static enum exit_code report(const struct invocation *invocation, enum status status)
{
    fprintf(invocation->err, "fact: the list of tools cannot be had: %s, %s\n",
            statuses[status].name, statuses[status].text);
    return exit_code_of(status, (struct bytes){0});
}

static enum exit_code list(const struct invocation *invocation, struct tools *tools,
                           struct document *document)
{
    static const struct column columns[] = {{"TOOL", "name", CELL_PLAIN},
                                            {"VERSION", "version", CELL_PLAIN},
                                            {"WORKERS", "workers", CELL_PLAIN},
                                            {"TIMEOUT", "timeout_ms", CELL_MS},
                                            {"CACHED", "cacheable", CELL_YES},
                                            {"READS ONLY", "read_only", CELL_YES},
                                            {"DESCRIPTION", "description", CELL_PLAIN}};
    enum status status = tools_fetch(tools);
    if (status != STATUS_OK)
        return report(invocation, status);
    writer_array(&document->writer, tools->count);
    for (unsigned i = 0; i < tools->count; i++) {
        struct msg_tool_definition tool;
        status = definition_fetch(tools, &tools->rows[i], &tool);
        if (status != STATUS_OK)
            return report(invocation, status);
        put_tool(&document->writer, &tools->rows[i], &tool, false);
    }
    struct bytes value = document_value(document);
    if (invocation->options[CLI_OUTPUT].number == OUTPUT_JSON) {
        json_print(value, invocation->out);
        fputc('\n', invocation->out);
    } else {
        table_print(value, columns, sizeof columns / sizeof columns[0], invocation->out);
    }
    return CODE_OK;
}

/* A name, or its dotted alias; NULL: none. */
static const struct msg_directory_method *tool_find(const struct tools *tools, const char *name)
{
    for (unsigned i = 0; i < tools->count; i++)
        if (bytes_are(tools->rows[i].name, name))
            return &tools->rows[i];
    return NULL;
}

static void say_unknown(const struct invocation *invocation, const struct tools *tools,
                        const char *name)
{
    char names[METHODS_KNOWN_MAX][METHOD_BYTES_MAX + 1];
    const char *words[METHODS_KNOWN_MAX];
    for (unsigned i = 0; i < tools->count; i++) {
        struct bytes row = tools->rows[i].name;
        snprintf(names[i], sizeof names[i], "%.*s", (int)row.size, row.data);
        words[i] = names[i];
    }
    const char *near = suggestion(name, words, tools->count);
    fprintf(invocation->err, "fact: no tool %s is served%s%s%s\n", invocation->arguments[0],
            near == NULL ? "; see: fact tools list" : " (did you mean ", near == NULL ? "" : near,
            near == NULL ? "" : "?)");
}

static enum exit_code show(const struct invocation *invocation, struct tools *tools,
                           struct document *document)
{
    char name[METHOD_BYTES_MAX + 1];
    struct msg_tool_definition tool;
    struct msg_directory_method described;
    enum status status = tools_fetch(tools);
    if (status != STATUS_OK)
        return report(invocation, status);
    snprintf(name, sizeof name, "%s", invocation->arguments[0]);
    char *dot = strchr(name, '.');
    if (dot != NULL)
        *dot = '_';
    const struct msg_directory_method *row = tool_find(tools, name);
    bool may_be_remote = row == NULL || row->role == ROLE_ARCADE_GATEWAY;
    if (may_be_remote && describe(tools, name, row, &described, &tool) == STATUS_OK)
        row = &described;
    else if (row != NULL)
        status = definition_fetch(tools, row, &tool);
    if (row == NULL) {
        say_unknown(invocation, tools, name);
        return CODE_INVALID;
    }
    if (status != STATUS_OK)
        return report(invocation, status);
    put_tool(&document->writer, row, &tool, true);
    if (invocation->options[CLI_OUTPUT].number == OUTPUT_JSON) {
        json_print(document_value(document), invocation->out);
        fputc('\n', invocation->out);
    } else {
        table_print_pairs(document_value(document), invocation->out);
    }
    return CODE_OK;
}

typedef enum exit_code tools_work(const struct invocation *invocation, struct tools *tools,
                                  struct document *document);

static enum exit_code with_tools(const struct invocation *invocation, tools_work *work)
{
    struct tools *tools = calloc(1, sizeof *tools);
    struct document document;
    assert(tools != NULL);
    tools->timeout_ms = (uint32_t)invocation->options[CLI_TIMEOUT].number;
    enum exit_code code = connect_open(invocation, &tools->handle);
    if (code == CODE_OK) {
        document_init(&document);
        code = work(invocation, tools, &document);
        document_fini(&document);
    }
    fact_destroy(&tools->handle);
    free(tools->body);
    free(tools);
    return code;
}

enum exit_code verb_tools_list(const struct invocation *invocation)
{
    return with_tools(invocation, list);
}

enum exit_code verb_tools_show(const struct invocation *invocation)
{
    return with_tools(invocation, show);
}
