/* test_cache_partition - the role as drivers and brokers see it. One fill for a key, whoever asks;
 * nothing is served that an invalidation has overtaken; who waits is answered once, in time; every
 * bound holds when it is filled. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/cache_partition/cache_partition.h"
#include "actors/cache_partition/leases.h"
#include "actors/cache_partition/uncovered.h"
#include "tests/support/cache.h"
#include "tests/support/suite.h"

#define KEY "SQL_QueryReadonly:0123456789abcdef0123456789abcdef"
#define WRITER "a writing actor."
#define GET(...) ((struct msg_cache_get){__VA_ARGS__})
#define SET(...) ((struct msg_cache_set){__VA_ARGS__})
#define FAIL(...) ((struct msg_cache_fail){__VA_ARGS__})
#define PLAIN GET(.epoch = 0)

static struct cache_test test;

static void setup(void)
{
    test = cache_test_new("8MiB");
}

static void teardown(void)
{
    record_destroy(&test.record);
}

static void expect(struct msg_cache_entry entry, const char *outcome)
{
    ck_assert_msg(bytes_are(entry.outcome, outcome), "%.*s, not %s", (int)entry.outcome.size,
                  entry.outcome.data, outcome);
}

static uint64_t lease(const char *key)
{
    struct msg_cache_entry entry = cache_look(&test, key, PLAIN, 0);
    expect(entry, "MISS");
    ck_assert_uint_ne(entry.lease, 0);
    return entry.lease;
}

static void fill(const char *key, const char *value, struct msg_cache_set set)
{
    ck_assert_str_eq(cache_set(&test, key, lease(key), value, set), "STORED");
}

static struct msg_cache_entry look(const char *key)
{
    return cache_look(&test, key, PLAIN, 0);
}

static struct msg_cache_statistics stats(const char *ns)
{
    struct msg_cache_stats ask = {.ns = bytes_of(ns)};
    struct msg_cache_statistics statistics;
    record_decode_reply(test.record, record_message(test.record, MSG_CACHE_STATS, &ask),
                        MSG_CACHE_STATISTICS, &statistics);
    return statistics;
}

static uint16_t reply_flags(void)
{
    return test.record->replies[test.record->reply_count - 1].answer.flags;
}

/* So whoever builds on a value can tell whether it may be older than a lease from elsewhere. */
static void beat(uint64_t generation, uint64_t number)
{
    char room[64];
    struct bytes body;
    struct msg_event_members members = {.generation = generation};
    ck_assert_int_eq(message_encode(MSG_EVENT_MEMBERS, &members, room, sizeof room, &body),
                     STATUS_OK);
    record_event(test.record, "members", number, body);
}

static void expect_position(const struct msg_cache_entry *entry, uint64_t generation,
                            uint64_t number)
{
    struct values values = values_over(entry->position);
    struct bytes pair, element;
    uint64_t read;
    ck_assert_uint_eq(values.left, 1);
    ck_assert(values_next(&values, &pair));
    values = values_over(pair);
    ck_assert(values_next(&values, &element));
    ck_assert(value_u64(element, &read));
    ck_assert_uint_eq(read, generation);
    ck_assert(values_next(&values, &element));
    ck_assert(value_u64(element, &read));
    ck_assert_uint_eq(read, number);
}

START_TEST(a_value_and_a_lease_say_how_far_events_have_been_applied)
{
    record_gap(test.record);
    record_event(test.record, "breaker", 4, (struct bytes){0});
    struct msg_cache_entry entry = look(KEY);
    ck_assert_uint_ne(entry.lease, 0);
    ck_assert_ptr_null(entry.position.data); /* by whose numbers is not known yet */
    ck_assert_str_eq(cache_set(&test, KEY, entry.lease, "value", SET(.encoding = 7)), "STORED");
    beat(UINT64_MAX, UINT64_MAX);
    entry = look(KEY);
    expect(entry, "HIT");
    expect_position(&entry, UINT64_MAX, UINT64_MAX);
    beat(77, 5);
    entry = look("other:key");
    ck_assert_uint_ne(entry.lease, 0);
    expect_position(&entry, 77, 5);
    record_event(test.record, "breaker", 6, (struct bytes){0});
    entry = look("third:key");
    expect_position(&entry, 77, 6);
    ck_assert_ptr_null(look("third:key").position.data); /* neither */
    record_gap(test.record);
    record_event(test.record, "breaker", 7, (struct bytes){0});
    ck_assert_ptr_null(look("fourth:key").position.data);
}
END_TEST

START_TEST(a_miss_brings_the_lease_and_its_fill_a_hit)
{
    struct msg_cache_entry entry = look(KEY);
    expect(entry, "MISS");
    ck_assert_uint_ne(entry.lease, 0);
    ck_assert_uint_eq(entry.lease_ms, LEASE_MS_FIRST);
    expect(look(KEY), "MISS");
    ck_assert_uint_eq(look(KEY).lease, 0);
    cache_pass(&test, 1500);
    ck_assert_str_eq(cache_set(&test, KEY, entry.lease, "value", SET(.encoding = 7)), "STORED");
    cache_pass(&test, 1000);
    entry = look(KEY);
    expect(entry, "HIT");
    ck_assert(bytes_are(entry.value, "value"));
    ck_assert_uint_eq(entry.encoding, 7);
    ck_assert_uint_eq(entry.age_ms, 2500); /* since the lease: what was read may be as old */
    ck_assert_uint_eq(entry.lease, 0);
    ck_assert(!entry.waited);
    expect(cache_look(&test, KEY, GET(.ns = bytes_of("other")), 0), "MISS");
}
END_TEST

/* A thousand at once: one fills, as many wait as may, the rest are told when to come again; and all
 * of them are served by that fill. */
START_TEST(a_thousand_misses_on_one_key_are_one_fill)
{
    uint64_t ids[1000], token = 0;
    unsigned leases = 0, full = 0, waited = 0;
    for (unsigned i = 0; i < 1000; i++)
        ids[i] = cache_get(&test, KEY, GET(.park_ms = 5000), 0);
    for (unsigned i = 0; i < 1000; i++) {
        const struct recorded_reply *reply = record_reply_to(test.record, ids[i]);
        if (reply != NULL && reply->answer.status == STATUS_BUSY_FULL) {
            ck_assert_uint_ge(reply->answer.retry_after_ms, 100);
            ck_assert_uint_le(reply->answer.retry_after_ms, 200);
            full++;
        } else if (reply != NULL) {
            token = cache_entry_of(&test, ids[i]).lease;
            leases += token != 0;
        }
    }
    ck_assert_uint_eq(leases, 1);
    ck_assert_uint_eq(full, 1000 - 1 - PARKED_PER_KEY_MAX);
    ck_assert_str_eq(cache_set(&test, KEY, token, "value", SET(0)), "STORED");
    for (unsigned i = 0; i < 1000; i++) {
        const struct recorded_reply *reply = record_reply_to(test.record, ids[i]);
        ck_assert_ptr_nonnull(reply);
        waited += reply->answer.status == STATUS_OK && cache_entry_of(&test, ids[i]).waited;
    }
    ck_assert_uint_eq(waited, PARKED_PER_KEY_MAX);
    expect(look(KEY), "HIT");
}
END_TEST

START_TEST(when_the_holder_dies_one_more_fills)
{
    uint64_t first = lease(KEY), ids[50], second = 0;
    unsigned served = 0;
    test.deadline_ms = 60000;
    for (unsigned i = 0; i < 50; i++)
        ids[i] = cache_get(&test, KEY, GET(.park_ms = 60000), 0);
    cache_pass(&test, LEASE_MS_FIRST - 1);
    ck_assert_ptr_null(record_reply_to(test.record, ids[0]));
    cache_pass(&test, 1);
    second = cache_entry_of(&test, ids[0]).lease;
    ck_assert_uint_ne(second, 0);
    ck_assert_uint_ne(second, first);
    for (unsigned i = 1; i < 50; i++)
        ck_assert_ptr_null(record_reply_to(test.record, ids[i]));
    ck_assert_str_eq(cache_set(&test, KEY, first, "late", SET(0)), "STALE_SET");
    ck_assert_str_eq(cache_set(&test, KEY, second, "value", SET(0)), "STORED");
    for (unsigned i = 1; i < 50; i++)
        served += bytes_are(cache_entry_of(&test, ids[i]).value, "value");
    ck_assert_uint_eq(served, 49);
}
END_TEST

/* Freshness differs from key to key by a tenth either way, and for a key it does not. */
START_TEST(what_was_filled_together_does_not_go_stale_together)
{
    uint64_t least = UINT64_MAX, most = 0, again = 0;
    for (unsigned i = 0; i < 200; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "tool:%u", i);
        fill(key, "value", SET(.fresh_ms = 100000));
        uint64_t fresh_ms = look(key).fresh_ms;
        least = fresh_ms < least ? fresh_ms : least;
        most = fresh_ms > most ? fresh_ms : most;
        struct msg_cache_entry refresh = cache_look(&test, key, PLAIN, FLAG_REFRESH);
        cache_set(&test, key, refresh.lease, "again", SET(.fresh_ms = 100000));
        again += look(key).fresh_ms == fresh_ms;
    }
    ck_assert_uint_ge(least, 90000);
    ck_assert_uint_le(least, 91000);
    ck_assert_uint_ge(most, 109000);
    ck_assert_uint_le(most, 110000);
    ck_assert_uint_eq(again, 200);
}
END_TEST

START_TEST(past_its_freshness_it_is_served_stale_while_one_fills)
{
    fill(KEY, "old", SET(.fresh_ms = 10000, .stale_ms = 20000));
    cache_pass(&test, 11001);
    struct msg_cache_entry first = look(KEY), second = look(KEY);
    expect(first, "STALE");
    expect(second, "STALE");
    ck_assert(bytes_are(first.value, "old"));
    ck_assert_uint_ne(first.lease, 0);
    ck_assert_uint_eq(second.lease, 0);
    ck_assert_uint_eq(reply_flags(), 0); /* within its bounds it is no lesser answer */
    ck_assert_str_eq(cache_set(&test, KEY, first.lease, "new", SET(.fresh_ms = 10000)), "STORED");
    ck_assert(bytes_are(look(KEY).value, "new"));
    cache_pass(&test, 11001);
    expect(look(KEY), "MISS"); /* no stale window */
}
END_TEST

START_TEST(refresh_brings_the_lease_though_it_is_fresh)
{
    fill(KEY, "old", SET(0));
    struct msg_cache_entry entry = cache_look(&test, KEY, PLAIN, FLAG_REFRESH);
    expect(entry, "MISS");
    ck_assert_uint_ne(entry.lease, 0);
    expect(look(KEY), "HIT");
    entry = cache_look(&test, KEY, GET(.park_ms = 1000), FLAG_REFRESH);
    expect(entry, "MISS"); /* a fill that began before it was asked for will not do */
    ck_assert_uint_eq(entry.lease, 0);
}
END_TEST

START_TEST(only_if_cached_neither_leases_nor_waits)
{
    struct msg_cache_entry entry =
        cache_look(&test, KEY, GET(.park_ms = 1000), FLAG_ONLY_IF_CACHED);
    expect(entry, "MISS");
    ck_assert_uint_eq(entry.lease, 0);
    lease(KEY);
    expect(cache_look(&test, KEY, GET(.park_ms = 1000), FLAG_ONLY_IF_CACHED), "MISS");
}
END_TEST

START_TEST(what_is_older_than_asked_for_is_not_served)
{
    fill(KEY, "value", SET(0));
    cache_pass(&test, 5000);
    expect(cache_look(&test, KEY, GET(.max_age_ms = 5000), 0), "HIT");
    struct msg_cache_entry entry = cache_look(&test, KEY, GET(.max_age_ms = 4999), 0);
    expect(entry, "MISS");
    ck_assert_uint_ne(entry.lease, 0);
}
END_TEST

static struct writer declared; /* d db:demo */
static char declared_bytes[64];

static struct bytes declared_tags(void)
{
    writer_init(&declared, declared_bytes, sizeof declared_bytes);
    writer_array(&declared, 1);
    writer_u64(&declared, key_tag('d', bytes_of("db:demo")));
    return writer_bytes(&declared);
}

static const struct {
    const char *text;
    char kind;
    bool hits; /* the entry */
} invalidations[] = {
    {KEY, 'k', true},      {"SQL_QueryReadonly:", 'p', true},
    {CACHE_NS, 'n', true}, {"db:demo", 'd', true},
    {KEY "0", 'k', false}, {"SQL_QueryReadonly", 'p', false},
    {"other", 'n', false}, {"db:other", 'd', false},
};

static void invalidate(size_t row, uint64_t number)
{
    uint64_t tag = key_tag(invalidations[row].kind, bytes_of(invalidations[row].text));
    cache_invalidate(&test, WRITER, number, &tag, 1);
}

START_TEST(an_entry_is_gone_with_any_of_its_tags)
{
    fill(KEY, "value", SET(.tags = declared_tags(), .stale_ms = 60000, .error_ms = 60000));
    invalidate((size_t)_i, 1);
    expect(look(KEY), invalidations[_i].hits ? "MISS" : "HIT");
}
END_TEST

START_TEST(a_fill_that_an_invalidation_overtakes_dies)
{
    uint64_t token = lease(KEY), waiting = cache_get(&test, KEY, GET(.park_ms = 1000), 0);
    invalidate((size_t)_i, 1);
    const char *outcome = cache_set(&test, KEY, token, "old", SET(.tags = declared_tags()));
    ck_assert_str_eq(outcome, invalidations[_i].hits ? "STALE_SET" : "STORED");
    struct msg_cache_entry entry = cache_entry_of(&test, waiting);
    expect(entry, invalidations[_i].hits ? "MISS" : "HIT");
    ck_assert_int_eq(entry.lease != 0, invalidations[_i].hits); /* the next one fills it */
}
END_TEST

START_TEST(what_was_invalidated_is_for_those_who_ask_for_it)
{
    fill(KEY, "old", SET(0));
    invalidate(0, 1);
    struct msg_cache_entry entry = cache_look(&test, KEY, GET(.stale_ok = true), 0);
    expect(entry, "STALE");
    ck_assert(bytes_are(entry.value, "old"));
    ck_assert_uint_ne(entry.lease, 0);
    ck_assert_uint_eq(reply_flags(), FLAG_DEGRADED);
    expect(look(KEY), "MISS");
}
END_TEST

START_TEST(while_it_is_deaf_nothing_is_valid_and_nothing_kept)
{
    fill(KEY, "value", SET(0));
    uint64_t token = lease("tool:1");
    record_step(test.record, 3 * US_PER_S);
    expect(look(KEY), "HIT");
    record_step(test.record, 1);
    struct msg_cache_entry entry = cache_look(&test, KEY, GET(.park_ms = 1000), 0);
    expect(entry, "MISS");
    ck_assert_uint_eq(entry.lease, 0);
    expect(cache_look(&test, KEY, GET(.stale_ok = true), 0), "STALE");
    ck_assert_str_eq(cache_set(&test, "tool:1", token, "value", SET(0)), "STALE_SET");
    cache_hear(&test);
    fill(KEY, "new", SET(0));
    ck_assert(bytes_are(look(KEY).value, "new"));
}
END_TEST

START_TEST(after_a_gap_nothing_from_before_is_valid)
{
    fill(KEY, "value", SET(0));
    uint64_t token = lease("tool:1");
    record_gap(test.record);
    expect(look(KEY), "MISS");
    cache_hear(&test);
    expect(look(KEY), "MISS");
    ck_assert_str_eq(cache_set(&test, "tool:1", token, "value", SET(0)), "STALE_SET");
}
END_TEST

#define EVENT(head, tags) BODY("\x83\xa6number\x01\xa6origin" head "\xa4tags" tags)
#define BODY(text)                                                                                 \
    {                                                                                              \
        text, sizeof(text) - 1                                                                     \
    }
#define SIXTEEN "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01"
static const struct bytes malformed[] = {
    BODY("\x80"),
    EVENT("\xc4\x05tiny.", "\x91\x01"),
    EVENT("\xc4\x10" WRITER, "\x01"),
    EVENT("\xc4\x10" WRITER, "\x91\xa1t"),
    EVENT("\xc4\x10" WRITER, "\xdc\x00\x41\x01" SIXTEEN SIXTEEN SIXTEEN SIXTEEN),
};

/* An invalidation that cannot be read may have been of anything. */
START_TEST(a_malformed_invalidation_is_a_gap)
{
    struct bytes body = malformed[_i];
    char *exact = malloc(body.size);
    memcpy(exact, body.data, body.size);
    fill(KEY, "value", SET(0));
    record_event(test.record, "invalidate", ++test.event, (struct bytes){exact, body.size});
    free(exact);
    expect(look(KEY), "MISS");
    cache_hear(&test);
    expect(look(KEY), "MISS");
    fill("tool:1", "value", SET(0));
    expect(look("tool:1"), "HIT");
}
END_TEST

static const struct {
    enum status status;
    bool handed_on;
    bool remembered;
    uint64_t negative_ms;
} failures[] = {
    {STATUS_APP_ERROR, false, true, 30000},       {STATUS_APP_ERROR, false, false, 0},
    {STATUS_BAD_REQUEST, false, true, 30000},     {STATUS_BUSY_FULL, false, false, 30000},
    {STATUS_WORKER_LOST, false, false, 30000},    {STATUS_CANCELLED, true, false, 30000},
    {STATUS_DEADLINE_QUEUED, true, false, 30000}, {STATUS_DEADLINE_RUNNING, true, false, 30000},
    {STATUS_INFEASIBLE, true, false, 30000},
};

START_TEST(a_failure_goes_to_all_who_wait_unless_it_is_the_holders_own)
{
    uint64_t token = lease(KEY), ids[2];
    bool handed_on = failures[_i].handed_on;
    ids[0] = cache_get(&test, KEY, GET(.park_ms = 1000), 0);
    ids[1] = cache_get(&test, KEY, GET(.park_ms = 1000), 0);
    struct msg_cache_fail fail = {.status = (uint64_t)failures[_i].status,
                                  .negative_ms = failures[_i].negative_ms,
                                  .retry_after_ms = 77,
                                  .body = bytes_of("why")};
    ck_assert_str_eq(cache_fail(&test, KEY, token, fail), "STORED");
    for (unsigned i = 0; i < 2 && !handed_on; i++) {
        struct msg_cache_entry entry = cache_entry_of(&test, ids[i]);
        expect(entry, "NEGATIVE");
        ck_assert(bytes_are(entry.value, "why"));
        ck_assert_uint_eq(entry.status, (uint64_t)failures[_i].status);
        ck_assert_uint_eq(entry.retry_after_ms, 77);
        ck_assert(entry.waited);
    }
    if (handed_on) {
        ck_assert_uint_ne(cache_entry_of(&test, ids[0]).lease, 0);
        ck_assert(!cache_entry_of(&test, ids[0]).waited); /* for nothing */
        ck_assert_ptr_null(record_reply_to(test.record, ids[1]));
        return;
    }
    expect(look(KEY), failures[_i].remembered ? "NEGATIVE" : "MISS");
    cache_pass(&test, 30001);
    expect(look(KEY), "MISS");
}
END_TEST

START_TEST(a_remembered_failure_goes_with_its_tags)
{
    ck_assert_str_eq(
        cache_fail(&test, KEY, lease(KEY), FAIL(.status = STATUS_APP_ERROR, .negative_ms = 60000)),
        "STORED");
    expect(look(KEY), "NEGATIVE");
    invalidate(1, 1);
    expect(cache_look(&test, KEY, GET(.stale_ok = true), 0), "MISS");
}
END_TEST

START_TEST(a_failure_that_was_overtaken_is_not_remembered)
{
    struct msg_cache_fail fail = {.status = STATUS_APP_ERROR, .negative_ms = 60000};
    uint64_t token = lease(KEY);
    invalidate(0, 1);
    cache_fail(&test, KEY, token, fail);
    ck_assert_uint_eq(stats(NULL).entries, 0);
    expect(look(KEY), "MISS");
}
END_TEST

START_TEST(the_newest_failure_is_the_one_remembered_and_not_for_long)
{
    struct msg_cache_fail fail = {
        .status = STATUS_APP_ERROR, .negative_ms = UINT64_MAX, .body = bytes_of("first")};
    cache_fail(&test, KEY, lease(KEY), fail);
    ck_assert_uint_eq(look(KEY).fresh_ms, 300000);
    struct msg_cache_entry refresh = cache_look(&test, KEY, PLAIN, FLAG_REFRESH);
    fail.body = bytes_of("second");
    cache_fail(&test, KEY, refresh.lease, fail);
    ck_assert(bytes_are(look(KEY).value, "second"));
}
END_TEST

/* Past its stale window, a valid value stands in for a fill that fails, marked; and for a while no
 * other is tried. */
START_TEST(a_valid_value_stands_in_for_a_failed_fill)
{
    fill(KEY, "old", SET(.fresh_ms = 10000, .error_ms = 60000));
    cache_pass(&test, 12000);
    uint64_t token = lease(KEY), waiting = cache_get(&test, KEY, GET(.park_ms = 1000), 0);
    cache_fail(&test, KEY, token,
               FAIL(.status = STATUS_APP_ERROR, .negative_ms = 5000, .body = bytes_of("why")));
    struct msg_cache_entry entry = cache_entry_of(&test, waiting);
    expect(entry, "STALE");
    ck_assert(bytes_are(entry.value, "old"));
    ck_assert_uint_eq(entry.lease, 0);
    ck_assert_uint_eq(record_reply_to(test.record, waiting)->answer.flags, FLAG_DEGRADED);
    expect(look(KEY), "STALE");
    ck_assert_uint_eq(look(KEY).lease, 0);
    cache_pass(&test, 5000);
    ck_assert_uint_ne(lease(KEY), 0);
    invalidate(0, 1);
    expect(look(KEY), "MISS");
}
END_TEST

/* Two seconds if nothing longer was asked for; never past the error window. */
START_TEST(it_stands_in_for_a_while_and_within_its_window)
{
    fill(KEY, "old", SET(.fresh_ms = 10000, .error_ms = 10000));
    cache_pass(&test, 12000);
    cache_fail(&test, KEY, lease(KEY), FAIL(.status = STATUS_BUSY_FULL));
    cache_pass(&test, 1999);
    expect(look(KEY), "STALE");
    cache_pass(&test, 1);
    cache_fail(&test, KEY, lease(KEY), FAIL(.status = STATUS_APP_ERROR, .negative_ms = 60000));
    expect(look(KEY), "STALE");
    cache_pass(&test, 7001); /* 21 s: the window, with its jitter, is over */
    lease(KEY);
}
END_TEST

START_TEST(who_waits_is_answered_by_its_own_time)
{
    lease(KEY);
    uint64_t parked = cache_get(&test, KEY, GET(.park_ms = 500), 0);
    test.deadline_ms = 700;
    uint64_t late = cache_get(&test, KEY, GET(.park_ms = UINT64_MAX), 0);
    record_step(test.record, 499 * US_PER_MS);
    ck_assert_ptr_null(record_reply_to(test.record, parked));
    record_step(test.record, US_PER_MS);
    struct msg_cache_entry entry = cache_entry_of(&test, parked);
    expect(entry, "MISS"); /* it may compute the answer itself */
    ck_assert_uint_eq(entry.lease, 0);
    ck_assert(!entry.waited);
    record_step(test.record, 199 * US_PER_MS);
    ck_assert_ptr_null(record_reply_to(test.record, late));
    record_step(test.record, US_PER_MS);
    record_expect_refusal(test.record, late, STATUS_DEADLINE_QUEUED, NULL);
}
END_TEST

START_TEST(who_withdraws_is_neither_answered_nor_given_the_lease)
{
    uint64_t token = lease(KEY);
    uint64_t gone = cache_get(&test, KEY, GET(.park_ms = 1000), 0);
    uint64_t next = cache_get(&test, KEY, GET(.park_ms = 1000), 0);
    record_cancel(test.record, gone);
    cache_fail(&test, KEY, token, FAIL(.status = STATUS_CANCELLED));
    ck_assert_ptr_null(record_reply_to(test.record, gone));
    ck_assert_uint_ne(cache_entry_of(&test, next).lease, 0);
}
END_TEST

static struct bytes token_of(const char *origin, uint64_t number)
{
    static char bytes[256];
    static struct writer writer;
    writer_init(&writer, bytes, sizeof bytes);
    writer_array(&writer, 1);
    writer_array(&writer, 2);
    writer_blob(&writer, (struct bytes){origin, 16});
    writer_u64(&writer, number);
    return writer_bytes(&writer);
}

/* Read your writes: not before the partition has heard of them, and not for ever. */
START_TEST(a_session_token_waits_for_its_writes)
{
    fill(KEY, "value", SET(0));
    uint64_t vain = cache_get(&test, KEY, GET(.after = token_of(WRITER, 2)), 0);
    uint64_t covered = cache_get(&test, KEY, GET(.after = token_of(WRITER, 1)), 0);
    ck_assert_ptr_null(record_reply_to(test.record, covered));
    invalidate(4, 1);
    expect(cache_entry_of(&test, covered), "HIT");
    ck_assert_ptr_null(record_reply_to(test.record, vain));
    record_step(test.record, 50 * US_PER_MS);
    struct msg_cache_entry entry = cache_entry_of(&test, vain);
    expect(entry, "MISS");
    ck_assert_uint_eq(entry.lease, 0);
    expect(cache_look(&test, KEY, GET(.after = token_of(WRITER, 1)), 0), "HIT");
    expect(cache_look(&test, KEY, GET(.after = token_of(WRITER, 2)), FLAG_ONLY_IF_CACHED), "MISS");
    test.deadline_ms = 20;
    uint64_t late = cache_get(&test, KEY, GET(.after = token_of(WRITER, 2)), 0);
    ck_assert_uint_eq(stats(NULL).parked, 1);
    record_step(test.record, 20 * US_PER_MS);
    record_expect_refusal(test.record, late, STATUS_DEADLINE_QUEUED, NULL);
    test.deadline_ms = 0;
    uint64_t gone = cache_get(&test, KEY, GET(.after = token_of(WRITER, 2)), 0);
    record_cancel(test.record, gone);
    record_step(test.record, 60 * US_PER_MS);
    ck_assert_ptr_null(record_reply_to(test.record, gone));
}
END_TEST

START_TEST(no_more_than_their_bound_wait_for_their_writes)
{
    uint64_t id = 0;
    fill(KEY, "value", SET(0));
    for (unsigned i = 0; i < AFTER_PARKED_MAX; i++)
        id = cache_get(&test, KEY, GET(.after = token_of(WRITER, 1)), 0);
    ck_assert_ptr_null(record_reply_to(test.record, id));
    expect(cache_look(&test, KEY, GET(.after = token_of(WRITER, 1)), 0), "MISS");
    invalidate(4, 1);
    expect(cache_entry_of(&test, id), "HIT");
}
END_TEST

/* A view of us, whose session is zeros, and one other. */
static void view(uint64_t epoch)
{
    static char members[512];
    struct writer writer;
    writer_init(&writer, members, sizeof members);
    writer_array(&writer, 2);
    for (unsigned i = 0; i < 2; i++) {
        char uuid[16] = {0};
        uuid[0] = (char)i;
        struct msg_member member = {
            .uuid = {uuid, 16}, .weight = 100, .endpoint = bytes_of("tcp://127.0.0.1:1")};
        ck_assert_int_eq(message_write(MSG_MEMBER, &member, &writer), STATUS_OK);
    }
    struct msg_view view = {.epoch = epoch, .members = writer_bytes(&writer)};
    record_view(test.record, &view);
    record_step(test.record, US_PER_MS); /* and the table is built, some slots a turn */
}

START_TEST(a_key_of_another_is_sent_on_with_the_view)
{
    unsigned ours = 0, others = 0;
    view(9);
    for (unsigned i = 0; i < 200; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "tool:%u", i);
        struct msg_cache_entry entry = cache_look(&test, key, GET(.epoch = 8), 0);
        struct msg_view newer;
        if (bytes_are(entry.outcome, "WRONG_EPOCH")) {
            ck_assert_int_eq(message_decode(MSG_VIEW, entry.view, &newer), STATUS_OK);
            ck_assert_uint_eq(newer.epoch, 9);
            ck_assert_uint_eq(values_count(newer.members), 2);
            ck_assert_uint_eq(entry.lease, 0);
            ck_assert_str_eq(cache_set(&test, key, 5, "value", SET(0)), "WRONG_EPOCH");
            others++;
        } else {
            ck_assert_str_eq(cache_set(&test, key, entry.lease, "value", SET(0)), "STORED");
            ours++;
        }
    }
    ck_assert_uint_ge(ours, 60);
    ck_assert_uint_ge(others, 60);
}
END_TEST

START_TEST(a_lease_outlives_its_slot)
{
    char keys[20][32];
    uint64_t tokens[20];
    unsigned moved = 0;
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "tool:%u", i);
        tokens[i] = lease(keys[i]);
    }
    view(9);
    for (unsigned i = 0; i < 20; i++) {
        moved += bytes_are(look(keys[i]).outcome, "WRONG_EPOCH");
        ck_assert_str_eq(cache_set(&test, keys[i], tokens[i], "value", SET(0)), "STORED");
    }
    ck_assert_uint_ge(moved, 4);
    ck_assert_uint_le(moved, 16);
}
END_TEST

START_TEST(a_view_that_makes_no_sense_changes_nothing)
{
    fill(KEY, "value", SET(0));
    view(9);
    struct bytes before = look(KEY).outcome;
    uint64_t slots = stats(NULL).slots;
    record_view(test.record, &(struct msg_view){.epoch = 200, .members = {"\x91\x80", 2}});
    record_step(test.record, US_PER_MS);
    ck_assert(bytes_equal(look(KEY).outcome, before));
    ck_assert_uint_eq(stats(NULL).epoch, 9);
    ck_assert_uint_eq(stats(NULL).slots, slots);
    ck_assert_uint_gt(slots, CACHE_SLOTS / 3);
}
END_TEST

static uint64_t mget(struct writer *keys)
{
    struct msg_cache_mget mget = {.ns = bytes_of(CACHE_NS), .keys = writer_bytes(keys)};
    return record_message(test.record, MSG_CACHE_MGET, &mget);
}

/* All keys are answered in order; what does not fit the answer misses, and none brings a lease. */
START_TEST(many_keys_are_looked_up_at_once)
{
    static char keys_bytes[16384], value[60000];
    struct writer keys;
    struct msg_cache_entries entries;
    struct bytes body;
    unsigned hits = 0, count = 0;
    memset(value, 'v', sizeof value);
    writer_init(&keys, keys_bytes, sizeof keys_bytes);
    writer_array(&keys, MGET_KEYS_MAX);
    for (unsigned i = 0; i < MGET_KEYS_MAX; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "tool:%u", i);
        if (i < 10)
            fill(key, NULL, SET(.value = {value, sizeof value}));
        else if (i % 2 == 0)
            fill(key, key, SET(0));
        writer_cstr(&keys, key);
    }
    record_decode_reply(test.record, mget(&keys), MSG_CACHE_ENTRIES, &entries);
    for (struct values values = values_over(entries.entries); values_next(&values, &body);) {
        struct msg_cache_entry entry;
        ck_assert_int_eq(message_decode(MSG_CACHE_ENTRY, body, &entry), STATUS_OK);
        if (count >= 10)
            expect(entry, count % 2 == 0 ? "HIT" : "MISS");
        ck_assert_uint_eq(entry.lease, 0);
        hits += bytes_are(entry.outcome, "HIT");
        count++;
    }
    ck_assert_uint_eq(count, MGET_KEYS_MAX);
    ck_assert_uint_eq(hits, 27 + 4); /* of the large ones as many as 256 KiB hold */
}
END_TEST

START_TEST(the_largest_value_goes_in_and_out)
{
    char *value = malloc(VALUE_BYTES_MAX);
    memset(value, 'v', VALUE_BYTES_MAX);
    fill(KEY, NULL, SET(.value = {value, VALUE_BYTES_MAX}));
    struct msg_cache_entry entry = look(KEY);
    expect(entry, "HIT");
    ck_assert(bytes_equal(entry.value, (struct bytes){value, VALUE_BYTES_MAX}));
    free(value);
}
END_TEST

/* What is too large to keep is refused, and still answers those who waited for it. */
START_TEST(what_is_not_kept_is_shared_all_the_same)
{
    static char value[200000];
    record_destroy(&test.record);
    test = cache_test_new("1MiB");
    uint64_t token = lease(KEY), waiting = cache_get(&test, KEY, GET(.park_ms = 1000), 0);
    uint64_t fussy = cache_get(&test, KEY, GET(.park_ms = 60000, .max_age_ms = 10), 0);
    record_step(test.record, 100 * US_PER_MS);
    const char *outcome =
        cache_set(&test, KEY, token, NULL, SET(.value = {value, sizeof value}, .encoding = 3));
    ck_assert_str_eq(outcome, "REJECTED");
    struct msg_cache_entry entry = cache_entry_of(&test, waiting);
    expect(entry, "HIT");
    ck_assert_uint_eq(entry.value.size, sizeof value);
    ck_assert_uint_eq(entry.age_ms, 100);
    ck_assert_uint_eq(entry.encoding, 3);
    expect(cache_entry_of(&test, fussy), "MISS");
    expect(look(KEY), "MISS");
}
END_TEST

START_TEST(what_is_too_cheap_is_not_kept)
{
    record_destroy(&test.record);
    const char *flags[] = {"cache_partition.cost_min_us=1000", NULL};
    test = (struct cache_test){.record = record_new(&cache_partition_spec, flags)};
    cache_hear(&test);
    ck_assert_str_eq(cache_set(&test, KEY, lease(KEY), "v", SET(.cost_us = 999)), "REJECTED");
    ck_assert_str_eq(cache_set(&test, KEY, lease(KEY), "v", SET(.cost_us = 1000)), "STORED");
}
END_TEST

START_TEST(the_statistics_add_up_by_namespace)
{
    fill(KEY, "value", SET(0));
    expect(look(KEY), "HIT");
    struct msg_cache_entry other = cache_look(&test, KEY, GET(.ns = bytes_of("other")), 0);
    expect(other, "MISS");
    cache_set(&test, KEY, 1, "value", SET(0));
    invalidate(0, 1);
    struct msg_cache_statistics all = stats(NULL), one = stats(CACHE_NS), two = stats("other");
    ck_assert_uint_eq(all.entries, 1);
    ck_assert_uint_eq(one.entries, 1);
    ck_assert_uint_eq(two.entries, 0);
    ck_assert_uint_eq(one.hits, 1);
    ck_assert_uint_eq(one.misses, 1);
    ck_assert_uint_eq(two.misses, 1);
    ck_assert_uint_eq(all.misses, 2);
    ck_assert_uint_eq(all.stores, 1);
    ck_assert_uint_eq(all.stale_sets, 1);
    ck_assert_uint_eq(all.leases, 1);
    ck_assert_uint_eq(all.stamps, 1);
    ck_assert_uint_eq(all.invalidations, 1);
    ck_assert_uint_eq(values_count(all.position), 1);
    ck_assert_uint_le(all.bytes, all.bytes_max);
    ck_assert_uint_eq(stats("nobody").misses, 0);
}
END_TEST

START_TEST(the_metrics_say_the_same)
{
    struct metrics *metrics = test.record->context.metrics;
    fill(KEY, "value", SET(0));
    expect(look(KEY), "HIT");
    expect(look(KEY), "HIT");
    record_step(test.record, US_PER_S);
    struct series *hits = metrics_series(metrics, METRIC_CACHE_REQUESTS_TOTAL, LABELS("hit"));
    struct series *used = metrics_series(metrics, METRIC_BOUND_USED_RATIO, LABELS("memory_bytes"));
    ck_assert_double_eq(series_value(hits), 2);
    ck_assert_double_gt(series_value(used), 0);
    char room[CONTROL_BYTES_MAX];
    struct bytes body;
    struct msg_cache_statistics statistics;
    ck_assert_int_eq(
        record_query(test.record, "stats", (struct bytes){0}, room, sizeof room, &body), STATUS_OK);
    ck_assert_int_eq(message_decode(MSG_CACHE_STATISTICS, body, &statistics), STATUS_OK);
    ck_assert_uint_eq(statistics.hits, 2);
    ck_assert_int_eq(record_query(test.record, "nothing", body, room, sizeof room, &body),
                     STATUS_NO_ROLE);
}
END_TEST

static struct msg_cache_explained explain(void)
{
    struct msg_cache_explain ask = {bytes_of(CACHE_NS), bytes_of(KEY)};
    struct msg_cache_explained explained;
    record_decode_reply(test.record, record_message(test.record, MSG_CACHE_EXPLAIN, &ask),
                        MSG_CACHE_EXPLAINED, &explained);
    return explained;
}

START_TEST(a_key_is_explained)
{
    ck_assert(bytes_are(explain().state, "absent"));
    uint64_t token = lease(KEY);
    ck_assert(bytes_are(explain().state, "leased"));
    cache_set(
        &test, KEY, token, "value",
        SET(.fresh_ms = 10000, .stale_ms = 10000, .error_ms = 60000, .tags = declared_tags()));
    struct msg_cache_explained valid = explain();
    ck_assert(bytes_are(valid.state, "valid"));
    ck_assert_uint_eq(values_count(valid.tags), 4);
    ck_assert_uint_gt(valid.version, valid.floor);
    ck_assert_uint_gt(valid.bytes, 0);
    ck_assert_uint_eq(valid.slot, key_slot(key_hash(0, bytes_of(KEY))));
    cache_pass(&test, 11001);
    ck_assert(bytes_are(explain().state, "stale"));
    cache_pass(&test, 10000);
    ck_assert(bytes_are(explain().state, "expired"));
    invalidate(3, 1);
    char tag[17];
    (void)snprintf(tag, sizeof tag, "%016" PRIx64, key_tag('d', bytes_of("db:demo")));
    struct msg_cache_explained invalid = explain();
    ck_assert(bytes_are(invalid.state, "invalidated"));
    ck_assert_ptr_nonnull(memmem(invalid.why.data, invalid.why.size, tag, strlen(tag)));
}
END_TEST

/* Each refused, and nothing else happens. */
/* clang-format off */
static const struct {
    const char *method;
    struct bytes body;
} bad[] = {
#define NS "\xa2ns\xa1n"
#define K "\xa3key\xa1k"
#define EPOCH "\xa5" "epoch\x01"
#define KKKK "\xa1k\xa1k\xa1k\xa1k\xa1k\xa1k\xa1k\xa1k\xa1k\xa1k\xa1k\xa1k\xa1k\xa1k\xa1k\xa1k"
#define LONG SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN \
    SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN SIXTEEN
    {"get", BODY("\x82" NS K)},
    {"get", BODY("\x83\xa2ns\xa1-" K EPOCH)},
    {"get", BODY("\x83\xa2ns\xa0" K EPOCH)},
    {"get", BODY("\x83" NS "\xa3key\xa0" EPOCH)},
    {"get", BODY("\x84" NS K EPOCH "\xa5" "after\x01")},
    {"get", BODY("\x84" NS K EPOCH "\xa5" "after\x91\x92\xc4\x01o\x01")},
    {"get", BODY("\x84" NS K EPOCH "\xa5" "after\x91\x93\xc4\x10" WRITER "\x01\x01")},
#define PAIR "\x92\xc4\x10" WRITER "\x01"
    {"get", BODY("\x84" NS K EPOCH "\xa5" "after\x99" PAIR PAIR PAIR PAIR PAIR PAIR PAIR PAIR PAIR)},
    {"mget", BODY("\x83" NS "\xa4keys\xdc\x00\x41\xa1k" KKKK KKKK KKKK KKKK EPOCH)},
    {"mget", BODY("\x83" NS "\xa4keys\x91\xda\x01\x10" LONG EPOCH)},
    {"mget", BODY("\x83" NS "\xa4keys\x01" EPOCH)},
    {"mget", BODY("\x83" NS "\xa4keys\x91\x01" EPOCH)},
    {"mget", BODY("\x83" NS "\xa4keys\x91\xa0" EPOCH)},
    {"set", BODY("\x85" NS K EPOCH "\xa5lease\x01\xa5value\xc4\x01v")},
    {"set", BODY("\x86" NS K EPOCH "\xa5lease\x01\xa5value\xc4\x01v\xa8" "fresh_ms\x00")},
    {"set", BODY("\x86" NS K EPOCH "\xa5lease\x01\xa5value\xc4\x01v\xa8" "fresh_ms"
                 "\xce\x05\x26\x5c\x01")}, /* a day and a millisecond */
    {"set", BODY("\x87" NS K EPOCH "\xa5lease\x01\xa5value\xc4\x01v\xa8" "fresh_ms\x01\xa8stale_ms"
                 "\xce\x05\x26\x5c\x01")},
    {"set", BODY("\x87" NS K EPOCH "\xa5lease\x01\xa5value\xc4\x01v\xa8" "fresh_ms\x01\xa8" "error_ms"
                 "\xce\x05\x26\x5c\x01")},
    {"set", BODY("\x87" NS K EPOCH "\xa5lease\x01\xa5value\xc4\x01v\xa8" "fresh_ms\x01\xa4tags\x01")},
    {"set", BODY("\x87" NS K EPOCH "\xa5lease\x01\xa5value\xc4\x01v\xa8" "fresh_ms\x01\xa4tags\x91"
                 "\xa1t")},
    {"set", BODY("\x87" NS K EPOCH "\xa5lease\x01\xa5value\xc4\x01v\xa8" "fresh_ms\x01\xa4tags\x9d"
                 "\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01\x01")},
    {"fail", BODY("\x85" NS K EPOCH "\xa5lease\x01\xa6status\x00")},
    {"fail", BODY("\x85" NS K EPOCH "\xa5lease\x01\xa6status\x7f")},
    {"explain", BODY("\x82\xa2ns\xa1-" K)},
};
/* clang-format on */

START_TEST(what_makes_no_sense_is_refused)
{
    uint64_t id = record_request(test.record, bad[_i].method, bad[_i].body);
    record_expect_refusal(test.record, id, STATUS_BAD_REQUEST, NULL);
    ck_assert_uint_eq(stats(NULL).leases, 0);
}
END_TEST

/* The bounds of limits.h, filled. */
START_TEST(without_a_lease_left_it_still_answers)
{
    for (unsigned i = 0; i < LEASES_MAX; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "tool:%u", i);
        if (cache_look(&test, key, PLAIN, 0).lease == 0)
            ck_abort_msg("no lease for %u", i);
        cache_clear(&test);
    }
    struct msg_cache_entry entry = cache_look(&test, KEY, GET(.park_ms = 1000), 0);
    expect(entry, "MISS");
    ck_assert_uint_eq(entry.lease, 0);
    cache_pass(&test, LEASE_MS_FIRST);
    ck_assert_uint_ne(lease(KEY), 0);
}
END_TEST

START_TEST(no_more_than_their_bound_are_parked)
{
    char key[32];
    for (unsigned i = 0; i < PARKED_MAX; i++) {
        (void)snprintf(key, sizeof key, "tool:%u", i / PARKED_PER_KEY_MAX);
        if (i % PARKED_PER_KEY_MAX == 0)
            lease(key);
        cache_clear(&test);
        cache_get(&test, key, GET(.park_ms = 5000), 0);
        ck_assert_uint_eq(test.record->reply_count, 0);
    }
    lease("tool:more");
    uint64_t id = cache_get(&test, "tool:more", GET(.park_ms = 5000), 0);
    record_expect_refusal(test.record, id, STATUS_BUSY_FULL, NULL);
    ck_assert_uint_eq(stats(NULL).parked, PARKED_MAX);
    record_step(test.record, US_PER_S);
    struct series *used =
        metrics_series(test.record->context.metrics, METRIC_BOUND_USED_RATIO, LABELS("parked"));
    ck_assert_double_eq(series_value(used), 1);
}
END_TEST

START_TEST(beyond_their_bound_namespaces_count_together)
{
    char ns[32];
    for (unsigned i = 0; i < NAMESPACES_MAX + 10; i++) {
        (void)snprintf(ns, sizeof ns, "ns_%u", i);
        cache_look(&test, KEY, GET(.ns = bytes_of(ns)), 0);
    }
    ck_assert_uint_eq(stats(NULL).misses, NAMESPACES_MAX + 10);
    ck_assert_uint_eq(stats("ns_0").misses, 1);
    ck_assert_uint_eq(stats(ns).misses, 0);
}
END_TEST

START_TEST(the_memory_is_full_and_holds)
{
    static char value[3000];
    char key[32];
    for (unsigned i = 0; i < 5000; i++) {
        (void)snprintf(key, sizeof key, "tool:%u", i);
        fill(key, NULL, SET(.value = {value, sizeof value}));
        cache_clear(&test);
    }
    struct msg_cache_statistics statistics = stats(NULL);
    ck_assert_uint_gt(statistics.evicted, 1000);
    ck_assert_uint_le(statistics.bytes, statistics.bytes_max);
    ck_assert_uint_ge(statistics.bytes + 4096, statistics.bytes_max);
    expect(look(key), "HIT");
}
END_TEST

/* What is asked for stays, where others that are as dear go. */
START_TEST(hits_keep_an_entry)
{
    static char value[3000];
    char key[32];
    fill("tool:hot", NULL, SET(.value = {value, sizeof value}, .cost_us = 1000));
    fill("tool:cold", NULL, SET(.value = {value, sizeof value}, .cost_us = 1000));
    for (unsigned i = 0; i < 20000; i++) {
        (void)snprintf(key, sizeof key, "tool:%u", i);
        fill(key, NULL, SET(.value = {value, sizeof value}, .cost_us = 1000));
        if (i % 100 == 0)
            expect(look("tool:hot"), "HIT");
        cache_clear(&test);
    }
    expect(look("tool:cold"), "MISS");
}
END_TEST

/* Stamps are kept for a day, so no entry may outlive that. */
START_TEST(no_entry_lives_longer_than_stamps_do)
{
    char key[32];
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(key, sizeof key, "tool:%u", i);
        fill(key, "value", SET(.fresh_ms = TTL_MS_MAX, .stale_ms = TTL_MS_MAX));
        ck_assert_uint_le(look(key).fresh_ms, TTL_MS_MAX);
    }
}
END_TEST

START_TEST(what_is_over_is_dropped_in_time)
{
    fill(KEY, "value", SET(.fresh_ms = 2000));
    cache_pass(&test, 1000);
    ck_assert_uint_eq(stats(NULL).entries, 1);
    cache_pass(&test, 2500);
    ck_assert_uint_eq(stats(NULL).entries, 0);
    ck_assert_uint_eq(stats(NULL).expired, 1);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_value_and_a_lease_say_how_far_events_have_been_applied);
    tcase_add_test(tcase, a_miss_brings_the_lease_and_its_fill_a_hit);
    tcase_add_test(tcase, a_thousand_misses_on_one_key_are_one_fill);
    tcase_add_test(tcase, when_the_holder_dies_one_more_fills);
    tcase_add_test(tcase, what_was_filled_together_does_not_go_stale_together);
    tcase_add_test(tcase, past_its_freshness_it_is_served_stale_while_one_fills);
    tcase_add_test(tcase, refresh_brings_the_lease_though_it_is_fresh);
    tcase_add_test(tcase, only_if_cached_neither_leases_nor_waits);
    tcase_add_test(tcase, what_is_older_than_asked_for_is_not_served);
    tcase_add_loop_test(tcase, an_entry_is_gone_with_any_of_its_tags, 0, 8);
    tcase_add_loop_test(tcase, a_fill_that_an_invalidation_overtakes_dies, 0, 8);
    tcase_add_test(tcase, what_was_invalidated_is_for_those_who_ask_for_it);
    tcase_add_test(tcase, while_it_is_deaf_nothing_is_valid_and_nothing_kept);
    tcase_add_test(tcase, after_a_gap_nothing_from_before_is_valid);
    tcase_add_loop_test(tcase, a_malformed_invalidation_is_a_gap, 0,
                        sizeof malformed / sizeof *malformed);
    tcase_add_loop_test(tcase, a_failure_goes_to_all_who_wait_unless_it_is_the_holders_own, 0,
                        sizeof failures / sizeof *failures);
    tcase_add_test(tcase, a_remembered_failure_goes_with_its_tags);
    tcase_add_test(tcase, a_failure_that_was_overtaken_is_not_remembered);
    tcase_add_test(tcase, the_newest_failure_is_the_one_remembered_and_not_for_long);
    tcase_add_test(tcase, a_valid_value_stands_in_for_a_failed_fill);
    tcase_add_test(tcase, it_stands_in_for_a_while_and_within_its_window);
    tcase_add_test(tcase, who_waits_is_answered_by_its_own_time);
    tcase_add_test(tcase, who_withdraws_is_neither_answered_nor_given_the_lease);
    tcase_add_test(tcase, a_session_token_waits_for_its_writes);
    tcase_add_test(tcase, no_more_than_their_bound_wait_for_their_writes);
    tcase_add_test(tcase, a_key_of_another_is_sent_on_with_the_view);
    tcase_add_test(tcase, a_lease_outlives_its_slot);
    tcase_add_test(tcase, a_view_that_makes_no_sense_changes_nothing);
    tcase_add_test(tcase, many_keys_are_looked_up_at_once);
    tcase_add_test(tcase, the_largest_value_goes_in_and_out);
    tcase_add_test(tcase, what_is_not_kept_is_shared_all_the_same);
    tcase_add_test(tcase, what_is_too_cheap_is_not_kept);
    tcase_add_test(tcase, the_statistics_add_up_by_namespace);
    tcase_add_test(tcase, the_metrics_say_the_same);
    tcase_add_test(tcase, a_key_is_explained);
    tcase_add_loop_test(tcase, what_makes_no_sense_is_refused, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, without_a_lease_left_it_still_answers);
    tcase_add_test(tcase, no_more_than_their_bound_are_parked);
    tcase_add_test(tcase, beyond_their_bound_namespaces_count_together);
    tcase_add_test(tcase, the_memory_is_full_and_holds);
    tcase_add_test(tcase, hits_keep_an_entry);
    tcase_add_test(tcase, no_entry_lives_longer_than_stamps_do);
    tcase_add_test(tcase, what_is_over_is_dropped_in_time);
}

int main(void)
{
    return suite_run("cache_partition", add_tests);
}
