/* test_handshakes - a connection is made anew a while after its first failure, with the next key
 * where that may help, and never once a handshake has succeeded. */
#include "protocol/handshakes.h"

#include "protocol/limits.h"
#include "tests/support/suite.h"

#define AGAIN HANDSHAKES_AGAIN_US

static struct handshakes one;

START_TEST(what_fails_is_tried_again_once)
{
    handshakes_init(&one, 1);
    ck_assert(!handshakes_are_due(&one, INT64_MAX - 1));
    ck_assert(handshakes_hear(&one, HANDSHAKES_REFUSED, 10));
    ck_assert(!handshakes_are_due(&one, AGAIN + 9));
    ck_assert(handshakes_are_due(&one, AGAIN + 10));
    ck_assert(!handshakes_are_due(&one, AGAIN + 11));
    ck_assert_ptr_nonnull(handshakes_refusal(&one));
}
END_TEST

START_TEST(a_handshake_that_succeeds_ends_it)
{
    handshakes_init(&one, 2);
    ck_assert(handshakes_hear(&one, HANDSHAKES_CLOSED, 10));
    ck_assert(!handshakes_hear(&one, HANDSHAKES_GOOD, 20));
    ck_assert(!handshakes_are_due(&one, INT64_MAX - 1));
    ck_assert_uint_eq(one.key, 0);
    ck_assert_ptr_null(handshakes_refusal(&one));
}
END_TEST

START_TEST(more_failures_do_not_put_it_off)
{
    handshakes_init(&one, 1);
    for (int64_t at = 0; at < AGAIN; at += AGAIN / 10)
        ck_assert_int_eq(handshakes_hear(&one, HANDSHAKES_CLOSED, at), at == 0);
    ck_assert(handshakes_are_due(&one, AGAIN));
}
END_TEST

START_TEST(the_next_key_is_tried_unless_it_was_the_right_one)
{
    handshakes_init(&one, 3);
    for (uint32_t i = 0; i < 7; i++) {
        ck_assert_uint_eq(one.key, i % 3);
        ck_assert(handshakes_hear(&one, HANDSHAKES_CLOSED, i * AGAIN));
        ck_assert(handshakes_are_due(&one, (i + 1) * AGAIN));
    }
    ck_assert(handshakes_hear(&one, HANDSHAKES_REFUSED, 0));
    ck_assert(handshakes_are_due(&one, AGAIN));
    ck_assert_uint_eq(one.key, 7 % 3);
}
END_TEST

START_TEST(without_keys_a_closed_connection_is_libzmqs)
{
    handshakes_init(&one, 0);
    ck_assert(!handshakes_hear(&one, HANDSHAKES_CLOSED, 0));
    ck_assert(!handshakes_are_due(&one, INT64_MAX - 1));
    ck_assert_ptr_nonnull(handshakes_refusal(&one));
    ck_assert(handshakes_hear(&one, HANDSHAKES_FOREIGN, 0));
    ck_assert(handshakes_are_due(&one, AGAIN));
    ck_assert_uint_eq(one.key, 0);
}
END_TEST

START_TEST(elsewhere_begins_anew_and_other_events_are_none)
{
    handshakes_init(&one, 1);
    ck_assert(!handshakes_hear(&one, 0x0200, 0)); /* disconnected */
    ck_assert(handshakes_hear(&one, HANDSHAKES_FOREIGN, 0));
    handshakes_begin(&one);
    ck_assert(!handshakes_are_due(&one, INT64_MAX - 1));
    ck_assert_ptr_null(handshakes_refusal(&one));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, what_fails_is_tried_again_once);
    tcase_add_test(tcase, a_handshake_that_succeeds_ends_it);
    tcase_add_test(tcase, more_failures_do_not_put_it_off);
    tcase_add_test(tcase, the_next_key_is_tried_unless_it_was_the_right_one);
    tcase_add_test(tcase, without_keys_a_closed_connection_is_libzmqs);
    tcase_add_test(tcase, elsewhere_begins_anew_and_other_events_are_none);
}

int main(void)
{
    return suite_run("handshakes", add_tests);
}
