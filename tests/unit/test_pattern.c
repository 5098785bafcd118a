/* test_pattern - a pattern matches what a regular expression of its text means, in linear time; and
 * what is not offered is refused with a reason, never read as something else. */
#include <regex.h>
#include <string.h>

#include "protocol/pattern.h"
#include "protocol/value.h"
#include "tests/support/suite.h"

static const struct {
    const char *pattern, *text;
    bool matches;
} cases[] = {
    {"", "", true},
    {"", "a", true},
    {"a", "", false},
    {"a", "bab", true},
    {"^a", "ba", false},
    {"a$", "ab", false},
    {"a$", "ba", true},
    {"^$", "", true},
    {"^$", "a", false},
    {"^a*$", "aaaa", true},
    {"^a*$", "aab", false},
    {"^a+$", "", false},
    {"^a?b$", "b", true},
    {"^a?b$", "aab", false},
    {"^a{3}$", "aaa", true},
    {"^a{3}$", "aa", false},
    {"^a{2,3}$", "a", false},
    {"^a{2,3}$", "aa", true},
    {"^a{2,3}$", "aaaa", false},
    {"^a{2,}$", "aaaaa", true},
    {"^a{2,}$", "a", false},
    {"^a{0}$", "", true},
    {"^a{0}$", "a", false},
    {"^a{0,}$", "aa", true},
    {"^(ab|c)+$", "abcab", true},
    {"^(ab|c)+$", "aab", false},
    {"^(a|b|cd|)$", "cd", true},
    {"^(a|b|cd|)$", "", true},
    {"^(a|b|cd|)$", "c", false},
    {"^(?:a(b(c|d)e)*f)$", "abcebdef", true},
    {"^(?:a(b(c|d)e)*f)$", "abce", false},
    {"a|b", "xxb", true},
    {"^a|b$", "ax", true},
    {"^(a*)*$", "aaaa", true},
    {"^(a*)*$", "b", false},
    {"^(|a)+$", "aa", true},
    {"^(a?){3}$", "aa", true},
    {"^(a?){3}$", "aaaa", false},
    {"^(a{2}){2}$", "aaaa", true},
    {"^(a{2}){2}$", "aaa", false},
    {"^[abc]$", "b", true},
    {"^[abc]$", "d", false},
    {"^[a-c-]$", "-", true},
    {"^[^a-c]$", "d", true},
    {"^[^a-c]$", "b", false},
    {"^[^a-c]$", "\n", true},
    {"^[\\]\\-x]+$", "]-x", true},
    {"^[\\d-x]+$", "1-x", true},
    {"^[\\w.]+$", "a_1.Z", true},
    {"^[\\w.]+$", "a b", false},
    {"^\\d{4}-\\d{2}$", "2024-01", true},
    {"^\\d{4}-\\d{2}$", "2024-1x", false},
    {"^\\D\\W\\S$", "a-b", true},
    {"^\\D$", "1", false},
    {"^\\w$", "0", true},
    {"a\\.", "a.", true},
    {"a\\.", "ab", false},
    {"^\\s$", "\xe3\x80\x80", true},
    {"^.$", "\xc3\xa9", true},
    {"^..$", "\xc3\xa9", false},
    {"^.$", "\n", false},
    {"^[\xc3\xa0-\xc3\xbc]$", "\xc3\xa9", true},
    {"^\xf0\x9f\x98\x80+$", "\xf0\x9f\x98\x80\xf0\x9f\x98\x80", true},
    {"^\\.\\*\\/\\\\$", ".*/\\", true},
    {"^a\\tb$", "a\tb", true},
    {"^a+?b*?$", "aabb", true},
    {"^SQL_[A-Za-z0-9_-]+$", "SQL_QueryReadonly", true},
    {"^Q[1-4]$", "Q5", false},
    {"a^b", "a^b", false},
    {"(^a|b)c", "xbc", true},
    {"(^a|b)c", "xac", false},
};

START_TEST(a_text_matches_or_not)
{
    struct pattern pattern;
    const char *reason = pattern_compile(bytes_of(cases[_i].pattern), &pattern);
    ck_assert_msg(reason == NULL, "%s: %s", cases[_i].pattern, reason);
    ck_assert_msg(pattern_matches(&pattern, bytes_of(cases[_i].text)) == cases[_i].matches,
                  "%s with %s", cases[_i].pattern, cases[_i].text);
}
END_TEST

static const char *const refused[] = {
    "(a)\\1",
    "(a)\\9",
    "\\0",
    "(?=a)",
    "(?!a)",
    "(?<n>a)",
    "(?<=a)",
    "\\bword",
    "\\p{L}",
    "\\x41",
    "\\u0041",
    "\\",
    "[a",
    "[",
    "[z-a]",
    "[a-\\d]",
    "(a",
    "a)",
    "*",
    "+a",
    "?",
    "a**",
    "^*",
    "{2}",
    "a{",
    "a{x}",
    "a{2",
    "a{3,2}",
    "a{257}",
    "a{1,999}",
    "(a{100}){100}",
    "]",
    "}",
    "\xff",
    "a{99999999999}",
    "[\\q]",
};

START_TEST(what_is_not_offered_is_refused)
{
    struct pattern pattern;
    ck_assert_msg(pattern_compile(bytes_of(refused[_i]), &pattern) != NULL, "%s", refused[_i]);
}
END_TEST

/* a{n} and MATCH fill the program; so many pairs of brackets its nesting; so many ranges a class.
 */
START_TEST(each_bound_is_reached_and_not_passed)
{
    struct pattern pattern;
    char text[PATTERN_BYTES_MAX + 2];
    ck_assert_ptr_null(pattern_compile(bytes_of("a{255}"), &pattern));
    ck_assert_uint_eq(pattern.count, PATTERN_STEPS_MAX);
    ck_assert_ptr_nonnull(pattern_compile(bytes_of("a{256}"), &pattern));
    memset(text, 'a', sizeof text);
    ck_assert_ptr_nonnull(pattern_compile((struct bytes){text, PATTERN_BYTES_MAX + 1}, &pattern));
    text[0] = '[';
    text[1 + PATTERN_RANGES_MAX] = ']';
    ck_assert_ptr_null(pattern_compile((struct bytes){text, 2 + PATTERN_RANGES_MAX}, &pattern));
    text[1 + PATTERN_RANGES_MAX] = 'a';
    text[2 + PATTERN_RANGES_MAX] = ']';
    ck_assert_ptr_nonnull(pattern_compile((struct bytes){text, 3 + PATTERN_RANGES_MAX}, &pattern));
    memset(text, '(', PATTERN_NESTING_MAX + 1);
    memset(text + PATTERN_NESTING_MAX + 1, ')', PATTERN_NESTING_MAX + 1);
    ck_assert_ptr_nonnull(
        pattern_compile((struct bytes){text, 2 * PATTERN_NESTING_MAX + 2}, &pattern));
    ck_assert_ptr_null(pattern_compile(
        (struct bytes){text + 1, PATTERN_NESTING_MAX + PATTERN_NESTING_MAX}, &pattern));
}
END_TEST

/* Where a backtracking matcher takes 2^n steps: (a?){n}a{n} on n times a, and (a*)*b on many a. */
START_TEST(patterns_that_ruin_a_backtracking_matcher_are_matched)
{
    struct pattern pattern;
    char text[10000];
    memset(text, 'a', sizeof text);
    ck_assert_ptr_null(pattern_compile(bytes_of("^(a?){60}a{60}$"), &pattern));
    ck_assert(pattern_matches(&pattern, (struct bytes){text, 60}));
    ck_assert(!pattern_matches(&pattern, (struct bytes){text, 121}));
    ck_assert_ptr_null(pattern_compile(bytes_of("^(a*)*b$"), &pattern));
    ck_assert(!pattern_matches(&pattern, (struct bytes){text, sizeof text}));
}
END_TEST

/* A random pattern of what POSIX and we read alike. at: room for 64 bytes */
static void random_pattern(uint64_t *seed, char *at)
{
    static const char *const pieces[] = {"a",     "b",  "c",   "(a|b)", "(ab|c)*", "[ab]",
                                         "[^a]",  "a*", "b+",  "c?",    "a{2}",    "b{1,2}",
                                         "(a|)b", ".",  "(c)", "|",     "(b*c)+"};
    char *end = at + 56;
    for (uint64_t count = 1 + random_next(seed) % 6; count > 0 && at < end; count--) {
        const char *piece = pieces[random_next(seed) % (sizeof pieces / sizeof pieces[0])];
        size_t size = strlen(piece);
        memcpy(at, piece, size);
        at += size;
    }
    *at = '\0';
}

/* Seed 7: 20,000 random patterns, each with a random text of a, b and c, as the C library has it.
 */
START_TEST(random_patterns_match_what_the_c_library_matches)
{
    uint64_t seed = 7;
    unsigned matched = 0;
    for (int i = 0; i < 20000; i++) {
        char whole[70] = "^(", *text = (char[9]){""};
        struct pattern pattern;
        regex_t theirs;
        random_pattern(&seed, whole + 2);
        memcpy(whole + strlen(whole), ")$", 3);
        for (uint64_t k = random_next(&seed) % 8; k > 0; k--)
            text[k - 1] = (char)('a' + (char)(random_next(&seed) % 3));
        if (regcomp(&theirs, whole, REG_EXTENDED | REG_NOSUB) != 0)
            continue;
        bool expected = regexec(&theirs, text, 0, NULL, 0) == 0;
        regfree(&theirs);
        ck_assert_ptr_null(pattern_compile(bytes_of(whole), &pattern));
        ck_assert_msg(pattern_matches(&pattern, bytes_of(text)) == expected, "%s, %s", whole, text);
        matched += expected;
    }
    ck_assert_uint_gt(matched, 1000);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_text_matches_or_not, 0, sizeof cases / sizeof cases[0]);
    tcase_add_loop_test(tcase, what_is_not_offered_is_refused, 0,
                        sizeof refused / sizeof refused[0]);
    tcase_add_test(tcase, each_bound_is_reached_and_not_passed);
    tcase_add_test(tcase, patterns_that_ruin_a_backtracking_matcher_are_matched);
    tcase_add_test(tcase, random_patterns_match_what_the_c_library_matches);
    tcase_set_timeout(tcase, 60);
}

int main(void)
{
    return suite_run("pattern", add_tests);
}
