/* demo_planner - see demo_planner.h. */
#include "tests/support/demo_planner.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/support/sql_tools.h"
#include "tests/support/suite.h"

#define RESULT_BYTES RESULT_BYTES_MAX

static char results[TEMPLATE_RESULTS_MAX][RESULT_BYTES], scratch[PLANNER_SCRATCH_BYTES];
struct demo_planner planner;

void demo_planner_setup(void)
{
    char reason[256];
    snprintf(planner.path, sizeof planner.path, "/tmp/fact-planner-XXXXXX");
    int file = mkstemp(planner.path);
    ck_assert_int_ge(file, 0);
    close(file);
    ck_assert_int_eq(demo_data_write(planner.path, DEMO_COMPANIES_DEFAULT, reason, sizeof reason),
                     STATUS_OK);
    ck_assert_int_eq(sqlite3_open(planner.path, &planner.database), SQLITE_OK);
    planner.data = demo_data_new(DEMO_COMPANIES_DEFAULT);
}

void demo_planner_teardown(void)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char file[64];
    sqlite3_close(planner.database);
    demo_data_destroy(&planner.data);
    for (size_t i = 0; i < 3; i++) {
        snprintf(file, sizeof file, "%s%s", planner.path, endings[i]);
        unlink(file);
    }
}

void demo_planner_ask(const char *question)
{
    struct bytes answers[TEMPLATE_RESULTS_MAX] = {{0}};
    struct bytes text = bytes_of(question);
    planner.calls = 0;
    planner_template_next(text, answers, 0, scratch, &planner.step);
    while (planner.step.next == PLANNER_CALL) {
        ck_assert_uint_ge(planner.step.call_count, 1);
        for (size_t i = 0; i < planner.step.call_count; i++, planner.calls++)
            answers[planner.calls] = sql_tools_call(planner.database, planner.step.calls[i].tool,
                                                    planner.step.calls[i].arguments,
                                                    results[planner.calls], RESULT_BYTES);
        planner_template_next(text, answers, planner.calls, scratch, &planner.step);
    }
    ck_assert(planner.step.next != PLANNER_NO_DATA || value_check(planner.step.detail, 8));
}

json_t *demo_planner_json(struct bytes value)
{
    struct bytes text, key, element;
    int64_t integer;
    double number;
    if (value_text(value, &text))
        return json_stringn(text.data, text.size);
    if (value_i64(value, &integer))
        return json_integer(integer);
    if (value_f64(value, &number))
        return json_real(number);
    struct values values = values_over(value);
    json_t *json = value_kind(value) == KIND_MAP ? json_object() : json_array();
    while (values_next(&values, &key)) {
        if (!json_is_object(json)) {
            json_array_append_new(json, demo_planner_json(key));
            continue;
        }
        ck_assert(value_text(key, &text));
        ck_assert(values_next(&values, &element));
        json_object_setn_new(json, text.data, text.size, demo_planner_json(element));
    }
    return json;
}

static bool same_cell(const json_t *left, const json_t *right)
{
    if (json_is_number(left) && json_is_number(right))
        return fabs(json_number_value(left) - json_number_value(right)) < 1e-9;
    return json_equal(left, right);
}

void demo_planner_assert_rows(json_t *got, json_t *expected, const char *question)
{
    size_t i;
    json_t *row;
    const char *column;
    json_t *cell;
    ck_assert_uint_eq(json_array_size(got), json_array_size(expected));
    json_array_foreach(expected, i, row)
    {
        ck_assert_uint_eq(json_object_size(json_array_get(got, i)), json_object_size(row));
        json_object_foreach(row, column, cell)
            ck_assert_msg(same_cell(json_object_get(json_array_get(got, i), column), cell),
                          "%s: row %zu, %s", question, i, column);
    }
}

json_t *demo_planner_rows(void)
{
    return demo_planner_json(value_find(planner.step.value, "rows"));
}
