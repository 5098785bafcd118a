/* test_outbox - what is ready together leaves together, in order per peer, in messages within their
 * bounds, however few buffers there are; and large pairs are not copied. */
#include <string.h>

#include "broker/outbox.h"
#include "tests/support/suite.h"

#define PLACES 64u
#define BUFFERS 4ul
#define LARGE 100000u

static struct outbox *outbox;
static struct {
    uint64_t next[PLACES]; /* id that each must get next */
    unsigned messages, pairs;
    uint32_t last_place;
    const char *last_at;
    unsigned answers; /* carrying one puts so many others in */
} carried;
static char large[LARGE];

static void put(uint32_t place, uint64_t id, size_t body_bytes)
{
    struct header header = {.command = COMMAND_HEARTBEAT, .id = id, .class = CLASS_CRITICAL};
    outbox_put(outbox, place, &header, (struct bytes){large, body_bytes});
}

static void carry(void *owner, uint32_t place, zmq_msg_t *message)
{
    (void)owner;
    struct pairs pairs = pairs_over(frame_bytes(message));
    struct pair pair;
    while (pairs_next(&pairs, &pair)) {
        ck_assert_uint_eq(pair.header.id, carried.next[place]);
        carried.next[place]++;
        carried.pairs++;
    }
    ck_assert(!pairs.broken);
    carried.messages++;
    carried.last_place = place;
    carried.last_at = zmq_msg_data(message);
    unsigned answers = carried.answers;
    carried.answers = 0;
    for (unsigned i = 0; i < answers; i++)
        put(place, carried.next[place] + i, 1);
}

static void setup(void)
{
    memset(&carried, 0, sizeof carried);
    outbox = outbox_new(PLACES, BUFFERS, carry, NULL);
}

static void teardown(void)
{
    outbox_destroy(&outbox);
    ck_assert_ptr_null(outbox);
}

START_TEST(what_is_ready_together_leaves_together)
{
    for (uint64_t id = 0; id < 10; id++)
        for (uint32_t place = 0; place < BUFFERS; place++)
            put(place, id, 10);
    ck_assert_uint_eq(carried.messages, 0);
    ck_assert_uint_eq(outbox_used(outbox), BUFFERS);
    outbox_flush(outbox);
    ck_assert_uint_eq(carried.messages, BUFFERS);
    ck_assert_uint_eq(carried.pairs, 10 * BUFFERS);
    ck_assert_uint_eq(outbox_used(outbox), 0);
}
END_TEST

START_TEST(without_a_buffer_the_first_is_sent_early)
{
    for (uint32_t place = 0; place < BUFFERS + 1; place++)
        put(place, 0, 10);
    ck_assert_uint_eq(carried.messages, 1);
    ck_assert_uint_eq(carried.last_place, 0);
    put(0, 1, 10);
    ck_assert_uint_eq(carried.last_place, 1);
    outbox_flush(outbox);
    ck_assert_uint_eq(carried.pairs, BUFFERS + 2);
}
END_TEST

START_TEST(a_message_ends_at_its_bounds)
{
    for (uint64_t id = 0; id < MESSAGE_PAIRS_MAX + 1; id++)
        put(0, id, 1);
    ck_assert_uint_eq(carried.messages, 1);
    ck_assert_uint_eq(carried.pairs, MESSAGE_PAIRS_MAX);
    for (uint64_t id = 0; id < 3; id++)
        put(1, id, 30000);
    ck_assert_uint_eq(carried.messages, 2);
    outbox_flush(outbox);
    ck_assert_uint_eq(carried.messages, 4);
}
END_TEST

START_TEST(a_large_pair_overtakes_nothing)
{
    put(0, 0, 10);
    put(0, 1, LARGE);
    ck_assert_uint_eq(carried.messages, 2);
    put(0, 2, 10);
    outbox_flush(outbox);
    ck_assert_uint_eq(carried.pairs, 3);
}
END_TEST

START_TEST(a_large_message_is_passed_on_uncopied_and_kept)
{
    zmq_msg_t message;
    struct header header = {.command = COMMAND_HEARTBEAT, .class = CLASS_CRITICAL};
    frame_encode(&message, &header, (struct bytes){large, LARGE});
    const char *at = zmq_msg_data(&message);
    outbox_pass(outbox, 5, &message);
    ck_assert_ptr_eq(carried.last_at, at);
    ck_assert_uint_gt(zmq_msg_size(&message), LARGE);
    zmq_msg_close(&message);
}
END_TEST

/* What libzmq shares is not patched: the bytes may be on their way. */
START_TEST(what_is_shared_becomes_a_copy_to_be_patched)
{
    zmq_msg_t message, shared;
    struct header header = {.command = COMMAND_HEARTBEAT, .class = CLASS_CRITICAL};
    frame_encode(&message, &header, (struct bytes){large, LARGE});
    const char *at = zmq_msg_data(&message);
    ck_assert_ptr_eq(frame_own(&message), at);
    zmq_msg_init(&shared);
    zmq_msg_copy(&shared, &message);
    ck_assert_ptr_ne(frame_own(&message), at);
    ck_assert_uint_eq(zmq_msg_size(&message), zmq_msg_size(&shared));
    zmq_msg_close(&message);
    zmq_msg_close(&shared);
}
END_TEST

START_TEST(what_carrying_sets_off_is_kept_for_the_next_flush)
{
    put(0, 0, 1);
    carried.answers = 1;
    outbox_flush(outbox);
    ck_assert_uint_eq(outbox_used(outbox), 1);
    outbox_flush(outbox);
    ck_assert_uint_eq(carried.pairs, 2);
}
END_TEST

/* The buffer that has come free is taken by what that set off: the next one goes, too. */
START_TEST(what_carrying_sets_off_may_take_the_last_buffer)
{
    for (uint32_t place = 0; place < BUFFERS; place++)
        put(place, 0, 10);
    carried.answers = 1;
    put(BUFFERS, 0, 10);
    ck_assert_uint_eq(carried.messages, 2);
    ck_assert_uint_eq(outbox_used(outbox), BUFFERS);
    outbox_flush(outbox);
    ck_assert_uint_eq(carried.pairs, BUFFERS + 2);
}
END_TEST

START_TEST(what_carrying_sets_off_may_fill_the_next_message)
{
    for (uint64_t id = 0; id < MESSAGE_PAIRS_MAX; id++)
        put(0, id, 1);
    carried.answers = MESSAGE_PAIRS_MAX;
    put(0, 2ul * MESSAGE_PAIRS_MAX, 1);
    ck_assert_uint_eq(carried.messages, 2);
    outbox_flush(outbox);
    ck_assert_uint_eq(carried.pairs, 2 * MESSAGE_PAIRS_MAX + 1);
}
END_TEST

/* From a seed: whatever is put, each peer gets it in order and all of it. */
START_TEST(nothing_is_lost_or_reordered)
{
    uint64_t seed = 7, put_ids[PLACES] = {0}, all = 0;
    for (int step = 0; step < 30000; step++) {
        uint32_t place = (uint32_t)(random_next(&seed) % PLACES);
        size_t size = random_next(&seed) % (random_next(&seed) % 50 == 0 ? LARGE : 2000);
        if (random_next(&seed) % 100 == 0)
            outbox_flush(outbox);
        if (random_next(&seed) % 100 == 0)
            outbox_flush_place(outbox, place);
        put(place, put_ids[place]++, size);
        all++;
        ck_assert_uint_le(outbox_used(outbox), BUFFERS);
    }
    outbox_flush(outbox);
    ck_assert_uint_eq(carried.pairs, all);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, what_is_ready_together_leaves_together);
    tcase_add_test(tcase, without_a_buffer_the_first_is_sent_early);
    tcase_add_test(tcase, a_message_ends_at_its_bounds);
    tcase_add_test(tcase, a_large_pair_overtakes_nothing);
    tcase_add_test(tcase, a_large_message_is_passed_on_uncopied_and_kept);
    tcase_add_test(tcase, what_is_shared_becomes_a_copy_to_be_patched);
    tcase_add_test(tcase, what_carrying_sets_off_is_kept_for_the_next_flush);
    tcase_add_test(tcase, what_carrying_sets_off_may_take_the_last_buffer);
    tcase_add_test(tcase, what_carrying_sets_off_may_fill_the_next_message);
    tcase_add_test(tcase, nothing_is_lost_or_reordered);
}

int main(void)
{
    return suite_run("outbox", add_tests);
}
