/* test_calculator - exact where integers are, an error where there is no result, and the place
 * where the text is wrong; random integers give what the compiler's own arithmetic gives. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "actors/tool_executor/calculator.h"
#include "tests/support/suite.h"

static struct failure failure;

static bool run(const char *text, struct number *ret)
{
    size_t size = strlen(text);
    char *exact = malloc(size > 0 ? size : 1); /* a byte read beyond it is seen */
    for (size_t i = 0; i < size; i++)
        exact[i] = text[i];
    failure = (struct failure){.status = STATUS_OK};
    bool done = calculator_run((struct bytes){exact, size}, ret, &failure);
    ck_assert_int_eq(done, failure.status == STATUS_OK);
    free(exact);
    return done;
}

static const struct {
    const char *text;
    int64_t expected;
} integers[] = {
    {"1", 1},
    {"1 + 2 * 3", 7},
    {"(1 + 2) * 3", 9},
    {"10 - 4 - 3", 3},
    {"100 / 5 / 2", 10},
    {"2 ^ 3 ^ 2", 512},
    {"-2 ^ 2", -4},
    {"(-2) ^ 2", 4},
    {"2 ^ -0", 1},
    {"0 ^ 0", 1},
    {"-1 ^ 3", -1},
    {"(-1) ^ 9223372036854775807", -1},
    {"(-1) ^ 9223372036854775806", 1},
    {"1 ^ 9223372036854775807", 1},
    {"0 ^ 9223372036854775807", 0},
    {"(-2) ^ 63", INT64_MIN},
    {"2 ^ 62", INT64_C(1) << 62},
    {"7 % 3", 1},
    {"-7 % 3", -1},
    {"7 % -3", 1},
    {"(-9223372036854775807 - 1) % -1", 0},
    {"--1", 1},
    {"-+-+5", 5},
    {"9223372036854775807", INT64_MAX},
    {"-9223372036854775807 - 1", INT64_MIN},
    {"9007199254740993 * 3", 27021597764222979}, /* beyond what a double holds */
    {"9223372036854775807 / 1", INT64_MAX},
    {"6 / 3", 2},
    {"abs(-5)", 5},
    {"sqrt(16)", 4},
    {"sqrt(0)", 0},
    {"sqrt(9223372030926249001)", 3037000499},
    {"floor(2.7)", 2},
    {"floor(-2.1)", -3},
    {"ceil(2.1)", 3},
    {"ceil(-2.9)", -2},
    {"round(2.5)", 3},
    {"round(-2.5)", -3},
    {"round(7, 2)", 7},
    {"min(3, 1, 2)", 1},
    {"max(3, 1, 2)", 3},
    {"max(4)", 4},
    {"max(9007199254740993, 9007199254740992)", 9007199254740993},
    {" \t1\n+\r1 ", 2},
    {"((((1))))", 1},
    {"floor(7 / 2)", 3},
};

START_TEST(integers_are_exact)
{
    struct number number = {0};
    ck_assert_msg(run(integers[_i].text, &number), "%s: %s", integers[_i].text, failure.message);
    ck_assert(number.is_integer);
    ck_assert_int_eq(number.integer, integers[_i].expected);
}
END_TEST

static const struct {
    const char *text;
    double expected;
} reals[] = {
    {"7 / 2", 3.5},
    {"0.1 + 0.2", 0.1 + 0.2},
    {"1.0", 1},
    {".5", 0.5},
    {"5.", 5},
    {"1e3", 1000},
    {"1.5E-2", 0.015},
    {"2 ^ -1", 0.5},
    {"2 ^ 0.5", M_SQRT2},
    {"sqrt(2)", M_SQRT2},
    {"5.5 % 2", 1.5},
    {"-5.5 % 2", -1.5},
    {"abs(-0.5)", 0.5},
    {"round(2.345, 2)", 2.35},
    {"round(1e300, 3)", 1e300},
    {"floor(1e300)", 1e300},
    {"-0.0", 0},
    {"0 * -1.5", 0},
    {"min(1, 0.5)", 0.5},
    {"9223372036854775807 + 0.0", 9223372036854775807.0},
};

START_TEST(floats_are_floats)
{
    struct number number = {.is_integer = true};
    ck_assert_msg(run(reals[_i].text, &number), "%s: %s", reals[_i].text, failure.message);
    ck_assert(!number.is_integer);
    ck_assert(number.real == reals[_i].expected);
    ck_assert(!signbit(number.real) || number.real != 0);
}
END_TEST

static const struct {
    const char *text;
    enum status status;
    const char *says;
} wrong[] = {
    {"", STATUS_BAD_REQUEST, "at character 1:"},
    {"   ", STATUS_BAD_REQUEST, "at character 4:"},
    {"1 +", STATUS_BAD_REQUEST, "at character 4:"},
    {"1 + * 2", STATUS_BAD_REQUEST, "at character 5:"},
    {"(1 + 2", STATUS_BAD_REQUEST, "at character 7: )"},
    {"1 + 2)", STATUS_BAD_REQUEST, "at character 6:"},
    {"1 2", STATUS_BAD_REQUEST, "at character 3:"},
    {"2(3)", STATUS_BAD_REQUEST, "at character 2:"},
    {"x + 1", STATUS_BAD_REQUEST, "at character 1: no such function"},
    {"exec(1)", STATUS_BAD_REQUEST, "at character 1: no such function"},
    {"sqrt 4", STATUS_BAD_REQUEST, "at character 6: ("},
    {"sqrt()", STATUS_BAD_REQUEST, "at character 6:"},
    {"sqrt(1, 2)", STATUS_BAD_REQUEST, "too many arguments"},
    {"round(1.5, 0.5)", STATUS_BAD_REQUEST, "digits"},
    {"round(1.5, 16)", STATUS_BAD_REQUEST, "digits"},
    {"max(1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17)", STATUS_BAD_REQUEST, "too many arguments"},
    {".", STATUS_BAD_REQUEST, "digit"},
    {"1e", STATUS_BAD_REQUEST, "exponent"},
    {"1e+", STATUS_BAD_REQUEST, "exponent"},
    {"1..2", STATUS_BAD_REQUEST, "at character 3:"},
    {"0x10", STATUS_BAD_REQUEST, "at character 2:"},
    {"1 × 2", STATUS_BAD_REQUEST, "at character 3:"},
    {"1; 2", STATUS_BAD_REQUEST, "at character 2:"},
    {"1 / 0", STATUS_APP_ERROR, "division by zero"},
    {"1 / 0.0", STATUS_APP_ERROR, "division by zero"},
    {"1 % 0", STATUS_APP_ERROR, "division by zero"},
    {"1 / (1 - 1)", STATUS_APP_ERROR, "division by zero"},
    {"0 ^ -1", STATUS_APP_ERROR, "division by zero"},
    {"9223372036854775808", STATUS_APP_ERROR, "overflow"},
    {"9223372036854775807 + 1", STATUS_APP_ERROR, "overflow"},
    {"-9223372036854775807 - 2", STATUS_APP_ERROR, "overflow"},
    {"9223372036854775807 * 2", STATUS_APP_ERROR, "overflow"},
    {"(-9223372036854775807 - 1) / -1", STATUS_APP_ERROR, "overflow"},
    {"abs(-9223372036854775807 - 1)", STATUS_APP_ERROR, "overflow"},
    {"-(-9223372036854775807 - 1)", STATUS_APP_ERROR, "overflow"},
    {"2 ^ 63", STATUS_APP_ERROR, "overflow"},
    {"3 ^ 9223372036854775807", STATUS_APP_ERROR, "overflow"},
    {"1e999", STATUS_APP_ERROR, "overflow"},
    {"1e308 * 10", STATUS_APP_ERROR, "overflow"},
    {"sqrt(-1)", STATUS_APP_ERROR, "no real number"},
    {"(-8) ^ 0.5", STATUS_APP_ERROR, "no real number"},
};

START_TEST(what_has_no_result_says_why_and_where)
{
    struct number number;
    ck_assert_msg(!run(wrong[_i].text, &number), "%s", wrong[_i].text);
    ck_assert_int_eq(failure.status, wrong[_i].status);
    ck_assert_msg(strstr(failure.message, wrong[_i].says) != NULL, "%s: %s", wrong[_i].text,
                  failure.message);
    bool is_text = failure.status == STATUS_BAD_REQUEST;
    ck_assert_str_eq(failure.code, is_text ? "BAD_ARGUMENTS" : "TOOL_FAILED");
    ck_assert_str_eq(failure.field, is_text ? "expression" : "");
}
END_TEST

/* Parentheses, signs and powers nest 64 deep, not 65; a chain may be as long as the text. */
static const struct {
    const char *piece, *end;
} nesting[] = {{"(", ")"}, {"-", ""}, {"2^", ""}, {"abs(", ")"}};

START_TEST(nesting_has_a_bound)
{
    for (unsigned depth = CALCULATOR_NESTING_MAX - 1; depth <= CALCULATOR_NESTING_MAX; depth++) {
        char text[1024], *at = text;
        struct number number;
        for (unsigned i = 0; i < depth; i++)
            at = stpcpy(at, nesting[_i].piece);
        at = stpcpy(at, "1");
        for (unsigned i = 0; i < depth; i++)
            at = stpcpy(at, nesting[_i].end);
        bool done = run(text, &number);
        bool overflows = !done && failure.status == STATUS_APP_ERROR;
        ck_assert_int_eq(done || overflows, depth < CALCULATOR_NESTING_MAX);
    }
}
END_TEST

START_TEST(a_chain_is_no_nesting)
{
    char text[CALCULATOR_BYTES_MAX + 3], *at = stpcpy(text, "1");
    struct number number = {0};
    while (strlen(text) + 2 <= CALCULATOR_BYTES_MAX)
        at = stpcpy(at, "+1");
    ck_assert(run(text, &number));
    ck_assert_int_eq(number.integer, (int64_t)(strlen(text) + 1) / 2);
    (void)stpcpy(at, "+1");
    ck_assert(!run(text, &number));
}
END_TEST

/* Seed 7: sums and products of three random numbers, against arithmetic of 128 bits. */
START_TEST(random_integers_give_what_128_bits_give)
{
    uint64_t seed = 7;
    unsigned overflows = 0;
    for (int round = 0; round < 20000; round++) {
        int64_t a = (int64_t)(random_next(&seed) >> (1 + random_next(&seed) % 62));
        int64_t b = (int64_t)(random_next(&seed) >> (1 + random_next(&seed) % 62));
        int64_t c = (int64_t)(random_next(&seed) >> (1 + random_next(&seed) % 62));
        char text[128];
        struct number number;
        snprintf(text, sizeof text, "%lld - %lld * %lld", (long long)a, (long long)b, (long long)c);
        __int128 product = (__int128)b * c, expected = a - product;
        bool fits = product <= INT64_MAX && expected >= INT64_MIN;
        ck_assert_int_eq(run(text, &number), fits);
        ck_assert(!fits || (number.is_integer && number.integer == (int64_t)expected));
        overflows += !fits;
    }
    ck_assert_uint_gt(overflows, 1000);
    ck_assert_uint_lt(overflows, 19000);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, integers_are_exact, 0, sizeof integers / sizeof integers[0]);
    tcase_add_loop_test(tcase, floats_are_floats, 0, sizeof reals / sizeof reals[0]);
    tcase_add_loop_test(tcase, what_has_no_result_says_why_and_where, 0,
                        sizeof wrong / sizeof wrong[0]);
    tcase_add_loop_test(tcase, nesting_has_a_bound, 0, sizeof nesting / sizeof nesting[0]);
    tcase_add_test(tcase, a_chain_is_no_nesting);
    tcase_add_test(tcase, random_integers_give_what_128_bits_give);
}

int main(void)
{
    return suite_run("calculator", add_tests);
}
