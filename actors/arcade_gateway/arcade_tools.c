/* arcade_tools - see arcade_talk.h. A list is taken up only when its last page is there: one that
 * breaks off, or never ends, leaves what was known as it was. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/arcade_talk.h"
#include "protocol/limits.h"

#define TIMEOUT_MS 30000u
#define TTL_MS 60000u           /* of an answer that may be kept: Arcade has no word for it */
#define SCHEMA_BYTES_MAX 32768u /* before it is put into its canonical form, which is shorter */
#define RESULT_SCHEMA_BYTES_MAX 128u
#define SEPARATORS " ,\t"

struct bytes arcade_toolkit(const char *toolkits, size_t at)
{
    at += strspn(toolkits + at, SEPARATORS);
    return (struct bytes){toolkits + at, strcspn(toolkits + at, SEPARATORS)};
}

/* On to the next toolkit; false: there is none. */
static bool step_toolkit(struct arcade_talk *talk, const struct arcade_server *server)
{
    struct bytes toolkit = arcade_toolkit(server->toolkits, talk->toolkit_at);
    talk->toolkit_at = (size_t)(toolkit.data - server->toolkits) + toolkit.size;
    talk->offset = 0;
    return arcade_toolkit(server->toolkits, talk->toolkit_at).size > 0;
}

static bool has_more(const struct arcade_talk *talk, struct bytes page, uint64_t count)
{
    uint64_t total;
    if (value_u64(value_find(page, "total_count"), &total))
        return count > 0 && talk->offset < total;
    return count >= ARCADE_PAGE_TOOLS;
}

enum dialogue_next arcade_take_page(struct dialogue *self)
{
    struct arcade_talk *talk = self->state;
    struct bytes page = talk->came.value, items = value_find(page, "items");
    if (items.data != NULL && value_kind(items) == KIND_NIL)
        items = (struct bytes){"\x90", 1}; /* how some say that there is none */
    if (value_kind(items) != KIND_ARRAY)
        return arcade_fail(self, "UPSTREAM_BAD_RESPONSE", "a list without tools");
    if (page.size > ARCADE_LIST_BYTES_MAX - talk->page_bytes)
        return arcade_fail(self, "LIMIT", "its list is larger than 8 MiB");
    talk->pages = realloc(talk->pages, (talk->page_count + 1) * sizeof *talk->pages);
    assert(talk->pages != NULL);
    talk->pages[talk->page_count++] = talk->came;
    talk->page_bytes += page.size;
    talk->came = (struct json_body){0};
    uint64_t count = values_count(items);
    talk->offset += count;
    if (!has_more(talk, page, count) && !step_toolkit(talk, self->remote->memory))
        return DIALOGUE_DONE;
    talk->is_cut = talk->page_count == ARCADE_PAGES_MAX;
    return talk->is_cut ? DIALOGUE_DONE : DIALOGUE_EXCHANGE;
}

void arcade_drop_pages(struct arcade_talk *self)
{
    for (size_t i = 0; i < self->page_count; i++)
        json_body_fini(&self->pages[i]);
    free(self->pages);
    self->pages = NULL;
    self->page_count = self->page_bytes = 0;
}

/* Arcade's types, and ours. What is not here is left to Arcade to judge. */
static const struct {
    const char *arcade, *ours;
} types[] = {
    {"string", "string"},   {"integer", "integer"}, {"number", "number"},
    {"boolean", "boolean"}, {"array", "array"},
};

/* NULL: of any type. */
static const char *type_of(struct bytes schema, const char *key)
{
    struct bytes name;
    if (!value_text(value_find(schema, key), &name))
        return NULL;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (bytes_are(name, types[i].arcade))
            return types[i].ours;
    return NULL;
}

/* The texts that are allowed; data NULL: any. */
static struct bytes enum_of(struct bytes schema)
{
    struct bytes list = value_find(schema, "enum"), value, text;
    struct values values = values_over(list);
    if (value_kind(list) != KIND_ARRAY || values.left == 0 || values.left >= ENUM_VALUES_MAX)
        return (struct bytes){0};
    while (values_next(&values, &value))
        if (!value_text(value, &text))
            return (struct bytes){0};
    return list;
}

/* May be left out: may be null too, as Arcade's own clients write it. */
static void write_type(struct writer *out, const char *type, bool is_optional)
{
    writer_cstr(out, "type");
    if (is_optional)
        writer_array(out, 2);
    writer_cstr(out, type);
    if (is_optional)
        writer_cstr(out, "null");
}

static void write_enum(struct writer *out, struct bytes list, bool is_optional)
{
    struct values values = values_over(list);
    struct bytes value;
    writer_cstr(out, "enum");
    writer_array(out, (size_t)values.left + is_optional);
    while (values_next(&values, &value))
        writer_raw(out, value);
    if (is_optional)
        writer_nil(out);
}

static void write_items(struct writer *out, const char *type, struct bytes list)
{
    writer_cstr(out, "items");
    writer_map(out, (type != NULL) + (list.data != NULL));
    if (type != NULL)
        write_type(out, type, false);
    if (list.data != NULL)
        write_enum(out, list, false);
}

static bool is_required(struct bytes parameter)
{
    bool required = false;
    return value_bool(value_find(parameter, "required"), &required) && required;
}

static void write_parameter(struct writer *out, struct bytes parameter)
{
    struct bytes schema = value_find(parameter, "value_schema"), about;
    const char *type = type_of(schema, "val_type"), *inner = type_of(schema, "inner_val_type");
    bool is_array = type != NULL && strcmp(type, "array") == 0;
    bool is_text = type != NULL && strcmp(type, "string") == 0;
    bool is_text_array = is_array && inner != NULL && strcmp(inner, "string") == 0;
    struct bytes list = is_text || is_text_array ? enum_of(schema) : (struct bytes){0};
    bool is_listed = is_text && list.data != NULL;
    bool is_optional = !is_required(parameter);
    bool is_described = value_text(value_find(parameter, "description"), &about);
    if (inner != NULL && strcmp(inner, "array") == 0)
        inner = NULL;
    writer_map(out, (size_t)is_described + (type != NULL) + is_listed + is_array);
    if (is_described) {
        writer_cstr(out, "description");
        writer_text(out, about);
    }
    if (type != NULL)
        write_type(out, type, is_optional);
    if (is_listed)
        write_enum(out, list, is_optional);
    if (is_array)
        write_items(out, inner, list);
}

static void write_required(struct writer *out, struct bytes parameters)
{
    struct bytes parameter;
    size_t count = 0;
    for (int round = 0; round < 2; round++) {
        struct values values = values_over(parameters);
        if (round == 1) {
            writer_cstr(out, "required");
            writer_array(out, count);
        }
        while (values_next(&values, &parameter)) {
            count += round == 0 && is_required(parameter);
            if (round == 1 && is_required(parameter))
                writer_raw(out, value_find(parameter, "name"));
        }
    }
}

/* The schema of a definition's parameters.
 *
 * returns  NULL; else why the tool cannot be offered */
static const char *write_parameters(struct writer *out, struct bytes input)
{
    struct bytes parameters = value_find(input, "parameters"), parameter, name;
    bool are_there = parameters.data != NULL && value_kind(parameters) != KIND_NIL;
    if (!are_there)
        parameters = (struct bytes){"\x90", 1};
    if (value_kind(parameters) != KIND_ARRAY)
        return "parameters that are no list";
    struct values values = values_over(parameters);
    writer_map(out, 4);
    writer_cstr(out, "type");
    writer_cstr(out, "object");
    writer_cstr(out, "properties");
    writer_map(out, (size_t)values.left);
    while (values_next(&values, &parameter)) {
        if (!value_text(value_find(parameter, "name"), &name))
            return "a parameter without a name";
        writer_text(out, name);
        write_parameter(out, parameter);
    }
    write_required(out, parameters);
    writer_cstr(out, "additionalProperties");
    writer_bool(out, false);
    return out->full ? "a schema that is too large" : NULL;
}

/* The schema of a definition's data; absent: nothing can be said of it. It may be null: a tool may
 * have nothing to say. */
static struct bytes write_result(struct writer *out, struct bytes output)
{
    struct bytes schema = value_find(output, "value_schema");
    const char *type = type_of(schema, "val_type"), *inner = type_of(schema, "inner_val_type");
    bool is_array = type != NULL && strcmp(type, "array") == 0;
    if (type == NULL)
        return (struct bytes){0};
    if (inner != NULL && strcmp(inner, "array") == 0)
        inner = NULL;
    writer_map(out, 1 + (size_t)is_array);
    write_type(out, type, true);
    if (is_array)
        write_items(out, inner, (struct bytes){0});
    return writer_bytes(out);
}

static bool says(struct bytes behavior, const char *key)
{
    bool is_true = false;
    return value_bool(value_find(behavior, key), &is_true) && is_true;
}

/* Memory for what one tool is made of. */
struct parts {
    struct remote_tool tool;
    char parameters[SCHEMA_BYTES_MAX];
    char result[RESULT_SCHEMA_BYTES_MAX];
};

/* What it only reads may be asked twice, and its answer kept; for this user alone, whose data it
 * may be. */
static const char *take_definition(struct bytes given, struct parts *parts)
{
    struct remote_tool *tool = &parts->tool;
    struct bytes toolkit = value_find(given, "toolkit"), name = {0};
    struct bytes behavior = value_find(value_find(given, "metadata"), "behavior");
    struct bytes leave = value_find(value_find(given, "requirements"), "authorization");
    struct writer writer;
    *tool = (struct remote_tool){.timeout_ms = TIMEOUT_MS, .scope = "user"};
    (void)value_text(value_find(given, "qualified_name"), &name);
    if (!dialogue_text(given, "qualified_name", tool->remote_name, sizeof tool->remote_name) ||
        strlen(tool->remote_name) != name.size)
        return "no qualified_name of 1 to 255 bytes";
    (void)dialogue_text(given, "description", tool->description, sizeof tool->description);
    if (!dialogue_text(toolkit, "version", tool->version, sizeof tool->version))
        snprintf(tool->version, sizeof tool->version, "%s", ARCADE_VERSION_UNKNOWN);
    tool->read_only = says(behavior, "read_only");
    tool->idempotent = tool->read_only || says(behavior, "idempotent");
    tool->cacheable = tool->read_only;
    tool->ttl_ms = tool->cacheable ? TTL_MS : 0;
    tool->needs_authorization = value_kind(leave) == KIND_MAP;
    writer_init(&writer, parts->parameters, sizeof parts->parameters);
    const char *reason = write_parameters(&writer, value_find(given, "input"));
    tool->parameters = writer_bytes(&writer);
    writer_init(&writer, parts->result, sizeof parts->result);
    tool->result = write_result(&writer, value_find(given, "output"));
    return reason;
}

static void import_tool(struct dialogue *self, struct bytes given, struct parts *parts)
{
    struct remote *remote = self->remote;
    char reason[HTTP_REASON_BYTES];
    const char *refusal = take_definition(given, parts);
    if (refusal == NULL && !imports_add(remote->imports, remote->name, &parts->tool, reason))
        refusal = reason;
    if (refusal == NULL)
        return;
    remote->refused++;
    snprintf(remote->refusal, sizeof remote->refusal, "%.60s: %.130s", parts->tool.remote_name,
             refusal);
}

void arcade_import(struct dialogue *self)
{
    struct arcade_talk *talk = self->state;
    struct remote *remote = self->remote;
    struct parts *parts = malloc(sizeof *parts);
    assert(parts != NULL);
    remote->refused = 0;
    remote->refusal[0] = '\0';
    imports_begin(remote->imports, remote->name);
    for (size_t i = 0; i < talk->page_count; i++) {
        struct bytes items = value_find(talk->pages[i].value, "items"), given;
        struct values values = values_over(items);
        while (value_kind(items) == KIND_ARRAY && values_next(&values, &given))
            import_tool(self, given, parts);
    }
    (void)imports_end(remote->imports, remote->name);
    free(parts);
    arcade_drop_pages(talk);
    if (!talk->is_cut)
        return;
    remote->refused++;
    snprintf(remote->refusal, sizeof remote->refusal,
             "its list has more than %u pages: the rest is offered when asked for by name",
             ARCADE_PAGES_MAX);
}

const struct remote_tool *arcade_import_one(struct dialogue *self, struct bytes given, char *reason)
{
    const struct arcade_talk *talk = self->state;
    const struct remote_tool *tool = NULL;
    struct parts *parts = malloc(sizeof *parts);
    assert(parts != NULL);
    const char *refusal = take_definition(given, parts);
    if (refusal == NULL && strcmp(parts->tool.remote_name, talk->wanted) != 0)
        refusal = "a definition of another tool";
    if (refusal == NULL)
        tool = imports_put(self->remote->imports, self->remote->name, &parts->tool, reason);
    else
        snprintf(reason, HTTP_REASON_BYTES, "%s", refusal);
    free(parts);
    return tool;
}
