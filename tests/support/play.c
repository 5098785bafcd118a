/* play - see play.h. */
#include "tests/support/play.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>
#include <zmq.h>

#include "actors/runtime/process.h"
#include "actors/runtime/socket.h"
#include "tests/support/suite.h"

#define WAIT_MS 30000
#define SETTING_BYTES_MAX (4 * ENDPOINT_BYTES_MAX)

struct play play;

void play_open_side(struct side *side, const char *endpoint)
{
    char reason[SOCKET_REASON_BYTES];
    side->socket = socket_open(play.zmq, ZMQ_ROUTER, 0, 0);
    while (!socket_bind(side->socket, endpoint, "", side->endpoint, reason))
        sched_yield(); /* libzmq gives an endpoint back in a time of its own */
    side->reading = false;
    side->peer_size = 0;
    side->hellos = 0;
}

void play_send_pair(struct side *side, const struct header *header, struct bytes body)
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
struct bytes play_write_view(char *room, size_t size, uint64_t epoch, bool with_member)
{
    char list[512];
    struct writer writer;
    struct bytes body;
    struct msg_member member = {
        .uuid = {"0123456789abcdef", 16}, .weight = 100, .endpoint = bytes_of(play.door.endpoint)};
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
    struct msg_broker_address address = {bytes_of("b1"), bytes_of(play.front.endpoint),
                                         bytes_of(play.back.endpoint),
                                         bytes_of(play.events_endpoint)};
    writer_init(&writer, list, sizeof list);
    writer_array(&writer, 1);
    ck_assert_int_eq(message_write(MSG_BROKER_ADDRESS, &address, &writer), STATUS_OK);
    struct msg_welcome message = {.instance = bytes_of("b1"),
                                  .generation = play.generation,
                                  .heartbeat_ms = 200,
                                  .dead_ms = 60000,
                                  .lease_ms = 1000,
                                  .body_max = 1,
                                  .message_max = 1,
                                  .protocol = 1,
                                  .brokers = writer_bytes(&writer)};
    if (side == &play.back && play.door.socket != NULL)
        message.partitions = play_write_view(view, sizeof view, 1, true);
    ck_assert_int_eq(message_encode(MSG_WELCOME, &message, room, sizeof room, &body), STATUS_OK);
    play_send_pair(side, &(struct header){.command = COMMAND_WELCOME, .credit = 100}, body);
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

/* The next pair, whatever it is. wanted: for the message of a test that fails. */
static struct pair next_pair(struct side *side, enum command wanted)
{
    struct pair pair;
    while (!side->reading || !pairs_next(&side->pairs, &pair)) {
        ck_assert(!side->reading || !side->pairs.broken);
        ck_assert_msg(read_message(side), "command %d does not come", wanted);
    }
    ck_assert_int_eq(pair.status, STATUS_OK);
    return pair;
}

/* The next pair with this command; greets who says HELLO, and passes everything else over. */
struct pair play_expect(struct side *side, enum command command)
{
    struct pair pair = next_pair(side, command);
    while (pair.header.command != command) {
        if (pair.header.command == COMMAND_HELLO)
            welcome(side);
        side->partials += pair.header.command == COMMAND_PARTIAL;
        pair = next_pair(side, command);
    }
    side->partials += command == COMMAND_PARTIAL;
    return pair;
}

uint64_t play_request_with(const char *method, uint32_t deadline_ms, uint16_t flags)
{
    struct header header = {.command = COMMAND_REQUEST,
                            .id = ++play.next_id,
                            .deadline_ms = deadline_ms,
                            .class = CLASS_CRITICAL,
                            .flags = flags,
                            .role = ROLE_DRIVER,
                            .method = bytes_of(method),
                            .tenant = bytes_of("acme")};
    play_send_pair(&play.back, &header, bytes_of("\x91\x07"));
    return play.next_id;
}

uint64_t play_request(const char *method)
{
    return play_request_with(method, 5000, 0);
}

struct pair play_expect_reply(uint64_t id, enum status status)
{
    struct pair pair = play_expect(&play.back, COMMAND_REPLY);
    ck_assert_uint_eq(pair.header.id, id);
    ck_assert_str_eq(statuses[pair.header.status].name, statuses[status].name);
    return pair;
}

/* gaps, views, events, cancels: what the role has seen, one of them. */
uint64_t play_seen(enum played_seen which)
{
    uint64_t number = 0;
    struct pair pair = play_expect_reply(play_request("seen"), STATUS_OK);
    struct values values = values_over(pair.body);
    struct bytes value;
    for (unsigned i = 0; i <= (unsigned)which; i++)
        ck_assert(values_next(&values, &value) && value_u64(value, &number));
    return number;
}

/* What the child is to run; orders is the pipe on which it comes. */
struct order {
    const struct actor_spec *spec; /* at the same address in both */
    char endpoint[ENDPOINT_BYTES_MAX], setting[SETTING_BYTES_MAX];
};
static int orders[2];

/* The child, until it is told what to run and when that has ended. */
static void await_order(void)
{
    struct order order;
    if (read(orders[0], &order, sizeof order) != (ssize_t)sizeof order)
        _exit(EX_SOFTWARE); /* the test ended without it */
    char *argv[] = {"fact-driver", "--broker",    order.endpoint, "--instance", "d1",
                    "--set",       order.setting, "--log-level",  "error",      NULL};
    _exit(process_run(order.spec, 9, argv));
}

/* Before libzmq has threads: a lock that one of them holds is never released in the child of a
 * fork, and the allocator of a sanitizer has such locks. */
static void fork_child(void)
{
    ck_assert_int_eq(pipe(orders), 0);
    play.child = fork();
    ck_assert_int_ge(play.child, 0);
    if (play.child == 0) {
        (void)close(orders[1]);
        await_order();
    }
    (void)close(orders[0]);
}

void play_start_child(const struct actor_spec *spec, const char *setting)
{
    struct order order = {.spec = spec};
    ck_assert_uint_lt(strlen(setting), sizeof order.setting);
    (void)stpcpy(order.endpoint, play.back.endpoint);
    (void)stpcpy(order.setting, setting);
    ck_assert_int_eq(write(orders[1], &order, sizeof order), (ssize_t)sizeof order);
    (void)close(orders[1]);
}

int play_wait_for_child(void)
{
    int status;
    while (waitpid(play.child, &status, 0) < 0)
        ck_assert_int_eq(errno, EINTR);
    play.child = 0;
    ck_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

void play_setup(void)
{
    char reason[SOCKET_REASON_BYTES];
    fork_child();
    play.zmq = zmq_ctx_new();
    play_open_side(&play.back, "tcp://127.0.0.1:0");
    play_open_side(&play.front, "tcp://127.0.0.1:0");
    play.publisher = socket_open(play.zmq, ZMQ_XPUB, 0, 0);
    ck_assert(socket_bind(play.publisher, "tcp://127.0.0.1:0", "", play.events_endpoint, reason));
    play.generation = 7;
}

void play_teardown(void)
{
    if (play.child > 0) {
        kill(play.child, SIGKILL);
        (void)waitpid(play.child, NULL, 0);
    }
    socket_close(&play.back.socket);
    socket_close(&play.front.socket);
    socket_close(&play.door.socket);
    socket_close(&play.publisher);
    zmq_ctx_term(play.zmq);
}

void play_greet(void)
{
    play_start_child(&played_role, "common.drain_ms=5s");
    (void)play_expect(&play.back, COMMAND_READY);
}

void play_publish(const char *topic, uint64_t number, struct bytes body)
{
    char head[PAIR_HEAD_BYTES_MAX + 2048];
    struct header header = {
        .command = COMMAND_EVENT, .id = number, .class = CLASS_CRITICAL, .method = bytes_of(topic)};
    size_t size = pairs_encode_head(&header, body, head);
    memcpy(head + size, body.data, body.size);
    ck_assert_int_ge(zmq_send(play.publisher, topic, strlen(topic), ZMQ_SNDMORE), 0);
    ck_assert_int_ge(zmq_send(play.publisher, head, size + body.size, 0), 0);
}

/* Wait until the role has seen so much, under the deadline of the suite. */
void play_await_seen(enum played_seen which, uint64_t number)
{
    while (play_seen(which) < number)
        ;
    ck_assert_uint_eq(play_seen(which), number);
}

void play_await_subscriber(void)
{
    char byte;
    ck_assert_int_ge(zmq_recv(play.publisher, &byte, 1, 0), 0);
    ck_assert_int_eq(byte, 1);
}

struct pair play_query(const char *method, struct bytes body)
{
    struct header header = {.command = COMMAND_QUERY,
                            .id = ++play.next_id,
                            .deadline_ms = 1000,
                            .class = CLASS_CRITICAL,
                            .role = ROLE_DRIVER,
                            .method = bytes_of(method)};
    play_send_pair(&play.back, &header, body);
    struct pair pair = play_expect(&play.back, COMMAND_REPLY);
    ck_assert_uint_eq(pair.header.id, play.next_id);
    return pair;
}
