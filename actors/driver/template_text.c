/* template_text - the statement and the sentence of a template; see templates.h.
 *
 * Both are patterns with names in braces: one table of names for each. */
#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "actors/driver/templates.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

struct text {
    char *data;
    size_t size, used; /* cut where it ends */
};

__attribute__((format(printf, 2, 3))) static void put(struct text *self, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(self->data + self->used, self->size - self->used, format, arguments);
    va_end(arguments);
    assert(size >= 0);
    self->used += (size_t)size;
    if (self->used >= self->size)
        self->used = self->size - 1;
}

static void put_bytes(struct text *self, struct bytes bytes)
{
    put(self, "%.*s", (int)bytes.size, bytes.data == NULL ? "" : bytes.data);
}

/* The next piece of a pattern: text up to a brace, or the name in braces; false: the end. */
static bool next_piece(const char **pattern, struct bytes *ret, bool *ret_is_name)
{
    const char *at = *pattern;
    if (*at == '\0')
        return false;
    *ret_is_name = *at == '{';
    size_t size = *ret_is_name ? strcspn(at, "}") - 1 : strcspn(at, "{");
    *ret = (struct bytes){at + *ret_is_name, size};
    *pattern = at + size + (*ret_is_name ? 2 : 0);
    return true;
}

/* --- the statement --- */

struct building {
    const struct reading *reading;
    struct text text;
    struct writer *parameters; /* NULL: only the text is wanted */
    size_t parameter_count;
};

static void bind_text(struct building *self, struct bytes text)
{
    put(&self->text, "?");
    self->parameter_count++;
    if (self->parameters != NULL)
        writer_text(self->parameters, text);
}

static void bind_number(struct building *self, int64_t number)
{
    put(&self->text, "?");
    self->parameter_count++;
    if (self->parameters != NULL)
        writer_i64(self->parameters, number);
}

static void put_in_period(struct building *self, struct period period)
{
    put(&self->text, "f.year * 4 + substr(f.quarter, 2) - 1 between ");
    bind_number(self, period.from);
    put(&self->text, " and ");
    bind_number(self, period.to);
}

/* What is asked for over all of a period; of a SPAN over both ends and what is between. */
static struct period whole(const struct reading *reading)
{
    struct period period = reading->periods[0];
    if ((reading->elements & SPAN) != 0)
        period.to = reading->periods[1].to;
    return period;
}

static void put_sum_in(struct building *self, unsigned end)
{
    put(&self->text, "sum(case when ");
    put_in_period(self, self->reading->periods[end]);
    put(&self->text, " then %s end)", self->reading->metric->column);
}

static void put_company(struct building *self)
{
    bind_text(self, self->reading->companies[0]);
}

static void put_other(struct building *self)
{
    bind_text(self, self->reading->companies[1]);
}

static void put_sector(struct building *self)
{
    bind_text(self, self->reading->sector);
}

static void put_and_sector(struct building *self)
{
    if ((self->reading->elements & SECTOR) == 0)
        return;
    put(&self->text, " and c.sector = ");
    put_sector(self);
}

static void put_whole_period(struct building *self)
{
    put_in_period(self, whole(self->reading));
}

static void put_and_in_period(struct building *self)
{
    if ((self->reading->elements & PERIOD) == 0)
        return;
    put(&self->text, " and ");
    put_whole_period(self);
}

static void put_number(struct building *self)
{
    bind_number(self, (int64_t)self->reading->number);
}

static void put_metric(struct building *self)
{
    put(&self->text, "%s", self->reading->metric->name);
}

static void put_sum(struct building *self)
{
    put(&self->text, "%s", self->reading->metric->expression);
}

static void put_column(struct building *self)
{
    put(&self->text, "%s", self->reading->metric->column);
}

static void put_sum_from(struct building *self)
{
    put_sum_in(self, 0);
}

static void put_sum_to(struct building *self)
{
    put_sum_in(self, 1);
}

static void put_extreme(struct building *self)
{
    put(&self->text, "%s", self->reading->lowest ? "min" : "max");
}

static void put_direction(struct building *self)
{
    put(&self->text, "%s", self->reading->lowest ? "asc" : "desc");
}

static void put_attribute(struct building *self)
{
    put(&self->text, "%s", self->reading->attribute->name);
}

static const struct {
    const char *name;
    void (*put)(struct building *self);
} statement_names[] = {
    {"metric", put_metric},         {"sum", put_sum},
    {"column", put_column},         {"company", put_company},
    {"other", put_other},           {"sector", put_sector},
    {"and_sector", put_and_sector}, {"in_period", put_whole_period},
    {"sum_from", put_sum_from},     {"and_in_period", put_and_in_period},
    {"sum_to", put_sum_to},         {"number", put_number},
    {"extreme", put_extreme},       {"direction", put_direction},
    {"attribute", put_attribute},
};

static void build(struct building *self, const char *pattern)
{
    struct bytes piece;
    bool is_name;
    while (next_piece(&pattern, &piece, &is_name)) {
        size_t i = 0;
        while (is_name && i < COUNT_OF(statement_names) &&
               !bytes_are(piece, statement_names[i].name))
            i++;
        assert(i < COUNT_OF(statement_names));
        if (is_name)
            statement_names[i].put(self);
        else
            put_bytes(&self->text, piece);
    }
    assert(self->text.used + 1 < self->text.size); /* our own texts: they fit */
}

void template_write_arguments(const struct template *self, const struct reading *reading,
                              struct writer *writer)
{
    char statement[STATEMENT_BYTES_MAX];
    assert(self->statement != NULL);
    struct building building = {reading, {statement, sizeof statement, 0}, NULL, 0};
    build(&building, self->statement);
    writer_map(writer, 2);
    writer_cstr(writer, "parameters");
    writer_array(writer, building.parameter_count);
    building = (struct building){reading, {statement, sizeof statement, 0}, writer, 0};
    build(&building, self->statement);
    writer_cstr(writer, "statement");
    writer_text(writer, (struct bytes){statement, building.text.used});
}

/* --- the sentence --- */

struct saying {
    const struct reading *reading;
    struct bytes rows;
    struct text text;
};

/* 1234567 as 1,234,567. */
static void say_integer(struct text *text, int64_t number)
{
    char digits[24];
    uint64_t size = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    int count = snprintf(digits, sizeof digits, "%" PRIu64, size);
    if (number < 0)
        put(text, "-");
    for (int i = 0; i < count; i++)
        put(text, i > 0 && (count - i) % 3 == 0 ? ",%c" : "%c", digits[i]);
}

/* With two decimals, unless there is nothing behind the point. */
static void say_float(struct text *text, double number)
{
    char digits[32];
    bool is_whole = number == floor(number);
    if (!(fabs(number) < 1e15)) {
        put(text, "%g", number);
        return;
    }
    if (number < 0 && number > -1)
        put(text, "-");
    say_integer(text, (int64_t)number);
    snprintf(digits, sizeof digits, "%.2f", fabs(number - trunc(number)));
    if (!is_whole)
        put(text, "%s", strchr(digits, '.'));
}

/* A cell of this column. What came from a tool is of any kind: what is no text or number is said
 * to be unknown. */
static void say_cell(struct saying *self, struct bytes column, struct bytes value)
{
    const struct measure *metric = self->reading->metric;
    const struct attribute *attribute = self->reading->attribute;
    struct bytes text = bytes_of("unknown");
    int64_t integer;
    double number;
    bool plain = attribute != NULL && attribute->plain && bytes_are(column, attribute->name);
    if (value.data != NULL)
        (void)value_text(value, &text);
    if (value.data != NULL && value_i64(value, &integer) && plain)
        put(&self->text, "%" PRId64, integer);
    else if (value.data != NULL && value_i64(value, &integer))
        say_integer(&self->text, integer);
    else if (value.data != NULL && value_f64(value, &number))
        say_float(&self->text, number);
    else
        put_bytes(&self->text, text);
    if (metric != NULL && bytes_are(column, metric->name))
        put(&self->text, "%s", metric->unit);
    else if (bytes_are(column, "growth_percent"))
        put(&self->text, "%s", "%");
}

static struct bytes first_row(const struct saying *self)
{
    struct bytes row = {0};
    struct values rows = values_over(self->rows);
    (void)values_next(&rows, &row);
    return row;
}

static void say_column(struct saying *self, const char *name)
{
    say_cell(self, bytes_of(name), value_find(first_row(self), name));
}

/* What the row tells of its subject. */
static void say_value(struct saying *self)
{
    static const char *const subjects[] = {"company", "sector", "quarter", "companies"};
    struct values cells = values_over(first_row(self));
    struct bytes key, value, column = {0};
    while (values_next(&cells, &key) && values_next(&cells, &value)) {
        size_t i = 0;
        if (!value_text(key, &column))
            continue;
        while (i < COUNT_OF(subjects) && !bytes_are(column, subjects[i]))
            i++;
        if (i == COUNT_OF(subjects)) {
            say_cell(self, column, value);
            return;
        }
    }
    put(&self->text, "unknown");
}

static void say_row(struct saying *self, struct bytes row)
{
    static const char *const subjects[] = {"company", "sector", "quarter"};
    size_t subject = 0;
    while (subject < COUNT_OF(subjects) && value_find(row, subjects[subject]).data == NULL)
        subject++;
    if (subject == COUNT_OF(subjects))
        return;
    say_cell(self, bytes_of(subjects[subject]), value_find(row, subjects[subject]));
    struct values cells = values_over(row);
    struct bytes key, value, column;
    while (values_next(&cells, &key) && values_next(&cells, &value)) {
        if (!value_text(key, &column) || bytes_are(column, subjects[subject]))
            continue;
        put(&self->text, " (");
        say_cell(self, column, value);
        put(&self->text, ")");
    }
}

static void say_rows(struct saying *self)
{
    struct values rows = values_over(self->rows);
    struct bytes row;
    for (unsigned i = 0; values_next(&rows, &row); i++) {
        if (i == SENTENCE_ROWS_MAX) {
            put(&self->text, ", and %" PRIu64 " more", rows.left + 1);
            return;
        }
        put(&self->text, "%s", i > 0 ? ", " : "");
        say_row(self, row);
    }
}

static void say_period_of(struct saying *self, struct period period)
{
    char text[PERIOD_TEXT_BYTES_MAX];
    period_text(period, text);
    put(&self->text, "%s", text);
}

static void say_period(struct saying *self)
{
    say_period_of(self, whole(self->reading));
}

static void say_from(struct saying *self)
{
    say_period_of(self, self->reading->periods[0]);
}

static void say_to(struct saying *self)
{
    say_period_of(self, self->reading->periods[1]);
}

static void say_metric(struct saying *self)
{
    put(&self->text, "%s", self->reading->metric->name);
}

static void say_label(struct saying *self)
{
    put(&self->text, "%s", self->reading->attribute->label);
}

static void say_company(struct saying *self)
{
    put_bytes(&self->text, self->reading->companies[0]);
}

static void say_sector(struct saying *self)
{
    put_bytes(&self->text, self->reading->sector);
}

static void say_in_sector(struct saying *self)
{
    if ((self->reading->elements & SECTOR) == 0)
        return;
    put(&self->text, " in the ");
    say_sector(self);
    put(&self->text, " sector");
}

static void say_number(struct saying *self)
{
    put(&self->text, "%" PRIu64, self->reading->number);
}

static void say_superlative(struct saying *self)
{
    put(&self->text, "%s", self->reading->lowest ? "lowest" : "highest");
}

static const struct {
    const char *name;
    void (*say)(struct saying *self);
} sentence_names[] = {
    {"metric", say_metric},       {"company", say_company},
    {"sector", say_sector},       {"period", say_period},
    {"from", say_from},           {"to", say_to},
    {"number", say_number},       {"superlative", say_superlative},
    {"label", say_label},         {"value", say_value},
    {"in_sector", say_in_sector}, {"rows", say_rows},
};

static void say_name(struct saying *self, struct bytes name)
{
    if (name.data[0] == '.') {
        char column[32];
        assert(name.size < sizeof column);
        snprintf(column, sizeof column, "%.*s", (int)name.size - 1, name.data + 1);
        say_column(self, column);
        return;
    }
    size_t i = 0;
    while (i < COUNT_OF(sentence_names) && !bytes_are(name, sentence_names[i].name))
        i++;
    assert(i < COUNT_OF(sentence_names));
    sentence_names[i].say(self);
}

struct bytes template_say(const struct template *self, const struct reading *reading,
                          struct bytes rows, char *out)
{
    struct saying saying = {reading, rows, {out, SENTENCE_BYTES_MAX, 0}};
    const char *pattern = self->sentence;
    struct bytes piece;
    bool is_name;
    while (next_piece(&pattern, &piece, &is_name))
        if (is_name)
            say_name(&saying, piece);
        else
            put_bytes(&saying.text, piece);
    struct bytes said = {out, saying.text.used};
    while (!cursor_is_utf8(said)) /* cut in a letter; or what came from a tool is no text */
        said.size--;
    return said;
}
