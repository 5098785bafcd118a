/* cursor - see cursor.h. The only code that knows how wide what is. */
#include "protocol/cursor.h"

#include <assert.h>
#include <string.h>

#define FIXEXT 0xd4u

/* Tags 0xc0 to 0xdf: the kind, and the bytes of the number that follows. 0xc1 is never used. */
static const char kinds[] = "n-fybbbxxxeduuuuiiiixxxxxtttaamm";
static const char widths[] = "00001241244812481248000001242424";
_Static_assert(sizeof kinds == 0x20 + 1 && sizeof widths == sizeof kinds, "a tag each");

/* The next width bytes, 0, 1, 2, 4 or 8, as a big-endian number. */
static uint64_t number_next(struct cursor *self, size_t width)
{
    if (width > cursor_left(self)) {
        self->bad = true;
        return 0;
    }
    const char *at = self->at;
    self->at += width;
    return cursor_load(at, width);
}

/* The kind of a tag of more than a byte, and its number. */
static enum kind wide_next(struct cursor *self, unsigned tag, uint64_t *ret_number)
{
    enum kind kind = (enum kind)kinds[tag - 0xc0];
    unsigned width = (unsigned)(widths[tag - 0xc0] - '0');
    uint64_t number = number_next(self, width);
    assert(kind != KIND_INT || width > 0); /* the tables say so */
    if (kind == KIND_INT && number >> (8 * width - 1) == 0)
        kind = KIND_UINT;
    if (kind == KIND_INT && width < sizeof number)
        number |= UINT64_MAX << 8 * width; /* the sign */
    if (kind == KIND_MAP)
        number *= 2;
    if (kind == KIND_EXT) /* and the byte that says which */
        number = 1 + (width > 0 ? number : UINT64_C(1) << (tag - FIXEXT));
    *ret_number = number;
    return kind;
}

/* A tag with its number; what that covers is not checked yet. Two values and no struct: putting one
 * together and taking it apart again took two thirds of the time of a walk. */
static enum kind head_next(struct cursor *self, uint64_t *ret_number)
{
    unsigned tag = (unsigned)number_next(self, 1);
    *ret_number = tag;
    if (tag <= 0x7f)
        return KIND_UINT;
    if (tag >= 0xc0 && tag < 0xe0)
        return wide_next(self, tag, ret_number);
    if (tag >= 0xe0)
        *ret_number = UINT64_MAX - 0xff + tag;
    else if (tag <= 0x8f)
        *ret_number = UINT64_C(2) * (tag & 0x0f);
    else
        *ret_number = tag & (tag <= 0x9f ? 0x0f : 0x1f);
    return tag >= 0xe0 ? KIND_INT : tag <= 0x8f ? KIND_MAP : tag <= 0x9f ? KIND_ARRAY : KIND_TEXT;
}

struct token cursor_next_any(struct cursor *self)
{
    uint64_t number;
    enum kind kind = head_next(self, &number);
    bool bytes = kind == KIND_TEXT || kind == KIND_BLOB || kind == KIND_EXT;
    bool claims = bytes || kind == KIND_ARRAY || kind == KIND_MAP;
    if (self->bad || kind == KIND_BAD || (claims && number > cursor_left(self))) {
        self->bad = true;
        return (struct token){.kind = KIND_BAD};
    }
    const char *data = self->at;
    self->at += bytes ? number : 0;
    return (struct token){kind, number, data};
}

/* What begins with a tag of its own alone: a number, nil, a bool, a short text or container. Moves
 * behind it and returns the values that follow it as its elements; UINT64_MAX: it is none of these.
 */
static uint64_t skip_short(const char **at, const char *end)
{
    unsigned tag = (unsigned char)**at;
    size_t left = (size_t)(end - *at) - 1;
    size_t text = (tag & 0xe0u) == TAG_STR ? tag & 0x1fu : 0;
    uint64_t elements = 0;
    if (tag >= 0x80 && tag < TAG_STR)
        elements = tag < TAG_ARRAY ? 2 * (tag & 0x0fu) : tag & 0x0fu;
    bool is_short = tag < TAG_NIL || tag >= 0xe0 || kinds[tag - 0xc0] == KIND_NIL ||
                    kinds[tag - 0xc0] == KIND_TRUE || kinds[tag - 0xc0] == KIND_FALSE;
    if (!is_short || text > left || elements > left)
        return UINT64_MAX;
    *at += 1 + text;
    return elements;
}

/* No recursion: the elements of a container are values that follow it. Each takes a byte at least,
 * so the loop ends. */
void cursor_skip(struct cursor *self)
{
    for (uint64_t values = 1; values > 0 && !self->bad; values--) {
        uint64_t elements = UINT64_MAX;
        if (cursor_left(self) > 0)
            elements = skip_short(&self->at, self->end);
        if (elements == UINT64_MAX) {
            struct token token = cursor_next_any(self);
            bool holds = token.kind == KIND_ARRAY || token.kind == KIND_MAP;
            elements = holds ? token.number : 0;
        }
        values += elements;
    }
}

size_t cursor_measure(struct bytes data)
{
    struct cursor cursor = cursor_over(data);
    cursor_skip(&cursor);
    return cursor.bad ? 0 : data.size - cursor_left(&cursor);
}

/* Bytes of ASCII that a text begins with, in steps of eight. */
static size_t ascii_bytes(struct bytes text)
{
    size_t at = 0;
    for (uint64_t eight; text.size - at >= sizeof eight; at += sizeof eight) {
        memcpy(&eight, text.data + at, sizeof eight);
        if ((eight & UINT64_C(0x8080808080808080)) != 0)
            break;
    }
    return at;
}

bool cursor_is_utf8(struct bytes text)
{
    static const uint32_t least[] = {0, 0x80, 0x800, 0x10000}; /* by bytes that follow the first */
    for (size_t at = ascii_bytes(text); at < text.size;) {
        unsigned char first = (unsigned char)text.data[at++];
        unsigned more = first < 0x80 ? 0 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
        uint32_t point = more == 0 ? first : first & (0x3fu >> more);
        if ((first >= 0x80 && first < 0xc0) || first >= 0xf8 || more > text.size - at)
            return false;
        for (size_t end = at + more; at < end; at++) {
            if (((unsigned char)text.data[at] & 0xc0u) != 0x80)
                return false;
            point = point << 6 | ((unsigned char)text.data[at] & 0x3fu);
        }
        if (point < least[more] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
            return false;
    }
    return true;
}

size_t cursor_characters(struct bytes text)
{
    size_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += ((unsigned char)text.data[i] & 0xc0u) != 0x80;
    return count;
}
