/* test_broker_operate - what an operator changes while a broker runs: limits, breakers, settings.
 * It counts from the next request on; a dry run changes nothing; what makes no sense is refused
 * with what would. */
#include <stdio.h>
#include <string.h>

#include "tests/support/broker_world.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static void setup(void)
{
    world_setup();
    world_start();
    world_hello(SIDE_FRONTEND, CLIENT, ROLE_CLIENT);
    world_worker(WORKER, ROLE_DRIVER, 64, "query");
    world_turn();
    world_forget_all();
}

/* Tell the broker; its answer, decoded. */
static void admin(const char *method, enum message_id id, const void *value, enum status expected,
                  enum message_id answer_id, void *ret)
{
    static struct heard *heard;
    struct header header = {.command = COMMAND_ADMIN,
                            .id = ++world.next_id,
                            .class = CLASS_CRITICAL,
                            .method = bytes_of(method)};
    world_forget(heard);
    if (value != NULL)
        world_say_message(SIDE_FRONTEND, CLIENT, &header, id, value);
    else
        world_say(SIDE_FRONTEND, CLIENT, &header, (struct bytes){"\x80", 1});
    world_turn();
    heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY);
    ck_assert_ptr_nonnull(heard);
    ck_assert_uint_eq(heard->pair.header.id, header.id);
    ck_assert_str_eq(statuses[heard->pair.header.status].name, statuses[expected].name);
    if (ret != NULL)
        ck_assert_int_eq(message_decode(answer_id, heard->pair.body, ret), STATUS_OK);
}

static struct msg_limit set_limit(const struct msg_admin_limit *wanted)
{
    struct msg_limit limit;
    admin("limit_set", MSG_ADMIN_LIMIT, wanted, STATUS_OK, MSG_LIMIT, &limit);
    return limit;
}

/* How many of ten are let through. */
static unsigned ask_ten(void)
{
    unsigned refused = 0;
    for (unsigned i = 0; i < 10; i++)
        world_ask(CLASS_CRITICAL, 1000, 0);
    world_turn();
    for (struct heard *heard; (heard = world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY)) != NULL;) {
        refused += heard->pair.header.status == STATUS_RATE_LIMITED ||
                   heard->pair.header.status == STATUS_CIRCUIT_OPEN;
        world_forget(heard);
    }
    for (struct heard *heard;
         (heard = world_hear(SIDE_BACKEND, WORKER, COMMAND_REQUEST)) != NULL;) {
        world_reply(WORKER, heard->pair.header.id, STATUS_OK);
        world_forget(heard);
    }
    world_turn();
    while (world_count(SIDE_FRONTEND, CLIENT, COMMAND_REPLY) > 0)
        world_forget(world_hear(SIDE_FRONTEND, CLIENT, COMMAND_REPLY));
    return 10 - refused;
}

static unsigned events_of(const char *topic)
{
    unsigned count = 0;
    for (struct heard *heard; (heard = world_event(topic)) != NULL; count++)
        world_forget(heard);
    return count;
}

START_TEST(a_limit_counts_from_the_next_request_on)
{
    struct msg_admin_limit wanted = {
        .target = bytes_of("tenant"), .limit = 3, .per_ms = 60000, .burst = 3};
    wanted.dry_run = true;
    ck_assert(bytes_are(set_limit(&wanted).mode, "monitor"));
    ck_assert_uint_eq(events_of("limits"), 0);
    wanted.dry_run = false;
    set_limit(&wanted);
    ck_assert_uint_eq(ask_ten(), 10);
    wanted = (struct msg_admin_limit){.target = bytes_of("tenant"), .mode = bytes_of("enforce")};
    struct msg_limit limit = set_limit(&wanted);
    ck_assert_uint_eq(limit.limit, 3);
    ck_assert_uint_eq(limit.burst, 3);
    ck_assert_uint_eq(ask_ten(), 3);
    wanted = (struct msg_admin_limit){.target = bytes_of("tenant"), .limit = 6, .per_ms = 60000};
    limit = set_limit(&wanted);
    ck_assert_uint_eq(limit.burst, 2);
    ck_assert(bytes_are(limit.mode, "enforce"));
    ck_assert_uint_eq(ask_ten(), 2);
    wanted = (struct msg_admin_limit){.target = bytes_of("tenant"), .remove = true};
    ck_assert(bytes_are(set_limit(&wanted).mode, "removed"));
    ck_assert_uint_eq(ask_ten(), 10);
    ck_assert_uint_eq(events_of("limits"), 4);
}
END_TEST

static const struct {
    const char *target, *mode;
    uint64_t limit, per_ms, burst;
    bool remove;
} nonsense[] = {
    {"tenants", NULL, 1, 1000, 0, false},
    {"tenant:", NULL, 1, 1000, 0, false},
    {"tenant", "off", 1, 1000, 0, false},
    {"tenant", NULL, 0, 1000, 0, false},
    {"tenant", NULL, 1, 0, 0, false},
    {"tenant", NULL, UINT64_MAX, 1000, 0, false},
    {"tenant", NULL, 1, UINT64_MAX, 0, false},
    {"tenant", NULL, 1, 1000, 2, false},
    {"tenant", NULL, 0, 0, 0, true},
    {"tenant", "enforce", 0, 0, 0, false},
    {"tenant_role:nobody", NULL, 1, 1000, 0, false},
};

START_TEST(a_limit_that_makes_no_sense_is_refused)
{
    struct msg_failure failure;
    struct msg_limits limits;
    const struct msg_admin_limit wanted = {.target = bytes_of(nonsense[_i].target),
                                           .mode = bytes_of(nonsense[_i].mode),
                                           .limit = nonsense[_i].limit,
                                           .per_ms = nonsense[_i].per_ms,
                                           .burst = nonsense[_i].burst,
                                           .remove = nonsense[_i].remove};
    admin("limit_set", MSG_ADMIN_LIMIT, &wanted, STATUS_BAD_REQUEST, MSG_FAILURE, &failure);
    ck_assert_uint_gt(failure.hint.size, 0);
    admin("limits", MSG_NONE, NULL, STATUS_OK, MSG_LIMITS, &limits);
    ck_assert_uint_eq(values_count(limits.limits), 0);
    ck_assert_uint_eq(events_of("limits"), 0);
}
END_TEST

START_TEST(there_is_room_for_sixty_four)
{
    char target[32];
    struct msg_limits limits;
    struct msg_limit limit;
    struct bytes value;
    struct msg_admin_limit wanted = {.limit = 9, .per_ms = 1000, .mode = bytes_of("enforce")};
    for (unsigned i = 0; i < LIMIT_RULES_MAX; i++) {
        (void)snprintf(target, sizeof target, "tenant:%u", i);
        wanted.target = bytes_of(target);
        set_limit(&wanted);
    }
    wanted.target = bytes_of("user");
    admin("limit_set", MSG_ADMIN_LIMIT, &wanted, STATUS_BUSY_FULL, MSG_NONE, NULL);
    admin("limits", MSG_NONE, NULL, STATUS_OK, MSG_LIMITS, &limits);
    ck_assert_uint_eq(values_count(limits.limits), LIMIT_RULES_MAX);
    struct values values = values_over(limits.limits);
    ck_assert(values_next(&values, &value));
    ck_assert_int_eq(message_decode(MSG_LIMIT, value, &limit), STATUS_OK);
    ck_assert(bytes_are(limit.target, "tenant:0"));
    uint64_t remaining;
    ck_assert(value_u64(limit.remaining, &remaining));
    ck_assert_uint_eq(remaining, 3);
}
END_TEST

static struct msg_breaker set_breaker(const char *action, bool dry_run)
{
    struct msg_breaker breaker;
    const struct msg_admin_breaker wanted = {.role = ROLE_DRIVER,
                                             .method = bytes_of("query"),
                                             .action = bytes_of(action),
                                             .dry_run = dry_run};
    admin("breaker_set", MSG_ADMIN_BREAKER, &wanted, STATUS_OK, MSG_BREAKER, &breaker);
    return breaker;
}

START_TEST(a_breaker_is_tripped_and_reset)
{
    struct msg_breakers breakers;
    struct msg_breaker breaker;
    struct bytes value;
    ck_assert(bytes_are(set_breaker("trip", true).state, "open"));
    ck_assert_uint_eq(ask_ten(), 10);
    breaker = set_breaker("trip", false);
    ck_assert(bytes_are(breaker.state, "open"));
    ck_assert(breaker.forced);
    ck_assert_uint_eq(ask_ten(), 0);
    world_pass(3600 * US_PER_S);
    world_beat();
    ck_assert_uint_eq(ask_ten(), 0); /* it holds until it is reset */
    admin("breakers", MSG_NONE, NULL, STATUS_OK, MSG_BREAKERS, &breakers);
    struct values values = values_over(breakers.breakers);
    ck_assert(values_next(&values, &value));
    ck_assert_int_eq(message_decode(MSG_BREAKER, value, &breaker), STATUS_OK);
    ck_assert(bytes_are(breaker.method, "query"));
    ck_assert(bytes_are(breaker.state, "open"));
    ck_assert(bytes_are(set_breaker("reset", false).state, "closed"));
    ck_assert_uint_eq(ask_ten(), 10);
    ck_assert_uint_eq(events_of("breaker"), 2);
}
END_TEST

static const struct {
    uint64_t role;
    const char *method, *action;
    enum status expected;
} no_breakers[] = {
    {ROLE_DRIVER, "other", "trip", STATUS_NO_ROLE},
    {ROLE_NONE, "query", "trip", STATUS_NO_ROLE},
    {ROLE_COUNT, "query", "trip", STATUS_NO_ROLE},
    {UINT64_MAX, "query", "trip", STATUS_NO_ROLE},
    {UINT64_C(1) << 32 | ROLE_DRIVER, "query", "trip", STATUS_NO_ROLE},
    {ROLE_DRIVER, "query", "open", STATUS_BAD_REQUEST},
};

START_TEST(what_is_no_breaker_is_refused)
{
    const struct msg_admin_breaker wanted = {.role = no_breakers[_i].role,
                                             .method = bytes_of(no_breakers[_i].method),
                                             .action = bytes_of(no_breakers[_i].action)};
    admin("breaker_set", MSG_ADMIN_BREAKER, &wanted, no_breakers[_i].expected, MSG_NONE, NULL);
    ck_assert_uint_eq(ask_ten(), 10);
}
END_TEST

/* The settings of this test's process. */
static const char *limits_text;

static enum status reload(void *self, bool dry_run, struct policy *ret, struct writer *writer,
                          char *reason)
{
    static const struct msg_reloaded reloaded = {{"\x91\xa1z", 3}, {"\x90", 1}};
    (void)self, (void)dry_run;
    *ret = policy_default();
    if (!limit_rules_read(&ret->limits, "off", limits_text, reason))
        return STATUS_BAD_REQUEST;
    return message_write(MSG_RELOADED, &reloaded, writer);
}

START_TEST(a_reload_is_all_or_nothing)
{
    struct msg_failure failure;
    struct msg_reloaded reloaded;
    struct msg_admin_reload wanted = {.dry_run = true};
    admin("reload", MSG_ADMIN_RELOAD, &wanted, STATUS_NO_ROLE, MSG_NONE, NULL);
    world_reload = reload;
    world_teardown();
    setup();
    limits_text = "tenant=3/m burst 3 enforce";
    admin("reload", MSG_ADMIN_RELOAD, &wanted, STATUS_OK, MSG_RELOADED, &reloaded);
    ck_assert_uint_eq(values_count(reloaded.changed), 1);
    ck_assert_uint_eq(ask_ten(), 10);
    wanted.dry_run = false;
    admin("reload", MSG_ADMIN_RELOAD, &wanted, STATUS_OK, MSG_RELOADED, &reloaded);
    ck_assert_uint_eq(ask_ten(), 3);
    limits_text = "global=1/s enforce, tenant=nonsense\n\xff";
    admin("reload", MSG_ADMIN_RELOAD, &wanted, STATUS_BAD_REQUEST, MSG_FAILURE, &failure);
    ck_assert_ptr_nonnull(memmem(failure.hint.data, failure.hint.size, "tenant=nonsense??", 17));
    limits_text = "tenant=3/m burst 3 enforce";
    world_pass(60 * US_PER_S);
    world_beat();
    ck_assert_uint_eq(ask_ten(), 3);
    ck_assert_uint_eq(events_of("limits"), 1);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, world_teardown);
    tcase_add_test(tcase, a_limit_counts_from_the_next_request_on);
    tcase_add_loop_test(tcase, a_limit_that_makes_no_sense_is_refused, 0, COUNT_OF(nonsense));
    tcase_add_test(tcase, there_is_room_for_sixty_four);
    tcase_add_test(tcase, a_breaker_is_tripped_and_reset);
    tcase_add_loop_test(tcase, what_is_no_breaker_is_refused, 0, COUNT_OF(no_breakers));
    tcase_add_test(tcase, a_reload_is_all_or_nothing);
}

int main(void)
{
    return suite_run("broker_operate", add_tests);
}
