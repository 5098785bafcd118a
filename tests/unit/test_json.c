/* test_json - what is printed as JSON reads back as the same bytes, whatever the value; what JSON
 * cannot say, or says wrong, is refused with its place; nothing printed can steer a terminal. */
#include <math.h>
#include <string.h>

#include "actors/cli/json.h"
#include "tests/support/suite.h"

#define ROUNDS 2000
#define BYTES 65536

static uint64_t seed = 1;
static char bytes[BYTES], again[BYTES];

/* The JSON of a value; to be freed. */
static char *printed(struct bytes value, void (*print)(struct bytes, FILE *))
{
    char *text = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&text, &size);
    print(value, memory);
    fclose(memory);
    ck_assert_uint_eq(strlen(text), size);
    return text;
}

static enum status reads(struct bytes text, struct bytes *ret, char *reason)
{
    struct writer writer;
    char *copy = malloc(text.size + 1); /* exact: nothing behind it */
    memcpy(copy + 1, text.data, text.size);
    writer_init(&writer, again, sizeof again);
    enum status status = json_read((struct bytes){copy + 1, text.size}, &writer, reason, 200);
    free(copy);
    *ret = writer_bytes(&writer);
    return status;
}

static void write_text(struct writer *writer)
{
    static const char *const pieces[] = {
        "a", "Z",    "\n",       "\x1b[2J",          "\"", "\\", "\xc3\xa9", "\xe2\x82\xac",
        "/", "\x7f", "\xc2\x9b", "\xf0\x9f\x98\x80", "\t", "$x", " "};
    char text[200];
    size_t used = 0, count = random_next(&seed) % 12;
    for (size_t i = 0; i < count; i++) {
        const char *piece = pieces[random_next(&seed) % (sizeof pieces / sizeof pieces[0])];
        used += (size_t)snprintf(text + used, sizeof text - used, "%s", piece);
    }
    writer_text(writer, (struct bytes){text, used});
}

static void write_f64(struct writer *writer)
{
    static const double specials[] = {0.0, -0.0, 1.0, 0.1, 1e300, -5e-324, 1e15, 1e17, 3.5};
    uint64_t choice = random_next(&seed) % 14;
    uint64_t bits = random_next(&seed);
    double number;
    memcpy(&number, &bits, sizeof number);
    if (choice < 9)
        number = specials[choice];
    else if (choice == 9)
        number = INFINITY;
    else if (choice == 10)
        number = -INFINITY;
    if (isnan(number))
        number = NAN;
    writer_f64(writer, number);
}

static void write_any(struct writer *writer, unsigned nesting)
{
    char key[24];
    uint64_t number = random_next(&seed) >> (random_next(&seed) % 64);
    size_t count = random_next(&seed) % 4;
    switch (random_next(&seed) % (nesting > 0 ? 10 : 8)) {
    case 0:
        writer_nil(writer);
        break;
    case 1:
        writer_bool(writer, number % 2);
        break;
    case 2:
        writer_u64(writer, number);
        break;
    case 3:
        writer_i64(writer, -(int64_t)(number >> 1) - 1);
        break;
    case 4:
        write_f64(writer);
        break;
    case 5:
        write_text(writer);
        break;
    case 6:
        writer_blob(writer, (struct bytes){"0123456789abcdefghijklmnopqrstuvwxyz", number % 30});
        break;
    case 7:
        msgpack_pack_ext_with_body(&writer->packer, "abcdefghi", number % 9, -5);
        break;
    case 8:
        writer_array(writer, count);
        while (count-- > 0)
            write_any(writer, nesting - 1);
        break;
    default:
        writer_map(writer, count);
        while (count-- > 0) {
            snprintf(key, sizeof key, "k%zu", count);
            writer_cstr(writer, key);
            write_any(writer, nesting - 1);
        }
    }
}

START_TEST(what_is_printed_reads_back_as_the_same_bytes)
{
    char reason[200];
    struct writer writer;
    struct bytes back;
    for (int i = 0; i < ROUNDS; i++) { /* seed 1 */
        writer_init(&writer, bytes, sizeof bytes);
        write_any(&writer, 5);
        struct bytes value = writer_bytes(&writer);
        char *text = printed(value, json_print);
        ck_assert_msg(reads(bytes_of(text), &back, reason) == STATUS_OK, "%s: %s", reason, text);
        ck_assert_msg(bytes_equal(value, back), "%s", text);
        for (const char *at = text; *at != '\0'; at++)
            ck_assert_msg((unsigned char)*at >= 0x20 && *at != 0x7f, "%s", text);
        free(text);
    }
}
END_TEST

static const struct {
    const char *wire;
    size_t size;
    const char *json;
} rows[] = {
    {"\xc0", 1, "null"},
    {"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9, "{\"$u64\":\"18446744073709551615\"}"},
    {"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9, "9223372036854775807"},
    {"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9, "-9223372036854775808"},
    {"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", 9, "0.1"},
    {"\xcb\x40\x08\x00\x00\x00\x00\x00\x00", 9, "3.0"},
    {"\xca\x3f\x80\x00\x00", 5, "1.0"},
    {"\xc4\x03"
     "abc",
     5, "{\"$base64\":\"YWJj\"}"},
    {"\xd4\x05"
     "a",
     3, "{\"$ext\":5,\"$base64\":\"YQ==\"}"},
    {"\xa2\xff"
     "a",
     3,
     "\"\xef\xbf\xbd"
     "a\""},
    {"\xa1\xc3", 2, "\"\xef\xbf\xbd\""},
    {"\xa3\x1b[m", 4, "\"\\u001b[m\""},
    {"\xa2\xc2\x9b", 3, "\"\\u009b\""},
    {"\x82\x01\xa1x\x91\x02\xc3", 7, "{\"1\":\"x\",\"[2]\":true}"},
};

START_TEST(each_kind_is_printed_as_it_should)
{
    char *copy = malloc(rows[_i].size);
    memcpy(copy, rows[_i].wire, rows[_i].size);
    char *text = printed((struct bytes){copy, rows[_i].size}, json_print);
    ck_assert_str_eq(text, rows[_i].json);
    free(text);
    free(copy);
}
END_TEST

static const struct {
    const char *json, *reason;
    enum status status;
} bad[] = {
    {"", "line 1", STATUS_BAD_REQUEST},
    {"{", "line 1, column 1", STATUS_BAD_REQUEST},
    {"{\"a\":1,\n \"a\":2}", "duplicate", STATUS_BAD_REQUEST},
    {"18446744073709551615", "$u64", STATUS_BAD_REQUEST},
    {"{\"$u64\":\"18446744073709551616\"}", "$u64", STATUS_BAD_REQUEST},
    {"{\"$u64\":7}", "$u64", STATUS_BAD_REQUEST},
    {"{\"$u64\":\"\"}", "$u64", STATUS_BAD_REQUEST},
    {"{\"$base64\":\"a\"}", "$base64", STATUS_BAD_REQUEST},
    {"{\"$base64\":5}", "$base64", STATUS_BAD_REQUEST},
    {"{\"$f64\":\"infinite\"}", "$f64", STATUS_BAD_REQUEST},
    {"{\"$ext\":200,\"$base64\":\"YQ==\"}", "$ext", STATUS_BAD_REQUEST},
    {"nan", "line 1", STATUS_BAD_REQUEST},
    {"1 2", "line 1", STATUS_BAD_REQUEST},
    {"\"\xff\"", "line 1", STATUS_BAD_REQUEST},
};

START_TEST(what_is_no_json_is_refused_with_its_place)
{
    char reason[200] = "";
    struct bytes value;
    ck_assert_int_eq(reads(bytes_of(bad[_i].json), &value, reason), bad[_i].status);
    ck_assert_msg(strstr(reason, bad[_i].reason) != NULL, "%s", reason);
}
END_TEST

START_TEST(nesting_is_bounded_at_what_a_body_may_have)
{
    char text[2 * BODY_NESTING_MAX + 3], reason[200];
    struct bytes value;
    for (unsigned depth = BODY_NESTING_MAX; depth <= BODY_NESTING_MAX + 1; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        enum status status = reads((struct bytes){text, 2 * (size_t)depth}, &value, reason);
        ck_assert_int_eq(status, depth == BODY_NESTING_MAX ? STATUS_OK : STATUS_TOO_LARGE);
    }
}
END_TEST

START_TEST(what_does_not_fit_is_too_large)
{
    char small[4], reason[200];
    struct writer writer;
    writer_init(&writer, small, sizeof small);
    ck_assert_int_eq(json_read(bytes_of("\"1234\""), &writer, reason, sizeof reason),
                     STATUS_TOO_LARGE);
    writer_init(&writer, small, sizeof small);
    ck_assert_int_eq(json_read(bytes_of("\"123\""), &writer, reason, sizeof reason), STATUS_OK);
}
END_TEST

START_TEST(a_cell_has_no_quotes_and_no_controls)
{
    char *text = printed((struct bytes){"\xa9say \"a\\\"\x1b", 10}, json_print_plain);
    ck_assert_str_eq(text, "say \"a\\\"\\u001b");
    free(text);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, what_is_printed_reads_back_as_the_same_bytes);
    tcase_add_loop_test(tcase, each_kind_is_printed_as_it_should, 0, sizeof rows / sizeof rows[0]);
    tcase_add_loop_test(tcase, what_is_no_json_is_refused_with_its_place, 0,
                        sizeof bad / sizeof bad[0]);
    tcase_add_test(tcase, nesting_is_bounded_at_what_a_body_may_have);
    tcase_add_test(tcase, what_does_not_fit_is_too_large);
    tcase_add_test(tcase, a_cell_has_no_quotes_and_no_controls);
}

int main(void)
{
    return suite_run("json", add_tests);
}
