/* canonical - see canonical.h.
 *
 * A walk down the value writes it as it goes. Only a map has to wait: its pairs are found first and
 * put in order, then written. The pairs of the maps that are open at once form one stack, so the
 * depth of the recursion is bounded by the nesting that is allowed, and its memory by
 * CANONICAL_PAIRS_MAX. */
#include "protocol/canonical.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <xxhash.h>

#define WHOLE_MAX 9007199254740992.0 /* 2^53: up to here floats are integers */

struct entry {
    struct bytes name, value;
    struct bytes schema; /* of the value; data NULL: none is known */
    bool sent;           /* false: a default */
};

struct canonical {
    struct writer *out;
    struct fault *fault;
    bool limited; /* arguments; else any value */
    size_t open;  /* entries in use */
    struct entry entries[CANONICAL_PAIRS_MAX];
};

/* The value that is being written. */
struct position {
    struct place place;
    unsigned depth; /* of containers around it */
    struct bytes schema;
    bool sent;
};

static bool write_value(struct canonical *self, struct cursor *cursor, const struct position *at);

static bool refuse(struct canonical *self, const struct place *place, const char *reason)
{
    return fault_set(self->fault, place, "%s", reason);
}

/* The limits of arguments are on what was sent. */
static bool is_limited(const struct canonical *self, const struct position *at)
{
    return self->limited && at->sent;
}

/* A definition may allow a longer text than others. */
static uint64_t text_max(struct bytes schema)
{
    uint64_t own = 0;
    bool has_own = value_u64(value_find(schema, "maxLength"), &own);
    return has_own && own > ARGUMENT_TEXT_MAX ? own : ARGUMENT_TEXT_MAX;
}

static bool check_text(struct canonical *self, struct bytes text, const struct position *at)
{
    if (!cursor_is_utf8(text))
        return refuse(self, &at->place, "text that is not UTF-8");
    if (is_limited(self, at) && text.size > ARGUMENT_TEXT_MAX &&
        cursor_characters(text) > text_max(at->schema))
        return refuse(self, &at->place, "text too long");
    return true;
}

/* A container may stand here. A default may be as deep as its definition, wherever it goes. Once
 * out is full there is no use in going on: defaults can make much of little. */
static bool check_container(struct canonical *self, const struct position *at)
{
    unsigned depth_max = self->limited ? ARGUMENT_NESTING_MAX : DEFINITION_NESTING_MAX;
    if (!at->sent)
        depth_max += DEFINITION_NESTING_MAX;
    if (self->out->full)
        return false;
    return at->depth < depth_max || refuse(self, &at->place, "too deep");
}

static bool write_float(struct canonical *self, double number, const struct position *at)
{
    if (isnan(number))
        return refuse(self, &at->place, "NaN");
    if (isinf(number))
        return refuse(self, &at->place, "infinity");
    if (fabs(number) <= WHOLE_MAX && number == trunc(number))
        writer_i64(self->out, (int64_t)number);
    else
        writer_f64(self->out, number);
    return true;
}

static bool write_array(struct canonical *self, uint64_t count, struct cursor *cursor,
                        const struct position *at)
{
    if (!check_container(self, at))
        return false;
    if (is_limited(self, at) && count > ARGUMENT_ITEMS_MAX)
        return refuse(self, &at->place, "array too long");
    struct position inner = {.place = {.outer = &at->place},
                             .depth = at->depth + 1,
                             .schema = value_find(at->schema, "items"),
                             .sent = at->sent};
    writer_array(self->out, count);
    for (; inner.place.index < count; inner.place.index++)
        if (!write_value(self, cursor, &inner))
            return false;
    return true;
}

static int compare(struct bytes left, struct bytes right)
{
    size_t shorter = left.size < right.size ? left.size : right.size;
    int order = shorter == 0 ? 0 : memcmp(left.data, right.data, shorter);
    return order != 0 ? order : (left.size > right.size) - (left.size < right.size);
}

/* Where in the map that begins at entry first this name stands, or would. Names mostly come in
 * order: then the last entry decides. */
static bool find_entry(const struct canonical *self, size_t first, struct bytes name, size_t *ret)
{
    size_t low = first, high = self->open;
    if (high > first && compare(self->entries[high - 1].name, name) < 0)
        low = high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(self->entries[middle].name, name);
        *ret = middle;
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *ret = low;
    return false;
}

static bool insert_entry(struct canonical *self, size_t i, struct entry entry,
                         const struct place *place)
{
    if (self->open == CANONICAL_PAIRS_MAX)
        return refuse(self, place, "too many properties");
    memmove(&self->entries[i + 1], &self->entries[i], (self->open - i) * sizeof entry);
    self->entries[i] = entry;
    self->open++;
    return true;
}

/* The next pair of a map as it came goes where it belongs. */
static bool take_pair(struct canonical *self, size_t first, struct cursor *cursor,
                      const struct position *at)
{
    struct token key = cursor_next(cursor);
    struct entry entry = {.sent = at->sent};
    size_t i;
    if (key.kind == KIND_BAD)
        return refuse(self, &at->place, "broken MessagePack");
    if (key.kind != KIND_TEXT)
        return refuse(self, &at->place, "map key is not text");
    entry.name = (struct bytes){key.data, (size_t)key.number};
    entry.value.data = cursor->at;
    cursor_skip(cursor);
    entry.value.size = (size_t)(cursor->at - entry.value.data);
    if (cursor->bad)
        return refuse(self, &at->place, "broken MessagePack");
    struct position inner = {.place = {.outer = &at->place, .name = entry.name}, .sent = at->sent};
    if (!check_text(self, entry.name, &inner))
        return false;
    if (find_entry(self, first, entry.name, &i))
        return refuse(self, &inner.place, "map key twice");
    return insert_entry(self, i, entry, &at->place);
}

/* The properties that the schema knows: those that are there learn their schema, those that have a
 * default and are absent join them. */
static bool fill_defaults(struct canonical *self, size_t first, const struct position *at)
{
    struct values properties = values_over(value_find(at->schema, "properties"));
    struct bytes key, schema;
    struct entry entry = {.sent = false};
    size_t i;
    while (values_next(&properties, &key) && values_next(&properties, &schema)) {
        if (!value_text(key, &entry.name))
            continue;
        if (find_entry(self, first, entry.name, &i)) {
            self->entries[i].schema = schema;
            continue;
        }
        entry.value = value_find(schema, "default");
        entry.schema = schema;
        if (entry.value.data == NULL)
            continue;
        if (!cursor_is_utf8(entry.name))
            return refuse(self, &at->place, "text that is not UTF-8");
        if (!insert_entry(self, i, entry, &at->place))
            return false;
    }
    return true;
}

static bool check_pairs(struct canonical *self, uint64_t pairs, const struct position *at)
{
    uint64_t pairs_max = at->depth == 0 ? ARGUMENTS_MAX : ARGUMENT_PROPERTIES_MAX;
    if (!is_limited(self, at))
        pairs_max = CANONICAL_PAIRS_MAX;
    return pairs <= pairs_max || refuse(self, &at->place, "too many properties");
}

static bool write_entry(struct canonical *self, const struct entry *entry,
                        const struct position *at)
{
    struct position inner = {.place = {.outer = &at->place, .name = entry->name},
                             .depth = at->depth + 1,
                             .schema = entry->schema,
                             .sent = entry->sent};
    struct cursor cursor = cursor_over(entry->value);
    writer_text(self->out, entry->name);
    return write_value(self, &cursor, &inner);
}

static bool write_map(struct canonical *self, uint64_t pairs, struct cursor *cursor,
                      const struct position *at)
{
    size_t first = self->open;
    if (!check_container(self, at) || !check_pairs(self, pairs, at))
        return false;
    for (; pairs > 0; pairs--)
        if (!take_pair(self, first, cursor, at))
            return false;
    if (at->schema.data != NULL && !fill_defaults(self, first, at))
        return false;
    size_t end = self->open;
    writer_map(self->out, end - first);
    for (size_t i = first; i < end; i++)
        if (!write_entry(self, &self->entries[i], at))
            return false;
    self->open = first;
    return true;
}

static bool write_text(struct canonical *self, struct bytes text, const struct position *at)
{
    if (!check_text(self, text, at))
        return false;
    writer_text(self->out, text);
    return true;
}

static bool write_number(struct canonical *self, struct token token, const struct position *at)
{
    double wide;
    float narrow;
    uint32_t bits = (uint32_t)token.number;
    if (token.kind == KIND_UINT || token.kind == KIND_INT) {
        if (token.kind == KIND_UINT)
            writer_u64(self->out, token.number);
        else
            writer_i64(self->out, (int64_t)token.number);
        return true;
    }
    memcpy(&wide, &token.number, sizeof wide);
    memcpy(&narrow, &bits, sizeof narrow);
    return write_float(self, token.kind == KIND_F32 ? (double)narrow : wide, at);
}

static bool write_value(struct canonical *self, struct cursor *cursor, const struct position *at)
{
    struct token token = cursor_next(cursor);
    switch (token.kind) {
    case KIND_NIL:
        writer_nil(self->out);
        return true;
    case KIND_FALSE:
    case KIND_TRUE:
        writer_bool(self->out, token.kind == KIND_TRUE);
        return true;
    case KIND_UINT:
    case KIND_INT:
    case KIND_F32:
    case KIND_F64:
        return write_number(self, token, at);
    case KIND_TEXT:
        return write_text(self, (struct bytes){token.data, (size_t)token.number}, at);
    case KIND_ARRAY:
        return write_array(self, token.number, cursor, at);
    case KIND_MAP:
        return write_map(self, token.number / 2, cursor, at);
    case KIND_BLOB:
    case KIND_EXT:
        return refuse(self, &at->place, "binary or extension type");
    case KIND_BAD:
        break;
    }
    return refuse(self, &at->place, "broken MessagePack");
}

/* One value and nothing behind it. */
static bool write_whole(struct canonical *self, struct bytes value, const struct position *at)
{
    struct cursor cursor = cursor_over(value);
    if (!write_value(self, &cursor, at))
        return false;
    return cursor_left(&cursor) == 0 || refuse(self, &at->place, "broken MessagePack");
}

/* The entries stay as they are: 64 KiB that most calls do not touch. */
static void begin(struct canonical *self, bool limited, struct writer *out, struct fault *fault)
{
    self->out = out;
    self->fault = fault;
    self->limited = limited;
    self->open = 0;
}

static enum status outcome(struct canonical *self, bool written)
{
    if (self->out->full) {
        (void)refuse(self, NULL, "too large");
        return STATUS_TOO_LARGE;
    }
    return written ? STATUS_OK : STATUS_BAD_REQUEST;
}

enum status canonical_arguments(struct bytes arguments, struct bytes schema, struct writer *out,
                                struct fault *ret_fault)
{
    struct canonical self;
    begin(&self, true, out, ret_fault);
    struct position at = {.schema = schema, .sent = true};
    if (arguments.data == NULL)
        arguments = (struct bytes){"\x80", 1};
    enum kind kind = value_kind(arguments);
    if (kind != KIND_MAP && kind != KIND_BAD)
        return outcome(&self, refuse(&self, NULL, "arguments are not a map"));
    return outcome(&self, write_whole(&self, arguments, &at));
}

enum status canonical_value(struct bytes value, struct writer *out, struct fault *ret_fault)
{
    struct canonical self;
    begin(&self, false, out, ret_fault);
    struct position at = {.sent = true};
    return outcome(&self, write_whole(&self, value, &at));
}

/* The schema under this name in the map of a definition. */
static bool write_schema(struct canonical *self, const char *name, struct bytes schema)
{
    static const struct place whole = {.outer = NULL};
    struct position at = {
        .place = {.outer = &whole, .name = bytes_of(name)}, .depth = 1, .sent = true};
    writer_cstr(self->out, name);
    if (schema.data != NULL)
        return write_whole(self, schema, &at);
    writer_nil(self->out);
    return true;
}

static bool write_label(struct canonical *self, const char *name, struct bytes text)
{
    static const struct place whole = {.outer = NULL};
    struct position at = {.place = {.outer = &whole, .name = bytes_of(name)}, .sent = true};
    writer_cstr(self->out, name);
    if (text.data != NULL)
        return write_text(self, text, &at);
    writer_nil(self->out);
    return true;
}

enum status canonical_definition(const struct definition *definition, struct writer *out,
                                 struct fault *ret_fault)
{
    struct canonical self;
    begin(&self, false, out, ret_fault);
    writer_map(out, 4); /* in the order of their bytes */
    bool written = write_label(&self, "name", definition->name) &&
                   write_schema(&self, "parameters", definition->parameters) &&
                   write_schema(&self, "result", definition->result) &&
                   write_label(&self, "version", definition->version);
    return outcome(&self, written);
}

uint64_t canonical_hash(struct bytes canonical)
{
    return XXH3_64bits(canonical.data, canonical.size);
}
