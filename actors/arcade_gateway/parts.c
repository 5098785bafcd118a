/* parts - see parts.h. */
#include "actors/arcade_gateway/parts.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct parts *parts_new(const struct breaker_rule *rule)
{
    struct parts *self = calloc(1, sizeof *self);
    assert(self != NULL);
    self->rule = rule;
    return self;
}

void parts_destroy(struct parts **self_p)
{
    free(*self_p);
    *self_p = NULL;
}

/* Whether one is the better place for who comes new. */
static bool is_sooner(const struct part *one, const struct part *other)
{
    bool is_closed = one->breaker.state == BREAKER_CLOSED;
    bool other_is = other->breaker.state == BREAKER_CLOSED;
    if (is_closed != other_is)
        return is_closed;
    return one->used_at < other->used_at;
}

static struct part *find_room(struct parts *self)
{
    struct part *room = NULL;
    if (self->count < PARTS_MAX)
        return &self->list[self->count++];
    for (size_t i = 0; i < PARTS_MAX; i++)
        if (self->list[i].out == 0 && (room == NULL || is_sooner(&self->list[i], room)))
            room = &self->list[i];
    return room;
}

struct part *parts_take(struct parts *self, uint64_t key, const char *name, int64_t now_at)
{
    struct part *part = NULL;
    assert(key != 0);
    for (size_t i = 0; i < self->count && part == NULL; i++)
        if (self->list[i].key == key)
            part = &self->list[i];
    if (part == NULL) {
        part = find_room(self);
        if (part == NULL)
            return NULL;
        *part = (struct part){.key = key};
        breaker_init(&part->breaker, self->rule);
        (void)snprintf(part->name, sizeof part->name, "%s", name);
    }
    part->used_at = now_at;
    return part;
}

size_t parts_left_alone(const struct parts *self, char *names, size_t size)
{
    size_t count = 0, used = 0;
    assert(size > 0);
    names[0] = '\0';
    for (size_t i = 0; i < self->count; i++) {
        const struct part *part = &self->list[i];
        if (part->breaker.state == BREAKER_CLOSED)
            continue;
        count++;
        if (used + strlen(part->name) + 2 <= size)
            used += (size_t)snprintf(names + used, size - used, "%s%s", used > 0 ? " " : "",
                                     part->name);
    }
    return count;
}
