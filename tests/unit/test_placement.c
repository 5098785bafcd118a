/* test_placement - every peer in every language computes the same table: each step, slots, caps,
 * whole tables, orders and movement as the golden vectors state them; and a view from outside is a
 * view or refused. */
#include <string.h>

#include "protocol/canonical.h"
#include "protocol/key.h"
#include "protocol/message.h"
#include "protocol/placement.h"
#include "tests/support/suite.h"
#include "tests/support/vectors.h"

static json_t *vectors;
static struct placement_logs logs;

static void setup(void)
{
    vectors = vectors_load("placement.json");
    placement_logs_init(&logs);
}

static void teardown(void)
{
    json_decref(vectors);
}

static const json_t *list(const char *name, size_t least)
{
    const json_t *vector = json_object_get(vectors, name);
    ck_assert_uint_ge(json_array_size(vector), least);
    return vector;
}

START_TEST(the_logarithm_is_the_golden_one)
{
    size_t i;
    json_t *vector;
    unsigned char bytes[sizeof logs.at];
    for (size_t k = 0; k < sizeof bytes; k++)
        bytes[k] = (unsigned char)(logs.at[k / 8] >> 8 * (k % 8));
    uint64_t hash = canonical_hash((struct bytes){(const char *)bytes, sizeof bytes});
    json_array_foreach(list("log2", 10), i, vector)
    {
        if (json_object_get(vector, "all") != NULL)
            ck_assert_uint_eq(hash, vectors_hash(vector, "hash"));
        else
            ck_assert_uint_eq(logs.at[vectors_number(vector, "i")], vectors_number(vector, "T"));
    }
    json_array_foreach(list("L", 10), i, vector) ck_assert_uint_eq(
        placement_log(&logs, vectors_hash(vector, "h")), vectors_number(vector, "L"));
}
END_TEST

START_TEST(keys_are_in_the_golden_slots)
{
    size_t i;
    json_t *vector;
    json_array_foreach(list("slots", 60), i, vector)
    {
        struct bytes key = vectors_bytes(vector, "key"), part = vectors_bytes(vector, "part");
        uint64_t hash = key_hash(vectors_hash(vector, "seed"), key);
        vectors_check_same(vectors_name(vector), key_part(key), part);
        ck_assert_uint_eq(hash, vectors_hash(vector, "hash"));
        ck_assert_uint_eq(key_slot(hash), vectors_number(vector, "slot"));
        free((void *)part.data);
        free((void *)key.data);
    }
}
END_TEST

START_TEST(scores_are_the_golden_ones)
{
    size_t i;
    json_t *vector;
    json_array_foreach(list("scores", 10), i, vector)
    {
        struct bytes uuid = vectors_bytes(vector, "uuid");
        uint64_t hash = placement_member_hash(vectors_hash(vector, "seed"),
                                              (unsigned)vectors_number(vector, "slot"),
                                              (const unsigned char *)uuid.data);
        uint64_t log = placement_log(&logs, hash);
        ck_assert_uint_eq(hash, vectors_hash(vector, "h"));
        ck_assert_uint_eq(log, vectors_number(vector, "L"));
        ck_assert_uint_eq(placement_score(log, (unsigned)vectors_number(vector, "weight")),
                          vectors_number(vector, "score"));
        free((void *)uuid.data);
    }
}
END_TEST

START_TEST(caps_are_the_golden_ones)
{
    size_t i, k;
    json_t *vector, *weight;
    json_array_foreach(list("caps", 9), i, vector)
    {
        const json_t *weights = json_object_get(vector, "weights");
        uint64_t sum = 0;
        json_array_foreach(weights, k, weight) sum += (uint64_t)json_integer_value(weight);
        json_array_foreach(weights, k, weight) ck_assert_uint_eq(
            placement_cap((unsigned)json_integer_value(weight), sum),
            (uint64_t)json_integer_value(json_array_get(json_object_get(vector, "caps"), k)));
    }
}
END_TEST

/* Member k of the vectors: uuid k, weight 1, no zone. */
static struct placement_member member_of_number(uint64_t k)
{
    struct placement_member member = {.weight = 1};
    for (unsigned i = 0; i < 8; i++)
        member.uuid[PLACEMENT_UUID_BYTES - 1 - i] = (unsigned char)(k >> 8 * i);
    return member;
}

/* [uuid, weight, zone], or a number. */
static struct placement_member member_of(const json_t *from)
{
    if (json_is_integer(from))
        return member_of_number((uint64_t)json_integer_value(from));
    struct placement_member member = {.weight =
                                          (unsigned)json_integer_value(json_array_get(from, 1))};
    struct bytes uuid = vectors_unhex(json_array_get(from, 0));
    const json_t *zone = json_array_get(from, 2);
    ck_assert_uint_eq(uuid.size, sizeof member.uuid);
    memcpy(member.uuid, uuid.data, sizeof member.uuid);
    member.zone_size = json_string_length(zone);
    ck_assert_uint_lt(member.zone_size, sizeof member.zone);
    memcpy(member.zone, json_string_value(zone), member.zone_size);
    free((void *)uuid.data);
    return member;
}

/* Members 1 to count. */
static struct placement_view *view_of_count(size_t count)
{
    struct placement_view *view = calloc(1, sizeof *view);
    ck_assert_ptr_nonnull(view);
    ck_assert_uint_le(count, VIEW_MEMBERS_MAX);
    view->count = count;
    for (size_t i = 0; i < count; i++)
        view->members[i] = member_of_number(i + 1);
    return view;
}

/* Of a list of members, or of so many. */
static struct placement_view *view_of(const json_t *members, uint64_t seed)
{
    bool counted = json_is_integer(members);
    struct placement_view *view =
        view_of_count(counted ? (size_t)json_integer_value(members) : json_array_size(members));
    view->seed = seed;
    for (size_t i = 0; i < json_array_size(members); i++)
        view->members[i] = member_of(json_array_get(members, i));
    return view;
}

static struct placement *table_of(const json_t *members, uint64_t seed)
{
    struct placement_view *view = view_of(members, seed);
    struct placement *table = placement_new(view);
    free(view);
    placement_build(table);
    return table;
}

static const struct placement_view *ordered; /* what compare_members() is about */
static unsigned ordered_slot;

static int compare_members(const void *left, const void *right)
{
    const struct placement_member *a = &ordered->members[*(const uint16_t *)left];
    const struct placement_member *b = &ordered->members[*(const uint16_t *)right];
    uint64_t hash_a = placement_member_hash(ordered->seed, ordered_slot, a->uuid);
    uint64_t hash_b = placement_member_hash(ordered->seed, ordered_slot, b->uuid);
    uint64_t score_a = placement_score(placement_log(&logs, hash_a), a->weight);
    uint64_t score_b = placement_score(placement_log(&logs, hash_b), b->weight);
    return score_a != score_b ? (score_a > score_b) - (score_a < score_b)
                              : memcmp(a->uuid, b->uuid, sizeof a->uuid);
}

/* All members in the order of a slot, by sorting. ret: room for all */
static void order_of(const struct placement *table, unsigned slot, uint16_t *ret)
{
    ordered = placement_view(table);
    ordered_slot = slot;
    for (uint16_t i = 0; i < ordered->count; i++)
        ret[i] = i;
    qsort(ret, ordered->count, sizeof *ret, compare_members);
}

static unsigned count_not_first(const struct placement *table)
{
    unsigned count = 0;
    uint16_t order[VIEW_MEMBERS_MAX];
    for (unsigned slot = 0; slot < CACHE_SLOTS; slot++) {
        order_of(table, slot, order);
        count += placement_owner(table, slot) != order[0];
    }
    return count;
}

START_TEST(tables_of_1_to_256_equal_members_are_the_golden_ones)
{
    size_t i;
    json_t *vector;
    json_array_foreach(list("tables", 67), i, vector)
    {
        const json_t *members = json_object_get(vector, "members");
        struct placement *table = table_of(members, 0);
        unsigned least = CACHE_SLOTS, most = 0;
        for (uint16_t k = 0; k < placement_view(table)->count; k++) {
            unsigned owned = placement_owned(table, k);
            least = owned < least ? owned : least;
            most = owned > most ? owned : most;
        }
        ck_assert_uint_eq(placement_hash(table), vectors_hash(vector, "hash"));
        ck_assert_uint_eq(placement_spread_hash(table), vectors_hash(vector, "spread_hash"));
        ck_assert_uint_eq(least, vectors_number(vector, "least"));
        ck_assert_uint_eq(most, vectors_number(vector, "most"));
        if (json_integer_value(members) <= 24) /* sorting takes its time */
            ck_assert_uint_eq(count_not_first(table), vectors_number(vector, "not_first"));
        placement_destroy(&table);
    }
}
END_TEST

static void check_counts(const struct placement *table, const json_t *vector)
{
    unsigned back[VIEW_MEMBERS_MAX] = {0};
    const json_t *caps = json_object_get(vector, "caps"), *own = json_object_get(vector, "own");
    for (unsigned slot = 0; slot < CACHE_SLOTS; slot++)
        back[placement_backup(table, slot)]++;
    for (uint16_t i = 0; i < placement_view(table)->count; i++) {
        ck_assert_uint_eq(placement_owned(table, i), json_integer_value(json_array_get(own, i)));
        ck_assert_uint_le(placement_owned(table, i), json_integer_value(json_array_get(caps, i)));
        ck_assert_uint_eq(back[i],
                          json_integer_value(json_array_get(json_object_get(vector, "back"), i)));
    }
}

START_TEST(weights_zones_and_seeds_give_the_golden_tables)
{
    size_t i;
    json_t *vector;
    json_array_foreach(list("views", 13), i, vector)
    {
        struct placement *table =
            table_of(json_object_get(vector, "members"), vectors_hash(vector, "seed"));
        ck_assert_msg(placement_hash(table) == vectors_hash(vector, "hash"), "%s",
                      vectors_name(vector));
        ck_assert_uint_eq(placement_spread_hash(table), vectors_hash(vector, "spread_hash"));
        ck_assert_uint_eq(count_not_first(table), vectors_number(vector, "not_first"));
        check_counts(table, vector);
        placement_destroy(&table);
    }
}
END_TEST

START_TEST(the_order_of_a_slot_and_its_four_are_the_golden_ones)
{
    size_t i, k;
    json_t *vector, *expected;
    json_array_foreach(list("orders", 17), i, vector)
    {
        uint16_t order[VIEW_MEMBERS_MAX];
        unsigned slot = (unsigned)vectors_number(vector, "slot");
        const json_t *spread = json_object_get(vector, "spread");
        struct placement *table =
            table_of(json_object_get(vector, "members"), vectors_hash(vector, "seed"));
        order_of(table, slot, order);
        json_array_foreach(json_object_get(vector, "order"), k, expected)
            ck_assert_uint_eq(order[k], json_integer_value(expected));
        ck_assert_uint_eq(k, placement_view(table)->count);
        ck_assert_uint_eq(placement_owner(table, slot), vectors_number(vector, "owner"));
        ck_assert_uint_eq(placement_backup(table, slot), vectors_number(vector, "backup"));
        for (unsigned s = 0; s < PLACEMENT_SPREAD; s++) {
            uint16_t member = placement_spread(table, slot, s);
            const json_t *stated = json_array_get(spread, s);
            ck_assert_uint_eq(member, stated == NULL ? PLACEMENT_NONE : json_integer_value(stated));
        }
        placement_destroy(&table);
    }
}
END_TEST

START_TEST(whole_tables_are_the_golden_ones_slot_by_slot)
{
    size_t i;
    json_t *vector;
    json_array_foreach(list("full", 2), i, vector)
    {
        struct placement *table = table_of(json_object_get(vector, "members"), 0);
        for (unsigned slot = 0; slot < CACHE_SLOTS; slot++) {
            const char *owners =
                json_string_value(json_array_get(json_object_get(vector, "owners"), slot / 256));
            const char *backups =
                json_string_value(json_array_get(json_object_get(vector, "backups"), slot / 256));
            ck_assert_uint_eq(placement_owner(table, slot), (unsigned)(owners[slot % 256] - '0'));
            ck_assert_uint_eq(placement_backup(table, slot), (unsigned)(backups[slot % 256] - '0'));
        }
        placement_destroy(&table);
    }
}
END_TEST

/* The member of one table in the other; PLACEMENT_NONE: it is not there. */
static uint16_t translate(const struct placement *from, uint16_t member, const struct placement *to)
{
    if (member == PLACEMENT_NONE)
        return PLACEMENT_NONE;
    const unsigned char *uuid = placement_view(from)->members[member].uuid;
    return placement_find(to, (struct bytes){(const char *)uuid, PLACEMENT_UUID_BYTES});
}

struct moves {
    unsigned owners, to_joined, from_left, between_others, backups;
};

static void count_slot(const struct placement *before, const struct placement *after, unsigned slot,
                       struct moves *moves)
{
    uint16_t was = placement_owner(before, slot), is = placement_owner(after, slot);
    uint16_t back_was = placement_backup(before, slot), back_is = placement_backup(after, slot);
    bool left = translate(before, was, after) == PLACEMENT_NONE;
    bool joined = translate(after, is, before) == PLACEMENT_NONE;
    bool paired = (back_was == PLACEMENT_NONE) == (back_is == PLACEMENT_NONE);
    bool kept = paired && translate(before, back_was, after) == back_is;
    moves->owners += translate(before, was, after) != is;
    moves->to_joined += joined;
    moves->from_left += left;
    moves->between_others += translate(before, was, after) != is && !joined && !left;
    moves->backups += !kept;
}

/* Ideal: the share of the one that came or went. The design allows 1.10 of it to 16 members and
 * 1.25 to 64. */
START_TEST(a_join_or_a_leave_moves_the_golden_slots_and_few_more_than_it_must)
{
    size_t i;
    json_t *vector;
    json_array_foreach(list("moves", 16), i, vector)
    {
        struct placement *before = table_of(json_object_get(vector, "before"), 0);
        struct placement *after = table_of(json_object_get(vector, "after"), 0);
        struct moves moves = {0};
        const json_t *ideal = json_object_get(vector, "ideal");
        double most = placement_view(after)->count <= 17 ? 1.10 : 1.25;
        for (unsigned slot = 0; slot < CACHE_SLOTS; slot++)
            count_slot(before, after, slot, &moves);
        ck_assert_uint_eq(moves.owners, vectors_number(vector, "owners"));
        ck_assert_uint_eq(moves.to_joined, vectors_number(vector, "to_joined"));
        ck_assert_uint_eq(moves.from_left, vectors_number(vector, "from_left"));
        ck_assert_uint_eq(moves.between_others, vectors_number(vector, "between_others"));
        ck_assert_uint_eq(moves.backups, vectors_number(vector, "backups"));
        if (!json_is_null(ideal))
            ck_assert_double_le(moves.owners, most * json_number_value(ideal));
        placement_destroy(&after);
        placement_destroy(&before);
    }
}
END_TEST

START_TEST(a_table_built_some_slots_a_turn_is_the_same)
{
    struct placement_view *view = view_of_count(8);
    struct placement *whole = placement_new(view), *parts = placement_new(view);
    unsigned turns = 1;
    placement_build(whole);
    ck_assert_uint_eq(placement_owner(parts, 0), PLACEMENT_NONE);
    for (; !placement_build_some(parts, PLACEMENT_TURN_SLOTS); turns++)
        ck_assert_uint_eq(placement_owner(parts, turns * PLACEMENT_TURN_SLOTS), PLACEMENT_NONE);
    ck_assert_uint_eq(turns, CACHE_SLOTS / PLACEMENT_TURN_SLOTS);
    ck_assert_uint_eq(placement_hash(parts), placement_hash(whole));
    placement_destroy(&parts);
    placement_destroy(&whole);
    placement_destroy(&whole); /* takes NULL */
    free(view);
}
END_TEST

START_TEST(without_members_a_slot_is_nobodys)
{
    struct placement_view *view = view_of_count(0);
    struct placement *table = placement_new(view);
    ck_assert(placement_build_some(table, 1));
    ck_assert_uint_eq(placement_owner(table, CACHE_SLOTS - 1), PLACEMENT_NONE);
    ck_assert_uint_eq(placement_backup(table, 0), PLACEMENT_NONE);
    placement_destroy(&table);
    free(view);
}
END_TEST

/* A view of members, each with a uuid and a weight. */
static struct bytes view_body(const struct msg_member *members, size_t count, char *out,
                              size_t size)
{
    static char list_bytes[65536];
    struct msg_view view = {.epoch = 513, .seed = 7};
    struct writer writer;
    struct bytes body;
    writer_init(&writer, list_bytes, sizeof list_bytes);
    writer_array(&writer, count);
    for (size_t i = 0; i < count; i++)
        ck_assert_int_eq(message_write(MSG_MEMBER, &members[i], &writer), STATUS_OK);
    view.members = writer_bytes(&writer);
    ck_assert_int_eq(message_encode(MSG_VIEW, &view, out, size, &body), STATUS_OK);
    return body;
}

static struct msg_member wire_member(const char *uuid, uint64_t weight)
{
    return (struct msg_member){.uuid = {uuid, strlen(uuid)},
                               .weight = weight,
                               .zone = bytes_of("z"),
                               .endpoint = bytes_of("tcp://127.0.0.1:5600"),
                               .instance = bytes_of("p-1")};
}

START_TEST(a_view_is_read_from_its_message)
{
    static struct placement_view view;
    char body[4096];
    struct msg_member members[] = {wire_member("0123456789abcdef", 100),
                                   wire_member("0123456789abcdeg", PLACEMENT_WEIGHT_MAX)};
    ck_assert_int_eq(placement_decode(view_body(members, 2, body, sizeof body), &view), STATUS_OK);
    ck_assert_uint_eq(view.epoch, 513);
    ck_assert_uint_eq(view.seed, 7);
    ck_assert_uint_eq(view.count, 2);
    ck_assert_uint_eq(view.members[0].weight, 100);
    ck_assert_str_eq(view.members[0].zone, "z");
    ck_assert_uint_eq(view.members[0].zone_size, 1);
    ck_assert_str_eq(view.members[1].endpoint, "tcp://127.0.0.1:5600");
    ck_assert_str_eq(view.members[1].instance, "p-1");
    struct placement *table = placement_new(&view);
    ck_assert_uint_eq(placement_find(table, bytes_of("0123456789abcdeg")), 1);
    ck_assert_uint_eq(placement_find(table, bytes_of("0123456789abcdeh")), PLACEMENT_NONE);
    ck_assert_uint_eq(placement_find(table, bytes_of("0123")), PLACEMENT_NONE);
    placement_destroy(&table);
}
END_TEST

static const struct {
    const char *uuid;
    uint64_t weight;
} bad_members[] = {
    {"0123456789abcdef", 1}, /* it is there already */
    {"0123456789abcdeg", 0}, {"0123456789abcdeg", PLACEMENT_WEIGHT_MAX + 1},
    {"0123456789abcde", 1},  {"", 1},
};

START_TEST(a_view_with_a_bad_member_is_refused)
{
    static struct placement_view view;
    char body[4096];
    struct msg_member members[] = {wire_member("0123456789abcdef", 1),
                                   wire_member(bad_members[_i].uuid, bad_members[_i].weight)};
    ck_assert_int_eq(placement_decode(view_body(members, 2, body, sizeof body), &view),
                     STATUS_BAD_REQUEST);
}
END_TEST

/* The bound of the rows; one member more does not fit. */
START_TEST(a_view_holds_as_many_members_as_the_bound_and_no_more)
{
    static struct placement_view view;
    static struct msg_member members[VIEW_MEMBERS_MAX + 1];
    static char uuids[VIEW_MEMBERS_MAX + 1][PLACEMENT_UUID_BYTES + 1], body[65536];
    for (unsigned i = 0; i <= VIEW_MEMBERS_MAX; i++) {
        (void)snprintf(uuids[i], sizeof uuids[i], "%016u", i);
        members[i] = wire_member(uuids[i], 1);
    }
    struct bytes full = view_body(members, VIEW_MEMBERS_MAX, body, sizeof body);
    ck_assert_int_eq(placement_decode(full, &view), STATUS_OK);
    ck_assert_uint_eq(view.count, VIEW_MEMBERS_MAX);
    size_t size = full.size;
    for (size_t cut = 0; cut < size; cut += 97)
        ck_assert_int_eq(placement_decode((struct bytes){body, cut}, &view), STATUS_BAD_REQUEST);
    /* The list claims one more than may be: 0xdc, then its count. */
    char *count = memmem(body, size, "\xdc\x01\x00", 3);
    ck_assert_ptr_nonnull(count);
    struct bytes last = {count + 3, cursor_measure((struct bytes){count + 3, 200})};
    memmove(count + 3 + last.size, count + 3, size - (size_t)(count + 3 - body));
    count[2] = 1;
    ck_assert_int_eq(placement_decode((struct bytes){body, size + last.size}, &view),
                     STATUS_TOO_LARGE);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_logarithm_is_the_golden_one);
    tcase_add_test(tcase, keys_are_in_the_golden_slots);
    tcase_add_test(tcase, scores_are_the_golden_ones);
    tcase_add_test(tcase, caps_are_the_golden_ones);
    tcase_add_test(tcase, tables_of_1_to_256_equal_members_are_the_golden_ones);
    tcase_add_test(tcase, weights_zones_and_seeds_give_the_golden_tables);
    tcase_add_test(tcase, the_order_of_a_slot_and_its_four_are_the_golden_ones);
    tcase_add_test(tcase, whole_tables_are_the_golden_ones_slot_by_slot);
    tcase_add_test(tcase, a_join_or_a_leave_moves_the_golden_slots_and_few_more_than_it_must);
    tcase_add_test(tcase, a_table_built_some_slots_a_turn_is_the_same);
    tcase_add_test(tcase, without_members_a_slot_is_nobodys);
    tcase_add_test(tcase, a_view_is_read_from_its_message);
    tcase_add_loop_test(tcase, a_view_with_a_bad_member_is_refused, 0,
                        sizeof bad_members / sizeof bad_members[0]);
    tcase_add_test(tcase, a_view_holds_as_many_members_as_the_bound_and_no_more);
    tcase_set_timeout(tcase, 60);
}

int main(void)
{
    return suite_run("placement", add_tests);
}
