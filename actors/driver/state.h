/* state - what one driver knows, and what its parts share: driver.c (the role: start, events,
 * views, time), tasks.c (tasks and their memory), steps.c (a task's way through the plan),
 * requests.c (bodies of requests), caching.c (LOOKUP, WAIT, STORE), calling.c (TOOLS, and the
 * directory), questions.c (the planner's rounds), turns.c (MODEL), results.c (bodies of answers).
 * For nobody else.
 */
#ifndef ACTORS_DRIVER_STATE_H
#define ACTORS_DRIVER_STATE_H

#include "actors/driver/owners.h"
#include "actors/driver/plan.h"
#include "actors/driver/planner_model.h"
#include "actors/driver/planner_template.h"
#include "actors/driver/registry.h"
#include "actors/driver/seal.h"
#include "actors/driver/settled.h"
#include "actors/runtime/actor.h"
#include "actors/runtime/metrics.h"
#include "actors/runtime/settings.h"
#include "protocol/key.h"

#define LOOKUP_MS 100           /* a partition that has not answered by then is silent */
#define WAIT_MS_MIN 1000        /* how long one waits for another's fill, at least; and at most: */
#define WAIT_TIMES 4            /* so many times what it typically takes */
#define STORE_MS 1000           /* how long a set or fail may be under way */
#define DIRECTORY_MS 2000       /* how long the directory, or an instance, may take to answer */
#define DIRECTORY_EVERY_MS 250  /* no more often than that */
#define DIRECTORY_RETRY_MS 1000 /* after an instance did not say what it offers */
#define STEP_US_MIN 1000        /* with less left no step begins that waits for others */
#define MOVES_MAX 2             /* newer views that one look-up follows */
#define FRESH_MS_MAX TTL_MS_MAX
#define STALE_MS 60000        /* source: docs/cache.md, "Constants" */
#define STALE_ERROR_MS 600000 /* likewise */
#define NEGATIVE_ARGUMENTS_MS 300000
#define NEGATIVE_UPSTREAM_MS 2000
#define FAILURE_BYTES_MAX (2048u + DETAILS_BYTES_MAX)
#define POSITION_BYTES_MAX 64u
#define LABELS_BYTES 32768u     /* SOURCES_MAX of them */
#define SMALL_MEMORY_BYTES 512u /* a piece of memory up to here is kept for the next ... */
#define SMALL_MEMORIES_MAX 256u /* ... so many of them */

enum task_kind { TASK_CALL, TASK_QUESTION, TASK_KINDS };
enum asked { ASKED_NOTHING, ASKED_LOOKUP, ASKED_TOOL, ASKED_MODEL };
enum cached {
    CACHED_HIT,
    CACHED_STALE,
    CACHED_MISS,
    CACHED_WAITED,
    CACHED_BYPASS,
    CACHED_REFRESH,
    CACHED_COUNT
};
enum without { WITHOUT_CACHE = 1, WITHOUT_FRESHNESS = 2, WITHOUT_MODEL = 4 }; /* degraded */

/* How a request uses the cache. */
struct wishes {
    bool no_cache, refresh, only_if_cached, stale_ok;
    uint64_t max_age_ms, ttl_ms; /* 0: not said */
    struct name ns, version;
    bool has_scope;
    enum key_scope_kind scope;
    struct bytes after; /* in the task's input */
};

/* What a task came to. Views live while the step that made it is on the stack; who wants it for
 * longer copies it. */
struct result {
    enum status status;
    /* OK */
    const char *reason; /* of no_data; NULL: it is an answer */
    struct bytes value, text, detail;
    struct bytes sources, deps; /* lists */
    struct sealed sealed;       /* opened: in place of value, text, sources, deps and as_of */
    uint64_t as_of;
    uint64_t fresh_ms;         /* it may be kept so long */
    enum key_scope_kind scope; /* the narrowest that it stands on */
    bool keepable;
    /* not OK */
    enum executed executed;
    uint32_t retry_after_ms;
    struct bytes failure;
};

/* What a call of a question has come to, copied. */
struct part {
    bool done;
    bool made; /* there was a call */
    bool
        failed; /* a model hears of it, and its answer does not stand on it: value is the failure */
    struct bytes id; /* the model's; in the talk */
    char *memory;    /* of all views */
    size_t size;
    struct bytes value, sources, deps;
    uint64_t as_of, fresh_ms;
    enum key_scope_kind scope;
    bool keepable;
    unsigned degraded;
};

/* What a question has come to so far. */
struct rounds {
    enum planner_kind planner; /* who plans it now */
    struct part parts[PLANNER_RESULTS_MAX];
    struct task *children[PLANNER_CALLS_MAX]; /* of the round; NULL: ended */
    unsigned part_count, parts_open;
    bool part_failed;
    bool spawning;        /* calls are being made: none is the last */
    struct result failed; /* a part; or the model, and it is gone on without it */
    char *failure;        /* its body, FAILURE_BYTES_MAX */

    struct talk talk;
    unsigned told;       /* parts that the model has heard of */
    bool unsure;         /* a call failed that may not fail the next time */
    bool failed_last;    /* one of the last round did */
    uint64_t offered_as; /* by which choice of tools */
};

struct task {
    uint32_t index; /* in the pool */
    bool used;
    struct task *next_free;

    enum task_kind kind;
    enum step step;
    struct request request; /* of the client, for calls of a question too */
    struct task *parent;    /* the question it is a call of; NULL: none */
    unsigned part;          /* its place among the parent's */
    bool replied;           /* the rest is for the cache alone */
    bool abandoned;         /* only an answer with a lease, to be given back, is waited for */
    bool asked_directory;   /* its tool was unknown, and has been looked for */

    char *input; /* the body as it came; the views below borrow from it */
    size_t input_size;
    struct bytes arguments; /* of a call, as they came */
    char *canonical;        /* arguments, or normalised question */
    size_t canonical_size;
    struct bytes question;     /* normalised by q1; its key's is by q1f */
    struct bytes conversation; /* canonical */
    struct wishes wishes;
    struct tool tool; /* a copy; its parameters are the registry's, for KEY alone */
    enum key_scope_kind scope;
    struct key key;
    bool has_key;

    uint64_t tag; /* of the open question to another; 0: none */
    enum asked asked;
    struct owner owner;
    unsigned moves;
    uint64_t lease;                    /* 0: none */
    char position[POSITION_BYTES_MAX]; /* of the one that gave it, then; of a question's */
    size_t position_size;              /* 0: not said */
    int64_t lease_until_at;

    enum cached cached;
    uint64_t age_ms;
    unsigned degraded; /* of enum without */
    struct result result;

    struct rounds *rounds; /* of a question, from its first on; else NULL */

    int64_t began_at, step_at, first_tool_at;
    int64_t lookup_us, wait_us, plan_us, model_us, tools_us;
    bool called; /* a tool may have run, or a model */
};

struct driver {
    struct task *tasks;
    struct task *free;
    uint32_t task_count, tasks_used, flows, flows_max;
    size_t bytes;                    /* held for all of them */
    char *small[SMALL_MEMORIES_MAX]; /* that came back */
    unsigned small_count;
    uint64_t serial;
    int64_t next_due_at; /* no deadline of a task is before */

    struct owners *owners;
    struct registry *registry;
    struct settled *settled;
    int64_t directory_at; /* when to ask for it; INT64_MAX: not wanted */
    int64_t directory_last_at;
    bool directory_open;
    unsigned definitions_open;

    int64_t question_us; /* smoothed time of questions that were computed; 0: none yet */
    struct name ns;
    enum planner_kind planner;
    unsigned char fingerprint[KEY_DIGEST_BYTES]; /* of the planner */
    struct model_terms terms;                    /* of a model; its texts are the settings' ... */
    char *system;                                /* ... but for this one */
    bool model_fallback;
    struct model_tools *model_tools; /* NULL: it is the template planner's */
    uint64_t offered_as;             /* rises with each other choice of them */

    struct series *flows_used, *tasks_used_ratio, *bytes_used; /* how full the bounds are */
    struct series *answers[TASK_KINDS][CACHED_COUNT];

    char *body;   /* PAIR_BODY_BYTES_MAX: what is being sent */
    char *kept;   /* the same: the value in it */
    char *room;   /* the same: lists and the like, while they are put together */
    char *plan;   /* PLANNER_SCRATCH_BYTES */
    char *labels; /* LABELS_BYTES: sources with what the cache had to do with them */
};

/* --- tasks.c --- */

/* A new task at DECODE; NULL: there is no room. */
struct task *task_new(struct driver *self, const struct context *context, enum task_kind kind,
                      const struct request *request);
void task_free(struct driver *self, struct task *task);
struct task *task_find(struct driver *self, uint64_t tag); /* NULL: none waits for it */

/* Memory within FLOWS_BYTES_MAX; NULL: over it. */
char *driver_take(struct driver *self, size_t size);
void driver_give(struct driver *self, char **memory, size_t size);

/* A tag for the task's next question; or for one that no task waits for. */
enum lone { LONE_STORE, LONE_DIRECTORY, LONE_DEFINITION };
uint64_t driver_tag(struct driver *self, const struct task *task);
uint64_t driver_lone_tag(struct driver *self, enum lone lone);
bool driver_is_lone(uint64_t tag, enum lone *ret);

/* --- requests.c --- */

/* Copy a request's body into its task; false: ret_fault says what is wrong with it, or BUSY_FULL.
 */
bool requests_read_call(struct driver *self, struct task *task, struct bytes body,
                        struct failure_text *ret_fault);
bool requests_read_question(struct driver *self, struct task *task, const struct msg_query *query,
                            struct failure_text *ret_fault);

/* --- steps.c --- */

/* Begin: a task that has its input. It may be gone afterwards, as after all that follows. */
void task_begin(struct driver *self, struct context *context, struct task *task);

/* Report how the task's step ended, and go on to what follows. */
void task_advance(struct driver *self, struct context *context, struct task *task,
                  enum outcome outcome);

/* The same with a failure: of this status, with what is said of it; or too late, as far as it came.
 */
void task_fail(struct driver *self, struct context *context, struct task *task, enum status status,
               const struct failure_text *text);
void task_fail_late(struct driver *self, struct context *context, struct task *task);

/* End it wherever it is: its calls are cancelled, its lease goes back. No reply. */
void task_abandon(struct driver *self, struct context *context, struct task *task);

/* Its time is over: reply, and end it. */
void task_expire(struct driver *self, struct context *context, struct task *task);

/* False: too late to begin something that waits for others. */
bool task_has_time(const struct context *context, const struct task *task);

/* Try again what waits for the directory. */
void steps_directory_is_new(struct driver *self, struct context *context);

/* --- questions.c --- */

/* PLAN and TOOLS of a question: the planner's next round, and its calls. */
void questions_plan(struct driver *self, struct context *context, struct task *task);
void questions_start_calls(struct driver *self, struct context *context, struct task *task);

/* Go on as a planner's step says: with its calls, or to the answer. */
void questions_go_on(struct driver *self, struct context *context, struct task *task,
                     const struct planner_step *step);

/* A call of a question has a result, which is copied; and it has ended. */
void questions_take_part(struct driver *self, struct task *task);
void questions_end_part(struct driver *self, struct context *context, struct task *question,
                        unsigned part);

/* Forget parts and calls that are under way. */
void questions_drop(struct driver *self, struct context *context, struct task *task);

/* Copy the failure that a question is to end with; and end it so. */
void questions_keep_failure(struct driver *self, struct task *question,
                            const struct result *result);
void questions_fail(struct driver *self, struct context *context, struct task *task);

/* --- turns.c --- */

/* Take the settings of a model, and what it is told before all else.
 *
 * returns  false: one line on what to mend, in reason */
bool turns_start(struct driver *self, const struct settings *settings, char *reason,
                 size_t reason_size);
void turns_stop(struct driver *self);

/* Choose anew what the model is offered, and what its answers' keys are. */
void turns_registry_is_new(struct driver *self, struct context *context);

/* MODEL: ask for a turn; and what came of it. */
void turns_ask(struct driver *self, struct context *context, struct task *task);
void turns_on_answer(struct driver *self, struct context *context, struct task *task,
                     const struct answer *answer);

/* The calls of its last turn have ended: the model is told. */
void turns_tell(struct context *context, struct task *question);

/* What the model is told of a failure: a map of error, without what is for the caller alone. out:
 * FAILURE_BYTES_MAX + 16 */
struct bytes turns_failure(struct bytes failure, char *out);

/* --- caching.c --- */

void caching_lookup(struct driver *self, struct context *context, struct task *task);
void caching_wait(struct driver *self, struct context *context, struct task *task);
void caching_on_answer(struct driver *self, struct context *context, struct task *task,
                       const struct answer *answer);
void caching_store(struct driver *self, struct context *context, struct task *task);
void caching_hand_back(struct driver *self, struct context *context, struct task *task);
void caching_on_stored(struct driver *self, struct context *context, const struct answer *answer);

/* --- calling.c --- */

void calling_call(struct driver *self, struct context *context, struct task *task);
void calling_on_answer(struct driver *self, struct context *context, struct task *task,
                       const struct answer *answer);
void calling_want_directory(struct driver *self, int64_t at);
bool calling_directory_pending(const struct driver *self);
void calling_ask_directory(struct driver *self, struct context *context);
void calling_on_directory(struct driver *self, struct context *context,
                          const struct answer *answer);
void calling_on_definitions(struct driver *self, struct context *context,
                            const struct answer *answer);

/* --- results.c --- */

/* The value of the cache, of a result that is an answer; data NULL: it is too large. out:
 * self->kept
 */
struct bytes results_keep(struct driver *self, const struct result *result);

/* And back; false: it is none.
 *
 * as_sent  it is for a client alone: if it is sealed, ret->sealed is all there is */
bool results_read(struct bytes kept, bool as_sent, struct result *ret);

/* Reply to the client with the task's result. */
void results_reply(struct driver *self, struct context *context, struct task *task);

/* A list of the one source of a call. out: RESULT_SOURCE_BYTES. */
#define RESULT_SOURCE_BYTES 640u
struct bytes results_source(const struct task *task, const struct msg_tool_result *tool,
                            struct bytes instance, char *out);

/* A list of sources, with what the cache had to do with each; cache NULL: not said. out:
 * LABELS_BYTES */
struct bytes results_label(struct bytes sources, const char *cache, char *out);

/* The sources and dependencies of a question: all of its parts'. Into self->room. */
void results_join(struct driver *self, const struct task *task, struct result *ret);

/* What an answer that is a failure comes to. room: FAILURE_BYTES_MAX */
struct result results_failed(const struct answer *answer, char *room);

/* The failure of a status, with what is said of it. out: FAILURE_BYTES_MAX. */
struct bytes results_failure(enum status status, const struct failure_text *text, char *out);

const char *results_cached_name(enum cached cached);

#endif
