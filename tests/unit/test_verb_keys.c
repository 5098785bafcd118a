/* test_verb_keys - fact keys generate and rotate: whatever cuts them off, each file is the old one
 * or the new one, and nobody's is overwritten. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "actors/cli/verbs.h"
#include "actors/runtime/key_file.h"
#include "tests/support/suite.h"

static char folder[] = "/tmp/fact-verb-keys-XXXXXX";
static FILE *out;
static struct curve_pair pair;
static struct curve_servers servers;
static char reason[KEY_FILE_REASON_BYTES];

static char *no_environment(const char *name)
{
    (void)name;
    return NULL;
}

static enum exit_code run(const char *verb)
{
    static struct invocation invocation;
    char *words[] = {"keys", (char *)verb, "--dir", folder, "--name", "one", NULL};
    char why[COMMAND_REASON_BYTES];
    ck_assert_int_eq(command_parse(&command_table, 6, words, no_environment, &invocation, why),
                     CODE_OK);
    invocation.out = invocation.err = out;
    return strcmp(verb, "generate") == 0 ? verb_keys_generate(&invocation)
                                         : verb_keys_rotate(&invocation);
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Both files are there, whole, and of one pair; servers and pair are what they hold. */
static void expect_pair(void)
{
    ck_assert_msg(key_file_read_pair(path_of("one.secret"), &pair, reason), "%s", reason);
    ck_assert_msg(key_file_read_servers(path_of("one.public"), &servers, reason), "%s", reason);
    ck_assert_str_eq(pair.public_key, servers.keys[0]);
    ck_assert_int_ne(access(path_of("one.secret.new"), F_OK), 0);
    ck_assert_int_ne(access(path_of("one.public.new"), F_OK), 0);
}

/* What is written has no room from now on: as on a disk that is full. */
static void fill_disk(bool full)
{
    static struct rlimit before;
    signal(SIGXFSZ, SIG_IGN);
    if (full)
        ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit limit = {full ? 16 : before.rlim_cur, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    out = fopen("/dev/null", "w");
}

static void teardown(void)
{
    char command[sizeof folder + 8];
    fclose(out);
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

START_TEST(a_pair_is_made_once)
{
    struct stat status;
    ck_assert_int_eq(run("generate"), CODE_OK);
    expect_pair();
    struct curve_pair first = pair;
    ck_assert_int_eq(stat(path_of("one.secret"), &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    ck_assert_uint_eq(status.st_nlink, 1);
    ck_assert_int_eq(run("generate"), CODE_REFUSED);
    expect_pair();
    ck_assert_mem_eq(&first, &pair, sizeof pair);
}
END_TEST

START_TEST(anothers_public_key_is_not_overwritten)
{
    ck_assert_int_eq(run("generate"), CODE_OK);
    ck_assert_int_eq(unlink(path_of("one.secret")), 0);
    ck_assert_int_eq(run("generate"), CODE_REFUSED);
    ck_assert_int_ne(access(path_of("one.secret"), F_OK), 0);
    ck_assert(key_file_read_servers(path_of("one.public"), &servers, reason));
}
END_TEST

START_TEST(a_rotated_pair_leaves_the_old_one_beside_it)
{
    char id[CURVE_KEY_ID_BYTES + 1], name[64];
    struct curve_pair old;
    ck_assert_int_eq(run("generate"), CODE_OK);
    expect_pair();
    struct curve_pair first = pair;
    ck_assert_int_eq(run("rotate"), CODE_OK);
    expect_pair();
    ck_assert_str_ne(first.public_key, pair.public_key);
    ck_assert_uint_eq(servers.count, 2);
    ck_assert_str_eq(servers.keys[1], first.public_key);
    curve_key_id(first.public_key, id);
    snprintf(name, sizeof name, "one.%s.secret", id);
    ck_assert_msg(key_file_read_pair(path_of(name), &old, reason), "%s", reason);
    ck_assert_str_eq(old.secret_key, first.secret_key);
    snprintf(name, sizeof name, "one.%s.public", id);
    ck_assert(key_file_read_servers(path_of(name), &servers, reason));
    ck_assert_uint_eq(servers.count, 1);
}
END_TEST

START_TEST(on_a_full_disk_the_old_pair_stays)
{
    ck_assert_int_eq(run("generate"), CODE_OK);
    expect_pair();
    struct curve_pair first = pair;
    fill_disk(true);
    ck_assert_int_eq(run("rotate"), CODE_FAILED);
    fill_disk(false);
    expect_pair();
    ck_assert_mem_eq(&first, &pair, sizeof pair);
    ck_assert_int_eq(run("rotate"), CODE_OK); /* and what is left of it is no hindrance */
    expect_pair();
    ck_assert_str_eq(servers.keys[1], first.public_key);
}
END_TEST

START_TEST(on_a_full_disk_there_is_no_pair)
{
    fill_disk(true);
    ck_assert_int_eq(run("generate"), CODE_FAILED);
    fill_disk(false);
    ck_assert_int_ne(access(path_of("one.secret"), F_OK), 0);
    ck_assert_int_ne(access(path_of("one.public"), F_OK), 0);
    ck_assert_int_eq(run("generate"), CODE_OK);
    expect_pair();
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_pair_is_made_once);
    tcase_add_test(tcase, anothers_public_key_is_not_overwritten);
    tcase_add_test(tcase, a_rotated_pair_leaves_the_old_one_beside_it);
    tcase_add_test(tcase, on_a_full_disk_the_old_pair_stays);
    tcase_add_test(tcase, on_a_full_disk_there_is_no_pair);
}

int main(void)
{
    return suite_run("verb_keys", add_tests);
}
