/* test_link - a link whose handshake failed once, and then succeeded, stays as it is; and one finds
 * a server that has another of its keys. Against sockets with keys; time is an argument. */
#include "actors/runtime/link.h"

#include <string.h>
#include <zmq.h>

#include "tests/support/keyed_end.h"
#include "tests/support/suite.h"

#define TURNS_MAX 2000
#define TURN_MS 5

static struct keyed_end end;
static struct curve_pair own;
static struct metrics *metrics;
static struct link *link_;
static int64_t now_at;

static void setup(void)
{
    char reason[512];
    keyed_end_start(&end);
    ck_assert_int_eq(zmq_curve_keypair(own.public_key, own.secret_key), 0);
    metrics = metrics_new(METRIC_SERIES_MAX);
    now_at = US_PER_S;
    struct link_config config = {.zmq = end.zmq,
                                 .endpoint = end.endpoint,
                                 .reconnect_ms = 100,
                                 .metrics = metrics,
                                 .socket_name = "backend",
                                 .own = &own,
                                 .servers = &end.servers,
                                 .session = {.role = ROLE_DRIVER,
                                             .id = "sixteen letters",
                                             .instance = bytes_of("d"),
                                             .version = bytes_of("1"),
                                             .asks_max = 1,
                                             .waiting_bytes_max = 1024}};
    link_ = link_open(&config, now_at, reason);
    ck_assert_ptr_nonnull(link_);
}

static void teardown(void)
{
    link_close(&link_, 0);
    keyed_end_stop(&end);
    metrics_destroy(&metrics);
}

/* Turn until the server hears the link's HELLO, so that there is a connection. */
static bool is_heard(int64_t step_us)
{
    static struct inlets inlets;
    char frame[4096];
    for (int i = 0; i < TURNS_MAX; i++) {
        (void)link_take(link_, 8, now_at);
        link_flush(link_, now_at);
        if (zmq_recv(end.socket, frame, sizeof frame, ZMQ_DONTWAIT) > 0)
            return true;
        now_at += step_us;
        inlets_clear(&inlets);
        link_watch(link_, &inlets);
        inlets_wait(&inlets, TURN_MS);
    }
    return false;
}

START_TEST(a_failure_that_is_over_does_not_end_a_connection)
{
    keyed_end_hang_up(&end);
    keyed_end_open(&end, ZMQ_ROUTER, &end.pair);
    ck_assert(is_heard(US_PER_MS)); /* long before the failure is to be made good */
    ck_assert_str_eq(link_server_key(link_), end.pair.public_key);
    for (int i = 0; i < 10; i++) {
        now_at += 2 * US_PER_S;
        (void)link_take(link_, 8, now_at);
        ck_assert_str_eq(link_server_key(link_), end.pair.public_key);
    }
}
END_TEST

START_TEST(a_server_with_another_of_its_keys_is_found)
{
    keyed_end_open(&end, ZMQ_ROUTER, &end.other);
    ck_assert(is_heard(TURN_MS * US_PER_MS));
    ck_assert_str_eq(link_server_key(link_), end.other.public_key);
    ck_assert_uint_eq(link_server(link_), 1);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_failure_that_is_over_does_not_end_a_connection);
    tcase_add_test(tcase, a_server_with_another_of_its_keys_is_found);
    tcase_set_timeout(tcase, 60);
}

int main(void)
{
    return suite_run("link", add_tests);
}
