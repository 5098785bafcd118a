/* uncovered - see uncovered.h. A short list that is looked through: few wait, and not for long. */
#include "actors/cache_partition/uncovered.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct uncovered {
    uint32_t count;
    struct put_off lookups[AFTER_PARKED_MAX]; /* in the order they came */
};

static bool read_pair(struct bytes value, char *ret_origin, uint64_t *ret_number)
{
    struct bytes origin, number, blob;
    struct values values = values_over(value);
    if (value_kind(value) != KIND_ARRAY || values.left != 2)
        return false;
    if (!values_next(&values, &origin) || !values_next(&values, &number))
        return false;
    if (!value_blob(origin, &blob) || blob.size != ORIGIN_BYTES || !value_u64(number, ret_number))
        return false;
    memcpy(ret_origin, blob.data, ORIGIN_BYTES);
    return true;
}

bool session_token_read(struct bytes value, struct session_token *ret)
{
    struct bytes pair;
    ret->count = 0;
    if (value.data == NULL || value_kind(value) == KIND_NIL)
        return true;
    if (value_kind(value) != KIND_ARRAY || values_count(value) > AFTER_MAX)
        return false;
    for (struct values values = values_over(value); values_next(&values, &pair); ret->count++)
        if (!read_pair(pair, ret->pairs[ret->count].origin, &ret->pairs[ret->count].number))
            return false;
    return true;
}

bool session_token_covered(const struct session_token *self, const struct stamps *stamps)
{
    size_t i = 0;
    while (i < self->count && stamps_cover(stamps, self->pairs[i].origin, self->pairs[i].number))
        i++;
    return i == self->count;
}

struct uncovered *uncovered_new(void)
{
    struct uncovered *self = malloc(sizeof *self);
    if (self != NULL)
        self->count = 0;
    return self;
}

void uncovered_destroy(struct uncovered **self)
{
    free(*self);
    *self = NULL;
}

enum status uncovered_push(struct uncovered *self, const struct put_off *lookup)
{
    assert(lookup->token.count <= AFTER_MAX);
    if (self->count == AFTER_PARKED_MAX)
        return STATUS_BUSY_FULL;
    self->lookups[self->count++] = *lookup;
    return STATUS_OK;
}

static void take_out(struct uncovered *self, uint32_t at)
{
    self->count--;
    memmove(&self->lookups[at], &self->lookups[at + 1],
            (self->count - at) * sizeof self->lookups[0]);
}

bool uncovered_next(struct uncovered *self, const struct stamps *stamps, int64_t now_at,
                    uint32_t *at, struct put_off *ret, bool *ret_covered)
{
    for (; *at < self->count; (*at)++) {
        const struct put_off *lookup = &self->lookups[*at];
        *ret_covered = session_token_covered(&lookup->token, stamps);
        if (!*ret_covered && lookup->until_at > now_at)
            continue;
        *ret = *lookup;
        take_out(self, *at);
        return true;
    }
    return false;
}

bool uncovered_withdraw(struct uncovered *self, const struct request *request)
{
    for (uint32_t at = 0; at < self->count; at++) {
        const struct request *other = &self->lookups[at].waiter.request;
        if (other->link == request->link && other->peer == request->peer &&
            other->id == request->id) {
            take_out(self, at);
            return true;
        }
    }
    return false;
}

int64_t uncovered_due_at(const struct uncovered *self)
{
    int64_t due_at = INT64_MAX;
    for (uint32_t at = 0; at < self->count; at++)
        if (self->lookups[at].until_at < due_at)
            due_at = self->lookups[at].until_at;
    return due_at;
}

uint32_t uncovered_count(const struct uncovered *self)
{
    return self->count;
}
