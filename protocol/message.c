/* message - see message.h.
 *
 * A body is a flat MessagePack map, one key a field. The macros end with the table; the codec is
 * plain functions over it, so a debugger steps through them. What comes from outside is checked for
 * depth and length as a whole before a field of it is looked at. */
#include "protocol/message.h"

#include <assert.h>
#include <string.h>

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* clang-format off */
#define MESSAGE(name, NAME, id, ROLE, method, ANSWER, doc) \
    static const struct field name##_fields[] = {
#define FIELD(message, name, type, bytes_max, missing, doc) \
    {#name, sizeof #name - 1, TYPE_##type, offsetof(struct msg_##message, name), bytes_max,  \
     missing, NULL, doc},
#define LIST(message, name, element, count_max, missing, doc) \
    {#name, sizeof #name - 1, TYPE_VALUE, offsetof(struct msg_##message, name), count_max,   \
     missing, #element, doc},
#define END(name) \
    };            \
    _Static_assert(COUNT_OF(name##_fields) <= BODY_FIELDS_MAX, #name " has too many fields");
#include "protocol/messages.def"

const struct message messages[MESSAGE_ID_MAX] = {
#define MESSAGE(name, NAME, id, ROLE, method, ANSWER, doc)                              \
    [id] = {#name, ROLE_##ROLE, method, MSG_##ANSWER, doc, name##_fields,               \
            COUNT_OF(name##_fields), sizeof(struct msg_##name)},
#include "protocol/messages.def"
};
/* clang-format on */

/* Who serves each: on its own, so that those of a role are found without a walk over all rows. */
static const char served_by[MESSAGE_ID_MAX] = {
#define MESSAGE(name, NAME, id, ROLE, method, ANSWER, doc) [id] = ROLE_##ROLE,
#include "protocol/messages.def"
};

enum message_id message_find(enum role role, struct bytes method)
{
    const char *end = served_by + MESSAGE_ID_MAX, *at = served_by;
    if (role == ROLE_NONE || method.data == NULL || method.size == 0)
        return MSG_NONE;
    while ((at = memchr(at, (int)role, (size_t)(end - at))) != NULL) {
        if (bytes_are(method, messages[at - served_by].method))
            return (enum message_id)(at - served_by);
        at++;
    }
    return MSG_NONE;
}

static bool is_number(const struct field *field)
{
    return field->type < TYPE_TEXT;
}

static const struct bytes *bytes_in(const struct field *field, const void *value)
{
    return (const struct bytes *)(const void *)((const char *)value + field->offset);
}

/* A number that a reader would put there if it were missing. */
static bool is_implied(const struct field *field, const void *value)
{
    const void *member = (const char *)value + field->offset;
    if (field->missing == REQUIRED)
        return false;
    if (field->type == TYPE_U64)
        return *(const uint64_t *)member == (uint64_t)field->missing;
    if (field->type == TYPE_I64)
        return *(const int64_t *)member == field->missing;
    return field->type == TYPE_BOOL && *(const bool *)member == (field->missing != 0);
}

static bool is_within(const struct field *field, struct bytes bytes)
{
    size_t measure = field->element != NULL ? (size_t)values_count(bytes) : bytes.size;
    return measure <= field->bytes_max;
}

static void write_field(const struct field *field, const void *value, struct writer *writer)
{
    const void *member = (const char *)value + field->offset;
    writer_text(writer, (struct bytes){field->name, field->name_bytes});
    switch (field->type) {
    case TYPE_U64:
        writer_u64(writer, *(const uint64_t *)member);
        break;
    case TYPE_I64:
        writer_i64(writer, *(const int64_t *)member);
        break;
    case TYPE_F64:
        writer_f64(writer, *(const double *)member);
        break;
    case TYPE_BOOL:
        writer_bool(writer, *(const bool *)member);
        break;
    case TYPE_TEXT:
        writer_text(writer, *(const struct bytes *)member);
        break;
    case TYPE_BLOB:
        writer_blob(writer, *(const struct bytes *)member);
        break;
    case TYPE_VALUE:
        writer_raw(writer, *(const struct bytes *)member);
        break;
    }
}

/* Which fields are written, a bit each, and how many. TOO_LARGE: one is over its bound. */
static enum status choose_fields(const struct message *message, const void *value, bool terse,
                                 uint32_t *ret_chosen, size_t *ret_count)
{
    uint32_t chosen = 0;
    size_t count = 0;
    for (size_t i = 0; i < message->field_count; i++) {
        const struct field *field = &message->fields[i];
        bool present = is_number(field) && !(terse && is_implied(field, value));
        if (!is_number(field)) {
            struct bytes bytes = *bytes_in(field, value);
            present = bytes.data != NULL;
            assert(present || field->missing != REQUIRED);
            if (present && !is_within(field, bytes))
                return STATUS_TOO_LARGE;
        }
        chosen |= (uint32_t)present << i;
        count += present;
    }
    *ret_chosen = chosen;
    *ret_count = count;
    return STATUS_OK;
}
_Static_assert(BODY_FIELDS_MAX <= 32, "a bit for each field");

static enum status write_message(enum message_id id, const void *value, bool terse,
                                 struct writer *writer)
{
    assert(id < MESSAGE_ID_MAX);
    assert(messages[id].name != NULL);
    const struct message *message = &messages[id];
    uint32_t chosen;
    size_t count;
    enum status status = choose_fields(message, value, terse, &chosen, &count);
    if (status != STATUS_OK)
        return status;
    writer_map(writer, count);
    for (size_t i = 0; i < message->field_count; i++)
        if ((chosen >> i & 1u) != 0)
            write_field(&message->fields[i], value, writer);
    return writer->full ? STATUS_TOO_LARGE : STATUS_OK;
}

enum status message_write(enum message_id id, const void *value, struct writer *writer)
{
    return write_message(id, value, false, writer);
}

enum status message_write_terse(enum message_id id, const void *value, struct writer *writer)
{
    return write_message(id, value, true, writer);
}

enum status message_encode(enum message_id id, const void *value, char *out, size_t size,
                           struct bytes *ret_body)
{
    struct writer writer;
    writer_init(&writer, out, size);
    enum status status = message_write(id, value, &writer);
    if (status == STATUS_OK)
        *ret_body = writer_bytes(&writer);
    return status;
}

struct bytes message_encode_failure(enum status status, char *out)
{
    assert(status < STATUS_COUNT);
    const struct status_row *row = &statuses[status];
    struct msg_failure failure = {.code = bytes_of(row->name), .message = bytes_of(row->text)};
    struct bytes body = {0};
    if (status <= STATUS_CANCELLED)
        return body;
    enum status encoded = message_encode(MSG_FAILURE, &failure, out, CONTROL_BYTES_MAX, &body);
    assert(encoded == STATUS_OK);
    return body;
}

/* As value_u64(), with no call for what nearly every number is: a value is whole. */
static inline bool read_u64(struct bytes value, uint64_t *ret)
{
    unsigned tag = (unsigned char)*value.data;
    if (tag > INT8_MAX && (tag < TAG_U16 - 1 || tag > TAG_U64))
        return value_u64(value, ret);
    *ret = tag <= INT8_MAX ? tag : cursor_load(value.data + 1, value.size - 1);
    return true;
}

static bool read_number(enum field_type type, struct bytes value, void *member)
{
    if (type == TYPE_U64)
        return read_u64(value, member);
    if (type == TYPE_I64)
        return value_i64(value, member);
    if (type == TYPE_F64)
        return value_f64(value, member);
    assert(type == TYPE_BOOL);
    return value_bool(value, member);
}

static enum status decode_field(const struct field *field, struct bytes value, void *member)
{
    struct bytes bytes = value;
    if (is_number(field))
        return read_number(field->type, value, member) ? STATUS_OK : STATUS_BAD_REQUEST;
    if (field->type == TYPE_TEXT && (!value_text(value, &bytes) || !cursor_is_utf8(bytes)))
        return STATUS_BAD_REQUEST;
    if (field->type == TYPE_BLOB && !value_blob(value, &bytes))
        return STATUS_BAD_REQUEST;
    if (field->element != NULL && value_kind(value) != KIND_ARRAY)
        return STATUS_BAD_REQUEST;
    if (!is_within(field, bytes))
        return STATUS_TOO_LARGE;
    *(struct bytes *)member = bytes;
    return STATUS_OK;
}

static void set_missing(const struct field *field, void *member)
{
    if (field->type == TYPE_U64)
        *(uint64_t *)member = (uint64_t)field->missing;
    else if (field->type == TYPE_I64)
        *(int64_t *)member = field->missing;
    else if (field->type == TYPE_F64)
        *(double *)member = (double)field->missing;
    else if (field->type == TYPE_BOOL)
        *(bool *)member = field->missing != 0;
}

static struct bytes name_of_field(const struct field *field)
{
    return (struct bytes){field->name, field->name_bytes};
}

/* The field of this name; field_count: none. Mostly they come in the order of the rows, so the one
 * after the last is tried first.
 *
 * next  at most field_count */
static size_t find_field(const struct message *message, struct bytes name, size_t next)
{
    for (size_t i = 0; i < message->field_count; i++) {
        size_t at = next + i < message->field_count ? next + i : next + i - message->field_count;
        if (bytes_equal(name, name_of_field(&message->fields[at])))
            return at;
    }
    return message->field_count;
}

/* nil is as good as absent, unless it is a value of its own. */
static bool is_absent(const struct field *field, struct bytes value)
{
    return (unsigned char)*value.data == TAG_NIL &&
           (field->type != TYPE_VALUE || field->element != NULL);
}

/* A value; what has a tag of its own needs no call. */
static inline bool pass_value(struct cursor *cursor)
{
    size_t left = cursor_left(cursor);
    unsigned tag = left > 0 ? (unsigned char)*cursor->at : TAG_NIL;
    size_t size = tag <= INT8_MAX ? 1 : (tag & 0xe0u) == TAG_STR ? 1 + (tag & 0x1fu) : SIZE_MAX;
    if (size > left)
        return cursor_skip_within(cursor, BODY_NESTING_MAX - 1);
    cursor->at += size;
    return true;
}

/* A key and its value, which are passed and checked at once; false: they are broken, or too deep.
 *
 * ret_name  absent of a key that is no text */
static bool next_pair(struct cursor *cursor, struct bytes *ret_name, struct bytes *ret_value)
{
    const char *start = cursor->at;
    struct token key = cursor_next(cursor);
    *ret_name = (struct bytes){key.data, (size_t)key.number};
    if (key.kind != KIND_TEXT) {
        *ret_name = (struct bytes){0};
        cursor->at = start;
        if (!cursor_skip_within(cursor, BODY_NESTING_MAX - 1))
            return false;
    }
    start = cursor->at;
    if (!pass_value(cursor))
        return false;
    *ret_value = (struct bytes){start, (size_t)(cursor->at - start)};
    return true;
}

static enum status fill_missing(const struct message *message, const bool *seen, void *ret)
{
    for (size_t i = 0; i < message->field_count; i++) {
        const struct field *field = &message->fields[i];
        if (seen[i] || field->missing == 0)
            continue; /* zero is what stands there */
        if (field->missing == REQUIRED)
            return STATUS_BAD_REQUEST;
        set_missing(field, (char *)ret + field->offset);
    }
    return STATUS_OK;
}

/* One walk: each value is checked, and its field filled, when it is passed. */
static enum status decode_fields(const struct message *message, struct cursor *cursor,
                                 uint64_t pairs, void *ret)
{
    bool seen[BODY_FIELDS_MAX] = {false};
    struct bytes name, value;
    size_t i = message->field_count;
    memset(ret, 0, message->struct_bytes);
    for (; pairs > 0; pairs--) {
        if (!next_pair(cursor, &name, &value))
            return STATUS_BAD_REQUEST;
        i = find_field(message, name, i < message->field_count ? i + 1 : 0);
        if (i == message->field_count || seen[i] || is_absent(&message->fields[i], value))
            continue; /* a newer peer's; or given twice, then the first counts */
        const struct field *field = &message->fields[i];
        enum status status = decode_field(field, value, (char *)ret + field->offset);
        if (status != STATUS_OK)
            return status;
        seen[i] = true;
    }
    if (cursor_left(cursor) > 0)
        return STATUS_BAD_REQUEST;
    return fill_missing(message, seen, ret);
}

enum status message_decode(enum message_id id, struct bytes body, void *ret)
{
    assert(id < MESSAGE_ID_MAX);
    assert(messages[id].name != NULL);
    struct cursor cursor = cursor_over(body);
    struct token head = cursor_next(&cursor);
    if (head.kind != KIND_MAP)
        return STATUS_BAD_REQUEST;
    enum status status = decode_fields(&messages[id], &cursor, head.number / 2, ret);
    if (status == STATUS_TOO_LARGE && !value_check(body, BODY_NESTING_MAX))
        return STATUS_BAD_REQUEST; /* what is broken behind it goes first */
    return status;
}
