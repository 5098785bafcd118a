/* test_broker_sharing - the same request asked twice, in virtual time: it is executed once, and
 * each of its clients gets an end of its own, once, whatever becomes of the others. */
#include <string.h>

#include "broker/identities.h"
#include "broker/list.h"
#include "tests/support/broker_world.h"

#define OTHER 8u
#define SECOND 2u /* a worker */

static const char key_bytes[IDEMPOTENCY_KEY_BYTES] = "sixteen of bytes";

static void setup(void)
{
    world_setup();
    world.config.slots_max = 64;
    world.config.queue_max = 32;
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_hello(SIDE_FRONTEND, OTHER, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, 1, "query");
    world_turn();
    world_forget_all();
}

static struct header keyed(uint16_t flags)
{
    struct header header = world_request();
    header.flags = flags;
    header.idempotency_key = (struct bytes){key_bytes, sizeof key_bytes};
    return header;
}

static uint64_t ask(uint64_t number, uint16_t flags)
{
    return world_ask_from(number, keyed(flags), bytes_of("body"));
}

static uint64_t ask_within(uint64_t number, uint32_t deadline_ms, uint16_t flags)
{
    struct header header = keyed(flags);
    header.deadline_ms = deadline_ms;
    return world_ask_from(number, header, bytes_of("body"));
}

static enum executed executed(uint64_t number)
{
    struct heard *heard = world_hear(SIDE_FRONTEND, number, COMMAND_REPLY);
    ck_assert_ptr_nonnull(heard);
    enum executed its = heard->pair.header.executed;
    world_forget(heard);
    return its;
}

/* So that what comes next waits; its id at the worker. */
static uint64_t occupy(void)
{
    world_ask(CLASS_CRITICAL, 5000, 0);
    world_turn();
    return world_next(WORKER);
}

START_TEST(two_that_share_are_executed_once)
{
    uint64_t first = ask(CLIENT, 0);
    world_turn();
    uint64_t second = ask(OTHER, FLAG_COALESCE);
    world_turn();
    uint64_t at_worker = world_next(WORKER);
    ck_assert_uint_ne(at_worker, 0);
    ck_assert_uint_eq(world_counts()->in_flight, 2);
    world_pass(5 * MS);
    world_reply(WORKER, at_worker, STATUS_OK);
    world_turn();
    ck_assert_uint_eq(world_next(WORKER), 0);
    world_expect(CLIENT, first, STATUS_OK);
    world_expect(OTHER, second, STATUS_OK);
    struct heard *heard = world_hear(SIDE_FRONTEND, OTHER, COMMAND_REPLY);
    ck_assert(bytes_are(heard->pair.body, "answer"));
    ck_assert_uint_eq(heard->pair.header.queue_us, 0);
    ck_assert_uint_eq(heard->pair.header.service_us, 5 * MS);
    world_forget(heard);
    ck_assert_uint_eq(world_counts()->attached, 1);
    ck_assert_uint_eq(world_counts()->replied, 2);
    ck_assert_uint_eq(broker_levels(world.broker).slots, 0);
}
END_TEST

START_TEST(who_does_not_share_is_told_that_it_runs)
{
    uint64_t first = ask(CLIENT, 0), second = ask(OTHER, 0);
    world_turn();
    world_expect(OTHER, second, STATUS_DUPLICATE_RUNNING);
    ck_assert_int_eq(executed(OTHER), EXECUTED_MAYBE);
    world_reply(WORKER, world_next(WORKER), STATUS_OK);
    world_turn();
    world_expect(CLIENT, first, STATUS_OK);
    uint64_t third = ask(OTHER, 0); /* the key is free again */
    world_turn();
    world_reply(WORKER, world_next(WORKER), STATUS_OK);
    world_turn();
    world_expect(OTHER, third, STATUS_OK);
}
END_TEST

START_TEST(one_key_asks_for_one_thing)
{
    ask(CLIENT, 0);
    uint64_t other = world_ask_from(OTHER, keyed(FLAG_COALESCE), bytes_of("other"));
    world_turn();
    world_expect(OTHER, other, STATUS_BAD_REQUEST);
    struct header header = keyed(FLAG_COALESCE);
    header.extension = (struct bytes){"\x81\xa4user\xa1z", 8};
    other = world_ask_from(OTHER, header, bytes_of("body")); /* for somebody else */
    world_turn();
    world_expect(OTHER, other, STATUS_BAD_REQUEST);
}
END_TEST

/* Of tenants, roles and methods each has keys of its own. */
START_TEST(a_tenant_has_its_own_keys)
{
    ask(CLIENT, 0);
    struct header header = keyed(FLAG_COALESCE);
    header.tenant = bytes_of("another");
    world_ask_from(OTHER, header, bytes_of("body"));
    world_turn();
    ck_assert_uint_eq(world_counts()->attached, 0);
    ck_assert_uint_eq(world_counts()->in_flight, 2);
}
END_TEST

START_TEST(an_attached_one_is_accepted_and_found)
{
    struct msg_query_status query = {0};
    struct msg_request_status status;
    struct header header = {.command = COMMAND_QUERY, .id = 999, .method = bytes_of("status")};
    ask(CLIENT, 0);
    query.id = ask(OTHER, FLAG_COALESCE | FLAG_ACK_ACCEPT);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, OTHER, COMMAND_ACCEPTED), 1);
    world_say_message(SIDE_FRONTEND, OTHER, &header, MSG_QUERY_STATUS, &query);
    world_turn();
    struct heard *heard = world_hear(SIDE_FRONTEND, OTHER, COMMAND_REPLY);
    ck_assert_int_eq(message_decode(MSG_REQUEST_STATUS, heard->pair.body, &status), STATUS_OK);
    ck_assert(bytes_are(status.state, "running"));
    world_forget(heard);
}
END_TEST

/* Row 0: the first withdraws; 1: the second; in the queue (even) and with the worker (odd). */
START_TEST(who_withdraws_takes_nothing_from_the_other)
{
    uint64_t busy = _i & 1 ? 0 : occupy();
    uint64_t ids[2] = {ask(CLIENT, 0), ask(OTHER, FLAG_COALESCE)};
    uint64_t numbers[2] = {CLIENT, OTHER};
    unsigned gone = _i >> 1 & 1;
    struct header cancel = {.command = COMMAND_CANCEL, .id = ids[gone]};
    world_turn();
    world_say(SIDE_FRONTEND, numbers[gone], &cancel, (struct bytes){0});
    world_turn();
    world_expect(numbers[gone], ids[gone], STATUS_CANCELLED);
    ck_assert_int_eq(executed(numbers[gone]), busy != 0 ? EXECUTED_NO : EXECUTED_MAYBE);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_CANCEL), 0);
    if (busy != 0)
        world_reply(WORKER, busy, STATUS_OK);
    world_turn();
    world_reply(WORKER, world_next(WORKER), STATUS_OK);
    world_turn();
    world_expect(numbers[!gone], ids[!gone], STATUS_OK);
    ck_assert_uint_eq(broker_levels(world.broker).slots, 0);
}
END_TEST

START_TEST(the_worker_hears_of_the_last_that_withdraws)
{
    uint64_t first = ask(CLIENT, 0), second = ask(OTHER, FLAG_COALESCE);
    world_turn();
    world_say(SIDE_FRONTEND, CLIENT, &(struct header){.command = COMMAND_CANCEL, .id = first},
              (struct bytes){0});
    world_say(SIDE_FRONTEND, OTHER, &(struct header){.command = COMMAND_CANCEL, .id = second},
              (struct bytes){0});
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_CANCEL), 1);
    world_expect(OTHER, second, STATUS_CANCELLED);
}
END_TEST

START_TEST(a_client_that_leaves_takes_nothing_from_the_other)
{
    ask(CLIENT, 0);
    ask(CLIENT, FLAG_COALESCE);
    uint64_t others = ask(OTHER, FLAG_COALESCE);
    world_turn();
    world_say(SIDE_FRONTEND, CLIENT, &(struct header){.command = COMMAND_DISCONNECT},
              (struct bytes){0});
    world_turn();
    ck_assert_uint_eq(world_counts()->cancelled, 2);
    world_reply(WORKER, world_next(WORKER), STATUS_OK);
    world_turn();
    world_expect(OTHER, others, STATUS_OK);
}
END_TEST

/* Each by its own deadline, whoever came first. */
START_TEST(each_has_its_own_deadline)
{
    uint64_t early = ask_within(CLIENT, 300, FLAG_IDEMPOTENT);
    uint64_t late = ask_within(OTHER, 900, FLAG_COALESCE);
    uint64_t earlier = ask_within(OTHER, 200, FLAG_COALESCE);
    world_turn();
    world_run(201);
    world_expect(OTHER, earlier, STATUS_DEADLINE_RUNNING);
    world_run(100);
    world_expect(CLIENT, early, STATUS_DEADLINE_RUNNING);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_CANCEL), 0);
    world_reply(WORKER, world_next(WORKER), STATUS_OK);
    world_turn();
    world_expect(OTHER, late, STATUS_OK);
}
END_TEST

/* The worker kept to the first one's deadline: for the other it is done again, if that is safe. */
START_TEST(what_was_given_up_for_one_goes_on_for_the_other)
{
    bool harmless = _i == 1;
    uint64_t early = ask_within(CLIENT, 300, harmless ? FLAG_IDEMPOTENT : 0);
    uint64_t late = ask_within(OTHER, 900, FLAG_COALESCE);
    world_turn();
    world_run(301);
    world_expect(CLIENT, early, STATUS_DEADLINE_RUNNING);
    world_say(SIDE_BACKEND, WORKER,
              &(struct header){.command = COMMAND_STARTED, .id = world_next(WORKER)},
              (struct bytes){0});
    world_reply(WORKER, (UINT64_C(1) << 32) | UINT32_MAX, STATUS_DEADLINE_RUNNING);
    world_turn();
    uint64_t again = world_next(WORKER);
    ck_assert_uint_eq(again != 0, harmless);
    if (!harmless)
        world_expect(OTHER, late, STATUS_DEADLINE_RUNNING);
    else
        world_reply(WORKER, again, STATUS_OK);
    world_turn();
    if (harmless)
        world_expect(OTHER, late, STATUS_OK);
}
END_TEST

START_TEST(a_worker_that_is_lost_is_lost_for_all)
{
    uint64_t first = ask(CLIENT, 0), second = ask(OTHER, FLAG_COALESCE);
    world_turn();
    world_say(SIDE_BACKEND, WORKER,
              &(struct header){.command = COMMAND_STARTED, .id = world_next(WORKER)},
              (struct bytes){0});
    world_say(SIDE_BACKEND, WORKER, &(struct header){.command = COMMAND_DISCONNECT},
              (struct bytes){0});
    world_turn();
    world_expect(CLIENT, first, STATUS_WORKER_LOST);
    world_expect(OTHER, second, STATUS_WORKER_LOST);
    ck_assert_uint_eq(world_counts()->lost, 2);
}
END_TEST

START_TEST(what_is_redelivered_is_so_for_all)
{
    uint64_t first = ask(CLIENT, 0), second = ask(OTHER, FLAG_COALESCE);
    world_turn();
    world_worker(SECOND, ROLE_DRIVER, 1, "query");
    world_say(SIDE_BACKEND, WORKER, &(struct header){.command = COMMAND_DISCONNECT},
              (struct bytes){0});
    world_turn();
    world_reply(SECOND, world_next(SECOND), STATUS_OK);
    world_turn();
    world_expect(CLIENT, first, STATUS_OK);
    world_expect(OTHER, second, STATUS_OK);
}
END_TEST

START_TEST(pieces_go_to_all_who_asked_for_them)
{
    ask(CLIENT, 0);
    ask(OTHER, FLAG_COALESCE | FLAG_STREAM);
    world_turn();
    world_say(SIDE_BACKEND, WORKER,
              &(struct header){.command = COMMAND_PARTIAL,
                               .id = world_next(WORKER),
                               .admit_level = CLASS_SHEDDABLE},
              bytes_of("piece"));
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, OTHER, COMMAND_PARTIAL), 1);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_PARTIAL), 0);
}
END_TEST

START_TEST(the_queue_bounds_those_who_share)
{
    ask(CLIENT, 0);
    for (unsigned i = 0; i < 32; i++)
        ask(OTHER, FLAG_COALESCE);
    world_turn();
    ck_assert_uint_eq(broker_levels(world.broker).queued[ROLE_DRIVER], 32);
    uint64_t one_more = ask(OTHER, FLAG_COALESCE);
    world_turn();
    world_expect(OTHER, one_more, STATUS_BUSY_FULL);
    world_reply(WORKER, world_next(WORKER), STATUS_OK);
    world_turn();
    ck_assert_uint_eq(world_counts()->replied, 33);
    ck_assert_uint_eq(broker_levels(world.broker).queued[ROLE_DRIVER], 0);
}
END_TEST

/* One step of a crowd with a few keys, on two workers that come and go. */
struct callers {
    uint64_t random, started, asked;
};

static void crowd_asks(struct callers *self, unsigned dice, uint64_t number)
{
    char key[IDEMPOTENCY_KEY_BYTES] = {(char)(dice >> 8 & 7)};
    struct header header = keyed(dice & 4 ? FLAG_COALESCE : FLAG_COALESCE | FLAG_IDEMPOTENT);
    header.idempotency_key.data = key;
    header.deadline_ms = 20 + (dice >> 4 & 255);
    world_ask_from(number, header, bytes_of("body"));
    self->asked++;
}

static void crowd_answers(struct callers *self, unsigned dice, uint64_t worker)
{
    uint64_t id = world_next(worker);
    if (id == 0)
        return;
    self->started++;
    world_reply(worker, id, dice >> 15 & 3 ? STATUS_OK : STATUS_DEADLINE_RUNNING);
}

static void crowd_steps(struct callers *self)
{
    unsigned dice = (unsigned)(random_next(&self->random) >> 33), what = dice >> 12 & 7;
    uint64_t number = dice & 1 ? CLIENT : OTHER, worker = dice & 2 ? WORKER : SECOND;
    struct header cancel = {.command = COMMAND_CANCEL, .id = world.next_id - (dice >> 20 & 7)};
    if (what < 3) {
        crowd_asks(self, dice, number);
    } else if (what == 3) {
        world_say(SIDE_FRONTEND, number, &cancel, (struct bytes){0});
    } else if (what == 4 && (dice >> 15 & 15) == 0) {
        world_worker(worker, ROLE_DRIVER, 2, "query");
    } else if (what == 5) {
        world_pass(3 * MS);
        world_beat();
    } else {
        crowd_answers(self, dice, worker);
    }
    world_turn();
}

/* Conservation is checked after each message. */
START_TEST(a_crowd_gets_an_end_each)
{
    struct callers crowd = {.random = 7};
    world_worker(SECOND, ROLE_DRIVER, 2, "query");
    for (unsigned step = 0; step < 4000; step++)
        crowd_steps(&crowd);
    for (unsigned i = 0; i < 400; i++) {
        world_run(1);
        world_beat();
    }
    ck_assert_uint_eq(broker_levels(world.broker).slots, 0);
    ck_assert_uint_eq(world_counts()->accepted, crowd.asked);
    ck_assert_uint_gt(world_counts()->attached, 200);
    ck_assert_uint_gt(crowd.started, 50);
    ck_assert_uint_gt(world_counts()->cancelled, 20);
}
END_TEST

START_TEST(identities_are_found_until_removed)
{
    struct identities *identities = identities_new(4, 9);
    char keys[5][IDEMPOTENCY_KEY_BYTES] = {{0}, {1}, {2}, {3}, {4}};
    uint32_t entries[4];
    struct header header = keyed(0);
    for (uint32_t i = 0; i < 5; i++) {
        header.idempotency_key = (struct bytes){keys[i], sizeof keys[i]};
        struct identity identity = identities_of(identities, &header, bytes_of("b"));
        ck_assert_uint_eq(identities_find(identities, &identity), NONE);
        uint32_t entry = identities_add(identities, &identity, 10 + i);
        ck_assert_uint_eq(entry == NONE, i == 4);
        if (entry != NONE)
            entries[i] = entry;
    }
    ck_assert_uint_eq(identities_count(identities), 4);
    identities_remove(identities, entries[2]);
    header.idempotency_key = (struct bytes){keys[3], sizeof keys[3]};
    struct identity identity = identities_of(identities, &header, bytes_of("b"));
    ck_assert_uint_eq(identities_holder(identities, identities_find(identities, &identity)), 13);
    identities_move(identities, entries[3], 99);
    ck_assert_uint_eq(identities_holder(identities, entries[3]), 99);
    ck_assert(identities_agrees(identities, entries[3], &identity));
    identity.content++;
    ck_assert(!identities_agrees(identities, entries[3], &identity));
    identities_destroy(&identities);
    ck_assert_ptr_null(identities);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_add_test(tcase, two_that_share_are_executed_once);
    tcase_add_test(tcase, who_does_not_share_is_told_that_it_runs);
    tcase_add_test(tcase, one_key_asks_for_one_thing);
    tcase_add_test(tcase, a_tenant_has_its_own_keys);
    tcase_add_test(tcase, an_attached_one_is_accepted_and_found);
    tcase_add_loop_test(tcase, who_withdraws_takes_nothing_from_the_other, 0, 4);
    tcase_add_test(tcase, the_worker_hears_of_the_last_that_withdraws);
    tcase_add_test(tcase, a_client_that_leaves_takes_nothing_from_the_other);
    tcase_add_test(tcase, each_has_its_own_deadline);
    tcase_add_loop_test(tcase, what_was_given_up_for_one_goes_on_for_the_other, 0, 2);
    tcase_add_test(tcase, a_worker_that_is_lost_is_lost_for_all);
    tcase_add_test(tcase, what_is_redelivered_is_so_for_all);
    tcase_add_test(tcase, pieces_go_to_all_who_asked_for_them);
    tcase_add_test(tcase, the_queue_bounds_those_who_share);
    tcase_add_test(tcase, a_crowd_gets_an_end_each);
    tcase_add_test(tcase, identities_are_found_until_removed);
}

int main(void)
{
    return suite_run("broker_sharing", add_tests);
}
