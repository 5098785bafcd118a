/* json_text - see json_text.h. jansson stops at a depth of its own, 2,048, before the stack ends.
 */
#include "actors/runtime/json_text.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

static bool write_json(const json_t *value, unsigned nesting_left, struct writer *out);

static bool write_object(const json_t *value, unsigned nesting_left, struct writer *out)
{
    const char *key;
    json_t *member;
    writer_map(out, json_object_size(value));
    json_object_foreach((json_t *)value, key, member)
    {
        writer_cstr(out, key);
        if (!write_json(member, nesting_left, out))
            return false;
    }
    return true;
}

static bool write_array(const json_t *value, unsigned nesting_left, struct writer *out)
{
    size_t count = json_array_size(value);
    writer_array(out, count);
    for (size_t i = 0; i < count; i++)
        if (!write_json(json_array_get(value, i), nesting_left, out))
            return false;
    return true;
}

static void write_plain(const json_t *value, struct writer *out)
{
    switch (json_typeof(value)) {
    case JSON_STRING:
        writer_text(out, (struct bytes){json_string_value(value), json_string_length(value)});
        break;
    case JSON_INTEGER:
        writer_i64(out, json_integer_value(value));
        break;
    case JSON_REAL:
        writer_f64(out, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        writer_bool(out, json_is_true(value));
        break;
    default:
        writer_nil(out);
    }
}

/* False: it is too deep. */
static bool write_json(const json_t *value, unsigned nesting_left, struct writer *out)
{
    bool holds = json_is_object(value) || json_is_array(value);
    if (!holds)
        write_plain(value, out);
    if (!holds || out->full)
        return true;
    if (nesting_left == 0)
        return false;
    return json_is_object(value) ? write_object(value, nesting_left - 1, out)
                                 : write_array(value, nesting_left - 1, out);
}

/* jansson counts columns in characters, but may quote half of one. */
static void set_fault(struct json_fault *ret, const json_error_t *error)
{
    ret->line = error->line > 0 ? (unsigned)error->line : 1;
    ret->column = error->column > 0 ? (unsigned)error->column : 1;
    snprintf(ret->reason, sizeof ret->reason, "%s", error->text);
}

bool json_text_read(struct bytes text, unsigned nesting_max, struct writer *out,
                    struct json_fault *ret_fault)
{
    json_error_t error;
    json_t *value = json_loadb(text.data == NULL ? "" : text.data, text.size,
                               JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (value == NULL) {
        set_fault(ret_fault, &error);
        return false;
    }
    bool written = write_json(value, nesting_max, out);
    if (!written) {
        *ret_fault = (struct json_fault){.line = 0};
        snprintf(ret_fault->reason, sizeof ret_fault->reason, "nested deeper than %u", nesting_max);
    }
    json_decref(value);
    return written;
}
