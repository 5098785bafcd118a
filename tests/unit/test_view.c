/* test_view - the first view is told at once, later changes together; epochs rise; what is taken in
 * can be told. */
#include <stdio.h>
#include <string.h>

#include "broker/view.h"
#include "tests/support/suite.h"

#define NOW (INT64_C(1000) * US_PER_S)
#define HOLD US_PER_S
#define COUNTER UINT64_C(1000)

static struct view *view;

static void setup(void)
{
    view = view_new(COUNTER, 0, HOLD);
}

static void teardown(void)
{
    view_destroy(&view);
    ck_assert_ptr_null(view);
}

static const char *uuid_of(uint32_t number)
{
    static char uuid[SESSION_ID_BYTES];
    memcpy(uuid, &number, sizeof number);
    return uuid;
}

static enum status put(uint32_t number, const char *endpoint, int64_t now_at)
{
    struct msg_member member = {
        .uuid = {uuid_of(number), SESSION_ID_BYTES}, .weight = 100, .endpoint = bytes_of(endpoint)};
    return view_put(view, &member, now_at);
}

static void check(uint64_t epoch, const char *const *endpoints, size_t count)
{
    struct msg_view its;
    struct msg_member member;
    struct bytes value = {0};
    ck_assert_int_eq(message_decode(MSG_VIEW, view_body(view), &its), STATUS_OK);
    ck_assert_uint_eq(its.epoch, epoch);
    ck_assert_uint_eq(view_epoch(view), epoch);
    ck_assert_uint_eq(values_count(its.members), count);
    struct values values = values_over(its.members);
    for (size_t i = 0; i < count && values_next(&values, &value); i++) {
        ck_assert_int_eq(message_decode(MSG_MEMBER, value, &member), STATUS_OK);
        ck_assert(bytes_are(member.endpoint, endpoints[i]));
    }
}

START_TEST(the_first_view_is_told_at_once_and_changes_together)
{
    ck_assert_ptr_null(view_body(view).data);
    ck_assert_int_eq(view_due_at(view), INT64_MAX);
    ck_assert_int_eq(put(1, "a", NOW), STATUS_OK);
    ck_assert_int_eq(view_due_at(view), NOW);
    ck_assert(view_issue(view, NOW));
    check(COUNTER * VIEW_EPOCH_STEP, (const char *[]){"a"}, 1);
    ck_assert(!view_issue(view, NOW + 10 * HOLD));

    ck_assert_int_eq(put(2, "b", NOW + 5), STATUS_OK);
    ck_assert_int_eq(put(3, "c", NOW + HOLD), STATUS_OK);
    view_drop(view, uuid_of(1), NOW + HOLD);
    ck_assert(!view_issue(view, NOW + HOLD));
    ck_assert_int_eq(view_due_at(view), NOW + 5 + HOLD);
    ck_assert(view_issue(view, NOW + 5 + HOLD));
    check((COUNTER + 1) * VIEW_EPOCH_STEP, (const char *[]){"b", "c"}, 2);
}
END_TEST

START_TEST(what_does_not_change_tells_nothing)
{
    ck_assert_int_eq(put(1, "a", NOW), STATUS_OK);
    ck_assert(view_issue(view, NOW));
    ck_assert_int_eq(put(1, "a", NOW), STATUS_OK);
    view_drop(view, uuid_of(9), NOW);
    ck_assert_int_eq(view_due_at(view), INT64_MAX);
    ck_assert_int_eq(put(1, "other", NOW), STATUS_OK); /* it moved, and keeps its place */
    ck_assert(view_issue(view, NOW + HOLD));
    check((COUNTER + 1) * VIEW_EPOCH_STEP, (const char *[]){"other"}, 1);
}
END_TEST

START_TEST(a_view_without_members_is_one)
{
    ck_assert_int_eq(put(1, "a", NOW), STATUS_OK);
    ck_assert(view_issue(view, NOW));
    view_drop(view, uuid_of(1), NOW);
    ck_assert(view_issue(view, NOW + HOLD));
    check((COUNTER + 1) * VIEW_EPOCH_STEP, NULL, 0);
}
END_TEST

/* A clock that stood behind: whoever has seen a later view gets one above it. */
START_TEST(an_epoch_that_somebody_has_seen_is_passed)
{
    ck_assert_int_eq(put(1, "a", NOW), STATUS_OK);
    ck_assert(view_issue(view, NOW));
    uint64_t seen = (COUNTER + 500) * VIEW_EPOCH_STEP + 3;
    view_seen(view, seen, NOW);
    ck_assert(view_issue(view, NOW));
    ck_assert_uint_gt(view_epoch(view), seen);
    view_seen(view, seen, NOW);
    view_seen(view, UINT64_MAX, NOW); /* nothing is above that: nobody means it */
    ck_assert(!view_issue(view, NOW + HOLD));
}
END_TEST

/* The view of another broker, of these endpoints; uuids count from 1. */
static struct bytes told(uint64_t epoch, const char *const *endpoints, uint32_t count)
{
    static char body[4096];
    struct view *other = view_new(epoch / VIEW_EPOCH_STEP, epoch % VIEW_EPOCH_STEP, HOLD);
    for (uint32_t i = 0; i < count; i++) {
        struct msg_member member = {.uuid = {uuid_of(i + 1), SESSION_ID_BYTES},
                                    .weight = 100,
                                    .endpoint = bytes_of(endpoints[i])};
        ck_assert_int_eq(view_put(other, &member, NOW), STATUS_OK);
    }
    ck_assert(view_issue(other, NOW));
    struct bytes bytes = view_body(other);
    memcpy(body, bytes.data, bytes.size);
    view_destroy(&other);
    return (struct bytes){body, bytes.size};
}

START_TEST(another_brokers_view_counts_if_its_epoch_is_higher)
{
    uint64_t epoch = (COUNTER + 5) * VIEW_EPOCH_STEP + 1;
    ck_assert_int_eq(put(1, "a", NOW), STATUS_OK);
    ck_assert(view_issue(view, NOW));
    ck_assert(view_adopt(view, told(epoch, (const char *[]){"a"}, 1), NOW));
    check(epoch, (const char *[]){"a"}, 1);
    ck_assert_int_eq(view_due_at(view), INT64_MAX); /* it is what is known here */
    ck_assert(!view_adopt(view, told(epoch, (const char *[]){"a"}, 1), NOW));
    ck_assert(!view_adopt(view, told(epoch - 1, (const char *[]){"a"}, 1), NOW));
    ck_assert(!view_adopt(view, (struct bytes){"\x80", 1}, NOW));
    ck_assert_int_eq(put(2, "b", NOW), STATUS_OK);
    ck_assert(view_issue(view, NOW + HOLD));
    check((COUNTER + 6) * VIEW_EPOCH_STEP, (const char *[]){"a", "b"}, 2);
}
END_TEST

/* What is told here only if the other broker does not tell it first. */
START_TEST(what_another_brokers_view_lacks_stays_due_until_it_has_it)
{
    uint64_t epoch = (COUNTER + 5) * VIEW_EPOCH_STEP + 1;
    const char *const both[] = {"a", "b"};
    ck_assert_int_eq(put(2, "b", NOW), STATUS_OK);
    ck_assert_int_eq(put(1, "a", NOW), STATUS_OK);
    ck_assert(view_adopt(view, told(epoch, both, 1), NOW));
    ck_assert_int_eq(view_due_at(view), NOW);
    ck_assert(view_adopt(view, told(epoch + VIEW_EPOCH_STEP, both, 2), NOW));
    ck_assert_int_eq(view_due_at(view), INT64_MAX); /* the order does not matter */
    view_drop(view, uuid_of(2), NOW);
    ck_assert_int_eq(view_due_at(view), NOW + HOLD);
    ck_assert_int_eq(put(2, "b", NOW), STATUS_OK); /* and is back: nothing is left to tell */
    ck_assert(!view_issue(view, NOW + HOLD));
    check(epoch + VIEW_EPOCH_STEP, both, 2);
    view_seen(view, (COUNTER + 20) * VIEW_EPOCH_STEP, NOW); /* but somebody follows a later one */
    ck_assert(view_issue(view, NOW + HOLD));
}
END_TEST

START_TEST(the_first_view_may_be_held_back)
{
    view_hold(view, NOW);
    ck_assert_int_eq(put(1, "a", NOW + 1), STATUS_OK);
    ck_assert(!view_issue(view, NOW + HOLD - 1));
    ck_assert(view_issue(view, NOW + HOLD));
}
END_TEST

START_TEST(members_are_bounded_and_can_always_be_told)
{
    char endpoint[ENDPOINT_BYTES_MAX];
    uint32_t taken = 0;
    size_t size = _i == 0 ? 20 : ENDPOINT_BYTES_MAX - 1;
    memset(endpoint, 'e', size);
    endpoint[size] = '\0';
    while (put(taken, endpoint, NOW) == STATUS_OK)
        taken++;
    ck_assert_uint_eq(taken, view_count(view));
    ck_assert_int_eq(taken == VIEW_MEMBERS_MAX, _i == 0);
    ck_assert_uint_ge(taken, 100);
    ck_assert(view_issue(view, NOW));
    ck_assert_uint_le(view_body(view).size, MESSAGE_BYTES_MAX);
    view_drop(view, uuid_of(0), NOW);
    ck_assert_int_eq(put(taken, endpoint, NOW), STATUS_OK);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_first_view_is_told_at_once_and_changes_together);
    tcase_add_test(tcase, what_does_not_change_tells_nothing);
    tcase_add_test(tcase, a_view_without_members_is_one);
    tcase_add_test(tcase, an_epoch_that_somebody_has_seen_is_passed);
    tcase_add_test(tcase, another_brokers_view_counts_if_its_epoch_is_higher);
    tcase_add_test(tcase, what_another_brokers_view_lacks_stays_due_until_it_has_it);
    tcase_add_test(tcase, the_first_view_may_be_held_back);
    tcase_add_loop_test(tcase, members_are_bounded_and_can_always_be_told, 0, 2);
}

int main(void)
{
    return suite_run("view", add_tests);
}
