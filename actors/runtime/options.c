/* options - see options.h. */
#include "actors/runtime/options.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 64u /* of a section or key, in a suggestion */
#define TYPO_DISTANCE_MAX 3u

/* clang-format off */
const struct option options[] = {
#define OPTION(section, key, TYPE, missing, min, max, RELOAD, doc) \
    {#section, #key, OPTION_##TYPE, missing, min, max, OPTION_##RELOAD, doc},
#include "protocol/options.def"
};
/* clang-format on */

bool option_fail(char *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, OPTION_REASON_BYTES, format, arguments);
    va_end(arguments);
    return false;
}

size_t option_find(const char *section, const char *key)
{
    size_t row = 0;
    while (row < OPTION_COUNT &&
           !(strcmp(options[row].section, section) == 0 && strcmp(options[row].key, key) == 0))
        row++;
    return row;
}

bool option_section_exists(const char *section)
{
    for (size_t row = 0; row < OPTION_COUNT; row++)
        if (strcmp(options[row].section, section) == 0)
            return true;
    return false;
}

/* Edits from one name to the other. source: Wagner and Fischer, 1974 */
static unsigned distance(const char *left, const char *right)
{
    unsigned line[NAME_MAX_BYTES + 1];
    size_t width = strlen(right);
    if (strlen(left) > NAME_MAX_BYTES || width > NAME_MAX_BYTES)
        return UINT_MAX;
    for (unsigned i = 0; i <= width; i++)
        line[i] = i;
    for (unsigned y = 1; left[y - 1] != '\0'; y++) {
        unsigned diagonal = line[0];
        line[0] = y;
        for (size_t x = 1; x <= width; x++) {
            unsigned replaced = diagonal + (left[y - 1] != right[x - 1]);
            unsigned shorter = (line[x] < line[x - 1] ? line[x] : line[x - 1]) + 1;
            diagonal = line[x];
            line[x] = replaced < shorter ? replaced : shorter;
        }
    }
    return line[width];
}

/* What was meant by an unknown name; NULL: nothing is near.
 *
 * section  whose keys; NULL: sections */
static const char *suggest(const char *section, const char *name)
{
    const char *best = NULL;
    unsigned nearest = TYPO_DISTANCE_MAX + 1;
    for (size_t row = 0; row < OPTION_COUNT; row++) {
        if (section != NULL && strcmp(options[row].section, section) != 0)
            continue;
        const char *known = section != NULL ? options[row].key : options[row].section;
        unsigned edits = distance(name, known);
        if (edits < nearest && edits < strlen(known)) {
            nearest = edits;
            best = known;
        }
    }
    return best;
}

bool option_fail_unknown(char *reason, const char *source, const char *section, const char *name)
{
    const char *meant = suggest(section, name);
    return option_fail(reason, "%s: unknown %s '%.64s'%s%s%s%s%s", source,
                       section != NULL ? "key" : "section", name,
                       section != NULL ? " in section " : "", section != NULL ? section : "",
                       meant != NULL ? "; did you mean '" : "", meant != NULL ? meant : "",
                       meant != NULL ? "'?" : "");
}

struct unit {
    enum option_type type;
    const char *name;
    uint64_t factor;
};

static const struct unit units[] = {
    {OPTION_MS, "ms", 1},
    {OPTION_MS, "s", 1000},
    {OPTION_MS, "m", 60000},
    {OPTION_MS, "h", 3600000},
    {OPTION_BYTES, "B", 1},
    {OPTION_BYTES, "KiB", 1024},
    {OPTION_BYTES, "MiB", UINT64_C(1) << 20},
    {OPTION_BYTES, "GiB", UINT64_C(1) << 30},
};

static bool read_number(enum option_type type, const char *text, uint64_t *ret)
{
    char *end;
    if (!isdigit((unsigned char)text[0]))
        return false;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    uint64_t factor = end[0] == '\0' ? 1 : 0;
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].type == type && strcmp(units[i].name, end) == 0)
            factor = units[i].factor;
    return errno == 0 && factor > 0 && !__builtin_mul_overflow(number, factor, ret);
}

static bool read_bool(const char *text, uint64_t *ret)
{
    *ret = strcmp(text, "true") == 0;
    return *ret == 1 || strcmp(text, "false") == 0;
}

static bool is_plain(const char *text)
{
    while (*text != '\0' && !iscntrl((unsigned char)*text))
        text++;
    return *text == '\0';
}

static bool check_text(const struct option *option, const char *source, const char *text,
                       char *reason)
{
    size_t size = strlen(text);
    if (size < option->min || size > option->max)
        return option_fail(reason, "%s: %s.%s: %zu bytes; it has %" PRIu64 " to %" PRIu64, source,
                           option->section, option->key, size, option->min, option->max);
    if (!is_plain(text))
        return option_fail(reason, "%s: %s.%s: holds a control character", source, option->section,
                           option->key);
    return true;
}

static bool check_number(const struct option *option, const char *source, const char *text,
                         uint64_t *ret, char *reason)
{
    static const char *const wanted[] = {[OPTION_U64] = "a whole number",
                                         [OPTION_BOOL] = "true or false",
                                         [OPTION_MS] = "a duration such as 250ms, 5s, 2m or 1h",
                                         [OPTION_BYTES] = "a size such as 4096, 64KiB or 256MiB"};
    bool read =
        option->type == OPTION_BOOL ? read_bool(text, ret) : read_number(option->type, text, ret);
    const char *unit = option->type == OPTION_MS      ? " ms"
                       : option->type == OPTION_BYTES ? " bytes"
                                                      : "";
    if (!read)
        return option_fail(reason, "%s: %s.%s: '%.64s' is not %s", source, option->section,
                           option->key, text, wanted[option->type]);
    if (*ret < option->min || *ret > option->max)
        return option_fail(reason, "%s: %s.%s: '%.64s' is not within %" PRIu64 " and %" PRIu64 "%s",
                           source, option->section, option->key, text, option->min, option->max,
                           unit);
    return true;
}

bool option_read(size_t row, const char *source, const char *text, uint64_t *ret, char *reason)
{
    assert(row < OPTION_COUNT);
    *ret = 0;
    return options[row].type == OPTION_TEXT
               ? check_text(&options[row], source, text, reason)
               : check_number(&options[row], source, text, ret, reason);
}
