/* fact-cache-partition - one shard of the shared cache, as a program. */
#include "actors/cache_partition/cache_partition.h"
#include "actors/runtime/process.h"

int main(int argc, char **argv)
{
    return process_run(&cache_partition_spec, argc, argv);
}
