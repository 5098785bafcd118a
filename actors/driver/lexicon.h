/* lexicon - the words that questions are made of, beside names, periods and numbers. */
#ifndef ACTORS_DRIVER_LEXICON_H
#define ACTORS_DRIVER_LEXICON_H

#include "actors/driver/question.h"

#define NO_METRIC (-1)
#define NO_ATTRIBUTE (-1)

struct entry {
    const char *phrase; /* words with spaces; the longest phrase wins */
    uint32_t elements;  /* 0: it says nothing */
    int metric, attribute;
    bool lowest, forecast;
};

extern const struct entry lexicon[];
extern const size_t lexicon_count;

/* True if this word is another one for this sector. */
bool lexicon_is_sector(struct bytes sector, struct bytes word);

/* A small number in words; writes *ret only if it returns true. */
bool lexicon_number(struct bytes word, uint64_t *ret);

#endif
