/* sse - see sse.h. The data of an event and the line that has not ended share one buffer: a line of
 * data is moved down by the length of its field's name, and is then where it belongs. */
#include "actors/arcade_gateway/sse.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "protocol/limits.h"

#define TEXT_BYTES_MIN 4096u

static const char byte_order_mark[] = "\xef\xbb\xbf";

void sse_init(struct sse *self)
{
    *self = (struct sse){.text = NULL};
}

void sse_fini(struct sse *self)
{
    free(self->text);
    sse_init(self);
}

/* False: the event would be larger than allowed. */
static bool append(struct sse *self, const char *data, size_t size)
{
    size_t used = self->data_size + self->line_size;
    if (size > SSE_EVENT_BYTES_MAX - used)
        return false;
    size_t wanted = self->size > 0 ? self->size : TEXT_BYTES_MIN;
    while (wanted < used + size)
        wanted *= 2;
    if (wanted > self->size) {
        self->text = realloc(self->text, wanted);
        assert(self->text != NULL);
        self->size = wanted;
    }
    memcpy(self->text + used, data, size);
    self->line_size += size;
    return true;
}

/* The line's value becomes the data, or one line more of it. The room of the line feed is there:
 * the field's name was longer. */
static void take_data(struct sse *self, struct bytes value)
{
    char *end = self->text + self->data_size;
    if (self->has_data)
        *end++ = '\n';
    memmove(end, value.data, value.size);
    self->data_size = (size_t)(end - self->text) + value.size;
    self->has_data = true;
}

static void take_id(struct sse *self, struct bytes value)
{
    if (value.size > sizeof self->id || memchr(value.data, '\0', value.size) != NULL)
        return;
    memcpy(self->id, value.data, value.size);
    self->id_size = value.size;
}

static void take_type(struct sse *self, struct bytes value)
{
    self->type_size = value.size < sizeof self->type ? value.size : sizeof self->type;
    memcpy(self->type, value.data, self->type_size);
}

static void take_retry(struct sse *self, struct bytes value)
{
    uint64_t number = 0;
    for (size_t i = 0; i < value.size; i++) {
        if (value.data[i] < '0' || value.data[i] > '9')
            return;
        number = number * 10 + (uint64_t)(value.data[i] - '0');
        number = number < UINT32_MAX ? number : UINT32_MAX;
    }
    if (value.size > 0)
        self->retry_ms = (uint32_t)number;
}

/* A comment is a field without a name, and so unknown like others. */
static void take_field(struct sse *self, struct bytes line)
{
    const char *colon = memchr(line.data, ':', line.size);
    struct bytes name = {line.data, colon != NULL ? (size_t)(colon - line.data) : line.size};
    struct bytes value = {line.data + line.size, 0};
    if (colon != NULL) {
        size_t skipped = name.size + 1;
        skipped += skipped < line.size && line.data[skipped] == ' ';
        value = (struct bytes){line.data + skipped, line.size - skipped};
    }
    if (bytes_are(name, "data"))
        take_data(self, value);
    else if (bytes_are(name, "event"))
        take_type(self, value);
    else if (bytes_are(name, "id"))
        take_id(self, value);
    else if (bytes_are(name, "retry"))
        take_retry(self, value);
}

static void forget_event(struct sse *self)
{
    self->data_size = self->type_size = 0;
    self->has_data = self->is_delivered = false;
}

/* An empty line ends an event; without data there is none. */
static bool end_event(struct sse *self, struct sse_event *ret)
{
    if (!self->has_data) {
        forget_event(self);
        return false;
    }
    self->is_delivered = true;
    *ret = (struct sse_event){
        .type =
            self->type_size > 0 ? (struct bytes){self->type, self->type_size} : bytes_of("message"),
        .data = {self->text, self->data_size},
        .id = {self->id, self->id_size},
    };
    return true;
}

/* True: the line ended an event. */
static bool end_line(struct sse *self, struct sse_event *ret)
{
    struct bytes line = {self->text + self->data_size, self->line_size};
    size_t mark = sizeof byte_order_mark - 1;
    if (!self->has_line && line.size >= mark && memcmp(line.data, byte_order_mark, mark) == 0) {
        line.data += mark;
        line.size -= mark;
    }
    self->has_line = true;
    self->line_size = 0;
    if (line.size == 0)
        return end_event(self, ret);
    take_field(self, line);
    return false;
}

static void skip(struct bytes *piece, size_t size)
{
    piece->data += size;
    piece->size -= size;
}

/* Bytes before the next line end, or all. */
static size_t line_bytes(struct bytes piece)
{
    const char *feed = memchr(piece.data, '\n', piece.size);
    size_t size = feed != NULL ? (size_t)(feed - piece.data) : piece.size;
    const char *carriage = memchr(piece.data, '\r', size);
    return carriage != NULL ? (size_t)(carriage - piece.data) : size;
}

enum sse_next sse_take(struct sse *self, struct bytes *piece, struct sse_event *ret)
{
    if (self->is_delivered)
        forget_event(self);
    while (piece->size > 0 && !self->is_too_large) {
        if (self->after_cr && piece->data[0] == '\n')
            skip(piece, 1);
        self->after_cr = false;
        size_t size = line_bytes(*piece);
        self->is_too_large = !append(self, piece->data, size);
        if (self->is_too_large || size == piece->size) {
            skip(piece, piece->size);
            break;
        }
        self->after_cr = piece->data[size] == '\r';
        skip(piece, size + 1);
        if (end_line(self, ret))
            return SSE_EVENT;
    }
    return self->is_too_large ? SSE_TOO_LARGE : SSE_MORE;
}
