/* timers - what is due when, to the millisecond: a wheel. Pure.
 *
 * A timer is a number of the caller's; each is set once or not at all. Setting and clearing cost
 * the same however many there are; nothing is ever searched. Never early; late by a tick at most.
 * A point in time (_at) is monotonic microseconds and never goes back from call to call. */
#ifndef BROKER_TIMERS_H
#define BROKER_TIMERS_H

#include <stdbool.h>
#include <stdint.h>

struct timers;

/* timers_max: numbers are below it. */
struct timers *timers_new(uint32_t timers_max, int64_t now_at);
void timers_destroy(struct timers **self_p);

/* Set one, or move it. What is due already fires with the next tick. */
void timers_set(struct timers *self, uint32_t timer, int64_t due_at);

/* Nothing happens if it is not set. */
void timers_clear(struct timers *self, uint32_t timer);

/* Take one out that is due, the earlier tick first; false: none is. */
bool timers_take(struct timers *self, int64_t now_at, uint32_t *ret_timer);

/* When to call timers_take() again: no later than the earliest, perhaps earlier; INT64_MAX: none is
 * set. */
int64_t timers_next_at(const struct timers *self);

#endif
