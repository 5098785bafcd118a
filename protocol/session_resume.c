/* session_resume - see session_private.h: questions that outlive a connection. */
#include <assert.h>

#include "protocol/session_private.h"

/* What is kept for us may still be answered, if the other side soon says so. */
void session_await_resuming(struct session *self, int64_t now_at)
{
    struct ask_entry *entry = asks_first_sent(self->asks);
    int64_t until_at = now_at + SESSION_RESUME_MS * US_PER_MS;
    for (; entry != NULL; entry = asks_next_sent(self->asks, entry)) {
        if (!entry->resuming && until_at < entry->deadline_at)
            asks_set_due(self->asks, entry, until_at);
        entry->resuming = true;
    }
}

bool session_is_resuming(const struct session *self)
{
    const struct ask_entry *sent = asks_first_sent(self->asks);
    return self->state == SESSION_GREETING && sent != NULL && sent->resuming;
}

/* What became of those that had left? Answers that are held for us come before the answer to this.
 */
void session_ask_what_became(struct session *self)
{
    struct ask_entry *entry = asks_first_sent(self->asks);
    for (; entry != NULL; entry = asks_next_sent(self->asks, entry)) {
        char bytes[32];
        struct bytes body;
        struct msg_query_status query = {.id = entry->id};
        struct header header = {.command = COMMAND_QUERY,
                                .id = SESSION_STATUS_FIRST + entry->id,
                                .deadline_ms = SESSION_RESUME_MS,
                                .class = CLASS_CRITICAL,
                                .role = ROLE_BROKER,
                                .method = bytes_of("status")};
        enum status status = message_encode(MSG_QUERY_STATUS, &query, bytes, sizeof bytes, &body);
        assert(status == STATUS_OK);
        session_put(self, &header, body);
    }
}

void session_on_what_became(struct session *self, const struct pair *pair)
{
    struct msg_request_status status;
    struct ask_entry *entry = asks_find_id(self->asks, pair->header.id - SESSION_STATUS_FIRST);
    if (entry == NULL || !entry->resuming)
        return;
    bool known = pair->header.status == STATUS_OK &&
                 message_decode(MSG_REQUEST_STATUS, pair->body, &status) == STATUS_OK &&
                 !bytes_are(status.state, "unknown");
    if (!known) {
        self->counts.lost++;
        session_end_ask(self, entry, STATUS_WORKER_LOST, EXECUTED_MAYBE);
        return;
    }
    entry->resuming = false;
    asks_set_due(self->asks, entry, entry->deadline_at + self->grace_us);
}

/* Every answer below the oldest question that is open has come. */
void session_acknowledge(struct session *self)
{
    const struct ask_entry *sent = asks_first_sent(self->asks);
    const struct ask_entry *waiting = asks_first_waiting(self->asks);
    uint64_t open = self->next_id;
    if (sent != NULL && sent->id < open)
        open = sent->id;
    if (waiting != NULL && waiting->id < open)
        open = waiting->id;
    if (self->state != SESSION_UP || open == 1)
        return;
    session_put_command(self, COMMAND_ACKFLOOR, open - 1, (struct bytes){0});
    self->unacknowledged = 0;
}
