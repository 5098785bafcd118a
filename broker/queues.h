/* queues - requests that wait for a worker: for each role four classes and its own bounds. Pure.
 *
 * A request is a slot number of the caller's; queues owns no bytes. Which class goes next, who has
 * to make room and what a full queue admits is decided here; which tenant of a class, and which of
 * its requests, by rounds. A lane is what the same workers serve (a method); one that nobody can
 * serve now is parked, so that it holds up no other. What is held waits for something else than a
 * worker (for its turn, or with another for the same answer): it has its place in the bounds, and
 * may have to make room, like every other. All memory is taken in queues_new(). */
#ifndef BROKER_QUEUES_H
#define BROKER_QUEUES_H

#include "broker/rounds.h"

/* What each dispatch owes to a class below the highest, in thousandths of one: one in 4, 20, 100.
 * So between two of a class that waits at most 3, 5, 20, 99 others go: 1000 / share - 1, and one
 * for each class below it. source: docs/load.md, 3 */
extern const uint32_t queues_shares[CLASS_COUNT];
#define QUEUES_WHOLE 1000u

struct queues;

/* slots_max, lanes_max: their numbers are below it. */
struct queues *queues_new(uint32_t slots_max, uint32_t lanes_max);
void queues_destroy(struct queues **self_p);

/* Bound what may wait for one role; at first it is nothing. */
void queues_bound(struct queues *self, enum role role, uint32_t count_max, uint64_t bytes_max);

/* Queue one request, which waits nowhere yet, behind those of its tenant.
 *
 * returns  OK; BUSY_FULL: queues_shed() may make room */
MUST_USE enum status queues_push(struct queues *self, uint32_t slot, const struct place *place);

/* The same, and it is held until it is let go, behind what its tenant has in its lane then. */
MUST_USE enum status queues_hold(struct queues *self, uint32_t slot, const struct place *place);
void queues_let_go(struct queues *self, uint32_t slot);

/* One more of this place would be let in. */
bool queues_has_room(const struct queues *self, const struct place *place);

/* Put in, at the head, a request that has to go out again. Never refused: so more than the bound
 * may wait, by what is put back. */
void queues_push_front(struct queues *self, uint32_t slot, const struct place *place);

/* The request whose turn it is: strict priority with a reserve over the classes. It stays.
 * returns  false: nothing waits, or all is parked */
bool queues_peek(struct queues *self, enum role role, uint32_t *ret_slot);

/* Take one out to be dispatched: its class has had its turn. */
void queues_pop(struct queues *self, uint32_t slot);

/* Take one out, wherever it waits: cancelled, expired, refused. No class is charged. */
void queues_remove(struct queues *self, uint32_t slot);

/* Nobody can serve the lane of this request before queues_unpark(). */
void queues_park(struct queues *self, uint32_t slot);
void queues_unpark(struct queues *self, enum role role);

/* One of this class went out that never waited. */
void queues_charge(struct queues *self, enum role role, enum request_class class);

/* Take out one that makes room for this: the newest of the tenant that has most waiting, in the
 * least important class below; or in the same class, if that tenant has more than this one's would
 * have.
 *
 * returns  false: there is none, or what may be taken would not make room enough */
bool queues_shed(struct queues *self, const struct place *place, uint32_t *ret_slot);

/* How many of its class would go before one more; see rounds_ahead(). */
uint32_t queues_ahead(const struct queues *self, const struct place *place);

/* It is about to be dispatched, and is to be dropped: its tenant's requests all wait for too long,
 * and it has for twice that. See rounds_is_late(). */
bool queues_is_late(struct queues *self, uint32_t slot, int64_t waited_us, int64_t target_us,
                    int64_t now_at);

bool queues_is_in(const struct queues *self, uint32_t slot);

/* All that has a place in the bounds; of them those held. */
uint32_t queues_depth(const struct queues *self, enum role role);
uint64_t queues_bytes(const struct queues *self, enum role role);
uint32_t queues_held(const struct queues *self, enum role role);
uint32_t queues_count_max(const struct queues *self, enum role role);

/* What waits for a worker, so is not held. */
uint32_t queues_ready(const struct queues *self, enum role role);
uint32_t queues_backlog(const struct queues *self, enum role role, enum request_class class);
uint32_t queues_tenants(const struct queues *self, enum role role, enum request_class class);
const struct lines *queues_lines(const struct queues *self);

/* The one that has stood longest in its class, and is not held; NONE of list.h: none. */
uint32_t queues_oldest(const struct queues *self, enum role role, enum request_class class);

/* The least important class that a queue, full but for one, still lets in; CLASS_SHEDDABLE before.
 */
enum request_class queues_admit_level(const struct queues *self, enum role role);

#endif
