/* placement - which member owns a slot, who backs it up, and who helps when it is hot
 * (docs/cache.md, "Placement").
 *
 * Every peer computes the same table from the same view: integers only, and golden vectors. A table
 * is built some slots a turn, beside the one in use; what is not built yet belongs to nobody.
 * Never does: know who is alive, or which view is current. */
#ifndef PROTOCOL_PLACEMENT_H
#define PROTOCOL_PLACEMENT_H

#include "protocol/envelope.h"

#define PLACEMENT_NONE UINT16_MAX /* in place of a member's index */
#define PLACEMENT_WEIGHT_MAX 1000u
#define PLACEMENT_UUID_BYTES 16u
#define PLACEMENT_SPREAD 2u       /* members beside owner and backup that may hold a hot key */
#define PLACEMENT_TURN_SLOTS 256u /* what one turn builds, in about 0.5 ms for 64 members */

struct placement_member {
    unsigned char uuid[PLACEMENT_UUID_BYTES];
    unsigned weight;               /* 1 to PLACEMENT_WEIGHT_MAX: its share among the members */
    char zone[NAME_BYTES_MAX + 1]; /* texts end in 0; zones are compared as bytes */
    size_t zone_size;
    char endpoint[ENDPOINT_BYTES_MAX + 1]; /* where it is asked; not part of placement */
    char instance[NAME_BYTES_MAX + 1];     /* its name, likewise */
};

struct placement_view {
    uint64_t epoch, seed;
    size_t count;
    struct placement_member members[VIEW_MEMBERS_MAX]; /* indices count from 0 in their order */
};

/* The view in a body of message view, from outside.
 *
 * ret      about 100 KiB: not for the stack; unspecified on failure
 * returns  OK; BAD_REQUEST: not a view, a member with no uuid of 16 bytes, with that of another, or
 *          a weight out of range; TOO_LARGE: over a bound of its rows */
MUST_USE enum status placement_decode(struct bytes body, struct placement_view *ret);

struct placement; /* a view and its table */

/* A table yet to be built. view: copied. */
struct placement *placement_new(const struct placement_view *view);
void placement_destroy(struct placement **self);

/* Build the next slots; true: the table is complete. */
bool placement_build_some(struct placement *self, unsigned slots);
void placement_build(struct placement *self);

const struct placement_view *placement_view(const struct placement *self);

/* The member with this uuid; PLACEMENT_NONE: none. */
uint16_t placement_find(const struct placement *self, struct bytes uuid);

/* Indices into the view's members; PLACEMENT_NONE: there is none. slot: below CACHE_SLOTS. */
uint16_t placement_owner(const struct placement *self, unsigned slot);
uint16_t placement_backup(const struct placement *self, unsigned slot);
uint16_t placement_spread(const struct placement *self, unsigned slot, unsigned i);

/* Slots that a member owns. */
unsigned placement_owned(const struct placement *self, uint16_t member);

/* What two peers compare: XXH3_64 of all owners, then all backups, as u16 little-endian; and the
 * same of first and second spread. The table must be complete. */
uint64_t placement_hash(const struct placement *self);
uint64_t placement_spread_hash(const struct placement *self);

/* The steps, for vectors and tests. */
struct placement_logs {
    uint64_t at[257]; /* log2(1 + i/256) in 32 bits */
};
void placement_logs_init(struct placement_logs *self);
uint64_t placement_member_hash(uint64_t seed, unsigned slot, const unsigned char *uuid);
uint64_t placement_log(const struct placement_logs *logs, uint64_t hash); /* -log2(h / 2^64) */
uint64_t placement_score(uint64_t log, unsigned weight);                  /* least comes first */
unsigned placement_cap(unsigned weight, uint64_t weights);                /* slots, at most */

#endif
