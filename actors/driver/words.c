/* words - see words.h. */
#include "actors/driver/words.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_word_byte(char byte)
{
    return isalnum((unsigned char)byte) || (unsigned char)byte >= 0x80 || byte == '&';
}

/* Bytes of an apostrophe at this place: the typewriter's, or U+2019. */
static size_t apostrophe(struct bytes text, size_t at)
{
    if (text.data[at] == '\'')
        return 1;
    return text.size - at >= 3 && memcmp(text.data + at, "\xe2\x80\x99", 3) == 0 ? 3 : 0;
}

/* A dash between two periods: - or U+2013. */
static size_t dash(struct bytes text, size_t at)
{
    size_t size = text.data[at] == '-' ? 1 : 0;
    if (text.size - at >= 3 && memcmp(text.data + at, "\xe2\x80\x93", 3) == 0)
        size = 3;
    bool between = size > 0 && at > 0 && at + size < text.size &&
                   isdigit((unsigned char)text.data[at - 1]) &&
                   isalnum((unsigned char)text.data[at + size]);
    return between ? size : 0;
}

/* Past a possessive s, which belongs to no word. */
static size_t past_possessive(struct bytes text, size_t at)
{
    size_t size = at < text.size ? apostrophe(text, at) : 0;
    if (size == 0 || at + size >= text.size || (text.data[at + size] | 0x20) != 's')
        return at;
    bool ends = at + size + 1 == text.size || !is_word_byte(text.data[at + size + 1]);
    return ends ? at + size + 1 : at;
}

bool words_next(struct bytes *text, struct bytes *ret)
{
    size_t at = 0;
    while (at < text->size && dash(*text, at) == 0 &&
           (!is_word_byte(text->data[at]) || apostrophe(*text, at) > 0))
        at += apostrophe(*text, at) > 1 ? 3 : 1;
    if (at == text->size)
        return false;
    size_t end = at + dash(*text, at);
    while (end < text->size && (end == at || dash(*text, at) == 0) &&
           is_word_byte(text->data[end]) && apostrophe(*text, end) == 0 && dash(*text, end) == 0)
        end++;
    *ret = (struct bytes){text->data + at, end - at};
    size_t next = past_possessive(*text, end);
    *text = (struct bytes){text->data + next, text->size - next};
    return true;
}

bool words_same(struct bytes left, struct bytes right)
{
    return left.size == right.size && strncasecmp(left.data, right.data, left.size) == 0;
}
