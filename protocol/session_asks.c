/* session_asks - see session_private.h: questions and their ends.
 *
 * They stand in a table of entries (asks.h): found by number and by tag through two rows of chains,
 * and by deadline through a heap. One that cannot leave yet (no greeting, no credit) keeps its
 * bytes and waits in line; its deadline is patched when it leaves. */
#include "protocol/session_private.h"

#include <assert.h>

void session_end_ask(struct session *self, struct ask_entry *entry, enum status status,
                     enum executed executed)
{
    char bytes[CONTROL_BYTES_MAX];
    uint64_t tag = entry->tag;
    struct header header = {.command = COMMAND_REPLY,
                            .id = entry->id,
                            .status = status,
                            .executed = executed,
                            .admit_level = CLASS_SHEDDABLE};
    self->waiting_bytes -= entry->size;
    asks_remove(self->asks, entry);
    if (self->owner.on_answer != NULL)
        self->owner.on_answer(self->owner.self, tag, &header,
                              message_encode_failure(status, bytes));
}

/* The first that was sent and is not kept; or any. Whoever is told of an end may end others. */
static struct ask_entry *first_to_end(const struct session *self, bool kept_too)
{
    struct ask_entry *entry = asks_first_sent(self->asks);
    while (entry != NULL && entry->kept && !kept_too)
        entry = asks_next_sent(self->asks, entry);
    return entry;
}

/* What had left may have been executed, and nobody will say. What had not, leaves later. */
void session_end_what_left(struct session *self, bool kept_too)
{
    struct ask_entry *entry;
    while ((entry = first_to_end(self, kept_too)) != NULL) {
        self->counts.lost++;
        session_end_ask(self, entry, STATUS_WORKER_LOST, EXECUTED_MAYBE);
    }
}

/* The oldest that waits leaves, with what is left of its deadline. */
static void send_waiting(struct session *self, struct ask_entry *entry, int64_t now_at)
{
    int64_t left_ms = (entry->deadline_at - now_at) / US_PER_MS;
    struct bytes pair = {entry->pair, entry->size};
    assert(left_ms > 0);
    envelope_set_deadline(entry->pair, (uint32_t)left_ms);
    asks_mark_sent(self->asks, entry, entry->deadline_at + self->grace_us);
    self->waiting_bytes -= entry->size;
    if (entry->counts)
        self->sent++;
    outgoing_put(self->outgoing, pair, (struct bytes){0});
    asks_free_bytes(entry);
}

static bool may_send(const struct session *self, bool counts)
{
    return self->state == SESSION_UP && (!counts || self->sent != self->granted);
}

bool session_has_credit(const struct session *self)
{
    return may_send(self, true) && asks_first_waiting(self->asks) == NULL;
}

void session_send_what_waits(struct session *self, int64_t now_at)
{
    struct ask_entry *entry;
    while ((entry = asks_first_waiting(self->asks)) != NULL && may_send(self, entry->counts)) {
        if (entry->deadline_at - now_at >= US_PER_MS) {
            send_waiting(self, entry, now_at);
            continue;
        }
        self->counts.timed_out++;
        session_end_ask(self, entry, STATUS_DEADLINE_QUEUED, EXECUTED_NO);
    }
}

void session_take_credit(struct session *self, uint32_t credit)
{
    if ((int32_t)(credit - self->granted) > 0)
        self->granted = credit;
}

void session_on_reply(struct session *self, const struct pair *pair)
{
    struct ask_entry *entry = asks_find_id(self->asks, pair->header.id);
    session_take_credit(self, pair->header.credit);
    if (pair->header.id > SESSION_STATUS_FIRST) {
        session_on_what_became(self, pair);
        return;
    }
    if (entry == NULL || !entry->sent) {
        self->counts.late_answers++;
        return;
    }
    uint64_t tag = entry->tag;
    self->unacknowledged += entry->kept;
    asks_remove(self->asks, entry);
    self->counts.answered++;
    if (self->owner.on_answer != NULL)
        self->owner.on_answer(self->owner.self, tag, &pair->header, pair->body);
}

/* What nobody waits for any more is passed over, like a late reply. */
void session_on_partial(struct session *self, const struct pair *pair)
{
    struct ask_entry *entry = asks_find_id(self->asks, pair->header.id);
    if (entry != NULL && entry->sent && self->owner.on_partial != NULL)
        self->owner.on_partial(self->owner.self, entry->tag, &pair->header, pair->body);
}

static void say_cancel(struct session *self, uint64_t id)
{
    if (self->state == SESSION_UP)
        session_put_command(self, COMMAND_CANCEL, id, (struct bytes){0});
}

/* Of what has not left it is known that nothing was executed. */
void session_end_what_is_late(struct session *self, int64_t now_at)
{
    struct ask_entry *entry;
    while ((entry = asks_first_due(self->asks)) != NULL && entry->due_at <= now_at) {
        bool sent = entry->sent;
        bool lost = entry->resuming && now_at < entry->deadline_at;
        if (sent && entry->counts)
            say_cancel(self, entry->id);
        if (lost) {
            self->counts.lost++;
            session_end_ask(self, entry, STATUS_WORKER_LOST, EXECUTED_MAYBE);
            continue;
        }
        self->counts.timed_out++;
        session_end_ask(self, entry, sent ? STATUS_DEADLINE_RUNNING : STATUS_DEADLINE_QUEUED,
                        sent ? EXECUTED_MAYBE : EXECUTED_NO);
    }
}

/* Keep the bytes until credit or a greeting comes. */
static enum status wait_in_line(struct session *self, struct ask_entry *entry, struct bytes head,
                                struct bytes body)
{
    size_t size = head.size + body.size;
    if (size > self->waiting_bytes_max - self->waiting_bytes) {
        asks_remove(self->asks, entry);
        return STATUS_BUSY_FULL;
    }
    asks_keep_bytes(entry, head, body);
    self->waiting_bytes += size;
    return STATUS_OK;
}

enum status session_ask(struct session *self, const struct header *header, struct bytes body,
                        int64_t deadline_at, uint64_t tag, int64_t now_at)
{
    assert(commands[header->command].answer == COMMAND_REPLY);
    if (self->state == SESSION_REFUSED)
        return STATUS_CANCELLED;
    if (body.size > PAIR_BODY_BYTES_MAX)
        return STATUS_TOO_LARGE;
    if (deadline_at - now_at < US_PER_MS)
        return STATUS_DEADLINE_QUEUED;
    int64_t left_ms = (deadline_at - now_at) / US_PER_MS;
    struct header ours = *header;
    ours.id = header->command == COMMAND_INVALIDATE ? header->id : self->next_id++;
    assert(header->command != COMMAND_INVALIDATE || header->id >= SESSION_INVALIDATE_FIRST);
    ours.deadline_ms = left_ms < UINT32_MAX ? (uint32_t)left_ms : UINT32_MAX;
    bool counts = header->command == COMMAND_REQUEST;
    bool sends = may_send(self, counts) && asks_first_waiting(self->asks) == NULL;
    struct ask_entry *entry =
        asks_add(self->asks, ours.id, tag, deadline_at, deadline_at + (sends ? self->grace_us : 0));
    if (entry == NULL)
        return STATUS_BUSY_FULL;
    entry->counts = counts;
    entry->kept = self->resumes && counts && header->flags & FLAG_KEEP;
    char head_bytes[PAIR_HEAD_BYTES_MAX];
    struct bytes head = {head_bytes, pairs_encode_head(&ours, body, head_bytes)};
    if (!sends) {
        enum status status = wait_in_line(self, entry, head, body);
        self->counts.asked += status == STATUS_OK;
        return status;
    }
    asks_mark_sent(self->asks, entry, entry->deadline_at + self->grace_us);
    self->sent += counts;
    self->counts.asked++;
    outgoing_put(self->outgoing, head, body);
    return STATUS_OK;
}

bool session_cancel(struct session *self, uint64_t tag)
{
    struct ask_entry *entry = asks_find_tag(self->asks, tag);
    if (entry == NULL)
        return false;
    if (entry->sent && entry->counts)
        say_cancel(self, entry->id);
    self->waiting_bytes -= entry->size;
    self->counts.cancelled++;
    asks_remove(self->asks, entry);
    return true;
}

bool session_take_back(struct session *self, uint64_t tag)
{
    const struct ask_entry *entry = asks_find_tag(self->asks, tag);
    return entry != NULL && !entry->sent && session_cancel(self, tag);
}
