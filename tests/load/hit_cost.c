/* hit_cost - so many hits of driver and partition in one process, for callgrind: see
 * tests/load/instructions. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/hit_path.h"

int main(int argc, char **argv)
{
    unsigned long hits = argc == 2 ? strtoul(argv[1], NULL, 10) : 0;
    hit_path_warm();
    for (unsigned long i = 0; i < hits; i++)
        (void)hit_path_ask((unsigned)(i * 7 % HIT_PATH_KEYS));
    printf("%u computed\n", hit_path_computed());
    hit_path_end();
    return hits > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
