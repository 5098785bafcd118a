/* vectors - see vectors.h. */
#include "tests/support/vectors.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/value.h"

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

void vectors_check_same(const char *name, struct bytes ours, struct bytes theirs)
{
    ck_assert_msg(ours.size == theirs.size, "%s: %zu bytes, not %zu", name, ours.size, theirs.size);
    ck_assert_msg((ours.data == NULL) == (theirs.data == NULL), "%s: there or not", name);
    ck_assert_msg(bytes_equal(ours, theirs), "%s: other bytes", name);
}
