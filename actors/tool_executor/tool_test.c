/* tool_test - Test_Unreliable: misbehaves as it is told, so that a test can see what becomes of it.
 * There only with the setting tool_executor.test_tools. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "actors/tool_executor/tool_functions.h"

#define NAP_NS 1000000 /* between two looks whether the call was cancelled */

/* Does this call misbehave? A number from 0 to 1, decided by seed and number of the call.
 * source: Steele, Lea, Flood, 2014: the mixer of SplitMix64 */
static bool misbehaves(const struct tool_call *call)
{
    uint64_t mixed = tool_u64(call, "seed") + call->number * 0x9e3779b97f4a7c15u;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    mixed ^= mixed >> 31;
    return (double)(mixed >> 11) * 0x1p-53 < tool_f64(call, "rate");
}

static void nap(void)
{
    const struct timespec time = {0, NAP_NS};
    (void)nanosleep(&time, NULL);
}

static bool fail(struct tool_call *call, struct tool_output *out, struct failure *failure)
{
    (void)call;
    (void)out;
    return failure_set(failure, STATUS_APP_ERROR, "TOOL_FAILED", "failed as it was told");
}

static bool delay(struct tool_call *call, struct tool_output *out, struct failure *failure)
{
    int64_t end_at = sqlite_clock_us() + (int64_t)tool_u64(call, "delay_ms") * US_PER_MS;
    (void)out;
    while (sqlite_clock_us() < end_at && !tool_cancelled(call))
        nap();
    if (!tool_cancelled(call))
        return true;
    return failure_set(failure, STATUS_DEADLINE_RUNNING, "DEADLINE", "it slept beyond its time");
}

/* Its deadline means nothing to it; without an end a test could not end either. */
static bool hang(struct tool_call *call, struct tool_output *out, struct failure *failure)
{
    (void)out;
    while (!*call->budget.cancelled)
        nap();
    return failure_set(failure, STATUS_DEADLINE_RUNNING, "DEADLINE", "it hung until cancelled");
}

static bool crash(struct tool_call *call, struct tool_output *out, struct failure *failure)
{
    (void)call;
    (void)out;
    (void)failure;
    abort();
}

/* More than a result may be. */
static bool oversize(struct tool_call *call, struct tool_output *out, struct failure *failure)
{
    static const char zeros[4096];
    (void)call;
    (void)failure;
    writer_array(&out->data, RESULT_BYTES_MAX);
    while (!out->data.full)
        writer_blob(&out->data, (struct bytes){zeros, sizeof zeros});
    return true;
}

static bool bad_result(struct tool_call *call, struct tool_output *out, struct failure *failure)
{
    (void)call;
    (void)failure;
    writer_map(&out->data, 1);
    writer_cstr(&out->data, "mode");
    writer_u64(&out->data, 7);
    return true;
}

static const struct {
    const char *name;
    tool_run *run;
} modes[] = {
    {"fail", fail},   {"delay", delay},       {"hang", hang},
    {"crash", crash}, {"oversize", oversize}, {"bad_result", bad_result},
};

bool tool_unreliable(struct tool_call *call, struct tool_output *out, struct failure *failure)
{
    struct bytes mode = tool_text(call, "mode");
    bool does = misbehaves(call);
    for (size_t i = 0; i < sizeof modes / sizeof modes[0] && does; i++)
        if (bytes_are(mode, modes[i].name) && !modes[i].run(call, out, failure))
            return false;
    if (out->data.used > 0 || out->data.full)
        return true;
    writer_map(&out->data, 3);
    writer_cstr(&out->data, "mode");
    writer_text(&out->data, mode);
    writer_cstr(&out->data, "misbehaved");
    writer_bool(&out->data, does);
    writer_cstr(&out->data, "call");
    writer_u64(&out->data, call->number);
    return true;
}
