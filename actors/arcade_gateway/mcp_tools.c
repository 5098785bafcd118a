/* mcp_tools - see mcp_talk.h. A list is taken up only when its last page is there: one that breaks
 * off, or never ends, leaves what was known as it was. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/mcp_schema.h"
#include "actors/arcade_gateway/mcp_talk.h"
#include "actors/arcade_gateway/repeat.h"
#include "protocol/canonical.h"
#include "protocol/limits.h"

#define TIMEOUT_MS 30000u
#define VERSION_UNKNOWN "0.0.0"
#define SCHEMA_BYTES_MAX 32768u /* before it is put into its canonical form, which is shorter */

static enum dialogue_next fail(struct dialogue *self, const char *code, const char *message)
{
    failure_set(&self->failure, STATUS_APP_ERROR, code, "MCP server %s: %s", self->remote->name,
                message);
    return DIALOGUE_FAILED;
}

/* The next page's cursor.
 *
 * returns  DONE: there is none; EXCHANGE: it stands in the talk; FAILED */
static enum dialogue_next take_cursor(struct dialogue *self, struct bytes result)
{
    struct mcp_talk *talk = self->state;
    struct bytes cursor = {0};
    if (!value_text(value_find(result, "nextCursor"), &cursor) || cursor.size == 0)
        return DIALOGUE_DONE;
    if (cursor.size >= sizeof talk->cursor || memchr(cursor.data, '\0', cursor.size) != NULL)
        return fail(self, "UPSTREAM_BAD_RESPONSE", "a cursor of its list is too long");
    if (talk->page_count == MCP_PAGES_MAX)
        return fail(self, "LIMIT", "its list has more than 100 pages");
    uint64_t hash = canonical_hash(cursor);
    for (size_t i = 0; i + 1 < talk->page_count; i++)
        if (talk->cursors[i] == hash)
            return fail(self, "UPSTREAM_BAD_RESPONSE", "the cursors of its list go round");
    talk->cursors[talk->page_count - 1] = hash;
    memcpy(talk->cursor, cursor.data, cursor.size);
    talk->cursor[cursor.size] = '\0';
    return DIALOGUE_EXCHANGE;
}

enum dialogue_next mcp_take_page(struct dialogue *self)
{
    struct mcp_talk *talk = self->state;
    struct bytes result = talk->answer.result;
    uint64_t ttl_ms = 0;
    if (value_kind(value_find(result, "tools")) != KIND_ARRAY)
        return fail(self, "UPSTREAM_BAD_RESPONSE", "a list without tools");
    if (result.size > MCP_LIST_BYTES_MAX - talk->page_bytes)
        return fail(self, "LIMIT", "its list is larger than 8 MiB");
    (void)value_u64(value_find(result, "ttlMs"), &ttl_ms);
    ttl_ms = ttl_ms < MCP_LIST_TTL_MS_MAX ? ttl_ms : MCP_LIST_TTL_MS_MAX;
    if (talk->page_count == 0 || ttl_ms < talk->ttl_ms)
        talk->ttl_ms = (uint32_t)ttl_ms;
    talk->pages = realloc(talk->pages, (talk->page_count + 1) * sizeof *talk->pages);
    assert(talk->pages != NULL);
    talk->pages[talk->page_count++] = talk->answer;
    talk->page_bytes += result.size;
    talk->answer = (struct mcp_message){.kind = MCP_NOTHING};
    return take_cursor(self, result);
}

void mcp_drop_pages(struct mcp_talk *self)
{
    for (size_t i = 0; i < self->page_count; i++)
        mcp_message_fini(&self->pages[i]);
    free(self->pages);
    self->pages = NULL;
    self->page_count = self->page_bytes = 0;
    self->cursor[0] = '\0';
}

static bool says(struct bytes annotations, const char *hint)
{
    bool is_true = false;
    return value_bool(value_find(annotations, hint), &is_true) && is_true;
}

/* What a tool says of itself counts only if its server is trusted. What it only reads may be asked
 * twice, and its answer kept. */
static void take_annotations(const struct dialogue *self, struct bytes tool,
                             struct remote_tool *ret)
{
    struct bytes annotations = value_find(tool, "annotations");
    if (!self->remote->is_trusted)
        return;
    ret->read_only = says(annotations, "readOnlyHint");
    ret->idempotent = ret->read_only || says(annotations, "idempotentHint");
    ret->cacheable = ret->read_only;
    ret->ttl_ms = ret->cacheable ? MCP_ANSWER_TTL_MS : 0;
}

/* Memory for what one tool is made of. */
struct parts {
    struct remote_tool tool;
    char parameters[SCHEMA_BYTES_MAX], result[SCHEMA_BYTES_MAX], extra[MCP_EXTRA_BYTES_MAX];
};

/* The marks of a tool's parameters, where they mean something. */
static const char *take_extra(const struct dialogue *self, struct bytes input, struct writer *out)
{
    const struct mcp_server *server = self->remote->memory;
    if (server->era == MCP_ERA_SESSION) {
        writer_array(out, 0);
        return NULL;
    }
    const char *reason = mcp_marks_find(input, out);
    return reason == NULL && out->full ? "more x-mcp-header than fit" : reason;
}

static const char *take_schemas(const struct dialogue *self, struct bytes tool, struct parts *ret)
{
    struct bytes input = value_find(tool, "inputSchema"), output = value_find(tool, "outputSchema");
    struct writer writer;
    writer_init(&writer, ret->parameters, sizeof ret->parameters);
    const char *reason =
        input.data != NULL ? mcp_schema_reduce(input, &writer) : "there is no inputSchema";
    if (reason != NULL || writer.full)
        return reason != NULL ? reason : "a schema that is too large";
    ret->tool.parameters = writer_bytes(&writer);
    writer_init(&writer, ret->extra, sizeof ret->extra);
    reason = take_extra(self, input, &writer);
    ret->tool.extra = writer_bytes(&writer);
    writer_init(&writer, ret->result, sizeof ret->result);
    if (output.data != NULL && mcp_schema_reduce(output, &writer) == NULL)
        ret->tool.result = writer_bytes(&writer);
    return reason;
}

static const char *import_tool(struct dialogue *self, struct bytes tool, struct parts *parts,
                               char *reason)
{
    const struct mcp_server *server = self->remote->memory;
    struct bytes name = {0};
    parts->tool = (struct remote_tool){.timeout_ms = TIMEOUT_MS, .scope = "tenant"};
    (void)value_text(value_find(tool, "name"), &name);
    if (!dialogue_text(tool, "name", parts->tool.remote_name, sizeof parts->tool.remote_name) ||
        strlen(parts->tool.remote_name) != name.size)
        return "no name of 1 to 255 bytes";
    if (!dialogue_text(tool, "description", parts->tool.description,
                       sizeof parts->tool.description))
        (void)dialogue_text(tool, "title", parts->tool.description, sizeof parts->tool.description);
    snprintf(parts->tool.version, sizeof parts->tool.version, "%s",
             server->server_version[0] != '\0' ? server->server_version : VERSION_UNKNOWN);
    take_annotations(self, tool, &parts->tool);
    const char *refusal = take_schemas(self, tool, parts);
    if (refusal == NULL &&
        !imports_add(self->remote->imports, self->remote->name, &parts->tool, reason))
        refusal = reason;
    return refusal;
}

/* Count a tool that is not offered, with the reason of the last; cut between two characters. */
static void note_refusal(struct remote *remote, const char *name, const char *why)
{
    char *text = remote->refusal;
    size_t size = (size_t)snprintf(text, sizeof remote->refusal, "%s: %s", name, why);
    remote->refused++;
    size = size < sizeof remote->refusal ? size : sizeof remote->refusal - 1;
    while (!cursor_is_utf8((struct bytes){text, size}))
        text[--size] = '\0';
}

void mcp_import(struct dialogue *self)
{
    struct mcp_talk *talk = self->state;
    struct mcp_server *server = self->remote->memory;
    struct parts *parts = malloc(sizeof *parts);
    assert(parts != NULL);
    self->remote->refused = 0;
    imports_begin(self->remote->imports, self->remote->name);
    for (size_t i = 0; i < talk->page_count; i++) {
        struct values tools = values_over(value_find(talk->pages[i].result, "tools"));
        struct bytes tool;
        char reason[HTTP_REASON_BYTES];
        while (values_next(&tools, &tool)) {
            const char *refusal = import_tool(self, tool, parts, reason);
            if (refusal != NULL)
                note_refusal(self->remote, parts->tool.remote_name, refusal);
        }
    }
    (void)imports_end(self->remote->imports, self->remote->name);
    server->fresh_until_at = self->now_at + talk->ttl_ms * US_PER_MS;
    free(parts);
    mcp_drop_pages(talk);
}

bool mcp_take_tool(struct dialogue *self, const struct remote_tool *tool)
{
    struct mcp_talk *talk = self->state;
    if (tool == NULL)
        return failure_set(&self->failure, STATUS_BAD_REQUEST, "TOOL_NOT_FOUND",
                           "MCP server %s has no such tool, or not any more.", self->remote->name);
    snprintf(talk->remote_name, sizeof talk->remote_name, "%s", tool->remote_name);
    assert(tool->extra.size <= sizeof talk->extra);
    talk->extra_size = tool->extra.size;
    if (tool->extra.size > 0)
        memcpy(talk->extra, tool->extra.data, tool->extra.size);
    talk->may_repeat = tool->idempotent || tool->read_only;
    return true;
}

/* The texts of a result, one below the other, for people. */
static void join_texts(struct bytes content, char *out, size_t size)
{
    struct values blocks = values_over(content);
    struct bytes block, text;
    size_t used = 0;
    out[0] = '\0';
    while (value_kind(content) == KIND_ARRAY && values_next(&blocks, &block) && used + 1 < size) {
        if (!value_text(value_find(block, "text"), &text) || text.size == 0)
            continue;
        int length = snprintf(out + used, size - used, "%s%.*s", used > 0 ? "\n" : "",
                              (int)text.size, text.data);
        used += (size_t)length < size - used ? (size_t)length : size - used - 1;
    }
}

static enum dialogue_next write_data(struct dialogue *self, struct bytes data)
{
    if (data.data == NULL)
        writer_nil(&self->data);
    else if (!value_check(data, MCP_DATA_NESTING_MAX))
        return fail(self, "LIMIT", "its result is nested too deep");
    else
        writer_raw(&self->data, data);
    return self->data.full ? fail(self, "LIMIT", "its result is larger than 192 KiB")
                           : DIALOGUE_DONE;
}

enum dialogue_next mcp_take_result(struct dialogue *self)
{
    struct mcp_talk *talk = self->state;
    struct bytes result = talk->answer.result, type = {0};
    struct bytes structured = value_find(result, "structuredContent");
    struct bytes content = value_find(result, "content");
    bool is_typed = value_text(value_find(result, "resultType"), &type), is_error = false;
    if (is_typed && bytes_are(type, "input_required"))
        return fail(self, "INPUT_REQUIRED", "its tool asks for input, which cannot be given here");
    if (is_typed && !bytes_are(type, "complete"))
        return fail(self, "UPSTREAM_BAD_RESPONSE", "a result of an unknown type");
    if (value_bool(value_find(result, "isError"), &is_error) && is_error) {
        char text[sizeof self->failure.message];
        join_texts(content, text, sizeof text);
        failure_set(&self->failure, STATUS_APP_ERROR, "TOOL_FAILED", "%s",
                    text[0] != '\0' ? text : "The tool failed, and did not say why.");
        return DIALOGUE_FAILED;
    }
    bool has_structured = structured.data != NULL && value_kind(structured) != KIND_NIL;
    return write_data(self, has_structured ? structured : content);
}

/* What an error of the protocol means to the one who called. */
static const struct {
    int64_t code;
    enum status status;
    const char *name;
} meanings[] = {
    {MCP_METHOD_NOT_FOUND, STATUS_BAD_REQUEST, "TOOL_NOT_FOUND"},
    {MCP_INVALID_PARAMS, STATUS_BAD_REQUEST, "BAD_ARGUMENTS"},
    {MCP_CAPABILITY_MISSING, STATUS_APP_ERROR, "INPUT_REQUIRED"},
    {MCP_HEADER_MISMATCH, STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
    {MCP_VERSION_UNSUPPORTED, STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST"},
};

enum dialogue_next mcp_fail_error(struct dialogue *self)
{
    const struct mcp_talk *talk = self->state;
    enum status status = STATUS_APP_ERROR;
    const char *name = "TOOL_FAILED";
    for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++) {
        if (meanings[i].code != talk->answer.code)
            continue;
        status = meanings[i].status;
        name = meanings[i].name;
    }
    failure_set(&self->failure, status, name, "MCP server %s: %.*s (%lld)", self->remote->name,
                (int)talk->answer.text.size, talk->answer.text.data, (long long)talk->answer.code);
    return DIALOGUE_FAILED;
}

/* When to come again, as the server says; it may not say. */
static enum dialogue_next fail_rate(struct dialogue *self, const struct http_response *came)
{
    failure_set(&self->failure, STATUS_RATE_LIMITED, "RATE_LIMITED", "MCP server %s: HTTP 429",
                self->remote->name);
    if (!repeat_after_ms(came, self->unix_ms, &self->failure.retry_after_ms))
        self->failure.retry_after_ms = DIALOGUE_RETRY_AFTER_MS;
    return DIALOGUE_FAILED;
}

static enum dialogue_next fail_status(struct dialogue *self, unsigned status)
{
    const struct mcp_talk *talk = self->state;
    const char *name = self->remote->name;
    if (status == 401)
        return fail(self, "UPSTREAM_AUTH", "it does not take our key");
    if (status >= 500)
        failure_set(&self->failure, STATUS_APP_ERROR, "UPSTREAM_UNAVAILABLE",
                    "MCP server %s: HTTP %u", name, status);
    else if (status == 403)
        failure_set(&self->failure, STATUS_FORBIDDEN, "FORBIDDEN", "MCP server %s: HTTP 403", name);
    else if (talk->is_too_large)
        return fail(self, "LIMIT", "its answer, or an event of it, is larger than 1 MiB");
    else if (status < 300)
        return fail(self, "UPSTREAM_BAD_RESPONSE", "there is no answer in its response");
    else
        failure_set(&self->failure, STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST",
                    "MCP server %s: HTTP %u", name, status);
    return DIALOGUE_FAILED;
}

enum dialogue_next mcp_fail_http(struct dialogue *self, const struct http_response *came)
{
    if (came->end == HTTP_ANSWERED && came->status == 429)
        return fail_rate(self, came);
    if (came->end == HTTP_ANSWERED)
        return fail_status(self, came->status);
    char who[REMOTE_SOURCE_BYTES_MAX + sizeof "MCP server "];
    (void)snprintf(who, sizeof who, "MCP server %s", self->remote->name);
    return dialogue_fail_unanswered(self, who, came);
}
