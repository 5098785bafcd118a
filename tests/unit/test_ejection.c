/* test_ejection - who is sick, for how long it stays out, how it comes back, and how many may be
 * out at once. Time is stated. */
#include "broker/ejection.h"
#include "tests/support/suite.h"

#define NOW (INT64_C(1000) * US_PER_S)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct health health;

static void setup(void)
{
    health = (struct health){0};
}

/* Outcomes at equal distances over the given time; F failed, anything else good.
 * returns  at which of them, from 1, it was found sick; 0: never */
static unsigned note_all(const char *outcomes, int64_t step_us)
{
    for (unsigned i = 0; outcomes[i] != '\0'; i++)
        if (health_note(&health, outcomes[i] == 'F', NOW + i * step_us))
            return i + 1;
    return 0;
}

static const struct {
    const char *outcomes;
    int64_t step_us;
    unsigned sick_at;
} spells[] = {
    {"FFFF.FFFF.FFFF", 1000, 0}, /* under 20 there is no share */
    {"FFFFF", 1000, 5},
    {"....FFFFF", 1000, 9},
    {"FFFFF", 60 * US_PER_S, 5},                /* in a row, however slowly */
    {"....F....F....F....F....F", 1000, 0},     /* 80 % are good */
    {".F...F...F...F...F...F...", 1000, 22},    /* at 20 there are 5 of 20 ... */
    {".F...F...F...F...F...F...", US_PER_S, 0}, /* ... but not within 10 s */
    {"", 1000, 0},
};

START_TEST(it_is_sick_by_its_failures_of_late)
{
    ck_assert_uint_eq(note_all(spells[_i].outcomes, spells[_i].step_us), spells[_i].sick_at);
}
END_TEST

START_TEST(each_time_it_stays_out_longer_up_to_a_bound)
{
    int64_t now_at = NOW;
    for (int64_t times = 1; times <= 100; times++) {
        health_eject(&health, UINT64_C(0x123456789) * (uint64_t)times, now_at);
        int64_t out_us = health.until_at - now_at, least = times * 5 * US_PER_S;
        ck_assert_int_ge(out_us, least < 300 * US_PER_S ? least : 300 * US_PER_S);
        ck_assert_int_le(out_us, least * 12 / 10);
        ck_assert_int_le(out_us, 300 * US_PER_S);
        now_at = health.until_at;
        health_return(&health, now_at);
    }
    ck_assert_int_eq(health.until_at - health.ejected_at, 300 * US_PER_S);
    health_eject(&health, 0, now_at + 2700 * US_PER_S); /* it was well for long */
    ck_assert_uint_eq(health.times, 11);
    now_at = health.until_at;
    health_return(&health, now_at);
    health_eject(&health, 0, now_at + 86400 * US_PER_S);
    ck_assert_uint_eq(health.times, 1);
}
END_TEST

/* It may be asked for out of turn, when all are sick. */
START_TEST(out_again_before_its_time_it_was_well_for_no_time)
{
    health_eject(&health, 0, NOW);
    ck_assert(health_is_out(&health));
    health_eject(&health, 0, NOW + US_PER_S);
    ck_assert_uint_eq(health.times, 2);
    ck_assert_int_eq(health.until_at, NOW + 11 * US_PER_S);
    health_return(&health, health.until_at);
    ck_assert(!health_is_out(&health));
}
END_TEST

START_TEST(not_all_come_back_at_once)
{
    int64_t first = 0;
    unsigned others = 0;
    for (uint64_t chance = 0; chance < 10; chance++) {
        setup();
        health_eject(&health, chance * 98765, NOW);
        first = chance == 0 ? health.until_at : first;
        others += health.until_at != first;
    }
    ck_assert_uint_ge(others, 8);
}
END_TEST

START_TEST(back_it_begins_with_little_and_a_clean_slate)
{
    static const struct {
        int64_t since_us;
        uint32_t concurrency, room;
    } cases[] = {{0, 50, 1},
                 {2 * US_PER_S, 51, 11},
                 {5 * US_PER_S, 101, 51},
                 {9999999, 50, 49},
                 {10 * US_PER_S, 50, 50},
                 {3600 * US_PER_S, 50, 50},
                 {0, 1, 1},
                 {0, 0, 1}};
    ck_assert_uint_eq(health_ramp(&health, 50, NOW), 50); /* one that was never out */
    ck_assert_uint_eq(note_all("FFFFF", 1000), 5);
    health_eject(&health, 0, NOW + 5000);
    health_return(&health, NOW + 6 * US_PER_S);
    ck_assert(!health_note(&health, true, NOW + 6 * US_PER_S));
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        ck_assert_uint_eq(
            health_ramp(&health, cases[i].concurrency, NOW + 6 * US_PER_S + cases[i].since_us),
            cases[i].room);
}
END_TEST

START_TEST(half_of_a_role_may_be_out_and_one_always)
{
    static const uint32_t most[] = {0, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5};
    for (uint32_t members = 1; members < COUNT_OF(most); members++)
        for (uint32_t ejected = 0; ejected <= members; ejected++)
            ck_assert_int_eq(ejection_may(members, ejected), ejected < most[members]);
    ck_assert(ejection_is_ignored(1, 0));
    ck_assert(!ejection_is_ignored(2, 1));
    ck_assert(ejection_is_ignored(3, 1));
    ck_assert(!ejection_is_ignored(4, 2));
    ck_assert(!ejection_is_ignored(0, 0));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, it_is_sick_by_its_failures_of_late, 0, COUNT_OF(spells));
    tcase_add_test(tcase, each_time_it_stays_out_longer_up_to_a_bound);
    tcase_add_test(tcase, out_again_before_its_time_it_was_well_for_no_time);
    tcase_add_test(tcase, not_all_come_back_at_once);
    tcase_add_test(tcase, back_it_begins_with_little_and_a_clean_slate);
    tcase_add_test(tcase, half_of_a_role_may_be_out_and_one_always);
}

int main(void)
{
    return suite_run("ejection", add_tests);
}
