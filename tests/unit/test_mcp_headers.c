/* test_mcp_headers - each mark of a schema that keeps the rules becomes a header with its
 * argument's value, and no other does; no value can end a header or pass for another. */
#include <stdio.h>
#include <string.h>

#include "actors/arcade_gateway/mcp_headers.h"
#include "actors/runtime/json_text.h"
#include "protocol/limits.h"
#include "tests/support/suite.h"

#define BYTES 65536u

static char schema_bytes[BYTES], marks_bytes[BYTES], argument_bytes[BYTES];

static struct bytes read_json(const char *text, char *out)
{
    struct writer writer;
    struct json_fault fault;
    writer_init(&writer, out, BYTES);
    bool is_json = json_text_read(bytes_of(text), DEFINITION_NESTING_MAX, &writer, &fault);
    ck_assert_msg(is_json, "%s: %s", text, fault.reason);
    return writer_bytes(&writer);
}

static const char *find(const char *schema, struct bytes *ret)
{
    struct writer writer;
    writer_init(&writer, marks_bytes, sizeof marks_bytes);
    const char *reason = mcp_marks_find(read_json(schema, schema_bytes), &writer);
    *ret = writer_bytes(&writer);
    return reason;
}

#define MARK(name) "\"x-mcp-header\": \"" name "\""
#define TEXT "{\"type\": \"string\", " MARK("A") "}"

static const struct {
    const char *schema, *arguments, *headers;
} rows[] = {
    {"{}", "{\"a\": 1}", ""},
    {"{\"properties\": {\"a\": " TEXT "}}", "{\"a\": \"us-west1\"}", "A: us-west1\n"},
    {"{\"properties\": {\"a\": " TEXT "}}", "{}", ""},
    {"{\"properties\": {\"a\": " TEXT "}}", "{\"a\": null}", ""},
    {"{\"properties\": {\"a\": " TEXT "}}", "{\"a\": \"\"}", "A: \n"},
    {"{\"properties\": {\"a\": " TEXT "}}", "{\"a\": \"Hello, \\u4e16\\u754c\"}",
     "A: =?base64?SGVsbG8sIOS4lueVjA==?=\n"},
    {"{\"properties\": {\"a\": " TEXT "}}", "{\"a\": \" padded \"}",
     "A: =?base64?IHBhZGRlZCA=?=\n"},
    {"{\"properties\": {\"a\": " TEXT "}}", "{\"a\": \"line1\\nline2\"}",
     "A: =?base64?bGluZTEKbGluZTI=?=\n"},
    {"{\"properties\": {\"a\": " TEXT "}}", "{\"a\": \"=?base64?literal?=\"}",
     "A: =?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=\n"},
    {"{\"properties\": {\"a\": " TEXT "}}", "{\"a\": \"=?base64?\"}", "A: =?base64?\n"},
    {"{\"properties\": {\"a\": {\"type\": \"integer\", " MARK("N") "}, \"b\": {\"type\":"
                                                                   " \"boolean\", " MARK(
                                                                       "Flag") "}}}",
     "{\"a\": -7, \"b\": true}", "N: -7\nFlag: true\n"},
    {"{\"properties\": {\"a\": {\"type\": \"integer\", " MARK("N") "}, \"b\": {\"type\":"
                                                                   " \"boolean\", " MARK(
                                                                       "Flag") "}}}",
     "{\"a\": 9007199254740991, \"b\": false}", "N: 9007199254740991\nFlag: false\n"},
    {"{\"properties\": {\"a\": {\"type\": \"integer\", " MARK("N") "}}}",
     "{\"a\": 9007199254740992}", "N refused\n"},
    {"{\"properties\": {\"a\": {\"type\": \"integer\", " MARK("N") "}}}", "{\"a\": 1.5}",
     "N refused\n"},
    {"{\"properties\": {\"a\": {\"properties\": {\"b\": " TEXT "}}}}", "{\"a\": {\"b\": \"x\"}}",
     "A: x\n"},
    {"{\"properties\": {\"a\": {\"properties\": {\"b\": " TEXT "}}}}", "{\"a\": \"b\"}", ""},
    {"{\"properties\": {\"a\": {\"properties\": {\"b\": " TEXT "}}}}", "{\"a\": [\"b\"]}", ""},
    /* A property of that name, and data that looks like a mark, are none. */
    {"{\"properties\": {\"x-mcp-header\": {\"type\": \"string\"}}}", "{\"x-mcp-header\": \"a\"}",
     ""},
    {"{\"default\": {" MARK("A") "}, \"enum\": [{" MARK("B") "}], \"examples\": [{" MARK("C") "}]}",
     "{}", ""},
};

START_TEST(a_marked_argument_becomes_a_header)
{
    char text[BYTES];
    int used = 0;
    struct bytes marks;
    struct mcp_mark mark;
    enum mcp_marks_next next;
    ck_assert_ptr_null(find(rows[_i].schema, &marks));
    struct bytes arguments = read_json(rows[_i].arguments, argument_bytes);
    struct values left = values_over(marks);
    text[0] = '\0';
    while ((next = mcp_marks_next(&left, arguments, &mark)) != MCP_MARKS_END)
        used += snprintf(text + used, sizeof text - (size_t)used,
                         next == MCP_MARKS_HEADER ? "%.*s: %s\n" : "%.*s refused\n",
                         (int)mark.name.size, mark.name.data, mark.value);
    ck_assert_str_eq(text, rows[_i].headers);
}
END_TEST

static const struct {
    const char *schema, *reason;
} refused[] = {
    {"{" MARK("A") ", \"type\": \"string\"}", "no chain of properties"},
    {"{\"properties\": {\"a\": {\"items\": " TEXT "}}}", "no chain of properties"},
    {"{\"properties\": {\"a\": {\"items\": [" TEXT "]}}}", "no chain of properties"},
    {"{\"properties\": {\"a\": {\"anyOf\": [" TEXT "]}}}", "no chain of properties"},
    {"{\"allOf\": [{\"properties\": {\"a\": " TEXT "}}]}", "no chain of properties"},
    {"{\"$defs\": {\"a\": " TEXT "}}", "no chain of properties"},
    {"{\"definitions\": {\"a\": " TEXT "}}", "no chain of properties"},
    {"{\"patternProperties\": {\"a\": " TEXT "}}", "no chain of properties"},
    {"{\"additionalProperties\": " TEXT "}", "no chain of properties"},
    {"{\"if\": {\"properties\": {\"a\": " TEXT "}}}", "no chain of properties"},
    {"{\"properties\": {\"a\": {\"not\": {\"properties\": {\"a\": " TEXT "}}}}}",
     "no chain of properties"},
    {"{\"properties\": {\"a\": {\"type\": \"string\", " MARK("") "}}}", "no name of a header"},
    {"{\"properties\": {\"a\": {\"type\": \"string\", " MARK("a b") "}}}", "no name of a header"},
    {"{\"properties\": {\"a\": {\"type\": \"string\", " MARK("a:") "}}}", "no name of a header"},
    {"{\"properties\": {\"a\": {\"type\": \"string\", " MARK("a\\r\\nb") "}}}",
     "no name of a header"},
    {"{\"properties\": {\"a\": {\"type\": \"string\", " MARK("a\\u0000") "}}}",
     "no name of a header"},
    {"{\"properties\": {\"a\": {\"type\": \"string\", \"x-mcp-header\": 7}}}",
     "no name of a header"},
    {"{\"properties\": {\"a\": {\"type\": \"number\", " MARK("A") "}}}", "neither string"},
    {"{\"properties\": {\"a\": {\"type\": [\"string\"], " MARK("A") "}}}", "neither string"},
    {"{\"properties\": {\"a\": {" MARK("A") "}}}", "neither string"},
    {"{\"properties\": {\"a\": " TEXT ", \"b\": {\"type\": \"string\", " MARK("a") "}}}",
     "one name twice"},
};

START_TEST(a_mark_that_breaks_a_rule_says_which)
{
    struct bytes marks;
    const char *reason = find(refused[_i].schema, &marks);
    ck_assert_msg(reason != NULL, "%s", refused[_i].schema);
    ck_assert_msg(strstr(reason, refused[_i].reason) != NULL, "%s: %s", refused[_i].schema, reason);
}
END_TEST

START_TEST(so_many_marks_are_allowed_and_no_more)
{
    char text[BYTES];
    struct bytes marks;
    for (unsigned count = MCP_PARAMS_MAX; count <= MCP_PARAMS_MAX + 1; count++) {
        int used = snprintf(text, sizeof text, "{\"properties\": {");
        for (unsigned i = 0; i < count; i++)
            used += snprintf(text + used, sizeof text - (size_t)used,
                             "%s\"p%u\": {\"type\": \"string\", \"x-mcp-header\": \"H%u\"}",
                             i > 0 ? ", " : "", i, i);
        snprintf(text + used, sizeof text - (size_t)used, "}}");
        ck_assert_int_eq(find(text, &marks) == NULL, count == MCP_PARAMS_MAX);
    }
}
END_TEST

START_TEST(a_value_that_is_too_long_is_refused)
{
    static char text[BYTES], arguments[BYTES + 16];
    struct bytes marks;
    struct mcp_mark mark;
    for (size_t more = 0; more <= 1; more++) {
        size_t size = MCP_HEADER_VALUE_BYTES_MAX - 1 + more;
        memset(text, 'x', size);
        text[size] = '\0';
        snprintf(arguments, sizeof arguments, "{\"a\": \"%s\"}", text);
        ck_assert_ptr_null(find("{\"properties\": {\"a\": " TEXT "}}", &marks));
        struct values left = values_over(marks);
        enum mcp_marks_next next =
            mcp_marks_next(&left, read_json(arguments, argument_bytes), &mark);
        ck_assert_int_eq(next, more == 0 ? MCP_MARKS_HEADER : MCP_MARKS_REFUSED);
    }
}
END_TEST

START_TEST(no_text_makes_a_header_that_is_not_plain)
{
    uint64_t seed = 7;
    for (int round = 0; round < 20000; round++) {
        size_t size = random_next(&seed) % 24, room = 1 + random_next(&seed) % 48;
        char *text = malloc(size > 0 ? size : 1), *out = malloc(room);
        for (size_t i = 0; i < size; i++)
            text[i] = (char)(random_next(&seed) % 3 == 0 ? random_next(&seed)
                                                         : ' ' + random_next(&seed) % 95);
        bool fits = mcp_header_value((struct bytes){text, size}, out, room);
        size_t length = fits ? strnlen(out, room) : 0;
        ck_assert_uint_lt(length, room);
        for (size_t i = 0; i < length; i++)
            ck_assert(out[i] >= ' ' && out[i] <= '~');
        bool is_same = length == size && memcmp(text, out, size) == 0;
        ck_assert(!fits || is_same || memcmp(out, "=?base64?", 9) == 0);
        free(text);
        free(out);
    }
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_marked_argument_becomes_a_header, 0, sizeof rows / sizeof rows[0]);
    tcase_add_loop_test(tcase, a_mark_that_breaks_a_rule_says_which, 0,
                        sizeof refused / sizeof refused[0]);
    tcase_add_test(tcase, so_many_marks_are_allowed_and_no_more);
    tcase_add_test(tcase, a_value_that_is_too_long_is_refused);
    tcase_add_test(tcase, no_text_makes_a_header_that_is_not_plain);
}

int main(void)
{
    return suite_run("mcp_headers", add_tests);
}
