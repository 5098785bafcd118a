/* test_demo - which processes a demo starts and how; when one that ended starts again; and that it
 * is called ready only when every process is at work. And that a child cannot outlive its parent.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/cli/children.h"
#include "actors/cli/demo_plan.h"
#include "protocol/message.h"
#include "tests/support/suite.h"

#define SECOND INT64_C(1000000)

static struct demo_plan plan;
static char reason[DEMO_REASON_BYTES];

START_TEST(a_role_that_is_not_named_runs_as_often_as_by_default)
{
    ck_assert(demo_plan_init(&plan, "driver=3", reason));
    ck_assert_uint_eq(plan.count, 1 + 2 + 1 + 3);
    ck_assert_int_eq(plan.processes[0].role, ROLE_BROKER);
    ck_assert_uint_eq(demo_plan_count(&plan, ROLE_DRIVER), 3);
    ck_assert_uint_eq(demo_plan_count(&plan, ROLE_CACHE_PARTITION), 2);
    ck_assert_uint_eq(demo_plan_count(&plan, ROLE_TOOL_EXECUTOR), 1);
    ck_assert_str_eq(plan.processes[6].instance, "driver-3");
}
END_TEST

START_TEST(the_most_that_can_be_asked_for_fits)
{
    ck_assert(demo_plan_init(
        &plan, "broker=16,driver=32,cache_partition=32,tool_executor=32,arcade_gateway=32",
        reason));
    ck_assert_uint_eq(plan.count, DEMO_PROCESSES_MAX);
}
END_TEST

static const struct {
    const char *actors, *reason;
} bad[] = {
    {"drivers=2", "no role drivers (did you mean driver?)"},
    {"broker=17", "from 1 to 16"},
    {"driver", "driver=N"},
    {"driver=", "from 1 to 32"},
    {"driver=0", "from 1 to 32"},
    {"driver=33", "from 1 to 32"},
    {"driver=-1", "from 1 to 32"},
    {"driver=2x", "from 1 to 32"},
    {"driver=1,,tool_executor=1", "no role"},
};

START_TEST(a_wrong_list_of_actors_is_refused)
{
    ck_assert(!demo_plan_init(&plan, bad[_i].actors, reason));
    ck_assert_msg(strstr(reason, bad[_i].reason) != NULL, "%s", reason);
}
END_TEST

START_TEST(each_end_in_a_row_waits_longer_up_to_a_bound)
{
    struct restart restart = {.started_at = 0};
    int64_t now_at = SECOND, last_us = 0;
    for (unsigned i = 0; i < 20; i++) {
        int64_t wait_us = restart_after(&restart, now_at) - now_at;
        ck_assert_int_ge(wait_us, last_us);
        ck_assert_int_le(wait_us, RESTART_MS_MAX * US_PER_MS);
        last_us = wait_us;
        now_at += wait_us;
        restart.started_at = now_at;
    }
    ck_assert_int_eq(last_us, RESTART_MS_MAX * US_PER_MS);
    ck_assert_uint_ge(restart.failures, RESTARTS_LOOP);
    now_at += RESTART_STEADY_MS * US_PER_MS;
    ck_assert_int_eq(restart_after(&restart, now_at), now_at + RESTART_MS_MIN * US_PER_MS);
    ck_assert_uint_eq(restart.failures, 1);
}
END_TEST

static const struct {
    const char *frontend, *backend, *events;
} endpoints[] = {
    {"tcp://127.0.0.1:5550", "tcp://127.0.0.1:5551", "tcp://127.0.0.1:5552"},
    {"tcp://127.0.0.1:0", "tcp://127.0.0.1:0", "tcp://127.0.0.1:0"},
    {"tcp://[::1]:700", "tcp://[::1]:701", "tcp://[::1]:702"},
    {"tcp://127.0.0.1:65533", "tcp://127.0.0.1:65534", "tcp://127.0.0.1:65535"},
    {"tcp://127.0.0.1:65534", NULL, NULL},
    {"tcp://127.0.0.1", NULL, NULL},
    {"tcp://:5550", NULL, NULL},
    {"tcp://127.0.0.1:x", NULL, NULL},
    {"ipc://x:5", NULL, NULL},
    {"tcp://a:1,tcp://b:2", NULL, NULL},
};

START_TEST(backend_and_events_stand_behind_the_frontend)
{
    struct demo_endpoints found;
    bool good = demo_endpoints_from(endpoints[_i].frontend, 1, &found);
    ck_assert(good == (endpoints[_i].backend != NULL));
    if (!good)
        return;
    ck_assert_str_eq(found.frontend, endpoints[_i].frontend);
    ck_assert_str_eq(found.backend, endpoints[_i].backend);
    ck_assert_str_eq(found.events, endpoints[_i].events);
}
END_TEST

START_TEST(the_real_endpoints_are_read_from_the_brokers_log)
{
    static const char *const others[] = {
        "",
        "not json",
        "[]",
        "{\"event\":\"ready\",\"frontend\":\"a\",\"backend\":\"b\",\"events\":\"c\"}",
        "{\"event\":\"listening\",\"frontend\":\"a\",\"backend\":\"b\"}",
        "{\"event\":\"listening\",\"frontend\":1,\"backend\":\"b\",\"events\":\"c\"}"};
    struct demo_endpoints found = {.frontend = "as it was"};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        ck_assert(!demo_endpoints_read(bytes_of(others[i]), &found));
    ck_assert_str_eq(found.frontend, "as it was");
    ck_assert(demo_endpoints_read(
        bytes_of("{\"ts\":\"x\",\"event\":\"listening\",\"frontend\":\"tcp://127.0.0.1:4001\","
                 "\"backend\":\"tcp://127.0.0.1:4002\",\"events\":\"tcp://127.0.0.1:4003\"}"),
        &found));
    ck_assert_str_eq(found.backend, "tcp://127.0.0.1:4002");
}
END_TEST

static bool has(const struct demo_command *command, const char *flag, const char *value)
{
    for (unsigned i = 1; i + 1 < command->count; i++)
        if (strcmp(command->arguments[i], flag) == 0 &&
            strcmp(command->arguments[i + 1], value) == 0)
            return true;
    return false;
}

START_TEST(each_process_is_started_with_what_its_role_needs)
{
    struct demo_surroundings surroundings = {
        .programs = "/opt/bin", .database = "/d/x y.sqlite", .database_name = "main"};
    struct demo_command command;
    ck_assert(demo_plan_init(&plan, "", reason));
    surroundings.broker_count = 1;
    ck_assert(demo_endpoints_from("tcp://127.0.0.1:700", 1, surroundings.brokers));
    for (unsigned i = 0; i < plan.count; i++) {
        enum role role = plan.processes[i].role;
        demo_command_of(&plan.processes[i], &surroundings, &command);
        ck_assert_int_eq(strncmp(command.program, "/opt/bin/fact-", 14), 0);
        ck_assert(has(&command, "--instance", plan.processes[i].instance));
        ck_assert(has(&command, "--frontend", "tcp://127.0.0.1:700") == (role == ROLE_BROKER));
        ck_assert(has(&command, "--broker", "tcp://127.0.0.1:701") == (role != ROLE_BROKER));
        ck_assert(has(&command, "--set", "tool_executor.database=/d/x y.sqlite") ==
                  (role == ROLE_TOOL_EXECUTOR));
        ck_assert_ptr_null(command.arguments[command.count]);
    }
}
END_TEST

/* Each broker is told of all, and everybody else of all backends. */
START_TEST(brokers_know_each_other_and_are_known)
{
    struct demo_surroundings surroundings = {
        .programs = "/opt/bin", .database = "/d", .database_name = "main", .broker_count = 2};
    struct demo_command command;
    char list[DEMO_LIST_BYTES];
    const char *all = "tcp://127.0.0.1:700,tcp://127.0.0.1:701,tcp://127.0.0.1:702,"
                      "tcp://127.0.0.1:703,tcp://127.0.0.1:704,tcp://127.0.0.1:705";
    ck_assert(demo_plan_init(&plan, "broker=2", reason));
    ck_assert_str_eq(plan.processes[1].instance, "broker-2");
    ck_assert(demo_endpoints_from("tcp://127.0.0.1:700", 2, surroundings.brokers));
    demo_command_of(&plan.processes[1], &surroundings, &command);
    ck_assert(has(&command, "--backend", "tcp://127.0.0.1:704"));
    ck_assert(has(&command, "--peer", all));
    demo_command_of(&plan.processes[2], &surroundings, &command);
    ck_assert(has(&command, "--broker", "tcp://127.0.0.1:701,tcp://127.0.0.1:704"));
    ck_assert(demo_list(&surroundings, DEMO_FRONTEND, list));
    ck_assert_str_eq(list, "tcp://127.0.0.1:700,tcp://127.0.0.1:703");
    ck_assert(!demo_endpoints_from("tcp://127.0.0.1:65531", 2, surroundings.brokers));
    ck_assert(demo_endpoints_from("tcp://127.0.0.1:0", 2, surroundings.brokers));
    ck_assert_str_eq(surroundings.brokers[1].events, "tcp://127.0.0.1:0");
    for (size_t i = 0; i < 2; i++)
        memset(surroundings.brokers[i].frontend, 'x', sizeof surroundings.brokers[i].frontend - 1);
    surroundings.broker_count = 16;
    for (size_t i = 2; i < 16; i++)
        surroundings.brokers[i] = surroundings.brokers[0];
    ck_assert(!demo_list(&surroundings, DEMO_ALL, list));
}
END_TEST

/* A directory with the first so many workers of the plan, and so many members in its view. */
static void write_directory(struct writer *writer, unsigned workers, unsigned members,
                            const char *state)
{
    writer_map(writer, 5);
    writer_cstr(writer, "instance");
    writer_cstr(writer, "broker-1");
    writer_cstr(writer, "generation");
    writer_u64(writer, 1);
    writer_cstr(writer, "methods");
    writer_array(writer, 0);
    writer_cstr(writer, "workers");
    writer_array(writer, workers);
    for (unsigned i = 1; i <= workers; i++) {
        struct msg_worker_statistics row = {.instance = bytes_of(plan.processes[i].instance),
                                            .role = plan.processes[i].role,
                                            .state = bytes_of(state)};
        ck_assert_int_eq(message_write(MSG_WORKER_STATISTICS, &row, writer), STATUS_OK);
    }
    writer_cstr(writer, "partitions");
    writer_map(writer, 2);
    writer_cstr(writer, "epoch");
    writer_u64(writer, 1);
    writer_cstr(writer, "members");
    writer_array(writer, members);
    for (unsigned i = 0; i < members; i++) {
        struct msg_member member = {.uuid = {"0123456789abcdef", 16}, .endpoint = bytes_of("e")};
        ck_assert_int_eq(message_write(MSG_MEMBER, &member, writer), STATUS_OK);
    }
}

static bool complete(unsigned workers, unsigned members, const char *state)
{
    static char bytes[8192];
    struct writer writer;
    struct msg_directory directory;
    writer_init(&writer, bytes, sizeof bytes);
    write_directory(&writer, workers, members, state);
    ck_assert_int_eq(message_decode(MSG_DIRECTORY, writer_bytes(&writer), &directory), STATUS_OK);
    return demo_is_complete(&plan, &directory, reason);
}

START_TEST(it_is_complete_when_all_workers_are_up_and_all_partitions_in_the_view)
{
    ck_assert(demo_plan_init(&plan, "", reason));
    for (unsigned workers = 0; workers + 1 < plan.count; workers++) {
        ck_assert(!complete(workers, 2, "up"));
        ck_assert_ptr_nonnull(strstr(reason, plan.processes[workers + 1].instance));
    }
    ck_assert(!complete(plan.count - 1, 1, "up"));
    ck_assert(!complete(plan.count - 1, 2, "joining"));
    ck_assert(complete(plan.count - 1, 2, "up"));
}
END_TEST

/* The child holds the write end of a pipe: it is dead when the pipe ends. */
START_TEST(a_child_dies_with_its_parent)
{
    int pipes[2], status;
    static char log[] = "/tmp/fact-test-child.XXXXXX";
    char *const arguments[] = {"sh", "-c", "echo here; exec sleep 1000 <&0", NULL};
    int file = mkstemp(log);
    ck_assert_int_ge(file, 0);
    ck_assert_int_eq(pipe(pipes), 0);
    int parent = fork();
    if (parent == 0) {
        dup2(pipes[1], STDERR_FILENO);
        int child = child_start("/bin/sh", arguments, log, true);
        char number[16];
        int size = snprintf(number, sizeof number, "%d\n", child);
        _exit(child > 0 && write(pipes[1], number, (size_t)size) == size ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(parent, &status, 0), parent);
    ck_assert_int_eq(status, 0);
    char number[16] = "";
    ck_assert_int_gt(read(pipes[0], number, sizeof number - 1), 0);
    int child = (int)strtol(number, NULL, 10);
    for (int i = 0; i < 5000 && kill(child, 0) == 0; i++) {
        char path[64], state[64] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", child);
        FILE *stat = fopen(path, "re");
        if (stat != NULL && fgets(state, sizeof state, stat) != NULL &&
            strstr(state, ") Z") != NULL)
            i = 5000; /* dead, and not yet buried by init */
        if (stat != NULL)
            fclose(stat);
        poll(NULL, 0, 1);
        ck_assert_int_ne(i, 4999);
    }
    unlink(log);
}
END_TEST

START_TEST(what_a_child_says_goes_to_its_log_and_its_end_is_told)
{
    static char log[] = "/tmp/fact-test-child.XXXXXX";
    char *const arguments[] = {"sh", "-c", "echo out; echo err >&2; exit 7", NULL};
    char *const killed[] = {"sh", "-c", "kill -9 $$", NULL};
    char text[64] = "";
    int file = mkstemp(log), status = 0;
    int child = child_start("/bin/sh", arguments, log, true);
    ck_assert_int_gt(child, 0);
    while (child_bury(&status) != child)
        poll(NULL, 0, 1);
    child_end_text(status, text, sizeof text);
    ck_assert_str_eq(text, "exit code 7");
    ck_assert_int_eq(read(file, text, sizeof text), 8);
    ck_assert_mem_eq(text, "out\nerr\n", 8);
    child = child_start("/bin/sh", killed, log, false);
    while (child_bury(&status) != child)
        poll(NULL, 0, 1);
    child_end_text(status, text, sizeof text);
    ck_assert_ptr_nonnull(strstr(text, "signal 9"));
    ck_assert_int_eq(child_start("/bin/sh", killed, "/no/such/directory/log", true), 0);
    ck_assert_int_eq(errno, ENOENT);
    unlink(log);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 20);
    tcase_add_test(tcase, a_role_that_is_not_named_runs_as_often_as_by_default);
    tcase_add_test(tcase, the_most_that_can_be_asked_for_fits);
    tcase_add_loop_test(tcase, a_wrong_list_of_actors_is_refused, 0, sizeof bad / sizeof bad[0]);
    tcase_add_test(tcase, each_end_in_a_row_waits_longer_up_to_a_bound);
    tcase_add_loop_test(tcase, backend_and_events_stand_behind_the_frontend, 0,
                        sizeof endpoints / sizeof endpoints[0]);
    tcase_add_test(tcase, the_real_endpoints_are_read_from_the_brokers_log);
    tcase_add_test(tcase, brokers_know_each_other_and_are_known);
    tcase_add_test(tcase, each_process_is_started_with_what_its_role_needs);
    tcase_add_test(tcase, it_is_complete_when_all_workers_are_up_and_all_partitions_in_the_view);
    tcase_add_test(tcase, a_child_dies_with_its_parent);
    tcase_add_test(tcase, what_a_child_says_goes_to_its_log_and_its_end_is_told);
}

int main(void)
{
    return suite_run("demo", add_tests);
}
