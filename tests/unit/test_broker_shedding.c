/* test_broker_shedding - who has to go when there is not enough for all, through the whole broker
 * in virtual time: by memory, by how long it has waited, by whose it is; and that this is told. */
#include <string.h>

#include "actors/runtime/metrics.h"
#include "tests/support/broker_world.h"

#define BODY 10000u
#define MEMORY 1048576u
#define LONG_MS 30000u

static char body[BODY];

static void start(uint32_t concurrency)
{
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, concurrency, "query");
    world_turn();
    world_forget_all();
}

static void setup(void)
{
    world_setup();
    world.config.queue_max = 200;
    world.config.kept_bytes_max = MEMORY;
}

static uint64_t ask_as(const char *tenant, enum request_class class, size_t size)
{
    struct header header = world_request();
    header.class = class;
    header.deadline_ms = LONG_MS;
    header.tenant = bytes_of(tenant);
    return world_ask_from(CLIENT, header, (struct bytes){body, size});
}

/* One of this class is refused for want of memory, and the reply tells what would not be. */
static void check_refused(enum request_class class, enum request_class level)
{
    uint64_t id = ask_as("acme", class, 1);
    world_turn();
    world_expect(CLIENT, id, STATUS_BUSY_SHED);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_ptr_nonnull(heard);
    ck_assert_int_eq(heard->pair.header.executed, EXECUTED_NO);
    ck_assert_uint_gt(heard->pair.header.retry_after_ms, 0);
    ck_assert_int_eq(heard->pair.header.admit_level, level);
    world_forget(heard);
}

static void fill_memory(unsigned percent)
{
    while (broker_levels(world.broker).bytes * 100 < (uint64_t)MEMORY * percent)
        (void)ask_as("acme", CLASS_CRITICAL, BODY);
    world_turn();
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), 0);
}

START_TEST(memory_is_kept_for_what_matters_more)
{
    start(1);
    fill_memory(79);
    uint64_t last = ask_as("acme", CLASS_SHEDDABLE, 1);
    fill_memory(80);
    check_refused(CLASS_SHEDDABLE, CLASS_SHEDDABLE_PLUS);
    (void)ask_as("acme", CLASS_SHEDDABLE_PLUS, 1);
    fill_memory(90);
    check_refused(CLASS_SHEDDABLE_PLUS, CLASS_CRITICAL);
    fill_memory(95);
    check_refused(CLASS_CRITICAL, CLASS_CRITICAL_PLUS);
    ck_assert_uint_eq(world_counts()->sheds[CLASS_CRITICAL][SHED_MEMORY], 1);
    ck_assert_uint_eq(world_counts()->sheds[CLASS_SHEDDABLE][SHED_MEMORY], 1);
    for (unsigned i = 0; i < 6; i++) /* a tenth of what was admitted: and others make room for it */
        (void)ask_as("acme", CLASS_CRITICAL_PLUS, BODY);
    world_turn();
    ck_assert_uint_eq(world_counts()->sheds[CLASS_CRITICAL_PLUS][SHED_MEMORY], 0);
    ck_assert_uint_ge(world_counts()->sheds[CLASS_SHEDDABLE][SHED_FOR_CLASS], 1);
    ck_assert_uint_ge(world_counts()->sheds[CLASS_CRITICAL][SHED_FOR_CLASS], 1);
    world_expect(CLIENT, last, STATUS_BUSY_SHED);
    ck_assert_uint_le(broker_levels(world.broker).bytes, MEMORY);
}
END_TEST

/* The oldest request that the worker has is answered. */
static void answer_one(void)
{
    struct heard *heard = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST);
    if (heard != NULL)
        world_reply(WORKER, heard->pair.header.id, STATUS_OK);
    world_forget(heard);
}

/* One served every 100 ms, and two that come: what has stood too long goes, but of the highest
 * class. */
START_TEST(a_standing_queue_is_shed_from_its_head)
{
    start(1);
    for (unsigned i = 0; i < 100; i++) {
        (void)ask_as("acme", CLASS_CRITICAL, 1);
        if (i % 10 == 0)
            (void)ask_as("acme", CLASS_CRITICAL_PLUS, 1);
        (void)ask_as("acme", CLASS_CRITICAL, 1);
        world_run(100);
        world_beat();
        answer_one();
    }
    ck_assert_uint_ge(world_counts()->sheds[CLASS_CRITICAL][SHED_DELAY], 50);
    ck_assert_uint_eq(world_counts()->sheds[CLASS_CRITICAL_PLUS][SHED_DELAY], 0);
    ck_assert_uint_le(broker_levels(world.broker).queued[ROLE_DRIVER], 60);
}
END_TEST

/* A flood fills the queue; who comes then has his place in it, and his turns by weight. */
START_TEST(a_full_queue_has_room_for_other_tenants)
{
    char reason[SETTINGS_REASON_BYTES];
    ck_assert(tenant_weights_read(&world.config.policy.weights, "gold=3", reason));
    start(1);
    for (unsigned i = 0; i < 201; i++)
        (void)ask_as("flood", CLASS_CRITICAL, 1);
    uint64_t refused = ask_as("flood", CLASS_CRITICAL, 1);
    for (unsigned i = 0; i < 6; i++)
        (void)ask_as("gold", CLASS_CRITICAL, 1);
    for (unsigned i = 0; i < 2; i++)
        (void)ask_as("plain", CLASS_CRITICAL, 1);
    world_turn();
    world_expect(CLIENT, refused, STATUS_BUSY_FULL);
    ck_assert_uint_eq(world_counts()->sheds[CLASS_CRITICAL][SHED_FULL], 1);
    ck_assert_uint_eq(world_counts()->sheds[CLASS_CRITICAL][SHED_FOR_TENANT], 8);
    for (unsigned i = 0; i < 11; i++) { /* the first has had a worker at once */
        static const char *const turns[] = {"flood", "flood", "gold", "gold", "gold", "plain",
                                            "flood", "gold",  "gold", "gold", "plain"};
        struct heard *heard = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST);
        ck_assert_ptr_nonnull(heard);
        ck_assert(bytes_are(heard->pair.header.tenant, turns[i]));
        world_pass(MS);
        world_reply(WORKER, heard->pair.header.id, STATUS_OK);
        world_turn();
        world_forget(heard);
    }
}
END_TEST

static double measured(struct metrics *metrics, enum metric metric, const char *const *labels)
{
    return series_value(metrics_series(metrics, metric, labels));
}

/* In the metrics, and in the answer to statistics. */
START_TEST(what_is_shed_is_told)
{
    struct metrics *metrics = metrics_new(METRIC_SERIES_MAX);
    struct header header = {.command = COMMAND_QUERY,
                            .id = 9000,
                            .class = CLASS_CRITICAL,
                            .method = bytes_of("statistics")};
    struct msg_statistics statistics;
    struct msg_role_statistics row = {0};
    struct bytes value, element;
    uint64_t number = 0;
    start(1);
    for (unsigned i = 0; i < 201; i++)
        (void)ask_as(i % 2 == 0 ? "even" : "odd", CLASS_SHEDDABLE, 1);
    (void)ask_as("even", CLASS_CRITICAL, 1);
    world_turn();
    broker_measure(world.broker, metrics);
    ck_assert_double_eq(
        measured(metrics, METRIC_SHEDS_TOTAL, LABELS("driver", "sheddable", "class")), 1);
    ck_assert_double_eq(measured(metrics, METRIC_QUEUE_TENANTS, LABELS("driver", "sheddable")), 2);
    ck_assert_double_eq(measured(metrics, METRIC_ADMIT_LEVEL, LABELS("driver")),
                        CLASS_SHEDDABLE_PLUS);
    ck_assert_double_eq(measured(metrics, METRIC_BOUND_USED_RATIO, LABELS("tenant_queues")),
                        3.0 / SLOTS_MAX);
    metrics_destroy(&metrics);
    world_forget_all();
    world_say(SIDE_FRONTEND, CLIENT, &header, (struct bytes){0});
    world_turn();
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_int_eq(message_decode(MSG_STATISTICS, heard->pair.body, &statistics), STATUS_OK);
    struct values roles = values_over(statistics.roles);
    while (values_next(&roles, &element) && row.role != ROLE_DRIVER)
        ck_assert_int_eq(message_decode(MSG_ROLE_STATISTICS, element, &row), STATUS_OK);
    struct values sheds = values_over(row.sheds), tenants = values_over(row.tenants);
    for (int reason = 0; reason <= SHED_FOR_CLASS; reason++)
        ck_assert(values_next(&sheds, &value));
    ck_assert(value_u64(value, &number));
    ck_assert_uint_eq(number, 1);
    for (int class = 0; class < CLASS_COUNT; class ++)
        ck_assert(values_next(&tenants, &value));
    ck_assert(value_u64(value, &number));
    ck_assert_uint_eq(number, 2);
    world_forget(heard);
}
END_TEST

/* One is with the worker, which does not read then: all others wait, until there is too little time
 * for them. */
static void let_all_be_late(unsigned count, const struct header *like)
{
    world.config.queue_max = 2000;
    start(1024);
    ask_as("acme", CLASS_CRITICAL, 1);
    world_turn();
    world.full[SIDE_BACKEND][WORKER] = true;
    for (unsigned i = 0; i < count; i++) {
        struct header header = *like;
        header.id = ++world.next_id;
        world_ask_from(CLIENT, header, bytes_of("body"));
    }
    world_turn();
    ck_assert_uint_eq(broker_levels(world.broker).queued[ROLE_DRIVER], count);
    world_pass(320 * MS);
    world.full[SIDE_BACKEND][WORKER] = false;
    world_beat();
    world_forget_all();
}

/* Answers that are ready are no reason to go on refusing in the same turn. */
START_TEST(one_turn_refuses_so_many_and_the_next_goes_on)
{
    struct header header = world_request();
    header.deadline_ms = 400;
    let_all_be_late(600, &header);
    static const unsigned refused[] = {256, 512, 600};
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_int_le(broker_due_at(world.broker), i == 0 ? INT64_MAX : world.now_at);
        world_turn();
        ck_assert_uint_eq(world_counts()->by_status[STATUS_INFEASIBLE], refused[i]);
    }
    ck_assert_int_gt(broker_due_at(world.broker), world.now_at);
}
END_TEST

/* One execution, and one that has time is among those who wait for it. */
START_TEST(who_shares_and_is_too_late_goes_with_the_others)
{
    struct header header = world_request();
    header.flags = FLAG_COALESCE;
    header.idempotency_key = (struct bytes){"sixteen of bytes", IDEMPOTENCY_KEY_BYTES};
    header.deadline_ms = 400;
    let_all_be_late(600, &header);
    header.deadline_ms = LONG_MS;
    header.id = ++world.next_id;
    world_ask_from(CLIENT, header, bytes_of("body"));
    world_turn();
    ck_assert_uint_eq(world_counts()->by_status[STATUS_INFEASIBLE], 600);
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REQUEST), 0);
    world_turn();
    uint64_t id = world_next(WORKER);
    world_reply(WORKER, id, STATUS_OK);
    world_turn();
    world_expect(CLIENT, header.id, STATUS_OK);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_add_test(tcase, memory_is_kept_for_what_matters_more);
    tcase_add_test(tcase, a_standing_queue_is_shed_from_its_head);
    tcase_add_test(tcase, a_full_queue_has_room_for_other_tenants);
    tcase_add_test(tcase, one_turn_refuses_so_many_and_the_next_goes_on);
    tcase_add_test(tcase, who_shares_and_is_too_late_goes_with_the_others);
    tcase_add_test(tcase, what_is_shed_is_told);
}

int main(void)
{
    return suite_run("broker_shedding", add_tests);
}
