/* test_others - the list of brokers is read or refused with a reason; of all that live the first
 * that sees most of the partitions tells the view. */
#include <stdio.h>
#include <string.h>

#include "broker/others.h"
#include "protocol/pairs.h"
#include "tests/support/suite.h"

#define NOW (INT64_C(1000) * US_PER_S)
#define A "tcp://h:1"
#define B "tcp://h:4"
#define C "tcp://h:7"
#define LIST A ",tcp://h:2,tcp://h:3," B ",tcp://h:5,tcp://h:6," C ",tcp://h:8,tcp://h:9"

static struct others others;
static char reason[OTHERS_REASON_BYTES];

/* The message of an event, in a buffer of exactly its size. */
static bool was_beat;

static struct bytes hear(unsigned index, const char *topic, struct bytes body, int64_t now_at)
{
    static char *bytes;
    struct bytes view;
    char head[PAIR_HEAD_BYTES_MAX];
    struct header header = {.command = COMMAND_EVENT,
                            .class = CLASS_CRITICAL,
                            .id = 1,
                            .role = ROLE_BROKER,
                            .method = bytes_of(topic)};
    size_t size = pairs_encode_head(&header, body, head);
    free(bytes);
    bytes = malloc(size + body.size);
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, head, size);
    if (body.size > 0)
        memcpy(bytes + size, body.data, body.size);
    was_beat = others_hear(&others, index, (struct bytes){bytes, size + body.size}, now_at, &view);
    return view;
}

static void beat(unsigned index, uint64_t partitions, int64_t now_at)
{
    char room[CONTROL_BYTES_MAX];
    struct bytes body;
    struct msg_event_members members = {.generation = 9, .partitions = partitions, .epoch = 7};
    ck_assert_int_eq(message_encode(MSG_EVENT_MEMBERS, &members, room, sizeof room, &body),
                     STATUS_OK);
    ck_assert_ptr_null(hear(index, "members", body, now_at).data);
    ck_assert(was_beat);
}

START_TEST(all_others_are_read_and_the_order_is_that_of_the_frontends)
{
    static const struct {
        const char *own;
        unsigned count;
        uint32_t rank;
    } rows[] = {{A, 2, 0}, {B, 2, 1}, {C, 2, 2}, {"tcp://h:0", 3, 0}, {"tcp://z:0", 3, 3}};
    ck_assert(others_init(&others, LIST, rows[_i].own, reason));
    ck_assert_uint_eq(others.count, rows[_i].count);
    ck_assert_uint_eq(others.rank, rows[_i].rank);
}
END_TEST

START_TEST(a_list_that_makes_no_sense_is_refused_with_a_reason)
{
    char many[40 * (OTHERS_MAX + 1)] = "", *at = many;
    for (unsigned i = 0; i <= OTHERS_MAX; i++)
        at += sprintf(at, "%stcp://h:%u,x,x", i > 0 ? "," : "", 100 + i);
    const char *const rows[] = {"tcp://h:1", "tcp://h:1,b", ",,", "a,b,c,a,b,c", many};
    ck_assert(!others_init(&others, rows[_i], "tcp://h:0", reason));
    ck_assert_ptr_nonnull(strstr(reason, "broker.peers"));
    ck_assert(others_init(&others, "", A, reason));
    ck_assert_uint_eq(others.count, 0);
}
END_TEST

START_TEST(one_is_heard_until_it_has_been_silent_for_three_beats)
{
    ck_assert(others_init(&others, LIST, A, reason));
    ck_assert(!others_is_heard(&others, 0, NOW));
    beat(0, 1, NOW);
    beat(1, 1, NOW + US_PER_S);
    ck_assert_uint_eq(others_heard(&others, NOW + 3 * US_PER_S - 1), 2);
    ck_assert_uint_eq(others_heard(&others, NOW + 3 * US_PER_S), 1);
    ck_assert_uint_eq(others_heard(&others, NOW + 4 * US_PER_S), 0);
    ck_assert_uint_eq(others.places[0].generation, 9);
    ck_assert_uint_eq(others.places[0].epoch, 7);
}
END_TEST

START_TEST(the_first_that_sees_most_partitions_tells_the_view)
{
    static const struct {
        const char *own;
        uint64_t first, second, mine;
        bool tells;
    } rows[] = {
        {A, 4, 4, 4, true},  {A, 4, 4, 3, true}, {A, 4, 4, 2, false}, {A, 0, 0, 0, true},
        {B, 4, 4, 4, false}, {B, 2, 4, 4, true}, {B, 3, 4, 4, false}, {C, 4, 4, 4, false},
        {C, 1, 2, 4, true},  {C, 0, 0, 1, true}, {B, 0, 0, 0, true},  {A, 1, 0, 0, false},
    };
    ck_assert(others_init(&others, LIST, rows[_i].own, reason));
    ck_assert(others_let_tell(&others, rows[_i].mine, NOW)); /* nobody else is heard */
    beat(0, rows[_i].first, NOW);
    beat(1, rows[_i].second, NOW);
    ck_assert_int_eq(others_let_tell(&others, rows[_i].mine, NOW), rows[_i].tells);
    ck_assert(others_let_tell(&others, rows[_i].mine, NOW + 3 * US_PER_S)); /* they are gone */
}
END_TEST

START_TEST(a_view_is_handed_on_and_what_makes_no_sense_is_passed_over)
{
    struct bytes view;
    ck_assert(others_init(&others, LIST, A, reason));
    view = hear(0, "view", (struct bytes){"\x80", 1}, NOW);
    ck_assert_uint_eq(view.size, 1);
    ck_assert(others_is_heard(&others, 0, NOW));
    ck_assert_ptr_null(hear(0, "drain", (struct bytes){"\x80", 1}, NOW).data);
    ck_assert_ptr_null(hear(1, "members", (struct bytes){"\xc1", 1}, NOW).data);
    ck_assert(!was_beat);
    ck_assert_uint_eq(others.places[1].generation, 0);
    static const char *const garbage[] = {"", "\xc1", "\x93\x01\x16"};
    for (size_t i = 0; i < sizeof garbage / sizeof garbage[0]; i++) {
        ck_assert(others_init(&others, LIST, A, reason));
        ck_assert(!others_hear(&others, 1, bytes_of(garbage[i]), NOW, &view));
        ck_assert_ptr_null(view.data);
        ck_assert(!others_is_heard(&others, 1, NOW));
    }
}
END_TEST

START_TEST(all_are_written_as_addresses)
{
    char room[BROKERS_MAX * 4 * ENDPOINT_BYTES_MAX];
    struct writer writer;
    struct msg_broker_address address;
    struct bytes value;
    writer_init(&writer, room, sizeof room);
    ck_assert(others_init(&others, LIST, B, reason));
    writer_array(&writer, others.count);
    others_write(&others, &writer);
    struct values values = values_over(writer_bytes(&writer));
    ck_assert(values_next(&values, &value));
    ck_assert_int_eq(message_decode(MSG_BROKER_ADDRESS, value, &address), STATUS_OK);
    ck_assert(bytes_are(address.frontend, A));
    ck_assert(bytes_are(address.events, "tcp://h:3"));
    ck_assert(values_next(&values, &value));
    ck_assert_int_eq(message_decode(MSG_BROKER_ADDRESS, value, &address), STATUS_OK);
    ck_assert(bytes_are(address.backend, "tcp://h:8"));
    ck_assert(!values_next(&values, &value));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, all_others_are_read_and_the_order_is_that_of_the_frontends, 0, 5);
    tcase_add_loop_test(tcase, a_list_that_makes_no_sense_is_refused_with_a_reason, 0, 5);
    tcase_add_test(tcase, one_is_heard_until_it_has_been_silent_for_three_beats);
    tcase_add_loop_test(tcase, the_first_that_sees_most_partitions_tells_the_view, 0, 12);
    tcase_add_test(tcase, a_view_is_handed_on_and_what_makes_no_sense_is_passed_over);
    tcase_add_test(tcase, all_are_written_as_addresses);
}

int main(void)
{
    return suite_run("others", add_tests);
}
