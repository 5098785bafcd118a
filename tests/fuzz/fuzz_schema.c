/* fuzz_schema - of whatever bytes: a refusal says why, in UTF-8; the schema that says nothing
 * allows all; and what is allowed is allowed in canonical form too, by the schema in canonical
 * form (but for uniqueItems: 1 and 1.0 are then one).
 * Input: a schema, and behind it a value. Seeds: key.json, by seeds.py. */
#include <assert.h>
#include <string.h>

#include "protocol/canonical.h"
#include "protocol/schema.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static bool is_allowed(struct bytes value, struct bytes schema)
{
    struct fault fault = {.reason = ""};
    if (schema_validate(value, schema, &fault) == STATUS_OK)
        return true;
    assert(fault.reason[0] != '\0');
    assert(cursor_is_utf8(bytes_of(fault.reason)));
    assert(cursor_is_utf8(bytes_of(fault.path)));
    return false;
}

static struct bytes canonical_of(struct bytes value, char *out)
{
    struct writer writer;
    struct fault fault;
    writer_init(&writer, out, CANONICAL_BYTES_MAX);
    enum status status = canonical_value(value, &writer, &fault);
    return status == STATUS_OK ? writer_bytes(&writer) : (struct bytes){0};
}

static void check_canonical(struct bytes value, struct bytes schema)
{
    static char value_form[CANONICAL_BYTES_MAX], schema_form[CANONICAL_BYTES_MAX];
    struct bytes form = canonical_of(value, value_form);
    struct bytes rules = canonical_of(schema, schema_form);
    struct fault fault;
    if (form.data == NULL || rules.data == NULL ||
        memmem(schema.data, schema.size, "uniqueItems", 11) != NULL)
        return;
    assert(schema_check(rules, &fault) == STATUS_OK);
    assert(is_allowed(form, rules));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct bytes whole = {(const char *)data, size};
    size_t used = cursor_measure(whole);
    struct bytes schema = {whole.data, used};
    struct bytes value = {whole.data + used, size - used};
    struct fault fault = {.reason = ""};
    bool allowed = is_allowed(value, schema); /* unchecked too */
    if (value_check(value, BODY_NESTING_MAX)) {
        bool few = value_kind(value) != KIND_MAP; /* a map may have too many members, or bad keys */
        assert(!few || is_allowed(value, bytes_of("\x80")));
    }
    if (schema_check(schema, &fault) == STATUS_OK) {
        if (allowed)
            check_canonical(value, schema);
    } else {
        assert(fault.reason[0] != '\0');
        assert(cursor_is_utf8(bytes_of(fault.path)));
    }
    return 0;
}
