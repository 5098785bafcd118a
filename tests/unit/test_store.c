/* test_store - what is found is what was last put, to the byte; the memory is bounded, and used;
 * what goes first for room is what is worth least. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "actors/cache_partition/store.h"
#include "tests/support/suite.h"

#define SMALL_BYTES STORE_BYTES_MIN
#define LARGE_BYTES (64u << 20)
#define SEED 42
#define NOW 1000000
#define FOREVER INT64_MAX

static struct store *store;
static uint64_t random_state;

static void setup(void)
{
    store = store_new(SMALL_BYTES, SEED, NULL, NULL);
    random_state = SEED;
}

static void setup_large(void)
{
    store_destroy(&store);
    store = store_new(LARGE_BYTES, SEED, NULL, NULL);
}

static void teardown(void)
{
    store_destroy(&store);
    ck_assert_ptr_null(store);
}

static uint64_t pick(uint64_t below)
{
    return random_next(&random_state) % below;
}

/* Keys of many lengths, some across a block's end; the same number is the same key. */
static struct bytes key_of(uint32_t number, char out[STORE_KEY_BYTES_MAX])
{
    size_t size = 8 + number * 37 % (STORE_KEY_BYTES_MAX - 8);
    memset(out, 'k', size);
    memcpy(out + size - sizeof number, &number, sizeof number);
    return (struct bytes){out, size};
}

static bool put(uint32_t number, uint64_t version, size_t value_bytes, int64_t until_at)
{
    static char value[VALUE_BYTES_MAX];
    char key[STORE_KEY_BYTES_MAX];
    struct entry entry = {.version = version,
                          .fresh_until_at = until_at,
                          .stale_until_at = until_at,
                          .cost_us = 1000,
                          .group = (uint8_t)(number % STORE_GROUPS),
                          .tag_count = (uint8_t)(version % (ENTRY_TAGS_MAX + 1))};
    for (uint8_t i = 0; i < entry.tag_count; i++)
        entry.tags[i] = version + i;
    memset(value, (int)(version % 251), value_bytes);
    return store_put(store, key_of(number, key), &entry, (struct bytes){value, value_bytes}, NOW);
}

static bool find(uint32_t number, struct entry *ret)
{
    char key[STORE_KEY_BYTES_MAX];
    return store_find(store, key_of(number, key), ret);
}

static bool is_in(uint32_t number)
{
    struct entry entry;
    return find(number, &entry);
}

/* Few assertions: libcheck takes a system call for each. */
static void check_entry(const struct entry *entry, uint64_t version, size_t value_bytes)
{
    bool tags_right = entry->tag_count == version % (ENTRY_TAGS_MAX + 1);
    for (uint8_t i = 0; i < entry->tag_count; i++)
        tags_right = tags_right && entry->tags[i] == version + i;
    struct bytes value = store_value(store, entry);
    size_t same = 0;
    while (same < value.size && (unsigned char)value.data[same] == version % 251)
        same++;
    if (entry->version != version || !tags_right || value.size != value_bytes || same != value.size)
        ck_abort_msg("version %lu: not what was put", version);
}

static struct store_counts total(void)
{
    struct store_counts sum = {0};
    for (uint8_t group = 0; group < STORE_GROUPS; group++) {
        const struct store_counts *counts = store_counts(store, group);
        sum.entries += counts->entries;
        sum.bytes += counts->bytes;
        sum.evicted += counts->evicted;
        sum.expired += counts->expired;
    }
    return sum;
}

#define KEYS 2000u

static uint64_t versions[KEYS]; /* the naive map; 0: nothing was put, or it was removed */
static size_t sizes[KEYS];

/* One random operation on both, and a look at the key it was about. */
static void step(uint64_t version, size_t value_bytes_max, bool exact)
{
    char key[STORE_KEY_BYTES_MAX];
    struct entry entry;
    uint32_t number = (uint32_t)pick(KEYS);
    uint64_t choice = pick(8);
    if (choice < 3) {
        size_t bytes = pick(value_bytes_max);
        if (put(number, version, bytes, FOREVER)) {
            versions[number] = version;
            sizes[number] = bytes;
        }
    } else if (choice == 3) {
        store_remove(store, key_of(number, key));
        versions[number] = 0;
    }
    bool found = find(number, &entry), known = versions[number] != 0;
    if ((found && !known) || (!found && known && exact))
        ck_abort_msg("key %u: found %d, known %d", number, found, known);
    if (found)
        check_entry(&entry, versions[number], sizes[number]);
}

static void check_counts_by_looking(void)
{
    uint64_t entries = 0, bytes = 0;
    struct entry entry;
    for (uint32_t number = 0; number < KEYS; number++)
        if (find(number, &entry)) {
            entries++;
            bytes += entry.bytes;
        }
    ck_assert_uint_eq(total().entries, entries);
    ck_assert_uint_eq(total().bytes, bytes);
}

/* With room for all, it is a map. Seed 42. */
START_TEST(with_room_it_is_the_naive_map)
{
    setup_large();
    memset(versions, 0, sizeof versions);
    for (uint64_t version = 1; version <= 1000000; version++)
        step(version, 300, true);
    ck_assert_uint_eq(total().evicted, 0);
    check_counts_by_looking();
}
END_TEST

/* Without, it may have lost a value, but shows no other. Seed 42. */
START_TEST(without_room_it_forgets_but_never_errs)
{
    memset(versions, 0, sizeof versions);
    for (uint64_t version = 1; version <= 300000; version++) {
        step(version, version % 64 == 0 ? 100000 : 1500, false);
        if (total().bytes > store_bytes_max(store))
            ck_abort_msg("over its bound");
    }
    ck_assert_uint_gt(total().evicted, 10000);
    check_counts_by_looking();
    char key[STORE_KEY_BYTES_MAX];
    for (uint32_t number = 0; number < KEYS; number++)
        store_remove(store, key_of(number, key));
    ck_assert_uint_eq(total().entries, 0);
    ck_assert_uint_eq(total().bytes, 0);
}
END_TEST

/* The bound is one of the memory taken from the machine; it can be filled, and then holds. */
START_TEST(the_memory_is_taken_at_start_and_never_passed)
{
    ck_assert_uint_le(store_bytes_taken(store), SMALL_BYTES);
    ck_assert_uint_ge(store_bytes_taken(store), SMALL_BYTES - 2 * 284);
    struct mallinfo2 before = mallinfo2();
    uint32_t number = 0;
    for (; total().evicted == 0; number++)
        ck_assert(put(number, number + 1, 10, FOREVER));
    ck_assert_uint_ge(total().bytes + 512, store_bytes_max(store));
    for (uint32_t more = 0; more < 5000; more++, number++) {
        ck_assert(put(number, number + 1, pick(4000), FOREVER));
        ck_assert_uint_le(total().bytes, store_bytes_max(store));
    }
    struct mallinfo2 after = mallinfo2();
    ck_assert_uint_eq(after.uordblks + after.hblkhd, before.uordblks + before.hblkhd);
}
END_TEST

/* One part in STORE_SHARE goes in, a block more does not, and then leaves what was there. */
START_TEST(no_entry_takes_more_than_its_share)
{
    size_t share = store_bytes_max(store) / STORE_SHARE;
    ck_assert(put(1, 1, 100, FOREVER));
    ck_assert(!put(1, 2, share, FOREVER));
    struct entry entry;
    ck_assert(find(1, &entry));
    check_entry(&entry, 1, 100);
    ck_assert(put(1, 2, share * 9 / 10, FOREVER));
    ck_assert(find(1, &entry));
    check_entry(&entry, 2, share * 9 / 10);
}
END_TEST

START_TEST(what_has_expired_goes_before_anything_alive)
{
    uint32_t alive = 0, number = 100000;
    for (; total().bytes + 2048 < store_bytes_max(store) / 2; alive++)
        ck_assert(put(alive, alive + 1, 10, FOREVER));
    for (; total().bytes + 2048 < store_bytes_max(store); number++)
        ck_assert(put(number, number, 10, NOW)); /* dead as it is put */
    uint64_t dead = total().entries - alive;
    for (uint32_t i = 0; i < dead - 10; i++)
        ck_assert(put(200000 + i, i + 1, 10, FOREVER));
    ck_assert_uint_eq(total().evicted, 0);
    ck_assert_uint_gt(total().expired, 0);
    for (uint32_t i = 0; i < alive; i++)
        ck_assert(is_in(i));
}
END_TEST

/* Until room is wanted nothing is dropped, but by this; and no more than is asked for. */
START_TEST(expiry_is_by_hand_and_bounded)
{
    for (uint32_t number = 0; number < 10; number++)
        ck_assert(put(number, number + 1, 10, NOW + number));
    store_expire(store, NOW + 5, 4);
    ck_assert_uint_eq(total().entries, 6);
    ck_assert(!is_in(3));
    store_expire(store, NOW + 5, 100);
    ck_assert_uint_eq(total().entries, 4);
    ck_assert(!is_in(5));
    ck_assert(is_in(6));
}
END_TEST

static bool is_odd(const void *state, const struct entry *entry)
{
    ck_assert_ptr_eq(state, &random_state);
    return entry->version % 2 == 1;
}

/* What its judge calls invalid makes room first. */
START_TEST(invalid_entries_go_before_valid_ones)
{
    store_destroy(&store);
    store = store_new(SMALL_BYTES, SEED, is_odd, &random_state);
    uint32_t number = 0, valid = 0, invalid = 0;
    for (; total().evicted == 0; number++)
        ck_assert(put(number, number, 10, FOREVER));
    for (uint32_t more = 0; more < number / 4; more++)
        ck_assert(put(1000000 + more, 1, 10, FOREVER));
    for (uint32_t i = 0; i < number; i++) {
        valid += i % 2 == 1 && is_in(i);
        invalid += i % 2 == 0 && is_in(i);
    }
    ck_assert_uint_ge(valid, number / 2 - number / 50);
    ck_assert_uint_le(invalid, number / 3);
}
END_TEST

static void put_costing(uint32_t number, size_t value_bytes, uint64_t cost_us)
{
    static const char value[20000];
    char key[STORE_KEY_BYTES_MAX];
    struct entry entry = {
        .version = 1, .fresh_until_at = FOREVER, .stale_until_at = FOREVER, .cost_us = cost_us};
    ck_assert(
        store_put(store, key_of(number, key), &entry, (struct bytes){value, value_bytes}, NOW));
}

static uint32_t count_in(uint32_t first, uint32_t count)
{
    uint32_t in = 0;
    for (uint32_t i = 0; i < count; i++)
        in += is_in(first + i);
    return in;
}

/* Dear or small or wanted entries stay, where those that differ in just that go. */
START_TEST(what_is_dear_small_or_wanted_stays)
{
    struct entry entry;
    store_destroy(&store);
    store = store_new(SMALL_BYTES * UINT64_C(4), SEED, NULL, NULL);
    for (uint32_t i = 0; i < 100; i++) {
        put_costing(i, 1000, 50000);        /* dear */
        put_costing(1000 + i, 1000, 1000);  /* cheap */
        put_costing(2000 + i, 500, 8000);   /* small */
        put_costing(3000 + i, 16000, 8000); /* large */
        put_costing(4000 + i, 1000, 6000);  /* wanted */
        put_costing(5000 + i, 1000, 6000);  /* not wanted */
        for (int hit = 0; hit < 4 && find(4000 + i, &entry); hit++)
            store_touch(store, &entry);
    }
    ck_assert_uint_eq(total().evicted, 0);
    for (uint32_t i = 0; total().evicted < 300; i++)
        put_costing(10000 + i, 1000, 20000);
    ck_assert_uint_ge(count_in(0, 100), count_in(1000, 100) + 50);
    ck_assert_uint_ge(count_in(2000, 100), count_in(3000, 100) + 25);
    ck_assert_uint_ge(count_in(4000, 100), count_in(5000, 100) + 25);
}
END_TEST

/* Popularity outlives a refill; and a cost no computer can have had is as good as a minute. */
START_TEST(a_refill_is_as_popular_as_before_and_costs_are_capped)
{
    struct entry entry;
    for (uint32_t i = 0; i < 100; i++) {
        put_costing(i, 1000, 6000);        /* wanted, and filled again */
        put_costing(1000 + i, 1000, 6000); /* not wanted */
        for (int hit = 0; hit < 4 && find(i, &entry); hit++)
            store_touch(store, &entry);
        put_costing(i, 1000, 6000);
    }
    put_costing(5000, 1000, UINT64_C(1) << 32);
    for (uint32_t i = 0; total().evicted < 300; i++)
        put_costing(10000 + i, 1000, 20000);
    ck_assert_uint_ge(count_in(0, 100), count_in(1000, 100) + 15);
    ck_assert(is_in(5000));
}
END_TEST

/* Of so many keys some have the same hash (32 bits), and are two all the same. */
START_TEST(a_hash_never_decides)
{
    unsigned wrong = 0;
    struct entry entry;
    setup_large();
    for (uint32_t i = 0; i < 150000; i++) {
        struct entry small = {
            .version = i + 1, .fresh_until_at = FOREVER, .stale_until_at = FOREVER};
        struct bytes key = {(const char *)&i, sizeof i};
        ck_assert(store_put(store, key, &small, (struct bytes){"v", 1}, NOW));
    }
    ck_assert_uint_eq(total().entries, 150000);
    for (uint32_t i = 0; i < 150000; i++) {
        bool found = store_find(store, (struct bytes){(const char *)&i, sizeof i}, &entry);
        wrong += !found || entry.version != i + 1;
    }
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

/* However dear it was, what nobody asks for is gone after enough others have come. */
START_TEST(what_is_not_asked_for_sinks)
{
    for (uint32_t i = 0; i < 100; i++)
        put_costing(i, 1000, 100000);
    for (uint32_t i = 0; i < 200000; i++)
        put_costing(1000 + i, 1000, 2000);
    ck_assert_uint_le(count_in(0, 100), 2);
}
END_TEST

START_TEST(a_failed_fill_is_remembered_with_the_entry)
{
    struct entry entry;
    ck_assert(put(1, 7, 10, FOREVER));
    ck_assert(find(1, &entry));
    ck_assert_int_eq(entry.failed_until_at, 0);
    store_mark_failed(store, &entry, NOW + 5);
    ck_assert(find(1, &entry));
    ck_assert_int_eq(entry.failed_until_at, NOW + 5);
    check_entry(&entry, 7, 10);
}
END_TEST

START_TEST(an_empty_value_is_a_value)
{
    struct entry entry;
    ck_assert(put(1, 1, 0, FOREVER));
    ck_assert(find(1, &entry));
    ck_assert_uint_eq(store_value(store, &entry).size, 0);
}
END_TEST

START_TEST(a_key_too_long_aborts)
{
    static const char key[STORE_KEY_BYTES_MAX + 1];
    struct entry entry = {.version = 1};
    ck_abort_msg("put: %d", store_put(store, (struct bytes){key, sizeof key}, &entry,
                                      (struct bytes){"v", 1}, NOW));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 100);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, with_room_it_is_the_naive_map);
    tcase_add_test(tcase, without_room_it_forgets_but_never_errs);
    tcase_add_test(tcase, the_memory_is_taken_at_start_and_never_passed);
    tcase_add_test(tcase, no_entry_takes_more_than_its_share);
    tcase_add_test(tcase, what_has_expired_goes_before_anything_alive);
    tcase_add_test(tcase, expiry_is_by_hand_and_bounded);
    tcase_add_test(tcase, invalid_entries_go_before_valid_ones);
    tcase_add_test(tcase, what_is_dear_small_or_wanted_stays);
    tcase_add_test(tcase, a_refill_is_as_popular_as_before_and_costs_are_capped);
    tcase_add_test(tcase, a_hash_never_decides);
    tcase_add_test(tcase, what_is_not_asked_for_sinks);
    tcase_add_test(tcase, a_failed_fill_is_remembered_with_the_entry);
    tcase_add_test(tcase, an_empty_value_is_a_value);
    tcase_add_test_raise_signal(tcase, a_key_too_long_aborts, SIGABRT);
}

int main(void)
{
    return suite_run("store", add_tests);
}
