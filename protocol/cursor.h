/* cursor - MessagePack from outside, a token at a time; and the tags for what we write.
 *
 * Nothing is copied or allocated, and no count or length passes that the bytes which are there do
 * not cover. Once bad, a cursor stays bad and yields zeros: a reader goes straight down its fields
 * and asks once, at the end. */
#ifndef PROTOCOL_CURSOR_H
#define PROTOCOL_CURSOR_H

#include <assert.h>
#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes: a view into a message, valid as long as the message. Copy them to keep them. */
struct bytes {
    const char *data; /* NULL: nil, the field is absent */
    size_t size;
};

/* The tags that have a name here. Of a kind, the next tag has a number twice as wide. */
enum tag {
    TAG_MAP = 0x80,
    TAG_ARRAY = 0x90,
    TAG_STR = 0xa0,
    TAG_NIL = 0xc0,
    TAG_FALSE = 0xc2,
    TAG_TRUE,
    TAG_BIN8 = 0xc4,
    TAG_U16 = 0xcd,
    TAG_U32,
    TAG_U64,
    TAG_STR8 = 0xd9,
    TAG_ARRAY16 = 0xdc
};

enum kind {
    KIND_BAD = '-',
    KIND_NIL = 'n',
    KIND_UINT = 'u', /* of any width, signed or not, if it is not negative */
    KIND_INT = 'i',  /* negative */
    KIND_FALSE = 'f',
    KIND_TRUE = 'y',
    KIND_F32 = 'e',
    KIND_F64 = 'd',
    KIND_TEXT = 't',
    KIND_BLOB = 'b',
    KIND_EXT = 'x',
    KIND_ARRAY = 'a',
    KIND_MAP = 'm'
};

struct token {
    enum kind kind;
    uint64_t number;  /* UINT: the value; INT: in two's complement; F32, F64: its bits; TEXT, BLOB,
                       * EXT: bytes; ARRAY, MAP: values that follow */
    const char *data; /* TEXT, BLOB */
};

struct cursor {
    const char *at, *end;
    bool bad;
};

static inline struct cursor cursor_over(struct bytes data)
{
    const char *end = data.size > 0 ? data.data + data.size : data.data; /* no NULL + 0 */
    return (struct cursor){.at = data.data, .end = end};
}
static inline size_t cursor_left(const struct cursor *self)
{
    return (size_t)(self->end - self->at);
}

/* A big-endian number of 0, 1, 2, 4 or 8 bytes. Where the width is known, it is a load. */
static inline uint64_t cursor_load(const char *at, size_t width)
{
    uint64_t u64 = 0;
    uint32_t u32;
    uint16_t u16;
    switch (width) {
    case 1:
        return (unsigned char)*at;
    case 2:
        memcpy(&u16, at, sizeof u16);
        return be16toh(u16);
    case 4:
        memcpy(&u32, at, sizeof u32);
        return be32toh(u32);
    case 8:
        memcpy(&u64, at, sizeof u64);
        return be64toh(u64);
    default:
        assert(width == 0);
        return 0;
    }
}

/* The same as cursor_next(), of any token. */
struct token cursor_next_any(struct cursor *self);

/* The next token; the elements of a container follow it. Small numbers and short texts are most of
 * what is walked over, and need no call. */
static inline struct token cursor_next(struct cursor *self)
{
    const char *at = self->at;
    size_t left = cursor_left(self);
    unsigned tag = left > 0 && !self->bad ? (unsigned char)*at : TAG_NIL;
    size_t size = tag & 0x1fu;
    if (tag <= 0x7f) {
        self->at = at + 1;
        return (struct token){KIND_UINT, tag, at + 1};
    }
    if ((tag & 0xe0u) == TAG_STR && size < left) {
        self->at = at + 1 + size;
        return (struct token){KIND_TEXT, size, at + 1};
    }
    return cursor_next_any(self);
}

/* Skip one value with all that is in it. */
void cursor_skip(struct cursor *self);

/* The same of a value with at most nesting_max (BODY_NESTING_MAX) containers inside each other;
 * returns false, and is bad: it has more, or is cut short. */
bool cursor_skip_within(struct cursor *self, unsigned nesting_max);

/* Bytes of the value that data begins with; 0: it is cut short, or no MessagePack. */
size_t cursor_measure(struct bytes data);

/* RFC 3629: no overlong form, no surrogate. */
bool cursor_is_utf8(struct bytes text);

/* Code points of a text that is UTF-8. */
size_t cursor_characters(struct bytes text);

/* Write a tag and its number, big-endian in 0, 1, 2, 4 or 8 bytes; returns what follows. */
static inline char *cursor_put(char *at, unsigned tag, unsigned width, uint64_t number)
{
    uint64_t big = htobe64(number);
    assert(width <= sizeof number);
    *at++ = (char)tag;
    memcpy(at, (const char *)&big + sizeof big - width, width);
    return at + width;
}

#endif
