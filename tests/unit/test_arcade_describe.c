/* test_arcade_describe - a tool can be asked for by name, and is offered from then on; a call that
 * is refused as if its tool were another looks once what that is now, and runs if it can. */
#include <stdio.h>
#include <string.h>

#include "tests/support/arcade_dialogue.h"
#include "tests/support/suite.h"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define DEFINITION(name, version, parameters)                                                      \
    "{\"qualified_name\":\"" name "\",\"toolkit\":{\"version\":\"" version                         \
    "\"},\"input\":{\"parameters\":[" parameters "]}}"
#define TO "{\"name\":\"to\",\"required\":true,\"value_schema\":{\"val_type\":\"string\"}}"
#define TO_MANY "{\"name\":\"to\",\"required\":true,\"value_schema\":{\"val_type\":\"array\"}}"
#define DONE "{\"success\":true,\"output\":{\"value\":\"sent\"}}"

static const struct remote_tool *find(const char *name)
{
    return imports_find(arcade_remote.imports, bytes_of(name));
}

static enum dialogue_next describe(const char *name)
{
    static char room[256];
    struct msg_tool_describe wanted = {.name = bytes_of(name)};
    (void)arcade_begin(DIALOGUE_DESCRIBE); /* with no name: it fails */
    struct bytes body;
    ck_assert_int_eq(message_encode(MSG_TOOL_DESCRIBE, &wanted, room, sizeof room, &body),
                     STATUS_OK);
    arcade_dialogue.arguments = body;
    arcade_dialogue.failure = (struct failure){0};
    return dialect_arcade.begin(&arcade_dialogue, &arcade_exchange);
}

static void list(const char *items)
{
    char page[1024];
    (void)snprintf(page, sizeof page, "{\"items\":[%s]}", items);
    ck_assert_int_eq(arcade_begin(DIALOGUE_LIST), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, page), DIALOGUE_DONE);
}

START_TEST(what_no_list_held_is_offered_once_it_was_asked_for)
{
    struct msg_tool_definition tool;
    uint64_t before = imports_generation(arcade_remote.imports);
    ck_assert_int_eq(describe("Arcade_Mail_Send_Now"), DIALOGUE_EXCHANGE);
    arcade_check_asked(HTTP_GET, "https://arcade.test/v1/tools/Mail.Send_Now", NULL);
    ck_assert_int_eq(arcade_answer(200, DEFINITION("Mail.Send_Now", "1.0.0", TO)), DIALOGUE_DONE);
    ck_assert_int_eq(
        message_decode(MSG_TOOL_DEFINITION, writer_bytes(&arcade_dialogue.data), &tool), STATUS_OK);
    ck_assert(bytes_are(tool.name, "Arcade_Mail_Send_Now"));
    ck_assert(bytes_are(tool.version, "1.0.0"));
    ck_assert_ptr_nonnull(find("Arcade_Mail_Send_Now"));
    ck_assert_uint_gt(imports_generation(arcade_remote.imports), before);
    ck_assert_uint_eq(imports_named(arcade_remote.imports), 1);
    list(DEFINITION("Math.Add", "1.0.0", ""));
    ck_assert_ptr_nonnull(find("Arcade_Mail_Send_Now"));
    list(DEFINITION("Mail.Send_Now", "1.0.0", TO));
    ck_assert_uint_eq(imports_named(arcade_remote.imports), 0);
    list(DEFINITION("Math.Add", "1.0.0", ""));
    ck_assert_ptr_null(find("Arcade_Mail_Send_Now"));
}
END_TEST

START_TEST(what_arcade_does_not_have_is_not_found_and_not_offered_any_more)
{
    list(DEFINITION("Mail.Send", "1.0.0", TO));
    ck_assert_int_eq(describe("Arcade_Mail_Send"), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(404, "{\"message\":\"no\"}"), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_BAD_REQUEST, "TOOL_NOT_FOUND");
    ck_assert_ptr_null(find("Arcade_Mail_Send"));
}
END_TEST

static const char *const strange[] = {"Arcade", "Arcade_", "Arcade_Mail", "Docs_search", "x"};

START_TEST(a_name_that_is_none_of_arcades_is_not_asked_for)
{
    ck_assert_int_eq(describe(strange[_i]), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_BAD_REQUEST, "TOOL_NOT_FOUND");
}
END_TEST

START_TEST(a_toolkit_that_is_not_wanted_is_not_had_by_name_either)
{
    (void)snprintf(arcade_server.toolkits, sizeof arcade_server.toolkits, "Math, Mail");
    ck_assert_int_eq(describe("Arcade_Mail_Send"), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(describe("Arcade_Math_Add"), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(describe("Arcade_Mai_Send"), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_BAD_REQUEST, "TOOL_NOT_FOUND");
}
END_TEST

static const char *const no_definitions[] = {"{}", "7", DEFINITION("Mail.Other", "1.0.0", TO),
                                             DEFINITION("Mail.Send", "1.0.0", "7")};

START_TEST(what_is_no_definition_of_it_is_not_taken)
{
    ck_assert_int_eq(describe("Arcade_Mail_Send"), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, no_definitions[_i]), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_APP_ERROR, "LIMIT");
    ck_assert_uint_eq(imports_count(arcade_remote.imports), 0);
}
END_TEST

START_TEST(so_many_are_offered_by_name_and_no_more)
{
    char name[64], body[512];
    for (unsigned i = 0; i <= NAMED_TOOLS_MAX; i++) {
        (void)snprintf(name, sizeof name, "Arcade_Mail_Send%u", i);
        (void)snprintf(body, sizeof body, DEFINITION("Mail.Send%u", "1.0.0", TO), i);
        ck_assert_int_eq(describe(name), DIALOGUE_EXCHANGE);
        ck_assert_int_eq(arcade_answer(200, body),
                         i < NAMED_TOOLS_MAX ? DIALOGUE_DONE : DIALOGUE_FAILED);
    }
    arcade_check_failure(STATUS_APP_ERROR, "LIMIT");
    ck_assert_uint_eq(imports_named(arcade_remote.imports), NAMED_TOOLS_MAX);
    ck_assert_int_eq(describe("Arcade_Mail_Send0"), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(404, "{}"), DIALOGUE_FAILED);
    ck_assert_uint_eq(imports_named(arcade_remote.imports), NAMED_TOOLS_MAX - 1);
}
END_TEST

/* A call of a tool that was listed so, as one that runs: it holds its tool. */
static void call(const char *definition)
{
    list(definition);
    ck_assert_int_eq(arcade_begin(DIALOGUE_CALL), DIALOGUE_EXCHANGE);
    arcade_dialogue.tool = find("Arcade_Mail_Send");
    ck_assert_ptr_nonnull(arcade_dialogue.tool);
    imports_hold(arcade_dialogue.tool);
}

START_TEST(a_call_that_finds_no_tool_is_tried_with_the_newer_one)
{
    call(DEFINITION("Mail.Send", "1.0.0", TO));
    ck_assert_int_eq(arcade_answer(404, "{}"), DIALOGUE_EXCHANGE);
    arcade_check_asked(HTTP_GET, "https://arcade.test/v1/tools/Mail.Send", NULL);
    ck_assert(arcade_exchange.is_repeat);
    ck_assert_int_le(arcade_exchange.http.deadline_at, NOW_AT + ARCADE_DOUBT_MS * US_PER_MS);
    ck_assert_int_eq(arcade_answer(200, DEFINITION("Mail.Send", "2.0.0", TO)), DIALOGUE_EXCHANGE);
    arcade_check_asked(HTTP_POST, "https://arcade.test/v1/tools/execute",
                       "{\"tool_name\":\"Mail.Send\",\"user_id\":\"acme:ann@example.com\","
                       "\"tool_version\":\"2.0.0\",\"input\":{\"to\":\"ann\"}}");
    ck_assert_int_eq(arcade_answer(200, DONE), DIALOGUE_DONE);
    ck_assert_str_eq(arcade_dialogue.tool->version, "2.0.0");
    ck_assert_str_eq(find("Arcade_Mail_Send")->version, "2.0.0");
    imports_release(&arcade_dialogue.tool);
}
END_TEST

START_TEST(one_whose_arguments_are_none_any_more_is_told_so)
{
    call(DEFINITION("Mail.Send", "1.0.0", TO));
    ck_assert_int_eq(arcade_answer(404, "{}"), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, DEFINITION("Mail.Send", "2.0.0", TO_MANY)),
                     DIALOGUE_FAILED);
    arcade_check_failure(STATUS_BAD_REQUEST, "BAD_ARGUMENTS");
    ck_assert_str_eq(arcade_dialogue.failure.field, "to");
    imports_release(&arcade_dialogue.tool);
}
END_TEST

#define REFUSED                                                                                    \
    "{\"success\":false,\"output\":{\"error\":{\"kind\":\"TOOL_RUNTIME_BAD_INPUT_VALUE\","         \
    "\"message\":\"no such folder\"}}}"

/* What a refusal leads to, by what the tool is then. */
static const struct {
    unsigned status;
    const char *body;
    unsigned then_status;
    const char *then_body;
    enum status failed;
    const char *code;
    const char *hint;
} refusals[] = {
    {404, "{}", 404, "{}", STATUS_BAD_REQUEST, "TOOL_NOT_FOUND", ""},
    {404, "{}", 503, "{}", STATUS_BAD_REQUEST, "TOOL_NOT_FOUND", ""},
    {404, "{}", 200, "{}", STATUS_BAD_REQUEST, "TOOL_NOT_FOUND", ""},
    {404, "{}", 200, DEFINITION("Mail.Send", "1.0.0", TO), STATUS_BAD_REQUEST, "TOOL_NOT_FOUND",
     ""},
    {400, "{}", 200, DEFINITION("Mail.Send", "1.0.0", TO), STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST",
     ""},
    {400, "{}", 200, DEFINITION("Mail.Send", "2.0.0", TO), STATUS_APP_ERROR, "UPSTREAM_BAD_REQUEST",
     "Its definition has changed: look at it again."},
    {200, REFUSED, 200, DEFINITION("Mail.Send", "1.0.0", TO), STATUS_BAD_REQUEST, "BAD_ARGUMENTS",
     ""},
    {200, REFUSED, 200, DEFINITION("Mail.Send", "2.0.0", TO), STATUS_BAD_REQUEST, "BAD_ARGUMENTS",
     "Its definition has changed: look at it again."},
};

START_TEST(any_other_fails_as_it_has_and_says_if_the_tool_is_new)
{
    call(DEFINITION("Mail.Send", "1.0.0", TO));
    ck_assert_int_eq(arcade_answer(refusals[_i].status, refusals[_i].body), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(refusals[_i].then_status, refusals[_i].then_body),
                     DIALOGUE_FAILED);
    arcade_check_failure(refusals[_i].failed, refusals[_i].code);
    ck_assert_str_eq(arcade_dialogue.failure.hint, refusals[_i].hint);
    imports_release(&arcade_dialogue.tool);
}
END_TEST

START_TEST(it_looks_once)
{
    call(DEFINITION("Mail.Send", "1.0.0", TO));
    ck_assert_int_eq(arcade_answer(404, "{}"), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(200, DEFINITION("Mail.Send", "2.0.0", TO)), DIALOGUE_EXCHANGE);
    ck_assert_int_eq(arcade_answer(404, "{}"), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_BAD_REQUEST, "TOOL_NOT_FOUND");
    imports_release(&arcade_dialogue.tool);
}
END_TEST

START_TEST(a_look_that_may_not_leave_changes_nothing)
{
    call(DEFINITION("Mail.Send", "1.0.0", TO));
    ck_assert_int_eq(arcade_answer(404, "{}"), DIALOGUE_EXCHANGE);
    arcade_came.end = HTTP_LATE;
    ck_assert_int_eq(arcade_answer(0, ""), DIALOGUE_FAILED);
    arcade_check_failure(STATUS_BAD_REQUEST, "TOOL_NOT_FOUND");
    ck_assert_ptr_nonnull(find("Arcade_Mail_Send"));
    imports_release(&arcade_dialogue.tool);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, arcade_set_up, arcade_tear_down);
    tcase_add_test(tcase, what_no_list_held_is_offered_once_it_was_asked_for);
    tcase_add_test(tcase, what_arcade_does_not_have_is_not_found_and_not_offered_any_more);
    tcase_add_loop_test(tcase, a_name_that_is_none_of_arcades_is_not_asked_for, 0,
                        COUNT_OF(strange));
    tcase_add_test(tcase, a_toolkit_that_is_not_wanted_is_not_had_by_name_either);
    tcase_add_loop_test(tcase, what_is_no_definition_of_it_is_not_taken, 0,
                        COUNT_OF(no_definitions));
    tcase_add_test(tcase, so_many_are_offered_by_name_and_no_more);
    tcase_add_test(tcase, a_call_that_finds_no_tool_is_tried_with_the_newer_one);
    tcase_add_test(tcase, one_whose_arguments_are_none_any_more_is_told_so);
    tcase_add_loop_test(tcase, any_other_fails_as_it_has_and_says_if_the_tool_is_new, 0,
                        COUNT_OF(refusals));
    tcase_add_test(tcase, it_looks_once);
    tcase_add_test(tcase, a_look_that_may_not_leave_changes_nothing);
}

int main(void)
{
    return suite_run("arcade_describe", add_tests);
}
