/* test_routes - handles spread over the brokers; what is held, refused or known under another name
 * is not taken up; a call goes where more is admitted and less is waited. */
#include <stdio.h>
#include <string.h>

#include "actors/client/routes.h"
#include "protocol/value.h"
#include "tests/support/suite.h"

#define NOW (INT64_C(1000) * US_PER_S)

static struct routes routes;

START_TEST(handles_spread_over_all_brokers_and_keep_their_order)
{
    unsigned first[4] = {0};
    uint64_t seed = 7;
    for (int i = 0; i < 4000; i++) {
        uint64_t own = random_next(&seed);
        ck_assert(routes_init(&routes, "tcp://a:1,tcp://b:1,tcp://c:1,tcp://d:1", own));
        uint32_t choice = routes_next(&routes);
        first[choice]++;
        const char *endpoint = routes.entries[choice].endpoint;
        struct routes shuffled;
        ck_assert(routes_init(&shuffled, "tcp://d:1,tcp://c:1,tcp://b:1,tcp://a:1", own));
        ck_assert_str_eq(shuffled.entries[routes_next(&shuffled)].endpoint, endpoint);
    }
    for (int i = 0; i < 4; i++)
        ck_assert_uint_gt(first[i], 800);
}
END_TEST

START_TEST(what_is_of_no_use_is_not_taken_up)
{
    ck_assert(routes_init(&routes, "tcp://a:1,tcp://b:1,tcp://c:1", 1));
    ck_assert_uint_eq(routes_usable(&routes), 3);
    uint32_t first = routes_next(&routes);
    routes.entries[first].held = true;
    uint32_t second = routes_next(&routes);
    ck_assert_uint_ne(second, first);
    routes.entries[second].tried_at = NOW; /* it was tried in vain */
    uint32_t third = routes_next(&routes);
    ck_assert_uint_ne(third, second);
    routes.entries[third].tried_at = NOW + 1;
    ck_assert_uint_eq(routes_next(&routes), second);
    routes.entries[second].refused = true;
    ck_assert_uint_eq(routes_next(&routes), third);
    routes.entries[third].same = true;
    ck_assert_uint_eq(routes_next(&routes), ROUTE_NONE);
    ck_assert_uint_eq(routes_usable(&routes), 1);
}
END_TEST

/* Of another broker that is lost it says nothing. */
START_TEST(an_address_counts_again_when_its_own_broker_is_lost)
{
    ck_assert(routes_init(&routes, "tcp://a:1,tcp://a:2,tcp://b:1", 1));
    for (uint32_t i = 0; i < 3; i++)
        routes.entries[i].generation = i < 2 ? 7 : 8;
    routes.entries[1].same = true;
    routes_forget_same(&routes, 2);
    ck_assert_uint_eq(routes_usable(&routes), 2);
    routes_forget_same(&routes, 0);
    ck_assert_uint_eq(routes_usable(&routes), 3);
}
END_TEST

START_TEST(brokers_that_are_named_are_added_once_and_within_the_bound)
{
    char endpoint[32], longest[ENDPOINT_BYTES_MAX + 2];
    ck_assert(routes_init(&routes, "tcp://localhost:1", 1));
    memcpy(routes.entries[0].name, "tcp://127.0.0.1:1", 18);
    routes_add(&routes, bytes_of("tcp://127.0.0.1:1")); /* that is how it calls itself */
    routes_add(&routes, bytes_of("tcp://localhost:1"));
    routes_add(&routes, (struct bytes){0});
    memset(longest, 'x', sizeof longest);
    routes_add(&routes, (struct bytes){longest, sizeof longest});
    routes_add(&routes, (struct bytes){"a\0b", 3});
    ck_assert_uint_eq(routes.count, 1);
    for (unsigned i = 0; i < 2 * BROKERS_MAX; i++) {
        snprintf(endpoint, sizeof endpoint, "tcp://h:%u", i);
        routes_add(&routes, bytes_of(endpoint));
    }
    ck_assert_uint_eq(routes.count, BROKERS_MAX);
}
END_TEST

START_TEST(what_are_no_endpoints_is_refused)
{
    static const char *const bad[] = {"", ",", "a", "ipc://a,,ipc://b", "pgm://a:1"};
    ck_assert(!routes_init(&routes, bad[_i], 1));
}
END_TEST

START_TEST(more_endpoints_than_the_bound_are_refused)
{
    char text[(BROKERS_MAX + 1) * sizeof "ipc://a,"] = "ipc://a";
    for (unsigned i = 1; i < BROKERS_MAX; i++)
        strcat(text, ",ipc://a");
    ck_assert(routes_init(&routes, text, 1));
    strcat(text, ",ipc://a");
    ck_assert(!routes_init(&routes, text, 1));
}
END_TEST

static bool prefers(uint32_t second, uint32_t first, enum request_class class, int64_t now_at)
{
    bool result = routes_prefers(&routes, second, first, class, now_at);
    ck_assert(result != routes_prefers(&routes, first, second, class, now_at)); /* one of the two */
    return result;
}

START_TEST(a_call_goes_where_more_is_admitted_and_less_is_waited)
{
    struct header full = {.admit_level = CLASS_CRITICAL, .queue_us = 0};
    struct header slow = {.admit_level = CLASS_SHEDDABLE, .queue_us = 400000};
    ck_assert(routes_init(&routes, "tcp://a:1,tcp://b:1", 3));
    uint32_t best = routes_next(&routes), other = 1 - best;
    ck_assert(!prefers(other, best, CLASS_CRITICAL, NOW));
    routes_learn(&routes, best, &full, NOW);
    ck_assert(prefers(other, best, CLASS_SHEDDABLE, NOW)); /* it would be refused there */
    ck_assert(!prefers(other, best, CLASS_CRITICAL, NOW));
    for (int i = 0; i < 50; i++)
        routes_learn(&routes, best, &slow, NOW);
    ck_assert(prefers(other, best, CLASS_CRITICAL, NOW));
    ck_assert(!prefers(other, best, CLASS_CRITICAL, NOW + US_PER_S)); /* forgotten: it is tried */
    for (int i = 0; i < 50; i++)
        routes_learn(&routes, other, &slow, NOW);
    ck_assert(!prefers(other, best, CLASS_CRITICAL, NOW)); /* no better there */
}
END_TEST

START_TEST(one_that_leaves_is_not_asked)
{
    struct header draining = {.status = STATUS_DRAINING, .admit_level = CLASS_SHEDDABLE};
    ck_assert(routes_init(&routes, "tcp://a:1,tcp://b:1", 3));
    uint32_t best = routes_next(&routes), other = 1 - best;
    routes_learn(&routes, best, &draining, NOW);
    ck_assert(prefers(other, best, CLASS_CRITICAL, NOW + 1));
    ck_assert(!prefers(other, best, CLASS_CRITICAL, NOW + 2 * US_PER_S));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, handles_spread_over_all_brokers_and_keep_their_order);
    tcase_add_test(tcase, what_is_of_no_use_is_not_taken_up);
    tcase_add_test(tcase, an_address_counts_again_when_its_own_broker_is_lost);
    tcase_add_test(tcase, brokers_that_are_named_are_added_once_and_within_the_bound);
    tcase_add_loop_test(tcase, what_are_no_endpoints_is_refused, 0, 5);
    tcase_add_test(tcase, more_endpoints_than_the_bound_are_refused);
    tcase_add_test(tcase, a_call_goes_where_more_is_admitted_and_less_is_waited);
    tcase_add_test(tcase, one_that_leaves_is_not_asked);
}

int main(void)
{
    return suite_run("routes", add_tests);
}
