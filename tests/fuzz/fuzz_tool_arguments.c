/* fuzz_tool_arguments - the first byte picks a tool, the rest is the body of a call. What is taken
 * is what the schema allows, and taken again it is the same; what is refused says why. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "actors/tool_executor/tools.h"
#include "protocol/schema.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static struct tools *tools;
    static char first[CANONICAL_BYTES_MAX], second[CANONICAL_BYTES_MAX];
    struct writer once, twice;
    struct failure failure = {.status = STATUS_OK};
    struct fault fault;
    if (tools == NULL)
        tools = tools_new(true);
    if (size == 0)
        return 0;
    const struct tool *tool = &tools->list[data[0] % tools->count];
    writer_init(&once, first, sizeof first);
    if (!tool_arguments(tool, (struct bytes){(const char *)data + 1, size - 1}, &once, &failure)) {
        assert(failure.status == STATUS_BAD_REQUEST || failure.status == STATUS_TOO_LARGE);
        assert(failure.message[0] != '\0');
        return 0;
    }
    struct bytes taken = writer_bytes(&once);
    enum status status = schema_validate(taken, tool->parameters, &fault);
    assert(status == STATUS_OK);
    writer_init(&twice, second, sizeof second);
    bool again = tool_arguments(tool, taken, &twice, &failure);
    assert(again);
    assert(bytes_equal(taken, writer_bytes(&twice)));
    return 0;
}
