/* demo_data - see demo_data.h. */
#include "actors/cli/demo_data.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEED UINT64_C(0x666163742d64656d)
#define THOUSAND INT64_C(1000)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

const char *const demo_sectors[DEMO_SECTORS] = {"Technology", "Healthcare", "Energy",
                                                "Finance",    "Retail",     "Manufacturing"};

/* The first firms, two a sector; further ones are put together from words. */
static const struct {
    const char *name, *symbol;
} firms[DEMO_COMPANIES_DEFAULT] = {
    {"Orvanta Systems", "ORVA"},   {"Medolune Therapeutics", "MEDL"}, {"Solvarra Energy", "SOLV"},
    {"Cindral Capital", "CIND"},   {"Marrowick Stores", "MARW"},      {"Ferrowen Works", "FERW"},
    {"Kestrion Software", "KSTR"}, {"Halvera Health", "HALV"},        {"Tidegrove Power", "TIDE"},
    {"Pallory Bank", "PALL"},      {"Quillby Goods", "QUIL"},         {"Dunmarsh Machines", "DUNM"},
};

static const char *const first_words[] = {"Alder",   "Birken",   "Corvid",   "Dalmar",   "Elmsford",
                                          "Farrow",  "Gorsel",   "Hazen",    "Ilvery",   "Juniver",
                                          "Kelding", "Larkmoor", "Mossel",   "Nettel",   "Oakhern",
                                          "Pinver",  "Quarrel",  "Rowanby",  "Sedger",   "Thistel",
                                          "Umberly", "Vetchar",  "Willoden", "Yarrowin", "Zinnar"};
static const char *const second_words[] = {
    "Bay",   "Bridge", "Brook", "Cliff", "Creek", "Dale",  "Field", "Ford",   "Gate", "Grove",
    "Haven", "Hill",   "Lake",  "Marsh", "Mill",  "Point", "Ridge", "Spring", "Vale", "Wood"};
static const char *const last_words[] = {
    "Group",    "Holdings", "Industries", "Partners",  "Labs",     "Trading", "Services",
    "Networks", "Systems",  "Products",   "Solutions", "Brothers", "Company", "Union",
    "Works",    "Supply",   "Line",       "House",     "Trust",    "Concern"};
_Static_assert(COUNT_OF(first_words) * COUNT_OF(second_words) * COUNT_OF(last_words) >=
                   DEMO_COMPANIES_MAX,
               "every firm has a name of its own");

/* Percent of an average quarter that each quarter sees, by sector: they add up to 400. */
static const int64_t season[DEMO_SECTORS][4] = {{96, 99, 98, 107},  {100, 100, 99, 101},
                                                {112, 92, 90, 106}, {101, 100, 100, 99},
                                                {88, 94, 96, 122},  {97, 104, 101, 98}};

/* source: Steele, Lea, Flood, Fast splittable pseudorandom number generators, 2014 (SplitMix64) */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static int64_t between(uint64_t *state, int64_t least, int64_t most)
{
    return least + (int64_t)(next(state) % (uint64_t)(most - least + 1));
}

static void name_company(struct demo_company *company, unsigned index)
{
    if (index < DEMO_COMPANIES_DEFAULT) {
        snprintf(company->name, sizeof company->name, "%s", firms[index].name);
        snprintf(company->symbol, sizeof company->symbol, "%s", firms[index].symbol);
        return;
    }
    unsigned first = index % COUNT_OF(first_words);
    unsigned rest = index / COUNT_OF(first_words);
    int size = snprintf(company->name, sizeof company->name, "%s %s %s", first_words[first],
                        second_words[rest % COUNT_OF(second_words)],
                        last_words[rest / COUNT_OF(second_words) % COUNT_OF(last_words)]);
    assert(size > 0);
    assert((size_t)size < sizeof company->name);
    /* Five letters, of which no firm above has that many. */
    company->symbol[0] = first_words[first][0];
    for (unsigned i = 4, left = index; i > 0; i--, left /= 26)
        company->symbol[i] = (char)('A' + left % 26);
}

/* One firm's quarters: a trend, its sector's season and some chance; a bad year may end in the red.
 */
static void fill_records(struct demo_record *records, const struct demo_company *company,
                         unsigned sector, int64_t revenue, uint64_t *state)
{
    int64_t growth = between(state, -8, 38);  /* permille a quarter */
    int64_t ratio = between(state, 760, 985); /* of expenses to revenue, permille */
    for (unsigned i = 0; i < DEMO_QUARTERS; i++) {
        struct demo_record *record = &records[i];
        int64_t chance = between(state, 970, 1030);
        int64_t thousands = revenue * season[sector][i % 4] / 100 * chance / 1000;
        int64_t spent = thousands * (ratio + between(state, -30, 60)) / 1000;
        *record = (struct demo_record){.company_id = company->id,
                                       .quarter = 1 + i % 4,
                                       .year = DEMO_YEAR_FIRST + i / 4,
                                       .revenue = thousands * THOUSAND,
                                       .expenses = spent * THOUSAND};
        record->id = (company->id - 1) * DEMO_QUARTERS + i + 1;
        record->profit = record->revenue - record->expenses;
        revenue += revenue * growth / 1000;
    }
}

/* Nothing of a company depends on how many there are. */
static void fill_company(struct demo_data *self, unsigned index)
{
    uint64_t state = SEED ^ (UINT64_C(1) + index);
    unsigned sector = index % DEMO_SECTORS;
    struct demo_company *company = &self->companies[index];
    company->id = index + 1;
    name_company(company, index);
    company->sector = demo_sectors[sector];
    company->founded_year = (uint32_t)between(&state, 1921, 2016);
    int64_t revenue = between(&state, 60000, 900000);
    company->employees = (uint32_t)(revenue * 4 / between(&state, 180, 520));
    company->market_cap = revenue * between(&state, 60, 240) / 10 * THOUSAND;
    fill_records(&self->records[(size_t)index * DEMO_QUARTERS], company, sector, revenue, &state);
}

struct demo_data *demo_data_new(unsigned companies)
{
    assert(companies >= 1);
    assert(companies <= DEMO_COMPANIES_MAX);
    struct demo_data *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->company_count = companies;
    self->record_count = companies * DEMO_QUARTERS;
    self->companies = calloc(companies, sizeof *self->companies);
    self->records = calloc(self->record_count, sizeof *self->records);
    assert(self->companies != NULL);
    assert(self->records != NULL);
    for (unsigned i = 0; i < companies; i++)
        fill_company(self, i);
    return self;
}

void demo_data_destroy(struct demo_data **self_p)
{
    assert(self_p != NULL);
    if (*self_p == NULL)
        return;
    free((*self_p)->companies);
    free((*self_p)->records);
    free(*self_p);
    *self_p = NULL;
}
