/* events - what the broker tells everybody: numbered, and kept for those who have missed some.
 * Pure.
 *
 * Numbers rise by one over all topics, from 1. Owns  a ring of so many events and of so many bytes,
 * taken at start; the oldest make room. */
#ifndef BROKER_EVENTS_H
#define BROKER_EVENTS_H

#include "protocol/message.h"
#include "protocol/pairs.h"

#define TOPIC_BYTES_MAX 15u

struct events;

/* bytes_max: of all bodies; at least MESSAGE_BYTES_MAX */
struct events *events_new(uint32_t events_max, uint32_t bytes_max);
void events_destroy(struct events **self_p);

/* Number and keep one.
 *
 * topic  at most TOPIC_BYTES_MAX bytes
 * body   at most MESSAGE_BYTES_MAX bytes; copied
 * ret    the EVENT's header; its views borrow topic
 * returns its number */
uint64_t events_add(struct events *self, struct bytes topic, struct bytes body,
                    struct header *ret_header);

uint64_t events_oldest(const struct events *self); /* number of the oldest that is kept */
uint64_t events_newest(const struct events *self); /* 0: none yet */

/* Answer QUERY events: from this number on, as many as fit.
 *
 * writer  gets a message events */
void events_write(struct events *self, uint64_t from, uint64_t generation, struct writer *writer);

#endif
