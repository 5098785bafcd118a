/* view - the cache partitions that are there, as everybody is told. Pure.
 *
 * The first view is issued at once; what changes after it is gathered for hold_us, so that a host
 * that starts or stops moves the keys once. A partition is found by its uuid, and keeps its place
 * in the order as long as it is there. Owns  at most VIEW_MEMBERS_MAX members. source:
 * docs/cache.md, "View, epoch, replication" */
#ifndef BROKER_VIEW_H
#define BROKER_VIEW_H

#include "actors/runtime/actor.h" /* struct name */
#include "protocol/session.h"

#define VIEW_EPOCH_STEP 256u /* epochs of the same counter, one for each rank of an issuer */

struct view;

/* counter_first  above that of every view that this broker has issued before: seconds of a clock on
 *                the wall, since there is less than one view a second
 * rank           of this broker among the issuers, below VIEW_EPOCH_STEP */
struct view *view_new(uint64_t counter_first, uint32_t rank, int64_t hold_us);
void view_destroy(struct view **self_p);

/* A partition is there, or has changed. Views borrow.
 *
 * returns  OK; TOO_LARGE: VIEW_MEMBERS_MAX are there, or it would be too long to be told */
MUST_USE enum status view_put(struct view *self, const struct msg_member *member, int64_t now_at);

/* It is gone. uuid: SESSION_ID_BYTES. Nothing happens if it was not there. */
void view_drop(struct view *self, const char *uuid, int64_t now_at);

/* Somebody has seen this epoch: the next view is above it, and due. */
void view_seen(struct view *self, uint64_t epoch, int64_t now_at);

/* The first view is no exception: it waits for its hold-down, too, from now. */
void view_hold(struct view *self, int64_t now_at);

/* Another broker has told this view: it counts here, too, if its epoch is above that of the last.
 * What differs from what is known here stays due.
 *
 * body     as it came; copied
 * returns  whether it counts now */
bool view_adopt(struct view *self, struct bytes body, int64_t now_at);

/* When view_issue() is to be called; INT64_MAX: nothing has changed. */
int64_t view_due_at(const struct view *self);

/* Make what has gathered the view that counts. returns whether there is a new one */
bool view_issue(struct view *self, int64_t now_at);

/* The view that counts, as a message view; data NULL: none was issued yet. */
struct bytes view_body(const struct view *self);
uint64_t view_epoch(const struct view *self);
uint32_t view_count(const struct view *self); /* members, also those not issued yet */

#endif
