/* schema - see schema.h; schema_check() is in schema_check.c.
 *
 * A keyword is a row: how a value is held to its rule. The rules of one schema are independent of
 * each other, except the three that are about an object's members: those are applied together.
 * Recursion is as deep as the schema. */
#include "protocol/schema.h"

#include <math.h>
#include <string.h>

#include "protocol/formats.h"
#include "protocol/pattern.h"

#define WHOLE_MAX 9007199254740992.0 /* 2^53 */
#define QUOTIENT_ERROR 1e-9
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* A value that is held to a schema. */
struct subject {
    struct place place;
    struct bytes value;
    enum kind kind;
    struct bytes schema;
    unsigned depth; /* of schemas around this one */
    struct fault *fault;
};

struct keyword {
    const char *name;
    size_t size;
    bool (*obeys)(const struct subject *self, struct bytes rule);
};

static bool obeys(const struct subject *self);

/* What stands in self under a name, or at an index if name.data is NULL. */
static struct subject inside(const struct subject *self, struct bytes name, size_t index,
                             struct bytes value)
{
    return (struct subject){.place = {&self->place, name, index},
                            .value = value,
                            .kind = value_kind(value),
                            .schema = self->schema,
                            .depth = self->depth + 1,
                            .fault = self->fault};
}

static bool refuse(const struct subject *self, const char *reason)
{
    return fault_set(self->fault, &self->place, "%s", reason);
}

static bool is_same(struct bytes left, struct bytes right)
{
    struct bytes left_text, right_text;
    long double left_number, right_number;
    if (value_number(left, &left_number) && value_number(right, &right_number))
        return left_number == right_number;
    if (value_text(left, &left_text) && value_text(right, &right_text))
        return bytes_equal(left_text, right_text);
    return bytes_equal(left, right);
}

static bool is_integer(const struct subject *self)
{
    double real = 0.5;
    if (self->kind == KIND_UINT || self->kind == KIND_INT)
        return true;
    return value_f64(self->value, &real) && real == trunc(real) && fabs(real) <= WHOLE_MAX;
}

static bool is_of_type(const struct subject *self, struct bytes name)
{
    switch (self->kind) {
    case KIND_NIL:
        return bytes_are(name, "null");
    case KIND_TRUE:
    case KIND_FALSE:
        return bytes_are(name, "boolean");
    case KIND_TEXT:
        return bytes_are(name, "string");
    case KIND_ARRAY:
        return bytes_are(name, "array");
    case KIND_MAP:
        return bytes_are(name, "object");
    case KIND_UINT:
    case KIND_INT:
    case KIND_F32:
    case KIND_F64:
        return bytes_are(name, "number") || (bytes_are(name, "integer") && is_integer(self));
    default:
        return false;
    }
}

static bool obeys_type(const struct subject *self, struct bytes rule)
{
    struct bytes type, name = {0};
    struct values types = values_over(rule);
    if (value_text(rule, &name) && is_of_type(self, name))
        return true;
    while (values_next(&types, &type))
        if (value_text(type, &name) && is_of_type(self, name))
            return true;
    if (value_kind(rule) == KIND_ARRAY)
        return refuse(self, "is of none of the types it may have");
    return fault_set(self->fault, &self->place, "is not of type %.*s", (int)name.size, name.data);
}

static bool obeys_enum(const struct subject *self, struct bytes rule)
{
    struct values values = values_over(rule);
    struct bytes value;
    while (values_next(&values, &value))
        if (is_same(self->value, value))
            return true;
    return refuse(self, "is none of the values it may have");
}

static bool obeys_const(const struct subject *self, struct bytes rule)
{
    return is_same(self->value, rule) || refuse(self, "is not the one value it may have");
}

/* So many of what is counted; false with a reason. least: the rule is a minimum. */
static bool obeys_count(const struct subject *self, struct bytes rule, size_t count, bool least,
                        const char *what)
{
    uint64_t bound = 0;
    if (!value_u64(rule, &bound) || (least ? count >= bound : count <= bound))
        return true;
    return fault_set(self->fault, &self->place, "has %zu %s, %s %llu", count, what,
                     least ? "less than" : "more than", (unsigned long long)bound);
}

static bool obeys_min_length(const struct subject *self, struct bytes rule)
{
    struct bytes text;
    return !value_text(self->value, &text) ||
           obeys_count(self, rule, cursor_characters(text), true, "characters");
}

static bool obeys_max_length(const struct subject *self, struct bytes rule)
{
    struct bytes text;
    return !value_text(self->value, &text) ||
           obeys_count(self, rule, cursor_characters(text), false, "characters");
}

static bool obeys_min_items(const struct subject *self, struct bytes rule)
{
    return self->kind != KIND_ARRAY ||
           obeys_count(self, rule, (size_t)values_count(self->value), true, "items");
}

static bool obeys_max_items(const struct subject *self, struct bytes rule)
{
    return self->kind != KIND_ARRAY ||
           obeys_count(self, rule, (size_t)values_count(self->value), false, "items");
}

static bool obeys_pattern(const struct subject *self, struct bytes rule)
{
    struct pattern pattern;
    struct bytes text, expression;
    if (!value_text(self->value, &text) || !value_text(rule, &expression))
        return true;
    if (pattern_compile(expression, &pattern) != NULL)
        return refuse(self, "has a pattern that is no pattern");
    return pattern_matches(&pattern, text) || refuse(self, "does not match its pattern");
}

static bool obeys_format(const struct subject *self, struct bytes rule)
{
    struct bytes text, name;
    if (!value_text(self->value, &text) || !value_text(rule, &name))
        return true;
    format_check *is_format = formats_find(name);
    return (is_format != NULL && is_format(text)) ||
           fault_set(self->fault, &self->place, "is not of format %.*s", (int)name.size, name.data);
}

/* How the value stands to the bound: -1 below, 0 at, 1 above; 0 also where one is no number. */
static int order_of(const struct subject *self, struct bytes bound)
{
    long double number, limit;
    if (!value_number(self->value, &number) || !value_number(bound, &limit))
        return 0;
    return (number > limit) - (number < limit);
}

static bool obeys_bound(const struct subject *self, struct bytes bound, bool allowed,
                        const char *words)
{
    double limit = 0;
    (void)value_f64(bound, &limit);
    return allowed || fault_set(self->fault, &self->place, "is %s %.15g", words, limit);
}

static bool is_number(const struct subject *self)
{
    long double number;
    return value_number(self->value, &number);
}

static bool obeys_minimum(const struct subject *self, struct bytes rule)
{
    return obeys_bound(self, rule, order_of(self, rule) >= 0, "below");
}

static bool obeys_maximum(const struct subject *self, struct bytes rule)
{
    return obeys_bound(self, rule, order_of(self, rule) <= 0, "above");
}

static bool obeys_exclusive_minimum(const struct subject *self, struct bytes rule)
{
    bool allowed = !is_number(self) || order_of(self, rule) > 0;
    return obeys_bound(self, rule, allowed, "not above");
}

static bool obeys_exclusive_maximum(const struct subject *self, struct bytes rule)
{
    bool allowed = !is_number(self) || order_of(self, rule) < 0;
    return obeys_bound(self, rule, allowed, "not below");
}

static bool obeys_multiple_of(const struct subject *self, struct bytes rule)
{
    long double number, unit;
    if (!value_number(self->value, &number) || !value_number(rule, &unit))
        return true;
    long double quotient = number / unit;
    long double error = fabsl(quotient - roundl(quotient));
    bool whole = unit == roundl(unit) && number == roundl(number); /* then exactly */
    bool multiple =
        whole ? fmodl(number, unit) == 0 : error <= QUOTIENT_ERROR * fmaxl(1, fabsl(quotient));
    return obeys_bound(self, rule, multiple, "no multiple of");
}

static bool obeys_items(const struct subject *self, struct bytes rule)
{
    struct values values = values_over(self->value);
    struct bytes value;
    if (self->kind != KIND_ARRAY)
        return true;
    for (size_t i = 0; values_next(&values, &value); i++) {
        struct subject item = inside(self, (struct bytes){0}, i, value);
        item.schema = rule;
        if (!obeys(&item))
            return false;
    }
    return true;
}

static bool obeys_unique_items(const struct subject *self, struct bytes rule)
{
    struct bytes items[ARGUMENT_ITEMS_MAX], item;
    struct values values = values_over(self->value);
    size_t count = 0;
    if (self->kind != KIND_ARRAY || value_kind(rule) != KIND_TRUE)
        return true;
    while (values_next(&values, &item)) {
        if (count == ARGUMENT_ITEMS_MAX)
            return refuse(self, "has too many items");
        for (size_t i = 0; i < count; i++)
            if (bytes_equal(items[i], item))
                return refuse(self, "has an item twice");
        items[count++] = item;
    }
    return true;
}

/* The rules of a schema that are about a map's members; data NULL: there is none. */
struct member_rules {
    struct bytes properties, required, additional, type;
};

/* The members of a map; its values are skipped once, not once a rule. */
struct members {
    struct {
        struct bytes name, value;
    } list[ARGUMENT_PROPERTIES_MAX];
    size_t count;
};

static bool members_of(const struct subject *self, struct members *ret)
{
    struct values values = values_over(self->value);
    struct bytes key;
    ret->count = 0;
    if (values.left / 2 > ARGUMENT_PROPERTIES_MAX)
        return refuse(self, "has too many properties");
    for (; values_next(&values, &key); ret->count++)
        if (!value_text(key, &ret->list[ret->count].name) ||
            !values_next(&values, &ret->list[ret->count].value))
            return refuse(self, "has a key that is not text");
    return true;
}

/* The schema of a property. properties: where the search for the last one ended; names mostly come
 * in the same order in both, so it goes on from there, and round once. */
static struct bytes property_schema(struct bytes map, struct values *properties, struct bytes name)
{
    struct bytes key, schema, text;
    if (properties->left == 0)
        *properties = values_over(map);
    for (uint64_t left = values_count(map); left > 0; left -= 2) {
        if (!values_next(properties, &key) || !values_next(properties, &schema))
            return (struct bytes){0};
        if (properties->left == 0)
            *properties = values_over(map);
        if (value_text(key, &text) && bytes_equal(text, name))
            return schema;
    }
    return (struct bytes){0};
}

/* The schema of a property that has none of its own; data NULL: it may not be there. */
static struct bytes additional_schema(const struct member_rules *rules)
{
    static const char anything[] = "\x80";
    bool silent = rules->additional.data == NULL && rules->properties.data == NULL &&
                  rules->type.data == NULL;
    if (silent || value_kind(rules->additional) == KIND_TRUE)
        return (struct bytes){anything, 1};
    return value_kind(rules->additional) == KIND_MAP ? rules->additional : (struct bytes){0};
}

static bool obeys_required(const struct subject *self, struct bytes required,
                           const struct members *members)
{
    struct values names = values_over(required);
    struct bytes value, name;
    while (values_next(&names, &value)) {
        size_t i = 0;
        if (!value_text(value, &name))
            continue;
        while (i < members->count && !bytes_equal(members->list[i].name, name))
            i++;
        struct subject missing = inside(self, name, 0, self->value);
        if (i == members->count)
            return refuse(&missing, "is required");
    }
    return true;
}

static bool obeys_members(const struct subject *self, const struct member_rules *rules)
{
    struct members members;
    struct bytes additional = additional_schema(rules);
    struct values properties = {.left = 0};
    bool takes_anything = rules->properties.data == NULL && rules->required.data == NULL &&
                          additional.data != NULL && values_count(additional) == 0;
    if (takes_anything) /* there is nothing to look at, however large it is */
        return true;
    if (!members_of(self, &members))
        return false;
    for (size_t i = 0; i < members.count; i++) {
        struct subject member = inside(self, members.list[i].name, 0, members.list[i].value);
        member.schema = property_schema(rules->properties, &properties, member.place.name);
        if (member.schema.data == NULL)
            member.schema = additional;
        if (member.schema.data == NULL)
            return refuse(&member, "is not known");
        if (!obeys(&member))
            return false;
    }
    return obeys_required(self, rules->required, &members);
}

#define SIZED(text) (text), sizeof(text) - 1
static const struct keyword keywords[] = {
    {SIZED("type"), obeys_type},
    {SIZED("enum"), obeys_enum},
    {SIZED("const"), obeys_const},
    {SIZED("minLength"), obeys_min_length},
    {SIZED("maxLength"), obeys_max_length},
    {SIZED("pattern"), obeys_pattern},
    {SIZED("format"), obeys_format},
    {SIZED("minimum"), obeys_minimum},
    {SIZED("maximum"), obeys_maximum},
    {SIZED("exclusiveMinimum"), obeys_exclusive_minimum},
    {SIZED("exclusiveMaximum"), obeys_exclusive_maximum},
    {SIZED("multipleOf"), obeys_multiple_of},
    {SIZED("items"), obeys_items},
    {SIZED("minItems"), obeys_min_items},
    {SIZED("maxItems"), obeys_max_items},
    {SIZED("uniqueItems"), obeys_unique_items},
};

static const struct {
    const char *name;
    size_t size;
    size_t offset; /* in struct member_rules */
} member_keywords[] = {
    {SIZED("properties"), offsetof(struct member_rules, properties)},
    {SIZED("required"), offsetof(struct member_rules, required)},
    {SIZED("additionalProperties"), offsetof(struct member_rules, additional)},
    {SIZED("type"), offsetof(struct member_rules, type)},
};

static bool obeys_keyword(const struct subject *self, struct bytes name, struct bytes rule)
{
    for (size_t i = 0; i < COUNT_OF(keywords); i++)
        if (name.size == keywords[i].size && memcmp(name.data, keywords[i].name, name.size) == 0)
            return keywords[i].obeys(self, rule);
    return true; /* one of those about members, or that say nothing about a value */
}

static void note_member_rule(struct member_rules *rules, struct bytes name, struct bytes rule)
{
    for (size_t i = 0; i < COUNT_OF(member_keywords); i++)
        if (name.size == member_keywords[i].size &&
            memcmp(name.data, member_keywords[i].name, name.size) == 0)
            memcpy((char *)rules + member_keywords[i].offset, &rule, sizeof rule);
}

/* The rules in one pass; those about members when all are known. */
static bool obeys(const struct subject *self)
{
    struct values rules = values_over(self->schema);
    struct member_rules member_rules = {.properties = {0}};
    struct bytes key, rule, name;
    if (self->depth > DEFINITION_NESTING_MAX)
        return refuse(self, "too deep");
    while (values_next(&rules, &key) && values_next(&rules, &rule)) {
        if (!value_text(key, &name))
            continue;
        if (!obeys_keyword(self, name, rule))
            return false;
        if (self->kind == KIND_MAP)
            note_member_rule(&member_rules, name, rule);
    }
    return self->kind != KIND_MAP || obeys_members(self, &member_rules);
}

enum status schema_validate(struct bytes value, struct bytes schema, struct fault *ret_fault)
{
    struct subject whole = {
        .value = value, .kind = value_kind(value), .schema = schema, .fault = ret_fault};
    if (!value_check(value, BODY_NESTING_MAX))
        (void)refuse(&whole, "broken MessagePack");
    else if (obeys(&whole))
        return STATUS_OK;
    return STATUS_BAD_REQUEST;
}
