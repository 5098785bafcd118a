/* test_registry - which tool serves a name: the highest version that is served, or the one named;
 * what is unknown is asked for once, and what is no tool is passed over. */
#include <stdio.h>
#include <string.h>

#include "actors/driver/registry.h"
#include "tests/support/suite.h"

static struct registry *registry;
static struct name_text unknown[WORKERS_MAX];
static char room[65536];
static struct writer writer;

static void setup(void)
{
    registry = registry_new();
}

static void teardown(void)
{
    registry_destroy(&registry);
    ck_assert_ptr_null(registry);
}

struct offer {
    const char *name, *version, *instance;
    uint64_t schema, role, workers;
};

static size_t take_directory(const struct offer *offers, size_t count)
{
    writer_init(&writer, room, sizeof room);
    writer_array(&writer, count);
    for (size_t i = 0; i < count; i++) {
        struct msg_directory_method method = {.role = offers[i].role,
                                              .name = bytes_of(offers[i].name),
                                              .version = bytes_of(offers[i].version),
                                              .schema = offers[i].schema,
                                              .workers = offers[i].workers,
                                              .instance = bytes_of(offers[i].instance)};
        ck_assert_int_eq(message_write(MSG_DIRECTORY_METHOD, &method, &writer), STATUS_OK);
    }
    struct msg_directory directory = {.methods = writer_bytes(&writer)};
    return registry_take_directory(registry, &directory, unknown);
}

static size_t take(const char *name, const char *version, struct bytes parameters)
{
    struct msg_tool_definition definition = {.name = bytes_of(name),
                                             .version = bytes_of(version),
                                             .schema = 1,
                                             .parameters = parameters,
                                             .ttl_ms = UINT64_MAX};
    writer_init(&writer, room, sizeof room);
    writer_array(&writer, 1);
    ck_assert_int_eq(message_write(MSG_TOOL_DEFINITION, &definition, &writer), STATUS_OK);
    return registry_take_definitions(registry,
                                     &(struct msg_tool_definitions){writer_bytes(&writer)});
}

static const char *version_of(const char *name, const char *version)
{
    const struct tool *tool = registry_find(registry, bytes_of(name), bytes_of(version));
    return tool == NULL ? "" : tool->version;
}

/* Rising, each below the next. source: semver.org, 2.0.0, 11 */
static const char *const rising[] = {
    "0.9.0",      "1.0.0-alpha",  "1.0.0-alpha.1", "1.0.0-alpha.beta",
    "1.0.0-beta", "1.0.0-beta.2", "1.0.0-beta.11", "1.0.0-rc.1",
    "1.0.0",      "1.0.1",        "1.2.0",         "1.10.0",
    "2.0.0"};
#define RISING (sizeof rising / sizeof rising[0])

static enum role role_of(const char *name)
{
    const struct tool *tool = registry_find(registry, bytes_of(name), (struct bytes){0});
    ck_assert_ptr_nonnull(tool);
    return tool->role;
}

/* What is near goes before what is far; a gateway's other methods are no tools. */
START_TEST(tools_of_gateways_are_known_as_such)
{
    static const struct offer offers[] = {
        {"Far_Tool", "1.0.0", "g1", 1, ROLE_ARCADE_GATEWAY, 1},
        {"Both_Tool", "1.0.0", "g1", 1, ROLE_ARCADE_GATEWAY, 1},
        {"Both_Tool", "1.0.0", "e1", 1, ROLE_TOOL_EXECUTOR, 1},
        {"model", "", "g1", 0, ROLE_ARCADE_GATEWAY, 1},
    };
    ck_assert_uint_eq(take_directory(offers, 4), 2);
    ck_assert_uint_eq(take("Far_Tool", "1.0.0", (struct bytes){0}), 1);
    ck_assert_uint_eq(take("Both_Tool", "1.0.0", (struct bytes){0}), 1);
    ck_assert_int_eq(role_of("Far_Tool"), ROLE_ARCADE_GATEWAY);
    ck_assert_int_eq(role_of("Both_Tool"), ROLE_TOOL_EXECUTOR);
    ck_assert_uint_eq(take_directory(offers, 2), 0); /* the executor has gone */
    ck_assert_int_eq(role_of("Both_Tool"), ROLE_ARCADE_GATEWAY);
    ck_assert(registry_has_executors(registry));
    ck_assert_uint_eq(take_directory(offers + 3, 1), 0);
    ck_assert(!registry_has_executors(registry));
}
END_TEST

START_TEST(versions_are_compared_as_semver_does)
{
    for (size_t i = 0; i < RISING; i++)
        for (size_t k = 0; k < RISING; k++) {
            int order = registry_compare_versions(rising[i], rising[k]);
            ck_assert_msg((order > 0) == (i > k) && (order < 0) == (i < k), "%s, %s", rising[i],
                          rising[k]);
        }
    ck_assert_int_eq(registry_compare_versions("1.0.0+a", "1.0.0+b"), 0);
    ck_assert_int_eq(registry_compare_versions("", ""), 0);
}
END_TEST

START_TEST(the_highest_version_that_is_served_serves_and_a_named_one_is_found)
{
    ck_assert_uint_eq(take("Test_Echo", "1.10.0", (struct bytes){0}), 1);
    ck_assert_uint_eq(take("Test_Echo", "1.9.0", (struct bytes){0}), 1);
    ck_assert_str_eq(version_of("Test_Echo", NULL), "1.10.0");
    ck_assert_str_eq(version_of("Test_Echo", "1.9.0"), "1.9.0");
    ck_assert_str_eq(version_of("Test_Echo", "1.9.1"), "");
    struct offer only_old = {"Test_Echo", "1.9.0", "e1", 1, ROLE_TOOL_EXECUTOR, 1};
    ck_assert_uint_eq(take_directory(&only_old, 1), 0);
    ck_assert_str_eq(version_of("Test_Echo", NULL), "1.9.0");
    ck_assert_uint_eq(take_directory(NULL, 0),
                      0); /* nobody: what is in the cache is still served */
    ck_assert_str_eq(version_of("Test_Echo", NULL), "1.10.0");
    ck_assert(!registry_has_executors(registry));
}
END_TEST

START_TEST(each_instance_with_something_new_is_named_once)
{
    static const struct offer offers[] = {
        {"Test_A", "1.0.0", "e1", 1, ROLE_TOOL_EXECUTOR, 1},
        {"Test_B", "1.0.0", "e1", 2, ROLE_TOOL_EXECUTOR, 1},
        {"Test_C", "1.0.0", "e2", 3, ROLE_TOOL_EXECUTOR, 1},
        {"Test_D", "1.0.0", "e3", 4, ROLE_TOOL_EXECUTOR, 0}, /* by nobody now */
        {"*", "", "d1", 0, ROLE_DRIVER, 1}};
    ck_assert_uint_eq(take_directory(offers, 5), 2);
    ck_assert_str_eq(unknown[0].text, "e1");
    ck_assert_str_eq(unknown[1].text, "e2");
    ck_assert(registry_has_executors(registry));
    ck_assert_uint_eq(take("Test_A", "1.0.0", (struct bytes){0}), 1);
    ck_assert_uint_eq(take_directory(offers, 1), 0);
    struct offer changed = offers[0];
    changed.schema = 99;
    ck_assert_uint_eq(take_directory(&changed, 1), 1);
}
END_TEST

static const struct {
    const char *name, *version;
    struct bytes parameters;
    size_t taken;
} definitions[] = {
    {"Test_Echo", "1.0.0", {NULL, 0}, 1},
    {"Test_Echo", "1.0.0", {"\xc0", 1}, 1},
    {"Test_Echo", "1.0.0", {"\x81\xa4type\xa6object", 13}, 1},
    {"Test.Echo", "1.0.0", {NULL, 0}, 0}, /* an alias is no name */
    {"echo", "1.0.0", {NULL, 0}, 0},
    {"Test_Echo", "1.0.0", {"\x01", 1}, 0},
    {"Test_Echo",
     "1.0.0",
     {"\x81\xa4"
      "kind\x01",
      7},
     0},
};

START_TEST(what_is_no_tool_is_passed_over)
{
    ck_assert_uint_eq(
        take(definitions[_i].name, definitions[_i].version, definitions[_i].parameters),
        definitions[_i].taken);
}
END_TEST

START_TEST(no_more_tools_than_it_holds)
{
    char name[32];
    for (unsigned i = 0; i <= REGISTRY_TOOLS_MAX; i++) {
        snprintf(name, sizeof name, "Test_T%u", i);
        ck_assert_uint_eq(take(name, "1", (struct bytes){0}), i < REGISTRY_TOOLS_MAX);
    }
    ck_assert_uint_eq(take("Test_T0", "1", (struct bytes){0}), 1); /* known: its own place */
    ck_assert_uint_eq(registry_find(registry, bytes_of("Test_T0"), (struct bytes){0})->ttl_ms,
                      TTL_MS_MAX);
}
END_TEST

START_TEST(names_that_look_alike_are_suggested)
{
    char names[REGISTRY_SUGGESTIONS_BYTES_MAX];
    ck_assert_uint_eq(take("SQL_QueryReadonly", "1", (struct bytes){0}), 1);
    ck_assert_uint_eq(take("SQL_QueryReadonly", "2", (struct bytes){0}), 1);
    ck_assert_uint_eq(take("Math_Calculator", "1", (struct bytes){0}), 1);
    registry_suggest(registry, bytes_of("sql_queryreadony"), names);
    ck_assert_str_eq(names, "SQL_QueryReadonly");
    registry_suggest(registry, bytes_of("Weather_Today"), names);
    ck_assert_str_eq(names, "");
    registry_suggest(registry, bytes_of(""), names);
    ck_assert_str_eq(names, "");
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, tools_of_gateways_are_known_as_such);
    tcase_add_test(tcase, versions_are_compared_as_semver_does);
    tcase_add_test(tcase, the_highest_version_that_is_served_serves_and_a_named_one_is_found);
    tcase_add_test(tcase, each_instance_with_something_new_is_named_once);
    tcase_add_loop_test(tcase, what_is_no_tool_is_passed_over, 0,
                        sizeof definitions / sizeof definitions[0]);
    tcase_add_test(tcase, no_more_tools_than_it_holds);
    tcase_add_test(tcase, names_that_look_alike_are_suggested);
}

int main(void)
{
    return suite_run("registry", add_tests);
}
