/* outgoing - what leaves on one connection: pairs gather in one packed buffer; what does not fit
 * it, or travels alone, becomes a parcel in a list before it. Order is kept; the usual turn
 * allocates nothing. How much may gather is bounded by who puts: by credit, and by what waits. */
#ifndef PROTOCOL_OUTGOING_H
#define PROTOCOL_OUTGOING_H

#include "protocol/cursor.h"

struct outgoing;

struct outgoing *outgoing_new(void);
void outgoing_destroy(struct outgoing **self_p);

/* Copy one encoded pair behind the others.
 *
 * head, body  its bytes; a pair in one piece is all head */
void outgoing_put(struct outgoing *self, struct bytes head, struct bytes body);

/* The next message to send; data NULL: none. Borrowed until the next put or sent: what could not
 * leave is asked for again, then with what has gathered since. */
struct bytes outgoing_next(struct outgoing *self);
void outgoing_sent(struct outgoing *self);

/* Forget all. */
void outgoing_clear(struct outgoing *self);

#endif
