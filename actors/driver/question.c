/* question - see question.h.
 *
 * At each word the parsers are tried in the order of the table at the end; the first that takes
 * words wins. Names come first, so that "Solvarra Energy" is a company and not a sector. */
#include "actors/driver/question.h"

#include <assert.h>
#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "actors/driver/lexicon.h"
#include "actors/driver/words.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define CANDIDATES_MAX 1024u
#define YEAR_LEAST 1900
#define YEAR_MOST 2199

const struct measure measures[] = {
    {"revenue", "f.revenue", "sum(f.revenue)", ""},
    {"profit", "f.profit", "sum(f.profit)", ""},
    {"expenses", "f.expenses", "sum(f.expenses)", ""},
    {"margin", NULL, "round(100.0 * sum(f.profit) / sum(f.revenue), 2)", "%"},
};
const size_t measure_count = COUNT_OF(measures);

const struct attribute attributes[] = {
    {"employees", "employees", true, false},
    {"market_cap", "market capitalization", true, false},
    {"founded_year", "founding year", true, true},
    {"symbol", "symbol", false, false},
};
const size_t attribute_count = COUNT_OF(attributes);

/* A company that the question may name: its first word, or its symbol, is there. */
struct candidate {
    struct bytes name, symbol;
};

struct reader {
    struct bytes words[QUESTION_WORDS_MAX];
    unsigned count;
    unsigned candidate_count;
    const struct catalogue *catalogue;
    struct reading *reading;
    unsigned sector_end;   /* the word after a sector's name; 0: none */
    unsigned sector_begin; /* its first */
    unsigned unknown_first, unknown_last;
    bool has_unknown;
    struct candidate candidates[CANDIDATES_MAX]; /* last: the rest begins with zeros */
};

/* How many words of the question, from at, are those of this phrase; 0: they are others. */
static unsigned match_phrase(const struct reader *self, unsigned at, struct bytes phrase)
{
    struct bytes word;
    unsigned count = 0;
    while (words_next(&phrase, &word)) {
        if (at + count == self->count || !words_same(word, self->words[at + count]))
            return 0;
        count++;
    }
    return count;
}

/* COMPARE may be said by several words: compare, and. */
static void add(struct reader *self, uint32_t elements)
{
    if ((self->reading->elements & elements & ~(uint32_t)COMPARE) != 0)
        self->reading->elements |= EXTRA;
    self->reading->elements |= elements;
}

static void add_company(struct reader *self, struct bytes name)
{
    struct reading *reading = self->reading;
    if ((reading->elements & COMPANY) == 0) {
        reading->companies[0] = name;
        reading->elements |= COMPANY;
    } else if ((reading->elements & COMPANY_PAIR) == 0) {
        reading->companies[1] = name;
        reading->elements |= COMPANY_PAIR;
    } else {
        reading->elements |= EXTRA;
    }
}

static struct bytes text_of(struct bytes row, const char *key)
{
    struct bytes text = {0};
    struct bytes value = value_find(row, key);
    if (value.data != NULL)
        (void)value_text(value, &text);
    return text;
}

/* A whole name, the longest there is, or a symbol. */
static unsigned take_company(struct reader *self, unsigned at)
{
    const struct candidate *found = NULL;
    unsigned longest = 0;
    for (unsigned i = 0; i < self->candidate_count; i++) {
        const struct candidate *candidate = &self->candidates[i];
        unsigned count = match_phrase(self, at, candidate->name);
        if (count == 0)
            count = match_phrase(self, at, candidate->symbol);
        if (count <= longest)
            continue;
        longest = count;
        found = candidate;
    }
    if (found != NULL)
        add_company(self, found->name);
    return longest;
}

/* The first word of a name, if it is one company's alone. */
static unsigned take_short_name(struct reader *self, unsigned at)
{
    struct bytes name = {0};
    unsigned found = 0;
    for (unsigned i = 0; i < self->candidate_count; i++) {
        struct bytes rest = self->candidates[i].name, word;
        if (!words_next(&rest, &word) || !words_same(word, self->words[at]))
            continue;
        name = self->candidates[i].name;
        found++;
    }
    if (found == 1)
        add_company(self, name);
    else if (found > 1)
        self->reading->short_name = self->words[at];
    return found > 0;
}

static unsigned take_sector(struct reader *self, unsigned at)
{
    struct values rows = values_over(self->catalogue->sectors);
    struct bytes row;
    while (values_next(&rows, &row)) {
        struct bytes name = text_of(row, "s");
        unsigned count = match_phrase(self, at, name);
        if (count == 0 && lexicon_is_sector(name, self->words[at]))
            count = 1;
        if (count == 0)
            continue;
        add(self, SECTOR);
        self->reading->sector = name;
        self->sector_begin = at;
        self->sector_end = at + count;
        return count;
    }
    return 0;
}

static bool digits(struct bytes word, uint64_t *ret)
{
    uint64_t number = 0;
    if (word.size == 0 || word.size > 9)
        return false;
    for (size_t i = 0; i < word.size; i++) {
        if (!isdigit((unsigned char)word.data[i]))
            return false;
        number = number * 10 + (uint64_t)(word.data[i] - '0');
    }
    *ret = number;
    return true;
}

static unsigned take_number(struct reader *self, unsigned at)
{
    uint64_t number;
    if (!digits(self->words[at], &number) && !lexicon_number(self->words[at], &number))
        return 0;
    add(self, NUMBER);
    self->reading->number = number;
    return 1;
}

static bool is_at(const struct reader *self, unsigned at, const char *word)
{
    return at < self->count && words_same(self->words[at], bytes_of(word));
}

/* A year, with what may stand before it. */
static unsigned match_year(const struct reader *self, unsigned at, int64_t *ret)
{
    unsigned begin = at;
    uint64_t number;
    at += is_at(self, at, "the");
    at += is_at(self, at, "fiscal") || is_at(self, at, "calendar");
    at += is_at(self, at, "year");
    if (at == self->count)
        return 0;
    struct bytes word = self->words[at];
    if (word.size == 6 && strncasecmp(word.data, "fy", 2) == 0)
        word = (struct bytes){word.data + 2, word.size - 2};
    if (word.size != 4 || !digits(word, &number) || number < YEAR_LEAST || number > YEAR_MOST)
        return 0;
    *ret = (int64_t)number;
    return at + 1 - begin;
}

/* Q1, first quarter, quarter 1. ret: from 0. */
static unsigned match_quarter(const struct reader *self, unsigned at, int64_t *ret)
{
    static const char *const forms[4][6] = {
        {"q1", "first quarter", "1st quarter", "quarter 1", "quarter one", "1q"},
        {"q2", "second quarter", "2nd quarter", "quarter 2", "quarter two", "2q"},
        {"q3", "third quarter", "3rd quarter", "quarter 3", "quarter three", "3q"},
        {"q4", "fourth quarter", "4th quarter", "quarter 4", "quarter four", "4q"}};
    for (int64_t quarter = 0; quarter < 4; quarter++)
        for (unsigned form = 0; form < 6; form++) {
            unsigned count = match_phrase(self, at, bytes_of(forms[quarter][form]));
            if (count > 0) {
                *ret = quarter;
                return count;
            }
        }
    return 0;
}

/* 2025Q1 or Q12025 in one word. */
static bool is_joined(struct bytes word, int64_t *ret_year, int64_t *ret_quarter)
{
    uint64_t number;
    if (word.size != 6)
        return false;
    bool year_first = (word.data[4] | 0x20) == 'q';
    if (!year_first && (word.data[0] | 0x20) != 'q')
        return false;
    unsigned quarter = (unsigned char)word.data[year_first ? 5 : 1];
    struct bytes year = {word.data + (year_first ? 0 : 2), 4};
    if (quarter < '1' || quarter > '4' || !digits(year, &number) || number < YEAR_LEAST ||
        number > YEAR_MOST)
        return false;
    *ret_year = (int64_t)number;
    *ret_quarter = (int64_t)quarter - '1';
    return true;
}

static struct period quarter_of(int64_t year, int64_t quarter)
{
    return (struct period){year * 4 + quarter, year * 4 + quarter};
}

/* One period, whole: a quarter with its year, in either order, or a year. */
static unsigned match_period(const struct reader *self, unsigned at, struct period *ret)
{
    int64_t year, quarter;
    if (at < self->count && is_joined(self->words[at], &year, &quarter)) {
        *ret = quarter_of(year, quarter);
        return 1;
    }
    unsigned begin = at;
    unsigned count = match_quarter(self, at, &quarter);
    if (count > 0) {
        at += count;
        at += is_at(self, at, "of") || is_at(self, at, "in");
        count = match_year(self, at, &year);
        if (count == 0)
            return 0;
        *ret = quarter_of(year, quarter);
        return at + count - begin;
    }
    count = match_year(self, at, &year);
    if (count == 0)
        return 0;
    at += count;
    count = match_quarter(self, at, &quarter);
    *ret = count > 0 ? quarter_of(year, quarter) : (struct period){year * 4, year * 4 + 3};
    return at + count - begin;
}

/* A period, or two with what joins them. */
static unsigned take_period(struct reader *self, unsigned at)
{
    struct reading *reading = self->reading;
    unsigned begin = at;
    bool between = is_at(self, at, "between");
    at += is_at(self, at, "from") || between;
    struct period first, second;
    unsigned count = match_period(self, at, &first);
    if (count == 0)
        return 0;
    at += count;
    bool joined = is_at(self, at, "to") || is_at(self, at, "through") || is_at(self, at, "until") ||
                  is_at(self, at, "-") || is_at(self, at, "\xe2\x80\x93") ||
                  (between && is_at(self, at, "and"));
    count = joined ? match_period(self, at + 1, &second) : 0;
    if (count == 0 && at - begin > 0 && (between || is_at(self, begin, "from")))
        return 0; /* an open end */
    add(self, PERIOD);
    reading->periods[0] = first;
    if (count == 0)
        return at - begin;
    add(self, second.from > first.to ? SPAN : EXTRA);
    reading->periods[1] = second;
    return at + 1 + count - begin;
}

static unsigned take_half_period(struct reader *self, unsigned at)
{
    int64_t quarter;
    unsigned count = match_quarter(self, at, &quarter);
    if (count > 0)
        self->reading->half_period = self->words[at + count - 1];
    return count;
}

static unsigned take_lexicon(struct reader *self, unsigned at)
{
    struct reading *reading = self->reading;
    const struct entry *longest = NULL;
    unsigned count = 0;
    for (size_t i = 0; i < lexicon_count; i++) {
        unsigned matched = match_phrase(self, at, bytes_of(lexicon[i].phrase));
        if (matched > count) {
            count = matched;
            longest = &lexicon[i];
        }
    }
    if (longest == NULL)
        return 0;
    if (longest->elements != 0)
        add(self, longest->elements);
    if (longest->metric != NO_METRIC)
        reading->metric = &measures[longest->metric];
    if (longest->attribute != NO_ATTRIBUTE)
        reading->attribute = &attributes[longest->attribute];
    reading->lowest |= longest->lowest;
    reading->forecast |= longest->forecast;
    return count;
}

/* The word sector after a sector's name says nothing more; after an unknown word, what it names. */
static unsigned take_sector_word(struct reader *self, unsigned at)
{
    bool known = self->sector_end > 0 && self->sector_end == at;
    bool unknown = self->has_unknown && self->unknown_last + 1 == at;
    if ((!known && !unknown) || (!is_at(self, at, "sector") && !is_at(self, at, "industry")))
        return 0;
    self->reading->unknown_is_sector |= unknown;
    return 1;
}

static unsigned take_unknown(struct reader *self, unsigned at)
{
    if (!self->has_unknown)
        self->unknown_first = at;
    else
        self->reading->scattered |= self->unknown_last + 1 != at;
    self->has_unknown = true;
    self->unknown_last = at;
    return 1;
}

/* A sector's name right beside an unknown word is a part of an unknown name. */
static void end_unknown(struct reader *self)
{
    if (!self->has_unknown)
        return;
    bool beside = self->sector_end > 0 && (self->unknown_last + 1 == self->sector_begin ||
                                           self->unknown_first == self->sector_end);
    if (beside) {
        self->reading->elements &= ~(uint32_t)SECTOR;
        if (self->sector_begin < self->unknown_first)
            self->unknown_first = self->sector_begin;
        if (self->sector_end - 1 > self->unknown_last)
            self->unknown_last = self->sector_end - 1;
    }
    struct bytes first = self->words[self->unknown_first];
    struct bytes last = self->words[self->unknown_last];
    self->reading->unknown =
        (struct bytes){first.data, (size_t)(last.data - first.data) + last.size};
}

typedef unsigned taker(struct reader *self, unsigned at);
static taker *const takers[] = {take_company,     take_period,  take_half_period,
                                take_sector_word, take_lexicon, take_sector,
                                take_short_name,  take_number,  take_unknown};

static bool has_word(const struct reader *self, struct bytes text)
{
    struct bytes word;
    if (!words_next(&text, &word))
        return false;
    for (unsigned i = 0; i < self->count; i++)
        if (words_same(word, self->words[i]))
            return true;
    return false;
}

/* One pass over all companies, who may be thousands; false: too many are left. */
static bool find_candidates(struct reader *self)
{
    struct values rows = values_over(self->catalogue->companies);
    struct bytes row;
    while (values_next(&rows, &row)) {
        struct candidate candidate = {text_of(row, "n"), text_of(row, "s")};
        if (!has_word(self, candidate.name) && !has_word(self, candidate.symbol))
            continue;
        if (self->candidate_count == CANDIDATES_MAX)
            return false;
        self->candidates[self->candidate_count++] = candidate;
    }
    return true;
}

bool question_read(struct bytes question, const struct catalogue *catalogue, struct reading *ret)
{
    struct reader self;
    struct bytes word;
    memset(&self, 0, offsetof(struct reader, candidates));
    self.catalogue = catalogue;
    self.reading = ret;
    *ret = (struct reading){0};
    while (words_next(&question, &word)) {
        if (self.count == QUESTION_WORDS_MAX)
            return false;
        self.words[self.count++] = word;
    }
    if (!find_candidates(&self))
        return false;
    for (unsigned at = 0; at < self.count;) {
        unsigned taken = 0;
        for (size_t i = 0; taken == 0 && i < COUNT_OF(takers); i++)
            taken = takers[i](&self, at);
        assert(taken > 0); /* the last takes any */
        at += taken;
    }
    end_unknown(&self);
    if ((ret->elements & LATEST) != 0) {
        add(&self, PERIOD);
        ret->elements &= ~(uint32_t)LATEST;
        ret->periods[0] = (struct period){catalogue->last, catalogue->last};
    }
    return true;
}

void period_text(struct period period, char *out)
{
    int from_year = (int)(period.from / 4), from_quarter = (int)(period.from % 4);
    int to_year = (int)(period.to / 4), to_quarter = (int)(period.to % 4);
    if (period.from == period.to)
        snprintf(out, PERIOD_TEXT_BYTES_MAX, "Q%d %d", from_quarter + 1, from_year);
    else if (from_quarter != 0 || to_quarter != 3)
        snprintf(out, PERIOD_TEXT_BYTES_MAX, "Q%d %d to Q%d %d", from_quarter + 1, from_year,
                 to_quarter + 1, to_year);
    else if (from_year == to_year)
        snprintf(out, PERIOD_TEXT_BYTES_MAX, "%d", from_year);
    else
        snprintf(out, PERIOD_TEXT_BYTES_MAX, "%d to %d", from_year, to_year);
}
