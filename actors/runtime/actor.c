/* actor - see actor.h. Knows bodies and tables; sockets are behind the context. */
#include "actors/runtime/actor.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "actors/runtime/log.h"

#define ERROR_ID_BYTES 17u /* 16 hexadecimal digits */

/* In place: a struct that is returned is copied once more. */
static void copy_name(struct bytes text, struct name *ret)
{
    assert(text.size <= NAME_BYTES_MAX);
    ret->size = (uint8_t)text.size;
    if (text.size > 0)
        memcpy(ret->data, text.data, text.size);
}

struct name name_of(struct bytes text)
{
    struct name name = {.size = 0};
    copy_name(text, &name);
    return name;
}

struct bytes name_bytes(const struct name *self)
{
    return (struct bytes){self->size > 0 ? self->data : NULL, self->size};
}

void actor_check(const struct actor_spec *spec)
{
    assert(spec->name != NULL);
    assert(spec->start != NULL);
    assert(spec->stop != NULL);
    assert(spec->methods != NULL);
    for (int id = 0; id < MESSAGE_ID_MAX; id++) {
        bool ours = messages[id].name != NULL && messages[id].role == spec->role;
        assert(ours == (spec->handlers[id] != NULL));
    }
    bool has_threads = spec->thread_count != NULL;
    assert(has_threads == (spec->thread_start != NULL));
    assert(has_threads == (spec->thread_stop != NULL));
    assert(has_threads == (spec->on_job_done != NULL));
    assert((spec->due_at != NULL) == (spec->tick != NULL));
    assert((spec->descriptor != NULL) == (spec->on_ready != NULL));
}

/* The end user that a trusted service acts for; absent if it is none of the wire's names. */
static struct bytes user_of(const struct header *header)
{
    struct bytes user;
    if (header->extension.data == NULL ||
        !value_text(value_find(header->extension, "user"), &user) || user.size > NAME_BYTES_MAX)
        return (struct bytes){0};
    return user;
}

static void read_request(const struct header *header, const struct context *context,
                         struct request *ret)
{
    *ret = (struct request){
        .id = header->id,
        .arrived_at = context->now_at,
        .deadline_at = context->now_at + header->deadline_ms * US_PER_MS,
        .key = header->key,
        .class = header->class,
        .flags = header->flags,
        .attempt = header->attempt,
        .has_key = header->has_key,
        .has_trace = header->trace.data != NULL,
        .has_idempotency_key = header->idempotency_key.data != NULL,
    };
    copy_name(header->method, &ret->method);
    copy_name(header->tenant, &ret->tenant);
    copy_name(user_of(header), &ret->user);
    if (header->trace.data != NULL)
        memcpy(ret->trace, header->trace.data, TRACE_BYTES);
    if (header->idempotency_key.data != NULL)
        memcpy(ret->idempotency_key, header->idempotency_key.data, IDEMPOTENCY_KEY_BYTES);
}

/* Decode as the rows say, and dispatch. */
static enum status serve(const struct actor *self, struct context *context,
                         const struct request *request, const struct pair *pair)
{
    union any_body decoded;
    const struct header *header = &pair->header;
    if (pair->status != STATUS_OK)
        return pair->status;
    if (header->deadline_ms == 0 || header->method.size == 0)
        return STATUS_BAD_REQUEST;
    enum message_id id = message_find(self->spec->role, header->method);
    if (id == MSG_NONE && self->spec->any_method != NULL)
        return self->spec->any_method(self->state, context, request, &pair->body);
    if (id == MSG_NONE)
        return STATUS_NO_ROLE;
    assert(self->spec->handlers[id] != NULL); /* actor_check() saw to it */
    enum status status = message_decode(id, pair->body, &decoded);
    if (status != STATUS_OK)
        return status;
    return self->spec->handlers[id](self->state, context, request, &decoded);
}

void actor_deliver(const struct actor *self, struct context *context, uint64_t link, uint64_t peer,
                   const struct pair *pair)
{
    assert(pair->header.command == COMMAND_REQUEST);
    if (pair->header.id == 0)
        return; /* nobody could be answered */
    struct request request;
    read_request(&pair->header, context, &request);
    request.link = link;
    request.peer = peer;
    enum status status = serve(self, context, &request, pair);
    if (status != STATUS_OK)
        actor_refuse(context, &request, status, 0, NULL);
}

void actor_reply(struct context *context, const struct request *request, enum message_id id,
                 const void *value)
{
    char bytes[PAIR_BODY_BYTES_MAX];
    struct answer answer = {.status = STATUS_OK, .executed = EXECUTED_YES};
    if (message_encode(id, value, bytes, sizeof bytes, &answer.body) == STATUS_OK)
        context->reply(context, request, &answer);
    else
        actor_refuse(context, request, STATUS_INTERNAL, 0, NULL);
}

/* No more than bytes_max of it, and no torn character. */
static struct bytes cut(struct bytes text, size_t bytes_max)
{
    if (text.size <= bytes_max)
        return text;
    text.size = bytes_max;
    while (text.size > 0 && ((unsigned char)text.data[text.size] & 0xc0) == 0x80)
        text.size--;
    return text;
}

/* Absent bytes stay absent. */
static struct bytes first_of(const char *text, const char *otherwise, size_t bytes_max)
{
    return cut(bytes_of(text != NULL ? text : otherwise), bytes_max);
}

void actor_refuse(struct context *context, const struct request *request, enum status status,
                  uint32_t retry_after_ms, const struct failure_text *text)
{
    static const struct failure_text nothing = {.code = NULL};
    char bytes[CONTROL_BYTES_MAX], error_id[ERROR_ID_BYTES];
    assert(status > STATUS_OK);
    assert(status < STATUS_COUNT);
    const struct status_row *row = &statuses[status];
    text = text != NULL ? text : &nothing;
    struct answer answer = {
        .status = status, .executed = row->executed, .retry_after_ms = retry_after_ms};
    struct msg_failure failure = {
        .code = first_of(text->code, row->name, 64),
        .message = first_of(text->message, row->text, 512),
        .field = first_of(text->field, NULL, 256),
        .hint = first_of(text->hint, NULL, 256),
        .details = text->details,
    };
    if (row->retry == RETRY_AFTER && status != STATUS_INFEASIBLE && retry_after_ms == 0)
        answer.retry_after_ms = 1;
    if (status == STATUS_INTERNAL) {
        (void)snprintf(error_id, sizeof error_id, "%016" PRIx64, context->random(context));
        failure.error_id = bytes_of(error_id);
        log_event(EVENT_INTERNAL, log_text("error_id", error_id),
                  log_bytes("method", name_bytes(&request->method)),
                  log_bytes("code", failure.code), log_bytes("message", failure.message));
    }
    if (status > STATUS_CANCELLED) {
        enum status encoded =
            message_encode(MSG_FAILURE, &failure, bytes, sizeof bytes, &answer.body);
        assert(
            encoded ==
            STATUS_OK); /* each text was cut to its bound, and the caller held details to theirs */
    }
    context->reply(context, request, &answer);
}
