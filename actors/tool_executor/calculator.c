/* calculator - see calculator.h. Recursive descent, one function a level of binding:
 *
 *   sum = product {(+|-) product}    product = signed {(*|/|%) signed}    signed = (+|-) signed |
 * power power = primary [^ signed]       primary = number | ( sum ) | name ( sum {, sum} )
 *
 * After a failure every function returns at once; what it returned then is not used. */
#include "actors/tool_executor/calculator.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DIGITS_MAX 15 /* of round */

struct parser {
    const char *start, *at, *end;
    unsigned depth;
    bool failed;
    struct failure *failure;
};

static struct number parse_sum(struct parser *self);
static struct number parse_signed(struct parser *self);

static struct number integer_of(int64_t integer)
{
    return (struct number){.is_integer = true, .integer = integer};
}

static double real_of(struct number number)
{
    return number.is_integer ? (double)number.integer : number.real;
}

static bool is_zero(struct number number)
{
    return number.is_integer ? number.integer == 0 : number.real == 0;
}

/* The first failure stays. */
static struct number fail_at(struct parser *self, const char *what)
{
    if (!self->failed) {
        failure_set(self->failure, STATUS_BAD_REQUEST, "BAD_ARGUMENTS", "at character %td: %s",
                    self->at - self->start + 1, what);
        failure_field(self->failure, "expression");
    }
    self->failed = true;
    self->at = self->end;
    return integer_of(0);
}

static struct number fail_result(struct parser *self, const char *what)
{
    if (!self->failed)
        failure_set(self->failure, STATUS_APP_ERROR, "TOOL_FAILED", "%s", what);
    self->failed = true;
    self->at = self->end;
    return integer_of(0);
}

static struct number checked_real(struct parser *self, double real)
{
    if (isnan(real))
        return fail_result(self, "the result is no real number");
    if (isinf(real))
        return fail_result(self, "overflow");
    return (struct number){.real = real == 0 ? 0 : real};
}

/* A whole float as an integer, where it is one of ours. */
static struct number checked_whole(struct parser *self, double real)
{
    if (real >= -9223372036854775808.0 && real < 9223372036854775808.0)
        return integer_of((int64_t)real);
    return checked_real(self, real);
}

static void skip_blanks(struct parser *self)
{
    while (self->at < self->end && strchr(" \t\r\n", *self->at) != NULL && *self->at != '\0')
        self->at++;
}

static char peek(struct parser *self)
{
    skip_blanks(self);
    return (char)(self->at < self->end ? *self->at : '\0');
}

static bool accept_char(struct parser *self, char wanted)
{
    bool found = !self->failed && peek(self) == wanted && self->at < self->end;
    self->at += found;
    return found;
}

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static bool is_letter(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

/* Operations. */

static struct number add(struct parser *self, struct number left, struct number right)
{
    int64_t sum;
    if (!left.is_integer || !right.is_integer)
        return checked_real(self, real_of(left) + real_of(right));
    if (__builtin_add_overflow(left.integer, right.integer, &sum))
        return fail_result(self, "overflow");
    return integer_of(sum);
}

static struct number subtract(struct parser *self, struct number left, struct number right)
{
    int64_t difference;
    if (!left.is_integer || !right.is_integer)
        return checked_real(self, real_of(left) - real_of(right));
    if (__builtin_sub_overflow(left.integer, right.integer, &difference))
        return fail_result(self, "overflow");
    return integer_of(difference);
}

static struct number multiply(struct parser *self, struct number left, struct number right)
{
    int64_t product;
    if (!left.is_integer || !right.is_integer)
        return checked_real(self, real_of(left) * real_of(right));
    if (__builtin_mul_overflow(left.integer, right.integer, &product))
        return fail_result(self, "overflow");
    return integer_of(product);
}

static struct number divide(struct parser *self, struct number left, struct number right)
{
    if (is_zero(right))
        return fail_result(self, "division by zero");
    if (!left.is_integer || !right.is_integer)
        return checked_real(self, real_of(left) / real_of(right));
    if (right.integer == -1) /* the one quotient that overflows */
        return subtract(self, integer_of(0), left);
    if (left.integer % right.integer == 0)
        return integer_of(left.integer / right.integer);
    return checked_real(self, real_of(left) / real_of(right));
}

static struct number remainder_of(struct parser *self, struct number left, struct number right)
{
    if (is_zero(right))
        return fail_result(self, "division by zero");
    if (!left.is_integer || !right.is_integer)
        return checked_real(self, fmod(real_of(left), real_of(right)));
    return integer_of(right.integer == -1 ? 0 : left.integer % right.integer);
}

static struct number raise_to(struct parser *self, struct number base, struct number exponent)
{
    struct number result = integer_of(1);
    if (is_zero(base) && real_of(exponent) < 0)
        return fail_result(self, "division by zero");
    if (!base.is_integer || !exponent.is_integer || exponent.integer < 0)
        return checked_real(self, pow(real_of(base), real_of(exponent)));
    if (base.integer >= -1 && base.integer <= 1) /* any exponent, and none takes long */
        exponent.integer = exponent.integer > 2 ? 2 + exponent.integer % 2 : exponent.integer;
    for (int64_t i = 0; i < exponent.integer && !self->failed; i++) /* 63 rounds, or overflow */
        result = multiply(self, result, base);
    return result;
}

/* Functions. */

static struct number call_abs(struct parser *self, const struct number *values, unsigned count)
{
    (void)count;
    if (!values[0].is_integer)
        return checked_real(self, fabs(values[0].real));
    return values[0].integer < 0 ? subtract(self, integer_of(0), values[0]) : values[0];
}

/* Of a square, its root. */
static struct number call_sqrt(struct parser *self, const struct number *values, unsigned count)
{
    double root = sqrt(real_of(values[0]));
    (void)count;
    if (values[0].is_integer && values[0].integer >= 0) {
        int64_t whole = (int64_t)root;
        for (int64_t near = whole > 0 ? whole - 1 : 0; near <= whole + 1; near++)
            if ((__int128)near * near == values[0].integer)
                return integer_of(near);
    }
    return checked_real(self, root);
}

static struct number call_floor(struct parser *self, const struct number *values, unsigned count)
{
    (void)count;
    return values[0].is_integer ? values[0] : checked_whole(self, floor(values[0].real));
}

static struct number call_ceil(struct parser *self, const struct number *values, unsigned count)
{
    (void)count;
    return values[0].is_integer ? values[0] : checked_whole(self, ceil(values[0].real));
}

static struct number call_round(struct parser *self, const struct number *values, unsigned count)
{
    int64_t digits = count == 2 ? values[1].integer : 0;
    if (count == 2 && (!values[1].is_integer || digits < 0 || digits > DIGITS_MAX))
        return fail_at(self, "round takes 0 to 15 digits");
    if (values[0].is_integer)
        return values[0];
    if (digits == 0)
        return checked_whole(self, round(values[0].real));
    double scale = pow(10, (double)digits), scaled = values[0].real * scale;
    /* A number so large has no digits to round away. */
    return checked_real(self,
                        fabs(scaled) < 4503599627370496.0 ? round(scaled) / scale : values[0].real);
}

static bool is_less(struct number left, struct number right)
{
    if (left.is_integer && right.is_integer)
        return left.integer < right.integer;
    return real_of(left) < real_of(right);
}

static struct number call_min(struct parser *self, const struct number *values, unsigned count)
{
    unsigned least = 0;
    (void)self;
    for (unsigned i = 1; i < count; i++)
        if (is_less(values[i], values[least]))
            least = i;
    return values[least];
}

static struct number call_max(struct parser *self, const struct number *values, unsigned count)
{
    unsigned most = 0;
    (void)self;
    for (unsigned i = 1; i < count; i++)
        if (is_less(values[most], values[i]))
            most = i;
    return values[most];
}

static const struct function {
    const char *name;
    unsigned min, max; /* arguments */
    struct number (*call)(struct parser *self, const struct number *values, unsigned count);
} functions[] = {
    {"abs", 1, 1, call_abs},
    {"sqrt", 1, 1, call_sqrt},
    {"floor", 1, 1, call_floor},
    {"ceil", 1, 1, call_ceil},
    {"round", 1, 2, call_round},
    {"min", 1, CALCULATOR_ARGUMENTS_MAX, call_min},
    {"max", 1, CALCULATOR_ARGUMENTS_MAX, call_max},
};

/* Parsing. */

static struct number parse_real(struct parser *self, const char *from)
{
    char text[CALCULATOR_BYTES_MAX + 1];
    size_t size = (size_t)(self->at - from);
    memcpy(text, from, size);
    text[size] = '\0';
    return checked_real(self, strtod(text, NULL));
}

static void skip_digits(struct parser *self)
{
    while (self->at < self->end && is_digit(*self->at))
        self->at++;
}

/* Digits, a point, digits, an exponent; e without digits is no exponent. */
static struct number parse_number(struct parser *self)
{
    const char *from = self->at;
    int64_t integer = 0;
    skip_digits(self);
    const char *end_of_integer = self->at;
    if (self->at < self->end && *self->at == '.') {
        self->at++;
        skip_digits(self);
    }
    if (self->at - from == 1 && *from == '.')
        return fail_at(self, "a digit is missing");
    if (self->at < self->end && (*self->at == 'e' || *self->at == 'E')) {
        const char *digits = self->at + 1;
        digits += digits < self->end && (*digits == '+' || *digits == '-');
        if (digits == self->end || !is_digit(*digits))
            return fail_at(self, "a digit is missing in the exponent");
        self->at = digits;
        skip_digits(self);
    }
    if (self->at != end_of_integer)
        return parse_real(self, from);
    for (const char *digit = from; digit < end_of_integer; digit++)
        if (__builtin_mul_overflow(integer, 10, &integer) ||
            __builtin_add_overflow(integer, *digit - '0', &integer))
            return fail_result(self, "overflow");
    return integer_of(integer);
}

static struct number parse_call(struct parser *self)
{
    const char *name = self->at;
    struct number values[CALCULATOR_ARGUMENTS_MAX];
    unsigned count = 0;
    while (self->at < self->end && is_letter(*self->at))
        self->at++;
    struct bytes text = {name, (size_t)(self->at - name)};
    size_t i = 0;
    while (i < sizeof functions / sizeof functions[0] && !bytes_are(text, functions[i].name))
        i++;
    if (i == sizeof functions / sizeof functions[0]) {
        self->at = name;
        return fail_at(self, "no such function");
    }
    if (!accept_char(self, '('))
        return fail_at(self, "( is missing");
    do {
        if (count == functions[i].max)
            return fail_at(self, "too many arguments");
        values[count++] = parse_sum(self);
    } while (accept_char(self, ','));
    if (!accept_char(self, ')'))
        return fail_at(self, ") is missing");
    if (count < functions[i].min)
        return fail_at(self, "too few arguments");
    return functions[i].call(self, values, count);
}

static struct number parse_primary(struct parser *self)
{
    char next = peek(self);
    if (is_digit(next) || next == '.')
        return parse_number(self);
    if (is_letter(next))
        return parse_call(self);
    if (!accept_char(self, '('))
        return fail_at(self, self->at == self->end ? "the expression ends too early"
                                                   : "a number is missing");
    struct number value = parse_sum(self);
    if (!accept_char(self, ')'))
        return fail_at(self, ") is missing");
    return value;
}

static struct number parse_power(struct parser *self)
{
    struct number base = parse_primary(self);
    return accept_char(self, '^') ? raise_to(self, base, parse_signed(self)) : base;
}

/* Every level of nesting passes here. */
static struct number parse_signed(struct parser *self)
{
    struct number value;
    if (self->depth == CALCULATOR_NESTING_MAX)
        return fail_at(self, "nested deeper than 64");
    self->depth++;
    if (accept_char(self, '-'))
        value = subtract(self, integer_of(0), parse_signed(self));
    else if (accept_char(self, '+'))
        value = parse_signed(self);
    else
        value = parse_power(self);
    self->depth--;
    return value;
}

static struct number parse_product(struct parser *self)
{
    struct number value = parse_signed(self);
    for (;;) {
        if (accept_char(self, '*'))
            value = multiply(self, value, parse_signed(self));
        else if (accept_char(self, '/'))
            value = divide(self, value, parse_signed(self));
        else if (accept_char(self, '%'))
            value = remainder_of(self, value, parse_signed(self));
        else
            return value;
    }
}

static struct number parse_sum(struct parser *self)
{
    struct number value = parse_product(self);
    for (;;) {
        if (accept_char(self, '+'))
            value = add(self, value, parse_product(self));
        else if (accept_char(self, '-'))
            value = subtract(self, value, parse_product(self));
        else
            return value;
    }
}

bool calculator_run(struct bytes expression, struct number *ret, struct failure *failure)
{
    struct parser parser = {.start = expression.data,
                            .at = expression.data,
                            .end = expression.data + expression.size,
                            .failure = failure};
    if (expression.size > CALCULATOR_BYTES_MAX) {
        fail_at(&parser, "the expression is too long");
        return false;
    }
    struct number value = parse_sum(&parser);
    skip_blanks(&parser);
    if (!parser.failed && parser.at != parser.end)
        fail_at(&parser, "nothing may follow here");
    if (!parser.failed)
        *ret = value;
    return !parser.failed;
}
