/* templates - see templates.h.
 *
 * Statement and sentence hold names in braces. Of a statement: what the reading chose among our own
 * texts ({metric}, {sum} ...), or a value, which becomes a question mark and a parameter. Of a
 * sentence: a slot, a column of the first row ({.revenue}), or all rows ({rows}). */
#include "actors/driver/templates.h"

#include <assert.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

#define RECORDS " from financial_records f join companies c on c.id = f.company_id where "
#define IN_PERIOD "{in_period}"
#define OF_ALL " select * from t where {metric} = (select {extreme}({metric}) from t)"

/* clang-format off */
const struct template templates[] = {
    {"value", COMPANY | METRIC | PERIOD, TOTAL | SPAN, false,
     "select c.name as company, {sum} as {metric}" RECORDS "c.name = {company} and " IN_PERIOD
     " group by c.id",
     "The {metric} of {company} in {period} was {value}."},
    {"total", COMPANY | METRIC | TOTAL, 0, false,
     "select c.name as company, {sum} as {metric}" RECORDS "c.name = {company} group by c.id",
     "The total {metric} of {company} over all quarters was {value}."},
    {"of all quarters", COMPANY | METRIC, 0, false, NULL,
     "total {metric} of {company} over all quarters: ask for the total"},
    {"of the latest quarter", COMPANY | METRIC, 0, false, NULL,
     "{metric} of {company} in one period: name it, or ask for the latest quarter"},
    {"average", COMPANY | METRIC | PERIOD | AVERAGE, EACH_QUARTER | SPAN, true,
     "select c.name as company, round(avg({column}), 2) as average_{metric}" RECORDS
     "c.name = {company} and " IN_PERIOD " group by c.id",
     "The average quarterly {metric} of {company} in {period}: {value}."},
    {"quarters", COMPANY | METRIC | PERIOD | EACH_QUARTER, SPAN, false,
     "select f.quarter || ' ' || f.year as quarter, {sum} as {metric}" RECORDS
     "c.name = {company} and " IN_PERIOD " group by f.year, f.quarter order by f.year, f.quarter",
     "The quarterly {metric} of {company} in {period}: {rows}."},
    {"best quarter", COMPANY | METRIC | QUARTERS | EXTREME, PERIOD | SPAN, false,
     "with t as (select f.quarter || ' ' || f.year as quarter, {sum} as {metric}" RECORDS
     "c.name = {company}{and_in_period} group by f.year, f.quarter order by f.year, f.quarter)" OF_ALL,
     "{company} had its {superlative} {metric} in {rows}."},
    {"comparison", COMPANY | COMPANY_PAIR | METRIC | PERIOD | COMPARE,
     TOTAL | SPAN | COMPANIES | EXTREME, false,
     "select c.name as company, {sum} as {metric}" RECORDS "c.name in ({company}, {other}) and "
     IN_PERIOD " group by c.id order by {metric} desc, company",
     "The {metric} in {period}: {rows}."},
    {"growth", COMPANY | METRIC | PERIOD | SPAN | GROWTH, 0, true,
     "with t as (select c.name as company, {sum_from} as first, {sum_to} as second" RECORDS
     "c.name = {company} group by c.id) select company, first as {metric}_from,"
     " second as {metric}_to, round(100.0 * (second - first) / nullif(abs(first), 0), 2) as"
     " growth_percent from t where first is not null and second is not null",
     "The {metric} of {company} changed by {.growth_percent} from {from} to {to}."},
    {"fastest growth", COMPANIES | METRIC | PERIOD | SPAN | GROWTH | EXTREME, SECTOR, true,
     "with t as (select c.name as company,"
     " round(100.0 * ({sum_to} - {sum_from}) / nullif(abs({sum_from}), 0), 2) as growth_percent"
     RECORDS "1{and_sector} group by c.id) select company, growth_percent from t"
     " where growth_percent = (select {extreme}(growth_percent) from t) order by company",
     "The {superlative} growth of {metric} from {from} to {to}: {rows}."},
    {"extreme", COMPANIES | METRIC | PERIOD | EXTREME, SECTOR | SPAN | TOTAL, false,
     "with t as (select c.name as company, {sum} as {metric}" RECORDS IN_PERIOD
     "{and_sector} group by c.id)" OF_ALL " order by company",
     "The {superlative} {metric} in {period}: {rows}."},
    {"top", COMPANIES | METRIC | PERIOD | EXTREME | NUMBER, SECTOR | SPAN | TOTAL, false,
     "select c.name as company, {sum} as {metric}" RECORDS IN_PERIOD
     "{and_sector} group by c.id order by {metric} {direction}, company limit {number}",
     "The {number} companies with the {superlative} {metric} in {period}: {rows}."},
    {"sector total", SECTOR | METRIC | PERIOD, TOTAL | SPAN | COMPANIES, false,
     "select c.sector as sector, {sum} as {metric}" RECORDS "c.sector = {sector} and " IN_PERIOD
     " group by c.sector",
     "The {metric} of the {sector} sector in {period} was {value}."},
    {"by sector", EACH_SECTOR | METRIC | PERIOD, TOTAL | SPAN, false,
     "select c.sector as sector, {sum} as {metric}" RECORDS IN_PERIOD
     " group by c.sector order by c.sector",
     "The {metric} by sector in {period}: {rows}."},
    {"extreme sector", SECTORS | METRIC | PERIOD | EXTREME, TOTAL | SPAN, false,
     "with t as (select c.sector as sector, {sum} as {metric}" RECORDS IN_PERIOD
     " group by c.sector)" OF_ALL " order by sector",
     "The sector with the {superlative} {metric} in {period}: {rows}."},
    {"grand total", TOTAL | METRIC | PERIOD, SPAN | COMPANIES, false,
     "select count(distinct c.id) as companies, {sum} as {metric}" RECORDS IN_PERIOD
     " having count(*) > 0",
     "The {metric} of all companies in {period} was {value}."},
    {"losses", LOSS | COMPANIES | PERIOD, SECTOR | SPAN, false,
     "select c.name as company, sum(f.profit) as profit" RECORDS IN_PERIOD
     "{and_sector} group by c.id having sum(f.profit) < 0 order by profit, company",
     "Companies with a loss in {period}: {rows}."},
    {"count", COUNT | COMPANIES, SECTOR, false,
     "select count(*) as companies from companies c where 1{and_sector}",
     "There are {.companies} companies{in_sector}."},
    {"companies", COMPANIES, SECTOR, false,
     "select c.name as company from companies c where 1{and_sector} order by company",
     "The companies{in_sector}: {rows}."},
    {"sectors", SECTORS, 0, false,
     "select c.sector as sector, count(*) as companies from companies c"
     " group by c.sector order by c.sector",
     "The sectors, with their companies: {rows}."},
    {"sector of a company", SECTORS | COMPANY, 0, false,
     "select c.name as company, c.sector as sector from companies c where c.name = {company}",
     "{company} is in the {.sector} sector."},
    {"attribute", COMPANY | ATTRIBUTE, WHEN, false,
     "select c.name as company, c.{attribute} as {attribute} from companies c"
     " where c.name = {company}",
     "The {label} of {company}: {value}."},
    {"extreme attribute", COMPANIES | ATTRIBUTE | EXTREME, SECTOR, false,
     "with t as (select c.name as company, c.{attribute} as {attribute} from companies c"
     " where 1{and_sector}) select * from t where {attribute} ="
     " (select {extreme}({attribute}) from t) order by company",
     "The {superlative} {label}: {rows}."},
    {"extreme by revenue", COMPANIES | EXTREME, SECTOR | PERIOD | SPAN, false, NULL,
     "{superlative} by revenue, profit, expenses or margin: name one of them and a period"},
    {"extreme by attribute", COMPANIES | EXTREME, SECTOR | PERIOD | SPAN, false, NULL,
     "{superlative} by employees, market capitalization or founding year: name one of them"},
};
/* clang-format on */
const size_t template_count = COUNT_OF(templates);

const struct example examples[] = {
    {"What was the Q1 2025 revenue of Orvanta Systems?", NULL},
    {"What was the profit of Halvera Health in 2024?", NULL},
    {"What was the total revenue of Pallory Bank from 2023 to 2025?", NULL},
    {"What were the average quarterly expenses of Solvarra Energy in 2024?", NULL},
    {"What was the profit margin of Kestrion Software in Q4 2024?", NULL},
    {"Show the quarterly revenue of Quillby Goods in 2024", NULL},
    {"In which quarter did Marrowick Stores have its highest revenue?", NULL},
    {"Compare the revenue of Orvanta Systems and Kestrion Software in 2024", NULL},
    {"By how much did the revenue of Marrowick Stores grow from 2023 to 2025?", NULL},
    {"Which company had the highest revenue growth from 2023 to 2025?", NULL},
    {"Which company had the highest revenue in Q4 2024?", NULL},
    {"Which company had the lowest profit in 2023?", NULL},
    {"What were the top 3 companies by profit in 2024?", NULL},
    {"What was the total revenue of the Energy sector in 2024?", NULL},
    {"What was the total profit by sector in 2025?", NULL},
    {"Which sector had the highest margin in 2024?", NULL},
    {"Which companies made a loss in Q3 2024?", NULL},
    {"How many companies are in the Retail sector?", NULL},
    {"Which companies are in the Finance sector?", NULL},
    {"How many employees does Dunmarsh Machines have?", NULL},
    {"What was the customer satisfaction of Orvanta Systems in 2024?", "NOT_IN_SCHEMA"},
    {"What will the revenue of Medolune Therapeutics be in Q1 2026?", "FORECAST_NOT_OFFERED"},
    {"What was the Q1 2025 revenue of Brannoway Industries?", "NOT_IN_SCHEMA"},
    {"What was the revenue of Tidegrove Power in Q3 2019?", "OUT_OF_RANGE"},
};
const size_t example_count = COUNT_OF(examples);

static bool fits(const struct template *template, const struct reading *reading)
{
    uint32_t allowed = template->needs | template->allows;
    if ((reading->elements & template->needs) != template->needs ||
        (reading->elements & ~allowed) != 0)
        return false;
    bool flow = reading->metric != NULL && reading->metric->column != NULL;
    if (template->flows_only && !flow)
        return false;
    bool orders = (template->needs & ATTRIBUTE) != 0 && (template->needs & EXTREME) != 0;
    return !orders || (reading->attribute != NULL && reading->attribute->ordered);
}

size_t templates_match(const struct reading *reading, const struct template **ret)
{
    size_t count = 0;
    int best = -1;
    for (size_t i = 0; i < template_count; i++) {
        int rank = __builtin_popcount(templates[i].needs);
        if (!fits(&templates[i], reading) || rank < best)
            continue;
        if (rank > best)
            count = 0;
        best = rank;
        assert(count < TEMPLATES_MATCHED_MAX);
        ret[count++] = &templates[i];
    }
    return count;
}
