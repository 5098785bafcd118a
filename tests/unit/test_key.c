/* test_key - equal requests have one key and others another, the same in every language: all of the
 * golden questions, fingerprints and keys; slots are in test_placement. And tags. */
#include <string.h>

#include "protocol/canonical.h"
#include "protocol/key.h"
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

static enum key_rules rules_of(const json_t *vector)
{
    return bytes_are(vectors_text(vector, "rules"), "q1f") ? KEY_Q1F : KEY_Q1;
}

static void check_question(const json_t *vector)
{
    struct bytes input = vectors_bytes(vector, "input");
    struct bytes golden = vectors_bytes(vector, "question"), ours = {0};
    struct bytes why = vectors_text(vector, "why");
    struct fault fault = {.reason = ""};
    char *out = malloc(input.size + (input.size == 0));
    ck_assert_ptr_nonnull(out);
    enum status status = key_question(rules_of(vector), input, out, &ours, &fault);
    vectors_check_same(vectors_name(vector), ours, golden);
    ck_assert_int_eq(status, golden.data == NULL ? STATUS_BAD_REQUEST : STATUS_OK);
    if (why.data != NULL)
        ck_assert_str_eq(fault.reason, why.data);
    free(out);
    free((void *)golden.data);
    free((void *)input.data);
}

START_TEST(questions_are_made_alike_by_their_rules)
{
    size_t i;
    json_t *vector;
    json_array_foreach(json_object_get(vectors, "questions"), i, vector) check_question(vector);
    ck_assert_uint_gt(i, 20);
}
END_TEST

static void digest_of(const json_t *fields, unsigned char *ret)
{
    size_t i;
    json_t *field;
    struct key_digest digest;
    key_digest_init(&digest);
    json_array_foreach(fields, i, field)
    {
        struct bytes bytes = vectors_unhex(field);
        key_digest_add(&digest, bytes);
        free((void *)bytes.data);
    }
    key_digest_end(&digest, ret);
}

START_TEST(fingerprints_are_the_golden_ones)
{
    size_t i;
    json_t *vector;
    json_array_foreach(json_object_get(vectors, "fingerprints"), i, vector)
    {
        unsigned char digest[KEY_DIGEST_BYTES];
        struct bytes golden = vectors_bytes(vector, "fingerprint");
        digest_of(json_object_get(vector, "fields"), digest);
        vectors_check_same(vectors_name(vector),
                           (struct bytes){(const char *)digest, sizeof digest}, golden);
        free((void *)golden.data);
    }
    ck_assert_uint_gt(i, 4);
}
END_TEST

static struct key_scope scope_of(const json_t *vector)
{
    struct key_scope scope = {.ns = vectors_text(vector, "prefix"),
                              .tenant = vectors_text(vector, "tenant"),
                              .user = vectors_text(vector, "user")};
    ck_assert(key_scope_kind_of(vectors_text(vector, "kind"), &scope.kind));
    return scope;
}

static enum status call_key(const json_t *vector, struct key *ret)
{
    static char out[CANONICAL_BYTES_MAX];
    struct key_scope scope = scope_of(vector);
    struct key_tool tool = {.name = vectors_text(vector, "tool"),
                            .version = vectors_text(vector, "version"),
                            .schema = vectors_hash(vector, "schema")};
    struct bytes arguments = vectors_bytes(vector, "arguments");
    struct bytes parameters = vectors_bytes(vector, "parameters");
    struct writer writer;
    struct fault fault;
    writer_init(&writer, out, sizeof out);
    ck_assert_int_eq(canonical_arguments(arguments, parameters, &writer, &fault), STATUS_OK);
    enum status status = key_of_call(&scope, &tool, writer_bytes(&writer), ret);
    free((void *)parameters.data);
    free((void *)arguments.data);
    return status;
}

static enum status question_key(const json_t *vector, struct key *ret)
{
    char talk[4096], out[4096];
    struct key_scope scope = scope_of(vector);
    struct key_planner planner = {.name = vectors_text(vector, "planner")};
    struct bytes fingerprint = vectors_bytes(vector, "fingerprint");
    struct bytes question = vectors_bytes(vector, "question"), asked;
    struct bytes conversation = vectors_bytes(vector, "conversation");
    struct writer writer;
    struct fault fault;
    ck_assert_uint_eq(fingerprint.size, KEY_DIGEST_BYTES);
    memcpy(planner.fingerprint, fingerprint.data, KEY_DIGEST_BYTES);
    ck_assert_uint_le(question.size, sizeof out);
    ck_assert_int_eq(key_question(rules_of(vector), question, out, &asked, &fault), STATUS_OK);
    writer_init(&writer, talk, sizeof talk);
    if (conversation.size > 0)
        ck_assert_int_eq(canonical_value(conversation, &writer, &fault), STATUS_OK);
    enum status status = key_of_question(&scope, &planner, asked, writer_bytes(&writer), ret);
    free((void *)conversation.data);
    free((void *)question.data);
    free((void *)fingerprint.data);
    return status;
}

/* The key says what the stated fields say, has the stated text and hash and is in the stated slot.
 */
static void check_key_text(const json_t *vector, const struct key *key)
{
    static const char digits[] = "0123456789abcdef";
    unsigned char digest[KEY_DIGEST_BYTES];
    const char *hex = key->text + key->size - 2 * sizeof digest;
    uint64_t hash = key_hash(0, key_bytes(key));
    vectors_check_same(vectors_name(vector), key_bytes(key), vectors_text(vector, "key"));
    ck_assert_msg(hash == vectors_hash(vector, "hash"), "%s", vectors_name(vector));
    ck_assert_uint_eq(key_slot(hash), vectors_number(vector, "slot"));
    digest_of(json_object_get(vector, "fields"), digest);
    for (size_t i = 0; i < sizeof digest; i++)
        ck_assert(hex[2 * i] == digits[digest[i] >> 4] && hex[2 * i + 1] == digits[digest[i] & 15]);
}

static void check_key(const json_t *vector, struct key *ret)
{
    bool call = json_object_get(vector, "tool") != NULL;
    enum status status = call ? call_key(vector, ret) : question_key(vector, ret);
    if (json_is_null(json_object_get(vector, "key"))) {
        ck_assert_msg(status == STATUS_BAD_REQUEST, "%s", vectors_name(vector));
        return;
    }
    ck_assert_msg(status == STATUS_OK, "%s", vectors_name(vector));
    check_key_text(vector, ret);
}

/* Names of the case that a case shares its key with, its own if with none. */
static const char *twin(const json_t *vector)
{
    struct bytes same = vectors_text(vector, "same_as");
    return same.data != NULL ? same.data : vectors_name(vector);
}

START_TEST(keys_are_the_golden_ones_and_only_equals_share_one)
{
    static struct key keys[256];
    const json_t *list = json_object_get(vectors, "keys");
    ck_assert_uint_gt(json_array_size(list), 80);
    ck_assert_uint_le(json_array_size(list), sizeof keys / sizeof keys[0]);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *vector = json_array_get(list, i);
        check_key(vector, &keys[i]);
        for (size_t k = 0; k < i && keys[i].size > 0; k++) {
            const json_t *other = json_array_get(list, k);
            bool equal = bytes_equal(key_bytes(&keys[i]), key_bytes(&keys[k]));
            ck_assert_msg(equal == (strcmp(twin(vector), twin(other)) == 0), "%s, %s",
                          vectors_name(vector), vectors_name(other));
        }
    }
}
END_TEST

static const struct {
    const char *name, *resolved; /* NULL: no name of a tool */
} tool_names[] = {
    {"SQL_QueryReadonly", "SQL_QueryReadonly"},
    {"SQL.QueryReadonly", "SQL_QueryReadonly"},
    {"A_b", "A_b"},
    {"A_-", "A_-"},
    {"A1_b_c-d", "A1_b_c-d"},
    {"A_b.c", "A_b_c"},
    {"Z0_9", "Z0_9"},
    {"[_a", NULL},
    {"@_a", NULL},
    {"A.b.c", NULL},
    {"A", NULL},
    {"A_", NULL},
    {"_b", NULL},
    {"a_b", NULL},
    {"A-b_c", NULL},
    {"A_b c", NULL},
    {"A_b\n", NULL},
    {"", NULL},
    {"A_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
     "A_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"},
    {"A_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", NULL},
};

START_TEST(a_tool_has_one_name)
{
    char out[METHOD_BYTES_MAX];
    struct bytes ours = {0};
    bool is_name = key_tool_name(bytes_of(tool_names[_i].name), out, &ours);
    ck_assert(is_name == (tool_names[_i].resolved != NULL));
    ck_assert(bytes_equal(ours, bytes_of(tool_names[_i].resolved)));
}
END_TEST

/* docs/cache.md states them. */
START_TEST(tags_are_the_golden_ones)
{
    ck_assert_uint_eq(key_tag('d', bytes_of("t:demo.companies")), UINT64_C(0xc05018de470307d0));
    ck_assert_uint_eq(key_tag('p', bytes_of("SQL_QueryReadonly:")), UINT64_C(0xc2b9dfbc10c72d4d));
    ck_assert_uint_eq(key_tag('n', bytes_of("fact_v1")), UINT64_C(0xaa698c310abf18e5));
}
END_TEST

/* Above KEY_BYTES_MAX it is hashed in pieces: to the same. */
START_TEST(a_long_text_has_a_tag_too)
{
    char text[KEY_BYTES_MAX + 2], same[KEY_BYTES_MAX + 2];
    memset(text, 'x', sizeof text);
    memset(same, 'x', sizeof same);
    same[0] = 'd';
    ck_assert_uint_eq(key_tag('d', (struct bytes){text, sizeof text - 1}),
                      canonical_hash((struct bytes){same, sizeof same}));
    ck_assert_uint_eq(key_tag('d', (struct bytes){text, KEY_BYTES_MAX}),
                      canonical_hash((struct bytes){same, KEY_BYTES_MAX + 1}));
}
END_TEST

START_TEST(an_entry_has_the_tags_of_its_key_prefixes_and_namespace)
{
    uint64_t tags[KEY_TAGS_MAX];
    struct bytes key = bytes_of("a:b:c:d:e:f:g:h");
    ck_assert_uint_eq(key_own_tags(bytes_of("n"), key, tags), KEY_TAGS_MAX);
    ck_assert_uint_eq(tags[0], key_tag('k', key));
    ck_assert_uint_eq(tags[1], key_tag('n', bytes_of("n")));
    ck_assert_uint_eq(tags[2], key_tag('p', bytes_of("a:")));
    ck_assert_uint_eq(tags[7], key_tag('p', bytes_of("a:b:c:d:e:f:")));
    ck_assert_uint_eq(key_own_tags(bytes_of("n"), bytes_of("a"), tags), 2);
}
END_TEST

/* An array of so many different texts. */
static struct bytes deps_of(unsigned count, char *out, size_t size)
{
    struct writer writer;
    writer_init(&writer, out, size);
    writer_array(&writer, count);
    for (unsigned i = 0; i < count; i++) {
        char text[24];
        (void)snprintf(text, sizeof text, "t:demo.%u", i);
        writer_cstr(&writer, text);
    }
    return writer_bytes(&writer);
}

START_TEST(an_entry_declares_its_scope_and_what_it_depends_on)
{
    char data[256];
    uint64_t tags[TAGS_MAX];
    size_t count;
    struct key_scope scope = {.kind = KEY_USER, .tenant = bytes_of("acme"), .user = bytes_of("u")};
    ck_assert(key_declared_tags(&scope, deps_of(1, data, sizeof data), tags, &count));
    ck_assert_uint_eq(count, 3);
    ck_assert_uint_eq(tags[0], key_tag('d', bytes_of("tenant:acme")));
    ck_assert_uint_eq(tags[1], key_tag('d', bytes_of("user:acme:u")));
    ck_assert_uint_eq(tags[2], key_tag('d', bytes_of("t:demo.0")));
    scope.kind = KEY_TENANT;
    ck_assert(key_declared_tags(&scope, (struct bytes){0}, tags, &count));
    ck_assert_uint_eq(count, 1);
    scope.kind = KEY_PUBLIC;
    ck_assert(key_declared_tags(&scope, bytes_of("\x92\xa1x\xa1x"), tags, &count));
    ck_assert_uint_eq(count, 1); /* twice the same */
}
END_TEST

START_TEST(what_depends_on_too_much_is_not_kept)
{
    char data[256];
    uint64_t tags[TAGS_MAX];
    size_t count = 0;
    struct key_scope scope = {.kind = KEY_TENANT, .tenant = bytes_of("acme")};
    ck_assert(key_declared_tags(&scope, deps_of(TAGS_MAX - 1, data, sizeof data), tags, &count));
    ck_assert_uint_eq(count, TAGS_MAX);
    ck_assert(!key_declared_tags(&scope, deps_of(TAGS_MAX, data, sizeof data), tags, &count));
    ck_assert(!key_declared_tags(&scope, bytes_of("\x91\x01"), tags, &count));
    ck_assert(!key_declared_tags(&scope, bytes_of("\xa1x"), tags, &count));
    ck_assert(!key_declared_tags(&scope, bytes_of("\x92\xa1x"), tags, &count)); /* cut short */
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, questions_are_made_alike_by_their_rules);
    tcase_add_test(tcase, fingerprints_are_the_golden_ones);
    tcase_add_test(tcase, keys_are_the_golden_ones_and_only_equals_share_one);
    tcase_add_loop_test(tcase, a_tool_has_one_name, 0, sizeof tool_names / sizeof tool_names[0]);
    tcase_add_test(tcase, tags_are_the_golden_ones);
    tcase_add_test(tcase, a_long_text_has_a_tag_too);
    tcase_add_test(tcase, an_entry_has_the_tags_of_its_key_prefixes_and_namespace);
    tcase_add_test(tcase, an_entry_declares_its_scope_and_what_it_depends_on);
    tcase_add_test(tcase, what_depends_on_too_much_is_not_kept);
}

int main(void)
{
    return suite_run("key", add_tests);
}
