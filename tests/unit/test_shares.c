/* test_shares - a busy broker gets what the others do not use, two busy ones get the same, nobody
 * has less than one, and what is out is never more than there is, but for that one each. */
#include <string.h>

#include "actors/runtime/shares.h"
#include "tests/support/suite.h"

#define BROKERS 3u
#define CONCURRENCY 30u

static struct share shares[BROKERS];
static int64_t spare;

static void greet(unsigned i)
{
    shares[i] = (struct share){.up = true, .share = shares_first(CONCURRENCY, BROKERS)};
    spare -= shares[i].share;
}

static void setup(void)
{
    spare = CONCURRENCY;
    for (unsigned i = 0; i < BROKERS; i++)
        greet(i);
}

/* A tick: each wants so many at once and takes what it may; what is decided comes true. */
static void tick(const uint32_t *wants)
{
    for (unsigned i = 0; i < BROKERS; i++) {
        struct share *one = &shares[i];
        one->held = wants[i] < one->share ? wants[i] : one->share;
        one->peak = one->held;
    }
    spare = shares_split(shares, BROKERS, spare);
    int64_t out = 0;
    for (unsigned i = 0; i < BROKERS; i++) {
        struct share *one = &shares[i];
        uint32_t unused = one->share - one->held;
        uint32_t back = one->ask_back < unused ? one->ask_back : unused;
        ck_assert_uint_le(one->withhold, one->share);
        one->share += one->grant;
        one->share -= back + one->withhold;
        spare += back + one->withhold;
        ck_assert(!one->up || one->share >= 1);
        out += one->share;
    }
    ck_assert_int_eq(out + spare, CONCURRENCY);
}

static void run(unsigned ticks, const uint32_t *wants)
{
    for (unsigned i = 0; i < ticks; i++)
        tick(wants);
}

START_TEST(without_need_nothing_moves)
{
    run(100, (const uint32_t[]){9, 0, 3});
    for (unsigned i = 0; i < BROKERS; i++)
        ck_assert_uint_eq(shares[i].share, CONCURRENCY / BROKERS);
}
END_TEST

START_TEST(a_busy_broker_has_what_the_others_do_not_use_within_a_second)
{
    run(10, (const uint32_t[]){100, 0, 0});
    ck_assert_uint_ge(shares[0].share, CONCURRENCY - 4);
    run(20, (const uint32_t[]){100, 0, 0});
    ck_assert_uint_eq(shares[0].share, CONCURRENCY - 2);
    ck_assert_uint_eq(shares[1].share, 1);
}
END_TEST

START_TEST(what_a_broker_uses_it_keeps)
{
    run(30, (const uint32_t[]){100, 5, 0});
    ck_assert_uint_ge(shares[1].share, 5);
    ck_assert_uint_eq(shares[2].share, 1);
}
END_TEST

START_TEST(all_that_are_busy_come_to_the_same)
{
    run(30, (const uint32_t[]){100, 0, 0});
    run(60, (const uint32_t[]){100, 100, 100});
    for (unsigned i = 0; i < BROKERS; i++) {
        ck_assert_uint_ge(shares[i].share, CONCURRENCY / BROKERS - 1);
        ck_assert_uint_le(shares[i].share, CONCURRENCY / BROKERS + 1);
    }
}
END_TEST

/* Its share is free when it dies; when it comes back it has its part, and the others make room. */
START_TEST(what_a_lost_broker_had_goes_to_the_others_until_it_is_back)
{
    shares[2].up = false;
    spare += shares[2].share;
    shares[2].share = 0;
    run(20, (const uint32_t[]){100, 100, 0});
    ck_assert_uint_eq(shares[0].share + shares[1].share, CONCURRENCY);
    ck_assert_uint_ge(shares[1].share, CONCURRENCY / 2 - 1);
    greet(2);
    ck_assert_int_eq(spare, -(int64_t)(CONCURRENCY / BROKERS));
    run(_i == 0 ? 3 : 12,
        (const uint32_t[]){_i == 0 ? 2 : 100, _i == 0 ? 3 : 100, _i == 0 ? 1 : 100});
    ck_assert_int_ge(spare, 0);
    for (unsigned i = 0; i < BROKERS; i++)
        ck_assert_uint_ge(shares[i].share, _i == 0 ? 3u : 5u);
}
END_TEST

START_TEST(each_has_one_even_if_there_are_fewer)
{
    int64_t left = 2;
    for (unsigned i = 0; i < BROKERS; i++)
        left -= shares_first(2, BROKERS);
    ck_assert_int_eq(left, -1);
    struct share few[BROKERS];
    for (unsigned i = 0; i < BROKERS; i++)
        few[i] = (struct share){.up = true, .share = 1, .held = 1, .peak = 1};
    ck_assert_int_eq(shares_split(few, BROKERS, left), -1);
    for (unsigned i = 0; i < BROKERS; i++)
        ck_assert_uint_eq(few[i].grant + few[i].ask_back + few[i].withhold, 0);
}
END_TEST

START_TEST(one_that_is_being_asked_is_not_asked_again)
{
    shares[1].asked = 4;
    shares[0].peak = shares[0].share;
    ck_assert_int_eq(shares_split(shares, BROKERS, 0), 0);
    ck_assert_uint_eq(shares[1].ask_back, 0);
    ck_assert_uint_eq(shares[2].ask_back, 5);
}
END_TEST

/* A broker answers what it was asked when requests have come and gone, and keeps what it has used.
 */
static void answer(struct share *one, uint32_t kept)
{
    uint32_t back = one->asked - kept;
    ck_assert_uint_lt(back, one->share); /* it has one still */
    one->share -= back;
    one->asked = 0;
    spare += back;
}

static void end_one(struct share *one, uint32_t *withholds)
{
    one->held--;
    if (*withholds == 0 || !shares_may_shrink(one))
        return;
    --*withholds;
    one->share--;
    spare++;
}

/* Some brokers with few requests between them; what each withholds stands beside it. */
static struct share few[5];
static uint32_t withholds[5];

static void come_or_go(unsigned which, uint32_t concurrency, unsigned count, bool goes)
{
    struct share *one = &few[which];
    if (!one->up) {
        *one = (struct share){.up = true, .share = shares_first(concurrency, count)};
        spare -= one->share;
    } else if (goes) {
        spare += one->share;
        *one = (struct share){0};
    }
    withholds[which] = 0;
}

static void split(unsigned count)
{
    spare = shares_split(few, count, spare);
    for (unsigned i = 0; i < count; i++) {
        few[i].share += few[i].grant;
        few[i].asked += few[i].ask_back;
        withholds[i] = few[i].withhold;
        few[i].peak = few[i].held;
    }
}

static void begin_one(struct share *one)
{
    one->held += one->held < one->share;
    if (one->held > one->peak)
        one->peak = one->held;
}

START_TEST(whenever_answers_come_each_has_one)
{
    uint32_t concurrency = 1 + (uint32_t)_i % 6;
    unsigned count = 2 + (unsigned)_i % 4;
    uint64_t seed = 1000 + (uint64_t)_i;
    spare = concurrency;
    memset(few, 0, sizeof few);
    for (unsigned step = 0; step < 20000; step++) {
        unsigned which = (unsigned)(random_next(&seed) % count);
        uint64_t event = random_next(&seed) % 6, chance = random_next(&seed);
        struct share *one = &few[which];
        if (event == 0)
            come_or_go(which, concurrency, count, chance % 50 == 0);
        else if (event == 1 && one->asked > 0)
            answer(one, (uint32_t)(chance % (one->asked + 1)));
        else if (event == 2)
            split(count);
        else if (event == 3 && one->held > 0)
            end_one(one, &withholds[which]);
        else if (event > 3)
            begin_one(one);
        for (unsigned i = 0; i < count; i++)
            ck_assert(!few[i].up || few[i].share >= 1);
    }
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, without_need_nothing_moves);
    tcase_add_test(tcase, a_busy_broker_has_what_the_others_do_not_use_within_a_second);
    tcase_add_test(tcase, what_a_broker_uses_it_keeps);
    tcase_add_test(tcase, all_that_are_busy_come_to_the_same);
    tcase_add_loop_test(tcase, what_a_lost_broker_had_goes_to_the_others_until_it_is_back, 0, 2);
    tcase_add_test(tcase, each_has_one_even_if_there_are_fewer);
    tcase_add_loop_test(tcase, whenever_answers_come_each_has_one, 0, 24);
    tcase_add_test(tcase, one_that_is_being_asked_is_not_asked_again);
}

int main(void)
{
    return suite_run("shares", add_tests);
}
