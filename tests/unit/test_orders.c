/* test_orders - lines of requests in order, and where they are found: whoever chooses keys does not
 * choose that. What a line is for is tested through the broker, in test_broker_order. */
#include <xxhash.h>

#include "broker/list.h"
#include "broker/orders.h"
#include "protocol/value.h"
#include "tests/support/suite.h"

#define SLOTS 1024u
#define LANE 3u
#define KEYS 64u

static struct orders *orders;

static void setup(void)
{
    orders = orders_new(SLOTS, UINT64_C(0x123456789abcdef));
}

static void teardown(void)
{
    orders_destroy(&orders);
    ck_assert_ptr_null(orders);
}

START_TEST(a_line_is_of_one_key_lane_and_tenant)
{
    struct bytes tenant = bytes_of("a");
    ck_assert_int_eq(orders_ask(orders, LANE, tenant, 1), TURN_NOW);
    ck_assert_int_eq(orders_join(orders, 0, LANE, tenant, 1), TURN_NOW);
    ck_assert_int_eq(orders_ask(orders, LANE, tenant, 1), TURN_LATER);
    ck_assert_int_eq(orders_join(orders, 1, LANE, tenant, 1), TURN_LATER);
    ck_assert_int_eq(orders_join(orders, 2, LANE, tenant, 2), TURN_NOW);
    ck_assert_int_eq(orders_join(orders, 3, LANE + 1, tenant, 1), TURN_NOW);
    ck_assert_int_eq(orders_join(orders, 4, LANE, bytes_of("b"), 1), TURN_NOW);
    ck_assert_uint_eq(orders_waiting(orders), 1);
    ck_assert_uint_eq(orders_leave(orders, 0), 1);
    ck_assert_uint_eq(orders_leave(orders, 1), NONE);
    ck_assert_uint_eq(orders_waiting(orders), 0);
}
END_TEST

START_TEST(a_full_line_says_so_before_it_is_joined)
{
    for (uint32_t slot = 0; slot < ORDER_LINE_MAX; slot++)
        ck_assert_int_ne(orders_join(orders, slot, LANE, bytes_of("a"), 1), TURN_NEVER);
    ck_assert_int_eq(orders_ask(orders, LANE, bytes_of("a"), 1), TURN_NEVER);
    ck_assert_int_eq(orders_join(orders, ORDER_LINE_MAX, LANE, bytes_of("a"), 1), TURN_NEVER);
    ck_assert(!orders_is_in(orders, ORDER_LINE_MAX));
}
END_TEST

/* Keys that would all be looked for in one place, if the hash had no seed, or one that is known. */
START_TEST(who_chooses_keys_does_not_choose_where_they_are_found)
{
    static const uint64_t known[] = {0, 7};
    struct bytes tenant = bytes_of("a");
    uint64_t parts[] = {LANE, XXH3_64bits_withSeed(tenant.data, tenant.size, known[_i]), 0};
    for (uint32_t slot = 0; slot < KEYS; slot++) {
        do
            parts[2]++;
        while (XXH3_64bits_withSeed(parts, sizeof parts, known[_i]) % SLOTS != 0);
        ck_assert_int_eq(orders_join(orders, slot, LANE, tenant, parts[2]), TURN_NOW);
    }
    ck_assert_uint_ge(orders_longest_chain(orders), 1);
    ck_assert_uint_le(orders_longest_chain(orders), 8);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_line_is_of_one_key_lane_and_tenant);
    tcase_add_test(tcase, a_full_line_says_so_before_it_is_joined);
    tcase_add_loop_test(tcase, who_chooses_keys_does_not_choose_where_they_are_found, 0, 2);
}

int main(void)
{
    return suite_run("orders", add_tests);
}
