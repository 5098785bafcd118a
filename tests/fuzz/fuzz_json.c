/* fuzz_json - what json_read() takes is one MessagePack value within the bounds of a body, and its
 * print reads back as the same bytes; and what is printed of any value is JSON, on one line, with
 * nothing in it that a terminal obeys. */
#include <assert.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "actors/cli/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* To be freed. */
static struct bytes print(struct bytes value)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    assert(memory != NULL);
    json_print(value, memory);
    fclose(memory);
    return (struct bytes){text, size};
}

static void check_print(struct bytes value)
{
    struct bytes text = print(value);
    json_t *json = json_loadb(text.data, text.size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    assert(cursor_is_utf8(text));
    for (size_t i = 0; i < text.size; i++)
        assert((unsigned char)text.data[i] >= 0x20 && text.data[i] != 0x7f);
    /* jansson knows no text of 0 in a key, which our wire may have. */
    assert(json != NULL || memmem(text.data, text.size, "\\u0000", 6) != NULL);
    json_decref(json);
    free((void *)text.data);
}

static void check_read(struct bytes text)
{
    static char bytes[65536], again[65536];
    char reason[200];
    struct writer writer;
    writer_init(&writer, bytes, sizeof bytes);
    if (json_read(text, &writer, reason, sizeof reason) != STATUS_OK)
        return;
    struct bytes value = writer_bytes(&writer);
    assert(value_check(value, BODY_NESTING_MAX));
    struct bytes printed = print(value);
    writer_init(&writer, again, sizeof again);
    enum status status = json_read(printed, &writer, reason, sizeof reason);
    assert(status == STATUS_OK);
    assert(bytes_equal(value, writer_bytes(&writer)));
    free((void *)printed.data);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = {(const char *)data, size};
    if (value_check(input, BODY_NESTING_MAX))
        check_print(input);
    check_read(input);
    return 0;
}
