/* table - see table.h. */
#include "actors/cli/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "actors/cli/json.h"

#define TREE_DEPTH_MAX 2 /* of what is indented; below that all is on one line */

struct grid {
    size_t columns, rows; /* rows: the first are the headings */
    char **cells;         /* row by row; each to be freed */
    size_t widths[TABLE_COLUMNS_MAX];
    bool numeric[TABLE_COLUMNS_MAX];
};

/* Places that a text takes in a terminal; where the locale does not know, a place a character. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    mbstate_t state;
    wchar_t character;
    memset(&state, 0, sizeof state);
    while (*text != '\0') {
        size_t size = mbrtowc(&character, text, strlen(text), &state);
        if (size == 0 || size > strlen(text))
            return width + strlen(text);
        int places = wcwidth(character);
        width += places < 0 ? 1 : (size_t)places;
        text += size;
    }
    return width;
}

/* Cut what is too wide, between two characters. */
static void limit_width(char *text)
{
    size_t size = strlen(text);
    if (width_of(text) <= TABLE_CELL_WIDTH_MAX)
        return;
    while (size > 0 && width_of(text) > TABLE_CELL_WIDTH_MAX - 3) {
        do {
            size--;
        } while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80);
        text[size] = '\0';
    }
    memcpy(text + size, "...", 4); /* at least so many bytes were cut off */
}

void print_us(double us, FILE *out)
{
    if (us < 1000)
        fprintf(out, "%.0f us", us);
    else if (us < 1e6)
        fprintf(out, "%.1f ms", us / 1e3);
    else if (us < 60e6)
        fprintf(out, "%.1f s", us / 1e6);
    else
        fprintf(out, "%.0f min", us / 60e6);
}

void print_bytes(double bytes, FILE *out)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;
    while (bytes >= 1024 && i + 1 < sizeof units / sizeof units[0]) {
        bytes /= 1024;
        i++;
    }
    fprintf(out, i == 0 ? "%.0f %s" : "%.1f %s", bytes, units[i]);
}

static bool is_number(struct bytes value)
{
    enum kind kind = value_kind(value);
    return kind == KIND_UINT || kind == KIND_INT || kind == KIND_F32 || kind == KIND_F64;
}

static void print_cell(struct bytes value, enum cell cell, FILE *out)
{
    double number = 0;
    bool yes = false;
    if (cell == CELL_YES && value_bool(value, &yes))
        fputs(yes ? "yes" : "-", out);
    else if (cell == CELL_PLAIN && value.data != NULL && value_kind(value) != KIND_NIL)
        json_print_plain(value, out);
    else if (cell == CELL_US && value_f64(value, &number))
        print_us(number, out);
    else if (cell == CELL_MS && value_f64(value, &number))
        print_us(number * 1000, out);
    else if (cell == CELL_BYTES && value_f64(value, &number))
        print_bytes(number, out);
    else if (cell == CELL_RATE && value_f64(value, &number))
        fprintf(out, "%.1f", number);
    else
        fputs("-", out);
}

static char *cell_text(struct bytes value, enum cell cell)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    assert(memory != NULL);
    print_cell(value, cell, memory);
    fputs("   ", memory); /* room for limit_width() */
    fclose(memory);
    text[size - 3] = '\0';
    limit_width(text);
    return text;
}

static void grid_set(struct grid *self, size_t row, size_t column, char *text)
{
    size_t width = width_of(text);
    self->cells[row * self->columns + column] = text;
    if (width > self->widths[column])
        self->widths[column] = width;
}

/* Right-aligned cells are padded before, others behind, but for the last. */
static void grid_print(const struct grid *self, FILE *out)
{
    for (size_t row = 0; row < self->rows; row++) {
        for (size_t column = 0; column < self->columns; column++) {
            const char *text = self->cells[row * self->columns + column];
            int padding = (int)(self->widths[column] - width_of(text));
            bool last = column + 1 == self->columns;
            if (self->numeric[column])
                fprintf(out, "%*s%s", padding, "", text);
            else
                fprintf(out, "%s%*s", text, last ? 0 : padding, "");
            fputs(last ? "\n" : "  ", out);
        }
    }
}

static void grid_fini(struct grid *self)
{
    for (size_t i = 0; i < self->columns * self->rows; i++)
        free(self->cells[i]);
    free(self->cells);
}

static void grid_fill(struct grid *self, struct bytes rows, const struct column *columns)
{
    struct values values = values_over(rows);
    struct bytes map;
    for (size_t row = 1; row < self->rows && values_next(&values, &map); row++)
        for (size_t column = 0; column < self->columns; column++) {
            struct bytes value = value_find(map, columns[column].key);
            bool bare = value.data == NULL || value_kind(value) == KIND_NIL;
            self->numeric[column] = self->numeric[column] && (bare || is_number(value));
            grid_set(self, row, column, cell_text(value, columns[column].cell));
        }
}

void table_print(struct bytes rows, const struct column *columns, size_t count, FILE *out)
{
    struct grid grid = {.columns = count, .rows = values_count(rows) + 1};
    assert(count <= TABLE_COLUMNS_MAX);
    if (grid.rows == 1 || count == 0)
        return;
    grid.cells = calloc(grid.rows * count, sizeof *grid.cells);
    assert(grid.cells != NULL);
    for (size_t i = 0; i < count; i++) {
        grid.numeric[i] = true;
        char *heading = strdup(columns[i].heading);
        assert(heading != NULL);
        grid_set(&grid, 0, i, heading);
    }
    grid_fill(&grid, rows, columns);
    grid_print(&grid, out);
    grid_fini(&grid);
}

/* A name as it stands in the map, and as it is shown. */
static char *name_text(struct bytes name, bool shown)
{
    struct bytes text = {0};
    if (shown)
        return cell_text(name, CELL_PLAIN);
    (void)value_text(name, &text);
    char *copy = strndup(text.data == NULL ? "" : text.data, text.size);
    assert(copy != NULL);
    return copy;
}

void table_print_rows(struct bytes rows, struct bytes names, FILE *out)
{
    struct column columns[TABLE_COLUMNS_MAX];
    struct values elements = values_over(rows);
    struct bytes first = {0}, name, value;
    size_t count = 0;
    bool from_row = names.data == NULL;
    if (!values_next(&elements, &first))
        return;
    struct values values = values_over(from_row ? first : names);
    while (count < TABLE_COLUMNS_MAX && values_next(&values, &name)) {
        if (from_row && !values_next(&values, &value))
            break;
        columns[count++] =
            (struct column){name_text(name, true), name_text(name, false), CELL_PLAIN};
    }
    table_print(rows, columns, count, out);
    for (size_t i = 0; i < count; i++) {
        free((char *)columns[i].heading);
        free((char *)columns[i].key);
    }
}

void table_print_pairs(struct bytes map, FILE *out)
{
    struct values values = values_over(map);
    struct bytes name, value;
    size_t widest = 0;
    while (values_next(&values, &name) && values_next(&values, &value)) {
        char *text = name_text(name, true);
        size_t width = width_of(text);
        widest = width > widest ? width : widest;
        free(text);
    }
    values = values_over(map);
    while (values_next(&values, &name) && values_next(&values, &value)) {
        char *text = name_text(name, true);
        fprintf(out, "%s%*s  ", text, (int)(widest - width_of(text)), "");
        json_print_plain(value, out);
        fputc('\n', out);
        free(text);
    }
}

static bool is_container(struct bytes value)
{
    enum kind kind = value_kind(value);
    return kind == KIND_MAP || kind == KIND_ARRAY;
}

/* name: a, name: b; or a, b, c */
static void print_inline(struct bytes value, FILE *out)
{
    struct values values = values_over(value);
    struct bytes element;
    const char *separator = "";
    bool is_map = value_kind(value) == KIND_MAP;
    if (!is_container(value))
        json_print_plain(value, out);
    while (values_next(&values, &element)) {
        fputs(separator, out);
        separator = ", ";
        if (!is_map) {
            print_inline(element, out);
            continue;
        }
        json_print_plain(element, out);
        fputs(": ", out);
        if (values_next(&values, &element))
            print_inline(element, out);
    }
}

static void print_branch(struct bytes container, int depth, FILE *out)
{
    struct values values = values_over(container);
    struct bytes element;
    bool is_map = value_kind(container) == KIND_MAP;
    while (values_next(&values, &element)) {
        fprintf(out, "%*s", 2 * depth, "");
        if (is_map) {
            json_print_plain(element, out);
            fputc(':', out);
            if (!values_next(&values, &element))
                break;
        }
        bool opens = is_map && is_container(element) && depth < TREE_DEPTH_MAX;
        if (!opens) {
            fputs(is_map ? " " : "", out);
            print_inline(element, out);
        }
        fputc('\n', out);
        if (opens)
            print_branch(element, depth + 1, out);
    }
}

void tree_print(struct bytes map, FILE *out)
{
    print_branch(map, 0, out);
}
