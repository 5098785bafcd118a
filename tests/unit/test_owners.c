/* test_owners - whoever owns a slot by the newest view is asked under the number that the runtime
 * knows it by; a large view serves once its table is built; who is silent is left out for a while.
 */
#include <stdio.h>
#include <string.h>

#include "actors/driver/owners.h"
#include "protocol/placement.h"
#include "tests/support/suite.h"

#define NOW (1000 * US_PER_S)
#define KEYS 200

static struct owners *owners;
static char room[131072], members_room[65536];

static void setup(void)
{
    owners = owners_new();
}

static void teardown(void)
{
    owners_destroy(&owners);
}

/* Members first, first + 1 ...: their numbers are their uuids. */
static struct bytes view_of(uint64_t epoch, unsigned first, unsigned count)
{
    char uuid[16] = {0};
    struct writer writer;
    struct bytes body = {0};
    writer_init(&writer, members_room, sizeof members_room);
    writer_array(&writer, count);
    for (unsigned i = 0; i < count; i++) {
        uuid[15] = (char)(first + i);
        struct msg_member member = {
            .uuid = {uuid, sizeof uuid}, .weight = 100, .endpoint = bytes_of("tcp://127.0.0.1:1")};
        ck_assert_int_eq(message_write(MSG_MEMBER, &member, &writer), STATUS_OK);
    }
    struct msg_view view = {.epoch = epoch, .members = writer_bytes(&writer)};
    ck_assert_int_eq(message_encode(MSG_VIEW, &view, room, sizeof room, &body), STATUS_OK);
    return body;
}

static void take_view(uint64_t epoch, unsigned first, unsigned count)
{
    struct msg_view view;
    ck_assert_int_eq(message_decode(MSG_VIEW, view_of(epoch, first, count), &view), STATUS_OK);
    owners_take_view(owners, &view);
}

static struct owner owner_of(unsigned key)
{
    char text[32];
    snprintf(text, sizeof text, "Test_Echo:%u", key);
    return owners_of(owners, bytes_of(text), NOW);
}

START_TEST(without_a_view_nobody_is_asked)
{
    ck_assert_uint_eq(owner_of(1).member, OWNER_NONE);
    take_view(1, 1, 0);
    ck_assert_uint_eq(owner_of(1).member, OWNER_NONE);
}
END_TEST

START_TEST(every_member_is_asked_and_says_so_by_its_uuid)
{
    unsigned asked[3] = {0};
    take_view(5, 1, 3);
    for (unsigned key = 0; key < KEYS; key++) {
        struct owner owner = owner_of(key);
        ck_assert_uint_lt(owner.member, 3);
        ck_assert_uint_eq(owner.epoch, 5);
        ck_assert_int_eq(owner.uuid[15], (char)(owner.member + 1));
        asked[owner.member]++;
    }
    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_gt(asked[i], KEYS / 6);
}
END_TEST

START_TEST(a_newer_view_of_a_partition_decides_and_the_runtimes_numbers_stay)
{
    take_view(5, 1, 3);
    ck_assert(owners_take_newer(owners, view_of(6, 2, 2))); /* the first has left */
    for (unsigned key = 0; key < KEYS; key++) {
        struct owner owner = owner_of(key);
        ck_assert_uint_eq(owner.epoch, 6);
        ck_assert_uint_ne(owner.member, 0);
        ck_assert_int_eq(owner.uuid[15], (char)(owner.member + 1));
    }
    ck_assert(
        owners_take_newer(owners, view_of(7, 4, 1))); /* one that the runtime cannot ask yet */
    ck_assert_uint_eq(owner_of(1).member, OWNER_NONE);
    take_view(7, 4, 1);
    ck_assert_uint_eq(owner_of(1).member, 0);
}
END_TEST

START_TEST(what_is_older_or_no_view_is_not_taken)
{
    take_view(5, 1, 3);
    ck_assert(!owners_take_newer(owners, view_of(5, 1, 1)));
    ck_assert(!owners_take_newer(owners, view_of(4, 1, 1)));
    ck_assert(!owners_take_newer(owners, (struct bytes){0}));
    ck_assert(!owners_take_newer(owners, bytes_of("\x80")));
    ck_assert_uint_eq(owner_of(1).epoch, 5);
}
END_TEST

START_TEST(a_large_table_is_built_by_turns_while_the_old_one_serves)
{
    unsigned turns = 1;
    take_view(5, 1, 3);
    take_view(6, 1, 40);
    ck_assert(owners_building(owners));
    ck_assert_uint_eq(owner_of(1).epoch, 5);
    while (owners_build(owners))
        turns++;
    ck_assert_uint_eq(turns, CACHE_SLOTS / PLACEMENT_TURN_SLOTS);
    ck_assert(!owners_building(owners));
    ck_assert_uint_eq(owner_of(1).epoch, 6);
}
END_TEST

START_TEST(who_is_silent_is_left_out_for_a_while)
{
    take_view(5, 1, 1);
    owners_silent(owners, 0, NOW);
    ck_assert_uint_eq(owner_of(1).member, OWNER_NONE);
    ck_assert_uint_eq(owners_of(owners, bytes_of("x"), NOW + OWNER_SILENT_MS * US_PER_MS).member,
                      0);
    take_view(6, 1, 2); /* the numbers are others: nothing is known of them */
    ck_assert_uint_ne(owner_of(1).member, OWNER_NONE);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, without_a_view_nobody_is_asked);
    tcase_add_test(tcase, every_member_is_asked_and_says_so_by_its_uuid);
    tcase_add_test(tcase, a_newer_view_of_a_partition_decides_and_the_runtimes_numbers_stay);
    tcase_add_test(tcase, what_is_older_or_no_view_is_not_taken);
    tcase_add_test(tcase, a_large_table_is_built_by_turns_while_the_old_one_serves);
    tcase_add_test(tcase, who_is_silent_is_left_out_for_a_while);
}

int main(void)
{
    return suite_run("owners", add_tests);
}
