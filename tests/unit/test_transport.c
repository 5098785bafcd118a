/* test_transport - what the client's connection does when handshakes fail: it stays once one has
 * succeeded, says why none has, and outlives that there is no descriptor for the next. */
#include "actors/client/transport.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <zmq.h>

#include "protocol/handshakes.h"
#include "protocol/value.h"
#include "tests/support/keyed_end.h"
#include "tests/support/suite.h"

#define NAME_BYTES 5u /* of a routing id that libzmq gives */
#define WAIT_US (20 * US_PER_S)

static struct keyed_end end;
static struct transport *transport;

static void setup(void)
{
    struct client_keys keys = {.used = true};
    keyed_end_start(&end);
    keys.servers = end.servers;
    ck_assert_int_eq(zmq_curve_keypair(keys.own.public_key, keys.own.secret_key), 0);
    transport = transport_new(end.zmq);
    ck_assert_ptr_nonnull(transport);
    transport_set_keys(transport, &keys);
    ck_assert(transport_connect(transport, end.endpoint));
}

static void teardown(void)
{
    transport_destroy(&transport);
    keyed_end_stop(&end);
}

/* A turn, and a sleep until something happens. */
static void turn(void)
{
    (void)transport_was_lost(transport);
    transport_arm(transport, transport_now_at() + 20 * US_PER_MS, false);
    (void)transport_wait(transport_descriptor(transport), INT64_MAX);
}

/* Say it until it arrives; then who has said it.
 *
 * ret_name  NAME_BYTES, with zeros behind */
static void say(const char *text, char *ret_name)
{
    char frame[16] = "";
    int64_t until_at = transport_now_at() + WAIT_US;
    while (strcmp(frame, text) != 0) {
        ck_assert_int_lt(transport_now_at(), until_at);
        (void)transport_send(transport, bytes_of(text));
        turn();
        memset(ret_name, 0, NAME_BYTES);
        memset(frame, 0, sizeof frame);
        if (zmq_recv(end.socket, ret_name, NAME_BYTES, ZMQ_DONTWAIT) > 0)
            (void)zmq_recv(end.socket, frame, sizeof frame - 1, 0);
    }
}

/* A connection that is there has succeeded, for all the monitor tells: it is the same later. */
START_TEST(a_failure_that_is_over_does_not_end_a_connection)
{
    char before[NAME_BYTES], after[NAME_BYTES];
    keyed_end_hang_up(&end);
    keyed_end_open(&end, ZMQ_ROUTER, &end.pair);
    int64_t until_at = transport_now_at() + HANDSHAKES_AGAIN_US + US_PER_S / 4;
    say("before", before);
    while (transport_now_at() < until_at)
        turn();
    say("after", after);
    ck_assert_mem_eq(before, after, NAME_BYTES);
    ck_assert_ptr_null(transport_refusal(transport));
}
END_TEST

START_TEST(without_a_descriptor_it_tries_again_later)
{
    char name[NAME_BYTES];
    struct rlimit before, none;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = (struct rlimit){1, before.rlim_max}; /* and there is one; poll() takes no less */
    keyed_end_hang_up(&end);
    keyed_end_open(&end, ZMQ_ROUTER, &end.other); /* found only by connecting anew */
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    int64_t until_at = transport_now_at() + WAIT_US;
    const char *why = NULL;
    while ((why == NULL || strstr(why, "descriptor") == NULL) && transport_now_at() < until_at) {
        turn();
        why = transport_refusal(transport);
    }
    ck_assert_msg(why != NULL && strstr(why, "descriptor") != NULL, "%s", why);
    ck_assert(!transport_send(transport, bytes_of("hello")));
    ck_assert(transport_move(transport, end.endpoint));
    ck_assert(!transport_connect(transport, end.endpoint));
    ck_assert_int_eq(errno, EMFILE);
    ck_assert(transport_move(transport, end.endpoint));
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    say("at last", name);
}
END_TEST

START_TEST(only_what_has_keys_is_an_endpoint)
{
    static const char *const bad[] = {"pgm://eth0;239.192.1.1:5555", "norm://127.0.0.1:5555",
                                      "udp://127.0.0.1:5555", "tipc://{1,2}", "127.0.0.1:5555"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        ck_assert(!transport_connect(transport, bad[i]));
        ck_assert_int_eq(errno, EINVAL);
        ck_assert(!transport_move(transport, bad[i]));
    }
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_failure_that_is_over_does_not_end_a_connection);
    tcase_add_test(tcase, without_a_descriptor_it_tries_again_later);
    tcase_add_test(tcase, only_what_has_keys_is_an_endpoint);
    tcase_set_timeout(tcase, 60);
}

int main(void)
{
    return suite_run("transport", add_tests);
}
