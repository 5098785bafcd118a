/* slow_pipe - see slow_pipe.h. */
#include "tests/support/slow_pipe.h"

#include <assert.h>

#include "protocol/limits.h"

#define CATCH_UP_US (100 * US_PER_MS) /* of bandwidth that a busy machine may make up for */
#define PORTION_PER_S 100u            /* bandwidth is spent in portions, so many a second */

static uint64_t least(uint64_t left, uint64_t right)
{
    return left < right ? left : right;
}

size_t slow_pipe_held(const struct slow_pipe *self)
{
    return (size_t)(self->put - self->taken);
}

size_t slow_pipe_room(struct slow_pipe *self, char **ret)
{
    size_t at = (size_t)(self->put % SLOW_PIPE_BYTES_MAX);
    *ret = self->data + at;
    return (size_t)least(SLOW_PIPE_BYTES_MAX - slow_pipe_held(self), SLOW_PIPE_BYTES_MAX - at);
}

/* source: Steele, Lea, Flood, 2014: SplitMix64 */
static int64_t draw(struct slow_pipe *self, int64_t most_us)
{
    uint64_t bits = self->jittered += UINT64_C(0x9e3779b97f4a7c15);
    bits = (bits ^ (bits >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    bits = (bits ^ (bits >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (int64_t)((bits ^ (bits >> 31)) % (uint64_t)(most_us + 1));
}

void slow_pipe_put(struct slow_pipe *self, size_t size, const struct slow_terms *terms,
                   int64_t now_at)
{
    int64_t due_at = now_at + terms->latency_us + draw(self, terms->jitter_us);
    assert(size > 0);
    assert(size <= SLOW_PIPE_BYTES_MAX - slow_pipe_held(self));
    size_t last = (self->mark_first + self->mark_count - 1) % SLOW_PIPE_MARKS_MAX;
    if (self->mark_count > 0 && self->marks[last].due_at > due_at)
        due_at = self->marks[last].due_at; /* nothing overtakes */
    if (self->mark_count < SLOW_PIPE_MARKS_MAX) {
        last = (self->mark_first + self->mark_count) % SLOW_PIPE_MARKS_MAX;
        self->mark_count++;
    }
    self->put += size;
    self->marks[last].end = self->put;
    self->marks[last].due_at = due_at;
}

/* Where what has arrived by now ends. Without latency, what was late on its way is there, too. */
static uint64_t arrived(const struct slow_pipe *self, const struct slow_terms *terms,
                        int64_t now_at)
{
    uint64_t end = self->taken;
    if (terms->latency_us == 0 && terms->jitter_us == 0)
        return self->put;
    for (size_t i = 0; i < self->mark_count; i++) {
        size_t at = (self->mark_first + i) % SLOW_PIPE_MARKS_MAX;
        if (self->marks[at].due_at > now_at)
            break;
        end = self->marks[at].end;
    }
    return end;
}

size_t slow_pipe_ready(const struct slow_pipe *self, const struct slow_terms *terms, int64_t now_at,
                       const char **ret)
{
    size_t at = (size_t)(self->taken % SLOW_PIPE_BYTES_MAX);
    uint64_t size = arrived(self, terms, now_at) - self->taken;
    *ret = self->data + at;
    if (self->free_at > now_at && (terms->bytes_per_s > 0 || terms->slice_bytes > 0))
        return 0;
    if (terms->bytes_per_s > 0)
        size = least(size, terms->bytes_per_s / PORTION_PER_S + 1);
    if (terms->slice_bytes > 0)
        size = least(size, terms->slice_bytes);
    return (size_t)least(size, SLOW_PIPE_BYTES_MAX - at);
}

void slow_pipe_take(struct slow_pipe *self, size_t size, const struct slow_terms *terms,
                    int64_t now_at)
{
    int64_t from_at = self->free_at > now_at - CATCH_UP_US ? self->free_at : now_at - CATCH_UP_US;
    assert(size <= slow_pipe_held(self));
    self->taken += size;
    while (self->mark_count > 0 && self->marks[self->mark_first].end <= self->taken) {
        self->mark_first = (self->mark_first + 1) % SLOW_PIPE_MARKS_MAX;
        self->mark_count--;
    }
    self->free_at = now_at;
    if (terms->bytes_per_s > 0)
        self->free_at = from_at + (int64_t)(size * (uint64_t)US_PER_S / terms->bytes_per_s);
    if (terms->slice_bytes > 0 && self->free_at < now_at + SLOW_PIPE_SLICE_GAP_US)
        self->free_at = now_at + SLOW_PIPE_SLICE_GAP_US;
}

int64_t slow_pipe_due_at(const struct slow_pipe *self, const struct slow_terms *terms)
{
    int64_t due_at = 0;
    if (self->mark_count == 0)
        return INT64_MAX;
    if (terms->latency_us > 0 || terms->jitter_us > 0)
        due_at = self->marks[self->mark_first].due_at;
    if ((terms->bytes_per_s > 0 || terms->slice_bytes > 0) && self->free_at > due_at)
        due_at = self->free_at;
    return due_at;
}
