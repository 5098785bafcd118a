/* test_limits - who is limited, by which rule, for how long exactly; that what only monitors
 * changes nothing; that what is refused or given back costs nobody anything; and a full table. */
#include <stdio.h>
#include <string.h>

#include "actors/runtime/rate_limit.h"
#include "broker/limits.h"
#include "tests/support/suite.h"

#define START_AT (500 * US_PER_S)
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct limits *limits;
static struct limit_bill bill;
static struct limit_refusal refusal;

static void setup(void)
{
    limits = limits_new();
}

static void teardown(void)
{
    limits_destroy(&limits);
    ck_assert_ptr_null(limits);
}

static void put_all(struct limits *self, const char *profile, const char *text)
{
    char reason[OPTION_REASON_BYTES];
    struct limit_rules rules;
    bool is_new;
    ck_assert_msg(limit_rules_read(&rules, profile, text, reason), "%s", reason);
    for (uint32_t i = 0; i < rules.count; i++)
        ck_assert_int_eq(limits_put(self, &rules.rows[i], &is_new), STATUS_OK);
}

static void put(const char *text)
{
    put_all(limits, "off", text);
}

static struct limit_ask ask_of(const char *tenant, const char *user, const char *method)
{
    return (struct limit_ask){.role = ROLE_DRIVER,
                              .class = CLASS_CRITICAL,
                              .tenant = bytes_of(tenant),
                              .user = bytes_of(user),
                              .method = bytes_of(method)};
}

static bool admit(const struct limit_ask *ask, int64_t now_at)
{
    return limits_admit(limits, ask, now_at, &bill, &refusal);
}

/* How many come at once, of at most a thousand. */
static unsigned admit_all(const struct limit_ask *ask, int64_t now_at)
{
    unsigned count = 0;
    while (count < 1000 && admit(ask, now_at))
        count++;
    return count;
}

static const struct {
    const char *text;
    bool good;
    uint32_t count, per_ms, burst;
    enum limit_mode mode;
} texts[] = {
    {"user=60/m", true, 60, 60000, 20, LIMIT_MONITOR},
    {"user=60/m burst 7", true, 60, 60000, 7, LIMIT_MONITOR},
    {" user=60/m burst 7 enforce ", true, 60, 60000, 7, LIMIT_ENFORCE},
    {"tenant:acme=2/s enforce", true, 2, 1000, 1, LIMIT_ENFORCE},
    {"global=1000000/d monitor", true, 1000000, 86400000, 333334, LIMIT_MONITOR},
    {"tenant_role:driver=5/h", true, 5, 3600000, 2, LIMIT_MONITOR},
    {"method:query=1/s,", true, 1, 1000, 1, LIMIT_MONITOR},
    {"tool:a:b=1/s", true, 1, 1000, 1, LIMIT_MONITOR},
    {"tenant:acme=unlimited", true, 0, 1000, 0, LIMIT_MONITOR},
    {"tenant=unlimited", false, 0, 0, 0, 0},
    {"user", false, 0, 0, 0, 0},
    {"user=", false, 0, 0, 0, 0},
    {"user:=1/s", false, 0, 0, 0, 0},
    {"users=1/s", false, 0, 0, 0, 0},
    {"global:x=1/s", false, 0, 0, 0, 0},
    {"tenant_role:client=1/s", false, 0, 0, 0, 0},
    {"user=0/s", false, 0, 0, 0, 0},
    {"user=-1/s", false, 0, 0, 0, 0},
    {"user=1000001/s", false, 0, 0, 0, 0},
    {"user=1/w", false, 0, 0, 0, 0},
    {"user=1", false, 0, 0, 0, 0},
    {"user=10/s burst 11", false, 0, 0, 0, 0},
    {"user=10/s burst", false, 0, 0, 0, 0},
    {"user=10/s burst 0", false, 0, 0, 0, 0},
    {"user=10/s burst 2x", false, 0, 0, 0, 0},
    {"user=10/s burst 2 enforce more", false, 0, 0, 0, 0},
    {"user=10/s never", false, 0, 0, 0, 0},
};

START_TEST(a_rule_is_what_its_text_says)
{
    char reason[OPTION_REASON_BYTES] = "";
    struct limit_rules rules;
    ck_assert_msg(limit_rules_read(&rules, "off", texts[_i].text, reason) == texts[_i].good, "%s",
                  texts[_i].text);
    ck_assert_int_eq(reason[0] == '\0', texts[_i].good);
    if (!texts[_i].good)
        return;
    ck_assert_uint_eq(rules.count, 1);
    ck_assert_uint_eq(rules.rows[0].count, texts[_i].count);
    ck_assert_uint_eq(rules.rows[0].per_ms, texts[_i].per_ms);
    ck_assert_uint_eq(rules.rows[0].burst, texts[_i].burst);
    ck_assert_int_eq(rules.rows[0].mode, texts[_i].mode);
}
END_TEST

START_TEST(a_profile_is_overridden_by_rules)
{
    char reason[OPTION_REASON_BYTES], target[LIMIT_TARGET_BYTES_MAX];
    struct limit_rules rules;
    ck_assert(limit_rules_read(&rules, "fact", "user=7/s, tenant:a=1/s", reason));
    ck_assert_uint_eq(rules.count, 4);
    const struct limit_rule *rule = limit_rules_find(&rules, LIMIT_USER, (struct bytes){0});
    ck_assert_uint_eq(rule->count, 7);
    ck_assert_int_eq(rule->mode, LIMIT_MONITOR);
    rule = limit_rules_find(&rules, LIMIT_TOOL, (struct bytes){0});
    ck_assert_uint_eq(rule->count, 30);
    ck_assert_int_eq(rule->mode, LIMIT_ENFORCE);
    rule = limit_rules_find(&rules, LIMIT_TENANT, bytes_of("a"));
    ck_assert_str_eq(limit_target_write(rule, target), "tenant:a");
    ck_assert_ptr_null(limit_rules_find(&rules, LIMIT_TENANT, (struct bytes){0}));
    ck_assert(!limit_rules_read(&rules, "fast", "", reason));
}
END_TEST

START_TEST(there_is_room_for_so_many_rules)
{
    char reason[OPTION_REASON_BYTES], text[4096];
    struct limit_rules rules;
    struct limit_rule rule = {.kind = LIMIT_TENANT, .count = 1, .per_ms = 1, .burst = 1};
    bool is_new;
    size_t used = 0;
    for (unsigned i = 0; i < LIMIT_RULES_MAX; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "tenant:%u=1/s,", i);
    put(text);
    ck_assert_uint_eq(limits_count(limits), LIMIT_RULES_MAX);
    rule.name = name_of(bytes_of("one more"));
    ck_assert_int_eq(limits_put(limits, &rule, &is_new), STATUS_BUSY_FULL);
    (void)snprintf(text + used, sizeof text - used, "user=1/s");
    ck_assert(!limit_rules_read(&rules, "off", text, reason));
}
END_TEST

/* Who comes as often as the rule says is refused never; who waits as long as he is told comes in,
 * and a microsecond before he does not. */
START_TEST(the_wait_is_exact)
{
    struct limit_ask ask = ask_of("acme", "ada", "query");
    int64_t now_at = START_AT;
    put("user=7/s burst 3 enforce");
    for (unsigned i = 0; i < 500; i++) {
        if (!admit(&ask, now_at)) {
            int64_t wait_us = refusal.wait_us;
            ck_assert_int_le(wait_us, US_PER_S / 7 + 1);
            ck_assert(!admit(&ask, now_at + wait_us - 1));
            ck_assert_int_eq(refusal.wait_us, 1);
            now_at += wait_us;
            ck_assert(admit(&ask, now_at));
        }
        now_at += (int64_t)((i * 7919) % 150000); /* now sooner, now later than allowed */
    }
    ck_assert_uint_gt(limits_decided(limits, LIMIT_USER, LIMIT_SHED, CLASS_CRITICAL), 0);
}
END_TEST

/* A row: a rule, and who has a number of his own under it: the others share ask's. */
static const struct {
    const char *rule;
    bool own_tenant, own_user, own_method, own_role, inner_counts;
} kinds[] = {
    {"global=9/s enforce", false, false, false, false, false},
    {"tenant=9/s enforce", true, false, false, false, false},
    {"user=9/s enforce", true, true, false, false, false},
    {"tenant_role=9/s enforce", true, false, false, true, true},
    {"method=9/s enforce", false, false, true, true, true},
    {"tool=9/s enforce", false, false, true, true, true},
};

START_TEST(each_one_of_a_kind_has_a_limit_of_its_own)
{
    struct limit_ask ask = ask_of("acme", "ada", "sum");
    ask.role = ROLE_TOOL_EXECUTOR;
    put(kinds[_i].rule);
    ck_assert_uint_eq(admit_all(&ask, START_AT), 3);
    struct limit_ask other = ask;
    other.tenant = bytes_of("other");
    ck_assert_int_eq(admit(&other, START_AT), kinds[_i].own_tenant);
    other = ask;
    other.user = bytes_of("bob");
    ck_assert_int_eq(admit(&other, START_AT), kinds[_i].own_user);
    other = ask;
    other.method = bytes_of("difference");
    ck_assert_int_eq(admit(&other, START_AT), kinds[_i].own_method);
    other = ask;
    other.role = ROLE_ARCADE_GATEWAY;
    ck_assert_int_eq(admit(&other, START_AT), kinds[_i].own_role);
    other = ask;
    other.inner = true;
    ck_assert_int_eq(admit(&other, START_AT), !kinds[_i].inner_counts);
}
END_TEST

START_TEST(who_is_named_has_a_rule_of_his_own)
{
    struct limit_ask acme = ask_of("acme", NULL, "query"), other = ask_of("other", NULL, "query");
    struct limit_ask ours = ask_of("ours", NULL, "query"), none = ask_of(NULL, NULL, "query");
    put("tenant=9/s enforce, tenant:acme=30/s enforce, tenant:ours=unlimited");
    ck_assert_uint_eq(admit_all(&acme, START_AT), 10);
    ck_assert_uint_eq(admit_all(&other, START_AT), 3);
    ck_assert_uint_eq(admit_all(&none, START_AT), 3);
    ck_assert_uint_eq(admit_all(&ours, START_AT), 1000);
    ck_assert(limits_remove(limits, LIMIT_TENANT, bytes_of("acme")));
    ck_assert(!limits_remove(limits, LIMIT_TENANT, bytes_of("acme")));
    ck_assert_uint_eq(admit_all(&acme, START_AT), 3);
    ck_assert_uint_eq(admit_all(&ours, START_AT), 1000);
}
END_TEST

START_TEST(a_tool_is_one_where_tools_run)
{
    struct limit_ask ask = ask_of("acme", "ada", "query");
    put("tool=3/s enforce");
    ck_assert_uint_eq(admit_all(&ask, START_AT), 1000);
    ask.role = ROLE_ARCADE_GATEWAY;
    ck_assert_uint_eq(admit_all(&ask, START_AT), 1);
}
END_TEST

/* All are asked before any is charged; of several that refuse, the longest wait is told. */
START_TEST(what_is_refused_is_charged_nowhere)
{
    struct limit_ask ada = ask_of("acme", "ada", "query"), bob = ask_of("acme", "bob", "query");
    put("tenant=30/s burst 30 enforce, user=6/s burst 2 enforce, global=1000/s enforce");
    ck_assert_uint_eq(admit_all(&ada, START_AT), 2);
    for (unsigned i = 0; i < 100; i++)
        ck_assert(!admit(&ada, START_AT));
    ck_assert_int_eq(refusal.rule->kind, LIMIT_USER);
    ck_assert_uint_eq(admit_all(&bob, START_AT), 2);
    for (unsigned i = 0; i < 26; i++) { /* 30 - 2 - 2 are left to the tenant */
        char name[8];
        (void)snprintf(name, sizeof name, "u%u", i);
        struct limit_ask ask = ask_of("acme", name, "query");
        ck_assert(admit(&ask, START_AT));
    }
    struct limit_ask late = ask_of("acme", "zoe", "query");
    ck_assert(!admit(&late, START_AT));
    ck_assert_int_eq(refusal.rule->kind, LIMIT_TENANT);
    ck_assert_uint_eq(limits_decided(limits, LIMIT_USER, LIMIT_SHED, CLASS_CRITICAL), 102);
    ck_assert_uint_eq(limits_decided(limits, LIMIT_TENANT, LIMIT_ADMIT, CLASS_CRITICAL), 30);
}
END_TEST

START_TEST(what_is_given_back_can_be_had_again)
{
    struct limit_ask ask = ask_of("acme", "ada", "query");
    put("tenant=30/s burst 5 enforce, user=9/s monitor");
    for (unsigned i = 0; i < 100; i++) {
        ck_assert(admit(&ask, START_AT));
        limits_refund(limits, &bill, CLASS_CRITICAL, START_AT);
    }
    ck_assert_uint_eq(limits_decided(limits, LIMIT_TENANT, LIMIT_ADMIT, CLASS_CRITICAL), 0);
    ck_assert_uint_eq(limits_decided(limits, LIMIT_USER, LIMIT_WOULD_REJECT, CLASS_CRITICAL), 0);
    ck_assert_uint_eq(admit_all(&ask, START_AT), 5);
}
END_TEST

/* Anybody, at any time, under rules that only monitor: the others decide as if those were not
 * there, even when the monitors' table is full. */
START_TEST(monitors_change_nothing)
{
    struct limits *plain = limits_new();
    struct limit_refusal expected;
    struct limit_bill its;
    uint64_t seed = 20261128;
    int64_t now_at = START_AT;
    put_all(plain, "off", "user=10/s enforce, global=400/s enforce");
    put("user=10/s enforce, global=400/s enforce, tenant=1/h, method=3/s, tool=1/s, "
        "tenant_role=9/s");
    for (unsigned i = 0; i < 200000; i++) {
        char tenant[24], user[8];
        uint64_t random = random_next(&seed);
        (void)snprintf(tenant, sizeof tenant, "t%u", (unsigned)(random >> 40) % 100000);
        (void)snprintf(user, sizeof user, "u%u", (unsigned)(random >> 33) % 8);
        struct limit_ask ask = ask_of(tenant, user, "query");
        ask.tenant.size = i % 3 == 0 ? 0 : ask.tenant.size;
        now_at += (int64_t)(random >> 20) % 4000;
        bool goes = limits_admit(plain, &ask, now_at, &its, &expected);
        ck_assert_int_eq(admit(&ask, now_at), goes);
        if (!goes)
            ck_assert_int_eq(refusal.wait_us, expected.wait_us);
    }
    ck_assert_uint_gt(limits_decided(limits, LIMIT_TENANT, LIMIT_WOULD_REJECT, CLASS_CRITICAL), 0);
    ck_assert_uint_eq(limits_decided(limits, LIMIT_TENANT, LIMIT_SHED, CLASS_CRITICAL), 0);
    ck_assert_uint_gt(limits_decided(limits, LIMIT_USER, LIMIT_SHED, CLASS_CRITICAL), 0);
    ck_assert_uint_gt(limits_keys(limits, now_at), RATE_KEYS_MAX / 2);
    limits_destroy(&plain);
}
END_TEST

/* As many keys as there are places, and as many again: who finds no room goes by the global limit
 * alone, and is counted; who has one is held to it; when they run out there is room. */
START_TEST(a_full_table_limits_globally)
{
    char user[16];
    unsigned passed = 0;
    const unsigned comers = 2 * RATE_KEYS_MAX, most = RATE_KEYS_MAX / 100 * 95;
    put("user=1/h enforce, global=1000000/s burst 200000 enforce");
    for (unsigned i = 0; i < comers; i++) {
        (void)snprintf(user, sizeof user, "user-%u", i);
        struct limit_ask ask = ask_of("acme", user, "query");
        passed += admit(&ask, START_AT);
    }
    ck_assert_uint_eq(passed, comers);
    ck_assert_uint_gt(limits_unmarked(limits), RATE_KEYS_MAX / 2);
    ck_assert_uint_gt(limits_keys(limits, START_AT), most);
    struct limit_ask first = ask_of("acme", "user-0", "query");
    ck_assert(!admit(&first, START_AT));
    struct limit_ask last = ask_of("acme", user, "query");
    ck_assert_uint_ge(admit_all(&last, START_AT), 1000);
    int64_t later_at = START_AT + 3600 * US_PER_S + 1;
    ck_assert_uint_eq(limits_keys(limits, later_at), 0);
    ck_assert_uint_eq(admit_all(&last, later_at), 1);
}
END_TEST

START_TEST(a_rule_that_is_changed_begins_anew)
{
    struct limit_ask ask = ask_of("acme", "ada", "query");
    struct limit_rule rule = {
        .kind = LIMIT_USER, .mode = LIMIT_ENFORCE, .count = 3, .per_ms = 3600000, .burst = 1};
    bool is_new;
    ck_assert_int_eq(limits_put(limits, &rule, &is_new), STATUS_OK);
    ck_assert(is_new);
    ck_assert_uint_eq(admit_all(&ask, START_AT), 1);
    ck_assert_int_eq(limits_put(limits, &rule, &is_new), STATUS_OK);
    ck_assert(!is_new);
    ck_assert_uint_eq(admit_all(&ask, START_AT), 0);
    rule.burst = 2;
    ck_assert_int_eq(limits_put(limits, &rule, &is_new), STATUS_OK);
    ck_assert(is_new);
    ck_assert_uint_eq(admit_all(&ask, START_AT), 2);
    rule.mode = LIMIT_MONITOR;
    ck_assert_int_eq(limits_put(limits, &rule, &is_new), STATUS_OK);
    ck_assert(is_new);
    ck_assert_uint_eq(admit_all(&ask, START_AT), 1000);
    ck_assert_uint_eq(limits_at(limits, 0)->would_reject, 998);
    rule.mode = LIMIT_ENFORCE;
    ck_assert_int_eq(limits_put(limits, &rule, &is_new), STATUS_OK);
    ck_assert_uint_eq(admit_all(&ask, START_AT), 0);
}
END_TEST

START_TEST(what_remains_is_told_of_one)
{
    struct limit_ask ask = ask_of("acme", "ada", "query");
    uint32_t remaining;
    put("tenant:acme=30/s burst 5 enforce, user=9/s");
    ck_assert(admit(&ask, START_AT));
    const struct limit_state *state = limits_find(limits, LIMIT_TENANT, bytes_of("acme"));
    ck_assert(limits_remaining(limits, state, START_AT, &remaining));
    ck_assert_uint_eq(remaining, 4);
    state = limits_find(limits, LIMIT_USER, (struct bytes){0});
    ck_assert(!limits_remaining(limits, state, START_AT, &remaining));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, a_rule_is_what_its_text_says, 0, COUNT_OF(texts));
    tcase_add_test(tcase, a_profile_is_overridden_by_rules);
    tcase_add_test(tcase, there_is_room_for_so_many_rules);
    tcase_add_test(tcase, the_wait_is_exact);
    tcase_add_loop_test(tcase, each_one_of_a_kind_has_a_limit_of_its_own, 0, COUNT_OF(kinds));
    tcase_add_test(tcase, who_is_named_has_a_rule_of_his_own);
    tcase_add_test(tcase, a_tool_is_one_where_tools_run);
    tcase_add_test(tcase, what_is_refused_is_charged_nowhere);
    tcase_add_test(tcase, what_is_given_back_can_be_had_again);
    tcase_add_test(tcase, monitors_change_nothing);
    tcase_add_test(tcase, a_full_table_limits_globally);
    tcase_add_test(tcase, a_rule_that_is_changed_begins_anew);
    tcase_add_test(tcase, what_remains_is_told_of_one);
}

int main(void)
{
    return suite_run("limits", add_tests);
}
