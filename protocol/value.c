/* value - see value.h. */
#include "protocol/value.h"

#include <assert.h>
#include <float.h>
#include <string.h>

#include "protocol/limits.h"

_Static_assert(LDBL_MANT_DIG >= 64, "a long double holds every integer of the wire");

bool value_check(struct bytes bytes, unsigned nesting_max)
{
    struct cursor cursor = cursor_over(bytes);
    return cursor_skip_within(&cursor, nesting_max) && cursor_left(&cursor) == 0;
}

enum kind value_kind(struct bytes value)
{
    struct cursor cursor = cursor_over(value);
    return cursor_next(&cursor).kind;
}

/* Keys are looked at as they are passed: nothing is walked over twice. */
struct bytes value_find(struct bytes map, const char *key)
{
    struct bytes wanted = bytes_of(key);
    struct cursor cursor = cursor_over(map);
    struct token head = cursor_next(&cursor);
    if (head.kind != KIND_MAP)
        return (struct bytes){0};
    for (uint64_t left = head.number; left > 0 && !cursor.bad; left -= 2) {
        struct cursor name = cursor;
        struct token text = cursor_next(&name);
        if (text.kind == KIND_TEXT)
            cursor = name;
        else
            cursor_skip(&cursor); /* a key of any other kind */
        const char *start = cursor.at;
        cursor_skip(&cursor);
        bool is_it = text.kind == KIND_TEXT &&
                     bytes_equal((struct bytes){text.data, (size_t)text.number}, wanted);
        if (is_it && !cursor.bad)
            return (struct bytes){start, (size_t)(cursor.at - start)};
    }
    return (struct bytes){0};
}

static struct token token_of(struct bytes value)
{
    struct cursor cursor = cursor_over(value);
    return cursor_next(&cursor);
}

bool value_u64(struct bytes value, uint64_t *ret)
{
    struct token token = token_of(value);
    if (token.kind == KIND_UINT)
        *ret = token.number;
    return token.kind == KIND_UINT;
}

bool value_i64(struct bytes value, int64_t *ret)
{
    struct token token = token_of(value);
    bool fits = token.kind == KIND_INT ? token.number > INT64_MAX : token.number <= INT64_MAX;
    if ((token.kind != KIND_UINT && token.kind != KIND_INT) || !fits)
        return false;
    *ret = (int64_t)token.number;
    return true;
}

bool value_f64(struct bytes value, double *ret)
{
    struct token token = token_of(value);
    if (token.kind == KIND_UINT) {
        *ret = (double)token.number;
    } else if (token.kind == KIND_INT) {
        *ret = (double)(int64_t)token.number;
    } else if (token.kind == KIND_F64) {
        memcpy(ret, &token.number, sizeof *ret);
    } else if (token.kind == KIND_F32) {
        float narrow;
        uint32_t bits = (uint32_t)token.number;
        memcpy(&narrow, &bits, sizeof narrow);
        *ret = narrow;
    } else {
        return false;
    }
    return true;
}

/* A long double has 64 bits at least: no integer and no double loses any. */
bool value_number(struct bytes value, long double *ret)
{
    uint64_t whole;
    int64_t negative;
    double real;
    if (value_u64(value, &whole))
        *ret = (long double)whole;
    else if (value_i64(value, &negative))
        *ret = (long double)negative;
    else if (value_f64(value, &real))
        *ret = (long double)real;
    else
        return false;
    return true;
}

bool value_bool(struct bytes value, bool *ret)
{
    enum kind kind = value_kind(value);
    if (kind == KIND_TRUE || kind == KIND_FALSE)
        *ret = kind == KIND_TRUE;
    return kind == KIND_TRUE || kind == KIND_FALSE;
}

static bool value_bytes(struct bytes value, enum kind kind, struct bytes *ret)
{
    struct token token = token_of(value);
    if (token.kind == kind)
        *ret = (struct bytes){token.data, (size_t)token.number};
    return token.kind == kind;
}

bool value_text(struct bytes value, struct bytes *ret)
{
    return value_bytes(value, KIND_TEXT, ret);
}

bool value_blob(struct bytes value, struct bytes *ret)
{
    return value_bytes(value, KIND_BLOB, ret);
}

struct values values_over(struct bytes container)
{
    struct cursor cursor = cursor_over(container);
    struct token token = cursor_next(&cursor);
    bool holds = token.kind == KIND_ARRAY || token.kind == KIND_MAP;
    return (struct values){cursor, holds ? token.number : 0};
}

bool values_next(struct values *self, struct bytes *ret)
{
    const char *start = self->cursor.at;
    if (self->left == 0)
        return false;
    cursor_skip(&self->cursor);
    self->left = self->cursor.bad ? 0 : self->left - 1;
    *ret = (struct bytes){start, (size_t)(self->cursor.at - start)};
    return !self->cursor.bad;
}

uint64_t values_count(struct bytes container)
{
    return values_over(container).left;
}

/* Room for so many bytes more, which are written then; NULL: they do not fit. Once some did not,
 * none do. */
static inline char *take_room(struct writer *self, size_t size)
{
    char *at = self->data + self->used;
    self->full = self->full || size > self->size - self->used;
    self->used += self->full ? 0 : size;
    return self->full ? NULL : at;
}

/* msgpack-c hands over piece by piece. */
static int writer_take(void *context, const char *data, size_t size)
{
    char *at = take_room(context, size);
    if (at != NULL && size > 0)
        memcpy(at, data, size);
    return 0;
}

void writer_init(struct writer *self, char *data, size_t size)
{
    *self = (struct writer){.data = data, .size = size};
    msgpack_packer_init(&self->packer, self, writer_take);
}

/* What has a tag of its own, as most of what is written: no detour. */
static inline void put_tag(struct writer *self, unsigned tag)
{
    char *at = take_room(self, 1);
    if (at != NULL)
        *at = (char)tag;
}

void writer_map(struct writer *self, size_t pairs)
{
    if (pairs < TAG_ARRAY - TAG_MAP)
        put_tag(self, TAG_MAP + (unsigned)pairs);
    else
        msgpack_pack_map(&self->packer, pairs);
}

void writer_array(struct writer *self, size_t elements)
{
    if (elements < TAG_STR - TAG_ARRAY)
        put_tag(self, TAG_ARRAY + (unsigned)elements);
    else
        msgpack_pack_array(&self->packer, elements);
}

void writer_nil(struct writer *self)
{
    put_tag(self, TAG_NIL);
}

void writer_bool(struct writer *self, bool value)
{
    put_tag(self, value ? TAG_TRUE : TAG_FALSE);
}

void writer_u64(struct writer *self, uint64_t value)
{
    if (value < TAG_MAP)
        put_tag(self, (unsigned)value);
    else
        msgpack_pack_uint64(&self->packer, value);
}

void writer_i64(struct writer *self, int64_t value)
{
    msgpack_pack_int64(&self->packer, value);
}

void writer_f64(struct writer *self, double value)
{
    msgpack_pack_double(&self->packer, value);
}

void writer_text(struct writer *self, struct bytes text)
{
    if (text.size >= TAG_NIL - TAG_STR) {
        msgpack_pack_str_with_body(&self->packer, text.data, text.size);
        return;
    }
    char *at = take_room(self, 1 + text.size);
    if (at == NULL)
        return;
    *at = (char)(TAG_STR + text.size);
    if (text.size > 0) /* absent bytes have no pointer */
        memcpy(at + 1, text.data, text.size);
}

void writer_cstr(struct writer *self, const char *text)
{
    writer_text(self, bytes_of(text));
}

void writer_blob(struct writer *self, struct bytes blob)
{
    msgpack_pack_bin_with_body(&self->packer, blob.data, blob.size);
}

void writer_raw(struct writer *self, struct bytes value)
{
    assert(value.size > 0);
    (void)writer_take(self, value.data, value.size);
}

struct bytes writer_bytes(const struct writer *self)
{
    return self->full ? (struct bytes){0} : (struct bytes){self->data, self->used};
}
