/* test_dead_letters - what is kept of requests that no worker survived: within its bounds, found by
 * its number, and the names of the lost as long as they are known. */
#include <stdio.h>
#include <string.h>

#include "broker/dead_letters.h"
#include "tests/support/suite.h"

#define LETTERS 4u
#define BYTES 100u

static struct dead_letters *letters;

static void setup(void)
{
    letters = dead_letters_new(LETTERS, BYTES);
}

static void teardown(void)
{
    dead_letters_destroy(&letters);
    ck_assert_ptr_null(letters);
}

static uint64_t keep(size_t size, enum role role)
{
    char bytes[BYTES];
    memset(bytes, 'x', sizeof bytes);
    struct dead_letter letter = {
        .role = role, .method = name_of(bytes_of("query")), .deaths = 3, .pair = {bytes, size}};
    return dead_letters_keep(letters, &letter);
}

START_TEST(the_oldest_makes_room)
{
    for (uint64_t id = 1; id <= LETTERS; id++)
        ck_assert_uint_eq(keep(10, ROLE_DRIVER), id);
    ck_assert_uint_eq(dead_letters_dropped(letters), 0);
    ck_assert_uint_eq(keep(10, ROLE_TOOL_EXECUTOR), LETTERS + 1);
    ck_assert_uint_eq(dead_letters_count(letters), LETTERS);
    ck_assert_uint_eq(dead_letters_of(letters, ROLE_DRIVER), LETTERS - 1);
    ck_assert_uint_eq(dead_letters_of(letters, ROLE_TOOL_EXECUTOR), 1);
    ck_assert_ptr_null(dead_letters_find(letters, 1));
    ck_assert_ptr_nonnull(dead_letters_find(letters, 2));
    keep(BYTES, ROLE_DRIVER); /* bytes are a bound too */
    ck_assert_uint_eq(dead_letters_count(letters), 1);
    ck_assert_uint_eq(dead_letters_bytes(letters), BYTES);
    ck_assert_uint_eq(dead_letters_dropped(letters), LETTERS + 1);
}
END_TEST

START_TEST(one_is_found_by_its_number_and_goes)
{
    uint64_t first = keep(10, ROLE_DRIVER), second = keep(20, ROLE_DRIVER),
             third = keep(30, ROLE_DRIVER);
    ck_assert_uint_eq(dead_letters_find(letters, second)->pair.size, 20);
    dead_letters_remove(letters, second);
    ck_assert_ptr_null(dead_letters_find(letters, second));
    ck_assert_ptr_null(dead_letters_find(letters, 0));
    ck_assert_ptr_null(dead_letters_find(letters, third + 1));
    ck_assert_uint_eq(dead_letters_bytes(letters), 40);
    ck_assert_uint_eq(dead_letters_after(letters, 0)->id, first);
    ck_assert_uint_eq(dead_letters_after(letters, first)->id, third);
    ck_assert_ptr_null(dead_letters_after(letters, third));
    ck_assert_uint_eq(keep(10, ROLE_DRIVER), third + 1); /* no number is used again */
    ck_assert_uint_eq(dead_letters_dropped(letters), 0);
}
END_TEST

START_TEST(its_bytes_are_its_own)
{
    char bytes[] = "request";
    struct dead_letter letter = {.pair = {bytes, sizeof bytes}};
    uint64_t id = dead_letters_keep(letters, &letter);
    memset(bytes, 0, sizeof bytes);
    ck_assert_str_eq(dead_letters_find(letters, id)->pair.data, "request");
}
END_TEST

START_TEST(of_the_lost_the_last_are_known)
{
    char text[16];
    struct name name = name_of(bytes_of("w"));
    ck_assert_uint_eq(dead_letters_name(letters, 0).size, 0);
    ck_assert_uint_eq(dead_letters_name(letters, 1).size, 0);
    uint32_t first = dead_letters_mourn(letters, &name);
    ck_assert_uint_ne(first, 0);
    ck_assert_uint_eq(dead_letters_mourn(letters, &name), first); /* it had more than one request */
    for (unsigned i = 0; i < DEAD_NAMES_MAX; i++) {
        struct name known = dead_letters_name(letters, first);
        ck_assert(bytes_are(name_bytes(&known), "w"));
        snprintf(text, sizeof text, "w%u", i);
        name = name_of(bytes_of(text));
        uint32_t number = dead_letters_mourn(letters, &name);
        known = dead_letters_name(letters, number);
        ck_assert(bytes_are(name_bytes(&known), text));
    }
    ck_assert_uint_eq(dead_letters_name(letters, first).size, 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_oldest_makes_room);
    tcase_add_test(tcase, one_is_found_by_its_number_and_goes);
    tcase_add_test(tcase, its_bytes_are_its_own);
    tcase_add_test(tcase, of_the_lost_the_last_are_known);
}

int main(void)
{
    return suite_run("dead_letters", add_tests);
}
