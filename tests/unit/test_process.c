/* test_process - a whole process on real sockets, against a broker that the test plays: it greets
 * and serves, comes back by itself when the broker is replaced, ends each of its role's questions
 * once (answered, late, lost), runs jobs, hears events and gaps, tells what is stale until it is
 * heard, and when told to stop finishes what it holds and exits with 0.
 *
 * The process is a child; the role in it does what its methods say (tests/support/played_role.h).
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <zmq.h>

#include "actors/runtime/process_private.h"
#include "actors/runtime/socket.h"
#include "tests/support/play.h"
#include "tests/support/suite.h"

START_TEST(it_greets_and_says_what_it_serves)
{
    struct msg_ready ready;
    play_start_child(&played_role, "common.zone=z1");
    struct pair pair = play_expect(&play.back, COMMAND_READY);
    ck_assert_uint_eq(play.back.hellos, 1);
    ck_assert_int_eq(message_decode(MSG_READY, pair.body, &ready), STATUS_OK);
    ck_assert_uint_eq(ready.concurrency, 8);
    ck_assert_uint_eq(values_count(ready.methods), 1);
    ck_assert(bytes_are(ready.zone, "z1"));
    struct msg_heartbeat beat;
    pair = play_expect(&play.back, COMMAND_HEARTBEAT);
    ck_assert_int_eq(message_decode(MSG_HEARTBEAT, pair.body, &beat), STATUS_OK);
    ck_assert_uint_gt(beat.rss, 1000000);
    ck_assert_uint_gt(beat.fds, 3);
}
END_TEST

START_TEST(it_shares_its_credit_among_the_brokers)
{
    char setting[4 * ENDPOINT_BYTES_MAX];
    struct msg_ready ready;
    (void)snprintf(setting, sizeof setting, "common.brokers=%s,ipc:///tmp/none-1,ipc:///tmp/none-2",
                   play.back.endpoint);
    play_start_child(&played_role, setting);
    struct pair pair = play_expect(&play.back, COMMAND_READY);
    ck_assert_int_eq(message_decode(MSG_READY, pair.body, &ready), STATUS_OK);
    ck_assert_uint_eq(ready.concurrency, 3); /* of 8 among 3: none is left out */
}
END_TEST

START_TEST(it_serves_and_grants_one_more_with_each_reply)
{
    play_greet();
    for (uint32_t i = 1; i <= 20; i++) {
        uint64_t id = play_request("echo");
        ck_assert_uint_eq(play_expect(&play.back, COMMAND_STARTED).header.id, id);
        struct pair pair = play_expect_reply(id, STATUS_OK);
        ck_assert_uint_eq(pair.header.credit, 8 + i);
        ck_assert_int_eq(pair.header.executed, EXECUTED_YES);
        ck_assert(bytes_are(pair.header.instance, "d1"));
        ck_assert(bytes_are(pair.body, "\x91\x07"));
    }
    play_expect_reply(play_request("nothing"), STATUS_NO_ROLE);
    play_expect_reply(play_request("large"), STATUS_INTERNAL);
    play_expect_reply(play_request("work"), STATUS_OK);
}
END_TEST

/* Sent before the replies are read: what is ready together travels together. */
START_TEST(replies_that_are_ready_together_travel_together)
{
    char message[8000];
    size_t used = 0;
    play_greet();
    for (int i = 0; i < 50; i++) {
        struct header header = {.command = COMMAND_REQUEST,
                                .id = ++play.next_id,
                                .deadline_ms = 5000,
                                .class = CLASS_CRITICAL,
                                .flags = FLAG_IDEMPOTENT,
                                .role = ROLE_DRIVER,
                                .method = bytes_of("echo")};
        used += pairs_encode_head(&header, bytes_of("\x01"), message + used);
        message[used++] = '\x01';
        ck_assert_uint_lt(used + 200, sizeof message);
    }
    ck_assert_int_ge(zmq_send(play.back.socket, play.back.peer, play.back.peer_size, ZMQ_SNDMORE),
                     0);
    ck_assert_int_ge(zmq_send(play.back.socket, message, used, 0), 0);
    struct pair pair = play_expect(&play.back, COMMAND_REPLY);
    for (int i = 1; i < 50; i++) {
        while (pairs_next(&play.back.pairs, &pair) && pair.header.command != COMMAND_REPLY)
            ;
        ck_assert_int_eq(pair.header.command, COMMAND_REPLY);
    }
    ck_assert_uint_eq(pair.header.id, play.next_id);
}
END_TEST

START_TEST(a_question_takes_its_terms_along_and_its_answer_back)
{
    play_greet();
    uint64_t id = play_request_with("ask", 4000, 0);
    struct pair question = play_expect(&play.front, COMMAND_REQUEST);
    ck_assert(bytes_are(question.header.method, "tool"));
    ck_assert(bytes_are(question.header.tenant, "acme"));
    ck_assert_uint_eq(question.header.role, ROLE_TOOL_EXECUTOR);
    ck_assert_int_eq(question.header.class, CLASS_CRITICAL);
    ck_assert_uint_le(question.header.deadline_ms, 3800);
    ck_assert_uint_ge(question.header.deadline_ms, 3000);
    struct header answer = {
        .command = COMMAND_REPLY, .id = question.header.id, .credit = 101, .status = STATUS_OK};
    play_send_pair(&play.front, &answer, bytes_of("\x2a"));
    ck_assert(bytes_are(play_expect_reply(id, STATUS_OK).body, "\x2a"));
    id = play_request_with("ask", 4000, 0);
    answer.id = play_expect(&play.front, COMMAND_REQUEST).header.id;
    answer.status = STATUS_BUSY_SHED;
    answer.retry_after_ms = 77;
    play_send_pair(&play.front, &answer, bytes_of("\xc0"));
    ck_assert_uint_eq(play_expect_reply(id, STATUS_BUSY_SHED).header.retry_after_ms, 77);
}
END_TEST

START_TEST(parts_of_an_answer_pass_through_to_one_who_asked_for_them)
{
    uint64_t number = 7;
    play_greet();
    uint64_t id = play_request_with("ask", 4000, FLAG_STREAM);
    struct pair question = play_expect(&play.front, COMMAND_REQUEST);
    ck_assert_int_eq(question.header.flags, FLAG_STREAM);
    struct header said = {.command = COMMAND_PARTIAL, .id = question.header.id};
    for (uint64_t i = 0; i < 2; i++) {
        play_send_pair(&play.front, &said, bytes_of("\x2b"));
        struct pair part = play_expect(&play.back, COMMAND_PARTIAL);
        ck_assert_uint_eq(part.header.id, id);
        ck_assert(value_u64(value_find(part.header.extension, "seq"), &number));
        ck_assert_uint_eq(number, i);
        ck_assert(bytes_are(part.body, "\x2b"));
    }
    said = (struct header){.command = COMMAND_REPLY, .id = said.id, .credit = 101};
    play_send_pair(&play.front, &said, bytes_of("\x2a"));
    (void)play_expect_reply(id, STATUS_OK);
}
END_TEST

START_TEST(one_who_did_not_ask_for_parts_gets_none)
{
    play_greet();
    uint64_t id = play_request_with("ask", 4000, 0);
    struct header said = {.command = COMMAND_PARTIAL,
                          .id = play_expect(&play.front, COMMAND_REQUEST).header.id};
    play_send_pair(&play.front, &said, bytes_of("\x2b"));
    said = (struct header){.command = COMMAND_REPLY, .id = said.id, .credit = 101};
    play_send_pair(&play.front, &said, bytes_of("\x2a"));
    (void)play_expect_reply(id, STATUS_OK);
    ck_assert_uint_eq(play.back.partials, 0);
}
END_TEST

/* Asleep it would notice each of them only with the next heartbeat or message. */
START_TEST(a_descriptor_of_the_role_s_own_wakes_it)
{
    play_greet();
    int64_t begun_at = process_clock_us();
    for (int i = 0; i < 200; i++)
        (void)play_expect_reply(play_request_with("ring", 4000, FLAG_IDEMPOTENT), STATUS_OK);
    ck_assert_int_lt(process_clock_us() - begun_at, 10 * US_PER_S);
}
END_TEST

START_TEST(what_it_serves_can_change)
{
    play_greet();
    (void)play_request("say ready");
    struct pair ready = play_expect(&play.back, COMMAND_READY);
    ck_assert_uint_eq(ready.header.role, ROLE_DRIVER);
}
END_TEST

START_TEST(a_question_without_an_answer_ends_in_time_and_is_withdrawn)
{
    play_greet();
    uint64_t id = play_request_with("ask", 300, 0);
    uint64_t asked = play_expect(&play.front, COMMAND_REQUEST).header.id;
    play_expect_reply(id, STATUS_DEADLINE_RUNNING);
    ck_assert_uint_eq(play_expect(&play.front, COMMAND_CANCEL).header.id, asked);
}
END_TEST

START_TEST(a_question_whose_broker_is_gone_is_lost)
{
    play_greet();
    uint64_t id = play_request("ask");
    (void)play_expect(&play.front, COMMAND_REQUEST);
    socket_close(&play.front.socket);
    struct pair pair = play_expect_reply(id, STATUS_WORKER_LOST);
    ck_assert_int_eq(pair.header.executed, EXECUTED_MAYBE);
}
END_TEST

/* What it holds for long it touches, again and again, and not what is young. */
START_TEST(what_it_holds_for_long_it_touches)
{
    play_greet();
    uint64_t id = play_request("hang"), quick = play_request("echo");
    play_expect_reply(quick, STATUS_OK);
    for (unsigned i = 0; i < 3; i++) {
        struct pair touch = play_expect(&play.back, COMMAND_TOUCH);
        ck_assert_uint_eq(touch.header.id, id);
        ck_assert_uint_eq(touch.header.deadline_ms, 0);
    }
}
END_TEST

START_TEST(a_cancelled_request_is_answered_at_once_and_the_role_told)
{
    play_greet();
    uint64_t id = play_request("hang");
    play_send_pair(&play.back, &(struct header){.command = COMMAND_CANCEL, .id = id},
                   (struct bytes){0});
    play_expect_reply(id, STATUS_CANCELLED);
    ck_assert_uint_eq(play_seen(SEEN_CANCELS), 1);
    id = play_request("release"); /* the role answers it all the same: that is dropped */
    play_expect_reply(id, STATUS_OK);
}
END_TEST

/* The second broker stands on the same endpoint, and knows nothing of the first. */
START_TEST(it_greets_the_next_broker_by_itself)
{
    char endpoint[ENDPOINT_BYTES_MAX];
    play_greet();
    (void)play_request("hang");
    play_expect_reply(play_request("echo"), STATUS_OK);
    memcpy(endpoint, play.back.endpoint, sizeof endpoint);
    socket_close(&play.back.socket);
    play_open_side(&play.back, endpoint);
    (void)play_expect(&play.back, COMMAND_READY);
    ck_assert_uint_eq(play.back.hellos, 1);
    struct pair pair = play_expect_reply(play_request("echo"), STATUS_OK);
    ck_assert_uint_eq(pair.header.credit, 9);      /* counted anew */
    ck_assert_uint_eq(play_seen(SEEN_CANCELS), 1); /* what hung there is not wanted any more */
}
END_TEST

START_TEST(sent_away_it_greets_again)
{
    play_greet();
    play_send_pair(&play.back,
                   &(struct header){.command = COMMAND_DISCONNECT, .status = STATUS_NO_ROLE},
                   bytes_of("\x80"));
    (void)play_expect(&play.back, COMMAND_READY);
    ck_assert_uint_eq(play.back.hellos, 2);
    play_expect_reply(play_request("echo"), STATUS_OK);
}
END_TEST

START_TEST(events_arrive_and_a_gap_is_told)
{
    struct bytes none = bytes_of("\x80");
    play_greet();
    play_await_subscriber();
    play_publish("invalidate", 5, none); /* the first: what was before is not known */
    play_await_seen(SEEN_EVENTS, 1);
    ck_assert_uint_eq(play_seen(SEEN_GAPS), 1);
    play_publish("limits", 6, none);
    play_publish("invalidate", 7, none);
    play_await_seen(SEEN_EVENTS, 2);
    ck_assert_uint_eq(play_seen(SEEN_GAPS), 1);
    play_publish("invalidate", 9, none);
    play_await_seen(SEEN_EVENTS, 3);
    ck_assert_uint_eq(play_seen(SEEN_GAPS), 2);
    play_publish("invalidate", 1, none); /* numbers begin anew */
    play_await_seen(SEEN_EVENTS, 4);
    ck_assert_uint_eq(play_seen(SEEN_GAPS), 3);
    play_await_seen(SEEN_GAPS, 4); /* silence */
}
END_TEST

START_TEST(another_broker_is_a_gap_though_the_numbers_go_on)
{
    play_greet();
    play_await_subscriber();
    play_publish("limits", 1, bytes_of("\x80"));
    play_await_seen(SEEN_GAPS, 1);
    play.generation++;
    play_send_pair(&play.back,
                   &(struct header){.command = COMMAND_DISCONNECT, .status = STATUS_NO_ROLE},
                   bytes_of("\x80"));
    (void)play_expect(&play.back, COMMAND_READY);
    play_publish("invalidate", 2, bytes_of("\x80"));
    play_await_seen(SEEN_EVENTS, 1);
    ck_assert_uint_eq(play_seen(SEEN_GAPS), 2);
    play_publish("members", 3,
                 bytes_of("\x81\xaa"
                          "generation\x08"));
    play_publish("members", 4,
                 bytes_of("\x81\xaa"
                          "generation\x09"));
    play_publish("invalidate", 5, bytes_of("\x80"));
    play_await_seen(SEEN_EVENTS, 2);
    ck_assert_uint_eq(play_seen(SEEN_GAPS), 3);
}
END_TEST

START_TEST(what_is_stale_is_told_in_order_until_it_is_heard)
{
    struct msg_invalidate message;
    play_greet();
    play_expect_reply(play_request("invalidate"), STATUS_OK);
    play_expect_reply(play_request("invalidate"), STATUS_OK);
    struct pair first = play_expect(&play.back, COMMAND_INVALIDATE);
    uint64_t number = first.header.id;
    ck_assert_int_eq(message_decode(MSG_INVALIDATE, first.body, &message), STATUS_OK);
    ck_assert_uint_eq(message.origin.size, SESSION_ID_BYTES);
    ck_assert_uint_eq(values_count(message.tags), 2);
    struct header refusal = {
        .command = COMMAND_REPLY, .id = number, .status = STATUS_BUSY_FULL, .retry_after_ms = 1};
    play_send_pair(&play.back, &refusal, bytes_of("\xc0"));
    ck_assert_uint_eq(play_expect(&play.back, COMMAND_INVALIDATE).header.id, number);
    struct header answer = {.command = COMMAND_REPLY, .id = number, .status = STATUS_OK};
    play_send_pair(&play.back, &answer, bytes_of("\xc0"));
    ck_assert_uint_eq(play_expect(&play.back, COMMAND_INVALIDATE).header.id, number + 1);
}
END_TEST

START_TEST(a_partition_of_the_view_is_asked_directly)
{
    char room[1024];
    play_open_side(&play.door, "tcp://127.0.0.1:0");
    play_greet();
    play_await_seen(SEEN_VIEWS, 1);
    uint64_t id = play_request("look up");
    struct pair question = play_expect(&play.door, COMMAND_REQUEST);
    struct header answer = {.command = COMMAND_REPLY, .id = question.header.id, .credit = 101};
    play_send_pair(&play.door, &answer, bytes_of("\x2b"));
    ck_assert(bytes_are(play_expect_reply(id, STATUS_OK).body, "\x2b"));
    id = play_request("look up"); /* gone while it has the question, and not back */
    (void)play_expect(&play.door, COMMAND_REQUEST);
    socket_close(&play.door.socket);
    play_expect_reply(id, STATUS_WORKER_LOST);
    play_expect_reply(play_request("look up"), STATUS_NO_WORKER);
    play_await_subscriber();
    play_publish("view", 1, play_write_view(room, sizeof room, 2, false));
    play_await_seen(SEEN_VIEWS, 3);
    play_expect_reply(play_request("look up"), STATUS_NO_WORKER);
}
END_TEST

START_TEST(a_partition_that_leaves_the_view_owes_nothing)
{
    char room[1024];
    play_open_side(&play.door, "tcp://127.0.0.1:0");
    play_greet();
    play_await_seen(SEEN_VIEWS, 1);
    play_await_subscriber();
    uint64_t id = play_request("look up");
    (void)play_expect(&play.door, COMMAND_REQUEST);
    play_publish("view", 1, play_write_view(room, sizeof room, 9, false));
    play_expect_reply(id, STATUS_WORKER_LOST);
    play_await_seen(SEEN_VIEWS, 10);
    play_publish("view", 2,
                 play_write_view(room, sizeof room, 8, true)); /* older: it does not count */
    play_publish("invalidate", 3, bytes_of("\x80"));
    play_await_seen(SEEN_EVENTS, 1);
    ck_assert_uint_eq(play_seen(SEEN_VIEWS), 10);
    play_expect_reply(play_request("look up"), STATUS_NO_WORKER);
}
END_TEST

START_TEST(metrics_and_log_level_are_the_runtimes_own)
{
    struct msg_metrics metrics;
    struct msg_query_loglevel level;
    play_greet();
    play_expect_reply(play_request("echo"), STATUS_OK);
    struct pair pair = play_query("metrics", bytes_of("\x80"));
    ck_assert_uint_eq(pair.header.credit, 9); /* no grant */
    ck_assert_int_eq(message_decode(MSG_METRICS, pair.body, &metrics), STATUS_OK);
    ck_assert_uint_gt(values_count(metrics.families), 10);
    pair = play_query("loglevel", bytes_of("\x81\xa5level\xa4warn"));
    ck_assert_int_eq(message_decode(MSG_QUERY_LOGLEVEL, pair.body, &level), STATUS_OK);
    ck_assert(bytes_are(level.level, "warn"));
    ck_assert_int_eq(play_query("loglevel", bytes_of("\x81\xa5level\xa4loud")).header.status,
                     STATUS_BAD_REQUEST);
    ck_assert_int_eq(play_query("tools", bytes_of("\x80")).header.status, STATUS_NO_ROLE);
}
END_TEST

START_TEST(told_to_stop_it_finishes_what_it_holds)
{
    play_greet();
    uint64_t held = play_request("hang");
    play_expect_reply(play_request("echo"), STATUS_OK);
    ck_assert_int_eq(kill(play.child, SIGTERM), 0);
    (void)play_expect(&play.back, COMMAND_DRAIN);
    uint64_t release = play_request("release"); /* one that was on its way */
    play_expect_reply(held, STATUS_OK);
    play_expect_reply(release, STATUS_OK);
    ck_assert_int_eq(play_expect(&play.back, COMMAND_DISCONNECT).header.status, STATUS_CANCELLED);
    ck_assert_int_eq(play_wait_for_child(), EX_OK);
}
END_TEST

START_TEST(told_twice_it_stops_at_once)
{
    play_greet();
    (void)play_request("hang");
    play_expect_reply(play_request("echo"), STATUS_OK);
    ck_assert_int_eq(kill(play.child, SIGINT), 0);
    (void)play_expect(&play.back, COMMAND_DRAIN);
    ck_assert_int_eq(kill(play.child, SIGINT), 0);
    (void)play_expect(&play.back, COMMAND_DISCONNECT);
    ck_assert_int_eq(play_wait_for_child(), EX_OK);
}
END_TEST

/* And what it held is not forgotten in silence: the broker hears of its end. */
START_TEST(one_that_gives_up_takes_its_leave_and_fails)
{
    play_greet();
    (void)play_request("give up");
    (void)play_expect(&play.back, COMMAND_DISCONNECT);
    ck_assert_int_eq(play_wait_for_child(), EX_SOFTWARE);
}
END_TEST

START_TEST(it_ends_though_a_job_does_not)
{
    play_greet();
    play_expect_reply(play_request("stick"), STATUS_OK);
    ck_assert_int_eq(kill(play.child, SIGINT), 0);
    (void)play_expect(&play.back, COMMAND_DRAIN);
    ck_assert_int_eq(kill(play.child, SIGINT), 0);
    (void)play_expect(&play.back, COMMAND_DISCONNECT);
    ck_assert_int_eq(play_wait_for_child(), EX_OK);
}
END_TEST

START_TEST(drained_by_the_broker_it_ends)
{
    play_greet();
    play_send_pair(
        &play.back,
        &(struct header){.command = COMMAND_DRAIN, .class = CLASS_CRITICAL, .deadline_ms = 5000},
        (struct bytes){0});
    (void)play_expect(&play.back, COMMAND_DISCONNECT);
    ck_assert_int_eq(play_wait_for_child(), EX_OK);
}
END_TEST

/* One that connects to the door, greets, and asks in the same message. */
START_TEST(it_lets_others_in_where_it_says)
{
    char message[4096], room[512], reason[SOCKET_REASON_BYTES];
    char endpoint[ENDPOINT_BYTES_MAX];
    struct msg_ready ready;
    struct bytes body;
    play_start_child(&played_door_role, "cache_partition.weight=250");
    struct pair pair = play_expect(&play.back, COMMAND_READY);
    ck_assert_int_eq(message_decode(MSG_READY, pair.body, &ready), STATUS_OK);
    ck_assert_uint_eq(ready.weight, 250);
    ck_assert_uint_eq(ready.uuid.size, SESSION_ID_BYTES);
    (void)snprintf(endpoint, sizeof endpoint, "%.*s", (int)ready.endpoint.size,
                   ready.endpoint.data);
    void *dealer = socket_open(play.zmq, ZMQ_DEALER, 0, 0);
    ck_assert_msg(socket_connect(dealer, endpoint, reason), "%s", reason);
    struct msg_hello hello = {.session = {"0123456789abcdef", 16},
                              .instance = bytes_of("t"),
                              .protocol_min = 1,
                              .protocol_max = 1};
    struct header header = {.command = COMMAND_HELLO, .class = CLASS_CRITICAL, .role = ROLE_DRIVER};
    ck_assert_int_eq(message_encode(MSG_HELLO, &hello, room, sizeof room, &body), STATUS_OK);
    size_t size = pairs_encode_head(&header, body, message);
    memcpy(message + size, body.data, body.size);
    size += body.size;
    header = (struct header){.command = COMMAND_REQUEST,
                             .id = 1,
                             .deadline_ms = 5000,
                             .class = CLASS_CRITICAL,
                             .role = ROLE_CACHE_PARTITION,
                             .method = bytes_of("stats")};
    size += pairs_encode_head(&header, bytes_of("\x80"), message + size);
    message[size++] = '\x80';
    ck_assert_int_ge(zmq_send(dealer, message, size, 0), 0);
    int received = zmq_recv(dealer, message, sizeof message, 0);
    struct pairs pairs = pairs_over((struct bytes){message, (size_t)received});
    ck_assert(pairs_next(&pairs, &pair));
    ck_assert_int_eq(pair.header.command, COMMAND_WELCOME);
    ck_assert(pairs_next(&pairs, &pair));
    ck_assert_int_eq(pair.header.command, COMMAND_REPLY);
    ck_assert(bytes_are(pair.body, "\x07"));
    socket_close(&dealer);
}
END_TEST

static const struct {
    const char *setting;
    int code;
} starts[] = {
    {"driver.namespace=refuse", EX_CONFIG},
    {"driver.nonsense=1", EX_USAGE},
    {"common.brokers=nonsense", EX_CONFIG},
};

START_TEST(off_its_host_nothing_is_bound)
{
    play_start_child(&played_door_role, "cache_partition.endpoint=tcp://0.0.0.0:0");
    ck_assert_int_eq(play_wait_for_child(), EX_UNAVAILABLE);
}
END_TEST

START_TEST(what_cannot_start_says_so_by_its_code)
{
    play_start_child(&played_role, starts[_i].setting);
    ck_assert_int_eq(play_wait_for_child(), starts[_i].code);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 20);
    tcase_add_checked_fixture(tcase, play_setup, play_teardown);
    tcase_add_test(tcase, it_greets_and_says_what_it_serves);
    tcase_add_test(tcase, it_shares_its_credit_among_the_brokers);
    tcase_add_test(tcase, it_serves_and_grants_one_more_with_each_reply);
    tcase_add_test(tcase, replies_that_are_ready_together_travel_together);
    tcase_add_test(tcase, a_question_takes_its_terms_along_and_its_answer_back);
    tcase_add_test(tcase, parts_of_an_answer_pass_through_to_one_who_asked_for_them);
    tcase_add_test(tcase, one_who_did_not_ask_for_parts_gets_none);
    tcase_add_test(tcase, a_descriptor_of_the_role_s_own_wakes_it);
    tcase_add_test(tcase, what_it_serves_can_change);
    tcase_add_test(tcase, a_question_without_an_answer_ends_in_time_and_is_withdrawn);
    tcase_add_test(tcase, a_question_whose_broker_is_gone_is_lost);
    tcase_add_test(tcase, what_it_holds_for_long_it_touches);
    tcase_add_test(tcase, a_cancelled_request_is_answered_at_once_and_the_role_told);
    tcase_add_test(tcase, it_greets_the_next_broker_by_itself);
    tcase_add_test(tcase, sent_away_it_greets_again);
    tcase_add_test(tcase, events_arrive_and_a_gap_is_told);
    tcase_add_test(tcase, another_broker_is_a_gap_though_the_numbers_go_on);
    tcase_add_test(tcase, what_is_stale_is_told_in_order_until_it_is_heard);
    tcase_add_test(tcase, a_partition_of_the_view_is_asked_directly);
    tcase_add_test(tcase, a_partition_that_leaves_the_view_owes_nothing);
    tcase_add_test(tcase, metrics_and_log_level_are_the_runtimes_own);
    tcase_add_test(tcase, told_to_stop_it_finishes_what_it_holds);
    tcase_add_test(tcase, told_twice_it_stops_at_once);
    tcase_add_test(tcase, one_that_gives_up_takes_its_leave_and_fails);
    tcase_add_test(tcase, it_ends_though_a_job_does_not);
    tcase_add_test(tcase, drained_by_the_broker_it_ends);
    tcase_add_test(tcase, it_lets_others_in_where_it_says);
    tcase_add_test(tcase, off_its_host_nothing_is_bound);
    tcase_add_loop_test(tcase, what_cannot_start_says_so_by_its_code, 0,
                        (int)(sizeof starts / sizeof starts[0]));
}

int main(void)
{
    return suite_run("process", add_tests);
}
