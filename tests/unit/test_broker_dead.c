/* test_broker_dead - requests that no worker survives, and workers that are to leave, as operators
 * see and handle them, in virtual time. */
#include "actors/runtime/metrics.h"
#include "tests/support/broker_world.h"

#define CONCURRENCY 4u

static struct heard *answered; /* letters borrow from it */

static void setup(void)
{
    world_setup();
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, CONCURRENCY, "query");
    world_turn();
    world_forget_all();
}

static void teardown(void)
{
    world_forget(answered);
    answered = NULL;
    world_teardown();
}

static void part(uint64_t worker)
{
    struct header goodbye = {.command = COMMAND_DISCONNECT};
    world_say(SIDE_BACKEND, worker, &goodbye, (struct bytes){0});
}

/* One request and as many workers as it takes; the last worker's number is returned. */
static uint64_t kill_all(const char *tenant, uint64_t worker)
{
    struct header header = world_request();
    header.tenant = bytes_of(tenant);
    header.flags = FLAG_IDEMPOTENT | FLAG_STREAM;
    world_ask_from(CLIENT, header, bytes_of("\x81\xa1n\x07"));
    for (unsigned deaths = 1; deaths <= DEATHS_MAX; deaths++, worker++) {
        world_turn();
        ck_assert_uint_ne(world_next(worker), 0);
        part(worker);
        world_worker(worker + 1, ROLE_DRIVER, CONCURRENCY, "query");
    }
    world_turn();
    world_expect(CLIENT, header.id, STATUS_POISON);
    world_forget_all();
    return worker; /* it is alive */
}

/* As the client, who is an operator too. returns the id */
static uint64_t tell(const char *method, struct bytes body, uint32_t deadline_ms)
{
    struct header header = {.command = COMMAND_ADMIN,
                            .id = ++world.next_id,
                            .class = CLASS_CRITICAL,
                            .deadline_ms = deadline_ms,
                            .method = bytes_of(method)};
    world_say(SIDE_FRONTEND, CLIENT, &header, body);
    world_turn();
    return header.id;
}

static struct bytes of_id(uint64_t id)
{
    static char bytes[64];
    struct msg_admin_dead dead = {.id = id};
    struct bytes body;
    ck_assert_int_eq(message_encode(MSG_ADMIN_DEAD, &dead, bytes, sizeof bytes, &body), STATUS_OK);
    return body;
}

/* What ADMIN dead answers; ret_first: the first letter, if there is one. */
static uint64_t list(uint64_t id, struct msg_dead_letter *ret_first)
{
    struct msg_dead_letters letters;
    struct bytes element;
    uint64_t asked = tell("dead", of_id(id), 1000);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_ptr_nonnull(heard);
    world_forget(answered);
    answered = heard;
    ck_assert_uint_eq(heard->pair.header.id, asked);
    ck_assert_int_eq(message_decode(MSG_DEAD_LETTERS, heard->pair.body, &letters), STATUS_OK);
    struct values values = values_over(letters.letters);
    if (values_next(&values, &element))
        ck_assert_int_eq(message_decode(MSG_DEAD_LETTER, element, ret_first), STATUS_OK);
    return values_count(letters.letters);
}

START_TEST(the_third_death_makes_a_dead_letter)
{
    struct msg_dead_letter letter;
    struct bytes name;
    kill_all("acme", WORKER);
    ck_assert_uint_eq(list(0, &letter), 1);
    ck_assert_uint_eq(letter.id, 1);
    ck_assert_uint_eq(letter.role, ROLE_DRIVER);
    ck_assert(bytes_are(letter.method, "query"));
    ck_assert(bytes_are(letter.tenant, "acme"));
    ck_assert(letter.idempotent);
    ck_assert_uint_eq(letter.deaths, DEATHS_MAX);
    ck_assert_ptr_null(letter.body.data);
    struct values values = values_over(letter.workers);
    for (unsigned i = 1; i <= DEATHS_MAX; i++) {
        char text[16];
        snprintf(text, sizeof text, "peer-%u", i);
        ck_assert(values_next(&values, &name));
        ck_assert(value_text(name, &name));
        ck_assert(bytes_are(name, text));
    }
    ck_assert_uint_eq(list(1, &letter), 1);
    ck_assert(bytes_are(letter.body, "\x81\xa1n\x07"));
    ck_assert_uint_eq(world_counts()->lost, 1);
}
END_TEST

START_TEST(one_that_is_not_there_is_told)
{
    static const char *const methods[] = {"dead", "kick"};
    uint64_t id = tell(methods[_i], of_id(7), 1000);
    world_expect(CLIENT, id, STATUS_BAD_REQUEST);
    id = tell(methods[_i], bytes_of("\x01"), 1000); /* no map */
    world_expect(CLIENT, id, STATUS_BAD_REQUEST);
}
END_TEST

/* Its REPLY answers the operator; it is gone from the list once it is admitted. */
START_TEST(a_kicked_one_runs_again_for_the_operator)
{
    struct msg_dead_letter letter;
    uint64_t worker = kill_all("acme", WORKER), accepted = world_counts()->accepted;
    uint64_t id = tell("kick", of_id(1), 2000);
    struct heard *heard = world_hear(SIDE_BACKEND, worker, COMMAND_REQUEST);
    ck_assert_ptr_nonnull(heard);
    const struct header *header = &heard->pair.header;
    ck_assert_int_eq(header->flags, FLAG_IDEMPOTENT | FLAG_DETACHED);
    ck_assert_uint_eq(header->attempt, 0);
    ck_assert_uint_le(header->deadline_ms, 2000);
    ck_assert(bytes_are(header->tenant, "acme"));
    ck_assert(bytes_are(heard->pair.body, "\x81\xa1n\x07"));
    world_reply(worker, header->id, STATUS_OK);
    world_forget(heard);
    world_turn();
    world_expect(CLIENT, id, STATUS_OK);
    world_forget_all();
    ck_assert_uint_eq(list(0, &letter), 0);
    ck_assert_uint_eq(world_counts()->accepted, accepted + 1);
}
END_TEST

START_TEST(a_kicked_one_that_kills_again_is_kept_again)
{
    struct msg_dead_letter letter;
    uint64_t worker = kill_all("acme", WORKER);
    uint64_t id = tell("kick", of_id(1), 0);
    for (unsigned deaths = 0; deaths < DEATHS_MAX; deaths++, worker++) {
        ck_assert_uint_ne(world_next(worker), 0);
        part(worker);
        world_worker(worker + 1, ROLE_DRIVER, CONCURRENCY, "query");
        world_turn();
    }
    world_expect(CLIENT, id, STATUS_POISON);
    world_forget_all();
    ck_assert_uint_eq(list(0, &letter), 1);
    ck_assert_uint_eq(letter.id, 2);
}
END_TEST

START_TEST(what_is_not_admitted_stays_a_dead_letter)
{
    struct msg_dead_letter letter;
    part(kill_all("acme", WORKER)); /* nobody is left */
    uint64_t id = tell("kick", of_id(1), 1000);
    world_expect(CLIENT, id, STATUS_NO_WORKER);
    world_forget_all();
    ck_assert_uint_eq(list(0, &letter), 1);
}
END_TEST

/* It would be a request of a peer that may not ask any. */
START_TEST(who_does_not_stand_at_the_frontend_kicks_nothing)
{
    struct msg_dead_letter letter;
    uint64_t worker = kill_all("acme", WORKER);
    struct header header = {.command = COMMAND_ADMIN, .id = 9, .method = bytes_of("kick")};
    world_say(SIDE_BACKEND, worker, &header, of_id(1));
    world_turn();
    struct heard *heard = world_hear(SIDE_BACKEND, worker, COMMAND_REPLY);
    ck_assert_ptr_nonnull(heard);
    ck_assert_uint_eq(heard->pair.header.id, 9);
    ck_assert_int_eq(heard->pair.header.status, STATUS_BAD_REQUEST);
    world_forget(heard);
    ck_assert_uint_eq(world_next(worker), 0);
    ck_assert_uint_eq(list(0, &letter), 1);
}
END_TEST

/* It is not the letter that has this id, so the letter is not done with. */
START_TEST(a_kick_under_the_id_of_another_request_is_refused)
{
    struct msg_dead_letter letter;
    uint64_t worker = kill_all("acme", WORKER), other = world_ask(CLASS_CRITICAL, 5000, 0);
    world_turn();
    ck_assert_uint_ne(world_next(worker), 0);
    world.next_id = other - 1;
    ck_assert_uint_eq(tell("kick", of_id(1), 1000), other);
    world_expect(CLIENT, other, STATUS_BAD_REQUEST);
    ck_assert_uint_eq(world_next(worker), 0);
    world_forget_all();
    ck_assert_uint_eq(list(0, &letter), 1);
}
END_TEST

START_TEST(dead_letters_are_bounded_and_measured)
{
    struct msg_dead_letter letter;
    struct metrics *metrics = metrics_new(2000);
    uint64_t worker = WORKER;
    for (unsigned i = 0; i <= DEAD_LETTERS_MAX; i++) {
        worker = kill_all("acme", worker);
        if (worker > WORLD_PEERS - 2 * DEATHS_MAX) { /* numbers are few */
            part(worker);
            worker = WORKER;
            world_worker(worker, ROLE_DRIVER, CONCURRENCY, "query");
        }
        world_pass(600 * MS); /* so slowly that no breaker opens */
        world_beat();
        world_forget_all();
    }
    ck_assert_uint_eq(list(0, &letter), DEAD_LETTERS_MAX);
    ck_assert_uint_eq(letter.id, 2);
    broker_measure(world.broker, metrics);
    ck_assert_double_eq(
        series_value(metrics_series(metrics, METRIC_DEAD_LETTERS, LABELS("driver"))),
        DEAD_LETTERS_MAX);
    ck_assert_double_eq(
        series_value(metrics_series(metrics, METRIC_BOUND_USED_RATIO, LABELS("dead_letters"))), 1);
    metrics_destroy(&metrics);
}
END_TEST

static struct bytes of_worker(void)
{
    static char bytes[128];
    struct msg_admin_drain drain = {.instance = bytes_of("peer-1"), .deadline_ms = 5000};
    struct bytes body;
    ck_assert_int_eq(message_encode(MSG_ADMIN_DRAIN, &drain, bytes, sizeof bytes, &body),
                     STATUS_OK);
    return body;
}

static void expect_drain_event(const char *state)
{
    struct msg_event_drain event;
    struct heard *heard = world_event("drain");
    ck_assert_ptr_nonnull(heard);
    ck_assert_int_eq(message_decode(MSG_EVENT_DRAIN, heard->pair.body, &event), STATUS_OK);
    ck_assert(bytes_are(event.instance, "peer-1"));
    ck_assert(bytes_are(event.state, state));
    world_forget(heard);
}

/* The worker is asked, and says READY again; the operator gets its word. */
START_TEST(a_worker_is_drained_and_stays_after_all)
{
    struct msg_ready ready = {.concurrency = CONCURRENCY, .weight = 100};
    const char *method = "query";
    world_expect(CLIENT, tell("undrain", of_worker(), 1000), STATUS_BAD_REQUEST);
    world_expect(CLIENT, tell("drain", of_worker(), 1000), STATUS_OK);
    expect_drain_event("draining");
    uint64_t id = tell("undrain", of_worker(), 1000);
    struct heard *asked = world_hear(SIDE_BACKEND, WORKER, COMMAND_QUERY);
    ck_assert_ptr_nonnull(asked);
    ck_assert(bytes_are(asked->pair.header.method, "undrain"));
    world_ready(WORKER, ROLE_DRIVER, &ready, &method, 1);
    expect_drain_event("undrained");
    struct header reply = {.command = COMMAND_REPLY,
                           .id = asked->pair.header.id,
                           .executed = EXECUTED_YES,
                           .credit = world.credit[WORKER]};
    world_say(SIDE_BACKEND, WORKER, &reply, (struct bytes){0});
    world_turn();
    world_expect(CLIENT, id, STATUS_OK);
    world_ask(CLASS_CRITICAL, 1000, 0);
    world_turn();
    ck_assert_uint_ne(world_next(WORKER), 0);
    world_forget(asked);
}
END_TEST

START_TEST(one_that_drains_has_left_or_was_cut_off)
{
    if (_i == 1) {
        world_ask(CLASS_CRITICAL, 1000, 0);
        world_turn();
    }
    tell("drain", of_worker(), 1000);
    expect_drain_event("draining");
    part(WORKER);
    expect_drain_event(_i == 0 ? "drained" : "cut_off");
}
END_TEST

/* That a worker stays is an operator's word, not everybody's. */
START_TEST(undrain_is_not_passed_on_as_a_question)
{
    char bytes[128];
    struct msg_query_instance query = {.instance = bytes_of("peer-1"),
                                       .method = bytes_of("undrain")};
    struct header header = {.command = COMMAND_QUERY,
                            .id = ++world.next_id,
                            .class = CLASS_CRITICAL,
                            .method = bytes_of("instance")};
    struct bytes body;
    ck_assert_int_eq(message_encode(MSG_QUERY_INSTANCE, &query, bytes, sizeof bytes, &body),
                     STATUS_OK);
    world_say(SIDE_FRONTEND, CLIENT, &header, body);
    world_turn();
    world_expect(CLIENT, header.id, STATUS_FORBIDDEN);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_QUERY), 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_third_death_makes_a_dead_letter);
    tcase_add_loop_test(tcase, one_that_is_not_there_is_told, 0, 2);
    tcase_add_test(tcase, a_kicked_one_runs_again_for_the_operator);
    tcase_add_test(tcase, a_kicked_one_that_kills_again_is_kept_again);
    tcase_add_test(tcase, what_is_not_admitted_stays_a_dead_letter);
    tcase_add_test(tcase, who_does_not_stand_at_the_frontend_kicks_nothing);
    tcase_add_test(tcase, a_kick_under_the_id_of_another_request_is_refused);
    tcase_add_test(tcase, dead_letters_are_bounded_and_measured);
    tcase_add_test(tcase, a_worker_is_drained_and_stays_after_all);
    tcase_add_loop_test(tcase, one_that_drains_has_left_or_was_cut_off, 0, 2);
    tcase_add_test(tcase, undrain_is_not_passed_on_as_a_question);
}

int main(void)
{
    return suite_run("broker_dead", add_tests);
}
