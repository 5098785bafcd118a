/* test_seal - what was closed opens to the parts that were put in, byte for byte; after any damage,
 * or under any seal that is right and makes no sense, it does not open, or opens within its bounds.
 */
#include "actors/driver/seal.h"

#include <string.h>
#include <xxhash.h>

#include "tests/support/suite.h"

static char room[4096];

static struct bytes close(const char *text, const char *deps)
{
    static const char nothing[SEAL_BYTES];
    struct bytes body = {0};
    struct msg_kept kept = {.value = bytes_of("\x93\x01\x02\xa3"
                                              "abc"),
                            .text = bytes_of(text),
                            .sources = bytes_of("\x92\x81\xa4tool\xa1"
                                                "A\x81\xa4tool\xa1"
                                                "B"),
                            .as_of = 1700000000000,
                            .deps = bytes_of(deps),
                            .seal = {nothing, sizeof nothing}};
    ck_assert_int_eq(message_encode(MSG_KEPT, &kept, room, sizeof room, &body), STATUS_OK);
    seal_close(room, body.size);
    return body;
}

static const struct {
    const char *text, *deps;
} cases[] = {
    {NULL, NULL}, {"a sentence", NULL}, {NULL, "\x91\xa4t:db"}, {"a sentence", "\x91\xa4t:db"}};

START_TEST(what_was_closed_opens_to_its_parts)
{
    struct msg_kept message;
    struct sealed sealed;
    struct bytes kept = close(cases[_i].text, cases[_i].deps);
    ck_assert_int_eq(message_decode(MSG_KEPT, kept, &message), STATUS_OK);
    ck_assert(seal_open(kept, &sealed));
    ck_assert(bytes_equal(sealed.sources, message.sources));
    ck_assert_uint_eq(sealed.said_pairs, cases[_i].text == NULL ? 1 : 2);
    ck_assert_ptr_eq(sealed.said.data, kept.data + 1);
    struct bytes last = message.text.data != NULL ? message.text : message.value;
    ck_assert_ptr_eq(sealed.said.data + sealed.said.size, last.data + last.size);
    ck_assert_uint_eq(sealed.as_of.size, strlen("\xa5"
                                                "as_of") +
                                             9);
    ck_assert_int_eq(memcmp(sealed.as_of.data,
                            "\xa5"
                            "as_of\xcf",
                            7),
                     0);
}
END_TEST

START_TEST(what_was_damaged_does_not_open)
{
    struct sealed sealed;
    struct bytes kept = close(cases[_i].text, cases[_i].deps);
    for (size_t at = 0; at < kept.size; at++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            room[at] = (char)((unsigned char)room[at] ^ 1u << bit);
            ck_assert(!seal_open(kept, &sealed));
            room[at] = (char)((unsigned char)room[at] ^ 1u << bit);
        }
        ck_assert(!seal_open((struct bytes){room, at}, &sealed));
    }
    ck_assert(seal_open(kept, &sealed));
}
END_TEST

START_TEST(what_has_no_seal_does_not_open)
{
    struct sealed sealed;
    struct bytes body = {0};
    struct msg_kept kept = {.value = bytes_of("\x01"), .sources = bytes_of("\x90")};
    ck_assert_int_eq(message_encode(MSG_KEPT, &kept, room, sizeof room, &body), STATUS_OK);
    ck_assert(!seal_open(body, &sealed));
    ck_assert(!seal_open((struct bytes){NULL, 0}, &sealed));
}
END_TEST

static bool is_within(struct bytes part, struct bytes whole)
{
    return part.data >= whole.data && part.data <= whole.data + whole.size &&
           part.size <= (size_t)(whole.data + whole.size - part.data);
}

/* A peer that makes seals: the hash is right, and the marks are anything. */
START_TEST(marks_of_anybody_stay_within_what_was_opened)
{
    uint64_t seed = 5;
    struct sealed sealed;
    struct bytes kept = close("a sentence", "\x90");
    unsigned opened = 0;
    for (int round = 0; round < 100000; round++) {
        for (unsigned i = 0; i < 4; i++) {
            uint32_t mark = (uint32_t)(random_next(&seed) % (kept.size + 8));
            mark = i == 3 ? (uint32_t)(random_next(&seed) % 4) : mark;
            mark = random_next(&seed) % 64 == 0 ? (uint32_t)random_next(&seed) : mark;
            memcpy(room + kept.size - SEAL_BYTES + i * sizeof mark, &mark, sizeof mark);
        }
        uint64_t hash = XXH3_64bits(room, kept.size - sizeof hash);
        memcpy(room + kept.size - sizeof hash, &hash, sizeof hash);
        if (!seal_open(kept, &sealed))
            continue;
        opened++;
        ck_assert(is_within(sealed.said, kept));
        ck_assert(is_within(sealed.sources, kept));
        ck_assert(is_within(sealed.as_of, kept));
    }
    ck_assert_uint_gt(opened, 1000);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, what_was_closed_opens_to_its_parts, 0,
                        sizeof cases / sizeof cases[0]);
    tcase_add_loop_test(tcase, what_was_damaged_does_not_open, 0, sizeof cases / sizeof cases[0]);
    tcase_add_test(tcase, what_has_no_seal_does_not_open);
    tcase_add_test(tcase, marks_of_anybody_stay_within_what_was_opened);
}

int main(void)
{
    return suite_run("seal", add_tests);
}
