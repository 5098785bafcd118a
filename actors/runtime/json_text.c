/* json_text - see json_text.h. jansson reads, and stops at a depth of its own, 2,048, before the
 * stack ends; what is written here goes from token to token, without recursion. */
#include "actors/runtime/json_text.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "protocol/limits.h"

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

static bool print_text(struct bytes text, FILE *out)
{
    if (!cursor_is_utf8(text))
        return false;
    fputc('"', out);
    for (size_t i = 0; i < text.size; i++) {
        unsigned char character = (unsigned char)text.data[i];
        if (character == '"' || character == '\\')
            fprintf(out, "\\%c", character);
        else if (character < 0x20)
            fprintf(out, "\\u%04x", character);
        else
            fputc(character, out);
    }
    fputc('"', out);
    return true;
}

static bool print_float(double number, FILE *out)
{
    char text[32];
    if (!isfinite(number))
        return false;
    snprintf(text, sizeof text, "%.15g", number);
    double again = 0;
    if (sscanf(text, "%lf", &again) != 1 || again != number)
        snprintf(text, sizeof text, "%.17g", number);
    fprintf(out, "%s%s", text, strpbrk(text, ".e") == NULL ? ".0" : "");
    return true;
}

static bool print_number(const struct token *token, FILE *out)
{
    double number = 0;
    float narrow = 0;
    uint32_t bits = (uint32_t)token->number;
    switch (token->kind) {
    case KIND_UINT:
        return fprintf(out, "%" PRIu64, token->number) > 0;
    case KIND_INT:
        return fprintf(out, "%" PRId64, (int64_t)token->number) > 0;
    case KIND_F32:
        memcpy(&narrow, &bits, sizeof narrow);
        return print_float(narrow, out);
    default:
        memcpy(&number, &token->number, sizeof number);
        return print_float(number, out);
    }
}

static bool print_plain(const struct token *token, FILE *out)
{
    switch (token->kind) {
    case KIND_NIL:
        return fputs("null", out) >= 0;
    case KIND_FALSE:
        return fputs("false", out) >= 0;
    case KIND_TRUE:
        return fputs("true", out) >= 0;
    case KIND_TEXT:
        return print_text((struct bytes){token->data, (size_t)token->number}, out);
    case KIND_UINT:
    case KIND_INT:
    case KIND_F32:
    case KIND_F64:
        return print_number(token, out);
    default:
        return false;
    }
}

/* A container that is open. */
struct open {
    uint64_t left; /* values; of a map keys and values */
    bool is_map, has_any;
};

/* What stands before the next value. */
static void print_separator(struct open *open, FILE *out)
{
    if (open->is_map && open->left % 2 == 1)
        fputc(':', out);
    else if (open->has_any)
        fputc(',', out);
    open->has_any = true;
    open->left--;
}

bool json_text_write(struct bytes value, FILE *out)
{
    struct open open[BODY_NESTING_MAX + 1] = {{.left = 1}};
    size_t depth = 0;
    struct cursor cursor = cursor_over(value);
    while (depth > 0 || open[0].left > 0) {
        if (open[depth].left == 0) {
            fputc(open[depth--].is_map ? '}' : ']', out);
            continue;
        }
        bool is_key = open[depth].is_map && open[depth].left % 2 == 0;
        print_separator(&open[depth], out);
        struct token token = cursor_next(&cursor);
        bool is_map = token.kind == KIND_MAP, holds = is_map || token.kind == KIND_ARRAY;
        if (cursor.bad || (is_key && token.kind != KIND_TEXT) ||
            (holds && depth == BODY_NESTING_MAX))
            return false;
        if (!holds && !print_plain(&token, out))
            return false;
        if (!holds)
            continue;
        fputc(is_map ? '{' : '[', out);
        open[++depth] = (struct open){.left = token.number, .is_map = is_map};
    }
    return true;
}
