/* urls - the URLs in a text. Pure.
 *
 * A URL is a scheme that is looked for, in any case and not behind a letter, digit, '+', '-' or
 * '.', then "://" and at least one character of a host; it goes on to white space, a control
 * character or one of < > " ` { } | \ ^. Punctuation at its end is not taken (.,;:!?'), nor a
 * closing bracket that it does not open. */
#ifndef ACTORS_TOOL_EXECUTOR_URLS_H
#define ACTORS_TOOL_EXECUTOR_URLS_H

#include "protocol/value.h"

struct urls {
    struct bytes text;
    const struct bytes *schemes;
    size_t scheme_count;
    size_t at;
};

/* schemes: ASCII; borrowed, like the text */
struct urls urls_over(struct bytes text, const struct bytes *schemes, size_t scheme_count);

/* The next URL; false: no more.
 *
 * ret         borrows the text
 * ret_scheme  index of its scheme */
bool urls_next(struct urls *self, struct bytes *ret, size_t *ret_scheme);

#endif
