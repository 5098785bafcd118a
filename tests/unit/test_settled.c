/* test_settled - what is found is what was put, for its own definition and the whole of its
 * arguments, however many there are. */
#include "actors/driver/settled.h"

#include <stdio.h>

#include "protocol/value.h"
#include "tests/support/suite.h"

#define MANY 5000

static struct settled *settled;

static void setup(void)
{
    settled = settled_new();
}

static void teardown(void)
{
    settled_destroy(&settled);
    ck_assert_ptr_null(settled);
}

START_TEST(what_was_put_is_found)
{
    settled_put(settled, 1, bytes_of("arguments"), bytes_of("canonical"));
    ck_assert(bytes_are(settled_find(settled, 1, bytes_of("arguments")), "canonical"));
    ck_assert_ptr_null(settled_find(settled, 1, bytes_of("argument")).data);
}
END_TEST

/* A tool that is defined anew may have other defaults, and another schema. */
START_TEST(another_definition_finds_nothing)
{
    settled_put(settled, 1, bytes_of("arguments"), bytes_of("canonical"));
    ck_assert_ptr_null(settled_find(settled, 2, bytes_of("arguments")).data);
}
END_TEST

START_TEST(arguments_that_are_absent_or_long_are_not_kept)
{
    static const char many[SETTLED_BYTES_MAX + 1];
    struct bytes longest = {many, SETTLED_BYTES_MAX}, longer = {many, SETTLED_BYTES_MAX + 1};
    settled_put(settled, 1, (struct bytes){0}, bytes_of("canonical"));
    ck_assert_ptr_null(settled_find(settled, 1, (struct bytes){0}).data);
    settled_put(settled, 1, longer, bytes_of("canonical"));
    ck_assert_ptr_null(settled_find(settled, 1, longer).data);
    settled_put(settled, 1, bytes_of("defaults"), longer);
    ck_assert_ptr_null(settled_find(settled, 1, bytes_of("defaults")).data);
    settled_put(settled, 1, longest, longest);
    ck_assert(bytes_equal(settled_find(settled, 1, longest), longest));
}
END_TEST

/* Of many more than there are places each is found as itself, or not at all. */
START_TEST(what_has_lost_its_place_is_not_found)
{
    char arguments[32], canonical[32];
    unsigned found = 0;
    for (int i = 0; i < MANY; i++) {
        snprintf(arguments, sizeof arguments, "arguments %d", i);
        snprintf(canonical, sizeof canonical, "canonical %d", i);
        settled_put(settled, 7, bytes_of(arguments), bytes_of(canonical));
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(arguments, sizeof arguments, "arguments %d", i);
        snprintf(canonical, sizeof canonical, "canonical %d", i);
        struct bytes known = settled_find(settled, 7, bytes_of(arguments));
        ck_assert(known.data == NULL || bytes_are(known, canonical));
        found += known.data != NULL;
    }
    ck_assert_uint_gt(found, SETTLED_PLACES / 2);
    ck_assert_uint_le(found, SETTLED_PLACES);
}
END_TEST

static const struct key_scope scopes[] = {
    {.ns = {"n", 1}, .kind = KEY_PUBLIC},
    {.ns = {"m", 1}, .kind = KEY_PUBLIC},
    {.ns = {"n", 1}, .kind = KEY_TENANT},
    {.ns = {"n", 1}, .kind = KEY_TENANT, .tenant = {"t", 1}},
    {.ns = {"n", 1}, .kind = KEY_USER, .tenant = {"t", 1}},
    {.ns = {"n", 1}, .kind = KEY_USER, .tenant = {"t", 1}, .user = {"u", 1}},
    {.ns = {"n", 1}, .kind = KEY_USER, .tenant = {"s", 1}, .user = {"u", 1}},
};
#define SCOPES (sizeof scopes / sizeof scopes[0])

START_TEST(a_key_is_found_for_those_who_share_it_only)
{
    struct key key = {.text = "key", .size = 3}, found;
    struct bytes arguments = bytes_of("arguments");
    settled_put(settled, 1, arguments, bytes_of("canonical"));
    ck_assert(!settled_find_key(settled, 1, arguments, &scopes[_i], &found));
    settled_put_key(settled, 1, arguments, &scopes[_i], &key);
    for (size_t i = 0; i < SCOPES; i++)
        ck_assert_int_eq(settled_find_key(settled, 1, arguments, &scopes[i], &found),
                         i == (size_t)_i);
    ck_assert(settled_find_key(settled, 1, arguments, &scopes[_i], &found));
    ck_assert(bytes_are(key_bytes(&found), "key"));
    ck_assert(!settled_find_key(settled, 2, arguments, &scopes[_i], &found));
    ck_assert(!settled_find_key(settled, 1, bytes_of("argument"), &scopes[_i], &found));
}
END_TEST

/* An answer for everybody does not depend on who asks. */
START_TEST(a_public_key_is_found_by_every_tenant)
{
    struct key key = {.text = "key", .size = 3}, found;
    struct key_scope other = scopes[0];
    other.tenant = other.user = bytes_of("x");
    settled_put(settled, 1, bytes_of("arguments"), bytes_of("canonical"));
    settled_put_key(settled, 1, bytes_of("arguments"), &scopes[0], &key);
    ck_assert(settled_find_key(settled, 1, bytes_of("arguments"), &other, &found));
}
END_TEST

/* Other arguments on its place; or arguments that are not here. */
START_TEST(a_key_goes_with_its_arguments)
{
    static const char many[SETTLED_BYTES_MAX + 1];
    struct key key = {.text = "key", .size = 3}, found;
    struct bytes arguments = bytes_of("arguments"), longer = {many, sizeof many};
    settled_put_key(settled, 1, arguments, &scopes[0], &key);
    ck_assert(!settled_find_key(settled, 1, arguments, &scopes[0], &found));
    settled_put_key(settled, 1, longer, &scopes[0], &key);
    ck_assert(!settled_find_key(settled, 1, longer, &scopes[0], &found));
    settled_put(settled, 1, arguments, bytes_of("canonical"));
    settled_put_key(settled, 1, arguments, &scopes[0], &key);
    settled_put(settled, 1, arguments, bytes_of("canonical"));
    ck_assert(!settled_find_key(settled, 1, arguments, &scopes[0], &found));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_was_put_is_found);
    tcase_add_test(tcase, another_definition_finds_nothing);
    tcase_add_test(tcase, arguments_that_are_absent_or_long_are_not_kept);
    tcase_add_test(tcase, what_has_lost_its_place_is_not_found);
    tcase_add_loop_test(tcase, a_key_is_found_for_those_who_share_it_only, 0, SCOPES);
    tcase_add_test(tcase, a_public_key_is_found_by_every_tenant);
    tcase_add_test(tcase, a_key_goes_with_its_arguments);
}

int main(void)
{
    return suite_run("settled", add_tests);
}
