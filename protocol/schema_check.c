/* schema_check - what may be registered as a schema: see schema.h. Cheap is not needed here: a tool
 * is registered once. */
#include <math.h>

#include "protocol/formats.h"
#include "protocol/pattern.h"
#include "protocol/schema.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The rule of a keyword; or a schema, which is the rule of `items`. */
struct rule {
    struct place place;
    struct bytes value;
    enum kind kind;
    struct bytes schema; /* that it stands in */
    struct fault *fault;
};

static bool check(const struct rule *rule);

/* What stands in a rule under a name, or at an index if name.data is NULL. */
static struct rule inside(const struct rule *self, struct bytes name, size_t index,
                          struct bytes value)
{
    return (struct rule){.place = {&self->place, name, index},
                         .value = value,
                         .kind = value_kind(value),
                         .schema = self->value,
                         .fault = self->fault};
}

static bool refuse(const struct rule *rule, const char *reason)
{
    return fault_set(rule->fault, &rule->place, "%s", reason);
}

static bool is_type_name(struct bytes value)
{
    static const char *const names[] = {"null",   "boolean", "integer", "number",
                                        "string", "array",   "object"};
    struct bytes text;
    bool found = false;
    for (size_t i = 0; value_text(value, &text) && i < COUNT_OF(names); i++)
        found = found || bytes_are(text, names[i]);
    return found;
}

static bool check_type(const struct rule *rule)
{
    struct values types = values_over(rule->value);
    struct bytes type;
    bool known = rule->kind == KIND_ARRAY ? types.left > 0 : is_type_name(rule->value);
    while (values_next(&types, &type))
        known = known && is_type_name(type);
    return known || refuse(rule, "no type, or list of types, of JSON Schema");
}

static bool check_enum(const struct rule *rule)
{
    uint64_t count = values_count(rule->value);
    bool fits = rule->kind == KIND_ARRAY && count > 0 && count <= ENUM_VALUES_MAX;
    return fits || refuse(rule, "not an array of 1 to 1000 values");
}

static bool check_any(const struct rule *rule)
{
    (void)rule;
    return true;
}

static bool check_count(const struct rule *rule)
{
    return rule->kind == KIND_UINT || refuse(rule, "not a whole number from 0");
}

static bool check_text(const struct rule *rule)
{
    return rule->kind == KIND_TEXT || refuse(rule, "not text");
}

static bool check_list(const struct rule *rule)
{
    return rule->kind == KIND_ARRAY || refuse(rule, "not an array");
}

static bool check_flag(const struct rule *rule)
{
    return rule->kind == KIND_TRUE || rule->kind == KIND_FALSE || refuse(rule, "not true or false");
}

static bool check_pattern(const struct rule *rule)
{
    struct pattern pattern;
    struct bytes text;
    if (!value_text(rule->value, &text))
        return refuse(rule, "not text");
    const char *reason = pattern_compile(text, &pattern);
    return reason == NULL || refuse(rule, reason);
}

static bool check_format(const struct rule *rule)
{
    struct bytes name = {0};
    bool known = value_text(rule->value, &name) && formats_find(name) != NULL;
    return known || refuse(rule, "none of email, uri, date, date-time, ipv4, ipv6, uuid");
}

static bool check_number(const struct rule *rule)
{
    long double number;
    return (value_number(rule->value, &number) && isfinite(number)) || refuse(rule, "not a number");
}

static bool check_unit(const struct rule *rule)
{
    long double number = 0;
    return (value_number(rule->value, &number) && isfinite(number) && number > 0) ||
           refuse(rule, "not a number above 0");
}

static bool check_additional(const struct rule *rule)
{
    return rule->kind == KIND_MAP ? check(rule) : check_flag(rule);
}

/* The name of a property: text, and not one of those before it in the map. */
static bool check_name(const struct rule *property, struct bytes map)
{
    struct values before = values_over(map);
    struct bytes key, schema, name;
    if (!cursor_is_utf8(property->place.name))
        return refuse(property, "text that is not UTF-8");
    while (values_next(&before, &key) && values_next(&before, &schema)) {
        if (schema.data == property->value.data)
            return true;
        if (value_text(key, &name) && bytes_equal(name, property->place.name))
            return refuse(property, "is there twice");
    }
    return true;
}

static bool check_properties(const struct rule *rule)
{
    struct values properties = values_over(rule->value);
    struct bytes key, schema, name;
    if (rule->kind != KIND_MAP)
        return refuse(rule, "not a map of schemas");
    if (properties.left / 2 > ARGUMENT_PROPERTIES_MAX)
        return refuse(rule, "has too many properties");
    while (values_next(&properties, &key) && values_next(&properties, &schema)) {
        if (!value_text(key, &name))
            return refuse(rule, "has a key that is not text");
        struct rule property = inside(rule, name, 0, schema);
        if (!check_name(&property, rule->value) || !check(&property))
            return false;
    }
    return true;
}

/* Any name may be given, not only those of the properties. */
static bool is_open(struct bytes schema)
{
    struct bytes rule = value_find(schema, "additionalProperties");
    bool silent =
        value_find(schema, "properties").data == NULL && value_find(schema, "type").data == NULL;
    if (rule.data == NULL)
        return silent;
    return value_kind(rule) != KIND_FALSE;
}

static bool is_property(struct bytes schema, struct bytes name)
{
    struct values properties = values_over(value_find(schema, "properties"));
    struct bytes key, value, text;
    while (values_next(&properties, &key) && values_next(&properties, &value))
        if (value_text(key, &text) && bytes_equal(text, name))
            return true;
    return false;
}

static bool check_required(const struct rule *rule)
{
    struct values names = values_over(rule->value);
    struct bytes value, name;
    if (rule->kind != KIND_ARRAY)
        return refuse(rule, "not an array of names");
    for (size_t i = 0; values_next(&names, &value); i++) {
        struct rule entry = inside(rule, (struct bytes){0}, i, value);
        if (!value_text(value, &name))
            return refuse(&entry, "not text");
        if (!is_open(rule->schema) && !is_property(rule->schema, name))
            return refuse(&entry, "requires what is none of the properties");
    }
    return true;
}

static const struct {
    const char *name;
    bool (*check)(const struct rule *rule);
} keywords[] = {
    {"type", check_type},
    {"properties", check_properties},
    {"required", check_required},
    {"additionalProperties", check_additional},
    {"description", check_text},
    {"default", check_any}, /* see check_default() */
    {"enum", check_enum},
    {"const", check_any},
    {"minLength", check_count},
    {"maxLength", check_count},
    {"pattern", check_pattern},
    {"format", check_format},
    {"minimum", check_number},
    {"maximum", check_number},
    {"exclusiveMinimum", check_number},
    {"exclusiveMaximum", check_number},
    {"multipleOf", check_unit},
    {"items", check},
    {"minItems", check_count},
    {"maxItems", check_count},
    {"uniqueItems", check_flag},
    {"title", check_text},
    {"examples", check_list},
};
_Static_assert(COUNT_OF(keywords) <= 32, "a bit for each");

/* The row of a keyword; COUNT_OF(keywords): none. */
static size_t find_keyword(struct bytes name)
{
    size_t i = 0;
    while (i < COUNT_OF(keywords) && !bytes_are(name, keywords[i].name))
        i++;
    return i;
}

/* A default is what its schema, which has been checked, allows. */
static bool check_default(const struct rule *schema)
{
    struct bytes value = value_find(schema->value, "default");
    struct fault fault;
    if (value.data == NULL || schema_validate(value, schema->value, &fault) == STATUS_OK)
        return true;
    struct rule rule = inside(schema, bytes_of("default"), 0, value);
    return fault_set(rule.fault, &rule.place, "is not what its schema allows: %s%s%s", fault.path,
                     fault.path[0] == '\0' ? "" : " ", fault.reason);
}

static bool check(const struct rule *self)
{
    struct values rules = values_over(self->value);
    struct bytes key, value, name;
    uint32_t seen = 0;
    if (self->kind != KIND_MAP)
        return refuse(self, "a schema is a map");
    while (values_next(&rules, &key) && values_next(&rules, &value)) {
        if (!value_text(key, &name))
            return refuse(self, "has a key that is not text");
        struct rule rule = inside(self, name, 0, value);
        size_t i = find_keyword(name);
        if (i == COUNT_OF(keywords))
            return refuse(&rule, "this keyword is not offered");
        if ((seen & 1u << i) != 0)
            return refuse(&rule, "is there twice");
        if (!keywords[i].check(&rule))
            return false;
        seen |= 1u << i;
    }
    return check_default(self);
}

enum status schema_check(struct bytes schema, struct fault *ret_fault)
{
    struct rule whole = {.value = schema, .kind = value_kind(schema), .fault = ret_fault};
    if (!value_check(schema, DEFINITION_NESTING_MAX)) {
        (void)refuse(&whole, "broken MessagePack, or too deep");
        return STATUS_BAD_REQUEST;
    }
    return check(&whole) ? STATUS_OK : STATUS_BAD_REQUEST;
}
