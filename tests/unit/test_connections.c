/* test_connections - whose turn it is to use one: never more than there are, one host never more
 * than its part, and who waits for a host that hangs keeps no other waiting. */
#include <stdio.h>
#include <string.h>

#include "actors/arcade_gateway/connections.h"
#include "actors/arcade_gateway/url.h"
#include "tests/support/suite.h"

#define POOL 16u

static struct connections connections;

static void setup(void)
{
    connections_init(&connections, POOL);
}

static struct url host(bool is_https, unsigned number)
{
    struct url url = {.is_https = is_https, .port = is_https ? 443 : 80};
    (void)snprintf(url.host, sizeof url.host, "host-%u.example", number);
    return url;
}

/* So many of so many that want to begin. */
static unsigned begin(bool is_https, unsigned number, unsigned wanted)
{
    struct url url = host(is_https, number);
    unsigned begun = 0;
    for (unsigned i = 0; i < wanted; i++) {
        uint32_t place = connections_enter(&connections, &url);
        if (!connections_may_begin(&connections, place)) {
            connections_leave(&connections, place);
            break;
        }
        connections_begin(&connections, place);
        begun++;
    }
    return begun;
}

static uint32_t place_of(bool is_https, unsigned number)
{
    struct url url = host(is_https, number);
    uint32_t place = connections_enter(&connections, &url);
    connections_leave(&connections, place);
    return place;
}

static void end(bool is_https, unsigned number, enum http_version version)
{
    uint32_t place = place_of(is_https, number);
    connections_end(&connections, place, version);
    connections_leave(&connections, place);
}

START_TEST(each_host_leaves_as_many_as_it_takes)
{
    static const unsigned expected[] = {8, 4, 2, 1, 1, 0};
    for (unsigned i = 0; i < 6; i++)
        ck_assert_uint_eq(begin(false, i, 100), expected[i]);
    ck_assert_uint_eq(connections.used, POOL);
    end(false, 0, HTTP_VERSION_1_1);
    ck_assert_uint_eq(begin(false, 0, 100), 0); /* it has more than is left */
    ck_assert_uint_eq(begin(false, 5, 100), 1);
}
END_TEST

START_TEST(over_tls_the_first_goes_alone_until_its_connection_is_made)
{
    ck_assert_uint_eq(begin(true, 1, 100), 1);
    connections_made(&connections, place_of(true, 1));
    ck_assert_uint_eq(begin(true, 1, 100), 7);
    ck_assert_uint_eq(begin(true, 2, 100), 1); /* which says nothing of another */
    end(true, 2, HTTP_VERSION_NONE);
    ck_assert_uint_eq(begin(true, 2, 100), 1); /* nor does one that failed */
}
END_TEST

START_TEST(http_2_needs_one_connection_for_a_hundred)
{
    (void)begin(true, 1, 1);
    connections_made(&connections, place_of(true, 1));
    ck_assert_uint_eq(begin(true, 1, 100), 7);
    end(true, 1, HTTP_VERSION_2);
    ck_assert_uint_eq(connections.used, 1);
    ck_assert_uint_eq(begin(true, 1, 200), HTTP_HOST_STREAMS_MAX - 7);
    ck_assert_uint_eq(connections.used, 1);
    ck_assert_uint_eq(begin(false, 2, 100), 8);
    for (unsigned i = 0; i < HTTP_HOST_STREAMS_MAX; i++)
        end(true, 1, i % 2 == 0 ? HTTP_VERSION_NONE : HTTP_VERSION_1_1);
    ck_assert_uint_eq(connections.used, 8);
}
END_TEST

/* As many hosts as exchanges: each has a place, and no two have one. */
START_TEST(there_is_a_place_for_each_host)
{
    static bool taken[HTTP_TRANSFERS_MAX];
    memset(taken, 0, sizeof taken);
    for (unsigned i = 0; i < HTTP_TRANSFERS_MAX; i++) {
        struct url url = host(i % 2 == 0, i / 2);
        uint32_t place = connections_enter(&connections, &url);
        ck_assert_uint_lt(place, HTTP_TRANSFERS_MAX);
        ck_assert(!taken[place]);
        taken[place] = true;
    }
    for (unsigned i = 0; i < HTTP_TRANSFERS_MAX; i++)
        connections_leave(&connections, i);
    ck_assert_uint_eq(begin(false, 7, 1), 1);
}
END_TEST

START_TEST(in_any_order_no_more_are_used_than_there_are)
{
    unsigned running[256]; /* hosts: the even ones over TLS, every fourth in HTTP/2 */
    unsigned count = 0, begun = 0;
    uint64_t seed = 20261128;
    for (unsigned i = 0; i < 50000; i++) {
        unsigned number = (unsigned)(random_next(&seed) % 12);
        bool begins = random_next(&seed) % 2 == 0 && count < 256;
        if (begins && begin(number % 2 == 0, number, 1) == 1) {
            running[count++] = number;
            begun++;
        } else if (!begins && count > 0) {
            unsigned at = (unsigned)(random_next(&seed) % count);
            number = running[at];
            connections_made(&connections, place_of(number % 2 == 0, number));
            end(number % 2 == 0, number, number % 4 == 0 ? HTTP_VERSION_2 : HTTP_VERSION_1_1);
            running[at] = running[--count];
        }
        ck_assert_uint_le(connections.used, POOL);
        ck_assert(count > 0 || connections.used == 0);
    }
    ck_assert_uint_gt(begun, 1000);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, each_host_leaves_as_many_as_it_takes);
    tcase_add_test(tcase, over_tls_the_first_goes_alone_until_its_connection_is_made);
    tcase_add_test(tcase, http_2_needs_one_connection_for_a_hundred);
    tcase_add_test(tcase, there_is_a_place_for_each_host);
    tcase_add_test(tcase, in_any_order_no_more_are_used_than_there_are);
}

int main(void)
{
    return suite_run("connections", add_tests);
}
