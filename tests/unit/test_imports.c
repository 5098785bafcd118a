/* test_imports - tools of others under our names: mapped once, told apart, replaced by each list,
 * bounded; what a call holds stays. */
#include <stdio.h>
#include <string.h>

#include "actors/arcade_gateway/http.h"
#include "actors/arcade_gateway/imports.h"
#include "protocol/limits.h"
#include "tests/support/suite.h"

static struct imports *imports;
static char reason[HTTP_REASON_BYTES];

/* {"type": "object", "properties": {"n": {"type": "integer"}}}, keys not in order */
#define SCHEMA bytes_of("\x82\xa4type\xa6object\xaaproperties\x81\xa1n\x81\xa4type\xa7integer")

static void setup(void)
{
    imports = imports_new();
    reason[0] = '\0';
}

static void teardown(void)
{
    imports_destroy(&imports);
    ck_assert_ptr_null(imports);
}

static struct remote_tool tool_of(const char *remote_name)
{
    struct remote_tool tool = {.version = "1.0.0",
                               .description = "does it",
                               .parameters = SCHEMA,
                               .timeout_ms = 1000,
                               .scope = "tenant"};
    (void)snprintf(tool.remote_name, sizeof tool.remote_name, "%s", remote_name);
    return tool;
}

static bool add(const char *source, const char *remote_name)
{
    struct remote_tool tool = tool_of(remote_name);
    return imports_add(imports, source, &tool, reason);
}

static const struct remote_tool *find(const char *name)
{
    return imports_find(imports, bytes_of(name));
}

static const struct {
    const char *source, *remote, *ours;
} names[] = {
    {"Arcade", "Google.SendEmail", "Arcade_Google_SendEmail"},
    {"Docs", "search", "Docs_search"},
    {"Docs", "read-file", "Docs_read-file"},
    {"Docs", "tools/list all", "Docs_tools_list_all"},
    {"Docs", "\xc3\xa9tude", "Docs___tude"},
};

START_TEST(a_remote_name_is_mapped)
{
    imports_begin(imports, names[_i].source);
    ck_assert(add(names[_i].source, names[_i].remote));
    ck_assert_str_eq(imports_at(imports, 0)->name, names[_i].ours);
}
END_TEST

START_TEST(what_is_too_long_is_cut_and_told_apart)
{
    char remote[REMOTE_NAME_BYTES_MAX];
    memset(remote, 'x', sizeof remote);
    remote[sizeof remote - 1] = '\0';
    imports_begin(imports, "Docs");
    ck_assert(add("Docs", remote));
    remote[sizeof remote - 2] = 'y';
    ck_assert(add("Docs", remote));
    ck_assert_uint_eq(imports_count(imports), 2);
    for (size_t i = 0; i < 2; i++)
        ck_assert_uint_eq(strlen(imports_at(imports, i)->name), METHOD_BYTES_MAX);
    ck_assert_str_ne(imports_at(imports, 0)->name, imports_at(imports, 1)->name);
}
END_TEST

START_TEST(two_that_read_the_same_are_told_apart_and_keep_their_names)
{
    char second[METHOD_BYTES_MAX + 1];
    for (int round = 0; round < 2; round++) {
        imports_begin(imports, "Docs");
        ck_assert(add("Docs", "a.b"));
        ck_assert(add("Docs", "a/b"));
        ck_assert_int_eq(imports_end(imports, "Docs"), round == 0);
        ck_assert_uint_eq(imports_count(imports), 2);
        ck_assert_str_eq(find("Docs_a_b")->remote_name, "a.b");
        const struct remote_tool *other = imports_at(imports, 1);
        ck_assert_str_eq(other->remote_name, "a/b");
        if (round > 0)
            ck_assert_str_eq(other->name, second);
        memcpy(second, other->name, sizeof second);
    }
}
END_TEST

START_TEST(a_list_replaces_what_was_known_of_its_source)
{
    imports_begin(imports, "Docs");
    ck_assert(add("Docs", "one"));
    ck_assert(add("Docs", "two"));
    ck_assert(imports_end(imports, "Docs"));
    imports_begin(imports, "Other");
    ck_assert(add("Other", "one"));
    ck_assert(imports_end(imports, "Other"));
    imports_begin(imports, "Docs");
    ck_assert(add("Docs", "two"));
    ck_assert(add("Docs", "three"));
    ck_assert(imports_end(imports, "Docs"));
    ck_assert_ptr_null(find("Docs_one"));
    ck_assert_ptr_nonnull(find("Docs_two"));
    ck_assert_ptr_nonnull(find("Docs_three"));
    ck_assert_ptr_nonnull(find("Other_one"));
    imports_begin(imports, "Docs"); /* the same again is no change */
    ck_assert(add("Docs", "three"));
    ck_assert(add("Docs", "two"));
    ck_assert(!imports_end(imports, "Docs"));
}
END_TEST

START_TEST(a_tool_that_changes_has_another_hash)
{
    struct remote_tool tool = tool_of("one");
    imports_begin(imports, "Docs");
    ck_assert(imports_add(imports, "Docs", &tool, reason));
    uint64_t hash = find("Docs_one")->schema;
    ck_assert_uint_ne(hash, 0);
    (void)imports_end(imports, "Docs");
    tool.parameters = (struct bytes){0};
    imports_begin(imports, "Docs");
    ck_assert(imports_add(imports, "Docs", &tool, reason));
    ck_assert(imports_end(imports, "Docs"));
    ck_assert_uint_ne(find("Docs_one")->schema, hash);
    ck_assert_uint_eq(imports_count(imports), 1);
}
END_TEST

START_TEST(what_is_held_stays_though_it_is_not_offered_any_more)
{
    struct remote_tool given = tool_of("one");
    given.extra = (struct bytes){"\x2a", 1};
    imports_begin(imports, "Docs");
    ck_assert(imports_add(imports, "Docs", &given, reason));
    (void)imports_end(imports, "Docs");
    const struct remote_tool *tool = find("Docs_one");
    imports_hold(tool);
    imports_begin(imports, "Docs");
    ck_assert(imports_end(imports, "Docs"));
    ck_assert_uint_eq(imports_count(imports), 0);
    ck_assert_uint_eq(imports_bytes(imports), 0);
    ck_assert_str_eq(tool->name, "Docs_one");
    ck_assert(bytes_are(tool->extra, "\x2a"));
    imports_release(&tool);
    ck_assert_ptr_null(tool);
}
END_TEST

START_TEST(what_is_no_sound_tool_is_not_taken)
{
    struct remote_tool tool = tool_of("one");
    imports_begin(imports, "Docs");
    tool.parameters = bytes_of("\x81\xa4type\xa5thing");
    ck_assert(!imports_add(imports, "Docs", &tool, reason));
    ck_assert_ptr_nonnull(strstr(reason, "parameters"));
    tool = tool_of("one");
    tool.result = (struct bytes){"\xc1", 1};
    ck_assert(!imports_add(imports, "Docs", &tool, reason));
    tool = tool_of("one");
    tool.version[0] = '\0';
    ck_assert(!imports_add(imports, "Docs", &tool, reason));
    ck_assert(!add("docs", "one")); /* no name of ours begins so */
    ck_assert(!add("Docs", ""));
    ck_assert_uint_eq(imports_count(imports), 0);
    ck_assert(!imports_end(imports, "Docs"));
}
END_TEST

START_TEST(there_is_room_for_so_many)
{
    char remote[16];
    unsigned taken = 0;
    imports_begin(imports, "Docs");
    for (unsigned i = 0; i < 2 * REMOTE_TOOLS_MAX; i++) {
        (void)snprintf(remote, sizeof remote, "t%u", i);
        taken += add("Docs", remote);
    }
    ck_assert_uint_eq(taken, REMOTE_TOOLS_MAX);
    ck_assert_ptr_nonnull(strstr(reason, "no room"));
    ck_assert_uint_le(imports_bytes(imports), IMPORTS_BYTES_MAX);
}
END_TEST

START_TEST(there_is_room_for_so_many_bytes)
{
    char remote[16];
    unsigned taken = 0;
    struct remote_tool tool = tool_of("x");
    memset(tool.description, 'd', sizeof tool.description - 1);
    imports_begin(imports, "Docs");
    for (unsigned i = 0; i < REMOTE_TOOLS_MAX; i++) {
        (void)snprintf(remote, sizeof remote, "t%u", i);
        memcpy(tool.remote_name, remote, sizeof remote);
        taken += imports_add(imports, "Docs", &tool, reason);
    }
    ck_assert_uint_lt(taken, REMOTE_TOOLS_MAX);
    ck_assert_uint_gt(taken, IMPORTS_BYTES_MAX / (2 * REMOTE_DESCRIPTION_BYTES_MAX));
    ck_assert_uint_le(imports_bytes(imports), IMPORTS_BYTES_MAX);
    ck_assert_uint_gt(imports_bytes(imports) + 2 * REMOTE_DESCRIPTION_BYTES_MAX, IMPORTS_BYTES_MAX);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_remote_name_is_mapped, 0, (int)(sizeof names / sizeof names[0]));
    tcase_add_test(tcase, what_is_too_long_is_cut_and_told_apart);
    tcase_add_test(tcase, two_that_read_the_same_are_told_apart_and_keep_their_names);
    tcase_add_test(tcase, a_list_replaces_what_was_known_of_its_source);
    tcase_add_test(tcase, a_tool_that_changes_has_another_hash);
    tcase_add_test(tcase, what_is_held_stays_though_it_is_not_offered_any_more);
    tcase_add_test(tcase, what_is_no_sound_tool_is_not_taken);
    tcase_add_test(tcase, there_is_room_for_so_many);
    tcase_add_test(tcase, there_is_room_for_so_many_bytes);
}

int main(void)
{
    return suite_run("imports", add_tests);
}
