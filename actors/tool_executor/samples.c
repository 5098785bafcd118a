/* samples - see samples.h. */
#include "actors/tool_executor/samples.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/tool_executor/database/catalog.h"

#define TABLES_MAX 32u       /* that statements are made from */
#define TABLE_BYTES_MAX 100u /* of a name in them */

static const struct {
    const char *description, *query;
} demo[SAMPLES_MAX] = {
    {"Filter: the companies of one sector",
     "select name, symbol, employees from companies where sector = (select min(sector) from "
     "companies) order by name"},
    {"Group: companies and employees by sector",
     "select sector, count(*) as companies, sum(employees) as employees from companies group by "
     "sector order by sector"},
    {"Join: each company's figures of one quarter",
     "select c.name, r.revenue, r.profit from financial_records r join companies c on c.id = "
     "r.company_id where r.year = 2025 and r.quarter = 'Q1' order by c.name"},
    {"Time series: the revenue of all companies by quarter",
     "select year, quarter, sum(revenue) as revenue from financial_records group by year, quarter "
     "order by year, quarter"},
    {"Average: the mean quarterly profit by sector",
     "select c.sector, avg(r.profit) as average_profit from financial_records r join companies c "
     "on c.id = r.company_id group by c.sector order by c.sector"},
    {"Top N: the five companies with the highest revenue of a year",
     "select c.name, sum(r.revenue) as revenue from financial_records r join companies c on c.id = "
     "r.company_id where r.year = 2025 group by c.id order by revenue desc, c.name limit 5"},
    {"Margin: profit by revenue of each company, in percent",
     "select c.name, round(100.0 * sum(r.profit) / sum(r.revenue), 2) as margin_percent from "
     "financial_records r join companies c on c.id = r.company_id group by c.id order by "
     "margin_percent desc, c.name"},
    {"Growth by CTE: each company's revenue of a year against the year before",
     "with yearly as (select company_id, year, sum(revenue) as revenue from financial_records "
     "group by company_id, year) select c.name, round(100.0 * (n.revenue - b.revenue) / b.revenue, "
     "2) as growth_percent from yearly n join yearly b on b.company_id = n.company_id and b.year = "
     "n.year - 1 join companies c on c.id = n.company_id where n.year = 2025 order by c.name"},
    {"Comparison: two companies, year by year",
     "select r.year, sum(case when c.id = 1 then r.revenue end) as first_revenue, sum(case when "
     "c.id = 2 then r.revenue end) as second_revenue from financial_records r join companies c on "
     "c.id = r.company_id where c.id in (1, 2) group by r.year order by r.year"},
    {"Window: the rank of each company by market capitalisation within its sector",
     "select sector, name, market_cap, rank() over (partition by sector order by market_cap desc) "
     "as place from companies order by sector, place"},
    {"Having: the companies whose best quarter had twice the revenue of their worst",
     "select c.name, min(r.revenue) as worst, max(r.revenue) as best from financial_records r join "
     "companies c on c.id = r.company_id group by c.id having max(r.revenue) >= 2 * "
     "min(r.revenue) order by c.name"},
    {"Empty result: a year of which there are no figures",
     "select company_id, quarter, revenue from financial_records where year = 1900"},
};

static bool compiles(struct sqlite *sqlite, const char *query)
{
    struct failure failure;
    return sqlite_compile(sqlite, bytes_of(query), false, NULL, &failure) != NULL;
}

/* All of the demo's, or none. */
static bool find_demo(struct sqlite *sqlite, struct samples *ret)
{
    for (size_t i = 0; i < SAMPLES_MAX; i++) {
        if (!compiles(sqlite, demo[i].query))
            return false;
        snprintf(ret->list[i].description, SAMPLE_BYTES_MAX, "%s", demo[i].description);
        snprintf(ret->list[i].query, SAMPLE_BYTES_MAX, "%s", demo[i].query);
    }
    ret->count = SAMPLES_MAX;
    return true;
}

/* What the schema offers: tables, each with its first column of text and of numbers. */
struct table {
    char name[TABLE_BYTES_MAX + 1], text[TABLE_BYTES_MAX + 1], number[TABLE_BYTES_MAX + 1];
    bool is_wide;
};

struct tables {
    struct table list[TABLES_MAX];
    size_t count;
};

/* By SQLite's rules of affinity, as far as they matter here. source: sqlite.org/datatype3.html, 3.1
 */
static bool is_number(const char *type)
{
    return strcasestr(type, "int") != NULL || strcasestr(type, "real") != NULL ||
           strcasestr(type, "floa") != NULL || strcasestr(type, "doub") != NULL ||
           strcasestr(type, "num") != NULL || strcasestr(type, "dec") != NULL;
}

static bool is_text(const char *type)
{
    return strcasestr(type, "char") != NULL || strcasestr(type, "text") != NULL ||
           strcasestr(type, "clob") != NULL;
}

static void keep_first(char *kept, const char *name)
{
    if (kept[0] == '\0' && strlen(name) <= TABLE_BYTES_MAX)
        snprintf(kept, TABLE_BYTES_MAX + 1, "%s", name);
}

static void take_column(void *context, const struct catalog_column *column)
{
    struct tables *self = context;
    struct table *last = self->count == 0 ? NULL : &self->list[self->count - 1];
    if (strlen(column->table) > TABLE_BYTES_MAX)
        return;
    if (last == NULL || strcmp(last->name, column->table) != 0) {
        if (self->count == TABLES_MAX)
            return;
        last = &self->list[self->count++];
        *last = (struct table){.is_wide = column->columns > SQL_COLUMNS_MAX};
        snprintf(last->name, sizeof last->name, "%s", column->table);
    }
    if (is_number(column->type) && !column->primary_key)
        keep_first(last->number, column->name);
    else if (is_text(column->type))
        keep_first(last->text, column->name);
}

enum kind_of_sample { FIRST_ROWS, ROW_COUNT, GROUPS, RANGE, KINDS };

/* One statement, if the table has what it needs. %w doubles quotes within a quoted name. */
static bool make(const struct table *table, enum kind_of_sample kind, struct sample *ret)
{
    bool has_text = table->text[0] != '\0', has_number = table->number[0] != '\0';
    int size = (int)SAMPLE_BYTES_MAX;
    if ((kind == FIRST_ROWS && table->is_wide) || (kind == GROUPS && !has_text) ||
        (kind == RANGE && !has_number))
        return false;
    switch (kind) {
    case FIRST_ROWS:
        snprintf(ret->description, SAMPLE_BYTES_MAX, "The first rows of %s", table->name);
        sqlite3_snprintf(size, ret->query, "select * from \"%w\" limit 10", table->name);
        break;
    case ROW_COUNT:
        snprintf(ret->description, SAMPLE_BYTES_MAX, "How many rows %s has", table->name);
        sqlite3_snprintf(size, ret->query, "select count(*) as row_count from \"%w\"", table->name);
        break;
    case GROUPS:
        snprintf(ret->description, SAMPLE_BYTES_MAX, "The most frequent values of %s in %s",
                 table->text, table->name);
        sqlite3_snprintf(size, ret->query,
                         "select \"%w\", count(*) as row_count from \"%w\" group by 1 "
                         "order by row_count desc, 1 limit 10",
                         table->text, table->name);
        break;
    default:
        snprintf(ret->description, SAMPLE_BYTES_MAX, "Least, greatest and average %s in %s",
                 table->number, table->name);
        sqlite3_snprintf(size, ret->query,
                         "select min(\"%w\") as least, max(\"%w\") as greatest, avg(\"%w\") as "
                         "average from \"%w\"",
                         table->number, table->number, table->number, table->name);
    }
    return true;
}

/* A kind for every table, then the next kind. */
static bool find_own(struct sqlite *sqlite, struct samples *ret, struct failure *failure)
{
    struct tables *tables = calloc(1, sizeof *tables);
    assert(tables != NULL);
    bool walked = catalog_walk(sqlite, take_column, tables, failure);
    ret->count = 0;
    for (size_t i = 0; walked && i < KINDS * tables->count && ret->count < SAMPLES_MAX; i++) {
        struct sample *sample = &ret->list[ret->count];
        enum kind_of_sample kind = (enum kind_of_sample)(i / tables->count);
        ret->count += make(&tables->list[i % tables->count], kind, sample) &&
                      strlen(sample->query) < SAMPLE_BYTES_MAX - 1 && /* not cut */
                      cursor_is_utf8(bytes_of(sample->description)) &&
                      compiles(sqlite, sample->query);
    }
    free(tables);
    return walked;
}

bool samples_find(struct sqlite *sqlite, struct samples *ret, struct failure *failure)
{
    return find_demo(sqlite, ret) || find_own(sqlite, ret, failure);
}
