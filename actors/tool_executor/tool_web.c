/* tool_web - Web_ParseJSON and Web_ExtractURLs: text in, structure out; nothing is fetched. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/runtime/json_text.h"
#include "actors/tool_executor/tool_functions.h"
#include "actors/tool_executor/urls.h"

#define JSON_NESTING_MAX 24u /* the result stands inside a reply's containers */
#define SCHEMES_MAX 16u      /* as the schema says */
#define TEXT_CHARACTERS_MAX 50000u
#define URLS_MAX (TEXT_CHARACTERS_MAX / 5) /* "h://x" is the shortest */
#define PLACES ((size_t)2 * URLS_MAX)

_Static_assert(JSON_NESTING_MAX + 8 <= BODY_NESTING_MAX, "a result fits a body's nesting");

static bool fail_json(const struct json_fault *fault, struct failure *failure)
{
    if (fault->line == 0)
        failure_set(failure, STATUS_TOO_LARGE, "LIMIT", "json_text is %s", fault->reason);
    else
        failure_set(failure, STATUS_BAD_REQUEST, "BAD_ARGUMENTS",
                    "json_text is no JSON: line %u, column %u: %s", fault->line, fault->column,
                    fault->reason);
    failure_field(failure, "json_text");
    return false;
}

static const char *type_of(struct bytes value)
{
    switch (value_kind(value)) {
    case KIND_MAP:
        return "object";
    case KIND_ARRAY:
        return "array";
    case KIND_TEXT:
        return "string";
    case KIND_UINT:
    case KIND_INT:
        return "integer";
    case KIND_F64:
        return "number";
    case KIND_TRUE:
    case KIND_FALSE:
        return "boolean";
    default:
        return "null";
    }
}

static void write_keys(struct writer *out, struct bytes map)
{
    struct values values = values_over(map);
    struct bytes key, value;
    writer_cstr(out, "keys");
    writer_array(out, values_count(map) / 2);
    while (values_next(&values, &key) && values_next(&values, &value))
        writer_raw(out, key);
}

bool tool_parse_json(struct tool_call *call, struct tool_output *out, struct failure *failure)
{
    struct bytes text = tool_text(call, "json_text");
    struct writer *data = &out->data;
    struct json_fault fault;
    /* The value is parsed where it will stand; whether a fourth field follows is known after. */
    writer_map(data, 4);
    writer_cstr(data, "data");
    size_t start = data->used;
    if (!json_text_read(text, JSON_NESTING_MAX, data, &fault))
        return fail_json(&fault, failure);
    if (data->full)
        return true; /* who runs it says that it is too large */
    struct bytes value = {data->data + start, data->used - start};
    bool holds = value_kind(value) == KIND_MAP || value_kind(value) == KIND_ARRAY;
    data->data[0] = (char)(holds ? 0x84 : 0x83);
    writer_cstr(data, "type");
    writer_cstr(data, type_of(value));
    writer_cstr(data, "size_bytes");
    writer_u64(data, text.size);
    if (value_kind(value) == KIND_MAP) {
        write_keys(data, value);
    } else if (holds) {
        writer_cstr(data, "item_count");
        writer_u64(data, values_count(value));
    }
    return true;
}

/* Different URLs in their order, and how often any was found. */
struct url_list {
    struct bytes list[URLS_MAX];
    uint32_t places[PLACES]; /* open addressing: index + 1 of list; 0: free */
    size_t count, matches;
};

static uint64_t hash_of(struct bytes text)
{
    uint64_t hash = 14695981039346656037u; /* FNV-1a: the caller only harms itself */
    for (size_t i = 0; i < text.size; i++)
        hash = (hash ^ (unsigned char)text.data[i]) * 1099511628211u;
    return hash;
}

static void add_url(struct url_list *self, struct bytes url)
{
    uint64_t place = hash_of(url) % PLACES;
    while (self->places[place] != 0) {
        if (bytes_equal(self->list[self->places[place] - 1], url))
            return;
        place = (place + 1) % PLACES;
    }
    assert(self->count < URLS_MAX); /* the schema has seen to it */
    self->list[self->count++] = url;
    self->places[place] = (uint32_t)self->count;
}

static size_t read_schemes(const struct tool_call *call, struct bytes *ret)
{
    struct values values = values_over(value_find(call->arguments, "schemes"));
    struct bytes value;
    size_t count = 0;
    while (count < SCHEMES_MAX && values_next(&values, &value))
        count += value_text(value, &ret[count]);
    return count;
}

/* As many as fit, with room for the rest of the result. */
static void write_urls(struct tool_output *out, const struct url_list *found)
{
    size_t fitting = 0, bytes = 4096;
    while (fitting < found->count && bytes + found->list[fitting].size + 5 <= out->data.size)
        bytes += found->list[fitting++].size + 5;
    out->truncated = fitting < found->count;
    writer_cstr(&out->data, "urls");
    writer_array(&out->data, fitting);
    for (size_t i = 0; i < fitting; i++)
        writer_text(&out->data, found->list[i]);
}

bool tool_extract_urls(struct tool_call *call, struct tool_output *out, struct failure *failure)
{
    struct bytes schemes[SCHEMES_MAX], url;
    bool seen[SCHEMES_MAX] = {false};
    size_t scheme, schemes_found = 0, scheme_count = read_schemes(call, schemes);
    struct urls urls = urls_over(tool_text(call, "text"), schemes, scheme_count);
    struct url_list *found = calloc(1, sizeof *found);
    assert(found != NULL);
    (void)failure;
    while (urls_next(&urls, &url, &scheme)) {
        found->matches++;
        schemes_found += !seen[scheme];
        seen[scheme] = true;
        add_url(found, url);
    }
    writer_map(&out->data, 4);
    write_urls(out, found);
    writer_cstr(&out->data, "url_count");
    writer_u64(&out->data, found->count);
    writer_cstr(&out->data, "total_matches");
    writer_u64(&out->data, found->matches);
    writer_cstr(&out->data, "schemes_found");
    writer_array(&out->data, schemes_found);
    for (size_t i = 0; i < scheme_count; i++)
        if (seen[i])
            writer_text(&out->data, schemes[i]);
    free(found);
    return true;
}
