/* test_secret - keys come from a file or the environment, are read again when the file changes, and
 * nothing that could not be sent is one. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/arcade_gateway/secret.h"
#include "protocol/limits.h"
#include "tests/support/suite.h"

#define VARIABLE "FACT_TEST_SECRET"

static struct secret secret;
static char value[64];
static char path[64];
static int64_t now_at;

static void setup(void)
{
    (void)snprintf(path, sizeof path, "/tmp/fact-test-secret-XXXXXX");
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    close(file);
    secret = (struct secret){.variable = VARIABLE};
    memset(value, 0, sizeof value);
    now_at = 10 * US_PER_S;
}

static void teardown(void)
{
    unlink(path);
}

/* A new file in its place, as keys are rotated. */
static void put(const char *text)
{
    char next[80];
    snprintf(next, sizeof next, "%s.next", path);
    FILE *file = fopen(next, "w");
    ck_assert_ptr_nonnull(file);
    fputs(text, file);
    fclose(file);
    ck_assert_int_eq(rename(next, path), 0);
}

static bool refresh(void)
{
    now_at += 2 * US_PER_S;
    return secret_refresh(&secret, now_at, value, sizeof value);
}

START_TEST(a_file_holds_a_key)
{
    snprintf(secret.path, sizeof secret.path, "%s", path);
    put("  sk-one\n");
    ck_assert(refresh());
    ck_assert_str_eq(value, "sk-one");
    ck_assert(!refresh());
}
END_TEST

START_TEST(a_key_is_rotated_by_its_file)
{
    snprintf(secret.path, sizeof secret.path, "%s", path);
    put("one");
    ck_assert(refresh());
    put("two");
    ck_assert(!secret_refresh(&secret, now_at + 1, value, sizeof value)); /* not so soon */
    ck_assert_str_eq(value, "one");
    secret_doubt(&secret);
    ck_assert(secret_refresh(&secret, now_at + 2, value, sizeof value)); /* but if it is refused */
    ck_assert_str_eq(value, "two");
    unlink(path);
    ck_assert(refresh());
    ck_assert_str_eq(value, "");
    put("three");
    ck_assert(refresh());
    ck_assert_str_eq(value, "three");
}
END_TEST

START_TEST(without_a_file_the_environment_holds_it)
{
    setenv(VARIABLE, "from-env", 1);
    ck_assert(refresh());
    ck_assert_str_eq(value, "from-env");
    snprintf(secret.path, sizeof secret.path, "%s", path);
    put("from-file");
    ck_assert(refresh());
    ck_assert_str_eq(value, "from-file");
}
END_TEST

START_TEST(there_may_be_none)
{
    unsetenv(VARIABLE);
    ck_assert(refresh()); /* the first look is news */
    ck_assert_str_eq(value, "");
    ck_assert(!refresh());
}
END_TEST

static const char *const bad[] = {
    "two\nlines", "a b",
    "tab\there",  "\x80",
    "",           "longer-than-the-room-that-there-is-for-it-longer-than-the-room-that-there-is"};

START_TEST(what_cannot_be_sent_is_none)
{
    snprintf(secret.path, sizeof secret.path, "%s", path);
    put(bad[_i]);
    (void)refresh();
    ck_assert_str_eq(value, "");
}
END_TEST

START_TEST(wiped_nothing_is_left)
{
    char left[sizeof value] = {0};
    memset(value, 'x', sizeof value);
    secret_wipe(value, sizeof value);
    ck_assert_mem_eq(value, left, sizeof value);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_file_holds_a_key);
    tcase_add_test(tcase, a_key_is_rotated_by_its_file);
    tcase_add_test(tcase, without_a_file_the_environment_holds_it);
    tcase_add_test(tcase, there_may_be_none);
    tcase_add_loop_test(tcase, what_cannot_be_sent_is_none, 0, (int)(sizeof bad / sizeof bad[0]));
    tcase_add_test(tcase, wiped_nothing_is_left);
}

int main(void)
{
    return suite_run("secret", add_tests);
}
