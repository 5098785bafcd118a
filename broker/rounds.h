/* rounds - who is next among those that wait in one class: tenants take turns, and so do the lanes
 * of a tenant. Pure.
 *
 * A line is what one tenant has waiting in one rank (lines.h). Lines are served as
 * by FQ-CoDel (RFC 8290, 4.2; a quantum is 1 x weight): one that was empty goes in *new*, which is
 * served before *old*; with its turn used, or empty, it goes to the tail of *old*, and leaves only
 * from there. A strand is what a line has in one lane. A lane that nobody can serve now is closed
 * until rounds_open(); a line that has nothing else stands aside meanwhile, and then where it was:
 * it holds up no other, and loses nothing. What is held waits for something else than a worker: it
 * counts as its line's, and is not served before it is let go.
 *
 * A request is a slot number of the caller's. All memory is taken in rounds_new(); everything costs
 * the same however many wait, but for rounds_next() where lanes are closed. */
#ifndef BROKER_ROUNDS_H
#define BROKER_ROUNDS_H

#include "broker/lines.h"

/* Where a request waits. */
struct place {
    enum role role;
    uint32_t lane; /* always of the same role */
    enum request_class class;
    uint32_t bytes;
    uint64_t tenant; /* key of tenants.h; 0: those without one are one */
    uint32_t weight; /* of its turn; 0: 1 */
};

struct rounds;

/* slots_max, lanes_max: their numbers are below it. */
struct rounds *rounds_new(uint32_t slots_max, uint32_t lanes_max);
void rounds_destroy(struct rounds **self_p);

/* One comes, which waits nowhere yet: at the tail of its line; or as one that goes out again, then
 * it is the next of its rank. */
void rounds_put(struct rounds *self, uint32_t slot, const struct place *place, bool first);

/* The same, but it is held; until it is let go, to the tail of what its line has in its lane. */
void rounds_hold(struct rounds *self, uint32_t slot, const struct place *place);
void rounds_let_go(struct rounds *self, uint32_t slot);
bool rounds_is_held(const struct rounds *self, uint32_t slot); /* of one that waits */

/* Take one out, wherever it waits; served: its line has had its turn. */
void rounds_take(struct rounds *self, uint32_t slot, bool served);

const struct place *rounds_place(const struct rounds *self, uint32_t slot); /* of one that waits */
bool rounds_is_in(const struct rounds *self, uint32_t slot);

/* Something of this rank waits in a lane that is not closed, and is not held. */
bool rounds_waits(const struct rounds *self, uint32_t rank);

/* The one whose turn it is; there must be one. It stays. */
uint32_t rounds_next(struct rounds *self, uint32_t rank);

/* Nobody can serve the lane of this request before rounds_open() of its role. */
void rounds_close(struct rounds *self, uint32_t slot);
void rounds_open(struct rounds *self, enum role role);

/* How many will go before one more that comes here now, those of its own line and turns of the
 * others while it waits: min(all, (its line + 1) x active lines - 1), by weight. Who is held is not
 * among them. */
uint32_t rounds_ahead(const struct rounds *self, const struct place *place);

/* Requests in the line that this one would join; in the longest of the rank; the newest of that one
 * (NONE of list.h: the rank is empty). Beyond LINE_LENGTHS lines count as equally long. */
uint32_t rounds_length(const struct rounds *self, const struct place *place);
uint32_t rounds_longest(const struct rounds *self, uint32_t rank);
uint32_t rounds_newest(const struct rounds *self, uint32_t rank);

uint32_t rounds_waiting(const struct rounds *self, uint32_t rank); /* requests, but those held */
const struct lines *rounds_lines(const struct rounds *self);

/* The queue-delay rule, for one that is about to be dispatched: true, it has waited for too long in
 * a line where everybody does, and is to be dropped. Every DELAY_INTERVAL_US a line counts as
 * overloaded if the least wait in it was above the target; while so, what waited more than twice
 * the target is dropped. source: folly, executors/Codel.cpp */
#define DELAY_INTERVAL_US 100000
bool rounds_is_late(struct rounds *self, uint32_t slot, int64_t waited_us, int64_t target_us,
                    int64_t now_at);

#endif
