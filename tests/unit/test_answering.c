/* test_answering - a whole process on real sockets, asked the same thing again under one
 * idempotency key: it executes it once, and answers each time. See test_process.c. */
#include <string.h>

#include "tests/support/play.h"
#include "tests/support/suite.h"

/* As play_request(), with a key of this byte; returns its id. */
static uint64_t request(const char *method, char key_byte, uint16_t flags)
{
    char key[IDEMPOTENCY_KEY_BYTES] = {key_byte};
    struct header header = {.command = COMMAND_REQUEST,
                            .id = ++play.next_id,
                            .deadline_ms = 5000,
                            .class = CLASS_CRITICAL,
                            .flags = flags,
                            .role = ROLE_DRIVER,
                            .method = bytes_of(method),
                            .idempotency_key = {key, sizeof key}};
    play_send_pair(&play.back, &header, bytes_of("\x91\x07"));
    return header.id;
}

START_TEST(what_was_answered_is_answered_again)
{
    play_greet();
    uint64_t first = request("echo", 1, 0);
    ck_assert_uint_eq(play_expect(&play.back, COMMAND_STARTED).header.id, first);
    play_expect_reply(first, STATUS_OK);
    uint64_t again = request("echo", 1, 0), other = request("echo", 2, 0);
    struct pair pair = play_expect_reply(again, STATUS_OK);
    ck_assert(bytes_are(pair.body, "\x91\x07"));
    ck_assert_int_eq(pair.header.executed, EXECUTED_YES);
    ck_assert_uint_eq(pair.header.credit, 10);
    /* the next that says STARTED is the other: the second had no need to */
    ck_assert_uint_eq(play_expect(&play.back, COMMAND_STARTED).header.id, other);
    play_expect_reply(other, STATUS_OK);
}
END_TEST

START_TEST(what_runs_is_waited_for)
{
    play_greet();
    uint64_t first = request("hang", 1, 0), second = request("hang", 1, 0);
    uint64_t third = request("hang", 1, 0);
    struct header cancel = {.command = COMMAND_CANCEL, .id = third};
    play_send_pair(&play.back, &cancel, (struct bytes){0});
    play_expect_reply(third, STATUS_CANCELLED);
    request("release", 2, 0);
    ck_assert(bytes_are(play_expect_reply(second, STATUS_OK).body, "\x02"));
    ck_assert(bytes_are(play_expect_reply(first, STATUS_OK).body, "\x02"));
}
END_TEST

/* Row 1 may run again, 0 may not: it was cancelled, and perhaps executed. */
START_TEST(what_was_cancelled_runs_again_if_it_may)
{
    uint16_t flags = _i == 1 ? FLAG_IDEMPOTENT : 0;
    play_greet();
    uint64_t first = request("hang", 1, flags), second = request("hang", 1, flags);
    struct header cancel = {.command = COMMAND_CANCEL, .id = first};
    play_send_pair(&play.back, &cancel, (struct bytes){0});
    play_expect_reply(second, _i == 1 ? STATUS_DUPLICATE_RUNNING : STATUS_CANCELLED);
    play_expect_reply(first, STATUS_CANCELLED);
    uint64_t again = request("hang", 1, flags);
    if (_i == 0) {
        play_expect_reply(again, STATUS_CANCELLED);
        return;
    }
    request("release", 2, 0);
    play_expect_reply(again, STATUS_OK);
}
END_TEST

START_TEST(an_answer_that_is_too_large_stays_so)
{
    play_greet();
    play_expect_reply(request("large", 1, 0), STATUS_INTERNAL);
    struct pair pair = play_expect_reply(request("large", 1, 0), STATUS_INTERNAL);
    ck_assert_int_eq(pair.header.executed, EXECUTED_YES);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, play_setup, play_teardown);
    tcase_add_test(tcase, what_was_answered_is_answered_again);
    tcase_add_test(tcase, what_runs_is_waited_for);
    tcase_add_loop_test(tcase, what_was_cancelled_runs_again_if_it_may, 0, 2);
    tcase_add_test(tcase, an_answer_that_is_too_large_stays_so);
}

int main(void)
{
    return suite_run("answering", add_tests);
}
