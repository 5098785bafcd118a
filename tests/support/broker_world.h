/* broker_world - a whole broker in virtual time, and everybody it talks to, for its tests.
 *
 * Peers are numbers. What the broker sends to one is kept here until the test hears it; a peer may
 * be gone, or its pipe be full. After each message that is brought the counts must add up:
 * accepted = replied + refused + expired + cancelled + lost + in flight, for every role. */
#ifndef TESTS_SUPPORT_BROKER_WORLD_H
#define TESTS_SUPPORT_BROKER_WORLD_H

#include "broker/broker.h"
#include "protocol/message.h"
#include "protocol/pairs.h"
#include "tests/support/suite.h"

#define CLIENT 7u
#define WORKER 1u
#define MS US_PER_MS
#define WORLD_PEERS 384u /* numbers are below it; more than OUTBOX_BUFFERS */

/* One pair that the broker has sent, or an event. Its views are its own. */
struct heard {
    struct heard *next;
    enum side side; /* SIDE_COUNT: an event */
    uint64_t number;
    struct pair pair;
    int64_t at;
    char bytes[];
};

struct world {
    struct broker *broker;
    struct broker_config config;
    int64_t now_at;
    bool gone[SIDE_COUNT][WORLD_PEERS], full[SIDE_COUNT][WORLD_PEERS];
    bool asks_for_keys;                         /* before world_start() */
    const struct allowed *allowed[WORLD_PEERS]; /* whose key a peer has; NULL: of no list */
    uint64_t bringing;                          /* whose message is brought now */
    uint32_t credit[WORLD_PEERS];               /* of a worker: granted in all */
    uint64_t next_id;
    unsigned messages[SIDE_COUNT];
    struct heard *first, **last;
    const char *last_at; /* where the bytes of the last message stood */
    void (*listener)(enum side side, uint64_t number, const struct pair *pair); /* not NULL: what
                            is sent is told to it, and not kept */
};
extern struct world world;

/* How its settings are read anew, from the next start on; NULL, as at first: they are not. */
extern enum status (*world_reload)(void *self, bool dry_run, struct policy *ret,
                                   struct writer *writer, char *reason);

/* A broker of the default configuration; world_config may be changed before world_start(). */
void world_setup(void);
void world_start(void);
void world_teardown(void);

/* Bring a message, or one pair of a peer. */
void world_bring(enum side side, uint64_t number, struct bytes message);
void world_say(enum side side, uint64_t number, const struct header *header, struct bytes body);
void world_say_message(enum side side, uint64_t number, const struct header *header,
                       enum message_id id, const void *value);

/* Greet as session number; then READY with this credit and one method. */
void world_hello(enum side side, uint64_t number, enum role role);
void world_worker(uint64_t number, enum role role, uint32_t concurrency, const char *method);
void world_ready(uint64_t number, enum role role, const struct msg_ready *ready,
                 const char *const *methods, size_t count);

/* A REQUEST of the CLIENT's, or of another's; returns its id. */
struct header world_request(void);
uint64_t world_ask(enum request_class class, uint32_t deadline_ms, uint16_t flags);
uint64_t world_ask_from(uint64_t number, struct header header, struct bytes body);

/* A worker answers, with one more credit. */
void world_reply(uint64_t worker, uint64_t id, enum status status);

/* The end of a turn; time goes by; a turn every millisecond, in which nothing is brought. */
void world_turn(void);
void world_pass(int64_t us);
void world_run(int64_t ms);
/* Let those below WORLD_PEERS that have greeted beat, so that time may pass without deaths. */
void world_beat(void);

/* The oldest pair of this command that a peer has not heard yet; NULL: none. It is taken out; free
 * it with world_forget(), or not at all. */
struct heard *world_hear(enum side side, uint64_t number, enum command command);
struct heard *world_event(const char *topic);
void world_forget(struct heard *heard);

/* The number of the next REQUEST that a worker has heard; 0: none. */
uint64_t world_next(uint64_t worker);

/* What the broker has counted for the role of the drivers. */
const struct role_counts *world_counts(void);
void world_forget_all(void);
unsigned world_count(enum side side, uint64_t number, enum command command);

/* The REPLY to this id must be there, with this status, and no other one. */
void world_expect(uint64_t client, uint64_t id, enum status status);
void world_check(void);

#endif
