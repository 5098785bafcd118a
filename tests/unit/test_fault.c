/* test_fault - whatever is wrong, and wherever, a fault is text that fits: UTF-8, no control
 * characters, ending in 0. */
#include <string.h>

#include "protocol/fault.h"
#include "protocol/value.h"
#include "tests/support/suite.h"

static const struct place whole = {.outer = NULL};

static const char *path_of(const char *name, size_t size)
{
    static struct fault fault;
    struct place place = {.outer = &whole, .name = {name, size}};
    ck_assert(!fault_set(&fault, &place, "bad"));
    return fault.path;
}

START_TEST(a_name_is_shown_without_what_cannot_be)
{
    ck_assert_str_eq(path_of("a b~", 4), "a b~");
    ck_assert_str_eq(path_of("\x1f\x7f\0x", 4), "??\?x");
    ck_assert_str_eq(path_of("\xc3\xa9", 2), "\xc3\xa9");
    ck_assert_str_eq(path_of("\xc3\xa9\x80", 3), "??\?");
    ck_assert_str_eq(path_of("", 0), "");
}
END_TEST

/* 64 bytes are shown, also of two-byte characters; of a longer name as many, without what is not
 * ASCII, since it may be cut in the midst of a character. */
START_TEST(a_long_name_is_cut)
{
    char name[66];
    for (size_t i = 0; i < sizeof name; i++)
        name[i] = i % 2 == 0 ? '\xc3' : '\xa9';
    ck_assert_uint_eq(strlen(path_of(name, 64)), 64);
    ck_assert_int_eq(memcmp(path_of(name, 64), name, 64), 0);
    ck_assert_uint_eq(strlen(path_of(name, 66)), 64);
    ck_assert_ptr_nonnull(strstr(path_of(name, 66), "????"));
}
END_TEST

/* Deeper than any definition: the inner steps are shown. */
START_TEST(a_place_may_be_deeper_than_a_path)
{
    struct place places[200] = {{.outer = NULL}};
    struct fault fault;
    for (size_t i = 1; i < 200; i++)
        places[i] = (struct place){.outer = &places[i - 1], .index = i % 10};
    (void)fault_set(&fault, &places[199], "bad");
    ck_assert_uint_eq(strlen(fault.path), 127); /* 64 digits, and what parts them */
    ck_assert_str_eq(fault.path + 124, "8/9");
    (void)fault_set(&fault, &places[2], "bad");
    ck_assert_str_eq(fault.path, "1/2");
    (void)fault_set(&fault, NULL, "bad");
    ck_assert_str_eq(fault.path, "");
}
END_TEST

/* A character of three bytes at the end, at each offset. */
START_TEST(a_long_reason_is_cut_between_characters)
{
    char text[FAULT_REASON_BYTES_MAX + 8];
    struct fault fault;
    for (size_t at = FAULT_REASON_BYTES_MAX - 5; at < FAULT_REASON_BYTES_MAX; at++) {
        memset(text, 'a', sizeof text);
        memcpy(text + at, "\xe2\x82\xac", 4);
        (void)fault_set(&fault, NULL, "%s", text);
        ck_assert(cursor_is_utf8(bytes_of(fault.reason)));
        ck_assert_uint_eq(strlen(fault.reason), at + 3 < FAULT_REASON_BYTES_MAX ? at + 3 : at);
    }
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, a_name_is_shown_without_what_cannot_be);
    tcase_add_test(tcase, a_long_name_is_cut);
    tcase_add_test(tcase, a_place_may_be_deeper_than_a_path);
    tcase_add_test(tcase, a_long_reason_is_cut_between_characters);
}

int main(void)
{
    return suite_run("fault", add_tests);
}
