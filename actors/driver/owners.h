/* owners - which partition to ask for a key.
 *
 * Two views may be known at a time: the one by which the runtime numbers the members it can ask,
 * and a newer one that a partition has answered with. The newest decides who owns a slot; who that
 * is for the runtime is found by uuid. A table is built some slots a turn; until it is complete the
 * one before it serves. A member that does not answer is left out for a while. Pure. */
#ifndef ACTORS_DRIVER_OWNERS_H
#define ACTORS_DRIVER_OWNERS_H

#include "protocol/message.h"

#define OWNER_NONE UINT32_MAX
#define OWNER_UUID_BYTES 16u
#define OWNER_SILENT_MS 1000 /* how long a silent member is not asked */

struct owners;

struct owners *owners_new(void);
void owners_destroy(struct owners **self);

/* The runtime has a new view: its members are numbered by it from now on. */
void owners_take_view(struct owners *self, const struct msg_view *view);

/* A partition says that another view is newer.
 *
 * view     body of message view, from outside
 * returns  false: it is none, or not newer */
bool owners_take_newer(struct owners *self, struct bytes view);

/* Build a part of a table that is not complete; true: more is to be done. */
bool owners_build(struct owners *self);
bool owners_building(const struct owners *self);

struct owner {
    uint32_t member; /* for the runtime; OWNER_NONE: nobody can be asked */
    uint64_t epoch;  /* of the view that says so */
    uint64_t hash;   /* of the key */
    char uuid[OWNER_UUID_BYTES];
};

struct owner owners_of(const struct owners *self, struct bytes key, int64_t now_at);

/* What the runtime calls this member now; OWNER_NONE: it is in no view any more. */
uint32_t owners_member(const struct owners *self, const char *uuid);

/* This member did not answer. */
void owners_silent(struct owners *self, uint32_t member, int64_t now_at);

#endif
