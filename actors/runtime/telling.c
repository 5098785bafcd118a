/* telling - see process_private.h: what is stale is told to every broker.
 *
 * Invalidations are numbered and told to each broker in order, one at a time, again until it has
 * answered: an answer that is lost only repeats a number. */
#include <assert.h>
#include <string.h>

#include "actors/runtime/process_private.h"

#define TELL_MS 2000 /* a broker may take so long for an INVALIDATE */
#define TELL_AGAIN_MS 100

void uplink_tell(struct uplink *self)
{
    struct process *process = self->process;
    int64_t now_at = process->context.now_at;
    struct session *session = link_session(self->back);
    if (self->telling || self->told_next == process->invalidation_next ||
        session_state(session) != SESSION_UP || now_at < self->tell_again_at)
        return;
    const struct invalidation *one = &process->invalidations[self->told_next % INVALIDATIONS_MAX];
    char tags[16 + 9 * TAGS_BATCH_MAX], room[CONTROL_BYTES_MAX];
    struct writer writer;
    struct bytes body;
    writer_init(&writer, tags, sizeof tags);
    writer_array(&writer, one->count);
    for (size_t i = 0; i < one->count; i++)
        writer_u64(&writer, one->tags[i]);
    struct msg_invalidate message = {{process->context.session, SESSION_ID_BYTES},
                                     writer_bytes(&writer)};
    enum status status = message_encode(MSG_INVALIDATE, &message, room, sizeof room, &body);
    assert(status == STATUS_OK);
    struct header header = {.command = COMMAND_INVALIDATE,
                            .id = SESSION_INVALIDATE_FIRST + self->told_next,
                            .class = CLASS_CRITICAL,
                            .role = ROLE_BROKER};
    status = session_ask(session, &header, body, now_at + TELL_MS * US_PER_MS, self->told_next + 1,
                         now_at);
    self->telling = status == STATUS_OK;
    self->tell_again_at = now_at + TELL_AGAIN_MS * US_PER_MS;
}

/* What every broker has been told makes room. */
static void forget_told(struct process *self)
{
    uint64_t first = self->invalidation_next;
    for (unsigned i = 0; i < self->uplink_count; i++)
        if (self->uplinks[i].told_next < first)
            first = self->uplinks[i].told_next;
    self->invalidation_first = first;
}

void uplink_on_told(void *context, uint64_t tag, const struct header *header, struct bytes body)
{
    struct uplink *self = context;
    const struct status_row *row = &statuses[header->status];
    (void)body;
    bool is_hopeless = row->executed == EXECUTED_NO && row->retry == RETRY_NEVER &&
                       header->status != STATUS_DEADLINE_QUEUED;
    self->telling = false;
    if (is_hopeless)
        log_event(EVENT_UNSENT, log_text("what", "invalidation"), log_text("status", row->name));
    if ((header->status == STATUS_OK || is_hopeless) && tag == self->told_next + 1) {
        self->told_next++;
        self->tell_again_at = 0;
        forget_told(self->process);
        uplink_tell(self);
    }
}

void uplinks_invalidate(struct process *self, const uint64_t *tags, size_t count)
{
    if (self->invalidation_next - self->invalidation_first == INVALIDATIONS_MAX) {
        self->invalidation_first++; /* a broker that is away this long has lost its caches' trust */
        log_event(EVENT_UNSENT, log_text("what", "invalidation"));
    }
    struct invalidation *one = &self->invalidations[self->invalidation_next++ % INVALIDATIONS_MAX];
    memcpy(one->tags, tags, count * sizeof *tags);
    one->count = count;
    for (unsigned i = 0; i < self->uplink_count; i++) {
        struct uplink *uplink = &self->uplinks[i];
        if (uplink->told_next < self->invalidation_first)
            uplink->told_next = self->invalidation_first;
        uplink_tell(uplink);
    }
}

bool uplinks_are_told(const struct process *self)
{
    for (unsigned i = 0; i < self->uplink_count; i++)
        if (session_state(link_session(self->uplinks[i].back)) == SESSION_UP &&
            self->uplinks[i].told_next != self->invalidation_next)
            return false;
    return true;
}
