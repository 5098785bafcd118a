/* test_doorway - a partition that asks for keys: it does not start without its own, or with a list
 * that is wrong; drivers are answered, other workers sent away, also when the list changes; and
 * nobody gives orders there. The partition is a child. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/runtime/process.h"
#include "actors/runtime/socket.h"
#include "protocol/message.h"
#include "protocol/pairs.h"
#include "protocol/session.h"
#include "tests/support/play.h"
#include "tests/support/suite.h"

#define PATH_BYTES 128
#define WAIT_MS 20000

enum who { PARTITION, DRIVER, EXECUTOR, WHO_COUNT };

static char folder[] = "/tmp/fact-doorway-XXXXXX";
static char endpoint[PATH_BYTES];
static struct curve_pair pairs[WHO_COUNT];
static pid_t child;
static void *zmq, *dealer;

static const char *path_of(const char *name)
{
    static char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static void write_file(const char *name, unsigned mode, struct bytes text)
{
    char path[PATH_BYTES], aside[PATH_BYTES];
    snprintf(path, sizeof path, "%s", path_of(name));
    snprintf(aside, sizeof aside, "%s", path_of("aside"));
    FILE *file = fopen(aside, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fchmod(fileno(file), mode), 0);
    ck_assert_uint_eq(fwrite(text.data, 1, text.size, file), text.size);
    ck_assert_int_eq(fclose(file), 0);
    ck_assert_int_eq(rename(aside, path), 0);
}

static void write_pair(const char *name, const struct curve_pair *pair, bool secret)
{
    char text[CURVE_FILE_BYTES_MAX];
    size_t size = curve_pair_write(pair, "of a test", secret, text);
    write_file(name, 0600, (struct bytes){text, size});
}

static void allow(const char *driver_roles, const char *executor_roles)
{
    char text[512];
    snprintf(text, sizeof text, "worker d %s roles=%s\nworker e %s roles=%s\n",
             pairs[DRIVER].public_key, driver_roles, pairs[EXECUTOR].public_key, executor_roles);
    write_file("allow", 0644, bytes_of(text));
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    for (int i = 0; i < WHO_COUNT; i++)
        ck_assert_int_eq(zmq_curve_keypair(pairs[i].public_key, pairs[i].secret_key), 0);
    write_pair("own", &pairs[PARTITION], true);
    write_pair("broker", &pairs[PARTITION], false);
    allow("driver", "tool_executor");
    snprintf(endpoint, sizeof endpoint, "ipc://%.100s", path_of("door"));
    setenv("FACT_CACHE_PARTITION_ENDPOINT", endpoint, 1);
    setenv("FACT_CACHE_PARTITION_CURVE_KEY_FILE", path_of("own"), 1);
    setenv("FACT_COMMON_CURVE_SERVER_FILE", path_of("broker"), 1);
    setenv("FACT_COMMON_CURVE_ALLOW_FILE", path_of("allow"), 1);
}

/* Before libzmq has threads in this process. */
static void start(void)
{
    char *argv[] = {"fact-cache-partition", "--broker", "ipc:///nowhere",
                    "--log-level",          "error",    NULL};
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(process_run(&played_door_role, 5, argv));
}

static int code_of_child(void)
{
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    child = 0;
    return WEXITSTATUS(status);
}

static void teardown(void)
{
    char command[sizeof folder + 8];
    socket_close(&dealer);
    if (zmq != NULL)
        zmq_ctx_term(zmq);
    if (child > 0) {
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
    }
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

static void connect_as(enum who who)
{
    int wait_ms = WAIT_MS;
    char reason[SOCKET_REASON_BYTES];
    if (zmq == NULL)
        zmq = zmq_ctx_new();
    socket_close(&dealer);
    dealer = socket_open(zmq, ZMQ_DEALER, 0, 0);
    socket_set_reconnect(dealer, 10);
    socket_set_curve(dealer, &pairs[who], pairs[PARTITION].public_key);
    zmq_setsockopt(dealer, ZMQ_RCVTIMEO, &wait_ms, sizeof wait_ms);
    zmq_setsockopt(dealer, ZMQ_SNDTIMEO, &wait_ms, sizeof wait_ms);
    ck_assert_msg(socket_connect(dealer, endpoint, reason), "%s", reason);
}

/* HELLO and a QUERY in one message; ret: what answers the last of them. */
static struct pair ask(const char *method)
{
    static char message[4096];
    char room[512];
    struct bytes body;
    struct pair pair = {0};
    struct msg_hello hello = {.session = {"0123456789abcdef", SESSION_ID_BYTES},
                              .instance = bytes_of("t"),
                              .protocol_min = 1,
                              .protocol_max = 1};
    struct header header = {.command = COMMAND_HELLO, .class = CLASS_CRITICAL, .role = ROLE_DRIVER};
    ck_assert_int_eq(message_encode(MSG_HELLO, &hello, room, sizeof room, &body), STATUS_OK);
    size_t size = pairs_encode_head(&header, body, message);
    memcpy(message + size, body.data, body.size);
    size += body.size;
    header = (struct header){.command = COMMAND_QUERY,
                             .id = 1,
                             .deadline_ms = 5000,
                             .class = CLASS_CRITICAL,
                             .role = ROLE_CACHE_PARTITION,
                             .method = bytes_of(method)};
    size += pairs_encode_head(&header, bytes_of("\x80"), message + size);
    message[size++] = '\x80';
    ck_assert_int_ge(zmq_send(dealer, message, size, 0), 0);
    do {
        int received = zmq_recv(dealer, message, sizeof message, 0);
        ck_assert_int_gt(received, 0);
        struct pairs answers = pairs_over((struct bytes){message, (size_t)received});
        while (pair.header.command != COMMAND_REPLY && pairs_next(&answers, &pair))
            ;
    } while (pair.header.command != COMMAND_REPLY && pair.header.command != COMMAND_DISCONNECT);
    return pair;
}

static void expect(const char *method, enum command command, enum status status)
{
    struct pair pair = ask(method);
    ck_assert_int_eq(pair.header.command, command);
    ck_assert_str_eq(statuses[pair.header.status].name, statuses[status].name);
}

START_TEST(without_its_own_key_a_list_is_no_start)
{
    unsetenv("FACT_CACHE_PARTITION_CURVE_KEY_FILE");
    unsetenv("FACT_COMMON_CURVE_SERVER_FILE");
    start();
    ck_assert_int_eq(code_of_child(), EX_CONFIG);
}
END_TEST

START_TEST(a_list_that_is_wrong_is_no_start)
{
    write_file("allow", 0644, bytes_of("client nonsense\n"));
    start();
    ck_assert_int_eq(code_of_child(), EX_CONFIG);
}
END_TEST

START_TEST(only_drivers_are_answered_and_nobody_gives_orders)
{
    start();
    connect_as(DRIVER);
    expect("metrics", COMMAND_REPLY, STATUS_OK);
    expect("loglevel", COMMAND_REPLY, STATUS_FORBIDDEN);
    expect("undrain", COMMAND_REPLY, STATUS_FORBIDDEN);
    connect_as(EXECUTOR);
    expect("metrics", COMMAND_DISCONNECT, STATUS_NO_ROLE);
}
END_TEST

/* The list is looked at once a second. */
START_TEST(a_driver_that_is_none_any_more_is_sent_away)
{
    start();
    connect_as(DRIVER);
    expect("metrics", COMMAND_REPLY, STATUS_OK);
    allow("arcade_gateway", "driver");
    while (ask("metrics").header.command != COMMAND_DISCONNECT)
        usleep(10000);
    connect_as(EXECUTOR);
    expect("metrics", COMMAND_REPLY, STATUS_OK);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, without_its_own_key_a_list_is_no_start);
    tcase_add_test(tcase, a_list_that_is_wrong_is_no_start);
    tcase_add_test(tcase, only_drivers_are_answered_and_nobody_gives_orders);
    tcase_add_test(tcase, a_driver_that_is_none_any_more_is_sent_away);
    tcase_set_timeout(tcase, 60);
}

int main(void)
{
    return suite_run("doorway", add_tests);
}
