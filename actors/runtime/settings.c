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
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 64u /* of a section or key, in environment and flags */
#define PLACE_BYTES 256u

struct value {
    char *text;
    uint64_t number; /* of TEXT: 0 */
    enum origin origin;
};

struct settings {
    struct value values[OPTION_COUNT];
};

/* Check a value against its row, and take it if nothing of a higher origin is there.
 *
 * source  where it stands, for the reason */
static bool assign(struct settings *self, size_t row, enum origin origin, const char *source,
                   const char *text, char *reason)
{
    assert(row < OPTION_COUNT);
    uint64_t number = 0;
    struct value *value = &self->values[row];
    bool good = option_read(row, source, text, &number, reason);
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
        assert(option_find(options[row].section, options[row].key) == row); /* no row twice */
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

static bool is_end_of_key(char character)
{
    return character == ':' || character == ' ' || character == '"' || character == '\'';
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
            is_end_of_key(at[key_size]))
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
        return option_fail(reason, "%s: %s%s%s", place, complaint->path, has_path ? ": " : "",
                           complaint->text);
    }
    const char *key = complaint->text + sizeof unknown - 1;
    name_place(place, name, find_line(text, key, complaint->line));
    return option_fail_unknown(reason, place, has_path ? complaint->path : NULL, key);
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
        return option_fail(reason, "%s: larger than %u bytes", name, SETTINGS_FILE_BYTES_MAX);
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
        return option_fail(reason, "%s: %s", path, strerror(errno));
    char *text = malloc(SETTINGS_FILE_BYTES_MAX + 1);
    assert(text != NULL);
    size_t size = fread(text, 1, SETTINGS_FILE_BYTES_MAX + 1, file);
    bool good = ferror(file) == 0
                    ? settings_read_yaml(self, path, (struct bytes){text, size}, reason)
                    : option_fail(reason, "%s: %s", path, strerror(errno));
    free(text);
    (void)fclose(file);
    return good;
}

/* Environment and flags. */

static void copy_lower(char *out, size_t size, const char *text)
{
    size_t i = 0;
    for (; i + 1 < size && text[i] != '\0'; i++)
        out[i] = (char)(tolower)((unsigned char)text[i]);
    out[i] = '\0';
}

/* The section that name, <section>_<key> in small letters, begins with; NULL: none of ours. */
static const char *section_of(const char *name)
{
    for (size_t row = 0; row < OPTION_COUNT; row++) {
        size_t size = strlen(options[row].section);
        if (strncmp(name, options[row].section, size) == 0 && name[size] == '_' &&
            name[size + 1] != '\0')
            return options[row].section;
    }
    return NULL;
}

static bool read_variable(struct settings *self, const char *variable, char *reason)
{
    char source[2 * NAME_MAX_BYTES], name[2 * NAME_MAX_BYTES];
    const char *value = strchr(variable, '=');
    if (value == NULL || strncmp(variable, "FACT_", 5) != 0)
        return true;
    (void)snprintf(source, sizeof source, "%.*s", (int)(value - variable), variable);
    copy_lower(name, sizeof name, source + strlen("FACT_"));
    const char *section = section_of(name);
    if (section == NULL)
        return true;
    const char *key = name + strlen(section) + 1;
    size_t row = option_find(section, key);
    if (row == OPTION_COUNT)
        return option_fail_unknown(reason, source, section, key);
    return assign(self, row, ORIGIN_ENVIRONMENT, source, value + 1, reason);
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
        return option_fail(reason, "--set %.64s: it is section.key=value", assignment);
    (void)snprintf(section, sizeof section, "%.*s", (int)(dot - assignment), assignment);
    (void)snprintf(key, sizeof key, "%.*s", (int)(value - dot - 1), dot + 1);
    if (!option_section_exists(section))
        return option_fail_unknown(reason, "--set", NULL, section);
    size_t row = option_find(section, key);
    if (row == OPTION_COUNT)
        return option_fail_unknown(reason, "--set", section, key);
    return assign(self, row, ORIGIN_FLAG, "--set", value + 1, reason);
}

/* What counts. */

static const struct value *get(const struct settings *self, const char *section, const char *key,
                               bool is_text)
{
    size_t row = option_find(section, key);
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
