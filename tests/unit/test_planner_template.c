/* test_planner_template - what is understood to the last word is answered, in any words and order;
 * what is not, or is not there, is no_data with its reason and never a number. The statements run
 * on a real SQLite. */
#include <stdio.h>
#include <string.h>

#include "tests/support/demo_planner.h"
#include "tests/support/suite.h"

#define TEMPLATES 25 /* rows of the table */

static void ask_in_vain(const char *question, const char *reason)
{
    demo_planner_ask(question);
    ck_assert_msg(planner.step.next == PLANNER_NO_DATA, "%s: %.*s", question,
                  (int)planner.step.text.size, planner.step.text.data);
    ck_assert_msg(strcmp(planner.step.reason, reason) == 0, "%s: %s", question,
                  planner.step.reason);
}

START_TEST(four_questions_have_no_answer_and_say_why)
{
    const struct example *example = &examples[ANSWERED + _i];
    ask_in_vain(example->question, example->reason);
    ck_assert_ptr_nonnull(value_find(planner.step.detail, "looked_for").data);
    ck_assert_ptr_nonnull(value_find(planner.step.detail, "exists").data);
}
END_TEST

START_TEST(the_examples_are_twenty_and_four)
{
    const char *used[QUESTIONS];
    unsigned distinct = 0;
    ck_assert_uint_eq(example_count, QUESTIONS);
    for (size_t i = 0; i < ANSWERED; i++) {
        bool is_new = true;
        demo_planner_ask(examples[i].question);
        ck_assert_ptr_nonnull(planner.step.template);
        used[i] = planner.step.template;
        for (size_t k = 0; k < i; k++)
            is_new &= used[k] != used[i];
        distinct += is_new;
    }
    ck_assert_uint_ge(distinct, 16); /* they show what can be asked */
}
END_TEST

/* --- tolerant to phrasing --- */

static const char *const phrasings[][8] = {
    {"What was the Q1 2025 revenue of Orvanta Systems?", "revenue orvanta systems q1 2025",
     "Orvanta Systems' sales in the first quarter of 2025", "2025 Q1 turnover for ORVA",
     "how much revenue did Orvanta make in Q1 2025", "Q1 2025: ORVANTA SYSTEMS, revenue!",
     "Please tell me Orvanta Systems\xe2\x80\x99s revenue for quarter 1 of fiscal year 2025",
     "revenue of Orvanta Systems in 2025Q1"},
    {"What was the profit of Halvera Health in 2024?", "halvera's net income 2024",
     "How much profit did Halvera Health make in the year 2024?",
     "What were Halvera Health's earnings during FY2024", "total profit, Halvera Health, 2024",
     "profit of Halvera Health from Q1 2024 to Q4 2024", "profit HALV 2024",
     "What was Halvera Health's profit between Q1 2024 and Q4 2024?"},
    {"Which company had the highest revenue in Q4 2024?", "company with most revenue in Q4 2024",
     "Which firm reported the largest sales in the fourth quarter of 2024?",
     "Who had the biggest turnover in Q4 2024?", "highest revenue Q4 2024, which company",
     "Which company has the greatest revenue in Q4 of 2024?", "Q4 2024 top company by revenue",
     "which company is leading by revenue in q4 2024"},
    {"Compare the revenue of Orvanta Systems and Kestrion Software in 2024",
     "Orvanta vs Kestrion: 2024 revenue", "revenue of KSTR and ORVA in 2024",
     "Which company had the higher revenue in 2024, Orvanta Systems or Kestrion Software?",
     "Compare Kestrion Software with Orvanta Systems and their revenue in 2024",
     "2024 sales: Kestrion Software versus Orvanta Systems",
     "Compare revenue for Orvanta and Kestrion in 2024",
     "comparison of the revenue of Orvanta Systems and Kestrion Software in 2024"},
};

START_TEST(the_same_question_in_other_words_has_the_same_answer)
{
    demo_planner_ask(phrasings[_i][0]);
    ck_assert_int_eq(planner.step.next, PLANNER_ANSWER);
    json_t *expected = demo_planner_rows();
    for (size_t i = 1; i < 8; i++) {
        demo_planner_ask(phrasings[_i][i]);
        ck_assert_msg(planner.step.next == PLANNER_ANSWER, "%s: %s", phrasings[_i][i],
                      planner.step.reason);
        json_t *got = demo_planner_rows();
        demo_planner_assert_rows(got, expected, phrasings[_i][i]);
        json_decref(got);
    }
    json_decref(expected);
}
END_TEST

/* --- exact: what is not understood is not answered --- */

static const struct {
    const char *question, *reason;
} refused[] = {
    {"", "NO_TEMPLATE"},
    {"?", "NO_TEMPLATE"},
    {"revenue", "NO_TEMPLATE"},
    {"How are you?", "NO_TEMPLATE"},
    {"What was the revenue of Orvanta Systems?", "AMBIGUOUS"},
    {"What was the Q1 revenue of Orvanta Systems?", "AMBIGUOUS"},
    {"Which company was the best in 2024?", "AMBIGUOUS"},
    {"Which company was not the one with the highest revenue in 2024?", "NO_TEMPLATE"},
    {"revenue of all companies except Orvanta Systems in 2024", "NO_TEMPLATE"},
    {"revenue and profit of Orvanta Systems in 2024", "NO_TEMPLATE"},
    {"highest and lowest revenue of a company in 2024", "NO_TEMPLATE"},
    {"revenue of Orvanta Systems since 2024", "NO_TEMPLATE"},
    {"revenue profit of Orvanta Systems in 2024", "NO_TEMPLATE"},
    {"Which company has the highest symbol?", "NO_TEMPLATE"},
    {"Which company had the highest revenue in Q1?", "AMBIGUOUS"},
    {"revenue of Orvanta Systems in 1234", "NO_TEMPLATE"},
    {"revenue of Orvanta Systems from 2025 to 2023", "NO_TEMPLATE"},
    {"revenue of Orvanta Systems from 2024", "NO_TEMPLATE"},
    {"revenue of Orvanta, Kestrion and Halvera in 2024", "NO_TEMPLATE"},
    {"revenue of Orvanta Systems in 2023 and 2024", "NO_TEMPLATE"},
    {"growth of the margin of Orvanta Systems from 2023 to 2024", "NO_TEMPLATE"},
    {"revenue of the Aerospace sector in 2024", "NOT_IN_SCHEMA"},
    {"revenue of Kestrion Energy in 2024", "NO_TEMPLATE"},
    {"revenue of Blakely Energy in 2024", "NOT_IN_SCHEMA"},
    {"Compare the revenue of Orvanta Systems and Blakely in 2024", "NOT_IN_SCHEMA"},
    {"What is the churn of Orvanta Systems in 2024?", "NOT_IN_SCHEMA"},
    {"What is the churn rate of Orvanta Systems?", "NOT_IN_SCHEMA"},
    {"Predict the revenue of Orvanta Systems in 2024", "FORECAST_NOT_OFFERED"},
    {"What is the expected profit of Halvera Health next year?", "FORECAST_NOT_OFFERED"},
    {"total revenue of Pallory Bank from 2023 to 2026", "OUT_OF_RANGE"},
    {"total revenue of Pallory Bank from 2022 to 2023", "OUT_OF_RANGE"},
    {"Which company had the highest revenue in 1999?", "OUT_OF_RANGE"},
    {"Which Technology companies made a loss in Q1 2024?", "EMPTY_RESULT"},
    {"revenue of orvanta'; drop table companies; -- in 2024", "NO_TEMPLATE"},
};

START_TEST(what_is_not_understood_to_the_last_word_is_not_answered)
{
    ask_in_vain(refused[_i].question, refused[_i].reason);
}
END_TEST

START_TEST(an_unknown_name_is_said_back_with_those_that_exist)
{
    struct bytes text;
    ask_in_vain("What was the Q1 2025 revenue of Brannoway Industries?", "NOT_IN_SCHEMA");
    ck_assert(
        value_text(value_find(value_find(planner.step.detail, "looked_for"), "company"), &text));
    ck_assert(bytes_are(text, "Brannoway Industries"));
    ck_assert_uint_eq(
        values_count(value_find(value_find(planner.step.detail, "exists"), "companies")), 12);
    ask_in_vain("What was the revenue of the Aerospace sector in 2024?", "NOT_IN_SCHEMA");
    ck_assert(
        value_text(value_find(value_find(planner.step.detail, "looked_for"), "sector"), &text));
    ck_assert(bytes_are(text, "Aerospace"));
    ask_in_vain("What was the customer satisfaction of Orvanta in 2024?", "NOT_IN_SCHEMA");
    ck_assert(
        value_text(value_find(value_find(planner.step.detail, "looked_for"), "metric"), &text));
    ck_assert(bytes_are(text, "customer satisfaction"));
    ask_in_vain("What was the revenue of Tidegrove Power in Q3 2019?", "OUT_OF_RANGE");
    ck_assert(value_text(value_find(value_find(planner.step.detail, "exists"), "from"), &text));
    ck_assert(bytes_are(text, "Q1 2023"));
    ck_assert(value_text(value_find(value_find(planner.step.detail, "exists"), "to"), &text));
    ck_assert(bytes_are(text, "Q4 2025"));
}
END_TEST

START_TEST(two_readings_of_equal_rank_are_said_and_not_chosen)
{
    ask_in_vain("What was the revenue of Orvanta Systems?", "AMBIGUOUS");
    ck_assert_uint_eq(
        values_count(value_find(value_find(planner.step.detail, "exists"), "readings")), 2);
    demo_planner_ask("What was the total revenue of Orvanta Systems?");
    ck_assert_int_eq(planner.step.next, PLANNER_ANSWER);
    demo_planner_ask("What was the revenue of Orvanta Systems in the latest quarter?");
    ck_assert_int_eq(planner.step.next, PLANNER_ANSWER);
    json_t *got = demo_planner_rows();
    const struct demo_record *latest = &planner.data->records[DEMO_QUARTERS - 1];
    json_t *expected = json_pack("[{s:s, s:I}]", "company", "Orvanta Systems", "revenue",
                                 (json_int_t)latest->revenue);
    demo_planner_assert_rows(got, expected, "latest");
    json_decref(got);
    json_decref(expected);
}
END_TEST

static void execute(const char *sql)
{
    char *error = NULL;
    sqlite3_exec(planner.database, sql, NULL, NULL, &error);
    ck_assert_msg(error == NULL, "%s", error);
}

START_TEST(a_short_name_of_several_is_ambiguous)
{
    execute("insert into companies values (99, 'Orvanta Foods', 'ORVF', 'Retail', 2000, 1, 1000)");
    ask_in_vain("What was the Q1 2025 revenue of Orvanta?", "AMBIGUOUS");
    ck_assert_uint_eq(
        values_count(value_find(value_find(planner.step.detail, "exists"), "companies")), 2);
    demo_planner_ask("What was the Q1 2025 revenue of Orvanta Systems?");
    ck_assert_int_eq(planner.step.next, PLANNER_ANSWER);
    ask_in_vain("What was the Q1 2025 revenue of Orvanta Foods?", "EMPTY_RESULT");
    execute("insert into companies values (98, 'Orvanta', 'ORV', 'Retail', 2000, 1, 1000)");
    demo_planner_ask("What was the Q1 2025 revenue of Orvanta Systems?"); /* the longest name */
    ck_assert_int_eq(planner.step.next, PLANNER_ANSWER);
}
END_TEST

START_TEST(a_word_that_more_names_begin_with_than_can_be_looked_at_is_no_question)
{
    execute(
        "with recursive n (i) as (select 100 union all select i + 1 from n where i < 1200)"
        " insert into companies select i, 'Orvanta X' || i, 'X' || i, 'Retail', 1, 1, 1 from n");
    ask_in_vain("What was the Q1 2025 revenue of Orvanta Systems?", "NO_TEMPLATE");
    demo_planner_ask("What was the Q1 2025 revenue of Halvera Health?");
    ck_assert_int_eq(planner.step.next, PLANNER_ANSWER);
}
END_TEST

START_TEST(all_that_share_the_first_place_are_named)
{
    execute("update financial_records set revenue = 9000000000 where id in (5, 17)");
    demo_planner_ask("Which company had the highest revenue in Q1 2024?");
    ck_assert_int_eq(planner.step.next, PLANNER_ANSWER);
    ck_assert_uint_eq(values_count(value_find(planner.step.value, "rows")), 2);
}
END_TEST

START_TEST(the_largest_demo_fits_one_answer)
{
    char reason[256], question[128];
    struct demo_data *large = demo_data_new(DEMO_COMPANIES_MAX);
    ck_assert_int_eq(demo_data_write(planner.path, DEMO_COMPANIES_MAX, reason, sizeof reason),
                     STATUS_OK);
    snprintf(question, sizeof question, "What was the Q1 2025 revenue of %s?",
             large->companies[DEMO_COMPANIES_MAX - 1].name);
    demo_planner_ask(question);
    ck_assert_int_eq(planner.step.next, PLANNER_ANSWER);
    demo_data_destroy(&large);
}
END_TEST

/* Every row of the table answers something. */
static const char *const others[][2] = {
    {"total revenue of Orvanta Systems", "total"},
    {"total revenue of Pallory Bank 2023-2025", "value"},
    {"total revenue of Pallory Bank Q1 2023\xe2\x80\x93Q2 2024", "value"},
    {"top 2500 companies by revenue in 2024", "top"},
    {"In which quarter did Orvanta have its lowest profit in 2024?", "best quarter"},
    {"In which sector is Orvanta Systems?", "sector of a company"},
    {"Which sectors are there?", "sectors"},
    {"Which companies are there?", "companies"},
    {"How many companies are there?", "count"},
    {"What was the total revenue of all companies in 2024?", "grand total"},
    {"When was Cindral Capital founded?", "attribute"},
    {"What is the ticker of Ferrowen Works?", "attribute"},
    {"Which company has the most employees?", "extreme attribute"},
    {"What is the oldest company?", "extreme attribute"},
    {"Which Energy company has the largest market cap?", "extreme attribute"},
    {"Which Retail company had the highest margin in 2024?", "extreme"},
    {"five companies with the lowest profit in 2024", "top"},
    {"Which sector had the lowest revenue in Q2 2023?", "extreme sector"},
    {"Which firm had the lowest revenue growth from Q1 2024 to Q1 2025?", "fastest growth"},
};

START_TEST(every_template_runs)
{
    demo_planner_ask(others[_i][0]);
    ck_assert_msg(planner.step.next == PLANNER_ANSWER, "%s: %s", others[_i][0],
                  planner.step.reason);
    ck_assert_str_eq(planner.step.template, others[_i][1]);
    ck_assert_ptr_null(memmem(planner.step.text.data, planner.step.text.size, "unknown", 7));
    ck_assert(cursor_is_utf8(planner.step.text));
}
END_TEST

/* --- a planner.database of the user's own --- */

START_TEST(without_the_demo_tables_it_says_what_exists)
{
    struct bytes tables, table = {0};
    struct values values;
    execute("drop table financial_records; drop table companies;"
            "create table orders (id integer primary key, total real);"
            "create table companies (name text)");
    ask_in_vain("What was the Q1 2025 revenue of Orvanta Systems?", "NO_TEMPLATE");
    ck_assert_uint_eq(planner.calls, 1);
    tables = value_find(value_find(planner.step.detail, "exists"), "tables");
    ck_assert_uint_eq(values_count(tables), 2);
    values = values_over(tables);
    ck_assert(values_next(&values, &table));
    ck_assert_uint_eq(values_count(value_find(table, "columns")), 2);
    ck_assert_ptr_null(value_find(value_find(planner.step.detail, "exists"), "questions").data);
}
END_TEST

START_TEST(with_them_it_shows_questions)
{
    ask_in_vain("Tell me a joke about databases", "NO_TEMPLATE");
    struct bytes exists = value_find(planner.step.detail, "exists");
    ck_assert_uint_eq(values_count(value_find(exists, "questions")), ANSWERED);
    ck_assert_uint_eq(values_count(value_find(exists, "tables")), 2);
}
END_TEST

START_TEST(a_large_schema_is_shown_as_far_as_it_fits)
{
    char sql[256], name[200];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    execute("drop table financial_records");
    for (int i = 0; i < 60; i++) {
        snprintf(sql, sizeof sql, "create table %s%d (a, b, c)", name, i);
        execute(sql);
    }
    ask_in_vain("Anything?", "NO_TEMPLATE");
    ck_assert_uint_eq(values_count(value_find(value_find(planner.step.detail, "exists"), "tables")),
                      50);
}
END_TEST

START_TEST(a_value_that_is_not_there_is_no_data)
{
    execute("create table copy as select * from financial_records; drop table financial_records;"
            "alter table copy rename to financial_records;"
            "update financial_records set revenue = null where company_id = 1");
    ask_in_vain("What was the Q1 2025 revenue of Orvanta Systems?", "EMPTY_RESULT");
    demo_planner_ask("What was the profit of Orvanta Systems in Q1 2025?");
    ck_assert_int_eq(planner.step.next, PLANNER_ANSWER);
}
END_TEST

START_TEST(a_sentence_is_as_long_as_it_may_be_and_whole_letters)
{
    execute("with recursive n (i) as (select 100 union all select i + 1 from n where i < 160)"
            " insert into companies select i, 'Firm ' || i, 'F' || i, 'Retail', 1, 1, 1 from n");
    demo_planner_ask("Which companies are there?");
    ck_assert_ptr_nonnull(memmem(planner.step.text.data, planner.step.text.size, "33 more", 7));
    execute("update companies set name = name || printf('%.200c', 'x') where id >= 100;"
            "update companies set name = replace(name, 'x', 'é') where id >= 100");
    for (int shift = 0; shift < 2; shift++) { /* one of them cuts a letter */
        demo_planner_ask("Which companies are there?");
        ck_assert_int_eq(planner.step.next, PLANNER_ANSWER);
        ck_assert_uint_ge(planner.step.text.size, SENTENCE_BYTES_MAX - 3);
        ck_assert(cursor_is_utf8(planner.step.text));
        execute("update companies set name = 'Cindral Capitals' where id = 4");
    }
}
END_TEST

/* The rows of the table do not get into each other's way. */
START_TEST(no_question_has_two_templates_by_accident)
{
    const struct template *found[TEMPLATES_MATCHED_MAX];
    const struct template *template = &templates[_i];
    for (uint32_t subset = template->allows;; subset = (subset - 1) & template->allows) {
        struct reading reading = {.elements = template->needs | subset,
                                  .metric = &measures[0],
                                  .attribute = &attributes[0]};
        size_t count = templates_match(&reading, found);
        ck_assert_uint_ge(count, 1);
        for (size_t i = 0; i < count; i++)
            ck_assert_msg(count == 1 || found[i]->statement == NULL, "%s and %s", template->name,
                          found[i]->name);
        if (subset == 0)
            return;
    }
}
END_TEST

START_TEST(a_question_of_any_length_is_no_trouble)
{
    static char question[40001]; /* QUESTION_BYTES_MAX */
    memset(question, 'x', sizeof question - 1);
    ask_in_vain(question, "NO_TEMPLATE");
    for (size_t i = 1; i < sizeof question - 1; i += 2)
        question[i] = ' ';
    ask_in_vain(question, "NO_TEMPLATE");
    question[PLANNER_QUESTION_BYTES_MAX] = '\0';
    ask_in_vain(question, "NO_TEMPLATE");
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, demo_planner_setup, demo_planner_teardown);
    tcase_add_loop_test(tcase, four_questions_have_no_answer_and_say_why, 0, QUESTIONS - ANSWERED);
    tcase_add_test(tcase, the_examples_are_twenty_and_four);
    tcase_add_loop_test(tcase, the_same_question_in_other_words_has_the_same_answer, 0,
                        sizeof phrasings / sizeof phrasings[0]);
    tcase_add_loop_test(tcase, what_is_not_understood_to_the_last_word_is_not_answered, 0,
                        sizeof refused / sizeof refused[0]);
    tcase_add_test(tcase, an_unknown_name_is_said_back_with_those_that_exist);
    tcase_add_test(tcase, two_readings_of_equal_rank_are_said_and_not_chosen);
    tcase_add_test(tcase, a_short_name_of_several_is_ambiguous);
    tcase_add_test(tcase, a_word_that_more_names_begin_with_than_can_be_looked_at_is_no_question);
    tcase_add_test(tcase, all_that_share_the_first_place_are_named);
    tcase_add_test(tcase, the_largest_demo_fits_one_answer);
    tcase_add_loop_test(tcase, every_template_runs, 0, sizeof others / sizeof others[0]);
    tcase_add_test(tcase, without_the_demo_tables_it_says_what_exists);
    tcase_add_test(tcase, with_them_it_shows_questions);
    tcase_add_test(tcase, a_large_schema_is_shown_as_far_as_it_fits);
    tcase_add_test(tcase, a_value_that_is_not_there_is_no_data);
    tcase_add_test(tcase, a_sentence_is_as_long_as_it_may_be_and_whole_letters);
    tcase_add_loop_test(tcase, no_question_has_two_templates_by_accident, 0, TEMPLATES);
    tcase_add_test(tcase, a_question_of_any_length_is_no_trouble);
}

int main(void)
{
    return suite_run("planner_template", add_tests);
}
