/* test_actor - a request of a role is decoded as its rows say and handed to its handler with all
 * that its header tells; every other is refused once, with a status and a body that says why. The
 * role here serves the cache's rows with one handler. */
#include <signal.h>
#include <string.h>

#include "tests/support/record.h"
#include "tests/support/suite.h"

struct state {
    unsigned calls, cancels;
    struct request last;
    enum status status; /* what the handler returns */
    uint64_t max_age_ms;
    bool any_nil;
};

static struct record *record;

static bool start(void *state, struct context *context, const struct settings *settings,
                  char *reason, size_t reason_size)
{
    (void)state, (void)context, (void)reason, (void)reason_size;
    return settings_u64(settings, "cache_partition", "weight") > 0;
}

static void stop(void *state)
{
    (void)state;
}

static uint32_t methods(void *state, struct writer *writer)
{
    (void)state;
    writer_array(writer, 0);
    return 1;
}

static enum status take(struct state *state, struct context *context, const struct request *request)
{
    state->calls++;
    state->last = *request;
    if (state->status == STATUS_OK)
        actor_reply(context, request, MSG_CACHE_STORED,
                    &(struct msg_cache_stored){.outcome = bytes_of("STORED")});
    return state->status;
}

static enum status on_get(void *self, struct context *context, const struct request *request,
                          const void *body)
{
    struct state *state = self;
    state->max_age_ms = ((const struct msg_cache_get *)body)->max_age_ms;
    return take(state, context, request);
}

static enum status on_other(void *self, struct context *context, const struct request *request,
                            const void *body)
{
    (void)body;
    return take(self, context, request);
}

static enum status on_any(void *self, struct context *context, const struct request *request,
                          const void *body)
{
    ((struct state *)self)->any_nil = ((const struct bytes *)body)->data == NULL;
    return take(self, context, request);
}

static struct actor_spec spec = {
    .role = ROLE_CACHE_PARTITION,
    .name = "cache_partition",
    .state_bytes = sizeof(struct state),
    .start = start,
    .stop = stop,
    .methods = methods,
    .handlers = {[MSG_CACHE_GET] = on_get,
                 [MSG_CACHE_MGET] = on_other,
                 [MSG_CACHE_SET] = on_other,
                 [MSG_CACHE_FAIL] = on_other,
                 [MSG_CACHE_EXPLAIN] = on_other,
                 [MSG_CACHE_STATS] = on_other},
};

static struct state *state;

static void setup(void)
{
    spec.any_method = NULL;
    record = record_new(&spec, NULL);
    state = record->actor.state;
}

static void teardown(void)
{
    record_destroy(&record);
}

static uint64_t get(void)
{
    struct msg_cache_get body = {.ns = bytes_of("fact_v1"), .key = bytes_of("k"), .max_age_ms = 7};
    return record_message(record, MSG_CACHE_GET, &body);
}

START_TEST(a_handler_gets_the_decoded_body_and_the_terms)
{
    static const char key[IDEMPOTENCY_KEY_BYTES] = "0123456789abcdef", trace[TRACE_BYTES] = "t";
    char body[256];
    struct bytes bytes;
    struct msg_cache_get message = {.ns = bytes_of("n"), .key = bytes_of("k"), .max_age_ms = 7};
    ck_assert_int_eq(message_encode(MSG_CACHE_GET, &message, body, sizeof body, &bytes), STATUS_OK);
    struct header header = {.deadline_ms = 250,
                            .class = CLASS_SHEDDABLE,
                            .attempt = 3,
                            .flags = FLAG_IDEMPOTENT,
                            .method = bytes_of("get"),
                            .has_key = true,
                            .key = 99,
                            .tenant = bytes_of("acme"),
                            .idempotency_key = {key, sizeof key},
                            .trace = {trace, sizeof trace},
                            .extension = bytes_of("\x81\xa4user\xa3"
                                                  "ann")};
    uint64_t id = record_send(record, header, bytes);
    ck_assert_uint_eq(state->max_age_ms, 7);
    ck_assert_uint_eq(state->last.id, id);
    ck_assert_int_eq(state->last.arrived_at, RECORD_START_AT);
    ck_assert_int_eq(state->last.deadline_at, RECORD_START_AT + 250 * US_PER_MS);
    ck_assert_int_eq(state->last.class, CLASS_SHEDDABLE);
    ck_assert_uint_eq(state->last.attempt, 3);
    ck_assert_uint_eq(state->last.flags, FLAG_IDEMPOTENT);
    ck_assert(state->last.has_key && state->last.key == 99);
    ck_assert(bytes_are(name_bytes(&state->last.method), "get"));
    ck_assert(bytes_are(name_bytes(&state->last.tenant), "acme"));
    ck_assert(bytes_are(name_bytes(&state->last.user), "ann"));
    ck_assert(state->last.has_trace && state->last.has_idempotency_key);
    ck_assert_mem_eq(state->last.idempotency_key, key, sizeof key);
    ck_assert_mem_eq(state->last.trace, trace, sizeof trace);
    ck_assert_uint_eq(record->reply_count, 1);
}
END_TEST

START_TEST(what_is_absent_stays_absent)
{
    get();
    ck_assert(!state->last.has_trace && !state->last.has_key && !state->last.has_idempotency_key);
    ck_assert_ptr_null(name_bytes(&state->last.tenant).data);
    ck_assert_ptr_null(name_bytes(&state->last.user).data);
}
END_TEST

static const struct {
    const char *method;
    struct bytes body;
    enum status status;
} bad[] = {
    {"get", {"\x80", 1}, STATUS_BAD_REQUEST}, /* no key */
    {"get", {"\x90", 1}, STATUS_BAD_REQUEST}, /* no map */
    {"get", {"\xc1", 1}, STATUS_BAD_REQUEST}, /* no MessagePack */
    {"get", {"", 0}, STATUS_BAD_REQUEST},     {"get", {NULL, 0}, STATUS_BAD_REQUEST},
    {"got", {"\x80", 1}, STATUS_NO_ROLE},     {"", {"\x80", 1}, STATUS_BAD_REQUEST},
};

START_TEST(a_bad_request_is_refused_once_with_the_reason)
{
    uint64_t id = record_request(record, bad[_i].method, bad[_i].body);
    record_expect_refusal(record, id, bad[_i].status, statuses[bad[_i].status].name);
    ck_assert_uint_eq(state->calls, 0);
    ck_assert_int_eq(record_reply_to(record, id)->answer.executed, EXECUTED_NO);
}
END_TEST

/* Every status that a handler can return; a refusal says when to come back where its row does. */
START_TEST(what_a_handler_refuses_is_answered_so)
{
    state->status = (enum status)_i;
    uint64_t id = get();
    record_expect_refusal(record, id, (enum status)_i, NULL);
    const struct answer *answer = &record_reply_to(record, id)->answer;
    ck_assert_int_eq(answer->executed, statuses[_i].executed);
    bool comes_back = statuses[_i].retry == RETRY_AFTER && _i != STATUS_INFEASIBLE;
    ck_assert_int_eq(answer->retry_after_ms > 0, comes_back);
}
END_TEST

START_TEST(an_internal_fault_has_an_error_id_and_others_have_none)
{
    struct msg_failure failure;
    state->status = _i == 0 ? STATUS_INTERNAL : STATUS_BUSY_FULL;
    const struct recorded_reply *reply = record_reply_to(record, get());
    ck_assert_int_eq(message_decode(MSG_FAILURE, reply->answer.body, &failure), STATUS_OK);
    ck_assert_uint_eq(failure.error_id.size, _i == 0 ? 16 : 0);
}
END_TEST

START_TEST(long_texts_of_a_failure_are_cut_between_characters)
{
    char text[2000];
    struct msg_failure failure;
    struct request request = {.id = 1};
    for (size_t i = 0; i + 2 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    text[0] = 'x'; /* so that the bound falls into a character */
    memmove(text + 1, text + 2, sizeof text - 2);
    actor_refuse(&record->context, &request, STATUS_APP_ERROR, 0,
                 &(struct failure_text){text, text, text, text, {0}});
    const struct recorded_reply *reply = record_reply_to(record, 1);
    ck_assert_int_eq(message_decode(MSG_FAILURE, reply->answer.body, &failure), STATUS_OK);
    ck_assert_uint_eq(failure.code.size, 63);
    ck_assert_uint_eq(failure.message.size, 511);
    ck_assert_int_eq(reply->answer.executed, EXECUTED_YES);
}
END_TEST

START_TEST(any_method_takes_what_no_row_names)
{
    spec.any_method = on_any;
    uint64_t id = record_request(record, "SQL_QueryReadonly", (struct bytes){NULL, 0});
    ck_assert_uint_eq(state->calls, 1);
    ck_assert(state->any_nil);
    ck_assert_int_eq(record_reply_to(record, id)->answer.status, STATUS_OK);
    get();
    ck_assert_uint_eq(state->max_age_ms, 7);
}
END_TEST

/* A bad pair of which id and command can be read. */
START_TEST(a_bad_pair_is_refused_with_its_status)
{
    struct pair pair = {.status = STATUS_VERSION, .header = {.command = COMMAND_REQUEST, .id = 77}};
    actor_deliver(&record->actor, &record->context, 1, 1, &pair);
    record_expect_refusal(record, 77, STATUS_VERSION, NULL);
    pair.header.id = 0;
    actor_deliver(&record->actor, &record->context, 1, 1, &pair);
    ck_assert_uint_eq(record->reply_count, 1);
    pair = (struct pair){.header = {.command = COMMAND_REQUEST,
                                    .id = 78,
                                    .role = ROLE_CACHE_PARTITION,
                                    .method = bytes_of("stats")},
                         .body = bytes_of("\x80")};
    actor_deliver(&record->actor, &record->context, 1, 1, &pair); /* no deadline */
    record_expect_refusal(record, 78, STATUS_BAD_REQUEST, NULL);
}
END_TEST

START_TEST(an_answer_over_the_bound_is_a_fault_of_ours)
{
    char *large = calloc(1, PAIR_BODY_BYTES_MAX);
    struct request request = {.id = 1};
    struct msg_cache_entry entry = {.outcome = bytes_of("HIT"), .value = {large, VALUE_BYTES_MAX}};
    struct msg_past_event event = {.topic = bytes_of("x"), .body = {large, 65537}};
    actor_reply(&record->context, &request, MSG_CACHE_ENTRY, &entry);
    ck_assert_int_eq(record_reply_to(record, 1)->answer.status, STATUS_OK);
    request.id = 2;
    actor_reply(&record->context, &request, MSG_PAST_EVENT, &event);
    record_expect_refusal(record, 2, STATUS_INTERNAL, NULL);
    free(large);
}
END_TEST

START_TEST(a_table_with_a_gap_stops_the_process)
{
    struct actor_spec gap = spec;
    gap.handlers[MSG_CACHE_SET] = NULL;
    actor_check(&gap);
}
END_TEST

START_TEST(a_table_with_too_much_stops_the_process)
{
    struct actor_spec more = spec;
    more.handlers[MSG_QUERY] = on_other;
    actor_check(&more);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_handler_gets_the_decoded_body_and_the_terms);
    tcase_add_test(tcase, what_is_absent_stays_absent);
    tcase_add_loop_test(tcase, a_bad_request_is_refused_once_with_the_reason, 0,
                        (int)(sizeof bad / sizeof bad[0]));
    tcase_add_loop_test(tcase, what_a_handler_refuses_is_answered_so, 1, STATUS_COUNT);
    tcase_add_loop_test(tcase, an_internal_fault_has_an_error_id_and_others_have_none, 0, 2);
    tcase_add_test(tcase, long_texts_of_a_failure_are_cut_between_characters);
    tcase_add_test(tcase, any_method_takes_what_no_row_names);
    tcase_add_test(tcase, a_bad_pair_is_refused_with_its_status);
    tcase_add_test(tcase, an_answer_over_the_bound_is_a_fault_of_ours);
    tcase_add_test_raise_signal(tcase, a_table_with_a_gap_stops_the_process, SIGABRT);
    tcase_add_test_raise_signal(tcase, a_table_with_too_much_stops_the_process, SIGABRT);
}

int main(void)
{
    return suite_run("actor", add_tests);
}
