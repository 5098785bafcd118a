/* test_broker_order - what is asked with KEY_ORDER is executed one after the other for each key, as
 * it came, whatever becomes of those before it, in virtual time. */
#include "tests/support/broker_world.h"

#define SECOND 2u /* a worker */
#define KEYS 3u

static void setup(void)
{
    world_setup();
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, 4, "query");
    world_worker(SECOND, ROLE_DRIVER, 4, "query");
    world_turn();
    world_forget_all();
}

static uint64_t ask(uint64_t key, uint16_t flags)
{
    struct header header = world_request();
    header.flags = (uint16_t)(FLAG_KEY_ORDER | flags);
    header.has_key = true;
    header.key = key;
    header.deadline_ms = 5000;
    return world_ask_from(CLIENT, header, bytes_of("body"));
}

/* What is with the workers, and who has it. */
static struct heard *next_request(uint64_t *ret_worker)
{
    for (*ret_worker = WORKER; *ret_worker <= SECOND; ++*ret_worker) {
        struct heard *heard = world_hear(SIDE_BACKEND, *ret_worker, COMMAND_REQUEST);
        if (heard != NULL)
            return heard;
    }
    return NULL;
}

static unsigned at_workers(void)
{
    return world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST) +
           world_count(SIDE_BACKEND, SECOND, COMMAND_REQUEST);
}

/* Answer one that is there; returns its key. */
static uint64_t work(void)
{
    uint64_t worker;
    struct heard *heard = next_request(&worker);
    ck_assert_ptr_nonnull(heard);
    uint64_t key = heard->pair.header.key;
    world_reply(worker, heard->pair.header.id, STATUS_OK);
    world_forget(heard);
    world_turn();
    return key;
}

START_TEST(one_waits_for_the_other_of_its_key)
{
    uint64_t first = ask(1, 0), second = ask(1, 0), other = ask(2, 0);
    world_turn();
    ck_assert_uint_eq(at_workers(), 2);
    ck_assert_uint_eq(work() + work(), 1 + 2);
    world_expect(CLIENT, first, STATUS_OK);
    world_expect(CLIENT, other, STATUS_OK);
    ck_assert_uint_eq(at_workers(), 1);
    work();
    world_expect(CLIENT, second, STATUS_OK);
    ck_assert_uint_eq(broker_levels(world.broker).slots, 0);
}
END_TEST

START_TEST(who_leaves_the_line_holds_up_nobody)
{
    uint64_t ids[4];
    for (unsigned i = 0; i < 4; i++)
        ids[i] = ask(1, 0);
    world_turn();
    for (unsigned i = 1; i < 4; i += 2)
        world_say(SIDE_FRONTEND, CLIENT, &(struct header){.command = COMMAND_CANCEL, .id = ids[i]},
                  (struct bytes){0});
    world_turn();
    world_expect(CLIENT, ids[1], STATUS_CANCELLED);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_int_eq(heard->pair.header.executed, EXECUTED_NO);
    world_forget(heard);
    work();
    ck_assert_uint_eq(at_workers(), 1);
    work();
    world_expect(CLIENT, ids[2], STATUS_OK);
    ck_assert_uint_eq(at_workers(), 0);
}
END_TEST

/* It keeps its turn. */
START_TEST(what_is_redelivered_is_still_the_first)
{
    uint64_t worker, first = ask(1, 0);
    ask(1, 0);
    world_turn();
    struct heard *heard = next_request(&worker);
    world_forget(heard);
    world_say(SIDE_BACKEND, worker, &(struct header){.command = COMMAND_DISCONNECT},
              (struct bytes){0});
    world_turn();
    ck_assert_uint_eq(at_workers(), 1);
    work();
    world_expect(CLIENT, first, STATUS_OK);
    ck_assert_uint_eq(at_workers(), 1);
}
END_TEST

START_TEST(a_line_has_its_bound)
{
    for (unsigned i = 0; i < ORDER_LINE_MAX; i++)
        ask(1, 0);
    uint64_t one_more = ask(1, 0);
    world_turn();
    world_expect(CLIENT, one_more, STATUS_BUSY_FULL);
    ck_assert_uint_eq(at_workers(), 1);
    for (unsigned i = 0; i < ORDER_LINE_MAX; i++)
        work();
    ck_assert_uint_eq(broker_levels(world.broker).slots, 0);
}
END_TEST

START_TEST(in_line_its_deadline_counts)
{
    ask(1, 0);
    uint64_t second = ask(1, 0);
    for (unsigned i = 0; i < 52; i++) {
        world_pass(100 * MS);
        world_beat();
    }
    world_expect(CLIENT, second, STATUS_DEADLINE_QUEUED);
    ck_assert_uint_eq(broker_levels(world.broker).slots, 0);
}
END_TEST

/* Seed 3. Of a few keys never two requests of one are with the workers, and ids only rise. */
START_TEST(answers_of_a_key_come_in_order)
{
    uint64_t random = 3, key_of[400] = {0}, newest[KEYS] = {0}, done = 0;
    struct heard *heard;
    while (world.next_id < 399) {
        unsigned dice = (unsigned)(random_next(&random) >> 33);
        if ((dice & 3) < 2) {
            uint64_t key = (dice >> 8) % KEYS, id = ask(key, 0);
            key_of[id] = key;
        } else if (at_workers() > 0) {
            work();
        }
        world_pass(MS);
        world_beat();
        ck_assert_uint_le(at_workers(), KEYS);
        while ((heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY)) != NULL) {
            uint64_t id = heard->pair.header.id;
            ck_assert_uint_gt(id, newest[key_of[id]]);
            newest[key_of[id]] = id;
            done++;
            world_forget(heard);
        }
    }
    ck_assert_uint_gt(done, 100);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_add_test(tcase, one_waits_for_the_other_of_its_key);
    tcase_add_test(tcase, who_leaves_the_line_holds_up_nobody);
    tcase_add_test(tcase, what_is_redelivered_is_still_the_first);
    tcase_add_test(tcase, a_line_has_its_bound);
    tcase_add_test(tcase, in_line_its_deadline_counts);
    tcase_add_test(tcase, answers_of_a_key_come_in_order);
}

int main(void)
{
    return suite_run("broker_order", add_tests);
}
