/* settings - see settings.h.
 *
 * libcyaml reads the file against a schema that is made from the rows: every value is a text to it,
 * and our own parser reads the text, as it does for environment and flags. So each source has the
 * same syntax, bounds and reasons. All sections share one array of texts, a place a row. */
#include "actors/runtime/settings.h"

#include <assert.h>
#include <ctype.h>
#include <cyaml/cyaml.h>
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 64u /* of a section or key, in a suggestion */
#define TYPO_DISTANCE_MAX 3u
#define PLACE_BYTES 256u

/* clang-format off */
const struct option options[] = {
#define OPTION(section, key, TYPE, missing, min, max, RELOAD, doc) \
    {#section, #key, OPTION_##TYPE, missing, min, max, OPTION_##RELOAD, doc},
#include "protocol/options.def"
};
enum {
    OPTION_COUNT = 0
#define OPTION(section, key, TYPE, missing, min, max, RELOAD, doc) + 1
#include "protocol/options.def"
};
/* clang-format on */
const size_t option_count = OPTION_COUNT;

struct value {
    char *text;
    uint64_t number; /* of TEXT: 0 */
    enum origin origin;
};

struct settings {
    struct value values[OPTION_COUNT];
};

static bool fail(char *reason, const char *format, ...) __attribute__((format(printf, 2, 3)));

static bool fail(char *reason, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(reason, SETTINGS_REASON_BYTES, format, arguments);
    va_end(arguments);
    return false;
}

/* Rows. */

static size_t row_find(const char *section, const char *key)
{
    size_t row = 0;
    while (row < OPTION_COUNT &&
           !(strcmp(options[row].section, section) == 0 && strcmp(options[row].key, key) == 0))
        row++;
    return row;
}

static bool section_exists(const char *section)
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

static bool fail_unknown(char *reason, const char *source, const char *section, const char *name)
{
    const char *meant = suggest(section, name);
    return fail(reason, "%s: unknown %s '%.64s'%s%s%s%s%s", source,
                section != NULL ? "key" : "section", name, section != NULL ? " in section " : "",
                section != NULL ? section : "", meant != NULL ? "; did you mean '" : "",
                meant != NULL ? meant : "", meant != NULL ? "'?" : "");
}

/* Values. */

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
    {OPTION_BYTES, "MiB", 1024 * 1024},
    {OPTION_BYTES, "GiB", 1024 * 1024 * 1024},
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
        return fail(reason, "%s: %s.%s: %zu bytes; it has %" PRIu64 " to %" PRIu64, source,
                    option->section, option->key, size, option->min, option->max);
    if (!is_plain(text))
        return fail(reason, "%s: %s.%s: holds a control character", source, option->section,
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
        return fail(reason, "%s: %s.%s: '%.64s' is not %s", source, option->section, option->key,
                    text, wanted[option->type]);
    if (*ret < option->min || *ret > option->max)
        return fail(reason, "%s: %s.%s: '%.64s' is not within %" PRIu64 " and %" PRIu64 "%s",
                    source, option->section, option->key, text, option->min, option->max, unit);
    return true;
}

/* Check a value against its row, and take it if nothing of a higher origin is there.
 *
 * source  where it stands, for the reason */
static bool assign(struct settings *self, size_t row, enum origin origin, const char *source,
                   const char *text, char *reason)
{
    assert(row < OPTION_COUNT);
    uint64_t number = 0;
    struct value *value = &self->values[row];
    bool good = options[row].type == OPTION_TEXT
                    ? check_text(&options[row], source, text, reason)
                    : check_number(&options[row], source, text, &number, reason);
    if (!good || origin < value->origin)
        return good;
    char *copy = strdup(text);
    assert(copy != NULL);
    free(value->text);
    *value = (struct value){copy, number, origin};
    return true;
}

struct settings *settings_new(void)
{
    char reason[SETTINGS_REASON_BYTES];
    struct settings *self = calloc(1, sizeof *self);
    assert(self != NULL);
    for (size_t row = 0; row < OPTION_COUNT; row++) {
        assert(row_find(options[row].section, options[row].key) == row); /* no row twice */
        bool good = assign(self, row, ORIGIN_DEFAULT, "default", options[row].missing, reason);
        assert(good);
    }
    return self;
}

void settings_destroy(struct settings **self)
{
    if (*self == NULL)
        return;
    for (size_t row = 0; row < OPTION_COUNT; row++)
        free((*self)->values[row].text);
    free(*self);
    *self = NULL;
}

/* The file. */

struct schema {
    cyaml_schema_field_t keys[2 * OPTION_COUNT + 1]; /* of each section, and its end */
    cyaml_schema_field_t sections[OPTION_COUNT + 1];
    cyaml_schema_value_t top;
};

struct texts {
    char *values[OPTION_COUNT]; /* NULL: not in the file */
};

/* Sections in the order of the rows, which stand together. */
static void schema_init(struct schema *self)
{
    size_t keys = 0, sections = 0;
    memset(self, 0, sizeof *self);
    for (size_t row = 0; row < OPTION_COUNT; row++) {
        if (row == 0 || strcmp(options[row].section, options[row - 1].section) != 0) {
            keys += row > 0; /* the end of the last */
            cyaml_schema_field_t *section = &self->sections[sections++];
            section->key = options[row].section;
            section->value.type = CYAML_MAPPING;
            section->value.flags = CYAML_FLAG_OPTIONAL;
            section->value.data_size = sizeof(struct texts);
            section->value.mapping.fields = &self->keys[keys];
        }
        cyaml_schema_field_t *key = &self->keys[keys++];
        key->key = options[row].key;
        key->data_offset = (uint32_t)(row * sizeof(char *));
        key->value.type = CYAML_STRING;
        key->value.flags = CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL;
        key->value.data_size = 1;
        key->value.string.max = SETTINGS_FILE_BYTES_MAX;
    }
    self->top.type = CYAML_MAPPING;
    self->top.flags = CYAML_FLAG_POINTER;
    self->top.data_size = sizeof(struct texts);
    self->top.mapping.fields = self->sections;
}

/* What libcyaml says of a bad file, several lines of log, gathered for our one. */
struct complaint {
    char text[160]; /* the first line that is no place */
    char path[160]; /* the keys that lead to it, with dots */
    unsigned line;  /* where the mapping begins that it is in; 0: not said */
};

static void on_complaint(cyaml_log_t level, void *context, const char *format, va_list arguments)
{
    struct complaint *self = context;
    char line[256], field[64], path[sizeof self->path];
    (void)level;
    (void)vsnprintf(line, sizeof line, format, arguments);
    line[strcspn(line, "\n")] = '\0';
    const char *place = strstr(line, "(line: ");
    const char *in = strstr(line, "mapping field '");
    const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
    if (in != NULL && sscanf(in, "mapping field '%63[^']", field) == 1) {
        memcpy(path, self->path, sizeof path);
        (void)snprintf(self->path, sizeof self->path, "%s%s%.90s", field,
                       path[0] != '\0' ? "." : "", path);
    }
    if (place != NULL && self->line == 0)
        self->line = (unsigned)strtoul(place + strlen("(line: "), NULL, 10);
    if (place == NULL && strcmp(text, "Backtrace:") != 0 && self->text[0] == '\0')
        (void)snprintf(self->text, sizeof self->text, "%.159s", text);
}

/* The line of the file, from 1, on which this key begins, at or after line from; 0: on none. */
static unsigned find_line(struct bytes text, const char *key, unsigned from)
{
    const char *at = text.data, *end = text.data + text.size;
    size_t key_size = strlen(key);
    for (unsigned line = 1; at < end; line++) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        while (at < stop && (*at == ' ' || *at == '"' || *at == '\''))
            at++;
        if (line >= from && (size_t)(stop - at) > key_size && memcmp(at, key, key_size) == 0 &&
            memchr(": \"'", at[key_size], 4) != NULL)
            return line;
        at = stop + 1;
    }
    return 0;
}

static void name_place(char *out, const char *name, unsigned line)
{
    if (line > 0)
        (void)snprintf(out, PLACE_BYTES, "%.200s:%u", name, line);
    else
        (void)snprintf(out, PLACE_BYTES, "%.200s", name);
}

static bool fail_yaml(const struct complaint *complaint, const char *name, struct bytes text,
                      char *reason)
{
    static const char unknown[] = "Unexpected key: ";
    char place[PLACE_BYTES];
    bool has_path = complaint->path[0] != '\0';
    if (strncmp(complaint->text, unknown, sizeof unknown - 1) != 0) {
        name_place(place, name, complaint->line);
        return fail(reason, "%s: %s%s%s", place, complaint->path, has_path ? ": " : "",
                    complaint->text);
    }
    const char *key = complaint->text + sizeof unknown - 1;
    name_place(place, name, find_line(text, key, complaint->line));
    return fail_unknown(reason, place, has_path ? complaint->path : NULL, key);
}

static bool assign_texts(struct settings *self, const struct texts *texts, const char *name,
                         struct bytes text, char *reason)
{
    char place[PLACE_BYTES];
    for (size_t row = 0; row < OPTION_COUNT; row++) {
        if (texts->values[row] == NULL)
            continue;
        unsigned line = find_line(text, options[row].section, 1);
        name_place(place, name, line == 0 ? 0 : find_line(text, options[row].key, line));
        if (!assign(self, row, ORIGIN_FILE, place, texts->values[row], reason))
            return false;
    }
    return true;
}

bool settings_read_yaml(struct settings *self, const char *name, struct bytes text, char *reason)
{
    struct schema schema;
    struct complaint complaint = {.line = 0};
    struct texts *texts = NULL;
    cyaml_config_t config = {.log_fn = on_complaint,
                             .log_ctx = &complaint,
                             .mem_fn = cyaml_mem,
                             .log_level = CYAML_LOG_WARNING, /* a second document is one */
                             .flags = CYAML_CFG_NO_ALIAS};
    if (text.size > SETTINGS_FILE_BYTES_MAX)
        return fail(reason, "%s: larger than %u bytes", name, SETTINGS_FILE_BYTES_MAX);
    schema_init(&schema);
    cyaml_err_t error = cyaml_load_data((const uint8_t *)text.data, text.size, &config, &schema.top,
                                        (cyaml_data_t **)&texts, NULL);
    if (complaint.text[0] == '\0' && error != CYAML_OK)
        (void)snprintf(complaint.text, sizeof complaint.text, "%s", cyaml_strerror(error));
    bool good = complaint.text[0] == '\0';
    if (!good)
        (void)fail_yaml(&complaint, name, text, reason);
    else if (texts != NULL)
        good = assign_texts(self, texts, name, text, reason);
    (void)cyaml_free(&config, &schema.top, texts, 0);
    return good;
}

bool settings_read_file(struct settings *self, const char *path, char *reason)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return fail(reason, "%s: %s", path, strerror(errno));
    char *text = malloc(SETTINGS_FILE_BYTES_MAX + 1);
    assert(text != NULL);
    size_t size = fread(text, 1, SETTINGS_FILE_BYTES_MAX + 1, file);
    bool good = ferror(file) == 0
                    ? settings_read_yaml(self, path, (struct bytes){text, size}, reason)
                    : fail(reason, "%s: %s", path, strerror(errno));
    free(text);
    (void)fclose(file);
    return good;
}

/* Environment and flags. */

/* True if name is FACT_<SECTION>_ and more; returns that, in small letters, in key. */
static bool is_of_section(const char *name, size_t name_size, const char *section, char *key)
{
    size_t prefix = strlen("FACT_") + strlen(section) + 1;
    char upper[NAME_MAX_BYTES + 8];
    int size = snprintf(upper, sizeof upper, "FACT_%s_", section);
    assert(size == (int)prefix);
    for (size_t i = 0; i < prefix; i++)
        upper[i] = (char)toupper((unsigned char)upper[i]);
    if (name_size <= prefix || memcmp(name, upper, prefix) != 0)
        return false;
    size_t key_size = name_size - prefix < NAME_MAX_BYTES ? name_size - prefix : NAME_MAX_BYTES;
    for (size_t i = 0; i < key_size; i++)
        key[i] = (char)tolower((unsigned char)name[prefix + i]);
    key[key_size] = '\0';
    return true;
}

static bool read_variable(struct settings *self, const char *variable, char *reason)
{
    char key[NAME_MAX_BYTES + 1], source[NAME_MAX_BYTES + 1];
    const char *value = strchr(variable, '=');
    if (value == NULL || strncmp(variable, "FACT_", 5) != 0)
        return true;
    size_t size = (size_t)(value - variable);
    (void)snprintf(source, sizeof source, "%.*s", (int)size, variable);
    for (size_t row = 0; row < OPTION_COUNT; row++) {
        const char *section = options[row].section;
        if (row > 0 && strcmp(section, options[row - 1].section) == 0)
            continue;
        if (!is_of_section(variable, size, section, key))
            continue;
        size_t found = row_find(section, key);
        if (found == OPTION_COUNT)
            return fail_unknown(reason, source, section, key);
        return assign(self, found, ORIGIN_ENVIRONMENT, source, value + 1, reason);
    }
    return true;
}

bool settings_read_environment(struct settings *self, char *const *environment, char *reason)
{
    for (size_t i = 0; environment[i] != NULL; i++)
        if (!read_variable(self, environment[i], reason))
            return false;
    return true;
}

bool settings_read_flag(struct settings *self, const char *assignment, char *reason)
{
    char section[NAME_MAX_BYTES + 1], key[NAME_MAX_BYTES + 1];
    const char *value = strchr(assignment, '=');
    const char *dot = strchr(assignment, '.');
    if (value == NULL || dot == NULL || dot > value)
        return fail(reason, "--set %.64s: it is section.key=value", assignment);
    (void)snprintf(section, sizeof section, "%.*s", (int)(dot - assignment), assignment);
    (void)snprintf(key, sizeof key, "%.*s", (int)(value - dot - 1), dot + 1);
    if (!section_exists(section))
        return fail_unknown(reason, "--set", NULL, section);
    size_t row = row_find(section, key);
    if (row == OPTION_COUNT)
        return fail_unknown(reason, "--set", section, key);
    return assign(self, row, ORIGIN_FLAG, "--set", value + 1, reason);
}

/* What counts. */

static const struct value *get(const struct settings *self, const char *section, const char *key,
                               bool is_text)
{
    size_t row = row_find(section, key);
    assert(row < OPTION_COUNT);
    assert((options[row].type == OPTION_TEXT) == is_text);
    return &self->values[row];
}

const char *settings_text(const struct settings *self, const char *section, const char *key)
{
    return get(self, section, key, true)->text;
}

uint64_t settings_u64(const struct settings *self, const char *section, const char *key)
{
    return get(self, section, key, false)->number;
}

bool settings_bool(const struct settings *self, const char *section, const char *key)
{
    return get(self, section, key, false)->number != 0;
}

const char *settings_value(const struct settings *self, size_t row)
{
    assert(row < OPTION_COUNT);
    return self->values[row].text;
}

enum origin settings_origin(const struct settings *self, size_t row)
{
    assert(row < OPTION_COUNT);
    return self->values[row].origin;
}

const char *origin_name(enum origin origin)
{
    static const char *const names[] = {[ORIGIN_DEFAULT] = "default",
                                        [ORIGIN_FILE] = "file",
                                        [ORIGIN_ENVIRONMENT] = "environment",
                                        [ORIGIN_FLAG] = "flag"};
    assert(origin <= ORIGIN_FLAG);
    return names[origin];
}
