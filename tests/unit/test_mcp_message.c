/* test_mcp_message - a message is taken for what it says or not at all, however deep or cut; what
 * we write is read back as the same. */
#include <stdio.h>
#include <string.h>

#include "actors/arcade_gateway/mcp_message.h"
#include "protocol/limits.h"
#include "tests/support/suite.h"

/* Exactly so long: nothing behind it. */
static const char *read_exactly(struct bytes text, struct mcp_message *ret)
{
    char *copy = malloc(text.size > 0 ? text.size : 1);
    memcpy(copy, text.data, text.size);
    const char *reason = mcp_message_read((struct bytes){copy, text.size}, ret);
    free(copy);
    return reason;
}

static const struct {
    const char *text;
    enum mcp_kind kind;
    int64_t id;
} rows[] = {
    {"{\"jsonrpc\": \"2.0\", \"id\": 7, \"result\": {}}", MCP_RESULT, 7},
    {" {\"result\": {\"id\": 1}, \"id\": -2, \"jsonrpc\": \"2.0\", \"more\": []} ", MCP_RESULT, -2},
    {"{\"jsonrpc\": \"2.0\", \"id\": \"7\", \"result\": {}}", MCP_RESULT, -1},
    {"{\"jsonrpc\": \"2.0\", \"id\": 7, \"error\": {\"code\": -32601, \"message\": \"no\"}}",
     MCP_ERROR, 7},
    {"{\"jsonrpc\": \"2.0\", \"id\": null, \"error\": {\"code\": -32700}}", MCP_ERROR, -1},
    {"{\"jsonrpc\": \"2.0\", \"error\": {\"code\": -32020, \"message\": 7}}", MCP_ERROR, -1},
    {"{\"jsonrpc\": \"2.0\", \"method\": \"notifications/progress\", \"params\": {}}",
     MCP_NOTIFICATION, -1},
    {"{\"jsonrpc\": \"2.0\", \"id\": 3, \"method\": \"roots/list\"}", MCP_REQUEST, 3},
};

START_TEST(a_message_is_what_it_says)
{
    struct mcp_message message;
    const char *reason = read_exactly(bytes_of(rows[_i].text), &message);
    ck_assert_msg(reason == NULL, "%s: %s", rows[_i].text, reason);
    ck_assert_int_eq(message.kind, rows[_i].kind);
    ck_assert_int_eq(message.has_id ? message.id : -1, rows[_i].id);
    ck_assert_int_eq(message.result.data != NULL, message.kind == MCP_RESULT);
    mcp_message_fini(&message);
    ck_assert_ptr_null(message.memory);
}
END_TEST

START_TEST(each_cut_of_a_message_is_none)
{
    struct mcp_message message;
    struct bytes text = bytes_of(rows[_i].text);
    size_t last = text.data[text.size - 1] == ' ' ? text.size - 1 : text.size;
    for (size_t size = 0; size < last; size++)
        ck_assert_ptr_nonnull(read_exactly((struct bytes){text.data, size}, &message));
}
END_TEST

static const char *const refused[] = {
    "",
    "7",
    "null",
    "[]",
    "[{\"jsonrpc\": \"2.0\", \"id\": 7, \"result\": {}}]",
    "{}",
    "{\"id\": 7, \"result\": {}}",
    "{\"jsonrpc\": \"1.0\", \"id\": 7, \"result\": {}}",
    "{\"jsonrpc\": 2.0, \"id\": 7, \"result\": {}}",
    "{\"jsonrpc\": \"2.0\", \"id\": 7}",
    "{\"jsonrpc\": \"2.0\", \"id\": 7, \"result\": {}, \"error\": {\"code\": 1}}",
    "{\"jsonrpc\": \"2.0\", \"id\": 7, \"result\": []}",
    "{\"jsonrpc\": \"2.0\", \"id\": 7, \"result\": null}",
    "{\"jsonrpc\": \"2.0\", \"id\": 7, \"error\": {}}",
    "{\"jsonrpc\": \"2.0\", \"id\": 7, \"error\": {\"code\": \"x\"}}",
    "{\"jsonrpc\": \"2.0\", \"id\": 7, \"error\": \"no\"}",
    "{\"jsonrpc\": \"2.0\", \"id\": [7], \"result\": {}}",
    "{\"jsonrpc\": \"2.0\", \"id\": 7.5, \"result\": {}}",
    "{\"jsonrpc\": \"2.0\", \"id\": 7, \"result\": {}} x",
    "{\"jsonrpc\": \"2.0\", \"id\": 7, \"result\": {\"a\": \"\xff\"}}",
};

START_TEST(what_is_no_message_is_refused)
{
    struct mcp_message message;
    ck_assert_msg(read_exactly(bytes_of(refused[_i]), &message) != NULL, "%s", refused[_i]);
    ck_assert_ptr_null(message.memory);
}
END_TEST

/* A result with containers inside each other, so that the whole has so many. */
static int write_deep(char *out, size_t size, unsigned depth, const char *open, const char *close)
{
    int used = snprintf(out, size, "{\"jsonrpc\": \"2.0\", \"id\": 7, \"result\": {\"x\": ");
    for (unsigned i = 2; i < depth; i++)
        used += snprintf(out + used, size - (size_t)used, "%s", open);
    used += snprintf(out + used, size - (size_t)used, "\"[[[{{{\\\"[[[\"");
    for (unsigned i = 2; i < depth; i++)
        used += snprintf(out + used, size - (size_t)used, "%s", close);
    return used + snprintf(out + used, size - (size_t)used, "}}");
}

START_TEST(a_message_as_deep_as_allowed_is_read_and_one_deeper_is_not)
{
    static char text[65536];
    struct mcp_message message;
    for (unsigned depth = MCP_NESTING_MAX; depth <= MCP_NESTING_MAX + 1; depth++) {
        int size = write_deep(text, sizeof text, depth, "[", "]");
        const char *reason = read_exactly((struct bytes){text, (size_t)size}, &message);
        ck_assert_int_eq(reason == NULL, depth == MCP_NESTING_MAX);
        mcp_message_fini(&message);
        size = write_deep(text, sizeof text, depth, "{\"y\": ", "}");
        reason = read_exactly((struct bytes){text, (size_t)size}, &message);
        ck_assert_int_eq(reason == NULL, depth == MCP_NESTING_MAX);
        mcp_message_fini(&message);
    }
    memset(text, '[', sizeof text);
    ck_assert_str_eq(mcp_message_read((struct bytes){text, sizeof text}, &message),
                     "nested too deep");
}
END_TEST

START_TEST(an_error_says_all_it_has)
{
    struct mcp_message message;
    ck_assert_ptr_null(
        read_exactly(bytes_of("{\"jsonrpc\": \"2.0\", \"id\": 1, \"error\": {\"code\": -32022,"
                              " \"message\": \"Unsupported\", \"data\": {\"supported\": []}}}"),
                     &message));
    ck_assert_int_eq(message.code, MCP_VERSION_UNSUPPORTED);
    ck_assert(bytes_are(message.text, "Unsupported"));
    ck_assert_int_eq(value_kind(value_find(message.data, "supported")), KIND_ARRAY);
    mcp_message_fini(&message);
}
END_TEST

/* Nothing grows more from JSON to MessagePack than a short float: "1.5," is 9 bytes there. */
START_TEST(a_message_of_short_floats_fits)
{
    static char text[65536];
    struct mcp_message message;
    int used = snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"x\":[0");
    while (used < 60000)
        used += snprintf(text + used, sizeof text - (size_t)used, ",1e9");
    while (used < 65000)
        used += snprintf(text + used, sizeof text - (size_t)used, ",1.5");
    snprintf(text + used, sizeof text - (size_t)used, "]}}");
    ck_assert_ptr_null(read_exactly(bytes_of(text), &message));
    ck_assert_uint_gt(values_count(value_find(message.result, "x")), 16000);
    mcp_message_fini(&message);
}
END_TEST

static void add_tests(TCase *tcase)
{
    int count = sizeof rows / sizeof rows[0];
    tcase_add_loop_test(tcase, a_message_is_what_it_says, 0, count);
    tcase_add_loop_test(tcase, each_cut_of_a_message_is_none, 0, count);
    tcase_add_loop_test(tcase, what_is_no_message_is_refused, 0,
                        sizeof refused / sizeof refused[0]);
    tcase_add_test(tcase, a_message_as_deep_as_allowed_is_read_and_one_deeper_is_not);
    tcase_add_test(tcase, an_error_says_all_it_has);
    tcase_add_test(tcase, a_message_of_short_floats_fits);
}

int main(void)
{
    return suite_run("mcp_message", add_tests);
}
