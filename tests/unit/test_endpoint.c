/* test_endpoint - what is taken for an endpoint, and what never is. */
#include "protocol/endpoint.h"
#include "protocol/value.h"
#include "tests/support/suite.h"

static const char *const good[] = {"tcp://127.0.0.1:5550", "tcp://broker.example:1",
                                   "tcp://[::1]:65535",    "tcp://[fe80::1%eth0]:5550",
                                   "ipc:///run/fact/a",    "inproc://a"};

static const char *const bad[] = {"",
                                  "nonsense",
                                  "tcp://",
                                  "tcp://:5550",
                                  "tcp://127.0.0.1",
                                  "tcp://127.0.0.1:",
                                  "tcp://127.0.0.1:0",
                                  "tcp://127.0.0.1:65536",
                                  "tcp://127.0.0.1:18446744073709551617",
                                  "tcp://127.0.0.1:55 50",
                                  "tcp://a b:5550",
                                  "tcp://a/b:5550",
                                  "tcp://\xc3\xa9:5550",
                                  " tcp://a:1",
                                  "TCP://a:1",
                                  "http://a:1",
                                  "pgm://eth0;239.192.1.1:5555",
                                  "ipc://",
                                  "inproc://",
                                  "ipc:///a\tb"};

START_TEST(what_can_be_connected_to_is_an_endpoint)
{
    ck_assert(endpoint_is_good(bytes_of(good[_i])));
}
END_TEST

START_TEST(anything_else_is_none)
{
    ck_assert(!endpoint_is_good(bytes_of(bad[_i])));
}
END_TEST

START_TEST(three_ways_are_known)
{
    static const char *const known[] = {"tcp://*:0", "tcp://0.0.0.0:0", "ipc:///x", "inproc://x"};
    static const char *const others[] = {"pgm://eth0;239.192.1.1:5555",
                                         "epgm://e:1",
                                         "norm://e:1",
                                         "udp://e:1",
                                         "tipc://{1,2}",
                                         "ws://e:1",
                                         "vmci://1:1",
                                         "tcp://",
                                         "TCP://e:1",
                                         ""};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        ck_assert(endpoint_is_known(bytes_of(known[i])));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert(!endpoint_is_known(bytes_of(others[i])));
}
END_TEST

START_TEST(no_byte_but_a_printable_one_is_in_it)
{
    for (int i = 0; i < 256; i++) {
        char text[] = {'i', 'p', 'c', ':', '/', '/', 'a', (char)i};
        ck_assert_int_eq(endpoint_is_good((struct bytes){text, sizeof text}), i > ' ' && i < 0x7f);
    }
    ck_assert(!endpoint_is_good((struct bytes){0}));
}
END_TEST

START_TEST(a_path_is_as_long_as_the_system_allows)
{
    char text[6 + IPC_PATH_BYTES_MAX + 1] = "ipc://";
    for (size_t i = 6; i < sizeof text; i++)
        text[i] = 'a';
    ck_assert(endpoint_is_good((struct bytes){text, sizeof text - 1}));
    ck_assert(!endpoint_is_good((struct bytes){text, sizeof text}));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, what_can_be_connected_to_is_an_endpoint, 0,
                        sizeof good / sizeof good[0]);
    tcase_add_loop_test(tcase, anything_else_is_none, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(tcase, three_ways_are_known);
    tcase_add_test(tcase, no_byte_but_a_printable_one_is_in_it);
    tcase_add_test(tcase, a_path_is_as_long_as_the_system_allows);
}

int main(void)
{
    return suite_run("endpoint", add_tests);
}
