/* test_sites - an address of the settings is one that a key may travel to, or the gateway does not
 * start and says which setting to mend; names of MCP servers are names, and each is there once. */
#include <stdio.h>
#include <string.h>

#include "actors/arcade_gateway/sites.h"
#include "actors/runtime/settings.h"
#include "tests/support/suite.h"

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

static struct settings *settings;
static struct imports *imports;
static struct sites *sites;
static char reason[256];

static void setup(void)
{
    settings = settings_new();
    imports = imports_new();
    sites = calloc(1, sizeof *sites);
    reason[0] = '\0';
}

static void teardown(void)
{
    sites_fini(sites);
    free(sites);
    imports_destroy(&imports);
    settings_destroy(&settings);
}

static bool read_servers(const char *servers)
{
    char flag[1024], why[SETTINGS_REASON_BYTES];
    (void)snprintf(flag, sizeof flag, "arcade_gateway.mcp_servers=%s", servers);
    ck_assert_msg(settings_read_flag(settings, flag, why), "%s", why);
    return sites_read(sites, settings, imports, reason, sizeof reason);
}

static const char *const private_urls[] = {"https://docs.example.com/mcp",
                                           "HTTPS://docs.example.com",
                                           "https://10.0.0.1:8443",
                                           "http://127.0.0.1",
                                           "http://127.0.0.1:80/mcp",
                                           "http://localhost:1/",
                                           "http://LOCALHOST/mcp?that=one",
                                           "http://[::1]:8000/mcp",
                                           "http://[::1]"};

START_TEST(a_key_travels_by_tls_or_stays_on_this_machine)
{
    char servers[256];
    (void)snprintf(servers, sizeof servers, "docs=%s", private_urls[_i]);
    ck_assert_msg(read_servers(servers), "%s", reason);
    ck_assert_ptr_nonnull(sites_find(sites, "Docs"));
}
END_TEST

static const char *const open_urls[] = {"http://docs.example.com",
                                        "http://127.0.0.1.example.com",
                                        "http://localhost.example.com",
                                        "http://localhost-x",
                                        "http://127.0.0.2",
                                        "http://[::1].example.com",
                                        "http://[::2]",
                                        "http://example.com/127.0.0.1",
                                        "http://example.com#http://localhost",
                                        "http://localhost@example.com",
                                        "https://user:secret@example.com",
                                        "ftp://localhost",
                                        "https://",
                                        "http:///x",
                                        "localhost",
                                        "https"};

START_TEST(any_other_address_is_refused_and_the_setting_named)
{
    char servers[256];
    (void)snprintf(servers, sizeof servers, "docs=%s", open_urls[_i]);
    ck_assert_msg(!read_servers(servers), "%s", open_urls[_i]);
    ck_assert_msg(strstr(reason, "arcade_gateway.mcp_servers: ") == reason, "%s", reason);
    ck_assert_ptr_null(strstr(reason, "secret"));
}
END_TEST

START_TEST(the_addresses_of_providers_are_judged_alike)
{
    ck_assert(
        settings_read_flag(settings, "arcade_gateway.arcade_url=http://api.example.com", reason));
    ck_assert(!sites_read(sites, settings, imports, reason, sizeof reason));
    ck_assert_msg(strstr(reason, "arcade_gateway.arcade_url: ") == reason, "%s", reason);
}
END_TEST

static const char *const bad_names[] = {"docs",
                                        "=https://a",
                                        "docs=",
                                        "1x=https://a",
                                        "do-cs=https://a",
                                        "a=https://a A=https://b",
                                        "arcade=https://a"};

START_TEST(a_name_is_letters_and_digits_and_there_once)
{
    ck_assert_msg(!read_servers(bad_names[_i]), "%s", bad_names[_i]);
    ck_assert_msg(strstr(reason, "arcade_gateway.mcp_servers: ") == reason, "%s", reason);
}
END_TEST

START_TEST(more_servers_than_there_is_room_for_are_refused)
{
    char servers[1024] = "";
    size_t size = 0;
    for (int i = 0; i < (int)SITES_MAX; i++)
        size += (size_t)snprintf(servers + size, sizeof servers - size, "s%d=https://a ", i);
    ck_assert(!read_servers(servers));
    ck_assert_ptr_nonnull(strstr(reason, "is one too many"));
    ck_assert_uint_eq(sites->count, SITES_MAX);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_key_travels_by_tls_or_stays_on_this_machine, 0,
                        COUNT_OF(private_urls));
    tcase_add_loop_test(tcase, any_other_address_is_refused_and_the_setting_named, 0,
                        COUNT_OF(open_urls));
    tcase_add_test(tcase, the_addresses_of_providers_are_judged_alike);
    tcase_add_loop_test(tcase, a_name_is_letters_and_digits_and_there_once, 0, COUNT_OF(bad_names));
    tcase_add_test(tcase, more_servers_than_there_is_room_for_are_refused);
}

int main(void)
{
    return suite_run("sites", add_tests);
}
