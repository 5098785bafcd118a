/* test_client_lines - a handle of libfact and several brokers: what is lost with one of them, and
 * what is not. The brokers are stubs on real sockets, stepped by the test. */
#include <string.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/client/fact.h"
#include "actors/client/transport.h"
#include "protocol/message.h"
#include "protocol/pairs.h"
#include "tests/support/suite.h"

#define PATIENCE_US (15 * US_PER_S)
#define STUBS_MAX 3u
#define ID_BYTES 256
#define ENDPOINTS_BYTES 256

/* What becomes of a request: it is kept, answered, refused as the broker drains; or refused for its
 * rate, and its client sent away. */
enum manner { KEEPS, ANSWERS, DRAINS, SENDS_AWAY };

struct stub {
    void *router;
    char endpoints[2][64]; /* the second: another address of the same broker */
    uint64_t generation;   /* of its process */
    uint32_t granted;
    unsigned hellos, requests;
    enum manner manner;
};

static void *context;
static struct stub stubs[STUBS_MAX];
static struct fact *handle;
static char id[ID_BYTES]; /* of the peer heard last */
static size_t id_size;

static void bind_to(struct stub *self, unsigned which, const char *endpoint)
{
    size_t size = sizeof self->endpoints[which];
    for (int64_t until_at = transport_now_at() + PATIENCE_US;
         zmq_bind(self->router, endpoint) != 0;) { /* its port may be in use for a moment */
        ck_assert_int_lt(transport_now_at(), until_at);
        usleep(1000);
    }
    zmq_getsockopt(self->router, ZMQ_LAST_ENDPOINT, self->endpoints[which], &size);
}

static void come(struct stub *self, const char *endpoint)
{
    int linger = 0;
    self->router = zmq_socket(context, ZMQ_ROUTER);
    zmq_setsockopt(self->router, ZMQ_LINGER, &linger, sizeof linger);
    bind_to(self, 0, endpoint);
}

/* Its connections are cut; what it knew it knows. */
static void go(struct stub *self)
{
    zmq_close(self->router);
    self->router = NULL;
}

static void say(const struct stub *self, const struct header *header, struct bytes body)
{
    char bytes[PAIR_HEAD_BYTES_MAX + CONTROL_BYTES_MAX];
    size_t size = pairs_encode_head(header, body, bytes);
    if (body.size > 0)
        memcpy(bytes + size, body.data, body.size);
    zmq_send(self->router, id, id_size, ZMQ_SNDMORE);
    zmq_send(self->router, bytes, size + body.size, 0);
}

static void say_message(const struct stub *self, const struct header *header, enum message_id kind,
                        const void *value)
{
    char bytes[1024];
    struct bytes body;
    ck_assert_int_eq(message_encode(kind, value, bytes, sizeof bytes, &body), STATUS_OK);
    say(self, header, body);
}

static void welcome(struct stub *self)
{
    struct msg_welcome its = {.instance = bytes_of("stub"),
                              .generation = self->generation,
                              .heartbeat_ms = 5000,
                              .dead_ms = 15000,
                              .lease_ms = 1000,
                              .body_max = PAIR_BODY_BYTES_MAX,
                              .message_max = MESSAGE_BYTES_MAX,
                              .protocol = 1};
    self->hellos++;
    self->granted = 64;
    say_message(self, &(struct header){.command = COMMAND_WELCOME, .credit = self->granted},
                MSG_WELCOME, &its);
}

static void refuse(struct stub *self, uint64_t number, enum status status, uint32_t retry_after_ms)
{
    char bytes[CONTROL_BYTES_MAX];
    struct header reply = {.command = COMMAND_REPLY,
                           .id = number,
                           .status = status,
                           .retry_after_ms = retry_after_ms,
                           .credit = ++self->granted};
    say(self, &reply, message_encode_failure(status, bytes));
}

static void answer(struct stub *self, uint64_t number)
{
    struct header reply = {.command = COMMAND_REPLY,
                           .id = number,
                           .executed = EXECUTED_YES,
                           .credit = ++self->granted};
    say(self, &reply, bytes_of("answer"));
}

static void serve(struct stub *self, const struct pair *pair)
{
    struct msg_request_status running = {.state = bytes_of("running")};
    struct msg_disconnect reason = {.reason = bytes_of("your key was taken out")};
    if (pair->header.command == COMMAND_HELLO)
        welcome(self);
    if (pair->header.command == COMMAND_QUERY)
        say_message(self, &(struct header){.command = COMMAND_REPLY, .id = pair->header.id},
                    MSG_REQUEST_STATUS, &running);
    if (pair->header.command != COMMAND_REQUEST)
        return;
    self->requests++;
    if (self->manner == ANSWERS)
        answer(self, pair->header.id);
    if (self->manner == DRAINS)
        refuse(self, pair->header.id, STATUS_DRAINING, 0);
    if (self->manner != SENDS_AWAY)
        return;
    refuse(self, pair->header.id, STATUS_RATE_LIMITED, 3000);
    say_message(self,
                &(struct header){.command = COMMAND_DISCONNECT, .status = STATUS_UNAUTHENTICATED},
                MSG_DISCONNECT, &reason);
}

static void step(void)
{
    static char message[FRAME_BYTES_MAX];
    for (unsigned i = 0; i < STUBS_MAX; i++) {
        int size;
        while (stubs[i].router != NULL &&
               (size = zmq_recv(stubs[i].router, id, sizeof id, ZMQ_DONTWAIT)) >= 0) {
            struct pair pair;
            id_size = (size_t)size;
            size = zmq_recv(stubs[i].router, message, sizeof message, 0);
            struct pairs pairs = pairs_over((struct bytes){message, (size_t)size});
            while (pairs_next(&pairs, &pair))
                serve(&stubs[i], &pair);
        }
    }
}

/* Step both sides until the condition holds. */
#define UNTIL(condition)                                                                           \
    for (int64_t until_at = transport_now_at() + PATIENCE_US; !(condition);) {                     \
        ck_assert_int_lt(transport_now_at(), until_at);                                            \
        step();                                                                                    \
        fact_poll(handle, 2);                                                                      \
    }

static void setup(void)
{
    context = zmq_ctx_new();
    memset(stubs, 0, sizeof stubs);
    for (unsigned i = 0; i < STUBS_MAX; i++)
        stubs[i].generation = i + 1;
}

static void teardown(void)
{
    fact_destroy(&handle);
    for (unsigned i = 0; i < STUBS_MAX; i++)
        if (stubs[i].router != NULL)
            zmq_close(stubs[i].router);
    zmq_ctx_term(context);
}

/* So many brokers, and a handle that holds two of them. */
static void begin(unsigned count)
{
    char endpoints[ENDPOINTS_BYTES] = "";
    for (unsigned i = 0; i < count; i++) {
        come(&stubs[i], "tcp://127.0.0.1:*");
        snprintf(endpoints + strlen(endpoints), sizeof endpoints - strlen(endpoints), "%s%s",
                 i > 0 ? "," : "", stubs[i].endpoints[0]);
    }
    handle = fact_open(&(struct fact_options){.endpoints = endpoints});
    ck_assert_ptr_nonnull(handle);
    UNTIL(fact_peer(handle).connections == 2);
}

struct ends {
    unsigned count;
    enum status status;
};

static void on_done(void *ends_p, const struct fact_reply *reply)
{
    struct ends *ends = ends_p;
    ends->count++;
    ends->status = reply->status;
}

static uint64_t submit(struct ends *ends, uint16_t flags)
{
    uint64_t call = 0;
    struct fact_request request = FACT_REQUEST;
    request.method = bytes_of("query");
    request.body = bytes_of("body");
    request.flags = flags;
    request.timeout_ms = 20000;
    ck_assert_int_eq(fact_submit(handle, &request, on_done, ends, &call), STATUS_OK);
    return call;
}

static struct stub *who_was_asked(void)
{
    for (unsigned i = 0; i < STUBS_MAX; i++)
        if (stubs[i].requests > 0)
            return &stubs[i];
    return NULL;
}

static unsigned refused(void)
{
    struct fact_broker broker;
    unsigned count = 0;
    for (unsigned i = 0; fact_broker(handle, i, &broker); i++)
        count += broker.refused;
    return count;
}

/* While it pauses before its next attempt it stands at no broker. */
START_TEST(a_call_is_withdrawn_though_its_broker_has_sent_us_away)
{
    struct ends ends = {0};
    begin(2);
    stubs[0].manner = stubs[1].manner = SENDS_AWAY;
    uint64_t call = submit(&ends, FLAG_IDEMPOTENT);
    UNTIL(refused() == 1);
    UNTIL(fact_peer(handle).calls == 1);
    fact_process(handle);
    ck_assert(fact_cancel(handle, call));
    UNTIL(ends.count == 1);
    ck_assert_int_eq(ends.status, STATUS_CANCELLED);
    ck_assert_uint_eq(fact_peer(handle).calls, 0);
}
END_TEST

/* What must not be done twice is waited for where it is, however many others there are. */
START_TEST(what_is_kept_outlives_a_cut_where_there_are_three_brokers)
{
    struct ends ends = {0};
    begin(3);
    submit(&ends, 0);
    UNTIL(who_was_asked() != NULL);
    struct stub *its = who_was_asked();
    unsigned hellos = its->hellos;
    char endpoint[64];
    memcpy(endpoint, its->endpoints[0], sizeof endpoint);
    go(its);
    come(its, endpoint);
    UNTIL(its->hellos > hellos);
    ck_assert_uint_eq(ends.count, 0);
    answer(its, 1); /* the first request of its session */
    UNTIL(ends.count == 1);
    ck_assert_int_eq(ends.status, STATUS_OK);
}
END_TEST

/* Both may go one after the other, and the first be found again only later. */
START_TEST(where_all_go_away_one_that_stays_is_waited_for)
{
    struct ends ends = {0};
    char endpoint[64];
    begin(2);
    memcpy(endpoint, stubs[1].endpoints[0], sizeof endpoint);
    stubs[0].manner = stubs[1].manner = DRAINS;
    submit(&ends, FLAG_IDEMPOTENT);
    UNTIL(stubs[0].requests > 0 && stubs[1].requests > 0);
    go(&stubs[1]);
    unsigned before = stubs[0].requests;
    UNTIL(stubs[0].requests >= before + 4); /* more than there are attempts */
    ck_assert_uint_eq(ends.count, 0);
    stubs[1].manner = ANSWERS;
    stubs[1].generation++;
    come(&stubs[1], endpoint);
    UNTIL(ends.count == 1);
    ck_assert_int_eq(ends.status, STATUS_OK);
}
END_TEST

/* A second address of a broker is of no use, but when the first has gone dark. */
START_TEST(another_address_of_a_broker_is_tried_when_it_is_lost)
{
    char endpoints[ENDPOINTS_BYTES];
    struct fact_broker broker = {0};
    come(&stubs[0], "tcp://127.0.0.1:*");
    bind_to(&stubs[0], 1, "tcp://127.0.0.1:*");
    snprintf(endpoints, sizeof endpoints, "%s,%s", stubs[0].endpoints[0], stubs[0].endpoints[1]);
    handle = fact_open(&(struct fact_options){.endpoints = endpoints});
    ck_assert_ptr_nonnull(handle);
    UNTIL(stubs[0].hellos == 2 && fact_broker(handle, 0, &broker) && fact_state(handle) == FACT_UP);
    unsigned held = 0;
    UNTIL((fact_broker(handle, 0, &broker) && broker.held) !=
          (fact_broker(handle, 1, &broker) && broker.held));
    if (fact_broker(handle, 1, &broker) && broker.held)
        held = 1;
    (void)fact_broker(handle, 1 - held, &broker);
    char other[64];
    snprintf(other, sizeof other, "%s", broker.endpoint);
    go(&stubs[0]);
    come(&stubs[0], other);
    UNTIL(stubs[0].hellos == 3);
    UNTIL(fact_state(handle) == FACT_UP);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, a_call_is_withdrawn_though_its_broker_has_sent_us_away);
    tcase_add_test(tcase, what_is_kept_outlives_a_cut_where_there_are_three_brokers);
    tcase_add_test(tcase, where_all_go_away_one_that_stays_is_waited_for);
    tcase_add_test(tcase, another_address_of_a_broker_is_tried_when_it_is_lost);
}

int main(void)
{
    return suite_run("client_lines", add_tests);
}
