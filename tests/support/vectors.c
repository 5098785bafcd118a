/* vectors - see vectors.h. */
#include "tests/support/vectors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/value.h"
#include "tests/support/suite.h"

json_t *vectors_load(const char *name)
{
    char path[256];
    json_error_t error;
    (void)snprintf(path, sizeof path, "%s/%s", VECTORS_DIR, name);
    json_t *vectors = json_load_file(path, JSON_ALLOW_NUL, &error);
    ck_assert_msg(vectors != NULL, "%s: %s", path, error.text);
    return vectors;
}

struct bytes vectors_unhex(const json_t *text)
{
    const char *hex = json_string_value(text);
    if (hex == NULL)
        return (struct bytes){0};
    size_t size = strlen(hex) / 2;
    char *bytes = malloc(size > 0 ? size : 1);
    ck_assert_ptr_nonnull(bytes);
    for (size_t i = 0; i < size; i++) {
        const char digits[] = {hex[2 * i], hex[2 * i + 1], '\0'};
        char *end;
        bytes[i] = (char)strtoul(digits, &end, 16);
        ck_assert_msg(*end == '\0', "%s is no byte", digits);
    }
    return (struct bytes){bytes, size};
}

struct bytes vectors_bytes(const json_t *object, const char *member)
{
    return vectors_unhex(json_object_get(object, member));
}

struct bytes vectors_text(const json_t *object, const char *member)
{
    const json_t *text = json_object_get(object, member);
    return (struct bytes){json_string_value(text), json_string_length(text)};
}

uint64_t vectors_number(const json_t *object, const char *member)
{
    const json_t *value = json_object_get(object, member);
    if (json_is_string(value))
        return strtoull(json_string_value(value), NULL, 10);
    ck_assert_msg(json_is_integer(value), "%s is no number", member);
    return (uint64_t)json_integer_value(value);
}

uint64_t vectors_hash(const json_t *object, const char *member)
{
    struct bytes text = vectors_text(object, member);
    ck_assert_uint_eq(text.size, 16);
    return strtoull(text.data, NULL, 16);
}

const char *vectors_name(const json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "name"));
    return name == NULL ? "" : name;
}

static void pack(const json_t *value, struct writer *writer);

static void pack_members(const json_t *object, struct writer *writer)
{
    void *at = json_object_iter((json_t *)(uintptr_t)object);
    writer_map(writer, json_object_size(object));
    for (; at != NULL; at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
        writer_cstr(writer, json_object_iter_key(at));
        pack(json_object_iter_value(at), writer);
    }
}

static void pack(const json_t *value, struct writer *writer)
{
    if (json_is_object(value)) {
        pack_members(value, writer);
    } else if (json_is_array(value)) {
        writer_array(writer, json_array_size(value));
        for (size_t i = 0; i < json_array_size(value); i++)
            pack(json_array_get(value, i), writer);
    } else if (json_is_string(value)) {
        writer_text(writer, (struct bytes){json_string_value(value), json_string_length(value)});
    } else if (json_is_integer(value)) {
        writer_i64(writer, json_integer_value(value));
    } else if (json_is_real(value)) {
        writer_f64(writer, json_real_value(value));
    } else if (json_is_boolean(value)) {
        writer_bool(writer, json_is_true(value));
    } else {
        writer_nil(writer);
    }
}

struct bytes vectors_pack(const char *json, char *out, size_t size)
{
    json_error_t error;
    struct writer writer;
    json_t *value = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    ck_assert_msg(value != NULL, "%s: %s", json, error.text);
    writer_init(&writer, out, size);
    pack(value, &writer);
    json_decref(value);
    struct bytes bytes = writer_bytes(&writer);
    ck_assert_ptr_nonnull(bytes.data);
    return bytes;
}

void vectors_check_same(const char *name, struct bytes ours, struct bytes theirs)
{
    ck_assert_msg(ours.size == theirs.size, "%s: %zu bytes, not %zu", name, ours.size, theirs.size);
    ck_assert_msg((ours.data == NULL) == (theirs.data == NULL), "%s: there or not", name);
    ck_assert_msg(bytes_equal(ours, theirs), "%s: other bytes", name);
}
