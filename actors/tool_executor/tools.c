/* tools - see tools.h. */
#include "actors/tool_executor/tools.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/runtime/json_text.h"
#include "actors/tool_executor/tool_functions.h"
#include "protocol/canonical.h"
#include "protocol/key.h"
#include "protocol/schema.h"

#define ARRAY_HEAD_BYTES 5u /* of the largest */

/* clang-format off */
#define JSON(...) #__VA_ARGS__
#define CACHED true
#define UNCACHED false
#define ROW(is_for_tests_, run_, name_, version_, timeout, running, scope_, cached, ttl, scopes_,  \
            description_, parameters_, result_)                                                    \
    {.run = (run_), .name = (name_), .version = (version_), .timeout_ms = (timeout),               \
     .concurrency = (running), .scope = (scope_), .is_cached = (cached), .ttl_ms = (ttl),          \
     .scopes = (scopes_), .description = (description_), .parameters_text = (parameters_),         \
     .result_text = (result_), .is_for_tests = (is_for_tests_), .is_read_only = true,              \
     .is_idempotent = true},
#define TOOL(...) ROW(false, __VA_ARGS__)
#define TEST_TOOL(...) ROW(true, __VA_ARGS__)
static const struct tool rows[] = {
#include "actors/tool_executor/tools.def"
};
/* clang-format on */

/* Say what is wrong with a row; returns false. */
__attribute__((format(printf, 3, 4))) static bool refuse(const struct tool *row, char *reason,
                                                         const char *format, ...)
{
    va_list arguments;
    int used = snprintf(reason, TOOL_REASON_BYTES, "%.*s: ", (int)METHOD_BYTES_MAX,
                        row->name == NULL ? "a tool without a name" : row->name);
    va_start(arguments, format);
    (void)vsnprintf(reason + used, TOOL_REASON_BYTES - (size_t)used, format, arguments);
    va_end(arguments);
    return false;
}

static bool is_text(const char *text, size_t bytes_max)
{
    return text != NULL && text[0] != '\0' && strnlen(text, bytes_max + 1) <= bytes_max &&
           cursor_is_utf8(bytes_of(text));
}

/* Three numbers, and perhaps what semver lets follow them. */
static bool is_version(const char *text)
{
    static const char digits[] = "0123456789";
    if (!is_text(text, TOOL_VERSION_BYTES_MAX))
        return false;
    for (unsigned i = 0; i < 3; i++) {
        size_t size = strspn(text, digits);
        if (size == 0 || size > 9 || (size > 1 && text[0] == '0') || (i < 2 && text[size] != '.'))
            return false;
        text += size + (i < 2);
    }
    size_t rest = strspn(text, "-+.0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
    return text[0] == '\0' || (strchr("-+", text[0]) != NULL && rest > 1 && text[rest] == '\0');
}

static bool check_names(const struct tools *self, const struct tool *row, char *reason)
{
    char own[METHOD_BYTES_MAX];
    struct bytes name;
    if (!key_tool_name(bytes_of(row->name), own, &name) || !bytes_are(name, row->name))
        return refuse(row, reason, "the name is not Category_Action, of at most %u bytes",
                      METHOD_BYTES_MAX);
    if (tools_find(self, name) != NULL)
        return refuse(row, reason, "there is a tool of this name already");
    if (!is_version(row->version))
        return refuse(row, reason, "version: not like 1.0.0, of at most %u bytes",
                      TOOL_VERSION_BYTES_MAX);
    if (!is_text(row->description, TOOL_DESCRIPTION_BYTES_MAX))
        return refuse(row, reason, "description: not 1 to %u bytes of UTF-8",
                      TOOL_DESCRIPTION_BYTES_MAX);
    return true;
}

static bool check_terms(const struct tool *row, char *reason)
{
    enum key_scope_kind kind;
    if (!key_scope_kind_of(bytes_of(row->scope), &kind))
        return refuse(row, reason, "scope: not public, tenant or user");
    if (row->scopes != NULL && !is_text(row->scopes, 128))
        return refuse(row, reason, "rights: not 1 to 128 bytes of UTF-8");
    if (row->timeout_ms == 0 || row->timeout_ms > DEADLINE_MS_MAX)
        return refuse(row, reason, "timeout_ms: not 1 to %u", DEADLINE_MS_MAX);
    if (row->concurrency == 0 || row->concurrency > JOB_THREADS_MAX)
        return refuse(row, reason, "concurrency: not 1 to %u", JOB_THREADS_MAX);
    if (row->is_cached && (row->ttl_ms == 0 || row->ttl_ms > TTL_MS_MAX))
        return refuse(row, reason, "ttl_ms: not 1 to %llu", TTL_MS_MAX);
    if (row->is_cached && !(row->is_read_only && row->is_idempotent))
        return refuse(row, reason, "cacheable: only what is read_only and idempotent can be");
    return true;
}

/* One schema, canonical, behind what the memory has.
 *
 * what  parameters or result, for the reason */
static bool read_schema(struct tools *self, const struct tool *row, const char *what, char *reason,
                        struct bytes *ret)
{
    const char *text = what[0] == 'p' ? row->parameters_text : row->result_text;
    char *at = self->memory + self->memory_used;
    struct writer parsed, memory;
    struct json_fault json;
    struct fault fault;
    struct bytes type;
    writer_init(&parsed, self->room, TOOL_SCHEMA_BYTES_MAX);
    writer_init(&memory, at, TOOL_DEFINITIONS_BYTES_MAX - self->memory_used);
    if (text == NULL)
        return refuse(row, reason, "%s: there is no schema", what);
    if (!json_text_read(bytes_of(text), DEFINITION_NESTING_MAX, &parsed, &json))
        return refuse(row, reason, "%s: line %u, column %u: %s", what, json.line, json.column,
                      json.reason);
    if (parsed.full)
        return refuse(row, reason, "%s: larger than %u bytes", what, TOOL_SCHEMA_BYTES_MAX);
    enum status status = canonical_value(writer_bytes(&parsed), &memory, &fault);
    if (status == STATUS_TOO_LARGE)
        return refuse(row, reason, "all definitions together are larger than %u bytes",
                      TOOL_DEFINITIONS_BYTES_MAX);
    *ret = writer_bytes(&memory);
    if (status != STATUS_OK || schema_check(*ret, &fault) != STATUS_OK)
        return refuse(row, reason, "%s: %s%s%s", what, fault.path, fault.path[0] == '\0' ? "" : " ",
                      fault.reason);
    if (!value_text(value_find(*ret, "type"), &type) || !bytes_are(type, "object"))
        return refuse(row, reason, "%s: its type is not object", what);
    self->memory_used += ret->size;
    return true;
}

static uint64_t hash_of(const struct tools *self, const struct tool *tool)
{
    struct writer writer;
    struct fault fault;
    struct definition definition = {bytes_of(tool->name), bytes_of(tool->version), tool->parameters,
                                    tool->result};
    writer_init(&writer, self->room, TOOL_DEFINITIONS_BYTES_MAX);
    enum status status = canonical_definition(&definition, &writer, &fault);
    assert(status == STATUS_OK); /* both are canonical already */
    return canonical_hash(writer_bytes(&writer));
}

static enum status write_definition(const struct tool *tool, struct writer *writer)
{
    struct msg_tool_definition definition = {
        .name = bytes_of(tool->name),
        .version = bytes_of(tool->version),
        .description = bytes_of(tool->description),
        .parameters = tool->parameters,
        .result = tool->result,
        .schema = tool->schema,
        .timeout_ms = tool->timeout_ms,
        .scope = bytes_of(tool->scope),
        .cacheable = tool->is_cached,
        .ttl_ms = tool->ttl_ms,
        .read_only = tool->is_read_only,
        .idempotent = tool->is_idempotent,
        .scopes = bytes_of(tool->scopes),
    };
    return message_write(MSG_TOOL_DEFINITION, &definition, writer);
}

/* Its schemas, its hash, and room for its definition beside the others. */
static bool read_row(struct tools *self, struct tool *tool, char *reason)
{
    struct writer definition;
    if (!read_schema(self, tool, "parameters", reason, &tool->parameters) ||
        !read_schema(self, tool, "result", reason, &tool->result))
        return false;
    tool->schema = hash_of(self, tool);
    writer_init(&definition, self->room,
                TOOL_DEFINITIONS_BYTES_MAX - ARRAY_HEAD_BYTES - self->definitions_bytes);
    if (write_definition(tool, &definition) != STATUS_OK)
        return refuse(tool, reason, "all definitions together are larger than %u bytes",
                      TOOL_DEFINITIONS_BYTES_MAX);
    self->definitions_bytes += definition.used;
    return true;
}

bool tools_add(struct tools *self, const struct tool *row, char *reason)
{
    struct tool tool = *row;
    size_t memory_used = self->memory_used;
    if (self->count == TOOLS_MAX)
        return refuse(row, reason, "there are %u tools already, and no more can be", TOOLS_MAX);
    if (!check_names(self, row, reason) || !check_terms(row, reason))
        return false;
    if (!read_row(self, &tool, reason)) {
        self->memory_used = memory_used;
        return false;
    }
    self->list[self->count++] = tool;
    return true;
}

struct tools *tools_new(bool with_test_tools)
{
    struct tools *self = calloc(1, sizeof *self);
    char reason[TOOL_REASON_BYTES] = "";
    assert(self != NULL);
    self->memory = malloc(TOOL_DEFINITIONS_BYTES_MAX);
    self->room = malloc(TOOL_DEFINITIONS_BYTES_MAX);
    assert(self->memory != NULL);
    assert(self->room != NULL);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bool is_sound =
            (rows[i].is_for_tests && !with_test_tools) || tools_add(self, &rows[i], reason);
        assert(is_sound);
    }
    return self;
}

void tools_destroy(struct tools **self_p)
{
    if (*self_p == NULL)
        return;
    free((*self_p)->memory);
    free((*self_p)->room);
    free(*self_p);
    *self_p = NULL;
}

const struct tool *tools_find(const struct tools *self, struct bytes name)
{
    char own[METHOD_BYTES_MAX];
    struct bytes text;
    if (!key_tool_name(name, own, &text))
        return NULL;
    for (size_t i = 0; i < self->count; i++)
        if (bytes_are(text, self->list[i].name))
            return &self->list[i];
    return NULL;
}

bool tool_arguments(const struct tool *tool, struct bytes arguments, struct writer *out,
                    struct failure *failure)
{
    struct fault fault;
    size_t start = out->used;
    enum status status = canonical_arguments(arguments, tool->parameters, out, &fault);
    struct bytes canonical = {out->data + start, out->used - start};
    if (status == STATUS_OK)
        status = schema_validate(canonical, tool->parameters, &fault);
    if (status == STATUS_OK)
        return true;
    failure_set(failure, status, status == STATUS_TOO_LARGE ? "TOO_LARGE" : "BAD_ARGUMENTS",
                "%s%s%s", fault.path, fault.path[0] == '\0' ? "" : " ", fault.reason);
    failure_field(failure, "%s", fault.path);
    return false;
}

enum status tools_write(const struct tools *self, struct bytes name, struct writer *writer)
{
    struct writer list;
    size_t count = 0;
    for (size_t i = 0; i < self->count; i++)
        count += name.data == NULL || bytes_are(name, self->list[i].name);
    writer_init(&list, self->room, TOOL_DEFINITIONS_BYTES_MAX);
    writer_array(&list, count);
    for (size_t i = 0; i < self->count; i++) {
        if (name.data != NULL && !bytes_are(name, self->list[i].name))
            continue;
        enum status status = write_definition(&self->list[i], &list);
        assert(status == STATUS_OK); /* measured when it was added */
    }
    struct msg_tool_definitions definitions = {.tools = writer_bytes(&list)};
    return message_write(MSG_TOOL_DEFINITIONS, &definitions, writer);
}
