/* state - what one cache partition knows, and what its parts share: lookups.c (get, mget and those
 * who wait), fills.c (set, fail), reports.c (explain, stats, metrics), cache_partition.c (the role:
 * start, events, views, time). For nobody else. */
#ifndef ACTORS_CACHE_PARTITION_STATE_H
#define ACTORS_CACHE_PARTITION_STATE_H

#include "actors/cache_partition/leases.h"
#include "actors/cache_partition/store.h"
#include "actors/cache_partition/uncovered.h"
#include "actors/runtime/actor.h"
#include "actors/runtime/stamps.h"
#include "protocol/key.h"
#include "protocol/placement.h"

#define VIEW_BYTES_MAX 131072u /* of any view that its rows allow */

/* What happened, since the start; a row a namespace. The names are those of the statistics. */
struct happened {
    uint64_t hits, stale, misses, negatives, waits, stores, stale_sets, rejected;
};

struct namespace
{
    size_t name_size;
    char name[NAMESPACE_BYTES_MAX];
    struct happened happened;
};

struct partition {
    struct store *store;
    struct stamps *stamps;
    struct leases *leases;
    struct uncovered *uncovered;

    /* Namespace 0 stands for all that found no row. */
    struct namespace namespaces[NAMESPACES_MAX];
    uint8_t namespace_count;
    uint64_t wrong_epochs;

    /* The view in use, and the table of the next one while it is built. NULL: none yet. */
    struct placement *placement, *next_placement;
    uint16_t member; /* ours in placement; PLACEMENT_NONE: not in it */
    unsigned owned;  /* slots */
    char *view_data; /* VIEW_BYTES_MAX: placement's view as a body; */
    size_t view_size, next_view_size;
    char *next_view_data;

    /* The last event heard, of which generation of the broker; 0: not known yet. */
    uint64_t event_generation, event_number;

    uint64_t cost_us_min;
    uint32_t concurrency;
    char session[SESSION_ID_BYTES];
    int64_t sampled_at; /* when the metrics were */
    char *reply;        /* PAIR_BODY_BYTES_MAX: the body being sent */
    char *list;         /* the same: the elements of a list in it */
};

/* The key as it is kept: namespace and key, so that no two pairs of them look alike.
 *
 * returns  false: no namespace, or no key */
bool partition_key(struct bytes ns, struct bytes key, struct lease_key *ret);
struct bytes partition_key_bytes(const struct lease_key *self);
struct bytes partition_key_ns(const struct lease_key *self);
struct bytes partition_key_text(const struct lease_key *self);

/* True if this partition is to serve the key: it owns the slot, or knows of no view. */
bool partition_owns(const struct partition *self, struct bytes key);

/* The view for one who asked the wrong partition; absent: none, or too large for a reply. */
struct bytes partition_view(const struct partition *self);

/* The row that counts a namespace, made if there is room; else 0. */
uint8_t partition_namespace(struct partition *self, struct bytes ns);

/* A valid entry, as of now; rules 1, 9 and 11. */
bool partition_valid(const struct partition *self, const struct entry *entry, int64_t now_at);

/* lookups.c: the handlers, and what serves those who waited. */
actor_handler lookups_get, lookups_mget;

/* Serve all who wait for a key again, now that something has changed. */
void lookups_serve_all(struct partition *self, struct context *context,
                       const struct lease_key *key);

/* The lease on a key came back without a value: it goes to the first who waits and wants it. */
void lookups_hand_on(struct partition *self, struct context *context, const struct lease_key *key);

/* Answer all who wait for a key with what the lease holder has: a value that is not kept, or a
 * failure.
 *
 * entry    what it would be, were it kept
 * made_at  when its lease was issued */
void lookups_share(struct partition *self, struct context *context, const struct lease_key *key,
                   const struct msg_cache_entry *entry, int64_t made_at);

/* Answer whoever has waited long enough, for a fill or for news. */
void lookups_tick(struct partition *self, struct context *context);
int64_t lookups_due_at(const struct partition *self);

/* Serve lookups whose own writes have been applied by now. */
void lookups_covered(struct partition *self, struct context *context);

/* fills.c, reports.c: the handlers; and what the metrics show. */
actor_handler fills_set, fills_fail;
actor_handler reports_explain, reports_stats;
/* QUERY instance stats: the same. */
enum status reports_query(const struct partition *self, struct bytes method, struct bytes body,
                          struct writer *writer);
void reports_sample(struct partition *self, struct context *context);

#endif
