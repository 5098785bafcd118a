/* fuzz_key - of whatever text: a normalised question stays what it is, and has no two spaces in a
 * row and none at its ends; a tool's name stays what it is; the hashed part lies in its key; tags
 * keep their bounds.
 * Input: a byte that chooses the rules, then the text. Seeds: key.json, by seeds.py. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/key.h"
#include "protocol/value.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_question(enum key_rules rules, struct bytes text)
{
    struct bytes once, twice;
    struct fault fault = {.reason = ""};
    char *first = malloc(text.size + 1), *second = malloc(text.size + 1);
    assert(first != NULL);
    assert(second != NULL);
    if (key_question(rules, text, first, &once, &fault) == STATUS_OK) {
        assert(once.size > 0 && once.size <= text.size);
        assert(cursor_is_utf8(once));
        assert(once.data[0] != ' ' && once.data[once.size - 1] != ' ');
        assert(memmem(once.data, once.size, "  ", 2) == NULL);
        enum status status = key_question(rules, once, second, &twice, &fault);
        assert(status == STATUS_OK);
        assert(bytes_equal(once, twice));
    } else {
        assert(fault.reason[0] != '\0');
    }
    free(second);
    free(first);
}

static void check_name(struct bytes text)
{
    char first[METHOD_BYTES_MAX], second[METHOD_BYTES_MAX];
    struct bytes once, twice;
    if (!key_tool_name(text, first, &once))
        return;
    assert(once.size == text.size);
    bool again = key_tool_name(once, second, &twice);
    assert(again);
    assert(bytes_equal(once, twice));
}

static void check_tags(struct bytes text)
{
    uint64_t own[KEY_TAGS_MAX], declared[TAGS_MAX];
    struct key_scope scope = {.kind = KEY_USER, .tenant = text, .user = text};
    size_t count = key_own_tags(text, text, own);
    assert(count >= 2 && count <= KEY_TAGS_MAX);
    if (key_declared_tags(&scope, text, declared, &count))
        assert(count >= 2 && count <= TAGS_MAX);
    struct bytes part = key_part(text);
    assert(part.size <= text.size);
    assert(text.size == 0 ||
           (part.data >= text.data && part.data + part.size <= text.data + text.size));
    assert(key_slot(key_hash(0, text)) < CACHE_SLOTS);
}

static void check_key(struct bytes text)
{
    struct key_scope scope = {.ns = bytes_of("fact_v1"), .kind = KEY_TENANT, .tenant = text};
    struct key_tool tool = {.name = text, .version = text};
    struct key_planner planner = {.name = text};
    struct key key;
    if (key_of_call(&scope, &tool, text, &key) == STATUS_OK)
        assert(key.size == text.size + 1 + 2 * KEY_DIGEST_BYTES);
    enum status status = key_of_question(&scope, &planner, text, text, &key);
    assert(status == STATUS_OK);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    if (size == 0)
        return 0;
    struct bytes text = {(const char *)data + 1, size - 1};
    check_question(data[0] % 2 == 0 ? KEY_Q1 : KEY_Q1F, text);
    check_name(text);
    check_tags(text);
    check_key(text);
    return 0;
}
