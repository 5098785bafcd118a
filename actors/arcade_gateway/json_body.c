/* json_body - see json_body.h. The parser behind json_text works by recursion, to a depth that is
 * far beyond ours: so depth is counted first, by a loop that knows only texts and brackets. */
#include "actors/arcade_gateway/json_body.h"

#include <assert.h>
#include <stdlib.h>

#include "actors/runtime/json_text.h"

#define GROWTH_MAX 3u /* a byte of JSON is at most so many of MessagePack: 9 of "1.5," */
#define GROWTH_BYTES 16u

/* Containers inside each other; of what is no JSON some number that does no harm. */
static bool is_too_deep(struct bytes text, unsigned nesting_max)
{
    size_t depth = 0;
    bool is_text = false;
    for (size_t i = 0; i < text.size; i++) {
        char character = text.data[i];
        if (is_text && character == '\\')
            i++;
        else if (character == '"')
            is_text = !is_text;
        else if (!is_text && (character == '{' || character == '['))
            depth++;
        else if (!is_text && (character == '}' || character == ']') && depth > 0)
            depth--;
        if (depth > nesting_max)
            return true;
    }
    return false;
}

const char *json_body_read(struct bytes text, unsigned nesting_max, struct json_body *ret)
{
    struct writer writer;
    struct json_fault fault;
    *ret = (struct json_body){0};
    if (is_too_deep(text, nesting_max))
        return "nested too deep";
    size_t size = text.size * GROWTH_MAX + GROWTH_BYTES;
    ret->memory = malloc(size);
    assert(ret->memory != NULL);
    writer_init(&writer, ret->memory, size);
    if (!json_text_read(text, nesting_max, &writer, &fault)) {
        json_body_fini(ret);
        return "no JSON";
    }
    assert(!writer.full);
    ret->value = writer_bytes(&writer);
    return NULL;
}

void json_body_fini(struct json_body *self)
{
    free(self->memory);
    *self = (struct json_body){0};
}
