/* test_file_text - a file is read whole or not at all, and not if others could have written it, or
 * read what is a secret; and so are the keys of a client. */
#include "actors/files/file_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/client/client_keys.h"
#include "tests/support/suite.h"

#define SIZE 64u

static char path[] = "/tmp/fact-file-text-XXXXXX";
static struct bytes text;

static void write_file(const char *data, size_t size)
{
    FILE *file = fopen(path, "w");
    ck_assert_uint_eq(fwrite(data, 1, size, file), size);
    ck_assert_int_eq(fclose(file), 0);
}

static bool reads(unsigned forbidden, size_t room_bytes)
{
    char *room = malloc(room_bytes); /* exact, for a sanitizer */
    bool good = file_text_read(path, forbidden, room, room_bytes, &text);
    int error = errno;
    ck_assert(!good || text.data == room);
    free(room);
    errno = error;
    return good;
}

static void setup(void)
{
    int file = mkstemp(path);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(close(file), 0);
}

static void teardown(void)
{
    unlink(path);
}

START_TEST(it_is_read_whole_or_not_at_all)
{
    char data[SIZE + 1];
    memset(data, 'x', sizeof data);
    for (size_t size = 0; size <= sizeof data; size++) {
        write_file(data, size);
        ck_assert_int_eq(reads(FILE_TEXT_ANY, SIZE), size <= SIZE);
        if (size <= SIZE)
            ck_assert_uint_eq(text.size, size);
        else
            ck_assert_int_eq(errno, EFBIG);
    }
}
END_TEST

START_TEST(who_may_do_what_is_looked_at)
{
    for (unsigned mode = 0400; mode <= 0777; mode++) {
        ck_assert_int_eq(chmod(path, mode), 0);
        ck_assert(reads(FILE_TEXT_ANY, SIZE));
        ck_assert_int_eq(reads(FILE_TEXT_OWNERS_WRITE, SIZE), (mode & 022) == 0);
        ck_assert_int_eq(reads(FILE_TEXT_SECRET, SIZE), (mode & 077) == 0);
    }
    ck_assert(!reads(FILE_TEXT_SECRET, SIZE));
    ck_assert_int_eq(errno, EPERM);
}
END_TEST

START_TEST(what_is_no_file_is_not_read)
{
    char room[SIZE];
    ck_assert(!file_text_read("/tmp", FILE_TEXT_ANY, room, sizeof room, &text));
    ck_assert_int_eq(errno, EISDIR);
    ck_assert(!file_text_read("/dev/null", FILE_TEXT_ANY, room, sizeof room, &text));
    ck_assert_int_eq(errno, EISDIR);
    ck_assert(!file_text_read("/tmp/nothing/there", FILE_TEXT_ANY, room, sizeof room, &text));
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

/* One file for both: a pair holds a public key, too. */
START_TEST(a_client_believes_no_file_that_others_may_change)
{
    struct curve_pair pair;
    struct client_keys keys;
    char data[CURVE_FILE_BYTES_MAX], secret[sizeof path + 8];
    ck_assert_int_eq(zmq_curve_keypair(pair.public_key, pair.secret_key), 0);
    write_file(data, curve_pair_write(&pair, "of a test", true, data));
    snprintf(secret, sizeof secret, "%s.secret", path);
    ck_assert_int_eq(rename(path, secret), 0);
    write_file(data, curve_pair_write(&pair, "of a test", false, data));
    ck_assert_int_eq(chmod(secret, 0600), 0);
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert(client_keys_read(secret, path, &keys));
    ck_assert_int_eq(chmod(path, 0664), 0);
    ck_assert(!client_keys_read(secret, path, &keys));
    ck_assert_int_eq(errno, EACCES);
    ck_assert_int_eq(chmod(path, 0644), 0);
    ck_assert_int_eq(chmod(secret, 0640), 0);
    ck_assert(!client_keys_read(secret, path, &keys));
    ck_assert_int_eq(errno, EACCES);
    unlink(secret);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_is_read_whole_or_not_at_all);
    tcase_add_test(tcase, who_may_do_what_is_looked_at);
    tcase_add_test(tcase, what_is_no_file_is_not_read);
    tcase_add_test(tcase, a_client_believes_no_file_that_others_may_change);
}

int main(void)
{
    return suite_run("file_text", add_tests);
}
