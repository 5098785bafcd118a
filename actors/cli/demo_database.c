/* demo_database - see demo_database.h. */
#include "actors/cli/demo_database.h"

#include <errno.h>
#include <string.h>

enum exit_code demo_database_check(const char *path, FILE *err)
{
    static const char magic[16] = "SQLite format 3";
    char head[sizeof magic];
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fprintf(err, "fact: --db %s: %s\n", path, strerror(errno));
        return CODE_INVALID;
    }
    size_t size = fread(head, 1, sizeof head, file);
    bool readable = !ferror(file);
    fclose(file);
    if (readable && (size == 0 || (size == sizeof head && memcmp(head, magic, size) == 0)))
        return CODE_OK;
    fprintf(err, "fact: --db %s: %s\n", path, readable ? "no SQLite database" : strerror(errno));
    return CODE_INVALID;
}
