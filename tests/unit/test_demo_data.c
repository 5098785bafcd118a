/* test_demo_data - the demo data are the same everywhere and add up; writing them completes a file,
 * twice changes nothing, and whatever else is in the file stays as it is. */
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

#include "actors/cli/demo_data.h"
#include "tests/support/suite.h"

/* Of every number and name of the twelve firms, as little-endian integers; golden. */
#define DIGEST UINT64_C(0x738da02f7941b5ce)

static char directory[32], path[64];
static char reason[256];
static struct demo_data *data;

static void setup(void)
{
    snprintf(directory, sizeof directory, "/tmp/fact-demo-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/demo.sqlite", directory);
    data = demo_data_new(DEMO_COMPANIES_DEFAULT);
}

static void teardown(void)
{
    static const char *const endings[] = {"", "-wal", "-shm", "-journal"};
    char file[80];
    demo_data_destroy(&data);
    ck_assert_ptr_null(data);
    for (size_t i = 0; i < 4; i++) {
        snprintf(file, sizeof file, "%s%s", path, endings[i]);
        unlink(file);
    }
    rmdir(directory);
}

static void digest_number(XXH3_state_t *state, int64_t number)
{
    unsigned char bytes[8];
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (unsigned char)((uint64_t)number >> (8 * i));
    XXH3_64bits_update(state, bytes, sizeof bytes);
}

START_TEST(the_same_on_every_machine)
{
    XXH3_state_t *state = XXH3_createState();
    XXH3_64bits_reset(state);
    for (unsigned i = 0; i < data->company_count; i++) {
        const struct demo_company *company = &data->companies[i];
        XXH3_64bits_update(state, company->name, strlen(company->name));
        XXH3_64bits_update(state, company->symbol, strlen(company->symbol));
        XXH3_64bits_update(state, company->sector, strlen(company->sector));
        digest_number(state, company->founded_year);
        digest_number(state, company->employees);
        digest_number(state, company->market_cap);
    }
    for (unsigned i = 0; i < data->record_count; i++) {
        digest_number(state, data->records[i].revenue);
        digest_number(state, data->records[i].expenses);
    }
    uint64_t digest = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    ck_assert_msg(digest == DIGEST, "digest %016llx", (unsigned long long)digest);
}
END_TEST

START_TEST(figures_add_up_and_are_whole_thousands)
{
    unsigned losses = 0;
    ck_assert_uint_eq(data->record_count, 144);
    for (unsigned i = 0; i < data->record_count; i++) {
        const struct demo_record *record = &data->records[i];
        ck_assert_uint_eq(record->id, i + 1);
        ck_assert_uint_eq(record->company_id, i / DEMO_QUARTERS + 1);
        ck_assert_uint_eq(record->year * 4 + record->quarter - 1,
                          DEMO_YEAR_FIRST * 4 + i % DEMO_QUARTERS);
        ck_assert_int_eq(record->profit, record->revenue - record->expenses);
        ck_assert_int_eq(record->revenue % 1000, 0);
        ck_assert_int_eq(record->expenses % 1000, 0);
        ck_assert_int_gt(record->revenue, 0);
        ck_assert_int_gt(record->expenses, 0);
        losses += record->profit < 0;
    }
    ck_assert_uint_ge(losses, 1); /* questions for them have an answer */
    ck_assert_uint_le(losses, data->record_count / 4);
}
END_TEST

START_TEST(each_sector_has_its_firms)
{
    unsigned firms[DEMO_SECTORS] = {0};
    for (unsigned i = 0; i < data->company_count; i++)
        for (unsigned sector = 0; sector < DEMO_SECTORS; sector++)
            firms[sector] += data->companies[i].sector == demo_sectors[sector];
    for (unsigned sector = 0; sector < DEMO_SECTORS; sector++)
        ck_assert_uint_eq(firms[sector], 2);
}
END_TEST

static int by_text(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

static void assert_unique(const char **texts, unsigned count)
{
    qsort(texts, count, sizeof *texts, by_text);
    for (unsigned i = 1; i < count; i++)
        ck_assert_str_ne(texts[i - 1], texts[i]);
}

START_TEST(the_largest_set_has_unique_names_and_begins_with_the_smallest)
{
    static const char *names[DEMO_COMPANIES_MAX], *symbols[DEMO_COMPANIES_MAX];
    struct demo_data *large = demo_data_new(DEMO_COMPANIES_MAX);
    for (unsigned i = 0; i < large->company_count; i++) {
        names[i] = large->companies[i].name;
        symbols[i] = large->companies[i].symbol;
    }
    assert_unique(names, large->company_count);
    assert_unique(symbols, large->company_count);
    ck_assert_mem_eq(large->records, data->records, data->record_count * sizeof *data->records);
    ck_assert_mem_eq(large->companies, data->companies,
                     data->company_count * sizeof *data->companies);
    demo_data_destroy(&large);
}
END_TEST

static void write_ok(unsigned companies)
{
    ck_assert_msg(demo_data_write(path, companies, reason, sizeof reason) == STATUS_OK, "%s",
                  reason);
}

static void execute(const char *sql)
{
    sqlite3 *database;
    char *error = NULL;
    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    sqlite3_exec(database, sql, NULL, NULL, &error);
    ck_assert_msg(error == NULL, "%s", error);
    sqlite3_close(database);
}

static int64_t number_of(const char *sql)
{
    sqlite3 *database;
    sqlite3_stmt *statement;
    ck_assert_int_eq(sqlite3_open(path, &database), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(statement), SQLITE_ROW);
    int64_t number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return number;
}

static int64_t sum_of_revenue(void)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < data->record_count; i++)
        sum += data->records[i].revenue;
    return sum;
}

START_TEST(the_file_has_what_the_arrays_have)
{
    write_ok(DEMO_COMPANIES_DEFAULT);
    ck_assert_int_eq(number_of("select count(*) from companies"), 12);
    ck_assert_int_eq(number_of("select count(*) from financial_records"), 144);
    ck_assert_int_eq(number_of("select sum(revenue) from financial_records"), sum_of_revenue());
    ck_assert_int_eq(number_of("select count(*) from financial_records f join companies c"
                               " on c.id = f.company_id where f.quarter in ('Q1', 'Q2', 'Q3', 'Q4')"
                               " and profit = revenue - expenses"),
                     144);
    ck_assert_int_eq(number_of("select journal_mode = 'wal' from pragma_journal_mode"), 1);
}
END_TEST

START_TEST(the_second_time_nothing_is_written)
{
    sqlite3 *other;
    sqlite3_stmt *version;
    write_ok(DEMO_COMPANIES_DEFAULT);
    ck_assert_int_eq(sqlite3_open(path, &other), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(other, "pragma data_version", -1, &version, NULL),
                     SQLITE_OK);
    ck_assert_int_eq(sqlite3_step(version), SQLITE_ROW);
    int64_t before = sqlite3_column_int64(version, 0);
    sqlite3_reset(version);
    write_ok(DEMO_COMPANIES_DEFAULT);
    ck_assert_int_eq(sqlite3_step(version), SQLITE_ROW);
    ck_assert_int_eq(sqlite3_column_int64(version, 0), before);
    sqlite3_finalize(version);
    sqlite3_close(other);
}
END_TEST

START_TEST(a_file_grows_and_never_shrinks)
{
    write_ok(5);
    ck_assert_int_eq(number_of("select count(*) from companies"), 5);
    write_ok(40);
    ck_assert_int_eq(number_of("select count(*) from financial_records"),
                     INT64_C(40) * DEMO_QUARTERS);
    write_ok(5);
    ck_assert_int_eq(number_of("select count(*) from companies"), 40);
}
END_TEST

START_TEST(what_else_is_in_the_file_stays)
{
    execute("create table notes (text); insert into notes values ('mine')");
    write_ok(DEMO_COMPANIES_DEFAULT);
    ck_assert_int_eq(number_of("select count(*) from notes where text = 'mine'"), 1);
}
END_TEST

/* Whatever stands under the demo's names and is not the demo's: refused, and still there. */
static const struct {
    const char *sql, *names, *still;
} foreign[] = {
    {"create table companies (title); insert into companies values ('mine')", "other columns",
     "select count(*) from companies where title = 'mine'"},
    {"create table companies (id, name, symbol, sector, founded_year, employees, market_cap);"
     "insert into companies values (1, 'Mine', 'MINE', 'x', 1, 1, 1)",
     "row 1 of its table companies", "select count(*) from companies where name = 'Mine'"},
    {"create table financial_records (id, x); insert into financial_records values (1, 'mine')",
     "other columns", "select count(*) from financial_records where x = 'mine'"},
};

START_TEST(a_table_of_somebody_else_is_refused_and_kept)
{
    execute(foreign[_i].sql);
    ck_assert_int_eq(demo_data_write(path, 12, reason, sizeof reason), STATUS_BAD_REQUEST);
    ck_assert_msg(strstr(reason, foreign[_i].names) != NULL, "%s", reason);
    ck_assert_int_eq(number_of(foreign[_i].still), 1);
    ck_assert_int_eq(number_of("select count(*) from sqlite_master where type = 'table'"), 1);
    ck_assert_int_eq(number_of("select journal_mode = 'wal' from pragma_journal_mode"), 0);
}
END_TEST

START_TEST(a_changed_row_is_named_and_left_alone)
{
    write_ok(12);
    execute("update financial_records set revenue = revenue + 1 where id = 77");
    ck_assert_int_eq(demo_data_write(path, 12, reason, sizeof reason), STATUS_BAD_REQUEST);
    ck_assert_msg(strstr(reason, "row 77 of its table financial_records") != NULL, "%s", reason);
    ck_assert_int_eq(number_of("select sum(revenue) from financial_records"), sum_of_revenue() + 1);
}
END_TEST

START_TEST(what_cannot_be_done_is_said_in_one_line)
{
    ck_assert_int_eq(demo_data_write(path, 0, reason, sizeof reason), STATUS_BAD_REQUEST);
    ck_assert_int_eq(demo_data_write(path, DEMO_COMPANIES_MAX + 1, reason, sizeof reason),
                     STATUS_BAD_REQUEST);
    ck_assert_str_eq(reason, "companies must be 1 to 4000");
    ck_assert_int_eq(demo_data_write(directory, 12, reason, sizeof reason), STATUS_INTERNAL);
    ck_assert_ptr_nonnull(strstr(reason, "cannot open it"));
    FILE *file = fopen(path, "w");
    fputs("this is a text of more than a hundred bytes, and so no file of SQLite, which begins "
          "with its own name and a zero",
          file);
    fclose(file);
    ck_assert_int_eq(demo_data_write(path, 12, reason, sizeof reason), STATUS_INTERNAL);
    ck_assert_ptr_nonnull(strstr(reason, "not a database"));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_same_on_every_machine);
    tcase_add_test(tcase, figures_add_up_and_are_whole_thousands);
    tcase_add_test(tcase, each_sector_has_its_firms);
    tcase_add_test(tcase, the_largest_set_has_unique_names_and_begins_with_the_smallest);
    tcase_add_test(tcase, the_file_has_what_the_arrays_have);
    tcase_add_test(tcase, the_second_time_nothing_is_written);
    tcase_add_test(tcase, a_file_grows_and_never_shrinks);
    tcase_add_test(tcase, what_else_is_in_the_file_stays);
    tcase_add_loop_test(tcase, a_table_of_somebody_else_is_refused_and_kept, 0,
                        sizeof foreign / sizeof foreign[0]);
    tcase_add_test(tcase, a_changed_row_is_named_and_left_alone);
    tcase_add_test(tcase, what_cannot_be_done_is_said_in_one_line);
}

int main(void)
{
    return suite_run("demo_data", add_tests);
}
