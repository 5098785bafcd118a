/* tool - see tool.h. */
#include "actors/tool_executor/tool.h"

bool tool_cancelled(const struct tool_call *call)
{
    return *call->budget.cancelled || sqlite_clock_us() >= call->budget.deadline_at;
}

struct bytes tool_text(const struct tool_call *call, const char *name)
{
    struct bytes text = {NULL, 0};
    (void)value_text(value_find(call->arguments, name), &text);
    return text;
}

uint64_t tool_u64(const struct tool_call *call, const char *name)
{
    uint64_t number = 0;
    (void)value_u64(value_find(call->arguments, name), &number);
    return number;
}

double tool_f64(const struct tool_call *call, const char *name)
{
    double number = 0;
    (void)value_f64(value_find(call->arguments, name), &number);
    return number;
}
