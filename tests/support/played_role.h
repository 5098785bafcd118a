/* played_role - two roles for tests of the process that runs them. */
#ifndef TESTS_SUPPORT_PLAYED_ROLE_H
#define TESTS_SUPPORT_PLAYED_ROLE_H

#include "actors/runtime/actor.h"

/* A driver that does what its methods say: echo, large (an answer above the bound), ask (a tool
 * executor), look up (the first partition), hang, release (answers what hangs), work (a job),
 * invalidate, seen (an array of enum played_seen), stick (a job that never ends), give up. Its
 * start fails in the namespace "refuse". */
extern const struct actor_spec played_role;

enum played_seen { SEEN_GAPS, SEEN_VIEWS /* sum of epochs */, SEEN_EVENTS, SEEN_CANCELS };

/* A cache partition that lets others in, and answers everything with the byte 7. */
extern const struct actor_spec played_door_role;

#endif
