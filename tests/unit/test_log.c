/* test_log - whatever bytes are logged, each line is one legal JSON object with the fields that
 * were handed in; a flood of one event is cut to its rate, every line of it written or counted, and
 * other events are not held back; threads do not mix lines. */
#include <jansson.h>
#include <pthread.h>
#include <string.h>

#include "actors/runtime/log.h"
#include "protocol/value.h"
#include "tests/support/suite.h"

static FILE *file;
static char *text;
static size_t text_size;

static void setup(void)
{
    file = open_memstream(&text, &text_size);
    log_open("driver", "driver-1", file);
    log_set_level(LEVEL_DEBUG);
}

static void teardown(void)
{
    log_open("", "", NULL);
    (void)fclose(file);
    free(text);
}

/* The next line, parsed; NULL: there is none. */
static json_t *next_line(size_t *at)
{
    json_error_t error;
    (void)fflush(file);
    if (*at == text_size)
        return NULL;
    char *stop = memchr(text + *at, '\n', text_size - *at);
    ck_assert_ptr_nonnull(stop);
    json_t *line = json_loadb(text + *at, (size_t)(stop - text) - *at, JSON_ALLOW_NUL, &error);
    ck_assert_msg(line != NULL, "%s", error.text);
    *at = (size_t)(stop - text) + 1;
    return line;
}

static const char *text_of(const json_t *line, const char *key)
{
    const char *found = json_string_value(json_object_get(line, key));
    return found != NULL ? found : "";
}

START_TEST(a_line_says_when_who_and_what)
{
    size_t at = 0;
    log_event(EVENT_LISTENING, log_text("endpoint", "tcp://127.0.0.1:5550"),
              log_u64("most", INT64_MAX), log_i64("least", INT64_MIN), log_text("none", NULL));
    log_bare(EVENT_DRAINING);
    json_t *line = next_line(&at);
    ck_assert_uint_eq(strlen(text_of(line, "ts")), strlen("2026-11-24T02:13:00.123Z"));
    ck_assert_str_eq(text_of(line, "level"), "info");
    ck_assert_str_eq(text_of(line, "process"), "driver");
    ck_assert_str_eq(text_of(line, "instance"), "driver-1");
    ck_assert_str_eq(text_of(line, "event"), "listening");
    ck_assert_str_eq(text_of(line, "endpoint"), "tcp://127.0.0.1:5550");
    ck_assert_int_eq(json_integer_value(json_object_get(line, "least")), INT64_MIN);
    ck_assert(json_is_null(json_object_get(line, "none")));
    ck_assert_ptr_nonnull(strstr(text, "\"most\":9223372036854775807"));
    json_decref(line);
    line = next_line(&at);
    ck_assert_str_eq(text_of(line, "event"), "draining");
    ck_assert_uint_eq(json_object_size(line), 5);
    json_decref(line);
    ck_assert_ptr_null(next_line(&at));
}
END_TEST

/* Each byte alone and in pairs, from an exact-sized heap buffer. */
START_TEST(any_bytes_make_a_legal_line)
{
    for (unsigned first = 0; first < 256; first++) {
        char *bytes = malloc(2);
        bytes[0] = (char)first;
        bytes[1] = (char)_i;
        fflush(file);
        size_t at = text_size;
        /* Several events, since each has a rate. */
        log_event((enum log_event)(first / LOG_BURST),
                  log_bytes("any", ((struct bytes){bytes, 2})));
        json_t *line = next_line(&at);
        ck_assert(json_is_string(json_object_get(line, "any")));
        json_decref(line);
        free(bytes);
    }
}
END_TEST

START_TEST(a_long_text_is_cut)
{
    size_t at = 0;
    char *long_text = malloc(3 * LOG_TEXT_BYTES_MAX);
    memset(long_text, '\x01', 3 * LOG_TEXT_BYTES_MAX);
    struct log_field fields[LOG_FIELDS_MAX];
    for (size_t i = 0; i < LOG_FIELDS_MAX; i++)
        fields[i] =
            log_bytes(i == 0 ? "f" : "g", ((struct bytes){long_text, 3 * LOG_TEXT_BYTES_MAX}));
    log_write(EVENT_INTERNAL, fields, LOG_FIELDS_MAX);
    json_t *line = next_line(&at);
    ck_assert_uint_eq(strlen(text_of(line, "f")), LOG_TEXT_BYTES_MAX);
    json_decref(line);
    free(long_text);
}
END_TEST

START_TEST(what_is_below_the_level_is_not_written)
{
    size_t at = 0;
    enum log_level level;
    ck_assert(log_level_find(bytes_of("warn"), &level));
    log_set_level(level);
    ck_assert_int_eq(log_get_level(), LEVEL_WARN);
    log_bare(EVENT_DRAINING);
    ck_assert_ptr_null(next_line(&at));
    log_bare(EVENT_BROKER_LOST);
    json_decref(next_line(&at));
    ck_assert(!log_level_find(bytes_of("loud"), &level));
}
END_TEST

START_TEST(a_flood_is_cut_counted_and_holds_nothing_else_back)
{
    size_t at = 0, lines = 0;
    uint64_t written[LEVEL_COUNT], swallowed[LEVEL_COUNT];
    for (unsigned i = 0; i < 1000; i++)
        log_event(EVENT_MALFORMED, log_u64("i", i));
    log_bare(EVENT_DRAINING);
    json_t *line;
    bool other = false;
    while ((line = next_line(&at)) != NULL) {
        lines++;
        other = strcmp(text_of(line, "event"), "draining") == 0;
        json_decref(line);
    }
    ck_assert(other);
    ck_assert_uint_ge(lines, LOG_BURST + 1);
    ck_assert_uint_lt(lines, LOG_BURST + 10);
    log_counts(written, swallowed);
    ck_assert_uint_eq(written[LEVEL_WARN] + swallowed[LEVEL_WARN], 1000);
    ck_assert_uint_eq(written[LEVEL_WARN], lines - 1);
}
END_TEST

/* Waits, under the suite's deadline, until the rate allows the line that says so. */
START_TEST(what_was_swallowed_is_said_once)
{
    size_t at = 0;
    uint64_t said = 0, lines = 0;
    for (unsigned i = 0; i < LOG_BURST + 5; i++)
        log_bare(EVENT_UNSENT);
    while (said == 0) {
        log_flush();
        for (json_t *line = next_line(&at); line != NULL; line = next_line(&at)) {
            said += (uint64_t)json_integer_value(json_object_get(line, "swallowed"));
            lines++;
            json_decref(line);
        }
    }
    ck_assert_uint_eq(lines - 1 + said, LOG_BURST + 5);
    log_flush();
    ck_assert_ptr_null(next_line(&at));
}
END_TEST

static void *log_much(void *argument)
{
    for (unsigned i = 0; i < 200; i++)
        log_event(*(enum log_event *)argument, log_u64("i", i));
    return NULL;
}

START_TEST(threads_do_not_mix_lines)
{
    size_t at = 0;
    pthread_t threads[4];
    enum log_event events[4] = {EVENT_STARTED, EVENT_READY, EVENT_UNSENT, EVENT_INTERNAL};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, log_much, &events[i]), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    json_t *line;
    unsigned lines = 0;
    for (; (line = next_line(&at)) != NULL; lines++)
        json_decref(line);
    ck_assert_uint_ge(lines, 4 * LOG_BURST);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_line_says_when_who_and_what);
    tcase_add_loop_test(tcase, any_bytes_make_a_legal_line, 0, 256);
    tcase_add_test(tcase, a_long_text_is_cut);
    tcase_add_test(tcase, what_is_below_the_level_is_not_written);
    tcase_add_test(tcase, a_flood_is_cut_counted_and_holds_nothing_else_back);
    tcase_add_test(tcase, what_was_swallowed_is_said_once);
    tcase_add_test(tcase, threads_do_not_mix_lines);
}

int main(void)
{
    return suite_run("log", add_tests);
}
