/* envelope - see envelope.h. A decoder reads straight down its fields, and looks a second time only
 * at what was bad: to find out whom to tell. */
#include "protocol/envelope.h"

#include <assert.h>
#include <string.h>

/* Where the patched fields stand. source: docs/protocol.md, "Header" */
#define FLAGS_AT 3u
#define ID_AT 6u
#define DEADLINE_AT 15u
#define CLASS_AT 20u
#define ATTEMPT_AT 21u
#define METHOD_AT 23u
#define STATUS_AT 15u
#define EXECUTED_AT 16u
#define ADMIT_LEVEL_AT 17u
#define RETRY_AFTER_AT 18u
#define QUEUE_US_AT 23u
#define SERVICE_US_AT 28u
#define CREDIT_AT 33u

/* Bytes of a number as we write it, with its tag. */
#define FIXINT 1u
#define U16 3u
#define U32 5u
#define U64 9u

#define STR_BYTES_MAX 31u /* behind a tag that holds the length */
#define EXTENSION_DEPTH_MAX 2u

_Static_assert(METHOD_AT + (2 + METHOD_BYTES_MAX) + U64 + (2 + NAME_BYTES_MAX) +
                       (2 + IDEMPOTENCY_KEY_BYTES) + (2 + TRACE_BYTES) + EXTENSION_BYTES_MAX <=
                   HEADER_BYTES_MAX,
               "what was decoded, in any widths, can be encoded");

const struct status_row statuses[STATUS_COUNT] = {
#define STATUS(NAME, value, EXECUTED, RETRY, text)                                                 \
    [value] = {#NAME, EXECUTED_##EXECUTED, RETRY_##RETRY, text},
#include "protocol/errors.def"
};

const char *const role_names[ROLE_COUNT] = {
    [ROLE_NONE] = "none",
    [ROLE_BROKER] = "broker",
    [ROLE_DRIVER] = "driver",
    [ROLE_CACHE_PARTITION] = "cache_partition",
    [ROLE_TOOL_EXECUTOR] = "tool_executor",
    [ROLE_ARCADE_GATEWAY] = "arcade_gateway",
    [ROLE_CLIENT] = "client",
    [ROLE_AUTOSCALER] = "autoscaler",
    [ROLE_CONSOLE] = "console",
};

const struct command_row commands[COMMAND_COUNT] = {
#define COMMAND(NAME, value, LAYOUT, ANSWER, doc) [value] = {LAYOUT_##LAYOUT, COMMAND_##ANSWER},
#include "protocol/messages.def"
};

static const uint64_t fields_known[] = {[LAYOUT_REQUEST] = 13, [LAYOUT_REPLY] = 12};

/* A number in our width: nearly every one is, and half of what a broker does is to read headers.
 * returns  false: it is in another, or cut short; nothing is read */
static inline bool read_ours(struct cursor *self, size_t width, uint64_t *ret)
{
    if (cursor_left(self) < width)
        return false;
    unsigned tag = (unsigned char)*self->at;
    if (width == FIXINT ? tag > INT8_MAX
                        : tag != (width == U16   ? TAG_U16
                                  : width == U32 ? TAG_U32
                                                 : TAG_U64))
        return false;
    *ret = width == FIXINT ? tag : cursor_load(self->at + 1, width - 1);
    self->at += width;
    return true;
}

static uint64_t read_other(struct cursor *self, bool *canonical, size_t width, uint64_t max)
{
    size_t before = cursor_left(self);
    struct token token = cursor_next(self);
    if (before - cursor_left(self) != width)
        *canonical = false;
    if (token.kind != KIND_UINT || token.number > max)
        self->bad = true;
    return self->bad ? 0 : token.number;
}

/* A number of the fixed part. In another width than ours everything behind it has moved. */
static inline uint64_t read_fixed(struct cursor *self, bool *canonical, size_t width, uint64_t max)
{
    uint64_t number;
    if (!read_ours(self, width, &number))
        return read_other(self, canonical, width, max);
    if (number > max)
        self->bad = true;
    return self->bad ? 0 : number;
}

/* True of a nil, which most of what may be absent is; it is read then. */
static inline bool read_nil(struct cursor *self)
{
    bool nil = cursor_left(self) > 0 && (unsigned char)*self->at == TAG_NIL;
    self->at += nil;
    return nil;
}

/* A text of at most size_max bytes, or nil. */
static struct bytes read_text(struct cursor *self, size_t size_max)
{
    if (read_nil(self))
        return (struct bytes){0};
    struct token token = cursor_next(self);
    struct bytes text = {.data = token.data, .size = (size_t)token.number};
    if (token.kind != KIND_TEXT || text.size > size_max || !cursor_is_utf8(text))
        self->bad = true;
    return self->bad ? (struct bytes){0} : text;
}

/* A blob of exactly this size, or nil. */
static struct bytes read_blob(struct cursor *self, size_t size)
{
    if (read_nil(self))
        return (struct bytes){0};
    struct token token = cursor_next(self);
    if (token.kind != KIND_BLOB || token.number != size)
        self->bad = true;
    return self->bad ? (struct bytes){0} : (struct bytes){token.data, size};
}

/* The head of an array with so few elements that its tag counts them, as every header of ours;
 * returns their number. */
static inline uint64_t read_head(struct cursor *self, bool *canonical)
{
    unsigned tag = cursor_left(self) > 0 ? (unsigned char)*self->at : TAG_NIL;
    *canonical = (tag & 0xf0u) == TAG_ARRAY;
    if (*canonical) {
        self->at++;
        return tag & 0x0fu;
    }
    struct token array = cursor_next(self);
    if (array.kind != KIND_ARRAY || array.number > HEADER_FIELDS_MAX)
        self->bad = true;
    return array.number;
}
_Static_assert(HEADER_FIELDS_MAX == 0x0f, "a tag counts as many");

/* Fields 0 to 3; returns the number of elements. */
static uint64_t read_start(struct cursor *self, struct header *header)
{
    uint64_t fields = read_head(self, &header->canonical);
    if (read_fixed(self, &header->canonical, FIXINT, UINT64_MAX) != PROTOCOL_VERSION)
        self->bad = true;
    header->command = (enum command)read_fixed(self, &header->canonical, FIXINT, COMMAND_COUNT - 1);
    if (header->command == COMMAND_NONE)
        self->bad = true;
    header->flags = (uint16_t)read_fixed(self, &header->canonical, U16, UINT16_MAX);
    header->id = read_fixed(self, &header->canonical, U64, UINT64_MAX);
    return fields;
}

/* A key of any width, or nil. */
static void read_key(struct cursor *self, struct header *header)
{
    header->has_key = !read_nil(self);
    if (!header->has_key || read_ours(self, U64, &header->key))
        return;
    struct token key = cursor_next(self);
    if (key.kind != KIND_UINT)
        self->bad = true;
    header->key = key.number;
}

/* Fields 4 to 12 of a request. */
static void read_request(struct cursor *self, struct header *header)
{
    bool *canonical = &header->canonical;
    header->deadline_ms = (uint32_t)read_fixed(self, canonical, U32, UINT32_MAX);
    header->class = (enum request_class)read_fixed(self, canonical, FIXINT, CLASS_COUNT - 1);
    header->attempt = (uint8_t)read_fixed(self, canonical, FIXINT, INT8_MAX);
    header->role = (uint8_t)read_fixed(self, canonical, FIXINT, INT8_MAX);
    header->method = read_text(self, METHOD_BYTES_MAX);
    read_key(self, header);
    header->tenant = read_text(self, NAME_BYTES_MAX);
    header->idempotency_key = read_blob(self, IDEMPOTENCY_KEY_BYTES);
    header->trace = read_blob(self, TRACE_BYTES);
    if (header->command == COMMAND_REQUEST && (header->deadline_ms == 0 || header->id == 0))
        self->bad = true; /* it could not be served in time, or not be answered */
}

/* Fields 4 to 11 of a reply. */
static void read_reply(struct cursor *self, struct header *header)
{
    bool *canonical = &header->canonical;
    header->status = (enum status)read_fixed(self, canonical, FIXINT, STATUS_COUNT - 1);
    header->executed = (enum executed)read_fixed(self, canonical, FIXINT, EXECUTED_YES);
    header->admit_level = (enum request_class)read_fixed(self, canonical, FIXINT, CLASS_COUNT - 1);
    header->retry_after_ms = (uint32_t)read_fixed(self, canonical, U32, UINT32_MAX);
    header->queue_us = (uint32_t)read_fixed(self, canonical, U32, UINT32_MAX);
    header->service_us = (uint32_t)read_fixed(self, canonical, U32, UINT32_MAX);
    header->credit = (uint32_t)read_fixed(self, canonical, U32, UINT32_MAX);
    header->instance = read_text(self, NAME_BYTES_MAX);
}

/* Skip one value of at most depth_max containers inside each other; so far the recursion goes. */
static void skip_nested(struct cursor *self, unsigned depth_max)
{
    struct token token = cursor_next(self);
    if (token.kind != KIND_ARRAY && token.kind != KIND_MAP)
        return;
    if (depth_max == 0)
        self->bad = true;
    for (uint64_t i = 0; i < token.number && !self->bad; i++)
        skip_nested(self, depth_max - 1);
}

/* The extension, if there is one; then what only a newer peer knows. */
static void read_end(struct cursor *self, struct header *header, uint64_t fields)
{
    uint64_t known = fields_known[commands[header->command].layout];
    if (fields < known)
        self->bad = true;
    if (fields <= known)
        return;
    struct cursor map = *self;
    const char *start = self->at;
    skip_nested(self, EXTENSION_DEPTH_MAX);
    header->extension = (struct bytes){start, (size_t)(self->at - start)};
    if (cursor_next(&map).kind != KIND_MAP || header->extension.size > EXTENSION_BYTES_MAX)
        self->bad = true;
    for (uint64_t i = known + 1; i < fields && !self->bad; i++)
        cursor_skip(self);
}

/* The value of a number, 0 of anything else. */
static uint64_t glance_number(struct cursor *self)
{
    struct cursor value = *self;
    cursor_skip(self);
    struct token token = cursor_next(&value);
    return token.kind == KIND_UINT && !self->bad ? token.number : 0;
}

/* What is wrong with a bad header, and whom to tell: fields 0 to 3 are the same in any version. */
static enum status glance(struct bytes data, struct header *ret)
{
    struct cursor cursor = cursor_over(data);
    *ret = (struct header){0};
    struct token array = cursor_next(&cursor);
    if (array.kind != KIND_ARRAY || array.number < 4)
        return STATUS_BAD_REQUEST;
    uint64_t version = glance_number(&cursor);
    uint64_t command = glance_number(&cursor);
    cursor_skip(&cursor);
    ret->command = command < COMMAND_COUNT ? (enum command)command : COMMAND_NONE;
    ret->id = glance_number(&cursor);
    return version > PROTOCOL_VERSION ? STATUS_VERSION : STATUS_BAD_REQUEST;
}

enum status envelope_decode(struct bytes data, struct header *ret, size_t *ret_size)
{
    if (data.size > HEADER_BYTES_MAX)
        data.size = HEADER_BYTES_MAX;
    struct cursor cursor = cursor_over(data);
    struct header header = {0};
    uint64_t fields = read_start(&cursor, &header);
    if (commands[header.command].layout == LAYOUT_REQUEST)
        read_request(&cursor, &header);
    else
        read_reply(&cursor, &header);
    read_end(&cursor, &header, fields);
    if (cursor.bad)
        return glance(data, ret);
    *ret = header;
    *ret_size = data.size - cursor_left(&cursor);
    return STATUS_OK;
}

static char *put_small(char *at, unsigned number)
{
    assert(number <= INT8_MAX);
    *at++ = (char)number;
    return at;
}

static char *put_u32(char *at, uint32_t number)
{
    return cursor_put(at, TAG_U32, 4, number);
}

/* A text or blob behind its length, or nil. */
static char *put_bytes(char *at, enum tag tag, struct bytes bytes, size_t size_max)
{
    assert(bytes.size <= size_max);
    assert(size_max <= UINT8_MAX);
    if (bytes.data == NULL)
        return cursor_put(at, TAG_NIL, 0, 0);
    bool small = tag == TAG_STR8 && bytes.size <= STR_BYTES_MAX;
    if (small)
        at = cursor_put(at, TAG_STR + (unsigned)bytes.size, 0, 0);
    else
        at = cursor_put(at, tag, 1, bytes.size);
    memcpy(at, bytes.data, bytes.size);
    return at + bytes.size;
}

static char *put_request(char *at, const struct header *header)
{
    at = put_u32(at, header->deadline_ms);
    at = put_small(at, header->class);
    at = put_small(at, header->attempt);
    at = put_small(at, header->role);
    at = put_bytes(at, TAG_STR8, header->method, METHOD_BYTES_MAX);
    at = cursor_put(at, header->has_key ? TAG_U64 : TAG_NIL, header->has_key ? 8 : 0, header->key);
    at = put_bytes(at, TAG_STR8, header->tenant, NAME_BYTES_MAX);
    at = put_bytes(at, TAG_BIN8, header->idempotency_key, IDEMPOTENCY_KEY_BYTES);
    return put_bytes(at, TAG_BIN8, header->trace, TRACE_BYTES);
}

static char *put_reply(char *at, const struct header *header)
{
    at = put_small(at, header->status);
    at = put_small(at, header->executed);
    at = put_small(at, header->admit_level);
    at = put_u32(at, header->retry_after_ms);
    at = put_u32(at, header->queue_us);
    at = put_u32(at, header->service_us);
    at = put_u32(at, header->credit);
    return put_bytes(at, TAG_STR8, header->instance, NAME_BYTES_MAX);
}

size_t envelope_encode(const struct header *header, char *out)
{
    enum layout layout = commands[header->command].layout;
    bool extended = header->extension.data != NULL;
    char *at = out;
    *at++ = (char)(TAG_ARRAY + fields_known[layout] + extended);
    at = put_small(at, PROTOCOL_VERSION);
    at = put_small(at, header->command);
    at = cursor_put(at, TAG_U16, 2, header->flags);
    assert(at == out + ID_AT);
    at = cursor_put(at, TAG_U64, 8, header->id);
    at = layout == LAYOUT_REQUEST ? put_request(at, header) : put_reply(at, header);
    assert(header->extension.size <= HEADER_BYTES_MAX - (size_t)(at - out));
    if (extended)
        memcpy(at, header->extension.data, header->extension.size);
    return (size_t)(at - out) + header->extension.size;
}

void envelope_patch(char *encoded, const struct header *header)
{
    (void)cursor_put(encoded + FLAGS_AT, TAG_U16, 2, header->flags);
    (void)cursor_put(encoded + ID_AT, TAG_U64, 8, header->id);
    if (commands[header->command].layout == LAYOUT_REQUEST) {
        (void)put_u32(encoded + DEADLINE_AT, header->deadline_ms);
        (void)put_small(encoded + CLASS_AT, header->class);
        (void)put_small(encoded + ATTEMPT_AT, header->attempt);
        return;
    }
    (void)put_small(encoded + STATUS_AT, header->status);
    (void)put_small(encoded + EXECUTED_AT, header->executed);
    (void)put_small(encoded + ADMIT_LEVEL_AT, header->admit_level);
    (void)put_u32(encoded + RETRY_AFTER_AT, header->retry_after_ms);
    (void)put_u32(encoded + QUEUE_US_AT, header->queue_us);
    (void)put_u32(encoded + SERVICE_US_AT, header->service_us);
    (void)put_u32(encoded + CREDIT_AT, header->credit);
}

void envelope_set_deadline(char *encoded, uint32_t deadline_ms)
{
    (void)put_u32(encoded + DEADLINE_AT, deadline_ms);
}
