/* demo_data_sqlite - the demo data in an SQLite file; see demo_data.h.
 *
 * One transaction compares what is there, row by row, with what is generated, and adds the rest.
 * Where nothing is missing nothing is written, so nobody who serves the file sees a change. */
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "actors/cli/demo_data.h"

#define BUSY_TIMEOUT_MS 2000
#define COLUMNS_MAX 7

static const char create_sql[] =
    "create table if not exists companies ("
    " id integer primary key, name text not null unique, symbol text not null unique,"
    " sector text not null, founded_year integer not null, employees integer not null,"
    " market_cap integer not null);"
    "create table if not exists financial_records ("
    " id integer primary key, company_id integer not null references companies (id),"
    " quarter text not null, year integer not null, revenue integer not null,"
    " profit integer not null, expenses integer not null, unique (company_id, quarter, year));";

/* A cell that is generated: a text, or with text NULL a number. */
struct cell {
    const char *text;
    int64_t number;
};

struct table {
    const char *name, *select, *insert;
    unsigned (*count)(const struct demo_data *data);
    /* cells: COLUMNS_MAX of them; quarter: room for a text */
    void (*row)(const struct demo_data *data, unsigned index, struct cell *cells, char *quarter);
};

struct writing {
    sqlite3 *database;
    struct demo_data *data;
    unsigned companies;
    char *reason;
    size_t reason_size;
};

__attribute__((format(printf, 3, 4))) static enum status
fail(struct writing *self, enum status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->reason, self->reason_size, format, arguments);
    va_end(arguments);
    return status;
}

static enum status fail_sqlite(struct writing *self, const char *doing)
{
    return fail(self, STATUS_INTERNAL, "cannot %s: %s", doing, sqlite3_errmsg(self->database));
}

static unsigned company_count(const struct demo_data *data)
{
    return data->company_count;
}

static void company_row(const struct demo_data *data, unsigned index, struct cell *cells,
                        char *quarter)
{
    const struct demo_company *company = &data->companies[index];
    (void)quarter;
    const struct cell row[COLUMNS_MAX] = {{NULL, company->id},           {company->name, 0},
                                          {company->symbol, 0},          {company->sector, 0},
                                          {NULL, company->founded_year}, {NULL, company->employees},
                                          {NULL, company->market_cap}};
    memcpy(cells, row, sizeof row);
}

static unsigned record_count(const struct demo_data *data)
{
    return data->record_count;
}

static void record_row(const struct demo_data *data, unsigned index, struct cell *cells,
                       char *quarter)
{
    const struct demo_record *record = &data->records[index];
    quarter[0] = 'Q';
    quarter[1] = (char)('0' + record->quarter);
    quarter[2] = '\0';
    const struct cell row[COLUMNS_MAX] = {
        {NULL, record->id},      {NULL, record->company_id}, {quarter, 0},
        {NULL, record->year},    {NULL, record->revenue},    {NULL, record->profit},
        {NULL, record->expenses}};
    memcpy(cells, row, sizeof row);
}

static const struct table tables[] = {
    {"companies",
     "select id, name, symbol, sector, founded_year, employees, market_cap from companies"
     " order by id",
     "insert into companies (id, name, symbol, sector, founded_year, employees, market_cap)"
     " values (?, ?, ?, ?, ?, ?, ?)",
     company_count, company_row},
    {"financial_records",
     "select id, company_id, quarter, year, revenue, profit, expenses from financial_records"
     " order by id",
     "insert into financial_records (id, company_id, quarter, year, revenue, profit, expenses)"
     " values (?, ?, ?, ?, ?, ?, ?)",
     record_count, record_row},
};

static bool cell_is(sqlite3_stmt *statement, int column, const struct cell *cell)
{
    if (cell->text == NULL)
        return sqlite3_column_type(statement, column) == SQLITE_INTEGER &&
               sqlite3_column_int64(statement, column) == cell->number;
    const unsigned char *text = sqlite3_column_text(statement, column);
    return text != NULL && strcmp((const char *)text, cell->text) == 0;
}

static bool row_is(sqlite3_stmt *statement, const struct table *table, const struct demo_data *data,
                   unsigned index)
{
    struct cell cells[COLUMNS_MAX];
    char quarter[3];
    if (index >= table->count(data))
        return false;
    table->row(data, index, cells, quarter);
    for (int column = 0; column < COLUMNS_MAX; column++)
        if (!cell_is(statement, column, &cells[column]))
            return false;
    return true;
}

static enum status compare(struct writing *self, const struct table *table, unsigned *ret_rows)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(self->database, table->select, -1, &statement, NULL) != SQLITE_OK)
        return fail(self, STATUS_BAD_REQUEST,
                    "its table %s has other columns than the demo's (%s); name another file",
                    table->name, sqlite3_errmsg(self->database));
    unsigned rows = 0;
    int step = sqlite3_step(statement);
    while (step == SQLITE_ROW && row_is(statement, table, self->data, rows)) {
        rows++;
        step = sqlite3_step(statement);
    }
    enum status status = STATUS_OK;
    if (step == SQLITE_ROW)
        status = fail(self, STATUS_BAD_REQUEST,
                      "row %u of its table %s is not the demo's; name another file", rows + 1,
                      table->name);
    else if (step != SQLITE_DONE)
        status = fail_sqlite(self, "read it");
    sqlite3_finalize(statement);
    *ret_rows = rows;
    return status;
}

static bool insert(sqlite3_stmt *statement, const struct table *table, const struct demo_data *data,
                   unsigned index)
{
    struct cell cells[COLUMNS_MAX];
    char quarter[3];
    table->row(data, index, cells, quarter);
    for (int column = 0; column < COLUMNS_MAX; column++) {
        const struct cell *cell = &cells[column];
        int bound = cell->text != NULL
                        ? sqlite3_bind_text(statement, column + 1, cell->text, -1, SQLITE_TRANSIENT)
                        : sqlite3_bind_int64(statement, column + 1, cell->number);
        if (bound != SQLITE_OK)
            return false;
    }
    bool done = sqlite3_step(statement) == SQLITE_DONE;
    return sqlite3_reset(statement) == SQLITE_OK && done;
}

static enum status complete(struct writing *self, const struct table *table)
{
    unsigned index = 0;
    enum status status = compare(self, table, &index);
    if (status != STATUS_OK || index == table->count(self->data))
        return status;
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(self->database, table->insert, -1, &statement, NULL) != SQLITE_OK)
        return fail_sqlite(self, "write it");
    while (index < table->count(self->data) && insert(statement, table, self->data, index))
        index++;
    if (index < table->count(self->data))
        status = fail_sqlite(self, "write it");
    sqlite3_finalize(statement);
    return status;
}

/* How many rows there are, so that a file with more than was asked for is compared as a whole. */
static enum status count_companies(struct writing *self)
{
    sqlite3_stmt *statement = NULL;
    int result =
        sqlite3_prepare_v2(self->database, "select count(*) from companies", -1, &statement, NULL);
    if (result != SQLITE_OK || sqlite3_step(statement) != SQLITE_ROW) {
        sqlite3_finalize(statement);
        return fail_sqlite(self, "read it");
    }
    int64_t there = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    if (there > DEMO_COMPANIES_MAX)
        return fail(self, STATUS_BAD_REQUEST,
                    "its table companies is not the demo's; name another file");
    if (there > self->companies)
        self->companies = (unsigned)there;
    return STATUS_OK;
}

static enum status write_all(struct writing *self)
{
    if (sqlite3_exec(self->database, create_sql, NULL, NULL, NULL) != SQLITE_OK)
        return fail_sqlite(self, "write it");
    enum status status = count_companies(self);
    if (status != STATUS_OK)
        return status;
    self->data = demo_data_new(self->companies);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0] && status == STATUS_OK; i++)
        status = complete(self, &tables[i]);
    demo_data_destroy(&self->data);
    return status;
}

static bool execute(struct writing *self, const char *sql)
{
    return sqlite3_exec(self->database, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/* Everything or nothing: not even the journal's mode of a file that is refused. */
static enum status transact(struct writing *self)
{
    sqlite3_busy_timeout(self->database, BUSY_TIMEOUT_MS);
    if (!execute(self, "begin immediate"))
        return fail_sqlite(self, "write it");
    enum status status = write_all(self);
    if (status == STATUS_OK && execute(self, "commit") &&
        execute(self, "pragma journal_mode = wal"))
        return STATUS_OK;
    if (status == STATUS_OK)
        status = fail_sqlite(self, "write it");
    (void)execute(self, "rollback");
    return status;
}

enum status demo_data_write(const char *path, unsigned companies, char *reason, size_t reason_size)
{
    struct writing self = {.companies = companies, .reason = reason, .reason_size = reason_size};
    if (companies < 1 || companies > DEMO_COMPANIES_MAX)
        return fail(&self, STATUS_BAD_REQUEST, "companies must be 1 to %u", DEMO_COMPANIES_MAX);
    enum status status = STATUS_OK;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    if (sqlite3_open_v2(path, &self.database, flags, NULL) != SQLITE_OK)
        status = fail_sqlite(&self, "open it");
    else
        status = transact(&self);
    sqlite3_close(self.database);
    return status;
}
