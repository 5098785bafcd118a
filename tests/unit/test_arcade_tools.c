/* test_arcade_tools - definitions become tools of ours, a list is taken up whole or not at all, and
 * each bound of it is filled. */
#include <stdio.h>
#include <string.h>

#include "tests/support/arcade_dialogue.h"
#include "tests/support/suite.h"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

#define DEFINITION(name, parameters, more)                                                         \
    "{\"qualified_name\":\"" name "\",\"description\":\"Does it.\",\"toolkit\":{\"version\":"      \
    "\"1.0.2\"},\"input\":{\"parameters\":[" parameters "]}" more "}"
#define PAGE(items, total) "{\"items\":[" items "],\"total_count\":" total "}"

static const struct remote_tool *find(const char *name)
{
    return imports_find(arcade_remote.imports, bytes_of(name));
}

#define SENDS                                                                                      \
    ",\"requirements\":{\"authorization\":{\"provider_id\":\"x\"}},"                               \
    "\"metadata\":{\"behavior\":{\"idempotent\":true,\"read_only\":false}}"
#define READS                                                                                      \
    ",\"requirements\":{\"authorization\":null},\"metadata\":{\"behavior\":{\"read_only\":true}}"
#define BOTH DEFINITION("Mail.Send", "", SENDS) "," DEFINITION("Math.Add", "", READS)

START_TEST(a_definition_becomes_a_tool)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    arcade_check_asked(HTTP_GET, "https://arcade.test/v1/tools?limit=100&offset=0", NULL);
    ck_assert_int_eq(arcade_answer(200, PAGE(BOTH, "2")), DIALOGUE_DONE);
    const struct remote_tool *send = find("Arcade_Mail_Send"), *add = find("Arcade_Math_Add");
    ck_assert_ptr_nonnull(send);
    ck_assert_ptr_nonnull(add);
    ck_assert_str_eq(send->remote_name, "Mail.Send");
    ck_assert_str_eq(send->version, "1.0.2");
    ck_assert_str_eq(send->description, "Does it.");
    ck_assert_str_eq(send->scope, "user");
    ck_assert(send->needs_authorization);
    ck_assert(send->idempotent);
    ck_assert(!send->read_only);
    ck_assert(!send->cacheable);
    ck_assert(!add->needs_authorization);
    ck_assert(add->read_only);
    ck_assert(add->idempotent);
    ck_assert(add->cacheable);
    ck_assert_uint_gt(add->ttl_ms, 0);
}
END_TEST

#define PARAMETER(required, schema)                                                                \
    "{\"name\":\"p\",\"required\":" required ",\"value_schema\":{" schema "}}"

/* Of one parameter p; as canonical JSON: keys in order. */
static const struct {
    const char *parameter, *schema;
} parameters[] = {
    {PARAMETER("true", "\"val_type\":\"string\""), "{\"type\":\"string\"}"},
    {PARAMETER("false", "\"val_type\":\"string\""), "{\"type\":[\"string\",\"null\"]}"},
    {PARAMETER("true", "\"val_type\":\"integer\""), "{\"type\":\"integer\"}"},
    {PARAMETER("true", "\"val_type\":\"number\""), "{\"type\":\"number\"}"},
    {PARAMETER("true", "\"val_type\":\"boolean\""), "{\"type\":\"boolean\"}"},
    {PARAMETER("true", "\"val_type\":\"json\""), "{}"},
    {PARAMETER("true", "\"val_type\":\"hologram\""), "{}"},
    {PARAMETER("true", ""), "{}"},
    {PARAMETER("true", "\"val_type\":\"string\",\"enum\":[\"a\",\"b\"]"),
     "{\"enum\":[\"a\",\"b\"],\"type\":\"string\"}"},
    {PARAMETER("false", "\"val_type\":\"string\",\"enum\":[\"a\"]"),
     "{\"enum\":[\"a\",null],\"type\":[\"string\",\"null\"]}"},
    {PARAMETER("true", "\"val_type\":\"string\",\"enum\":[]"), "{\"type\":\"string\"}"},
    {PARAMETER("true", "\"val_type\":\"string\",\"enum\":[1]"), "{\"type\":\"string\"}"},
    {PARAMETER("true", "\"val_type\":\"integer\",\"enum\":[\"1\"]"), "{\"type\":\"integer\"}"},
    {PARAMETER("true", "\"val_type\":\"array\",\"inner_val_type\":\"integer\""),
     "{\"items\":{\"type\":\"integer\"},\"type\":\"array\"}"},
    {PARAMETER("true", "\"val_type\":\"array\",\"inner_val_type\":\"string\",\"enum\":[\"a\"]"),
     "{\"items\":{\"enum\":[\"a\"],\"type\":\"string\"},\"type\":\"array\"}"},
    {PARAMETER("true", "\"val_type\":\"array\",\"inner_val_type\":\"json\""),
     "{\"items\":{},\"type\":\"array\"}"},
    {PARAMETER("true", "\"val_type\":\"array\",\"inner_val_type\":\"array\""),
     "{\"items\":{},\"type\":\"array\"}"},
    {PARAMETER("true", "\"val_type\":\"array\""), "{\"items\":{},\"type\":\"array\"}"},
};

START_TEST(a_parameter_becomes_a_schema)
{
    char page[1024], bytes[1024];
    (void)snprintf(page, sizeof page, PAGE(DEFINITION("Math.Add", "%s", ""), "1"),
                   parameters[_i].parameter);
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, page), DIALOGUE_DONE);
    const struct remote_tool *found = find("Arcade_Math_Add");
    ck_assert_msg(found != NULL, "%s", arcade_remote.refusal);
    struct bytes properties = value_find(found->parameters, "properties");
    ck_assert_msg(bytes_equal(value_find(properties, "p"),
                              arcade_json(parameters[_i].schema, bytes, sizeof bytes)),
                  "%s", parameters[_i].schema);
    bool is_open = true;
    ck_assert(value_bool(value_find(found->parameters, "additionalProperties"), &is_open));
    ck_assert(!is_open);
    bool is_required = strstr(parameters[_i].parameter, "\"required\":true") != NULL;
    ck_assert_uint_eq(values_count(value_find(found->parameters, "required")), is_required);
}
END_TEST

START_TEST(what_a_parameter_is_for_is_kept)
{
    static const char parameter[] =
        "{\"name\":\"p\",\"description\":\"Whom.\",\"required\":true,\"value_schema\":{\"val_"
        "type\":"
        "\"string\"}},{\"name\":\"q\",\"value_schema\":{\"val_type\":\"integer\"}}";
    char page[1024], bytes[1024];
    (void)snprintf(page, sizeof page, PAGE(DEFINITION("Math.Add", "%s", ""), "1"), parameter);
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, page), DIALOGUE_DONE);
    ck_assert_ptr_nonnull(find("Arcade_Math_Add"));
    ck_assert(
        bytes_equal(find("Arcade_Math_Add")->parameters,
                    arcade_json("{\"additionalProperties\":false,\"properties\":{\"p\":{"
                                "\"description\":\"Whom.\",\"type\":\"string\"},\"q\":{\"type\":["
                                "\"integer\",\"null\"]}},\"required\":[\"p\"],\"type\":\"object\"}",
                                bytes, sizeof bytes)));
}
END_TEST

#define OUTPUT(schema) ",\"output\":{\"value_schema\":{" schema "}}"

/* What a tool says of its data, and what it is held to; NULL: nothing. */
static const struct {
    const char *output, *schema;
} outputs[] = {
    {"", NULL},
    {OUTPUT("\"val_type\":\"json\""), NULL},
    {OUTPUT("\"val_type\":7"), NULL},
    {",\"output\":null", NULL},
    {OUTPUT("\"val_type\":\"string\""), "{\"type\":[\"string\",\"null\"]}"},
    {OUTPUT("\"val_type\":\"array\",\"inner_val_type\":\"integer\""),
     "{\"items\":{\"type\":\"integer\"},\"type\":[\"array\",\"null\"]}"},
    {OUTPUT("\"val_type\":\"array\",\"inner_val_type\":\"array\""),
     "{\"items\":{},\"type\":[\"array\",\"null\"]}"},
};

START_TEST(what_a_tool_says_of_its_data_becomes_a_schema)
{
    char page[1024], bytes[1024];
    (void)snprintf(page, sizeof page, PAGE(DEFINITION("Math.Add", "", "%s"), "1"),
                   outputs[_i].output);
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, page), DIALOGUE_DONE);
    const struct remote_tool *found = find("Arcade_Math_Add");
    ck_assert_msg(found != NULL, "%s", arcade_remote.refusal);
    ck_assert_int_eq(found->result.data != NULL, outputs[_i].schema != NULL);
    if (outputs[_i].schema != NULL)
        ck_assert(bytes_equal(found->result, arcade_json(outputs[_i].schema, bytes, sizeof bytes)));
}
END_TEST

static const char *const bad_definitions[] = {
    "7",
    "{}",
    "{\"qualified_name\":\"\"}",
    "{\"qualified_name\":7}",
    "{\"qualified_name\":\"a\\u0000b\"}",
    "{\"qualified_name\":\"A.B\",\"input\":{\"parameters\":{}}}",
    "{\"qualified_name\":\"A.B\",\"input\":{\"parameters\":[7]}}",
    "{\"qualified_name\":\"A.B\",\"input\":{\"parameters\":[{\"name\":\"p\"},{\"name\":\"p\"}]}}",
};

START_TEST(a_definition_that_is_none_is_counted_and_the_rest_is_taken)
{
    char page[1024];
    (void)snprintf(page, sizeof page, PAGE("%s," DEFINITION("Math.Add", "", ""), "2"),
                   bad_definitions[_i]);
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, page), DIALOGUE_DONE);
    ck_assert_uint_eq(arcade_remote.refused, 1);
    ck_assert_str_ne(arcade_remote.refusal, "");
    ck_assert_uint_eq(imports_count(arcade_remote.imports), 1);
    ck_assert_ptr_nonnull(find("Arcade_Math_Add"));
}
END_TEST

START_TEST(a_list_is_read_to_its_end)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(
        arcade_answer(200, PAGE(DEFINITION("A.A", "", "") "," DEFINITION("A.B", "", ""), "3")),
        DIALOGUE_EXCHANGE);
    arcade_check_asked(HTTP_GET, "https://arcade.test/v1/tools?limit=100&offset=2", NULL);
    ck_assert_uint_eq(imports_count(arcade_remote.imports), 0); /* not before it is whole */
    ck_assert_int_eq(arcade_answer(200, PAGE(DEFINITION("A.C", "", ""), "3")), DIALOGUE_DONE);
    ck_assert_uint_eq(imports_count(arcade_remote.imports), 3);
}
END_TEST

START_TEST(only_some_toolkits_are_asked_for)
{
    (void)snprintf(arcade_server.toolkits, sizeof arcade_server.toolkits, " Math,  Mail & Co,\tX");
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    arcade_check_asked(HTTP_GET, "https://arcade.test/v1/tools?limit=100&offset=0&toolkit=Math",
                       NULL);
    ck_assert_int_eq(arcade_answer(200, PAGE(DEFINITION("Math.A", "", ""), "2")),
                     DIALOGUE_EXCHANGE);
    arcade_check_asked(HTTP_GET, "https://arcade.test/v1/tools?limit=100&offset=1&toolkit=Math",
                       NULL);
    ck_assert_int_eq(arcade_answer(200, PAGE(DEFINITION("Math.B", "", ""), "2")),
                     DIALOGUE_EXCHANGE);
    arcade_check_asked(HTTP_GET, "https://arcade.test/v1/tools?limit=100&offset=0&toolkit=Mail",
                       NULL);
    ck_assert_int_eq(arcade_answer(200, PAGE("", "0")), DIALOGUE_EXCHANGE);
    arcade_check_asked(HTTP_GET, "https://arcade.test/v1/tools?limit=100&offset=0&toolkit=%26",
                       NULL);
    ck_assert_int_eq(arcade_answer(200, PAGE("", "0")), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, PAGE("", "0")), DIALOGUE_EXCHANGE);
    arcade_check_asked(HTTP_GET, "https://arcade.test/v1/tools?limit=100&offset=0&toolkit=X", NULL);
    ck_assert_int_eq(arcade_answer(200, "{\"items\":null}"), DIALOGUE_DONE);
    ck_assert_uint_eq(imports_count(arcade_remote.imports), 2);
}
END_TEST

START_TEST(an_address_that_is_too_long_is_not_asked_for)
{
    memset(arcade_server.toolkits, '&', sizeof arcade_server.toolkits - 1); /* each three bytes */
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, "LIMIT");
}
END_TEST

START_TEST(a_list_that_breaks_off_leaves_what_was_known)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, PAGE(DEFINITION("A.A", "", ""), "1")), DIALOGUE_DONE);
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, PAGE(DEFINITION("A.B", "", ""), "2")), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(500, ""), DIALOGUE_FAILED);
    ck_assert_uint_eq(imports_count(arcade_remote.imports), 1);
    ck_assert_ptr_nonnull(find("Arcade_A_A"));
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, PAGE("", "0")), DIALOGUE_DONE);
    ck_assert_uint_eq(imports_count(arcade_remote.imports), 0);
}
END_TEST

START_TEST(of_a_list_without_end_what_was_read_is_offered)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    for (unsigned i = 1; i < ARCADE_PAGES_MAX; i++)
        ck_assert_int_eq(arcade_answer(200, PAGE(DEFINITION("A.A", "", ""), "100000")),
                         DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, PAGE(DEFINITION("A.B", "", ""), "100000")), DIALOGUE_DONE);
    ck_assert_uint_eq(imports_count(arcade_remote.imports), 2);
    ck_assert_uint_eq(arcade_remote.refused, 1);
    ck_assert_ptr_nonnull(strstr(arcade_remote.refusal, "more than 100 pages"));
}
END_TEST

START_TEST(an_empty_page_ends_a_list_whatever_it_claims)
{
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, PAGE("", "100000")), DIALOGUE_DONE);
}
END_TEST

START_TEST(pages_hold_so_much_together)
{
    static char page[HTTP_BODY_BYTES_MAX];
    int size = snprintf(page, sizeof page, "{\"total_count\":100000,\"items\":[\"");
    memset(page + size, 'x', sizeof page - (size_t)size - 4);
    memcpy(page + sizeof page - 4, "\"]}", 4);
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    unsigned pages = 0;
    while (arcade_answer(200, page) == DIALOGUE_EXCHANGE)
        ck_assert_uint_le(++pages, ARCADE_LIST_BYTES_MAX / HTTP_BODY_BYTES_MAX);
    ck_assert_uint_eq(pages, ARCADE_LIST_BYTES_MAX / HTTP_BODY_BYTES_MAX);
    arcade_check_failure(STATUS_APP_ERROR, "LIMIT");
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, arcade_set_up, arcade_tear_down);
    tcase_add_test(tcase, a_definition_becomes_a_tool);
    tcase_add_loop_test(tcase, a_parameter_becomes_a_schema, 0, COUNT_OF(parameters));
    tcase_add_test(tcase, what_a_parameter_is_for_is_kept);
    tcase_add_loop_test(tcase, a_definition_that_is_none_is_counted_and_the_rest_is_taken, 0,
                        COUNT_OF(bad_definitions));
    tcase_add_test(tcase, a_list_is_read_to_its_end);
    tcase_add_test(tcase, only_some_toolkits_are_asked_for);
    tcase_add_test(tcase, an_address_that_is_too_long_is_not_asked_for);
    tcase_add_test(tcase, a_list_that_breaks_off_leaves_what_was_known);
    tcase_add_loop_test(tcase, what_a_tool_says_of_its_data_becomes_a_schema, 0, COUNT_OF(outputs));
    tcase_add_test(tcase, of_a_list_without_end_what_was_read_is_offered);
    tcase_add_test(tcase, an_empty_page_ends_a_list_whatever_it_claims);
    tcase_add_test(tcase, pages_hold_so_much_together);
}

int main(void)
{
    return suite_run("arcade_tools", add_tests);
}
