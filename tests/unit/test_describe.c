/* test_describe - the committed reference is what the rows say today; every row is in it; and the
 * seeds of each message are bodies of it, with and without what may be absent. */
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/message.h"
#include "tests/support/suite.h"

#define REFERENCE_BYTES_MAX 1048576u

static char printed[REFERENCE_BYTES_MAX], committed[REFERENCE_BYTES_MAX];

/* What is read from a file or program, ending in 0. */
static void read_all(FILE *file, char *out)
{
    ck_assert_ptr_nonnull(file);
    size_t size = fread(out, 1, REFERENCE_BYTES_MAX - 1, file);
    ck_assert_uint_lt(size, REFERENCE_BYTES_MAX - 1);
    out[size] = '\0';
}

static void setup(void)
{
    FILE *program = popen(BINARY_DIR "/describe", "r");
    read_all(program, printed);
    ck_assert_int_eq(pclose(program), 0);
}

START_TEST(the_committed_reference_is_what_describe_prints)
{
    FILE *file = fopen(SOURCE_DIR "/docs/reference.md", "r");
    read_all(file, committed);
    (void)fclose(file);
    ck_assert_msg(strcmp(printed, committed) == 0,
                  "the rows have changed: build/bin/describe > docs/reference.md");
}
END_TEST

static void check_line(const char *text)
{
    ck_assert_msg(strstr(printed, text) != NULL, "%s is not in the reference", text);
}

START_TEST(every_row_is_in_the_reference)
{
    char line[128];
    for (unsigned id = 0; id < MESSAGE_ID_MAX; id++) {
        if (messages[id].name == NULL)
            continue;
        (void)snprintf(line, sizeof line, "\n### %s (%u)\n", messages[id].name, id);
        check_line(line);
        for (size_t i = 0; i < messages[id].field_count; i++)
            check_line(messages[id].fields[i].doc);
    }
    for (unsigned status = 0; status < STATUS_COUNT; status++) {
        (void)snprintf(line, sizeof line, "\n| %s | %u | ", statuses[status].name, status);
        check_line(line);
    }
    check_line("\n| common | log_level | text | info |");
    check_line("\n| fact_requests_total | counter |");
    check_line("\n| process_open_fds | gauge |");
    check_line("\n| started | info |");
}
END_TEST

static int remove_one(const char *path, const struct stat *state, int type, struct FTW *walk)
{
    (void)state, (void)type, (void)walk;
    return remove(path);
}

static void check_seed(const char *folder, enum message_id id, const char *kind)
{
    static char data[REFERENCE_BYTES_MAX];
    char path[256];
    union any_body body;
    (void)snprintf(path, sizeof path, "%s/%s.%s", folder, messages[id].name, kind);
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file != NULL, "no %s", path);
    size_t size = fread(data, 1, sizeof data, file);
    (void)fclose(file);
    ck_assert_int_eq(message_decode(id, (struct bytes){data, size}, &body), STATUS_OK);
}

START_TEST(every_message_has_seeds_that_decode)
{
    char folder[] = "/tmp/describe-XXXXXX", command[256];
    unsigned count = 0;
    ck_assert_ptr_nonnull(mkdtemp(folder));
    (void)snprintf(command, sizeof command, BINARY_DIR "/describe --seeds %s", folder);
    FILE *program = popen(command, "r");
    ck_assert_ptr_nonnull(program);
    ck_assert_int_eq(pclose(program), 0);
    for (unsigned id = 0; id < MESSAGE_ID_MAX; id++) {
        if (messages[id].name == NULL)
            continue;
        check_seed(folder, (enum message_id)id, "full");
        check_seed(folder, (enum message_id)id, "least");
        count++;
    }
    ck_assert_uint_gt(count, 30);
    ck_assert_int_eq(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, the_committed_reference_is_what_describe_prints);
    tcase_add_test(tcase, every_row_is_in_the_reference);
    tcase_add_test(tcase, every_message_has_seeds_that_decode);
}

int main(void)
{
    return suite_run("describe", add_tests);
}
