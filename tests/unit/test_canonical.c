/* test_canonical - equal arguments have equal bytes, in every language: all of the golden canonical
 * forms, defaults, refusals and schema hashes; and whatever is refused is refused with a place. */
#include <string.h>

#include "protocol/canonical.h"
#include "tests/support/suite.h"
#include "tests/support/vectors.h"

static json_t *vectors;

static void setup(void)
{
    vectors = vectors_load("key.json");
}

static void teardown(void)
{
    json_decref(vectors);
}

/* Canonical arguments in out, CANONICAL_BYTES_MAX bytes. */
static enum status canonical(struct bytes arguments, struct bytes schema, char *out,
                             struct bytes *ret, struct fault *ret_fault)
{
    struct writer writer;
    writer_init(&writer, out, CANONICAL_BYTES_MAX);
    enum status status = canonical_arguments(arguments, schema, &writer, ret_fault);
    *ret = writer_bytes(&writer);
    return status;
}

static void check_canonical(const json_t *vector)
{
    static char first[CANONICAL_BYTES_MAX], second[CANONICAL_BYTES_MAX];
    const char *name = vectors_name(vector);
    struct bytes input = vectors_bytes(vector, "input"), schema = vectors_bytes(vector, "schema");
    struct bytes golden = vectors_bytes(vector, "canonical"), ours;
    struct fault fault;
    ck_assert_msg(canonical(input, schema, first, &ours, &fault) == STATUS_OK, "%s: %s", name,
                  fault.reason);
    vectors_check_same(name, ours, golden);
    ck_assert_msg(canonical(golden, (struct bytes){0}, second, &ours, &fault) == STATUS_OK ||
                      schema.data != NULL, /* defaults may go beyond the limits */
                  "%s", name);
    if (schema.data == NULL)
        vectors_check_same(name, ours, golden);
    free((void *)golden.data);
    free((void *)schema.data);
    free((void *)input.data);
}

START_TEST(every_form_of_the_same_arguments_becomes_the_golden_bytes)
{
    size_t i;
    json_t *vector;
    json_array_foreach(json_object_get(vectors, "canonical"), i, vector) check_canonical(vector);
    ck_assert_uint_gt(i, 100);
}
END_TEST

START_TEST(defaults_are_filled_in_as_stated)
{
    size_t i;
    json_t *vector;
    json_array_foreach(json_object_get(vectors, "defaults"), i, vector) check_canonical(vector);
    ck_assert_uint_gt(i, 10);
}
END_TEST

START_TEST(what_is_refused_is_refused_for_the_stated_reason)
{
    static char out[CANONICAL_BYTES_MAX];
    size_t i;
    json_t *vector;
    json_array_foreach(json_object_get(vectors, "refused"), i, vector)
    {
        struct bytes input = vectors_bytes(vector, "input"), ours;
        struct fault fault;
        enum status status = canonical(input, (struct bytes){0}, out, &ours, &fault);
        ck_assert_msg(status == STATUS_BAD_REQUEST, "%s", vectors_name(vector));
        ck_assert_str_eq(fault.reason, vectors_text(vector, "why").data);
        free((void *)input.data);
    }
    ck_assert_uint_gt(i, 50);
}
END_TEST

/* The value of a member as it came; that of a text: its characters. */
static struct bytes member_text(struct bytes map, const char *name)
{
    struct bytes text = {0};
    (void)value_text(value_find(map, name), &text);
    return text;
}

static void check_schema(const json_t *vector, char *out)
{
    const char *name = vectors_name(vector);
    struct bytes map = vectors_bytes(vector, "definition"),
                 hashed = vectors_bytes(vector, "hashed");
    struct definition definition = {.name = member_text(map, "name"),
                                    .version = member_text(map, "version"),
                                    .parameters = value_find(map, "parameters"),
                                    .result = value_find(map, "result")};
    struct writer writer;
    struct fault fault;
    writer_init(&writer, out, CANONICAL_BYTES_MAX);
    ck_assert_msg(canonical_definition(&definition, &writer, &fault) == STATUS_OK, "%s", name);
    vectors_check_same(name, writer_bytes(&writer), hashed);
    ck_assert_msg(canonical_hash(writer_bytes(&writer)) == vectors_hash(vector, "schema_hash"),
                  "%s", name);
    writer_init(&writer, out, CANONICAL_BYTES_MAX);
    ck_assert_int_eq(canonical_value(hashed, &writer, &fault), STATUS_OK);
    vectors_check_same(name, writer_bytes(&writer), hashed);
    free((void *)hashed.data);
    free((void *)map.data);
}

/* The hash of the case of this name; of those before the i-th no other may have ours. */
static void check_hash_is_shared(size_t i, const json_t *vector)
{
    size_t k;
    json_t *other, *list = json_object_get(vectors, "schemas");
    const char *same = vectors_text(vector, "same_as").data;
    json_array_foreach(list, k, other)
    {
        const char *same_too = vectors_text(other, "same_as").data;
        const char *ours = same != NULL ? same : vectors_name(vector);
        const char *theirs = same_too != NULL ? same_too : vectors_name(other);
        bool equal = vectors_hash(vector, "schema_hash") == vectors_hash(other, "schema_hash");
        ck_assert_msg(equal == (strcmp(ours, theirs) == 0), "%zu and %zu", i, k);
    }
}

START_TEST(a_definition_has_the_golden_hash_and_only_equals_share_it)
{
    static char out[CANONICAL_BYTES_MAX];
    size_t i;
    json_t *vector;
    json_array_foreach(json_object_get(vectors, "schemas"), i, vector)
    {
        check_schema(vector, out);
        check_hash_is_shared(i, vector);
    }
    ck_assert_uint_gt(i, 10);
}
END_TEST

START_TEST(what_a_definition_has_not_is_nil_in_it)
{
    char out[128];
    struct definition none = {.name = {0}};
    struct writer writer;
    struct fault fault;
    writer_init(&writer, out, sizeof out);
    ck_assert_int_eq(canonical_definition(&none, &writer, &fault), STATUS_OK);
    ck_assert(bytes_are(writer_bytes(&writer), "\x84\xa4name\xc0\xaaparameters\xc0"
                                               "\xa6result\xc0\xa7version\xc0"));
}
END_TEST

START_TEST(a_bad_schema_in_a_definition_is_refused_with_its_place)
{
    char out[128];
    struct definition bad = {.name = bytes_of("A_b"), .result = bytes_of("\x81\xa1x\xc4")};
    struct writer writer;
    struct fault fault;
    writer_init(&writer, out, sizeof out);
    ck_assert_int_eq(canonical_definition(&bad, &writer, &fault), STATUS_BAD_REQUEST);
    ck_assert_str_eq(fault.path, "result");
    bad.result = bytes_of("\x81\xa1x\xd4\x01\x01");
    writer_init(&writer, out, sizeof out);
    ck_assert_int_eq(canonical_definition(&bad, &writer, &fault), STATUS_BAD_REQUEST);
    ck_assert_str_eq(fault.path, "result/x");
}
END_TEST

static const struct {
    const char *bytes;
    size_t size;
    const char *path;
} places[] = {
    {"\x81\xa1\x61\x92\x01\x81\xa1\x62\xcb\x7f\xf8\0\0\0\0\0", 17, "a/1/b"},
    {"\x82\xa1\x61\x01\xa1\x61\x02", 7, "a"},
    {"\x81\xa1\x61\x82\xa1\x62\x01\xa1\x62\x02", 10, "a/b"},
    {"\x81\xa2\x0a\x7f\xc4\x00", 6, "?\?"},
    {"\x81\xa2\xc3\xa9\xc4\x00", 6, "\xc3\xa9"},
    {"\x81\xa1\xff\x01", 4, "?"},
    {"\x81\xa0\x81\xa1\x62\xc4\x00", 7, "/b"},
    {"\xc0", 1, ""},
};

START_TEST(a_refusal_names_the_place)
{
    static char out[CANONICAL_BYTES_MAX];
    struct fault fault;
    struct bytes input = {places[_i].bytes, places[_i].size}, ours;
    ck_assert_int_eq(canonical(input, (struct bytes){0}, out, &ours, &fault), STATUS_BAD_REQUEST);
    ck_assert_str_eq(fault.path, places[_i].path);
}
END_TEST

/* Nine names of 60 bytes, one in the other, and a fault inside: more than a path can hold. */
START_TEST(a_long_path_is_cut)
{
    static char out[CANONICAL_BYTES_MAX];
    char data[1024];
    const char *name = "123456789012345678901234567890123456789012345678901234567890";
    struct writer writer;
    struct bytes ours;
    struct fault fault;
    writer_init(&writer, data, sizeof data);
    for (int i = 0; i < 9; i++) {
        writer_map(&writer, 1);
        writer_cstr(&writer, name);
    }
    writer_blob(&writer, bytes_of("x"));
    ck_assert_int_eq(canonical(writer_bytes(&writer), (struct bytes){0}, out, &ours, &fault),
                     STATUS_BAD_REQUEST);
    ck_assert_uint_eq(strlen(fault.path), FAULT_PATH_BYTES_MAX - 1);
}
END_TEST

/* {"t": a text of so many bytes} with {"properties": {"t": {"maxLength": own}}}. */
static enum status with_text(size_t size, uint64_t own)
{
    static char out[CANONICAL_BYTES_MAX], input[CANONICAL_BYTES_MAX], rules[128];
    static const char zeros[2 * ARGUMENT_TEXT_MAX + 1];
    struct writer writer, schema;
    struct bytes ours;
    struct fault fault;
    writer_init(&writer, input, sizeof input);
    writer_map(&writer, 1);
    writer_cstr(&writer, "t");
    writer_text(&writer, (struct bytes){zeros, size});
    writer_init(&schema, rules, sizeof rules);
    writer_map(&schema, 1);
    writer_cstr(&schema, "properties");
    writer_map(&schema, 1);
    writer_cstr(&schema, "t");
    writer_map(&schema, 1);
    writer_cstr(&schema, "maxLength");
    writer_u64(&schema, own);
    return canonical(writer_bytes(&writer), writer_bytes(&schema), out, &ours, &fault);
}

/* The larger of the two bounds counts; the schema itself refuses what is over its own. */
START_TEST(a_definition_may_allow_a_longer_text)
{
    ck_assert_int_eq(with_text(ARGUMENT_TEXT_MAX, 5), STATUS_OK);
    ck_assert_int_eq(with_text(ARGUMENT_TEXT_MAX + 1, 5), STATUS_BAD_REQUEST);
    ck_assert_int_eq(with_text(2 * ARGUMENT_TEXT_MAX, 2 * ARGUMENT_TEXT_MAX), STATUS_OK);
    ck_assert_int_eq(with_text(2 * ARGUMENT_TEXT_MAX + 1, 2 * ARGUMENT_TEXT_MAX),
                     STATUS_BAD_REQUEST);
}
END_TEST

START_TEST(absent_arguments_are_an_empty_map)
{
    static char out[CANONICAL_BYTES_MAX];
    struct bytes ours;
    struct fault fault;
    ck_assert_int_eq(canonical((struct bytes){0}, (struct bytes){0}, out, &ours, &fault),
                     STATUS_OK);
    ck_assert(bytes_are(ours, "\x80"));
}
END_TEST

/* Refused with a reason; or canonical, and then its own canonical form. */
static bool is_refused_or_canonical(struct bytes arguments)
{
    static char first[CANONICAL_BYTES_MAX], second[CANONICAL_BYTES_MAX];
    struct bytes once, twice;
    struct fault fault = {.reason = ""};
    enum status status = canonical(arguments, (struct bytes){0}, first, &once, &fault);
    if (status != STATUS_OK)
        return status == STATUS_BAD_REQUEST && fault.reason[0] != '\0';
    status = canonical(once, (struct bytes){0}, second, &twice, &fault);
    return status == STATUS_OK && bytes_equal(once, twice);
}

static void check_cuts(struct bytes input)
{
    for (size_t size = 0; size < input.size; size++) {
        char *cut = malloc(size > 0 ? size : 1);
        ck_assert_ptr_nonnull(cut);
        memcpy(cut, input.data, size);
        ck_assert(is_refused_or_canonical((struct bytes){cut, size}));
        free(cut);
    }
}

static void check_flips(struct bytes input, char *flipped)
{
    for (size_t bit = 0; bit < 8 * input.size; bit++) {
        memcpy(flipped, input.data, input.size);
        flipped[bit / 8] = (char)((unsigned char)flipped[bit / 8] ^ 1U << bit % 8);
        ck_assert(is_refused_or_canonical((struct bytes){flipped, input.size}));
    }
}

/* Of the golden inputs; the large ones differ by their length only. */
START_TEST(cut_or_flipped_arguments_are_refused_or_canonical)
{
    size_t i;
    json_t *vector;
    json_array_foreach(json_object_get(vectors, "canonical"), i, vector)
    {
        struct bytes input = vectors_bytes(vector, "input");
        input.size = input.size < 600 ? input.size : 0;
        char *exact = malloc(input.size + (input.size == 0));
        ck_assert_ptr_nonnull(exact);
        check_cuts(input);
        check_flips(input, exact);
        free(exact);
        free((void *)input.data);
    }
}
END_TEST

/* Writes {"i": i, ..} of count members. */
static void write_numbers(struct writer *writer, unsigned count)
{
    char name[16];
    writer_map(writer, count);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "%u", i);
        writer_cstr(writer, name);
        writer_u64(writer, i);
    }
}

START_TEST(a_definition_may_have_as_many_open_pairs_as_the_bound_and_no_more)
{
    static char data[65536], out[CANONICAL_BYTES_MAX];
    struct writer writer, again;
    struct fault fault;
    unsigned count = CANONICAL_PAIRS_MAX - 1 + (unsigned)_i; /* and the one around them */
    writer_init(&writer, data, sizeof data);
    writer_map(&writer, 1);
    writer_cstr(&writer, "a");
    write_numbers(&writer, count);
    writer_init(&again, out, sizeof out);
    enum status status = canonical_value(writer_bytes(&writer), &again, &fault);
    ck_assert_int_eq(status, _i == 0 ? STATUS_OK : STATUS_BAD_REQUEST);
    if (_i == 1)
        ck_assert_str_eq(fault.reason, "too many properties");
}
END_TEST

/* An array of 1,000 empty maps and a default of 1,000 bytes: more than out, whatever was sent. */
START_TEST(defaults_cannot_pass_the_bound_of_the_output)
{
    static char data[4096], wanted[8192], out[CANONICAL_BYTES_MAX];
    char text[1000];
    struct writer schema, arguments;
    struct bytes ours;
    struct fault fault;
    memset(text, 'x', sizeof text);
    writer_init(&schema, data, sizeof data);
    writer_map(&schema, 1);
    writer_cstr(&schema, "properties");
    writer_map(&schema, 1);
    writer_cstr(&schema, "l");
    writer_map(&schema, 1);
    writer_cstr(&schema, "items");
    writer_map(&schema, 1);
    writer_cstr(&schema, "properties");
    writer_map(&schema, 1);
    writer_cstr(&schema, "n");
    writer_map(&schema, 1);
    writer_cstr(&schema, "default");
    writer_text(&schema, (struct bytes){text, sizeof text});
    writer_init(&arguments, wanted, sizeof wanted);
    writer_map(&arguments, 1);
    writer_cstr(&arguments, "l");
    writer_array(&arguments, 1000);
    for (int i = 0; i < 1000; i++)
        writer_map(&arguments, 0);
    ck_assert_int_eq(canonical(writer_bytes(&arguments), writer_bytes(&schema), out, &ours, &fault),
                     STATUS_TOO_LARGE);
    ck_assert_str_eq(fault.reason, "too large");
}
END_TEST

START_TEST(a_value_may_be_as_deep_as_a_definition_and_no_deeper)
{
    char data[DEFINITION_NESTING_MAX + 1], out[64];
    struct writer writer;
    struct fault fault;
    unsigned depth = DEFINITION_NESTING_MAX + (unsigned)_i;
    memset(data, '\x91', depth - 1);
    data[depth - 1] = '\x90';
    writer_init(&writer, out, sizeof out);
    enum status status = canonical_value((struct bytes){data, depth}, &writer, &fault);
    ck_assert_int_eq(status, _i == 0 ? STATUS_OK : STATUS_BAD_REQUEST);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_form_of_the_same_arguments_becomes_the_golden_bytes);
    tcase_add_test(tcase, defaults_are_filled_in_as_stated);
    tcase_add_test(tcase, what_is_refused_is_refused_for_the_stated_reason);
    tcase_add_test(tcase, a_definition_has_the_golden_hash_and_only_equals_share_it);
    tcase_add_test(tcase, what_a_definition_has_not_is_nil_in_it);
    tcase_add_test(tcase, a_bad_schema_in_a_definition_is_refused_with_its_place);
    tcase_add_loop_test(tcase, a_refusal_names_the_place, 0, sizeof places / sizeof places[0]);
    tcase_add_test(tcase, a_long_path_is_cut);
    tcase_add_test(tcase, a_definition_may_allow_a_longer_text);
    tcase_add_test(tcase, absent_arguments_are_an_empty_map);
    tcase_add_test(tcase, cut_or_flipped_arguments_are_refused_or_canonical);
    tcase_add_loop_test(tcase, a_definition_may_have_as_many_open_pairs_as_the_bound_and_no_more, 0,
                        2);
    tcase_add_test(tcase, defaults_cannot_pass_the_bound_of_the_output);
    tcase_add_loop_test(tcase, a_value_may_be_as_deep_as_a_definition_and_no_deeper, 0, 2);
    tcase_set_timeout(tcase, 60);
}

int main(void)
{
    return suite_run("canonical", add_tests);
}
