/* test_broker_keys - a broker that asks for keys: who has none in the list gets nothing, each does
 * what he is granted, and a key that is taken out of the list ends what it has begun. */
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "tests/support/broker_world.h"

#define OTHER 8u

static char text[1024], keys[4][CURVE_KEY_BYTES + 1], reason[ALLOW_REASON_BYTES];
static struct allow_list *list, *next;

/* Lines for the keys, in their order. */
static struct allow_list *list_of(const char *first, const char *second, const char *third)
{
    const char *lines[] = {first, second, third};
    size_t size = 0;
    for (int i = 0; i < 3; i++)
        if (lines[i] != NULL) {
            char word[64] = "";
            int at = 0;
            ck_assert_int_eq(sscanf(lines[i], "%63[a-z] %n", word, &at), 1);
            size += (size_t)snprintf(text + size, sizeof text - size, "%s k%d %s %s\n", word, i,
                                     keys[i], lines[i] + at);
        }
    struct allow_list *made = allow_list_read((struct bytes){text, size}, "allow", reason);
    ck_assert_msg(made != NULL, "%s", reason);
    return made;
}

static const struct allowed *of(unsigned key)
{
    return allow_list_find(list, bytes_of(keys[key]));
}

static void setup(void)
{
    char secret_key[CURVE_KEY_BYTES + 1];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(zmq_curve_keypair(keys[i], secret_key), 0);
    list = list_of("client ", "worker roles=driver", "operator ");
    world_setup();
    world.asks_for_keys = true;
    world.allowed[CLIENT] = of(0);
    world.allowed[WORKER] = of(1);
    world.allowed[OTHER] = of(2);
    world_start();
}

static void teardown(void)
{
    world_teardown();
    allow_list_destroy(&list);
    allow_list_destroy(&next);
}

static void expect_disconnect(enum side side, uint64_t number, enum status status)
{
    struct heard *heard = world_hear(side, number, COMMAND_DISCONNECT);
    ck_assert_ptr_nonnull(heard);
    ck_assert_str_eq(statuses[heard->pair.header.status].name, statuses[status].name);
    world_forget(heard);
}

START_TEST(who_is_in_no_list_gets_nothing)
{
    world.allowed[CLIENT] = NULL;
    world_worker(WORKER, ROLE_DRIVER, 4, "query");
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_turn();
    expect_disconnect(SIDE_FRONTEND, CLIENT, STATUS_UNAUTHENTICATED);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_WELCOME), 0);
    ck_assert_uint_eq(broker_levels(world.broker).sessions, 1);
}
END_TEST

START_TEST(a_class_that_was_not_granted_is_forbidden)
{
    world_worker(WORKER, ROLE_DRIVER, 4, "query");
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    uint64_t refused = world_ask(CLASS_CRITICAL_PLUS, 1000, 0);
    uint64_t good = world_ask(CLASS_CRITICAL, 1000, 0);
    world_turn();
    world_expect(CLIENT, refused, STATUS_FORBIDDEN);
    struct heard *request = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST);
    ck_assert_ptr_nonnull(request);
    world_reply(WORKER, request->pair.header.id, STATUS_OK);
    world_turn();
    world_expect(CLIENT, good, STATUS_OK);
    world_forget(request);
}
END_TEST

START_TEST(a_worker_is_ready_for_its_own_roles_alone)
{
    world_worker(WORKER, ROLE_TOOL_EXECUTOR, 4, "m");
    world_turn();
    expect_disconnect(SIDE_BACKEND, WORKER, STATUS_FORBIDDEN);
    ck_assert_uint_eq(broker_levels(world.broker).workers, 0);
}
END_TEST

START_TEST(orders_are_an_operators)
{
    struct msg_admin_drain drain = {bytes_of("nobody"), 1000};
    struct header header = {
        .command = COMMAND_ADMIN, .id = 5, .class = CLASS_CRITICAL, .method = bytes_of("drain")};
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_hello(SIDE_FRONTEND, OTHER, ROLE_CLIENT);
    world_say_message(SIDE_FRONTEND, CLIENT, &header, MSG_ADMIN_DRAIN, &drain);
    world_say_message(SIDE_FRONTEND, OTHER, &header, MSG_ADMIN_DRAIN, &drain);
    world_turn();
    world_expect(CLIENT, 5, STATUS_FORBIDDEN);
    world_expect(OTHER, 5, STATUS_NO_WORKER);
}
END_TEST

/* A session is 16 bytes that its owner made up; who knows them and has another key gains nothing.
 */
START_TEST(another_key_does_not_take_a_session_over)
{
    struct header header = {.command = COMMAND_HELLO, .class = CLASS_CRITICAL, .role = ROLE_CLIENT};
    struct msg_hello hello = {.session = {"sixteen letters!", SESSION_ID_BYTES},
                              .instance = bytes_of("x"),
                              .protocol_min = 1,
                              .protocol_max = 1};
    world_say_message(SIDE_FRONTEND, CLIENT, &header, MSG_HELLO, &hello);
    world_say_message(SIDE_FRONTEND, OTHER, &header, MSG_HELLO, &hello);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_DISCONNECT), 0);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, OTHER, COMMAND_WELCOME), 1);
    ck_assert_uint_eq(broker_levels(world.broker).sessions, 2);
    world.allowed[OTHER] = of(0);
    world_say_message(SIDE_FRONTEND, OTHER, &header, MSG_HELLO, &hello);
    world_turn();
    expect_disconnect(SIDE_FRONTEND, CLIENT, STATUS_CANCELLED);
}
END_TEST

START_TEST(a_key_that_is_taken_out_ends_its_session)
{
    world_worker(WORKER, ROLE_DRIVER, 4, "query");
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    (void)world_ask(CLASS_CRITICAL, 1000, 0);
    world_turn();
    next = list_of(NULL, "worker roles=driver", "operator ");
    broker_grant_anew(world.broker, next, world.now_at);
    world_turn();
    expect_disconnect(SIDE_FRONTEND, CLIENT, STATUS_UNAUTHENTICATED);
    ck_assert_uint_eq(broker_levels(world.broker).sessions, 1);
    world.allowed[CLIENT] = NULL;
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_turn();
    expect_disconnect(SIDE_FRONTEND, CLIENT, STATUS_UNAUTHENTICATED);
    world_check();
}
END_TEST

START_TEST(a_worker_whose_key_goes_gives_its_requests_back)
{
    world_worker(WORKER, ROLE_DRIVER, 4, "query");
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    uint64_t id = world_ask(CLASS_CRITICAL, 1000, 0);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST), 1);
    next = list_of("client ", "worker roles=tool_executor", NULL);
    broker_grant_anew(world.broker, next, world.now_at);
    world_turn();
    expect_disconnect(SIDE_BACKEND, WORKER, STATUS_FORBIDDEN);
    ck_assert_uint_eq(broker_levels(world.broker).workers, 0);
    ck_assert_uint_eq(broker_levels(world.broker).slots, 1);
    world_run(1100);
    world_expect(CLIENT, id, STATUS_DEADLINE_QUEUED);
}
END_TEST

START_TEST(a_worker_greets_as_no_other_role)
{
    world_hello(SIDE_FRONTEND, WORKER, ROLE_TOOL_EXECUTOR);
    world_turn();
    expect_disconnect(SIDE_FRONTEND, WORKER, STATUS_FORBIDDEN);
    world_hello(SIDE_FRONTEND, WORKER, ROLE_CLIENT);
    world_turn();
    expect_disconnect(SIDE_FRONTEND, WORKER, STATUS_FORBIDDEN);
    world_hello(SIDE_BACKEND, CLIENT, ROLE_CLIENT);
    world_turn();
    expect_disconnect(SIDE_BACKEND, CLIENT, STATUS_FORBIDDEN);
    ck_assert_uint_eq(broker_levels(world.broker).sessions, 0);
    world_hello(SIDE_FRONTEND, WORKER, ROLE_DRIVER);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, WORKER, COMMAND_WELCOME), 1);
}
END_TEST

/* It could ask for every class, tenant and method, and would be nobody's client. */
START_TEST(a_worker_that_is_no_driver_asks_nothing)
{
    struct header header = world_request();
    struct header invalidate = {
        .command = COMMAND_INVALIDATE, .id = 1000, .class = CLASS_CRITICAL, .role = ROLE_BROKER};
    struct msg_invalidate message = {{"sixteen letters!", SESSION_ID_BYTES}, bytes_of("\x91\x07")};
    next = list_of("worker roles=tool_executor", "worker roles=driver", NULL);
    world.allowed[CLIENT] = allow_list_find(next, bytes_of(keys[0]));
    world_worker(WORKER, ROLE_DRIVER, 4, "query");
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_TOOL_EXECUTOR);
    uint64_t id = world_ask_from(CLIENT, header, (struct bytes){0});
    world_turn();
    world_expect(CLIENT, id, STATUS_FORBIDDEN);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST), 0);
    world_say_message(SIDE_FRONTEND, CLIENT, &invalidate, MSG_INVALIDATE, &message);
    world_say_message(SIDE_BACKEND, WORKER, &invalidate, MSG_INVALIDATE, &message);
    world_turn();
    world_expect(CLIENT, 1000, STATUS_OK);
    struct heard *reply = world_hear(SIDE_BACKEND, WORKER, COMMAND_REPLY);
    ck_assert_ptr_nonnull(reply);
    ck_assert_int_eq(reply->pair.header.status, STATUS_FORBIDDEN);
    world_forget(reply);
}
END_TEST

START_TEST(a_key_that_is_another_kind_now_is_judged_anew)
{
    world_worker(WORKER, ROLE_DRIVER, 4, "query");
    world_hello(SIDE_FRONTEND, WORKER, ROLE_DRIVER);
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_turn();
    next = list_of("worker roles=driver", "client classes=1", "operator ");
    broker_grant_anew(world.broker, next, world.now_at);
    world_turn();
    expect_disconnect(SIDE_FRONTEND, CLIENT, STATUS_FORBIDDEN); /* it has greeted as a client */
    expect_disconnect(SIDE_BACKEND, WORKER, STATUS_FORBIDDEN);
    ck_assert_uint_eq(broker_levels(world.broker).workers, 0);
    ck_assert_uint_eq(broker_levels(world.broker).sessions, 1);
    struct header header = world_request();
    header.class = CLASS_SHEDDABLE;
    uint64_t id = world_ask_from(WORKER, header, (struct bytes){0});
    world_turn();
    world_expect(WORKER, id, STATUS_FORBIDDEN); /* a client with a client's grants */
}
END_TEST

START_TEST(a_worker_that_gets_one_role_more_stays)
{
    world_worker(WORKER, ROLE_DRIVER, 4, "query");
    world_turn();
    next = list_of("client ", "worker roles=driver,tool_executor", "operator ");
    broker_grant_anew(world.broker, next, world.now_at);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_DISCONNECT), 0);
    ck_assert_uint_eq(broker_levels(world.broker).workers, 1);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, who_is_in_no_list_gets_nothing);
    tcase_add_test(tcase, a_class_that_was_not_granted_is_forbidden);
    tcase_add_test(tcase, a_worker_is_ready_for_its_own_roles_alone);
    tcase_add_test(tcase, orders_are_an_operators);
    tcase_add_test(tcase, a_worker_greets_as_no_other_role);
    tcase_add_test(tcase, a_worker_that_is_no_driver_asks_nothing);
    tcase_add_test(tcase, a_key_that_is_another_kind_now_is_judged_anew);
    tcase_add_test(tcase, a_worker_that_gets_one_role_more_stays);
    tcase_add_test(tcase, another_key_does_not_take_a_session_over);
    tcase_add_test(tcase, a_key_that_is_taken_out_ends_its_session);
    tcase_add_test(tcase, a_worker_whose_key_goes_gives_its_requests_back);
}

int main(void)
{
    return suite_run("broker_keys", add_tests);
}
