/* fact-arcade-gateway - runs tools of others: Arcade, MCP servers, models, the web. */
#include "actors/arcade_gateway/arcade_gateway.h"
#include "actors/runtime/process.h"

int main(int argc, char **argv)
{
    return process_run(&arcade_gateway_spec, argc, argv);
}
