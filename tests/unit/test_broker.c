/* test_broker - requests through the whole broker in virtual time, with no socket. */
#include <string.h>

#include "tests/support/broker_world.h"

static void setup(void)
{
    world_setup();
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, 4, "query");
    world_turn();
    world_forget_all();
}

START_TEST(a_request_goes_round)
{
    uint64_t id = world_ask(CLASS_CRITICAL, 1000, FLAG_ACK_ACCEPT);
    world_pass(2 * MS);
    struct heard *asked = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST);
    ck_assert_ptr_nonnull(asked);
    ck_assert_uint_eq(asked->pair.header.deadline_ms, 1000);
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
    ck_assert_uint_eq(header->credit, world.config.client_credit + 1);
    ck_assert_uint_eq(header->service_us, 5 * MS);
    ck_assert(bytes_are(header->instance, "peer-1"));
    ck_assert(bytes_are(answered->pair.body, "answer"));
    world_forget(asked);
    world_forget(answered);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_add_test(tcase, a_request_goes_round);
}

int main(void)
{
    return suite_run("broker", add_tests);
}
