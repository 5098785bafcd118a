/* test_broker - requests through the whole broker in virtual time, with no socket: admitted or
 * refused, queued, dispatched, answered once. Every message that is brought is followed by a check
 * that the counts add up (tests/support/broker_world.c). */
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

static const struct role_counts *counts(void)
{
    return &broker_counts(world.broker)->roles[ROLE_DRIVER];
}

/* The next request that a worker gets; 0: none. */
static uint64_t next_at(uint64_t worker)
{
    struct heard *heard = world_hear(SIDE_BACKEND, worker, COMMAND_REQUEST);
    uint64_t id = heard == NULL ? 0 : heard->pair.header.id;
    world_forget(heard);
    return id;
}

static uint64_t ask(void)
{
    return world_ask(CLASS_CRITICAL, 1000, 0);
}

/* As many as the worker can hold at once; they stay there. */
static void fill_worker(void)
{
    for (unsigned i = 0; i < CONCURRENCY; i++)
        ask();
    world_turn();
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
    uint8_t role;
    const char *method;
    uint16_t flags;
    enum status expected;
} refusals[] = {
    {ROLE_NONE, "query", 0, STATUS_NO_ROLE},
    {ROLE_BROKER, "query", 0, STATUS_NO_ROLE},
    {ROLE_CLIENT, "query", 0, STATUS_NO_ROLE},
    {ROLE_COUNT, "query", 0, STATUS_NO_ROLE},
    {ROLE_DRIVER, "other", 0, STATUS_NO_ROLE},
    {ROLE_TOOL_EXECUTOR, "query", 0, STATUS_NO_WORKER},
    {ROLE_DRIVER, NULL, 0, STATUS_BAD_REQUEST},
    {ROLE_DRIVER, "", 0, STATUS_BAD_REQUEST},
    {ROLE_DRIVER, "query", FLAG_MORE, STATUS_BAD_REQUEST},
    {ROLE_DRIVER, "query", FLAG_KEY_ORDER, STATUS_BAD_REQUEST},
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
    ck_assert_uint_ne(next_at(2), 0);
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
    world_reply(2, next_at(2), STATUS_OK);
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
    world_reply(WORKER, next_at(WORKER), STATUS_OK);
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
    ck_assert_uint_eq(refused, 2000 - 200 - CONCURRENCY);
    for (struct heard *heard; (heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY)) != NULL;) {
        enum status status = heard->pair.header.status;
        ck_assert(status == STATUS_BUSY_FULL || status == STATUS_BUSY_SHED);
        ck_assert_uint_gt(heard->pair.header.retry_after_ms, 0);
        ck_assert_int_lt(heard->pair.header.admit_level, CLASS_SHEDDABLE);
        world_forget(heard);
    }
    for (unsigned i = 0; i < 200 + CONCURRENCY; i++) {
        world_reply(WORKER, next_at(WORKER), STATUS_OK);
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
    world.config.queue_bytes_max = 5 * LARGE;
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
        world_reply(WORKER, next_at(WORKER), STATUS_OK);
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
        for (uint64_t id; (id = next_at(WORKER)) != 0; world_turn())
            world_reply(WORKER, id, STATUS_OK);
        ck_assert_uint_eq(broker_levels(world.broker).slots, 0);
        world_forget_all();
    }
    ck_assert_uint_gt(counts()->by_status[STATUS_BUSY_FULL], 0);
    ck_assert_uint_gt(counts()->by_status[STATUS_BUSY_SHED], 0);
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

START_TEST(too_late_in_the_queue)
{
    fill_worker();
    uint64_t id = world_ask(CLASS_CRITICAL, 500, 0);
    world_run(499);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), 0);
    world_run(2);
    world_expect(CLIENT, id, STATUS_DEADLINE_QUEUED);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_int_eq(heard->pair.header.executed, EXECUTED_NO);
    ck_assert_uint_ge(heard->pair.header.queue_us, 500 * MS);
    world_forget(heard);
}
END_TEST

/* The worker is told; what it says later reaches nobody, but its credit counts. */
START_TEST(too_late_with_a_worker)
{
    uint64_t id = world_ask(CLASS_CRITICAL, 500, 0);
    world_run(501);
    world_expect(CLIENT, id, STATUS_DEADLINE_RUNNING);
    uint64_t at_worker = next_at(WORKER);
    struct heard *cancel = world_hear(SIDE_BACKEND, WORKER, COMMAND_CANCEL);
    ck_assert_ptr_nonnull(cancel);
    ck_assert_uint_eq(cancel->pair.header.id, at_worker);
    world_forget(cancel);
    world_reply(WORKER, at_worker, STATUS_OK);
    world_turn();
    world_expect(CLIENT, id, STATUS_DEADLINE_RUNNING);
    ck_assert_uint_eq(counts()->stale, 1);
    fill_worker();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST), CONCURRENCY);
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
    uint64_t first = next_at(WORKER);
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
    world_reply(WORKER, next_at(WORKER), STATUS_OK);
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
        uint64_t id = next_at(WORKER);
        world_reply(WORKER, id, STATUS_OK);
        world_turn();
        world_beat();
    }
    world_forget_all();
    for (unsigned i = 0; i < 300; i++) {
        world_ask(CLASS_CRITICAL, 20, 0);
        world_ask(CLASS_CRITICAL, 20, 0);
        world_run(2);
        for (uint64_t id; (id = next_at(WORKER)) != 0; served++)
            world_reply(WORKER, id, STATUS_OK);
        world_turn();
        if (i == 200)
            served = 0;
        world_beat();
    }
    ck_assert_uint_ge(served, 190);
}
END_TEST

START_TEST(queued_work_is_cancelled)
{
    fill_worker();
    uint64_t id = ask();
    struct header cancel = {.command = COMMAND_CANCEL, .id = id, .class = CLASS_CRITICAL};
    world_say(SIDE_FRONTEND, CLIENT, &cancel, (struct bytes){0});
    world_say(SIDE_FRONTEND, CLIENT, &cancel, (struct bytes){0}); /* nothing is there any more */
    world_turn();
    world_expect(CLIENT, id, STATUS_CANCELLED);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_int_eq(heard->pair.header.executed, EXECUTED_NO);
    world_forget(heard);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_CANCEL), 0);
    ck_assert_uint_eq(broker_counts(world.broker)->roles[ROLE_NONE].stale, 1);
}
END_TEST

START_TEST(running_work_is_cancelled)
{
    uint64_t id = ask();
    world_turn();
    struct header cancel = {.command = COMMAND_CANCEL, .id = id, .class = CLASS_CRITICAL};
    world_say(SIDE_FRONTEND, CLIENT, &cancel, (struct bytes){0});
    world_turn();
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_int_eq(heard->pair.header.status, STATUS_CANCELLED);
    ck_assert_int_eq(heard->pair.header.executed, EXECUTED_MAYBE);
    world_forget(heard);
    heard = world_hear(SIDE_BACKEND, WORKER, COMMAND_CANCEL);
    ck_assert_uint_eq(heard->pair.header.id, next_at(WORKER));
    world_reply(WORKER, heard->pair.header.id, STATUS_CANCELLED);
    world_forget(heard);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), 0);
    ck_assert_uint_eq(counts()->cancelled, 1);
}
END_TEST

/* Another client cannot name it: numbers are each client's own. */
START_TEST(nobody_cancels_what_is_another_s)
{
    world_hello(SIDE_FRONTEND, 8, ROLE_CLIENT);
    struct header cancel = {.command = COMMAND_CANCEL, .id = ask(), .class = CLASS_CRITICAL};
    world_say(SIDE_FRONTEND, 8, &cancel, (struct bytes){0});
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_CANCEL), 0);
    ck_assert_uint_eq(counts()->in_flight, 1);
}
END_TEST

/* Silent, or unroutable: what it had is cancelled, what is DETACHED is done all the same. */
START_TEST(a_client_that_is_gone_cancels_what_it_had)
{
    for (unsigned i = 0; i <= CONCURRENCY; i++)
        world_ask(CLASS_CRITICAL, 20000, 0);
    world_ask(CLASS_CRITICAL, 20000, FLAG_DETACHED);
    world_turn();
    world.gone[SIDE_FRONTEND][CLIENT] = true;
    if (_i == 0) {
        world_reply(WORKER, next_at(WORKER), STATUS_OK); /* it is found out by the answer */
        world_turn();
    }
    for (unsigned i = 0; i < 40; i++) {
        world_run(100);
        world_beat();
    }
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_CANCEL), CONCURRENCY);
    ck_assert_uint_eq(counts()->cancelled, CONCURRENCY + (_i == 1));
    for (uint64_t id; (id = next_at(WORKER)) != 0; world_turn())
        world_reply(WORKER, id, STATUS_OK);
    ck_assert_uint_eq(counts()->in_flight, 0);
    ck_assert_uint_eq(counts()->replied, 1 + (_i == 0));
    ck_assert_uint_eq(broker_levels(world.broker).bytes, 0);
}
END_TEST

/* What becomes of a request when its workers die. */
static const struct {
    uint16_t flags;
    uint8_t attempt; /* from the client */
    unsigned starts; /* at which death, by bit */
    unsigned deaths;
    enum status expected; /* OK: it waits, and is served in the end */
} fates[] = {
    {0, 0, 0, DEATHS_MAX - 1, STATUS_OK},
    {0, 0, 0, DEATHS_MAX, STATUS_POISON},
    {0, 0, 1, 1, STATUS_WORKER_LOST},
    {0, 0, 2, 2, STATUS_WORKER_LOST},
    {FLAG_IDEMPOTENT, 0, 1, 1, STATUS_OK},
    {FLAG_IDEMPOTENT, 0, 3, ATTEMPTS_MAX, STATUS_OK},
    {FLAG_IDEMPOTENT, 1, 3, ATTEMPTS_MAX, STATUS_WORKER_LOST},
    {FLAG_IDEMPOTENT, 1, 1, ATTEMPTS_MAX, STATUS_OK},
    {FLAG_IDEMPOTENT, 0, 7, DEATHS_MAX, STATUS_POISON},
};

START_TEST(a_lost_worker_loses_no_answer)
{
    struct header header = world_request(), started = {.command = COMMAND_STARTED};
    header.flags = fates[_i].flags;
    header.attempt = fates[_i].attempt;
    header.deadline_ms = 20000;
    world_ask_from(CLIENT, header, (struct bytes){0});
    for (uint64_t worker = WORKER; worker <= fates[_i].deaths; worker++) {
        world_turn();
        started.id = next_at(worker);
        ck_assert_uint_ne(started.id, 0);
        if (fates[_i].starts >> (worker - 1) & 1)
            world_say(SIDE_BACKEND, worker, &started, (struct bytes){0});
        world.gone[SIDE_BACKEND][worker] = true;
        world_worker(worker + 1, ROLE_DRIVER, CONCURRENCY, "query");
        struct header heartbeat = {.command = COMMAND_HEARTBEAT, .class = CLASS_CRITICAL};
        for (unsigned i = 0; i < 31; i++) { /* only its silence tells */
            world_run(100);
            world_say(SIDE_FRONTEND, CLIENT, &heartbeat, (struct bytes){0});
            world_say(SIDE_BACKEND, worker + 1, &heartbeat, (struct bytes){0});
        }
    }
    uint64_t last = fates[_i].deaths + 1, id = next_at(last);
    ck_assert_int_eq(id != 0, fates[_i].expected == STATUS_OK);
    if (id != 0)
        world_reply(last, id, STATUS_OK);
    world_turn();
    world_expect(CLIENT, header.id, fates[_i].expected);
}
END_TEST

/* It may have been executed by the worker that was lost: no status may say that it was not. */
START_TEST(what_was_begun_is_never_said_not_to_be)
{
    uint64_t id = world_ask(CLASS_CRITICAL, 5000, FLAG_IDEMPOTENT);
    world_turn();
    struct header started = {.command = COMMAND_STARTED, .id = next_at(WORKER)};
    world_say(SIDE_BACKEND, WORKER, &started, (struct bytes){0});
    struct header goodbye = {.command = COMMAND_DISCONNECT};
    world_say(SIDE_BACKEND, WORKER, &goodbye, (struct bytes){0});
    if (_i == 0) { /* it is too late in the queue */
        for (unsigned i = 0; i < 51; i++) {
            world_run(100);
            world_beat();
        }
    } else if (_i == 1) { /* the next worker has no room */
        world_worker(2, ROLE_DRIVER, 1, "query");
        world_turn();
        world_reply(2, next_at(2), STATUS_BUSY_FULL);
    } else { /* it is cancelled while it waits */
        struct header cancel = {.command = COMMAND_CANCEL, .id = id, .class = CLASS_CRITICAL};
        world_say(SIDE_FRONTEND, CLIENT, &cancel, (struct bytes){0});
    }
    world_turn();
    world_expect(CLIENT, id, _i == 2 ? STATUS_CANCELLED : STATUS_WORKER_LOST);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_int_eq(heard->pair.header.executed, EXECUTED_MAYBE);
    world_forget(heard);
}
END_TEST

/* What had not left is not lost with the worker, and was no attempt; another has it at once. */
START_TEST(what_cannot_leave_goes_to_another)
{
    world_worker(2, ROLE_DRIVER, CONCURRENCY, "query");
    world_turn();
    world.full[SIDE_BACKEND][WORKER] = _i == 0;
    world.gone[SIDE_BACKEND][WORKER] = _i == 1;
    ask();
    ask();
    world_turn();
    ck_assert_uint_eq(counts()->redelivered, 1);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, 2, COMMAND_REQUEST), 2);
    struct heard *heard = world_hear(SIDE_BACKEND, 2, COMMAND_REQUEST);
    ck_assert_uint_eq(heard->pair.header.attempt, 0);
    world_forget(heard);
    ck_assert_uint_eq(broker_levels(world.broker).workers, _i == 0 ? 2 : 1);
    world.full[SIDE_BACKEND][WORKER] = false;
    if (_i == 1)
        return;
    world_beat(); /* it is heard, so it is given something again */
    for (unsigned i = 0; i < 2 * CONCURRENCY - 2; i++)
        ask();
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST), CONCURRENCY);
}
END_TEST

/* Redelivered requests go out again in the order in which they came. */
START_TEST(what_is_redelivered_keeps_its_order)
{
    fill_worker();
    struct header goodbye = {.command = COMMAND_DISCONNECT};
    world_say(SIDE_BACKEND, WORKER, &goodbye, (struct bytes){0});
    world_forget_all();
    world_worker(2, ROLE_DRIVER, CONCURRENCY, "query");
    world_turn();
    for (unsigned i = 1; i <= CONCURRENCY; i++) {
        world_reply(2, next_at(2), STATUS_OK);
        world_turn();
        struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
        ck_assert_uint_eq(heard->pair.header.id, i);
        world_forget(heard);
    }
}
END_TEST

/* Of another worker's request, and of one that is over, a reply reaches nobody. */
START_TEST(a_stale_reply_reaches_nobody)
{
    world_worker(2, ROLE_DRIVER, CONCURRENCY, "query");
    uint64_t id = ask(), other;
    world_turn();
    uint64_t worker = world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST) > 0 ? WORKER : 2;
    other = next_at(worker);
    world_reply(3 - worker, other, STATUS_OK);
    ck_assert_uint_eq(counts()->stale, 1);
    world_reply(worker, other, STATUS_OK);
    world_reply(worker, other, STATUS_OK);
    ck_assert_uint_eq(counts()->stale, 2);
    world_turn();
    world_expect(CLIENT, id, STATUS_OK);
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
    next_at(WORKER);
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
            header.id = next_at(worker);
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
            uint64_t id = next_at(WORKER);
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
    ck_assert_uint_eq(answers + counts()->in_flight, offered);
    ck_assert_uint_ge(in_time, 2000 * 95 / 100);
    ck_assert_uint_ge(served[CLASS_CRITICAL_PLUS] + served[CLASS_CRITICAL] + 20,
                      served[CLASS_SHEDDABLE_PLUS] + served[CLASS_SHEDDABLE]);
    bool full = counts()->by_status[STATUS_BUSY_SHED] + counts()->by_status[STATUS_BUSY_FULL] +
                    counts()->by_status[STATUS_INFEASIBLE] >
                0;
    ck_assert_int_eq(full, load_factors[_i] > 1);
}
END_TEST

/* SIGTERM: what waits and what comes is refused, what runs is awaited, with what it asks itself. */
START_TEST(a_broker_that_ends_answers_everybody)
{
    world_hello(SIDE_FRONTEND, 9, ROLE_DRIVER);
    world_worker(3, ROLE_TOOL_EXECUTOR, 1, "tool");
    fill_worker();
    uint64_t waits = ask();
    broker_drain(world.broker, world.now_at);
    uint64_t comes = ask();
    struct header child = world_request();
    child.role = ROLE_TOOL_EXECUTOR;
    child.method = bytes_of("tool");
    world_ask_from(9, child, (struct bytes){0});
    world_turn();
    world_expect(CLIENT, waits, STATUS_DRAINING);
    world_expect(CLIENT, comes, STATUS_DRAINING);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_GOAWAY), 1);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_GOAWAY), 1);
    ck_assert(!broker_is_drained(world.broker));
    world_reply(3, next_at(3), STATUS_OK);
    for (unsigned i = 0; i < CONCURRENCY; i++)
        world_reply(WORKER, next_at(WORKER), STATUS_OK);
    world_turn();
    ck_assert(broker_is_drained(world.broker));
    ck_assert_uint_eq(counts()->replied, CONCURRENCY);
    world_hello(SIDE_FRONTEND, 10, ROLE_CLIENT);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, 10, COMMAND_DISCONNECT), 1);
}
END_TEST

START_TEST(a_broker_that_ends_does_not_wait_for_ever)
{
    world_ask(CLASS_CRITICAL, 30000, 0);
    uint64_t id = world.next_id;
    world_turn();
    world_run(10);
    world.config.drain_ms = 30000;
    broker_drain(world.broker, world.now_at);
    for (unsigned i = 0; i < 300 && !broker_is_drained(world.broker); i++) {
        world_run(100);
        world_beat();
    }
    ck_assert(broker_is_drained(world.broker));
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), 1);
    ck_assert_uint_eq(id, 1);
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
    tcase_add_test(tcase, too_late_in_the_queue);
    tcase_add_test(tcase, too_late_with_a_worker);
    tcase_add_test(tcase, a_deadline_is_capped_and_what_remains_is_told);
    tcase_add_test(tcase, what_cannot_be_in_time_is_refused_unless_nothing_is_known_better);
    tcase_add_test(tcase, a_slow_spell_is_forgotten);
    tcase_add_test(tcase, queued_work_is_cancelled);
    tcase_add_test(tcase, running_work_is_cancelled);
    tcase_add_test(tcase, nobody_cancels_what_is_another_s);
    tcase_add_loop_test(tcase, a_client_that_is_gone_cancels_what_it_had, 0, 2);
    tcase_add_loop_test(tcase, a_lost_worker_loses_no_answer, 0, COUNT_OF(fates));
    tcase_add_loop_test(tcase, what_was_begun_is_never_said_not_to_be, 0, 3);
    tcase_add_loop_test(tcase, what_cannot_leave_goes_to_another, 0, 2);
    tcase_add_test(tcase, what_is_redelivered_keeps_its_order);
    tcase_add_test(tcase, a_stale_reply_reaches_nobody);
    tcase_add_test(tcase, a_large_request_is_passed_on_uncopied);
    tcase_add_test(tcase, what_is_ready_together_leaves_together);
    tcase_add_loop_test(tcase, overload_costs_no_answer_and_no_capacity, 0, 3);
    tcase_add_test(tcase, a_broker_that_ends_answers_everybody);
    tcase_add_test(tcase, a_broker_that_ends_does_not_wait_for_ever);
}

int main(void)
{
    return suite_run("broker", add_tests);
}
