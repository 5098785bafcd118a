/* test_workers - credit that never falls and is believed within a bound; who is picked; which
 * method is whose. Time is stated. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "broker/list.h"
#include "broker/workers.h"
#include "tests/support/suite.h"

#define NOW (INT64_C(1000) * US_PER_S)
#define ROLE ROLE_TOOL_EXECUTOR

static struct workers *workers;

static void setup(void)
{
    workers = workers_new(1);
}

static void teardown(void)
{
    workers_destroy(&workers);
    ck_assert_ptr_null(workers);
}

static struct worker *add(uint32_t peer, uint32_t credit, const char *method)
{
    char bytes[256];
    struct writer writer;
    struct worker *worker = workers_add(workers, peer, ROLE, credit);
    ck_assert_ptr_nonnull(worker);
    worker->weight = 100;
    writer_init(&writer, bytes, sizeof bytes);
    writer_array(&writer, 1);
    struct msg_method its = {.name = bytes_of(method)};
    ck_assert_int_eq(message_write(MSG_METHOD, &its, &writer), STATUS_OK);
    ck_assert_int_eq(workers_serve(workers, worker, writer_bytes(&writer)), STATUS_OK);
    return worker;
}

static uint32_t lane_of(const char *method)
{
    return methods_find(workers_methods(workers), ROLE, bytes_of(method));
}

static const struct wish any = {.seen_by = NONE, .avoid = NONE};

static struct worker *pick(const char *method)
{
    return workers_pick(workers, lane_of(method), &any, NOW);
}

static struct worker *pick_for(const struct wish *wish)
{
    return workers_pick(workers, lane_of("a"), wish, NOW);
}

/* Dispatch, answer after service_us. */
static void serve(struct worker *worker, int64_t service_us)
{
    workers_spend(workers, worker);
    (void)workers_release(workers, worker);
    worker_learn(worker, service_us, NOW);
    (void)workers_grant(workers, worker, worker->granted + 1);
}

START_TEST(credit_is_spent_and_granted_anew)
{
    struct worker *worker = add(1, 2, "a");
    workers_spend(workers, pick("a"));
    workers_spend(workers, pick("a"));
    ck_assert_ptr_null(pick("a"));
    (void)workers_release(workers, worker);
    ck_assert(workers_grant(workers, worker, 3));
    ck_assert_ptr_eq(pick("a"), worker);
    ck_assert_uint_eq(worker->running, 1);
}
END_TEST

START_TEST(credit_never_falls_nor_passes_its_bound)
{
    struct worker *worker = add(1, 10, "a");
    ck_assert(!workers_grant(workers, worker, 9));
    ck_assert_uint_eq(worker_credit(worker), 10);
    ck_assert(!workers_grant(workers, worker, WORKER_CREDIT_MAX + 1));
    ck_assert_uint_eq(worker_credit(worker), 10);
    (void)workers_grant(workers, worker, WORKER_CREDIT_MAX);
    ck_assert_uint_eq(worker_credit(worker), WORKER_CREDIT_MAX);
}
END_TEST

/* Modulo 2^32: counts that wrap go on. */
START_TEST(credit_wraps)
{
    struct worker *worker = add(1, 10, "a");
    worker->granted = UINT32_MAX;
    worker->dispatched = UINT32_MAX - 1;
    workers_spend(workers, worker);
    ck_assert_ptr_null(pick("a"));
    ck_assert(workers_grant(workers, worker, 1));
    ck_assert_uint_eq(worker_credit(worker), 2);
}
END_TEST

START_TEST(what_had_not_left_costs_no_credit)
{
    struct worker *worker = add(1, 1, "a");
    workers_spend(workers, worker);
    workers_unspend(workers, worker);
    ck_assert_ptr_eq(pick("a"), worker);
    ck_assert_uint_eq(worker->running, 0);
}
END_TEST

START_TEST(a_choked_worker_waits_until_it_is_heard)
{
    struct worker *worker = add(1, 4, "a");
    workers_choke(workers, worker);
    ck_assert_ptr_null(pick("a"));
    ck_assert(workers_heard(workers, worker));
    ck_assert_ptr_eq(pick("a"), worker);
}
END_TEST

static const struct {
    enum worker_state state;
    uint32_t up;
    bool picked;
} states[] = {{WORKER_UP, 1, true}, {WORKER_SUSPECT, 1, false}, {WORKER_DRAINING, 0, false}};

START_TEST(only_one_that_is_up_gets_something_new)
{
    struct worker *worker = add(1, 4, "a");
    workers_set_state(workers, worker, states[_i].state);
    ck_assert_uint_eq(workers_up(workers, ROLE), states[_i].up);
    ck_assert_uint_eq(workers_capacity(workers, ROLE), states[_i].up > 0 ? 4 : 0);
    ck_assert_int_eq(pick("a") == worker, states[_i].picked);
    workers_set_state(workers, worker, WORKER_UP);
    ck_assert_ptr_eq(pick("a"), worker);
    ck_assert_uint_eq(workers_capacity(workers, ROLE), 4);
}
END_TEST

START_TEST(a_method_goes_to_who_lists_it_or_serves_all)
{
    struct worker *lists = add(1, 1, "a"), *all = add(2, 1, "*");
    ck_assert_uint_eq(lane_of("b"), ROLE); /* no lane of its own */
    ck_assert_ptr_eq(pick("b"), all);
    workers_spend(workers, all);
    ck_assert_ptr_null(pick("b"));
    ck_assert_ptr_eq(pick("a"), lists);
    workers_spend(workers, lists);
    (void)workers_release(workers, all);
    (void)workers_grant(workers, all, 2);
    ck_assert_ptr_eq(pick("a"), all);
}
END_TEST

START_TEST(a_method_is_remembered_without_its_worker)
{
    struct worker *worker = add(1, 1, "a");
    ck_assert_uint_eq(lane_of("b"), NONE);
    workers_remove(workers, worker);
    ck_assert_uint_ne(lane_of("a"), NONE);
    ck_assert_ptr_null(pick("a"));
    worker = add(2, 1, "b");
    struct msg_method again = {.name = bytes_of("a")};
    char bytes[64];
    struct writer writer;
    writer_init(&writer, bytes, sizeof bytes);
    writer_array(&writer, 1);
    ck_assert_int_eq(message_write(MSG_METHOD, &again, &writer), STATUS_OK);
    ck_assert_int_eq(workers_serve(workers, worker, writer_bytes(&writer)), STATUS_OK);
    ck_assert_ptr_eq(pick("a"), worker);
    ck_assert_ptr_null(pick("b"));
}
END_TEST

/* The oldest lanes without a worker make room; those with one, or with requests, do not. */
START_TEST(methods_beyond_the_bound_take_the_place_of_those_nobody_serves)
{
    struct methods *methods = workers_methods(workers);
    char name[16];
    uint32_t lanes[METHODS_KNOWN_MAX];
    for (uint32_t i = 0; i < METHODS_KNOWN_MAX; i++) {
        snprintf(name, sizeof name, "m%u", i);
        lanes[i] = methods_serve(methods, ROLE, bytes_of(name), i % 2);
        ck_assert_uint_ne(lanes[i], NONE);
    }
    ck_assert_uint_eq(methods_serve(methods, ROLE, bytes_of("x"), 0), NONE);
    methods_leave(methods, lanes[7], 1);
    methods_leave(methods, lanes[9], 1);
    methods_lane(methods, lanes[7])->waiting = 1;
    ck_assert_uint_eq(methods_serve(methods, ROLE, bytes_of("x"), 0), lanes[9]);
    ck_assert_uint_eq(methods_serve(methods, ROLE, bytes_of("y"), 0), NONE);
    ck_assert_uint_eq(lane_of("m9"), NONE);
    ck_assert_uint_eq(lane_of("m7"), lanes[7]);
    ck_assert_uint_eq(lane_of("x"), lanes[9]);
}
END_TEST

START_TEST(the_cheaper_worker_is_picked)
{
    struct worker *slow = add(1, 8, "a"), *quick = add(2, 8, "a");
    serve(slow, 10000);
    serve(quick, 1000);
    for (unsigned i = 0; i < 7; i++) { /* 8 x 1 ms before 1 x 10 ms */
        ck_assert_ptr_eq(pick("a"), quick);
        workers_spend(workers, quick);
    }
    slow->weight = 2000;
    ck_assert_ptr_eq(pick("a"), slow);
}
END_TEST

START_TEST(a_peak_fades_by_the_clock)
{
    struct worker *slow = add(1, 8, "a"), *quick = add(2, 8, "a");
    serve(slow, 100000);
    serve(quick, 10000);
    ck_assert_ptr_eq(pick("a"), quick);
    serve(slow, 9000); /* one quick answer does not make it quick */
    ck_assert_ptr_eq(pick("a"), quick);
    quick->cost_at = NOW + 200 * US_PER_S;
    ck_assert_ptr_eq(workers_pick(workers, lane_of("a"), &any, NOW + 200 * US_PER_S), slow);
}
END_TEST

START_TEST(an_unknown_worker_gets_one_request)
{
    struct worker *known = add(1, 8, "a"), *unknown = add(2, 8, "a");
    serve(known, 1000);
    ck_assert_ptr_eq(pick("a"), unknown);
    workers_spend(workers, unknown);
    for (unsigned i = 0; i < 8; i++) {
        ck_assert_ptr_eq(pick("a"), known);
        workers_spend(workers, known);
    }
    ck_assert_ptr_eq(pick("a"), unknown);
}
END_TEST

/* Short calls stay with a worker for up to a quarter of its credit; long ones do not. */
START_TEST(within_a_turn_short_calls_stay_together)
{
    static const struct {
        int64_t service_us;
        unsigned chunk;
    } cases[] = {{1, 16}, {25, 4}, {50, 2}, {101, 1}, {5000, 1}};
    add(1, 200, "a");
    add(2, 200, "a");
    for (uint32_t i = 0; i < 2; i++)
        serve(workers_at(workers, i), 10);
    methods_lane(workers_methods(workers), lane_of("a"))->service.p50_us =
        (double)cases[_i].service_us;
    struct worker *first = pick("a");
    unsigned chunk = 0;
    for (struct worker *next = first; next == first && chunk < 100; next = pick("a")) {
        workers_spend(workers, next);
        chunk++;
    }
    ck_assert_uint_eq(chunk, cases[_i].chunk);
    workers_end_turn(workers);
    ck_assert_ptr_ne(pick("a"), NULL);
}
END_TEST

START_TEST(a_chunk_is_a_part_of_the_credit_and_of_one_turn)
{
    struct worker *one = add(1, 8, "a"), *other = add(2, 8, "a");
    serve(one, 10);
    serve(other, 10);
    methods_lane(workers_methods(workers), lane_of("a"))->service.p50_us = 1;
    struct worker *first = pick("a"); /* 2 of 8 */
    workers_spend(workers, first);
    ck_assert_ptr_eq(pick("a"), first);
    workers_spend(workers, first);
    ck_assert_ptr_ne(pick("a"), first);
    workers_end_turn(workers);
    struct worker *busier = first;
    ck_assert_ptr_ne(pick("a"), busier); /* a new turn looks anew */
}
END_TEST

/* Requests of a key go to one worker, and to the next while that has too much to do; the others
 * keep theirs when one goes. */
START_TEST(a_key_has_a_worker_of_its_own)
{
    struct wish wish = {.has_key = true, .seen_by = NONE, .avoid = NONE};
    struct worker *own[64];
    unsigned given[4] = {0}, moved = 0;
    for (uint32_t i = 0; i < 4; i++) {
        struct worker *worker = add(i, 100, "a");
        worker->identity = UINT64_C(0x1234567) * (i + 1);
        serve(worker, 1000 * (i + 1)); /* whatever they cost */
    }
    for (wish.key = 0; wish.key < 64; wish.key++) {
        own[wish.key] = pick_for(&wish);
        ck_assert_ptr_eq(pick_for(&wish), own[wish.key]);
        given[own[wish.key]->peer]++;
    }
    for (unsigned i = 0; i < 4; i++)
        ck_assert_uint_ge(given[i], 8);
    struct worker *gone = workers_at(workers, 3);
    workers_set_state(workers, gone, WORKER_SUSPECT);
    for (wish.key = 0; wish.key < 64; wish.key++) {
        struct worker *now = pick_for(&wish);
        ck_assert_ptr_ne(now, gone);
        moved += now != own[wish.key] && own[wish.key] != gone;
    }
    ck_assert_uint_eq(moved, 0);
}
END_TEST

START_TEST(no_worker_drowns_for_the_sake_of_a_key)
{
    struct wish wish = {.has_key = true, .key = 7, .seen_by = NONE, .avoid = NONE};
    for (uint32_t i = 0; i < 4; i++)
        add(i, 100, "a")->identity = i + 1;
    unsigned most = 0;
    for (unsigned i = 0; i < 100; i++)
        workers_spend(workers, pick_for(&wish));
    for (uint32_t i = 0; i < 4; i++)
        most = workers_at(workers, i)->running > most ? workers_at(workers, i)->running : most;
    ck_assert_uint_ge(most, 30); /* more than its part of a hundred ... */
    ck_assert_uint_le(most, 70); /* ... and the next has the rest, not it alone */
}
END_TEST

START_TEST(who_has_seen_it_gets_it_again)
{
    struct wish wish = {.seen_by = 1, .avoid = NONE};
    serve(add(1, 8, "a"), 10);
    struct worker *dear = add(2, 2, "a");
    serve(dear, 1000000);
    ck_assert_ptr_eq(pick_for(&wish), dear);
    workers_spend(workers, dear);
    workers_spend(workers, dear);
    ck_assert_ptr_eq(pick_for(&wish), workers_at(workers, 0)); /* it has no credit */
    wish = (struct wish){.seen_by = 5, .avoid = NONE};         /* it is gone */
    ck_assert_ptr_eq(pick_for(&wish), workers_at(workers, 0));
}
END_TEST

START_TEST(one_to_be_avoided_has_it_only_if_there_is_no_other)
{
    struct wish wish = {.seen_by = NONE, .avoid = 0};
    serve(add(1, 8, "a"), 10);
    ck_assert_ptr_eq(pick_for(&wish), workers_at(workers, 0));
    serve(add(2, 8, "a"), 1000000);
    ck_assert_ptr_eq(pick_for(&wish), workers_at(workers, 1));
}
END_TEST

/* More than are looked at one by one: each gets its part. */
START_TEST(two_at_random_spread_the_load)
{
    unsigned given[100] = {0};
    for (uint32_t i = 0; i < 100; i++)
        serve(add(i, 100, "a"), 1000);
    for (unsigned i = 0; i < 2000; i++) {
        struct worker *worker = pick("a");
        workers_spend(workers, worker);
        given[worker->peer]++;
    }
    for (unsigned i = 0; i < 100; i++) {
        ck_assert_uint_ge(given[i], 15);
        ck_assert_uint_le(given[i], 24);
    }
}
END_TEST

START_TEST(the_table_is_bounded)
{
    for (uint32_t i = 0; i < WORKERS_MAX; i++)
        ck_assert_ptr_nonnull(workers_add(workers, i, ROLE, 1));
    ck_assert_ptr_null(workers_add(workers, WORKERS_MAX, ROLE, 1));
    workers_remove(workers, workers_at(workers, 17));
    ck_assert_ptr_null(workers_at(workers, 17));
    ck_assert_ptr_nonnull(workers_add(workers, WORKERS_MAX, ROLE, 1));
    ck_assert_uint_eq(workers_up(workers, ROLE), WORKERS_MAX);
}
END_TEST

START_TEST(one_that_still_runs_something_is_not_removed)
{
    struct worker *worker = add(1, 1, "a");
    workers_spend(workers, worker);
    workers_remove(workers, worker);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, credit_is_spent_and_granted_anew);
    tcase_add_test(tcase, credit_never_falls_nor_passes_its_bound);
    tcase_add_test(tcase, credit_wraps);
    tcase_add_test(tcase, what_had_not_left_costs_no_credit);
    tcase_add_test(tcase, a_choked_worker_waits_until_it_is_heard);
    tcase_add_loop_test(tcase, only_one_that_is_up_gets_something_new, 0, 3);
    tcase_add_test(tcase, a_method_goes_to_who_lists_it_or_serves_all);
    tcase_add_test(tcase, a_method_is_remembered_without_its_worker);
    tcase_add_test(tcase, methods_beyond_the_bound_take_the_place_of_those_nobody_serves);
    tcase_add_test(tcase, the_cheaper_worker_is_picked);
    tcase_add_test(tcase, a_peak_fades_by_the_clock);
    tcase_add_test(tcase, an_unknown_worker_gets_one_request);
    tcase_add_loop_test(tcase, within_a_turn_short_calls_stay_together, 0, 5);
    tcase_add_test(tcase, a_chunk_is_a_part_of_the_credit_and_of_one_turn);
    tcase_add_test(tcase, two_at_random_spread_the_load);
    tcase_add_test(tcase, a_key_has_a_worker_of_its_own);
    tcase_add_test(tcase, no_worker_drowns_for_the_sake_of_a_key);
    tcase_add_test(tcase, who_has_seen_it_gets_it_again);
    tcase_add_test(tcase, one_to_be_avoided_has_it_only_if_there_is_no_other);
    tcase_add_test(tcase, the_table_is_bounded);
    tcase_add_test_raise_signal(tcase, one_that_still_runs_something_is_not_removed, SIGABRT);
}

int main(void)
{
    return suite_run("workers", add_tests);
}
