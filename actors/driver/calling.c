/* calling - TOOLS of a call: the tool executor; and which tools there are. See state.h.
 *
 * The directory names tools by hash; what is not known is asked for at an instance that has it.
 * Requests for a tool that is not known wait for that, once. */
#include <assert.h>
#include <string.h>

#include "actors/driver/state.h"

#define KEY_WORDS (IDEMPOTENCY_KEY_BYTES / sizeof(uint64_t))

/* --- calls --- */

/* One of its own for each call of a question, and the same when the question is asked again. */
static void key_of_part(const struct task *task, char *out)
{
    struct key_digest digest;
    unsigned char part = (unsigned char)task->part;
    key_digest_init(&digest);
    key_digest_add(&digest, (struct bytes){task->request.idempotency_key, IDEMPOTENCY_KEY_BYTES});
    key_digest_add(&digest, (struct bytes){(const char *)&part, sizeof part});
    key_digest_add(&digest, key_bytes(&task->key));
    key_digest_end(&digest, (unsigned char *)out);
}
_Static_assert(IDEMPOTENCY_KEY_BYTES == KEY_DIGEST_BYTES, "a digest is one");

/* Of a tool that reads: a new one each time, for a shared execution may have begun before our
 * lease (docs/cache.md, rule 5). Of one that writes: the client's, whose retry must not write
 * twice. */
static struct bytes idempotency_key(struct context *context, const struct task *task, char *out)
{
    const struct request *request = &task->request;
    if (!task->tool.idempotent && !request->has_idempotency_key)
        return (struct bytes){0};
    if (!task->tool.idempotent && task->parent != NULL) {
        key_of_part(task, out);
    } else if (!task->tool.idempotent) {
        memcpy(out, request->idempotency_key, IDEMPOTENCY_KEY_BYTES);
    } else {
        uint64_t words[KEY_WORDS];
        for (size_t i = 0; i < KEY_WORDS; i++)
            words[i] = context->random(context);
        memcpy(out, words, IDEMPOTENCY_KEY_BYTES);
    }
    return (struct bytes){out, IDEMPOTENCY_KEY_BYTES};
}

static int64_t call_deadline(const struct context *context, const struct task *task)
{
    int64_t timeout_ms =
        task->tool.timeout_ms < INT32_MAX ? (int64_t)task->tool.timeout_ms : INT32_MAX;
    int64_t left_us = task->request.deadline_at - context->now_at;
    int64_t share_us = left_us - left_us / 20; /* source: docs/protocol.md, "Classes" */
    return context->now_at +
           (timeout_ms * US_PER_MS < share_us ? timeout_ms * US_PER_MS : share_us);
}

void calling_call(struct driver *self, struct context *context, struct task *task)
{
    char key[IDEMPOTENCY_KEY_BYTES];
    struct ask ask = {
        .role = task->tool.role,
        .method = bytes_of(task->tool.name),
        .flags = (uint16_t)((task->tool.idempotent ? FLAG_IDEMPOTENT : 0) |
                            (task->request.flags & (FLAG_REPLAYED | FLAG_STREAM | FLAG_HEDGE))),
        .class = task->request.class,
        .has_key = true,
        .key = key_hash(0, key_bytes(&task->key)),
        .deadline_at = call_deadline(context, task),
        .idempotency_key = idempotency_key(context, task, key),
        .body = {task->canonical, task->canonical_size}};
    if (!task->tool.idempotent && task->request.id != 0)
        context->started(context, &task->request);
    task->tag = driver_tag(self, task);
    task->asked = ASKED_TOOL;
    enum status status = context->ask(context, &task->request, &ask, task->tag);
    if (status != STATUS_OK) {
        task->tag = 0;
        task_fail(self, context, task, status, NULL);
        return;
    }
    task->called = true;
    if (task->parent != NULL)
        task->parent->called = true;
}

static void on_failure(struct driver *self, struct context *context, struct task *task,
                       const struct answer *answer)
{
    char room[FAILURE_BYTES_MAX];
    if (answer->status == STATUS_NO_ROLE) /* what we know of it is old */
        calling_want_directory(self, context->now_at);
    task->result = results_failed(answer, room);
    task_advance(self, context, task, task->replied ? OUTCOME_FAILED_LATE : OUTCOME_FAILED);
}

void calling_on_answer(struct driver *self, struct context *context, struct task *task,
                       const struct answer *answer)
{
    char source[RESULT_SOURCE_BYTES];
    struct msg_tool_result tool;
    if (answer->status != STATUS_OK) {
        on_failure(self, context, task, answer);
        return;
    }
    if (message_decode(MSG_TOOL_RESULT, answer->body, &tool) != STATUS_OK || !tool.success ||
        answer->instance.size > NAME_BYTES_MAX) {
        task_fail(self, context, task, STATUS_APP_ERROR,
                  &(struct failure_text){.code = "TOOL_FAILED",
                                         .message = "what the tool answered is no result"});
        return;
    }
    registry_note_time(self->registry, &task->tool, context->now_at - task->step_at);
    bool same = bytes_are(tool.version, task->tool.version);
    if (!same) /* another version has come: its answer is not this key's */
        calling_want_directory(self, context->now_at);
    task->result = (struct result){.status = STATUS_OK,
                                   .value = tool.data,
                                   .sources = results_source(task, &tool, answer->instance, source),
                                   .deps = tool.deps,
                                   .as_of = tool.as_of,
                                   .fresh_ms = task->tool.ttl_ms,
                                   .scope = task->tool.scope,
                                   .keepable = same && task->tool.cacheable};
    task_advance(self, context, task, OUTCOME_DONE);
}

/* --- which tools there are --- */

void calling_want_directory(struct driver *self, int64_t at)
{
    if (at < self->directory_at)
        self->directory_at = at;
}

bool calling_directory_pending(const struct driver *self)
{
    return self->directory_open || self->definitions_open > 0;
}

/* Whoever waits is answered with what is known. */
static void end_of_directory(struct driver *self, struct context *context, bool heard)
{
    if (heard) /* else nothing is known that would be new */
        self->directory_last_at = context->now_at;
    else
        calling_want_directory(self, context->now_at + DIRECTORY_RETRY_MS * US_PER_MS);
    turns_registry_is_new(self, context);
    steps_directory_is_new(self, context);
}

static enum status ask_broker(struct driver *self, struct context *context, const char *method,
                              struct bytes body, enum lone lone)
{
    struct request origin = {.class = CLASS_CRITICAL,
                             .deadline_at = context->now_at + DIRECTORY_MS * US_PER_MS};
    struct ask ask = {.role = ROLE_BROKER,
                      .method = bytes_of(method),
                      .class = CLASS_CRITICAL,
                      .deadline_at = origin.deadline_at,
                      .body = body};
    origin.deadline_at = 0; /* of our own making */
    return context->ask(context, &origin, &ask, driver_lone_tag(self, lone));
}

void calling_ask_directory(struct driver *self, struct context *context)
{
    assert(!calling_directory_pending(self));
    self->directory_at = INT64_MAX;
    self->directory_open = true;
    if (ask_broker(self, context, "directory", (struct bytes){"\x80", 1}, LONE_DIRECTORY) ==
        STATUS_OK)
        return;
    self->directory_open = false;
    end_of_directory(self, context, false);
}

static void ask_definitions(struct driver *self, struct context *context, const char *instance)
{
    char room[NAME_BYTES_MAX + 64];
    struct msg_query_instance query = {
        .instance = bytes_of(instance), .method = bytes_of("tools"), .body = {"\x80", 1}};
    struct bytes body;
    enum status status = message_encode(MSG_QUERY_INSTANCE, &query, room, sizeof room, &body);
    assert(status == STATUS_OK); /* a name within its bound */
    if (ask_broker(self, context, "instance", body, LONE_DEFINITION) == STATUS_OK)
        self->definitions_open++;
}

void calling_on_directory(struct driver *self, struct context *context, const struct answer *answer)
{
    static const size_t instances_max = 16; /* what is left is asked for with the next */
    struct name_text unknown[WORKERS_MAX];
    struct msg_directory directory;
    assert(self->directory_open);
    self->directory_open = false;
    if (answer->status != STATUS_OK ||
        message_decode(MSG_DIRECTORY, answer->body, &directory) != STATUS_OK) {
        end_of_directory(self, context, false);
        return;
    }
    size_t count = registry_take_directory(self->registry, &directory, unknown);
    for (size_t i = 0; i < count && i < instances_max; i++)
        ask_definitions(self, context, unknown[i].text);
    if (count > instances_max)
        calling_want_directory(self, context->now_at + DIRECTORY_RETRY_MS * US_PER_MS);
    if (self->definitions_open == 0)
        end_of_directory(self, context, true);
}

void calling_on_definitions(struct driver *self, struct context *context,
                            const struct answer *answer)
{
    struct msg_tool_definitions list;
    bool heard = answer->status == STATUS_OK &&
                 message_decode(MSG_TOOL_DEFINITIONS, answer->body, &list) == STATUS_OK;
    if (heard)
        (void)registry_take_definitions(self->registry, &list);
    size_t count = registry_count(self->registry);
    metrics_set(context->metrics, METRIC_DRIVER_TOOLS, NO_LABELS, (double)count);
    metrics_set(context->metrics, METRIC_BOUND_USED_RATIO, LABELS("tools"),
                (double)count / REGISTRY_TOOLS_MAX);
    if (!heard)
        calling_want_directory(self, context->now_at + DIRECTORY_RETRY_MS * US_PER_MS);
    assert(self->definitions_open > 0);
    self->definitions_open--;
    if (self->definitions_open == 0)
        end_of_directory(self, context, true);
}
