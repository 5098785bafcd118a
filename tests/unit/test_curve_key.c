/* test_curve_key - what is written is read again, as czmq's certificates are; what is no key is
 * refused at every byte; a secret is written only where it is asked for. */
#include "protocol/curve_key.h"

#include <stdio.h>
#include <zmq.h>

#include "protocol/value.h"
#include "tests/support/suite.h"

static struct curve_pair pair;

static void setup(void)
{
    ck_assert_int_eq(zmq_curve_keypair(pair.public_key, pair.secret_key), 0);
}

START_TEST(what_is_written_is_read)
{
    char text[CURVE_FILE_BYTES_MAX];
    struct curve_pair read;
    size_t size = curve_pair_write(&pair, "a key", true, text);
    ck_assert(curve_pair_read((struct bytes){text, size}, &read));
    ck_assert_str_eq(read.public_key, pair.public_key);
    ck_assert_str_eq(read.secret_key, pair.secret_key);
    size = curve_pair_write(&pair, "a key", false, text);
    ck_assert_ptr_null(strstr(text, pair.secret_key));
    ck_assert(curve_pair_read((struct bytes){text, size}, &read));
    ck_assert_str_eq(read.secret_key, "");
    curve_pair_wipe(&read);
    ck_assert_str_eq(read.public_key, "");
}
END_TEST

START_TEST(a_key_cut_or_changed_is_none)
{
    char bad[CURVE_KEY_BYTES + 2];
    ck_assert(curve_key_is_sound(bytes_of(pair.public_key)));
    ck_assert(!curve_key_is_sound((struct bytes){0}));
    for (size_t size = 0; size < CURVE_KEY_BYTES; size++)
        ck_assert(!curve_key_is_sound((struct bytes){pair.public_key, size}));
    snprintf(bad, sizeof bad, "%s0", pair.public_key);
    ck_assert(!curve_key_is_sound(bytes_of(bad)));
    for (size_t i = 0; i < CURVE_KEY_BYTES; i++) {
        snprintf(bad, sizeof bad, "%s", pair.public_key);
        bad[i] = '"';
        ck_assert(!curve_key_is_sound((struct bytes){bad, CURVE_KEY_BYTES}));
        bad[i] = '\0';
        ck_assert(!curve_key_is_sound((struct bytes){bad, CURVE_KEY_BYTES}));
    }
    /* 85^5 is more than 2^32: libzmq would not take it either. */
    memset(bad, '#', CURVE_KEY_BYTES);
    bad[CURVE_KEY_BYTES] = '\0';
    uint8_t raw[CURVE_KEY_RAW_BYTES];
    ck_assert(!curve_key_is_sound((struct bytes){bad, CURVE_KEY_BYTES}));
    ck_assert_ptr_null(zmq_z85_decode(raw, bad));
}
END_TEST

START_TEST(what_libzmq_makes_is_sound)
{
    for (int i = 0; i < 64; i++) {
        setup();
        ck_assert(curve_key_is_sound(bytes_of(pair.public_key)));
        ck_assert(curve_key_is_sound(bytes_of(pair.secret_key)));
    }
}
END_TEST

static const char key[] = "uKDwhsH*xcbI^}<[c%.37@tOjyiw@6V+?s%^/N-2";
#define KEY "uKDwhsH*xcbI^}<[c%.37@tOjyiw@6V+?s%^/N-2"

static const struct {
    const char *text;
    uint32_t servers; /* 0: it is refused */
    bool pair;
} texts[] = {
    {"public-key=" KEY, 1, true},
    {"#   ****\nmetadata\n    name = \"x\"\ncurve\n\tpublic-key = \"" KEY "\"\r\n", 1, true},
    {"public-key = \"" KEY "\"\npublic-key = " KEY "\n", 2, false},
    {"# public-key = \"" KEY "\"\n", 0, false},
    {"", 0, false},
    {"public-key", 0, false},
    {"public-key =", 0, false},
    {"public-key = \"" KEY, 0, false},
    {"public-keys = \"" KEY "\"", 0, false},
    {"secret-key = \"" KEY "\"", 0, false},
    {"public-key = " KEY "\nsecret-key = short", 1, false},
    {"public-key = " KEY "\nsecret-key = " KEY "\nsecret-key = " KEY, 1, false},
    {"public-key=" KEY "\npublic-key=" KEY "\npublic-key=" KEY "\npublic-key=" KEY
     "\npublic-key=" KEY,
     0, false},
};

START_TEST(a_file_holds_a_pair_or_servers)
{
    struct curve_pair read = {.public_key = "before"};
    struct curve_servers servers = {.count = 77};
    struct bytes text = bytes_of(texts[_i].text);
    ck_assert_int_eq(curve_pair_read(text, &read), texts[_i].pair);
    ck_assert_str_eq(read.public_key, texts[_i].pair ? key : "before");
    ck_assert_int_eq(curve_servers_read(text, &servers), texts[_i].servers > 0);
    ck_assert_uint_eq(servers.count, texts[_i].servers > 0 ? texts[_i].servers : 77);
}
END_TEST

START_TEST(an_id_is_of_the_key_alone)
{
    char id[CURVE_KEY_ID_BYTES + 1], again[CURVE_KEY_ID_BYTES + 1];
    curve_key_id(key, id);
    curve_key_id(key, again);
    ck_assert_str_eq(id, again);
    ck_assert_uint_eq(strspn(id, "0123456789abcdef"), CURVE_KEY_ID_BYTES);
    curve_key_id(pair.public_key, again);
    ck_assert_str_ne(id, again);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, what_is_written_is_read);
    tcase_add_test(tcase, a_key_cut_or_changed_is_none);
    tcase_add_test(tcase, what_libzmq_makes_is_sound);
    tcase_add_loop_test(tcase, a_file_holds_a_pair_or_servers, 0, sizeof texts / sizeof texts[0]);
    tcase_add_test(tcase, an_id_is_of_the_key_alone);
}

int main(void)
{
    return suite_run("curve_key", add_tests);
}
