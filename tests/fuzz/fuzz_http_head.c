/* fuzz_http_head - any bytes as the header lines of a response: each name and value lies inside the
 * text, ends, and has no line end and no blanks around it. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/http.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check(const char *text, const char *begin, size_t size)
{
    assert(text >= begin && text + strlen(text) <= begin + size);
    assert(strpbrk(text, "\r\n") == NULL);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct http_response came = {.end = HTTP_ANSWERED};
    char *text = malloc(size + 1); /* exactly as long, so that a byte too far is seen */
    assert(text != NULL);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    came.header_count = http_headers_split(text, came.headers);
    assert(came.header_count <= HTTP_HEADERS_MAX);
    for (size_t i = 0; i < came.header_count; i++) {
        const char *name = came.headers[i].name, *value = came.headers[i].value;
        check(name, text, size);
        check(value, text, size);
        assert(name[0] != '\0' && strchr(name, ':') == NULL && value[0] != ' ');
        assert(value[0] == '\0' || strchr(" \t", value[strlen(value) - 1]) == NULL);
        assert(http_header_find(&came, name) != NULL);
    }
    free(text);
    return 0;
}
