/* word_count - a plug-in with one tool, Text_CountWords; see docs/tools.md, "A tool of your own".
 */
#include <ctype.h>
#include <fact_tool.h>

static bool count_words(const struct fact_call *call)
{
    const struct fact_host *host = call->host;
    struct fact_view text = host->text(call, "text");
    int64_t words = 0, longest = 0, length = 0;
    for (size_t i = 0; i < text.size && !host->cancelled(call); i++) {
        length = isspace((unsigned char)text.data[i]) ? 0 : length + 1;
        words += length == 1;
        longest = length > longest ? length : longest;
    }
    if (words == 0)
        return host->fail(call, "NO_WORDS", "there is no word in it");
    host->put_map(call, 2);
    host->put_string(call, "words");
    host->put_integer(call, words);
    host->put_string(call, "longest");
    host->put_integer(call, longest);
    return true;
}

static const struct fact_tool tools[] = {{
    .name = "Text_CountWords",
    .version = "1.0.0",
    .description = "Counts the words of a text, and the bytes of the longest.",
    .parameters = "{\"type\": \"object\", \"required\": [\"text\"], \"properties\": {"
                  "\"text\": {\"type\": \"string\", \"maxLength\": 10000}}}",
    .result = "{\"type\": \"object\", \"required\": [\"words\", \"longest\"], \"properties\": {"
              "\"words\": {\"type\": \"integer\"}, \"longest\": {\"type\": \"integer\"}}}",
    .timeout_ms = 1000,
    .scope = "public",
    .cacheable = true,
    .ttl_ms = 3600000,
    .read_only = true,
    .idempotent = true,
    .concurrency = 8,
    .run = count_words,
}};

const struct fact_plugin *fact_plugin(void)
{
    static const struct fact_plugin plugin = {
        .abi = FACT_TOOL_ABI, .tool_count = sizeof tools / sizeof tools[0], .tools = tools};
    return &plugin;
}
