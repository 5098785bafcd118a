/* test_client - every call of libfact ends exactly once: with its reply, at its deadline, or with
 * the broker; and a handle finds a broker again by itself. The broker here is a stub on a real
 * socket, stepped by the test, that can be told to vanish, to say nothing, or to say nonsense. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/client/fact.h"
#include "actors/client/transport.h"
#include "protocol/message.h"
#include "protocol/pairs.h"
#include "protocol/session.h"
#include "tests/support/suite.h"

#define PATIENCE_US (10 * US_PER_S)
#define CREDIT 16u
#define DEAD_MS 2000
#define ID_BYTES 256

enum manner { ECHO, SILENT, FORGETFUL, REFUSING, GARBLED };

struct stub {
    void *context, *router;
    char endpoint[64];
    enum manner manner;
    uint32_t granted, credit, heartbeat_ms;
    unsigned messages, hellos, requests, cancels, goodbyes;
    char id[ID_BYTES]; /* of the last peer heard */
    int id_size;
    struct header last; /* the last REQUEST; without its views */
    uint64_t seed;
};

static struct stub stub;
static struct fact *handle;
static char last_user[256];

static void stub_bind(const char *endpoint)
{
    size_t size = sizeof stub.endpoint;
    int linger = 0;
    stub.router = zmq_socket(stub.context, ZMQ_ROUTER);
    zmq_setsockopt(stub.router, ZMQ_LINGER, &linger, sizeof linger);
    ck_assert_int_eq(zmq_bind(stub.router, endpoint), 0);
    zmq_getsockopt(stub.router, ZMQ_LAST_ENDPOINT, stub.endpoint, &size);
}

/* Gone with its connections, and its port free again. */
static void stub_vanish(void)
{
    zmq_close(stub.router);
    zmq_ctx_term(stub.context);
    stub.context = zmq_ctx_new();
    stub.router = NULL;
}

static void stub_send(const void *data, size_t size)
{
    zmq_send(stub.router, stub.id, (size_t)stub.id_size, ZMQ_SNDMORE);
    zmq_send(stub.router, data, size, 0);
}

static void stub_say(const struct header *header, struct bytes body)
{
    char bytes[PAIR_HEAD_BYTES_MAX + 4096];
    size_t size = pairs_encode_head(header, body, bytes);
    ck_assert_uint_le(body.size, 4096);
    if (body.size > 0)
        memcpy(bytes + size, body.data, body.size);
    stub_send(bytes, size + body.size);
}

static void stub_welcome(void)
{
    char bytes[1024];
    struct bytes body;
    struct msg_welcome welcome = {.instance = bytes_of("stub"),
                                  .generation = 7,
                                  .heartbeat_ms = stub.heartbeat_ms,
                                  .dead_ms =
                                      stub.heartbeat_ms > DEAD_MS ? stub.heartbeat_ms : DEAD_MS,
                                  .lease_ms = 1000,
                                  .body_max = PAIR_BODY_BYTES_MAX,
                                  .message_max = MESSAGE_BYTES_MAX,
                                  .protocol = 1};
    ck_assert_int_eq(message_encode(MSG_WELCOME, &welcome, bytes, sizeof bytes, &body), STATUS_OK);
    stub.granted = stub.credit;
    stub_say(&(struct header){.command = COMMAND_WELCOME, .credit = stub.granted}, body);
}

static void stub_disconnect(enum status status)
{
    char bytes[256];
    struct bytes body;
    struct msg_disconnect disconnect = {.reason = bytes_of("not you")};
    ck_assert_int_eq(message_encode(MSG_DISCONNECT, &disconnect, bytes, sizeof bytes, &body),
                     STATUS_OK);
    stub_say(&(struct header){.command = COMMAND_DISCONNECT, .status = status}, body);
}

static void stub_garble(void)
{
    char bytes[100];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)random_next(&stub.seed);
    stub_send(bytes, random_next(&stub.seed) % sizeof bytes);
}

static void stub_serve(const struct pair *pair)
{
    struct header reply = {.command = COMMAND_REPLY,
                           .id = pair->header.id,
                           .executed = EXECUTED_YES,
                           .queue_us = 11,
                           .service_us = 22,
                           .credit = ++stub.granted,
                           .instance = bytes_of("worker-1")};
    stub.requests++;
    stub.last = pair->header;
    if (pair->header.extension.size > 0) /* absent bytes have no pointer */
        memcpy(last_user, pair->header.extension.data, pair->header.extension.size);
    if (stub.manner == GARBLED)
        stub_garble();
    for (char i = 0; i < 3 && pair->header.flags & FLAG_STREAM; i++)
        stub_say(&(struct header){.command = COMMAND_PARTIAL,
                                  .id = pair->header.id,
                                  .extension = {(char[]){'\x81', '\xa3', 's', 'e', 'q', i}, 6}},
                 bytes_of("part"));
    if (stub.manner == ECHO || stub.manner == GARBLED)
        stub_say(&reply, pair->body);
    if (stub.manner == FORGETFUL) {
        stub.manner = ECHO;
        stub_disconnect(STATUS_NO_ROLE);
    }
}

static void stub_take(const struct pair *pair)
{
    ck_assert_int_eq(pair->status, STATUS_OK);
    if (pair->header.command == COMMAND_HELLO) {
        stub.hellos++;
        if (stub.manner == REFUSING)
            stub_disconnect(STATUS_VERSION);
        else
            stub_welcome();
    }
    stub.cancels += pair->header.command == COMMAND_CANCEL;
    stub.goodbyes += pair->header.command == COMMAND_DISCONNECT;
    if (pair->header.command == COMMAND_REQUEST || pair->header.command == COMMAND_QUERY)
        stub_serve(pair);
}

/* Take in what there is. */
static void stub_step(void)
{
    static char message[FRAME_BYTES_MAX];
    struct pair pair;
    while (stub.router != NULL) {
        int id_size = zmq_recv(stub.router, stub.id, ID_BYTES, ZMQ_DONTWAIT);
        if (id_size < 0)
            return;
        stub.id_size = id_size;
        int size = zmq_recv(stub.router, message, sizeof message, 0);
        ck_assert_int_ge(size, 0);
        stub.messages++;
        struct pairs pairs = pairs_over((struct bytes){message, (size_t)size});
        while (pairs_next(&pairs, &pair))
            stub_take(&pair);
        ck_assert(!pairs.broken);
    }
}

static void open_handle(const char *endpoints, uint32_t calls_max)
{
    handle = fact_open(&(struct fact_options){
        .endpoints = endpoints, .instance = "test", .tenant = "acme", .calls_max = calls_max});
    ck_assert_ptr_nonnull(handle);
}

static void setup(void)
{
    memset(&stub, 0, sizeof stub);
    stub.seed = 1;
    stub.credit = CREDIT;
    stub.heartbeat_ms = 50;
    stub.context = zmq_ctx_new();
    stub_bind("tcp://127.0.0.1:*");
    open_handle(stub.endpoint, 0);
}

static void teardown(void)
{
    fact_destroy(&handle);
    if (stub.router != NULL)
        zmq_close(stub.router);
    zmq_ctx_term(stub.context);
}

/* Step both sides until the condition holds. */
#define UNTIL(condition)                                                                           \
    for (int64_t until_at = transport_now_at() + PATIENCE_US; !(condition);) {                     \
        ck_assert_int_lt(transport_now_at(), until_at);                                            \
        stub_step();                                                                               \
        fact_poll(handle, 2);                                                                      \
    }

struct ends {
    unsigned count, parts;
    struct fact_reply last; /* without its views */
    char body[64];
    size_t body_size;
};

static void on_done(void *context, const struct fact_reply *reply)
{
    struct ends *ends = context;
    ends->count++;
    ends->last = *reply;
    ends->body_size = reply->body.size < sizeof ends->body ? reply->body.size : 0;
    if (ends->body_size > 0)
        memcpy(ends->body, reply->body.data, ends->body_size);
}

static struct fact_request request_of(const char *body, uint32_t timeout_ms)
{
    struct fact_request request = FACT_REQUEST;
    request.method = bytes_of("query");
    request.body = bytes_of(body);
    request.timeout_ms = timeout_ms;
    return request;
}

static uint64_t submit(struct ends *ends, uint32_t timeout_ms)
{
    uint64_t call = 0;
    struct fact_request request = request_of("\xa3xyz", timeout_ms);
    ck_assert_int_eq(fact_submit(handle, &request, on_done, ends, &call), STATUS_OK);
    ck_assert_uint_ne(call, 0);
    return call;
}

START_TEST(a_call_ends_with_its_reply)
{
    struct ends ends = {0};
    uint64_t call = submit(&ends, 5000);
    UNTIL(ends.count > 0);
    ck_assert_uint_eq(ends.last.call, call);
    ck_assert_int_eq(ends.last.status, STATUS_OK);
    ck_assert_int_eq(ends.last.executed, EXECUTED_YES);
    ck_assert_uint_eq(ends.last.queue_us, 11);
    ck_assert_uint_eq(ends.last.service_us, 22);
    ck_assert_int_gt(ends.last.total_us, 0);
    ck_assert(!ends.last.local);
    ck_assert_uint_eq(ends.body_size, 4);
    ck_assert_mem_eq(ends.body, "\xa3xyz", 4);
    ck_assert_str_eq(fact_peer(handle).instance, "stub");
    ck_assert_uint_eq(fact_peer(handle).calls, 0);
}
END_TEST

static void on_part(void *context, uint64_t call, uint32_t number, struct bytes body)
{
    struct ends *ends = context;
    ck_assert_uint_eq(ends->count, 0);
    ck_assert_uint_ne(call, 0);
    ck_assert_uint_eq(number, ends->parts++);
    ck_assert(bytes_are(body, "part"));
}

START_TEST(parts_of_an_answer_are_told_before_its_end)
{
    struct ends ends = {0}, deaf = {0};
    struct fact_request request = request_of("\xc0", 4000);
    request.flags = FLAG_STREAM;
    ck_assert_int_eq(fact_submit(handle, &request, on_done, &deaf, NULL), STATUS_OK);
    request.partial = on_part;
    ck_assert_int_eq(fact_submit(handle, &request, on_done, &ends, NULL), STATUS_OK);
    UNTIL(ends.count > 0 && deaf.count > 0);
    ck_assert_uint_eq(ends.parts, 3);
    ck_assert_int_eq(ends.last.status, STATUS_OK);
}
END_TEST

START_TEST(what_a_request_says_is_what_the_broker_reads)
{
    struct ends ends = {0};
    struct fact_request request = request_of("\xc0", 4000);
    request.class = CLASS_SHEDDABLE;
    request.flags = FLAG_IDEMPOTENT | FLAG_NO_CACHE;
    request.has_key = true;
    request.key = 99;
    request.user = bytes_of("ann");
    ck_assert_int_eq(fact_submit(handle, &request, on_done, &ends, NULL), STATUS_OK);
    UNTIL(ends.count > 0);
    ck_assert_int_eq(stub.last.class, CLASS_SHEDDABLE);
    ck_assert_uint_eq(stub.last.flags, FLAG_IDEMPOTENT | FLAG_NO_CACHE);
    ck_assert(stub.last.has_key);
    ck_assert_uint_eq(stub.last.key, 99);
    ck_assert_uint_eq(stub.last.tenant.size, 4); /* acme, of the handle */
    ck_assert_uint_le(stub.last.deadline_ms, 4000);
    ck_assert_uint_gt(stub.last.deadline_ms, 3000);
    ck_assert_mem_eq(last_user,
                     "\x81\xa4user\xa3"
                     "ann",
                     10);
}
END_TEST

START_TEST(a_thousand_calls_beyond_the_credit_each_end_once)
{
    static struct ends ends[1000];
    memset(ends, 0, sizeof ends);
    for (int i = 0; i < 1000; i++)
        submit(&ends[i], 10000);
    UNTIL(fact_peer(handle).calls == 0);
    for (int i = 0; i < 1000; i++) {
        ck_assert_uint_eq(ends[i].count, 1);
        ck_assert_int_eq(ends[i].last.status, STATUS_OK);
    }
    ck_assert_uint_eq(stub.requests, 1000);
    ck_assert_uint_eq(fact_peer(handle).calls_peak, 1000);
}
END_TEST

START_TEST(calls_of_one_turn_leave_in_one_message)
{
    struct ends ends = {0};
    UNTIL(fact_state(handle) == FACT_UP);
    unsigned before = stub.messages;
    for (unsigned i = 0; i < CREDIT; i++)
        submit(&ends, 5000);
    UNTIL(ends.count == CREDIT);
    ck_assert_uint_eq(stub.messages, before + 1);
}
END_TEST

START_TEST(a_call_made_before_there_is_a_broker_waits_for_it)
{
    struct ends ends = {0};
    char endpoint[64];
    memcpy(endpoint, stub.endpoint, sizeof endpoint);
    fact_destroy(&handle);
    stub_vanish();
    open_handle(endpoint, 0);
    submit(&ends, 10000);
    ck_assert(fact_poll(handle, 200)); /* what was submitted wakes; it cannot leave */
    ck_assert_uint_eq(ends.count, 0);
    stub_bind(endpoint);
    UNTIL(ends.count > 0);
    ck_assert_int_eq(ends.last.status, STATUS_OK);
}
END_TEST

START_TEST(a_call_that_never_left_ends_at_its_deadline_unexecuted)
{
    struct ends ends = {0};
    stub_vanish();
    int64_t start_at = transport_now_at();
    submit(&ends, 100);
    UNTIL(ends.count > 0);
    ck_assert_int_eq(ends.last.status, STATUS_DEADLINE_QUEUED);
    ck_assert_int_eq(ends.last.executed, EXECUTED_NO);
    ck_assert(ends.last.local);
    ck_assert_int_ge(transport_now_at() - start_at, 99 * US_PER_MS);
    ck_assert_int_lt(transport_now_at() - start_at, 2 * US_PER_S);
}
END_TEST

START_TEST(a_call_that_is_never_answered_ends_at_its_deadline)
{
    struct ends ends = {0}, earlier = {0};
    submit(&earlier, 5000);
    UNTIL(earlier.count > 0);
    stub.manner = SILENT;
    submit(&ends, 200);
    UNTIL(ends.count > 0);
    ck_assert(ends.last.local);
    ck_assert_int_eq(ends.last.status, STATUS_DEADLINE_RUNNING);
    ck_assert_int_eq(ends.last.executed, EXECUTED_MAYBE);
    UNTIL(stub.cancels == 1);
    ck_assert_uint_eq(ends.count, 1);
}
END_TEST

START_TEST(a_broker_that_vanishes_ends_what_it_had_and_is_found_again)
{
    struct ends ends = {0}, again = {0}, kept = {0}, later = {0};
    struct fact_request request = request_of("\xa3xyz", 60000);
    char endpoint[64];
    memcpy(endpoint, stub.endpoint, sizeof endpoint);
    stub.manner = SILENT;
    request.flags = FLAG_IDEMPOTENT;
    ck_assert_int_eq(fact_submit(handle, &request, on_done, &again, NULL), STATUS_OK);
    request.once = true;
    ck_assert_int_eq(fact_submit(handle, &request, on_done, &ends, NULL), STATUS_OK);
    submit(&kept, 60000);
    UNTIL(stub.requests == 3);
    int64_t lost_at = transport_now_at();
    stub_vanish();
    UNTIL(ends.count > 0);
    ck_assert_int_eq(ends.last.status, STATUS_WORKER_LOST);
    ck_assert_int_eq(ends.last.executed, EXECUTED_MAYBE);
    ck_assert_int_lt(transport_now_at() - lost_at, DEAD_MS * US_PER_MS / 2); /* not by silence */
    UNTIL(kept.count > 0);
    ck_assert_int_eq(kept.last.status,
                     STATUS_WORKER_LOST); /* nobody came to say what became of it */
    ck_assert_int_lt(transport_now_at() - lost_at, 2 * US_PER_MS * SESSION_RESUME_MS);
    ck_assert_int_eq(fact_state(handle), FACT_CONNECTING);
    submit(&later, 10000);
    stub.manner = ECHO;
    stub_bind(endpoint);
    UNTIL(later.count > 0 && again.count > 0);
    ck_assert_int_eq(later.last.status, STATUS_OK);
    ck_assert_int_eq(again.last.status, STATUS_OK); /* what may be done twice was sent again */
    ck_assert_uint_eq(again.last.attempts, 2);
    ck_assert_uint_eq(fact_peer(handle).resent, 1);
    ck_assert_uint_eq(fact_peer(handle).connections, 2);
}
END_TEST

START_TEST(a_broker_that_has_forgotten_us_is_greeted_again)
{
    struct ends ends = {0}, later = {0};
    stub.manner = FORGETFUL;
    submit(&ends, 10000);
    UNTIL(ends.count > 0);
    ck_assert_int_eq(ends.last.status, STATUS_WORKER_LOST);
    submit(&later, 10000);
    UNTIL(later.count > 0);
    ck_assert_int_eq(later.last.status, STATUS_OK);
    ck_assert_uint_eq(stub.hellos, 2);
}
END_TEST

START_TEST(a_refusal_is_told_and_stays)
{
    struct ends ends = {0};
    struct fact_request request = request_of("\xc0", 1000);
    stub.manner = REFUSING;
    submit(&ends, 10000);
    UNTIL(ends.count > 0);
    ck_assert_int_eq(ends.last.status, STATUS_VERSION);
    ck_assert_int_eq(fact_state(handle), FACT_REFUSED);
    ck_assert_str_eq(fact_peer(handle).reason, "not you");
    ck_assert_int_eq(fact_wait_up(handle, 100), STATUS_VERSION);
    ck_assert_int_eq(fact_submit(handle, &request, on_done, &ends, NULL), STATUS_VERSION);
    ck_assert_uint_eq(ends.count, 1);
}
END_TEST

START_TEST(nonsense_from_a_broker_harms_nothing)
{
    static struct ends ends[500];
    memset(ends, 0, sizeof ends);
    stub.manner = GARBLED; /* before each reply a message of random bytes, seed 1 */
    for (int i = 0; i < 500; i++)
        submit(&ends[i], 10000);
    UNTIL(fact_peer(handle).calls == 0);
    for (int i = 0; i < 500; i++)
        ck_assert_uint_eq(ends[i].count, 1);
}
END_TEST

START_TEST(a_cancelled_call_ends_once_as_cancelled)
{
    struct ends ends = {0};
    stub.manner = SILENT;
    uint64_t call = submit(&ends, 10000);
    UNTIL(stub.requests == 1);
    ck_assert(fact_cancel(handle, call));
    ck_assert(!fact_cancel(handle, call));
    ck_assert_uint_eq(ends.count, 0);
    UNTIL(stub.cancels == 1);
    ck_assert_int_eq(ends.last.status, STATUS_CANCELLED);
    stub_say(&(struct header){.command = COMMAND_REPLY, .id = stub.last.id}, bytes_of("\xc0"));
    struct ends later = {0};
    stub.manner = ECHO;
    submit(&later, 10000);
    UNTIL(later.count > 0);
    ck_assert_uint_eq(ends.count, 1);
}
END_TEST

/* A call that is told of its end withdraws another, which is told in its turn. */
static uint64_t another;

static void on_done_cancel(void *context, const struct fact_reply *reply)
{
    on_done(context, reply);
    ck_assert(fact_cancel(handle, another));
}

START_TEST(who_is_told_of_an_end_may_withdraw_another)
{
    struct ends ends = {0}, last = {0};
    uint64_t first;
    struct fact_request request = request_of("\xc0", 60000);
    stub.manner = SILENT;
    ck_assert_int_eq(fact_submit(handle, &request, on_done_cancel, &ends, &first), STATUS_OK);
    another = submit(&last, 60000);
    UNTIL(stub.requests == 2);
    ck_assert(fact_cancel(handle, first));
    int64_t begun_at = transport_now_at();
    while (last.count == 0)
        ck_assert(fact_poll(handle, 20)); /* there is something to do each time */
    ck_assert_int_lt(transport_now_at() - begun_at, US_PER_S);
    ck_assert_uint_eq(ends.count, 1);
}
END_TEST

START_TEST(the_number_of_a_call_that_has_ended_names_no_other)
{
    struct ends ends = {0}, later = {0};
    uint64_t first = submit(&ends, 5000);
    UNTIL(ends.count > 0);
    stub.manner = SILENT;
    uint64_t second = submit(&later, 60000);
    ck_assert_uint_eq(first >> 32, second >> 32); /* the same slot */
    ck_assert(!fact_cancel(handle, first));
    ck_assert(!fact_cancel(handle, 0));
    ck_assert(!fact_cancel(handle, UINT64_MAX));
    ck_assert(fact_cancel(handle, second));
}
END_TEST

START_TEST(a_call_that_was_not_taken_leaves_its_place)
{
    struct ends ends = {0};
    struct fact_request request = request_of("\xc0", 0);
    fact_destroy(&handle);
    open_handle(stub.endpoint, 4);
    for (int i = 0; i < 10; i++)
        ck_assert_int_eq(fact_submit(handle, &request, on_done, &ends, NULL),
                         STATUS_DEADLINE_QUEUED);
    submit(&ends, 5000);
    UNTIL(ends.count == 1);
}
END_TEST

/* A plain handle uses one at a time. */
START_TEST(another_endpoint_is_tried_as_soon_as_one_is_lost)
{
    char endpoints[200];
    snprintf(endpoints, sizeof endpoints, "%s,tcp://127.0.0.1:1", stub.endpoint);
    fact_destroy(&handle);
    handle = fact_open(&(struct fact_options){.endpoints = endpoints, .plain = true});
    ck_assert_ptr_nonnull(handle);
    UNTIL(fact_state(handle) == FACT_UP);
    stub_vanish();
    int64_t lost_at = transport_now_at();
    UNTIL(strcmp(fact_peer(handle).endpoint, "tcp://127.0.0.1:1") == 0);
    ck_assert_int_lt(transport_now_at() - lost_at, US_PER_S / 2);
}
END_TEST

START_TEST(who_leaves_says_so)
{
    UNTIL(fact_state(handle) == FACT_UP);
    fact_destroy(&handle);
    for (int64_t until_at = transport_now_at() + PATIENCE_US; stub.goodbyes == 0;) {
        ck_assert_int_lt(transport_now_at(), until_at);
        stub_step();
    }
}
END_TEST

START_TEST(more_calls_than_the_handle_holds_are_refused_at_once)
{
    struct ends ends = {0};
    struct fact_request request = request_of("\xc0", 10000);
    fact_destroy(&handle);
    open_handle(stub.endpoint, 4);
    stub.manner = SILENT;
    uint64_t call = 0;
    for (int i = 0; i < 4; i++)
        call = submit(&ends, 10000);
    ck_assert_int_eq(fact_submit(handle, &request, on_done, &ends, NULL), STATUS_BUSY_FULL);
    ck_assert(fact_cancel(handle, call));
    submit(&ends, 10000);
}
END_TEST

START_TEST(what_waits_for_a_connection_is_bounded_in_bytes)
{
    static char large[PAIR_BODY_BYTES_MAX];
    struct ends ends = {0};
    struct fact_request request = request_of("", 60000);
    unsigned taken = 0;
    stub_vanish();
    request.body = (struct bytes){large, sizeof large};
    while (fact_submit(handle, &request, on_done, &ends, NULL) == STATUS_OK)
        taken++;
    ck_assert_uint_eq(taken, CALLS_WAITING_BYTES_MAX / (PAIR_BODY_BYTES_MAX + 1000));
    ck_assert_int_eq(fact_submit(handle, &request, on_done, &ends, NULL), STATUS_BUSY_FULL);
}
END_TEST

START_TEST(ends_without_a_callback_are_fetched_in_order)
{
    uint64_t calls[3];
    struct fact_reply reply;
    struct fact_request request = request_of("\xa1z", 5000);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(fact_submit(handle, &request, NULL, NULL, &calls[i]), STATUS_OK);
    ck_assert(!fact_next(handle, &reply));
    UNTIL(fact_peer(handle).calls == 0);
    for (int i = 0; i < 3; i++) {
        ck_assert(fact_next(handle, &reply));
        ck_assert_uint_eq(reply.call, calls[i]);
        ck_assert(bytes_are(reply.body, "\xa1z"));
        ck_assert(bytes_are(reply.instance, "worker-1"));
    }
    ck_assert(!fact_next(handle, &reply));
}
END_TEST

/* Nothing but the descriptor is slept on, so a wake-up that is lost is a call that is late. */
START_TEST(the_descriptor_alone_says_when_to_work)
{
    struct pollfd item = {.fd = fact_descriptor(handle), .events = POLLIN};
    struct ends ends = {0};
    for (unsigned i = 0; i < 200; i++) {
        submit(&ends, 60000);
        ck_assert_int_eq(poll(&item, 1, 0), 1);
        for (int64_t until_at = transport_now_at() + PATIENCE_US; ends.count <= i;) {
            ck_assert_int_lt(transport_now_at(), until_at);
            stub_step();
            if (poll(&item, 1, 1) == 1)
                fact_process(handle);
        }
    }
}
END_TEST

/* So that no beat wakes it by chance. */
static void on_done_asks_again(void *context, const struct fact_reply *reply)
{
    struct ends *ends = context;
    on_done(&ends[0], reply);
    submit(&ends[1], 5000);
}

START_TEST(after_a_turn_that_asked_again_the_descriptor_still_says_when_to_work)
{
    struct ends ends[3] = {{0}, {0}, {0}};
    struct pollfd item = {.fd = fact_descriptor(handle), .events = POLLIN};
    struct fact_request request = request_of("\xa3xyz", 5000);
    UNTIL(fact_state(handle) == FACT_UP);
    ck_assert_int_eq(fact_submit(handle, &request, on_done_asks_again, ends, NULL), STATUS_OK);
    UNTIL(ends[0].count == 1);
    stub.manner = SILENT;
    submit(&ends[2], 5000);
    ck_assert_int_eq(poll(&item, 1, 0), 1);
}
END_TEST

START_TEST(more_messages_than_a_turn_takes_are_all_taken_without_a_pause)
{
    struct pollfd item = {.fd = fact_descriptor(handle), .events = POLLIN};
    struct ends ends = {0};
    stub.credit = 2000;
    stub.heartbeat_ms = 60000;
    UNTIL(fact_state(handle) == FACT_UP);
    for (unsigned i = 0; i < 600; i++)
        submit(&ends, 60000);
    fact_process(handle);
    for (int64_t until_at = transport_now_at() + PATIENCE_US; stub.requests < 600;) {
        ck_assert_int_lt(transport_now_at(), until_at);
        stub_step(); /* a message a reply; a ROUTER drops above 1,000 */
    }
    for (int64_t until_at = transport_now_at() + PATIENCE_US; ends.count < 600;) {
        ck_assert_int_lt(transport_now_at(), until_at);
        if (poll(&item, 1, 1000) == 1)
            fact_process(handle);
    }
}
END_TEST

START_TEST(an_idle_handle_is_not_readable)
{
    struct pollfd item = {.fd = fact_descriptor(handle), .events = POLLIN};
    struct ends ends = {0};
    submit(&ends, 5000);
    UNTIL(ends.count == 1);
    unsigned woken = 0;
    for (int64_t until_at = transport_now_at() + US_PER_S / 2; transport_now_at() < until_at;) {
        if (poll(&item, 1, 20) == 1) {
            woken++;
            fact_process(handle);
        }
        stub_step();
    }
    ck_assert_uint_le(woken, 40); /* a beat every 50 ms, and ZeroMQ's own */
}
END_TEST

START_TEST(the_second_endpoint_serves_if_the_first_does_not)
{
    struct ends ends = {0};
    char endpoints[200];
    snprintf(endpoints, sizeof endpoints, "tcp://127.0.0.1:1,%s", stub.endpoint);
    fact_destroy(&handle);
    open_handle(endpoints, 0);
    submit(&ends, 10000);
    UNTIL(ends.count > 0);
    ck_assert_int_eq(ends.last.status, STATUS_OK);
    ck_assert_int_lt(ends.last.total_us, 2 * US_PER_S);
    ck_assert_str_eq(fact_peer(handle).endpoint, stub.endpoint);
}
END_TEST

static void *serve(void *context)
{
    const volatile bool *stop = context;
    while (!*stop) {
        stub_step();
        zmq_pollitem_t item = {stub.router, 0, ZMQ_POLLIN, 0};
        zmq_poll(&item, 1, 10);
    }
    return NULL;
}

START_TEST(a_synchronous_call_returns_its_reply_or_its_deadline)
{
    pthread_t thread;
    struct fact_reply reply;
    struct fact_request request = request_of("\xa1q", 5000);
    volatile bool stop = false;
    pthread_create(&thread, NULL, serve, (void *)&stop);
    ck_assert_int_eq(fact_wait_up(handle, 5000), STATUS_OK);
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(fact_call(handle, &request, &reply), STATUS_OK);
        ck_assert(bytes_are(reply.body, "\xa1q"));
    }
    ck_assert_int_eq(fact_query(handle, "directory", (struct bytes){0}, 5000, &reply), STATUS_OK);
    ck_assert(bytes_are(reply.body, "\x80"));
    stop = true;
    pthread_join(thread, NULL);
    request.timeout_ms = 50;
    ck_assert_int_eq(fact_call(handle, &request, &reply), STATUS_DEADLINE_RUNNING);
    request.timeout_ms = 0;
    ck_assert_int_eq(fact_call(handle, &request, &reply), STATUS_DEADLINE_QUEUED);
}
END_TEST

START_TEST(a_mistake_of_the_caller_is_an_answer)
{
    static char large[PAIR_BODY_BYTES_MAX + 1];
    struct fact_request request = request_of("\xc0", 1000);
    request.body = (struct bytes){large, sizeof large};
    ck_assert_int_eq(fact_submit(handle, &request, on_done, NULL, NULL), STATUS_TOO_LARGE);
    request = request_of("\xc0", 1000);
    request.method = (struct bytes){0};
    ck_assert_int_eq(fact_submit(handle, &request, on_done, NULL, NULL), STATUS_BAD_REQUEST);
    request = request_of("\xc0", 1000);
    request.trace = bytes_of("short");
    ck_assert_int_eq(fact_submit(handle, &request, on_done, NULL, NULL), STATUS_BAD_REQUEST);
}
END_TEST

static const char *const bad_endpoints[] = {"",
                                            ",",
                                            "nonsense",
                                            "tcp://127.0.0.1",
                                            "foo://bar:1",
                                            "tcp://127.0.0.1:5550,,tcp://127.0.0.1:5551"};

START_TEST(what_is_no_endpoint_is_refused)
{
    struct fact_options options = {.endpoints = bad_endpoints[_i]};
    ck_assert_ptr_null(fact_open(&options));
    ck_assert_int_eq(errno, EINVAL);
}
END_TEST

static int marker_port(const struct sockaddr_in *address)
{
    struct sockaddr_in own = {0};
    socklen_t size = sizeof own;
    int marker = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(marker, (const struct sockaddr *)address, sizeof *address), 0);
    ck_assert_int_eq(getsockname(marker, (struct sockaddr *)&own, &size), 0);
    close(marker);
    return own.sin_port;
}

/* An operator would take a second one, which ends as soon as it is made, for somebody's fault. */
START_TEST(a_handle_makes_one_connection)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in peer = {0};
    socklen_t size = sizeof address;
    char endpoint[64];
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(listen(listener, 8), 0);
    ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%d", ntohs(address.sin_port));
    struct fact_options options = {.endpoints = endpoint};
    struct fact *own = fact_open(&options);
    ck_assert_ptr_nonnull(own);
    int first = accept(listener, NULL, NULL);
    fact_destroy(&own);
    int port = marker_port(&address);
    int next = accept(listener, (struct sockaddr *)&peer, &size);
    ck_assert_int_eq(peer.sin_port, port);
    close(next);
    close(first);
    close(listener);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 30);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_call_ends_with_its_reply);
    tcase_add_test(tcase, parts_of_an_answer_are_told_before_its_end);
    tcase_add_test(tcase, what_a_request_says_is_what_the_broker_reads);
    tcase_add_test(tcase, a_thousand_calls_beyond_the_credit_each_end_once);
    tcase_add_test(tcase, calls_of_one_turn_leave_in_one_message);
    tcase_add_test(tcase, a_call_made_before_there_is_a_broker_waits_for_it);
    tcase_add_test(tcase, a_call_that_never_left_ends_at_its_deadline_unexecuted);
    tcase_add_test(tcase, a_call_that_is_never_answered_ends_at_its_deadline);
    tcase_add_test(tcase, a_broker_that_vanishes_ends_what_it_had_and_is_found_again);
    tcase_add_test(tcase, a_broker_that_has_forgotten_us_is_greeted_again);
    tcase_add_test(tcase, a_refusal_is_told_and_stays);
    tcase_add_test(tcase, nonsense_from_a_broker_harms_nothing);
    tcase_add_test(tcase, a_cancelled_call_ends_once_as_cancelled);
    tcase_add_test(tcase, who_is_told_of_an_end_may_withdraw_another);
    tcase_add_test(tcase, the_number_of_a_call_that_has_ended_names_no_other);
    tcase_add_test(tcase, a_call_that_was_not_taken_leaves_its_place);
    tcase_add_test(tcase, another_endpoint_is_tried_as_soon_as_one_is_lost);
    tcase_add_test(tcase, who_leaves_says_so);
    tcase_add_test(tcase, more_calls_than_the_handle_holds_are_refused_at_once);
    tcase_add_test(tcase, what_waits_for_a_connection_is_bounded_in_bytes);
    tcase_add_test(tcase, ends_without_a_callback_are_fetched_in_order);
    tcase_add_test(tcase, the_descriptor_alone_says_when_to_work);
    tcase_add_test(tcase, after_a_turn_that_asked_again_the_descriptor_still_says_when_to_work);
    tcase_add_test(tcase, more_messages_than_a_turn_takes_are_all_taken_without_a_pause);
    tcase_add_test(tcase, an_idle_handle_is_not_readable);
    tcase_add_test(tcase, the_second_endpoint_serves_if_the_first_does_not);
    tcase_add_test(tcase, a_synchronous_call_returns_its_reply_or_its_deadline);
    tcase_add_test(tcase, a_mistake_of_the_caller_is_an_answer);
    tcase_add_test(tcase, a_handle_makes_one_connection);
    tcase_add_loop_test(tcase, what_is_no_endpoint_is_refused, 0,
                        sizeof bad_endpoints / sizeof bad_endpoints[0]);
}

int main(void)
{
    return suite_run("client", add_tests);
}
