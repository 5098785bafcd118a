/* fuzz_planner - no question and no answer of a tool may crash the planner: what it asks for and
 * says is well-formed, and the same question and results give the same step.
 *
 * The first byte chooses: a question of any bytes on a small catalogue, or results of any values.
 * Seeds: the examples of templates.c. */
#include <assert.h>
#include <string.h>

#include "actors/driver/planner_template.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

#define NESTING_MAX 8u

static void write_table(struct writer *writer, const char *name, const char *const *columns,
                        size_t count)
{
    writer_map(writer, 2);
    writer_cstr(writer, "name");
    writer_cstr(writer, name);
    writer_cstr(writer, "columns");
    writer_array(writer, count);
    for (size_t i = 0; i < count; i++) {
        writer_map(writer, 1);
        writer_cstr(writer, "name");
        writer_cstr(writer, columns[i]);
    }
}

static void write_schema(struct writer *writer)
{
    static const char *const companies[] = {"id",           "name",      "symbol",    "sector",
                                            "founded_year", "employees", "market_cap"};
    static const char *const records[] = {"company_id", "quarter", "year",
                                          "revenue",    "profit",  "expenses"};
    writer_map(writer, 1);
    writer_cstr(writer, "tables");
    writer_array(writer, 2);
    write_table(writer, "companies", companies, 7);
    write_table(writer, "financial_records", records, 6);
}

/* rows: pairs of columns n and s, or s alone; s NULL ends. */
static void write_rows(struct writer *writer, const char *const (*rows)[2], size_t count)
{
    writer_map(writer, 1);
    writer_cstr(writer, "rows");
    writer_array(writer, count);
    for (size_t i = 0; i < count; i++) {
        writer_map(writer, 2);
        writer_cstr(writer, "n");
        writer_cstr(writer, rows[i][0]);
        writer_cstr(writer, "s");
        writer_cstr(writer, rows[i][1]);
    }
}

static void write_range(struct writer *writer)
{
    writer_map(writer, 1);
    writer_cstr(writer, "rows");
    writer_array(writer, 1);
    writer_map(writer, 2);
    writer_cstr(writer, "first");
    writer_u64(writer, 8092); /* Q1 2023 */
    writer_cstr(writer, "last");
    writer_u64(writer, 8103); /* Q4 2025 */
}

static struct bytes written(struct writer *writer, size_t *from)
{
    assert(!writer->full);
    struct bytes value = {writer->data + *from, writer->used - *from};
    *from = writer->used;
    return value;
}

/* What tools of a small database would have said. */
static void fill_results(struct bytes *results, struct writer *writer)
{
    static const char *const companies[][2] = {
        {"Orvanta Systems", "ORVA"}, {"Solvarra Energy", "SOLV"}, {"Orvanta Foods", "ORVF"}};
    static const char *const sectors[][2] = {{"", "Technology"}, {"", "Energy"}};
    size_t from = 0;
    write_schema(writer);
    results[0] = written(writer, &from);
    write_rows(writer, companies, 3);
    results[1] = written(writer, &from);
    write_rows(writer, sectors, 2);
    results[2] = written(writer, &from);
    write_range(writer);
    results[3] = written(writer, &from);
    write_rows(writer, companies, 2);
    results[4] = written(writer, &from);
}

static void check(const struct planner_step *step)
{
    for (size_t i = 0; i < step->call_count; i++)
        assert(value_check(step->calls[i].arguments, NESTING_MAX));
    assert((step->next == PLANNER_CALL) == (step->call_count > 0));
    if (step->next == PLANNER_NO_DATA) {
        assert(value_check(step->detail, NESTING_MAX));
        assert(step->reason != NULL);
    }
    if (step->next == PLANNER_ANSWER)
        assert(cursor_is_utf8(step->text));
}

static void plan(struct bytes question, const struct bytes *results)
{
    static char scratch[PLANNER_SCRATCH_BYTES], again[PLANNER_SCRATCH_BYTES];
    static const size_t rounds[] = {0, 1, 4, 5};
    for (size_t i = 0; i < 4; i++) {
        struct planner_step step, second;
        planner_template_next(question, results, rounds[i], scratch, &step);
        check(&step);
        planner_template_next(question, results, rounds[i], again, &second);
        assert(step.next == second.next);
        assert(bytes_equal(step.detail, second.detail));
        assert(bytes_equal(step.text, second.text));
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static char room[4096];
    struct writer writer;
    struct bytes results[TEMPLATE_RESULTS_MAX];
    if (size == 0)
        return 0;
    writer_init(&writer, room, sizeof room);
    fill_results(results, &writer);
    struct bytes rest = {(const char *)data + 1, size - 1};
    if (data[0] % 2 == 0) {
        if (cursor_is_utf8(rest)) /* normalised: others do not come so far */
            plan(rest, results);
        return 0;
    }
    for (size_t i = data[0] / 2 % TEMPLATE_RESULTS_MAX; i < TEMPLATE_RESULTS_MAX; i++) {
        size_t used = cursor_measure(rest);
        struct bytes value = {rest.data, used};
        if (used == 0 || !value_check(value, BODY_NESTING_MAX))
            break;
        results[i] = value;
        rest = (struct bytes){rest.data + used, rest.size - used};
    }
    plan(bytes_of("Compare the revenue of Orvanta Systems and Solvarra Energy in 2024"), results);
    return 0;
}
