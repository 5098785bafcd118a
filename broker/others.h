/* others - the other brokers of a system: where each is reached, whether it is heard, and who of
 * all tells the view of the partitions. Pure.
 *
 * Brokers share nothing. Each knows the others by its settings, and hears their events: a beat once
 * a second says that one lives, and how many partitions it sees. All put the brokers in the same
 * order, that of their frontends; the first in it that lives, and sees most of the partitions that
 * any of them sees, tells the view. Two that do not agree cost hits, never a stale answer: see
 * docs/decisions/0120. Owns  BROKERS_MAX - 1 places. */
#ifndef BROKER_OTHERS_H
#define BROKER_OTHERS_H

#include "protocol/message.h"

#define OTHERS_MAX (BROKERS_MAX - 1u)
#define OTHERS_REASON_BYTES 512u

struct other {
    char frontend[ENDPOINT_BYTES_MAX], backend[ENDPOINT_BYTES_MAX], events[ENDPOINT_BYTES_MAX];
    int64_t heard_at;    /* INT64_MIN: never */
    uint64_t generation; /* of its last beat; 0: none yet */
    uint64_t partitions; /* that it sees, by its last beat */
    uint64_t epoch;      /* of the view that counts there, by its last beat */
};

struct others {
    unsigned count;
    uint32_t rank; /* of this broker in the order of all, from 0 */
    struct other places[OTHERS_MAX];
};

/* Read the setting broker.peers: frontend, backend and events of each, all with commas. This broker
 * may be among them, and is left out.
 *
 * own     frontend of this broker, as it is written in the list
 * reason  OTHERS_REASON_BYTES, on false: what to mend */
bool others_init(struct others *self, const char *list, const char *own, char *reason);

/* A message of the events of one of them: a pair. What makes no sense is passed over.
 *
 * ret_view  the view that it tells, borrowed from the message; data NULL: none
 * returns   whether it was a beat */
bool others_hear(struct others *self, unsigned index, struct bytes message, int64_t now_at,
                 struct bytes *ret_view);

bool others_is_heard(const struct others *self, unsigned index, int64_t now_at);
unsigned others_heard(const struct others *self, int64_t now_at); /* how many are */

/* Whether this broker is to tell the view, as things stand. partitions: that it sees itself. */
bool others_let_tell(const struct others *self, uint64_t partitions, int64_t now_at);

/* Write all of them, as elements of a list of broker_address. */
void others_write(const struct others *self, struct writer *writer);

#endif
