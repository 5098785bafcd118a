/* record - a role under test: an actor, and a context that records what it does.
 *
 * Requests are handed in as the runtime would, answers and events come when the test says so, jobs
 * run when the test says so, time moves when the test says so, and chance is a fixed sequence. What
 * breaks the contract of the seam (a second reply, an answer to a tag that is not open, a job that
 * is given twice) fails the test at once. */
#ifndef TESTS_SUPPORT_RECORD_H
#define TESTS_SUPPORT_RECORD_H

#include "actors/runtime/actor.h"
#include "actors/runtime/metrics.h"
#include "actors/runtime/settings.h"

#define RECORD_START_AT (1000 * US_PER_S)
#define RECORD_UNIX_MS INT64_C(1764000000000)
#define RECORD_DEADLINE_MS 10000u /* of record_request() */

struct recorded_reply {
    struct request request;
    struct answer answer; /* its body is owned by the record */
};

struct recorded_partial {
    struct request request;
    struct bytes body; /* owned by the record */
};

struct recorded_ask {
    struct request origin;
    struct ask ask; /* its bytes are owned by the record */
    uint64_t tag;
    bool open; /* neither answered nor cancelled */
    bool cancelled;
};

struct recorded_invalidation {
    uint64_t tags[TAGS_BATCH_MAX];
    size_t count;
};

struct record {
    struct context context;
    struct actor actor;
    struct settings *settings;
    void *thread_state; /* of its one job thread */
    uint64_t seed;      /* of chance; change it at will */
    uint64_t last_id;   /* of the last request handed in */

    const char *gave_up; /* why; NULL: it goes on */

    enum status ask_status; /* not OK: what ask() returns from now on, recording nothing */
    enum status job_status; /* not OK: what start_job() returns from now on */

    /* In the order in which they came. */
    struct recorded_reply *replies;
    struct recorded_ask *asks;
    struct recorded_invalidation *invalidations;
    struct job **jobs;       /* waiting */
    struct request *started; /* said to have begun */
    struct recorded_partial *partials;
    size_t reply_count, ask_count, invalidation_count, job_count, started_count, partial_count;
    size_t ready_count; /* READY said again */

    void **owned; /* copies of bytes, freed at the end */
    size_t owned_count;
};

/* Start a role.
 *
 * flags  "section.key=value" ..., NULL; may be NULL */
struct record *record_new(const struct actor_spec *spec, const char *const *flags);

/* The same, for a start that fails.
 *
 * returns  NULL, with the reason written; else the record of one that started */
struct record *record_try(const struct actor_spec *spec, const char *const *flags, char *reason,
                          size_t reason_size);
void record_destroy(struct record **self);

/* Hand in a request; returns its id.
 *
 * body   encoded; data NULL: nil
 * value  struct msg_<name> of this id: its method is the row's
 * header id and command are filled in, and role; the deadline if it is 0 */
uint64_t record_request(struct record *self, const char *method, struct bytes body);
uint64_t record_message(struct record *self, enum message_id id, const void *value);
uint64_t record_send(struct record *self, struct header header, struct bytes body);

/* Withdraw a request that has no reply. */
void record_cancel(struct record *self, uint64_t request_id);

/* The reply to a request; NULL: none yet. */
const struct recorded_reply *record_reply_to(const struct record *self, uint64_t request_id);

/* Assert a reply with status OK and decode its body.
 *
 * ret  struct msg_<name> of this id; its views live as long as the record */
void record_decode_reply(const struct record *self, uint64_t request_id, enum message_id id,
                         void *ret);

/* Assert a reply with this status; code NULL: any. */
void record_expect_refusal(const struct record *self, uint64_t request_id, enum status status,
                           const char *code);

/* The oldest open ask; NULL: none. The same for this role and method, method NULL: any. Valid until
 * the role asks again. */
struct recorded_ask *record_open_ask(struct record *self);
struct recorded_ask *record_open_ask_of(struct record *self, enum role role, const char *method);

/* A part of the answer to an open ask, which stays open. */
void record_partial(struct record *self, struct recorded_ask *ask, struct bytes body);

/* Answer an open ask: with these bytes, with a message, or with a failure of this status. */
void record_answer(struct record *self, struct recorded_ask *ask, const struct answer *answer);
void record_answer_message(struct record *self, struct recorded_ask *ask, enum message_id id,
                           const void *value);
void record_answer_failure(struct record *self, struct recorded_ask *ask, enum status status);

/* Run the oldest waiting job, or all of them, and give them back. What is cancelled or too late is
 * given back without being run. record_run_job returns false: there is none. */
bool record_run_job(struct record *self);
void record_run_jobs(struct record *self);

void record_view(struct record *self, const struct msg_view *view);
void record_event(struct record *self, const char *topic, uint64_t number, struct bytes body);
void record_gap(struct record *self);

/* QUERY instance.
 *
 * out  size bytes; returns the status, and the body in ret_body on OK */
enum status record_query(struct record *self, const char *method, struct bytes body, char *out,
                         size_t size, struct bytes *ret_body);

/* Move time on, with a tick whenever the role wants one. */
void record_step(struct record *self, int64_t us);

#endif
