/* test_web_tools - JSON comes back as it was written, or with the place where it is wrong; of a
 * text exactly its URLs are found. */
#include <stdio.h>
#include <string.h>

#include "actors/runtime/json_text.h"
#include "actors/tool_executor/urls.h"
#include "tests/support/suite.h"
#include "tests/support/tool_run.h"

static struct tool_run *tool;

static void setup(void)
{
    tool = tool_run_new(NULL);
}

static void teardown(void)
{
    tool_run_destroy(&tool);
}

/* {"json_text": text} */
static struct bytes parse(const char *text, size_t size)
{
    char *bytes = malloc(size + 32);
    struct writer writer;
    writer_init(&writer, bytes, size + 32);
    writer_map(&writer, 1);
    writer_cstr(&writer, "json_text");
    writer_text(&writer, (struct bytes){text, size});
    struct bytes data = tool_run_call_with(tool, "Web_ParseJSON", writer_bytes(&writer));
    free(bytes);
    return data;
}

#define W(literal)                                                                                 \
    {                                                                                              \
        (literal), sizeof(literal) - 1                                                             \
    }

static const struct {
    const char *text, *type;
    struct bytes data;
} values[] = {
    {"{\"a\": 1, \"b\": [true, null]}", "object",
     W("\x82\xa1"
       "a\x01\xa1"
       "b\x92\xc3\xc0")},
    {"{\"b\": 1, \"a\": 2}", "object",
     W("\x82\xa1"
       "b\x01\xa1"
       "a\x02")},
    {"{}", "object", W("\x80")},
    {"[]", "array", W("\x90")},
    {" [1, -1, 0.5] ", "array", W("\x93\x01\xff\xcb\x3f\xe0\0\0\0\0\0\0")},
    {"\"h\\u00e9\"", "string", W("\xa3h\xc3\xa9")},
    {"\"a\\u0000b\"", "string",
     W("\xa3"
       "a\0b")},
    {"9223372036854775807", "integer", W("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff")},
    {"-9223372036854775808", "integer", W("\xd3\x80\0\0\0\0\0\0\0")},
    {"1.0", "number", W("\xcb\x3f\xf0\0\0\0\0\0\0")},
    {"true", "boolean", W("\xc3")},
    {"false", "boolean", W("\xc2")},
    {"null", "null", W("\xc0")},
};

START_TEST(json_comes_back_as_it_was_written)
{
    struct bytes data = parse(values[_i].text, strlen(values[_i].text));
    ck_assert_msg(data.data != NULL, "%s", tool->failure.message);
    ck_assert(bytes_equal(value_find(data, "data"), values[_i].data));
    tool_run_expect_text(data, "type", values[_i].type);
    tool_run_expect_integer(data, "size_bytes", (int64_t)strlen(values[_i].text));
    bool is_map = strcmp(values[_i].type, "object") == 0;
    bool is_array = strcmp(values[_i].type, "array") == 0;
    ck_assert_int_eq(value_find(data, "keys").data != NULL, is_map);
    ck_assert_int_eq(value_find(data, "item_count").data != NULL, is_array);
    if (is_map)
        ck_assert_uint_eq(values_count(value_find(data, "keys")),
                          values_count(values[_i].data) / 2);
    if (is_array)
        tool_run_expect_integer(data, "item_count", (int64_t)values_count(values[_i].data));
}
END_TEST

static const struct {
    const char *text, *says;
} broken[] = {
    {"{", "line 1, column 1:"},
    {"{\"a\": 1,}", "line 1, column 9:"},
    {"{\n \"a\": 1\n \"b\"}", "line 3, column 4:"},
    {"nul", "line 1, column 3:"},
    {"[1, 2", "line 1, column 5:"},
    {"1 2", "line 1, column 3:"},
    {"'a'", "line 1, column 1:"},
    {"\"a", "line 1, column 2:"},
    {"99999999999999999999", "line 1, column 20:"},
    {"1e999", "line 1, column 5:"},
    {"{\"a\": NaN}", "line 1, column 9:"},
};

START_TEST(what_is_no_json_is_an_error_with_its_place)
{
    ck_assert_ptr_null(parse(broken[_i].text, strlen(broken[_i].text)).data);
    ck_assert_int_eq(tool->failure.status, STATUS_BAD_REQUEST);
    ck_assert_str_eq(tool->failure.code, "BAD_ARGUMENTS");
    ck_assert_str_eq(tool->failure.field, "json_text");
    ck_assert_msg(strstr(tool->failure.message, broken[_i].says) != NULL, "%s",
                  tool->failure.message);
}
END_TEST

/* 24 containers inside each other are taken, 25 are not; nor are so many that a stack would end. */
START_TEST(json_has_a_bound_in_depth)
{
    static const unsigned depths[] = {24, 25, 2000, 3000, 50000};
    for (size_t i = 0; i < sizeof depths / sizeof depths[0]; i++) {
        char *text = malloc(2 * depths[i]);
        memset(text, '[', depths[i]);
        memset(text + depths[i], ']', depths[i]);
        ck_assert_int_eq(parse(text, 2 * depths[i]).data != NULL, depths[i] <= 24);
        if (depths[i] == 25)
            ck_assert_int_eq(tool->failure.status, STATUS_TOO_LARGE);
        free(text);
    }
}
END_TEST

START_TEST(json_has_a_bound_in_characters)
{
    static char text[100001];
    memset(text, ' ', sizeof text);
    text[0] = '7';
    ck_assert_ptr_nonnull(parse(text, 100000).data);
    ck_assert_ptr_null(parse(text, 100001).data);
    ck_assert_str_eq(tool->failure.code, "BAD_ARGUMENTS");
}
END_TEST

/* An object larger than arguments may be is a result like another. */
START_TEST(a_large_object_is_a_result)
{
    static char text[100000];
    int size = snprintf(text, sizeof text, "{\"x\": 0");
    for (int i = 0; i < 5000; i++)
        size += snprintf(text + size, sizeof text - (size_t)size, ", \"k%d\": %d", i, i);
    size += snprintf(text + size, sizeof text - (size_t)size, "}");
    struct bytes data = parse(text, (size_t)size);
    ck_assert_msg(data.data != NULL, "%s", tool->failure.message);
    ck_assert_uint_eq(values_count(value_find(data, "keys")), 5001);
    tool_run_expect_integer(value_find(data, "data"), "k4999", 4999);
}
END_TEST

/* Each cut of a text: an answer or an error, and no byte read beyond it. */
START_TEST(every_cut_of_json_ends_in_an_answer)
{
    static const char text[] = "{\"key\": [1, -2.5e3, \"t\\u00e9xt\", {\"x\": null}], \"y\": true}";
    for (size_t size = 0; size < sizeof text; size++) {
        char *cut = malloc(size > 0 ? size : 1), out[256];
        struct writer writer;
        struct json_fault fault;
        memcpy(cut, text, size);
        writer_init(&writer, out, sizeof out);
        bool done = json_text_read((struct bytes){cut, size}, 24, &writer, &fault);
        ck_assert_int_eq(done, size == sizeof text - 1);
        ck_assert(done || (fault.line == 1 && fault.column >= 1));
        free(cut);
    }
}
END_TEST

static const struct {
    const char *text, *found; /* one behind the other, with blanks */
} texts[] = {
    {"", ""},
    {"no link here, only http and ://", ""},
    {"see https://example.com/a", "https://example.com/a"},
    {"(http://a.b) [http://c.d], \"http://e.f\". <http://g.h>",
     "http://a.b http://c.d http://e.f http://g.h"},
    {"http://en.wikipedia.org/wiki/C_(language)", "http://en.wikipedia.org/wiki/C_(language)"},
    {"(see http://x.y/z_(1)).", "http://x.y/z_(1)"},
    {"HTTP://UPPER.example/Path", "HTTP://UPPER.example/Path"},
    {"http://a.b?q=1&r=2#frag!", "http://a.b?q=1&r=2#frag"},
    {"ftp://a.b and mailto:x@y", ""},
    {"xhttp://a.b http+x://c.d 1http://e.f", ""},
    {"é http://é.example/ü …", "http://é.example/ü"},
    {"http:// http:/// http://? http://#", ""},
    {"http://a http://a http://b", "http://a http://b"},
    {"http://a.b/c;http://d.e", "http://a.b/c;http://d.e"},
    {"http://a.b,", "http://a.b"},
    {"http://[::1]:80/x]", "http://[::1]:80/x"},
    {"http://user:pass@host:1/p?q", "http://user:pass@host:1/p?q"},
    {"<a href='http://q.r/s'>", "http://q.r/s"},
    {"http://a\thttp://b\nhttp://c", "http://a http://b http://c"},
    {"https://x.y/a|http://z", "https://x.y/a http://z"},
};

START_TEST(exactly_the_urls_of_a_text_are_found)
{
    char bytes[1024], found[1024] = "";
    struct writer writer;
    writer_init(&writer, bytes, sizeof bytes);
    writer_map(&writer, 1);
    writer_cstr(&writer, "text");
    writer_cstr(&writer, texts[_i].text);
    if (texts[_i].text[0] == '\0') {
        ck_assert_ptr_null(tool_run_call_with(tool, "Web_ExtractURLs", writer_bytes(&writer)).data);
        return;
    }
    struct bytes data = tool_run_call_with(tool, "Web_ExtractURLs", writer_bytes(&writer));
    ck_assert_ptr_nonnull(data.data);
    struct values urls = values_over(value_find(data, "urls"));
    struct bytes url, text;
    while (values_next(&urls, &url)) {
        ck_assert(value_text(url, &text));
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s%.*s",
                 found[0] == '\0' ? "" : " ", (int)text.size, text.data);
    }
    ck_assert_str_eq(found, texts[_i].found);
    tool_run_expect_integer(data, "url_count", (int64_t)values_count(value_find(data, "urls")));
}
END_TEST

START_TEST(schemes_are_those_asked_for)
{
    struct bytes data = tool_run_call(
        tool, "Web_ExtractURLs",
        "{\"text\": \"ftp://a http://b FTP://c ws+x://d ftp://a\", \"schemes\": [\"ftp\", \"ws+x\","
        " \"gopher\"]}");
    ck_assert_ptr_nonnull(data.data);
    tool_run_expect_integer(data, "url_count", 3);
    tool_run_expect_integer(data, "total_matches", 4);
    struct bytes found = value_find(data, "schemes_found"), text;
    ck_assert_uint_eq(values_count(found), 2);
    ck_assert(value_text(tool_run_item(found, 0), &text));
    ck_assert(bytes_are(text, "ftp"));
    ck_assert_ptr_null(
        tool_run_call(tool, "Web_ExtractURLs", "{\"text\": \"x\", \"schemes\": [\"1bad\"]}").data);
    ck_assert_str_eq(tool->failure.field, "schemes/0");
}
END_TEST

/* As many URLs as the longest text can hold, and texts that make a slow search slow. */
START_TEST(a_long_text_is_searched_in_linear_time)
{
    static const struct {
        const char *piece;
        int64_t found;
    } pieces[] = {{"http://x ", 1}, {"http://))", 1},         {"http:///", 0},
                  {"://", 0},       {"http://a.b/))))))", 1}, {"aaaaaaaa", 0}};
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        size_t one = strlen(pieces[i].piece), size = 50000 / one * one;
        char *bytes = malloc(size + 16);
        struct writer writer;
        char *text = malloc(size);
        for (size_t at = 0; at < size; at++)
            text[at] = pieces[i].piece[at % one];
        writer_init(&writer, bytes, size + 16);
        writer_map(&writer, 1);
        writer_cstr(&writer, "text");
        writer_text(&writer, (struct bytes){text, size});
        int64_t begun_at = sqlite_clock_us();
        struct bytes data = tool_run_call_with(tool, "Web_ExtractURLs", writer_bytes(&writer));
        ck_assert_int_lt(sqlite_clock_us() - begun_at, 2000 * US_PER_MS);
        ck_assert_msg(data.data != NULL, "%s", tool->failure.message);
        tool_run_expect_integer(data, "url_count", pieces[i].found);
        free(bytes);
        free(text);
    }
}
END_TEST

/* More different URLs than a result may hold: as many as fit, and the number of all. */
START_TEST(a_result_too_large_is_cut)
{
    size_t size = 0;
    char *text = malloc(220000), *bytes = malloc(220016);
    struct writer writer;
    unsigned characters = 0, count = 0;
    while (characters < 49400) { /* 4 bytes a character */
        size += (size_t)snprintf(text + size, 220000 - size, "http://%u", count++);
        for (int i = 0; i < 400; i++)
            size += (size_t)snprintf(text + size, 220000 - size, "\xf0\x9f\x98\x80");
        size += (size_t)snprintf(text + size, 220000 - size, " ");
        characters += 412;
    }
    writer_init(&writer, bytes, 220016);
    writer_map(&writer, 1);
    writer_cstr(&writer, "text");
    writer_text(&writer, (struct bytes){text, size});
    struct bytes data = tool_run_call_with(tool, "Web_ExtractURLs", writer_bytes(&writer));
    ck_assert_msg(data.data != NULL, "%s", tool->failure.message);
    tool_run_expect_integer(data, "url_count", count);
    uint64_t written = values_count(value_find(data, "urls"));
    ck_assert_uint_lt(written, count);
    ck_assert(tool->output.truncated);
    ck_assert_uint_le(data.size, RESULT_BYTES_MAX);
    free(text);
    free(bytes);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, json_comes_back_as_it_was_written, 0,
                        sizeof values / sizeof values[0]);
    tcase_add_loop_test(tcase, what_is_no_json_is_an_error_with_its_place, 0,
                        sizeof broken / sizeof broken[0]);
    tcase_add_test(tcase, json_has_a_bound_in_depth);
    tcase_add_test(tcase, json_has_a_bound_in_characters);
    tcase_add_test(tcase, a_large_object_is_a_result);
    tcase_add_test(tcase, every_cut_of_json_ends_in_an_answer);
    tcase_add_loop_test(tcase, exactly_the_urls_of_a_text_are_found, 0,
                        sizeof texts / sizeof texts[0]);
    tcase_add_test(tcase, schemes_are_those_asked_for);
    tcase_add_test(tcase, a_long_text_is_searched_in_linear_time);
    tcase_add_test(tcase, a_result_too_large_is_cut);
}

int main(void)
{
    return suite_run("web_tools", add_tests);
}
