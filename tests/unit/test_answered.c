/* test_answered - answers are known again by tenant, method, key, user and body, and by nothing
 * less; the oldest are forgotten over either bound, and all by age; what runs never is. */
#include <string.h>

#include "actors/runtime/answered.h"
#include "actors/runtime/held.h"
#include "tests/support/suite.h"

#define ENTRIES 8u
#define BYTES 64u

static struct answered *answered;
static int64_t now_at = US_PER_S;

static void setup(void)
{
    answered = answered_new(ENTRIES, BYTES, 3);
}

static void teardown(void)
{
    answered_destroy(&answered);
    ck_assert_ptr_null(answered);
}

/* Of a request whose key begins with this byte. */
static void name(char first, char *out)
{
    char key[IDEMPOTENCY_KEY_BYTES] = {first};
    struct header header = {.method = bytes_of("query"), .idempotency_key = {key, sizeof key}};
    answered_name(answered, &header, bytes_of("body"), out);
}

static enum answered_state begin(char first, struct answer *ret)
{
    char its[ANSWERED_NAME_BYTES];
    name(first, its);
    return answered_begin(answered, its, now_at, ret);
}

static void end(char first, const char *body)
{
    char its[ANSWERED_NAME_BYTES];
    struct answer answer = {.status = STATUS_OK, .executed = EXECUTED_YES, .body = bytes_of(body)};
    name(first, its);
    answered_end(answered, its, body == NULL ? NULL : &answer, now_at);
}

START_TEST(an_answer_is_known_again)
{
    struct answer answer;
    ck_assert_int_eq(begin(1, &answer), ANSWERED_NEW);
    ck_assert_int_eq(begin(1, &answer), ANSWERED_RUNNING);
    end(1, "seven");
    ck_assert_int_eq(begin(1, &answer), ANSWERED_DONE);
    ck_assert(bytes_are(answer.body, "seven"));
    ck_assert_int_eq(answer.executed, EXECUTED_YES);
    ck_assert_uint_eq(answered_bytes(answered), 5);
}
END_TEST

START_TEST(what_may_run_again_is_forgotten)
{
    struct answer answer;
    ck_assert_int_eq(begin(1, &answer), ANSWERED_NEW);
    end(1, NULL);
    ck_assert_uint_eq(answered_count(answered), 0);
    ck_assert_int_eq(begin(1, &answer), ANSWERED_NEW);
}
END_TEST

/* Each part of the name counts, and none runs into the next. */
START_TEST(a_name_is_all_of_its_parts)
{
    char key[2][IDEMPOTENCY_KEY_BYTES] = {{1}, {2}}, names[7][ANSWERED_NAME_BYTES];
    const struct header headers[] = {
        {.method = bytes_of("ab"), .idempotency_key = {key[0], sizeof key[0]}},
        {.method = bytes_of("ab"), .idempotency_key = {key[1], sizeof key[1]}},
        {.method = bytes_of("a"),
         .tenant = bytes_of("b"),
         .idempotency_key = {key[0], sizeof key[0]}},
        {.method = bytes_of("ab"),
         .tenant = bytes_of("b"),
         .idempotency_key = {key[0], sizeof key[0]}},
        {.method = bytes_of("ab"),
         .extension = {"\x81\xa4user\xa1z", 8},
         .idempotency_key = {key[0], sizeof key[0]}},
        {.method = bytes_of("b"),
         .tenant = bytes_of("a"),
         .idempotency_key = {key[0], sizeof key[0]}},
    };
    for (size_t i = 0; i < 6; i++)
        answered_name(answered, &headers[i], bytes_of("body"), names[i]);
    answered_name(answered, &headers[0], bytes_of("bodx"), names[6]);
    for (size_t i = 0; i < 7; i++)
        for (size_t k = 0; k < i; k++)
            ck_assert_int_ne(memcmp(names[i], names[k], ANSWERED_NAME_BYTES), 0);
}
END_TEST

START_TEST(over_its_entries_the_oldest_answer_goes)
{
    struct answer answer;
    ck_assert_int_eq(begin(99, &answer), ANSWERED_NEW); /* runs all the while */
    for (char first = 0; first < (char)ENTRIES; first++) {
        ck_assert_int_eq(begin(first, &answer), ANSWERED_NEW);
        end(first, "x");
    }
    ck_assert_uint_eq(answered_count(answered), ENTRIES);
    ck_assert_int_eq(begin(99, &answer), ANSWERED_RUNNING);
    ck_assert_int_eq(begin((char)(ENTRIES - 1), &answer), ANSWERED_DONE);
    ck_assert_int_eq(begin(0, &answer), ANSWERED_NEW);
}
END_TEST

START_TEST(over_its_bytes_the_oldest_answer_goes)
{
    struct answer answer;
    char body[BYTES + 2];
    memset(body, 'x', sizeof body);
    body[BYTES / 2] = '\0';
    for (char first = 0; first < 3; first++) {
        begin(first, &answer);
        end(first, body);
    }
    ck_assert_uint_eq(answered_bytes(answered), BYTES);
    ck_assert_int_eq(begin(0, &answer), ANSWERED_NEW);
    body[BYTES / 2] = 'x';
    body[BYTES + 1] = '\0';
    end(0, body); /* larger than all that may be kept */
    ck_assert_int_eq(begin(0, &answer), ANSWERED_NEW);
    ck_assert_int_eq(begin(2, &answer), ANSWERED_DONE);
}
END_TEST

START_TEST(an_answer_is_forgotten_by_age)
{
    struct answer answer;
    begin(1, &answer);
    end(1, "x");
    begin(2, &answer);
    now_at += ANSWERED_MS * US_PER_MS - 1;
    ck_assert_int_eq(begin(1, &answer), ANSWERED_DONE);
    now_at++;
    ck_assert_int_eq(begin(2, &answer), ANSWERED_RUNNING);
    ck_assert_int_eq(begin(1, &answer), ANSWERED_NEW);
    ck_assert_uint_eq(answered_bytes(answered), 0);
}
END_TEST

START_TEST(those_who_wait_for_an_answer_are_found)
{
    struct held *held = held_new(8);
    struct held_request request = {.link = 2, .keyed = true, .waits = true}, found;
    for (uint64_t id = 1; id <= 4; id++) {
        request.id = id;
        request.waits = id > 1;
        request.name[0] = (char)(id == 4);
        ck_assert_int_eq(held_add(held, &request), STATUS_OK);
    }
    request.name[0] = 0;
    ck_assert(held_remove_waiting(held, request.name, &found));
    ck_assert(held_remove_waiting(held, request.name, &found));
    ck_assert(!held_remove_waiting(held, request.name, &found));
    ck_assert_uint_eq(held_count(held), 2);
    ck_assert_ptr_nonnull(held_find(held, 2, 0, 1));
    ck_assert_ptr_nonnull(held_find(held, 2, 0, 4));
    held_destroy(&held);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_answer_is_known_again);
    tcase_add_test(tcase, what_may_run_again_is_forgotten);
    tcase_add_test(tcase, a_name_is_all_of_its_parts);
    tcase_add_test(tcase, over_its_entries_the_oldest_answer_goes);
    tcase_add_test(tcase, over_its_bytes_the_oldest_answer_goes);
    tcase_add_test(tcase, an_answer_is_forgotten_by_age);
    tcase_add_test(tcase, those_who_wait_for_an_answer_are_found);
}

int main(void)
{
    return suite_run("answered", add_tests);
}
