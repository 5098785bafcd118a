/* test_breaker - a breaker opens when too much fails and only then, keeps shut off for as long as
 * it says, tries a few, and comes back little by little; whatever is reported late does not count.
 */
#include "actors/runtime/breaker.h"
#include "protocol/limits.h"
#include "tests/support/suite.h"

static struct breaker breaker;
static int64_t now_at;
static uint64_t seed;

static void setup(void)
{
    breaker_init(&breaker, breaker_rule(BREAKER_DEFAULT));
    now_at = 1000 * US_PER_S;
    seed = 20261128;
}

/* One call; false: it was not let through. */
static bool call(enum breaker_outcome outcome)
{
    uint32_t token = 0;
    int64_t after_us = 0;
    if (!breaker_admit(&breaker, now_at, random_next(&seed), &token, &after_us)) {
        ck_assert_int_gt(after_us, 0);
        return false;
    }
    (void)breaker_report(&breaker, now_at, random_next(&seed), token, outcome);
    return true;
}

static void fail_calls(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        ck_assert(call(BREAKER_FAILURE));
}

static int64_t open_for_us(void)
{
    ck_assert_int_eq(breaker.state, BREAKER_OPEN);
    return breaker.until_at - now_at;
}

START_TEST(half_of_twenty_calls_must_fail)
{
    for (unsigned i = 0; i < 10; i++)
        ck_assert(call(BREAKER_SUCCESS));
    fail_calls(9);
    ck_assert_int_eq(breaker.state, BREAKER_CLOSED);
    fail_calls(1);
    ck_assert_int_eq(breaker.state, BREAKER_OPEN);
}
END_TEST

START_TEST(fewer_calls_than_twenty_prove_nothing)
{
    fail_calls(19);
    ck_assert_int_eq(breaker.state, BREAKER_CLOSED);
    ck_assert(call(BREAKER_SUCCESS));
    ck_assert_int_eq(breaker.state, BREAKER_CLOSED); /* it is a failure that opens */
    fail_calls(1);
    ck_assert_int_eq(breaker.state, BREAKER_OPEN);
}
END_TEST

START_TEST(failures_fade)
{
    fail_calls(19);
    now_at += 11 * US_PER_S;
    fail_calls(1);
    ck_assert_int_eq(breaker.state, BREAKER_CLOSED);
}
END_TEST

START_TEST(what_says_nothing_of_the_other_side_does_not_count)
{
    for (unsigned i = 0; i < 100; i++)
        ck_assert(call(BREAKER_NEITHER));
    fail_calls(19);
    ck_assert_int_eq(breaker.state, BREAKER_CLOSED);
}
END_TEST

START_TEST(open_it_says_how_long)
{
    uint32_t token;
    int64_t after_us = 0;
    fail_calls(20);
    int64_t for_us = open_for_us();
    ck_assert_int_ge(for_us, 4 * US_PER_S);
    ck_assert_int_le(for_us, 6 * US_PER_S);
    ck_assert(!breaker_admit(&breaker, now_at, 0, &token, &after_us));
    ck_assert_int_eq(after_us, for_us);
    now_at += for_us - 1;
    ck_assert(!breaker_admit(&breaker, now_at, 0, &token, &after_us));
    ck_assert_int_eq(after_us, 1);
    now_at += 1;
    ck_assert(breaker_admit(&breaker, now_at, 0, &token, &after_us));
}
END_TEST

START_TEST(three_probes_go_and_their_success_closes_it)
{
    uint32_t tokens[4] = {0};
    int64_t after_us = 0;
    fail_calls(20);
    now_at = breaker.until_at;
    for (unsigned i = 0; i < 3; i++)
        ck_assert(breaker_admit(&breaker, now_at, 0, &tokens[i], &after_us));
    ck_assert(!breaker_admit(&breaker, now_at, 0, &tokens[3], &after_us));
    ck_assert(!breaker_report(&breaker, now_at, 0, tokens[0], BREAKER_SUCCESS));
    ck_assert(!breaker_admit(&breaker, now_at, 0, &tokens[3], &after_us)); /* three are enough */
    ck_assert(!breaker_report(&breaker, now_at, 0, tokens[1], BREAKER_SUCCESS));
    ck_assert(breaker_report(&breaker, now_at, 0, tokens[2], BREAKER_SUCCESS));
    ck_assert_int_eq(breaker.state, BREAKER_CLOSED);
}
END_TEST

START_TEST(a_probe_of_which_nothing_is_known_may_be_tried_again)
{
    uint32_t token = 0;
    int64_t after_us = 0;
    fail_calls(20);
    now_at = breaker.until_at;
    for (unsigned i = 0; i < 20; i++) {
        ck_assert(breaker_admit(&breaker, now_at, 0, &token, &after_us));
        ck_assert(!breaker_report(&breaker, now_at, 0, token, BREAKER_NEITHER));
    }
    ck_assert_int_eq(breaker.state, BREAKER_HALF_OPEN);
}
END_TEST

START_TEST(each_failed_probe_doubles_the_time_up_to_a_minute)
{
    int64_t expected_us = 5 * US_PER_S;
    fail_calls(20);
    for (unsigned i = 0; i < 8; i++) {
        ck_assert_int_ge(open_for_us(), expected_us * 80 / 100);
        ck_assert_int_le(open_for_us(), expected_us * 120 / 100);
        now_at = breaker.until_at;
        fail_calls(1);
        expected_us = expected_us * 2 > 60 * US_PER_S ? 60 * US_PER_S : expected_us * 2;
    }
}
END_TEST

static void close_it(void)
{
    now_at = breaker.until_at;
    for (unsigned i = 0; i < 3; i++)
        ck_assert(call(BREAKER_SUCCESS));
    ck_assert_int_eq(breaker.state, BREAKER_CLOSED);
}

static unsigned let_through_of_1000(void)
{
    unsigned through = 0;
    for (unsigned i = 0; i < 1000; i++)
        through += call(BREAKER_SUCCESS);
    return through;
}

START_TEST(closed_again_it_lets_a_growing_share_through)
{
    fail_calls(20);
    close_it();
    unsigned first = let_through_of_1000();
    now_at += 2500 * US_PER_MS;
    unsigned later = let_through_of_1000();
    now_at += 2500 * US_PER_MS;
    ck_assert_uint_ge(first, 200);
    ck_assert_uint_le(first, 300);
    ck_assert_uint_ge(later, 550);
    ck_assert_uint_le(later, 700);
    ck_assert_uint_eq(let_through_of_1000(), 1000);
}
END_TEST

START_TEST(a_relapse_lasts_longer_until_it_has_stayed_closed)
{
    fail_calls(20);
    close_it();
    for (unsigned i = 0; breaker.state == BREAKER_CLOSED && i < 1000; i++)
        (void)call(BREAKER_FAILURE);
    ck_assert_int_ge(open_for_us(), 8 * US_PER_S);
    close_it();
    now_at += 10 * US_PER_S;
    ck_assert(call(BREAKER_SUCCESS));
    fail_calls(19);
    ck_assert_int_le(open_for_us(), 6 * US_PER_S);
}
END_TEST

START_TEST(what_was_let_through_before_does_not_count_after)
{
    uint32_t old[25];
    int64_t after_us;
    for (unsigned i = 0; i < 25; i++)
        ck_assert(breaker_admit(&breaker, now_at, 0, &old[i], &after_us));
    fail_calls(20);
    now_at = breaker.until_at;
    uint32_t probe;
    ck_assert(breaker_admit(&breaker, now_at, 0, &probe, &after_us));
    for (unsigned i = 0; i < 25; i++)
        ck_assert(!breaker_report(&breaker, now_at, 0, old[i],
                                  i % 2 ? BREAKER_FAILURE : BREAKER_SUCCESS));
    ck_assert_int_eq(breaker.state, BREAKER_HALF_OPEN);
    ck_assert_uint_eq(breaker.probes_good, 0);
}
END_TEST

START_TEST(an_operator_goes_before)
{
    ck_assert(breaker_set_force(&breaker, BREAKER_FORCE_OPEN));
    ck_assert(!call(BREAKER_SUCCESS));
    ck_assert_int_eq(breaker_seen(&breaker), BREAKER_OPEN);
    ck_assert(breaker_set_force(&breaker, BREAKER_FORCE_CLOSED));
    for (unsigned i = 0; i < 100; i++)
        ck_assert(call(BREAKER_FAILURE));
    ck_assert_int_eq(breaker_seen(&breaker), BREAKER_CLOSED);
    ck_assert(breaker_set_force(&breaker, BREAKER_FORCE_NONE)); /* its own opinion */
    ck_assert_int_eq(breaker_seen(&breaker), BREAKER_OPEN);
    breaker_reset(&breaker);
    ck_assert(call(BREAKER_SUCCESS));
    ck_assert_int_eq(breaker_seen(&breaker), BREAKER_CLOSED);
}
END_TEST

/* failures, successes that close, seconds open: by row. */
static const struct {
    const char *name;
    unsigned failures, probes;
    int64_t open_s;
} rows[] = {{"development", 3, 2, 30},
            {"standard", 5, 3, 60},
            {"production", 10, 5, 60},
            {"high_traffic", 15, 3, 120}};

START_TEST(the_profiles_count_failures_in_a_row)
{
    enum breaker_profile profile;
    ck_assert(breaker_profile_find(rows[_i].name, &profile));
    breaker_init(&breaker, breaker_rule(profile));
    for (unsigned round = 0; round < 3; round++) { /* a success begins the row anew */
        fail_calls(rows[_i].failures - 1);
        ck_assert(call(BREAKER_SUCCESS));
    }
    fail_calls(rows[_i].failures - 1);
    ck_assert_int_eq(breaker.state, BREAKER_CLOSED);
    fail_calls(1);
    ck_assert_int_ge(open_for_us(), rows[_i].open_s * US_PER_S * 80 / 100);
    ck_assert_int_le(open_for_us(), rows[_i].open_s * US_PER_S * 120 / 100);
    now_at = breaker.until_at;
    for (unsigned i = 0; i < rows[_i].probes; i++) {
        ck_assert_int_ne(breaker.state, BREAKER_CLOSED);
        ck_assert(call(BREAKER_SUCCESS));
    }
    ck_assert_int_eq(breaker.state, BREAKER_CLOSED);
    ck_assert(!breaker_profile_find("nonsense", &profile));
}
END_TEST

/* Whatever happens: never more probes than it says, never shut off for longer than it says, and a
 * healthy other side is served by all in the end. */
START_TEST(whatever_happens_it_comes_back)
{
    breaker_init(&breaker, breaker_rule((enum breaker_profile)(_i % BREAKER_PROFILES)));
    seed = 7000 + (uint64_t)_i;
    for (unsigned step = 0; step < 5000; step++) {
        now_at += (int64_t)(random_next(&seed) % (2 * US_PER_S));
        (void)call((enum breaker_outcome)(random_next(&seed) % 3));
        ck_assert_uint_le(breaker.probes_out + breaker.probes_good, breaker.rule->probes);
        if (breaker.state == BREAKER_OPEN)
            ck_assert_int_le(breaker.until_at - now_at, breaker.rule->open_max_us * 120 / 100);
    }
    for (unsigned step = 0; step < 1000; step++) {
        now_at += US_PER_S;
        (void)call(BREAKER_SUCCESS);
    }
    ck_assert_int_eq(breaker.state, BREAKER_CLOSED);
    ck_assert_uint_eq(let_through_of_1000(), 1000);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, half_of_twenty_calls_must_fail);
    tcase_add_test(tcase, fewer_calls_than_twenty_prove_nothing);
    tcase_add_test(tcase, failures_fade);
    tcase_add_test(tcase, what_says_nothing_of_the_other_side_does_not_count);
    tcase_add_test(tcase, open_it_says_how_long);
    tcase_add_test(tcase, three_probes_go_and_their_success_closes_it);
    tcase_add_test(tcase, a_probe_of_which_nothing_is_known_may_be_tried_again);
    tcase_add_test(tcase, each_failed_probe_doubles_the_time_up_to_a_minute);
    tcase_add_test(tcase, closed_again_it_lets_a_growing_share_through);
    tcase_add_test(tcase, a_relapse_lasts_longer_until_it_has_stayed_closed);
    tcase_add_test(tcase, what_was_let_through_before_does_not_count_after);
    tcase_add_test(tcase, an_operator_goes_before);
    tcase_add_loop_test(tcase, the_profiles_count_failures_in_a_row, 0, 4);
    tcase_add_loop_test(tcase, whatever_happens_it_comes_back, 0, SUITE_SEEDS(50));
}

int main(void)
{
    return suite_run("breaker", add_tests);
}
