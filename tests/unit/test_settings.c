/* test_settings - the source that ranks higher wins in whatever order the sources are read; what
 * breaks a row is refused with one line that names the place, the key and what was meant, and
 * changes nothing; no file, however odd, does more than that. */
#include <stdio.h>
#include <string.h>

#include "actors/runtime/settings.h"
#include "tests/support/suite.h"

static struct settings *settings;
static char reason[SETTINGS_REASON_BYTES];

static void setup(void)
{
    settings = settings_new();
    reason[0] = '\0';
}

static void teardown(void)
{
    settings_destroy(&settings);
    ck_assert_ptr_null(settings);
    settings_destroy(&settings);
}

/* From an exact-sized heap buffer, so that a sanitizer sees a step beyond. */
static bool read_yaml(const char *text, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    memcpy(copy, text, size);
    bool good = settings_read_yaml(settings, "fact.yaml", (struct bytes){copy, size}, reason);
    free(copy);
    return good;
}

static bool read_text(const char *text)
{
    return read_yaml(text, strlen(text));
}

static bool read_environment(const char *variable)
{
    char *environment[] = {strdup("PATH=/bin"), strdup(variable), NULL};
    bool good = settings_read_environment(settings, environment, reason);
    free(environment[0]);
    free(environment[1]);
    return good;
}

static enum origin origin_of(const char *section, const char *key)
{
    for (size_t row = 0; row < OPTION_COUNT; row++)
        if (strcmp(options[row].section, section) == 0 && strcmp(options[row].key, key) == 0)
            return settings_origin(settings, row);
    ck_abort_msg("no such row");
    return ORIGIN_DEFAULT;
}

START_TEST(every_default_keeps_its_own_bounds)
{
    for (size_t row = 0; row < OPTION_COUNT; row++) {
        ck_assert_str_eq(settings_value(settings, row), options[row].missing);
        ck_assert_int_eq(settings_origin(settings, row), ORIGIN_DEFAULT);
        ck_assert_uint_le(options[row].min, options[row].max);
        ck_assert_uint_gt(strlen(options[row].doc), 0);
    }
    ck_assert_str_eq(settings_text(settings, "common", "log_level"), "info");
    ck_assert_uint_eq(settings_u64(settings, "broker", "heartbeat_ms"), 1000);
    ck_assert_uint_eq(settings_u64(settings, "cache_partition", "memory_bytes"), 256 << 20);
    ck_assert(!settings_bool(settings, "tool_executor", "test_tools"));
}
END_TEST

/* Each of the six orders in which three sources can be read. */
START_TEST(the_higher_source_wins_in_any_order)
{
    static const char orders[][4] = {"fev", "fve", "efv", "evf", "vfe", "vef"};
    for (const char *source = orders[_i]; *source != '\0'; source++)
        if (*source == 'f')
            ck_assert(read_text("broker:\n  queue_max: 1\ndriver:\n  concurrency: 1\n"
                                "tool_executor: {threads: 1}\n"));
        else if (*source == 'e')
            ck_assert(read_environment("FACT_BROKER_QUEUE_MAX=2") &&
                      read_environment("FACT_DRIVER_CONCURRENCY=2"));
        else
            ck_assert(settings_read_flag(settings, "broker.queue_max=3", reason));
    ck_assert_uint_eq(settings_u64(settings, "broker", "queue_max"), 3);
    ck_assert_uint_eq(settings_u64(settings, "driver", "concurrency"), 2);
    ck_assert_uint_eq(settings_u64(settings, "tool_executor", "threads"), 1);
    ck_assert_int_eq(origin_of("broker", "queue_max"), ORIGIN_FLAG);
    ck_assert_int_eq(origin_of("driver", "concurrency"), ORIGIN_ENVIRONMENT);
    ck_assert_int_eq(origin_of("tool_executor", "threads"), ORIGIN_FILE);
}
END_TEST

static const struct {
    const char *flag;
    uint64_t number;
} written[] = {
    {"broker.heartbeat_ms=250", 250},
    {"broker.heartbeat_ms=250ms", 250},
    {"broker.heartbeat_ms=5s", 5000},
    {"broker.heartbeat_ms=1m", 60000},
    {"common.drain_ms=1h", 3600000},
    {"cache_partition.memory_bytes=2097152", 2 << 20},
    {"cache_partition.memory_bytes=2097152B", 2 << 20},
    {"cache_partition.memory_bytes=2048KiB", 2 << 20},
    {"cache_partition.memory_bytes=2MiB", 2 << 20},
    {"cache_partition.memory_bytes=1GiB", 1 << 30},
};

START_TEST(durations_and_sizes_take_their_units)
{
    char section[32], key[32];
    ck_assert_int_eq(sscanf(written[_i].flag, "%31[^.].%31[^=]", section, key), 2);
    ck_assert(settings_read_flag(settings, written[_i].flag, reason));
    ck_assert_uint_eq(settings_u64(settings, section, key), written[_i].number);
}
END_TEST

static const struct {
    const char *flag, *reason;
} bad_flags[] = {
    {"broker.heartbeat_ms=x", "'x' is not a duration"},
    {"broker.heartbeat_ms=-5", "'-5' is not a duration"},
    {"broker.heartbeat_ms=5KiB", "is not a duration"},
    {"broker.heartbeat_ms=49", "is not within 50 and 60000 ms"},
    {"broker.heartbeat_ms=61s", "is not within 50 and 60000 ms"},
    {"broker.heartbeat_ms=18446744073709551615h", "is not a duration"},
    {"broker.heartbeat_ms=18446744073709551616", "is not a duration"},
    {"broker.queue_max=5s", "'5s' is not a whole number"},
    {"broker.queue_max=0", "is not within 1 and"},
    {"broker.queue_max=", "'' is not a whole number"},
    {"broker.queue_max=10001", "is not within 1 and 10000"},
    {"tool_executor.test_tools=yes", "is not true or false"},
    {"common.log_level=abc", "3 bytes; it has 4 to 5"},
    {"driver.namespace=a\nb", "control character"},
    {"broker.queue_mx=5", "unknown key 'queue_mx' in section broker; did you mean 'queue_max'?"},
    {"brokr.queue_max=5", "unknown section 'brokr'; did you mean 'broker'?"},
    {"broker.zzzzzz=5", "unknown key 'zzzzzz' in section broker"},
    {"broker=5", "it is section.key=value"},
    {"broker.queue_max", "it is section.key=value"},
    {"=.", "it is section.key=value"},
};

START_TEST(a_bad_flag_is_refused_with_the_reason_and_changes_nothing)
{
    ck_assert(!settings_read_flag(settings, bad_flags[_i].flag, reason));
    ck_assert_msg(strstr(reason, bad_flags[_i].reason) != NULL, "%s", reason);
    ck_assert_ptr_null(strchr(reason, '\n'));
    for (size_t row = 0; row < OPTION_COUNT; row++)
        ck_assert_int_eq(settings_origin(settings, row), ORIGIN_DEFAULT);
}
END_TEST

static const struct {
    const char *text, *reason;
} bad_files[] = {
    {"broker:\n  queue_max: 5\n  heartbet_ms: 5s\n",
     "fact.yaml:3: unknown key 'heartbet_ms' in section broker; did you mean 'heartbeat_ms'?"},
    {"# note\nbroker:\n  queue_max: 5\ndrivr:\n  concurrency: 1\n",
     "fact.yaml:4: unknown section 'drivr'; did you mean 'driver'?"},
    {"driver:\n  concurrency: 5\nbroker:\n\n  queue_max: many\n",
     "fact.yaml:5: broker.queue_max: 'many' is not a whole number"},
    {"broker:\n  queue_max: [1, 2]\n", "fact.yaml:2: broker.queue_max: Expecting STRING"},
    {"broker:\n  queue_max: 1\n  queue_max: 2\n", "already seen: queue_max"},
    {"broker:\n  frontend: &a x\n  backend: *a\n", "broker.backend"},
    {"broker:\n\tqueue_max: 5\n", "found character that cannot start any token"},
    {"broker: {queue_max: 5", "did not find expected ',' or '}'"},
    {"broker:\n", "fact.yaml:1: broker: Expecting MAPPING"},
    {"- 1\n", "Expecting MAPPING"},
    {"broker: {queue_max: 5}\n---\ndriver: {concurrency: 1}\n", "Ignoring documents after first"},
    {"broker:\n  queue_max:\n", "'' is not a whole number"},
};

START_TEST(a_bad_file_is_refused_with_line_and_reason)
{
    ck_assert(!read_text(bad_files[_i].text));
    ck_assert_msg(strstr(reason, bad_files[_i].reason) != NULL, "%s", reason);
    ck_assert_ptr_null(strchr(reason, '\n'));
}
END_TEST

START_TEST(an_empty_file_is_a_file)
{
    ck_assert(read_text(""));
    ck_assert(read_text("# nothing\n"));
    ck_assert(read_text("broker: {}\n"));
}
END_TEST

START_TEST(a_file_over_its_bound_is_refused)
{
    char *text = malloc(SETTINGS_FILE_BYTES_MAX + 1);
    memset(text, '\n', SETTINGS_FILE_BYTES_MAX + 1);
    ck_assert(read_yaml(text, SETTINGS_FILE_BYTES_MAX));
    ck_assert(!read_yaml(text, SETTINGS_FILE_BYTES_MAX + 1));
    ck_assert_ptr_nonnull(strstr(reason, "larger than"));
    free(text);
}
END_TEST

/* As many containers inside each other as fit a file. */
START_TEST(a_file_nested_without_end_is_refused)
{
    static const char *const openers[] = {"[", "{a: ", "- ", "? "};
    size_t size = 0, one = strlen(openers[_i]);
    char *text = malloc(SETTINGS_FILE_BYTES_MAX);
    for (const char *head = "broker: "; *head != '\0'; head++)
        text[size++] = *head;
    while (size + one <= SETTINGS_FILE_BYTES_MAX) {
        memcpy(text + size, openers[_i], one);
        size += one;
    }
    ck_assert(!read_yaml(text, size));
    free(text);
}
END_TEST

/* Every cut, and every byte changed to some that mean something in YAML. */
START_TEST(no_damage_to_a_file_does_more_than_a_reason)
{
    static const char whole[] = "common: {zone: \"a\\x20b\"}\nbroker:\n  queue_max: 5 # c\n"
                                "  frontend: |\n    tcp\ndriver:\n  ? concurrency\n  : !!int 5\n";
    static const char marks[] = "\0\t\n :-?,[]{}#&*!|>'\"%@`\x80\xff";
    char text[sizeof whole];
    for (size_t i = 0; i < sizeof whole; i++) {
        (void)read_yaml(whole, i);
        for (size_t j = 0; j < sizeof marks; j++) {
            memcpy(text, whole, sizeof whole);
            text[i] = marks[j];
            (void)read_yaml(text, sizeof whole - 1);
        }
    }
    ck_assert_ptr_null(strchr(reason, '\n'));
}
END_TEST

START_TEST(the_environment_is_read_by_section)
{
    ck_assert(read_environment("FACT_CACHE_PARTITION_MEMORY_BYTES=64MiB"));
    ck_assert_uint_eq(settings_u64(settings, "cache_partition", "memory_bytes"), 64 << 20);
    ck_assert(read_environment("FACT_ENDPOINT=tcp://127.0.0.1:1"));
    ck_assert(read_environment("FACT_BROKER_"));
    ck_assert(!read_environment("FACT_BROKER_QUEUEMAX=5"));
    ck_assert_str_eq(reason, "FACT_BROKER_QUEUEMAX: unknown key 'queuemax' in section broker; did "
                             "you mean 'queue_max'?");
    ck_assert(!read_environment("FACT_BROKER_QUEUE_MAX=x"));
}
END_TEST

START_TEST(a_missing_file_is_named)
{
    ck_assert(!settings_read_file(settings, "/nonexistent/fact.yaml", reason));
    ck_assert_str_eq(reason, "/nonexistent/fact.yaml: No such file or directory");
    ck_assert(!settings_read_file(settings, "/", reason));
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, every_default_keeps_its_own_bounds);
    tcase_add_loop_test(tcase, the_higher_source_wins_in_any_order, 0, 6);
    tcase_add_loop_test(tcase, durations_and_sizes_take_their_units, 0, COUNT_OF(written));
    tcase_add_loop_test(tcase, a_bad_flag_is_refused_with_the_reason_and_changes_nothing, 0,
                        COUNT_OF(bad_flags));
    tcase_add_loop_test(tcase, a_bad_file_is_refused_with_line_and_reason, 0, COUNT_OF(bad_files));
    tcase_add_test(tcase, an_empty_file_is_a_file);
    tcase_add_test(tcase, a_file_over_its_bound_is_refused);
    tcase_add_loop_test(tcase, a_file_nested_without_end_is_refused, 0, 4);
    tcase_add_test(tcase, no_damage_to_a_file_does_more_than_a_reason);
    tcase_add_test(tcase, the_environment_is_read_by_section);
    tcase_add_test(tcase, a_missing_file_is_named);
}

int main(void)
{
    return suite_run("settings", add_tests);
}
