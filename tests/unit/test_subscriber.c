/* test_subscriber - events are heard although the other side hung up at first, has another of its
 * keys, or comes back with one. Against sockets with keys; time is an argument. */
#include "actors/runtime/subscriber.h"

#include <string.h>
#include <zmq.h>

#include "tests/support/keyed_end.h"
#include "tests/support/suite.h"

#define TURNS_MAX 2000
#define TURN_MS 5

static struct keyed_end end;
static struct curve_pair own;
static struct subscriber *subscriber;
static int64_t now_at;

static void setup(void)
{
    static const char *const topics[] = {"news", NULL};
    char reason[512];
    keyed_end_start(&end);
    ck_assert_int_eq(zmq_curve_keypair(own.public_key, own.secret_key), 0);
    now_at = US_PER_S;
    struct subscriber_config config = {.zmq = end.zmq,
                                       .endpoint = end.endpoint,
                                       .reconnect_ms = 100,
                                       .own = &own,
                                       .servers = &end.servers,
                                       .topics = topics};
    subscriber = subscriber_open(&config, reason);
    ck_assert_ptr_nonnull(subscriber);
}

static void teardown(void)
{
    subscriber_close(&subscriber);
    keyed_end_stop(&end);
}

/* Turn and publish until this event arrives. */
static bool hears(const char *text)
{
    static struct inlets inlets;
    zmq_msg_t frame;
    bool heard = false;
    zmq_msg_init(&frame);
    for (int i = 0; i < TURNS_MAX && !heard; i++) {
        zmq_send(end.socket, "other", 5, ZMQ_SNDMORE | ZMQ_DONTWAIT);
        zmq_send(end.socket, "none", 4, ZMQ_DONTWAIT);
        zmq_send(end.socket, "news", 4, ZMQ_DONTWAIT);
        zmq_send(end.socket, "news", 4, ZMQ_SNDMORE | ZMQ_DONTWAIT);
        zmq_send(end.socket, text, strlen(text), ZMQ_SNDMORE | ZMQ_DONTWAIT);
        zmq_send(end.socket, "more", 4, ZMQ_DONTWAIT);
        subscriber_tick(subscriber, now_at);
        while (!heard && subscriber_take(subscriber, &frame))
            heard = zmq_msg_size(&frame) == strlen(text) &&
                    memcmp(zmq_msg_data(&frame), text, strlen(text)) == 0;
        now_at += TURN_MS * US_PER_MS;
        inlets_clear(&inlets);
        subscriber_watch(subscriber, &inlets);
        inlets_wait(&inlets, TURN_MS);
    }
    zmq_msg_close(&frame);
    return heard;
}

START_TEST(it_hears_who_hung_up_at_first)
{
    keyed_end_hang_up(&end);
    keyed_end_open(&end, ZMQ_PUB, &end.pair);
    ck_assert(hears("first"));
}
END_TEST

START_TEST(it_finds_another_key_and_finds_it_again)
{
    keyed_end_open(&end, ZMQ_PUB, &end.other);
    ck_assert(hears("second"));
    keyed_end_close(&end);
    keyed_end_open(&end, ZMQ_PUB, &end.pair);
    ck_assert(hears("first"));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_hears_who_hung_up_at_first);
    tcase_add_test(tcase, it_finds_another_key_and_finds_it_again);
    tcase_set_timeout(tcase, 60);
}

int main(void)
{
    return suite_run("subscriber", add_tests);
}
