/* json - see json.h. Printing walks the wire bytes, so nothing is rounded on the way; reading is
 * jansson's. Both recurse, to BODY_NESTING_MAX and no deeper. */
#include "actors/cli/json.h"

#include <assert.h>
#include <jansson.h>
#include <math.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define BASE64_VARIANT sodium_base64_VARIANT_ORIGINAL

/* Bytes of the character that text begins with; 0: it is no UTF-8. */
static size_t character_bytes(struct bytes text)
{
    unsigned char first = (unsigned char)text.data[0];
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (size > text.size || !cursor_is_utf8((struct bytes){text.data, size}))
        return 0;
    return size;
}

/* One ASCII character, or U+0080 to U+009F, which terminals obey too. */
static void print_control(unsigned code, FILE *out)
{
    static const char shorts[] = "\"\"\\\\\bb\ff\nn\rr\tt";
    for (size_t i = 0; i + 1 < sizeof shorts; i += 2)
        if ((unsigned char)shorts[i] == code) {
            fprintf(out, "\\%c", shorts[i + 1]);
            return;
        }
    fprintf(out, "\\u%04x", code);
}

void json_print_escaped(struct bytes text, FILE *out)
{
    while (text.size > 0) {
        size_t size = character_bytes(text);
        unsigned char first = (unsigned char)text.data[0];
        unsigned char second = size == 2 ? (unsigned char)text.data[1] : 0;
        if (size == 0)
            fputs("\xef\xbf\xbd", out);
        else if (size == 1 && (first < 0x20 || first == 0x7f || first == '"' || first == '\\'))
            print_control(first, out);
        else if (first == 0xc2 && second < 0xa0)
            print_control(second, out);
        else
            fwrite(text.data, 1, size, out);
        size = size == 0 ? 1 : size;
        text = (struct bytes){text.data + size, text.size - size};
    }
}

static void print_base64(struct bytes blob, FILE *out)
{
    size_t size = sodium_base64_encoded_len(blob.size, BASE64_VARIANT);
    char *text = malloc(size);
    assert(text != NULL);
    sodium_bin2base64(text, size, (const unsigned char *)blob.data, blob.size, BASE64_VARIANT);
    fprintf(out, "\"$base64\":\"%s\"", text);
    free(text);
}

/* The shortest digits that read back as the same number, and not as an integer. */
static void print_f64(double number, FILE *out)
{
    char text[40];
    if (!isfinite(number)) {
        const char *name = isnan(number) ? "nan" : number > 0 ? "inf" : "-inf";
        fprintf(out, "{\"$f64\":\"%s\"}", name);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, number);
        if (strtod(text, NULL) == number)
            break;
    }
    fputs(text, out);
    if (strpbrk(text, ".e") == NULL)
        fputs(".0", out);
}

static void print_scalar(struct bytes value, FILE *out)
{
    struct cursor cursor = cursor_over(value);
    struct token token = cursor_next(&cursor);
    double number = 0;
    if (token.kind == KIND_TRUE || token.kind == KIND_FALSE) {
        fputs(token.kind == KIND_TRUE ? "true" : "false", out);
    } else if (token.kind == KIND_INT) {
        fprintf(out, "%lld", (long long)token.number);
    } else if (token.kind == KIND_UINT) {
        const char *form = token.number > INT64_MAX ? "{\"$u64\":\"%llu\"}" : "%llu";
        fprintf(out, form, (unsigned long long)token.number);
    } else if (value_f64(value, &number)) {
        print_f64(number, out);
    } else if (token.kind == KIND_TEXT) {
        fputc('"', out);
        json_print_escaped((struct bytes){token.data, (size_t)token.number}, out);
        fputc('"', out);
    } else if (token.kind == KIND_BLOB) {
        fputc('{', out);
        print_base64((struct bytes){token.data, (size_t)token.number}, out);
        fputc('}', out);
    } else if (token.kind == KIND_EXT) {
        fprintf(out, "{\"$ext\":%d,", (signed char)token.data[0]);
        print_base64((struct bytes){token.data + 1, (size_t)token.number - 1}, out);
        fputc('}', out);
    } else {
        fputs("null", out);
    }
}

/* A key that is no text is printed as JSON, and that as a text. */
static void print_key(struct bytes key, FILE *out)
{
    char *text = NULL;
    size_t size = 0;
    if (value_kind(key) == KIND_TEXT) {
        print_scalar(key, out);
        return;
    }
    FILE *memory = open_memstream(&text, &size);
    assert(memory != NULL);
    json_print(key, memory);
    fclose(memory);
    fputc('"', out);
    json_print_escaped((struct bytes){text, size}, out);
    fputc('"', out);
    free(text);
}

void json_print(struct bytes value, FILE *out)
{
    enum kind kind = value_kind(value);
    struct values values = values_over(value);
    struct bytes element;
    const char *separator = "";
    if (kind != KIND_ARRAY && kind != KIND_MAP) {
        print_scalar(value, out);
        return;
    }
    fputc(kind == KIND_MAP ? '{' : '[', out);
    while (values_next(&values, &element)) {
        fputs(separator, out);
        separator = ",";
        if (kind == KIND_MAP) {
            print_key(element, out);
            fputc(':', out);
            if (!values_next(&values, &element))
                break;
        }
        json_print(element, out);
    }
    fputc(kind == KIND_MAP ? '}' : ']', out);
}

void json_print_plain(struct bytes value, FILE *out)
{
    struct bytes text;
    if (!value_text(value, &text)) {
        json_print(value, out);
        return;
    }
    /* Quotes and backslashes are harmless where no quote stands around them. */
    while (text.size > 0) {
        size_t plain = 0;
        while (plain < text.size && text.data[plain] != '"' && text.data[plain] != '\\')
            plain++;
        json_print_escaped((struct bytes){text.data, plain}, out);
        if (plain < text.size)
            fputc(text.data[plain++], out);
        text = (struct bytes){text.data + plain, text.size - plain};
    }
}

/* What json_read() carries along. */
struct reading {
    struct writer *writer;
    unsigned nesting;
    const char *reason; /* the first thing that is wrong */
    enum status status;
};

static void fail(struct reading *self, enum status status, const char *reason)
{
    if (self->status == STATUS_OK) {
        self->status = status;
        self->reason = reason;
    }
}

/* The bytes of a base64 text; data NULL: it is none. To be freed. */
static struct bytes decode_base64(const json_t *json)
{
    const char *text = json_string_value(json), *end = NULL;
    size_t size = json_string_length(json), used = 0;
    unsigned char *data = malloc(size + 1);
    assert(data != NULL);
    if (text == NULL ||
        sodium_base642bin(data, size + 1, text, size, NULL, &used, &end, BASE64_VARIANT) != 0 ||
        end != text + size) {
        free(data);
        return (struct bytes){0};
    }
    return (struct bytes){(const char *)data, used};
}

static void read_bytes(struct reading *self, const json_t *object)
{
    const json_t *type = json_object_get(object, "$ext");
    struct bytes blob = decode_base64(json_object_get(object, "$base64"));
    json_int_t number = json_integer_value(type);
    if (blob.data == NULL) {
        fail(self, STATUS_BAD_REQUEST, "$base64 is not base64");
    } else if (type == NULL) {
        writer_blob(self->writer, blob);
    } else if (!json_is_integer(type) || number < INT8_MIN || number > INT8_MAX) {
        fail(self, STATUS_BAD_REQUEST, "$ext is not a number from -128 to 127");
    } else {
        msgpack_pack_ext_with_body(&self->writer->packer, blob.data, blob.size, (int8_t)number);
    }
    free((void *)blob.data);
}

static void read_u64(struct reading *self, const json_t *json)
{
    const char *text = json_string_value(json);
    uint64_t number = 0;
    size_t digits = text == NULL ? 0 : strspn(text, "0123456789");
    bool good = digits > 0 && digits == json_string_length(json);
    for (size_t i = 0; good && i < digits; i++)
        good = !__builtin_mul_overflow(number, (uint64_t)10, &number) &&
               !__builtin_add_overflow(number, (uint64_t)(text[i] - '0'), &number);
    if (!good)
        fail(self, STATUS_BAD_REQUEST, "$u64 is not the text of a number of 64 bits");
    writer_u64(self->writer, number);
}

static void read_f64(struct reading *self, const json_t *json)
{
    static const struct {
        const char *name;
        double number;
    } rows[] = {{"nan", NAN}, {"inf", INFINITY}, {"-inf", -INFINITY}};
    const char *text = json_string_value(json);
    for (size_t i = 0; text != NULL && i < sizeof rows / sizeof rows[0]; i++)
        if (strcmp(text, rows[i].name) == 0) {
            writer_f64(self->writer, rows[i].number);
            return;
        }
    fail(self, STATUS_BAD_REQUEST, "$f64 is not nan, inf or -inf");
}

/* True if it was one of the objects that stand for what JSON lacks. */
static bool read_special(struct reading *self, const json_t *object)
{
    size_t size = json_object_size(object);
    bool is_bytes = json_object_get(object, "$base64") != NULL;
    bool is_extension = is_bytes && json_object_get(object, "$ext") != NULL;
    if ((size == 1 && is_bytes) || (size == 2 && is_extension))
        read_bytes(self, object);
    else if (size == 1 && json_object_get(object, "$u64") != NULL)
        read_u64(self, json_object_get(object, "$u64"));
    else if (size == 1 && json_object_get(object, "$f64") != NULL)
        read_f64(self, json_object_get(object, "$f64"));
    else
        return false;
    return true;
}

static void read_value(struct reading *self, json_t *json);

static void read_container(struct reading *self, json_t *json)
{
    const char *key;
    json_t *element;
    size_t i;
    if (self->nesting == BODY_NESTING_MAX) {
        fail(self, STATUS_TOO_LARGE, "nested too deep");
        return;
    }
    self->nesting++;
    if (json_is_array(json)) {
        writer_array(self->writer, json_array_size(json));
        json_array_foreach(json, i, element)
        {
            read_value(self, element);
        }
    } else {
        writer_map(self->writer, json_object_size(json));
        json_object_foreach(json, key, element)
        {
            writer_cstr(self->writer, key);
            read_value(self, element);
        }
    }
    self->nesting--;
}

static void read_value(struct reading *self, json_t *json)
{
    if (json_is_integer(json))
        writer_i64(self->writer, json_integer_value(json));
    else if (json_is_real(json))
        writer_f64(self->writer, json_real_value(json));
    else if (json_is_boolean(json))
        writer_bool(self->writer, json_is_true(json));
    else if (json_is_string(json))
        writer_text(self->writer,
                    (struct bytes){json_string_value(json), json_string_length(json)});
    else if (json_is_null(json))
        writer_nil(self->writer);
    else if (!json_is_object(json) || !read_special(self, json))
        read_container(self, json);
}

enum status json_read(struct bytes text, struct writer *writer, char *reason, size_t reason_size)
{
    json_error_t error;
    size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    json_t *json = json_loadb(text.data == NULL ? "" : text.data, text.size, flags, &error);
    struct reading reading = {.writer = writer};
    if (json == NULL) {
        const char *hint = strstr(error.text, "too big integer") != NULL
                               ? " (above 2^63 - 1 write {\"$u64\": \"...\"})"
                               : "";
        snprintf(reason, reason_size, "line %d, column %d: %s%s", error.line, error.column,
                 error.text, hint);
        return STATUS_BAD_REQUEST;
    }
    read_value(&reading, json);
    json_decref(json);
    if (writer->full)
        fail(&reading, STATUS_TOO_LARGE, "too large");
    if (reading.status != STATUS_OK)
        snprintf(reason, reason_size, "%s", reading.reason);
    return reading.status;
}
