/* turns - MODEL: one turn of a language model, a request to the gateway. See state.h.
 *
 * A model that gives no answer is no failure of the question if the template planner may be asked
 * instead; one that answers in a way that is none is. What it was told before all else, and what
 * it may call, stand in the key of its answers. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/driver/state.h"

#define RULES "q1"

static const char own_system[] =
    "You answer questions from data that you read with the tools you are given.\n"
    "Every figure and every name in your answer comes from a result of a tool in this "
    "conversation: never from memory, never estimated.\n"
    "Find out what there is (tables, columns, names, periods) before you ask for values. What "
    "does not depend on each other is asked for in one turn.\n"
    "If a call fails, read its error and mend the call. If the tools cannot answer the question, "
    "say so, and say what is missing.\n"
    "Answer briefly, in plain sentences, in the language of the question, with units and periods.";

/* --- start --- */

/* returns  false: one line on what to mend, in reason */
static bool read_system(struct driver *self, const char *path, char *reason, size_t reason_size)
{
    FILE *file = fopen(path, "rb");
    self->system = malloc(MODEL_SYSTEM_BYTES_MAX + 1);
    assert(self->system != NULL);
    if (file == NULL) {
        (void)snprintf(reason, reason_size, "driver.model_system: %s cannot be read", path);
        return false;
    }
    size_t size = fread(self->system, 1, MODEL_SYSTEM_BYTES_MAX + 1, file);
    (void)fclose(file);
    self->terms.system = (struct bytes){self->system, size};
    if (size > 0 && size <= MODEL_SYSTEM_BYTES_MAX && cursor_is_utf8(self->terms.system))
        return true;
    (void)snprintf(reason, reason_size, "driver.model_system: %s must be 1 to %u bytes of UTF-8",
                   path, MODEL_SYSTEM_BYTES_MAX);
    return false;
}

/* returns  what is wrong; NULL: nothing */
static const char *take_terms(struct driver *self, const struct settings *settings)
{
    struct model_terms *terms = &self->terms;
    const char *first = settings_text(settings, "driver", "model_first_tool");
    *terms = (struct model_terms){
        .provider = bytes_of(settings_text(settings, "driver", "model_provider")),
        .model = bytes_of(settings_text(settings, "driver", "model")),
        .system = bytes_of(own_system),
        .first_tool = first[0] != '\0' ? bytes_of(first) : (struct bytes){0},
        .max_tokens = settings_u64(settings, "driver", "model_max_tokens"),
        .rounds_max = (unsigned)settings_u64(settings, "driver", "model_rounds")};
    if (!bytes_are(terms->provider, "anthropic") && !bytes_are(terms->provider, "openai"))
        return "driver.model_provider: must be anthropic or openai";
    if (terms->model.size == 0)
        return "driver.model: name the model that driver.planner = model asks";
    return NULL;
}

bool turns_start(struct driver *self, const struct settings *settings, char *reason,
                 size_t reason_size)
{
    const char *planner = settings_text(settings, "driver", "planner");
    const char *system = settings_text(settings, "driver", "model_system");
    if (strcmp(planner, "template") == 0)
        return true;
    const char *wrong = strcmp(planner, "model") == 0 ? take_terms(self, settings)
                                                      : "driver.planner: must be template or model";
    if (wrong != NULL) {
        (void)snprintf(reason, reason_size, "%s", wrong);
        return false;
    }
    if (system[0] != '\0' && !read_system(self, system, reason, reason_size)) {
        free(self->system);
        return false;
    }
    self->planner = PLANNER_MODEL;
    self->model_fallback = settings_bool(settings, "driver", "model_fallback");
    self->model_tools = model_tools_new(settings_text(settings, "driver", "model_tools"));
    return true;
}

void turns_stop(struct driver *self)
{
    model_tools_destroy(&self->model_tools);
    free(self->system);
}

/* --- what it is offered --- */

static void note_tools(const struct driver *self, struct context *context)
{
    size_t count = model_tools_count(self->model_tools);
    size_t left_out = model_tools_left_out(self->model_tools);
    size_t bytes = model_tools_bytes(self->model_tools);
    metrics_set(context->metrics, METRIC_DRIVER_MODEL_TOOLS, LABELS("offered"), (double)count);
    metrics_set(context->metrics, METRIC_DRIVER_MODEL_TOOLS, LABELS("left_out"), (double)left_out);
    metrics_set(context->metrics, METRIC_BOUND_USED_RATIO, LABELS("model_tools"),
                (double)count / MODEL_TOOLS_MAX);
    metrics_set(context->metrics, METRIC_BOUND_USED_RATIO, LABELS("model_tools_bytes"),
                (double)bytes / MODEL_TOOLS_BYTES_MAX);
}

void turns_registry_is_new(struct driver *self, struct context *context)
{
    struct key_digest digest;
    unsigned char fingerprint[KEY_DIGEST_BYTES];
    if (self->model_tools == NULL)
        return;
    model_tools_choose(self->model_tools, self->registry);
    key_digest_init(&digest);
    key_digest_add(&digest, bytes_of(RULES));
    key_digest_add(&digest, self->terms.model);
    key_digest_add(&digest, self->terms.system);
    model_tools_digest(self->model_tools, &digest);
    key_digest_end(&digest, fingerprint);
    if (memcmp(fingerprint, self->fingerprint, sizeof fingerprint) != 0)
        self->offered_as++;
    memcpy(self->fingerprint, fingerprint, sizeof fingerprint);
    note_tools(self, context);
}

/* --- MODEL --- */

static void count(struct context *context, const char *outcome)
{
    metrics_add(context->metrics, METRIC_DRIVER_MODEL_TURNS_TOTAL, LABELS(outcome), 1);
}

static void note_conversation(struct context *context, const struct talk *talk)
{
    metrics_set(context->metrics, METRIC_BOUND_USED_RATIO, LABELS("model_conversation"),
                (double)talk->used / MODEL_CONVERSATION_BYTES_MAX);
    metrics_set(context->metrics, METRIC_BOUND_USED_RATIO, LABELS("model_messages"),
                (double)talk->messages / MODEL_MESSAGES_MAX);
}

/* No turn came: by templates from the beginning, if that is allowed. */
static void go_without(struct driver *self, struct context *context, struct task *task,
                       const struct result *failed)
{
    count(context, "failed");
    questions_keep_failure(self, task, failed);
    if (!self->model_fallback) {
        questions_fail(self, context, task);
        return;
    }
    questions_drop(self, context, task);
    task->rounds->planner = PLANNER_TEMPLATE;
    task->degraded |= WITHOUT_MODEL;
    task_advance(self, context, task, OUTCOME_WITHOUT);
}

/* returns  false: there is no room */
static bool begin(struct driver *self, struct task *task)
{
    char *memory = driver_take(self, MODEL_CONVERSATION_BYTES_MAX);
    if (memory == NULL)
        return false;
    planner_model_begin(&task->rounds->talk, memory, task->conversation, task->question);
    return true;
}

void turns_ask(struct driver *self, struct context *context, struct task *task)
{
    struct talk *talk = &task->rounds->talk;
    if (talk->memory == NULL && !begin(self, task)) {
        task_fail(self, context, task, STATUS_BUSY_FULL, NULL);
        return;
    }
    struct bytes tools = model_tools_list(self->model_tools);
    struct ask ask = {.role = ROLE_ARCADE_GATEWAY,
                      .method = bytes_of("model"),
                      .flags = FLAG_IDEMPOTENT,
                      .class = task->request.class,
                      .body = planner_model_turn(talk, &self->terms, tools, self->body)};
    note_conversation(context, talk);
    task->tag = driver_tag(self, task);
    task->asked = ASKED_MODEL;
    enum status status = context->ask(context, &task->request, &ask, task->tag);
    if (status == STATUS_OK) {
        task->called = true;
        return;
    }
    task->tag = 0;
    struct result failed = {.status = status, .executed = statuses[status].executed};
    go_without(self, context, task, &failed);
}

static void count_tokens(struct context *context, const struct model_usage *before,
                         const struct model_usage *after)
{
    static const char *const kinds[TOKENS_COUNT] = {"input", "output", "cache_written",
                                                    "cache_read"};
    for (int i = 0; i < TOKENS_COUNT; i++)
        if (after->said[i] > before->said[i])
            metrics_add(context->metrics, METRIC_DRIVER_MODEL_TOKENS_TOTAL, LABELS(kinds[i]),
                        (double)(after->tokens[i] - before->tokens[i]));
}

/* It came, and is no answer. */
static void fail_turn(struct driver *self, struct context *context, struct task *task,
                      enum turn_end end)
{
    static const struct failure_text texts[] = {
        [TURN_LENGTH] = {.code = "ANSWER_CUT",
                         .message = "the model had not ended when it had written all it may",
                         .hint = "a shorter question, or more driver.model_max_tokens"},
        [TURN_REFUSED] = {.code = "MODEL_REFUSED", .message = "the model refuses to answer this"},
        [TURN_EXHAUSTED] = {.code = "ROUNDS_EXHAUSTED",
                            .message = "the model has no answer after all rounds of calls"},
        [TURN_NOTHING] = {.code = "NO_ANSWER",
                          .message = "the model said neither calls nor an answer that can be kept"},
    };
    task_fail(self, context, task, STATUS_APP_ERROR, &texts[end]);
}

static void take_turn(struct driver *self, struct context *context, struct task *task,
                      const struct msg_model_turn_result *came)
{
    static const char *const outcomes[] = {
        [TURN_CALLS] = "calls",     [TURN_TEXT] = "text",           [TURN_LENGTH] = "length",
        [TURN_REFUSED] = "refused", [TURN_EXHAUSTED] = "exhausted", [TURN_NOTHING] = "failed"};
    struct planner_step step;
    struct talk *talk = &task->rounds->talk;
    struct model_usage before = talk->usage;
    enum turn_end end = planner_model_take(talk, &self->terms, came, self->model_tools, &step);
    count(context, outcomes[end]);
    count_tokens(context, &before, &talk->usage);
    step.value = (struct bytes){"\xc0", 1}; /* nil: what it says is all */
    if (end == TURN_CALLS || end == TURN_TEXT)
        questions_go_on(self, context, task, &step);
    else
        fail_turn(self, context, task, end);
}

void turns_on_answer(struct driver *self, struct context *context, struct task *task,
                     const struct answer *answer)
{
    static const struct failure_text no_turn = {.code = "UPSTREAM_BAD_RESPONSE",
                                                .message = "what came is no turn of a model"};
    char room[FAILURE_BYTES_MAX];
    struct msg_model_turn_result came;
    struct result failed;
    if (answer->status == STATUS_OK &&
        message_decode(MSG_MODEL_TURN_RESULT, answer->body, &came) == STATUS_OK) {
        take_turn(self, context, task, &came);
        return;
    }
    if (answer->status != STATUS_OK)
        failed = results_failed(answer, room);
    else
        failed = (struct result){.status = STATUS_APP_ERROR,
                                 .executed = EXECUTED_YES,
                                 .failure = results_failure(STATUS_APP_ERROR, &no_turn, room)};
    go_without(self, context, task, &failed);
}

void turns_tell(struct context *context, struct task *question)
{
    struct rounds *rounds = question->rounds;
    struct msg_model_result results[PLANNER_CALLS_MAX];
    size_t told = 0;
    rounds->failed_last = false;
    for (; rounds->told < rounds->part_count; rounds->told++) {
        const struct part *part = &rounds->parts[rounds->told];
        assert(told < PLANNER_CALLS_MAX);
        results[told++] =
            (struct msg_model_result){.id = part->id, .value = part->value, .failed = part->failed};
        rounds->failed_last |= part->failed;
        if (part->made)
            metrics_add(context->metrics, METRIC_DRIVER_MODEL_CALLS_TOTAL,
                        LABELS(part->failed ? "failed" : "ok"), 1);
    }
    planner_model_tell(&rounds->talk, results, told);
}

struct bytes turns_failure(struct bytes failure, char *out)
{
    struct writer writer;
    struct msg_failure told;
    writer_init(&writer, out, FAILURE_BYTES_MAX + 16);
    writer_map(&writer, 1);
    writer_cstr(&writer, "error");
    if (message_decode(MSG_FAILURE, failure, &told) != STATUS_OK) {
        writer_raw(&writer, failure);
        return writer_bytes(&writer);
    }
    told.details = (struct bytes){0};
    if (bytes_are(told.code, "AUTH_REQUIRED")) /* it says where this user can give leave */
        told.hint = (struct bytes){0};
    enum status status = message_write(MSG_FAILURE, &told, &writer);
    assert(status == STATUS_OK); /* it is no longer than it was */
    return writer_bytes(&writer);
}
