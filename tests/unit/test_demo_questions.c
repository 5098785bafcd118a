/* test_demo_questions - each question of the demo gives what the generator's arrays say, computed
 * here without SQL.
 *
 * tests/vectors/demo_questions.json holds the questions with what is expected of them, for
 * everybody who asks them elsewhere. FACT_WRITE_GOLDEN=1 writes it, and docs/demo_questions.md,
 * anew. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/demo_planner.h"
#include "tests/support/suite.h"

static const struct demo_company *company_of(const char *name)
{
    for (unsigned i = 0; i < planner.data->company_count; i++)
        if (strcmp(planner.data->companies[i].name, name) == 0)
            return &planner.data->companies[i];
    ck_abort_msg("no company %s", name);
    return NULL;
}

static int64_t metric_of(const struct demo_record *record, const char *metric)
{
    if (strcmp(metric, "revenue") == 0)
        return record->revenue;
    return strcmp(metric, "profit") == 0 ? record->profit : record->expenses;
}

/* name NULL: all of this sector; that NULL too: all. Years and quarters as in 20251. */
static int64_t sum(const char *name, const char *sector, const char *metric, unsigned from,
                   unsigned to)
{
    int64_t total = 0;
    for (unsigned i = 0; i < planner.data->record_count; i++) {
        const struct demo_record *record = &planner.data->records[i];
        const struct demo_company *company = &planner.data->companies[record->company_id - 1];
        unsigned at = record->year * 10 + record->quarter;
        bool ours = name != NULL ? strcmp(company->name, name) == 0
                                 : sector == NULL || strcmp(company->sector, sector) == 0;
        if (ours && at >= from && at <= to)
            total += metric_of(record, metric);
    }
    return total;
}

static double percent(int64_t part, int64_t whole)
{
    return round(10000.0 * (double)part / (double)whole) / 100.0;
}

static json_t *one(const char *subject, const char *name, const char *column, int64_t value)
{
    return json_pack("[{s:s, s:I}]", subject, name, column, (json_int_t)value);
}

/* The companies, or sectors, by value, as {name, value}; count of them. */
struct ranked {
    const char *name;
    double value;
};

static int by_value(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    return a->value < b->value ? 1 : a->value > b->value ? -1 : strcmp(a->name, b->name);
}

static size_t rank_companies(const char *metric, unsigned from, unsigned to, struct ranked *ret)
{
    for (unsigned i = 0; i < planner.data->company_count; i++)
        ret[i] =
            (struct ranked){planner.data->companies[i].name,
                            (double)sum(planner.data->companies[i].name, NULL, metric, from, to)};
    qsort(ret, planner.data->company_count, sizeof *ret, by_value);
    return planner.data->company_count;
}

static json_t *ranked_row(const struct ranked *ranked, const char *column)
{
    return json_pack("{s:s, s:I}", "company", ranked->name, column, (json_int_t)ranked->value);
}

static json_t *quarters_of(const char *name, const char *metric, unsigned year)
{
    char quarter[16];
    json_t *rows = json_array();
    for (unsigned i = 1; i <= 4; i++) {
        snprintf(quarter, sizeof quarter, "Q%u %u", i, year);
        int64_t value = sum(name, NULL, metric, year * 10 + i, year * 10 + i);
        json_array_append_new(
            rows, json_pack("{s:s, s:I}", "quarter", quarter, metric, (json_int_t)value));
    }
    return rows;
}

static json_t *best_quarter(const char *name, const char *metric)
{
    char quarter[16] = "";
    int64_t best = 0;
    for (unsigned year = DEMO_YEAR_FIRST; year <= DEMO_YEAR_LAST; year++)
        for (unsigned i = 1; i <= 4; i++) {
            int64_t value = sum(name, NULL, metric, year * 10 + i, year * 10 + i);
            if (value <= best)
                continue;
            best = value;
            snprintf(quarter, sizeof quarter, "Q%u %u", i, year);
        }
    return one("quarter", quarter, metric, best);
}

static json_t *compared(const char *left, const char *right)
{
    struct ranked ranked[] = {{left, (double)sum(left, NULL, "revenue", 20241, 20244)},
                              {right, (double)sum(right, NULL, "revenue", 20241, 20244)}};
    qsort(ranked, 2, sizeof *ranked, by_value);
    return json_pack("[o, o]", ranked_row(&ranked[0], "revenue"),
                     ranked_row(&ranked[1], "revenue"));
}

static double growth_of(const char *name)
{
    int64_t first = sum(name, NULL, "revenue", 20231, 20234);
    return percent(sum(name, NULL, "revenue", 20251, 20254) - first, first);
}

static json_t *growth(const char *name)
{
    return json_pack("[{s:s, s:I, s:I, s:f}]", "company", name, "revenue_from",
                     (json_int_t)sum(name, NULL, "revenue", 20231, 20234), "revenue_to",
                     (json_int_t)sum(name, NULL, "revenue", 20251, 20254), "growth_percent",
                     growth_of(name));
}

static json_t *fastest(void)
{
    const char *name = NULL;
    for (unsigned i = 0; i < planner.data->company_count; i++)
        if (name == NULL || growth_of(planner.data->companies[i].name) > growth_of(name))
            name = planner.data->companies[i].name;
    return json_pack("[{s:s, s:f}]", "company", name, "growth_percent", growth_of(name));
}

/* The best of all, or with last the worst. */
static json_t *extreme(const char *metric, unsigned from, unsigned to, bool last)
{
    struct ranked ranked[DEMO_COMPANIES_DEFAULT];
    size_t count = rank_companies(metric, from, to, ranked);
    return json_pack("[o]", ranked_row(&ranked[last ? count - 1 : 0], metric));
}

static json_t *top_three(void)
{
    struct ranked ranked[DEMO_COMPANIES_DEFAULT];
    (void)rank_companies("profit", 20241, 20244, ranked);
    return json_pack("[o, o, o]", ranked_row(&ranked[0], "profit"),
                     ranked_row(&ranked[1], "profit"), ranked_row(&ranked[2], "profit"));
}

static int by_name(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static json_t *by_sector(void)
{
    const char *sectors[DEMO_SECTORS];
    json_t *rows = json_array();
    memcpy(sectors, demo_sectors, sizeof sectors);
    qsort(sectors, DEMO_SECTORS, sizeof *sectors, by_name);
    for (unsigned i = 0; i < DEMO_SECTORS; i++)
        json_array_append_new(rows,
                              json_pack("{s:s, s:I}", "sector", sectors[i], "profit",
                                        (json_int_t)sum(NULL, sectors[i], "profit", 20251, 20254)));
    return rows;
}

static double margin_of(const char *sector)
{
    return percent(sum(NULL, sector, "profit", 20241, 20244),
                   sum(NULL, sector, "revenue", 20241, 20244));
}

static json_t *best_sector(void)
{
    const char *best = demo_sectors[0];
    for (unsigned i = 1; i < DEMO_SECTORS; i++)
        if (margin_of(demo_sectors[i]) > margin_of(best))
            best = demo_sectors[i];
    return json_pack("[{s:s, s:f}]", "sector", best, "margin", margin_of(best));
}

static json_t *losses(void)
{
    struct ranked ranked[DEMO_COMPANIES_DEFAULT];
    json_t *rows = json_array();
    size_t count = rank_companies("profit", 20243, 20243, ranked);
    while (count-- > 0 && ranked[count].value < 0)
        json_array_append_new(rows, ranked_row(&ranked[count], "profit"));
    return rows;
}

static unsigned count_in(const char *sector)
{
    unsigned count = 0;
    for (unsigned i = 0; i < planner.data->company_count; i++)
        count += strcmp(planner.data->companies[i].sector, sector) == 0;
    return count;
}

static json_t *companies_in(const char *sector)
{
    const char *names[DEMO_COMPANIES_DEFAULT];
    size_t count = 0;
    json_t *rows = json_array();
    for (unsigned i = 0; i < planner.data->company_count; i++)
        if (strcmp(planner.data->companies[i].sector, sector) == 0)
            names[count++] = planner.data->companies[i].name;
    qsort(names, count, sizeof *names, by_name);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(rows, json_pack("{s:s}", "company", names[i]));
    return rows;
}

static json_t *of_company(int question)
{
    int64_t profit = sum("Kestrion Software", NULL, "profit", 20244, 20244);
    int64_t revenue = sum("Kestrion Software", NULL, "revenue", 20244, 20244);
    switch (question) {
    case 0:
        return one("company", "Orvanta Systems", "revenue",
                   sum("Orvanta Systems", NULL, "revenue", 20251, 20251));
    case 1:
        return one("company", "Halvera Health", "profit",
                   sum("Halvera Health", NULL, "profit", 20241, 20244));
    case 2:
        return one("company", "Pallory Bank", "revenue",
                   sum("Pallory Bank", NULL, "revenue", 20231, 20254));
    case 3:
        return json_pack("[{s:s, s:f}]", "company", "Solvarra Energy", "average_expenses",
                         (double)sum("Solvarra Energy", NULL, "expenses", 20241, 20244) / 4);
    case 4:
        return json_pack("[{s:s, s:f}]", "company", "Kestrion Software", "margin",
                         percent(profit, revenue));
    case 5:
        return quarters_of("Quillby Goods", "revenue", 2024);
    case 6:
        return best_quarter("Marrowick Stores", "revenue");
    case 7:
        return compared("Orvanta Systems", "Kestrion Software");
    default:
        return growth("Marrowick Stores");
    }
}

/* What example number question is to give. */
static json_t *golden_rows(int question)
{
    switch (question) {
    case 9:
        return fastest();
    case 10:
        return extreme("revenue", 20244, 20244, false);
    case 11:
        return extreme("profit", 20231, 20234, true);
    case 12:
        return top_three();
    case 13:
        return one("sector", "Energy", "revenue", sum(NULL, "Energy", "revenue", 20241, 20244));
    case 14:
        return by_sector();
    case 15:
        return best_sector();
    case 16:
        return losses();
    case 17:
        return json_pack("[{s:i}]", "companies", (int)count_in("Retail"));
    case 18:
        return companies_in("Finance");
    case 19:
        return one("company", "Dunmarsh Machines", "employees",
                   company_of("Dunmarsh Machines")->employees);
    default:
        return of_company(question);
    }
}

START_TEST(each_question_gives_what_the_arrays_say)
{
    const char *question = examples[_i].question;
    ck_assert_ptr_null(examples[_i].reason);
    demo_planner_ask(question);
    ck_assert_msg(planner.step.next == PLANNER_ANSWER, "%s: %s", question, planner.step.reason);
    json_t *expected = golden_rows(_i), *got = demo_planner_rows();
    ck_assert_ptr_nonnull(expected);
    ck_assert_uint_ge(json_array_size(expected), 1);
    demo_planner_assert_rows(got, expected, question);
    json_decref(expected);
    json_decref(got);
}
END_TEST

static json_t *golden_file(void)
{
    json_t *list = json_array();
    for (size_t i = 0; i < example_count; i++) {
        demo_planner_ask(examples[i].question);
        json_t *entry = json_pack("{s:s}", "question", examples[i].question);
        if (examples[i].reason == NULL) {
            json_object_set_new(entry, "outcome", json_string("ok"));
            json_object_set_new(entry, "rows", golden_rows((int)i));
            json_object_set_new(entry, "text",
                                json_stringn(planner.step.text.data, planner.step.text.size));
        } else {
            json_object_set_new(entry, "outcome", json_string("no_data"));
            json_object_set_new(entry, "reason", json_string(planner.step.reason));
            json_object_set_new(entry, "detail", demo_planner_json(planner.step.detail));
        }
        json_array_append_new(list, entry);
    }
    return json_pack("{s:s, s:o}", "about",
                     "Questions of the demo; rows as the generator's arrays say, in value.rows of "
                     "an answer. test_demo_questions checks and writes this file.",
                     "questions", list);
}

static void write_document(json_t *golden)
{
    size_t i;
    json_t *entry;
    FILE *file = fopen(SOURCE_DIR "/docs/demo_questions.md", "w");
    ck_assert_ptr_nonnull(file);
    fputs("# Questions of the demo\n\nWhat `fact init` generates can be asked for in words, in any "
          "order and case; what is not\nunderstood to the last word is not answered. Written and "
          "checked by `test_demo_questions`;\nthe same with rows in "
          "`tests/vectors/demo_questions.json`.\n\n| question | answer |\n|---|---|\n",
          file);
    json_array_foreach(json_object_get(golden, "questions"), i, entry)
    {
        const char *text = json_string_value(json_object_get(entry, "text"));
        fprintf(file, "| %s | %s%s |\n", json_string_value(json_object_get(entry, "question")),
                text != NULL ? text : "no data: ",
                text != NULL ? "" : json_string_value(json_object_get(entry, "reason")));
    }
    fclose(file);
}

START_TEST(the_golden_file_is_what_is_answered)
{
    static const char file[] = VECTORS_DIR "/demo_questions.json";
    json_t *golden = golden_file();
    if (getenv("FACT_WRITE_GOLDEN") != NULL) {
        ck_assert_int_eq(json_dump_file(golden, file, JSON_INDENT(1) | JSON_REAL_PRECISION(12)), 0);
        write_document(golden);
    }
    json_error_t error;
    json_t *kept = json_load_file(file, 0, &error);
    ck_assert_msg(kept != NULL, "%s", error.text);
    char *left = json_dumps(golden, JSON_SORT_KEYS | JSON_REAL_PRECISION(12));
    char *right = json_dumps(kept, JSON_SORT_KEYS | JSON_REAL_PRECISION(12));
    ck_assert_str_eq(left, right);
    free(left);
    free(right);
    json_decref(golden);
    json_decref(kept);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, demo_planner_setup, demo_planner_teardown);
    tcase_add_loop_test(tcase, each_question_gives_what_the_arrays_say, 0, ANSWERED);
    tcase_add_test(tcase, the_golden_file_is_what_is_answered);
}

int main(void)
{
    return suite_run("demo_questions", add_tests);
}
