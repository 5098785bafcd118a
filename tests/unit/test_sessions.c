/* test_sessions - peers are found by connection and by session, on their side only; the table has a
 * bound; faults are counted within their time. */
#include <string.h>

#include "broker/list.h"
#include "broker/sessions.h"
#include "tests/support/suite.h"

#define MAX 100u

static struct sessions *sessions;

static void setup(void)
{
    sessions = sessions_new(MAX, 9);
}

static void teardown(void)
{
    sessions_destroy(&sessions);
    ck_assert_ptr_null(sessions);
}

static const char *session_of(uint64_t number)
{
    static char session[SESSION_ID_BYTES];
    memcpy(session, &number, sizeof number);
    return session;
}

START_TEST(a_peer_is_found_on_its_side)
{
    struct peer *peer = sessions_add(sessions, SIDE_FRONTEND, 7, session_of(1));
    struct peer *other = sessions_add(sessions, SIDE_BACKEND, 7, session_of(1));
    ck_assert_ptr_ne(peer, other);
    ck_assert_uint_eq(peer->worker, NONE);
    ck_assert_ptr_eq(sessions_find(sessions, SIDE_FRONTEND, 7), peer);
    ck_assert_ptr_eq(sessions_find(sessions, SIDE_BACKEND, 7), other);
    ck_assert_ptr_null(sessions_find(sessions, SIDE_FRONTEND, 8));
    ck_assert_ptr_eq(sessions_find_session(sessions, SIDE_BACKEND, session_of(1)), other);
    ck_assert_ptr_null(sessions_find_session(sessions, SIDE_FRONTEND, session_of(2)));
    ck_assert_ptr_eq(sessions_at(sessions, sessions_index(sessions, other)), other);
    sessions_remove(sessions, peer);
    ck_assert_ptr_null(sessions_find(sessions, SIDE_FRONTEND, 7));
    ck_assert_ptr_null(sessions_find_session(sessions, SIDE_FRONTEND, session_of(1)));
    ck_assert_ptr_eq(sessions_find(sessions, SIDE_BACKEND, 7), other);
}
END_TEST

/* Random comings and goings, from a seed, against a plain table. */
START_TEST(whoever_is_there_is_found_and_nobody_else)
{
    uint64_t seed = 42;
    bool there[300] = {false};
    uint32_t count = 0;
    for (int step = 0; step < 50000; step++) {
        uint64_t number = 1 + random_next(&seed) % 299;
        enum side side = (enum side)(number % SIDE_COUNT);
        struct peer *peer = sessions_find(sessions, side, number);
        ck_assert_int_eq(peer != NULL, there[number]);
        ck_assert_ptr_eq(sessions_find_session(sessions, side, session_of(number)), peer);
        if (peer != NULL) {
            sessions_remove(sessions, peer);
            there[number] = false;
            count--;
        } else {
            peer = sessions_add(sessions, side, number, session_of(number));
            ck_assert_int_eq(peer != NULL, count < MAX);
            there[number] = peer != NULL;
            count += peer != NULL;
        }
        ck_assert_uint_eq(sessions_count(sessions), count);
    }
}
END_TEST

START_TEST(the_table_is_bounded)
{
    for (uint64_t number = 1; number <= MAX; number++)
        ck_assert_ptr_nonnull(sessions_add(sessions, SIDE_FRONTEND, number, session_of(number)));
    ck_assert_ptr_null(sessions_add(sessions, SIDE_FRONTEND, 1000, session_of(1000)));
    sessions_remove(sessions, sessions_find(sessions, SIDE_FRONTEND, 50));
    ck_assert_ptr_nonnull(sessions_add(sessions, SIDE_FRONTEND, 1000, session_of(1000)));
}
END_TEST

START_TEST(faults_are_forgiven_in_time)
{
    struct peer peer = {0};
    int64_t now_at = 5;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 1; i < STRIKES_MAX; i++)
            ck_assert(!peer_strike(&peer, now_at));
        now_at += STRIKES_MS * US_PER_MS + 1;
    }
    for (unsigned i = 1; i < STRIKES_MAX; i++)
        ck_assert(!peer_strike(&peer, now_at + i));
    ck_assert(peer_strike(&peer, now_at + STRIKES_MS * US_PER_MS));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_peer_is_found_on_its_side);
    tcase_add_test(tcase, whoever_is_there_is_found_and_nobody_else);
    tcase_add_test(tcase, the_table_is_bounded);
    tcase_add_test(tcase, faults_are_forgiven_in_time);
}

int main(void)
{
    return suite_run("sessions", add_tests);
}
