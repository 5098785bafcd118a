/* test_broker_keeping - no reply is lost with a connection, in virtual time: what asks for it is
 * held until it is acknowledged, fetched, or too old; what runs goes on; and the bounds of all that
 * hold. */
#include <string.h>

#include "broker/keeps.h"
#include "broker/list.h"
#include "tests/support/broker_world.h"

#define AGAIN 9u /* the client's next connection */
#define OTHER 8u

static const char key_bytes[IDEMPOTENCY_KEY_BYTES] = "sixteen of bytes";

/* Greet over this connection as the session of the CLIENT, or of another number. */
static void greet(uint64_t number, uint64_t session_of, bool resume)
{
    char session[SESSION_ID_BYTES] = {(char)session_of};
    struct msg_hello hello = {.session = {session, sizeof session},
                              .instance = bytes_of("client"),
                              .protocol_min = 1,
                              .protocol_max = 1,
                              .resume = resume};
    struct header header = {.command = COMMAND_HELLO, .class = CLASS_CRITICAL, .role = ROLE_CLIENT};
    world_say_message(SIDE_FRONTEND, number, &header, MSG_HELLO, &hello);
    world_turn();
}

static void setup(void)
{
    world_setup();
    world.config.client_credit = 8;
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(1, ROLE_DRIVER, 2, "query");
    world_turn();
    world_forget_all();
}

/* One that is with the worker; ret: its number there. */
static uint64_t ask_running(uint16_t flags, uint64_t *ret)
{
    uint64_t id = world_ask(CLASS_CRITICAL, 5000, flags);
    world_turn();
    *ret = world_next(WORKER);
    ck_assert_uint_ne(*ret, 0);
    return id;
}

static uint64_t answer_one(uint16_t flags)
{
    uint64_t at_worker, id = ask_running(flags, &at_worker);
    world_reply(WORKER, at_worker, STATUS_OK);
    world_turn();
    world_expect(CLIENT, id, STATUS_OK);
    return id;
}

static void say(uint64_t number, enum command command, uint64_t id)
{
    world_say(SIDE_FRONTEND, number, &(struct header){.command = command, .id = id},
              (struct bytes){0});
    world_turn();
}

static unsigned replies(uint64_t number)
{
    return world_count(SIDE_FRONTEND, number, COMMAND_REPLY);
}

/* So long that the broker gives up on who does not beat; the worker beats. */
static void fall_silent(void)
{
    struct header beat = {.command = COMMAND_HEARTBEAT, .id = 1, .class = CLASS_CRITICAL};
    for (unsigned i = 0; i < 35; i++) {
        world_pass(100 * MS);
        world_say(SIDE_BACKEND, WORKER, &beat, (struct bytes){0});
        world_turn();
    }
}

START_TEST(a_reply_that_was_not_acknowledged_comes_again)
{
    uint64_t id = answer_one(FLAG_KEEP), other = answer_one(0);
    greet(AGAIN, CLIENT, true);
    world_expect(AGAIN, id, STATUS_OK);
    ck_assert_uint_eq(replies(AGAIN), 1);
    struct heard *heard = world_hear(SIDE_FRONTEND, AGAIN, COMMAND_REPLY);
    ck_assert(bytes_are(heard->pair.body, "answer"));
    ck_assert_uint_eq(heard->pair.header.credit, 8);
    world_forget(heard);
    ck_assert_uint_ne(other, 0);
    ck_assert_uint_eq(broker_counts(world.broker)->resumed, 1);
}
END_TEST

START_TEST(what_is_acknowledged_comes_no_more)
{
    uint64_t first = answer_one(FLAG_KEEP), second = answer_one(FLAG_KEEP);
    say(CLIENT, COMMAND_ACKFLOOR, first);
    greet(AGAIN, CLIENT, true);
    ck_assert_uint_eq(replies(AGAIN), 1);
    world_expect(AGAIN, second, STATUS_OK);
    world_forget_all();
    say(AGAIN, COMMAND_ACKFLOOR, second);
    greet(CLIENT, CLIENT, true);
    ck_assert_uint_eq(replies(CLIENT), 0);
}
END_TEST

/* Row 0: the old connection is still thought to live; 1: it is not any more. */
START_TEST(what_runs_goes_on_for_who_comes_back)
{
    uint64_t at_worker, id = ask_running(FLAG_KEEP, &at_worker);
    if (_i == 1)
        fall_silent();
    greet(AGAIN, CLIENT, true);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_CANCEL), 0);
    struct heard *heard = world_hear(SIDE_FRONTEND, AGAIN, COMMAND_WELCOME);
    ck_assert_uint_eq(heard->pair.header.credit, 7); /* it counts against the new connection's */
    world_forget(heard);
    world_reply(WORKER, at_worker, STATUS_OK);
    world_turn();
    world_expect(AGAIN, id, STATUS_OK);
    heard = world_hear(SIDE_FRONTEND, AGAIN, COMMAND_REPLY);
    ck_assert_uint_eq(heard->pair.header.credit, 8);
    world_forget(heard);
}
END_TEST

START_TEST(a_reply_to_who_is_away_is_held)
{
    uint64_t at_worker, id = ask_running(FLAG_KEEP, &at_worker);
    fall_silent();
    world_reply(WORKER, at_worker, STATUS_OK);
    world_turn();
    ck_assert_uint_eq(broker_levels(world.broker).slots, 0);
    greet(AGAIN, CLIENT, true);
    world_expect(AGAIN, id, STATUS_OK);
}
END_TEST

/* What waits is not begun for who is away; that it was not is held for it. */
START_TEST(what_waits_is_cancelled_when_its_client_is_away)
{
    uint64_t at_worker, ids[3];
    ids[0] = ask_running(FLAG_KEEP, &at_worker);
    ids[1] = ask_running(0, &at_worker);
    ids[2] = world_ask(CLASS_CRITICAL, 5000, FLAG_KEEP);
    world_turn();
    fall_silent();
    greet(AGAIN, CLIENT, true);
    world_expect(AGAIN, ids[2], STATUS_CANCELLED);
    struct heard *heard = world_hear(SIDE_FRONTEND, AGAIN, COMMAND_REPLY);
    ck_assert_int_eq(heard->pair.header.executed, EXECUTED_NO);
    world_forget(heard);
    ck_assert_uint_eq(broker_counts(world.broker)->roles[ROLE_DRIVER].in_flight, 1);
}
END_TEST

START_TEST(a_session_that_does_not_resume_begins_anew)
{
    uint64_t at_worker;
    answer_one(FLAG_KEEP);
    ask_running(FLAG_KEEP, &at_worker);
    fall_silent();
    greet(AGAIN, CLIENT, false);
    ck_assert_uint_eq(replies(AGAIN), 0);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_CANCEL), 1);
    greet(AGAIN, CLIENT, true);
    ck_assert_uint_eq(replies(AGAIN), 0);
    ck_assert_uint_eq(broker_levels(world.broker).slots, 0);
}
END_TEST

START_TEST(who_says_goodbye_wants_nothing_kept)
{
    uint64_t at_worker;
    answer_one(FLAG_KEEP);
    ask_running(FLAG_KEEP, &at_worker);
    say(CLIENT, COMMAND_DISCONNECT, 0);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_CANCEL), 1);
    greet(AGAIN, CLIENT, true);
    ck_assert_uint_eq(replies(AGAIN), 0);
}
END_TEST

/* Not beyond the request's deadline, and not beyond 30 s. */
START_TEST(a_reply_is_held_for_so_long)
{
    uint64_t at_worker;
    ask_running(FLAG_KEEP, &at_worker); /* 5 s */
    world_reply(WORKER, at_worker, STATUS_OK);
    world_turn();
    world_forget_all();
    world_run(4999);
    greet(AGAIN, CLIENT, true);
    ck_assert_uint_eq(replies(AGAIN), 1);
    world_forget_all();
    world_run(2);
    greet(CLIENT, CLIENT, true);
    ck_assert_uint_eq(replies(CLIENT), 0);
}
END_TEST

static uint64_t ask_keyed(uint64_t number, uint16_t flags)
{
    struct header header = world_request();
    header.flags = flags;
    header.deadline_ms = 5000;
    header.idempotency_key = (struct bytes){key_bytes, sizeof key_bytes};
    uint64_t id = world_ask_from(number, header, bytes_of("body"));
    world_turn();
    return id;
}

/* Row 0: before it is done, so it is shared; 1: after. */
START_TEST(detached_work_is_fetched_by_its_key)
{
    ask_keyed(CLIENT, FLAG_DETACHED);
    uint64_t at_worker = world_next(WORKER), id = 0;
    say(CLIENT, COMMAND_DISCONNECT, 0);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_CANCEL), 0);
    greet(OTHER, OTHER, false);
    if (_i == 0)
        id = ask_keyed(OTHER, FLAG_COALESCE);
    world_reply(WORKER, at_worker, STATUS_OK);
    world_turn();
    if (_i == 1)
        id = ask_keyed(OTHER, FLAG_COALESCE);
    ck_assert_uint_eq(world_next(WORKER), 0);
    world_expect(OTHER, id, STATUS_OK);
    struct heard *heard = world_hear(SIDE_FRONTEND, OTHER, COMMAND_REPLY);
    ck_assert(bytes_are(heard->pair.body, "answer"));
    ck_assert_uint_eq(heard->pair.header.credit, 9);
    world_forget(heard);
    ck_assert_uint_eq(broker_counts(world.broker)->roles[ROLE_DRIVER].replayed, _i == 1);
}
END_TEST

/* Its ids begin anew: what was left to be done under another is not told to it, and not dropped by
 * what it acknowledges. _i: the work is done after it has come back. */
START_TEST(a_session_that_begins_anew_fetches_detached_work_by_its_key)
{
    struct header header = world_request();
    header.flags = FLAG_DETACHED;
    header.idempotency_key = (struct bytes){key_bytes, sizeof key_bytes};
    header.deadline_ms = 30000;
    world_ask_from(CLIENT, header, bytes_of("body"));
    world_turn();
    uint64_t at_worker = world_next(WORKER);
    fall_silent();
    if (_i == 0)
        world_reply(WORKER, at_worker, STATUS_OK);
    greet(AGAIN, CLIENT, false);
    if (_i == 1)
        world_reply(WORKER, at_worker, STATUS_OK);
    world_turn();
    ck_assert_uint_eq(replies(AGAIN), 0);
    say(AGAIN, COMMAND_ACKFLOOR, header.id);
    header.id = ++world.next_id;
    world_ask_from(AGAIN, header, bytes_of("body"));
    world_turn();
    world_expect(AGAIN, header.id, STATUS_OK);
    ck_assert_uint_eq(world_next(WORKER), 0);
    ck_assert_uint_eq(world_counts()->replayed, 1);
    for (unsigned i = 0; i < KEPT_MS / 1000 + 1; i++) {
        world_pass(US_PER_S);
        world_beat();
        world_turn();
    }
    ck_assert_uint_eq(broker_levels(world.broker).kept_replies, 0);
    ck_assert_uint_eq(broker_levels(world.broker).keepers, 0);
}
END_TEST

START_TEST(detached_work_that_waits_goes_on)
{
    uint64_t at_worker[2];
    ask_running(FLAG_DETACHED, &at_worker[0]);
    ask_running(FLAG_DETACHED, &at_worker[1]);
    ask_keyed(CLIENT, FLAG_DETACHED);
    say(CLIENT, COMMAND_DISCONNECT, 0);
    world_reply(WORKER, at_worker[0], STATUS_OK);
    world_turn();
    world_reply(WORKER, world_next(WORKER), STATUS_OK);
    world_turn();
    greet(OTHER, OTHER, false);
    world_expect(OTHER, ask_keyed(OTHER, 0), STATUS_OK);
}
END_TEST

/* A key that was refused, or is fetched no more, is free. */
START_TEST(only_what_was_executed_is_replayed)
{
    uint64_t first = ask_keyed(CLIENT, FLAG_KEEP);
    world_reply(WORKER, world_next(WORKER), STATUS_BUSY_FULL);
    world_turn();
    world_expect(CLIENT, first, STATUS_BUSY_FULL);
    ask_keyed(CLIENT, FLAG_KEEP);
    uint64_t again = world_next(WORKER);
    ck_assert_uint_ne(again, 0);
    world_reply(WORKER, again, STATUS_OK);
    world_turn();
    world_expect(CLIENT, ask_keyed(CLIENT, 0), STATUS_OK);
    ck_assert_uint_eq(world_next(WORKER), 0);
    say(CLIENT, COMMAND_ACKFLOOR, world.next_id);
    ask_keyed(CLIENT, 0);
    ck_assert_uint_ne(world_next(WORKER), 0);
}
END_TEST

START_TEST(status_tells_what_is_held)
{
    struct msg_query_status query = {.id = answer_one(FLAG_KEEP)};
    struct msg_request_status status;
    struct header header = {.command = COMMAND_QUERY, .id = 999, .method = bytes_of("status")};
    world_forget_all();
    for (unsigned i = 0; i < 2; i++) {
        world_say_message(SIDE_FRONTEND, CLIENT, &header, MSG_QUERY_STATUS, &query);
        world_turn();
        struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
        ck_assert_int_eq(message_decode(MSG_REQUEST_STATUS, heard->pair.body, &status), STATUS_OK);
        ck_assert(bytes_are(status.state, i == 0 ? "answered" : "unknown"));
        world_forget(heard);
        say(CLIENT, COMMAND_ACKFLOOR, query.id);
    }
}
END_TEST

/* The client's bound costs it its own oldest. */
START_TEST(a_client_that_never_acknowledges_loses_its_oldest)
{
    static char large[200000];
    uint64_t at_worker, first = 0, last = 0;
    for (unsigned i = 0; i < 25; i++) {
        last = ask_running(FLAG_KEEP, &at_worker);
        first = first == 0 ? last : first;
        struct header header = {.command = COMMAND_REPLY,
                                .id = at_worker,
                                .executed = EXECUTED_YES,
                                .admit_level = CLASS_SHEDDABLE,
                                .credit = ++world.credit[WORKER]};
        world_say(SIDE_BACKEND, WORKER, &header, (struct bytes){large, sizeof large});
        world_turn();
        world_forget_all();
    }
    greet(AGAIN, CLIENT, true);
    ck_assert_uint_eq(replies(AGAIN), KEEPER_BYTES_MAX / (sizeof large + PAIR_HEAD_BYTES_MAX));
    ck_assert_uint_eq(broker_counts(world.broker)->unkept, 25 - replies(AGAIN));
    world_expect(AGAIN, last, STATUS_OK);
}
END_TEST

START_TEST(keeps_have_their_bounds)
{
    struct header header = {.command = COMMAND_REPLY};
    char sessions[3][SESSION_ID_BYTES] = {{1}, {2}, {3}};
    uint32_t victim;
    struct keeps *keeps = keeps_new(2, 4, 200, 9);
    uint32_t one = keeps_open(keeps, sessions[0]), two = keeps_open(keeps, sessions[1]);
    ck_assert_uint_eq(keeps_open(keeps, sessions[2]), NONE);
    ck_assert_uint_eq(keeps_open(keeps, sessions[0]), one);
    for (uint64_t id = 1; id <= 4; id++) {
        ck_assert(keeps_has_room(keeps, one, 10, &victim));
        keeps_put(keeps, one, id, &header, bytes_of("x"));
    }
    ck_assert(!keeps_has_room(keeps, two, 10, &victim)); /* no place, and no victim of its own */
    ck_assert_uint_eq(victim, NONE);
    ck_assert_uint_eq(keeps_at(keeps, keeps_first(keeps, one))->client_id, 1);
    keeps_drop(keeps, keeps_first(keeps, one));
    ck_assert(keeps_has_room(keeps, two, 10, &victim));
    ck_assert(!keeps_has_room(keeps, two, 150, &victim)); /* no bytes */
    ck_assert_uint_eq(victim, NONE);
    while (keeps_first(keeps, one) != NONE)
        keeps_drop(keeps, keeps_first(keeps, one));
    ck_assert_uint_eq(keeps_replies(keeps), 0);
    ck_assert_uint_eq(keeps_bytes(keeps), 0);
    keeps_close(keeps, one);
    ck_assert_uint_eq(keeps_find(keeps, sessions[0]), NONE);
    ck_assert_uint_eq(keeps_open(keeps, sessions[2]), one);
    ck_assert_uint_eq(keeps_keepers(keeps), 2);
    keeps_destroy(&keeps);
    ck_assert_ptr_null(keeps);
}
END_TEST

/* A client that loses its connection again and again; seed 5. Each of its requests ends once, but
 * for replies that come again. */
struct callers {
    uint64_t random, number, floor;
    unsigned ended[600];
};

static void crowd_hears(struct callers *self)
{
    struct heard *heard;
    while ((heard = world_hear(SIDE_FRONTEND, self->number, COMMAND_REPLY)) != NULL) {
        ck_assert_uint_lt(heard->pair.header.id, 600);
        self->ended[heard->pair.header.id]++;
        world_forget(heard);
    }
    while (self->floor + 1 < 600 && self->ended[self->floor + 1] > 0)
        self->floor++;
}

static void crowd_steps(struct callers *self)
{
    unsigned dice = (unsigned)(random_next(&self->random) >> 33), what = dice & 7;
    uint64_t id;
    if (what < 2 && world.next_id < 590) {
        struct header header = world_request();
        header.flags = FLAG_KEEP;
        header.deadline_ms = 25000;
        world_ask_from(self->number, header, bytes_of("body"));
    } else if (what < 4 && (id = world_next(WORKER)) != 0) {
        world_reply(WORKER, id, STATUS_OK);
    } else if (what == 4 && (dice >> 8 & 7) == 0) { /* what it had not heard is lost with it */
        self->number = self->number == CLIENT ? AGAIN : CLIENT;
        greet(self->number, CLIENT, true);
    } else if (what == 5) {
        crowd_hears(self);
    } else if (what == 6) {
        say(self->number, COMMAND_ACKFLOOR, self->floor);
    }
    world_pass(MS);
    world_beat();
}

START_TEST(no_reply_is_lost_with_a_connection)
{
    struct callers crowd = {.random = 5, .number = CLIENT};
    for (unsigned step = 0; step < 4000; step++)
        crowd_steps(&crowd);
    for (uint64_t id; (id = world_next(WORKER)) != 0; world_turn())
        world_reply(WORKER, id, STATUS_OK);
    greet(AGAIN, CLIENT, true);
    crowd.number = AGAIN;
    crowd_hears(&crowd);
    ck_assert_uint_gt(world.next_id, 300);
    ck_assert_uint_gt(broker_counts(world.broker)->resumed, 10);
    for (uint64_t id = 1; id <= world.next_id; id++)
        ck_assert_uint_ge(crowd.ended[id], 1);
    ck_assert_uint_eq(broker_counts(world.broker)->roles[ROLE_DRIVER].accepted, world.next_id);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_add_test(tcase, a_reply_that_was_not_acknowledged_comes_again);
    tcase_add_test(tcase, what_is_acknowledged_comes_no_more);
    tcase_add_loop_test(tcase, what_runs_goes_on_for_who_comes_back, 0, 2);
    tcase_add_test(tcase, a_reply_to_who_is_away_is_held);
    tcase_add_test(tcase, what_waits_is_cancelled_when_its_client_is_away);
    tcase_add_test(tcase, a_session_that_does_not_resume_begins_anew);
    tcase_add_test(tcase, who_says_goodbye_wants_nothing_kept);
    tcase_add_test(tcase, a_reply_is_held_for_so_long);
    tcase_add_loop_test(tcase, detached_work_is_fetched_by_its_key, 0, 2);
    tcase_add_loop_test(tcase, a_session_that_begins_anew_fetches_detached_work_by_its_key, 0, 2);
    tcase_add_test(tcase, detached_work_that_waits_goes_on);
    tcase_add_test(tcase, only_what_was_executed_is_replayed);
    tcase_add_test(tcase, status_tells_what_is_held);
    tcase_add_test(tcase, a_client_that_never_acknowledges_loses_its_oldest);
    tcase_add_test(tcase, keeps_have_their_bounds);
    tcase_add_test(tcase, no_reply_is_lost_with_a_connection);
}

int main(void)
{
    return suite_run("broker_keeping", add_tests);
}
