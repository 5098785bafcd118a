/* test_broker_peers - greetings, silence, workers that come, drain and go, and the view of the
 * cache partitions, in virtual time. */
#include <string.h>

#include "tests/support/broker_world.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void setup(void)
{
    world_setup();
    world_start();
}

/* The next DISCONNECT of a peer has this status. */
static void expect_disconnect(enum side side, uint64_t number, enum status status)
{
    struct heard *heard = world_hear(side, number, COMMAND_DISCONNECT);
    struct msg_disconnect disconnect;
    ck_assert_ptr_nonnull(heard);
    ck_assert_str_eq(statuses[heard->pair.header.status].name, statuses[status].name);
    ck_assert_int_eq(message_decode(MSG_DISCONNECT, heard->pair.body, &disconnect), STATUS_OK);
    ck_assert_uint_gt(disconnect.reason.size, 0);
    world_forget(heard);
}

/* The next event of topic members that names this instance says this of it. */
static void expect_member(const char *instance, const char *state)
{
    for (struct heard *heard; (heard = world_event("members")) != NULL; world_forget(heard)) {
        struct msg_event_members members;
        ck_assert_int_eq(message_decode(MSG_EVENT_MEMBERS, heard->pair.body, &members), STATUS_OK);
        ck_assert_uint_eq(members.generation, world.config.generation);
        if (!bytes_are(members.instance, instance))
            continue;
        ck_assert(bytes_are(members.state, state));
        world_forget(heard);
        return;
    }
    ck_abort_msg("nothing was said of %s", instance);
}

static void say_command(enum side side, uint64_t number, enum command command)
{
    struct header header = {.command = command, .id = 1, .class = CLASS_CRITICAL};
    world_say(side, number, &header, (struct bytes){0});
}

START_TEST(a_greeting_is_answered_with_what_must_be_agreed_on)
{
    struct msg_welcome welcome;
    struct msg_broker_address address;
    struct bytes value;
    world_hello((enum side)_i, CLIENT, ROLE_CLIENT);
    world_turn();
    struct heard *heard = world_hear((enum side)_i, CLIENT, COMMAND_WELCOME);
    ck_assert_ptr_nonnull(heard);
    ck_assert_uint_eq(heard->pair.header.credit,
                      _i == SIDE_FRONTEND ? world.config.client_credit : 0);
    ck_assert_int_eq(message_decode(MSG_WELCOME, heard->pair.body, &welcome), STATUS_OK);
    ck_assert_uint_eq(welcome.generation, world.config.generation);
    ck_assert_uint_eq(welcome.heartbeat_ms, 1000);
    ck_assert_uint_eq(welcome.dead_ms, 3000);
    ck_assert_uint_eq(welcome.body_max, BODY_TOTAL_BYTES_MAX);
    ck_assert_uint_eq(welcome.message_max, MESSAGE_BYTES_MAX);
    ck_assert_ptr_null(welcome.partitions.data);
    struct values values = values_over(welcome.brokers);
    ck_assert(values_next(&values, &value));
    ck_assert_int_eq(message_decode(MSG_BROKER_ADDRESS, value, &address), STATUS_OK);
    ck_assert(bytes_are(address.events, world.config.events));
    world_forget(heard);
}
END_TEST

static const struct {
    size_t session_bytes;
    uint64_t protocol_min, protocol_max;
    enum status expected;
    const char *instance;
} hellos[] = {
    {15, 1, 1, STATUS_BAD_REQUEST, "x"}, {0, 1, 1, STATUS_BAD_REQUEST, "x"},
    {16, 2, 3, STATUS_VERSION, "x"},     {16, 0, 0, STATUS_VERSION, "x"},
    {16, 1, 1, STATUS_BAD_REQUEST, ""},  {16, 1, 9, STATUS_OK, "x"},
};

START_TEST(a_bad_greeting_is_sent_away_and_may_come_again)
{
    static const char session[16] = {CLIENT};
    struct msg_hello hello = {.session = {session, hellos[_i].session_bytes},
                              .instance = bytes_of(hellos[_i].instance),
                              .protocol_min = hellos[_i].protocol_min,
                              .protocol_max = hellos[_i].protocol_max};
    struct header header = {.command = COMMAND_HELLO, .role = ROLE_CLIENT};
    world_say_message(SIDE_FRONTEND, CLIENT, &header, MSG_HELLO, &hello);
    world_turn();
    bool good = hellos[_i].expected == STATUS_OK;
    if (!good)
        expect_disconnect(SIDE_FRONTEND, CLIENT, hellos[_i].expected);
    ck_assert_uint_eq(broker_levels(world.broker).sessions, good);
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_turn();
    ck_assert_uint_ge(world_count(SIDE_FRONTEND, CLIENT, COMMAND_WELCOME), 1);
}
END_TEST

/* Whatever it says: one word for the whole message. */
START_TEST(who_has_not_greeted_is_told_to)
{
    static const enum command commands_of[] = {COMMAND_REQUEST, COMMAND_HEARTBEAT, COMMAND_REPLY,
                                               COMMAND_READY, COMMAND_QUERY};
    struct header header = {.command = commands_of[_i], .id = 1, .deadline_ms = 1};
    world_say(SIDE_BACKEND, 3, &header, (struct bytes){0});
    world_bring(SIDE_FRONTEND, 3, (struct bytes){"", 0});
    world_turn();
    expect_disconnect(SIDE_BACKEND, 3, STATUS_NO_ROLE);
    expect_disconnect(SIDE_FRONTEND, 3, STATUS_NO_ROLE);
    ck_assert_uint_eq(broker_levels(world.broker).sessions, 0);
    ck_assert_uint_eq(broker_counts(world.broker)->strangers, 2);
}
END_TEST

START_TEST(of_two_connections_of_one_session_the_newer_wins)
{
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(1, ROLE_DRIVER, 1, "query");
    uint64_t id = world_ask(CLASS_CRITICAL, 1000, 0);
    world_turn();
    world_forget_all();
    struct msg_hello hello = {.session = {(char[16]){CLIENT}, 16},
                              .instance = bytes_of("x"),
                              .protocol_min = 1,
                              .protocol_max = 1};
    struct header header = {.command = COMMAND_HELLO, .role = ROLE_CLIENT};
    world_say_message(SIDE_BACKEND, 8, &header, MSG_HELLO, &hello); /* another side, another link */
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_DISCONNECT), 0);
    world_say_message(SIDE_FRONTEND, 8, &header, MSG_HELLO, &hello);
    world_turn();
    expect_disconnect(SIDE_FRONTEND, CLIENT, STATUS_CANCELLED);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, 8, COMMAND_WELCOME), 1);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 1, COMMAND_CANCEL), 1);
    ck_assert_uint_eq(id, 1);
}
END_TEST

/* A second greeting on one connection begins it anew: credit too, on both ends. */
START_TEST(a_second_greeting_begins_anew)
{
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(1, ROLE_DRIVER, 1, "query");
    uint64_t id = world_ask(CLASS_CRITICAL, 1000, FLAG_IDEMPOTENT);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 1, COMMAND_REQUEST), 1);
    world_forget_all();
    world_worker(1, ROLE_DRIVER, 1, "query");
    world_turn();
    struct heard *heard = world_hear(SIDE_BACKEND, 1, COMMAND_REQUEST);
    ck_assert_ptr_nonnull(heard);
    world_reply(1, heard->pair.header.id, STATUS_OK);
    world_forget(heard);
    world_turn();
    world_expect(CLIENT, id, STATUS_OK);
}
END_TEST

START_TEST(sessions_are_bounded)
{
    world_teardown();
    world_setup();
    world.config.sessions_max = 4;
    world_start();
    for (uint64_t number = 1; number <= 5; number++)
        world_hello(SIDE_FRONTEND, number, ROLE_CLIENT);
    world_turn();
    ck_assert_uint_eq(broker_levels(world.broker).sessions, 4);
    expect_disconnect(SIDE_FRONTEND, 5, STATUS_NO_ROLE); /* greet again: there may be room */
}
END_TEST

START_TEST(workers_are_bounded)
{
    struct msg_ready ready = {.concurrency = WORKER_CREDIT_MAX + 1, .weight = 100};
    world_hello(SIDE_BACKEND, 1, ROLE_DRIVER);
    world_ready(1, ROLE_DRIVER, &ready, (const char *[]){"a"}, 1);
    world_turn();
    struct heard *heard = world_hear(SIDE_BACKEND, 1, COMMAND_ERROR);
    ck_assert_int_eq(heard->pair.header.status, STATUS_BAD_REQUEST);
    world_forget(heard);
    ck_assert_uint_eq(broker_levels(world.broker).workers, 0);
}
END_TEST

/* Both ways, once a second where nothing else goes. */
START_TEST(both_sides_beat)
{
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    for (unsigned i = 0; i < 10; i++) {
        world_run(1000);
        world_beat();
    }
    unsigned beats = world_count(SIDE_FRONTEND, CLIENT, COMMAND_HEARTBEAT);
    ck_assert_uint_ge(beats, 9);
    ck_assert_uint_le(beats, 11);
    ck_assert_uint_eq(broker_levels(world.broker).sessions, 1);
}
END_TEST

/* Of a worker: suspect after two beats, and given nothing new; dead after three. Its requests go to
 * another. A last word tells it to greet again, if it lives. */
START_TEST(silence_is_death)
{
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(1, ROLE_DRIVER, 4, "query");
    world_forget_all();
    uint64_t id = world_ask(CLASS_CRITICAL, 20000, 0);
    world_turn();
    world_run(1999);
    world_beat();
    world_run(2100);
    expect_member("peer-1", "suspect");
    world_worker(2, ROLE_DRIVER, 4, "query");
    world_ask(CLASS_CRITICAL, 20000, 0);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 1, COMMAND_REQUEST), 1);
    world.gone[SIDE_BACKEND][1] = false;
    struct header beat = {.command = COMMAND_HEARTBEAT, .class = CLASS_CRITICAL};
    world_say(SIDE_FRONTEND, CLIENT, &beat, (struct bytes){0});
    world_run(1000);
    expect_member("peer-1", "dead");
    expect_disconnect(SIDE_BACKEND, 1, STATUS_NO_ROLE);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 2, COMMAND_REQUEST), 2);
    ck_assert_uint_eq(broker_counts(world.broker)->silent, 1);
    ck_assert_uint_eq(id, 1);
}
END_TEST

START_TEST(any_word_is_a_sign_of_life)
{
    world_worker(1, ROLE_DRIVER, 4, "query");
    world_forget_all();
    world_run(2500);
    expect_member("peer-1", "suspect");
    say_command(SIDE_BACKEND, 1, COMMAND_STARTED);
    world_turn();
    expect_member("peer-1", "up");
    world_run(2500);
    ck_assert_uint_eq(broker_levels(world.broker).workers, 1);
}
END_TEST

/* The broker itself did not run: that nobody was heard says nothing of them. */
START_TEST(who_was_asleep_blames_nobody)
{
    world_worker(1, ROLE_DRIVER, 4, "query");
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_pass(100 * US_PER_S);
    world_run(500);
    ck_assert_uint_eq(broker_levels(world.broker).sessions, 2);
    world_run(3000);
    ck_assert_uint_eq(broker_levels(world.broker).sessions, 0);
}
END_TEST

/* Its messages do not arrive any more: dead at once, not after three beats. */
START_TEST(who_cannot_be_reached_is_dead_at_once)
{
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(1, ROLE_DRIVER, 4, "query");
    world_turn();
    world_forget_all();
    world.gone[SIDE_BACKEND][1] = true;
    world_ask(CLASS_CRITICAL, 1000, 0);
    world_turn();
    expect_member("peer-1", "dead");
    ck_assert_uint_eq(broker_levels(world.broker).sessions, 1);
    ck_assert_uint_eq(broker_levels(world.broker).queued[ROLE_DRIVER], 1);
}
END_TEST

/* A worker that wants to leave: it gets nothing more, answers what it has, and goes. READY before
 * that un-drains it. */
START_TEST(a_worker_drains_and_comes_back_or_leaves)
{
    struct msg_ready ready = {.concurrency = 4, .weight = 100};
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(1, ROLE_DRIVER, 4, "query");
    world_ask(CLASS_CRITICAL, 1000, 0);
    world_turn();
    say_command(SIDE_BACKEND, 1, COMMAND_DRAIN);
    world_ask(CLASS_CRITICAL, 1000, 0);
    world_turn();
    world_expect(CLIENT, 2, STATUS_NO_WORKER);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 1, COMMAND_REQUEST), 1);
    world_forget_all();
    world_ready(1, ROLE_DRIVER, &ready, (const char *[]){"query"}, 1);
    world_ask(CLASS_CRITICAL, 1000, 0);
    world_turn();
    expect_member("peer-1", "up");
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 1, COMMAND_REQUEST), 1);
    say_command(SIDE_BACKEND, 1, COMMAND_DISCONNECT);
    world_turn();
    expect_member("peer-1", "dead");
    ck_assert_uint_eq(broker_levels(world.broker).workers, 0);
}
END_TEST

/* Only the first READY gives credit; a second one may change what is served. */
START_TEST(ready_again_changes_what_is_served)
{
    struct msg_ready ready = {.concurrency = 1000, .weight = 100};
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(1, ROLE_DRIVER, 2, "query");
    world_ready(1, ROLE_DRIVER, &ready, (const char *[]){"other"}, 1);
    struct header header = world_request();
    world_ask_from(CLIENT, header, (struct bytes){0});
    header.method = bytes_of("other");
    for (unsigned i = 0; i < 3; i++) {
        header.id = ++world.next_id;
        world_ask_from(CLIENT, header, (struct bytes){0});
    }
    world_turn();
    world_expect(CLIENT, 1, STATUS_NO_WORKER);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 1, COMMAND_REQUEST), 2);
}
END_TEST

/* CREDIT alone is as good as on a reply; a lower one asks back what was not used, and is answered
 * with what is kept. */
START_TEST(credit_comes_alone_too_and_goes_back)
{
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(1, ROLE_DRIVER, 1, "query");
    for (unsigned i = 0; i < 4; i++)
        world_ask(CLASS_CRITICAL, 1000, 0);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 1, COMMAND_REQUEST), 1);
    struct header header = {.command = COMMAND_CREDIT, .credit = 3};
    world_say(SIDE_BACKEND, 1, &header, (struct bytes){0});
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 1, COMMAND_REQUEST), 3);
    static const struct {
        uint32_t said, kept;
        unsigned requests;
    } rows[] = {{2, 3, 3}, {9, 0, 4}, {6, 6, 4}, {1, 4, 4}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        header.credit = rows[i].said;
        world_say(SIDE_BACKEND, 1, &header, (struct bytes){0});
        world_turn();
        ck_assert_uint_eq(world_count(SIDE_BACKEND, 1, COMMAND_REQUEST), rows[i].requests);
        struct heard *heard = world_hear(SIDE_BACKEND, 1, COMMAND_CREDIT);
        ck_assert(rows[i].kept == 0 ? heard == NULL : heard->pair.header.credit == rows[i].kept);
        world_forget(heard);
    }
}
END_TEST

static void partition(uint64_t number, const char *endpoint)
{
    struct msg_ready ready = {.concurrency = 4, .weight = 100, .endpoint = bytes_of(endpoint)};
    world_hello(SIDE_BACKEND, number, ROLE_CACHE_PARTITION);
    world_ready(number, ROLE_CACHE_PARTITION, &ready, NULL, 0);
    world_turn();
}

/* The newest view that was told; frees what was told before. */
static uint64_t told(unsigned *ret_members)
{
    uint64_t epoch = 0;
    *ret_members = 0;
    for (struct heard *heard; (heard = world_event("view")) != NULL; world_forget(heard)) {
        struct msg_view view;
        ck_assert_int_eq(message_decode(MSG_VIEW, heard->pair.body, &view), STATUS_OK);
        ck_assert_uint_gt(view.epoch, epoch);
        epoch = view.epoch;
        *ret_members = (unsigned)values_count(view.members);
    }
    return epoch;
}

START_TEST(partitions_are_told_to_all)
{
    unsigned members;
    partition(1, "tcp://127.0.0.1:7001");
    uint64_t first = told(&members);
    ck_assert_uint_eq(first, 1792);
    ck_assert_uint_eq(members, 1);
    partition(2, "tcp://127.0.0.1:7002");
    partition(3, "tcp://127.0.0.1:7003");
    ck_assert_uint_eq(told(&members), 0);
    world_run(1001);
    ck_assert_uint_eq(told(&members), first + 256);
    ck_assert_uint_eq(members, 3);
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_turn();
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_WELCOME);
    struct msg_welcome welcome;
    struct msg_view view;
    ck_assert_int_eq(message_decode(MSG_WELCOME, heard->pair.body, &welcome), STATUS_OK);
    ck_assert_int_eq(message_decode(MSG_VIEW, welcome.partitions, &view), STATUS_OK);
    ck_assert_uint_eq(values_count(view.members), 3);
    world_forget(heard);
}
END_TEST

/* Dead, or draining: told after the hold-down. */
START_TEST(a_partition_that_goes_leaves_the_view)
{
    unsigned members;
    partition(1, "tcp://127.0.0.1:7001");
    partition(2, "tcp://127.0.0.1:7002");
    world_run(1100);
    told(&members);
    ck_assert_uint_eq(members, 2);
    if (_i == 0) {
        say_command(SIDE_BACKEND, 1, COMMAND_DRAIN);
    } else {
        world.gone[SIDE_BACKEND][1] = true;
        for (unsigned i = 0; i < 31; i++) {
            world_run(100);
            world_beat();
        }
    }
    for (unsigned i = 0; i < 11; i++) {
        world_run(100);
        world_beat();
    }
    ck_assert_uint_ne(told(&members), 0);
    ck_assert_uint_eq(members, 1);
}
END_TEST

/* A broker whose clock stood behind hears of a later view, and passes it. */
START_TEST(a_later_view_that_a_partition_has_seen_is_passed)
{
    unsigned members;
    partition(1, "tcp://127.0.0.1:7001");
    told(&members);
    struct header header = {.command = COMMAND_HEARTBEAT, .class = CLASS_CRITICAL};
    struct msg_heartbeat heartbeat = {.epoch = 100 * 256 + 3};
    world_say_message(SIDE_BACKEND, 1, &header, MSG_HEARTBEAT, &heartbeat);
    world_turn();
    ck_assert_uint_eq(told(&members), 25856);
    ck_assert_uint_eq(members, 1);
}
END_TEST

START_TEST(a_partition_must_say_where_it_is)
{
    partition(1, NULL);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 1, COMMAND_ERROR), 1);
    ck_assert_uint_eq(broker_levels(world.broker).workers, 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, a_greeting_is_answered_with_what_must_be_agreed_on, 0, SIDE_COUNT);
    tcase_add_loop_test(tcase, a_bad_greeting_is_sent_away_and_may_come_again, 0, COUNT_OF(hellos));
    tcase_add_loop_test(tcase, who_has_not_greeted_is_told_to, 0, 5);
    tcase_add_test(tcase, of_two_connections_of_one_session_the_newer_wins);
    tcase_add_test(tcase, a_second_greeting_begins_anew);
    tcase_add_test(tcase, sessions_are_bounded);
    tcase_add_test(tcase, workers_are_bounded);
    tcase_add_test(tcase, both_sides_beat);
    tcase_add_test(tcase, silence_is_death);
    tcase_add_test(tcase, any_word_is_a_sign_of_life);
    tcase_add_test(tcase, who_was_asleep_blames_nobody);
    tcase_add_test(tcase, who_cannot_be_reached_is_dead_at_once);
    tcase_add_test(tcase, a_worker_drains_and_comes_back_or_leaves);
    tcase_add_test(tcase, ready_again_changes_what_is_served);
    tcase_add_test(tcase, credit_comes_alone_too_and_goes_back);
    tcase_add_test(tcase, partitions_are_told_to_all);
    tcase_add_loop_test(tcase, a_partition_that_goes_leaves_the_view, 0, 2);
    tcase_add_test(tcase, a_later_view_that_a_partition_has_seen_is_passed);
    tcase_add_test(tcase, a_partition_must_say_where_it_is);
}

int main(void)
{
    return suite_run("broker_peers", add_tests);
}
