/* test_broker_held - what waits for its turn under a key, or with another for the same answer, has
 * its place in the bounds of its role like every other, in virtual time. */
#include "actors/runtime/metrics.h"
#include "tests/support/broker_world.h"

#define OTHER 8u
#define ROOM 1100u /* of the queue */

static void start(uint32_t queue_max)
{
    world_setup();
    world.config.slots_max = 8192;
    world.config.client_credit = 8192;
    world.config.queue_max = queue_max;
    world.config.drain_ms = 100;
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_hello(SIDE_FRONTEND, OTHER, ROLE_DRIVER); /* it may ask while the broker drains */
    world_worker(WORKER, ROLE_DRIVER, 1, "query");
    world_turn();
    world_forget_all();
}

static void setup(void)
{
    start(ROOM);
}

static struct header ordered(uint64_t key, const char *tenant)
{
    struct header header = world_request();
    header.flags = FLAG_KEY_ORDER;
    header.has_key = true;
    header.key = key;
    header.deadline_ms = 5000;
    header.tenant = bytes_of(tenant);
    return header;
}

static uint64_t ask_in_order(uint64_t key)
{
    return world_ask_from(CLIENT, ordered(key, "a"), bytes_of("body"));
}

static struct header shared(void)
{
    struct header header = world_request();
    header.flags = FLAG_COALESCE;
    header.idempotency_key = (struct bytes){"sixteen of bytes", IDEMPOTENCY_KEY_BYTES};
    header.deadline_ms = 5000;
    header.tenant = bytes_of("a");
    return header;
}

static uint64_t ask_shared(void)
{
    return world_ask_from(CLIENT, shared(), bytes_of("body"));
}

static uint64_t ask_of(const char *tenant)
{
    struct header header = world_request();
    header.deadline_ms = 5000;
    header.tenant = bytes_of(tenant);
    return world_ask_from(CLIENT, header, bytes_of("body"));
}

static uint32_t queued(void)
{
    return broker_levels(world.broker).queued[ROLE_DRIVER];
}

static double used(const char *bound)
{
    struct metrics *metrics = metrics_new(2000);
    broker_measure(world.broker, metrics);
    double value = series_value(metrics_series(metrics, METRIC_BOUND_USED_RATIO, LABELS(bound)));
    metrics_destroy(&metrics);
    return value;
}

/* Answer what the worker has; 0: nothing. returns the id that its client knows it by */
static uint64_t work(void)
{
    struct heard *heard;
    world_turn();
    uint64_t id = world_next(WORKER);
    if (id == 0)
        return 0;
    world_reply(WORKER, id, STATUS_OK);
    world_turn();
    heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_ptr_nonnull(heard);
    ck_assert_int_eq(heard->pair.header.status, STATUS_OK);
    uint64_t answered = heard->pair.header.id;
    world_forget(heard);
    return answered;
}

START_TEST(lines_are_within_the_bounds_of_their_role)
{
    for (uint64_t i = 0; i <= ROOM; i++) /* one of them is with the worker */
        ask_in_order(i / ORDER_LINE_MAX);
    ck_assert_uint_eq(queued(), ROOM);
    ck_assert_double_eq(used("queue"), 1);
    ck_assert_uint_gt(broker_levels(world.broker).queued_bytes[ROLE_DRIVER], (uint64_t)ROOM * 4);
    ck_assert_uint_eq(world_counts()->refused, 0);
    uint64_t one_more = ask_in_order(77);
    world_turn();
    world_expect(CLIENT, one_more, STATUS_BUSY_FULL);
    world_forget(world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY));
    for (uint64_t i = 0; i <= ROOM; i++)
        ck_assert_uint_ne(work(), 0);
    ck_assert_uint_eq(queued(), 0);
    ck_assert_uint_eq(broker_levels(world.broker).queued_bytes[ROLE_DRIVER], 0);
}
END_TEST

START_TEST(one_push_out_takes_one_of_a_line)
{
    uint64_t last = 0;
    for (uint64_t i = 0; i <= ROOM; i++)
        last = ask_in_order(i / ORDER_LINE_MAX);
    world_turn();
    ask_of("b");
    world_turn();
    ck_assert_uint_eq(world_counts()->refused, 1);
    world_expect(CLIENT, last, STATUS_BUSY_SHED);
    ck_assert_uint_eq(queued(), ROOM);
    world_forget(world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY));
    for (uint64_t i = 0; i <= ROOM; i++)
        ck_assert_uint_ne(work(), 0);
    ck_assert_uint_eq(world_counts()->replied, ROOM + 1);
}
END_TEST

/* Its turn is no reason to go before others, of its tenant or of another. */
START_TEST(one_whose_turn_has_come_goes_behind_its_tenants)
{
    uint64_t first = ask_in_order(1), second = ask_in_order(1);
    world_turn();
    uint64_t own = ask_of("a"), others = ask_of("b");
    ck_assert_uint_eq(work(), first);
    ck_assert_uint_eq(work(), own);
    ck_assert_uint_eq(work(), others);
    ck_assert_uint_eq(work(), second);
    ck_assert_uint_eq(work(), 0);
}
END_TEST

/* Each takes as long as makes a queue a standing one; but it stands in none. What keeps their
 * tenant's line from being empty in between waits for another worker. */
START_TEST(time_in_a_line_is_no_delay_of_the_queue)
{
    struct header other = world_request();
    other.method = bytes_of("other");
    other.tenant = bytes_of("a");
    other.deadline_ms = 30000;
    world_worker(WORKER + 1, ROLE_DRIVER, 1, "other");
    world_ask_from(CLIENT, other, bytes_of("body"));
    other.id = ++world.next_id;
    world_ask_from(CLIENT, other, bytes_of("body"));
    for (unsigned i = 0; i < 40; i++)
        ask_in_order(1);
    for (unsigned i = 0; i < 40; i++) {
        world_run(60);
        world_beat();
        ck_assert_uint_ne(work(), 0);
    }
    ck_assert_uint_eq(world_counts()->replied, 40);
}
END_TEST

START_TEST(those_who_share_one_execution_are_bounded)
{
    for (unsigned i = 0; i <= FOLLOWERS_MAX; i++)
        ask_shared();
    ck_assert_uint_eq(queued(), FOLLOWERS_MAX);
    ck_assert_double_eq(used("followers"), 1);
    uint64_t one_more = ask_shared();
    world_turn();
    world_expect(CLIENT, one_more, STATUS_BUSY_FULL);
    world_forget_all();
    world_turn();
    ask_of("a");
    world_turn();
    ck_assert_uint_eq(queued(), FOLLOWERS_MAX + 1);
}
END_TEST

/* What runs may have been executed when one that shares it makes room. */
START_TEST(who_shares_what_runs_is_pushed_out_as_one_that_runs)
{
    uint64_t last = 0;
    for (unsigned i = 0; i <= FOLLOWERS_MAX; i++)
        ask_shared();
    while (queued() < ROOM)
        last = ask_of("a");
    for (unsigned i = 0; i <= ROOM - FOLLOWERS_MAX; i++)
        ask_of("b");
    world_turn();
    world_expect(CLIENT, last, STATUS_BUSY_SHED);
    world_expect(CLIENT, FOLLOWERS_MAX + 1, STATUS_DUPLICATE_RUNNING);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), ROOM - FOLLOWERS_MAX + 1);
    for (struct heard *heard; (heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY)) != NULL;
         world_forget(heard)) {
        bool runs = heard->pair.header.status == STATUS_DUPLICATE_RUNNING;
        ck_assert_int_eq(heard->pair.header.executed, runs ? EXECUTED_MAYBE : EXECUTED_NO);
    }
}
END_TEST

/* One of a tenant, with a key of its own if it may be shared. */
static struct header of_tool(const char *tenant, bool shares)
{
    struct header header = shared();
    header.role = ROLE_TOOL_EXECUTOR;
    header.deadline_ms = DEADLINE_MS_MAX;
    header.tenant = bytes_of(tenant);
    if (!shares)
        header.idempotency_key = (struct bytes){0};
    return header;
}

/* Of more tenants than have lines of their own one's requests lie in eight lines. The one that it
 * would share stands last in the longest of the role, and another of the eight is short: then it is
 * what has to make room, and the second is as if it were the first. */
START_TEST(what_makes_room_for_who_would_share_it_is_begun_anew)
{
    const uint32_t each = 25, room = TENANTS_APART_MAX + TENANTS_DEALT * each + 1;
    char tenant[16];
    uint64_t dealt[TENANTS_DEALT * each];
    world_teardown();
    start(room);
    world_worker(WORKER + 1, ROLE_TOOL_EXECUTOR, 1, "query");
    world_ask_from(CLIENT, of_tool("a", false), bytes_of("body"));
    for (uint32_t i = 0; i < TENANTS_APART_MAX; i++) {
        snprintf(tenant, sizeof tenant, "%u", i);
        world_ask_from(CLIENT, of_tool(tenant, false), bytes_of("body"));
    }
    for (uint32_t i = 0; i < TENANTS_DEALT * each; i++)
        dealt[i] = world_ask_from(CLIENT, of_tool("many", false), bytes_of("body"));
    uint64_t first = world_ask_from(CLIENT, of_tool("many", true), bytes_of("body"));
    for (uint32_t i = 1; i < TENANTS_DEALT * each; i += TENANTS_DEALT) {
        world_say(SIDE_FRONTEND, CLIENT,
                  &(struct header){.command = COMMAND_CANCEL, .id = dealt[i]}, (struct bytes){0});
        snprintf(tenant, sizeof tenant, "%u", i);
        world_ask_from(CLIENT, of_tool(tenant, false), bytes_of("body"));
    }
    const struct role_counts *counts = &broker_counts(world.broker)->roles[ROLE_TOOL_EXECUTOR];
    ck_assert_uint_eq(counts->refused, 0);
    ck_assert_uint_eq(broker_levels(world.broker).queued[ROLE_TOOL_EXECUTOR], room);
    world_ask_from(CLIENT, of_tool("many", true), bytes_of("body"));
    world_turn();
    world_expect(CLIENT, first, STATUS_BUSY_SHED);
    ck_assert_uint_eq(counts->refused, 1);
    ck_assert_uint_eq(counts->attached, 0);
    ck_assert_uint_eq(broker_levels(world.broker).queued[ROLE_TOOL_EXECUTOR], room);
}
END_TEST

/* What runs is answered; what waits for it has not begun, and is told so at once. */
START_TEST(who_is_in_line_is_not_begun_by_a_broker_that_drains)
{
    uint64_t first = ask_in_order(1), second = ask_in_order(1);
    world_turn();
    broker_drain(world.broker, world.now_at);
    world_turn();
    world_expect(CLIENT, second, STATUS_DRAINING);
    world_forget(world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY));
    ck_assert_uint_eq(work(), first);
    ck_assert_uint_eq(work(), 0);
    ck_assert_uint_eq(broker_levels(world.broker).slots, 0);
}
END_TEST

/* A driver's come in while it drains; of them what has not begun is not said to be lost. */
START_TEST(what_has_not_begun_when_it_gives_up_is_not_lost)
{
    uint64_t ids[3];
    broker_drain(world.broker, world.now_at);
    for (unsigned i = 0; i < 3; i++)
        ids[i] = world_ask_from(OTHER, i < 2 ? ordered(1, "a") : world_request(), bytes_of("b"));
    world_turn();
    ck_assert_uint_ne(world_next(WORKER), 0);
    world_pass(100 * MS);
    world_expect(OTHER, ids[0], STATUS_WORKER_LOST);
    world_expect(OTHER, ids[1], STATUS_DRAINING);
    world_expect(OTHER, ids[2], STATUS_DRAINING);
    ck_assert_uint_eq(broker_levels(world.broker).slots, 0);
    ck_assert_uint_eq(queued(), 0);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, lines_are_within_the_bounds_of_their_role);
    tcase_add_test(tcase, one_push_out_takes_one_of_a_line);
    tcase_add_test(tcase, one_whose_turn_has_come_goes_behind_its_tenants);
    tcase_add_test(tcase, time_in_a_line_is_no_delay_of_the_queue);
    tcase_add_test(tcase, those_who_share_one_execution_are_bounded);
    tcase_add_test(tcase, who_shares_what_runs_is_pushed_out_as_one_that_runs);
    tcase_add_test(tcase, what_makes_room_for_who_would_share_it_is_begun_anew);
    tcase_add_test(tcase, who_is_in_line_is_not_begun_by_a_broker_that_drains);
    tcase_add_test(tcase, what_has_not_begun_when_it_gives_up_is_not_lost);
}

int main(void)
{
    return suite_run("broker_held", add_tests);
}
