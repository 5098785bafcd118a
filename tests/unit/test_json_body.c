/* test_json_body - a body is read whole or not at all, and how deep it is is counted first: also
 * where brackets stand in texts. */
#include <string.h>

#include "actors/arcade_gateway/json_body.h"
#include "tests/support/suite.h"

#define NESTING_MAX 3u

/* Exactly so long: nothing behind it. */
static const char *read_exactly(struct bytes text, struct json_body *ret)
{
    char *copy = malloc(text.size > 0 ? text.size : 1);
    memcpy(copy, text.data, text.size);
    const char *reason = json_body_read((struct bytes){copy, text.size}, NESTING_MAX, ret);
    free(copy);
    return reason;
}

/* Of each its MessagePack; NULL: it is refused. */
static const struct {
    const char *text, *value;
} rows[] = {
    {"7", "\x07"},
    {" [1, 2] ", "\x92\x01\x02"},
    {"[[[1]]]", "\x91\x91\x91\x01"},
    {"[[[[1]]]]", NULL},
    {"[[[1]], [[1]], [[1]]]", "\x93\x91\x91\x01\x91\x91\x01\x91\x91\x01"},
    {"{\"a\": {\"a\": [1]}}", "\x81\xa1"
                              "a\x81\xa1"
                              "a\x91\x01"},
    {"{\"a\": {\"a\": [{}]}}", NULL},
    {"[[\"[[{{\"]]", "\x91\x91\xa4[[{{"},
    {"[[\"]]\", [1]]]", "\x91\x92\xa2]]\x91\x01"},
    {"[\"\\\"[[[\"]", "\x91\xa4\"[[["},
    {"[\"\\\\\", [[1]]]", "\x92\xa1\\\x91\x91\x01"},
    {"[\"\\\\\", [[[1]]]]", NULL},
    {"{\"a\": 1, \"a\": 2}", "\x81\xa1"
                             "a\x02"},
    {"", NULL},
    {"[", NULL},
    {"]]]]", NULL},
    {"[1] 2", NULL},
    {"\"\xff\"", NULL},
    {"\"\\", NULL},
};

START_TEST(a_body_is_read_whole_or_not_at_all)
{
    struct json_body body;
    const char *reason = read_exactly(bytes_of(rows[_i].text), &body);
    ck_assert_msg((reason == NULL) == (rows[_i].value != NULL), "%s", rows[_i].text);
    if (rows[_i].value != NULL)
        ck_assert_msg(bytes_are(body.value, rows[_i].value), "%s", rows[_i].text);
    else
        ck_assert_ptr_null(body.value.data);
    json_body_fini(&body);
    ck_assert_ptr_null(body.memory);
    ck_assert_ptr_null(body.value.data);
}
END_TEST

START_TEST(what_grows_most_fits)
{
    char text[4002] = "[";
    struct json_body body;
    for (int i = 0; i < 1000; i++)
        strcat(text, i == 999 ? "1.5]" : "1.5,");
    ck_assert_ptr_null(read_exactly(bytes_of(text), &body));
    ck_assert_uint_gt(body.value.size, 2 * strlen(text));
    json_body_fini(&body);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_body_is_read_whole_or_not_at_all, 0,
                        (int)(sizeof rows / sizeof rows[0]));
    tcase_add_test(tcase, what_grows_most_fits);
}

int main(void)
{
    return suite_run("json_body", add_tests);
}
