/* cache_partition - one shard of the shared cache. See the role's own comment. */
#ifndef ACTORS_CACHE_PARTITION_CACHE_PARTITION_H
#define ACTORS_CACHE_PARTITION_CACHE_PARTITION_H

#include "actors/runtime/actor.h"

extern const struct actor_spec cache_partition_spec;

#endif
