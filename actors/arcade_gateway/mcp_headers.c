/* mcp_headers - see mcp_headers.h. source: MCP 2026-07-28, Streamable HTTP, "Request Metadata". */
#include "actors/arcade_gateway/mcp_headers.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "protocol/limits.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SAFE_INTEGER_MAX INT64_C(9007199254740991) /* 2^53 - 1: what every reader of JSON has */

static const char mark_key[] = "x-mcp-header";
static const char encoded_start[] = "=?base64?";
static const char encoded_end[] = "?=";

/* A schema inside the whole one. */
struct place {
    const struct place *outer; /* NULL: the whole */
    struct bytes name;
    bool is_property;
};

struct search {
    struct bytes names[MCP_PARAMS_MAX];
    size_t count;
    struct writer *out;
    bool is_writing; /* the second time; the first counts and judges */
};

static const char *look_into(struct search *self, const struct place *place, struct bytes schema);

static bool is_name(struct bytes text)
{
    static const char others[] = "!#$%&'*+-.^_`|~";
    if (text.size == 0 || text.size > MCP_HEADER_NAME_BYTES_MAX)
        return false;
    for (size_t i = 0; i < text.size; i++) {
        char letter = text.data[i];
        bool is_plain = (letter >= '0' && letter <= '9') || (letter >= 'A' && letter <= 'Z') ||
                        (letter >= 'a' && letter <= 'z');
        if (!is_plain && (letter == '\0' || strchr(others, letter) == NULL))
            return false;
    }
    return true;
}

static bool is_reached(const struct place *place)
{
    if (place == NULL)
        return false;
    for (; place != NULL; place = place->outer)
        if (!place->is_property)
            return false;
    return true;
}

static void write_path(struct writer *out, const struct place *place)
{
    if (place == NULL)
        return;
    write_path(out, place->outer);
    writer_text(out, place->name);
}

static void write_mark(const struct search *self, const struct place *place, struct bytes name)
{
    size_t depth = 0;
    for (const struct place *at = place; at != NULL; at = at->outer)
        depth++;
    writer_array(self->out, 2);
    writer_text(self->out, name);
    writer_array(self->out, depth);
    write_path(self->out, place);
}

static const char *take_mark(struct search *self, const struct place *place, struct bytes schema,
                             struct bytes mark)
{
    struct bytes name, type = {0};
    if (!is_reached(place))
        return "x-mcp-header where no chain of properties leads";
    if (!value_text(mark, &name) || !is_name(name))
        return "x-mcp-header that is no name of a header";
    if (!value_text(value_find(schema, "type"), &type) ||
        (!bytes_are(type, "string") && !bytes_are(type, "integer") && !bytes_are(type, "boolean")))
        return "x-mcp-header on what is neither string, integer nor boolean";
    if (self->is_writing) {
        write_mark(self, place, name);
        return NULL;
    }
    for (size_t i = 0; i < self->count; i++)
        if (self->names[i].size == name.size &&
            strncasecmp(self->names[i].data, name.data, name.size) == 0)
            return "x-mcp-header of one name twice";
    if (self->count == MCP_PARAMS_MAX)
        return "more than 16 x-mcp-header";
    self->names[self->count++] = name;
    return NULL;
}

/* Each schema of a map of them. */
static const char *look_into_map(struct search *self, const struct place *outer, struct bytes map,
                                 bool are_properties)
{
    struct values members = values_over(map);
    struct bytes key, schema;
    const char *reason = NULL;
    while (reason == NULL && value_kind(map) == KIND_MAP && values_next(&members, &key) &&
           values_next(&members, &schema)) {
        struct place place = {.outer = outer, .is_property = are_properties};
        if (are_properties && !value_text(key, &place.name))
            return "a property whose name is no text";
        reason = look_into(self, &place, schema);
    }
    return reason;
}

static const char *look_into_list(struct search *self, const struct place *outer, struct bytes list)
{
    struct values members = values_over(list);
    struct bytes schema;
    const char *reason = NULL;
    struct place place = {.outer = outer};
    while (reason == NULL && value_kind(list) == KIND_ARRAY && values_next(&members, &schema))
        reason = look_into(self, &place, schema);
    return reason;
}

/* Keywords of JSON Schema 2020-12, and definitions of before, whose values are schemas. In others
 * a mark is data, and none. */
static const char *look_behind(struct search *self, const struct place *place, struct bytes keyword,
                               struct bytes value)
{
    static const char *const maps[] = {"patternProperties", "dependentSchemas", "$defs",
                                       "definitions"};
    static const char *const lists[] = {"allOf", "anyOf", "oneOf", "prefixItems", "items"};
    static const char *const singles[] = {"items",
                                          "contains",
                                          "unevaluatedItems",
                                          "additionalProperties",
                                          "propertyNames",
                                          "unevaluatedProperties",
                                          "not",
                                          "if",
                                          "then",
                                          "else",
                                          "contentSchema"};
    struct place inside = {.outer = place};
    if (bytes_are(keyword, "properties"))
        return look_into_map(self, place, value, true);
    for (size_t i = 0; i < COUNT_OF(maps); i++)
        if (bytes_are(keyword, maps[i]))
            return look_into_map(self, place, value, false);
    for (size_t i = 0; i < COUNT_OF(lists) && value_kind(value) == KIND_ARRAY; i++)
        if (bytes_are(keyword, lists[i]))
            return look_into_list(self, place, value);
    for (size_t i = 0; i < COUNT_OF(singles); i++)
        if (bytes_are(keyword, singles[i]))
            return look_into(self, &inside, value);
    return NULL;
}

static const char *look_into(struct search *self, const struct place *place, struct bytes schema)
{
    struct values rules = values_over(schema);
    struct bytes key, value, keyword;
    const char *reason = NULL;
    while (reason == NULL && value_kind(schema) == KIND_MAP && values_next(&rules, &key) &&
           values_next(&rules, &value)) {
        if (!value_text(key, &keyword))
            continue;
        if (bytes_are(keyword, mark_key))
            reason = take_mark(self, place, schema, value);
        else
            reason = look_behind(self, place, keyword, value);
    }
    return reason;
}

const char *mcp_marks_find(struct bytes schema, struct writer *out)
{
    struct search search = {.out = out};
    const char *reason = look_into(&search, NULL, schema);
    if (reason != NULL)
        return reason;
    writer_array(out, search.count);
    search.is_writing = true;
    return look_into(&search, NULL, schema);
}

static bool is_plain(struct bytes text)
{
    size_t start = sizeof encoded_start - 1, end = sizeof encoded_end - 1;
    if (text.size == 0)
        return true;
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < ' ' || text.data[i] > '~')
            return false;
    bool looks_encoded = text.size >= start + end && memcmp(text.data, encoded_start, start) == 0 &&
                         memcmp(text.data + text.size - end, encoded_end, end) == 0;
    return text.data[0] != ' ' && text.data[text.size - 1] != ' ' && !looks_encoded;
}

bool mcp_header_value(struct bytes text, char *out, size_t size)
{
    if (is_plain(text)) {
        if (text.size >= size)
            return false;
        memcpy(out, text.size > 0 ? text.data : "", text.size);
        out[text.size] = '\0';
        return true;
    }
    char *end = out + sizeof encoded_start - 1;
    size_t encoded = sodium_base64_ENCODED_LEN(text.size, sodium_base64_VARIANT_ORIGINAL) - 1;
    if (sizeof encoded_start - 1 + encoded + sizeof encoded_end > size)
        return false;
    memcpy(out, encoded_start, sizeof encoded_start - 1);
    sodium_bin2base64(end, encoded + 1, (const unsigned char *)text.data, text.size,
                      sodium_base64_VARIANT_ORIGINAL);
    memcpy(end + encoded, encoded_end, sizeof encoded_end);
    return true;
}

/* The value that a chain of names leads to; data NULL: it is not there. */
static struct bytes follow(struct bytes arguments, struct bytes path)
{
    struct values names = values_over(path);
    struct bytes name, text, at = arguments;
    while (at.data != NULL && values_next(&names, &name)) {
        struct values members = values_over(at);
        struct bytes key, value, found = {0};
        bool is_map = value_kind(at) == KIND_MAP && value_text(name, &text);
        while (is_map && values_next(&members, &key) && values_next(&members, &value)) {
            struct bytes key_text;
            if (value_text(key, &key_text) && bytes_equal(key_text, text))
                found = value;
        }
        at = found;
    }
    return at;
}

static bool write_value(struct bytes value, char *out, size_t size)
{
    struct bytes text;
    int64_t number;
    bool is_true;
    if (value_text(value, &text))
        return mcp_header_value(text, out, size);
    if (value_i64(value, &number)) {
        snprintf(out, size, "%" PRId64, number);
        return number >= -SAFE_INTEGER_MAX && number <= SAFE_INTEGER_MAX;
    }
    if (value_bool(value, &is_true)) {
        snprintf(out, size, "%s", is_true ? "true" : "false");
        return true;
    }
    return false;
}

enum mcp_marks_next mcp_marks_next(struct values *marks, struct bytes arguments,
                                   struct mcp_mark *ret)
{
    struct bytes mark, name, path;
    while (values_next(marks, &mark)) {
        struct values parts = values_over(mark);
        if (!values_next(&parts, &name) || !value_text(name, &ret->name) ||
            !values_next(&parts, &path))
            return MCP_MARKS_REFUSED;
        struct bytes value = follow(arguments, path);
        if (value.data == NULL || value_kind(value) == KIND_NIL)
            continue;
        return write_value(value, ret->value, sizeof ret->value) ? MCP_MARKS_HEADER
                                                                 : MCP_MARKS_REFUSED;
    }
    return MCP_MARKS_END;
}
