/* fact-tool-executor - runs tools on a database. */
#include "actors/runtime/process.h"
#include "actors/tool_executor/tool_executor.h"

int main(int argc, char **argv)
{
    return process_run(&tool_executor_spec, argc, argv);
}
