/* mcp_hear - see mcp_talk.h. A server answers with one JSON text or with a stream of events, as it
 * likes; of what a stream says besides the answer progress is told to a caller who wants parts;
 * logs and questions that only a client with capabilities would get are passed over. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "actors/arcade_gateway/mcp_talk.h"

#define TEXT_BYTES_MIN 4096u

static bool is_stream(const struct http_response *came)
{
    static const char type[] = "text/event-stream";
    const char *stated = http_header_find(came, "Content-Type");
    if (stated == NULL || strncasecmp(stated, type, sizeof type - 1) != 0)
        return false;
    char next = stated[sizeof type - 1];
    return next == '\0' || next == ';' || next == ' ';
}

/* An error without an id is about the only request that there is. */
static bool is_answer(const struct mcp_talk *self, const struct mcp_message *message)
{
    if (message->kind == MCP_ERROR && !message->has_id)
        return true;
    return (message->kind == MCP_RESULT || message->kind == MCP_ERROR) && message->has_id &&
           message->id == self->id;
}

/* Progress of our request, as far as it makes sense. A later one stands for those before. */
static void take_progress(struct mcp_talk *self, const struct mcp_message *message)
{
    int64_t token;
    double progress, total;
    char text[MCP_PROGRESS_TEXT_BYTES];
    struct writer writer;
    if (message->kind != MCP_NOTIFICATION || !bytes_are(message->method, "notifications/progress"))
        return;
    if (!value_i64(value_find(message->params, "progressToken"), &token) || token != self->id ||
        !value_f64(value_find(message->params, "progress"), &progress))
        return;
    bool has_total = value_f64(value_find(message->params, "total"), &total);
    bool has_text = dialogue_text(message->params, "message", text, sizeof text);
    writer_init(&writer, self->progress, sizeof self->progress);
    writer_map(&writer, 1u + has_total + has_text);
    writer_cstr(&writer, "progress");
    writer_f64(&writer, progress);
    if (has_total) {
        writer_cstr(&writer, "total");
        writer_f64(&writer, total);
    }
    if (has_text) {
        writer_cstr(&writer, "message");
        writer_cstr(&writer, text);
    }
    assert(!writer.full);
    self->progress_size = writer.used;
}

static void read_message(struct mcp_talk *self, struct bytes text)
{
    struct mcp_message message;
    if (self->answer.kind != MCP_NOTHING || mcp_message_read(text, &message) != NULL)
        return;
    if (is_answer(self, &message)) {
        self->answer = message;
    } else {
        take_progress(self, &message);
        mcp_message_fini(&message);
    }
}

static void hear_events(struct mcp_talk *self, struct bytes piece)
{
    struct sse_event event;
    enum sse_next next = SSE_EVENT;
    while (self->answer.kind == MCP_NOTHING && next == SSE_EVENT) {
        next = sse_take(&self->sse, &piece, &event);
        if (next == SSE_EVENT)
            read_message(self, event.data);
    }
    self->is_too_large = next == SSE_TOO_LARGE;
}

static void keep_text(struct mcp_talk *self, struct bytes piece)
{
    self->is_too_large = self->is_too_large || piece.size > HTTP_BODY_BYTES_MAX - self->text_size;
    if (self->is_too_large)
        return;
    size_t wanted = self->text_room > 0 ? self->text_room : TEXT_BYTES_MIN;
    while (wanted < self->text_size + piece.size)
        wanted *= 2;
    if (wanted > self->text_room) {
        self->text = realloc(self->text, wanted);
        assert(self->text != NULL);
        self->text_room = wanted;
    }
    memcpy(self->text + self->text_size, piece.data, piece.size);
    self->text_size += piece.size;
}

void mcp_hear_begin(struct mcp_talk *self)
{
    mcp_hear_fini(self);
    sse_init(&self->sse);
}

void mcp_hear(struct mcp_talk *self, const struct http_response *came)
{
    if (came->exchange != self->exchange)
        mcp_hear_begin(self);
    self->exchange = came->exchange;
    self->progress_size = 0;
    if (came->body.size > 0 && is_stream(came))
        hear_events(self, came->body);
    else if (came->body.size > 0)
        keep_text(self, came->body);
}

void mcp_hear_end(struct mcp_talk *self)
{
    if (self->text_size > 0 && !self->is_too_large)
        read_message(self, (struct bytes){self->text, self->text_size});
}

void mcp_hear_fini(struct mcp_talk *self)
{
    mcp_message_fini(&self->answer);
    sse_fini(&self->sse);
    free(self->text);
    self->text = NULL;
    self->text_size = self->text_room = 0;
    self->is_too_large = false;
}
