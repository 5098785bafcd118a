/* fact-driver - see driver.c. */
#include "actors/runtime/process.h"

extern const struct actor_spec driver_spec;

int main(int argc, char **argv)
{
    return process_run(&driver_spec, argc, argv);
}
