/* play - a broker that a test plays, for a process of the runtime under test: ROUTERs for backend
 * and frontend, a publisher of events, and a cache partition's door. The process is a child.
 *
 * Every function fails the test if what it waits for does not come. */
#ifndef TESTS_SUPPORT_PLAY_H
#define TESTS_SUPPORT_PLAY_H

#include <sys/types.h>

#include "tests/support/played_role.h"

#define PLAY_MESSAGE_BYTES 400000u

/* A ROUTER with one peer. */
struct side {
    void *socket;
    char endpoint[ENDPOINT_BYTES_MAX];
    unsigned char peer[8];
    size_t peer_size;
    char bytes[PLAY_MESSAGE_BYTES]; /* the message that is being read */
    struct pairs pairs;
    bool reading;
    unsigned hellos;   /* greetings that were answered */
    unsigned partials; /* that came, passed over or not */
};

struct play {
    void *zmq;
    struct side back, front;
    struct side door; /* opened by the test that wants one: it is then in the view */
    void *publisher;
    char events_endpoint[ENDPOINT_BYTES_MAX];
    pid_t child;
    uint64_t next_id;
    uint64_t generation; /* of the broker */
};
extern struct play play;

void play_setup(void); /* a checked fixture */
void play_teardown(void);

void play_open_side(struct side *side, const char *endpoint);

/* Start the process, once in a test; greet() also waits until it is ready. */
void play_start_child(const struct actor_spec *spec, const char *setting);
void play_greet(void);         /* with played_role */
int play_wait_for_child(void); /* its exit code */

/* The next pair with this command; greets who says HELLO, and passes everything else over. What it
 * returns borrows from the side until the next call. */
struct pair play_expect(struct side *side, enum command command);
struct pair play_expect_reply(uint64_t id, enum status status); /* on the backend */
void play_send_pair(struct side *side, const struct header *header, struct bytes body);

/* Send a request to the process; returns its id. */
uint64_t play_request(const char *method);
uint64_t play_request_with(const char *method, uint32_t deadline_ms, uint16_t flags);
struct pair play_query(const char *method, struct bytes body); /* the reply to it */

/* What played_role has seen, now; or wait until it is so much. */
uint64_t play_seen(enum played_seen which);
void play_await_seen(enum played_seen which, uint64_t number);

/* Events. A view has one member, the door, or none. */
void play_await_subscriber(void);
void play_publish(const char *topic, uint64_t number, struct bytes body);
struct bytes play_write_view(char *room, size_t size, uint64_t epoch, bool with_member);

#endif
