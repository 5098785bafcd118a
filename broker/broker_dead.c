/* broker_dead - requests that no worker survived: kept, shown, and run again if an operator says
 * so. See docs/protocol.md, "Liveness"; decisions/0112. */
#include "broker/broker_private.h"

#include <string.h>

#define KICK_MS 30000u     /* of one that names no deadline */
#define WORKERS_BYTES 256u /* of the names of one letter */

_Static_assert(FRAME_BYTES_MAX <= DEAD_LETTERS_BYTES_MAX, "the largest request fits");
_Static_assert(DEAD_LETTERS_MAX * 512u <= PAIR_BODY_BYTES_MAX, "all are told in one answer");

void broker_mourn(struct broker *self, struct slot *slot)
{
    const struct worker *worker = workers_at(self->workers, slot->worker);
    const struct peer *peer = sessions_at(self->sessions, worker->peer);
    assert(slot->deaths < DEATHS_MAX);
    slot->lost_with[slot->deaths++] = dead_letters_mourn(self->dead_letters, &peer->instance);
}

void broker_keep_dead(struct broker *self, const struct slot *slot)
{
    struct pairs pairs = pairs_over(slots_pair(slot));
    struct pair pair;
    bool whole = pairs_next(&pairs, &pair);
    assert(whole); /* it was sent like that */
    struct dead_letter letter = {.role = slot->place.role,
                                 .method = name_of(pair.header.method),
                                 .tenant = name_of(pair.header.tenant),
                                 .class = slot->place.class,
                                 .flags = slot->flags,
                                 .deaths = slot->deaths,
                                 .died_at = self->now_at,
                                 .pair = pair.whole};
    for (uint8_t i = 0; i < slot->deaths; i++)
        letter.workers[i] = dead_letters_name(self->dead_letters, slot->lost_with[i]);
    uint64_t id = dead_letters_keep(self->dead_letters, &letter);
    const struct log_field fields[] = {log_u64("id", id), log_u64("role", letter.role),
                                       log_bytes("method", name_bytes(&letter.method)),
                                       log_u64("deaths", letter.deaths)};
    broker_note(self, EVENT_POISON, fields, sizeof fields / sizeof fields[0]);
}

static struct bytes write_workers(const struct dead_letter *letter, char *out)
{
    struct writer writer;
    writer_init(&writer, out, WORKERS_BYTES);
    writer_array(&writer, letter->deaths);
    for (uint8_t i = 0; i < letter->deaths; i++)
        writer_text(&writer, (struct bytes){letter->workers[i].data, letter->workers[i].size});
    return writer_bytes(&writer);
}

static struct bytes body_of(const struct dead_letter *letter)
{
    struct pairs pairs = pairs_over(letter->pair);
    struct pair pair;
    bool whole = pairs_next(&pairs, &pair);
    assert(whole);
    return pair.body;
}

static enum status write_letter(const struct broker *self, const struct dead_letter *letter,
                                bool with_body, struct writer *writer)
{
    char workers[WORKERS_BYTES];
    struct msg_dead_letter its = {.id = letter->id,
                                  .role = letter->role,
                                  .method = name_bytes(&letter->method),
                                  .tenant = name_bytes(&letter->tenant),
                                  .class = letter->class,
                                  .idempotent = (letter->flags & FLAG_IDEMPOTENT) != 0,
                                  .deaths = letter->deaths,
                                  .workers = write_workers(letter, workers),
                                  .age_ms = (uint64_t)(self->now_at - letter->died_at) / US_PER_MS,
                                  .bytes = letter->pair.size};
    if (with_body)
        its.body = body_of(letter);
    return message_write(MSG_DEAD_LETTER, &its, writer);
}

/* One that was asked for by its number, with its body; or all, without. */
void broker_admin_dead(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct msg_admin_dead asked = {0};
    struct writer writer;
    const struct dead_letter *letter = NULL;
    if (pair->body.data != NULL &&
        message_decode(MSG_ADMIN_DEAD, pair->body, &asked) != STATUS_OK) {
        broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST, "dead wants {id} or nothing");
        return;
    }
    if (asked.id != 0 && (letter = dead_letters_find(self->dead_letters, asked.id)) == NULL) {
        broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST,
                               "no dead letter has this number (any more)");
        return;
    }
    writer_init(&writer, self->answer, sizeof self->answer);
    writer_map(&writer, 2);
    writer_cstr(&writer, "dropped");
    writer_u64(&writer, dead_letters_dropped(self->dead_letters));
    writer_cstr(&writer, "letters");
    writer_array(&writer, letter != NULL ? 1 : dead_letters_count(self->dead_letters));
    enum status status = letter != NULL ? write_letter(self, letter, true, &writer) : STATUS_OK;
    for (uint64_t id = 0; asked.id == 0 && status == STATUS_OK; id = letter->id) {
        letter = dead_letters_after(self->dead_letters, id);
        if (letter == NULL)
            break;
        status = write_letter(self, letter, false, &writer);
    }
    if (status == STATUS_OK && !writer.full)
        broker_reply_question(self, from, pair, writer_bytes(&writer));
    else
        broker_refuse_question(self, from, pair, STATUS_TOO_LARGE,
                               "its body and what is said of it are more than one answer");
}

/* Another life: a request of the operator's, whose REPLY answers the ADMIN, and which is done
 * though the operator may leave. Admitted, it is no dead letter any more. */
void broker_admin_kick(struct broker *self, const struct source *from, const struct pair *pair)
{
    struct msg_admin_dead asked;
    struct pair again;
    zmq_msg_t message;
    const struct dead_letter *letter = NULL;
    if (from->side != SIDE_FRONTEND) {
        broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST,
                               "a kick is a request: send it to the frontend");
        return;
    }
    if (message_decode(MSG_ADMIN_DEAD, pair->body, &asked) == STATUS_OK)
        letter = dead_letters_find(self->dead_letters, asked.id);
    if (letter == NULL || pair->header.id == 0) {
        broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST,
                               "kick wants {id}; no dead letter has this number (any more)");
        return;
    }
    uint32_t client = sessions_index(self->sessions, from->peer);
    if (slots_find_request(self->slots, client, pair->header.id) != NULL) {
        broker_refuse_question(self, from, pair, STATUS_BAD_REQUEST,
                               "a request of yours has this id: kick under a new one");
        return;
    }
    uint16_t dropped = FLAG_STREAM | FLAG_ACK_ACCEPT | FLAG_COALESCE | FLAG_KEEP | FLAG_NO_REPLY;
    struct header patch = {.command = COMMAND_REQUEST,
                           .flags = (uint16_t)((letter->flags & ~dropped) | FLAG_DETACHED),
                           .id = pair->header.id,
                           .deadline_ms =
                               pair->header.deadline_ms > 0 ? pair->header.deadline_ms : KICK_MS,
                           .class = letter->class};
    frame_copy(&message, letter->pair, (struct bytes){0});
    envelope_patch(zmq_msg_data(&message), &patch);
    struct pairs pairs = pairs_over(frame_bytes(&message));
    bool whole = pairs_next(&pairs, &again);
    assert(whole);
    assert(again.status == STATUS_OK);
    struct source source = {from->side, from->peer, &message};
    broker_on_request(self, &source, &again);
    if (slots_find_request(self->slots, client, patch.id) != NULL) {
        const struct log_field fields[] = {log_u64("id", asked.id)};
        broker_note(self, EVENT_KICKED, fields, 1);
        dead_letters_remove(self->dead_letters, asked.id);
    }
    zmq_msg_close(&message);
}
