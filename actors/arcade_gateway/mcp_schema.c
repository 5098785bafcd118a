/* mcp_schema - see mcp_schema.h. How many members a map will have is known when they are written:
 * so its count is put in afterwards, in a form that is wide enough. */
#include "actors/arcade_gateway/mcp_schema.h"

#include <string.h>

#include "protocol/limits.h"
#include "protocol/schema.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define MAP16 "\xde\0\0"
#define RULE_BYTES_MAX 4096u /* a longer one is left out */

struct reduction {
    struct bytes root;
    struct writer *out;
    unsigned references_left; /* each costs a walk over the root */
    const char *reason;       /* why there will be none; NULL: none so far */
};

/* A schema with what it refers to. */
struct source {
    struct bytes outer; /* says what it is for, and its default */
    struct bytes inner; /* its rules; data NULL: none */
    bool is_nullable;   /* or null, whatever inner says */
};

/* How far in, of both; at 0 anything is allowed. */
struct room {
    unsigned references, nesting;
};

struct members {
    size_t at; /* of the map's tag */
    unsigned count;
};

static void reduce(struct reduction *self, struct bytes schema, struct room room);

static struct members open_map(struct writer *out)
{
    struct members members = {.at = out->used};
    writer_raw(out, (struct bytes){MAP16, sizeof MAP16 - 1});
    return members;
}

static void close_map(struct writer *out, const struct members *members)
{
    if (!out->full)
        out->data[members->at + 2] = (char)members->count;
}

static bool has(struct bytes schema, const char *keyword)
{
    return value_find(schema, keyword).data != NULL;
}

static bool is_null_type(struct bytes schema)
{
    struct bytes type;
    return value_text(value_find(schema, "type"), &type) && bytes_are(type, "null");
}

/* The one of two alternatives that is not null; data NULL: it is not so simple. */
static struct bytes other_than_null(struct bytes schema)
{
    struct bytes first, second, list = value_find(schema, "anyOf");
    list = list.data != NULL ? list : value_find(schema, "oneOf");
    struct values values = values_over(list);
    bool are_two = value_kind(list) == KIND_ARRAY && values_count(list) == 2 &&
                   values_next(&values, &first) && values_next(&values, &second);
    if (!are_two || has(schema, "type") || is_null_type(first) == is_null_type(second))
        return (struct bytes){0};
    return is_null_type(first) ? second : first;
}

/* A pointer's next name, with its two escapes undone, is this key (RFC 6901). */
static bool is_step(struct bytes step, struct bytes key)
{
    size_t at = 0;
    for (size_t i = 0; i < step.size; i++, at++) {
        char letter = step.data[i];
        if (letter == '~' && i + 1 < step.size)
            letter = step.data[++i] == '1' ? '/' : '~';
        if (at == key.size || key.data[at] != letter)
            return false;
    }
    return at == key.size;
}

static struct bytes find_step(struct bytes map, struct bytes step)
{
    struct values members = values_over(map);
    struct bytes key, value, text;
    while (value_kind(map) == KIND_MAP && values_next(&members, &key) &&
           values_next(&members, &value))
        if (value_text(key, &text) && is_step(step, text))
            return value;
    return (struct bytes){0};
}

/* What a reference inside the schema means; data NULL: nothing that is there. */
static struct bytes resolve(struct bytes root, struct bytes reference)
{
    struct bytes at = root, left = {reference.data + 1, reference.size - 1};
    while (left.size > 0 && at.data != NULL && left.data[0] == '/') {
        struct bytes step = {left.data + 1, left.size - 1};
        const char *end = memchr(step.data, '/', step.size);
        step.size = end != NULL ? (size_t)(end - step.data) : step.size;
        left = (struct bytes){step.data + step.size, left.size - 1 - step.size};
        at = find_step(at, step);
    }
    return left.size == 0 ? at : (struct bytes){0};
}

static struct source find_source(struct reduction *self, struct bytes schema, struct room *room)
{
    struct source source = {.outer = schema, .inner = schema};
    while (value_kind(source.inner) == KIND_MAP) {
        struct bytes reference, other = other_than_null(source.inner);
        bool refers = value_text(value_find(source.inner, "$ref"), &reference);
        if (!refers && other.data == NULL)
            return source;
        if (room->references == 0 || self->references_left == 0)
            break;
        room->references--;
        self->references_left--;
        source.is_nullable = source.is_nullable || !refers;
        source.inner = other;
        if (refers && (reference.size == 0 || reference.data[0] != '#'))
            self->reason = "a $ref that leads elsewhere";
        else if (refers)
            source.inner = resolve(self->root, reference);
        if (source.inner.data == NULL && self->reason == NULL)
            self->reason = "a $ref that leads nowhere";
    }
    source.inner = (struct bytes){0};
    return source;
}

/* A rule that stands alone is one that we have. */
static bool is_known(const char *keyword, struct bytes rule)
{
    char bytes[RULE_BYTES_MAX + 64];
    struct writer writer;
    struct fault fault;
    writer_init(&writer, bytes, sizeof bytes);
    writer_map(&writer, 1);
    writer_cstr(&writer, keyword);
    writer_raw(&writer, rule);
    struct bytes schema = writer_bytes(&writer);
    return schema.data != NULL && schema_check(schema, &fault) == STATUS_OK;
}

/* Compared as bytes are texts and numbers only. */
static bool is_comparable(struct bytes rule, bool is_list)
{
    struct values values = values_over(rule);
    struct bytes value;
    if (!is_list)
        return value_kind(rule) != KIND_ARRAY && value_kind(rule) != KIND_MAP;
    while (values_next(&values, &value))
        if (!is_comparable(value, false))
            return false;
    return true;
}

static void write_rule(struct writer *out, struct members *members, const char *keyword,
                       struct bytes rule)
{
    writer_cstr(out, keyword);
    writer_raw(out, rule);
    members->count++;
}

/* Rules about a value itself. A format says nothing about a value, unless both sides agree. */
static void write_plain(struct writer *out, struct members *members, const struct source *source)
{
    static const char *const keywords[] = {
        "minLength",  "maxLength", "pattern",          "minimum",
        "maximum",    "minItems",  "exclusiveMinimum", "exclusiveMaximum",
        "multipleOf", "maxItems",  "uniqueItems",      "enum",
        "const"};
    static const char *const about[] = {"title", "description"};
    for (size_t i = 0; i < COUNT_OF(keywords); i++) {
        const char *keyword = keywords[i];
        struct bytes rule = value_find(source->inner, keyword);
        bool is_enum = strcmp(keyword, "enum") == 0;
        bool is_values = is_enum || strcmp(keyword, "const") == 0;
        if (rule.data != NULL && is_known(keyword, rule) &&
            (!is_values || (!source->is_nullable && is_comparable(rule, is_enum))))
            write_rule(out, members, keyword, rule);
    }
    for (size_t i = 0; i < COUNT_OF(about); i++) {
        struct bytes rule = value_find(source->outer, about[i]);
        rule = rule.data != NULL ? rule : value_find(source->inner, about[i]);
        if (rule.data != NULL && is_known(about[i], rule))
            write_rule(out, members, about[i], rule);
    }
}

/* The names in a rule of type: of a list, or the one. */
static struct values types_over(struct bytes type)
{
    if (value_kind(type) == KIND_ARRAY)
        return values_over(type);
    return (struct values){.cursor = cursor_over(type), .left = 1};
}

static bool allows_type(struct bytes type, const char *name)
{
    struct values types = types_over(type);
    struct bytes value, text;
    while (values_next(&types, &value))
        if (value_text(value, &text) && bytes_are(text, name))
            return true;
    return false;
}

static void write_type(struct writer *out, struct members *members, const struct source *source,
                       struct bytes type)
{
    if (type.data == NULL)
        return;
    if (!source->is_nullable || allows_type(type, "null")) {
        write_rule(out, members, "type", type);
        return;
    }
    struct values types = types_over(type);
    struct bytes value;
    writer_cstr(out, "type");
    writer_array(out, (size_t)types.left + 1);
    while (values_next(&types, &value))
        writer_raw(out, value);
    writer_cstr(out, "null");
    members->count++;
}

static bool has_property(struct bytes properties, struct bytes name)
{
    struct values members = values_over(properties);
    struct bytes key, value, text;
    while (values_next(&members, &key) && values_next(&members, &value))
        if (value_text(key, &text) && bytes_equal(text, name))
            return true;
    return false;
}

/* Properties, and whether there may be others: unlike here, there may be in JSON Schema. */
static bool write_properties(struct reduction *self, struct members *members, struct bytes rules,
                             struct room room)
{
    struct writer *out = self->out;
    struct bytes properties = value_find(rules, "properties"), key, value;
    struct bytes additional = value_find(rules, "additionalProperties");
    struct values list = values_over(properties);
    bool are_named = value_kind(properties) == KIND_MAP && list.left / 2 <= ARGUMENT_PROPERTIES_MAX;
    bool are_lost = has(rules, "patternProperties") || (properties.data != NULL && !are_named);
    bool is_closed = value_kind(additional) == KIND_FALSE && !are_lost;
    room.nesting -= 2;
    if (are_named) {
        members->count++;
        writer_cstr(out, "properties");
        writer_map(out, (size_t)list.left / 2);
    }
    while (are_named && !out->full && values_next(&list, &key) && values_next(&list, &value)) {
        writer_raw(out, key);
        reduce(self, value, room);
    }
    members->count++;
    writer_cstr(out, "additionalProperties");
    if (value_kind(additional) == KIND_MAP && !are_lost)
        reduce(self, additional, room);
    else
        writer_bool(out, !is_closed);
    return !is_closed;
}

/* Names that must be there; of those that cannot be there nothing is said. */
static void write_required(struct writer *out, struct members *members, struct bytes rules,
                           bool is_open)
{
    struct bytes required = value_find(rules, "required"), value, text;
    struct bytes properties = value_find(rules, "properties");
    size_t count = 0;
    for (int round = 0; round < 2 && value_kind(required) == KIND_ARRAY; round++) {
        struct values names = values_over(required);
        if (round == 1) {
            members->count++;
            writer_cstr(out, "required");
            writer_array(out, count);
        }
        while (values_next(&names, &value)) {
            bool counts = value_text(value, &text) && (is_open || has_property(properties, text));
            count += counts && round == 0;
            if (counts && round == 1)
                writer_raw(out, value);
        }
    }
}

/* The default, unless what has been written does not allow it. */
static void write_default(struct writer *out, struct members *members, const struct source *source)
{
    struct bytes value = value_find(source->outer, "default");
    struct fault fault;
    close_map(out, members);
    struct bytes written = {out->data + members->at, out->used - members->at};
    if (value.data != NULL && !out->full && schema_validate(value, written, &fault) == STATUS_OK)
        write_rule(out, members, "default", value);
}

static void reduce(struct reduction *self, struct bytes schema, struct room room)
{
    struct writer *out = self->out;
    if (out->full || self->reason != NULL || room.nesting < 4 || value_kind(schema) != KIND_MAP) {
        writer_map(out, 0);
        return;
    }
    struct source source = find_source(self, schema, &room);
    struct bytes type = value_find(source.inner, "type"), items = value_find(source.inner, "items");
    struct members members = open_map(out);
    if (type.data != NULL && !is_known("type", type))
        type = (struct bytes){0};
    write_type(out, &members, &source, type);
    write_plain(out, &members, &source);
    room.nesting -= 1;
    if (value_kind(items) == KIND_MAP && !has(source.inner, "prefixItems")) {
        members.count++;
        writer_cstr(out, "items");
        reduce(self, items, room);
    }
    if (type.data != NULL ? allows_type(type, "object") : has(source.inner, "properties")) {
        bool is_open = write_properties(self, &members, source.inner, room);
        write_required(out, &members, source.inner, is_open);
    }
    write_default(out, &members, &source);
    close_map(out, &members);
}

static const char *check_top(struct bytes schema)
{
    struct bytes type = value_find(schema, "type"), name;
    if (value_kind(schema) != KIND_MAP)
        return "a schema that is no object";
    if (type.data != NULL && (!value_text(type, &name) || !bytes_are(name, "object")))
        return "a schema whose type is not object";
    return NULL;
}

const char *mcp_schema_reduce(struct bytes schema, struct writer *out)
{
    struct reduction self = {.root = schema,
                             .out = out,
                             .references_left = MCP_REFERENCES_ALL_MAX,
                             .reason = check_top(schema)};
    size_t start = out->used;
    struct fault fault;
    if (self.reason != NULL)
        return self.reason;
    reduce(&self, schema, (struct room){MCP_REFERENCES_MAX, MCP_SCHEMA_NESTING_MAX});
    if (self.reason != NULL || out->full)
        return self.reason;
    struct bytes reduced = {out->data + start, out->used - start};
    return schema_check(reduced, &fault) == STATUS_OK ? NULL : "a schema that cannot be reduced";
}
