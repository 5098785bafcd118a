/* fact-compare-tables - renders what tests/load/compare has gathered: lines on stdin, or of the
 * files that are named; markdown on stdout. See comparison.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/load/comparison.h"

static unsigned take_file(struct comparison *comparison, FILE *file, const char *name)
{
    char *line = NULL;
    size_t room = 0;
    unsigned bad = 0;
    for (unsigned number = 1; getline(&line, &room, file) >= 0; number++) {
        if (comparison_take(comparison, line))
            continue;
        fprintf(stderr, "fact-compare-tables: %s:%u: no line of a comparison\n", name, number);
        bad++;
    }
    free(line);
    return bad;
}

int main(int argc, char **argv)
{
    struct comparison *comparison = comparison_new();
    unsigned bad = argc > 1 ? 0 : take_file(comparison, stdin, "stdin");
    for (int i = 1; i < argc; i++) {
        FILE *file = fopen(argv[i], "re");
        if (file == NULL) {
            fprintf(stderr, "fact-compare-tables: %s: %s\n", argv[i], strerror(errno));
            comparison_destroy(&comparison);
            return 3;
        }
        bad += take_file(comparison, file, argv[i]);
        fclose(file);
    }
    comparison_print(comparison, stdout);
    comparison_destroy(&comparison);
    return bad == 0 ? 0 : 1;
}
