/* fuzz_extract_urls - in any bytes URLs lie one behind the other, each begins with its scheme and
 * "://" and holds no white space; found again in itself, each is whole. */
#include <assert.h>
#include <string.h>
#include <strings.h>

#include "actors/tool_executor/urls.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static const struct bytes schemes[] = {{"http", 4}, {"https", 5}, {"f", 1}, {"a+b", 3}};
#define SCHEMES (sizeof schemes / sizeof schemes[0])

static void check_whole(struct bytes url, size_t scheme)
{
    struct urls urls = urls_over(url, schemes, SCHEMES);
    struct bytes again;
    size_t scheme_again;
    bool found = urls_next(&urls, &again, &scheme_again);
    assert(found);
    assert(again.data == url.data);
    assert(again.size == url.size);
    assert(scheme_again == scheme);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct bytes text = {(const char *)data, size}, url;
    struct urls urls = urls_over(text, schemes, SCHEMES);
    const char *after = text.data;
    size_t scheme;
    while (urls_next(&urls, &url, &scheme)) {
        assert(url.data >= after);
        assert(url.data + url.size <= text.data + size);
        after = url.data + url.size;
        assert(scheme < SCHEMES);
        assert(url.size > schemes[scheme].size + 3);
        assert(strncasecmp(url.data, schemes[scheme].data, schemes[scheme].size) == 0);
        assert(memcmp(url.data + schemes[scheme].size, "://", 3) == 0);
        for (size_t i = 0; i < url.size; i++)
            assert((unsigned char)url.data[i] > ' ');
        check_whole(url, scheme);
    }
    return 0;
}
