/* words - see words.h. */
#include "actors/driver/words.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static bool is_word_byte(char byte)
{
    return isalnum((unsigned char)byte) || (unsigned char)byte >= 0x80 || byte == '&';
}

/* Bytes of this mark at this place: one of ASCII, or its typographic form, of three bytes; 0:
 * another. */
static size_t mark(struct bytes text, size_t at, char ascii, const char *typographic)
{
    if (at >= text.size)
        return 0;
    if (text.data[at] == ascii)
        return 1;
    return text.size - at >= 3 && memcmp(text.data + at, typographic, 3) == 0 ? 3 : 0;
}

static size_t apostrophe(struct bytes text, size_t at)
{
    return mark(text, at, '\'', "\xe2\x80\x99");
}

static size_t dash(struct bytes text, size_t at)
{
    return mark(text, at, '-', "\xe2\x80\x93");
}

/* Bytes of what parts words, at this place; 0: a word is here. */
static size_t gap(struct bytes text, size_t at)
{
    size_t size = apostrophe(text, at) + dash(text, at);
    return size > 0 ? size : !is_word_byte(text.data[at]);
}

/* A dash right behind a word, which the text began with before, and right before a number or a
 * quarter: it joins two periods. */
static size_t joint(struct bytes text)
{
    size_t size = dash(text, 0);
    bool joins = size > 0 && size < text.size &&
                 (isdigit((unsigned char)text.data[size]) || (text.data[size] | 0x20) == 'q');
    return joins ? size : 0;
}

/* Past a possessive s, which belongs to no word. */
static size_t past_possessive(struct bytes text, size_t at)
{
    size_t size = apostrophe(text, at);
    if (size == 0 || at + size >= text.size || (text.data[at + size] | 0x20) != 's')
        return at;
    bool ends = at + size + 1 == text.size || !is_word_byte(text.data[at + size + 1]);
    return ends ? at + size + 1 : at;
}

bool words_next(struct bytes *text, struct bytes *ret)
{
    size_t at = 0, end = joint(*text);
    if (end == 0) {
        while (at < text->size && gap(*text, at) > 0)
            at += gap(*text, at);
        end = at;
        while (end < text->size && gap(*text, end) == 0)
            end++;
    }
    if (at == end)
        return false;
    *ret = (struct bytes){text->data + at, end - at};
    size_t next = past_possessive(*text, end);
    *text = (struct bytes){text->data + next, text->size - next};
    return true;
}

bool words_same(struct bytes left, struct bytes right)
{
    return left.size == right.size && strncasecmp(left.data, right.data, left.size) == 0;
}
