/* due - what falls due next: a binary heap of points in time, one for each of a fixed set of ids.
 *
 * An id is the index of whatever its user keeps, so that changing or removing one costs O(log n).
 * The memory, 20 bytes an id, is taken once. Knows no clock. */
#ifndef ACTORS_CACHE_PARTITION_DUE_H
#define ACTORS_CACHE_PARTITION_DUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct due;

/* For ids 0 to ids - 1, none of them in. NULL: no memory. */
struct due *due_new(uint32_t ids);
void due_destroy(struct due **self);
size_t due_bytes(uint32_t ids); /* what due_new() takes */

/* Put an id in, or change its time. */
void due_set(struct due *self, uint32_t id, int64_t at);

/* Take an id out, if it is in. */
void due_remove(struct due *self, uint32_t id);

uint32_t due_count(const struct due *self);

/* The id at a place from 0 to count - 1, in no order but that 0 is the first to fall due. */
uint32_t due_id(const struct due *self, uint32_t place);

/* When the first falls due; INT64_MAX: none is in. */
int64_t due_first_at(const struct due *self);

#endif
