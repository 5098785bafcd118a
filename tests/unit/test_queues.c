/* test_queues - order, shares, bounds, lanes and push-out of what waits. No socket, no clock. */
#include <signal.h>

#include "broker/list.h"
#include "broker/queues.h"
#include "tests/support/suite.h"

#define SLOTS 400u
#define LANES 8u
#define DEPTH 280u
#define BYTES 100000u
#define ROLE ROLE_DRIVER

static struct queues *queues;

static void setup(void)
{
    queues = queues_new(SLOTS, LANES);
    queues_bound(queues, ROLE, DEPTH, BYTES);
}

static void teardown(void)
{
    queues_destroy(&queues);
    ck_assert_ptr_null(queues);
}

static struct place place_of(uint32_t lane, enum request_class class, uint32_t bytes)
{
    return (struct place){.role = ROLE, .lane = lane, .class = class, .bytes = bytes};
}

static void push_lane(uint32_t slot, uint32_t lane, enum request_class class)
{
    struct place place = place_of(lane, class, 1);
    ck_assert_int_eq(queues_push(queues, slot, &place), STATUS_OK);
}

static void push(uint32_t slot, enum request_class class)
{
    push_lane(slot, 0, class);
}

static uint32_t peek(void)
{
    uint32_t slot = NONE;
    ck_assert(queues_peek(queues, ROLE, &slot));
    return slot;
}

static uint32_t pop(void)
{
    uint32_t slot = peek();
    queues_pop(queues, slot);
    return slot;
}

START_TEST(the_oldest_goes_first_and_what_is_put_back_before_it)
{
    struct place place = place_of(0, CLASS_CRITICAL, 1);
    push(1, CLASS_CRITICAL);
    push(2, CLASS_CRITICAL);
    ck_assert_uint_eq(queues_oldest(queues, ROLE, CLASS_CRITICAL), 1);
    ck_assert_uint_eq(pop(), 1);
    queues_push_front(queues, 1, &place);
    ck_assert_uint_eq(pop(), 1);
    ck_assert_uint_eq(pop(), 2);
    ck_assert(!queues_peek(queues, ROLE, &(uint32_t){0}));
}
END_TEST

START_TEST(roles_share_nothing)
{
    uint32_t slot;
    struct place other = {.role = ROLE_TOOL_EXECUTOR, .lane = 1, .class = CLASS_CRITICAL};
    ck_assert_int_eq(queues_push(queues, 1, &other), STATUS_BUSY_FULL); /* never bounded: nothing */
    queues_bound(queues, ROLE_TOOL_EXECUTOR, 1, 1);
    ck_assert_int_eq(queues_push(queues, 1, &other), STATUS_OK);
    ck_assert(!queues_peek(queues, ROLE, &slot));
    ck_assert_uint_eq(queues_depth(queues, ROLE), 0);
    ck_assert_uint_eq(queues_depth(queues, ROLE_TOOL_EXECUTOR), 1);
    ck_assert(queues_peek(queues, ROLE_TOOL_EXECUTOR, &slot));
}
END_TEST

START_TEST(what_is_not_owed_goes_to_the_highest)
{
    unsigned served[CLASS_COUNT] = {0};
    for (uint32_t slot = 0; slot < DEPTH; slot++)
        push(slot, (enum request_class)(slot % CLASS_COUNT));
    for (unsigned i = 0; i < 1000; i++) {
        uint32_t slot = pop();
        served[slot % CLASS_COUNT]++;
        push(slot, (enum request_class)(slot % CLASS_COUNT));
    }
    ck_assert_uint_ge(served[CLASS_CRITICAL_PLUS], 690);
    ck_assert_uint_ge(served[CLASS_CRITICAL], 230);
    ck_assert_uint_ge(served[CLASS_SHEDDABLE_PLUS], 45);
    ck_assert_uint_ge(served[CLASS_SHEDDABLE], 9);
}
END_TEST

/* What a class is owed while it is idle is one dispatch; what is removed costs it nothing. */
START_TEST(an_idle_class_saves_one_up_and_removals_are_free)
{
    uint32_t slot;
    for (unsigned i = 0; i < 1000; i++)
        queues_charge(queues, ROLE, CLASS_CRITICAL_PLUS);
    push(1, CLASS_CRITICAL_PLUS);
    for (slot = 2; slot < 8; slot++)
        push(slot, (enum request_class)(slot / 2));
    ck_assert_uint_eq(peek(), 6);
    queues_remove(queues, 6);
    ck_assert_uint_eq(pop(), 7);
    ck_assert_uint_eq(pop(), 4);
    ck_assert_uint_eq(pop(), 2);
    ck_assert_uint_eq(pop(), 1);
}
END_TEST

/* Whatever arrives, in whatever order, in whatever lanes: while a class has one that can be served,
 * so many others go before the next of it, and no more. source: docs/load.md, 3 */
START_TEST(no_class_that_waits_is_passed_over_for_long)
{
    static const unsigned others_max[CLASS_COUNT] = {3, 5, 20, 99};
    uint64_t seed = 1, arrives = 0;
    unsigned waiting[CLASS_COUNT] = {0}, passed[CLASS_COUNT] = {0}, most[CLASS_COUNT] = {0};
    for (int step = 0; step < 500000; step++) {
        uint32_t slot = (uint32_t)(random_next(&seed) % SLOTS), kind = slot % CLASS_COUNT;
        if (random_next(&seed) % 200 == 0)
            arrives = random_next(&seed); /* by bit: each class; then how many of 16 are removed */
        if ((arrives >> kind) % 2 && !queues_is_in(queues, slot)) {
            struct place place = place_of(slot / 4 % LANES, (enum request_class)kind, 1);
            waiting[kind] += queues_push(queues, slot, &place) == STATUS_OK;
        }
        slot = (uint32_t)(random_next(&seed) % SLOTS);
        if (random_next(&seed) % 16 < (arrives >> CLASS_COUNT) % 16 && queues_is_in(queues, slot)) {
            queues_remove(queues, slot);
            waiting[slot % CLASS_COUNT]--;
        }
        if (random_next(&seed) % 3 == 0 || !queues_peek(queues, ROLE, &slot))
            continue;
        queues_pop(queues, slot);
        for (kind = 0; kind < CLASS_COUNT; kind++) {
            bool served = slot % CLASS_COUNT == kind;
            passed[kind] = served || waiting[kind] == 0 ? 0 : passed[kind] + 1;
            waiting[kind] -= served;
            ck_assert_uint_le(passed[kind], others_max[kind]);
            most[kind] = passed[kind] > most[kind] ? passed[kind] : most[kind];
        }
    }
    for (uint32_t kind = 0; kind < CLASS_COUNT; kind++) /* the load is one that tells */
        ck_assert_uint_ge(most[kind] + 1, others_max[kind]);
}
END_TEST

START_TEST(the_lanes_of_a_class_take_turns)
{
    for (uint32_t slot = 0; slot < 6; slot++)
        push_lane(slot, slot < 3 ? 0 : slot, CLASS_CRITICAL);
    static const uint32_t expected[] = {0, 3, 4, 5, 1, 2};
    for (unsigned i = 0; i < 6; i++)
        ck_assert_uint_eq(pop(), expected[i]);
}
END_TEST

/* Its class has nothing to serve then, and a lower one goes; later it is where it was. */
START_TEST(a_parked_lane_holds_nobody_up)
{
    uint32_t slot;
    push_lane(1, 1, CLASS_CRITICAL);
    push_lane(2, 2, CLASS_CRITICAL);
    push_lane(3, 3, CLASS_SHEDDABLE);
    ck_assert_uint_eq(peek(), 1);
    queues_park(queues, 1);
    ck_assert_uint_eq(pop(), 2);
    push_lane(4, 1, CLASS_CRITICAL); /* into a lane that is parked */
    ck_assert_uint_eq(pop(), 3);
    ck_assert(!queues_peek(queues, ROLE, &slot));
    ck_assert_uint_eq(queues_depth(queues, ROLE), 2);
    queues_remove(queues, 4);
    queues_unpark(queues, ROLE);
    ck_assert_uint_eq(pop(), 1);
    push_lane(5, 1, CLASS_CRITICAL); /* its lane was emptied, and is not parked any more */
    ck_assert_uint_eq(pop(), 5);
}
END_TEST

START_TEST(the_newest_of_the_least_important_makes_room)
{
    uint32_t victim;
    struct place place = place_of(0, CLASS_CRITICAL, 1);
    struct place lower = place_of(0, CLASS_SHEDDABLE, 1);
    for (uint32_t slot = 0; slot < DEPTH; slot++)
        push_lane(slot, slot % LANES, (enum request_class)(1 + slot % 3));
    ck_assert_int_eq(queues_push(queues, DEPTH, &place), STATUS_BUSY_FULL);
    ck_assert_int_eq(queues_admit_level(queues, ROLE), CLASS_SHEDDABLE_PLUS);
    ck_assert(queues_shed(queues, &place, &victim));
    ck_assert_uint_eq(victim, 278); /* the newest with slot % 3 == 2 */
    ck_assert_int_eq(queues_push(queues, DEPTH, &place), STATUS_OK);
    ck_assert(!queues_shed(queues, &lower, &victim));
    unsigned shed = 0;
    while (queues_shed(queues, &place, &victim)) {
        ck_assert_uint_ne(victim % 3, 0);
        shed++;
    }
    ck_assert_uint_eq(shed + 1, DEPTH - (DEPTH + 2) / 3);
}
END_TEST

/* In the own class the tenant that has most makes room for one that would not have as much; and in
 * a lower one it is its newest that goes first. */
START_TEST(who_has_most_makes_room_for_who_has_less)
{
    uint32_t victim;
    struct place first = place_of(0, CLASS_CRITICAL, 1), second = first, third = first;
    first.tenant = 1;
    second.tenant = 2;
    third.tenant = 3;
    for (uint32_t slot = 0; slot < DEPTH; slot++)
        ck_assert_int_eq(queues_push(queues, slot, slot % 4 == 0 ? &second : &first), STATUS_OK);
    ck_assert(!queues_shed(queues, &first, &victim));
    ck_assert(queues_shed(queues, &second, &victim));
    ck_assert_uint_eq(victim, DEPTH - 1);
    ck_assert_int_eq(queues_push(queues, DEPTH, &third), STATUS_OK);
    unsigned shed = 0;
    for (uint32_t slot = DEPTH + 1; queues_shed(queues, &third, &victim); slot++, shed++)
        ck_assert_int_eq(queues_push(queues, slot, &third), STATUS_OK);
    /* the first had 210: with half of them each, nothing would be fairer */
    ck_assert_uint_eq(shed + 1, 105);
}
END_TEST

/* Nobody is pushed out for one that still would not fit. */
START_TEST(bytes_bound_as_well_as_count)
{
    uint32_t victim;
    struct place large = place_of(0, CLASS_CRITICAL, 60000);
    struct place middle = place_of(0, CLASS_CRITICAL, 40000);
    struct place small = place_of(0, CLASS_SHEDDABLE, 30000);
    ck_assert_int_eq(queues_push(queues, 0, &large), STATUS_OK);
    ck_assert_int_eq(queues_push(queues, 1, &small), STATUS_OK);
    ck_assert_int_eq(queues_push(queues, 2, &small), STATUS_BUSY_FULL);
    ck_assert_uint_eq(queues_bytes(queues, ROLE), 90000);
    ck_assert(!queues_shed(queues, &large, &victim));
    ck_assert(queues_shed(queues, &middle, &victim));
    ck_assert_uint_eq(victim, 1);
    queues_remove(queues, 0);
    ck_assert_uint_eq(queues_bytes(queues, ROLE), 0);
}
END_TEST

/* What has to go out again is never refused. */
START_TEST(what_is_put_back_is_beyond_the_bound)
{
    struct place place = place_of(0, CLASS_SHEDDABLE, 1);
    for (uint32_t slot = 0; slot < DEPTH; slot++)
        push(slot, CLASS_SHEDDABLE);
    queues_push_front(queues, DEPTH, &place);
    ck_assert_uint_eq(queues_depth(queues, ROLE), DEPTH + 1);
    ck_assert_uint_eq(queues_backlog(queues, ROLE, CLASS_SHEDDABLE), DEPTH + 1);
    ck_assert_uint_eq(pop(), DEPTH);
}
END_TEST

START_TEST(what_waits_already_is_not_queued_again)
{
    push(1, CLASS_CRITICAL);
    push(1, CLASS_CRITICAL);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_oldest_goes_first_and_what_is_put_back_before_it);
    tcase_add_test(tcase, roles_share_nothing);
    tcase_add_test(tcase, what_is_not_owed_goes_to_the_highest);
    tcase_add_test(tcase, an_idle_class_saves_one_up_and_removals_are_free);
    tcase_add_test(tcase, no_class_that_waits_is_passed_over_for_long);
    tcase_add_test(tcase, the_lanes_of_a_class_take_turns);
    tcase_add_test(tcase, a_parked_lane_holds_nobody_up);
    tcase_add_test(tcase, the_newest_of_the_least_important_makes_room);
    tcase_add_test(tcase, who_has_most_makes_room_for_who_has_less);
    tcase_add_test(tcase, bytes_bound_as_well_as_count);
    tcase_add_test(tcase, what_is_put_back_is_beyond_the_bound);
    tcase_add_test_raise_signal(tcase, what_waits_already_is_not_queued_again, SIGABRT);
}

int main(void)
{
    return suite_run("queues", add_tests);
}
