/* test_schema - a value passes if and only if its schema allows it, and what is wrong is said with
 * its place; a schema that is registered has only keywords that are applied. */
#include <string.h>

#include "protocol/canonical.h"
#include "protocol/formats.h"
#include "protocol/schema.h"
#include "tests/support/suite.h"
#include "tests/support/vectors.h"

#define ALLOWED NULL

#define SQL                                                                                        \
    "{\"type\": \"object\", \"required\": [\"statement\"], \"properties\": {"                      \
    "\"statement\": {\"type\": \"string\", \"minLength\": 1, \"maxLength\": 10000},"               \
    "\"parameters\": {\"type\": \"array\", \"items\": {\"type\": [\"string\", \"number\"]}},"      \
    "\"max_rows\": {\"type\": \"integer\", \"minimum\": 1, \"maximum\": 10000, \"default\": "      \
    "1000}}}"

#define NESTED                                                                                     \
    "{\"properties\": {\"l\": {\"items\": {\"type\": \"object\", \"required\": [\"n\"],"           \
    "\"properties\": {\"n\": {\"type\": \"string\"}}}}}}"

/* JSON: a schema, a value, and the path and the words of the fault. */
static const struct {
    const char *schema, *value, *path, *reason;
} cases[] = {
    {SQL, "{\"statement\": \"select 1\"}", ALLOWED, NULL},
    {SQL, "{\"statement\": \"?\", \"parameters\": [1, \"a\", 1.5], \"max_rows\": 1}", ALLOWED,
     NULL},
    {SQL, "{}", "statement", "is required"},
    {SQL, "{\"statement\": \"\"}", "statement", "has 0 characters, less than 1"},
    {SQL, "{\"statement\": 1}", "statement", "is not of type string"},
    {SQL, "{\"statement\": \"x\", \"max_rows\": 0}", "max_rows", "is below 1"},
    {SQL, "{\"statement\": \"x\", \"max_rows\": 10001}", "max_rows", "is above 10000"},
    {SQL, "{\"statement\": \"x\", \"max_rows\": 1.5}", "max_rows", "is not of type integer"},
    {SQL, "{\"statement\": \"x\", \"max_rows\": 2.0}", ALLOWED, NULL},
    {SQL, "{\"statement\": \"x\", \"max_rows\": null}", "max_rows", "is not of type integer"},
    {SQL, "{\"statement\": \"x\", \"maxrows\": 1}", "maxrows", "is not known"},
    {SQL, "{\"statement\": \"x\", \"parameters\": [1, null]}", "parameters/1",
     "is of none of the types it may have"},
    {SQL, "[]", "", "is not of type object"},
    {NESTED, "{\"l\": [{\"n\": \"a\"}, {\"n\": \"b\"}]}", ALLOWED, NULL},
    {NESTED, "{\"l\": [{\"n\": \"a\"}, {\"n\": 2}]}", "l/1/n", "is not of type string"},
    {NESTED, "{\"l\": [{\"n\": \"a\"}, {}]}", "l/1/n", "is required"},
    {NESTED, "{\"l\": [{\"n\": \"a\", \"m\": 1}]}", "l/0/m", "is not known"},
    {NESTED, "{\"l\": 1}", ALLOWED, NULL}, /* items is about arrays */
    {"{}", "{\"a\": [1]}", ALLOWED, NULL},
    {"{}", "null", ALLOWED, NULL},
    {"{\"type\": \"object\"}", "{}", ALLOWED, NULL},
    {"{\"type\": \"object\"}", "{\"a\": 1}", "a", "is not known"},
    {"{\"type\": \"object\", \"additionalProperties\": true}", "{\"a\": 1}", ALLOWED, NULL},
    {"{\"additionalProperties\": {\"type\": \"string\"}}", "{\"a\": \"x\"}", ALLOWED, NULL},
    {"{\"additionalProperties\": {\"type\": \"string\"}}", "{\"a\": 1}", "a",
     "is not of type string"},
    {"{\"additionalProperties\": false}", "{\"a\": 1}", "a", "is not known"},
    {"{\"properties\": {\"a\": {}, \"b\": {}, \"c\": {}}}", "{\"c\": 1, \"a\": 2, \"b\": 3}",
     ALLOWED, NULL},
    {"{\"properties\": {\"a\": {}, \"b\": {}}, \"additionalProperties\": {\"type\": \"null\"}}",
     "{\"b\": 1, \"x\": null, \"a\": 2, \"b2\": null}", ALLOWED, NULL},
    {"{\"properties\": {\"a\": {}, \"b\": {}}, \"additionalProperties\": {\"type\": \"null\"}}",
     "{\"b\": 1, \"x\": 0, \"a\": 2}", "x", "is not of type null"},
    {"{\"type\": \"boolean\"}", "true", ALLOWED, NULL},
    {"{\"type\": \"boolean\"}", "1", "", "is not of type boolean"},
    {"{\"type\": \"null\"}", "null", ALLOWED, NULL},
    {"{\"type\": \"number\"}", "1", ALLOWED, NULL},
    {"{\"type\": \"number\"}", "\"1\"", "", "is not of type number"},
    {"{\"type\": \"integer\"}", "-5", ALLOWED, NULL},
    {"{\"type\": \"integer\"}", "9007199254740992.0", ALLOWED, NULL},
    {"{\"type\": \"integer\"}", "1e300", "", "is not of type integer"},
    {"{\"type\": \"array\"}", "[]", ALLOWED, NULL},
    {"{\"type\": [\"array\", \"null\"]}", "null", ALLOWED, NULL},
    {"{\"enum\": [\"a\", 1, null, [2]]}", "\"a\"", ALLOWED, NULL},
    {"{\"enum\": [\"a\", 1, null, [2]]}", "1.0", ALLOWED, NULL},
    {"{\"enum\": [\"a\", 1, null, [2]]}", "[2]", ALLOWED, NULL},
    {"{\"enum\": [\"a\", 1, null, [2]]}", "\"b\"", "", "is none of the values it may have"},
    {"{\"enum\": [1]}", "\"1\"", "", "is none of the values it may have"},
    {"{\"enum\": [9007199254740993]}", "9007199254740992", "", "is none of the values it may have"},
    {"{\"const\": 2.0}", "2", ALLOWED, NULL},
    {"{\"const\": 2}", "3", "", "is not the one value it may have"},
    {"{\"minLength\": 2}", "\"\xc3\xa9\"", "", "has 1 characters, less than 2"},
    {"{\"maxLength\": 1}", "\"\xc3\xa9\"", ALLOWED, NULL},
    {"{\"maxLength\": 1}", "\"ab\"", "", "has 2 characters, more than 1"},
    {"{\"maxLength\": 1}", "12", ALLOWED, NULL},
    {"{\"pattern\": \"^Q[1-4]$\"}", "\"Q2\"", ALLOWED, NULL},
    {"{\"pattern\": \"^Q[1-4]$\"}", "\"Q5\"", "", "does not match its pattern"},
    {"{\"pattern\": \"^Q[1-4]$\"}", "5", ALLOWED, NULL},
    {"{\"format\": \"date\"}", "\"2024-02-29\"", ALLOWED, NULL},
    {"{\"format\": \"date\"}", "\"2023-02-29\"", "", "is not of format date"},
    {"{\"minimum\": 1.5}", "1", "", "is below 1.5"},
    {"{\"minimum\": 1}", "1", ALLOWED, NULL},
    {"{\"minimum\": -9007199254740993}", "-9007199254740993", ALLOWED, NULL},
    {"{\"maximum\": 9007199254740992}", "9007199254740993", "", "is above 9.00719925474099e+15"},
    {"{\"exclusiveMinimum\": 1}", "1", "", "is not above 1"},
    {"{\"exclusiveMinimum\": 1}", "1.001", ALLOWED, NULL},
    {"{\"exclusiveMaximum\": 1}", "1", "", "is not below 1"},
    {"{\"exclusiveMaximum\": 1}", "0.999", ALLOWED, NULL},
    {"{\"exclusiveMaximum\": 1}", "\"x\"", ALLOWED, NULL},
    {"{\"multipleOf\": 3}", "9", ALLOWED, NULL},
    {"{\"multipleOf\": 3}", "10", "", "is no multiple of 3"},
    {"{\"multipleOf\": 3}", "-9", ALLOWED, NULL},
    {"{\"multipleOf\": 0.1}", "0.3", ALLOWED, NULL},
    {"{\"multipleOf\": 0.1}", "0.35", "", "is no multiple of 0.1"},
    {"{\"multipleOf\": 2}", "9007199254740993", "", "is no multiple of 2"},
    {"{\"format\": \"date\"}", "5", ALLOWED, NULL},
    {"{\"minimum\": 1}", "\"x\"", ALLOWED, NULL},
    {"{\"maximum\": 1}", "\"x\"", ALLOWED, NULL},
    {"{\"multipleOf\": 3}", "\"x\"", ALLOWED, NULL},
    {"{\"multipleOf\": 0.1}", "3", ALLOWED, NULL},
    {"{\"type\": \"integer\"}", "9007199254740993", ALLOWED, NULL},
    {"{\"minItems\": 1}", "[]", "", "has 0 items, less than 1"},
    {"{\"maxItems\": 1}", "[1, 2]", "", "has 2 items, more than 1"},
    {"{\"minItems\": 2, \"maxItems\": 2}", "[1, 2]", ALLOWED, NULL},
    {"{\"uniqueItems\": true}", "[1, \"1\", [1], [2]]", ALLOWED, NULL},
    {"{\"uniqueItems\": true}", "[[1], 2, [1]]", "", "has an item twice"},
    {"{\"uniqueItems\": false}", "[1, 1]", ALLOWED, NULL},
    {"{\"title\": \"x\", \"description\": \"y\", \"examples\": [1], \"default\": 1}", "2", ALLOWED,
     NULL},
};

START_TEST(a_value_is_allowed_or_refused_with_its_place)
{
    char schema_bytes[2048], value_data[2048];
    struct bytes schema = vectors_pack(cases[_i].schema, schema_bytes, sizeof schema_bytes);
    struct bytes value = vectors_pack(cases[_i].value, value_data, sizeof value_data);
    struct fault fault = {.reason = ""};
    ck_assert_msg(schema_check(schema, &fault) == STATUS_OK, "%s: %s", fault.path, fault.reason);
    enum status status = schema_validate(value, schema, &fault);
    if (cases[_i].path == ALLOWED) {
        ck_assert_msg(status == STATUS_OK, "%s: %s", fault.path, fault.reason);
        return;
    }
    ck_assert_int_eq(status, STATUS_BAD_REQUEST);
    ck_assert_str_eq(fault.path, cases[_i].path);
    ck_assert_str_eq(fault.reason, cases[_i].reason);
}
END_TEST

static const struct {
    const char *schema, *path, *reason;
} refused[] = {
    {"[]", "", "a schema is a map"},
    {"{\"$ref\": \"http://example.org/s\"}", "$ref", "this keyword is not offered"},
    {"{\"oneOf\": []}", "oneOf", "this keyword is not offered"},
    {"{\"properties\": {\"a\": {\"if\": {}}}}", "properties/a/if", "this keyword is not offered"},
    {"{\"type\": \"text\"}", "type", "no type, or list of types, of JSON Schema"},
    {"{\"type\": []}", "type", "no type, or list of types, of JSON Schema"},
    {"{\"type\": [\"string\", 1]}", "type", "no type, or list of types, of JSON Schema"},
    {"{\"enum\": []}", "enum", "not an array of 1 to 1000 values"},
    {"{\"enum\": \"a\"}", "enum", "not an array of 1 to 1000 values"},
    {"{\"minLength\": -1}", "minLength", "not a whole number from 0"},
    {"{\"maxLength\": 1.5}", "maxLength", "not a whole number from 0"},
    {"{\"minItems\": \"1\"}", "minItems", "not a whole number from 0"},
    {"{\"maxItems\": null}", "maxItems", "not a whole number from 0"},
    {"{\"pattern\": \"(a)\\\\1\"}", "pattern", "back-references are not offered"},
    {"{\"pattern\": 1}", "pattern", "not text"},
    {"{\"format\": \"hostname\"}", "format",
     "none of email, uri, date, date-time, ipv4, ipv6, uuid"},
    {"{\"minimum\": \"1\"}", "minimum", "not a number"},
    {"{\"maximum\": []}", "maximum", "not a number"},
    {"{\"exclusiveMinimum\": true}", "exclusiveMinimum", "not a number"},
    {"{\"exclusiveMaximum\": true}", "exclusiveMaximum", "not a number"},
    {"{\"multipleOf\": 0}", "multipleOf", "not a number above 0"},
    {"{\"multipleOf\": -1}", "multipleOf", "not a number above 0"},
    {"{\"items\": []}", "items", "a schema is a map"},
    {"{\"items\": {\"type\": 1}}", "items/type", "no type, or list of types, of JSON Schema"},
    {"{\"uniqueItems\": 1}", "uniqueItems", "not true or false"},
    {"{\"properties\": []}", "properties", "not a map of schemas"},
    {"{\"properties\": {\"a\": true}}", "properties/a", "a schema is a map"},
    {"{\"required\": \"a\"}", "required", "not an array of names"},
    {"{\"required\": [1]}", "required/0", "not text"},
    {"{\"type\": \"object\", \"required\": [\"a\"]}", "required/0",
     "requires what is none of the properties"},
    {"{\"properties\": {\"b\": {}}, \"required\": [\"b\", \"a\"]}", "required/1",
     "requires what is none of the properties"},
    {"{\"additionalProperties\": 1}", "additionalProperties", "not true or false"},
    {"{\"additionalProperties\": {\"type\": 1}}", "additionalProperties/type",
     "no type, or list of types, of JSON Schema"},
    {"{\"title\": 1}", "title", "not text"},
    {"{\"description\": []}", "description", "not text"},
    {"{\"examples\": 1}", "examples", "not an array"},
    {"{\"type\": \"integer\", \"default\": \"1\"}", "default",
     "is not what its schema allows: is not of type integer"},
    {"{\"properties\": {\"o\": {\"properties\": {\"n\": {\"minimum\": 1}},"
     "\"default\": {\"n\": 0}}}}",
     "properties/o/default", "is not what its schema allows: n is below 1"},
};

START_TEST(a_schema_that_would_not_be_applied_is_refused)
{
    char data[2048];
    struct fault fault = {.reason = ""};
    struct bytes schema = vectors_pack(refused[_i].schema, data, sizeof data);
    ck_assert_int_eq(schema_check(schema, &fault), STATUS_BAD_REQUEST);
    ck_assert_str_eq(fault.path, refused[_i].path);
    ck_assert_str_eq(fault.reason, refused[_i].reason);
}
END_TEST

static const struct {
    const char *bytes;
    size_t size;
} broken_schemas[] = {
    {"", 0},
    {"\x81\xa4type", 6},                                    /* cut short */
    {"\x81\x01\x02", 3},                                    /* a key that is not text */
    {"\x82\xa5title\xa1x\xa5title\xa1x", 17},               /* a keyword twice */
    {"\x81\xaaproperties\x82\xa1\x61\x80\xa1\x61\x80", 18}, /* a property twice */
    {"\x81\xaaproperties\x81\x01\x80", 14},
    {"\x81\xaaproperties\x81\xa1\xff\x80", 15},      /* its name is no UTF-8 */
    {"\x81\xa7minimum\xcb\x7f\xf8\0\0\0\0\0\0", 18}, /* NaN */
};

START_TEST(bytes_that_are_no_schema_are_refused)
{
    struct fault fault;
    struct bytes schema = {broken_schemas[_i].bytes, broken_schemas[_i].size};
    ck_assert_int_eq(schema_check(schema, &fault), STATUS_BAD_REQUEST);
}
END_TEST

static const struct {
    const char *format, *text;
    bool has;
} texts[] = {
    {"email", "a@b.example", true},
    {"email", "a.b+c@localhost", true},
    {"email", "a@b@c", false},
    {"email", "@b", false},
    {"email", "a@", false},
    {"email", ".a@b", false},
    {"email", "a..b@c", false},
    {"email", "a.@c", false},
    {"email", "a b@c", false},
    {"email", "a@-b", false},
    {"email", "a@b.", false},
    {"email", "plain", false},
    {"email", "a@_b", false},
    {"email", "a@xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", true},
    {"email", "a@xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", false},
    {"uri", "https://example.org/a?b=c#d", true},
    {"uri", "urn:isbn:1", true},
    {"uri", "mailto:a%20b", true},
    {"uri", "a:^", false},
    {"uri", "/relative", false},
    {"uri", "1http://a", false},
    {"uri", "http://a b", false},
    {"uri", "http://a%2", false},
    {"uri", "http://a#b#c", false},
    {"uri", "", false},
    {"date", "2000-02-29", true},
    {"date", "1900-02-29", false},
    {"date", "2024-13-01", false},
    {"date", "2024-00-01", false},
    {"date", "2024-04-31", false},
    {"date", "2024-04-00", false},
    {"date", "2024-4-1", false},
    {"date", "2024-04-011", false},
    {"date-time", "2024-01-31T23:59:60Z", true},
    {"date-time", "2024-01-31t00:00:00.125+01:30", true},
    {"date-time", "2024-01-31T24:00:00Z", false},
    {"date-time", "2024-01-31T23:60:00Z", false},
    {"date-time", "2024-01-31T23:00:61Z", false},
    {"date-time", "2024-01-31T23:00:00", false},
    {"date-time", "2024-01-31T23:00:00.Z", false},
    {"date-time", "2024-01-31T23:00:00+24:00", false},
    {"date-time", "2024-01-31 23:00:00Z", false},
    {"date-time", "2024-01-31T23:00:00Zx", false},
    {"ipv4", "127.0.0.1", true},
    {"ipv4", "256.0.0.1", false},
    {"ipv4", "1.2.3", false},
    {"ipv6", "::1", true},
    {"ipv6", "2001:db8::8a2e:370:7334", true},
    {"ipv6", "::ffff:1.2.3.4", true},
    {"ipv6", "1::2::3", false},
    {"ipv6", "fe80::1%eth0", false},
    {"ipv6", "", false},
    {"uuid", "2EB8AA08-aa98-11ea-b4aa-73b441d16380", true},
    {"uuid", "ffffffff-FFFF-aaaa-AAAA-999999000000", true},
    {"uuid", "2eb8aa08aa9811eab4aa73b441d16380", false},
    {"uuid", "2eb8aa08-aa98-11ea-b4aa-73b441d1638g", false},
};

START_TEST(a_text_has_its_format_or_not)
{
    format_check *is_format = formats_find(bytes_of(texts[_i].format));
    ck_assert(is_format != NULL);
    ck_assert_msg(is_format(bytes_of(texts[_i].text)) == texts[_i].has, "%s", texts[_i].text);
}
END_TEST

/* A zero byte does not end an address early. */
START_TEST(an_address_with_a_zero_byte_is_none)
{
    ck_assert(!formats_find(bytes_of("ipv4"))((struct bytes){"1.2.3.4\0x", 9}));
}
END_TEST

/* Arguments that are canonical, but not what the schema of their case allows. */
static bool is_refused_by_its_schema(const char *name)
{
    return strcmp(name, "nil is not absent") == 0 ||
           strcmp(name, "nested: nil is left alone") == 0 ||
           strncmp(name, "limits are on what was sent", 27) == 0;
}

START_TEST(golden_schemas_are_taken_and_allow_their_arguments)
{
    json_t *vectors = vectors_load("key.json"), *vector;
    size_t i;
    json_array_foreach(json_object_get(vectors, "defaults"), i, vector)
    {
        const char *name = vectors_name(vector);
        struct bytes schema = vectors_bytes(vector, "schema");
        struct bytes arguments = vectors_bytes(vector, "canonical");
        struct fault fault = {.reason = ""};
        enum status expected = is_refused_by_its_schema(name) ? STATUS_BAD_REQUEST : STATUS_OK;
        ck_assert_msg(schema_check(schema, &fault) == STATUS_OK, "%s: %s", name, fault.reason);
        ck_assert_msg(schema_validate(arguments, schema, &fault) == expected, "%s: %s", name,
                      fault.reason);
        free((void *)arguments.data);
        free((void *)schema.data);
    }
    json_decref(vectors);
}
END_TEST

/* Every schema above as it is registered, cut at each place and with each bit flipped. */
START_TEST(cut_or_flipped_schemas_end_in_an_answer)
{
    char data[2048], value_data[2048];
    struct bytes schema = vectors_pack(cases[_i].schema, data, sizeof data);
    struct bytes value = vectors_pack(cases[_i].value, value_data, sizeof value_data);
    struct fault fault;
    char *copy = malloc(schema.size);
    ck_assert_ptr_nonnull(copy);
    for (size_t bit = 0; bit < 8 * schema.size; bit++) {
        memcpy(copy, schema.data, schema.size);
        copy[bit / 8] = (char)((unsigned char)copy[bit / 8] ^ 1U << bit % 8);
        struct bytes flipped = {copy, schema.size};
        enum status validated = schema_validate(value, flipped, &fault); /* unchecked, even */
        ck_assert(validated == STATUS_OK || validated == STATUS_BAD_REQUEST);
        if (schema_check(flipped, &fault) != STATUS_OK)
            ck_assert_str_ne(fault.reason, "");
    }
    free(copy);
    for (size_t size = 0; size < schema.size; size++) {
        char *cut = malloc(size + (size == 0));
        ck_assert_ptr_nonnull(cut);
        memcpy(cut, schema.data, size);
        ck_assert_int_eq(schema_check((struct bytes){cut, size}, &fault), STATUS_BAD_REQUEST);
        free(cut);
    }
}
END_TEST

/* {"properties": {"0": {}, ..}} of so many. */
static struct bytes many_properties(unsigned count, char *out, size_t size)
{
    struct writer writer;
    writer_init(&writer, out, size);
    writer_map(&writer, 1);
    writer_cstr(&writer, "properties");
    writer_map(&writer, count);
    for (unsigned i = 0; i < count; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%u", i);
        writer_cstr(&writer, name);
        writer_map(&writer, 0);
    }
    return writer_bytes(&writer);
}

START_TEST(an_object_has_as_many_properties_as_the_bound_and_no_more)
{
    char data[4096];
    struct fault fault;
    struct bytes full = many_properties(ARGUMENT_PROPERTIES_MAX, data, sizeof data);
    ck_assert_int_eq(schema_check(full, &fault), STATUS_OK);
    ck_assert_int_eq(schema_validate(value_find(full, "properties"), full, &fault), STATUS_OK);
    struct bytes over = many_properties(ARGUMENT_PROPERTIES_MAX + 1, data, sizeof data);
    ck_assert_int_eq(schema_check(over, &fault), STATUS_BAD_REQUEST);
    ck_assert_str_eq(fault.reason, "has too many properties");
    ck_assert_int_eq(schema_validate(value_find(over, "properties"), over, &fault),
                     STATUS_BAD_REQUEST);
}
END_TEST

/* What may hold anything is not looked into: a result may be larger than arguments. */
START_TEST(a_map_of_anything_may_be_larger_than_arguments)
{
    char data[4096];
    struct fault fault;
    struct bytes over = many_properties(ARGUMENT_PROPERTIES_MAX + 1, data, sizeof data);
    struct bytes map = value_find(over, "properties");
    ck_assert_int_eq(schema_validate(map, bytes_of("\x80"), &fault), STATUS_OK);
    ck_assert_int_eq(schema_validate(map,
                                     bytes_of("\x81\xb4"
                                              "additionalProperties\xc3"),
                                     &fault),
                     STATUS_OK);
    ck_assert_int_eq(schema_validate(map, bytes_of("\x81\xa4type\xa6object"), &fault),
                     STATUS_BAD_REQUEST);
    ck_assert_int_eq(schema_validate(map,
                                     bytes_of("\x81\xa8required\x91\xa1"
                                              "a"),
                                     &fault),
                     STATUS_BAD_REQUEST);
}
END_TEST

START_TEST(an_enum_has_as_many_values_as_the_bound_and_no_more)
{
    static char data[8192];
    struct fault fault;
    for (unsigned count = ENUM_VALUES_MAX; count <= ENUM_VALUES_MAX + 1; count++) {
        struct writer writer;
        writer_init(&writer, data, sizeof data);
        writer_map(&writer, 1);
        writer_cstr(&writer, "enum");
        writer_array(&writer, count);
        for (unsigned i = 0; i < count; i++)
            writer_u64(&writer, i);
        ck_assert_int_eq(schema_check(writer_bytes(&writer), &fault),
                         count == ENUM_VALUES_MAX ? STATUS_OK : STATUS_BAD_REQUEST);
    }
}
END_TEST

START_TEST(unique_items_are_counted_to_the_bound_and_no_further)
{
    static char data[8192];
    char schema_data[64];
    struct bytes schema = vectors_pack("{\"uniqueItems\": true}", schema_data, sizeof schema_data);
    struct fault fault;
    for (unsigned count = ARGUMENT_ITEMS_MAX; count <= ARGUMENT_ITEMS_MAX + 1; count++) {
        struct writer writer;
        writer_init(&writer, data, sizeof data);
        writer_array(&writer, count);
        for (unsigned i = 0; i < count; i++)
            writer_u64(&writer, i);
        ck_assert_int_eq(schema_validate(writer_bytes(&writer), schema, &fault),
                         count == ARGUMENT_ITEMS_MAX ? STATUS_OK : STATUS_BAD_REQUEST);
    }
    ck_assert_str_eq(fault.reason, "has too many items");
}
END_TEST

/* {"items": {"items": ..}}: as deep as a body may be, and one deeper. */
START_TEST(a_schema_is_as_deep_as_a_definition_and_no_deeper)
{
    char data[256], *at = data;
    struct fault fault;
    unsigned depth = DEFINITION_NESTING_MAX + (unsigned)_i;
    for (unsigned i = 1; i < depth; i++) {
        memcpy(at, "\x81\xa5items", 7);
        at += 7;
    }
    *at++ = '\x80';
    ck_assert_int_eq(schema_check((struct bytes){data, (size_t)(at - data)}, &fault),
                     _i == 0 ? STATUS_OK : STATUS_BAD_REQUEST);
}
END_TEST

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_value_is_allowed_or_refused_with_its_place, 0, COUNT_OF(cases));
    tcase_add_loop_test(tcase, a_schema_that_would_not_be_applied_is_refused, 0, COUNT_OF(refused));
    tcase_add_loop_test(tcase, bytes_that_are_no_schema_are_refused, 0, COUNT_OF(broken_schemas));
    tcase_add_loop_test(tcase, a_text_has_its_format_or_not, 0, COUNT_OF(texts));
    tcase_add_test(tcase, an_address_with_a_zero_byte_is_none);
    tcase_add_test(tcase, golden_schemas_are_taken_and_allow_their_arguments);
    tcase_add_loop_test(tcase, cut_or_flipped_schemas_end_in_an_answer, 0, COUNT_OF(cases));
    tcase_add_test(tcase, an_object_has_as_many_properties_as_the_bound_and_no_more);
    tcase_add_test(tcase, a_map_of_anything_may_be_larger_than_arguments);
    tcase_add_test(tcase, an_enum_has_as_many_values_as_the_bound_and_no_more);
    tcase_add_test(tcase, unique_items_are_counted_to_the_bound_and_no_further);
    tcase_add_loop_test(tcase, a_schema_is_as_deep_as_a_definition_and_no_deeper, 0, 2);
    tcase_set_timeout(tcase, 60);
}

int main(void)
{
    return suite_run("schema", add_tests);
}
