/* events - see events.h. The bytes lie in one ring, each event's in one piece: what does not fit
 * before the end begins at the start. */
#include "broker/events.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define PAST_EVENT_OVERHEAD 96u /* of a past_event around its topic and body */

struct event_kept {
    uint32_t at, size; /* of its body */
    uint32_t skipped;  /* before it, since it would have lain across the end */
    bool nil;          /* it has no body */
    uint8_t topic_size;
    char topic[TOPIC_BYTES_MAX];
};

struct events {
    uint64_t oldest, next; /* numbers; equal: none is kept */
    uint32_t end, used;    /* where the bytes of the newest end; how many behind it are taken */
    uint32_t events_max, bytes_max;
    char *bytes;
    struct event_kept kept[]; /* by number, modulo events_max */
};

struct events *events_new(uint32_t events_max, uint32_t bytes_max)
{
    assert(events_max > 0);
    assert(bytes_max >= MESSAGE_BYTES_MAX);
    struct events *self = calloc(1, sizeof *self + events_max * sizeof self->kept[0]);
    assert(self != NULL);
    self->bytes = calloc(1, bytes_max);
    assert(self->bytes != NULL);
    self->events_max = events_max;
    self->bytes_max = bytes_max;
    self->oldest = 1;
    self->next = 1;
    return self;
}

void events_destroy(struct events **self_p)
{
    assert(self_p != NULL);
    if (*self_p != NULL)
        free((*self_p)->bytes);
    free(*self_p);
    *self_p = NULL;
}

static struct event_kept *kept(struct events *self, uint64_t number)
{
    return &self->kept[number % self->events_max];
}

static void drop_oldest(struct events *self)
{
    const struct event_kept *oldest = kept(self, self->oldest);
    assert(self->oldest < self->next);
    self->used -= oldest->skipped + oldest->size;
    self->oldest++;
}

uint64_t events_add(struct events *self, struct bytes topic, struct bytes body,
                    struct header *ret_header)
{
    assert(topic.data != NULL);
    assert(topic.size <= TOPIC_BYTES_MAX);
    assert(body.size <= MESSAGE_BYTES_MAX);
    uint32_t size = (uint32_t)body.size;
    uint32_t skipped = self->end + size > self->bytes_max ? self->bytes_max - self->end : 0;
    while (self->used + skipped + size > self->bytes_max ||
           self->next - self->oldest == self->events_max)
        drop_oldest(self);
    uint64_t number = self->next++;
    struct event_kept *event = kept(self, number);
    *event = (struct event_kept){.at = skipped > 0 ? 0 : self->end,
                                 .size = size,
                                 .skipped = skipped,
                                 .nil = body.data == NULL,
                                 .topic_size = (uint8_t)topic.size};
    memcpy(event->topic, topic.data, topic.size);
    if (body.data != NULL) /* absent bytes have no pointer, and memcpy wants one */
        memcpy(self->bytes + event->at, body.data, size);
    self->end = event->at + size;
    self->used += skipped + size;
    *ret_header = (struct header){
        .command = COMMAND_EVENT, .id = number, .class = CLASS_CRITICAL, .method = topic};
    return number;
}

uint64_t events_oldest(const struct events *self)
{
    return self->oldest;
}

uint64_t events_newest(const struct events *self)
{
    return self->next - 1;
}

/* How many from this number on fit into so many bytes. */
static uint64_t fitting(struct events *self, uint64_t from, size_t room)
{
    uint64_t count = 0;
    while (from + count < self->next) {
        size_t size = kept(self, from + count)->size + PAST_EVENT_OVERHEAD;
        if (size > room)
            break;
        room -= size;
        count++;
    }
    return count;
}

static void write_event(struct events *self, uint64_t number, struct writer *writer)
{
    const struct event_kept *event = kept(self, number);
    struct msg_past_event past = {.number = number, .topic = {event->topic, event->topic_size}};
    if (!event->nil)
        past.body = (struct bytes){self->bytes + event->at, event->size};
    enum status status = message_write(MSG_PAST_EVENT, &past, writer);
    assert(status == STATUS_OK);
}

void events_write(struct events *self, uint64_t from, uint64_t generation, struct writer *writer)
{
    if (from < self->oldest)
        from = self->oldest;
    if (from > self->next)
        from = self->next;
    size_t room = writer->size - writer->used;
    uint64_t count =
        fitting(self, from, room > PAST_EVENT_OVERHEAD ? room - PAST_EVENT_OVERHEAD : 0);
    writer_map(writer, 5);
    writer_cstr(writer, "generation");
    writer_u64(writer, generation);
    writer_cstr(writer, "first");
    writer_u64(writer, self->oldest);
    writer_cstr(writer, "next");
    writer_u64(writer, from + count);
    writer_cstr(writer, "newest");
    writer_u64(writer, self->next - 1);
    writer_cstr(writer, "events");
    writer_array(writer, count);
    for (uint64_t i = 0; i < count; i++)
        write_event(self, from + i, writer);
}
