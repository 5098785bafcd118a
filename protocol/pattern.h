/* pattern - regular expressions as JSON Schema uses them, in time linear in the text.
 *
 * Offered: characters and escapes, . [a-z] [^a-z] \d \w \s \D \W \S, groups, |, * + ? {m,n} (also
 * lazy: it matches the same), ^ and $. Characters are code points; . is none of the line ends; a
 * pattern matches anywhere unless it is anchored. Refused with a reason: back-references,
 * look-around, named groups, \b, properties, and what is too large when its repeats are written
 * out. Nothing here allocates.
 * source: Thompson, Regular Expression Search Algorithm, 1968 */
#ifndef PROTOCOL_PATTERN_H
#define PROTOCOL_PATTERN_H

#include "protocol/cursor.h"
#include "protocol/limits.h"

/* One step of a program. Targets are relative, so a fragment can be moved and copied. */
struct pattern_step {
    uint8_t kind;
    int16_t first, second; /* of a split: two targets; of a jump: one; of a class: its ranges */
    uint32_t point;        /* of a character; of a class: 1 if it is negated */
};

struct pattern {
    struct pattern_step steps[PATTERN_STEPS_MAX];
    size_t count;
    struct {
        uint32_t low, high;
    } ranges[PATTERN_RANGES_MAX];
    size_t range_count;
};

/* ret: about 4 KiB. Returns NULL; or why the pattern is refused. */
const char *pattern_compile(struct bytes text, struct pattern *ret);

/* Time: bytes of text times steps. */
bool pattern_matches(const struct pattern *self, struct bytes text);

#endif
