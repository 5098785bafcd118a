/* verdict - see verdict.h. */
#include "tests/load/verdict.h"

#define LATE_SHARE_MAX 0.01
#define GENERATOR_MAX 0.9
#define ACHIEVED_MIN 0.98
#define FOREIGN_MAX 0.1

const char *const invalid_texts[INVALID_COUNT] = {
    [INVALID_LATE] = "over 1 % of the requests left late",
    [INVALID_GENERATOR] = "the generator used over 90 % of a core",
    [INVALID_DROPPED] = "the generator dropped requests: --max-inflight",
    [INVALID_ACHIEVED] = "under 98 % of what was offered left in time, and nothing was refused",
    [INVALID_FOREIGN] = "others used over 10 % of a core"};

static unsigned bit_if(enum invalid invalid, bool holds)
{
    return holds ? 1u << invalid : 0;
}

unsigned verdict_of(const struct conditions *run)
{
    bool slow = run->open_loop && run->refused == 0 &&
                (double)run->sent_in_time < ACHIEVED_MIN * (double)run->offered;
    return bit_if(INVALID_LATE, (double)run->late > LATE_SHARE_MAX * (double)run->sent) |
           bit_if(INVALID_GENERATOR, run->generator > GENERATOR_MAX) |
           bit_if(INVALID_DROPPED, run->dropped > 0) | bit_if(INVALID_ACHIEVED, slow) |
           bit_if(INVALID_FOREIGN, run->foreign > FOREIGN_MAX);
}
