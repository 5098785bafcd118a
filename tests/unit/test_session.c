/* test_session - a session and the other side, in virtual time: whatever is lost, late or sent
 * away, each question ends exactly once; no more leaves than was granted; order is kept; what is
 * ready together leaves together. */
#include "protocol/session.h"

#include <string.h>

#include "tests/support/suite.h"

#define ASKS_MAX_HERE 64u
#define WAITING_BYTES_MAX 100000u
#define TAGS 4096u
#define HEARTBEAT_MS 1000
#define DEAD_MS 3000
#define LARGE 40000u
#define START_AT (5 * US_PER_S)

static struct {
    struct session *session;
    int64_t now_at;
    bool worker;
    unsigned ups, downs, refusals, pairs_in;
    unsigned ends[TAGS], pieces[TAGS];
    enum status status[TAGS];
    enum executed executed[TAGS];
    struct header last_in;

    /* The other side. */
    unsigned messages, pairs, hellos, readys, requests, cancels, beats;
    uint64_t ids[TAGS]; /* of requests received and not answered */
    uint32_t deadlines[TAGS];
    unsigned held;
    uint32_t granted, received;
    uint32_t credit_in; /* of the last reply that came */
    enum command first_command;
    char bytes[MESSAGE_BYTES_MAX];
    struct pairs_buffer out;
} world;

static char large[LARGE];

static void on_up(void *self, const struct msg_welcome *welcome)
{
    (void)self;
    ck_assert_uint_eq(welcome->dead_ms, DEAD_MS);
    world.ups++;
}

static void on_down(void *self, const char *reason)
{
    (void)self;
    ck_assert_ptr_nonnull(reason);
    world.downs++;
}

static void on_refused(void *self, enum status status, struct bytes reason)
{
    (void)self;
    (void)reason;
    ck_assert_int_ne(status, STATUS_NO_ROLE);
    world.refusals++;
}

static void on_answer(void *self, uint64_t tag, const struct header *header, struct bytes body)
{
    (void)self;
    ck_assert(header->status <= STATUS_CANCELLED || body.size > 0);
    ck_assert_uint_lt(tag, TAGS);
    world.ends[tag]++;
    world.status[tag] = header->status;
    world.executed[tag] = header->executed;
}

static void on_partial(void *self, uint64_t tag, const struct header *header, struct bytes body)
{
    (void)self, (void)header;
    ck_assert_uint_lt(tag, TAGS);
    ck_assert_uint_eq(world.ends[tag], 0);
    ck_assert(bytes_are(body, "piece"));
    world.pieces[tag]++;
}

static void on_pair(void *self, const struct pair *pair)
{
    (void)self;
    world.last_in = pair->header;
    world.pairs_in++;
}

static uint32_t write_ready(void *self, struct writer *writer)
{
    (void)self;
    struct msg_ready ready = {.methods = bytes_of("\x90"), .concurrency = 7};
    ck_assert_int_eq(message_write(MSG_READY, &ready, writer), STATUS_OK);
    return 7;
}

static void open_session(bool worker)
{
    struct session_owner owner = {.on_up = on_up,
                                  .on_down = on_down,
                                  .on_refused = on_refused,
                                  .on_answer = on_answer,
                                  .on_partial = on_partial,
                                  .on_pair = on_pair,
                                  .write_ready = write_ready};
    struct session_config config = {.role = worker ? ROLE_DRIVER : ROLE_CLIENT,
                                    .id = "0123456789abcde",
                                    .instance = bytes_of("c1"),
                                    .version = bytes_of("t"),
                                    .worker = worker,
                                    .asks_max = ASKS_MAX_HERE,
                                    .waiting_bytes_max = WAITING_BYTES_MAX,
                                    .grace_us = 5000};
    memset(&world, 0, sizeof world);
    world.now_at = START_AT;
    world.out.data = world.bytes;
    world.session = session_new(&config, &owner, world.now_at);
}

static void setup(void)
{
    open_session(false);
}

static void teardown(void)
{
    session_destroy(&world.session);
    ck_assert_ptr_null(world.session);
}

static void say(struct header header, struct bytes body)
{
    char head[PAIR_HEAD_BYTES_MAX];
    struct bytes encoded = {head, pairs_encode_head(&header, body, head)};
    ck_assert(pairs_append(&world.out, encoded, body));
}

static void deliver(void)
{
    if (world.out.count > 0)
        session_take(world.session, pairs_flush(&world.out), world.now_at);
}

static void welcome(void)
{
    char bytes[CONTROL_BYTES_MAX];
    struct bytes body;
    struct msg_welcome message = {.instance = bytes_of("b1"),
                                  .generation = 9,
                                  .heartbeat_ms = HEARTBEAT_MS,
                                  .dead_ms = DEAD_MS,
                                  .lease_ms = 1,
                                  .body_max = 1,
                                  .message_max = 1};
    ck_assert_int_eq(message_encode(MSG_WELCOME, &message, bytes, sizeof bytes, &body), STATUS_OK);
    world.received = 0;
    say((struct header){.command = COMMAND_WELCOME, .credit = world.granted}, body);
    deliver();
}

static void take_pair(const struct pair *pair)
{
    const struct header *header = &pair->header;
    ck_assert_int_eq(pair->status, STATUS_OK);
    world.pairs++;
    world.hellos += header->command == COMMAND_HELLO;
    world.readys += header->command == COMMAND_READY;
    world.cancels += header->command == COMMAND_CANCEL;
    world.beats += header->command == COMMAND_HEARTBEAT;
    world.credit_in = header->command == COMMAND_REPLY ? header->credit : world.credit_in;
    if (header->command != COMMAND_REQUEST && header->command != COMMAND_QUERY)
        return;
    world.received += header->command == COMMAND_REQUEST;
    world.requests++;
    ck_assert_int_le((int32_t)(world.received - world.granted), 0);
    world.deadlines[world.held] = header->deadline_ms;
    world.ids[world.held++] = header->id;
}

/* Carry all that leaves to the other side. */
static void carry(void)
{
    struct bytes message;
    while ((message = session_outgoing(world.session, world.now_at)).data != NULL) {
        struct pairs pairs = pairs_over(message);
        struct pair pair;
        world.messages++;
        while (pairs_next(&pairs, &pair)) {
            if (pairs.count == 1)
                world.first_command = pair.header.command;
            take_pair(&pair);
        }
        ck_assert(!pairs.broken);
        session_sent(world.session);
    }
}

static enum status ask(uint64_t tag, enum command command, int64_t in_ms)
{
    struct header header = {.command = command,
                            .class = CLASS_CRITICAL,
                            .role = ROLE_DRIVER,
                            .method = bytes_of("query")};
    return session_ask(world.session, &header, bytes_of("body"), world.now_at + in_ms * US_PER_MS,
                       tag, world.now_at);
}

static void answer(unsigned at)
{
    ck_assert_uint_lt(at, world.held);
    say((struct header){.command = COMMAND_REPLY, .id = world.ids[at], .credit = ++world.granted},
        bytes_of("answer"));
    world.held--;
    world.ids[at] = world.ids[world.held];
    world.deadlines[at] = world.deadlines[world.held];
}

static void greet(uint32_t granted)
{
    world.granted = granted;
    carry();
    welcome();
    carry();
    ck_assert_int_eq(session_state(world.session), SESSION_UP);
}

START_TEST(it_greets_first_and_asks_within_its_credit)
{
    for (uint64_t tag = 0; tag < 5; tag++)
        ck_assert_int_eq(ask(tag, COMMAND_REQUEST, 100), STATUS_OK);
    carry();
    ck_assert_int_eq(world.first_command, COMMAND_HELLO);
    ck_assert_uint_eq(world.requests, 0);
    world.now_at += 10 * US_PER_MS;
    greet(2);
    ck_assert_uint_eq(world.requests, 2);
    ck_assert_uint_eq(world.deadlines[0], 90); /* what is left when it leaves */
    answer(0);
    deliver();
    carry();
    ck_assert_uint_eq(world.requests, 3);
    say((struct header){.command = COMMAND_CREDIT, .credit = 10}, (struct bytes){0});
    world.granted = 10;
    deliver();
    carry();
    ck_assert_uint_eq(world.requests, 5);
    ck_assert_uint_eq(world.ends[0], 1);
    ck_assert_int_eq(world.status[0], STATUS_OK);
}
END_TEST

START_TEST(questions_to_the_broker_need_no_credit)
{
    greet(0);
    ck_assert_int_eq(ask(1, COMMAND_REQUEST, 100), STATUS_OK);
    session_cancel(world.session, 1);
    ck_assert_int_eq(ask(2, COMMAND_QUERY, 100), STATUS_OK);
    carry();
    ck_assert_uint_eq(world.requests, 1);
    ck_assert_uint_eq(world.cancels, 0); /* it had not left */
}
END_TEST

START_TEST(what_is_ready_together_leaves_together)
{
    greet(32);
    unsigned before = world.messages;
    for (uint64_t tag = 0; tag < 32; tag++)
        ck_assert_int_eq(ask(tag, COMMAND_REQUEST, 100), STATUS_OK);
    carry();
    ck_assert_uint_eq(world.messages, before + 1);
    ck_assert_uint_eq(world.requests, 32);
}
END_TEST

START_TEST(a_large_question_travels_alone_and_overtakes_nothing)
{
    greet(32);
    unsigned before = world.messages;
    struct header header = {.command = COMMAND_REQUEST, .method = bytes_of("m")};
    ck_assert_int_eq(ask(0, COMMAND_REQUEST, 100), STATUS_OK);
    ck_assert_int_eq(session_ask(world.session, &header, (struct bytes){large, LARGE},
                                 world.now_at + US_PER_S, 1, world.now_at),
                     STATUS_OK);
    ck_assert_int_eq(ask(2, COMMAND_REQUEST, 100), STATUS_OK);
    carry();
    ck_assert_uint_eq(world.messages, before + 3);
    ck_assert_uint_lt(world.ids[0], world.ids[1]);
    ck_assert_uint_lt(world.ids[1], world.ids[2]);
}
END_TEST

/* Only of what has left and has no end yet. */
START_TEST(pieces_of_an_answer_come_before_its_end)
{
    struct header piece = {.command = COMMAND_PARTIAL, .id = 1};
    say(piece, bytes_of("piece"));
    deliver();
    carry();
    world.granted = 1;
    welcome();
    ck_assert_int_eq(ask(1, COMMAND_REQUEST, 1000), STATUS_OK);
    ck_assert_int_eq(ask(2, COMMAND_REQUEST, 1000), STATUS_OK); /* waits for credit */
    carry();
    say(piece, bytes_of("piece"));
    say(piece, bytes_of("piece"));
    piece.id = 2;
    say(piece, bytes_of("piece"));
    say((struct header){.command = COMMAND_REPLY, .id = 1, .credit = 1}, (struct bytes){0});
    piece.id = 1;
    say(piece, bytes_of("piece"));
    deliver();
    ck_assert_uint_eq(world.pieces[1], 2);
    ck_assert_uint_eq(world.pieces[2], 0);
    ck_assert_uint_eq(world.ends[1], 1);
}
END_TEST

START_TEST(a_deadline_says_how_far_the_question_came)
{
    greet(1);
    ck_assert_int_eq(ask(0, COMMAND_REQUEST, 100), STATUS_OK);
    ck_assert_int_eq(ask(1, COMMAND_REQUEST, 100), STATUS_OK);
    ck_assert_int_eq(ask(2, COMMAND_REQUEST, 0), STATUS_DEADLINE_QUEUED);
    carry();
    ck_assert_int_eq(session_due_at(world.session), world.now_at + 100 * US_PER_MS);
    world.now_at += 100 * US_PER_MS;
    session_tick(world.session, world.now_at);
    ck_assert_uint_eq(world.ends[0], 0); /* the other side may still say it better */
    ck_assert_int_eq(world.status[1], STATUS_DEADLINE_QUEUED);
    ck_assert_int_eq(world.executed[1], EXECUTED_NO);
    world.now_at += 5 * US_PER_MS;
    session_tick(world.session, world.now_at);
    ck_assert_int_eq(world.status[0], STATUS_DEADLINE_RUNNING);
    ck_assert_int_eq(world.executed[0], EXECUTED_MAYBE);
    carry();
    ck_assert_uint_eq(world.cancels, 1);
    answer(0); /* too late */
    deliver();
    ck_assert_uint_eq(world.ends[0], 1);
    ck_assert_uint_eq(session_counts(world.session)->late_answers, 1);
}
END_TEST

/* Credit that comes too late for it sends it nowhere. */
START_TEST(what_is_late_does_not_leave)
{
    greet(1);
    ck_assert_int_eq(ask(0, COMMAND_REQUEST, 5000), STATUS_OK);
    ck_assert_int_eq(ask(1, COMMAND_REQUEST, 100), STATUS_OK);
    carry();
    world.now_at += 200 * US_PER_MS;
    answer(0); /* with credit for one more */
    deliver();
    ck_assert_uint_eq(world.ends[0], 1);
    ck_assert_uint_eq(world.ends[1], 1);
    ck_assert_int_eq(world.status[1], STATUS_DEADLINE_QUEUED);
    ck_assert_int_eq(world.executed[1], EXECUTED_NO);
    ck_assert_ptr_null(session_outgoing(world.session, world.now_at).data);
}
END_TEST

START_TEST(silence_ends_what_had_left_and_keeps_what_had_not)
{
    greet(1);
    ck_assert_int_eq(ask(0, COMMAND_REQUEST, 60000), STATUS_OK);
    ck_assert_int_eq(ask(1, COMMAND_REQUEST, 60000), STATUS_OK);
    carry();
    for (int i = 0; i < 2 * DEAD_MS; i += 10) {
        world.now_at += 10 * US_PER_MS;
        session_tick(world.session, world.now_at);
        if (world.downs == 0)
            carry();
    }
    ck_assert_uint_ge(world.beats, 2);
    ck_assert_uint_eq(world.downs, 1);
    ck_assert_int_eq(world.status[0], STATUS_WORKER_LOST);
    ck_assert_int_eq(world.executed[0], EXECUTED_MAYBE);
    ck_assert_uint_eq(world.ends[1], 0);
    world.held = 0;
    greet(1);
    ck_assert_uint_eq(world.held, 1);
    answer(0);
    deliver();
    ck_assert_uint_eq(world.ends[1], 1);
    ck_assert_int_eq(world.status[1], STATUS_OK);
}
END_TEST

/* Whoever restarted does not know us: greet again, but not in a storm. */
START_TEST(sent_away_it_greets_again)
{
    greet(1);
    for (int i = 0; i < 100; i++) {
        say((struct header){.command = COMMAND_DISCONNECT, .status = STATUS_NO_ROLE},
            (struct bytes){0});
        deliver();
        carry();
    }
    ck_assert_uint_eq(world.hellos, 1);
    ck_assert_uint_eq(world.downs, 1);
    world.now_at = session_due_at(world.session);
    ck_assert_int_le(world.now_at, START_AT + 100 * US_PER_MS);
    greet(1);
    ck_assert_uint_eq(world.hellos, 2);
    ck_assert_uint_eq(world.ups, 2);
}
END_TEST

START_TEST(refused_it_ends_everything_and_stays_away)
{
    greet(1);
    ck_assert_int_eq(ask(0, COMMAND_REQUEST, 100), STATUS_OK);
    ck_assert_int_eq(ask(1, COMMAND_REQUEST, 100), STATUS_OK);
    carry();
    say((struct header){.command = COMMAND_DISCONNECT, .status = STATUS_VERSION},
        (struct bytes){0});
    deliver();
    ck_assert_uint_eq(world.refusals, 1);
    ck_assert_int_eq(world.status[0], STATUS_WORKER_LOST);
    ck_assert_int_eq(world.status[1], STATUS_VERSION);
    ck_assert_int_eq(ask(2, COMMAND_REQUEST, 100), STATUS_CANCELLED);
    ck_assert_ptr_null(session_outgoing(world.session, world.now_at + US_PER_S).data);
    ck_assert_int_eq(session_due_at(world.session), INT64_MAX);
}
END_TEST

START_TEST(a_worker_says_ready_with_its_greeting_and_grants_with_each_reply)
{
    session_destroy(&world.session);
    open_session(true);
    greet(1);
    ck_assert_uint_eq(world.readys, 1);
    ck_assert_int_eq(world.first_command, COMMAND_HELLO);
    say((struct header){.command = COMMAND_REQUEST, .id = 77, .deadline_ms = 1, .class = 1},
        bytes_of("x"));
    deliver();
    ck_assert_uint_eq(world.pairs_in, 1);
    ck_assert_uint_eq(world.last_in.id, 77);
    uint32_t connection = session_connection(world.session);
    struct header reply = {.command = COMMAND_REPLY, .id = 77};
    ck_assert_int_eq(session_reply(world.session, connection, &reply, bytes_of("y"), true),
                     STATUS_OK);
    carry();
    ck_assert_uint_eq(world.credit_in, 8); /* 7 of READY, and one */
    unsigned before = world.pairs;
    session_lost(world.session, "gone", world.now_at);
    world.now_at += US_PER_S;
    greet(1);
    ck_assert_uint_eq(world.pairs, before + 2); /* HELLO, READY */
    ck_assert_int_eq(session_reply(world.session, connection, &reply, bytes_of("y"), true),
                     STATUS_OK);
    ck_assert_ptr_null(session_outgoing(world.session, world.now_at).data); /* nobody waits */
}
END_TEST

START_TEST(what_a_worker_offers_anew_is_said_though_welcome_has_not_come)
{
    session_destroy(&world.session);
    open_session(true);
    session_say_ready(world.session); /* the greeting will say it */
    carry();
    ck_assert_uint_eq(world.readys, 1);
    session_say_ready(world.session); /* the greeting has left */
    carry();
    ck_assert_uint_eq(world.readys, 2);
    ck_assert_int_eq(session_state(world.session), SESSION_GREETING);
    welcome();
    carry();
    ck_assert_uint_eq(world.readys, 2);
    session_say_ready(world.session);
    carry();
    ck_assert_uint_eq(world.readys, 3);
}
END_TEST

START_TEST(each_bound_refuses)
{
    struct header header = {.command = COMMAND_REQUEST, .method = bytes_of("m")};
    int64_t deadline_at = world.now_at + US_PER_S;
    for (uint64_t tag = 0; tag < 2; tag++)
        ck_assert_int_eq(session_ask(world.session, &header, (struct bytes){large, LARGE},
                                     deadline_at, tag, world.now_at),
                         STATUS_OK);
    ck_assert_int_eq(session_ask(world.session, &header, (struct bytes){large, LARGE}, deadline_at,
                                 2, world.now_at),
                     STATUS_BUSY_FULL);
    for (uint64_t tag = 2; tag < ASKS_MAX_HERE; tag++)
        ck_assert_int_eq(ask(tag, COMMAND_REQUEST, 100), STATUS_OK);
    ck_assert_int_eq(ask(ASKS_MAX_HERE, COMMAND_REQUEST, 100), STATUS_BUSY_FULL);
    ck_assert_uint_eq(session_asks(world.session), ASKS_MAX_HERE);
    ck_assert(session_cancel(world.session, 0));
    ck_assert_int_eq(ask(ASKS_MAX_HERE, COMMAND_REQUEST, 100), STATUS_OK);
    ck_assert(!session_cancel(world.session, 0));
    ck_assert_int_eq(session_ask(world.session, &header,
                                 (struct bytes){large, PAIR_BODY_BYTES_MAX + 1}, deadline_at, 0,
                                 world.now_at),
                     STATUS_TOO_LARGE);
}
END_TEST

/* Random questions, answers, losses, refusals to know, pauses and cancels: one end each. */
START_TEST(each_question_ends_once)
{
    uint64_t seed = (uint64_t)_i + 1, next_tag = 0;
    bool asked[TAGS] = {false}, cancelled[TAGS] = {false};
    for (int step = 0; step < 20000; step++) {
        uint64_t choice = random_next(&seed) % 64;
        world.now_at += (int64_t)(random_next(&seed) % 2000);
        if (choice < 24 && next_tag < TAGS) {
            enum command command = random_next(&seed) % 4 ? COMMAND_REQUEST : COMMAND_QUERY;
            asked[next_tag] =
                ask(next_tag, command, 1 + (int64_t)(random_next(&seed) % 200)) == STATUS_OK;
            next_tag++;
        } else if (choice < 48 && world.held > 0) {
            answer((unsigned)(random_next(&seed) % world.held));
        } else if (choice < 50 && next_tag > 0) {
            uint64_t tag = random_next(&seed) % next_tag;
            cancelled[tag] |= session_cancel(world.session, tag);
        } else if (choice == 50 && random_next(&seed) % 16 == 0) {
            session_lost(world.session, "lost", world.now_at);
            world.held = 0;
            world.granted = (uint32_t)(random_next(&seed) % 8);
            (void)pairs_flush(&world.out);
        } else if (choice < 56) {
            deliver();
        }
        if (session_state(world.session) == SESSION_GREETING && choice == 60)
            welcome();
        session_tick(world.session, world.now_at);
        carry();
    }
    world.now_at += 10 * US_PER_S;
    session_tick(world.session, world.now_at);
    ck_assert_uint_eq(session_asks(world.session), 0);
    for (uint64_t tag = 0; tag < next_tag; tag++)
        ck_assert_uint_eq(world.ends[tag], asked[tag] && !cancelled[tag]);
    ck_assert_uint_gt(next_tag, 1000);
    ck_assert_uint_gt(session_counts(world.session)->answered,
                      100); /* the load is one that tells */
    ck_assert_uint_gt(session_counts(world.session)->lost, 0);
    ck_assert_uint_gt(session_counts(world.session)->timed_out, 0);
}
END_TEST

START_TEST(random_bytes_do_no_harm)
{
    uint64_t seed = 3;
    greet(8);
    for (int round = 0; round < 20000; round++) {
        size_t size = random_next(&seed) % 96;
        char *bytes = malloc(size + 1);
        say((struct header){.command = 1 + random_next(&seed) % (COMMAND_COUNT - 1),
                            .id = random_next(&seed) % 4,
                            .status = random_next(&seed) % STATUS_COUNT,
                            .class = 1,
                            .deadline_ms = 1},
            bytes_of("\x81\xa1k\x01"));
        struct bytes good = pairs_flush(&world.out);
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (char)(random_next(&seed) % 256);
            if (i < good.size && random_next(&seed) % 8 > 0)
                bytes[i] = good.data[i];
        }
        session_take(world.session, (struct bytes){bytes, size}, world.now_at);
        free(bytes);
        if (session_state(world.session) == SESSION_REFUSED) {
            teardown();
            open_session(false);
            greet(8);
        }
        world.now_at += US_PER_MS;
        session_tick(world.session, world.now_at);
        world.granted = UINT32_MAX / 4; /* may have been forged */
        carry();
        world.held = 0;
    }
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, it_greets_first_and_asks_within_its_credit);
    tcase_add_test(tcase, questions_to_the_broker_need_no_credit);
    tcase_add_test(tcase, what_is_ready_together_leaves_together);
    tcase_add_test(tcase, a_large_question_travels_alone_and_overtakes_nothing);
    tcase_add_test(tcase, pieces_of_an_answer_come_before_its_end);
    tcase_add_test(tcase, a_deadline_says_how_far_the_question_came);
    tcase_add_test(tcase, what_is_late_does_not_leave);
    tcase_add_test(tcase, silence_ends_what_had_left_and_keeps_what_had_not);
    tcase_add_test(tcase, sent_away_it_greets_again);
    tcase_add_test(tcase, refused_it_ends_everything_and_stays_away);
    tcase_add_test(tcase, a_worker_says_ready_with_its_greeting_and_grants_with_each_reply);
    tcase_add_test(tcase, what_a_worker_offers_anew_is_said_though_welcome_has_not_come);
    tcase_add_test(tcase, each_bound_refuses);
    tcase_add_loop_test(tcase, each_question_ends_once, 0, 8);
    tcase_add_test(tcase, random_bytes_do_no_harm);
}

int main(void)
{
    return suite_run("session", add_tests);
}
