/* test_cache_model - rules 1 to 6 and 9 to 11 of docs/cache.md together, in random order, against
 * an oracle that remembers everything.
 *
 * The world: a database of variables, each a count of its commits. Writers commit, then number and
 * publish an invalidation. A broker passes them on, in order but late; some are lost between writer
 * and broker, some between broker and partition, and now and then it is silent. Drivers look keys
 * up, fill them from what they read some time after their lease, come too late, or die. The
 * partition restarts, and is empty.
 *
 * The oracle knows what the partition has been told or may have missed. It claims: no value is
 * older than that; none at all is served while deaf; a lease is never out twice; a fill is refused
 * exactly if something overtook it or its lease is not current; what is stored, fresh and not
 * overtaken is a hit; and a session token is obeyed. tests/mutation/cache_rules breaks each rule in
 * turn, and then this test must fail. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/cache_partition/cache_partition.h"
#include "actors/runtime/stamps.h"
#include "tests/support/cache.h"
#include "tests/support/suite.h"

#define VARIABLES 12u
#define KEYS 40u
#define DEPENDS 3u /* variables that a key is made from */
#define WRITERS 3u
#define EVENTS 4096u /* on their way */
#define FILLS 256u   /* under way */
#define STEPS 40000u
#define DEAF_US (3 * US_PER_S)
#define FRESH_MS 20000u
#define STEP_MS 20u /* at most; what happens within a step is known no closer */

struct commit {
    unsigned variable; /* VARIABLES: none; all keys go by their namespace */
    uint64_t version;
};

struct passed {
    int64_t deliver_at;
    bool beat, lost;
    unsigned writer;
    uint64_t number;
    struct commit commit;
};

struct writer_state {
    char id[ORIGIN_BYTES + 1];
    uint64_t number;           /* last used */
    uint64_t heard;            /* last that the partition was told; 0: none */
    struct commit unheard[64]; /* lost on the way to the broker */
    unsigned unheard_count;
};

struct fill {
    bool used, read, overtaken;
    unsigned key;
    uint64_t token;
    int64_t read_at, set_at, lapses_at;
    uint64_t snapshot[DEPENDS];
};

struct held { /* what a key must be, if it is anything */
    bool stored;
    int64_t fresh_until_at; /* at least */
};

static struct cache_test test;
static uint64_t seed;
static uint64_t committed[VARIABLES], known[VARIABLES];
static unsigned depends[KEYS][DEPENDS];
static struct passed events[EVENTS];
static unsigned event_first, event_count;
static struct writer_state writers[WRITERS];
static struct fill fills[FILLS];
static struct held held[KEYS];
static uint64_t current[KEYS]; /* token of the lease that is out; 0: none */
static int64_t lapses_at[KEYS];
static int64_t heard_at;
static int64_t silent_until_at; /* the broker passes nothing on before that */
static bool gapped;             /* a gap was told, and nothing heard since */
static unsigned hits, stale_sets, stored_sets, gaps, deaf_looks, token_hits, restarts;

/* What was asked, by request id. */
#define ASKED 4096u
static struct asked {
    uint64_t id;
    unsigned key;
    struct commit token; /* version 0: none */
} asked[ASKED];

static uint64_t pick(uint64_t below)
{
    return random_next(&seed) % below;
}

static int64_t now_at(void)
{
    return test.record->context.now_at;
}

static bool deaf(void)
{
    return gapped || now_at() - heard_at > DEAF_US;
}

static bool depends_on(unsigned key, unsigned variable)
{
    bool found = variable == VARIABLES;
    for (unsigned i = 0; i < DEPENDS; i++)
        found = found || depends[key][i] == variable;
    return found;
}

static const char *key_text(unsigned key)
{
    static char text[32];
    (void)snprintf(text, sizeof text, "tool:%u", key);
    return text;
}

static uint64_t tag_of(unsigned variable)
{
    char text[32];
    if (variable == VARIABLES)
        return key_tag('n', bytes_of(CACHE_NS));
    (void)snprintf(text, sizeof text, "t:demo.v%u", variable);
    return key_tag('d', bytes_of(text));
}

/* The partition has been told of this commit, or may have missed it. */
static void learn(struct commit commit)
{
    if (commit.variable < VARIABLES && known[commit.variable] < commit.version)
        known[commit.variable] = commit.version;
}

static void overtake(unsigned variable)
{
    for (unsigned key = 0; key < KEYS; key++)
        if (depends_on(key, variable))
            held[key].stored = false;
    for (unsigned i = 0; i < FILLS; i++)
        if (fills[i].used && depends_on(fills[i].key, variable))
            fills[i].overtaken = true;
}

static void overtake_all(void)
{
    gaps++;
    for (unsigned key = 0; key < KEYS; key++)
        held[key].stored = false;
    for (unsigned i = 0; i < FILLS; i++)
        fills[i].overtaken = fills[i].used;
}

/* The value of a key: the versions it was made from. */
static void check_value(unsigned key, const struct msg_cache_entry *entry, struct commit token)
{
    uint64_t snapshot[DEPENDS];
    if (deaf())
        ck_abort_msg("key %u is served while deaf", key);
    if (entry->value.size != sizeof snapshot)
        ck_abort_msg("key %u has a value of %zu bytes", key, entry->value.size);
    memcpy(snapshot, entry->value.data, sizeof snapshot);
    for (unsigned i = 0; i < DEPENDS; i++) {
        unsigned variable = depends[key][i];
        if (snapshot[i] < known[variable])
            ck_abort_msg("key %u: variable %u is %lu, and %lu is known", key, variable, snapshot[i],
                         known[variable]);
        if (token.variable == variable && snapshot[i] < token.version)
            ck_abort_msg("key %u: variable %u is %lu, and the asker wrote %lu", key, variable,
                         snapshot[i], token.version);
    }
    token_hits += token.version != 0;
    hits++;
}

static void begin_fill(unsigned key, uint64_t token, uint64_t lease_ms)
{
    unsigned at = 0;
    if (current[key] != 0 && now_at() < lapses_at[key] - STEP_MS * US_PER_MS)
        ck_abort_msg("two leases on key %u", key);
    current[key] = token;
    lapses_at[key] = now_at() + (int64_t)lease_ms * US_PER_MS;
    while (at < FILLS && fills[at].used)
        at++;
    if (at == FILLS || pick(10) == 0)
        return; /* this holder dies */
    int64_t read_at = now_at() + (int64_t)pick(pick(4) == 0 ? 2000 : 50) * US_PER_MS;
    int64_t set_at = read_at + (int64_t)pick(pick(20) == 0 ? 20000 : 300) * US_PER_MS;
    fills[at] = (struct fill){.used = true,
                              .key = key,
                              .token = token,
                              .read_at = read_at,
                              .set_at = set_at,
                              .lapses_at = lapses_at[key]};
}

static void take_entry(const struct asked *ask, const struct recorded_reply *reply)
{
    struct msg_cache_entry entry;
    ck_assert_int_eq(message_decode(MSG_CACHE_ENTRY, reply->answer.body, &entry), STATUS_OK);
    bool is_value = bytes_are(entry.outcome, "HIT") || bytes_are(entry.outcome, "STALE");
    if (is_value && (reply->answer.flags & FLAG_DEGRADED) == 0)
        check_value(ask->key, &entry, ask->token);
    if (entry.lease != 0)
        begin_fill(ask->key, entry.lease, entry.lease_ms);
}

/* All replies since the last time; those to a set are taken where it is made. */
static void take_replies(void)
{
    for (size_t i = 0; i < test.record->reply_count; i++) {
        const struct recorded_reply *reply = &test.record->replies[i];
        struct asked *ask = &asked[reply->request.id % ASKED];
        if (ask->id == reply->request.id && reply->answer.status == STATUS_OK)
            take_entry(ask, reply);
    }
    cache_clear(&test);
}

/* Time goes on; leases lapse, and who waits is answered. */
static void pass(int64_t us)
{
    record_step(test.record, us);
    take_replies();
}

static void push(struct passed event)
{
    static int64_t last_at;
    if (event_count == 0)
        last_at = 0;
    event.deliver_at = now_at() + (int64_t)pick(pick(10) == 0 ? 1500 : 30) * US_PER_MS;
    if (event.deliver_at < silent_until_at)
        event.deliver_at = silent_until_at;
    if (event.deliver_at < last_at)
        event.deliver_at = last_at; /* in order */
    last_at = event.deliver_at;
    ck_assert_uint_lt(event_count, EVENTS);
    events[(event_first + event_count++) % EVENTS] = event;
}

static void write_something(void)
{
    unsigned at = (unsigned)pick(WRITERS), variable = (unsigned)pick(VARIABLES + 1);
    struct writer_state *writer = &writers[at];
    struct commit commit = {variable, 0};
    if (variable < VARIABLES)
        commit.version = ++committed[variable];
    writer->number++;
    if (pick(200) == 0 && writer->unheard_count < 64) /* it does not reach the broker */
        writer->unheard[writer->unheard_count++] = commit;
    else
        push((struct passed){.writer = at, .number = writer->number, .commit = commit});
}

static bool lost_before; /* events since the last that was delivered */
static struct commit lost[EVENTS];
static unsigned lost_count;

static void tell(const struct passed *event)
{
    struct writer_state *writer = &writers[event->writer];
    uint64_t tag = tag_of(event->commit.variable);
    learn(event->commit);
    overtake(event->commit.variable);
    if (event->number != writer->heard + 1) {
        for (unsigned i = 0; i < writer->unheard_count; i++)
            learn(writer->unheard[i]);
        writer->unheard_count = 0;
        overtake_all();
    }
    writer->heard = event->number;
    cache_invalidate(&test, writer->id, event->number, &tag, 1);
    /* Half a batch of duplicates: another broker says the same. */
    if (pick(4) == 0)
        cache_invalidate(&test, writer->id, event->number, &tag, 1);
}

/* As the runtime does it: a gap in the numbers is told before the event that shows it. */
static void deliver(const struct passed *event)
{
    if (event->lost) {
        lost_before = true;
        if (!event->beat)
            lost[lost_count++] = event->commit;
        return;
    }
    if (lost_before) {
        record_gap(test.record);
        gapped = true;
    }
    if (deaf()) {
        for (unsigned i = 0; i < lost_count; i++)
            learn(lost[i]);
        overtake_all();
    }
    lost_before = gapped = false;
    lost_count = 0;
    heard_at = now_at();
    if (event->beat)
        cache_hear(&test);
    else
        tell(event);
    take_replies();
}

static void deliver_due(void)
{
    while (event_count > 0 && events[event_first].deliver_at <= now_at()) {
        struct passed event = events[event_first];
        event_first = (event_first + 1) % EVENTS;
        event_count--;
        deliver(&event);
    }
}

static void look_up(void)
{
    unsigned key = (unsigned)pick(KEYS);
    char token[64];
    struct writer tokens;
    struct msg_cache_get get = {.park_ms = pick(3) == 0 ? 500 : 0};
    struct asked ask = {.id = test.record->last_id + 1, .key = key};
    uint16_t flags = pick(50) == 0 ? FLAG_REFRESH : 0;
    bool must_hit =
        held[key].stored && now_at() < held[key].fresh_until_at && !deaf() && flags == 0;
    const struct passed *newest = &events[(event_first + event_count - 1) % EVENTS];
    if (event_count > 0 && !newest->beat && pick(2) == 0) {
        ask.token = newest->commit;
        writer_init(&tokens, token, sizeof token);
        writer_array(&tokens, 1);
        writer_array(&tokens, 2);
        writer_blob(&tokens, (struct bytes){writers[newest->writer].id, ORIGIN_BYTES});
        writer_u64(&tokens, newest->number);
        get.after = writer_bytes(&tokens);
        must_hit = false;
    }
    asked[ask.id % ASKED] = ask;
    unsigned before = hits;
    deaf_looks += deaf();
    cache_get(&test, key_text(key), get, flags);
    take_replies();
    if (must_hit && hits == before)
        ck_abort_msg("key %u is stored, fresh, and not overtaken: no hit", key);
}

static void read_snapshot(struct fill *fill)
{
    for (unsigned i = 0; i < DEPENDS; i++)
        fill->snapshot[i] = committed[depends[fill->key][i]];
    fill->read = true;
}

static void set(struct fill *fill)
{
    char list[64];
    struct writer tags;
    bool is_current = current[fill->key] == fill->token && now_at() < fill->lapses_at;
    if (is_current && now_at() >= fill->lapses_at - STEP_MS * US_PER_MS)
        return; /* who knows */
    bool expected = is_current && !fill->overtaken && !deaf();
    writer_init(&tags, list, sizeof list);
    writer_array(&tags, DEPENDS);
    for (unsigned i = 0; i < DEPENDS; i++)
        writer_u64(&tags, tag_of(depends[fill->key][i]));
    struct msg_cache_set body = {.tags = writer_bytes(&tags),
                                 .value = {(const char *)fill->snapshot, sizeof fill->snapshot},
                                 .fresh_ms = FRESH_MS,
                                 .stale_ms = FRESH_MS / 4};
    fill->used = false;
    if (is_current)
        current[fill->key] = 0;
    const char *outcome = cache_set(&test, key_text(fill->key), fill->token, NULL, body);
    if (strcmp(outcome, expected ? "STORED" : "STALE_SET") != 0)
        ck_abort_msg("key %u: %s (current %d, overtaken %d, deaf %d)", fill->key, outcome,
                     is_current, fill->overtaken, deaf());
    stored_sets += expected;
    stale_sets += !expected;
    if (expected) {
        held[fill->key].stored = true;
        held[fill->key].fresh_until_at = now_at() + FRESH_MS * US_PER_MS * 9 / 10;
    }
    take_replies();
}

static void fill_due(void)
{
    for (unsigned i = 0; i < FILLS; i++) {
        struct fill *fill = &fills[i];
        if (fill->used && !fill->read && fill->read_at <= now_at())
            read_snapshot(fill);
        if (fill->used && fill->read && fill->set_at <= now_at())
            set(fill);
    }
}

/* Everything here is gone; what the others have under way goes on. */
static void restart(void)
{
    int64_t at = now_at();
    uint64_t last_id = test.record->last_id;
    record_destroy(&test.record);
    test.record = record_new(&cache_partition_spec, NULL);
    test.record->last_id = last_id;
    test.record->context.now_at = at;
    test.record->seed = 1 + pick(UINT32_MAX);
    test.record->context.unix_ms = RECORD_UNIX_MS + (int64_t)pick(1000000);
    memset(held, 0, sizeof held);
    memset(current, 0, sizeof current);
    for (unsigned i = 0; i < WRITERS; i++)
        writers[i].heard = 0;
    gapped = true;
    restarts++;
}

/* A writer that starts anew numbers anew, under another name. Its last words may be lost. */
static void restart_writer(unsigned at)
{
    struct writer_state *writer = &writers[at];
    static unsigned names;
    (void)snprintf(writer->id, sizeof writer->id, "writer %09u", names++);
    writer->number = writer->heard = 0;
    writer->unheard_count = 0;
}

static bool writer_is_quiet(unsigned at)
{
    bool quiet = writers[at].unheard_count == 0;
    for (unsigned i = 0; i < event_count; i++) {
        const struct passed *event = &events[(event_first + i) % EVENTS];
        quiet = quiet && (event->beat || event->writer != at);
    }
    return quiet;
}

static void begin(void)
{
    event_first = event_count = lost_count = 0;
    lost_before = false;
    gapped = true;
    silent_until_at = 0;
    hits = stale_sets = stored_sets = gaps = deaf_looks = token_hits = restarts = 0;
    for (unsigned key = 0; key < KEYS; key++)
        for (unsigned i = 0; i < DEPENDS; i++)
            depends[key][i] = (unsigned)pick(VARIABLES);
    for (unsigned i = 0; i < WRITERS; i++)
        restart_writer(i);
    test = (struct cache_test){.record = record_new(&cache_partition_spec, NULL)};
}

/* One step: time, and one thing that happens. Losses and silence are rare, or nothing would ever
 * be valid. */
static void step(int64_t *beat_at)
{
    pass((int64_t)pick(STEP_MS) * US_PER_MS);
    if (now_at() >= *beat_at) {
        *beat_at += US_PER_S;
        push((struct passed){.beat = true, .lost = pick(100) == 0});
    }
    deliver_due();
    fill_due();
    uint64_t choice = pick(1000);
    if (choice < 40) {
        write_something();
        if (event_count > 0 && pick(150) == 0)
            events[(event_first + event_count - 1) % EVENTS].lost = true;
    } else if (choice == 40 && pick(3) == 0) {
        silent_until_at = now_at() + (int64_t)pick(8) * US_PER_S;
    } else if (choice == 41 && pick(4) == 0) {
        restart();
    } else if (choice == 42 && writer_is_quiet(choice % WRITERS)) {
        restart_writer(choice % WRITERS);
    } else {
        look_up();
    }
}

/* Seeds 1 to 8, 40,000 steps each. */
START_TEST(no_read_is_older_than_what_is_known)
{
    seed = (uint64_t)_i + 1;
    for (unsigned i = 0; i < 64; i++)
        (void)random_next(&seed); /* small seeds begin alike */
    begin();
    int64_t beat_at = now_at();
    for (unsigned i = 0; i < STEPS; i++)
        step(&beat_at);
    /* The load is one that tells. */
    ck_assert_uint_ge(hits, STEPS / 10);
    ck_assert_uint_ge(stored_sets, 300);
    ck_assert_uint_ge(stale_sets, 30);
    ck_assert_uint_ge(gaps, 5);
    ck_assert_uint_ge(deaf_looks, 200);
    ck_assert_uint_ge(token_hits, 20);
    ck_assert_uint_ge(restarts, 1);
    record_destroy(&test.record);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, no_read_is_older_than_what_is_known, 0, SUITE_SEEDS(8));
}

int main(void)
{
    return suite_run("cache_model", add_tests);
}
