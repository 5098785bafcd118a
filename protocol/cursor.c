/* cursor - see cursor.h. The only code that knows how wide what is. */
#include "protocol/cursor.h"

#include <assert.h>
#include <string.h>

#include "protocol/limits.h"

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

/* Bytes of the values whose size their tag tells, 0xc0 to 0xdf; 0: a length or a count follows. */
static const unsigned char sizes[0x20] = {1, 0, 1, 1, 0, 0, 0, 0,  0,  0, 5, 9, 2, 3, 5, 9,
                                          2, 3, 5, 9, 3, 4, 6, 10, 18, 0, 0, 0, 0, 0, 0, 0};

/* Pass so many bytes; bad if they are not there. */
static inline void pass_bytes(struct cursor *self, size_t size)
{
    if (size > cursor_left(self))
        self->bad = true;
    else
        self->at += size;
}

/* The same as pass(), of what is neither a short text nor a number in its tag. */
static bool pass_other(struct cursor *self, unsigned tag, uint64_t *ret_elements)
{
    if (tag < TAG_STR) { /* a map or an array with few elements */
        self->at++;
        *ret_elements = tag < TAG_ARRAY ? 2 * (tag & 0x0fu) : tag & 0x0fu;
        return true;
    }
    size_t size = sizes[tag - 0xc0];
    if ((tag == TAG_BIN8 || tag == TAG_STR8) && cursor_left(self) > 1)
        size = 2 + (unsigned char)self->at[1];
    if (size > 0) {
        pass_bytes(self, size);
        return false;
    }
    struct token token = cursor_next_any(self);
    *ret_elements = token.number;
    return token.kind == KIND_ARRAY || token.kind == KIND_MAP;
}

/* Pass one value, or the head of a container alone: then it is true, and *ret_elements the values
 * that follow as its own. Bad if it is cut short. */
static inline bool pass(struct cursor *self, uint64_t *ret_elements)
{
    unsigned tag = cursor_left(self) > 0 ? (unsigned char)*self->at : 0xc1;
    if (tag <= INT8_MAX || tag >= 0xe0)
        self->at++;
    else if ((tag & 0xe0u) == TAG_STR)
        pass_bytes(self, 1 + (tag & 0x1fu));
    else
        return pass_other(self, tag, ret_elements);
    return false;
}

/* No recursion: the elements of a container are values that follow it. Each takes a byte at least,
 * so the loop ends. */
void cursor_skip(struct cursor *self)
{
    uint64_t elements;
    for (uint64_t values = 1; values > 0 && !self->bad; values--)
        if (pass(self, &elements))
            values += elements;
}

/* Of each container that is open, how many values the one around it still wants. */
bool cursor_skip_within(struct cursor *self, unsigned nesting_max)
{
    uint64_t around[BODY_NESTING_MAX], elements, left = 1;
    unsigned depth = 0;
    assert(nesting_max <= BODY_NESTING_MAX);
    while (!self->bad && (left > 0 || depth > 0)) {
        if (left == 0) {
            left = around[--depth];
            continue;
        }
        left--;
        if (!pass(self, &elements))
            continue;
        self->bad = self->bad || depth == nesting_max;
        if (self->bad)
            break;
        around[depth++] = left;
        left = elements;
    }
    return !self->bad;
}

size_t cursor_measure(struct bytes data)
{
    struct cursor cursor = cursor_over(data);
    cursor_skip(&cursor);
    return cursor.bad ? 0 : data.size - cursor_left(&cursor);
}

static bool is_ascii(const char *eight)
{
    uint64_t bits;
    memcpy(&bits, eight, sizeof bits);
    return (bits & UINT64_C(0x8080808080808080)) == 0;
}

/* Bytes of ASCII that a text begins with, in steps of eight; the last eight may overlap. */
static size_t ascii_bytes(struct bytes text)
{
    size_t at = 0;
    while (text.size - at >= sizeof(uint64_t) && is_ascii(text.data + at))
        at += sizeof(uint64_t);
    bool ends = at > 0 && text.size - at < sizeof(uint64_t);
    return ends && is_ascii(text.data + text.size - sizeof(uint64_t)) ? text.size : at;
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
