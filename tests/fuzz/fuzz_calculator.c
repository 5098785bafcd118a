/* fuzz_calculator - no text may crash the calculator; what has a result has the same one in
 * parentheses and behind a plus sign, unless it is nested too deep then; a failure says why. */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "actors/tool_executor/calculator.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static bool same(struct number left, struct number right)
{
    return left.is_integer == right.is_integer &&
           (left.is_integer ? left.integer == right.integer : left.real == right.real);
}

static void check_wrapped(struct number expected, const unsigned char *data, size_t size)
{
    char *text = malloc(size + 3);
    struct number number;
    struct failure failure;
    assert(text != NULL);
    text[0] = '+';
    text[1] = '(';
    memcpy(text + 2, data, size);
    text[size + 2] = ')';
    if (calculator_run((struct bytes){text, size + 3}, &number, &failure))
        assert(same(number, expected));
    else
        assert(strstr(failure.message, "deeper") != NULL || size + 3 > CALCULATOR_BYTES_MAX);
    free(text);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct number number;
    struct failure failure = {.status = STATUS_OK};
    if (calculator_run((struct bytes){(const char *)data, size}, &number, &failure)) {
        assert(number.is_integer || isfinite(number.real));
        check_wrapped(number, data, size);
        return 0;
    }
    assert(failure.status == STATUS_BAD_REQUEST || failure.status == STATUS_APP_ERROR);
    assert(failure.message[0] != '\0');
    return 0;
}
