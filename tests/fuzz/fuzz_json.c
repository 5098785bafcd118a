/* fuzz_json - what json_read() takes is one MessagePack value within the bounds of a body, and its
 * print reads back as the same bytes. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/cli/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char bytes[65536], again[65536];
    char reason[200], *text = NULL;
    size_t text_size = 0;
    struct writer writer;
    writer_init(&writer, bytes, sizeof bytes);
    if (json_read((struct bytes){(const char *)data, size}, &writer, reason, sizeof reason) !=
        STATUS_OK)
        return 0;
    struct bytes value = writer_bytes(&writer);
    assert(value_check(value, BODY_NESTING_MAX));
    FILE *memory = open_memstream(&text, &text_size);
    assert(memory != NULL);
    json_print(value, memory);
    fclose(memory);
    writer_init(&writer, again, sizeof again);
    enum status status = json_read((struct bytes){text, text_size}, &writer, reason, sizeof reason);
    assert(status == STATUS_OK);
    assert(bytes_equal(value, writer_bytes(&writer)));
    free(text);
    return 0;
}
