/* functions - see functions.h. The GNU C library's memmem is linear (two-way). */
#include "actors/tool_executor/database/functions.h"

#include <stdlib.h>
#include <string.h>

#include "actors/tool_executor/database/pattern_match.h"

#define WINDOW_BYTES 1024u /* and some needles: what is searched at a time */

static bool is_continuation(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The bytes of a value that is not NULL: a blob's own, of anything else its text. */
static struct piece text_of(sqlite3_value *value)
{
    const char *data = (const char *)sqlite3_value_text(value); /* before bytes(): it may convert */
    return (struct piece){data == NULL ? "" : data, (size_t)sqlite3_value_bytes(value)};
}

static struct piece blob_of(sqlite3_value *value)
{
    const char *data = sqlite3_value_blob(value);
    return (struct piece){data == NULL ? "" : data, (size_t)sqlite3_value_bytes(value)};
}

static bool any_null(int count, sqlite3_value **values)
{
    bool found = false;
    for (int i = 0; i < count; i++)
        found = found || sqlite3_value_type(values[i]) == SQLITE_NULL;
    return found;
}

/* memmem() in windows: each call then costs no more than the distance to what it finds, under a
 * sanitizer too, which looks at all that the call may read. NULL: not found. */
static const char *find(const char *at, const char *end, struct piece needle)
{
    size_t window = 4 * needle.size + WINDOW_BYTES;
    while ((size_t)(end - at) > window) {
        const char *found = memmem(at, window, needle.data, needle.size);
        if (found != NULL)
            return found;
        at += window - needle.size;
    }
    return memmem(at, (size_t)(end - at), needle.data, needle.size);
}

/* Position from 1 of the second in the first, in characters; of two blobs in bytes; 0: none. */
static void run_instr(sqlite3_context *context, int count, sqlite3_value **values)
{
    bool blobs = sqlite3_value_type(values[0]) == SQLITE_BLOB &&
                 sqlite3_value_type(values[1]) == SQLITE_BLOB;
    if (any_null(count, values))
        return; /* NULL is the result unless another is set */
    struct piece hay = blobs ? blob_of(values[0]) : text_of(values[0]);
    struct piece needle = blobs ? blob_of(values[1]) : text_of(values[1]);
    const char *found = find(hay.data, hay.data + hay.size, needle);
    int64_t position = found == NULL ? 0 : 1;
    for (const char *at = hay.data; found != NULL && at < found; at++)
        position += blobs || !is_continuation(*at);
    sqlite3_result_int64(context, position);
}

static size_t occurrences(struct piece hay, struct piece needle)
{
    size_t count = 0;
    const char *end = hay.data + hay.size, *at = hay.data;
    while ((at = find(at, end, needle)) != NULL) {
        count++;
        at += needle.size;
    }
    return count;
}

/* out has room for all of it. */
static void replace_all(struct piece hay, struct piece old, struct piece new, char *out)
{
    const char *end = hay.data + hay.size, *at = hay.data, *found;
    while ((found = find(at, end, old)) != NULL) {
        memcpy(out, at, (size_t)(found - at));
        out += found - at;
        memcpy(out, new.data, new.size);
        out += new.size;
        at = found + old.size;
    }
    memcpy(out, at, (size_t)(end - at));
}

static void run_replace(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (any_null(count, values))
        return;
    struct piece hay = text_of(values[0]), old = text_of(values[1]), new = text_of(values[2]);
    if (old.size == 0 || old.data[0] == '\0') { /* as the built-in one: nothing to look for */
        sqlite3_result_value(context, values[0]);
        return;
    }
    size_t found = occurrences(hay, old);
    size_t limit =
        (size_t)sqlite3_limit(sqlite3_context_db_handle(context), SQLITE_LIMIT_LENGTH, -1);
    size_t rest = hay.size - found * old.size;
    if (new.size > 0 && found > limit / new.size) {
        sqlite3_result_error_toobig(context);
        return;
    }
    size_t size = rest + found * new.size;
    if (size > limit) {
        sqlite3_result_error_toobig(context);
        return;
    }
    char *out = sqlite3_malloc64(size + 1);
    if (out == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    replace_all(hay, old, new, out);
    sqlite3_result_text64(context, out, size, sqlite3_free, SQLITE_UTF8);
}

/* Characters to take away: ASCII by a map, the others one by one. */
struct trim_set {
    bool ascii[128];
    struct piece wide[TRIM_SET_MAX];
    size_t wide_count;
};

static size_t character_size(const char *at, const char *end)
{
    const char *next = at + 1;
    while (next < end && (unsigned char)*at >= 0xc0 && is_continuation(*next))
        next++;
    return (size_t)(next - at);
}

static bool trim_set_init(struct trim_set *self, struct piece characters)
{
    const char *at = characters.data, *end = at + characters.size;
    memset(self, 0, sizeof *self);
    while (at < end) {
        size_t size = character_size(at, end);
        if ((unsigned char)*at < 0x80)
            self->ascii[(unsigned char)*at] = true;
        else if (self->wide_count == TRIM_SET_MAX)
            return false;
        else
            self->wide[self->wide_count++] = (struct piece){at, size};
        at += size;
    }
    return true;
}

/* Bytes of the member that text begins (or ends) with; 0: it does with none. */
static size_t trim_match(const struct trim_set *self, struct piece text, bool at_end)
{
    if (text.size == 0)
        return 0;
    char edge = text.data[at_end ? text.size - 1 : 0];
    if ((unsigned char)edge < 0x80)
        return self->ascii[(unsigned char)edge];
    for (size_t i = 0; i < self->wide_count; i++) {
        struct piece wide = self->wide[i];
        const char *at = text.data + (at_end ? text.size - wide.size : 0);
        if (wide.size <= text.size && memcmp(at, wide.data, wide.size) == 0)
            return wide.size;
    }
    return 0;
}

enum { TRIM_LEFT = 1, TRIM_RIGHT = 2 };

static void run_trim(sqlite3_context *context, int count, sqlite3_value **values)
{
    int sides = (int)(intptr_t)sqlite3_user_data(context);
    struct trim_set set;
    struct piece blank = {" ", 1};
    if (any_null(count, values))
        return;
    struct piece text = text_of(values[0]);
    if (!trim_set_init(&set, count == 1 ? blank : text_of(values[1]))) {
        sqlite3_result_error(context, "too many characters in the set of trim", -1);
        return;
    }
    size_t size;
    while ((sides & TRIM_LEFT) != 0 && (size = trim_match(&set, text, false)) > 0)
        text = (struct piece){text.data + size, text.size - size};
    while ((sides & TRIM_RIGHT) != 0 && (size = trim_match(&set, text, true)) > 0)
        text.size -= size;
    sqlite3_result_text64(context, text.data, text.size, SQLITE_TRANSIENT, SQLITE_UTF8);
}

/* Who is to be asked whether time is over. */
struct clock {
    int (*is_over)(void *context);
    void *context;
};

/* The built-in ones end a text at its first zero byte. */
static struct piece to_zero(struct piece text)
{
    return (struct piece){text.data, strnlen(text.data, text.size)};
}

static void match(sqlite3_context *context, sqlite3_value **values, bool is_glob, uint32_t escape)
{
    const struct clock *clock = sqlite3_user_data(context);
    sqlite3 *db = sqlite3_context_db_handle(context);
    if (sqlite3_value_type(values[0]) == SQLITE_BLOB ||
        sqlite3_value_type(values[1]) == SQLITE_BLOB) { /* LIKE_DOESNT_MATCH_BLOBS */
        sqlite3_result_int(context, 0);
        return;
    }
    struct piece text = text_of(values[0]), subject = text_of(values[1]);
    if (text.size > (size_t)sqlite3_limit(db, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, -1)) {
        sqlite3_result_error(context, "LIKE or GLOB pattern too complex", -1);
        return;
    }
    struct pattern pattern = {to_zero(text), is_glob, escape, clock->is_over, clock->context};
    enum match matched = pattern_match(&pattern, to_zero(subject));
    if (matched == MATCH_STOPPED)
        sqlite3_result_error_code(context, SQLITE_INTERRUPT);
    else
        sqlite3_result_int(context, matched == MATCH_YES);
}

static void run_like(sqlite3_context *context, int count, sqlite3_value **values)
{
    uint32_t escape = 0;
    if (any_null(count, values))
        return;
    if (count == 3) {
        struct piece text = text_of(values[2]);
        size_t size = 0;
        if (text.size > 0)
            escape = character_at(text.data, text.data + text.size, &size);
        if (size == 0 || size != text.size) {
            sqlite3_result_error(context, "ESCAPE expression must be a single character", -1);
            return;
        }
    }
    match(context, values, false, escape);
}

static void run_glob(sqlite3_context *context, int count, sqlite3_value **values)
{
    if (!any_null(count, values))
        match(context, values, true, 0);
}

static const struct {
    const char *name;
    int arguments;
    intptr_t sides; /* of trim */
    void (*run)(sqlite3_context *context, int count, sqlite3_value **values);
} functions[] = {
    {"instr", 2, 0, run_instr},
    {"replace", 3, 0, run_replace},
    {"ltrim", 1, TRIM_LEFT, run_trim},
    {"ltrim", 2, TRIM_LEFT, run_trim},
    {"rtrim", 1, TRIM_RIGHT, run_trim},
    {"rtrim", 2, TRIM_RIGHT, run_trim},
    {"trim", 1, TRIM_LEFT | TRIM_RIGHT, run_trim},
    {"trim", 2, TRIM_LEFT | TRIM_RIGHT, run_trim},
};

static const struct {
    const char *name;
    int arguments;
    void (*run)(sqlite3_context *context, int count, sqlite3_value **values);
} matchers[] = {{"like", 2, run_like}, {"like", 3, run_like}, {"glob", 2, run_glob}};

int functions_register(sqlite3 *db, int (*is_over)(void *context), void *context)
{
    int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, code = SQLITE_OK;
    for (size_t i = 0; i < sizeof functions / sizeof functions[0] && code == SQLITE_OK; i++)
        code = sqlite3_create_function_v2(db, functions[i].name, functions[i].arguments, flags,
                                          (void *)functions[i].sides, functions[i].run, NULL, NULL,
                                          NULL);
    for (size_t i = 0; i < sizeof matchers / sizeof matchers[0] && code == SQLITE_OK; i++) {
        struct clock *clock = malloc(sizeof *clock); /* the connection frees it */
        if (clock == NULL)
            return SQLITE_NOMEM;
        *clock = (struct clock){is_over, context};
        code = sqlite3_create_function_v2(db, matchers[i].name, matchers[i].arguments, flags, clock,
                                          matchers[i].run, NULL, NULL, free);
    }
    return code;
}
