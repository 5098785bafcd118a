/* pattern_match - see pattern_match.h.
 *
 * After a wildcard for any number of characters it is enough to remember the last one: what an
 * earlier one could take, the last one can take too. source: Krauss, Dr. Dobb's, 2008 */
#include "actors/tool_executor/database/pattern_match.h"

#define STEPS_A_LOOK 4096u

struct position {
    const char *at, *end;
};

uint32_t character_at(const char *at, const char *end, size_t *ret_size)
{
    unsigned char lead = (unsigned char)*at;
    const char *next = at + 1;
    uint32_t code = lead;
    if (lead >= 0xc0) {
        code = lead >= 0xf0 ? lead & 0x07u : lead >= 0xe0 ? lead & 0x0fu : lead & 0x1fu;
        while (next < end && ((unsigned char)*next & 0xc0) == 0x80)
            code = (code << 6) | ((unsigned char)*next++ & 0x3fu);
    }
    *ret_size = (size_t)(next - at);
    return code;
}

/* 0: there is none. */
static uint32_t take(struct position *self)
{
    size_t size;
    if (self->at >= self->end)
        return 0;
    uint32_t code = character_at(self->at, self->end, &size);
    self->at += size;
    return code;
}

static uint32_t folded(const struct pattern *self, uint32_t code)
{
    return !self->is_glob && code >= 'A' && code <= 'Z' ? code + ('a' - 'A') : code;
}

/* The set behind [, up to its ]. */
static bool set_holds(struct position *set, uint32_t code)
{
    uint32_t before = 0, next = take(set);
    bool seen = false, inverted = next == '^';
    if (inverted)
        next = take(set);
    if (next == ']') {
        seen = code == ']';
        next = take(set);
    }
    while (next != 0 && next != ']') {
        bool is_range = next == '-' && set->at < set->end && *set->at != ']' && before > 0;
        if (is_range) {
            next = take(set);
            seen = seen || (code >= before && code <= next);
            before = 0;
        } else {
            seen = seen || code == next;
            before = next;
        }
        next = take(set);
    }
    return next == ']' && seen != inverted;
}

/* One element of the pattern, which is no wildcard for many, against one character. */
static bool element_takes(const struct pattern *self, struct position *pattern, uint32_t code)
{
    uint32_t element = take(pattern);
    if (self->escape != 0 && element == self->escape)
        element = take(pattern);
    else if (element == (self->is_glob ? '?' : '_'))
        return true;
    else if (self->is_glob && element == '[')
        return set_holds(pattern, code);
    return element != 0 && folded(self, element) == folded(self, code);
}

static bool takes_many(const struct pattern *self, struct position *pattern)
{
    char many = (char)(self->is_glob ? '*' : '%');
    bool found = pattern->at < pattern->end && *pattern->at == many &&
                 self->escape != (uint32_t)(unsigned char)many;
    pattern->at += found;
    return found;
}

enum match pattern_match(const struct pattern *self, struct piece subject)
{
    struct position pattern = {self->text.data, self->text.data + self->text.size};
    struct position at = {subject.data, subject.data + subject.size};
    struct position after_many = {NULL, pattern.end}, retry = at;
    unsigned steps = 0;
    while (at.at < at.end) {
        if (++steps % STEPS_A_LOOK == 0 && self->is_over(self->context))
            return MATCH_STOPPED;
        if (takes_many(self, &pattern)) {
            after_many = pattern;
            retry = at;
            continue;
        }
        if (pattern.at < pattern.end && element_takes(self, &pattern, take(&at)))
            continue;
        if (after_many.at == NULL)
            return MATCH_NO;
        (void)take(&retry); /* the wildcard takes one more */
        at = retry;
        pattern = after_many;
    }
    while (takes_many(self, &pattern))
        ;
    return pattern.at == pattern.end ? MATCH_YES : MATCH_NO;
}
