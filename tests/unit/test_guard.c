/* test_guard - the allow list is read again when its file has changed in any way, and until it is
 * right; a list that is wrong changes nothing. */
#include "actors/runtime/guard.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "tests/support/suite.h"

static char path[] = "/tmp/fact-guard-XXXXXX", reason[KEY_FILE_REASON_BYTES];
static struct keys keys;
static struct curve_pair pairs[2];
static void *zmq;
static struct metrics *metrics;
static struct guard *guard;
static int64_t now_at;

static void write_list(unsigned count)
{
    FILE *file = fopen(path, "w");
    for (unsigned i = 0; i < count; i++)
        fprintf(file, "client c%u %s\n", i, pairs[i].public_key);
    ck_assert_int_eq(fclose(file), 0);
}

static bool refreshes(void)
{
    now_at += US_PER_S;
    return guard_refresh(guard, now_at);
}

static void setup(void)
{
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(close(file), 0);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(zmq_curve_keypair(pairs[i].public_key, pairs[i].secret_key), 0);
    write_list(2);
    keys = (struct keys){.used = true, .own = pairs[0], .allow_file = path};
    zmq = zmq_ctx_new();
    metrics = metrics_new(METRIC_SERIES_MAX);
    ck_assert_msg(guard_open(&guard, zmq, &keys, metrics, reason), "%s", reason);
    now_at = 100 * US_PER_S;
}

static void teardown(void)
{
    guard_destroy(&guard);
    metrics_destroy(&metrics);
    zmq_ctx_term(zmq);
    unlink(path);
}

START_TEST(a_change_is_seen_once)
{
    ck_assert(!refreshes());
    write_list(1);
    ck_assert(refreshes());
    ck_assert_uint_eq(allow_list_count(guard_list(guard)), 1);
    ck_assert(!refreshes());
}
END_TEST

/* What it says does not change when only its mode does; it is believed then. */
START_TEST(a_list_is_believed_as_soon_as_it_may_be)
{
    ck_assert_int_eq(chmod(path, 0666), 0);
    write_list(1);
    ck_assert(!refreshes());
    ck_assert_uint_eq(allow_list_count(guard_list(guard)), 2);
    ck_assert_int_eq(chmod(path, 0600), 0);
    ck_assert(refreshes());
    ck_assert_uint_eq(allow_list_count(guard_list(guard)), 1);
}
END_TEST

START_TEST(a_list_that_could_not_be_opened_is_read_when_it_can)
{
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    write_list(1);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){1, before.rlim_max}), 0);
    ck_assert(!refreshes());
    ck_assert(!refreshes());
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert(refreshes()); /* although the file is what it was */
    ck_assert_uint_eq(allow_list_count(guard_list(guard)), 1);
    ck_assert(!refreshes());
}
END_TEST

START_TEST(without_its_file_the_list_stays)
{
    ck_assert_int_eq(unlink(path), 0);
    ck_assert(!refreshes());
    ck_assert_uint_eq(allow_list_count(guard_list(guard)), 2);
    write_list(2);
    ck_assert(refreshes());
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_change_is_seen_once);
    tcase_add_test(tcase, a_list_is_believed_as_soon_as_it_may_be);
    tcase_add_test(tcase, a_list_that_could_not_be_opened_is_read_when_it_can);
    tcase_add_test(tcase, without_its_file_the_list_stays);
}

int main(void)
{
    return suite_run("guard", add_tests);
}
