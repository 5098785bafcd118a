/* test_process - a whole process on real sockets, against a broker that the test plays: it greets
 * and serves, comes back by itself when the broker is replaced, ends each of its role's questions
 * once (answered, late, lost), runs jobs, hears events and gaps, tells what is stale until it is
 * heard, and when told to stop finishes what it holds and exits with 0.
 *
 * The process is a child; the role in it is the test's own, and does what its methods say. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/runtime/log.h"
#include "actors/runtime/process.h"
#include "actors/runtime/settings.h"
#include "actors/runtime/socket.h"
#include "tests/support/suite.h"

#define WAIT_MS 8000

/* The role. */

struct state {
    struct request asking; /* waits for its own question; id 0: none */
    struct request hanging;
    struct request working;
    struct job job;
    uint64_t gaps, views, events, cancels, next_tag;
};

static bool role_start(void *state, struct context *context, const struct settings *settings,
                       char *reason, size_t reason_size)
{
    (void)context;
    ((struct state *)state)->next_tag = 1;
    if (strcmp(settings_text(settings, "driver", "namespace"), "refuse") != 0)
        return true;
    (void)snprintf(reason, reason_size, "driver.namespace: refuse is refused");
    return false;
}

static void role_stop(void *state)
{
    (void)state;
}

static uint32_t role_methods(void *state, struct writer *writer)
{
    (void)state;
    writer_array(writer, 1);
    writer_map(writer, 1);
    writer_cstr(writer, "name");
    writer_cstr(writer, "*");
    return 8;
}

static void reply_body(struct context *context, const struct request *request, struct bytes body)
{
    context->reply(context, request, &(struct answer){.status = STATUS_OK, .body = body});
}

static void run_job(struct job *job, void *thread_state)
{
    (void)job, (void)thread_state;
}

static enum status ask(struct state *self, struct context *context, const struct request *request,
                       enum role role)
{
    struct ask ask = {.role = role, .method = bytes_of("tool"), .body = bytes_of("\x01")};
    self->asking = *request;
    return context->ask(context, request, &ask, self->next_tag++);
}

static enum status tell_seen(struct state *self, struct context *context,
                             const struct request *request)
{
    char room[64];
    struct writer writer;
    writer_init(&writer, room, sizeof room);
    writer_array(&writer, 4);
    writer_u64(&writer, self->gaps);
    writer_u64(&writer, self->views);
    writer_u64(&writer, self->events);
    writer_u64(&writer, self->cancels);
    reply_body(context, request, writer_bytes(&writer));
    return STATUS_OK;
}

static enum status role_any(void *state, struct context *context, const struct request *request,
                            const void *body)
{
    struct state *self = state;
    struct bytes method = name_bytes(&request->method);
    const uint64_t tags[] = {11, 12};
    if (bytes_are(method, "echo")) {
        context->started(context, request);
        reply_body(context, request, *(const struct bytes *)body);
    } else if (bytes_are(method, "large")) {
        static char bytes[PAIR_BODY_BYTES_MAX + 1];
        reply_body(context, request, (struct bytes){bytes, sizeof bytes});
    } else if (bytes_are(method, "ask")) {
        return ask(self, context, request, ROLE_TOOL_EXECUTOR);
    } else if (bytes_are(method, "look up")) {
        return ask(self, context, request, ROLE_CACHE_PARTITION);
    } else if (bytes_are(method, "hang")) {
        self->hanging = *request;
    } else if (bytes_are(method, "release")) {
        reply_body(context, &self->hanging, bytes_of("\x02"));
        reply_body(context, request, bytes_of("\x03"));
    } else if (bytes_are(method, "work")) {
        self->working = *request;
        self->job = (struct job){.run = run_job, .deadline_at = request->deadline_at};
        return context->start_job(context, &self->job);
    } else if (bytes_are(method, "invalidate")) {
        context->invalidate(context, tags, 2);
        reply_body(context, request, bytes_of("\x04"));
    } else if (bytes_are(method, "seen")) {
        return tell_seen(self, context, request);
    } else {
        return STATUS_NO_ROLE;
    }
    return STATUS_OK;
}

static enum status role_query(void *state, struct context *context, const struct request *request,
                              const void *body)
{
    (void)state, (void)context, (void)request, (void)body;
    return STATUS_APP_ERROR;
}

static void role_answer(void *state, struct context *context, uint64_t tag,
                        const struct answer *answer)
{
    struct state *self = state;
    ck_assert_uint_eq(tag, self->next_tag - 1);
    if (answer->status == STATUS_OK)
        reply_body(context, &self->asking, answer->body);
    else
        actor_refuse(context, &self->asking, answer->status, answer->retry_after_ms, NULL);
}

static void role_cancel(void *state, struct context *context, const struct request *request)
{
    struct state *self = state;
    (void)context;
    self->cancels += request->id == self->hanging.id && request->link == self->hanging.link;
}

static void role_view(void *state, struct context *context, const struct msg_view *view)
{
    (void)context;
    ((struct state *)state)->views += view->epoch;
}

static void role_event(void *state, struct context *context, const struct event *event)
{
    (void)context;
    ((struct state *)state)->events += strcmp(event->topic, "invalidate") == 0;
}

static void role_gap(void *state, struct context *context)
{
    (void)context;
    ((struct state *)state)->gaps++;
}

static void role_job_done(void *state, struct context *context, struct job *job)
{
    struct state *self = state;
    ck_assert(job->started);
    reply_body(context, &self->working, bytes_of("\x05"));
}

static void *role_thread_start(void *state, unsigned index)
{
    (void)index;
    return state;
}

static void role_thread_stop(void *state, void *thread_state)
{
    ck_assert_ptr_eq(state, thread_state);
}

static unsigned role_thread_count(const void *state)
{
    (void)state;
    return 2;
}

static const struct actor_spec role = {
    .role = ROLE_DRIVER,
    .name = "driver",
    .state_bytes = sizeof(struct state),
    .start = role_start,
    .stop = role_stop,
    .methods = role_methods,
    .handlers = {[MSG_QUERY] = role_query},
    .any_method = role_any,
    .on_answer = role_answer,
    .on_cancel = role_cancel,
    .on_view = role_view,
    .on_event = role_event,
    .on_gap = role_gap,
    .on_job_done = role_job_done,
    .thread_start = role_thread_start,
    .thread_stop = role_thread_stop,
    .thread_count = role_thread_count,
};

/* A role that lets others in: each of its requests is answered with the same bytes. */

static enum status on_any_row(void *state, struct context *context, const struct request *request,
                              const void *body)
{
    (void)state, (void)body;
    reply_body(context, request, bytes_of("\x07"));
    return STATUS_OK;
}

static bool door_start(void *state, struct context *context, const struct settings *settings,
                       char *reason, size_t reason_size)
{
    (void)state, (void)context, (void)settings, (void)reason, (void)reason_size;
    return true;
}

static const struct actor_spec door_role = {
    .role = ROLE_CACHE_PARTITION,
    .name = "cache_partition",
    .start = door_start,
    .stop = role_stop,
    .methods = role_methods,
    .handlers = {[MSG_CACHE_GET] = on_any_row,
                 [MSG_CACHE_MGET] = on_any_row,
                 [MSG_CACHE_SET] = on_any_row,
                 [MSG_CACHE_FAIL] = on_any_row,
                 [MSG_CACHE_EXPLAIN] = on_any_row,
                 [MSG_CACHE_STATS] = on_any_row},
    .lets_in = true,
};

/* The broker, as far as the test plays it. A side is a ROUTER with one peer. */

#define BUFFER_BYTES 400000u

struct side {
    void *socket;
    char endpoint[ENDPOINT_BYTES_MAX];
    unsigned char peer[8];
    size_t peer_size;
    char bytes[BUFFER_BYTES]; /* the message that is being read */
    struct pairs pairs;
    bool reading;
    unsigned hellos;
};

static void *zmq;
static struct side back, front, door; /* door: a cache partition's */
static void *publisher;
static char events_endpoint[ENDPOINT_BYTES_MAX];
static pid_t child;
static uint64_t next_id;
static uint64_t generation; /* of the broker */

static void open_side(struct side *side, const char *endpoint)
{
    char reason[SOCKET_REASON_BYTES];
    side->socket = socket_open(zmq, ZMQ_ROUTER, 0, 0);
    while (!socket_bind(side->socket, endpoint, side->endpoint, reason))
        sched_yield(); /* libzmq gives an endpoint back in a time of its own */
    side->reading = false;
    side->peer_size = 0;
    side->hellos = 0;
}

static void send_pair(struct side *side, const struct header *header, struct bytes body)
{
    char head[PAIR_HEAD_BYTES_MAX], message[PAIR_HEAD_BYTES_MAX + CONTROL_BYTES_MAX];
    size_t size = pairs_encode_head(header, body, head);
    memcpy(message, head, size);
    if (body.size > 0)
        memcpy(message + size, body.data, body.size);
    ck_assert_int_ge(zmq_send(side->socket, side->peer, side->peer_size, ZMQ_SNDMORE), 0);
    ck_assert_int_ge(zmq_send(side->socket, message, size + body.size, 0), 0);
}

/* A view of one partition, the test's door. */
static struct bytes write_view(char *room, size_t size, uint64_t epoch, bool with_member)
{
    char list[512];
    struct writer writer;
    struct bytes body;
    struct msg_member member = {
        .uuid = {"0123456789abcdef", 16}, .weight = 100, .endpoint = bytes_of(door.endpoint)};
    writer_init(&writer, list, sizeof list);
    writer_array(&writer, with_member);
    if (with_member)
        ck_assert_int_eq(message_write(MSG_MEMBER, &member, &writer), STATUS_OK);
    struct msg_view view = {.epoch = epoch, .members = writer_bytes(&writer)};
    ck_assert_int_eq(message_encode(MSG_VIEW, &view, room, size, &body), STATUS_OK);
    return body;
}

static void welcome(struct side *side)
{
    char room[4096], list[1024], view[1024];
    struct writer writer;
    struct bytes body;
    struct msg_broker_address address = {bytes_of("b1"), bytes_of(front.endpoint),
                                         bytes_of(back.endpoint), bytes_of(events_endpoint)};
    writer_init(&writer, list, sizeof list);
    writer_array(&writer, 1);
    ck_assert_int_eq(message_write(MSG_BROKER_ADDRESS, &address, &writer), STATUS_OK);
    struct msg_welcome message = {.instance = bytes_of("b1"),
                                  .generation = generation,
                                  .heartbeat_ms = 200,
                                  .dead_ms = 60000,
                                  .lease_ms = 1000,
                                  .body_max = 1,
                                  .message_max = 1,
                                  .protocol = 1,
                                  .brokers = writer_bytes(&writer)};
    if (side == &back && door.socket != NULL)
        message.partitions = write_view(view, sizeof view, 1, true);
    ck_assert_int_eq(message_encode(MSG_WELCOME, &message, room, sizeof room, &body), STATUS_OK);
    send_pair(side, &(struct header){.command = COMMAND_WELCOME, .credit = 100}, body);
    side->hellos++;
}

/* Read the next message of this side; false: none comes within WAIT_MS. */
static bool read_message(struct side *side)
{
    zmq_pollitem_t item = {side->socket, 0, ZMQ_POLLIN, 0};
    if (zmq_poll(&item, 1, WAIT_MS) <= 0)
        return false;
    int size = zmq_recv(side->socket, side->peer, sizeof side->peer, 0);
    ck_assert_int_gt(size, 0);
    side->peer_size = (size_t)size;
    size = zmq_recv(side->socket, side->bytes, sizeof side->bytes, 0);
    ck_assert_int_gt(size, 0);
    ck_assert_uint_le((size_t)size, sizeof side->bytes);
    side->pairs = pairs_over((struct bytes){side->bytes, (size_t)size});
    side->reading = true;
    return true;
}

/* The next pair with this command; greets who says HELLO, and passes everything else over. */
static struct pair expect(struct side *side, enum command command)
{
    struct pair pair;
    for (;;) {
        while (side->reading && pairs_next(&side->pairs, &pair)) {
            ck_assert_int_eq(pair.status, STATUS_OK);
            if (pair.header.command == COMMAND_HELLO)
                welcome(side);
            if (pair.header.command == command)
                return pair;
        }
        ck_assert(!side->reading || !side->pairs.broken);
        ck_assert_msg(read_message(side), "command %d does not come", command);
    }
}

static uint64_t request_with(const char *method, uint32_t deadline_ms, uint16_t flags)
{
    struct header header = {.command = COMMAND_REQUEST,
                            .id = ++next_id,
                            .deadline_ms = deadline_ms,
                            .class = CLASS_CRITICAL,
                            .flags = flags,
                            .role = ROLE_DRIVER,
                            .method = bytes_of(method),
                            .tenant = bytes_of("acme")};
    send_pair(&back, &header, bytes_of("\x91\x07"));
    return next_id;
}

static uint64_t request(const char *method)
{
    return request_with(method, 5000, 0);
}

static struct pair expect_reply(uint64_t id, enum status status)
{
    struct pair pair = expect(&back, COMMAND_REPLY);
    ck_assert_uint_eq(pair.header.id, id);
    ck_assert_str_eq(statuses[pair.header.status].name, statuses[status].name);
    return pair;
}

/* gaps, views, events, cancels: what the role has seen, one of them. */
static uint64_t seen(unsigned which)
{
    uint64_t number = 0;
    struct pair pair = expect_reply(request("seen"), STATUS_OK);
    struct values values = values_over(pair.body);
    struct bytes value;
    for (unsigned i = 0; i <= which; i++)
        ck_assert(values_next(&values, &value) && value_u64(value, &number));
    return number;
}

static void start_child(const struct actor_spec *spec, const char *setting)
{
    char *argv[] = {"fact-driver", "--broker",      back.endpoint, "--instance", "d1",
                    "--set",       (char *)setting, "--log-level", "error",      NULL};
    child = fork();
    ck_assert_int_ge(child, 0);
    if (child != 0)
        return;
    (void)close_range(3, ~0u, 0); /* the broker's sockets are the test's alone */
    _exit(process_run(spec, 9, argv));
}

static int wait_for_child(void)
{
    int status;
    while (waitpid(child, &status, 0) < 0)
        ck_assert_int_eq(errno, EINTR);
    child = 0;
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void setup(void)
{
    char reason[SOCKET_REASON_BYTES];
    zmq = zmq_ctx_new();
    open_side(&back, "tcp://127.0.0.1:0");
    open_side(&front, "tcp://127.0.0.1:0");
    publisher = socket_open(zmq, ZMQ_XPUB, 0, 0);
    ck_assert(socket_bind(publisher, "tcp://127.0.0.1:0", events_endpoint, reason));
    child = 0;
    generation = 7;
}

static void teardown(void)
{
    if (child > 0) {
        kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
    }
    socket_close(&back.socket);
    socket_close(&front.socket);
    socket_close(&door.socket);
    socket_close(&publisher);
    zmq_ctx_term(zmq);
}

static void greet(void)
{
    start_child(&role, "common.drain_ms=5s");
    (void)expect(&back, COMMAND_READY);
}

/* Tests. */

START_TEST(it_greets_and_says_what_it_serves)
{
    struct msg_ready ready;
    start_child(&role, "common.zone=z1");
    struct pair pair = expect(&back, COMMAND_READY);
    ck_assert_uint_eq(back.hellos, 1);
    ck_assert_int_eq(message_decode(MSG_READY, pair.body, &ready), STATUS_OK);
    ck_assert_uint_eq(ready.concurrency, 8);
    ck_assert_uint_eq(values_count(ready.methods), 1);
    ck_assert(bytes_are(ready.zone, "z1"));
    struct msg_heartbeat beat;
    pair = expect(&back, COMMAND_HEARTBEAT);
    ck_assert_int_eq(message_decode(MSG_HEARTBEAT, pair.body, &beat), STATUS_OK);
    ck_assert_uint_gt(beat.rss, 1000000);
    ck_assert_uint_gt(beat.fds, 3);
}
END_TEST

START_TEST(it_shares_its_credit_among_the_brokers)
{
    char setting[4 * ENDPOINT_BYTES_MAX];
    struct msg_ready ready;
    (void)snprintf(setting, sizeof setting, "common.brokers=%s,ipc:///tmp/none-1,ipc:///tmp/none-2",
                   back.endpoint);
    start_child(&role, setting);
    struct pair pair = expect(&back, COMMAND_READY);
    ck_assert_int_eq(message_decode(MSG_READY, pair.body, &ready), STATUS_OK);
    ck_assert_uint_eq(ready.concurrency, 3); /* of 8 among 3: none is left out */
}
END_TEST

START_TEST(it_serves_and_grants_one_more_with_each_reply)
{
    greet();
    for (uint32_t i = 1; i <= 20; i++) {
        uint64_t id = request("echo");
        ck_assert_uint_eq(expect(&back, COMMAND_STARTED).header.id, id);
        struct pair pair = expect_reply(id, STATUS_OK);
        ck_assert_uint_eq(pair.header.credit, 8 + i);
        ck_assert_int_eq(pair.header.executed, EXECUTED_YES);
        ck_assert(bytes_are(pair.header.instance, "d1"));
        ck_assert(bytes_are(pair.body, "\x91\x07"));
    }
    expect_reply(request("nothing"), STATUS_NO_ROLE);
    expect_reply(request("large"), STATUS_INTERNAL);
    expect_reply(request("work"), STATUS_OK);
}
END_TEST

/* Sent before the replies are read: what is ready together travels together. */
START_TEST(replies_that_are_ready_together_travel_together)
{
    char message[8000];
    size_t used = 0;
    greet();
    for (int i = 0; i < 50; i++) {
        struct header header = {.command = COMMAND_REQUEST,
                                .id = ++next_id,
                                .deadline_ms = 5000,
                                .class = CLASS_CRITICAL,
                                .flags = FLAG_IDEMPOTENT,
                                .role = ROLE_DRIVER,
                                .method = bytes_of("echo")};
        used += pairs_encode_head(&header, bytes_of("\x01"), message + used);
        message[used++] = '\x01';
        ck_assert_uint_lt(used + 200, sizeof message);
    }
    ck_assert_int_ge(zmq_send(back.socket, back.peer, back.peer_size, ZMQ_SNDMORE), 0);
    ck_assert_int_ge(zmq_send(back.socket, message, used, 0), 0);
    struct pair pair = expect(&back, COMMAND_REPLY);
    for (int i = 1; i < 50; i++) {
        while (pairs_next(&back.pairs, &pair) && pair.header.command != COMMAND_REPLY)
            ;
        ck_assert_int_eq(pair.header.command, COMMAND_REPLY);
    }
    ck_assert_uint_eq(pair.header.id, next_id);
}
END_TEST

START_TEST(a_question_takes_its_terms_along_and_its_answer_back)
{
    greet();
    uint64_t id = request_with("ask", 4000, 0);
    struct pair question = expect(&front, COMMAND_REQUEST);
    ck_assert(bytes_are(question.header.method, "tool"));
    ck_assert(bytes_are(question.header.tenant, "acme"));
    ck_assert_uint_eq(question.header.role, ROLE_TOOL_EXECUTOR);
    ck_assert_int_eq(question.header.class, CLASS_CRITICAL);
    ck_assert_uint_le(question.header.deadline_ms, 3800);
    ck_assert_uint_ge(question.header.deadline_ms, 3000);
    struct header answer = {
        .command = COMMAND_REPLY, .id = question.header.id, .credit = 101, .status = STATUS_OK};
    send_pair(&front, &answer, bytes_of("\x2a"));
    ck_assert(bytes_are(expect_reply(id, STATUS_OK).body, "\x2a"));
    id = request_with("ask", 4000, 0);
    answer.id = expect(&front, COMMAND_REQUEST).header.id;
    answer.status = STATUS_BUSY_SHED;
    answer.retry_after_ms = 77;
    send_pair(&front, &answer, bytes_of("\xc0"));
    ck_assert_uint_eq(expect_reply(id, STATUS_BUSY_SHED).header.retry_after_ms, 77);
}
END_TEST

START_TEST(a_question_without_an_answer_ends_in_time_and_is_withdrawn)
{
    greet();
    uint64_t id = request_with("ask", 300, 0);
    uint64_t asked = expect(&front, COMMAND_REQUEST).header.id;
    expect_reply(id, STATUS_DEADLINE_RUNNING);
    ck_assert_uint_eq(expect(&front, COMMAND_CANCEL).header.id, asked);
}
END_TEST

START_TEST(a_question_whose_broker_is_gone_is_lost)
{
    greet();
    uint64_t id = request("ask");
    (void)expect(&front, COMMAND_REQUEST);
    socket_close(&front.socket);
    struct pair pair = expect_reply(id, STATUS_WORKER_LOST);
    ck_assert_int_eq(pair.header.executed, EXECUTED_MAYBE);
}
END_TEST

START_TEST(a_cancelled_request_is_answered_at_once_and_the_role_told)
{
    greet();
    uint64_t id = request("hang");
    send_pair(&back, &(struct header){.command = COMMAND_CANCEL, .id = id}, (struct bytes){0});
    expect_reply(id, STATUS_CANCELLED);
    ck_assert_uint_eq(seen(3), 1);
    id = request("release"); /* the role answers it all the same: that is dropped */
    expect_reply(id, STATUS_OK);
}
END_TEST

/* The second broker stands on the same endpoint, and knows nothing of the first. */
START_TEST(it_greets_the_next_broker_by_itself)
{
    char endpoint[ENDPOINT_BYTES_MAX];
    greet();
    (void)request("hang");
    expect_reply(request("echo"), STATUS_OK);
    memcpy(endpoint, back.endpoint, sizeof endpoint);
    socket_close(&back.socket);
    open_side(&back, endpoint);
    (void)expect(&back, COMMAND_READY);
    ck_assert_uint_eq(back.hellos, 1);
    struct pair pair = expect_reply(request("echo"), STATUS_OK);
    ck_assert_uint_eq(pair.header.credit, 9); /* counted anew */
    ck_assert_uint_eq(seen(3), 1);            /* what hung there is not wanted any more */
}
END_TEST

START_TEST(sent_away_it_greets_again)
{
    greet();
    send_pair(&back, &(struct header){.command = COMMAND_DISCONNECT, .status = STATUS_NO_ROLE},
              bytes_of("\x80"));
    (void)expect(&back, COMMAND_READY);
    ck_assert_uint_eq(back.hellos, 2);
    expect_reply(request("echo"), STATUS_OK);
}
END_TEST

static void publish(const char *topic, uint64_t number, struct bytes body)
{
    char head[PAIR_HEAD_BYTES_MAX + 2048];
    struct header header = {
        .command = COMMAND_EVENT, .id = number, .class = CLASS_CRITICAL, .method = bytes_of(topic)};
    size_t size = pairs_encode_head(&header, body, head);
    memcpy(head + size, body.data, body.size);
    ck_assert_int_ge(zmq_send(publisher, topic, strlen(topic), ZMQ_SNDMORE), 0);
    ck_assert_int_ge(zmq_send(publisher, head, size + body.size, 0), 0);
}

/* Wait until the role has seen so much, under the deadline of the suite. */
static void await_seen(unsigned which, uint64_t number)
{
    while (seen(which) < number)
        ;
    ck_assert_uint_eq(seen(which), number);
}

static void await_subscriber(void)
{
    char byte;
    ck_assert_int_ge(zmq_recv(publisher, &byte, 1, 0), 0);
    ck_assert_int_eq(byte, 1);
}

START_TEST(events_arrive_and_a_gap_is_told)
{
    struct bytes none = bytes_of("\x80");
    greet();
    await_subscriber();
    publish("invalidate", 5, none); /* the first: what was before is not known */
    await_seen(2, 1);
    ck_assert_uint_eq(seen(0), 1);
    publish("limits", 6, none);
    publish("invalidate", 7, none);
    await_seen(2, 2);
    ck_assert_uint_eq(seen(0), 1);
    publish("invalidate", 9, none);
    await_seen(2, 3);
    ck_assert_uint_eq(seen(0), 2);
    publish("invalidate", 1, none); /* numbers begin anew */
    await_seen(2, 4);
    ck_assert_uint_eq(seen(0), 3);
    await_seen(0, 4); /* silence */
}
END_TEST

START_TEST(another_broker_is_a_gap_though_the_numbers_go_on)
{
    greet();
    await_subscriber();
    publish("limits", 1, bytes_of("\x80"));
    await_seen(0, 1);
    generation++;
    send_pair(&back, &(struct header){.command = COMMAND_DISCONNECT, .status = STATUS_NO_ROLE},
              bytes_of("\x80"));
    (void)expect(&back, COMMAND_READY);
    publish("invalidate", 2, bytes_of("\x80"));
    await_seen(2, 1);
    ck_assert_uint_eq(seen(0), 2);
    publish("members", 3,
            bytes_of("\x81\xaa"
                     "generation\x08"));
    publish("members", 4,
            bytes_of("\x81\xaa"
                     "generation\x09"));
    publish("invalidate", 5, bytes_of("\x80"));
    await_seen(2, 2);
    ck_assert_uint_eq(seen(0), 3);
}
END_TEST

START_TEST(what_is_stale_is_told_in_order_until_it_is_heard)
{
    struct msg_invalidate message;
    greet();
    expect_reply(request("invalidate"), STATUS_OK);
    expect_reply(request("invalidate"), STATUS_OK);
    struct pair first = expect(&back, COMMAND_INVALIDATE);
    uint64_t number = first.header.id;
    ck_assert_int_eq(message_decode(MSG_INVALIDATE, first.body, &message), STATUS_OK);
    ck_assert_uint_eq(message.origin.size, SESSION_ID_BYTES);
    ck_assert_uint_eq(values_count(message.tags), 2);
    struct header refusal = {
        .command = COMMAND_REPLY, .id = number, .status = STATUS_BUSY_FULL, .retry_after_ms = 1};
    send_pair(&back, &refusal, bytes_of("\xc0"));
    ck_assert_uint_eq(expect(&back, COMMAND_INVALIDATE).header.id, number);
    struct header answer = {.command = COMMAND_REPLY, .id = number, .status = STATUS_OK};
    send_pair(&back, &answer, bytes_of("\xc0"));
    ck_assert_uint_eq(expect(&back, COMMAND_INVALIDATE).header.id, number + 1);
}
END_TEST

START_TEST(a_partition_of_the_view_is_asked_directly)
{
    char room[1024];
    open_side(&door, "tcp://127.0.0.1:0");
    greet();
    await_seen(1, 1);
    uint64_t id = request("look up");
    struct pair question = expect(&door, COMMAND_REQUEST);
    struct header answer = {.command = COMMAND_REPLY, .id = question.header.id, .credit = 101};
    send_pair(&door, &answer, bytes_of("\x2b"));
    ck_assert(bytes_are(expect_reply(id, STATUS_OK).body, "\x2b"));
    id = request("look up"); /* gone while it has the question, and not back */
    (void)expect(&door, COMMAND_REQUEST);
    socket_close(&door.socket);
    expect_reply(id, STATUS_WORKER_LOST);
    expect_reply(request("look up"), STATUS_NO_WORKER);
    await_subscriber();
    publish("view", 1, write_view(room, sizeof room, 2, false));
    await_seen(1, 3);
    expect_reply(request("look up"), STATUS_NO_WORKER);
}
END_TEST

START_TEST(a_partition_that_leaves_the_view_owes_nothing)
{
    char room[1024];
    open_side(&door, "tcp://127.0.0.1:0");
    greet();
    await_seen(1, 1);
    await_subscriber();
    uint64_t id = request("look up");
    (void)expect(&door, COMMAND_REQUEST);
    publish("view", 1, write_view(room, sizeof room, 9, false));
    expect_reply(id, STATUS_WORKER_LOST);
    await_seen(1, 10);
    publish("view", 2, write_view(room, sizeof room, 8, true)); /* older: it does not count */
    publish("invalidate", 3, bytes_of("\x80"));
    await_seen(2, 1);
    ck_assert_uint_eq(seen(1), 10);
    expect_reply(request("look up"), STATUS_NO_WORKER);
}
END_TEST

static struct pair query(const char *method, struct bytes body)
{
    struct header header = {.command = COMMAND_QUERY,
                            .id = ++next_id,
                            .deadline_ms = 1000,
                            .class = CLASS_CRITICAL,
                            .role = ROLE_DRIVER,
                            .method = bytes_of(method)};
    send_pair(&back, &header, body);
    struct pair pair = expect(&back, COMMAND_REPLY);
    ck_assert_uint_eq(pair.header.id, next_id);
    return pair;
}

START_TEST(metrics_and_log_level_are_the_runtimes_own)
{
    struct msg_metrics metrics;
    struct msg_query_loglevel level;
    greet();
    expect_reply(request("echo"), STATUS_OK);
    struct pair pair = query("metrics", bytes_of("\x80"));
    ck_assert_uint_eq(pair.header.credit, 9); /* no grant */
    ck_assert_int_eq(message_decode(MSG_METRICS, pair.body, &metrics), STATUS_OK);
    ck_assert_uint_gt(values_count(metrics.families), 10);
    pair = query("loglevel", bytes_of("\x81\xa5level\xa4warn"));
    ck_assert_int_eq(message_decode(MSG_QUERY_LOGLEVEL, pair.body, &level), STATUS_OK);
    ck_assert(bytes_are(level.level, "warn"));
    ck_assert_int_eq(query("loglevel", bytes_of("\x81\xa5level\xa4loud")).header.status,
                     STATUS_BAD_REQUEST);
    ck_assert_int_eq(query("tools", bytes_of("\x80")).header.status, STATUS_NO_ROLE);
}
END_TEST

START_TEST(told_to_stop_it_finishes_what_it_holds)
{
    greet();
    uint64_t held = request("hang");
    expect_reply(request("echo"), STATUS_OK);
    ck_assert_int_eq(kill(child, SIGTERM), 0);
    (void)expect(&back, COMMAND_DRAIN);
    uint64_t release = request("release"); /* one that was on its way */
    expect_reply(held, STATUS_OK);
    expect_reply(release, STATUS_OK);
    ck_assert_int_eq(expect(&back, COMMAND_DISCONNECT).header.status, STATUS_CANCELLED);
    ck_assert_int_eq(wait_for_child(), EX_OK);
}
END_TEST

START_TEST(told_twice_it_stops_at_once)
{
    greet();
    (void)request("hang");
    expect_reply(request("echo"), STATUS_OK);
    ck_assert_int_eq(kill(child, SIGINT), 0);
    (void)expect(&back, COMMAND_DRAIN);
    ck_assert_int_eq(kill(child, SIGINT), 0);
    (void)expect(&back, COMMAND_DISCONNECT);
    ck_assert_int_eq(wait_for_child(), EX_OK);
}
END_TEST

START_TEST(drained_by_the_broker_it_ends)
{
    greet();
    send_pair(
        &back,
        &(struct header){.command = COMMAND_DRAIN, .class = CLASS_CRITICAL, .deadline_ms = 5000},
        (struct bytes){0});
    (void)expect(&back, COMMAND_DISCONNECT);
    ck_assert_int_eq(wait_for_child(), EX_OK);
}
END_TEST

/* One that connects to the door, greets, and asks in the same message. */
START_TEST(it_lets_others_in_where_it_says)
{
    char message[4096], room[512], reason[SOCKET_REASON_BYTES];
    char endpoint[ENDPOINT_BYTES_MAX];
    struct msg_ready ready;
    struct bytes body;
    start_child(&door_role, "cache_partition.weight=250");
    struct pair pair = expect(&back, COMMAND_READY);
    ck_assert_int_eq(message_decode(MSG_READY, pair.body, &ready), STATUS_OK);
    ck_assert_uint_eq(ready.weight, 250);
    ck_assert_uint_eq(ready.uuid.size, SESSION_ID_BYTES);
    (void)snprintf(endpoint, sizeof endpoint, "%.*s", (int)ready.endpoint.size,
                   ready.endpoint.data);
    void *dealer = socket_open(zmq, ZMQ_DEALER, 0, 0);
    ck_assert_msg(socket_connect(dealer, endpoint, reason), "%s", reason);
    struct msg_hello hello = {.session = {"0123456789abcdef", 16},
                              .instance = bytes_of("t"),
                              .protocol_min = 1,
                              .protocol_max = 1};
    struct header header = {.command = COMMAND_HELLO, .class = CLASS_CRITICAL, .role = ROLE_DRIVER};
    ck_assert_int_eq(message_encode(MSG_HELLO, &hello, room, sizeof room, &body), STATUS_OK);
    size_t size = pairs_encode_head(&header, body, message);
    memcpy(message + size, body.data, body.size);
    size += body.size;
    header = (struct header){.command = COMMAND_REQUEST,
                             .id = 1,
                             .deadline_ms = 5000,
                             .class = CLASS_CRITICAL,
                             .role = ROLE_CACHE_PARTITION,
                             .method = bytes_of("stats")};
    size += pairs_encode_head(&header, bytes_of("\x80"), message + size);
    message[size++] = '\x80';
    ck_assert_int_ge(zmq_send(dealer, message, size, 0), 0);
    int received = zmq_recv(dealer, message, sizeof message, 0);
    struct pairs pairs = pairs_over((struct bytes){message, (size_t)received});
    ck_assert(pairs_next(&pairs, &pair));
    ck_assert_int_eq(pair.header.command, COMMAND_WELCOME);
    ck_assert(pairs_next(&pairs, &pair));
    ck_assert_int_eq(pair.header.command, COMMAND_REPLY);
    ck_assert(bytes_are(pair.body, "\x07"));
    socket_close(&dealer);
}
END_TEST

static const struct {
    const char *setting;
    int code;
} starts[] = {
    {"driver.namespace=refuse", EX_CONFIG},
    {"driver.nonsense=1", EX_USAGE},
    {"common.brokers=nonsense", EX_CONFIG},
};

START_TEST(off_its_host_nothing_is_bound)
{
    start_child(&door_role, "cache_partition.endpoint=tcp://0.0.0.0:0");
    ck_assert_int_eq(wait_for_child(), EX_UNAVAILABLE);
}
END_TEST

START_TEST(what_cannot_start_says_so_by_its_code)
{
    start_child(&role, starts[_i].setting);
    ck_assert_int_eq(wait_for_child(), starts[_i].code);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 20);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_greets_and_says_what_it_serves);
    tcase_add_test(tcase, it_shares_its_credit_among_the_brokers);
    tcase_add_test(tcase, it_serves_and_grants_one_more_with_each_reply);
    tcase_add_test(tcase, replies_that_are_ready_together_travel_together);
    tcase_add_test(tcase, a_question_takes_its_terms_along_and_its_answer_back);
    tcase_add_test(tcase, a_question_without_an_answer_ends_in_time_and_is_withdrawn);
    tcase_add_test(tcase, a_question_whose_broker_is_gone_is_lost);
    tcase_add_test(tcase, a_cancelled_request_is_answered_at_once_and_the_role_told);
    tcase_add_test(tcase, it_greets_the_next_broker_by_itself);
    tcase_add_test(tcase, sent_away_it_greets_again);
    tcase_add_test(tcase, events_arrive_and_a_gap_is_told);
    tcase_add_test(tcase, another_broker_is_a_gap_though_the_numbers_go_on);
    tcase_add_test(tcase, what_is_stale_is_told_in_order_until_it_is_heard);
    tcase_add_test(tcase, a_partition_of_the_view_is_asked_directly);
    tcase_add_test(tcase, a_partition_that_leaves_the_view_owes_nothing);
    tcase_add_test(tcase, metrics_and_log_level_are_the_runtimes_own);
    tcase_add_test(tcase, told_to_stop_it_finishes_what_it_holds);
    tcase_add_test(tcase, told_twice_it_stops_at_once);
    tcase_add_test(tcase, drained_by_the_broker_it_ends);
    tcase_add_test(tcase, it_lets_others_in_where_it_says);
    tcase_add_test(tcase, off_its_host_nothing_is_bound);
    tcase_add_loop_test(tcase, what_cannot_start_says_so_by_its_code, 0,
                        (int)(sizeof starts / sizeof starts[0]));
}

int main(void)
{
    return suite_run("process", add_tests);
}
