/* sse - text/event-stream as it comes, in pieces cut anywhere. Pure, but for the memory of one
 * event.
 *
 * source: https://html.spec.whatwg.org/multipage/server-sent-events.html, sections 9.2.5 and 9.2.6.
 * A byte order mark at the start, the three line ends, comments and unknown fields are passed over;
 * an event whose last line has not come when the stream ends is no event. An event is bounded:
 * beyond SSE_EVENT_BYTES_MAX nothing more is taken, for what follows cannot be told apart. */
#ifndef ACTORS_ARCADE_GATEWAY_SSE_H
#define ACTORS_ARCADE_GATEWAY_SSE_H

#include "protocol/value.h"

#define SSE_TYPE_BYTES_MAX 64u /* a longer type is cut: it is none that anybody here asks for */
#define SSE_ID_BYTES_MAX 256u  /* a longer id is passed over */

struct sse {
    char *text; /* the data of the event so far, and behind it the line that has not ended */
    size_t size, data_size, line_size;
    bool has_data, has_line; /* a data field of this event; any line of the stream */
    bool after_cr;           /* a line feed that comes now belongs to the line before */
    bool is_delivered;       /* the event in text has been handed out */
    bool is_too_large;
    size_t type_size, id_size;
    uint32_t retry_ms; /* what the stream asks for; 0: nothing */
    char type[SSE_TYPE_BYTES_MAX], id[SSE_ID_BYTES_MAX];
};

/* Valid until the next sse_take(). */
struct sse_event {
    struct bytes type; /* message, unless the stream says another */
    struct bytes data; /* lines joined by line feeds; may be empty, is never NULL */
    struct bytes id;   /* the last that the stream named; may be empty */
};

enum sse_next { SSE_MORE, SSE_EVENT, SSE_TOO_LARGE };

void sse_init(struct sse *self);
void sse_fini(struct sse *self);

/* Take in bytes up to the end of an event.
 *
 * piece    moved behind what was taken; to be given again as long as an event comes
 * ret      written if the answer is SSE_EVENT
 * returns  SSE_MORE: all of the piece was taken; SSE_TOO_LARGE: so from now on, for ever */
enum sse_next sse_take(struct sse *self, struct bytes *piece, struct sse_event *ret);

#endif
