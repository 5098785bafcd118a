/* test_address - which addresses a caller's URL may reach: every special network denied, in each
 * way an address can be written into another; and the lists of networks and ports, and URLs. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "actors/arcade_gateway/address.h"
#include "actors/arcade_gateway/url.h"
#include "tests/support/suite.h"

static bool allowed(const struct networks *networks, const char *text)
{
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    struct sockaddr_in four = {.sin_family = AF_INET};
    if (strchr(text, ':') != NULL) {
        ck_assert_int_eq(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
        return address_is_allowed(networks, (struct sockaddr *)&six);
    }
    ck_assert_int_eq(inet_pton(AF_INET, text, &four.sin_addr), 1);
    return address_is_allowed(networks, (struct sockaddr *)&four);
}

static const char *const denied[] = {"0.0.0.0",
                                     "0.255.255.255",
                                     "10.0.0.0",
                                     "10.255.255.255",
                                     "100.64.0.0",
                                     "100.127.255.255",
                                     "127.0.0.1",
                                     "127.255.255.255",
                                     "169.254.0.0",
                                     "169.254.169.254",
                                     "172.16.0.0",
                                     "172.31.255.255",
                                     "192.0.0.1",
                                     "192.0.2.1",
                                     "192.168.0.0",
                                     "192.168.255.255",
                                     "198.18.0.0",
                                     "198.19.255.255",
                                     "198.51.100.1",
                                     "203.0.113.1",
                                     "224.0.0.1",
                                     "239.255.255.255",
                                     "240.0.0.1",
                                     "255.255.255.255",
                                     "::",
                                     "::1",
                                     "::ffff:127.0.0.1",
                                     "::ffff:10.0.0.1",
                                     "::ffff:169.254.169.254",
                                     "64:ff9b::7f00:1",
                                     "64:ff9b::a00:1",
                                     "2002:7f00:1::",
                                     "2002:a00:1::1",
                                     "fc00::1",
                                     "fdff:ffff::1",
                                     "fe80::1",
                                     "febf::1",
                                     "fec0::1",
                                     "ff02::1",
                                     "2001:db8::1",
                                     "2001::1",
                                     "100::1"};

static const char *const open_to_all[] = {
    "1.1.1.1",         "8.8.8.8",         "9.255.255.255",
    "11.0.0.0",        "100.63.255.255",  "100.128.0.0",
    "126.255.255.255", "128.0.0.1",       "169.253.255.255",
    "169.255.0.0",     "172.15.255.255",  "172.32.0.0",
    "192.167.255.255", "192.169.0.0",     "198.17.255.255",
    "198.20.0.0",      "223.255.255.255", "2606:4700:4700::1111",
    "2a00:1450::1",    "::ffff:8.8.8.8",  "64:ff9b::808:808",
    "2002:808:808::1"};

START_TEST(what_is_not_public_is_denied)
{
    struct networks none = {.count = 0};
    ck_assert_msg(!allowed(&none, denied[_i]), "%s", denied[_i]);
}
END_TEST

START_TEST(what_is_public_is_allowed)
{
    struct networks none = {.count = 0};
    ck_assert_msg(allowed(&none, open_to_all[_i]), "%s", open_to_all[_i]);
}
END_TEST

START_TEST(a_network_that_is_listed_is_open_and_no_other)
{
    struct networks networks;
    char bad[NETWORK_BYTES_MAX];
    ck_assert(networks_read(&networks, "127.0.0.1, 10.1.0.0/16 fd00::/8", bad));
    ck_assert_uint_eq(networks.count, 3);
    ck_assert(allowed(&networks, "127.0.0.1"));
    ck_assert(!allowed(&networks, "127.0.0.2"));
    ck_assert(allowed(&networks, "::ffff:127.0.0.1"));
    ck_assert(allowed(&networks, "10.1.255.255"));
    ck_assert(!allowed(&networks, "10.2.0.0"));
    ck_assert(!allowed(&networks, "10.0.255.255"));
    ck_assert(allowed(&networks, "fd12::1"));
    ck_assert(!allowed(&networks, "fc12::1"));
    ck_assert(!allowed(&networks, "::1"));
}
END_TEST

static const char *const no_networks[] = {"localhost",   "127.0.0.1/33", "10.0.0.0/-1",
                                          "1.2.3",       "fd00::/129",   "10.0.0.0/",
                                          "10.0.0.0/8x", "::1::2",       "10.0.0.0//8"};

START_TEST(what_is_no_network_is_named)
{
    struct networks networks;
    char bad[NETWORK_BYTES_MAX] = "";
    ck_assert(!networks_read(&networks, no_networks[_i], bad));
    ck_assert_str_eq(bad, no_networks[_i]);
}
END_TEST

START_TEST(a_list_of_networks_has_a_bound)
{
    struct networks networks;
    char bad[NETWORK_BYTES_MAX], list[NETWORKS_MAX * 12 + 32] = "";
    for (unsigned i = 0; i < NETWORKS_MAX; i++)
        strcat(list, "10.0.0.0/8 ");
    ck_assert(networks_read(&networks, list, bad));
    strcat(list, "10.0.0.0/8");
    ck_assert(!networks_read(&networks, list, bad));
    ck_assert(networks_read(&networks, " , ", bad));
    ck_assert_uint_eq(networks.count, 0);
}
END_TEST

START_TEST(another_family_is_denied)
{
    struct networks none = {.count = 0};
    struct sockaddr other = {.sa_family = AF_UNIX};
    ck_assert(!address_is_allowed(&none, &other));
}
END_TEST

START_TEST(ports_are_read)
{
    struct ports ports;
    ck_assert(ports_read(&ports, "80, 443 8080"));
    ck_assert_uint_eq(ports.count, 3);
    ck_assert_uint_eq(ports.list[2], 8080);
    ck_assert(ports_read(&ports, ""));
    ck_assert_uint_eq(ports.count, 0);
    ck_assert(!ports_read(&ports, "0"));
    ck_assert(!ports_read(&ports, "65536"));
    ck_assert(!ports_read(&ports, "80x"));
    ck_assert(!ports_read(&ports, "-1"));
}
END_TEST

static const struct {
    const char *text;
    bool good;
} urls[] = {{"http://example.com", true},
            {"https://example.com/a?b#c", true},
            {"HTTPS://EXAMPLE.com:443/", true},
            {"http://[2606:4700::1]/", true},
            {"http://example.com:81/", false}, /* another port */
            {"http://user@example.com/", false},
            {"http://user:pass@example.com/", false},
            {"http://:pass@example.com/", false},
            {"file:///etc/passwd", false},
            {"gopher://example.com:80/", false},
            {"ftp://example.com/", false},
            {"javascript:alert(1)", false},
            {"//example.com/", false},
            {"example.com", false},
            {"http://", false},
            {"http://exa mple.com/", false},
            {"", false}};

START_TEST(a_url_is_one_that_may_be_asked)
{
    struct ports ports;
    struct url url;
    const char *reason = NULL;
    ck_assert(ports_read(&ports, "80 443"));
    bool good = url_is_allowed(urls[_i].text, &ports, &url, &reason);
    ck_assert_msg(good == urls[_i].good, "%s", urls[_i].text);
    ck_assert(good || reason != NULL);
}
END_TEST

START_TEST(an_origin_is_scheme_host_and_port)
{
    struct url one, other;
    const char *reason;
    ck_assert(url_read("https://example.com/a", &one, &reason));
    ck_assert(url_read("https://EXAMPLE.com:443/b", &other, &reason));
    ck_assert(url_same_origin(&one, &other));
    ck_assert(url_read("https://example.com:444/", &other, &reason));
    ck_assert(!url_same_origin(&one, &other));
    ck_assert(url_read("http://example.com:443/", &other, &reason));
    ck_assert(!url_same_origin(&one, &other));
    ck_assert(url_read("https://example.org/", &other, &reason));
    ck_assert(!url_same_origin(&one, &other));
    ck_assert(url_read("http://[::1]:9/", &other, &reason));
    ck_assert(url_is_loopback(&other));
    ck_assert_str_eq(other.host, "::1");
    ck_assert_uint_eq(other.port, 9);
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, what_is_not_public_is_denied, 0, COUNT_OF(denied));
    tcase_add_loop_test(tcase, what_is_public_is_allowed, 0, COUNT_OF(open_to_all));
    tcase_add_test(tcase, a_network_that_is_listed_is_open_and_no_other);
    tcase_add_loop_test(tcase, what_is_no_network_is_named, 0, COUNT_OF(no_networks));
    tcase_add_test(tcase, a_list_of_networks_has_a_bound);
    tcase_add_test(tcase, another_family_is_denied);
    tcase_add_test(tcase, ports_are_read);
    tcase_add_loop_test(tcase, a_url_is_one_that_may_be_asked, 0, COUNT_OF(urls));
    tcase_add_test(tcase, an_origin_is_scheme_host_and_port);
}

int main(void)
{
    return suite_run("address", add_tests);
}
