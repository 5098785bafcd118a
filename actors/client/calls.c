/* calls - see calls.h. */
#include "actors/client/calls.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void calls_init(struct calls *self, uint32_t max)
{
    assert(max > 0);
    *self = (struct calls){.slots = calloc(max, sizeof *self->slots), .max = max};
    assert(self->slots != NULL);
    for (uint32_t i = 0; i < max; i++)
        self->slots[i].next_free = i + 1;
}

void calls_fini(struct calls *self)
{
    for (uint32_t i = 0; i < self->max; i++)
        free(self->slots[i].bytes);
    free(self->slots);
    *self = (struct calls){0};
}

void endings_init(struct endings *self)
{
    *self = (struct endings){.last = &self->first};
}

struct ending *ending_new(const struct call *call, const struct fact_reply *reply)
{
    size_t bytes = reply->instance.size + reply->body.size;
    struct ending *self = malloc(sizeof *self + bytes);
    assert(self != NULL);
    *self = (struct ending){.done = call->done, .context = call->context, .reply = *reply};
    if (reply->instance.size > 0)
        memcpy(self->data, reply->instance.data, reply->instance.size);
    if (reply->body.size > 0)
        memcpy(self->data + reply->instance.size, reply->body.data, reply->body.size);
    if (reply->instance.data != NULL)
        self->reply.instance.data = self->data;
    if (reply->body.data != NULL)
        self->reply.body.data = self->data + reply->instance.size;
    return self;
}

void endings_push(struct endings *self, struct ending *ending)
{
    *self->last = ending;
    self->last = &ending->next;
}

struct ending *endings_pop(struct endings *self)
{
    struct ending *ending = self->first;
    if (ending == NULL)
        return NULL;
    self->first = ending->next;
    if (self->first == NULL)
        self->last = &self->first;
    return ending;
}

void endings_drop(struct endings *self)
{
    struct ending *ending;
    while ((ending = endings_pop(self)) != NULL)
        free(ending);
}

struct call *calls_find(struct calls *self, uint64_t number)
{
    uint64_t slot = (number >> 32) - 1;
    if (slot >= self->max)
        return NULL;
    struct call *call = &self->slots[slot];
    return call->used && call->generation == (uint32_t)number ? call : NULL;
}

/* Copy a text behind the others; what is absent stays absent. */
static struct bytes keep(struct bytes from, char **at)
{
    struct bytes kept = {from.data != NULL ? *at : NULL, from.size};
    if (from.data != NULL && from.size > 0)
        memcpy(*at, from.data, from.size);
    *at += from.size;
    return kept;
}

bool calls_keep(struct calls *self, struct call *call, const struct header *header,
                struct bytes body)
{
    size_t size = header->method.size + header->tenant.size + header->idempotency_key.size +
                  header->trace.size + header->extension.size + body.size;
    assert(call->bytes == NULL);
    if (size > CALLS_BYTES_MAX - self->bytes)
        return false;
    call->bytes = malloc(size + 1);
    assert(call->bytes != NULL);
    char *at = call->bytes;
    call->header = *header;
    call->header.method = keep(header->method, &at);
    call->header.tenant = keep(header->tenant, &at);
    call->header.idempotency_key = keep(header->idempotency_key, &at);
    call->header.trace = keep(header->trace, &at);
    call->header.extension = keep(header->extension, &at);
    call->body = keep(body, &at);
    assert(at == call->bytes + size);
    call->size = size;
    self->bytes += size;
    return true;
}

uint64_t calls_number(const struct calls *self, const struct call *call)
{
    return (uint64_t)(call - self->slots + 1) << 32 | call->generation;
}

uint64_t calls_take(struct calls *self, fact_done *done, void *context, int64_t now_at)
{
    assert(self->first_free < self->max);
    uint32_t slot = self->first_free;
    struct call *call = &self->slots[slot];
    self->first_free = call->next_free;
    *call = (struct call){.generation = call->generation + 1,
                          .used = true,
                          .done = done,
                          .context = context,
                          .submitted_at = now_at};
    self->count++;
    if (self->count > self->peak)
        self->peak = self->count;
    return calls_number(self, call);
}

void calls_free(struct calls *self, struct call *call)
{
    assert(call->used);
    assert(call->size <= self->bytes);
    self->bytes -= call->size;
    free(call->bytes);
    call->bytes = NULL;
    call->size = 0;
    call->used = false;
    call->next_free = self->first_free;
    self->first_free = (uint32_t)(call - self->slots);
    self->count--;
}
