/* settled - see settled.h. The whole of the arguments is compared: a hash that two share costs a
 * miss, never an answer. */
#include "actors/driver/settled.h"

#include <assert.h>
#include <stdlib.h>
#include <xxhash.h>

#include "protocol/limits.h"
#include "protocol/value.h"

/* Those of a scope that its key depends on, whole. */
struct sharers {
    enum key_scope_kind kind;
    uint8_t ns_size, tenant_size, user_size;
    char ns[NAMESPACE_BYTES_MAX], tenant[NAME_BYTES_MAX], user[NAME_BYTES_MAX];
};

struct call_place {
    uint64_t definition; /* 0: nothing is here */
    uint16_t arguments_size, canonical_size;
    bool has_key;
    struct sharers sharers; /* of the key */
    struct key key;
    char arguments[SETTLED_BYTES_MAX], canonical[SETTLED_BYTES_MAX];
};

struct settled {
    struct call_place places[SETTLED_PLACES];
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

/* NULL: they are not here. */
static const struct call_place *find(const struct settled *self, uint64_t definition,
                                     struct bytes arguments)
{
    if (!is_kept(definition, arguments))
        return NULL;
    const struct call_place *place = &self->places[place_of(definition, arguments)];
    bool found = place->definition == definition &&
                 bytes_equal((struct bytes){place->arguments, place->arguments_size}, arguments);
    return found ? place : NULL;
}

struct bytes settled_find(const struct settled *self, uint64_t definition, struct bytes arguments)
{
    const struct call_place *place = find(self, definition, arguments);
    return place != NULL ? (struct bytes){place->canonical, place->canonical_size}
                         : (struct bytes){0};
}

void settled_put(struct settled *self, uint64_t definition, struct bytes arguments,
                 struct bytes canonical)
{
    if (!is_kept(definition, arguments) || canonical.size > SETTLED_BYTES_MAX)
        return;
    struct call_place *place = &self->places[place_of(definition, arguments)];
    place->definition = definition;
    place->has_key = false;
    place->arguments_size = (uint16_t)arguments.size;
    place->canonical_size = (uint16_t)canonical.size;
    memcpy(place->arguments, arguments.data, arguments.size);
    memcpy(place->canonical, canonical.data, canonical.size);
}

/* Who is not of the kind that a key depends on is no part of it. */
static bool is_shared(const struct sharers *self, const struct key_scope *scope)
{
    return self->kind == scope->kind &&
           bytes_equal((struct bytes){self->ns, self->ns_size}, scope->ns) &&
           (scope->kind == KEY_PUBLIC ||
            bytes_equal((struct bytes){self->tenant, self->tenant_size}, scope->tenant)) &&
           (scope->kind != KEY_USER ||
            bytes_equal((struct bytes){self->user, self->user_size}, scope->user));
}

bool settled_find_key(const struct settled *self, uint64_t definition, struct bytes arguments,
                      const struct key_scope *scope, struct key *ret)
{
    const struct call_place *place = find(self, definition, arguments);
    if (place == NULL || !place->has_key || !is_shared(&place->sharers, scope))
        return false;
    ret->size = place->key.size;
    memcpy(ret->text, place->key.text, place->key.size);
    return true;
}

static uint8_t copy(struct bytes from, char *to, size_t size_max)
{
    assert(from.size <= size_max);
    if (from.size > 0)
        memcpy(to, from.data, from.size);
    return (uint8_t)from.size;
}

void settled_put_key(struct settled *self, uint64_t definition, struct bytes arguments,
                     const struct key_scope *scope, const struct key *key)
{
    if (find(self, definition, arguments) == NULL)
        return;
    struct call_place *place = &self->places[place_of(definition, arguments)];
    struct sharers *sharers = &place->sharers;
    sharers->kind = scope->kind;
    sharers->ns_size = copy(scope->ns, sharers->ns, sizeof sharers->ns);
    sharers->tenant_size = copy(scope->tenant, sharers->tenant, sizeof sharers->tenant);
    sharers->user_size = copy(scope->user, sharers->user, sizeof sharers->user);
    place->key = *key;
    place->has_key = true;
}
