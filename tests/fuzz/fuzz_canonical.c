/* fuzz_canonical - of whatever bytes: a refusal says why, in UTF-8; what is canonical is its own
 * canonical form, with its defaults filled in once and for all; and a definition has the hash of
 * its canonical form.
 * Input: a value, and behind it perhaps a schema. Seeds: key.json, by seeds.py. */
#include <assert.h>
#include <string.h>

#include "protocol/canonical.h"

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check_fault(const struct fault *fault)
{
    assert(fault->reason[0] != '\0');
    assert(cursor_is_utf8(bytes_of(fault->reason)));
    assert(cursor_is_utf8(bytes_of(fault->path)));
}

/* The canonical form of a value; data NULL: it has none. */
static struct bytes canonical_of(struct bytes value, char *out)
{
    struct writer writer;
    struct fault fault = {.reason = ""};
    writer_init(&writer, out, CANONICAL_BYTES_MAX);
    if (canonical_value(value, &writer, &fault) == STATUS_OK)
        return writer_bytes(&writer);
    check_fault(&fault);
    return (struct bytes){0};
}

static struct bytes arguments_of(struct bytes value, struct bytes schema, char *out)
{
    struct writer writer;
    struct fault fault = {.reason = ""};
    writer_init(&writer, out, CANONICAL_BYTES_MAX);
    if (canonical_arguments(value, schema, &writer, &fault) == STATUS_OK)
        return writer_bytes(&writer);
    check_fault(&fault);
    return (struct bytes){0};
}

/* Filled in again, nothing changes, unless the defaults now count for the limits. */
static void check_arguments(struct bytes value, struct bytes schema)
{
    static char first[CANONICAL_BYTES_MAX], second[CANONICAL_BYTES_MAX];
    struct bytes once = arguments_of(value, schema, first);
    if (once.data == NULL)
        return;
    struct bytes twice = arguments_of(once, schema, second);
    assert(twice.data != NULL || schema.size > 0);
    assert(twice.data == NULL || bytes_equal(once, twice));
}

static void check_definition(struct bytes schema)
{
    static char form[CANONICAL_BYTES_MAX], first[CANONICAL_BYTES_MAX], second[CANONICAL_BYTES_MAX];
    struct definition definition = {.name = bytes_of("A_b"), .parameters = schema};
    struct writer writer;
    struct fault fault;
    struct bytes canonical = canonical_of(schema, form);
    writer_init(&writer, first, sizeof first);
    if (canonical_definition(&definition, &writer, &fault) != STATUS_OK)
        return;
    assert(canonical.data != NULL);
    struct bytes once = writer_bytes(&writer);
    definition.parameters = canonical;
    writer_init(&writer, second, sizeof second);
    enum status status = canonical_definition(&definition, &writer, &fault);
    assert(status == STATUS_OK);
    assert(canonical_hash(once) == canonical_hash(writer_bytes(&writer)));
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static char first[CANONICAL_BYTES_MAX], second[CANONICAL_BYTES_MAX];
    struct bytes whole = {(const char *)data, size};
    size_t used = cursor_measure(whole);
    struct bytes value = {whole.data, used > 0 ? used : size};
    struct bytes schema = {whole.data + value.size, size - value.size};
    struct bytes once = canonical_of(value, first);
    if (once.data != NULL) {
        struct bytes twice = canonical_of(once, second);
        assert(bytes_equal(once, twice));
        assert(value_check(once, DEFINITION_NESTING_MAX));
    }
    check_arguments(value, (struct bytes){0});
    check_arguments(value, schema);
    check_definition(schema);
    return 0;
}
