/* planner_template - see planner_template.h. */
#include "actors/driver/planner_template.h"

#include <assert.h>
#include <string.h>
#include <strings.h>

#include "actors/driver/lexicon.h"
#include "actors/driver/templates.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define TABLES_SHOWN_MAX 50u
#define COLUMNS_SHOWN_MAX 50u
#define NAMES_SHOWN_MAX 50u
#define REVISION "1" /* of the code that reads and answers; raise it when what it does changes */

/* Results, in the order of the rounds. */
enum { RESULT_SCHEMA, RESULT_COMPANIES, RESULT_SECTORS, RESULT_RANGE, RESULT_ANSWER };
_Static_assert(RESULT_ANSWER + 1 == TEMPLATE_RESULTS_MAX, "each has its place");

struct planning {
    struct bytes question;
    const struct bytes *results;
    struct catalogue catalogue;
    struct reading reading;
    struct writer writer; /* into scratch */
    struct planner_step *step;
};

static const char *const catalogue_statements[] = {
    "select name as n, symbol as s from companies order by id",
    "select distinct sector as s from companies order by s",
    ("select min(year * 4 + substr(quarter, 2) - 1) as first,"
     " max(year * 4 + substr(quarter, 2) - 1) as last from financial_records")};
_Static_assert(COUNT_OF(catalogue_statements) == TEMPLATE_CALLS_MAX, "one round");

static struct bytes text_in(struct bytes map, const char *key)
{
    struct bytes text = {0};
    struct bytes value = value_find(map, key);
    if (value.data != NULL)
        (void)value_text(value, &text);
    return text;
}

/* What was written since the writer had so many bytes. */
static struct bytes written(const struct planning *self, size_t from)
{
    if (self->writer.full)
        return (struct bytes){0};
    return (struct bytes){self->writer.data + from, self->writer.used - from};
}

static void call(struct planning *self, const char *tool, struct bytes arguments)
{
    assert(self->step->call_count < TEMPLATE_CALLS_MAX);
    assert(arguments.data != NULL); /* our own texts: they fit */
    self->step->next = PLANNER_CALL;
    self->step->calls[self->step->call_count++] =
        (struct planner_call){.tool = tool, .arguments = arguments};
}

/* --- what there is --- */

static bool has_columns(struct bytes table, const char *const *names, size_t count)
{
    size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        struct values columns = values_over(value_find(table, "columns"));
        struct bytes column;
        while (values_next(&columns, &column))
            if (bytes_are(text_in(column, "name"), names[i])) {
                found++;
                break;
            }
    }
    return found == count;
}

static bool has_demo_tables(struct bytes schema)
{
    static const char *const company[] = {"id",           "name",      "symbol",    "sector",
                                          "founded_year", "employees", "market_cap"};
    static const char *const record[] = {"company_id", "quarter", "year",
                                         "revenue",    "profit",  "expenses"};
    struct values tables = values_over(value_find(schema, "tables"));
    struct bytes table;
    bool companies = false, records = false;
    while (values_next(&tables, &table)) {
        struct bytes name = text_in(table, "name");
        companies |= bytes_are(name, "companies") && has_columns(table, company, COUNT_OF(company));
        records |=
            bytes_are(name, "financial_records") && has_columns(table, record, COUNT_OF(record));
    }
    return companies && records;
}

static bool is_truncated(struct bytes data)
{
    bool truncated = false;
    struct bytes value = value_find(data, "truncated");
    return value.data != NULL && value_bool(value, &truncated) && truncated;
}

/* returns  false: there are no records, and so nothing to ask for */
static bool read_catalogue(struct planning *self)
{
    struct catalogue *catalogue = &self->catalogue;
    struct bytes companies = self->results[RESULT_COMPANIES];
    struct bytes sectors = self->results[RESULT_SECTORS];
    struct values rows = values_over(value_find(self->results[RESULT_RANGE], "rows"));
    struct bytes range;
    catalogue->companies = value_find(companies, "rows");
    catalogue->sectors = value_find(sectors, "rows");
    catalogue->complete = !is_truncated(companies) && !is_truncated(sectors);
    if (!values_next(&rows, &range))
        return false;
    struct bytes first = value_find(range, "first"), last = value_find(range, "last");
    return first.data != NULL && last.data != NULL && value_i64(first, &catalogue->first) &&
           value_i64(last, &catalogue->last) && catalogue->first > 0 &&
           catalogue->last < INT16_MAX && catalogue->first <= catalogue->last;
}

/* --- no data: what was looked for, and what exists --- */

static void say_text(struct planning *self, const char *key, struct bytes text)
{
    writer_cstr(&self->writer, key);
    writer_text(&self->writer, text);
}

static void say_range(struct planning *self)
{
    char text[PERIOD_TEXT_BYTES_MAX];
    const struct catalogue *catalogue = &self->catalogue;
    period_text((struct period){catalogue->first, catalogue->first}, text);
    say_text(self, "from", bytes_of(text));
    period_text((struct period){catalogue->last, catalogue->last}, text);
    say_text(self, "to", bytes_of(text));
}

static bool begins_with(struct bytes name, struct bytes word)
{
    if (word.data == NULL)
        return true;
    return name.data != NULL && name.size >= word.size &&
           strncasecmp(name.data, word.data, word.size) == 0;
}

/* The names in rows, those that begin with this word (absent: all), as many as are shown. */
static void say_names(struct planning *self, struct bytes container, const char *key,
                      struct bytes word)
{
    struct values rows = values_over(container);
    struct bytes row;
    uint64_t count = 0;
    while (values_next(&rows, &row))
        count += begins_with(text_in(row, key), word);
    count = count < NAMES_SHOWN_MAX ? count : NAMES_SHOWN_MAX;
    writer_array(&self->writer, count);
    rows = values_over(container);
    while (count > 0 && values_next(&rows, &row))
        if (begins_with(text_in(row, key), word)) {
            writer_text(&self->writer, text_in(row, key));
            count--;
        }
}

static void say_metrics(struct planning *self)
{
    writer_cstr(&self->writer, "metrics");
    writer_array(&self->writer, measure_count + attribute_count);
    for (size_t i = 0; i < measure_count; i++)
        writer_cstr(&self->writer, measures[i].name);
    for (size_t i = 0; i < attribute_count; i++)
        writer_cstr(&self->writer, attributes[i].label);
}

static uint64_t at_most(uint64_t count, uint64_t most)
{
    return count < most ? count : most;
}

static void say_columns(struct planning *self, struct bytes table)
{
    struct values columns = values_over(value_find(table, "columns"));
    struct bytes column;
    uint64_t count = at_most(columns.left, COLUMNS_SHOWN_MAX);
    writer_array(&self->writer, count);
    for (; count > 0 && values_next(&columns, &column); count--)
        writer_text(&self->writer, text_in(column, "name"));
}

static void say_tables(struct planning *self, bool columns)
{
    struct bytes container = value_find(self->results[RESULT_SCHEMA], "tables");
    struct values tables = values_over(container);
    struct bytes table;
    uint64_t count = at_most(tables.left, TABLES_SHOWN_MAX);
    writer_cstr(&self->writer, "tables");
    writer_array(&self->writer, value_kind(container) == KIND_ARRAY ? count : 0);
    if (value_kind(container) != KIND_ARRAY)
        return;
    for (; count > 0 && values_next(&tables, &table); count--) {
        writer_map(&self->writer, columns ? 2 : 1);
        say_text(self, "name", text_in(table, "name"));
        if (!columns)
            continue;
        writer_cstr(&self->writer, "columns");
        say_columns(self, table);
    }
}

static void say_examples(struct planning *self)
{
    size_t count = 0;
    for (size_t i = 0; i < example_count; i++)
        count += examples[i].reason == NULL;
    writer_cstr(&self->writer, "questions");
    writer_array(&self->writer, count);
    for (size_t i = 0; i < example_count; i++)
        if (examples[i].reason == NULL)
            writer_cstr(&self->writer, examples[i].question);
}

/* Begin: {looked_for: {key: text}, exists: {so many, to be written by the caller}}. */
static void begin_no_data(struct planning *self, const char *reason, const char *key,
                          struct bytes text)
{
    self->step->next = PLANNER_NO_DATA;
    self->step->reason = reason;
    self->writer.used = 0;
    writer_map(&self->writer, 2);
    writer_cstr(&self->writer, "looked_for");
    writer_map(&self->writer, 1);
    say_text(self, key, text);
    writer_cstr(&self->writer, "exists");
}

static void end_no_data(struct planning *self)
{
    self->step->detail = written(self, 0);
}

/* Nothing fits: the tables, with their columns if there is room, and questions that would. */
static void no_template(struct planning *self, bool demo)
{
    struct bytes question = self->question;
    if (question.size > PLANNER_QUESTION_BYTES_MAX)
        question = bytes_of("(too long)");
    for (int columns = 1; columns >= 0 && self->step->detail.data == NULL; columns--) {
        self->writer.full = false;
        begin_no_data(self, "NO_TEMPLATE", "question", question);
        writer_map(&self->writer, demo ? 2 : 1);
        say_tables(self, columns);
        if (demo)
            say_examples(self);
        end_no_data(self);
    }
}

/* --- the question is read --- */

/* Would it be a question for this template if the unknown words stood for that? */
static bool would_fit(const struct planning *self, uint32_t element)
{
    const struct template *found[TEMPLATES_MATCHED_MAX];
    struct reading reading = self->reading;
    if ((reading.elements & element) != 0)
        return false;
    reading.elements |= element;
    if (element == METRIC)
        reading.metric = &measures[0];
    if (element == ATTRIBUTE)
        reading.attribute = &attributes[0];
    return templates_match(&reading, found) > 0 && found[0]->statement != NULL;
}

/* Say what the unknown words must be the name of, and which names there are; unless they are the
 * name of nothing that a template takes, or perhaps of one that the catalogue lacks. */
static void unknown_words(struct planning *self)
{
    const struct reading *reading = &self->reading;
    bool company = would_fit(self, (reading->elements & COMPANY) != 0 ? COMPANY_PAIR : COMPANY);
    bool sector = would_fit(self, SECTOR);
    bool metric = would_fit(self, METRIC) || would_fit(self, ATTRIBUTE);
    company &= !reading->unknown_is_sector;
    metric &= !reading->unknown_is_sector;
    bool complete = self->catalogue.complete || !(company || sector);
    if (reading->scattered || !complete || !(company || sector || metric)) {
        no_template(self, true);
        return;
    }
    const char *kind = company ? "company" : metric ? "metric" : "sector";
    begin_no_data(self, "NOT_IN_SCHEMA", kind, reading->unknown);
    writer_map(&self->writer, (size_t)company + sector + metric);
    if (company) {
        writer_cstr(&self->writer, "companies");
        say_names(self, self->catalogue.companies, "n", (struct bytes){0});
    }
    if (sector) {
        writer_cstr(&self->writer, "sectors");
        say_names(self, self->catalogue.sectors, "s", (struct bytes){0});
    }
    if (metric)
        say_metrics(self);
    end_no_data(self);
}

static void no_data_in_range(struct planning *self, const char *reason, const char *key,
                             struct bytes text)
{
    begin_no_data(self, reason, key, text);
    writer_map(&self->writer, 2);
    say_range(self);
    end_no_data(self);
}

static void ambiguous_company(struct planning *self)
{
    struct bytes word = self->reading.short_name;
    begin_no_data(self, "AMBIGUOUS", "company", word);
    writer_map(&self->writer, 1);
    writer_cstr(&self->writer, "companies");
    say_names(self, self->catalogue.companies, "n", word);
    end_no_data(self);
}

static void ambiguous(struct planning *self, const struct template *const *found, size_t count)
{
    char sentence[SENTENCE_BYTES_MAX];
    begin_no_data(self, "AMBIGUOUS", "question", self->question);
    writer_map(&self->writer, 1);
    writer_cstr(&self->writer, "readings");
    writer_array(&self->writer, count);
    for (size_t i = 0; i < count; i++)
        writer_text(&self->writer,
                    template_say(found[i], &self->reading, (struct bytes){0}, sentence));
    end_no_data(self);
}

/* All that is asked for must be there: half an answer would look like a whole one. */
static bool is_in_range(const struct planning *self)
{
    const struct reading *reading = &self->reading;
    const struct catalogue *catalogue = &self->catalogue;
    if ((reading->elements & PERIOD) == 0)
        return true;
    int64_t last =
        (reading->elements & SPAN) != 0 ? reading->periods[1].to : reading->periods[0].to;
    return reading->periods[0].from >= catalogue->first && last <= catalogue->last;
}

static void out_of_range(struct planning *self)
{
    char text[PERIOD_TEXT_BYTES_MAX];
    struct period period = self->reading.periods[0];
    if ((self->reading.elements & SPAN) != 0)
        period.to = self->reading.periods[1].to;
    period_text(period, text);
    no_data_in_range(self, "OUT_OF_RANGE", "period", bytes_of(text));
}

/* The template of the question; NULL: the step says why there is none. */
static const struct template *choose(struct planning *self)
{
    const struct template *found[TEMPLATES_MATCHED_MAX];
    struct reading *reading = &self->reading;
    bool short_enough = self->question.size <= PLANNER_QUESTION_BYTES_MAX;
    if (!short_enough || !question_read(self->question, &self->catalogue, reading)) {
        no_template(self, true);
        return NULL;
    }
    size_t count = templates_match(reading, found);
    if (reading->forecast)
        no_data_in_range(self, "FORECAST_NOT_OFFERED", "question", self->question);
    else if (reading->short_name.data != NULL)
        ambiguous_company(self);
    else if (reading->half_period.data != NULL)
        no_data_in_range(self, "AMBIGUOUS", "period", reading->half_period);
    else if (reading->unknown.data != NULL)
        unknown_words(self);
    else if (count == 0)
        no_template(self, true);
    else if (count > 1 || found[0]->statement == NULL)
        ambiguous(self, found, count);
    else if (!is_in_range(self))
        out_of_range(self);
    else
        return found[0];
    return NULL;
}

/* --- rounds --- */

static void ask_schema(struct planning *self)
{
    writer_map(&self->writer, 0);
    call(self, PLANNER_SCHEMA_TOOL, written(self, 0));
}

static void ask_catalogue(struct planning *self)
{
    if (!has_demo_tables(self->results[RESULT_SCHEMA])) {
        no_template(self, false);
        return;
    }
    for (size_t i = 0; i < COUNT_OF(catalogue_statements); i++) {
        size_t from = self->writer.used;
        writer_map(&self->writer, 2);
        writer_cstr(&self->writer, "max_rows");
        writer_u64(&self->writer, 10000);
        writer_cstr(&self->writer, "statement");
        writer_cstr(&self->writer, catalogue_statements[i]);
        call(self, PLANNER_QUERY_TOOL, written(self, from));
    }
}

static void ask_answer(struct planning *self)
{
    if (!read_catalogue(self)) {
        no_template(self, false);
        return;
    }
    const struct template *template = choose(self);
    if (template == NULL)
        return;
    template_write_arguments(template, &self->reading, &self->writer);
    call(self, PLANNER_QUERY_TOOL, written(self, 0));
    self->step->template = template->name;
}

/* No row; or a single one that lacks what was asked for: a sum over nothing. */
static bool is_empty(struct bytes rows)
{
    struct values over = values_over(rows);
    struct bytes row, key, value;
    if (value_kind(rows) != KIND_ARRAY || !values_next(&over, &row))
        return true;
    bool lacks = false;
    struct values cells = values_over(row);
    while (values_next(&cells, &key) && values_next(&cells, &value))
        lacks |= value_kind(value) == KIND_NIL;
    return lacks && over.left == 0;
}

static void answer(struct planning *self)
{
    char sentence[SENTENCE_BYTES_MAX];
    struct bytes rows = value_find(self->results[RESULT_ANSWER], "rows");
    if (!read_catalogue(self)) {
        no_template(self, false);
        return;
    }
    const struct template *template = choose(self);
    if (template == NULL) /* the results of an earlier round have changed under our hands */
        return;
    self->step->template = template->name;
    if (is_empty(rows)) {
        no_data_in_range(self, "EMPTY_RESULT", "question", self->question);
        return;
    }
    struct bytes text = template_say(template, &self->reading, rows, sentence);
    memcpy(self->writer.data, text.data, text.size);
    self->step->next = PLANNER_ANSWER;
    self->step->value = self->results[RESULT_ANSWER];
    self->step->text = (struct bytes){self->writer.data, text.size};
}

void planner_template_next(struct bytes question, const struct bytes *results, size_t result_count,
                           char *scratch, struct planner_step *ret)
{
    static void (*const rounds[])(struct planning * self) = {[RESULT_SCHEMA] = ask_schema,
                                                             [RESULT_COMPANIES] = ask_catalogue,
                                                             [RESULT_ANSWER] = ask_answer,
                                                             [TEMPLATE_RESULTS_MAX] = answer};
    struct planning self = {.question = question, .results = results, .step = ret};
    assert(result_count <= TEMPLATE_RESULTS_MAX);
    assert(rounds[result_count] != NULL);
    *ret = (struct planner_step){0};
    writer_init(&self.writer, scratch, PLANNER_SCRATCH_BYTES);
    rounds[result_count](&self);
    assert(ret->next != PLANNER_NO_DATA || ret->detail.data != NULL);
}

void planner_template_texts(void (*add)(void *digest, struct bytes text), void *digest)
{
    add(digest, bytes_of(REVISION));
    for (size_t i = 0; i < template_count; i++) {
        const struct template *template = &templates[i];
        add(digest, bytes_of(template->name));
        add(digest, bytes_of(template->statement == NULL ? "" : template->statement));
        add(digest, bytes_of(template->sentence));
    }
    for (size_t i = 0; i < lexicon_count; i++)
        add(digest, bytes_of(lexicon[i].phrase));
    for (size_t i = 0; i < COUNT_OF(catalogue_statements); i++)
        add(digest, bytes_of(catalogue_statements[i]));
}
