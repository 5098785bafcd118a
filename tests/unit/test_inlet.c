/* test_inlet - a loop that looks only where something may be never sleeps over a message, whoever
 * sends meanwhile and whatever a send of its own has swallowed. */
#include "actors/runtime/inlet.h"

#include <string.h>
#include <unistd.h>

#include "tests/support/suite.h"

#define PATIENCE_MS 20000 /* to be slept through is to have failed */
#define ROUNDS 3000

static void *context, *sockets[2];
static struct inlet left, right;
static struct inlets inlets;

/* Two ends over TCP: what is sent passes a thread of its own. */
static void setup(void)
{
    char endpoint[64];
    size_t size = sizeof endpoint;
    int zero = 0;
    context = zmq_ctx_new();
    for (int i = 0; i < 2; i++) {
        sockets[i] = zmq_socket(context, ZMQ_DEALER);
        zmq_setsockopt(sockets[i], ZMQ_LINGER, &zero, sizeof zero);
    }
    ck_assert_int_eq(zmq_bind(sockets[0], "tcp://127.0.0.1:*"), 0);
    ck_assert_int_eq(zmq_getsockopt(sockets[0], ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    ck_assert_int_eq(zmq_connect(sockets[1], endpoint), 0);
    inlet_init(&left, sockets[0]);
    inlet_init(&right, sockets[1]);
}

static void teardown(void)
{
    zmq_close(sockets[0]);
    zmq_close(sockets[1]);
    zmq_ctx_term(context);
}

static void send_to(struct inlet *from, uint64_t number)
{
    ck_assert_int_eq(zmq_send(from->socket, &number, sizeof number, 0), (int)sizeof number);
    inlet_touched(from);
}

static bool take(struct inlet *from, uint64_t *ret)
{
    zmq_msg_t message;
    zmq_msg_init(&message);
    bool found = inlet_take(from, &message);
    if (found) {
        ck_assert_uint_eq(zmq_msg_size(&message), sizeof *ret);
        memcpy(ret, zmq_msg_data(&message), sizeof *ret);
    }
    zmq_msg_close(&message);
    return found;
}

static void wait_for(struct inlet *inlet)
{
    inlets_clear(&inlets);
    inlets_add(&inlets, inlet);
    inlets_wait(&inlets, PATIENCE_MS);
}

/* Take numbers in order until so many have come. */
static void expect(struct inlet *from, uint64_t *next, uint64_t until)
{
    uint64_t number;
    while (*next < until) {
        while (take(from, &number))
            ck_assert_uint_eq(number, (*next)++);
        if (*next == until)
            return;
        wait_for(from);
        ck_assert(from->may_hold); /* or it has slept it through */
    }
}

START_TEST(no_message_is_slept_over)
{
    uint64_t seed = (uint64_t)_i + 1, sent = 0, taken = 0;
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t burst = random_next(&seed) % 4 == 0 ? random_next(&seed) % 50 : 1;
        for (uint64_t j = 0; j < burst; j++)
            send_to(&right, sent++);
        expect(&left, &taken, sent);
    }
    ck_assert_uint_eq(taken, sent);
}
END_TEST

/* Both send before either looks: each send may have swallowed the sign of what came. */
START_TEST(what_a_send_has_swallowed_is_found)
{
    uint64_t sent = 0, on_left = 0, on_right = 0;
    for (int i = 0; i < ROUNDS; i++) {
        send_to(&right, sent);
        send_to(&left, sent);
        sent++;
        expect(&left, &on_left, sent);
        expect(&right, &on_right, sent);
    }
}
END_TEST

START_TEST(an_empty_inlet_is_not_looked_into_again)
{
    uint64_t number;
    ck_assert(left.may_hold); /* nobody has looked yet */
    while (take(&left, &number))
        ;
    ck_assert(!left.may_hold);
    inlet_touched(&left);
    ck_assert(left.may_hold);
}
END_TEST

START_TEST(who_may_hold_something_is_not_slept_for)
{
    inlet_touched(&left);
    wait_for(&left); /* longer than a test may take */
    ck_assert(left.may_hold);
}
END_TEST

/* At the mark nothing more is taken; when the other end has read, the descriptor says so. */
START_TEST(a_full_socket_says_when_it_takes_more)
{
    uint64_t number = 0, ignored;
    send_to(&right, 0);
    expect(&left, &number, 1); /* now there is a connection */
    while (zmq_send(left.socket, &number, sizeof number, ZMQ_DONTWAIT) >= 0)
        number++;
    inlet_touched(&left);
    while (take(&left, &ignored))
        ;
    ck_assert(!left.may_hold);
    while (!inlet_is_writable(&left)) {
        inlets_clear(&inlets);
        inlets_add(&inlets, &left);
        inlets_add(&inlets, &right);
        inlets_wait(&inlets, PATIENCE_MS);
        ck_assert(left.may_hold || right.may_hold);
        while (take(&right, &ignored))
            ;
        (void)take(&left, &ignored);
    }
    ck_assert_int_eq(zmq_send(left.socket, &number, sizeof number, ZMQ_DONTWAIT), sizeof number);
}
END_TEST

/* A pipe with a byte in it, beside an inlet that there is not. */
START_TEST(a_plain_descriptor_is_told_apart)
{
    int pipes[2];
    ck_assert_int_eq(pipe(pipes), 0);
    ck_assert_int_eq(write(pipes[1], "!", 1), 1);
    inlets_clear(&inlets);
    inlets_add(&inlets, &(struct inlet){.socket = NULL});
    inlets_add_descriptor(&inlets, pipes[0]);
    ck_assert_uint_eq(inlets.count, 1);
    inlets_wait(&inlets, PATIENCE_MS);
    ck_assert(inlets_is_ready(&inlets, pipes[0]));
    ck_assert(!inlets_is_ready(&inlets, pipes[1]));
    close(pipes[0]);
    close(pipes[1]);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_set_timeout(tcase, 60);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, no_message_is_slept_over, 0, 3);
    tcase_add_test(tcase, what_a_send_has_swallowed_is_found);
    tcase_add_test(tcase, an_empty_inlet_is_not_looked_into_again);
    tcase_add_test(tcase, who_may_hold_something_is_not_slept_for);
    tcase_add_test(tcase, a_full_socket_says_when_it_takes_more);
    tcase_add_test(tcase, a_plain_descriptor_is_told_apart);
}

int main(void)
{
    return suite_run("inlet", add_tests);
}
