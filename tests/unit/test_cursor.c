/* test_cursor - UTF-8 is what RFC 3629 says, for every code point and at each place of a text; a
 * number is read as it was written, in any width. */
#include <string.h>

#include "protocol/cursor.h"
#include "protocol/value.h"
#include "tests/support/suite.h"

/* A code point in so many bytes, the shortest form or not. */
static size_t encode(uint32_t point, size_t size, char *out)
{
    static const unsigned char first[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = size; i > 1; i--) {
        out[i - 1] = (char)(0x80u | (point & 0x3fu));
        point >>= 6;
    }
    out[0] = (char)(first[size] | point);
    return size;
}

START_TEST(every_code_point_is_text_in_its_shortest_form_only)
{
    char text[4];
    for (uint32_t point = 0; point <= 0x1fffff; point++) {
        size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
        bool is_point = point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
        for (size_t bytes = size; bytes <= 4; bytes++) {
            struct bytes form = {text, encode(point, bytes, text)};
            if (cursor_is_utf8(form) != (is_point && bytes == size))
                ck_abort_msg("U+%04X in %zu bytes", point, bytes);
        }
    }
}
END_TEST

static const char *const broken[] = {
    "\x80",
    "\xbf",
    "\xc3",
    "\xe2\x82",
    "\xf0\x9f\x98",
    "\xc3(",
    "\xe2\x82(",
    "\xe2(\xac",
    "\xf8\x88\x80\x80\x80",
    "\xfc\x84\x80\x80\x80\x80",
    "\xfe",
    "\xff",
    "\xc3\xa9\xa9",
};

/* Behind 0 to 16 bytes of ASCII, which are looked at eight at a time, and before as many. */
START_TEST(what_is_broken_is_found_at_each_place)
{
    static const char smile[] = {'\xf0', '\x9f', '\x98', '\x80'};
    char text[64];
    for (size_t at = 0; at <= 16; at++) {
        size_t size = strlen(broken[_i]);
        memset(text, 'a', sizeof text);
        memcpy(text + at, broken[_i], size);
        ck_assert(!cursor_is_utf8((struct bytes){text, at + size}));
        ck_assert(!cursor_is_utf8((struct bytes){text, at + size + 16}));
        memcpy(text + at, smile, sizeof smile);
        memset(text + at + 4, 'a', sizeof text - at - 4);
        ck_assert(cursor_is_utf8((struct bytes){text, at + 4}));
        ck_assert(cursor_is_utf8((struct bytes){text, at + 20}));
        ck_assert_uint_eq(cursor_characters((struct bytes){text, at + 20}), at + 17);
    }
}
END_TEST

START_TEST(a_number_is_read_in_each_width)
{
    static const uint64_t number = UINT64_C(0x8182838485868788);
    for (unsigned width = 1, step = 0; width <= 8; width *= 2, step++) {
        char data[9];
        uint64_t low = width == 8 ? number : number & ((UINT64_C(1) << 8 * width) - 1);
        char *end = cursor_put(data, 0xcc + step, width, low);
        struct cursor cursor = cursor_over((struct bytes){data, (size_t)(end - data)});
        struct token token = cursor_next(&cursor);
        ck_assert_int_eq(token.kind, KIND_UINT);
        ck_assert_uint_eq(token.number, low);
        ck_assert_uint_eq(cursor_left(&cursor), 0);
        data[0] = (char)(0xd0 + step); /* the same bits, signed: negative */
        cursor = cursor_over((struct bytes){data, (size_t)(end - data)});
        token = cursor_next(&cursor);
        ck_assert_int_eq(token.kind, KIND_INT);
        ck_assert_uint_eq(token.number << (64 - 8 * width), low << (64 - 8 * width));
        ck_assert_int_lt((int64_t)token.number, 0);
    }
}
END_TEST

/* The same, token by token; returns false: it is broken, or too deep. */
static bool skip_slowly(struct cursor *cursor, unsigned nesting_max)
{
    struct token token = cursor_next_any(cursor);
    bool holds = token.kind == KIND_ARRAY || token.kind == KIND_MAP;
    if (cursor->bad || (holds && nesting_max == 0))
        return false;
    for (uint64_t i = 0; holds && i < token.number; i++)
        if (!skip_slowly(cursor, nesting_max - 1))
            return false;
    return true;
}

/* Any bytes, and mostly tags of containers and texts so that there is something to pass. */
START_TEST(a_value_is_passed_as_its_tokens_are)
{
    static const char tags[] = "\x80\x81\x82\x90\x91\x92\x93\xa0\xa2\xc0\xc1\xc4\xc7\xca\xcb\xcc"
                               "\xd1\xd4\xd8\xd9\xda\xdc\xde\xff\x00\x01\x02\x03";
    uint64_t seed = 11;
    unsigned passed = 0, broken_ones = 0;
    for (int round = 0; round < 200000; round++) {
        char data[24];
        size_t size = random_next(&seed) % sizeof data;
        for (size_t i = 0; i < size; i++)
            data[i] = tags[random_next(&seed) % (sizeof tags - 1)];
        if (size > 0)
            data[random_next(&seed) % size] = (char)(random_next(&seed) & 0x7fu);
        unsigned nesting_max = (unsigned)(random_next(&seed) % 4);
        struct cursor fast = cursor_over((struct bytes){data, size}), slow = fast, plain = fast;
        bool expected = skip_slowly(&slow, nesting_max);
        ck_assert_int_eq(cursor_skip_within(&fast, nesting_max), expected);
        ck_assert_int_eq(fast.bad, !expected);
        cursor_skip(&plain);
        if (expected) {
            ck_assert_ptr_eq(fast.at, slow.at);
            ck_assert_ptr_eq(plain.at, slow.at);
        }
        passed += expected;
        broken_ones += !expected;
    }
    ck_assert_uint_gt(passed, 10000);
    ck_assert_uint_gt(broken_ones, 10000);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, every_code_point_is_text_in_its_shortest_form_only);
    tcase_add_loop_test(tcase, what_is_broken_is_found_at_each_place, 0,
                        sizeof broken / sizeof broken[0]);
    tcase_add_test(tcase, a_number_is_read_in_each_width);
    tcase_add_test(tcase, a_value_is_passed_as_its_tokens_are);
    tcase_set_timeout(tcase, 60);
}

int main(void)
{
    return suite_run("cursor", add_tests);
}
