/* demo_data - twelve invented firms and three years of their figures.
 *
 * The same numbers on every machine and in every run: a fixed seed, integers only. What tests
 * expect of an answer is computed from these arrays, never by the SQL that is tested. A larger set
 * begins with the smaller one, so a file can grow and never has to be made anew. */
#ifndef ACTORS_CLI_DEMO_DATA_H
#define ACTORS_CLI_DEMO_DATA_H

#include "protocol/envelope.h"

#define DEMO_DIRECTORY "./fact-demo" /* where it is, if nobody says */
#define DEMO_COMPANIES_DEFAULT 12u
#define DEMO_COMPANIES_MAX 4000u /* their names fit one answer of a tool */
#define DEMO_SECTORS 6u
#define DEMO_YEAR_FIRST 2023u
#define DEMO_YEAR_LAST 2025u
#define DEMO_QUARTERS 12u
#define DEMO_NAME_BYTES_MAX 48u

_Static_assert(DEMO_QUARTERS == 4u * (DEMO_YEAR_LAST - DEMO_YEAR_FIRST + 1u), "all of each year");

struct demo_company {
    uint32_t id; /* from 1; the array's order */
    char name[DEMO_NAME_BYTES_MAX];
    char symbol[8];
    const char *sector;
    uint32_t founded_year, employees;
    int64_t market_cap; /* whole thousands: the last three digits are 0 */
};

struct demo_record {
    uint32_t id, company_id;           /* from 1; the array's order: by company, then by time */
    uint32_t quarter;                  /* 1 to 4; `Q1` to `Q4` in the table */
    uint32_t year;                     /* DEMO_YEAR_FIRST to DEMO_YEAR_LAST */
    int64_t revenue, profit, expenses; /* whole thousands; profit = revenue - expenses */
};

struct demo_data {
    unsigned company_count, record_count; /* DEMO_QUARTERS records a company */
    struct demo_company *companies;
    struct demo_record *records;
};

extern const char *const demo_sectors[DEMO_SECTORS];

/* companies: 1 to DEMO_COMPANIES_MAX. */
struct demo_data *demo_data_new(unsigned companies);
void demo_data_destroy(struct demo_data **self_p);

/* Make sure that an SQLite file has the demo tables with at least so many companies. It is created
 * if it is not there; rows that are missing are added; what is there already is compared, and
 * nothing is ever changed or dropped. Doing it twice writes nothing the second time.
 *
 * companies  1 to DEMO_COMPANIES_MAX
 * reason     gets one line on what to mend, on failure
 * returns    OK; BAD_REQUEST: the number is out of range, or the file has a table of the same name
 *            that holds something else; INTERNAL: SQLite cannot open, read or write it */
MUST_USE enum status demo_data_write(const char *path, unsigned companies, char *reason,
                                     size_t reason_size);

#endif
