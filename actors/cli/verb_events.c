/* verb_events - fact events: what the broker tells everybody, by its numbers. It is asked for,
 * again and again, and not subscribed to: so it comes through the frontend like all else, and a
 * number that was missed is asked for like any other. */
#include <assert.h>
#include <string.h>

#include "actors/cli/connect.h"
#include "actors/cli/document.h"
#include "actors/cli/json.h"
#include "actors/cli/verbs.h"
#include "actors/cli/watch.h"

#define ASK_MS 500         /* between two questions, where all has been shown */
#define QUESTION_BYTES 32u /* of a message query_events */

struct reading {
    const struct invocation *invocation;
    uint64_t generation; /* of the broker that numbered; 0: none yet */
    uint64_t from;       /* the next number wanted */
    bool more;           /* there are newer ones than were answered */
};

static bool is_wanted(const struct invocation *invocation, const struct msg_past_event *event)
{
    struct msg_event_members members;
    const char *topic = invocation->options[CLI_TOPIC].text;
    if (topic != NULL)
        return bytes_are(event->topic, topic);
    bool beats = bytes_are(event->topic, "members") &&
                 message_decode(MSG_EVENT_MEMBERS, event->body, &members) == STATUS_OK &&
                 members.instance.data == NULL;
    return !beats; /* one a second, to show that none is missing: nothing has happened */
}

static void show_event(const struct invocation *invocation, uint64_t generation,
                       const struct msg_past_event *event)
{
    bool sound = value_check(event->body, BODY_NESTING_MAX);
    struct bytes body = sound ? event->body : (struct bytes){0};
    struct document document;
    if (invocation->options[CLI_OUTPUT].number == OUTPUT_TABLE) {
        fprintf(invocation->out, "%8llu  %-10.*s  ", (unsigned long long)event->number,
                (int)event->topic.size, event->topic.data);
        json_print_plain(body, invocation->out);
    } else {
        document_init(&document);
        writer_map(&document.writer, 4);
        put_u64(&document.writer, "number", event->number);
        put_u64(&document.writer, "generation", generation);
        put_text(&document.writer, "topic", event->topic);
        put_value(&document.writer, "body", body);
        json_print(document_value(&document), invocation->out);
        document_fini(&document);
    }
    fputc('\n', invocation->out);
}

/* Numbers that began anew, or that the broker no longer has. */
static void tell_gap(struct reading *self, const struct msg_events *events)
{
    FILE *err = self->invocation->err;
    if (self->generation != 0 && self->generation != events->generation)
        fputs("fact: another broker: numbers begin anew\n", err);
    else if (self->generation != 0 && events->first > self->from)
        fprintf(err, "fact: events %llu to %llu are no longer kept\n",
                (unsigned long long)self->from, (unsigned long long)events->first - 1);
    self->generation = events->generation;
}

static enum exit_code read_some(struct reading *self, struct fact *handle)
{
    char room[QUESTION_BYTES];
    struct msg_query_events query = {.from = self->from};
    struct msg_events events;
    struct msg_past_event event;
    struct fact_reply reply;
    struct bytes body, element;
    enum status status = message_encode(MSG_QUERY_EVENTS, &query, room, sizeof room, &body);
    assert(status == STATUS_OK);
    enum exit_code code =
        connect_ask(self->invocation, handle, COMMAND_QUERY, "events", body, &reply);
    if (code != CODE_OK)
        return code;
    if (message_decode(MSG_EVENTS, reply.body, &events) != STATUS_OK) {
        fputs("fact: the broker's events make no sense to this version\n", self->invocation->err);
        return CODE_FAILED;
    }
    bool anew = self->generation != 0 && self->generation != events.generation;
    tell_gap(self, &events);
    self->from = anew ? 1 : events.next;
    self->more = anew || events.next <= events.newest;
    if (anew)
        return CODE_OK; /* what was answered goes by another broker's numbers */
    struct values values = values_over(events.events);
    while (values_next(&values, &element))
        if (message_decode(MSG_PAST_EVENT, element, &event) == STATUS_OK &&
            is_wanted(self->invocation, &event))
            show_event(self->invocation, events.generation, &event);
    return CODE_OK;
}

enum exit_code verb_events(const struct invocation *invocation)
{
    struct reading reading = {.invocation = invocation,
                              .from = (uint64_t)invocation->options[CLI_FROM].number};
    bool follows = invocation->options[CLI_FOLLOW].given;
    struct fact *handle;
    struct watch watch;
    enum exit_code code = connect_one(invocation, &handle);
    if (code != CODE_OK)
        return code;
    watch_open(&watch);
    bool began = false;
    do {
        code = read_some(&reading, handle);
        fflush(invocation->out);
        began = began || code == CODE_OK;
        reading.more = reading.more && code == CODE_OK;
    } while (began && (follows || reading.more) &&
             watch_wait(&watch, handle, reading.more ? 0 : ASK_MS));
    watch_close(&watch);
    fact_destroy(&handle);
    return follows && began ? CODE_OK : code;
}
