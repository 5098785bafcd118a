/* test_json_text - what is written as JSON reads back as the same value; what JSON cannot say is
 * not written; nothing is deeper than it may be. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "actors/runtime/json_text.h"
#include "protocol/limits.h"
#include "tests/support/suite.h"

#define ROUNDS 5000
#define BYTES 65536u

static char bytes[BYTES], again[BYTES];

/* To be freed; NULL: JSON cannot say it. */
static char *written(struct bytes value)
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    bool is_written = json_text_write(value, memory);
    fclose(memory);
    if (is_written)
        return text;
    free(text);
    return NULL;
}

static const struct {
    struct bytes value;
    const char *text; /* NULL: refused */
} rows[] = {
    {{"\xc0", 1}, "null"},
    {{"\xc2", 1}, "false"},
    {{"\xc3", 1}, "true"},
    {{"\x07", 1}, "7"},
    {{"\xff", 1}, "-1"},
    {{"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9}, "18446744073709551615"},
    {{"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9}, "-9223372036854775808"},
    {{"\xcb\x3f\xf8\x00\x00\x00\x00\x00\x00", 9}, "1.5"},
    {{"\xcb\x3f\xf0\x00\x00\x00\x00\x00\x00", 9}, "1.0"},
    {{"\xca\x3f\xc0\x00\x00", 5}, "1.5"},
    {{"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", 9}, "0.1"},
    {{"\xa0", 1}, "\"\""},
    {{"\xa7"
      "a\"b\\\n\x01"
      "c",
      8},
     "\"a\\\"b\\\\\\u000a\\u0001c\""},
    {{"\xa2\xc3\xa9", 3}, "\"\xc3\xa9\""},
    {{"\x90", 1}, "[]"},
    {{"\x80", 1}, "{}"},
    {{"\x93\x01\x91\x02\x80", 5}, "[1,[2],{}]"},
    {{"\x82\xa1"
      "a\x81\xa1"
      "b\x01\xa1"
      "c\x92\x02\x03",
      12},
     "{\"a\":{\"b\":1},\"c\":[2,3]}"},
    {{"\xc4\x01x", 3}, NULL},
    {{"\xd4\x01x", 3}, NULL},
    {{"\x81\x01\x02", 3}, NULL},
    {{"\xa1\xff", 2}, NULL},
    {{"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", 9}, NULL},
    {{"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", 9}, NULL},
    {{"\x92\x01", 2}, NULL},
    {{"", 0}, NULL},
};

START_TEST(a_value_is_written_as_json_says_it)
{
    char *text = written(rows[_i].value);
    if (rows[_i].text == NULL)
        ck_assert_ptr_null(text);
    else
        ck_assert_pstr_eq(text, rows[_i].text);
    free(text);
}
END_TEST

static void write_float(struct writer *writer, uint64_t *seed)
{
    uint64_t bits = random_next(seed);
    double number;
    memcpy(&number, &bits, sizeof number);
    if (random_next(seed) % 2 == 0)
        number = (double)(int64_t)(bits % 100000) / 100.0;
    writer_f64(writer, isfinite(number) ? number : 0.5);
}

static void write_any(struct writer *writer, uint64_t *seed, unsigned nesting)
{
    char text[12];
    size_t count = random_next(seed) % 5;
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(random_next(seed) % 128);
    switch (random_next(seed) % (nesting > 0 ? 8 : 6)) {
    case 0:
        writer_nil(writer);
        break;
    case 1:
        writer_bool(writer, count > 2);
        break;
    case 2:
        writer_i64(writer, (int64_t)random_next(seed) >> random_next(seed) % 64);
        break;
    case 3:
    case 4:
        write_float(writer, seed);
        break;
    case 5:
        writer_text(writer, (struct bytes){text, random_next(seed) % sizeof text});
        break;
    case 6:
        writer_array(writer, count);
        for (size_t i = 0; i < count; i++)
            write_any(writer, seed, nesting - 1);
        break;
    default:
        writer_map(writer, count);
        for (size_t i = 0; i < count; i++) {
            snprintf(text, sizeof text, "\"k\n%zu", i);
            writer_cstr(writer, text);
            write_any(writer, seed, nesting - 1);
        }
    }
}

START_TEST(what_is_written_reads_back_as_the_same)
{
    for (uint64_t round = 1; round <= SUITE_SEEDS(ROUNDS); round++) {
        uint64_t seed = round;
        struct writer writer;
        struct json_fault fault;
        writer_init(&writer, bytes, sizeof bytes);
        write_any(&writer, &seed, 4);
        struct bytes value = writer_bytes(&writer);
        char *text = written(value);
        ck_assert_ptr_nonnull(text);
        writer_init(&writer, again, sizeof again);
        bool is_read = json_text_read(bytes_of(text), BODY_NESTING_MAX, &writer, &fault);
        ck_assert_msg(is_read, "seed %lu: %s", (unsigned long)round, text);
        ck_assert_msg(bytes_equal(value, writer_bytes(&writer)), "seed %lu: %s",
                      (unsigned long)round, text);
        free(text);
    }
}
END_TEST

START_TEST(as_deep_as_a_body_may_be_and_no_deeper)
{
    memset(bytes, '\x91', BODY_NESTING_MAX + 1);
    bytes[BODY_NESTING_MAX] = '\x01';
    char *text = written((struct bytes){bytes, BODY_NESTING_MAX + 1});
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_eq(strlen(text), 2 * BODY_NESTING_MAX + 1);
    free(text);
    bytes[BODY_NESTING_MAX] = '\x91';
    bytes[BODY_NESTING_MAX + 1] = '\x01';
    ck_assert_ptr_null(written((struct bytes){bytes, BODY_NESTING_MAX + 2}));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, a_value_is_written_as_json_says_it, 0, sizeof rows / sizeof rows[0]);
    tcase_add_test(tcase, what_is_written_reads_back_as_the_same);
    tcase_add_test(tcase, as_deep_as_a_body_may_be_and_no_deeper);
}

int main(void)
{
    return suite_run("json_text", add_tests);
}
