/* settled - arguments that were lately put into canonical form and held to their schema; and the
 * key that they made.
 *
 * The first two depend on the bytes of the arguments and the tool's definition alone, the key on
 * who may share the answer as well. They were a third of what a hit cost the driver: for who asks
 * the same again they are looked up. Only what was found good is here. A place for each of the last
 * few; what falls on the same place takes it. Pure. */
#ifndef ACTORS_DRIVER_SETTLED_H
#define ACTORS_DRIVER_SETTLED_H

#include "protocol/key.h"

#define SETTLED_PLACES 1024u   /* a power of two */
#define SETTLED_BYTES_MAX 512u /* of the arguments, and of their canonical form, each */

struct settled;

struct settled *settled_new(void);
void settled_destroy(struct settled **self_p);

/* The canonical form of these arguments of a tool; data NULL: not known.
 *
 * definition  number of its definition, not 0: a tool that is defined anew has another
 * returns     valid until the next settled_put() */
struct bytes settled_find(const struct settled *self, uint64_t definition, struct bytes arguments);

/* They were found good; what is longer than SETTLED_BYTES_MAX is not kept. */
void settled_put(struct settled *self, uint64_t definition, struct bytes arguments,
                 struct bytes canonical);

/* The key of these arguments for whom the answer may be shared with, which was found last; false:
 * not known. */
bool settled_find_key(const struct settled *self, uint64_t definition, struct bytes arguments,
                      const struct key_scope *scope, struct key *ret);

/* It is that; of arguments that are here. */
void settled_put_key(struct settled *self, uint64_t definition, struct bytes arguments,
                     const struct key_scope *scope, const struct key *key);

#endif
