/* test_broker_queries - what is asked of the broker, through it of an instance, and told to it; and
 * the events that it numbers. */
#include <stdio.h>
#include <string.h>

#include "actors/runtime/metrics.h"
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

static uint64_t query(enum command command, const char *method, enum message_id id,
                      const void *value)
{
    struct header header = {.command = command,
                            .id = ++world.next_id,
                            .class = CLASS_CRITICAL,
                            .method = bytes_of(method)};
    if (value != NULL)
        world_say_message(SIDE_FRONTEND, CLIENT, &header, id, value);
    else
        world_say(SIDE_FRONTEND, CLIENT, &header, (struct bytes){0});
    world_turn();
    return header.id;
}

/* The answer to the last question: its body, decoded. */
static struct heard *expect(enum status status, enum message_id id, void *ret)
{
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_ptr_nonnull(heard);
    ck_assert_uint_eq(heard->pair.header.id, world.next_id);
    ck_assert_str_eq(statuses[heard->pair.header.status].name, statuses[status].name);
    if (ret != NULL)
        ck_assert_int_eq(message_decode(id, heard->pair.body, ret), STATUS_OK);
    return heard;
}

START_TEST(the_directory_says_what_is_served_by_whom)
{
    char bytes[512];
    struct writer writer;
    struct msg_directory directory;
    struct msg_directory_method method;
    struct msg_worker_statistics worker;
    struct bytes value;
    static const char *const versions[] = {"1.9.0", "1.10.0", "1.2.0"};
    for (uint64_t number = 2; number <= 4; number++) {
        struct msg_ready ready = {.concurrency = 1, .weight = 100};
        struct msg_method its = {
            .name = bytes_of("tool"), .version = bytes_of(versions[number - 2]), .schema = number};
        struct header header = {.command = COMMAND_READY, .role = ROLE_TOOL_EXECUTOR};
        writer_init(&writer, bytes, sizeof bytes);
        writer_array(&writer, 1);
        ck_assert_int_eq(message_write(MSG_METHOD, &its, &writer), STATUS_OK);
        ready.methods = writer_bytes(&writer);
        world_hello(SIDE_BACKEND, number, ROLE_TOOL_EXECUTOR);
        world_say_message(SIDE_BACKEND, number, &header, MSG_READY, &ready);
    }
    query(COMMAND_QUERY, "directory", MSG_NONE, NULL);
    struct heard *heard = expect(STATUS_OK, MSG_DIRECTORY, &directory);
    ck_assert_uint_eq(values_count(directory.methods), 2);
    ck_assert_uint_eq(values_count(directory.workers), 4);
    struct values values = values_over(directory.methods);
    ck_assert(values_next(&values, &value));
    ck_assert(values_next(&values, &value));
    ck_assert_int_eq(message_decode(MSG_DIRECTORY_METHOD, value, &method), STATUS_OK);
    ck_assert(bytes_are(method.version, "1.10.0"));
    ck_assert_uint_eq(method.schema, 3);
    ck_assert_uint_eq(method.workers, 3);
    ck_assert(bytes_are(method.instance, "peer-3"));
    values = values_over(directory.workers);
    ck_assert(values_next(&values, &value));
    ck_assert_int_eq(message_decode(MSG_WORKER_STATISTICS, value, &worker), STATUS_OK);
    ck_assert(bytes_are(worker.instance, "peer-1"));
    ck_assert(bytes_are(worker.state, "up"));
    world_forget(heard);
}
END_TEST

/* With every table full and every name long, it is an answer still. */
START_TEST(the_longest_directory_fits_its_answer)
{
    char names[METHODS_MAX][METHOD_BYTES_MAX + 1];
    const char *methods[METHODS_MAX];
    struct msg_directory directory;
    struct msg_ready ready = {.concurrency = 1, .weight = 100};
    for (uint64_t number = 2; number < 8; number++) {
        for (unsigned i = 0; i < 100; i++) {
            snprintf(names[i], sizeof names[i], "%063u", (unsigned)(number * METHODS_MAX) + i);
            methods[i] = names[i];
        }
        world_hello(SIDE_BACKEND, number, ROLE_TOOL_EXECUTOR);
        world_ready(number, ROLE_TOOL_EXECUTOR, &ready, methods, 100);
    }
    query(COMMAND_QUERY, "directory", MSG_NONE, NULL);
    struct heard *heard = expect(STATUS_OK, MSG_DIRECTORY, &directory);
    ck_assert_uint_eq(values_count(directory.methods), 601);
    world_forget(heard);
}
END_TEST

START_TEST(statistics_add_up)
{
    struct msg_statistics statistics;
    struct msg_role_statistics role;
    struct bytes value;
    for (unsigned i = 0; i < 6; i++)
        world_ask(CLASS_CRITICAL, 1000, 0);
    world_turn();
    struct heard *asked = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST);
    world_pass(7 * MS);
    world_reply(WORKER, asked->pair.header.id, STATUS_OK);
    world_forget(asked);
    world_turn();
    world_forget_all();
    broker_set_usage(world.broker, 11, 22);
    query(COMMAND_QUERY, "statistics", MSG_NONE, NULL);
    struct heard *heard = expect(STATUS_OK, MSG_STATISTICS, &statistics);
    ck_assert_uint_eq(statistics.sessions, 2);
    ck_assert_uint_eq(statistics.slots, 5);
    ck_assert_uint_eq(statistics.cpu, 11);
    ck_assert_uint_eq(statistics.rss, 22);
    struct values values = values_over(statistics.roles);
    for (unsigned i = 0; i <= ROLE_DRIVER; i++)
        ck_assert(values_next(&values, &value));
    ck_assert_int_eq(message_decode(MSG_ROLE_STATISTICS, value, &role), STATUS_OK);
    ck_assert_uint_eq(role.role, ROLE_DRIVER);
    ck_assert_uint_eq(role.accepted, 6);
    ck_assert_uint_eq(role.replied, 1);
    ck_assert_uint_eq(role.in_flight, 5);
    ck_assert_uint_eq(role.queued, 1);
    ck_assert_uint_eq(role.head_age_us, 7 * MS);
    ck_assert_uint_eq(role.service_us, 7 * MS);
    ck_assert_uint_eq(role.workers_up, 1);
    ck_assert_uint_eq(values_count(role.by_status), STATUS_COUNT);
    ck_assert_uint_eq(values_count(role.by_class), CLASS_COUNT);
    world_forget(heard);
}
END_TEST

START_TEST(status_tells_where_a_request_stands)
{
    struct msg_request_status status;
    struct msg_query_status ask = {.id = world_ask(CLASS_CRITICAL, 1000, 0)};
    world_turn();
    query(COMMAND_QUERY, "status", MSG_QUERY_STATUS, &ask);
    struct heard *heard = expect(STATUS_OK, MSG_REQUEST_STATUS, &status);
    ck_assert(bytes_are(status.state, "running"));
    ck_assert(bytes_are(status.instance, "peer-1"));
    ck_assert_uint_eq(status.remains_ms, 1000);
    world_forget(heard);
    struct heard *asked = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST);
    struct header started = {.command = COMMAND_STARTED, .id = asked->pair.header.id};
    world_say(SIDE_BACKEND, WORKER, &started, (struct bytes){0});
    query(COMMAND_QUERY, "status", MSG_QUERY_STATUS, &ask);
    heard = expect(STATUS_OK, MSG_REQUEST_STATUS, &status);
    ck_assert(bytes_are(status.state, "started"));
    world_forget(heard);
    world_forget(asked);
    ask.id = 999;
    query(COMMAND_QUERY, "status", MSG_QUERY_STATUS, &ask);
    heard = expect(STATUS_OK, MSG_REQUEST_STATUS, &status);
    ck_assert(bytes_are(status.state, "unknown"));
    world_forget(heard);
}
END_TEST

/* Its deadline has passed, and no tick has told it. */
START_TEST(nothing_remains_of_what_is_too_late)
{
    struct msg_request_status status;
    struct msg_query_status ask = {.id = world_ask(CLASS_CRITICAL, 10, 0)};
    world.now_at += 20 * MS;
    struct header header = {.command = COMMAND_QUERY, .id = 7, .method = bytes_of("status")};
    world_say_message(SIDE_FRONTEND, CLIENT, &header, MSG_QUERY_STATUS, &ask);
    world_turn();
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_uint_eq(heard->pair.header.id, 7);
    ck_assert_int_eq(message_decode(MSG_REQUEST_STATUS, heard->pair.body, &status), STATUS_OK);
    ck_assert_uint_eq(status.remains_ms, 0);
    world_forget(heard);
}
END_TEST

/* Numbers rise by one over all topics; what is asked for again is what was told. */
START_TEST(events_are_numbered_and_kept)
{
    uint64_t tags[] = {5, 6};
    char bytes[64];
    struct writer writer;
    struct msg_events events;
    struct msg_past_event past;
    struct bytes value;
    uint64_t number = 1; /* the worker's coming was the first */
    writer_init(&writer, bytes, sizeof bytes);
    writer_array(&writer, 2);
    writer_u64(&writer, tags[0]);
    writer_u64(&writer, tags[1]);
    struct msg_invalidate invalidate = {.origin = {"0123456789abcdef", 16},
                                        .tags = writer_bytes(&writer)};
    for (unsigned i = 0; i < 5; i++) {
        struct header header = {.command = COMMAND_INVALIDATE, .id = 40 + i};
        world_say_message(SIDE_BACKEND, WORKER, &header, MSG_INVALIDATE, &invalidate);
        struct heard *heard = world_event("invalidate");
        struct msg_event_invalidate event;
        ck_assert_ptr_nonnull(heard);
        ck_assert_uint_eq(heard->pair.header.id, ++number);
        ck_assert_int_eq(message_decode(MSG_EVENT_INVALIDATE, heard->pair.body, &event), STATUS_OK);
        ck_assert_uint_eq(event.number, 40 + i);
        ck_assert_uint_eq(values_count(event.tags), 2);
        world_forget(heard);
        world_pass(900 * MS);
        world_beat();
        while ((heard = world_event("members")) != NULL) {
            ck_assert_uint_eq(heard->pair.header.id, ++number);
            world_forget(heard);
        }
    }
    ck_assert_uint_eq(world_count(SIDE_BACKEND, WORKER, COMMAND_REPLY), 5);
    ck_assert_uint_ge(number, 8); /* beats among them */
    struct msg_query_events ask = {.from = 2};
    query(COMMAND_QUERY, "events", MSG_QUERY_EVENTS, &ask);
    struct heard *heard = expect(STATUS_OK, MSG_EVENTS, &events);
    ck_assert_uint_eq(events.first, 1);
    ck_assert_uint_eq(events.newest, number);
    ck_assert_uint_eq(values_count(events.events), number - 1);
    struct values values = values_over(events.events);
    ck_assert(values_next(&values, &value));
    ck_assert_int_eq(message_decode(MSG_PAST_EVENT, value, &past), STATUS_OK);
    ck_assert(bytes_are(past.topic, "invalidate"));
    world_forget(heard);
}
END_TEST

/* Bad ones are refused, and told to nobody. */
START_TEST(an_invalidation_that_makes_no_sense_is_refused)
{
    static const struct {
        size_t origin_bytes;
        const char *tags;
        size_t tags_bytes;
    } bad[] = {{15, "\x91\x01", 2}, {16, "\x91\xa1x", 3}, {16, "\x80", 1}, {16, "\x01", 1}};
    struct msg_invalidate invalidate = {.origin = {"0123456789abcdef", bad[_i].origin_bytes},
                                        .tags = {bad[_i].tags, bad[_i].tags_bytes}};
    struct header header = {.command = COMMAND_INVALIDATE, .id = ++world.next_id};
    world_say_message(SIDE_FRONTEND, CLIENT, &header, MSG_INVALIDATE, &invalidate);
    world_turn();
    world_forget(expect(STATUS_BAD_REQUEST, MSG_NONE, NULL));
    ck_assert_ptr_null(world_event("invalidate"));
}
END_TEST

START_TEST(more_tags_than_a_batch_may_have_are_refused)
{
    char bytes[1024];
    struct writer writer;
    struct header header = {.command = COMMAND_INVALIDATE, .id = ++world.next_id};
    writer_init(&writer, bytes, sizeof bytes);
    writer_array(&writer, TAGS_BATCH_MAX + (unsigned)_i);
    for (unsigned i = 0; i < TAGS_BATCH_MAX + (unsigned)_i; i++)
        writer_u64(&writer, UINT64_MAX);
    struct msg_invalidate invalidate = {.origin = {"0123456789abcdef", 16},
                                        .tags = writer_bytes(&writer)};
    world_say_message(SIDE_FRONTEND, CLIENT, &header, MSG_INVALIDATE, &invalidate);
    world_turn();
    world_forget(expect(_i == 0 ? STATUS_OK : STATUS_BAD_REQUEST, MSG_NONE, NULL));
}
END_TEST

static const struct msg_query_instance metrics_of_one = {
    .instance = {"peer-1", 6}, .method = {"metrics", 7}, .body = {"\x80", 1}};

START_TEST(a_question_is_passed_on_to_an_instance)
{
    uint64_t id = query(COMMAND_QUERY, "instance", MSG_QUERY_INSTANCE, &metrics_of_one);
    struct heard *asked = world_hear(SIDE_BACKEND, WORKER, COMMAND_QUERY);
    ck_assert_ptr_nonnull(asked);
    ck_assert(bytes_are(asked->pair.header.method, "metrics"));
    ck_assert_uint_eq(asked->pair.body.size, 1);
    ck_assert_uint_ne(asked->pair.header.id, id);
    struct header header = {.command = COMMAND_REPLY, .id = asked->pair.header.id, .credit = 4};
    world_worker(2, ROLE_DRIVER, 1, "query");
    world_say(SIDE_BACKEND, 2, &header, bytes_of("wrong")); /* not from whom it was asked */
    world_say(SIDE_BACKEND, WORKER, &header, bytes_of("right"));
    world_say(SIDE_BACKEND, WORKER, &header, bytes_of("again"));
    world_turn();
    struct heard *heard = expect(STATUS_OK, MSG_NONE, NULL);
    ck_assert(bytes_are(heard->pair.body, "right"));
    ck_assert(bytes_are(heard->pair.header.instance, "peer-1"));
    world_forget(heard);
    world_forget(asked);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), 0);
    ck_assert_uint_eq(broker_counts(world.broker)->roles[ROLE_NONE].stale, 2);
}
END_TEST

/* No such name, too late, lost with its worker, or no way to it: an answer in any case. */
START_TEST(a_question_that_is_passed_on_ends)
{
    static const enum status expected[] = {STATUS_NO_WORKER, STATUS_DEADLINE_RUNNING,
                                           STATUS_WORKER_LOST, STATUS_BUSY_FULL};
    struct msg_query_instance ask = metrics_of_one;
    if (_i == 0)
        ask.instance = bytes_of("nobody");
    world.full[SIDE_BACKEND][WORKER] = _i == 3;
    query(COMMAND_QUERY, "instance", MSG_QUERY_INSTANCE, &ask);
    for (unsigned i = 0; i < 51 && _i == 1; i++) {
        world_run(100);
        world_beat();
    }
    struct header goodbye = {.command = COMMAND_DISCONNECT};
    if (_i == 2)
        world_say(SIDE_BACKEND, WORKER, &goodbye, (struct bytes){0});
    world_turn();
    world_forget(expect(expected[_i], MSG_NONE, NULL));
}
END_TEST

START_TEST(the_broker_answers_for_itself)
{
    struct msg_query_instance ask = {.instance = bytes_of("b1"), .method = bytes_of("one")};
    query(COMMAND_QUERY, "instance", MSG_QUERY_INSTANCE, &ask);
    struct heard *heard = expect(STATUS_OK, MSG_NONE, NULL);
    ck_assert_uint_eq(heard->pair.body.size, 1);
    world_forget(heard);
    ask.method = bytes_of("two");
    query(COMMAND_QUERY, "instance", MSG_QUERY_INSTANCE, &ask);
    world_forget(expect(STATUS_NO_ROLE, MSG_NONE, NULL));
}
END_TEST

static double measured(struct metrics *metrics, enum metric metric, const char *const *labels)
{
    return series_value(metrics_series(metrics, metric, labels));
}

START_TEST(what_is_counted_is_measured)
{
    struct metrics *metrics = metrics_new(METRIC_SERIES_MAX);
    for (unsigned i = 0; i < 6; i++)
        world_ask(CLASS_CRITICAL, 1000, 0);
    world_bring(SIDE_FRONTEND, CLIENT, bytes_of("\xc1"));
    world_turn();
    broker_measure(world.broker, metrics);
    ck_assert_double_eq(measured(metrics, METRIC_ARRIVALS_TOTAL, LABELS("driver")), 6);
    ck_assert_double_eq(measured(metrics, METRIC_QUEUE_LENGTH, LABELS("driver", "critical")), 2);
    ck_assert_double_eq(measured(metrics, METRIC_WORKER_SLOTS_BUSY, LABELS("driver")), 4);
    ck_assert_double_eq(measured(metrics, METRIC_PEER_FAULTS_TOTAL, LABELS("malformed")), 1);
    double used = measured(metrics, METRIC_BOUND_USED_RATIO, LABELS("slots"));
    ck_assert_double_eq(used, 6.0 / SLOTS_MAX);
    metrics_destroy(&metrics);
}
END_TEST

START_TEST(questions_that_are_passed_on_are_bounded)
{
    for (unsigned i = 0; i < RELAYS_MAX; i++)
        query(COMMAND_QUERY, "instance", MSG_QUERY_INSTANCE, &metrics_of_one);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), 0);
    query(COMMAND_QUERY, "instance", MSG_QUERY_INSTANCE, &metrics_of_one);
    world_forget(expect(STATUS_BUSY_FULL, MSG_NONE, NULL));
    struct header goodbye = {.command = COMMAND_DISCONNECT};
    world_say(SIDE_FRONTEND, CLIENT, &goodbye, (struct bytes){0}); /* with its asker they end */
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    query(COMMAND_QUERY, "instance", MSG_QUERY_INSTANCE, &metrics_of_one);
    ck_assert_uint_eq(world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY), 0);
}
END_TEST

/* They are dear: so many in a turn, and the rest is to come again. */
static const struct {
    enum command command;
    const char *method;
} dear[] = {
    {COMMAND_QUERY, "directory"}, {COMMAND_QUERY, "statistics"}, {COMMAND_QUERY, "events"},
    {COMMAND_QUERY, "instance"},  {COMMAND_ADMIN, "limits"},     {COMMAND_ADMIN, "breakers"},
    {COMMAND_ADMIN, "dead"},      {COMMAND_ADMIN, "reload"},
};

START_TEST(questions_are_bounded_in_a_turn)
{
    unsigned busy = 0;
    char bytes[64];
    struct bytes body = {0};
    struct header header = {.command = dear[_i].command, .method = bytes_of(dear[_i].method)};
    const struct msg_query_instance own = {.instance = bytes_of("b1"), .method = bytes_of("one")};
    if (bytes_are(header.method, "instance"))
        ck_assert_int_eq(message_encode(MSG_QUERY_INSTANCE, &own, bytes, sizeof bytes, &body),
                         STATUS_OK);
    for (header.id = 1; header.id <= 3 * QUERIES_PER_TURN_MAX; header.id++)
        world_say(SIDE_FRONTEND, CLIENT, &header, body);
    world_turn();
    for (struct heard *heard; (heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY)) != NULL;) {
        busy += heard->pair.header.status == STATUS_BUSY_FULL;
        world_forget(heard);
    }
    ck_assert_uint_eq(busy, header.id - 1 - QUERIES_PER_TURN_MAX);
    query(COMMAND_QUERY, "directory", MSG_NONE, NULL);
    struct heard *heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_int_eq(heard->pair.header.status, STATUS_OK);
    world_forget(heard);
}
END_TEST

START_TEST(an_operator_drains_a_worker)
{
    struct msg_admin_drain drain = {.instance = bytes_of("peer-1"), .deadline_ms = 1234};
    query(COMMAND_ADMIN, "drain", MSG_ADMIN_DRAIN, &drain);
    world_forget(expect(STATUS_OK, MSG_NONE, NULL));
    struct heard *heard = world_hear(SIDE_BACKEND, WORKER, COMMAND_DRAIN);
    ck_assert_ptr_nonnull(heard);
    ck_assert_uint_eq(heard->pair.header.deadline_ms, 1234);
    world_forget(heard);
    ck_assert_uint_eq(broker_levels(world.broker).workers, 0);
    drain.instance = bytes_of("nobody");
    query(COMMAND_ADMIN, "drain", MSG_ADMIN_DRAIN, &drain);
    world_forget(expect(STATUS_NO_WORKER, MSG_NONE, NULL));
}
END_TEST

START_TEST(an_unknown_question_is_refused)
{
    static const char *const methods[] = {"nonsense", NULL, "status", "events", "instance"};
    query(COMMAND_QUERY, methods[_i], MSG_NONE, NULL); /* without their bodies */
    world_forget(expect(STATUS_BAD_REQUEST, MSG_NONE, NULL));
    query(COMMAND_ADMIN, "nonsense", MSG_NONE, NULL);
    world_forget(expect(STATUS_BAD_REQUEST, MSG_NONE, NULL));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_directory_says_what_is_served_by_whom);
    tcase_add_test(tcase, the_longest_directory_fits_its_answer);
    tcase_add_test(tcase, statistics_add_up);
    tcase_add_test(tcase, status_tells_where_a_request_stands);
    tcase_add_test(tcase, nothing_remains_of_what_is_too_late);
    tcase_add_test(tcase, events_are_numbered_and_kept);
    tcase_add_loop_test(tcase, an_invalidation_that_makes_no_sense_is_refused, 0, 4);
    tcase_add_loop_test(tcase, more_tags_than_a_batch_may_have_are_refused, 0, 2);
    tcase_add_test(tcase, a_question_is_passed_on_to_an_instance);
    tcase_add_loop_test(tcase, a_question_that_is_passed_on_ends, 0, 4);
    tcase_add_test(tcase, the_broker_answers_for_itself);
    tcase_add_test(tcase, what_is_counted_is_measured);
    tcase_add_test(tcase, questions_that_are_passed_on_are_bounded);
    tcase_add_loop_test(tcase, questions_are_bounded_in_a_turn, 0, 8);
    tcase_add_test(tcase, an_operator_drains_a_worker);
    tcase_add_loop_test(tcase, an_unknown_question_is_refused, 0, 5);
}

int main(void)
{
    return suite_run("broker_queries", add_tests);
}
