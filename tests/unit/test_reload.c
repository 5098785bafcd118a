/* test_reload - the settings of a running broker, read anew: what counts at once and what needs a
 * restart is told apart, a file that is wrong changes nothing, and so does a dry run. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "broker/reload.h"
#include "tests/support/suite.h"

static const struct program program = {.name = "fact-broker", .section = "broker", .summary = ""};
static char path[64];
static char *argv[] = {"fact-broker", "--config", path, "--set", "broker.retry_floor=33", NULL};
static char *environment[] = {NULL};
static struct settings *started;
static struct reload *reload;

static char answer[CONTROL_BYTES_MAX], reason[SETTINGS_REASON_BYTES];
static struct msg_reloaded reloaded;
static struct policy policy;
static enum log_level level;

static void write_file(const char *text)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static void setup(void)
{
    int code;
    (void)snprintf(path, sizeof path, "/tmp/test_reload-%d.yaml", (int)getpid());
    write_file("broker:\n  queue_max: 77\n  limits: user=60/m\n");
    started = settings_new();
    ck_assert(command_line_read(&program, 5, argv, environment, started, &code));
    reload = reload_new(&program, 5, argv, environment, started);
}

static void teardown(void)
{
    reload_destroy(&reload);
    settings_destroy(&started);
    ck_assert_int_eq(unlink(path), 0);
}

static enum status read_anew(bool dry_run)
{
    struct writer writer;
    writer_init(&writer, answer, sizeof answer);
    enum status status = reload_read(reload, dry_run, &policy, &level, &writer, reason);
    if (status == STATUS_OK)
        ck_assert_int_eq(message_decode(MSG_RELOADED, writer_bytes(&writer), &reloaded), STATUS_OK);
    return status;
}

static bool names(struct bytes list, const char *name)
{
    struct values values = values_over(list);
    struct bytes value, text;
    while (values_next(&values, &value))
        if (value_text(value, &text) && bytes_are(text, name))
            return true;
    return false;
}

START_TEST(what_counts_and_what_needs_a_restart_is_told_apart)
{
    write_file("common:\n  log_level: debug\nbroker:\n  queue_max: 78\n  limits: user=61/m\n"
               "driver:\n  concurrency: 3\n");
    ck_assert_int_eq(read_anew(false), STATUS_OK);
    ck_assert_uint_eq(values_count(reloaded.changed), 2);
    ck_assert(names(reloaded.changed, "common.log_level"));
    ck_assert(names(reloaded.changed, "broker.limits"));
    ck_assert_uint_eq(values_count(reloaded.restart), 1);
    ck_assert(names(reloaded.restart, "broker.queue_max"));
    ck_assert_str_eq(reload_names(reload, OPTION_RELOAD), "common.log_level,broker.limits");
    ck_assert_str_eq(reload_names(reload, OPTION_RESTART), "broker.queue_max");
    ck_assert_int_eq(level, LEVEL_DEBUG);
    ck_assert_uint_eq(policy.limits.rows[0].count, 61);
    ck_assert_uint_eq(policy.retry_floor, 33); /* a flag still wins */
}
END_TEST

START_TEST(a_second_time_only_the_restart_is_left)
{
    write_file("broker:\n  queue_max: 78\n  limits: user=61/m\n");
    ck_assert_int_eq(read_anew(false), STATUS_OK);
    ck_assert_int_eq(read_anew(false), STATUS_OK);
    ck_assert_uint_eq(values_count(reloaded.changed), 0);
    ck_assert_uint_eq(values_count(reloaded.restart), 1);
    write_file("broker:\n  queue_max: 77\n  limits: user=60/m\n");
    ck_assert_int_eq(read_anew(false), STATUS_OK);
    ck_assert_uint_eq(values_count(reloaded.changed), 1);
    ck_assert_uint_eq(values_count(reloaded.restart), 0);
}
END_TEST

START_TEST(a_dry_run_changes_nothing)
{
    write_file("broker:\n  queue_max: 77\n  limits: user=61/m\n");
    for (unsigned i = 0; i < 2; i++) {
        ck_assert_int_eq(read_anew(true), STATUS_OK);
        ck_assert_uint_eq(values_count(reloaded.changed), 1);
    }
}
END_TEST

static const struct {
    const char *file, *why;
} faults[] = {
    {"broker:\n  limits: user=61/w\n", "user=61/w"},
    {"broker:\n  limits_profile: fast\n", "limits_profile"},
    {"broker:\n  breaker: never\n", "broker.breaker"},
    {"broker:\n  limit: user=61/m\n", "did you mean"},
    {"common:\n  log_level: loud\n", "log_level"},
    {"broker: [\n", "yaml"},
};

START_TEST(a_file_that_is_wrong_changes_nothing)
{
    struct metrics *metrics = metrics_new(METRIC_SERIES_MAX);
    struct series *success = metrics_series(metrics, METRIC_CONFIG_LAST_RELOAD_SUCCESS, NO_LABELS);
    reload_measure(reload, metrics);
    ck_assert(series_value(success) == 1);
    write_file(faults[_i].file);
    ck_assert_int_eq(read_anew(true), STATUS_BAD_REQUEST);
    ck_assert_msg(strstr(reason, faults[_i].why) != NULL, "%s", reason);
    reload_measure(reload, metrics);
    ck_assert(series_value(success) == 1);
    ck_assert_int_eq(read_anew(false), STATUS_BAD_REQUEST);
    reload_measure(reload, metrics);
    ck_assert(series_value(success) == 0);
    write_file("broker:\n  queue_max: 77\n  limits: user=60/m\n");
    ck_assert_int_eq(read_anew(false), STATUS_OK);
    ck_assert_uint_eq(values_count(reloaded.changed), 0);
    reload_measure(reload, metrics);
    ck_assert(series_value(success) == 1);
    metrics_destroy(&metrics);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_counts_and_what_needs_a_restart_is_told_apart);
    tcase_add_test(tcase, a_second_time_only_the_restart_is_left);
    tcase_add_test(tcase, a_dry_run_changes_nothing);
    tcase_add_loop_test(tcase, a_file_that_is_wrong_changes_nothing, 0,
                        sizeof faults / sizeof faults[0]);
}

int main(void)
{
    return suite_run("reload", add_tests);
}
