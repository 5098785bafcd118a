/* test_zap - a question of libzmq's is understood whole or not at all; a key is let in on the sides
 * of its kind alone; the answer names it. */
#include "actors/runtime/zap.h"

#include <zmq.h>

#include "tests/support/suite.h"

static char client_key[41], worker_key[41], secret_key[41], text[256], reason[ALLOW_REASON_BYTES];
static char raw[CURVE_KEY_RAW_BYTES];
static struct allow_list *list;
static struct bytes frames[ZAP_ASK_FRAMES + 1];

static void setup(void)
{
    ck_assert_int_eq(zmq_curve_keypair(client_key, secret_key), 0);
    ck_assert_int_eq(zmq_curve_keypair(worker_key, secret_key), 0);
    snprintf(text, sizeof text, "client c %s\nworker w %s roles=driver\n", client_key, worker_key);
    list = allow_list_read(bytes_of(text), "allow", reason);
    ck_assert_ptr_nonnull(list);
}

static void teardown(void)
{
    allow_list_destroy(&list);
}

static void ask_as(const char *key, const char *domain)
{
    const struct bytes all[ZAP_ASK_FRAMES] = {
        bytes_of("1.0"), bytes_of("1"),     bytes_of(domain), bytes_of("192.0.2.7"),
        bytes_of(""),    bytes_of("CURVE"), {raw, sizeof raw}};
    ck_assert_ptr_nonnull(zmq_z85_decode((uint8_t *)raw, key));
    memcpy(frames, all, sizeof all);
}

static enum handshake verdict_of(const char *key, const char *domain)
{
    struct zap_ask ask;
    ask_as(key, domain);
    ck_assert(zap_read(frames, ZAP_ASK_FRAMES, &ask));
    ck_assert_str_eq(ask.key, key);
    return zap_judge(&ask, list);
}

START_TEST(a_key_is_let_in_where_its_kind_belongs)
{
    char other[41];
    ck_assert_int_eq(zmq_curve_keypair(other, secret_key), 0);
    ck_assert_int_eq(verdict_of(client_key, DOMAIN_CLIENT), HANDSHAKE_GOOD);
    ck_assert_int_eq(verdict_of(client_key, DOMAIN_WORKER), HANDSHAKE_DOMAIN);
    ck_assert_int_eq(verdict_of(worker_key, DOMAIN_CLIENT), HANDSHAKE_GOOD);
    ck_assert_int_eq(verdict_of(worker_key, DOMAIN_WORKER), HANDSHAKE_GOOD);
    ck_assert_int_eq(verdict_of(worker_key, "fact.other"), HANDSHAKE_DOMAIN);
    ck_assert_int_eq(verdict_of(worker_key, ""), HANDSHAKE_DOMAIN);
    ck_assert_int_eq(verdict_of(other, DOMAIN_CLIENT), HANDSHAKE_KEY);
}
END_TEST

START_TEST(the_answer_names_the_key_and_nothing_else_does)
{
    struct zap_ask ask;
    struct bytes answer[ZAP_SAY_FRAMES];
    ask_as(client_key, DOMAIN_CLIENT);
    ck_assert(zap_read(frames, ZAP_ASK_FRAMES, &ask));
    zap_answer(&ask, HANDSHAKE_GOOD, answer);
    ck_assert(bytes_are(answer[0], "1.0"));
    ck_assert(bytes_are(answer[1], "1"));
    ck_assert(bytes_are(answer[2], "200"));
    ck_assert(bytes_are(answer[4], client_key));
    zap_answer(&ask, HANDSHAKE_KEY, answer);
    ck_assert(bytes_are(answer[2], "400"));
    ck_assert(bytes_are(answer[4], ""));
}
END_TEST

START_TEST(a_question_that_is_not_whole_is_none)
{
    struct zap_ask ask;
    for (size_t count = 0; count < ZAP_ASK_FRAMES; count++) {
        ask_as(client_key, DOMAIN_CLIENT);
        ck_assert(!zap_read(frames, count, &ask));
    }
    ck_assert(!zap_read(frames, ZAP_ASK_FRAMES + 1, &ask));
    const struct {
        size_t frame;
        struct bytes bytes;
    } wrong[] = {{0, bytes_of("2.0")}, {0, {0}}, {5, bytes_of("PLAIN")},   {5, {0}},
                 {6, {raw, 31}},       {6, {0}}, {6, bytes_of(client_key)}};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        ask_as(client_key, DOMAIN_CLIENT);
        frames[wrong[i].frame] = wrong[i].bytes;
        ck_assert(!zap_read(frames, ZAP_ASK_FRAMES, &ask));
    }
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_key_is_let_in_where_its_kind_belongs);
    tcase_add_test(tcase, the_answer_names_the_key_and_nothing_else_does);
    tcase_add_test(tcase, a_question_that_is_not_whole_is_none);
}

int main(void)
{
    return suite_run("zap", add_tests);
}
