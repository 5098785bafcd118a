/* test_broker - requests through the whole broker in virtual time, with no socket: admitted or
 * refused, queued, dispatched. (How they end: test_broker_ends.) Every message that is brought is
 * followed by a check that the counts add up (tests/support/broker_world.c). */
#include <string.h>

#include "tests/support/broker_world.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define LARGE 100000u
#define CONCURRENCY 4u

static char large[LARGE];

static void setup(void)
{
    world_setup();
    world.config.queue_max = 200;
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, CONCURRENCY, "query");
    world_turn();
    world_forget_all();
}

static uint64_t ask(void)
{
    return world_ask(CLASS_CRITICAL, 1000, 0);
}

START_TEST(a_request_goes_round)
{
    uint64_t id = world_ask(CLASS_CRITICAL, 1000, FLAG_ACK_ACCEPT);
    world_pass(2 * MS);
    struct heard *asked = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST);
    ck_assert_ptr_nonnull(asked);
    ck_assert_uint_eq(asked->pair.header.deadline_ms, 1000);
    ck_assert_uint_eq(asked->pair.header.flags, FLAG_ACK_ACCEPT);
    ck_assert_uint_ne(asked->pair.header.id, id);
    ck_assert(bytes_are(asked->pair.body, "body"));
    world_pass(3 * MS);
    world_reply(WORKER, asked->pair.header.id, STATUS_OK);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_ACCEPTED), 1);
    struct heard *answered = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_ptr_nonnull(answered);
    const struct header *header = &answered->pair.header;
    ck_assert_uint_eq(header->id, id);
    ck_assert_int_eq(header->status, STATUS_OK);
    ck_assert_int_eq(header->admit_level, CLASS_SHEDDABLE);
    ck_assert_uint_eq(header->credit, world.config.client_credit + 1);
    ck_assert_uint_eq(header->service_us, 5 * MS);
    ck_assert_uint_eq(header->queue_us, 0);
    ck_assert(bytes_are(header->instance, "peer-1"));
    ck_assert(bytes_are(answered->pair.body, "answer"));
    world_forget(asked);
    world_forget(answered);
}
END_TEST

static const struct {
    const char *method;
    enum status expected;
    uint16_t flags;
    uint8_t role;
} refusals[] = {
    {"query", STATUS_NO_ROLE, 0, ROLE_NONE},
    {"query", STATUS_NO_ROLE, 0, ROLE_BROKER},
    {"query", STATUS_NO_ROLE, 0, ROLE_CLIENT},
    {"query", STATUS_NO_ROLE, 0, ROLE_COUNT},
    {"other", STATUS_NO_ROLE, 0, ROLE_DRIVER},
    {"query", STATUS_NO_WORKER, 0, ROLE_TOOL_EXECUTOR},
    {NULL, STATUS_BAD_REQUEST, 0, ROLE_DRIVER},
    {"", STATUS_BAD_REQUEST, 0, ROLE_DRIVER},
    {"query", STATUS_BAD_REQUEST, FLAG_MORE, ROLE_DRIVER},
    {"query", STATUS_BAD_REQUEST, FLAG_KEY_ORDER, ROLE_DRIVER},
};

START_TEST(what_cannot_be_served_is_refused_at_once)
{
    struct header header = world_request();
    struct msg_failure failure;
    header.role = refusals[_i].role;
    header.method = bytes_of(refusals[_i].method);
    header.flags = refusals[_i].flags;
    world_ask_from(CLIENT, header, (struct bytes){0});
    world_turn();
    world_expect(CLIENT, header.id, refusals[_i].expected);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    bool after = statuses[refusals[_i].expected].retry == RETRY_AFTER;
    ck_assert_int_eq(heard->pair.header.retry_after_ms > 0, after);
    ck_assert_int_eq(heard->pair.header.executed, EXECUTED_NO);
    ck_assert_uint_eq(heard->pair.header.credit, world.config.client_credit + 1);
    ck_assert_int_eq(message_decode(MSG_FAILURE, heard->pair.body, &failure), STATUS_OK);
    ck_assert(bytes_are(failure.code, statuses[refusals[_i].expected].name));
    ck_assert_int_eq(failure.hint.size > 0, refusals[_i].expected == STATUS_BAD_REQUEST);
    world_forget(heard);
}
END_TEST

/* It was served, and will be again: the client is told to come back. */
START_TEST(a_method_whose_worker_has_gone_is_not_unknown)
{
    world_worker(2, ROLE_DRIVER, 1, "other");
    struct header header = world_request(), goodbye = {.command = COMMAND_DISCONNECT};
    world_say(SIDE_BACKEND, 2, &goodbye, (struct bytes){0});
    header.method = bytes_of("other");
    world_ask_from(CLIENT, header, (struct bytes){0});
    world_turn();
    world_expect(CLIENT, header.id, STATUS_NO_WORKER);
}
END_TEST

START_TEST(who_lists_a_star_serves_everything)
{
    world_worker(2, ROLE_DRIVER, 1, "*");
    struct header header = world_request();
    header.method = bytes_of("whatever");
    world_ask_from(CLIENT, header, (struct bytes){0});
    world_turn();
    ck_assert_uint_ne(world_next(2), 0);
}
END_TEST

/* Of a method that nobody can serve now the requests wait, and those of others do not. */
START_TEST(a_stuck_method_holds_up_no_other)
{
    world_worker(2, ROLE_DRIVER, 1, "slow");
    struct header slow = world_request();
    slow.method = bytes_of("slow");
    for (unsigned i = 0; i < 3; i++, slow.id = ++world.next_id)
        world_ask_from(CLIENT, slow, (struct bytes){0});
    for (unsigned i = 0; i < CONCURRENCY; i++)
        ask();
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST), CONCURRENCY);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 2, COMMAND_REQUEST), 1);
    world_reply(2, world_next(2), STATUS_OK);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 2, COMMAND_REQUEST), 1);
}
END_TEST

START_TEST(a_client_beyond_its_credit_is_refused)
{
    world_teardown();
    world_setup();
    world.config.client_credit = 3;
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, 10, "query");
    uint64_t first = ask();
    ask();
    ask();
    uint64_t beyond = ask();
    world_turn();
    world_expect(CLIENT, beyond, STATUS_BUSY_FULL);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST), 3);
    world_reply(WORKER, world_next(WORKER), STATUS_OK);
    uint64_t next = ask();
    world_turn();
    world_expect(CLIENT, first, STATUS_OK);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), 2);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST), 3);
    ck_assert_uint_gt(next, beyond);
}
END_TEST

/* issue 3: two thousand at once with a bound of 200. Whoever waits least important makes room; each
 * gets one answer, and a refusal comes at once and with a time to come again. */
START_TEST(of_two_thousand_the_most_important_are_served)
{
    unsigned served[CLASS_COUNT] = {0}, refused = 0;
    for (unsigned i = 0; i < 2000; i++)
        world_ask((enum request_class)(i % CLASS_COUNT), 30000, 0);
    world_turn();
    refused = world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_uint_eq(refused, 1800 - CONCURRENCY);
    for (struct heard *heard; (heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY)) != NULL;) {
        enum status status = heard->pair.header.status;
        ck_assert(status == STATUS_BUSY_FULL || status == STATUS_BUSY_SHED);
        ck_assert_uint_gt(heard->pair.header.retry_after_ms, 0);
        ck_assert_int_lt(heard->pair.header.admit_level, CLASS_SHEDDABLE);
        world_forget(heard);
    }
    for (unsigned i = 0; i < 200 + CONCURRENCY; i++) {
        world_reply(WORKER, world_next(WORKER), STATUS_OK);
        world_pass(MS);
    }
    for (struct heard *heard; (heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY)) != NULL;) {
        ck_assert_int_eq(heard->pair.header.status, STATUS_OK);
        served[(heard->pair.header.id - 1) % CLASS_COUNT]++;
        world_forget(heard);
    }
    ck_assert_uint_eq(served[0] + served[1] + served[2] + served[3], 200 + CONCURRENCY);
    ck_assert_uint_le(served[2] + served[3], CONCURRENCY); /* sent before the rest had come */
    ck_assert_uint_gt(broker_counts(world.broker)->roles[ROLE_DRIVER].by_status[STATUS_BUSY_SHED],
                      0);
}
END_TEST

/* The bound of a role by bytes; what is in flight keeps them, and gives them back. */
START_TEST(bytes_are_a_bound_too)
{
    world_teardown();
    world_setup();
    world.config.queue_bytes_max = UINT64_C(5) * LARGE;
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, 1, "query");
    uint64_t last = 0;
    for (unsigned i = 0; i < 6; i++)
        last = world_ask_from(CLIENT, world_request(), (struct bytes){large, LARGE});
    world_turn();
    world_expect(CLIENT, last, STATUS_BUSY_FULL);
    struct broker_levels levels = broker_levels(world.broker);
    ck_assert_uint_eq(levels.queued[ROLE_DRIVER], 4);
    ck_assert_uint_gt(levels.bytes, 5 * (uint64_t)LARGE);
    while (broker_counts(world.broker)->roles[ROLE_DRIVER].in_flight > 0) {
        world_reply(WORKER, world_next(WORKER), STATUS_OK);
        world_turn();
    }
    ck_assert_uint_eq(broker_levels(world.broker).bytes, 0);
}
END_TEST

/* Each push-out and each refusal gives its slot back. */
START_TEST(slots_are_bounded_and_none_is_lost)
{
    world_teardown();
    world_setup();
    world.config.slots_max = 50;
    world.config.queue_max = 50;
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, 8, "query");
    for (unsigned round = 0; round < 20; round++) {
        for (unsigned i = 0; i < 100; i++)
            world_ask((enum request_class)(3 - i % CLASS_COUNT), 20000, 0);
        world_turn();
        ck_assert_uint_eq(broker_levels(world.broker).slots, 50);
        for (uint64_t id; (id = world_next(WORKER)) != 0; world_turn())
            world_reply(WORKER, id, STATUS_OK);
        ck_assert_uint_eq(broker_levels(world.broker).slots, 0);
        world_forget_all();
    }
    ck_assert_uint_gt(world_counts()->by_status[STATUS_BUSY_FULL], 0);
    ck_assert_uint_gt(world_counts()->by_status[STATUS_BUSY_SHED], 0);
}
END_TEST

/* The highest class is for a tenth of what a tenant has admitted; the rest goes as the next. */
START_TEST(the_highest_class_is_rationed)
{
    unsigned as[CLASS_COUNT] = {0};
    for (unsigned i = 0; i < 100; i++) {
        world_ask(CLASS_CRITICAL_PLUS, 1000, 0);
        world_turn();
        struct heard *heard = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST);
        as[heard->pair.header.class]++;
        world_reply(WORKER, heard->pair.header.id, STATUS_OK);
        world_forget(heard);
    }
    ck_assert_uint_ge(as[CLASS_CRITICAL_PLUS], 9);
    ck_assert_uint_le(as[CLASS_CRITICAL_PLUS], 11);
    ck_assert_uint_eq(as[CLASS_CRITICAL_PLUS] + as[CLASS_CRITICAL], 100);
}
END_TEST

/* Long deadlines are cut to the cap of the role, and what remains is said to the worker. */
START_TEST(a_deadline_is_capped_and_what_remains_is_told)
{
    world_ask(CLASS_CRITICAL, UINT32_MAX, 0);
    world_turn();
    struct heard *heard = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST);
    ck_assert_uint_eq(heard->pair.header.deadline_ms, 30000);
    world_forget(heard);
    for (unsigned i = 0; i < CONCURRENCY; i++)
        world_ask(CLASS_CRITICAL, 1000, 0);
    world_run(100);
    uint64_t first = world_next(WORKER);
    world_forget_all();
    world_reply(WORKER, first, STATUS_OK);
    world_turn();
    heard = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST);
    ck_assert_uint_eq(heard->pair.header.deadline_ms, 900);
    world_forget(heard);
}
END_TEST

/* A driver starts at a median of 35 ms: one of 10 ms is let in as a probe only. */
START_TEST(what_cannot_be_in_time_is_refused_unless_nothing_is_known_better)
{
    uint64_t probe = world_ask(CLASS_CRITICAL, 10, 0);
    uint64_t refused = world_ask(CLASS_CRITICAL, 10, 0);
    world_turn();
    world_expect(CLIENT, refused, STATUS_INFEASIBLE);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_uint_eq(heard->pair.header.retry_after_ms, 0); /* never: it is too short */
    world_forget(heard);
    world_reply(WORKER, world_next(WORKER), STATUS_OK);
    world_turn();
    world_expect(CLIENT, probe, STATUS_OK);
}
END_TEST

/* Whatever is believed after a slow spell, an idle role that is quick again serves again. */
START_TEST(a_slow_spell_is_forgotten)
{
    unsigned served = 0;
    for (unsigned i = 0; i < 50; i++) {
        ask();
        world_run(i < 20 ? 900 : 2);
        uint64_t id = world_next(WORKER);
        world_reply(WORKER, id, STATUS_OK);
        world_turn();
        world_beat();
    }
    world_forget_all();
    for (unsigned i = 0; i < 300; i++) {
        world_ask(CLASS_CRITICAL, 20, 0);
        world_ask(CLASS_CRITICAL, 20, 0);
        world_run(2);
        for (uint64_t id; (id = world_next(WORKER)) != 0; served++)
            world_reply(WORKER, id, STATUS_OK);
        world_turn();
        if (i == 200)
            served = 0;
        world_beat();
    }
    ck_assert_uint_ge(served, 190);
}
END_TEST

START_TEST(a_large_request_is_passed_on_uncopied)
{
    zmq_msg_t message;
    char head[PAIR_HEAD_BYTES_MAX];
    struct header header = world_request();
    struct bytes body = {large, LARGE};
    size_t size = pairs_encode_head(&header, body, head);
    zmq_msg_init_size(&message, size + LARGE);
    const char *at = zmq_msg_data(&message);
    memcpy(zmq_msg_data(&message), head, size);
    memcpy((char *)zmq_msg_data(&message) + size, large, LARGE);
    ask(); /* and overtakes nothing */
    broker_take(world.broker, SIDE_FRONTEND, CLIENT, &message, world.now_at);
    zmq_msg_close(&message);
    ck_assert_ptr_eq(world.last_at, at);
    ck_assert_uint_eq(world.messages[SIDE_BACKEND], 3); /* with READY's WELCOME */
    world_next(WORKER);
    struct heard *heard = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST);
    ck_assert_uint_eq(heard->pair.body.size, LARGE);
    world_forget(heard);
}
END_TEST

/* Short calls that come together leave together, as one message to one worker. */
START_TEST(what_is_ready_together_leaves_together)
{
    world_worker(2, ROLE_DRIVER, 64, "query");
    world_worker(3, ROLE_DRIVER, 64, "query");
    struct header header = {.command = COMMAND_REPLY, .status = STATUS_OK, .service_us = 1};
    for (unsigned i = 0; i < 400; i++) { /* until it is known how short they are */
        ask();
        world_turn();
        for (uint64_t worker = WORKER; worker <= 3; worker++) {
            header.id = world_next(worker);
            header.credit = header.id != 0 ? ++world.credit[worker] : world.credit[worker];
            if (header.id != 0)
                world_say(SIDE_BACKEND, worker, &header, (struct bytes){0});
        }
    }
    world_turn();
    world_forget_all();
    unsigned before = world.messages[SIDE_BACKEND];
    for (unsigned i = 0; i < 32; i++)
        ask();
    world_turn();
    ck_assert_uint_le(world.messages[SIDE_BACKEND] - before, 3);
    ck_assert_uint_ge(world_count(SIDE_BACKEND, 2, COMMAND_REQUEST), 15);
    ck_assert_uint_ge(world_count(SIDE_BACKEND, 3, COMMAND_REQUEST), 15);
}
END_TEST

static const unsigned load_factors[] = {1, 2, 30};

/* One worker serves a request every 2 ms; a client offers so many times that. Overload costs no
 * capacity, no answer, and the important least. */
START_TEST(overload_costs_no_answer_and_no_capacity)
{
    unsigned served[CLASS_COUNT] = {0}, answers = 0, offered = 0, in_time = 0;
    for (int64_t ms = 0; ms < 4000; ms++) {
        if (ms % 2 == 0) {
            uint64_t id = world_next(WORKER);
            if (id != 0)
                world_reply(WORKER, id, STATUS_OK);
            for (unsigned i = 0; i < load_factors[_i]; i++, offered++)
                world_ask((enum request_class)(offered % CLASS_COUNT), 200, 0);
        }
        world_run(1);
        if (ms % 500 == 0)
            world_beat();
        struct heard *heard;
        while ((heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY)) != NULL) {
            bool ok = heard->pair.header.status == STATUS_OK;
            served[(heard->pair.header.id - 1) % CLASS_COUNT] += ok;
            in_time += ok;
            answers++;
            world_forget(heard);
        }
    }
    ck_assert_uint_eq(answers + world_counts()->in_flight, offered);
    ck_assert_uint_ge(in_time, 2000 * 95 / 100);
    ck_assert_uint_ge(served[CLASS_CRITICAL_PLUS] + served[CLASS_CRITICAL] + 20,
                      served[CLASS_SHEDDABLE_PLUS] + served[CLASS_SHEDDABLE]);
    bool full = world_counts()->by_status[STATUS_BUSY_SHED] +
                    world_counts()->by_status[STATUS_BUSY_FULL] +
                    world_counts()->by_status[STATUS_INFEASIBLE] >
                0;
    ck_assert_int_eq(full, load_factors[_i] > 1);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_request_goes_round);
    tcase_add_loop_test(tcase, what_cannot_be_served_is_refused_at_once, 0, COUNT_OF(refusals));
    tcase_add_test(tcase, a_method_whose_worker_has_gone_is_not_unknown);
    tcase_add_test(tcase, who_lists_a_star_serves_everything);
    tcase_add_test(tcase, a_stuck_method_holds_up_no_other);
    tcase_add_test(tcase, a_client_beyond_its_credit_is_refused);
    tcase_add_test(tcase, of_two_thousand_the_most_important_are_served);
    tcase_add_test(tcase, bytes_are_a_bound_too);
    tcase_add_test(tcase, slots_are_bounded_and_none_is_lost);
    tcase_add_test(tcase, the_highest_class_is_rationed);
    tcase_add_test(tcase, a_deadline_is_capped_and_what_remains_is_told);
    tcase_add_test(tcase, what_cannot_be_in_time_is_refused_unless_nothing_is_known_better);
    tcase_add_test(tcase, a_slow_spell_is_forgotten);
    tcase_add_test(tcase, a_large_request_is_passed_on_uncopied);
    tcase_add_test(tcase, what_is_ready_together_leaves_together);
    tcase_add_loop_test(tcase, overload_costs_no_answer_and_no_capacity, 0, 3);
}

int main(void)
{
    return suite_run("broker", add_tests);
}
