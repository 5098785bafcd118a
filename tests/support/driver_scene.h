/* driver_scene - a driver under test, with all that it asks: a broker's directory, partitions that
 * keep the rules of leases, and an executor with two tools of its own and the two of SQL, which run
 * on the demo data. Every question of the driver waits until the test has it answered.
 *
 * What must hold always is asserted here: a lease goes back once, by who has it; a value is set
 * only under its lease; a question that nobody wants any more is taken back. */
#ifndef TESTS_SUPPORT_DRIVER_SCENE_H
#define TESTS_SUPPORT_DRIVER_SCENE_H

#include "protocol/key.h"
#include "tests/support/record.h"

#define SCENE_PARTITIONS 3
#define SCENE_ENTRIES_MAX 256
#define SCENE_ECHO "Test_Echo" /* {n = 7}: reads; its data is {n} */
#define SCENE_ECHO_SCHEMA 1002u
#define SCENE_WRITE "Test_Write" /* {n = 7}: writes, so it is never cached */

extern const struct actor_spec driver_spec;

struct scene_entry {
    char key[KEY_BYTES_MAX];
    size_t key_size;
    char *value; /* NULL: none */
    size_t size;
    uint64_t lease; /* out; 0: none */
    bool stale;     /* what is there is past its freshness */
    uint64_t tags[TAGS_MAX];
    size_t tag_count;
    uint64_t fresh_ms;
};

struct scene {
    struct record *record;
    struct scene_entry entries[SCENE_ENTRIES_MAX];
    size_t entry_count;
    uint64_t last_lease, epoch;
    size_t granted, stored, failed, handed_back; /* leases */
    size_t executed;                             /* tool calls that were answered */
    struct bytes position;                       /* of all partitions; data NULL: not said */
    const char *sql_scope;                       /* of the SQL tools; NULL: not said */
    const char *const *flags;                    /* as the driver was started */
};
extern struct scene scene;

/* A driver that knows its tools and its partitions; flags as record_new() takes them. */
void scene_setup(const char *const *flags);
void scene_teardown(void);

/* The members are these many; the epoch rises. */
void scene_view(unsigned partitions);

/* A body of message view, newer than the last that the driver was told. out: size bytes */
struct bytes scene_newer_view(unsigned partitions, char *out, size_t size);

/* Hand in {arguments: {n}} to a tool, or a question; with these flags of the header. */
uint64_t scene_call(const char *tool, uint64_t n, uint16_t flags);
uint64_t scene_call_with(const char *tool, uint64_t n, uint16_t flags,
                         const struct msg_options *said);
uint64_t scene_ask(const char *question, uint16_t flags);
uint64_t scene_ask_with(const struct msg_query *query, uint16_t flags);

/* A driver that knows nothing yet, in place of the one there is. */
void scene_start_anew(void);

/* The oldest open question of this role and method, which must be there. */
struct recorded_ask *scene_open(enum role role, const char *method);

/* Answer one by the rules; false: it is parked, or for a model, and stays open. */
bool scene_answer(struct recorded_ask *ask);

/* The partition has lost what was sent back to it: its lease lapses. */
void scene_lose(struct recorded_ask *ask);

/* Answer until nothing is open but what is parked, or for a model. */
void scene_run(void);

/* Move time; what is open past its deadline is answered as the runtime would. */
void scene_pass(int64_t us);

/* The entry of a look-up; NULL: none. */
struct scene_entry *scene_entry_of(const struct recorded_ask *ask);

/* Leases that were given to the driver and have not come back. */
size_t scene_leases_out(void);

/* The reply to a call of Test_Echo: its number, and what the cache had to do with it. */
struct scene_reply {
    struct msg_answer answer;
    struct msg_answer_cache cache;
    uint64_t n;
};
struct scene_reply scene_reply_to(uint64_t request_id);

#endif
