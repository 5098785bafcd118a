/* words - a text cut into words, the same way for questions and for names that stand in them.
 *
 * A word is letters, digits and & (any byte of a letter beyond ASCII is one). A possessive 's
 * belongs to none; a dash is a word of its own where it joins two periods. */
#ifndef ACTORS_DRIVER_WORDS_H
#define ACTORS_DRIVER_WORDS_H

#include "protocol/cursor.h"

/* The next word of a text, which is shortened to what follows it; false: there is none. */
bool words_next(struct bytes *text, struct bytes *ret);

/* The same but for the case of A to Z. */
bool words_same(struct bytes left, struct bytes right);

#endif
