/* test_rounds - tenants of a class take turns by weight, whatever arrives; a lane that nobody can
 * serve holds up no other; beyond so many tenants, a flood meets few of the others in all their
 * lines. */
#include <signal.h>

#include "broker/rounds.h"
#include "tests/support/suite.h"

#define SLOTS 12000u
#define LANES 6u
#define ROLE ROLE_DRIVER
#define CLASS CLASS_CRITICAL
#define RANK (ROLE * CLASS_COUNT + CLASS)

static struct rounds *rounds;

static void setup(void)
{
    rounds = rounds_new(SLOTS, LANES);
}

static void teardown(void)
{
    rounds_destroy(&rounds);
    ck_assert_ptr_null(rounds);
}

static struct place place_of(uint64_t tenant, uint32_t lane, uint32_t weight)
{
    return (struct place){
        .role = ROLE, .class = CLASS, .lane = lane, .tenant = tenant, .weight = weight};
}

static void put(uint32_t slot, uint64_t tenant, uint32_t lane, uint32_t weight)
{
    struct place place = place_of(tenant, lane, weight);
    rounds_put(rounds, slot, &place, false);
}

static uint32_t serve(void)
{
    uint32_t slot = rounds_next(rounds, RANK);
    rounds_take(rounds, slot, true);
    return slot;
}

static void serves(const uint32_t *slots, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ck_assert_uint_eq(serve(), slots[i]);
}
#define SERVES(...)                                                                                \
    serves((const uint32_t[]){__VA_ARGS__}, sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t))

START_TEST(tenants_take_turns_and_each_its_oldest_first)
{
    for (uint32_t slot = 0; slot < 5; slot++)
        put(slot, 7, 0, 1);
    put(5, 8, 0, 1);
    put(6, 8, 0, 1);
    SERVES(0, 5, 1, 6, 2, 3, 4);
    ck_assert(!rounds_waits(rounds, RANK));
}
END_TEST

START_TEST(a_turn_is_as_long_as_the_weight)
{
    for (uint32_t slot = 0; slot < 8; slot++)
        put(slot, 7, 0, 3);
    for (uint32_t slot = 10; slot < 13; slot++)
        put(slot, 8, 0, 1);
    SERVES(0, 1, 2, 10, 3, 4, 5, 11, 6, 7, 12);
}
END_TEST

/* Who had nothing waiting goes before those in the middle of their backlog; but not again and again
 * by having nothing in between. */
START_TEST(who_comes_new_goes_first_once_a_round)
{
    for (uint32_t slot = 0; slot < 6; slot++)
        put(slot, slot % 2, 0, 1);
    SERVES(0, 1);
    put(10, 9, 0, 1);
    SERVES(10);
    put(11, 9, 0, 1);
    SERVES(2, 3, 11, 4);
}
END_TEST

/* A turn with weight ends when nothing is left, too. */
START_TEST(weight_is_no_way_to_be_new_again)
{
    for (uint32_t slot = 0; slot < 6; slot++)
        put(slot, 1, 0, 1);
    SERVES(0);
    put(10, 9, 0, 5);
    SERVES(10, 1);
    put(11, 9, 0, 5);
    SERVES(11, 2);
    put(12, 9, 0, 5);
    put(13, 9, 0, 5);
    SERVES(12, 13, 3, 4, 5);
}
END_TEST

START_TEST(the_lanes_of_a_tenant_take_turns)
{
    for (uint32_t slot = 0; slot < 6; slot++)
        put(slot, 7, slot < 3 ? 0 : slot, 1);
    SERVES(0, 3, 4, 5, 1, 2);
}
END_TEST

START_TEST(what_goes_out_again_is_next)
{
    struct place place = place_of(7, 1, 1);
    for (uint32_t slot = 0; slot < 4; slot++)
        put(slot, slot / 2, 0, 1);
    rounds_put(rounds, 9, &place, true);
    rounds_put(rounds, 8, &place, true);
    place.tenant = 0;
    rounds_put(rounds, 7, &place, true);
    SERVES(7, 8);
    ck_assert_uint_eq(rounds_length(rounds, &place), 2);
}
END_TEST

/* Both for another tenant and for the same one; and then they are where they were. */
/* It counts as its line's, and for push-out it is as old as it is. */
START_TEST(what_is_held_is_nobodys_turn_until_it_is_let_go)
{
    struct place place = place_of(7, 0, 1);
    rounds_hold(rounds, 0, &place);
    ck_assert(!rounds_waits(rounds, RANK));
    ck_assert_uint_eq(rounds_length(rounds, &place), 1);
    ck_assert_uint_eq(rounds_newest(rounds, RANK), 0);
    put(1, 7, 0, 1);
    put(2, 7, 0, 1);
    put(3, 8, 0, 1);
    ck_assert_uint_eq(rounds_waiting(rounds, RANK), 3);
    ck_assert_uint_eq(rounds_ahead(rounds, &place), 3);
    ck_assert_uint_eq(serve(), 1);
    rounds_let_go(rounds, 0);
    SERVES(3, 2, 0);
    rounds_hold(rounds, 4, &place); /* its line stands nowhere */
    rounds_take(rounds, 4, false);
    ck_assert_uint_eq(lines_owned(rounds_lines(rounds)), 0);
}
END_TEST

START_TEST(a_closed_lane_holds_up_no_other)
{
    put(0, 7, 0, 1);
    put(1, 7, 0, 1);
    put(2, 8, 0, 1);
    put(3, 9, 1, 1);
    put(4, 7, 2, 1);
    ck_assert_uint_eq(rounds_next(rounds, RANK), 0);
    rounds_close(rounds, 0);
    SERVES(4, 3);
    ck_assert(!rounds_waits(rounds, RANK));
    put(5, 9, 0, 1); /* into a closed lane */
    ck_assert(!rounds_waits(rounds, RANK));
    put(6, 8, 1, 1); /* one that stood aside is back */
    SERVES(6);
    rounds_take(rounds, 1, false);
    rounds_open(rounds, ROLE);
    ck_assert(rounds_waits(rounds, RANK));
    ck_assert_uint_eq(rounds_waiting(rounds, RANK), 3);
    uint32_t slot = serve();
    ck_assert(slot == 0 || slot == 2 || slot == 5);
    serve();
    serve();
    ck_assert(!rounds_waits(rounds, RANK));
}
END_TEST

/* A hundred tenants wait for one worker that takes one at a time, while others go by: nobody who
 * stood aside loses its turn. */
START_TEST(who_stands_aside_keeps_its_turn)
{
    unsigned served[100] = {0};
    for (uint32_t slot = 0; slot < 1000; slot++)
        put(slot, 1 + slot % 100, 0, 1);
    for (uint32_t turn = 0; turn < 300; turn++) {
        put(1000 + turn, 500 + turn % 3, 1, 1);
        uint32_t slot = serve();
        while (slot >= 1000) /* from the other lane */
            slot = serve();
        served[slot % 100]++;
        if (!rounds_waits(rounds, RANK))
            continue;
        slot = rounds_next(rounds, RANK);
        if (slot < 1000)
            rounds_close(rounds, slot);
        while (rounds_waits(rounds, RANK))
            ck_assert_uint_ge(serve(), 1000);
        rounds_open(rounds, ROLE);
    }
    for (unsigned i = 0; i < 100; i++)
        ck_assert_uint_eq(served[i], 3);
}
END_TEST

struct model {
    uint64_t seed;
    uint32_t waiting[16]; /* by tenant, open, closed and held */
    uint32_t passed[16];  /* turns of others since it was served or had nothing */
    bool closed[LANES];
    uint32_t most_passed;
};

#define TENANT(slot) ((slot) % 16)
#define LANE(slot) ((slot) / 16 % LANES)
#define WEIGHT(tenant) (1 + (tenant) % 3)

static void model_put(struct model *self, uint32_t slot, bool first, bool holds)
{
    struct place place = place_of(TENANT(slot) + 1, LANE(slot), WEIGHT(TENANT(slot)));
    if (rounds_is_in(rounds, slot))
        return;
    if (holds)
        rounds_hold(rounds, slot, &place);
    else
        rounds_put(rounds, slot, &place, first);
    self->waiting[TENANT(slot)]++;
}

static bool can_be_next(const struct model *self, uint32_t slot)
{
    return rounds_is_in(rounds, slot) && !rounds_is_held(rounds, slot) && !self->closed[LANE(slot)];
}

/* Tenants that have something in an open lane, as slots say. */
static void model_serve(struct model *self)
{
    bool can[16] = {false}, any = false;
    for (uint32_t slot = 0; slot < 480; slot++)
        if (can_be_next(self, slot))
            any = can[TENANT(slot)] = true;
    ck_assert(rounds_waits(rounds, RANK) == any);
    if (!any)
        return;
    uint32_t slot = rounds_next(rounds, RANK), tenant = TENANT(slot);
    ck_assert(can_be_next(self, slot));
    rounds_take(rounds, slot, true);
    self->waiting[tenant]--;
    for (uint32_t other = 0; other < 16; other++) {
        bool passed = other != tenant && can[other];
        self->passed[other] = passed ? self->passed[other] + 1 : 0;
        if (self->passed[other] > self->most_passed)
            self->most_passed = self->passed[other];
    }
}

static void model_step(struct model *self)
{
    uint32_t slot = (uint32_t)(random_next(&self->seed) % 480);
    uint64_t what = random_next(&self->seed) % 100;
    if (what < 45) {
        model_put(self, slot, what == 0, what > 35);
    } else if (what < 50 && rounds_is_in(rounds, slot)) {
        rounds_take(rounds, slot, false);
        self->waiting[TENANT(slot)]--;
    } else if (what < 55 && can_be_next(self, slot)) {
        rounds_close(rounds, slot);
        self->closed[LANE(slot)] = true;
    } else if (what < 60) {
        rounds_open(rounds, ROLE);
        for (uint32_t lane = 0; lane < LANES; lane++)
            self->closed[lane] = false;
    } else if (what < 70 && rounds_is_in(rounds, slot) && rounds_is_held(rounds, slot)) {
        rounds_let_go(rounds, slot);
    } else {
        model_serve(self);
    }
}

/* Whatever arrives, is held and let go, withdrawn, closed and opened: what can be served is found;
 * what is told of a tenant is so; and no tenant that could be served is passed over for more than
 * the turns of the others, and once more each of those that come new or go out again. */
START_TEST(no_tenant_is_passed_over_for_long)
{
    static struct model model;
    model = (struct model){.seed = (uint64_t)_i + 1};
    for (int step = 0; step < 20000; step++) {
        uint32_t active = 0, longest = 0;
        model_step(&model);
        for (uint32_t tenant = 0; tenant < 16; tenant++) {
            struct place place = place_of(tenant + 1, 0, WEIGHT(tenant));
            ck_assert_uint_eq(rounds_length(rounds, &place), model.waiting[tenant]);
            active += model.waiting[tenant] > 0;
            longest = model.waiting[tenant] > longest ? model.waiting[tenant] : longest;
        }
        ck_assert_uint_eq(lines_active(rounds_lines(rounds), RANK), active);
        ck_assert_uint_eq(rounds_longest(rounds, RANK), longest);
        uint32_t newest = rounds_newest(rounds, RANK);
        ck_assert(longest == 0 ? newest == NONE : model.waiting[TENANT(newest)] == longest);
    }
    ck_assert_uint_ge(model.most_passed, 15);
    ck_assert_uint_le(model.most_passed, 2 * 31 + 16);
}
END_TEST

START_TEST(those_ahead_are_the_own_and_the_turns_of_the_others)
{
    struct place small = place_of(1, 0, 1), large = place_of(2, 0, 1), heavy = place_of(4, 0, 4);
    ck_assert_uint_eq(rounds_ahead(rounds, &small), 0);
    put(0, 1, 0, 1);
    for (uint32_t slot = 1; slot <= 100; slot++)
        put(slot, 2, 0, 1);
    ck_assert_uint_eq(rounds_ahead(rounds, &small), 3);   /* (1 + 1) x 2 - 1 */
    ck_assert_uint_eq(rounds_ahead(rounds, &large), 101); /* all there are */
    struct place third = place_of(3, 0, 1);
    ck_assert_uint_eq(rounds_ahead(rounds, &third), 2);
    ck_assert_uint_eq(rounds_ahead(rounds, &heavy), 1); /* 4 of its own for 2 of the others */
}
END_TEST

/* So many have lines of their own; one more shares, and is fairly served all the same. */
START_TEST(more_tenants_share_lines)
{
    for (uint32_t slot = 0; slot < TENANTS_APART_MAX; slot++)
        put(slot, 1 + slot, 0, 1);
    const struct lines *lines = rounds_lines(rounds);
    ck_assert_uint_eq(lines_owned(lines), TENANTS_APART_MAX);
    ck_assert_uint_eq(lines_shared(lines), 0);
    for (uint32_t slot = TENANTS_APART_MAX; slot < TENANTS_APART_MAX + 1000; slot++)
        put(slot, UINT64_C(0x9E3779B97F4A7C15) * 77, 0, 1); /* a flood */
    ck_assert_uint_eq(lines_shared(lines), 1000);
    ck_assert_uint_eq(lines_active(lines, RANK), TENANTS_APART_MAX + TENANTS_DEALT);
    ck_assert_uint_eq(rounds_longest(rounds, RANK), 1000 / TENANTS_DEALT);
    unsigned held_up = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        struct place other = place_of((i + 1) * UINT64_C(0xD6E8FEB86659FD93), 0, 1);
        held_up += rounds_length(rounds, &other) > 0;
    }
    ck_assert_uint_eq(held_up, 0); /* C(64, 8) hands: all eight of the flood's is one in 4e9 */
    put(11000, 12345678901, 0, 1);
    for (uint32_t served = 0; serve() != 11000; served++)
        ck_assert_uint_le(served, TENANTS_APART_MAX + TENANTS_DEALT);
    while (rounds_waits(rounds, RANK))
        (void)serve();
    ck_assert_uint_eq(lines_owned(lines), 0);
}
END_TEST

/* A standing queue is an overloaded one; a burst that drains is not. */
START_TEST(what_waits_long_where_all_do_is_late)
{
    const int64_t target_us = 5000;
    int64_t now_at = US_PER_S;
    put(0, 7, 0, 1);
    put(1, 8, 0, 1);
    for (int i = 0; i < 30; i++, now_at += 10000)
        ck_assert(!rounds_is_late(rounds, 0, i % 9 == 0 ? 0 : 40000, target_us, now_at));
    bool late = false;
    for (int i = 0; i < 25 && !late; i++, now_at += 10000)
        late = rounds_is_late(rounds, 0, 11000, target_us, now_at);
    ck_assert(late);
    ck_assert(!rounds_is_late(rounds, 0, 9000, target_us, now_at)); /* less than twice the target */
    ck_assert(!rounds_is_late(rounds, 1, 11000, target_us, now_at)); /* another's line */
    for (int i = 0; i < 25; i++, now_at += 10000)
        (void)rounds_is_late(rounds, 0, i % 2 == 0 ? 1000 : 11000, target_us, now_at);
    ck_assert(!rounds_is_late(rounds, 0, 11000, target_us, now_at));
}
END_TEST

START_TEST(who_waits_already_cannot_come_again)
{
    put(1, 7, 0, 1);
    put(1, 7, 0, 1);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, tenants_take_turns_and_each_its_oldest_first);
    tcase_add_test(tcase, a_turn_is_as_long_as_the_weight);
    tcase_add_test(tcase, who_comes_new_goes_first_once_a_round);
    tcase_add_test(tcase, weight_is_no_way_to_be_new_again);
    tcase_add_test(tcase, the_lanes_of_a_tenant_take_turns);
    tcase_add_test(tcase, what_goes_out_again_is_next);
    tcase_add_test(tcase, what_is_held_is_nobodys_turn_until_it_is_let_go);
    tcase_add_test(tcase, a_closed_lane_holds_up_no_other);
    tcase_add_test(tcase, who_stands_aside_keeps_its_turn);
    tcase_add_loop_test(tcase, no_tenant_is_passed_over_for_long, 0, SUITE_SEEDS(8));
    tcase_add_test(tcase, those_ahead_are_the_own_and_the_turns_of_the_others);
    tcase_add_test(tcase, more_tenants_share_lines);
    tcase_add_test(tcase, what_waits_long_where_all_do_is_late);
    tcase_add_test_raise_signal(tcase, who_waits_already_cannot_come_again, SIGABRT);
}

int main(void)
{
    return suite_run("rounds", add_tests);
}
