/* calculator - arithmetic written as text. Pure.
 *
 * + - * / % ^, parentheses, abs, sqrt, floor, ceil, round(x[, digits]), min, max. ^ binds to the
 * right and before a sign: -2^2 is -4. % has the sign of its left side. Integers are 64 bits and
 * exact: what leaves their range is an error, never a float. A quotient, power or root of integers
 * is an integer where it is whole. round goes away from zero at a half. */
#ifndef ACTORS_TOOL_EXECUTOR_CALCULATOR_H
#define ACTORS_TOOL_EXECUTOR_CALCULATOR_H

#include "actors/runtime/failure.h"

#define CALCULATOR_NESTING_MAX 64u
#define CALCULATOR_BYTES_MAX 4000u
#define CALCULATOR_ARGUMENTS_MAX 16u /* of min and max */

struct number {
    bool is_integer;
    int64_t integer; /* if it is one */
    double real;     /* else: finite, no negative zero */
};

/* returns  true: ret is written; false: failure says where (BAD_REQUEST), or why there is no result
 *          (APP_ERROR: overflow, division by zero, no real number) */
MUST_USE bool calculator_run(struct bytes expression, struct number *ret, struct failure *failure);

#endif
