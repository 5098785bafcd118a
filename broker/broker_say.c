/* broker_say - what the broker says of its own: failures, refusals of what makes no sense, events,
 * lines of the log. */
#include <string.h>

#include "broker/broker_private.h"

/* They are all alike, and under overload they are most of what is said. */
void broker_encode_failures(struct broker *self)
{
    char bytes[CONTROL_BYTES_MAX];
    for (int status = 0; status < STATUS_COUNT; status++) {
        struct bytes body = message_encode_failure((enum status)status, bytes);
        assert(body.size <= FAILURE_BYTES);
        if (body.data == NULL)
            continue;
        memcpy(self->failure_bytes[status], body.data, body.size);
        self->failures[status] = (struct bytes){self->failure_bytes[status], body.size};
    }
}

struct bytes broker_failure(const struct broker *self, const struct verdict *verdict, char *out)
{
    struct msg_failure failure = {.code = bytes_of(statuses[verdict->status].name),
                                  .message = bytes_of(statuses[verdict->status].text),
                                  .hint = bytes_of(verdict->hint),
                                  .details = verdict->details};
    struct bytes body = self->failures[verdict->status];
    if (verdict->hint == NULL && verdict->details.data == NULL)
        return body;
    enum status status = message_encode(MSG_FAILURE, &failure, out, CONTROL_BYTES_MAX, &body);
    assert(status == STATUS_OK);
    return body;
}

struct header broker_header(enum command command, uint64_t id)
{
    return (struct header){
        .command = command, .id = id, .class = CLASS_CRITICAL, .admit_level = CLASS_SHEDDABLE};
}

void broker_say(struct broker *self, const struct peer *peer, const struct header *header,
                struct bytes body)
{
    outbox_put(self->outbox, sessions_index(self->sessions, peer), header, body);
}

void broker_say_status(struct broker *self, const struct peer *peer, enum command command,
                       uint64_t id, const struct verdict *verdict)
{
    char bytes[CONTROL_BYTES_MAX];
    struct header header = broker_header(command, id);
    header.status = verdict->status;
    header.executed = statuses[verdict->status].executed;
    header.retry_after_ms = verdict->retry_after_ms;
    header.instance = bytes_of(self->instance);
    struct bytes body = broker_failure(self, verdict, bytes);
    broker_say(self, peer, &header, body);
}

void broker_note(const struct broker *self, enum log_event event, const struct log_field *fields,
                 size_t count)
{
    if (self->outside.note != NULL)
        self->outside.note(self->outside.self, event, fields, count);
}

void broker_publish_bytes(struct broker *self, const char *topic, struct bytes body)
{
    struct header header;
    (void)events_add(self->events, bytes_of(topic), body, &header);
    size_t size = pairs_encode_head(&header, body, self->event);
    if (body.size > 0)
        memcpy(self->event + size, body.data, body.size);
    self->outside.publish(self->outside.self, header.method,
                          (struct bytes){self->event, size + body.size});
}

void broker_publish(struct broker *self, const char *topic, enum message_id id, const void *body)
{
    char bytes[CONTROL_BYTES_MAX];
    struct bytes encoded = {0};
    enum status status = message_encode(id, body, bytes, sizeof bytes, &encoded);
    assert(status == STATUS_OK);
    broker_publish_bytes(self, topic, encoded);
}

/* REPLY goes to what a REPLY answers and to nothing else: one to a bad CANCEL would be taken for
 * the answer to the request that it names. What is an answer itself is never answered, or it might
 * never end. */
void broker_reject(struct broker *self, const struct source *from, const struct pair *pair)
{
    enum command command = pair->header.command;
    struct verdict verdict = {.status = pair->status};
    if (pair->status == STATUS_OK)
        verdict.status = STATUS_BAD_REQUEST;
    bool asks = command == COMMAND_NONE || commands[command].answer == COMMAND_REPLY;
    if (asks && pair->header.id != 0 && from->side == SIDE_FRONTEND) {
        bool counts = command == COMMAND_NONE || command == COMMAND_REQUEST;
        if (counts) {
            self->counts.roles[ROLE_NONE].accepted++;
            from->peer->asked++;
            broker_refuse(self, from->peer, pair->header.id, ROLE_NONE, &verdict);
        } else {
            self->counts.malformed++;
            broker_say_status(self, from->peer, COMMAND_REPLY, pair->header.id, &verdict);
        }
    } else {
        self->counts.malformed++;
        if (commands[command].layout == LAYOUT_REQUEST)
            broker_say_status(self, from->peer, COMMAND_ERROR, 0, &verdict);
    }
    if (!peer_strike(from->peer, self->now_at))
        return;
    const struct log_field field = log_bytes("peer", name_bytes(&from->peer->instance));
    self->counts.struck++;
    broker_note(self, EVENT_MALFORMED, &field, 1);
    broker_send_away(self, from->peer, STATUS_BAD_REQUEST, "too many faults");
}

void broker_refuse_question(struct broker *self, const struct source *from, const struct pair *pair,
                            enum status status, const char *hint)
{
    struct verdict verdict = {.status = status, .hint = hint};
    if (statuses[status].retry == RETRY_AFTER)
        verdict.retry_after_ms = RETRY_MS;
    broker_say_status(self, from->peer, COMMAND_REPLY, pair->header.id, &verdict);
}

void broker_reply_question(struct broker *self, const struct source *from, const struct pair *pair,
                           struct bytes body)
{
    struct header header = broker_header(COMMAND_REPLY, pair->header.id);
    header.executed = EXECUTED_YES;
    header.instance = bytes_of(self->instance);
    broker_say(self, from->peer, &header, body);
}

void broker_reply_message(struct broker *self, const struct source *from, const struct pair *pair,
                          enum message_id id, const void *value)
{
    struct bytes body = {0};
    enum status status = message_encode(id, value, self->answer, sizeof self->answer, &body);
    assert(status == STATUS_OK);
    broker_reply_question(self, from, pair, body);
}
