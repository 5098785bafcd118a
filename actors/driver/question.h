/* question - what the words of a question stand for: typed slots, and elements of a template.
 *
 * A question is read word by word. Each is part of a slot (company, sector, period, metric,
 * number), names an element (highest, total, by quarter ...), says nothing, or is unknown. A
 * template answers only what is understood to the last word, so an answer is never a guess; the
 * order of the words does not matter, and case and synonyms do not either.
 * Pure: nothing is copied, views borrow the question and the catalogue. */
#ifndef ACTORS_DRIVER_QUESTION_H
#define ACTORS_DRIVER_QUESTION_H

#include "protocol/limits.h"
#include "protocol/value.h"

#define QUESTION_WORDS_MAX 64u

/* What the planner knows of the data, from the answers of tools. */
struct catalogue {
    struct bytes companies; /* array of maps {n: name, s: symbol} */
    struct bytes sectors;   /* array of maps {s: name} */
    bool complete;          /* false: there are more companies or sectors than that */
    int64_t first, last;    /* quarters there are records of, as in struct period */
};

struct period {
    int64_t from, to; /* quarters, both included: year * 4 + quarter - 1 */
};

struct measure {
    const char *name;       /* column of the answer */
    const char *column;     /* of financial_records; NULL: it is computed of several */
    const char *expression; /* over the records of a group */
    const char *unit;
};

struct attribute {
    const char *name; /* column of companies */
    const char *label;
    bool ordered; /* a larger one means something */
    bool plain;   /* a number that is no amount: a year */
};

enum element {
    COMPANY = 1 << 0,
    COMPANY_PAIR = 1 << 1,
    SECTOR = 1 << 2,
    METRIC = 1 << 3,
    ATTRIBUTE = 1 << 4,
    PERIOD = 1 << 5,
    SPAN = 1 << 6, /* from one period to another */
    NUMBER = 1 << 7,
    COMPANIES = 1 << 8, /* which company, companies */
    SECTORS = 1 << 9,
    QUARTERS = 1 << 10,
    EACH_QUARTER = 1 << 11,
    EACH_SECTOR = 1 << 12,
    TOTAL = 1 << 13,
    AVERAGE = 1 << 14,
    EXTREME = 1 << 15, /* highest or lowest */
    COUNT = 1 << 16,
    GROWTH = 1 << 17,
    COMPARE = 1 << 18,
    LOSS = 1 << 19,
    WHEN = 1 << 20,
    LATEST = 1 << 21, /* the latest quarter; a PERIOD once it is read */
    EXTRA = 1 << 22   /* something said twice, or more than a template takes */
};

struct reading {
    uint32_t elements;
    struct bytes companies[2]; /* names as the catalogue has them */
    struct bytes sector;       /* likewise */
    const struct measure *metric;
    const struct attribute *attribute;
    struct period periods[2]; /* of a SPAN both ends, else the first */
    uint64_t number;
    bool lowest;              /* of EXTREME */
    bool forecast;            /* it asks for what is to come */
    struct bytes half_period; /* a quarter without its year; absent: none */
    struct bytes short_name;  /* a first word that several companies have; absent: none */
    struct bytes unknown;     /* from the first to the last unknown word; absent: all understood */
    bool scattered;           /* unknown words have others between them */
    bool unknown_is_sector;   /* the word sector follows them */
};

extern const struct measure measures[];
extern const struct attribute attributes[];
extern const size_t measure_count, attribute_count;

/* Read a question.
 *
 * returns  false: it has more than QUESTION_WORDS_MAX words, or begins too many names */
bool question_read(struct bytes question, const struct catalogue *catalogue, struct reading *ret);

/* Write a period for people: Q1 2025, 2024, Q3 2023 to Q2 2024. out: PERIOD_TEXT_BYTES_MAX. */
#define PERIOD_TEXT_BYTES_MAX 64u
void period_text(struct period period, char *out);

#endif
