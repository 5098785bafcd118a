/* fuzz_sse - the same bytes give the same events however they are cut, and an event's data has no
 * line end but line feeds.
 *
 * Input: a byte that decides the cuts, and the stream. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "actors/arcade_gateway/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Append a text and its length, so that no two lists of events are written alike. */
static void note(FILE *out, struct bytes text)
{
    fprintf(out, "%zu:", text.size);
    fwrite(text.data, 1, text.size, out);
}

static void take(struct sse *sse, struct bytes piece, FILE *out)
{
    struct sse_event event;
    enum sse_next next;
    while ((next = sse_take(sse, &piece, &event)) == SSE_EVENT) {
        assert(event.data.data != NULL);
        assert(memchr(event.data.data, '\r', event.data.size) == NULL);
        note(out, event.type);
        note(out, event.data);
        note(out, event.id);
    }
    assert(next == SSE_MORE); /* an input is smaller than an event may be */
    assert(piece.size == 0);
}

/* The events in pieces of 1 to pieces_max bytes; to be freed. */
static char *events_of(struct bytes stream, size_t pieces_max, size_t *ret_size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_size);
    struct sse sse;
    sse_init(&sse);
    for (size_t at = 0, length = 1; at < stream.size; length = length % pieces_max + 1) {
        size_t left = stream.size - at;
        size_t taken = length < left ? length : left;
        take(&sse, (struct bytes){stream.data + at, taken}, out);
        at += taken;
    }
    fprintf(out, "retry %u", sse.retry_ms);
    sse_fini(&sse);
    fclose(out);
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    size_t whole_size, cut_size;
    struct bytes stream = {(const char *)data + 1, size - 1};
    struct sse sse;
    struct bytes all = stream;
    char *cut = events_of(stream, 1 + data[0] % 16, &cut_size);
    char *whole = NULL;
    FILE *out = open_memstream(&whole, &whole_size);
    sse_init(&sse);
    take(&sse, all, out);
    fprintf(out, "retry %u", sse.retry_ms);
    sse_fini(&sse);
    fclose(out);
    assert(cut_size == whole_size);
    assert(memcmp(cut, whole, whole_size) == 0);
    free(cut);
    free(whole);
    return 0;
}
