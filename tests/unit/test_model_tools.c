/* test_model_tools - what a model is offered: what only reads, or what was named; in the order of
 * names, within bounds; and it stays while nobody serves anything. */
#include <stdio.h>
#include <string.h>

#include "actors/driver/model_tools.h"
#include "tests/support/suite.h"

static struct registry *registry;
static struct model_tools *tools;

static void setup(void)
{
    registry = registry_new();
    tools = model_tools_new("");
}

static void teardown(void)
{
    registry_destroy(&registry);
    model_tools_destroy(&tools);
    ck_assert_ptr_null(tools);
    model_tools_destroy(&tools);
}

static void serve(const char *name, const char *version, bool read_only, struct bytes parameters)
{
    static char room[65536];
    struct writer writer;
    struct msg_tool_definition definition = {.name = bytes_of(name),
                                             .version = bytes_of(version),
                                             .description = bytes_of(name),
                                             .parameters = parameters,
                                             .schema = strlen(version),
                                             .read_only = read_only};
    writer_init(&writer, room, sizeof room);
    writer_array(&writer, 1);
    ck_assert_int_eq(message_write(MSG_TOOL_DEFINITION, &definition, &writer), STATUS_OK);
    ck_assert_uint_eq(
        registry_take_definitions(registry, &(struct msg_tool_definitions){writer_bytes(&writer)}),
        1);
}

/* Names of the list, with blanks. */
static const char *offered(void)
{
    static char names[65536];
    struct values values = values_over(model_tools_list(tools));
    struct bytes element;
    struct msg_model_tool tool;
    names[0] = '\0';
    while (values_next(&values, &element)) {
        ck_assert_int_eq(message_decode(MSG_MODEL_TOOL, element, &tool), STATUS_OK);
        ck_assert(bytes_equal(tool.name, tool.description));
        snprintf(names + strlen(names), sizeof names - strlen(names), " %.*s", (int)tool.name.size,
                 tool.name.data);
    }
    return names;
}

static void serve_some(void)
{
    serve("Web_Get", "1.0.0", true, (struct bytes){0});
    serve("SQL_Read", "1.0.0", true, (struct bytes){0});
    serve("SQL_Read", "1.10.0", true, (struct bytes){0});
    serve("SQL_Read", "1.9.0", true, (struct bytes){0});
    serve("SQL_Write", "1.0.0", false, (struct bytes){0});
}

static const struct {
    const char *wanted, *offered;
} wishes[] = {
    {"", " SQL_Read Web_Get"},
    {" , ", " SQL_Read Web_Get"},
    {"SQL_Write", " SQL_Write"},
    {"SQL_*", " SQL_Read SQL_Write"},
    {"Web_Get,SQL_Write", " SQL_Write Web_Get"},
    {" Web_Get , SQL_W*", " SQL_Write Web_Get"},
    {"*", " SQL_Read SQL_Write Web_Get"},
    {"SQL_", ""},
    {"SQL_ReadX,Web_GetX*", ""},
};

START_TEST(it_is_offered_what_only_reads_or_what_was_named)
{
    model_tools_destroy(&tools);
    tools = model_tools_new(wishes[_i].wanted);
    serve_some();
    model_tools_choose(tools, registry);
    ck_assert_str_eq(offered(), wishes[_i].offered);
}
END_TEST

static void digest(unsigned char out[KEY_DIGEST_BYTES])
{
    struct key_digest state;
    key_digest_init(&state);
    model_tools_digest(tools, &state);
    key_digest_end(&state, out);
}

START_TEST(another_version_or_tool_is_another_digest)
{
    unsigned char first[KEY_DIGEST_BYTES], second[KEY_DIGEST_BYTES];
    digest(first);
    serve_some();
    model_tools_choose(tools, registry);
    digest(second);
    ck_assert_mem_ne(first, second, sizeof first);
    model_tools_choose(tools, registry);
    digest(first);
    ck_assert_mem_eq(first, second, sizeof first);
    serve("SQL_Read", "1.10.1", true, (struct bytes){0}); /* of the same hash */
    model_tools_choose(tools, registry);
    digest(second);
    ck_assert_mem_ne(first, second, sizeof first);
    serve("SQL_Write", "1.10.1", false, (struct bytes){0}); /* it is not offered */
    model_tools_choose(tools, registry);
    digest(first);
    ck_assert_mem_eq(first, second, sizeof first);
}
END_TEST

START_TEST(while_nobody_serves_anything_all_stays)
{
    static struct name_text unknown[WORKERS_MAX];
    struct msg_directory nobody = {.methods = {"\x90", 1}};
    serve_some();
    model_tools_choose(tools, registry);
    (void)registry_take_directory(registry, &nobody, unknown);
    model_tools_choose(tools, registry);
    ck_assert_str_eq(offered(), " SQL_Read Web_Get");
    ck_assert_str_eq(model_tools_find(tools, bytes_of("Web_Get")), "Web_Get");
    ck_assert_ptr_null(model_tools_find(tools, bytes_of("SQL_Write")));
}
END_TEST

START_TEST(more_than_so_many_are_left_out)
{
    char name[METHOD_BYTES_MAX];
    for (unsigned i = 0; i < MODEL_TOOLS_MAX + 2; i++) {
        snprintf(name, sizeof name, "Test_T%03u", i);
        serve(name, "1.0.0", true, (struct bytes){0});
    }
    model_tools_choose(tools, registry);
    ck_assert_uint_eq(model_tools_count(tools), MODEL_TOOLS_MAX);
    ck_assert_uint_eq(model_tools_left_out(tools), 2);
    ck_assert_ptr_nonnull(model_tools_find(tools, bytes_of("Test_T127")));
    ck_assert_ptr_null(model_tools_find(tools, bytes_of("Test_T128")));
}
END_TEST

/* A schema with an enum that is so long. */
static struct bytes large_schema(char *out, size_t size)
{
    struct writer writer;
    static char text[20000];
    memset(text, 'x', sizeof text);
    writer_init(&writer, out, size);
    writer_map(&writer, 1);
    writer_cstr(&writer, "description");
    writer_text(&writer, (struct bytes){text, sizeof text});
    return writer_bytes(&writer);
}

START_TEST(what_has_no_room_is_left_out_and_smaller_ones_are_not)
{
    char room[32768];
    struct bytes large = large_schema(room, sizeof room);
    serve("Test_A", "1.0.0", true, large);
    serve("Test_B", "1.0.0", true, large);
    serve("Test_C", "1.0.0", true, large);
    serve("Test_D", "1.0.0", true, (struct bytes){0});
    model_tools_choose(tools, registry);
    ck_assert_str_eq(offered(), " Test_A Test_B Test_D");
    ck_assert_uint_eq(model_tools_left_out(tools), 1);
    ck_assert_uint_le(model_tools_bytes(tools), MODEL_TOOLS_BYTES_MAX);
    ck_assert_uint_gt(model_tools_bytes(tools), 40000);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, it_is_offered_what_only_reads_or_what_was_named, 0,
                        sizeof wishes / sizeof wishes[0]);
    tcase_add_test(tcase, another_version_or_tool_is_another_digest);
    tcase_add_test(tcase, while_nobody_serves_anything_all_stays);
    tcase_add_test(tcase, more_than_so_many_are_left_out);
    tcase_add_test(tcase, what_has_no_room_is_left_out_and_smaller_ones_are_not);
}

int main(void)
{
    return suite_run("model_tools", add_tests);
}
