/* test_leases - one lease a key, whoever asks; those who wait are kept in order, within bounds, and
 * each comes out once: served, withdrawn, or because its time is over. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "actors/cache_partition/leases.h"
#include "tests/support/suite.h"

#define NOW (100 * US_PER_S)
#define LEASES 50u
#define PARKED 40u
#define PER_KEY 10u

static struct leases *leases;
static struct lease_key due_key;
static struct waiter due_waiter;

static void setup(void)
{
    leases = leases_new(&(struct leases_limits){LEASES, PARKED, PER_KEY}, 9);
}

static void teardown(void)
{
    leases_destroy(&leases);
    ck_assert_ptr_null(leases);
}

static struct bytes key_of(unsigned number)
{
    static char keys[4][16]; /* of the last four */
    static unsigned next;
    char *key = keys[next++ % 4];
    (void)snprintf(key, sizeof keys[0], "key %u", number);
    return bytes_of(key);
}

static int64_t grant(unsigned number, uint64_t token, int64_t now_at)
{
    return leases_grant(leases, key_of(number), token + 1000, token, now_at);
}

static struct waiter waiter_of(uint64_t id, int64_t until_at)
{
    return (struct waiter){.request = {.link = 1, .peer = id % 3, .id = id}, .until_at = until_at};
}

static enum status park(unsigned number, uint64_t id, int64_t until_at)
{
    struct waiter waiter = waiter_of(id, until_at);
    return leases_park(leases, key_of(number), &waiter);
}

static uint64_t unpark(unsigned number)
{
    struct waiter waiter;
    return leases_unpark(leases, key_of(number), &waiter) ? waiter.request.id : 0;
}

START_TEST(a_key_has_one_lease_and_one_token)
{
    uint64_t version;
    int64_t given_at;
    ck_assert(!leases_held(leases, key_of(1)));
    ck_assert_int_eq(grant(1, 77, NOW), NOW + LEASE_MS_FIRST * US_PER_MS);
    ck_assert(leases_held(leases, key_of(1)));
    ck_assert(!leases_held(leases, key_of(2)));
    ck_assert(!leases_current(leases, key_of(1), 78, &version, &given_at));
    ck_assert(!leases_current(leases, key_of(1), 0, &version, &given_at));
    ck_assert(leases_current(leases, key_of(1), 77, &version, &given_at));
    ck_assert_uint_eq(version, 1077);
    ck_assert_int_eq(given_at, NOW);
    leases_end(leases, key_of(1), NOW + 1);
    ck_assert(!leases_current(leases, key_of(1), 77, &version, &given_at));
    ck_assert(!leases_current(leases, key_of(1), 0, &version, &given_at));
}
END_TEST

START_TEST(a_second_lease_on_a_key_aborts)
{
    grant(1, 77, NOW);
    grant(1, 78, NOW);
}
END_TEST

START_TEST(waiters_come_out_in_the_order_they_came)
{
    grant(1, 77, NOW);
    for (uint64_t id = 1; id <= 5; id++)
        ck_assert_int_eq(park(1, id, NOW + 1000), STATUS_OK);
    ck_assert_uint_eq(leases_parked(leases, key_of(1)), 5);
    leases_end(leases, key_of(1), NOW);
    ck_assert_uint_eq(unpark(1), 1);
    grant(1, 78, NOW); /* one of them has the lease now; the others stay behind it */
    ck_assert_uint_eq(leases_parked(leases, key_of(1)), 4);
    for (uint64_t id = 2; id <= 5; id++)
        ck_assert_uint_eq(unpark(1), id);
    ck_assert_uint_eq(unpark(1), 0);
    ck_assert(leases_held(leases, key_of(1)));
}
END_TEST

/* Each bound filled, and free again. */
START_TEST(no_bound_is_passed)
{
    for (unsigned number = 0; number < LEASES; number++)
        ck_assert_int_ne(grant(number, 1 + number, NOW), 0);
    ck_assert_int_eq(grant(LEASES, 1000, NOW), 0);
    ck_assert_uint_eq(leases_counts(leases)->leases, LEASES);
    uint64_t id = 1;
    for (unsigned number = 0; number < PARKED / PER_KEY; number++)
        for (unsigned i = 0; i < PER_KEY; i++)
            ck_assert_int_eq(park(number, id++, NOW + 1000), STATUS_OK);
    ck_assert_int_eq(park(PARKED / PER_KEY, id, NOW + 1000), STATUS_BUSY_FULL);
    ck_assert_uint_eq(leases_counts(leases)->parked, PARKED);
    ck_assert_uint_eq(unpark(0), 1);
    ck_assert_int_eq(park(1, id, NOW + 1000), STATUS_BUSY_FULL); /* full by itself */
    ck_assert_int_eq(park(PARKED / PER_KEY, id, NOW + 1000), STATUS_OK);
    leases_end(leases, key_of(LEASES - 1), NOW);
    ck_assert_int_ne(grant(LEASES, 1000, NOW), 0);
}
END_TEST

START_TEST(a_lease_lapses_and_its_waiters_wait_out)
{
    int64_t until_at = grant(1, 77, NOW);
    ck_assert_int_eq(park(1, 5, NOW + 100), STATUS_OK);
    ck_assert_int_eq(park(1, 6, NOW + 60 * US_PER_S), STATUS_OK);
    ck_assert_int_eq(leases_due_at(leases), NOW + 100);
    ck_assert_int_eq(leases_next_due(leases, NOW + 99, &due_key, &due_waiter), LEASES_NOTHING);
    ck_assert_int_eq(leases_next_due(leases, NOW + 100, &due_key, &due_waiter), LEASES_WAITED_OUT);
    ck_assert_uint_eq(due_waiter.request.id, 5);
    ck_assert(bytes_are((struct bytes){due_key.data, due_key.size}, "key 1"));
    ck_assert_int_eq(leases_due_at(leases), until_at);
    ck_assert_int_eq(leases_next_due(leases, until_at, &due_key, &due_waiter), LEASES_LAPSED);
    ck_assert(bytes_are((struct bytes){due_key.data, due_key.size}, "key 1"));
    ck_assert(!leases_held(leases, key_of(1)));
    ck_assert_uint_eq(leases_parked(leases, key_of(1)), 1);
    ck_assert_int_eq(leases_due_at(leases), NOW + 60 * US_PER_S);
    ck_assert_uint_eq(leases_counts(leases)->lapsed, 1);
}
END_TEST

START_TEST(who_withdraws_is_not_served)
{
    grant(1, 77, NOW);
    for (uint64_t id = 1; id <= 3; id++)
        ck_assert_int_eq(park(1, id, NOW + 1000), STATUS_OK);
    struct waiter second = waiter_of(2, 0), stranger = waiter_of(2, 0);
    stranger.request.link = 2;
    ck_assert(!leases_withdraw(leases, &stranger.request));
    ck_assert(leases_withdraw(leases, &second.request));
    ck_assert(!leases_withdraw(leases, &second.request));
    ck_assert_uint_eq(unpark(1), 1);
    ck_assert_uint_eq(unpark(1), 3);
}
END_TEST

static const struct {
    int64_t fill_ms, least_ms, most_ms;
} fills[] = {
    {1, LEASE_MS_MIN, LEASE_MS_MIN},
    {400, LEASE_MS_MIN, LEASE_MS_MIN},
    {900, 1800, 2400}, /* twice, and what a bucket is wide */
    {5000, 10000, 13000},
    {25000, LEASE_MS_MAX, LEASE_MS_MAX},
};

/* Fill 64 times; the last lease's length. */
static int64_t length_after(int64_t fill_ms, int64_t *now_at)
{
    int64_t until_at = 0;
    for (unsigned i = 0; i < 64; i++) {
        until_at = grant(1, 1 + i, *now_at) - *now_at;
        *now_at += fill_ms * US_PER_MS;
        leases_end(leases, key_of(1), *now_at);
    }
    return until_at / US_PER_MS;
}

START_TEST(a_lease_lasts_twice_what_fills_take)
{
    int64_t now_at = NOW, length_ms = length_after(fills[_i].fill_ms, &now_at);
    ck_assert_int_ge(length_ms, fills[_i].least_ms);
    ck_assert_int_le(length_ms, fills[_i].most_ms);
}
END_TEST

/* Slow fills are forgotten, and those that never came counted: else leases shrink to the fast. */
START_TEST(the_estimate_fades_and_counts_what_lapsed)
{
    int64_t now_at = NOW;
    ck_assert_int_eq(length_after(25000, &now_at), LEASE_MS_MAX);
    for (unsigned minute = 0; minute < 20; minute++) {
        now_at += 60 * US_PER_S;
        length_after(1, &now_at);
    }
    ck_assert_int_eq(length_after(1, &now_at), LEASE_MS_MIN);
    for (unsigned i = 0; i < 10; i++) {
        now_at = grant(1, 1, now_at);
        ck_assert_int_eq(leases_next_due(leases, now_at, &due_key, &due_waiter), LEASES_LAPSED);
    }
    ck_assert_int_ge(grant(1, 1, now_at) - now_at, US_PER_MS * 2 * LEASE_MS_MIN);
}
END_TEST

#define KEYS 60u
#define IDS 4000u

static enum { OUT, IN } states[IDS];
static unsigned keys_of[IDS];

static void take(uint64_t id, unsigned *parked)
{
    if (id >= IDS || states[id] != IN)
        ck_abort_msg("%lu came out, and was not in", id);
    states[id] = OUT;
    (*parked)--;
}

static void random_step(uint64_t *seed, int64_t now_at, uint64_t *id, unsigned *parked)
{
    unsigned number = (unsigned)(random_next(seed) % KEYS);
    struct waiter waiter;
    uint64_t choice = random_next(seed) % 8;
    bool held = leases_held(leases, key_of(number));
    if (choice < 5 && held) {
        *id = *id % (IDS - 1) + 1;
        int64_t until_at = now_at + (int64_t)(random_next(seed) % 20) * US_PER_S;
        if (states[*id] == OUT && park(number, *id, until_at) == STATUS_OK) {
            states[*id] = IN;
            keys_of[*id] = number;
            (*parked)++;
        }
    } else if (choice < 5) {
        (void)grant(number, 1 + *id, now_at);
    } else if (choice == 5 && held) {
        leases_end(leases, key_of(number), now_at);
    } else if (choice == 6 && leases_unpark(leases, key_of(number), &waiter)) {
        if (keys_of[waiter.request.id] != number)
            ck_abort_msg("%lu waited for another key", waiter.request.id);
        take(waiter.request.id, parked);
    } else if (choice == 7) {
        waiter = waiter_of(random_next(seed) % IDS, 0);
        if (leases_withdraw(leases, &waiter.request))
            take(waiter.request.id, parked);
    }
    while (leases_next_due(leases, now_at, &due_key, &due_waiter) == LEASES_WAITED_OUT)
        take(due_waiter.request.id, parked);
}

/* Whatever happens, in whatever order, who went in comes out once. Seeds 1 to 8. */
START_TEST(no_waiter_is_lost_or_doubled)
{
    uint64_t seed = (uint64_t)_i + 1, id = 0;
    int64_t now_at = NOW;
    unsigned parked = 0;
    memset(states, 0, sizeof states);
    for (int step = 0; step < 20000; step++) {
        now_at += (int64_t)(random_next(&seed) % (US_PER_S / 4));
        random_step(&seed, now_at, &id, &parked);
        if (leases_counts(leases)->parked != parked)
            ck_abort_msg("step %d: %u are parked", step, parked);
    }
    enum leases_due due;
    while ((due = leases_next_due(leases, now_at + 3600 * US_PER_S, &due_key, &due_waiter)) !=
           LEASES_NOTHING)
        if (due == LEASES_WAITED_OUT)
            take(due_waiter.request.id, &parked);
    ck_assert_uint_eq(parked, 0);
    ck_assert_uint_eq(leases_counts(leases)->leases, 0);
    for (unsigned number = 0; number < LEASES; number++) /* every seat is free again */
        ck_assert_int_ne(grant(1000 + number, 1, now_at), 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_key_has_one_lease_and_one_token);
    tcase_add_test_raise_signal(tcase, a_second_lease_on_a_key_aborts, SIGABRT);
    tcase_add_test(tcase, waiters_come_out_in_the_order_they_came);
    tcase_add_test(tcase, no_bound_is_passed);
    tcase_add_test(tcase, a_lease_lapses_and_its_waiters_wait_out);
    tcase_add_test(tcase, who_withdraws_is_not_served);
    tcase_add_loop_test(tcase, a_lease_lasts_twice_what_fills_take, 0,
                        sizeof fills / sizeof *fills);
    tcase_add_test(tcase, the_estimate_fades_and_counts_what_lapsed);
    tcase_add_loop_test(tcase, no_waiter_is_lost_or_doubled, 0, 8);
}

int main(void)
{
    return suite_run("leases", add_tests);
}
