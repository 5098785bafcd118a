/* test_broker_others - a broker that knows of others names them, and leaves the view to the first
 * that lives and sees most of the partitions. In virtual time. */
#include <string.h>

#include "actors/runtime/metrics.h"
#include "broker/view.h"
#include "tests/support/broker_world.h"

#define OTHER "tcp://127.0.0.1:04" /* stands before tcp://127.0.0.1:1 */
#define PEERS OTHER ",tcp://127.0.0.1:05,tcp://127.0.0.1:06"

static void setup(void)
{
    world_setup();
    world.config.peers = "tcp://127.0.0.1:1,tcp://127.0.0.1:2,tcp://127.0.0.1:3," PEERS;
    world_start();
}

static void check_addresses(struct bytes list, const char *const *frontends, size_t count)
{
    struct values values = values_over(list);
    struct msg_broker_address address;
    struct bytes value;
    ck_assert_uint_eq(values_count(list), count);
    for (size_t i = 0; i < count; i++) {
        ck_assert(values_next(&values, &value));
        ck_assert_int_eq(message_decode(MSG_BROKER_ADDRESS, value, &address), STATUS_OK);
        ck_assert(bytes_are(address.frontend, frontends[i]));
    }
}

START_TEST(a_greeting_is_answered_with_all_brokers_and_goaway_names_the_others)
{
    struct msg_welcome welcome;
    struct msg_goaway goaway;
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_turn();
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_WELCOME);
    ck_assert_int_eq(message_decode(MSG_WELCOME, heard->pair.body, &welcome), STATUS_OK);
    check_addresses(welcome.brokers, (const char *[]){"tcp://127.0.0.1:1", OTHER}, 2);
    world_forget(heard);
    broker_drain(world.broker, world.now_at);
    world_turn();
    heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_GOAWAY);
    ck_assert_int_eq(message_decode(MSG_GOAWAY, heard->pair.body, &goaway), STATUS_OK);
    check_addresses(goaway.brokers, (const char *[]){OTHER}, 1);
    world_forget(heard);
}
END_TEST

/* An event of the other broker. */
static void hear(const char *topic, struct bytes body)
{
    static char bytes[PAIR_HEAD_BYTES_MAX + MESSAGE_BYTES_MAX];
    struct header header = {
        .command = COMMAND_EVENT, .class = CLASS_CRITICAL, .id = 1, .method = bytes_of(topic)};
    size_t size = pairs_encode_head(&header, body, bytes);
    memcpy(bytes + size, body.data, body.size);
    broker_hear(world.broker, 0, (struct bytes){bytes, size + body.size}, world.now_at);
}

static void beat(uint64_t partitions, uint64_t epoch)
{
    char room[CONTROL_BYTES_MAX];
    struct bytes body;
    struct msg_event_members members = {.generation = 9, .partitions = partitions, .epoch = epoch};
    ck_assert_int_eq(message_encode(MSG_EVENT_MEMBERS, &members, room, sizeof room, &body),
                     STATUS_OK);
    hear("members", body);
}

static void partition(uint64_t number, const char *endpoint)
{
    struct msg_ready ready = {.concurrency = 4, .weight = 100, .endpoint = bytes_of(endpoint)};
    world_hello(SIDE_BACKEND, number, ROLE_CACHE_PARTITION);
    world_ready(number, ROLE_CACHE_PARTITION, &ready, NULL, 0);
    world_turn();
}

/* The newest view that was told; 0: none. */
static uint64_t told(void)
{
    uint64_t epoch = 0;
    for (struct heard *heard; (heard = world_event("view")) != NULL; world_forget(heard)) {
        struct msg_view view;
        ck_assert_int_eq(message_decode(MSG_VIEW, heard->pair.body, &view), STATUS_OK);
        epoch = view.epoch;
    }
    return epoch;
}

START_TEST(the_view_is_left_to_the_broker_that_is_first_until_it_is_silent)
{
    beat(1, 0);
    partition(1, "tcp://127.0.0.1:7001");
    for (unsigned i = 0; i < 5; i++) {
        world_run(900);
        world_beat();
        beat(1, 0);
        ck_assert_uint_eq(told(), 0);
    }
    for (unsigned i = 0; i < 5; i++) {
        world_run(900);
        world_beat();
    }
    uint64_t epoch = told(); /* of rank 1, as it stands behind the other */
    ck_assert_uint_ge(epoch, world.config.view_counter * VIEW_EPOCH_STEP + 1);
    ck_assert_uint_eq(epoch % VIEW_EPOCH_STEP, 1);
}
END_TEST

START_TEST(the_view_of_another_counts_and_is_told_again_to_one_that_has_missed_it)
{
    struct view *other = view_new(1000, 0, 0);
    struct msg_welcome welcome;
    struct msg_view view;
    struct msg_member member = {.uuid = {"0123456789abcdef", SESSION_ID_BYTES},
                                .weight = 100,
                                .endpoint = bytes_of("tcp://127.0.0.1:7009")};
    ck_assert_int_eq(view_put(other, &member, world.now_at), STATUS_OK);
    ck_assert(view_issue(other, world.now_at));
    beat(1, 0);
    hear("view", view_body(other));
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_turn();
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_WELCOME);
    ck_assert_int_eq(message_decode(MSG_WELCOME, heard->pair.body, &welcome), STATUS_OK);
    ck_assert_int_eq(message_decode(MSG_VIEW, welcome.partitions, &view), STATUS_OK);
    ck_assert_uint_eq(view.epoch, view_epoch(other));
    world_forget(heard);
    beat(1, view_epoch(other));
    ck_assert_uint_eq(told(), 0);
    beat(1, view_epoch(other) - 1);
    ck_assert_uint_eq(told(), view_epoch(other));
    view_destroy(&other);
}
END_TEST

/* It says READY again under another uuid: what it was is nowhere any more. */
START_TEST(a_partition_stands_in_one_place_of_the_view)
{
    char uuid[SESSION_ID_BYTES] = "0123456789abcde";
    struct msg_ready ready = {.concurrency = 1,
                              .weight = 100,
                              .endpoint = bytes_of("tcp://127.0.0.1:7001"),
                              .uuid = {uuid, sizeof uuid}};
    partition(1, "tcp://127.0.0.1:7001");
    for (unsigned i = 0; i < 3; i++, uuid[0]++)
        world_ready(1, ROLE_CACHE_PARTITION, &ready, NULL, 0);
    struct metrics *metrics = metrics_new(2000);
    broker_measure(world.broker, metrics);
    const struct series *used =
        metrics_series(metrics, METRIC_BOUND_USED_RATIO, LABELS("partitions"));
    ck_assert_double_eq(series_value(used) * VIEW_MEMBERS_MAX, 1);
    metrics_destroy(&metrics);
}
END_TEST

static void say_epoch(uint64_t number, uint64_t epoch)
{
    struct header header = {.command = COMMAND_HEARTBEAT, .class = CLASS_CRITICAL};
    struct msg_heartbeat heartbeat = {.epoch = epoch};
    world_say_message(SIDE_BACKEND, number, &header, MSG_HEARTBEAT, &heartbeat);
    world_turn();
}

/* It had not subscribed yet when the view was told. */
START_TEST(a_driver_that_has_missed_the_view_is_told_again)
{
    struct msg_ready ready = {.concurrency = 4, .weight = 100};
    partition(1, "tcp://127.0.0.1:7001");
    world_hello(SIDE_BACKEND, 2, ROLE_DRIVER);
    world_ready(2, ROLE_DRIVER, &ready, NULL, 0);
    for (unsigned i = 0; i < 5; i++) {
        world_run(900);
        world_beat();
    }
    uint64_t epoch = told();
    ck_assert_uint_gt(epoch, 0);
    say_epoch(2, epoch);
    ck_assert_uint_eq(told(), 0);
    say_epoch(2, epoch - 1);
    ck_assert_uint_eq(told(), epoch);
    say_epoch(2, 0);
    ck_assert_uint_eq(told(), 0); /* just told */
    world_run(600);
    say_epoch(2, 0);
    ck_assert_uint_eq(told(), epoch);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_add_test(tcase, a_greeting_is_answered_with_all_brokers_and_goaway_names_the_others);
    tcase_add_test(tcase, the_view_is_left_to_the_broker_that_is_first_until_it_is_silent);
    tcase_add_test(tcase, the_view_of_another_counts_and_is_told_again_to_one_that_has_missed_it);
    tcase_add_test(tcase, a_partition_stands_in_one_place_of_the_view);
    tcase_add_test(tcase, a_driver_that_has_missed_the_view_is_told_again);
}

int main(void)
{
    return suite_run("broker_others", add_tests);
}
