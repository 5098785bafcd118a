/* test_mcp_schema - what comes out of a server's schema may be registered here, refuses nothing
 * that the server's schema takes, and keeps what it can. */
#include <stdio.h>
#include <string.h>

#include "actors/arcade_gateway/mcp_schema.h"
#include "actors/runtime/json_text.h"
#include "protocol/limits.h"
#include "protocol/schema.h"
#include "tests/support/suite.h"

#define BYTES 65536u

static char source[16 * BYTES], reduced[BYTES], other[BYTES];

static struct bytes read_json(const char *text, char *out, size_t size)
{
    struct writer writer;
    struct json_fault fault;
    writer_init(&writer, out, size);
    bool is_json = json_text_read(bytes_of(text), DEFINITION_NESTING_MAX, &writer, &fault);
    ck_assert_msg(is_json, "%s: %s", text, fault.reason);
    return writer_bytes(&writer);
}

static const char *reduce(const char *text, struct bytes *ret)
{
    struct writer writer;
    writer_init(&writer, reduced, sizeof reduced);
    const char *reason = mcp_schema_reduce(read_json(text, source, sizeof source), &writer);
    *ret = writer_bytes(&writer);
    return reason;
}

static bool takes(struct bytes schema, const char *value)
{
    struct fault fault;
    return schema_validate(read_json(value, other, sizeof other), schema, &fault) == STATUS_OK;
}

/* A schema; arguments that must pass, though not all could be said; and some that must not. */
static const struct {
    const char *schema, *taken[4], *refused[4];
} rows[] = {
    {"{}", {"{}", "{\"a\": 1}"}, {NULL}},
    {"{\"type\": \"object\"}", {"{}", "{\"a\": {\"b\": []}}"}, {NULL}},
    {"{\"type\": \"object\", \"additionalProperties\": false}", {"{}"}, {"{\"a\": 1}"}},
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"string\", \"maxLength\": 2}}}",
     {"{}", "{\"a\": \"xy\"}", "{\"b\": 1}"},
     {"{\"a\": 1}", "{\"a\": \"xyz\"}"}},
    {"{\"type\": \"object\", \"properties\": {\"a\": {}}, \"required\": [\"a\", \"b\"]}",
     {"{\"a\": 1, \"b\": 2}"},
     {"{}", "{\"a\": 1}"}},
    {"{\"properties\": {\"a\": {}}, \"required\": [\"a\", \"b\", 7], \"type\": \"object\","
     " \"additionalProperties\": false}",
     {"{\"a\": 1}"},
     {"{}"}},
    /* A null as the other of two, as pydantic writes it. */
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"anyOf\": [{\"type\": \"integer\","
     " \"minimum\": 3}, {\"type\": \"null\"}], \"default\": null}}}",
     {"{\"a\": null}", "{\"a\": 3}"},
     {"{\"a\": 2}", "{\"a\": \"x\"}"}},
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"oneOf\": [{\"type\": \"null\"},"
     " {\"enum\": [1, 2]}]}}}",
     {"{\"a\": null}", "{\"a\": 1}"},
     {NULL}},
    /* Alternatives that we have no word for. */
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"anyOf\": [{\"type\": \"integer\"},"
     " {\"type\": \"string\"}]}}}",
     {"{\"a\": 1}", "{\"a\": \"x\"}"},
     {NULL}},
    {"{\"type\": \"object\", \"allOf\": [{\"required\": [\"a\"]}], \"not\": {\"type\": \"null\"}}",
     {"{}"},
     {NULL}},
    /* References. */
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"$ref\": \"#/$defs/A~1~0\"}}, \"$defs\":"
     " {\"A/~\": {\"type\": \"object\", \"properties\": {\"b\": {\"type\": \"integer\"}},"
     " \"required\": [\"b\"]}}}",
     {"{\"a\": {\"b\": 1}}"},
     {"{\"a\": {\"b\": \"x\"}}", "{\"a\": {}}", "{\"a\": 1}"}},
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"$ref\": \"#\"}, \"b\": {\"type\":"
     " \"integer\"}}}",
     {"{\"a\": {\"a\": {\"a\": {\"b\": 1}}}}"},
     {"{\"a\": {\"a\": {\"a\": {\"b\": \"x\"}}}}"}},
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"$ref\": \"#/$defs/x\"}},"
     " \"$defs\": {\"x\": {\"$ref\": \"#/$defs/x\"}}}",
     {"{\"a\": 1}"},
     {NULL}},
    /* Names that are matched, of which some may be closed. */
    {"{\"type\": \"object\", \"patternProperties\": {\"^x\": {}}, \"additionalProperties\": false}",
     {"{\"xy\": 1}"},
     {NULL}},
    {"{\"type\": \"object\", \"properties\": {\"a\": {}}, \"additionalProperties\": {\"type\":"
     " \"integer\"}}",
     {"{\"a\": \"x\", \"b\": 1}"},
     {"{\"b\": \"x\"}"}},
    /* Arrays. */
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"array\", \"items\": {\"type\":"
     " \"number\"}, \"maxItems\": 2}}}",
     {"{\"a\": [1, 2.5]}", "{\"a\": []}"},
     {"{\"a\": [1, 2, 3]}", "{\"a\": [\"x\"]}"}},
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"array\", \"items\": {\"type\":"
     " \"number\"}, \"prefixItems\": [{\"type\": \"string\"}]}}}",
     {"{\"a\": [\"x\", 2.5]}"},
     {NULL}},
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"array\", \"items\": [{\"type\":"
     " \"string\"}]}}}",
     {"{\"a\": [\"x\", 2.5]}"},
     {NULL}},
    /* Rules in forms that we do not have, or that are not the same here. */
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"type\": \"string\", \"format\": \"uri\","
     " \"pattern\": \"(?=x)\"}, \"b\": {\"type\": \"what\", \"exclusiveMinimum\": true}}}",
     {"{\"a\": \"no uri\", \"b\": 1}"},
     {"{\"a\": 1}"}},
    {"{\"type\": \"object\", \"properties\": {\"a\": {\"enum\": [{\"x\": 1.0}, [1]]},"
     " \"b\": {\"const\": [1.0]}, \"c\": {\"enum\": [\"p\", 1]}}}",
     {"{\"a\": {\"x\": 1}, \"b\": [1], \"c\": 1}"},
     {"{\"c\": \"q\"}"}},
    {"{\"type\": \"object\", \"properties\": {\"a\": true, \"b\": {\"type\": [\"string\","
     " \"null\"]}}}",
     {"{\"a\": 1, \"b\": null}"},
     {"{\"b\": 1}"}},
};

START_TEST(what_comes_out_takes_what_the_server_takes)
{
    struct bytes schema;
    struct fault fault;
    ck_assert_ptr_null(reduce(rows[_i].schema, &schema));
    ck_assert_int_eq(schema_check(schema, &fault), STATUS_OK);
    for (int i = 0; i < 4 && rows[_i].taken[i] != NULL; i++)
        ck_assert_msg(takes(schema, rows[_i].taken[i]), "%s refuses %s", rows[_i].schema,
                      rows[_i].taken[i]);
    for (int i = 0; i < 4 && rows[_i].refused[i] != NULL; i++)
        ck_assert_msg(!takes(schema, rows[_i].refused[i]), "%s takes %s", rows[_i].schema,
                      rows[_i].refused[i]);
}
END_TEST

static const struct {
    const char *schema, *reason;
} refused[] = {
    {"7", "no object"},
    {"true", "no object"},
    {"[]", "no object"},
    {"{\"type\": \"string\"}", "type is not object"},
    {"{\"type\": [\"object\"]}", "type is not object"},
    {"{\"properties\": {\"a\": {\"$ref\": \"https://example.com/x\"}}}", "leads elsewhere"},
    {"{\"properties\": {\"a\": {\"$ref\": \"other.json#/x\"}}}", "leads elsewhere"},
    {"{\"properties\": {\"a\": {\"$ref\": \"\"}}}", "leads elsewhere"},
    {"{\"properties\": {\"a\": {\"$ref\": \"#/$defs/x\"}}}", "leads nowhere"},
    {"{\"properties\": {\"a\": {\"$ref\": \"#anchor\"}}}", "leads nowhere"},
    {"{\"properties\": {\"a\": {\"$ref\": \"#/properties/a/\"}}}", "leads nowhere"},
};

START_TEST(a_schema_that_is_none_says_why)
{
    struct bytes schema;
    const char *reason = reduce(refused[_i].schema, &schema);
    ck_assert_ptr_nonnull(reason);
    ck_assert_msg(strstr(reason, refused[_i].reason) != NULL, "%s: %s", refused[_i].schema, reason);
}
END_TEST

START_TEST(a_default_stays_only_where_it_is_allowed)
{
    struct bytes schema;
    ck_assert_ptr_null(
        reduce("{\"properties\": {\"a\": {\"type\": \"integer\", \"default\": 3}, \"b\":"
               " {\"type\": \"integer\", \"default\": \"x\"}}}",
               &schema));
    struct bytes properties = value_find(schema, "properties");
    ck_assert_ptr_nonnull(value_find(value_find(properties, "a"), "default").data);
    ck_assert_ptr_null(value_find(value_find(properties, "b"), "default").data);
}
END_TEST

START_TEST(what_is_said_about_a_reference_is_kept)
{
    struct bytes schema, text;
    ck_assert_ptr_null(reduce("{\"properties\": {\"a\": {\"description\": \"outer\", \"$ref\":"
                              " \"#/$defs/x\"}}, \"$defs\": {\"x\": {\"description\": \"inner\","
                              " \"title\": \"X\"}}}",
                              &schema));
    struct bytes property = value_find(value_find(schema, "properties"), "a");
    ck_assert(value_text(value_find(property, "description"), &text));
    ck_assert(bytes_are(text, "outer"));
    ck_assert(value_text(value_find(property, "title"), &text));
    ck_assert(bytes_are(text, "X"));
}
END_TEST

START_TEST(more_properties_than_allowed_are_all_allowed)
{
    char text[BYTES];
    for (unsigned count = ARGUMENT_PROPERTIES_MAX; count <= ARGUMENT_PROPERTIES_MAX + 1; count++) {
        int used = snprintf(text, sizeof text,
                            "{\"type\": \"object\", \"additionalProperties\": false, "
                            "\"properties\": {");
        for (unsigned i = 0; i < count; i++)
            used += snprintf(text + used, sizeof text - (size_t)used,
                             "%s\"p%u\": {\"type\": \"integer\"}", i > 0 ? ", " : "", i);
        snprintf(text + used, sizeof text - (size_t)used, "}}");
        struct bytes schema;
        ck_assert_ptr_null(reduce(text, &schema));
        ck_assert_int_eq(takes(schema, "{\"p1\": \"x\"}"), count > ARGUMENT_PROPERTIES_MAX);
        ck_assert_int_eq(takes(schema, "{\"q\": 1}"), count > ARGUMENT_PROPERTIES_MAX);
    }
}
END_TEST

/* Each of 8 definitions refers ten times to the next: written out they would be 10^8. */
START_TEST(references_that_multiply_end)
{
    char text[BYTES];
    int used = snprintf(text, sizeof text, "{\"$ref\": \"#/$defs/d0\", \"$defs\": {");
    for (int level = 0; level < 8; level++) {
        used += snprintf(text + used, sizeof text - (size_t)used,
                         "%s\"d%d\": {\"type\": \"object\", \"properties\": {",
                         level > 0 ? ", " : "", level);
        for (int i = 0; i < 10; i++)
            used += snprintf(text + used, sizeof text - (size_t)used,
                             "%s\"p%d\": {\"$ref\": \"#/$defs/d%d\"}", i > 0 ? ", " : "", i,
                             level < 7 ? level + 1 : 7);
        used += snprintf(text + used, sizeof text - (size_t)used, "}}");
    }
    snprintf(text + used, sizeof text - (size_t)used, "}}");
    struct bytes schema;
    struct fault fault;
    ck_assert_ptr_null(reduce(text, &schema));
    ck_assert_int_eq(schema_check(schema, &fault), STATUS_OK);
    ck_assert(!takes(schema, "{\"p0\": {\"p0\": 1}}"));
}
END_TEST

START_TEST(deeper_than_allowed_anything_is_allowed)
{
    char text[BYTES], value[BYTES];
    int used = 0, filled = 0;
    for (int i = 0; i < 14; i++) {
        used += snprintf(text + used, sizeof text - (size_t)used,
                         "{\"type\": \"object\", \"properties\": {\"a\": ");
        filled += snprintf(value + filled, sizeof value - (size_t)filled, "{\"a\": ");
    }
    used += snprintf(text + used, sizeof text - (size_t)used, "{\"type\": \"integer\"}");
    filled += snprintf(value + filled, sizeof value - (size_t)filled, "\"x\"");
    for (int i = 0; i < 14; i++) {
        used += snprintf(text + used, sizeof text - (size_t)used, "}}");
        filled += snprintf(value + filled, sizeof value - (size_t)filled, "}");
    }
    struct bytes schema;
    struct fault fault;
    ck_assert_ptr_null(reduce(text, &schema));
    ck_assert_int_eq(schema_check(schema, &fault), STATUS_OK);
    ck_assert(value_check(schema, MCP_SCHEMA_NESTING_MAX));
    ck_assert(takes(schema, value));
    ck_assert(!takes(schema, "{\"a\": {\"a\": 1}}"));
}
END_TEST

START_TEST(a_schema_that_does_not_fit_fills_the_writer)
{
    struct writer writer;
    struct bytes schema =
        read_json("{\"properties\": {\"a\": {\"type\": \"string\"}}}", source, sizeof source);
    writer_init(&writer, reduced, sizeof reduced);
    ck_assert_ptr_null(mcp_schema_reduce(schema, &writer));
    size_t wanted = writer.used;
    for (size_t size = 0; size < wanted; size++) {
        char *exact = malloc(size > 0 ? size : 1);
        writer_init(&writer, exact, size);
        ck_assert_ptr_null(mcp_schema_reduce(schema, &writer));
        ck_assert(writer.full);
        free(exact);
    }
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, what_comes_out_takes_what_the_server_takes, 0,
                        sizeof rows / sizeof rows[0]);
    tcase_add_loop_test(tcase, a_schema_that_is_none_says_why, 0,
                        sizeof refused / sizeof refused[0]);
    tcase_add_test(tcase, a_default_stays_only_where_it_is_allowed);
    tcase_add_test(tcase, what_is_said_about_a_reference_is_kept);
    tcase_add_test(tcase, more_properties_than_allowed_are_all_allowed);
    tcase_add_test(tcase, references_that_multiply_end);
    tcase_add_test(tcase, deeper_than_allowed_anything_is_allowed);
    tcase_add_test(tcase, a_schema_that_does_not_fit_fills_the_writer);
}

int main(void)
{
    return suite_run("mcp_schema", add_tests);
}
