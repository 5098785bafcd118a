/* test_command_line - a flag is a setting of the highest rank, whichever way it is written; what is
 * wrong ends the process with the code of its kind; only what this host alone can reach is bound.
 */
#include <string.h>
#include <sysexits.h>
#include <zmq.h>

#include "actors/runtime/command_line.h"
#include "actors/runtime/socket.h"
#include "protocol/value.h"
#include "tests/support/suite.h"

#define ARGUMENTS_MAX_HERE 8

static const struct program_flag flags[] = {
    {"--endpoint", "cache_partition.endpoint", NULL, "EP where drivers connect", false},
    {"--plugin", "tool_executor.plugins", NULL, "FILE tools of tests", true},
    {"--test-tools", "tool_executor.test_tools", "true", "offer the tools of tests", false},
    {NULL, NULL, NULL, NULL, false},
};
static const struct program program = {.name = "fact-cache-partition",
                                       .section = "cache_partition",
                                       .summary = "owns some slots of the cache",
                                       .flags = flags,
                                       .has_brokers = true};
static struct settings *settings;
static int code;

static void setup(void)
{
    settings = settings_new();
}

static void teardown(void)
{
    settings_destroy(&settings);
}

static bool read_arguments(const char *const *arguments)
{
    char *environment[] = {"FACT_COMMON_ZONE=env", "FACT_CACHE_PARTITION_INSTANCE=env", NULL};
    char *argv[ARGUMENTS_MAX_HERE + 2] = {"fact-cache-partition"};
    int argc = 1;
    for (; arguments[argc - 1] != NULL; argc++)
        argv[argc] = (char *)arguments[argc - 1];
    return command_line_read(&program, argc, argv, environment, settings, &code);
}

/* Each adds to those before it, and all of them count more than what stands elsewhere. */
START_TEST(a_flag_of_a_list_may_be_repeated)
{
    char longest[4090], reason[SETTINGS_REASON_BYTES];
    static const char *const one[] = {"--plugin", "a.so", NULL};
    static const char *const more[] = {"--plugin=b.so", "--plugin", "/c.so", NULL};
    const char *const too_many[] = {"--plugin", longest, "--plugin", longest, NULL};
    ck_assert(
        settings_read_yaml(settings, "y", bytes_of("tool_executor: {plugins: y.so}"), reason));
    ck_assert(read_arguments(one));
    ck_assert_str_eq(settings_text(settings, "tool_executor", "plugins"), "a.so");
    ck_assert(read_arguments(more));
    ck_assert_str_eq(settings_text(settings, "tool_executor", "plugins"), "a.so,b.so,/c.so");
    memset(longest, 'x', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    ck_assert(!read_arguments(too_many));
    ck_assert_int_eq(code, EX_USAGE);
}
END_TEST

START_TEST(flags_are_settings)
{
    static const char *const arguments[] = {
        "--endpoint", "tcp://127.0.0.1:7",  "--instance=c1", "--test-tools",
        "--set",      "common.drain_ms=5s", "--log-level",   "debug",
        NULL};
    ck_assert(read_arguments(arguments));
    ck_assert_str_eq(settings_text(settings, "cache_partition", "endpoint"), "tcp://127.0.0.1:7");
    ck_assert_str_eq(settings_text(settings, "cache_partition", "instance"), "c1");
    ck_assert_str_eq(settings_text(settings, "common", "zone"), "env");
    ck_assert_str_eq(settings_text(settings, "common", "log_level"), "debug");
    ck_assert(settings_bool(settings, "tool_executor", "test_tools"));
    ck_assert_uint_eq(settings_u64(settings, "common", "drain_ms"), 5000);
}
END_TEST

START_TEST(brokers_gather)
{
    static const char *const arguments[] = {"--broker", "tcp://127.0.0.1:1",
                                            "--broker=tcp://127.0.0.1:2", NULL};
    char endpoint[ENDPOINT_BYTES_MAX];
    size_t at = 0;
    ck_assert(read_arguments(arguments));
    ck_assert(settings_next_broker(settings, &at, endpoint));
    ck_assert_str_eq(endpoint, "tcp://127.0.0.1:1");
    ck_assert(settings_next_broker(settings, &at, endpoint));
    ck_assert_str_eq(endpoint, "tcp://127.0.0.1:2");
    ck_assert(!settings_next_broker(settings, &at, endpoint));
}
END_TEST

static const struct {
    const char *arguments[4];
    int code;
} bad[] = {
    {{"--help"}, EX_OK},
    {{"--version"}, EX_OK},
    {{"--unknown"}, EX_USAGE},
    {{"extra"}, EX_USAGE},
    {{"--endpoint"}, EX_USAGE},
    {{"--test-tools=true"}, EX_USAGE},
    {{"--set", "cache_partition.weight=0"}, EX_USAGE},
    {{"--log-level", "loud"}, EX_CONFIG},
    {{"--broker", ""}, EX_USAGE},
    {{"--broker", "a,,b"}, EX_CONFIG},
    {{"--config", "/nonexistent"}, EX_CONFIG},
    {{"--set", "common.brokers=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17"}, EX_CONFIG},
};

START_TEST(a_bad_start_ends_with_the_code_of_its_kind)
{
    ck_assert(!read_arguments(bad[_i].arguments));
    ck_assert_int_eq(code, bad[_i].code);
}
END_TEST

static const struct {
    const char *endpoint;
    bool local;
} endpoints[] = {
    {"tcp://127.0.0.1:5550", true},  {"tcp://127.8.9.1:0", true},    {"tcp://localhost:1", true},
    {"tcp://[::1]:5550", true},      {"ipc:///tmp/x", true},         {"inproc://x", true},
    {"tcp://*:5550", false},         {"tcp://0.0.0.0:5550", false},  {"tcp://[::]:5550", false},
    {"tcp://127.evil.net:1", false}, {"tcp://127.0.0.1", false},     {"tcp://", false},
    {"tcp://10.0.0.1:1", false},     {"tcp://localhost.x:1", false}, {"tcp://eth0:5550", false},
    {"pgm://127.0.0.1:1", false},    {"udp://127.0.0.1:1", false},   {"", false},
    {"tcp://:5550", false},          {"tcp://127.0.0.1;*:1", false},
};

START_TEST(only_what_stays_on_the_host_is_local)
{
    ck_assert_int_eq(endpoint_is_local(endpoints[_i].endpoint), endpoints[_i].local);
}
END_TEST

START_TEST(a_free_port_is_named_and_a_taken_one_refused)
{
    char first[ENDPOINT_BYTES_MAX], second[ENDPOINT_BYTES_MAX], reason[SOCKET_REASON_BYTES];
    void *context = zmq_ctx_new();
    socket_raise_limits(context);
    void *router = socket_open(context, ZMQ_ROUTER, 0, 1);
    void *other = socket_open(context, ZMQ_ROUTER, 0, 0);
    ck_assert(!socket_bind(router, "tcp://*:0", "", first, reason));
    ck_assert_ptr_nonnull(strstr(reason, "loopback"));
    ck_assert(socket_bind(router, "tcp://127.0.0.1:0", "", first, reason));
    ck_assert(endpoint_is_local(first));
    ck_assert_str_ne(first, "tcp://127.0.0.1:0");
    ck_assert(!socket_bind(other, first, "", second, reason));
    ck_assert_ptr_nonnull(strstr(reason, "Address already in use"));
    ck_assert(!socket_connect(other, "nonsense", reason));
    socket_close(&router);
    socket_close(&other);
    socket_close(&other);
    zmq_ctx_term(context);
}
END_TEST

/* With a key, too: libzmq would bind it and ask nobody for one. */
START_TEST(what_knows_no_keys_is_not_bound)
{
    static const char *const endpoints_of_others[] = {"pgm://eth0;239.192.1.1:5555",
                                                      "norm://127.0.0.1:5555"};
    char bound[ENDPOINT_BYTES_MAX], reason[SOCKET_REASON_BYTES];
    int on = 1;
    void *context = zmq_ctx_new();
    void *publisher = socket_open(context, ZMQ_XPUB, 0, 0);
    ck_assert_int_eq(zmq_setsockopt(publisher, ZMQ_CURVE_SERVER, &on, sizeof on), 0);
    for (size_t i = 0; i < sizeof endpoints_of_others / sizeof endpoints_of_others[0]; i++) {
        ck_assert(!socket_bind(publisher, endpoints_of_others[i], "", bound, reason));
        ck_assert_ptr_nonnull(strstr(reason, "tcp://HOST:PORT"));
        ck_assert(!socket_connect(publisher, endpoints_of_others[i], reason));
        ck_assert_ptr_nonnull(strstr(reason, "tcp://HOST:PORT"));
    }
    socket_close(&publisher);
    zmq_ctx_term(context);
}
END_TEST

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, flags_are_settings);
    tcase_add_test(tcase, a_flag_of_a_list_may_be_repeated);
    tcase_add_test(tcase, brokers_gather);
    tcase_add_test(tcase, what_knows_no_keys_is_not_bound);
    tcase_add_loop_test(tcase, a_bad_start_ends_with_the_code_of_its_kind, 0, COUNT_OF(bad));
    tcase_add_loop_test(tcase, only_what_stays_on_the_host_is_local, 0, COUNT_OF(endpoints));
    tcase_add_test(tcase, a_free_port_is_named_and_a_taken_one_refused);
}

int main(void)
{
    return suite_run("command_line", add_tests);
}
