/* test_server - whoever connects: a stranger is told to greet and nothing else; a peer that has
 * greeted is welcomed, served within its credit, told of its faults and sent away after too many,
 * forgotten when silent or gone; no bytes do more than that. */
#include <string.h>

#include "actors/runtime/held.h"
#include "actors/runtime/numbers.h"
#include "actors/runtime/server.h"
#include "tests/support/suite.h"

#define CREDIT 3u
#define PEERS 8u
#define START_AT (100 * US_PER_S)

static struct server *server;
static int64_t now_at;
static unsigned requests, cancels, queries, gone;
static uint64_t last_gone;
static bool answers;        /* a request is answered at once */
static enum status sending; /* what sending returns */

/* What was sent since the last look, of any peer, pair by pair. */
static struct {
    uint64_t peer;
    enum command command;
    uint64_t id;
    enum status status;
    uint32_t credit;
} sent[4096];
static unsigned sent_count, message_count;

static void on_request(void *self, uint64_t peer, const struct pair *pair)
{
    (void)self;
    struct header reply = {.command = COMMAND_REPLY, .id = pair->header.id};
    requests++;
    if (answers)
        ck_assert_int_eq(server_reply(server, peer, &reply, pair->body, true), STATUS_OK);
}

static void on_cancel(void *self, uint64_t peer, uint64_t id)
{
    (void)self, (void)peer;
    cancels += id == 9;
}

static void on_query(void *self, uint64_t peer, const struct pair *pair)
{
    (void)self;
    struct header reply = {.command = COMMAND_REPLY, .id = pair->header.id};
    queries++;
    ck_assert_int_eq(server_reply(server, peer, &reply, (struct bytes){0}, false), STATUS_OK);
}

static void on_gone(void *self, uint64_t peer)
{
    (void)self;
    gone++;
    last_gone = peer;
}

static enum status on_send(void *self, uint64_t peer, struct bytes message)
{
    (void)self;
    struct pairs pairs = pairs_over(message);
    struct pair pair;
    message_count++;
    while (sending == STATUS_OK && pairs_next(&pairs, &pair)) {
        ck_assert_int_eq(pair.status, STATUS_OK);
        ck_assert_uint_lt(sent_count, sizeof sent / sizeof sent[0]);
        sent[sent_count].peer = peer;
        sent[sent_count].command = pair.header.command;
        sent[sent_count].id = pair.header.id;
        sent[sent_count].status = pair.header.status;
        sent[sent_count++].credit = pair.header.credit;
    }
    ck_assert(sending != STATUS_OK || !pairs.broken);
    return sending;
}

static void setup(void)
{
    struct server_config config = {{"c1", 2}, 5, PEERS, CREDIT};
    struct server_owner owner = {NULL, on_request, on_cancel, on_query, on_gone, on_send};
    server = server_new(&config, &owner);
    now_at = START_AT;
    requests = cancels = queries = gone = sent_count = message_count = 0;
    answers = true;
    sending = STATUS_OK;
}

static void teardown(void)
{
    server_destroy(&server);
    ck_assert_ptr_null(server);
}

/* From an exact-sized heap buffer; then what is to be sent is sent. */
static void take(uint64_t peer, struct bytes message)
{
    char *copy = malloc(message.size + 1);
    memcpy(copy + 1, message.data, message.size);
    sent_count = message_count = 0;
    ck_assert_uint_ge(server_take(server, peer, (struct bytes){copy + 1, message.size}, now_at), 1);
    free(copy);
    server_flush(server);
}

static size_t encode(const struct header *header, struct bytes body, char *out)
{
    size_t size = pairs_encode_head(header, body, out);
    if (body.size > 0)
        memcpy(out + size, body.data, body.size);
    return size + body.size;
}

static void say(uint64_t peer, const struct header *header, struct bytes body)
{
    char room[PAIR_HEAD_BYTES_MAX + 1024];
    take(peer, (struct bytes){room, encode(header, body, room)});
}

static struct bytes hello(char *room, const char *session, uint64_t version_max)
{
    struct bytes body;
    struct msg_hello message = {.session = {session, 16},
                                .instance = {"d", 1},
                                .protocol_min = version_max,
                                .protocol_max = version_max};
    ck_assert_int_eq(message_encode(MSG_HELLO, &message, room, 512, &body), STATUS_OK);
    return body;
}

static const struct header hello_header = {
    .command = COMMAND_HELLO, .class = CLASS_CRITICAL, .role = ROLE_DRIVER};

static void greet(uint64_t peer)
{
    char room[512], session[16] = "session";
    session[15] = (char)peer;
    say(peer, &hello_header, hello(room, session, 1));
}

static void ask(uint64_t peer, uint64_t id)
{
    say(peer,
        &(struct header){.command = COMMAND_REQUEST,
                         .id = id,
                         .deadline_ms = 100,
                         .class = CLASS_CRITICAL,
                         .role = ROLE_CACHE_PARTITION,
                         .method = {"get", 3}},
        (struct bytes){"\x80", 1});
}

static void expect(enum command command, enum status status)
{
    ck_assert_uint_eq(sent_count, 1);
    ck_assert_int_eq(sent[0].command, command);
    ck_assert_str_eq(statuses[sent[0].status].name, statuses[status].name);
}

START_TEST(a_peer_is_welcomed_and_served)
{
    greet(1);
    expect(COMMAND_WELCOME, STATUS_OK);
    ck_assert_uint_eq(sent[0].credit, CREDIT);
    for (uint32_t i = 1; i <= 10; i++) {
        ask(1, i);
        expect(COMMAND_REPLY, STATUS_OK);
        ck_assert_uint_eq(sent[0].id, i);
        ck_assert_uint_eq(sent[0].credit, CREDIT + i);
    }
    say(1, &(struct header){.command = COMMAND_CANCEL, .id = 9, .class = 1}, (struct bytes){0});
    say(1,
        &(struct header){
            .command = COMMAND_QUERY, .id = 11, .class = 1, .role = 3, .method = {"metrics", 7}},
        (struct bytes){"\x80", 1});
    expect(COMMAND_REPLY, STATUS_OK);
    ck_assert_uint_eq(sent[0].credit, CREDIT + 10);
    ck_assert_uint_eq(requests + cancels + queries, 12);
    ck_assert_uint_eq(server_count(server), 1);
}
END_TEST

START_TEST(a_stranger_is_told_to_greet)
{
    ask(4, 1);
    expect(COMMAND_DISCONNECT, STATUS_NO_ROLE);
    ck_assert_uint_eq(sent[0].peer, 4);
    ck_assert_uint_eq(requests, 0);
    ck_assert_uint_eq(server_count(server), 0);
}
END_TEST

START_TEST(hello_and_requests_may_share_a_message)
{
    char message[2048], room[512];
    size_t size = encode(&hello_header, hello(room, "0123456789abcdef", 1), message);
    struct header request = {.command = COMMAND_REQUEST,
                             .id = 1,
                             .deadline_ms = 100,
                             .class = CLASS_CRITICAL,
                             .role = ROLE_CACHE_PARTITION,
                             .method = {"get", 3}};
    size += encode(&request, (struct bytes){"\x80", 1}, message + size);
    take(2, (struct bytes){message, size});
    ck_assert_uint_eq(sent_count, 2);
    ck_assert_uint_eq(message_count, 1); /* and so do their answers */
    ck_assert_int_eq(sent[1].command, COMMAND_REPLY);
}
END_TEST

START_TEST(beyond_its_credit_a_peer_is_refused)
{
    answers = false;
    greet(1);
    for (uint64_t i = 1; i <= CREDIT; i++)
        ask(1, i);
    ck_assert_uint_eq(sent_count, 0);
    ask(1, 4);
    expect(COMMAND_REPLY, STATUS_BUSY_FULL);
    ck_assert_uint_eq(requests, CREDIT);
    struct header reply = {.command = COMMAND_REPLY, .id = 1};
    ck_assert_int_eq(server_reply(server, 1, &reply, (struct bytes){0}, true), STATUS_OK);
    ask(1, 5);
    ck_assert_uint_eq(requests, CREDIT + 1);
}
END_TEST

START_TEST(a_bad_hello_is_refused_and_may_come_again)
{
    char room[512];
    say(1, &hello_header, hello(room, "0123456789abcdef", 2));
    expect(COMMAND_DISCONNECT, STATUS_VERSION);
    say(1, &hello_header, (struct bytes){"\x80", 1});
    expect(COMMAND_DISCONNECT, STATUS_BAD_REQUEST);
    greet(1);
    expect(COMMAND_WELCOME, STATUS_OK);
}
END_TEST

START_TEST(the_newer_connection_of_a_session_wins)
{
    char room[512];
    struct bytes body = hello(room, "0123456789abcdef", 1);
    say(1, &hello_header, body);
    say(2, &hello_header, body);
    ck_assert_uint_eq(gone, 1);
    ck_assert_uint_eq(last_gone, 1);
    ck_assert_uint_eq(sent_count, 2);
    ck_assert_int_eq(sent[0].command, COMMAND_WELCOME);
    ck_assert_int_eq(sent[1].command, COMMAND_DISCONNECT);
    ck_assert_uint_eq(sent[1].peer, 1);
    say(2, &hello_header, body); /* again on the same one: anew */
    expect(COMMAND_WELCOME, STATUS_OK);
    ck_assert_uint_eq(server_count(server), 1);
}
END_TEST

START_TEST(who_finds_no_place_hears_nothing)
{
    for (uint64_t peer = 1; peer <= PEERS; peer++)
        greet(peer);
    ck_assert_uint_eq(server_count(server), PEERS);
    greet(PEERS + 1);
    ck_assert_uint_eq(sent_count, 0);
    ck_assert_uint_eq(server_counts(server)->refused, 1);
    for (uint64_t peer = 1; peer <= PEERS; peer++) {
        ask(peer, 1);
        expect(COMMAND_REPLY, STATUS_OK);
    }
}
END_TEST

START_TEST(the_silent_are_forgotten_and_the_others_hear_a_beat)
{
    greet(1);
    greet(2);
    unsigned beats = 0;
    for (int i = 0; i < 40; i++) { /* 4 s */
        now_at += 100 * US_PER_MS;
        if (i % 10 == 0)
            say(2, &(struct header){.command = COMMAND_HEARTBEAT, .id = 1, .class = 1},
                (struct bytes){0});
        sent_count = 0;
        server_tick(server, now_at);
        server_flush(server);
        for (unsigned j = 0; j < sent_count; j++)
            beats += sent[j].peer == 2 && sent[j].command == COMMAND_HEARTBEAT;
    }
    ck_assert_uint_eq(gone, 1);
    ck_assert_uint_eq(last_gone, 1);
    ck_assert_uint_eq(server_count(server), 1);
    ck_assert_uint_ge(beats, 3);
    ck_assert_int_lt(server_due_at(server), now_at + US_PER_S);
}
END_TEST

START_TEST(who_leaves_or_cannot_be_reached_is_forgotten)
{
    greet(1);
    greet(2);
    say(1, &(struct header){.command = COMMAND_DISCONNECT, .status = STATUS_CANCELLED},
        (struct bytes){"\x80", 1});
    ck_assert_uint_eq(gone, 1);
    sending = STATUS_WORKER_LOST;
    ask(2, 1);
    ck_assert_uint_eq(gone, 2);
    ck_assert_uint_eq(server_count(server), 0);
}
END_TEST

START_TEST(what_a_peer_does_not_take_is_dropped_and_counted)
{
    greet(1);
    sending = STATUS_BUSY_FULL;
    ask(1, 1);
    ck_assert_uint_eq(server_counts(server)->dropped, 1);
    sending = STATUS_OK;
    ask(1, 2);
    expect(COMMAND_REPLY, STATUS_OK);
    ck_assert_uint_eq(sent[0].id, 2);
}
END_TEST

START_TEST(draining_it_takes_no_more)
{
    greet(1);
    server_drain(server);
    for (uint32_t i = 1; i <= 2 * CREDIT; i++) {
        ask(1, i);
        expect(COMMAND_REPLY, STATUS_DRAINING);
        ck_assert_uint_eq(sent[0].credit, CREDIT + i);
    }
    ck_assert_uint_eq(requests, 0);
}
END_TEST

/* Faults of one peer; another is served all the while. */
START_TEST(too_many_faults_send_a_peer_away)
{
    greet(1);
    greet(2);
    for (unsigned i = 0; i + 1 < STRIKES_MAX; i++) {
        take(1, (struct bytes){"\xc1", 1});
        expect(COMMAND_ERROR, STATUS_BAD_REQUEST);
    }
    take(1, (struct bytes){"\xc1", 1});
    ck_assert_uint_eq(gone, 1);
    ask(1, 1);
    expect(COMMAND_DISCONNECT, STATUS_NO_ROLE);
    ask(2, 1);
    expect(COMMAND_REPLY, STATUS_OK);
}
END_TEST

START_TEST(few_faults_are_forgiven_with_time)
{
    greet(1);
    for (unsigned i = 0; i < 4 * STRIKES_MAX; i++) {
        now_at += US_PER_S;
        take(1, (struct bytes){"\xc1", 1});
        expect(COMMAND_ERROR, STATUS_BAD_REQUEST);
    }
    ck_assert_uint_eq(gone, 0);
}
END_TEST

START_TEST(a_bad_request_is_answered_and_costs_no_credit)
{
    char message[1024];
    greet(1);
    struct header request = {.command = COMMAND_REQUEST,
                             .id = 7,
                             .deadline_ms = 100,
                             .class = CLASS_CRITICAL,
                             .role = ROLE_CACHE_PARTITION,
                             .method = {"get", 3}};
    size_t size = encode(&request, (struct bytes){"\x80", 1}, message);
    message[20] = '\x09'; /* class */
    for (unsigned i = 1; i < STRIKES_MAX; i++) {
        take(1, (struct bytes){message, size});
        expect(COMMAND_REPLY, STATUS_BAD_REQUEST);
        ck_assert_uint_eq(sent[0].id, 7);
        ck_assert_uint_eq(sent[0].credit, CREDIT + i);
    }
    ck_assert_uint_eq(requests, 0);
}
END_TEST

START_TEST(an_answer_to_a_reply_is_none)
{
    greet(1);
    say(1, &(struct header){.command = COMMAND_REPLY, .id = 7}, (struct bytes){0});
    ck_assert_uint_eq(sent_count, 0);
}
END_TEST

START_TEST(an_answer_above_the_bound_is_not_sent)
{
    char *large = calloc(1, PAIR_BODY_BYTES_MAX + 1);
    struct header reply = {.command = COMMAND_REPLY, .id = 1};
    greet(1);
    ck_assert_int_eq(
        server_reply(server, 1, &reply, (struct bytes){large, PAIR_BODY_BYTES_MAX + 1}, true),
        STATUS_TOO_LARGE);
    ck_assert_int_eq(
        server_reply(server, 1, &reply, (struct bytes){large, PAIR_BODY_BYTES_MAX}, true),
        STATUS_OK);
    sent_count = 0;
    server_flush(server);
    expect(COMMAND_REPLY, STATUS_OK);
    ck_assert_uint_eq(sent[0].credit, CREDIT + 1);
    free(large);
}
END_TEST

/* Seed 3. A good message, cut anywhere and with any bit flipped, from a stranger and from a peer.
 */
START_TEST(no_damage_does_more_than_a_fault)
{
    char message[2048], room[512];
    size_t size = encode(&hello_header, hello(room, "0123456789abcdef", 1), message);
    struct header request = {.command = COMMAND_REQUEST,
                             .id = 1,
                             .deadline_ms = 100,
                             .class = CLASS_CRITICAL,
                             .role = ROLE_CACHE_PARTITION,
                             .method = {"get", 3}};
    size += encode(&request, (struct bytes){"\x80", 1}, message + size);
    uint64_t seed = 3;
    for (size_t i = 0; i < size; i++)
        for (int bit = -1; bit < 8; bit++) {
            message[i] = (char)(message[i] ^ (bit < 0 ? 0 : 1 << bit));
            take(random_next(&seed) % PEERS, (struct bytes){message, bit < 0 ? i : size});
            message[i] = (char)(message[i] ^ (bit < 0 ? 0 : 1 << bit));
            now_at += US_PER_S;
        }
    ck_assert_uint_le(server_count(server), PEERS);
    greet(100);
    ask(100, 1);
    expect(COMMAND_REPLY, STATUS_OK);
}
END_TEST

START_TEST(who_is_turned_away_is_gone_and_may_greet_again)
{
    greet(100);
    sent_count = 0;
    server_turn_away(server, 200, "only drivers");
    ck_assert_uint_eq(server_count(server), 1);
    server_turn_away(server, 100, "only drivers");
    server_flush(server);
    ck_assert_uint_eq(sent_count, 2);
    ck_assert_uint_eq(sent[0].peer, 200);
    ck_assert_uint_eq(sent[1].peer, 100);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(sent[i].command, COMMAND_DISCONNECT);
        ck_assert_int_eq(sent[i].status, STATUS_NO_ROLE);
    }
    ck_assert_uint_eq(server_count(server), 0);
    ck_assert_uint_eq(gone, 1);
    ck_assert_uint_eq(server_counts(server)->refused, 2);
    greet(100);
    expect(COMMAND_WELCOME, STATUS_OK);
}
END_TEST

/* The table of held requests. */

START_TEST(a_request_is_held_until_it_is_taken_out_once)
{
    struct held *held = held_new(4096);
    struct held_request out;
    uint64_t seed = 5;
    for (uint64_t i = 0; i < 4096; i++)
        ck_assert_int_eq(
            held_add(held, &(struct held_request){.link = i % 3, .peer = i % 5, .id = i}),
            STATUS_OK);
    ck_assert_int_eq(held_add(held, &(struct held_request){.id = 9999}), STATUS_BUSY_FULL);
    ck_assert_int_eq(held_add(held, &(struct held_request){.link = 2, .peer = 2, .id = 2}),
                     STATUS_DUPLICATE_RUNNING);
    for (uint64_t n = 0; n < 20000; n++) {
        uint64_t i = random_next(&seed) % 4096;
        bool was_there = held_find(held, i % 3, i % 5, i) != NULL;
        ck_assert_int_eq(held_remove(held, i % 3, i % 5, i, &out), was_there);
        ck_assert(!was_there || out.id == i);
        ck_assert(!held_remove(held, i % 3, i % 5, i, &out));
        ck_assert(!held_remove(held, (i + 1) % 3, i % 5, i, &out));
    }
    while (held_remove_any(held, 1, 1, &out))
        ck_assert(out.link == 1 && out.peer == 1);
    for (uint64_t i = 0; i < 4096; i++)
        ck_assert(i % 3 != 1 || i % 5 != 1 || held_find(held, 1, 1, i) == NULL);
    held_destroy(&held);
}
END_TEST

START_TEST(a_gap_in_the_numbers_is_noticed)
{
    struct numbers numbers = {.begun = false};
    ck_assert(numbers_take(&numbers, 10, 0)); /* what was before is not known */
    ck_assert(!numbers_take(&numbers, 11, 7));
    ck_assert(!numbers_take(&numbers, 12, 0));
    ck_assert(!numbers_take(&numbers, 13, 7));
    ck_assert(numbers_take(&numbers, 15, 7));
    ck_assert(numbers_take(&numbers, 15, 7));
    ck_assert(numbers_take(&numbers, 1, 0));
    ck_assert(numbers_take(&numbers, 2, 8)); /* in step by chance, but another broker */
    ck_assert(!numbers_take(&numbers, 3, 8));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_peer_is_welcomed_and_served);
    tcase_add_test(tcase, a_stranger_is_told_to_greet);
    tcase_add_test(tcase, who_is_turned_away_is_gone_and_may_greet_again);
    tcase_add_test(tcase, hello_and_requests_may_share_a_message);
    tcase_add_test(tcase, beyond_its_credit_a_peer_is_refused);
    tcase_add_test(tcase, a_bad_hello_is_refused_and_may_come_again);
    tcase_add_test(tcase, the_newer_connection_of_a_session_wins);
    tcase_add_test(tcase, who_finds_no_place_hears_nothing);
    tcase_add_test(tcase, the_silent_are_forgotten_and_the_others_hear_a_beat);
    tcase_add_test(tcase, who_leaves_or_cannot_be_reached_is_forgotten);
    tcase_add_test(tcase, what_a_peer_does_not_take_is_dropped_and_counted);
    tcase_add_test(tcase, draining_it_takes_no_more);
    tcase_add_test(tcase, too_many_faults_send_a_peer_away);
    tcase_add_test(tcase, few_faults_are_forgiven_with_time);
    tcase_add_test(tcase, a_bad_request_is_answered_and_costs_no_credit);
    tcase_add_test(tcase, an_answer_to_a_reply_is_none);
    tcase_add_test(tcase, an_answer_above_the_bound_is_not_sent);
    tcase_add_test(tcase, no_damage_does_more_than_a_fault);
    tcase_add_test(tcase, a_request_is_held_until_it_is_taken_out_once);
    tcase_add_test(tcase, a_gap_in_the_numbers_is_noticed);
}

int main(void)
{
    return suite_run("server", add_tests);
}
