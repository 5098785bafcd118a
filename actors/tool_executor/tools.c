/* tools - see tools.h. */
#include "actors/tool_executor/tools.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/runtime/json_text.h"
#include "actors/tool_executor/tool_functions.h"
#include "protocol/canonical.h"
#include "protocol/key.h"
#include "protocol/schema.h"

#define SCHEMA_BYTES_MAX 4096u
#define DEFINITIONS_BYTES_MAX ((size_t)TOOLS_MAX * (2 * SCHEMA_BYTES_MAX + 2048))

/* clang-format off */
#define JSON(...) #__VA_ARGS__
#define CACHED true
#define UNCACHED false
#define ROW(is_for_tests_, run_, name_, version_, timeout, running, scope_, cached, ttl, scopes_,  \
            description_, parameters_, result_)                                                    \
    {.run = (run_), .name = (name_), .version = (version_), .timeout_ms = (timeout),               \
     .concurrency = (running), .scope = (scope_), .is_cached = (cached), .ttl_ms = (ttl),          \
     .scopes = (scopes_), .description = (description_), .parameters_text = (parameters_),         \
     .result_text = (result_), .is_for_tests = (is_for_tests_)},
#define TOOL(...) ROW(false, __VA_ARGS__)
#define TEST_TOOL(...) ROW(true, __VA_ARGS__)
static const struct tool rows[] = {
#include "actors/tool_executor/tools.def"
};
/* clang-format on */

_Static_assert(sizeof rows / sizeof rows[0] <= TOOLS_MAX, "every row has a place");

/* One schema, canonical, behind what the writer has. */
static struct bytes read_schema(const char *text, struct writer *memory)
{
    char raw[SCHEMA_BYTES_MAX];
    struct writer parsed;
    struct json_fault json_fault;
    struct fault fault;
    size_t start = memory->used;
    writer_init(&parsed, raw, sizeof raw);
    bool is_json = json_text_read(bytes_of(text), DEFINITION_NESTING_MAX, &parsed, &json_fault);
    assert(is_json);
    enum status status = canonical_value(writer_bytes(&parsed), memory, &fault);
    assert(status == STATUS_OK);
    struct bytes schema = {memory->data + start, memory->used - start};
    status = schema_check(schema, &fault);
    assert(status == STATUS_OK);
    return schema;
}

static uint64_t hash_of(const struct tool *tool)
{
    char raw[3 * SCHEMA_BYTES_MAX];
    struct writer writer;
    struct fault fault;
    struct definition definition = {bytes_of(tool->name), bytes_of(tool->version), tool->parameters,
                                    tool->result};
    writer_init(&writer, raw, sizeof raw);
    enum status status = canonical_definition(&definition, &writer, &fault);
    assert(status == STATUS_OK);
    return canonical_hash(writer_bytes(&writer));
}

struct tools *tools_new(bool with_test_tools)
{
    struct tools *self = calloc(1, sizeof *self);
    size_t size = (size_t)2 * TOOLS_MAX * SCHEMA_BYTES_MAX;
    struct writer memory;
    assert(self != NULL);
    self->memory = malloc(size);
    assert(self->memory != NULL);
    writer_init(&memory, self->memory, size);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].is_for_tests && !with_test_tools)
            continue;
        struct tool *tool = &self->list[self->count++];
        *tool = rows[i];
        tool->parameters = read_schema(tool->parameters_text, &memory);
        tool->result = read_schema(tool->result_text, &memory);
        tool->schema = hash_of(tool);
    }
    return self;
}

void tools_destroy(struct tools **self_p)
{
    if (*self_p == NULL)
        return;
    free((*self_p)->memory);
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

static void write_definition(const struct tool *tool, struct writer *writer)
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
        .read_only = true,
        .idempotent = true,
        .scopes = bytes_of(tool->scopes),
    };
    enum status status = message_write(MSG_TOOL_DEFINITION, &definition, writer);
    assert(status == STATUS_OK); /* rows of ours, in room for all of them */
}

enum status tools_write(const struct tools *self, struct bytes name, struct writer *writer)
{
    struct writer list;
    size_t count = 0;
    char *room = malloc(DEFINITIONS_BYTES_MAX);
    assert(room != NULL);
    for (size_t i = 0; i < self->count; i++)
        count += name.data == NULL || bytes_are(name, self->list[i].name);
    writer_init(&list, room, DEFINITIONS_BYTES_MAX);
    writer_array(&list, count);
    for (size_t i = 0; i < self->count; i++)
        if (name.data == NULL || bytes_are(name, self->list[i].name))
            write_definition(&self->list[i], &list);
    struct msg_tool_definitions definitions = {.tools = writer_bytes(&list)};
    enum status status = message_write(MSG_TOOL_DEFINITIONS, &definitions, writer);
    free(room);
    return status;
}
