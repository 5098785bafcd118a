/* settled - see settled.h. The whole of the arguments is compared: a hash that two share costs a
 * miss, never an answer. */
#include "actors/driver/settled.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#include "protocol/value.h"

struct place {
    uint64_t definition; /* 0: nothing is here */
    uint16_t arguments_size, canonical_size;
    char arguments[SETTLED_BYTES_MAX], canonical[SETTLED_BYTES_MAX];
};

struct settled {
    struct place places[SETTLED_PLACES];
};

struct settled *settled_new(void)
{
    struct settled *self = calloc(1, sizeof *self);
    assert(self != NULL);
    return self;
}

void settled_destroy(struct settled **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

static size_t place_of(uint64_t definition, struct bytes arguments)
{
    return XXH3_64bits_withSeed(arguments.data, arguments.size, definition) & (SETTLED_PLACES - 1);
}

static bool is_kept(uint64_t definition, struct bytes arguments)
{
    return definition != 0 && arguments.data != NULL && arguments.size <= SETTLED_BYTES_MAX;
}

struct bytes settled_find(const struct settled *self, uint64_t definition, struct bytes arguments)
{
    if (!is_kept(definition, arguments))
        return (struct bytes){0};
    const struct place *place = &self->places[place_of(definition, arguments)];
    bool found = place->definition == definition &&
                 bytes_equal((struct bytes){place->arguments, place->arguments_size}, arguments);
    return found ? (struct bytes){place->canonical, place->canonical_size} : (struct bytes){0};
}

void settled_put(struct settled *self, uint64_t definition, struct bytes arguments,
                 struct bytes canonical)
{
    if (!is_kept(definition, arguments) || canonical.size > SETTLED_BYTES_MAX)
        return;
    struct place *place = &self->places[place_of(definition, arguments)];
    place->definition = definition;
    place->arguments_size = (uint16_t)arguments.size;
    place->canonical_size = (uint16_t)canonical.size;
    memcpy(place->arguments, arguments.data, arguments.size);
    memcpy(place->canonical, canonical.data, canonical.size);
}
