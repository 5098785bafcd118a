/* options - the rows of options.def, and the syntax of their values. Pure.
 *
 * A reason is one line that says what to mend: OPTION_REASON_BYTES, written only on failure. */
#ifndef ACTORS_RUNTIME_OPTIONS_H
#define ACTORS_RUNTIME_OPTIONS_H

#include "protocol/cursor.h" /* bool, uint64_t */
#include "protocol/limits.h"

#define OPTION_REASON_BYTES 512u /* room for any reason */

enum option_type { OPTION_TEXT, OPTION_U64, OPTION_BOOL, OPTION_MS, OPTION_BYTES };
enum option_reload { OPTION_RESTART, OPTION_RELOAD };

struct option {
    const char *section, *key;
    enum option_type type;
    const char *missing; /* the default, as it would stand in the file */
    uint64_t min, max;   /* of TEXT: its bytes */
    enum option_reload reload;
    const char *doc;
};

/* The rows, for whoever walks them: config show, the reference, a JSON schema. */
extern const struct option options[];

/* clang-format off */
enum {
    OPTION_COUNT = 0
#define OPTION(section, key, TYPE, missing, min, max, RELOAD, doc) + 1
#include "protocol/options.def"
};
/* clang-format on */

/* The row of this name; OPTION_COUNT: none. */
size_t option_find(const char *section, const char *key);
bool option_section_exists(const char *section);

/* Read a value as its row says.
 *
 * source   where it stands, for the reason
 * ret      the number; of TEXT: 0
 * returns  false: a wrong syntax, or out of range */
bool option_read(size_t row, const char *source, const char *text, uint64_t *ret, char *reason);

/* Write a reason; returns false, for the caller to return. */
bool option_fail(char *reason, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The reason of a name that no row has, with what was perhaps meant.
 *
 * section  whose key it would be; NULL: it is a section that is unknown */
bool option_fail_unknown(char *reason, const char *source, const char *section, const char *name);

#endif
