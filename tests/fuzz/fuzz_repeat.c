/* fuzz_repeat - what a server says of when to come back: any text. It is a time or it is none, the
 * same each time, and nobody waits longer than a minute or past the deadline for it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/repeat.h"
#include "protocol/limits.h"

#define NOW_AT (50 * US_PER_S)

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void try_it(const char *name, const char *value)
{
    struct http_response came = {.end = HTTP_ANSWERED, .status = 429, .header_count = 1};
    struct repeat_budget budget = {1000};
    struct repeat_case given = {.came = &came,
                                .now_at = NOW_AT,
                                .deadline_at = NOW_AT + 30 * US_PER_S,
                                .unix_ms = 1445412470000};
    uint32_t first_ms = 0, second_ms = 0;
    int64_t wait_us = 0;
    came.headers[0] = (struct http_header){name, value};
    bool said = repeat_after_ms(&came, given.unix_ms, &first_ms);
    assert(said == repeat_after_ms(&came, given.unix_ms, &second_ms));
    assert(first_ms == second_ms);
    bool again = repeat_decide(&budget, &given, &wait_us);
    assert(!again || (wait_us >= 0 && wait_us < 30 * US_PER_S));
    assert(!said || again == (first_ms < 30000));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char *text = malloc(size + 1); /* exactly as long, so that a byte too far is seen */
    assert(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    try_it("Retry-After", text);
    try_it("Retry-After-Ms", text);
    free(text);
    return 0;
}
